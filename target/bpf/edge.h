/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs at the edges share: the packet they fill in and the ways out.
 *
 * port.bpf.c takes what workloads send, underlay.bpf.c what other hosts send. Either may end at a device of
 * this host or in a tunnel, so both leave by edge_send(). The maps are defined in tables.bpf.c.
 */
#ifndef WEFT_TARGET_BPF_EDGE_H
#define WEFT_TARGET_BPF_EDGE_H

#include "core/pipeline.h"
#include "target/bpf/underlay.h"

#define TC_ACT_UNSPEC                                                                              \
	(-1) /* on to the next filter or the host's stack, as if this one were not here */
#define TC_ACT_SHOT 2

/* The packet being looked at, one for each CPU: it is larger than the stack allows. A program at tc
 * ingress is not interrupted by another on its CPU. */
struct scratch_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
};
extern struct scratch_map scratch SEC(".maps");

/* This CPU's packet, empty; NULL never in fact, but the verifier wants to see it asked. */
static __always_inline struct packet *packet_new(void)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);

	if (p)
		__builtin_memset(p, 0, PACKET_CLEARED);
	return p;
}

/* So that BPF_PROG_TEST_RUN can see what was decided; nothing else reads the control block. */
static __always_inline void tell_tester(struct __sk_buff *skb, struct packet *p, int verdict)
{
	skb->cb[0] = (__u32)verdict;
	skb->cb[1] = p->object_id;
	skb->cb[2] = p->out_port_id;
	skb->cb[3] = p->out_ifindex;
}

/* The same of the tag it leaves with, where that is not a part of the frame. */
static __always_inline void tell_tag(struct __sk_buff *skb)
{
	skb->cb[4] = skb->vlan_present ? frame_tag(skb) : 0;
}

/* A queue that shares what its device carries among the ports has a class for each, by its slot. */
static __always_inline void name_sender(struct __sk_buff *skb, const struct packet *p)
{
	if (p->out_kind & OUT_SHAPED)
		skb->priority = SHARE_CLASS(p->port_slot);
}

/* Into a namespace by redirect_peer, which does not read the frame's type anew: what came out of a tunnel
 * may be of another than the kernel has noted, and then takes the longer way through the device. */
static __always_inline int edge_deliver(struct __sk_buff *skb, struct packet *p)
{
	/* What is shaped goes through the queue of its device. */
	if ((p->out_kind & ~OUT_WATCHED) != PORT_VETH || (p->flags & PACKET_NO_ETHERNET) ||
	    ((p->flags & PACKET_FROM_TUNNEL) && p->ethertype != (__be16)skb->protocol)) {
		if (OUT_KIND(p->out_kind) >= PORT_WIRE || p->kept_tag)
			tell_tag(skb);
		name_sender(skb, p);
		if (p->out_kind & OUT_HOST_ROUTED)
			return bpf_redirect_neigh(p->out_ifindex, NULL, 0, 0);
		return bpf_redirect(p->out_ifindex, 0);
	}
	/* The stack on the other side takes what is marked as its own. */
	if (skb->pkt_type)
		bpf_skb_change_type(skb, 0);
	return bpf_redirect_peer(p->out_ifindex, 0);
}

/*
 * A frame that stands for several packets cannot be given checksums or numbers of each: the kernel takes it
 * apart behind this program. So it goes, as it came, by a device of Weft's that takes no such frames, for
 * which the kernel takes it apart; and from the other end of that device each packet comes to
 * where the frame came in, as if it had come so (segments.bpf.c). The mark says where that is.
 *
 * Of a port all frames go that way, so that none overtakes another. Nothing is counted or changed before.
 */
static __always_inline int edge_take_apart(struct __sk_buff *skb, __u32 segmenter)
{
	skb->mark = skb->ifindex;
	return bpf_redirect(segmenter, 0);
}

/* Where a port's frame is to go first; 0: it has been there, need not, or there is no such device. */
static __always_inline __u32 edge_segmenter(struct __sk_buff *skb, __u32 flags)
{
	if (!skb->gso_size && skb->mark == skb->ifindex) {
		skb->mark = 0;
		return 0;
	}
	return skb->gso_size || (flags & ATTACHMENT_ONE_PACKET_ALL) ? frame_segmenter() : 0;
}

/* Where the frame goes that the pipeline has judged. Returns what tc is to do with it. */
static __always_inline int edge_send(struct __sk_buff *skb, struct packet *p, int verdict)
{
	if (p->flags & PACKET_TO_UNDERLAY) {
		name_sender(skb, p);
		return underlay_send(skb, p);
	}
	if (p->flags & PACKET_REPLY) {
		if (p->tag)
			tell_tag(skb);
		return bpf_redirect(skb->ifindex, 0);
	}
	if (verdict == VERDICT_DELIVERED || verdict == VERDICT_SERVED)
		return edge_deliver(skb, p);
	if (verdict == VERDICT_PUNTED || verdict == VERDICT_HELD)
		return bpf_redirect(p->out_ifindex, 0);
	return p->unresolved_tunnel_id ? underlay_last(skb, p) : TC_ACT_SHOT;
}

#endif
