/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/dns_answer.c and agent/services/dns_cache.c: how long answers hold, whose they are, and how many are kept.
 */
#include "agent/services/dns_cache.h"

#include <stdio.h>
#include <string.h>

#include "base/big_endian.h"
#include "base/dns_answer.h"
#include "tests/unit/unit.h"

#define NAMED "\xc0\x0c"
#define IN "\0\1"

static const struct ip_address resolvers[2] = { { { [15] = 1 } }, { { [15] = 2 } } };

/* A question for the name, with @id. Return: its size. */
static size_t ask(const char *name, uint16_t type, uint16_t id, uint8_t message[512])
{
	const size_t length = strlen(name);
	size_t size = DNS_HEADER_SIZE;

	memset(message, 0, DNS_HEADER_SIZE);
	put_be16(message, id);
	message[2] = 1;
	message[5] = 1;
	message[size++] = (uint8_t)length;
	memcpy(message + size, name, length);
	size += length;
	message[size++] = 0;
	put_be16(message + size, type);
	put_be16(message + size + 2, DNS_CLASS_IN);
	return size + 4;
}

/* Makes an answer of it: flags, and so many records of each section behind it. Return: its size. */
static size_t respond(uint8_t message[512], size_t size, uint16_t flags, const char counts[3],
		      const void *records, size_t records_size)
{
	put_be16(message + 2, (uint64_t)(DNS_FLAG_RESPONSE | flags));
	for (size_t i = 0; i < 3; i++)
		put_be16(message + 6 + 2 * i, (uint64_t)(counts[i] - '0'));
	memcpy(message + size, records, records_size);
	return size + records_size;
}

static uint32_t holds(uint16_t type, uint16_t flags, const char counts[3], const void *records,
		      size_t size)
{
	uint8_t message[512];

	size = respond(message, ask("web", type, 7, message), flags, counts, records, size);
	/* No prefix of it, and nothing with a byte too many, is kept. */
	for (size_t cut = 0; cut < size; cut++)
		assert_int_equal(dns_answer_lifetime(message, cut, type), 0);
	message[size] = 0;
	assert_int_equal(dns_answer_lifetime(message, size + 1, type), 0);
	return dns_answer_lifetime(message, size, type);
}

#define HOLDS(type, flags, counts, records) holds(type, flags, counts, records, sizeof(records) - 1)
#define A(ttl) NAMED "\0\1" IN ttl "\0\4\1\2\3\4"
#define CNAME(ttl) NAMED "\0\5" IN ttl "\0\2" NAMED
#define SOA(ttl, minimum) NAMED "\0\6" IN ttl "\0\30" NAMED NAMED "0000111122223333" minimum
#define OPT "\0\0\51\4\xd0\0\0\0\0\0\0"

static void test_lifetime(void **state)
{
	(void)state;
	assert_int_equal(HOLDS(1, 0, "100", A("\0\0\0\74")), 60);
	assert_int_equal(HOLDS(1, 0, "200", A("\0\0\0\74") A("\0\0\0\7")), 7);
	assert_int_equal(HOLDS(1, 0, "200", CNAME("\0\0\0\5") A("\0\0\0\74")), 5);
	assert_int_equal(HOLDS(1, 0, "101", A("\0\0\0\74") OPT), 60);
	assert_int_equal(HOLDS(1, 0, "100", A("\0\0\0\0")), 0);
	assert_int_equal(HOLDS(1, 0, "100", A("\1\0\0\0")), DNS_KEPT_MAX);
	assert_int_equal(HOLDS(1, 0, "100", A("\xff\0\0\0")), 0); /* RFC 2181, 8 */
	assert_int_equal(HOLDS(DNS_TYPE_ANY, 0, "100", A("\0\0\0\74")), 0);
	assert_int_equal(HOLDS(1, DNS_FLAG_TRUNCATED, "100", A("\0\0\0\74")), 0);
	assert_int_equal(HOLDS(1, DNS_SERVFAIL, "000", ""), 0);
	assert_int_equal(HOLDS(1, DNS_REFUSED, "100", A("\0\0\0\74")), 0);
}

/* RFC 2308, 5: the least of the SOA's TTL and its last number. */
static void test_negative(void **state)
{
	(void)state;
	assert_int_equal(HOLDS(1, DNS_NXDOMAIN, "010", SOA("\0\0\0\74", "\0\0\0\36")), 30);
	assert_int_equal(HOLDS(1, DNS_NXDOMAIN, "010", SOA("\0\0\0\12", "\0\0\0\36")), 10);
	assert_int_equal(HOLDS(1, DNS_NXDOMAIN, "010", SOA("\0\1\0\0", "\0\1\0\0")),
			 DNS_KEPT_NEGATIVE_MAX);
	assert_int_equal(HOLDS(1, DNS_NXDOMAIN, "000", ""), 0);
	assert_int_equal(HOLDS(28, 0, "010", SOA("\0\0\0\74", "\0\0\0\36")), 30);
	assert_int_equal(HOLDS(28, 0, "000", ""), 0);
	/* An alias whose end has no such record; an NXDOMAIN behind an alias. */
	assert_int_equal(HOLDS(28, 0, "110", CNAME("\0\0\0\5") SOA("\0\0\0\74", "\0\0\0\36")), 5);
	assert_int_equal(HOLDS(28, 0, "100", CNAME("\0\0\0\5")), 0);
	assert_int_equal(HOLDS(5, DNS_NXDOMAIN, "100", CNAME("\0\0\0\5")), 0);
}

/* ---- the cache ---- */

struct asked {
	uint8_t message[512];
	struct dns_query query;
	struct dns_cache_key key;
};

