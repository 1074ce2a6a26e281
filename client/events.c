/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of events: server-sent events (HTML Living Standard, 9.2) read line by line.
 *
 * Pieces come in any size. They are gathered into lines; "event:" and "data:" lines are kept
 * until an empty line ends the event, which is then handed on as JSON. Comments (lines that
 * begin with a colon) and other fields are passed over, as the standard asks.
 *
 * Neighbours: http.c (the bytes), client.c (all other calls).
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "client/call.h"

#define EVENT_SIZE_MAX ((size_t)4 << 20)

struct stream {
	struct buf line;
	struct buf data;
	char event[64];
	client_event_callback *callback;
	int (*ready)(void *context);
	void *context;
	struct error *error;
};

/* The event is complete: hand it on. Return: the callback's value, or negative errno. */
static int dispatch(struct stream *stream)
{
	json_error_t fault;
	json_t *document;
	int code;

	if (stream->data.size == 0) {
		stream->event[0] = '\0';
		return 0;
	}
	document = json_loadb(stream->data.data, stream->data.size, 0, &fault);
	buf_reset(&stream->data);
	if (!document)
		return error_set(stream->error, EPROTO, NULL, "an event is not JSON: %s",
				 fault.text);
	code = stream->callback(stream->context, stream->event, document);
	json_decref(document);
	stream->event[0] = '\0';
	return code;
}

/* What stands behind "name:" and one blank, or NULL if the line is another field. */
static const char *field(const char *line, const char *name)
{
	size_t length = strlen(name);

	if (strncmp(line, name, length) != 0 || line[length] != ':')
		return NULL;
	line += length + 1;
	return *line == ' ' ? line + 1 : line;
}

static int read_line(struct stream *stream, const char *line)
{
	const char *value;

	if (!*line)
		return dispatch(stream);
	value = field(line, "event");
	if (value) {
		strncpy(stream->event, value, sizeof(stream->event) - 1);
		return 0;
	}
	value = field(line, "data");
	if (value) {
		if (stream->data.size > 0)
			buf_append_char(&stream->data, '\n');
		buf_append_text(&stream->data, value);
	}
	return 0;
}

static int receive_piece(void *context, const char *piece, size_t size)
{
	struct stream *stream = context;
	int code = 0;

	for (size_t i = 0; i < size && code == 0; i++) {
		if (piece[i] != '\n') {
			if (piece[i] != '\r')
				buf_append_char(&stream->line, piece[i]);
			continue;
		}
		code = read_line(stream, buf_text(&stream->line));
		buf_reset(&stream->line);
	}
	if (code == 0 && stream->line.size + stream->data.size > EVENT_SIZE_MAX)
		code = error_set(stream->error, EFBIG, NULL, "an event is larger than %zu MiB",
				 EVENT_SIZE_MAX >> 20);
	return code;
}

static int receive_ready(void *context)
{
	struct stream *stream = context;

	return stream->ready(stream->context);
}

int client_events(struct client *client, const char *kind, const char *port,
		  int (*ready)(void *context), client_event_callback *callback, void *context,
		  unsigned long deadline_ms, struct error *error)
{
	struct stream stream = {
		.callback = callback,
		.ready = ready,
		.context = context,
		.error = error,
	};
	struct http_request request = {
		.method = "GET",
		.timeout_ms = deadline_ms,
		.accepted = ready ? receive_ready : NULL,
		.piece = receive_piece,
		.context = &stream,
	};
	struct http_answer answer;
	struct buf target = { 0 };
	int code;

	buf_append_text(&target, "/v1/events");
	client_append_query(&target, "kind", kind);
	client_append_query(&target, "port", port);
	request.target = buf_text(&target);
	code = http_exchange(client->http, &request, &answer, error);
	if (code == 0 && answer.ended)
		code = answer.ended;
	else if (code == 0 && answer.status / 100 != 2)
		code = client_refusal(&answer, error);
	else if (code == 0)
		code = error_set(error, ECONNRESET, NULL, "the daemon at %s ended the stream",
				 client->socket_path);
	buf_fini(&answer.body);
	buf_fini(&target);
	buf_fini(&stream.line);
	buf_fini(&stream.data);
	return code;
}
