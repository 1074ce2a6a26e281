/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tags: VLAN tags that are the affair of the workloads, in a subnet that passes them (SUBNET_TAGS).
 *
 * Such a subnet is the plain switch that a trunk may run through. A frame whose outermost tag names a VLAN is
 * opaque from parse.c on: it is an Ethernet frame of the tag's type, and not IP. So its MACs are guarded,
 * learned and looked up as those of any frame, and it is flooded as any; no rule, no gateway and no service sees what
 * is inside. One place for each MAC, whatever the tag: that is what port security speaks of, and a machine
 * with many VLANs is learned once.
 *
 * A tag that only gives a priority (VID 0) is none here: those who get it take the rest for untagged, so
 * the rest is judged.
 *
 * A tag may have an owner at the device where the frame is to leave: a child port, or another segment on the same
 * NIC. Then the frame does not leave there, for it would be taken for one of that owner's.
 *
 * The kernel keeps the outermost tag beside the frame, and its tunnels know nothing of it: on the way into a tunnel
 * the tags are taken off, and written behind the inner Ethernet header; and the reverse.
 *
 * Neighbours: parse.c (who asks whether a frame is opaque), wire.c, deliver.c, bridge.c, tunnel_push.c and tunnel_pop.c.
 */
#ifndef WEFT_CORE_TAGS_H
#define WEFT_CORE_TAGS_H

#include "core/packet.h"

#define TAG_ID 0xfffu

static inline int is_tag_type(__be16 type)
{
	return type == be16(ETHERTYPE_VLAN) || type == be16(ETHERTYPE_QINQ);
}

static inline int subnet_passes_tags(__u32 subnet_id)
{
	struct subnet_key key = { .subnet_id = subnet_id };
	struct subnet *subnet = table_lookup(subnets, &key);

	return subnet && (subnet->flags & SUBNET_TAGS);
}

/* What is known of the IP packet in a frame; of an opaque one only TCP and UDP, whole and without options. */
static inline __u32 flags_inside(const struct packet *p)
{
	return p->flags | p->kept_flags;
}

/* Does the tag of an opaque frame belong to somebody else where the port's frames leave? */
static inline int tag_is_taken(const struct packet *p, const struct port *port)
{
	struct wire_key key = {
		.ifindex = port->ifindex,
		.type = (__u16)(p->kept_tag >> 16),
		.tag = p->kept_tag & TAG_ID,
	};

	return port->kind != PORT_TUNNEL && !port->tag && table_lookup(wires, &key) != NULL;
}

/* In tags.c. */
int tags_keep(struct frame *f, struct packet *p);
int tags_off(struct frame *f, struct packet *p);
int tags_on(struct frame *f, struct packet *p);
int tags_write(struct frame *f, struct packet *p, __u32 end);
int tags_read(struct frame *f, struct packet *p);

#endif
