/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/loop: descriptors, timers by a clock moved by hand, deferred calls, hooks, signals, and
 * removal inside callbacks.
 */
#include <signal.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop.h"
#include "tests/unit/unit.h"

static struct clock now;
static struct loop *loop;

static int make_loop(void **state)
{
	(void)state;
	now = (struct clock){ .monotonic_ns = 1000 };
	return loop_new(&loop, &now, NULL);
}

static int free_loop(void **state)
{
	(void)state;
	loop_free(loop);
	loop_free(NULL);
	return 0;
}

static void turn(void)
{
	assert_int_equal(loop_run_once(loop, 0), 0);
}

static char calls[256];

/* A context of a callback that is only a text. */
#define TEXT(literal) ((void *)(uintptr_t)(literal))

static void note(void *context)
{
	strncat(calls, context, sizeof(calls) - strlen(calls) - 1);
}

static void expect_calls(const char *text)
{
	assert_string_equal(calls, text);
	calls[0] = '\0';
}

/* Timers ------------------------------------------------------------------------------------- */

static void test_timer_order(void **state)
{
	static char name[26][2];
	struct loop_timer timers[26];

	(void)state;
	for (int i = 0; i < 26; i++) {
		name[i][0] = (char)('a' + i);
		loop_timer_init(&timers[i], note, name[i]);
	}
	/* Started in a scrambled order, due in that of the alphabet. */
	for (int i = 0; i < 26; i++) {
		int which = i * 7 % 26;

		loop_timer_start(loop, &timers[which], (uint64_t)(100 + which), 0);
	}
	turn();
	expect_calls("");
	clock_advance(&now, 104);
	turn();
	expect_calls("abcde");
	loop_timer_stop(&timers[5]);
	loop_timer_stop(&timers[5]);
	loop_timer_stop(&timers[25]);
	assert_false(loop_timer_is_running(&timers[5]));
	assert_true(loop_timer_is_running(&timers[6]));
	clock_advance(&now, 1000);
	turn();
	expect_calls("ghijklmnopqrstuvwxy");
	turn();
	expect_calls("");
}

static void test_timer_equal(void **state)
{
	struct loop_timer a;
	struct loop_timer b;

	(void)state;
	loop_timer_init(&a, note, TEXT("a"));
	loop_timer_init(&b, note, TEXT("b"));
	loop_timer_start(loop, &b, 5, 0);
	loop_timer_start(loop, &a, 5, 0);
	clock_advance(&now, 5);
	turn();
	expect_calls("ba");
}

static void test_timer_period(void **state)
{
	struct loop_timer timer;

	(void)state;
	loop_timer_init(&timer, note, TEXT("p"));
	loop_timer_start(loop, &timer, 10, 10);
	for (int i = 0; i < 3; i++) {
		clock_advance(&now, 10);
		turn();
	}
	expect_calls("ppp");
	/* Calls missed are left out, and the beat stays. */
	clock_advance(&now, 95);
	turn();
	expect_calls("p");
	clock_advance(&now, 5);
	turn();
	expect_calls("p");
	loop_timer_stop(&timer);
}

static struct loop_timer self_timer;

static void restart(void *context)
{
	note(context);
	loop_timer_start(loop, &self_timer, 0, 0);
}

static void stop_self(void *context)
{
	note(context);
	loop_timer_stop(&self_timer);
}

static void test_timer_in_callback(void **state)
{
	(void)state;
	loop_timer_init(&self_timer, restart, TEXT("r"));
	loop_timer_start(loop, &self_timer, 0, 0);
	turn();
	expect_calls("r");
	turn();
	expect_calls("r");
	loop_timer_stop(&self_timer);
	loop_timer_init(&self_timer, stop_self, TEXT("s"));
	loop_timer_start(loop, &self_timer, 1, 1);
	clock_advance(&now, 1);
	turn();
	clock_advance(&now, 1);
	turn();
	expect_calls("s");
}

/* Random starts and stops; the oracle is an array of deadlines. */
static uint64_t wanted[200];
static int wrong;

static void check_deadline(void *context)
{
	uint64_t *deadline = context;

	if (!*deadline || *deadline > now.monotonic_ns)
		wrong++;
	*deadline = 0;
}

