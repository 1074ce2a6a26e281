/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/list: order, removal while walking, splicing.
 */
#include "base/list.h"
#include "tests/unit/unit.h"

struct thing {
	int number;
	struct list node;
};

static int sum_as_digits(struct list *list)
{
	struct thing *thing;
	int sum = 0;

	LIST_FOR_EACH(thing, list, node)
		sum = sum * 10 + thing->number;
	return sum;
}

static void test_order(void **state)
{
	struct thing things[4] = {
		{ .number = 1 }, { .number = 2 }, { .number = 3 }, { .number = 4 }
	};
	struct list list = LIST_EMPTY(list);

	(void)state;
	assert_true(list_is_empty(&list));
	assert_null(list_pop_front(&list));
	assert_int_equal(sum_as_digits(&list), 0);
	list_push_back(&list, &things[1].node);
	list_push_back(&list, &things[3].node);
	list_push_front(&list, &things[0].node);
	list_insert_before(&things[3].node, &things[2].node);
	assert_int_equal(sum_as_digits(&list), 1234);
	assert_int_equal(list_count(&list), 4);
	list_remove(&things[1].node);
	list_remove(&things[1].node);
	assert_int_equal(sum_as_digits(&list), 134);
	assert_ptr_equal(list_pop_front(&list), &things[0].node);
	assert_true(list_is_empty(&things[0].node));
}

static void test_remove_while_walking(void **state)
{
	struct list list = LIST_EMPTY(list);
	struct thing *following;
	struct thing *thing;

	(void)state;
	for (int i = 0; i < 10; i++) {
		thing = xmalloc(sizeof(*thing));
		thing->number = i;
		list_push_back(&list, &thing->node);
	}
	LIST_FOR_EACH_SAFE(thing, following, &list, node) {
		list_remove(&thing->node);
		free(thing);
	}
	assert_true(list_is_empty(&list));
}

static void test_splice(void **state)
{
	struct thing things[3] = { { .number = 1 }, { .number = 2 }, { .number = 3 } };
	struct list from = LIST_EMPTY(from);
	struct list to = LIST_EMPTY(to);

	(void)state;
	list_splice_back(&to, &from);
	assert_true(list_is_empty(&to));
	list_push_back(&to, &things[0].node);
	list_push_back(&from, &things[1].node);
	list_push_back(&from, &things[2].node);
	list_splice_back(&to, &from);
	assert_int_equal(sum_as_digits(&to), 123);
	assert_true(list_is_empty(&from));
	assert_ptr_equal(to.previous, &things[2].node);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_remove_while_walking),
		cmocka_unit_test(test_splice),
	};

	return cmocka_run_group_tests_name("list", tests, NULL, NULL);
}
