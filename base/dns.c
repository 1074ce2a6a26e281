/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS messages; see dns.h.
 *
 * A question is read without following compression, which no question needs: a pointer in it is a format
 * error, so that no message can make the reader go round in circles.
 */
#include "base/dns.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/big_endian.h"
#include "base/cursor.h"

#define LABEL_SIZE_MAX 63
#define NAME_WIRE_MAX 255
#define POINTER 0xc0
#define OPT_SIZE 11
#define OPT_DNSSEC 0x8000
#define OWN_PAYLOAD 1232 /* fits into IPv6's least MTU */
#define SOA_TIMES 5

/* ---- reading ---- */

static bool is_plain(uint8_t byte)
{
	return isalnum(byte) || byte == '-' || byte == '_';
}

/* One label into text. Return: characters written. */
static size_t label_text(const uint8_t *label, size_t size, char *text)
{
	size_t length = 0;

	for (size_t i = 0; i < size; i++) {
		if (is_plain(label[i]))
			text[length++] = (char)tolower(label[i]);
		else
			length += (size_t)snprintf(text + length, 5, "\\%03u", label[i]);
	}
	return length;
}

/* A name without compression. Return: 0 or -EBADMSG. */
static int read_name(struct cursor *cursor, char name[DNS_NAME_SIZE])
{
	size_t length = 0, wire = 0;
	const uint8_t *label;
	uint8_t size;

	for (;;) {
		if (cursor_u8(cursor, &size) || size > LABEL_SIZE_MAX)
			return -EBADMSG;
		wire += 1u + size;
		if (wire > NAME_WIRE_MAX)
			return -EBADMSG;
		if (size == 0)
			break;
		if (cursor_take(cursor, &label, size))
			return -EBADMSG;
		if (length)
			name[length++] = '.';
		length += label_text(label, size, name + length);
	}
	name[length] = '\0';
	return 0;
}

/* A record of the additional section; only OPT (RFC 6891) says something. Return: 0 or -EBADMSG. */
static int read_additional(struct cursor *cursor, struct dns_query *query)
{
	char name[DNS_NAME_SIZE];
	uint16_t type, class, size;
	uint32_t ttl;

	if (read_name(cursor, name) || cursor_be16(cursor, &type) || cursor_be16(cursor, &class) ||
	    cursor_be32(cursor, &ttl) || cursor_be16(cursor, &size) || cursor_skip(cursor, size))
		return -EBADMSG;
	if (type != DNS_TYPE_OPT)
		return 0;
	if (query->edns || name[0])
		return -EBADMSG;
	query->edns = true;
	query->payload_size = class < DNS_UDP_SIZE ? DNS_UDP_SIZE : class;
	query->edns_version = (uint8_t)(ttl >> 16);
	query->dnssec = ttl & OPT_DNSSEC;
	return 0;
}

int dns_query_read(const void *message, size_t size, struct dns_query *query)
{
	uint16_t counts[4];
	struct cursor cursor;

	memset(query, 0, offsetof(struct dns_query, name) + 1);
	query->payload_size = DNS_UDP_SIZE;
	cursor_init(&cursor, message, size);
	if (cursor_be16(&cursor, &query->id) || cursor_be16(&cursor, &query->flags) ||
	    cursor_be16(&cursor, &counts[0]) || cursor_be16(&cursor, &counts[1]) ||
	    cursor_be16(&cursor, &counts[2]) || cursor_be16(&cursor, &counts[3]) ||
	    (query->flags & DNS_FLAG_RESPONSE))
		return -EBADMSG;
	if (query->flags & DNS_FLAG_OPCODE)
		return DNS_NOTIMP;
	if (counts[0] != 1 || counts[1] || counts[2] || (query->flags & DNS_FLAG_TRUNCATED) ||
	    read_name(&cursor, query->name) || cursor_be16(&cursor, &query->type) ||
	    cursor_be16(&cursor, &query->class))
		return DNS_FORMERR;
	query->question_size = (uint16_t)(size - DNS_HEADER_SIZE - cursor_remaining(&cursor));
	for (uint16_t i = 0; i < counts[3]; i++)
		if (read_additional(&cursor, query))
			return DNS_FORMERR;
	if (query->edns && query->edns_version)
		return DNS_BADVERS;
	if (query->type == DNS_TYPE_OPT || !query->type)
		return DNS_FORMERR;
	return 0;
}

