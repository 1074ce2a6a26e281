/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/netlink and base/netlink_monitor, on devices in namespaces of the test's own:
 *
 *	test's namespace                 "far"
 *	near0 ------------ veth --------- far0
 */
#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/netlink.h"
#include "base/netlink_monitor.h"
#include "base/netns.h"
#include "tests/unit/private_machine.h"

static const struct mac_address near_mac = { { 0x02, 0, 0, 0, 0, 1 } };
static const struct mac_address far_mac = { { 0x02, 0, 0, 0, 0, 2 } };

static struct error error;
static struct netlink *here;
static struct netlink *there;
static int far_fd = -1;

static int enter(void **state)
{
	private_machine_enter(state);
	if (private_machine_lacks)
		return 0;
	far_fd = netns_create("far", &error);
	if (far_fd < 0 || netlink_open(&here, -1, &error) || netlink_open(&there, far_fd, &error)) {
		print_message("# %s\n", error.text);
		return -1;
	}
	return 0;
}

static int leave(void **state)
{
	(void)state;
	netlink_close(here);
	netlink_close(there);
	netlink_close(NULL);
	if (far_fd >= 0) {
		close(far_fd);
		netns_delete("far", &error);
	}
	return 0;
}

#define DONE(call)                                                                                 \
	do {                                                                                       \
		if (call)                                                                          \
			fail_msg("%s", error.text);                                                \
	} while (0)

static void make_pair(const char *near_name, const char *far_name)
{
	struct veth_end near_end = {
		.name = near_name, .netns_fd = -1, .mac = near_mac, .up = true
	};
	struct veth_end far_end = { .name = far_name, .netns_fd = far_fd, .mac = far_mac };

	DONE(netlink_link_add_veth(here, &near_end, &far_end, 1400, &error));
}

static struct link_info get(struct netlink *netlink, const char *name)
{
	struct link_info link = { 0 };

	DONE(netlink_link_get_by_name(netlink, name, &link, &error));
	return link;
}

static struct ip_prefix prefix_of(const char *text)
{
	struct ip_prefix prefix;

	assert_int_equal(ip_prefix_parse(text, &prefix), 0);
	return prefix;
}

static void test_veth(void **state)
{
	struct link_info near_link;
	struct link_info far_link;
	int32_t id;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	make_pair("near0", "far0");
	near_link = get(here, "near0");
	far_link = get(there, "far0");
	assert_string_equal(near_link.name, "near0");
	assert_string_equal(near_link.kind, "veth");
	assert_int_equal(near_link.mtu, 1400);
	assert_int_equal(far_link.mtu, 1400);
	assert_true(mac_address_equal(&near_link.mac, &near_mac));
	assert_true(mac_address_equal(&far_link.mac, &far_mac));
	assert_true(near_link.flags & IFF_UP);
	assert_false(far_link.flags & IFF_UP);
	assert_int_equal(near_link.peer_ifindex, far_link.ifindex);
	assert_int_equal(far_link.peer_ifindex, near_link.ifindex);
	DONE(netlink_netnsid(here, far_fd, &id, &error));
	assert_true(id >= 0);
	assert_int_equal(near_link.peer_netnsid, id);
	assert_int_equal(near_link.netnsid, -1);

	DONE(netlink_link_set_up(there, far_link.ifindex, true, &error));
	DONE(netlink_link_set_mac(there, far_link.ifindex, &near_mac, &error));
	DONE(netlink_link_set_mtu(there, far_link.ifindex, 1300, &error));
	DONE(netlink_link_set_queue_length(there, far_link.ifindex, 77, &error));
	far_link = get(there, "far0");
	assert_true(far_link.flags & IFF_UP);
	assert_true(mac_address_equal(&far_link.mac, &near_mac));
	assert_int_equal(far_link.mtu, 1300);
	assert_int_equal(far_link.transmit_queue_length, 77);

	DONE(netlink_link_delete(here, near_link.ifindex, &error));
	assert_int_equal(netlink_link_get_by_name(there, "far0", &far_link, &error), -ENODEV);
	assert_int_equal(netlink_link_get(here, near_link.ifindex, &near_link, &error), -ENODEV);
}

