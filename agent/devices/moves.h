/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that come to this host: when their workload is here, they are.
 *
 * A port that is about to move (`moving_to` in the intent) has its device here before it is active here.
 * What the workload sends into it is dropped with the verdict NOT_ACTIVE, and the event of that drop is
 * the news: a virtual machine that has been resumed (QEMU says so by RARP), a container that announces its
 * address, or just goes on talking. The port is then made this host's by a change of the intent like any
 * other; `weft port activate` is the same change by hand.
 *
 * Neighbours: drops.h (where events come from), reconcile.h (changes), cluster.c (the owner).
 */
#ifndef WEFT_AGENT_MOVES_H
#define WEFT_AGENT_MOVES_H

#include "agent/reconcile.h"

struct moves;

/** moves_new - all are borrowed */
struct moves *moves_new(struct loop *loop, struct reconcile *reconcile, struct datapath *datapath);

/** moves_free - NULL is ignored */
void moves_free(struct moves *moves);

/** moves_heard - a drop event; what is not of a port that comes here is passed over. @context: struct moves */
void moves_heard(void *context, const struct drop_event *event);

/**
 * moves_changed - of these changes some bring a port here, or give it another MAC or address
 *
 * Where it is in an l2 subnet, it is announced there: what is behind other ports, and ends that are not Weft,
 * have no other way to know.
 */
void moves_changed(struct moves *moves, const struct change *changes, size_t count);

/**
 * moves_build_advertisement - an unsolicited neighbour advertisement of an IPv6 address, to all nodes
 * @frame: room for MOVES_ADVERTISEMENT_SIZE bytes, which it has
 */
#define MOVES_ADVERTISEMENT_SIZE 86
void moves_build_advertisement(const struct mac_address *mac, const struct ip_address *address,
			       uint8_t *frame);

/**
 * moves_is_arrival - whether a dropped frame says that the workload is there
 * @mac: the port's
 *
 * What an idle kernel sends as soon as a device is up (router solicitations, listener reports, duplicate
 * address detection) does not.
 */
bool moves_is_arrival(const struct drop_event *event, const struct mac_address *mac);

#endif
