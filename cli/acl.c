/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft acl: numbered stateless rules of subnets.
 *
 * Rules are added and removed by their number. The ACL is read, edited and written back, unless
 * somebody else wrote it in between.
 *
 * Neighbours: rule.c (how a rule is written), object.c.
 */
#include <string.h>

#include "cli/nouns.h"
#include "cli/object.h"
#include "cli/rule.h"

#define ACL_NUMBER_MAX 32766

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

/* What is edited: the direction, the number, and the rule to put there or NULL. */
struct edit {
	const char *direction;
	long long number;
	json_t *rule;
};

static int edit(struct invocation *invocation, const json_t *acl, json_t *changes, void *context)
{
	struct edit *wanted = context;
	json_t *rules = json_array(), *rule;
	bool found = false;
	size_t index;

	json_array_foreach(json_object_get(acl, wanted->direction), index, rule) {
		if (json_integer_value(json_object_get(rule, "number")) == wanted->number)
			found = true;
		else
			json_array_append(rules, rule);
	}
	if (!wanted->rule && !found) {
		report_refused(invocation, "acl %s: no %s rule %lld", invocation->arguments[0],
			       wanted->direction, wanted->number);
		json_decref(rules);
		return EXIT_REFUSED;
	}
	if (wanted->rule)
		json_array_append(rules, wanted->rule);
	json_object_set_new(changes, wanted->direction, rules);
	return 0;
}

static int read_place(struct invocation *invocation, struct edit *wanted)
{
	int status = rule_direction(invocation, invocation->arguments[1]);

	if (status)
		return status;
	wanted->direction = invocation->arguments[1];
	if (!parse_number(invocation->arguments[2], ACL_NUMBER_MAX, &wanted->number) ||
	    wanted->number == 0)
		return report_usage(invocation, "\"%s\" is not the number of a rule: 1 to %d",
				    invocation->arguments[2], ACL_NUMBER_MAX);
	return 0;
}

static int run_edit(struct invocation *invocation, struct edit *wanted, const char *done)
{
	struct object_name name;
	int status;

	status = object_name_parse(invocation, &acl_noun, invocation->arguments[0], &name);
	if (status)
		return status;
	status = object_edit(invocation, &name, edit, wanted);
	if (status == EXIT_DONE)
		report_line(invocation, "%s rule %lld of %s %s", wanted->direction, wanted->number,
			    name.about, done);
	object_name_fini(&name);
	return status;
}

static int set_rule(struct invocation *invocation)
{
	const char *action = invocation->arguments[3];
	struct edit wanted = { 0 };
	int status = read_place(invocation, &wanted);

	if (status)
		return status;
	if (strcmp(action, "allow") != 0 && strcmp(action, "deny") != 0)
		return report_usage(invocation, "\"%s\" is not an action: allow or deny", action);
	status = rule_read(invocation, wanted.direction, 4, &wanted.rule);
	if (status)
		return status;
	json_object_set_new(wanted.rule, "number", json_integer(wanted.number));
	json_object_set_new(wanted.rule, "action", json_string(action));
	status = run_edit(invocation, &wanted, "set");
	json_decref(wanted.rule);
	return status;
}

static int remove_rule(struct invocation *invocation)
{
	struct edit wanted = { 0 };
	int status = read_place(invocation, &wanted);

	return status ? status : run_edit(invocation, &wanted, "removed");
}

static int rules(struct invocation *invocation)
{
	const char *name = invocation->argument_count ? invocation->arguments[0] : NULL;
	int status = EXIT_DONE;
	json_t *acls = object_collect(invocation, &acl_noun, name, &status);

	if (acls)
		status = rule_list_print(invocation, acls, "acl");
	json_decref(acls);
	return status;
}

static const struct command acl_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/ACL",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make an ACL, which denies everything until it has rules",
		.run = object_add,
	},
	{
		.verb = "rule",
		.arguments = "VPC/ACL ingress|egress NUMBER allow|deny PROTOCOL [PORTS]",
		.argument_min = 4,
		.argument_max = 6,
		.complete = COMPLETE_ACL,
		.summary = "put a rule at a number, instead of the one that is there",
		.text = "weft acl rule blue/edge ingress 100 deny tcp 22 --from 0.0.0.0/0\n"
			"The rule with the lowest number that matches decides.",
		.options = rule_options,
		.run = set_rule,
	},
	{
		.verb = "rules",
		.arguments = "[VPC/ACL]",
		.argument_max = 1,
		.complete = COMPLETE_ACL,
		.summary = "rules of one ACL, or of all",
		.options = list_options,
		.run = rules,
	},
	{
		.verb = "remove-rule",
		.arguments = "VPC/ACL ingress|egress NUMBER",
		.argument_min = 3,
		.argument_max = 3,
		.complete = COMPLETE_ACL,
		.summary = "take the rule of a number away",
		.run = remove_rule,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all ACLs",
		.options = list_options,
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "VPC/ACL",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_ACL,
		.summary = "one ACL with its rules",
		.run = object_show,
	},
	{
		.verb = "remove",
		.arguments = "VPC/ACL",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_ACL,
		.summary = "remove an ACL that no subnet uses",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun acl_noun = {
	.name = "acl",
	.summary = "numbered stateless rules of subnets",
	.commands = acl_commands,
	.kind = "acls",
	.word = "acl",
};
