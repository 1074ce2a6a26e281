/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The start of the reconciler, on a host that may be forwarding already.
 *
 * The intent comes from the store, slots and numbers from the rows that are live. Then everything is planned
 * and compared with those rows, and the difference is written: what is right stays untouched, what an
 * interrupted change left half done is finished or taken back. The generation of every VPC moves once, so
 * that connections are judged by what was finished here.
 */
#include <errno.h>
#include <string.h>

#include "agent/cluster/cache.h"
#include "agent/names.h"
#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/log.h"

#define ROOM(name, kind, key, value, room) [TABLE_##name] = (room),
static const uint32_t table_rooms[TABLES] = { WEFT_TABLES(ROOM) };
#undef ROOM

/* ---- intent ---- */

struct loading {
	struct reconcile *reconcile;
	struct record *records;
	uint64_t *revisions;
	size_t count, room;
};

static int load_item(void *context, const struct store_item *item)
{
	struct loading *loading = context;

	if (reconcile_pass_on(loading->reconcile, item->key, item->value, item->revision))
		return 0;
	if (loading->count == loading->room) {
		loading->room = loading->room ? loading->room * 2 : 256;
		loading->records =
			xreallocarray(loading->records, loading->room, sizeof(*loading->records));
		loading->revisions = xreallocarray(loading->revisions, loading->room,
						   sizeof(*loading->revisions));
	}
	loading->records[loading->count] =
		(struct record){ xstrdup(item->key), xstrdup(item->value) };
	loading->revisions[loading->count++] = item->revision;
	return 0;
}

static void loading_fini(struct loading *loading)
{
	for (size_t i = 0; i < loading->count; i++) {
		free(loading->records[i].key);
		free(loading->records[i].value);
	}
	free(loading->records);
	free(loading->revisions);
}

static int load_intent(struct reconcile *reconcile, struct error *error)
{
	struct loading loading = { .reconcile = reconcile };
	int code;

	if (reconcile->options.shared)
		reconcile_pass_on(reconcile, NULL, NULL, 0);
	code = reconcile_list_all(reconcile, true, load_item, &loading, &reconcile->revision,
				  error);
	if (!code)
		code = intent_load(reconcile->intent, loading.records, loading.revisions,
				   loading.count, error);
	if (!code)
		reconcile_keep(reconcile, loading.records, loading.count);
	loading_fini(&loading);
	if (code && error)
		error_prefix(error, "the stored intent cannot be read");
	return code;
}

/* Return: whether there is a copy to go on with. */
static bool load_copy(struct reconcile *reconcile)
{
	struct loading loading = { .reconcile = reconcile };
	struct error error = { 0 };
	bool loaded;

	/* Without revisions: everything the store has is younger. */
	if (cache_list(reconcile->options.cache, load_item, &loading, &error) ||
	    intent_load(reconcile->intent, loading.records, NULL, loading.count, &error))
		log_warning("the copy of the intent cannot be used", "text=\"%s\"", error.text);
	loaded = !error.code && loading.count;
	loading_fini(&loading);
	return loaded;
}

/* ---- what is live ---- */

static bool is_elsewhere(const struct reconcile *reconcile, uint32_t port_id,
			 const struct port *row)
{
	const struct object *object = intent_object(reconcile->intent, port_id);

	return row->kind == PORT_TUNNEL && object && object->kind == OBJECT_PORT;
}

/* What an older program has counted in another place: rows of connections may have it in their generation. */
static uint32_t moves_before(const struct reconcile *reconcile, uint32_t vpc_slot)
{
	const struct vpc_stats *stats = datapath_vpc_stats(reconcile->options.datapath, vpc_slot);

	return stats ? (uint32_t)__atomic_load_n(&stats->moves, __ATOMIC_RELAXED) : 0;
}

static void adopt_row(void *context, enum table_id table, const void *key, const void *value)
{
	struct reconcile *reconcile = context;

	planner_reserve(reconcile->planner, table, key, value);
	if (table == TABLE_ports) {
		const struct port_key *port_key = key;
		const struct port *port = value;

		if (port->moved_until)
			reconcile_port_moved(reconcile, port_key->port_id, port->other_host_id,
					     port->moved_until);
		/* Of a port elsewhere it is its host's, which has a row of its own. */
		if (is_elsewhere(reconcile, port_key->port_id, port))
			return;
		if (!slots_adopt(&reconcile->port_slots, port->port_slot, port_key->port_id))
			log_warning("slot not taken over", "port=%u slot=%u", port_key->port_id,
				    port->port_slot);
	} else if (table == TABLE_vpcs) {
		const struct slot_key *slot_key = key;
		const struct vpc *vpc = value;

		if (slots_adopt(&reconcile->vpc_slots, slot_key->slot, vpc->vpc_id))
			reconcile->generations[slot_key->slot] =
				vpc->generation + moves_before(reconcile, slot_key->slot);
		else
			log_warning("slot not taken over", "vpc=%u slot=%u", vpc->vpc_id,
				    slot_key->slot);
	}
}

