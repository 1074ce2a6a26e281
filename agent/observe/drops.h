/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The last dropped packets that the datapath reported, and how many there were in the last minute.
 *
 * The pipeline samples drops into a ring buffer (so many per second and port). They are read here
 * in bounded portions, kept in a ring of our own, and told to subscribers. The counts of verdicts
 * are exact and are read every few seconds, for "drops in the last minute".
 *
 * Neighbours: datapath.h (the source), events.h (the fan-out), api_plain.c and api_status.c
 * (readers).
 */
#ifndef WEFT_AGENT_DROPS_H
#define WEFT_AGENT_DROPS_H

#include <jansson.h>

#include "agent/observe/events.h"
#include "base/loop.h"
#include "datapath/datapath.h"
#include "model/object.h"

#define DROPS_KEPT 1024

struct drops;

/**
 * drops_new - start to read; all arguments are borrowed
 * @host: named in every drop
 */
struct drops *drops_new(struct loop *loop, struct datapath *datapath, const struct intent *intent,
			struct events *events, const char *host);

/** drops_free - stop (NULL is ignored) */
void drops_free(struct drops *drops);

/*
 * Hears of each reported drop, and of packets with another verdict that the pipeline tells of; may
 * not change what the datapath is doing at once.
 */
typedef void drops_listener(void *context, const struct drop_event *event);

/** drops_listen - tell somebody of each event as well */
void drops_listen(struct drops *drops, drops_listener *listener, void *context);

/** drops_take - one reported drop; what the reader calls for each */
void drops_take(struct drops *drops, const struct drop_event *event);

/** drops_recent - those kept, oldest first; @port_id 0 for all. Return: new reference, an array. */
json_t *drops_recent(const struct drops *drops, uint32_t port_id);

/** drops_last_minute - packets by reason; reasons that did not happen are left out. New reference. */
json_t *drops_last_minute(const struct drops *drops);

/** drops_sample - note the counts as they are now; a timer does it, tests call it */
void drops_sample(struct drops *drops);

#endif
