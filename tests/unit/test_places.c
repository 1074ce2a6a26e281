/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/services/places.c: who may have how many connections to a service of the host.
 */
#include "agent/services/places.h"
#include "tests/unit/unit.h"

#define PORTS_OF_VPC 100 /* they want more than there is */

/* Every port of a VPC takes what it gets. Return: how many that were. */
static size_t take_all(struct places *places, uint32_t vpc_id)
{
	size_t taken = 0;

	for (uint32_t port = 0; port < PORTS_OF_VPC; port++)
		for (; places_has(places, vpc_id * 1000 + port, vpc_id); taken++)
			places_take(places, vpc_id * 1000 + port, vpc_id);
	return taken;
}

static void leave_all(struct places *places, uint32_t vpc_id, size_t taken)
{
	for (size_t i = 0; i < taken; i++)
		places_leave(places, vpc_id * 1000 + (uint32_t)(i / PLACES_PER_PORT));
}

static void test_port(void **state)
{
	struct places places = { 0 };

	(void)state;
	for (int i = 0; i < PLACES_PER_PORT; i++) {
		assert_true(places_has(&places, 7, 1));
		places_take(&places, 7, 1);
	}
	assert_false(places_has(&places, 7, 1));
	assert_true(places_has(&places, 8, 1));
	places_leave(&places, 7);
	assert_true(places_has(&places, 7, 1));
	places_fini(&places);
}

/* However many VPCs want all there is, another finds a place, and never are there more than PLACES. */
static void test_vpcs_are_fair(void **state)
{
	struct places places = { 0 };
	size_t first = take_all(&places, 1), second;

	(void)state;
	assert_int_equal(first, PLACES / 2);
	second = take_all(&places, 2);
	assert_int_equal(second, PLACES / 4);
	for (uint32_t vpc_id = 3; vpc_id < 10; vpc_id++)
		assert_true(places_has(&places, vpc_id * 1000, vpc_id));
	assert_true(places.taken <= PLACES);
	/* What the first gives up the second may have: two take two thirds. */
	leave_all(&places, 1, first);
	assert_int_equal(places.taken, second);
	second += take_all(&places, 2);
	assert_int_equal(second, PLACES / 2);
	leave_all(&places, 2, second);
	assert_int_equal(places.taken, 0);
	assert_int_equal(map_count(&places.of_ports), 0);
	assert_int_equal(map_count(&places.of_vpcs), 0);
	places_fini(&places);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_port),
		cmocka_unit_test(test_vpcs_are_fair),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
