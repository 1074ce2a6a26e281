/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON to objects: VPCs, subnets and route tables; text_port.c and text_rules.c read the others.
 *
 * Each reader takes the keys of weft.yaml from a json_reader and fills an object that holds
 * defaults; a key that is left out keeps them. Names are resolved at once, because everything was
 * declared before. What is said of one key alone is refused here (form, range); what needs other
 * objects is judged in check.c.
 *
 * Neighbours: text_write.c (the way back), draft_write.c (the caller, which adds the object to a
 * refusal).
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/text_private.h"

#define SECONDS_MAX 8640000 /* 100 days */

const char *const timeout_names[FLOW_TIMEOUTS] = {
	"tcp_opening",   "tcp_established", "tcp_closing", "tcp_closed",
	"udp_unreplied", "udp_replied",     "icmp",        "other",
};

bool text_refuse(struct draft *draft, struct json_reader *reader, const char *key,
		 const char *format, ...)
{
	char sentence[400];
	va_list arguments;

	if (json_reader_failed(reader))
		return false;
	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	draft->own_sentence = true;
	json_reader_fail(reader, key, EINVAL, "%s", sentence);
	return false;
}

uint32_t text_resolve(struct draft *draft, struct json_reader *reader, const char *key,
		      uint32_t vpc_id, enum object_kind kind, const char *name)
{
	const struct object *object = draft_find(draft, vpc_id, kind, name);
	char hint[128];

	if (object)
		return object->id;
	text_refuse(draft, reader, key, "no %s \"%.64s\" in vpc %s%s", object_kind_word(kind), name,
		    draft_object(draft, vpc_id)->name,
		    draft_suggest(draft, vpc_id, kind, name, hint));
	return 0;
}

void text_read_number(struct json_reader *reader, const char *key, int64_t minimum, int64_t maximum,
		      uint32_t *number)
{
	int64_t value;

	if (json_reader_integer(reader, key, JSON_OPTIONAL, minimum, maximum, &value))
		*number = (uint32_t)value;
}

/* One of two words. */
static void read_choice(struct reading *reading, const char *key, const char *first,
			const char *second, bool *is_second)
{
	const char *text;

	if (!json_reader_text(reading->reader, key, JSON_OPTIONAL, 64, &text))
		return;
	if (strcmp(text, first) != 0 && strcmp(text, second) != 0)
		text_refuse(reading->draft, reading->reader, key, "%s is %s or %s, not \"%.64s\"",
			    key, first, second, text);
	else
		*is_second = strcmp(text, second) == 0;
}

size_t text_read_texts(struct reading *reading, const char *key, enum json_presence presence,
		       bool single, const char **texts, size_t count_max, bool *present)
{
	json_t *value, *element;
	size_t index;

	*present = false;
	if (!json_reader_value(reading->reader, key, presence, &value))
		return 0;
	*present = true;
	if (single && json_is_string(value)) {
		texts[0] = json_string_value(value);
		return 1;
	}
	if (!json_is_array(value)) {
		json_reader_fail(reading->reader, key, EINVAL, "must be %s, not %s",
				 single ? "a string or a list of strings" : "a list of strings",
				 json_type_name(value));
		return 0;
	}
	if (json_array_size(value) > count_max) {
		json_reader_fail(reading->reader, key, EINVAL, "has more than %zu elements",
				 count_max);
		return 0;
	}
	json_array_foreach(value, index, element) {
		if (!json_is_string(element)) {
			json_reader_fail(reading->reader, key, EINVAL,
					 "element %zu must be a string, not %s", index + 1,
					 json_type_name(element));
			return 0;
		}
		texts[index] = json_string_value(element);
	}
	return index;
}

bool text_parse_range(struct reading *reading, const char *key, const char *text,
		      struct ip_prefix *range)
{
	if (ip_prefix_parse(text, range))
		return text_refuse(reading->draft, reading->reader, key,
				   "%s \"%.64s\" is not ADDRESS/LENGTH", key, text);
	*range = ip_prefix_canonicalise(range);
	return true;
}

bool text_parse_address(struct reading *reading, const char *key, const char *text,
			struct ip_address *address)
{
	if (ip_address_parse(text, address))
		return text_refuse(reading->draft, reading->reader, key,
				   "%s \"%.64s\" is not an IPv4 or IPv6 address", key, text);
	return true;
}

