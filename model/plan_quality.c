/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of what a port may send, how that is marked, and who gets copies of its packets; and what has to be
 * told of devices that share what they carry among the ports.
 *
 * Neighbours: plan.c (the port's other rows), core/rate.c and core/watch.c (who read these).
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "model/filter.h"
#include "model/plan_private.h"

/* Its own mirror, else that of its subnet; NULL: neither. */
static const struct port_mirror_to *mirror_of(const struct plan *plan,
					      const struct port_object *port)
{
	const struct object *subnet = object_of(plan->intent, port->subnet_id, OBJECT_SUBNET);

	if (port->mirror || !subnet)
		return port->mirror;
	return ((const struct subnet_object *)subnet)->mirror;
}

/* Who gets copies of its packets. Return: false when that one is not there, or is the port itself. */
static bool plan_mirror(const struct plan *plan, const struct port_object *port,
			const struct port_mirror_to *mirror, uint32_t slot)
{
	const struct object *vpc = intent_object(plan->intent, port->object.vpc_id);
	const struct port_key key = { .port_id = port->object.id };
	struct port_mirror row = { .watch.flags = WATCH_MIRROR | (mirror->sends ? WATCH_FROM : 0) |
						  (mirror->receives ? WATCH_TO : 0) };
	const struct object *target =
		vpc ? intent_find(plan->intent, vpc->name,
				  mirror->tunnel ? OBJECT_TUNNEL : OBJECT_PORT, mirror->to)
		    : NULL;

	plan->planner->mirrors = true;
	if (!target || target->id == port->object.id)
		return false;
	row.watch.sample = mirror->sample;
	row.watch.size = mirror->truncate;
	if (!port->mirror)
		row.watch.flags |= WATCH_ONCE;
	filter_watch(&mirror->filter, &row.watch);
	filter_watch_groups(&mirror->filter, plan->intent, port->object.vpc_id, &row.watch);
	row.watch.target_id = target->id;
	row.watch.port_slot = slot;
	rows_add(plan->rows, TABLE_port_mirrors, &key, &row);
	return true;
}

/* What it may send, and how that is marked. */
static void plan_rate(const struct plan *plan, const struct port_object *port)
{
	const struct port_key key = { .port_id = port->object.id };
	const uint64_t bytes = port->send_rate / 8;
	struct port_rate row = { 0 };

	if (bytes) {
		row.byte_cost = (1000000000ULL << RATE_COST_SHIFT) / bytes;
		row.burst_ns = 1000000000ULL * port_rate_slack(port) / bytes;
	}
	if (port->dscp_mark) {
		row.flags |= RATE_DSCP;
		row.dscp = (uint8_t)(port->dscp_mark - 1);
	}
	rows_add(plan->rows, TABLE_port_rates, &key, &row);
}

void plan_quality(const struct plan *plan, const struct port_object *port,
		  struct port_device *device, struct port *row)
{
	const struct port_mirror_to *mirror = mirror_of(plan, port);

	if (port->receive_rate)
		row->flags |= PORT_SHAPED;
	if (mirror && plan_mirror(plan, port, mirror, device->slot)) {
		row->flags |= PORT_WATCHED;
		device->attachment_flags |= ATTACHMENT_WATCHED;
	}
	if (intent_flow_log(plan->intent, port))
		row->flags |= PORT_LOGGED;
	if (port->send_rate || port->dscp_mark) {
		device->attachment_flags |= ATTACHMENT_RATED;
		plan_rate(plan, port);
	}
}

/* ---- shared devices ---- */

bool plan_is_shared(const struct plan *plan, uint32_t ifindex)
{
	return ifindex && plan->host->device_shared &&
	       plan->host->device_shared(plan->host->context, ifindex);
}

bool plan_is_shared_by(const struct plan *plan, const struct ip_address *local)
{
	return plan->host->underlay_ifindex &&
	       plan_is_shared(plan, plan->host->underlay_ifindex(plan->host->context, local));
}

size_t plan_shared_units(const struct planner *planner, const struct intent *intent,
			 struct unit **units)
{
	size_t count = plan_wire_units(planner, intent, units);

	*units = xreallocarray(*units, count + map_count(&planner->tunnels) + 1, sizeof(**units));
	MAP_FOR_EACH(&planner->tunnels, it) {
		const struct planner_tunnel *tunnel = it.value;
		const struct object *subject = intent_object(intent, tunnel->subject_id);

		if (subject && subject->kind == OBJECT_TUNNEL)
			(*units)[count++] = (struct unit){ UNIT_TUNNEL_OBJECT, subject->id };
		else
			(*units)[count++] = (struct unit){ UNIT_TUNNEL, tunnel->number };
	}
	return count;
}
