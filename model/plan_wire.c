/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of networks outside: a subnet that is a segment of an Ethernet that hosts have uplinks to.
 *
 * The wire is a peer of the subnet (host 0), with a row in ports as a member like others, and one in wires
 * that says which frames of the uplink are its own. Ports of other hosts are behind it. Each host's
 * gateways send by a MAC of that host: switches learn where a MAC is, and one that several hosts send
 * from would move with each frame. Only the one host that answers for the gateway on the wire uses its MAC.
 *
 * Neighbours: plan_tunnel.c (the same for overlays), dirty_tunnels.c, core/wire.c.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "model/plan_private.h"

#define TYPE_VLAN 0x8100
#define TYPE_SERVICE 0x88a8

/* The device here that leads to the network of a segment; 0: there is none now. */
static uint32_t uplink_of(const struct plan *plan, const struct subnet_object *subnet)
{
	const struct segment *segment = &subnet->segment;
	const struct host_object *own = intent_own_host(plan->intent);
	const char *ifname = own ? host_uplink(own, segment->network) : NULL;

	struct mac_address mac;

	if (segment_is_stacked(segment))
		return plan->host->stack_ifindex
			       ? plan->host->stack_ifindex(plan->host->context, subnet->object.id,
							   &mac)
			       : 0;
	return ifname && plan->host->uplink_ifindex
		       ? plan->host->uplink_ifindex(plan->host->context, ifname)
		       : 0;
}

static struct planner_peer *wire_of(const struct plan *plan, const struct subnet_object *subnet)
{
	struct planner_peer *peer =
		planner_find_peer(plan->planner, subnet->object.vpc_id, subnet->object.id, 0);

	return peer && peer->lives ? peer : NULL;
}

/* What the gateways of a host send by. */
static struct mac_address router_mac(const struct plan *plan, const struct subnet_object *subnet,
				     const struct host_object *host)
{
	struct mac_address mac;

	if (segment_is_stacked(&subnet->segment) && host == intent_own_host(plan->intent) &&
	    plan->host->stack_ifindex &&
	    plan->host->stack_ifindex(plan->host->context, subnet->object.id, &mac))
		return mac;
	if (segment_shares_mac(&subnet->segment) && host == intent_own_host(plan->intent) &&
	    plan->host->uplink_mac &&
	    plan->host->uplink_mac(plan->host->context, host_uplink(host, subnet->segment.network),
				   &mac))
		return mac;
	if (intent_wire_router(plan->intent, subnet) == host)
		return subnet_gateway_mac(subnet);
	return host_router_mac(host);
}

uint32_t plan_wire_member(const struct plan *plan, const struct subnet_object *subnet,
			  struct flood *row)
{
	const struct planner_peer *peer = wire_of(plan, subnet);

	if (!peer)
		return 0;
	*row = (struct flood){ .port_id = peer->peer.id };
	return 1;
}

uint32_t plan_wire_flags(const struct plan *plan, const struct subnet_object *subnet)
{
	const struct host_object *own = intent_own_host(plan->intent);
	uint32_t flags = plan_wire_target(plan, subnet) ? SUBNET_WIRE : 0;

	if (own && intent_wire_router(plan->intent, subnet) == own)
		flags |= SUBNET_WIRE_GATEWAY;
	return flags;
}

static void behind_wire(const struct plan *plan, const struct subnet_object *subnet,
			struct port *row)
{
	const struct segment *segment = &subnet->segment;

	row->kind = PORT_WIRE;
	row->ifindex = uplink_of(plan, subnet);
	row->tag = segment->tag;
	if (plan_is_shared(plan, row->ifindex))
		row->flags |= PORT_SHAPED;
	row->flags |= plan_direct_flags(segment);
	if (segment->service_tag)
		row->flags |= PORT_TAG_8021AD;
}

void plan_wire_port(const struct plan *plan, const struct subnet_object *subnet, struct port *row)
{
	const struct planner_peer *peer = wire_of(plan, subnet);

	behind_wire(plan, subnet, row);
	if (!peer)
		return;
	row->port_slot = plan_peer_slot(plan, peer);
	row->tunnel_id = peer->peer.id;
}

