/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices of ports, in network and mount namespaces of the test's own. Needs root.
 *
 * Each test has devices of instance "default" and a loop, makes its namespaces with ip(8), and plays
 * the part of the user who does things behind Weft's back.
 */
#include "tests/unit/device_world.h"

/* ---- veth ---- */

static void test_plug(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip netns add web1");
	plug(fixture, DEVICE_PLUGGED);
	assert_true(fixture->result.changed);
	assert_int_equal(fixture->result.kind, PORT_VETH);
	assert_int_equal(fixture->result.attachment_flags, 0);
	assert_int_equal(fixture->result.ifindex, if_nametoindex("w1a"));
	assert_int_equal(fixture->attached, 1);
	assert_false(fixture->attached_while_up);
	assert_true(prints("ip link show w1a", "alias weft blue/web1 (port 26)"));
	assert_true(prints("ip link show up dev w1a", "mtu 1450"));
	assert_false(prints("ip addr show w1a", "inet"));
	assert_true(prints("ip -n web1 link show up dev eth0", "02:00:00:00:00:1a"));
	assert_true(prints("ip -n web1 link show eth0", "mtu 1450"));
	assert_true(prints("ip -n web1 link show up dev lo", "lo"));
	assert_true(prints("ip -n web1 addr show eth0", "inet 10.0.1.11/24"));
	assert_true(prints("ip -n web1 addr show eth0", "inet6 fd00:b:1::11/64"));
	assert_true(prints("ip -n web1 addr show eth0", "inet6 fe80::ff:fe00:1a/64"));
	assert_false(prints("ip -n web1 addr show eth0 scope global", "tentative"));
	assert_true(prints("ip netns exec web1 sysctl -n net.ipv6.conf.eth0.accept_dad", "0"));
	assert_true(prints("ip -n web1 route", "default via 10.0.1.1 dev eth0"));
	assert_true(prints("ip -n web1 -6 route", "default via fd00:b:1::1 dev eth0"));
	assert_true(prints("ip netns exec web1 sysctl -n net.ipv6.conf.eth0.accept_ra", "0"));
	expect_right(fixture);
	expect_quiet(fixture);

	/* Again: nothing to do. By the next daemon: adopted as it is. */
	plug(fixture, DEVICE_PLUGGED);
	assert_false(fixture->result.changed);
	devices_close(fixture->devices);
	open_devices(fixture);
	plug(fixture, DEVICE_PLUGGED);
	assert_false(fixture->result.changed);
	assert_string_equal(fixture->result.sentence, "");
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	assert_int_equal(if_nametoindex("w1a"), 0);
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	expect_quiet(fixture);
}

static void test_not_configured(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip netns add web1");
	fixture->attach.configure = false;
	plug(fixture, DEVICE_PLUGGED);
	assert_true(prints("ip -n web1 link show up dev eth0", "02:00:00:00:00:1a"));
	assert_false(prints("ip -n web1 addr show eth0", "10.0.1.11"));
	expect_right(fixture);
}

/* A port whose namespace does not exist waits, and is told of it when it appears. */
static void test_namespace_appears(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	plug(fixture, DEVICE_WAITING);
	assert_non_null(strstr(fixture->result.sentence, "web1"));
	assert_int_equal(fixture->result.ifindex, 0);
	assert_int_equal(fixture->result.kind, PORT_UNPLUGGED);
	expect_quiet(fixture);
	run("ip netns add other && ip netns add web1");
	wait_events(fixture, 1);
	assert_int_equal(fixture->event_kind, DEVICE_NAMESPACE_APPEARED);
	assert_int_equal(fixture->event_port, 26);
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
	expect_quiet(fixture);
}

