/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A watch in a vector: a port that is looked at (core/watch.c), and what was taken of its packets.
 *
 * There is one watch at a time, number 0. The rows are those that agent/reconcile_watch.c writes.
 */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "model/filter.h"
#include "tests/vectors/vector.h"

static uint32_t watched_id, beside_id, rated_id, shaped_id;

/* A flag of the rows of a table that a row is to have (1), or not (0); -1: as it is. */
static void flag_rows(enum table_id table, size_t offset, uint32_t flag,
		      int (*wanted)(const void *row, bool on), bool on)
{
	for (size_t s = 0; s < side_count; s++) {
		struct collected rows = tables_collect(sides[s], table);
		size_t size = rows.key_size + rows.value_size;

		for (size_t i = 0; i < rows.count; i++) {
			unsigned char *row = rows.bytes + i * size + rows.key_size;
			int want = wanted(row, on);
			uint32_t flags;

			memcpy(&flags, row + offset, sizeof(flags));
			if (want < 0 || !(flags & flag) == !want)
				continue;
			flags ^= flag;
			memcpy(row + offset, &flags, sizeof(flags));
			sides[s]->put(table, rows.bytes + i * size, row);
		}
		free(rows.bytes);
	}
}

static int of_watched(const void *row, bool on)
{
	const uint32_t port_id = ((const struct wire *)row)->port_id;

	return port_id == watched_id || port_id == beside_id ? on : -1;
}

static void mark_one(uint32_t port_id, bool on)
{
	const struct port_key key = { .port_id = port_id };
	const struct port_watch mask = { .mask = 1 };
	struct port row;

	for (size_t s = 0; s < side_count; s++) {
		if (!sides[s]->get(TABLE_ports, &key, &row))
			continue;
		row.flags = on ? row.flags | PORT_WATCHED : row.flags & ~(uint32_t)PORT_WATCHED;
		sides[s]->put(TABLE_ports, &key, &row);
		if (on)
			sides[s]->put(TABLE_port_watches, &key, &mask);
		else
			sides[s]->remove(TABLE_port_watches, &key);
	}
}

static void mark_port(bool on)
{
	mark_one(watched_id, on);
	if (beside_id)
		mark_one(beside_id, on);
	flag_rows(TABLE_wires, offsetof(struct wire, flags), WIRE_WATCHED, of_watched, on);
}

void watch_look_at(uint32_t port_id)
{
	const struct watch none = { 0 };
	struct slot_key slot = { 0 };

	watch_clear();
	watched_id = port_id;
	for (size_t s = 0; s < side_count; s++)
		sides[s]->put(TABLE_watches, &slot, &none);
	mark_port(true);
}

/* The queue of its device tells senders apart, or does not. */
static void shape_port(bool on)
{
	const struct port_key key = { .port_id = shaped_id };
	struct port row;

	for (size_t s = 0; s < side_count; s++) {
		if (!sides[s]->get(TABLE_ports, &key, &row))
			continue;
		row.flags = on ? row.flags | PORT_SHAPED : row.flags & ~(uint32_t)PORT_SHAPED;
		sides[s]->put(TABLE_ports, &key, &row);
	}
}

static int every(const void *row, bool on)
{
	(void)row;
	return on;
}

static void shape_tunnels(bool on)
{
	flag_rows(TABLE_tunnels, offsetof(struct tunnel, flags), TUNNEL_SHAPED, every, on);
}

static int of_rated(const void *row, bool on)
{
	return ((const struct wire *)row)->port_id == rated_id ? on : -1;
}

/* Frames with the tag of a child with a rate; of other ports the attachment says so. */
static void rate_wires(bool on)
{
	flag_rows(TABLE_wires, offsetof(struct wire, flags), WIRE_RATED, of_rated, on);
}

/* One word of the filter and what it says. */
static void read_word(const char *word, const char *value, struct filter *filter, struct watch *row)
{
	const char *wrong = NULL;

	if (!strcmp(word, "sample"))
		row->sample = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(word, "mirror"))
		row->ifindex = (uint32_t)strtoul(value, NULL, 10);
	else if (!strcmp(word, "beside"))
		beside_id = world_port(&tables_world, value)->object.id;
	else if (!strcmp(word, "ports"))
		wrong = filter_ports(filter, value);
	else if (!strcmp(word, "type"))
		wrong = filter_type(filter, value);
	else if (!strcmp(word, "code"))
		wrong = filter_code(filter, value);
	else if (!strcmp(word, "end"))
		wrong = filter_end(filter, value);
	else if (!strcmp(word, "protocol"))
		wrong = filter_protocol(filter, value);
	else
		vector_fail("\"%s\" is no word of a watch", word);
	if (wrong)
		vector_fail("\"%s\": %s", value, wrong);
}

