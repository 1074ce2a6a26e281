/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * loop: segments joined by other people's switches, and a way round.
 *
 * An Ethernet segment has no hop limit, so a frame that finds a way back in goes round for ever, and every
 * broadcast with it. The daemon sends probes out of the ports that lead to other switches (loop.h). One that
 * comes back into its own segment shows the loop, and at once the younger of the two ports, the one that sent
 * it and the one that it came by, is held: it passes nothing in either direction. The probes go on, so
 * the hold is renewed while there is a loop and ends some seconds after it.
 *
 * A probe of another segment, or of another installation, is a frame like any other: by being carried
 * it finds loops over several segments.
 *
 * In a segment that passes tags (tags.h) a loop may be in one VLAN alone. Which VLANs there are nobody has said, so
 * those that are heard behind such ports are written down for the daemon (segment_tags), and it sends probes in them.
 * Probes of others are not heard: two segments would tell each other of a VLAN for ever.
 *
 * Before: the pipeline, which has read port and subnet. Next: guard.c.
 */
#include "core/loop.h"

#include "core/tags.h"

#define HEARD_TICKS TICKS_PER_SECOND
#define HOLD_TICKS (10 * TICKS_PER_SECOND)
#define REFLECTED_TICKS (3 * TICKS_PER_SECOND)

/* The daemon's copy of the number that all hosts of the installation share. */
static __always_inline int is_own_domain(const struct loop_probe *probe)
{
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared = table_lookup(state, &zero);

	return shared && (__u32)(shared->loop_domain >> 32) == host32(probe->domain[0]) &&
	       (__u32)shared->loop_domain == host32(probe->domain[1]);
}

/* Holds the port with this slot of counters. What its connections have learned is void. */
static __always_inline void hold(struct packet *p, __u32 port_slot, __u32 with_id)
{
	struct slot_key slot = { .slot = port_slot };
	struct slot_key vpc = { .slot = p->vpc_slot };
	struct port_stats *stats = table_lookup(port_stats, &slot);
	struct vpc_moves *vpc_row = table_lookup(vpc_moves, &vpc);
	int fresh;

	if (!stats)
		return;
	fresh = !port_stats_held(stats, p->now);
	stats->held_with = (__u64)(p->kept_tag & TAG_ID) << 32 | with_id;
	stats->held_until = (__u64)1 << 32 | (__u32)(p->now + HOLD_TICKS);
	if (fresh && vpc_row)
		atomic_add(&vpc_row->moves, 1);
}

/*
 * What the port has sent comes back by it: the loop is behind it. If a segment of Weft's is the place, that one
 * has cut it before the next round; if not, it is cut here.
 */
static __always_inline int come_back_alone(struct packet *p, __u32 round)
{
	struct slot_key slot = { .slot = p->port_slot };
	struct port_stats *stats = table_lookup(port_stats, &slot);
	__u64 before;

	if (!stats)
		return VERDICT_INTERNAL;
	before = stats->reflected;
	if (before && (__u16)(before >> 32) == (__u16)round)
		return VERDICT_LOOP;
	stats->reflected = (__u64)1 << 48 | (__u64)(__u16)round << 32 | p->now;
	if (before && !ticks_passed(p->now, (__u32)before, REFLECTED_TICKS))
		hold(p, p->port_slot, p->port_id);
	return VERDICT_LOOP;
}

/* A probe of this segment has come back. The object is the port that is held. */
static __always_inline int come_back(struct packet *p, __u32 sender_id, __u32 round)
{
	struct port_key key = { .port_id = sender_id };
	struct port *sender = table_lookup(ports, &key);

	p->object_id = p->port_id;
	if (!sender)
		return VERDICT_LOOP; /* it was removed a moment ago, and the loop with it */
	if (sender_id == p->port_id)
		return come_back_alone(p, round);
	if (sender_id < p->port_id) {
		hold(p, p->port_slot, sender_id);
		return VERDICT_LOOP;
	}
	/* Of another host, which gets this port's probe and holds its own. */
	p->object_id = sender_id;
	if (sender->ifindex)
		hold(p, sender->port_slot, p->port_id);
	return VERDICT_LOOP;
}

/* Is the port one that probes go out of? */
static __always_inline int is_link(const struct packet *p)
{
	const __u32 kind = OUT_KIND(p->in_kind);

	return kind == PORT_LINK || (kind == PORT_CHILD && (p->port_flags & PORT_UNFILTERED));
}

/* There is this VLAN behind the port. */
static __always_inline void hear_tag(struct packet *p)
{
	struct segment_tag_key key = {
		.subnet_id = p->subnet_id,
		.type = (__u16)(p->kept_tag >> 16),
		.tag = p->kept_tag & TAG_ID,
	};
	struct segment_tag row = { .seen = p->now };
	struct segment_tag *known = table_lookup(segment_tags, &key);

	if (!known)
		table_put(segment_tags, &key, &row);
	else if (ticks_passed(p->now, known->seen, HEARD_TICKS))
		known->seen = p->now;
}

/* What kind of frame it is, behind all of its tags. */
static __always_inline __be16 type_inside(struct frame *f, const struct packet *p)
{
	__be16 type = 0;

	if (!p->kept_tag)
		return p->ethertype;
	return frame_load(f, p->l3_offset - 2, &type, 2) ? 0 : type;
}

/* p: in an l2 subnet. VERDICT_NEXT, or the drop: a probe that came back, a port that is held. */
int loop(struct frame *f, struct packet *p)
{
	const __u8 oui[3] = LOOP_OUI;
	struct slot_key slot;
	struct port_stats *stats;
	struct loop_probe *probe;

	if (!p)
		return VERDICT_INTERNAL;
	if (type_inside(f, p) == be16(LOOP_ETHERTYPE)) {
		probe = frame_header(f, p->l3_offset, sizeof(*probe));
		if (probe && probe->oui[0] == oui[0] && probe->oui[1] == oui[1] &&
		    probe->oui[2] == oui[2] && probe->protocol[0] == 0 &&
		    probe->protocol[1] == LOOP_PROTOCOL && probe->version == 1 &&
		    host32(probe->subnet_id) == p->subnet_id && is_own_domain(probe)) {
			const __u32 sender_id = host32(probe->port_id);
			const __u32 round = host16(probe->round);

			if (p->kept_tag)
				hear_tag(p);
			return come_back(p, sender_id, round);
		}
	} else if (p->kept_tag && is_link(p)) {
		hear_tag(p);
	}
	slot.slot = p->port_slot;
	stats = table_lookup(port_stats, &slot);
	p->object_id = p->port_id;
	return stats && port_stats_held(stats, p->now) ? VERDICT_PORT_HELD : VERDICT_NEXT;
}
