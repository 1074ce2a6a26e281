/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow logs in a vector: what the rows of a logged connection say, what is told of one that ends,
 * and what is counted of packets that are refused (core/flow_log.c, flow_end_fill in core/flow.h).
 *
 * Which ports have a log is in the world, as in weft.yaml ("flow_log": {}). Likewise what loop.c
 * writes down. Neighbours: run.c (which lines ask), rows.c (all the rest of a connection),
 * mirrors.c.
 */
#include <stdlib.h>
#include <string.h>

#include "target/native/native.h"

#include "base/clock.h"
#include "tests/vectors/vector.h"

#define AHEAD_TICKS (10 * TICKS_PER_SECOND)

static const char flag_letters[] = "FSRPAU";

static bool crowded;    /* refusals of a port find no room */
static uint32_t filled; /* rows of flow_rejects that are there to leave none */

static uint32_t port_id(const char *name)
{
	const struct port_object *port = world_port(&tables_world, name);

	if (!strcmp(name, "none"))
		return 0;
	if (!port)
		vector_fail("no port %s", name);
	return port->object.id;
}

static struct slot_key port_slot(const char *name)
{
	struct port_key key = { .port_id = port_id(name) };
	struct port row;

	if (!native_side.get(TABLE_ports, &key, &row))
		vector_fail("%s has no row", name);
	return (struct slot_key){ .slot = row.port_slot };
}

/* What a row counts, as lines have it: PACKETS BYTES LETTERS. */
struct counted {
	uint64_t packets, bytes;
	uint32_t tcp_flags;
};

static struct counted read_counted(char **words)
{
	struct counted counted = { .packets = strtoull(words[0], NULL, 10),
				   .bytes = strtoull(words[1], NULL, 10) };

	for (const char *letter = words[2]; *letter; letter++) {
		const char *at = strchr(flag_letters, *letter);

		if (at)
			counted.tcp_flags |= 1u << (at - flag_letters);
		else if (*letter != '-')
			vector_fail("\"%s\" are no flags of TCP", words[2]);
	}
	return counted;
}

static bool check_counted(const struct side *side, struct counted wanted, struct counted found)
{
	if (wanted.packets == found.packets && wanted.bytes == found.bytes &&
	    wanted.tcp_flags == found.tcp_flags)
		return true;
	return vector_no("%s: %llu packets, %llu bytes, TCP flags %x", side->name,
			 (unsigned long long)found.packets, (unsigned long long)found.bytes,
			 found.tcp_flags);
}

/* logged FROM > TO PACKETS BYTES LETTERS; unlogged FROM > TO: the one row of that direction */
static bool check_logged(const struct side *side, char **words, bool logged)
{
	struct collected rows = tables_collect(side, TABLE_flows);
	uint32_t from = port_id(words[0]), to = port_id(words[2]);
	size_t found = 0;
	bool good = true;

	for (size_t i = 0; good && i < rows.count; i++) {
		const unsigned char *at = rows.bytes + i * (rows.key_size + rows.value_size);
		struct counted counted;
		struct flow_key key;
		struct flow flow;

		memcpy(&key, at, sizeof(key));
		memcpy(&flow, at + rows.key_size, sizeof(flow));
		if (key.port_id != from || flow.peer_port_id != to)
			continue;
		found++;
		counted = (struct counted){ flow.packets, flow.bytes, flow.tcp_flags };
		if (!(flow.flags & FLOW_LOGGED) != !logged)
			good = vector_no("%s: the row is %slogged", side->name,
					 logged ? "not " : "");
		else if (logged)
			good = check_counted(side, read_counted(words + 3), counted);
	}
	free(rows.bytes);
	if (good && found != 1)
		return vector_no("%s: %zu such rows", side->name, found);
	return good;
}

/*
 * refused FROM > TO|none PACKETS BYTES LETTERS [SECONDS]: one row, of the verdict and the object of
 * the last frame, with so many seconds between its first packet and its last.
 */
static bool check_refused(const struct side *side, char **words, size_t count,
			  const struct outcome *last)
{
	struct collected rows = tables_collect(side, TABLE_flow_rejects);
	uint32_t from = port_id(words[0]), to = port_id(words[2]);
	uint32_t seconds = count > 6 ? (uint32_t)strtoul(words[6], NULL, 10) : 0;
	struct flow_reject row = { 0 };
	struct flow_reject_key key;
	size_t found = 0;

	for (size_t i = 0; i < rows.count; i++) {
		const unsigned char *at = rows.bytes + i * (rows.key_size + rows.value_size);

		memcpy(&key, at, sizeof(key));
		if (key.flow.port_id != from || key.out_port_id != to ||
		    key.verdict != last->verdict || key.object_id != last->object_id)
			continue;
		memcpy(&row, at + rows.key_size, sizeof(row));
		found++;
	}
	free(rows.bytes);
	if (found != 1)
		return vector_no("%s: %zu such rows of %zu", side->name, found, rows.count);
	if ((row.last - row.first) / TICKS_PER_SECOND != seconds)
		return vector_no("%s: %u ticks from the first packet to the last", side->name,
				 row.last - row.first);
	return check_counted(side, read_counted(words + 3),
			     (struct counted){ row.packets, row.bytes, row.tcp_flags });
}

