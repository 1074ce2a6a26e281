/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One packet on its way through the stages: what parse.c has read of it, what the stages decide.
 *
 * The struct lives on the stack of the entry program and every stage gets a pointer to it. Stages are
 * global functions that the verifier judges one by one, so nothing in here is a pointer. The frame
 * itself is touched through the verbs of target.h only.
 *
 * Neighbours: target.h (frame and table verbs), tables.h (rows), verdict.h (what stages return).
 */
#ifndef WEFT_CORE_PACKET_H
#define WEFT_CORE_PACKET_H

#include "target.h"

#include "core/tables.h"
#include "core/verdict.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_ARP 0x0806
#define ETHERTYPE_IPV6 0x86dd
#define ETHERTYPE_RARP 0x8035
#define ETHERTYPE_VLAN 0x8100
#define ETHERTYPE_QINQ 0x88a8

#define PROTOCOL_HOP_BY_HOP 0
#define PROTOCOL_ICMP 1
#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17
#define PROTOCOL_ROUTING 43
#define PROTOCOL_FRAGMENT 44
#define PROTOCOL_AUTHENTICATION 51
#define PROTOCOL_ICMPV6 58
#define PROTOCOL_NO_NEXT 59
#define PROTOCOL_DESTINATION_OPTIONS 60

#define TCP_FIN 0x01
#define TCP_SYN 0x02
#define TCP_RST 0x04
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_URG 0x20

#define ETHERNET_SIZE 14
#define EXTENSION_HEADERS_MAX 8
#define PACKET_HEADER_SIZE 128
#define KEPT_TAGS_MAX 2 /* that a frame may have on its way through a tunnel */

enum packet_flags {
	PACKET_NO_ETHERNET = 1 << 0, /* from a tun: the Ethernet header was put there by the edge */
	PACKET_IP = 1 << 1,
	PACKET_IPV4 = 1 << 2,
	PACKET_FRAGMENT_FIRST = 1 << 3, /* more follow, this one has the ports */
	PACKET_FRAGMENT_LATER = 1 << 4, /* no transport header in it */
	PACKET_ICMP_ERROR = 1 << 5,     /* inner is set */
	PACKET_ICMP_REQUEST = 1 << 6,   /* a query that is answered with the same identifier */
	PACKET_FLOW_KNOWN = 1 << 7,     /* a live row of this direction exists */
	PACKET_PEER_KNOWN = 1 << 8, /* the port it goes to has a live row of the other direction */
	PACKET_ROUTED = 1 << 9,     /* the route table decided, not the destination MAC */
	PACKET_ORIGINAL = 1 << 10,  /* direction of the first packet of its connection */
	PACKET_RULES_MOVED = 1 << 11,     /* known connection, but the rules are newer than it */
	PACKET_SOURCE_OWN = 1 << 12,      /* the source is an address of the port it came from */
	PACKET_DESTINATION_OWN = 1 << 13, /* the destination is one of the port it goes to */
	PACKET_ROW_MISSING = 1 << 17,     /* the hot path has found no row of this direction */
	PACKET_ROW_THERE = 1 << 15,       /* the table has a row of this direction, alive or not */
	PACKET_PEER_ROW_THERE = 1 << 16,  /* and one of the other */
	PACKET_PEER_TAKEN = 1 << 18, /* the other direction's row is a live one of another pair */
	PACKET_ENDED = 1 << 19,      /* this segment is the last word of its connection */
	PACKET_REPLY = 1 << 14,      /* the frame is now an answer to where it came from */
	PACKET_FROM_TUNNEL =
		1 << 20, /* it came through a tunnel; outer and sender fields are set */
	PACKET_FROM_PEER =
		1 << 21, /* from another Weft host: its rules of sending have been asked there */
	PACKET_TO_PEER = 1 << 22, /* to another Weft host: its rules of receiving are asked there */
	PACKET_END_MOVED = 1 << 24, /* its station is not known at the end that it came from */
	PACKET_PICKED_UP = 1 << 25, /* enters a TCP connection in the middle */
	PACKET_FROM_WIRE = 1 << 28, /* a NIC has handed it in, for a segment on its wire */
	PACKET_RATED = 1 << 29,     /* its sender has a row in port_rates */
	PACKET_WATCHED =
		1 << 30, /* watch.c looks at it: for its sender's sake, or a flood's member's */
	PACKET_TO_UNDERLAY = 1 << 23, /* the frame is an outer packet now, for tunnel out_ifindex */
	PACKET_WAS_SENT_ON = 1 << 26, /* by the host that the port it is for has come from */
	PACKET_SENDING_ON = 1 << 27,  /* to the host that the port it is for has gone to */
};

