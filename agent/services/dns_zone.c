/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VPC's own names; see dns_zone.h.
 *
 * A name that is there without a record of the type asked for, and a name that is not there, are told
 * apart (RFC 2308): both come with the zone's SOA, which says for how long to remember that. Behind an
 * alias it is the last name that counts.
 */
#include "agent/services/dns_zone.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ALIASES_MAX 8

struct zone {
	const struct intent *intent;
	const struct vpc_object *vpc;
	const struct dns_query *query;
	struct dns_reply *reply;
	char domain[DNS_DOMAIN_SIZE];
	size_t records; /* written */
	size_t aliases; /* of these, but for those that were asked for */
	bool nobody;    /* the last alias leads to no name */
};

static bool wants(const struct zone *zone, uint16_t type)
{
	return zone->query->type == type || zone->query->type == DNS_TYPE_ANY;
}

static void add_addresses(struct zone *zone, const struct ip_address *addresses, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		bool ipv4 = ip_address_is_ipv4(&addresses[i]);

		if (!wants(zone, ipv4 ? DNS_TYPE_A : DNS_TYPE_AAAA))
			continue;
		dns_reply_address(zone->reply, DNS_TTL, &addresses[i]);
		zone->records++;
	}
}

static const struct port_object *find_port(const struct zone *zone, const char *name)
{
	return (const struct port_object *)intent_find(zone->intent, zone->vpc->object.name,
						       OBJECT_PORT, name);
}

/* "web1", or "web1.web" where that is its subnet. Return: whether there is such a name. */
static bool answer_port(struct zone *zone, const char *name)
{
	const char *dot = strchr(name, '.');
	const struct object *subnet;
	const struct port_object *port;
	char label[NAME_SIZE];

	if (!dot) {
		port = find_port(zone, name);
		/* A subnet's name has none of its own, but there are names below it. */
		if (!port)
			return intent_find(zone->intent, zone->vpc->object.name, OBJECT_SUBNET,
					   name);
		add_addresses(zone, port->addresses, port->address_count);
		return true;
	}
	if ((size_t)(dot - name) >= sizeof(label))
		return false;
	snprintf(label, sizeof(label), "%.*s", (int)(dot - name), name);
	port = find_port(zone, label);
	subnet = intent_find(zone->intent, zone->vpc->object.name, OBJECT_SUBNET, dot + 1);
	if (!port || !subnet || port->subnet_id != subnet->id)
		return false;
	add_addresses(zone, port->addresses, port->address_count);
	return true;
}

static bool answer_records(struct zone *zone, const char *name, unsigned int aliases);

/* Whether there are records of names below this one (RFC 8020). */
static bool is_above(const struct vpc_dns *dns, const char *name)
{
	const size_t length = strlen(name);

	for (size_t i = 0; i < dns->record_count; i++) {
		const char *other = dns->records[i].name;
		const size_t other_length = strlen(other);

		if (other_length > length && other[other_length - length - 1] == '.' &&
		    strcmp(other + other_length - length, name) == 0)
			return true;
	}
	return false;
}

/* A name relative to the domain, not the domain itself. Return: whether there is such a name. */
static bool answer_relative(struct zone *zone, const char *name, unsigned int aliases)
{
	return answer_records(zone, name, aliases) || answer_port(zone, name) ||
	       is_above(&zone->vpc->dns, name);
}

/* An alias leads there. */
static void follow(struct zone *zone, const char *name, unsigned int aliases)
{
	if (strcmp(name, "@") == 0)
		answer_records(zone, name, aliases);
	else if (!answer_relative(zone, name, aliases))
		zone->nobody = true;
}

/*
 * What the VPC lists besides its ports, which goes before them: a name relative to the domain, or a whole
 * one with a dot at its end. An alias is followed within the domain. Return: whether there is such a name.
 */
