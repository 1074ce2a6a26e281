/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Outlines: what a host knows of VPCs that it has nothing to do with.
 *
 * Beside its record in the tree of its VPC (/weft/1/vpc/<vpc id>/...), which only hosts with a part in
 * the VPC read, each VPC, subnet and tunnel has one in /weft/1/index/..., which all read: the same
 * without what refers to others. So names, ranges, ids of segments and ends of tunnels are judged
 * against all there are, while ports, rules and routes stay with those who need them.
 *
 * A VPC is either held, with all that is in it, or an outline. It goes from one to the other as a
 * whole: everything of it is removed first, so nothing is ever planned by halves.
 *
 * Neighbours: draft_store.c (writes both records), draft_load.c (reads), agent/reconcile_vpcs.c (says
 * which VPCs are held).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

#define INDEX_PREFIX STORE_PREFIX "index/"
#define VALUE_SIZE_MAX (4 << 20)

/* What refers to other objects, or is of no use to judge by. */
static const char *const left_out[] = {
	"main_route_table", "route_table",     "acl",    "dhcp", "ra",
	"subnet",           "security_groups", "routing"
};

bool outline_kind(enum object_kind kind)
{
	return kind == OBJECT_VPC || kind == OBJECT_SUBNET || kind == OBJECT_TUNNEL;
}

char *outline_key(const struct object *object)
{
	return xasprintf(INDEX_PREFIX "%u/%s/%u", object->vpc_id, object_kind_plural(object->kind),
			 object->id);
}

char *outline_value(const char *record)
{
	json_t *json = NULL;
	char *text;

	if (json_load_text(record, strlen(record), VALUE_SIZE_MAX, &json, NULL))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(left_out); i++)
		json_object_del(json, left_out[i]);
	text = json_dumps(json, JSON_COMPACT);
	json_decref(json);
	return text;
}

bool intent_outline_record(const char *key, const char *value, char **outline, char **text)
{
	static const char prefix[] = STORE_PREFIX "vpc/";
	static const char *const kinds[] = { "/vpcs/", "/subnets/", "/tunnels/" };

	if (strncmp(key, prefix, sizeof(prefix) - 1) != 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (!strstr(key, kinds[i]))
			continue;
		*text = outline_value(value);
		if (!*text)
			return false;
		*outline = xasprintf(INDEX_PREFIX "%s", key + sizeof(prefix) - 1);
		return true;
	}
	return false;
}

bool intent_is_outline(const struct intent *intent, uint32_t vpc_id)
{
	return map_get_u32(&intent->outlines, vpc_id) != NULL;
}

/* Everything of a VPC in one committed draft of removals; it is no outline after that. */
void intent_drop(struct intent *intent, uint32_t vpc_id, struct draft **taken)
{
	struct draft *draft = draft_new(intent);

	for (int kind = OBJECT_VPC; kind < OBJECT_KINDS; kind++) {
		const struct object **list;
		size_t count = 0;

		if (kind == OBJECT_VPC) {
			const struct object *vpc = intent_object(intent, vpc_id);

			if (vpc)
				draft_forget(draft, vpc);
			continue;
		}
		if (kind == OBJECT_HOST)
			continue;
		count = intent_list(intent, vpc_id, (enum object_kind)kind, &list);
		for (size_t i = 0; i < count; i++)
			draft_forget(draft, list[i]);
		free(list);
	}
	check_spaces_begin(draft);
	draft_compare(draft);
	draft_publish_taken(draft);
	map_remove_u32(&intent->outlines, vpc_id);
	*taken = draft;
}

size_t intent_outline(const struct intent *intent, uint32_t vpc_id, struct record **records,
		      uint64_t **revisions)
{
	static const enum object_kind kinds[] = { OBJECT_SUBNET, OBJECT_TUNNEL };
	const struct object *vpc = intent_object(intent, vpc_id), **list;
	size_t count = 0;

	*records = NULL;
	*revisions = NULL;
	for (size_t i = 0; vpc && i <= ARRAY_SIZE(kinds); i++) {
		size_t members = 1;

		if (i == 0) {
			list = xcalloc(1, sizeof(*list));
			list[0] = vpc;
		} else {
			members = intent_list(intent, vpc_id, kinds[i - 1], &list);
		}
		*records = xreallocarray(*records, count + members + 1, sizeof(**records));
		*revisions = xreallocarray(*revisions, count + members + 1, sizeof(**revisions));
		for (size_t j = 0; j < members; j++) {
			json_t *json = text_write(intent, list[j], TEXT_RECORD);
			char *text = json_dumps(json, JSON_COMPACT);

			(*revisions)[count] = list[j]->revision;
			(*records)[count++] =
				(struct record){ outline_key(list[j]), outline_value(text) };
			free(text);
			json_decref(json);
		}
		free(list);
	}
	return count;
}
