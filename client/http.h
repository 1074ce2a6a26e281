/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTTP exchange over a unix socket.
 *
 * Private to client/: requests and answers as bytes, without an idea of what they mean. The
 * answer is collected, or handed on piece by piece where a stream is read.
 */
#ifndef WEFT_CLIENT_HTTP_H
#define WEFT_CLIENT_HTTP_H

#include <stddef.h>

#include "base/buf.h"
#include "base/error.h"

struct http;

/**
 * struct http_request - what is asked
 * @method: "GET", "PUT", …
 * @target: path and query, escaped
 * @content_type: of @body; NULL for JSON
 * @body: text; NULL for none
 * @condition: a whole header line such as `If-Match: "7"`; NULL for none
 * @timeout_ms: for the whole exchange; 0 for none
 * @accepted: called when the answer has begun with status 200; may be NULL
 * @piece: called with each piece of the answer of a 200, which is then not collected; may be NULL
 * @context: for both; a return value other than 0 of either ends the exchange
 */
struct http_request {
	const char *method;
	const char *target;
	const char *content_type;
	const char *body;
	const char *condition;
	unsigned long timeout_ms;
	int (*accepted)(void *context);
	int (*piece)(void *context, const char *data, size_t size);
	void *context;
};

/**
 * struct http_answer - what came
 * @status: 200, 404, …
 * @tag: the ETag header, "" if none
 * @body: owned by the caller, buf_fini()
 * @ended: what accepted() or piece() returned to end the exchange, else 0
 */
struct http_answer {
	long status;
	char tag[64];
	struct buf body;
	int ended;
};

/** http_open - get ready for exchanges with who listens at @socket_path (copied) */
struct http *http_open(const char *socket_path);

/** http_close - release @http (may be NULL) */
void http_close(struct http *http);

/** http_escape - append @text to @target, escaped for one step of a path or one query value */
void http_escape(struct buf *target, const char *text);

/**
 * http_exchange - send a request and receive the answer
 * @answer: filled in; buf_fini(&answer->body) also after a failure
 *
 * Return: 0 once an answer came, whatever its status; -ECONNREFUSED if nobody listens,
 * -EACCES if the socket may not be opened, -ETIMEDOUT, -ECONNRESET or another negative errno.
 */
int http_exchange(struct http *http, const struct http_request *request, struct http_answer *answer,
		  struct error *error);

#endif
