/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * bridge: what the destination MAC says.
 *
 * The gateway's MAC leads to route.c. Another port's MAC in the same subnet leads there without the
 * route table (V3). In an l3 subnet every other frame ends here (V5); an l2 subnet is an Ethernet
 * switch: source MACs are learned and aged, unknown destinations, broadcast and multicast are flooded to
 * the members within a rate per port, and a MAC that keeps moving between ports is held (a loop).
 *
 * Other hosts' members are behind tunnels, at the end of the flood list: each gets a copy with its own headers.
 * Stations behind them are learned like others, with the way there in this segment.
 *
 * A MAC that moves is counted in the VPC's generation, so that connections to it are decided anew.
 *
 * Before: neighbour.c. Next: route.c for routed packets, deliver.c for the rest.
 */
#include "core/loop.h"
#include "core/packet.h"
#include "core/police.h"
#include "core/tags.h"

#define MOVE_WINDOW_TICKS (10 * TICKS_PER_SECOND)
#define MOVES_MAX 5
#define REFRESH_TICKS TICKS_PER_SECOND
#define HEARD_TICKS (30 * TICKS_PER_SECOND)
#define FLOOD_MEMBERS_MAX 4096

static __always_inline void station_key_set(struct station_key *key, __u32 subnet_id,
					    const __u8 *mac)
{
	key->subnet_id = subnet_id;
	mac_copy(key->mac, mac);
	key->pad = 0;
}

/* Another segment's probe for loops (loop.c): it goes to other switches alone, and nobody learns from it. With a
 * tag the group that it is sent to tells. */
static __always_inline int is_probe(const struct packet *p)
{
	const __u8 group[6] = LOOP_GROUP;

	return (p->ethertype == be16(LOOP_ETHERTYPE) || p->kept_tag) &&
	       mac_equal(p->ethernet, group);
}

/* Each port's learned addresses are counted, against its limit. */
static __always_inline void count_station(__u32 port_slot, __s64 change)
{
	struct slot_key slot = { .slot = port_slot };
	struct port_stats *stats = table_lookup(port_stats, &slot);

	if (stats)
		atomic_add(&stats->stations, change);
}

/* A known MAC shows up at another port. */
static __always_inline int station_move(struct packet *p, struct station *station)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	__u32 from_id = station->port_id;
	struct port_key from_key = { .port_id = from_id };
	struct port *from = table_lookup(ports, &from_key);
	struct vpc_moves *row;

	if (ticks_passed(p->now, station->moved_at, MOVE_WINDOW_TICKS))
		station->moves = 0;
	if (station->moves >= MOVES_MAX) {
		p->object_id = from_id;
		return VERDICT_STATION_FLAPPING;
	}
	station->moves += 1;
	station->moved_at = p->now;
	station->seen = p->now;
	station->tunnel_id = p->flags & PACKET_FROM_TUNNEL ? p->source_tunnel_id : 0;
	if (!atomic_swap_if(&station->port_id, from_id, p->port_id))
		return VERDICT_NEXT; /* another CPU moves it just now */
	if (from)
		count_station(from->port_slot, -1);
	count_station(p->port_slot, 1);
	row = table_lookup(vpc_moves, &slot);
	if (row)
		atomic_add(&row->moves, 1);
	return VERDICT_NEXT;
}

static __always_inline int station_add(struct frame *f, struct packet *p,
				       const struct station_key *key)
{
	struct subnet_key subnet_key = { .subnet_id = p->subnet_id };
	struct subnet *subnet = table_lookup(subnets, &subnet_key);
	struct slot_key slot = { .slot = p->port_slot };
	struct port_stats *stats = table_lookup(port_stats, &slot);
	struct station row = { .port_id = p->port_id, .seen = p->now };

	if (!stats || !subnet)
		return VERDICT_INTERNAL;
	if (p->flags & PACKET_FROM_TUNNEL)
		row.tunnel_id = p->source_tunnel_id;
	if (stats->stations >= subnet->station_limit) {
		p->object_id = p->port_id;
		return VERDICT_STATION_LIMIT;
	}
	if (!table_add(stations, key, &row))
		atomic_add(&stats->stations, 1);
	note(f, NOTE_BRIDGE_LEARNED, p->port_id);
	return VERDICT_NEXT;
}

