/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the planner asks of this host: slots, devices, generations, paths; see reconcile.h.
 *
 * Ports, tunnel objects and peers (a VPC as it is on another host) share the slots of port_stats; their ids
 * do not meet, for those of peers begin at PEER_ID_FIRST. Which peers there are is the planner's to say: a
 * peer gets its slot when its unit is planned, and loses it after a plan in which it is gone.
 */
#include <stdlib.h>
#include <string.h>

#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/clock.h"

/* ---- what the planner asks ---- */

static bool host_port_device(void *context, uint32_t port_id, struct port_device *device)
{
	const struct reconcile *reconcile = context;
	uint32_t slot = slots_get(&reconcile->port_slots, port_id);

	if (!slot)
		return false;
	ports_device(reconcile->ports, port_id, device);
	device->slot = slot;
	if (map_get_u32(&reconcile->watched, port_id)) {
		device->attachment_flags |= ATTACHMENT_WATCHED;
		device->port_flags |= PORT_WATCHED;
	}
	return true;
}

static uint32_t host_vpc_slot(void *context, uint32_t vpc_id)
{
	const struct reconcile *reconcile = context;

	return slots_get(&reconcile->vpc_slots, vpc_id);
}

static uint32_t host_vpc_generation(void *context, uint32_t vpc_id)
{
	const struct reconcile *reconcile = context;

	return reconcile->generations[slots_get(&reconcile->vpc_slots, vpc_id)];
}

/* The planner knows the peer's number; here it is found by what it stands for. */
static uint32_t host_peer_slot(void *context, uint32_t vpc_id, uint32_t host_id)
{
	const struct reconcile *reconcile = context;
	const uint32_t key[2] = { vpc_id, host_id };
	uint32_t peer_id = (uint32_t)(uintptr_t)map_get(&reconcile->peers, key, sizeof(key));

	return peer_id ? slots_get(&reconcile->port_slots, peer_id) : 0;
}

static uint32_t host_tunnel_slot(void *context, uint32_t tunnel_id)
{
	const struct reconcile *reconcile = context;

	return slots_get(&reconcile->port_slots, tunnel_id);
}

static uint32_t host_path_mtu(void *context, uint32_t host_id)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster ? cluster->path_mtu(cluster->context, host_id) : 0;
}

static uint32_t host_underlay_ifindex(void *context, const struct ip_address *address)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster ? cluster->underlay_ifindex(cluster->context, address) : 0;
}

static bool host_is_away(void *context, uint32_t host_id)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster && cluster->host_away && cluster->host_away(cluster->context, host_id);
}

static bool host_tunnel_down(void *context, uint32_t tunnel_id)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster && cluster->tunnel_down && cluster->tunnel_down(cluster->context, tunnel_id);
}

static bool host_port_move(void *context, uint32_t port_id, struct port_move *move)
{
	const struct reconcile *reconcile = context;
	const struct port_move *known = map_get_u32(&reconcile->moved, port_id);

	if (known)
		*move = *known;
	return known != NULL;
}

static uint32_t host_uplink_ifindex(void *context, const char *ifname)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster && cluster->uplink_ifindex
		       ? cluster->uplink_ifindex(cluster->context, ifname)
		       : 0;
}

static bool host_uplink_mac(void *context, const char *ifname, struct mac_address *mac)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster && cluster->uplink_mac && cluster->uplink_mac(cluster->context, ifname, mac);
}

static uint32_t host_stack_ifindex(void *context, uint32_t subnet_id, struct mac_address *mac)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster && cluster->stack_ifindex
		       ? cluster->stack_ifindex(cluster->context, subnet_id, mac)
		       : 0;
}

static bool host_uplink_alone(void *context, const char *ifname)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster && cluster->uplink_alone && cluster->uplink_alone(cluster->context, ifname);
}

static bool host_device_shared(void *context, uint32_t ifindex)
{
	const struct reconcile *reconcile = context;
	const struct reconcile_cluster *cluster = reconcile->options.cluster;

	return cluster && cluster->device_shared &&
	       cluster->device_shared(cluster->context, ifindex);
}

void reconcile_host_init(struct reconcile *reconcile)
{
	reconcile->plan_host = (struct plan_host){
		.context = reconcile,
		.port_device = host_port_device,
		.vpc_slot = host_vpc_slot,
		.vpc_generation = host_vpc_generation,
		.peer_slot = host_peer_slot,
		.tunnel_slot = host_tunnel_slot,
		.path_mtu = host_path_mtu,
		.underlay_ifindex = host_underlay_ifindex,
		.port_move = host_port_move,
		.uplink_ifindex = host_uplink_ifindex,
		.device_shared = host_device_shared,
		.uplink_mac = host_uplink_mac,
		.uplink_alone = host_uplink_alone,
		.stack_ifindex = host_stack_ifindex,
		.tunnel_down = host_tunnel_down,
		.host_away = host_is_away,
		.flow_capacity = reconcile->options.flow_capacity,
		.flow_guarantee = reconcile->options.flow_guarantee,
	};
}

/* ---- slots ---- */

