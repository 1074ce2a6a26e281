/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A copy of the cluster's records in the state directory, for a start while the store is away.
 *
 * It is written behind, some times a second: what it misses is found by the list that is taken as soon as
 * the store is back. Nothing is ever decided by it but what the host does meanwhile.
 */
#ifndef WEFT_AGENT_CACHE_H
#define WEFT_AGENT_CACHE_H

#include "store/store.h"

struct cache;

/**
 * cache_open - open or make STATE/cache.db
 * @cache: set on success; release with cache_close()
 *
 * Return: 0 or negative errno.
 */
int cache_open(const char *state, struct cache **cache, struct error *error);

/** cache_close - write what is still to be written (NULL is ignored) */
void cache_close(struct cache *cache);

/** cache_put - the record is this now; @value NULL: it is gone. NULL as @cache is ignored. */
void cache_put(struct cache *cache, const char *key, const char *value);

/** cache_flush - write what was put since the last time (NULL is ignored) */
void cache_flush(struct cache *cache);

/** cache_list - all records, as store_list(); 0 without any call if @cache is NULL */
int cache_list(struct cache *cache, store_item_callback *callback, void *context,
	       struct error *error);

#endif
