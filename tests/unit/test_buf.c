/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/buf: growth, formatting across the end of the memory, consuming, stealing.
 */
#include "base/buf.h"
#include "tests/unit/unit.h"

static void test_text(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	assert_string_equal(buf_text(&buf), "");
	buf_append_text(&buf, "warp");
	buf_append_char(&buf, '/');
	buf_printf(&buf, "%s-%d", "weft", 3);
	assert_string_equal(buf_text(&buf), "warp/weft-3");
	assert_int_equal(buf.size, 11);
	buf_append(&buf, NULL, 0);
	buf_consume(&buf, 5);
	assert_string_equal(buf_text(&buf), "weft-3");
	buf_consume(&buf, 100);
	assert_string_equal(buf_text(&buf), "");
	buf_append_text(&buf, "x");
	buf_reset(&buf);
	assert_string_equal(buf_text(&buf), "");
	buf_fini(&buf);
	buf_fini(&buf);
}

/* Every length from 0 to 300 behind every fill: the terminator never falls outside. */
static void test_printf_sizes(void **state)
{
	(void)state;
	for (int fill = 0; fill < 130; fill += 7) {
		for (int length = 0; length < 300; length += 3) {
			struct buf buf = { 0 };

			buf_printf(&buf, "%*s", fill, "");
			buf_printf(&buf, "%*s", length, "");
			assert_int_equal(buf.size, fill + length);
			assert_int_equal(buf_text(&buf)[fill + length], 0);
			buf_fini(&buf);
		}
	}
}

static void test_reserve(void **state)
{
	struct buf buf = { 0 };
	char *room = buf_reserve(&buf, 1000);

	(void)state;
	memset(room, 'z', 1000);
	buf_commit(&buf, 999);
	assert_int_equal(buf.size, 999);
	assert_int_equal(strlen(buf_text(&buf)), 999);
	buf_commit(&buf, 0);
	buf_fini(&buf);
}

static void test_steal(void **state)
{
	struct buf buf = { 0 };
	size_t size = 7;
	char *data = buf_steal(&buf, &size);

	(void)state;
	assert_int_equal(size, 0);
	assert_string_equal(data, "");
	free(data);
	buf_append(&buf, "a\0b", 3);
	data = buf_steal(&buf, &size);
	assert_int_equal(size, 3);
	assert_memory_equal(data, "a\0b", 4);
	assert_null(buf.data);
	free(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_printf_sizes),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_steal),
	};

	return cmocka_run_group_tests_name("buf", tests, NULL, NULL);
}
