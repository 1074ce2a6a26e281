/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The steps between two lists of rows: complete, minimal, and in an order that opens no hole.
 *
 * Two properties are checked with random lists: the steps turn one list into the other, and while
 * routes change, every address meets its old route or its new one after every single step.
 */
#include "tests/unit/unit.h"

#include "base/alloc.h"
#include "base/map.h"
#include "model/plan.h"

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 20) % bound);
}

/* ---- rows ---- */

/* A row whose key and value begin with these numbers; the rest is zero. */
static void add(struct rows *rows, enum table_id table, uint32_t key, uint32_t value)
{
	unsigned char key_bytes[64] = { 0 }, value_bytes[256] = { 0 };

	memcpy(key_bytes, &key, sizeof(key));
	memcpy(value_bytes, &value, sizeof(value));
	rows_add(rows, table, key_bytes, value_bytes);
}

static void add_route(struct rows *rows, uint32_t bits, uint32_t length, uint32_t route_id)
{
	struct route_key key = { .prefix_length = 32 + length, .table_id = 1 };
	struct route row = { .kind = ROUTE_PORT, .target = route_id, .route_id = route_id };

	bits = length ? bits & (UINT32_MAX << (32 - length)) : 0;
	key.address.word[0] = __builtin_bswap32(bits);
	rows_add(rows, TABLE_routes, &key, &row);
}

/* ---- a table that takes steps ---- */

static size_t key_size(const struct row *row)
{
	return offsetof(struct row, bytes) + row->key_size;
}

static void take(struct map *map, const struct step *step)
{
	if (step->action == STEP_PUT) {
		const struct row *had =
			map_put(map, step->row, key_size(step->row), (void *)(uintptr_t)step->row);

		/* A put that changes nothing is no step. */
		assert_true(!had || memcmp(had->bytes, step->row->bytes,
					   (size_t)had->key_size + had->value_size) != 0);
	} else {
		assert_non_null(map_remove(map, step->row, key_size(step->row)));
	}
}

static void fill(struct map *map, const struct rows *rows)
{
	map_init(map);
	for (size_t i = 0; i < rows->count; i++)
		map_put(map, rows->list[i], key_size(rows->list[i]), rows->list[i]);
}

static void assert_same(const struct map *map, const struct rows *rows)
{
	struct map expected;

	fill(&expected, rows);
	assert_int_equal(map_count(map), map_count(&expected));
	MAP_FOR_EACH(&expected, it) {
		const struct row *want = it.value;
		const struct row *have = map_get(map, it.key, it.key_size);

		assert_non_null(have);
		assert_memory_equal(have->bytes, want->bytes,
				    (size_t)want->key_size + want->value_size);
	}
	map_fini(&expected, NULL);
}

/* ---- tests ---- */

static void test_nothing(void **state)
{
	struct rows before = { 0 }, after = { 0 };
	struct step *steps;

	(void)state;
	assert_int_equal(diff_rows(&before, &after, &steps), 0);
	free(steps);
	for (uint32_t i = 0; i < 50; i++) {
		add(&before, TABLE_endpoints, i, i);
		add(&after, TABLE_endpoints, 49 - i, 49 - i);
	}
	assert_int_equal(diff_rows(&before, &after, &steps), 0);
	free(steps);
	rows_clear(&before);
	rows_clear(&after);
}

static const enum table_id planned[] = {
	TABLE_attachments,
	TABLE_ports,
	TABLE_subnets,
	TABLE_vpcs,
	TABLE_endpoints,
	TABLE_stations,
	TABLE_allowed_sources,
	TABLE_floods,
	TABLE_routes,
	TABLE_nexthop_groups,
	TABLE_policies,
	TABLE_classifier_addresses,
	TABLE_classifier_groups,
	TABLE_classifier_services,
	TABLE_rule_words,
	TABLE_rules,
};

static void test_random_lists(void **state)
{
	(void)state;
	for (int round = 0; round < 200; round++) {
		struct rows before = { 0 }, after = { 0 };
		uint32_t count = random_below(200);
		struct step *steps;
		size_t step_count;
		struct map map;

		for (uint32_t i = 0; i < count; i++) {
			enum table_id table = planned[random_below(ARRAY_SIZE(planned))];

			add(random_below(2) ? &before : &after, table, random_below(100),
			    random_below(3));
		}
		fill(&map, &before);
		step_count = diff_rows(&before, &after, &steps);
		for (size_t i = 0; i < step_count; i++)
			take(&map, &steps[i]);
		assert_same(&map, &after);
		map_fini(&map, NULL);
		free(steps);
		rows_clear(&before);
		rows_clear(&after);
	}
}

/* The place of the one step for a row of a table with this key. */
static size_t place_of(const struct step *steps, size_t count, enum step_action action,
		       enum table_id table, uint32_t key)
{
	size_t found = SIZE_MAX;

	for (size_t i = 0; i < count; i++) {
		if (steps[i].action == action && steps[i].row->table == table &&
		    !memcmp(steps[i].row->bytes, &key, sizeof(key))) {
			assert_int_equal(found, SIZE_MAX);
			found = i;
		}
	}
	assert_true(found != SIZE_MAX);
	return found;
}