/* Same name, another namespace: deleted and made anew, while somebody may still be in the old one. */
static void test_namespace_comes_back(void **state)
{
	struct fixture *fixture = *state;
	uint32_t before;
	int events;

	NEEDS_ROOT();
	run("ip netns add web1");
	plug(fixture, DEVICE_PLUGGED);
	before = fixture->result.ifindex;
	run("ip netns del web1");
	do
		wait_events(fixture, fixture->events + 1);
	while (fixture->event_kind != DEVICE_GONE);
	plug(fixture, DEVICE_WAITING);
	run("ip netns add web1");
	do
		wait_events(fixture, fixture->events + 1);
	while (fixture->event_kind != DEVICE_NAMESPACE_APPEARED);
	plug(fixture, DEVICE_PLUGGED);
	assert_int_not_equal(fixture->result.ifindex, before);
	expect_right(fixture);
	expect_quiet(fixture);

	/* Kept alive by a second name: the port goes on in it, until the first name leads elsewhere. */
	before = fixture->result.ifindex;
	events = fixture->events;
	run("touch /run/netns/kept && mount --bind /run/netns/web1 /run/netns/kept && "
	    "ip netns del web1");
	do
		wait_events(fixture, ++events);
	while (fixture->event_kind != DEVICE_NAMESPACE_GONE);
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(fixture->result.ifindex, before);
	run("ip netns add web1");
	do
		wait_events(fixture, ++events);
	while (fixture->event_kind != DEVICE_NAMESPACE_APPEARED);
	expect_wrong(fixture, "another");
	plug(fixture, DEVICE_PLUGGED);
	assert_non_null(strstr(fixture->result.sentence, "another"));
	assert_int_not_equal(fixture->result.ifindex, before);
	assert_false(prints("ip -n kept link show", "eth0"));
	assert_true(prints("ip -n web1 addr show eth0", "10.0.1.11"));
	expect_right(fixture);
}

static void test_device_deleted(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip netns add web1");
	plug(fixture, DEVICE_PLUGGED);
	run("ip link del w1a");
	wait_events(fixture, 1);
	assert_int_equal(fixture->event_kind, DEVICE_GONE);
	expect_wrong(fixture, "no device");
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
	run("ip -n web1 link del eth0");
	do
		wait_events(fixture, fixture->events + 1);
	while (fixture->event_kind != DEVICE_GONE);
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
	expect_quiet(fixture);
}

static void repaired(struct fixture *fixture, const char *what)
{
	wait_events(fixture, fixture->events + 1);
	assert_int_equal(fixture->event_kind, DEVICE_CHANGED);
	assert_int_equal(fixture->event_port, 26);
	expect_wrong(fixture, what);
	plug(fixture, DEVICE_PLUGGED);
	assert_true(fixture->result.changed);
	expect_right(fixture);
	expect_quiet(fixture);
}

static void test_changed_inside(void **state)
{
	struct fixture *fixture = *state;
	uint32_t ifindex;

	NEEDS_ROOT();
	run("ip netns add web1");
	plug(fixture, DEVICE_PLUGGED);
	ifindex = fixture->result.ifindex;
	run("ip -n web1 link set eth0 address 02:00:00:00:00:99");
	repaired(fixture, "02:00:00:00:00:99");
	run("ip -n web1 link set eth0 mtu 1400");
	repaired(fixture, "MTU 1400");
	run("ip -n web1 link set eth0 down");
	repaired(fixture, "down");
	run("ip -n web1 link set eth0 down && ip -n web1 link set eth0 name wan0 && "
	    "ip -n web1 link set wan0 up");
	repaired(fixture, "wan0");
	run("ip link set w1a down");
	repaired(fixture, "w1a is up again");
	run("ip link set w1a mtu 1200");
	repaired(fixture, "MTU of w1a");
	/* Addresses are looked at by the audit only. */
	run("ip -n web1 addr del 10.0.1.11/24 dev eth0");
	expect_wrong(fixture, "10.0.1.11/24");
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
	run("ip -n web1 route del default");
	expect_wrong(fixture, "10.0.1.1");
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
	/* With all its routes the one to the gateway's subnet goes as well. */
	run("ip -n web1 route flush dev eth0 && ip -n web1 -6 route flush dev eth0");
	expect_wrong(fixture, "10.0.1.1");
	plug(fixture, DEVICE_PLUGGED);
	assert_false(fixture->result.lacking);
	expect_right(fixture);
	assert_true(prints("ip -n web1 route", "10.0.1.0/24"));
	assert_true(prints("ip -n web1 -6 route", "fd00:b:1::/64 dev eth0"));
	assert_int_equal(fixture->result.ifindex, ifindex);
	/* The far end moves away: there is nothing to repair, it is made anew. */
	run("ip netns add other && ip -n web1 link set eth0 netns other");
	wait_events(fixture, fixture->events + 1);
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
}

