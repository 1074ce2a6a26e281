/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft group: security groups. Their rules are in rule.c.
 *
 * Neighbours: object.c, which does the work.
 */
#include "cli/nouns.h"
#include "cli/object.h"

static const struct option list_options[] = {
	NAME_OPTION("vpc", "VPC", "only of this VPC", COMPLETE_VPC),
	{ 0 },
};

static void render_ingress(const json_t *object, struct buf *text)
{
	buf_printf(text, "%zu", json_array_size(json_object_get(object, "ingress")));
}

static void render_egress(const json_t *object, struct buf *text)
{
	buf_printf(text, "%zu", json_array_size(json_object_get(object, "egress")));
}

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "INGRESS RULES", NULL, render_ingress },
		{ "EGRESS RULES", NULL, render_egress },
		{ 0 },
	};

	return object_list_columns(invocation, columns);
}

static const struct command group_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/GROUP",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a security group: nothing in, everything out",
		.run = object_add,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all security groups",
		.options = list_options,
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "VPC/GROUP",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_GROUP,
		.summary = "one security group with its rules",
		.run = object_show,
	},
	{
		.verb = "remove",
		.arguments = "VPC/GROUP",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_GROUP,
		.summary = "remove a security group that no port and no rule names",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun group_noun = {
	.name = "group",
	.summary = "security groups: stateful allow rules of ports",
	.text = "A port passes what any rule of any of its groups allows; replies always pass.\n"
		"The group default of a VPC lets in its own members and everything out.\n"
		"weft rule adds, lists and removes rules.",
	.commands = group_commands,
	.kind = "security_groups",
	.word = "security group",
};
