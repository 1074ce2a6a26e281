/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/devices/device_adopt.c, adoption.c: devices that somebody else has made are used and put back.
 */
#include <jansson.h>

#include "tests/unit/device_world.h"

/* A device that was made by somebody else is used, left when it is renamed, and put back. */
static void test_adopted(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip netns add peer; ip link add nic0 type veth peer name eth0 netns peer");
	fixture->attach = (struct attach){ .kind = ATTACH_DEVICE, .ifname = "nic0" };
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(fixture->result.kind, PORT_VETH);
	assert_int_equal(fixture->result.attachment_flags, 0);
	assert_false(fixture->attached_while_up);
	assert_true(prints("ip link show up dev nic0", "mtu 1500"));
	assert_false(prints("ip link show nic0", "alias"));
	expect_right(fixture);
	run("ip address add 192.0.2.1/24 dev nic0");
	assert_false(devices_check(fixture->devices, &fixture->request, &fixture->result));
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(fixture->result.kind, PORT_TAP);
	assert_int_equal(fixture->result.attachment_flags, ATTACHMENT_SHARED);
	fixture->attach.take_addresses = true;
	plug(fixture, DEVICE_PLUGGED);
	assert_false(prints("ip address show nic0", "192.0.2.1"));
	run("ip link set nic0 down; ip link set nic0 name nic1");
	wait_events(fixture, 1);
	plug(fixture, DEVICE_WAITING);
	assert_true(prints("ip address show nic1", "192.0.2.1"));
	run("ip link set nic1 name nic0");
	wait_events(fixture, 1);
	plug(fixture, DEVICE_PLUGGED);
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	assert_true(prints("ip address show nic0", "192.0.2.1"));
	assert_false(prints("ip link show up dev nic0", "nic0"));
}

/* It gets another name while it is being plugged in: that is told, and an audit sees it, too. */
static void test_renamed_meanwhile(void **state)
{
	struct fixture *fixture = *state;
	int events;

	NEEDS_ROOT();
	run("ip link add nic0 type veth peer name nic0p");
	fixture->attach = (struct attach){ .kind = ATTACH_DEVICE, .ifname = "nic0" };
	plug(fixture, DEVICE_PLUGGED);
	run("ip link set nic0 down");
	fixture->meanwhile = "ip link set nic0 name nic1";
	events = fixture->events;
	plug(fixture, DEVICE_PLUGGED);
	fixture->meanwhile = NULL;
	assert_false(devices_check(fixture->devices, &fixture->request, &fixture->result));
	assert_string_equal(fixture->result.sentence, "there is no device nic0");
	wait_events(fixture, events + 1);
	plug(fixture, DEVICE_WAITING);
	assert_true(devices_check(fixture->devices, &fixture->request, &fixture->result));
	assert_int_equal(devices_unplug(fixture->devices, &fixture->request.port_id, 1, NULL), 0);
	run("ip link delete nic1");
}

/* How a device was is read again by the next daemon; another boot's file is forgotten, nonsense refused. */
static void test_adopted_file(void **state)
{
	const struct adoption_wish wish = { .promiscuous = true, .take_addresses = true };
	struct adoptions *adoptions = NULL;
	struct netlink *netlink;
	struct link_info link;
	struct error error = { 0 };
	uint32_t *uplinks;

	(void)state;
	NEEDS_ROOT();
	run("ip link add nic0 type veth peer name nic0p; ip address add 192.0.2.1/24 dev nic0");
	assert_int_equal(netlink_open(&netlink, -1, NULL), 0);
	assert_int_equal(netlink_link_get_by_name(netlink, "nic0", &link, NULL), 0);
	assert_int_equal(adoptions_open("/run/adopted.json", &adoptions, NULL), 0);
	assert_int_equal(adoption_take(adoptions, netlink, &link, &wish, NULL), 0);
	adoptions_close(adoptions);
	assert_true(prints("ip link show nic0", "PROMISC"));
	assert_false(prints("ip address show nic0", "192.0.2.1"));
	assert_int_equal(adoptions_open("/run/adopted.json", &adoptions, NULL), 0);
	assert_int_equal(adoption_list(adoptions, true, &uplinks), 1);
	assert_int_equal(uplinks[0], link.ifindex);
	free(uplinks);
	adoption_release(adoptions, netlink, link.ifindex);
	adoptions_close(adoptions);
	assert_false(prints("ip link show nic0", "PROMISC"));
	assert_true(prints("ip address show nic0", "192.0.2.1/24"));
	run("echo '{\"place\":\"another\",\"devices\":[1]}' >/run/adopted.json");
	assert_int_equal(adoptions_open("/run/adopted.json", &adoptions, NULL), 0);
	assert_int_equal(adoption_list(adoptions, true, &uplinks), 0);
	free(uplinks);
	adoptions_close(adoptions);
	run("echo '{\"place\":' >/run/adopted.json");
	assert_true(adoptions_open("/run/adopted.json", &adoptions, &error) < 0);
	assert_non_null(strstr(error.text, "/run/adopted.json says how devices of the host were"));
	run("rm /run/adopted.json; ip link delete nic0");
	netlink_close(netlink);
}

#define SHOW                                                                                       \
	"{ ip -o address show nic0 | sed 's/ *valid_lft.*//' | grep -v fe80 | sort; "              \
	"ip route; ip -6 route | grep -v fe80; }"

