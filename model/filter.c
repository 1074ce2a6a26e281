/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Words to filters, filters to rows of watches; see filter.h.
 */
#include "model/filter.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define ETHERTYPE_ARP 0x0806

void filter_init(struct filter *filter)
{
	*filter = (struct filter){ .protocol = PROTOCOL_ALL, .type = -1, .code = -1 };
}

/* A number of at most five digits at *text, which moves behind it. */
static bool take_number(const char **text, uint32_t maximum, uint32_t *number)
{
	const char *c = *text;

	*number = 0;
	while (*c >= '0' && *c <= '9' && c - *text < 5)
		*number = *number * 10 + (uint32_t)(*c++ - '0');
	if (c == *text || *number > maximum)
		return false;
	*text = c;
	return true;
}

/* A whole word that is one byte. Return: whether it is one. */
static bool read_octet(const char *text, int *octet)
{
	uint32_t number;

	if (!take_number(&text, 255, &number) || *text)
		return false;
	*octet = (int)number;
	return true;
}

const char *filter_protocol(struct filter *filter, const char *text)
{
	static const struct {
		const char *name;
		int protocol;
		bool icmp_both, arp;
	} words[] = {
		{ "all", PROTOCOL_ALL, false, false },      { "tcp", IPPROTO_TCP, false, false },
		{ "udp", IPPROTO_UDP, false, false },       { "icmp", IPPROTO_ICMP, true, false },
		{ "icmpv6", IPPROTO_ICMPV6, false, false }, { "arp", PROTOCOL_ALL, false, true },
	};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		if (strcmp(text, words[i].name) != 0)
			continue;
		filter->protocol = words[i].protocol;
		filter->icmp_both = words[i].icmp_both;
		filter->arp = words[i].arp;
		return NULL;
	}
	return read_octet(text, &filter->protocol)
		       ? NULL
		       : "protocol is all, tcp, udp, icmp, icmpv6, arp or a number from 0 to 255";
}

const char *filter_ports(struct filter *filter, const char *text)
{
	static const char wrong[] = "ports are numbers and ranges such as \"80,8000-8099\"";

	for (;;) {
		uint32_t first, last;

		if (!take_number(&text, 65535, &first))
			return wrong;
		last = first;
		if (*text == '-') {
			text++;
			if (!take_number(&text, 65535, &last) || last < first)
				return wrong;
		}
		if (filter->range_count == WATCH_RANGES)
			return "a filter has at most 8 ranges of ports";
		filter->ranges[filter->range_count++] =
			(struct port_range){ (uint16_t)first, (uint16_t)last };
		if (!*text)
			return NULL;
		if (*text++ != ',')
			return wrong;
	}
}

const char *filter_type(struct filter *filter, const char *text)
{
	return read_octet(text, &filter->type) ? NULL : "type is a number of ICMP, from 0 to 255";
}

const char *filter_code(struct filter *filter, const char *text)
{
	return read_octet(text, &filter->code) ? NULL : "code is a number of ICMP, from 0 to 255";
}

const char *filter_end(struct filter *filter, const char *text)
{
	if (filter->end_count == ARRAY_SIZE(filter->ends))
		return "a packet has two ends: at most two prefixes or groups";
	if (strncmp(text, FILTER_GROUP, strlen(FILTER_GROUP)) == 0) {
		const char *name = text + strlen(FILTER_GROUP);

		if (!*name || strlen(name) >= NAME_SIZE)
			return "an end that is a group is group:NAME";
		memcpy(filter->groups[filter->end_count++], name, strlen(name) + 1);
		return NULL;
	}
	if (ip_prefix_parse_or_address(text, &filter->ends[filter->end_count]))
		return "an end is an address, a prefix such as 10.0.0.0/8 or group:NAME";
	filter->end_count++;
	return NULL;
}

const char *filter_check(const struct filter *filter, const char **key)
{
	*key = "ports";
	if (filter->range_count && filter->protocol != PROTOCOL_ALL &&
	    filter->protocol != IPPROTO_TCP && filter->protocol != IPPROTO_UDP)
		return "ports goes with protocol tcp, udp or all";
	if (filter->arp && filter->range_count)
		return "ARP has no ports";
	*key = "type";
	if (filter->type >= 0 && filter->protocol != IPPROTO_ICMP &&
	    filter->protocol != IPPROTO_ICMPV6)
		return "type goes with protocol icmp or icmpv6";
	*key = "code";
	if (filter->code >= 0 && filter->type < 0)
		return "code needs a type beside it";
	return NULL;
}

void filter_watch(const struct filter *filter, struct watch *row)
{
	if (filter->arp)
		row->ethertype = htons(ETHERTYPE_ARP);
	if (filter->protocol != PROTOCOL_ALL) {
		row->flags |= WATCH_PROTOCOL;
		row->protocol = (uint8_t)filter->protocol;
		row->other_protocol = filter->icmp_both ? IPPROTO_ICMPV6 : 0;
	}
	row->range_count = filter->range_count;
	for (size_t i = 0; i < filter->range_count; i++) {
		row->range[i].first = filter->ranges[i].first;
		row->range[i].last = filter->ranges[i].last;
	}
	if (filter->type >= 0) {
		row->flags |= WATCH_TYPES;
		row->range_count = 1;
		row->range[0].first =
			(uint16_t)(filter->type << 8 | (filter->code < 0 ? 0 : filter->code));
		row->range[0].last =
			(uint16_t)(filter->type << 8 | (filter->code < 0 ? 255 : filter->code));
	}
	for (size_t i = 0; i < filter->end_count; i++) {
		struct ip_address first = ip_prefix_first(&filter->ends[i]);

		if (*filter->groups[i]) {
			row->flags |= (uint32_t)WATCH_GROUP << i;
			row->prefix_length[i] = 128;
			continue;
		}
		memcpy(&row->network[i], &first, sizeof(first));
		row->prefix_length[i] = filter->ends[i].length;
	}
}

void filter_watch_groups(const struct filter *filter, const struct intent *intent, uint32_t vpc_id,
			 struct watch *row)
{
	const struct object *vpc = intent_object(intent, vpc_id);

	for (size_t i = 0; vpc && i < filter->end_count; i++) {
		const struct object *group =
			intent_find(intent, vpc->name, OBJECT_SECURITY_GROUP, filter->groups[i]);

		if (!*filter->groups[i] || !group)
			continue;
		row->network[i].word[WATCH_NETWORK_GROUP] = group->id;
		row->network[i].word[WATCH_NETWORK_VPC] = vpc_id;
	}
}

bool filter_names_group(const struct filter *filter, const char *name)
{
	for (size_t i = 0; i < filter->end_count; i++)
		if (*filter->groups[i] && strcmp(filter->groups[i], name) == 0)
			return true;
	return false;
}