#define PLACE(action, table, key) place_of(steps, count, STEP_##action, TABLE_##table, key)

static void test_way_up(void **state)
{
	static const enum table_id order[] = {
		TABLE_rule_words,
		TABLE_rules,
		TABLE_classifier_addresses,
		TABLE_classifier_groups,
		TABLE_classifier_services,
		TABLE_policies,
		TABLE_vpcs,
		TABLE_nexthop_groups,
		TABLE_subnets,
		TABLE_ports,
		TABLE_allowed_sources,
		TABLE_stations,
		TABLE_floods,
		TABLE_routes,
		TABLE_endpoints,
		TABLE_attachments,
	};
	struct rows before = { 0 }, after = { 0 };
	struct step *steps;
	size_t count;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(planned); i++)
		add(&after, planned[i], 40, 1);
	count = diff_rows(&before, &after, &steps);
	assert_int_equal(count, ARRAY_SIZE(order));
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(steps[i].action, STEP_PUT);
		assert_int_equal(steps[i].row->table, order[i]);
	}
	free(steps);
	/* And the way down: reachability goes before what guards it. */
	count = diff_rows(&after, &before, &steps);
	assert_int_equal(count, ARRAY_SIZE(order));
	assert_int_equal(PLACE(REMOVE, attachments, 40), 0);
	assert_int_equal(PLACE(REMOVE, vpcs, 40), count - 1);
	assert_true(PLACE(REMOVE, endpoints, 40) < PLACE(REMOVE, ports, 40));
	assert_true(PLACE(REMOVE, ports, 40) < PLACE(REMOVE, routes, 40));
	assert_true(PLACE(REMOVE, routes, 40) < PLACE(REMOVE, subnets, 40));
	assert_true(PLACE(REMOVE, subnets, 40) < PLACE(REMOVE, policies, 40));
	assert_true(PLACE(REMOVE, policies, 40) < PLACE(REMOVE, classifier_services, 40));
	assert_true(PLACE(REMOVE, policies, 40) < PLACE(REMOVE, classifier_addresses, 40));
	assert_true(PLACE(REMOVE, classifier_addresses, 40) < PLACE(REMOVE, rules, 40));
	assert_true(PLACE(REMOVE, rules, 40) < PLACE(REMOVE, rule_words, 40));
	free(steps);
	rows_clear(&before);
	rows_clear(&after);
}

/* New rules under new ids, one write that switches, then the old rules go. */
static void test_rules_switch_at_once(void **state)
{
	struct rows before = { 0 }, after = { 0 };
	struct step *steps;
	size_t count, flip;

	(void)state;
	add(&before, TABLE_policies, 1, 10);
	add(&before, TABLE_rules, 10, 1);
	add(&before, TABLE_rule_words, 100, 1);
	add(&before, TABLE_classifier_groups, 10, 1);
	add(&after, TABLE_policies, 1, 11);
	add(&after, TABLE_rules, 11, 1);
	add(&after, TABLE_rule_words, 101, 1);
	add(&after, TABLE_classifier_groups, 11, 1);
	count = diff_rows(&before, &after, &steps);
	assert_int_equal(count, 7);
	flip = PLACE(PUT, policies, 1);
	assert_int_equal(flip, 3);
	assert_true(PLACE(PUT, rules, 11) < flip && flip < PLACE(REMOVE, rules, 10));
	assert_true(PLACE(PUT, rule_words, 101) < flip && flip < PLACE(REMOVE, rule_words, 100));
	assert_true(PLACE(PUT, classifier_groups, 11) < flip &&
		    flip < PLACE(REMOVE, classifier_groups, 10));
	free(steps);
	rows_clear(&before);
	rows_clear(&after);
}

/* The generation is written when all it stands for is in place; a new VPC's row before its
 * ports. */
static void test_generation_comes_last(void **state)
{
	struct rows before = { 0 }, after = { 0 };
	struct step *steps;
	size_t count;

	(void)state;
	add(&before, TABLE_vpcs, 3, 1);
	add(&before, TABLE_endpoints, 5, 1);
	add(&before, TABLE_routes, 50, 1);
	add(&after, TABLE_vpcs, 3, 2);
	add(&after, TABLE_vpcs, 4, 1);
	add(&after, TABLE_routes, 51, 1);
	add(&after, TABLE_ports, 6, 1);
	add(&after, TABLE_attachments, 6, 1);
	count = diff_rows(&before, &after, &steps);
	assert_int_equal(count, 7);
	assert_int_equal(PLACE(PUT, vpcs, 3), count - 1);
	assert_int_equal(PLACE(REMOVE, endpoints, 5), 0);
	assert_true(PLACE(PUT, vpcs, 4) < PLACE(PUT, ports, 6));
	free(steps);
	rows_clear(&before);
	rows_clear(&after);
}

