/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The flow table: what is known of live connections, and the way out for their packets.
 *
 * Theory of operation. A connection between ports A and B is a pair of rows, (A; a->b) and (B; b->a):
 * the key begins with the port that the packet enters by, so a row speaks for one port, a spoofed
 * tuple from another port finds nothing, and a packet that passes a middlebox is another connection at
 * each leg. The pair is made by its first packet; the row of the reply is UNRESOLVED until the first
 * reply has found its own way (TCP inside one subnet: settled at once, where nothing is to be learned).
 * A hit costs one look-up and one rewrite (flow_hit, inline here); whatever a hit cannot settle goes through
 * the slow stages again:
 *
 *   - the VPC's generation has moved (rules, routes, ports changed),
 *   - the row has not been seen for its timeout, or its renewal is due (l2 subnets: FDB ageing),
 *   - the frame came with other MACs, with a tag, or is larger than the receiver's MTU,
 *   - the port is in another slot than before: plugged in again, or on another host (V8),
 *   - TCP: a segment that changes the state (flow_follow) and turns out to begin a new connection.
 *
 * State, the same in both rows (enum flow_state); who leaves it and how:
 *   NEW          TCP: SYN seen. SYN+ACK of the other side: REPLIED. Others: first packet; reply: REPLIED.
 *   REPLIED      TCP: ACK of the side that began: ESTABLISHED. Others: stays.
 *   ESTABLISHED  TCP: a FIN: CLOSING.
 *   CLOSING      TCP: a FIN of the other side: CLOSED.
 *   CLOSED       TCP: a SYN begins a new connection, judged by the rules. RST leads here from anywhere.
 * A row is alive while one of the pair was seen within the timeout of the state. Rows that are not are
 * removed by the sweep (target/bpf/sweep.bpf.c). A CLOSED connection waits for its last word, the
 * acknowledgement of the second FIN, however long the way there and back is; a RST is one. Then it is removed
 * when some others have had theirs since (flow_ended). A live row is never removed for another's sake: a
 * full table refuses new connections and keeps the old.
 *
 * CPUs share the rows without locks. A row is entered by table_add, which one of two CPUs does; removed, or
 * given another way out, by the one CPU that has claimed it (flow_claim); read by flow_hit as it says there.
 *
 * The port that began a connection pays for the pair (flow_write): up to its guarantee it always finds
 * room, beyond that it shares what is left, and never more than its limit or its VPC's.
 */
#ifndef WEFT_CORE_FLOW_H
#define WEFT_CORE_FLOW_H

#include "core/packet.h"
#include "core/tcp.h"

/* Alive by itself or by the other row of its pair. flow: looked up by key. */
static inline int flow_alive(const struct flow_key *key, const struct flow *flow, __u32 now)
{
	struct flow_key reverse;
	struct flow *peer;

	if (!ticks_passed(now, flow->seen, flow->timeout))
		return 1;
	flow_key_reverse(key, flow->peer_port_id, &reverse);
	peer = table_lookup(flows, &reverse);
	return peer && peer->peer_port_id == key->port_id &&
	       !ticks_passed(now, peer->seen, peer->timeout);
}

/* Gives back what flow_write took for the pair, when the row that was charged goes. flags: of that row. */
static inline void flow_release(__u8 flags, __u32 charged_slot, __u32 vpc_slot)
{
	struct slot_key port = { .slot = charged_slot };
	struct slot_key vpc = { .slot = vpc_slot };
	struct slot_key zero = { .slot = 0 };
	struct port_stats *of_port;
	struct vpc_stats *of_vpc;
	struct datapath_state *shared;

	if (!(flags & FLOW_CHARGED))
		return;
	of_port = table_lookup(port_stats, &port);
	if (of_port)
		atomic_add(&of_port->flows, -1);
	of_vpc = table_lookup(vpc_stats, &vpc);
	if (of_vpc)
		atomic_add(&of_vpc->flows, -1);
	if (!(flags & FLOW_CHARGED_SHARED))
		return;
	shared = table_lookup(state, &zero);
	if (shared)
		atomic_add(&shared->shared_flows, -1);
}

