/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of the pcapng format (draft-ietf-opsawg-pcapng), appended to a buffer.
 *
 * Written in this machine's byte order, which the first block tells. Times are nanoseconds. Each packet
 * may have a comment, which readers show beside it, and the verdict that the pipeline gave.
 *
 * Neighbours: capture.c.
 */
#ifndef WEFT_AGENT_PCAPNG_H
#define WEFT_AGENT_PCAPNG_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/**
 * struct pcapng_packet - one packet
 * @time_ns: since 1970-01-01 UTC
 * @length: on the wire; @size of it are in @data
 * @tag: VLAN tag to be put behind the MACs: type << 16 | control information, or 0
 * @outbound: the workload sent it
 * @dropped: the pipeline dropped it
 * @lost: packets that were not written between the last one and this
 * @comment: a sentence; NULL: none
 */
struct pcapng_packet {
	uint64_t time_ns;
	const uint8_t *data;
	uint32_t size, length, tag;
	bool outbound, dropped;
	uint64_t lost;
	const char *comment;
};

/**
 * pcapng_begin - section header and the one interface
 * @application: who writes
 * @interface: its name
 * @size_max: bytes of each packet that are kept
 */
void pcapng_begin(struct buf *buf, const char *application, const char *interface,
		  uint32_t size_max);

/** pcapng_add - a packet */
void pcapng_add(struct buf *buf, const struct pcapng_packet *packet);

/** pcapng_statistics - packets that matched, and of them those that were lost, up to @time_ns */
void pcapng_statistics(struct buf *buf, uint64_t time_ns, uint64_t matched, uint64_t lost);

#endif
