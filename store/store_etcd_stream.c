/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One stream of events: a request to /v3/watch whose body and whose reply are both kept open.
 *
 * etcd's gateway takes one JSON message after the other from the body, so that one connection
 * serves any number of watches, and watches come and go on it. One thing is in the way: Go's HTTP
 * server, before it sends the first byte of a reply over HTTP/1.1, reads up to 256 KiB of the body
 * that the handler has not taken and throws them away, to use the connection again; beyond that
 * it gives up on using it again and leaves the body to the handler. So the first message is
 * followed by blanks, which JSON ignores, until the reply begins; from then on every byte reaches
 * the handler. The length announced is one that is never reached. (etcd 3.4.23, Go 1.19; without
 * the blanks, messages of a body are lost at random.)
 *
 * Where that does not work, because of a proxy or another server, the caller is told by silence
 * after the second message and falls back to a request with one message and an end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/store_etcd_private.h"

/* Announced for a body that has no end. */
#define BODY_SIZE ((curl_off_t)1 << 50)

/* Blanks sent at once, then added in steps until the reply begins, and the most that are sent. */
#define PADDING_FIRST (320U << 10)
#define PADDING_STEP (64U << 10)
#define PADDING_MAX (16U << 20)
#define STEP_NS (10 * CLOCK_NS_PER_MS)

/* Room for a line that is kept for the next one. */
#define LINE_KEPT_MAX (256U << 10)

static struct etcd_stream *stream_from(struct etcd_transfer *transfer)
{
	return container_of(transfer, struct etcd_stream, transfer);
}

static size_t give_body(char *data, size_t size, size_t count, void *context)
{
	struct etcd_stream *stream = context;
	size_t room = size * count;

	if (stream->out.size) {
		if (room > stream->out.size)
			room = stream->out.size;
		memcpy(data, stream->out.data, room);
		buf_consume(&stream->out, room);
		return room;
	}
	if (stream->answered || !stream->padding)
		return CURL_READFUNC_PAUSE;
	if (room > stream->padding)
		room = stream->padding;
	memset(data, ' ', room);
	stream->padding -= room;
	stream->padded += room;
	return room;
}

/* Replies --------------------------------------------------------------------------------------- */

/* The events are left as text, which etcd_next_event() reads: as one tree they would take tenfold the memory. */
static void take_line(struct etcd_stream *stream, const char *line, size_t size)
{
	struct etcd_events events;
	json_t *message = etcd_message(line, size, &events);
	const json_t *result = json_object_get(message, "result");

	if (json_is_object(result)) {
		if (!etcd_watch_hear(stream->transfer.self, result, &events))
			error_set(&stream->failed, EPROTO, NULL, "etcd's event cannot be read");
	} else if (json_object_get(message, "error")) {
		if (etcd_judge(0, line, size, &stream->failed) == ETCD_RENEW)
			etcd_forget_token(stream->transfer.self);
	} else {
		error_set(&stream->failed, EPROTO, NULL, "etcd's event cannot be read");
	}
	json_decref(message);
}

static size_t take_reply(char *data, size_t size, size_t count, void *context)
{
	struct etcd_stream *stream = context;
	size_t length = size * count;
	long status = 0;
	char *end;

	curl_easy_getinfo(stream->transfer.easy, CURLINFO_RESPONSE_CODE, &status);
	if (stream->line.size + length > ETCD_REPLY_SIZE_MAX)
		return 0;
	buf_append(&stream->line, data, length);
	stream->answered = true;
	stream->heard_ns = clock_monotonic_ns(NULL);
	stream->pinged = false;
	if (status != 200)
		return length;
	/* A line of many events comes in thousands of pieces: each byte is looked at once. */
	while (!stream->failed.code && stream->searched < stream->line.size &&
	       (end = memchr(stream->line.data + stream->searched, '\n',
			     stream->line.size - stream->searched))) {
		size_t line_size = (size_t)(end - stream->line.data);

		if (line_size)
			take_line(stream, stream->line.data, line_size);
		buf_consume(&stream->line, line_size + 1);
		stream->searched = 0;
	}
	stream->searched = stream->line.size;
	if (!stream->line.size && stream->line.capacity > LINE_KEPT_MAX)
		buf_fini(&stream->line);
	return length;
}

