/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * HTTP around the REST interface: a unix socket, and where asked for, TLS over TCP.
 *
 * libmicrohttpd parses; its epoll descriptor sits in the daemon's own loop, so there is one thread.
 * On the unix socket the peer's uid decides (root or the daemon's own), over TCP a bearer token.
 * Bodies, connections and idle time are bounded, so that no client can hold up the others: at most
 * half of the connections may have no request under way; beyond that the one that is silent for longest
 * is closed.
 */
#ifndef WEFT_AGENT_HTTP_H
#define WEFT_AGENT_HTTP_H

#include "agent/api/api.h"

struct http;

/**
 * struct http_options - where to listen; texts are borrowed for the call
 * @socket_path: of the unix socket
 * @listen: "ADDRESS:PORT" or "[ADDRESS]:PORT"; NULL for no TCP
 * @certificate_path, @key_path: PEM files; not NULL if @listen is not
 * @token_path: file with the bearer token; not NULL if @listen is not
 */
struct http_options {
	const char *socket_path;
	const char *listen;
	const char *certificate_path;
	const char *key_path;
	const char *token_path;
};

/**
 * http_open - listen
 * @api: answers; borrowed until http_close()
 *
 * Return: 0; -EADDRINUSE if another daemon answers at the socket; or another negative errno.
 */
int http_open(struct loop *loop, struct api *api, const struct http_options *options,
	      struct http **http, struct error *error);

/** http_close - end all connections and take the socket away (NULL is ignored) */
void http_close(struct http *http);

/**
 * http_wait - how long the loop may wait because of an HTTP server; one with data at hand is run first
 * @wait: milliseconds that others asked for, below 0 for none
 *
 * For every server of libmicrohttpd in a loop, before the loop waits.
 *
 * Return: the shorter of @wait and the server's own wait, at most its time for idle connections.
 */
struct MHD_Daemon;
int http_wait(struct MHD_Daemon *daemon, int wait);

/**
 * http_parse_listen - read "ADDRESS:PORT" into a socket address
 * @size: set to the bytes of @address that count
 *
 * Return: 0 or -EINVAL.
 */
struct sockaddr_storage;
int http_parse_listen(const char *text, struct sockaddr_storage *address, unsigned int *size,
		      struct error *error);

#endif
