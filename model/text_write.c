/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects to JSON: the form of GET with all defaults, the export with only what differs, and the
 * record of the store with the ids.
 *
 * What is written reads back as the same object. A subnet that follows the main table has
 * route_table null (it would be tied to that table otherwise). An address is always exported: it
 * is the workload's from then on. A MAC made from the port's id is not.
 *
 * Neighbours: text_read.c (the way back), text_rules.c (rules), draft_store.c (records).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/suggest.h"
#include "model/text_private.h"

void text_write_value(const struct writing *writing, const char *key, bool is_default,
		      json_t *value)
{
	if (is_default && writing->form == TEXT_EXPORT)
		json_decref(value);
	else
		json_object_set_new(writing->json, key, value);
}

void text_write_number(const struct writing *writing, const char *key, uint32_t value,
		       uint32_t usual)
{
	text_write_value(writing, key, value == usual, json_integer(value));
}

json_t *text_name(const struct writing *writing, uint32_t id)
{
	const struct object *object = intent_named(writing->intent, id);

	return json_string(object ? object->name : "?");
}

json_t *text_prefix(const struct ip_prefix *prefix)
{
	char text[IP_PREFIX_TEXT_SIZE];

	return json_string(ip_prefix_format(prefix, text));
}

json_t *text_address(const struct ip_address *address)
{
	char text[IP_ADDRESS_TEXT_SIZE];

	return json_string(ip_address_format(address, text));
}

json_t *text_one_or_list(json_t *list)
{
	json_t *one;

	if (json_array_size(list) != 1)
		return list;
	one = json_incref(json_array_get(list, 0));
	json_decref(list);
	return one;
}

static void write_vpc(const struct writing *writing, const struct vpc_object *vpc)
{
	struct vpc_object *usual = (struct vpc_object *)object_new(OBJECT_VPC);
	struct writing inner = *writing;
	const struct object *main_table = intent_named(writing->intent, vpc->main_table_id);
	json_t *cidrs = json_array();

	for (size_t i = 0; i < vpc->cidr_count; i++)
		json_array_append_new(cidrs, text_prefix(&vpc->cidrs[i]));
	text_write_value(writing, "cidrs", false, cidrs);
	text_write_value(writing, "mtu", vpc->mtu == 0,
			 vpc->mtu ? json_integer(vpc->mtu) : json_string("auto"));
	if (writing->form == TEXT_FULL)
		json_object_set_new(writing->json, "effective_mtu",
				    json_integer(intent_vpc_mtu(writing->intent, vpc->object.id)));
	text_write_value(writing, "established", vpc->established == ESTABLISHED_KEEP,
			 json_string(vpc->established == ESTABLISHED_KEEP ? "keep" : "cut"));
	text_write_number(writing, "flow_limit", vpc->flow_limit, usual->flow_limit);
	inner.json = json_object();
	for (size_t i = 0; i < FLOW_TIMEOUTS; i++)
		text_write_number(&inner, timeout_names[i], vpc->timeouts[i], usual->timeouts[i]);
	text_write_value(writing, "timeouts", json_object_size(inner.json) == 0, inner.json);
	text_write_dns(writing, vpc);
	text_write_value(writing, "metadata", vpc->metadata, json_boolean(vpc->metadata));
	text_write_flow_log(writing, vpc->flow_log);
	text_write_value(writing, "route_multicast", !vpc->route_multicast,
			 json_boolean(vpc->route_multicast));
	text_write_value(writing, "routing", !vpc->router[0],
			 vpc->router[0] ? json_sprintf("host:%s", vpc->router)
					: json_string("distributed"));
	/* An outline does not say which. */
	if (main_table)
		text_write_value(writing, "main_route_table", strcmp(main_table->name, "main") == 0,
				 text_name(writing, vpc->main_table_id));
	object_free(&usual->object);
}

static void write_gateway(const struct writing *writing, const struct subnet_object *subnet)
{
	json_t *gateways = json_array();
	bool usual = true;

	for (int family = 0; family < 2; family++) {
		struct ip_address first = { { 0 } };
		bool has = !ip_address_equal(&subnet->gateways[family], &first);

		if (subnet->cidrs[family].length && subnet->mode == SUBNET_MODE_L3)
			ip_address_add(&subnet->cidrs[family].address, 1, &first);
		if (!ip_address_equal(&subnet->gateways[family], &first))
			usual = false;
		if (has)
			json_array_append_new(gateways, text_address(&subnet->gateways[family]));
	}
	if (json_array_size(gateways))
		text_write_value(writing, "gateway", usual, text_one_or_list(gateways));
	else {
		json_decref(gateways);
		text_write_value(writing, "gateway", true, json_null());
	}
}

