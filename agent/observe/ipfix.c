/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * IPFIX in bytes; see ipfix.h. Numbers of information elements are IANA's.
 */
#include "agent/observe/ipfix.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

#define IPFIX_VERSION 10
#define SET_TEMPLATES 2
#define SET_OPTIONS 3
#define VARIABLE 65535
#define NAME_MAX_SIZE 254

enum template_id {
	TEMPLATE_IPV4 = 256,
	TEMPLATE_IPV6 = 257,
	TEMPLATE_INTERFACE = 258,
	TEMPLATE_STATISTICS = 259,
};

/* forwardingStatus (RFC 7270): the upper two bits say what became of it, the others why. */
enum forwarding_status {
	STATUS_FORWARDED = 64,
	STATUS_DROPPED = 128,
	STATUS_DROPPED_ACL = 129,
	STATUS_DROPPED_UNROUTABLE = 131,
};

struct field {
	uint16_t element;
	uint16_t size;
};

/* In the order of add_common(), the addresses before them. */
#define COMMON_FIELDS                                                                              \
	{ 7, 2 },           /* sourceTransportPort */                                              \
		{ 11, 2 },  /* destinationTransportPort */                                         \
		{ 4, 1 },   /* protocolIdentifier */                                               \
		{ 61, 1 },  /* flowDirection */                                                    \
		{ 6, 2 },   /* tcpControlBits */                                                   \
		{ 89, 1 },  /* forwardingStatus */                                                 \
		{ 1, 8 },   /* octetDeltaCount */                                                  \
		{ 2, 8 },   /* packetDeltaCount */                                                 \
		{ 152, 8 }, /* flowStartMilliseconds */                                            \
		{ 153, 8 }, /* flowEndMilliseconds */                                              \
		{ 10, 4 },  /* ingressInterface: the port that sends */                            \
		{ 14, 4 },  /* egressInterface: the port that receives */                          \
	{                                                                                          \
		138, 4 /* observationPointId: the port it was seen at */                           \
	}

static const struct field ipv4_fields[] = {
	{ 8, 4 },  /* sourceIPv4Address */
	{ 12, 4 }, /* destinationIPv4Address */
	{ 32, 2 }, /* icmpTypeCodeIPv4 */
	COMMON_FIELDS,
};

static const struct field ipv6_fields[] = {
	{ 27, 16 }, /* sourceIPv6Address */
	{ 28, 16 }, /* destinationIPv6Address */
	{ 139, 2 }, /* icmpTypeCodeIPv6 */
	COMMON_FIELDS,
};

static const struct field interface_fields[] = {
	{ 10, 4 },         /* ingressInterface: the scope */
	{ 82, VARIABLE },  /* interfaceName */
	{ 236, VARIABLE }, /* VRFname */
};

static const struct field statistics_fields[] = {
	{ 149, 4 },        /* observationDomainId: the scope */
	{ 41, 8 },         /* exportedMessageTotalCount */
	{ 42, 8 },         /* exportedFlowRecordTotalCount */
	{ 166, 8 },        /* notSentFlowTotalCount */
	{ 300, VARIABLE }, /* observationDomainName */
};

/* ---- bytes ---- */

static void add_u8(struct buf *bytes, uint8_t value)
{
	buf_append(bytes, &value, sizeof(value));
}

static void add_u16(struct buf *bytes, uint16_t value)
{
	value = htons(value);
	buf_append(bytes, &value, sizeof(value));
}

static void add_u32(struct buf *bytes, uint32_t value)
{
	value = htonl(value);
	buf_append(bytes, &value, sizeof(value));
}

static void add_u64(struct buf *bytes, uint64_t value)
{
	add_u32(bytes, (uint32_t)(value >> 32));
	add_u32(bytes, (uint32_t)value);
}

/* Of variable length: one byte says how long. */
static void add_text(struct buf *bytes, const char *text)
{
	size_t len = strlen(text);

	len = len > NAME_MAX_SIZE ? NAME_MAX_SIZE : len;
	add_u8(bytes, (uint8_t)len);
	buf_append(bytes, text, len);
}

