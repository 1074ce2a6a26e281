/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lab file says of the wires between its hosts, as a plan.
 *
 * A lab of several hosts has an underlay: one Ethernet segment, or several joined by routers
 *
 *	lab:
 *	  underlay:
 *	    networks: {left: {}, right: {mtu: 9000}}
 *	    routers:
 *	      r1: {left: 192.0.2.254/24, right: 198.51.100.254/24}
 *	hosts:
 *	  h1: {underlay: 192.0.2.1/24}
 *
 * A host is on the network that a router has an address of the host's range on, or that its
 * `network` names; with one network it need not be said. Pure: nothing is made here.
 *
 * Neighbours: lab_file.c (calls this), lab_underlay.c (makes it).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "cli/lab.h"

#define DEVICE_NAME_LENGTH_MAX 15
#define VLAN_TAG_MAX 4094
#define UNDERLAY_DEVICE "eth0"

static int refuse(struct error *error, const char *path, const char *text, const char *what)
{
	return error_set(error, EINVAL, path, "\"%.64s\" is not %s", text ? text : "?", what);
}

/* "192.0.2.1/24", or a list of such, as a list. Return: 0 or negative errno. */
static int read_addresses(const json_t *value, const char *path, json_t **list, struct error *error)
{
	json_t *texts = json_is_array(value) ? json_incref((json_t *)value)
					     : json_pack("[O]", value);
	struct ip_prefix prefix;
	json_t *text;
	size_t index;

	json_array_foreach(texts, index, text) {
		const char *characters = json_string_value(text);
		const char *slash = characters ? strchr(characters, '/') : NULL;

		if (!slash || ip_prefix_parse(characters, &prefix) < 0) {
			refuse(error, path, characters,
			       "an address with the length of its network (192.0.2.1/24)");
			json_decref(texts);
			return -EINVAL;
		}
	}
	if (json_array_size(texts) == 0) {
		json_decref(texts);
		return error_set(error, EINVAL, path, "needs an address (192.0.2.1/24)");
	}
	*list = texts;
	return 0;
}

static bool name_fits(const char *name)
{
	return strlen(name) <= DEVICE_NAME_LENGTH_MAX && *name &&
	       name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] == '\0';
}

static int plan_networks(const json_t *given, const char *place, json_t *networks,
			 struct error *error)
{
	const char *name, *key;
	json_t *network, *value;

	json_object_foreach((json_t *)given, name, network) {
		char path[128];

		snprintf(path, sizeof(path), "%s.%.40s", place, name);
		if (!name_fits(name))
			return refuse(error, path, name,
				      "a name for a network: up to 15 of a-z, 0-9 and -");
		if (!json_is_object(network) && !json_is_null(network))
			return error_set(error, EINVAL, path, "must be a map");
		json_object_foreach(network, key, value) {
			if (strcmp(key, "reflect") == 0 && json_is_boolean(value))
				continue;
			if (strcmp(key, "reflect") == 0)
				return error_set(error, EINVAL, path,
						 "reflect must be true or false");
			if (strcmp(key, "mtu") != 0)
				return error_set(error, EINVAL, path, "unknown key \"%.40s\"", key);
			if (!json_is_integer(value) || json_integer_value(value) < 576 ||
			    json_integer_value(value) > 65535)
				return error_set(error, EINVAL, path,
						 "mtu must be a number from 576 to 65535");
		}
		json_object_set_new(networks, name,
				    json_is_null(network) ? json_object() : json_incref(network));
	}
	return 0;
}

/* Networks beside the underlay: nothing of Weft's own is there. */
static int plan_segments(const json_t *lab, const json_t *networks, json_t *segments,
			 struct error *error)
{
	const json_t *given = json_object_get(lab, "networks");
	const char *name;
	json_t *network;

	if (given && !json_is_object(given))
		return error_set(error, EINVAL, "lab.networks", "must be a map of names");
	json_object_foreach((json_t *)given, name, network) {
		if (json_object_get(networks, name) || strcmp(name, "control") == 0)
			return error_set(error, EINVAL, "lab.networks",
					 "%.40s is the name of a network of the underlay", name);
	}
	return plan_networks(given, "lab.networks", segments, error);
}

static int plan_router(const json_t *given, const char *path, const json_t *networks,
		       json_t *router, struct error *error)
{
	const char *network;
	json_t *value, *list;
	int code;

	if (!json_is_object(given))
		return error_set(error, EINVAL, path, "must be a map of networks to addresses");
	json_object_foreach((json_t *)given, network, value) {
		if (!json_object_get(networks, network))
			return error_set(error, EINVAL, path, "there is no network \"%.40s\"",
					 network);
		code = read_addresses(value, path, &list, error);
		if (code < 0)
			return code;
		json_object_set_new(router, network, list);
	}
	return 0;
}

static int plan_routers(const json_t *given, const json_t *networks, json_t *routers,
			struct error *error)
{
	const char *name;
	json_t *value;