/* What a workload does not let be set is said; what else there is of the port goes on. */
static void test_lacking(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip netns add web1 && ip netns exec web1 sysctl -q -w net.ipv6.conf.all.disable_ipv6=1 "
	    "net.ipv6.conf.default.disable_ipv6=1");
	plug(fixture, DEVICE_PLUGGED);
	assert_true(fixture->result.lacking);
	assert_non_null(strstr(fixture->result.sentence, "fd00:b:1::11"));
	assert_int_not_equal(fixture->result.ifindex, 0);
	assert_true(prints("ip -n web1 route", "default via 10.0.1.1"));
	run("ip netns exec web1 sysctl -q -w net.ipv6.conf.eth0.disable_ipv6=0");
	expect_wrong(fixture, "fd00:b:1::11");
	plug(fixture, DEVICE_PLUGGED);
	assert_false(fixture->result.lacking);
	expect_right(fixture);
	/* Another device has its name. */
	run("ip -n web1 link set eth0 down && ip -n web1 link set eth0 name wan0 && "
	    "ip -n web1 link add eth0 type veth peer name x0");
	plug(fixture, DEVICE_PLUGGED);
	assert_true(fixture->result.lacking);
	assert_int_not_equal(fixture->result.ifindex, 0);
	run("ip -n web1 link del eth0");
	plug(fixture, DEVICE_PLUGGED);
	assert_false(fixture->result.lacking);
	expect_right(fixture);
}

/* New addresses replace the old ones; what others put there stays. */
static void test_addresses_change(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip netns add web1");
	plug(fixture, DEVICE_PLUGGED);
	run("ip -n web1 addr add 10.0.1.200/32 dev eth0");
	ip_prefix_parse("10.0.1.12/24", &fixture->addresses[0]);
	ip_address_parse("10.0.1.254", &fixture->gateways[0]);
	plug(fixture, DEVICE_PLUGGED);
	assert_false(prints("ip -n web1 addr show eth0", "10.0.1.11"));
	assert_true(prints("ip -n web1 addr show eth0", "10.0.1.12/24"));
	assert_true(prints("ip -n web1 addr show eth0", "10.0.1.200"));
	assert_true(prints("ip -n web1 route", "default via 10.0.1.254"));
	expect_right(fixture);
}

static void test_refused(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip netns add web1 && ip -n web1 link add eth0 type veth peer name x0");
	plug(fixture, DEVICE_FAILED);
	assert_non_null(strstr(fixture->result.sentence, "eth0"));
	run("ip -n web1 link del eth0");
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	/* A device of somebody else has our name. */
	run("ip link add w1a type veth peer name x0 && ip link set w1a up");
	plug(fixture, DEVICE_FAILED);
	assert_non_null(strstr(fixture->result.sentence, "w1a"));
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	assert_int_not_equal(if_nametoindex("w1a"), 0);
	run("ip link del w1a");
	fixture->attach.kind = ATTACH_NONE;
	plug(fixture, DEVICE_WAITING);
	fixture->attach.kind = ATTACH_NETNS;
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "/etc/passwd/x");
	plug(fixture, DEVICE_WAITING);
}

static void test_path_and_pid(void **state)
{
	struct fixture *fixture = *state;
	int ready[2];
	char byte;
	pid_t child;

	NEEDS_ROOT();
	/* A path is asked for while the port waits. */
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "/run/here/net");
	plug(fixture, DEVICE_WAITING);
	run("ip netns add a && mkdir /run/here && touch /run/here/net && "
	    "mount --bind /run/netns/a /run/here/net");
	wait_events(fixture, 1);
	assert_int_equal(fixture->event_kind, DEVICE_NAMESPACE_APPEARED);
	plug(fixture, DEVICE_PLUGGED);
	assert_true(prints("ip -n a addr show eth0", "10.0.1.11"));
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);

	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		if (!unshare(CLONE_NEWNET) && write(ready[1], "", 1) == 1)
			pause();
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	fixture->attach.kind = ATTACH_PID;
	fixture->attach.pid = (uint32_t)child;
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, NULL, 0), child);
	do
		wait_events(fixture, fixture->events + 1);
	while (fixture->event_kind != DEVICE_GONE);
	plug(fixture, DEVICE_WAITING);
	assert_non_null(strstr(fixture->result.sentence, "no process"));
	close(ready[0]);
	close(ready[1]);
}

