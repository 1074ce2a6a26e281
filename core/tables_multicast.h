/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of multicast: who listens to which group, and to which of its sources; a part of tables.h, which
 * includes it. But for the last they are the pipeline's own: reports make them, and the sweep takes them when they have
 * aged.
 *
 * Neighbours: membership.c (who writes them), multicast.c (who reads them).
 */
#ifndef WEFT_CORE_TABLES_MULTICAST_H
#define WEFT_CORE_TABLES_MULTICAST_H

/* Who listens to which multicast group. Address zero: a multicast router is behind the port. */
struct group_key {
	__u32 subnet_id;
	__u32 port_id;
	struct address address;
};

enum group_flags {
	GROUP_SOURCES = 1 << 0, /* to those of its sources alone that group_sources names */
	GROUP_ANY_AGES =
		1 << 1, /* but until any_until to all of them: another stack may be behind */
};

struct group {
	__u32 expires;   /* tick */
	__u32 flags;     /* enum group_flags */
	__u32 any_until; /* tick */
	__u32 epoch; /* rows of group_sources that have another are of a report that holds no more */
	__u32 since; /* tick of the first word of it */
};

/*
 * In the place of a group, ::1: another host's daemon asks its ports, and so what it has not said it
 * does not want. It is believed when its ports have had the time to answer it.
 */
#define GROUP_SPEAKER_WORD 1
#define GROUP_SPEAKER_TICKS (12 * TICKS_PER_SECOND)

/* A group that somebody has left is asked for twice, with a second for each answer; then it is over. */
#define GROUP_LEFT_TICKS (3 * TICKS_PER_SECOND)

/*
 * Rows behind one other host, its groups and their sources; with more of them it gets everything. One
 * that has aged is kept for so long, as long as those of its host are few: it is to be in nobody's way.
 */
#define REMOTE_GROUPS_MAX 4096
#define GROUP_PEER_TICKS (60 * TICKS_PER_SECOND)
#define GROUP_PEER_ROWS_MAX (REMOTE_GROUPS_MAX / 4)

struct group_source_key {
	struct group_key group;
	struct address source;
};

enum group_source_flags {
	GROUP_SOURCE_BLOCKED = 1 << 0, /* not from this one; else from it */
};

struct group_source {
	__u32 expires; /* tick */
	__u32 epoch;   /* of the group's row when it was made */
	__u32 flags;   /* enum group_source_flags */
};

/* The subnets of a VPC that multicast is routed between, by index from 0 on; the daemon's. */
#define MULTICAST_SUBNETS_MAX 64

struct multicast_subnet_key {
	__u32 vpc_id;
	__u32 index;
};

struct multicast_subnet {
	__u32 subnet_id;
};

_Static_assert(sizeof(struct group_key) == 24, "struct group_key is part of the layout");
_Static_assert(sizeof(struct group_source_key) == 40,
	       "struct group_source_key is part of the layout");

#endif
