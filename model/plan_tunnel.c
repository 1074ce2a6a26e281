/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows between hosts: peers, tunnels, who may send what, and whose addresses these are.
 *
 * A subnet and another host of its VPC make one tunnel: the row to send by, and the row that lets that
 * host send the segment here. Which encapsulation carries it both hosts find out by themselves
 * (carrier_choose()), and find the same. A peer stands for all of a VPC that is on another host. A
 * segment that floods to a group of the underlay has one more tunnel, to the group, and a peer for
 * ends that are not Weft.
 *
 * A tunnel object belongs to its host. There it is a port behind a tunnel to the foreign end; other
 * hosts reach it as they reach any port of that host. One that routes is in no subnet: others lead packets
 * to its MAC in a subnet of the VPC that carries Ethernet.
 *
 * Neighbours: plan.c (units of one host), planner_tunnels.c (numbers), encapsulation.c (the choice).
 */
#include <arpa/inet.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "model/encapsulation.h"
#include "model/plan_private.h"

static bool is_set(const struct ip_address *address)
{
	static const struct ip_address zero;

	return !ip_address_equal(address, &zero);
}

static const struct host_object *host_by_id(const struct plan *plan, uint32_t host_id)
{
	return (const struct host_object *)object_of(plan->intent, host_id, OBJECT_HOST);
}

static uint32_t peer_slot(const struct plan *plan, uint32_t vpc_id, uint32_t host_id)
{
	return plan->host->peer_slot ? plan->host->peer_slot(plan->host->context, vpc_id, host_id)
				     : 0;
}

static uint32_t vpc_slot(const struct plan *plan, uint32_t vpc_id)
{
	return plan->host->vpc_slot(plan->host->context, vpc_id);
}

struct mac_address plan_mac(uint32_t tunnel_id)
{
	struct mac_address mac = { { 0x06, 0x58, (uint8_t)(tunnel_id >> 24),
				     (uint8_t)(tunnel_id >> 16), (uint8_t)(tunnel_id >> 8),
				     (uint8_t)tunnel_id } };

	return mac;
}

/* ---- other hosts ---- */

void plan_other_host(const struct plan *plan, uint32_t host_id)
{
	const struct host_object *host = host_by_id(plan, host_id);

	if (!host || !map_get_u32(&plan->planner->peers_of_host, host_id))
		return;
	for (size_t i = 0; i < host->address_count; i++) {
		struct vtep_key key = { .address = address_row(&host->addresses[i].address) };
		struct vtep row = { .host_id = host_id };

		rows_add(plan->rows, TABLE_vteps, &key, &row);
	}
}

/* Whether what a peer is a part of is still there, so that it may live again. */
static bool has_scope(const struct plan *plan, const struct planner_peer *peer)
{
	uint32_t scope = peer->subnet_id ? peer->subnet_id : peer->peer.vpc_id;

	return intent_object(plan->intent, scope) &&
	       (peer->subnet_id || host_by_id(plan, peer->peer.host_id));
}

uint32_t plan_peer_slot(const struct plan *plan, const struct planner_peer *peer)
{
	if (peer->peer.host_id)
		return peer_slot(plan, peer->peer.vpc_id, peer->peer.host_id);
	return plan->host->tunnel_slot ? plan->host->tunnel_slot(plan->host->context, peer->peer.id)
				       : 0;
}

static void plan_live_peer(const struct plan *plan, const struct planner_peer *peer,
			   const struct vpc_object *vpc)
{
	struct port_key key = { .port_id = peer->peer.id };
	struct port row = {
		.vpc_id = vpc->object.id,
		.vpc_slot = vpc_slot(plan, vpc->object.id),
		.port_slot = plan_peer_slot(plan, peer),
		.subnet_id = peer->subnet_id,
		.kind = PORT_TUNNEL,
		.mtu = intent_vpc_mtu(plan->intent, vpc->object.id),
		.flow_limit = vpc->flow_limit,
		.flow_guarantee = plan->host->flow_guarantee,
		.host_id = peer->peer.host_id,
	};
	const struct object *subnet = object_of(plan->intent, peer->subnet_id, OBJECT_SUBNET);

	if (subnet && segment_is_wire(&((const struct subnet_object *)subnet)->segment))
		plan_wire(plan, peer, (const struct subnet_object *)subnet, &row);
	rows_add(plan->rows, TABLE_ports, &key, &row);
}

