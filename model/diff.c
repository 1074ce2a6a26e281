/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From the rows that are there to the rows that should be: the steps, in an order without holes.
 *
 * The datapath reads while the steps are taken, one at a time, so each prefix of the list must be a
 * state that may be seen. The order is:
 *   1. what takes reachability away and gives nothing: devices, who may send through tunnels,
 *      endpoints, stations, extra addresses and ports that go;
 *   2. puts, what rules need before what makes anything reachable. New classifiers have new ids, so
 *      that a put into policies or subnets switches from complete old rules to complete new ones;
 *   3. removals of what nothing refers to any more, in the reverse order;
 *   4. the rows of VPCs that were there before. They carry the generation, by which a live
 *      connection is judged again, and it must be judged by what the steps before have made. (The
 *      row of a new VPC is put early: ports refer to it.)
 * Within a table of prefixes, longer ones are put first and shorter ones removed first. Any address
 * then meets its old row or its new row at all times, never a third one that merely covers it.
 *
 * Neighbours: plan.h (the contract), rows.c, agent/reconcile.c (who takes the steps).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "model/plan.h"

enum table_kind {
	KIND_HASH,
	KIND_HASH_PREALLOCATED,
	KIND_LRU_HASH,
	KIND_LPM_TRIE,
	KIND_ARRAY,
	KIND_PERCPU_ARRAY,
};

#define TABLE_KIND(table, kind, key, value, room) KIND_##kind,
static const unsigned char kinds[TABLES] = { WEFT_TABLES(TABLE_KIND) };
#undef TABLE_KIND

/* Places in the order. A table that the planner never fills has 0 and would come first. */
static const unsigned char put_place[TABLES] = {
	[TABLE_rule_words] = 10,
	[TABLE_rules] = 11,
	[TABLE_classifier_addresses] = 12,
	[TABLE_classifier_groups] = 13,
	[TABLE_classifier_services] = 14,
	[TABLE_policies] = 15,
	[TABLE_set_groups] = 15,
	[TABLE_vpcs] = 16,
	[TABLE_nexthop_groups] = 17,
	[TABLE_subnets] = 18,
	[TABLE_vteps] = 19,
	[TABLE_tunnels] = 20,
	[TABLE_ports] = 21,
	[TABLE_allowed_sources] = 22,
	[TABLE_stations] = 23,
	[TABLE_floods] = 24,
	[TABLE_routes] = 25,
	[TABLE_endpoints] = 26,
	[TABLE_tunnel_sources] = 27,
	[TABLE_tunnel_ports] = 28,
	[TABLE_attachments] = 29,
	[TABLE_attachments_far] = 29,
	[TABLE_services] = 28,
	[TABLE_wires] = 29,
};

static const unsigned char remove_place[TABLES] = {
	[TABLE_attachments] = 1,
	[TABLE_attachments_far] = 1,
	[TABLE_wires] = 1,
	[TABLE_tunnel_sources] = 1,
	[TABLE_endpoints] = 2,
	[TABLE_stations] = 3,
	[TABLE_allowed_sources] = 4,
	[TABLE_ports] = 5,
	[TABLE_services] = 5,

	[TABLE_routes] = 30,
	[TABLE_floods] = 31,
	[TABLE_tunnels] = 32,
	[TABLE_vteps] = 33,
	[TABLE_tunnel_ports] = 34,
	[TABLE_subnets] = 35,
	[TABLE_nexthop_groups] = 36,
	[TABLE_policies] = 37,
	[TABLE_set_groups] = 37,
	[TABLE_classifier_services] = 38,
	[TABLE_classifier_groups] = 39,
	[TABLE_classifier_addresses] = 40,
	[TABLE_rules] = 41,
	[TABLE_rule_words] = 42,
	[TABLE_vpcs] = 44,
};

#define PLACE_GENERATION 43
#define PLACES 45
/* LPM keys begin with their length; the longest is 32 bits of id and 128 of address. */
#define LENGTHS 161

/* The map keys are a row's first bytes: its table, its sizes and its key. */
static size_t row_key_size(const struct row *row)
{
	return offsetof(struct row, bytes) + row->key_size;
}

static bool row_value_equal(const struct row *a, const struct row *b)
{
	return memcmp(a->bytes + a->key_size, b->bytes + b->key_size, a->value_size) == 0;
}

/* Where a step belongs: its place, then its order among the steps there. */
static unsigned int step_bucket(const struct step *step, bool modifies)
{
	const struct row *row = step->row;
	unsigned int place, order = 0;

	if (step->action == STEP_REMOVE)
		place = remove_place[row->table];
	else if (modifies && row->table == TABLE_vpcs)
		place = PLACE_GENERATION;
	else
		place = put_place[row->table];
	if (kinds[row->table] == KIND_LPM_TRIE) {
		uint32_t length;

		memcpy(&length, row->bytes, sizeof(length));
		if (length >= LENGTHS)
			length = LENGTHS - 1;
		order = step->action == STEP_REMOVE ? length : LENGTHS - 1 - length;
	}
	return place * LENGTHS + order;
}

struct step_list {
	size_t count;
	struct step *steps;
	uint16_t *buckets;
};

static void step_add(struct step_list *list, enum step_action action, const struct row *row,
		     bool modifies)
{
	struct step *step = &list->steps[list->count];

	step->action = action;
	step->row = row;
	list->buckets[list->count++] = (uint16_t)step_bucket(step, modifies);
}

/* Stable counting sort by bucket. Returns the sorted steps. */
static struct step *steps_sort(const struct step_list *list)
{
	uint32_t *begin = xcalloc(PLACES * LENGTHS + 1, sizeof(*begin));
	struct step *sorted = xcalloc(list->count, sizeof(*sorted));

	for (size_t i = 0; i < list->count; i++)
		begin[list->buckets[i] + 1]++;
	for (size_t i = 0; i < PLACES * LENGTHS; i++)
		begin[i + 1] += begin[i];
	for (size_t i = 0; i < list->count; i++)
		sorted[begin[list->buckets[i]]++] = list->steps[i];
	free(begin);
	return sorted;
}

/* Rows by key; of two with the same key the later one counts. */
static void rows_index(const struct rows *rows, struct map *map)
{
	map_init(map);
	for (size_t i = 0; i < rows->count; i++)
		map_put(map, rows->list[i], row_key_size(rows->list[i]), rows->list[i]);
}

size_t diff_rows(const struct rows *before, const struct rows *after, struct step **steps)
{
	struct step_list list = {
		.steps = xcalloc(before->count + after->count, sizeof(*list.steps)),
		.buckets = xcalloc(before->count + after->count, sizeof(*list.buckets)),
	};
	struct map old, new;

	rows_index(before, &old);
	rows_index(after, &new);
	for (size_t i = 0; i < after->count; i++) {
		const struct row *row = after->list[i];
		const struct row *had = map_get(&old, row, row_key_size(row));

		if (map_get(&new, row, row_key_size(row)) != row)
			continue;
		if (!had || !row_value_equal(had, row))
			step_add(&list, STEP_PUT, row, had != NULL);
	}
	for (size_t i = 0; i < before->count; i++) {
		const struct row *row = before->list[i];

		if (map_get(&old, row, row_key_size(row)) == row &&
		    !map_get(&new, row, row_key_size(row)))
			step_add(&list, STEP_REMOVE, row, false);
	}
	map_fini(&old, NULL);
	map_fini(&new, NULL);
	*steps = steps_sort(&list);
	free(list.steps);
	free(list.buckets);
	return list.count;
}
