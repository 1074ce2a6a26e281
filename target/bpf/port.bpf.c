/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program at the ports: from_port, at tc ingress of the device on the host (veth, tap, tun). What the
 * workload sends comes in here, runs through the pipeline, and leaves by a redirect; nothing reaches the
 * host's own stack. And from_services, for what the host's own DNS and metadata answer.
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

/* A tun hands in IP packets: they get an Ethernet header of zero MACs, so that the stages have one shape
 * to read. The kernel takes it off again where the packet leaves by a tun. 0 or negative. */
static __always_inline int put_ethernet(struct __sk_buff *skb)
{
	__be16 ethertype = (__be16)skb->protocol;

	if (bpf_skb_change_head(skb, ETHERNET_SIZE, 0))
		return -1;
	return (int)bpf_skb_store_bytes(skb, 12, &ethertype, 2, 0);
}

/* Slot 0 is no port's: what comes in where nobody is plugged in is counted there. Its event has the
 * Ethernet header, for who looks for the device. */
static __always_inline int unknown_port(struct __sk_buff *skb, struct packet *p)
{
	p->frame_length = skb->len;
	p->ethertype = (__be16)skb->protocol;
	bpf_skb_load_bytes(skb, 0, p->ethernet, 12);
	return pipeline_end(skb, p, VERDICT_UNKNOWN_PORT);
}

SEC("tc")
int from_port(struct __sk_buff *skb)
{
	struct packet *p = packet_new();
	struct attachment *attachment;
	int verdict;

	if (!p)
		return TC_ACT_SHOT;
	attachment = attachment_of(skb->ifindex);
	if (attachment && attachment->port_id) {
		p->port_id = attachment->port_id;
		p->port_slot = attachment->port_slot;
		p->vpc_slot = attachment->vpc_slot;
		if (attachment->flags & ATTACHMENT_NO_ETHERNET) {
			p->flags |= PACKET_NO_ETHERNET;
			if (put_ethernet(skb)) {
				p->frame_length = skb->len;
				pipeline_end(skb, p, VERDICT_INTERNAL);
				return TC_ACT_SHOT;
			}
		}
		if (attachment->flags & ATTACHMENT_ONE_PACKET) {
			__u32 segmenter = edge_segmenter(skb, attachment->flags);

			if (segmenter)
				return edge_take_apart(skb, segmenter);
		}
		if (attachment->flags & ATTACHMENT_TRUNK)
			wire_take(skb, p, skb->ifindex);
		if (attachment->flags & ATTACHMENT_WATCHED)
			p->flags |= PACKET_WATCHED;
		if (attachment->flags & ATTACHMENT_RATED)
			p->flags |= PACKET_RATED;
		verdict = pipeline_run(skb, p);
	} else {
		verdict = unknown_port(skb, p);
	}
	tell_tester(skb, p, verdict);
	return edge_send(skb, p, verdict);
}

/* What the host's services (agent/services/services.c) answer, at the device that leads to them. */
SEC("tc")
int from_services(struct __sk_buff *skb)
{
	struct packet *p = packet_new();
	int verdict;

	if (!p)
		return TC_ACT_SHOT;
	verdict = pipeline_from_service(skb, p);
	tell_tester(skb, p, verdict);
	return edge_send(skb, p, verdict);
}

char _license[] SEC("license") = "Dual BSD/GPL";
