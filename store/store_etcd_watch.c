/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Watches of etcd: which stream each is on, what has come for it, and where it goes on when its
 * stream ends.
 *
 * A watch keeps what came since dispatch took the last of it, each key once, as it is now; so a
 * slow owner costs the memory of the keys that changed, and one that lags too far behind is told
 * to list again. It also keeps the revision up to which everything has come: after the end of a
 * stream it goes on, on another one and perhaps with another member, from the next revision.
 * etcd says at times how far it is although nothing has changed (progress_notify), so that a quiet
 * watch does not fall behind what etcd forgets.
 *
 * A watch waits (stream NULL), or is on a stream and asked for, or created. Its number changes
 * each time it is asked for: events of an older request find nobody.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "store/store_etcd_private.h"

/* Bytes kept for one watch; more is lost, and its owner lists again. */
#define PENDING_SIZE_MAX (64U << 20)

/*
 * How long (at most quiet_ns) a stream may take to answer, and how often it may fail to before
 * plainer ones are used.
 */
#define ANSWER_NS (3 * CLOCK_NS_PER_SECOND)
#define UNANSWERED_MAX 2

/* Waits between attempts to get a stream. */
#define RETRY_FIRST_NS (20 * CLOCK_NS_PER_MS)
#define RETRY_LAST_NS (2 * CLOCK_NS_PER_SECOND)

/* What is pending ---------------------------------------------------------------------------- */

static void free_item(void *value)
{
	struct store_item *item = value;

	etcd_item_free(item);
	free(item);
}

static size_t item_size(const struct store_item *item)
{
	return sizeof(*item) + 2 * strlen(item->key) + item->value_len + 64;
}

static void drop_pending(struct etcd_watch *watch)
{
	map_fini(&watch->pending, free_item);
	watch->pending_size = 0;
	watch->partial = false;
}

static void drop_pending_until(struct etcd_watch *watch, uint64_t revision)
{
	MAP_FOR_EACH(&watch->pending, it) {
		struct store_item *item = it.value;

		if (item->revision > revision)
			continue;
		watch->pending_size -= item_size(item);
		map_remove(&watch->pending, it.key, it.key_size);
		free_item(item);
	}
}

static void lose(struct etcd_watch *watch, uint64_t revision)
{
	drop_pending(watch);
	watch->lost = true;
	watch->after = revision;
	watch->seen = revision;
}

static void put_pending(struct etcd_watch *watch, struct store_item *item)
{
	struct store_item *kept = xmalloc(sizeof(*kept));
	struct store_item *old;

	*kept = *item;
	old = map_put_text(&watch->pending, kept->key, kept);
	watch->pending_size += item_size(kept);
	if (!old)
		return;
	watch->pending_size -= item_size(old);
	free_item(old);
}

static int compare_keys(const void *a, const void *b)
{
	const struct store_item *const *x = a;
	const struct store_item *const *y = b;

	return strcmp((*x)->key, (*y)->key);
}

int etcd_watch_take(struct store *store, struct store_watch *front, store_item_callback *callback,
		    void *context, uint64_t *revision)
{
	struct etcd_watch *watch = front->state;
	const struct store_item **items;
	size_t count = 0;
	int result = 0;

	(void)store;
	*revision = watch->after;
	if (watch->lost) {
		watch->lost = false;
		return -ESTALE;
	}
	if (watch->partial || !map_count(&watch->pending))
		return 0;
	items = xcalloc(map_count(&watch->pending), sizeof(struct store_item *));
	MAP_FOR_EACH(&watch->pending, it)
		items[count++] = it.value;
	qsort(items, count, sizeof(struct store_item *), compare_keys);
	for (size_t i = 0; !result && i < count; i++)
		result = callback(context, items[i]);
	free(items);
	drop_pending(watch);
	return result;
}

/* Asking ------------------------------------------------------------------------------------- */

static void append_create(struct etcd_store *self, struct buf *body, struct etcd_watch *watch)
{
	watch->id = ++self->last_watch_id;
	watch->asked = true;
	watch->created = false;
	map_put(&self->watch_ids, &watch->id, sizeof(watch->id), watch);
	buf_append_text(body, "{\"create_request\":{\"progress_notify\":true,\"fragment\":true");
	etcd_append_range(self, body, watch->front->prefix, NULL);
	etcd_append_number(body, "start_revision", watch->after + 1);
	etcd_append_number(body, "watch_id", watch->id);
	buf_append_text(body, "}}");
}

