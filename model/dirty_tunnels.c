/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has part in what, and what begins or ends with it.
 *
 * A host has part in a VPC as long as one of its ports or tunnels is there. When this host's part
 * begins or ends, everything of the VPC does, here. When another host's does, a peer begins or
 * ends, with one tunnel for each subnet, and nothing else: one more port on a host that has part already
 * is no news between hosts. What was planned so far the planner remembers; the intent says
 * what is so now.
 *
 * Neighbours: dirty.c (the caller), planner_tunnels.c (memory), plan_tunnel.c (rows).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/dirty_private.h"

#define NO_OFFLOADS (UINT32_C(1) << 31) /* beside the MTU that was planned with */

static const struct object *host_object_of(const struct dirty *dirty, uint32_t host_id)
{
	const struct object *host = intent_object(dirty->intent, host_id);

	return host && host->kind == OBJECT_HOST ? host : NULL;
}

static uint32_t own_host_id(const struct dirty *dirty)
{
	const struct host_object *own = intent_own_host(dirty->intent);

	return own ? own->object.id : 0;
}

static void mark_tunnel(struct dirty *dirty, uint32_t subject_id, uint32_t host_id)
{
	mark_kind(dirty, UNIT_TUNNEL,
		  planner_take_tunnel(dirty->planner, subject_id, host_id)->number);
	mark_kind(dirty, UNIT_UNDERLAY, 0);
}

/* The tunnels of all subnets of a VPC to a host. */
static void mark_tunnels_to(struct dirty *dirty, uint32_t vpc_id, uint32_t host_id)
{
	const struct object **subnets;
	size_t count = intent_list(dirty->intent, vpc_id, OBJECT_SUBNET, &subnets);

	for (size_t i = 0; i < count; i++)
		mark_tunnel(dirty, subnets[i]->id, host_id);
	free(subnets);
}

static bool is_router(const struct dirty *dirty, uint32_t vpc_id, uint32_t host_id)
{
	const struct host_object *router = intent_router(dirty->intent, vpc_id);

	return router && router->object.id == host_id;
}

/* ---- peers ---- */

static void count_peer(struct dirty *dirty, uint32_t host_id, bool begins)
{
	struct map *counts = &dirty->planner->peers_of_host;
	uintptr_t count = (uintptr_t)map_get_u32(counts, host_id);

	count = begins ? count + 1 : count - 1;
	if (count)
		map_put_u32(counts, host_id, (void *)count);
	else
		map_remove_u32(counts, host_id);
	if (count == begins)
		mark_kind(dirty, UNIT_HOST, host_id);
}

/* Return: whether it has just begun or ended. */
static bool settle_peer(struct dirty *dirty, uint32_t vpc_id, uint32_t subnet_id, uint32_t host_id,
			bool lives)
{
	struct planner_peer *peer = planner_find_peer(dirty->planner, vpc_id, subnet_id, host_id);

	if (!peer && !lives)
		return false;
	if (!peer)
		peer = planner_take_peer(dirty->planner, vpc_id, subnet_id, host_id);
	if (peer->lives == lives)
		return false;
	peer->lives = lives;
	mark_kind(dirty, UNIT_PEER, peer->peer.id);
	if (host_id)
		count_peer(dirty, host_id, lives);
	if (!host_id) {
		mark_tunnel(dirty, subnet_id, 0);
		return true;
	}
	mark_tunnels_to(dirty, vpc_id, host_id);
	if (is_router(dirty, vpc_id, host_id))
		mark_objects(dirty, UNIT_SUBNET, vpc_id, OBJECT_SUBNET);
	return true;
}

/* Whether another host and this one are both in a VPC. */
static bool is_peer(const struct dirty *dirty, uint32_t vpc_id, const struct object *host)
{
	return host && host->id != own_host_id(dirty) && own_host_id(dirty) &&
	       planner_is_here(dirty->intent, vpc_id) &&
	       intent_has_part(dirty->intent, host->name, vpc_id);
}

/* Peers that are, and those that were: each is asked again. */
static void settle_peers(struct dirty *dirty, uint32_t vpc_id)
{
	uint32_t *hosts, *had = xcalloc(map_count(&dirty->planner->peers) + 1, sizeof(*had));
	size_t had_count = 0, count = intent_hosts_of_vpc(dirty->intent, vpc_id, &hosts);

	MAP_FOR_EACH(&dirty->planner->peers, it) {
		const struct planner_peer *peer = it.value;

		if (peer->peer.vpc_id == vpc_id && peer->peer.host_id)
			had[had_count++] = peer->peer.host_id;
	}
	for (size_t i = 0; i < had_count; i++)
		settle_peer(dirty, vpc_id, 0, had[i],
			    is_peer(dirty, vpc_id, host_object_of(dirty, had[i])));
	for (size_t i = 0; i < count; i++)
		settle_peer(dirty, vpc_id, 0, hosts[i],
			    is_peer(dirty, vpc_id, host_object_of(dirty, hosts[i])));
	free(hosts);
	free(had);
}

