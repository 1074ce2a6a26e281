/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The programs at the underlay, at tc ingress:
 *
 *	from_underlay		the NIC that other hosts' tunnels come in by
 *	from_underlay_raw	the same for a device without Ethernet (WireGuard, tun)
 *	from_tunnel_device	the kernel's own tunnel device, which has taken the outer headers off
 *
 * The NIC is the host's. What is no tunnel's goes on untouched after a look at protocol and port, with
 * whatever other filters hang there. Here too: the slow half of the way out (underlay.h has the fast
 * one), copies of floods, and news of routers that find our packets too big.
 *
 * Neighbours: core/pipeline.h (pipeline_from_underlay), edge.h (ways out), datapath/kernel_attach.c.
 */
#include "core/police.h"
#include "target/bpf/edge.h"

#define AF_INET 2
#define AF_INET6 10
#define LOOPBACK_IFINDEX 1

#define PROTOCOL_IPIP 4
#define PROTOCOL_IPV6 41
#define PROTOCOL_GRE 47

#define ICMP_UNREACHABLE 3
#define ICMP_NEEDS_FRAGMENTS 4
#define ICMPV6_TOO_BIG 2
#define NEWS_RATE 20 /* events a second and CPU */

/* pkt_type of frames to the device's own MAC, and to another one (linux/if_packet.h). */
#define PACKET_TYPE_HOST 0
#define PACKET_TYPE_OTHER 3

/* Set by who loads the programs to run them on frames of his own: nothing leaves, and no route is asked
 * for. The vectors do; to all others the kernel compiles it away. */
const volatile __u32 underlay_dry_run = 0;

static __always_inline void address_ipv4(struct address *to, __be32 address)
{
	to->word[0] = to->word[1] = 0;
	to->word[2] = IPV4_MAPPED;
	to->word[3] = address;
}

/* ---- the way out ---- */

/* Asks the host's routes. Return: enum of BPF_FIB_LKUP_RET_, or negative errno. */
OUT_OF_LINE int ask_route(struct frame *f, const struct packet *p, struct bpf_fib_lookup *fib)
{
	__u32 length = f->len - ETHERNET_SIZE;

	/* The barrier keeps the compiler from reading frame and packet by one instruction. */
	asm volatile("" : "+r"(length));
	/* Of a frame that stands for several packets, each of them. Tags that are kept are in both sizes. */
	if (f->gso_size)
		length = p->packet_length + p->outer_size - 4 * p->kept_count;
	fib->ifindex = LOOPBACK_IFINDEX;
	/* Without a length the kernel compares with the device's MTU, and not with that of the route. */
	fib->tot_len = length > 0xffff ? 0 : (__u16)length;
	if (address_is_ipv4(&p->outer_destination)) {
		fib->family = AF_INET;
		fib->ipv4_src = p->outer_source.word[3];
		fib->ipv4_dst = p->outer_destination.word[3];
	} else {
		fib->family = AF_INET6;
		__builtin_memcpy(fib->ipv6_src, &p->outer_source, 16);
		__builtin_memcpy(fib->ipv6_dst, &p->outer_destination, 16);
	}
	return (int)bpf_fib_lookup(f, fib, sizeof(*fib), 0);
}

/* The type in the Ethernet header: that of the outer packet. */
static __always_inline void header_type(__u8 *ethernet, const struct packet *p)
{
	__be16 type = address_is_ipv4(&p->outer_destination) ? be16(ETHERTYPE_IPV4)
							     : be16(ETHERTYPE_IPV6);

	__builtin_memcpy(ethernet + 12, &type, 2);
}

static __always_inline struct next_hop *remember(const struct packet *p,
						 const struct bpf_fib_lookup *fib)
{
	__u32 slot = next_hop_slot(p);
	struct next_hop *hop = bpf_map_lookup_elem(&next_hops, &slot);

	if (!hop)
		return NULL;
	hop->remote = p->outer_destination;
	hop->local = p->outer_source.word[3];
	hop->found = clock_tick();
	hop->ifindex = fib->ifindex;
	hop->mtu = fib->mtu_result;
	mac_copy(hop->ethernet, fib->dmac);
	mac_copy(hop->ethernet + 6, fib->smac);
	header_type(hop->ethernet, p);
	return hop;
}

