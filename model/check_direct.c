/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Direct attachment: what the ways to share an uplink go together with.
 *
 * Where ports are kept apart, or meet by the switch outside alone, a port is a workload with one MAC: behind
 * another switch or a tunnel there would be stations that nobody can tell from those on the wire. Where
 * one port has the uplink, Weft is a wire and no switch, and on each host there is one such port.
 *
 * Neighbours: check_wire.c, check_port.c, check_tunnel.c (the callers), core/direct.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "model/intent_private.h"

static const struct subnet_object *subnet_of(const struct draft *draft, uint32_t subnet_id)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)draft_object(draft, subnet_id);

	return subnet && segment_is_wire(&subnet->segment) &&
			       subnet->segment.direct != DIRECT_BRIDGE
		       ? subnet
		       : NULL;
}

static bool is_at(const struct port_object *port, const char *host)
{
	return host[0] && (strcmp(port->host, host) == 0 || strcmp(port->moving_to, host) == 0);
}

/* Another port of the subnet on the same host, or about to be; NULL: there is none. */
static const struct port_object *twin_of(const struct draft *draft, const struct port_object *port)
{
	const struct object **list;
	size_t count = draft_members(draft, port->object.vpc_id, OBJECT_PORT, &list);
	const struct port_object *found = NULL;

	for (size_t i = 0; i < count && !found; i++) {
		const struct port_object *other = (const struct port_object *)list[i];

		if (other->object.id != port->object.id && other->subnet_id == port->subnet_id &&
		    other->attach.kind != ATTACH_HOST &&
		    (strcmp(other->host, port->host) == 0 || is_at(other, port->moving_to) ||
		     is_at(port, other->moving_to)))
			found = other;
	}
	free(list);
	return found;
}

static int check_member(struct draft *draft, const struct object *object,
			const struct subnet_object *subnet, const struct port_object *port,
			struct error *error)
{
	const struct port_object *twin;

	if (port->attach.kind == ATTACH_HOST)
		return 0;
	if (port->attach.kind == ATTACH_TUN && !segment_is_host_routed(&subnet->segment))
		return draft_refuse(draft, object, "attach", EINVAL, error,
				    "port %s is a tun, without Ethernet, and cannot be attached to "
				    "an uplink",
				    port->object.name);
	if (segment_has_single_stations(&subnet->segment) && attach_is_link(&port->attach))
		return draft_refuse(draft, object, "attach", EINVAL, error,
				    "port %s leads to another switch, and the ports of subnet %s "
				    "are kept apart by their MACs: say direct: bridge or passthru",
				    port->object.name, subnet->object.name);
	if (subnet->segment.direct != DIRECT_PASSTHRU)
		return 0;
	if (port->attach.kind == ATTACH_CHILD)
		return draft_refuse(draft, object, "attach", EINVAL, error,
				    "port %s shares its device with others, and cannot have all of "
				    "an uplink",
				    port->object.name);
	twin = twin_of(draft, port);
	return twin ? draft_refuse(draft, object, "subnet", EINVAL, error,
				   "one port of a host has all of an uplink: in subnet %s that is "
				   "%s already",
				   subnet->object.name, twin->object.name)
		    : 0;
}

static int refuse_segment(const struct draft *draft, const struct subnet_object *subnet,
			  const char *key, struct error *error, const char *sentence)
{
	return draft_refuse(draft, &subnet->object, key, EINVAL, error, "%s", sentence);
}

static bool has_gateway(const struct subnet_object *subnet)
{
	static const struct ip_address none;

	return !ip_address_equal(&subnet->gateways[0], &none) ||
	       !ip_address_equal(&subnet->gateways[1], &none);
}

static int check_shared(const struct draft *draft, const struct subnet_object *subnet,
			struct error *error)
{
	const struct segment *segment = &subnet->segment;

