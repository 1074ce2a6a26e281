/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which VPCs this host holds, and what it watches for that.
 *
 *	/weft/1/index/…, host/, names/, …	all hosts watch these: outlines of all VPCs, hosts, ids
 *	/weft/1/part/HOST/VPC			HOST has part in VPC: watched by that host alone
 *	/weft/1/vpc/VPC/…			everything of a VPC: watched by those that hold it
 *	/weft/1/ipam/VPC/…, name/VPC/…		who has which address, and name: compared by writers, watched by nobody
 *
 * A host holds a VPC that it has part in (a port, a tunnel, its router), and one that somebody asks for here, until
 * nobody has asked for a minute. Whoever gives a host its first port of a VPC writes the record of its
 * part in the same transaction, and whoever gives it another requires that record: so no port is ever
 * on a host that does not hear of it. The host takes the record away itself when nothing of it is left;
 * that holds only if no port of the VPC was written since the revision the host knows.
 *
 * A VPC becomes held by a list and a watch from the revision of that list, as the whole store was.
 *
 * Neighbours: reconcile_news.c (what the watches say), model/outline.c, api.c (asks).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/cluster/cache.h"
#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"

#define PART_PREFIX STORE_PREFIX "part/"
#define TREE_PREFIX STORE_PREFIX "vpc/"
#define ADDRESS_PREFIX STORE_PREFIX "ipam/"
#define NAME_PREFIX STORE_PREFIX "name/"
#define LAYOUT_KEY STORE_PREFIX "index/layout"
#define LAYOUT_TEXT "{\"layout\":2}"
#define IDLE_TICKS 60
#define LEAVE_TICKS 5
#define KEY_SIZE 256

/* ---- watches ---- */

void reconcile_watches_init(struct reconcile *reconcile)
{
	static const char *const prefixes[] = { "index/",  "host/",  "cluster/", "question/",
						"answer/", "names/", "ids/" };

	_Static_assert(ARRAY_SIZE(prefixes) + 1 == GLOBAL_WATCHES, "and the parts of this host");
	for (size_t i = 0; i < GLOBAL_WATCHES; i++) {
		struct prefix_watch *watch = &reconcile->globals[i];

		watch->reconcile = reconcile;
		if (i < ARRAY_SIZE(prefixes))
			snprintf(watch->prefix, sizeof(watch->prefix), STORE_PREFIX "%s",
				 prefixes[i]);
		else
			snprintf(watch->prefix, sizeof(watch->prefix), PART_PREFIX "%s/",
				 reconcile->options.host);
	}
}

static struct prefix_watch *add_vpc(struct reconcile *reconcile, uint32_t vpc_id)
{
	struct prefix_watch *watch = map_get_u32(&reconcile->vpcs, vpc_id);

	if (watch)
		return watch;
	watch = xcalloc(1, sizeof(*watch));
	watch->reconcile = reconcile;
	watch->vpc_id = vpc_id;
	watch->used = reconcile->ticks;
	snprintf(watch->prefix, sizeof(watch->prefix), TREE_PREFIX "%" PRIu32 "/", vpc_id);
	map_put_u32(&reconcile->vpcs, vpc_id, watch);
	return watch;
}

static void end_vpc(struct reconcile *reconcile, uint32_t vpc_id)
{
	struct prefix_watch *watch = map_remove_u32(&reconcile->vpcs, vpc_id);

	if (!watch)
		return;
	store_watch_cancel(watch->watch);
	free(watch);
}

static void free_watch(void *value)
{
	struct prefix_watch *watch = value;

	store_watch_cancel(watch->watch);
	free(watch);
}

void reconcile_watches_fini(struct reconcile *reconcile)
{
	for (size_t i = 0; i < GLOBAL_WATCHES; i++)
		store_watch_cancel(reconcile->globals[i].watch);
	map_fini(&reconcile->vpcs, free_watch);
	map_fini(&reconcile->parts, free);
}

static int watch_on(struct reconcile *reconcile, struct prefix_watch *watch, struct error *error)
{
	if (watch->watch) {
		store_watch_rewind(watch->watch, watch->revision);
		return 0;
	}
	return store_watch(reconcile->options.store, watch->prefix, watch->revision,
			   reconcile_on_watch, watch, &watch->watch, error);
}

