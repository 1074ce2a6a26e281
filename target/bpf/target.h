/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF target: frame and table verbs as kernel helpers.
 *
 * core/ includes "target.h" and gets this one or target/native/target.h, by the include path. A frame
 * is the skb of a tc program. Pointers from frame_header live until the next frame_ verb; pointers from
 * table_lookup may be used until the program ends; but when the row is removed meanwhile on another CPU,
 * its memory may become another row's (flow.h says what follows).
 */
#ifndef WEFT_TARGET_H
#define WEFT_TARGET_H

#include <linux/bpf.h>
#include <linux/types.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "core/tables.h"
#include "core/verdict.h"
#include "target/carrier.h"

#define frame __sk_buff

#define be16(x) ((__be16)bpf_htons(x))
#define be32(x) ((__be32)bpf_htonl(x))
#define host16(x) ((__u16)bpf_ntohs(x))
#define host32(x) ((__u32)bpf_ntohl(x))

/* A function of a header that is not to be copied into its callers; also when there is none. */
#define OUT_OF_LINE static __attribute__((noinline, unused))

/* Of Linux 6.3, which the headers of Debian 12 do not have. */
#define ADJ_ROOM_DECAP_L3_IPV4 (1ULL << 7)
#define ADJ_ROOM_DECAP_L3_IPV6 (1ULL << 8)

/* No header that the pipeline reads begins beyond this. */
#define FRAME_HEADERS_MAX 1024

#define TABLE_KIND_HASH                                                                            \
	__uint(type, BPF_MAP_TYPE_HASH);                                                           \
	__uint(map_flags, BPF_F_NO_PREALLOC)
#define TABLE_KIND_HASH_PREALLOCATED __uint(type, BPF_MAP_TYPE_HASH)
#define TABLE_KIND_LRU_HASH __uint(type, BPF_MAP_TYPE_LRU_HASH)
#define TABLE_KIND_LPM_TRIE                                                                        \
	__uint(type, BPF_MAP_TYPE_LPM_TRIE);                                                       \
	__uint(map_flags, BPF_F_NO_PREALLOC)
#define TABLE_KIND_ARRAY                                                                           \
	__uint(type, BPF_MAP_TYPE_ARRAY);                                                          \
	__uint(map_flags, BPF_F_MMAPABLE)
#define TABLE_KIND_PERCPU_ARRAY __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY)

/* The kernel wants to see a plain integer as the key of an array. */
#define TABLE_KEY_HASH(key_type) __type(key, key_type)
#define TABLE_KEY_HASH_PREALLOCATED(key_type) __type(key, key_type)
#define TABLE_KEY_LRU_HASH(key_type) __type(key, key_type)
#define TABLE_KEY_LPM_TRIE(key_type) __type(key, key_type)
#define TABLE_KEY_ARRAY(key_type) __type(key, __u32)
#define TABLE_KEY_PERCPU_ARRAY(key_type) __type(key, __u32)

#define TABLE_TYPE(table, kind, key_type, value_type, room)                                        \
	struct table_##table {                                                                     \
		TABLE_KIND_##kind;                                                                 \
		TABLE_KEY_##kind(key_type);                                                        \
		__type(value, value_type);                                                         \
		__uint(max_entries, room);                                                         \
	};
WEFT_TABLES(TABLE_TYPE)

#define TABLE_EXTERN(table, kind, key_type, value_type, room)                                      \
	extern struct table_##table table SEC(".maps");
WEFT_TABLES(TABLE_EXTERN)