/* Take @watch off its stream, if it is on one. */
static void leave(struct etcd_store *self, struct etcd_watch *watch)
{
	if (watch->stream)
		watch->stream->watch_count--;
	if (watch->id)
		map_remove(&self->watch_ids, &watch->id, sizeof(watch->id));
	watch->id = 0;
	watch->stream = NULL;
	watch->asked = false;
	watch->created = false;
	watch->partial = false;
}

/* The same, and say so to the member. */
static void cancel(struct etcd_store *self, struct etcd_watch *watch)
{
	struct etcd_stream *stream = watch->stream;
	struct buf body = { 0 };

	if (stream && stream->duplex && watch->asked) {
		buf_append_text(&body, "{\"cancel_request\":{");
		etcd_append_number(&body, "watch_id", watch->id);
		buf_append_text(&body, "}}");
		etcd_stream_send(stream, &body);
		buf_fini(&body);
	}
	leave(self, watch);
	if (stream && (!stream->duplex || !stream->watch_count))
		etcd_stream_close(stream);
}

static void join(struct etcd_watch *watch, struct etcd_stream *stream)
{
	watch->stream = stream;
	stream->watch_count++;
}

/* Every watch that waits goes to the one duplex stream, or to one of its own. */
static void place_waiting(void *context)
{
	struct etcd_store *self = context;
	struct etcd_stream *stream = NULL;
	struct etcd_stream *any;
	struct etcd_watch *watch;
	struct buf body = { 0 };

	etcd_log_in(self);
	LIST_FOR_EACH(any, &self->streams, node)
		if (any->duplex)
			stream = any;
	LIST_FOR_EACH(watch, &self->watches, node) {
		if (watch->stream)
			continue;
		if (stream && stream->duplex) {
			join(watch, stream);
			continue;
		}
		buf_reset(&body);
		append_create(self, &body, watch);
		stream = etcd_stream_open(self, !self->one_watch_per_stream, &body);
		if (!loop_timer_is_running(&self->quiet_timer))
			loop_timer_start(self->loop, &self->quiet_timer, self->quiet_ns, 0);
		join(watch, stream);
	}
	buf_fini(&body);
	etcd_streams_look(self);
}

static void place_soon(struct etcd_store *self, uint64_t delay_ns)
{
	loop_timer_start(self->loop, &self->watch_timer, delay_ns, 0);
}

/* Ask for the watches that joined @stream since; its first one was part of opening it. */
static void ask_for_joined(struct etcd_store *self, struct etcd_stream *stream)
{
	struct etcd_watch *watch;
	struct buf body = { 0 };

	LIST_FOR_EACH(watch, &self->watches, node)
		if (watch->stream == stream && !watch->asked)
			append_create(self, &body, watch);
	if (body.size)
		etcd_stream_send(stream, &body);
	buf_fini(&body);
}

/* Whether a watch was asked for that the stream has not confirmed. */
static bool owes_answers(const struct etcd_store *self, const struct etcd_stream *stream)
{
	const struct etcd_watch *watch;

	LIST_FOR_EACH(watch, &self->watches, node)
		if (watch->stream == stream && watch->asked && !watch->created)
			return true;
	return false;
}

/* Failing and going on ----------------------------------------------------------------------- */

void etcd_stream_failed(struct etcd_stream *stream, const struct error *why)
{
	struct etcd_store *self = stream->transfer.self;
	uint64_t delay_ns = RETRY_FIRST_NS;
	struct etcd_watch *watch;

	LIST_FOR_EACH(watch, &self->watches, node)
		if (watch->stream == stream)
			leave(self, watch);
	if (!self->watch_failures)
		log_info("etcd watch moves on", "endpoint=%s error=\"%s\"",
			 self->endpoints[stream->transfer.endpoint], why->text);
	if (stream->transfer.endpoint == self->watch_endpoint)
		self->watch_endpoint = (self->watch_endpoint + 1) % self->endpoint_count;
	etcd_stream_close(stream);
	/* All members are tried before it waits, ever longer. */
	for (unsigned int i = self->watch_failures / self->endpoint_count;
	     i && delay_ns < RETRY_LAST_NS; i--)
		delay_ns *= 2;
	place_soon(self, self->watch_failures < self->endpoint_count ? 0 : delay_ns);
	self->watch_failures++;
	/* Nobody else may be asking anything. */
	if (self->watch_failures > self->endpoint_count)
		etcd_probe(self);
}