int reconcile_watch_all(struct reconcile *reconcile, struct error *error)
{
	int code = 0;

	for (size_t i = 0; i < GLOBAL_WATCHES && !code; i++)
		code = watch_on(reconcile, &reconcile->globals[i], error);
	MAP_FOR_EACH(&reconcile->vpcs, it) {
		if (!code)
			code = watch_on(reconcile, it.value, error);
	}
	return code;
}

bool reconcile_await_owner(struct reconcile *reconcile, const char *key)
{
	const struct prefix_watch *watch;
	struct error error = { 0 };
	uint64_t revision = 0;
	char *text = NULL;

	_Static_assert(sizeof(ADDRESS_PREFIX) == sizeof(NAME_PREFIX), "the id is at one place");
	if (strncmp(key, ADDRESS_PREFIX, strlen(ADDRESS_PREFIX)) != 0 &&
	    strncmp(key, NAME_PREFIX, strlen(NAME_PREFIX)) != 0)
		return false;
	watch = map_get_u32(&reconcile->vpcs,
			    (uint32_t)strtoul(key + strlen(ADDRESS_PREFIX), NULL, 10));
	/* Free again meanwhile: there is nothing to hear of. */
	if (watch && !store_get(reconcile->options.store, key, &text, &revision, &error) &&
	    revision > watch->revision) {
		reconcile->awaited_watch = watch;
		reconcile->awaited_revision = revision;
	}
	free(text);
	return true;
}

/* ---- parts ---- */

bool reconcile_note_part(struct reconcile *reconcile, const char *key, const char *value,
			 uint64_t revision)
{
	const char *prefix = reconcile->globals[GLOBAL_WATCHES - 1].prefix;
	unsigned long vpc_id;
	uint64_t *known;

	if (strncmp(key, prefix, strlen(prefix)) != 0)
		return false;
	vpc_id = strtoul(key + strlen(prefix), NULL, 10);
	if (!vpc_id || vpc_id > UINT32_MAX)
		return true;
	if (!value) {
		free(map_remove_u32(&reconcile->parts, (uint32_t)vpc_id));
		return true;
	}
	known = xmalloc(sizeof(*known));
	*known = revision;
	free(map_put_u32(&reconcile->parts, (uint32_t)vpc_id, known));
	return true;
}

bool reconcile_is_part_key(const char *key)
{
	return strncmp(key, PART_PREFIX, strlen(PART_PREFIX)) == 0;
}

struct part_writing {
	const struct reconcile *reconcile;
	struct store_transaction *transaction;
	struct map seen;
};

static void add_part(struct part_writing *writing, const char *host, uint32_t vpc_id)
{
	const struct intent *intent = writing->reconcile->intent;
	char key[KEY_SIZE];

	if (!host[0])
		return;
	snprintf(key, sizeof(key), PART_PREFIX "%s/%" PRIu32, host, vpc_id);
	if (map_put_text(&writing->seen, key, writing))
		return;
	if (!writing->reconcile->say_parts && intent_has_part(intent, host, vpc_id))
		store_transaction_require_existing(writing->transaction, key);
	else
		store_transaction_put(writing->transaction, key, "{}", 0);
}

void reconcile_add_parts(const struct reconcile *reconcile, struct store_transaction *transaction,
			 const struct change *changes, size_t count)
{
	struct part_writing writing = { .reconcile = reconcile, .transaction = transaction };

	if (!reconcile->options.shared)
		return;
	for (size_t i = 0; i < count; i++) {
		const struct object *after = changes[i].after;
		const struct port_object *port = (const struct port_object *)after;

		if (after && after->kind == OBJECT_PORT) {
			add_part(&writing, port->host, after->vpc_id);
			add_part(&writing, port->moving_to, after->vpc_id);
		} else if (after && after->kind == OBJECT_TUNNEL) {
			add_part(&writing, ((const struct tunnel_object *)after)->host,
				 after->vpc_id);
		} else if (after && after->kind == OBJECT_VPC) {
			add_part(&writing, ((const struct vpc_object *)after)->router, after->id);
		}
	}
	map_fini(&writing.seen, NULL);
}

