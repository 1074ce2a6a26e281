/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * direct: ports on the network of a NIC, as the users of macvlan and ipvlan mean it.
 *
 * A flat or VLAN segment is a switch that has the NIC as one of its members. What else such an attachment may
 * mean is decided here, for all of a segment.
 *
 * Private: its ports do not hear one another (deliver.c refuses it). Vepa (IEEE 802.1Qbg): they do, but by
 * the switch outside, which sends a frame back out of the port that it came by; what comes back is known by
 * its source MAC, and is not delivered to its own sender. Such a segment has workloads with one MAC each and no
 * other switches (model/check_direct.c). Connections between two ports of a vepa segment are two pairs of rows:
 * from the one to the wire, and from the wire to the other. The sender's rules are asked by the first, the
 * receiver's by the second.
 *
 * Passthru: one port and the wire are one; nothing is learned and no MAC is looked at.
 *
 * Shared: outside all ports have the MAC of the NIC. What leaves gets it, in ARP and neighbour discovery as
 * well (direct_translate); what comes for it and for the address of a port is that port's, the rest stays the
 * host's (direct_claims). Inside, ports keep MACs of their own. Host-routed besides: no broadcast, and who is not
 * a port is reached by the host's routes.
 *
 * Called by pipeline.h, bridge.c and wire.c. Next: deliver.c.
 */
#include "core/packet.h"

#define ND_ROUTER_SOLICITATION 133
#define ND_SOLICITATION 135
#define ND_ADVERTISEMENT 136
#define ND_SOURCE_ADDRESS 1
#define ND_TARGET_ADDRESS 2
#define ND_OPTIONS_MAX 4

#define ARP_SENDER_MAC 8 /* from the beginning of the message */
#define ARP_TARGET_MAC 18

/* ---- who ---- */

/* The port with the address that a link-local one was made of (RFC 4291, appendix A). */
static __always_inline __u32 link_local_owner(__u32 subnet_id, const struct address *address,
					      __u8 *mac)
{
	struct station_key key = { .subnet_id = subnet_id };
	__u32 high = host32(address->word[2]), low = host32(address->word[3]);
	struct station *station;

	if ((high & 0xff) != 0xff || low >> 24 != 0xfe)
		return 0;
	key.mac[0] = (__u8)(high >> 24 ^ 2);
	key.mac[1] = (__u8)(high >> 16);
	key.mac[2] = (__u8)(high >> 8);
	key.mac[3] = (__u8)(low >> 16);
	key.mac[4] = (__u8)(low >> 8);
	key.mac[5] = (__u8)low;
	station = table_lookup(stations, &key);
	if (!station || station->flags != STATION_STATIC || station->port_id >= PEER_ID_FIRST)
		return 0;
	mac_copy(mac, key.mac);
	return station->port_id;
}

/* The port of this host and segment that has an address, and its MAC; 0: none. */
OUT_OF_LINE __u32 owner_here(const struct packet *p, __u32 subnet_id, const struct address *address,
			     __u8 *mac)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct vpc *vpc = table_lookup(vpcs, &slot);
	struct endpoint_key key = { .address = *address };
	struct endpoint *endpoint;
	struct port_key port_key = {};
	struct port *port;

	if (address_is_link_local(address))
		return link_local_owner(subnet_id, address, mac);
	if (!vpc)
		return 0;
	key.vpc_id = vpc->vpc_id;
	endpoint = table_lookup(endpoints, &key);
	if (!endpoint || !endpoint->port_id || endpoint->subnet_id != subnet_id)
		return 0;
	port_key.port_id = endpoint->port_id;
	port = table_lookup(ports, &port_key);
	if (!port || port->kind == PORT_WIRE || port->kind == PORT_TUNNEL)
		return 0;
	mac_copy(mac, endpoint->mac);
	return endpoint->port_id;
}

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

/* ---- in ---- */

/* What comes by the wire from a port of this host: it is that port's word for the receiver's rules. */
static __always_inline int reflected(struct packet *p, const struct port *wire)
{
	struct port_key key = { .port_id = sender_here(p) };
	struct endpoint_key endpoint_key = { .vpc_id = p->vpc_id, .address = p->key.source };
	struct endpoint *endpoint;
	struct port *port;
	__u8 mac[6];

	p->object_id = p->port_id;
	if ((p->wire_flags & WIRE_SHARED) && mac_equal(p->ethernet + 6, wire->mac)) {
		key.port_id = owner_here(p, p->subnet_id, &p->key.source, mac);
		if (!key.port_id)
			return VERDICT_REFLECTED;
	}
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

/* Another host's port that shares that host's MAC is known by its address, to the receiver's rules. */
static __always_inline void known_by_address(struct packet *p)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = p->key.source };
	struct endpoint *endpoint = table_lookup(endpoints, &key);
	struct port_key port_key = {};
	struct port *port;

	if (!endpoint || endpoint->subnet_id != p->subnet_id)
		return;
	port_key.port_id = endpoint->port_id;
	port = table_lookup(ports, &port_key);
	if (!port || port->kind != PORT_WIRE)
		return;
	p->group_set_id = endpoint->group_set_id;
	p->flags |= PACKET_SOURCE_OWN;
}

