/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The wires between the hosts of a lab: made as lab_wires.c has planned them.
 *
 * One namespace, "underlay", has a Linux bridge for each network, and every host and router a veth into
 * it. Routers are namespaces that forward, with static routes to all networks. The store has a
 * network of its own (control, 100.64.0.0/16), so that an underlay that is cut does not cut the store
 * and the reverse.
 *
 *	h1 eth0 ---- [underlay: bridge left ] ---- r1 ---- [bridge right] ---- eth0 h2
 *	h1 control0 ---- [underlay: bridge control, 100.64.0.1: the store]
 *
 * Neighbours: lab_wires.c, lab_up.c, lab_store.c.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netlink.h"
#include "base/netns.h"
#include "cli/lab.h"

#define HOST_DEVICE "eth0"
#define CONTROL "control"
#define CONTROL_DEVICE "control0"
#define NETWORKS_MAX 64

/* The wires being made. */
struct wires {
	struct lab *lab;
	const json_t *networks, *routers, *segments;
	int underlay; /* descriptor of its namespace */
	struct netlink *netlink;
	unsigned int plugs; /* devices made so far, for their names */
	struct error *error;
};

static const char *namespace_of(const struct lab *lab, const char *kind, const char *name)
{
	const json_t *entry = json_object_get(json_object_get(lab->registry, kind), name);

	return json_string_value(json_object_get(entry, "namespace"));
}

static struct ip_prefix prefix_of(const json_t *text)
{
	struct ip_prefix prefix = { 0 };

	ip_prefix_parse(json_string_value(text), &prefix);
	return prefix;
}

static int make_bridge(struct wires *wires, const char *name, uint32_t mtu)
{
	struct link_info link = { 0 };
	int code = netlink_link_add(wires->netlink, "bridge", name, wires->error);

	if (code == 0)
		code = netlink_link_get_by_name(wires->netlink, name, &link, wires->error);
	/* For good: else it takes a later cable's, and the store is not found for seconds. */
	if (code == 0)
		code = netlink_link_set_mac(wires->netlink, link.ifindex, &link.mac, wires->error);
	if (code == 0 && mtu)
		code = netlink_link_set_mtu(wires->netlink, link.ifindex, mtu, wires->error);
	return code == 0 ? netlink_link_set_up(wires->netlink, link.ifindex, true, wires->error)
			 : code;
}

static int add_address(struct netlink *netlink, uint32_t ifindex, struct ip_prefix prefix,
		       struct error *error)
{
	const struct address_info address = {
		.ifindex = ifindex,
		.address = prefix,
		.no_dad = true,
	};

	return netlink_address_add(netlink, &address, error);
}

static const json_t *network_entry(const struct wires *wires, const char *network)
{
	const json_t *entry = json_object_get(wires->networks, network);

	return entry ? entry : json_object_get(wires->segments, network);
}

static uint32_t mtu_of(const struct wires *wires, const char *network)
{
	return (uint32_t)json_integer_value(json_object_get(network_entry(wires, network), "mtu"));
}

static bool network_says(const struct wires *wires, const char *network, const char *key)
{
	return json_is_true(json_object_get(network_entry(wires, network), key));
}

