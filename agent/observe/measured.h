/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is measured of one port where something holds its packets back or copies them: for `weft port show`.
 *
 * Neighbours: api_objects.c (the caller), queues.c (the same of all ports, as metrics), core/mirror.c.
 */
#ifndef WEFT_AGENT_MEASURED_H
#define WEFT_AGENT_MEASURED_H

#include <jansson.h>

#include "agent/api/api.h"
#include "model/object.h"

/**
 * measured_rates - each place that limits the port: "send", "receive", and the devices that it has a share of
 *
 * Return: new reference; NULL: nothing does.
 */
json_t *measured_rates(const struct api *api, const struct port_object *port);

/** measured_mirror - the copies of the port's packets. Return: new reference; NULL: it has no mirror. */
json_t *measured_mirror(const struct api *api, const struct port_object *port);

#endif
