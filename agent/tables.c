/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Cache of written rows and the writer; see tables.h.
 *
 * An update gathers the rows of all its units into one list before and one after, so that a row that moves
 * from one unit to another (an address that changes its port) is one put and no removal. The lists borrow
 * the rows; the units own them.
 */
#include "agent/tables.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/devices/tunnel_numbers.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"

/* Rows written per call: bounds the scratch memory, long enough to make system calls rare. */
#define BATCH_ROWS 1024

/* Not one of model/plan.h: rows found at the start, which no unit has claimed yet. */
static const struct unit adopted_unit = { (enum unit_kind)0xff, 0 };

struct unit_rows {
	struct unit unit;
	struct rows rows;
};

/* A step that the datapath refused. */
struct refusal {
	const struct step *step;
	int code;
};

struct refusals {
	size_t count;
	struct refusal *list;
};

struct tables {
	struct datapath *datapath;
	struct planner *planner;
	const struct intent *intent;
	const struct plan_host *host;
	struct problems *problems;
	struct map units;   /* struct unit -> struct unit_rows */
	struct map waiting; /* struct unit -> its struct unit_rows: has refused rows */
	size_t row_counts[TABLES];
	enum table_id audit_next;
};

bool tables_is_planned(enum table_id table)
{
	switch (table) {
	case TABLE_attachments:
	case TABLE_attachments_far:
	case TABLE_wires:
	case TABLE_ports:
	case TABLE_subnets:
	case TABLE_vpcs:
	case TABLE_endpoints:
	case TABLE_stations:
	case TABLE_allowed_sources:
	case TABLE_floods:
	case TABLE_routes:
	case TABLE_nexthop_groups:
	case TABLE_tunnels:
	case TABLE_tunnel_ports:
	case TABLE_vteps:
	case TABLE_tunnel_sources:
	case TABLE_policies:
	case TABLE_classifier_addresses:
	case TABLE_classifier_groups:
	case TABLE_classifier_services:
	case TABLE_rule_words:
	case TABLE_port_rates:
	case TABLE_port_mirrors:
	case TABLE_rules:
	case TABLE_multicast_subnets:
	case TABLE_set_groups:
	case TABLE_services: return true;
	case TABLE_flows:
	case TABLE_tunnel_sequences:
	case TABLE_groups:
	case TABLE_group_sources:
	case TABLE_segment_states:
	case TABLE_mirror_counts:
	case TABLE_flow_rejects:
	case TABLE_flow_log_ports:
	case TABLE_station_ends:
	case TABLE_fragments:
	case TABLE_wire_neighbours:
	case TABLE_ended_flows:
	case TABLE_ended_cursor:
	case TABLE_port_stats:
	case TABLE_vpc_stats:
	case TABLE_state:
	case TABLE_verdicts:
	case TABLE_service_clients:
	case TABLE_port_watches:
	case TABLE_watches:
	case TABLE_capture_records:
	case TABLE_rate_states:
	case TABLE_judgements:
	case TABLE_ways:
	case TABLE_port_counts:
	case TABLE_vpc_moves:
	case TABLE_segment_tags:
	case TABLES: break;
	}
	return false;
}

struct tables *tables_new(struct datapath *datapath, struct planner *planner,
			  const struct intent *intent, const struct plan_host *host,
			  struct problems *problems)
{
	struct tables *tables = xcalloc(1, sizeof(*tables));

	tables->datapath = datapath;
	tables->planner = planner;
	tables->intent = intent;
	tables->host = host;
	tables->problems = problems;
	map_init(&tables->units);
	map_init(&tables->waiting);
	return tables;
}

static void unit_rows_free(void *value)
{
	struct unit_rows *entry = value;

	rows_clear(&entry->rows);
	free(entry);
}

void tables_free(struct tables *tables)
{
	if (!tables)
		return;
	map_fini(&tables->waiting, NULL);
	map_fini(&tables->units, unit_rows_free);
	free(tables);
}

static struct unit_rows *tables_unit(struct tables *tables, const struct unit *unit)
{
	struct unit_rows *entry = map_get(&tables->units, unit, sizeof(*unit));

