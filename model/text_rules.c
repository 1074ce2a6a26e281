/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rules of security groups and ACLs: JSON to rules, back, and to words.
 *
 * Ports are kept sorted with overlaps merged, so that equal rules have equal content whatever way
 * they were written, and "0-65535" is the same as no ports at all. ICMP types and codes are
 * ranges of type << 8 | code.
 *
 * Neighbours: text_read.c and text_write.c (the other objects), object.c (comparison, ids).
 */
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/text_private.h"

#define ACL_NUMBER_MAX 32766 /* V42 */

static const struct {
	const char *name;
	int protocol;
	bool icmp_both;
} protocols[] = {
	{ "all", PROTOCOL_ALL, false },      { "tcp", IPPROTO_TCP, false },
	{ "udp", IPPROTO_UDP, false },       { "icmp", IPPROTO_ICMP, true },
	{ "icmpv6", IPPROTO_ICMPV6, false },
};

/* One rule being read. */
struct rule_reading {
	struct draft *draft;
	const struct object *object;
	struct json_reader *reader;
	struct rule_object *rule;
};

/* ---- reading ---- */

static bool refuse_protocol(const struct rule_reading *reading, const char *text)
{
	return text_refuse(
		reading->draft, reading->reader, "protocol",
		"protocol is all, tcp, udp, icmp, icmpv6 or a number from 0 to 255, not %s", text);
}

static void read_protocol(const struct rule_reading *reading)
{
	struct rule_object *rule = reading->rule;
	char shown[70];
	json_t *value;

	if (!json_reader_value(reading->reader, "protocol", JSON_REQUIRED, &value))
		return;
	if (json_is_integer(value)) {
		json_int_t number = json_integer_value(value);

		snprintf(shown, sizeof(shown), "%lld", (long long)number);
		if (number < 0 || number > 255)
			refuse_protocol(reading, shown);
		else
			rule->protocol = (int)number;
		return;
	}
	for (size_t i = 0; json_is_string(value) && i < ARRAY_SIZE(protocols); i++) {
		if (strcmp(json_string_value(value), protocols[i].name) == 0) {
			rule->protocol = protocols[i].protocol;
			rule->icmp_both = protocols[i].icmp_both;
			return;
		}
	}
	snprintf(shown, sizeof(shown), "\"%.64s\"",
		 json_is_string(value) ? json_string_value(value) : json_type_name(value));
	refuse_protocol(reading, shown);
}

/* A port number at *@text, which moves behind it. */
static bool parse_port(const char **text, uint16_t *port)
{
	uint32_t number = 0;
	const char *c = *text;

	for (; *c >= '0' && *c <= '9' && c - *text < 6; c++)
		number = number * 10 + (uint32_t)(*c - '0');
	if (c == *text || number > 65535)
		return false;
	*text = c;
	*port = (uint16_t)number;
	return true;
}

static const char *skip_spaces(const char *text)
{
	return text + strspn(text, " ");
}

static bool parse_ports(const struct rule_reading *reading, const char *ports)
{
	struct rule_object *rule = reading->rule;
	const char *text = ports;

	for (;;) {
		struct port_range range;

		text = skip_spaces(text);
		if (!parse_port(&text, &range.first))
			break;
		range.last = range.first;
		if (*text == '-') {
			text++;
			if (!parse_port(&text, &range.last) || range.last < range.first)
				break;
		}
		if (rule->range_count == RULE_PORTS_MAX)
			return text_refuse(reading->draft, reading->reader, "ports",
					   "a rule has at most %d ranges of ports", RULE_PORTS_MAX);
		rule->ranges[rule->range_count++] = range;
		text = skip_spaces(text);
		if (*text == '\0')
			return true;
		if (*text++ != ',')
			break;
	}
	return text_refuse(
		reading->draft, reading->reader, "ports",
		"ports \"%.64s\" is not a list such as \"80,8000-8099\" of numbers up to 65535",
		ports);
}

