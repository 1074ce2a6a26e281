/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets and times as people read them, for drops, flows and events.
 *
 * Neighbours: drops.c, flows.c.
 */
#ifndef WEFT_CLI_PACKET_H
#define WEFT_CLI_PACKET_H

#include <jansson.h>

#include "base/buf.h"

/** packet_append - "tcp 10.0.1.11:40000 > 10.0.2.20:5432", from the keys of a Drop or a Flow */
void packet_append(struct buf *text, const json_t *packet);

/** packet_append_time - "03:04:05.678" in local time, from RFC 3339; other text as it is */
void packet_append_time(struct buf *text, const char *time);

/** packet_text - a member that is a text; "" if it is absent or null; borrowed */
const char *packet_text(const json_t *object, const char *key);

#endif
