/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/suggest: distances, and when a word is near enough to be offered.
 */
#include "base/suggest.h"
#include "tests/unit/unit.h"

static void test_distance(void **state)
{
	char long_text[200];

	(void)state;
	assert_int_equal(suggest_distance("", ""), 0);
	assert_int_equal(suggest_distance("", "abc"), 3);
	assert_int_equal(suggest_distance("abc", ""), 3);
	assert_int_equal(suggest_distance("kitten", "sitting"), 3);
	assert_int_equal(suggest_distance("subent", "subnet"), 1);
	assert_int_equal(suggest_distance("web", "webb"), 1);
	assert_int_equal(suggest_distance("ca", "abc"), 3);
	memset(long_text, 'a', sizeof(long_text));
	long_text[199] = '\0';
	assert_int_equal(suggest_distance(long_text, long_text), 0);
	assert_true(suggest_distance(long_text, "a") == SIZE_MAX);
	long_text[63] = '\0';
	assert_int_equal(suggest_distance(long_text, ""), 63);
}

static const char *nearest(const char *text, const char *const *words)
{
	struct suggestion suggestion;

	suggestion_init(&suggestion, text);
	for (; *words; words++)
		suggestion_offer(&suggestion, *words);
	return suggestion_nearest(&suggestion);
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "web", "db", "cidr", "route_table", "subnet", NULL };

	(void)state;
	assert_string_equal(nearest("webb", words), "web");
	assert_string_equal(nearest("subent", words), "subnet");
	assert_string_equal(nearest("routetable", words), "route_table");
	assert_string_equal(nearest("cird", words), "cidr");
	assert_null(nearest("mtu", words));
	assert_null(nearest("x", words));
	assert_null(nearest("", words));
}

static void test_format(void **state)
{
	struct suggestion suggestion;
	char text[128];

	(void)state;
	suggestion_init(&suggestion, "webb");
	assert_string_equal(suggestion_format(&suggestion, text), "");
	suggestion_offer(&suggestion, "web");
	assert_string_equal(suggestion_format(&suggestion, text), " (did you mean \"web\"?)");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_format),
	};

	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
