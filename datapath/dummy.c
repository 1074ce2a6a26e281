/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A datapath in memory: rows are kept and read back, nothing forwards.
 *
 * The agent's tests run on it without privileges. It keeps to the semantics of the kernel's maps
 * where the agent can tell the difference: room and -E2BIG, arrays that always have every row, the
 * longest prefix of an LPM table, a sweep that may be called. Neighbours: kernel.c (the real one),
 * provider.h.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "datapath/provider.h"

struct dummy_datapath {
	struct datapath base;
	struct map rows[TABLES];
	struct map attached[DATAPATH_ROLES]; /* ifindex -> anything */
};

static struct dummy_datapath *dummy_of(struct datapath *datapath)
{
	return container_of(datapath, struct dummy_datapath, base);
}

static bool is_array(enum table_id table)
{
	return datapath_tables[table].kind == TABLE_ARRAY ||
	       datapath_tables[table].kind == TABLE_PERCPU_ARRAY;
}

/* The row of an array table; NULL when the key is beyond its room. */
static void *array_row(struct dummy_datapath *dummy, enum table_id table, const void *key)
{
	uint32_t slot;

	memcpy(&slot, key, sizeof(slot));
	if (slot >= dummy->base.room[table])
		return NULL;
	return (char *)dummy->base.mapped[table] + (size_t)slot * datapath_tables[table].value_size;
}

static void dummy_close(struct datapath *datapath)
{
	struct dummy_datapath *dummy = dummy_of(datapath);

	for (int table = 0; table < TABLES; table++) {
		map_fini(&dummy->rows[table], free);
		free(dummy->base.mapped[table]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dummy->attached); i++)
		map_fini(&dummy->attached[i], NULL);
	free(dummy);
}

static int put_one(struct dummy_datapath *dummy, enum table_id table, const void *key,
		   const void *value)
{
	const struct datapath_table *shape = &datapath_tables[table];
	struct map *rows = &dummy->rows[table];
	struct map_iterator first = { 0 };

	if (is_array(table)) {
		void *row = array_row(dummy, table, key);

		if (!row)
			return -E2BIG;
		memcpy(row, value, shape->value_size);
		return 0;
	}
	if (map_count(rows) >= dummy->base.room[table] && !map_get(rows, key, shape->key_size)) {
		if (shape->kind != TABLE_LRU_HASH)
			return -E2BIG;
		if (map_next(rows, &first))
			free(map_remove(rows, first.key, first.key_size));
	}
	free(map_put(rows, key, shape->key_size, xmemdup(value, shape->value_size)));
	return 0;
}

static int dummy_put_many(struct datapath *datapath, enum table_id table, const void *keys,
			  const void *values, size_t count, size_t *done)
{
	const struct datapath_table *shape = &datapath_tables[table];
	int result;

	for (*done = 0; *done < count; (*done)++) {
		result = put_one(dummy_of(datapath), table,
				 (const char *)keys + *done * shape->key_size,
				 (const char *)values + *done * shape->value_size);
		if (result)
			return result;
	}
	return 0;
}

static int dummy_remove(struct datapath *datapath, enum table_id table, const void *key)
{
	struct dummy_datapath *dummy = dummy_of(datapath);
	void *row;

	if (is_array(table)) {
		row = array_row(dummy, table, key);
		if (!row)
			return -ENOENT;
		memset(row, 0, datapath_tables[table].value_size);
		return 0;
	}
	row = map_remove(&dummy->rows[table], key, datapath_tables[table].key_size);
	free(row);
	return row ? 0 : -ENOENT;
}

static int dummy_remove_many(struct datapath *datapath, enum table_id table, const void *keys,
			     size_t count)
{
	for (size_t i = 0; i < count; i++) {
		int result = dummy_remove(datapath, table,
					  (const char *)keys + i * datapath_tables[table].key_size);

		if (result && result != -ENOENT)
			return result;
	}
	return 0;
}

/* The row of the longest prefix that contains the key: one bit less at a time. */
static const void *longest_prefix(struct map *rows, const void *key, uint32_t key_size)
{
	unsigned char shorter[256];
	uint32_t length;

	memcpy(shorter, key, key_size);
	memcpy(&length, key, sizeof(length));
	for (;; length--) {
		const void *row;

		memcpy(shorter, &length, sizeof(length));
		row = map_get(rows, shorter, key_size);
		if (row || !length)
			return row;
		shorter[sizeof(length) + (length - 1) / 8] &=
			(unsigned char)~(0x80u >> ((length - 1) % 8));
	}
}

