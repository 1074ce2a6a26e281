/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Security groups and ACLs: rules that stand twice, groups that are gone, and how many rules a
 * port has.
 *
 * The form of a single rule was judged when it was read (text_rules.c).
 *
 * Neighbours: check.c (the caller), text_rules.c (words for a rule).
 */
#include <errno.h>

#include "base/alloc.h"
#include "model/intent_private.h"

#define PORT_RULES_MAX 4096 /* of all its groups together, per direction */

static int check_duplicate_rules(struct draft *draft, const struct object *object,
				 const struct rule_list *list, const char *key, struct error *error)
{
	struct map seen = { 0 };
	int code = 0;

	for (size_t i = 0; i < list->count && !code; i++) {
		struct buf words = { 0 };

		text_rule(draft->intent, &list->rules[i], key[0] == 'i', &words);
		if (map_put_text(&seen, buf_text(&words), &seen))
			code = draft_refuse(draft, object, key, EINVAL, error,
					    "%s rule %zu stands there already: %s", key, i + 1,
					    buf_text(&words));
		buf_fini(&words);
	}
	map_fini(&seen, NULL);
	return code;
}

static int check_rule_groups(struct draft *draft, const struct object *object,
			     const struct rule_list *list, const char *key, struct error *error)
{
	int code = 0;

	for (size_t i = 0; i < list->count && !code; i++)
		if (list->rules[i].peer == PEER_GROUP)
			code = check_present(draft, object, key, list->rules[i].group_id, error);
	return code;
}

int check_port_rules(struct draft *draft, const struct port_object *port, struct error *error)
{
	size_t ingress = 0, egress = 0;

	for (size_t i = 0; i < port->group_count; i++) {
		const struct security_group_object *group =
			(const struct security_group_object *)draft_object(draft,
									   port->group_ids[i]);

		ingress += group ? group->ingress.count : 0;
		egress += group ? group->egress.count : 0;
	}
	if (ingress <= PORT_RULES_MAX && egress <= PORT_RULES_MAX)
		return 0;
	return draft_refuse(
		draft, &port->object, "security_groups", EINVAL, error,
		"its security groups have %zu %s rules together, at most %d are allowed",
		ingress > PORT_RULES_MAX ? ingress : egress,
		ingress > PORT_RULES_MAX ? "ingress" : "egress", PORT_RULES_MAX);
}

int check_group(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	const struct security_group_object *group =
		(const struct security_group_object *)entry->after;
	const struct security_group_object *before =
		(const struct security_group_object *)entry->before;
	const struct map *ports;
	int code = check_duplicate_rules(draft, entry->after, &group->ingress, "ingress", error);

	if (!code)
		code = check_duplicate_rules(draft, entry->after, &group->egress, "egress", error);
	if (!code)
		code = check_rule_groups(draft, entry->after, &group->ingress, "ingress", error);
	if (!code)
		code = check_rule_groups(draft, entry->after, &group->egress, "egress", error);
	if (code || !before ||
	    (group->ingress.count <= before->ingress.count &&
	     group->egress.count <= before->egress.count))
		return code;
	ports = intent_referrers(draft->intent, REFERENCE_PORT_GROUP, group->object.id);
	if (!ports)
		return 0;
	MAP_FOR_EACH(ports, it) {
		const struct object *port = draft_object(draft, *(const uint32_t *)it.key);

		code = port ? check_port_rules(draft, (const struct port_object *)port, error) : 0;
		if (code)
			break;
	}
	return code;
}

static int check_acl_list(struct draft *draft, const struct acl_object *acl,
			  const struct rule_list *list, const char *key, struct error *error)
{
	for (size_t i = 1; i < list->count; i++)
		if (list->rules[i].number == list->rules[i - 1].number)
			return draft_refuse(draft, &acl->object, key, EINVAL, error,
					    "%s has two rules with number %u", key,
					    list->rules[i].number);
	return 0;
}

int check_acl(struct draft *draft, const struct acl_object *acl, struct error *error)
{
	int code = check_acl_list(draft, acl, &acl->ingress, "ingress", error);

	return code ? code : check_acl_list(draft, acl, &acl->egress, "egress", error);
}