/*
 * Takes the sole right to remove a row, or to write its way out. Since it was looked up another CPU may
 * have removed it, and its memory may be another connection's, or the next one's of the same key. So the
 * row is marked first and then asked for once more: nobody else removes a marked row, so what the
 * look-up finds is true until flow_unclaim or flow_remove. The caller judges the row again after this.
 * The memory of a removed row stays marked until a new row is written there.
 * 1: claimed, with the row's charged_slot in *slot. 0: it is not the key's, or another CPU is at it.
 */
OUT_OF_LINE int flow_claim(const struct flow_key *key, struct flow *flow, __u32 *slot)
{
	__u32 charged_slot = flow->charged_slot;

	if (charged_slot == FLOW_CLAIMED ||
	    !atomic_swap_if(&flow->charged_slot, charged_slot, FLOW_CLAIMED))
		return 0;
	*slot = charged_slot;
	if (table_lookup(flows, key) == flow)
		return 1;
	atomic_write(&flow->charged_slot, charged_slot);
	return 0;
}

static inline void flow_unclaim(struct flow *flow, __u32 slot)
{
	atomic_write(&flow->charged_slot, slot);
}

/* What a flow log has to know of a row that goes. */
static inline void flow_end_fill(struct flow_end *end, const struct flow_key *key,
				 const struct flow *flow)
{
	end->key = *key;
	end->peer_port_id = flow->peer_port_id;
	end->packets = flow->packets;
	end->bytes = flow->bytes;
	end->seen = flow->seen;
	end->born = flow->born;
	end->egress_rule_id = flow->egress_rule_id;
	end->ingress_rule_id = flow->ingress_rule_id;
	end->tcp_flags = flow->tcp_flags;
	end->flags = flow->flags;
	__builtin_memset(end->pad, 0, sizeof(end->pad));
}

/* There was no room to tell the end of a row of this port. */
static inline void flow_end_lost(__u32 port_slot)
{
	struct slot_key slot = { .slot = port_slot };
	struct flow_log_port *port = table_lookup(flow_log_ports, &slot);

	if (port)
		atomic_add(&port->lost, 1);
}

/* Takes a row out of the table, and tells of it where somebody records. 0: done. Linux 6.1 does not see that
 * room once taken is not NULL when it is asked again, so it is not. */
static inline int flow_take_out(const struct flow_key *key, const struct flow *flow, __u8 flags,
				__u32 slot)
{
	__u32 out_slot = flow->out_slot;
	struct flow_end *end;

	if (!(flags & FLOW_LOGGED))
		return (int)table_remove(flows, key);
	end = flow_end_take();
	if (!end) {
		if (table_remove(flows, key))
			return -1;
		flow_end_lost(slot);
		flow_end_lost(out_slot);
		return 0;
	}
	/* Before it is gone, for then its memory may be another row's. */
	flow_end_fill(end, key, flow);
	if (table_remove(flows, key)) {
		flow_end_drop(end);
		return -1;
	}
	flow_end_tell(end);
	return 0;
}

/* Removes a claimed row and gives back what it was charged for: once, whoever else wanted to. 1: done. */
OUT_OF_LINE int flow_remove(const struct flow_key *key, struct flow *flow, __u32 slot)
{
	__u8 flags = flow->flags;
	__u32 vpc_slot = flow->vpc_slot;

	if (flow_take_out(key, flow, flags, slot)) {
		flow_unclaim(flow, slot);
		return 0;
	}
	flow_release(flags, slot, vpc_slot);
	return 1;
}

/* What a row must be to go: closed, or not seen for its timeout. One that another CPU has just put in
 * the place of such a row is neither. */
