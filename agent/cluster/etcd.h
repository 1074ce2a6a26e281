/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The member of etcd that weftd runs on this host, if it was told to (`--with-etcd`).
 *
 * It is a child, but its life is its own: it goes on when weftd crashes or is replaced, and the next weftd
 * finds it by STATE/etcd/pid (the pid, and when that process began, so that a pid used again is not
 * taken for it). It is started again when it dies. All it talks is TLS, with certificates of the cluster's
 * authority on both sides; what is secret is in files, never in its arguments.
 */
#ifndef WEFT_AGENT_ETCD_H
#define WEFT_AGENT_ETCD_H

#include <stdbool.h>

#include "agent/cluster/cluster_config.h"
#include "base/loop.h"

#define ETCD_CLIENT_PORT 2379
#define ETCD_PEER_PORT 2380

struct etcd;

/**
 * etcd_installed - the program, as PATH has it
 *
 * Return: its path, owned by the caller; NULL with a sentence if there is none.
 */
char *etcd_installed(struct error *error);

/** etcd_url - "https://ADDRESS:PORT", owned by the caller */
char *etcd_url(const struct ip_address *address, unsigned int port);

/**
 * etcd_open - find the member that runs, or start it
 * @state: state directory
 * @config: its host, underlay[0], etcd_cluster and etcd_existing say how
 * @etcd: set on success; release with etcd_close()
 *
 * Return: 0 or negative errno.
 */
int etcd_open(struct loop *loop, const char *state, const struct cluster_config *config,
	      struct etcd **etcd, struct error *error);

/** etcd_close - let go of it; @end: end it as well (NULL is ignored) */
void etcd_close(struct etcd *etcd, bool end);

/**
 * etcd_stop - end the member that runs on @state, whoever started it
 *
 * Return: 0, also if none runs; or negative errno.
 */
int etcd_stop(const char *state, struct error *error);

#endif