static void write_subnet(const struct writing *writing, const struct subnet_object *subnet)
{
	json_t *cidrs = json_array();

	for (int family = 0; family < 2; family++)
		if (subnet->cidrs[family].length)
			json_array_append_new(cidrs, text_prefix(&subnet->cidrs[family]));
	text_write_value(writing, "cidr", false, text_one_or_list(cidrs));
	write_gateway(writing, subnet);
	text_write_value(writing, "mode", subnet->mode == SUBNET_MODE_L3,
			 json_string(subnet->mode == SUBNET_MODE_L3 ? "l3" : "l2"));
	text_write_given_mac(writing, "gateway_mac", &subnet->gateway_mac);
	text_write_segment(writing, &subnet->segment);
	text_write_value(writing, "route_table", subnet->route_table_implicit,
			 subnet->route_table_implicit ? json_null()
						      : text_name(writing, subnet->route_table_id));
	text_write_value(writing, "acl", subnet->acl_id == 0,
			 subnet->acl_id ? text_name(writing, subnet->acl_id) : json_null());
	text_write_dhcp(writing, subnet);
	text_write_number(writing, "flood_rate", subnet->flood_rate, 1000);
	text_write_number(writing, "station_limit", subnet->station_limit, 256);
	text_write_number(writing, "station_ageing", subnet->station_ageing, 300);
	text_write_number(writing, "segment_flood_rate", subnet->segment_flood_rate, 0);
	text_write_value(writing, "multicast", !subnet->snoop,
			 json_string(subnet->snoop ? "snoop" : "flood"));
	text_write_number(writing, "query_interval", subnet->query_interval, 125);
	text_write_flow_log(writing, subnet->flow_log);
	text_write_value(writing, "route_multicast", subnet->route_multicast,
			 json_boolean(subnet->route_multicast));
	text_write_value(writing, "vlan_transparent", !subnet->vlan_transparent,
			 json_boolean(subnet->vlan_transparent));
	text_write_value(writing, "mirror", !subnet->mirror, text_mirror(subnet->mirror));
}

static void write_parent(const struct writing *writing, const struct attach *attach)
{
	json_object_set_new(writing->json, "parent", json_string(attach->parent));
	json_object_set_new(writing->json, "vlan", json_integer(attach->vlan));
	text_write_value(writing, "protocol", !attach->service_tag,
			 json_string(attach->service_tag ? "802.1ad" : "802.1q"));
	text_write_value(writing, "native", !attach->native, json_boolean(attach->native));
}

static json_t *attach_json(const struct writing *writing, const struct attach *attach)
{
	struct writing inner = { writing->intent, writing->form, json_object() };
	const char *device = text_attach_device(attach);

	if (attach->kind == ATTACH_NONE) {
		json_decref(inner.json);
		return json_null();
	}
	if (attach->kind == ATTACH_NETNS)
		json_object_set_new(inner.json, "netns", json_string(attach->netns));
	else if (attach->kind == ATTACH_PID)
		json_object_set_new(inner.json, "pid", json_integer(attach->pid));
	else if (attach->kind == ATTACH_PATCH)
		json_object_set_new(inner.json, "patch", json_string(attach->peer));
	else if (attach->kind == ATTACH_CHILD)
		write_parent(&inner, attach);
	else if (attach->kind == ATTACH_HOST)
		json_object_set_new(inner.json, "host", json_true());
	else
		json_object_set_new(inner.json, device, json_string(attach->ifname));
	if (!device && attach_is_member(attach) && attach->kind != ATTACH_CHILD) {
		text_write_value(&inner, "ifname", strcmp(attach->ifname, "eth0") == 0,
				 json_string(attach->ifname));
		text_write_value(&inner, "configure", attach->configure,
				 json_boolean(attach->configure));
	}
	if (attach->kind == ATTACH_DEVICE || attach->kind == ATTACH_CHILD)
		text_write_value(&inner, "link", !attach->link, json_boolean(attach->link));
	if (attach->kind == ATTACH_DEVICE)
		text_write_value(&inner, "take_addresses", !attach->take_addresses,
				 json_boolean(attach->take_addresses));
	if (attach->kind == ATTACH_TAP)
		text_write_number(&inner, "queues", attach->queues, 1);
	return inner.json;
}

