/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Running the pipeline natively: for the vectors, the fuzzers and `weft trace`.
 *
 * One run at a time: tables and the clock are those of the process. Tables are memory by default;
 * native_live puts them over the maps of a kernel datapath, read only, with everything a packet writes
 * kept in memory until native_reset.
 */
#ifndef WEFT_TARGET_NATIVE_H
#define WEFT_TARGET_NATIVE_H

#include "core/packet.h"

struct native_result {
	enum verdict verdict;
	__u32 object_id;
	__u32 out_port_id;
	__u32 out_ifindex;
	__u32 flags; /* enum packet_flags at the end */
	__u32 class; /* of the queue that it leaves by, as edge.h has it; 0: the queue asks for none */
};

/* A frame with room for FRAME_ROOM bytes and these in it. Never NULL; the caller's to native_frame_free. */
struct frame *native_frame_new(const void *bytes, __u32 length);
void native_frame_free(struct frame *f); /* accepts NULL */

/*
 * Runs a frame that enters by a device (a key of the table attachments). f: data, length, segment_size
 * and vlan are set; the rest is filled. A device without a row: VERDICT_UNKNOWN_PORT.
 */
void native_run(struct frame *f, __u32 ifindex, struct native_result *result);

/* The same for a port whose attachment the caller knows (weft trace of a port that is not plugged in). */
void native_run_attached(struct frame *f, const struct attachment *attachment,
			 struct native_result *result);

/*
 * Runs an outer packet that a NIC of the underlay hands in. VERDICT_NOT_OURS: not for a tunnel. flags with
 * PACKET_TO_UNDERLAY: the frame is an outer packet from its IP header on, for tunnel out_ifindex.
 */
void native_run_underlay(struct frame *f, struct native_result *result);

/* Runs a packet that a service of the host sends. */
void native_run_service(struct frame *f, struct native_result *result);
/* Runs a frame that weftd writes to the punt device. */
void native_run_punt(struct frame *f, struct native_result *result);
/* Runs a copy of a mirror that comes in by the mirror device, with this mark. */
void native_run_mirror(struct frame *f, __u32 mark, struct native_result *result);
/*
 * Runs a frame that a NIC hands in whose wire has segments on it. VERDICT_NOT_OURS: it is of none of them.
 * f: where it has a tag afterwards, vlan and vlan_type.
 */
void native_run_wire(struct frame *f, __u32 ifindex, struct native_result *result);

/* Gives a frame the outer headers of a tunnel; as pipeline_run leaves it with PACKET_TO_UNDERLAY. */
void native_run_tunnel(struct frame *f, __u32 tunnel_id, struct native_result *result);

/* Forgets every row in memory; tables are memory only again. */
void native_reset(void);

/* Forgets the rows of one table in memory. */
void native_empty(enum table_id i);

/* Puts table i over the map fds[i], for all tables. The descriptors stay the caller's. */
void native_live(const int *fds);

/* 0: the coarse monotonic clock; otherwise the time in ns that every run sees. */
void native_clock(__u64 ns);

/*
 * Calls step before each step of the pipeline that those of another CPU may come before or after: verbs of
 * flow tables, atomic operations, barriers. NULL, as at the start: nothing is called. Tests put several
 * CPUs' steps in every order with it, one at a time.
 */
void native_between(void (*step)(void));

/* A table by its number; never NULL for i < TABLES. */
struct table *native_table(enum table_id i);

/* Every row in memory; fn may not change the table. */
void native_walk(struct table *table, void (*fn)(void *context, const void *key, const void *row),
		 void *context);

#endif