static void give_up(struct etcd_stream *stream)
{
	struct etcd_store *self = stream->transfer.self;
	struct error why = { 0 };

	error_set(&why, ETIMEDOUT, NULL, "no answer to a request for events");
	if (stream->duplex && stream->padded && ++self->unanswered >= UNANSWERED_MAX) {
		log_notice("etcd takes one watch per connection only", "endpoint=%s",
			   self->endpoints[stream->transfer.endpoint]);
		self->one_watch_per_stream = true;
	}
	etcd_stream_failed(stream, &why);
}

/* Return: whether to look at it again soon, without any event. */
static bool look_at(struct etcd_store *self, struct etcd_stream *stream)
{
	if (stream->answered && stream->duplex)
		ask_for_joined(self, stream);
	if (stream->resumes) {
		stream->resumes = false;
		etcd_transfer_resume(&stream->transfer);
	}
	return !stream->answered || owes_answers(self, stream);
}

void etcd_streams_look(struct etcd_store *self)
{
	uint64_t answer_ns = self->quiet_ns < ANSWER_NS ? self->quiet_ns : ANSWER_NS;
	uint64_t now = clock_monotonic_ns(NULL);
	struct etcd_stream *following;
	struct etcd_stream *stream;
	bool again = false;

	LIST_FOR_EACH_SAFE(stream, following, &self->streams, node) {
		if (etcd_stream_is_closed(stream)) {
			struct error why = stream->failed;

			etcd_stream_failed(stream, &why);
			continue;
		}
		if (!stream->watch_count) {
			etcd_stream_close(stream);
			continue;
		}
		if (!look_at(self, stream))
			continue;
		if (now > stream->asked_ns + answer_ns)
			give_up(stream);
		else
			again = true;
	}
	if (again && !loop_timer_is_running(&self->stream_timer))
		loop_timer_start(self->loop, &self->stream_timer, 10 * CLOCK_NS_PER_MS, 0);
}

/* The timer of streams that are being opened: some more blanks for those without an answer. */
static void on_stream_timer(void *context)
{
	struct etcd_store *self = context;
	struct etcd_stream *stream;

	LIST_FOR_EACH(stream, &self->streams, node)
		etcd_stream_pad(stream);
	etcd_streams_look(self);
}

/* What is silent for long is asked for a sign of life, and ended if it gives none. */
static void on_quiet_timer(void *context)
{
	struct etcd_store *self = context;
	uint64_t now = clock_monotonic_ns(NULL);
	struct etcd_stream *following;
	struct etcd_stream *stream;
	struct error why = { 0 };
	struct buf ping = { 0 };

	buf_append_text(&ping, "{\"progress_request\":{}}");
	LIST_FOR_EACH_SAFE(stream, following, &self->streams, node) {
		if (!stream->duplex || !stream->answered || now < stream->heard_ns + self->quiet_ns)
			continue;
		if (stream->pinged) {
			error_set(&why, ETIMEDOUT, NULL, "%s: the stream of events is dead",
				  self->endpoints[stream->transfer.endpoint]);
			etcd_stream_failed(stream, &why);
		} else {
			stream->pinged = true;
			etcd_stream_send(stream, &ping);
		}
	}
	buf_fini(&ping);
	if (!list_is_empty(&self->streams))
		loop_timer_start(self->loop, &self->quiet_timer, self->quiet_ns, 0);
}

/* Hearing ------------------------------------------------------------------------------------ */

static void hear_event(struct etcd_store *self, struct etcd_watch *watch, const json_t *event)
{
	const json_t *type = json_object_get(event, "type");
	const json_t *kv = json_object_get(event, "kv");
	uint64_t revision = etcd_number(kv, "mod_revision");
	struct store_item item;

	if (revision <= watch->after)
		return;
	if (revision > watch->seen)
		watch->seen = revision;
	if (!etcd_item(self, kv, &item))
		return;
	if (type && strcmp(json_string_value(type) ? json_string_value(type) : "", "DELETE") == 0) {
		free((char *)item.value);
		item.value = NULL;
		item.value_len = 0;
		item.lease = 0;
	}
	put_pending(watch, &item);
}

static bool hear_events(struct etcd_store *self, struct etcd_watch *watch,
			struct etcd_events *events, bool fragment)
{
	json_t *event;

