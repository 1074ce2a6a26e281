/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which units a change touches, and whose live connections must be judged again.
 *
 * A unit is dirty when a row of it may differ now. The work is in proportion to the change: one
 * more port in a VPC of ten thousand touches its own unit, and beyond that only what depends on who
 * the ports are: the flood list of an l2 subnet, route tables that lead to the port, and, when
 * nobody had its security groups before, that group set and the sets whose rules name one of the
 * groups.
 *
 * The generation of a VPC moves with everything that may decide a live connection otherwise: rules,
 * routes, and changes and removals of ports and subnets. A port that comes has no connections yet,
 * unless a route leads to it. The VPC's own row carries the generation, so it is dirty as well.
 *
 * Neighbours: plan.h (the contract), planner.c (which port is in which set), plan.c (the rows).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/filter.h"
#include "model/dirty_private.h"

void mark_kind(struct dirty *dirty, enum unit_kind kind, uint32_t id)
{
	uint64_t key = (uint64_t)kind << 32 | id;

	if (map_put(&dirty->seen, &key, sizeof(key), dirty))
		return;
	if (dirty->count == dirty->room) {
		dirty->room = dirty->room ? dirty->room * 2 : 16;
		dirty->units = xreallocarray(dirty->units, dirty->room, sizeof(*dirty->units));
	}
	dirty->units[dirty->count++] = (struct unit){ .kind = kind, .id = id };
}

static void mark_ids(struct dirty *dirty, enum unit_kind kind, uint32_t *ids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		mark_kind(dirty, kind, ids[i]);
	free(ids);
}

void mark_objects(struct dirty *dirty, enum unit_kind unit, uint32_t vpc_id, enum object_kind kind)
{
	const struct object **list;
	size_t count = intent_list(dirty->intent, vpc_id, kind, &list);

	for (size_t i = 0; i < count; i++)
		mark_kind(dirty, unit, list[i]->id);
	free(list);
}

/* The generation of this VPC must move. */
void mark_generation(struct dirty *dirty, uint32_t vpc_id)
{
	if (!intent_object(dirty->intent, vpc_id))
		return;
	map_put_u32(&dirty->vpcs, vpc_id, dirty);
	mark_kind(dirty, UNIT_VPC, vpc_id);
}

/* What all VPCs have units of. */
static const struct {
	enum unit_kind unit;
	enum object_kind object;
} members[] = {
	{ UNIT_SUBNET, OBJECT_SUBNET },
	{ UNIT_ROUTE_TABLE, OBJECT_ROUTE_TABLE },
	{ UNIT_ACL, OBJECT_ACL },
	{ UNIT_PORT, OBJECT_PORT },
	{ UNIT_TUNNEL_OBJECT, OBJECT_TUNNEL },
};

/* ---- group sets ---- */

static void mark_sets_of_group(struct dirty *dirty, uint32_t group_id)
{
	const struct group_set_list *sets = planner_sets_of_group(dirty->planner, group_id);

	for (size_t i = 0; i < sets->count; i++)
		mark_kind(dirty, UNIT_GROUP_SET, sets->list[i]->id);
}

/* A set got its first port or lost its last: rules that name a group of it gain or lose a peer. */
static void mark_set(struct dirty *dirty, const struct group_set *set)
{
	mark_kind(dirty, UNIT_GROUP_SET, set->id);
	for (size_t i = 0; i < set->group_count; i++) {
		uint32_t *naming;
		size_t count =
			intent_groups_naming_group(dirty->intent, set->group_ids[i], &naming);

		for (size_t j = 0; j < count; j++)
			mark_sets_of_group(dirty, naming[j]);
		free(naming);
	}
}

/* A port or tunnel is in this set now; NULL: in none. */
static void port_move(struct dirty *dirty, uint32_t port_id, struct group_set *set)
{
	struct group_set *emptied;

	if (planner_port_move(dirty->planner, port_id, set, &emptied) && set)
		mark_set(dirty, set);
	if (emptied)
		mark_set(dirty, emptied);
}

void mark_vpc(struct dirty *dirty, uint32_t vpc_id)
{
	const struct object **groups;
	size_t count = intent_list(dirty->intent, vpc_id, OBJECT_SECURITY_GROUP, &groups);

	mark_kind(dirty, UNIT_VPC, vpc_id);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		mark_objects(dirty, members[i].unit, vpc_id, members[i].object);
	for (size_t i = 0; i < count; i++)
		mark_sets_of_group(dirty, groups[i]->id);
	free(groups);
}

/* ---- kinds ---- */

/* One with a flood list. */
static void mark_flooded_subnet(struct dirty *dirty, uint32_t subnet_id)
{
	const struct object *object = intent_object(dirty->intent, subnet_id);
	const struct subnet_object *subnet = (const struct subnet_object *)object;

	if (object && object->kind == OBJECT_SUBNET &&
	    (subnet->mode == SUBNET_MODE_L2 || intent_routes_multicast(dirty->intent, subnet)))
		mark_kind(dirty, UNIT_SUBNET, subnet_id);
}

