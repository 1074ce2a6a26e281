/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/slots.c: small numbers, and how long they rest.
 */
#include "tests/unit/unit.h"

#include "agent/slots.h"

static void slots_begin_at_one_and_stay(void **state)
{
	struct slots slots;
	bool fresh;

	(void)state;
	slots_init(&slots, 4);
	assert_int_equal(slots_take(&slots, 100, &fresh), 1);
	assert_true(fresh);
	assert_int_equal(slots_take(&slots, 100, &fresh), 1);
	assert_false(fresh);
	assert_int_equal(slots_take(&slots, 101, NULL), 2);
	assert_int_equal(slots_get(&slots, 101), 2);
	assert_int_equal(slots_get(&slots, 102), 0);
	assert_int_equal(slots_owner(&slots, 2), 101);
	assert_int_equal(slots_used(&slots), 2);
	slots_fini(&slots);
}

static void a_slot_given_back_rests_until_a_sweep_has_ended(void **state)
{
	struct slots slots;

	(void)state;
	slots_init(&slots, 3);
	slots_take(&slots, 100, NULL);
	slots_take(&slots, 101, NULL);
	assert_int_equal(slots_take(&slots, 102, NULL), 0);
	slots_give(&slots, 100);
	slots_give(&slots, 100);
	slots_give(&slots, 555);
	assert_int_equal(slots_take(&slots, 102, NULL), 0);
	slots_swept(&slots);
	assert_int_equal(slots_take(&slots, 102, NULL), 1);
	assert_int_equal(slots_take(&slots, 103, NULL), 0);
	slots_fini(&slots);
}

static void adopted_slots_keep_their_owner(void **state)
{
	struct slots slots;

	(void)state;
	slots_init(&slots, 6);
	assert_true(slots_adopt(&slots, 4, 100));
	assert_true(slots_adopt(&slots, 2, 101));
	assert_false(slots_adopt(&slots, 2, 102)); /* another's */
	assert_false(slots_adopt(&slots, 3, 101)); /* has one */
	assert_false(slots_adopt(&slots, 0, 103));
	assert_false(slots_adopt(&slots, 6, 103)); /* out of range */
	slots_adopted(&slots);
	assert_int_equal(slots_take(&slots, 100, NULL), 4);
	/* Never used before those that may still be referred to. */
	assert_int_equal(slots_take(&slots, 104, NULL), 5);
	assert_int_equal(slots_take(&slots, 105, NULL), 0);
	slots_swept(&slots);
	assert_int_equal(slots_take(&slots, 105, NULL), 1);
	assert_int_equal(slots_take(&slots, 106, NULL), 3);
	slots_fini(&slots);
}

static void many_turns_never_give_a_slot_twice(void **state)
{
	struct slots slots;
	uint32_t holders[8] = { 0 }, next_id = 1;

	(void)state;
	slots_init(&slots, 8);
	for (int turn = 0; turn < 10000; turn++) {
		uint32_t slot = slots_take(&slots, next_id, NULL);

		if (slot) {
			assert_int_equal(holders[slot], 0);
			holders[slot] = next_id++;
		} else {
			uint32_t victim = 1 + (uint32_t)turn % 7;

			slots_give(&slots, holders[victim]);
			holders[victim] = 0;
			slots_swept(&slots);
		}
	}
	assert_true(next_id > 1000);
	slots_fini(&slots);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(slots_begin_at_one_and_stay),
		cmocka_unit_test(a_slot_given_back_rests_until_a_sweep_has_ended),
		cmocka_unit_test(adopted_slots_keep_their_owner),
		cmocka_unit_test(many_turns_never_give_a_slot_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
