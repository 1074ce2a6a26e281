/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The REST interface, without the HTTP around it: a request in, a response out.
 *
 * http.c turns bytes into a struct api_request and a struct api_response into bytes; tests call
 * api_handle() directly. api.c holds the table of routes, which is the only place that says what is
 * served; a test compares it with openapi.json in both directions. Handlers are in api_*.c by topic.
 */
#ifndef WEFT_AGENT_API_H
#define WEFT_AGENT_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "agent/observe/drops.h"
#include "agent/observe/events.h"
#include "agent/reconcile.h"
#include "base/buf.h"

struct cluster;
struct dhcp;
struct punt;
struct querier;
struct hold;
struct captures;
struct flow_logs;

#define API_BODY_SIZE_MAX (8U << 20)
#define API_QUERY_MAX 16

/**
 * struct api - what handlers work on; all borrowed
 * @instance: the daemon's name
 * @punt, @dhcp, @querier, @hold: what serves ports by itself; NULL in tests without
 * @cluster: this host among others; NULL in tests without
 * @loop, @store: of the daemon
 * @state: state directory; NULL: hosts cannot be joined
 * @restart: start the daemon anew, after the answer
 * @store_name: "sqlite", or "etcds://…"
 * @started_ns: monotonic time the daemon started at
 */
struct services;

struct api {
	struct reconcile *reconcile;
	struct datapath *datapath;
	struct events *events;
	struct drops *drops;
	const struct punt *punt;
	const struct dhcp *dhcp;
	const struct querier *querier;
	const struct hold *hold;
	const struct services *services; /* NULL: none run */
	struct captures *captures;
	struct flow_logs *flow_logs; /* NULL in tests without */
	const struct clock *clock;
	struct cluster *cluster;
	struct loop *loop;
	struct store *store;
	const char *state;
	void (*restart)(void *context);
	void *restart_context;
	const char *instance;
	const char *store_name;
	uint64_t started_ns;
};

struct api_query {
	const char *key;
	const char *value; /* "" where there is no "=" */
};

/**
 * struct api_request - borrowed for the call
 * @path: decoded, begins with "/"
 * @if_match, @if_none_match: header values, NULL where absent
 * @body: not terminated
 */
struct api_request {
	const char *method;
	const char *path;
	struct api_query query[API_QUERY_MAX];
	size_t query_count;
	const char *if_match;
	const char *if_none_match;
	const char *body;
	size_t body_size;
};

/**
 * struct api_stream - a body that comes piece by piece, as long as the client listens
 * @read: at most @size bytes; 0: none for now
 * @ended: nothing more will come
 * @keepalive: called every few seconds; may make a few bytes, so that a client that left is noticed
 * @wake, @wake_context: the caller's of api_handle(), called when there are bytes after there were none
 * @free: when the client has left, or all was read
 */
struct api_stream {
	size_t (*read)(struct api_stream *stream, char *bytes, size_t size);
	bool (*ended)(const struct api_stream *stream);
	void (*keepalive)(struct api_stream *stream);
	void (*wake)(void *context);
	void *wake_context;
	void (*free)(struct api_stream *stream);
};

/**
 * struct api_response - filled in by api_handle(); release with api_response_fini()
 * @status: HTTP status
 * @etag: with its quotes, "" where there is none
 * @allow: methods, for 405; "" otherwise
 * @stream: the body is what @source brings, or without one the events that @filter takes, until the
 *	client leaves
 * @later: not NULL: the answer is there, and nowhere else, once that is ready; the caller's
 */
struct api_response {
	unsigned int status;
	const char *content_type;
	struct buf body;
	char etag[32];
	char allow[64];
	bool stream;
	struct event_filter filter;
	struct api_stream *source;
	struct api_later *later;
};

/**
 * struct api_later - an answer that is waited for, without the loop standing still
 * @response: valid when @ready
 * @wake, @wake_context: the caller's of api_handle(), called once when it has become ready
 * @free: to be called when the answer was taken, or nobody waits for it any more; ready or not
 */
struct api_later {
	bool ready;
	struct api_response response;
	void (*wake)(void *context);
	void *wake_context;
	void (*free)(struct api_later *later);
};

/** api_handle - answer one request */
void api_handle(struct api *api, const struct api_request *request, struct api_response *response);

/** api_response_fini - release what is in @response */
void api_response_fini(struct api_response *response);

/**
 * api_response_error - make @response an error document
 * @code: name, such as "forbidden"
 * @path: where in the input, NULL for nowhere
 */
void api_response_error(struct api_response *response, unsigned int status, const char *code,
			const char *path, const char *message);

/** api_route_at - the routes one by one, for the test against openapi.json. Return: false at the end. */
bool api_route_at(size_t index, const char **method, const char **pattern);

#endif
