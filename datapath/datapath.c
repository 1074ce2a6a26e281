/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The datapath's face: finds the provider's function for each call of datapath.h.
 *
 * What all providers have in common is here: the list of tables with their sizes, the bounds of
 * table numbers and slots, and the counters, which are memory with either provider.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "datapath/provider.h"

#define TABLE_LINE(table, table_kind, key, value, rows)                                            \
	[TABLE_##table] = { #table, TABLE_##table_kind, sizeof(key), sizeof(value), rows },
const struct datapath_table datapath_tables[TABLES] = { WEFT_TABLES(TABLE_LINE) };
#undef TABLE_LINE

void datapath_close(struct datapath *datapath)
{
	if (datapath)
		datapath->operations->close(datapath);
}

int datapath_put(struct datapath *datapath, enum table_id table, const void *key, const void *value)
{
	return datapath_put_many(datapath, table, key, value, 1, NULL);
}

int datapath_put_many(struct datapath *datapath, enum table_id table, const void *keys,
		      const void *values, size_t count, size_t *done)
{
	size_t written = 0;
	int result = 0;

	if ((unsigned int)table >= TABLES)
		result = -EINVAL;
	else if (datapath_tables[table].kind == TABLE_PERCPU_ARRAY)
		result = -ENOTSUP;
	else if (count)
		result = datapath->operations->put_many(datapath, table, keys, values, count,
							&written);
	if (done)
		*done = written;
	return result;
}

int datapath_remove(struct datapath *datapath, enum table_id table, const void *key)
{
	if ((unsigned int)table >= TABLES)
		return -EINVAL;
	if (datapath_tables[table].kind == TABLE_PERCPU_ARRAY)
		return -ENOTSUP;
	return datapath->operations->remove(datapath, table, key);
}

int datapath_remove_many(struct datapath *datapath, enum table_id table, const void *keys,
			 size_t count)
{
	if ((unsigned int)table >= TABLES)
		return -EINVAL;
	if (datapath_tables[table].kind == TABLE_PERCPU_ARRAY)
		return -ENOTSUP;
	return count ? datapath->operations->remove_many(datapath, table, keys, count) : 0;
}

int datapath_get(struct datapath *datapath, enum table_id table, const void *key, void *value)
{
	if ((unsigned int)table >= TABLES)
		return -EINVAL;
	return datapath->operations->get(datapath, table, key, value);
}

int datapath_walk(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		  void *context)
{
	if ((unsigned int)table >= TABLES)
		return -EINVAL;
	return datapath->operations->walk(datapath, table, fn, context);
}

int datapath_table_fd(struct datapath *datapath, enum table_id table)
{
	if ((unsigned int)table >= TABLES)
		return -1;
	return datapath->operations->table_fd(datapath, table);
}

int datapath_attach(struct datapath *datapath, uint32_t ifindex, uint32_t kind, struct error *error)
{
	if (!ifindex || kind == PORT_UNPLUGGED || kind == PORT_TUNNEL || kind > PORT_LINK)
		return error_set(error, EINVAL, NULL, "there is no device to attach to");
	return datapath->operations->attach(datapath, ifindex, kind, error);
}

int datapath_detach(struct datapath *datapath, uint32_t ifindex)
{
	return datapath->operations->detach(datapath, DATAPATH_PORT, ifindex);
}

int datapath_attach_underlay(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	if (!ifindex)
		return error_set(error, EINVAL, NULL, "there is no device to attach to");
	return datapath->operations->attach_underlay(datapath, ifindex, error);
}

int datapath_attach_uplink(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	if (!ifindex)
		return error_set(error, EINVAL, NULL, "there is no device to attach to");
	return datapath->operations->attach_uplink(datapath, ifindex, error);
}

int datapath_attach_tunnel_device(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
				  uint16_t port, struct error *error)
{
	if (!ifindex || !port || kind == TUNNEL_NONE || kind >= TUNNEL_KINDS)
		return error_set(error, EINVAL, NULL, "there is no tunnel device to attach to");
	return datapath->operations->attach_tunnel_device(datapath, ifindex, kind, port, error);
}

int datapath_settle(struct datapath *datapath)
{
	return datapath->operations->settle ? datapath->operations->settle(datapath) : 0;
}

size_t datapath_repair(struct datapath *datapath)
{
	return datapath->operations->repair ? datapath->operations->repair(datapath) : 0;
}

int datapath_attach_punt(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	struct datapath_state *state = datapath_state(datapath);
	int result = 0;

	if (ifindex > INT32_MAX)
		return error_set(error, EINVAL, NULL, "%u is no device", ifindex);
	if (ifindex)
		result = datapath->operations->attach_punt(datapath, ifindex, error);
	if (result)
		return result;
	if (ifindex)
		__atomic_store_n(&state->unasked, 1, __ATOMIC_RELAXED);
	__atomic_store_n(&state->punt_ifindex, ifindex, __ATOMIC_RELEASE);
	return 0;
}

bool datapath_is_unasked(struct datapath *datapath)
{
	return __atomic_load_n(&datapath_state(datapath)->unasked, __ATOMIC_RELAXED);
}

void datapath_asked(struct datapath *datapath)
{
	__atomic_store_n(&datapath_state(datapath)->unasked, 0, __ATOMIC_RELAXED);
}

int datapath_attach_mirror(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	struct datapath_state *state = datapath_state(datapath);
	int result = 0;

	if (ifindex > INT32_MAX)
		return error_set(error, EINVAL, NULL, "%u is no device", ifindex);
	if (ifindex)
		result = datapath->operations->attach_mirror(datapath, ifindex, error);
	if (!result)
		__atomic_store_n(&state->mirror_ifindex, ifindex, __ATOMIC_RELAXED);
	return result;
}

int datapath_attach_segmenter(struct datapath *datapath, uint32_t ifindex, uint32_t far_ifindex,
			      struct error *error)
{
	struct datapath_state *state = datapath_state(datapath);
	int result = 0;

	if (ifindex > INT32_MAX || far_ifindex > INT32_MAX)
		return error_set(error, EINVAL, NULL, "%u is no device", ifindex);
	if (ifindex)
		result = datapath->operations->attach_segmenter(datapath, far_ifindex, error);
	if (!result)
		__atomic_store_n(&state->segmenter_ifindex, ifindex, __ATOMIC_RELAXED);
	return result;
}

int datapath_detach_underlay(struct datapath *datapath, uint32_t ifindex)
{
	return datapath->operations->detach(datapath, DATAPATH_UNDERLAY, ifindex);
}

int datapath_detach_uplink(struct datapath *datapath, uint32_t ifindex)
{
	return datapath->operations->detach(datapath, DATAPATH_UPLINK, ifindex);
}

int datapath_attach_services(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	struct datapath_state *state = datapath_state(datapath);
	int result = datapath->operations->attach_services(datapath, ifindex, error);

	if (!result && state)
		__atomic_store_n(&state->service_ifindex, ifindex, __ATOMIC_RELAXED);
	return result;
}

int datapath_detach_services(struct datapath *datapath, uint32_t ifindex)
{
	struct datapath_state *state = datapath_state(datapath);

	if (state && __atomic_load_n(&state->service_ifindex, __ATOMIC_RELAXED) == ifindex)
		__atomic_store_n(&state->service_ifindex, 0, __ATOMIC_RELAXED);
	return datapath->operations->detach(datapath, DATAPATH_SERVICES, ifindex);
}

int datapath_detach_tunnel_device(struct datapath *datapath, uint32_t ifindex)
{
	return datapath->operations->detach(datapath, DATAPATH_TUNNEL_DEVICE, ifindex);
}

size_t datapath_attached(struct datapath *datapath, uint32_t **ifindexes)
{
	return datapath->operations->attached(datapath, DATAPATH_PORT, ifindexes);
}

size_t datapath_attached_as(struct datapath *datapath, enum datapath_role role,
			    uint32_t **ifindexes)
{
	return datapath->operations->attached(datapath, role, ifindexes);
}

/* The row of an array table in memory; NULL when the slot is beyond its room. */
static void *mapped_row(struct datapath *datapath, enum table_id table, uint32_t slot)
{
	if (slot >= datapath->room[table] || !datapath->mapped[table])
		return NULL;
	return (char *)datapath->mapped[table] + (size_t)slot * datapath_tables[table].value_size;
}

struct port_stats *datapath_port_stats(struct datapath *datapath, uint32_t slot)
{
	return mapped_row(datapath, TABLE_port_stats, slot);
}

int datapath_port_counts(struct datapath *datapath, uint32_t slot, struct port_counts *counts)
{
	const struct port_stats *stats = datapath_port_stats(datapath, slot);
	const struct slot_key key = { .slot = slot };
	int result;

	if (!stats)
		return -ENOENT;
	result = datapath_get(datapath, TABLE_port_counts, &key, counts);
	if (result)
		return result;
	counts->received_packets += __atomic_load_n(&stats->received_packets, __ATOMIC_RELAXED);
	counts->received_bytes += __atomic_load_n(&stats->received_bytes, __ATOMIC_RELAXED);
	counts->sent_packets += __atomic_load_n(&stats->sent_packets, __ATOMIC_RELAXED);
	counts->sent_bytes += __atomic_load_n(&stats->sent_bytes, __ATOMIC_RELAXED);
	return 0;
}

/* Rows of single CPUs are those CPUs' to write: what they have counted so far is taken off beside them. */
void datapath_port_clear(struct datapath *datapath, uint32_t slot)
{
	struct port_stats *stats = datapath_port_stats(datapath, slot);
	const struct slot_key key = { .slot = slot };
	struct port_counts counts = { 0 };

	if (!stats)
		return;
	memset(stats, 0, sizeof(*stats));
	if (datapath_get(datapath, TABLE_port_counts, &key, &counts))
		return;
	stats->received_packets = 0 - counts.received_packets;
	stats->received_bytes = 0 - counts.received_bytes;
	stats->sent_packets = 0 - counts.sent_packets;
	stats->sent_bytes = 0 - counts.sent_bytes;
}

struct vpc_stats *datapath_vpc_stats(struct datapath *datapath, uint32_t slot)
{
	return mapped_row(datapath, TABLE_vpc_stats, slot);
}

struct vpc_moves *datapath_vpc_moves(struct datapath *datapath, uint32_t slot)
{
	return mapped_row(datapath, TABLE_vpc_moves, slot);
}

struct datapath_state *datapath_state(struct datapath *datapath)
{
	return mapped_row(datapath, TABLE_state, 0);
}

int datapath_verdict(struct datapath *datapath, enum verdict verdict,
		     struct verdict_counter *counter)
{
	if ((unsigned int)verdict >= VERDICTS)
		return -EINVAL;
	return datapath->operations->verdict(datapath, verdict, counter);
}

int datapath_sweep(struct datapath *datapath, struct error *error)
{
	return datapath->operations->sweep(datapath, error);
}

int datapath_announce(struct datapath *datapath, uint32_t ifindex, const void *frame, size_t size)
{
	if (!datapath->operations->announce)
		return -ENOTSUP;
	return datapath->operations->announce(datapath, ifindex, frame, size);
}

int datapath_events_fd(struct datapath *datapath)
{
	return datapath->operations->events_fd(datapath);
}

int datapath_events_read(struct datapath *datapath, datapath_event_fn *fn, void *context, int max)
{
	return datapath->operations->events_read(datapath, fn, context, max);
}

int datapath_underlay_events_fd(struct datapath *datapath)
{
	return datapath->operations->underlay_events_fd(datapath);
}

int datapath_underlay_events_read(struct datapath *datapath, datapath_underlay_event_fn *fn,
				  void *context, int max)
{
	return datapath->operations->underlay_events_read(datapath, fn, context, max);
}

int datapath_flow_ends_fd(struct datapath *datapath)
{
	return datapath->operations->flow_ends_fd(datapath);
}

int datapath_flow_ends_read(struct datapath *datapath, datapath_flow_end_fn *fn, void *context,
			    int max)
{
	return datapath->operations->flow_ends_read(datapath, fn, context, max);
}

struct datapath_pieces *datapath_pieces_begin(struct datapath *datapath, enum table_id table)
{
	struct datapath_pieces *pieces =
		datapath->operations->pieces_begin
			? datapath->operations->pieces_begin(datapath, table)
			: xcalloc(1, sizeof(*pieces));

	pieces->datapath = datapath;
	pieces->table = table;
	return pieces;
}

int datapath_pieces_next(struct datapath_pieces *pieces, datapath_row_fn *fn, void *context)
{
	struct datapath *datapath = pieces->datapath;

	if (datapath->operations->pieces_next)
		return datapath->operations->pieces_next(pieces, fn, context);
	return datapath_walk(datapath, pieces->table, fn, context);
}

void datapath_pieces_end(struct datapath_pieces *pieces)
{
	if (!pieces)
		return;
	if (pieces->datapath->operations->pieces_end)
		pieces->datapath->operations->pieces_end(pieces);
	else
		free(pieces);
}

/* Keys of the rows that a walk has seen. */
struct taken {
	datapath_row_fn *fn;
	void *context;
	struct buf keys;
	uint32_t key_size;
	size_t count;
};

static bool take_row(void *context, const void *key, const void *value)
{
	struct taken *taken = context;

	taken->fn(taken->context, key, value);
	buf_append(&taken->keys, key, taken->key_size);
	taken->count++;
	return true;
}

int datapath_take_rows(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		       void *context)
{
	struct taken taken = { fn, context, { 0 }, datapath_tables[table].key_size, 0 };
	int result;

	if (datapath->operations->take_rows)
		return datapath->operations->take_rows(datapath, table, fn, context);
	result = datapath_walk(datapath, table, take_row, &taken);
	if (!result)
		result = datapath_remove_many(datapath, table, taken.keys.data, taken.count);
	buf_fini(&taken.keys);
	return result;
}

int datapath_captures_fd(struct datapath *datapath)
{
	return datapath->operations->captures_fd(datapath);
}

int datapath_captures_read(struct datapath *datapath, datapath_capture_fn *fn, void *context,
			   int max)
{
	return datapath->operations->captures_read(datapath, fn, context, max);
}

const struct datapath_feature *datapath_features(struct datapath *datapath, size_t *count)
{
	return datapath->operations->features(datapath, count);
}

uint64_t datapath_memory(struct datapath *datapath)
{
	return datapath->operations->memory(datapath);
}
