/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Aligned columns: collected first, since a width is known only at the end.
 *
 * Neighbours: all commands that print a list.
 */
#include "cli/table.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

void table_init(struct table *table, const char *const *titles)
{
	memset(table, 0, sizeof(*table));
	for (; titles[table->column_count]; table->column_count++)
		;
	for (size_t i = 0; i < table->column_count; i++)
		table_cell(table, titles[i]);
}

static void add_cell(struct table *table, char *text)
{
	/* Doubling: grow when the count is a power of two. */
	if ((table->cell_count & (table->cell_count - 1)) == 0)
		table->cells = xreallocarray(table->cells,
					     table->cell_count ? table->cell_count * 2 : 1,
					     sizeof(*table->cells));
	table->cells[table->cell_count++] = text;
}

void table_cell(struct table *table, const char *text)
{
	add_cell(table, xstrdup(text && *text ? text : "-"));
}

void table_cellf(struct table *table, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	add_cell(table, xvasprintf(format, arguments));
	va_end(arguments);
}

/* Characters of a UTF-8 text: all bytes but those that continue one. */
static size_t width(const char *text)
{
	size_t count = 0;

	for (; *text; text++)
		count += ((unsigned char)*text & 0xc0) != 0x80;
	return count;
}

static bool is_blank(const char *text)
{
	return text[strspn(text, " ")] == '\0';
}

/* A row ends behind its last cell that is not blank. */
static void print_row(const struct table *table, size_t row, const size_t *widths, FILE *out,
		      int indent)
{
	char **cells = table->cells + row * table->column_count;
	size_t last = table->column_count - 1;
	const char *text;
	int padding;

	while (last > 0 && is_blank(cells[last]))
		last--;
	fprintf(out, "%*s", indent, "");
	for (size_t column = 0; column <= last; column++) {
		text = cells[column];
		fputs(text, out);
		if (column == last)
			break;
		padding = (int)(widths[column] - width(text)) + 2;
		fprintf(out, "%*s", padding, "");
	}
	fputc('\n', out);
}

void table_print(const struct table *table, FILE *out, int indent)
{
	size_t widths[TABLE_COLUMNS_MAX] = { 0 }, cell_width, column;

	for (size_t i = 0; i < table->cell_count; i++) {
		column = i % table->column_count;
		cell_width = width(table->cells[i]);
		if (cell_width > widths[column])
			widths[column] = cell_width;
	}
	for (size_t row = 0; row < table->cell_count / table->column_count; row++)
		print_row(table, row, widths, out, indent);
}

size_t table_rows(const struct table *table)
{
	return table->cell_count / table->column_count - 1;
}

void table_fini(struct table *table)
{
	for (size_t i = 0; i < table->cell_count; i++)
		free(table->cells[i]);
	free(table->cells);
	memset(table, 0, sizeof(*table));
}