/* Of a segment with many ends behind one tunnel: at which of them a learned station is. */
static __always_inline void learn_end(struct packet *p, const struct station_key *key)
{
	struct station_end *known = table_lookup(station_ends, key);
	struct station_end row = {};

	if (known && address_equal(&known->address, &p->outer_source))
		return;
	row.address = p->outer_source;
	table_put(station_ends, key, &row);
}

/* Learns or refreshes the source MAC. Static rows (the control plane's) stay where they are. What another
 * host's gateway has routed comes from the MAC that this host's gateway has as well, and is not learned. */
static __always_inline int learn(struct frame *f, struct packet *p)
{
	struct station_key key;
	struct station *station;

	if ((p->flags & PACKET_FROM_PEER) && mac_equal(p->ethernet + 6, p->gateway_mac))
		return VERDICT_NEXT;
	station_key_set(&key, p->subnet_id, p->ethernet + 6);
	station = table_lookup(stations, &key);
	if ((p->flags & PACKET_FROM_TUNNEL) && (p->source_flags & TUNNEL_SOURCE_LEARN) &&
	    !(station && (station->flags & STATION_STATIC)))
		learn_end(p, &key);
	if (!station)
		return station_add(f, p, &key);
	if (station->port_id != p->port_id) {
		p->object_id = station->port_id;
		if (!(station->flags & STATION_STATIC))
			return station_move(p, station);
		return p->flags & PACKET_FROM_PEER ? VERDICT_FOREIGN_SOURCE : VERDICT_SPOOFED_MAC;
	}
	if (!(station->flags & STATION_STATIC) &&
	    ticks_passed(p->now, station->seen, REFRESH_TICKS))
		station->seen = p->now;
	return VERDICT_NEXT;
}

/* A learned MAC that was not heard of for too long: as good as unknown. */
static __always_inline int station_aged(struct packet *p, const struct station *station)
{
	struct subnet_key key = { .subnet_id = p->subnet_id };
	struct subnet *subnet;

	if (station->flags & STATION_STATIC)
		return 0;
	subnet = table_lookup(subnets, &key);
	return !subnet || ticks_passed(p->now, station->seen, subnet->station_ageing);
}

/* A learned MAC behind a port that is held now: it is to be found elsewhere, if anywhere. */
static __always_inline int station_held(struct packet *p, const struct station *station)
{
	struct port_key key = { .port_id = station->port_id };
	struct slot_key slot = {};
	struct port_stats *stats;
	struct port *port;

	if (station->flags & STATION_STATIC)
		return 0;
	port = table_lookup(ports, &key);
	if (!port)
		return 1;
	slot.slot = port->port_slot;
	stats = table_lookup(port_stats, &slot);
	return stats && port_stats_held(stats, p->now);
}

/* 01:80:c2:00:00:0x, of which only x = 0 is carried: by their own spanning tree the switches on both
 * sides find loops, too. */
static __always_inline int is_link_control(const __u8 *mac)
{
	return mac[0] == 0x01 && mac[1] == 0x80 && mac[2] == 0xc2 && !mac[3] && !mac[4] && mac[5] &&
	       mac[5] < 0x10;
}

struct flood_context {
	struct frame *f;
	struct packet *p;
};

/* A copy that cannot leave: the frame lives on, so that it has no verdict of its own, but this is counted. Return: 0. */
int bridge_lost(const struct packet *p)
{
	struct verdict_key key = { .verdict = VERDICT_FLOOD_LOST };
	struct verdict_counter *counter = table_lookup(verdicts, &key);

	if (!p || !counter)
		return 0;
	counter->packets += 1;
	counter->bytes += p->frame_length;
	return 0;
}

OUT_OF_LINE void count_lost(const struct packet *p, struct port_stats *stats)
{
	bridge_lost(p);
	if (stats)
		atomic_add(&stats->refused_packets, 1);
}

/* A member behind a tunnel: what came from another host goes to tunnel objects of this one alone. 1: the
 * frame can go on to nobody. */
static __always_inline int flood_tunnel(struct frame *f, struct packet *p, __u32 tunnel_id,
					struct port_stats *stats)
{
	struct tunnel_key key = { .tunnel_id = tunnel_id };
	struct tunnel *tunnel = table_lookup(tunnels, &key);
	__u32 size = p->frame_length - ETHERNET_SIZE, waiting;

