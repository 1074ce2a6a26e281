/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The stream of captured packets: bytes that are handed on as they come.
 *
 * Neighbours: events.c (the other stream), http.c (the bytes).
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/call.h"

#define BLOCK_HEAD_SIZE 8
#define BLOCK_PACKET 6

/* The blocks of pcapng as they pass: their heads say how many packets there were. */
struct passing {
	int (*piece)(void *context, const char *data, size_t size);
	void *context;
	uint32_t head[2]; /* type and size of the block that begins */
	size_t head_size;
	size_t left; /* of a block, behind its head */
	uint64_t packets;
};

static void count_packets(struct passing *passing, const char *data, size_t size)
{
	while (size) {
		const size_t wanted = passing->left ? passing->left
						    : BLOCK_HEAD_SIZE - passing->head_size;
		const size_t part = size < wanted ? size : wanted;

		if (passing->left) {
			passing->left -= part;
		} else {
			memcpy((char *)passing->head + passing->head_size, data, part);
			passing->head_size += part;
		}
		data += part;
		size -= part;
		if (passing->head_size < BLOCK_HEAD_SIZE)
			continue;
		passing->head_size = 0;
		passing->packets += passing->head[0] == BLOCK_PACKET;
		passing->left =
			passing->head[1] > BLOCK_HEAD_SIZE ? passing->head[1] - BLOCK_HEAD_SIZE : 0;
	}
}

static int take_piece(void *context, const char *data, size_t size)
{
	struct passing *passing = context;

	count_packets(passing, data, size);
	return passing->piece(passing->context, data, size);
}

int client_capture(struct client *client, const struct client_capture *wish,
		   int (*piece)(void *context, const char *data, size_t size), void *context,
		   struct error *error)
{
	struct passing passing = { .piece = piece, .context = context };
	struct http_request request = { .method = "GET", .piece = take_piece, .context = &passing };
	const uint64_t wanted = wish->count ? strtoull(wish->count, NULL, 10) : UINT64_MAX;
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
	else if (code == 0 && passing.packets < wanted)
		code = error_set(error, ECONNRESET, NULL,
				 "the daemon has ended the capture: it stops, or %s %s is on this "
				 "host no more",
				 wish->port ? "port" : "subnet",
				 wish->port ? wish->port : wish->subnet);
	buf_fini(&answer.body);
	buf_fini(&target);
	return code;
}
