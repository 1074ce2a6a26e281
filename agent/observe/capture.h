/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Captures: the packets of a port or a subnet as a stream of pcapng, with what became of each.
 *
 * A capture is a watch (core/watch.c) of one client. Its queue is bounded: what does not fit is counted as
 * lost, and never holds up the daemon or the workload. It ends with its client, when it has as many packets
 * as were asked for, or when what is captured is on this host no more.
 *
 * Neighbours: reconcile_watch.c, pcapng.h, api_capture.c (who asks), http.c (who reads).
 */
#ifndef WEFT_AGENT_CAPTURE_H
#define WEFT_AGENT_CAPTURE_H

#include "agent/api/api.h"
#include "model/filter.h"

#define CAPTURE_QUEUE_SIZE_MAX (8U << 20)

struct captures;

/**
 * struct capture_options - what is captured
 * @name: of the port or the subnet
 * @port_id, @subnet_id: one of them
 * @vpc_id: whose groups the filter names
 * @from, @to: what it sends, what is for it
 * @dropped: only what was dropped
 * @sample: one in so many; 0, 1: each
 * @size: bytes of each packet, at most CAPTURE_SIZE_MAX; 0: that
 * @count: packets after which the stream ends; 0: never
 */
struct capture_options {
	uint32_t port_id, subnet_id;
	uint32_t vpc_id;
	const char *name;
	struct filter filter;
	bool from, to, dropped;
	uint32_t sample, size;
	uint64_t count;
};

/** captures_new - nobody captures yet; all arguments are borrowed */
struct captures *captures_new(struct loop *loop, struct datapath *datapath,
			      struct reconcile *reconcile);

/** captures_free - stop; all streams must have been freed. NULL is ignored. */
void captures_free(struct captures *captures);

/**
 * capture_open - begin one
 * @stream: set to the bytes to be sent; its free() ends the capture
 *
 * Return: 0 or negative errno.
 */
int capture_open(struct captures *captures, const struct capture_options *options,
		 struct api_stream **stream, struct error *error);

/** captures_take - one packet from the datapath; what the reader calls for each */
void captures_take(struct captures *captures, const struct capture_event *event,
		   const uint8_t *data);

#endif