void plan_peer(const struct plan *plan, uint32_t peer_id)
{
	struct planner_peer *peer = planner_peer_by_id(plan->planner, peer_id);
	const struct object *vpc;

	if (!peer)
		return;
	vpc = object_of(plan->intent, peer->peer.vpc_id, OBJECT_VPC);
	if (peer->lives && vpc)
		plan_live_peer(plan, peer, (const struct vpc_object *)vpc);
	else if (!has_scope(plan, peer))
		planner_forget_peer(plan->planner, peer);
}

void plan_remote_port(const struct plan *plan, const struct port_object *port,
		      const struct vpc_object *vpc, struct port *row)
{
	const struct host_object *host = intent_host(plan->intent, port->host);
	const struct object *subnet = object_of(plan->intent, port->subnet_id, OBJECT_SUBNET);

	row->kind = PORT_TUNNEL;
	row->vpc_slot = vpc_slot(plan, vpc->object.id);
	/* Counted, and charged, as all of that host together. */
	row->flow_limit = vpc->flow_limit;
	if (!host)
		return;
	row->port_slot = peer_slot(plan, vpc->object.id, host->object.id);
	row->host_id = host->object.id;
	if (subnet && segment_is_wire(&((const struct subnet_object *)subnet)->segment)) {
		plan_wire_port(plan, (const struct subnet_object *)subnet, row);
		return;
	}
	row->tunnel_id =
		planner_take_tunnel(plan->planner, port->subnet_id, host->object.id)->number;
}

/* ---- a subnet to a host ---- */

/* Inner packets that fit into what is known of the way. */
static uint32_t tunnel_mtu(const struct plan *plan, const struct host_object *own,
			   const struct host_object *other, uint32_t overhead)
{
	uint32_t mtu = own->mtu, path = 0;

	if (other) {
		mtu = other->mtu < mtu ? other->mtu : mtu;
		if (plan->host->path_mtu)
			path = plan->host->path_mtu(plan->host->context, other->object.id);
	}
	if (path && path < mtu)
		mtu = path;
	return mtu > overhead ? mtu - overhead : 0;
}

static bool has_key(uint8_t kind)
{
	return kind == TUNNEL_GRE || kind == TUNNEL_GRETAP;
}

/* What a segment's rows have in common, whoever is at the other end. */
static struct tunnel_source
segment_source(const struct plan *plan, const struct subnet_object *subnet, uint8_t kind, bool ipv6)
{
	struct tunnel_source row = {
		.vpc_id = subnet->object.vpc_id,
		.vpc_slot = vpc_slot(plan, subnet->object.vpc_id),
		.subnet_id = subnet->object.id,
	};

	if (subnet->mode == SUBNET_MODE_L2)
		row.flags |= TUNNEL_SOURCE_L2;
	if (intent_has_taps(plan->intent, "", subnet->object.id))
		row.flags |= TUNNEL_SOURCE_TAPS;
	if (!intent_vpc_offloads(plan->intent, subnet->object.vpc_id))
		row.flags |= TUNNEL_SOURCE_ONE_PACKET;
	/* Not as a matter of course: frames of several packets have none (core/tunnel_push.c). */
	if (ipv6 && segment_port(&subnet->segment, kind) &&
	    subnet->segment.udp_checksum == CHECKSUM_ON)
		row.flags |= TUNNEL_SOURCE_CHECKSUM6;
	return row;
}

static struct tunnel_source_key segment_key(const struct segment *segment, uint8_t kind)
{
	return (struct tunnel_source_key){
		.id = encapsulation_has_id(kind) ? segment->id : 0,
		.port = htons(segment_port(segment, kind)),
		.kind = kind,
		.has_id = has_key(kind),
	};
}

static struct tunnel segment_tunnel(const struct segment *segment, uint8_t kind, bool ipv6)
{
	return (struct tunnel){
		.kind = kind,
		.flags = segment_flags(segment, kind, ipv6),
		.id = encapsulation_has_id(kind) ? segment->id : 0,
		.destination_port = htons(segment_port(segment, kind)),
		.ttl = segment->ttl,
		.dscp = segment->dscp,
	};
}