static void test_timer_many(void **state)
{
	struct loop_timer timers[200];

	(void)state;
	srand(7);
	for (int i = 0; i < 200; i++)
		loop_timer_init(&timers[i], check_deadline, &wanted[i]);
	for (int round = 0; round < 5000; round++) {
		int which = rand() % 200;
		uint64_t delay = (uint64_t)(rand() % 100) + 1;

		if (rand() % 4) {
			loop_timer_start(loop, &timers[which], delay, 0);
			wanted[which] = now.monotonic_ns + delay;
		} else {
			loop_timer_stop(&timers[which]);
			wanted[which] = 0;
		}
		clock_advance(&now, (uint64_t)rand() % 3);
		turn();
		for (int i = 0; i < 200; i++)
			if (wanted[i] && wanted[i] <= now.monotonic_ns)
				wrong++;
	}
	assert_int_equal(wrong, 0);
	for (int i = 0; i < 200; i++)
		loop_timer_stop(&timers[i]);
}

static void stop_loop(void *context)
{
	loop_stop(context);
}

/* The one test with the system's clock: a wait ends when the timer is due. */
static void test_system_clock(void **state)
{
	uint64_t start = clock_monotonic_ns(NULL);
	struct loop_timer timer;
	struct loop *real;

	(void)state;
	assert_int_equal(loop_new(&real, NULL, NULL), 0);
	loop_timer_init(&timer, stop_loop, real);
	loop_timer_start(real, &timer, 3 * CLOCK_NS_PER_MS, 0);
	assert_int_equal(loop_run(real), 0);
	assert_true(clock_monotonic_ns(NULL) - start >= 3 * CLOCK_NS_PER_MS);
	loop_free(real);
}

/* Descriptors -------------------------------------------------------------------------------- */

static int pipes[2][2];

static void open_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pipe(pipes[i]), 0);
		assert_int_equal(write(pipes[i][1], "x", 1), 1);
	}
}

static void close_pipes(void)
{
	for (int i = 0; i < 2; i++) {
		close(pipes[i][0]);
		close(pipes[i][1]);
	}
}

static void read_one(void *context, int fd, uint32_t events)
{
	char byte;

	assert_true(events & EPOLLIN);
	assert_int_equal(read(fd, &byte, 1), 1);
	note(context);
}

static void test_fd(void **state)
{
	(void)state;
	open_pipes();
	assert_int_equal(loop_add_fd(loop, pipes[0][0], EPOLLIN, read_one, TEXT("0")), 0);
	assert_int_equal(loop_add_fd(loop, pipes[0][0], EPOLLIN, read_one, TEXT("0")), -EEXIST);
	assert_int_equal(loop_add_fd(loop, -1, EPOLLIN, read_one, TEXT("0")), -EBADF);
	assert_int_equal(loop_modify_fd(loop, pipes[1][0], EPOLLIN), -ENOENT);
	assert_int_equal(loop_modify_fd(loop, pipes[0][0], 0), 0);
	turn();
	expect_calls("");
	assert_int_equal(loop_modify_fd(loop, pipes[0][0], EPOLLIN), 0);
	turn();
	turn();
	expect_calls("0");
	loop_remove_fd(loop, pipes[0][0]);
	loop_remove_fd(loop, pipes[0][0]);
	loop_remove_fd(loop, 12345);
	close_pipes();
}

/* Both pipes have data; the first callback removes the other descriptor, whichever it is. */
static void remove_other(void *context, int fd, uint32_t events)
{
	int other = fd == pipes[0][0] ? pipes[1][0] : pipes[0][0];

	(void)events;
	note(context);
	loop_remove_fd(loop, fd);
	loop_remove_fd(loop, other);
}

static void test_remove_in_callback(void **state)
{
	(void)state;
	open_pipes();
	assert_int_equal(loop_add_fd(loop, pipes[0][0], EPOLLIN, remove_other, TEXT("x")), 0);
	assert_int_equal(loop_add_fd(loop, pipes[1][0], EPOLLIN, remove_other, TEXT("x")), 0);
	turn();
	turn();
	expect_calls("x");
	close_pipes();
}

static void must_not_be_called(void *context, int fd, uint32_t events)
{
	(void)context;
	(void)fd;
	(void)events;
	fail_msg("an event of a descriptor that is gone");
}

/* As above, and another descriptor takes the number before the old event is handled. */
static void replace_other(void *context, int fd, uint32_t events)
{
	int other = fd == pipes[0][0] ? 1 : 0;
	int number = pipes[other][0];
	int fresh[2];

	(void)events;
	note(context);
	loop_remove_fd(loop, fd);
	loop_remove_fd(loop, number);
	assert_int_equal(pipe(fresh), 0);
	assert_int_equal(dup2(fresh[0], number), number);
	close(fresh[0]);
	close(pipes[other][1]);
	pipes[other][1] = fresh[1];
	assert_int_equal(loop_add_fd(loop, number, EPOLLIN, must_not_be_called, NULL), 0);
}

