/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/alloc: what is returned, and that running out of memory ends the process.
 */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "tests/unit/unit.h"

static void test_copies(void **state)
{
	char *text = xstrdup("weft");
	char *part = xstrndup("warp and weft", 4);
	char *whole = xstrndup("warp", 40);
	char *printed = xasprintf("%s-%d", "port", 7);
	void *nothing = xmalloc(0);

	(void)state;
	assert_string_equal(text, "weft");
	assert_string_equal(part, "warp");
	assert_string_equal(whole, "warp");
	assert_string_equal(printed, "port-7");
	assert_non_null(nothing);
	assert_null(xstrdup(NULL));
	free(text);
	free(part);
	free(whole);
	free(printed);
	free(nothing);
}

static void test_arrays(void **state)
{
	uint64_t *numbers = xcalloc(3, sizeof(*numbers));

	(void)state;
	assert_int_equal(numbers[2], 0);
	numbers[2] = 9;
	numbers = xreallocarray(numbers, 100, sizeof(*numbers));
	assert_int_equal(numbers[2], 9);
	free(numbers);
}

/* Run @body in a child that says nothing. Return: the signal that ended it. */
static int signal_of(void (*body)(void))
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		close(STDERR_FILENO);
		signal(SIGABRT, SIG_DFL);
		body();
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFSIGNALED(status) ? WTERMSIG(status) : 0;
}

static void overflow(void)
{
	free(xreallocarray(NULL, SIZE_MAX / 2, 3));
}

static void test_abort(void **state)
{
	(void)state;
	assert_int_equal(signal_of(overflow), SIGABRT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),
		cmocka_unit_test(test_arrays),
		cmocka_unit_test(test_abort),
	};

	return cmocka_run_group_tests_name("alloc", tests, NULL, NULL);
}
