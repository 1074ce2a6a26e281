/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The native target: frame and table verbs on a buffer and on tables in memory.
 *
 * core/ compiled with this header is an ordinary library: unit-tested, fuzzed under sanitizers, and run
 * by `weft trace` on the live tables. Semantics follow target/bpf/target.h verb by verb; the packet
 * vectors run through both and are compared.
 *
 * Neighbours: table.c (tables in memory, live tables), target.c (frames), native.h (for callers).
 */
#ifndef WEFT_TARGET_H
#define WEFT_TARGET_H

#include <arpa/inet.h>
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <linux/types.h>

#include "core/tables.h"
#include "core/verdict.h"
#include "target/carrier.h"

#ifndef __always_inline
#define __always_inline inline __attribute__((always_inline))
#endif
#ifndef __noinline
#define __noinline __attribute__((noinline))
#endif

#define be16(x) ((__be16)htons((__u16)(x)))
#define be32(x) ((__be32)htonl((__u32)(x)))
#define host16(x) ((__u16)ntohs((__u16)(x)))
#define host32(x) ((__u32)ntohl((__u32)(x)))

/* A function of a header that is not to be copied into its callers; also when there is none. */
#define OUT_OF_LINE static __attribute__((noinline, unused))

#define FRAME_HEADERS_MAX 1024
#define FRAME_ROOM 66560 /* bytes of a frame and of what the pipeline may add to it */
#define FRAME_COPIES_MAX 4096
#define FRAME_NOTES_MAX 64

struct frame_note {
	enum note what;
	__u32 object_id;
};

/*
 * A frame and what became of it. The caller sets data, length, segment_size and vlan. The data begins two
 * bytes past a multiple of four, as the kernel places frames (NET_IP_ALIGN): headers behind the Ethernet
 * header are then aligned. native_frame_new makes such a frame.
 */
struct frame {
	__u8 *data; /* FRAME_ROOM bytes */
	__u32 length;
	__u32 segment_size;
	__u32 vlan;                /* 0x10000 | control information, or 0 */
	__u16 vlan_type;           /* of that tag, 0: 0x8100 */
	__u32 checksum_unfinished; /* TCP, UDP: the field is of the pseudo header alone */
	__u32 checksum_verified;   /* somebody has verified the outermost checksum */
	__u32 returned;            /* weftd had held the frame */
	__u32 tunnelled; /* the kernel has it marked as inside of a tunnel, and does not resize it */
	__u32 copy_count;
	__u32 copies[FRAME_COPIES_MAX]; /* ifindexes that got a copy */
	__u32 note_count;
	struct frame_note notes[FRAME_NOTES_MAX];
	__u32 underlay_count;
	__u32 underlay[FRAME_COPIES_MAX]; /* tunnels that got a copy */
	__u32 event_count;
	struct drop_event event; /* the last */
	__u32 capture_count;
	struct capture_event capture; /* the last */
	__u32 end_count;
	struct flow_end end; /* the last connection that ended */
};

/* One table: rows in memory by key, or a live map of the kernel under a layer of rows written here. */
struct table {
	const char *name;
	enum {
		TABLE_HASH,
		TABLE_HASH_PREALLOCATED,
		TABLE_LRU_HASH,
		TABLE_LPM_TRIE,
		TABLE_ARRAY,
		TABLE_PERCPU_ARRAY
	} kind;
	__u32 key_size;
	__u32 value_size;
	__u32 room;
	int live; /* file descriptor of a map, or -1: memory only */
	struct table_rows *rows;
};

#define TABLE_EXTERN(name, kind, key, value, room) extern struct table table_##name;
WEFT_TABLES(TABLE_EXTERN)
#undef TABLE_EXTERN

#define TABLE_ROW_TYPE(name, kind, key, value, room) typedef value row_of_##name;
WEFT_TABLES(TABLE_ROW_TYPE)
#undef TABLE_ROW_TYPE

void *native_lookup(struct table *table, const void *key);
/* flags: 0 put, 1 only where there is none. */
int native_update(struct table *table, const void *key, const void *row, int flags);
int native_remove(struct table *table, const void *key);

/* Where a step of another CPU may come in between; for tests (native_between in native.h). */
extern void (*native_step)(void);
#define between_steps() ((void)(native_step ? native_step() : (void)0))

#define table_lookup(name, key) ((row_of_##name *)native_lookup(&table_##name, key))
#define table_put(name, key, row) native_update(&table_##name, key, row, 0)
#define table_add(name, key, row) native_update(&table_##name, key, row, 1)
#define table_remove(name, key) native_remove(&table_##name, key)

#define atomic_add(counter, n)                                                                     \
	(between_steps(), (void)__atomic_fetch_add(counter, n, __ATOMIC_RELAXED))
#define atomic_swap_if(word, old, new)                                                             \
	(between_steps(), __sync_bool_compare_and_swap(word, old, new))
#define atomic_fetch_add64(counter, n)                                                             \
	(between_steps(), __atomic_fetch_add(counter, n, __ATOMIC_RELAXED))
#define atomic_fetch_add32(counter, n)                                                             \
	(between_steps(), __atomic_fetch_add(counter, n, __ATOMIC_RELAXED))

/* Keeps reads and writes before it before those after it, as far as the compiler goes. */
#define compiler_barrier()                                                                         \
	do {                                                                                       \
		asm volatile("" ::: "memory");                                                     \
		between_steps();                                                                   \
	} while (0)

/* What table_add says where there is a row already. */
#define TABLE_ROW_EXISTS (-17)

#define atomic_write(word, value) (between_steps(), __atomic_store_n(word, value, __ATOMIC_SEQ_CST))

__u64 clock_ns(void);
__u64 clock_exact_ns(void);

