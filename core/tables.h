/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of the datapath: every key and value that the packet pipeline reads or writes.
 *
 * One list, WEFT_TABLES, names each table with its kind, its types and its room. The BPF target makes
 * maps of it, the native target makes in-memory tables or reads the live maps, the daemon's planner
 * (model/plan.c) fills the rows. Whoever changes a struct here raises WEFT_LAYOUT, which is part of
 * the path the maps are pinned under, and says in datapath/kernel.c how old rows are copied.
 *
 * Conventions: addresses are 128-bit, IPv4 mapped (::ffff:a.b.c.d), in network byte order; ports and
 * ICMP identifiers (__be16) in network byte order; everything else in host order. Time is in ticks of
 * 2^20 ns (about a millisecond) of the monotonic clock, 32 bits wide, compared by signed difference.
 * Ids are those of the objects (never used twice); slots are small numbers local to this host that
 * index arrays and are used again. Padding is explicit and zero, for keys are compared as bytes.
 */
#ifndef WEFT_CORE_TABLES_H
#define WEFT_CORE_TABLES_H

#include <linux/types.h>

#define WEFT_LAYOUT 3

#define TICKS_PER_SECOND 954 /* 10^9 / 2^20, rounded up */

/* An IPv6 address, or an IPv4 one as ::ffff:a.b.c.d. Network byte order. */
struct address {
	__be32 word[4];
};

#include "core/tables_watch.h"

/* ---- where packets come in ---- */

/*
 * Devices with an ifindex below ATTACHMENTS_NEAR are rows of an array (attachments), for the look-up is
 * on every packet's way; later ones, of a host that has made very many devices, are in a hash
 * (attachments_far). In the array port_id 0 says that there is none.
 */
#define ATTACHMENTS_NEAR 16384

struct attachment_key {
	__u32 ifindex;
};

enum attachment_flags {
	ATTACHMENT_NO_ETHERNET = 1 << 0, /* a tun device: frames begin at the IP header */
	ATTACHMENT_TRUNK = 1 << 1,       /* tagged frames are of other ports (wires) */
	ATTACHMENT_SHARED = 1 << 2, /* the host goes on using the device: its rows are in wires */
	ATTACHMENT_ONE_PACKET =
		1 << 3, /* frames of several packets are taken apart before (edge.h) */
	ATTACHMENT_ONE_PACKET_ALL = 1 << 4, /* and small ones go that way with them, in order */
	ATTACHMENT_WATCHED = 1 << 16,       /* has a row in port_watches */
	ATTACHMENT_RATED = 1 << 17,         /* has a row in port_rates */
};

/* What the hot path must know of the device a packet came from. */
struct attachment {
	__u32 port_id;
	__u32 port_slot; /* index into port_stats */
	__u32 vpc_slot;  /* index into vpcs and vpc_stats */
	__u32 flags;     /* enum attachment_flags */
};

enum port_kind {
	PORT_UNPLUGGED = 0, /* waiting: its device or namespace does not exist */
	PORT_VETH = 1,      /* ifindex is the host's end; delivered by redirect_peer */
	PORT_TAP = 2,
	PORT_TUN = 3,
	PORT_TUNNEL = 4, /* behind a tunnel: of another host, or a tunnel object of this one */
	PORT_LINK = 5,   /* a device of the host that leads to another switch */
	PORT_WIRE = 6,   /* behind a NIC of this host: the wire itself, or a port of another host */
	PORT_CHILD = 7,  /* behind the device of another port, told apart by a VLAN tag */
};

/*
 * Beside the kind in a connection's way out (out_kind): what is delivered there is looked at (watch.c).
 * The port's row has it as a flag. So the hot path asks nothing that it would not ask anyway.
 */
#define OUT_WATCHED 0x80u
#define OUT_SHAPED 0x40u /* through the queue of its device on the host, which may ask who sends */
#define OUT_HOST_ROUTED 0x20u /* by the device's next hop, as the host's routes say */
#define OUT_HOP                                                                                    \
	0x10u /* routed here, by the one host that routes: the TTL is one less (central.c) */
#define OUT_KIND(out_kind) ((out_kind)&0x17u) /* with OUT_HOP, which is more than all kinds */
#define OUT_TAG_KNOWN                                                                              \
	0x08u /* kinds PORT_WIRE, PORT_CHILD: all that is left to do is said by out_tag */
#define OUT_TAG_8021AD 0x8000u /* in out_tag, beside the VID; 0: no tag */

/*
 * A peer is another host as a VPC sees it. It has a row in ports of its own, with a number from here on
 * (ids of objects stay below), for packets of that host whose source is nobody's registered address.
 */
#define PEER_ID_FIRST 0x80000000u

