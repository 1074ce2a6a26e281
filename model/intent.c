/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The published objects and the indexes over them.
 *
 * Everything a change needs to know is one look-up away: by id, by name, the members of a VPC by
 * kind, who refers to whom, who has an address, a MAC or a device. The indexes move when an
 * object is inserted or withdrawn, which only a commit and the loading of records do; that keeps
 * a commit in proportion to the change. Sets of ids are maps whose value says nothing.
 *
 * Neighbours: object.h (contracts), draft.c (the only writer), object.c (keys, references).
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

struct intent *intent_new(void)
{
	struct intent *intent = xcalloc(1, sizeof(*intent));

	intent->next_id = 1;
	host_index_init(&intent->hosts);
	return intent;
}

void free_set(void *set)
{
	map_fini(set, NULL);
	free(set);
}

static void free_object(void *object)
{
	object_free(object);
}

void intent_free(struct intent *intent)
{
	if (!intent)
		return;
	map_fini(&intent->objects, free_object);
	map_fini(&intent->names, NULL);
	map_fini(&intent->members, free_set);
	for (int reference = 0; reference < REFERENCES; reference++)
		map_fini(&intent->references[reference], free_set);
	map_fini(&intent->route_names, free_set);
	map_fini(&intent->parts, NULL);
	map_fini(&intent->addresses, NULL);
	map_fini(&intent->macs, NULL);
	map_fini(&intent->attachments, NULL);
	map_fini(&intent->links, NULL);
	map_fini(&intent->spaces, free);
	map_fini(&intent->outlines, NULL);
	host_index_fini(&intent->hosts);
	free(intent);
}

/* ---- sets of ids ---- */

void set_add(struct map *sets, const void *key, size_t key_size, uint32_t id)
{
	struct map *set = map_get(sets, key, key_size);

	if (!set) {
		set = xcalloc(1, sizeof(*set));
		map_put(sets, key, key_size, set);
	}
	map_put_u32(set, id, set);
}

