/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Any bytes as an answer of others: kept as long as it holds, and then for as long as is left.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "agent/services/dns_cache.h"
#include "base/dns_answer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct ip_address resolver = { { [15] = 1 } };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static uint8_t question[DNS_MESSAGE_SIZE_MAX], answer[DNS_MESSAGE_SIZE_MAX];
	struct dns_cache_key key = { .resolver_count = 1, .resolvers = &resolver };
	struct dns_cache *cache;
	struct dns_query query;
	uint32_t seconds;
	size_t kept;

	if (size < DNS_HEADER_SIZE || size > sizeof(question))
		return 0;
	/* The question is what the answer begins with. */
	memcpy(question, data, size);
	memset(question + 2, 0, DNS_HEADER_SIZE - 2);
	question[5] = 1;
	if (dns_query_read(question, size, &query))
		return 0;
	key.query = &query;
	seconds = dns_answer_lifetime(data, size, query.type);
	if (seconds > DNS_KEPT_MAX)
		abort();
	cache = dns_cache_new();
	dns_cache_put(cache, &key, data, size, 100);
	kept = dns_cache_get(cache, &key, question, answer, 100);
	if (kept != (seconds ? size : 0))
		abort();
	if (kept && (dns_cache_get(cache, &key, question, answer, 99 + seconds) != size ||
		     dns_answer_lifetime(answer, size, query.type) != 1))
		abort();
	if (dns_cache_get(cache, &key, question, answer, 100 + seconds))
		abort();
	dns_cache_free(cache);
	return 0;
}
