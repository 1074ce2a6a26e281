/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows: one entry of a datapath table as bytes, and lists of them.
 *
 * The planner makes rows of every table, the diff compares them, the agent writes them: none of the
 * three needs to know the struct behind the bytes. Sizes and names come from the one list of tables
 * in core/tables.h, so that a table is declared once.
 *
 * Neighbours: plan.h (the contract), plan.c and classifier.c (who add rows), diff.c (who compares).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/plan.h"

struct table_shape {
	const char *name;
	uint16_t key_size;
	uint16_t value_size;
};

#define TABLE_SHAPE(table, kind, key, value, room) { #table, sizeof(key), sizeof(value) },
static const struct table_shape shapes[TABLES] = { WEFT_TABLES(TABLE_SHAPE) };
#undef TABLE_SHAPE

size_t table_key_size(enum table_id table)
{
	return shapes[table].key_size;
}

size_t table_value_size(enum table_id table)
{
	return shapes[table].value_size;
}

const char *table_name(enum table_id table)
{
	return shapes[table].name;
}

void rows_add(struct rows *rows, enum table_id table, const void *key, const void *value)
{
	const struct table_shape *shape = &shapes[table];
	struct row *row = xmalloc(sizeof(*row) + shape->key_size + shape->value_size);

	row->table = (uint16_t)table;
	row->key_size = shape->key_size;
	row->value_size = shape->value_size;
	row->pad = 0;
	memcpy(row->bytes, key, shape->key_size);
	memcpy(row->bytes + shape->key_size, value, shape->value_size);
	if (rows->count == rows->room) {
		rows->room = rows->room ? rows->room * 2 : 16;
		rows->list = xreallocarray(rows->list, rows->room, sizeof(struct row *));
	}
	rows->list[rows->count++] = row;
}

void rows_clear(struct rows *rows)
{
	for (size_t i = 0; i < rows->count; i++)
		free(rows->list[i]);
	free(rows->list);
	memset(rows, 0, sizeof(*rows));
}