static bool answer_records(struct zone *zone, const char *name, unsigned int aliases)
{
	const struct dns_record *records;
	size_t count = dns_records_find(&zone->vpc->dns, name, &records);
	char target[2 * DNS_DOMAIN_SIZE];

	for (size_t i = 0; i < count; i++) {
		const struct dns_record *record = &records[i];

		if (record->kind == DNS_RECORD_ADDRESS) {
			add_addresses(zone, &record->address, 1);
		} else if (record->kind == DNS_RECORD_TEXT && wants(zone, DNS_TYPE_TXT)) {
			dns_reply_text(zone->reply, DNS_TTL, record->text);
			zone->records++;
		} else if (record->kind == DNS_RECORD_ALIAS) {
			bool own = strcmp(record->text, "@") == 0;

			snprintf(target, sizeof(target), "%s%s%s", own ? "" : record->text,
				 own ? "" : ".", zone->domain);
			dns_reply_alias(zone->reply, DNS_TTL, target);
			zone->records++;
			if (wants(zone, DNS_TYPE_CNAME))
				continue;
			zone->aliases++;
			if (aliases < ALIASES_MAX)
				follow(zone, record->text, aliases + 1);
		}
	}
	return count;
}

/* A name in the domain. Return: whether it is there. */
static bool answer_name(struct zone *zone, size_t length)
{
	char name[DNS_NAME_SIZE];

	if (length == 0) {
		if (wants(zone, DNS_TYPE_SOA)) {
			dns_reply_zone(zone->reply, DNS_ANSWER, DNS_TTL, zone->domain);
			zone->records++;
		}
		answer_records(zone, "@", 0);
		return true;
	}
	snprintf(name, sizeof(name), "%.*s", (int)length, zone->query->name);
	return answer_relative(zone, name, 0);
}

/* A whole name that is no other's to say, in the domain or not. Return: whether there is such a record. */
static bool answer_whole_name(struct zone *zone)
{
	char name[DNS_NAME_SIZE + 1];

	snprintf(name, sizeof(name), "%s.", zone->query->name);
	return answer_records(zone, name, 0);
}

static bool is_in_vpc(const struct vpc_object *vpc, const struct ip_address *address)
{
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (ip_prefix_contains(&vpc->cidrs[i], address))
			return true;
	return false;
}

/* Of an address of the VPC. Return: whether a port has it. */
static bool answer_address(struct zone *zone, const struct ip_address *address)
{
	uint32_t id = intent_address_owner(zone->intent, zone->vpc->object.id, address);
	const struct object *port = id ? intent_object(zone->intent, id) : NULL;
	char name[NAME_SIZE + DNS_DOMAIN_SIZE];

	if (!port)
		return false;
	if (wants(zone, DNS_TYPE_PTR)) {
		snprintf(name, sizeof(name), "%s.%s", port->name, zone->domain);
		dns_reply_pointer(zone->reply, DNS_TTL, name);
		zone->records++;
	}
	return true;
}

/* The zone of reverse names that says there is no such name. */
static const char *reverse_zone(const struct ip_address *address)
{
	return ip_address_is_ipv4(address) ? "in-addr.arpa" : "ip6.arpa";
}

bool dns_zone_answer(const struct intent *intent, const struct vpc_object *vpc,
		     const struct dns_query *query, struct dns_reply *reply, uint16_t *flags,
		     enum dns_rcode *rcode)
{
	struct zone zone = { .intent = intent, .vpc = vpc, .query = query, .reply = reply };
	struct ip_address address;
	const char *own;
	size_t length;
	bool there;

	vpc_domain(vpc, zone.domain);
	if (answer_whole_name(&zone)) {
		own = query->name;
		there = true;
	} else if (dns_name_below(query->name, zone.domain, &length)) {
		own = zone.domain;
		there = answer_name(&zone, length);
	} else if (!dns_reverse_parse(query->name, &address) && is_in_vpc(vpc, &address)) {
		own = reverse_zone(&address);
		there = answer_address(&zone, &address);
	} else {
		return false;
	}
	*flags = DNS_FLAG_AUTHORITATIVE;
	*rcode = there && !zone.nobody ? DNS_NOERROR : DNS_NXDOMAIN;
	/* An alias in somebody else's domain leads to one that is no part of its name. */
	if (!zone.records || (zone.records == zone.aliases && own == zone.domain))
		dns_reply_zone(reply, DNS_AUTHORITY, DNS_TTL, own);
	return true;
}
