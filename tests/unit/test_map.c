/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/map: against an array as the oracle, walks with removal, keys of all sizes, 100,000
 * entries.
 */
#include "base/alloc.h"
#include "base/map.h"
#include "tests/unit/unit.h"

static void test_basic(void **state)
{
	struct map map = { 0 };
	int one;
	int two;

	(void)state;
	assert_null(map_get_text(&map, "a"));
	assert_null(map_remove_text(&map, "a"));
	assert_null(map_put_text(&map, "a", &one));
	assert_ptr_equal(map_put_text(&map, "a", &two), &one);
	assert_ptr_equal(map_get_text(&map, "a"), &two);
	assert_null(map_get_text(&map, ""));
	assert_null(map_put_text(&map, "", &one));
	assert_ptr_equal(map_get_text(&map, ""), &one);
	assert_int_equal(map_count(&map), 2);
	assert_ptr_equal(map_remove_text(&map, "a"), &two);
	assert_null(map_get_text(&map, "a"));
	assert_int_equal(map_count(&map), 1);
	map_fini(&map, NULL);
	map_fini(&map, NULL);
	assert_int_equal(map_count(&map), 0);
	assert_null(map_put_u32(&map, 5, &one));
	assert_ptr_equal(map_get_u32(&map, 5), &one);
	assert_null(map_get_u32(&map, 6));
	assert_ptr_equal(map_remove_u32(&map, 5), &one);
	map_fini(&map, NULL);
}

static void test_keys_of_all_sizes(void **state)
{
	uint8_t key[300];
	struct map map;
	int values[300];

	(void)state;
	map_init(&map);
	memset(key, 0x5a, sizeof(key));
	for (size_t i = 0; i < 300; i++)
		assert_null(map_put(&map, key, i, &values[i]));
	for (size_t i = 0; i < 300; i++)
		assert_ptr_equal(map_get(&map, key, i), &values[i]);
	MAP_FOR_EACH(&map, it) {
		assert_ptr_equal(it.value, &values[it.key_size]);
		assert_memory_equal(it.key, key, it.key_size);
		assert_int_equal((uintptr_t)it.key % 8, 0);
	}
	map_fini(&map, NULL);
}

/* Text keys of every length come back terminated from a walk. */
static void test_terminated(void **state)
{
	static const char *const names[] = { "", "a", "1234567", "12345678", "123456789" };
	struct map map = { 0 };
	size_t found = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		map_put_text(&map, names[i], (void *)(uintptr_t)names[i]);
	MAP_FOR_EACH(&map, it) {
		assert_string_equal(it.key, it.value);
		found++;
	}
	assert_int_equal(found, ARRAY_SIZE(names));
	map_fini(&map, NULL);
}

/* Random puts and removals of few keys, compared with an array after each. */
static void test_against_array(void **state)
{
	void *oracle[64] = { 0 };
	struct map map = { 0 };
	size_t count = 0;

	(void)state;
	srand(1);
	for (int round = 0; round < 20000; round++) {
		uint32_t key = (uint32_t)rand() % 64;
		void *value = (void *)(uintptr_t)(rand() + 1L);

		if (rand() % 2) {
			count += !oracle[key];
			assert_ptr_equal(map_put_u32(&map, key, value), oracle[key]);
			oracle[key] = value;
		} else {
			count -= oracle[key] != NULL;
			assert_ptr_equal(map_remove_u32(&map, key), oracle[key]);
			oracle[key] = NULL;
		}
		assert_int_equal(map_count(&map), count);
	}
	for (uint32_t key = 0; key < 64; key++)
		assert_ptr_equal(map_get_u32(&map, key), oracle[key]);
	map_fini(&map, NULL);
}

static void test_remove_in_walk(void **state)
{
	struct map map = { 0 };
	size_t visited = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		map_put_u32(&map, i, xmalloc(1));
	MAP_FOR_EACH(&map, it) {
		uint32_t key = *(const uint32_t *)it.key;

		visited++;
		free(map_remove_u32(&map, key));
		/* Also one that was not reached yet. */
		free(map_remove_u32(&map, key + 1));
	}
	assert_int_equal(visited, 500);
	assert_int_equal(map_count(&map), 0);
	map_put_u32(&map, 1, xmalloc(1));
	map_fini(&map, free);
}

static void test_many(void **state)
{
	struct map map = { 0 };
	char key[32];

	(void)state;
	for (uintptr_t i = 1; i <= 100000; i++) {
		snprintf(key, sizeof(key), "blue/port-%zu", (size_t)i);
		assert_null(map_put_text(&map, key, (void *)i));
	}
	for (uintptr_t i = 1; i <= 100000; i += 2) {
		snprintf(key, sizeof(key), "blue/port-%zu", (size_t)i);
		assert_ptr_equal(map_remove_text(&map, key), (void *)i);
	}
	for (uintptr_t i = 1; i <= 100000; i++) {
		snprintf(key, sizeof(key), "blue/port-%zu", (size_t)i);
		assert_ptr_equal(map_get_text(&map, key), i % 2 ? NULL : (void *)i);
	}
	assert_int_equal(map_count(&map), 50000);
	map_fini(&map, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_basic),          cmocka_unit_test(test_keys_of_all_sizes),
		cmocka_unit_test(test_terminated),     cmocka_unit_test(test_against_array),
		cmocka_unit_test(test_remove_in_walk), cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests_name("map", tests, NULL, NULL);
}
