/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The way out to the underlay: which device, which MACs, for a frame that is an outer packet by now.
 *
 * The host's own routes and neighbours decide. Asking them costs some 300 ns, so each CPU remembers the
 * answer for two ends for at most a second (next_hops). The packet that asks goes by bpf_redirect_neigh:
 * the kernel resolves the neighbour for it, and keeps on probing one that is used, which it would not
 * notice of frames whose MACs are written here. All others find their header ready.
 *
 * A device without Ethernet (WireGuard, tun) works the same: its neighbours have no MAC, and the kernel
 * takes the Ethernet header off where it redirects to such a device.
 *
 * Asking is done as for a packet that comes in by loopback, whose routing is that of the host's own
 * packets; the kernel answers only when forwarding is on there (datapath/kernel_attach.c sees to that).
 */
#ifndef WEFT_TARGET_BPF_UNDERLAY_H
#define WEFT_TARGET_BPF_UNDERLAY_H

#include "core/pipeline.h"

/* Of a frame that goes in at the punt device: an outer packet, which the kernel is to keep until its neighbour has
 * answered. What weftd writes there bears no mark. */
#define UNDERLAY_WAIT_MARK 0x77656677u

#define NEXT_HOPS_BITS 12
#define NEXT_HOPS (1 << NEXT_HOPS_BITS)

/* The outer Ethernet header between two ends, and the device it leaves by. */
struct next_hop {
	struct address remote; /* outer destination; zero: none */
	__be32 local;          /* last word of the outer source */
	__u32 found;           /* tick */
	__u32 ifindex;
	__u32 mtu; /* of the route, bytes of IP */
	__u8 ethernet[ETHERNET_SIZE];
	__u8 pad[2];
};

struct next_hop_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, NEXT_HOPS);
	__type(key, __u32);
	__type(value, struct next_hop);
};
extern struct next_hop_map next_hops SEC(".maps");

struct underlay_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 14);
};
extern struct underlay_ring underlay_events SEC(".maps");

/* Token bucket of underlay_events; a row for each CPU. */
struct underlay_news {
	__u64 tokens;
};

struct underlay_news_map {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct underlay_news);
};
extern struct underlay_news_map underlay_news SEC(".maps");

/* By ifindex; the loader writes them where it attaches the programs. */
struct tunnel_device_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct tunnel_device);
};
extern struct tunnel_device_map tunnel_devices SEC(".maps");

struct underlay_device_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u32);
	__type(value, struct underlay_device);
};
extern struct underlay_device_map underlay_devices SEC(".maps");

int underlay_ask(struct frame *f, struct packet *p);
int underlay_last(struct frame *f, struct packet *p);
int underlay_wait(struct frame *f, struct packet *p);

/* The place of this packet's two ends; whoever else is there, too, has to ask more often. */
static __always_inline __u32 next_hop_slot(const struct packet *p)
{
	__u32 mixed = host32(p->outer_destination.word[3]) ^ host32(p->outer_source.word[3]) * 31 ^
		      host32(p->outer_destination.word[1]);

	return (mixed * 0x9e3779b1u) >> (32 - NEXT_HOPS_BITS);
}

/* The remembered way of this outer packet, or NULL. Segments of a GSO frame were measured before. */
static __always_inline struct next_hop *underlay_known(struct frame *f, struct packet *p)
{
	__u32 slot = next_hop_slot(p);
	struct next_hop *hop = bpf_map_lookup_elem(&next_hops, &slot);

	if (!hop || !address_equal(&hop->remote, &p->outer_destination) ||
	    hop->local != p->outer_source.word[3] ||
	    ticks_passed(clock_tick(), hop->found, TICKS_PER_SECOND) ||
	    (!f->gso_size && f->len - ETHERNET_SIZE > hop->mtu))
		return NULL;
	return hop;
}

/* Sends the outer packet to p->outer_destination. Returns what tc is to do with it. */
static __always_inline int underlay_send(struct frame *f, struct packet *p)
{
	struct next_hop *hop = underlay_known(f, p);
	__u8 *ethernet;

	if (!hop)
		return underlay_ask(f, p);
	ethernet = frame_header(f, 0, ETHERNET_SIZE);
	if (!ethernet)
		return underlay_ask(f, p);
	__builtin_memcpy(ethernet, hop->ethernet, ETHERNET_SIZE);
	return bpf_redirect(hop->ifindex, 0);
}

#endif
