/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * route: what the subnet's route table says of a packet sent to the gateway's MAC.
 *
 * Longest prefix wins (V20). Every table has a local route for each CIDR of the VPC (V19), which leads to
 * the port that owns the address. A blackhole matches and drops (V24), nothing falls through to a shorter
 * prefix. Several ports behind one route share flows by highest random weight (RFC 2992 compares it),
 * so that a port that leaves moves only its own flows. The gateway answers ping on its own address, in
 * its own subnet only (V10). An l2 subnet without a gateway is a switch and nothing else: nothing is routed out of
 * it or into it, whatever MAC a frame is for. The TTL stays as it is (V9): a VPC's router is one hop that is not seen.
 *
 * Before: bridge.c. Next: deliver.c.
 */
#include "core/packet.h"
#include "core/router.h"

#define ICMP_ECHO_REPLY 0
#define ICMPV6_ECHO_REPLY 129
#define ND_ADVERTISEMENT 136

/* The packet is for the gateway of the sender's subnet itself. */
static __always_inline int is_own_gateway(struct packet *p, const struct subnet *subnet)
{
	struct address link_local;

	if (address_is_unspecified(&p->key.destination))
		return 0;
	address_link_local(&link_local, subnet->gateway_mac);
	return address_equal(&p->key.destination, &subnet->gateway[0]) ||
	       address_equal(&p->key.destination, &subnet->gateway[1]) ||
	       address_equal(&p->key.destination, &link_local) ||
	       is_router_alias(subnet, &p->key.destination);
}

/* What the gateway has asked for: echo of the far side of a tunnel, whose keepalive counts what comes. */
static __always_inline int is_answer(const struct packet *p)
{
	if (p->key.protocol == PROTOCOL_ICMP)
		return p->icmp_type == ICMP_ECHO_REPLY;
	return p->key.protocol == PROTOCOL_ICMPV6 &&
	       (p->icmp_type == ICMPV6_ECHO_REPLY || p->icmp_type == ND_ADVERTISEMENT);
}

static __always_inline int answer_gateway(struct frame *f, struct packet *p)
{
	int ipv4 = p->flags & PACKET_IPV4;
	__u8 echo = ipv4 ? 8 : 128;

	p->object_id = p->subnet_id;
	if (is_answer(p))
		return VERDICT_CONSUMED;
	if (p->key.protocol != (ipv4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6) || p->icmp_type != echo ||
	    (p->flags & (PACKET_FRAGMENT_FIRST | PACKET_FRAGMENT_LATER)))
		return VERDICT_GATEWAY_ONLY_PING;
	note(f, NOTE_ROUTE_GATEWAY, p->subnet_id);
	return icmp_echo_reply(f, p);
}

static __always_inline __u32 mix(__u32 h)
{
	h ^= h >> 16;
	h *= 0x85ebca6b;
	h ^= h >> 13;
	h *= 0xc2b2ae35;
	return h ^ h >> 16;
}

/* The same for both directions of a connection, so that both pass the same middlebox (V25). */
static __always_inline __u32 flow_hash(const struct flow_key *key)
{
	__u32 a = 0, b = 0;

	for (int i = 0; i < 4; i++) {
		a = mix(a ^ key->source.word[i]);
		b = mix(b ^ key->destination.word[i]);
	}
	a = mix(a ^ key->source_port);
	b = mix(b ^ key->destination_port);
	return mix((a ^ b) + key->protocol);
}

/* The port of a group with the highest weight for this connection. */
static __always_inline __u32 choose_nexthop(struct packet *p, __u32 group_id)
{
	struct nexthop_key key = { .group_id = group_id };
	struct nexthops *group = table_lookup(nexthop_groups, &key);
	__u32 hash = flow_hash(&p->key);
	__u32 best = 0, chosen = 0;

	if (!group)
		return 0;
	for (__u32 i = 0; i < NEXTHOPS_MAX; i++) {
		__u32 weight;

		if (i >= group->count)
			break;
		weight = mix(hash ^ mix(group->port_id[i]));
		if (!chosen || weight > best) {
			best = weight;
			chosen = group->port_id[i];
		}
	}
	return chosen;
}

