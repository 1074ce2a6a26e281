/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TCP's state as the flow table follows it (RFC 9293, 3.3.2, as seen from between the two ends), and how
 * long a connection in each state may be silent. The states are in tables.h, who leaves which is in
 * flow.h.
 *
 * Callers: flow.h (segments of settled connections), flow.c (the others).
 */
#ifndef WEFT_CORE_TCP_H
#define WEFT_CORE_TCP_H

#include "core/packet.h"

/* Sets of flags that no valid segment has. */
static inline int tcp_flags_bad(__u8 flags)
{
	return !(flags & (TCP_SYN | TCP_ACK | TCP_RST | TCP_FIN)) ||
	       ((flags & TCP_SYN) && (flags & (TCP_FIN | TCP_RST))) ||
	       ((flags & TCP_FIN) && !(flags & (TCP_ACK | TCP_RST)));
}

static inline __u32 timeout_of(__u8 protocol, __u8 state, const struct vpc *vpc)
{
	enum flow_timeout which = TIMEOUT_OTHER;

	if (protocol == PROTOCOL_TCP)
		which = state == FLOW_ESTABLISHED ? TIMEOUT_TCP_ESTABLISHED
			: state == FLOW_CLOSING   ? TIMEOUT_TCP_CLOSING
			: state == FLOW_CLOSED    ? TIMEOUT_TCP_CLOSED
						  : TIMEOUT_TCP_OPENING;
	else if (protocol == PROTOCOL_UDP)
		which = state == FLOW_NEW ? TIMEOUT_UDP_UNREPLIED : TIMEOUT_UDP_REPLIED;
	else if (protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6)
		which = TIMEOUT_ICMP;
	return vpc->timeout[which & (TIMEOUTS - 1)];
}

/* The state after a segment in the direction of `flow`; peer is the other row, or NULL. */
static inline __u8 tcp_next_state(struct flow *flow, const struct flow *peer, __u8 flags)
{
	int original = flow->flags & FLOW_ORIGINAL;

	if ((flags & TCP_RST) || flow->state == FLOW_CLOSED)
		return FLOW_CLOSED;
	if (flags & TCP_FIN) {
		flow->flags |= FLOW_FIN_SEEN;
		return peer && (peer->flags & FLOW_FIN_SEEN) ? FLOW_CLOSED : FLOW_CLOSING;
	}
	if (flow->state == FLOW_NEW && !original && (flags & TCP_SYN))
		return FLOW_REPLIED;
	if (flow->state == FLOW_REPLIED && original && !(flags & TCP_SYN))
		return FLOW_ESTABLISHED;
	return flow->state;
}

#endif
