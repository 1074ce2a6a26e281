/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/netns: names made and taken away here and by ip(8), identity, sysctl, watching.
 */
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/netns.h"
#include "tests/unit/private_machine.h"

/* Run ip(8) if it is there. Return: its exit status, -1 if it is not. */
static int run_ip(const char *a, const char *b, const char *c, const char *d)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp("ip", "ip", a, b, c, d, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (!WIFEXITED(status) || WEXITSTATUS(status) == 127)
		return -1;
	return WEXITSTATUS(status);
}

static void test_create_and_delete(void **state)
{
	struct netns_identity here;
	struct netns_identity now;
	struct netns_identity made;
	struct netns_identity named;
	struct error error = { 0 };
	int again;
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	assert_int_equal(netns_identify(-1, &here, &error), 0);
	fd = netns_create("blue", &error);
	if (fd < 0)
		fail_msg("%s", error.text);
	assert_int_equal(netns_identify(-1, &now, &error), 0);
	assert_true(netns_identity_equal(&here, &now));
	assert_int_equal(netns_identify(fd, &made, &error), 0);
	assert_false(netns_identity_equal(&here, &made));
	again = netns_open_name("blue", &error);
	assert_true(again >= 0);
	assert_int_equal(netns_identify(again, &named, &error), 0);
	assert_true(netns_identity_equal(&made, &named));
	close(again);
	again = netns_open_path("/run/netns/blue", &error);
	assert_true(again >= 0);
	close(again);

	assert_int_equal(netns_create("blue", &error), -EEXIST);
	assert_int_equal(netns_delete("blue", &error), 0);
	assert_int_equal(netns_open_name("blue", &error), -ENOENT);
	assert_string_equal(error.text, "there is no network namespace \"blue\"");
	assert_int_equal(netns_delete("blue", &error), -ENOENT);
	close(fd);
}

static void test_bad_names(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b", "../etc" };
	char long_name[300];
	struct error error;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	for (size_t i = 0; i < 5; i++) {
		assert_int_equal(netns_open_name(bad[i], &error), -EINVAL);
		assert_int_equal(netns_create(bad[i], &error), -EINVAL);
		assert_int_equal(netns_delete(bad[i], &error), -EINVAL);
	}
	memset(long_name, 'n', sizeof(long_name));
	long_name[299] = '\0';
	assert_int_equal(netns_create(long_name, &error), -EINVAL);
	assert_int_equal(netns_open_path("/proc/self/ns/mnt", &error), -EINVAL);
	assert_int_equal(netns_open_path("/dev/null", &error), -EINVAL);
	assert_int_equal(netns_open_path("/no/such", &error), -ENOENT);
}

static void test_ip_agrees(void **state)
{
	struct error error = { 0 };
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	if (run_ip("netns", "add", "byip", NULL) != 0) {
		print_message("# skipped: ip(8) is missing or may not make namespaces\n");
		skip();
	}
	fd = netns_open_name("byip", &error);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(netns_delete("byip", &error), 0);
	fd = netns_create("byus", &error);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(run_ip("netns", "delete", "byus", NULL), 0);
	assert_int_equal(netns_open_name("byus", &error), -ENOENT);
}

static void test_enter(void **state)
{
	struct netns_identity here;
	struct netns_identity there;
	struct netns_identity now;
	struct error error = { 0 };
	int saved;
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	assert_int_equal(netns_identify(-1, &here, &error), 0);
	fd = netns_create("enter", &error);
	assert_int_equal(netns_identify(fd, &there, &error), 0);
	saved = netns_enter(fd, &error);
	assert_true(saved >= 0);
	assert_int_equal(netns_identify(-1, &now, &error), 0);
	assert_true(netns_identity_equal(&now, &there));
	netns_leave(saved);
	assert_int_equal(netns_identify(-1, &now, &error), 0);
	assert_true(netns_identity_equal(&now, &here));
	saved = netns_enter(-1, &error);
	assert_true(saved >= 0);
	netns_leave(saved);
	/* Something that is no namespace: the thread stays where it is. */
	saved = open("/dev/null", O_RDONLY | O_CLOEXEC);
	assert_int_equal(netns_enter(saved, &error), -EINVAL);
	close(saved);
	close(fd);
	assert_int_equal(netns_delete("enter", &error), 0);
}

