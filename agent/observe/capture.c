/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Streams of captured packets; see capture.h.
 */
#include "agent/observe/capture.h"

#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "agent/names.h"
#include "agent/observe/pcapng.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/list.h"

#define READ_MAX 512 /* per round of the loop, so that a flood does not starve the rest */

struct captures {
	struct loop *loop;
	struct datapath *datapath;
	struct reconcile *reconcile;
	struct reconcile_listener listener;
	int fd;
	struct list list;
};

struct capture {
	struct api_stream stream;
	struct list node;
	struct captures *captures;
	int watch;
	uint32_t port_id, subnet_id; /* one of them */
	bool dropped;
	uint32_t size;
	uint64_t left; /* packets until the end; 0: there is none */
	bool ended;
	uint64_t lost, lost_told;
	struct buf queue;
};

static struct capture *capture_of(struct api_stream *stream)
{
	return container_of(stream, struct capture, stream);
}

/* ---- words ---- */

static const char *text_or(const json_t *text, const char *otherwise)
{
	return json_is_string(text) ? json_string_value(text) : otherwise;
}

/* "dropped (group_ingress): no security group rule of the receiver allows it in: group blue/db" */
static void describe(const struct captures *captures, const struct capture_event *event,
		     struct buf *text)
{
	const struct intent *intent = reconcile_intent(captures->reconcile);
	const enum verdict verdict = (enum verdict)event->verdict;
	json_t *other = names_port(intent, event->other_id);
	json_t *object = names_object(intent, event->object_id);
	const bool from = event->direction == CAPTURE_FROM;

	if (verdict == VERDICT_DELIVERED)
		buf_printf(text, "%s %s", from ? "delivered to" : "delivered; from",
			   text_or(other, "outside"));
	else if (names_verdict_is_drop(verdict))
		buf_printf(text, "dropped (%s): %s", names_verdict(verdict),
			   names_verdict_sentence(verdict));
	else
		buf_printf(text, "%s: %s", names_verdict(verdict), names_verdict_sentence(verdict));
	if (verdict != VERDICT_DELIVERED && json_is_string(object))
		buf_printf(text, ": %s", json_string_value(object));
	json_decref(other);
	json_decref(object);
}

/* Events carry the monotonic clock, which is not that of people. */
static uint64_t realtime_of(uint64_t monotonic_ns)
{
	struct timespec now;
	uint64_t monotonic, realtime = clock_realtime_ns(NULL);

	clock_gettime(CLOCK_MONOTONIC, &now);
	monotonic = (uint64_t)now.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)now.tv_nsec;
	return monotonic_ns < monotonic ? realtime - (monotonic - monotonic_ns) : realtime;
}

/* ---- packets ---- */

static void queue_grown(struct capture *capture, size_t before)
{
	if (!before && capture->stream.wake)
		capture->stream.wake(capture->stream.wake_context);
}

static void statistics(struct capture *capture)
{
	uint64_t matched = 0, taken = 0;

	reconcile_watch_counts(capture->captures->reconcile, capture->watch, &matched, &taken);
	pcapng_statistics(&capture->queue, clock_realtime_ns(NULL), matched, capture->lost);
}

static void capture_packet(struct capture *capture, const struct capture_event *event,
			   const uint8_t *data, const char *comment)
{
	struct buf whose = { 0 };
	const size_t before = capture->queue.size;
	const bool dropped = names_verdict_is_drop((enum verdict)event->verdict);
	struct pcapng_packet packet = {
		.time_ns = realtime_of(event->time_ns),
		.data = data,
		.size = event->size < capture->size ? event->size : capture->size,
		.length = event->length,
		.tag = event->vlan,
		.outbound = event->direction == CAPTURE_FROM,
		.dropped = dropped,
		.comment = comment,
	};

	capture->lost += event->lost;
	if (capture->ended || (capture->dropped && !dropped))
		return;
	if (before > CAPTURE_QUEUE_SIZE_MAX) {
		capture->lost++;
		return;
	}
	packet.lost = capture->lost - capture->lost_told;
	capture->lost_told = capture->lost;
	if (capture->subnet_id) { /* of many ports: each packet says whose it is */
		json_t *port =
			names_port(reconcile_intent(capture->captures->reconcile), event->port_id);

		buf_printf(&whose, "%s: %s", text_or(port, "?"), comment);
		packet.comment = buf_text(&whose);
		json_decref(port);
	}
	pcapng_add(&capture->queue, &packet);
	buf_fini(&whose);
	if (capture->left && --capture->left == 0) {
		capture->ended = true;
		statistics(capture);
	}
	queue_grown(capture, before);
}

void captures_take(struct captures *captures, const struct capture_event *event,
		   const uint8_t *data)
{
	struct buf comment = { 0 };
	struct capture *capture;

	LIST_FOR_EACH(capture, &captures->list, node) {
		if (!(event->watches & 1ULL << capture->watch))
			continue;
		if (!comment.size)
			describe(captures, event, &comment);
		capture_packet(capture, event, data, buf_text(&comment));
	}
	buf_fini(&comment);
}

