/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers of others, kept as long as they hold.
 *
 * Each VPC has its own: no tenant sees in how long an answer takes what another has asked, and what one resolver said is
 * no answer of another (who was asked is part of the key). An answer is kept for the question it answers and for
 * nothing else: records that came along are of no use to who would forge them (RFC 5452). The oldest unused
 * goes first, of the VPC when that has its share, of all when all is full.
 *
 * Neighbours: dns_forward.c (the only user), base/dns_answer.h (for how long).
 */
#ifndef WEFT_AGENT_DNS_CACHE_H
#define WEFT_AGENT_DNS_CACHE_H

#include "base/addr.h"
#include "base/dns.h"

#define DNS_CACHE_VPC_ANSWERS 1024
#define DNS_CACHE_VPC_BYTES (512u << 10)
#define DNS_CACHE_ANSWERS 16384
#define DNS_CACHE_BYTES (8u << 20)

struct dns_cache;

/**
 * struct dns_cache_key - what was asked, of whom, for whom
 * @resolvers: that may have answered
 */
struct dns_cache_key {
	uint32_t vpc_id;
	size_t resolver_count;
	const struct ip_address *resolvers;
	const struct dns_query *query;
};

/**
 * struct dns_cache_counts - since the start, and now
 * @hits: questions answered from here; @misses: those that were not
 */
struct dns_cache_counts {
	uint64_t hits, misses;
	uint64_t answers, bytes;
};

/** dns_cache_new - release with dns_cache_free() */
struct dns_cache *dns_cache_new(void);
void dns_cache_free(struct dns_cache *cache); /* accepts NULL */

/** dns_cache_put - keep an answer, if and as long as it holds; @now: seconds that only grow */
void dns_cache_put(struct dns_cache *cache, const struct dns_cache_key *key, const void *answer,
		   size_t size, uint64_t now);

/**
 * dns_cache_get - the answer to a question, if there is one that holds
 * @message: the bytes that the query was read from: the answer repeats its id and question
 * @answer: room for DNS_MESSAGE_SIZE_MAX bytes
 *
 * Return: its size; 0: there is none.
 */
size_t dns_cache_get(struct dns_cache *cache, const struct dns_cache_key *key, const void *message,
		     void *answer, uint64_t now);

const struct dns_cache_counts *dns_cache_counts(const struct dns_cache *cache);

#endif
