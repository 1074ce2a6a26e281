/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of each unit: what the intent looks like in the tables.
 *
 * A unit's rows depend only on the intent, on what the host says of its devices, and on ids that
 * the planner remembers, so planning twice gives the same rows. Where a table finds the longest
 * prefix, families need care: in 128 bits ::/0 covers the IPv4 addresses, but an IPv6 prefix never
 * means them. With such a prefix goes a row for ::ffff:0:0/96 that says "nothing".
 *
 * Neighbours: plan.h (the contract), dirty.c (which units), planner.c (memory), classifier.c.
 */
#include "model/plan.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/plan_private.h"

#define IPV4_LENGTH 96
#define RESOLVER_OFFSET 2   /* V16, V46: of the ranges of a VPC, and of its subnets */
#define QUERY_RESPONSE 10   /* seconds that listeners may take to answer (RFC 3376, 8.3) */
#define TICKS_MAX INT32_MAX /* ticks are compared by signed difference */

/* ---- small things ---- */

static uint32_t ticks_of_seconds(uint32_t seconds)
{
	uint64_t ticks = (uint64_t)seconds * TICKS_PER_SECOND;

	return ticks > TICKS_MAX ? TICKS_MAX : (uint32_t)ticks;
}

static bool address_is_zero(const struct ip_address *address)
{
	static const struct ip_address zero;

	return ip_address_equal(address, &zero);
}

/* Whether an IPv6 prefix would catch IPv4 addresses in a table of 128 bits. */
static bool prefix_swallows_ipv4(const struct ip_prefix *prefix)
{
	static const struct ip_prefix mapped = { .address = { { [10] = 0xff, [11] = 0xff } },
						 .length = IPV4_LENGTH };
	size_t bytes = prefix->length / 8, bits = prefix->length % 8;

	if (prefix->length >= IPV4_LENGTH ||
	    memcmp(prefix->address.byte, mapped.address.byte, bytes) != 0)
		return false;
	return !bits || !((prefix->address.byte[bytes] ^ mapped.address.byte[bytes]) >> (8 - bits));
}

/* ---- vpc ---- */

/* The subnets that multicast is routed between; not more than the check allows. */
static void plan_vpc_multicast(const struct plan *plan, const struct vpc_object *vpc)
{
	struct multicast_subnet_key key = { .vpc_id = vpc->object.id };
	const struct object **subnets;
	size_t count = intent_list(plan->intent, vpc->object.id, OBJECT_SUBNET, &subnets);

	for (size_t i = 0; i < count && key.index < MULTICAST_SUBNETS_MAX; i++) {
		struct multicast_subnet row = { .subnet_id = subnets[i]->id };

		if (!intent_routes_multicast(plan->intent,
					     (const struct subnet_object *)subnets[i]))
			continue;
		rows_add(plan->rows, TABLE_multicast_subnets, &key, &row);
		key.index++;
	}
	free(subnets);
}

static void plan_vpc(const struct plan *plan, const struct vpc_object *vpc)
{
	struct slot_key key = { .slot = plan->host->vpc_slot(plan->host->context, vpc->object.id) };
	struct vpc row = {
		.vpc_id = vpc->object.id,
		.generation = plan->host->vpc_generation(plan->host->context, vpc->object.id),
		.flags = vpc->established == ESTABLISHED_CUT ? VPC_CUT : 0,
		.flow_limit = vpc->flow_limit,
	};

	for (size_t i = 0; i < TIMEOUTS; i++)
		row.timeout[i] = ticks_of_seconds(vpc->timeouts[i]);
	rows_add(plan->rows, TABLE_vpcs, &key, &row);
	plan_vpc_services(plan, vpc);
	plan_vpc_multicast(plan, vpc);
}

/* ---- subnet ---- */

