/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment: gives later fragments the ports of their first one, so that rules and connections hold.
 *
 * The first fragment of a datagram leaves its ports in a small table, later ones look them up. A later
 * fragment that comes before its first is dropped with a verdict of its own (hosts send in order; what
 * reorders them inside one host does not exist). Nothing is reassembled.
 *
 * Before: parse.c. Next: flow.h.
 */
#include "core/packet.h"

/* p: parsed, a fragment. The ports of p->key are set, or VERDICT_FRAGMENT_LOST. */
int fragment(struct frame *f, struct packet *p)
{
	struct fragment_key key = {};
	struct fragment *found;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	if (p->key.protocol != PROTOCOL_TCP && p->key.protocol != PROTOCOL_UDP &&
	    p->key.protocol != PROTOCOL_ICMP && p->key.protocol != PROTOCOL_ICMPV6)
		return VERDICT_NEXT;
	key.port_id = p->port_id;
	key.source = p->key.source;
	key.destination = p->key.destination;
	key.identification = p->fragment_id;
	key.protocol = p->key.protocol;
	if (p->flags & PACKET_FRAGMENT_FIRST) {
		struct fragment row = {
			.source_port = p->key.source_port,
			.destination_port = p->key.destination_port,
			.seen = clock_tick(),
			.icmp_type = p->icmp_type,
			.icmp_code = p->icmp_code,
		};

		table_put(fragments, &key, &row);
		return VERDICT_NEXT;
	}
	found = table_lookup(fragments, &key);
	p->object_id = p->port_id;
	if (!found || ticks_passed(clock_tick(), found->seen, 30 * TICKS_PER_SECOND))
		return VERDICT_FRAGMENT_LOST;
	p->key.source_port = found->source_port;
	p->key.destination_port = found->destination_port;
	p->icmp_type = found->icmp_type;
	p->icmp_code = found->icmp_code;
	return VERDICT_NEXT;
}