/* Nothing of this host is left in a VPC: it says so, unless somebody is adding something. */
static void leave(struct reconcile *reconcile, uint32_t vpc_id, uint64_t part_revision)
{
	const struct prefix_watch *watch = map_get_u32(&reconcile->vpcs, vpc_id);
	struct store_transaction *transaction;
	struct error error = { 0 };
	char key[KEY_SIZE], prefix[KEY_SIZE];

	if (intent_has_part(reconcile->intent, "", vpc_id))
		return;
	snprintf(key, sizeof(key), "%s%" PRIu32, reconcile->globals[GLOBAL_WATCHES - 1].prefix,
		 vpc_id);
	transaction = store_transaction_new();
	store_transaction_require_revision(transaction, key, part_revision);
	/* A VPC that is not held although this host has part in it was removed: nothing is there. */
	snprintf(prefix, sizeof(prefix), TREE_PREFIX "%" PRIu32 "/ports/", vpc_id);
	store_transaction_require_unchanged(transaction, prefix, watch ? watch->revision : 0);
	snprintf(prefix, sizeof(prefix), TREE_PREFIX "%" PRIu32 "/tunnels/", vpc_id);
	store_transaction_require_unchanged(transaction, prefix, watch ? watch->revision : 0);
	snprintf(prefix, sizeof(prefix), TREE_PREFIX "%" PRIu32 "/vpcs/", vpc_id);
	store_transaction_require_unchanged(transaction, prefix, watch ? watch->revision : 0);
	store_transaction_delete(transaction, key);
	if (store_commit(reconcile->options.store, transaction, NULL, &error) &&
	    error.code != -EAGAIN)
		log_limited(LOG_LEVEL_WARNING, "a part cannot be given up", "text=\"%s\"",
			    error.text);
	store_transaction_free(transaction);
}

static void leave_all(struct reconcile *reconcile)
{
	uint32_t *ids;
	size_t count = 0;

	ids = xcalloc(map_count(&reconcile->parts) + 1, sizeof(*ids));
	MAP_FOR_EACH(&reconcile->parts, it)
		ids[count++] = *(const uint32_t *)it.key;
	for (size_t i = 0; i < count; i++) {
		const uint64_t *revision = map_get_u32(&reconcile->parts, ids[i]);

		if (revision)
			leave(reconcile, ids[i], *revision);
	}
	free(ids);
}

/* ---- lists ---- */

static int list_one(struct reconcile *reconcile, struct prefix_watch *watch,
		    store_item_callback *callback, void *context, uint64_t *revision,
		    struct error *error)
{
	int code = store_list(reconcile->options.store, watch->prefix, callback, context,
			      &watch->revision, error);

	if (!code && watch->revision > *revision)
		*revision = watch->revision;
	return code;
}

/* Stores of versions without an index get one, and addresses leave the trees; once for a store. */
struct indexing {
	struct store_transaction *transaction;
	struct map seen;
};

static void index_part(struct indexing *indexing, const char *value, unsigned long vpc_id)
{
	json_t *document = NULL;
	const char *host;
	char key[KEY_SIZE];

	if (json_load_text(value, strlen(value), STORE_VALUE_LENGTH_MAX, &document, NULL))
		return;
	host = json_string_value(json_object_get(document, "host"));
	if (host && host[0]) {
		snprintf(key, sizeof(key), PART_PREFIX "%.63s/%lu", host, vpc_id);
		if (!map_put_text(&indexing->seen, key, indexing))
			store_transaction_put(indexing->transaction, key, "{}", 0);
	}
	json_decref(document);
}

/* "/weft/1/vpc/3/ipam/4/10.0.1.9" is in the way of those who watch the tree. Return: whether it is one. */
static bool index_address(struct indexing *indexing, const struct store_item *item)
{
	const char *id = item->key + strlen(TREE_PREFIX), *slash = strchr(id, '/');
	char key[KEY_SIZE];

	if (!slash || strncmp(slash, "/ipam/", 6) != 0)
		return false;
	snprintf(key, sizeof(key), ADDRESS_PREFIX "%.*s/%s", (int)(slash - id), id, slash + 6);
	store_transaction_put(indexing->transaction, key, item->value, 0);
	store_transaction_delete(indexing->transaction, item->key);
	return true;
}

