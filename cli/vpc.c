/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft vpc: isolated routing domains.
 *
 * Neighbours: object.c, which does the work.
 */
#include "cli/nouns.h"
#include "cli/object.h"

static const struct option vpc_options[] = {
	LIST_OPTION("cidr", "PREFIX", "address range, IPv4 or IPv6; may be given again", "cidrs"),
	WORDS_OPTION("established", "keep|cut", "what a change of rules does to live connections",
		     "established"),
	TEXT_OPTION("mtu", "BYTES|auto", "largest IP packet of its ports; auto", NULL),
	INTEGER_OPTION("flow-limit", "COUNT", "connections of the whole VPC", "flow_limit"),
	SWITCH_OPTION("dns", "serve DNS to its ports; on", "dns.serve"),
	TEXT_OPTION("dns-domain", "DOMAIN", "of its ports' names; VPC.internal", "dns.domain"),
	SWITCH_OPTION("metadata", "tell its ports about themselves at 169.254.169.254; on",
		      "metadata"),
	TEXT_OPTION("main-route-table", "NAME", "that of subnets which name none",
		    "main_route_table"),
	INTEGER_OPTION("timeout-tcp-opening", "SECONDS", "idle, of a handshake",
		       "timeouts.tcp_opening"),
	INTEGER_OPTION("timeout-tcp-established", "SECONDS", "idle, of a connection",
		       "timeouts.tcp_established"),
	INTEGER_OPTION("timeout-tcp-closing", "SECONDS", "after the first FIN",
		       "timeouts.tcp_closing"),
	INTEGER_OPTION("timeout-tcp-closed", "SECONDS", "after RST or both FINs",
		       "timeouts.tcp_closed"),
	INTEGER_OPTION("timeout-udp-unreplied", "SECONDS", "without an answer so far",
		       "timeouts.udp_unreplied"),
	INTEGER_OPTION("timeout-udp-replied", "SECONDS", "seen both ways", "timeouts.udp_replied"),
	INTEGER_OPTION("timeout-icmp", "SECONDS", "of a ping", "timeouts.icmp"),
	INTEGER_OPTION("timeout-other", "SECONDS", "of other protocols", "timeouts.other"),
	{ 0 },
};

/* The MTU is a number or a word. */
static json_t *read_options(struct invocation *invocation)
{
	const char *mtu = invocation_text(invocation, "mtu");
	json_t *body = invocation_object(invocation);
	long long number;

	if (mtu && parse_number(mtu, 1 << 20, &number))
		json_object_set_new(body, "mtu", json_integer(number));
	else if (mtu)
		json_object_set_new(body, "mtu", json_string(mtu));
	return body;
}

static int add(struct invocation *invocation)
{
	return object_add_as(invocation, read_options(invocation));
}

static int set(struct invocation *invocation)
{
	return object_set_as(invocation, read_options(invocation));
}

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "CIDRS", "cidrs", NULL },
		{ "ESTABLISHED", "established", NULL },
		{ "MTU", "effective_mtu", NULL },
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
		.options = vpc_options,
		.required = "cidr",
		.run = add,
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
		.text = "--cidr replaces the ranges it has.",
		.options = vpc_options,
		.run = set,
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