/* The row, or NULL. Opaque to the compiler, which otherwise moves arithmetic above the NULL check. */
#define table_lookup(table, key)                                                                   \
	({                                                                                         \
		__typeof__(*((struct table_##table *)0)->value) *row_ =                            \
			bpf_map_lookup_elem(&table, key);                                          \
		asm volatile("" : "+r"(row_));                                                     \
		row_;                                                                              \
	})
/* Put a row, new or in the place of another. 0 or negative errno. */
#define table_put(table, key, row) bpf_map_update_elem(&table, key, row, BPF_ANY)
/* Put a row where there is none. 0, -EEXIST, -E2BIG. */
#define table_add(table, key, row) bpf_map_update_elem(&table, key, row, BPF_NOEXIST)
#define table_remove(table, key) bpf_map_delete_elem(&table, key)

#define atomic_add(counter, n) ((void)__sync_fetch_and_add(counter, n))
#define atomic_swap_if(word, old, new) (__sync_val_compare_and_swap(word, old, new) == (old))
#define atomic_fetch_add64(counter, n) __sync_fetch_and_add(counter, n)
#define atomic_fetch_add32(counter, n) __sync_fetch_and_add(counter, n)

/* Keeps reads and writes before it before those after it, as far as the compiler goes. */
#define compiler_barrier() asm volatile("" ::: "memory")

/* What table_add says where there is a row already. */
#define TABLE_ROW_EXISTS (-17)

/* Writes a word after everything written before it is to be seen. */
#define atomic_write(word, value) ((void)__sync_lock_test_and_set(word, value))

/* Monotonic clock in ticks; coarse, to a few milliseconds. */
static __always_inline __u32 clock_tick(void)
{
	return (__u32)(bpf_ktime_get_coarse_ns() >> 20);
}

static __always_inline __u64 clock_ns(void)
{
	return bpf_ktime_get_coarse_ns();
}

/* The same clock, exact; costs more. */
static __always_inline __u64 clock_exact_ns(void)
{
	return bpf_ktime_get_ns();
}

static __always_inline __u32 frame_length(struct frame *f)
{
	return f->len;
}

/* Payload bytes of each segment where the frame stands for several packets, else 0. */
static __always_inline __u32 frame_segment_size(struct frame *f)
{
	return f->gso_size;
}

/* weftd had held the frame, and it comes in anew (hold.c): a mark, which lasts for one look at it. */
static __always_inline void frame_set_returned(struct frame *f)
{
	f->mark = PUNT_RETURNED_MARK;
}

static __always_inline int frame_is_returned(struct frame *f)
{
	if (f->mark != PUNT_RETURNED_MARK)
		return 0;
	f->mark = 0;
	return 1;
}

/* The tag the kernel has taken out of the frame: 0x10000 | control information, or 0. */
static __always_inline __u32 frame_vlan(struct frame *f)
{
	return f->vlan_present ? 0x10000 | f->vlan_tci : 0;
}

/* The linear part of the frame. In assembly, for the compiler otherwise computes addresses inside the
 * context, which the verifier refuses. */
static __always_inline void *frame_data(struct frame *f)
{
	void *data;

	asm volatile("%0 = *(u32 *)(%1 + %2)"
		     : "=r"(data)
		     : "r"(f), "i"(__builtin_offsetof(struct frame, data)));
	return data;
}

static __always_inline void *frame_end(struct frame *f)
{
	void *end;

	asm volatile("%0 = *(u32 *)(%1 + %2)"
		     : "=r"(end)
		     : "r"(f), "i"(__builtin_offsetof(struct frame, data_end)));
	return end;
}

/* size bytes at offset, readable and writable; NULL when the frame is shorter. */
static __always_inline void *frame_header(struct frame *f, __u32 offset, __u32 size)
{
	void *header;

	if (offset > FRAME_HEADERS_MAX)
		return NULL;
	/* One addition, kept one by the barrier: the verifier knows the range of the sum it compared. */
	header = frame_data(f) + offset;
	asm volatile("" : "+r"(header));
	if (header + size <= frame_end(f))
		return header;
	if (offset + size > f->len || bpf_skb_pull_data(f, offset + size))
		return NULL;
	header = frame_data(f) + offset;
	asm volatile("" : "+r"(header));
	return header + size <= frame_end(f) ? header : NULL;
}

/* Copies in and out; 0 or negative. size is a constant. */
#define frame_load(f, offset, to, size) bpf_skb_load_bytes(f, offset, to, size)
#define frame_store(f, offset, from, size) bpf_skb_store_bytes(f, offset, from, size, 0)

/* Copies in 1 to room bytes, a number that is not a constant. The barrier is there for Linux 6.1, whose
 * verifier learns the least from a comparison, not from one with zero. 0 or negative. */
static __always_inline int frame_load_some(struct frame *f, __u32 offset, void *to, __u32 size,
					   __u32 room)
{
	__u32 more = size - 1;

	asm volatile("" : "+r"(more));
	return more < room ? (int)bpf_skb_load_bytes(f, offset, to, more + 1) : -1;
}

/* Copies out 1 to room bytes, likewise. 0 or negative. */
static __always_inline int frame_store_some(struct frame *f, __u32 offset, const void *from,
					    __u32 size, __u32 room)
{
	__u32 more = size - 1;

	asm volatile("" : "+r"(more));
	return more < room ? (int)bpf_skb_store_bytes(f, offset, from, more + 1, 0) : -1;
}

/* The same for bytes that no checksum in the frame covers: a sum of the whole that the NIC has made is
 * kept right. (What changes together with its checksum leaves that sum as it was.) */
#define frame_store_summed(f, offset, from, size)                                                  \
	bpf_skb_store_bytes(f, offset, from, size, BPF_F_RECOMPUTE_CSUM)

/* 16 bits under the TCP or UDP checksum at offset have become `to`: it follows. One that the sender has
 * left unfinished stays, for it covers them when it is finished; the kernel knows. */
#define frame_checksum_follow(f, offset, from, to) bpf_l4_csum_replace(f, offset, from, to, 2)

/*
 * Addresses under the TCP or UDP checksum at offset have changed by `difference` (folded one's complement
 * sums, new minus old): it follows, also one that is unfinished, for that is of the addresses. A UDP
 * checksum of zero, none, stays.
 */
static __always_inline int frame_checksum_readdressed(struct frame *f, __u32 offset,
						      __u32 difference, int udp)
{
	return (int)bpf_l4_csum_replace(f, offset, 0, difference,
					BPF_F_PSEUDO_HDR | (udp ? BPF_F_MARK_MANGLED_0 : 0));
}

/* Somebody (the NIC, the kernel's aggregation) has verified the outermost checksum of the frame. */
static __always_inline int frame_checksum_verified(struct frame *f)
{
	return f->gso_size || bpf_csum_level(f, BPF_CSUM_LEVEL_QUERY) >= 0;
}

/* Cuts or grows the frame's tail to length; 0 or negative. The rest of the frame stays. The kernel does not do it
 * to what it has marked as inside of a tunnel, and that mark stays when the pipeline takes the frame out: it is on
 * those that another host on the same machine has sent, and on those the kernel has aggregated. */
#define frame_resize(f, length) bpf_skb_change_tail(f, length, 0)

/* The most that the kernel inserts or removes at once. */
#define ROOM_STEP 0xfff

/* The most bytes of a segment, and of a frame, that are made one packet. */
#define RENEW_SEGMENT_STEPS 4
#define RENEW_STEPS 20

/*
 * Makes of a frame, which is IP, one packet of `length` bytes, to be written anew: its bytes have no defined
 * content afterwards. This is done to those as well that frame_resize refuses, for behind the Ethernet header the
 * kernel takes away and inserts with any. First all that it allows is taken away: with the transport header goes
 * the kernel's intent to finish a checksum there. 0 or negative.
 *
 * Of TCP segments in one frame the kernel makes each smaller by what is inserted, so that they fit as before. By
 * as much as a segment has, nothing is left of it, and the frame is one packet. (Those of UDP it does not change.)
 */
static __always_inline int frame_renew(struct frame *f, __u32 length)
{
	const __u32 least = 14 + (f->protocol == bpf_htons(0x86dd) ? 40 : 20);

	for (int i = 0; i < RENEW_SEGMENT_STEPS && f->gso_size; i++) {
		__s32 size = f->gso_size > ROOM_STEP ? ROOM_STEP : (__s32)f->gso_size;

		if (bpf_skb_adjust_room(f, size, BPF_ADJ_ROOM_MAC, 0))
			return -1;
	}
	if (f->gso_size)
		return -1;
#pragma clang loop unroll(disable)
	for (int i = 0; i < RENEW_STEPS && f->len > least + ROOM_STEP; i++) {
		if (bpf_skb_adjust_room(f, -ROOM_STEP, BPF_ADJ_ROOM_MAC, 0))
			return -1;
	}
	if (f->len > least && bpf_skb_adjust_room(f, (__s32)(least - f->len), BPF_ADJ_ROOM_MAC, 0))
		return -1;
	return (int)bpf_skb_adjust_room(f, (__s32)(length - f->len), BPF_ADJ_ROOM_MAC, 0);
}

/* Makes size bytes of room between the Ethernet header and what follows; 0 or negative. */
static __always_inline int frame_push(struct frame *f, __u32 size)
{
	return bpf_skb_adjust_room(f, size, BPF_ADJ_ROOM_MAC, 0);
}

/* Takes the outermost VLAN tag out of the frame. */
#define frame_vlan_pop(f) bpf_skb_vlan_pop(f)
#define frame_tag_pop(f) bpf_skb_vlan_pop(f)

/* The outermost tag, wherever the kernel keeps it: type << 16 | control information, or 0. */
static __always_inline __u32 frame_tag(struct frame *f)
{
	__be16 *tag;

	if (f->vlan_present)
		return (__u32)host16((__be16)f->vlan_proto) << 16 | (__u16)f->vlan_tci;
	if (f->protocol != bpf_htons(0x8100) && f->protocol != bpf_htons(0x88a8))
		return 0;
	tag = frame_header(f, 12, 4);
	return tag ? (__u32)host16(tag[0]) << 16 | host16(tag[1]) : 0;
}

/* Puts a tag on, outside of those that are there; 0 or negative. */
#define frame_tag_push(f, tag) bpf_skb_vlan_push(f, bpf_htons((__u16)((tag) >> 16)), (__u16)(tag))

/* Puts an 802.1Q tag with this control information around the frame; 0 or negative. */
#define frame_vlan_push(f, control) bpf_skb_vlan_push(f, bpf_htons(0x8100), control)

/* Is there a device with this index? The frame is not touched. */
static __always_inline int frame_device_there(struct frame *f, __u32 ifindex)
{
	__u32 mtu = 0;

	/* Asked for its MTU, for no other helper looks a device up; 0 would be the frame's own. */
	return ifindex && bpf_check_mtu(f, ifindex, &mtu, 0, 0) >= 0;
}

/*
 * Makes the kernel take the frame for one of the ethertype given, which is written to offset 12. No verb
 * does just that; but the kernel reads the type anew where it takes a VLAN tag out of a frame. 0 or
 * negative.
 */
static __always_inline int frame_set_protocol(struct frame *f, __be16 ethertype)
{
	if (f->vlan_present || bpf_skb_store_bytes(f, 12, &ethertype, 2, 0))
		return -1;
	/* The second tag moves the first into the frame, the first pop takes both out. */
	if (bpf_skb_vlan_push(f, bpf_htons(0x8100), 1) ||
	    bpf_skb_vlan_push(f, bpf_htons(0x8100), 1) || bpf_skb_vlan_pop(f) ||
	    bpf_skb_vlan_pop(f))
		return -1;
	return f->protocol == ethertype ? 0 : -1;
}

/*
 * Makes size bytes of room for tunnel headers between the Ethernet header and what follows it; frames of
 * several packets stay whole. The Ethernet header and the room have no defined content afterwards. The
 * reverse, frame_decapsulate, removes the size bytes behind the Ethernet header. how: enum frame_carrier.
 *
 * The kernel must know what is carried in what, to cut frames of several packets and to finish checksums
 * in the right place. It takes that for IP packets only, so any other is made one in its eyes; and once
 * for each frame: one that is in a tunnel already, of the tenant's own or one it has just left, gets
 * its room without, which is enough where it is a single packet. One of several packets keeps what the kernel
 * knew of its last headers, which is enough where the new ones are like them.
 */
static __always_inline int frame_encapsulate(struct frame *f, __u32 size, __u32 how)
{
	const __be16 outer = how & FRAME_OUTER_IPV6 ? bpf_htons(0x86dd) : bpf_htons(0x0800);
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO;

	if (f->vlan_present)
		return -1; /* the tag would be the outer frame's */
	if (f->protocol != bpf_htons(0x0800) && f->protocol != bpf_htons(0x86dd) &&
	    frame_set_protocol(f, outer))
		return -1;
	flags |= how & FRAME_OUTER_IPV6 ? BPF_F_ADJ_ROOM_ENCAP_L3_IPV6
					: BPF_F_ADJ_ROOM_ENCAP_L3_IPV4;
	if (how & FRAME_UDP)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_UDP;
	if (how & FRAME_GRE)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L4_GRE;
	if (how & FRAME_ETHERNET)
		flags |= BPF_F_ADJ_ROOM_ENCAP_L2_ETH |
			 BPF_F_ADJ_ROOM_ENCAP_L2(14 + FRAME_TAG_COUNT(how) * 4);
	if (!bpf_skb_adjust_room(f, (__s32)size, BPF_ADJ_ROOM_MAC, flags))
		return 0;
	if ((f->gso_size && !(how & FRAME_AGAIN)) ||
	    bpf_skb_adjust_room(f, (__s32)size, BPF_ADJ_ROOM_MAC, BPF_F_ADJ_ROOM_FIXED_GSO))
		return -1;
	return f->protocol == outer ? 0 : frame_set_protocol(f, outer);
}

/*
 * A checksum that the NIC or the kernel's aggregation has verified stays verified: theirs count from the
 * outside in, and a UDP header is one of the count. Before Linux 6.3 the flags of another inner family are
 * not known: then the frame is right but for its protocol; and one that is left shorter than an IPv6
 * header is made longer for the while, as the kernel wants it in an IPv6 packet.
 */
static __always_inline int frame_decapsulate(struct frame *f, __u32 size, __u32 how)
{
	const __u32 families = FRAME_OUTER_IPV6 | FRAME_INNER_IPV4 | FRAME_INNER_IPV6;
	const __u32 left = f->len - size, least = 14 + 40;
	__u64 flags = BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_NO_CSUM_RESET;
	__u64 other = 0;

	if ((how & families) == FRAME_INNER_IPV6)
		other = ADJ_ROOM_DECAP_L3_IPV6;
	if ((how & families) == (FRAME_OUTER_IPV6 | FRAME_INNER_IPV4) ||
	    (how & families) == FRAME_OUTER_IPV6)
		other = ADJ_ROOM_DECAP_L3_IPV4;
	if (bpf_skb_adjust_room(f, -(__s32)size, BPF_ADJ_ROOM_MAC, flags | other)) {
		if (!other)
			return -1;
		if (left < least && bpf_skb_change_tail(f, size + least, 0))
			return -1;
		if (bpf_skb_adjust_room(f, -(__s32)size, BPF_ADJ_ROOM_MAC, flags) ||
		    frame_set_protocol(f, how & FRAME_INNER_IPV6 ? bpf_htons(0x86dd)
								 : bpf_htons(0x0800)))
			return -1;
		if (left < least && bpf_skb_change_tail(f, left, 0))
			return -1;
	}
	if (how & FRAME_UDP)
		bpf_csum_level(f, BPF_CSUM_LEVEL_DEC);
	return 0;
}

/* UDP ports that have a tunnel device of the kernel's, with its ifindex; the loader writes them. */
struct tunnel_device_port_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, struct tunnel_port_key);
	__type(value, __u32);
};
extern struct tunnel_device_port_map tunnel_device_ports SEC(".maps");

/*
 * This frame is better decapsulated by the kernel's own device, which brings it back by
 * from_tunnel_device: several packets in one, which stay marked as being in a tunnel when the pipeline
 * takes them out of it. A network stack does not mind; on its way to a tap the kernel would cut them up.
 * port: UDP destination; flags: enum tunnel_source_flags.
 */
static __always_inline int frame_kernel_decapsulates(struct frame *f, __be16 port, __u32 flags)
{
	struct tunnel_port_key key = { .port = port };

	return f->gso_size && (flags & TUNNEL_SOURCE_TAPS) &&
	       bpf_map_lookup_elem(&tunnel_device_ports, &key);
}

/* The device that takes frames of several packets apart; 0: there is none. */
static __always_inline __u32 frame_segmenter(void)
{
	struct slot_key zero = {};
	struct datapath_state *shared = table_lookup(state, &zero);

	return shared ? (__u32)shared->segmenter_ifindex : 0;
}

/* This frame of several packets, from a tunnel, is taken apart before it is looked at, for it may go on by a
 * tunnel that numbers or sums each one. flags: enum tunnel_source_flags. */
static __always_inline int frame_comes_again(struct frame *f, __u32 flags)
{
	return f->gso_size && (flags & TUNNEL_SOURCE_ONE_PACKET) && frame_segmenter();
}

/* Sends a copy of the encapsulated frame to the other end of tunnel p->out_ifindex. 0 or negative.
 * In underlay.bpf.c, which knows the way there. */
struct packet;
int frame_copy_underlay(struct frame *f, struct packet *p);

/* Sends a copy of the frame out of a device. 0 or negative. */
static __always_inline int frame_copy_to(struct frame *f, __u32 ifindex)
{
	return bpf_clone_redirect(f, ifindex, 0);
}

/* The same in at a device, as if it had come in there, with a mark; the frame's own mark stays. */
static __always_inline int frame_copy_marked(struct frame *f, __u32 ifindex, __u32 mark)
{
	const __u32 own = f->mark;
	int result;

	f->mark = mark;
	result = (int)bpf_clone_redirect(f, ifindex, BPF_F_INGRESS);
	f->mark = own;
	return result;
}

/* Index of the lowest set bit of bits, which is not zero: the ones in the mask below it, counted without
 * a branch, which would multiply the verifier's paths. The barrier keeps the compiler from making a count
 * instruction of it, which clang 14 cannot compile for BPF. */
static __always_inline __u32 bit_lowest(__u64 bits)
{
	__u64 ones = (bits & -bits) - 1;

	ones -= ones >> 1 & 0x5555555555555555ULL;
	asm volatile("" : "+r"(ones));
	ones = (ones & 0x3333333333333333ULL) + (ones >> 2 & 0x3333333333333333ULL);
	ones = (ones + (ones >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
	return (__u32)(ones * 0x0101010101010101ULL >> 56) & 63;
}

/* Calls fn(index, context) for 0 .. count - 1 until it returns 1. */
#define loop_over(count, fn, context) bpf_loop(count, fn, context, 0)

/* One step for the trace; nothing here. */
static __always_inline void note(struct frame *f, enum note what, __u32 object_id)
{
	(void)f;
	(void)what;
	(void)object_id;
}

struct drop_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 20);
};
extern struct drop_ring drop_events SEC(".maps");

/* Hands the event to whoever reads; -1 when there is no room. */
static __always_inline int event_send(const struct drop_event *event)
{
	return bpf_ringbuf_output(&drop_events, (void *)event, sizeof(*event), 0);
}

struct flow_end_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 21);
};
extern struct flow_end_ring flow_ends SEC(".maps");

