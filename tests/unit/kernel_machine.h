/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The machine of tests/unit/test_kernel.c: namespaces of the process's own with a bpffs, and the rows,
 * written by hand, that let two of them talk through the pipeline.
 *
 *	 namespace a                 this namespace                 namespace b
 *	eth0 10.0.0.1  ---- veth ----  wa  (pipeline)  wb  ---- veth ----  10.0.0.2 eth0
 */
#ifndef WEFT_TESTS_UNIT_KERNEL_MACHINE_H
#define WEFT_TESTS_UNIT_KERNEL_MACHINE_H

#include <net/if.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/datapath_cases.h"
#include "tests/unit/machine.h"

static const char *bpffs = "/run/weft-bpf";

static const char mac_a[6] = { 0x02, 0, 0, 0, 0, 0x0a }, mac_b[6] = { 0x02, 0, 0, 0, 0, 0x0b };

/* ---- the machine ---- */

static inline int make_machine(void **state)
{
	(void)state;
	if (!own_machine())
		return 0;
	setenv("WEFT_BPFFS", bpffs, 1);
	run("ip link set lo up && mkdir /run/netns && ip netns add a && ip netns add b && "
	    "ip link add wa mtu 1500 type veth peer name eth0 address 02:00:00:00:00:0a netns a && "
	    "ip link add wb mtu 1500 type veth peer name eth0 address 02:00:00:00:00:0b netns b && "
	    "ip -n a addr add 10.0.0.1/24 dev eth0 && ip -n b addr add 10.0.0.2/24 dev eth0 && "
	    "ip -n a link set eth0 up && ip -n b link set eth0 up && "
	    "ip link set wa up && ip link set wb up");
	return 0;
}

static inline struct datapath *open_with(const struct datapath_options *options)
{
	struct error error = { 0 };
	struct datapath *datapath = NULL;

	if (datapath_open_kernel(options, &datapath, &error))
		fail_msg("%s", error.text);
	return datapath;
}

static inline struct datapath *open_hook(enum datapath_hook hook)
{
	const struct datapath_options options = { .instance = "test", .hook = hook };

	return open_with(&options);
}

static inline void destroy(void)
{
	struct error error = { 0 };

	if (datapath_destroy("test", &error))
		fail_msg("%s", error.text);
	assert_int_equal(access("/run/weft-bpf/weft", F_OK), -1);
}

static inline bool pinned(const char *path)
{
	char *whole = xasprintf("%s/weft/test/%s", bpffs, path);
	struct stat stat;
	bool there = !lstat(whole, &stat);

	free(whole);
	return there;
}

static inline void attach(struct datapath *datapath, const char *name)
{
	struct error error = { 0 };

	if (datapath_attach(datapath, if_nametoindex(name), PORT_VETH, &error))
		fail_msg("%s", error.text);
}

static inline size_t attached_count(struct datapath *datapath)
{
	uint32_t *ifindexes;
	size_t count = datapath_attached(datapath, &ifindexes);

	free(ifindexes);
	return count;
}

/* ---- rows that let a and b talk ---- */

static inline struct address ipv4(uint8_t last)
{
	const uint8_t bytes[16] = { [10] = 0xff, 0xff, 10, 0, 0, last };
	struct address address;

	memcpy(&address, bytes, sizeof(address));
	return address;
}

static inline void put(struct datapath *datapath, enum table_id table, const void *key,
		       const void *value)
{
	assert_int_equal(datapath_put(datapath, table, key, value), 0);
}

/* All may pass: classifier 1 has one rule, which allows everything. */
static inline void write_policy(struct datapath *datapath)
{
	const struct policy_key policy_key = { 1 };
	const struct policy policy = { .egress = 1, .ingress = 1, .object_id = 50 };
	const struct classifier_service_key service = { .prefix_length = 32, .classifier_id = 1 };
	const struct classifier_address_key any = { .prefix_length = 32, .classifier_id = 1 };
	const struct rule_set set = { .summary = 1, .first = 1 };
	const struct rule_key rule_key = { .classifier_id = 1, .bit = 0 };
	const struct rule rule = { .rule_id = 51, .allow = 1 };

	put(datapath, TABLE_policies, &policy_key, &policy);
	put(datapath, TABLE_classifier_services, &service, &set);
	put(datapath, TABLE_classifier_addresses, &any, &set);
	put(datapath, TABLE_rules, &rule_key, &rule);
}

