/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * punt: what the daemon answers, and what it sends by itself.
 *
 * DHCP and router solicitations need names, options and a clock of the control plane: the frame goes to
 * weftd through one device (a tap that weftd holds open), with a struct punt_header between its Ethernet
 * header and the rest, and what weftd writes there comes back by punt_return() with the same header.
 * The device lives as long as weftd does, so a frame for a daemon that does not run is dropped here, with
 * a verdict of its own; and a port may ask no more often than the state row allows.
 *
 * It works where nothing else of the kind passes: from 0.0.0.0 and ::, to broadcast and multicast, in an
 * l3 subnet too (V5). Only ports of this host are served; what came through a tunnel is another host's.
 *
 * Before: guard.c. Neighbours: agent/services/punt.c (the other end), target/bpf/punt.bpf.c (the way back).
 */
#include "core/packet.h"
#include "core/police.h"

#define PORT_DHCP4_SERVER 67
#define PORT_DHCP6_SERVER 547
#define ND_ROUTER_SOLICITATION 133
#define ND_SOLICITATION 135
#define SERVER_OFFSET 2 /* of DHCP in a range without a gateway; model/check_dhcp.c says the same */

/* A workload of this host: what is behind a tunnel, another switch or a wire has servers of its own. */
static __always_inline int is_served(__u32 kind, __u32 port_flags)
{
	if (kind == PORT_CHILD)
		return !(port_flags & PORT_UNFILTERED);
	return kind == PORT_VETH || kind == PORT_TAP || kind == PORT_TUN;
}

/* Which question it is, if the subnet answers it; PUNT_NONE. */
static __always_inline __u32 reason_of(const struct packet *p)
{
	const int ipv4 = p->flags & PACKET_IPV4;

	if (!(p->flags & PACKET_IP) || (p->flags & (PACKET_FRAGMENT_FIRST | PACKET_FRAGMENT_LATER |
						    PACKET_FROM_TUNNEL | PACKET_FROM_WIRE)))
		return PUNT_NONE;
	if (p->key.protocol == PROTOCOL_UDP) {
		if (ipv4 && p->key.destination_port == be16(PORT_DHCP4_SERVER) &&
		    (p->subnet_flags & SUBNET_DHCP4))
			return PUNT_DHCP4;
		if (!ipv4 && p->key.destination_port == be16(PORT_DHCP6_SERVER) &&
		    (p->subnet_flags & SUBNET_DHCP6))
			return PUNT_DHCP6;
	} else if (!ipv4 && p->key.protocol == PROTOCOL_ICMPV6 &&
		   p->icmp_type == ND_ROUTER_SOLICITATION && (p->subnet_flags & SUBNET_ROUTER)) {
		return PUNT_ROUTER_SOLICITATION;
	} else if (!ipv4 && p->key.protocol == PROTOCOL_ICMPV6 && p->icmp_type == ND_SOLICITATION &&
		   (p->subnet_flags & SUBNET_PROVE) && address_is_unspecified(&p->key.source)) {
		return PUNT_ADDRESS;
	}
	return PUNT_NONE;
}

/* To everybody on the link, to the gateway, or to the DHCP server of a subnet without one. */
static __always_inline int is_for_gateway(const struct packet *p)
{
	const int family = p->flags & PACKET_IPV4 ? 0 : 1;
	const struct address *to = &p->key.destination;
	struct subnet_key key = { .subnet_id = p->subnet_id };
	struct address link_local;
	struct subnet *subnet;

	if (!(p->flags & PACKET_NO_ETHERNET) && !(p->ethernet[0] & 1) &&
	    !mac_equal(p->ethernet, p->gateway_mac))
		return 0;
	if (family ? address_is_multicast(to) : to->word[3] == 0xffffffff)
		return 1;
	address_link_local(&link_local, p->gateway_mac);
	if (family && address_equal(to, &link_local))
		return 1;
	subnet = table_lookup(subnets, &key);
	if (!subnet)
		return 0;
	if (family || !address_is_unspecified(&subnet->gateway[0]))
		return address_equal(to, &subnet->gateway[family]);
	return address_is_ipv4(to) &&
	       to->word[3] == be32(host32(subnet->network[0].word[3]) + SERVER_OFFSET);
}

/*
 * p: what the stages know of the sender's port and subnet is set, the MAC is guarded. VERDICT_PUNTED: the
 * frame has its header and goes to out_ifindex. VERDICT_NEXT: not the daemon's business.
 */