enum port_flags {
	PORT_CHECK_SOURCE = 1 << 0,    /* V7, V26: only its own addresses, both ways */
	PORT_CHECK_MAC = 1 << 1,       /* V7: only its own MAC */
	PORT_EXTRA_ADDRESSES = 1 << 2, /* has rows in allowed_sources */
	PORT_UNFILTERED =
		1 << 3, /* a tunnel or link without security groups: rules say nothing of it */
	PORT_MOVED_AWAY = 1 << 8,  /* it was here until lately: what still comes is sent on */
	PORT_TAG_8021AD = 1 << 4,  /* tag is an 802.1ad one */
	PORT_TAGS_KEPT = 1 << 5,   /* a wire that one port has: tags are that port's affair */
	PORT_SHARED_MAC = 1 << 6,  /* a wire, or who is behind it: SUBNET_SHARED_MAC */
	PORT_HOST_ROUTED = 1 << 7, /* likewise */
	PORT_WATCHED = 1 << 16,    /* has a row in port_watches */
	PORT_SHAPED = 1 << 17,     /* the queue of its device holds what goes there to a rate */
	PORT_HOST_STACK =
		1 << 21,       /* with PORT_HOST_ROUTED: to the host's own stack, not by a NIC */
	PORT_LOGGED = 1 << 20, /* it has a flow log */
};

struct port_key {
	__u32 port_id;
};

struct port {
	__u32 vpc_id;
	__u32 vpc_slot;
	__u32 port_slot;
	__u32 subnet_id;
	__u32 ifindex; /* of the device on the host; 0 while unplugged */
	__u32 kind;    /* enum port_kind */
	__u32 flags;   /* enum port_flags */
	__u32 mtu;     /* largest IP packet the workload's device takes, bytes */
	__u32 group_set_id;
	__u32 flow_limit;     /* connections this port may have begun at one time */
	__u32 flow_guarantee; /* of these, so many are never refused for want of room in the table */
	__u8 mac[6];          /* of a wire: what this host's gateways, or all ports, send by */
	__u16 tag;            /* kinds PORT_WIRE, PORT_CHILD: VID that its frames have; 0: none */
	__u32 host_id;        /* of the host it is on */
	/* Kind PORT_TUNNEL: row of tunnels that leads there; 0: none. Kind PORT_WIRE, of a port of another
	 * host: the wire's own row of ports. */
	__u32 tunnel_id;
	/*
	 * It has moved from another host, lately: until this tick that host sends on what still comes for
	 * it (deliver.c), and here its TCP connections, of which only that host has rows, are picked up in
	 * the middle (flow.c). 0: it has not.
	 */
	__u32 moved_until;
	/* Where else it may be as far as packets tell: until moved_until the host it came from; with
	 * moved_until 0 the one that it is about to move to. 0: nowhere else. */
	__u32 other_host_id;
};

#define MOVED_TICKS (60 * TICKS_PER_SECOND)

/* ---- segments and tenants ---- */

enum subnet_flags {
	SUBNET_L2 = 1 << 0,           /* an Ethernet switch: V1-V10 are off as a set */
	SUBNET_DHCP4 = 1 << 1,        /* weftd answers DHCP */
	SUBNET_DHCP6 = 1 << 2,        /* and DHCPv6 */
	SUBNET_ROUTER = 1 << 3,       /* and router solicitations */
	SUBNET_WIRE_GATEWAY = 1 << 4, /* its gateway answers on the wire, by this host */
	SUBNET_WIRE = 1 << 5,         /* machines that nobody registered are on its wire */
	/* One host routes all of the VPC (central.c): another one, or this one. */
	SUBNET_ROUTED_AWAY = 1 << 6,
	SUBNET_ROUTES_ALL = 1 << 7,
	SUBNET_SNOOP = 1 << 8,      /* l2: multicast goes to its listeners alone */
	SUBNET_PROVE = 1 << 9,      /* weftd hears which addresses ports detect no duplicate of */
	SUBNET_MULTICAST = 1 << 10, /* multicast is routed between it and others of the VPC */
	SUBNET_TAGS = 1 << 11,      /* l2: VLAN tags are the workloads' own affair (tags.h) */
	/* Direct attachment to a NIC (direct.c). */
	SUBNET_PRIVATE = 1 << 16,     /* its ports do not hear one another */
	SUBNET_VEPA = 1 << 17,        /* they do by the switch outside alone, which reflects */
	SUBNET_PASSTHRU = 1 << 18,    /* one port has all of the wire */
	SUBNET_SHARED_MAC = 1 << 19,  /* on the wire its ports have the NIC's MAC */
	SUBNET_HOST_ROUTED = 1 << 20, /* and what is not theirs goes by the host's routes */
};