void set_remove(struct map *sets, const void *key, size_t key_size, uint32_t id)
{
	struct map *set = map_get(sets, key, key_size);

	if (!set)
		return;
	map_remove_u32(set, id);
	if (map_count(set) == 0) {
		map_remove(sets, key, key_size);
		free_set(set);
	}
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

/* The ids of a set (which may be NULL), ascending. */
size_t set_list(const struct map *set, uint32_t **ids)
{
	size_t count = 0;

	*ids = xcalloc(set ? map_count(set) + 1 : 1, sizeof(**ids));
	if (!set)
		return 0;
	MAP_FOR_EACH(set, it)
		memcpy(&(*ids)[count++], it.key, sizeof(uint32_t));
	qsort(*ids, count, sizeof(**ids), compare_ids);
	return count;
}

/* ---- indexes ---- */

struct reference_change {
	struct intent *intent;
	uint32_t id;
	bool add;
};

static void change_reference(void *context, enum reference reference, uint32_t target_id)
{
	const struct reference_change *change = context;
	struct map *sets = &change->intent->references[reference];

	if (change->add)
		set_add(sets, &target_id, sizeof(target_id), change->id);
	else
		set_remove(sets, &target_id, sizeof(target_id), change->id);
}

static void change_part(void *context, uint32_t part_id)
{
	const struct reference_change *change = context;

	if (change->add)
		map_put_u32(&change->intent->parts, part_id, id_to_value(change->id));
	else
		map_remove_u32(&change->intent->parts, part_id);
}

static void change_route_names(struct intent *intent, const struct route_table_object *table,
			       bool add)
{
	for (size_t i = 0; i < table->route_count; i++) {
		const struct route_object *route = &table->routes[i];

		for (size_t j = 0; j < route->port_count; j++) {
			unsigned char key[NAME_KEY_SIZE];
			size_t size = name_key(key, table->object.vpc_id, route->port_kinds[j],
					       route->port_names[j]);

			if (add)
				set_add(&intent->route_names, key, size, table->object.id);
			else
				set_remove(&intent->route_names, key, size, table->object.id);
		}
	}
}

static void change_owner(struct map *owners, const void *key, size_t key_size, uint32_t id,
			 bool add)
{
	if (add)
		map_put(owners, key, key_size, id_to_value(id));
	else
		map_remove(owners, key, key_size);
}

static void change_port(struct intent *intent, const struct port_object *port, bool add)
{
	uint32_t vpc_id = port->object.vpc_id, id = port->object.id;
	unsigned char mac[MAC_KEY_SIZE];
	char attachment[ATTACHMENT_KEY_SIZE];

	for (size_t i = 0; i < port->address_count; i++) {
		unsigned char key[ADDRESS_KEY_SIZE];

		address_key(key, vpc_id, &port->addresses[i]);
		change_owner(&intent->addresses, key, sizeof(key), id, add);
	}
	mac_key(mac, vpc_id, &port->mac);
	if (!mac_address_is_zero(&port->mac))
		change_owner(&intent->macs, mac, sizeof(mac), id, add);
	if (attachment_key(attachment, port, port->host))
		change_owner(&intent->attachments, attachment, strlen(attachment), id, add);
	if (port->moving_to[0] && attachment_key(attachment, port, port->moving_to))
		change_owner(&intent->attachments, attachment, strlen(attachment), id, add);
	if (attachment_native_key(attachment, port))
		change_owner(&intent->attachments, attachment, strlen(attachment), id, add);
	if (attach_is_link(&port->attach))
		change_owner(&intent->links, &id, sizeof(id), id, add);
}

static void change_indexes(struct intent *intent, const struct object *object, bool add)
{
	struct reference_change change = { .intent = intent, .id = object->id, .add = add };
	uint64_t member = member_key(object->vpc_id, object->kind);

	object_references(object, change_reference, &change);
	object_parts(object, change_part, &change);
	if (object->kind == OBJECT_ROUTE_TABLE)
		change_route_names(intent, (const struct route_table_object *)object, add);
	if (object->kind == OBJECT_PORT)
		change_port(intent, (const struct port_object *)object, add);
	host_index_change(intent, object, add);
	if (add)
		set_add(&intent->members, &member, sizeof(member), object->id);
	else
		set_remove(&intent->members, &member, sizeof(member), object->id);
}

void intent_insert(struct intent *intent, struct object *object)
{
	unsigned char key[NAME_KEY_SIZE];
	size_t size = name_key(key, object->vpc_id, object->kind, object->name);

	map_put_u32(&intent->objects, object->id, object);
	map_put(&intent->names, key, size, object);
	change_indexes(intent, object, true);
}

void intent_withdraw(struct intent *intent, const struct object *object)
{
	unsigned char key[NAME_KEY_SIZE];
	size_t size = name_key(key, object->vpc_id, object->kind, object->name);

	change_indexes(intent, object, false);
	map_remove(&intent->names, key, size);
	map_remove_u32(&intent->objects, object->id);
}

/* ---- look-ups ---- */

const struct object *intent_object(const struct intent *intent, uint32_t id)
{
	return map_get_u32(&intent->objects, id);
}

const struct object *intent_find(const struct intent *intent, const char *vpc,
				 enum object_kind kind, const char *name)
{
	unsigned char key[NAME_KEY_SIZE];
	const struct object *object;

	if (kind == OBJECT_HOST)
		return map_get(&intent->names, key, name_key(key, 0, OBJECT_HOST, name));
	object = map_get(&intent->names, key, name_key(key, 0, OBJECT_VPC, vpc));
	if (!object || kind == OBJECT_VPC)
		return object;
	return map_get(&intent->names, key, name_key(key, object->id, kind, name));
}

const struct map *intent_members(const struct intent *intent, uint32_t vpc_id,
				 enum object_kind kind)
{
	uint64_t key = member_key(vpc_id, kind);

	return map_get(&intent->members, &key, sizeof(key));
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct object *const *)a)->name,
		      (*(const struct object *const *)b)->name);
}

size_t intent_list(const struct intent *intent, uint32_t vpc_id, enum object_kind kind,
		   const struct object ***list)
{
	const struct map *set = intent_members(intent, vpc_id, kind);
	size_t count = 0;

	*list = xcalloc(set ? map_count(set) + 1 : 1, sizeof(void *));
	if (!set)
		return 0;
	MAP_FOR_EACH(set, it)
		(*list)[count++] = map_get(&intent->objects, it.key, it.key_size);
	qsort(*list, count, sizeof(void *), compare_names);
	return count;
}

const struct map *intent_referrers(const struct intent *intent, enum reference reference,
				   uint32_t target_id)
{
	return map_get_u32(&intent->references[reference], target_id);
}

size_t intent_ports_of_subnet(const struct intent *intent, uint32_t subnet_id, uint32_t **ids)
{
	return set_list(intent_referrers(intent, REFERENCE_PORT_SUBNET, subnet_id), ids);
}

size_t intent_ports_of_group(const struct intent *intent, uint32_t group_id, uint32_t **ids)
{
	return set_list(intent_referrers(intent, REFERENCE_PORT_GROUP, group_id), ids);
}

size_t intent_subnets_of_table(const struct intent *intent, uint32_t table_id, uint32_t **ids)
{
	return set_list(intent_referrers(intent, REFERENCE_SUBNET_TABLE, table_id), ids);
}