static void write_addresses(const struct writing *writing, const struct port_object *port)
{
	json_t *addresses = json_array();

	for (size_t i = 0; i < port->address_count; i++)
		json_array_append_new(addresses, text_address(&port->addresses[i]));
	if (writing->form == TEXT_EXPORT && port->address_count == 1) {
		text_write_value(writing, "address", false, text_one_or_list(addresses));
		return;
	}
	text_write_value(writing, "addresses", port->attach.kind == ATTACH_HOST, addresses);
}

static void write_groups(const struct writing *writing, const struct port_object *port)
{
	const struct vpc_object *vpc =
		(const struct vpc_object *)intent_named(writing->intent, port->object.vpc_id);
	json_t *groups = json_array();

	for (size_t i = 0; i < port->group_count; i++)
		json_array_append_new(groups, text_name(writing, port->group_ids[i]));
	if (!attach_is_member(&port->attach)) {
		text_write_value(writing, "security_groups", port->group_count == 0, groups);
		return;
	}
	text_write_value(writing, "security_groups",
			 vpc && port->group_count == 1 &&
				 port->group_ids[0] == vpc->default_group_id,
			 groups);
}

static void write_port(const struct writing *writing, const struct port_object *port)
{
	char mac[MAC_ADDRESS_TEXT_SIZE];
	json_t *allowed = json_array();

	text_write_value(writing, "subnet", false, text_name(writing, port->subnet_id));
	write_addresses(writing, port);
	if (mac_address_is_zero(&port->mac))
		text_write_value(writing, "mac", true, json_null());
	else
		text_write_value(writing, "mac", port_mac_is_own(writing->intent, port),
				 json_string(mac_address_format(&port->mac, mac)));
	write_groups(writing, port);
	for (size_t i = 0; i < port->allowed_count; i++)
		json_array_append_new(allowed, text_prefix(&port->allowed[i]));
	text_write_value(writing, "allowed_addresses", port->allowed_count == 0, allowed);
	text_write_value(writing, "source_destination_check", port->source_destination_check,
			 json_boolean(port->source_destination_check));
	text_write_value(writing, "mtu", port->mtu == 0,
			 port->mtu ? json_integer(port->mtu) : json_null());
	text_write_number(writing, "flow_limit", port->flow_limit, PORT_FLOW_LIMIT_DEFAULT);
	text_write_rates(writing, port);
	text_write_value(writing, "mirror", !port->mirror, text_mirror(port->mirror));
	text_write_flow_log(writing, port->flow_log);
	text_write_value(writing, "user_data", !port->user_data,
			 port->user_data ? json_string(port->user_data) : json_null());
	text_write_value(writing, "attach", port->attach.kind == ATTACH_NONE,
			 attach_json(writing, &port->attach));
	text_write_value(writing, "host", port->host[0] == '\0',
			 port->host[0] ? json_string(port->host) : json_null());
	text_write_value(writing, "moving_to", !port->moving_to[0],
			 port->moving_to[0] ? json_string(port->moving_to) : json_null());
	text_write_value(writing, "activation", !port->moves_on_command,
			 json_string(port->moves_on_command ? "command" : "first-frame"));
	if (writing->form == TEXT_RECORD && port->claim)
		json_object_set_new(writing->json, "claim", json_integer(port->claim));
}

/* ---- route tables ---- */

static json_t *via_json(const struct route_object *route)
{
	json_t *ports;

	if (route->via == VIA_BLACKHOLE)
		return json_string("blackhole");
	if (route->via == VIA_LOCAL)
		return json_string("local");
	ports = json_array();
	for (size_t i = 0; i < route->port_count; i++)
		json_array_append_new(ports,
				      json_sprintf("%s:%s", object_kind_word(route->port_kinds[i]),
						   route->port_names[i]));
	return text_one_or_list(ports);
}

/* V24: a route stays when its target is gone, and says so. */
static const char *route_status(const struct intent *intent, const struct route_object *route)
{
	if (route->via != VIA_PORTS)
		return "active";
	for (size_t i = 0; i < route->port_count; i++)
		if (intent_object(intent, route->port_ids[i]))
			return "active";
	return "blackhole";
}

