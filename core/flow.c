/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * flow: the slow half of the flow table. What is known of a packet's connection (flow_find), entering and
 * renewing the pair of rows (flow_write).
 *
 * The theory of operation is in flow.h. Before: route.c or bridge.c and deliver.c, which know where the
 * packet goes; between flow_find and flow_write: policy.c.
 */
#include "core/charge.h"
#include "core/flow.h"
#include "core/way.h"

/* The live row for this key, whose other end is peer_port_id or, if any_peer, whoever; or NULL. */
static __always_inline int flow_known(const struct flow_key *key, __u32 now, __u32 peer_port_id,
				      int any_peer)
{
	struct flow *flow = table_lookup(flows, key);

	return flow && flow_alive(key, flow, now) &&
	       (any_peer || flow->peer_port_id == peer_port_id);
}

/*
 * An ICMP error: do sender and receiver know the connection it speaks of? It must be about a packet of
 * the receiver's, and come from the port at the other end (a middlebox on the way is that), or from the
 * very address that packet went to.
 */
static __always_inline void find_related(struct frame *f, struct packet *p)
{
	int from_end = (p->flags & PACKET_SOURCE_OWN) &&
		       address_equal(&p->key.source, &p->inner.destination);
	struct flow_key key = p->inner;

	if (!address_equal(&p->inner.source, &p->key.destination))
		return;
	key.port_id = p->out_port_id;
	if (flow_known(&key, p->now, p->port_id, from_end))
		p->flags |= PACKET_PEER_KNOWN;
	flow_key_reverse(&p->inner, p->port_id, &key);
	if (flow_known(&key, p->now, p->out_port_id, from_end))
		p->flags |= PACKET_FLOW_KNOWN;
	if (p->flags & PACKET_PEER_KNOWN)
		note(f, NOTE_FLOW_RELATED, 0);
}

/* What the packet's own port knows of the connection. opens: the packet is a SYN. */
static __always_inline void find_own(struct frame *f, struct packet *p, int opens)
{
	struct flow_key key =
		p->key; /* Linux 6.1 takes no key out of memory a function was handed */
	struct flow *flow = p->flags & PACKET_ROW_MISSING ? NULL : table_lookup(flows, &key);

	if (!flow)
		return;
	p->flags |= PACKET_ROW_THERE;
	if (!flow_alive(&key, flow, p->now) || (opens && flow->state == FLOW_CLOSED))
		return;
	p->flags |= PACKET_FLOW_KNOWN;
	if (flow->flags & FLOW_ORIGINAL)
		p->flags |= PACKET_ORIGINAL;
	if (flow->generation != p->generation)
		p->flags |= PACKET_RULES_MOVED;
	note(f, flow->flags & FLOW_UNRESOLVED ? NOTE_FLOW_REPLY : NOTE_FLOW_STALE, 0);
}

static __noinline int is_wire(__u32 port_id)
{
	struct port_key key = { .port_id = port_id };
	struct port *port = table_lookup(ports, &key);

	return port && port->kind == PORT_WIRE;
}

/*
 * The other end is the same, and the way between is another one than the row says: the VPC's router is on
 * another host now, or there is one now, or none any more (central.c). That the sender is whom the packet says has
 * been asked (arrive.c). Or the other end is a machine on a network outside whose gateway is another host: each
 * host routes to it by itself, and what it says comes by that one.
 */
static __always_inline int came_another_way(const struct packet *p, const struct flow *flow)
{
	if (is_from_router(p))
		return 1;
	if (p->flags & PACKET_SOURCE_OWN)
		return (p->flags & PACKET_FROM_PEER) && flow->peer_port_id >= PEER_ID_FIRST;
	return (p->flags & (PACKET_FROM_PEER | PACKET_FROM_WIRE)) && is_wire(flow->peer_port_id);
}

/*
 * What the port it goes to knows. A row of another pair speaks for this packet only when the sender knows
 * the connection as well: a reply that goes past the middlebox. Nobody else may ride on it.
 */
static __always_inline void find_peer(struct packet *p, int opens)
{
	struct flow_key reverse;
	struct flow *flow;

	flow_key_reverse(&p->key, p->out_port_id, &reverse);
	flow = table_lookup(flows, &reverse);
	if (!flow)
		return;
	p->flags |= PACKET_PEER_ROW_THERE;
	if (!flow_alive(&reverse, flow, p->now) || (opens && flow->state == FLOW_CLOSED))
		return;
	if (flow->peer_port_id == p->port_id || (p->flags & PACKET_FLOW_KNOWN) ||
	    came_another_way(p, flow))
		p->flags |= PACKET_PEER_KNOWN;
	else
		p->flags |= PACKET_PEER_TAKEN;
}