/* An underlay group: its MAC is made of its address, ours is the device's. Return: the device, 0: none. */
static __always_inline __u32 group_header(const struct packet *p, __u8 *ethernet)
{
	struct tunnel_key key = { .tunnel_id = p->out_ifindex };
	struct tunnel *tunnel = table_lookup(tunnels, &key);
	struct underlay_device *device;
	__u32 low = host32(p->outer_destination.word[3]), ifindex;

	if (!tunnel)
		return 0;
	ifindex = tunnel->ifindex;
	device = bpf_map_lookup_elem(&underlay_devices, &ifindex);
	if (!device)
		return 0;
	if (address_is_ipv4(&p->outer_destination)) {
		ethernet[0] = 0x01;
		ethernet[1] = 0;
		ethernet[2] = 0x5e;
		ethernet[3] = (__u8)(low >> 16 & 0x7f);
	} else {
		ethernet[0] = ethernet[1] = 0x33;
		ethernet[2] = (__u8)(low >> 24);
		ethernet[3] = (__u8)(low >> 16);
	}
	ethernet[4] = (__u8)(low >> 8);
	ethernet[5] = (__u8)low;
	mac_copy(ethernet + 6, device->mac);
	header_type(ethernet, p);
	return ifindex;
}

/* News for the daemon, as far as the rate allows. */
OUT_OF_LINE void tell_news(struct underlay_event *event)
{
	__u32 zero = 0;
	struct underlay_news *news = bpf_map_lookup_elem(&underlay_news, &zero);

	if (!news || !bucket_take(&news->tokens, NEWS_RATE, clock_tick()))
		return;
	event->tick_ns = clock_ns();
	bpf_ringbuf_output(&underlay_events, event, sizeof(*event), 0);
}

/* Takes back what was counted of a packet that cannot leave after all, and counts it as dropped. */
OUT_OF_LINE int refuse(struct frame *f, struct packet *p)
{
	struct slot_key in = { .slot = p->port_slot };
	struct slot_key out = { .slot = p->out_slot };
	struct verdict_key delivered = { .verdict = VERDICT_DELIVERED };
	struct verdict_counter *counter = table_lookup(verdicts, &delivered);
	struct port_stats *stats = table_lookup(port_stats, &in);

	if (p->copy) {
		mirror_lost(p);
		return TC_ACT_SHOT;
	}
	if (stats) {
		atomic_add(&stats->received_packets, -1);
		atomic_add(&stats->received_bytes, -(__u64)p->frame_length);
	}
	stats = table_lookup(port_stats, &out);
	if (stats && counter && !(p->flags & (PACKET_REPLY | PACKET_SENDING_ON)) &&
	    !p->flood_takers) {
		atomic_add(&stats->sent_packets, -1);
		atomic_add(&stats->sent_bytes, -(__u64)p->frame_length);
		counter->packets -= 1;
		counter->bytes -= p->frame_length;
	}
	p->object_id = p->out_port_id;
	pipeline_end(f, p, VERDICT_UNDERLAY_UNREACHABLE);
	tell_tester(f, p, VERDICT_UNDERLAY_UNREACHABLE);
	return TC_ACT_SHOT;
}

OUT_OF_LINE void tell_too_big_here(const struct packet *p, __u32 mtu)
{
	struct underlay_event event = {
		.kind = UNDERLAY_TOO_BIG_HERE,
		.mtu = mtu,
		.local = p->outer_source,
		.remote = p->outer_destination,
		.from = p->outer_source,
	};

	tell_news(&event);
}