static void put_u16(struct buf *bytes, size_t offset, size_t value)
{
	uint16_t number = htons((uint16_t)value);

	memcpy(bytes->data + offset, &number, sizeof(number));
}

/* ---- sets ---- */

static void close_set(struct ipfix_message *message)
{
	if (message->set)
		put_u16(&message->bytes, message->set_offset + 2,
			message->bytes.size - message->set_offset);
	message->set = 0;
}

static void open_set(struct ipfix_message *message, uint16_t set)
{
	if (message->set == set)
		return;
	close_set(message);
	message->set = set;
	message->set_offset = message->bytes.size;
	add_u16(&message->bytes, set);
	add_u16(&message->bytes, 0);
}

/* A record of @size bytes, with the header of its set where that is not open. */
static bool fits(const struct ipfix_message *message, uint16_t set, size_t size)
{
	return message->bytes.size + size + (message->set == set ? 0 : 4) <= message->size_max;
}

/* ---- templates ---- */

static void add_fields(struct buf *bytes, const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		add_u16(bytes, fields[i].element);
		add_u16(bytes, fields[i].size);
	}
}

static void add_template(struct ipfix_message *message, uint16_t id, const struct field *fields,
			 size_t count)
{
	open_set(message, SET_TEMPLATES);
	add_u16(&message->bytes, id);
	add_u16(&message->bytes, (uint16_t)count);
	add_fields(&message->bytes, fields, count);
}

/* The first field is the scope. */
static void add_options(struct ipfix_message *message, uint16_t id, const struct field *fields,
			size_t count)
{
	open_set(message, SET_OPTIONS);
	add_u16(&message->bytes, id);
	add_u16(&message->bytes, (uint16_t)count);
	add_u16(&message->bytes, 1);
	add_fields(&message->bytes, fields, count);
}

bool ipfix_add_templates(struct ipfix_message *message)
{
	const size_t size = 4 + 4 + sizeof(ipv4_fields) + 4 + sizeof(ipv6_fields) + 4 + 6 +
			    sizeof(interface_fields) + 6 + sizeof(statistics_fields);

	if (!fits(message, SET_TEMPLATES, size))
		return false;
	add_template(message, TEMPLATE_IPV4, ipv4_fields, ARRAY_SIZE(ipv4_fields));
	add_template(message, TEMPLATE_IPV6, ipv6_fields, ARRAY_SIZE(ipv6_fields));
	add_options(message, TEMPLATE_INTERFACE, interface_fields, ARRAY_SIZE(interface_fields));
	add_options(message, TEMPLATE_STATISTICS, statistics_fields, ARRAY_SIZE(statistics_fields));
	return true;
}

/* ---- records ---- */

static uint8_t status_of(const struct flow_record *record)
{
	static const uint8_t why[VERDICTS] = {
		[VERDICT_GROUP_EGRESS] = STATUS_DROPPED_ACL,
		[VERDICT_GROUP_INGRESS] = STATUS_DROPPED_ACL,
		[VERDICT_ACL_EGRESS] = STATUS_DROPPED_ACL,
		[VERDICT_ACL_INGRESS] = STATUS_DROPPED_ACL,
		[VERDICT_NO_ROUTER] = STATUS_DROPPED_UNROUTABLE,
		[VERDICT_NO_ROUTE] = STATUS_DROPPED_UNROUTABLE,
		[VERDICT_BLACKHOLE] = STATUS_DROPPED_UNROUTABLE,
		[VERDICT_NO_ENDPOINT] = STATUS_DROPPED_UNROUTABLE,
	};

	if (!record->rejected)
		return STATUS_FORWARDED;
	return record->verdict < VERDICTS && why[record->verdict] ? why[record->verdict]
								  : STATUS_DROPPED;
}

