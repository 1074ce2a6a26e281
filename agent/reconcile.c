/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The only writer of the datapath; see reconcile.h for the order of things.
 *
 * This file is about one change; recover.c is about the start, upkeep.c about what runs by the clock.
 */
#include "agent/reconcile.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/names.h"
#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/log.h"

const uint32_t apply_bucket_ms[APPLY_BUCKETS] = { 1, 2, 5, 10, 50, 100, 500, 1000, 5000, 30000 };

/* ---- one change ---- */

static const struct tunnel_object *tunnel_of(const struct object *object)
{
	return object && object->kind == OBJECT_TUNNEL ? (const struct tunnel_object *)object
						       : NULL;
}

static const struct port_object *port_of(const struct object *object)
{
	return object && object->kind == OBJECT_PORT ? (const struct port_object *)object : NULL;
}

/* The ids of ports and VPCs that a change is about, sorted by what has to be done with them. */
struct touched {
	uint32_t *plug;
	size_t plug_count;
	uint32_t *unplug;
	size_t unplug_count;
	uint32_t *gone_vpcs;
	size_t gone_vpc_count;
	uint32_t *slots; /* of tunnels that are not here any more */
	size_t slot_count;
	struct map seen; /* ports in plug */
};

static void touch_plug(struct touched *touched, uint32_t port_id)
{
	if (map_put_u32(&touched->seen, port_id, touched))
		return;
	if ((touched->plug_count & (touched->plug_count + 1)) == 0)
		touched->plug = xreallocarray(touched->plug, 2 * touched->plug_count + 2,
					      sizeof(*touched->plug));
	touched->plug[touched->plug_count++] = port_id;
}

/* Devices carry the MTU and the gateways: a VPC or subnet that changes may change its ports' devices. */
static void touch_ports_of_subnet(struct reconcile *reconcile, struct touched *touched,
				  uint32_t subnet_id)
{
	uint32_t *ids;
	size_t count = intent_ports_of_subnet(reconcile->intent, subnet_id, &ids);

	for (size_t i = 0; i < count; i++)
		if (slots_get(&reconcile->port_slots, ids[i]))
			touch_plug(touched, ids[i]);
	free(ids);
}

static bool subnet_devices_differ(const struct change *change)
{
	const struct subnet_object *before = (const void *)change->before;
	const struct subnet_object *after = (const void *)change->after;

	return before && after &&
	       (memcmp(before->cidrs, after->cidrs, sizeof(before->cidrs)) != 0 ||
		memcmp(before->gateways, after->gateways, sizeof(before->gateways)) != 0 ||
		before->mode != after->mode);
}

static bool vpc_devices_differ(const struct change *change)
{
	const struct vpc_object *before = (const void *)change->before;
	const struct vpc_object *after = (const void *)change->after;

	return before && after &&
	       (before->cidr_count != after->cidr_count ||
		memcmp(before->cidrs, after->cidrs,
		       before->cidr_count * sizeof(before->cidrs[0])) != 0);
}

static void touch_ports_of_vpc(struct reconcile *reconcile, struct touched *touched,
			       uint32_t vpc_id)
{
	const struct object **subnets;
	size_t count = intent_list(reconcile->intent, vpc_id, OBJECT_SUBNET, &subnets);

	for (size_t i = 0; i < count; i++)
		touch_ports_of_subnet(reconcile, touched, subnets[i]->id);
	free(subnets);
}

static void touch_vpc(struct reconcile *reconcile, struct touched *touched,
		      const struct change *change)
{
	if (change->after)
		reconcile_take_vpc_slot(reconcile, change->after->id);
	else
		touched->gone_vpcs[touched->gone_vpc_count++] = change->before->id;
	if (vpc_devices_differ(change))
		touch_ports_of_vpc(reconcile, touched, change->after->id);
}

#define ONE_PACKET (UINT32_C(1) << 31) /* of the limits of a VPC: no frames of several packets */