	if (!entry) {
		entry = xcalloc(1, sizeof(*entry));
		entry->unit = *unit;
		map_put(&tables->units, unit, sizeof(*unit), entry);
	}
	return entry;
}

static void rows_push(struct rows *rows, struct row *row)
{
	if (rows->count == rows->room) {
		rows->room = rows->room ? rows->room * 2 : 8;
		rows->list = xreallocarray(rows->list, rows->room, sizeof(struct row *));
	}
	rows->list[rows->count++] = row;
}

static void rows_append(struct rows *rows, const struct rows *more)
{
	for (size_t i = 0; i < more->count; i++)
		rows_push(rows, more->list[i]);
}

static const void *row_key(const struct row *row)
{
	return row->bytes;
}

static const void *row_value(const struct row *row)
{
	return row->bytes + row->key_size;
}

static bool rows_same_key(const struct row *a, const struct row *b)
{
	return a->table == b->table && memcmp(a->bytes, b->bytes, a->key_size) == 0;
}

/* A row of an array cannot be taken out; zero means that there is none. */
static int tables_remove_row(struct tables *tables, const struct row *row)
{
	int code;

	if (row->table == TABLE_vpcs) {
		const struct vpc none = { 0 };

		return datapath_put(tables->datapath, TABLE_vpcs, row_key(row), &none);
	}
	code = datapath_remove(tables->datapath, row->table, row_key(row));
	return code == -ENOENT ? 0 : code;
}

static void refuse(struct refusals *refusals, const struct step *step, int code)
{
	refusals->list =
		xreallocarray(refusals->list, refusals->count + 1, sizeof(*refusals->list));
	refusals->list[refusals->count++] = (struct refusal){ step, code };
}

/* Puts of one table, as many as the kernel takes at once; what it refuses is stepped over. */
static void tables_put_run(struct tables *tables, const struct step *steps, size_t count,
			   struct refusals *refusals)
{
	enum table_id table = steps[0].row->table;
	size_t key_size = steps[0].row->key_size, value_size = steps[0].row->value_size;
	unsigned char *keys = xmalloc(count * key_size);
	unsigned char *values = xmalloc(count * value_size);
	size_t begin = 0;

	for (size_t i = 0; i < count; i++) {
		memcpy(keys + i * key_size, row_key(steps[i].row), key_size);
		memcpy(values + i * value_size, row_value(steps[i].row), value_size);
	}
	while (begin < count) {
		size_t done = 0;
		int code = datapath_put_many(tables->datapath, table, keys + begin * key_size,
					     values + begin * value_size, count - begin, &done);

		if (!code)
			break;
		begin += done;
		if (begin >= count)
			break;
		refuse(refusals, &steps[begin], code);
		begin++;
	}
	free(values);
	free(keys);
}

/* Tunnels one by one where they have numbers or had some; the others at once, as all rows. */
static void tables_put_tunnels(struct tables *tables, const struct step *steps, size_t count,
			       struct refusals *refusals)
{
	size_t begin = 0;

	for (size_t i = 0; i < count; i++) {
		const struct row *row = steps[i].row;
		const struct tunnel *wanted = row_value(row);
		size_t before;
		struct tunnel old;
		int code = tunnel_numbers_prepare(tables->datapath, row_key(row), wanted, &old);

		if (!code && !((wanted->flags | old.flags) & TUNNEL_SEQUENCE))
			continue;
		if (i > begin)
			tables_put_run(tables, steps + begin, i - begin, refusals);
		begin = i + 1;
		before = refusals->count;
		if (code)
			refuse(refusals, &steps[i], code);
		else
			tables_put_run(tables, steps + i, 1, refusals);
		if (refusals->count == before)
			tunnel_numbers_settle(tables->datapath, row_key(row), wanted, &old);
	}
	if (count > begin)
		tables_put_run(tables, steps + begin, count - begin, refusals);
}

/* What goes with a row and is not planned. */
static void tables_row_removed(struct tables *tables, const struct row *row)
{
	if (row->table == TABLE_tunnels)
		tunnel_numbers_remove(tables->datapath, row_key(row), row_value(row));
}

static void tables_remove_run(struct tables *tables, const struct step *steps, size_t count,
			      struct refusals *refusals)
{
	enum table_id table = steps[0].row->table;
	size_t key_size = steps[0].row->key_size;
	unsigned char *keys;
	int code;

