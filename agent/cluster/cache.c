/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The copy of the intent in SQLite; see cache.h.
 */
#include "agent/cluster/cache.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"

struct cache {
	struct store *store;
	struct map pending; /* key -> its text, owned; a text that begins with NUL: gone */
};

static const char gone[1];

int cache_open(const char *state, struct cache **cache, struct error *error)
{
	struct cache *new = xcalloc(1, sizeof(*new));
	char *path = xasprintf("%s/cache.db", state);
	int code = store_open_sqlite(path, NULL, &new->store, error);

	if (code) {
		error_prefix(error, "%s", path);
		free(new);
	} else {
		*cache = new;
	}
	free(path);
	return code;
}

void cache_put(struct cache *cache, const char *key, const char *value)
{
	if (cache)
		free(map_put_text(&cache->pending, key, xstrdup(value ? value : gone)));
}

void cache_flush(struct cache *cache)
{
	struct store_transaction *transaction;
	struct error error = { 0 };

	if (!cache || !map_count(&cache->pending))
		return;
	transaction = store_transaction_new();
	MAP_FOR_EACH(&cache->pending, it) {
		const char *text = it.value;

		if (*text)
			store_transaction_put(transaction, it.key, text, 0);
		else
			store_transaction_delete(transaction, it.key);
	}
	if (store_commit(cache->store, transaction, NULL, &error))
		log_limited(LOG_LEVEL_WARNING, "the copy of the intent is not written",
			    "text=\"%s\"", error.text);
	else
		map_fini(&cache->pending, free);
	store_transaction_free(transaction);
}

int cache_list(struct cache *cache, store_item_callback *callback, void *context,
	       struct error *error)
{
	if (!cache)
		return 0;
	return store_list(cache->store, "/", callback, context, NULL, error);
}

void cache_close(struct cache *cache)
{
	if (!cache)
		return;
	cache_flush(cache);
	map_fini(&cache->pending, free);
	store_close(cache->store);
	free(cache);
}