static int dummy_get(struct datapath *datapath, enum table_id table, const void *key, void *value)
{
	struct dummy_datapath *dummy = dummy_of(datapath);
	const struct datapath_table *shape = &datapath_tables[table];
	const void *row;

	if (is_array(table))
		row = array_row(dummy, table, key);
	else if (shape->kind == TABLE_LPM_TRIE)
		row = longest_prefix(&dummy->rows[table], key, shape->key_size);
	else
		row = map_get(&dummy->rows[table], key, shape->key_size);
	if (!row)
		return -ENOENT;
	memcpy(value, row, shape->value_size);
	return 0;
}

static int dummy_walk(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		      void *context)
{
	struct dummy_datapath *dummy = dummy_of(datapath);
	const struct datapath_table *shape = &datapath_tables[table];

	if (is_array(table)) {
		for (uint32_t slot = 0; slot < dummy->base.room[table]; slot++) {
			const char *row = array_row(dummy, table, &slot);

			if (row[0] == 0 && !memcmp(row, row + 1, shape->value_size - 1))
				continue;
			if (!fn(context, &slot, row))
				break;
		}
		return 0;
	}
	MAP_FOR_EACH(&dummy->rows[table], row) {
		if (!fn(context, row.key, row.value))
			break;
	}
	return 0;
}

static int dummy_table_fd(struct datapath *datapath, enum table_id table)
{
	(void)datapath;
	(void)table;
	return -1;
}

static int note_device(struct datapath *datapath, enum datapath_role role, uint32_t ifindex)
{
	map_put_u32(&dummy_of(datapath)->attached[role], ifindex, datapath);
	return 0;
}

static int dummy_attach(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
			struct error *error)
{
	(void)kind;
	(void)error;
	return note_device(datapath, DATAPATH_PORT, ifindex);
}

static int dummy_attach_underlay(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	(void)error;
	return note_device(datapath, DATAPATH_UNDERLAY, ifindex);
}

static int dummy_attach_uplink(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	(void)error;
	return note_device(datapath, DATAPATH_UPLINK, ifindex);
}

static int dummy_attach_tunnel_device(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
				      uint16_t port, struct error *error)
{
	(void)kind;
	(void)port;
	(void)error;
	return note_device(datapath, DATAPATH_TUNNEL_DEVICE, ifindex);
}

static int dummy_attach_services(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	(void)error;
	return note_device(datapath, DATAPATH_SERVICES, ifindex);
}

static int dummy_attach_punt(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	(void)error;
	return note_device(datapath, DATAPATH_PUNT, ifindex);
}

static int dummy_attach_mirror(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	(void)error;
	return note_device(datapath, DATAPATH_MIRROR, ifindex);
}

static int dummy_attach_segmenter(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	(void)error;
	map_put_u32(&dummy_of(datapath)->attached[DATAPATH_SEGMENTER], ifindex, datapath);
	return 0;
}

static int dummy_detach(struct datapath *datapath, enum datapath_role role, uint32_t ifindex)
{
	return map_remove_u32(&dummy_of(datapath)->attached[role], ifindex) ? 0 : -ENOENT;
}

static size_t dummy_attached(struct datapath *datapath, enum datapath_role role,
			     uint32_t **ifindexes)
{
	struct map *attached = &dummy_of(datapath)->attached[role];
	size_t count = 0;

	*ifindexes = xcalloc(map_count(attached), sizeof(**ifindexes));
	MAP_FOR_EACH(attached, device)
		memcpy(&(*ifindexes)[count++], device.key, sizeof(**ifindexes));
	return count;
}

static int dummy_verdict(struct datapath *datapath, enum verdict verdict,
			 struct verdict_counter *counter)
{
	uint32_t key = verdict;

	return dummy_get(datapath, TABLE_verdicts, &key, counter);
}

static int dummy_sweep(struct datapath *datapath, struct error *error)
{
	struct datapath_state *state = datapath_state(datapath);

	(void)error;
	state->sweep_removed = 0;
	state->sweep_kept = map_count(&dummy_of(datapath)->rows[TABLE_flows]);
	return 0;
}