	json_object_foreach((json_t *)given, name, value) {
		json_t *router = json_object();
		char path[128];
		int code;

		snprintf(path, sizeof(path), "lab.underlay.routers.%.40s", name);
		json_object_set_new(routers, name, router);
		if (!name_fits(name))
			return refuse(error, path, name,
				      "a name for a router: up to 15 of a-z, 0-9 and -");
		code = plan_router(value, path, networks, router, error);
		if (code < 0)
			return code;
	}
	return 0;
}

int lab_wires_plan(const json_t *lab, json_t **underlay, struct error *error)
{
	const json_t *given = json_object_get(lab, "underlay");
	json_t *networks = json_object(), *routers = json_object(), *segments = json_object();
	const char *key;
	json_t *value;
	int code = 0;

	if (given && !json_is_object(given))
		code = error_set(error, EINVAL, "lab.underlay",
				 "must be a map with networks and routers");
	json_object_foreach((json_t *)given, key, value) {
		if (strcmp(key, "networks") != 0 && strcmp(key, "routers") != 0)
			code = error_set(error, EINVAL, "lab.underlay",
					 "unknown key \"%.40s\"; it has networks and routers", key);
		else if (!json_is_object(value))
			code = error_set(error, EINVAL, "lab.underlay", "%s must be a map", key);
	}
	if (code == 0)
		code = plan_networks(json_object_get(given, "networks"), "lab.underlay.networks",
				     networks, error);
	if (json_object_size(networks) == 0)
		json_object_set_new(networks, "underlay", json_object());
	if (code == 0)
		code = plan_segments(lab, networks, segments, error);
	if (code == 0)
		code = plan_routers(json_object_get(given, "routers"), networks, routers, error);
	*underlay = json_pack("{s:o, s:o, s:o}", "networks", networks, "routers", routers,
			      "segments", segments);
	return code;
}

/* Whether a router has an address on @network in the range of @host_address. */
static bool router_is_near(const json_t *underlay, const char *network,
			   const struct ip_prefix *host_address)
{
	const char *name;
	json_t *router, *text;
	size_t index;

	json_object_foreach(json_object_get(underlay, "routers"), name, router) {
		json_array_foreach(json_object_get(router, network), index, text) {
			struct ip_prefix prefix;

			if (ip_prefix_parse(json_string_value(text), &prefix) == 0 &&
			    prefix.length == host_address->length &&
			    ip_prefix_contains(&prefix, &host_address->address))
				return true;
		}
	}
	return false;
}

/* The network that a host is on; NULL with @error. */
static const char *network_of_host(const json_t *underlay, const json_t *host, const char *path,
				   const json_t *addresses, struct error *error)
{
	json_t *networks = json_object_get(underlay, "networks"), *network;
	const char *named = json_string_value(json_object_get(host, "network")), *name;
	struct ip_prefix address;

	if (named && !json_object_get(networks, named)) {
		error_set(error, EINVAL, path, "there is no network \"%.40s\"", named);
		return NULL;
	}
	if (named)
		return named;
	if (json_object_size(networks) == 1)
		return json_object_iter_key(json_object_iter(networks));
	ip_prefix_parse(json_string_value(json_array_get(addresses, 0)), &address);
	json_object_foreach(networks, name, network) {
		if (router_is_near(underlay, name, &address))
			return name;
	}
	error_set(error, EINVAL, path,
		  "no router has an address in this range; say network: NAME for the host");
	return NULL;
}

/* What a node may have besides: a tag on its wire, and who it sends to what is not near. */
static int plan_node_extras(const json_t *node, const char *path, json_t *entry,
			    struct error *error)
{
	const json_t *tag = json_object_get(node, "vlan");
	const json_t *gateway = json_object_get(node, "gateway");
	struct ip_address address;

	if (tag && (!json_is_integer(tag) || json_integer_value(tag) < 1 ||
		    json_integer_value(tag) > VLAN_TAG_MAX))
		return error_set(error, EINVAL, path, "vlan must be a number from 1 to %d",
				 VLAN_TAG_MAX);
	if (gateway && (!json_is_string(gateway) ||
			ip_address_parse(json_string_value(gateway), &address) < 0))
		return error_set(error, EINVAL, path, "gateway must be an address (10.0.0.1)");
	if (tag)
		json_object_set(entry, "vlan", (json_t *)tag);
	if (gateway)
		json_object_set(entry, "gateway", (json_t *)gateway);
	return 0;
}

int lab_wires_plan_uplinks(const json_t *underlay, const char *name, const json_t *host,
			   json_t *entry, struct error *error)
{
	const json_t *given = json_object_get(host, "uplinks");
	json_t *made = json_object(), *device;
	const char *network;
	char path[128];

	json_object_set_new(entry, "uplinks", made);
	snprintf(path, sizeof(path), "hosts.%.40s.uplinks", name);
	json_object_foreach((json_t *)given, network, device) {
		const char *ifname = json_string_value(device);

		if (!ifname || !name_fits(ifname))
			return refuse(error, path, ifname, "the name of a device");
		/* By the device that it is on the underlay with. */
		if (strcmp(ifname, UNDERLAY_DEVICE) == 0)
			continue;
		if (!json_object_get(json_object_get(underlay, "segments"), network))
			return error_set(error, EINVAL, path,
					 "there is no network \"%.40s\" under lab.networks",
					 network);
		json_object_set(made, network, device);
	}
	return 0;
}