	if (!tunnel)
		return 0;
	p->flags &= ~(__u32)PACKET_TO_PEER;
	if (!(tunnel->flags & TUNNEL_OBJECT)) {
		if (p->flags & PACKET_FROM_PEER)
			return 0;
		p->flags |= PACKET_TO_PEER;
	}
	if ((p->kept_tag || (p->flags & PACKET_IP) ? p->packet_length : size) > tunnel->mtu ||
	    policy_flood(f, p)) {
		if (stats)
			atomic_add(&stats->refused_packets, 1);
		return 0;
	}
	p->out_ifindex = tunnel_id;
	__builtin_memcpy(p->ethernet_out, p->ethernet, 12);
	if (tunnel_push(f, p) != VERDICT_DELIVERED)
		return 0;
	p->flood_takers += 1;
	waiting = p->unresolved_tunnel_id;
	if (frame_copy_underlay(f, p)) {
		/* Of those whose neighbour is not resolved the last gets the frame itself. */
		if (waiting || p->unresolved_tunnel_id != tunnel_id)
			count_lost(p, stats);
	} else if (stats) {
		atomic_add(&stats->sent_packets, 1);
		atomic_add(&stats->sent_bytes, p->frame_length);
	}
	return tunnel_unpush(f, p) != 0;
}

/* A member behind a tag: it gets a copy with its tag, and the frame loses it again. What is routed goes to a
 * wire from the MAC that this host's gateways have there. 1: the frame can go on to nobody. */
static __always_inline int flood_tagged(struct frame *f, struct packet *p, const struct port *port,
					struct port_stats *stats)
{
	const int routed = port->kind == PORT_WIRE && (p->flags & PACKET_ROUTED);

	if (routed && frame_store(f, 6, port->mac, 6))
		return 1;
	if (wire_push(f, p) != VERDICT_DELIVERED)
		return 1;
	p->flood_takers += 1;
	if (!frame_copy_to(f, port->ifindex) && stats) {
		atomic_add(&stats->sent_packets, 1);
		atomic_add(&stats->sent_bytes, p->frame_length);
	}
	return (port->tag && frame_tag_pop(f)) || (routed && frame_store(f, 6, p->ethernet + 6, 6));
}

/* A member that is watched: its copy is looked at when all are out (watch.c). */
static __always_inline void flood_watched(struct packet *p, const struct port_key *key)
{
	struct port_watch *row = table_lookup(port_watches, key);

	p->flags |= PACKET_WATCHED;
	p->watches_to |= row ? row->mask : 0;
	p->watch_port_id = key->port_id;
}

/* Plugged in, and of Ethernet. Whoever is behind the wire that it came from has it from there. */
static __always_inline int takes_floods(const struct packet *p, const struct port *port)
{
	const __u32 routed = p->flags & PACKET_ROUTED;

	if (port->kind == PORT_WIRE && (p->flags & PACKET_FROM_WIRE) && !routed)
		return 0;
	if (port->kind != PORT_WIRE && !(p->flags & PACKET_FROM_WIRE) && !routed &&
	    (p->subnet_flags & (SUBNET_PRIVATE | SUBNET_VEPA)))
		return 0;
	return port->kind == PORT_TUNNEL || (port->kind != PORT_TUN && port->ifindex);
}

/* A link, one behind the tag of a device, a tunnel, a wire: there may be other switches there. */
static __always_inline int leads_to_switch(const struct port *port)
{
	return port->kind == PORT_LINK || port->kind == PORT_TUNNEL || port->kind == PORT_WIRE ||
	       (port->kind == PORT_CHILD && (port->flags & PORT_UNFILTERED));
}