static void test_refusals(void **state)
{
	struct veth_end near_end = { .name = "lo", .netns_fd = -1 };
	struct veth_end far_end = { .name = "far1", .netns_fd = far_fd };
	struct link_info link;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	assert_int_equal(netlink_link_add_veth(here, &near_end, &far_end, 0, &error), -EEXIST);
	assert_string_equal(error.text, "cannot make the veth pair lo and far1: File exists");
	far_end.up = true;
	assert_int_equal(netlink_link_add_veth(here, &near_end, &far_end, 0, &error), -EINVAL);
	far_end.up = false;
	near_end.name = "sixteen-letters-";
	assert_int_equal(netlink_link_add_veth(here, &near_end, &far_end, 0, &error), -EINVAL);
	near_end.name = "veth%d";
	assert_int_equal(netlink_link_add_veth(here, &near_end, &far_end, 0, &error), -EINVAL);
	near_end.name = "near1";
	far_end.netns_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(netlink_link_add_veth(here, &near_end, &far_end, 0, &error), -EINVAL);
	close(far_end.netns_fd);
	assert_int_equal(netlink_link_get_by_name(here, "near1", &link, &error), -ENODEV);
	assert_int_equal(netlink_link_delete(here, 999999, &error), -ENODEV);
	assert_int_equal(netlink_link_delete(here, 0, &error), -ENODEV);
	assert_int_equal(netlink_link_get(here, 0, &link, &error), -ENODEV);
	assert_int_equal(netlink_link_set_up(here, 999999, true, &error), -ENODEV);
	/* The kernel's own words are passed on. */
	assert_int_equal(netlink_link_set_mtu(here, 1, 1U << 31, &error), -EINVAL);
	assert_non_null(strchr(error.text, '('));
	assert_int_equal(netlink_link_add(here, "no-such-kind", "x0", &error), -EOPNOTSUPP);
}

static void test_change(void **state)
{
	struct link_change change = LINK_CHANGE_NOTHING;
	struct link_info link;
	uint32_t ifindex;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	make_pair("near10", "far10");
	make_pair("near11", "far11");
	ifindex = get(here, "near10").ifindex;
	change.alias = "weft: port blue/web1";
	change.mac = &far_mac;
	change.mtu = 1350;
	change.group = 77;
	change.link_local = LINK_LOCAL_NONE;
	change.down = true;
	DONE(netlink_link_change(here, ifindex, &change, &error));
	link = get(here, "near10");
	assert_string_equal(link.alias, "weft: port blue/web1");
	assert_true(mac_address_equal(&link.mac, &far_mac));
	assert_int_equal(link.mtu, 1350);
	assert_false(link.flags & IFF_UP);
	/* Nothing but what is named changes. */
	change = (struct link_change)LINK_CHANGE_NOTHING;
	change.up = true;
	DONE(netlink_link_change(here, ifindex, &change, &error));
	link = get(here, "near10");
	assert_string_equal(link.alias, "weft: port blue/web1");
	assert_int_equal(link.mtu, 1350);
	assert_true(link.flags & IFF_UP);

	assert_int_equal(netlink_link_delete_group(here, 0, &error), -EINVAL);
	DONE(netlink_link_delete_group(here, 77, &error));
	assert_int_equal(netlink_link_get_by_name(here, "near10", &link, &error), -ENODEV);
	DONE(netlink_link_delete(here, get(here, "near11").ifindex, &error));
}

/* Ids are looked for from the lowest on, so whoever gives them chooses how long that takes. */
static void test_namespace_ids(void **state)
{
	int fd, lowest, id;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	fd = netns_create("numbered", &error);
	assert_true(fd >= 0);
	DONE(netlink_netnsid(here, fd, &id, &error));
	assert_int_equal(id, -1);
	DONE(netlink_netnsid_lowest(here, 1000, &lowest, &error));
	assert_int_equal(lowest, -1);
	DONE(netlink_netnsid_set(here, fd, 1234567, &error));
	DONE(netlink_netnsid(here, fd, &id, &error));
	assert_int_equal(id, 1234567);
	DONE(netlink_netnsid_lowest(here, 1000, &lowest, &error));
	assert_int_equal(lowest, 1234567);
	DONE(netlink_netnsid_lowest(here, 1234568, &lowest, &error));
	assert_int_equal(lowest, -1);
	assert_int_equal(netlink_netnsid_set(here, fd, 5, &error), -EEXIST);
	close(fd);
	DONE(netns_delete("numbered", &error));
}

