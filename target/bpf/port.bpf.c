/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs at the ports: from_port (Ethernet: veth, tap) and from_tun, at tc ingress of the device
 * on the host. What the workload sends comes in here, runs through the pipeline, and leaves by a
 * redirect; nothing reaches the host's own stack.
 *
 * Neighbours: core/pipeline.h (the walk), edge.h (the ways out), datapath/kernel_attach.c (the loader).
 */
#include "target/bpf/edge.h"

static __always_inline struct attachment *attachment_of(__u32 ifindex)
{
	struct attachment_key key = { .ifindex = ifindex };

	if (ifindex < ATTACHMENTS_NEAR)
		return table_lookup(attachments, &key);
	return table_lookup(attachments_far, &key);
}

static __always_inline int run(struct __sk_buff *skb, struct packet *p)
{
	struct attachment *attachment = attachment_of(skb->ifindex);
	int verdict;

	if (attachment && attachment->port_id) {
		p->port_id = attachment->port_id;
		p->port_slot = attachment->port_slot;
		p->vpc_slot = attachment->vpc_slot;
		if (attachment->flags & ATTACHMENT_NO_ETHERNET)
			p->flags |= PACKET_NO_ETHERNET;
		verdict = pipeline_run(skb, p);
	} else {
		/* Slot 0 is no port's: what comes in where nobody is plugged in is counted there. Its event
		 * has the Ethernet header, for who looks for the device. */
		p->frame_length = skb->len;
		p->ethertype = (__be16)skb->protocol;
		bpf_skb_load_bytes(skb, 0, p->ethernet, 12);
		verdict = pipeline_end(skb, p, VERDICT_UNKNOWN_PORT);
	}
	tell_tester(skb, p, verdict);
	return edge_send(skb, p, verdict);
}

SEC("tc")
int from_port(struct __sk_buff *skb)
{
	struct packet *p = packet_new();

	return p ? run(skb, p) : TC_ACT_SHOT;
}

/* A tun hands in IP packets: they get an Ethernet header of zero MACs, so that the stages have one shape
 * to read. The kernel takes it off again where the packet leaves by a tun. */
SEC("tc")
int from_tun(struct __sk_buff *skb)
{
	__be16 ethertype = (__be16)skb->protocol;
	struct packet *p = packet_new();

	if (!p)
		return TC_ACT_SHOT;
	if (bpf_skb_change_head(skb, ETHERNET_SIZE, 0) ||
	    bpf_skb_store_bytes(skb, 12, &ethertype, 2, 0)) {
		p->frame_length = skb->len;
		pipeline_end(skb, p, VERDICT_INTERNAL);
		return TC_ACT_SHOT;
	}
	return run(skb, p);
}

char _license[] SEC("license") = "Dual BSD/GPL";
