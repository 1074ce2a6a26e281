/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the user of a port should know of it though it is plugged in: see port_note.h.
 */
#include "agent/devices/port_note.h"

#include <stddef.h>

#include "core/tables.h"

const char *port_note(const struct intent *intent, const struct port_object *port, uint32_t kind,
		      bool adopted, bool shared)
{
	if (port->attach.kind == ATTACH_HOST)
		return "its workload has the host's own network: no address, rule, limit or "
		       "counter of the VPC is about it";
	if (intent_comes_here(intent, port))
		return port->moves_on_command
			       ? "made ready here; `weft port activate` makes it active"
			       : "made ready here; the first frame from its workload, or `weft port "
				 "activate`, makes it active";
	if (intent_vpc_offloads(intent, port->object.vpc_id))
		return NULL;
	if (kind != PORT_TAP && kind != PORT_TUN && !adopted)
		return "segmentation offload is off, for tunnels of the VPC sum or number packets";
	return shared ? "large frames (TSO) are dropped at tunnels that sum or number packets: "
			"turn them off at the device"
		      : "large frames (TSO) are taken apart by the host, for tunnels of the VPC "
			"sum or number packets";
}