uint32_t reconcile_vpc_limits(const struct reconcile *reconcile, uint32_t vpc_id)
{
	return intent_vpc_mtu(reconcile->intent, vpc_id) |
	       (intent_vpc_offloads(reconcile->intent, vpc_id) ? 0 : ONE_PACKET);
}

uint32_t reconcile_keep_limits(struct reconcile *reconcile, uint32_t vpc_id, uint32_t limits)
{
	void *value = (void *)(uintptr_t)limits;
	uint32_t before =
		(uint32_t)(uintptr_t)(value ? map_put_u32(&reconcile->vpc_limits, vpc_id, value)
					    : map_remove_u32(&reconcile->vpc_limits, vpc_id));

	reconcile->one_packet_vpcs += (limits & ONE_PACKET) != 0;
	reconcile->one_packet_vpcs -= (before & ONE_PACKET) != 0;
	return before;
}

/* What a VPC's packets may be as large as depends on its subnets, and on which hosts have part in it. */
static void touch_mtu(struct reconcile *reconcile, struct touched *touched, uint32_t vpc_id)
{
	const struct object *vpc = intent_object(reconcile->intent, vpc_id);
	uint32_t limits = vpc ? reconcile_vpc_limits(reconcile, vpc_id) : 0;
	uint32_t before = reconcile_keep_limits(reconcile, vpc_id, limits);

	if (limits && before && limits != before)
		touch_ports_of_vpc(reconcile, touched, vpc_id);
}

static void touch_mtus(struct reconcile *reconcile, struct touched *touched,
		       const struct change *changes, size_t count)
{
	struct map seen = { 0 };
	bool hosts = false;

	for (size_t i = 0; i < count; i++) {
		const struct object *object = changes[i].after ? changes[i].after
							       : changes[i].before;

		hosts |= object->kind == OBJECT_HOST;
		if (object->vpc_id && !map_put_u32(&seen, object->vpc_id, reconcile))
			touch_mtu(reconcile, touched, object->vpc_id);
	}
	map_fini(&seen, NULL);
	if (!hosts)
		return;
	MAP_FOR_EACH(&reconcile->vpc_limits, it) {
		touch_mtu(reconcile, touched, *(const uint32_t *)it.key);
	}
}

static void touch_tunnel(struct reconcile *reconcile, struct touched *touched,
			 const struct change *change)
{
	const struct tunnel_object *tunnel = tunnel_of(change->after);

	if (tunnel && intent_is_local(reconcile->intent, tunnel->host))
		reconcile_take_port_slot(reconcile, tunnel->object.id);
	else
		touched->slots[touched->slot_count++] =
			(change->after ? change->after : change->before)->id;
}

static void touch_moved(struct reconcile *reconcile, const struct port_object *before)
{
	const struct host_object *from = intent_host(reconcile->intent, before->host);

	/* The host itself may be gone: then nobody sends anything on. */
	reconcile_port_moved(reconcile, before->object.id, from ? from->object.id : 0, 0);
}

/* Ports behind the device of one that came, went or is plugged in otherwise. */
static void touch_children(struct reconcile *reconcile, struct touched *touched,
			   const struct port_object *port)
{
	uint32_t *children;
	size_t count = intent_children(reconcile->intent, port, &children);

	for (size_t i = 0; i < count; i++)
		if (slots_get(&reconcile->port_slots, children[i]))
			touch_plug(touched, children[i]);
	free(children);
}

static void touch_port(struct reconcile *reconcile, struct touched *touched,
		       const struct change *change)
{
	const struct port_object *port = port_of(change->after);
	const struct port_object *before = port_of(change->before);

	touch_children(reconcile, touched, port ? port : before);
	if (!port)
		reconcile_port_stays(reconcile, change->before->id);
	else if (before && strcmp(before->host, port->host) != 0)
		touch_moved(reconcile, before);
	if (port && ports_is_here(reconcile->ports, port)) {
		reconcile_take_port_slot(reconcile, port->object.id);
		touch_plug(touched, port->object.id);
	} else {
		touched->unplug[touched->unplug_count++] =
			(port ? &port->object : change->before)->id;
	}
}

