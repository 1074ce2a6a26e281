/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as a message to the resolver of a VPC: no answer, or one that is well formed, no longer than
 * allowed, and about what was asked.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/services/dns_zone.h"
#include "base/cursor.h"
#include "model/draft.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char tree_text[] =
	"{\"vpcs\": {\"blue\": {\"cidrs\": [\"10.0.0.0/16\", \"fd00:b::/48\"],"
	"\"dns\": {\"records\": {\"@\": \"txt:root\", \"a\": \"cname:b\", \"b\": \"cname:a\","
	"\"c\": \"cname:web1\", \"many\": [\"10.0.0.1\", \"10.0.0.2\", \"fd00:b::1\", \"txt:x\"],"
	"\"www.example.com.\": \"10.9.9.9\"}},"
	"\"subnets\": {\"web\": {\"cidr\": [\"10.0.1.0/24\", \"fd00:b:0:1::/64\"]}},"
	"\"ports\": {\"web1\": {\"subnet\": \"web\", \"addresses\": [\"10.0.1.11\", \"fd00:b:0:1::11\"]}}}}}";

static struct intent *intent;
static const struct vpc_object *vpc;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	json_t *tree = json_loads(tree_text, 0, NULL);
	struct error error = { 0 };
	struct draft *draft;

	(void)argc;
	(void)argv;
	intent = intent_new();
	draft = draft_new(intent);
	if (draft_apply_tree(draft, tree, true, &error) || draft_check(draft, &error))
		abort();
	draft_commit(draft, 1);
	draft_free(draft);
	json_decref(tree);
	vpc = (const struct vpc_object *)intent_find(intent, "blue", OBJECT_VPC, "blue");
	return 0;
}

/* A name that may end in a pointer to before it. */
static void read_name(struct cursor *cursor, size_t behind)
{
	uint8_t length, low;

	do {
		if (cursor_u8(cursor, &length))
			abort();
		if (length >= 0xc0) {
			if (cursor_u8(cursor, &low) ||
			    ((size_t)(length & 0x3f) << 8 | low) >= behind)
				abort();
			return;
		}
		if (length > 63 || cursor_skip(cursor, length))
			abort();
	} while (length);
}

/* The answer can be read to its last byte, and holds what its header says. */
static void judge(const uint8_t *answer, size_t size)
{
	uint16_t id, flags, counts[4], data_size;
	struct cursor cursor;

	cursor_init(&cursor, answer, size);
	if (cursor_be16(&cursor, &id) || cursor_be16(&cursor, &flags))
		abort();
	for (int i = 0; i < 4; i++)
		if (cursor_be16(&cursor, &counts[i]))
			abort();
	if (!(flags & DNS_FLAG_RESPONSE) || counts[0] > 1)
		abort();
	if (counts[0]) {
		read_name(&cursor, size - cursor_remaining(&cursor));
		if (cursor_skip(&cursor, 4))
			abort();
	}
	for (unsigned int i = counts[1] + counts[2] + counts[3]; i; i--) {
		read_name(&cursor, size - cursor_remaining(&cursor));
		if (cursor_skip(&cursor, 8) || cursor_be16(&cursor, &data_size) ||
		    cursor_skip(&cursor, data_size))
			abort();
	}
	if (cursor_remaining(&cursor))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t answer[DNS_MESSAGE_SIZE_MAX], question[DNS_UDP_SIZE];
	enum dns_rcode rcode = DNS_REFUSED;
	struct ip_address address;
	struct dns_query query;
	struct dns_reply reply;
	uint16_t flags = 0;
	size_t limit, answer_size, question_size;
	int code = dns_query_read(data, size, &query);

	if (code < 0)
		return 0;
	limit = query.payload_size < 1232 ? query.payload_size : 1232;
	dns_reply_begin(&reply, &query, data, answer, limit);
	if (code)
		rcode = (enum dns_rcode)code;
	else
		dns_zone_answer(intent, vpc, &query, &reply, &flags, &rcode);
	answer_size = dns_reply_end(&reply, &query, flags, rcode);
	if (answer_size > limit)
		abort();
	judge(answer, answer_size);
	if (code)
		return 0;
	(void)dns_reverse_parse(query.name, &address);
	question_size = dns_question_write(&query, data, question, query.id, 1232);
	if (question_size > sizeof(question) ||
	    !dns_answer_matches(answer, answer_size, question, question_size))
		abort();
	return 0;
}
