/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs at the ports: from_port (Ethernet: veth, tap) and from_tun, at tc ingress of the device
 * on the host. What the workload sends comes in here, runs through the pipeline, and leaves by a
 * redirect; nothing reaches the host's own stack.
 *
 * Neighbours: core/pipeline.h (the walk), tables.bpf.c (maps), datapath/kernel_attach.c (the loader).
 */
#include "core/pipeline.h"

#define TC_ACT_SHOT 2

/* The packet being looked at, one for each CPU: it is larger than the stack allows. A program at tc
 * ingress is not interrupted by another on its CPU. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct packet);
} scratch SEC(".maps");

/* So that BPF_PROG_TEST_RUN can see what was decided; nothing else reads the control block. */
static __always_inline void tell_tester(struct __sk_buff *skb, struct packet *p, int verdict)
{
	skb->cb[0] = (__u32)verdict;
	skb->cb[1] = p->object_id;
	skb->cb[2] = p->out_port_id;
	skb->cb[3] = p->out_ifindex;
}

static __always_inline int send(struct __sk_buff *skb, struct packet *p, int verdict)
{
	if (p->flags & PACKET_REPLY)
		return bpf_redirect(skb->ifindex, 0);
	if (verdict != VERDICT_DELIVERED)
		return TC_ACT_SHOT;
	if (p->out_kind == PORT_VETH && !(p->flags & PACKET_NO_ETHERNET)) {
		/* The stack on the other side takes what is marked as its own. */
		if (skb->pkt_type)
			bpf_skb_change_type(skb, 0);
		return bpf_redirect_peer(p->out_ifindex, 0);
	}
	return bpf_redirect(p->out_ifindex, 0);
}

static __always_inline struct attachment *attachment_of(__u32 ifindex)
{
	struct attachment_key key = { .ifindex = ifindex };

	if (ifindex < ATTACHMENTS_NEAR)
		return table_lookup(attachments, &key);
	return table_lookup(attachments_far, &key);
}

/* This CPU's packet, empty; NULL never in fact, but the verifier wants to see it asked. */
static __always_inline struct packet *packet_new(void)
{
	__u32 zero = 0;
	struct packet *p = bpf_map_lookup_elem(&scratch, &zero);

	if (p)
		__builtin_memset(p, 0, PACKET_CLEARED);
	return p;
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
		/* Slot 0 is no port's: what comes in where nobody is plugged in is counted there. */
		p->frame_length = skb->len;
		verdict = pipeline_end(skb, p, VERDICT_UNKNOWN_PORT);
	}
	tell_tester(skb, p, verdict);
	return send(skb, p, verdict);
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