	if (table != TABLE_vpcs && count > 1) {
		keys = xmalloc(count * key_size);
		for (size_t i = 0; i < count; i++)
			memcpy(keys + i * key_size, row_key(steps[i].row), key_size);
		code = datapath_remove_many(tables->datapath, table, keys, count);
		free(keys);
		if (!code) {
			for (size_t i = 0; i < count; i++)
				tables_row_removed(tables, steps[i].row);
			return;
		}
	}
	/* One by one: removing again what is gone already is no error. */
	for (size_t i = 0; i < count; i++) {
		code = tables_remove_row(tables, steps[i].row);
		if (code)
			refuse(refusals, &steps[i], code);
		else
			tables_row_removed(tables, steps[i].row);
	}
}

static void tables_run(struct tables *tables, const struct step *steps, size_t count,
		       struct refusals *refusals)
{
	size_t begin = 0;

	while (begin < count) {
		size_t end = begin + 1;

		while (end < count && end - begin < BATCH_ROWS &&
		       steps[end].action == steps[begin].action &&
		       steps[end].row->table == steps[begin].row->table)
			end++;
		if (steps[begin].action == STEP_REMOVE)
			tables_remove_run(tables, steps + begin, end - begin, refusals);
		else if (steps[begin].row->table == TABLE_tunnels)
			tables_put_tunnels(tables, steps + begin, end - begin, refusals);
		else
			tables_put_run(tables, steps + begin, end - begin, refusals);
		begin = end;
	}
}

/* Which of the units has a row; rows are compared by address. Only walked when something was refused. */
static size_t find_unit_of_row(const struct rows *lists, size_t count, const struct row *row,
			       size_t *position)
{
	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < lists[i].count; j++) {
			if (lists[i].list[j] == row) {
				*position = j;
				return i;
			}
		}
	}
	return count;
}

/* The row with the same key among the rows a unit had, taken out of that list; NULL if there is none. */
static struct row *take_same_key(struct rows *rows, const struct row *row)
{
	for (size_t i = 0; i < rows->count; i++) {
		struct row *found = rows->list[i];

		if (rows_same_key(found, row)) {
			rows->list[i] = rows->list[--rows->count];
			return found;
		}
	}
	return NULL;
}

static void tables_raise(const struct tables *tables, const struct unit *unit,
			 const struct row *row, int code)
{
	char text[200];
	bool full = code == -E2BIG || code == -ENOSPC || code == -ENOMEM;

	if (full)
		snprintf(text, sizeof(text),
			 "the table %s is full, so a part of it does not work yet",
			 table_name(row->table));
	else
		snprintf(text, sizeof(text), "the table %s cannot be written: %s",
			 table_name(row->table), strerror(-code));
	problems_raise(tables->problems, PROBLEM_TABLES,
		       unit->kind == UNIT_GROUP_SET ? 0 : unit->id, text);
}

/* What was refused goes back to what is really in the table, in the lists that will be remembered. */
static void tables_settle_refusals(struct tables *tables, struct unit_rows **entries,
				   struct rows *after, size_t count,
				   const struct refusals *refusals)
{
	for (size_t i = 0; i < refusals->count; i++) {
		const struct step *step = refusals->list[i].step;
		struct row *before = NULL;
		size_t owner = count, position = 0;

		if (step->action == STEP_PUT)
			owner = find_unit_of_row(after, count, step->row, &position);
		for (size_t j = 0; j < count && !before; j++) {
			before = take_same_key(&entries[j]->rows, step->row);
			if (before && owner == count)
				owner = j;
		}
		if (owner == count)
			continue;
		tables_raise(tables, &entries[owner]->unit, step->row, refusals->list[i].code);
		if (step->action == STEP_PUT) {
			struct row *row = after[owner].list[position];

			after[owner].list[position] = after[owner].list[--after[owner].count];
			free(row);
		}
		if (before)
			rows_push(&after[owner], before);
		map_put(&tables->waiting, &entries[owner]->unit, sizeof(struct unit),
			entries[owner]);
	}
}