static int index_item(void *context, const struct store_item *item)
{
	struct indexing *indexing = context;
	char *key, *text;

	if (index_address(indexing, item))
		return 0;
	if (strstr(item->key, "/ports/") || strstr(item->key, "/tunnels/"))
		index_part(indexing, item->value,
			   strtoul(item->key + strlen(TREE_PREFIX), NULL, 10));
	if (!intent_outline_record(item->key, item->value, &key, &text))
		return 0;
	store_transaction_put(indexing->transaction, key, text, 0);
	free(key);
	free(text);
	return 0;
}

static int ensure_index(struct reconcile *reconcile, struct error *error)
{
	struct store *store = reconcile->options.store;
	struct indexing indexing = { 0 };
	char *text = NULL;
	uint64_t revision = 0;
	int code = store_get(store, LAYOUT_KEY, &text, &revision, error);
	bool done = !code && strcmp(text, LAYOUT_TEXT) == 0;

	free(text);
	if (done || (code && code != -ENOENT))
		return code;
	error_clear(error);
	indexing.transaction = store_transaction_new();
	code = store_list(store, TREE_PREFIX, index_item, &indexing, NULL, error);
	store_transaction_require_revision(indexing.transaction, LAYOUT_KEY, revision);
	store_transaction_put(indexing.transaction, LAYOUT_KEY, LAYOUT_TEXT, 0);
	if (!code)
		code = store_commit(store, indexing.transaction, NULL, error);
	store_transaction_free(indexing.transaction);
	map_fini(&indexing.seen, NULL);
	/* Another host was faster. */
	return code == -EAGAIN ? 0 : code;
}

/* What is in the intent without being followed came from the copy in the state directory. */
static void add_held(struct reconcile *reconcile)
{
	const struct object **vpcs;
	size_t count = intent_list(reconcile->intent, 0, OBJECT_VPC, &vpcs);

	for (size_t i = 0; i < count; i++)
		if (!intent_is_outline(reconcile->intent, vpcs[i]->id))
			add_vpc(reconcile, vpcs[i]->id);
	free(vpcs);
}

int reconcile_list_all(struct reconcile *reconcile, bool start, store_item_callback *callback,
		       void *context, uint64_t *revision, struct error *error)
{
	int code;

	*revision = 0;
	if (!reconcile->options.shared)
		return store_list(reconcile->options.store, STORE_PREFIX, callback, context,
				  revision, error);
	code = ensure_index(reconcile, error);
	map_fini(&reconcile->parts, free);
	for (size_t i = 0; i < GLOBAL_WATCHES && !code; i++)
		code = list_one(reconcile, &reconcile->globals[i], callback, context, revision,
				error);
	if (!code)
		add_held(reconcile);
	if (!code && start)
		MAP_FOR_EACH(&reconcile->parts, it)
			add_vpc(reconcile, *(const uint32_t *)it.key);
	MAP_FOR_EACH(&reconcile->vpcs, it) {
		if (!code)
			code = list_one(reconcile, it.value, callback, context, revision, error);
	}
	return code;
}

/* ---- holding and letting go ---- */

static void apply_quietly(struct reconcile *reconcile, struct draft *draft)
{
	size_t count;
	const struct change *changes = draft_changes(draft, &count);

	if (count)
		reconcile_apply(reconcile, changes, count);
	draft_free(draft);
}

static void drop(struct reconcile *reconcile, uint32_t vpc_id)
{
	struct draft *draft;

	intent_drop(reconcile->intent, vpc_id, &draft);
	apply_quietly(reconcile, draft);
}

