/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user of a port should know of it though it is plugged in.
 *
 * Neighbours: ports.c (the caller), which tells it as "note" of a port's status.
 */
#ifndef WEFT_AGENT_DEVICES_PORT_NOTE_H
#define WEFT_AGENT_DEVICES_PORT_NOTE_H

#include <stdbool.h>
#include <stdint.h>

#include "model/object.h"

/**
 * port_note - a sentence about a port of this host
 * @kind: enum port_kind of its device; PORT_UNPLUGGED: none
 * @adopted: the device is somebody else's
 * @shared: and the host goes on using it
 *
 * Return: a constant, or NULL when there is nothing to say.
 */
const char *port_note(const struct intent *intent, const struct port_object *port, uint32_t kind,
		      bool adopted, bool shared);

#endif