static json_t *route_json(const struct writing *writing, const struct route_object *route)
{
	json_t *json = json_object();

	if (writing->form == TEXT_RECORD)
		json_object_set_new(json, "id", json_integer(route->id));
	json_object_set_new(json, "to", text_prefix(&route->to));
	json_object_set_new(json, "via", via_json(route));
	if (writing->form == TEXT_FULL)
		json_object_set_new(json, "status",
				    json_string(route_status(writing->intent, route)));
	if (writing->form == TEXT_RECORD && route->via == VIA_PORTS) {
		json_t *ids = json_array();

		for (size_t i = 0; i < route->port_count; i++)
			json_array_append_new(ids, json_integer(route->port_ids[i]));
		json_object_set_new(json, "port_ids", ids);
	}
	return json;
}

static void write_table(const struct writing *writing, const struct route_table_object *table)
{
	const struct vpc_object *vpc =
		(const struct vpc_object *)intent_named(writing->intent, table->object.vpc_id);
	json_t *routes = json_array();

	/* V19: the local routes are there although nobody wrote them. */
	for (size_t i = 0; vpc && writing->form == TEXT_FULL && i < vpc->cidr_count; i++) {
		struct route_object local = { .to = vpc->cidrs[i], .via = VIA_LOCAL };
		bool retargeted = false;

		for (size_t j = 0; j < table->route_count; j++)
			if (ip_prefix_equal(&table->routes[j].to, &local.to))
				retargeted = true;
		if (!retargeted)
			json_array_append_new(routes, route_json(writing, &local));
	}
	for (size_t i = 0; i < table->route_count; i++)
		json_array_append_new(routes, route_json(writing, &table->routes[i]));
	text_write_value(writing, "routes", table->route_count == 0, routes);
}

/* ---- rules ---- */

static void write_group(const struct writing *writing, const struct security_group_object *group)
{
	struct rule_list ingress = { 0 }, egress = { 0 };

	group_default_ingress(group, &ingress);
	group_default_egress(&egress);
	text_write_value(writing, "ingress", rule_list_equal(&group->ingress, &ingress),
			 text_write_rules(writing->intent, &group->object, true, writing->form));
	text_write_value(writing, "egress", rule_list_equal(&group->egress, &egress),
			 text_write_rules(writing->intent, &group->object, false, writing->form));
	free(ingress.rules);
	free(egress.rules);
}

static void write_acl(const struct writing *writing, const struct acl_object *acl)
{
	text_write_value(writing, "ingress", acl->ingress.count == 0,
			 text_write_rules(writing->intent, &acl->object, true, writing->form));
	text_write_value(writing, "egress", acl->egress.count == 0,
			 text_write_rules(writing->intent, &acl->object, false, writing->form));
}

json_t *text_write(const struct intent *intent, const struct object *object, enum text_form form)
{
	struct writing writing = { intent, form, json_object() };

	if (form == TEXT_RECORD) {
		json_object_set_new(writing.json, "id", json_integer(object->id));
		json_object_set_new(writing.json, "name", json_string(object->name));
	}
	switch (object->kind) {
	case OBJECT_VPC: write_vpc(&writing, (const struct vpc_object *)object); break;
	case OBJECT_SUBNET: write_subnet(&writing, (const struct subnet_object *)object); break;
	case OBJECT_PORT: write_port(&writing, (const struct port_object *)object); break;
	case OBJECT_TUNNEL:
		text_write_tunnel(&writing, (const struct tunnel_object *)object);
		break;
	case OBJECT_HOST: text_write_host(&writing, (const struct host_object *)object); break;
	case OBJECT_ROUTE_TABLE:
		write_table(&writing, (const struct route_table_object *)object);
		break;
	case OBJECT_SECURITY_GROUP:
		write_group(&writing, (const struct security_group_object *)object);
		break;
	case OBJECT_ACL: write_acl(&writing, (const struct acl_object *)object); break;
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE: abort(); /* parts are written with the object they are in */
	}
	return writing.json;
}

/* ---- trees ---- */

json_t *object_to_json(const struct intent *intent, const struct object *object)
{
	return text_write(intent, object, TEXT_FULL);
}

static json_t *write_collection(const struct intent *intent, uint32_t vpc_id, enum object_kind kind,
				enum text_form form)
{
	const struct object **list;
	size_t count = intent_list(intent, vpc_id, kind, &list);
	json_t *collection = json_object();