/* Whether there is a log is a flag of each port and connection; what it is, is the daemon's. */
static bool flow_log_comes_or_goes(const struct flow_log *a, const struct flow_log *b)
{
	return !a != !b || (a && !a->records != !b->records);
}

/* Whether a live connection of the port may be decided otherwise. */
static bool port_decides_otherwise(const struct port_object *a, const struct port_object *b)
{
	return a->subnet_id != b->subnet_id || !mac_address_equal(&a->mac, &b->mac) ||
	       a->address_count != b->address_count || a->group_count != b->group_count ||
	       a->allowed_count != b->allowed_count || a->mtu != b->mtu ||
	       !a->receive_rate != !b->receive_rate || !a->mirror != !b->mirror ||
	       flow_log_comes_or_goes(a->flow_log, b->flow_log) ||
	       a->source_destination_check != b->source_destination_check ||
	       strcmp(a->host, b->host) != 0 || strcmp(a->moving_to, b->moving_to) != 0 ||
	       memcmp(a->addresses, b->addresses, a->address_count * sizeof(a->addresses[0])) !=
		       0 ||
	       memcmp(a->group_ids, b->group_ids, a->group_count * sizeof(a->group_ids[0])) != 0 ||
	       memcmp(a->allowed, b->allowed, a->allowed_count * sizeof(a->allowed[0])) != 0;
}

/* Ports are mirrored to a port or tunnel that came or went, or their mirrors name such a group. */
static void mark_mirrors(struct dirty *dirty, const struct object *target)
{
	const struct object **ports;
	size_t count;

	if (!dirty->planner->mirrors)
		return;
	count = intent_list(dirty->intent, target->vpc_id, OBJECT_PORT, &ports);
	for (size_t i = 0; i < count; i++) {
		const struct port_object *port = (const struct port_object *)ports[i];

		const struct object *subnet = intent_object(dirty->intent, port->subnet_id);
		const struct port_mirror_to *mirror = port->mirror;

		if (!mirror && subnet && subnet->kind == OBJECT_SUBNET)
			mirror = ((const struct subnet_object *)subnet)->mirror;
		if (mirror && (target->kind == OBJECT_SECURITY_GROUP
				       ? filter_names_group(&mirror->filter, target->name)
				       : strcmp(mirror->to, target->name) == 0)) {
			mark_kind(dirty, UNIT_PORT, ports[i]->id);
			mark_generation(dirty, target->vpc_id);
		}
	}
	free(ports);
}

/* Routes lead to a port or tunnel that came or went. */
static void mark_tables(struct dirty *dirty, const struct object *target)
{
	uint32_t *tables;
	size_t count = intent_tables_with_port(dirty->intent, target->id, &tables);

	if (count)
		mark_generation(dirty, target->vpc_id);
	mark_ids(dirty, UNIT_ROUTE_TABLE, tables, count);
}

static void mark_port_host(struct dirty *dirty, const struct port_object *port)
{
	mark_part(dirty, port->object.vpc_id, port->host);
	if (port->moving_to[0])
		mark_part(dirty, port->object.vpc_id, port->moving_to);
	if (attach_is_outside(&port->attach))
		mark_taps(dirty, port->subnet_id);
}

/* Ports on one device: the parent knows that it has children, and they where its device is. */
static void mark_family(struct dirty *dirty, const struct port_object *port)
{
	const struct port_object *parent = intent_parent(dirty->intent, port);
	uint32_t *children;
	size_t count = intent_children(dirty->intent, port, &children);

	if (parent)
		mark_kind(dirty, UNIT_PORT, parent->object.id);
	mark_ids(dirty, UNIT_PORT, children, count);
}

static void dirty_port(struct dirty *dirty, const struct change *change)
{
	const struct port_object *before = (const struct port_object *)change->before;
	const struct port_object *after = (const struct port_object *)change->after;
	const struct port_object *either = after ? after : before;
	uint32_t id = either->object.id;

	mark_kind(dirty, UNIT_PORT, id);
	if (after)
		port_move(dirty, id,
			  planner_set_of_groups(dirty->planner, after->group_ids,
						after->group_count));
	else
		port_move(dirty, id, NULL);
	if (before) {
		mark_port_host(dirty, before);
		mark_family(dirty, before);
	}
	if (after) {
		mark_port_host(dirty, after);
		mark_family(dirty, after);
	}
	if (!before || !after || before->subnet_id != after->subnet_id ||
	    (before->attach.kind == ATTACH_HOST) != (after->attach.kind == ATTACH_HOST) ||
	    strcmp(before->host, after->host) != 0 ||
	    strcmp(before->moving_to, after->moving_to) != 0) {
		mark_flooded_subnet(dirty, either->subnet_id);
		if (before)
			mark_flooded_subnet(dirty, before->subnet_id);
	}
	if (!before || !after)
		mark_tables(dirty, &either->object);
	if (!before || !after)
		mark_mirrors(dirty, &either->object);
	if (before && (!after || port_decides_otherwise(before, after)))
		mark_generation(dirty, either->object.vpc_id);
}