/* Sends a frame whose way is not remembered. Returns what tc is to do with it. */
int underlay_ask(struct frame *f, struct packet *p)
{
	struct bpf_fib_lookup fib = {};
	struct bpf_redir_neigh next = {};
	__u8 ethernet[ETHERNET_SIZE] = {};
	__u32 ifindex;
	int result;

	if (!p)
		return TC_ACT_SHOT;
	if (underlay_dry_run)
		return (int)bpf_redirect(LOOPBACK_IFINDEX, 0);
	if (address_is_multicast(&p->outer_destination)) {
		ifindex = group_header(p, ethernet);
		if (!ifindex || frame_store(f, 0, ethernet, ETHERNET_SIZE))
			return refuse(f, p);
		return (int)bpf_redirect(ifindex, 0);
	}
	result = ask_route(f, p, &fib);
	if (result == BPF_FIB_LKUP_RET_SUCCESS)
		remember(p, &fib);
	else if (result == BPF_FIB_LKUP_RET_FRAG_NEEDED)
		tell_too_big_here(p, fib.mtu_result);
	if (result != BPF_FIB_LKUP_RET_SUCCESS && result != BPF_FIB_LKUP_RET_NO_NEIGH)
		return refuse(f, p);
	if (result == BPF_FIB_LKUP_RET_NO_NEIGH)
		p->unresolved_tunnel_id = p->out_ifindex;
	/* The kernel sends nothing on that comes with the MAC of a group, which may stand there. */
	header_type(ethernet, p);
	if (frame_store(f, 0, ethernet, ETHERNET_SIZE))
		return refuse(f, p);
	next.nh_family = fib.family;
	__builtin_memcpy(next.ipv6_nh, fib.ipv6_dst, 16);
	return (int)bpf_redirect_neigh(fib.ifindex, &next, sizeof(next), 0);
}

/*
 * A copy to an end whose neighbour is not resolved: the kernel resolves none for a copy, but for a frame of its own.
 * So the copy goes in at the punt device, by whose program it comes to underlay_wait(). While weftd does not run
 * there is no such device, and the end gets no copy; but of those ends one gets the frame itself (underlay_last).
 * 0 or negative.
 */
static __always_inline int copy_that_waits(struct frame *f, struct packet *p)
{
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared = table_lookup(state, &zero);
	const __u32 others = p->unresolved_tunnel_id;
	__u8 ethernet[ETHERNET_SIZE] = {};

	p->unresolved_tunnel_id = p->out_ifindex;
	if (!shared || !frame_device_there(f, (__u32)shared->punt_ifindex))
		return -1;
	header_type(ethernet, p);
	if (frame_store(f, 0, ethernet, ETHERNET_SIZE) ||
	    frame_copy_marked(f, (__u32)shared->punt_ifindex, UNDERLAY_WAIT_MARK))
		return -1;
	p->unresolved_tunnel_id = others;
	return 0;
}

/* A copy of the outer packet to p->outer_destination. 0 or negative. */
int frame_copy_underlay(struct frame *f, struct packet *p)
{
	struct bpf_fib_lookup fib = {};
	__u8 ethernet[ETHERNET_SIZE];
	struct next_hop *hop;
	__u32 ifindex;
	int result;

	if (!p)
		return -1;
	if (underlay_dry_run)
		return 0;
	if (address_is_multicast(&p->outer_destination)) {
		ifindex = group_header(p, ethernet);
		if (!ifindex)
			return -1;
	} else {
		hop = underlay_known(f, p);
		if (!hop) {
			result = ask_route(f, p, &fib);
			if (result == BPF_FIB_LKUP_RET_NO_NEIGH)
				return copy_that_waits(f, p);
			if (result)
				return -1;
			hop = remember(p, &fib);
		}
		if (!hop)
			return -1;
		__builtin_memcpy(ethernet, hop->ethernet, ETHERNET_SIZE);
		ifindex = hop->ifindex;
	}
	if (frame_store(f, 0, ethernet, ETHERNET_SIZE))
		return -1;
	return (int)bpf_clone_redirect(f, ifindex, 0);
}

/* The flooded frame itself, when its copies are out: to an end whose neighbour is not resolved. Returns
 * what tc is to do with it. */
