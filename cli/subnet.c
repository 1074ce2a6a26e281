/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft subnet: segments of a VPC.
 *
 * Neighbours: object.c, which does the work.
 */
#include "cli/nouns.h"
#include "cli/object.h"

/* The options of add and set differ only in what must be there. */
#define SUBNET_OPTIONS(cidr_required)                                                              \
	{ "cidr", 0, OPTION_LIST, "PREFIX", "address range, one for each of IPv4 and IPv6",        \
	  "cidr", COMPLETE_NOTHING, cidr_required },                                              \
	{ "gateway", 0, OPTION_LIST, "ADDRESS", "of the subnet's router; the first of the range",  \
	  "gateway", COMPLETE_NOTHING, false },                                                   \
	{ "mode", 0, OPTION_TEXT, "l3|l2", "routed (the default), or an Ethernet switch", "mode",  \
	  COMPLETE_WORDS, false },                                                                 \
	{ "segment", 0, OPTION_TEXT, "overlay|local", "how it is carried", "segment.type",         \
	  COMPLETE_WORDS, false },                                                                 \
	{ "route-table", 0, OPTION_TEXT, "NAME", "a route table of the VPC; main by default",      \
	  "route_table", COMPLETE_NOTHING, false },                                                \
	{ "acl", 0, OPTION_TEXT, "NAME", "an ACL of the VPC; none by default", "acl",              \
	  COMPLETE_NOTHING, false },                                                               \
	{ "flood-rate", 0, OPTION_INTEGER, "COUNT", "l2: flooded frames per second and port",      \
	  "flood_rate", COMPLETE_NOTHING, false },                                                 \
	{ "station-limit", 0, OPTION_INTEGER, "COUNT", "l2: learned addresses per port",           \
	  "station_limit", COMPLETE_NOTHING, false },                                              \
	{ "station-ageing", 0, OPTION_INTEGER, "SECONDS", "l2: until an address is forgotten",     \
	  "station_ageing", COMPLETE_NOTHING, false },                                             \
	{ "dhcp", 0, OPTION_FLAG, NULL, "serve DHCP in it", "dhcp", COMPLETE_NOTHING, false },     \
	{ 0 },

static const struct option subnet_add_options[] = { SUBNET_OPTIONS(true) };
static const struct option subnet_set_options[] = { SUBNET_OPTIONS(false) };

static const struct option subnet_list_options[] = {
	{ "vpc", 0, OPTION_TEXT, "VPC", "only of this VPC", NULL, COMPLETE_VPC, false },
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
		.options = subnet_add_options,
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
		.options = subnet_set_options,
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
