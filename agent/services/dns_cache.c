/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The cache of forwarded answers; see dns_cache.h.
 */
#include "agent/services/dns_cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/dns_answer.h"
#include "base/list.h"
#include "base/map.h"
#include "model/object.h"

#define KEY_SIZE_MAX (16 + DNS_FORWARDERS_MAX * sizeof(struct ip_address) + DNS_NAME_SIZE)

enum key_bits { KEY_EDNS = 1, KEY_DNSSEC = 2, KEY_CHECKING_DISABLED = 4 };

/* What one VPC has here. */
struct share {
	uint32_t vpc_id;
	size_t answers, bytes;
	struct list used; /* the longest unused first */
};

struct kept {
	struct list of_all, of_share;
	struct share *share;
	uint64_t until; /* seconds */
	size_t key_size, size;
	uint8_t bytes[]; /* the key, then the answer */
};

struct dns_cache {
	struct map answers; /* key -> struct kept, owned */
	struct map shares;  /* VPC id -> struct share, owned; none is empty */
	struct list used;   /* the longest unused first */
	struct dns_cache_counts counts;
};

/* The bytes by which an answer is found. Return: how many. */
static size_t key_write(const struct dns_cache_key *key, uint8_t bytes[KEY_SIZE_MAX])
{
	const struct dns_query *query = key->query;
	const uint32_t fixed[4] = {
		key->vpc_id,
		query->type,
		(query->edns ? KEY_EDNS : 0u) | (query->dnssec ? KEY_DNSSEC : 0u) |
			(query->flags & DNS_FLAG_CHECKING_DISABLED ? KEY_CHECKING_DISABLED : 0u),
		(uint32_t)key->resolver_count,
	};
	const size_t resolvers = key->resolver_count * sizeof(*key->resolvers);
	const size_t length = strlen(query->name);

	memcpy(bytes, fixed, sizeof(fixed));
	memcpy(bytes + sizeof(fixed), key->resolvers, resolvers);
	memcpy(bytes + sizeof(fixed) + resolvers, query->name, length);
	return sizeof(fixed) + resolvers + length;
}

static size_t cost(const struct kept *kept)
{
	return sizeof(*kept) + kept->key_size + kept->size;
}

static void forget(struct dns_cache *cache, struct kept *kept)
{
	/* The analyser does not see that a list has lost what was forgotten before. */
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	struct share *share = kept->share;

	map_remove(&cache->answers, kept->bytes, kept->key_size);
	list_remove(&kept->of_all);
	list_remove(&kept->of_share);
	share->answers--;
	share->bytes -= cost(kept);
	cache->counts.answers--;
	cache->counts.bytes -= cost(kept);
	if (!share->answers)
		free(map_remove_u32(&cache->shares, share->vpc_id));
	free(kept);
}

/* The list is not empty. */
static void forget_first(struct dns_cache *cache, struct list *used, bool of_share)
{
	struct list *first = used->next;

	forget(cache, of_share ? container_of(first, struct kept, of_share)
			       : container_of(first, struct kept, of_all));
}

static struct share *share_of(struct dns_cache *cache, uint32_t vpc_id)
{
	struct share *share = map_get_u32(&cache->shares, vpc_id);

	if (share)
		return share;
	share = xcalloc(1, sizeof(*share));
	share->vpc_id = vpc_id;
	list_init(&share->used);
	map_put_u32(&cache->shares, vpc_id, share);
	return share;
}

void dns_cache_put(struct dns_cache *cache, const struct dns_cache_key *key, const void *answer,
		   size_t size, uint64_t now)
{
	const uint32_t seconds = dns_answer_lifetime(answer, size, key->query->type);
	uint8_t bytes[KEY_SIZE_MAX];
	const size_t key_size = key_write(key, bytes);
	struct kept *kept = map_get(&cache->answers, bytes, key_size);
	struct share *share;

	if (kept)
		forget(cache, kept);
	if (!seconds)
		return;
	kept = xcalloc(1, sizeof(*kept) + key_size + size);
	kept->key_size = key_size;
	kept->size = size;
	kept->until = now + seconds;
	memcpy(kept->bytes, bytes, key_size);
	memcpy(kept->bytes + key_size, answer, size);
	share = share_of(cache, key->vpc_id);
	kept->share = share;
	share->answers++;
	share->bytes += cost(kept);
	cache->counts.answers++;
	cache->counts.bytes += cost(kept);
	map_put(&cache->answers, kept->bytes, key_size, kept);
	list_push_back(&share->used, &kept->of_share);
	list_push_back(&cache->used, &kept->of_all);
	/* Never the new one, which is the last and fits alone. */
	while (share->answers > DNS_CACHE_VPC_ANSWERS || share->bytes > DNS_CACHE_VPC_BYTES)
		forget_first(cache, &share->used, true);
	while (cache->counts.answers > DNS_CACHE_ANSWERS || cache->counts.bytes > DNS_CACHE_BYTES)
		forget_first(cache, &cache->used, false);
}

size_t dns_cache_get(struct dns_cache *cache, const struct dns_cache_key *key, const void *message,
		     void *answer, uint64_t now)
{
	const struct dns_query *query = key->query;
	uint8_t bytes[KEY_SIZE_MAX], *at = answer;
	const size_t key_size = key_write(key, bytes);
	struct kept *kept = map_get(&cache->answers, bytes, key_size);

	if (kept && now >= kept->until) {
		forget(cache, kept);
		kept = NULL;
	}
	if (!kept) {
		cache->counts.misses++;
		return 0;
	}
	cache->counts.hits++;
	list_remove(&kept->of_all);
	list_remove(&kept->of_share);
	list_push_back(&cache->used, &kept->of_all);
	list_push_back(&kept->share->used, &kept->of_share);
	memcpy(at, kept->bytes + key_size, kept->size);
	/* The id and the spelling are this asker's; and nobody here has authority over the name. */
	memcpy(at, message, 2);
	at[2] &= (uint8_t) ~(DNS_FLAG_AUTHORITATIVE >> 8);
	memcpy(at + DNS_HEADER_SIZE, (const uint8_t *)message + DNS_HEADER_SIZE,
	       query->question_size);
	dns_answer_limit(at, kept->size, (uint32_t)(kept->until - now));
	return kept->size;
}

const struct dns_cache_counts *dns_cache_counts(const struct dns_cache *cache)
{
	return &cache->counts;
}

struct dns_cache *dns_cache_new(void)
{
	struct dns_cache *cache = xcalloc(1, sizeof(*cache));

	list_init(&cache->used);
	return cache;
}

void dns_cache_free(struct dns_cache *cache)
{
	if (!cache)
		return;
	map_fini(&cache->answers, free);
	map_fini(&cache->shares, free);
	free(cache);
}
