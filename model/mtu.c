/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How large a packet may be that every host can hand to every other.
 *
 * A port gets the MTU of its VPC when it is plugged in, and which hosts its peers will be on nobody
 * knows then. So a VPC gets what the worst of its subnets carries over the smallest underlay there
 * is, in whatever encapsulation any two hosts may use for it: no move of a port and no new member
 * makes a packet too big that was not before. Without host objects nothing travels, and the usual
 * 1500 stays.
 *
 * And whether a frame may stand for several packets: then nobody has put a checksum of the tunnel, or
 * its sequence number, into each of them (core/tunnel_push.c).
 *
 * What was computed is kept until a host, a subnet, a tunnel or a VPC changes, for every port asks.
 *
 * Neighbours: encapsulation.c (overheads), check_host.c (refuses what would be too small), plan.c.
 */
#include <string.h>

#include "base/alloc.h"
#include "model/encapsulation.h"
#include "model/intent_private.h"

#define MTU_ALONE 1500
#define TAG_SIZE 4

/* What all hosts together mean for an MTU. */
struct underlay_facts {
	size_t count;
	uint32_t mtu; /* the smallest */
	bool some_without_ipv4;
	uint32_t peer_kinds;      /* 1 << kind: named for a pair of hosts */
	uint32_t offered_by_some; /* 1 << kind */
	uint32_t offered_by_all;
};

static struct underlay_facts facts_of(const struct object *const *hosts, size_t count)
{
	struct underlay_facts facts = { .count = count, .mtu = UINT32_MAX };

	facts.offered_by_all = ~0u;
	for (size_t i = 0; i < count; i++) {
		const struct host_object *host = (const struct host_object *)hosts[i];
		uint32_t offered = 0;
		bool ipv4 = false;

		for (size_t j = 0; j < host->address_count; j++)
			ipv4 |= ip_address_is_ipv4(&host->addresses[j].address);
		for (size_t j = 0; j < host->encapsulation_count; j++)
			offered |= 1u << host->encapsulations[j];
		for (size_t j = 0; j < host->peer_count; j++)
			facts.peer_kinds |= 1u << host->peers[j].encapsulation;
		facts.some_without_ipv4 |= !ipv4;
		facts.offered_by_some |= offered;
		facts.offered_by_all &= offered;
		if (host->mtu < facts.mtu)
			facts.mtu = host->mtu;
	}
	return facts;
}

/* Largest IP packet of a subnet; UINT32_MAX when nothing limits it. */
static uint32_t subnet_mtu(const struct underlay_facts *facts, const struct subnet_object *subnet)
{
	const struct segment *segment = &subnet->segment;
	uint32_t kinds = facts->peer_kinds, overhead = 0;
	bool ipv6 = facts->some_without_ipv4;

	if (segment->type != SEGMENT_OVERLAY || !facts->count)
		return UINT32_MAX;
	if (segment->underlay == UNDERLAY_PREFIX)
		ipv6 = !ip_prefix_is_ipv4(&segment->underlay_prefix);
	else if (segment->underlay != UNDERLAY_ANY)
		ipv6 = segment->underlay == UNDERLAY_IPV6;
	if (!(facts->offered_by_all & 1u << segment->encapsulation))
		kinds |= facts->offered_by_some;
	for (int kind = TUNNEL_NONE + 1; kind < TUNNEL_KINDS; kind++) {
		uint32_t bytes;

		if (kind != segment->encapsulation &&
		    (!(kinds & 1u << kind) || !encapsulation_has_id(kind) ||
		     !subnet_may_travel(subnet, kind)))
			continue;
		bytes = encapsulation_overhead(kind, ipv6,
					       segment_flags(segment, (uint8_t)kind, ipv6));
		if (bytes > overhead)
			overhead = bytes;
	}
	/* A tag of the workloads' own is inside, and no part of their MTU. */
	if (subnet->vlan_transparent)
		overhead += TAG_SIZE;
	return facts->mtu > overhead ? facts->mtu - overhead : 0;
}

static uint32_t vpc_mtu(const struct underlay_facts *facts, const struct vpc_object *vpc,
			const struct object *const *subnets, size_t count,
			const struct subnet_object **smallest)
{
	uint32_t mtu = UINT32_MAX;

	*smallest = NULL;
	for (size_t i = 0; i < count; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)subnets[i];
		uint32_t own = subnet_mtu(facts, subnet);

		if (own < mtu) {
			mtu = own;
			*smallest = subnet;
		}
	}
	if (vpc->mtu && vpc->mtu < mtu)
		return vpc->mtu;
	return mtu == UINT32_MAX ? MTU_ALONE : mtu;
}