/* Who of a segment gets a flooded frame; tunnels and wires always do. */
enum flood_mode {
	FLOOD_ALL = 0,
	FLOOD_LISTENERS = 1, /* of the group it is sent to, and multicast routers */
	FLOOD_ROUTERS = 2,
	FLOOD_HOSTS = 4,  /* other hosts of Weft alone: what weftd asks */
	FLOOD_REPORT = 3, /* an IGMP or MLD message, which is to be read first (membership.c) */
};

/* What bridge.c knows of the station that a frame goes to. */
enum station_news {
	STATION_REGISTERED = 1, /* the MAC is the port's own */
	STATION_HEARD = 2,      /* it was learned, and heard of lately */
};

/* What the first packet of a connection says of its reply (flow.c). */
enum reply_way {
	REPLY_ASKS = 0,   /* it has to find its own way */
	REPLY_SETTLED,    /* back by the same two MACs, to the sender's device */
	REPLY_BY_GATEWAY, /* the same, but that it comes with its gateway's MAC */
};

/* A copy of a mirror, on its way to who gets it (mirror.c). */
enum copy_flags {
	COPY = 1 << 0,
	COPY_CUT = 1 << 1, /* it is shorter than what it is of */
	COPY_TO = 1 << 2,  /* of what the port gets; else of what it sends */
};

/* What membership.c is at in a report. */
struct membership_walk {
	struct address group;
	__u32 listener_id; /* the port that the message has come by */
	__u32 offset, end; /* of what is not read yet, in the frame */
	__u32 records;     /* not begun yet */
	__u32 sources;     /* of the record that is being read, still to come */
	__u32 epoch;       /* that they get */
	__u32 auxiliary;   /* bytes behind them */
	__u8 type;         /* of the record */
	__u8 alone;        /* one stack is behind the port: what it says is all there is */
	__u8 ignored;      /* the sources say nothing */
	__u8 overflow;     /* more sources than are remembered */
};

/* What multicast_route.c keeps of the frame as it came, while it is in other subnets. */
struct multicast_walk {
	__u32 subnet_id;
	__u32 subnet_flags;
	__u32 unresolved_tunnel_id;
	__u8 source[6];
	__u8 gateway[6]; /* that the copy to unresolved_tunnel_id comes from */
};

struct packet {
	/* where it came in; set by the edge */
	__u32 port_id;
	__u32 port_slot;
	__u32 vpc_slot;
	__u32 flags; /* enum packet_flags */

	/* what it is; set by parse */
	struct flow_key key;
	__u8 ethernet[12]; /* destination and source MAC */
	__be16 ethertype;  /* behind VLAN tags */
	__u16 vlan;        /* outermost tag control information, 0: none */
	__u16 vlan_count;
	__u16 l3_offset;
	__u16 l4_offset;
	__u8 tcp_flags;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 l4_protocol;       /* of this packet; key.protocol is the same */
	__u8 fragment_protocol; /* next header behind the fragment header: the same in all fragments */
	__u8 service;           /* DSCP and ECN */
	__u8 ttl;
	__u8 outer_ttl; /* with PACKET_FROM_TUNNEL: as it came */
	__u8 station; /* enum station_news of whom it goes to; 0: of no station that says so much */
	__u8 reply_plain; /* enum reply_way: its reply's row can be written as settled */
	__u32 ip_length;  /* IP header and payload, bytes */
	__u32 packet_length; /* of one packet on the wire: of a segment, where the frame is a GSO one */
	__u32 frame_length;
	__u32 fragment_id;
	struct flow_key inner; /* ICMP error: the packet it speaks of, as it was sent */

