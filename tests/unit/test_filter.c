/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model/filter: words of a filter, what is refused, and the row that comes of it.
 */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "base/alloc.h"
#include "model/filter.h"
#include "tests/unit/unit.h"

static void words_become_a_row(void **state)
{
	struct watch row = { .flags = WATCH_CAPTURE };
	struct filter filter;
	const char *key;

	(void)state;
	filter_init(&filter);
	assert_null(filter_protocol(&filter, "tcp"));
	assert_null(filter_ports(&filter, "80,8000-8099,65535"));
	assert_null(filter_end(&filter, "10.0.0.0/8"));
	assert_null(filter_end(&filter, "fd00::1"));
	assert_null(filter_check(&filter, &key));
	filter_watch(&filter, &row);
	assert_int_equal(row.flags, WATCH_CAPTURE | WATCH_PROTOCOL);
	assert_int_equal(row.protocol, IPPROTO_TCP);
	assert_int_equal(row.other_protocol, 0);
	assert_int_equal(row.range_count, 3);
	assert_int_equal(row.range[1].first, 8000);
	assert_int_equal(row.range[1].last, 8099);
	assert_int_equal(row.range[2].last, 65535);
	assert_int_equal(row.prefix_length[0], 96 + 8);
	assert_int_equal(row.prefix_length[1], 128);
}

static void protocols(void **state)
{
	static const struct {
		const char *word;
		uint32_t flags;
		uint8_t protocol, other;
		uint16_t ethertype;
	} cases[] = {
		{ "all", 0, 0, 0, 0 },
		{ "udp", WATCH_PROTOCOL, 17, 0, 0 },
		{ "icmp", WATCH_PROTOCOL, 1, 58, 0 },
		{ "icmpv6", WATCH_PROTOCOL, 58, 0, 0 },
		{ "47", WATCH_PROTOCOL, 47, 0, 0 },
		{ "arp", 0, 0, 0, 0x0806 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct watch row = { 0 };
		struct filter filter;

		filter_init(&filter);
		assert_null(filter_protocol(&filter, cases[i].word));
		filter_watch(&filter, &row);
		assert_int_equal(row.flags, cases[i].flags);
		assert_int_equal(row.protocol, cases[i].protocol);
		assert_int_equal(row.other_protocol, cases[i].other);
		assert_int_equal(ntohs(row.ethertype), cases[i].ethertype);
	}
}

static void wrong_words(void **state)
{
	static const char *const wrong_protocols[] = { "", "tpc", "256", "-1", "6 ", "6x", "TCP" };
	static const char *const wrong_ports[] = {
		"", "80,", ",80", "80-", "90-80", "65536", "1-65536", "80 81", "1-2-3", "99999999"
	};
	static const char *const wrong_ends[] = { "", "10.0.0", "10.0.0.0/33", "here" };
	struct filter filter;
	const char *key;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong_protocols); i++) {
		filter_init(&filter);
		assert_non_null(filter_protocol(&filter, wrong_protocols[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong_ports); i++) {
		filter_init(&filter);
		assert_non_null(filter_ports(&filter, wrong_ports[i]));
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong_ends); i++) {
		filter_init(&filter);
		assert_non_null(filter_end(&filter, wrong_ends[i]));
	}
	filter_init(&filter);
	assert_null(filter_ports(&filter, "1,2,3,4,5,6,7,8"));
	assert_non_null(filter_ports(&filter, "9"));
	assert_null(filter_end(&filter, "10.0.0.1"));
	assert_null(filter_end(&filter, "10.0.0.2"));
	assert_non_null(filter_end(&filter, "10.0.0.3"));
	assert_null(filter_protocol(&filter, "icmp"));
	assert_non_null(filter_check(&filter, &key));
	assert_null(filter_protocol(&filter, "arp"));
	assert_non_null(filter_check(&filter, &key));
	filter_init(&filter);
	assert_non_null(filter_type(&filter, "256"));
	assert_non_null(filter_code(&filter, "-1"));
	assert_null(filter_code(&filter, "0"));
	assert_null(filter_protocol(&filter, "icmp"));
	assert_non_null(filter_check(&filter, &key)); /* a code without a type */
	assert_string_equal(key, "code");
	assert_null(filter_type(&filter, "8"));
	assert_null(filter_check(&filter, &key));
	assert_null(filter_protocol(&filter, "tcp"));
	assert_non_null(filter_check(&filter, &key));
}

static void types_are_ranges_as_in_rules(void **state)
{
	struct watch row = { 0 };
	struct filter filter;

	(void)state;
	filter_init(&filter);
	assert_null(filter_protocol(&filter, "icmp"));
	assert_null(filter_type(&filter, "3"));
	filter_watch(&filter, &row);
	assert_int_equal(row.flags, WATCH_PROTOCOL | WATCH_TYPES);
	assert_int_equal(row.range_count, 1);
	assert_int_equal(row.range[0].first, 0x300);
	assert_int_equal(row.range[0].last, 0x3ff);
	assert_null(filter_code(&filter, "4"));
	filter_watch(&filter, &row);
	assert_int_equal(row.range[0].first, 0x304);
	assert_int_equal(row.range[0].last, 0x304);
}

static void groups_are_ends(void **state)
{
	struct watch row = { 0 };
	struct filter filter;

	(void)state;
	filter_init(&filter);
	assert_non_null(filter_end(&filter, "group:"));
	assert_non_null(filter_end(&filter, "group:0123456789012345678901234567890123456789"
					    "012345678901234567890123"));
	assert_null(filter_end(&filter, "10.0.0.0/8"));
	assert_null(filter_end(&filter, "group:web"));
	assert_non_null(filter_end(&filter, "group:db"));
	assert_true(filter_names_group(&filter, "web"));
	assert_false(filter_names_group(&filter, ""));
	assert_false(filter_names_group(&filter, "we"));
	filter_watch(&filter, &row);
	assert_int_equal(row.flags, WATCH_GROUP << 1);
	assert_int_equal(row.prefix_length[0], 96 + 8);
	assert_int_equal(row.prefix_length[1], 128);
	assert_int_equal(row.network[1].word[WATCH_NETWORK_GROUP], 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(words_become_a_row),
		cmocka_unit_test(protocols),
		cmocka_unit_test(wrong_words),
		cmocka_unit_test(types_are_ranges_as_in_rules),
		cmocka_unit_test(groups_are_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