/* Whether a subnet is a segment of a network that this host has an uplink to. */
static bool has_wire(const struct dirty *dirty, const struct object *object)
{
	const struct segment *segment = &((const struct subnet_object *)object)->segment;
	const struct host_object *own = intent_own_host(dirty->intent);

	return own && object && object->kind == OBJECT_SUBNET && segment_is_wire(segment) &&
	       planner_is_here(dirty->intent, object->vpc_id) && host_uplink(own, segment->network);
}

/* The wire, and who is behind it: the subnet's ports and its flood list. */
static void settle_wire(struct dirty *dirty, const struct object *subnet)
{
	const struct planner_peer *peer;
	uint32_t *ports;
	size_t count;

	settle_peer(dirty, subnet->vpc_id, subnet->id, 0, has_wire(dirty, subnet));
	peer = planner_find_peer(dirty->planner, subnet->vpc_id, subnet->id, 0);
	if (!peer)
		return;
	mark_kind(dirty, UNIT_PEER, peer->peer.id);
	mark_kind(dirty, UNIT_SUBNET, subnet->id);
	mark_objects(dirty, UNIT_ROUTE_TABLE, subnet->vpc_id, OBJECT_ROUTE_TABLE);
	count = intent_ports_of_subnet(dirty->intent, subnet->id, &ports);
	for (size_t i = 0; i < count; i++)
		mark_kind(dirty, UNIT_PORT, ports[i]);
	free(ports);
}

/* Which of a VPC's subnets are wires here, and which host is their gateway. */
static void settle_wires(struct dirty *dirty, uint32_t vpc_id)
{
	const struct object **subnets;
	size_t count = intent_list(dirty->intent, vpc_id, OBJECT_SUBNET, &subnets);

	for (size_t i = 0; i < count; i++)
		if (segment_is_wire(&((const struct subnet_object *)subnets[i])->segment))
			settle_wire(dirty, subnets[i]);
	free(subnets);
}

/* A segment that floods to a group has a peer for ends that are not Weft; so has a wire. */
static void settle_group(struct dirty *dirty, uint32_t vpc_id, uint32_t subnet_id)
{
	const struct object *object = intent_object(dirty->intent, subnet_id);
	const struct subnet_object *subnet = (const struct subnet_object *)object;
	bool lives = object && object->kind == OBJECT_SUBNET && own_host_id(dirty) &&
		     planner_is_here(dirty->intent, vpc_id) && subnet->mode == SUBNET_MODE_L2 &&
		     subnet->segment.type == SEGMENT_OVERLAY &&
		     ip_address_is_multicast(&subnet->segment.group);

	if (object && object->kind == OBJECT_SUBNET && segment_is_wire(&subnet->segment)) {
		settle_wire(dirty, object);
		return;
	}
	settle_peer(dirty, vpc_id, subnet_id, 0, lives);
	if (lives)
		mark_tunnel(dirty, subnet_id, 0);
}

/* ---- parts ---- */

/* This host's part in a VPC has begun or ended. */
static void settle_own(struct dirty *dirty, uint32_t vpc_id)
{
	const struct object **subnets;
	size_t count = intent_list(dirty->intent, vpc_id, OBJECT_SUBNET, &subnets);

	mark_vpc(dirty, vpc_id);
	mark_generation(dirty, vpc_id);
	settle_peers(dirty, vpc_id);
	for (size_t i = 0; i < count; i++)
		settle_group(dirty, vpc_id, subnets[i]->id);
	free(subnets);
}

/* Whether what is planned of a VPC here is out of date. Remembers what is so now. */
static bool own_part_moved(struct dirty *dirty, uint32_t vpc_id)
{
	bool had = map_get_u32(&dirty->planner->here, vpc_id) != NULL;
	bool has = intent_object(dirty->intent, vpc_id) && planner_is_here(dirty->intent, vpc_id);

	if (has)
		map_put_u32(&dirty->planner->here, vpc_id, dirty->planner);
	else
		map_remove_u32(&dirty->planner->here, vpc_id);
	return had != has;
}