/* A port that is attached elsewhere leaves nothing where it was, also when it has to wait. */
static void test_moved(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip netns add web1 && ip netns add web2");
	plug(fixture, DEVICE_PLUGGED);
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "web3");
	plug(fixture, DEVICE_WAITING);
	assert_int_equal(if_nametoindex("w1a"), 0);
	assert_false(prints("ip -n web1 link", "eth0"));
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "web2");
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
	fixture->attach = (struct attach){ .kind = ATTACH_TAP, .ifname = "tap0", .queues = 1 };
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(if_nametoindex("w1a"), 0);
	assert_false(prints("ip -n web2 link", "eth0"));
	fixture->attach = (struct attach){ .kind = ATTACH_TUN, .ifname = "tap0" };
	plug(fixture, DEVICE_PLUGGED);
	assert_true(prints("ip -d link show tap0", "tun type tun"));
	fixture->attach = (struct attach){ .kind = ATTACH_NONE };
	plug(fixture, DEVICE_WAITING);
	assert_int_equal(if_nametoindex("tap0"), 0);
}

/* ---- many ---- */

#define PORTS 150

static void test_many(void **state)
{
	struct fixture *fixture = *state;
	struct device_request *requests = xcalloc(PORTS, sizeof(*requests));
	struct device_result *results = xcalloc(PORTS, sizeof(*results));
	struct attach *attaches = xcalloc(PORTS, sizeof(*attaches));
	uint32_t ids[PORTS], failed[PORTS], *found;

	if (!privileged)
		goto out;
	run("for i in $(seq 0 2 %d); do echo netns add n$i; done | ip -batch -", PORTS - 1);
	for (uint32_t i = 0; i < PORTS; i++) {
		attaches[i] = fixture->attach;
		snprintf(attaches[i].netns, sizeof(attaches[i].netns), "n%u", i);
		requests[i] = fixture->request;
		requests[i].attach = &attaches[i];
		requests[i].port_id = ids[i] = 1000 + i;
	}
	devices_plug(fixture->devices, requests, PORTS, results);
	assert_false(prints("ip link show up", "w3e8"));
	assert_int_equal(devices_set_up(fixture->devices, ids, PORTS, failed, NULL), 0);
	assert_true(prints("ip link show up", "w3e8"));
	for (uint32_t i = 0; i < PORTS; i++) {
		assert_int_equal(results[i].state, i % 2 ? DEVICE_WAITING : DEVICE_PLUGGED);
		assert_int_equal(results[i].ifindex != 0, !(i % 2));
	}
	assert_int_equal(fixture->attached, PORTS / 2);
	expect_quiet(fixture);
	run("ip -n n4 link set eth0 address 02:00:00:00:00:99");
	wait_events(fixture, fixture->events + 1);
	assert_int_equal(fixture->event_port, 1004);

	/* After a crash the next daemon finds them by their alias. */
	devices_close(fixture->devices);
	open_devices(fixture);
	assert_int_equal(devices_list(fixture->devices, &found, NULL), PORTS / 2);
	free(found);
	assert_int_equal(devices_unplug(fixture->devices, ids, PORTS, NULL), 0);
	assert_int_equal(devices_list(fixture->devices, &found, NULL), 0);
	free(found);
out:
	free(attaches);
	free(results);
	free(requests);
	NEEDS_ROOT();
}

static int32_t id_of(const char *netns)
{
	struct netlink *netlink;
	int fd = netns_open_name(netns, NULL);
	int32_t id = -1;

	assert_true(fd >= 0);
	assert_int_equal(netlink_open(&netlink, -1, NULL), 0);
	assert_int_equal(netlink_netnsid(netlink, fd, &id, NULL), 0);
	netlink_close(netlink);
	close(fd);
	return id;
}

/* Each namespace gets a lower id than all before, also from the next daemon; one that has an id keeps
 * it, and the host's own namespace gets none. */
static void test_namespace_ids(void **state)
{
	struct fixture *fixture = *state;
	int32_t first;

	NEEDS_ROOT();
	run("ip netns add na && ip netns add nb && ip netns add nc && ip netns add nd && "
	    "ip netns set nc 7 && ip netns attach nself $$");
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "na");
	plug(fixture, DEVICE_PLUGGED);
	first = id_of("na");
	assert_true(first > 1 << 29);
	fixture->request.port_id++;
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "nb");
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(id_of("nb"), first - 1);
	fixture->request.port_id++;
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "nc");
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(id_of("nc"), 7);
	fixture->request.port_id++;
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "nself");
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(id_of("nself"), -1);
	expect_right(fixture);
	devices_close(fixture->devices);
	open_devices(fixture);
	fixture->request.port_id++;
	snprintf(fixture->attach.netns, sizeof(fixture->attach.netns), "nd");
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(id_of("nd"), first - 2);
}

/* ---- tap and tun ---- */