static bool is_icmp(const struct flow_record *record)
{
	return record->protocol == IPPROTO_ICMP || record->protocol == IPPROTO_ICMPV6;
}

static void add_common(struct buf *bytes, const struct flow_record *record)
{
	const bool icmp = is_icmp(record);

	add_u16(bytes, icmp ? 0 : record->source_port);
	add_u16(bytes, icmp ? 0 : record->destination_port);
	add_u8(bytes, record->protocol);
	add_u8(bytes, record->outbound ? 1 : 0);
	add_u16(bytes, record->tcp_flags);
	add_u8(bytes, status_of(record));
	add_u64(bytes, record->bytes);
	add_u64(bytes, record->packets);
	add_u64(bytes, record->start_ns / CLOCK_NS_PER_MS);
	add_u64(bytes, record->end_ns / CLOCK_NS_PER_MS);
	add_u32(bytes, record->outbound ? record->port_id : record->peer_id);
	add_u32(bytes, record->outbound ? record->peer_id : record->port_id);
	add_u32(bytes, record->port_id);
}

static size_t size_of(const struct field *fields, size_t count)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++)
		size += fields[i].size;
	return size;
}

bool ipfix_add_flow(struct ipfix_message *message, const struct flow_record *record)
{
	const bool ipv4 = ip_address_is_ipv4(&record->source);
	const uint16_t set = ipv4 ? TEMPLATE_IPV4 : TEMPLATE_IPV6;
	const size_t size = ipv4 ? size_of(ipv4_fields, ARRAY_SIZE(ipv4_fields))
				 : size_of(ipv6_fields, ARRAY_SIZE(ipv6_fields));
	const size_t skipped = ipv4 ? 12 : 0;

	if (!fits(message, set, size))
		return false;
	open_set(message, set);
	buf_append(&message->bytes, record->source.byte + skipped, 16 - skipped);
	buf_append(&message->bytes, record->destination.byte + skipped, 16 - skipped);
	add_u16(&message->bytes, is_icmp(record) ? record->destination_port : 0);
	add_common(&message->bytes, record);
	message->records++;
	return true;
}

bool ipfix_add_interface(struct ipfix_message *message, uint32_t port_id, const char *name,
			 const char *vpc)
{
	if (!fits(message, TEMPLATE_INTERFACE, 4 + 1 + strlen(name) + 1 + strlen(vpc)))
		return false;
	open_set(message, TEMPLATE_INTERFACE);
	add_u32(&message->bytes, port_id);
	add_text(&message->bytes, name);
	add_text(&message->bytes, vpc);
	message->records++;
	return true;
}

bool ipfix_add_statistics(struct ipfix_message *message, const struct ipfix_statistics *statistics)
{
	if (!fits(message, TEMPLATE_STATISTICS, 4 + 3 * 8 + 1 + strlen(statistics->name)))
		return false;
	open_set(message, TEMPLATE_STATISTICS);
	add_u32(&message->bytes, statistics->domain);
	add_u64(&message->bytes, statistics->messages);
	add_u64(&message->bytes, statistics->records);
	add_u64(&message->bytes, statistics->lost);
	add_text(&message->bytes, statistics->name);
	message->records++;
	return true;
}

/* ---- messages ---- */

void ipfix_begin(struct ipfix_message *message, size_t size_max)
{
	static const char header[IPFIX_HEADER_SIZE];

	buf_reset(&message->bytes);
	buf_append(&message->bytes, header, sizeof(header));
	message->size_max = size_max;
	message->records = 0;
	message->set = 0;
}

void ipfix_finish(struct ipfix_message *message, uint32_t seconds, uint32_t sequence,
		  uint32_t domain)
{
	const uint32_t words[3] = { htonl(seconds), htonl(sequence), htonl(domain) };

	close_set(message);
	put_u16(&message->bytes, 0, IPFIX_VERSION);
	put_u16(&message->bytes, 2, message->bytes.size);
	memcpy(message->bytes.data + 4, words, sizeof(words));
}
