/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a database in a file can suffer: being killed in the middle of a commit, full and
 * read-only disks, damage, other versions, a second process, a log that grows.
 */
#include <signal.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/file.h"
#include "store/store.h"
#include "tests/unit/private_machine.h"

#define DISK "/run/disk"
#define DATABASE DISK "/weft.db"

static struct error error;
static bool has_disk;

/* A small disk of the test's own; without the right to mount, only the cases that need none. */
static int make_disk(void **state)
{
	private_machine_enter(state);
	if (private_machine_lacks)
		return 0;
	has_disk = mkdir(DISK, 0700) == 0 && mount("none", DISK, "tmpfs", 0, "size=8m") == 0;
	if (!has_disk)
		private_machine_lacks = "cannot mount a disk of its own";
	return 0;
}

static int clean_disk(void **state)
{
	(void)state;
	if (has_disk) {
		umount(DISK);
		mount("none", DISK, "tmpfs", 0, "size=8m");
	}
	return 0;
}

#define DONE(call)                                                                                 \
	do {                                                                                       \
		if (call)                                                                          \
			fail_msg("%s", error.text);                                                \
	} while (0)

static struct store *open_database(void)
{
	struct store *store = NULL;

	DONE(store_open_sqlite(DATABASE, NULL, &store, &error));
	return store;
}

static void check_value(struct store *store, const char *key, const char *wanted)
{
	char *value;

	DONE(store_get(store, key, &value, NULL, &error));
	assert_string_equal(value, wanted);
	free(value);
}

static void test_reopen(void **state)
{
	struct store *store;
	uint64_t lease;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	store = open_database();
	DONE(store_put(store, "/a", "1", NULL, &error));
	DONE(store_lease_grant(store, 60000, &lease, &error));
	store_close(store);
	store = open_database();
	assert_int_equal(store_revision(store), 1);
	check_value(store, "/a", "1");
	DONE(store_lease_keepalive(store, lease, &error));
	store_close(store);
}

/* Crashes ------------------------------------------------------------------------------------ */

#define KEYS 400

/* Write all keys with one number per commit, for ever; a byte to @fd before each commit. */
static void write_for_ever(int fd)
{
	struct store *store = NULL;
	char value[600];
	char key[32];

	if (store_open_sqlite(DATABASE, NULL, &store, &error))
		_exit(2);
	for (uint64_t number = store_revision(store) + 1;; number++) {
		struct store_transaction *transaction = store_transaction_new();

		snprintf(value, sizeof(value), "%0500llu", (unsigned long long)number);
		for (int i = 0; i < KEYS; i++) {
			snprintf(key, sizeof(key), "/key/%03d", i);
			store_transaction_put(transaction, key, value, 0);
		}
		if (write(fd, "x", 1) != 1 || store_commit(store, transaction, NULL, &error))
			_exit(3);
		store_transaction_free(transaction);
	}
}

struct survey {
	int count;
	unsigned long long first;
	uint64_t revision;
};

static int check_item(void *context, const struct store_item *item)
{
	struct survey *survey = context;
	unsigned long long number = strtoull(item->value, NULL, 10);

	if (!survey->count++) {
		survey->first = number;
		survey->revision = item->revision;
	}
	assert_int_equal(number, survey->first);
	assert_int_equal(item->revision, survey->revision);
	return 0;
}

/*
 * A writer is killed 25 times, each time at some point of its n-th commit: it tells before it
 * commits, and the kill is sent after a busy loop of a length that differs each time. Each time
 * all keys have the number of one and the same commit, that of the store's revision.
 */
static void test_killed_while_writing(void **state)
{
	uint64_t last = 0;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	srand(3);
	for (int round = 0; round < 25; round++) {
		struct survey survey = { 0 };
		volatile int spin = rand() % 400000;
		struct store *store;
		int ends[2];
		char byte;
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		if (pid == 0)
			write_for_ever(ends[1]);
		close(ends[1]);
		for (int commits = 1 + rand() % 4; commits; commits--)
			assert_int_equal(read(ends[0], &byte, 1), 1);
		while (spin)
			spin--;
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		close(ends[0]);

		store = open_database();
		DONE(store_list(store, "/key/", check_item, &survey, NULL, &error));
		assert_true(survey.count == KEYS || store_revision(store) == 0);
		assert_int_equal(survey.first, store_revision(store));
		assert_true(store_revision(store) >= last);
		last = store_revision(store);
		store_close(store);
	}
	assert_true(last > 0);
}

/* Disks -------------------------------------------------------------------------------------- */