static void test_tap(void **state)
{
	struct fixture *fixture = *state;
	uint32_t *found;

	NEEDS_ROOT();
	fixture->attach = (struct attach){ .kind = ATTACH_TAP, .ifname = "tap0", .queues = 4 };
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(fixture->result.kind, PORT_TAP);
	assert_int_equal(fixture->result.ifindex, if_nametoindex("tap0"));
	assert_false(fixture->attached_while_up);
	assert_true(prints("ip -d link show up dev tap0", "tun type tap"));
	assert_true(prints("ip -d link show tap0", "vnet_hdr on multi_queue"));
	assert_true(prints("ip -d link show tap0", "persist on"));
	assert_true(prints("ip link show tap0", "mtu 1450"));
	assert_true(prints("ip link show tap0", "alias weft blue/web1 (port 26)"));
	assert_false(prints("ip addr show tap0", "inet"));
	expect_right(fixture);
	plug(fixture, DEVICE_PLUGGED);
	assert_false(fixture->result.changed);
	expect_quiet(fixture);
	run("ip link del tap0");
	wait_events(fixture, 1);
	assert_int_equal(fixture->event_kind, DEVICE_GONE);
	plug(fixture, DEVICE_PLUGGED);
	devices_close(fixture->devices);
	open_devices(fixture);
	assert_int_equal(devices_list(fixture->devices, &found, NULL), 1);
	assert_int_equal(found[0], 26);
	free(found);
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	assert_int_equal(if_nametoindex("tap0"), 0);
}

/* Each moment after it was made persistent: attaching the pipeline is the first thing that happens then. */
static void test_tap_of_a_killed_daemon(void **state)
{
	struct fixture *fixture = *state;
	uint32_t *found;

	NEEDS_ROOT();
	fixture->attach = (struct attach){ .kind = ATTACH_TAP, .ifname = "tap0", .queues = 1 };
	fixture->attach_code = -EIO;
	plug(fixture, DEVICE_FAILED);
	assert_true(prints("ip -d link show tap0", "persist on"));
	devices_close(fixture->devices);
	open_devices(fixture);
	assert_int_equal(devices_list(fixture->devices, &found, NULL), 1);
	assert_int_equal(found[0], 26);
	assert_int_equal(devices_unplug(fixture->devices, found, 1, NULL), 0);
	free(found);
	assert_int_equal(if_nametoindex("tap0"), 0);
}

/* A tap that was there before is used, repaired, and stays. */
static void test_tap_adopted(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip tuntap add dev tap0 mode tap");
	fixture->attach = (struct attach){ .kind = ATTACH_TAP, .ifname = "tap0", .queues = 1 };
	plug(fixture, DEVICE_PLUGGED);
	assert_true(prints("ip link show up dev tap0", "mtu 1450"));
	assert_false(prints("ip link show tap0", "alias"));
	run("ip link set tap0 down");
	wait_events(fixture, 1);
	assert_int_equal(fixture->event_kind, DEVICE_CHANGED);
	plug(fixture, DEVICE_PLUGGED);
	expect_right(fixture);
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	assert_int_not_equal(if_nametoindex("tap0"), 0);
	assert_false(prints("ip link show up dev tap0", "tap0"));
	fixture->attach.kind = ATTACH_TUN;
	plug(fixture, DEVICE_FAILED);
	assert_non_null(strstr(fixture->result.sentence, "tap0"));
}

static void test_tun(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	fixture->attach = (struct attach){ .kind = ATTACH_TUN, .ifname = "tun0" };
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(fixture->result.kind, PORT_TUN);
	assert_int_equal(fixture->result.attachment_flags, ATTACHMENT_NO_ETHERNET);
	assert_true(prints("ip -d link show up dev tun0", "tun type tun"));
	assert_false(prints("ip addr show tun0", "inet"));
	expect_right(fixture);
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	assert_int_equal(if_nametoindex("tun0"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_plug),
		CASE(test_not_configured),
		CASE(test_namespace_appears),
		CASE(test_namespace_comes_back),
		CASE(test_device_deleted),
		CASE(test_changed_inside),
		CASE(test_lacking),
		CASE(test_addresses_change),
		CASE(test_refused),
		CASE(test_path_and_pid),
		CASE(test_moved),
		CASE(test_many),
		CASE(test_namespace_ids),
		CASE(test_tap),
		CASE(test_tap_of_a_killed_daemon),
		CASE(test_tap_adopted),
		CASE(test_tun),
	};

	return cmocka_run_group_tests_name("device", tests, make_machine, NULL);
}
