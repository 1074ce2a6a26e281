/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wire: VLAN tags at the edges, and who has sent what comes in by a NIC.
 *
 * A subnet may be a segment of an Ethernet outside: all untagged frames of a NIC, or those of one VLAN
 * tag. The wire is a member of the subnet then, a port without checks, behind which stations are learned.
 * The child of a trunk port is a port like others. Inside the pipeline frames have no tag: it is taken off
 * at the way in (wire_take) and put on at the way out (wire_push); the priority in it is kept.
 *
 * Ports that are on other hosts are behind the same wire. What they send is theirs, by their MAC, and has been
 * asked for there; what another host's gateway has routed comes from a MAC of that host, for two hosts
 * with one MAC would make every switch between them learn it anew with each frame.
 *
 * Next: parse.c, flow.h, then pipeline.c or, of another host, arrive.c.
 */
#include "core/arp.h"
#include "core/checksum.h"
#include "core/packet.h"
#include "core/police.h"
#include "core/tags.h"

#define TAG_PRIORITY 0xf000u

/*
 * Whose is a frame that comes in by a device? p: of a port with children, the port. VERDICT_NEXT with the
 * frame untagged and p of its segment or child; VERDICT_NOT_OURS: nobody's, all is as it was.
 */
int wire_take(struct frame *f, struct packet *p, __u32 ifindex)
{
	struct wire_key key = {};
	struct wire *wire;
	int whole = 0;
	__u32 tag;

	if (!p)
		return VERDICT_INTERNAL;
	tag = frame_tag(f);
	key.ifindex = ifindex;
	/* VID 0 is a priority mark, not a VLAN (IEEE 802.1Q). */
	if (tag & TAG_ID) {
		key.type = (__u16)(tag >> 16);
		key.tag = tag & TAG_ID;
	}
	wire = table_lookup(wires, &key);
	if (!wire && key.type) {
		key.type = 0;
		key.tag = 0;
		wire = table_lookup(wires, &key);
		whole = wire && ((wire->flags & WIRE_WHOLE) || subnet_passes_tags(wire->subnet_id));
		if (!whole)
			wire = NULL;
	}
	if (!wire)
		return VERDICT_NOT_OURS;
	p->wire_flags = wire->flags;
	p->port_id = wire->port_id;
	p->port_slot = wire->port_slot;
	p->vpc_slot = wire->vpc_slot;
	p->object_id = wire->port_id;
	if (wire->flags & WIRE_RATED)
		p->flags |= PACKET_RATED;
	if (wire->flags & WIRE_WATCHED)
		p->flags |= PACKET_WATCHED;
	if (wire->flags & WIRE_NETWORK) {
		p->flags |= PACKET_FROM_WIRE;
		p->source_port_id = wire->port_id;
		p->source_subnet_id = wire->subnet_id;
		p->source_host_id = 0;
		p->source_tunnel_id = 0;
		p->source_flags = 0;
		note(f, NOTE_WIRE_FROM, wire->port_id);
	}
	if (whole || (wire->flags & (WIRE_WHOLE | WIRE_SHARED)))
		return VERDICT_NEXT;
	p->tag = tag;
	return tag && frame_tag_pop(f) ? VERDICT_INTERNAL : VERDICT_NEXT;
}

/* Routed by another host: from the owner of the address, as far as that is a port of another host. */
static __always_inline void routed_there(struct packet *p)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct subnet_key subnet_key = { .subnet_id = p->source_subnet_id };
	struct subnet *subnet = table_lookup(subnets, &subnet_key);
	struct vpc *vpc = table_lookup(vpcs, &slot);
	struct endpoint_key key = { .address = p->key.source };
	struct endpoint *endpoint;
	struct port_key port_key = {};
	struct port *port;

	if (!subnet || !vpc)
		return;
	p->flags |= PACKET_FROM_PEER;
	mac_copy(p->ethernet + 6, subnet->gateway_mac);
	key.vpc_id = vpc->vpc_id;
	endpoint = table_lookup(endpoints, &key);
	if (!endpoint || !endpoint->port_id)
		return;
	port_key.port_id = endpoint->port_id;
	port = table_lookup(ports, &port_key);
	if (!port || (port->kind != PORT_WIRE && port->kind != PORT_TUNNEL))
		return;
	p->port_id = endpoint->port_id;
	p->key.port_id = endpoint->port_id;
	p->port_slot = port->port_slot;
}