static void test_ingress(void **state)
{
	uint32_t ifindex;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	make_pair("near7", "far7");
	ifindex = get(here, "near7").ifindex;
	DONE(netlink_ingress_add(here, ifindex, &error));
	assert_int_equal(netlink_ingress_add(here, ifindex, &error), -EEXIST);
	DONE(netlink_link_delete(here, ifindex, &error));
	assert_int_equal(netlink_ingress_add(here, ifindex, &error), -ENODEV);
}

static void test_move_and_name(void **state)
{
	struct link_info link;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	make_pair("near2", "far2");
	link = get(here, "near2");
	DONE(netlink_link_set_up(here, link.ifindex, false, &error));
	DONE(netlink_link_set_name(here, link.ifindex, "renamed", &error));
	assert_int_equal(get(here, "renamed").ifindex, link.ifindex);
	DONE(netlink_link_set_netns(here, link.ifindex, far_fd, &error));
	assert_int_equal(netlink_link_get_by_name(here, "renamed", &link, &error), -ENODEV);
	link = get(there, "renamed");
	/* Both ends are in one namespace now. */
	assert_int_equal(link.peer_netnsid, -1);
	DONE(netlink_link_delete(there, link.ifindex, &error));
}

static void test_master(void **state)
{
	struct link_info bridge;
	struct link_info link;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	if (netlink_link_add(here, "bridge", "br0", &error)) {
		print_message("# skipped: %s\n", error.text);
		skip();
	}
	bridge = get(here, "br0");
	assert_string_equal(bridge.kind, "bridge");
	make_pair("near3", "far3");
	link = get(here, "near3");
	DONE(netlink_link_set_master(here, link.ifindex, bridge.ifindex, &error));
	assert_int_equal(get(here, "near3").master_ifindex, bridge.ifindex);
	DONE(netlink_link_set_master(here, link.ifindex, 0, &error));
	assert_int_equal(get(here, "near3").master_ifindex, 0);
	DONE(netlink_link_delete(here, link.ifindex, &error));
	DONE(netlink_link_delete(here, bridge.ifindex, &error));
}

static void test_tunnel(void **state)
{
	struct link_info link;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	assert_int_equal(netlink_link_add_tunnel(here, "bridge", "tun0", 4789, &error), -EINVAL);
	if (netlink_link_add_tunnel(here, "vxlan", "tun0", 4789, &error)) {
		print_message("# skipped: %s\n", error.text);
		skip();
	}
	link = get(here, "tun0");
	assert_string_equal(link.kind, "vxlan");
	DONE(netlink_link_set_up(here, link.ifindex, true, &error));
	/* One for each port. */
	assert_int_equal(netlink_link_add_tunnel(here, "vxlan", "tun1", 4789, &error), -EEXIST);
	DONE(netlink_link_add_tunnel(here, "vxlan", "tun1", 8472, &error));
	DONE(netlink_link_delete(here, get(here, "tun1").ifindex, &error));
	DONE(netlink_link_delete(here, link.ifindex, &error));
}

/* Lists as text, sorted by nothing: what the kernel says, in its order. */
static char listed[4096];

static void list_address(void *context, const struct address_info *address)
{
	char text[IP_PREFIX_TEXT_SIZE];
	size_t used = strlen(listed);

	(void)context;
	snprintf(listed + used, sizeof(listed) - used, "%s%s ",
		 ip_prefix_format(&address->address, text), address->no_dad ? "!" : "");
}