static void fill_disk(void)
{
	static const char block[4096];
	int fd = open(DISK "/ballast", O_CREAT | O_WRONLY | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	while (write(fd, block, sizeof(block)) > 0)
		;
	assert_int_equal(errno, ENOSPC);
	close(fd);
}

static int put_many(struct store *store, const char *key, char letter)
{
	char value[100001];

	memset(value, letter, sizeof(value) - 1);
	value[sizeof(value) - 1] = '\0';
	return store_put(store, key, value, NULL, &error);
}

static int put_big(struct store *store, const char *key)
{
	return put_many(store, key, 'b');
}

static void test_full_disk(void **state)
{
	struct store *store;
	int result = 0;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	store = open_database();
	DONE(store_put(store, "/a", "1", NULL, &error));
	fill_disk();
	for (int i = 0; !result && i < 10; i++)
		result = put_big(store, "/big");
	assert_int_equal(result, -ENOSPC);
	assert_string_equal(error.text,
			    "the disk that holds " DATABASE " is full; nothing was changed");
	/* It can be read, and written again once there is room. */
	check_value(store, "/a", "1");
	assert_int_equal(unlink(DISK "/ballast"), 0);
	DONE(put_big(store, "/big"));
	DONE(store_put(store, "/a", "2", NULL, &error));
	store_close(store);
	store = open_database();
	check_value(store, "/a", "2");
	store_close(store);
}

static off_t size_of_log(void)
{
	struct stat status;

	assert_int_equal(stat(DATABASE "-wal", &status), 0);
	return status.st_size;
}

/* A log that holds a value many times over is emptied for the next one, and not before it has to be. */
static void test_full_disk_large_log(void **state)
{
	struct store *store;
	uint64_t lease;
	int result = 0;
	off_t size;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	store = open_database();
	/* The file becomes as large as it will be: it cannot grow on a full disk. */
	for (char letter = 'a'; letter < 'd'; letter++) {
		DONE(put_many(store, "/big", letter));
		DONE(put_many(store, "/other", letter));
	}
	store_close(store);
	store = open_database();
	for (char letter = 'c'; letter < 'w'; letter++)
		DONE(put_many(store, "/big",
			      letter)); /* pages that do not change are not written */
	size = size_of_log();
	assert_true(size > 2000000);
	fill_disk();
	DONE(put_many(store, "/other", 'd'));
	assert_true(size_of_log() < size);
	DONE(store_lease_grant(store, 60000, &lease, &error));
	/* What needs more than that is refused as ever, and undone. */
	assert_int_equal(unlink(DISK "/ballast"), 0);
	fill_disk();
	for (int i = 0; !result && i < 5; i++)
		result = put_big(store, i % 2 ? "/new" : "/newer");
	assert_int_equal(result, -ENOSPC);
	assert_string_equal(error.text,
			    "the disk that holds " DATABASE " is full; nothing was changed");
	store_close(store);
	assert_int_equal(unlink(DISK "/ballast"), 0);
	store = open_database();
	DONE(store_lease_keepalive(store, lease, &error));
	DONE(put_big(store, "/new"));
	store_close(store);
}

/* The daemon starts on a disk that is full, serves, and writes when there is room. */
static void test_open_on_full_disk(void **state)
{
	struct store *store;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	store = open_database();
	DONE(store_put(store, "/a", "1", NULL, &error));
	store_close(store);
	fill_disk();
	store = open_database();
	check_value(store, "/a", "1");
	assert_int_equal(put_big(store, "/big"), -ENOSPC);
	assert_non_null(strstr(error.text, "is full"));
	check_value(store, "/a", "1");
	assert_int_equal(unlink(DISK "/ballast"), 0);
	DONE(store_put(store, "/a", "2", NULL, &error));
	check_value(store, "/a", "2");
	store_close(store);
}

static void remount(unsigned long flags)
{
	assert_int_equal(mount("none", DISK, NULL, MS_REMOUNT | flags, "size=8m"), 0);
}

static void test_read_only_disk(void **state)
{
	struct store *store;
	uint64_t lease;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	store = open_database();
	DONE(store_put(store, "/a", "1", NULL, &error));
	store_close(store);
	remount(MS_RDONLY);
	store = open_database();
	check_value(store, "/a", "1");
	assert_int_equal(store_put(store, "/a", "2", NULL, &error), -EROFS);
	assert_non_null(strstr(error.text, "nothing was changed"));
	assert_int_equal(store_lease_grant(store, 1000, &lease, &error), -EROFS);
	check_value(store, "/a", "1");
	/* The same open store writes again when the disk can be written. */
	remount(0);
	DONE(store_put(store, "/a", "2", NULL, &error));
	store_close(store);
	store = open_database();
	check_value(store, "/a", "2");
	store_close(store);
}

/* Nothing is taken that the next start would not find. */
static void test_moved_away(void **state)
{
	const char *aside = DATABASE ".aside";
	struct store *store;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	store = open_database();
	DONE(store_put(store, "/a", "1", NULL, &error));
	assert_int_equal(rename(DATABASE, aside), 0);
	assert_int_equal(store_put(store, "/a", "2", NULL, &error), -EROFS);
	assert_non_null(strstr(error.text, "not there any more"));
	check_value(store, "/a", "1");
	assert_int_equal(rename(aside, DATABASE), 0);
	DONE(store_put(store, "/a", "2", NULL, &error));
	store_close(store);
}

/* Leaves a database behind whose last commit is only in the log beside it. */
static void crash_after_commit(void)
{
	struct store *store;
	int status;
	pid_t pid;

	pid = fork();
	if (pid == 0) {
		store = open_database();
		_exit(store_put(store, "/a", "in the log", NULL, &error) ? 1 : 0);
	}
	waitpid(pid, &status, 0);
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_read_only_after_crash(void **state)
{
	struct store *store;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	crash_after_commit();
	remount(MS_RDONLY);
	store = open_database();
	check_value(store, "/a", "in the log");
	assert_int_equal(store_put(store, "/a", "2", NULL, &error), -EROFS);
	store_close(store);
	remount(0);
}

/* Where the log is there and cannot be read, an old state must not be taken for the present. */
static void test_log_unreadable(void **state)
{
	struct store *store = NULL;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	store = open_database();
	DONE(store_put(store, "/a", "old", NULL, &error));
	store_close(store);
	store = NULL;
	crash_after_commit();
	assert_int_equal(unlink(DATABASE "-shm"), 0);
	remount(MS_RDONLY);
	assert_int_equal(store_open_sqlite(DATABASE, NULL, &store, &error), -EROFS);
	remount(0);
	store = open_database();
	check_value(store, "/a", "in the log");
	store_close(store);
}

static void test_cannot_make(void **state)
{
	struct store *store = NULL;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	assert_int_equal(store_open_sqlite(DISK "/no/such.db", NULL, &store, &error), -ENOENT);
	assert_true(strlen(error.text) > 0);
	remount(MS_RDONLY);
	assert_int_equal(store_open_sqlite(DATABASE, NULL, &store, &error), -EROFS);
	remount(0);
	assert_null(store);
}

/* Damage, versions --------------------------------------------------------------------------- */

static void expect_refused(int code, const char *words)
{
	struct store *store = NULL;

	assert_int_equal(store_open_sqlite(DATABASE, NULL, &store, &error), code);
	assert_null(store);
	if (!strstr(error.text, words))
		fail_msg("\"%s\" does not say \"%s\"", error.text, words);
}

static void run_sql(const char *sql)
{
	sqlite3 *database;

	assert_int_equal(sqlite3_open(DATABASE, &database), SQLITE_OK);
	assert_int_equal(sqlite3_exec(database, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(database);
}

static void test_damage(void **state)
{
	static const char text[] = "this is a text, and was never a database at all. "
				   "it is long enough to have a header, though, and more.";
	struct store *store;
	char garbage[4096];
	int fd;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	DONE(file_write_atomic(DATABASE, text, sizeof(text), 0600, &error));
	expect_refused(-EUCLEAN, "is not a database: move it away");
	assert_int_equal(unlink(DATABASE), 0);

	store = open_database();
	DONE(put_big(store, "/big"));
	for (int i = 0; i < 500; i++) {
		char key[32];

		snprintf(key, sizeof(key), "/key/%d", i);
		DONE(store_put(store, key, "some text that fills pages", NULL, &error));
	}
	store_close(store);
	/* Every page but the first is overwritten. */
	memset(garbage, 0xa5, sizeof(garbage));
	fd = open(DATABASE, O_WRONLY | O_CLOEXEC);
	for (off_t at = 4096; at < 4096 * 20; at += 4096)
		assert_int_equal(pwrite(fd, garbage, sizeof(garbage), at), sizeof(garbage));
	close(fd);
	expect_refused(-EUCLEAN, "is damaged (");
	/* Cut in the middle. */
	assert_int_equal(truncate(DATABASE, 4096 * 3 + 100), 0);
	expect_refused(-EUCLEAN, "is damaged (");
}

static void test_newer_layout(void **state)
{
	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	store_close(open_database());
	run_sql("PRAGMA user_version = 99");
	expect_refused(-EPROTO, "was written by a newer Weft (layout 99, this one knows 1)");
}

static void test_busy(void **state)
{
	struct store *store = open_database();
	struct store *second;
	sqlite3 *other;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	DONE(store_put(store, "/a", "1", NULL, &error));
	/* Another connection sees what is committed, and may commit in turn. */
	second = open_database();
	check_value(second, "/a", "1");
	DONE(store_put(second, "/a", "2", NULL, &error));
	assert_int_equal(store_revision(second), 2);
	DONE(store_put(store, "/a", "3", NULL, &error));
	assert_int_equal(store_revision(store), 3);
	assert_int_equal(sqlite3_open(DATABASE, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(store_put(store, "/a", "4", NULL, &error), -ENOLCK);
	assert_non_null(strstr(error.text, "try again"));
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(other), SQLITE_OK);
	DONE(store_put(store, "/a", "4", NULL, &error));
	store_close(second);
	store_close(store);
}

/* The log ------------------------------------------------------------------------------------ */

static void commit_many(struct store *store, int count, int number)
{
	struct store_transaction *transaction = store_transaction_new();
	char value[16];
	char key[32];

	snprintf(value, sizeof(value), "%d", number);
	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "/key/%05d", i);
		store_transaction_put(transaction, key, value, 0);
	}
	DONE(store_commit(store, transaction, NULL, &error));
	store_transaction_free(transaction);
}

static void count_news(void *context, const struct store_item *items, size_t count,
		       uint64_t revision)
{
	int *news = context;

	(void)revision;
	*news = items ? *news + (int)count : -1;
}

static sqlite3_int64 log_rows(void)
{
	sqlite3_stmt *statement;
	sqlite3_int64 rows;
	sqlite3 *database;

	assert_int_equal(sqlite3_open(DATABASE, &database), SQLITE_OK);
	assert_int_equal(sqlite3_prepare_v2(database, "SELECT count(*) FROM log", -1, &statement,
					    NULL),
			 SQLITE_OK);
	assert_int_equal(sqlite3_step(statement), SQLITE_ROW);
	rows = sqlite3_column_int64(statement, 0);
	sqlite3_finalize(statement);
	sqlite3_close(database);
	return rows;
}

static void test_log(void **state)
{
	struct store_watch *watch;
	struct store *store;
	int news = 0;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	assert_int_equal(mount("none", DISK, NULL, MS_REMOUNT, "size=64m"), 0);
	store = open_database();
	for (int i = 0; i < 10; i++)
		commit_many(store, 10000, i);
	assert_in_range(log_rows(), 60000, 65536);
	assert_int_equal(store_watch(store, "/", 2, count_news, &news, &watch, &error), -ESTALE);
	assert_non_null(strstr(error.text, "list again"));
	DONE(store_watch(store, "/", 9, count_news, &news, &watch, &error));
	/* What a watch has to hear of is kept beyond that, */
	for (int i = 0; i < 10; i++)
		commit_many(store, 10000, i);
	assert_in_range(log_rows(), 100000, 120000);
	DONE(store_dispatch(store, &error));
	assert_int_equal(news, 10000);
	commit_many(store, 1, 0);
	assert_in_range(log_rows(), 60000, 65536);
	/* but not for ever: then it is told to list again, and works on. */
	DONE(store_dispatch(store, &error));
	for (int i = 0; i < 30; i++)
		commit_many(store, 10000, i);
	assert_in_range(log_rows(), 60000, 262144);
	store_watch_rewind(watch, 3);
	DONE(store_dispatch(store, &error));
	assert_int_equal(news, -1);
	news = 0;
	commit_many(store, 5, 1);
	DONE(store_dispatch(store, &error));
	assert_int_equal(news, 5);
	store_close(store);
}

#define ON_DISK(test) cmocka_unit_test_setup(test, clean_disk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON_DISK(test_reopen),
		ON_DISK(test_killed_while_writing),
		ON_DISK(test_full_disk),
		ON_DISK(test_open_on_full_disk),
		ON_DISK(test_read_only_disk),
		ON_DISK(test_moved_away),
		ON_DISK(test_read_only_after_crash),
		ON_DISK(test_log_unreadable),
		ON_DISK(test_cannot_make),
		ON_DISK(test_damage),
		ON_DISK(test_newer_layout),
		ON_DISK(test_busy),
		ON_DISK(test_log),
		ON_DISK(test_full_disk_large_log),
	};

	return cmocka_run_group_tests_name("store_sqlite", tests, make_disk, NULL);
}
