/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows about tunnels: how packets are carried between hosts, and who may send what to this one.
 *
 * A part of tables.h, which includes it behind struct address; its conventions hold here.
 */
#ifndef WEFT_CORE_TABLES_TUNNEL_H
#define WEFT_CORE_TABLES_TUNNEL_H

#include <linux/types.h>

/* How a packet is carried between hosts. */
enum tunnel_kind {
	TUNNEL_NONE = 0,
	TUNNEL_VXLAN = 1,  /* RFC 7348 */
	TUNNEL_GENEVE = 2, /* RFC 8926 */
	TUNNEL_NVGRE = 3,  /* RFC 7637 */
	TUNNEL_GRE = 4,    /* RFC 2784, 2890: IP in GRE */
	TUNNEL_GRETAP = 5, /* the same: Ethernet in GRE */
	TUNNEL_IPIP = 6,   /* RFC 2003, 2473: IPv4 or IPv6 straight in IP */
	TUNNEL_SIT = 7,    /* RFC 4213: IPv6 in IPv4 */
	TUNNEL_FOU = 8,    /* IP straight in UDP; IPv4 or IPv6 by its first nibble */
	TUNNEL_GUE = 9,    /* draft-ietf-intarea-gue-09, variant 0 */
	TUNNEL_KINDS = 10,
};

enum tunnel_flags {
	TUNNEL_KEY = 1 << 0,        /* GRE: with a key (id) */
	TUNNEL_CHECKSUM = 1 << 1,   /* GRE: with a checksum; UDP kinds: outer checksum computed */
	TUNNEL_SEQUENCE = 1 << 2,   /* GRE: with sequence numbers */
	TUNNEL_COPY_DSCP = 1 << 3,  /* outer DSCP is the inner one's (RFC 2983), else dscp */
	TUNNEL_NO_ENTROPY = 1 << 4, /* source port and flow label are fixed */
	TUNNEL_MULTICAST = 1 << 5,  /* remote is an underlay group; ifindex is the way out */
	TUNNEL_OBJECT = 1 << 6,     /* a tunnel of a VPC to an end that is not Weft */
	TUNNEL_SHAPED = 1 << 7,     /* leaves by a device whose queue tells senders apart */
	TUNNEL_CHECKSUM6 =
		1 << 8,         /* IPv6: the other end refuses a UDP checksum of zero (RFC 6936) */
	TUNNEL_ERSPAN = 1 << 9, /* GRETAP: ERSPAN type II, id is the session; of mirrors */
	TUNNEL_ERSPAN3 = 1 << 10, /* with TUNNEL_ERSPAN: type III */
};

struct tunnel_key {
	__u32 tunnel_id; /* a number of this host, not 0 */
};

/* One way to send: everything the outer headers need. */
struct tunnel {
	struct address local;  /* outer source */
	struct address remote; /* outer destination */
	__u32 kind;            /* enum tunnel_kind */
	__u32 flags;           /* enum tunnel_flags */
	__u32 id;              /* VNI, VSID or GRE key */
	__u32 mtu;             /* largest inner IP packet that fits, bytes */
	__u32 port_id;         /* peer or tunnel object that it leads to */
	__u32 port_slot;       /* its counters */
	__u32 ifindex;         /* TUNNEL_MULTICAST: device of the underlay; else 0, routes decide */
	__be16 destination_port;
	__be16 source_port; /* with TUNNEL_NO_ENTROPY */
	__u8 ttl;           /* outer; 0 means 64 */
	__u8 dscp;          /* outer, without TUNNEL_COPY_DSCP */
	__u8 hardware_id;   /* TUNNEL_ERSPAN3: which engine of the host says so */
	__u8 pad;
};

/* What moves with each packet of a tunnel; a row for each row of tunnels that has TUNNEL_SEQUENCE. */
struct tunnel_sequence {
	__u32 next;     /* sending */
	__u32 expected; /* receiving */
};

struct tunnel_port_key {
	__be16 port; /* UDP destination port that belongs to Weft on this host */
	__u16 pad;
};

struct tunnel_port {
	__u32 kind; /* enum tunnel_kind */
	__u32 pad;
};

enum vtep_flags {
	VTEP_LOCAL = 1 << 0, /* an address of this host */
};

struct vtep_key {
	struct address address;
};

/* An underlay address that takes part: this host's own, and the other ends. */
struct vtep {
	__u32 host_id; /* 0: of no Weft host */
	__u32 flags;   /* enum vtep_flags */
	__u32 kinds; /* VTEP_LOCAL: kinds without UDP (1 << enum tunnel_kind) that are Weft's here */
	__u32 pad;
};

enum tunnel_source_flags {
	TUNNEL_SOURCE_TAPS =
		1 << 0, /* the segment has taps here: GSO packets take the kernel's device */
	TUNNEL_SOURCE_OBJECT = 1 << 1,   /* a tunnel object: port_id is its port */
	TUNNEL_SOURCE_LEARN = 1 << 2,    /* any end within `allowed`, whose addresses are learned */
	TUNNEL_SOURCE_SEQUENCE = 1 << 3, /* GRE: packets out of order are dropped */
	TUNNEL_SOURCE_CHECKSUM6 = 1 << 4,  /* IPv6: a UDP checksum of zero is refused (RFC 6936) */
	TUNNEL_SOURCE_STRICT = 1 << 5,     /* reserved bits must be zero (as Linux does) */
	TUNNEL_SOURCE_L2 = 1 << 6,         /* subnet_id is an l2 subnet: MACs say who sends */
	TUNNEL_SOURCE_ONE_PACKET = 1 << 7, /* GSO packets are cut before they are looked at */
	TUNNEL_SOURCE_ROUTER = 1 << 8,     /* the host routes all of the VPC (central.c) */
};

/* Who may send what to this host: one row for each known end, kind, port and id. */
struct tunnel_source_key {
	struct address remote; /* outer source; zero with TUNNEL_SOURCE_LEARN */
	struct address local;  /* outer destination */
	__u32 id;              /* VNI, VSID, GRE key; 0 where the form has none */
	__be16 port;           /* UDP destination port; 0 where there is none */
	__u8 kind;             /* enum tunnel_kind */
	__u8 has_id;           /* GRE: with a key */
};

struct tunnel_source {
	__u32 vpc_id;
	__u32 vpc_slot;
	__u32 subnet_id; /* the segment that the packet travels in; a tunnel that routes: 0 */
	__u32 host_id;   /* of the sender; 0: a tunnel object */
	__u32 port_id;   /* the peer, or the tunnel object */
	__u32 port_slot; /* its counters */
	__u32 flags;     /* enum tunnel_source_flags */
	__u32 tunnel_id; /* the way back; of a multicast segment: the group's */
	struct address allowed; /* TUNNEL_SOURCE_LEARN: ends within this prefix */
	__u8 allowed_length;    /* in the 128-bit space */
	__u8 pad[3];
};

/* Where a learned station of a foreign end is: its outer address (TUNNEL_SOURCE_LEARN). */
struct station_end {
	struct address address;
};

#endif