static void test_of_two_equal_keys_the_later(void **state)
{
	struct rows before = { 0 }, after = { 0 };
	struct step *steps;

	(void)state;
	add(&before, TABLE_endpoints, 1, 1);
	add(&before, TABLE_endpoints, 1, 2);
	add(&after, TABLE_endpoints, 1, 1);
	add(&after, TABLE_endpoints, 1, 2);
	assert_int_equal(diff_rows(&before, &after, &steps), 0);
	free(steps);
	add(&after, TABLE_endpoints, 1, 3);
	assert_int_equal(diff_rows(&before, &after, &steps), 1);
	assert_ptr_equal(steps[0].row, after.list[2]);
	free(steps);
	rows_clear(&before);
	rows_clear(&after);
}

/* ---- routes meanwhile ---- */

/* The route that a table of routes gives an address of 32 bits; 0: none. */
static uint32_t route_of(const struct map *map, uint32_t address)
{
	uint32_t best = 0, found = 0;

	MAP_FOR_EACH(map, it) {
		const struct row *row = it.value;
		struct route_key key;
		struct route route;
		uint32_t length, bits;

		memcpy(&key, row->bytes, sizeof(key));
		memcpy(&route, row->bytes + row->key_size, sizeof(route));
		length = key.prefix_length - 32;
		bits = __builtin_bswap32(key.address.word[0]);
		if (length && (address ^ bits) >> (32 - length))
			continue;
		if (length + 1 > best) {
			best = length + 1;
			found = route.route_id;
		}
	}
	return found;
}

#define ADDRESSES 32 /* the top five bits */

static void routes_round(uint32_t *next_id)
{
	struct rows before = { 0 }, after = { 0 };
	uint32_t old[ADDRESSES], new[ADDRESSES];
	struct map map, final;
	struct step *steps;
	size_t count;

	for (uint32_t i = random_below(12); i; i--) {
		uint32_t bits = random_below(ADDRESSES) << 27, length = random_below(6);

		/* Some stay, some go, some come, some change. */
		if (random_below(3))
			add_route(&before, bits, length, ++*next_id);
		if (random_below(3))
			add_route(&after, bits, length, *next_id + random_below(2));
		++*next_id;
	}
	fill(&map, &before);
	fill(&final, &after);
	for (uint32_t i = 0; i < ADDRESSES; i++) {
		old[i] = route_of(&map, i << 27);
		new[i] = route_of(&final, i << 27);
	}
	count = diff_rows(&before, &after, &steps);
	for (size_t i = 0; i < count; i++) {
		take(&map, &steps[i]);
		for (uint32_t j = 0; j < ADDRESSES; j++) {
			uint32_t now = route_of(&map, j << 27);

			assert_true(now == old[j] || now == new[j]);
		}
	}
	assert_same(&map, &after);
	map_fini(&map, NULL);
	map_fini(&final, NULL);
	free(steps);
	rows_clear(&before);
	rows_clear(&after);
}

static void test_routes_are_old_or_new(void **state)
{
	uint32_t next_id = 1;

	(void)state;
	for (int i = 0; i < 300; i++)
		routes_round(&next_id);
}

/* A tunnel is there before what is sent by it, and before anybody may send through it; and after. */
static void test_tunnels_in_order(void **state)
{
	static const enum table_id put[] = {
		TABLE_vteps,  TABLE_tunnels,        TABLE_ports,
		TABLE_floods, TABLE_tunnel_sources, TABLE_tunnel_ports
	};
	static const enum table_id removed[] = { TABLE_tunnel_sources, TABLE_ports,
						 TABLE_floods,         TABLE_tunnels,
						 TABLE_vteps,          TABLE_tunnel_ports };
	const unsigned char nothing[256] = { 0 };
	struct rows none = { 0 }, all = { 0 };
	struct step *steps;

	(void)state;
	for (size_t i = ARRAY_SIZE(put); i-- > 0;)
		rows_add(&all, put[i], nothing, nothing);
	assert_int_equal(diff_rows(&none, &all, &steps), ARRAY_SIZE(put));
	for (size_t i = 0; i < ARRAY_SIZE(put); i++)
		assert_int_equal(steps[i].row->table, put[i]);
	free(steps);
	assert_int_equal(diff_rows(&all, &none, &steps), ARRAY_SIZE(removed));
	for (size_t i = 0; i < ARRAY_SIZE(removed); i++)
		assert_int_equal(steps[i].row->table, removed[i]);
	free(steps);
	rows_clear(&all);
}

static void test_names_and_sizes(void **state)
{
	(void)state;
	assert_string_equal(table_name(TABLE_attachments), "attachments");
	assert_string_equal(table_name(TABLE_verdicts), "verdicts");
	assert_int_equal(table_key_size(TABLE_endpoints), sizeof(struct endpoint_key));
	assert_int_equal(table_value_size(TABLE_subnets), sizeof(struct subnet));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_random_lists),
		cmocka_unit_test(test_way_up),
		cmocka_unit_test(test_rules_switch_at_once),
		cmocka_unit_test(test_generation_comes_last),
		cmocka_unit_test(test_of_two_equal_keys_the_later),
		cmocka_unit_test(test_routes_are_old_or_new),
		cmocka_unit_test(test_tunnels_in_order),
		cmocka_unit_test(test_names_and_sizes),
	};

	return cmocka_run_group_tests_name("diff", tests, NULL, NULL);
}
