/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One object by itself: defaults, copy, comparison, what it refers to, the keys it is found
 * under.
 *
 * Comparison is by content, field by field, never by memory: only the used part of the fixed
 * arrays counts. Parts (rules, routes) keep their id as long as their content stays, wherever
 * they stand in the list.
 *
 * Neighbours: intent.c (indexes), text_read.c and text_write.c (JSON), intent_private.h
 * (contracts).
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

static const struct {
	const char *plural, *word;
	size_t size;
} kinds[] = {
	[OBJECT_VPC] = { "vpcs", "vpc", sizeof(struct vpc_object) },
	[OBJECT_SUBNET] = { "subnets", "subnet", sizeof(struct subnet_object) },
	[OBJECT_PORT] = { "ports", "port", sizeof(struct port_object) },
	[OBJECT_ROUTE_TABLE] = { "route_tables", "route table", sizeof(struct route_table_object) },
	[OBJECT_SECURITY_GROUP] = { "security_groups", "security group",
				    sizeof(struct security_group_object) },
	[OBJECT_ACL] = { "acls", "acl", sizeof(struct acl_object) },
	[OBJECT_ROUTE] = { "routes", "route", 0 },
	[OBJECT_GROUP_RULE] = { "rules", "rule", 0 },
	[OBJECT_ACL_RULE] = { "acl_rules", "acl rule", 0 },
};

/* Seconds, in the order of enum flow_timeout. */
static const uint32_t timeout_defaults[FLOW_TIMEOUTS] = { 30, 432000, 120, 3, 30, 180, 30, 600 };

const char *object_kind_plural(enum object_kind kind)
{
	return kinds[kind].plural;
}

const char *object_kind_word(enum object_kind kind)
{
	return kinds[kind].word;
}

bool object_kind_from_plural(const char *word, enum object_kind *kind)
{
	for (enum object_kind k = OBJECT_SUBNET; k < OBJECT_KINDS; k++) {
		if (strcmp(word, kinds[k].plural) == 0) {
			*kind = k;
			return true;
		}
	}
	return false;
}

bool name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length >= NAME_SIZE || name[0] == '-')
		return false;
	return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-") == length;
}

struct object *object_new(enum object_kind kind)
{
	struct object *object = xcalloc(1, kinds[kind].size);

	object->kind = kind;
	if (kind == OBJECT_VPC) {
		struct vpc_object *vpc = (struct vpc_object *)object;

		vpc->mtu = 1500;
		vpc->flow_limit = VPC_FLOW_LIMIT_DEFAULT;
		memcpy(vpc->timeouts, timeout_defaults, sizeof(vpc->timeouts));
	} else if (kind == OBJECT_SUBNET) {
		struct subnet_object *subnet = (struct subnet_object *)object;

		subnet->route_table_implicit = true;
		subnet->flood_rate = 1000;
		subnet->station_limit = 256;
		subnet->station_ageing = 300;
	} else if (kind == OBJECT_PORT) {
		struct port_object *port = (struct port_object *)object;

		port->addresses = xmalloc(0);
		port->group_ids = xmalloc(0);
		port->allowed = xmalloc(0);
		port->source_destination_check = true;
		port->flow_limit = PORT_FLOW_LIMIT_DEFAULT;
		port->attach.queues = 1;
		port->attach.configure = true;
	}
	return object;
}

/* Both kinds of object with rules; NULL for the others. */
static struct rule_list *rules_of(const struct object *object, bool ingress)
{
	if (object->kind == OBJECT_SECURITY_GROUP) {
		struct security_group_object *group = (struct security_group_object *)object;

		return ingress ? &group->ingress : &group->egress;
	}
	if (object->kind == OBJECT_ACL) {
		struct acl_object *acl = (struct acl_object *)object;

		return ingress ? &acl->ingress : &acl->egress;
	}
	return NULL;
}

/* With the room rule_list_add counts on: the next power of two. */
static void copy_rules(struct rule_list *list)
{
	const struct rule_object *rules = list->rules;
	size_t room = 1;

	list->rules = NULL;
	if (list->count == 0)
		return;
	while (room < list->count)
		room *= 2;
	list->rules = xcalloc(room, sizeof(*rules));
	memcpy(list->rules, rules, list->count * sizeof(*rules));
}

void port_set_addresses(struct port_object *port, const struct ip_address *list, size_t count)
{
	struct ip_address *old = port->addresses;

	port->addresses = xmemdup(list, count * sizeof(*list));
	port->address_count = count;
	free(old);
}

