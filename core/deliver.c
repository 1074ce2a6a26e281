/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * deliver: the port that the packet goes to, and whether it may go there.
 *
 * Plugged in, or behind which tunnel? An address of its own (V26)? Fills p->out_*: the device, the MACs that the frame gets. Nothing
 * is rewritten yet; policy.c has the next word, and only who may send there is told what fits (V12).
 *
 * Before: bridge.c, route.c. Next: flow.c (flow_find), policy.c.
 */
#include "core/tags.h"

/* To the host that routes for the VPC: central_carry says the MACs before anybody else does. */
static __always_inline int is_carried(const struct packet *p, const struct port *port)
{
	return (p->subnet_flags & SUBNET_ROUTED_AWAY) && port->kind == PORT_TUNNEL &&
	       p->out_port_id >= PEER_ID_FIRST && mac_equal(p->ethernet_out, p->gateway_mac);
}

/* The destination is an address of the port, or one it is allowed besides. */
static __always_inline int destination_is_own(struct packet *p, const struct port *port)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = p->key.destination };
	struct endpoint *endpoint = table_lookup(endpoints, &key);

	/* By the wire to a port that is not known by its MAC there: the sender's rules know it. */
	if (endpoint && endpoint->port_id != p->out_port_id && port->kind == PORT_WIRE &&
	    ((p->subnet_flags & SUBNET_VEPA) || (port->flags & PORT_SHARED_MAC))) {
		p->out_group_set_id = endpoint->group_set_id;
		p->flags |= PACKET_DESTINATION_OWN;
	}
	if (endpoint && endpoint->port_id == p->out_port_id) {
		p->flags |= PACKET_DESTINATION_OWN;
		return 1;
	}
	/* By the router: the sender's rules and its subnet's are asked here, about whom it is for. */
	if (endpoint && endpoint->port_id && is_carried(p, port)) {
		p->out_group_set_id = endpoint->group_set_id;
		p->out_subnet_id = endpoint->subnet_id;
		p->flags |= PACKET_DESTINATION_OWN;
	}
	return (port->flags & PORT_EXTRA_ADDRESSES) &&
	       port_allows(p->out_port_id, &p->key.destination);
}

/*
 * The one thing that came from another host and goes to another host: what is for a port that was here until
 * a moment ago. Only of a sender that is known to be on the host that sent it: there, where it is sent on to,
 * that is not so any more, so nothing is sent on twice. Should two hosts disagree about both ports, each of
 * them halves the outer TTL (tunnel_push.c), and what is left of it ends the matter after a few turns.
 */
static __always_inline int may_be_sent_on(const struct packet *p, const struct port *port)
{
	return (port->flags & PORT_MOVED_AWAY) && port_moved_lately(port, p->now) &&
	       p->port_id != p->source_port_id && !(p->flags & PACKET_WAS_SENT_ON) &&
	       p->outer_ttl > 1;
}

/* Behind a tunnel: the way there, and whether what came from another host may take it. Only tunnel objects
 * of this host are members like any other; the rest is one hop away from every host (split horizon), but for what
 * this host alone routes. */
static __always_inline int way_out(struct packet *p, const struct port *port)
{
	struct tunnel_key key = { .tunnel_id = p->out_tunnel_id };
	struct tunnel *tunnel;

	if (!key.tunnel_id)
		key.tunnel_id = port->tunnel_id;
	tunnel = table_lookup(tunnels, &key);
	if (!tunnel)
		return VERDICT_NO_TUNNEL;
	if (!(tunnel->flags & TUNNEL_OBJECT)) {
		if ((p->flags & PACKET_FROM_PEER) && !is_brought_here(p)) {
			if (!may_be_sent_on(p, port))
				return VERDICT_SPLIT_HORIZON;
			p->flags |= PACKET_SENDING_ON;
		}
		p->flags |= PACKET_TO_PEER;
	}
	p->out_ifindex = key.tunnel_id;
	p->out_mtu = port->mtu && port->mtu < tunnel->mtu ? port->mtu : tunnel->mtu;
	return VERDICT_NEXT;
}

/* Behind a wire of this host. What has come from there is there already: it was seen on its way, or the
 * switches between do not know where the receiver is. */
static __always_inline int wire_out(struct packet *p, const struct port *port)
{
	if ((p->flags & PACKET_FROM_WIRE) && p->source_subnet_id == p->out_subnet_id)
		return VERDICT_OVERHEARD;
	if (p->out_port_id < PEER_ID_FIRST)
		p->flags |= PACKET_TO_PEER;
	/* The host's end of the pair of devices that leads to its stack (agent/devices/stack.c). */
	if (port->flags & PORT_HOST_STACK) {
		mac_copy(p->ethernet_out, port->mac);
		p->ethernet_out[1] ^= 1;
	}
	return VERDICT_NEXT;
}

/* The MAC that this host's gateways send by on the wire that a port is behind. */
static __always_inline void wire_source(struct packet *p, const struct port *port)
{
	struct port_key key = { .port_id = port->tunnel_id };
	struct port *wire = port->tunnel_id ? table_lookup(ports, &key) : NULL;

	mac_copy(p->ethernet_out + 6, wire ? wire->mac : port->mac);
}

/* To a machine that wire_route has found: from this host's gateway, but in an l3 subnet it knows the port by its
 * own MAC. */
static __always_inline const __u8 *machine_source(const struct packet *p, const struct port *port)
{
	return p->subnet_id == p->out_subnet_id && !(p->subnet_flags & SUBNET_L2) ? p->port_mac
										  : port->mac;
}