/* Has the port come to this host a moment ago? */
static __noinline int came_here(__u32 port_id, __u32 now)
{
	struct port_key key = { .port_id = port_id };
	struct port *port = table_lookup(ports, &key);

	return port && port_moved_lately(port, now);
}

/*
 * A TCP segment that opens nothing and is of no connection known here. The rows of a port that came from
 * another host stayed there; so for a while its connections are picked up in the middle, where the rules
 * allow it (policy.c). Every end that is on this host must have come: of others the rows would be here.
 * What a machine on a network outside says to another host's port, or to another machine outside, may be
 * all that this host, its gateway, ever sees: no rules are asked here, and the answer goes by another host.
 */
static __always_inline int may_be_picked_up(const struct packet *p)
{
	if (p->flags & (PACKET_PEER_TAKEN | PACKET_FRAGMENT_LATER) || !(p->tcp_flags & TCP_ACK))
		return 0;
	if ((p->flags & PACKET_FROM_WIRE) &&
	    ((p->flags & PACKET_TO_PEER) || OUT_KIND(p->out_kind) == PORT_WIRE))
		return 1;
	if (p->tcp_flags & TCP_SYN)
		return 0;
	return ((p->flags & PACKET_FROM_PEER) || came_here(p->port_id, p->now)) &&
	       ((p->flags & PACKET_TO_PEER) || came_here(p->out_port_id, p->now));
}

/*
 * In an l2 subnet the reply comes from the MAC that the packet is sent to: the port's own, or one that was heard
 * there a moment ago, which a port that is held to its own MAC does not get far with. What the sender says of itself
 * binds nobody there, but that it is the gateway is not left to it: what is for that one has stages of its own.
 */
static __always_inline int reply_is_switched(const struct packet *p)
{
	if ((p->subnet_flags & SUBNET_DIRECT) || mac_equal(p->ethernet + 6, p->gateway_mac))
		return 0;
	return p->station == STATION_REGISTERED ||
	       (p->station == STATION_HEARD && !(p->out_flags & PORT_CHECK_MAC));
}

/*
 * A machine on the wire of the sender's own l3 subnet, which the router has found: what comes back is for the
 * port's own MAC. The router learns of machines by ARP and neighbour discovery alone.
 */
static __always_inline int reply_is_of_machine(const struct packet *p)
{
	return OUT_KIND(p->out_kind) == PORT_WIRE && p->out_port_id >= PEER_ID_FIRST &&
	       (p->flags & PACKET_SOURCE_OWN) &&
	       !(p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_WIRE)) &&
	       !(p->subnet_flags &
		 (SUBNET_L2 | SUBNET_DIRECT | SUBNET_ROUTED_AWAY | SUBNET_ROUTES_ALL));
}

/*
 * And one that a machine on the wire of an l3 subnet begins: what the port answers goes to its gateway, whose router
 * finds the machine by the subnet's route and the MAC that it has heard, here the one that the packet comes from.
 */
OUT_OF_LINE int reply_is_to_machine(const struct packet *p)
{
	struct wire_neighbour_key neighbour_key = { .port_id = p->port_id };
	struct route_key route_key = { .prefix_length = 32 + 128 };
	struct subnet_key subnet_key = { .subnet_id = p->subnet_id };
	struct subnet *subnet = table_lookup(subnets, &subnet_key);
	struct wire_neighbour *known;
	struct route *found;

	if (!subnet || p->port_id != p->source_port_id || address_is_link_local(&p->key.source))
		return 0;
	route_key.table_id = subnet->route_table_id;
	route_key.address = p->key.source;
	found = table_lookup(routes, &route_key);
	if (!found || found->kind != ROUTE_WIRE || found->target != p->port_id)
		return 0;
	neighbour_key.address = p->key.source;
	known = table_lookup(wire_neighbours, &neighbour_key);
	return known && !known->flags && mac_equal(known->mac, p->ethernet + 6);
}

/*
 * Between two ports of one subnet the way back is plain: the same two MACs, the sender's device, no
 * route and no ACL to ask. The row of the reply can then be written as settled, which spares every TCP
 * connection its second way through the slow stages. (Others come this way once, for their state.)
 */
