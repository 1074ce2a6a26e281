/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VPCs and subnets: V15, and what their change can make wrong in what is inside them.
 *
 * When the ranges of a VPC change, all its subnets and route tables are judged again; when those
 * of a subnet change, its ports are, and the tables that have a route to the range it had.
 * Overlaps are looked for in the sorted list of a VPC's subnets, beside each subnet that was
 * touched.
 *
 * Neighbours: check.c (the caller), check_port.c and check_routes.c (what is judged again).
 */
#include <errno.h>

#include "base/alloc.h"
#include "model/encapsulation.h"
#include "model/intent_private.h"

#define VPC_IPV4_LENGTH_MIN 8
#define VPC_IPV6_LENGTH_MIN 16
#define SUBNET_IPV4_LENGTH_MIN 16 /* V15 */
#define SUBNET_IPV4_LENGTH_MAX 28
#define SUBNET_IPV6_LENGTH 64
#define IPV4_LENGTH(length) (96 + (length))

/* ---- subnets by range ---- */

static int compare_ranges(const void *a, const void *b)
{
	return ip_prefix_compare(&((const struct subnet_range *)a)->prefix,
				 &((const struct subnet_range *)b)->prefix);
}

/* All subnets' ranges of a VPC as the draft has them; made once per check, the draft's. */
const struct subnet_ranges *check_ranges(struct draft *draft, uint32_t vpc_id)
{
	struct subnet_ranges *ranges = map_get_u32(&draft->ranges, vpc_id);
	const struct object **list;
	size_t count;

	if (ranges)
		return ranges;
	ranges = xcalloc(1, sizeof(*ranges));
	count = draft_members(draft, vpc_id, OBJECT_SUBNET, &list);
	ranges->ranges = xcalloc(2 * count + 1, sizeof(*ranges->ranges));
	for (size_t i = 0; i < count; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)list[i];

		for (int family = 0; family < 2; family++) {
			if (!subnet->cidrs[family].length)
				continue;
			ranges->ranges[ranges->count].prefix = subnet->cidrs[family];
			ranges->ranges[ranges->count++].subnet = subnet;
		}
	}
	free(list);
	qsort(ranges->ranges, ranges->count, sizeof(*ranges->ranges), compare_ranges);
	map_put_u32(&draft->ranges, vpc_id, ranges);
	return ranges;
}

/*
 * Ranges nest or lie apart, so if any two of the sorted list overlap, two neighbours do; and one
 * of these is of a subnet that the draft touched. It is enough to look at the neighbours of each
 * touched one.
 */
static const struct subnet_range *find_overlap(const struct subnet_ranges *ranges,
					       const struct subnet_object *subnet,
					       const struct ip_prefix *prefix)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ip_prefix_compare(&ranges->ranges[middle].prefix, prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	/* Equal ranges stand together from `low` on; this subnet's own is among them. */
	for (size_t i = low ? low - 1 : 0; i < ranges->count && i <= low + 2; i++)
		if (ranges->ranges[i].subnet != subnet &&
		    ip_prefix_overlaps(&ranges->ranges[i].prefix, prefix))
			return &ranges->ranges[i];
	return NULL;
}

/* ---- vpc ---- */

static int check_vpc_range(struct draft *draft, const struct vpc_object *vpc, size_t index,
			   struct error *error)
{
	const struct ip_prefix *cidr = &vpc->cidrs[index];
	char text[IP_PREFIX_TEXT_SIZE], other[IP_PREFIX_TEXT_SIZE];
	bool ipv4 = ip_prefix_is_ipv4(cidr);
	uint8_t shortest = ipv4 ? IPV4_LENGTH(VPC_IPV4_LENGTH_MIN) : VPC_IPV6_LENGTH_MIN;
	uint8_t longest = ipv4 ? IPV4_LENGTH(SUBNET_IPV4_LENGTH_MAX) : SUBNET_IPV6_LENGTH;
	struct ip_address last = ip_prefix_last(cidr);

