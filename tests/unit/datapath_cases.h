/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What every kind of datapath must do with its tables, as cases that take an open one.
 *
 * test_datapath_dummy.c and test_kernel.c run the same cases, so that a test of the agent on the
 * dummy says something about the kernel. Each case leaves the tables empty.
 */
#ifndef WEFT_TESTS_UNIT_DATAPATH_CASES_H
#define WEFT_TESTS_UNIT_DATAPATH_CASES_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#include "base/alloc.h"
#include "datapath/datapath.h"

static bool count_row(void *context, const void *key, const void *value)
{
	(void)key;
	(void)value;
	(*(size_t *)context)++;
	return true;
}

static bool stop_at_once(void *context, const void *key, const void *value)
{
	count_row(context, key, value);
	return false;
}

static size_t row_count(struct datapath *datapath, enum table_id table)
{
	size_t count = 0;

	assert_int_equal(datapath_walk(datapath, table, count_row, &count), 0);
	return count;
}

static void case_single_rows(struct datapath *datapath)
{
	struct port_key key = { .port_id = 7 };
	struct port port = { .vpc_id = 3, .ifindex = 9 }, read = { 0 };

	assert_int_equal(datapath_get(datapath, TABLE_ports, &key, &read), -ENOENT);
	assert_int_equal(datapath_remove(datapath, TABLE_ports, &key), -ENOENT);
	assert_int_equal(datapath_put(datapath, TABLE_ports, &key, &port), 0);
	port.ifindex = 10;
	assert_int_equal(datapath_put(datapath, TABLE_ports, &key, &port), 0);
	assert_int_equal(datapath_get(datapath, TABLE_ports, &key, &read), 0);
	assert_memory_equal(&read, &port, sizeof(port));
	assert_int_equal(row_count(datapath, TABLE_ports), 1);
	assert_int_equal(datapath_remove(datapath, TABLE_ports, &key), 0);
	assert_int_equal(row_count(datapath, TABLE_ports), 0);
	assert_int_equal(datapath_put(datapath, TABLES, &key, &port), -EINVAL);
	assert_int_equal(datapath_get(datapath, TABLES, &key, &port), -EINVAL);
	assert_int_equal(datapath_walk(datapath, TABLES, count_row, NULL), -EINVAL);
}

#define MANY 10000

static void case_many_rows(struct datapath *datapath)
{
	struct endpoint_key *keys = xcalloc(MANY, sizeof(*keys));
	struct endpoint *values = xcalloc(MANY, sizeof(*values)), read;
	size_t done = 0, seen = 0;

	for (uint32_t i = 0; i < MANY; i++) {
		keys[i].vpc_id = 1;
		keys[i].address.word[3] = i;
		values[i].port_id = i + 1;
	}
	assert_int_equal(datapath_put_many(datapath, TABLE_endpoints, keys, values, MANY, &done),
			 0);
	assert_int_equal(done, MANY);
	assert_int_equal(row_count(datapath, TABLE_endpoints), MANY);
	assert_int_equal(datapath_get(datapath, TABLE_endpoints, &keys[4711], &read), 0);
	assert_int_equal(read.port_id, 4712);
	assert_int_equal(datapath_walk(datapath, TABLE_endpoints, stop_at_once, &seen), 0);
	assert_int_equal(seen, 1);

	/* Rows that are gone already do not stop the removal of those behind them. */
	assert_int_equal(datapath_remove(datapath, TABLE_endpoints, &keys[5]), 0);
	assert_int_equal(datapath_remove(datapath, TABLE_endpoints, &keys[6000]), 0);
	assert_int_equal(datapath_remove(datapath, TABLE_endpoints, &keys[MANY - 1]), 0);
	assert_int_equal(datapath_remove_many(datapath, TABLE_endpoints, keys, MANY), 0);
	assert_int_equal(row_count(datapath, TABLE_endpoints), 0);
	assert_int_equal(datapath_put_many(datapath, TABLE_endpoints, keys, values, 0, &done), 0);
	assert_int_equal(done, 0);
	free(values);
	free(keys);
}

/* A full table says so and how far it came. The table has 16,384 rows. */
static void case_full_table(struct datapath *datapath)
{
	const size_t room = 16384, more = 10;
	struct subnet_key *keys = xcalloc(room + more, sizeof(*keys));
	struct subnet *values = xcalloc(room + more, sizeof(*values));
	size_t done = 0;

	for (uint32_t i = 0; i < room + more; i++)
		keys[i].subnet_id = i + 1;
	assert_int_equal(datapath_put_many(datapath, TABLE_subnets, keys, values, room + more,
					   &done),
			 -E2BIG);
	assert_int_equal(done, room);
	assert_int_equal(datapath_put(datapath, TABLE_subnets, &keys[room], values), -E2BIG);
	assert_int_equal(datapath_put(datapath, TABLE_subnets, &keys[3], values), 0);
	assert_int_equal(datapath_remove_many(datapath, TABLE_subnets, keys, room + more), 0);
	assert_int_equal(row_count(datapath, TABLE_subnets), 0);
	free(values);
	free(keys);
}

static struct route_key route_to(uint8_t third, uint8_t fourth, uint32_t length)
{
	struct route_key key = { .prefix_length = 32 + 96 + length, .table_id = 5 };
	const uint8_t bytes[16] = { [10] = 0xff, 0xff, 10, 0, third, fourth };