struct subnet_key {
	__u32 subnet_id;
};

struct subnet {
	__u32 vpc_id;
	__u32 flags; /* enum subnet_flags */
	__u32 route_table_id;
	__u32 acl_ingress;         /* classifier of what enters the subnet; 0: all passes */
	__u32 acl_egress;          /* classifier of what leaves the subnet; 0: all passes */
	__u32 acl_id;              /* the ACL object, named when its final deny decides */
	struct address network[2]; /* first address of the v4 and of the v6 CIDR */
	struct address gateway[2]; /* v4, v6; all zero: none */
	__u8 prefix_length[2];     /* of network[], in the 128-bit space; 0: the family is absent */
	__u8 gateway_mac[6];
	__u32 flood_count;        /* members in the flood list (l2) */
	__u32 flood_rate;         /* frames a port may flood per second (l2); 0: no limit */
	__u32 station_limit;      /* addresses learned on one port (l2) */
	__u32 station_ageing;     /* ticks after which a learned address is forgotten (l2) */
	__u32 remote_flood_count; /* of the flood list, so many at its end are behind tunnels */
	__u32 segment_flood_rate; /* frames all ports may flood per second (l2); 0: no limit */
	__u32 group_ageing;       /* ticks after which a listener is forgotten (SUBNET_SNOOP) */
	__u32 wire_port_id;       /* its wire's row of ports; 0: none here */
	__u32 direct_port_id;     /* SUBNET_PASSTHRU: who has the wire; 0: nobody yet */
	/* SUBNET_ROUTED_AWAY: */
	__u32 router_host_id;   /* object; named when nothing leads there */
	__u32 router_port_id;   /* the peer; 0: no way there is known */
	__u32 router_tunnel_id; /* the way there in this segment */
};

/* What has a look at each frame besides the switch (direct.c). */
#define SUBNET_DIRECT                                                                              \
	(SUBNET_PRIVATE | SUBNET_VEPA | SUBNET_PASSTHRU | SUBNET_SHARED_MAC | SUBNET_HOST_ROUTED)

/* What the ports of an l2 subnet have flooded together. */
struct segment_state {
	__u64 flood_tokens; /* as in port_stats */
};

#include "core/tables_multicast.h"

enum vpc_flags {
	VPC_CUT = 1 << 0, /* established: cut - connections are judged again by new rules */
};

enum flow_timeout {
	TIMEOUT_TCP_OPENING = 0, /* SYN seen, not yet acknowledged from both sides */
	TIMEOUT_TCP_ESTABLISHED = 1,
	TIMEOUT_TCP_CLOSING = 2, /* one FIN seen */
	TIMEOUT_TCP_CLOSED = 3,  /* both FIN or a RST seen */
	TIMEOUT_UDP_UNREPLIED = 4,
	TIMEOUT_UDP_REPLIED = 5,
	TIMEOUT_ICMP = 6,
	TIMEOUT_OTHER = 7,
	TIMEOUTS = 8,
};

/*
 * Array by vpc slot. generation moves with every change that may alter what a live connection gets. It is
 * the daemon's alone; what the pipeline sees by itself (a MAC that moved) it counts in vpc_moves, and
 * the sum of both is what connections are compared with.
 */
struct vpc {
	__u32 vpc_id;
	__u32 generation;
	__u32 flags;             /* enum vpc_flags */
	__u32 flow_limit;        /* connections of the whole VPC */
	__u32 timeout[TIMEOUTS]; /* ticks, by enum flow_timeout */
};

/* ---- who has which address ---- */

struct endpoint_key {
	__u32 vpc_id;
	struct address address;
};

struct endpoint {
	__u32 port_id; /* 0: the gateway address of subnet_id (mac is the gateway's) */
	__u32 subnet_id;
	__u32 group_set_id;
	__u8 mac[6];
	__u16 pad;
};

struct station_key {
	__u32 subnet_id;
	__u8 mac[6];
	__u16 pad;
};

enum station_flags {
	STATION_STATIC = 1 << 0, /* the control plane's: never aged, never moved */
	STATION_WIRE = 1 << 1,   /* behind the wire: a port of another host */
	STATION_ROUTER = 1 << 2, /* behind the wire: what another host's gateways send by */
};

/* Where a MAC is: static rows for ports, learned ones in l2 subnets. */
struct station {
	__u32 port_id;
	__u32 flags;    /* enum station_flags */
	__u32 seen;     /* tick of the last frame from it */
	__u32 moved_at; /* tick of the last move */
	__u32 moves;    /* moves in the running window */
	/*
	 * Learned behind a peer: the way there in this segment (tunnel_source.tunnel_id of the
	 * frame), for a peer's own row in ports stands for all segments. Static rows: 0.
	 */
	__u32 tunnel_id;
};

