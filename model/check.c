/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The judgement of a draft: is the intent valid as a whole if this is published?
 *
 * What is published is valid, so only what the draft touches is judged, and what a touched object can make
 * wrong in others: a VPC's ranges its subnets, tables and so on. First the draft is completed (subnets follow
 * the main table, routes find a port that is back), then judged in the order of the tree, then ports
 * without address or MAC get one, and last it is found out what differs. A check can be repeated.
 *
 * Neighbours: check_port.c (ports, addresses), check_routes.c (V19-V22), draft_change.c (what differs).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

#define VPC_IPV4_LENGTH_MIN 8
#define VPC_IPV6_LENGTH_MIN 16
#define SUBNET_IPV4_LENGTH_MIN 16 /* V15 */
#define SUBNET_IPV4_LENGTH_MAX 28
#define SUBNET_IPV6_LENGTH 64
#define IPV4_LENGTH(length) (96 + (length))
#define PORT_RULES_MAX 4096 /* of all its groups together, per direction */

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
	map_fini(&draft->spaces, free);
	map_fini(&draft->ranges, free_ranges);
}

/* ---- subnets of a VPC by range ---- */

static int compare_ranges(const void *a, const void *b)
{
	return ip_prefix_compare(&((const struct subnet_range *)a)->prefix,
				 &((const struct subnet_range *)b)->prefix);
}

/* All subnets' ranges of a VPC as the draft has them; made once per check, the draft's. */
const struct subnet_ranges *check_ranges(struct draft *draft, uint32_t vpc_id)
{
	struct subnet_ranges *ranges = map_get_u32(&draft->ranges, vpc_id);
	const struct object **list;
	size_t count;

	if (ranges)
		return ranges;
	ranges = xcalloc(1, sizeof(*ranges));
	count = draft_members(draft, vpc_id, OBJECT_SUBNET, &list);
	ranges->ranges = xcalloc(2 * count + 1, sizeof(*ranges->ranges));
	for (size_t i = 0; i < count; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)list[i];

		for (int family = 0; family < 2; family++) {
			if (!subnet->cidrs[family].length)
				continue;
			ranges->ranges[ranges->count].prefix = subnet->cidrs[family];
			ranges->ranges[ranges->count++].subnet = subnet;
		}
	}
	free(list);
	qsort(ranges->ranges, ranges->count, sizeof(*ranges->ranges), compare_ranges);
	map_put_u32(&draft->ranges, vpc_id, ranges);
	return ranges;
}

/*
 * Ranges nest or lie apart, so if any two of the sorted list overlap, two neighbours do; and one of these is
 * of a subnet that the draft touched. It is enough to look at the neighbours of each touched one.
 */