int underlay_last(struct frame *f, struct packet *p)
{
	if (!p)
		return TC_ACT_SHOT;
	p->out_ifindex = p->unresolved_tunnel_id;
	if (tunnel_push(f, p) != VERDICT_DELIVERED)
		return TC_ACT_SHOT;
	return underlay_ask(f, p);
}

/* The ends of the outer packet that the frame is. 0 or negative. */
static __always_inline int read_ends(struct frame *f, struct packet *p)
{
	__be32 ends[2];

	if (f->protocol == be16(ETHERTYPE_IPV4)) {
		if (frame_load(f, ETHERNET_SIZE + 12, ends, 8))
			return -1;
		address_ipv4(&p->outer_source, ends[0]);
		address_ipv4(&p->outer_destination, ends[1]);
		return 0;
	}
	return frame_load(f, ETHERNET_SIZE + 8, &p->outer_source, 16) ||
	       frame_load(f, ETHERNET_SIZE + 24, &p->outer_destination, 16);
}

/* Sends a copy on that the kernel is to keep until its neighbour has answered. Returns what tc is to do with it. */
int underlay_wait(struct frame *f, struct packet *p)
{
	struct bpf_fib_lookup fib = {};
	struct bpf_redir_neigh next = {};
	int result = BPF_FIB_LKUP_RET_UNREACHABLE;

	if (!p)
		return TC_ACT_SHOT;
	f->mark = 0;
	p->frame_length = f->len;
	p->outer_size = 0;
	if (!read_ends(f, p))
		result = ask_route(f, p, &fib);
	if (result != BPF_FIB_LKUP_RET_SUCCESS && result != BPF_FIB_LKUP_RET_NO_NEIGH) {
		bridge_lost(p);
		return TC_ACT_SHOT;
	}
	next.nh_family = fib.family;
	__builtin_memcpy(next.ipv6_nh, fib.ipv6_dst, 16);
	return (int)bpf_redirect_neigh(fib.ifindex, &next, sizeof(next), 0);
}

/* ---- the way in ---- */

/* One of this host's ends sent the packet that an ICMP message speaks of, to an end that is known. */
OUT_OF_LINE void take_news(struct underlay_event *event)
{
	struct vtep_key key = {};
	struct vtep *vtep;

	key.address = event->local;
	vtep = table_lookup(vteps, &key);
	if (!vtep || !(vtep->flags & VTEP_LOCAL))
		return;
	key.address = event->remote;
	if (!table_lookup(vteps, &key))
		return;
	event->kind = UNDERLAY_TOO_BIG;
	tell_news(event);
}

/* Destination unreachable, fragmentation needed (RFC 792, 1191): 8 bytes, then the packet it is about. */
OUT_OF_LINE void news_ipv4(struct frame *f, __u32 l3, __u32 l4)
{
	struct underlay_event event = {};
	__be32 address;
	__be16 mtu;
	__u8 type[2];

	if (frame_load(f, l4, type, 2) || type[0] != ICMP_UNREACHABLE ||
	    type[1] != ICMP_NEEDS_FRAGMENTS || frame_load(f, l4 + 6, &mtu, 2))
		return;
	event.mtu = host16(mtu);
	if (frame_load(f, l4 + 8 + 12, &address, 4))
		return;
	address_ipv4(&event.local, address);
	if (frame_load(f, l4 + 8 + 16, &address, 4))
		return;
	address_ipv4(&event.remote, address);
	if (frame_load(f, l3 + 12, &address, 4))
		return;
	address_ipv4(&event.from, address);
	take_news(&event);
}

/* Packet too big (RFC 4443, 3.2). */
OUT_OF_LINE void news_ipv6(struct frame *f, __u32 l3, __u32 l4)
{
	struct underlay_event event = {};
	__be32 mtu;
	__u8 type;

	if (frame_load(f, l4, &type, 1) || type != ICMPV6_TOO_BIG || frame_load(f, l4 + 4, &mtu, 4))
		return;
	event.mtu = host32(mtu);
	if (frame_load(f, l4 + 8 + 8, &event.local, 16) ||
	    frame_load(f, l4 + 8 + 24, &event.remote, 16) || frame_load(f, l3 + 8, &event.from, 16))
		return;
	take_news(&event);
}

