/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Looks for loops over other people's switches: sends the probes, and tells of ports that are held.
 *
 * The datapath knows a probe that comes back and holds a port at once (core/loop.c); here it is only asked
 * which ports those are. Segments are probed one after another, some milliseconds apart: of a loop over
 * several segments the first to see it cuts it, and the probes of the others do not come round any more.
 *
 * Neighbours: core/loop.h (the probe), ports.h (states), reconcile.c (the owner).
 */
#ifndef WEFT_AGENT_LOOPS_H
#define WEFT_AGENT_LOOPS_H

#include "agent/devices/ports.h"
#include "agent/slots.h"

struct loops;

/**
 * struct loops_options - all borrowed for the life of it
 * @slots: of port_stats, by port id
 * @vpc_slots: of vpc_stats, by VPC id
 * @domain: number of the installation, the same on all its hosts
 */
struct loops_options {
	struct loop *loop;
	struct datapath *datapath;
	const struct intent *intent;
	struct ports *ports;
	const struct slots *slots;
	const struct slots *vpc_slots;
	uint64_t domain;
};

/**
 * loops_open - begin; needs CAP_NET_RAW, later it does not
 * @loops: set on success; release with loops_close()
 *
 * Return: 0 or negative errno.
 */
int loops_open(const struct loops_options *options, struct loops **loops, struct error *error);

/** loops_close - no more probes (NULL is ignored) */
void loops_close(struct loops *loops);

/** loops_soon - ports came or went: probe all segments now */
void loops_soon(struct loops *loops);

/** loops_forget_stations - segments were joined or parted: learn anew what is behind ports to other switches */
void loops_forget_stations(struct loops *loops);

/**
 * loops_domain - the number of the installation
 * @state: state directory; where nothing is shared the number is made once and kept there
 * @shared: what all hosts of the installation have alike, such as the PEM of its authority; NULL: a lone host
 *
 * Return: 0 or negative errno.
 */
int loops_domain(const char *state, const char *shared, uint64_t *domain, struct error *error);

#endif