int reconcile_load_vpc(struct reconcile *reconcile, uint32_t vpc_id, struct error *error)
{
	struct prefix_watch *watch = add_vpc(reconcile, vpc_id);
	struct news news = { 0 };
	struct draft *draft = NULL;
	struct error unread = { 0 };
	uint64_t revision = 0;
	int code = list_one(reconcile, watch, reconcile_news_item, &news, &revision, error);

	if (!code && news.count) {
		if (intent_is_outline(reconcile->intent, vpc_id))
			drop(reconcile, vpc_id);
		if (intent_take_vpc(reconcile->intent, vpc_id, news.records, news.revisions,
				    news.count, &draft, &unread))
			log_warning("what another host wrote is not understood", "text=\"%s\"",
				    unread.text);
		reconcile_keep(reconcile, news.records, news.count);
		apply_quietly(reconcile, draft);
		code = watch_on(reconcile, watch, error);
		log_info("a vpc is held", "vpc=%" PRIu32 " records=%zu", vpc_id, news.count);
	}
	/* Nothing is there: it was removed, or has only just been asked for. */
	if (code || !news.count)
		end_vpc(reconcile, vpc_id);
	reconcile_news_fini(&news);
	return code;
}

bool reconcile_load_owner(struct reconcile *reconcile, const char *key)
{
	static const char prefix[] = STORE_PREFIX "device/";
	struct error error = { 0 };
	json_t *document = NULL;
	char *text = NULL;
	uint32_t vpc_id = 0;

	if (strncmp(key, prefix, sizeof(prefix) - 1) != 0)
		return false;
	/* Gone meanwhile: the next attempt finds it free. */
	if (!store_get(reconcile->options.store, key, &text, NULL, &error) &&
	    !json_load_text(text, strlen(text), STORE_VALUE_LENGTH_MAX, &document, &error))
		vpc_id = (uint32_t)json_integer_value(json_object_get(document, "vpc_id"));
	if (vpc_id && reconcile_load_vpc(reconcile, vpc_id, &error))
		log_limited(LOG_LEVEL_WARNING, "a vpc cannot be read", "text=\"%s\"", error.text);
	json_decref(document);
	free(text);
	return true;
}

static void forget_copies(struct reconcile *reconcile, const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct object *object = changes[i].before;
		char key[KEY_SIZE];

		if (!object || changes[i].after)
			continue;
		snprintf(key, sizeof(key), TREE_PREFIX "%" PRIu32 "/%s/%" PRIu32, object->vpc_id,
			 object_kind_plural(object->kind), object->id);
		cache_put(reconcile->options.cache, key, NULL);
	}
}

static void let_go(struct reconcile *reconcile, uint32_t vpc_id)
{
	struct record *records;
	uint64_t *revisions;
	struct draft *draft;
	struct error error = { 0 };
	size_t changed, count = intent_outline(reconcile->intent, vpc_id, &records, &revisions);
	const struct change *changes;

	end_vpc(reconcile, vpc_id);
	intent_drop(reconcile->intent, vpc_id, &draft);
	changes = draft_changes(draft, &changed);
	forget_copies(reconcile, changes, changed);
	apply_quietly(reconcile, draft);
	if (intent_take(reconcile->intent, records, revisions, count, false, &draft, &error))
		log_warning("an outline is not understood", "text=\"%s\"", error.text);
	apply_quietly(reconcile, draft);
	for (size_t i = 0; i < count; i++) {
		free(records[i].key);
		free(records[i].value);
	}
	free(records);
	free(revisions);
	log_info("a vpc is not held any more", "vpc=%" PRIu32, vpc_id);
}

/* Ids of a map, because what is done for each may change it. */
static uint32_t *ids_of(const struct map *map, size_t *count)
{
	uint32_t *ids = xcalloc(map_count(map) + 1, sizeof(*ids));

	*count = 0;
	MAP_FOR_EACH(map, it)
		ids[(*count)++] = *(const uint32_t *)it.key;
	return ids;
}

