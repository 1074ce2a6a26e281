/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft vpc: isolated routing domains.
 *
 * Neighbours: object.c, which does the work.
 */
#include "cli/nouns.h"
#include "cli/object.h"

static const struct option vpc_add_options[] = {
	{ "cidr", 0, OPTION_LIST, "PREFIX", "address range, IPv4 or IPv6; may be given again",
	  "cidrs", COMPLETE_NOTHING, true },
	{ "established", 0, OPTION_TEXT, "keep|cut",
	  "what a change of rules does to live connections", "established", COMPLETE_WORDS, false },
	{ "mtu", 0, OPTION_INTEGER, "BYTES", "largest IP packet of its ports", "mtu",
	  COMPLETE_NOTHING, false },
	{ "flow-limit", 0, OPTION_INTEGER, "COUNT", "connections of the whole VPC", "flow_limit",
	  COMPLETE_NOTHING, false },
	{ 0 },
};

static const struct option vpc_set_options[] = {
	{ "cidr", 0, OPTION_LIST, "PREFIX", "address ranges, instead of those it has", "cidrs",
	  COMPLETE_NOTHING, false },
	{ "established", 0, OPTION_TEXT, "keep|cut",
	  "what a change of rules does to live connections", "established", COMPLETE_WORDS, false },
	{ "mtu", 0, OPTION_INTEGER, "BYTES", "largest IP packet of its ports", "mtu",
	  COMPLETE_NOTHING, false },
	{ "flow-limit", 0, OPTION_INTEGER, "COUNT", "connections of the whole VPC", "flow_limit",
	  COMPLETE_NOTHING, false },
	{ "main-route-table", 0, OPTION_TEXT, "NAME", "that of subnets which name none",
	  "main_route_table", COMPLETE_NOTHING, false },
	{ 0 },
};

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "CIDRS", "cidrs", NULL },
		{ "ESTABLISHED", "established", NULL },
		{ "MTU", "mtu", NULL },
		{ "FLOW LIMIT", "flow_limit", NULL },
		{ 0 },
	};

	return object_list_columns(invocation, columns);
}

static const struct command vpc_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a VPC, with a route table main and a security group default",
		.options = vpc_add_options,
		.run = object_add,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all VPCs",
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "VPC",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_VPC,
		.summary = "all that is set of one VPC",
		.run = object_show,
	},
	{
		.verb = "set",
		.arguments = "VPC",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_VPC,
		.summary = "change a VPC",
		.options = vpc_set_options,
		.run = object_set,
	},
	{
		.verb = "remove",
		.arguments = "VPC",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_VPC,
		.summary = "remove a VPC and everything in it",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun vpc_noun = {
	.name = "vpc",
	.summary = "isolated routing domains",
	.text = "A VPC is an address space of its own, which may overlap with that of any other.\n"
		"Nothing enters or leaves it.",
	.commands = vpc_commands,
	.kind = "vpcs",
	.word = "vpc",
};