/* A veth from @bridge into a namespace, up, with addresses. */
static int plug(struct wires *wires, const char *bridge, const char *namespace, const char *device,
		const json_t *addresses, uint32_t mtu)
{
	struct veth_end near_end = { .netns_fd = -1, .up = true };
	struct veth_end far_end = { .name = device };
	struct netlink *inside = NULL;
	struct link_info master, link;
	char name[16];
	json_t *text;
	size_t index;
	int code;

	/* No network of the file can be called so: that is how its bridge is called here. */
	snprintf(name, sizeof(name), "_p%u", wires->plugs++);
	near_end.name = name;
	far_end.netns_fd = netns_open_name(namespace, wires->error);
	if (far_end.netns_fd < 0)
		return far_end.netns_fd;
	code = netlink_link_add_veth(wires->netlink, &near_end, &far_end, mtu, wires->error);
	if (code == 0)
		code = netlink_link_get_by_name(wires->netlink, bridge, &master, wires->error);
	if (code == 0)
		code = netlink_link_get_by_name(wires->netlink, name, &link, wires->error);
	if (code == 0)
		code = netlink_link_set_master(wires->netlink, link.ifindex, master.ifindex,
					       wires->error);
	if (code == 0 && network_says(wires, bridge, "reflect"))
		code = netlink_link_set_reflecting(wires->netlink, link.ifindex, wires->error);
	if (code == 0)
		code = netlink_open(&inside, far_end.netns_fd, wires->error);
	if (code == 0)
		code = netlink_link_get_by_name(inside, device, &link, wires->error);
	if (code == 0)
		code = netlink_link_set_up(inside, link.ifindex, true, wires->error);
	json_array_foreach(addresses, index, text) {
		if (code == 0)
			code = add_address(inside, link.ifindex, prefix_of(text), wires->error);
	}
	netlink_close(inside);
	close(far_end.netns_fd);
	return code;
}

/* Routes ------------------------------------------------------------------------------------ */

static int add_route(const char *namespace, const struct ip_prefix *destination,
		     const struct ip_address *gateway, struct error *error)
{
	struct route_info route = {
		.destination = ip_prefix_canonicalise(destination),
		.gateway = *gateway,
		.has_gateway = true,
	};
	struct netlink *netlink;
	int netns = netns_open_name(namespace, error), code;

	if (netns < 0)
		return netns;
	code = netlink_open(&netlink, netns, error);
	if (code == 0) {
		code = netlink_route_add(netlink, &route, error);
		netlink_close(netlink);
	}
	close(netns);
	return code == -EEXIST ? 0 : code;
}

/* The address that a router has on a network, of one family. */
static bool router_address(const json_t *router, const char *network, bool ipv4,
			   struct ip_address *address)
{
	json_t *text;
	size_t index;

	json_array_foreach(json_object_get(router, network), index, text) {
		struct ip_prefix prefix = prefix_of(text);

		if (ip_prefix_is_ipv4(&prefix) == ipv4) {
			*address = prefix.address;
			return true;
		}
	}
	return false;
}

/* A host sends what is not near by the first router on its network, for each family. */
static int route_host(struct wires *wires, const char *namespace, const char *network)
{
	const char *name;
	json_t *router;

	for (int ipv4 = 0; ipv4 < 2; ipv4++) {
		struct ip_address gateway;
		struct ip_prefix all;
		int code;

		ip_prefix_parse(ipv4 ? "0.0.0.0/0" : "::/0", &all);
		json_object_foreach((json_t *)wires->routers, name, router) {
			if (!router_address(router, network, ipv4, &gateway))
				continue;
			code = add_route(namespace, &all, &gateway, wires->error);
			if (code < 0)
				return code;
			break;
		}
	}
	return 0;
}

/* The networks, in the order in which a walk from one router finds them. */
struct walk {
	const char *network[NETWORKS_MAX];
	struct ip_address gateway[NETWORKS_MAX];
	bool near[NETWORKS_MAX];
	size_t count;
};

static bool walk_has(const struct walk *walk, const char *network)
{
	for (size_t i = 0; i < walk->count; i++) {
		if (strcmp(walk->network[i], network) == 0)
			return true;
	}
	return false;
}

static void walk_add(struct walk *walk, const char *network, const struct ip_address *gateway)
{
	if (walk->count == NETWORKS_MAX || walk_has(walk, network))
		return;
	walk->network[walk->count] = network;
	walk->near[walk->count] = !gateway;
	if (gateway)
		walk->gateway[walk->count] = *gateway;
	walk->count++;
}

/* Routes of a router to every range that another router has on a network farther away. */
static int route_to_network(struct wires *wires, const char *namespace, const char *network,
			    const struct ip_address *gateway)
{
	const char *name;
	json_t *router, *text;
	size_t index;
	int code;

	json_object_foreach((json_t *)wires->routers, name, router) {
		json_array_foreach(json_object_get(router, network), index, text) {
			struct ip_prefix prefix = prefix_of(text);

			if (ip_prefix_is_ipv4(&prefix) != ip_address_is_ipv4(gateway))
				continue;
			code = add_route(namespace, &prefix, gateway, wires->error);
			if (code < 0)
				return code;
		}
	}
	return 0;
}