/* The gateway's addresses are endpoints of no port: the gateways of other subnets are known so. */
static void plan_gateway(const struct plan *plan, const struct subnet_object *subnet,
			 const struct mac_address *mac)
{
	for (size_t family = 0; family < 2; family++) {
		const struct ip_address *gateway = &subnet->gateways[family];
		struct endpoint_key key = { .vpc_id = subnet->object.vpc_id };
		struct endpoint row = { .subnet_id = subnet->object.id };

		if (address_is_zero(gateway) ||
		    intent_address_owner(plan->intent, subnet->object.vpc_id, gateway))
			continue;
		key.address = address_row(gateway);
		memcpy(row.mac, mac->byte, sizeof(row.mac));
		rows_add(plan->rows, TABLE_endpoints, &key, &row);
	}
}

static bool port_is_here(const struct plan *plan, const struct port_object *port,
			 struct port_device *device)
{
	if (port->attach.kind == ATTACH_HOST ||
	    (intent_has_hosts(plan->intent) && !intent_is_local(plan->intent, port->host)))
		return false;
	return plan->host->port_device(plan->host->context, port->object.id, device);
}

/* The ports of this host that get what an l2 subnet floods. Returns how many. */
static uint32_t plan_floods(const struct plan *plan, uint32_t subnet_id)
{
	uint32_t *port_ids, count = 0;
	size_t port_count = intent_ports_of_subnet(plan->intent, subnet_id, &port_ids);

	for (size_t i = 0; i < port_count; i++) {
		struct flood_key key = { .subnet_id = subnet_id, .index = count };
		struct flood row = { .port_id = port_ids[i] };
		struct port_device device;

		if (!port_is_here(plan,
				  (const struct port_object *)intent_object(plan->intent,
									    port_ids[i]),
				  &device))
			continue;
		rows_add(plan->rows, TABLE_floods, &key, &row);
		count++;
	}
	free(port_ids);
	return count;
}

static void acl_orders(const struct acl_object *acl, struct rule_order *egress,
		       struct rule_order *ingress)
{
	memset(egress, 0, sizeof(*egress));
	memset(ingress, 0, sizeof(*ingress));
	rule_order_add(egress, &acl->egress);
	rule_order_add(ingress, &acl->ingress);
}

/* An ACL without rules has classifiers all the same: they match nothing, and so all is denied. */
static void plan_subnet_acl(const struct plan *plan, uint32_t acl_id, struct subnet *row)
{
	const struct object *object = object_of(plan->intent, acl_id, OBJECT_ACL);
	struct rule_order egress, ingress;
	struct acl_state *state;

	if (!object)
		return;
	acl_orders((const struct acl_object *)object, &egress, &ingress);
	state = planner_acl(plan->planner, acl_id);
	row->acl_id = acl_id;
	row->acl_egress = classifier_settle(state->egress, &egress, &plan->planner->ids);
	row->acl_ingress = classifier_settle(state->ingress, &ingress, &plan->planner->ids);
	rule_order_fini(&egress);
	rule_order_fini(&ingress);
}