static void test_addresses(void **state)
{
	struct address_info address = { .no_dad = true };
	struct link_info link;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	make_pair("near4", "far4");
	link = get(there, "far4");
	address.ifindex = link.ifindex;
	address.address = prefix_of("10.0.1.11/24");
	DONE(netlink_address_add(there, &address, &error));
	assert_int_equal(netlink_address_add(there, &address, &error), -EEXIST);
	assert_int_equal(strncmp(error.text, "cannot add address 10.0.1.11/24 on device", 41), 0);
	address.address = prefix_of("fd00:b::11/64");
	DONE(netlink_address_add(there, &address, &error));
	listed[0] = '\0';
	DONE(netlink_address_list(there, link.ifindex, list_address, NULL, &error));
	assert_string_equal(listed, "10.0.1.11/24 fd00:b::11/64! ");
	DONE(netlink_address_delete(there, &address, &error));
	assert_int_equal(netlink_address_delete(there, &address, &error), -EADDRNOTAVAIL);
	listed[0] = '\0';
	DONE(netlink_address_list(there, link.ifindex, list_address, NULL, &error));
	assert_string_equal(listed, "10.0.1.11/24 ");
	DONE(netlink_link_delete(there, link.ifindex, &error));
}

static void list_route(void *context, const struct route_info *route)
{
	char gateway[IP_ADDRESS_TEXT_SIZE];
	char text[IP_PREFIX_TEXT_SIZE];
	size_t used = strlen(listed);

	if (route->ifindex != *(const uint32_t *)context ||
	    ip_address_is_link_local(&route->destination.address) ||
	    ip_address_is_multicast(&route->destination.address))
		return;
	ip_prefix_format(&route->destination, text);
	ip_address_format(&route->gateway, gateway);
	snprintf(listed + used, sizeof(listed) - used, "%s%s%s%s/%u/%u ", text,
		 route->has_gateway ? ">" : "", route->has_gateway ? gateway : "",
		 route->onlink ? "!" : "", route->metric, route->table);
}

static void add_route(uint32_t ifindex, const char *to, const char *via, bool onlink)
{
	struct route_info route = {
		.destination = prefix_of(to), .ifindex = ifindex, .onlink = onlink, .metric = 50
	};

	if (via) {
		assert_int_equal(ip_address_parse(via, &route.gateway), 0);
		route.has_gateway = true;
	}
	DONE(netlink_route_add(there, &route, &error));
	assert_int_equal(netlink_route_add(there, &route, &error), -EEXIST);
}

static void test_routes(void **state)
{
	struct address_info address = { .address = prefix_of("10.0.1.11/24"), .no_dad = true };
	struct route_info route = { .destination = prefix_of("0.0.0.0/0") };
	uint32_t ifindex;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	make_pair("near5", "far5");
	ifindex = get(there, "far5").ifindex;
	DONE(netlink_link_set_up(there, ifindex, true, &error));
	address.ifindex = ifindex;
	DONE(netlink_address_add(there, &address, &error));
	add_route(ifindex, "0.0.0.0/0", "10.0.1.1", false);
	add_route(ifindex, "10.9.0.0/16", "169.254.1.1", true);
	add_route(ifindex, "10.8.0.0/16", NULL, false);
	add_route(ifindex, "10.7.0.0/16", "fe80::1", false);
	add_route(ifindex, "::/0", "fe80::1", false);
	listed[0] = '\0';
	DONE(netlink_route_list(there, list_route, &ifindex, &error));
	assert_string_equal(listed, "0.0.0.0/0>10.0.1.1/50/254 10.0.1.0/24/0/254 "
				    "10.7.0.0/16>fe80::1/50/254 10.8.0.0/16/50/254 "
				    "10.9.0.0/16>169.254.1.1!/50/254 ::/0>fe80::1/50/254 ");
	DONE(netlink_route_delete(there, &route, &error));
	assert_int_equal(netlink_route_delete(there, &route, &error), -ESRCH);
	route.destination = prefix_of("::/0");
	DONE(netlink_route_delete(there, &route, &error));
	DONE(netlink_link_delete(there, ifindex, &error));
}

static void test_neighbours(void **state)
{
	static const char *const texts[] = { "10.0.1.1", "fd00::1" };
	struct ip_address address;
	uint32_t ifindex;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	make_pair("near6", "far6");
	ifindex = get(there, "far6").ifindex;
	DONE(netlink_link_set_up(there, ifindex, true, &error));
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(ip_address_parse(texts[i], &address), 0);
		DONE(netlink_neighbour_replace(there, ifindex, &address, &near_mac, &error));
		DONE(netlink_neighbour_replace(there, ifindex, &address, &far_mac, &error));
		DONE(netlink_neighbour_delete(there, ifindex, &address, &error));
		/* The entry may outlive its deletion for a moment, but then it is not one. */
		netlink_neighbour_delete(there, ifindex, &address, &error);
	}
	assert_int_equal(netlink_neighbour_replace(there, 999999, &address, &far_mac, &error),
			 -ENODEV);
	DONE(netlink_link_delete(there, ifindex, &error));
}

