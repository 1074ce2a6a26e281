/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The tables of the sides while vectors run: the rows of a world written onto them, what packets leave
 * behind forgotten or aged, and, where a world has several hosts, kept while the tables are another's.
 *
 * Neighbours: run.c (which lines ask for what), world.c and hosts.c (which rows a host has).
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors/vector.h"

#define ROWS_MAX 8192

const struct side *const sides[2] = { &native_side, &kernel_side };
size_t side_count = 1;
struct world tables_world;
const struct datapath_state tables_state = {
	.shared_limit = 1024,
	.event_rate = 1000,
	.icmp_rate = 100,
	.flow_guarantee = 64,
	.service_ifindex = SERVICE_IFINDEX,
	.service_rate = SERVICE_RATE,
	.punt_ifindex = 1, /* lo: it is there */
	.mirror_ifindex = 1,
	.punt_rate = 3,
	.hold_rate = 3,
	.hold_total_rate = 100,
};

static struct rows written;

/* The rows of the world onto every side; rows of the world before that are no more are removed. */
void tables_write_world(void)
{
	struct step *steps;
	size_t count = diff_rows(&written, &tables_world.rows, &steps);

	for (size_t s = 0; s < side_count; s++)
		for (size_t i = 0; i < count; i++) {
			const struct row *row = steps[i].row;

			if (steps[i].action == STEP_PUT)
				sides[s]->put(row->table, row->bytes, row->bytes + row->key_size);
			else
				sides[s]->remove(row->table, row->bytes);
		}
	free(steps);
	rows_clear(&written);
	for (size_t i = 0; i < tables_world.rows.count; i++) {
		const struct row *row = tables_world.rows.list[i];

		rows_add(&written, row->table, row->bytes, row->bytes + row->key_size);
	}
}

static void collect_row(void *context, const void *key, const void *value)
{
	struct collected *rows = context;
	unsigned char *at = rows->bytes + rows->count * (rows->key_size + rows->value_size);

	if (rows->count >= ROWS_MAX)
		vector_fail("more than %d rows", ROWS_MAX);
	memcpy(at, key, rows->key_size);
	memcpy(at + rows->key_size, value, rows->value_size);
	rows->count++;
}

struct collected tables_collect(const struct side *side, enum table_id table)
{
	struct collected rows = { .key_size = table_key_size(table),
				  .value_size = table_value_size(table) };

	rows.bytes = malloc(ROWS_MAX * (rows.key_size + rows.value_size));
	if (!rows.bytes)
		vector_fail("out of memory");
	side->walk(table, collect_row, &rows);
	return rows;
}

/* What packets leave behind. */
static const enum table_id of_packets[] = {
	TABLE_flows,           TABLE_fragments,       TABLE_stations,    TABLE_station_ends,
	TABLE_service_clients, TABLE_wire_neighbours, TABLE_groups,      TABLE_group_sources,
	TABLE_segment_states,  TABLE_flow_rejects,    TABLE_segment_tags
};
#define OF_PACKETS (sizeof(of_packets) / sizeof(of_packets[0]))

static void remove_all(const struct side *side, enum table_id table)
{
	struct collected rows = tables_collect(side, table);

	for (size_t i = 0; i < rows.count; i++)
		side->remove(table, rows.bytes + i * (rows.key_size + rows.value_size));
	free(rows.bytes);
}

/* The rows of a table that the world says, where packets have changed or removed them. */
static void put_again(const struct side *side, enum table_id table)
{
	for (size_t i = 0; i < tables_world.rows.count; i++) {
		const struct row *row = tables_world.rows.list[i];

		if (row->table == table)
			side->put(table, row->bytes, row->bytes + row->key_size);
	}
}

void tables_forget(const struct side *side)
{
	struct port_stats no_port_stats = { 0 };
	struct vpc_stats no_vpc_stats = { 0 };

	for (size_t t = 0; t < OF_PACKETS; t++)
		remove_all(side, of_packets[t]);
	hit_forget(side);
	for (uint32_t slot = 0; slot < 1024; slot++) {
		struct slot_key key = { slot };

		side->put(TABLE_port_stats, &key, &no_port_stats);
		if (slot < 64)
			side->put(TABLE_vpc_stats, &key, &no_vpc_stats);
	}
	put_again(side, TABLE_stations);
	put_again(side, TABLE_tunnel_sequences);
}

/* ---- several hosts: what each knows of its packets, while the tables are another's ---- */