/* A tunnel object, as the port and the member of a subnet that it is. */
static void dirty_member_tunnel(struct dirty *dirty, const struct change *change)
{
	const struct tunnel_object *before = (const struct tunnel_object *)change->before;
	const struct tunnel_object *after = (const struct tunnel_object *)change->after;
	const struct tunnel_object *either = after ? after : before;

	if (!either)
		return;
	if (!before || !after)
		mark_mirrors(dirty, &either->object);
	dirty_tunnel(dirty, change);
	port_move(dirty, either->object.id,
		  after ? planner_set_of_tunnel(dirty->planner, after) : NULL);
	if (before)
		mark_flooded_subnet(dirty, before->subnet_id);
	if (after)
		mark_flooded_subnet(dirty, after->subnet_id);
	if (!before || !after)
		mark_tables(dirty, &either->object);
}

static void dirty_vpc(struct dirty *dirty, const struct change *change)
{
	const struct vpc_object *before = (const struct vpc_object *)change->before;
	const struct vpc_object *after = (const struct vpc_object *)change->after;
	uint32_t id;

	id = (change->after ? change->after : change->before)->id;
	mark_kind(dirty, UNIT_VPC, id);
	mark_mtu(dirty, id);
	mark_part(dirty, id, "");
	if (before && before->router[0])
		mark_part(dirty, id, before->router);
	if (after && after->router[0])
		mark_part(dirty, id, after->router);
	if (!before || !after)
		return;
	if (strcmp(before->router, after->router) != 0)
		mark_router(dirty, id);
	if (before->cidr_count != after->cidr_count ||
	    memcmp(before->cidrs, after->cidrs, after->cidr_count * sizeof(after->cidrs[0])) != 0) {
		mark_objects(dirty, UNIT_ROUTE_TABLE, id, OBJECT_ROUTE_TABLE);
		mark_generation(dirty, id);
	}
	if (before->cidr_count != after->cidr_count || before->dns.serve != after->dns.serve ||
	    memcmp(before->cidrs, after->cidrs, after->cidr_count * sizeof(after->cidrs[0])) != 0)
		mark_objects(dirty, UNIT_SUBNET, id, OBJECT_SUBNET);
	if (before->route_multicast != after->route_multicast)
		mark_objects(dirty, UNIT_SUBNET, id, OBJECT_SUBNET);
	if (before->flow_limit != after->flow_limit && intent_has_hosts(dirty->intent)) {
		mark_objects(dirty, UNIT_PORT, id, OBJECT_PORT);
		mark_objects(dirty, UNIT_TUNNEL_OBJECT, id, OBJECT_TUNNEL);
		mark_peers(dirty, id);
	}
	if (flow_log_comes_or_goes(before->flow_log, after->flow_log)) {
		mark_objects(dirty, UNIT_PORT, id, OBJECT_PORT);
		mark_generation(dirty, id);
	}
	if (before->established != after->established ||
	    memcmp(before->timeouts, after->timeouts, sizeof(after->timeouts)) != 0)
		mark_generation(dirty, id);
}

static bool has_slaac(const struct subnet_object *subnet)
{
	return subnet->ra && subnet->ra->mode != RA_MANAGED;
}

static void dirty_subnet(struct dirty *dirty, const struct change *change)
{
	const struct subnet_object *before = (const struct subnet_object *)change->before;
	const struct subnet_object *after = (const struct subnet_object *)change->after;
	uint32_t id = (change->after ? change->after : change->before)->id;

	mark_kind(dirty, UNIT_SUBNET, id);
	if (!before || !after || before->route_multicast != after->route_multicast)
		mark_kind(dirty, UNIT_VPC, (after ? after : before)->object.vpc_id);
	mark_mtu(dirty, (change->after ? change->after : change->before)->vpc_id);
	if (!before || !after || before->mode != after->mode ||
	    !segment_equal(&before->segment, &after->segment) ||
	    memcmp(before->cidrs, after->cidrs, sizeof(after->cidrs)) != 0)
		mark_subnet_tunnels(dirty, (change->after ? change->after : change->before)->vpc_id,
				    id);
	if (before)
		mark_generation(dirty, before->object.vpc_id);
	if (before && segment_is_wire(&before->segment))
		mark_objects(dirty, UNIT_ROUTE_TABLE, before->object.vpc_id, OBJECT_ROUTE_TABLE);
	/* The mode says whether the ports' sources are checked, the segment where other hosts' ports are; SLAAC
	 * gives ports one more address. */
	if (before && after &&
	    (before->mode != after->mode || before->segment.type != after->segment.type ||
	     has_slaac(before) != has_slaac(after) ||
	     flow_log_comes_or_goes(before->flow_log, after->flow_log) ||
	     !port_mirror_equal(before->mirror, after->mirror))) {
		uint32_t *ports;
		size_t count = intent_ports_of_subnet(dirty->intent, id, &ports);

		mark_ids(dirty, UNIT_PORT, ports, count);
	}
}