/* Batches ------------------------------------------------------------------------------------ */

struct failures {
	size_t count;
	size_t index[8];
	int code[8];
};

static void note_failure(void *context, size_t index, const struct error *problem)
{
	struct failures *failures = context;

	assert_in_range(failures->count, 0, 7);
	failures->index[failures->count] = index;
	failures->code[failures->count++] = problem->code;
}

static void count_links(void *context, const struct link_info *link)
{
	*(size_t *)context += strncmp(link->name, "many", 4) == 0;
}

static void test_batch(void **state)
{
	struct failures failures = { 0 };
	struct netlink *closed;
	size_t count = 0;
	uint64_t start;
	char name[16];

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	netlink_batch_begin(here);
	for (int i = 0; i < 300; i++) {
		struct veth_end near_end = { .name = name, .netns_fd = -1, .up = true };
		struct veth_end far_end = { .name = name, .netns_fd = far_fd };

		snprintf(name, sizeof(name), "many%d", i == 200 ? 7 : i);
		DONE(netlink_link_add_veth(here, &near_end, &far_end, 1500, &error));
		if (i == 100)
			DONE(netlink_link_delete(here, 999999, &error));
	}
	/* What cannot be sent is refused at once and takes no place. */
	assert_int_equal(netlink_link_set_name(here, 1, "sixteen-letters-", &error), -EINVAL);
	assert_int_equal(netlink_batch_count(here), 301);
	start = clock_monotonic_ms(NULL);
	assert_int_equal(netlink_batch_commit(here, note_failure, &failures, &error), -ENODEV);
	print_message("# 300 veth pairs in %llu ms\n",
		      (unsigned long long)(clock_monotonic_ms(NULL) - start));
	assert_string_equal(error.text, "cannot delete device 999999: No such device");
	assert_int_equal(failures.count, 2);
	assert_int_equal(failures.index[0], 101);
	assert_int_equal(failures.code[0], -ENODEV);
	assert_int_equal(failures.index[1], 201);
	assert_int_equal(failures.code[1], -EEXIST);
	assert_int_equal(netlink_batch_count(here), 0);
	DONE(netlink_link_list(here, count_links, &count, &error));
	assert_int_equal(count, 299);
	count = 0;
	DONE(netlink_link_list(there, count_links, &count, &error));
	assert_int_equal(count, 299);

	/* An empty one, and one that is closed with requests in it. */
	netlink_batch_begin(here);
	DONE(netlink_batch_commit(here, NULL, NULL, &error));
	DONE(netlink_open(&closed, -1, &error));
	netlink_batch_begin(closed);
	DONE(netlink_link_set_up(closed, 1, true, &error));
	netlink_close(closed);
}

/* Events ------------------------------------------------------------------------------------- */

struct events {
	enum link_event_kind kind;
	const char *name;
	int32_t netnsid;
	bool found;
	struct link_info link;
};

static void look_for(void *context, const struct link_event *event)
{
	struct events *wanted = context;

	if (event->kind != wanted->kind || event->link.netnsid != wanted->netnsid ||
	    (wanted->name && strcmp(event->link.name, wanted->name) != 0))
		return;
	wanted->found = true;
	wanted->link = event->link;
}

static struct events wanted;

static void expect_event(struct netlink_monitor *monitor, enum link_event_kind kind,
			 const char *name, int32_t netnsid)
{
	struct pollfd ready = { .fd = netlink_monitor_fd(monitor), .events = POLLIN };
	uint64_t deadline = clock_monotonic_ms(NULL) + 10000;

	wanted = (struct events){ .kind = kind, .name = name, .netnsid = netnsid };
	while (!wanted.found && clock_monotonic_ms(NULL) < deadline) {
		poll(&ready, 1, 100);
		DONE(netlink_monitor_read(monitor, &error));
	}
	if (!wanted.found)
		fail_msg("no event %d of %s", kind, name ? name : "a namespace");
}