static void plan_subnet(const struct plan *plan, const struct subnet_object *subnet)
{
	struct mac_address mac = subnet_gateway_mac(subnet);
	struct subnet_key key = { .subnet_id = subnet->object.id };
	struct subnet row = {
		.vpc_id = subnet->object.vpc_id,
		.route_table_id = subnet->route_table_id,
		.flood_rate = subnet->flood_rate,
		.station_limit = subnet->station_limit,
		.station_ageing = ticks_of_seconds(subnet->station_ageing),
		.segment_flood_rate = subnet->segment_flood_rate,
		.group_ageing = ticks_of_seconds(2 * subnet->query_interval + QUERY_RESPONSE),
	};

	memcpy(row.gateway_mac, mac.byte, sizeof(row.gateway_mac));
	for (size_t family = 0; family < 2; family++) {
		const struct ip_prefix *cidr = &subnet->cidrs[family];

		if (cidr->length) {
			struct ip_address first = ip_prefix_first(cidr);

			row.network[family] = address_row(&first);
			row.prefix_length[family] = cidr->length;
		}
		row.gateway[family] = address_row(&subnet->gateways[family]);
	}
	if (subnet->dhcp && subnet->cidrs[0].length)
		row.flags |= SUBNET_DHCP4;
	if (subnet->ra)
		row.flags |= SUBNET_ROUTER;
	if (subnet->ra && subnet->ra->mode != RA_SLAAC)
		row.flags |= SUBNET_DHCP6;
	if (subnet->ra && subnet->ra->any_identifier && subnet->mode != SUBNET_MODE_L2)
		row.flags |= SUBNET_PROVE;
	plan_subnet_acl(plan, subnet->acl_id, &row);
	if (subnet->mode == SUBNET_MODE_L2)
		row.flags |= SUBNET_L2 | (subnet->snoop ? SUBNET_SNOOP : 0) |
			     (subnet->vlan_transparent ? SUBNET_TAGS : 0);
	if (intent_routes_multicast(plan->intent, subnet))
		row.flags |= SUBNET_MULTICAST;
	if (row.flags & (SUBNET_L2 | SUBNET_MULTICAST)) {
		row.flood_count = plan_floods(plan, subnet->object.id);
		row.remote_flood_count = plan_flood_tunnels(plan, subnet, row.flood_count);
		row.flood_count += row.remote_flood_count;
	}
	row.flags |= plan_wire_flags(plan, subnet);
	plan_router(plan, subnet, &row);
	plan_direct(plan, subnet, &row);
	rows_add(plan->rows, TABLE_subnets, &key, &row);
	plan_gateway(plan, subnet, &mac);
	plan_subnet_services(plan, subnet);
}

/* ---- route table ---- */

static void route_add(const struct plan *plan, uint32_t table_id, const struct ip_prefix *prefix,
		      struct route row)
{
	struct ip_address first = ip_prefix_first(prefix);
	struct route_key key = {
		.prefix_length = 32u + prefix->length,
		.table_id = table_id,
		.address = address_row(&first),
	};

	rows_add(plan->rows, TABLE_routes, &key, &row);
}

static bool is_down(const struct plan *plan, uint32_t tunnel_id)
{
	return plan->host->tunnel_down && plan->host->tunnel_down(plan->host->context, tunnel_id);
}

/* A route to ports: those that exist, and of tunnels those that are not down. None: a blackhole (V24). */
static struct route route_to_ports(const struct plan *plan, const struct route_object *route)
{
	struct route row = { .kind = ROUTE_BLACKHOLE, .route_id = route->id };
	struct nexthops hops = { 0 };

	for (size_t i = 0; i < route->port_count && hops.count < NEXTHOPS_MAX; i++) {
		if (!object_of(plan->intent, route->port_ids[i], route->port_kinds[i]))
			continue;
		if (route->port_kinds[i] == OBJECT_TUNNEL && is_down(plan, route->port_ids[i]))
			row.kind = ROUTE_DOWN; /* unless another takes it */
		else
			hops.port_id[hops.count++] = route->port_ids[i];
	}
	if (hops.count == 1) {
		row.kind = ROUTE_PORT;
		row.target = hops.port_id[0];
	} else if (hops.count > 1) {
		struct nexthop_key key = { .group_id = route->id };

		row.kind = ROUTE_GROUP;
		row.target = route->id;
		rows_add(plan->rows, TABLE_nexthop_groups, &key, &hops);
	}
	return row;
}

static void plan_route(const struct plan *plan, uint32_t table_id, const struct route_object *route)
{
	struct route row = { .route_id = route->id };

	switch (route->via) {
	case VIA_LOCAL: row.kind = ROUTE_LOCAL; break;
	case VIA_BLACKHOLE: row.kind = ROUTE_BLACKHOLE; break;
	case VIA_PORTS: row = route_to_ports(plan, route); break;
	}
	route_add(plan, table_id, &route->to, row);
}

static bool table_has_route(const struct route_table_object *table, const struct ip_prefix *to)
{
	for (size_t i = 0; i < table->route_count; i++) {
		if (ip_prefix_equal(&table->routes[i].to, to))
			return true;
	}
	return false;
}

