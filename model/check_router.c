/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VPCs that one host routes (routing: host:NAME): what of them it cannot.
 *
 * What a port sends to its gateway is carried to that host as a frame, in the port's own segment. So a segment has to
 * carry Ethernet, and ports whose segment leads to no other host have to be on that one. Frames of several packets go
 * out of one tunnel and into the next whole, which the kernel can do where both are alike; so all segments are.
 *
 * Neighbours: check_vpc.c, check_port.c, check_tunnel.c (the callers), core/central.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/encapsulation.h"
#include "model/intent_private.h"

static bool is_udp(uint8_t kind)
{
	return kind == TUNNEL_VXLAN || kind == TUNNEL_GENEVE;
}

/* @object, @key: what is refused. */
static int check_carried(struct draft *draft, const struct vpc_object *vpc,
			 const struct subnet_object *subnet, const struct object *object,
			 const char *key, struct error *error)
{
	const uint8_t kind = subnet->segment.encapsulation;
	const struct object **subnets;
	size_t count;
	int code = 0;

	if (subnet->segment.type == SEGMENT_OVERLAY && !encapsulation_has_ethernet(kind))
		return draft_refuse(draft, object, key, EINVAL, error,
				    "host %s routes vpc %s, and subnet %s has %s, which does not "
				    "carry Ethernet: vxlan, geneve, nvgre or gretap",
				    vpc->router, vpc->object.name, subnet->object.name,
				    encapsulation_name(kind));
	if (segment_is_wire(&subnet->segment) && subnet->segment.router[0] &&
	    strcmp(subnet->segment.router, vpc->router) != 0)
		return draft_refuse(draft, object, key, EINVAL, error,
				    "host %s routes vpc %s, and not host %s on the wire of subnet "
				    "%s",
				    vpc->router, vpc->object.name, subnet->segment.router,
				    subnet->object.name);
	if (subnet->segment.type != SEGMENT_OVERLAY)
		return 0;
	count = draft_members(draft, vpc->object.id, OBJECT_SUBNET, &subnets);
	for (size_t i = 0; i < count && !code; i++) {
		const struct subnet_object *other = (const struct subnet_object *)subnets[i];
		const uint8_t beside = other->segment.encapsulation;

		if (other->segment.type == SEGMENT_OVERLAY && kind != beside &&
		    !(is_udp(kind) && is_udp(beside)))
			code = draft_refuse(draft, object, key, EINVAL, error,
					    "host %s routes vpc %s, and subnets %s (%s) and %s "
					    "(%s) are not carried alike",
					    vpc->router, vpc->object.name, subnet->object.name,
					    encapsulation_name(kind), other->object.name,
					    encapsulation_name(beside));
	}
	free(subnets);
	return code;
}

/* @about: the port itself, or its VPC. */
static int check_place(struct draft *draft, const struct vpc_object *vpc,
		       const struct port_object *port, const struct object *about, const char *key,
		       struct error *error)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, port->subnet_id);
	const char *elsewhere = strcmp(port->host, vpc->router) != 0 ? port->host : port->moving_to;

	if (!subnet || subnet->segment.type == SEGMENT_OVERLAY || !elsewhere[0] ||
	    port->attach.kind == ATTACH_HOST || strcmp(elsewhere, vpc->router) == 0)
		return 0;
	return draft_refuse(draft, about, key, EINVAL, error,
			    "host %s routes vpc %s, and subnet %s is no overlay: its port %s has "
			    "to be on that host, not on %s",
			    vpc->router, vpc->object.name, subnet->object.name, port->object.name,
			    elsewhere);
}

static int check_tunnel_host(struct draft *draft, const struct vpc_object *vpc,
			     const struct tunnel_object *tunnel, const struct object *about,
			     const char *key, struct error *error)
{
	if (tunnel->subnet_id || tunnel->mirror || strcmp(tunnel->host, vpc->router) == 0)
		return 0;
	return draft_refuse(draft, about, key, EINVAL, error,
			    "host %s routes vpc %s: tunnel %s, which is in no subnet, has to be on "
			    "that host, not on %s",
			    vpc->router, vpc->object.name, tunnel->object.name, tunnel->host);
}

static int check_members(struct draft *draft, const struct vpc_object *vpc, struct error *error)
{
	static const enum object_kind kinds[] = { OBJECT_SUBNET, OBJECT_PORT, OBJECT_TUNNEL };
	int code = 0;

	for (size_t kind = 0; kind < ARRAY_SIZE(kinds) && !code; kind++) {
		const struct object **list;
		size_t count = draft_members(draft, vpc->object.id, kinds[kind], &list);

		for (size_t i = 0; i < count && !code; i++) {
			if (kinds[kind] == OBJECT_SUBNET)
				code = check_carried(draft, vpc,
						     (const struct subnet_object *)list[i],
						     &vpc->object, "routing", error);
			else if (kinds[kind] == OBJECT_PORT)
				code = check_place(draft, vpc, (const struct port_object *)list[i],
						   &vpc->object, "routing", error);
			else
				code = check_tunnel_host(draft, vpc,
							 (const struct tunnel_object *)list[i],
							 &vpc->object, "routing", error);
		}
		free(list);
	}
	return code;
}

int check_routing(struct draft *draft, const struct vpc_object *vpc, struct error *error)
{
	const struct object *host;
	char hint[128];
	int code;

	if (!vpc->router[0])
		return 0;
	host = draft_find(draft, 0, OBJECT_HOST, vpc->router);
	if (!host)
		return draft_refuse(draft, &vpc->object, "routing", EINVAL, error,
				    "no host \"%.64s\"%s", vpc->router,
				    draft_suggest(draft, 0, OBJECT_HOST, vpc->router, hint));
	if (vpc->route_multicast)
		return draft_refuse(draft, &vpc->object, "routing", EINVAL, error,
				    "multicast between subnets (route_multicast) is routed by each "
				    "host, and cannot be by host %s alone",
				    vpc->router);
	code = check_reach(draft, &vpc->object, "routing", vpc->object.id,
			   (const struct host_object *)host, error);
	return code ? code : check_members(draft, vpc, error);
}

int check_routed_subnet(struct draft *draft, const struct subnet_object *subnet,
			struct error *error)
{
	const struct vpc_object *vpc = draft_vpc(draft, subnet->object.vpc_id);
	const struct object **ports;
	size_t count;
	int code;

	if (!vpc->router[0])
		return 0;
	code = check_carried(draft, vpc, subnet, &subnet->object, "segment", error);
	if (code || subnet->segment.type == SEGMENT_OVERLAY)
		return code;
	count = draft_members(draft, vpc->object.id, OBJECT_PORT, &ports);
	for (size_t i = 0; i < count && !code; i++)
		if (((const struct port_object *)ports[i])->subnet_id == subnet->object.id)
			code = check_place(draft, vpc, (const struct port_object *)ports[i],
					   &subnet->object, "segment", error);
	free(ports);
	return code;
}

int check_routed_port(struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct vpc_object *vpc = draft_vpc(draft, port->object.vpc_id);

	return vpc->router[0] ? check_place(draft, vpc, port, &port->object, "host", error) : 0;
}

int check_routed_tunnel(struct draft *draft, const struct tunnel_object *tunnel,
			struct error *error)
{
	const struct vpc_object *vpc = draft_vpc(draft, tunnel->object.vpc_id);

	return vpc->router[0]
		       ? check_tunnel_host(draft, vpc, tunnel, &tunnel->object, "host", error)
		       : 0;
}