static void add_tunnel(const struct plan *plan, const struct tunnel_key *key, struct tunnel *row,
		       const struct ip_address *local)
{
	if (plan_is_shared_by(plan, local))
		row->flags |= TUNNEL_SHAPED;
	rows_add(plan->rows, TABLE_tunnels, key, row);
}

static bool has_group(const struct subnet_object *subnet)
{
	return subnet->mode == SUBNET_MODE_L2 && subnet->segment.type == SEGMENT_OVERLAY &&
	       is_set(&subnet->segment.group);
}

static void plan_segment_to(const struct plan *plan, struct planner_tunnel *tunnel,
			    const struct subnet_object *subnet, const struct planner_peer *peer,
			    const struct carrier *carrier)
{
	const struct segment *segment = &subnet->segment;
	const struct host_object *other = host_by_id(plan, tunnel->host_id);
	struct tunnel_key key = { .tunnel_id = tunnel->number };
	struct tunnel row = segment_tunnel(segment, carrier->kind, carrier->ipv6);
	struct tunnel_source_key source_key = segment_key(segment, carrier->kind);
	struct tunnel_source source = segment_source(plan, subnet, carrier->kind, carrier->ipv6);
	struct tunnel_use use = { .kind = carrier->kind, .local = carrier->local };

	row.local = source_key.local = address_row(&carrier->local);
	row.remote = source_key.remote = address_row(&carrier->remote);
	row.mtu = tunnel_mtu(plan, intent_own_host(plan->intent), other,
			     encapsulation_overhead(carrier->kind, carrier->ipv6, row.flags));
	row.port_id = source.port_id = peer->peer.id;
	row.port_slot = source.port_slot = peer_slot(plan, peer->peer.vpc_id, peer->peer.host_id);
	source.host_id = tunnel->host_id;
	if (other == intent_router(plan->intent, subnet->object.vpc_id))
		source.flags |= TUNNEL_SOURCE_ROUTER;
	source.tunnel_id = tunnel->number;
	use.port = segment_port(segment, carrier->kind);
	add_tunnel(plan, &key, &row, &carrier->local);
	rows_add(plan->rows, TABLE_tunnel_sources, &source_key, &source);
	/* Its floods come to the group. */
	if (has_group(subnet) && carrier->kind == segment->encapsulation) {
		source_key.local = address_row(&segment->group);
		rows_add(plan->rows, TABLE_tunnel_sources, &source_key, &source);
	}
	planner_use(plan->planner, tunnel, &use);
}

/* ---- a segment's group ---- */

static void plan_group(const struct plan *plan, struct planner_tunnel *tunnel,
		       const struct subnet_object *subnet, const struct planner_peer *peer)
{
	const struct segment *segment = &subnet->segment;
	const struct host_object *own = intent_own_host(plan->intent);
	uint8_t kind = segment->encapsulation;
	bool ipv6 = !ip_address_is_ipv4(&segment->group);
	const struct ip_address *local = own ? host_address(own, segment, ipv6) : NULL;
	struct tunnel_key key = { .tunnel_id = tunnel->number };
	struct tunnel row = segment_tunnel(segment, kind, ipv6);
	struct tunnel_source_key source_key = segment_key(segment, kind);
	struct tunnel_source source = segment_source(plan, subnet, kind, ipv6);
	struct tunnel_use use = { .kind = kind, .group = segment->group };

	if (!local)
		return;
	use.local = *local;
	use.port = segment_port(segment, kind);
	planner_use(plan->planner, tunnel, &use);
	row.local = address_row(local);
	row.remote = address_row(&segment->group);
	row.flags |= TUNNEL_MULTICAST;
	row.mtu = tunnel_mtu(plan, own, NULL, encapsulation_overhead(kind, ipv6, row.flags));
	row.port_id = source.port_id = peer->peer.id;
	row.port_slot = source.port_slot = plan_peer_slot(plan, peer);
	if (plan->host->underlay_ifindex)
		row.ifindex = plan->host->underlay_ifindex(plan->host->context, local);
	add_tunnel(plan, &key, &row, local);
	source.tunnel_id = tunnel->number;
	if (!segment->vteps.length)
		return;
	/* Ends that are not Weft send to the group, and straight to here. */
	source.flags |= TUNNEL_SOURCE_LEARN;
	source.allowed = address_row(&segment->vteps.address);
	source.allowed_length = segment->vteps.length;
	source_key.local = address_row(&segment->group);
	rows_add(plan->rows, TABLE_tunnel_sources, &source_key, &source);
	source_key.local = address_row(local);
	rows_add(plan->rows, TABLE_tunnel_sources, &source_key, &source);
}

