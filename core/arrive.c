/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * arrive: what is different for a packet that another host has sent, or a tunnel that routes.
 *
 * Is the sending host entitled to the source (V8)? In an l3 subnet the source address is a port's of that
 * host, or nobody's that this host knows of; in an l2 subnet the same of the source MAC, which bridge.c
 * asks when it learns. Nothing of neighbours crosses an l3 subnet. Where only IP came through, or nothing
 * but the address says where it goes, the receiver is the owner of the destination; a middlebox is found
 * by the route table of the sender's subnet, as the sender's host found it.
 *
 * Before: tunnel_inner.c. Next: bridge.c, or deliver.c.
 */
#include "core/packet.h"

#define ND_ROUTER_SOLICITATION 133
#define ND_REDIRECT 137

static __always_inline struct endpoint *endpoint_of(const struct packet *p,
						    const struct address *address)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = *address };

	return table_lookup(endpoints, &key);
}

/* Is the port that the packet is taken to be from on the host that sent it? */
static __always_inline int is_on_its_host(const struct packet *p)
{
	struct port_key key = { .port_id = p->port_id };
	struct port *port = table_lookup(ports, &key);

	return p->port_id == p->source_port_id ||
	       (p->flags & PACKET_FROM_WIRE) || /* any that is behind a wire (wire.c) */
	       (port && port_is_at(port, p->source_host_id)) ||
	       (port && port_may_be_at(port, p->source_host_id, p->now));
}

/*
 * Or has that host sent it on, because the port that it is for was there until a moment ago? Such a packet
 * ends at that port (PACKET_WAS_SENT_ON).
 */
OUT_OF_LINE int was_sent_on(const struct packet *p)
{
	struct station_key station_key = { .subnet_id = p->source_subnet_id };
	struct endpoint *endpoint = NULL;
	struct station *station;
	struct port_key key = {};
	struct port *port;

	if (p->flags & PACKET_IP)
		endpoint = endpoint_of(p, &p->key.destination);
	if (endpoint) {
		key.port_id = endpoint->port_id;
	} else if (!(p->flags & PACKET_NO_ETHERNET)) {
		mac_copy(station_key.mac, p->ethernet);
		station = table_lookup(stations, &station_key);
		key.port_id = station ? station->port_id : 0;
	}
	port = table_lookup(ports, &key);
	return port && port->ifindex && port->kind != PORT_TUNNEL && port->moved_until &&
	       port_may_be_at(port, p->source_host_id, p->now);
}

/*
 * V8, by address. Sets PACKET_SOURCE_OWN. The gateways' addresses are no port's: only the sender of an ICMP
 * error about a connection, which tunnel_inner has found by that, may use one.
 */
static __always_inline int entitled(struct packet *p)
{
	struct endpoint *endpoint = endpoint_of(p, &p->key.source);

	if (!endpoint)
		return VERDICT_NEXT;
	if (endpoint->port_id == p->port_id) {
		p->flags |= PACKET_SOURCE_OWN;
		return VERDICT_NEXT;
	}
	/* The router's host speaks for all ports, and by its gateways for itself. */
	if (is_from_router(p) && (endpoint->port_id || (p->flags & PACKET_ICMP_ERROR))) {
		p->flags |= endpoint->port_id ? PACKET_SOURCE_OWN : 0;
		p->group_set_id = endpoint->group_set_id;
		p->out_subnet_id = endpoint->subnet_id;
		return VERDICT_NEXT;
	}
	if (p->subnet_flags & SUBNET_L2)
		return VERDICT_NEXT;
	p->object_id = endpoint->port_id ? endpoint->port_id : endpoint->subnet_id;
	if (!endpoint->port_id && (p->flags & PACKET_ICMP_ERROR) && p->port_id != p->source_port_id)
		return VERDICT_NEXT;
	return VERDICT_FOREIGN_SOURCE;
}

static __always_inline int is_discovery(const struct packet *p)
{
	return p->key.protocol == PROTOCOL_ICMPV6 &&
	       !(p->flags & (PACKET_IPV4 | PACKET_FRAGMENT_LATER)) &&
	       p->icmp_type >= ND_ROUTER_SOLICITATION && p->icmp_type <= ND_REDIRECT;
}

/* In an l3 subnet no host sends such to another; on a wire all hear what it says to machines there. */
static __always_inline int not_carried(struct packet *p, int verdict)
{
	if (!(p->flags & PACKET_FROM_WIRE))
		return verdict;
	p->object_id = p->source_subnet_id;
	return VERDICT_OVERHEARD;
}

/*
 * p: the sender's port and the segment's subnet are set (none: a tunnel that routes). VERDICT_NEXT, with
 * PACKET_ROUTED where the destination address decides; or the drop.
 */
int arrive_guard(struct frame *f, struct packet *p)
{
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	p->object_id = p->port_id;
	if (!(p->flags & PACKET_NO_ETHERNET) && (p->ethernet[6] & 1))
		return VERDICT_SPOOFED_MAC;
	if (!is_on_its_host(p)) {
		if (!was_sent_on(p))
			return VERDICT_FOREIGN_SOURCE;
		p->flags |= PACKET_WAS_SENT_ON;
		note(f, NOTE_TUNNEL_SENT_ON, p->port_id);
	}
	if (!(p->flags & PACKET_IP))
		return p->subnet_flags & SUBNET_L2 ? VERDICT_NEXT : not_carried(p, VERDICT_NOT_IP);
	if (address_is_multicast(&p->key.source) || address_is_loopback(&p->key.source))
		return VERDICT_BAD_SOURCE;
	if (!(p->subnet_flags & SUBNET_L2) && is_discovery(p))
		return not_carried(p, VERDICT_SPOOFED_ND);
	verdict = entitled(p);
	if (verdict)
		return verdict;
	if ((p->flags & PACKET_NO_ETHERNET) || !p->source_subnet_id)
		p->flags |= PACKET_ROUTED;
	return VERDICT_NEXT;
}

/* A tunnel's end answers what its keepalive has asked in the name of a gateway. */
static __always_inline int is_echo_reply(const struct packet *p)
{
	return !(p->flags & (PACKET_FROM_PEER | PACKET_FRAGMENT_LATER)) &&
	       ((p->key.protocol == PROTOCOL_ICMP && p->icmp_type == 0) ||
		(p->key.protocol == PROTOCOL_ICMPV6 && p->icmp_type == 129));
}

/* p: subnet_id is the sender's, 0: not known. VERDICT_NEXT with the port that the destination address leads
 * to; the object of a drop is what the address belongs to. */
int arrive_local(struct frame *f, struct packet *p)
{
	struct endpoint *endpoint;

	if (!p)
		return VERDICT_INTERNAL;
	p->object_id = p->port_id;
	if (address_is_multicast(&p->key.destination))
		return VERDICT_MULTICAST;
	endpoint = endpoint_of(p, &p->key.destination);
	if (endpoint && !endpoint->port_id) {
		p->object_id = endpoint->subnet_id;
		return is_echo_reply(p) ? VERDICT_CONSUMED : VERDICT_NOT_OWN_GATEWAY;
	}
	if (endpoint) {
		p->out_port_id = endpoint->port_id;
		return VERDICT_NEXT;
	}
	if (!p->subnet_id || !(p->flags & PACKET_FROM_PEER))
		return VERDICT_NO_ENDPOINT;
	return route(f, p);
}
