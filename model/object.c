/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One object by itself: defaults, copy, what it refers to, the keys it is found under.
 *
 * Parts (rules, routes) keep their id as long as their content stays, wherever they stand in the
 * list.
 *
 * Neighbours: object_compare.c, intent.c (indexes), text_read.c and text_write.c (JSON),
 * intent_private.h (contracts).
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/filter.h"
#include "model/encapsulation.h"
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
	[OBJECT_TUNNEL] = { "tunnels", "tunnel", sizeof(struct tunnel_object) },
	[OBJECT_HOST] = { "hosts", "host", sizeof(struct host_object) },
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
	for (enum object_kind k = OBJECT_SUBNET; k < OBJECT_HOST; k++) {
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

/* A host offers every kind, the most usual first. */
static void new_host(struct host_object *host)
{
	host->mtu = HOST_MTU_DEFAULT;
	host->encapsulation_count = HOST_ENCAPSULATIONS_MAX;
	for (uint8_t i = 0; i < HOST_ENCAPSULATIONS_MAX; i++)
		host->encapsulations[i] = (uint8_t)(TUNNEL_NONE + 1 + i);
}

struct object *object_new(enum object_kind kind)
{
	struct object *object = xcalloc(1, kinds[kind].size);

	object->kind = kind;
	if (kind == OBJECT_VPC) {
		struct vpc_object *vpc = (struct vpc_object *)object;

		vpc->flow_limit = VPC_FLOW_LIMIT_DEFAULT;
		memcpy(vpc->timeouts, timeout_defaults, sizeof(vpc->timeouts));
		vpc->dns.serve = true;
		vpc->metadata = true;
	} else if (kind == OBJECT_SUBNET) {
		struct subnet_object *subnet = (struct subnet_object *)object;

		subnet->route_table_implicit = true;
		subnet->flood_rate = 1000;
		subnet->station_limit = 256;
		subnet->station_ageing = 300;
		subnet->query_interval = 125;
		subnet->route_multicast = true;
		subnet->segment.encapsulation = TUNNEL_VXLAN;
		subnet->segment.ttl = SEGMENT_TTL_DEFAULT;
		subnet->segment.id_automatic = true;
	} else if (kind == OBJECT_PORT) {
		struct port_object *port = (struct port_object *)object;

		port->addresses = xmalloc(0);
		port->group_ids = xmalloc(0);
		port->allowed = xmalloc(0);
		port->source_destination_check = true;
		port->flow_limit = PORT_FLOW_LIMIT_DEFAULT;
		port->share = 1;
		port->attach.queues = 1;
		port->attach.configure = true;
	} else if (kind == OBJECT_TUNNEL) {
		struct tunnel_object *tunnel = (struct tunnel_object *)object;

		tunnel->ttl = SEGMENT_TTL_DEFAULT;
		tunnel->keepalive_retries = KEEPALIVE_RETRIES_DEFAULT;
	} else if (kind == OBJECT_HOST) {
		new_host((struct host_object *)object);
	}
	return object;
}

struct rule_list *object_rules(const struct object *object, bool ingress)
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
	port->user_data = port->user_data ? xstrdup(port->user_data) : NULL;
	port->mirror = port_mirror_copy(port->mirror);
	port->flow_log = flow_log_copy(port->flow_log);
}

void route_set_room(struct route_object *route, size_t count)
{
	route->port_ids = xcalloc(count, sizeof(*route->port_ids));
	route->port_names = xcalloc(count, sizeof(*route->port_names));
	route->port_kinds = xcalloc(count, sizeof(*route->port_kinds));
}

void route_fini(struct route_object *route)
{
	free(route->port_ids);
	free(route->port_names);
	free(route->port_kinds);
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
		route->port_kinds = xmemdup(route->port_kinds, ports * sizeof(*route->port_kinds));
	}
}

void host_set_peers(struct host_object *host, const struct host_peer *list, size_t count)
{
	host->peers = count ? xmemdup(list, count * sizeof(*list)) : NULL;
	host->peer_count = count;
}

void host_set_uplinks(struct host_object *host, const struct host_uplink *list, size_t count)
{
	host->uplinks = count ? xmemdup(list, count * sizeof(*list)) : NULL;
	host->uplink_count = count;
}

void host_set_rates(struct host_object *host, const struct host_rate *list, size_t count)
{
	host->rates = count ? xmemdup(list, count * sizeof(*list)) : NULL;
	host->rate_count = count;
}