static void touch(struct reconcile *reconcile, struct touched *touched,
		  const struct change *changes, size_t count)
{
	touched->unplug = xcalloc(count, sizeof(*touched->unplug));
	touched->gone_vpcs = xcalloc(count, sizeof(*touched->gone_vpcs));
	touched->slots = xcalloc(count, sizeof(*touched->slots));
	for (size_t i = 0; i < count; i++) {
		switch (changes[i].kind) {
		case OBJECT_VPC: touch_vpc(reconcile, touched, &changes[i]); break;
		case OBJECT_SUBNET:
			if (subnet_devices_differ(&changes[i]))
				touch_ports_of_subnet(reconcile, touched, changes[i].after->id);
			break;
		case OBJECT_PORT: touch_port(reconcile, touched, &changes[i]); break;
		case OBJECT_TUNNEL: touch_tunnel(reconcile, touched, &changes[i]); break;
		case OBJECT_HOST:
		case OBJECT_ROUTE_TABLE:
		case OBJECT_SECURITY_GROUP:
		case OBJECT_ACL:
		case OBJECT_KINDS:
		case OBJECT_GROUP_RULE:
		case OBJECT_ACL_RULE: break;
		}
	}
	touch_mtus(reconcile, touched, changes, count);
}

/* The units of a change, and those of ports that were plugged again for it. */
static void reconcile_update(struct reconcile *reconcile, const struct change *changes,
			     size_t count, const struct touched *touched)
{
	struct unit *units;
	uint32_t *vpc_ids;
	size_t unit_count, vpc_count;
	struct map planned = { 0 };

	plan_dirty(reconcile->planner, reconcile->intent, changes, count, &units, &unit_count,
		   &vpc_ids, &vpc_count);
	for (size_t i = 0; i < vpc_count; i++)
		reconcile->generations[slots_get(&reconcile->vpc_slots, vpc_ids[i])]++;
	for (size_t i = 0; i < unit_count; i++)
		if (units[i].kind == UNIT_PORT)
			map_put_u32(&planned, units[i].id, reconcile);
	units = xreallocarray(units, unit_count + touched->plug_count + 1, sizeof(*units));
	for (size_t i = 0; i < touched->plug_count; i++)
		if (!map_get_u32(&planned, touched->plug[i]))
			units[unit_count++] = (struct unit){ UNIT_PORT, touched->plug[i] };
	map_fini(&planned, NULL);
	reconcile_update_units(reconcile, units, unit_count);
	free(vpc_ids);
	free(units);
}

static void tell_unplugged(const struct reconcile *reconcile, const uint32_t *port_ids,
			   size_t count)
{
	if (reconcile->unplugged && count)
		reconcile->unplugged(reconcile->unplugged_context, port_ids, count);
}