static __always_inline __u8 reply_is_plain(const struct packet *p)
{
	const __u32 own = PACKET_SOURCE_OWN | PACKET_DESTINATION_OWN;
	const __u32 other = SUBNET_L2 | SUBNET_DIRECT | SUBNET_ROUTED_AWAY | SUBNET_ROUTES_ALL;

	if (p->key.protocol != PROTOCOL_TCP || p->out_subnet_id != p->subnet_id ||
	    (p->flags & PACKET_NO_ETHERNET) || !p->in_ifindex)
		return REPLY_ASKS;
	if (p->flags & PACKET_ROUTED)
		return reply_is_of_machine(p) ? REPLY_SETTLED : REPLY_ASKS;
	if (p->subnet_flags & SUBNET_L2)
		return reply_is_switched(p) ? REPLY_SETTLED : REPLY_ASKS;
	if ((p->flags & own) == own)
		return REPLY_SETTLED;
	if ((p->flags & (PACKET_FROM_WIRE | PACKET_FROM_PEER | PACKET_DESTINATION_OWN)) !=
		    (PACKET_FROM_WIRE | PACKET_DESTINATION_OWN) ||
	    (p->subnet_flags & other) || OUT_KIND(p->out_kind) >= PORT_TUNNEL)
		return REPLY_ASKS;
	return reply_is_to_machine(p) ? REPLY_BY_GATEWAY : REPLY_ASKS;
}

/*
 * What the two ports know of the packet's connection: PACKET_FLOW_KNOWN, PACKET_PEER_KNOWN,
 * PACKET_ORIGINAL, PACKET_RULES_MOVED, PACKET_PICKED_UP; and reply_plain. p: out_port_id, generation and now are
 * set. VERDICT_NEXT, or the drop of a TCP segment that can belong to nothing.
 */
int flow_find(struct frame *f, struct packet *p)
{
	int segment, opens;

	if (!p)
		return VERDICT_INTERNAL;
	if (p->flags & PACKET_ICMP_ERROR) {
		find_related(f, p);
		return VERDICT_NEXT;
	}
	p->object_id = p->port_id;
	segment = p->key.protocol == PROTOCOL_TCP && !(p->flags & PACKET_FRAGMENT_LATER);
	if (segment && tcp_flags_bad(p->tcp_flags))
		return VERDICT_BAD_TCP_FLAGS;
	opens = segment && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN;
	p->reply_plain = reply_is_plain(p);
	find_own(f, p, opens);
	find_peer(p, opens);
	if (p->flags & (PACKET_FLOW_KNOWN | PACKET_PEER_KNOWN))
		return VERDICT_NEXT;
	p->flags |= PACKET_ORIGINAL;
	if (p->key.protocol != PROTOCOL_TCP || opens) {
		note(f, NOTE_FLOW_MISS, 0);
		return VERDICT_NEXT;
	}
	if (!may_be_picked_up(p)) {
		note(f, NOTE_FLOW_MISS, 0);
		return VERDICT_NO_CONNECTION;
	}
	p->flags |= PACKET_PICKED_UP;
	note(f, NOTE_FLOW_PICKED_UP, 0);
	return VERDICT_NEXT;
}

/*
 * A row where there is none, or in the place of one that is over. there: the table had such a row a moment
 * ago. 0, TABLE_ROW_EXISTS when another CPU was faster, or another negative number.
 */
static __always_inline int flow_replace(const struct flow_key *key, const struct flow *row,
					int there)
{
	struct flow *old;
	__u32 slot;

	old = there ? table_lookup(flows, key) : NULL;
	if (old && flow_claim(key, old, &slot)) {
		if (flow_over(old, row->seen))
			flow_remove(key, old, slot);
		else
			flow_unclaim(old, slot); /* another CPU was faster */
	}
	return (int)table_add(flows, key, row);
}

/* The row of the other direction, where the port at the far end has none. 0, TABLE_ROW_EXISTS when it has
 * one by now, or another negative number. */
static __always_inline int flow_write_peer(struct packet *p, const struct flow *own)
{
	struct flow_key reverse;
	struct flow row = {};

	if (p->flags & PACKET_PEER_TAKEN)
		return 0;
	reply_fill(p, own, &row);
	flow_key_reverse(&p->key, p->out_port_id, &reverse);
	return flow_replace(&reverse, &row, p->flags & PACKET_PEER_ROW_THERE);
}

