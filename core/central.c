/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * central: a VPC whose subnets one host routes between, the router.
 *
 * Otherwise each host routes what its own ports send (route.c). Here what a port sends to its gateway is carried as it is,
 * in the port's own segment, to the router's host (central_carry); there it is routed as if it came from a port of that
 * host, with a TTL less by one (central_hop, central_push), and sent on in the receiver's segment. Inside a subnet
 * nothing changes, and gateways answer ARP and ping on every host.
 *
 * Rules. The sender's host asks the sender's groups and the ACL of the subnet that is left, the receiver's host those
 * of the receiver and of the subnet that is entered, the router none: each once, as without a router.
 *
 * Connections. The router knows a packet by the port that sent it. The other two hosts know each other's ports as the
 * router's peer, whichever way packets go: two ports of one host in two subnets, whose packets go to the router and come
 * back, would otherwise have one row for both passages. So (A; a->b) leads to the peer at A's host, and at B's
 * (peer; a->b) leads to B, and replies find the same rows the other way round.
 *
 * Before: guard.c. Next: deliver.c. At the router: arrive.c, bridge.c, route.c.
 */
#include "core/ttl.h"

/* Nothing that a router forwards: route.c says what becomes of it. */
static __always_inline int stays_here(const struct packet *p, const struct subnet *subnet)
{
	const struct address *to = &p->key.destination;
	const __u32 family = p->flags & PACKET_IPV4 ? 0 : 1;

	if (address_is_link_local(&p->key.source) || address_is_link_local(to) ||
	    address_is_multicast(to) || address_is_unspecified(to) || address_is_loopback(to) ||
	    (address_is_ipv4(to) && to->word[3] == 0xffffffff))
		return 1;
	return subnet->prefix_length[family] &&
	       address_in(to, &subnet->network[family], subnet->prefix_length[family]);
}

/*
 * p: a port of this host has sent it to its gateway, in a subnet that another host routes. VERDICT_NEXT with out_port_id
 * the router's peer and the frame to go as it is; or without, for route.c; or the drop, whose object is the router's host.
 */
int central_carry(struct frame *f, struct packet *p)
{
	struct subnet_key key = {};
	struct subnet *subnet;

	if (!p)
		return VERDICT_INTERNAL;
	key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &key);
	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	if (stays_here(p, subnet))
		return VERDICT_NEXT;
	p->object_id = subnet->router_host_id;
	if (!subnet->router_port_id)
		return VERDICT_ROUTER_AWAY;
	note(f, NOTE_ROUTE_AWAY, subnet->router_host_id);
	p->flags &= ~(__u32)PACKET_ROUTED;
	p->out_port_id = subnet->router_port_id;
	p->out_tunnel_id = subnet->router_tunnel_id;
	mac_copy(p->ethernet_out, p->gateway_mac);
	mac_copy(p->ethernet_out + 6,
		 p->flags & PACKET_NO_ETHERNET ? p->port_mac : p->ethernet + 6);
	return VERDICT_NEXT;
}

/* The TTL ends here: whoever sent it is told. p: subnet_id is the sender's. */
static __always_inline int expired(struct frame *f, struct packet *p)
{
	p->object_id = p->subnet_id;
	icmp_expired(f, p);
	return VERDICT_TTL_EXPIRED;
}

/* p: in a subnet that this host routes, on its slow way, and the rules have agreed. VERDICT_NEXT, with OUT_HOP where it
 * goes from one subnet to another; or the drop. */
int central_hop(struct frame *f, struct packet *p)
{
	if (!p)
		return VERDICT_INTERNAL;
	if (!(p->flags & PACKET_ROUTED) || p->out_subnet_id == p->subnet_id)
		return VERDICT_NEXT;
	if (p->ttl <= 1)
		return expired(f, p);
	note(f, NOTE_ROUTE_HOP, p->subnet_id);
	p->out_kind |= OUT_HOP;
	return VERDICT_NEXT;
}

/* On the fast way nothing is known of the sender's port. */
static __always_inline int expired_later(struct frame *f, struct packet *p)
{
	struct port_key key = { .port_id = p->port_id };
	struct port *port = table_lookup(ports, &key);

	p->subnet_id = port ? port->subnet_id : p->source_subnet_id;
	p->now = clock_tick();
	return expired(f, p);
}

/* The last step of a packet whose way out has OUT_HOP, on either way. VERDICT_DELIVERED, or the drop. */
int central_push(struct frame *f, struct packet *p)
{
	if (!p)
		return VERDICT_INTERNAL;
	p->out_kind &= ~OUT_HOP;
	if (p->ttl <= 1)
		return expired_later(f, p);
	if (ttl_set(f, p, p->ttl - 1))
		return VERDICT_INTERNAL;
	if (p->out_kind == PORT_TUNNEL)
		return tunnel_push(f, p);
	return OUT_KIND(p->out_kind) >= PORT_WIRE ? wire_push(f, p) : VERDICT_DELIVERED;
}
