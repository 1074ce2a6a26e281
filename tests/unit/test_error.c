/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/error: codes, sentences, wrapping, cutting.
 */
#include "base/error.h"
#include "tests/unit/unit.h"

static void test_set(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_int_equal(error_set(&error, ENOENT, "vpcs.blue", "no subnet \"%s\"", "web"),
			 -ENOENT);
	assert_int_equal(error.code, -ENOENT);
	assert_string_equal(error.path, "vpcs.blue");
	assert_string_equal(error.text, "no subnet \"web\"");
	assert_int_equal(error_set(&error, -EEXIST, NULL, "there"), -EEXIST);
	assert_string_equal(error.path, "");
	assert_int_equal(error_set(NULL, -EIO, "p", "%d", 1), -EIO);
	assert_int_equal(error_set(&error, 0, NULL, "wrong"), -EINVAL);
	error_clear(&error);
	assert_int_equal(error.code, 0);
	error_clear(NULL);
}

static void test_wrap_itself(void **state)
{
	struct error error = { 0 };

	(void)state;
	error_set(&error, EIO, "a.b", "disk");
	error_set(&error, error.code, error.path, "cannot apply: %s", error.text);
	assert_string_equal(error.text, "cannot apply: disk");
	assert_string_equal(error.path, "a.b");
	assert_int_equal(error_prefix(&error, "port %s", "web1"), -EIO);
	assert_string_equal(error.text, "port web1: cannot apply: disk");
	error_clear(&error);
	assert_int_equal(error_prefix(&error, "x"), 0);
	assert_string_equal(error.text, "");
	assert_int_equal(error_prefix(NULL, "x"), 0);
}

static void test_long(void **state)
{
	struct error error = { 0 };
	char text[2000];

	(void)state;
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	error_set(&error, EINVAL, text, "%s", text);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
	assert_int_equal(strlen(error.path), sizeof(error.path) - 1);
	error_prefix(&error, "%s", text);
	assert_int_equal(strlen(error.text), sizeof(error.text) - 1);
}

/* A quoted text that was cut inside a character, and one that would act on a terminal. */
static void test_printable(void **state)
{
	struct error error = { 0 };

	(void)state;
	error_set(&error, EINVAL, "a\x1b[2J", "\"%.2s\" and \"%s\" → %c", "x\xc3\xa4", "y\n\x7f",
		  0xff);
	assert_string_equal(error.text, "\"x?\" and \"y??\" → ?");
	assert_string_equal(error.path, "a?[2J");
}

static void test_name(void **state)
{
	char name[80] = { 0 }, shown[ERROR_NAME_SIZE];

	(void)state;
	assert_string_equal(error_name("web\n1", shown), "web?1");
	memset(name, 'a', 63);
	assert_string_equal(error_name(name, shown), name);
	name[63] = 'a';
	assert_int_equal(strlen(error_name(name, shown)), 63);
	assert_string_equal(shown + 60, "…");
	/* Half a character is none. */
	memcpy(name + 59, "ä", 2);
	assert_int_equal(strlen(error_name(name, shown)), 62);
	assert_string_equal(shown + 59, "…");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_set),  cmocka_unit_test(test_wrap_itself),
		cmocka_unit_test(test_long), cmocka_unit_test(test_printable),
		cmocka_unit_test(test_name),
	};

	return cmocka_run_group_tests_name("error", tests, NULL, NULL);
}