/* One member of the flood list: not the sender, plugged in, and its rules allow it. */
static long flood_member(__u64 index, void *argument)
{
	struct flood_context *context = argument;
	struct packet *p = context->p;
	struct flood_key key = { .subnet_id = p->subnet_id, .index = (__u32)index };
	struct flood *member = table_lookup(floods, &key);
	struct port_key port_key = {};
	struct slot_key slot = {};
	struct port_stats *stats;
	struct port *port;

	if (!member || member->port_id == p->port_id || member->port_id == p->reflected_port_id)
		return 0;
	port_key.port_id = member->port_id;
	port = table_lookup(ports, &port_key);
	if (!port || !takes_floods(p, port))
		return 0;
	if (is_probe(p) && !leads_to_switch(port))
		return 0;
	p->out_port_id = member->port_id;
	p->out_group_set_id = port->group_set_id;
	p->out_flags = port->flags;
	p->out_kind = port->kind;
	slot.slot = port->port_slot;
	stats = table_lookup(port_stats, &slot);
	if (stats && port_stats_held(stats, p->now))
		return 0;
	if (p->flood_mode && !multicast_wanted(context->f, p))
		return 0;
	if (p->kept_tag && tag_is_taken(p, port)) {
		if (stats)
			atomic_add(&stats->refused_packets, 1);
		return 0;
	}
	if (port->kind == PORT_TUNNEL)
		return flood_tunnel(context->f, p,
				    member->tunnel_id ? member->tunnel_id : port->tunnel_id, stats);
	p->flags &= ~(__u32)PACKET_TO_PEER;
	if (policy_flood(context->f, p)) {
		if (stats)
			atomic_add(&stats->refused_packets, 1);
		return 0;
	}
	if (port->flags & PORT_WATCHED)
		flood_watched(p, &port_key);
	if (port->kind >= PORT_WIRE)
		return flood_tagged(context->f, p, port, stats);
	/* In the packet, whose bytes the verifier does not follow through the loop. */
	p->flood_takers += 1;
	if (frame_copy_to(context->f, port->ifindex))
		return 0;
	if (stats) {
		atomic_add(&stats->sent_packets, 1);
		atomic_add(&stats->sent_bytes, p->frame_length);
	}
	return 0;
}

/* May the port flood another frame now? A stage of its own, for the verifier's sake. */
int bridge_flood_limit(struct frame *f, struct packet *p)
{
	struct slot_key slot;
	struct subnet_key key;
	struct subnet *subnet;
	struct port_stats *stats;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	key.subnet_id = p->subnet_id;
	slot.slot = p->port_slot;
	subnet = table_lookup(subnets, &key);
	stats = table_lookup(port_stats, &slot);
	if (!subnet || !stats)
		return VERDICT_UNKNOWN_SUBNET;
	p->object_id = p->port_id;
	if (subnet->flood_rate && !bucket_take(&stats->flood_tokens, subnet->flood_rate, p->now))
		return VERDICT_FLOOD_LIMIT;
	return VERDICT_NEXT;
}

/*
 * Sends a copy to every other member of the subnet. p: the sender's rules have agreed
 * (policy_flood with out_port_id 0), and so has its limit. VERDICT_FLOODED, or the drop.
 */
int bridge_flood(struct frame *f, struct packet *p)
{
	struct flood_context context = { .f = f, .p = p };
	struct subnet_key key;
	struct subnet *subnet;
	__u32 count;

	if (!p)
		return VERDICT_INTERNAL;
	key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &key);
	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	count = subnet->flood_count;
	if (count > FLOOD_MEMBERS_MAX)
		count = FLOOD_MEMBERS_MAX;
	p->object_id = p->subnet_id;
	note(f, NOTE_BRIDGE_FLOOD, p->subnet_id);
	loop_over(count, flood_member, &context);
	p->out_port_id = 0;
	p->out_kind = 0;
	p->object_id = p->subnet_id;
	if (p->flood_takers)
		return VERDICT_FLOODED;
	if (is_probe(p) || p->flood_mode == FLOOD_ROUTERS)
		return VERDICT_CONSUMED;
	if (p->flood_mode == FLOOD_LISTENERS)
		return VERDICT_NO_LISTENER;
	return p->flags & PACKET_FROM_WIRE ? VERDICT_OVERHEARD : VERDICT_EMPTY_SEGMENT;
}

/* For flow.c, which may spare a reply its slow way where nothing is to be learned from it. */
static __always_inline __u8 station_news(const struct packet *p, const struct station *station)
{
	if (station->flags & STATION_STATIC)
		return STATION_REGISTERED;
	return ticks_passed(p->now, station->seen, HEARD_TICKS) ? 0 : STATION_HEARD;
}

