/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program at the mirror device: from_mirror, at its tc ingress. Copies come in there that are to be cut, or
 * leave by a tunnel. Nothing else does: the device has no address, and nobody reads or writes it.
 *
 * Neighbours: core/mirror.c (the work), core/watch.c (who makes the copies), datapath/kernel_attach.c (the loader).
 */
#include "target/bpf/edge.h"

#define TC_ACT_REDIRECT 7

SEC("tc")
int from_mirror(struct __sk_buff *skb)
{
	struct packet *p = packet_new();
	const __u32 mark = skb->mark;
	int verdict, action = TC_ACT_SHOT;

	if (!p)
		return TC_ACT_SHOT;
	skb->mark = 0;
	verdict = mirror_send(skb, p, mark);
	tell_tester(skb, p, verdict);
	tell_tag(skb);
	if (verdict != VERDICT_DELIVERED) {
		mirror_lost(p);
		return TC_ACT_SHOT;
	}
	if (p->flags & PACKET_TO_UNDERLAY) {
		name_sender(skb, p);
		action = underlay_send(skb, p);
	} else {
		action = (int)bpf_redirect(p->out_ifindex, 0);
	}
	if (action == TC_ACT_REDIRECT)
		mirror_sent(p);
	return action;
}