void reconcile_apply(struct reconcile *reconcile, const struct change *changes, size_t count)
{
	struct reconcile_listener *listener, *next;
	struct touched touched = { 0 };

	reconcile->version++;
	touch(reconcile, &touched, changes, count);
	reconcile_share_flows(reconcile);
	ports_plug(reconcile->ports, touched.plug, touched.plug_count);
	/* A port that went to another host has no slot any more when its rows are planned. */
	for (size_t i = 0; i < touched.unplug_count; i++)
		slots_give(&reconcile->port_slots, touched.unplug[i]);
	reconcile_update(reconcile, changes, count, &touched);
	ports_set_up(reconcile->ports, touched.plug, touched.plug_count);
	ports_unplug(reconcile->ports, touched.unplug, touched.unplug_count);
	tell_unplugged(reconcile, touched.unplug, touched.unplug_count);
	loops_soon(reconcile->loops);
	reconcile_watch_follow(reconcile, changes, count);
	for (size_t i = 0; i < touched.gone_vpc_count; i++)
		slots_give(&reconcile->vpc_slots, touched.gone_vpcs[i]);
	for (size_t i = 0; i < touched.slot_count; i++)
		slots_give(&reconcile->port_slots, touched.slots[i]);
	for (size_t i = 0; i < touched.unplug_count; i++)
		problems_clear(&reconcile->problems, PROBLEM_TABLES, touched.unplug[i]);
	reconcile_share_flows(reconcile);
	map_fini(&touched.seen, NULL);
	free(touched.plug);
	free(touched.unplug);
	free(touched.gone_vpcs);
	free(touched.slots);
	if (reconcile->options.cluster)
		reconcile->options.cluster->changed(reconcile->options.cluster->context, changes,
						    count);
	LIST_FOR_EACH_SAFE(listener, next, &reconcile->listeners, node)
		listener->changed(listener->context, changes, count);
}

void reconcile_listen(struct reconcile *reconcile, struct reconcile_listener *listener)
{
	list_push_back(&reconcile->listeners, &listener->node);
}

void reconcile_unlisten(struct reconcile_listener *listener)
{
	list_remove(&listener->node);
}

void reconcile_watch_devices(struct reconcile *reconcile, reconcile_unplugged_callback *callback,
			     void *context)
{
	reconcile->unplugged = callback;
	reconcile->unplugged_context = context;
}

void reconcile_flow_log(struct reconcile *reconcile, uint32_t vpc_id, const char *why)
{
	if (why)
		problems_raise(&reconcile->problems, PROBLEM_FLOW_LOG, vpc_id, why);
	else
		problems_clear(&reconcile->problems, PROBLEM_FLOW_LOG, vpc_id);
}

static void reconcile_ports_changed(void *context, const uint32_t *port_ids, size_t count)
{
	struct reconcile *reconcile = context;
	struct unit *units = xcalloc(count, sizeof(*units));
	size_t unit_count = count;

	for (size_t i = 0; i < count; i++)
		units[i] = (struct unit){ UNIT_PORT, port_ids[i] };
	/* Others may be behind the same device. */
	for (size_t i = 0; i < count; i++) {
		const struct port_object *port =
			port_of(intent_object(reconcile->intent, port_ids[i]));
		uint32_t *children = NULL;
		size_t child_count = port ? intent_children(reconcile->intent, port, &children) : 0;

		units = xreallocarray(units, unit_count + child_count + 1, sizeof(*units));
		for (size_t j = 0; j < child_count; j++)
			units[unit_count++] = (struct unit){ UNIT_PORT, children[j] };
		free(children);
	}
	reconcile_update_units(reconcile, units, unit_count);
	tell_unplugged(reconcile, port_ids, count);
	free(units);
}

static void reconcile_patched(void *context)
{
	const struct reconcile *reconcile = context;

	loops_forget_stations(reconcile->loops);
}

static int open_loops(struct reconcile *reconcile, struct loops_options options,
		      struct error *error)
{
	options.ports = reconcile->ports;
	return loops_open(&options, &reconcile->loops, error);
}

int reconcile_open_ports(struct reconcile *reconcile, struct error *error)
{
	const struct reconcile_options *options = &reconcile->options;
	const struct ports_options ports = {
		.loop = options->loop,
		.clock = options->clock,
		.datapath = options->datapath,
		.intent = reconcile->intent,
		.events = options->events,
		.problems = &reconcile->problems,
		.host = options->host,
		.instance = options->instance,
		.ovsdb = options->ovsdb,
		.adoptions = options->adoptions,
		.devices = options->devices,
		.changed = reconcile_ports_changed,
		.patched = reconcile_patched,
		.context = reconcile,
	};

	const struct loops_options loops = {
		.loop = options->loop,
		.datapath = options->datapath,
		.intent = reconcile->intent,
		.slots = &reconcile->port_slots,
		.vpc_slots = &reconcile->vpc_slots,
		.domain = options->loop_domain,
	};
	int code = ports_open(&ports, &reconcile->ports, error);

	reconcile->mirrors = mirrors_open(options->datapath, options->instance, options->devices);
	return code || !options->devices ? code : open_loops(reconcile, loops, error);
}

