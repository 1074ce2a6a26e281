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

		if (port->attach.kind != ATTACH_HOST && intent_is_local(plan->intent, port->host))
			found = ids[i];
	}
	free(ids);
	return found;
}

static uint32_t flags_of(enum direct_mode mode)
{
	switch (mode) {
	case DIRECT_PRIVATE: return SUBNET_PRIVATE;
	case DIRECT_VEPA: return SUBNET_VEPA;
	case DIRECT_PASSTHRU: return SUBNET_PASSTHRU;
	case DIRECT_L2: return SUBNET_SHARED_MAC;
	case DIRECT_L3:
	case DIRECT_L3S: return SUBNET_SHARED_MAC | SUBNET_HOST_ROUTED;
	case DIRECT_BRIDGE:
	case DIRECT_MODES: break;
	}
	return 0;
}

void plan_direct(const struct plan *plan, const struct subnet_object *subnet, struct subnet *row)
{
	if (!segment_is_wire(&subnet->segment))
		return;
	row->wire_port_id = plan_wire_target(plan, subnet);
	row->flags |= flags_of(subnet->segment.direct) | flags_of(subnet->segment.siblings);
	if (row->flags & SUBNET_PASSTHRU)
		row->direct_port_id = port_here(plan, subnet->object.id);
	/* Another host's gateway, or this one's own, would be one more MAC on the wire. */
	if (row->flags & SUBNET_SHARED_MAC)
		row->flags &= ~(uint32_t)SUBNET_WIRE_GATEWAY;
	/* Who is on the wire is the host's affair. */
	if (row->flags & SUBNET_HOST_ROUTED)
		row->flags &= ~(uint32_t)SUBNET_WIRE;
}

uint32_t plan_direct_flags(const struct segment *segment)
{
	return (segment->direct == DIRECT_PASSTHRU ? PORT_TAGS_KEPT : 0) |
	       (segment_shares_mac(segment) ? PORT_SHARED_MAC : 0) |
	       (segment_is_host_routed(segment) ? PORT_HOST_ROUTED : 0) |
	       (segment_is_stacked(segment) ? PORT_HOST_STACK : 0);
}

uint32_t plan_direct_wire(const struct segment *segment)
{
	return (segment->direct == DIRECT_PASSTHRU ? WIRE_WHOLE : 0) |
	       (segment_shares_mac(segment) ? WIRE_SHARED : 0);
}
