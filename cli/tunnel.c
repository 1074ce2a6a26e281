/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft tunnel: from a VPC to an end that is not Weft.
 *
 * Neighbours: object.c, which does the work.
 */
#include <string.h>

#include "cli/nouns.h"
#include "cli/object.h"

static const struct option tunnel_options[] = {
	WORDS_OPTION("type", "vxlan|geneve|nvgre|gre|gretap|ipip|sit|fou|gue|erspan|erspan3",
		     "how packets are carried", "type"),
	TEXT_OPTION("remote", "ADDRESS", "of the other end", "remote"),
	TEXT_OPTION("local", "ADDRESS", "one of the host's; its first", "local"),
	TEXT_OPTION("host", "HOST", "where it begins; this one if left out", "host"),
	TEXT_OPTION("subnet", "NAME", "the l2 subnet that it is a member of; none: for routes",
		    "subnet"),
	INTEGER_OPTION("id", "NUMBER", "VNI, VSID or GRE key", "id"),
	INTEGER_OPTION("port", "PORT", "UDP; the usual one", "port"),
	SWITCH_OPTION("checksum", "of GRE, or of UDP", "checksum"),
	SWITCH_OPTION("sequence", "GRE: number packets, drop what is out of order", "sequence"),
	INTEGER_OPTION("hardware-id", "NUMBER", "erspan3: which engine of the host; 0",
		       "hardware_id"),
	SWITCH_OPTION("mirror", "it gets copies of mirrors and nothing else", "mirror"),
	INTEGER_OPTION("ttl", "HOPS", "of the outer header; 64", "ttl"),
	TEXT_OPTION("dscp", "NUMBER|copy", "of the outer header; 0", NULL),
	INTEGER_OPTION("mtu", "BYTES", "what the underlay leaves, if left out", "mtu"),
	LIST_OPTION("group", "NAME", "security group; none: rules say nothing of it",
		    "security_groups"),
	INTEGER_OPTION("keepalive", "SECONDS", "ask the other end so often whether it is there",
		       "keepalive.interval"),
	INTEGER_OPTION("keepalive-retries", "COUNT", "without an answer until it is down; 3",
		       "keepalive.retries"),
	TEXT_OPTION("keepalive-address", "ADDRESS", "behind the tunnel; its outer address",
		    "keepalive.address"),
	{ 0 },
};

static const struct option tunnel_list_options[] = {
	NAME_OPTION("vpc", "VPC", "only of this VPC", COMPLETE_VPC),
	{ 0 },
};

static int add(struct invocation *invocation)
{
	json_t *body = invocation_object(invocation);

	object_set_dscp(invocation, body, "dscp");
	return object_add_as(invocation, body);
}

static int set(struct invocation *invocation)
{
	json_t *changes = invocation_object(invocation);

	object_set_dscp(invocation, changes, "dscp");
	return object_set_as(invocation, changes);
}

/* "up", "down", "unknown"; nothing for one that is not watched, or not by the host that is asked. */
static void render_state(const json_t *object, struct buf *text)
{
	const json_t *status = json_object_get(object, "status");
	const char *state = json_string_value(json_object_get(status, "state"));

	if (state && strcmp(state, "unwatched") != 0)
		buf_append_text(text, state);
}

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "TYPE", "type", NULL },
		{ "HOST", "host", NULL },
		{ "REMOTE", "remote", NULL },
		{ "ID", "id", NULL },
		{ "SUBNET", "subnet", NULL },
		{ "STATE", NULL, render_state },
		{ 0 },
	};

	return object_list_columns(invocation, columns);
}

static const struct command tunnel_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/TUNNEL",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a tunnel",
		.text = "weft tunnel add blue/site1 --type gre --remote 198.51.100.7 --id 10\n"
			"weft route add blue/main 10.9.0.0/16 --via tunnel:site1",
		.options = tunnel_options,
		.required = "remote",
		.run = add,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all tunnels",
		.text = "STATE: up, down, unknown, of tunnels with a keepalive; elsewhere: not down, "
			"and watched by the\nhost where it begins.",
		.options = tunnel_list_options,
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "VPC/TUNNEL",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_TUNNEL,
		.summary = "all that is set of one tunnel",
		.run = object_show,
	},
	{
		.verb = "set",
		.arguments = "VPC/TUNNEL",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_TUNNEL,
		.summary = "change a tunnel",
		.options = tunnel_options,
		.run = set,
	},
	{
		.verb = "remove",
		.arguments = "VPC/TUNNEL",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_TUNNEL,
		.summary = "remove a tunnel; routes that lead to it drop",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun tunnel_noun = {
	.name = "tunnel",
	.summary = "from a VPC to ends that are not Weft",
	.text = "A tunnel begins at a host and ends at one address of the underlay. It is a member\n"
		"of an l2 subnet (vxlan, geneve, nvgre, gretap), or the target of routes (gre,\n"
		"ipip, sit, fou, gue). Hosts of Weft need none between one another.",
	.commands = tunnel_commands,
	.kind = "tunnels",
	.word = "tunnel",
};
