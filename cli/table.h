/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Aligned columns.
 *
 * Rows are collected, then printed with every column as wide as its widest cell; the last one is
 * not padded. Width counts characters of UTF-8, not bytes. An empty cell is shown as "-", a blank
 * one as nothing.
 */
#ifndef WEFT_CLI_TABLE_H
#define WEFT_CLI_TABLE_H

#include <stddef.h>
#include <stdio.h>

#define TABLE_COLUMNS_MAX 16

/**
 * struct table - the rows so far; table_init(), or all zero but column_count for
 *	a table without titles
 * @column_count: how many columns
 * @cells: owned, row by row, the titles first
 */
struct table {
	size_t column_count;
	size_t cell_count;
	char **cells;
};

/** table_init - begin a table with its titles; a NULL ends them */
void table_init(struct table *table, const char *const *titles);

/** table_cell - add the next cell, copied; NULL or "" is shown as "-" */
void table_cell(struct table *table, const char *text);

/** table_cellf - the same, formatted */
void table_cellf(struct table *table, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** table_print - print all rows, each with @indent blanks in front */
void table_print(const struct table *table, FILE *out, int indent);

/** table_rows - how many rows there are, titles left out */
size_t table_rows(const struct table *table);

/** table_fini - release the cells */
void table_fini(struct table *table);

#endif
