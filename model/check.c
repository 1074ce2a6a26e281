/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judgement of a draft: is the intent valid as a whole if this is published?
 *
 * What is published is valid, so only what the draft touches is judged, and what a touched object
 * can make wrong in others: a VPC's ranges its subnets, tables and so on. First the draft is
 * completed (subnets follow the main table, routes find a port that is back), then judged in the
 * order of the tree, then ports without address or MAC get one, and last it is found out what
 * differs. A check can be repeated.
 *
 * Neighbours: check_vpc.c (VPCs, subnets), check_port.c (ports, addresses), check_routes.c
 * (V19-V22), check_rules.c (security groups, ACLs), draft_change.c (what differs).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

/* Below STORE_VALUE_LENGTH_MAX (store/store.h), which this layer does not know. */
#define RECORD_TEXT_MAX 1000000

static void free_ranges(void *value)
{
	struct subnet_ranges *ranges = value;

	free(ranges->ranges);
	free(ranges);
}

void check_reset(struct draft *draft)
{
	map_fini(&draft->addresses, NULL);
	map_fini(&draft->macs, NULL);
	map_fini(&draft->attachments, NULL);
	map_fini(&draft->segment_ids, NULL);
	map_fini(&draft->wires, NULL);
	map_fini(&draft->udp_ports, NULL);
	map_fini(&draft->underlay, NULL);
	map_fini(&draft->without_id, free_set);
	map_fini(&draft->ends, free_set);
	map_fini(&draft->reached, NULL);
	map_fini(&draft->spaces, free);
	map_fini(&draft->ranges, free_ranges);
}

/* References by id are resolved when read; what they named may have been removed since. */
int check_present(struct draft *draft, const struct object *object, const char *key,
		  uint32_t target_id, struct error *error)
{
	const struct object *target = intent_object(draft->intent, target_id);
	char title[160];

	if (draft_object(draft, target_id))
		return 0;
	return draft_refuse(draft, object, key, EINVAL, error, "%s is removed",
			    target ? draft_title(draft, target, title) : "what it names");
}

/* ---- what is removed ---- */

/* Refuses to remove what an object that stays refers to. */
static int check_referrers(const struct draft *draft, const struct object *object,
			   enum reference reference, const char *words, struct error *error)
{
	const struct map *set = intent_referrers(draft->intent, reference, object->id);
	const struct object *first = NULL;
	size_t count = 0;
	char title[160], more[48] = "";

	if (!set)
		return 0;
	MAP_FOR_EACH(set, it) {
		uint32_t id = *(const uint32_t *)it.key;
		const struct object *referrer;

		/* What the draft touched was read again or is removed: its own check says. */
		if (id == object->id || draft_entry(draft, id))
			continue;
		referrer = intent_object(draft->intent, id);
		if (!first || strcmp(referrer->name, first->name) < 0)
			first = referrer;
		count++;
	}
	if (!first)
		return 0;
	if (count > 1)
		snprintf(more, sizeof(more), " and %zu other%s", count - 1, count > 2 ? "s" : "");
	return draft_refuse(draft, object, NULL, EBUSY, error, "%s%s %s",
			    draft_title(draft, first, title), more, words);
}

