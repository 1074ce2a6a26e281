/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places for the connections that workloads make to one of the host's services.
 *
 * Neighbours: dns_server.c (DNS over TCP) and metadata.c (HTTP), which keep one of these each.
 */
#ifndef WEFT_AGENT_SERVICES_PLACES_H
#define WEFT_AGENT_SERVICES_PLACES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/map.h"

#define PLACES 512
#define PLACES_PER_PORT 16

/**
 * struct places - who has how many; all zero: nobody has any
 * @of_ports: port id -> struct port_places
 * @of_vpcs: VPC id -> how many
 * @taken: of PLACES
 */
struct places {
	struct map of_ports, of_vpcs;
	size_t taken;
};

/**
 * places_has - whether there is a place for a port
 * @port_id: at most PLACES_PER_PORT are its
 * @vpc_id: its VPC, which may have as many as are free then: one VPC alone takes half, two of them two thirds,
 * and so on. However many there are whose workloads want all they can get, another finds a place.
 */
bool places_has(const struct places *places, uint32_t port_id, uint32_t vpc_id);

/**
 * places_take - a port takes a place
 *
 * places_has() has been asked.
 */
void places_take(struct places *places, uint32_t port_id, uint32_t vpc_id);

/**
 * places_leave - a port leaves a place
 * @port_id: whose it was when it was taken; the port may be gone by now
 */
void places_leave(struct places *places, uint32_t port_id);

/**
 * places_fini - release what is held
 */
void places_fini(struct places *places);

#endif
