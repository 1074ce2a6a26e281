/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The entry of the pipeline: parse, then a hit in the flow table or the slow stages.
 *
 * Both targets call this: target/bpf/port.bpf.c for each packet that a device hands in, and
 * target/native for tests, fuzzing and `weft trace`. The hit is inline so that an established connection
 * pays for one call (parse), one look-up and one rewrite.
 *
 * Next: parse.c, flow.h, pipeline.c.
 */
#ifndef WEFT_CORE_PIPELINE_H
#define WEFT_CORE_PIPELINE_H

#include "core/flow.h"
#include "core/tunnel.h"

int pipeline_end(struct frame *f, struct packet *p, int verdict);

/* The end of the walk: into a tunnel where the way leads there, and what is counted of it. */
static inline int pipeline_send(struct frame *f, struct packet *p, int verdict)
{
	const __u32 answer = PACKET_REPLY | PACKET_FROM_TUNNEL;

	if ((p->flags & PACKET_FRAGMENT_FIRST) &&
	    (verdict == VERDICT_DELIVERED || verdict == VERDICT_HELD))
		fragment_learn(f, p);
	if ((verdict == VERDICT_DELIVERED && p->out_kind == PORT_TUNNEL) ||
	    verdict == VERDICT_SENT_ON)
		verdict = tunnel_push(f, p);
	else if (verdict == VERDICT_DELIVERED && OUT_KIND(p->out_kind) >= PORT_WIRE)
		verdict = p->out_kind & OUT_HOP ? central_push(f, p) : wire_push(f, p);
	if (verdict == VERDICT_DELIVERED && (p->flags & PACKET_SENDING_ON))
		verdict = VERDICT_SENT_ON;
	if (verdict == VERDICT_DELIVERED) {
		if (p->out_kind & OUT_SHAPED)
			note(f, NOTE_RATE_QUEUE, p->out_port_id);
		count_delivered(p);
		return verdict;
	}
	if ((p->flags & answer) == answer)
		tunnel_reply(f, p);
	else if (p->tag && (p->flags & PACKET_REPLY))
		wire_reply(f, p);
	verdict = pipeline_end(f, p, verdict);
	if ((p->port_flags | p->out_flags) & PORT_LOGGED)
		flow_log_reject(f, p, verdict);
	return verdict;
}

/* And what those are told who look at it: that of either end. */
static inline int pipeline_finish(struct frame *f, struct packet *p, int verdict)
{
	verdict = pipeline_send(f, p, verdict);
	if ((p->flags & PACKET_WATCHED) || (p->out_kind & OUT_WATCHED))
		watch_end(f, p, verdict);
	return verdict;
}

/*
 * What becomes of a frame. p: zero (PACKET_CLEARED) but for port_id, port_slot, vpc_slot and flags, from
 * the attachment. Delivered: the frame is rewritten and p->out_ifindex and out_kind say where it goes;
 * with PACKET_TO_UNDERLAY it is an outer packet from its IP header on, whose Ethernet header the caller
 * writes, and out_ifindex is the tunnel. PACKET_REPLY in p->flags: the frame has become an answer to
 * where it came from, again by the underlay with PACKET_TO_UNDERLAY.
 */
static inline int pipeline_run(struct frame *f, struct packet *p)
{
	int verdict;

	p->object_id = p->port_id;
	verdict = parse(f, p);
	if (!verdict && (p->flags & PACKET_FRAGMENT_LATER))
		verdict = fragment(f, p);
	if (p->flags & (PACKET_WATCHED | PACKET_RATED)) {
		if (p->flags & PACKET_WATCHED)
			watch_from(f, p);
		if (!verdict && (p->flags & PACKET_RATED))
			verdict = rate_from(f, p);
	}
	if (!verdict) {
		note(f, NOTE_PARSED, 0);
		verdict = flow_hit(f, p);
	}
	if (!verdict) {
		verdict = pipeline_miss(f, p);
		if (p->flood_route)
			verdict = multicast_route(f, p, verdict);
	}
	return pipeline_finish(f, p, verdict);
}

