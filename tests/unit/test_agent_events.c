/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/observe/events.c and agent/observe/problems.c: filters, bounded queues, what is lost is said.
 */
#include "tests/unit/unit.h"

#include "agent/observe/events.h"
#include "agent/observe/problems.h"

static char text[1 << 20];
static int wakes;

static void wake(void *context)
{
	(void)context;
	wakes++;
}

static const char *read_all(struct event_subscriber *subscriber)
{
	size_t size = 0, count;

	/* In odd pieces, as a socket would take it. */
	while ((count = event_subscriber_read(subscriber, text + size, 7)))
		size += count;
	text[size] = '\0';
	return text;
}

static void publish(struct events *events, enum event_kind kind, uint32_t port_id, int number)
{
	const struct event_ports about = { .port_id = port_id };
	json_t *data = json_pack("{s:i}", "n", number);

	events_publish(events, kind, about, data);
	json_decref(data);
}

static void filters_choose(void **state)
{
	const struct event_filter all = { .kinds = (1U << EVENT_KINDS) - 1 };
	const struct event_filter drops_of_7 = { .kinds = 1U << EVENT_DROP, .port_id = 7 };
	struct events *events = events_new();
	struct event_subscriber *a, *b;

	(void)state;
	assert_false(events_wanted(events, EVENT_DROP, (struct event_ports){ .port_id = 7 }));
	a = events_subscribe(events, &all, wake, NULL);
	b = events_subscribe(events, &drops_of_7, wake, NULL);
	publish(events, EVENT_DROP, 7, 1);
	publish(events, EVENT_DROP, 8, 2);
	publish(events, EVENT_CHANGE, 7, 3);
	assert_string_equal(read_all(b), "event: drop\ndata: {\"n\":1}\n\n");
	assert_string_equal(read_all(a), "event: drop\ndata: {\"n\":1}\n\n"
					 "event: drop\ndata: {\"n\":2}\n\n"
					 "event: change\ndata: {\"n\":3}\n\n");
	assert_true(events_wanted(events, EVENT_DROP, (struct event_ports){ .port_id = 7 }));
	/* A drop is also about the port that the packet was for. */
	assert_true(events_wanted(events, EVENT_DROP, (struct event_ports){ 9, 7 }));
	event_subscriber_free(a);
	assert_false(events_wanted(events, EVENT_DROP, (struct event_ports){ .port_id = 8 }));
	event_subscriber_free(b);
	assert_int_equal(events_subscribers(events), 0);
	events_free(events);
}

static void a_slow_reader_is_told_what_it_lost(void **state)
{
	const struct event_filter all = { .kinds = (1U << EVENT_KINDS) - 1 };
	struct events *events = events_new();
	struct event_subscriber *slow = events_subscribe(events, &all, wake, NULL);
	const char *lost;
	size_t received = 0;
	unsigned long count;

	(void)state;
	wakes = 0;
	for (int i = 0; i < 20000; i++)
		publish(events, EVENT_DROP, 1, 7);
	assert_int_equal(wakes, 1);
	read_all(slow);
	assert_true(strlen(text) <= EVENT_QUEUE_SIZE_MAX);
	for (const char *at = text; (at = strstr(at, "event: drop")); at++)
		received++;
	assert_null(strstr(text, "event: lost"));
	publish(events, EVENT_DROP, 1, 8);
	lost = strstr(read_all(slow), "event: lost\ndata: {\"count\": ");
	assert_non_null(lost);
	count = strtoul(lost + strlen("event: lost\ndata: {\"count\": "), NULL, 10);
	assert_int_equal(received + count, 20000);
	assert_non_null(strstr(lost, "{\"n\":8}"));
	event_subscriber_free(slow);
	events_free(events);
}

static void a_problem_is_raised_once_and_cleared(void **state)
{
	struct clock clock = { .realtime_ns = 5 };
	struct problems problems;

	(void)state;
	problems_init(&problems, &clock);
	problems_raise(&problems, PROBLEM_DEVICE, 7, "no room");
	clock_advance(&clock, 10);
	problems_raise(&problems, PROBLEM_DEVICE, 7, "still no room");
	assert_int_equal(problems_count(&problems), 1);
	assert_int_equal(problems_get(&problems, PROBLEM_DEVICE, 7)->since_ns, 5);
	assert_string_equal(problems_get(&problems, PROBLEM_DEVICE, 7)->text, "still no room");
	problems_clear(&problems, PROBLEM_TABLES, 7);
	assert_int_equal(problems_count(&problems), 1);
	problems_clear(&problems, PROBLEM_DEVICE, 7);
	assert_null(problems_get(&problems, PROBLEM_DEVICE, 7));
	problems_raise(&problems, PROBLEM_UPLINK, 7, "the third of the list, and no object");
	assert_int_equal(problems_get(&problems, PROBLEM_UPLINK, 7)->object_id, 0);
	problems_clear(&problems, PROBLEM_UPLINK, 7);
	problems_fini(&problems);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(filters_choose),
		cmocka_unit_test(a_slow_reader_is_told_what_it_lost),
		cmocka_unit_test(a_problem_is_raised_once_and_cleared),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