/* Whether a route of the table says where the addresses of a subnet go. */
static bool table_covers(const struct route_table_object *table, const struct ip_prefix *cidr,
			 const struct vpc_object *vpc)
{
	for (size_t i = 0; i < table->route_count; i++) {
		const struct ip_prefix *to = &table->routes[i].to;

		for (size_t j = 0; j < vpc->cidr_count; j++)
			if (ip_prefix_overlaps(to, cidr) && to->length >= vpc->cidrs[j].length &&
			    ip_prefix_overlaps(to, &vpc->cidrs[j]))
				return true;
	}
	return false;
}

/* In a subnet on a wire there are machines that nobody registered: the router asks for them there. */
static void plan_wire_routes(const struct plan *plan, const struct route_table_object *table)
{
	const struct vpc_object *vpc = (const struct vpc_object *)object_of(
		plan->intent, table->object.vpc_id, OBJECT_VPC);
	const struct object **subnets;
	size_t count = intent_list(plan->intent, table->object.vpc_id, OBJECT_SUBNET, &subnets);

	for (size_t i = 0; vpc && i < count; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)subnets[i];
		uint32_t wire = plan_wire_target(plan, subnet);

		for (size_t family = 0; family < 2; family++)
			if (wire && subnet->cidrs[family].length &&
			    !table_covers(table, &subnet->cidrs[family], vpc))
				route_add(plan, table->object.id, &subnet->cidrs[family],
					  (struct route){ .kind = ROUTE_WIRE,
							  .target = wire,
							  .route_id = table->object.id });
	}
	free(subnets);
}

