/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The row of a connection's reply, as its first packet can tell; and the ways that such pairs went (way.c).
 *
 * Neighbours: flow.c, which enters what is new; flow.h, whose hot path asks way_take.
 */
#ifndef WEFT_CORE_WAY_H
#define WEFT_CORE_WAY_H

#include "core/packet.h"

#define RENEW_L2_TICKS (30 * TICKS_PER_SECOND)
#define RENEW_NEVER_TICKS 0x3fffffff

/* When the slow stages are to look at a row again: in an l2 subnet, to hear that its stations are still there. */
static __always_inline __u32 renew_at(const struct packet *p)
{
	return p->now + (p->subnet_flags & SUBNET_L2 ? RENEW_L2_TICKS : RENEW_NEVER_TICKS);
}

/* No IP packet is larger. */
static __always_inline __u16 mtu_row(__u32 mtu)
{
	return (__u16)(mtu < 0xffff ? mtu : 0xffff);
}

/* The reply's way out, where it is plain (flow.c). */
static __always_inline void reply_settle(const struct packet *p, struct flow *row)
{
	row->flags &= (__u8)~FLOW_UNRESOLVED;
	row->renew = renew_at(p);
	row->out_ifindex = p->in_ifindex;
	row->out_kind = (__u8)p->in_kind;
	row->out_slot = p->port_slot;
	row->out_tag = (__u16)p->in_tag;
	row->mtu = mtu_row(p->in_mtu);
	mac_copy(row->ethernet_in, p->ethernet_out + 6);
	mac_copy(row->ethernet_in + 6, p->ethernet_out);
	__builtin_memcpy(row->ethernet_out, row->ethernet_in, 12);
	if (p->reply_plain == REPLY_BY_GATEWAY)
		mac_copy(row->ethernet_in, p->gateway_mac);
}

/* The row of the reply. own: the packet's, as it is entered; row: zero. */
static __always_inline void reply_fill(const struct packet *p, const struct flow *own,
				       struct flow *row)
{
	row->seen = p->now;
	row->timeout = own->timeout;
	row->renew = p->now;
	row->generation = p->generation;
	row->born = own->born;
	row->vpc_slot = p->vpc_slot;
	row->peer_port_id = p->port_id;
	row->charged_slot = p->out_slot;
	row->state = own->state;
	row->flags = FLOW_UNRESOLVED | (own->flags & FLOW_LOGGED) |
		     (own->flags & FLOW_ORIGINAL ? 0 : FLOW_ORIGINAL);
	if (p->reply_plain)
		reply_settle(p, row);
}

#endif
