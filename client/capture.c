/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of captured packets: bytes that are handed on as they come.
 *
 * Neighbours: events.c (the other stream), http.c (the bytes).
 */
#include <errno.h>

#include "client/call.h"

int client_capture(struct client *client, const struct client_capture *wish,
		   int (*piece)(void *context, const char *data, size_t size), void *context,
		   struct error *error)
{
	struct http_request request = { .method = "GET", .piece = piece, .context = context };
	struct http_answer answer;
	struct buf target = { 0 };
	int code;

	buf_append_text(&target, "/v1/capture");
	client_append_query(&target, "port", wish->port);
	client_append_query(&target, "subnet", wish->subnet);
	client_append_query(&target, "protocol", wish->protocol);
	client_append_query(&target, "ports", wish->ports);
	client_append_query(&target, "type", wish->type);
	client_append_query(&target, "code", wish->code);
	client_append_query(&target, "address", wish->address);
	client_append_query(&target, "peer", wish->peer);
	client_append_query(&target, "direction", wish->direction);
	client_append_query(&target, "sample", wish->sample);
	client_append_query(&target, "size", wish->size);
	client_append_query(&target, "count", wish->count);
	client_append_query(&target, "dropped", wish->dropped ? "1" : NULL);
	request.target = buf_text(&target);
	code = http_exchange(client->http, &request, &answer, error);
	if (code == 0 && answer.ended)
		code = answer.ended;
	else if (code == 0 && answer.status / 100 != 2)
		code = client_refusal(&answer, error);
	buf_fini(&answer.body);
	buf_fini(&target);
	return code;
}