struct allowed_key {
	__u32 prefix_length; /* 32 + that of the address */
	__u32 port_id;
	struct address address;
};

struct allowed {
	__u32 port_id;
};

struct flood_key {
	__u32 subnet_id;
	__u32 index; /* 0 .. flood_count - 1 */
};

struct flood {
	__u32 port_id;
	__u32 tunnel_id; /* a peer: the way to it in this segment; a tunnel object: its own; else 0 */
};

/* ---- tunnels ---- */

#include "core/tables_tunnel.h"

/* ---- routes ---- */

struct route_key {
	__u32 prefix_length; /* 32 + that of the address */
	__u32 table_id;
	struct address address;
};

enum route_kind {
	ROUTE_NONE = 0,      /* shadows a shorter prefix: ::/0 is no route for IPv4 */
	ROUTE_LOCAL = 1,     /* deliver to the endpoint that owns the address */
	ROUTE_BLACKHOLE = 2, /* asked for, or the target is gone (V24) */
	ROUTE_PORT = 3,      /* target is a port id */
	ROUTE_GROUP = 4,     /* target is a next-hop group: ECMP over ports */
	ROUTE_RESERVED = 5,  /* V22: never forwarded */
	ROUTE_DOWN = 6,      /* the tunnels it leads to are down, all of them */
	ROUTE_WIRE =
		7, /* as LOCAL; who is nobody's is on the wire that target, a port id, stands for */
};

struct route {
	__u32 kind; /* enum route_kind */
	__u32 target;
	__u32 route_id; /* the object that the trace and a drop name; a VPC's own local route: the table */
};

struct nexthop_key {
	__u32 group_id;
};

#define NEXTHOPS_MAX 32

struct nexthops {
	__u32 count;
	__u32 port_id[NEXTHOPS_MAX];
};

/* ---- rules ---- */

/*
 * A classifier is one ordered list of at most 4,096 rules: one direction of a port's security groups,
 * or of an ACL. Each rule is a bit. A lookup by peer address, one by the peer's groups and one by
 * protocol and port each give the set of rules that match there; the lowest bit in
 * (address | groups) & service is the rule that decides. A set is a summary (bit w is set when word w
 * is not zero) with its words in rule_words, so the cost does not grow with the number of rules
 * (aggregated bit vectors: Baboescu and Varghese, SIGCOMM 2001).
 */
#define CLASSIFIER_WORDS 64
#define CLASSIFIER_RULES (CLASSIFIER_WORDS * 64)

struct rule_set {
	__u64 summary;
	__u64 first;  /* the word of the lowest bit in summary, kept here to spare a lookup */
	__u32 row_id; /* of the other words in rule_words */
	__u32 pad;
};

struct classifier_address_key {
	__u32 prefix_length; /* 32 + that of the address */
	__u32 classifier_id;
	struct address address;
};

struct classifier_group_key {
	__u32 classifier_id;
	__u32 group_set_id;
};

struct classifier_service_key {
	__u32 prefix_length; /* 32: any protocol; 40: protocol, any port; 40 + n: n bits of the port */
	__u32 classifier_id;
	__u8 protocol;
	__u8 port[2]; /* destination port, or ICMP type and code */
	__u8 pad;
};

struct rule_word_key {
	__u32 row_id;
	__u32 word;
};

struct rule_word {
	__u64 bits;
};

struct rule_key {
	__u32 classifier_id;
	__u32 bit;
};

struct rule {
	__u32 rule_id;
	__u32 allow; /* 1 allow, 0 deny (ACL only) */
};

struct policy_key {
	__u32 group_set_id;
};

/* The security groups of a port, compiled. One write here switches all ports that share the set. */
struct policy {
	__u32 egress; /* classifier ids */
	__u32 ingress;
	__u32 object_id; /* named when no rule matches: the group, or with several the first of them */
	__u32 pad;
};

/* ---- connections ---- */

/*
 * A connection is known per port: the key begins with the port that the packet enters by. Both
 * directions of a connection between ports A and B are a pair of rows, (A; a->b) and (B; b->a).
 * ICMP queries: the request has (identifier, type and code), the reply (type and code, identifier).
 * Protocols without ports: both zero.
 */
struct flow_key {
	__u32 port_id;
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__u8 protocol;
	__u8 pad[3];
};

