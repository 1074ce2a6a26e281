/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Other writers: what they wrote becomes intent and rows here, and what is written here does not
 * happen behind their backs.
 *
 *	watch ---> news ---> intent_take() ---> the same way as a change of our own
 *	request -> draft -> commit that compares ---EAGAIN---> news first, then the request again
 *
 * The intent knows the revision of every record, and the draft says which of them must still be so when
 * it is written: a commit is refused when somebody was faster. After a list (at the start, and when the
 * store has forgotten what changed) what the intent has and the list does not is gone.
 *
 * A store that cannot be reached takes nothing away: the host goes on with the intent it has, which after
 * a restart comes from the copy in the state directory (cache.c), and changes are refused until the
 * store is back. Then everything is listed and compared, and only what differs is done.
 *
 * Neighbours: reconcile.c (what is done with changes), recover.c (the start).
 */
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "agent/cluster/cache.h"
#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/log.h"

#define REQUEST_ATTEMPTS 8
#define CATCH_UP_MS 2000
#define CATCH_UP_STEP_MS 2
#define RIVAL_TICKS 10
#define APART_FIRST 256U

/* ---- writing ---- */

void reconcile_require(const struct reconcile *reconcile, struct store_transaction *transaction,
		       struct draft *draft)
{
	const struct comparison *comparisons;
	size_t count;

	if (!reconcile->options.shared)
		return;
	comparisons = draft_comparisons(draft, &count);
	for (size_t i = 0; i < count; i++)
		store_transaction_require_revision(transaction, comparisons[i].key,
						   comparisons[i].revision);
}

void reconcile_keep(struct reconcile *reconcile, const struct record *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		cache_put(reconcile->options.cache, records[i].key, records[i].value);
}

/* ---- news ---- */

static void news_add(struct news *news, const char *key, const char *value, uint64_t revision)
{
	if (news->count == news->room) {
		news->room = news->room ? news->room * 2 : 64;
		news->records = xreallocarray(news->records, news->room, sizeof(*news->records));
		news->revisions =
			xreallocarray(news->revisions, news->room, sizeof(*news->revisions));
	}
	news->records[news->count] = (struct record){ xstrdup(key), xstrdup(value) };
	news->revisions[news->count++] = revision;
}

int reconcile_news_item(void *context, const struct store_item *item)
{
	news_add(context, item->key, item->value, item->revision);
	return 0;
}

void reconcile_news_fini(struct news *news)
{
	for (size_t i = 0; i < news->count; i++) {
		free(news->records[i].key);
		free(news->records[i].value);
	}
	free(news->records);
	free(news->revisions);
}

/* Keys of others in the same tree, such as who is alive, go to who asked for them. */
static bool pass_on(struct reconcile *reconcile, const char *key, const char *value)
{
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster && cluster->record(cluster->context, key, value);
}

static void take_news(struct reconcile *reconcile, const struct news *news, bool whole,
		      uint64_t revision)
{
	struct draft *draft = NULL;
	struct error error = { 0 };
	const struct change *changes;
	size_t count = 0;

	if (intent_take(reconcile->intent, news->records, news->revisions, news->count, whole,
			&draft, &error))
		log_warning("what another host wrote is not understood", "text=\"%s\"", error.text);
	reconcile_keep(reconcile, news->records, news->count);
	if (revision > reconcile->revision)
		reconcile->revision = revision;
	changes = draft ? draft_changes(draft, &count) : NULL;
	if (count) {
		reconcile_apply(reconcile, changes, count);
		reconcile_publish(reconcile, changes, count);
		log_info("news from the store", "revision=%" PRIu64 " changes=%zu", revision,
			 count);
	}
	draft_free(draft);
}

/* One prefix is behind what the store remembers: of a VPC it is read again, else everything is. */
static void lost(struct reconcile *reconcile, const struct prefix_watch *watch, uint64_t revision)
{
	struct error error = { 0 };

	log_notice("the store has forgotten what changed; it is listed again",
		   "prefix=%s revision=%" PRIu64, watch->prefix, revision);
	if (watch->vpc_id && !reconcile_load_vpc(reconcile, watch->vpc_id, &error))
		return;
	reconcile->listed = false;
	reconcile_connect(reconcile);
}

