/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What flow logs read of the kernel: the table of connections piece by piece, rows that are taken out of
 * their table as they are read, and the ring of connections that have ended.
 *
 * Neighbours: kernel_table.c (whole tables at once), agent/observe/flow_log.c (who reads).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "datapath/kernel.h"

#define PIECE_ROWS 1024

/* ---- a walk in pieces ---- */

struct kernel_piece {
	struct datapath_pieces base;
	uint32_t room, key_size, value_size;
	char *keys, *values;
	uint32_t cursor;
	bool begun;
};

static struct kernel_piece *piece_of(struct datapath_pieces *pieces)
{
	return (struct kernel_piece *)(void *)pieces;
}

struct datapath_pieces *kernel_pieces_begin(struct datapath *datapath, enum table_id table)
{
	struct kernel_piece *piece = xcalloc(1, sizeof(*piece));

	(void)datapath;
	piece->room = PIECE_ROWS;
	piece->key_size = datapath_tables[table].key_size;
	piece->value_size = datapath_tables[table].value_size;
	piece->keys = xmalloc((size_t)piece->room * piece->key_size);
	piece->values = xmalloc((size_t)piece->room * piece->value_size);
	return &piece->base;
}

/* One bucket holds more than a piece. */
static void widen(struct kernel_piece *piece)
{
	piece->room *= 2;
	piece->keys = xreallocarray(piece->keys, piece->room, piece->key_size);
	piece->values = xreallocarray(piece->values, piece->room, piece->value_size);
}

int kernel_pieces_next(struct datapath_pieces *pieces, datapath_row_fn *fn, void *context)
{
	struct kernel_piece *piece = piece_of(pieces);
	const int map = kernel_of(pieces->datapath)->table_fd[pieces->table];
	uint32_t rows, next = 0;
	int result;

	for (;;) {
		rows = piece->room;
		result = bpf_map_lookup_batch(map, piece->begun ? &piece->cursor : NULL, &next,
					      piece->keys, piece->values, &rows, NULL);
		if (result != -ENOSPC)
			break;
		widen(piece);
	}
	if (result && result != -ENOENT)
		return result;
	piece->begun = true;
	piece->cursor = next;
	for (uint32_t i = 0; i < rows; i++)
		if (!fn(context, piece->keys + (size_t)i * piece->key_size,
			piece->values + (size_t)i * piece->value_size))
			return 0;
	return result ? 0 : 1;
}

void kernel_pieces_end(struct datapath_pieces *pieces)
{
	struct kernel_piece *piece = piece_of(pieces);

	free(piece->keys);
	free(piece->values);
	free(piece);
}

/* ---- rows that are taken ---- */

int kernel_take_rows(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		     void *context)
{
	const int map = kernel_of(datapath)->table_fd[table];
	const struct datapath_table *shape = &datapath_tables[table];
	uint32_t room = PIECE_ROWS, cursor = 0, next = 0, rows;
	char *keys = xmalloc((size_t)room * shape->key_size);
	char *values = xmalloc((size_t)room * shape->value_size);
	bool begun = false;
	int result = 0;

	while (!result) {
		rows = room;
		result = bpf_map_lookup_and_delete_batch(map, begun ? &cursor : NULL, &next, keys,
							 values, &rows, NULL);
		if (result == -ENOSPC) {
			room *= 2;
			keys = xreallocarray(keys, room, shape->key_size);
			values = xreallocarray(values, room, shape->value_size);
			result = 0;
			continue;
		}
		if (result && result != -ENOENT)
			break;
		begun = true;
		cursor = next;
		for (uint32_t i = 0; i < rows; i++)
			fn(context, keys + (size_t)i * shape->key_size,
			   values + (size_t)i * shape->value_size);
	}
	free(values);
	free(keys);
	return result == -ENOENT ? 0 : result;
}

/* ---- connections that have ended ---- */

static int take_flow_end(void *context, void *data, size_t size)
{
	struct kernel_datapath *kernel = context;

	if (size >= sizeof(struct flow_end))
		kernel->flow_end_fn(kernel->event_context, data);
	kernel->event_budget--;
	return kernel->event_budget > 0 ? 0 : -ECANCELED;
}

int kernel_flow_ends_fd(struct datapath *datapath)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	if (!kernel->flow_end_ring)
		kernel->flow_end_ring = ring_buffer__new(kernel->map_fd[MAP_FLOW_ENDS],
							 take_flow_end, kernel, NULL);
	return kernel->flow_end_ring ? ring_buffer__epoll_fd(kernel->flow_end_ring) : -1;
}

int kernel_flow_ends_read(struct datapath *datapath, datapath_flow_end_fn *fn, void *context,
			  int max)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	if (max <= 0 || !kernel->flow_end_ring)
		return 0;
	kernel->flow_end_fn = fn;
	kernel->event_context = context;
	kernel->event_budget = max;
	ring_buffer__consume(kernel->flow_end_ring);
	return max - kernel->event_budget;
}