enum flow_state {
	FLOW_NEW = 0,         /* UDP and others: no reply yet; TCP: SYN seen */
	FLOW_REPLIED = 1,     /* UDP and others: seen both ways; TCP: SYN+ACK seen */
	FLOW_ESTABLISHED = 2, /* TCP: handshake done */
	FLOW_CLOSING = 3,     /* TCP: one side sent FIN */
	FLOW_CLOSED = 4,      /* TCP: both sent FIN, or a RST was seen */
	FLOW_STATES,
};

enum flow_flags {
	FLOW_ORIGINAL = 1 << 0, /* this row is the direction of the first packet */
	FLOW_UNRESOLVED =
		1 << 1, /* the way out is not known yet: the first packet of the reply finds it */
	FLOW_FIN_SEEN = 1 << 2, /* TCP: FIN seen in this direction */
	FLOW_CHARGED = 1 << 3,  /* counted against charged_slot and the VPC; one row of a pair */
	FLOW_CHARGED_SHARED =
		1 << 4,       /* and drawn from the part of the table that all ports share */
	FLOW_LOGGED = 1 << 5, /* either port has a flow log: its end is told */
	FLOW_ENDED = 1 << 6,  /* TCP: closed, and this direction has said its last word */
};

/* charged_slot of a row that a CPU has claimed (flow.h), for nanoseconds. */
#define FLOW_CLAIMED 0xffffffffu

/*
 * What changes with the packets of either direction comes first and what is settled once comes last, so that
 * two processors that carry the two directions pass one cache line to and fro and not two.
 */
struct flow {
	__u64 packets;
	__u64 bytes;
	__u32 seen;       /* tick of the last packet of this direction */
	__u32 timeout;    /* ticks without a packet of either direction after which it is over */
	__u32 generation; /* of the VPC when the slow stages last agreed */
	__u8 out_kind;    /* enum port_kind, OUT_ flags */
	__u8 state;       /* enum flow_state, the same in both rows of the pair */
	__u8 flags;       /* enum flow_flags */
	__u8 tcp_flags;   /* of the segments that opened and closed it, or'ed */
	__u32 renew;      /* tick from which the slow stages look at it again */
	__u32 born;       /* tick of the first packet */
	__u32 vpc_slot;
	__u32 peer_port_id;   /* port at the other end of the pair */
	__u32 charged_slot;   /* port slot of this row's port; FLOW_CHARGED: it pays for the pair */
	__u32 out_ifindex;    /* PORT_TUNNEL: row of tunnels */
	__u32 out_slot;       /* port slot delivered to */
	__u16 mtu;            /* of the port delivered to, bytes of IP */
	__u16 out_tag;        /* with OUT_TAG_KNOWN: VID, OUT_TAG_8021AD */
	__u32 egress_rule_id; /* rule that admitted it out of the sender; 0: a reply */
	__u32 ingress_rule_id; /* rule that admitted it into the receiver; 0: a reply */
	__u8 ethernet_in[12];  /* destination and source MAC the packet must come with */
	__u8 ethernet_out[12]; /* what they become */
};

/*
 * Connections that ended lately, per CPU: a ring of their keys. The one that falls out of it is removed
 * from the flow table at once, so that thousands of short connections a second use the same few rows
 * over and over, which stay in the processor's caches, instead of filling the table until the sweep.
 */
#define ENDED_FLOWS 256 /* room */
#define ENDED_KEPT 16   /* of which so much is used; it divides the room */

struct ended_flow {
	struct flow_key key; /* port_id 0: none */
	__u32 peer_port_id;
	__u32 born; /* of the connection: its ports may have begun another since */
};

struct ended_cursor {
	__u64 next; /* place of the next one, modulo ENDED_KEPT */
};

#include "core/tables_flow_log.h"
#include "core/tables_judgement.h"

struct fragment_key {
	__u32 port_id;
	struct address source;
	struct address destination;
	__u32 identification; /* IPv4: the 16-bit id, IPv6: the 32-bit one; as on the wire */
	__u8 protocol;
	__u8 pad[3];
};

/* What the first fragment carried: its protocol behind all extension headers, ports, ICMP type and code. */
struct fragment {
	__be16 source_port;
	__be16 destination_port;
	__u32 seen;
	__u8 icmp_type;
	__u8 icmp_code;
	__u8 protocol;
	__u8 pad;
};

/* ---- services of the host: DNS and metadata ---- */

#include "core/tables_service.h"

/* ---- counters and events ---- */

struct slot_key {
	__u32 slot;
};

/* Array by port slot; three cache lines: from the workload, to it, and what is rare. Updated atomically. Of
 * delivered packets port_counts has the numbers, which are to be added; these may be less than zero. */