/* ended N [FROM > TO PACKETS BYTES LETTERS]: ends told since this was asked; the last of them */
static bool check_ended(const struct side *side, char **words, size_t count)
{
	size_t wanted = strtoul(words[0], NULL, 10);
	struct flow_end end;
	size_t found = side->ends(&end);

	if (found != wanted)
		return vector_no("%s: %zu ends were told", side->name, found);
	if (count < 7)
		return true;
	if (end.key.port_id != port_id(words[1]) || end.peer_port_id != port_id(words[3]))
		return vector_no("%s: the end of port %u to %u", side->name, end.key.port_id,
				 end.peer_port_id);
	return check_counted(side, read_counted(words + 4),
			     (struct counted){ end.packets, end.bytes, end.tcp_flags });
}

/* untold PORT N: ends and packets that there was no room to tell of */
static bool check_untold(const struct side *side, char **words)
{
	const struct slot_key slot = port_slot(words[0]);
	struct flow_log_port row;

	if (!side->get(TABLE_flow_log_ports, &slot, &row))
		return vector_no("%s: %s has no row", side->name, words[0]);
	return row.lost == strtoull(words[1], NULL, 10)
		       ? true
		       : vector_no("%s: %llu are lost", side->name, (unsigned long long)row.lost);
}

static bool check_count(const struct side *side, enum table_id table, const char *wanted)
{
	struct collected rows = tables_collect(side, table);

	free(rows.bytes);
	return rows.count == strtoul(wanted, NULL, 10)
		       ? true
		       : vector_no("%s: %zu rows", side->name, rows.count);
}

static bool check_on(const struct side *side, char **words, size_t count,
		     const struct outcome *last, bool *known)
{
	*known = true;
	if (!strcmp(words[0], "logged") && count == 7 && *words[2] == '>')
		return check_logged(side, words + 1, true);
	if (!strcmp(words[0], "unlogged") && count == 4 && *words[2] == '>')
		return check_logged(side, words + 1, false);
	if (!strcmp(words[0], "refused") && count >= 7 && *words[2] == '>')
		return check_refused(side, words + 1, count - 1, last);
	if (!strcmp(words[0], "refusals") && count == 2)
		return check_count(side, TABLE_flow_rejects, words[1]);
	if (!strcmp(words[0], "heard") && count == 2)
		return check_count(side, TABLE_segment_tags, words[1]);
	if (!strcmp(words[0], "ended") && (count == 2 || count == 8))
		return check_ended(side, words + 1, count - 1);
	if (!strcmp(words[0], "untold") && count == 3)
		return check_untold(side, words + 1);
	*known = false;
	return true;
}

bool logs_check(char **words, size_t count, const struct outcome *last, bool *good)
{
	bool known = false;

	*good = true;
	for (size_t s = 0; *good && s < side_count; s++)
		*good = check_on(sides[s], words, count, last, &known);
	return known;
}

/* The other rows of a full table: of a port that nobody has. */
static struct flow_reject_key filler(uint32_t i)
{
	return (struct flow_reject_key){ .flow.port_id = UINT32_MAX, .verdict = i };
}

bool logs_statement(char **words, size_t count)
{
	const struct flow_reject none = { 0 };
	struct flow_log_port row = { 0 };
	struct slot_key slot;

	if (strcmp(words[0], "room") || count != 3)
		return false;
	/* A clock that is ahead gives nothing back for so long. */
	slot = port_slot(words[1]);
	crowded = true;
	if (strcmp(words[2], "full"))
		row.reject_tokens =
			(uint64_t)((uint32_t)(clock_monotonic_ns(NULL) >> 20) + AHEAD_TICKS) << 32 |
			strtoul(words[2], NULL, 10);
	else
		filled = native_table(TABLE_flow_rejects)->room;
	for (size_t s = 0; s < side_count; s++) {
		sides[s]->put(TABLE_flow_log_ports, &slot, &row);
		for (uint32_t i = 0; i < filled; i++) {
			struct flow_reject_key key = filler(i);

			sides[s]->put(TABLE_flow_rejects, &key, &none);
		}
	}
	return true;
}

void logs_clear(void)
{
	const struct flow_log_port none = { 0 };
	struct flow_end end;

	for (size_t s = 0; s < side_count; s++) {
		sides[s]->ends(&end);
		for (uint32_t i = 0; i < filled; i++) {
			struct flow_reject_key key = filler(i);

			sides[s]->remove(TABLE_flow_rejects, &key);
		}
		for (struct slot_key slot = { 0 }; crowded && slot.slot < 1024; slot.slot++)
			sides[s]->put(TABLE_flow_log_ports, &slot, &none);
	}
	crowded = false;
	filled = 0;
}
