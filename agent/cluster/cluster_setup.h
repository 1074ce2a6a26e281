/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Making a cluster and becoming a part of one: what `weft host init`, `join` and `token` do.
 *
 * Both leave files in the state directory (cluster_config.h) and nothing else: weftd then starts
 * anew with them, as after a restart, and no packet is lost by it.
 *
 *	first host				a host that joins
 *	init: authority, own certificate,
 *	      etcd's configuration, token  ---token, by the operator--->  join ADDRESS --token …
 *	join_server.c  <---------- TLS: who are you? (hash in the token), secret, request
 *	cluster_admit(): certificate, addresses of the store  ---------->  files, etcd's member list
 *
 * A host that joins to run a member of etcd gets the authority's key as well, over that connection,
 * and lets others in from then on: so the first host may be lost (ADR 20). It is kept as there, in
 * a file of mode 0600.
 *
 * A token is good at the host that made it, and "weft-SECRET-HASH": the secret proves the host that
 * joins, the hash of the authority's certificate proves the first host. It is good for a day.
 */
#ifndef WEFT_AGENT_CLUSTER_SETUP_H
#define WEFT_AGENT_CLUSTER_SETUP_H

#include <jansson.h>

#include "agent/cluster/cluster_config.h"
#include "base/loop.h"
#include "store/store.h"

#define CLUSTER_TOKEN_HOURS 24

/**
 * struct cluster_wish - what init and join are asked for; borrowed
 * @name: of this host
 * @underlay, @underlay_count: its addresses; 0 of them: found out
 * @with_etcd: run a member of etcd here
 * @store: init: a store that is there; NULL with @with_etcd
 * @store_ca, @store_certificate, @store_key: paths for a store that is not Weft's own; NULL: none
 * @address, @token: join only
 */
struct cluster_wish {
	const char *name;
	struct ip_prefix underlay[CLUSTER_UNDERLAY_MAX];
	size_t underlay_count;
	bool with_etcd;
	const char *store;
	const char *store_ca;
	const char *store_certificate;
	const char *store_key;
	const char *address;
	const char *token;
};

/** cluster_wish_read - from the body of a request, which must outlive it. Return: 0 or -EINVAL. */
int cluster_wish_read(json_t *body, struct cluster_wish *wish, struct error *error);

/**
 * cluster_init - make this the first host of a cluster
 * @loop: of the daemon
 * @intent: the store that the host had alone: what is in it goes into the cluster's
 * @token: set to the token for others, owned by the caller
 *
 * It ends when the store answers and has everything, so it takes some seconds with etcd. An etcd
 * that was started goes on.
 *
 * Return: 0; -EEXIST if the host is in a cluster; or another negative errno, and then it is not.
 */
int cluster_init(struct loop *loop, const char *state, struct store *intent,
		 struct cluster_wish *wish, char **token, struct error *error);

/** cluster_join - become a host of the cluster that @wish->token is of. Return: as cluster_init(). */
int cluster_join(const char *state, struct cluster_wish *wish, struct error *error);

/**
 * cluster_token - a new token, which takes the place of the one before
 * @token: set to it, owned by the caller
 *
 * Return: 0; -ENOENT if this host has not the authority's key; or another negative errno.
 */
int cluster_token(const char *state, char **token, struct error *error);

/** cluster_token_fits - whether @secret is that of the token that is good now */
bool cluster_token_fits(const char *state, const char *secret);

/**
 * cluster_admit - what a host that joins gets; its secret was checked
 * @body: {"name", "addresses", "request", "member"}
 * @answer: set to {"certificate", "store", "own_store"}, and "authority_key" for a member of etcd; a new
 *	reference
 *
 * Return: 0 or negative errno.
 */
int cluster_admit(const char *state, json_t *body, json_t **answer, struct error *error);

#endif
