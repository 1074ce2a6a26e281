/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records as lines of JSON; see flow_record.h.
 *
 * Written by hand rather than with jansson: there may be hundreds of thousands in an interval. What comes
 * from outside is names, which have letters, digits and dashes, and the words of intent_describe().
 */
#include "agent/observe/flow_record.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/names.h"
#include "base/alloc.h"
#include "base/clock.h"

static void add_text(struct buf *text, const char *key, const char *value)
{
	buf_append_text(text, ",\"");
	buf_append_text(text, key);
	if (!value) {
		buf_append_text(text, "\":null");
		return;
	}
	buf_append_text(text, "\":\"");
	for (; *value; value++) {
		if (*value == '"' || *value == '\\')
			buf_append_char(text, '\\');
		if ((unsigned char)*value >= ' ')
			buf_append_char(text, *value);
	}
	buf_append_char(text, '"');
}

static void add_number(struct buf *text, const char *key, uint64_t value)
{
	char digits[24], *digit = digits + sizeof(digits) - 1;

	*digit = '\0';
	do
		*--digit = (char)('0' + value % 10);
	while ((value /= 10));
	buf_append_text(text, ",\"");
	buf_append_text(text, key);
	buf_append_text(text, "\":");
	buf_append_text(text, digit);
}

static void add_tcp_flags(struct buf *text, uint8_t flags)
{
	static const char *const names[] = {
		"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr",
	};
	char words[40] = "", *end = words;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!(flags & 1U << i))
			continue;
		if (end != words)
			*end++ = ',';
		end = stpcpy(end, names[i]);
	}
	add_text(text, "tcp_flags", words);
}

static void add_protocol(struct buf *text, uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP: add_text(text, "protocol", "tcp"); break;
	case IPPROTO_UDP: add_text(text, "protocol", "udp"); break;
	case IPPROTO_ICMP: add_text(text, "protocol", "icmp"); break;
	case IPPROTO_ICMPV6: add_text(text, "protocol", "icmpv6"); break;
	default: buf_printf(text, ",\"protocol\":\"%u\"", protocol); break;
	}
}

static void add_transport(struct buf *text, const struct flow_record *record)
{
	switch (record->protocol) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		add_number(text, "type", record->destination_port >> 8);
		add_number(text, "code", record->destination_port & 0xff);
		break;
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		add_number(text, "source_port", record->source_port);
		add_number(text, "destination_port", record->destination_port);
		break;
	default: break;
	}
	if (record->protocol == IPPROTO_TCP)
		add_tcp_flags(text, record->tcp_flags);
}

static void add_flow(struct buf *text, const struct flow_record *record)
{
	char address[IP_ADDRESS_TEXT_SIZE];

	add_text(text, "direction", record->outbound ? "egress" : "ingress");
	add_text(text, "peer", record->peer);
	add_text(text, "source", ip_address_format(&record->source, address));
	add_text(text, "destination", ip_address_format(&record->destination, address));
	add_protocol(text, record->protocol);
	add_transport(text, record);
	add_number(text, "packets", record->packets);
	add_number(text, "bytes", record->bytes);
	add_text(text, "action", record->rejected ? "REJECT" : "ACCEPT");
	if (record->rejected)
		add_text(text, "reason", names_verdict(record->verdict));
	add_text(text, record->rejected ? "object" : "rule", record->object);
}

void flow_record_line(const struct flow_record *record, struct buf *text)
{
	static const char *const statuses[] = {
		[FLOW_STATUS_OK] = "OK",
		[FLOW_STATUS_NODATA] = "NODATA",
		[FLOW_STATUS_SKIPDATA] = "SKIPDATA",
	};
	char time[CLOCK_RFC3339_SIZE];

	buf_append_text(text, "{\"version\":1");
	add_text(text, "start", clock_rfc3339_format(record->start_ns, time));
	add_text(text, "end", clock_rfc3339_format(record->end_ns, time));
	add_text(text, "host", record->host);
	add_text(text, "vpc", record->vpc);
	add_text(text, "subnet", record->subnet);
	add_text(text, "port", record->port);
	add_text(text, "log_status", statuses[record->status]);
	if (record->status == FLOW_STATUS_OK)
		add_flow(text, record);
	buf_append_text(text, "}\n");
}