	if (segment->type != SEGMENT_FLAT)
		return refuse_segment(draft, subnet, "segment.direct", error,
				      "with a tag, what is for the NIC's MAC is the host's VLAN "
				      "device's: make that one the uplink, and say type: flat");
	if (segment->direct == DIRECT_L2 && has_gateway(subnet))
		return refuse_segment(draft, subnet, "gateway", error,
				      "with direct: l2 the router is one of the network's own: say "
				      "it by DHCP or in the workload");
	if (segment_is_host_routed(segment) && segment->siblings == DIRECT_VEPA)
		return refuse_segment(
			draft, subnet, "segment.siblings", error,
			"with direct: l3 and l3s siblings are bridge or private: what is "
			"routed is not reflected");
	if (segment_is_host_routed(segment) && subnet->mode != SUBNET_MODE_L3)
		return refuse_segment(
			draft, subnet, "mode", error,
			"direct: l3 and l3s have no broadcast and no stations: say mode: l3");
	return 0;
}

static int check_passthru(const struct draft *draft, const struct subnet_object *subnet,
			  struct error *error)
{
	if (subnet->segment.type != SEGMENT_FLAT)
		return refuse_segment(draft, subnet, "segment.direct", error,
				      "direct: passthru takes the whole uplink: say type: flat");
	if (has_gateway(subnet))
		return refuse_segment(draft, subnet, "gateway", error,
				      "with direct: passthru Weft is no more than a wire, "
				      "and is nobody's gateway");
	if (subnet->dhcp || subnet->ra)
		return refuse_segment(draft, subnet, subnet->dhcp ? "dhcp" : "ra", error,
				      "with direct: passthru Weft is no more than a wire, and "
				      "serves nothing on it");
	return 0;
}

static int check_tunnels_of(struct draft *draft, const struct subnet_object *subnet,
			    struct error *error)
{
	const struct object **list;
	size_t count = draft_members(draft, subnet->object.vpc_id, OBJECT_TUNNEL, &list);
	int code = 0;

	for (size_t i = 0; i < count && !code; i++)
		if (((const struct tunnel_object *)list[i])->subnet_id == subnet->object.id)
			code = draft_refuse(draft, &subnet->object, "segment.direct", EINVAL, error,
					    "tunnel %s is a member of it; only direct: bridge has "
					    "members behind tunnels",
					    list[i]->name);
	free(list);
	return code;
}

int check_direct(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	const struct object **list;
	size_t count;
	int code = 0;

	if (subnet->segment.siblings != DIRECT_BRIDGE && !segment_shares_mac(&subnet->segment))
		return refuse_segment(
			draft, subnet, "segment.siblings", error,
			"siblings goes with direct: l2, l3 and l3s; else direct says it");
	if (!subnet_of(draft, subnet->object.id))
		return 0;
	if (subnet->mode != SUBNET_MODE_L2 && !segment_is_host_routed(&subnet->segment))
		return refuse_segment(draft, subnet, "segment.direct", error,
				      "direct is for mode: l2; in mode l3 ports see their router "
				      "alone");
	if (subnet->segment.direct == DIRECT_PASSTHRU)
		code = check_passthru(draft, subnet, error);
	else if (segment_shares_mac(&subnet->segment))
		code = check_shared(draft, subnet, error);
	if (!code)
		code = check_tunnels_of(draft, subnet, error);
	if (code)
		return code;
	count = draft_members(draft, subnet->object.vpc_id, OBJECT_PORT, &list);
	for (size_t i = 0; i < count && !code; i++) {
		const struct port_object *port = (const struct port_object *)list[i];

		if (port->subnet_id == subnet->object.id)
			code = check_member(draft, &subnet->object, subnet, port, error);
	}
	free(list);
	return code;
}

int check_direct_port(struct draft *draft, const struct port_object *port, struct error *error)
{
	const struct subnet_object *subnet = subnet_of(draft, port->subnet_id);

	return subnet ? check_member(draft, &port->object, subnet, port, error) : 0;
}

int check_direct_tunnel(struct draft *draft, const struct tunnel_object *tunnel,
			struct error *error)
{
	const struct subnet_object *subnet = subnet_of(draft, tunnel->subnet_id);

	return subnet ? draft_refuse(
				draft, &tunnel->object, "subnet", EINVAL, error,
				"only a subnet with direct: bridge has members behind tunnels; "
				"%s has another",
				subnet->object.name)
		      : 0;
}