struct port_stats {
	__u64 received_packets; /* from the workload */
	__u64 received_bytes;
	__u64 dropped_packets; /* of those received */
	__u64 flows;           /* connections begun by this port that are in the table */
	__u64 flood_tokens;    /* token bucket of flooding: tick of the last fill << 32 | tokens */
	__u64 event_tokens;    /* the same for drop events */
	__u64 stations;        /* addresses learned here */
	__u64 icmp_tokens;     /* the same for ICMP errors sent to the workload */
	__u64 sent_packets;    /* to the workload */
	__u64 sent_bytes;
	__u64 refused_packets; /* for the workload, dropped before it */
	__u64 fragment_tokens; /* the same for datagrams in fragments that are remembered */
	__u64 suppressed;      /* drops without an event since the last event */
	__u64 service_tokens;  /* the same for packets to the host's services */
	__u64 service_excess;  /* of these, dropped by that limit (V46) */
	__u64 punt_tokens;     /* the same for frames handed to weftd */
	__u64 held_until;      /* a loop goes through it: 1 << 32 | tick until which it is held */
	__u64 held_with;       /* VID of the loop << 32 | id of the port at its other end */
	__u64 reflected;       /* its own probe came back by it: 1 << 48 | round << 32 | tick */
	__u64 groups;          /* rows of groups and group_sources, routers among them */
	__u64 hold_tokens;     /* the same for packets that are held (hold.c) */
	__u64 pad2[3];
};

/* By port slot, for each CPU: what was delivered. No CPU writes what another one reads for each packet. */
struct port_counts {
	__u64 received_packets; /* from the workload */
	__u64 received_bytes;
	__u64 sent_packets; /* to the workload */
	__u64 sent_bytes;
};

struct vpc_stats {
	__u64 flows;
	__u64 refused_flows;
	__u64 moves;     /* what vpc_moves has, as programs before it have counted */
	__u64 picked_up; /* connections of ports that came here, entered in the middle */
	__u64 pad[4];
};

/* Array by vpc slot, read for each packet: not in a cache line with what each connection changes. */
struct vpc_moves {
	__u64 moves; /* learned MACs that have moved: the pipeline's part of the generation */
};

/* Array of one row: what the whole datapath shares. */
struct datapath_state {
	__u64 shared_flows; /* drawn from the shared part of the flow table */
	__u64 shared_limit; /* room of that part, in connections; written by the daemon */
	__u64 event_rate;   /* drop events a port may cause per second; written by the daemon */
	__u64 suppressed_events;
	__u64 sweep_removed; /* rows removed by the last sweep */
	__u64 sweep_kept;
	__u64 icmp_rate;      /* ICMP errors a port may get per second; written by the daemon */
	__u64 flow_guarantee; /* a port's share that no other may take; written by the daemon, which
				  * lowers it when there are more ports than the table has room for */
	__u64 service_ifindex; /* device of the host's services, 0: none; written by the daemon */
	__u64 service_rate;    /* packets a port may send them per second; written by the daemon */
	__u64 punt_ifindex;    /* the device that leads to weftd, as long as it runs; 0: none */
	__u64 punt_rate;   /* frames a port may hand to weftd per second; written by the daemon */
	__u64 loop_domain; /* number of the installation, in probes for loops (loop.h) */
	__u64 mirror_ifindex; /* the device that copies take which cannot be sent as they are; 0: none */
	__u64 segmenter_ifindex; /* the device that takes frames of several packets apart; 0: none */
	__u64 hold_rate; /* packets of a port that may be held per second; written by the daemon */
	__u64 hold_total_rate, hold_tokens; /* and of all together; the token bucket of these */
	__u64 unasked; /* weftd has come, and not asked yet who listens (multicast.c); it writes this */
};

struct verdict_key {
	__u32 verdict;
};

struct verdict_counter {
	__u64 packets;
	__u64 bytes;
};

/* One dropped packet, as the ring buffer carries it. */
struct drop_event {
	__u64 tick_ns; /* monotonic clock, coarse, ns */
	__u32 verdict;
	__u32 object_id;
	__u32 port_id;     /* where it came in */
	__u32 out_port_id; /* where it would have gone, 0 when not known */
	__u32 vpc_id;
	__u32 length; /* of the frame */
	struct address source;
	struct address destination;
	__be16 source_port;
	__be16 destination_port;
	__be16 ethertype;
	__u8 protocol;
	__u8 tcp_flags;
	__u32 suppressed;  /* drops of this port that caused no event since the last one */
	__u8 ethernet[12]; /* destination and source MAC */
	__u32 pad;
};

enum underlay_event_kind {
	UNDERLAY_TOO_BIG = 1,      /* a router on the way: ICMP 3/4, ICMPv6 2 */
	UNDERLAY_TOO_BIG_HERE = 2, /* this host's own route has a smaller MTU than the packet */
};