static __always_inline int is_l3(__u32 subnet_id)
{
	struct subnet_key key = { .subnet_id = subnet_id };
	struct subnet *subnet = table_lookup(subnets, &key);

	return subnet && !(subnet->flags & SUBNET_L2);
}

/* p: parsed, from a wire. VERDICT_NEXT, with PACKET_FROM_PEER and its port where another host of Weft's has
 * sent it; else it is from the wire itself. */
int wire_sender(struct frame *f, struct packet *p)
{
	struct station_key key = {};
	struct station *station;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	if (p->wire_flags & WIRE_LONE)
		return VERDICT_NEXT;
	key.subnet_id = p->source_subnet_id;
	mac_copy(key.mac, p->ethernet + 6);
	station = table_lookup(stations, &key);
	if (!station)
		return VERDICT_NEXT;
	if ((station->flags & STATION_ROUTER) && (p->flags & PACKET_IP)) {
		routed_there(p);
	} else if ((station->flags & STATION_ROUTER) && is_l3(p->source_subnet_id)) {
		p->flags |= PACKET_FROM_PEER; /* what it asks machines there, and answers them */
	} else if (station->flags & STATION_WIRE) {
		p->flags |= PACKET_FROM_PEER;
		p->port_id = station->port_id;
		p->key.port_id = station->port_id;
	}
	return VERDICT_NEXT;
}

/* tag: as p->out_tag. VERDICT_DELIVERED, or VERDICT_INTERNAL. */
static __always_inline int push_tag(struct frame *f, const struct packet *p, __u32 tag)
{
	const __u32 type = tag & OUT_TAG_8021AD ? ETHERTYPE_QINQ : ETHERTYPE_VLAN;

	if (!(tag & TAG_ID))
		return VERDICT_DELIVERED;
	return frame_tag_push(f, type << 16 | ((p->vlan | p->tag) & TAG_PRIORITY) | (tag & TAG_ID))
		       ? VERDICT_INTERNAL
		       : VERDICT_DELIVERED;
}

/*
 * The tag of the port it goes to, p->out_port_id. A priority mark that the sender has put there himself is
 * taken off first. A connection's row has the tag, and spares the port's. VERDICT_DELIVERED or the drop.
 */
int wire_push(struct frame *f, struct packet *p)
{
	struct port_key key = {};
	struct port *port;

	if (!p)
		return VERDICT_INTERNAL;
	key.port_id = p->out_port_id;
	p->object_id = p->out_port_id;
	if ((p->out_kind & OUT_TAG_KNOWN) && !p->vlan_count) {
		if (OUT_KIND(p->out_kind) == PORT_WIRE)
			note(f, NOTE_WIRE_TO, p->out_port_id);
		return push_tag(f, p, p->out_tag);
	}
	port = table_lookup(ports, &key);
	if (!port)
		return VERDICT_PORT_DOWN;
	if (port->kind == PORT_WIRE)
		note(f, port->flags & PORT_HOST_STACK ? NOTE_WIRE_STACK : NOTE_WIRE_TO,
		     p->out_port_id);
	if (p->vlan_count && !(port->flags & PORT_TAGS_KEPT)) {
		if (frame_tag_pop(f))
			return VERDICT_INTERNAL;
		p->l4_offset -= p->l3_offset - ETHERNET_SIZE;
		p->l3_offset = ETHERNET_SIZE;
		p->vlan_count = 0;
	}
	if ((port->flags & PORT_SHARED_MAC) && direct_translate(f, p))
		return VERDICT_INTERNAL;
	return push_tag(f, p, port_out_tag(port));
}

