/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The datapath in memory: the cases that all datapaths share, and its attached devices.
 */
#include "tests/unit/datapath_cases.h"

static void test_tables(void **state)
{
	const struct datapath_options options = { .instance = "test" };
	struct datapath *datapath = datapath_open_dummy(&options);

	(void)state;
	all_table_cases(datapath);
	datapath_close(datapath);
	datapath_close(NULL);
}

static void test_devices(void **state)
{
	const struct datapath_options options = { .instance = "test" };
	struct datapath *datapath = datapath_open_dummy(&options);
	struct error error = { 0 };
	uint32_t *ifindexes;

	(void)state;
	assert_int_equal(datapath_attach(datapath, 0, PORT_VETH, &error), -EINVAL);
	assert_int_equal(datapath_attach(datapath, 4, PORT_UNPLUGGED, &error), -EINVAL);
	assert_int_equal(datapath_attach(datapath, 4, PORT_VETH, &error), 0);
	assert_int_equal(datapath_attach(datapath, 4, PORT_VETH, &error), 0);
	assert_int_equal(datapath_attach_underlay(datapath, 0, &error), -EINVAL);
	assert_int_equal(datapath_attach_underlay(datapath, 5, &error), 0);
	assert_int_equal(datapath_attach_tunnel_device(datapath, 6, TUNNEL_VXLAN, 0, &error),
			 -EINVAL);
	assert_int_equal(datapath_attach_tunnel_device(datapath, 6, TUNNEL_VXLAN, 4789, &error), 0);
	assert_int_equal(datapath_attached_as(datapath, DATAPATH_UNDERLAY, &ifindexes), 1);
	assert_int_equal(ifindexes[0], 5);
	free(ifindexes);
	assert_int_equal(datapath_attached_as(datapath, DATAPATH_TUNNEL_DEVICE, &ifindexes), 1);
	assert_int_equal(ifindexes[0], 6);
	free(ifindexes);
	assert_int_equal(datapath_detach_underlay(datapath, 5), 0);
	assert_int_equal(datapath_detach_underlay(datapath, 5), -ENOENT);
	assert_int_equal(datapath_detach_tunnel_device(datapath, 6), 0);
	assert_int_equal(datapath_attached(datapath, &ifindexes), 1);
	assert_int_equal(ifindexes[0], 4);
	free(ifindexes);
	assert_int_equal(datapath_detach(datapath, 4), 0);
	assert_int_equal(datapath_detach(datapath, 4), -ENOENT);
	datapath_close(datapath);
}

static void test_rest(void **state)
{
	const struct datapath_options options = { .instance = "test", .event_rate = 7 };
	struct datapath *datapath = datapath_open_dummy(&options);
	struct flow_key key = { .port_id = 1 };
	struct flow flow = { 0 };
	size_t count;

	(void)state;
	assert_int_equal(datapath_state(datapath)->event_rate, 7);
	assert_int_equal(datapath_put(datapath, TABLE_flows, &key, &flow), 0);
	assert_int_equal(datapath_sweep(datapath, NULL), 0);
	assert_int_equal(datapath_state(datapath)->sweep_kept, 1);
	assert_int_equal(datapath_events_fd(datapath), -1);
	assert_int_equal(datapath_table_fd(datapath, TABLE_flows), -1);
	assert_int_equal(datapath_events_read(datapath, NULL, NULL, 10), 0);
	assert_false(datapath_features(datapath, &count)->present);
	assert_true(datapath_memory(datapath) > 0);
	datapath_close(datapath);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),
		cmocka_unit_test(test_devices),
		cmocka_unit_test(test_rest),
	};

	return cmocka_run_group_tests_name("datapath_dummy", tests, NULL, NULL);
}