/* ---- writing ---- */

/* The wire form of a name as text, escapes taken back. Return: its size; 0 if it is none. */
static size_t name_wire(const char *name, uint8_t wire[NAME_WIRE_MAX])
{
	size_t size = 1, label = 0; /* label: where its length stands */

	wire[0] = 0;
	if (!*name) {
		return 1;
	}
	for (; *name; name++) {
		uint8_t byte = (uint8_t)*name;

		if (size >= NAME_WIRE_MAX - 1)
			return 0;
		if (byte == '.') {
			if (!wire[label])
				return 0;
			label = size;
			wire[size++] = 0;
			continue;
		}
		if (byte == '\\' && isdigit((unsigned char)name[1]) &&
		    isdigit((unsigned char)name[2]) && isdigit((unsigned char)name[3])) {
			byte = (uint8_t)((name[1] - '0') * 100 + (name[2] - '0') * 10 + name[3] -
					 '0');
			name += 3;
		}
		if (++wire[label] > LABEL_SIZE_MAX)
			return 0;
		wire[size++] = byte;
	}
	if (!wire[label])
		return 0;
	wire[size++] = 0;
	return size;
}

void dns_reply_begin(struct dns_reply *reply, const struct dns_query *query, const void *message,
		     void *data, size_t limit)
{
	*reply = (struct dns_reply){ .data = data, .limit = limit, .edns = query->edns };
	memset(data, 0, DNS_HEADER_SIZE);
	memcpy(reply->data + DNS_HEADER_SIZE, (const uint8_t *)message + DNS_HEADER_SIZE,
	       query->question_size);
	reply->size = DNS_HEADER_SIZE + (size_t)query->question_size;
	reply->records_from = reply->size;
	reply->owner = DNS_HEADER_SIZE;
	if (reply->edns)
		reply->limit -= OPT_SIZE;
}

/* A record with its data. Return: where the data stands, NULL if it does not fit. */
static uint8_t *add_record(struct dns_reply *reply, enum dns_section section, uint16_t type,
			   uint32_t ttl, const void *data, size_t size)
{
	uint8_t *at = reply->data + reply->size;

	if (reply->truncated || reply->size + 12 + size > reply->limit) {
		reply->truncated = true;
		return NULL;
	}
	put_be16(at, (uint16_t)(POINTER << 8 | reply->owner));
	put_be16(at + 2, type);
	put_be16(at + 4, DNS_CLASS_IN);
	put_be32(at + 6, ttl);
	put_be16(at + 10, (uint16_t)size);
	memcpy(at + 12, data, size);
	reply->size += 12 + size;
	reply->counts[section]++;
	return at + 12;
}

void dns_reply_address(struct dns_reply *reply, uint32_t ttl, const struct ip_address *address)
{
	if (ip_address_is_ipv4(address))
		add_record(reply, DNS_ANSWER, DNS_TYPE_A, ttl, address->byte + 12, 4);
	else
		add_record(reply, DNS_ANSWER, DNS_TYPE_AAAA, ttl, address->byte, 16);
}

void dns_reply_pointer(struct dns_reply *reply, uint32_t ttl, const char *name)
{
	uint8_t wire[NAME_WIRE_MAX];
	size_t size = name_wire(name, wire);

	if (size)
		add_record(reply, DNS_ANSWER, DNS_TYPE_PTR, ttl, wire, size);
}

void dns_reply_name_server(struct dns_reply *reply, uint32_t ttl, const char *name)
{
	uint8_t wire[NAME_WIRE_MAX];
	size_t size = name_wire(name, wire);

	if (size)
		add_record(reply, DNS_ANSWER, DNS_TYPE_NS, ttl, wire, size);
}

