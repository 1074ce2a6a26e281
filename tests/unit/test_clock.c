/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/clock: the system's and a manual one, and text.
 */
#include "base/clock.h"
#include "tests/unit/unit.h"

static void test_manual(void **state)
{
	struct clock clock = { .monotonic_ns = 5, .realtime_ns = 7 };

	(void)state;
	clock_advance(&clock, 3 * CLOCK_NS_PER_MS);
	assert_int_equal(clock_monotonic_ns(&clock), 3000005);
	assert_int_equal(clock_monotonic_ms(&clock), 3);
	assert_int_equal(clock_realtime_ns(&clock), 3000007);
}

static void test_system(void **state)
{
	uint64_t before = clock_monotonic_ns(NULL);

	(void)state;
	assert_true(clock_monotonic_ns(NULL) >= before);
	/* Some time after this was written. */
	assert_true(clock_realtime_ns(NULL) > UINT64_C(1600000000) * CLOCK_NS_PER_SECOND);
}

static void test_text(void **state)
{
	char text[CLOCK_RFC3339_SIZE];

	(void)state;
	assert_string_equal(clock_rfc3339_format(0, text), "1970-01-01T00:00:00.000Z");
	assert_string_equal(clock_rfc3339_format(UINT64_C(1709210096789999999), text),
			    "2024-02-29T12:34:56.789Z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_manual),
		cmocka_unit_test(test_system),
		cmocka_unit_test(test_text),
	};

	return cmocka_run_group_tests_name("clock", tests, NULL, NULL);
}