	memcpy(&key.address, bytes, sizeof(bytes));
	return key;
}

static void case_longest_prefix(struct datapath *datapath)
{
	const struct route_key keys[] = {
		route_to(0, 0, 16),
		route_to(1, 0, 24),
		route_to(1, 7, 32),
		route_to(0, 0, 0),
	};
	struct route_key key = route_to(1, 7, 32);
	struct route values[4] = {
		{ .target = 1 }, { .target = 2 }, { .target = 3 }, { .target = 4 }
	};
	struct route read;
	size_t done;

	assert_int_equal(datapath_put_many(datapath, TABLE_routes, keys, values, 4, &done), 0);
	assert_int_equal(row_count(datapath, TABLE_routes), 4);
	assert_int_equal(datapath_get(datapath, TABLE_routes, &key, &read), 0);
	assert_int_equal(read.target, 3);
	key = route_to(1, 8, 32);
	assert_int_equal(datapath_get(datapath, TABLE_routes, &key, &read), 0);
	assert_int_equal(read.target, 2);
	key = route_to(2, 8, 32);
	assert_int_equal(datapath_get(datapath, TABLE_routes, &key, &read), 0);
	assert_int_equal(read.target, 1);
	key.table_id = 6;
	assert_int_equal(datapath_get(datapath, TABLE_routes, &key, &read), -ENOENT);
	assert_int_equal(datapath_remove(datapath, TABLE_routes, &keys[2]), 0);
	assert_int_equal(datapath_remove(datapath, TABLE_routes, &keys[2]), -ENOENT);
	assert_int_equal(datapath_remove_many(datapath, TABLE_routes, keys, 4), 0);
	assert_int_equal(row_count(datapath, TABLE_routes), 0);
}

static void case_arrays(struct datapath *datapath)
{
	struct slot_key key = { .slot = 12 };
	struct vpc vpc = { .vpc_id = 99 }, read;

	assert_int_equal(row_count(datapath, TABLE_vpcs), 0);
	assert_int_equal(datapath_put(datapath, TABLE_vpcs, &key, &vpc), 0);
	assert_int_equal(row_count(datapath, TABLE_vpcs), 1);
	assert_int_equal(datapath_get(datapath, TABLE_vpcs, &key, &read), 0);
	assert_int_equal(read.vpc_id, 99);
	assert_int_equal(datapath_remove(datapath, TABLE_vpcs, &key), 0);
	assert_int_equal(row_count(datapath, TABLE_vpcs), 0);
	assert_int_equal(datapath_get(datapath, TABLE_vpcs, &key, &read), 0);
	assert_int_equal(read.vpc_id, 0);
	key.slot = 1 << 20;
	assert_int_equal(datapath_put(datapath, TABLE_vpcs, &key, &vpc), -E2BIG);
	assert_int_equal(datapath_remove(datapath, TABLE_vpcs, &key), -ENOENT);
	assert_int_equal(datapath_get(datapath, TABLE_vpcs, &key, &read), -ENOENT);
}

static void case_counters(struct datapath *datapath)
{
	struct slot_key key = { .slot = 3 };
	struct verdict_counter counter = { 1, 1 };
	struct port_counts counts;
	struct port_stats read;

	datapath_port_stats(datapath, 3)->received_packets = 42;
	assert_int_equal(datapath_get(datapath, TABLE_port_stats, &key, &read), 0);
	assert_int_equal(read.received_packets, 42);
	assert_int_equal(datapath_remove(datapath, TABLE_port_stats, &key), 0);
	assert_int_equal(datapath_port_stats(datapath, 3)->received_packets, 0);
	datapath_port_stats(datapath, 3)->sent_bytes = 7;
	assert_int_equal(datapath_port_counts(datapath, 3, &counts), 0);
	assert_int_equal(counts.sent_bytes, 7);
	datapath_port_clear(datapath, 3);
	assert_int_equal(datapath_port_counts(datapath, 3, &counts), 0);
	assert_int_equal(counts.sent_bytes, 0);
	assert_int_equal(datapath_port_counts(datapath, UINT32_MAX, &counts), -ENOENT);
	assert_non_null(datapath_vpc_stats(datapath, 4095));
	assert_null(datapath_vpc_stats(datapath, 4096));
	assert_null(datapath_port_stats(datapath, UINT32_MAX));
	assert_non_null(datapath_state(datapath));
	assert_int_equal(datapath_state(datapath)->event_rate, 100);
	assert_int_equal(datapath_verdict(datapath, VERDICT_NO_ROUTE, &counter), 0);
	assert_int_equal(counter.packets, 0);
	assert_int_equal(datapath_verdict(datapath, VERDICTS, &counter), -EINVAL);
	assert_int_equal(datapath_put(datapath, TABLE_verdicts, &key, &counter), -ENOTSUP);
	assert_int_equal(datapath_remove(datapath, TABLE_verdicts, &key), -ENOTSUP);
}

static void all_table_cases(struct datapath *datapath)
{
	case_single_rows(datapath);
	case_many_rows(datapath);
	case_full_table(datapath);
	case_longest_prefix(datapath);
	case_arrays(datapath);
	case_counters(datapath);
}

#endif
