/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets that http.c listens on.
 */
#ifndef WEFT_AGENT_HTTP_LISTEN_H
#define WEFT_AGENT_HTTP_LISTEN_H

#include "base/error.h"

/**
 * http_listen_unix - listen at @path, mode 0660; a socket nobody answers at is replaced
 *
 * Return: a descriptor owned by the caller, -EADDRINUSE, or another negative errno.
 */
int http_listen_unix(const char *path, struct error *error);

/**
 * http_listen_tcp - listen at "ADDRESS:PORT"
 *
 * Return: a descriptor owned by the caller, or negative errno.
 */
int http_listen_tcp(const char *listen_at, struct error *error);

#endif