/* To the MAC of the NIC: the address says whose it is. direct_claims has seen that there is somebody. */
static __always_inline int to_address(struct frame *f, struct packet *p)
{
	__u8 mac[6];

	if (p->subnet_flags & SUBNET_HOST_ROUTED) {
		p->flags |= PACKET_ROUTED;
		return VERDICT_NEXT;
	}
	p->out_port_id = owner_here(p, p->subnet_id, &p->key.destination, mac);
	if (!p->out_port_id)
		return VERDICT_OVERHEARD;
	if (p->out_port_id == p->reflected_port_id) {
		p->object_id = p->reflected_port_id;
		return VERDICT_REFLECTED;
	}
	mac_copy(p->ethernet_out, mac);
	mac_copy(p->ethernet_out + 6, p->ethernet + 6);
	if (p->ethertype == be16(ETHERTYPE_ARP) &&
	    frame_store(f, p->l3_offset + ARP_TARGET_MAC, mac, 6))
		return VERDICT_INTERNAL;
	note(f, NOTE_BRIDGE_ADDRESS, p->out_port_id);
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
 * p: in a segment of SUBNET_DIRECT, guarded. VERDICT_NEXT: for the switch to carry, or with out_port_id or
 * PACKET_ROUTED where there is no choice; or the drop, whose object is the port that has sent it.
 */
int direct(struct frame *f, struct packet *p)
{
	struct port_key key = {};
	struct port *wire;
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	if ((p->flags & (PACKET_FROM_WIRE | PACKET_FROM_PEER)) == PACKET_FROM_WIRE) {
		key.port_id = p->port_id;
		wire = table_lookup(ports, &key);
		if (!wire)
			return VERDICT_UNKNOWN_PORT;
		verdict = reflected(p, wire);
		if (verdict)
			return verdict;
		if ((p->wire_flags & WIRE_SHARED) && !p->reflected_port_id)
			known_by_address(p);
		if ((p->wire_flags & WIRE_SHARED) && mac_equal(p->ethernet, wire->mac))
			return to_address(f, p);
	}
	return p->subnet_flags & SUBNET_PASSTHRU ? passthru(p) : VERDICT_NEXT;
}

/*
 * Of frames on a wire whose MAC is shared: is this one for a port, as far as its address tells? p: parsed,
 * as far as it could be. 0: it is the host's alone.
 */
int direct_claims(struct frame *f, struct packet *p)
{
	struct port_key key = {};
	struct port *wire;
	__u8 mac[6];

	(void)f;
	if (!p)
		return 0;
	key.port_id = p->port_id;
	wire = table_lookup(ports, &key);
	if (!wire)
		return 0;
	if (!mac_equal(p->ethernet, wire->mac))
		return !(wire->flags & PORT_HOST_ROUTED);
	if (!(p->flags & PACKET_IP) &&
	    (p->ethertype != be16(ETHERTYPE_ARP) || (wire->flags & PORT_HOST_ROUTED)))
		return 0;
	return owner_here(p, p->source_subnet_id, &p->key.destination, mac) != 0;
}

/* ---- out ---- */

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
	if (!port || port->kind == PORT_WIRE || !(p->subnet_flags & SUBNET_VEPA))
		return VERDICT_NEXT;
	subnet_key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &subnet_key);
	if (!subnet || !subnet->wire_port_id)
		return VERDICT_PORT_DOWN;
	p->out_port_id = key.port_id = subnet->wire_port_id;
	port = table_lookup(ports, &key);
	/* The neighbour's MAC is unknown outside, and the sender's is the same. */
	if (port && (port->flags & PORT_SHARED_MAC))
		mac_copy(p->ethernet_out, port->mac);
	return VERDICT_NEXT;
}

/* Where the options of a message of neighbour discovery begin, behind its ICMPv6 header; 0: it is none. */
static __always_inline __u32 options_of(const struct packet *p)
{
	if (p->key.protocol != PROTOCOL_ICMPV6 ||
	    (p->flags & (PACKET_IPV4 | PACKET_FRAGMENT_LATER)))
		return 0;
	if (p->icmp_type == ND_ROUTER_SOLICITATION)
		return 8;
	return p->icmp_type == ND_SOLICITATION || p->icmp_type == ND_ADVERTISEMENT ? 24 : 0;
}

/* The MAC in the option at offset, and the checksum over it. 0 or negative. */
static __always_inline int translate_option(struct frame *f, __u32 checksum, __u32 offset,
					    const __u8 *mac)
{
	__be16 before[3], after[3];

	if (frame_load(f, offset, before, 6))
		return -1;
	__builtin_memcpy(after, mac, 6);
	if (frame_store(f, offset, after, 6))
		return -1;
	for (int i = 0; i < 3; i++)
		if (frame_checksum_follow(f, checksum, before[i], after[i]))
			return -1;
	return 0;
}

/* A message has one option that names its sender's MAC. */
static __always_inline int translate_discovery(struct frame *f, const struct packet *p,
					       const __u8 *mac)
{
	__u32 offset = p->l4_offset + options_of(p), found = 0;
	__u8 option[2];

	for (int i = 0; i < ND_OPTIONS_MAX && !found; i++) {
		if (frame_load(f, offset, option, 2) || !option[1])
			return 0;
		if (option[0] == ND_SOURCE_ADDRESS || option[0] == ND_TARGET_ADDRESS)
			found = offset + 2;
		offset += option[1] * 8u;
	}
	return found ? translate_option(f, p->l4_offset + 2u, found, mac) : 0;
}

/* p: on its way out by a wire whose MAC is shared, out_port_id: the frame says that it comes from that MAC.
 * 0 or negative. */
int direct_translate(struct frame *f, struct packet *p)
{
	struct port_key key = {};
	struct port *wire;
	__u8 mac[6];

	if (!p)
		return -1;
	key.port_id = p->out_port_id;
	wire = table_lookup(ports, &key);
	if (!wire)
		return -1;
	mac_copy(mac, wire->mac);
	if (frame_store(f, 6, mac, 6))
		return -1;
	if (p->ethertype == be16(ETHERTYPE_ARP))
		return frame_store(f, p->l3_offset + ARP_SENDER_MAC, mac, 6) ? -1 : 0;
	return options_of(p) ? translate_discovery(f, p, mac) : 0;
}