/* A stream does not end but by a fault. */
static void finished(struct etcd_transfer *transfer, CURLcode code)
{
	struct etcd_stream *stream = stream_from(transfer);
	struct error why = stream->failed;
	long status = 0;

	curl_easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
	if (why.code) {
		/* it said why before it ended */
	} else if (code) {
		etcd_judge_curl(transfer->self, transfer->easy, code, transfer->endpoint,
				transfer->text, &why);
	} else if (status != 200) {
		if (etcd_judge(status, buf_text(&stream->line), stream->line.size, &why) ==
		    ETCD_RENEW)
			etcd_forget_token(transfer->self);
	} else {
		error_set(&why, EHOSTUNREACH, NULL, "%s: the stream of events was closed",
			  transfer->self->endpoints[transfer->endpoint]);
	}
	etcd_stream_failed(stream, &why);
}

static void release(struct etcd_transfer *transfer)
{
	struct etcd_stream *stream = stream_from(transfer);

	list_remove(&stream->node);
	buf_fini(&stream->out);
	buf_fini(&stream->line);
	free(stream);
}

/* For the caller -------------------------------------------------------------------------------- */

struct etcd_stream *etcd_stream_open(struct etcd_store *self, bool duplex, struct buf *body)
{
	struct etcd_stream *stream = xcalloc(1, sizeof(*stream));
	CURL *easy;

	etcd_transfer_init(&stream->transfer, self, self->watch_endpoint, "/v3/watch");
	stream->transfer.finished = finished;
	stream->transfer.release = release;
	stream->duplex = duplex;
	stream->padding = duplex ? PADDING_FIRST : 0;
	stream->asked_ns = clock_monotonic_ns(NULL);
	buf_append(&stream->out, body->data, body->size);
	list_push_back(&self->streams, &stream->node);
	easy = stream->transfer.easy;
	curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
			 duplex ? BODY_SIZE : (curl_off_t)body->size);
	curl_easy_setopt(easy, CURLOPT_READFUNCTION, give_body);
	curl_easy_setopt(easy, CURLOPT_READDATA, stream);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_reply);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, stream);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)(self->deadline_ns / CLOCK_NS_PER_MS));
	curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);
	curl_easy_setopt(easy, CURLOPT_FORBID_REUSE, 1L);
	etcd_transfer_start(&stream->transfer);
	if (!loop_timer_is_running(&self->stream_timer))
		loop_timer_start(self->loop, &self->stream_timer, STEP_NS, 0);
	return stream;
}

void etcd_stream_send(struct etcd_stream *stream, const struct buf *body)
{
	struct etcd_store *self = stream->transfer.self;

	buf_append(&stream->out, body->data, body->size);
	stream->asked_ns = clock_monotonic_ns(NULL);
	stream->resumes = true;
	/* Not from here: this may be inside of one of libcurl's callbacks. */
	loop_timer_start(self->loop, &self->stream_timer, 0, 0);
}

bool etcd_stream_is_closed(struct etcd_stream *stream)
{
	struct etcd_store *self = stream->transfer.self;

	if (stream->failed.code)
		return true;
	if (!stream->answered || stream->transfer.socket_count > 0)
		return false;
	error_set(&stream->failed, EHOSTUNREACH, NULL, "%s: the stream of events was closed",
		  self->endpoints[stream->transfer.endpoint]);
	return true;
}

void etcd_stream_pad(struct etcd_stream *stream)
{
	if (!stream->duplex || stream->answered || stream->padding || stream->padded >= PADDING_MAX)
		return;
	stream->padding = PADDING_STEP;
	stream->resumes = true;
}

void etcd_stream_close(struct etcd_stream *stream)
{
	etcd_transfer_stop(&stream->transfer);
	release(&stream->transfer);
}