static inline int flow_over(const struct flow *flow, __u32 now)
{
	return flow->state == FLOW_CLOSED || ticks_passed(now, flow->seen, flow->timeout);
}

/* The sweep's look at a row: 1 when it is removed, for its port is gone or its pair was not seen in time. */
static inline int flow_sweep(const struct flow_key *key, struct flow *flow, __u32 now)
{
	struct port_key port = { .port_id = key->port_id };
	int gone = !table_lookup(ports, &port);
	__u32 slot;

	if (!gone && flow_alive(key, flow, now))
		return 0;
	if (!flow_claim(key, flow, &slot))
		return 0;
	if (gone || flow_over(flow, now))
		return flow_remove(key, flow, slot);
	flow_unclaim(flow, slot);
	return 0;
}

static inline int flow_is_ended(const struct flow *flow, __u32 peer_port_id, __u32 born)
{
	return flow->state == FLOW_CLOSED && flow->peer_port_id == peer_port_id &&
	       flow->born == born;
}

/* Removes one row of a connection that ended, unless its ports have begun another since. */
static inline void remove_ended(const struct flow_key *key, __u32 peer_port_id, __u32 born)
{
	struct flow *flow = table_lookup(flows, key);
	__u32 slot;

	if (!flow || !flow_is_ended(flow, peer_port_id, born) || !flow_claim(key, flow, &slot))
		return;
	if (flow_is_ended(flow, peer_port_id, born))
		flow_remove(key, flow, slot);
	else
		flow_unclaim(flow, slot);
}

/* The last word of a closed connection of this key: it goes into this CPU's ring, and the oldest there
 * goes. Nothing may be read of its rows after this. */
OUT_OF_LINE void flow_ended(const struct flow_key *key, __u32 peer_port_id, __u32 born)
{
	struct slot_key slot = { .slot = 0 };
	struct ended_cursor *cursor = table_lookup(ended_cursor, &slot);
	struct ended_flow *place, oldest;
	struct flow_key reverse;

	if (!cursor)
		return;
	slot.slot = (__u32)(cursor->next % ENDED_KEPT);
	cursor->next += 1;
	place = table_lookup(ended_flows, &slot);
	if (!place)
		return;
	oldest = *place;
	place->key = *key;
	place->peer_port_id = peer_port_id;
	place->born = born;
	if (!oldest.key.port_id)
		return;
	remove_ended(&oldest.key, oldest.peer_port_id, oldest.born);
	flow_key_reverse(&oldest.key, oldest.peer_port_id, &reverse);
	remove_ended(&reverse, oldest.key.port_id, oldest.born);
}

/*
 * Moves both rows of a TCP connection to a state. Before it returns all this is to be seen by the other
 * CPUs: of two that follow the FINs of both sides at once, one sees the other's when it looks again.
 */
static inline void flow_enter(struct flow *flow, struct flow *peer, __u8 state,
			      const struct vpc *vpc)
{
	__u32 timeout = timeout_of(PROTOCOL_TCP, state, vpc);

	compiler_barrier();
	flow->state = state;
	if (peer) {
		peer->state = state;
		peer->timeout = timeout;
	}
	atomic_write(&flow->timeout, timeout);
}

/* Of a closed connection: its last word, or one more; a FIN that comes again is none. VERDICT_DELIVERED. */
static inline int flow_last_word(struct packet *p, struct flow *flow)
{
	if ((p->tcp_flags & (TCP_SYN | TCP_FIN)) || (flow->flags & FLOW_ENDED) ||
	    table_lookup(flows, &p->key) != flow)
		return VERDICT_DELIVERED;
	p->flags |= PACKET_ROW_THERE;
	flow->flags |= FLOW_ENDED;
	flow->tcp_flags |= p->tcp_flags;
	p->flags |= PACKET_ENDED;
	return VERDICT_DELIVERED;
}