static inline __u32 clock_tick(void)
{
	return (__u32)(clock_ns() >> 20);
}

static inline __u32 frame_length(struct frame *f)
{
	return f->length;
}

static inline __u32 frame_segment_size(struct frame *f)
{
	return f->segment_size;
}

/* weftd had held the frame, and it comes in anew (hold.c); lasts for one look at it. */
static inline void frame_set_returned(struct frame *f)
{
	f->returned = 1;
}

static inline int frame_is_returned(struct frame *f)
{
	int returned = f->returned != 0;

	f->returned = 0;
	return returned;
}

static inline __u32 frame_vlan(struct frame *f)
{
	return f->vlan;
}

static inline void *frame_header(struct frame *f, __u32 offset, __u32 size)
{
	if (offset > FRAME_HEADERS_MAX || offset + size > f->length)
		return NULL;
	return f->data + offset;
}

static inline int frame_load(struct frame *f, __u32 offset, void *to, __u32 size)
{
	if (offset > f->length || size > f->length - offset)
		return -EFAULT;
	memcpy(to, f->data + offset, size);
	return 0;
}

static inline int frame_store(struct frame *f, __u32 offset, const void *from, __u32 size)
{
	if (offset > f->length || size > f->length - offset)
		return -EFAULT;
	memcpy(f->data + offset, from, size);
	return 0;
}

/* Copies in 1 to room bytes, a number that is not a constant. 0 or negative. */
static inline int frame_load_some(struct frame *f, __u32 offset, void *to, __u32 size, __u32 room)
{
	return size && size <= room ? frame_load(f, offset, to, size) : -1;
}

/* Copies out 1 to room bytes, likewise. 0 or negative. */
static inline int frame_store_some(struct frame *f, __u32 offset, const void *from, __u32 size,
				   __u32 room)
{
	return size && size <= room ? frame_store(f, offset, from, size) : -1;
}

/* The same for bytes that no checksum in the frame covers. */
#define frame_store_summed(f, offset, from, size) frame_store(f, offset, from, size)

/*
 * 16 bits under the TCP or UDP checksum at offset have become `to`: it follows. One that the sender has
 * left unfinished stays, for it covers them when it is finished.
 */
int frame_checksum_follow(struct frame *f, __u32 offset, __be16 from, __be16 to);

/*
 * Addresses under the TCP or UDP checksum at offset have changed by `difference` (folded one's complement
 * sums, new minus old): it follows, also one that is unfinished, for that is of the addresses. A UDP
 * checksum of zero, none, stays.
 */
int frame_checksum_readdressed(struct frame *f, __u32 offset, __u32 difference, int udp);

/* Somebody (the NIC, the kernel's aggregation) has verified the outermost checksum of the frame. */
static inline int frame_checksum_verified(struct frame *f)
{
	return f->checksum_verified || f->segment_size;
}

int frame_resize(struct frame *f, __u32 length);

/* The same where all of the frame is to be written anew: what is in it has no defined content. */
int frame_renew(struct frame *f, __u32 length);

int frame_push(struct frame *f, __u32 size);
/* Takes the outermost VLAN tag out of the frame. */
int frame_vlan_pop(struct frame *f);
/* Puts an 802.1Q tag with this control information around the frame; 0 or negative. */
int frame_vlan_push(struct frame *f, __u16 control);

/* Is there a device with this index? Whoever wrote the row says so. */
static inline int frame_device_there(struct frame *f, __u32 ifindex)
{
	(void)f;
	return ifindex != 0;
}
#define frame_tag_pop(f) frame_vlan_pop(f)
/* The outermost tag, beside the frame or in it: type << 16 | control information, or 0. */
__u32 frame_tag(struct frame *f);
/* Puts a tag on, outside of those that are there; 0 or negative. */
int frame_tag_push(struct frame *f, __u32 tag);

/*
 * Makes size bytes of room for tunnel headers between the Ethernet header and what follows it; frames of
 * several packets stay whole. The Ethernet header and the room have no defined content afterwards. The
 * reverse, frame_decapsulate, removes the size bytes behind the Ethernet header. how: enum frame_carrier.
 */
int frame_encapsulate(struct frame *f, __u32 size, __u32 how);
int frame_decapsulate(struct frame *f, __u32 size, __u32 how);

/* This frame is better decapsulated by the kernel's own device: never here. */
static inline int frame_kernel_decapsulates(struct frame *f, __be16 port, __u32 flags)
{
	(void)f;
	(void)port;
	(void)flags;
	return 0;
}

/* This one is taken apart first: never here, where nothing is sent. */
static inline int frame_comes_again(struct frame *f, __u32 flags)
{
	(void)f;
	(void)flags;
	return 0;
}

int frame_copy_to(struct frame *f, __u32 ifindex);
/* The same in at a device, with a mark. */
int frame_copy_marked(struct frame *f, __u32 ifindex, __u32 mark);
/* Sends a copy of the encapsulated frame to the other end of tunnel p->out_ifindex. 0 or negative. */
struct packet;
int frame_copy_underlay(struct frame *f, struct packet *p);
void note(struct frame *f, enum note what, __u32 object_id);

static inline __u32 bit_lowest(__u64 bits)
{
	return (__u32)__builtin_ctzll(bits);
}

static inline long loop_over(__u32 count, long (*fn)(__u64, void *), void *context)
{
	__u32 i;

	for (i = 0; i < count && !fn(i, context); i++)
		;
	return i;
}

int event_send(const struct drop_event *event);
int capture_send(const struct capture_record *record, __u32 size);

/* Room for one end of a connection, to be told or dropped. */
struct flow_end *flow_end_take(void);
void flow_end_tell(struct flow_end *end);
static inline void flow_end_drop(struct flow_end *end)
{
	(void)end;
}

#endif
