/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is said of a port to itself; see metadata.h.
 *
 * Ids follow the shape that tools know from EC2 (i-, eni-, subnet-, vpc-, sg- and hexadecimal digits) and are
 * those of the objects. Nothing about the host or other tenants is in it.
 */
#include "agent/services/metadata.h"

#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define HASH_SIZE 32
#define EXPIRES_DIGITS 16

/* ---- pieces ---- */

static json_t *id_json(const char *kind, uint32_t id)
{
	return json_sprintf("%s-%08" PRIx32, kind, id);
}

static json_t *hostname_json(const struct vpc_object *vpc, const struct port_object *port)
{
	char domain[DNS_DOMAIN_SIZE];

	return json_sprintf("%s.%s", port->object.name, vpc_domain(vpc, domain));
}

static json_t *mac_json(const struct port_object *port)
{
	char text[MAC_ADDRESS_TEXT_SIZE];

	return json_string(mac_address_format(&port->mac, text));
}

static json_t *address_json(const struct ip_address *address)
{
	char text[IP_ADDRESS_TEXT_SIZE];

	return json_string(ip_address_format(address, text));
}

static json_t *prefix_json(const struct ip_prefix *prefix)
{
	char text[IP_PREFIX_TEXT_SIZE];

	return json_string(ip_prefix_format(prefix, text));
}

/* Lines, as EC2 writes what is more than one. */
static void add_line(struct buf *lines, const char *line)
{
	if (lines->size)
		buf_append_char(lines, '\n');
	buf_append_text(lines, line);
}

static json_t *lines_json(struct buf *lines)
{
	json_t *json = json_string(buf_text(lines));

	buf_fini(lines);
	return json;
}

/* A key with a value; left out where there is nothing to say. Takes @value over. */
static void set_some(json_t *tree, const char *key, json_t *value)
{
	if (json_is_string(value) && json_string_length(value))
		json_object_set_new(tree, key, value);
	else
		json_decref(value);
}

static json_t *addresses_lines(const struct port_object *port, bool ipv4)
{
	struct buf lines = { 0 };
	char text[IP_ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < port->address_count; i++)
		if (ip_address_is_ipv4(&port->addresses[i]) == ipv4)
			add_line(&lines, ip_address_format(&port->addresses[i], text));
	return lines_json(&lines);
}

static json_t *first_address(const struct port_object *port, bool ipv4)
{
	for (size_t i = 0; i < port->address_count; i++)
		if (ip_address_is_ipv4(&port->addresses[i]) == ipv4)
			return address_json(&port->addresses[i]);
	return json_string("");
}

static json_t *groups_lines(const struct intent *intent, const struct port_object *port, bool ids)
{
	struct buf lines = { 0 };
	char text[32];

	for (size_t i = 0; i < port->group_count; i++) {
		const struct object *group = intent_object(intent, port->group_ids[i]);

		snprintf(text, sizeof(text), "sg-%08" PRIx32, port->group_ids[i]);
		if (group)
			add_line(&lines, ids ? text : group->name);
	}
	return lines_json(&lines);
}

static json_t *cidrs_lines(const struct vpc_object *vpc, bool ipv4)
{
	struct buf lines = { 0 };
	char text[IP_PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < vpc->cidr_count; i++)
		if (ip_prefix_is_ipv4(&vpc->cidrs[i]) == ipv4)
			add_line(&lines, ip_prefix_format(&vpc->cidrs[i], text));
	return lines_json(&lines);
}

/* ---- the tree ---- */

static json_t *interface_tree(const struct intent *intent, const struct vpc_object *vpc,
			      const struct subnet_object *subnet, const struct port_object *port)
{
	json_t *tree = json_object();

	json_object_set_new(tree, "device-number", json_string("0"));
	json_object_set_new(tree, "interface-id", id_json("eni", port->object.id));
	set_some(tree, "ipv6s", addresses_lines(port, false));
	json_object_set_new(tree, "local-hostname", hostname_json(vpc, port));
	set_some(tree, "local-ipv4s", addresses_lines(port, true));
	json_object_set_new(tree, "mac", mac_json(port));
	set_some(tree, "security-group-ids", groups_lines(intent, port, true));
	set_some(tree, "security-groups", groups_lines(intent, port, false));
	json_object_set_new(tree, "subnet-id", id_json("subnet", subnet->object.id));
	if (subnet->cidrs[0].length)
		json_object_set_new(tree, "subnet-ipv4-cidr-block", prefix_json(&subnet->cidrs[0]));
	if (subnet->cidrs[1].length)
		json_object_set_new(tree, "subnet-ipv6-cidr-blocks",
				    prefix_json(&subnet->cidrs[1]));
	json_object_set_new(tree, "vpc-id", id_json("vpc", vpc->object.id));
	set_some(tree, "vpc-ipv4-cidr-blocks", cidrs_lines(vpc, true));
	set_some(tree, "vpc-ipv6-cidr-blocks", cidrs_lines(vpc, false));
	return tree;
}