	/* about the sender's port; set by the pipeline on a miss */
	__u32 vpc_id;
	__u32 generation;
	__u32 subnet_id;
	__u32 subnet_flags;
	__u32 port_flags;
	__u32 group_set_id;
	__u32 flow_limit;
	__u32 flow_guarantee;
	__u32 in_ifindex; /* of its device, its kind and MTU: the way back */
	__u32 in_kind;
	__u32 in_tag; /* as out_tag */
	__u32 in_mtu;
	__u8 port_mac[6];
	__u8 gateway_mac[6];
	__u32 now; /* tick */

	/* what was decided */
	__u32 object_id; /* of the verdict */
	__u32 out_port_id;
	__u32 out_slot;
	__u32 out_ifindex;
	__u32 out_kind; /* enum port_kind, OUT_ flags */
	__u32 out_tag;  /* with OUT_TAG_KNOWN: VID, OUT_TAG_8021AD */
	__u32 out_mtu;
	__u32 out_subnet_id;
	__u32 out_group_set_id;
	__u32 egress_rule_id;
	__u32 ingress_rule_id;
	__u8 ethernet_out[12];
	__u32 flood_takers;         /* members that a flooded frame is for */
	__u32 unresolved_tunnel_id; /* of them, one that the edge could send no copy to, for now */
	__u32 out_tunnel_id;        /* of a station behind a peer: the way there in its segment */
	__u32 out_flags;            /* enum port_flags of the port it goes to */
	__u32 tag; /* that it came with, taken off: type << 16 | control information; 0: none */
	__u32 flood_mode;    /* enum flood_mode */
	__u32 flood_route;   /* it may go to listeners in other subnets (multicast_route.c) */
	__u32 unattended;    /* weftd has not asked: what was heard of listeners does not age */
	__u32 watch_port_id; /* of a flood's members that are watched, one */
	__u32 watch_size;    /* bytes that the watches which took it want */
	__u64 watches;       /* that have taken the frame as it came, to tell the verdict */
	__u64 watches_to;    /* of members of a flood */
	__u64 watches_left;  /* while they are gone through */
	__u32 wire_flags;    /* enum wire_flags of the NIC that it came in by */
	/* A port of this host that has sent it: a switch outside has reflected it (direct.c); 0: none. */
	__u32 reflected_port_id;
	__u32 copy;     /* enum copy_flags: a mirror's; 0: none */
	__u32 copy_tag; /* that it had: type << 16 | control information; 0: none */
	/* An opaque frame (tags.h): its outermost tag, as copy_tag; 0: it is none. */
	__u32 kept_tag;
	__u32 kept_count; /* of its tags; more than KEPT_TAGS_MAX are not counted */
	__u32 kept_flags; /* enum packet_flags of the packet inside, as far as one could be read */

	/*
	 * Tunnels. From here on nothing is cleared before a packet (PACKET_CLEARED): with
	 * PACKET_FROM_TUNNEL tunnel_parse has set these, the header is written before it is read.
	 */
	struct address outer_source;
	struct address outer_destination;
	__u32 segment;    /* VNI, VSID, GRE key */
	__u32 outer_size; /* from the outer IP header to the inner packet, inner Ethernet included */
	__u32 outer_length; /* of the outer packet, bytes */
	__u32 outer_sum;    /* of the bytes under its checksum, folded */
	__u32 sequence;
	__u32 source_flags;     /* enum tunnel_source_flags */
	__u32 source_host_id;   /* of the sending host; 0: a tunnel object's other end */
	__u32 source_port_id;   /* the peer, or the tunnel object */
	__u32 source_tunnel_id; /* the way back */
	__u32 source_subnet_id; /* the segment; 0: a tunnel that routes */
	__be16 outer_port;      /* UDP destination port, 0: none */
	__be16 outer_ethertype;
	__be16 inner_ethertype; /* 0: an Ethernet frame is inside */
	__u16 outer_checksum_offset; /* where a sum over the rest begins: UDP or GRE with a checksum; 0 */
	__u8 outer_kind;             /* enum tunnel_kind */
	__u8 outer_has_id;
	__u8 outer_service;
	__u8 outer_marks; /* enum outer_marks */
	struct membership_walk membership;
	struct address told; /* that a machine on a wire says it has (wire_heard) */
	struct multicast_walk routing;
	__u32 tags[KEPT_TAGS_MAX]; /* with kept_tag: taken off, for a tunnel */
	__u8 header[PACKET_HEADER_SIZE]
		__attribute__((aligned(8))); /* bytes on their way into or out of the frame */
};

