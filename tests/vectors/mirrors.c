/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A mirror in a vector: who gets copies of a port's packets, what the mirror device makes of one, and what
 * is counted (core/watch.c, core/mirror.c).
 *
 * There is one mirror at a time. The rows are those that model/plan_quality.c plans.
 */
#include <stdlib.h>
#include <string.h>

#include "tests/vectors/vector.h"

static uint32_t mirrored_id, mirrored_slot;

static uint32_t target_named(const char *name)
{
	const struct port_object *port = world_port(&tables_world, name);
	uint32_t id = port ? port->object.id : hosts_object(name);

	if (!id)
		vector_fail("no port or tunnel %s", name);
	return id;
}

/* mirror PORT from|to|both TARGET WORDS */
void mirror_statement(char **words, size_t count)
{
	const struct port_object *port = world_port(&tables_world, words[0]);
	struct port_mirror row = { .watch.flags = WATCH_MIRROR };
	struct mirror_count none = { 0 };
	struct slot_key slot;
	struct port_key key;
	struct port of;

	if (!port)
		vector_fail("no port %s", words[0]);
	mirror_clear();
	row.watch.flags |= strcmp(words[1], "to") ? WATCH_FROM : 0;
	row.watch.flags |= strcmp(words[1], "from") ? WATCH_TO : 0;
	row.watch.target_id = target_named(words[2]);
	for (size_t i = 3; i + 1 < count; i += 2) {
		if (!strcmp(words[i], "truncate"))
			row.watch.size = (uint32_t)strtoul(words[i + 1], NULL, 10);
		else if (!strcmp(words[i], "sample"))
			row.watch.sample = (uint32_t)strtoul(words[i + 1], NULL, 10);
		else
			vector_fail("\"%s\" is no word of a mirror", words[i]);
	}
	mirrored_id = key.port_id = port->object.id;
	watch_look_at(mirrored_id);
	for (size_t s = 0; s < side_count; s++) {
		if (!sides[s]->get(TABLE_ports, &key, &of))
			vector_fail("%s has no row", words[0]);
		mirrored_slot = slot.slot = row.watch.port_slot = of.port_slot;
		none.port_id = mirrored_id;
		sides[s]->put(TABLE_port_mirrors, &key, &row);
		sides[s]->put(TABLE_mirror_counts, &slot, &none);
	}
}

void mirror_clear(void)
{
	const struct port_key key = { .port_id = mirrored_id };

	for (size_t s = 0; mirrored_id && s < side_count; s++)
		sides[s]->remove(TABLE_port_mirrors, &key);
	mirrored_id = 0;
}

/* The time in a copy of type III, of which the sides cannot agree: there, and then the same. */
static void same_time(struct outcome *outcome)
{
	static const uint8_t type[2] = { 0x22, 0xeb }, none[4], some[4] = { 0, 0, 0, 1 };
	size_t gre = outcome->data[12] == 0x86 ? 14 + 40 : 14 + 20;
	uint8_t *time = outcome->data + gre + 8 + 4;

	if (outcome->size < gre + 20 || memcmp(outcome->data + gre + 2, type, 2))
		return;
	if (!memcmp(time, none, 4))
		vector_fail("a copy without a time");
	memcpy(time, some, 4);
}

/* How a copy is marked: of what its port has sent or gets, of what a child gets; or wrongly. */
static uint32_t mark_of(const char *how)
{
	if (!strcmp(how, "from"))
		return MIRROR_MARK | mirrored_slot;
	if (!strcmp(how, "to"))
		return MIRROR_MARK | MIRROR_MARK_TO | mirrored_slot;
	if (!strcmp(how, "to-child"))
		return MIRROR_MARK | MIRROR_MARK_TO | MIRROR_MARK_TAG | mirrored_slot;
	if (!strcmp(how, "unmarked"))
		return mirrored_slot;
	if (!strcmp(how, "of-nobody"))
		return MIRROR_MARK | MIRROR_MARK_SLOT;
	vector_fail("\"%s\" is no way that a copy is marked", how);
}

/* copy PORT HOW WORDS: a copy of such a frame comes in by the mirror device. */
void mirror_run(char **words, size_t count, struct outcome outcomes[2], bool ran[2])
{
	const struct port_object *port = world_port(&tables_world, words[0]);
	static struct vector_frame frame;
	uint32_t mark = mark_of(words[1]);

	if (!port || !mirrored_id)
		vector_fail("no port %s, or no mirror", words[0]);
	frame_build(&tables_world, port, words + 2, count - 2, &frame);
	for (size_t s = 0; s < side_count; s++) {
		memset(&outcomes[s], 0, sizeof(outcomes[s]));
		ran[s] = sides[s]->run_mirror(&frame, mark, &outcomes[s]);
		if (ran[s])
			same_time(&outcomes[s]);
	}
}

/* copies MADE SENT|- CUT; -: devices of the world are not there to take them */
bool mirror_check(char **words)
{
	const struct slot_key slot = { .slot = mirrored_slot };
	struct mirror_count row;

	for (size_t s = 0; s < side_count; s++) {
		if (!sides[s]->get(TABLE_mirror_counts, &slot, &row))
			return vector_no("%s: nothing is mirrored", sides[s]->name);
		if (row.copies != strtoull(words[0], NULL, 10) ||
		    (strcmp(words[1], "-") && row.sent_packets != strtoull(words[1], NULL, 10)) ||
		    row.cut_packets != strtoull(words[2], NULL, 10))
			return vector_no("%s: %llu copies, %llu sent, %llu of them cut",
					 sides[s]->name, (unsigned long long)row.copies,
					 (unsigned long long)row.sent_packets,
					 (unsigned long long)row.cut_packets);
	}
	return true;
}
