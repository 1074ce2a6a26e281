/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of packets that are looked at: captures and mirrors; a part of tables.h, which includes it.
 *
 * Neighbours: watch.c (who reads them), agent/reconcile_watch.c (who writes them).
 */
#ifndef WEFT_CORE_TABLES_WATCH_H
#define WEFT_CORE_TABLES_WATCH_H

#define WATCHES 64 /* of a host at one time; a port's are a bit mask */
#define WATCH_RANGES 8

enum watch_flags {
	WATCH_FROM = 1 << 0,     /* what the port sends */
	WATCH_TO = 1 << 1,       /* what is delivered to it, or was dropped on its way there */
	WATCH_CAPTURE = 1 << 2,  /* told to the daemon, with the verdict */
	WATCH_MIRROR = 1 << 3,   /* a copy goes to ifindex, or into the tunnel */
	WATCH_PROTOCOL = 1 << 4, /* only of this protocol */
	WATCH_ONCE = 1 << 5,     /* not what was taken where its sender is looked at alike */
	WATCH_TYPES = 1 << 6,    /* ranges are of ICMP: type << 8 | code */
	WATCH_GROUP = 1 << 7,    /* << i: end i is a port in a security group */
};

/* Words of network[i] where WATCH_GROUP << i says that it is no network: ids, host order. */
enum watch_network {
	WATCH_NETWORK_GROUP = 0,
	WATCH_NETWORK_VPC = 1, /* whose addresses are meant */
};

struct watch_range {
	__u16 first; /* host order */
	__u16 last;
};

/* Array by watch. Which packets, and what is done with them; counters at the end. */
struct watch {
	__u32 flags;  /* enum watch_flags; 0: none */
	__u32 sample; /* one in so many of those that match; 0, 1: each */
	__u32 size;   /* bytes of a packet that are told, or copied; 0: all that fit */
	__u32 ifindex;
	__u32 tunnel_id;
	__u32 target_id;  /* port that the copies go to */
	__u32 port_slot;  /* of a mirror: that of the port which is looked at */
	__be16 ethertype; /* 0: any */
	__u8 protocol;
	__u8 range_count;          /* 0: any port */
	struct address network[2]; /* one end is in the first, the other in the second */
	__u8 prefix_length[2];     /* in the 128-bit space; 0: any address; of a group: 128 */
	__u8 other_protocol;       /* WATCH_PROTOCOL: or this one; 0: none */
	__u8 pad[5];
	struct watch_range range[WATCH_RANGES]; /* the port of either end, or WATCH_TYPES */
	__u64 matched;
	__u64 taken; /* told, or copied */
};

/* The security groups that a group set has: a port is in a group where its set's row with that group is. */
struct set_group_key {
	__u32 group_set_id;
	__u32 group_id;
};

struct set_group {
	__u32 place; /* among the set's groups, from 0 */
};

/* By port: what is copied of it, and to which port or tunnel object of this host. The counters rest. */
struct port_mirror {
	struct watch watch; /* WATCH_MIRROR; target_id */
};

/*
 * Array by port slot: what a mirror has come to. Copies that were to be made and were not sent are lost, or on
 * their way.
 */
struct mirror_count {
	__u64 matched; /* with which packet of a sample it is */
	__u32 port_id; /* whose copies the mirror device gets with this slot in their mark */
	__u32 pad;
	__u64 copies; /* to be made */
	__u64 sent_packets;
	__u64 sent_bytes;
	__u64 cut_packets;     /* of those sent: shorter than what they are of */
	__u64 waiting_packets; /* of those sent: given to the kernel to wait for the collector's MAC */
};

/* The mark of a frame on its way to the mirror device (mirror.c). */
#define MIRROR_MARK 0x574d0000u
#define MIRROR_MARK_MASK 0xffff0000u
#define MIRROR_MARK_TO 0x8000u  /* it is for the port */
#define MIRROR_MARK_TAG 0x4000u /* its tag is what tells the port apart, and no part of it */
#define MIRROR_MARK_SLOT 0x3fffu

/* By port: the watches that look at it. */
struct port_watch {
	__u64 mask;
};

#define CAPTURE_SIZE_MAX 16384 /* bytes of a packet that are told */

enum capture_direction {
	CAPTURE_FROM = 1, /* sent by the port */
	CAPTURE_TO = 2,   /* for the port */
};

/* One packet seen, as the ring buffer carries it. */
struct capture_event {
	__u64 time_ns; /* monotonic clock, ns */
	__u64 watches; /* that took it */
	__u32 verdict;
	__u32 object_id; /* that decided */
	__u32 port_id;   /* seen at */
	__u32 other_id;  /* the port at the other end, 0 when not known */
	__u32 direction; /* enum capture_direction */
	__u32 length;    /* of the frame */
	__u32 size;      /* bytes that follow */
	__u32 vlan;      /* tag that is not in the frame: type << 16 | control information, or 0 */
	__u64 lost;      /* of this processor: seen, but there was no room to tell */
};

struct capture_record {
	struct capture_event event;
	__u8 data[CAPTURE_SIZE_MAX];
};

/* ---- what a port may send (rate.c) ---- */

enum rate_flags {
	RATE_DSCP = 1 << 0, /* its packets are marked */
};

#define RATE_COST_SHIFT 20

/*
 * Queues that share a device among ports (agent/devices/shares.c): the number of their class is that of
 * the port's slot, and stands in the packet's priority as the kernel wants it, behind that of the queue.
 */
#define SHARE_CLASSES 0x57450000u
#define SHARE_CLASS_MASK 0x3fffu
#define SHARE_CLASS(port_slot) (SHARE_CLASSES | ((port_slot)&SHARE_CLASS_MASK))

struct port_rate {
	__u64 byte_cost; /* ns of one byte at the rate << RATE_COST_SHIFT; 0: no limit */
	__u64 burst_ns;  /* time that it may be ahead */
	__u32 flags;     /* enum rate_flags */
	__u8 dscp;
	__u8 pad[3];
};

/* Array by port slot. */
struct rate_state {
	__u64 ahead_ns; /* when what was sent would be over at the rate; monotonic clock */
	__u64 dropped_packets;
	__u64 dropped_bytes; /* of frames */
};

_Static_assert(sizeof(struct watch) == 120, "struct watch is part of the layout");
_Static_assert(sizeof(struct capture_event) == 56, "struct capture_event is part of the layout");

#endif