static void plan_route_table(const struct plan *plan, const struct route_table_object *table)
{
	static const char *const reserved[] = { "169.254.168.0/22", "fd00:ec2::/32" }; /* V22 */
	const struct object *object = object_of(plan->intent, table->object.vpc_id, OBJECT_VPC);
	const struct vpc_object *vpc = (const struct vpc_object *)object;
	struct ip_prefix ipv4 = { .address = ip_address_from_ipv4(0), .length = IPV4_LENGTH };
	uint32_t id = table->object.id;
	bool border = false;

	for (size_t i = 0; i < table->route_count; i++) {
		plan_route(plan, id, &table->routes[i]);
		border |= prefix_swallows_ipv4(&table->routes[i].to);
	}
	for (size_t i = 0; vpc && i < vpc->cidr_count; i++) {
		if (!table_has_route(table, &vpc->cidrs[i]))
			route_add(plan, id, &vpc->cidrs[i],
				  (struct route){ .kind = ROUTE_LOCAL, .route_id = id });
		border |= prefix_swallows_ipv4(&vpc->cidrs[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++) {
		struct ip_prefix prefix;

		if (!ip_prefix_parse(reserved[i], &prefix) && !table_has_route(table, &prefix))
			route_add(plan, id, &prefix,
				  (struct route){ .kind = ROUTE_RESERVED, .route_id = id });
	}
	plan_wire_routes(plan, table);
	/* V19: ::/0 says nothing about 0.0.0.0/0. Kind 0 is no route at all. */
	if (border && !table_has_route(table, &ipv4))
		route_add(plan, id, &ipv4, (struct route){ .route_id = id });
}

/* ---- rules ---- */

/* Sets with ports that have a group the rules name. The array is the caller's to free(). */
static size_t peers_collect(const struct planner *planner, const struct rule_order *order,
			    struct classifier_peer **peers)
{
	uint32_t *named;
	size_t named_count = rule_order_groups(order, &named), count = 0;
	struct map seen = { 0 };

	*peers = NULL;
	for (size_t i = 0; i < named_count; i++) {
		const struct group_set_list *sets = planner_sets_of_group(planner, named[i]);

		*peers = xreallocarray(*peers, count + sets->count, sizeof(**peers));
		for (size_t j = 0; j < sets->count; j++) {
			struct group_set *set = sets->list[j];

			if (map_put_u32(&seen, set->id, set))
				continue;
			(*peers)[count++] = (struct classifier_peer){
				.group_set_id = set->id,
				.group_count = set->group_count,
				.group_ids = set->group_ids,
			};
		}
	}
	map_fini(&seen, NULL);
	free(named);
	return count;
}

static uint32_t plan_classifier(const struct plan *plan, struct classifier *classifier,
				const struct rule_order *order)
{
	struct classifier_peer *peers;
	size_t peer_count = peers_collect(plan->planner, order, &peers);

	classifier_compile(classifier, order, peers, peer_count, &plan->planner->ids, plan->rows);
	free(peers);
	return classifier_settle(classifier, order, &plan->planner->ids);
}

static void plan_acl(const struct plan *plan, uint32_t acl_id)
{
	const struct object *object = object_of(plan->intent, acl_id, OBJECT_ACL);
	struct rule_order egress, ingress;
	struct acl_state *state;

	if (!object) {
		planner_acl_forget(plan->planner, acl_id);
		return;
	}
	if (!planner_is_here(plan->intent, object->vpc_id))
		return;
	acl_orders((const struct acl_object *)object, &egress, &ingress);
	state = planner_acl(plan->planner, acl_id);
	plan_classifier(plan, state->egress, &egress);
	plan_classifier(plan, state->ingress, &ingress);
	rule_order_fini(&egress);
	rule_order_fini(&ingress);
}

/* A set is of the VPC of its groups; the empty one is of all. */
static bool set_is_here(const struct plan *plan, const struct group_set *set)
{
	const struct object *group =
		set->group_count ? intent_object(plan->intent, set->group_ids[0]) : NULL;

	return !group || planner_is_here(plan->intent, group->vpc_id);
}

/* For who asks whether a port is in a group (core/watch.c). */
static void plan_set_groups(const struct plan *plan, const struct group_set *set)
{
	for (size_t i = 0; i < set->group_count; i++) {
		const struct set_group_key key = { set->id, set->group_ids[i] };
		const struct set_group row = { .place = (uint32_t)i };

		rows_add(plan->rows, TABLE_set_groups, &key, &row);
	}
}

static void plan_group_set(const struct plan *plan, uint32_t set_id)
{
	struct group_set *set = planner_set_by_id(plan->planner, set_id);
	struct rule_order egress = { 0 }, ingress = { 0 };
	struct policy_key key = { .group_set_id = set_id };
	struct policy row = { 0 };

	if (!set)
		return;
	if (!set->port_count) {
		planner_set_forget(plan->planner, set);
		return;
	}
	if (!set_is_here(plan, set))
		return;
	plan_set_groups(plan, set);
	for (size_t i = 0; i < set->group_count; i++) {
		const struct object *object =
			object_of(plan->intent, set->group_ids[i], OBJECT_SECURITY_GROUP);
		const struct security_group_object *group =
			(const struct security_group_object *)object;

		if (!group)
			continue;
		rule_order_add(&egress, &group->egress);
		rule_order_add(&ingress, &group->ingress);
	}
	rule_order_specific_first(&egress);
	rule_order_specific_first(&ingress);
	row.object_id = set->group_count ? set->group_ids[0] : 0;
	row.egress = plan_classifier(plan, set->egress, &egress);
	row.ingress = plan_classifier(plan, set->ingress, &ingress);
	rows_add(plan->rows, TABLE_policies, &key, &row);
	rule_order_fini(&egress);
	rule_order_fini(&ingress);
}

/* ---- port ---- */

static void allowed_add(const struct plan *plan, uint32_t port_id, const struct ip_prefix *prefix,
			uint32_t allowed_port_id)
{
	struct ip_address first = ip_prefix_first(prefix);
	struct allowed_key key = {
		.prefix_length = 32u + prefix->length,
		.port_id = port_id,
		.address = address_row(&first),
	};
	struct allowed row = { .port_id = allowed_port_id };

	rows_add(plan->rows, TABLE_allowed_sources, &key, &row);
}

static void plan_allowed(const struct plan *plan, const struct port_object *port)
{
	struct ip_prefix ipv4 = { .address = ip_address_from_ipv4(0), .length = IPV4_LENGTH };
	bool border = false, ipv4_any = false;

	for (size_t i = 0; i < port->allowed_count; i++) {
		allowed_add(plan, port->object.id, &port->allowed[i], port->object.id);
		border |= prefix_swallows_ipv4(&port->allowed[i]);
		ipv4_any |= ip_prefix_equal(&port->allowed[i], &ipv4);
	}
	/* Of another port: allows nothing. */
	if (border && !ipv4_any)
		allowed_add(plan, port->object.id, &ipv4, 0);
}

static void endpoint_add(const struct plan *plan, const struct port_object *port,
			 uint32_t group_set_id, const struct ip_address *address)
{
	struct endpoint_key key = {
		.vpc_id = port->object.vpc_id,
		.address = address_row(address),
	};
	struct endpoint row = {
		.port_id = port->object.id,
		.subnet_id = port->subnet_id,
		.group_set_id = group_set_id,
	};

	memcpy(row.mac, port->mac.byte, sizeof(row.mac));
	rows_add(plan->rows, TABLE_endpoints, &key, &row);
}

/* Other ports find the port by its addresses, on this host or not, plugged in or not. */
static void plan_endpoints(const struct plan *plan, const struct port_object *port,
			   const struct subnet_object *subnet, uint32_t group_set_id)
{
	struct ip_address slaac;

	for (size_t i = 0; i < port->address_count; i++)
		endpoint_add(plan, port, group_set_id, &port->addresses[i]);
	if (subnet_slaac_address(subnet, &port->mac, &slaac) &&
	    !intent_address_owner(plan->intent, port->object.vpc_id, &slaac))
		endpoint_add(plan, port, group_set_id, &slaac);
}

/* In its subnet the port is found by its MAC, on whichever host it is. */
static void plan_station(const struct plan *plan, const struct port_object *port, uint32_t kind)
{
	struct station_key key = { .subnet_id = port->subnet_id };
	struct station row = { .port_id = port->object.id, .flags = STATION_STATIC };

	if (kind == PORT_WIRE)
		row.flags |= STATION_WIRE;

	memcpy(key.mac, port->mac.byte, sizeof(key.mac));
	rows_add(plan->rows, TABLE_stations, &key, &row);
}

/* The row of a port on this host. Return: false when it has none yet. */
static bool plan_own_port(const struct plan *plan, const struct port_object *port, struct port *row)
{
	const struct host_object *own = intent_own_host(plan->intent);
	const struct plan_host *host = plan->host;
	struct port_device device = { 0 };

	if (!port_is_here(plan, port, &device))
		return false;
	row->vpc_slot = host->vpc_slot(host->context, port->object.vpc_id);
	row->port_slot = device.slot;
	row->ifindex = device.ifindex;
	row->kind = device.ifindex ? device.kind : PORT_UNPLUGGED;
	row->flags |= device.port_flags;
	row->tag = port->attach.native ? 0 : port->attach.vlan;
	if (port->attach.service_tag)
		row->flags |= PORT_TAG_8021AD;
	plan_quality(plan, port, &device, row);
	row->host_id = own ? own->object.id : 0;
	if (port->allowed_count)
		row->flags |= PORT_EXTRA_ADDRESSES;
	plan_allowed(plan, port);
	plan_device(plan, port, &device, row->vpc_slot);
	return true;
}

/* Its device is made ready, and what it sends says that it has come. */
static void plan_coming_port(const struct plan *plan, const struct port_object *port,
			     uint32_t vpc_slot)
{
	struct port_device device = { 0 };

	if (!plan->host->port_device(plan->host->context, port->object.id, &device))
		return;
	plan_allowed(plan, port);
	plan_device(plan, port, &device, vpc_slot);
}

/* Where else the port may be: it moves, or has moved a moment ago. */
static void plan_move(const struct plan *plan, const struct port_object *port, struct port *row)
{
	const struct host_object *own = intent_own_host(plan->intent), *other;
	struct port_move move;

	if (port->moving_to[0]) {
		other = intent_host(plan->intent, port->moving_to);
		row->other_host_id = other ? other->object.id : 0;
		return;
	}
	if (!plan->host->port_move ||
	    !plan->host->port_move(plan->host->context, port->object.id, &move))
		return;
	row->moved_until = move.until;
	row->other_host_id = move.from_host_id;
	if (own && move.from_host_id == own->object.id && row->kind == PORT_TUNNEL)
		row->flags |= PORT_MOVED_AWAY;
}

static void plan_port(const struct plan *plan, const struct port_object *port)
{
	const struct vpc_object *vpc =
		(const struct vpc_object *)object_of(plan->intent, port->object.vpc_id, OBJECT_VPC);
	const struct subnet_object *subnet = (const struct subnet_object *)object_of(
		plan->intent, port->subnet_id, OBJECT_SUBNET);
	struct port_key key = { .port_id = port->object.id };
	struct port row = {
		.vpc_id = port->object.vpc_id,
		.subnet_id = port->subnet_id,
		.mtu = intent_port_mtu(plan->intent, port),
		.group_set_id =
			planner_group_set(plan->planner, port->group_ids, port->group_count),
		.flow_limit = port->flow_limit,
		.flow_guarantee = plan->host->flow_guarantee,
	};

	/* With the host's own stack it is nobody in the VPC. */
	if (!vpc || !subnet || port->attach.kind == ATTACH_HOST)
		return;
	plan_endpoints(plan, port, subnet, row.group_set_id);
	/* An l2 subnet is a switch: whatever is behind a port may send. What is routed out of it is judged. */
	if (port->source_destination_check)
		row.flags |= PORT_CHECK_SOURCE |
			     (subnet->mode == SUBNET_MODE_L2 &&
					      !segment_has_single_stations(&subnet->segment)
				      ? 0
				      : PORT_CHECK_MAC);
	if (attach_is_link(&port->attach) && !port->group_count)
		row.flags |= PORT_UNFILTERED;
	memcpy(row.mac, port->mac.byte, sizeof(row.mac));
	if (intent_has_hosts(plan->intent) && !intent_is_local(plan->intent, port->host)) {
		plan_remote_port(plan, port, vpc, &row);
		if (intent_comes_here(plan->intent, port))
			plan_coming_port(plan, port, row.vpc_slot);
	} else if (!plan_own_port(plan, port, &row)) {
		return;
	}
	if (intent_has_hosts(plan->intent))
		plan_move(plan, port, &row);
	rows_add(plan->rows, TABLE_ports, &key, &row);
	plan_station(plan, port, row.kind);
}

/* ---- any unit ---- */

static const void *unit_object(const struct plan *plan, const struct unit *unit,
			       enum object_kind kind)
{
	const struct object *object = object_of(plan->intent, unit->id, kind);

	/* What no port or tunnel of this host has part in has no rows here. */
	return object && planner_is_here(plan->intent, object->vpc_id) ? object : NULL;
}

void plan_unit(struct planner *planner, const struct intent *intent, const struct plan_host *host,
	       const struct unit *unit, struct rows *rows)
{
	const struct plan plan = { planner, intent, host, rows };
	const void *object;

	switch (unit->kind) {
	case UNIT_VPC:
		if ((object = unit_object(&plan, unit, OBJECT_VPC)))
			plan_vpc(&plan, object);
		break;
	case UNIT_SUBNET:
		if ((object = unit_object(&plan, unit, OBJECT_SUBNET)))
			plan_subnet(&plan, object);
		break;
	case UNIT_ROUTE_TABLE:
		if ((object = unit_object(&plan, unit, OBJECT_ROUTE_TABLE)))
			plan_route_table(&plan, object);
		break;
	case UNIT_ACL: plan_acl(&plan, unit->id); break;
	case UNIT_GROUP_SET: plan_group_set(&plan, unit->id); break;
	case UNIT_PORT:
		if ((object = unit_object(&plan, unit, OBJECT_PORT)))
			plan_port(&plan, object);
		break;
	case UNIT_HOST: plan_other_host(&plan, unit->id); break;
	case UNIT_PEER: plan_peer(&plan, unit->id); break;
	case UNIT_TUNNEL: plan_tunnel(&plan, unit->id); break;
	case UNIT_TUNNEL_OBJECT: plan_tunnel_object(&plan, unit->id); break;
	case UNIT_UNDERLAY: plan_underlay(&plan); break;
	}
}