/* So much of a packet must be zero before it enters the pipeline. */
#define PACKET_CLEARED __builtin_offsetof(struct packet, outer_source)

#define IPV4_MAPPED be32(0x0000ffff)

static inline int address_is_ipv4(const struct address *a)
{
	return !a->word[0] && !a->word[1] && a->word[2] == IPV4_MAPPED;
}

static inline int address_equal(const struct address *a, const struct address *b)
{
	return a->word[0] == b->word[0] && a->word[1] == b->word[1] && a->word[2] == b->word[2] &&
	       a->word[3] == b->word[3];
}

static inline int address_is_zero(const struct address *a)
{
	return !a->word[0] && !a->word[1] && !a->word[2] && !a->word[3];
}

/* 0.0.0.0 or :: */
static inline int address_is_unspecified(const struct address *a)
{
	return !a->word[0] && !a->word[1] && !a->word[3] &&
	       (!a->word[2] || a->word[2] == IPV4_MAPPED);
}

static inline int address_is_multicast(const struct address *a)
{
	if (address_is_ipv4(a))
		return (a->word[3] & be32(0xf0000000)) == be32(0xe0000000);
	return (a->word[0] & be32(0xff000000)) == be32(0xff000000);
}

/* 127.0.0.0/8 or ::1 */
static inline int address_is_loopback(const struct address *a)
{
	if (address_is_ipv4(a))
		return (a->word[3] & be32(0xff000000)) == be32(0x7f000000);
	return !a->word[0] && !a->word[1] && !a->word[2] && a->word[3] == be32(1);
}

/* fe80::/64 */
static inline int address_is_link_local(const struct address *a)
{
	return a->word[0] == be32(0xfe800000) && !a->word[1];
}

/* The link-local address that an interface with this MAC gives itself (RFC 4291, appendix A). */
static inline void address_link_local(struct address *a, const __u8 *mac)
{
	a->word[0] = be32(0xfe800000);
	a->word[1] = 0;
	a->word[2] =
		be32((__u32)(mac[0] ^ 2) << 24 | (__u32)mac[1] << 16 | (__u32)mac[2] << 8 | 0xff);
	a->word[3] = be32(0xfe000000 | (__u32)mac[3] << 16 | (__u32)mac[4] << 8 | mac[5]);
}