static void dirty_acl(struct dirty *dirty, const struct change *change)
{
	const struct object *either = change->after ? change->after : change->before;
	uint32_t *subnets;
	size_t count = intent_subnets_of_acl(dirty->intent, either->id, &subnets);

	mark_kind(dirty, UNIT_ACL, either->id);
	mark_ids(dirty, UNIT_SUBNET, subnets, count);
	if (change->before)
		mark_generation(dirty, either->vpc_id);
}

static void dirty_change(struct dirty *dirty, const struct change *change)
{
	const struct object *either = change->after ? change->after : change->before;

	switch (change->kind) {
	case OBJECT_VPC: dirty_vpc(dirty, change); break;
	case OBJECT_SUBNET: dirty_subnet(dirty, change); break;
	case OBJECT_PORT: dirty_port(dirty, change); break;
	case OBJECT_ROUTE_TABLE:
		mark_kind(dirty, UNIT_ROUTE_TABLE, either->id);
		if (change->before)
			mark_generation(dirty, either->vpc_id);
		break;
	case OBJECT_SECURITY_GROUP:
		mark_sets_of_group(dirty, either->id);
		if (!change->before || !change->after)
			mark_mirrors(dirty, either);
		if (change->before)
			mark_generation(dirty, either->vpc_id);
		break;
	case OBJECT_ACL: dirty_acl(dirty, change); break;
	case OBJECT_TUNNEL: dirty_member_tunnel(dirty, change); break;
	case OBJECT_HOST: dirty_host(dirty, change); break;
	case OBJECT_KINDS: /* a route: it changes with its table */
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE: break;
	}
}

/* ---- results ---- */

/* By kind, and within a kind as they came. The array is the caller's to free(). */
static struct unit *units_sort(const struct unit *units, size_t count)
{
	struct unit *sorted = xcalloc(count, sizeof(*sorted));
	size_t done = 0;

	for (int kind = UNIT_VPC; kind <= UNIT_UNDERLAY; kind++) {
		for (size_t i = 0; i < count; i++) {
			if ((int)units[i].kind == kind)
				sorted[done++] = units[i];
		}
	}
	return sorted;
}

static void dirty_finish(struct dirty *dirty, struct unit **units, size_t *unit_count)
{
	*units = units_sort(dirty->units, dirty->count);
	*unit_count = dirty->count;
	free(dirty->units);
	map_fini(&dirty->seen, NULL);
}

void plan_dirty(struct planner *planner, const struct intent *intent, const struct change *changes,
		size_t change_count, struct unit **units, size_t *unit_count, uint32_t **vpc_ids,
		size_t *vpc_count)
{
	struct dirty dirty = { .planner = planner, .intent = intent };

	for (size_t i = 0; i < change_count; i++)
		dirty_change(&dirty, &changes[i]);
	*vpc_ids = xcalloc(map_count(&dirty.vpcs), sizeof(**vpc_ids));
	*vpc_count = 0;
	MAP_FOR_EACH(&dirty.vpcs, it)
		(*vpc_ids)[(*vpc_count)++] = *(const uint32_t *)it.key;
	map_fini(&dirty.vpcs, NULL);
	dirty_finish(&dirty, units, unit_count);
}

size_t plan_all(struct planner *planner, const struct intent *intent, struct unit **units)
{
	struct dirty all = { .planner = planner, .intent = intent };
	const struct object **vpcs;
	size_t count, vpc_count = intent_list(intent, 0, OBJECT_VPC, &vpcs);

	planner_recount(planner, intent);
	planner->apart = intent_has_hosts(intent);
	for (size_t i = 0; i < vpc_count; i++) {
		mark_vpc(&all, vpcs[i]->id);
		mark_mtu(&all, vpcs[i]->id);
	}
	mark_everything_between(&all);
	free(vpcs);
	MAP_FOR_EACH(&planner->sets_by_id, it) {
		const struct group_set *set = it.value;

		if (set->port_count)
			mark_kind(&all, UNIT_GROUP_SET, set->id);
	}
	map_fini(&all.vpcs, NULL);
	dirty_finish(&all, units, &count);
	return count;
}
