/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * wire: VLAN tags at the edges, and who has sent what comes in by a NIC.
 *
 * A subnet may be a segment of an Ethernet outside: all untagged frames of a NIC, or those of one VLAN
 * tag. The wire is a member of the subnet then, a port without checks, behind which stations are learned.
 * The child of a trunk port is a port like others. Inside the pipeline frames have no tag: it is taken off
 * at the way in (wire_take) and put on at the way out (wire_push); the priority in it is kept.
 *
 * Ports that are on other hosts are behind the same wire. What they send is theirs, by their MAC, and has been
 * asked for there; what another host's gateway has routed comes from a MAC of that host, for two hosts
 * with one MAC would make every switch between them learn it anew with each frame.
 *
 * Next: parse.c, flow.h, then pipeline.c or, of another host, arrive.c.
 */
#include "core/packet.h"

#define TAG_ID 0xfffu
#define TAG_PRIORITY 0xf000u

/*
 * Whose is a frame that comes in by a device? p: of a port with children, the port. VERDICT_NEXT with the
 * frame untagged and p of its segment or child; VERDICT_NOT_OURS: nobody's, all is as it was.
 */
int wire_take(struct frame *f, struct packet *p, __u32 ifindex)
{
	struct wire_key key = {};
	struct wire *wire;
	__u32 tag;

	if (!p)
		return VERDICT_INTERNAL;
	tag = frame_tag(f);
	key.ifindex = ifindex;
	/* VID 0 is a priority mark, not a VLAN (IEEE 802.1Q). */
	if (tag & TAG_ID) {
		key.type = (__u16)(tag >> 16);
		key.tag = tag & TAG_ID;
	}
	wire = table_lookup(wires, &key);
	if (!wire)
		return VERDICT_NOT_OURS;
	p->port_id = wire->port_id;
	p->port_slot = wire->port_slot;
	p->vpc_slot = wire->vpc_slot;
	p->object_id = wire->port_id;
	if (wire->flags & WIRE_NETWORK) {
		p->flags |= PACKET_FROM_WIRE;
		p->source_port_id = wire->port_id;
		p->source_subnet_id = wire->subnet_id;
		p->source_host_id = 0;
		p->source_tunnel_id = 0;
		p->source_flags = 0;
	}
	p->tag = tag;
	return tag && frame_tag_pop(f) ? VERDICT_INTERNAL : VERDICT_NEXT;
}

/* Routed by another host: from the owner of the address, as far as that is a port of another host. */
static __always_inline void routed_there(struct packet *p)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct subnet_key subnet_key = { .subnet_id = p->source_subnet_id };
	struct subnet *subnet = table_lookup(subnets, &subnet_key);
	struct vpc *vpc = table_lookup(vpcs, &slot);
	struct endpoint_key key = { .address = p->key.source };
	struct endpoint *endpoint;
	struct port_key port_key = {};
	struct port *port;

	if (!subnet || !vpc)
		return;
	p->flags |= PACKET_FROM_PEER;
	mac_copy(p->ethernet + 6, subnet->gateway_mac);
	key.vpc_id = vpc->vpc_id;
	endpoint = table_lookup(endpoints, &key);
	if (!endpoint || !endpoint->port_id)
		return;
	port_key.port_id = endpoint->port_id;
	port = table_lookup(ports, &port_key);
	if (!port || (port->kind != PORT_WIRE && port->kind != PORT_TUNNEL))
		return;
	p->port_id = endpoint->port_id;
	p->key.port_id = endpoint->port_id;
	p->port_slot = port->port_slot;
}

/* p: parsed, from a wire. VERDICT_NEXT, with PACKET_FROM_PEER and its port where another host of Weft's has
 * sent it; else it is from the wire itself. */
int wire_sender(struct frame *f, struct packet *p)
{
	struct station_key key = {};
	struct station *station;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	key.subnet_id = p->source_subnet_id;
	mac_copy(key.mac, p->ethernet + 6);
	station = table_lookup(stations, &key);
	if (!station)
		return VERDICT_NEXT;
	if ((station->flags & STATION_ROUTER) && (p->flags & PACKET_IP)) {
		routed_there(p);
	} else if (station->flags & STATION_WIRE) {
		p->flags |= PACKET_FROM_PEER;
		p->port_id = station->port_id;
		p->key.port_id = station->port_id;
	}
	return VERDICT_NEXT;
}

/*
 * The tag of the port it goes to, p->out_port_id. A priority mark that the sender has put there himself is
 * taken off first. VERDICT_DELIVERED or the drop.
 */
int wire_push(struct frame *f, struct packet *p)
{
	struct port_key key = {};
	struct port *port;
	__u32 type;

	if (!p)
		return VERDICT_INTERNAL;
	key.port_id = p->out_port_id;
	p->object_id = p->out_port_id;
	port = table_lookup(ports, &key);
	if (!port)
		return VERDICT_PORT_DOWN;
	if (p->vlan_count) {
		if (frame_tag_pop(f))
			return VERDICT_INTERNAL;
		p->l4_offset -= p->l3_offset - ETHERNET_SIZE;
		p->l3_offset = ETHERNET_SIZE;
		p->vlan_count = 0;
	}
	if (!port->tag)
		return VERDICT_DELIVERED;
	type = port->flags & PORT_TAG_8021AD ? ETHERTYPE_QINQ : ETHERTYPE_VLAN;
	if (frame_tag_push(f, type << 16 | ((p->vlan | p->tag) & TAG_PRIORITY) | port->tag))
		return VERDICT_INTERNAL;
	return VERDICT_DELIVERED;
}

/* The frame has become an answer (PACKET_REPLY) and goes back with the tag that the question had. 0, or
 * negative; then PACKET_REPLY is off. */
int wire_reply(struct frame *f, struct packet *p)
{
	if (!p)
		return -1;
	if (!p->tag || !frame_tag_push(f, p->tag))
		return 0;
	p->flags &= ~(__u32)PACKET_REPLY;
	return -1;
}
