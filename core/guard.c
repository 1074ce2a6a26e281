/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * guard: may this port send this at all?
 *
 * VLAN tags, MAC and IP spoofing (V7), sources that no host has. ARP and neighbour discovery have
 * guards of their own in neighbour.c, which knows their fields. An l2 subnet is an Ethernet switch: the
 * checks of addresses are off there as a set.
 *
 * Before: the pipeline, which has read the port's row. Next: neighbour.c.
 */
#include "core/packet.h"

/* One of the port's own addresses? The link-local one of its MAC is. */
static __always_inline int source_is_own(struct packet *p)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = p->key.source };
	struct endpoint *endpoint = table_lookup(endpoints, &key);
	struct address link_local;

	if (endpoint && endpoint->port_id == p->port_id)
		return 1;
	if (!address_is_link_local(&p->key.source))
		return 0;
	address_link_local(&link_local, p->port_mac);
	return address_equal(&link_local, &p->key.source);
}

/*
 * By the host's routes comes what is from anywhere, and from ports of other hosts; from a port of this host or
 * a gateway of the VPC nothing does: a machine outside says so. The object is the owner.
 */
static __always_inline int is_of_port_here(struct packet *p)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = p->key.source };
	struct endpoint *endpoint = table_lookup(endpoints, &key);
	struct port_key port_key = {};
	struct port *port;

	if (!endpoint)
		return 0;
	if (!endpoint->port_id) {
		p->object_id = endpoint->subnet_id;
		return 1;
	}
	port_key.port_id = endpoint->port_id;
	port = table_lookup(ports, &port_key);
	if (!port || port->kind == PORT_WIRE || port->kind == PORT_TUNNEL)
		return 0;
	p->object_id = endpoint->port_id;
	return 1;
}

static __always_inline int guard_source(struct frame *f, struct packet *p)
{
	const struct address *source = &p->key.source;

	if (address_is_multicast(source) || address_is_loopback(source) ||
	    (address_is_ipv4(source) && source->word[3] == 0xffffffff))
		return VERDICT_BAD_SOURCE;
	if (source_is_own(p)) {
		p->flags |= PACKET_SOURCE_OWN;
		note(f, NOTE_GUARD_OWN, 0);
		return VERDICT_NEXT;
	}
	if (p->subnet_flags & SUBNET_L2)
		return VERDICT_NEXT;
	if (p->flags & PACKET_FROM_WIRE) {
		if (!(p->subnet_flags & SUBNET_HOST_ROUTED))
			return wire_guard(f, p);
		if (is_of_port_here(p))
			return VERDICT_SPOOFED_OUTSIDE;
	}
	/* Duplicate address detection and DHCP begin without an address; who serves them looks further. */
	if (address_is_unspecified(source))
		return address_is_multicast(&p->key.destination) ||
				       (address_is_ipv4(&p->key.destination) &&
					p->key.destination.word[3] == 0xffffffff)
			       ? VERDICT_NEXT
			       : VERDICT_BAD_SOURCE;
	if (!(p->port_flags & PORT_CHECK_SOURCE)) {
		note(f, NOTE_GUARD_OFF, 0);
		return VERDICT_NEXT;
	}
	if ((p->port_flags & PORT_EXTRA_ADDRESSES) && port_allows(p->port_id, &p->key.source)) {
		note(f, NOTE_GUARD_EXTRA, 0);
		return VERDICT_NEXT;
	}
	return VERDICT_SPOOFED_ADDRESS;
}

/*
 * A packet that leaves an l2 subnet by its gateway: inside, addresses are nobody's business, but what is
 * routed must come from an address of the subnet that is no other port's. With the port's check off it is
 * a router itself, and may route from anywhere.
 */
int guard_routed(struct frame *f, struct packet *p)
{
	struct subnet_key key;
	struct endpoint_key endpoint_key = {};
	struct endpoint *endpoint;
	struct subnet *subnet;
	__u32 family;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	if (!(p->subnet_flags & SUBNET_L2) || !(p->port_flags & PORT_CHECK_SOURCE) ||
	    (p->flags & PACKET_SOURCE_OWN))
		return VERDICT_NEXT;
	p->object_id = p->port_id;
	if ((p->port_flags & PORT_EXTRA_ADDRESSES) && port_allows(p->port_id, &p->key.source))
		return VERDICT_NEXT;
	key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &key);
	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	family = p->flags & PACKET_IPV4 ? 0 : 1;
	endpoint_key.vpc_id = p->vpc_id;
	endpoint_key.address = p->key.source;
	endpoint = table_lookup(endpoints, &endpoint_key);
	if (endpoint || !subnet->prefix_length[family] ||
	    !address_in(&p->key.source, &subnet->network[family], subnet->prefix_length[family]))
		return VERDICT_SPOOFED_ADDRESS;
	return VERDICT_NEXT;
}

/* p: parsed, what it is to know of the sender's port is set. The object of a refusal is the port. */
int guard(struct frame *f, struct packet *p)
{
	if (!p)
		return VERDICT_INTERNAL;
	p->object_id = p->port_id;
	/* VID 0 is a priority mark, not a VLAN (IEEE 802.1Q). */
	if ((p->vlan_count > 1 || (p->vlan & 0xfff)) && !p->kept_tag &&
	    !(p->subnet_flags & SUBNET_PASSTHRU))
		return VERDICT_TAGGED;
	if (!(p->flags & PACKET_NO_ETHERNET)) {
		if (p->ethernet[6] & 1)
			return VERDICT_SPOOFED_MAC;
		if ((p->port_flags & PORT_CHECK_MAC) && !mac_equal(p->ethernet + 6, p->port_mac))
			return VERDICT_SPOOFED_MAC;
	}
	if (p->flags & PACKET_IP)
		return guard_source(f, p);
	/* What machines outside say to one another beside IP. */
	if ((p->flags & PACKET_FROM_WIRE) && !(p->subnet_flags & SUBNET_L2) &&
	    p->ethertype != be16(ETHERTYPE_ARP)) {
		p->object_id = p->subnet_id;
		return VERDICT_OVERHEARD;
	}
	/* "Here I am", of a virtual machine that has come to this host: the datapath knows. */
	if (p->ethertype == be16(ETHERTYPE_RARP) && !(p->subnet_flags & SUBNET_L2))
		return VERDICT_CONSUMED;
	if (p->ethertype != be16(ETHERTYPE_ARP) && !(p->subnet_flags & SUBNET_L2))
		return VERDICT_NOT_IP;
	return VERDICT_NEXT;
}
