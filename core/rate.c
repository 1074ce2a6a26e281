/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * rate: how much a port may send, and the DSCP that its packets get.
 *
 * A packet costs the time that it takes at the port's rate; the port may be ahead of the clock by its
 * burst (a virtual scheduling algorithm, ITU-T I.371). What would take it further is dropped. A well
 * behaved sender never meets this: its own device is shaped to the same rate (agent/devices/device_rate.c), which
 * whoever is root inside may change, and this may not be. What a port gets is shaped by a queue at its
 * device on the host, for which the way out of its connections says OUT_SHAPED.
 *
 * Called from pipeline.h for ports with a row in port_rates.
 */
#include "core/checksum.h"
#include "core/ip.h"
#include "core/packet.h"

#define ECN_BITS 3

/* The six bits of an IPv4 or IPv6 header; those of ECN stay. */
static __always_inline int mark(struct frame *f, struct packet *p, __u8 dscp)
{
	__u8 service = (__u8)(dscp << 2) | (p->service & ECN_BITS);
	__be16 before, after, checksum;

	if (service == p->service)
		return 0;
	if (frame_load(f, p->l3_offset, &before, 2))
		return -1;
	if (p->flags & PACKET_IPV4) {
		after = (before & be16(0xff00)) | be16(service);
		if (frame_load(f, p->l3_offset + 10, &checksum, 2))
			return -1;
		checksum = checksum_replace(checksum, before, after);
		if (frame_store(f, p->l3_offset, &after, 2) ||
		    frame_store(f, p->l3_offset + 10, &checksum, 2))
			return -1;
	} else {
		after = (before & be16(0xf00f)) | be16((__u16)service << 4);
		if (frame_store_summed(f, p->l3_offset, &after, 2))
			return -1;
	}
	p->service = service;
	return 0;
}

/* 1: it may go. Two processors at once may both be let through; the next packet pays for it. */
static __always_inline int within(const struct packet *p, const struct port_rate *rate)
{
	struct slot_key slot = { .slot = p->port_slot };
	struct rate_state *state = table_lookup(rate_states, &slot);
	__u64 now = clock_exact_ns(), ahead;

	if (!state)
		return 1;
	ahead = state->ahead_ns;
	if (ahead < now)
		ahead = now;
	if (ahead - now > rate->burst_ns) {
		atomic_add(&state->dropped_packets, 1);
		atomic_add(&state->dropped_bytes, p->frame_length);
		return 0;
	}
	state->ahead_ns = ahead + ((__u64)p->frame_length * rate->byte_cost >> RATE_COST_SHIFT);
	return 1;
}

/* p: parsed. VERDICT_NEXT with the frame marked, or the drop. */
int rate_from(struct frame *f, struct packet *p)
{
	struct port_key key = {};
	struct port_rate *rate;

	if (!p)
		return VERDICT_INTERNAL;
	key.port_id = p->port_id;
	rate = table_lookup(port_rates, &key);
	if (!rate)
		return VERDICT_NEXT;
	p->object_id = p->port_id;
	if (rate->byte_cost && !within(p, rate))
		return VERDICT_RATE_LIMIT;
	if (rate->byte_cost)
		note(f, NOTE_RATE_SENDS, p->port_id);
	if ((rate->flags & RATE_DSCP) && (p->flags & PACKET_IP) && mark(f, p, rate->dscp))
		return VERDICT_INTERNAL;
	if (rate->flags & RATE_DSCP)
		note(f, NOTE_RATE_MARKED, p->port_id);
	return VERDICT_NEXT;
}
