/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What plan.c (units of one host) and plan_tunnel.c (units between hosts) share.
 */
#ifndef WEFT_MODEL_PLAN_PRIVATE_H
#define WEFT_MODEL_PLAN_PRIVATE_H

#include <string.h>

#include "model/planner.h"

struct plan {
	struct planner *planner;
	const struct intent *intent;
	const struct plan_host *host;
	struct rows *rows;
};

static inline struct address address_row(const struct ip_address *address)
{
	struct address row;

	memcpy(&row, address, sizeof(row));
	return row;
}

static inline const struct object *object_of(const struct intent *intent, uint32_t id,
					     enum object_kind kind)
{
	const struct object *object = intent_object(intent, id);

	return object && object->kind == kind ? object : NULL;
}

/** plan_mac - the MAC of a tunnel object, by which another host leads packets to it */
struct mac_address plan_mac(uint32_t tunnel_id);

/**
 * plan_flood_tunnels - the members of an l2 subnet behind tunnels, for the end of its flood list
 * @index: of the first row
 *
 * Return: how many.
 */
uint32_t plan_flood_tunnels(const struct plan *plan, const struct subnet_object *subnet,
			    uint32_t index);

/** plan_remote_port - a port of another host: its row, complete but for the way there */
void plan_remote_port(const struct plan *plan, const struct port_object *port,
		      const struct vpc_object *vpc, struct port *row);

/* The number that a peer has its counters under: of the host's ports there, or its own. */
uint32_t plan_peer_slot(const struct plan *plan, const struct planner_peer *peer);

/* ---- plan_device.c ---- */

/** plan_device - a port of this host has its device; @vpc_slot: of its VPC */
void plan_device(const struct plan *plan, const struct port_object *port,
		 const struct port_device *device, uint32_t vpc_slot);

/* ---- plan_wire.c ---- */

/** plan_wire_member - the wire as a member of its subnet, for the end of the flood list; 0 or 1 */
uint32_t plan_wire_member(const struct plan *plan, const struct subnet_object *subnet,
			  struct flood *row);

/** plan_wire_flags - enum subnet_flags of a subnet on a wire */
uint32_t plan_wire_flags(const struct plan *plan, const struct subnet_object *subnet);

/** plan_router - which host routes what its ports send to other subnets */
void plan_router(const struct plan *plan, const struct subnet_object *subnet, struct subnet *row);

/** plan_direct - how its ports share the uplink */
void plan_direct(const struct plan *plan, const struct subnet_object *subnet, struct subnet *row);

/** plan_direct_flags - enum port_flags of the same, of its wire and who is behind it */
uint32_t plan_direct_flags(const struct segment *segment);

/** plan_direct_wire - enum wire_flags of the same */
uint32_t plan_direct_wire(const struct segment *segment);

/** plan_wire_port - a port of another host, behind the wire of its subnet */
void plan_wire_port(const struct plan *plan, const struct subnet_object *subnet, struct port *row);

/** plan_wire_target - the wire of a subnet, for routes to who is on it; 0: it is on none */
uint32_t plan_wire_target(const struct plan *plan, const struct subnet_object *subnet);

/** plan_wire - the wire itself */
void plan_wire(const struct plan *plan, const struct planner_peer *peer,
	       const struct subnet_object *subnet, struct port *row);

/* The units between hosts. */
void plan_other_host(const struct plan *plan, uint32_t host_id);
void plan_peer(const struct plan *plan, uint32_t peer_id);
void plan_tunnel(const struct plan *plan, uint32_t tunnel_number);
void plan_tunnel_object(const struct plan *plan, uint32_t object_id);
void plan_underlay(const struct plan *plan);

/* ---- plan_services.c ---- */

/** plan_vpc_services - services where every subnet of a VPC finds them */
void plan_vpc_services(const struct plan *plan, const struct vpc_object *vpc);

/** plan_subnet_services - services at an address of a subnet */
void plan_subnet_services(const struct plan *plan, const struct subnet_object *subnet);

/* ---- plan_quality.c ---- */

/** plan_quality - rows of a port's rates, mark and mirror, and the flags that say so */
void plan_quality(const struct plan *plan, const struct port_object *port,
		  struct port_device *device, struct port *row);

/** plan_is_shared - whether a device of this host shares what it carries among the ports */
bool plan_is_shared(const struct plan *plan, uint32_t ifindex);

/** plan_is_shared_by - the same of the underlay's device with an address of this host */
bool plan_is_shared_by(const struct plan *plan, const struct ip_address *local);

#endif