static __always_inline int port_is_ours(struct frame *f, __u32 l4)
{
	struct tunnel_port_key key = {};
	__be16 *port = frame_header(f, l4 + 2, 2);

	if (!port)
		return 0;
	key.port = *port;
	return table_lookup(tunnel_ports, &key) != NULL;
}

/*
 * Could the packet be a tunnel's? Nearly everything that is the host's own ends here. l3: where the IP
 * header is. Of IPv6 what has extension headers is for the pipeline to read.
 */
static __always_inline int ours_ipv4(struct frame *f, __u32 l3)
{
	__u8 *ip = frame_header(f, l3, 20);
	__u32 l4;

	if (!ip || ip[9] == PROTOCOL_TCP)
		return 0;
	l4 = l3 + (ip[0] & 15) * 4;
	switch (ip[9]) {
	case PROTOCOL_UDP: return !((ip[6] & 0x1f) | ip[7]) && port_is_ours(f, l4);
	case PROTOCOL_ICMP: news_ipv4(f, l3, l4); return 0;
	case PROTOCOL_GRE:
	case PROTOCOL_IPIP:
	case PROTOCOL_IPV6: return 1;
	default: return 0;
	}
}

static __always_inline int ours_ipv6(struct frame *f, __u32 l3)
{
	__u8 *ip = frame_header(f, l3, 40);

	if (!ip || ip[6] == PROTOCOL_TCP)
		return 0;
	switch (ip[6]) {
	case PROTOCOL_UDP: return port_is_ours(f, l3 + 40);
	case PROTOCOL_ICMPV6: news_ipv6(f, l3, l3 + 40); return 0;
	case PROTOCOL_GRE:
	case PROTOCOL_IPIP:
	case PROTOCOL_IPV6:
	case PROTOCOL_HOP_BY_HOP:
	case PROTOCOL_ROUTING:
	case PROTOCOL_FRAGMENT:
	case PROTOCOL_DESTINATION_OPTIONS: return 1;
	default: return 0;
	}
}

static __always_inline int may_be_ours(struct frame *f, __u32 l3)
{
	if (f->vlan_present)
		return 0; /* for a VLAN device above this one */
	if (f->protocol == be16(ETHERTYPE_IPV4))
		return ours_ipv4(f, l3);
	return f->protocol == be16(ETHERTYPE_IPV6) && ours_ipv6(f, l3);
}

static __always_inline int take(struct __sk_buff *skb)
{
	struct packet *p = packet_new();
	int verdict;

	if (!p)
		return TC_ACT_SHOT;
	verdict = pipeline_from_underlay(skb, p);
	tell_tester(skb, p, verdict);
	if (verdict != VERDICT_NOT_OURS)
		return edge_send(skb, p, verdict);
	if (frame_comes_again(skb, p->source_flags))
		return edge_take_apart(skb, frame_segmenter());
	return TC_ACT_UNSPEC;
}

SEC("tc")
int from_underlay(struct __sk_buff *skb)
{
	return may_be_ours(skb, ETHERNET_SIZE) ? take(skb) : TC_ACT_UNSPEC;
}

static __always_inline int is_underlay(struct __sk_buff *skb)
{
	__u32 ifindex = skb->ifindex;

	return bpf_map_lookup_elem(&underlay_devices, &ifindex) != NULL;
}

/* Does a segment have even those frames that are for the host? tag: type << 16 | control information, or 0. */
static __always_inline int wire_is_taken(struct __sk_buff *skb, __u32 tag)
{
	struct wire_key key = { .ifindex = skb->ifindex };
	struct wire *wire;

	if (tag & 0xfff) {
		key.type = (__u16)(tag >> 16);
		key.tag = tag & 0xfff;
		if (table_lookup(wires, &key))
			return 1;
		key.type = key.tag = 0;
	}
	wire = table_lookup(wires, &key);
	return wire && (wire->flags & (WIRE_WHOLE | WIRE_SHARED | WIRE_ALONE));
}

