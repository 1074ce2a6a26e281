/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What cluster.c (the store's side) and cluster_paths.c (the underlay's side) share.
 */
#ifndef WEFT_AGENT_CLUSTER_PRIVATE_H
#define WEFT_AGENT_CLUSTER_PRIVATE_H

#include "agent/api/question.h"
#include "agent/cluster/claims.h"
#include "agent/cluster/cluster.h"
#include "agent/cluster/path_probe.h"
#include "agent/devices/keepalive.h"
#include "agent/devices/gateways.h"
#include "agent/devices/moves.h"
#include "agent/devices/shares.h"
#include "agent/devices/underlay.h"
#include "agent/devices/uplink.h"
#include "base/map.h"

/**
 * struct other_host - what is known of a host by its record
 * @seen: in the list that is being taken
 * @answered: its address has answered echo requests
 * @away: neither its lease nor its address says that it is there (cluster_router.c)
 * @since_ns: real time since when @alive is so
 * @document: of its record, the last one there was; owned
 */
struct other_host {
	bool alive;
	bool seen;
	bool answered;
	bool away;
	uint64_t since_ns;
	json_t *document;
};

/**
 * struct cluster - this host among others
 * @run: a number of this run of the daemon, so that two daemons of one name notice one another
 * @others: host id -> struct other_host; this host's own record as well
 * @lease: 0: none
 * @alive_text: what the own record says now; NULL: it is to be written
 * @devices_changed: the planner's answers about devices may be others
 * @uplinks_changed: the same of uplinks
 */
struct cluster {
	struct cluster_options options;
	struct reconcile_cluster callbacks;
	struct reconcile *reconcile;
	struct underlay *underlay;
	struct uplinks *uplinks;
	struct shares *shares;
	struct path_probes *probes;
	struct questions *questions;
	struct moves *moves;
	struct gateways *gateways;
	struct keepalives *keepalives;
	struct claims *claims;
	struct map others;
	char run[20];
	uint64_t lease;
	char *alive_text;
	bool connected;
	bool member_said;
	bool devices_changed;
	bool uplinks_changed;
	bool segments;      /* there is a device that takes frames of several packets apart */
	bool segments_seen; /* it was looked for since the start */
	uint64_t ticks;
	struct loop_timer tick;
	struct loop_timer refresh;
	struct loop_deferred settle;
};

/* cluster_paths.c */

/** cluster_refresh_soon - something changed that the underlay's side follows */
void cluster_refresh_soon(struct cluster *cluster);

/** cluster_refresh - devices, groups and paths as the intent asks now; a timer's callback */
void cluster_refresh(void *context);

/** cluster_path_changed - a path's state changed: rows, problem */
void cluster_path_changed(void *context, uint32_t host_id);

/* cluster_keepalive.c */

/** cluster_refresh_keepalives - watch the tunnels that begin here. @own: NULL: there are none */
void cluster_refresh_keepalives(struct cluster *cluster, const struct host_object *own);

/** cluster_keepalive_changed - a tunnel of this host came up or went down: rows, event, record */
void cluster_keepalive_changed(void *context, uint32_t tunnel_id);

/** cluster_tunnels_down - ids of this host's tunnels that are down, for its record. New reference. */
json_t *cluster_tunnels_down(const struct cluster *cluster);

/** cluster_tunnels_said - a host's record is another; what it says of its tunnels may be, too */
void cluster_tunnels_said(struct cluster *cluster, const json_t *before, const json_t *after);

/** cluster_tunnel_down - as struct plan_host.tunnel_down. @context: struct cluster */
bool cluster_tunnel_down(void *context, uint32_t tunnel_id);

/** cluster_choose_path - a pair of addresses of one family, IPv4 first. Return: false if there is none */
bool cluster_choose_path(const struct host_object *own, const struct host_object *other,
			 struct path_target *target);

/* ---- cluster_router.c ---- */

/** cluster_host_away - as in struct plan_host */
bool cluster_host_away(void *context, uint32_t host_id);

/** cluster_settle_away - the lease of a host, or what its address answers, is another one now */
void cluster_settle_away(struct cluster *cluster, uint32_t host_id);

/**
 * cluster_router_targets - the hosts that route VPCs of @own
 * @vpc_ids: the VPCs that it has part in, @vpc_count of them
 * @targets: @count targets, with room for as many more as there are VPCs
 *
 * Return: how many there are with these.
 */
size_t cluster_router_targets(const struct cluster *cluster, const struct host_object *own,
			      const uint32_t *vpc_ids, size_t vpc_count,
			      struct keepalive_target *targets, size_t count);

/** cluster_refresh_routers - says which VPCs have a router that is not there */
void cluster_refresh_routers(struct cluster *cluster);

#endif