void mark_part(struct dirty *dirty, uint32_t vpc_id, const char *host)
{
	const struct host_object *object;

	if (!intent_has_hosts(dirty->intent))
		return;
	if (own_part_moved(dirty, vpc_id)) {
		settle_own(dirty, vpc_id);
		return;
	}
	object = intent_host(dirty->intent, host);
	if (object && object->object.id != own_host_id(dirty) &&
	    settle_peer(dirty, vpc_id, 0, object->object.id,
			is_peer(dirty, vpc_id, &object->object)))
		settle_wires(dirty, vpc_id);
}

/* Of a subnet that is gone, whoever had part in it. */
static void mark_lost_tunnels(struct dirty *dirty, uint32_t subnet_id)
{
	MAP_FOR_EACH(&dirty->planner->tunnels, it) {
		const struct planner_tunnel *tunnel = it.value;

		if (tunnel->subject_id == subnet_id)
			mark_kind(dirty, UNIT_TUNNEL, tunnel->number);
	}
	mark_kind(dirty, UNIT_UNDERLAY, 0);
}

void mark_subnet_tunnels(struct dirty *dirty, uint32_t vpc_id, uint32_t subnet_id)
{
	uint32_t *hosts;
	size_t count;

	if (!intent_has_hosts(dirty->intent))
		return;
	settle_group(dirty, vpc_id, subnet_id);
	if (!intent_object(dirty->intent, subnet_id)) {
		mark_lost_tunnels(dirty, subnet_id);
		mark_objects(dirty, UNIT_TUNNEL_OBJECT, vpc_id, OBJECT_TUNNEL);
		return;
	}
	count = intent_hosts_of_vpc(dirty->intent, vpc_id, &hosts);
	for (size_t i = 0; i < count; i++) {
		const struct planner_peer *peer =
			planner_find_peer(dirty->planner, vpc_id, 0, hosts[i]);

		if (peer && peer->lives)
			mark_tunnel(dirty, subnet_id, hosts[i]);
	}
	free(hosts);
	/* One of the subnets carries what goes to tunnels without a subnet. */
	mark_objects(dirty, UNIT_TUNNEL_OBJECT, vpc_id, OBJECT_TUNNEL);
}

void mark_router(struct dirty *dirty, uint32_t vpc_id)
{
	const struct object **subnets;
	size_t count = intent_list(dirty->intent, vpc_id, OBJECT_SUBNET, &subnets);

	mark_objects(dirty, UNIT_SUBNET, vpc_id, OBJECT_SUBNET);
	for (size_t i = 0; i < count; i++)
		mark_subnet_tunnels(dirty, vpc_id, subnets[i]->id);
	free(subnets);
	mark_generation(dirty, vpc_id);
}

void mark_taps(struct dirty *dirty, uint32_t subnet_id)
{
	const struct object *subnet = intent_object(dirty->intent, subnet_id);
	bool had = map_get_u32(&dirty->planner->taps, subnet_id) != NULL;
	bool has = subnet && intent_has_taps(dirty->intent, "", subnet_id);

	if (had == has)
		return;
	if (has)
		map_put_u32(&dirty->planner->taps, subnet_id, dirty->planner);
	else
		map_remove_u32(&dirty->planner->taps, subnet_id);
	if (subnet)
		mark_subnet_tunnels(dirty, subnet->vpc_id, subnet_id);
}

/* ---- MTU ---- */

void mark_peers(struct dirty *dirty, uint32_t vpc_id)
{
	MAP_FOR_EACH(&dirty->planner->peers, it) {
		const struct planner_peer *peer = it.value;

		if (peer->peer.vpc_id == vpc_id && peer->lives)
			mark_kind(dirty, UNIT_PEER, peer->peer.id);
	}
}

/* Whether what comes from others is taken apart first stands in the rows of every subnet. */
static void mark_tunnels(struct dirty *dirty, uint32_t vpc_id)
{
	const struct object **subnets;
	size_t count = intent_list(dirty->intent, vpc_id, OBJECT_SUBNET, &subnets);

	for (size_t i = 0; i < count; i++)
		mark_subnet_tunnels(dirty, vpc_id, subnets[i]->id);
	free(subnets);
}