int lab_wires_plan_node(const json_t *underlay, const char *name, const json_t *node, json_t *entry,
			struct error *error)
{
	const json_t *address = json_object_get(node, "address");
	const char *network = json_string_value(json_object_get(node, "network")), *key;
	json_t *addresses, *value;
	char path[128];
	int code;

	snprintf(path, sizeof(path), "lab.nodes.%.40s", name);
	if (!name_fits(name))
		return refuse(error, path, name, "a name for a node: up to 15 of a-z, 0-9 and -");
	if (!json_is_object(node))
		return error_set(error, EINVAL, path, "must be a map with network and address");
	json_object_foreach((json_t *)node, key, value) {
		if (strcmp(key, "network") != 0 && strcmp(key, "address") != 0 &&
		    strcmp(key, "vlan") != 0 && strcmp(key, "gateway") != 0)
			return error_set(error, EINVAL, path,
					 "unknown key \"%.40s\"; a node has network, address, vlan "
					 "and gateway",
					 key);
	}
	code = plan_node_extras(node, path, entry, error);
	if (code < 0)
		return code;
	if (!network || (!json_object_get(json_object_get(underlay, "networks"), network) &&
			 !json_object_get(json_object_get(underlay, "segments"), network)))
		return error_set(error, EINVAL, path, "there is no network \"%.40s\"",
				 network ? network : "");
	if (!address)
		return error_set(error, EINVAL, path, "needs an address (192.0.2.9/24)");
	code = read_addresses(address, path, &addresses, error);
	if (code < 0)
		return code;
	json_object_set_new(entry, "addresses", addresses);
	json_object_set_new(entry, "network", json_string(network));
	return 0;
}

static int plan_tag(const char *tag, const json_t *given, const char *path, json_t *tags,
		    struct error *error)
{
	char *end;
	unsigned long number = strtoul(tag, &end, 10);
	json_t *addresses;
	int code;

	if (*end || number < 1 || number > VLAN_TAG_MAX)
		return error_set(error, EINVAL, path, "\"%.16s\" is no tag: a number from 1 to %d",
				 tag, VLAN_TAG_MAX);
	code = read_addresses(given, path, &addresses, error);
	if (code == 0)
		json_object_set_new(tags, tag, addresses);
	return code;
}

int lab_wires_plan_tags(const json_t *lab, json_t *nodes, struct error *error)
{
	json_t *given = json_object_get(lab, "tags"), *of_node, *value;
	const char *node, *tag;
	int code = 0;

	if (given && !json_is_object(given))
		return error_set(error, EINVAL, "lab.tags", "must be a map of ports");
	json_object_foreach(given, node, of_node) {
		json_t *entry = json_object_get(nodes, node), *tags;
		char path[128];

		snprintf(path, sizeof(path), "lab.tags.%.80s", node);
		if (!json_is_string(json_object_get(entry, "namespace")))
			return error_set(error, EINVAL, path,
					 "there is no port of this name with a namespace");
		if (!json_is_object(of_node))
			return error_set(error, EINVAL, path, "must be a map of tags to addresses");
		tags = json_object();
		json_object_set_new(entry, "tags", tags);
		json_object_foreach(of_node, tag, value) {
			if (code == 0)
				code = plan_tag(tag, value, path, tags, error);
		}
	}
	return code;
}

int lab_wires_plan_host(const json_t *underlay, const char *name, json_t *host, json_t *entry,
			struct error *error)
{
	const char *network;
	json_t *addresses;
	char path[128];
	int code;

	snprintf(path, sizeof(path), "hosts.%.40s.underlay", name);
	code = lab_wires_plan_uplinks(underlay, name, host, entry, error);
	if (code < 0)
		return code;
	/* One that is alone needs no underlay. */
	if (json_is_object(host) && !json_object_get(host, "underlay") &&
	    !json_object_get(host, "network") && json_is_true(json_object_get(entry, "alone")))
		return 0;
	if (!json_is_object(host) || !json_object_get(host, "underlay"))
		return error_set(error, EINVAL, path,
				 "a lab of several hosts says where each is: underlay: "
				 "192.0.2.1/24");
	code = read_addresses(json_object_get(host, "underlay"), path, &addresses, error);
	if (code < 0)
		return code;
	network = network_of_host(underlay, host, path, addresses, error);
	json_object_set_new(entry, "underlay", addresses);
	if (!network)
		return -EINVAL;
	json_object_set_new(entry, "network", json_string(network));
	/* The lab's own words; the rest is the daemon's. */
	json_object_del(host, "network");
	return 0;
}
