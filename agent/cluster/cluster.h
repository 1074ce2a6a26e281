/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * This host among others: who there is, who lives, and what the way to each is like.
 *
 *	/weft/1/host/ID		the host, as intent (model)
 *	/weft/1/host/ID/alive	its daemon lives: a record with a lease of 15 s, kept in the background
 *	/weft/1/cluster/…	what all hosts share: the key of the path probe, the members of the store
 *	/weft/1/question/…	what hosts ask each other, and
 *	/weft/1/answer/…	what they say (question.h)
 *
 * A host whose record is gone is shown as late, then as gone, and that is all: its ports, rows and tunnels
 * stay, for its datapath goes on without its daemon, and without the store as well.
 *
 * What is done here follows the intent: the pipeline on the devices of the underlay, groups joined, paths
 * probed to the hosts that share a VPC with this one. It is looked at again when the intent, the
 * addresses of the machine or a path change.
 *
 * Neighbours: reconcile.h (calls in), underlay.h, path_probe.h, api_cluster.c (shows).
 */
#ifndef WEFT_AGENT_CLUSTER_H
#define WEFT_AGENT_CLUSTER_H

#include <jansson.h>

#include "agent/cluster/cluster_config.h"
#include "agent/reconcile.h"

#define CLUSTER_LEASE_MS 15000

struct adoptions;
struct cluster;
struct questions;
struct moves;
struct shares;

/**
 * struct cluster_options - borrowed for the life of the cluster
 * @host: name of this host
 * @underlay: addresses for the host object if there is none yet
 * @own_member: "192.0.2.1:2379" if a member of the store is run here; NULL: none
 * @member: a member of the store that some host runs; may be NULL
 * @shared: the store is one that others write to
 * @devices: false in tests without privileges
 * @instance: of the daemon; may be NULL without devices
 * @adoptions: how devices of others were before they were uplinks
 */
struct cluster_options {
	struct loop *loop;
	const struct clock *clock;
	struct store *store;
	struct datapath *datapath;
	const char *host;
	const struct ip_prefix *underlay;
	size_t underlay_count;
	const char *own_member;
	void (*member)(void *context, const char *address);
	void *member_context;
	bool shared;
	bool devices;
	const char *instance;
	struct adoptions *adoptions;
};

/** cluster_open - before the reconciler. Return: 0 or negative errno. */
int cluster_open(const struct cluster_options *options, struct cluster **cluster,
		 struct error *error);

/** cluster_callbacks - for struct reconcile_options; lives as long as @cluster */
const struct reconcile_cluster *cluster_callbacks(const struct cluster *cluster);

/** cluster_start - the reconciler is there: begin */
void cluster_start(struct cluster *cluster, struct reconcile *reconcile);

/** cluster_shares - devices that ports share */
struct shares *cluster_shares(const struct cluster *cluster);

/** cluster_moves - ports that come to this host; after cluster_start() */
struct moves *cluster_moves(const struct cluster *cluster);

/** cluster_close - stop; the lease ends by itself, the datapath stays (NULL is ignored) */
void cluster_close(struct cluster *cluster);

/** cluster_host_json - the "status" of a host in answers. Return: new reference. */
json_t *cluster_host_json(const struct cluster *cluster, uint32_t host_id);

/** cluster_tunnel_json - the "status" of a tunnel object in answers. Return: new reference. */
json_t *cluster_tunnel_json(const struct cluster *cluster, uint32_t tunnel_id);

/** cluster_questions - the way to ask other hosts; NULL if the store is this host's alone */
struct questions *cluster_questions(const struct cluster *cluster);

/** cluster_is_shared - whether this host is one of several */
bool cluster_is_shared(const struct cluster *cluster);

#endif