	for (size_t i = 0; i < count; i++) {
		json_t *json = text_write(intent, list[i], form);

		/* What every VPC has, unchanged, need not be said. */
		if (form == TEXT_EXPORT && json_object_size(json) == 0 &&
		    ((kind == OBJECT_ROUTE_TABLE && strcmp(list[i]->name, "main") == 0) ||
		     (kind == OBJECT_SECURITY_GROUP && strcmp(list[i]->name, "default") == 0)))
			json_decref(json);
		else
			json_object_set_new(collection, list[i]->name, json);
	}
	free(list);
	return collection;
}

static json_t *write_tree(const struct intent *intent, enum text_form form)
{
	static const enum object_kind order[] = { OBJECT_SUBNET,         OBJECT_ROUTE_TABLE,
						  OBJECT_SECURITY_GROUP, OBJECT_ACL,
						  OBJECT_PORT,           OBJECT_TUNNEL };
	json_t *vpcs = write_collection(intent, 0, OBJECT_VPC, form);
	json_t *tree = json_object();
	const char *name;
	json_t *vpc;

	if (intent_has_hosts(intent))
		json_object_set_new(tree, "hosts", write_collection(intent, 0, OBJECT_HOST, form));
	json_object_set_new(tree, "vpcs", vpcs);
	json_object_foreach(vpcs, name, vpc) {
		uint32_t id = intent_find(intent, name, OBJECT_VPC, name)->id;

		for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
			json_t *members = write_collection(intent, id, order[i], form);

			if (form == TEXT_EXPORT && json_object_size(members) == 0)
				json_decref(members);
			else
				json_object_set_new(vpc, object_kind_plural(order[i]), members);
		}
	}
	return tree;
}

json_t *intent_export(const struct intent *intent)
{
	return write_tree(intent, TEXT_EXPORT);
}

static int suggest_among(const struct intent *intent, uint32_t vpc_id, enum object_kind kind,
			 const char *name, const char *vpc, struct error *error)
{
	const struct object **list;
	size_t count = intent_list(intent, vpc_id, kind, &list);
	struct suggestion suggestion;
	char hint[128];

	suggestion_init(&suggestion, name);
	for (size_t i = 0; i < count; i++)
		suggestion_offer(&suggestion, list[i]->name);
	suggestion_format(&suggestion, hint);
	free(list);
	return error_set(error, ENOENT, NULL, "no %s \"%.64s\"%s%s%s", object_kind_word(kind), name,
			 vpc ? " in vpc " : "", vpc ? vpc : "", hint);
}

static json_t *get_host(const struct intent *intent, const char *const *path, size_t path_count,
			struct error *error)
{
	const struct object *host;

	if (path_count == 1)
		return write_collection(intent, 0, OBJECT_HOST, TEXT_FULL);
	host = path_count == 2 ? intent_find(intent, "", OBJECT_HOST, path[1]) : NULL;
	if (host)
		return text_write(intent, host, TEXT_FULL);
	suggest_among(intent, 0, OBJECT_HOST, path[1], NULL, error);
	return NULL;
}

json_t *intent_get(const struct intent *intent, const char *const *path, size_t path_count,
		   struct error *error)
{
	const struct object *vpc, *object;
	enum object_kind kind;

	if (path_count == 0)
		return write_tree(intent, TEXT_FULL);
	if (strcmp(path[0], "hosts") == 0)
		return get_host(intent, path, path_count, error);
	if (strcmp(path[0], "vpcs") != 0 || path_count > 4) {
		error_set(error, ENOENT, NULL,
			  "a path of intent begins with \"vpcs\" or \"hosts\"");
		return NULL;
	}
	if (path_count == 1)
		return write_collection(intent, 0, OBJECT_VPC, TEXT_FULL);
	vpc = intent_find(intent, path[1], OBJECT_VPC, path[1]);
	if (!vpc) {
		suggest_among(intent, 0, OBJECT_VPC, path[1], NULL, error);
		return NULL;
	}
	if (path_count == 2)
		return text_write(intent, vpc, TEXT_FULL);
	if (!object_kind_from_plural(path[2], &kind)) {
		error_set(error, ENOENT, NULL, "a vpc has no collection \"%.60s\"", path[2]);
		return NULL;
	}
	if (path_count == 3)
		return write_collection(intent, vpc->id, kind, TEXT_FULL);
	object = intent_find(intent, path[1], kind, path[3]);
	if (!object) {
		suggest_among(intent, vpc->id, kind, path[3], vpc->name, error);
		return NULL;
	}
	return text_write(intent, object, TEXT_FULL);
}