static void test_pid(void **state)
{
	struct netns_identity here;
	struct netns_identity there;
	struct error error = { 0 };
	int ends[2];
	char byte;
	pid_t pid;
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		if (unshare(CLONE_NEWNET) == 0 && write(ends[1], "x", 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	fd = netns_open_pid(pid, &error);
	assert_true(fd >= 0);
	assert_int_equal(netns_identify(fd, &there, &error), 0);
	assert_int_equal(netns_identify(-1, &here, &error), 0);
	assert_false(netns_identity_equal(&here, &there));
	close(fd);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	assert_int_equal(netns_open_pid(pid, &error), -ENOENT);
	assert_int_equal(netns_open_pid(0, &error), -EINVAL);
	close(ends[0]);
	close(ends[1]);
}

static int read_value(const char *path)
{
	char text[16] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_true(read(fd, text, sizeof(text) - 1) > 0);
	close(fd);
	return atoi(text);
}

static void test_sysctl(void **state)
{
	static const char path[] = "/proc/sys/net/ipv4/ip_forward";
	struct error error = { 0 };
	int before;
	int saved;
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	if (access(path, W_OK)) {
		print_message("# skipped: /proc/sys cannot be written\n");
		skip();
	}
	before = read_value(path);
	fd = netns_create("sysctl", &error);
	assert_int_equal(netns_write_sysctl(fd, "ipv4/ip_forward", before ? "0" : "1", &error), 0);
	assert_int_equal(read_value(path), before);
	saved = netns_enter(fd, &error);
	assert_int_equal(read_value(path), !before);
	netns_leave(saved);
	assert_int_equal(netns_write_sysctl(fd, "ipv4/no_such", "1", &error), -ENOENT);
	assert_int_equal(netns_write_sysctl(fd, "../kernel/hostname", "x", &error), -EINVAL);
	close(fd);
	assert_int_equal(netns_delete("sysctl", &error), 0);
}

/* Watching ----------------------------------------------------------------------------------- */

static char seen[512];

static void note(void *context, const char *name, bool appeared)
{
	size_t used = strlen(seen);

	assert_ptr_equal(context, seen);
	snprintf(seen + used, sizeof(seen) - used, "%s%s ", appeared ? "+" : "-", name);
	if (appeared) {
		int fd = netns_open_name(name, NULL);

		assert_true(fd >= 0);
		close(fd);
	}
}

/* Read the watch until @seen is @text, 10 s at most. */
static void expect_seen(struct netns_watch *watch, const char *text)
{
	uint64_t deadline = clock_monotonic_ms(NULL) + 10000;
	struct pollfd ready = { .fd = netns_watch_fd(watch), .events = POLLIN };
	struct error error;

	while (strcmp(seen, text) != 0 && clock_monotonic_ms(NULL) < deadline) {
		poll(&ready, 1, 100);
		assert_int_equal(netns_watch_read(watch, &error), 0);
	}
	assert_string_equal(seen, text);
	seen[0] = '\0';
}

static void test_watch(void **state)
{
	struct netns_watch *watch;
	struct error error = { 0 };

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	close(netns_create("old", &error));
	assert_int_equal(netns_watch_open(&watch, note, seen, &error), 0);
	close(netns_create("one", &error));
	expect_seen(watch, "+one ");
	close(netns_create("two", &error));
	assert_int_equal(netns_delete("one", &error), 0);
	expect_seen(watch, "+two -one ");
	/* Away and back again between two reads: both are told. */
	assert_int_equal(netns_delete("two", &error), 0);
	close(netns_create("two", &error));
	expect_seen(watch, "-two +two ");
	assert_int_equal(netns_delete("old", &error), 0);
	assert_int_equal(netns_delete("two", &error), 0);
	expect_seen(watch, "-old -two ");
	netns_watch_close(watch);
	netns_watch_close(NULL);
}

/* The name comes first and the namespace later, as with ip(8): told only when it can be used. */
static void test_watch_pending(void **state)
{
	struct netns_watch *watch;
	struct error error = { 0 };
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	close(netns_create("source", &error));
	assert_int_equal(netns_watch_open(&watch, note, seen, &error), 0);
	fd = open("/run/netns/late", O_CREAT | O_RDONLY | O_CLOEXEC, 0);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(netns_open_name("late", &error), -EAGAIN);
	assert_int_equal(netns_watch_read(watch, &error), 0);
	assert_string_equal(seen, "");
	assert_int_equal(mount("/run/netns/source", "/run/netns/late", "none", MS_BIND, NULL), 0);
	expect_seen(watch, "+late ");
	/* A name that never gets a namespace is never told of. */
	fd = open("/run/netns/never", O_CREAT | O_RDONLY | O_CLOEXEC, 0);
	close(fd);
	assert_int_equal(netns_delete("never", &error), 0);
	assert_int_equal(netns_delete("late", &error), 0);
	expect_seen(watch, "-late ");
	assert_int_equal(netns_delete("source", &error), 0);
	netns_watch_close(watch);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create_and_delete),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_ip_agrees),
		cmocka_unit_test(test_enter),
		cmocka_unit_test(test_pid),
		cmocka_unit_test(test_sysctl),
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_watch_pending),
	};

	return cmocka_run_group_tests_name("netns", tests, private_machine_enter, NULL);
}
