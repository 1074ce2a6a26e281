/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Of two hosts that hold a port for theirs, the one with the newer claim is right.
 *
 * Each host that a port moves to has a higher claim to it (struct port_object.claim, given out by the
 * transaction of the store that moves it). A host that hears from the store knows when it has lost a
 * port. One that is cut off the store, or comes back, does not: so the host that a port has moved to
 * tells the one it has come from, straight over the underlay, until that one agrees. The loser then lets
 * go: its device goes, what still comes is sent on, and `weft port show` there says why.
 *
 * Neighbours: path_probe.h (carries the messages, with the key of the cluster), cluster.c (the owner).
 */
#ifndef WEFT_AGENT_CLAIMS_H
#define WEFT_AGENT_CLAIMS_H

#include "agent/cluster/path_probe.h"
#include "agent/reconcile.h"

struct claims;

/** claims_new - @reconcile is borrowed */
struct claims *claims_new(struct loop *loop, struct reconcile *reconcile);

/** claims_free - NULL is ignored */
void claims_free(struct claims *claims);

/** claims_changed - of these changes some bring a port here: who had it is to be told */
void claims_changed(struct claims *claims, const struct change *changes, size_t count);

/** claims_send - tell those who have not agreed, now and each second from now on. @probes may be NULL */
void claims_send(struct claims *claims, struct path_probes *probes);

/**
 * claims_heard - another host claims a port. A path_claim_callback; @context: struct claims
 *
 * Return: whether this host agrees.
 */
bool claims_heard(void *context, const struct path_claim *claim);

/** claims_agreed - the other host agrees. A path_agreed_callback */
void claims_agreed(void *context, const struct path_claim *claim);

#endif