static void test_reuse_in_callback(void **state)
{
	(void)state;
	open_pipes();
	assert_int_equal(loop_add_fd(loop, pipes[0][0], EPOLLIN, replace_other, TEXT("x")), 0);
	assert_int_equal(loop_add_fd(loop, pipes[1][0], EPOLLIN, replace_other, TEXT("x")), 0);
	turn();
	turn();
	expect_calls("x");
	loop_remove_fd(loop, pipes[0][0]);
	loop_remove_fd(loop, pipes[1][0]);
	close_pipes();
}

/* Deferred calls and hooks -------------------------------------------------------------------- */

static struct loop_deferred again;

static void defer_again(void *context)
{
	note(context);
	loop_defer(loop, &again);
}

static void test_deferred(void **state)
{
	struct loop_deferred a;
	struct loop_deferred b;

	(void)state;
	loop_deferred_init(&a, note, TEXT("a"));
	loop_deferred_init(&b, note, TEXT("b"));
	loop_deferred_init(&again, defer_again, TEXT("g"));
	loop_defer(loop, &b);
	loop_defer(loop, &a);
	loop_defer(loop, &b);
	turn();
	turn();
	expect_calls("ba");
	loop_defer(loop, &a);
	loop_deferred_cancel(&a);
	loop_deferred_cancel(&a);
	turn();
	expect_calls("");
	/* One that asks for itself runs once a round, and keeps the loop from waiting. */
	loop_defer(loop, &again);
	assert_int_equal(loop_run_once(loop, -1), 0);
	assert_int_equal(loop_run_once(loop, -1), 0);
	expect_calls("gg");
	loop_deferred_cancel(&again);
}

static int hook(void *context)
{
	note(context);
	return 0;
}

static struct loop_prepare hooks[3];

static int removing_hook(void *context)
{
	note(context);
	loop_prepare_remove(&hooks[0]);
	loop_prepare_remove(&hooks[1]);
	loop_prepare_remove(&hooks[2]);
	return 5;
}

static void test_prepare(void **state)
{
	(void)state;
	loop_prepare_add(loop, &hooks[0], hook, TEXT("0"));
	loop_prepare_add(loop, &hooks[1], hook, TEXT("1"));
	/* The hooks' limit of 0 wins over no limit. */
	assert_int_equal(loop_run_once(loop, -1), 0);
	assert_int_equal(loop_run_once(loop, -1), 0);
	expect_calls("0101");
	loop_prepare_remove(&hooks[0]);
	loop_prepare_remove(&hooks[1]);
	loop_prepare_add(loop, &hooks[1], removing_hook, TEXT("r"));
	loop_prepare_add(loop, &hooks[0], hook, TEXT("0"));
	turn();
	turn();
	expect_calls("r");
}

/* Signals ------------------------------------------------------------------------------------ */

static void note_signal(void *context, int signal_number)
{
	note(context);
	if (signal_number == SIGUSR2)
		loop_stop(loop);
}

static void test_signals(void **state)
{
	(void)state;
	assert_int_equal(loop_add_signal(loop, SIGUSR1, note_signal, TEXT("1")), 0);
	assert_int_equal(loop_add_signal(loop, SIGUSR2, note_signal, TEXT("2")), 0);
	assert_int_equal(loop_add_signal(loop, 0, note_signal, TEXT("0")), -EINVAL);
	assert_int_equal(loop_add_signal(loop, 65, note_signal, TEXT("0")), -EINVAL);
	kill(getpid(), SIGUSR1);
	turn();
	expect_calls("1");
	kill(getpid(), SIGUSR2);
	assert_int_equal(loop_run(loop), 0);
	expect_calls("2");
	assert_ptr_equal(loop_clock(loop), &now);
}

#define LOOP_TEST(test) cmocka_unit_test_setup_teardown(test, make_loop, free_loop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LOOP_TEST(test_timer_order),
		LOOP_TEST(test_timer_equal),
		LOOP_TEST(test_timer_period),
		LOOP_TEST(test_timer_in_callback),
		LOOP_TEST(test_timer_many),
		LOOP_TEST(test_system_clock),
		LOOP_TEST(test_fd),
		LOOP_TEST(test_remove_in_callback),
		LOOP_TEST(test_reuse_in_callback),
		LOOP_TEST(test_deferred),
		LOOP_TEST(test_prepare),
		LOOP_TEST(test_signals),
	};

	return cmocka_run_group_tests_name("loop", tests, NULL, NULL);
}
