/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where other hosts ask to join: TLS on TCP port 6082 of the host that made the cluster.
 *
 * It answers one request, POST /v1/join with the secret of the token, and nothing else. It shows the chain
 * up to the authority, whose hash the other side has from its token.
 */
#ifndef WEFT_AGENT_JOIN_SERVER_H
#define WEFT_AGENT_JOIN_SERVER_H

#include "agent/cluster/cluster_config.h"
#include "base/loop.h"

struct join_server;

/**
 * join_server_open - listen at the first underlay address
 * @state: state directory; borrowed
 *
 * Return: 0, also on a host that did not make the cluster: @server is NULL then; or negative errno.
 */
int join_server_open(struct loop *loop, const char *state, const struct cluster_config *config,
		     struct join_server **server, struct error *error);

/** join_server_close - NULL is ignored */
void join_server_close(struct join_server *server);

#endif
