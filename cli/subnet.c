/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft subnet: segments of a VPC.
 *
 * Neighbours: object.c, which does the work.
 */
#include "cli/nouns.h"
#include "cli/object.h"

static const struct option subnet_options[] = {
	LIST_OPTION("cidr", "PREFIX", "address range, one for each of IPv4 and IPv6", "cidr"),
	LIST_OPTION("gateway", "ADDRESS", "of the subnet's router; the first of the range",
		    "gateway"),
	WORDS_OPTION("mode", "l3|l2", "routed (the default), or an Ethernet switch", "mode"),
	WORDS_OPTION("segment", "overlay|local", "how it is carried", "segment.type"),
	TEXT_OPTION("route-table", "NAME", "a route table of the VPC; main by default",
		    "route_table"),
	TEXT_OPTION("acl", "NAME", "an ACL of the VPC; none by default", "acl"),
	INTEGER_OPTION("flood-rate", "COUNT", "l2: flooded frames per second and port",
		       "flood_rate"),
	INTEGER_OPTION("station-limit", "COUNT", "l2: learned addresses per port", "station_limit"),
	INTEGER_OPTION("station-ageing", "SECONDS", "l2: until an address is forgotten",
		       "station_ageing"),
	FLAG_OPTION("dhcp", 0, "serve DHCP in it", "dhcp"),
	{ 0 },
};

static const struct option subnet_list_options[] = {
	NAME_OPTION("vpc", "VPC", "only of this VPC", COMPLETE_VPC),
	{ 0 },
};

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "CIDR", "cidr", NULL },
		{ "GATEWAY", "gateway", NULL },
		{ "MODE", "mode", NULL },
		{ "SEGMENT", "segment.type", NULL },
		{ "ROUTE TABLE", "route_table", NULL },
		{ "ACL", "acl", NULL },
		{ 0 },
	};

	return object_list_columns(invocation, columns);
}

static const struct command subnet_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/SUBNET",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a subnet",
		.options = subnet_options,
		.required = "cidr",
		.run = object_add,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all subnets",
		.options = subnet_list_options,
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "VPC/SUBNET",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_SUBNET,
		.summary = "all that is set of one subnet",
		.run = object_show,
	},
	{
		.verb = "set",
		.arguments = "VPC/SUBNET",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_SUBNET,
		.summary = "change a subnet",
		.text = "--cidr replaces the ranges it has; a gateway that was never chosen follows.\n"
			"--acl \"\" takes the ACL away, --route-table \"\" goes back to main.",
		.options = subnet_options,
		.run = object_set,
	},
	{
		.verb = "remove",
		.arguments = "VPC/SUBNET",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_SUBNET,
		.summary = "remove a subnet without ports",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun subnet_noun = {
	.name = "subnet",
	.summary = "segments of a VPC",
	.commands = subnet_commands,
	.kind = "subnets",
	.word = "subnet",
};