/* A packet that has left its tunnel. */
static __always_inline int pipeline_inner(struct frame *f, struct packet *p)
{
	int verdict = parse(f, p);

	if (!verdict)
		verdict = tunnel_inner(f, p);
	else if (p->outer_marks & OUTER_UNVERIFIED)
		verdict = VERDICT_OUTER_CHECKSUM;
	if (!verdict) {
		note(f, NOTE_PARSED, 0);
		verdict = flow_hit(f, p);
	}
	/* A tunnel object that is a member of a segment is a port like others. */
	if (!verdict)
		verdict = !(p->flags & PACKET_FROM_PEER) && p->source_subnet_id
				  ? pipeline_miss(f, p)
				  : pipeline_arrive(f, p);
	if (p->flood_route)
		verdict = multicast_route(f, p, verdict);
	return pipeline_finish(f, p, verdict);
}

/*
 * The same for a frame that a NIC hands in whose wire has segments on it. p: zero (PACKET_CLEARED).
 * VERDICT_NOT_OURS: the frame is untouched; it is of none of them.
 */
static inline int pipeline_from_wire(struct frame *f, struct packet *p, __u32 ifindex)
{
	int verdict = wire_take(f, p, ifindex);

	if (verdict == VERDICT_NOT_OURS)
		return verdict;
	if (!verdict)
		verdict = parse(f, p);
	if ((p->wire_flags & WIRE_SHARED) && !direct_claims(f, p))
		return VERDICT_NOT_OURS;
	if (!verdict)
		verdict = wire_sender(f, p);
	if (!verdict && (p->flags & PACKET_FRAGMENT_LATER))
		verdict = fragment(f, p);
	if (p->flags & PACKET_WATCHED)
		watch_from(f, p);
	if (!verdict && (p->flags & PACKET_RATED))
		verdict = rate_from(f, p);
	if (!verdict) {
		note(f, NOTE_PARSED, 0);
		verdict = flow_hit(f, p);
	}
	if (!verdict)
		verdict = p->flags & PACKET_FROM_PEER ? pipeline_arrive(f, p) : pipeline_miss(f, p);
	if (p->flood_route)
		verdict = multicast_route(f, p, verdict);
	return pipeline_finish(f, p, verdict);
}

/*
 * The same for a frame that a NIC of the underlay hands in. p: zero (PACKET_CLEARED).
 * VERDICT_NOT_OURS: the frame is untouched and goes to the host's own stack.
 */
static inline int pipeline_from_underlay(struct frame *f, struct packet *p)
{
	int verdict = tunnel_parse(f, p);

	if (verdict == VERDICT_NOT_OURS)
		return verdict;
	if (!verdict && (frame_comes_again(f, p->source_flags) ||
			 frame_kernel_decapsulates(f, p->outer_port, p->source_flags)))
		return VERDICT_NOT_OURS;
	if (!verdict)
		verdict = tunnel_pop(f, p);
	if (!verdict)
		return pipeline_inner(f, p);
	p->key.source = p->outer_source;
	p->key.destination = p->outer_destination;
	return pipeline_end(f, p, verdict);
}

/*
 * The same for a frame that the kernel's tunnel device has taken out of its tunnel. p: zero
 * (PACKET_CLEARED), but outer_source, outer_destination, outer_kind, outer_port and segment
 * are set; the device has seen to ECN.
 */
static inline int pipeline_from_device(struct frame *f, struct packet *p)
{
	int verdict;

	p->outer_has_id = 0;
	p->outer_service = 0;
	p->outer_marks = 0;
	p->outer_size = 0;
	p->inner_ethertype = 0;
	p->frame_length = frame_length(f);
	verdict = tunnel_find(f, p);
	return verdict ? pipeline_end(f, p, verdict) : pipeline_inner(f, p);
}

/*
 * The same for a packet that a service of the host sends, which is for a port. p: zero (PACKET_CLEARED).
 */
static inline int pipeline_from_service(struct frame *f, struct packet *p)
{
	int verdict = parse(f, p);

	if (!verdict)
		verdict = service_answer(f, p);
	if (verdict == VERDICT_DELIVERED && OUT_KIND(p->out_kind) >= PORT_WIRE)
		verdict = wire_push(f, p);
	if (verdict != VERDICT_DELIVERED)
		return pipeline_end(f, p, verdict);
	count_delivered(p);
	return verdict;
}

#endif