/* What became of a packet that one of this host's ends sent; a ring of its own. */
struct underlay_event {
	__u64 tick_ns;         /* monotonic clock, coarse, ns */
	__u32 kind;            /* enum underlay_event_kind */
	__u32 mtu;             /* bytes of the outer IP packet that pass */
	struct address local;  /* outer source, an end of this host */
	struct address remote; /* outer destination, a known end */
	struct address from;   /* who says so */
};

/* Why a frame goes to weftd. */
enum punt_reason {
	PUNT_NONE = 0,
	PUNT_DHCP4 = 1,
	PUNT_DHCP6 = 2,
	PUNT_ROUTER_SOLICITATION = 3,
	PUNT_ADDRESS = 4, /* duplicate address detection (RFC 4862) */
	PUNT_HOLD = 5,    /* (hold.c) to weftd: it is to be held; from weftd: it goes on */
	PUNT_REFRESH = 6, /* to weftd: the machine is known, but was not heard of for long */
	PUNT_ASK = 7,     /* from weftd: whom it is for is asked for on the wire, and that is all */
	PUNT_GIVE_UP = 8, /* from weftd: nobody has answered */
	PUNT_NO_ROOM = 9, /* from weftd: too many are held */
	PUNT_ANSWERED = 10, /* to weftd, ARP or neighbour discovery, without this header */
	PUNT_REASONS,
};

#define PUNT_VERSION 1

/* Behind the Ethernet header of every frame on the punt device, either way; host order. */
struct punt_header {
	__u8 version;    /* PUNT_VERSION */
	__u8 reason;     /* enum punt_reason; an answer to a port: PUNT_NONE */
	__u16 vlan;      /* tag control information of the tag it came with or gets, 0: none */
	__u32 port_id;   /* from weftd, 0: to the other hosts of the segment */
	__u32 subnet_id; /* the segment it was sent in; towards a port: 0 */
	__u32 wire_id;   /* PUNT_HOLD and later ones: of the wire that the machine is on; else 0 */
};

/* Which tunnel a device of the kernel's belongs to; by ifindex, beside the tables below. */
struct tunnel_device {
	__be16 port; /* UDP destination port */
	__u16 pad;
	__u32 kind; /* enum tunnel_kind */
};

/* A device of the underlay; likewise. */
struct underlay_device {
	__u8 mac[6]; /* zero: without Ethernet */
	__u16 pad;
};

#include "core/tables_wire.h"

/*
 * X(name, kind, key, value, room). Kinds: HASH and LPM_TRIE (rows take memory when they are made),
 * HASH_PREALLOCATED and LRU_HASH (all memory at the start), ARRAY (mappable), PERCPU_ARRAY. Room may be changed by the loader before the
 * maps are made (flows, ports). The drop ring is apart: it has no key.
 */
