/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * way: the slow stages once a second, where one connection after another of the same kind begins.
 *
 * A client that opens thousands of connections to one service sends first packets that differ in nothing but
 * the port it sends from, and no stage asks that one where the reply is plain (flow.c). So the pair of rows that
 * such a packet has led to stands for the next: it is entered once more, with the other port. All that may
 * change the decision moves the VPC's generation, which is asked here as for any row; the rest (stations heard,
 * neighbours asked for, ports that come) is seen by the packet that goes the long way again, after a second.
 * Limits are charged as ever, and whatever is particular goes the long way: a tuple that is in the
 * table, a frame with other flags or MACs, an address or a port refused.
 *
 * Before: flow.h (flow_hit), which has found no row. Next: the way out, as after any hit; or pipeline_miss.
 */
#include "core/way.h"

#include "core/charge.h"

#define WAY_TICKS TICKS_PER_SECOND

/* What may be known of a first packet before the slow stages; with anything else it goes the long way. */
#define WAY_FLAGS                                                                                  \
	(PACKET_IP | PACKET_IPV4 | PACKET_ROW_MISSING | PACKET_RATED | PACKET_WATCHED |            \
	 PACKET_FROM_WIRE | PACKET_FROM_PEER)
/* What no such packet has, before them or behind. */
#define WAY_NEVER                                                                                  \
	(PACKET_NO_ETHERNET | PACKET_FRAGMENT_FIRST | PACKET_FRAGMENT_LATER | PACKET_FROM_TUNNEL | \
	 PACKET_END_MOVED | PACKET_PICKED_UP | PACKET_ROW_THERE | PACKET_PEER_ROW_THERE |          \
	 PACKET_PEER_TAKEN | PACKET_SENDING_ON | PACKET_WAS_SENT_ON)

static __always_inline struct way *way_place(const struct packet *p)
{
	__u32 mixed = p->port_id * 31 ^ host32(p->key.source.word[3]) * 17 ^
		      host32(p->key.destination.word[3]) ^
		      (__u32)host16(p->key.destination_port) << 16;
	struct slot_key slot = { .slot = (mixed * 0x9e3779b1u) >> (32 - WAYS_BITS) };

	return table_lookup(ways, &slot);
}

static __always_inline __u32 segment_of(const struct packet *p)
{
	return p->flags & PACKET_FROM_WIRE ? p->source_subnet_id : 0;
}

static __always_inline int way_is_of(const struct way *way, const struct packet *p)
{
	return way->key.port_id == p->port_id && way->flags == p->flags &&
	       way->key.destination_port == p->key.destination_port &&
	       address_equal(&way->key.source, &p->key.source) &&
	       address_equal(&way->key.destination, &p->key.destination) &&
	       way->source_subnet_id == segment_of(p);
}

/*
 * Keeps the way of a new TCP connection. p: the whole decision is made, and both rows have been entered;
 * reply_plain. row: the packet's, as entered. Return: 0.
 */
int way_keep(struct packet *p, const struct flow *row)
{
	struct way *way;

	if (!p || !row || (p->flags & WAY_NEVER) || p->reflected_port_id || p->tcp_flags != TCP_SYN)
		return 0;
	way = way_place(p);
	if (!way)
		return 0;
	way->key = p->key;
	flow_key_reverse(&p->key, p->out_port_id, &way->reverse);
	way->row = *row;
	way->row.flags &= (__u8) ~(FLOW_CHARGED | FLOW_CHARGED_SHARED);
	__builtin_memset(&way->reply, 0, sizeof(way->reply));
	reply_fill(p, &way->row, &way->reply);
	way->flags = p->flags & WAY_FLAGS;
	way->until = p->now + WAY_TICKS;
	way->flow_limit = p->flow_limit;
	way->flow_guarantee = p->flow_guarantee;
	way->source_subnet_id = segment_of(p);
	return 0;
}

/* The pair, as it is to be entered for this packet. charge: flags of the charged row. */
static __always_inline void way_fill(struct way *way, const struct packet *p, __u8 charge,
				     __u32 now)
{
	way->key.source_port = p->key.source_port;
	way->reverse.destination_port = p->key.source_port;
	way->row.flags = (way->row.flags & (__u8) ~(FLOW_CHARGED | FLOW_CHARGED_SHARED)) | charge;
	way->row.bytes = p->frame_length;
	way->row.seen = way->row.born = now;
	way->reply.seen = way->reply.born = now;
}

/*
 * Enters both rows, the reply's first: without it nobody could answer. Where one is there already, what is
 * entered stands, and the slow stages find it. 0, or negative.
 */
static __always_inline int way_enter(struct way *way)
{
	int error;

	if (table_add(flows, &way->reverse, &way->reply))
		return -1;
	error = (int)table_add(flows, &way->key, &way->row);
	if (error && error != TABLE_ROW_EXISTS)
		flow_take_back(&way->reverse);
	return error;
}

/*
 * A TCP connection begins, of which there is no row. p: parsed, its sender is known. VERDICT_DELIVERED with
 * p->out_* set and the frame rewritten, as flow_hit does; or VERDICT_NEXT: to the slow stages.
 */
int way_take(struct frame *f, struct packet *p)
{
	struct slot_key slot = {};
	struct vpc *vpc;
	struct way *way;
	__u8 charge = 0;
	__u32 now;

	if (!p)
		return VERDICT_INTERNAL;
	slot.slot = p->vpc_slot;
	way = way_place(p);
	vpc = table_lookup(vpcs, &slot);
	if (!way || !vpc || !way_is_of(way, p))
		return VERDICT_NEXT;
	now = clock_tick();
	if ((__s32)(now - way->until) >= 0 || p->reflected_port_id ||
	    !flow_settled(p, &way->row, generation_now(p->vpc_slot, vpc), now))
		return VERDICT_NEXT;
	p->flow_limit = way->flow_limit;
	p->flow_guarantee = way->flow_guarantee;
	if (flow_charge(p, vpc, &charge))
		return VERDICT_NEXT; /* it is refused there, with all that is told of it */
	way_fill(way, p, charge, now);
	if (way_enter(way)) {
		flow_release(charge, p->port_slot, p->vpc_slot);
		return VERDICT_NEXT;
	}
	flow_take(p, &way->row);
	p->object_id = p->out_port_id;
	if (frame_store(f, 0, p->ethernet_out, 12))
		return VERDICT_INTERNAL;
	note(f, NOTE_FLOW_WAY, 0);
	note(f, NOTE_DELIVER_PORT, p->out_port_id);
	return VERDICT_DELIVERED;
}
