/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of uplinks and tags: which frames of a device belong to which segment or child port, and what is
 * known of the machines outside.
 *
 * A part of tables.h, which includes it behind struct address; its conventions hold here.
 */
#ifndef WEFT_CORE_TABLES_WIRE_H
#define WEFT_CORE_TABLES_WIRE_H

enum wire_flags {
	WIRE_NETWORK = 1 << 0, /* a NIC's; else the device of a port with children */
	WIRE_WHOLE = 1 << 1,   /* with all tags that nobody else has, and what is for the host */
	WIRE_RATED = 1 << 2,   /* the port has a row in port_rates */
	WIRE_SHARED = 1 << 3,  /* and of what is for the NIC's MAC the part that is for ports */
	WIRE_ALONE =
		1 << 4, /* the kernel marks all of it as the host's, and none is: a macvlan's */
	WIRE_WATCHED = 1 << 5, /* the port is looked at (watch.c) */
	WIRE_LONE = 1 << 6, /* no other host of Weft's is on that network: no sender is asked for */
};

/* What comes in by a device with a tag, or without one. */
struct wire_key {
	__u32 ifindex;
	__u16 type; /* 0x8100, 0x88a8; 0: no tag */
	__u16 tag;  /* VID */
};

/* A machine on a wire that is not Weft's, as it was heard to be by ARP. */
struct wire_neighbour_key {
	__u32 port_id; /* of the wire */
	struct address address;
};

enum wire_neighbour_flags {
	/* weftd asks for it and holds packets until there is an answer, and on until they have gone */
	NEIGHBOUR_WANTED = 1 << 0,
	NEIGHBOUR_ANSWERED = 1 << 1, /* with WANTED: the MAC is known by now */
	NEIGHBOUR_TOLD = 1 << 2, /* weftd was told that it is used and was not heard of for long */
};

struct wire_neighbour {
	__u8 mac[6];
	__u16 flags; /* enum wire_neighbour_flags */
	__u32 seen;  /* tick */
};

/* A VLAN that was heard behind a port to another switch, of a segment that passes tags: loops are looked for in it. */
struct segment_tag_key {
	__u32 subnet_id;
	__u16 type; /* 0x8100, 0x88a8 */
	__u16 tag;  /* VID */
};

struct segment_tag {
	__u32 seen; /* tick; about a second behind at most */
};

/* Of a packet in the kernel: weftd had held it (hold.c). */
#define PUNT_RETURNED_MARK 0x77656674u

/* Whose it is: a segment on the wire, or the child of a port. */
struct wire {
	__u32 port_id;
	__u32 port_slot;
	__u32 vpc_slot;
	__u32 flags; /* enum wire_flags */
	__u32 subnet_id;
};

#endif