void port_set_groups(struct port_object *port, const uint32_t *list, size_t count)
{
	uint32_t *old = port->group_ids;

	port->group_ids = xmemdup(list, count * sizeof(*list));
	port->group_count = count;
	free(old);
}

void port_set_allowed(struct port_object *port, const struct ip_prefix *list, size_t count)
{
	struct ip_prefix *old = port->allowed;

	port->allowed = xmemdup(list, count * sizeof(*list));
	port->allowed_count = count;
	free(old);
}

/* The arrays of @port are another's so far. */
static void copy_port_arrays(struct port_object *port)
{
	port->addresses = xmemdup(port->addresses, port->address_count * sizeof(*port->addresses));
	port->group_ids = xmemdup(port->group_ids, port->group_count * sizeof(*port->group_ids));
	port->allowed = xmemdup(port->allowed, port->allowed_count * sizeof(*port->allowed));
}

void route_set_room(struct route_object *route, size_t count)
{
	route->port_ids = xcalloc(count, sizeof(*route->port_ids));
	route->port_names = xcalloc(count, sizeof(*route->port_names));
}

void route_fini(struct route_object *route)
{
	free(route->port_ids);
	free(route->port_names);
}

/* The routes of @table are another's so far. */
static void copy_routes(struct route_table_object *table)
{
	size_t count = table->route_count;

	if (count == 0) {
		table->routes = NULL;
		return;
	}
	table->routes = xmemdup(table->routes, count * sizeof(*table->routes));
	for (size_t i = 0; i < count; i++) {
		struct route_object *route = &table->routes[i];
		size_t ports = route->port_count;

		if (!route->port_ids)
			continue;
		route->port_ids = xmemdup(route->port_ids, ports * sizeof(*route->port_ids));
		route->port_names = xmemdup(route->port_names, ports * sizeof(*route->port_names));
	}
}

struct object *object_copy(const struct object *object)
{
	struct object *copy = xmemdup(object, kinds[object->kind].size);

	if (copy->kind == OBJECT_ROUTE_TABLE) {
		copy_routes((struct route_table_object *)copy);
	} else if (copy->kind == OBJECT_PORT) {
		copy_port_arrays((struct port_object *)copy);
	} else if (rules_of(copy, true)) {
		copy_rules(rules_of(copy, true));
		copy_rules(rules_of(copy, false));
	}
	return copy;
}

void object_free(struct object *object)
{
	if (!object)
		return;
	if (object->kind == OBJECT_ROUTE_TABLE) {
		struct route_table_object *table = (struct route_table_object *)object;

		for (size_t i = 0; i < table->route_count; i++)
			route_fini(&table->routes[i]);
		free(table->routes);
	} else if (object->kind == OBJECT_PORT) {
		struct port_object *port = (struct port_object *)object;

		free(port->addresses);
		free(port->group_ids);
		free(port->allowed);
	} else if (rules_of(object, true)) {
		free(rules_of(object, true)->rules);
		free(rules_of(object, false)->rules);
	}
	free(object);
}

void rule_list_add(struct rule_list *list, const struct rule_object *rule)
{
	/* Doubled at powers of two, so that the capacity need not be kept. */
	if ((list->count & (list->count - 1)) == 0)
		list->rules = xreallocarray(list->rules, list->count ? list->count * 2 : 1,
					    sizeof(*list->rules));
	list->rules[list->count++] = *rule;
}

void group_default_ingress(const struct security_group_object *group, struct rule_list *list)
{
	struct rule_object rule = {
		.protocol = PROTOCOL_ALL,
		.peer = PEER_GROUP,
		.group_id = group->object.id,
	};

	if (strcmp(group->object.name, "default") == 0)
		rule_list_add(list, &rule);
}

void group_default_egress(struct rule_list *list)
{
	struct rule_object rule = { .protocol = PROTOCOL_ALL, .peer = PEER_PREFIX };

	ip_prefix_parse("0.0.0.0/0", &rule.prefix);
	rule_list_add(list, &rule);
	ip_prefix_parse("::/0", &rule.prefix);
	rule_list_add(list, &rule);
}

/* ---- comparison ---- */