	do {
		if (!etcd_next_event(events, &event))
			return false;
		if (event)
			hear_event(self, watch, event);
		json_decref(event);
	} while (event);
	watch->partial = fragment;
	if (watch->pending_size > PENDING_SIZE_MAX) {
		log_warning("etcd watch too far behind", "prefix=%s", watch->front->prefix);
		lose(watch, watch->after);
	} else if (!fragment) {
		watch->after = watch->seen;
	}
	store_ask_for_dispatch(&self->store);
	return true;
}

static void hear_cancelled(struct etcd_store *self, struct etcd_watch *watch, const json_t *result)
{
	const char *reason = json_string_value(json_object_get(result, "cancel_reason"));
	uint64_t compacted = etcd_number(result, "compact_revision");
	struct etcd_stream *stream = watch->stream;

	if (compacted) {
		/* What etcd still knows is from @compacted on. */
		leave(self, watch);
		lose(watch, compacted > watch->after ? compacted : watch->after);
		store_ask_for_dispatch(&self->store);
		place_soon(self, 0);
	} else if (!stream->failed.code &&
		   etcd_judge_message(reason ? reason : "a watch was cancelled", &stream->failed) ==
			   ETCD_RENEW) {
		etcd_forget_token(self);
	}
}

bool etcd_watch_hear(struct etcd_store *self, const json_t *result, struct etcd_events *events)
{
	uint64_t id = etcd_number(result, "watch_id");
	uint64_t revision = etcd_revision(result);
	struct etcd_watch *watch = map_get(&self->watch_ids, &id, sizeof(id));

	if (revision > self->store.revision)
		store_moved_on(&self->store, revision);
	if (!watch)
		return true;
	if (json_is_true(json_object_get(result, "canceled"))) {
		hear_cancelled(self, watch, result);
		return true;
	}
	if (json_is_true(json_object_get(result, "created"))) {
		watch->created = true;
		self->watch_failures = 0;
		if (watch->stream->watch_count > 1)
			self->unanswered = 0;
		/* This member is behind, or all of them are: a read with quorum tells. */
		if (revision < watch->after)
			etcd_probe_soon(self);
		return true;
	}
	watch->created = true;
	if (events->size)
		return hear_events(self, watch, events,
				   json_is_true(json_object_get(result, "fragment")));
	if (revision > watch->after && !watch->partial)
		watch->after = watch->seen = revision;
	return true;
}

/* For the front ------------------------------------------------------------------------------ */

void etcd_watch_add(struct store *store, struct store_watch *front)
{
	struct etcd_store *self = etcd_from(store);
	struct etcd_watch *watch = xcalloc(1, sizeof(*watch));

	watch->front = front;
	watch->after = front->after;
	watch->seen = front->after;
	front->state = watch;
	list_push_back(&self->watches, &watch->node);
	/* In the next round, so that watches made one after the other are asked for together. */
	place_soon(self, 0);
}

void etcd_watch_remove(struct store *store, struct store_watch *front)
{
	struct etcd_watch *watch = front->state;

	cancel(etcd_from(store), watch);
	list_remove(&watch->node);
	drop_pending(watch);
	free(watch);
}

void etcd_watch_rewind(struct store *store, struct store_watch *front)
{
	struct etcd_store *self = etcd_from(store);
	struct etcd_watch *watch = front->state;

	watch->lost = false;
	if (front->after >= watch->after) {
		/* The stream tells older things too, which are passed over. */
		drop_pending_until(watch, front->after);
		watch->after = front->after;
		if (watch->seen < front->after)
			watch->seen = front->after;
		return;
	}
	cancel(self, watch);
	drop_pending(watch);
	watch->after = front->after;
	watch->seen = front->after;
	place_soon(self, 0);
}

void etcd_watches_init(struct etcd_store *self)
{
	list_init(&self->watches);
	list_init(&self->streams);
	loop_timer_init(&self->watch_timer, place_waiting, self);
	loop_timer_init(&self->stream_timer, on_stream_timer, self);
	loop_timer_init(&self->quiet_timer, on_quiet_timer, self);
}

void etcd_watches_restart(struct etcd_store *self)
{
	self->watch_failures = 0;
	place_soon(self, 0);
}

void etcd_watches_lose(struct etcd_store *self, uint64_t revision)
{
	struct etcd_watch *watch;

	LIST_FOR_EACH(watch, &self->watches, node) {
		leave(self, watch);
		lose(watch, revision);
	}
	while (!list_is_empty(&self->streams))
		etcd_stream_close(container_of(self->streams.next, struct etcd_stream, node));
	store_ask_for_dispatch(&self->store);
	place_soon(self, 0);
}