static int dummy_events_fd(struct datapath *datapath)
{
	(void)datapath;
	return -1;
}

static int dummy_events_read(struct datapath *datapath, datapath_event_fn *fn, void *context,
			     int max)
{
	(void)datapath;
	(void)fn;
	(void)context;
	(void)max;
	return 0;
}

static int dummy_underlay_events_read(struct datapath *datapath, datapath_underlay_event_fn *fn,
				      void *context, int max)
{
	(void)datapath;
	(void)fn;
	(void)context;
	(void)max;
	return 0;
}

static int dummy_captures_read(struct datapath *datapath, datapath_capture_fn *fn, void *context,
			       int max)
{
	(void)datapath;
	(void)fn;
	(void)context;
	(void)max;
	return 0;
}

static int dummy_flow_ends_read(struct datapath *datapath, datapath_flow_end_fn *fn, void *context,
				int max)
{
	(void)datapath;
	(void)fn;
	(void)context;
	(void)max;
	return 0;
}

static const struct datapath_feature *dummy_features(struct datapath *datapath, size_t *count)
{
	static const struct datapath_feature features[] = {
		{ "forwarding", false, "this datapath keeps tables in memory and moves no packet" },
	};

	(void)datapath;
	*count = ARRAY_SIZE(features);
	return features;
}

static uint64_t dummy_memory(struct datapath *datapath)
{
	struct dummy_datapath *dummy = dummy_of(datapath);
	uint64_t total = 0;

	for (int table = 0; table < TABLES; table++) {
		const struct datapath_table *shape = &datapath_tables[table];
		uint64_t rows = is_array((enum table_id)table) ? dummy->base.room[table]
							       : map_count(&dummy->rows[table]);

		total += rows * (shape->key_size + shape->value_size);
	}
	return total;
}

static const struct datapath_operations dummy_operations = {
	.close = dummy_close,
	.put_many = dummy_put_many,
	.remove = dummy_remove,
	.remove_many = dummy_remove_many,
	.get = dummy_get,
	.walk = dummy_walk,
	.table_fd = dummy_table_fd,
	.attach = dummy_attach,
	.attach_underlay = dummy_attach_underlay,
	.attach_uplink = dummy_attach_uplink,
	.attach_tunnel_device = dummy_attach_tunnel_device,
	.attach_services = dummy_attach_services,
	.attach_punt = dummy_attach_punt,
	.attach_segmenter = dummy_attach_segmenter,
	.attach_mirror = dummy_attach_mirror,
	.detach = dummy_detach,
	.attached = dummy_attached,
	.verdict = dummy_verdict,
	.sweep = dummy_sweep,
	.events_fd = dummy_events_fd,
	.events_read = dummy_events_read,
	.underlay_events_fd = dummy_events_fd,
	.underlay_events_read = dummy_underlay_events_read,
	.captures_fd = dummy_events_fd,
	.captures_read = dummy_captures_read,
	.flow_ends_fd = dummy_events_fd,
	.flow_ends_read = dummy_flow_ends_read,
	.features = dummy_features,
	.memory = dummy_memory,
};

struct datapath *datapath_open_dummy(const struct datapath_options *options)
{
	struct dummy_datapath *dummy = xcalloc(1, sizeof(*dummy));
	struct datapath_state *state;

	dummy->base.operations = &dummy_operations;
	for (int table = 0; table < TABLES; table++) {
		dummy->base.room[table] = datapath_tables[table].room;
		if (is_array((enum table_id)table))
			dummy->base.mapped[table] = xcalloc(datapath_tables[table].room,
							    datapath_tables[table].value_size);
	}
	dummy->base.room[TABLE_flows] =
		2 * (options->flow_capacity ? options->flow_capacity : DATAPATH_FLOW_CAPACITY);
	state = datapath_state(&dummy->base);
	state->event_rate = options->event_rate ? options->event_rate : DATAPATH_EVENT_RATE;
	state->icmp_rate = DATAPATH_ICMP_RATE;
	state->punt_rate = DATAPATH_PUNT_RATE;
	state->hold_rate = DATAPATH_HOLD_RATE;
	state->hold_total_rate = DATAPATH_HOLD_TOTAL_RATE;
	state->service_rate = DATAPATH_SERVICE_RATE;
	return &dummy->base;
}