static struct collected kept[HOSTS_MAX][2][OF_PACKETS];

static void keep(size_t host)
{
	for (size_t s = 0; s < side_count; s++)
		for (size_t t = 0; t < OF_PACKETS; t++) {
			free(kept[host][s][t].bytes);
			kept[host][s][t] = tables_collect(sides[s], of_packets[t]);
			remove_all(sides[s], of_packets[t]);
		}
	for (size_t s = 0; s < side_count; s++)
		hit_forget(sides[s]);
}

static void give_back(size_t host)
{
	for (size_t s = 0; s < side_count; s++) {
		put_again(sides[s], TABLE_stations);
		for (size_t t = 0; t < OF_PACKETS; t++) {
			struct collected *rows = &kept[host][s][t];
			size_t size = rows->key_size + rows->value_size;

			for (size_t i = 0; i < rows->count; i++)
				sides[s]->put(of_packets[t], rows->bytes + i * size,
					      rows->bytes + i * size + rows->key_size);
			free(rows->bytes);
			memset(rows, 0, sizeof(*rows));
		}
	}
}

void tables_forget_kept(void)
{
	for (size_t h = 0; h < HOSTS_MAX; h++)
		for (size_t s = 0; s < 2; s++)
			for (size_t t = 0; t < OF_PACKETS; t++) {
				free(kept[h][s][t].bytes);
				memset(&kept[h][s][t], 0, sizeof(kept[h][s][t]));
			}
}

/* The tables become those of another host, which remembers its own packets. */
void tables_switch_host(const char *name)
{
	int host = hosts_find(name);

	if (host < 0)
		vector_fail("no host %s", name);
	if ((size_t)host == tables_world.here)
		return;
	keep(tables_world.here);
	tables_world.here = (size_t)host;
	world_plan(&tables_world);
	tables_write_world();
	give_back(tables_world.here);
}

/* A tick below marks that say whether there is one. */
static uint64_t age_marked(uint64_t value, uint32_t ticks)
{
	return value ? (value & 0xffffffff00000000u) | (uint32_t)((uint32_t)value - ticks) : 0;
}

/* The times in the rows that packets leave behind, each in ticks. */
#define TIME(name, type, field)                                                                    \
	{                                                                                          \
		offsetof(struct type, field), TABLE_##name, false                                  \
	}
static const struct {
	size_t offset;
	enum table_id table;
	bool marked; /* 0 is no time */
} times[] = {
	TIME(flows, flow, seen),
	TIME(flows, flow, renew),
	TIME(flows, flow, born),
	TIME(stations, station, seen),
	TIME(stations, station, moved_at),
	TIME(wire_neighbours, wire_neighbour, seen),
	{ offsetof(struct port, moved_until), TABLE_ports, true },
	TIME(groups, group, expires),
	TIME(groups, group, any_until),
	TIME(groups, group, since),
	TIME(group_sources, group_source, expires),
	TIME(flow_rejects, flow_reject, first),
	TIME(flow_rejects, flow_reject, last),
};

/* Of every row of a table. */
static void age_rows(const struct side *side, enum table_id table, size_t offset, bool marked,
		     uint32_t ticks)
{
	struct collected rows = tables_collect(side, table);

	for (size_t i = 0; i < rows.count; i++) {
		unsigned char *key = rows.bytes + i * (rows.key_size + rows.value_size);
		unsigned char *row = key + rows.key_size;
		uint32_t time;

		memcpy(&time, row + offset, sizeof(time));
		time -= time || !marked ? ticks : 0;
		memcpy(row + offset, &time, sizeof(time));
		side->put(table, key, row);
	}
	free(rows.bytes);
}

/* Time passes: what was seen was seen longer ago. */
void tables_age(const struct side *side, uint32_t seconds)
{
	uint32_t ticks = seconds * TICKS_PER_SECOND;

	for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
		age_rows(side, times[i].table, times[i].offset, times[i].marked, ticks);
	hit_age(side, ticks);
	for (uint32_t slot = 1; slot < 1024; slot++) {
		struct slot_key key = { .slot = slot };
		struct port_stats stats;

		if (!side->get(TABLE_port_stats, &key, &stats) ||
		    (!stats.held_until && !stats.reflected))
			continue;
		stats.held_until = age_marked(stats.held_until, ticks);
		stats.reflected = age_marked(stats.reflected, ticks);
		side->put(TABLE_port_stats, &key, &stats);
	}
}

void tables_forget_world(void)
{
	rows_clear(&written);
}