/*
 * What is of no segment is the host's, or a tunnel's where the NIC is the underlay's as well. Of the frames
 * without a tag of a segment's, which a flat one has for its own, those to the NIC's MAC are the host's all the same,
 * and those to all are everybody's: what macvlan's users expect of a NIC with an address. (Not so where
 * one port has the wire.)
 */
static __always_inline int take_wire(struct __sk_buff *skb)
{
	__u32 type = skb->pkt_type, tag = frame_tag(skb);
	struct packet *p;
	int verdict;

	if (type == PACKET_TYPE_HOST && !wire_is_taken(skb, tag))
		return TC_ACT_UNSPEC;
	p = packet_new();
	if (!p)
		return TC_ACT_SHOT;
	verdict = pipeline_from_wire(skb, p, skb->ifindex);
	tell_tester(skb, p, verdict);
	if (verdict == VERDICT_NOT_OURS)
		return TC_ACT_UNSPEC;
	if ((!(tag & 0xfff) || p->kept_tag) && type != PACKET_TYPE_OTHER &&
	    type != PACKET_TYPE_HOST && !(p->wire_flags & WIRE_WHOLE) &&
	    verdict != VERDICT_DELIVERED && !(p->flags & PACKET_REPLY) && !p->tag &&
	    !p->unresolved_tunnel_id)
		return TC_ACT_UNSPEC;
	return edge_send(skb, p, verdict);
}

SEC("tc")
int from_uplink(struct __sk_buff *skb)
{
	/* What is for another MAC is no tunnel's: the NIC hears it for the sake of its segments. */
	if (skb->pkt_type != PACKET_TYPE_OTHER && is_underlay(skb) &&
	    may_be_ours(skb, ETHERNET_SIZE))
		return take(skb);
	return take_wire(skb);
}

/* The stages want an Ethernet header to be there. The host's stack does not mind one, for it reads on at
 * the IP header. */
SEC("tc")
int from_underlay_raw(struct __sk_buff *skb)
{
	__be16 ethertype = (__be16)skb->protocol;

	if (!may_be_ours(skb, 0))
		return TC_ACT_UNSPEC;
	if (bpf_skb_change_head(skb, ETHERNET_SIZE, 0) ||
	    bpf_skb_store_bytes(skb, 12, &ethertype, 2, 0))
		return TC_ACT_SHOT;
	return take(skb);
}

/* What the kernel says of the headers it has taken off. 0 or negative. */
OUT_OF_LINE int read_tunnel_key(struct __sk_buff *skb, struct packet *p)
{
	struct bpf_tunnel_key key = {};

	if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), 0)) {
		address_ipv4(&p->outer_source, be32(key.remote_ipv4));
		address_ipv4(&p->outer_destination, be32(key.local_ipv4));
	} else if (!bpf_skb_get_tunnel_key(skb, &key, sizeof(key), BPF_F_TUNINFO_IPV6)) {
		__builtin_memcpy(&p->outer_source, key.remote_ipv6, 16);
		__builtin_memcpy(&p->outer_destination, key.local_ipv6, 16);
	} else {
		return -1;
	}
	p->segment = key.tunnel_id;
	p->outer_service = key.tunnel_tos;
	p->outer_ttl = key.tunnel_ttl;
	return 0;
}

SEC("tc")
int from_tunnel_device(struct __sk_buff *skb)
{
	struct packet *p = packet_new();
	__u32 ifindex = skb->ifindex;
	struct tunnel_device *device = bpf_map_lookup_elem(&tunnel_devices, &ifindex);
	int verdict;

	if (!p || !device || read_tunnel_key(skb, p))
		return TC_ACT_SHOT;
	p->outer_kind = (__u8)device->kind;
	p->outer_port = device->port;
	verdict = pipeline_from_device(skb, p);
	tell_tester(skb, p, verdict);
	return edge_send(skb, p, verdict);
}