uint32_t draft_vpc_mtu(const struct draft *draft, const struct vpc_object *vpc,
		       const struct subnet_object **subnet)
{
	const struct object **hosts, **subnets;
	size_t host_count = draft_members(draft, 0, OBJECT_HOST, &hosts);
	size_t subnet_count = draft_members(draft, vpc->object.id, OBJECT_SUBNET, &subnets);
	struct underlay_facts facts = facts_of(hosts, host_count);
	uint32_t mtu = vpc_mtu(&facts, vpc, subnets, subnet_count, subnet);

	free(hosts);
	free(subnets);
	return mtu;
}

/* ---- offloads ---- */

static bool subnet_offloads(const struct subnet_object *subnet, size_t host_count)
{
	const struct segment *segment = &subnet->segment;

	if (segment->type != SEGMENT_OVERLAY || (host_count < 2 && !segment->vteps.length))
		return true;
	for (uint32_t ipv6 = 0; ipv6 < 2; ipv6++)
		for (int kind = TUNNEL_NONE + 1; kind < TUNNEL_KINDS; kind++)
			if (segment_flags(segment, kind, ipv6) & TUNNEL_CHECKSUM)
				return false;
	return true;
}

static bool vpc_offloads(const struct intent *intent, uint32_t vpc_id,
			 const struct object *const *subnets, size_t subnet_count,
			 size_t host_count)
{
	const struct object **tunnels;
	size_t tunnel_count = intent_list(intent, vpc_id, OBJECT_TUNNEL, &tunnels);
	bool offloads = true;

	for (size_t i = 0; i < subnet_count; i++)
		offloads &= subnet_offloads((const struct subnet_object *)subnets[i], host_count);
	for (size_t i = 0; i < tunnel_count; i++) {
		const struct tunnel_object *tunnel = (const struct tunnel_object *)tunnels[i];

		if (!tunnel->mirror)
			offloads &= !tunnel->sequence && !tunnel_has_checksum(tunnel);
	}
	free(tunnels);
	return offloads;
}

/* ---- what is asked ---- */

#define NO_OFFLOADS (UINT32_C(1) << 31) /* of what is kept; the rest is the MTU */

static uint32_t vpc_facts(const struct intent *intent, uint32_t vpc_id)
{
	const struct object *vpc = intent_object(intent, vpc_id);
	const struct object **hosts, **subnets;
	const struct subnet_object *smallest;
	size_t host_count, subnet_count;
	struct underlay_facts facts;
	uint32_t value;

	if (!vpc || vpc->kind != OBJECT_VPC)
		return MTU_ALONE;
	value = value_to_id(map_get_u32(intent->hosts.mtus, vpc_id));
	if (value)
		return value;
	host_count = intent_list(intent, 0, OBJECT_HOST, &hosts);
	subnet_count = intent_list(intent, vpc_id, OBJECT_SUBNET, &subnets);
	facts = facts_of(hosts, host_count);
	value = vpc_mtu(&facts, (const struct vpc_object *)vpc, subnets, subnet_count, &smallest);
	if (!vpc_offloads(intent, vpc_id, subnets, subnet_count, host_count))
		value |= NO_OFFLOADS;
	free(hosts);
	free(subnets);
	map_put_u32(intent->hosts.mtus, vpc_id, id_to_value(value));
	return value;
}

uint32_t intent_vpc_mtu(const struct intent *intent, uint32_t vpc_id)
{
	return vpc_facts(intent, vpc_id) & ~NO_OFFLOADS;
}

bool intent_vpc_offloads(const struct intent *intent, uint32_t vpc_id)
{
	return !(vpc_facts(intent, vpc_id) & NO_OFFLOADS);
}

uint32_t intent_port_mtu(const struct intent *intent, const struct port_object *port)
{
	uint32_t mtu = intent_vpc_mtu(intent, port->object.vpc_id);

	/* On a lone host nothing is too small for what a port was told. */
	return port->mtu && (port->mtu < mtu || !intent_has_hosts(intent)) ? port->mtu : mtu;
}
