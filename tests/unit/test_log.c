/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/log: the line's form, levels, the journal, escaping, the token bucket.
 */
#include <errno.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "tests/unit/unit.h"

static char captured[8192];

/* Point standard error at a pipe, and back. */
static int saved_error;
static int reading_end;

static void capture(void)
{
	int ends[2];

	assert_int_equal(pipe(ends), 0);
	saved_error = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
	reading_end = ends[0];
}

static const char *release(void)
{
	ssize_t size;

	dup2(saved_error, STDERR_FILENO);
	close(saved_error);
	size = read(reading_end, captured, sizeof(captured) - 1);
	close(reading_end);
	captured[size > 0 ? size : 0] = '\0';
	return captured;
}

static void test_line(void **state)
{
	(void)state;
	unsetenv("JOURNAL_STREAM");
	log_open(LOG_LEVEL_INFO);
	capture();
	log_info("port added", "port=%s ms=%d", "blue/web1", 2);
	log_warning("alone");
	log_debug("not seen", "a=%d", 1);
	assert_string_equal(release(), "level=info msg=\"port added\" port=blue/web1 ms=2\n"
				       "level=warning msg=\"alone\"\n");
}

static void test_journal(void **state)
{
	(void)state;
	setenv("JOURNAL_STREAM", "8:1234", 1);
	log_open(LOG_LEVEL_DEBUG);
	unsetenv("JOURNAL_STREAM");
	capture();
	log_error("e");
	log_debug("d", "x=1");
	assert_string_equal(release(), "<3>level=error msg=\"e\"\n<7>level=debug msg=\"d\" x=1\n");
	log_open(LOG_LEVEL_INFO);
}

static void test_forged(void **state)
{
	(void)state;
	capture();
	log_info("a \"b\"\n", "name=%s", "x\nlevel=error\x1b[2J\t");
	assert_string_equal(release(), "level=info msg=\"a \\\"b\\\"\\n\" "
				       "name=x\\nlevel=error\\x1b[2J\\x09\n");
}

/* What was put between quotes cannot end them: no input makes a field of its own. */
static void test_quoted(void **state)
{
	const char *forged = "x\" port=\"blue/web1\nlevel=error \\";

	(void)state;
	capture();
	errno = ENOENT;
	log_info("a", "text=\"%s: %s\" name=%s n=%zu d=%d l=%lld u=%u error=\"%m\"", forged, "y\"",
		 "\"", (size_t)7, -3, -5LL, 255U);
	assert_string_equal(
		release(),
		"level=info msg=\"a\" text=\"x\\\" port=\\\"blue/web1\\nlevel=error \\\\: "
		"y\\\"\" name=\" n=7 d=-3 l=-5 u=255 error=\"No such file or directory\"\n");
}

static void test_long(void **state)
{
	char text[5000];
	const char *line;

	(void)state;
	memset(text, 'y', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	capture();
	log_info("long", "text=%s", text);
	line = release();
	assert_int_equal(strlen(line), 2048);
	assert_int_equal(line[2047], '\n');
}

static void test_bucket(void **state)
{
	struct log_limit limit = { 0 };
	uint64_t now = 5 * CLOCK_NS_PER_SECOND;

	(void)state;
	for (int i = 0; i < 10; i++)
		assert_true(log_limit_take(&limit, now));
	assert_false(log_limit_take(&limit, now));
	assert_false(log_limit_take(&limit, now + CLOCK_NS_PER_SECOND - 1));
	assert_int_equal(limit.suppressed, 2);
	assert_true(log_limit_take(&limit, now + CLOCK_NS_PER_SECOND));
	assert_false(log_limit_take(&limit, now + CLOCK_NS_PER_SECOND));
	/* A long silence fills the bucket, and no more than that. */
	now += 1000 * CLOCK_NS_PER_SECOND;
	for (int i = 0; i < 10; i++)
		assert_true(log_limit_take(&limit, now));
	assert_false(log_limit_take(&limit, now));
}

static void test_suppressed(void **state)
{
	struct log_limit limit = { .suppressed = 4 };
	int count = 0;

	(void)state;
	capture();
	log_write_limited(&limit, LOG_LEVEL_INFO, "x", " a=%d", 1);
	assert_string_equal(release(), "level=info msg=\"x\" a=1 suppressed=4\n");
	assert_int_equal(limit.suppressed, 0);
	capture();
	for (int i = 0; i < 50; i++)
		log_limited(LOG_LEVEL_NOTICE, "flood");
	for (const char *at = release(); (at = strchr(at, '\n')); at++)
		count++;
	assert_in_range(count, 10, 11);
}

static void test_levels(void **state)
{
	enum log_level level = LOG_LEVEL_INFO;

	(void)state;
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_int_equal(log_level_parse("Debug", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_false(log_enabled(LOG_LEVEL_DEBUG));
	assert_true(log_enabled(LOG_LEVEL_ERROR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_line),       cmocka_unit_test(test_journal),
		cmocka_unit_test(test_forged),     cmocka_unit_test(test_quoted),
		cmocka_unit_test(test_long),       cmocka_unit_test(test_bucket),
		cmocka_unit_test(test_suppressed), cmocka_unit_test(test_levels),
	};

	return cmocka_run_group_tests_name("log", tests, NULL, NULL);
}