size_t intent_tables_with_port(const struct intent *intent, uint32_t port_id, uint32_t **ids)
{
	return set_list(intent_referrers(intent, REFERENCE_TABLE_PORT, port_id), ids);
}

size_t intent_groups_naming_group(const struct intent *intent, uint32_t group_id, uint32_t **ids)
{
	return set_list(intent_referrers(intent, REFERENCE_GROUP_GROUP, group_id), ids);
}

size_t intent_subnets_of_acl(const struct intent *intent, uint32_t acl_id, uint32_t **ids)
{
	return set_list(intent_referrers(intent, REFERENCE_SUBNET_ACL, acl_id), ids);
}

size_t intent_tunnels_of_subnet(const struct intent *intent, uint32_t subnet_id, uint32_t **ids)
{
	return set_list(intent_referrers(intent, REFERENCE_TUNNEL_SUBNET, subnet_id), ids);
}

uint32_t intent_address_owner(const struct intent *intent, uint32_t vpc_id,
			      const struct ip_address *address)
{
	unsigned char key[ADDRESS_KEY_SIZE];

	address_key(key, vpc_id, address);
	return value_to_id(map_get(&intent->addresses, key, sizeof(key)));
}

/* ---- words ---- */

const struct object *intent_named(const struct intent *intent, uint32_t id)
{
	const struct object *object = intent_object(intent, id);
	const struct draft_entry *entry;

	if (object || !intent->draft)
		return object;
	entry = draft_entry(intent->draft, id);
	if (!entry)
		return NULL;
	return entry->after ? entry->after : entry->before;
}

void object_path(const struct intent *intent, const struct object *object, char *path, size_t size)
{
	const struct object *vpc = intent_named(intent, object->vpc_id);

	if (object->kind == OBJECT_VPC || object->kind == OBJECT_HOST)
		snprintf(path, size, "%s.%s", object_kind_plural(object->kind), object->name);
	else
		snprintf(path, size, "vpcs.%s.%s.%s", vpc ? vpc->name : "?",
			 object_kind_plural(object->kind), object->name);
}

static void describe_object(const struct intent *intent, const struct object *object, char *text,
			    size_t size)
{
	const struct object *vpc = intent_named(intent, object->vpc_id);

	if (object->kind == OBJECT_VPC || object->kind == OBJECT_HOST)
		snprintf(text, size, "%s %s", object_kind_word(object->kind), object->name);
	else
		snprintf(text, size, "%s %s/%s", object_kind_word(object->kind),
			 vpc ? vpc->name : "?", object->name);
}

static bool describe_route(const struct route_table_object *table, uint32_t id, const char *owner,
			   char *text, size_t size)
{
	for (size_t i = 0; i < table->route_count; i++) {
		char prefix[IP_PREFIX_TEXT_SIZE];

		if (table->routes[i].id != id)
			continue;
		snprintf(text, size, "route %s of %s",
			 ip_prefix_format(&table->routes[i].to, prefix), owner);
		return true;
	}
	return false;
}

static bool describe_rule(const struct intent *intent, const struct rule_list *list, uint32_t id,
			  bool ingress, const char *owner, char *text, size_t size)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct rule_object *rule = &list->rules[i];
		struct buf words = { 0 };

		if (rule->id != id)
			continue;
		text_rule(intent, rule, ingress, &words);
		snprintf(text, size, "rule %zu of %s %s (%s)",
			 rule->number ? (size_t)rule->number : i + 1, owner,
			 ingress ? "ingress" : "egress", buf_text(&words));
		buf_fini(&words);
		return true;
	}
	return false;
}

bool intent_describe(const struct intent *intent, uint32_t id, char *text, size_t size)
{
	const struct object *object = intent_object(intent, id);
	const struct rule_list *ingress = NULL, *egress = NULL;
	char owner[160];

	if (object) {
		describe_object(intent, object, text, size);
		return true;
	}
	object = intent_object(intent, value_to_id(map_get_u32(&intent->parts, id)));
	if (!object)
		return false;
	describe_object(intent, object, owner, sizeof(owner));
	if (object->kind == OBJECT_ROUTE_TABLE)
		return describe_route((const struct route_table_object *)object, id, owner, text,
				      size);
	if (object->kind == OBJECT_SECURITY_GROUP) {
		ingress = &((const struct security_group_object *)object)->ingress;
		egress = &((const struct security_group_object *)object)->egress;
	} else if (object->kind == OBJECT_ACL) {
		ingress = &((const struct acl_object *)object)->ingress;
		egress = &((const struct acl_object *)object)->egress;
	}
	return ingress && (describe_rule(intent, ingress, id, true, owner, text, size) ||
			   describe_rule(intent, egress, id, false, owner, text, size));
}