/*
 * The row of the packet has been entered while the port at the far end has one of its own: it began at the
 * same time, on another CPU. Neither packet was a reply when it came, and no later one goes through the slow
 * stages; so that each end was heard is said here. (TCP says so itself, by its flags.)
 */
static __always_inline void flow_meet(const struct packet *p, const struct vpc *vpc)
{
	struct flow_key key = p->key; /* as in flow_find */
	struct flow *flow = table_lookup(flows, &key), *peer;

	flow_key_reverse(&p->key, p->out_port_id, &key);
	peer = table_lookup(flows, &key);
	if (p->key.protocol == PROTOCOL_TCP || !flow || !peer || !(peer->flags & FLOW_ORIGINAL) ||
	    peer->peer_port_id != p->port_id || flow->peer_port_id != p->out_port_id)
		return;
	flow->state = FLOW_REPLIED;
	flow->timeout = timeout_of(p->key.protocol, FLOW_REPLIED, vpc);
	peer->state = FLOW_REPLIED;
	peer->timeout = flow->timeout;
}

/* The part of a row that the slow stages decide anew each time, all but the generation. */
static __always_inline void flow_fill(struct packet *p, const struct vpc *vpc, struct flow *row)
{
	row->flags &= (__u8)~FLOW_LOGGED;
	if ((p->port_flags | p->out_flags) & PORT_LOGGED)
		row->flags |= FLOW_LOGGED;
	row->seen = p->now;
	row->timeout = timeout_of(p->key.protocol, row->state, vpc);
	row->renew = renew_at(p);
	row->vpc_slot = p->vpc_slot;
	row->peer_port_id = p->out_port_id;
	row->out_ifindex = p->out_ifindex;
	row->out_slot = p->out_slot;
	row->out_kind = p->out_kind;
	row->out_tag = (__u16)p->out_tag;
	row->mtu = mtu_row(p->out_mtu);
	if (p->egress_rule_id)
		row->egress_rule_id = p->egress_rule_id;
	if (p->ingress_rule_id)
		row->ingress_rule_id = p->ingress_rule_id;
	__builtin_memcpy(row->ethernet_in, p->ethernet, 12);
	__builtin_memcpy(row->ethernet_out, p->ethernet_out, 12);
}

/* The state after the packet, in both rows. The peer's row is written at once: it is not claimed, and as
 * soon as it is removed its memory may be another connection's. */
static __always_inline void flow_advance(struct packet *p, const struct vpc *vpc, struct flow *flow)
{
	struct flow_key reverse;
	struct flow *peer;

	flow_key_reverse(&p->key, p->out_port_id, &reverse);
	peer = table_lookup(flows, &reverse);
	if (peer && peer->peer_port_id != p->port_id)
		peer = NULL; /* the row of another pair */
	if (p->key.protocol != PROTOCOL_TCP) {
		flow->state = flow->flags & FLOW_ORIGINAL ? flow->state : FLOW_REPLIED;
	} else if (!(p->flags & PACKET_FRAGMENT_LATER)) {
		flow->state = tcp_next_state(flow, peer, p->tcp_flags);
		flow->tcp_flags |= p->tcp_flags;
	}
	flow->timeout = timeout_of(p->key.protocol, flow->state, vpc);
	if (peer && (p->flags & PACKET_PEER_KNOWN)) {
		peer->state = flow->state;
		peer->timeout = flow->timeout;
	}
}

/* The port of a row has another slot now: it was plugged in again, or is on another host. What its
 * connection was charged goes with it. slot: of the claimed row, for flow_unclaim. */
static __always_inline void flow_recharge(struct packet *p, const struct flow *flow, __u32 *slot)
{
	struct slot_key from = { .slot = *slot };
	struct slot_key to = { .slot = p->port_slot };
	struct port_stats *before, *after;

	*slot = to.slot;
	if (from.slot == to.slot || !(flow->flags & FLOW_CHARGED))
		return;
	before = table_lookup(port_stats, &from);
	after = table_lookup(port_stats, &to);
	if (before)
		atomic_add(&before->flows, -1);
	if (after)
		atomic_add(&after->flows, 1);
}

/*
 * A connection that is known: its row is decided anew, in place, by one CPU at a time, and the state
 * follows the packet. Others may read the row meanwhile: it is unresolved while its way out is written,
 * and they come this way themselves. Where another CPU is at the row already, what that one writes
 * stands. A row removed since flow_find (the connection is closed, or its port gone) is not missed.
 */
