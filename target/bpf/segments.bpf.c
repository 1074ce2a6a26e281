/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The program behind the device that takes frames of several packets apart (agent/devices/segmenter.h): each
 * packet goes back to where the frame came in, and is received there.
 *
 * Neighbours: edge.h (the way to the device), datapath/kernel_attach.c (the loader).
 */
#include "target/bpf/edge.h"

SEC("tc")
int from_segmenter(struct __sk_buff *skb)
{
	/* What bears no mark was not sent by the programs. */
	return skb->mark ? (int)bpf_redirect(skb->mark, BPF_F_INGRESS) : TC_ACT_SHOT;
}
