/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft rule: what security groups let in and out.
 *
 * A rule is an element of its group's list. It is named by its place in that list, counted from 1,
 * as traces and drops name it, or by repeating it.
 *
 * Neighbours: group.c, acl.c (whose rules are written the same way).
 */
#include "cli/rule.h"

#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "base/alloc.h"
#include "cli/nouns.h"
#include "cli/object.h"
#include "cli/table.h"

const struct option rule_options[] = {
	TEXT_OPTION("from", "PREFIX|group:NAME", "who may begin (ingress)", NULL),
	TEXT_OPTION("to", "PREFIX|group:NAME", "whom may be reached (egress)", NULL),
	{ 0 },
};

static const struct option list_options[] = {
	NAME_OPTION("vpc", "VPC", "only of this VPC", COMPLETE_VPC),
	{ 0 },
};

int rule_direction(struct invocation *invocation, const char *word)
{
	if (strcmp(word, "ingress") == 0 || strcmp(word, "egress") == 0)
		return 0;
	return report_usage(invocation, "\"%s\" is not a direction: ingress or egress", word);
}

/* TYPE or TYPE/CODE */
static int read_icmp(struct invocation *invocation, const char *text, json_t *rule)
{
	const char *slash = strchr(text, '/');
	long long type, code;
	char first[8];

	snprintf(first, sizeof(first), "%.*s", (int)strcspn(text, "/"), text);
	if (!parse_number(first, 255, &type) || (slash && !parse_number(slash + 1, 255, &code)))
		return report_usage(invocation, "\"%s\" is not an ICMP type, or TYPE/CODE", text);
	json_object_set_new(rule, "type", json_integer(type));
	if (slash)
		json_object_set_new(rule, "code", json_integer(code));
	return 0;
}

int rule_read(struct invocation *invocation, const char *direction, size_t first, json_t **rule)
{
	const char *peer_key = strcmp(direction, "ingress") == 0 ? "from" : "to";
	const char *other = strcmp(direction, "ingress") == 0 ? "to" : "from";
	const char *protocol, *peer = invocation_text(invocation, peer_key);
	long long number;

	if (invocation_flag(invocation, other))
		return report_usage(invocation, "an %s rule has --%s, not --%s", direction,
				    peer_key, other);
	if (!peer)
		return report_usage(invocation,
				    "--%s is missing: a prefix such as 0.0.0.0/0, or "
				    "group:NAME",
				    peer_key);
	if (invocation->argument_count <= first)
		return report_usage(invocation, "the protocol is missing: tcp, udp, icmp, all or "
						"a number");
	protocol = invocation->arguments[first];
	*rule = json_object();
	if (parse_number(protocol, 255, &number))
		json_object_set_new(*rule, "protocol", json_integer(number));
	else
		json_object_set_new(*rule, "protocol", json_string(protocol));
	json_object_set_new(*rule, peer_key, json_string(peer));
	if (invocation->argument_count <= first + 1)
		return 0;
	if (strncasecmp(protocol, "icmp", 4) == 0)
		return read_icmp(invocation, invocation->arguments[first + 1], *rule);
	json_object_set_new(*rule, "ports", json_string(invocation->arguments[first + 1]));
	return 0;
}

/* What is edited: the direction, and the rule or its place (from 0). */
struct edit {
	const char *direction;
	json_t *rule;
	long long place;
};

static int edit_add(struct invocation *invocation, const json_t *group, json_t *changes,
		    void *context)
{
	struct edit *edit = context;
	json_t *rules = json_deep_copy(json_object_get(group, edit->direction));

	(void)invocation;
	if (!rules)
		rules = json_array();
	json_array_append(rules, edit->rule);
	edit->place = (long long)json_array_size(rules);
	json_object_set_new(changes, edit->direction, rules);
	return 0;
}

/* Whether a stored rule is what the user wrote: the keys written are equal as text. */
static bool same_rule(const json_t *stored, const json_t *written)
{
	static const char *const narrowing[] = { "ports", "type", "code" };
	const char *key;
	json_t *value;
	struct buf a = { 0 }, b = { 0 };
	bool same = true;

	json_object_foreach((json_t *)written, key, value) {
		buf_reset(&a);
		buf_reset(&b);
		object_append_value(&a, value);
		object_append_value(&b, json_object_get(stored, key));
		same = same && strcmp(buf_text(&a), buf_text(&b)) == 0;
	}
	/* "tcp" alone is not "tcp 80", though all that is written of it is in it. */
	for (size_t i = 0; i < ARRAY_SIZE(narrowing); i++)
		if (!json_object_get(written, narrowing[i]) &&
		    json_object_get(stored, narrowing[i]))
			same = false;
	buf_fini(&a);
	buf_fini(&b);
	return same;
}

static int edit_remove(struct invocation *invocation, const json_t *group, json_t *changes,
		       void *context)
{
	struct edit *edit = context;
	json_t *rules = json_deep_copy(json_object_get(group, edit->direction)), *rule;
	size_t index, place = json_array_size(rules);

	json_array_foreach(rules, index, rule) {
		if (edit->rule && place == json_array_size(rules) && same_rule(rule, edit->rule))
			place = index;
	}
	if (!edit->rule)
		place = (size_t)edit->place;
	if (place >= json_array_size(rules)) {
		report_refused(invocation, "security group %s: no such %s rule; weft rule list %s",
			       invocation->arguments[0], edit->direction, invocation->arguments[0]);
		json_decref(rules);
		return EXIT_REFUSED;
	}
	edit->place = (long long)place + 1;
	json_array_remove(rules, place);
	json_object_set_new(changes, edit->direction, rules);
	return 0;
}