	ip_prefix_format(cidr, text);
	if (cidr->length < shortest || cidr->length > longest)
		return draft_refuse(draft, &vpc->object, "cidrs", EINVAL, error,
				    "%s: a vpc's %s range is a /%d to /%d", text,
				    ipv4 ? "IPv4" : "IPv6",
				    ipv4 ? VPC_IPV4_LENGTH_MIN : VPC_IPV6_LENGTH_MIN,
				    ipv4 ? SUBNET_IPV4_LENGTH_MAX : SUBNET_IPV6_LENGTH);
	if (ip_address_is_multicast(&cidr->address) || ip_address_is_loopback(&cidr->address) ||
	    ip_address_is_link_local(&cidr->address) || ip_address_is_multicast(&last) ||
	    ip_address_is_broadcast(&last) || ip_address_is_unspecified(&cidr->address))
		return draft_refuse(draft, &vpc->object, "cidrs", EINVAL, error,
				    "%s is not a range of unicast addresses", text);
	for (size_t i = 0; i < index; i++)
		if (ip_prefix_overlaps(&vpc->cidrs[i], cidr))
			return draft_refuse(draft, &vpc->object, "cidrs", EINVAL, error,
					    "%s overlaps %s", text,
					    ip_prefix_format(&vpc->cidrs[i], other));
	return 0;
}

static bool same_ranges(const struct vpc_object *a, const struct vpc_object *b)
{
	if (a->cidr_count != b->cidr_count)
		return false;
	for (size_t i = 0; i < a->cidr_count; i++)
		if (!ip_prefix_equal(&a->cidrs[i], &b->cidrs[i]))
			return false;
	return true;
}

static int check_subnet_place(struct draft *draft, const struct subnet_object *subnet,
			      struct error *error)
{
	const struct vpc_object *vpc = draft_vpc(draft, subnet->object.vpc_id);
	char text[IP_PREFIX_TEXT_SIZE];

	for (int family = 0; family < 2; family++) {
		const struct ip_prefix *cidr = &subnet->cidrs[family];
		bool inside = cidr->length == 0;

		for (size_t i = 0; i < vpc->cidr_count; i++)
			if (ip_prefix_contains_prefix(&vpc->cidrs[i], cidr))
				inside = true;
		if (!inside)
			return draft_refuse(draft, &subnet->object, "cidr", EINVAL, error,
					    "%s is in none of the ranges of vpc %s",
					    ip_prefix_format(cidr, text), vpc->object.name);
	}
	return 0;
}

/* What was asked for must fit into what the subnets carry, and that be enough for IPv6. */
static int check_vpc_mtu(struct draft *draft, const struct vpc_object *vpc, struct error *error)
{
	const struct subnet_object *smallest;
	uint32_t mtu = draft_vpc_mtu(draft, vpc, &smallest);

	if (smallest && mtu < vpc->mtu)
		return draft_refuse(draft, &vpc->object, "mtu", EINVAL, error,
				    "mtu %u does not fit: subnet %s carries %u in %s", vpc->mtu,
				    smallest->object.name, mtu,
				    encapsulation_name(smallest->segment.encapsulation));
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (!ip_prefix_is_ipv4(&vpc->cidrs[i]) && mtu < 1280)
			return draft_refuse(draft, &vpc->object, "mtu", EINVAL, error,
					    "mtu %u is too small for IPv6, which needs 1280", mtu);
	return 0;
}

/* As many as the datapath goes through for one packet. @object: what brings one too many. */
static int check_multicast(struct draft *draft, const struct vpc_object *vpc,
			   const struct object *object, struct error *error)
{
	const struct object **subnets;
	size_t count, routed = 0;

	if (!vpc || !vpc->route_multicast)
		return 0;
	count = draft_members(draft, vpc->object.id, OBJECT_SUBNET, &subnets);
	for (size_t i = 0; i < count; i++)
		routed += ((const struct subnet_object *)subnets[i])->route_multicast;
	free(subnets);
	if (routed <= MULTICAST_SUBNETS_MAX)
		return 0;
	return draft_refuse(draft, object, "route_multicast", EINVAL, error,
			    "multicast is routed between at most %d subnets of a vpc, not %zu",
			    MULTICAST_SUBNETS_MAX, routed);
}

