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

/** moves_new - both are borrowed */
struct moves *moves_new(struct loop *loop, struct reconcile *reconcile);

/** moves_free - NULL is ignored */
void moves_free(struct moves *moves);

/** moves_heard - a drop event; what is not of a port that comes here is passed over. @context: struct moves */
void moves_heard(void *context, const struct drop_event *event);

/**
 * moves_is_arrival - whether a dropped frame says that the workload is there
 * @mac: the port's
 *
 * What an idle kernel sends as soon as a device is up (router solicitations, listener reports, duplicate
 * address detection) does not.
 */
bool moves_is_arrival(const struct drop_event *event, const struct mac_address *mac);

#endif
