/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows of direct attachment: how the ports of a segment share the uplink it is on.
 *
 * It is flags of the subnet, of its wire and of its ports, beside what a flat or VLAN segment has anyway.
 *
 * Neighbours: plan.c and plan_wire.c (the callers), core/direct.c (the reader).
 */
#include <stdlib.h>

#include "model/plan_private.h"

/* Who has the wire here, where one port has it. */
static uint32_t port_here(const struct plan *plan, uint32_t subnet_id)
{
	uint32_t *ids, found = 0;
	size_t count = intent_ports_of_subnet(plan->intent, subnet_id, &ids);

	for (size_t i = 0; i < count && !found; i++) {
		const struct port_object *port =
			(const struct port_object *)intent_object(plan->intent, ids[i]);

		if (intent_is_local(plan->intent, port->host))
			found = ids[i];
	}
	free(ids);
	return found;
}

void plan_direct(const struct plan *plan, const struct subnet_object *subnet, struct subnet *row)
{
	if (!segment_is_wire(&subnet->segment))
		return;
	row->wire_port_id = plan_wire_target(plan, subnet);
	switch (subnet->segment.direct) {
	case DIRECT_PRIVATE: row->flags |= SUBNET_PRIVATE; break;
	case DIRECT_VEPA: row->flags |= SUBNET_VEPA; break;
	case DIRECT_PASSTHRU:
		row->flags |= SUBNET_PASSTHRU;
		row->direct_port_id = port_here(plan, subnet->object.id);
		break;
	case DIRECT_BRIDGE:
	case DIRECT_MODES: break;
	}
}

void plan_direct_wire(const struct subnet_object *subnet, struct port *row, uint32_t *wire)
{
	if (subnet->segment.direct != DIRECT_PASSTHRU)
		return;
	row->flags |= PORT_TAGS_KEPT;
	*wire |= WIRE_WHOLE;
}