#define WEFT_TABLES(X)                                                                             \
	X(attachments, ARRAY, struct attachment_key, struct attachment, ATTACHMENTS_NEAR)          \
	X(attachments_far, HASH, struct attachment_key, struct attachment, 16384)                  \
	X(ports, HASH, struct port_key, struct port, 65536)                                        \
	X(subnets, HASH, struct subnet_key, struct subnet, 16384)                                  \
	X(vpcs, ARRAY, struct slot_key, struct vpc, 4096)                                          \
	X(endpoints, HASH, struct endpoint_key, struct endpoint, 262144)                           \
	X(stations, HASH, struct station_key, struct station, 262144)                              \
	X(allowed_sources, LPM_TRIE, struct allowed_key, struct allowed, 65536)                    \
	X(floods, HASH, struct flood_key, struct flood, 65536)                                     \
	X(routes, LPM_TRIE, struct route_key, struct route, 1048576)                               \
	X(nexthop_groups, HASH, struct nexthop_key, struct nexthops, 16384)                        \
	X(tunnels, HASH, struct tunnel_key, struct tunnel, 65536)                                  \
	X(tunnel_sequences, HASH, struct tunnel_key, struct tunnel_sequence, 16384)                \
	X(tunnel_ports, HASH, struct tunnel_port_key, struct tunnel_port, 256)                     \
	X(vteps, HASH, struct vtep_key, struct vtep, 16384)                                        \
	X(tunnel_sources, HASH, struct tunnel_source_key, struct tunnel_source, 262144)            \
	X(station_ends, HASH, struct station_key, struct station_end, 65536)                       \
	X(policies, HASH, struct policy_key, struct policy, 65536)                                 \
	X(classifier_addresses, LPM_TRIE, struct classifier_address_key, struct rule_set, 1048576) \
	X(classifier_groups, HASH, struct classifier_group_key, struct rule_set, 1048576)          \
	X(classifier_services, LPM_TRIE, struct classifier_service_key, struct rule_set, 1048576)  \
	X(rule_words, HASH, struct rule_word_key, struct rule_word, 262144)                        \
	X(rules, HASH, struct rule_key, struct rule, 262144)                                       \
	X(flows, HASH_PREALLOCATED, struct flow_key, struct flow, 262144)                          \
	X(ended_flows, PERCPU_ARRAY, struct slot_key, struct ended_flow, ENDED_FLOWS)              \
	X(ended_cursor, PERCPU_ARRAY, struct slot_key, struct ended_cursor, 1)                     \
	X(fragments, LRU_HASH, struct fragment_key, struct fragment, 16384)                        \
	X(port_stats, ARRAY, struct slot_key, struct port_stats, 16384)                            \
	X(vpc_stats, ARRAY, struct slot_key, struct vpc_stats, 4096)                               \
	X(state, ARRAY, struct slot_key, struct datapath_state, 1)                                 \
	X(verdicts, PERCPU_ARRAY, struct verdict_key, struct verdict_counter, 128)                 \
	X(services, HASH, struct service_key, struct service, 65536)                               \
	X(service_clients, LRU_HASH, struct service_client_key, struct service_client, 65536)      \
	X(wires, HASH, struct wire_key, struct wire, 65536)                                        \
	X(wire_neighbours, LRU_HASH, struct wire_neighbour_key, struct wire_neighbour, 65536)      \
	X(port_watches, HASH, struct port_key, struct port_watch, 16384)                           \
	X(watches, ARRAY, struct slot_key, struct watch, WATCHES)                                  \
	X(capture_records, PERCPU_ARRAY, struct slot_key, struct capture_record, 2)                \
	X(port_rates, HASH, struct port_key, struct port_rate, 16384)                              \
	X(rate_states, ARRAY, struct slot_key, struct rate_state, 16384)                           \
	X(port_mirrors, HASH, struct port_key, struct port_mirror, 16384)                          \
	X(groups, HASH, struct group_key, struct group, 65536)                                     \
	X(segment_states, HASH, struct subnet_key, struct segment_state, 16384)                    \
	X(group_sources, HASH, struct group_source_key, struct group_source, 65536)                \
	X(flow_rejects, HASH, struct flow_reject_key, struct flow_reject, 32768)                   \
	X(flow_log_ports, ARRAY, struct slot_key, struct flow_log_port, 16384)                     \
	X(multicast_subnets, HASH, struct multicast_subnet_key, struct multicast_subnet, 65536)    \
	X(mirror_counts, ARRAY, struct slot_key, struct mirror_count, 16384)                       \
	X(judgements, PERCPU_ARRAY, struct slot_key, struct judgement, JUDGEMENTS)                 \
	X(ways, PERCPU_ARRAY, struct slot_key, struct way, WAYS)                                   \
	X(port_counts, PERCPU_ARRAY, struct slot_key, struct port_counts, 16384)                   \
	X(vpc_moves, ARRAY, struct slot_key, struct vpc_moves, 4096)                               \
	X(segment_tags, LRU_HASH, struct segment_tag_key, struct segment_tag, 4096)                \
	X(set_groups, HASH, struct set_group_key, struct set_group, 131072)

#define TABLE_ENUM(name, kind, key, value, room) TABLE_##name,
enum table_id { WEFT_TABLES(TABLE_ENUM) TABLES };
#undef TABLE_ENUM

_Static_assert(sizeof(struct port) == 68, "struct port is part of the layout");
_Static_assert(sizeof(struct subnet) == 144, "struct subnet is part of the layout");
_Static_assert(sizeof(struct endpoint_key) == 20, "struct endpoint_key is part of the layout");
_Static_assert(sizeof(struct flow_key) == 44, "struct flow_key is part of the layout");
_Static_assert(sizeof(struct flow) == 96, "struct flow is part of the layout");
_Static_assert(sizeof(struct tunnel) == 68, "struct tunnel is part of the layout");
_Static_assert(sizeof(struct tunnel_source_key) == 40,
	       "struct tunnel_source_key is part of the layout");
_Static_assert(sizeof(struct tunnel_source) == 52, "struct tunnel_source is part of the layout");
_Static_assert(sizeof(struct port_stats) == 192, "struct port_stats is three cache lines");
_Static_assert(sizeof(struct punt_header) == 16, "weftd and its programs are of one build");
_Static_assert(sizeof(struct drop_event) == 96, "struct drop_event is part of the layout");
_Static_assert(sizeof(struct service_client_key) == 24,
	       "struct service_client_key is part of the layout");
_Static_assert(sizeof(struct service_client) == 44, "struct service_client is part of the layout");

#endif
