/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * fragment: gives later fragments what their first one carried, so that rules and connections hold.
 *
 * The first fragment of a datagram that is delivered leaves its protocol and ports in a small table, later
 * ones look them up. A later fragment that comes before its first is dropped with a verdict of its own
 * (hosts send in order; what reorders them inside one host does not exist). Nothing is reassembled. A port
 * may only leave so many a second, for the table is shared. What another host has sent is kept by that
 * host: which of its ports sent it may only be found by the ports inside (tunnel_inner.c).
 *
 * Before: parse.c. Next: flow.h.
 */
#include "core/packet.h"
#include "core/police.h"

#define FRAGMENT_RATE 4000
#define FRAGMENT_TICKS (30 * TICKS_PER_SECOND)

static __always_inline void fragment_key_set(struct fragment_key *key, const struct packet *p)
{
	key->port_id = p->flags & PACKET_FROM_PEER ? p->source_port_id : p->port_id;
	key->source = p->key.source;
	key->destination = p->key.destination;
	key->identification = p->fragment_id;
	key->protocol = p->fragment_protocol;
}

/* p: a first fragment that is delivered. */
int fragment_learn(struct frame *f, struct packet *p)
{
	struct fragment_key key = {};
	struct slot_key slot = {};
	struct port_stats *stats;
	struct fragment row = {};

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	slot.slot = p->port_slot;
	stats = table_lookup(port_stats, &slot);
	row.seen = clock_tick();
	if (!stats || !bucket_take(&stats->fragment_tokens, FRAGMENT_RATE, row.seen))
		return VERDICT_NEXT;
	fragment_key_set(&key, p);
	row.source_port = p->key.source_port;
	row.destination_port = p->key.destination_port;
	row.icmp_type = p->icmp_type;
	row.icmp_code = p->icmp_code;
	row.protocol = p->key.protocol;
	table_put(fragments, &key, &row);
	return VERDICT_NEXT;
}

/* p: parsed, a later fragment. Protocol and ports of p->key are set, or VERDICT_FRAGMENT_LOST. */
int fragment(struct frame *f, struct packet *p)
{
	struct fragment_key key = {};
	struct fragment *found;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	fragment_key_set(&key, p);
	found = table_lookup(fragments, &key);
	p->object_id = p->port_id;
	if (!found || ticks_passed(clock_tick(), found->seen, FRAGMENT_TICKS))
		return VERDICT_FRAGMENT_LOST;
	p->key.protocol = found->protocol;
	p->key.source_port = found->source_port;
	p->key.destination_port = found->destination_port;
	p->icmp_type = found->icmp_type;
	p->icmp_code = found->icmp_code;
	return VERDICT_NEXT;
}
