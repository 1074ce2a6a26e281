/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How far the rows of the flow table have been recorded: for each the counters as they were last read.
 *
 * There may be a quarter of a million rows, so a mark is 32 bytes in one array with open addressing, and the
 * key of its row is in it as a hash of 64 bits, seeded at random: two rows of one hash are not to be expected
 * in the lifetime of a machine, and nobody can make them. Memory follows the number of rows, up and down.
 *
 * Neighbours: flow_log.c.
 */
#ifndef WEFT_AGENT_FLOW_MARKS_H
#define WEFT_AGENT_FLOW_MARKS_H

#include <stddef.h>
#include <stdint.h>

#include "core/tables.h"

/**
 * struct flow_mark - what was recorded of one row
 * @hash: of its key; never 0
 * @born: of the row; another one: another connection of the same key, and the counters are of no account
 * @stamp: of the reading that last saw the row
 */
struct flow_mark {
	uint64_t hash;
	uint64_t packets;
	uint64_t bytes;
	uint32_t born;
	uint8_t tcp_flags;
	uint8_t stamp;
	uint16_t pad;
};

struct flow_marks {
	struct flow_mark *marks;
	size_t count;
	size_t room; /* a power of two, or 0 */
	uint64_t seed[2];
};

/** flow_marks_init - none; release with flow_marks_fini() */
void flow_marks_init(struct flow_marks *marks);
void flow_marks_fini(struct flow_marks *marks);

/** flow_marks_find - Return: the mark of a row, valid until the next flow_marks_take(); NULL: none */
struct flow_mark *flow_marks_find(struct flow_marks *marks, const struct flow_key *key);

/** flow_marks_take - the same, and where there is none a new one of zeros */
struct flow_mark *flow_marks_take(struct flow_marks *marks, const struct flow_key *key);

/** flow_marks_keep - forget all marks but those that have @stamp */
void flow_marks_keep(struct flow_marks *marks, uint8_t stamp);

#endif