bool rule_equal(const struct rule_object *a, const struct rule_object *b)
{
	if (a->protocol != b->protocol || a->icmp_both != b->icmp_both || a->peer != b->peer ||
	    a->number != b->number || a->deny != b->deny || a->range_count != b->range_count)
		return false;
	if (a->peer == PEER_GROUP ? a->group_id != b->group_id
				  : !ip_prefix_equal(&a->prefix, &b->prefix))
		return false;
	for (size_t i = 0; i < a->range_count; i++)
		if (a->ranges[i].first != b->ranges[i].first ||
		    a->ranges[i].last != b->ranges[i].last)
			return false;
	return true;
}

bool rule_list_equal(const struct rule_list *a, const struct rule_list *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++)
		if (!rule_equal(&a->rules[i], &b->rules[i]))
			return false;
	return true;
}

static bool route_equal(const struct route_object *a, const struct route_object *b)
{
	if (!ip_prefix_equal(&a->to, &b->to) || a->via != b->via || a->port_count != b->port_count)
		return false;
	for (size_t i = 0; i < a->port_count; i++)
		if (a->port_ids[i] != b->port_ids[i] ||
		    strcmp(a->port_names[i], b->port_names[i]) != 0)
			return false;
	return true;
}

static bool vpc_equal(const struct vpc_object *a, const struct vpc_object *b)
{
	if (a->cidr_count != b->cidr_count || a->established != b->established ||
	    a->mtu != b->mtu || a->flow_limit != b->flow_limit ||
	    a->main_table_id != b->main_table_id || a->default_group_id != b->default_group_id ||
	    memcmp(a->timeouts, b->timeouts, sizeof(a->timeouts)) != 0)
		return false;
	for (size_t i = 0; i < a->cidr_count; i++)
		if (!ip_prefix_equal(&a->cidrs[i], &b->cidrs[i]))
			return false;
	return true;
}

static bool subnet_equal(const struct subnet_object *a, const struct subnet_object *b)
{
	for (int family = 0; family < 2; family++)
		if (!ip_prefix_equal(&a->cidrs[family], &b->cidrs[family]) ||
		    !ip_address_equal(&a->gateways[family], &b->gateways[family]))
			return false;
	return a->mode == b->mode && a->segment == b->segment &&
	       a->route_table_id == b->route_table_id &&
	       a->route_table_implicit == b->route_table_implicit && a->acl_id == b->acl_id &&
	       a->flood_rate == b->flood_rate && a->station_limit == b->station_limit &&
	       a->station_ageing == b->station_ageing;
}

static bool attach_equal(const struct attach *a, const struct attach *b)
{
	return a->kind == b->kind && strcmp(a->netns, b->netns) == 0 && a->pid == b->pid &&
	       strcmp(a->ifname, b->ifname) == 0 && a->configure == b->configure &&
	       a->queues == b->queues;
}

static bool port_equal(const struct port_object *a, const struct port_object *b)
{
	if (a->subnet_id != b->subnet_id || !mac_address_equal(&a->mac, &b->mac) ||
	    a->address_count != b->address_count || a->group_count != b->group_count ||
	    a->allowed_count != b->allowed_count ||
	    a->source_destination_check != b->source_destination_check || a->mtu != b->mtu ||
	    a->flow_limit != b->flow_limit || !attach_equal(&a->attach, &b->attach) ||
	    strcmp(a->host, b->host) != 0)
		return false;
	for (size_t i = 0; i < a->address_count; i++)
		if (!ip_address_equal(&a->addresses[i], &b->addresses[i]))
			return false;
	for (size_t i = 0; i < a->allowed_count; i++)
		if (!ip_prefix_equal(&a->allowed[i], &b->allowed[i]))
			return false;
	return memcmp(a->group_ids, b->group_ids, a->group_count * sizeof(a->group_ids[0])) == 0;
}

static bool table_equal(const struct route_table_object *a, const struct route_table_object *b)
{
	if (a->route_count != b->route_count)
		return false;
	for (size_t i = 0; i < a->route_count; i++)
		if (!route_equal(&a->routes[i], &b->routes[i]))
			return false;
	return true;
}

bool object_equal(const struct object *a, const struct object *b)
{
	if (a->kind != b->kind || a->id != b->id || a->vpc_id != b->vpc_id ||
	    strcmp(a->name, b->name) != 0)
		return false;
	switch (a->kind) {
	case OBJECT_VPC:
		return vpc_equal((const struct vpc_object *)a, (const struct vpc_object *)b);
	case OBJECT_SUBNET:
		return subnet_equal((const struct subnet_object *)a,
				    (const struct subnet_object *)b);
	case OBJECT_PORT:
		return port_equal((const struct port_object *)a, (const struct port_object *)b);
	case OBJECT_ROUTE_TABLE:
		return table_equal((const struct route_table_object *)a,
				   (const struct route_table_object *)b);
	case OBJECT_SECURITY_GROUP:
	case OBJECT_ACL:
		return rule_list_equal(rules_of(a, true), rules_of(b, true)) &&
		       rule_list_equal(rules_of(a, false), rules_of(b, false));
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE: break;
	}
	return false;
}

