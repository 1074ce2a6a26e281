/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The slow way through the stages, in order, and what happens to a packet that ends.
 *
 * A packet comes here when flow.h has no settled row for it: the first of a connection, the first reply,
 * the first after a change. Read pipeline_miss from the top: it is the packet's walk; pipeline_arrive is
 * that of a packet from another host.
 *
 * Before: pipeline.h (the entry that both targets call). The stages are the files it names.
 */
#include "core/pipeline.h"

#include "core/police.h"

/* The way back to a sender behind a tunnel. */
static __always_inline void way_back(struct packet *p, const struct port *port)
{
	struct tunnel_key key = { .tunnel_id = port->tunnel_id };
	struct tunnel *tunnel;

	if (p->port_id == p->source_port_id)
		key.tunnel_id = p->source_tunnel_id;
	tunnel = table_lookup(tunnels, &key);
	p->in_ifindex = tunnel ? key.tunnel_id : 0;
	p->in_mtu = tunnel && (!p->in_mtu || tunnel->mtu < p->in_mtu) ? tunnel->mtu : p->in_mtu;
}

/* What the stages need to know of the sender's port and VPC. */
static __always_inline int look_up_port(struct packet *p)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct port_key port_key = { .port_id = p->port_id };
	struct port *port = table_lookup(ports, &port_key);
	struct vpc *vpc = table_lookup(vpcs, &slot);

	p->object_id = p->port_id;
	if (!port || !vpc)
		return VERDICT_UNKNOWN_PORT;
	/* Its device is here, its place is elsewhere. For the daemon this drop is news (agent/devices/moves.c). */
	if (port->kind == PORT_TUNNEL && !(p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_WIRE)))
		return VERDICT_NOT_ACTIVE;
	p->vpc_id = port->vpc_id;
	p->subnet_id = port->subnet_id;
	p->port_flags = port->flags;
	p->group_set_id = port->group_set_id;
	p->flow_limit = port->flow_limit;
	p->flow_guarantee = port->flow_guarantee;
	p->in_ifindex = port->ifindex;
	p->in_kind = port_out_kind(port);
	p->in_tag = port_out_tag(port);
	p->in_mtu = port->mtu;
	mac_copy(p->port_mac, port->mac);
	p->generation = generation_now(p->vpc_slot, vpc);
	p->now = clock_tick();
	if (p->flags & PACKET_FROM_TUNNEL)
		way_back(p, port);
	return VERDICT_NEXT;
}

/* And of a segment: the sender's, or the one that a packet travels in. */
static __always_inline int look_up_subnet(struct packet *p, __u32 subnet_id)
{
	struct subnet_key key = { .subnet_id = subnet_id };
	struct subnet *subnet = table_lookup(subnets, &key);

	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	p->subnet_id = subnet_id;
	p->subnet_flags = subnet->flags;
	mac_copy(p->gateway_mac, subnet->gateway_mac);
	return VERDICT_NEXT;
}

/* What another host has routed into this subnet, from one of the VPC that is in out_subnet_id until now. */
static __always_inline int judge_routed(struct frame *f, struct packet *p)
{
	const __u32 from_id = p->out_subnet_id, into_id = p->subnet_id;
	int verdict = VERDICT_NEXT;

	p->out_subnet_id = into_id;
	if (from_id != into_id && p->flood_mode == FLOOD_LISTENERS) {
		p->subnet_id = from_id;
		verdict = policy_between(f, p);
		p->subnet_id = into_id;
	}
	return verdict;
}

/* Everything else in an l2 subnet, and multicast: the sender's rules, then a copy to every member. */
static __always_inline int flood(struct frame *f, struct packet *p)
{
	int verdict = policy_flood(f, p);

	if (!verdict)
		verdict = bridge_flood_limit(f, p);
	if (!verdict)
		verdict = multicast_segment_limit(f, p);
	if (!verdict && (p->subnet_flags & (SUBNET_SNOOP | SUBNET_MULTICAST)))
		verdict = multicast(f, p);
	if (!verdict && p->flood_mode == FLOOD_REPORT)
		verdict = membership(f, p);
	if (!verdict && p->out_subnet_id)
		verdict = judge_routed(f, p);
	return verdict ? verdict : bridge_flood(f, p);
}

/* To the host that the port has moved to. No connection is entered and no rule asked: both is that host's. */
static __always_inline int send_on(struct frame *f, struct packet *p)
{
	int verdict = deliver_fits(f, p);

	if (verdict)
		return verdict;
	p->object_id = p->out_port_id;
	return frame_store(f, 0, p->ethernet_out, 12) ? VERDICT_INTERNAL : VERDICT_SENT_ON;
}

/* From the port it goes to, to the end. p: out_port_id is set. */
int pipeline_judge(struct frame *f, struct packet *p)
{
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	verdict = deliver(f, p);
	if (verdict)
		return verdict;
	if (p->flags & PACKET_SENDING_ON)
		return send_on(f, p);
	if (p->flags & PACKET_IP) {
		verdict = flow_find(f, p);
		if (verdict)
			return verdict;
	}
	verdict = policy(f, p);
	if (verdict)
		return verdict;
	verdict = deliver_fits(f, p);
	if (verdict)
		return verdict;
	if (p->subnet_flags & SUBNET_ROUTES_ALL) {
		verdict = central_hop(f, p);
		if (verdict)
			return verdict;
	}
	verdict = flow_write(f, p);
	if (verdict)
		return verdict;
	p->object_id = p->out_port_id;
	if (frame_store(f, 0, p->ethernet_out, 12))
		return VERDICT_INTERNAL;
	note(f, NOTE_DELIVER_PORT, p->out_port_id);
	return VERDICT_DELIVERED;
}

