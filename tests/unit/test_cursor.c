/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/cursor: values, bounds, and that a failed read changes nothing.
 */
#include "base/cursor.h"
#include "tests/unit/unit.h"

static void test_numbers(void **state)
{
	const uint8_t data[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
	struct cursor cursor;
	uint64_t u64 = 0;
	uint32_t u32 = 0;
	uint16_t u16 = 0;
	uint8_t u8 = 0;

	(void)state;
	cursor_init(&cursor, data, sizeof(data));
	assert_false(cursor_u8(&cursor, &u8) || cursor_be16(&cursor, &u16) ||
		     cursor_be32(&cursor, &u32) || cursor_be64(&cursor, &u64));
	assert_int_equal(u8, 1);
	assert_int_equal(u16, 0x0203);
	assert_int_equal(u32, 0x04050607);
	assert_int_equal(u64, 0x08090a0b0c0d0e0f);
	assert_int_equal(cursor_remaining(&cursor), 0);
	assert_int_equal(cursor_u8(&cursor, &u8), -EBADMSG);
	assert_int_equal(u8, 1);
}

static void test_bounds(void **state)
{
	/* From the heap, so that the sanitizer sees one byte too far. */
	uint8_t *data = calloc(3, 1);
	const uint8_t *bytes;
	struct cursor cursor;
	struct cursor part;
	uint8_t copy[3];
	uint32_t u32 = 7;

	(void)state;
	cursor_init(&cursor, data, 3);
	assert_int_equal(cursor_be32(&cursor, &u32), -EBADMSG);
	assert_int_equal(u32, 7);
	assert_int_equal(cursor_skip(&cursor, SIZE_MAX), -EBADMSG);
	assert_int_equal(cursor_take(&cursor, &bytes, 4), -EBADMSG);
	assert_int_equal(cursor_bytes(&cursor, copy, 4), -EBADMSG);
	assert_int_equal(cursor_sub(&cursor, &part, 4), -EBADMSG);
	assert_int_equal(cursor_remaining(&cursor), 3);
	assert_int_equal(cursor_sub(&cursor, &part, 2), 0);
	assert_int_equal(cursor_bytes(&part, copy, 3), -EBADMSG);
	assert_int_equal(cursor_bytes(&part, copy, 2), 0);
	assert_int_equal(cursor_skip(&cursor, 1), 0);
	assert_int_equal(cursor_skip(&cursor, 0), 0);
	assert_int_equal(cursor_skip(&cursor, 1), -EBADMSG);
	free(data);
}

static void test_empty(void **state)
{
	struct cursor cursor;
	uint8_t byte;

	(void)state;
	cursor_init(&cursor, NULL, 0);
	assert_int_equal(cursor_bytes(&cursor, &byte, 0), 0);
	assert_int_equal(cursor_u8(&cursor, &byte), -EBADMSG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_empty),
	};

	return cmocka_run_group_tests_name("cursor", tests, NULL, NULL);
}
