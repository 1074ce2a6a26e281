/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Which routes a table may hold: V19, V21, V22.
 *
 * The local route of each range of the VPC is in every table and may only be retargeted, which is
 * a route with exactly that prefix that leads to a port: a blackhole would take the local route
 * away. A more specific one must be the range of a whole subnet and lead to a port too. Nothing
 * leads into the reserved ranges.
 *
 * Neighbours: check.c (the caller), text_read.c (form and names).
 */
#include <errno.h>
#include <stdio.h>

#include "base/alloc.h"
#include "model/intent_private.h"

static const char *const reserved_ranges[] = { "169.254.168.0/22", "fd00:ec2::/32" };

static int refuse_route(struct draft *draft, const struct route_table_object *table,
			const struct route_object *route, struct error *error, const char *why)
{
	char text[IP_PREFIX_TEXT_SIZE], key[32];

	snprintf(key, sizeof(key), "routes[%u]", route->place);
	return draft_refuse(draft, &table->object, key, EINVAL, error, "route %s: %s",
			    ip_prefix_format(&route->to, text), why);
}

static bool is_subnet(struct draft *draft, uint32_t vpc_id, const struct ip_prefix *prefix)
{
	const struct subnet_ranges *ranges = check_ranges(draft, vpc_id);
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int order = ip_prefix_compare(&ranges->ranges[middle].prefix, prefix);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

/* V19 and V21: a route to a range of the VPC, or to what is inside one. */
static int check_inside(struct draft *draft, const struct route_table_object *table,
			const struct vpc_object *vpc, const struct route_object *route,
			struct error *error)
{
	for (size_t i = 0; i < vpc->cidr_count; i++) {
		if (!ip_prefix_contains_prefix(&vpc->cidrs[i], &route->to))
			continue;
		if (ip_prefix_equal(&vpc->cidrs[i], &route->to)) {
			if (route->via == VIA_PORTS)
				continue;
			return refuse_route(draft, table, route, error,
					    "the local route of the vpc may be led to a port, it "
					    "cannot be made a blackhole");
		}
		if (route->via != VIA_PORTS)
			return refuse_route(draft, table, route, error,
					    "inside the vpc a route more specific than the local "
					    "one leads to a port");
		if (!is_subnet(draft, vpc->object.id, &route->to))
			return refuse_route(draft, table, route, error,
					    "inside the vpc a route more specific than the local "
					    "one is the range of a whole subnet");
	}
	return 0;
}

/* Nothing comes back by a tunnel that gets copies alone, and a workload with the host's own stack gets nothing. */
static int check_targets(struct draft *draft, const struct route_table_object *table,
			 const struct route_object *route, struct error *error)
{
	for (size_t i = 0; i < route->port_count; i++) {
		const struct object *target = draft_object(draft, route->port_ids[i]);

		if (target && target->kind == OBJECT_TUNNEL &&
		    ((const struct tunnel_object *)target)->mirror)
			return refuse_route(draft, table, route, error,
					    "the tunnel gets copies of mirrors and nothing else");
		if (target && target->kind == OBJECT_PORT &&
		    ((const struct port_object *)target)->attach.kind == ATTACH_HOST)
			return refuse_route(draft, table, route, error,
					    "its workload has the host's own stack "
					    "(attach.host), and takes no packets of the vpc");
	}
	return 0;
}

int check_routes(struct draft *draft, const struct route_table_object *table, struct error *error)
{
	const struct vpc_object *vpc = draft_vpc(draft, table->object.vpc_id);
	struct ip_prefix reserved[ARRAY_SIZE(reserved_ranges)];

	for (size_t i = 0; i < ARRAY_SIZE(reserved); i++)
		ip_prefix_parse(reserved_ranges[i], &reserved[i]);
	for (size_t i = 0; i < table->route_count; i++) {
		const struct route_object *route = &table->routes[i];
		int code;

		if (i && ip_prefix_equal(&route->to, &table->routes[i - 1].to))
			return refuse_route(draft, table, route, error, "stands twice");
		for (size_t j = 0; j < ARRAY_SIZE(reserved); j++)
			if (ip_prefix_contains_prefix(&reserved[j], &route->to))
				return refuse_route(draft, table, route, error,
						    "the range is reserved and never routed");
		code = check_targets(draft, table, route, error);
		if (!code)
			code = check_inside(draft, table, vpc, route, error);
		if (code)
			return code;
	}
	return 0;
}