static void take(void *context, const struct capture_event *event, const uint8_t *data)
{
	captures_take(context, event, data);
}

static void readable(void *context, int fd, uint32_t events)
{
	struct captures *captures = context;

	(void)fd;
	(void)events;
	datapath_captures_read(captures->datapath, take, captures, READ_MAX);
}

/* ---- the end of what is captured ---- */

static bool is_here(const struct captures *captures, const struct capture *capture)
{
	const struct intent *intent = reconcile_intent(captures->reconcile);
	const struct object *object =
		intent_object(intent, capture->subnet_id ? capture->subnet_id : capture->port_id);

	return object && (capture->subnet_id ||
			  intent_is_local(intent, ((const struct port_object *)object)->host));
}

static void changed(void *context, const struct change *changes, size_t count)
{
	struct captures *captures = context;
	struct capture *capture;

	(void)changes;
	(void)count;
	LIST_FOR_EACH(capture, &captures->list, node) {
		const size_t before = capture->queue.size;

		if (capture->ended || is_here(captures, capture))
			continue;
		capture->ended = true;
		statistics(capture);
		queue_grown(capture, before);
	}
}

/* ---- the stream ---- */

static size_t capture_read(struct api_stream *stream, char *bytes, size_t size)
{
	struct buf *queue = &capture_of(stream)->queue;
	size_t count = queue->size < size ? queue->size : size;

	if (count) {
		memcpy(bytes, queue->data, count);
		buf_consume(queue, count);
	}
	return count;
}

static bool capture_ended(const struct api_stream *stream)
{
	return container_of(stream, const struct capture, stream)->ended;
}

/* A block of statistics now and then: a client that has left is noticed so. */
static void capture_keepalive(struct api_stream *stream)
{
	struct capture *capture = capture_of(stream);

	if (capture->queue.size || capture->ended)
		return;
	statistics(capture);
	queue_grown(capture, 0);
}

static void capture_free(struct api_stream *stream)
{
	struct capture *capture = capture_of(stream);

	reconcile_unwatch(capture->captures->reconcile, capture->watch);
	list_remove(&capture->node);
	buf_fini(&capture->queue);
	free(capture);
}

/* The kernel's ring is mapped for the first who asks: it is large, and most hosts never capture. */
static void listen_once(struct captures *captures)
{
	if (captures->fd >= 0)
		return;
	captures->fd = datapath_captures_fd(captures->datapath);
	if (captures->fd >= 0)
		loop_add_fd(captures->loop, captures->fd, EPOLLIN, readable, captures);
}

int capture_open(struct captures *captures, const struct capture_options *options,
		 struct api_stream **stream, struct error *error)
{
	struct watch row = {
		.flags = WATCH_CAPTURE | (options->from ? WATCH_FROM : 0) |
			 (options->to ? WATCH_TO : 0) | (options->subnet_id ? WATCH_ONCE : 0),
		.sample = options->sample,
		.size = options->size,
	};
	struct capture *capture;
	int watch;

	listen_once(captures);
	filter_watch(&options->filter, &row);
	filter_watch_groups(&options->filter, reconcile_intent(captures->reconcile),
			    options->vpc_id, &row);
	watch = reconcile_watch(captures->reconcile, &row, &options->port_id, 1, options->subnet_id,
				error);
	if (watch < 0)
		return watch;
	capture = xcalloc(1, sizeof(*capture));
	capture->captures = captures;
	capture->watch = watch;
	capture->dropped = options->dropped;
	capture->port_id = options->port_id;
	capture->subnet_id = options->subnet_id;
	capture->size = options->size ? options->size : CAPTURE_SIZE_MAX;
	capture->left = options->count;
	capture->stream.read = capture_read;
	capture->stream.ended = capture_ended;
	capture->stream.keepalive = capture_keepalive;
	capture->stream.free = capture_free;
	pcapng_begin(&capture->queue, "weft " WEFT_VERSION, options->name, capture->size);
	list_push_back(&captures->list, &capture->node);
	*stream = &capture->stream;
	return 0;
}

struct captures *captures_new(struct loop *loop, struct datapath *datapath,
			      struct reconcile *reconcile)
{
	struct captures *captures = xcalloc(1, sizeof(*captures));

	captures->loop = loop;
	captures->datapath = datapath;
	captures->reconcile = reconcile;
	list_init(&captures->list);
	captures->fd = -1;
	captures->listener.changed = changed;
	captures->listener.context = captures;
	reconcile_listen(reconcile, &captures->listener);
	return captures;
}

void captures_free(struct captures *captures)
{
	if (!captures)
		return;
	reconcile_unlisten(&captures->listener);
	if (captures->fd >= 0)
		loop_remove_fd(captures->loop, captures->fd);
	free(captures);
}
