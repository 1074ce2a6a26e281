/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Marks in one array; see flow_marks.h. No mark is ever removed alone, so there are no holes in a probe.
 */
#include "agent/observe/flow_marks.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"

#define ROOM_MIN 64

void flow_marks_init(struct flow_marks *marks)
{
	memset(marks, 0, sizeof(*marks));
	/* Short reads do not happen for so few bytes; without random numbers zeros do, less well. */
	if (getrandom(marks->seed, sizeof(marks->seed), 0) < 0)
		memset(marks->seed, 0, sizeof(marks->seed));
}

void flow_marks_fini(struct flow_marks *marks)
{
	free(marks->marks);
	marks->marks = NULL;
	marks->count = marks->room = 0;
}

/* Multiplications of 128 bits, folded, of each two words with the seed. */
static uint64_t fold(uint64_t a, uint64_t b)
{
	unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint64_t hash_of(const struct flow_marks *marks, const struct flow_key *key)
{
	uint64_t words[6] = { 0 }, hash = marks->seed[0];

	_Static_assert(sizeof(*key) <= sizeof(words), "a key fits into six words");
	memcpy(words, key, sizeof(*key));
	for (size_t i = 0; i < ARRAY_SIZE(words); i += 2)
		hash = fold(words[i] ^ hash ^ 0x9e3779b97f4a7c15ULL,
			    words[i + 1] ^ marks->seed[1] ^ 0xd1b54a32d192ed03ULL);
	hash = fold(hash ^ marks->seed[1], 0xe7037ed1a0b428dbULL);
	return hash ? hash : 1;
}

/* The place of a hash, or the free one where it belongs. */
static struct flow_mark *place_of(const struct flow_marks *marks, uint64_t hash)
{
	size_t place = hash & (marks->room - 1);

	while (marks->marks[place].hash && marks->marks[place].hash != hash)
		place = (place + 1) & (marks->room - 1);
	return &marks->marks[place];
}

/* The marks that are kept into an array of their own. */
static void rebuild(struct flow_marks *marks, size_t room, bool all, uint8_t stamp)
{
	struct flow_marks fresh = *marks;

	fresh.marks = xcalloc(room, sizeof(*fresh.marks));
	fresh.room = room;
	fresh.count = 0;
	for (size_t i = 0; i < marks->room; i++) {
		const struct flow_mark *mark = &marks->marks[i];

		if (!mark->hash || (!all && mark->stamp != stamp))
			continue;
		*place_of(&fresh, mark->hash) = *mark;
		fresh.count++;
	}
	free(marks->marks);
	*marks = fresh;
}

struct flow_mark *flow_marks_find(struct flow_marks *marks, const struct flow_key *key)
{
	struct flow_mark *mark = marks->room ? place_of(marks, hash_of(marks, key)) : NULL;

	return mark && mark->hash ? mark : NULL;
}

struct flow_mark *flow_marks_take(struct flow_marks *marks, const struct flow_key *key)
{
	const uint64_t hash = hash_of(marks, key);
	struct flow_mark *mark;

	if ((marks->count + 1) * 4 > marks->room * 3)
		rebuild(marks, marks->room ? marks->room * 2 : ROOM_MIN, true, 0);
	mark = place_of(marks, hash);
	if (!mark->hash) {
		mark->hash = hash;
		marks->count++;
	}
	return mark;
}

void flow_marks_keep(struct flow_marks *marks, uint8_t stamp)
{
	size_t kept = 0, room = ROOM_MIN;

	for (size_t i = 0; i < marks->room; i++)
		kept += marks->marks[i].hash && marks->marks[i].stamp == stamp;
	if (!marks->room || kept == marks->count)
		return;
	while (kept * 2 > room)
		room *= 2;
	rebuild(marks, room, false, stamp);
}