/* Breadth first over routers and networks: each network by the first router on the way. */
static int route_router(struct wires *wires, const char *name, const json_t *own, bool ipv4)
{
	const char *namespace = namespace_of(wires->lab, "machines", name), *network, *other;
	struct walk walk = { .count = 0 };
	json_t *value, *router;
	int code;

	json_object_foreach((json_t *)own, network, value) {
		walk_add(&walk, network, NULL);
	}
	for (size_t i = 0; i < walk.count; i++) {
		json_object_foreach((json_t *)wires->routers, other, router) {
			struct ip_address gateway;

			if (!json_object_get(router, walk.network[i]))
				continue;
			if (!walk.near[i])
				gateway = walk.gateway[i];
			else if (router == own ||
				 !router_address(router, walk.network[i], ipv4, &gateway))
				continue;
			json_object_foreach(router, network, value) {
				walk_add(&walk, network, &gateway);
			}
		}
	}
	for (size_t i = 0; i < walk.count; i++) {
		if (walk.near[i])
			continue;
		code = route_to_network(wires, namespace, walk.network[i], &walk.gateway[i]);
		if (code < 0)
			return code;
	}
	return 0;
}

/* Machines ---------------------------------------------------------------------------------- */

static int make_router(struct wires *wires, const char *name, const json_t *router)
{
	static const char *const forwarding[] = { "ipv4/ip_forward", "ipv6/conf/all/forwarding" };
	const char *namespace = namespace_of(wires->lab, "machines", name), *network;
	unsigned int count = 0;
	json_t *addresses;
	char device[16];
	int code, netns = netns_open_name(namespace, wires->error);

	if (netns < 0)
		return netns;
	for (size_t i = 0; i < ARRAY_SIZE(forwarding); i++) {
		code = netns_write_sysctl(netns, forwarding[i], "1", wires->error);
		if (code < 0) {
			close(netns);
			return code;
		}
	}
	close(netns);
	json_object_foreach((json_t *)router, network, addresses) {
		snprintf(device, sizeof(device), "eth%u", count++);
		code = plug(wires, network, namespace, device, addresses, mtu_of(wires, network));
		if (code < 0)
			return code;
	}
	return 0;
}

static int make_networks(struct wires *wires)
{
	struct ip_prefix control;
	struct link_info link;
	const char *name;
	json_t *network;
	int code;

	json_object_foreach((json_t *)wires->networks, name, network) {
		code = make_bridge(wires, name, mtu_of(wires, name));
		if (code < 0)
			return code;
	}
	json_object_foreach((json_t *)wires->segments, name, network) {
		code = make_bridge(wires, name, mtu_of(wires, name));
		if (code < 0)
			return code;
	}
	code = make_bridge(wires, CONTROL, 0);
	if (code == 0)
		code = netlink_link_get_by_name(wires->netlink, CONTROL, &link, wires->error);
	for (int member = 1; member <= LAB_STORE_MEMBERS_MAX && code == 0; member++) {
		char text[32];

		snprintf(text, sizeof(text), LAB_STORE_ADDRESS "/16", member);
		ip_prefix_parse(text, &control);
		code = add_address(wires->netlink, link.ifindex, control, wires->error);
	}
	return code;
}

static int make_uplinks(struct wires *wires, const char *namespace, const json_t *uplinks)
{
	const char *network;
	json_t *device;
	int code = 0;

	json_object_foreach((json_t *)uplinks, network, device) {
		if (code == 0)
			code = plug(wires, network, namespace, json_string_value(device), NULL,
				    mtu_of(wires, network));
	}
	return code;
}