static void make(struct asked *asked, uint32_t vpc_id, const char *name, uint16_t id)
{
	size_t size = ask(name, 1, id, asked->message);

	assert_int_equal(dns_query_read(asked->message, size, &asked->query), 0);
	asked->key = (struct dns_cache_key){
		.vpc_id = vpc_id,
		.resolver_count = 1,
		.resolvers = resolvers,
		.query = &asked->query,
	};
}

/* Others have answered, and it holds for 60 seconds. */
static void answered(struct dns_cache *cache, const struct asked *asked, uint64_t now)
{
	uint8_t answer[512];
	size_t size = DNS_HEADER_SIZE + (size_t)asked->query.question_size;

	memcpy(answer, asked->message, size);
	size = respond(answer, size, DNS_FLAG_AUTHORITATIVE, "100", A("\0\0\0\74"),
		       sizeof(A("\0\0\0\74")) - 1);
	dns_cache_put(cache, &asked->key, answer, size, now);
}

static size_t get(struct dns_cache *cache, const struct asked *asked, uint64_t now,
		  uint8_t answer[DNS_MESSAGE_SIZE_MAX])
{
	return dns_cache_get(cache, &asked->key, asked->message, answer, now);
}

static void test_kept(void **state)
{
	static uint8_t answer[DNS_MESSAGE_SIZE_MAX];
	struct dns_cache *cache = dns_cache_new();
	struct asked asked, again;
	size_t size;

	(void)state;
	make(&asked, 1, "web", 7);
	assert_int_equal(get(cache, &asked, 100, answer), 0);
	answered(cache, &asked, 100);
	make(&again, 1, "WeB", 0x1234);
	size = get(cache, &again, 110, answer);
	assert_int_equal(size, DNS_HEADER_SIZE + again.query.question_size + 16);
	assert_memory_equal(answer, "\x12\x34", 2);
	assert_int_equal(answer[2] & 4, 0); /* no authority */
	assert_memory_equal(answer + DNS_HEADER_SIZE + 1, "WeB", 3);
	assert_memory_equal(answer + size - 10, "\0\0\0\62\0\4\1\2\3\4", 10); /* 50 seconds */
	assert_int_equal(get(cache, &asked, 159, answer), size);
	assert_int_equal(get(cache, &asked, 160, answer), 0);
	assert_int_equal(dns_cache_counts(cache)->answers, 0);
	assert_int_equal(dns_cache_counts(cache)->bytes, 0);
	assert_int_equal(dns_cache_counts(cache)->hits, 2);
	assert_int_equal(dns_cache_counts(cache)->misses, 2);
	dns_cache_free(cache);
}

static void test_apart(void **state)
{
	static uint8_t answer[DNS_MESSAGE_SIZE_MAX];
	struct dns_cache *cache = dns_cache_new();
	struct asked asked;

	(void)state;
	make(&asked, 1, "web", 7);
	answered(cache, &asked, 100);
	asked.key.vpc_id = 2;
	assert_int_equal(get(cache, &asked, 100, answer), 0);
	asked.key.vpc_id = 1;
	asked.key.resolvers = resolvers + 1;
	assert_int_equal(get(cache, &asked, 100, answer), 0);
	asked.key.resolvers = resolvers;
	asked.key.resolver_count = 2;
	assert_int_equal(get(cache, &asked, 100, answer), 0);
	asked.key.resolver_count = 1;
	asked.query.dnssec = true;
	assert_int_equal(get(cache, &asked, 100, answer), 0);
	asked.query.dnssec = false;
	asked.query.flags |= DNS_FLAG_CHECKING_DISABLED;
	assert_int_equal(get(cache, &asked, 100, answer), 0);
	asked.query.flags = 0;
	asked.query.type = 28;
	assert_int_equal(get(cache, &asked, 100, answer), 0);
	asked.query.type = 1;
	assert_int_not_equal(get(cache, &asked, 100, answer), 0);
	dns_cache_free(cache);
}

/* A VPC has its share, and all together have no more than there is; who is used stays. */
static void test_bounds(void **state)
{
	static uint8_t answer[DNS_MESSAGE_SIZE_MAX];
	struct dns_cache *cache = dns_cache_new();
	struct asked first, asked;
	char name[16];

	(void)state;
	make(&first, 1, "first", 7);
	answered(cache, &first, 100);
	for (unsigned int i = 0; i < 2 * DNS_CACHE_VPC_ANSWERS; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		make(&asked, 1, name, 7);
		answered(cache, &asked, 100);
		assert_int_not_equal(get(cache, &first, 100, answer), 0);
	}
	assert_int_equal(dns_cache_counts(cache)->answers, DNS_CACHE_VPC_ANSWERS);
	make(&asked, 1, "n0", 7);
	assert_int_equal(get(cache, &asked, 100, answer), 0);
	for (uint32_t vpc = 2; vpc < 40; vpc++) {
		for (unsigned int i = 0; i < DNS_CACHE_VPC_ANSWERS; i++) {
			snprintf(name, sizeof(name), "n%u", i);
			make(&asked, vpc, name, 7);
			answered(cache, &asked, 100);
		}
	}
	assert_int_equal(dns_cache_counts(cache)->answers, DNS_CACHE_ANSWERS);
	assert_true(dns_cache_counts(cache)->bytes <= DNS_CACHE_BYTES);
	assert_int_equal(get(cache, &first, 100, answer), 0);
	dns_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lifetime), cmocka_unit_test(test_negative),
		cmocka_unit_test(test_kept),     cmocka_unit_test(test_apart),
		cmocka_unit_test(test_bounds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
