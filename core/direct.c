/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * direct: ports on the network of a NIC, as the users of macvlan mean it.
 *
 * A flat or VLAN segment is a switch that has the NIC as one of its members. What else such an attachment may
 * mean is decided here, for all of a segment. Private: its ports do not hear one another. Vepa (IEEE
 * 802.1Qbg): they do, but by the switch outside, which sends a frame back out of the port that it came by; what
 * comes back is known by its source MAC, and is not delivered to its own sender. Such a segment has
 * workloads with one MAC each and no other switches (model/check_direct.c), so no MAC is learned in it
 * but those on the wire. Passthru: one port and the wire are one; nothing is learned and no MAC is looked at.
 *
 * Connections between two ports of a vepa segment are two pairs of rows: from the one to the wire, and from
 * the wire to the other. The sender's rules are asked by the first, the receiver's by the second.
 *
 * Called by bridge.c. Neighbours: wire.c (tags), deliver.c.
 */
#include "core/packet.h"

/* The port of this host whose MAC the frame comes from; 0: none. */
static __always_inline __u32 sender_here(const struct packet *p)
{
	struct station_key key = { .subnet_id = p->subnet_id };
	struct station *station;

	mac_copy(key.mac, p->ethernet + 6);
	station = table_lookup(stations, &key);
	if (!station || station->flags != STATION_STATIC || station->port_id == p->port_id)
		return 0;
	return station->port_id;
}

/* What comes by the wire from a port of this host: it is that port's word for the receiver's rules. */
static __always_inline int reflected(struct packet *p)
{
	struct port_key key = { .port_id = sender_here(p) };
	struct endpoint_key endpoint_key = { .vpc_id = p->vpc_id, .address = p->key.source };
	struct endpoint *endpoint;
	struct port *port;

	if (!key.port_id)
		return VERDICT_NEXT;
	p->object_id = key.port_id;
	if (!(p->subnet_flags & SUBNET_VEPA))
		return VERDICT_REFLECTED;
	port = table_lookup(ports, &key);
	if (!port)
		return VERDICT_REFLECTED;
	p->reflected_port_id = key.port_id;
	p->group_set_id = port->group_set_id;
	endpoint = table_lookup(endpoints, &endpoint_key);
	if (endpoint && endpoint->port_id == key.port_id)
		p->flags |= PACKET_SOURCE_OWN;
	return VERDICT_NEXT;
}

static __always_inline int passthru(struct packet *p)
{
	struct subnet_key key = { .subnet_id = p->subnet_id };
	struct subnet *subnet = table_lookup(subnets, &key);

	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	p->object_id = p->subnet_id;
	p->out_port_id = p->flags & PACKET_FROM_WIRE ? subnet->direct_port_id
						     : subnet->wire_port_id;
	__builtin_memcpy(p->ethernet_out, p->ethernet, 12);
	return p->out_port_id ? VERDICT_NEXT : VERDICT_PORT_DOWN;
}

/*
 * p: in a segment of SUBNET_DIRECT, guarded. VERDICT_NEXT: for the switch to carry, or with out_port_id where
 * there is no choice; or the drop, whose object is the port that has sent it.
 */
int direct(struct frame *f, struct packet *p)
{
	int verdict;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	if ((p->flags & (PACKET_FROM_WIRE | PACKET_FROM_PEER)) == PACKET_FROM_WIRE) {
		verdict = reflected(p);
		if (verdict)
			return verdict;
	}
	return p->subnet_flags & SUBNET_PASSTHRU ? passthru(p) : VERDICT_NEXT;
}

/*
 * p: the switch has found its destination, out_port_id. VERDICT_NEXT, with out_port_id the wire's where
 * the way is by the switch outside; or the drop, whose object is that destination.
 */
int direct_out(struct frame *f, struct packet *p)
{
	struct subnet_key subnet_key = {};
	struct port_key key = {};
	struct subnet *subnet;
	struct port *port;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	p->object_id = p->out_port_id;
	if (p->flags & PACKET_FROM_WIRE)
		return p->out_port_id == p->reflected_port_id ? VERDICT_REFLECTED : VERDICT_NEXT;
	key.port_id = p->out_port_id;
	port = table_lookup(ports, &key);
	if (!port || port->kind == PORT_WIRE)
		return VERDICT_NEXT;
	if (p->subnet_flags & SUBNET_PRIVATE)
		return VERDICT_ISOLATED;
	subnet_key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &subnet_key);
	if (!subnet || !subnet->wire_port_id)
		return VERDICT_PORT_DOWN;
	p->out_port_id = subnet->wire_port_id;
	return VERDICT_NEXT;
}