/* ---- ids of parts ---- */

/* What rule_equal compares, as bytes to look up. Return: its size. */
static size_t rule_key(const struct rule_object *rule, unsigned char key[sizeof(*rule) + 32])
{
	const int32_t head[] = {
		rule->protocol, rule->icmp_both,       (int32_t)rule->peer,
		rule->deny,     (int32_t)rule->number, (int32_t)rule->range_count,
	};
	size_t size = sizeof(head);

	memcpy(key, head, sizeof(head));
	if (rule->peer == PEER_GROUP) {
		memcpy(key + size, &rule->group_id, sizeof(rule->group_id));
		size += sizeof(rule->group_id);
	} else {
		memcpy(key + size, rule->prefix.address.byte, 16);
		key[size + 16] = rule->prefix.length;
		size += 17;
	}
	memcpy(key + size, rule->ranges, rule->range_count * sizeof(rule->ranges[0]));
	return size + rule->range_count * sizeof(rule->ranges[0]);
}

static void identify_rules(struct rule_list *list, const struct rule_list *before,
			   uint32_t *next_id)
{
	unsigned char key[sizeof(struct rule_object) + 32];
	struct map known = { 0 };

	for (size_t i = 0; before && i < before->count; i++)
		map_put(&known, key, rule_key(&before->rules[i], key),
			id_to_value(before->rules[i].id));
	for (size_t i = 0; i < list->count; i++) {
		struct rule_object *rule = &list->rules[i];

		if (rule->id)
			continue;
		rule->id = value_to_id(map_remove(&known, key, rule_key(rule, key)));
		if (!rule->id)
			rule->id = (*next_id)++;
	}
	map_fini(&known, NULL);
}

static void identify_routes(struct route_table_object *table,
			    const struct route_table_object *before, uint32_t *next_id)
{
	size_t count = before ? before->route_count : 0;
	size_t old = 0;

	/* Both are ascending by prefix, and a prefix stands once. */
	for (size_t i = 0; i < table->route_count; i++) {
		struct route_object *route = &table->routes[i];

		while (old < count && ip_prefix_compare(&before->routes[old].to, &route->to) < 0)
			old++;
		if (route->id)
			continue;
		if (old < count && route_equal(&before->routes[old], route))
			route->id = before->routes[old].id;
		else
			route->id = (*next_id)++;
	}
}

void object_identify_parts(struct object *object, const struct object *before, uint32_t *next_id)
{
	if (object->kind == OBJECT_ROUTE_TABLE) {
		identify_routes((struct route_table_object *)object,
				(const struct route_table_object *)before, next_id);
	} else if (rules_of(object, true)) {
		identify_rules(rules_of(object, true), before ? rules_of(before, true) : NULL,
			       next_id);
		identify_rules(rules_of(object, false), before ? rules_of(before, false) : NULL,
			       next_id);
	}
}

void object_parts(const struct object *object, void (*visit)(void *context, uint32_t part_id),
		  void *context)
{
	if (object->kind == OBJECT_ROUTE_TABLE) {
		const struct route_table_object *table = (const struct route_table_object *)object;

		for (size_t i = 0; i < table->route_count; i++)
			visit(context, table->routes[i].id);
		return;
	}
	for (int ingress = 0; ingress < 2; ingress++) {
		const struct rule_list *list = rules_of(object, ingress);

		for (size_t i = 0; list && i < list->count; i++)
			visit(context, list->rules[i].id);
	}
}

