/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model/text_rate: what buckets and queues follow from a rate.
 */
#include "model/object.h"
#include "tests/unit/unit.h"

static void buckets(void **state)
{
	static const uint64_t rates[] = { 8000, 10000000, 1000000000, 5000000000, 1000000000000 };

	(void)state;
	for (size_t i = 0; i < sizeof(rates) / sizeof(rates[0]); i++) {
		struct port_object port = { .send_rate = rates[i] }, tap = port;

		/* A whole frame of several packets fits, and what the queue lets through is not dropped. */
		assert_true(port_rate_burst(rates[i], 0) >= 65550);
		assert_true(port_rate_burst(rates[i], 1514) >= 65550);
		assert_true(port_rate_queue(rates[i], 0) >= 4 * 65536);
		assert_true(port_rate_slack(&port) >= 2 * (uint64_t)port_rate_burst(rates[i], 0));
		/* Without a queue before it: as long as TCP rests when all it had sent is lost. */
		tap.attach.kind = ATTACH_TAP;
		assert_true(port_rate_slack(&tap) >= port_rate_slack(&port));
		if (rates[i] <= 5000000000)
			assert_true(port_rate_slack(&tap) >= rates[i] / 8 / 5);
		port.rate_burst = 1000000;
		assert_int_equal(port_rate_burst(rates[i], port.rate_burst), 1000000);
		assert_true(port_rate_slack(&port) >= 2000000);
		port.receive_burst = 2000000;
		assert_int_equal(port_receive_burst(&port), 2000000);
		assert_int_equal(port_send_burst(&port), 1000000);
		port.send_burst = 500000;
		assert_int_equal(port_send_burst(&port), 500000);
		assert_true(port_rate_slack(&port) < 2000000);
	}
	assert_int_equal(port_rate_queue(1000000000, 0), 6250000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(buckets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
