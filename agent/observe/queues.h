/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What rates and shares do with the packets of ports, as metrics.
 *
 * Three places hold packets back: the policer of what a port sends (core/rate.c), the queue of what it gets
 * (device_rate.c), and its class at a device that ports share (shares.h). The first counts by itself, the
 * others are the kernel's and are asked when somebody wants to know.
 *
 * Neighbours: metrics.c (the caller), base/netlink_htb.h.
 */
#ifndef WEFT_AGENT_QUEUES_H
#define WEFT_AGENT_QUEUES_H

#include <stdint.h>

#include "agent/api/api.h"
#include "base/buf.h"

/** queues_write - the families of queues, appended to @text */
void queues_write(const struct api *api, struct buf *text);

/** queues_over_rate - Return: packets that a port has sent over its rate; they are dropped */
uint64_t queues_over_rate(const struct api *api, uint32_t port_id);

#endif
