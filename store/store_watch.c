/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches, and the part of the store that the loop runs; the contracts are in store.h.
 *
 * A watch is only a prefix and the revision its owner is at. Nothing is queued for it: when the
 * store has moved on, dispatch asks the implementation which keys changed since. So a slow
 * watcher costs no memory, and it always ends up with the store as it is. A store over the network
 * (one with watch_take) is told what changed and keeps that until dispatch comes for it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "store/store_private.h"

/* struct harvest - copies of the items changed, so that the callback may use the store */
struct harvest {
	struct store_item *items;
	size_t count;
	size_t capacity;
};

static void dispatch_from_loop(void *context)
{
	struct store *store = context;
	struct error error = { 0 };

	if (store_dispatch(store, &error))
		log_limited(LOG_LEVEL_ERROR, "store failed", "error=\"%s\"", error.text);
}

void store_init(struct store *store, const struct store_ops *ops, const struct clock *clock)
{
	*store = (struct store){ .ops = ops, .clock = clock };
	list_init(&store->watches);
	map_init(&store->leases);
	loop_deferred_init(&store->news, dispatch_from_loop, store);
	loop_timer_init(&store->expiry, dispatch_from_loop, store);
}

void store_ask_for_dispatch(struct store *store)
{
	if (store->loop)
		loop_defer(store->loop, &store->news);
}

static void ask_for_dispatch(struct store *store)
{
	if (!list_is_empty(&store->watches))
		store_ask_for_dispatch(store);
}

void store_moved_on(struct store *store, uint64_t revision)
{
	if (store->revision == revision)
		return;
	store->revision = revision;
	ask_for_dispatch(store);
}

uint64_t store_oldest_watch(const struct store *store)
{
	uint64_t oldest = UINT64_MAX;
	struct store_watch *watch;

	LIST_FOR_EACH(watch, &store->watches, node)
		if (watch->after < oldest)
			oldest = watch->after;
	return oldest;
}

static int collect(void *context, const struct store_item *item)
{
	struct harvest *harvest = context;
	struct store_item *copy;

	if (harvest->count == harvest->capacity) {
		harvest->capacity = harvest->capacity * 2 + 16;
		harvest->items =
			xreallocarray(harvest->items, harvest->capacity, sizeof(*harvest->items));
	}
	copy = &harvest->items[harvest->count++];
	*copy = *item;
	copy->key = xstrdup(item->key);
	copy->value = item->value ? xstrndup(item->value, item->value_len) : NULL;
	return 0;
}

static void release(struct harvest *harvest)
{
	for (size_t i = 0; i < harvest->count; i++) {
		free((char *)harvest->items[i].key);
		free((char *)harvest->items[i].value);
	}
	free(harvest->items);
}

static int stop_at_once(void *context, const struct store_item *item)
{
	(void)context;
	(void)item;
	return 1;
}

int store_watch(struct store *store, const char *prefix, uint64_t after,
		store_watch_callback *callback, void *context, struct store_watch **watch,
		struct error *error)
{
	struct store_watch *fresh;
	uint64_t revision;
	int result;

	if (strnlen(prefix, STORE_KEY_LENGTH_MAX + 1) > STORE_KEY_LENGTH_MAX)
		return error_set(error, EINVAL, NULL, "a prefix is longer than %d characters",
				 STORE_KEY_LENGTH_MAX);
	/* Asked now so that -ESTALE comes as an answer, not as an event. */
	if (!store->ops->watch_add) {
		result = store->ops->changes(store, prefix, after, stop_at_once, NULL, &revision,
					     error);
		if (result < 0)
			return result;
	}
	fresh = xcalloc(1, sizeof(*fresh));
	fresh->store = store;
	fresh->prefix = xstrdup(prefix);
	fresh->after = after;
	fresh->callback = callback;
	fresh->context = context;
	list_push_back(&store->watches, &fresh->node);
	if (store->ops->watch_add)
		store->ops->watch_add(store, fresh);
	else if (after < store->revision)
		ask_for_dispatch(store);
	*watch = fresh;
	return 0;
}

void store_watch_rewind(struct store_watch *watch, uint64_t revision)
{
	struct store *store = watch->store;

	watch->after = revision;
	if (store->ops->watch_rewind)
		store->ops->watch_rewind(store, watch);
	else if (revision < store->revision)
		ask_for_dispatch(store);
}

void store_watch_cancel(struct store_watch *watch)
{
	if (!watch)
		return;
	if (watch->store->ops->watch_remove)
		watch->store->ops->watch_remove(watch->store, watch);
	list_remove(&watch->node);
	free(watch->prefix);
	free(watch);
}

/* The callback may cancel the watch: it is not touched after the call. */
static int dispatch_watch(struct store *store, struct store_watch *watch, struct error *error)
{
	struct harvest harvest = { 0 };
	uint64_t revision;
	int result;

	if (store->ops->watch_take) {
		result = store->ops->watch_take(store, watch, collect, &harvest, &revision);
	} else {
		if (watch->after >= store->revision)
			return 0;
		revision = store->revision;
		result = store->ops->changes(store, watch->prefix, watch->after, collect, &harvest,
					     &revision, error);
	}
	if (result == -ESTALE) {
		error_clear(error);
		watch->after = revision;
		watch->callback(watch->context, NULL, 0, revision);
		result = 0;
	} else if (!result) {
		watch->after = revision;
		if (harvest.count)
			watch->callback(watch->context, harvest.items, harvest.count, revision);
	}
	release(&harvest);
	return result;
}

int store_dispatch(struct store *store, struct error *error)
{
	struct list due;
	struct list *node;
	int result;

	if (store->ops->pump)
		store->ops->pump(store);
	store_leases_keep(store);
	result = store_leases_expire(store, error);
	/* Each watch goes back before its turn: those that callbacks cancel leave the list. */
	list_init(&due);
	list_splice_back(&due, &store->watches);
	while ((node = list_pop_front(&due))) {
		struct store_watch *watch = container_of(node, struct store_watch, node);
		int failed;

		list_push_back(&store->watches, node);
		failed = dispatch_watch(store, watch, result ? NULL : error);
		if (failed && !result)
			result = failed;
	}
	store_leases_arm(store);
	return result;
}

int store_attach(struct store *store, struct loop *loop, struct error *error)
{
	if (store->loop)
		return error_set(error, EEXIST, NULL, "the store is in a loop already");
	store->loop = loop;
	if (store->ops->loop_changed)
		store->ops->loop_changed(store);
	ask_for_dispatch(store);
	store_leases_arm(store);
	return 0;
}

struct loop *store_loop(const struct store *store)
{
	return store->loop;
}

void store_detach(struct store *store)
{
	loop_deferred_cancel(&store->news);
	loop_timer_stop(&store->expiry);
	if (!store->loop)
		return;
	store->loop = NULL;
	if (store->ops->loop_changed)
		store->ops->loop_changed(store);
}