/* ---- commit ---- */

/* Slots are given after the commit point, so whether they will be enough is asked before it. */
static int check_room(const struct reconcile *reconcile, const struct change *changes, size_t count,
		      struct error *error)
{
	uint32_t ports = slots_used(&reconcile->port_slots);
	uint32_t vpcs = slots_used(&reconcile->vpc_slots);

	for (size_t i = 0; i < count; i++) {
		const struct port_object *before = port_of(changes[i].before);
		const struct port_object *after = port_of(changes[i].after);

		ports += after && ports_is_here(reconcile->ports, after);
		ports -= before && ports_is_here(reconcile->ports, before);
		if (changes[i].kind == OBJECT_VPC)
			vpcs += (uint32_t) !!changes[i].after - (uint32_t) !!changes[i].before;
	}
	if (ports >= reconcile->port_slots.room)
		return error_set(error, EDQUOT, NULL, "one host has room for %u ports, not for %u",
				 reconcile->port_slots.room - 1, ports);
	if (vpcs >= reconcile->vpc_slots.room)
		return error_set(error, EDQUOT, NULL, "one host has room for %u VPCs, not for %u",
				 reconcile->vpc_slots.room - 1, vpcs);
	return 0;
}

static int write_records(struct reconcile *reconcile, struct draft *draft, uint64_t *revision,
			 struct error *error)
{
	struct store_transaction *transaction = store_transaction_new();
	struct error why = { 0 };
	size_t count, record_count;
	const struct record *records = draft_records(draft, &record_count);
	const struct change *changes;
	int code;

	for (size_t i = 0; i < record_count; i++) {
		if (records[i].value)
			store_transaction_put(transaction, records[i].key, records[i].value, 0);
		else
			store_transaction_delete(transaction, records[i].key);
	}
	reconcile_require(reconcile, transaction, draft);
	changes = draft_changes(draft, &count);
	reconcile_add_parts(reconcile, transaction, changes, count);
	code = store_commit(reconcile->options.store, transaction, revision, &why);
	store_transaction_free(transaction);
	if (!code) {
		reconcile->say_parts = false;
		reconcile_keep(reconcile, records, record_count);
		problems_clear(&reconcile->problems, PROBLEM_STORE, 0);
		return 0;
	}
	if (code == -EAGAIN)
		return error_set(error, code, why.path, "%s", why.text);
	reconcile->counts.store_errors++;
	problems_raise(&reconcile->problems, PROBLEM_STORE, 0, why.text);
	return error_set(error, code, NULL, "%s", why.text);
}

static void count_apply(struct reconcile *reconcile, uint64_t taken_ns)
{
	size_t bucket = 0;

	while (bucket < APPLY_BUCKETS && taken_ns > apply_bucket_ms[bucket] * CLOCK_NS_PER_MS)
		bucket++;
	reconcile->counts.apply[bucket]++;
	reconcile->counts.apply_ns += taken_ns;
	reconcile->counts.commits++;
}

void reconcile_publish(struct reconcile *reconcile, const struct change *changes, size_t count)
{
	json_t *list;

	if (!events_subscribers(reconcile->options.events))
		return;
	list = names_changes(reconcile->intent, changes, count);
	for (size_t i = 0; i < count; i++) {
		const struct object *object = changes[i].after ? changes[i].after
							       : changes[i].before;
		const struct event_ports about = {
			.port_id = object->kind == OBJECT_PORT ? object->id : 0,
		};
		json_t *event = json_array_get(list, i);

		json_object_set_new(event, "revision",
				    json_integer((json_int_t)reconcile->revision));
		events_publish(reconcile->options.events, EVENT_CHANGE, about, event);
	}
	json_decref(list);
}

