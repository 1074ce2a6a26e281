/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/tap: persistent devices, queues, kinds that do not fit, frames through both sorts.
 */
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/ethernet.h>
#include <poll.h>

#include "base/netlink.h"
#include "base/netns.h"
#include "base/tap.h"
#include "tests/unit/private_machine.h"

#define REQUIRE_TUN()                                                                              \
	do {                                                                                       \
		REQUIRE_PRIVATE_MACHINE();                                                         \
		if (access("/dev/net/tun", R_OK | W_OK)) {                                         \
			print_message("# skipped: /dev/net/tun is not there\n");                   \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

static struct link_info look_up(const char *name)
{
	struct link_info link = { 0 };
	struct netlink *netlink;

	assert_int_equal(netlink_open(&netlink, -1, NULL), 0);
	netlink_link_get_by_name(netlink, name, &link, NULL);
	netlink_close(netlink);
	return link;
}

static void test_create(void **state)
{
	struct tap_options options = { .name = "tap0",
				       .netns_fd = -1,
				       .multi_queue = true,
				       .vnet_header = true,
				       .owner = (uid_t)-1 };
	struct error error = { 0 };
	int first;
	int second;

	(void)state;
	REQUIRE_TUN();
	if (tap_create(&options, &error))
		fail_msg("%s", error.text);
	assert_string_equal(look_up("tap0").kind, "tun");
	assert_int_equal(tap_create(&options, &error), 0);
	first = tap_open(&options, &error);
	second = tap_open(&options, &error);
	assert_true(first >= 0 && second >= 0);
	assert_int_equal(tap_set_offload(first, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6, &error), 0);
	assert_int_equal(tap_set_offload(first, ~0U, &error), -EINVAL);
	/* The same name as another kind of device is refused with a sentence. */
	options.tun = true;
	assert_int_equal(tap_open(&options, &error), -EINVAL);
	assert_non_null(strstr(error.text, "is there already and is not a"));
	options.tun = false;
	options.multi_queue = false;
	assert_int_equal(tap_open(&options, &error), -EINVAL);
	assert_int_equal(tap_set_persistent(first, false, &error), 0);
	close(first);
	assert_int_not_equal(look_up("tap0").ifindex, 0);
	close(second);
	assert_int_equal(look_up("tap0").ifindex, 0);
}

static void test_single_queue(void **state)
{
	struct tap_options options = { .name = "tap1", .netns_fd = -1, .owner = 0 };
	struct error error = { 0 };
	int fd;

	(void)state;
	REQUIRE_TUN();
	fd = tap_open(&options, &error);
	assert_true(fd >= 0);
	assert_int_equal(tap_open(&options, &error), -EBUSY);
	assert_non_null(strstr(error.text, "in use by another program"));
	close(fd);
	assert_int_equal(look_up("tap1").ifindex, 0);
}

static void test_names(void **state)
{
	static const char *const bad[] = { "", "sixteen-letters-", "a/b", "tap%d", "a b" };
	struct tap_options options = { .netns_fd = -1, .owner = (uid_t)-1 };
	struct error error;

	(void)state;
	REQUIRE_TUN();
	for (size_t i = 0; i < 5; i++) {
		options.name = bad[i];
		assert_int_equal(tap_open(&options, &error), -EINVAL);
	}
	options.name = "fifteen-letters";
	assert_int_equal(tap_create(&options, &error), 0);
	assert_int_not_equal(look_up("fifteen-letters").ifindex, 0);
}

static void test_namespace(void **state)
{
	struct tap_options options = { .name = "tap2", .tun = true, .owner = (uid_t)-1 };
	struct error error = { 0 };
	struct netlink *netlink;
	struct link_info link;

	(void)state;
	REQUIRE_TUN();
	options.netns_fd = netns_create("tap", &error);
	assert_true(options.netns_fd >= 0);
	assert_int_equal(tap_create(&options, &error), 0);
	assert_int_equal(look_up("tap2").ifindex, 0);
	assert_int_equal(netlink_open(&netlink, options.netns_fd, &error), 0);
	assert_int_equal(netlink_link_get_by_name(netlink, "tap2", &link, &error), 0);
	netlink_close(netlink);
	close(options.netns_fd);
	assert_int_equal(netns_delete("tap", &error), 0);
}

/* A frame written to the device by the kernel (an ARP request) comes out of the descriptor. */
static void test_frame(void **state)
{
	struct tap_options options = { .name = "tap3", .netns_fd = -1, .owner = (uid_t)-1 };
	struct address_info address = { .no_dad = true };
	struct error error = { 0 };
	struct netlink *netlink;
	uint8_t frame[2048];
	struct pollfd ready;
	ssize_t size;

	(void)state;
	REQUIRE_TUN();
	ready = (struct pollfd){ .fd = tap_open(&options, &error), .events = POLLIN };
	assert_int_equal(netlink_open(&netlink, -1, &error), 0);
	address.ifindex = look_up("tap3").ifindex;
	assert_int_equal(ip_prefix_parse("fd00::1/64", &address.address), 0);
	assert_int_equal(netlink_address_add(netlink, &address, &error), 0);
	assert_int_equal(netlink_link_set_up(netlink, address.ifindex, true, &error), 0);
	netlink_close(netlink);
	/* IPv6 says hello by itself: a multicast report or a router solicitation. */
	assert_int_equal(poll(&ready, 1, 30000), 1);
	size = read(ready.fd, frame, sizeof(frame));
	assert_true(size > ETHER_HDR_LEN);
	assert_int_equal(frame[12] << 8 | frame[13], ETHERTYPE_IPV6);
	assert_int_equal(read(ready.fd, frame, sizeof(frame)) < 0 ? errno : EAGAIN, EAGAIN);
	close(ready.fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create), cmocka_unit_test(test_single_queue),
		cmocka_unit_test(test_names),  cmocka_unit_test(test_namespace),
		cmocka_unit_test(test_frame),
	};

	return cmocka_run_group_tests_name("tap", tests, private_machine_enter, NULL);
}