static inline void write_port(struct datapath *datapath, uint32_t id, const char *device,
			      const char *mac)
{
	const struct attachment_key attachment_key = { if_nametoindex(device) };
	const struct attachment attachment = { .port_id = id, .port_slot = id, .vpc_slot = 1 };
	const struct port_key port_key = { id };
	struct port port = {
		.vpc_id = 9,
		.vpc_slot = 1,
		.port_slot = id,
		.subnet_id = 20,
		.ifindex = if_nametoindex(device),
		.kind = PORT_VETH,
		.flags = PORT_CHECK_SOURCE | PORT_CHECK_MAC,
		.mtu = 1500,
		.group_set_id = 1,
		.flow_limit = 1000,
		.flow_guarantee = 100,
	};
	const struct endpoint_key endpoint_key = { 9, ipv4((uint8_t)id) };
	struct endpoint endpoint = { .port_id = id, .subnet_id = 20, .group_set_id = 1 };
	struct station_key station_key = { .subnet_id = 20 };
	const struct station station = { .port_id = id, .flags = STATION_STATIC };

	memcpy(port.mac, mac, 6);
	memcpy(endpoint.mac, mac, 6);
	memcpy(station_key.mac, mac, 6);
	put(datapath, TABLE_attachments, &attachment_key, &attachment);
	put(datapath, TABLE_ports, &port_key, &port);
	put(datapath, TABLE_endpoints, &endpoint_key, &endpoint);
	put(datapath, TABLE_stations, &station_key, &station);
}

static inline void write_rows(struct datapath *datapath)
{
	const struct slot_key vpc_slot = { 1 };
	struct vpc vpc = { .vpc_id = 9, .generation = 1, .flow_limit = 1000 };
	const struct subnet_key subnet_key = { 20 };
	struct subnet subnet = {
		.vpc_id = 9,
		.route_table_id = 30,
		.network = { ipv4(0) },
		.gateway = { ipv4(254) },
		.prefix_length = { 120, 0 },
		.gateway_mac = { 0x02, 0, 0, 0, 0, 0xfe },
	};

	for (int i = 0; i < TIMEOUTS; i++)
		vpc.timeout[i] = 60 * TICKS_PER_SECOND;
	put(datapath, TABLE_vpcs, &vpc_slot, &vpc);
	put(datapath, TABLE_subnets, &subnet_key, &subnet);
	write_policy(datapath);
	write_port(datapath, 1, "wa", mac_a);
	write_port(datapath, 2, "wb", mac_b);
	datapath_state(datapath)->shared_limit = 1000;
}

/*
 * What another host listened to is kept for a while, unless there is much of it, and also when that host has no
 * part in the VPC any more: then nothing counts its rows, and none is counted less.
 */
static inline void sweep_groups(struct datapath *datapath, uint32_t now)
{
	const struct group aged = { .expires = now - 2 * TICKS_PER_SECOND };
	const struct group old = { .expires = now - 2 * GROUP_PEER_TICKS };
	struct group_key key = { .port_id = PEER_ID_FIRST };
	struct port_stats *stats = datapath_port_stats(datapath, 4);

	put(datapath, TABLE_ports, &key.port_id, &(struct port){ .port_slot = 4 });
	for (; key.address.word[3] < 3; key.address.word[3]++)
		put(datapath, TABLE_groups, &key, &aged);
	assert_int_equal(datapath_sweep(datapath, NULL), 0);
	assert_int_equal(row_count(datapath, TABLE_groups), 3);
	stats->groups = GROUP_PEER_ROWS_MAX + 1;
	assert_int_equal(datapath_sweep(datapath, NULL), 0);
	assert_int_equal(row_count(datapath, TABLE_groups), 1);
	assert_int_equal(datapath_remove(datapath, TABLE_ports, &key.port_id), 0);
	put(datapath, TABLE_groups, &key, &aged);
	assert_int_equal(datapath_sweep(datapath, NULL), 0);
	assert_int_equal(row_count(datapath, TABLE_groups), 2);
	put(datapath, TABLE_groups, &key, &old);
	assert_int_equal(datapath_sweep(datapath, NULL), 0);
	assert_int_equal(row_count(datapath, TABLE_groups), 1);
	put(datapath, TABLE_ports, &key.port_id, &(struct port){ .port_slot = 4 });
	put(datapath, TABLE_groups, &key, &old);
	stats->groups = 0;
	assert_int_equal(datapath_sweep(datapath, NULL), 0);
	assert_int_equal(stats->groups, 0);
}

#endif