/* A slot, if need be after a sweep that lets go of resting ones. */
static uint32_t take_slot(struct reconcile *reconcile, struct slots *slots, uint32_t object_id,
			  bool *fresh)
{
	uint32_t slot = slots_take(slots, object_id, fresh);

	if (!slot && reconcile_sweep(reconcile) == 0)
		slot = slots_take(slots, object_id, fresh);
	if (!slot)
		problems_raise(&reconcile->problems, PROBLEM_TABLES, object_id,
			       "no slot for its counters is free");
	return slot;
}

void reconcile_take_vpc_slot(struct reconcile *reconcile, uint32_t vpc_id)
{
	bool fresh;
	uint32_t slot = take_slot(reconcile, &reconcile->vpc_slots, vpc_id, &fresh);
	struct vpc_stats *stats;

	if (!slot || !fresh)
		return;
	/* Connections of the slot's last owner must not look like this one's. */
	reconcile->generations[slot]++;
	stats = datapath_vpc_stats(reconcile->options.datapath, slot);
	if (stats)
		memset(stats, 0, sizeof(*stats));
}

void reconcile_take_port_slot(struct reconcile *reconcile, uint32_t port_id)
{
	bool fresh;
	uint32_t slot = take_slot(reconcile, &reconcile->port_slots, port_id, &fresh);

	if (slot && fresh)
		datapath_port_clear(reconcile->options.datapath, slot);
}

/*
 * Each port has its guarantee, of half the flow table at most all together; what is left is for all.
 * The datapath reads both numbers for each new connection, so they may move while traffic flows.
 */
void reconcile_share_flows(struct reconcile *reconcile)
{
	struct datapath_state *state = datapath_state(reconcile->options.datapath);
	uint64_t capacity = reconcile->options.flow_capacity;
	uint64_t ports = slots_used(&reconcile->port_slots);
	uint64_t guarantee = reconcile->options.flow_guarantee;

	if (!state)
		return;
	if (ports && guarantee > capacity / 2 / ports)
		guarantee = capacity / 2 / ports;
	__atomic_store_n(&state->flow_guarantee, guarantee, __ATOMIC_RELAXED);
	__atomic_store_n(&state->shared_limit, capacity - ports * guarantee, __ATOMIC_RELAXED);
}

/* ---- ports that have moved ---- */

void reconcile_port_moved(struct reconcile *reconcile, uint32_t port_id, uint32_t from_host_id,
			  uint32_t until)
{
	const uint32_t now = (uint32_t)(clock_monotonic_ns(NULL) >> 20); /* as clock_tick() */
	struct port_move move = { from_host_id, until };

	if (!until)
		move.until = now + MOVED_TICKS ? now + MOVED_TICKS : 1;
	if (move.until - now - 1 < MOVED_TICKS)
		free(map_put_u32(&reconcile->moved, port_id, xmemdup(&move, sizeof(move))));
}

void reconcile_port_stays(struct reconcile *reconcile, uint32_t port_id)
{
	free(map_remove_u32(&reconcile->moved, port_id));
}

void reconcile_end_moves(struct reconcile *reconcile)
{
	const uint32_t now = (uint32_t)(clock_monotonic_ns(NULL) >> 20);
	struct unit *units = xcalloc(map_count(&reconcile->moved), sizeof(*units));
	size_t count = 0;

	MAP_FOR_EACH(&reconcile->moved, it) {
		const struct port_move *move = it.value;

		if (move->until - now - 1 >= MOVED_TICKS)
			units[count++] = (struct unit){ UNIT_PORT, *(const uint32_t *)it.key };
	}
	for (size_t i = 0; i < count; i++)
		reconcile_port_stays(reconcile, units[i].id);
	if (count)
		reconcile_update_units(reconcile, units, count);
	free(units);
}

/* ---- peers ---- */

static void begin_peer(struct reconcile *reconcile, uint32_t peer_id)
{
	struct peer peer;
	uint32_t key[2];

	if (!planner_peer(reconcile->planner, peer_id, &peer))
		return;
	/* Of a segment or a wire there may be several in a VPC. */
	key[0] = peer.host_id ? peer.vpc_id : peer_id;
	key[1] = peer.host_id;
	map_put(&reconcile->peers, key, sizeof(key), (void *)(uintptr_t)peer_id);
	reconcile_take_port_slot(reconcile, peer_id);
}

void reconcile_end_peers(struct reconcile *reconcile)
{
	MAP_FOR_EACH(&reconcile->peers, it) {
		uint32_t peer_id = (uint32_t)(uintptr_t)it.value;
		struct peer peer;

		if (planner_peer(reconcile->planner, peer_id, &peer))
			continue;
		map_remove(&reconcile->peers, it.key, it.key_size);
		slots_give(&reconcile->port_slots, peer_id);
	}
}

size_t reconcile_update_units(struct reconcile *reconcile, const struct unit *units, size_t count)
{
	bool peers = false;
	size_t rows;

	for (size_t i = 0; i < count; i++) {
		if (units[i].kind != UNIT_PEER)
			continue;
		peers = true;
		begin_peer(reconcile, units[i].id);
	}
	rows = tables_update(reconcile->tables, units, count);
	if (peers)
		reconcile_end_peers(reconcile);
	reconcile->counts.rows += rows;
	mirrors_want(reconcile->mirrors, planner_has_mirrors(reconcile->planner));
	return rows;
}

