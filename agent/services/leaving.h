/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who leaves a group: the others are asked at once whether they still listen.
 *
 * The pipeline tells of a port that wants less of a group than before (core/membership.c). Twice, a
 * second apart, the ports of this host that have listened to the group, or that routers are behind,
 * are asked for it (RFC 3376, 6.4.2; RFC 3810, 7.6.3), and the other hosts hear that they are:
 * whoever does not hear an answer within three seconds forgets this host's listeners. A port behind
 * which several may listen is asked as well, and its own row ends in the same way.
 *
 * A port that goes without a word, for it is removed, moves or loses its device, has left all its
 * groups. Its rows end at once, the others are asked in the same way, and when none of this host
 * has answered the routers are told (on each wire too, where its switches hear it): they ask
 * whether anybody else listens.
 *
 * A host whose last port of a subnet has gone has no way to say anything there. The others see that
 * it is no member any more, end its rows, and tell the routers behind their own ports.
 *
 * Neighbours: querier.h (general queries, and how they are written), drops.h (where the events come
 * from).
 */
#ifndef WEFT_AGENT_LEAVING_H
#define WEFT_AGENT_LEAVING_H

#include "agent/reconcile.h"
#include "agent/services/punt.h"
#include "core/tables.h"

struct leaving;

/** leaving_new - nobody has left yet; release with leaving_free() */
struct leaving *leaving_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile,
			    struct datapath *datapath);
void leaving_free(struct leaving *leaving); /* accepts NULL */

/** leaving_heard - an event of the pipeline; what is no leave is ignored */
void leaving_heard(struct leaving *leaving, const struct drop_event *event);

/** leaving_unplugged - devices of these ports have changed; those that have none now have left */
void leaving_unplugged(struct leaving *leaving, const uint32_t *port_ids, size_t count);

/** leaving_hosts - the intent has changed: hosts that are no members of a subnet any more have left its groups */
void leaving_hosts(struct leaving *leaving);

/**
 * struct leaving_counts - since the start
 * @heard: ports that have left a group, or want fewer of its sources, or are gone
 * @asked: questions about one group, one for each port
 * @missed: of @heard, those that nobody was asked for, for want of room: rows age
 */
struct leaving_counts {
	uint64_t heard, asked, missed;
};

/** leaving_counts - of NULL: zero */
const struct leaving_counts *leaving_counts(const struct leaving *leaving);

#endif