void mark_mtu(struct dirty *dirty, uint32_t vpc_id)
{
	uint32_t had = (uint32_t)(uintptr_t)map_get_u32(&dirty->planner->mtus, vpc_id);
	uint32_t has;

	if (!intent_object(dirty->intent, vpc_id)) {
		map_remove_u32(&dirty->planner->mtus, vpc_id);
		return;
	}
	has = intent_vpc_mtu(dirty->intent, vpc_id) |
	      (intent_vpc_offloads(dirty->intent, vpc_id) ? 0 : NO_OFFLOADS);
	if (had == has)
		return;
	map_put_u32(&dirty->planner->mtus, vpc_id, (void *)(uintptr_t)has);
	if ((had ^ has) & NO_OFFLOADS)
		mark_tunnels(dirty, vpc_id);
	mark_objects(dirty, UNIT_PORT, vpc_id, OBJECT_PORT);
	mark_objects(dirty, UNIT_TUNNEL_OBJECT, vpc_id, OBJECT_TUNNEL);
	mark_peers(dirty, vpc_id);
	if (had)
		mark_generation(dirty, vpc_id);
}

/* ---- hosts ---- */

static void mark_all_tunnels(struct dirty *dirty)
{
	MAP_FOR_EACH(&dirty->planner->tunnels, it) {
		const struct planner_tunnel *tunnel = it.value;

		mark_kind(dirty, UNIT_TUNNEL, tunnel->number);
	}
	mark_kind(dirty, UNIT_UNDERLAY, 0);
}

/* All VPCs, after the first host came or the last one went, or this one did. */
static void settle_everything(struct dirty *dirty)
{
	const struct object **vpcs;
	size_t count = intent_list(dirty->intent, 0, OBJECT_VPC, &vpcs);

	for (size_t i = 0; i < count; i++) {
		own_part_moved(dirty, vpcs[i]->id);
		settle_own(dirty, vpcs[i]->id);
	}
	free(vpcs);
	mark_all_tunnels(dirty);
}

void mark_everything_between(struct dirty *dirty)
{
	if (intent_has_hosts(dirty->intent))
		settle_everything(dirty);
	MAP_FOR_EACH(&dirty->planner->peers_of_host, it)
		mark_kind(dirty, UNIT_HOST, *(const uint32_t *)it.key);
	MAP_FOR_EACH(&dirty->planner->peers, it) {
		const struct planner_peer *peer = it.value;

		if (peer->lives)
			mark_kind(dirty, UNIT_PEER, peer->peer.id);
	}
}

static void mark_tunnel_objects(struct dirty *dirty)
{
	const struct object **vpcs;
	size_t count = intent_list(dirty->intent, 0, OBJECT_VPC, &vpcs);

	for (size_t i = 0; i < count; i++)
		mark_objects(dirty, UNIT_TUNNEL_OBJECT, vpcs[i]->id, OBJECT_TUNNEL);
	free(vpcs);
}

void dirty_host(struct dirty *dirty, const struct change *change)
{
	const struct object *either = change->after ? change->after : change->before;
	bool apart = intent_has_hosts(dirty->intent),
	     own = intent_is_local(dirty->intent, either->name);
	const struct object **vpcs;
	size_t count;
	uint32_t *vpc_ids;

	mark_kind(dirty, UNIT_HOST, either->id);
	if (apart != dirty->planner->apart || (own && (!change->before || !change->after))) {
		dirty->planner->apart = apart;
		settle_everything(dirty);
	} else if (own) {
		mark_all_tunnels(dirty);
		mark_tunnel_objects(dirty);
	} else {
		count = intent_vpcs_of_host(dirty->intent, either->name, &vpc_ids);
		for (size_t i = 0; i < count; i++) {
			settle_peer(dirty, vpc_ids[i], 0, either->id,
				    is_peer(dirty, vpc_ids[i], change->after));
			if (planner_find_peer(dirty->planner, vpc_ids[i], 0, either->id))
				mark_tunnels_to(dirty, vpc_ids[i], either->id);
		}
		free(vpc_ids);
	}
	count = intent_list(dirty->intent, 0, OBJECT_VPC, &vpcs);
	for (size_t i = 0; i < count; i++) {
		mark_mtu(dirty, vpcs[i]->id);
		settle_wires(dirty, vpcs[i]->id);
	}
	free(vpcs);
}

/* ---- tunnel objects ---- */

void dirty_tunnel(struct dirty *dirty, const struct change *change)
{
	const struct tunnel_object *before = (const struct tunnel_object *)change->before;
	const struct tunnel_object *after = (const struct tunnel_object *)change->after;
	const struct tunnel_object *either = after ? after : before;

	mark_kind(dirty, UNIT_TUNNEL_OBJECT, either->object.id);
	mark_kind(dirty, UNIT_UNDERLAY, 0);
	if (before)
		mark_part(dirty, either->object.vpc_id, before->host);
	if (after)
		mark_part(dirty, either->object.vpc_id, after->host);
	if (before)
		mark_generation(dirty, either->object.vpc_id);
}