void plan_tunnel(const struct plan *plan, uint32_t tunnel_number)
{
	struct planner_tunnel *tunnel = planner_tunnel_by_number(plan->planner, tunnel_number);
	const struct host_object *own = intent_own_host(plan->intent), *other;
	const struct subnet_object *subnet;
	const struct planner_peer *peer;
	struct carrier carrier;

	/* That of a tunnel object is planned with the object. */
	if (!tunnel || object_of(plan->intent, tunnel->subject_id, OBJECT_TUNNEL))
		return;
	subnet = (const struct subnet_object *)object_of(plan->intent, tunnel->subject_id,
							 OBJECT_SUBNET);
	if (!subnet) {
		planner_forget_tunnel(plan->planner, tunnel);
		return;
	}
	planner_use(plan->planner, tunnel, NULL);
	if (!own || !planner_is_here(plan->intent, subnet->object.vpc_id))
		return;
	peer = planner_find_peer(plan->planner, subnet->object.vpc_id,
				 tunnel->host_id ? 0 : subnet->object.id, tunnel->host_id);
	if (!peer || !peer->lives)
		return;
	if (!tunnel->host_id && segment_is_wire(&subnet->segment))
		return;
	if (!tunnel->host_id) {
		plan_group(plan, tunnel, subnet, peer);
		return;
	}
	other = host_by_id(plan, tunnel->host_id);
	if (!other)
		return;
	carrier = carrier_choose(subnet, own, other);
	if (carrier.kind)
		plan_segment_to(plan, tunnel, subnet, peer, &carrier);
}

/* ---- floods ---- */

static void flood_add(const struct plan *plan, uint32_t subnet_id, uint32_t index, uint32_t port_id,
		      uint32_t tunnel_number)
{
	struct flood_key key = { .subnet_id = subnet_id, .index = index };
	struct flood row = { .port_id = port_id, .tunnel_id = tunnel_number };

	rows_add(plan->rows, TABLE_floods, &key, &row);
}

/* Tunnel objects of this host that are members. */
static uint32_t flood_objects(const struct plan *plan, uint32_t subnet_id, uint32_t index)
{
	uint32_t *ids, begin = index;
	size_t count = intent_tunnels_of_subnet(plan->intent, subnet_id, &ids);

	for (size_t i = 0; i < count; i++) {
		const struct tunnel_object *tunnel =
			(const struct tunnel_object *)intent_object(plan->intent, ids[i]);

		if (intent_is_local(plan->intent, tunnel->host))
			flood_add(plan, subnet_id, index++, ids[i],
				  planner_take_tunnel(plan->planner, ids[i], 0)->number);
	}
	free(ids);
	return index - begin;
}

/* ---- the VPC's router ---- */

void plan_router(const struct plan *plan, const struct subnet_object *subnet, struct subnet *row)
{
	const struct vpc_object *vpc = (const struct vpc_object *)object_of(
		plan->intent, subnet->object.vpc_id, OBJECT_VPC);
	const struct host_object *router = intent_router(plan->intent, subnet->object.vpc_id);
	const struct planner_peer *peer;

	if (!vpc || !vpc->router[0] || !intent_has_hosts(plan->intent))
		return;
	if (router && router == intent_own_host(plan->intent)) {
		row->flags |= SUBNET_ROUTES_ALL;
		return;
	}
	row->flags |= SUBNET_ROUTED_AWAY;
	row->router_host_id = router ? router->object.id : 0;
	peer = router ? planner_find_peer(plan->planner, vpc->object.id, 0, router->object.id)
		      : NULL;
	if (!peer || !peer->lives || subnet->segment.type != SEGMENT_OVERLAY ||
	    (plan->host->host_away &&
	     plan->host->host_away(plan->host->context, router->object.id)))
		return;
	row->router_port_id = peer->peer.id;
	row->router_tunnel_id =
		planner_take_tunnel(plan->planner, subnet->object.id, router->object.id)->number;
}