/* So many bytes wait before who reads is woken; until then it comes by the clock. */
#define FLOW_ENDS_WAKE (1 << 18)

/* Room for one end of a connection, to be told or dropped; NULL: there is none. */
static __always_inline struct flow_end *flow_end_take(void)
{
	return bpf_ringbuf_reserve(&flow_ends, sizeof(struct flow_end), 0);
}

static __always_inline void flow_end_tell(struct flow_end *end)
{
	__u64 waiting = bpf_ringbuf_query(&flow_ends, BPF_RB_AVAIL_DATA);

	bpf_ringbuf_submit(end, waiting > FLOW_ENDS_WAKE ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

static __always_inline void flow_end_drop(struct flow_end *end)
{
	bpf_ringbuf_discard(end, BPF_RB_NO_WAKEUP);
}

struct capture_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 1 << 22);
};
extern struct capture_ring capture_events SEC(".maps");

/* The first size bytes of the record, of 1 to all, to who captures; negative when there is no room. */
static __always_inline int capture_send(struct capture_record *record, __u32 size)
{
	__u32 more = size - 1;

	asm volatile("" : "+r"(more));
	return more < sizeof(*record)
		       ? (int)bpf_ringbuf_output(&capture_events, record, more + 1, 0)
		       : -1;
}

#endif