/* The row of the port it goes to. Where ports share the MAC of a NIC, one of another host has that host's there:
 * on the wire it is a machine like any. */
static __always_inline struct port *receiver(struct packet *p)
{
	struct port_key key = { .port_id = p->out_port_id };
	struct port *port = table_lookup(ports, &key);

	if (!port || port->kind != PORT_WIRE || !(port->flags & PORT_SHARED_MAC) ||
	    !port->tunnel_id)
		return port;
	p->out_port_id = key.port_id = port->tunnel_id;
	return table_lookup(ports, &key);
}

/* Two ports of this host in a private segment (direct.c). */
static __always_inline int isolated(const struct packet *p, const struct port *port)
{
	return (p->subnet_flags & SUBNET_PRIVATE) && port->subnet_id == p->subnet_id &&
			       !(p->flags & PACKET_FROM_WIRE)
		       ? VERDICT_ISOLATED
		       : VERDICT_NEXT;
}

/* Back to where it came from, or as a frame of somebody else's there. */
static __always_inline int not_there(const struct packet *p, const struct port *port)
{
	if (p->out_port_id == p->port_id)
		return VERDICT_SAME_PORT;
	return p->kept_tag && tag_is_taken(p, port) ? VERDICT_TAG_TAKEN : VERDICT_NEXT;
}

/* p: out_port_id is set. VERDICT_NEXT with out_* set; the object of a drop is the port. */
int deliver(struct frame *f, struct packet *p)
{
	struct subnet_key subnet_key;
	struct slot_key slot = {};
	struct port_stats *stats;
	struct subnet *subnet;
	struct port *port;
	int own, verdict;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	p->object_id = p->out_port_id;
	port = receiver(p);
	if (!port)
		return VERDICT_PORT_DOWN;
	p->out_subnet_id = port->subnet_id;
	p->out_group_set_id = port->group_set_id;
	if (!port->ifindex && port->kind != PORT_TUNNEL)
		return VERDICT_PORT_DOWN;
	verdict = not_there(p, port);
	if (verdict)
		return verdict;
	slot.slot = port->port_slot;
	stats = table_lookup(port_stats, &slot);
	if (stats && port_stats_held(stats, p->now))
		return VERDICT_PORT_HELD;
	p->out_slot = port->port_slot;
	p->out_ifindex = port->ifindex;
	p->out_kind = port_out_kind(port);
	p->out_tag = port_out_tag(port);
	p->out_mtu = port->mtu;
	p->out_flags = port->flags;
	if (port->kind == PORT_TUNNEL)
		verdict = way_out(p, port);
	else
		verdict = port->kind == PORT_WIRE ? wire_out(p, port) : isolated(p, port);
	if (verdict)
		return verdict;
	if (!(p->flags & PACKET_IP))
		return VERDICT_NEXT;
	own = destination_is_own(p, port);
	/* A port's extra addresses are known on its own host, which asks this for itself. */
	if (!own && (port->flags & PORT_CHECK_SOURCE) && !(p->flags & PACKET_TO_PEER) &&
	    !(port->kind == PORT_WIRE) &&
	    ((p->flags & PACKET_ROUTED) || !(p->subnet_flags & SUBNET_L2)))
		return VERDICT_DESTINATION_CHECK;
	if (!(p->flags & PACKET_ROUTED))
		return VERDICT_NEXT;
	if (port->kind == PORT_WIRE && p->out_port_id >= PEER_ID_FIRST) {
		mac_copy(p->ethernet_out + 6, machine_source(p, port));
		return VERDICT_NEXT;
	}
	mac_copy(p->ethernet_out, port->mac);
	mac_copy(p->ethernet_out + 6, p->gateway_mac);
	if (!port->subnet_id)
		return VERDICT_NEXT; /* a tunnel that routes is in no subnet */
	subnet_key.subnet_id = port->subnet_id;
	subnet = table_lookup(subnets, &subnet_key);
	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	mac_copy(p->ethernet_out + 6, subnet->gateway_mac);
	if (port->kind == PORT_WIRE)
		wire_source(p, port);
	return VERDICT_NEXT;
}

/* An opaque frame, into a tunnel: the tags are a part of what it carries. Devices judge for themselves. */
static __always_inline int opaque_fits(struct packet *p)
{
	struct tunnel_key key = { .tunnel_id = p->out_ifindex };
	struct tunnel *tunnel;

	if (p->out_kind != PORT_TUNNEL)
		return VERDICT_NEXT;
	tunnel = table_lookup(tunnels, &key);
	p->object_id = p->out_port_id;
	return tunnel && p->packet_length > tunnel->mtu ? VERDICT_TOO_BIG : VERDICT_NEXT;
}

/* p: policy.c has agreed. Too big for the receiver's device: the sender is told, but for a switch, which
 * tells nobody anything. Of a tunnel nobody knows that it is smaller than the segment, so a switch that
 * has one tells as well, as Linux does. */
int deliver_fits(struct frame *f, struct packet *p)
{
	if (!p)
		return VERDICT_INTERNAL;
	if (p->kept_tag)
		return opaque_fits(p);
	if (!(p->flags & PACKET_IP) || p->packet_length <= p->out_mtu)
		return VERDICT_NEXT;
	p->object_id = p->out_port_id;
	if ((p->flags & PACKET_ROUTED) || !(p->subnet_flags & SUBNET_L2) ||
	    p->out_kind == PORT_TUNNEL)
		icmp_too_big(f, p);
	return VERDICT_TOO_BIG;
}