uint32_t plan_flood_tunnels(const struct plan *plan, const struct subnet_object *subnet,
			    uint32_t index)
{
	const struct host_object *own = intent_own_host(plan->intent);
	uint32_t id = subnet->object.id, vpc_id = subnet->object.vpc_id, begin = index;
	uint32_t *hosts;
	size_t count;

	if (!own)
		return 0;
	index += flood_objects(plan, id, index);
	if (segment_is_wire(&subnet->segment)) {
		struct flood_key key = { .subnet_id = id, .index = index };
		struct flood row;

		if (plan_wire_member(plan, subnet, &row)) {
			rows_add(plan->rows, TABLE_floods, &key, &row);
			index++;
		}
	}
	if (subnet->segment.type != SEGMENT_OVERLAY)
		return index - begin;
	if (has_group(subnet)) {
		flood_add(plan, id, index++,
			  planner_take_peer(plan->planner, vpc_id, id, 0)->peer.id,
			  planner_take_tunnel(plan->planner, id, 0)->number);
		return index - begin;
	}
	count = intent_hosts_of_subnet(plan->intent, id, &hosts);
	for (size_t i = 0; i < count; i++)
		if (hosts[i] != own->object.id)
			flood_add(plan, id, index++,
				  planner_take_peer(plan->planner, vpc_id, 0, hosts[i])->peer.id,
				  planner_take_tunnel(plan->planner, id, hosts[i])->number);
	free(hosts);
	return index - begin;
}

/* ---- tunnel objects ---- */

/* The subnet in which other hosts lead packets to a tunnel that is in none. */
static const struct subnet_object *carrier_subnet(const struct plan *plan, uint32_t vpc_id)
{
	const struct object **subnets;
	size_t count = intent_list(plan->intent, vpc_id, OBJECT_SUBNET, &subnets);
	const struct subnet_object *first = NULL;

	for (size_t i = 0; i < count; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)subnets[i];

		if (subnet->segment.type == SEGMENT_OVERLAY &&
		    encapsulation_has_ethernet(subnet->segment.encapsulation) &&
		    (!first || subnet->object.id < first->object.id))
			first = subnet;
	}
	free(subnets);
	return first;
}

static uint32_t object_flags(const struct tunnel_object *object)
{
	uint32_t flags = TUNNEL_OBJECT;

	flags |= object->copy_dscp ? TUNNEL_COPY_DSCP : 0;
	flags |= tunnel_has_checksum(object) ? TUNNEL_CHECKSUM : 0;
	flags |= object->sequence ? TUNNEL_SEQUENCE : 0;
	if (object->erspan)
		return flags | TUNNEL_ERSPAN | TUNNEL_SEQUENCE |
		       (object->erspan == 3 ? TUNNEL_ERSPAN3 : 0);
	return flags | (object->has_id && has_key(object->encapsulation) ? TUNNEL_KEY : 0);
}

/* The host's own address of the tunnel; NULL: it has none any more. */
static const struct ip_address *local_end(const struct host_object *host,
					  const struct tunnel_object *object)
{
	for (size_t i = 0; i < host->address_count; i++) {
		const struct ip_address *address = &host->addresses[i].address;

		if (is_set(&object->local)
			    ? ip_address_equal(address, &object->local)
			    : ip_address_is_ipv4(address) == ip_address_is_ipv4(&object->remote))
			return address;
	}
	return NULL;
}

