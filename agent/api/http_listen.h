/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets that http.c listens on.
 */
#ifndef WEFT_AGENT_HTTP_LISTEN_H
#define WEFT_AGENT_HTTP_LISTEN_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/* Which socket of all there are in the file system. */
struct http_place {
	dev_t device;
	ino_t inode;
};

/**
 * http_listen_unix - listen at @path, mode 0660; a socket nobody answers at is replaced
 *
 * Return: a descriptor owned by the caller, -EADDRINUSE, or another negative errno.
 */
int http_listen_unix(const char *path, struct error *error);

/** http_place_look - Return: whether there is a socket at @path; @place is set then */
bool http_place_look(const char *path, struct http_place *place);
bool http_place_equal(const struct http_place *a, const struct http_place *b);

/**
 * http_listen_tcp - listen at "ADDRESS:PORT"
 *
 * Return: a descriptor owned by the caller, or negative errno.
 */
int http_listen_tcp(const char *listen_at, struct error *error);

#endif