static int run_edit(struct invocation *invocation, struct edit *edit, bool add)
{
	struct object_name name;
	int status;

	status = object_name_parse(invocation, &group_noun, invocation->arguments[0], &name);
	if (status)
		return status;
	status = object_edit(invocation, &name, add ? edit_add : edit_remove, edit);
	if (status == EXIT_DONE)
		report_line(invocation, "rule %lld of %s %s %s", edit->place, name.about,
			    edit->direction, add ? "added" : "removed");
	object_name_fini(&name);
	return status;
}

static int rule_add(struct invocation *invocation)
{
	struct edit edit = { .direction = invocation->arguments[1] };
	int status = rule_direction(invocation, edit.direction);

	if (status == 0)
		status = rule_read(invocation, edit.direction, 2, &edit.rule);
	if (status == 0)
		status = run_edit(invocation, &edit, true);
	json_decref(edit.rule);
	return status;
}

static int rule_remove(struct invocation *invocation)
{
	struct edit edit = { .direction = invocation->arguments[1] };
	int status = rule_direction(invocation, edit.direction);

	if (status)
		return status;
	if (invocation->argument_count == 3 && !invocation_flag(invocation, "from") &&
	    !invocation_flag(invocation, "to")) {
		if (!parse_number(invocation->arguments[2], INT32_MAX, &edit.place) || !edit.place)
			return report_usage(invocation, "\"%s\" is not the number of a rule",
					    invocation->arguments[2]);
		edit.place--;
	} else {
		status = rule_read(invocation, edit.direction, 2, &edit.rule);
	}
	if (status == 0)
		status = run_edit(invocation, &edit, false);
	json_decref(edit.rule);
	return status;
}

static void add_rows(json_t *rows, const json_t *object, const char *holder, const char *direction)
{
	json_t *rule, *row;
	size_t index;

	json_array_foreach(json_object_get(object, direction), index, rule) {
		row = json_pack("{s:O, s:s, s:I}", holder, json_object_get(object, "name"),
				"direction", direction, "number", (json_int_t)index + 1);
		json_object_update(row, rule);
		json_array_append_new(rows, row);
	}
}

static void print_rules(struct invocation *invocation, const json_t *rows, const char *holder)
{
	bool is_acl = strcmp(holder, "acl") == 0;
	const char *titles[] = { is_acl ? "ACL" : "GROUP",
				 "DIRECTION",
				 "NUMBER",
				 is_acl ? "ACTION" : "PROTOCOL",
				 is_acl ? "PROTOCOL" : "PORTS",
				 is_acl ? "PORTS" : "PEER",
				 is_acl ? "PEER" : NULL,
				 NULL };
	const char *keys[] = { holder,  "direction", "number", "action", "protocol",
			       "ports", "type",      "code",   "from",   "to" };
	struct buf text = { 0 };
	struct table table;
	json_t *row;
	size_t index;

	table_init(&table, titles);
	json_array_foreach(rows, index, row) {
		for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
			if (!is_acl && strcmp(keys[i], "action") == 0)
				continue;
			/* Ports and ICMP's TYPE/CODE share a column, and so do both kinds of peer. */
			if (strcmp(keys[i], "code") == 0 &&
			    json_is_integer(json_object_get(row, "code")))
				buf_append_char(&text, '/');
			object_append_value(&text, json_object_get(row, keys[i]));
			if (strcmp(keys[i], "ports") == 0 || strcmp(keys[i], "type") == 0 ||
			    strcmp(keys[i], "from") == 0)
				continue;
			table_cell(&table, buf_text(&text));
			buf_reset(&text);
		}
	}
	table_print(&table, invocation->out, 0);
	table_fini(&table);
	buf_fini(&text);
}

int rule_list_print(struct invocation *invocation, const json_t *objects, const char *holder)
{
	json_t *rows = json_array(), *object;
	int status = EXIT_DONE;
	size_t index;

	json_array_foreach(objects, index, object) {
		add_rows(rows, object, holder, "ingress");
		add_rows(rows, object, holder, "egress");
	}
	if (invocation->json)
		status = report_json(invocation, rows);
	else
		print_rules(invocation, rows, holder);
	json_decref(rows);
	return status;
}

static int rule_list(struct invocation *invocation)
{
	const char *name = invocation->argument_count ? invocation->arguments[0] : NULL;
	int status = EXIT_DONE;
	json_t *groups = object_collect(invocation, &group_noun, name, &status);

	if (groups)
		status = rule_list_print(invocation, groups, "security_group");
	json_decref(groups);
	return status;
}

static const struct command rule_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/GROUP ingress|egress PROTOCOL [PORTS]",
		.argument_min = 2,
		.argument_max = 4,
		.complete = COMPLETE_GROUP,
		.summary = "allow something",
		.text = "weft rule add blue/web ingress tcp 80,8000-8099 --from 0.0.0.0/0\n"
			"weft rule add blue/db ingress tcp 5432 --from group:web\n"
			"PROTOCOL is tcp, udp, icmp, all or a number. For icmp, PORTS is TYPE or TYPE/CODE.",
		.options = rule_options,
		.run = rule_add,
	},
	{
		.verb = "list",
		.arguments = "[VPC/GROUP]",
		.argument_max = 1,
		.complete = COMPLETE_GROUP,
		.summary = "rules of one security group, or of all",
		.options = list_options,
		.run = rule_list,
	},
	{
		.verb = "remove",
		.arguments = "VPC/GROUP ingress|egress NUMBER|PROTOCOL [PORTS]",
		.argument_min = 3,
		.argument_max = 4,
		.complete = COMPLETE_GROUP,
		.summary = "take a rule away, by its number in the list or by repeating it",
		.options = rule_options,
		.run = rule_remove,
	},
	{ 0 },
};

const struct noun rule_noun = {
	.name = "rule",
	.summary = "what security groups let in and out",
	.commands = rule_commands,
};