static void tables_count_rows(struct tables *tables, const struct rows *rows, bool add)
{
	for (size_t i = 0; i < rows->count; i++) {
		if (add)
			tables->row_counts[rows->list[i]->table]++;
		else
			tables->row_counts[rows->list[i]->table]--;
	}
}

static void tables_remember(struct tables *tables, struct unit_rows *entry, struct rows *after)
{
	const struct unit unit = entry->unit;

	rows_clear(&entry->rows);
	entry->rows = *after;
	tables_count_rows(tables, after, true);
	if (entry->rows.count || map_get(&tables->waiting, &unit, sizeof(unit)))
		return;
	map_remove(&tables->units, &unit, sizeof(unit));
	unit_rows_free(entry);
}

static size_t tables_update_entries(struct tables *tables, struct unit_rows **entries, size_t count)
{
	struct rows *planned = xcalloc(count, sizeof(*planned));
	struct rows before = { 0 }, after = { 0 };
	struct refusals refusals = { 0 };
	struct step *steps = NULL;
	size_t step_count;

	for (size_t i = 0; i < count; i++) {
		const struct unit *unit = &entries[i]->unit;

		rows_append(&before, &entries[i]->rows);
		tables_count_rows(tables, &entries[i]->rows, false);
		if (unit->kind != adopted_unit.kind)
			plan_unit(tables->planner, tables->intent, tables->host, unit, &planned[i]);
		rows_append(&after, &planned[i]);
		if (map_remove(&tables->waiting, unit, sizeof(*unit)))
			problems_clear(tables->problems, PROBLEM_TABLES,
				       unit->kind == UNIT_GROUP_SET ? 0 : unit->id);
	}
	step_count = diff_rows(&before, &after, &steps);
	tables_run(tables, steps, step_count, &refusals);
	tables_settle_refusals(tables, entries, planned, count, &refusals);
	for (size_t i = 0; i < count; i++)
		tables_remember(tables, entries[i], &planned[i]);
	step_count -= refusals.count;
	free(refusals.list);
	free(steps);
	free(after.list);
	free(before.list);
	free(planned);
	return step_count;
}

/* Rows of @table that units have, by key; release with map_fini(expected, NULL). */
static void tables_gather(const struct tables *tables, enum table_id table, struct map *expected)
{
	map_init(expected);
	MAP_FOR_EACH(&tables->units, it) {
		const struct unit_rows *entry = it.value;

		for (size_t i = 0; i < entry->rows.count; i++) {
			struct row *row = entry->rows.list[i];

			if (row->table == table)
				map_put(expected, row_key(row), row->key_size, row);
		}
	}
}

static size_t tables_audit_numbers(struct tables *tables)
{
	struct map rows, tunnels;
	size_t repaired;

	tables_gather(tables, TABLE_tunnels, &rows);
	map_init(&tunnels);
	MAP_FOR_EACH(&rows, it) {
		struct row *row = it.value;

		map_put(&tunnels, row_key(row), row->key_size, row->bytes + row->key_size);
	}
	repaired = tunnel_numbers_audit(tables->datapath, &tunnels);
	map_fini(&tunnels, NULL);
	map_fini(&rows, NULL);
	return repaired;
}

size_t tables_update(struct tables *tables, const struct unit *units, size_t count)
{
	struct unit_rows **entries = xcalloc(count + 1, sizeof(struct unit_rows *));
	struct unit_rows *adopted = map_get(&tables->units, &adopted_unit, sizeof(adopted_unit));
	size_t entry_count = 0, changed;

	for (size_t i = 0; i < count; i++)
		if (units[i].kind != adopted_unit.kind)
			entries[entry_count++] = tables_unit(tables, &units[i]);
	if (adopted)
		entries[entry_count++] = adopted;
	changed = tables_update_entries(tables, entries, entry_count);
	free(entries);
	/* Tunnels that were found as they should be were not written, so their numbers are not known. */
	if (adopted)
		tables_audit_numbers(tables);
	return changed;
}

size_t tables_retry(struct tables *tables)
{
	size_t count = 0, written;
	struct unit *units;

	if (!map_count(&tables->waiting))
		return 0;
	units = xcalloc(map_count(&tables->waiting), sizeof(*units));
	MAP_FOR_EACH(&tables->waiting, it)
		memcpy(&units[count++], it.key, sizeof(*units));
	written = tables_update(tables, units, count);
	free(units);
	return written;
}