void dns_reply_text(struct dns_reply *reply, uint32_t ttl, const char *text)
{
	uint8_t strings[1024 + 8];
	size_t length = strlen(text), size = 0;

	/* Strings of at most 255 bytes, one behind the other. */
	if (length > 1024)
		length = 1024;
	do {
		size_t part = length > 255 ? 255 : length;

		strings[size++] = (uint8_t)part;
		memcpy(strings + size, text, part);
		size += part;
		text += part;
		length -= part;
	} while (length);
	add_record(reply, DNS_ANSWER, DNS_TYPE_TXT, ttl, strings, size);
}

void dns_reply_alias(struct dns_reply *reply, uint32_t ttl, const char *name)
{
	uint8_t wire[NAME_WIRE_MAX], *at;
	size_t size = name_wire(name, wire);

	if (!size)
		return;
	at = add_record(reply, DNS_ANSWER, DNS_TYPE_CNAME, ttl, wire, size);
	if (at && at - reply->data < POINTER << 8)
		reply->owner = (uint16_t)(at - reply->data);
}

void dns_reply_zone(struct dns_reply *reply, enum dns_section section, uint32_t ttl,
		    const char *zone)
{
	static const char *const in_front[] = { "resolver.", "hostmaster." };
	const uint32_t times[SOA_TIMES] = { 1, 3600, 600, 86400, ttl };
	uint8_t data[2 * NAME_WIRE_MAX + 4 * SOA_TIMES], wire[NAME_WIRE_MAX];
	uint16_t owner = reply->owner;
	size_t size = 0, zone_size = name_wire(zone, wire), asked;

	for (size_t i = 0; i < ARRAY_SIZE(in_front); i++) {
		char *name = xasprintf("%s%s", in_front[i], zone);
		size_t name_size = name_wire(name, data + size);

		if (!name_size)
			name_size = name_wire(zone, data + size);
		size += name_size;
		free(name);
	}
	for (size_t i = 0; i < SOA_TIMES; i++, size += 4)
		put_be32(data + size, times[i]);
	/* The zone's name is the end of the one asked for, which stands in the question. */
	asked = reply->records_from - DNS_HEADER_SIZE - 4;
	if (zone_size && asked >= zone_size)
		reply->owner = (uint16_t)(DNS_HEADER_SIZE + asked - zone_size);
	add_record(reply, section, DNS_TYPE_SOA, ttl, data, size);
	reply->owner = owner;
}

size_t dns_reply_end(struct dns_reply *reply, const struct dns_query *query, uint16_t flags,
		     enum dns_rcode rcode)
{
	uint8_t *header = reply->data;

	flags |= DNS_FLAG_RESPONSE | (query->flags & (DNS_FLAG_OPCODE | DNS_FLAG_RECURSION_DESIRED |
						      DNS_FLAG_CHECKING_DISABLED));
	if (reply->truncated)
		flags |= DNS_FLAG_TRUNCATED;
	if (reply->edns) {
		uint8_t *opt = reply->data + reply->size;

		memset(opt, 0, OPT_SIZE);
		put_be16(opt + 1, DNS_TYPE_OPT);
		put_be16(opt + 3, OWN_PAYLOAD);
		opt[5] = (uint8_t)(rcode >> 4);
		put_be16(opt + 7, query->dnssec ? OPT_DNSSEC : 0);
		reply->size += OPT_SIZE;
		reply->counts[DNS_ADDITIONAL]++;
	}
	put_be16(header, query->id);
	put_be16(header + 2, (uint16_t)(flags | (rcode & DNS_FLAG_RCODE)));
	put_be16(header + 4, query->question_size ? 1 : 0);
	for (size_t i = 0; i < DNS_SECTIONS; i++)
		put_be16(header + 6 + 2 * i, reply->counts[i]);
	return reply->size;
}

/* ---- asking others ---- */