static void test_monitor(void **state)
{
	struct netlink_monitor *monitor;
	struct link_info near_link;
	struct link_info far_link;
	int32_t id;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	DONE(netlink_monitor_open(&monitor, -1, true, look_for, &wanted, &error));
	make_pair("near7", "far7");
	expect_event(monitor, LINK_EVENT_CHANGED, "near7", -1);
	near_link = get(here, "near7");
	far_link = get(there, "far7");
	DONE(netlink_netnsid(here, far_fd, &id, &error));
	assert_true(id >= 0);
	/* A MAC that the workload changes in its own namespace is heard of here. */
	DONE(netlink_link_set_mac(there, far_link.ifindex, &near_mac, &error));
	expect_event(monitor, LINK_EVENT_CHANGED, "far7", id);
	assert_true(mac_address_equal(&wanted.link.mac, &near_mac));
	assert_int_equal(wanted.link.ifindex, far_link.ifindex);
	DONE(netlink_link_set_up(here, near_link.ifindex, false, &error));
	expect_event(monitor, LINK_EVENT_CHANGED, "near7", -1);
	DONE(netlink_link_delete(there, far_link.ifindex, &error));
	expect_event(monitor, LINK_EVENT_DELETED, "near7", -1);
	assert_int_equal(wanted.link.ifindex, near_link.ifindex);
	netlink_monitor_close(monitor);
	netlink_monitor_close(NULL);
}

static void test_monitor_namespace(void **state)
{
	struct netlink_monitor *monitor;
	struct veth_end near_end = { .name = "near8", .netns_fd = -1 };
	struct veth_end far_end = { .name = "far8" };
	int32_t id;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	DONE(netlink_monitor_open(&monitor, -1, false, look_for, &wanted, &error));
	far_end.netns_fd = netns_create("short", &error);
	DONE(netlink_link_add_veth(here, &near_end, &far_end, 0, &error));
	DONE(netlink_netnsid(here, far_end.netns_fd, &id, &error));
	close(far_end.netns_fd);
	DONE(netns_delete("short", &error));
	/* Nobody is in it any more: the kernel takes it down, and the pair with it. */
	expect_event(monitor, LINK_EVENT_DELETED, "near8", -1);
	netlink_monitor_close(monitor);
}

static void set_queue(struct netlink_monitor *monitor, int size)
{
	assert_int_equal(setsockopt(netlink_monitor_fd(monitor), SOL_SOCKET, SO_RCVBUF, &size,
				    sizeof(size)),
			 0);
}

/* More events than fit while nobody reads: one that says so, and then it works on. */
static void test_monitor_overrun(void **state)
{
	struct netlink_monitor *monitor;
	uint32_t ifindex;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	DONE(netlink_monitor_open(&monitor, -1, false, look_for, &wanted, &error));
	set_queue(monitor, 1);
	make_pair("near9", "far9");
	ifindex = get(here, "near9").ifindex;
	for (int i = 0; i < 50; i++)
		DONE(netlink_link_set_up(here, ifindex, i % 2, &error));
	expect_event(monitor, LINK_EVENT_LOST, NULL, 0);
	set_queue(monitor, 1 << 20);
	DONE(netlink_link_delete(here, ifindex, &error));
	expect_event(monitor, LINK_EVENT_DELETED, "near9", -1);
	netlink_monitor_close(monitor);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_change),          cmocka_unit_test(test_veth),
		cmocka_unit_test(test_refusals),        cmocka_unit_test(test_namespace_ids),
		cmocka_unit_test(test_ingress),         cmocka_unit_test(test_move_and_name),
		cmocka_unit_test(test_master),          cmocka_unit_test(test_tunnel),
		cmocka_unit_test(test_addresses),       cmocka_unit_test(test_routes),
		cmocka_unit_test(test_neighbours),      cmocka_unit_test(test_batch),
		cmocka_unit_test(test_monitor),         cmocka_unit_test(test_monitor_namespace),
		cmocka_unit_test(test_monitor_overrun),
	};

	return cmocka_run_group_tests_name("netlink", tests, enter, leave);
}