/* All that the kernel knows of addresses and routes comes back, and not only what Weft has words for. */
static void test_put_back_as_they_were(void **state)
{
	const struct adoption_wish wish = { .take_addresses = true };
	struct adoptions *adoptions = NULL;
	struct netlink *netlink;
	struct link_info link;

	(void)state;
	NEEDS_ROOT();
	run("ip link add nic0 type veth peer name nic0p; ip link set nic0p up; ip link set nic0 up");
	run("ip address add 10.0.1.200/24 brd + label nic0:x dev nic0");
	run("ip address add 10.0.1.201/24 dev nic0");
	run("ip address add 10.44.0.1 peer 10.44.0.2/32 dev nic0");
	run("ip address add 10.55.0.1/24 noprefixroute dev nic0");
	run("ip address add 10.66.0.1/24 metric 300 valid_lft 4000 preferred_lft 3000 dev nic0");
	run("ip address add fd00:9::1/64 nodad noprefixroute dev nic0");
	run("ip address add fd00:a::1/64 nodad dev nic0");
	run("ip route add 10.99.0.0/16 via 10.0.1.50 proto dhcp src 10.0.1.201 metric 100 mtu 1400");
	run("ip route add default via 10.0.1.50 dev nic0 proto 42 src 10.66.0.1 metric 50");
	run("ip route add 10.98.0.0/16 dev nic0 scope link src 10.44.0.1");
	run("ip -6 route add fd00:b::/64 via fd00:a::2 proto 42 src fd00:9::1 metric 7");
	run(SHOW " >/run/before");
	assert_int_equal(netlink_open(&netlink, -1, NULL), 0);
	assert_int_equal(netlink_link_get_by_name(netlink, "nic0", &link, NULL), 0);
	assert_int_equal(adoptions_open("/run/adopted.json", &adoptions, NULL), 0);
	assert_int_equal(adoption_take(adoptions, netlink, &link, &wish, NULL), 0);
	adoptions_close(adoptions);
	run(SHOW " >/run/taken; ! grep . /run/taken");
	assert_int_equal(adoptions_open("/run/adopted.json", &adoptions, NULL), 0);
	adoption_release(adoptions, netlink, link.ifindex);
	adoptions_close(adoptions);
	run(SHOW " >/run/after; diff /run/before /run/after >&2");
	assert_true(prints("ip address show nic0", "dynamic"));
	run("rm /run/adopted.json /run/before /run/taken /run/after; ip link delete nic0");
	netlink_close(netlink);
}

/* A weftd of before wrote addresses and routes in words of its own. */
static void test_file_of_before(void **state)
{
	const struct adoption_wish wish = { .take_addresses = true };
	struct adoptions *adoptions = NULL;
	struct netlink *netlink;
	struct link_info link;
	json_t *file, *device;

	(void)state;
	NEEDS_ROOT();
	run("ip link add nic0 type veth peer name nic0p; ip link set nic0p up; ip link set nic0 up");
	assert_int_equal(netlink_open(&netlink, -1, NULL), 0);
	assert_int_equal(netlink_link_get_by_name(netlink, "nic0", &link, NULL), 0);
	assert_int_equal(adoptions_open("/run/adopted.json", &adoptions, NULL), 0);
	assert_int_equal(adoption_take(adoptions, netlink, &link, &wish, NULL), 0);
	adoptions_close(adoptions);
	file = json_load_file("/run/adopted.json", 0, NULL);
	device = json_array_get(json_object_get(file, "devices"), 0);
	assert_int_equal(json_object_del(device, "noted"), 0);
	json_array_append_new(json_object_get(device, "addresses"), json_string("192.0.2.1/24"));
	json_array_append_new(json_object_get(device, "routes"),
			      json_pack("{s:s, s:s, s:i, s:i, s:b}", "to", "10.9.0.0/16", "via",
					"192.0.2.9", "metric", 7, "table", 254, "onlink", 0));
	assert_int_equal(json_dump_file(file, "/run/adopted.json", 0), 0);
	json_decref(file);
	assert_int_equal(adoptions_open("/run/adopted.json", &adoptions, NULL), 0);
	adoption_release(adoptions, netlink, link.ifindex);
	adoptions_close(adoptions);
	assert_true(prints("ip address show nic0", "192.0.2.1/24"));
	assert_true(prints("ip route show dev nic0", "10.9.0.0/16 via 192.0.2.9"));
	run("rm /run/adopted.json; ip link delete nic0");
	netlink_close(netlink);
}

static void test_adopted_refused(void **state)
{
	struct fixture *fixture = *state;

	NEEDS_ROOT();
	run("ip link add nic0 type veth peer name nic0p; ip link add br0 type bridge");
	run("ip link set nic0 master br0");
	fixture->attach = (struct attach){ .kind = ATTACH_DEVICE, .ifname = "nic0" };
	plug(fixture, DEVICE_FAILED);
	assert_string_equal(fixture->result.sentence, "device nic0 is a member of br0");
	run("ip link set nic0 nomaster mtu 1400");
	plug(fixture, DEVICE_FAILED);
	assert_non_null(strstr(fixture->result.sentence, "say mtu: 1400 at the port"));
	snprintf(fixture->attach.ifname, sizeof(fixture->attach.ifname), "lo");
	plug(fixture, DEVICE_FAILED);
	assert_string_equal(fixture->result.sentence, "device lo is the loopback");
	run("ip link delete nic0; ip link delete br0");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_adopted),        CASE(test_renamed_meanwhile),
		CASE(test_adopted_file),   CASE(test_put_back_as_they_were),
		CASE(test_file_of_before), CASE(test_adopted_refused),
	};

	return cmocka_run_group_tests_name("device", tests, make_machine, NULL);
}