int punt(struct frame *f, struct packet *p)
{
	struct slot_key slot, zero = { .slot = 0 };
	struct punt_header header = { .version = PUNT_VERSION };
	struct datapath_state *shared;
	struct port_stats *stats;

	if (!p)
		return VERDICT_INTERNAL;
	header.reason = (__u8)reason_of(p);
	if (header.reason == PUNT_NONE || !is_served(OUT_KIND(p->in_kind), p->port_flags) ||
	    p->vlan_count > 1 || !is_for_gateway(p))
		return VERDICT_NEXT;
	slot.slot = p->port_slot;
	shared = table_lookup(state, &zero);
	stats = table_lookup(port_stats, &slot);
	p->object_id = p->port_id;
	if (!shared || !stats)
		return VERDICT_INTERNAL;
	if (!frame_device_there(f, (__u32)shared->punt_ifindex))
		return VERDICT_UNATTENDED;
	if (!bucket_take(&stats->punt_tokens, (__u32)shared->punt_rate, p->now))
		return VERDICT_PUNT_LIMIT;
	header.vlan = p->vlan;
	header.port_id = p->port_id;
	header.subnet_id = p->subnet_id;
	if ((p->vlan_count && frame_vlan_pop(f)) || frame_push(f, sizeof(header)) ||
	    frame_store(f, ETHERNET_SIZE, &header, sizeof(header)))
		return VERDICT_INTERNAL;
	p->out_ifindex = (__u32)shared->punt_ifindex;
	note(f, NOTE_PUNTED, p->subnet_id);
	return VERDICT_PUNTED;
}

static __always_inline void count_sent(const struct packet *p)
{
	struct slot_key slot = { .slot = p->out_slot };
	struct port_stats *stats = table_lookup(port_stats, &slot);

	if (!stats)
		return;
	atomic_add(&stats->sent_packets, 1);
	atomic_add(&stats->sent_bytes, p->frame_length);
}

/*
 * What weftd asks its own ports the other hosts of the segment hear as well, so that they know that it does. header:
 * port_id 0. VERDICT_FLOODED or the drop.
 */
static __always_inline int to_hosts(struct frame *f, struct packet *p, __u32 subnet_id)
{
	int verdict;

	if (frame_decapsulate(f, sizeof(struct punt_header),
			      p->ethertype == be16(ETHERTYPE_IPV6)
				      ? FRAME_OUTER_IPV6 | FRAME_INNER_IPV6
				      : FRAME_INNER_IPV4))
		return VERDICT_INTERNAL;
	verdict = parse(f, p);
	if (verdict)
		return verdict;
	p->now = clock_tick();
	p->subnet_id = subnet_id;
	p->flood_mode = FLOOD_HOSTS;
	verdict = bridge_flood(f, p);
	return verdict == VERDICT_EMPTY_SEGMENT ? VERDICT_FLOODED : verdict;
}

/*
 * A frame that weftd has written: to the port in its header, or, if that is 0, to the other hosts of its subnet. p: zero (PACKET_CLEARED), ethertype is that of
 * the frame. VERDICT_DELIVERED: the header is off, out_ifindex and out_kind say where the frame goes.
 */
int punt_return(struct frame *f, struct packet *p)
{
	const struct punt_header *header;
	struct port_key key = {};
	struct port *port;
	__u16 vlan;

	if (!p)
		return VERDICT_INTERNAL;
	header = frame_header(f, ETHERNET_SIZE, sizeof(*header));
	p->frame_length = frame_length(f);
	if (!header || header->version != PUNT_VERSION)
		return VERDICT_BAD_HEADER;
	key.port_id = header->port_id;
	vlan = header->vlan;
	if (header->reason >= PUNT_HOLD)
		return hold_return(f, p);
	if (!key.port_id)
		return to_hosts(f, p, header->subnet_id);
	p->object_id = p->out_port_id = key.port_id;
	port = table_lookup(ports, &key);
	if (!port)
		return VERDICT_UNKNOWN_PORT;
	/* Multicast queries go to other switches as well; what asks for an address does not come from there. To
	 * a wire goes that a machine was not reached. */
	if (!port->ifindex || (!is_served(port->kind, port->flags) && port->kind != PORT_LINK &&
			       port->kind != PORT_CHILD && port->kind != PORT_WIRE))
		return VERDICT_PORT_DOWN;
	p->out_ifindex = port->ifindex;
	p->out_slot = port->port_slot;
	p->out_kind = port->kind;
	if (frame_decapsulate(f, sizeof(*header),
			      p->ethertype == be16(ETHERTYPE_IPV6)
				      ? FRAME_OUTER_IPV6 | FRAME_INNER_IPV6
				      : FRAME_INNER_IPV4) ||
	    (vlan && frame_vlan_push(f, vlan)))
		return VERDICT_INTERNAL;
	p->frame_length = frame_length(f);
	if (p->out_kind >= PORT_WIRE && wire_push(f, p) != VERDICT_DELIVERED)
		return VERDICT_INTERNAL;
	count_sent(p);
	return VERDICT_DELIVERED;
}