static inline int mac_equal(const __u8 *a, const __u8 *b)
{
	return !((a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (a[4] ^ b[4]) |
		 (a[5] ^ b[5]));
}

static inline void mac_copy(__u8 *to, const __u8 *from)
{
	to[0] = from[0];
	to[1] = from[1];
	to[2] = from[2];
	to[3] = from[3];
	to[4] = from[4];
	to[5] = from[5];
}

/* The same connection seen from the port at the other end. */
static inline void flow_key_reverse(const struct flow_key *key, __u32 port_id, struct flow_key *to)
{
	to->port_id = port_id;
	to->source = key->destination;
	to->destination = key->source;
	to->source_port = key->destination_port;
	to->destination_port = key->source_port;
	to->protocol = key->protocol;
	to->pad[0] = to->pad[1] = to->pad[2] = 0;
}

/* The number that a connection's row must carry to be settled. */
static inline __u32 generation_now(__u32 vpc_slot, const struct vpc *vpc)
{
	struct slot_key slot = { .slot = vpc_slot };
	struct vpc_moves *row = table_lookup(vpc_moves, &slot);

	return vpc->generation + (row ? (__u32)row->moves : 0);
}

/* Is an address in a prefix of the 128-bit space? */
static inline int address_in(const struct address *address, const struct address *network,
			     __u32 length)
{
	for (__u32 i = 0; i < 4; i++) {
		__u32 bits = length > i * 32 ? length - i * 32 : 0;
		__u32 mask = bits >= 32 ? 0xffffffff : ~(0xffffffffu >> bits);

		if ((address->word[i] ^ network->word[i]) & be32(mask))
			return 0;
	}
	return 1;
}

/* Is it one of the extra addresses a port may use? A row of another port id (0) shadows a shorter prefix:
 * an allowed ::/0 is no IPv4 address. */
static inline int port_allows(__u32 port_id, const struct address *address)
{
	struct allowed_key key = {
		.prefix_length = 32 + 128,
		.port_id = port_id,
		.address = *address,
	};
	struct allowed *row = table_lookup(allowed_sources, &key);

	return row && row->port_id == port_id;
}

/* More than limit ticks since `since`? The clocks of two CPUs may differ by a tick: signed. */
static inline int ticks_passed(__u32 now, __u32 since, __u32 limit)
{
	return (__s32)(now - since) > (__s32)limit;
}

/*
 * Has the port moved a moment ago? Unsigned: what was left in the row long ago is not to come. A second for
 * clocks that differ.
 */
static inline int port_moved_lately(const struct port *port, __u32 now)
{
	return port->moved_until && port->moved_until - now - 1 < MOVED_TICKS + TICKS_PER_SECOND;
}

/* May packets of the port, or for it, come from this host, though it is not there by its row? */
static inline int port_may_be_at(const struct port *port, __u32 host_id, __u32 now)
{
	return host_id && port->other_host_id == host_id &&
	       (!port->moved_until || port_moved_lately(port, now));
}

/* Is it a port of this other host, whichever way its segment leads there? */
static inline int port_is_at(const struct port *port, __u32 host_id)
{
	return (port->kind == PORT_TUNNEL || port->kind == PORT_WIRE) && port->host_id == host_id;
}

/*
 * Has the one host that routes the VPC routed it into this segment (central.c)? Then it is of that host's peer,
 * whoever has sent it. p: gateway_mac is the segment's.
 */
static inline int is_from_router(const struct packet *p)
{
	return (p->flags & PACKET_FROM_TUNNEL) && (p->source_flags & TUNNEL_SOURCE_ROUTER) &&
	       p->port_id == p->source_port_id && mac_equal(p->ethernet + 6, p->gateway_mac);
}

/* Is this host that one, and has another host brought it the packet to be routed? */
static inline int is_brought_here(const struct packet *p)
{
	return (p->flags & PACKET_ROUTED) && (p->subnet_flags & SUBNET_ROUTES_ALL) &&
	       mac_equal(p->ethernet, p->gateway_mac);
}

/* Is the port held, for a loop goes through it (loop.c)? */
static inline int port_stats_held(const struct port_stats *stats, __u32 now)
{
	__u64 until = stats->held_until;

	return until && !ticks_passed(now, (__u32)until, 0);
}

/* Verdicts that end a packet's life: all from the first class DROP on. */
static inline int verdict_is_drop(int verdict)
{
	return verdict >= VERDICT_TRUNCATED;
}

/* What a connection's way out says of a port. */
static inline __u32 port_out_kind(const struct port *port)
{
	return port->kind | (port->flags & PORT_WATCHED ? OUT_WATCHED : 0) |
	       (port->flags & PORT_SHAPED ? OUT_SHAPED : 0) |
	       ((port->flags & (PORT_HOST_ROUTED | PORT_HOST_STACK)) == PORT_HOST_ROUTED
			? OUT_HOST_ROUTED
			: 0) |
	       (port->kind >= PORT_WIRE && !(port->flags & PORT_SHARED_MAC) ? OUT_TAG_KNOWN : 0);
}

static inline __u32 port_out_tag(const struct port *port)
{
	return port->tag | (port->flags & PORT_TAG_8021AD ? OUT_TAG_8021AD : 0);
}

/*
 * The stages. Each returns VERDICT_NEXT to go on, or what became of the packet; then p->object_id names
 * who decided. Contracts stand above the definitions.
 */
int parse(struct frame *f, struct packet *p);
int fragment(struct frame *f, struct packet *p);
int fragment_learn(struct frame *f, struct packet *p);
int guard(struct frame *f, struct packet *p);
int guard_routed(struct frame *f, struct packet *p);
int service(struct frame *f, struct packet *p);
int service_answer(struct frame *f, struct packet *p);
int punt(struct frame *f, struct packet *p);
int punt_return(struct frame *f, struct packet *p);
int loop(struct frame *f, struct packet *p);
int neighbour(struct frame *f, struct packet *p);
int bridge(struct frame *f, struct packet *p);
int bridge_flood_limit(struct frame *f, struct packet *p);
int bridge_flood(struct frame *f, struct packet *p);
int bridge_lost(const struct packet *p);
int multicast(struct frame *f, struct packet *p);
int multicast_route(struct frame *f, struct packet *p, int verdict);
int multicast_frame(struct frame *f, struct packet *p);
int membership(struct frame *f, struct packet *p);
int membership_records(struct frame *f, struct packet *p);
int multicast_wanted(struct frame *f, struct packet *p);
int multicast_segment_limit(struct frame *f, struct packet *p);
int route(struct frame *f, struct packet *p);
int central_carry(struct frame *f, struct packet *p);
int central_hop(struct frame *f, struct packet *p);
int central_push(struct frame *f, struct packet *p);
int deliver(struct frame *f, struct packet *p);
int deliver_fits(struct frame *f, struct packet *p);
int policy(struct frame *f, struct packet *p);
int policy_flood(struct frame *f, struct packet *p);
int policy_between(struct frame *f, struct packet *p);
int flow_find(struct frame *f, struct packet *p);
int flow_write(struct frame *f, struct packet *p);
int way_keep(struct packet *p, const struct flow *row);
int way_take(struct frame *f, struct packet *p);
int icmp_echo_reply(struct frame *f, struct packet *p);
int icmp_too_big(struct frame *f, struct packet *p);
int icmp_expired(struct frame *f, struct packet *p);
int pipeline_miss(struct frame *f, struct packet *p);
int pipeline_judge(struct frame *f, struct packet *p);
int pipeline_arrive(struct frame *f, struct packet *p);
int arrive_guard(struct frame *f, struct packet *p);
int arrive_local(struct frame *f, struct packet *p);
int tunnel_parse(struct frame *f, struct packet *p);
int tunnel_find(struct frame *f, struct packet *p);
int tunnel_pop(struct frame *f, struct packet *p);
int tunnel_inner(struct frame *f, struct packet *p);
int tunnel_push(struct frame *f, struct packet *p);
int tunnel_unpush(struct frame *f, struct packet *p);
int tunnel_reply(struct frame *f, struct packet *p);
int wire_take(struct frame *f, struct packet *p, __u32 ifindex);
int wire_sender(struct frame *f, struct packet *p);
int wire_push(struct frame *f, struct packet *p);
int wire_reply(struct frame *f, struct packet *p);
int rate_from(struct frame *f, struct packet *p);
int wire_guard(struct frame *f, struct packet *p);
int wire_heard(struct frame *f, struct packet *p);
int wire_route(struct frame *f, struct packet *p, __u32 wire_id);
int wire_ask(struct frame *f, struct packet *p);
int hold_packet(struct frame *f, struct packet *p, __u32 wire_id);
int hold_refresh(struct frame *f, struct packet *p, __u32 wire_id);
int hold_return(struct frame *f, struct packet *p);
int direct(struct frame *f, struct packet *p);
int direct_out(struct frame *f, struct packet *p);
int direct_claims(struct frame *f, struct packet *p);
int direct_translate(struct frame *f, struct packet *p);
int watch_from(struct frame *f, struct packet *p);
int watch_end(struct frame *f, struct packet *p, int verdict);
int mirror_send(struct frame *f, struct packet *p, __u32 mark);
int mirror_sent(const struct packet *p);
int mirror_lost(const struct packet *p);
int flow_log_reject(struct frame *f, struct packet *p, int verdict);

#endif