/* From the guard to the way out. p: parsed, without a settled flow. */
int pipeline_miss(struct frame *f, struct packet *p)
{
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	verdict = look_up_port(p);
	if (verdict)
		return verdict;
	verdict = look_up_subnet(p, p->subnet_id);
	if (verdict)
		return verdict;
	if (p->subnet_flags & SUBNET_L2) {
		verdict = loop(f, p);
		if (verdict)
			return verdict;
	}
	verdict = guard(f, p);
	/* A workload with an address of yesterday asks for today's. */
	if (!verdict || verdict == VERDICT_SPOOFED_ADDRESS) {
		int punted = punt(f, p);

		if (punted)
			return punted;
	}
	if (verdict)
		return verdict;
	verdict = service(f, p);
	if (verdict)
		return verdict;
	verdict = neighbour(f, p);
	if (verdict)
		return verdict;
	verdict = bridge(f, p);
	if (verdict)
		return verdict;
	if (p->flags & PACKET_ROUTED) {
		verdict = guard_routed(f, p);
		if (!verdict && (p->subnet_flags & SUBNET_ROUTED_AWAY))
			verdict = central_carry(f, p);
		if (!verdict && !p->out_port_id)
			verdict = route(f, p);
		if (verdict)
			return verdict;
	}
	return p->out_port_id ? pipeline_judge(f, p) : flood(f, p);
}

/* The same for a packet out of a tunnel, without a settled flow: it has been guarded by the host that sent it, and
 * routed, unless this is the one host that does (central.c). */
int pipeline_arrive(struct frame *f, struct packet *p)
{
	__u32 own_subnet_id;
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	verdict = look_up_port(p);
	if (verdict)
		return verdict;
	own_subnet_id = p->subnet_id;
	p->subnet_id = 0;
	if (p->source_subnet_id) {
		verdict = look_up_subnet(p, p->source_subnet_id);
		if (verdict)
			return verdict;
	}
	verdict = arrive_guard(f, p);
	if (verdict)
		return verdict;
	if (is_from_router(p))
		own_subnet_id = p->out_subnet_id;
	if ((p->subnet_flags & SUBNET_MULTICAST) && (p->flags & PACKET_ROUTED) &&
	    address_is_multicast(&p->key.destination)) {
		verdict = multicast_frame(f, p);
		if (verdict)
			return verdict;
	}
	if (p->flags & PACKET_ROUTED) {
		p->subnet_id = own_subnet_id;
		verdict = arrive_local(f, p);
		if (verdict)
			return verdict;
	} else {
		verdict = bridge(f, p);
		if (verdict)
			return verdict;
		p->out_subnet_id = own_subnet_id;
		if (is_brought_here(p))
			verdict = route(f, p);
		else if (!p->out_port_id)
			return flood(f, p);
		if (verdict)
			return verdict;
		if (mac_equal(p->ethernet + 6, p->gateway_mac))
			p->flags |= PACKET_ROUTED;
	}
	/* From here on the subnet is the sender's again: ACLs are asked between its subnet and the other. */
	if (own_subnet_id || is_from_router(p))
		p->subnet_id = own_subnet_id;
	return pipeline_judge(f, p);
}

/* The event of a drop, as far as the port's rate allows. */
static __always_inline void drop_tell(struct packet *p, int verdict, struct port_stats *stats)
{
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared = table_lookup(state, &zero);
	struct drop_event event = {};

	if (!shared)
		return;
	if (!bucket_take(&stats->event_tokens, (__u32)shared->event_rate, clock_tick())) {
		atomic_add(&shared->suppressed_events, 1);
		atomic_add(&stats->suppressed, 1);
		return;
	}
	event.tick_ns = clock_ns();
	event.verdict = (__u32)verdict;
	event.object_id = p->object_id;
	event.port_id = p->port_id;
	event.out_port_id = p->out_port_id;
	event.vpc_id = p->vpc_id;
	event.length = p->frame_length;
	event.source = p->key.source;
	event.destination = p->key.destination;
	event.source_port = p->key.source_port;
	event.destination_port = p->key.destination_port;
	event.ethertype = p->ethertype;
	event.protocol = p->key.protocol;
	event.tcp_flags = p->tcp_flags;
	event.suppressed = (__u32)stats->suppressed;
	__builtin_memcpy(event.ethernet, p->ethernet, 12);
	if (event_send(&event)) {
		atomic_add(&shared->suppressed_events, 1);
		atomic_add(&stats->suppressed, 1);
	} else {
		atomic_add(&stats->suppressed, -(__u64)event.suppressed);
	}
}

/*
 * Accounts for a packet that was not delivered to one port: dropped, answered, flooded. Returns the
 * verdict, for the caller to return in its turn.
 */
int pipeline_end(struct frame *f, struct packet *p, int verdict)
{
	struct slot_key slot;
	struct verdict_key key = { .verdict = (__u32)verdict };
	struct verdict_counter *counter;
	struct port_stats *stats;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	slot.slot = p->port_slot;
	counter = table_lookup(verdicts, &key);
	if (counter) {
		counter->packets += 1;
		counter->bytes += p->frame_length;
	}
	stats = table_lookup(port_stats, &slot);
	if (!stats || verdict == VERDICT_HELD)
		return verdict; /* it is counted when it comes again, or is given up */
	atomic_add(&stats->received_packets, 1);
	atomic_add(&stats->received_bytes, p->frame_length);
	if (!verdict_is_drop(verdict))
		return verdict;
	atomic_add(&stats->dropped_packets, 1);
	drop_tell(p, verdict, stats);
	return verdict;
}
