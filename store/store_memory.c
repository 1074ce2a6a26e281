/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A store in memory, for tests; the contracts are in store.h and store_private.h.
 *
 * A hash map from keys to entries. A deleted key stays as an entry without a value, which is how
 * watches hear of it; nothing is ever forgotten. Lists sort what they found.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/store_private.h"

/* @value NULL: deleted by @revision. */
struct entry {
	char *key;
	char *value;
	size_t value_len;
	uint64_t revision;
	uint64_t lease;
};

struct memory_store {
	struct store store;
	struct map entries;
	uint64_t last_lease;
};

static struct memory_store *memory(struct store *store)
{
	return container_of(store, struct memory_store, store);
}

static struct entry *find_live(struct memory_store *self, const char *key)
{
	struct entry *entry = map_get_text(&self->entries, key);

	return entry && entry->value ? entry : NULL;
}

static int call(const struct entry *entry, store_item_callback *callback, void *context)
{
	struct store_item item = {
		.key = entry->key,
		.value = entry->value,
		.value_len = entry->value_len,
		.revision = entry->revision,
		.lease = entry->lease,
	};

	return callback(context, &item);
}

static int memory_get(struct store *store, const char *key, store_item_callback *callback,
		      void *context, struct error *error)
{
	const struct entry *entry = find_live(memory(store), key);

	(void)error;
	return entry ? call(entry, callback, context) : -ENOENT;
}

static int compare_keys(const void *a, const void *b)
{
	const struct entry *const *x = a;
	const struct entry *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

/* Call @callback in order of keys for what is live, or for all that changed after @after. */
static int walk(struct memory_store *self, const char *prefix, bool live, uint64_t after,
		store_item_callback *callback, void *context)
{
	const struct entry **found = xcalloc(map_count(&self->entries), sizeof(struct entry *));
	size_t prefix_len = strlen(prefix);
	size_t count = 0;
	int result = 0;

	MAP_FOR_EACH(&self->entries, it) {
		const struct entry *entry = it.value;

		if ((live && !entry->value) || entry->revision <= after ||
		    strncmp(entry->key, prefix, prefix_len) != 0)
			continue;
		found[count++] = entry;
	}
	qsort(found, count, sizeof(struct entry *), compare_keys);
	for (size_t i = 0; !result && i < count; i++)
		result = call(found[i], callback, context);
	free(found);
	return result;
}

static int memory_list(struct store *store, const char *prefix, store_item_callback *callback,
		       void *context, uint64_t *revision, struct error *error)
{
	(void)error;
	*revision = store->revision;
	return walk(memory(store), prefix, true, 0, callback, context);
}

static int memory_changes(struct store *store, const char *prefix, uint64_t after,
			  store_item_callback *callback, void *context, uint64_t *revision,
			  struct error *error)
{
	(void)error;
	*revision = store->revision;
	return walk(memory(store), prefix, false, after, callback, context);
}

static int check_unchanged(struct memory_store *self, const struct store_compare *compare,
			   struct error *error)
{
	struct store_newest newest = { .after = compare->revision };

	walk(self, compare->key, true, 0, store_find_newer, &newest);
	return newest.found ? store_compare_failed(compare, newest.found, error) : 0;
}

static int check(struct memory_store *self, const struct store_compare *compare,
		 struct error *error)
{
	const struct entry *entry = find_live(self, compare->key);
	uint64_t found = entry ? entry->revision : 0;

	if (compare->requirement == STORE_REQUIRE_UNCHANGED)
		return check_unchanged(self, compare, error);
	if (compare->requirement == STORE_REQUIRE_EXISTING ? entry != NULL
							   : found == compare->revision)
		return 0;
	return store_compare_failed(compare, found, error);
}

/* Return: true if anything changed. */
static bool apply(struct memory_store *self, const struct store_change *change, uint64_t revision)
{
	struct entry *entry = map_get_text(&self->entries, change->key);

	if (!change->value && (!entry || !entry->value))
		return false;
	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		entry->key = xstrdup(change->key);
		map_put_text(&self->entries, entry->key, entry);
	}
	free(entry->value);
	entry->value = change->value ? xmemdup(change->value, change->value_len + 1) : NULL;
	entry->value_len = change->value_len;
	entry->revision = revision;
	entry->lease = change->lease;
	return true;
}

static int memory_commit(struct store *store, const struct store_transaction *transaction,
			 uint64_t *revision, struct error *error)
{
	struct memory_store *self = memory(store);
	bool changed = false;

	for (size_t i = 0; i < transaction->compare_count; i++) {
		int result = check(self, &transaction->compares[i], error);

		if (result)
			return result;
	}
	for (size_t i = 0; i < transaction->change_count; i++)
		if (apply(self, &transaction->changes[i], store->revision + 1))
			changed = true;
	*revision = store->revision + changed;
	return 0;
}

static int memory_lease_add(struct store *store, uint64_t ttl_ms, uint64_t *lease,
			    struct error *error)
{
	(void)ttl_ms; /* the front measures it */
	(void)error;
	*lease = ++memory(store)->last_lease;
	return 0;
}

static int memory_lease_remove(struct store *store, uint64_t lease, uint64_t *revision,
			       struct error *error)
{
	struct memory_store *self = memory(store);
	bool changed = false;

	(void)error;
	MAP_FOR_EACH(&self->entries, it) {
		const struct entry *entry = it.value;
		struct store_change change = { .key = entry->key };

		if (entry->value && entry->lease == lease &&
		    apply(self, &change, store->revision + 1))
			changed = true;
	}
	*revision = store->revision + changed;
	return 0;
}

static void free_entry(void *value)
{
	struct entry *entry = value;

	free(entry->key);
	free(entry->value);
	free(entry);
}

static void memory_close(struct store *store)
{
	struct memory_store *self = memory(store);

	map_fini(&self->entries, free_entry);
	free(self);
}

static const struct store_ops memory_ops = {
	.get = memory_get,
	.list = memory_list,
	.changes = memory_changes,
	.commit = memory_commit,
	.lease_add = memory_lease_add,
	.lease_remove = memory_lease_remove,
	.close = memory_close,
};

struct store *store_open_memory(const struct clock *clock)
{
	struct memory_store *self = xcalloc(1, sizeof(*self));

	store_init(&self->store, &memory_ops, clock);
	return &self->store;
}