/* Slots of what the intent has no more rest like any other that is given back. */
static void give_lost_slots(struct reconcile *reconcile, struct slots *slots, enum object_kind kind)
{
	for (uint32_t slot = 1; slot < slots->next; slot++) {
		uint32_t id = slots_owner(slots, slot);
		const struct object *object = id ? intent_object(reconcile->intent, id) : NULL;
		bool kept = object && object->kind == kind;

		if (kept && kind == OBJECT_PORT)
			kept = ports_is_here(reconcile->ports, (const struct port_object *)object);
		else if (object && kind == OBJECT_PORT && object->kind == OBJECT_TUNNEL)
			kept = intent_is_local(reconcile->intent,
					       ((const struct tunnel_object *)object)->host);
		/* A peer is nobody's object; whether it is still there the plan says. */
		if (id >= PEER_ID_FIRST)
			kept = true;
		if (id && !kept)
			slots_give(slots, id);
	}
}

static int adopt_datapath(struct reconcile *reconcile, struct error *error)
{
	int64_t count = tables_adopt(reconcile->tables, adopt_row, reconcile);

	if (count < 0)
		return error_set(error, (int)count, NULL, "the live tables cannot be read: %s",
				 strerror((int)-count));
	slots_adopted(&reconcile->port_slots);
	slots_adopted(&reconcile->vpc_slots);
	give_lost_slots(reconcile, &reconcile->port_slots, OBJECT_PORT);
	give_lost_slots(reconcile, &reconcile->vpc_slots, OBJECT_VPC);
	log_info("datapath taken over", "rows=%lld ports=%u", (long long)count,
		 slots_used(&reconcile->port_slots));
	return 0;
}

/* ---- everything in line ---- */

static uint32_t *local_ports(struct reconcile *reconcile, size_t *count)
{
	const struct object **ports;
	size_t port_count = names_all(reconcile->intent, OBJECT_PORT, &ports);
	uint32_t *ids = xcalloc(port_count, sizeof(*ids));

	*count = 0;
	for (size_t i = 0; i < port_count; i++)
		if (ports_is_here(reconcile->ports, (const struct port_object *)ports[i]))
			ids[(*count)++] = ports[i]->id;
	free(ports);
	return ids;
}

static void take_tunnel_slots(struct reconcile *reconcile)
{
	const struct object **tunnels;
	size_t count = names_all(reconcile->intent, OBJECT_TUNNEL, &tunnels);

	for (size_t i = 0; i < count; i++)
		if (intent_is_local(reconcile->intent,
				    ((const struct tunnel_object *)tunnels[i])->host))
			reconcile_take_port_slot(reconcile, tunnels[i]->id);
	free(tunnels);
}

/* Slots of peers that were taken over from the live rows and are none any more. */
static void give_lost_peers(struct reconcile *reconcile)
{
	struct peer peer;

	for (uint32_t slot = 1; slot < reconcile->port_slots.next; slot++) {
		uint32_t id = slots_owner(&reconcile->port_slots, slot);

		if (id >= PEER_ID_FIRST && !planner_peer(reconcile->planner, id, &peer))
			slots_give(&reconcile->port_slots, id);
	}
}

static void converge(struct reconcile *reconcile)
{
	const struct object **vpcs;
	size_t vpc_count = intent_list(reconcile->intent, 0, OBJECT_VPC, &vpcs);
	struct unit *units;
	size_t unit_count, port_count, rows;
	uint32_t *ports = local_ports(reconcile, &port_count);

	reconcile->version++;
	for (size_t i = 0; i < vpc_count; i++) {
		reconcile_take_vpc_slot(reconcile, vpcs[i]->id);
		reconcile->generations[slots_get(&reconcile->vpc_slots, vpcs[i]->id)]++;
		reconcile_keep_limits(reconcile, vpcs[i]->id,
				      reconcile_vpc_limits(reconcile, vpcs[i]->id));
	}
	for (size_t i = 0; i < port_count; i++)
		reconcile_take_port_slot(reconcile, ports[i]);
	take_tunnel_slots(reconcile);
	reconcile_share_flows(reconcile);
	ports_plug(reconcile->ports, ports, port_count);
	unit_count = plan_all(reconcile->planner, reconcile->intent, &units);
	rows = reconcile_update_units(reconcile, units, unit_count);
	ports_set_up(reconcile->ports, ports, port_count);
	give_lost_peers(reconcile);
	ports_prune(reconcile->ports);
	/* Much was read and compared: upkeep gives back what is freed, as after a commit. */
	reconcile->trimmed_commits = reconcile->counts.commits - 1;
	log_info("host in line with the intent",
		 "revision=%llu vpcs=%zu ports=%zu rows_written=%zu",
		 (unsigned long long)reconcile->revision, vpc_count, port_count, rows);
	free(units);
	free(ports);
	free(vpcs);
}

