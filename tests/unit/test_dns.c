/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/dns.c: what is read of questions, what is written as answers, byte by byte.
 */
#include "base/dns.h"

#include <string.h>

#include "tests/unit/unit.h"

/* web1.blue.internal A, recursion desired */
static const uint8_t plain[] = "\x12\x34\x01\x00\0\1\0\0\0\0\0\0\4wEb1\4blue\10internal\0\0\1\0\1";
#define PLAIN_SIZE (sizeof(plain) - 1)
#define QUESTION_SIZE (PLAIN_SIZE - DNS_HEADER_SIZE)
/* An OPT record: 4096 bytes, DO */
static const uint8_t opt[] = "\0\0\51\20\0\0\0\200\0\0\0";
#define OPT_SIZE (sizeof(opt) - 1)

static size_t with_opt(uint8_t message[256])
{
	memcpy(message, plain, PLAIN_SIZE);
	memcpy(message + PLAIN_SIZE, opt, OPT_SIZE);
	message[11] = 1;
	return PLAIN_SIZE + OPT_SIZE;
}

static void test_question(void **state)
{
	struct dns_query query;
	uint8_t message[256];

	(void)state;
	assert_int_equal(dns_query_read(plain, PLAIN_SIZE, &query), 0);
	assert_int_equal(query.id, 0x1234);
	assert_string_equal(query.name, "web1.blue.internal");
	assert_int_equal(query.type, DNS_TYPE_A);
	assert_int_equal(query.class, DNS_CLASS_IN);
	assert_int_equal(query.question_size, QUESTION_SIZE);
	assert_false(query.edns);
	assert_int_equal(query.payload_size, DNS_UDP_SIZE);
	assert_int_equal(dns_query_read(message, with_opt(message), &query), 0);
	assert_true(query.edns && query.dnssec);
	assert_int_equal(query.payload_size, 4096);
}

/* Every prefix of a question is refused, and nothing beyond it is read. */
static void test_cut(void **state)
{
	struct dns_query query;
	uint8_t message[256];
	size_t size = with_opt(message);

	(void)state;
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *copy = memcpy(malloc(cut), message, cut);
		int code = dns_query_read(copy, cut, &query);

		if (cut < DNS_HEADER_SIZE)
			assert_int_equal(code, -EBADMSG);
		else
			assert_int_equal(code, DNS_FORMERR);
		free(copy);
	}
}

static int read_changed(size_t offset, uint8_t value)
{
	struct dns_query query;
	uint8_t message[256];
	size_t size = with_opt(message);

	message[offset] = value;
	return dns_query_read(message, size, &query);
}

static void test_refusals(void **state)
{
	(void)state;
	assert_int_equal(read_changed(2, 0x81), -EBADMSG);     /* an answer */
	assert_int_equal(read_changed(2, 0x29), DNS_NOTIMP);   /* an update */
	assert_int_equal(read_changed(2, 0x03), DNS_FORMERR);  /* truncated */
	assert_int_equal(read_changed(5, 2), DNS_FORMERR);     /* two questions */
	assert_int_equal(read_changed(5, 0), DNS_FORMERR);     /* none */
	assert_int_equal(read_changed(7, 1), DNS_FORMERR);     /* a question with answers */
	assert_int_equal(read_changed(12, 0xc0), DNS_FORMERR); /* compression */
	assert_int_equal(read_changed(12, 0x40), DNS_FORMERR); /* no label of that kind */
	assert_int_equal(read_changed(PLAIN_SIZE + 6, 1), DNS_BADVERS);
	assert_int_equal(read_changed(PLAIN_SIZE, 1), DNS_FORMERR); /* OPT of another name */
	assert_int_equal(read_changed(11, 2), DNS_FORMERR);
}

/* Bytes that are no letters stay apart from those that look like them in text. */
static void test_escapes(void **state)
{
	static const uint8_t message[] = "\0\0\0\0\0\1\0\0\0\0\0\0\5a.b\0c\1X\0\0\1\0\1";
	struct dns_query query;

	(void)state;
	assert_int_equal(dns_query_read(message, sizeof(message) - 1, &query), 0);
	assert_string_equal(query.name, "a\\046b\\000c.x");
}

static void test_long_names(void **state)
{
	uint8_t message[DNS_HEADER_SIZE + 300] = { 0 };
	struct dns_query query;
	size_t size = DNS_HEADER_SIZE;

	(void)state;
	message[5] = 1;
	/* 63 + 63 + 63 + 61 bytes, with their lengths and the root 255. */
	for (size_t i = 0; i < 4; i++) {
		uint8_t label = i < 3 ? 63 : 61;

		message[size++] = label;
		memset(message + size, 0xff, label);
		size += label;
	}
	size++;
	message[size + 1] = message[size + 3] = 1;
	assert_int_equal(dns_query_read(message, size + 4, &query), 0);
	assert_int_equal(strlen(query.name), 250 * 4 + 3);
	message[DNS_HEADER_SIZE + 192] = 62;
	assert_int_equal(dns_query_read(message, size + 5, &query), DNS_FORMERR);
}

