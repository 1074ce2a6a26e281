/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Run one packet through the native core on the live tables, and tell what each stage did.
 *
 * The same core/ that forwards in the kernel runs here against the kernel's own maps, read only:
 * what a packet would write (connections, learned addresses) stays in a scratch layer that is
 * thrown away. For `weft trace`; neighbours: target/native (the core's other target),
 * agent/observe/probe.c (builds frames).
 */
#ifndef WEFT_DATAPATH_TRACE_H
#define WEFT_DATAPATH_TRACE_H

#include <stdbool.h>

#include "datapath/datapath.h"

#include <sys/types.h>

#define TRACE_STEPS_MAX 64
#define TRACE_FRAME_MAX 66000

struct trace_step {
	enum note note;
	uint32_t object_id; /* 0: none */
};

/*
 * What became of a frame. next_host_id: it left by a tunnel or a wire, to this host; 0: it did not,
 * or to somebody that is no host. wire_subnet_id: it left by the wire of this subnet. answers: the
 * frame is an answer to where it came from (ICMP "too big").
 */
struct trace_result {
	enum verdict verdict;
	enum stage stage;     /* that decided */
	uint32_t object_id;   /* that decided; 0: none */
	uint32_t out_port_id; /* delivered to, or would have been; 0: none */
	uint32_t next_host_id;
	uint32_t wire_subnet_id;
	bool answers;
	size_t step_count;
	struct trace_step steps[TRACE_STEPS_MAX];
	size_t frame_size; /* of the packet as it leaves */
	uint8_t frame[TRACE_FRAME_MAX];
};

/*
 * Frames run between begin and end see what those before them wrote, so that a reply belongs to the
 * connection of its request. One at a time: not thread-safe. begin: 0, or -ENOTSUP on the dummy.
 */
int datapath_trace_begin(struct datapath *datapath);
void datapath_trace_end(void);

/*
 * frame: a whole Ethernet frame as the port's workload would send it (for a tun port too: with an
 * Ethernet header of zero MACs). 0, -ENOENT when the port is not in the tables, -EMSGSIZE.
 */
int datapath_trace_port(struct datapath *datapath, uint32_t port_id, const uint8_t *frame,
			size_t size, struct trace_result *result);

/*
 * frame: an outer packet as another host's trace left it, with an Ethernet header. 0 or -EMSGSIZE.
 */
int datapath_trace_underlay(struct datapath *datapath, const uint8_t *frame, size_t size,
			    struct trace_result *result);

/* frame: as another host's trace left it on the wire of a subnet, with its tag. 0, -ENOENT when the subnet has
 * no wire here, -EMSGSIZE. */
int datapath_trace_wire(struct datapath *datapath, uint32_t subnet_id, const uint8_t *frame,
			size_t size, struct trace_result *result);

/* Room that outer headers take at most. */
#define DATAPATH_OUTER_MAX 128

/*
 * The headers of a tunnel object around a frame of the host's own, by its live rows: into outer, an
 * Ethernet header of no meaning first. Not for a tunnel with sequence numbers, which are the
 * pipeline's to give. Bytes written, -ENOENT where the tunnel has no rows, -EMSGSIZE, -ENOTSUP on
 * the dummy.
 */
ssize_t datapath_encapsulate(struct datapath *datapath, uint32_t tunnel_id, const uint8_t *frame,
			     size_t size, uint8_t *outer, size_t room);

#endif