static int take_over(struct reconcile *reconcile, struct error *error)
{
	int code = reconcile->ports ? 0 : reconcile_open_ports(reconcile, error);

	if (!code)
		code = adopt_datapath(reconcile, error);
	if (!code)
		converge(reconcile);
	return code;
}

int reconcile_recover(struct reconcile *reconcile, struct error *error)
{
	int code = load_intent(reconcile, error);

	if (!code)
		code = take_over(reconcile, error);
	if (!code)
		reconcile->blind = false;
	return code;
}

/* The store is away: with the copy of the intent, or with the datapath as it is. */
static int start_alone(struct reconcile *reconcile, struct error *error)
{
	if (load_copy(reconcile)) {
		log_notice("start without the store, with the copy of the intent");
		return take_over(reconcile, error);
	}
	reconcile->blind = true;
	log_notice("start without the store and without a copy of the intent");
	return reconcile_open_ports(reconcile, error);
}

static int start(struct reconcile *reconcile, struct error *error)
{
	struct error why = { 0 };

	if (!reconcile->options.shared)
		return reconcile_recover(reconcile, error);
	if (store_reachable(reconcile->options.store, NULL)) {
		reconcile->blind = true;
		if (!reconcile_connect(reconcile))
			return 0;
		/* What is there and cannot be understood is no reason to go on with something else. */
		if (store_reachable(reconcile->options.store, &why))
			return error_set(
				error, EINVAL, NULL, "%s",
				problems_get(&reconcile->problems, PROBLEM_STORE, 0)->text);
	}
	reconcile->blind = false;
	reconcile_look_at_store(reconcile);
	return start_alone(reconcile, error);
}

int reconcile_open(const struct reconcile_options *options, struct reconcile **reconcile,
		   struct error *error)
{
	struct reconcile *new = xcalloc(1, sizeof(*new));
	int code;

	new->options = *options;
	new->intent = intent_new();
	reconcile_watches_init(new);
	intent_set_host(new->intent, options->host);
	intent_number_installation(new->intent, options->loop_domain);
	if (options->shared)
		intent_give_ids(new->intent, 1, 1); /* none yet: the first change takes a block */
	new->planner = planner_new();
	names_know_peers(new->planner);
	list_init(&new->listeners);
	problems_init(&new->problems, options->clock);
	slots_init(&new->port_slots, table_rooms[TABLE_port_stats]);
	slots_init(&new->vpc_slots, table_rooms[TABLE_vpcs]);
	new->generations = xcalloc(table_rooms[TABLE_vpcs], sizeof(*new->generations));
	reconcile_host_init(new);
	new->tables = tables_new(options->datapath, new->planner, new->intent, &new->plan_host,
				 &new->problems);
	reconcile_watch_start(new);
	code = start(new, error);
	if (code) {
		reconcile_close(new);
		return code;
	}
	reconcile_upkeep_start(new);
	*reconcile = new;
	return 0;
}

void reconcile_close(struct reconcile *reconcile)
{
	if (!reconcile)
		return;
	loop_timer_stop(&reconcile->tick);
	loop_timer_stop(&reconcile->settle);
	reconcile_watches_fini(reconcile);
	mirrors_close(reconcile->mirrors);
	loops_close(reconcile->loops);
	ports_close(reconcile->ports);
	tables_free(reconcile->tables);
	names_know_peers(NULL);
	planner_free(reconcile->planner);
	slots_fini(&reconcile->port_slots);
	slots_fini(&reconcile->vpc_slots);
	problems_fini(&reconcile->problems);
	intent_free(reconcile->intent);
	map_fini(&reconcile->peers, NULL);
	map_fini(&reconcile->vpc_limits, NULL);
	map_fini(&reconcile->moved, free);
	map_fini(&reconcile->watched, free);
	free(reconcile->generations);
	free(reconcile);
}