void reconcile_settle_vpcs(struct reconcile *reconcile)
{
	struct error error = { 0 };
	size_t count;
	uint32_t *ids;

	if (!reconcile->options.shared || !reconcile->listed)
		return;
	ids = ids_of(&reconcile->parts, &count);
	for (size_t i = 0; i < count; i++)
		if (!map_get_u32(&reconcile->vpcs, ids[i]) &&
		    reconcile_load_vpc(reconcile, ids[i], &error))
			log_limited(LOG_LEVEL_WARNING, "a vpc cannot be read", "text=\"%s\"",
				    error.text);
	free(ids);
	ids = ids_of(&reconcile->vpcs, &count);
	for (size_t i = 0; i < count; i++) {
		const struct prefix_watch *watch = map_get_u32(&reconcile->vpcs, ids[i]);

		if (!intent_object(reconcile->intent, ids[i]))
			end_vpc(reconcile, ids[i]);
		else if (!map_get_u32(&reconcile->parts, ids[i]) &&
			 !intent_has_part(reconcile->intent, "", ids[i]) &&
			 reconcile->ticks - watch->used > IDLE_TICKS)
			let_go(reconcile, ids[i]);
	}
	free(ids);
}

void reconcile_vpcs_tick(struct reconcile *reconcile)
{
	if (!reconcile->options.shared || !reconcile->listed || reconcile->unreachable)
		return;
	if (reconcile->ticks % LEAVE_TICKS == 0)
		leave_all(reconcile);
	reconcile_settle_vpcs(reconcile);
}

void reconcile_vpcs_written(struct reconcile *reconcile, const struct change *changes, size_t count,
			    uint64_t revision)
{
	struct error error = { 0 };

	if (!reconcile->options.shared)
		return;
	for (size_t i = 0; i < count; i++) {
		struct prefix_watch *watch;

		if (changes[i].kind != OBJECT_VPC || changes[i].before)
			continue;
		watch = add_vpc(reconcile, changes[i].after->id);
		watch->revision = revision;
		if (watch_on(reconcile, watch, &error)) {
			log_warning("a vpc cannot be watched", "text=\"%s\"", error.text);
			reconcile->listed = false; /* the next look at the store repairs it */
		}
	}
}

/* ---- asked for ---- */

int reconcile_need_vpc(struct reconcile *reconcile, const char *name, struct error *error)
{
	const struct object *vpc = intent_find(reconcile->intent, name, OBJECT_VPC, NULL);
	struct prefix_watch *watch;

	if (!reconcile->options.shared || !vpc)
		return 0;
	watch = map_get_u32(&reconcile->vpcs, vpc->id);
	if (watch)
		watch->used = reconcile->ticks;
	if (!intent_is_outline(reconcile->intent, vpc->id))
		return 0;
	return reconcile_load_vpc(reconcile, vpc->id, error);
}

int reconcile_need_all(struct reconcile *reconcile, struct error *error)
{
	const struct object **vpcs;
	size_t count = intent_list(reconcile->intent, 0, OBJECT_VPC, &vpcs);
	char(*names)[NAME_SIZE] = xcalloc(count + 1, sizeof(*names));
	int code = 0;

	for (size_t i = 0; i < count; i++)
		snprintf(names[i], sizeof(names[i]), "%s", vpcs[i]->name);
	free(vpcs);
	for (size_t i = 0; i < count && !code; i++)
		code = reconcile_need_vpc(reconcile, names[i], error);
	free(names);
	return code;
}

static int note_vpc(void *context, const struct store_item *item)
{
	const char *slash = strrchr(item->key, '/');

	map_put_u32(context, (uint32_t)strtoul(slash + 1, NULL, 10), context);
	return 0;
}

int reconcile_need_parts_of(struct reconcile *reconcile, const char *host, struct error *error)
{
	struct map vpcs = { 0 };
	char prefix[KEY_SIZE];
	int code;

	if (!reconcile->options.shared)
		return 0;
	snprintf(prefix, sizeof(prefix), PART_PREFIX "%.63s/", host);
	code = store_list(reconcile->options.store, prefix, note_vpc, &vpcs, NULL, error);
	MAP_FOR_EACH(&vpcs, it) {
		const struct object *vpc =
			intent_object(reconcile->intent, *(const uint32_t *)it.key);

		if (vpc && !code)
			code = reconcile_need_vpc(reconcile, vpc->name, error);
	}
	map_fini(&vpcs, NULL);
	return code;
}
