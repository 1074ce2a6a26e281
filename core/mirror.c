/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * mirror: the second half of a copy's way, at the mirror device.
 *
 * A copy that is to be cut, that leaves by a tunnel, or that has a tag which is not its own, cannot be made of
 * the frame itself: that goes on to whom it is for, and shares its bytes with every copy. So watch.c hands such
 * a copy to a device of Weft's (agent/devices/mirrors.h), by whose program it comes here, as a frame of its own
 * with a mark that says of which port it is. It can be changed at will here, and can wait for the collector's
 * MAC as any packet of the host's can. The workload pays for the copy alone.
 *
 * What cannot leave is counted as VERDICT_MIRROR_LOST, and missing in the counts of the port (mirror_counts).
 *
 * Before: watch.c. Next: tunnel_push.c, or the device of the port that gets the copy.
 */
#include "core/packet.h"

/* Headers at least are left: the kernel cuts nothing off that a checksum is still to be written into. */
#define CUT_MIN 64
#define CUT_AGAIN 256

/* A copy that nobody gets. */
int mirror_lost(const struct packet *p)
{
	struct verdict_key key = { .verdict = VERDICT_MIRROR_LOST };
	struct verdict_counter *counter = table_lookup(verdicts, &key);

	if (!counter || !p)
		return 0;
	counter->packets += 1;
	counter->bytes += p->frame_length;
	return 0;
}

/* It has left, as far as this host can see. p: as mirror_send has left it. */
int mirror_sent(const struct packet *p)
{
	struct slot_key slot = {};
	struct mirror_count *count;
	struct port_stats *stats;

	if (!p)
		return 0;
	slot.slot = p->port_slot;
	count = table_lookup(mirror_counts, &slot);
	if (count) {
		atomic_add(&count->sent_packets, 1);
		atomic_add(&count->sent_bytes, p->frame_length);
		if (p->copy & COPY_CUT)
			atomic_add(&count->cut_packets, 1);
		if (p->unresolved_tunnel_id)
			atomic_add(&count->waiting_packets, 1);
	}
	slot.slot = p->out_slot;
	stats = table_lookup(port_stats, &slot);
	if (stats) {
		atomic_add(&stats->sent_packets, 1);
		atomic_add(&stats->sent_bytes, p->frame_length);
	}
	return 0;
}

/* To size bytes, as far as the kernel does: what it has marked as inside of a tunnel stays whole. */
static __always_inline void cut(struct frame *f, struct packet *p, __u32 size)
{
	if (size < CUT_MIN)
		size = CUT_MIN;
	if (frame_length(f) <= size)
		return;
	if (!frame_resize(f, size) || (frame_length(f) > CUT_AGAIN && !frame_resize(f, CUT_AGAIN)))
		p->copy |= COPY_CUT;
	p->frame_length = frame_length(f);
}

/* Into a tunnel object: cut where it would not fit. p: parsed, as far as that went. */
OUT_OF_LINE int into_tunnel(struct frame *f, struct packet *p, const struct port *target)
{
	struct tunnel_key key = { .tunnel_id = target->tunnel_id };
	struct tunnel *tunnel = table_lookup(tunnels, &key);
	__u32 tag;

	if (!tunnel || !(tunnel->flags & TUNNEL_OBJECT))
		return VERDICT_NO_TUNNEL;
	if (!frame_segment_size(f))
		cut(f, p, tunnel->mtu + ETHERNET_SIZE);
	tag = frame_tag(f);
	/* Those of an opaque frame are a part of it. */
	if (tag && !p->kept_tag) {
		p->copy_tag = tag;
		if (!p->vlan_count && frame_tag_pop(f))
			return VERDICT_INTERNAL;
	}
	if (frame_load(f, 0, p->ethernet_out, 12))
		return VERDICT_INTERNAL;
	p->out_ifindex = target->tunnel_id;
	p->tcp_flags = 0; /* no MSS is made to fit: the copy is not to change what it is of */
	return tunnel_push(f, p);
}

/* To a port of this host. */
static __always_inline int to_port(struct frame *f, struct packet *p, const struct port *target)
{
	p->out_ifindex = target->ifindex;
	if (!target->ifindex || target->kind == PORT_WIRE)
		return VERDICT_PORT_DOWN;
	return target->kind == PORT_CHILD ? wire_push(f, p) : VERDICT_DELIVERED;
}

/* Finds the mirror that the mark speaks of. 0 or negative. */
static __always_inline int find(struct packet *p, __u32 mark, struct port_key *key, __u32 *size)
{
	struct slot_key slot = { .slot = mark & MIRROR_MARK_SLOT };
	struct mirror_count *count;
	struct port_mirror *row;

	if ((mark & MIRROR_MARK_MASK) != MIRROR_MARK)
		return -1;
	count = table_lookup(mirror_counts, &slot);
	if (!count)
		return -1;
	key->port_id = count->port_id;
	row = table_lookup(port_mirrors, key);
	if (!row)
		return -1;
	p->port_id = key->port_id;
	p->port_slot = slot.slot;
	key->port_id = row->watch.target_id;
	*size = row->watch.size;
	return 0;
}

/*
 * A copy that the mirror device hands in. p: zero (PACKET_CLEARED). VERDICT_DELIVERED: it leaves by
 * p->out_ifindex, or by the underlay with PACKET_TO_UNDERLAY; anything else: nobody gets it.
 */
int mirror_send(struct frame *f, struct packet *p, __u32 mark)
{
	struct port_key key = {};
	struct port *target;
	int verdict;
	__u32 size;

	if (!p)
		return VERDICT_INTERNAL;
	p->frame_length = frame_length(f);
	if (find(p, mark, &key, &size))
		return VERDICT_UNKNOWN_PORT;
	target = table_lookup(ports, &key);
	if (!target)
		return VERDICT_PORT_DOWN;
	p->copy = COPY | (mark & MIRROR_MARK_TO ? COPY_TO : 0);
	if ((mark & MIRROR_MARK_TAG) && frame_tag_pop(f))
		return VERDICT_INTERNAL;
	/* What is malformed is copied all the same. */
	if (parse(f, p))
		p->flags &= ~(__u32)PACKET_IP;
	p->out_port_id = key.port_id;
	p->out_slot = target->port_slot;
	if (size)
		cut(f, p, size);
	verdict = target->kind == PORT_TUNNEL ? into_tunnel(f, p, target) : to_port(f, p, target);
	return verdict;
}