int check_unreferenced(const struct draft *draft, const struct object *object, struct error *error)
{
	const struct vpc_object *vpc = draft_vpc(draft, object->vpc_id);
	int code;

	switch (object->kind) {
	case OBJECT_SUBNET:
		code = check_referrers(draft, object, REFERENCE_PORT_SUBNET,
				       "in it must be removed or moved first", error);
		if (code)
			return code;
		return check_referrers(draft, object, REFERENCE_TUNNEL_SUBNET,
				       "in it must be removed or moved first", error);
	case OBJECT_ROUTE_TABLE:
		if (strcmp(object->name, "main") == 0)
			return draft_refuse(draft, object, NULL, EBUSY, error,
					    "the table every vpc begins with cannot be removed");
		if (vpc && vpc->main_table_id == object->id)
			return draft_refuse(draft, object, NULL, EBUSY, error,
					    "the main table of the vpc cannot be removed");
		return check_referrers(draft, object, REFERENCE_SUBNET_TABLE,
				       "must use another table first", error);
	case OBJECT_SECURITY_GROUP:
		if (strcmp(object->name, "default") == 0)
			return draft_refuse(draft, object, NULL, EBUSY, error,
					    "the group every vpc has cannot be removed; its rules "
					    "can be changed");
		code = check_referrers(draft, object, REFERENCE_PORT_GROUP,
				       "must leave the group first", error);
		if (code)
			return code;
		return check_referrers(draft, object, REFERENCE_GROUP_GROUP,
				       "must drop its rules that name the group first", error);
	case OBJECT_ACL:
		return check_referrers(draft, object, REFERENCE_SUBNET_ACL,
				       "must do without it first", error);
	case OBJECT_HOST:
		code = check_referrers(draft, object, REFERENCE_HOST_HOST,
				       "must drop it from its peers first", error);
		return code ? code : check_host_removed(draft, object, error);
	case OBJECT_VPC:
	case OBJECT_PORT:
	case OBJECT_TUNNEL:
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE: break;
	}
	return 0;
}

static int check_removed(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	int code;

	/* With its VPC everything goes. */
	if (entry->before->vpc_id && !draft_object(draft, entry->before->vpc_id))
		return 0;
	code = check_unreferenced(draft, entry->before, error);
	if (!code && entry->before->kind == OBJECT_SUBNET)
		code = check_tables_with(draft, (const struct subnet_object *)entry->before, error);
	return code;
}

/* ---- completion ---- */

/* V18: subnets without a table of their own follow the main table. */
static void follow_main_table(struct draft *draft, const struct draft_entry *entry)
{
	const struct vpc_object *vpc = (const struct vpc_object *)entry->after;
	const struct vpc_object *before = (const struct vpc_object *)entry->before;
	const struct object **list;
	size_t count;

	if (!before || before->main_table_id == vpc->main_table_id)
		return;
	count = draft_members(draft, vpc->object.id, OBJECT_SUBNET, &list);
	for (size_t i = 0; i < count; i++)
		if (((const struct subnet_object *)list[i])->route_table_implicit)
			draft_edit(draft, list[i]);
	free(list);
}

/* A dead port's name that is a port again: the route gets the new port. */
static void heal_routes(struct draft *draft, struct route_table_object *table)
{
	for (size_t i = 0; i < table->route_count; i++) {
		struct route_object *route = &table->routes[i];

		for (size_t j = 0; j < route->port_count; j++) {
			const struct object *port;

			if (draft_object(draft, route->port_ids[j]))
				continue;
			port = draft_find(draft, table->object.vpc_id, route->port_kinds[j],
					  route->port_names[j]);
			if (!port)
				continue;
			route->port_ids[j] = port->id;
			route->id = 0;
		}
	}
}

/* Tables of the intent that name a port which the draft brings (back). */
static void wake_tables(struct draft *draft, const struct object *port)
{
	unsigned char key[NAME_KEY_SIZE];
	size_t size = name_key(key, port->vpc_id, port->kind, port->name);
	const struct map *tables = map_get(&draft->intent->route_names, key, size);

	if (!tables)
		return;
	MAP_FOR_EACH(tables, it) {
		const struct object *table = draft_object(draft, *(const uint32_t *)it.key);

		if (table)
			draft_edit(draft, table);
	}
}