/* The other hosts' gateways, as they may be heard on the wire. Return: there is another host. */
static bool plan_routers(const struct plan *plan, const struct planner_peer *peer,
			 const struct subnet_object *subnet)
{
	const struct host_object *own = intent_own_host(plan->intent);
	const struct object **hosts;
	size_t count = intent_list(plan->intent, 0, OBJECT_HOST, &hosts);
	bool others = false;

	for (size_t i = 0; i < count; i++) {
		const struct host_object *host = (const struct host_object *)hosts[i];
		struct station_key key = { .subnet_id = subnet->object.id };
		struct station row = { .port_id = peer->peer.id,
				       .flags = STATION_STATIC | STATION_ROUTER };
		struct mac_address mac;

		if (!host_uplink(host, subnet->segment.network))
			continue;
		/* Answers to what this host's gateway has asked come to its own. */
		if (host == own)
			row.flags = STATION_STATIC;
		others |= host != own;
		mac = router_mac(plan, subnet, host);
		memcpy(key.mac, mac.byte, sizeof(key.mac));
		rows_add(plan->rows, TABLE_stations, &key, &row);
	}
	free(hosts);
	return others;
}

uint32_t plan_wire_target(const struct plan *plan, const struct subnet_object *subnet)
{
	const struct planner_peer *peer = segment_is_wire(&subnet->segment) ? wire_of(plan, subnet)
									    : NULL;

	return peer ? peer->peer.id : 0;
}

void plan_wire(const struct plan *plan, const struct planner_peer *peer,
	       const struct subnet_object *subnet, struct port *row)
{
	const struct segment *segment = &subnet->segment;
	const struct host_object *own = intent_own_host(plan->intent);
	struct wire_key key = { .tag = segment->tag };
	struct wire wire = {
		.port_id = peer->peer.id,
		.port_slot = row->port_slot,
		.vpc_slot = row->vpc_slot,
		.flags = WIRE_NETWORK | plan_direct_wire(segment),
		.subnet_id = subnet->object.id,
	};
	struct mac_address mac;

	if (!own)
		return;
	mac = router_mac(plan, subnet, own);
	behind_wire(plan, subnet, row);
	row->flags |= PORT_UNFILTERED;
	/* By the host's routes comes what is from anywhere. */
	if (!(row->flags & PORT_HOST_ROUTED))
		row->flags |= PORT_CHECK_SOURCE;
	memcpy(row->mac, mac.byte, sizeof(row->mac));
	if (!plan_routers(plan, peer, subnet))
		wire.flags |= WIRE_LONE;
	if (!row->ifindex)
		return;
	key.ifindex = row->ifindex;
	if (plan->host->uplink_alone &&
	    plan->host->uplink_alone(plan->host->context, host_uplink(own, segment->network)))
		wire.flags |= WIRE_ALONE;
	if (segment->type == SEGMENT_VLAN)
		key.type = segment->service_tag ? TYPE_SERVICE : TYPE_VLAN;
	rows_add(plan->rows, TABLE_wires, &key, &wire);
}

size_t plan_wire_units(const struct planner *planner, const struct intent *intent,
		       struct unit **units)
{
	size_t count = 0, room = 0;

	*units = NULL;
	MAP_FOR_EACH(&planner->peers, it) {
		const struct planner_peer *peer = it.value;
		const struct object *subnet = peer->lives && peer->subnet_id
						      ? intent_object(intent, peer->subnet_id)
						      : NULL;
		size_t port_count;
		uint32_t *ports;

		if (!subnet || !segment_is_wire(&((const struct subnet_object *)subnet)->segment))
			continue;
		port_count = intent_ports_of_subnet(intent, subnet->id, &ports);
		room = count + port_count + 1;
		*units = xreallocarray(*units, room, sizeof(**units));
		(*units)[count++] = (struct unit){ UNIT_PEER, peer->peer.id };
		for (size_t i = 0; i < port_count; i++)
			(*units)[count++] = (struct unit){ UNIT_PORT, ports[i] };
		free(ports);
	}
	return count;
}