/*
 * A TCP segment of a settled connection that may change its state. VERDICT_DELIVERED: followed, forward
 * it; with PACKET_ROW_THERE where the row was asked for once more, and is this one. VERDICT_NEXT: it begins a new
 * connection where an old one ended; the rules decide. Or a drop.
 */
OUT_OF_LINE int flow_follow(struct packet *p, struct flow *flow, const struct vpc *vpc)
{
	struct flow_key reverse;
	struct flow *peer;
	__u8 state;

	if (p->flags & PACKET_FRAGMENT_LATER)
		return VERDICT_DELIVERED;
	if (tcp_flags_bad(p->tcp_flags)) {
		p->object_id = p->port_id;
		return VERDICT_BAD_TCP_FLAGS;
	}
	if (flow->state == FLOW_CLOSED && (p->tcp_flags & (TCP_SYN | TCP_ACK)) == TCP_SYN)
		return VERDICT_NEXT;
	/* Only these move the state: flags, and the acknowledgements that end the handshake and the end. */
	if (!(p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)) && flow->state != FLOW_CLOSED &&
	    !(flow->state == FLOW_REPLIED && (flow->flags & FLOW_ORIGINAL)))
		return VERDICT_DELIVERED;
	if (flow->state == FLOW_CLOSED)
		return flow_last_word(p, flow);
	flow_key_reverse(&p->key, flow->peer_port_id, &reverse);
	peer = table_lookup(flows, &reverse);
	if (peer && peer->peer_port_id != p->port_id)
		peer = NULL; /* the row of another pair */
	if (table_lookup(flows, &p->key) != flow)
		return VERDICT_DELIVERED; /* removed since: what stands there is not to be touched */
	p->flags |= PACKET_ROW_THERE;
	flow->tcp_flags |= p->tcp_flags;
	state = tcp_next_state(flow, peer, p->tcp_flags);
	if (state == flow->state)
		return VERDICT_DELIVERED;
	flow_enter(flow, peer, state, vpc);
	if (state == FLOW_CLOSING && peer && (peer->flags & FLOW_FIN_SEEN))
		flow_enter(flow, peer, FLOW_CLOSED, vpc);
	return p->tcp_flags & TCP_RST ? flow_last_word(p, flow) : VERDICT_DELIVERED;
}

static inline int ethernet_equal(const __u8 *a, const __u8 *b)
{
	const __u32 *x = (const __u32 *)a, *y = (const __u32 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]));
}

/* Counts a packet for the port it came from and the one it goes to. */
static inline void count_delivered(struct packet *p)
{
	struct slot_key in = { .slot = p->port_slot };
	struct slot_key out = { .slot = p->out_slot };
	struct verdict_key delivered = { .verdict = VERDICT_DELIVERED };
	struct verdict_counter *counter = table_lookup(verdicts, &delivered);
	struct port_counts *counts = table_lookup(port_counts, &in);

	if (counts) {
		counts->received_packets += 1;
		counts->received_bytes += p->frame_length;
	}
	counts = table_lookup(port_counts, &out);
	if (counts) {
		counts->sent_packets += 1;
		counts->sent_bytes += p->frame_length;
	}
	if (counter) {
		counter->packets += 1;
		counter->bytes += p->frame_length;
	}
}

/* Takes the way out of a row into the packet. */
static inline void flow_take(struct packet *p, const struct flow *flow)
{
	p->out_port_id = flow->peer_port_id;
	p->out_slot = flow->out_slot;
	p->out_ifindex = flow->out_ifindex;
	p->out_kind = flow->out_kind;
	p->out_tag = flow->out_tag;
	__builtin_memcpy(p->ethernet_out, flow->ethernet_out, 12);
}

/* The way out in the row is whole, and of the rules as they are now. */
static inline int flow_decided(const struct flow *flow, __u32 generation)
{
	return !(flow->flags & FLOW_UNRESOLVED) && flow->generation == generation;
}