void reconcile_on_watch(void *context, const struct store_item *items, size_t count,
			uint64_t revision)
{
	struct prefix_watch *watch = context;
	struct reconcile *reconcile = watch->reconcile;
	struct news news = { 0 };

	if (!items) {
		lost(reconcile, watch, revision);
		return;
	}
	watch->revision = revision;
	if (watch == reconcile->awaited_watch && revision >= reconcile->awaited_revision)
		reconcile->awaited_watch = NULL;
	for (size_t i = 0; i < count; i++) {
		if (reconcile->awaited && strcmp(items[i].key, reconcile->awaited) == 0)
			reconcile->awaited = NULL;
		reconcile->counts.store_events++;
		reconcile->counts.store_event_bytes += strlen(items[i].key) + items[i].value_len;
		if (!reconcile_note_part(reconcile, items[i].key, items[i].value,
					 items[i].revision) &&
		    !pass_on(reconcile, items[i].key, items[i].value))
			news_add(&news, items[i].key, items[i].value, items[i].revision);
	}
	if (news.count)
		take_news(reconcile, &news, false, revision);
	reconcile_news_fini(&news);
	reconcile_settle_vpcs(reconcile);
}

void reconcile_yield(struct reconcile *reconcile, uint32_t port_id, const char *host,
		     uint32_t claim)
{
	struct draft *draft = intent_yield_port(reconcile->intent, port_id, host, claim);
	const struct record *records;
	const struct change *changes;
	size_t count;

	if (!draft)
		return;
	records = draft_records(draft, &count);
	for (size_t i = 0; i < count; i++)
		if (strstr(records[i].key, "/ports/"))
			reconcile_keep(reconcile, &records[i], 1);
	draft_commit(draft, 0);
	changes = draft_changes(draft, &count);
	reconcile_apply(reconcile, changes, count);
	reconcile_publish(reconcile, changes, count);
	draft_free(draft);
}

/* ---- everything anew ---- */

struct listing {
	struct reconcile *reconcile;
	struct news news;
	struct map seen; /* keys of the list */
};

static int list_item(void *context, const struct store_item *item)
{
	struct listing *listing = context;

	if (reconcile_pass_on(listing->reconcile, item->key, item->value, item->revision))
		return 0;
	map_put_text(&listing->seen, item->key, listing);
	news_add(&listing->news, item->key, item->value, item->revision);
	return 0;
}

static int forget_copied(void *context, const struct store_item *item)
{
	struct listing *listing = context;

	if (!map_get_text(&listing->seen, item->key))
		cache_put(listing->reconcile->options.cache, item->key, NULL);
	return 0;
}

/* Mark and sweep: nothing is taken away before it is known what there is. */
static int list_again(struct reconcile *reconcile, uint64_t *revision, struct error *error)
{
	struct listing listing = { .reconcile = reconcile };
	int code;

	pass_on(reconcile, NULL, NULL);
	code = reconcile_list_all(reconcile, false, list_item, &listing, revision, error);
	if (!code) {
		take_news(reconcile, &listing.news, true, *revision);
		if (cache_list(reconcile->options.cache, forget_copied, &listing, error))
			log_warning("the copy of the intent cannot be read", "text=\"%s\"",
				    error->text);
	}
	map_fini(&listing.seen, NULL);
	reconcile_news_fini(&listing.news);
	return code;
}

static void raise_unreachable(struct reconcile *reconcile, const struct error *error)
{
	char text[400];

	/* It says something else each second, between two members: the first reason stays. */
	if (problems_get(&reconcile->problems, PROBLEM_STORE, 0))
		return;
	snprintf(text, sizeof(text),
		 "the store cannot be reached, so nothing can be changed; traffic goes on: %.280s",
		 error->text);
	problems_raise(&reconcile->problems, PROBLEM_STORE, 0, text);
}

int reconcile_connect(struct reconcile *reconcile)
{
	struct error error = { 0 };
	uint64_t revision = 0;
	int code;

	if (!reconcile->options.shared || reconcile->listed)
		return 0;
	if (reconcile->blind) {
		code = reconcile_recover(reconcile, &error);
		revision = reconcile->revision;
	} else {
		code = list_again(reconcile, &revision, &error);
	}
	if (code) {
		raise_unreachable(reconcile, &error);
		return code;
	}
	reconcile->listed = true;
	code = reconcile_watch_all(reconcile, &error);
	if (code) {
		reconcile->listed = false;
		raise_unreachable(reconcile, &error);
		return code;
	}
	reconcile_settle_vpcs(reconcile);
	problems_clear(&reconcile->problems, PROBLEM_STORE, 0);
	if (reconcile->options.cluster)
		reconcile->options.cluster->connected(reconcile->options.cluster->context);
	return 0;
}

void reconcile_look_at_store(struct reconcile *reconcile)
{
	struct error error = { 0 };

	if (!reconcile->options.shared)
		return;
	cache_flush(reconcile->options.cache);
	if (!store_reachable(reconcile->options.store, &error)) {
		raise_unreachable(reconcile, &error);
		reconcile->unreachable = true;
		return;
	}
	if (!reconcile->listed) {
		reconcile_connect(reconcile);
	} else if (reconcile->unreachable) {
		problems_clear(&reconcile->problems, PROBLEM_STORE, 0);
	}
	reconcile->unreachable = false;
}