/* ---- vpc ---- */

static void read_timeouts(struct reading *reading, struct vpc_object *vpc)
{
	struct json_reader child;

	if (!json_reader_object(reading->reader, "timeouts", JSON_OPTIONAL, &child))
		return;
	for (size_t i = 0; i < FLOW_TIMEOUTS; i++)
		text_read_number(&child, timeout_names[i], 1, SECONDS_MAX, &vpc->timeouts[i]);
	reading->reader->code = json_reader_finish(&child);
}

/* "auto", which is the usual, or bytes. */
static void read_mtu(struct reading *reading, struct vpc_object *vpc)
{
	json_t *value;

	/* GET says it; no input. */
	json_reader_value(reading->reader, "effective_mtu", JSON_OPTIONAL, &value);
	if (!json_reader_value(reading->reader, "mtu", JSON_OPTIONAL, &value))
		return;
	if (json_is_string(value) && strcmp(json_string_value(value), "auto") == 0)
		return;
	if (json_is_string(value))
		text_refuse(reading->draft, reading->reader, "mtu",
			    "mtu is auto or a number of bytes, not \"%.64s\"",
			    json_string_value(value));
	else
		text_read_number(reading->reader, "mtu", 576, 65535, &vpc->mtu);
}

/* "distributed", which is the usual, or "host:NAME". */
static void read_routing(struct reading *reading, struct vpc_object *vpc)
{
	static const char host[] = "host:";
	const char *text, *name;

	if (!json_reader_text(reading->reader, "routing", JSON_OPTIONAL, 400, &text) ||
	    strcmp(text, "distributed") == 0)
		return;
	name = text + sizeof(host) - 1;
	if (strncmp(text, host, sizeof(host) - 1) != 0 || !name_is_valid(name))
		text_refuse(reading->draft, reading->reader, "routing",
			    "routing is distributed or host:NAME, not \"%.64s\"", text);
	else
		snprintf(vpc->router, sizeof(vpc->router), "%s", name);
}

static void read_vpc(struct reading *reading)
{
	struct vpc_object *vpc = (struct vpc_object *)reading->entry->after;
	const char *texts[VPC_CIDRS_MAX] = { NULL }, *table;
	bool present, cut = vpc->established == ESTABLISHED_CUT;
	uint32_t id;

	vpc->cidr_count = text_read_texts(reading, "cidrs", JSON_REQUIRED, true, texts,
					  VPC_CIDRS_MAX, &present);
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (!text_parse_range(reading, "cidrs", texts[i], &vpc->cidrs[i]))
			return;
	read_choice(reading, "established", "keep", "cut", &cut);
	vpc->established = cut ? ESTABLISHED_CUT : ESTABLISHED_KEEP;
	read_mtu(reading, vpc);
	text_read_number(reading->reader, "flow_limit", 1, 1 << 24, &vpc->flow_limit);
	read_timeouts(reading, vpc);
	text_read_dns(reading, &vpc->dns);
	json_reader_bool(reading->reader, "metadata", JSON_OPTIONAL, &vpc->metadata);
	text_read_flow_log(reading, &vpc->flow_log);
	json_reader_bool(reading->reader, "route_multicast", JSON_OPTIONAL, &vpc->route_multicast);
	read_routing(reading, vpc);
	if (json_reader_text(reading->reader, "main_route_table", JSON_OPTIONAL, 64, &table)) {
		id = text_resolve(reading->draft, reading->reader, "main_route_table",
				  vpc->object.id, OBJECT_ROUTE_TABLE, table);
		vpc->main_table_id = id ? id : vpc->main_table_id;
	}
}

/* ---- subnet ---- */

static void read_cidr(struct reading *reading, struct subnet_object *subnet)
{
	const char *texts[2];
	struct ip_prefix range;
	bool present;
	size_t count = text_read_texts(reading, "cidr", JSON_REQUIRED, true, texts, 2, &present);

	if (present && count == 0)
		text_refuse(reading->draft, reading->reader, "cidr",
			    "a subnet has one IPv4 range, one IPv6 range, or one of each");
	for (size_t i = 0; i < count; i++) {
		int family;

		if (!text_parse_range(reading, "cidr", texts[i], &range))
			return;
		family = family_of(&range.address);
		if (subnet->cidrs[family].length) {
			text_refuse(reading->draft, reading->reader, "cidr",
				    "a subnet has one IPv4 range, one IPv6 range, or one of each");
			return;
		}
		/* A length of 0 means absent; no subnet is ever that large. */
		if (range.length == 0) {
			text_refuse(reading->draft, reading->reader, "cidr",
				    "an IPv6 subnet is exactly a /64, not %.64s", texts[i]);
			return;
		}
		subnet->cidrs[family] = range;
	}
}

