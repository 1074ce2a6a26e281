/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The rows that say which frames of a device are whose.
 *
 * A device is one port's, by its row in attachments; or it carries several ports, told apart by VLAN tags, by rows in
 * wires (core/wire.c). One that the host goes on using has rows in wires only: what is nobody's there is the host's.
 *
 * Neighbours: plan.c (the caller), plan_wire.c (the same for uplinks), agent/devices/device_adopt.c.
 */
#include <stdlib.h>

#include "model/plan_private.h"

#define TYPE_VLAN 0x8100
#define TYPE_SERVICE 0x88a8

/* The frames of a device that are a port's own: those of a tag, or without one (@type 0). */
static void plan_frames(const struct plan *plan, const struct port_object *port,
			const struct port_device *device, uint32_t vpc_slot, uint16_t type)
{
	struct wire_key key = { .ifindex = device->ifindex, .type = type };
	struct wire row = {
		.port_id = port->object.id,
		.port_slot = device->slot,
		.vpc_slot = vpc_slot,
		.subnet_id = port->subnet_id,
	};

	if (type)
		key.tag = port->attach.vlan;
	row.flags |= device->attachment_flags & ATTACHMENT_RATED ? WIRE_RATED : 0;
	row.flags |= device->attachment_flags & ATTACHMENT_WATCHED ? WIRE_WATCHED : 0;
	rows_add(plan->rows, TABLE_wires, &key, &row);
}

/* Behind another port's device. */
static void plan_child(const struct plan *plan, const struct port_object *port,
		       const struct port_device *device, uint32_t vpc_slot)
{
	plan_frames(plan, port, device, vpc_slot,
		    port->attach.service_tag ? TYPE_SERVICE : TYPE_VLAN);
	if (port->attach.native)
		plan_frames(plan, port, device, vpc_slot, 0);
}

/* Whether any of the children has the frames without a tag. */
static bool has_native(const struct plan *plan, const uint32_t *children, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct object *child = object_of(plan->intent, children[i], OBJECT_PORT);

		if (child && ((const struct port_object *)child)->attach.native)
			return true;
	}
	return false;
}

void plan_device(const struct plan *plan, const struct port_object *port,
		 const struct port_device *device, uint32_t vpc_slot)
{
	struct attachment_key key = { .ifindex = device->ifindex };
	struct attachment row = {
		.port_id = port->object.id,
		.port_slot = device->slot,
		.vpc_slot = vpc_slot,
		.flags = device->attachment_flags,
	};
	uint32_t *children;
	size_t child_count = intent_children(plan->intent, port, &children);
	bool native = has_native(plan, children, child_count);

	if (child_count)
		row.flags |= ATTACHMENT_TRUNK;
	free(children);
	if (!device->ifindex)
		return;
	if (device->kind == PORT_CHILD)
		plan_child(plan, port, device, vpc_slot);
	else if ((device->attachment_flags & ATTACHMENT_SHARED) && !native)
		plan_frames(plan, port, device, vpc_slot, 0);
	else if (!(device->attachment_flags & ATTACHMENT_SHARED))
		rows_add(plan->rows,
			 key.ifindex < ATTACHMENTS_NEAR ? TABLE_attachments : TABLE_attachments_far,
			 &key, &row);
}
