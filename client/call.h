/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the two halves of client/ share: the client's insides and the reading of a refusal.
 *
 * Private to client/. Neighbours: client.c (calls with one answer), events.c (the stream).
 */
#ifndef WEFT_CLIENT_CALL_H
#define WEFT_CLIENT_CALL_H

#include "client/client.h"
#include "client/http.h"

/**
 * struct client - one daemon
 * @socket_path: where it is expected
 * @http: the connection
 */
struct client {
	char *socket_path;
	struct http *http;
};

/** client_refusal - turn an answer that is not 2xx into an error; Return: its negative errno */
int client_refusal(const struct http_answer *answer, struct error *error);

/** client_append_query - append ?key=value or &key=value; nothing if @value is NULL */
void client_append_query(struct buf *target, const char *key, const char *value);

#endif
