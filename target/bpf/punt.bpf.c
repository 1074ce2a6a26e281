/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program at the punt device: from_punt, at its tc ingress. What weftd writes there goes to the port
 * that it names, whatever the pipeline would say of it; but what weftd has held goes through the pipeline. And copies
 * of floods come in here that are to wait for a neighbour (underlay.bpf.c).
 *
 * Neighbours: core/punt.c (the work), edge.h (the ways out), datapath/kernel_attach.c (the loader).
 */
#include "target/bpf/edge.h"

SEC("tc")
int from_punt(struct __sk_buff *skb)
{
	struct packet *p = packet_new();
	int verdict;

	if (!p)
		return TC_ACT_SHOT;
	if (skb->mark == UNDERLAY_WAIT_MARK)
		return underlay_wait(skb, p);
	p->ethertype = (__be16)skb->protocol;
	verdict = punt_return(skb, p);
	if (verdict_is_drop(verdict))
		pipeline_end(skb, p, verdict);
	tell_tester(skb, p, verdict);
	tell_tag(skb);
	/* What was held comes in anew by the device that it came by. */
	if (verdict == VERDICT_HELD)
		return (int)bpf_redirect(p->out_ifindex, BPF_F_INGRESS);
	if (verdict == VERDICT_FLOODED)
		return p->unresolved_tunnel_id ? underlay_last(skb, p) : TC_ACT_SHOT;
	/* Through the device: the other side of a veth reads the frame's type and MAC for itself. */
	return verdict == VERDICT_DELIVERED ? (int)bpf_redirect(p->out_ifindex, 0) : TC_ACT_SHOT;
}