static void plan_object_end(const struct plan *plan, const struct tunnel_object *object,
			    const struct ip_address *local, struct port *port)
{
	struct planner_tunnel *tunnel = planner_take_tunnel(plan->planner, object->object.id, 0);
	uint16_t udp = object->port ? object->port : encapsulation_port(object->encapsulation);
	bool ipv6 = !ip_address_is_ipv4(&object->remote);
	uint32_t overhead =
		encapsulation_overhead(object->encapsulation, ipv6, object_flags(object));
	struct tunnel_key key = { .tunnel_id = tunnel->number };
	struct tunnel row = {
		.local = address_row(local),
		.remote = address_row(&object->remote),
		.kind = object->encapsulation,
		.flags = object_flags(object),
		.id = object->id,
		.mtu = tunnel_mtu(plan, intent_own_host(plan->intent), NULL, overhead),
		.port_id = object->object.id,
		.port_slot = port->port_slot,
		.destination_port = htons(udp),
		.ttl = object->ttl,
		.dscp = object->dscp,
		.hardware_id = object->hardware_id,
	};
	struct tunnel_source_key source_key = {
		.remote = row.remote,
		.local = row.local,
		.id = object->id,
		.port = htons(udp),
		.kind = object->encapsulation,
		.has_id = object->has_id && has_key(object->encapsulation),
	};
	struct tunnel_source source = {
		.vpc_id = port->vpc_id,
		.vpc_slot = port->vpc_slot,
		.subnet_id = object->subnet_id,
		.port_id = object->object.id,
		.port_slot = port->port_slot,
		.flags = TUNNEL_SOURCE_OBJECT,
		.tunnel_id = tunnel->number,
	};
	const struct tunnel_use use = {
		.kind = object->encapsulation,
		.port = udp,
		.local = *local,
		.remote = object->remote,
	};

	if (object->mtu && object->mtu < row.mtu)
		row.mtu = object->mtu;
	source.flags |= object->sequence ? TUNNEL_SOURCE_SEQUENCE : 0;
	source.flags |= object->subnet_id ? TUNNEL_SOURCE_L2 : 0;
	source.flags |= ipv6 && udp && tunnel_has_checksum(object) ? TUNNEL_SOURCE_CHECKSUM6 : 0;
	row.flags |= ipv6 && udp && tunnel_has_checksum(object) ? TUNNEL_CHECKSUM6 : 0;
	if (object->subnet_id && intent_has_taps(plan->intent, "", object->subnet_id))
		source.flags |= TUNNEL_SOURCE_TAPS;
	if (!intent_vpc_offloads(plan->intent, object->object.vpc_id))
		source.flags |= TUNNEL_SOURCE_ONE_PACKET;
	add_tunnel(plan, &key, &row, local);
	if (!object->mirror)
		rows_add(plan->rows, TABLE_tunnel_sources, &source_key, &source);
	port->tunnel_id = tunnel->number;
	port->mtu = row.mtu;
	planner_use(plan->planner, tunnel, &use);
}

static void plan_object_station(const struct plan *plan, const struct tunnel_object *object)
{
	const struct subnet_object *subnet = carrier_subnet(plan, object->object.vpc_id);
	struct station_key key = { 0 };
	struct station row = { .port_id = object->object.id, .flags = STATION_STATIC };
	struct mac_address mac = plan_mac(object->object.id);

	if (!subnet || object->subnet_id || object->mirror)
		return;
	key.subnet_id = subnet->object.id;
	memcpy(key.mac, mac.byte, sizeof(key.mac));
	rows_add(plan->rows, TABLE_stations, &key, &row);
}

/* Here: a port behind a tunnel to its end. Return: whether it has rows. */
static bool plan_own_object(const struct plan *plan, const struct tunnel_object *object,
			    struct port *row)
{
	const struct host_object *own = intent_own_host(plan->intent);
	const struct ip_address *local = own ? local_end(own, object) : NULL;

	if (!local)
		return false;
	row->host_id = own->object.id;
	if (plan->host->tunnel_slot)
		row->port_slot = plan->host->tunnel_slot(plan->host->context, object->object.id);
	plan_object_end(plan, object, local, row);
	plan_object_station(plan, object);
	return true;
}

/* Elsewhere: behind the tunnel to its host, in its own subnet or in the one that carries it. */
static bool plan_other_object(const struct plan *plan, const struct tunnel_object *object,
			      struct port *row)
{
	const struct host_object *host = intent_host(plan->intent, object->host);
	const struct subnet_object *subnet = carrier_subnet(plan, object->object.vpc_id);
	uint32_t subnet_id = object->subnet_id;

