/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cluster_setup.c and cluster_join.c share.
 */
#ifndef WEFT_AGENT_CLUSTER_SETUP_PRIVATE_H
#define WEFT_AGENT_CLUSTER_SETUP_PRIVATE_H

#include "agent/cluster/cluster_setup.h"

/** cluster_wish_check - not in a cluster yet, and etcd is there if wanted. Return: 0 or negative errno. */
int cluster_wish_check(const char *state, const struct cluster_wish *wish, struct error *error);

/**
 * cluster_underlay_find - the addresses of the wish with their prefix, or that of the way out
 *
 * Without any, it is the address by which packets leave: towards @wish->address, else by the default
 * route. Return: 0, or negative errno with a sentence.
 */
int cluster_underlay_find(struct cluster_wish *wish, struct error *error);

/** cluster_token_split - "weft-SECRET-HASH". Return: 0 or -EINVAL. */
int cluster_token_split(const char *token, char *secret, size_t size, const char **hash,
			struct error *error);

/** cluster_write_identity - the files of STATE/tls that every host has */
int cluster_write_identity(const char *state, const char *authority, const char *certificate,
			   const char *key, struct error *error);

/** cluster_own_store - the store is of the cluster's authority */
void cluster_own_store(const char *state, struct cluster_config *config);

/** cluster_config_of_wish - release with cluster_config_fini() */
void cluster_config_of_wish(const struct cluster_wish *wish, struct cluster_config *config);

/** cluster_store_of_url - "etcds://A:P" of "https://A:P", owned by the caller */
char *cluster_store_of_url(const char *url);

#endif
