/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The addresses at which ports find the host's own services: DNS (V46), metadata, and where a subnet has no
 * gateway its DHCP server.
 *
 * Neighbours: plan.c (the callers), core/service.c and core/neighbour.c (who read the rows).
 */
#include "base/alloc.h"
#include "model/plan_private.h"

#define RESOLVER_OFFSET 2 /* V16, V46: of the ranges of a VPC, and of its subnets */

static uint32_t services_of(const struct vpc_object *vpc)
{
	return (vpc->dns.serve ? SERVICE_RESOLVER : 0) | (vpc->metadata ? SERVICE_METADATA : 0);
}

static void plan_service(const struct plan *plan, uint32_t vpc_id, const struct ip_address *address,
			 uint32_t kinds)
{
	struct service_key key = { .vpc_id = vpc_id, .address = address_row(address) };
	struct service row = { .kinds = kinds };

	if (kinds)
		rows_add(plan->rows, TABLE_services, &key, &row);
}

/* V46: where every VPC finds them, whatever its ranges. */
void plan_vpc_services(const struct plan *plan, const struct vpc_object *vpc)
{
	static const struct {
		const char *address;
		uint32_t kind;
	} known[] = {
		{ "169.254.169.253", SERVICE_RESOLVER },
		{ "169.254.169.254", SERVICE_METADATA },
		{ "fd00:ec2::253", SERVICE_RESOLVER },
		{ "fd00:ec2::254", SERVICE_METADATA },
	};
	struct ip_address address;

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (!ip_address_parse(known[i].address, &address))
			plan_service(plan, vpc->object.id, &address,
				     services_of(vpc) & known[i].kind);
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (!ip_address_add(&vpc->cidrs[i].address, RESOLVER_OFFSET, &address))
			plan_service(plan, vpc->object.id, &address,
				     services_of(vpc) & SERVICE_RESOLVER);
}

static bool is_vpc_resolver(const struct vpc_object *vpc, const struct ip_address *address)
{
	struct ip_address resolver;

	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (!ip_address_add(&vpc->cidrs[i].address, RESOLVER_OFFSET, &resolver) &&
		    ip_address_equal(&resolver, address))
			return true;
	return false;
}

/* The subnet's own resolver address (V16), unless that is its gateway's or the row of the VPC has it. */
void plan_subnet_services(const struct plan *plan, const struct subnet_object *subnet)
{
	const struct vpc_object *vpc = (const struct vpc_object *)object_of(
		plan->intent, subnet->object.vpc_id, OBJECT_VPC);

	for (size_t family = 0; vpc && family < 2; family++) {
		uint32_t kinds = services_of(vpc) & SERVICE_RESOLVER;
		struct ip_address address;

		if (!subnet->cidrs[family].length ||
		    ip_address_add(&subnet->cidrs[family].address, RESOLVER_OFFSET, &address) ||
		    ip_address_equal(&address, &subnet->gateways[family]) ||
		    (kinds && is_vpc_resolver(vpc, &address)))
			continue;
		/* Clients renew with the server by its address, and ask for its MAC. */
		if (!family && subnet->dhcp && !ip_address_is_ipv4(&subnet->gateways[0]))
			kinds |= SERVICE_DHCP;
		plan_service(plan, vpc->object.id, &address, kinds);
	}
}