struct object *object_copy(const struct object *object)
{
	struct object *copy = xmemdup(object, kinds[object->kind].size);

	if (copy->kind == OBJECT_ROUTE_TABLE) {
		copy_routes((struct route_table_object *)copy);
	} else if (copy->kind == OBJECT_SUBNET) {
		struct subnet_object *subnet = (struct subnet_object *)copy;

		if (subnet->dhcp)
			subnet->dhcp = xmemdup(subnet->dhcp, sizeof(*subnet->dhcp));
		if (subnet->ra)
			subnet->ra = xmemdup(subnet->ra, sizeof(*subnet->ra));
		subnet->flow_log = flow_log_copy(subnet->flow_log);
		subnet->mirror = port_mirror_copy(subnet->mirror);
	} else if (copy->kind == OBJECT_PORT) {
		copy_port_arrays((struct port_object *)copy);
	} else if (copy->kind == OBJECT_VPC) {
		dns_copy_records(&((struct vpc_object *)copy)->dns);
		((struct vpc_object *)copy)->flow_log =
			flow_log_copy(((struct vpc_object *)copy)->flow_log);
	} else if (copy->kind == OBJECT_HOST) {
		struct host_object *host = (struct host_object *)copy;

		host_set_peers(host, host->peers, host->peer_count);
		host_set_uplinks(host, host->uplinks, host->uplink_count);
		host_set_rates(host, host->rates, host->rate_count);
	} else if (object_rules(copy, true)) {
		copy_rules(object_rules(copy, true));
		copy_rules(object_rules(copy, false));
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
	} else if (object->kind == OBJECT_SUBNET) {
		free(((struct subnet_object *)object)->dhcp);
		free(((struct subnet_object *)object)->ra);
		free(((struct subnet_object *)object)->flow_log);
		free(((struct subnet_object *)object)->mirror);
	} else if (object->kind == OBJECT_PORT) {
		struct port_object *port = (struct port_object *)object;

		free(port->addresses);
		free(port->group_ids);
		free(port->allowed);
		free(port->user_data);
		free(port->mirror);
		free(port->flow_log);
	} else if (object->kind == OBJECT_VPC) {
		dns_free_records(&((struct vpc_object *)object)->dns);
		free(((struct vpc_object *)object)->flow_log);
	} else if (object->kind == OBJECT_HOST) {
		free(((struct host_object *)object)->peers);
		free(((struct host_object *)object)->uplinks);
		free(((struct host_object *)object)->rates);
	} else if (object_rules(object, true)) {
		free(object_rules(object, true)->rules);
		free(object_rules(object, false)->rules);
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
			   struct draft *draft)
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
			rule->id = draft_new_id(draft);
	}
	map_fini(&known, NULL);
}

static void identify_routes(struct route_table_object *table,
			    const struct route_table_object *before, struct draft *draft)
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
			route->id = draft_new_id(draft);
	}
}