	if (!subnet_id && subnet)
		subnet_id = subnet->object.id;
	if (!host)
		return false;
	row->host_id = host->object.id;
	row->port_slot = peer_slot(plan, object->object.vpc_id, host->object.id);
	if (subnet_id)
		row->tunnel_id =
			planner_take_tunnel(plan->planner, subnet_id, host->object.id)->number;
	row->mtu = intent_vpc_mtu(plan->intent, object->object.vpc_id);
	return true;
}

void plan_tunnel_object(const struct plan *plan, uint32_t object_id)
{
	const struct tunnel_object *object =
		(const struct tunnel_object *)object_of(plan->intent, object_id, OBJECT_TUNNEL);
	struct port_key key = { .port_id = object_id };
	struct mac_address mac = plan_mac(object_id);
	const struct vpc_object *vpc;
	struct port row = { .kind = PORT_TUNNEL };
	bool planned;

	if (!object) {
		planner_forget_tunnel(plan->planner,
				      planner_take_tunnel(plan->planner, object_id, 0));
		return;
	}
	planner_use(plan->planner, planner_take_tunnel(plan->planner, object_id, 0), NULL);
	if (!planner_is_here(plan->intent, object->object.vpc_id))
		return;
	vpc = (const struct vpc_object *)object_of(plan->intent, object->object.vpc_id, OBJECT_VPC);
	if (!vpc)
		return;
	row.vpc_id = vpc->object.id;
	row.vpc_slot = vpc_slot(plan, vpc->object.id);
	row.subnet_id = object->subnet_id;
	row.flow_limit = vpc->flow_limit;
	row.flow_guarantee = plan->host->flow_guarantee;
	memcpy(row.mac, mac.byte, sizeof(row.mac));
	if (object->filtered)
		row.group_set_id =
			planner_group_set(plan->planner, object->group_ids, object->group_count);
	else
		row.flags |= PORT_UNFILTERED;
	planned = intent_is_local(plan->intent, object->host)
			  ? plan_own_object(plan, object, &row)
			  : plan_other_object(plan, object, &row);
	if (planned)
		rows_add(plan->rows, TABLE_ports, &key, &row);
}

/* ---- what all share ---- */

static uint32_t kinds_at(const struct map *ends, const struct ip_address *address)
{
	const struct taken_end *end = map_get(ends, address, sizeof(*address));
	uint32_t kinds = 0;

	for (uint8_t kind = 0; end && kind < TUNNEL_KINDS; kind++)
		if (end->kinds[kind] && !encapsulation_port(kind))
			kinds |= 1u << kind;
	return kinds;
}

void plan_underlay(const struct plan *plan)
{
	const struct planner *planner = plan->planner;
	const struct host_object *own = intent_own_host(plan->intent);

	for (size_t i = 0; own && i < own->address_count; i++) {
		const struct ip_address *address = &own->addresses[i].address;
		struct vtep_key key = { .address = address_row(address) };
		struct vtep row = {
			.host_id = own->object.id,
			.flags = VTEP_LOCAL,
			.kinds = kinds_at(&planner->taken_locals, address),
		};

		rows_add(plan->rows, TABLE_vteps, &key, &row);
	}
	MAP_FOR_EACH(&planner->taken_groups, it) {
		const struct taken_end *end = it.value;
		struct vtep_key key = { .address = address_row(&end->address) };
		struct vtep row = { .flags = VTEP_LOCAL,
				    .kinds = kinds_at(&planner->taken_groups, &end->address) };

		rows_add(plan->rows, TABLE_vteps, &key, &row);
	}
	MAP_FOR_EACH(&planner->taken_remotes, it) {
		const struct taken_end *end = it.value;
		struct vtep_key key = { .address = address_row(&end->address) };
		struct vtep row = { 0 };

		rows_add(plan->rows, TABLE_vteps, &key, &row);
	}
	MAP_FOR_EACH(&planner->taken_ports, it) {
		const struct taken_port *port = it.value;
		struct tunnel_port_key key = { .port = htons(port->port) };
		struct tunnel_port row = { .kind = port->kind };

		rows_add(plan->rows, TABLE_tunnel_ports, &key, &row);
	}
}