int check_vpc(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	const struct vpc_object *vpc = (const struct vpc_object *)entry->after;
	const struct vpc_object *before = (const struct vpc_object *)entry->before;
	static const enum object_kind dependent[] = { OBJECT_SUBNET, OBJECT_ROUTE_TABLE };
	int code = 0;

	if (vpc->cidr_count == 0)
		return draft_refuse(draft, &vpc->object, "cidrs", EINVAL, error,
				    "a vpc needs at least one range");
	for (size_t i = 0; i < vpc->cidr_count && !code; i++)
		code = check_vpc_range(draft, vpc, i, error);
	if (!code)
		code = check_vpc_mtu(draft, vpc, error);
	if (!code)
		code = check_multicast(draft, vpc, &vpc->object, error);
	if (!code)
		code = check_routing(draft, vpc, error);
	if (code || !before || same_ranges(before, vpc))
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(dependent); i++) {
		const struct object **list;
		size_t count = draft_members(draft, vpc->object.id, dependent[i], &list);

		for (size_t j = 0; j < count && !code; j++)
			code = dependent[i] == OBJECT_SUBNET
				       ? check_subnet_place(draft,
							    (const struct subnet_object *)list[j],
							    error)
				       : check_routes(draft,
						      (const struct route_table_object *)list[j],
						      error);
		free(list);
	}
	return code;
}

/* ---- subnet ---- */

static int check_subnet_size(struct draft *draft, const struct subnet_object *subnet,
			     struct error *error)
{
	const struct ip_prefix *ipv4 = &subnet->cidrs[0], *ipv6 = &subnet->cidrs[1];
	char text[IP_PREFIX_TEXT_SIZE];

	if (ipv4->length && (ipv4->length < IPV4_LENGTH(SUBNET_IPV4_LENGTH_MIN) ||
			     ipv4->length > IPV4_LENGTH(SUBNET_IPV4_LENGTH_MAX)))
		return draft_refuse(draft, &subnet->object, "cidr", EINVAL, error,
				    "%s: an IPv4 subnet is a /%d to /%d",
				    ip_prefix_format(ipv4, text), SUBNET_IPV4_LENGTH_MIN,
				    SUBNET_IPV4_LENGTH_MAX);
	if (ipv6->length && ipv6->length != SUBNET_IPV6_LENGTH)
		return draft_refuse(draft, &subnet->object, "cidr", EINVAL, error,
				    "%s: an IPv6 subnet is exactly a /%d",
				    ip_prefix_format(ipv6, text), SUBNET_IPV6_LENGTH);
	return 0;
}

static int check_subnet_overlap(struct draft *draft, const struct subnet_object *subnet,
				struct error *error)
{
	const struct subnet_ranges *ranges = check_ranges(draft, subnet->object.vpc_id);
	char text[IP_PREFIX_TEXT_SIZE], other[IP_PREFIX_TEXT_SIZE], title[160];

	for (int family = 0; family < 2; family++) {
		const struct subnet_range *overlap;

		if (!subnet->cidrs[family].length)
			continue;
		overlap = find_overlap(ranges, subnet, &subnet->cidrs[family]);
		if (overlap)
			return draft_refuse(draft, &subnet->object, "cidr", EINVAL, error,
					    "%s overlaps %s of %s",
					    ip_prefix_format(&subnet->cidrs[family], text),
					    ip_prefix_format(&overlap->prefix, other),
					    draft_title(draft, &overlap->subnet->object, title));
	}
	return 0;
}

static int check_gateway(struct draft *draft, const struct subnet_object *subnet,
			 struct error *error)
{
	char text[IP_ADDRESS_TEXT_SIZE], range[IP_PREFIX_TEXT_SIZE];

	for (int family = 0; family < 2; family++) {
		const struct ip_prefix *cidr = &subnet->cidrs[family];
		const struct ip_address *gateway = &subnet->gateways[family], zero = { { 0 } };
		struct ip_address last;

		if (ip_address_equal(gateway, &zero))
			continue;
		ip_address_format(gateway, text);
		if (!cidr->length)
			return draft_refuse(draft, &subnet->object, "gateway", EINVAL, error,
					    "gateway %s: the subnet has no %s range", text,
					    family ? "IPv6" : "IPv4");
		last = ip_prefix_last(cidr);
		if (!ip_prefix_contains(cidr, gateway))
			return draft_refuse(draft, &subnet->object, "gateway", EINVAL, error,
					    "gateway %s is not in %s", text,
					    ip_prefix_format(cidr, range));
		if (ip_address_equal(gateway, &cidr->address) || ip_address_equal(gateway, &last))
			return draft_refuse(draft, &subnet->object, "gateway", EINVAL, error,
					    "gateway %s is the first or last address of %s", text,
					    ip_prefix_format(cidr, range));
	}
	return 0;
}

static bool same_addressing(const struct subnet_object *a, const struct subnet_object *b)
{
	for (int family = 0; family < 2; family++)
		if (!ip_prefix_equal(&a->cidrs[family], &b->cidrs[family]) ||
		    !ip_address_equal(&a->gateways[family], &b->gateways[family]))
			return false;
	return a->mode == b->mode;
}

