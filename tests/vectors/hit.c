/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the flow table alone forwards, in the vectors: rows of connections, and the ways that connections of a kind
 * have gone (core/way.c), which each CPU of the kernel has for itself.
 *
 * Neighbours: run.c (the lines), tables.c (time passes, and the tables become another host's).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "tests/vectors/vector.h"

bool hit_pass(char **words, size_t count, struct outcome outcomes[2], bool ran[2],
	      bool (*pass)(char **, size_t, struct outcome[2], bool[2]))
{
	const struct port_object *port = world_port(&tables_world, words[1]);
	const bool known = words[0][0] == 'h';
	struct port_key key = { .port_id = port ? port->object.id : 0 };
	struct port row;
	bool good;

	if (!port || !native_side.get(TABLE_ports, &key, &row))
		vector_fail("no port %s", words[1]);
	for (size_t s = 0; s < side_count; s++)
		sides[s]->remove(TABLE_ports, &key);
	good = pass(words + 1, count - 1, outcomes, ran);
	for (size_t s = 0; s < side_count; s++)
		sides[s]->put(TABLE_ports, &key, &row);
	if (good && known && outcomes[0].verdict != VERDICT_DELIVERED)
		return vector_no("verdict %d, not a hit in the flow table", outcomes[0].verdict);
	if (good && !known && outcomes[0].verdict != VERDICT_UNKNOWN_PORT)
		return vector_no("verdict %d, the slow stages were not asked", outcomes[0].verdict);
	return good;
}

/* A row of each CPU; the native side has one. The caller's to free. */
static struct way *ways_new(size_t *count)
{
	int cpus = libbpf_num_possible_cpus();
	struct way *rows;

	_Static_assert(sizeof(*rows) % 8 == 0, "the kernel gives rows of CPUs in multiples of 8");
	*count = cpus > 0 ? (size_t)cpus : 1;
	rows = calloc(*count, sizeof(*rows));
	if (!rows)
		vector_fail("out of memory");
	return rows;
}

void hit_age(const struct side *side, uint32_t ticks)
{
	size_t count;
	struct way *rows = ways_new(&count);

	for (uint32_t slot = 0; slot < WAYS; slot++) {
		struct slot_key key = { .slot = slot };
		bool there = false;

		memset(rows, 0, count * sizeof(*rows));
		if (!side->get(TABLE_ways, &key, rows))
			vector_fail("no way %u", slot);
		for (size_t i = 0; i < count; i++) {
			there |= rows[i].key.port_id != 0;
			rows[i].until -= ticks;
			rows[i].row.seen -= ticks;
			rows[i].row.renew -= ticks;
		}
		if (there)
			side->put(TABLE_ways, &key, rows);
	}
	free(rows);
}

static void stand_everywhere(const struct side *side)
{
	size_t count;
	struct way *rows = ways_new(&count), *last = ways_new(&count);

	for (uint32_t slot = 0; slot < WAYS; slot++) {
		if (!side->get(TABLE_ways, &(struct slot_key){ .slot = slot }, rows))
			vector_fail("no way %u", slot);
		for (size_t i = 0; i < count; i++)
			if (rows[i].key.port_id)
				memcpy(last, rows, count * sizeof(*rows));
		memset(rows, 0, count * sizeof(*rows));
	}
	for (uint32_t slot = 0; slot < WAYS; slot++)
		side->put(TABLE_ways, &(struct slot_key){ .slot = slot }, last);
	free(rows);
	free(last);
}

void hit_everywhere(void)
{
	for (size_t s = 0; s < side_count; s++)
		stand_everywhere(sides[s]);
}

void hit_forget(const struct side *side)
{
	size_t count;
	struct way *rows = ways_new(&count);

	for (uint32_t slot = 0; slot < WAYS; slot++)
		side->put(TABLE_ways, &(struct slot_key){ .slot = slot }, rows);
	free(rows);
}