/*
 * The gateway is the first address behind the network's, unless it was said; an l2 subnet has
 * none then.
 */
static void read_gateway(struct reading *reading, struct subnet_object *subnet)
{
	bool present, said[2] = { false, false };
	const char *texts[2];
	size_t count = text_read_texts(reading, "gateway", JSON_OPTIONAL, true, texts, 2, &present);

	for (int family = 0; family < 2; family++)
		if (subnet->cidrs[family].length && subnet->mode == SUBNET_MODE_L3)
			ip_address_add(&subnet->cidrs[family].address, 1,
				       &subnet->gateways[family]);
	for (size_t i = 0; i < count; i++) {
		struct ip_address address;
		int family;

		if (!text_parse_address(reading, "gateway", texts[i], &address))
			return;
		family = family_of(&address);
		if (said[family]) {
			text_refuse(reading->draft, reading->reader, "gateway",
				    "a subnet has one gateway of each family");
			return;
		}
		said[family] = true;
		subnet->gateways[family] = address;
	}
}

static void read_subnet(struct reading *reading)
{
	struct subnet_object *subnet = (struct subnet_object *)reading->entry->after;
	uint32_t vpc_id = subnet->object.vpc_id;
	const char *text;
	bool l2 = false;

	read_cidr(reading, subnet);
	read_choice(reading, "mode", "l3", "l2", &l2);
	subnet->mode = l2 ? SUBNET_MODE_L2 : SUBNET_MODE_L3;
	read_gateway(reading, subnet);
	text_read_given_mac(reading, "gateway_mac", &subnet->gateway_mac);
	text_read_segment(reading, &subnet->segment);
	subnet->route_table_id = draft_vpc(reading->draft, vpc_id)->main_table_id;
	if (json_reader_text(reading->reader, "route_table", JSON_OPTIONAL, 400, &text)) {
		subnet->route_table_implicit = false;
		subnet->route_table_id = text_resolve(reading->draft, reading->reader,
						      "route_table", vpc_id, OBJECT_ROUTE_TABLE,
						      text);
	}
	if (json_reader_text(reading->reader, "acl", JSON_OPTIONAL, 400, &text))
		subnet->acl_id = text_resolve(reading->draft, reading->reader, "acl", vpc_id,
					      OBJECT_ACL, text);
	text_read_number(reading->reader, "flood_rate", 0, 1000000, &subnet->flood_rate);
	text_read_number(reading->reader, "segment_flood_rate", 0, 10000000,
			 &subnet->segment_flood_rate);
	text_read_number(reading->reader, "query_interval", 1, 3600, &subnet->query_interval);
	read_choice(reading, "multicast", "flood", "snoop", &subnet->snoop);
	json_reader_bool(reading->reader, "route_multicast", JSON_OPTIONAL,
			 &subnet->route_multicast);
	json_reader_bool(reading->reader, "vlan_transparent", JSON_OPTIONAL,
			 &subnet->vlan_transparent);
	text_read_number(reading->reader, "station_limit", 1, 65536, &subnet->station_limit);
	text_read_number(reading->reader, "station_ageing", 1, SECONDS_MAX,
			 &subnet->station_ageing);
	text_read_dhcp(reading, subnet);
	text_read_ra(reading, subnet);
	text_read_flow_log(reading, &subnet->flow_log);
	text_read_mirror(reading, &subnet->mirror);
}

/* ---- route table ---- */

/*
 * A port that is gone may stay in the route it was in (V24). Return: the id it had, 0 when the
 * table as it is published does not name a dead port so.
 */