static void complete(struct draft *draft)
{
	check_complete_hosts(draft);
	/* The list grows while it is walked: what is edited here is completed as well. */
	for (size_t i = 0; i < draft->entries.count; i++) {
		const struct draft_entry *entry = draft->entries.list[i];

		if (entry->after && entry->after->kind == OBJECT_VPC)
			follow_main_table(draft, entry);
		else if (entry->after && !entry->before &&
			 (entry->after->kind == OBJECT_PORT || entry->after->kind == OBJECT_TUNNEL))
			wake_tables(draft, entry->after);
	}
	for (size_t i = 0; i < draft->entries.count; i++) {
		struct object *after = draft->entries.list[i]->after;

		if (after && after->kind == OBJECT_SUBNET) {
			struct subnet_object *subnet = (struct subnet_object *)after;

			if (subnet->route_table_implicit)
				subnet->route_table_id =
					draft_vpc(draft, after->vpc_id)->main_table_id;
		} else if (after && after->kind == OBJECT_PORT) {
			check_complete_move(draft->entries.list[i]);
		} else if (after && after->kind == OBJECT_ROUTE_TABLE) {
			heal_routes(draft, (struct route_table_object *)after);
		}
	}
}

/* ---- the whole ---- */

/* A record of the store is one value, and its size has a limit. */
static int check_size(struct draft *draft, const struct object *object, struct error *error)
{
	size_t size = object_text_bound(object);

	if (size <= RECORD_TEXT_MAX)
		return 0;
	return draft_refuse(draft, object, NULL, EFBIG, error,
			    "its lists are too long to be stored: %zu bytes, at most %d", size,
			    RECORD_TEXT_MAX);
}

static int check_entry(struct draft *draft, struct draft_entry *entry, struct error *error)
{
	int code;

	if (!entry->after)
		return entry->before ? check_removed(draft, entry, error) : 0;
	code = check_size(draft, entry->after, error);
	if (!code && (entry->after->kind == OBJECT_PORT || entry->after->kind == OBJECT_SUBNET))
		code = check_mirror(draft, entry->after, error);
	if (code)
		return code;
	switch (entry->after->kind) {
	case OBJECT_VPC: return check_vpc(draft, entry, error);
	case OBJECT_SUBNET: return check_subnet(draft, entry, error);
	case OBJECT_PORT: {
		const struct port_object *port = (const struct port_object *)entry->after;

		code = check_present(draft, entry->after, "subnet", port->subnet_id, error);

		for (size_t i = 0; i < port->group_count && !code; i++)
			code = check_present(draft, entry->after, "security_groups",
					     port->group_ids[i], error);
		if (!code)
			code = check_port_rules(draft, port, error);
		return code ? code : check_port(draft, entry, error);
	}
	case OBJECT_ROUTE_TABLE:
		return check_routes(draft, (const struct route_table_object *)entry->after, error);
	case OBJECT_SECURITY_GROUP: return check_group(draft, entry, error);
	case OBJECT_ACL: return check_acl(draft, (const struct acl_object *)entry->after, error);
	case OBJECT_TUNNEL: return check_tunnel(draft, entry, error);
	case OBJECT_HOST: return check_host(draft, entry, error);
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE: break;
	}
	return 0;
}

int draft_check(struct draft *draft, struct error *error)
{
	int code = 0;

	if (draft->generation != draft->intent->generation)
		return error_set(error, EAGAIN, NULL,
				 "the intent was changed by another request meanwhile; try again");
	draft_clear_results(draft);
	check_reset(draft);
	complete(draft);
	check_spaces_begin(draft);
	for (size_t i = 0; i < draft->entries.count; i++)
		if (draft->entries.list[i]->after)
			check_keep(draft, draft->entries.list[i]);
	for (size_t i = 0; i < draft->entries.count && !code; i++)
		code = check_entry(draft, draft->entries.list[i], error);
	for (size_t i = 0; i < draft->entries.count && !code; i++)
		if (draft->entries.list[i]->after)
			code = check_assign(draft, draft->entries.list[i], error);
	if (code)
		return code;
	draft_compare(draft);
	draft->checked = true;
	return 0;
}
