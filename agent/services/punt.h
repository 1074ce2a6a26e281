/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The punt device: frames that only the daemon can answer, and its answers.
 *
 * One tap for each daemon, which exists as long as the daemon does: core/punt.c sends it what ports ask
 * (struct punt_header between the Ethernet header and the rest, core/tables.h), and what is written to it
 * goes to the port that its header names. Who answers what registers for a reason.
 *
 *	workload -> from_port -> core/punt.c -> tap -> punt.c -> handler
 *	workload <- from_punt <- core/punt.c <- tap <- punt_send()
 *
 * Where there is no /dev/net/tun the daemon runs without, says so, and tries again; the pipeline then drops
 * such frames as unattended. One thread, one loop.
 */
#ifndef WEFT_AGENT_PUNT_H
#define WEFT_AGENT_PUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/loop.h"
#include "core/tables.h"
#include "datapath/datapath.h"

struct punt;

#define PUNT_FRAME_MAX 65536

/**
 * struct punt_frame - what a port sent; valid during the call
 * @vlan: tag control information of the tag it came with, 0: none; the frame is without it
 * @wire_id: PUNT_HOLD, PUNT_REFRESH: of the wire that the machine it is for is on
 * @data: from the Ethernet header on, the punt header taken out
 */
struct punt_frame {
	enum punt_reason reason;
	uint32_t port_id;
	uint32_t subnet_id;
	uint16_t vlan;
	uint32_t wire_id;
	const uint8_t *data;
	size_t size;
};

typedef void punt_callback(void *context, const struct punt_frame *frame);

/**
 * struct punt_counts - since it was opened
 * @received: frames of ports; @foreign: frames on the device that are not the pipeline's
 * @sent: frames to ports; @failed: those that could not be written
 */
struct punt_counts {
	uint64_t received, foreign, sent, failed;
};

/**
 * punt_open - make the device of a daemon
 * @instance: its name
 *
 * That there can be no device is no failure: it is logged and tried again.
 *
 * Return: 0 or negative errno.
 */
int punt_open(struct loop *loop, struct datapath *datapath, const char *instance,
	      struct punt **punt, struct error *error);

/** punt_close - take the device away; NULL is ignored */
void punt_close(struct punt *punt);

/** punt_handle - call @callback for frames of a reason; NULL: nobody any more */
void punt_handle(struct punt *punt, enum punt_reason reason, punt_callback *callback,
		 void *context);

/**
 * punt_send - a frame to a port of this host
 * @vlan: tag that it gets, 0: none
 * @frame: with Ethernet header, IPv4 or IPv6; to a tun the header is taken off on the way
 *
 * Return: 0 or negative errno.
 */
int punt_send(struct punt *punt, uint32_t port_id, uint16_t vlan, const void *frame, size_t size);

/**
 * punt_send_hosts - a frame to the other hosts that a subnet has members on
 * @frame: as for punt_send()
 *
 * Return: 0 or negative errno.
 */
int punt_send_hosts(struct punt *punt, uint32_t subnet_id, const void *frame, size_t size);

/**
 * punt_give_back - a frame that the pipeline is to go on with (core/hold.c)
 * @reason: PUNT_HOLD: the frame was held and goes on; PUNT_ASK: whom it is for is asked for on its wire_id, and it
 *	is no more; PUNT_GIVE_UP, PUNT_NO_ROOM: it is dropped and counted
 * @frame: as it came; its own reason is of no account
 *
 * Return: 0 or negative errno.
 */
int punt_give_back(struct punt *punt, enum punt_reason reason, const struct punt_frame *frame);

/** punt_is_there - whether there is a device */
bool punt_is_there(const struct punt *punt);

/** punt_counts - what came and went */
const struct punt_counts *punt_counts(const struct punt *punt);

#endif