/* The frame has become an answer (PACKET_REPLY) and goes back with the tag that the question had. 0, or
 * negative; then PACKET_REPLY is off. */
int wire_reply(struct frame *f, struct packet *p)
{
	if (!p)
		return -1;
	if (!p->tag || !frame_tag_push(f, p->tag))
		return 0;
	p->flags &= ~(__u32)PACKET_REPLY;
	return -1;
}

/* ---- machines on the wire that are not Weft's, as the router finds them ---- */

/*
 * May a machine on the wire of an l3 subnet send from this address? Not from one of the VPC's own, nor from one
 * of another of its subnets. What is outside of the VPC may come by the wire. p: on its slow way. VERDICT_NEXT, or the
 * drop whose object is the owner.
 */
int wire_guard(struct frame *f, struct packet *p)
{
	struct subnet_key subnet_key = {};
	struct endpoint_key key = {};
	struct route_key route_key = { .prefix_length = 32 + 128 };
	struct endpoint *endpoint;
	struct subnet *subnet;
	struct route *found;
	__u32 family;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	key.vpc_id = p->vpc_id;
	key.address = p->key.source;
	endpoint = table_lookup(endpoints, &key);
	if (endpoint) {
		p->object_id = endpoint->port_id ? endpoint->port_id : endpoint->subnet_id;
		return VERDICT_SPOOFED_ADDRESS;
	}
	subnet_key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &subnet_key);
	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	if (address_is_unspecified(&p->key.source) || address_is_link_local(&p->key.source))
		return VERDICT_NEXT;
	family = p->flags & PACKET_IPV4 ? 0 : 1;
	if (subnet->prefix_length[family] &&
	    address_in(&p->key.source, &subnet->network[family], subnet->prefix_length[family]))
		return VERDICT_NEXT;
	route_key.table_id = subnet->route_table_id;
	route_key.address = p->key.source;
	found = table_lookup(routes, &route_key);
	if (!found || (found->kind != ROUTE_LOCAL && found->kind != ROUTE_WIRE))
		return VERDICT_NEXT;
	p->object_id = p->subnet_id;
	return VERDICT_SPOOFED_ADDRESS;
}

#define NEIGHBOUR_TICKS (300 * TICKS_PER_SECOND)
#define REFRESH_TICKS (240 * TICKS_PER_SECOND)
#define ASK_SIZE_MIN 60

/* A copy of the message wakes weftd, which has asked and holds packets until now. */
static __always_inline void wake(struct frame *f)
{
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared = table_lookup(state, &zero);

	if (shared && frame_device_there(f, (__u32)shared->punt_ifindex))
		frame_copy_to(f, (__u32)shared->punt_ifindex);
}

/* Connections are decided anew: they remember the MAC. Once a second at most, for two may use one address. */
static __always_inline void mac_changed(const struct packet *p, const struct wire_neighbour *known)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct vpc_moves *row;

	if (mac_equal(known->mac, p->port_mac) ||
	    !ticks_passed(p->now, known->seen, TICKS_PER_SECOND))
		return;
	row = table_lookup(vpc_moves, &slot);
	if (row)
		atomic_add(&row->moves, 1);
}

/*
 * A message of ARP or neighbour discovery has come by the wire. p: it says that the address `told` is at the
 * MAC in port_mac. Where that is no port's, the router knows from now on where it is. VERDICT_NEXT, or the
 * drop of a message about an address of the VPC's own.
 */
