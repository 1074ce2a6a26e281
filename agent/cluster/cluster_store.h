/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store of a cluster as its configuration names it, and the way of a lone host's intent into it.
 */
#ifndef WEFT_AGENT_CLUSTER_STORE_H
#define WEFT_AGENT_CLUSTER_STORE_H

#include "agent/cluster/cluster_config.h"
#include "store/store.h"

/**
 * cluster_store_open - open what @config->store names: etcd://A:P,B:P or etcds://A:P,B:P
 * @store: set on success; release with store_close()
 *
 * Return: 0, also when nobody answers there; or negative errno.
 */
int cluster_store_open(const struct cluster_config *config, struct store **store,
		       struct error *error);

/** cluster_store_wait - until it answers, for at most half a minute. Return: 0 or negative errno. */
int cluster_store_wait(struct store *store, struct error *error);

/**
 * cluster_store_import - copy all records of @from into @to, at once or not at all
 * @host: ports without a host are of this one from now on
 *
 * Return: 0, also if there is nothing to copy; -EEXIST if both have something; or negative errno.
 */
int cluster_store_import(struct store *from, struct store *to, const char *host,
			 struct error *error);

#endif