size_t dns_question_write(const struct dns_query *query, const void *message, void *data,
			  uint16_t id, uint16_t payload_size)
{
	uint8_t *at = data, *opt = at + DNS_HEADER_SIZE + query->question_size;

	memset(at, 0, DNS_HEADER_SIZE);
	put_be16(at, id);
	put_be16(at + 2, DNS_FLAG_RECURSION_DESIRED | (query->flags & DNS_FLAG_CHECKING_DISABLED));
	put_be16(at + 4, 1);
	memcpy(at + DNS_HEADER_SIZE, (const uint8_t *)message + DNS_HEADER_SIZE,
	       query->question_size);
	if (!query->edns)
		return DNS_HEADER_SIZE + (size_t)query->question_size;
	put_be16(at + 10, 1);
	memset(opt, 0, OPT_SIZE);
	put_be16(opt + 1, DNS_TYPE_OPT);
	put_be16(opt + 3, payload_size);
	put_be16(opt + 7, query->dnssec ? OPT_DNSSEC : 0);
	return DNS_HEADER_SIZE + (size_t)query->question_size + OPT_SIZE;
}

bool dns_answer_matches(const void *answer, size_t answer_size, const void *question,
			size_t question_size)
{
	const uint8_t *a = answer, *q = question;
	size_t opt = question_size >= DNS_HEADER_SIZE && q[11] ? OPT_SIZE : 0;

	if (question_size < DNS_HEADER_SIZE + opt || answer_size < question_size - opt ||
	    a[0] != q[0] || a[1] != q[1] || !(a[2] & 0x80) || a[4] || a[5] != 1)
		return false;
	for (size_t i = DNS_HEADER_SIZE; i < question_size - opt; i++)
		if (tolower(a[i]) != tolower(q[i]))
			return false;
	return true;
}

/* ---- names ---- */

bool dns_name_below(const char *name, const char *domain, size_t *rest)
{
	size_t length = strlen(name), end = strlen(domain);

	if (length < end || strcmp(name + length - end, domain) != 0)
		return false;
	if (length > end && end && name[length - end - 1] != '.')
		return false;
	if (rest)
		*rest = length > end ? length - end - (end ? 1 : 0) : 0;
	return true;
}

/* "11.1.0.10": four numbers, the last first. */
static int reverse4(const char *text, size_t length, struct ip_address *address)
{
	uint32_t value = 0;
	size_t at = 0;

	for (unsigned int i = 0; i < 4; i++) {
		unsigned int number = 0;
		size_t begin = at;

		while (at < length && isdigit((unsigned char)text[at]) && at - begin < 3)
			number = number * 10 + (unsigned int)(text[at++] - '0');
		if (at == begin || number > 255 || (at - begin > 1 && text[begin] == '0'))
			return -ENOENT;
		value |= number << 8 * i;
		if (i < 3 && (at >= length || text[at++] != '.'))
			return -ENOENT;
	}
	if (at != length)
		return -ENOENT;
	*address = ip_address_from_ipv4(value);
	return 0;
}

/* Thirty-two hexadecimal digits with dots, the last first. */
static int reverse6(const char *text, size_t length, struct ip_address *address)
{
	struct ip_address found = { { 0 } };

	if (length != 63)
		return -ENOENT;
	for (size_t i = 0; i < 32; i++) {
		char digit = text[2 * i];
		unsigned int value;

		if (!isxdigit((unsigned char)digit) || (i < 31 && text[2 * i + 1] != '.'))
			return -ENOENT;
		value = isdigit((unsigned char)digit) ? (unsigned int)(digit - '0')
						      : (unsigned int)(digit - 'a' + 10);
		found.byte[15 - i / 2] |= (uint8_t)(value << 4 * (i & 1));
	}
	*address = found;
	return 0;
}

int dns_reverse_parse(const char *name, struct ip_address *address)
{
	size_t length;

	if (dns_name_below(name, "in-addr.arpa", &length))
		return reverse4(name, length, address);
	if (dns_name_below(name, "ip6.arpa", &length))
		return reverse6(name, length, address);
	return -EINVAL;
}