int wire_heard(struct frame *f, struct packet *p)
{
	struct wire_neighbour_key key = {};
	struct wire_neighbour row = {};
	struct endpoint_key endpoint_key = {};
	struct wire_neighbour *known;
	struct endpoint *endpoint;

	if (!p)
		return VERDICT_INTERNAL;
	if (address_is_unspecified(&p->told) || address_is_multicast(&p->told) ||
	    address_is_link_local(&p->told))
		return VERDICT_NEXT;
	endpoint_key.vpc_id = p->vpc_id;
	endpoint_key.address = p->told;
	endpoint = table_lookup(endpoints, &endpoint_key);
	if (endpoint) {
		p->object_id = endpoint->port_id ? endpoint->port_id : endpoint->subnet_id;
		return address_is_ipv4(&p->told) ? VERDICT_SPOOFED_ARP : VERDICT_SPOOFED_ND;
	}
	key.port_id = p->source_port_id;
	key.address = p->told;
	mac_copy(row.mac, p->port_mac);
	row.seen = p->now;
	known = table_lookup(wire_neighbours, &key);
	if (known && (known->flags & NEIGHBOUR_WANTED))
		row.flags = NEIGHBOUR_WANTED | NEIGHBOUR_ANSWERED;
	else if (known)
		mac_changed(p, known);
	table_put(wire_neighbours, &key, &row);
	if (row.flags)
		wake(f);
	return VERDICT_NEXT;
}

struct solicit {
	__u8 destination[6];
	__u8 source[6];
	__be16 ethertype;
	/* IPv6 */
	__be16 version[2];
	__be16 payload_length;
	__u8 next, hop_limit;
	__u8 from[16], to[16];
	/* ICMPv6 */
	__u8 type, code;
	__be16 checksum;
	__be16 reserved[2];
	__u8 target[16];
	__u8 option, option_length;
	__u8 source_mac[6];
};

/*
 * The same over IPv6 (RFC 4861, 4.3), from the link-local address of the MAC that this host's gateways send by.
 * It goes in front of the packet, whose place may be where an unfinished checksum is written; behind the
 * length that its header says nobody reads. What has come out of a tunnel may be one that the kernel does not cut:
 * of that nothing is left.
 */
static __always_inline int solicit(struct frame *f, struct packet *p, const struct port *wire)
{
	struct address from = {}, to = { .word = { be32(0xff020000), 0, be32(1), 0 } };
	__u32 low = host32(p->key.destination.word[3]) & 0xffffff, sum;
	int failed;
	struct solicit message = {
		.destination = { 0x33, 0x33, 0xff, (__u8)(low >> 16), (__u8)(low >> 8), (__u8)low },
		.ethertype = be16(ETHERTYPE_IPV6),
		.version = { be16(0x6000), 0 },
		.payload_length = be16(32),
		.next = PROTOCOL_ICMPV6,
		.hop_limit = 255,
		.type = 135,
		.option = 1,
		.option_length = 1,
	};

	to.word[3] = be32(0xff000000 | low);
	address_link_local(&from, wire->mac);
	mac_copy(message.source, wire->mac);
	mac_copy(message.source_mac, wire->mac);
	__builtin_memcpy(message.from, &from, 16);
	__builtin_memcpy(message.to, &to, 16);
	__builtin_memcpy(message.target, &p->key.destination, 16);
	sum = checksum_pseudo6(&from, &to, 32, PROTOCOL_ICMPV6);
	message.checksum = (__be16)~checksum_fold(checksum_add(sum, &message.type, 32));
	if (frame_resize(f, p->l4_offset + 18))
		failed = frame_renew(f, sizeof(message));
	else
		failed = (int)frame_push(f, sizeof(message));
	return failed || frame_store(f, 0, &message, sizeof(message));
}

/*
 * Asks who has p->key.destination, on a wire, in the place of the packet. As a probe (RFC 5227), from
 * no address: a question from the gateway's would tell the machine that the gateway is here, and to machines on
 * the wire it is at one host only. The frame stays as long as an unfinished checksum in it needs.
 */
static __always_inline int ask(struct frame *f, struct packet *p, const struct port *wire)
{
	struct arp_frame probe = ARP_FRAME(ARP_REQUEST);
	__u32 size = p->l4_offset + 18;

	__builtin_memset(probe.destination, 0xff, 6);
	mac_copy(probe.source, wire->mac);
	mac_copy(probe.sender_mac, wire->mac);
	__builtin_memcpy(probe.target, &p->key.destination.word[3], 4);
	if (frame_resize(f, size > ASK_SIZE_MIN ? size : ASK_SIZE_MIN) &&
	    frame_renew(f, ASK_SIZE_MIN))
		return -1;
	return (int)frame_store(f, 0, &probe, sizeof(probe));
}

