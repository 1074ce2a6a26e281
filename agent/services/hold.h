/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets that wait for a machine on a wire.
 *
 * The router of a VPC does not know every machine on a network outside. The first packet to one comes here
 * (core/hold.c), the machine is asked for, and when it has answered the packet goes on as if nothing had been:
 * through the whole pipeline. Who does not answer three questions in three seconds (RFC 4861, 10) is not there:
 * what waits for it is dropped as `no_answer`, and its senders are told (RFC 1812, 5.2.7.1; RFC 4443, 3.1).
 *
 *	from_port -> wire_route -> hold -> tap -> hold.c, which asks -> tap -> wire_ask -> the wire
 *	from_port <- from_punt <- tap <- hold.c <- tap <- wire_heard <- the answer
 *
 * What is held is bounded: packets and bytes for one machine, where the oldest go as they do in Linux's queue;
 * machines and bytes of one port, and of all, where the newest go. docs/adr/0026-first-packet.md has the numbers.
 *
 * Also: machines that are used and were not heard of for four minutes are asked for before they are forgotten.
 *
 * One thread, one loop. Neighbours: punt.h, hold_packet.h.
 */
#ifndef WEFT_AGENT_HOLD_H
#define WEFT_AGENT_HOLD_H

#include <stddef.h>
#include <stdint.h>

#include "agent/reconcile.h"
#include "agent/services/punt.h"

#define HOLD_MACHINE_PACKETS_MAX 64
#define HOLD_MACHINE_BYTES_MAX (208 * 1024)
#define HOLD_PORT_MACHINES_MAX 128
#define HOLD_PORT_BYTES_MAX (512 * 1024)
#define HOLD_MACHINES_MAX 4096
#define HOLD_BYTES_MAX (8 * 1024 * 1024)
#define HOLD_QUESTIONS 3
#define HOLD_QUESTION_NS CLOCK_NS_PER_SECOND
#define HOLD_ERROR_RATE 20 /* messages a port is told in a second, in bursts of at most as many */

struct hold;

/**
 * struct hold_counts - packets since the start, and what is held now
 * @taken: held; each of them has since been @sent_on, was @unanswered or had @no_room, or waits
 * @told: senders that were told that a machine does not answer
 * @asked: questions on wires
 * @machines, @packets, @bytes: that are waited for, that wait now
 */
struct hold_counts {
	uint64_t taken, sent_on, unanswered, no_room, told, asked;
	uint64_t machines, packets, bytes;
};

/** hold_new - all borrowed; release with hold_free(), which accepts NULL and gives up what waits */
struct hold *hold_new(struct loop *loop, struct punt *punt, struct datapath *datapath,
		      struct reconcile *reconcile);
void hold_free(struct hold *hold);

/** hold_counts - borrowed, as it is now */
const struct hold_counts *hold_counts(const struct hold *hold);

#endif