/* Tables of the VPC that have a route to a range that is no subnet's any more (V21). */
int check_tables_with(struct draft *draft, const struct subnet_object *before, struct error *error)
{
	const struct object **list;
	size_t count;
	int code = 0;

	count = draft_members(draft, before->object.vpc_id, OBJECT_ROUTE_TABLE, &list);
	for (size_t i = 0; i < count && !code; i++) {
		const struct route_table_object *table = (const struct route_table_object *)list[i];

		for (size_t j = 0; j < table->route_count; j++) {
			const struct ip_prefix *to = &table->routes[j].to;

			if (ip_prefix_equal(to, &before->cidrs[0]) ||
			    ip_prefix_equal(to, &before->cidrs[1])) {
				code = check_routes(draft, table, error);
				break;
			}
		}
	}
	free(list);
	return code;
}

/* Ports that are as they were, in a subnet that is not. */
static int check_ports_in(struct draft *draft, const struct subnet_object *subnet,
			  struct error *error)
{
	const struct map *set =
		intent_referrers(draft->intent, REFERENCE_PORT_SUBNET, subnet->object.id);
	int code = 0;

	if (!set)
		return 0;
	MAP_FOR_EACH(set, it) {
		uint32_t id = *(const uint32_t *)it.key;

		if (draft_entry(draft, id))
			continue;
		code = check_addresses(
			draft, (const struct port_object *)intent_object(draft->intent, id), error);
		if (code)
			break;
	}
	return code;
}

/* A subnet that carries less than its VPC was told to have. */
static int check_subnet_mtu(struct draft *draft, const struct subnet_object *subnet,
			    struct error *error)
{
	const struct vpc_object *vpc = draft_vpc(draft, subnet->object.vpc_id);
	const struct subnet_object *smallest;
	uint32_t mtu = draft_vpc_mtu(draft, vpc, &smallest);

	if (smallest != subnet || mtu >= vpc->mtu)
		return 0;
	return draft_refuse(draft, &subnet->object, "segment", EINVAL, error,
			    "it carries %u bytes in %s, and the vpc's mtu is %u", mtu,
			    encapsulation_name(subnet->segment.encapsulation), vpc->mtu);
}

/* Tags that pass are those of a switch; the ways to share a NIC know one port or one machine for each frame. */
static int check_tags(const struct draft *draft, const struct subnet_object *subnet,
		      struct error *error)
{
	if (!subnet->vlan_transparent)
		return 0;
	if (subnet->mode != SUBNET_MODE_L2)
		return draft_refuse(draft, &subnet->object, "vlan_transparent", EINVAL, error,
				    "only a subnet with mode: l2 passes VLAN tags; %s is l3",
				    subnet->object.name);
	if (segment_is_wire(&subnet->segment) && subnet->segment.direct != DIRECT_BRIDGE)
		return draft_refuse(draft, &subnet->object, "vlan_transparent", EINVAL, error,
				    "vlan_transparent goes with direct: bridge; passthru passes "
				    "all tags as it is, and the others none");
	return 0;
}

int check_subnet(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	const struct subnet_object *subnet = (const struct subnet_object *)entry->after;
	const struct subnet_object *before = (const struct subnet_object *)entry->before;
	int code = check_subnet_size(draft, subnet, error);

	if (!code)
		code = check_subnet_place(draft, subnet, error);
	if (!code)
		code = check_subnet_overlap(draft, subnet, error);
	if (!code)
		code = check_gateway(draft, subnet, error);
	if (!code)
		code = check_dhcp(draft, subnet, error);
	if (!code)
		code = check_present(draft, &subnet->object, "route_table", subnet->route_table_id,
				     error);
	if (!code)
		code = check_segment(draft, subnet, error);
	if (!code)
		code = check_tags(draft, subnet, error);
	if (!code)
		code = check_routed_subnet(draft, subnet, error);
	if (!code)
		code = check_subnet_mtu(draft, subnet, error);
	if (!code)
		code = check_multicast(draft, draft_vpc(draft, subnet->object.vpc_id),
				       &subnet->object, error);
	if (!code && subnet->acl_id)
		code = check_present(draft, &subnet->object, "acl", subnet->acl_id, error);
	if (code || !before || same_addressing(before, subnet))
		return code;
	code = check_ports_in(draft, subnet, error);
	return code ? code : check_tables_with(draft, before, error);
}
