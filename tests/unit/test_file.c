/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/file: limits, replacing at once, directories, locks between processes.
 */
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "tests/unit/unit.h"

static char directory[] = "/tmp/weft-test-file-XXXXXX";

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static int make_directory(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int remove_directory(void **state)
{
	(void)state;
	return nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_write_and_read(void **state)
{
	struct error error = { 0 };
	struct buf content = { 0 };
	struct stat status;

	(void)state;
	umask(077);
	assert_int_equal(file_write_atomic(path_of("a"), "first", 5, 0644, &error), 0);
	assert_int_equal(file_write_atomic(path_of("a"), "second", 6, 0640, &error), 0);
	umask(022);
	assert_int_equal(stat(path_of("a"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);
	buf_append_text(&content, ">");
	assert_int_equal(file_read(path_of("a"), 6, &content, &error), 0);
	assert_string_equal(buf_text(&content), ">second");
	assert_int_equal(file_read(path_of("a"), 5, &content, &error), -EFBIG);
	assert_non_null(strstr(error.text, "larger than 5 bytes"));
	assert_string_equal(buf_text(&content), ">second");
	assert_int_equal(file_read(path_of("missing"), 5, &content, &error), -ENOENT);
	assert_int_equal(file_read(directory, 5, &content, &error), -EISDIR);
	buf_fini(&content);
}

static void test_read_large(void **state)
{
	struct buf content = { 0 };
	char *data = calloc(1, 300000);

	(void)state;
	assert_int_equal(file_write_atomic(path_of("b"), data, 300000, 0600, NULL), 0);
	assert_int_equal(file_read(path_of("b"), 300000, &content, NULL), 0);
	assert_int_equal(content.size, 300000);
	assert_int_equal(file_read(path_of("b"), 299999, &content, NULL), -EFBIG);
	assert_int_equal(content.size, 300000);
	buf_fini(&content);
	free(data);
}

static void test_write_fails(void **state)
{
	struct error error = { 0 };

	(void)state;
	assert_int_equal(file_write_atomic(path_of("no/such"), "x", 1, 0600, &error), -ENOENT);
	assert_true(strlen(error.text) > 0);
	/* A directory in the way: nothing is replaced, and no litter is left. */
	assert_int_equal(file_make_directories(path_of("d/e"), 0700, &error), 0);
	assert_int_equal(file_write_atomic(path_of("d"), "x", 1, 0600, &error), -EISDIR);
	assert_int_equal(file_write_value(path_of("missing"), "x", &error), -ENOENT);
}

static void test_directories(void **state)
{
	struct error error = { 0 };
	struct stat status;

	(void)state;
	umask(077);
	assert_int_equal(file_make_directories(path_of("x/y//z/"), 0755, &error), 0);
	umask(022);
	assert_int_equal(stat(path_of("x/y/z"), &status), 0);
	assert_int_equal(status.st_mode & 07777, 0755);
	assert_int_equal(file_make_directories(path_of("x/y/z"), 0755, &error), 0);
	assert_int_equal(file_write_atomic(path_of("x/file"), "", 0, 0600, &error), 0);
	assert_int_equal(file_make_directories(path_of("x/file"), 0755, &error), -ENOTDIR);
	assert_int_equal(file_make_directories(path_of("x/file/w"), 0755, &error), -ENOTDIR);
}

static void test_lock(void **state)
{
	struct error error = { 0 };
	char pid_text[64];
	int ends[2];
	pid_t pid;
	char byte;
	int fd;

	(void)state;
	fd = file_lock(path_of("lock"), &error);
	assert_true(fd >= 0);
	assert_int_equal(file_lock(path_of("lock"), &error), -EWOULDBLOCK);
	snprintf(pid_text, sizeof(pid_text), "locked by process %ld", (long)getpid());
	assert_non_null(strstr(error.text, pid_text));
	file_unlock(fd);
	file_unlock(-1);

	/* A process that is killed leaves no lock behind. */
	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		fd = file_lock(path_of("lock"), NULL);
		byte = fd >= 0 ? 'y' : 'n';
		if (write(ends[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	assert_int_equal(read(ends[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	assert_int_equal(file_lock(path_of("lock"), NULL), -EWOULDBLOCK);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	fd = file_lock(path_of("lock"), NULL);
	assert_true(fd >= 0);
	file_unlock(fd);
	close(ends[0]);
	close(ends[1]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_write_and_read), cmocka_unit_test(test_read_large),
		cmocka_unit_test(test_write_fails),    cmocka_unit_test(test_directories),
		cmocka_unit_test(test_lock),
	};

	return cmocka_run_group_tests_name("file", tests, make_directory, remove_directory);
}