static __always_inline int flow_renew(struct frame *f, struct packet *p, const struct vpc *vpc)
{
	struct flow_key own = p->key; /* as in flow_find */
	struct flow *flow = table_lookup(flows, &own);
	int error = 0;
	__u32 slot;

	p->object_id = p->port_id;
	if (!flow || !flow_claim(&own, flow, &slot))
		return VERDICT_NEXT;
	flow_advance(p, vpc, flow);
	flow->flags |= FLOW_UNRESOLVED;
	compiler_barrier();
	flow_fill(p, vpc, flow);
	atomic_add(&flow->packets, 1);
	atomic_add(&flow->bytes, p->frame_length);
	flow_recharge(p, flow, &slot);
	atomic_write(&flow->generation, p->generation);
	flow->flags &= (__u8)~FLOW_UNRESOLVED;
	if (!(p->flags & PACKET_PEER_KNOWN))
		error = flow_write_peer(p, flow);
	flow_unclaim(flow, slot);
	if (error && error != TABLE_ROW_EXISTS)
		return VERDICT_FLOW_TABLE_FULL;
	note(f, NOTE_FLOW_WRITTEN, 0);
	return VERDICT_NEXT;
}

/* What a new row says of the connection's beginning. One that is picked up in the middle has its handshake
 * behind it, and policy.c has found which end began it. */
static __always_inline void flow_begin(struct packet *p, struct flow *row)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct vpc_stats *stats;

	row->flags |= p->flags & PACKET_ORIGINAL ? FLOW_ORIGINAL : 0;
	row->born = p->now;
	row->charged_slot = p->port_slot;
	row->packets = 1;
	row->bytes = p->frame_length;
	row->tcp_flags = p->tcp_flags;
	if (!(p->flags & PACKET_PICKED_UP))
		return;
	row->state = FLOW_ESTABLISHED;
	row->state = tcp_next_state(row, NULL, p->tcp_flags);
	stats = table_lookup(vpc_stats, &slot);
	if (stats)
		atomic_add(&stats->picked_up, 1);
}

/* A connection for which there is no place: the VPC's own limit is counted with it. */
static __always_inline int flow_refused(const struct packet *p, int verdict)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct vpc_stats *stats;

	if (verdict != VERDICT_FLOW_LIMIT_VPC)
		return verdict;
	stats = table_lookup(vpc_stats, &slot);
	if (stats)
		atomic_add(&stats->refused_flows, 1);
	return verdict;
}

/*
 * Enters the packet's connection, or renews what is known of it. p: the whole decision is made. Packets
 * that belong to no connection of their own (ICMP errors, not IP) pass through. VERDICT_NEXT, or the
 * drop that says whose limit is reached; then nothing is entered.
 */
int flow_write(struct frame *f, struct packet *p)
{
	struct slot_key slot;
	struct flow_key own;
	struct flow row = {};
	struct vpc *vpc;
	int verdict, error, met = 0;

	if (!p)
		return VERDICT_INTERNAL;
	slot.slot = p->vpc_slot;
	if ((p->flags & (PACKET_IP | PACKET_ICMP_ERROR)) != PACKET_IP)
		return VERDICT_NEXT;
	vpc = table_lookup(vpcs, &slot);
	if (!vpc)
		return VERDICT_INTERNAL;
	if (p->flags & PACKET_FLOW_KNOWN)
		return flow_renew(f, p, vpc);
	verdict = flow_charge(p, vpc, &row.flags);
	if (verdict)
		return flow_refused(p, verdict);
	flow_begin(p, &row);
	flow_fill(p, vpc, &row);
	row.generation = p->generation;
	own = p->key; /* as in flow_find */
	error = flow_replace(&own, &row, p->flags & PACKET_ROW_THERE);
	if (error)
		flow_release(row.flags, row.charged_slot, row.vpc_slot);
	/* Another CPU has just entered the connection: the next packet finds it. */
	if (error && error != TABLE_ROW_EXISTS)
		return VERDICT_FLOW_TABLE_FULL;
	if (!error && !(p->flags & PACKET_PEER_KNOWN))
		met = flow_write_peer(p, &row);
	if (met && met != TABLE_ROW_EXISTS) {
		flow_take_back(&own);
		return VERDICT_FLOW_TABLE_FULL;
	}
	if (!error && (met || (p->flags & PACKET_PEER_KNOWN)))
		flow_meet(p, vpc);
	else if (!error && p->reply_plain)
		way_keep(p, &row);
	note(f, NOTE_FLOW_WRITTEN, 0);
	return VERDICT_NEXT;
}
