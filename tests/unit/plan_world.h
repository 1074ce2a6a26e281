/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A world for the tests of the planner: intent, planner, a host, and the tables that steps make.
 *
 * It does what the agent does: a draft, its changes, the dirty units, their rows before and after,
 * the steps. world_check() then compares the tables with a plan of everything, so that a unit which
 * plan_dirty forgets shows at once. Ports are plugged in unless the test says otherwise.
 */
#ifndef WEFT_TESTS_UNIT_PLAN_WORLD_H
#define WEFT_TESTS_UNIT_PLAN_WORLD_H

#include <jansson.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "model/draft.h"
#include "model/plan.h"
#include "tests/unit/unit.h"

/* ---- the world ---- */

struct world {
	struct intent *intent;
	struct planner *planner;
	uint64_t revision;
	uint32_t generation;
	uint32_t unplugged_id, elsewhere_id; /* ports without a device, and of another host */
	uint32_t path_host_id, path_mtu;     /* what is known of the way to one host */
	struct map units;                    /* kind and id -> struct rows */
	struct map tables;                   /* a row's head and key -> struct row */
	/* Of the last change. */
	size_t unit_count, vpc_count, step_count;
	struct unit *dirty;
};

static inline bool port_device(void *context, uint32_t port_id, struct port_device *device)
{
	const struct world *world = context;

	if (port_id == world->elsewhere_id)
		return false;
	*device = (struct port_device){
		.slot = port_id + 7,
		.ifindex = port_id == world->unplugged_id ? 0 : port_id + 1000,
		.kind = PORT_VETH,
	};
	return true;
}

static inline uint32_t vpc_slot(void *context, uint32_t vpc_id)
{
	(void)context;
	return vpc_id;
}

static inline uint32_t vpc_generation(void *context, uint32_t vpc_id)
{
	const struct world *world = context;

	(void)vpc_id;
	return world->generation;
}

static inline uint32_t peer_slot(void *context, uint32_t vpc_id, uint32_t host_id)
{
	(void)context;
	return 5000 + 100 * vpc_id + host_id;
}

static inline uint32_t tunnel_slot(void *context, uint32_t tunnel_id)
{
	(void)context;
	return 4000 + tunnel_id;
}

static inline uint32_t path_mtu(void *context, uint32_t host_id)
{
	const struct world *world = context;

	return host_id == world->path_host_id ? world->path_mtu : 0;
}

static inline uint32_t underlay_ifindex(void *context, const struct ip_address *address)
{
	(void)context;
	(void)address;
	return 3;
}

static inline uint32_t uplink_ifindex(void *context, const char *ifname)
{
	(void)context;
	(void)ifname;
	return 4;
}

static inline struct plan_host host_of(struct world *world)
{
	return (struct plan_host){
		.context = world,
		.port_device = port_device,
		.vpc_slot = vpc_slot,
		.vpc_generation = vpc_generation,
		.flow_guarantee = 128,
		.peer_slot = peer_slot,
		.tunnel_slot = tunnel_slot,
		.path_mtu = path_mtu,
		.underlay_ifindex = underlay_ifindex,
		.uplink_ifindex = uplink_ifindex,
	};
}

static inline size_t row_key_size(const struct row *row)
{
	return offsetof(struct row, bytes) + row->key_size;
}

static inline size_t row_size(const struct row *row)
{
	return row_key_size(row) + row->value_size;
}

static inline struct world *world_new(void)
{
	struct world *world = xcalloc(1, sizeof(*world));

	world->intent = intent_new();
	world->planner = planner_new();
	return world;
}

static inline void rows_free(void *value)
{
	rows_clear(value);
	free(value);
}

static inline void world_free(struct world *world)
{
	free(world->dirty);
	map_fini(&world->units, rows_free);
	map_fini(&world->tables, free);
	planner_free(world->planner);
	intent_free(world->intent);
	free(world);
}

static inline void take_steps(struct world *world, const struct rows *before,
			      const struct rows *after)
{
	struct step *steps;

	world->step_count = diff_rows(before, after, &steps);
	for (size_t i = 0; i < world->step_count; i++) {
		const struct row *row = steps[i].row;

		if (steps[i].action == STEP_PUT)
			free(map_put(&world->tables, row, row_key_size(row),
				     xmemdup(row, row_size(row))));
		else
			free(map_remove(&world->tables, row, row_key_size(row)));
	}
	free(steps);
}

/* Appends copies. */
static inline void rows_copy(struct rows *to, const struct rows *from)
{
	for (size_t i = 0; i < from->count; i++)
		rows_add(to, from->list[i]->table, from->list[i]->bytes,
			 from->list[i]->bytes + from->list[i]->key_size);
}