size_t tables_rows(const struct tables *tables, enum table_id table)
{
	return tables->row_counts[table];
}

/* ---- rows that are there already ---- */

/* Rows that the pipeline made (learned stations) and array rows never used are not the plan's. */
static bool row_is_planned(enum table_id table, const void *value)
{
	static const struct vpc none;

	if (table == TABLE_vpcs)
		return memcmp(value, &none, sizeof(none)) != 0;
	if (table == TABLE_stations)
		return ((const struct station *)value)->flags & STATION_STATIC;
	return true;
}

struct adoption {
	struct rows *rows;
	enum table_id table;
	tables_row_callback *seen;
	void *context;
};

static bool tables_adopt_row(void *context, const void *key, const void *value)
{
	struct adoption *adoption = context;

	if (!row_is_planned(adoption->table, value))
		return true;
	rows_add(adoption->rows, adoption->table, key, value);
	if (adoption->seen)
		adoption->seen(adoption->context, adoption->table, key, value);
	return true;
}

int64_t tables_adopt(struct tables *tables, tables_row_callback *seen, void *context)
{
	struct unit_rows *entry = tables_unit(tables, &adopted_unit);
	struct adoption adoption = { .rows = &entry->rows, .seen = seen, .context = context };

	for (unsigned int table = 0; table < TABLES; table++) {
		int code;

		if (!tables_is_planned((enum table_id)table))
			continue;
		adoption.table = (enum table_id)table;
		code = datapath_walk(tables->datapath, (enum table_id)table, tables_adopt_row,
				     &adoption);
		if (code)
			return code;
	}
	tables_count_rows(tables, &entry->rows, true);
	return (int64_t)entry->rows.count;
}

/* ---- audit ---- */

struct audit {
	struct tables *tables;
	enum table_id table;
	struct map expected; /* key -> struct row, taken out when seen */
	struct rows foreign; /* rows nobody planned */
	size_t repaired;
};

static bool tables_audit_row(void *context, const void *key, const void *value)
{
	struct audit *audit = context;
	size_t key_size = table_key_size(audit->table);
	struct row *row = map_remove(&audit->expected, key, key_size);

	if (!row) {
		if (row_is_planned(audit->table, value))
			rows_add(&audit->foreign, audit->table, key, value);
		return true;
	}
	if (memcmp(row_value(row), value, row->value_size) != 0 &&
	    datapath_put(audit->tables->datapath, audit->table, key, row_value(row)) == 0)
		audit->repaired++;
	return true;
}

size_t tables_audit(struct tables *tables)
{
	struct audit audit = { .tables = tables, .table = tables->audit_next };

	while (!tables_is_planned(audit.table))
		audit.table = (enum table_id)((audit.table + 1) % TABLES);
	tables->audit_next = (enum table_id)((audit.table + 1) % TABLES);
	tables_gather(tables, audit.table, &audit.expected);
	if (datapath_walk(tables->datapath, audit.table, tables_audit_row, &audit) == 0) {
		MAP_FOR_EACH(&audit.expected, it) {
			struct row *row = it.value;
			unsigned char live[sizeof(struct nexthops)];

			/* A walk may miss a row that is there while others change. */
			if (row->value_size <= sizeof(live) &&
			    datapath_get(tables->datapath, audit.table, row_key(row), live) == 0)
				continue;
			if (datapath_put(tables->datapath, audit.table, row_key(row),
					 row_value(row)) == 0)
				audit.repaired++;
		}
		for (size_t i = 0; i < audit.foreign.count; i++)
			if (tables_remove_row(tables, audit.foreign.list[i]) == 0)
				audit.repaired++;
	}
	if (audit.table == TABLE_tunnels)
		audit.repaired += tables_audit_numbers(tables);
	if (audit.repaired)
		log_warning("tables repaired", "table=%s rows=%zu", table_name(audit.table),
			    audit.repaired);
	rows_clear(&audit.foreign);
	map_fini(&audit.expected, NULL);
	return audit.repaired;
}