static const struct subnet_range *find_overlap(const struct subnet_ranges *ranges,
					       const struct subnet_object *subnet,
					       const struct ip_prefix *prefix)
{
	size_t low = 0, high = ranges->count;

	while (low < high) {
		size_t middle = (low + high) / 2;

		if (ip_prefix_compare(&ranges->ranges[middle].prefix, prefix) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	/* Equal ranges stand together from `low` on; this subnet's own is among them. */
	for (size_t i = low ? low - 1 : 0; i < ranges->count && i <= low + 2; i++)
		if (ranges->ranges[i].subnet != subnet &&
		    ip_prefix_overlaps(&ranges->ranges[i].prefix, prefix))
			return &ranges->ranges[i];
	return NULL;
}

/* ---- vpc ---- */

static int check_vpc_range(struct draft *draft, const struct vpc_object *vpc, size_t index,
			   struct error *error)
{
	const struct ip_prefix *cidr = &vpc->cidrs[index];
	char text[IP_PREFIX_TEXT_SIZE], other[IP_PREFIX_TEXT_SIZE];
	bool ipv4 = ip_prefix_is_ipv4(cidr);
	uint8_t shortest = ipv4 ? IPV4_LENGTH(VPC_IPV4_LENGTH_MIN) : VPC_IPV6_LENGTH_MIN;
	uint8_t longest = ipv4 ? IPV4_LENGTH(SUBNET_IPV4_LENGTH_MAX) : SUBNET_IPV6_LENGTH;
	struct ip_address last = ip_prefix_last(cidr);

	ip_prefix_format(cidr, text);
	if (cidr->length < shortest || cidr->length > longest)
		return draft_refuse(draft, &vpc->object, "cidrs", EINVAL, error,
				    "%s: a vpc's %s range is a /%d to /%d", text,
				    ipv4 ? "IPv4" : "IPv6",
				    ipv4 ? VPC_IPV4_LENGTH_MIN : VPC_IPV6_LENGTH_MIN,
				    ipv4 ? SUBNET_IPV4_LENGTH_MAX : SUBNET_IPV6_LENGTH);
	if (ip_address_is_multicast(&cidr->address) || ip_address_is_loopback(&cidr->address) ||
	    ip_address_is_link_local(&cidr->address) || ip_address_is_multicast(&last) ||
	    ip_address_is_broadcast(&last) || ip_address_is_unspecified(&cidr->address))
		return draft_refuse(draft, &vpc->object, "cidrs", EINVAL, error,
				    "%s is not a range of unicast addresses", text);
	for (size_t i = 0; i < index; i++)
		if (ip_prefix_overlaps(&vpc->cidrs[i], cidr))
			return draft_refuse(draft, &vpc->object, "cidrs", EINVAL, error,
					    "%s overlaps %s", text,
					    ip_prefix_format(&vpc->cidrs[i], other));
	return 0;
}

static bool same_ranges(const struct vpc_object *a, const struct vpc_object *b)
{
	if (a->cidr_count != b->cidr_count)
		return false;
	for (size_t i = 0; i < a->cidr_count; i++)
		if (!ip_prefix_equal(&a->cidrs[i], &b->cidrs[i]))
			return false;
	return true;
}

static int check_subnet_place(struct draft *draft, const struct subnet_object *subnet,
			      struct error *error)
{
	const struct vpc_object *vpc = draft_vpc(draft, subnet->object.vpc_id);
	char text[IP_PREFIX_TEXT_SIZE];

	for (int family = 0; family < 2; family++) {
		const struct ip_prefix *cidr = &subnet->cidrs[family];
		bool inside = cidr->length == 0;

		for (size_t i = 0; i < vpc->cidr_count; i++)
			if (ip_prefix_contains_prefix(&vpc->cidrs[i], cidr))
				inside = true;
		if (!inside)
			return draft_refuse(draft, &subnet->object, "cidr", EINVAL, error,
					    "%s is in none of the ranges of vpc %s",
					    ip_prefix_format(cidr, text), vpc->object.name);
	}
	return 0;
}

static int check_vpc_mtu(struct draft *draft, const struct vpc_object *vpc, struct error *error)
{
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (!ip_prefix_is_ipv4(&vpc->cidrs[i]) && vpc->mtu < 1280)
			return draft_refuse(draft, &vpc->object, "mtu", EINVAL, error,
					    "mtu %u is too small for IPv6, which needs 1280",
					    vpc->mtu);
	return 0;
}

static int check_vpc(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	const struct vpc_object *vpc = (const struct vpc_object *)entry->after;
	const struct vpc_object *before = (const struct vpc_object *)entry->before;
	static const enum object_kind dependent[] = { OBJECT_SUBNET, OBJECT_ROUTE_TABLE };
	int code = 0;

	if (vpc->cidr_count == 0)
		return draft_refuse(draft, &vpc->object, "cidrs", EINVAL, error,
				    "a vpc needs at least one range");
	for (size_t i = 0; i < vpc->cidr_count && !code; i++)
		code = check_vpc_range(draft, vpc, i, error);
	if (!code)
		code = check_vpc_mtu(draft, vpc, error);
	if (code || !before || same_ranges(before, vpc))
		return code;
	for (size_t i = 0; i < ARRAY_SIZE(dependent); i++) {
		const struct object **list;
		size_t count = draft_members(draft, vpc->object.id, dependent[i], &list);

		for (size_t j = 0; j < count && !code; j++)
			code = dependent[i] == OBJECT_SUBNET
				? check_subnet_place(draft, (const struct subnet_object *)list[j],
						     error)
				: check_routes(draft, (const struct route_table_object *)list[j],
					       error);
		free(list);
	}
	return code;
}

/* ---- subnet ---- */

static int check_subnet_size(struct draft *draft, const struct subnet_object *subnet,
			     struct error *error)
{
	const struct ip_prefix *ipv4 = &subnet->cidrs[0], *ipv6 = &subnet->cidrs[1];
	char text[IP_PREFIX_TEXT_SIZE];

	if (ipv4->length && (ipv4->length < IPV4_LENGTH(SUBNET_IPV4_LENGTH_MIN) ||
			     ipv4->length > IPV4_LENGTH(SUBNET_IPV4_LENGTH_MAX)))
		return draft_refuse(draft, &subnet->object, "cidr", EINVAL, error,
				    "%s: an IPv4 subnet is a /%d to /%d",
				    ip_prefix_format(ipv4, text), SUBNET_IPV4_LENGTH_MIN,
				    SUBNET_IPV4_LENGTH_MAX);
	if (ipv6->length && ipv6->length != SUBNET_IPV6_LENGTH)
		return draft_refuse(draft, &subnet->object, "cidr", EINVAL, error,
				    "%s: an IPv6 subnet is exactly a /%d",
				    ip_prefix_format(ipv6, text), SUBNET_IPV6_LENGTH);
	return 0;
}

static int check_subnet_overlap(struct draft *draft, const struct subnet_object *subnet,
				struct error *error)
{
	const struct subnet_ranges *ranges = check_ranges(draft, subnet->object.vpc_id);
	char text[IP_PREFIX_TEXT_SIZE], other[IP_PREFIX_TEXT_SIZE], title[160];

	for (int family = 0; family < 2; family++) {
		const struct subnet_range *overlap;

		if (!subnet->cidrs[family].length)
			continue;
		overlap = find_overlap(ranges, subnet, &subnet->cidrs[family]);
		if (overlap)
			return draft_refuse(draft, &subnet->object, "cidr", EINVAL, error,
					    "%s overlaps %s of %s",
					    ip_prefix_format(&subnet->cidrs[family], text),
					    ip_prefix_format(&overlap->prefix, other),
					    draft_title(draft, &overlap->subnet->object, title));
	}
	return 0;
}

static int check_gateway(struct draft *draft, const struct subnet_object *subnet,
			 struct error *error)
{
	char text[IP_ADDRESS_TEXT_SIZE], range[IP_PREFIX_TEXT_SIZE];

	for (int family = 0; family < 2; family++) {
		const struct ip_prefix *cidr = &subnet->cidrs[family];
		const struct ip_address *gateway = &subnet->gateways[family], zero = { { 0 } };
		struct ip_address last;

		if (ip_address_equal(gateway, &zero))
			continue;
		ip_address_format(gateway, text);
		if (!cidr->length)
			return draft_refuse(draft, &subnet->object, "gateway", EINVAL, error,
					    "gateway %s: the subnet has no %s range", text,
					    family ? "IPv6" : "IPv4");
		last = ip_prefix_last(cidr);
		if (!ip_prefix_contains(cidr, gateway))
			return draft_refuse(draft, &subnet->object, "gateway", EINVAL, error,
					    "gateway %s is not in %s", text,
					    ip_prefix_format(cidr, range));
		if (ip_address_equal(gateway, &cidr->address) || ip_address_equal(gateway, &last))
			return draft_refuse(draft, &subnet->object, "gateway", EINVAL, error,
					    "gateway %s is the first or last address of %s", text,
					    ip_prefix_format(cidr, range));
	}
	return 0;
}

static bool same_addressing(const struct subnet_object *a, const struct subnet_object *b)
{
	for (int family = 0; family < 2; family++)
		if (!ip_prefix_equal(&a->cidrs[family], &b->cidrs[family]) ||
		    !ip_address_equal(&a->gateways[family], &b->gateways[family]))
			return false;
	return a->mode == b->mode;
}

/* Tables of the VPC that have a route to a range that is no subnet's any more (V21). */
static int check_tables_with(struct draft *draft, const struct subnet_object *before,
			     struct error *error)
{
	const struct object **list;
	size_t count;
	int code = 0;

	count = draft_members(draft, before->object.vpc_id, OBJECT_ROUTE_TABLE, &list);
	for (size_t i = 0; i < count && !code; i++) {
		const struct route_table_object *table = (const struct route_table_object *)list[i];

		for (size_t j = 0; j < table->route_count; j++) {
			const struct ip_prefix *to = &table->routes[j].to;

			if (ip_prefix_equal(to, &before->cidrs[0]) ||
			    ip_prefix_equal(to, &before->cidrs[1])) {
				code = check_routes(draft, table, error);
				break;
			}
		}
	}
	free(list);
	return code;
}

/* Ports that are as they were, in a subnet that is not. */
static int check_ports_in(struct draft *draft, const struct subnet_object *subnet,
			  struct error *error)
{
	const struct map *set = intent_referrers(draft->intent, REFERENCE_PORT_SUBNET,
						 subnet->object.id);
	int code = 0;

	if (!set)
		return 0;
	MAP_FOR_EACH(set, it) {
		uint32_t id = *(const uint32_t *)it.key;

		if (draft_entry(draft, id))
			continue;
		code = check_addresses(
			draft, (const struct port_object *)intent_object(draft->intent, id), error);
		if (code)
			break;
	}
	return code;
}

/* References by id are resolved when read; what they named may have been removed since. */
static int check_present(struct draft *draft, const struct object *object, const char *key,
			 uint32_t target_id, struct error *error)
{
	const struct object *target = intent_object(draft->intent, target_id);
	char title[160];

	if (draft_object(draft, target_id))
		return 0;
	return draft_refuse(draft, object, key, EINVAL, error, "%s is removed",
			    target ? draft_title(draft, target, title) : "what it names");
}

static int check_subnet(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	const struct subnet_object *subnet = (const struct subnet_object *)entry->after;
	const struct subnet_object *before = (const struct subnet_object *)entry->before;
	int code = check_subnet_size(draft, subnet, error);

	if (!code)
		code = check_subnet_place(draft, subnet, error);
	if (!code)
		code = check_subnet_overlap(draft, subnet, error);
	if (!code)
		code = check_gateway(draft, subnet, error);
	if (!code)
		code = check_present(draft, &subnet->object, "route_table", subnet->route_table_id,
				     error);
	if (!code && subnet->acl_id)
		code = check_present(draft, &subnet->object, "acl", subnet->acl_id, error);
	if (code || !before || same_addressing(before, subnet))
		return code;
	code = check_ports_in(draft, subnet, error);
	return code ? code : check_tables_with(draft, before, error);
}

/* ---- rules ---- */

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

static int check_port_rules(struct draft *draft, const struct port_object *port,
			    struct error *error)
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
	return draft_refuse(draft, &port->object, "security_groups", EINVAL, error,
			    "its security groups have %zu %s rules together, at most %d are allowed",
			    ingress > PORT_RULES_MAX ? ingress : egress,
			    ingress > PORT_RULES_MAX ? "ingress" : "egress", PORT_RULES_MAX);
}

static int check_group(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	const struct security_group_object *group = (const struct security_group_object *)entry->after;
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

static int check_acl(struct draft *draft, const struct acl_object *acl, struct error *error)
{
	int code = check_acl_list(draft, acl, &acl->ingress, "ingress", error);

	return code ? code : check_acl_list(draft, acl, &acl->egress, "egress", error);
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
		return check_referrers(draft, object, REFERENCE_PORT_SUBNET,
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
	case OBJECT_VPC:
	case OBJECT_PORT:
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE:
		break;
	}
	return 0;
}

static int check_removed(struct draft *draft, const struct draft_entry *entry, struct error *error)
{
	int code;

	/* With its VPC everything goes. */
	if (!draft_object(draft, entry->before->vpc_id))
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
			port = draft_find(draft, table->object.vpc_id, OBJECT_PORT,
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
	size_t size = name_key(key, port->vpc_id, OBJECT_PORT, port->name);
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
	/* The list grows while it is walked: what is edited here is completed as well. */
	for (size_t i = 0; i < draft->entries.count; i++) {
		const struct draft_entry *entry = draft->entries.list[i];

		if (entry->after && entry->after->kind == OBJECT_VPC)
			follow_main_table(draft, entry);
		else if (entry->after && entry->after->kind == OBJECT_PORT && !entry->before)
			wake_tables(draft, entry->after);
	}
	for (size_t i = 0; i < draft->entries.count; i++) {
		struct object *after = draft->entries.list[i]->after;

		if (after && after->kind == OBJECT_SUBNET) {
			struct subnet_object *subnet = (struct subnet_object *)after;

			if (subnet->route_table_implicit)
				subnet->route_table_id =
					draft_vpc(draft, after->vpc_id)->main_table_id;
		} else if (after && after->kind == OBJECT_ROUTE_TABLE) {
			heal_routes(draft, (struct route_table_object *)after);
		}
	}
}

/* ---- the whole ---- */

static int check_entry(struct draft *draft, struct draft_entry *entry, struct error *error)
{
	if (!entry->after)
		return entry->before ? check_removed(draft, entry, error) : 0;
	switch (entry->after->kind) {
	case OBJECT_VPC:
		return check_vpc(draft, entry, error);
	case OBJECT_SUBNET:
		return check_subnet(draft, entry, error);
	case OBJECT_PORT: {
		const struct port_object *port = (const struct port_object *)entry->after;
		int code = check_present(draft, entry->after, "subnet", port->subnet_id, error);

		for (size_t i = 0; i < port->group_count && !code; i++)
			code = check_present(draft, entry->after, "security_groups",
					     port->group_ids[i], error);
		if (!code)
			code = check_port_rules(draft, port, error);
		return code ? code : check_port(draft, entry, error);
	}
	case OBJECT_ROUTE_TABLE:
		return check_routes(draft, (const struct route_table_object *)entry->after, error);
	case OBJECT_SECURITY_GROUP:
		return check_group(draft, entry, error);
	case OBJECT_ACL:
		return check_acl(draft, (const struct acl_object *)entry->after, error);
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE:
		break;
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
	for (size_t i = 0; i < draft->entries.count && !code; i++)
		code = check_entry(draft, draft->entries.list[i], error);
	for (size_t i = 0; i < draft->entries.count && !code; i++)
		if (draft->entries.list[i]->after)
			check_keep(draft, draft->entries.list[i]);
	for (size_t i = 0; i < draft->entries.count && !code; i++)
		if (draft->entries.list[i]->after)
			code = check_assign(draft, draft->entries.list[i], error);
	if (code)
		return code;
	draft_compare(draft);
	draft->checked = true;
	return 0;
}