/* An l2 subnet without a gateway, and not the one that the packet is in: no router leads there. */
static __always_inline int is_cut_off(struct packet *p, __u32 subnet_id)
{
	struct subnet_key key = { .subnet_id = subnet_id };
	struct subnet *subnet;

	if (subnet_id == p->subnet_id)
		return 0;
	subnet = table_lookup(subnets, &key);
	if (!subnet || has_router(subnet, (p->flags & PACKET_IPV4) != 0))
		return 0;
	p->object_id = subnet_id;
	return 1;
}

/* Somebody on the wire of a subnet. */
static __always_inline int route_onto_wire(struct frame *f, struct packet *p, __u32 wire_id)
{
	struct port_key key = { .port_id = wire_id };
	struct port *wire = table_lookup(ports, &key);

	if (wire && is_cut_off(p, wire->subnet_id))
		return VERDICT_NO_ROUTER;
	return wire_route(f, p, wire_id);
}

/* The local route: the port that owns the address; or, of a subnet on a wire, who is there. */
static __always_inline int route_local(struct frame *f, struct packet *p, const struct route *found)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = p->key.destination };
	struct endpoint *endpoint = table_lookup(endpoints, &key);

	note(f, NOTE_ROUTE_LOCAL, found->route_id);
	p->object_id = found->route_id;
	if (!endpoint)
		return found->kind == ROUTE_WIRE ? route_onto_wire(f, p, found->target)
						 : VERDICT_NO_ENDPOINT;
	if (!endpoint->port_id) {
		p->object_id = endpoint->subnet_id;
		return VERDICT_NOT_OWN_GATEWAY;
	}
	if (is_cut_off(p, endpoint->subnet_id))
		return VERDICT_NO_ROUTER;
	p->out_port_id = endpoint->port_id;
	return VERDICT_NEXT;
}

/* p: bridge.c said PACKET_ROUTED. VERDICT_NEXT with out_port_id; the object of a drop is the route, or the
 * route table where no route matches. */
int route(struct frame *f, struct packet *p)
{
	struct route_key key = { .prefix_length = 32 + 128 };
	struct subnet_key subnet_key;
	struct subnet *subnet;
	struct route *found;

	if (!p)
		return VERDICT_INTERNAL;
	subnet_key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &subnet_key);
	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	if (is_own_gateway(p, subnet))
		return answer_gateway(f, p);
	p->object_id = p->subnet_id;
	if (!has_router(subnet, (p->flags & PACKET_IPV4) != 0))
		return VERDICT_NO_ROUTER;
	p->object_id = p->port_id;
	if (address_is_link_local(&p->key.source))
		return VERDICT_BAD_SOURCE; /* never forwarded (RFC 4291, 2.5.6) */
	p->object_id = p->subnet_id;
	if (address_is_multicast(&p->key.destination))
		return VERDICT_MULTICAST;
	if (address_is_ipv4(&p->key.destination) && p->key.destination.word[3] == 0xffffffff)
		return VERDICT_BROADCAST;
	key.table_id = subnet->route_table_id;
	key.address = p->key.destination;
	p->object_id = subnet->route_table_id;
	if (address_is_link_local(&p->key.destination) ||
	    address_is_unspecified(&p->key.destination) || address_is_loopback(&p->key.destination))
		return VERDICT_NO_ROUTE;
	found = table_lookup(routes, &key);
	if (!found || found->kind == ROUTE_NONE)
		return subnet->flags & SUBNET_HOST_ROUTED ? wire_route(f, p, subnet->wire_port_id)
							  : VERDICT_NO_ROUTE;
	p->object_id = found->route_id;
	switch (found->kind) {
	case ROUTE_LOCAL:
	case ROUTE_WIRE: return route_local(f, p, found);
	case ROUTE_PORT:
		p->out_port_id = found->target;
		note(f, NOTE_ROUTE_PORT, found->route_id);
		break;
	case ROUTE_GROUP:
		p->out_port_id = choose_nexthop(p, found->target);
		note(f, NOTE_ROUTE_GROUP, found->route_id);
		break;
	case ROUTE_RESERVED: return VERDICT_RESERVED_DESTINATION;
	case ROUTE_DOWN: return VERDICT_TUNNEL_DOWN;
	default: return VERDICT_BLACKHOLE;
	}
	if (!p->out_port_id)
		return VERDICT_BLACKHOLE;
	if (p->out_port_id == p->port_id)
		return VERDICT_ROUTE_LOOP;
	return VERDICT_NEXT;
}
