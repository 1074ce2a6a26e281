/* SPDX-License-Identifier: BSD-2-Clause */
/* base/ethtool.c on a veth pair in a network namespace of its own. */
#include <errno.h>
#include <unistd.h>

#include "base/ethtool.h"
#include "base/netlink.h"
#include "tests/unit/private_machine.h"

static int asked(void)
{
	struct veth_end near_end = { .name = "near", .netns_fd = -1 };
	struct veth_end far_end = { .name = "far", .netns_fd = -1 };
	struct netlink *netlink;

	assert_int_equal(netlink_open(&netlink, -1, NULL), 0);
	(void)netlink_link_add_veth(netlink, &near_end, &far_end, 1500, NULL); /* or is there */
	netlink_close(netlink);
	return ethtool_open(NULL);
}

static void test_off_and_on(void **state)
{
	bool on = false;
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	fd = asked();
	assert_int_equal(ethtool_segmentation(fd, "far", &on, NULL), 0);
	assert_true(on);
	assert_int_equal(ethtool_set_segmentation(fd, "far", false, NULL), 0);
	assert_int_equal(ethtool_segmentation(fd, "far", &on, NULL), 0);
	assert_false(on);
	assert_int_equal(ethtool_segmentation(fd, "near", &on, NULL), 0);
	assert_true(on);
	assert_int_equal(ethtool_set_segmentation(fd, "far", true, NULL), 0);
	assert_int_equal(ethtool_segmentation(fd, "far", &on, NULL), 0);
	assert_true(on);
	close(fd);
}

static void test_no_device(void **state)
{
	struct error error = { 0 };
	bool on;
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	fd = asked();
	assert_int_equal(ethtool_segmentation(fd, "none", &on, &error), -ENODEV);
	assert_string_equal(error.text, "offloads of none: No such device");
	assert_int_equal(ethtool_set_segmentation(fd, "none", true, &error), -ENODEV);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_off_and_on),
		cmocka_unit_test(test_no_device),
	};

	return cmocka_run_group_tests_name("ethtool", tests, private_machine_enter, NULL);
}
