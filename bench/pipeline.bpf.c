/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Around the pipeline in the bench: makes each run of one frame a run of a fresh frame.
 *
 * BPF_PROG_TEST_RUN repeats a program on the same frame, and the pipeline rewrites it: the second
 * run would meet other MAC addresses. So `again` puts the Ethernet header back and, where first
 * packets are measured, counts a port up, then tail-calls the program that is measured.
 * What this costs is measured with `at_once` in the program's place. pipeline.c is the other half.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bench/pipeline.h"

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__type(key, __u32);
	__type(value, struct pipeline_frame);
	__uint(max_entries, 1);
} frames SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__type(key, __u32);
	__type(value, __u32);
	__uint(max_entries, 1);
} measured SEC(".maps");

SEC("tc")
int at_once(struct __sk_buff *skb)
{
	(void)skb;
	return TC_ACT_REDIRECT; /* what the pipeline returns for a delivered packet */
}

SEC("tc")
int again(struct __sk_buff *skb)
{
	__u8 *data = (void *)(long)skb->data, *end = (void *)(long)skb->data_end;
	struct pipeline_frame *frame;
	__u32 zero = 0;

	frame = bpf_map_lookup_elem(&frames, &zero);
	if (!frame || data + PIPELINE_FRAME_SIZE > end)
		return TC_ACT_SHOT;
	__builtin_memcpy(data, frame->ethernet, sizeof(frame->ethernet));
	*(__be16 *)(data + PIPELINE_SOURCE_PORT) = bpf_htons((__u16)frame->source_port);
	*(__be16 *)(data + PIPELINE_DESTINATION_PORT) = bpf_htons((__u16)frame->destination_port);
	frame->source_port += frame->source_step;
	frame->destination_port += frame->destination_step;
	bpf_tail_call(skb, &measured, 0);
	return TC_ACT_SHOT;
}

/* The devices that `straight` joins. */
volatile const __u32 ends[2];

/* The least that a program can do between two ports: what any datapath of this kind costs at least. */
SEC("tc")
int straight(struct __sk_buff *skb)
{
	if (skb->pkt_type)
		bpf_skb_change_type(skb, 0);
	return (int)bpf_redirect_peer(skb->ifindex == ends[0] ? ends[1] : ends[0], 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
