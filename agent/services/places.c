/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Places for connections; see places.h.
 */
#include "agent/services/places.h"

#include <stdlib.h>

#include "base/alloc.h"

/* What one port has. */
struct port_places {
	uint32_t vpc_id; /* when the first was taken; a port's VPC is the same all its life */
	size_t taken;
};

static size_t taken_of(const struct places *places, uint32_t vpc_id)
{
	return (uintptr_t)map_get_u32(&places->of_vpcs, vpc_id);
}

bool places_has(const struct places *places, uint32_t port_id, uint32_t vpc_id)
{
	const struct port_places *port = map_get_u32(&places->of_ports, port_id);

	return (!port || port->taken < PLACES_PER_PORT) &&
	       taken_of(places, vpc_id) < PLACES - places->taken;
}

void places_take(struct places *places, uint32_t port_id, uint32_t vpc_id)
{
	struct port_places *port = map_get_u32(&places->of_ports, port_id);

	if (!port) {
		port = xcalloc(1, sizeof(*port));
		port->vpc_id = vpc_id;
		map_put_u32(&places->of_ports, port_id, port);
	}
	port->taken++;
	places->taken++;
	map_put_u32(&places->of_vpcs, port->vpc_id, (void *)(taken_of(places, port->vpc_id) + 1));
}

void places_leave(struct places *places, uint32_t port_id)
{
	struct port_places *port = map_get_u32(&places->of_ports, port_id);
	const size_t left = taken_of(places, port->vpc_id) - 1;

	places->taken--;
	if (left)
		map_put_u32(&places->of_vpcs, port->vpc_id, (void *)left);
	else
		map_remove_u32(&places->of_vpcs, port->vpc_id);
	if (!--port->taken)
		free(map_remove_u32(&places->of_ports, port_id));
}

void places_fini(struct places *places)
{
	map_fini(&places->of_ports, free);
	map_fini(&places->of_vpcs, NULL);
}