static int compare_ranges(const void *a, const void *b)
{
	const struct port_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Ascending, apart from one another; nothing at all where that is every port. */
static void merge_ranges(struct rule_object *rule)
{
	size_t kept = 0;

	qsort(rule->ranges, rule->range_count, sizeof(rule->ranges[0]), compare_ranges);
	for (size_t i = 1; i < rule->range_count; i++) {
		struct port_range *last = &rule->ranges[kept];

		if (rule->ranges[i].first > (uint32_t)last->last + 1)
			rule->ranges[++kept] = rule->ranges[i];
		else if (rule->ranges[i].last > last->last)
			last->last = rule->ranges[i].last;
	}
	rule->range_count = rule->range_count ? kept + 1 : 0;
	if (rule->range_count == 1 && rule->ranges[0].first == 0 && rule->ranges[0].last == 65535)
		rule->range_count = 0;
}

static void read_ports(const struct rule_reading *reading)
{
	struct rule_object *rule = reading->rule;
	json_t *value;

	if (!json_reader_value(reading->reader, "ports", JSON_OPTIONAL, &value))
		return;
	if (rule->protocol != IPPROTO_TCP && rule->protocol != IPPROTO_UDP) {
		text_refuse(reading->draft, reading->reader, "ports",
			    "ports goes with protocol tcp or udp");
		return;
	}
	if (json_is_string(value)) {
		if (!parse_ports(reading, json_string_value(value)))
			return;
	} else if (json_is_integer(value) && json_integer_value(value) >= 0 &&
		   json_integer_value(value) <= 65535) {
		rule->ranges[0].first = (uint16_t)json_integer_value(value);
		rule->ranges[0].last = rule->ranges[0].first;
		rule->range_count = 1;
	} else {
		text_refuse(reading->draft, reading->reader, "ports",
			    "ports is a number from 0 to 65535 or a list such as \"80,8000-8099\"");
		return;
	}
	merge_ranges(rule);
}

static void read_icmp(const struct rule_reading *reading)
{
	struct rule_object *rule = reading->rule;
	bool icmp = rule->protocol == IPPROTO_ICMP || rule->protocol == IPPROTO_ICMPV6;
	int64_t type = 0, code = 0;
	bool has_type = json_reader_integer(reading->reader, "type", JSON_OPTIONAL, 0, 255, &type);
	bool has_code = json_reader_integer(reading->reader, "code", JSON_OPTIONAL, 0, 255, &code);

	if (!has_type && !has_code)
		return;
	if (!icmp) {
		text_refuse(reading->draft, reading->reader, has_type ? "type" : "code",
			    "type and code go with protocol icmp or icmpv6");
	} else if (!has_type) {
		text_refuse(reading->draft, reading->reader, "code", "code needs a type beside it");
	} else {
		rule->ranges[0].first = (uint16_t)(type << 8 | code);
		rule->ranges[0].last = (uint16_t)(type << 8 | (has_code ? code : 255));
		rule->range_count = 1;
	}
}

static void read_peer(const struct rule_reading *reading, bool ingress)
{
	const char *key = ingress ? "from" : "to";
	const char *other = ingress ? "to" : "from";
	struct rule_object *rule = reading->rule;
	const char *text;

	if (!json_reader_failed(reading->reader) &&
	    json_object_get(reading->reader->object, other)) {
		text_refuse(reading->draft, reading->reader, other, "a rule of %s has %s, not %s",
			    ingress ? "ingress" : "egress", key, other);
		return;
	}
	if (!json_reader_text(reading->reader, key, JSON_REQUIRED, 400, &text))
		return;
	if (strncmp(text, "group:", 6) == 0) {
		rule->peer = PEER_GROUP;
		if (reading->object->kind == OBJECT_ACL)
			text_refuse(reading->draft, reading->reader, key,
				    "a rule of an acl names a range, not a group");
		else
			rule->group_id = text_resolve(reading->draft, reading->reader, key,
						      reading->object->vpc_id,
						      OBJECT_SECURITY_GROUP, text + 6);
		return;
	}
	rule->peer = PEER_PREFIX;
	if (ip_prefix_parse_or_address(text, &rule->prefix)) {
		text_refuse(reading->draft, reading->reader, key,
			    "%s \"%.64s\" is neither ADDRESS/LENGTH nor group:NAME", key, text);
		return;
	}
	rule->prefix = ip_prefix_canonicalise(&rule->prefix);
	if (rule->protocol == IPPROTO_ICMPV6 && ip_prefix_is_ipv4(&rule->prefix))
		text_refuse(reading->draft, reading->reader, "protocol",
			    "icmpv6 never has an IPv4 address; write icmp for %.64s", text);
}

static void read_acl_keys(const struct rule_reading *reading)
{
	const char *action;
	int64_t number;

	if (json_reader_integer(reading->reader, "number", JSON_REQUIRED, 1, ACL_NUMBER_MAX,
				&number))
		reading->rule->number = (uint32_t)number;
	if (!json_reader_text(reading->reader, "action", JSON_REQUIRED, 400, &action))
		return;
	reading->rule->deny = strcmp(action, "deny") == 0;
	if (!reading->rule->deny && strcmp(action, "allow") != 0)
		text_refuse(reading->draft, reading->reader, "action",
			    "action is allow or deny, not \"%.64s\"", action);
}

static int read_rule(struct rule_reading *reading, bool ingress, bool record)
{
	int64_t id;

	if (reading->object->kind == OBJECT_ACL)
		read_acl_keys(reading);
	if (record && json_reader_integer(reading->reader, "id", JSON_REQUIRED, 1, UINT32_MAX, &id))
		reading->rule->id = (uint32_t)id;
	read_protocol(reading);
	read_ports(reading);
	read_icmp(reading);
	read_peer(reading, ingress);
	return json_reader_finish(reading->reader);
}

static int compare_numbers(const void *a, const void *b)
{
	uint32_t x = ((const struct rule_object *)a)->number;
	uint32_t y = ((const struct rule_object *)b)->number;

	return (x > y) - (x < y);
}

/* Return: whether the key was there. */
static bool read_list(struct draft *draft, struct draft_entry *entry, struct json_reader *reader,
		      bool ingress, bool record, struct rule_list *list)
{
	const char *key = ingress ? "ingress" : "egress";
	size_t limit = entry->after->kind == OBJECT_ACL ? ACL_RULES_MAX : GROUP_RULES_MAX;
	json_t *rules, *value;
	size_t index;

	if (!json_reader_array(reader, key, JSON_OPTIONAL, limit, &rules))
		return false;
	json_array_foreach(rules, index, value) {
		struct rule_object rule = { .protocol = PROTOCOL_ALL };
		struct json_reader child;
		struct rule_reading reading = { draft, entry->after, &child, &rule };

		json_reader_element(reader, key, index, value, &child);
		reader->code = read_rule(&reading, ingress, record);
		if (reader->code)
			return true;
		rule_list_add(list, &rule);
	}
	if (entry->after->kind == OBJECT_ACL && list->count)
		qsort(list->rules, list->count, sizeof(*list->rules), compare_numbers);
	return true;
}

int text_read_rules(struct draft *draft, struct draft_entry *entry, struct json_reader *reader,
		    bool record)
{
	struct object *object = entry->after;

	if (object->kind == OBJECT_ACL) {
		struct acl_object *acl = (struct acl_object *)object;

		read_list(draft, entry, reader, true, record, &acl->ingress);
		read_list(draft, entry, reader, false, record, &acl->egress);
	} else {
		struct security_group_object *group = (struct security_group_object *)object;

		if (!read_list(draft, entry, reader, true, record, &group->ingress))
			group_default_ingress(group, &group->ingress);
		if (!read_list(draft, entry, reader, false, record, &group->egress))
			group_default_egress(&group->egress);
	}
	return reader->code;
}

/* ---- writing ---- */

static const char *protocol_name(const struct rule_object *rule)
{
	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		if (rule->protocol == protocols[i].protocol &&
		    rule->icmp_both == protocols[i].icmp_both)
			return protocols[i].name;
	return NULL;
}

static bool is_icmp(const struct rule_object *rule)
{
	return rule->protocol == IPPROTO_ICMP || rule->protocol == IPPROTO_ICMPV6;
}

void text_ports(const struct rule_object *rule, struct buf *text)
{
	for (size_t i = 0; i < rule->range_count; i++) {
		const struct port_range *range = &rule->ranges[i];

		buf_printf(text, "%s%u", i ? "," : "", range->first);
		if (range->last != range->first)
			buf_printf(text, "-%u", range->last);
	}
}

static void write_peer(const struct intent *intent, const struct rule_object *rule, char text[80])
{
	const struct object *group;

	if (rule->peer == PEER_PREFIX) {
		ip_prefix_format(&rule->prefix, text);
		return;
	}
	group = intent_named(intent, rule->group_id);
	snprintf(text, 80, "group:%s", group ? group->name : "?");
}

static json_t *write_rule(const struct intent *intent, const struct object *object,
			  const struct rule_object *rule, bool ingress, enum text_form form)
{
	const char *name = protocol_name(rule);
	json_t *json = json_object();
	char peer[80];

	if (form == TEXT_RECORD)
		json_object_set_new(json, "id", json_integer(rule->id));
	if (object->kind == OBJECT_ACL) {
		json_object_set_new(json, "number", json_integer(rule->number));
		json_object_set_new(json, "action", json_string(rule->deny ? "deny" : "allow"));
	}
	json_object_set_new(json, "protocol",
			    name ? json_string(name) : json_integer(rule->protocol));
	if (rule->range_count && is_icmp(rule)) {
		const struct port_range *range = &rule->ranges[0];

		json_object_set_new(json, "type", json_integer(range->first >> 8));
		if (range->first == range->last)
			json_object_set_new(json, "code", json_integer(range->first & 255));
	} else if (rule->range_count) {
		struct buf ports = { 0 };

		text_ports(rule, &ports);
		json_object_set_new(json, "ports", json_string(buf_text(&ports)));
		buf_fini(&ports);
	}
	write_peer(intent, rule, peer);
	json_object_set_new(json, ingress ? "from" : "to", json_string(peer));
	return json;
}

json_t *text_write_rules(const struct intent *intent, const struct object *object, bool ingress,
			 enum text_form form)
{
	json_t *rules = json_array();
	const struct rule_list *list;

	if (object->kind == OBJECT_ACL)
		list = ingress ? &((const struct acl_object *)object)->ingress
			       : &((const struct acl_object *)object)->egress;
	else
		list = ingress ? &((const struct security_group_object *)object)->ingress
			       : &((const struct security_group_object *)object)->egress;
	for (size_t i = 0; i < list->count; i++)
		json_array_append_new(rules,
				      write_rule(intent, object, &list->rules[i], ingress, form));
	return rules;
}

void text_rule(const struct intent *intent, const struct rule_object *rule, bool ingress,
	       struct buf *text)
{
	const char *name = protocol_name(rule);
	char peer[80];

	if (rule->number)
		buf_append_text(text, rule->deny ? "deny " : "allow ");
	if (name)
		buf_append_text(text, name);
	else
		buf_printf(text, "protocol %d", rule->protocol);
	if (rule->range_count && is_icmp(rule)) {
		buf_printf(text, " type %u", rule->ranges[0].first >> 8);
		if (rule->ranges[0].first == rule->ranges[0].last)
			buf_printf(text, " code %u", rule->ranges[0].first & 255);
	} else if (rule->range_count) {
		buf_append_char(text, ' ');
		text_ports(rule, text);
	}
	write_peer(intent, rule, peer);
	buf_printf(text, " %s %s", ingress ? "from" : "to", peer);
}