void object_identify_parts(struct object *object, const struct object *before, struct draft *draft)
{
	if (object->kind == OBJECT_ROUTE_TABLE) {
		identify_routes((struct route_table_object *)object,
				(const struct route_table_object *)before, draft);
	} else if (object_rules(object, true)) {
		identify_rules(object_rules(object, true),
			       before ? object_rules(before, true) : NULL, draft);
		identify_rules(object_rules(object, false),
			       before ? object_rules(before, false) : NULL, draft);
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
		const struct rule_list *list = object_rules(object, ingress);

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

		if (subnet->route_table_id)
			visit(context, REFERENCE_SUBNET_TABLE, subnet->route_table_id);
		if (subnet->acl_id)
			visit(context, REFERENCE_SUBNET_ACL, subnet->acl_id);
	} else if (object->kind == OBJECT_PORT) {
		const struct port_object *port = (const struct port_object *)object;

		visit(context, REFERENCE_PORT_SUBNET, port->subnet_id);
		for (size_t i = 0; i < port->group_count; i++)
			visit(context, REFERENCE_PORT_GROUP, port->group_ids[i]);
	} else if (object->kind == OBJECT_TUNNEL) {
		const struct tunnel_object *tunnel = (const struct tunnel_object *)object;

		if (tunnel->subnet_id)
			visit(context, REFERENCE_TUNNEL_SUBNET, tunnel->subnet_id);
		for (size_t i = 0; i < tunnel->group_count; i++)
			visit(context, REFERENCE_PORT_GROUP, tunnel->group_ids[i]);
	} else if (object->kind == OBJECT_HOST) {
		const struct host_object *host = (const struct host_object *)object;

		for (size_t i = 0; i < host->peer_count; i++)
			visit(context, REFERENCE_HOST_HOST, host->peers[i].host_id);
	} else if (object->kind == OBJECT_ROUTE_TABLE) {
		const struct route_table_object *table = (const struct route_table_object *)object;

		for (size_t i = 0; i < table->route_count; i++)
			for (size_t j = 0; j < table->routes[i].port_count; j++)
				visit(context, REFERENCE_TABLE_PORT, table->routes[i].port_ids[j]);
	} else if (object->kind == OBJECT_SECURITY_GROUP) {
		for (int ingress = 0; ingress < 2; ingress++) {
			const struct rule_list *list = object_rules(object, ingress);

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

	if (object->kind == OBJECT_VPC)
		return dns_text_bound(&((const struct vpc_object *)object)->dns);
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
		const struct rule_list *list = object_rules(object, ingress);

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
	if (kind == OBJECT_VPC || kind == OBJECT_HOST)
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

bool attachment_key(char key[ATTACHMENT_KEY_SIZE], const struct port_object *port, const char *host)
{
	const struct attach *attach = &port->attach;

	switch (attach->kind) {
	case ATTACH_NONE: return false;
	case ATTACH_NETNS:
		snprintf(key, ATTACHMENT_KEY_SIZE, "%s netns %s %s", host, attach->netns,
			 attach->ifname);
		return true;
	case ATTACH_PID:
		snprintf(key, ATTACHMENT_KEY_SIZE, "%s pid %u %s", host, attach->pid,
			 attach->ifname);
		return true;
	case ATTACH_TAP:
	case ATTACH_TUN:
	case ATTACH_DEVICE:
		snprintf(key, ATTACHMENT_KEY_SIZE, "%s device %s", host, attach->ifname);
		return true;
	case ATTACH_BRIDGE:
	case ATTACH_OVS_BRIDGE: /* a bridge takes any number of ports */
	case ATTACH_HOST:       /* as many as there are */
	case ATTACH_PATCH: return false;
	case ATTACH_CHILD:
		snprintf(key, ATTACHMENT_KEY_SIZE, "child %s %s%u", attach->parent,
			 attach->service_tag ? "ad" : "", attach->vlan);
		return true;
	}
	return false;
}

bool attachment_native_key(char key[ATTACHMENT_KEY_SIZE], const struct port_object *port)
{
	if (port->attach.kind != ATTACH_CHILD || !port->attach.native)
		return false;
	snprintf(key, ATTACHMENT_KEY_SIZE, "child %s native", port->attach.parent);
	return true;
}

bool attach_is_link(const struct attach *attach)
{
	switch (attach->kind) {
	case ATTACH_BRIDGE:
	case ATTACH_OVS_BRIDGE:
	case ATTACH_PATCH: return true;
	case ATTACH_DEVICE:
	case ATTACH_CHILD: return attach->link;
	case ATTACH_NONE:
	case ATTACH_NETNS:
	case ATTACH_PID:
	case ATTACH_TAP:
	case ATTACH_HOST:
	case ATTACH_TUN: break;
	}
	return false;
}

uint16_t tunnel_port(const struct tunnel_object *tunnel)
{
	return tunnel->port ? tunnel->port : encapsulation_port(tunnel->encapsulation);
}

size_t end_key(unsigned char key[END_KEY_SIZE], const struct tunnel_object *tunnel)
{
	uint16_t port = tunnel_port(tunnel);
	size_t length = strnlen(tunnel->host, NAME_SIZE);

	memcpy(key, tunnel->remote.byte, 16);
	memcpy(key + 16, &port, sizeof(port));
	/* ERSPAN has an EtherType for each of its types, and sessions in place of keys. */
	key[18] = (unsigned char)(tunnel->encapsulation | tunnel->erspan << 4);
	key[19] = tunnel->has_id && !tunnel->erspan;
	memcpy(key + 20, &tunnel->id, sizeof(tunnel->id));
	memcpy(key + 24, tunnel->host, length);
	return 24 + length;
}

uint64_t member_key(uint32_t vpc_id, enum object_kind kind)
{
	return kind == OBJECT_VPC ? (uint64_t)OBJECT_VPC : (uint64_t)vpc_id << 8 | (uint64_t)kind;
}
