/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of others; see dns_answer.h.
 */
#include "base/dns_answer.h"

#include <errno.h>
#include <stdbool.h>

#include "base/big_endian.h"
#include "base/cursor.h"
#include "base/dns.h"

#define POINTER 0xc0
#define LABEL_SIZE_MAX 63
#define SOA_NUMBERS 20 /* five of them, at the end of an SOA record's data */
#define TTL_SIGN 0x80000000u

/* A record, but for its name. */
struct record {
	uint16_t type;
	uint32_t ttl;
	size_t ttl_at; /* offset in the message */
	const uint8_t *data;
	uint16_t size;
};

struct message {
	struct cursor cursor;
	size_t size;
	uint16_t flags;
	uint16_t counts[1 + DNS_SECTIONS];
};

static int skip_name(struct cursor *cursor)
{
	uint8_t length;

	for (;;) {
		if (cursor_u8(cursor, &length))
			return -EBADMSG;
		if (length == 0)
			return 0;
		if ((length & POINTER) == POINTER)
			return cursor_skip(cursor, 1);
		if (length > LABEL_SIZE_MAX || cursor_skip(cursor, length))
			return -EBADMSG;
	}
}

/* Up to the first record. Return: 0 or -EBADMSG. */
static int begin(struct message *message, const void *data, size_t size)
{
	struct cursor *cursor = &message->cursor;
	uint16_t id;

	cursor_init(cursor, data, size);
	message->size = size;
	if (cursor_be16(cursor, &id) || cursor_be16(cursor, &message->flags))
		return -EBADMSG;
	for (size_t i = 0; i < 1 + DNS_SECTIONS; i++)
		if (cursor_be16(cursor, &message->counts[i]))
			return -EBADMSG;
	if (message->counts[0] != 1 || skip_name(cursor) || cursor_skip(cursor, 4))
		return -EBADMSG;
	return 0;
}

static int read_record(struct message *message, struct record *record)
{
	struct cursor *cursor = &message->cursor;
	uint16_t class;

	if (skip_name(cursor) || cursor_be16(cursor, &record->type) || cursor_be16(cursor, &class))
		return -EBADMSG;
	record->ttl_at = message->size - cursor_remaining(cursor);
	if (cursor_be32(cursor, &record->ttl) || cursor_be16(cursor, &record->size) ||
	    cursor_take(cursor, &record->data, record->size))
		return -EBADMSG;
	/* RFC 2181, 8. */
	if (record->ttl & TTL_SIGN)
		record->ttl = 0;
	return 0;
}

static uint32_t least(uint32_t a, uint32_t b)
{
	return a < b ? a : b;
}

/* Of an SOA record: its TTL or the number at its end, whichever is less (RFC 2308, 5). */
static uint32_t negative_ttl(const struct record *record)
{
	struct cursor cursor;
	uint32_t minimum = 0;

	if (record->size <= SOA_NUMBERS)
		return 0;
	cursor_init(&cursor, record->data + record->size - 4, 4);
	(void)cursor_be32(&cursor, &minimum);
	return least(record->ttl, minimum);
}

uint32_t dns_answer_lifetime(const void *data, size_t size, uint16_t type)
{
	uint32_t all = DNS_KEPT_MAX, negative = 0;
	bool found = false;
	struct message message;
	struct record record;

	if (begin(&message, data, size) || (message.flags & DNS_FLAG_TRUNCATED) ||
	    !(message.flags & DNS_FLAG_RESPONSE) || type == DNS_TYPE_ANY)
		return 0;
	if ((message.flags & DNS_FLAG_RCODE) == DNS_NXDOMAIN)
		type = 0;
	else if ((message.flags & DNS_FLAG_RCODE) != DNS_NOERROR)
		return 0;
	for (unsigned int section = 0; section < DNS_SECTIONS; section++) {
		for (uint16_t i = 0; i < message.counts[1 + section]; i++) {
			if (read_record(&message, &record))
				return 0;
			if (record.type == DNS_TYPE_OPT)
				continue;
			all = least(all, record.ttl);
			found |= section == DNS_ANSWER && record.type == type;
			if (section == DNS_AUTHORITY && record.type == DNS_TYPE_SOA)
				negative = negative_ttl(&record);
		}
	}
	if (cursor_remaining(&message.cursor))
		return 0;
	return found ? all : least(all, least(negative, DNS_KEPT_NEGATIVE_MAX));
}

void dns_answer_limit(void *data, size_t size, uint32_t seconds)
{
	struct message message;
	struct record record;
	unsigned int count;

	if (begin(&message, data, size))
		return;
	count = message.counts[1] + message.counts[2] + message.counts[3];
	for (unsigned int i = 0; i < count && !read_record(&message, &record); i++)
		if (record.type != DNS_TYPE_OPT)
			put_be32((uint8_t *)data + record.ttl_at, least(record.ttl, seconds));
}