void reconcile_path_changed(struct reconcile *reconcile, uint32_t host_id, bool mtu)
{
	struct unit *units;
	size_t count = plan_path_units(reconcile->planner, host_id, &units), vpc_count;
	const struct object *host = intent_object(reconcile->intent, host_id);
	uint32_t *vpc_ids;

	/* Connections that are there remember what fits, and are judged again. */
	vpc_count = intent_vpcs_of_host(reconcile->intent, "", &vpc_ids);
	units = xreallocarray(units, count + vpc_count + 1, sizeof(*units));
	for (size_t i = 0; mtu && host && i < vpc_count; i++) {
		uint32_t slot = slots_get(&reconcile->vpc_slots, vpc_ids[i]);

		if (!slot || !intent_has_part(reconcile->intent, host->name, vpc_ids[i]))
			continue;
		reconcile->generations[slot]++;
		units[count++] = (struct unit){ UNIT_VPC, vpc_ids[i] };
	}
	reconcile_update_units(reconcile, units, count);
	free(vpc_ids);
	free(units);
}

/* The subnets of one VPC say where its router is, and connections are judged again. */
static void router_changed(struct reconcile *reconcile, uint32_t vpc_id)
{
	const struct object **subnets;
	size_t count = intent_list(reconcile->intent, vpc_id, OBJECT_SUBNET, &subnets);
	struct unit *units = xcalloc(count + 1, sizeof(*units));

	for (size_t i = 0; i < count; i++)
		units[i] = (struct unit){ UNIT_SUBNET, subnets[i]->id };
	units[count] = (struct unit){ UNIT_VPC, vpc_id };
	reconcile->generations[slots_get(&reconcile->vpc_slots, vpc_id)]++;
	reconcile_update_units(reconcile, units, count + 1);
	free(units);
	free(subnets);
}

void reconcile_router_changed(struct reconcile *reconcile, uint32_t host_id)
{
	const struct object *host = intent_object(reconcile->intent, host_id);
	uint32_t *vpc_ids;
	size_t count;

	if (!host || host->kind != OBJECT_HOST || reconcile->blind)
		return;
	count = intent_vpcs_of_host(reconcile->intent, "", &vpc_ids);
	for (size_t i = 0; i < count; i++) {
		const struct host_object *router = intent_router(reconcile->intent, vpc_ids[i]);

		if (router && router->object.id == host_id)
			router_changed(reconcile, vpc_ids[i]);
	}
	free(vpc_ids);
}

void reconcile_tunnel_changed(struct reconcile *reconcile, uint32_t tunnel_id)
{
	const struct object *tunnel = intent_object(reconcile->intent, tunnel_id);
	struct unit *units;
	uint32_t *tables;
	size_t count;

	if (!tunnel || reconcile->blind)
		return;
	count = intent_tables_with_port(reconcile->intent, tunnel_id, &tables);
	units = xcalloc(count + 1, sizeof(*units));
	for (size_t i = 0; i < count; i++)
		units[i] = (struct unit){ UNIT_ROUTE_TABLE, tables[i] };
	/* Connections that go there are judged again. */
	units[count] = (struct unit){ UNIT_VPC, tunnel->vpc_id };
	reconcile->generations[slots_get(&reconcile->vpc_slots, tunnel->vpc_id)]++;
	if (count)
		reconcile_update_units(reconcile, units, count + 1);
	free(units);
	free(tables);
}

void reconcile_underlay_changed(struct reconcile *reconcile)
{
	const struct object **hosts;
	size_t count = intent_list(reconcile->intent, 0, OBJECT_HOST, &hosts);
	const struct unit underlay = { UNIT_UNDERLAY, 0 };

	for (size_t i = 0; i < count; i++)
		reconcile_path_changed(reconcile, hosts[i]->id, true);
	free(hosts);
	reconcile_update_units(reconcile, &underlay, 1);
}

void reconcile_wires_changed(struct reconcile *reconcile)
{
	struct unit *units;
	size_t count = plan_wire_units(reconcile->planner, reconcile->intent, &units);

	reconcile_update_units(reconcile, units, count);
	free(units);
}

void reconcile_shares_changed(struct reconcile *reconcile)
{
	struct unit *units;
	const struct object **vpcs;
	size_t count = plan_shared_units(reconcile->planner, reconcile->intent, &units);
	size_t vpc_count = intent_list(reconcile->intent, 0, OBJECT_VPC, &vpcs);

	units = xreallocarray(units, count + vpc_count + 1, sizeof(*units));
	/* Connections that are there find their new way out. */
	for (size_t i = 0; i < vpc_count; i++) {
		uint32_t slot = slots_get(&reconcile->vpc_slots, vpcs[i]->id);

		if (!slot)
			continue;
		reconcile->generations[slot]++;
		units[count++] = (struct unit){ UNIT_VPC, vpcs[i]->id };
	}
	reconcile_update_units(reconcile, units, count);
	free(vpcs);
	free(units);
}