/* The row says how to treat this packet, now and without asking further. */
static inline int flow_settled(struct packet *p, const struct flow *flow, __u32 generation,
			       __u32 now)
{
	return flow_decided(flow, generation) && flow->vpc_slot == p->vpc_slot &&
	       flow->charged_slot == p->port_slot &&
	       !ticks_passed(now, flow->seen, flow->timeout) && (__s32)(now - flow->renew) < 0 &&
	       ethernet_equal(p->ethernet, flow->ethernet_in) && p->packet_length <= flow->mtu;
}

/*
 * The way out is the one of every packet between these two stations. Not so where the MACs do not say
 * who they are: a frame to the gateway may be for anybody, and a tun has none.
 */
static inline int flow_out_by_mac(const struct packet *p)
{
	return !(p->flags & PACKET_NO_ETHERNET) && ethernet_equal(p->ethernet, p->ethernet_out);
}

/*
 * The hot path. VERDICT_DELIVERED with p->out_* set and the frame rewritten, VERDICT_NEXT when the slow
 * stages must see the packet, or a drop.
 *
 * Another CPU may be writing the row's way out, or have removed the row and given its memory to another
 * connection. So the row must be decided before its way out is copied, and is judged after that: what
 * was copied then is whole, and of a row that was this connection's or one between the same two
 * stations. Where the stations are not known by their MACs, the row is looked up again. (It is not for
 * neighbours, the most common case by far: that would only help against a CPU that stands still after
 * the look-up until the row is removed, and goes on in the nanoseconds in which a new row is copied there.)
 */
static inline int flow_hit(struct frame *f, struct packet *p)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct flow *flow;
	struct vpc *vpc;
	__u8 *header;
	__u32 now, generation;
	int verdict;

	if ((p->flags & (PACKET_IP | PACKET_ICMP_ERROR | PACKET_END_MOVED)) != PACKET_IP ||
	    p->vlan_count)
		return VERDICT_NEXT;
	flow = table_lookup(flows, &p->key);
	if (!flow) {
		p->flags |= PACKET_ROW_MISSING;
		return p->key.protocol == PROTOCOL_TCP && p->tcp_flags == TCP_SYN ? way_take(f, p)
										  : VERDICT_NEXT;
	}
	vpc = table_lookup(vpcs, &slot);
	if (!vpc)
		return VERDICT_NEXT;
	now = clock_tick();
	generation = generation_now(p->vpc_slot, vpc);
	if (!flow_decided(flow, generation))
		return VERDICT_NEXT;
	compiler_barrier();
	flow_take(p, flow);
	compiler_barrier();
	if (!flow_settled(p, flow, generation, now)) {
		p->out_port_id = 0;
		return VERDICT_NEXT;
	}
	if (p->key.protocol == PROTOCOL_TCP &&
	    (flow->state != FLOW_ESTABLISHED || (p->tcp_flags & (TCP_SYN | TCP_FIN | TCP_RST)))) {
		verdict = flow_follow(p, flow, vpc);
		if (verdict != VERDICT_DELIVERED) {
			p->out_port_id = 0;
			return verdict;
		}
	}
	if (!flow_out_by_mac(p) && !(p->flags & PACKET_ROW_THERE) &&
	    table_lookup(flows, &p->key) != flow) {
		p->out_port_id = 0;
		return VERDICT_NEXT;
	}
	flow->seen = now;
	atomic_add(&flow->packets, 1);
	atomic_add(&flow->bytes, p->frame_length);
	if (p->flags & PACKET_ENDED)
		flow_ended(&p->key, p->out_port_id, flow->born);
	p->object_id = p->out_port_id;
	header = frame_header(f, 0, ETHERNET_SIZE);
	if (!header)
		return VERDICT_INTERNAL;
	__builtin_memcpy(header, p->ethernet_out, 12);
	note(f, NOTE_FLOW_HIT, 0);
	note(f, NOTE_DELIVER_PORT, p->out_port_id);
	return VERDICT_DELIVERED;
}

#endif