void object_references(const struct object *object,
		       void (*visit)(void *context, enum reference reference, uint32_t target_id),
		       void *context)
{
	if (object->kind == OBJECT_SUBNET) {
		const struct subnet_object *subnet = (const struct subnet_object *)object;

		visit(context, REFERENCE_SUBNET_TABLE, subnet->route_table_id);
		if (subnet->acl_id)
			visit(context, REFERENCE_SUBNET_ACL, subnet->acl_id);
	} else if (object->kind == OBJECT_PORT) {
		const struct port_object *port = (const struct port_object *)object;

		visit(context, REFERENCE_PORT_SUBNET, port->subnet_id);
		for (size_t i = 0; i < port->group_count; i++)
			visit(context, REFERENCE_PORT_GROUP, port->group_ids[i]);
	} else if (object->kind == OBJECT_ROUTE_TABLE) {
		const struct route_table_object *table = (const struct route_table_object *)object;

		for (size_t i = 0; i < table->route_count; i++)
			for (size_t j = 0; j < table->routes[i].port_count; j++)
				visit(context, REFERENCE_TABLE_PORT, table->routes[i].port_ids[j]);
	} else if (object->kind == OBJECT_SECURITY_GROUP) {
		for (int ingress = 0; ingress < 2; ingress++) {
			const struct rule_list *list = rules_of(object, ingress);

			for (size_t i = 0; i < list->count; i++)
				if (list->rules[i].peer == PEER_GROUP)
					visit(context, REFERENCE_GROUP_GROUP,
					      list->rules[i].group_id);
		}
	}
}

size_t object_text_bound(const struct object *object)
{
	size_t size = 0;

	if (object->kind == OBJECT_ROUTE_TABLE) {
		const struct route_table_object *table = (const struct route_table_object *)object;

		/*
		 * {"id":4294967295,"to":"<43>","via":[],"port_ids":[]}, and per port its name and
		 * id
		 */
		for (size_t i = 0; i < table->route_count; i++) {
			size += 110;
			for (size_t j = 0; j < table->routes[i].port_count; j++)
				size += strlen(table->routes[i].port_names[j]) + 20;
		}
		return size;
	}
	/*
	 * {"id":…,"number":32766,"action":"allow","protocol":"icmpv6","ports":"","from":"…"}, and
	 * its ranges
	 */
	for (int ingress = 0; ingress < 2; ingress++) {
		const struct rule_list *list = rules_of(object, ingress);

		for (size_t i = 0; list && i < list->count; i++)
			size += 190 + 12 * list->rules[i].range_count;
	}
	return size;
}

/* ---- keys ---- */

size_t name_key(unsigned char key[NAME_KEY_SIZE], uint32_t vpc_id, enum object_kind kind,
		const char *name)
{
	size_t length = strnlen(name, NAME_SIZE);

	/* The names of VPCs are among themselves, whatever the id of the VPC. */
	if (kind == OBJECT_VPC)
		vpc_id = 0;
	memcpy(key, &vpc_id, sizeof(vpc_id));
	key[4] = (unsigned char)kind;
	memcpy(key + 5, name, length);
	return 5 + length;
}

void address_key(unsigned char key[ADDRESS_KEY_SIZE], uint32_t vpc_id,
		 const struct ip_address *address)
{
	memcpy(key, &vpc_id, sizeof(vpc_id));
	memcpy(key + 4, address->byte, 16);
}

void mac_key(unsigned char key[MAC_KEY_SIZE], uint32_t vpc_id, const struct mac_address *mac)
{
	memcpy(key, &vpc_id, sizeof(vpc_id));
	memcpy(key + 4, mac->byte, 6);
}

bool attachment_key(char key[ATTACHMENT_KEY_SIZE], const struct port_object *port)
{
	const struct attach *attach = &port->attach;

	switch (attach->kind) {
	case ATTACH_NONE: return false;
	case ATTACH_NETNS:
		snprintf(key, ATTACHMENT_KEY_SIZE, "%s netns %s %s", port->host, attach->netns,
			 attach->ifname);
		return true;
	case ATTACH_PID:
		snprintf(key, ATTACHMENT_KEY_SIZE, "%s pid %u %s", port->host, attach->pid,
			 attach->ifname);
		return true;
	case ATTACH_TAP:
	case ATTACH_TUN:
		snprintf(key, ATTACHMENT_KEY_SIZE, "%s device %s", port->host, attach->ifname);
		return true;
	}
	return false;
}

uint64_t member_key(uint32_t vpc_id, enum object_kind kind)
{
	return kind == OBJECT_VPC ? (uint64_t)OBJECT_VPC : (uint64_t)vpc_id << 8 | (uint64_t)kind;
}

struct mac_address port_mac_of_id(uint32_t port_id, uint32_t attempt)
{
	struct mac_address mac = { { 0x02, (uint8_t)(0x57 + attempt), (uint8_t)(port_id >> 24),
				     (uint8_t)(port_id >> 16), (uint8_t)(port_id >> 8),
				     (uint8_t)port_id } };

	return mac;
}