int reconcile_commit(struct reconcile *reconcile, struct draft *draft, uint64_t *revision,
		     struct error *error)
{
	uint64_t begin = clock_monotonic_ns(NULL);
	size_t count;
	const struct change *changes = draft_changes(draft, &count);
	int code;

	*revision = reconcile->revision;
	if (!count)
		return 0;
	code = check_room(reconcile, changes, count, error);
	if (!code)
		code = write_records(reconcile, draft, revision, error);
	if (code)
		return code;
	draft_commit(draft, *revision);
	reconcile->revision = *revision;
	changes = draft_changes(draft, &count);
	reconcile_vpcs_written(reconcile, changes, count, *revision);
	reconcile_apply(reconcile, changes, count);
	reconcile_publish(reconcile, changes, count);
	count_apply(reconcile, clock_monotonic_ns(NULL) - begin);
	log_info("intent changed", "revision=%llu changes=%zu ms=%llu",
		 (unsigned long long)*revision, count,
		 (unsigned long long)((clock_monotonic_ns(NULL) - begin) / CLOCK_NS_PER_MS));
	return 0;
}

/* ---- looking in ---- */

struct intent *reconcile_intent(struct reconcile *reconcile)
{
	return reconcile->intent;
}

uint64_t reconcile_revision(const struct reconcile *reconcile)
{
	return reconcile->revision;
}

uint64_t reconcile_version(const struct reconcile *reconcile)
{
	return reconcile->version;
}

const struct reconcile_counts *reconcile_counts(const struct reconcile *reconcile)
{
	return &reconcile->counts;
}

const struct problems *reconcile_problems(const struct reconcile *reconcile)
{
	return &reconcile->problems;
}

struct ports *reconcile_ports(struct reconcile *reconcile)
{
	return reconcile->ports;
}

const char *reconcile_host(const struct reconcile *reconcile)
{
	return reconcile->options.host;
}

size_t reconcile_rows(const struct reconcile *reconcile, enum table_id table)
{
	return tables_rows(reconcile->tables, table);
}

uint32_t reconcile_flow_capacity(const struct reconcile *reconcile)
{
	return reconcile->options.flow_capacity;
}

uint32_t reconcile_port_slot(const struct reconcile *reconcile, uint32_t port_id)
{
	return slots_get(&reconcile->port_slots, port_id);
}

uint32_t reconcile_vpc_slot(const struct reconcile *reconcile, uint32_t vpc_id)
{
	return slots_get(&reconcile->vpc_slots, vpc_id);
}

const struct port_object *reconcile_slot_port(const struct reconcile *reconcile, uint32_t slot)
{
	uint32_t id = slots_owner(&reconcile->port_slots, slot);

	return id ? port_of(intent_object(reconcile->intent, id)) : NULL;
}

void reconcile_dhcp(struct reconcile *reconcile, uint32_t object_id, const char *why)
{
	if (why)
		problems_raise(&reconcile->problems, PROBLEM_DHCP, object_id, why);
	else
		problems_clear(&reconcile->problems, PROBLEM_DHCP, object_id);
}

void reconcile_services(struct reconcile *reconcile, const char *why)
{
	if (why)
		problems_raise(&reconcile->problems, PROBLEM_SERVICES, 0, why);
	else
		problems_clear(&reconcile->problems, PROBLEM_SERVICES, 0);
}

void reconcile_socket(struct reconcile *reconcile, const char *why)
{
	if (why)
		problems_raise(&reconcile->problems, PROBLEM_SOCKET, 0, why);
	else
		problems_clear(&reconcile->problems, PROBLEM_SOCKET, 0);
}