static void test_answer(void **state)
{
	static const uint8_t wanted[] =
		"\x12\x34\x85\x00\0\1\0\1\0\0\0\0\4wEb1\4blue\10internal\0\0\1\0\1"
		"\300\14\0\1\0\1\0\0\0\12\0\4\12\0\1\13";
	struct ip_address address = ip_address_from_ipv4(0x0a00010b);
	uint8_t data[DNS_UDP_SIZE];
	struct dns_query query;
	struct dns_reply reply;
	size_t size;

	(void)state;
	dns_query_read(plain, PLAIN_SIZE, &query);
	dns_reply_begin(&reply, &query, plain, data, sizeof(data));
	dns_reply_address(&reply, 10, &address);
	size = dns_reply_end(&reply, &query, DNS_FLAG_AUTHORITATIVE, DNS_NOERROR);
	assert_int_equal(size, sizeof(wanted) - 1);
	assert_memory_equal(data, wanted, size);
}

/* The SOA of a zone is of the end of the name in the question. */
static void test_nothing_there(void **state)
{
	uint8_t data[DNS_UDP_SIZE], message[256];
	struct dns_query query;
	struct dns_reply reply;
	size_t size = with_opt(message);

	(void)state;
	dns_query_read(message, size, &query);
	dns_reply_begin(&reply, &query, message, data, sizeof(data));
	dns_reply_zone(&reply, DNS_AUTHORITY, 10, "blue.internal");
	size = dns_reply_end(&reply, &query, 0, DNS_NXDOMAIN);
	assert_int_equal(data[3] & 15, DNS_NXDOMAIN);
	assert_int_equal(data[9], 1);  /* authority */
	assert_int_equal(data[11], 1); /* OPT */
	assert_int_equal(data[PLAIN_SIZE], 0xc0);
	assert_int_equal(data[PLAIN_SIZE + 1], DNS_HEADER_SIZE + 5);
	assert_int_equal(data[size - 11 + 2], DNS_TYPE_OPT);
	assert_int_equal(data[size - 11 + 7] & 0x80, 0x80);
}

static void test_truncated(void **state)
{
	struct ip_address address = ip_address_from_ipv4(0x0a00010b);
	uint8_t data[DNS_UDP_SIZE];
	struct dns_query query;
	struct dns_reply reply;

	(void)state;
	dns_query_read(plain, PLAIN_SIZE, &query);
	dns_reply_begin(&reply, &query, plain, data, sizeof(data));
	for (int i = 0; i < 64; i++)
		dns_reply_address(&reply, 10, &address);
	assert_true(dns_reply_end(&reply, &query, 0, DNS_NOERROR) <= sizeof(data));
	assert_int_equal(data[2] & 2, 2);
}

/* What is asked on, and which answer is taken for its answer. */
static void test_asking_others(void **state)
{
	uint8_t question[DNS_UDP_SIZE], answer[DNS_UDP_SIZE], message[256];
	struct dns_query query;
	size_t size = with_opt(message);

	(void)state;
	dns_query_read(message, size, &query);
	size = dns_question_write(&query, message, question, 0xbeef, 1232);
	assert_int_equal(size, PLAIN_SIZE + OPT_SIZE);
	memcpy(answer, question, size);
	assert_false(dns_answer_matches(answer, size, question, size));
	answer[2] |= 0x80;
	assert_true(dns_answer_matches(answer, size, question, size));
	answer[13] = 'W';
	assert_true(dns_answer_matches(answer, size, question, size));
	answer[13] = 'v';
	assert_false(dns_answer_matches(answer, size, question, size));
	answer[13] = 'w';
	answer[0]++;
	assert_false(dns_answer_matches(answer, size, question, size));
	answer[0]--;
	assert_false(dns_answer_matches(answer, PLAIN_SIZE - 1, question, size));
}

static void test_names(void **state)
{
	struct ip_address address;
	char text[IP_ADDRESS_TEXT_SIZE];
	size_t rest;

	(void)state;
	assert_true(dns_name_below("web1.blue.internal", "blue.internal", &rest));
	assert_int_equal(rest, 4);
	assert_true(dns_name_below("blue.internal", "blue.internal", &rest));
	assert_int_equal(rest, 0);
	assert_false(dns_name_below("skyblue.internal", "blue.internal", &rest));
	assert_false(dns_name_below("internal", "blue.internal", &rest));
	assert_int_equal(dns_reverse_parse("11.1.0.10.in-addr.arpa", &address), 0);
	assert_string_equal(ip_address_format(&address, text), "10.0.1.11");
	assert_int_equal(dns_reverse_parse("1.0.10.in-addr.arpa", &address), -ENOENT);
	assert_int_equal(dns_reverse_parse("011.1.0.10.in-addr.arpa", &address), -ENOENT);
	assert_int_equal(dns_reverse_parse("256.1.0.10.in-addr.arpa", &address), -ENOENT);
	assert_int_equal(dns_reverse_parse("1.1.1.0.10.in-addr.arpa", &address), -ENOENT);
	assert_int_equal(dns_reverse_parse("web1.blue.internal", &address), -EINVAL);
	assert_int_equal(
		dns_reverse_parse("2.1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.1.0.0.0.0.0.0.0.b.0.0.0."
				  "0.0.d.f.ip6.arpa",
				  &address),
		0);
	assert_string_equal(ip_address_format(&address, text), "fd00:b:0:1::12");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_question),      cmocka_unit_test(test_cut),
		cmocka_unit_test(test_refusals),      cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_long_names),    cmocka_unit_test(test_answer),
		cmocka_unit_test(test_nothing_there), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_asking_others), cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("dns", tests, NULL, NULL);
}