static int make_hosts(struct wires *wires)
{
	unsigned int count = 0;
	const char *name;
	json_t *host;

	json_object_foreach(json_object_get(wires->lab->registry, "hosts"), name, host) {
		const char *network = json_string_value(json_object_get(host, "network"));
		const char *namespace = namespace_of(wires->lab, "hosts", name);
		json_t *control = json_pack("[o]", json_sprintf("100.64.1.%u/16", ++count));
		int code = network ? plug(wires, network, namespace, HOST_DEVICE,
					  json_object_get(host, "underlay"), mtu_of(wires, network))
				   : 0;

		if (code == 0)
			code = plug(wires, CONTROL, namespace, CONTROL_DEVICE, control, 0);
		json_decref(control);
		if (code == 0)
			code = make_uplinks(wires, namespace, json_object_get(host, "uplinks"));
		if (code == 0 && network)
			code = route_host(wires, namespace, network);
		if (code < 0)
			return code;
	}
	return 0;
}

static int tag_node(struct wires *wires, int netns, uint16_t tag)
{
	struct netlink *inside = NULL;
	struct link_info link;
	int code = netlink_open(&inside, netns, wires->error);

	if (code == 0)
		code = netlink_link_get_by_name(inside, HOST_DEVICE, &link, wires->error);
	if (code == 0)
		code = lab_tag(netns, link.ifindex, tag, wires->error);
	netlink_close(inside);
	return code;
}

/* The tag on the wire of a plain machine, and its router. */
static int finish_node(struct wires *wires, const char *namespace, const json_t *node)
{
	const char *gateway = json_string_value(json_object_get(node, "gateway"));
	const json_t *tag = json_object_get(node, "vlan");
	struct ip_address address;
	struct ip_prefix all;
	int code = 0;

	if (tag) {
		int netns = netns_open_name(namespace, wires->error);

		if (netns < 0)
			return netns;
		code = tag_node(wires, netns, (uint16_t)json_integer_value(tag));
		close(netns);
	}
	if (code < 0 || !gateway)
		return code;
	ip_address_parse(gateway, &address);
	ip_prefix_parse(ip_address_is_ipv4(&address) ? "0.0.0.0/0" : "::/0", &all);
	return add_route(namespace, &all, &address, wires->error);
}

/* Machines without Weft. */
static int make_nodes(struct wires *wires)
{
	const char *name;
	json_t *node;

	json_object_foreach(json_object_get(wires->lab->registry, "machines"), name, node) {
		const char *network = json_string_value(json_object_get(node, "network"));
		const char *namespace = namespace_of(wires->lab, "machines", name);
		int code;

		if (!network)
			continue;
		code = plug(wires, network, namespace, HOST_DEVICE,
			    json_object_get(node, "addresses"), mtu_of(wires, network));
		if (code == 0)
			code = finish_node(wires, namespace, node);
		if (code == 0)
			code = route_host(wires, namespace, network);
		if (code < 0)
			return code;
	}
	return 0;
}

static int make_all(struct wires *wires)
{
	const char *name;
	json_t *router;
	int code = make_networks(wires);

	if (code < 0)
		return code;
	json_object_foreach((json_t *)wires->routers, name, router) {
		code = make_router(wires, name, router);
		if (code < 0)
			return code;
	}
	json_object_foreach((json_t *)wires->routers, name, router) {
		for (int ipv4 = 0; ipv4 < 2 && code == 0; ipv4++)
			code = route_router(wires, name, router, ipv4);
		if (code < 0)
			return code;
	}
	code = make_hosts(wires);
	return code < 0 ? code : make_nodes(wires);
}

int lab_underlay_make(struct lab *lab, struct error *error)
{
	const json_t *underlay = json_object_get(lab->registry, "underlay");
	struct wires wires = {
		.lab = lab,
		.networks = json_object_get(underlay, "networks"),
		.routers = json_object_get(underlay, "routers"),
		.segments = json_object_get(underlay, "segments"),
		.error = error,
	};
	int code;

	if (!underlay)
		return 0;
	wires.underlay = netns_open_name(namespace_of(lab, "machines", "underlay"), error);
	if (wires.underlay < 0)
		return wires.underlay;
	code = netlink_open(&wires.netlink, wires.underlay, error);
	if (code == 0) {
		code = make_all(&wires);
		netlink_close(wires.netlink);
	}
	close(wires.underlay);
	return code;
}