static inline void plan_units(struct world *world, const struct unit *units, size_t count)
{
	struct plan_host host = host_of(world);
	struct rows before = { 0 }, after = { 0 };

	for (size_t i = 0; i < count; i++) {
		uint64_t key = (uint64_t)units[i].kind << 32 | units[i].id;
		struct rows *had = map_get(&world->units, &key, sizeof(key));
		struct rows *rows = xcalloc(1, sizeof(*rows));

		plan_unit(world->planner, world->intent, &host, &units[i], rows);
		if (had)
			rows_copy(&before, had);
		rows_copy(&after, rows);
		had = map_put(&world->units, &key, sizeof(key), rows);
		if (had)
			rows_free(had);
	}
	take_steps(world, &before, &after);
	rows_clear(&before);
	rows_clear(&after);
}

/* The tables are those of a plan of everything, and no key is planned twice. */
static inline void world_check(struct world *world)
{
	struct plan_host host = host_of(world);
	struct rows rows = { 0 };
	struct unit *units;
	size_t count = plan_all(world->planner, world->intent, &units);
	struct map seen = { 0 };

	for (size_t i = 0; i < count; i++)
		plan_unit(world->planner, world->intent, &host, &units[i], &rows);
	for (size_t i = 0; i < rows.count; i++) {
		const struct row *row = rows.list[i];
		const struct row *have = map_get(&world->tables, row, row_key_size(row));

		assert_null(map_put(&seen, row, row_key_size(row), world));
		if (!have)
			print_message("missing: a row of %s\n", table_name(row->table));
		assert_non_null(have);
		if (memcmp(have, row, row_size(row)) != 0)
			print_message("differs: a row of %s\n", table_name(row->table));
		assert_memory_equal(have, row, row_size(row));
	}
	MAP_FOR_EACH(&world->tables, it) {
		const struct row *row = it.value;

		if (!map_get(&seen, it.key, it.key_size))
			print_message("too much: a row of %s\n", table_name(row->table));
	}
	assert_int_equal(map_count(&world->tables), rows.count);
	map_fini(&seen, NULL);
	rows_clear(&rows);
	free(units);
}

/* What the agent does with a valid draft. Takes the draft. */
static inline void publish(struct world *world, struct draft *draft)
{
	size_t change_count;
	const struct change *changes = draft_changes(draft, &change_count);
	uint32_t *vpc_ids;

	draft_commit(draft, ++world->revision);
	free(world->dirty);
	plan_dirty(world->planner, world->intent, changes, change_count, &world->dirty,
		   &world->unit_count, &vpc_ids, &world->vpc_count);
	free(vpc_ids);
	if (world->vpc_count)
		world->generation++;
	plan_units(world, world->dirty, world->unit_count);
	draft_free(draft);
}

/* JSON with ' for ". New reference. */
static inline json_t *json_of(const char *text)
{
	char *json = xstrdup(text);
	json_error_t where;
	json_t *value;

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(json, JSON_REJECT_DUPLICATES, &where);
	if (!value)
		fail_msg("%s at %d in %s", where.text, where.position, json);
	free(json);
	return value;
}

/* Judges and publishes; takes the draft. Returns false when it is refused. */
static inline bool try_publish(struct world *world, struct draft *draft, int code,
			       struct error *error)
{
	if (!code)
		code = draft_check(draft, error);
	if (code)
		draft_free(draft);
	else
		publish(world, draft);
	return !code;
}

static inline bool try_apply(struct world *world, const char *text, struct error *error)
{
	struct draft *draft = draft_new(world->intent);
	json_t *tree = json_of(text);
	bool done = try_publish(world, draft, draft_apply_tree(draft, tree, true, error), error);

	json_decref(tree);
	return done;
}

static inline void apply(struct world *world, const char *text)
{
	struct error error = { 0 };

	if (!try_apply(world, text, &error))
		fail_msg("%s: %s", error.path, error.text);
	world_check(world);
}

/* Removes a port of blue, or makes one when there is a body. Returns false when it is refused. */
static inline bool set_port(struct world *world, const char *name, const char *body)
{
	const char *path[] = { "vpcs", "blue", "ports", name };
	struct draft *draft = draft_new(world->intent);
	json_t *json = body ? json_of(body) : NULL;
	struct error error = { 0 };
	int code = json ? draft_put(draft, path, ARRAY_SIZE(path), json, true, &error)
			: draft_remove(draft, path, ARRAY_SIZE(path), &error);
	bool done = try_publish(world, draft, code, &error);

	json_decref(json);
	if (done)
		world_check(world);
	return done;
}

static inline int world_setup(void **state)
{
	*state = world_new();
	return 0;
}

static inline int world_teardown(void **state)
{
	world_free(*state);
	return 0;
}

#endif