json_t *metadata_tree(const struct intent *intent, const struct port_object *port)
{
	const struct vpc_object *vpc =
		(const struct vpc_object *)intent_object(intent, port->object.vpc_id);
	const struct subnet_object *subnet =
		(const struct subnet_object *)intent_object(intent, port->subnet_id);
	char mac[MAC_ADDRESS_TEXT_SIZE];
	json_t *tree = json_object();

	json_object_set_new(tree, "hostname", hostname_json(vpc, port));
	json_object_set_new(tree, "instance-id", id_json("i", port->object.id));
	set_some(tree, "ipv6", first_address(port, false));
	json_object_set_new(tree, "local-hostname", hostname_json(vpc, port));
	set_some(tree, "local-ipv4", first_address(port, true));
	json_object_set_new(tree, "mac", mac_json(port));
	mac_address_format(&port->mac, mac);
	json_object_set_new(tree, "network",
			    json_pack("{s:{s:{s:o}}}", "interfaces", "macs", mac,
				      interface_tree(intent, vpc, subnet, port)));
	set_some(tree, "security-groups", groups_lines(intent, port, false));
	return tree;
}

json_t *metadata_port(const struct intent *intent, const struct port_object *port)
{
	const struct object *vpc = intent_object(intent, port->object.vpc_id);
	const struct subnet_object *subnet =
		(const struct subnet_object *)intent_object(intent, port->subnet_id);
	json_t *addresses = json_array(), *gateways = json_array(), *groups = json_array();
	const struct ip_address none = { { 0 } };

	for (size_t i = 0; i < port->address_count; i++)
		json_array_append_new(addresses, address_json(&port->addresses[i]));
	for (size_t family = 0; family < 2; family++)
		if (!ip_address_equal(&subnet->gateways[family], &none))
			json_array_append_new(gateways, address_json(&subnet->gateways[family]));
	for (size_t i = 0; i < port->group_count; i++) {
		const struct object *group = intent_object(intent, port->group_ids[i]);

		if (group)
			json_array_append_new(groups, json_string(group->name));
	}
	return json_pack("{s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:i, s:o, s:b}", "vpc", vpc->name,
			 "name", port->object.name, "subnet", subnet->object.name, "hostname",
			 hostname_json((const struct vpc_object *)vpc, port), "addresses",
			 addresses, "gateways", gateways, "mac", mac_json(port), "mtu",
			 (int)intent_port_mtu(intent, port), "security_groups", groups, "user_data",
			 port->user_data != NULL);
}

bool metadata_look_up(const json_t *tree, const char *path, struct buf *text)
{
	char name[64];
	const json_t *child;
	const char *key;

	while (*path) {
		size_t length = strcspn(path, "/");

		if (length == 0 || length >= sizeof(name) || !json_is_object(tree))
			return false;
		memcpy(name, path, length);
		name[length] = '\0';
		tree = json_object_get(tree, name);
		if (!tree)
			return false;
		path += length;
		path += *path == '/';
	}
	if (json_is_string(tree)) {
		buf_append_text(text, json_string_value(tree));
		return true;
	}
	for (void *it = json_object_iter((json_t *)tree); it;
	     it = json_object_iter_next((json_t *)tree, it)) {
		key = json_object_iter_key(it);
		child = json_object_iter_value(it);
		buf_printf(text, "%s%s%s", text->size ? "\n" : "", key,
			   json_is_object(child) ? "/" : "");
	}
	return true;
}

/* ---- tokens ---- */

static void hash_hex(const uint8_t key[METADATA_KEY_SIZE], uint32_t port_id, uint64_t expires,
		     char hex[2 * HASH_SIZE + 1])
{
	uint8_t hash[HASH_SIZE];
	char text[64];
	int length = snprintf(text, sizeof(text), "%" PRIu32 " %" PRIu64, port_id, expires);

	if (gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, METADATA_KEY_SIZE, text, (size_t)length, hash))
		abort(); /* it has this hash */
	for (size_t i = 0; i < HASH_SIZE; i++)
		snprintf(hex + 2 * i, 3, "%02x", hash[i]);
}

void metadata_token(const uint8_t key[METADATA_KEY_SIZE], uint32_t port_id, uint64_t expires,
		    char token[METADATA_TOKEN_SIZE])
{
	char hex[2 * HASH_SIZE + 1];

	hash_hex(key, port_id, expires, hex);
	snprintf(token, METADATA_TOKEN_SIZE, "%016" PRIx64 "%s", expires, hex);
}

bool metadata_token_holds(const uint8_t key[METADATA_KEY_SIZE], uint32_t port_id, uint64_t now,
			  const char *token)
{
	char digits[EXPIRES_DIGITS + 1] = "", hex[2 * HASH_SIZE + 1], *end;
	uint64_t expires;

	if (strlen(token) != EXPIRES_DIGITS + 2 * HASH_SIZE)
		return false;
	memcpy(digits, token, EXPIRES_DIGITS);
	expires = strtoull(digits, &end, 16);
	if (*end || expires < now)
		return false;
	hash_hex(key, port_id, expires, hex);
	return gnutls_memcmp(hex, token + EXPIRES_DIGITS, 2 * HASH_SIZE) == 0;
}