static uint32_t find_dead_port(const struct reading *reading, enum object_kind kind,
			       const char *name)
{
	const struct route_table_object *before =
		(const struct route_table_object *)reading->entry->before;

	for (size_t i = 0; before && i < before->route_count; i++) {
		const struct route_object *route = &before->routes[i];

		for (size_t j = 0; j < route->port_count; j++)
			if (route->port_kinds[j] == kind &&
			    strcmp(route->port_names[j], name) == 0 &&
			    !intent_object(reading->draft->intent, route->port_ids[j]))
				return route->port_ids[j];
	}
	return 0;
}

/* "port:NAME" or "tunnel:NAME". Return: the name; NULL when it is neither. */
static const char *parse_target(const char *text, enum object_kind *kind)
{
	static const struct {
		const char *word;
		enum object_kind kind;
	} words[] = { { "port:", OBJECT_PORT }, { "tunnel:", OBJECT_TUNNEL } };

	for (size_t i = 0; i < ARRAY_SIZE(words); i++) {
		size_t length = strlen(words[i].word);

		if (strncmp(text, words[i].word, length) == 0) {
			*kind = words[i].kind;
			return text + length;
		}
	}
	return NULL;
}

static bool read_via_port(struct reading *reading, struct json_reader *child, const char *text,
			  struct route_object *route)
{
	enum object_kind kind = OBJECT_PORT;
	const char *name = parse_target(text, &kind);
	const struct object *table = reading->entry->after;
	uint32_t id = 0;

	if (!name)
		return text_refuse(reading->draft, child, "via",
				   "via is blackhole, local, port:NAME, tunnel:NAME or a list of "
				   "these names, not \"%.64s\"",
				   text);
	if (!reading->record) {
		if (!draft_find(reading->draft, table->vpc_id, kind, name))
			id = find_dead_port(reading, kind, name);
		if (!id)
			id = text_resolve(reading->draft, child, "via", table->vpc_id, kind, name);
		if (!id)
			return false;
	}
	for (size_t i = 0; i < route->port_count; i++)
		if (route->port_kinds[i] == kind && strcmp(route->port_names[i], name) == 0)
			return text_refuse(reading->draft, child, "via", "%s %.64s stands twice",
					   object_kind_word(kind), name);
	snprintf(route->port_names[route->port_count], NAME_SIZE, "%s", name);
	route->port_kinds[route->port_count] = kind;
	route->port_ids[route->port_count++] = id;
	route->via = VIA_PORTS;
	return true;
}

static void read_via_ports(struct reading *reading, struct json_reader *child, json_t **ports,
			   size_t count, struct route_object *route)
{
	route_set_room(route, count);
	for (size_t i = 0; i < count; i++) {
		if (!json_is_string(ports[i])) {
			json_reader_fail(child, "via", EINVAL, "must be a list of strings");
			return;
		}
		if (!read_via_port(reading, child, json_string_value(ports[i]), route))
			return;
	}
}

static void read_via(struct reading *reading, struct json_reader *child, struct route_object *route)
{
	json_t *via, *element, **ports;
	size_t index;

	if (!json_reader_value(child, "via", JSON_REQUIRED, &via))
		return;
	if (json_is_string(via)) {
		const char *text = json_string_value(via);

		if (strcmp(text, "blackhole") == 0)
			route->via = VIA_BLACKHOLE;
		else if (strcmp(text, "local") == 0)
			route->via = VIA_LOCAL;
		else
			read_via_ports(reading, child, &via, 1, route);
		return;
	}
	if (!json_is_array(via) || json_array_size(via) == 0 ||
	    json_array_size(via) > ROUTE_PORTS_MAX) {
		text_refuse(
			reading->draft, child, "via",
			"via is blackhole, local, port:NAME, tunnel:NAME or a list of 1 to %d of "
			"these names",
			ROUTE_PORTS_MAX);
		return;
	}
	ports = xcalloc(json_array_size(via), sizeof(json_t *));
	json_array_foreach(via, index, element)
		ports[index] = element;
	read_via_ports(reading, child, ports, index, route);
	free(ports);
}