/* In a function of its own, for the room that its messages take on the stack. p: out_port_id is the wire. */
OUT_OF_LINE void ask_on_wire(struct frame *f, struct packet *p, const struct port *wire)
{
	int failed = p->flags & PACKET_IPV4 ? ask(f, p, wire) : solicit(f, p, wire);

	if (!failed && wire_push(f, p) == VERDICT_DELIVERED)
		frame_copy_to(f, wire->ifindex);
}

/* For weftd: asks for p->key.destination on the wire p->out_port_id. p: parsed, out of a frame that is lost. */
int wire_ask(struct frame *f, struct packet *p)
{
	struct port_key key = {};
	struct port *wire;

	if (!p)
		return VERDICT_INTERNAL;
	key.port_id = p->out_port_id;
	p->object_id = p->out_port_id;
	wire = table_lookup(ports, &key);
	if (!wire || wire->kind != PORT_WIRE || !wire->ifindex)
		return VERDICT_PORT_DOWN;
	ask_on_wire(f, p, wire);
	return VERDICT_CONSUMED;
}

/* May the packet go to the machine that this row speaks of? While weftd lets those go that it has held, the
 * others wait behind them. */
static __always_inline int is_found(struct frame *f, const struct wire_neighbour *known)
{
	if (!(known->flags & NEIGHBOUR_WANTED))
		return 1;
	return (known->flags & NEIGHBOUR_ANSWERED) && frame_is_returned(f);
}

/*
 * To a machine on a wire, by the router. p: nobody in the VPC owns the destination. VERDICT_NEXT with
 * out_port_id and the machine's MAC in ethernet_out; VERDICT_HELD until it has answered; or the drop, and the
 * address is asked for. Where the host's routes say who is next, nothing is asked here.
 */
int wire_route(struct frame *f, struct packet *p, __u32 wire_id)
{
	struct wire_neighbour_key key = {};
	struct slot_key slot = {}, zero = { .slot = 0 };
	struct port_key port_key = {};
	struct wire_neighbour *known;
	struct datapath_state *shared;
	struct port_stats *stats;
	struct port *wire;
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	port_key.port_id = wire_id;
	wire = table_lookup(ports, &port_key);
	if (wire && (wire->flags & PORT_HOST_ROUTED)) {
		p->out_port_id = wire_id;
		return VERDICT_NEXT;
	}
	key.port_id = wire_id;
	key.address = p->key.destination;
	known = table_lookup(wire_neighbours, &key);
	if (known && ticks_passed(p->now, known->seen, NEIGHBOUR_TICKS))
		known = NULL;
	if (known && is_found(f, known)) {
		if (!(known->flags & NEIGHBOUR_TOLD) &&
		    ticks_passed(p->now, known->seen, REFRESH_TICKS)) {
			known->flags |= NEIGHBOUR_TOLD;
			hold_refresh(f, p, wire_id);
		}
		p->out_port_id = wire_id;
		mac_copy(p->ethernet_out, known->mac);
		return VERDICT_NEXT;
	}
	shared = table_lookup(state, &zero);
	if (!wire || !shared || !wire->ifindex)
		return VERDICT_NO_ENDPOINT;
	verdict = hold_packet(f, p, wire_id);
	if (verdict)
		return verdict;
	if (known && (known->flags & NEIGHBOUR_ANSWERED)) {
		p->out_port_id = wire_id; /* weftd has gone before it could say that all went on */
		mac_copy(p->ethernet_out, known->mac);
		return VERDICT_NEXT;
	}
	slot.slot = wire->port_slot;
	stats = table_lookup(port_stats, &slot);
	if (!stats || !bucket_take(&stats->icmp_tokens, (__u32)shared->icmp_rate, p->now))
		return VERDICT_RESOLVING;
	p->out_port_id = wire_id;
	ask_on_wire(f, p, wire);
	p->out_port_id = 0;
	p->object_id = wire_id;
	return VERDICT_RESOLVING;
}