/* To the station that has the destination MAC, if it is known where that is. */
static __always_inline int to_station(struct frame *f, struct packet *p)
{
	struct station_key key;
	struct station *station;

	station_key_set(&key, p->subnet_id, p->ethernet);
	station = table_lookup(stations, &key);
	if (station && (station_aged(p, station) || station_held(p, station)))
		station = NULL;
	if (!station) {
		p->object_id = p->subnet_id;
		if (p->subnet_flags & SUBNET_L2)
			return VERDICT_NEXT;
		return p->flags & PACKET_FROM_WIRE ? VERDICT_OVERHEARD : VERDICT_UNKNOWN_MAC;
	}
	p->object_id = station->port_id;
	if (station->port_id == p->port_id)
		return p->flags & PACKET_FROM_WIRE ? VERDICT_OVERHEARD : VERDICT_SAME_PORT;
	p->out_port_id = station->port_id;
	p->out_tunnel_id = station->tunnel_id;
	p->station = station_news(p, station);
	__builtin_memcpy(p->ethernet_out, p->ethernet, 12);
	note(f, NOTE_BRIDGE_STATION, station->port_id);
	return p->subnet_flags & SUBNET_DIRECT ? direct_out(f, p) : VERDICT_NEXT;
}

/* What the gateway routes. */
static __always_inline int to_router(const struct packet *p)
{
	if (p->flags & PACKET_IP)
		return VERDICT_NEXT;
	return p->kept_tag ? VERDICT_TAG_ROUTED : VERDICT_NOT_IP;
}

static __always_inline int is_learned_from(const struct packet *p)
{
	return (p->subnet_flags & (SUBNET_L2 | SUBNET_PASSTHRU)) == SUBNET_L2 &&
	       !p->reflected_port_id && !is_probe(p);
}

/*
 * p: guarded. VERDICT_NEXT with PACKET_ROUTED (for route.c), or with out_port_id (a station), or with
 * neither: to be flooded. Or a drop.
 */
int bridge(struct frame *f, struct packet *p)
{
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	if (p->flags & PACKET_NO_ETHERNET) {
		p->flags |= PACKET_ROUTED;
		return VERDICT_NEXT;
	}
	if (p->subnet_flags & SUBNET_DIRECT) {
		verdict = direct(f, p);
		if (verdict || (p->flags & PACKET_ROUTED))
			return verdict;
	}
	if (is_learned_from(p)) {
		verdict = learn(f, p);
		if (verdict)
			return verdict;
	}
	if (p->out_port_id)
		return VERDICT_NEXT;
	if (mac_equal(p->ethernet, p->gateway_mac)) {
		p->object_id = p->subnet_id;
		/* Each host is its own ports' gateway, and one is that of who else is on a wire. */
		if ((p->flags & PACKET_FROM_WIRE) && !(p->subnet_flags & SUBNET_WIRE_GATEWAY))
			return VERDICT_OVERHEARD;
		if ((p->flags & PACKET_FROM_PEER) && !(p->subnet_flags & SUBNET_ROUTES_ALL))
			return VERDICT_UNKNOWN_MAC;
		p->object_id = p->port_id;
		p->flags |= PACKET_ROUTED;
		if (p->ethertype == be16(ETHERTYPE_ARP))
			return VERDICT_CONSUMED; /* an answer: requests end in neighbour.c */
		return to_router(p);
	}
	if (p->ethernet[0] & 1) {
		p->object_id = p->port_id;
		if (p->subnet_flags & SUBNET_L2)
			return is_link_control(p->ethernet) ? VERDICT_LINK_CONTROL : VERDICT_NEXT;
		p->object_id = p->subnet_id;
		if (p->ethernet[0] != 0xff && (p->subnet_flags & SUBNET_MULTICAST) &&
		    (p->flags & PACKET_IP) && address_is_multicast(&p->key.destination))
			return VERDICT_NEXT;
		if (p->flags & PACKET_FROM_WIRE)
			return VERDICT_OVERHEARD;
		return p->ethernet[0] == 0xff ? VERDICT_BROADCAST : VERDICT_MULTICAST;
	}
	return to_station(f, p);
}