bool reconcile_pass_on(struct reconcile *reconcile, const char *key, const char *value,
		       uint64_t revision)
{
	if (!reconcile->options.shared)
		return false;
	return (key && reconcile_note_part(reconcile, key, value, revision)) ||
	       pass_on(reconcile, key, value);
}

/* ---- requests ---- */

static bool awaits(const struct reconcile *reconcile)
{
	return reconcile->awaited || reconcile->awaited_watch;
}

/* Until the watch tells of the key that was in the way, or the time is up. */
static void catch_up(struct reconcile *reconcile, const char *key)
{
	struct error error = { 0 };
	struct loop *loop;

	/* A host gave up a part that it seemed to have: the record is written again. */
	if (reconcile_is_part_key(key)) {
		reconcile->say_parts = true;
		return;
	}
	/* Nobody watches devices: the VPC of the port that has it is read, and the judgement knows it. */
	if (reconcile_load_owner(reconcile, key))
		return;
	if (reconcile_await_owner(reconcile, key))
		reconcile->rivals_until = reconcile->ticks + RIVAL_TICKS;
	else
		reconcile->awaited = key;
	loop = store_loop(reconcile->options.store);
	/* The loop stands still in a request, and the store would hear nothing: it goes by itself. */
	store_detach(reconcile->options.store);
	for (int waited = 0; waited < CATCH_UP_MS && awaits(reconcile);
	     waited += CATCH_UP_STEP_MS) {
		if (store_dispatch(reconcile->options.store, &error))
			break;
		if (awaits(reconcile))
			poll(NULL, 0, CATCH_UP_STEP_MS);
	}
	if (loop && store_attach(reconcile->options.store, loop, &error))
		log_error("the store has lost its loop", "text=\"%s\"", error.text);
	/* No event came, so what is known may be wrong: ask. */
	if (awaits(reconcile)) {
		reconcile->awaited = NULL;
		reconcile->awaited_watch = NULL;
		reconcile->listed = false;
		reconcile_connect(reconcile);
	}
}

static int attempt(struct reconcile *reconcile, reconcile_fill_callback *fill, void *context,
		   struct draft **draft, uint64_t *revision, struct error *error)
{
	uint32_t ids;
	int code;

	do {
		*draft = draft_new(reconcile->intent);
		code = fill(context, *draft, error);
		if (!code)
			code = draft_check(*draft, error);
		ids = code ? 0 : draft_ids_short(*draft);
		if (!ids)
			break;
		draft_free(*draft);
		*draft = NULL;
		code = reconcile_take_ids(reconcile, ids, error);
	} while (!code);
	if (!code)
		code = reconcile_commit(reconcile, *draft, revision, error);
	if (code) {
		draft_free(*draft);
		*draft = NULL;
	}
	return code;
}

/*
 * Those who want the lowest free address meet again and again: after the first time each looks elsewhere,
 * for as long as others seem to be about.
 */
static void keep_apart(struct reconcile *reconcile, int attempts)
{
	bool rivals = attempts || reconcile->ticks < reconcile->rivals_until;
	uint32_t number = 0;

	if (rivals && getrandom(&number, sizeof(number), GRND_NONBLOCK) == sizeof(number))
		number = 1 + number % (APART_FIRST << attempts);
	intent_keep_apart(reconcile->intent, rivals ? number : 0);
}

int reconcile_change(struct reconcile *reconcile, reconcile_fill_callback *fill, void *context,
		     struct draft **draft, uint64_t *revision, struct error *error)
{
	int code = -EAGAIN;

	if (reconcile->options.shared && !reconcile->listed)
		return error_set(error, EHOSTUNREACH, NULL,
				 "the store cannot be reached: nothing can be changed now, traffic "
				 "goes on; `weft status` says more");
	for (int i = 0; code == -EAGAIN && i < REQUEST_ATTEMPTS; i++) {
		error_clear(error);
		keep_apart(reconcile, i);
		code = attempt(reconcile, fill, context, draft, revision, error);
		if (code == -EAGAIN)
			log_info("another host was faster", "key=%s attempt=%d", error->path,
				 i + 1);
		if (code == -EAGAIN && reconcile->options.shared)
			catch_up(reconcile, error->path);
	}
	if (code == -EAGAIN)
		error_set(
			error, EAGAIN, NULL,
			"other hosts change the same at the same time; %d attempts were made, try "
			"again (%s)",
			REQUEST_ATTEMPTS, error->text);
	return code;
}