/* What only a record holds: the ids. */
static void read_route_ids(struct json_reader *child, struct route_object *route)
{
	json_t *ids = NULL;
	int64_t id;

	if (json_reader_integer(child, "id", JSON_REQUIRED, 1, UINT32_MAX, &id))
		route->id = (uint32_t)id;
	if (route->via != VIA_PORTS)
		return;
	json_reader_array(child, "port_ids", JSON_REQUIRED, ROUTE_PORTS_MAX, &ids);
	for (size_t i = 0; i < route->port_count; i++) {
		id = json_integer_value(json_array_get(ids, i));
		if (id < 1 || id > UINT32_MAX)
			json_reader_fail(child, "port_ids", EINVAL, "has no id for port %zu", i);
		route->port_ids[i] = (uint32_t)id;
	}
}

static bool is_vpc_range(const struct vpc_object *vpc, const struct ip_prefix *prefix)
{
	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (ip_prefix_equal(&vpc->cidrs[i], prefix))
			return true;
	return false;
}

/* Return: 0 (then @route is to be kept unless it is the local route), or the failure. */
static int read_route(struct reading *reading, size_t index, json_t *value,
		      struct route_object *route)
{
	const struct object *table = reading->entry->after;
	const struct vpc_object *vpc = draft_vpc(reading->draft, table->vpc_id);
	struct json_reader child;
	json_t *status;
	const char *to = "";

	json_reader_element(reading->reader, "routes", index, value, &child);
	if (json_reader_text(&child, "to", JSON_REQUIRED, 400, &to)) {
		struct reading inner = *reading;

		inner.reader = &child;
		text_parse_range(&inner, "to", to, &route->to);
	}
	read_via(reading, &child, route);
	json_reader_value(&child, "status", JSON_OPTIONAL, &status); /* GET says it; no input */
	if (reading->record)
		read_route_ids(&child, route);
	if (!json_reader_failed(&child) && route->via == VIA_LOCAL &&
	    !is_vpc_range(vpc, &route->to))
		text_refuse(reading->draft, &child, "via",
			    "route %.64s: via local is only for the ranges of the vpc itself", to);
	return json_reader_finish(&child);
}

static int compare_routes(const void *a, const void *b)
{
	const struct route_object *left = a, *right = b;
	int order = ip_prefix_compare(&left->to, &right->to);

	/* Of two to one range the second is what is wrong. */
	return order ? order : (left->place > right->place) - (left->place < right->place);
}

static void read_table(struct reading *reading)
{
	struct route_table_object *table = (struct route_table_object *)reading->entry->after;
	json_t *routes, *value;
	size_t index;

	if (!json_reader_array(reading->reader, "routes", JSON_OPTIONAL, TABLE_ROUTES_MAX, &routes))
		return;
	table->routes = xcalloc(json_array_size(routes) + 1, sizeof(*table->routes));
	json_array_foreach(routes, index, value) {
		struct route_object *route = &table->routes[table->route_count];

		memset(route, 0, sizeof(*route));
		route->place = (uint32_t)index;
		reading->reader->code = read_route(reading, index, value, route);
		if (reading->reader->code) {
			route_fini(route);
			return;
		}
		/* The local route is there anyway. */
		if (route->via != VIA_LOCAL)
			table->route_count++;
	}
	qsort(table->routes, table->route_count, sizeof(*table->routes), compare_routes);
}

int text_read(struct draft *draft, struct draft_entry *entry, struct json_reader *reader,
	      bool record)
{
	struct reading reading = { draft, entry, reader, record };
	json_t *ignored;

	if (record) {
		/* The key says it as well. Of a tunnel it is the id of its packets, which may have none. */
		json_reader_value(reader, "id", JSON_OPTIONAL, &ignored);
		json_reader_value(reader, "name", JSON_REQUIRED, &ignored);
	}
	switch (entry->after->kind) {
	case OBJECT_VPC: read_vpc(&reading); break;
	case OBJECT_SUBNET: read_subnet(&reading); break;
	case OBJECT_PORT: text_read_port(&reading); break;
	case OBJECT_TUNNEL: text_read_tunnel(&reading); break;
	case OBJECT_HOST: text_read_host(&reading); break;
	case OBJECT_ROUTE_TABLE: read_table(&reading); break;
	case OBJECT_SECURITY_GROUP:
	case OBJECT_ACL: text_read_rules(draft, entry, reader, record); break;
	case OBJECT_KINDS:
	case OBJECT_GROUP_RULE:
	case OBJECT_ACL_RULE: abort(); /* parts have no entry of their own */
	}
	return json_reader_finish(reader);
}
