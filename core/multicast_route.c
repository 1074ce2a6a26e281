/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * multicast_route: to listeners in the other subnets of a VPC that routes multicast.
 *
 * The host of the sender does all of it, as it routes unicast (ADR 12): for each subnet that takes part, a copy to each of
 * its listeners here, and one in that subnet's segment to each host that has some. Copies have a TTL less by one and
 * come from the subnet's gateway. Who receives one from another host delivers it and routes nothing, what is
 * on a wire is routed by the host that is the wire's gateway, and a source must be where its address is: so no
 * packet is routed twice by Weft, and one that a tenant's own router brings back has less TTL each time. Groups of
 * the link and what has a TTL of 1 stay in their subnet.
 *
 * The frame is changed for each subnet and, where it is to be sent itself (underlay_last), changed back.
 *
 * Before: bridge.c (the copies in the sender's own subnet). Neighbours: multicast.c (who listens).
 */
#include "core/multicast.h"
#include "core/ttl.h"

/* Is the sender where its address is? */
OUT_OF_LINE int source_is_here(const struct packet *p)
{
	struct subnet_key key = { .subnet_id = p->subnet_id };
	struct endpoint_key endpoint_key = { .vpc_id = p->vpc_id, .address = p->key.source };
	const int family = p->flags & PACKET_IPV4 ? 0 : 1;
	struct subnet *subnet;

	if (address_is_unspecified(&p->key.source) || address_is_link_local(&p->key.source))
		return 0;
	if (p->flags & PACKET_SOURCE_OWN)
		return 1;
	if (table_lookup(endpoints, &endpoint_key))
		return 0;
	subnet = table_lookup(subnets, &key);
	if (subnet && subnet->prefix_length[family] &&
	    address_in(&p->key.source, &subnet->network[family], subnet->prefix_length[family]))
		return 1;
	return !(p->flags & PACKET_FROM_WIRE) && !(p->port_flags & PORT_CHECK_SOURCE);
}

/* The frame is of another gateway now. 0 or negative. */
static __always_inline int source_set(struct frame *f, struct packet *p, const __u8 *mac)
{
	mac_copy(p->ethernet + 6, mac);
	return (int)frame_store(f, 6, p->ethernet + 6, 6);
}

/* Copies into one subnet. 0, or negative: the frame is of no use any more. */
static __always_inline int route_into(struct frame *f, struct packet *p, __u32 into_id)
{
	struct subnet_key key = { .subnet_id = into_id };
	struct subnet *subnet = table_lookup(subnets, &key);

	if (!subnet || !(subnet->flags & SUBNET_MULTICAST))
		return 0;
	p->subnet_id = p->routing.subnet_id;
	p->out_subnet_id = into_id;
	if (policy_between(f, p))
		return 0;
	if (source_set(f, p, subnet->gateway_mac))
		return -1;
	p->subnet_id = into_id;
	p->subnet_flags = subnet->flags;
	bridge_flood(f, p);
	return 0;
}

/*
 * p: flooded in its own subnet, flood_route. verdict: what became of it there. The verdict of all copies
 * together.
 */
int multicast_route(struct frame *f, struct packet *p, int verdict)
{
	struct multicast_subnet_key key = {};
	struct multicast_subnet *row;
	struct multicast_walk *own;
	__u32 before;

	if (!p)
		return VERDICT_INTERNAL;
	own = &p->routing;
	p->flood_route = 0;
	if (verdict != VERDICT_FLOODED && verdict != VERDICT_NO_LISTENER &&
	    verdict != VERDICT_EMPTY_SEGMENT && verdict != VERDICT_OVERHEARD)
		return verdict;
	if (!source_is_here(p) || ttl_set(f, p, p->ttl - 1))
		return verdict;
	own->subnet_id = p->subnet_id;
	own->subnet_flags = p->subnet_flags;
	own->unresolved_tunnel_id = p->unresolved_tunnel_id;
	mac_copy(own->source, p->ethernet + 6);
	p->unresolved_tunnel_id = 0;
	p->flags |= PACKET_ROUTED;
	p->flood_mode = FLOOD_LISTENERS;
	key.vpc_id = p->vpc_id;
	/* A counter of its own: the verifier forgets what a key is that a helper has seen. */
	for (__u32 i = 0; i < MULTICAST_SUBNETS_MAX; i++) {
		before = p->unresolved_tunnel_id;
		key.index = i;
		row = table_lookup(multicast_subnets, &key);
		if (!row)
			break;
		if (row->subnet_id != own->subnet_id && route_into(f, p, row->subnet_id))
			break;
		if (p->unresolved_tunnel_id != before)
			mac_copy(own->gateway, p->ethernet + 6);
	}
	p->subnet_id = own->subnet_id;
	p->out_subnet_id = own->subnet_id;
	p->object_id = own->subnet_id;
	p->subnet_flags = own->subnet_flags;
	p->flags &= ~(__u32)(PACKET_ROUTED | PACKET_TO_PEER);
	if (own->unresolved_tunnel_id) {
		p->unresolved_tunnel_id = own->unresolved_tunnel_id;
		ttl_set(f, p, p->ttl + 1);
		mac_copy(own->gateway, own->source);
	}
	mac_copy(p->ethernet + 6, own->source);
	__builtin_memcpy(p->ethernet_out, p->ethernet, 6);
	mac_copy(p->ethernet_out + 6, own->gateway);
	return p->flood_takers ? VERDICT_FLOODED : verdict;
}

/*
 * Only an IP packet came through the tunnel: it becomes the frame that its segment would have carried, from the
 * gateway to the group's MAC, and is no longer routed by its address. VERDICT_NEXT.
 */
int multicast_frame(struct frame *f, struct packet *p)
{
	const __u8 *address;

	if (!p)
		return VERDICT_INTERNAL;
	address = (const __u8 *)&p->key.destination.word[3];
	p->ethernet[0] = p->flags & PACKET_IPV4 ? 0x01 : 0x33;
	p->ethernet[1] = p->flags & PACKET_IPV4 ? 0x00 : 0x33;
	p->ethernet[2] = p->flags & PACKET_IPV4 ? 0x5e : address[0];
	p->ethernet[3] = p->flags & PACKET_IPV4 ? address[1] & 0x7f : address[1];
	p->ethernet[4] = address[2];
	p->ethernet[5] = address[3];
	mac_copy(p->ethernet + 6, p->gateway_mac);
	p->flags &= ~(__u32)(PACKET_ROUTED | PACKET_NO_ETHERNET);
	return frame_store(f, 0, p->ethernet, 12) ? VERDICT_INTERNAL : VERDICT_NEXT;
}
