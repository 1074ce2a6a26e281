/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lab file asks for, as a registry of hosts and nodes.
 *
 * Pure: the tree in, the registry and the daemon's tree out; nothing is made here. Every port that
 * says nothing of tap, tun, pid or a path is plugged into a namespace of the lab.
 *
 * Neighbours: lab_up.c, which makes what the registry lists.
 */
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/suggest.h"
#include "cli/lab.h"

/* What planning has in its hands. */
struct plan {
	json_t *hosts, *nodes;
	json_t *underlay, *machines, *stores; /* NULL: one host that is alone */
	const char *only_host;                /* NULL: there are several */
	const char *lab;
	struct map namespaces; /* name to the attach.netns or node that has it */
	struct error *error;
};

int lab_plan_name(const json_t *tree, const char *file, char name[LAB_NAME_SIZE],
		  struct error *error)
{
	const json_t *given = json_object_get(json_object_get(tree, "lab"), "name");
	const char *base = strrchr(file, '/');
	char *text;
	int code = 0;

	if (given && !json_is_string(given))
		return error_set(error, EINVAL, "lab.name", "must be a text");
	base = base ? base + 1 : file;
	text = given ? xstrdup(json_string_value(given)) : xstrndup(base, strcspn(base, "."));
	if (!*text || strlen(text) >= LAB_NAME_SIZE || *text == '-' ||
	    text[strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		code = error_set(error, EINVAL, given ? "lab.name" : NULL,
				 "\"%.64s\" is not a name for a lab: up to %d of a-z, 0-9 and -%s",
				 text, LAB_NAME_SIZE - 1, given ? "" : "; write lab: {name: …}");
	else
		snprintf(name, LAB_NAME_SIZE, "%s", text);
	free(text);
	return code;
}

/* Its namespace is marked as the lab's when it is made. */
static json_t *machine(const struct plan *plan, const char *name)
{
	return json_pack("{s:o}", "namespace", json_sprintf("weft-%s-%s", plan->lab, name));
}

static int plan_host(struct plan *plan, const char *name, json_t *host)
{
	json_t *entry;

	if (!name)
		return error_set(plan->error, EINVAL, "hosts", "a lab has at least one host");
	entry = machine(plan, name);

	json_object_set_new(plan->hosts, name, entry);
	if (plan->underlay && plan->only_host)
		json_object_set_new(entry, "alone", json_true());
	json_object_set_new(entry, "instance", json_sprintf("lab-%s-%s", plan->lab, name));
	if (strlen(name) > 32 ||
	    name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-")] != '\0')
		return error_set(plan->error, EINVAL, "hosts",
				 "\"%.64s\" is not a name for a host: up to 32 of a-z, 0-9 and -",
				 name);
	if (json_object_get(plan->machines, name))
		return error_set(plan->error, EINVAL, "hosts",
				 "%s is the name of a router or of the underlay already", name);
	return plan->underlay ? lab_wires_plan_host(plan->underlay, name, host, entry, plan->error)
			      : 0;
}

/* The members of the store: one, or as many as the file says. */
static int plan_stores(struct plan *plan, const json_t *lab)
{
	const json_t *store = json_object_get(lab, "store");
	const json_t *given = json_object_get(store, "members");
	json_int_t count = given ? json_integer_value(given) : 1;

	if (store && (!json_is_object(store) || json_object_size(store) != (given ? 1u : 0u)))
		return error_set(plan->error, EINVAL, "lab.store",
				 "must be a map with members: 1, 3 or 5");
	if (count != 1 && count != 3 && count != LAB_STORE_MEMBERS_MAX)
		return error_set(plan->error, EINVAL, "lab.store.members", "must be 1, 3 or 5");
	for (int member = 1; member <= count; member++) {
		char name[16];

		snprintf(name, sizeof(name), "store%d", member);
		json_object_set_new(plan->stores, name,
				    json_pack("{s:o, s:o}", "namespace",
					      json_sprintf("weft-%s-underlay", plan->lab),
					      "address", json_sprintf(LAB_STORE_ADDRESS, member)));
	}
	return 0;
}

/* What is between several hosts. */
static int plan_between(struct plan *plan, const json_t *lab)
{
	const char *router, *node;
	json_t *value;
	int code = lab_wires_plan(lab, &plan->underlay, plan->error);

	plan->machines = json_object();
	plan->stores = json_object();
	json_object_set_new(plan->machines, "underlay", machine(plan, "underlay"));
	json_object_foreach(json_object_get(plan->underlay, "routers"), router, value) {
		json_object_set_new(plan->machines, router, machine(plan, router));
	}
	json_object_foreach(json_object_get(lab, "nodes"), node, value) {
		json_t *entry = machine(plan, node);

		if (code == 0 && json_object_get(plan->machines, node))
			code = error_set(plan->error, EINVAL, "lab.nodes",
					 "%s is the name of a router or of the underlay already",
					 node);
		if (code == 0)
			code = lab_wires_plan_node(plan->underlay, node, value, entry, plan->error);
		json_object_set_new(plan->machines, node, entry);
	}
	return code < 0 ? code : plan_stores(plan, lab);
}

static int plan_hosts(struct plan *plan, const json_t *tree)
{
	const json_t *lab = json_object_get(tree, "lab");
	const json_t *hosts = json_object_get(tree, "hosts");
	const char *name;
	json_t *host;
	int code = 0;

	if (hosts && !json_is_object(hosts))
		return error_set(plan->error, EINVAL, "hosts", "must be a map of hosts by name");
	if (json_object_size(hosts) > 200)
		return error_set(plan->error, EINVAL, "hosts", "a lab has at most 200 hosts");
	if (json_object_size(hosts) > 1 || json_object_get(lab, "underlay") ||
	    json_object_size(json_object_get(lab, "networks")) > 0 ||
	    json_object_size(json_object_get(lab, "nodes")) > 0)
		code = plan_between(plan, lab);
	if (json_object_size(hosts) > 1)
		plan->only_host = NULL;
	else if (json_object_size(hosts) == 1)
		plan->only_host = json_object_iter_key(json_object_iter((json_t *)hosts));
	if (code == 0 && json_object_size(hosts) == 0)
		return plan_host(plan, plan->only_host, NULL);
	json_object_foreach((json_t *)hosts, name, host) {
		if (code == 0)
			code = plan_host(plan, name, host);
	}
	return code;
}

static int check_lab_section(const json_t *tree, struct error *error)
{
	static const char *const known[] = {
		"name", "networks", "nodes", "underlay", "store", "tags",
	};
	const json_t *lab = json_object_get(tree, "lab");
	struct suggestion suggestion;
	char path[256], text[128];
	const char *key;
	json_t *value;
	bool is_known;

	if (lab && !json_is_object(lab))
		return error_set(error, EINVAL, "lab", "must be a map");
	json_object_foreach((json_t *)lab, key, value) {
		suggestion_init(&suggestion, key);
		is_known = false;
		for (size_t i = 0; i < ARRAY_SIZE(known); i++) {
			suggestion_offer(&suggestion, known[i]);
			is_known |= strcmp(key, known[i]) == 0;
		}
		snprintf(path, sizeof(path), "lab.%s", key);
		if (!is_known)
			return error_set(error, EINVAL, path, "unknown key \"%s\"%s", key,
					 suggestion_format(&suggestion, text));
	}
	return 0;
}

/* A namespace name that nobody else in this lab has: shop-blue-web1, or shop-blue-web1-2. */
static char *unique_namespace(struct plan *plan, const char *owner, const char *wish)
{
	char *name = xasprintf("%s-%s", plan->lab, wish);
	const char *has = map_get_text(&plan->namespaces, name);

	for (unsigned int count = 2; has && strcmp(has, owner) != 0; count++) {
		free(name);
		name = xasprintf("%s-%s-%u", plan->lab, wish, count);
		has = map_get_text(&plan->namespaces, name);
	}
	if (!has)
		map_put_text(&plan->namespaces, name, xstrdup(owner));
	return name;
}

/* The host that a port is on; NULL with the error. */
static const char *host_of_port(struct plan *plan, const char *path, const json_t *port)
{
	const json_t *host = json_object_get(port, "host");
	const char *name = json_string_value(host);
	char *whole;

	if (!host && plan->only_host)
		return plan->only_host;
	if (name && json_object_get(plan->hosts, name))
		return name;
	whole = xasprintf("%s.host", path);
	if (!host)
		error_set(plan->error, EINVAL, whole,
			  "with several hosts a port says which it is on (host: h1)");
	else if (plan->only_host)
		error_set(plan->error, EINVAL, whole, "no host \"%s\" in this lab; there is %s",
			  name ? name : "?", plan->only_host);
	else
		error_set(plan->error, EINVAL, whole, "no host \"%s\" in this lab",
			  name ? name : "?");
	free(whole);
	return NULL;
}

/* What a port may be attached to on its host; it needs no namespace then. */
static const char *const on_host[] = { "tap", "tun", "bridge", "ovs_bridge", "device", "patch" };

/* The workload has its host's own network. */
static bool has_host_network(const json_t *attach)
{
	return json_is_true(json_object_get(attach, "host"));
}

static bool is_on_host(const json_t *attach)
{
	if (has_host_network(attach))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(on_host); i++)
		if (json_object_get(attach, on_host[i]))
			return true;
	return false;
}

/* Where a node is, for people: its namespace, or a device of its host. */
static json_t *place_of(const struct plan *plan, const char *host, const char *namespace,
			const json_t *attach)
{
	const char *name;

	if (has_host_network(attach))
		return json_sprintf("weft-%s-%s", plan->lab, host);
	for (size_t i = 0; i < ARRAY_SIZE(on_host) && !namespace; i++) {
		name = json_string_value(json_object_get(attach, on_host[i]));
		if (name)
			return json_sprintf("%s %s in weft-%s-%s", on_host[i], name, plan->lab,
					    host);
	}
	name = json_string_value(json_object_get(attach, "netns"));
	return json_string(namespace ? namespace : name ? name : "");
}

/* A port behind another's device is in that one's namespace, where the tag is put on (lab_tag.c). */
static void plan_parent(struct plan *plan, const char *vpc, const char *node, const json_t *attach)
{
	const char *parent = json_string_value(json_object_get(attach, "parent"));
	json_t *entry = json_object_get(plan->nodes, node);

	if (!parent)
		return;
	json_object_set_new(entry, "parent",
			    strchr(parent, '/') ? json_string(parent)
						: json_sprintf("%s/%s", vpc, parent));
	/* The native one needs no tag; for one of 802.1ad the lab makes nothing. */
	json_object_set(entry, "vlan", json_object_get(attach, "vlan"));
	if (json_is_true(json_object_get(attach, "native")))
		json_object_set_new(entry, "vlan", json_integer(0));
	else if (json_object_get(attach, "protocol"))
		json_object_del(entry, "vlan");
}

/* When all are known: who is behind whom. */
static void settle_parents(struct plan *plan)
{
	const char *node, *name;
	json_t *entry, *parent;

	json_object_foreach(plan->nodes, node, entry) {
		name = json_string_value(json_object_get(entry, "parent"));
		parent = name ? json_object_get(plan->nodes, name) : NULL;
		if (!parent || !json_is_string(json_object_get(parent, "namespace")))
			continue;
		json_object_set(entry, "namespace", json_object_get(parent, "namespace"));
		json_object_set(entry, "place", json_object_get(parent, "place"));
	}
}

static int plan_port(struct plan *plan, const char *vpc, const char *name, json_t *port)
{
	char *path = xasprintf("vpcs.%s.ports.%s", vpc, name);
	char *node = xasprintf("%s/%s", vpc, name), *wish = xasprintf("%s-%s", vpc, name);
	char *owner = xasprintf("port %s", node), *namespace = NULL;
	json_t *attach, *netns;
	const char *given, *host = host_of_port(plan, path, port);

	if (!host)
		goto out;
	attach = json_object_get(port, "attach");
	if (!attach) {
		attach = json_object();
		json_object_set_new(port, "attach", attach);
	}
	netns = json_object_get(attach, "netns");
	given = json_string_value(netns);
	if (given && !strchr(given, '/')) {
		free(owner);
		owner = xasprintf("netns %s", given);
		namespace = unique_namespace(plan, owner, given);
	} else if (!netns && !is_on_host(attach) && !json_object_get(attach, "pid") &&
		   !json_object_get(attach, "parent") && json_is_object(attach)) {
		namespace = unique_namespace(plan, owner, wish);
	}
	json_object_set_new(plan->nodes, node,
			    json_pack("{s:s?, s:s, s:o}", "namespace", namespace, "host", host,
				      "place", place_of(plan, host, namespace, attach)));
	if (has_host_network(attach))
		json_object_set_new(json_object_get(plan->nodes, node), "host_network",
				    json_true());
	plan_parent(plan, vpc, node, attach);
	if (namespace)
		json_object_set_new(attach, "netns", json_string(namespace));
out:
	free(namespace);
	free(owner);
	free(wish);
	free(node);
	free(path);
	return host ? 0 : -EINVAL;
}

static int plan_ports(struct plan *plan, json_t *tree)
{
	const char *vpc_name, *port_name;
	json_t *vpc, *port;
	int code;

	json_object_foreach(json_object_get(tree, "vpcs"), vpc_name, vpc) {
		json_object_foreach(json_object_get(vpc, "ports"), port_name, port) {
			/* What is no map is left for the daemon to refuse. */
			if (!json_is_object(port))
				continue;
			code = plan_port(plan, vpc_name, port_name, port);
			if (code < 0)
				return code;
		}
	}
	return 0;
}

int lab_plan(struct yaml_document *document, const char *file, json_t **registry,
	     struct error *error)
{
	struct plan plan = { .error = error, .only_host = "h1" };
	char name[LAB_NAME_SIZE];
	int code;

	if (!json_is_object(document->tree))
		return error_set(error, EINVAL, NULL, "must be a map with vpcs in it");
	code = lab_plan_name(document->tree, file, name, error);
	if (code == 0)
		code = check_lab_section(document->tree, error);
	if (code < 0)
		return code;
	plan.lab = name;
	plan.hosts = json_object();
	plan.nodes = json_object();
	code = plan_hosts(&plan, document->tree);
	if (code == 0)
		code = plan_ports(&plan, document->tree);
	settle_parents(&plan);
	if (code == 0)
		code = lab_wires_plan_tags(json_object_get(document->tree, "lab"), plan.nodes,
					   error);
	if (code == 0) {
		json_object_del(document->tree, "lab");
		if (!plan.underlay)
			json_object_del(document->tree, "hosts");
		*registry = json_pack("{s:s, s:s, s:s, s:O, s:O, s:O*, s:O*, s:O*}", "name", name,
				      "file", file, "state", "starting", "hosts", plan.hosts,
				      "nodes", plan.nodes, "underlay", plan.underlay, "machines",
				      plan.machines, "stores", plan.stores);
	}
	json_decref(plan.hosts);
	json_decref(plan.nodes);
	json_decref(plan.underlay);
	json_decref(plan.machines);
	json_decref(plan.stores);
	map_fini(&plan.namespaces, free);
	return code;
}

/* Whether some node of the lab is in the namespace. */
static bool is_namespace_of(const json_t *registry, const char *namespace)
{
	const char *node, *name;
	json_t *entry;

	json_object_foreach(json_object_get(registry, "nodes"), node, entry) {
		name = json_string_value(json_object_get(entry, "namespace"));
		if (name && strcmp(name, namespace) == 0)
			return true;
	}
	return false;
}

static void attach_port(const json_t *registry, const char *node, json_t *port)
{
	json_t *attach = json_object_get(port, "attach");
	const char *given = json_string_value(json_object_get(attach, "netns")), *namespace;
	char *inside;

	namespace = json_string_value(json_object_get(
		json_object_get(json_object_get(registry, "nodes"), node), "namespace"));
	if (given) {
		inside = xasprintf("%s-%s", json_string_value(json_object_get(registry, "name")),
				   given);
		if (is_namespace_of(registry, inside))
			json_object_set_new(attach, "netns", json_string(inside));
		free(inside);
	} else if (namespace && !json_object_get(attach, "pid") && !is_on_host(attach) &&
		   !json_object_get(attach, "parent") && (!attach || json_is_object(attach))) {
		if (!attach)
			json_object_set_new(port, "attach", json_object());
		json_object_set_new(json_object_get(port, "attach"), "netns",
				    json_string(namespace));
	}
}

void lab_attach(json_t *tree, const json_t *registry)
{
	const char *vpc_name, *port_name;
	json_t *vpc, *port;
	char *node;

	json_object_foreach(json_object_get(tree, "vpcs"), vpc_name, vpc) {
		json_object_foreach(json_object_get(vpc, "ports"), port_name, port) {
			node = xasprintf("%s/%s", vpc_name, port_name);
			if (json_is_object(port))
				attach_port(registry, node, port);
			free(node);
		}
	}
}

void lab_attach_by_socket(json_t *tree, const char *socket_path)
{
	static const char above[] = LAB_DIRECTORY "/";
	const char *name = socket_path + sizeof(above) - 1;
	struct lab lab;
	char *text;

	if (strncmp(socket_path, above, sizeof(above) - 1) != 0 || !json_is_object(tree))
		return;
	text = xstrndup(name, strcspn(name, "/"));
	if (lab_open(&lab, text, false, NULL) == 0) {
		lab_attach(tree, lab.registry);
		lab_close(&lab);
	}
	free(text);
}