void watch_statement(char **words, size_t count)
{
	const struct port_object *port = world_port(&tables_world, words[0]);
	struct slot_key slot = { 0 };
	struct watch row = { .flags = WATCH_CAPTURE };
	struct filter filter;

	if (!port)
		vector_fail("no port %s", words[0]);
	watch_clear();
	filter_init(&filter);
	row.flags |= strcmp(words[1], "to") ? WATCH_FROM : 0;
	row.flags |= strcmp(words[1], "from") ? WATCH_TO : 0;
	for (size_t i = 2; i + 1 < count; i += 2)
		read_word(words[i], words[i + 1], &filter, &row);
	if (row.ifindex)
		row.flags = (row.flags | WATCH_MIRROR) & ~(uint32_t)WATCH_CAPTURE;
	if (beside_id)
		row.flags |= WATCH_ONCE;
	filter_watch(&filter, &row);
	filter_watch_groups(&filter, tables_world.intent, port->object.vpc_id, &row);
	watched_id = port->object.id;
	for (size_t s = 0; s < side_count; s++)
		sides[s]->put(TABLE_watches, &slot, &row);
	mark_port(true);
}

void watch_again(void)
{
	if (watched_id)
		mark_port(true);
}

void watch_clear(void)
{
	if (watched_id)
		mark_port(false);
	if (shaped_id)
		shape_port(false);
	shape_tunnels(false);
	if (rated_id)
		rate_wires(false);
	watched_id = beside_id = rated_id = shaped_id = 0;
}

void shaped_statement(const char *what)
{
	const struct port_object *port;

	if (!strcmp(what, "tunnels")) {
		shape_tunnels(true);
		return;
	}
	port = world_port(&tables_world, what);
	if (!port)
		vector_fail("no port %s", what);
	shaped_id = port->object.id;
	shape_port(true);
}

/* rate PORT COST_NS BURST_NS DSCP|- */
void rate_statement(char **words)
{
	const struct port_object *port = world_port(&tables_world, words[0]);
	struct port_rate row = {
		.byte_cost = strtoull(words[1], NULL, 10) << RATE_COST_SHIFT,
		.burst_ns = strtoull(words[2], NULL, 10),
		.flags = strcmp(words[3], "-") ? RATE_DSCP : 0,
		.dscp = (uint8_t)strtoul(words[3], NULL, 10),
	};
	const struct rate_state none = { 0 };
	struct slot_key slot = { 0 };
	struct port_key key;
	struct port of;

	if (!port)
		vector_fail("no port %s", words[0]);
	rated_id = key.port_id = port->object.id;
	rate_wires(true);
	for (size_t s = 0; s < side_count; s++) {
		sides[s]->put(TABLE_port_rates, &key, &row);
		if (sides[s]->get(TABLE_ports, &key, &of)) {
			slot.slot = of.port_slot;
			sides[s]->put(TABLE_rate_states, &slot, &none);
		}
	}
}

uint32_t watch_attachment_flags(uint32_t port_id)
{
	return (watched_id == port_id || (beside_id && beside_id == port_id) ? ATTACHMENT_WATCHED
									     : 0) |
	       (rated_id == port_id ? ATTACHMENT_RATED : 0);
}

bool watch_check(char **words)
{
	struct slot_key slot = { 0 };
	struct watch row;

	for (size_t s = 0; s < side_count; s++) {
		if (!sides[s]->get(TABLE_watches, &slot, &row))
			return vector_no("%s: nobody watches", sides[s]->name);
		if (row.matched != strtoull(words[0], NULL, 10) ||
		    row.taken != strtoull(words[1], NULL, 10))
			return vector_no("%s: %llu packets matched and %llu were taken",
					 sides[s]->name, (unsigned long long)row.matched,
					 (unsigned long long)row.taken);
	}
	return true;
}
