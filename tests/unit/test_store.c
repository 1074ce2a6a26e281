/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The one suite of every store: it runs against store_memory, store_sqlite and store_etcd. What
 * only a file can suffer (crashes, full disks, damage) is in test_store_sqlite.c, what only a
 * cluster can (lost members, a lost quorum) in test_store_etcd.c.
 *
 * Revisions are counted from where the store began: etcd is one for all cases, each of which has a
 * prefix of its own. And etcd's events come when they come: where a local store tells everything
 * in one dispatch, in one call, these cases wait and put together what came in several.
 */
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "store/store_etcd.h"
#include "tests/unit/etcd_members.h"
#include "tests/unit/unit.h"

static char directory[] = "/tmp/weft-test-store-XXXXXX";
static struct store *store;
static struct clock now;
static struct error error;
static struct etcd_members cluster;
static bool is_remote;
static uint64_t base; /* the revision the store began with */

static int set_up(void **state)
{
	(void)state;
	return mkdtemp(directory) ? etcd_members_start(&cluster, 1, NULL) : -1;
}

static int remove_one(const char *path, const struct stat *status, int kind, struct FTW *walk)
{
	(void)status;
	(void)kind;
	(void)walk;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return etcd_members_stop(&cluster) + nftw(directory, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static int open_memory(void **state)
{
	(void)state;
	now = (struct clock){ .monotonic_ns = 1 };
	store = store_open_memory(&now);
	is_remote = false;
	base = 0;
	return 0;
}

static int open_sqlite(void **state)
{
	static int number;
	char path[128];

	(void)state;
	now = (struct clock){ .monotonic_ns = 1 };
	snprintf(path, sizeof(path), "%s/%d.db", directory, number++);
	is_remote = false;
	base = 0;
	return store_open_sqlite(path, &now, &store, &error);
}

static int open_etcd(void **state)
{
	static int number;
	const char *endpoints[] = { cluster.members[0].url };
	struct store_etcd_options options = {
		.endpoints = endpoints, .endpoint_count = 1, .deadline_ms = 20000, .clock = &now
	};
	char prefix[32];

	(void)state;
	now = (struct clock){ .monotonic_ns = 1 };
	snprintf(prefix, sizeof(prefix), "/case%d", number++);
	options.prefix = prefix;
	is_remote = true;
	if (store_open_etcd(&options, &store, &error))
		return -1;
	base = store_revision(store);
	return store_reachable(store, &error) ? 0 : -1;
}

static int close_store(void **state)
{
	(void)state;
	store_close(store);
	store_close(NULL);
	return 0;
}

#define DONE(call)                                                                                 \
	do {                                                                                       \
		if (call)                                                                          \
			fail_msg("%s", error.text);                                                \
	} while (0)

static uint64_t put(const char *key, const char *value)
{
	uint64_t revision = 0;

	DONE(store_put(store, key, value, &revision, &error));
	return revision - base;
}

static uint64_t revision_now(void)
{
	return store_revision(store) - base;
}

static void check_value(const char *key, const char *wanted)
{
	char *value = NULL;
	int result = store_get(store, key, &value, NULL, &error);

	if (!wanted) {
		assert_int_equal(result, -ENOENT);
		return;
	}
	DONE(result);
	assert_string_equal(value, wanted);
	free(value);
}

/* "key=value@revision " per item; NULL values as "-". */
static int write_item(void *context, const struct store_item *item)
{
	const char *value = item->value ? item->value : "-";

	buf_printf(context, "%s=%s@%d ", item->key, value, (int)(item->revision - base));
	assert_int_equal(item->value ? strlen(item->value) : 0, item->value_len);
	return 0;
}

static void expect_list(const char *prefix, const char *wanted)
{
	struct buf text = { 0 };
	uint64_t revision;

	DONE(store_list(store, prefix, write_item, &text, &revision, &error));
	assert_string_equal(buf_text(&text), wanted);
	assert_int_equal(revision, store_revision(store));
	buf_fini(&text);
}

/* Reading and writing ------------------------------------------------------------------------ */

static void test_get_put(void **state)
{
	uint64_t revision;
	char *value;

	(void)state;
	assert_int_equal(revision_now(), 0);
	check_value("/a", NULL);
	assert_string_equal(error.path, "/a");
	assert_int_equal(put("/a", "{\"x\":1}"), 1);
	assert_int_equal(put("/b", ""), 2);
	assert_int_equal(put("/a", "2"), 3);
	DONE(store_get(store, "/a", &value, &revision, &error));
	assert_string_equal(value, "2");
	assert_int_equal(revision - base, 3);
	free(value);
	check_value("/b", "");
	DONE(store_delete(store, "/a", &revision, &error));
	assert_int_equal(revision - base, 4);
	check_value("/a", NULL);
	/* Nothing to delete: nothing changes, and the revision stays; etcd's may move on. */
	DONE(store_delete(store, "/a", &revision, &error));
	assert_int_equal(revision - base, is_remote ? 5 : 4);
	assert_int_equal(revision, store_revision(store));
}

static int stop_at_second(void *context, const struct store_item *item)
{
	(void)item;
	return ++*(int *)context == 2 ? 77 : 0;
}

static void test_list(void **state)
{
	int count = 0;

	(void)state;
	expect_list("", "");
	put("/vpc/b/port/1", "1");
	put("/vpc/a", "2");
	put("/vpc/b", "3");
	put("/vpc/b/port/0", "4");
	put("/vpcs", "5");
	put("/vpc/~", "6");
	expect_list("/vpc/", "/vpc/a=2@2 /vpc/b=3@3 /vpc/b/port/0=4@4 /vpc/b/port/1=1@1 "
			     "/vpc/~=6@6 ");
	expect_list("/vpc/b/", "/vpc/b/port/0=4@4 /vpc/b/port/1=1@1 ");
	expect_list("/vpc/~", "/vpc/~=6@6 ");
	expect_list("/x", "");
	expect_list("", "/vpc/a=2@2 /vpc/b=3@3 /vpc/b/port/0=4@4 /vpc/b/port/1=1@1 /vpc/~=6@6 "
			"/vpcs=5@5 ");
	assert_int_equal(store_list(store, "", stop_at_second, &count, NULL, &error), 77);
	assert_int_equal(count, 2);
}

static int count_items(void *context, const struct store_item *item)
{
	(void)item;
	++*(int *)context;
	return 0;
}

static void test_bad_keys(void **state)
{
	static const char *const bad[] = { "", "a", "/a b", "/\xc3\xa4", "/a\n", "/\x7f" };
	struct buf long_key = { 0 };
	int count = 0;
	char *value;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(store_put(store, bad[i], "1", NULL, &error), -EINVAL);
		assert_int_equal(store_get(store, bad[i], &value, NULL, &error), -EINVAL);
	}
	buf_append_char(&long_key, '/');
	for (int i = 1; i < STORE_KEY_LENGTH_MAX; i++)
		buf_append_char(&long_key, 'k');
	put(buf_text(&long_key), "1");
	check_value(buf_text(&long_key), "1");
	DONE(store_list(store, buf_text(&long_key), count_items, &count, NULL, &error));
	assert_int_equal(count, 1);
	buf_append_char(&long_key, 'k');
	assert_int_equal(store_put(store, buf_text(&long_key), "1", NULL, &error), -EINVAL);
	assert_int_equal(store_list(store, buf_text(&long_key), write_item, NULL, NULL, &error),
			 -EINVAL);
	buf_fini(&long_key);
}

static void test_large_value(void **state)
{
	size_t size = STORE_VALUE_LENGTH_MAX + 1;
	char *value = malloc(size + 1);

	(void)state;
	memset(value, 'v', size);
	value[size] = '\0';
	assert_int_equal(store_put(store, "/a", value, NULL, &error), -EINVAL);
	value[size - 1] = '\0';
	put("/a", value);
	check_value("/a", value);
	free(value);
}

/* Transactions ------------------------------------------------------------------------------- */

static struct store_transaction *transaction;

static int commit(uint64_t *revision)
{
	int result = store_commit(store, transaction, revision, &error);

	store_transaction_free(transaction);
	transaction = store_transaction_new();
	return result;
}

static void test_transaction(void **state)
{
	uint64_t revision = 0;

	(void)state;
	store_transaction_free(NULL);
	transaction = store_transaction_new();
	store_transaction_require_revision(transaction, "/a", 0);
	store_transaction_put(transaction, "/a", "1", 0);
	store_transaction_put(transaction, "/b", "1", 0);
	store_transaction_put(transaction, "/b", "2", 0);
	store_transaction_delete(transaction, "/c");
	assert_int_equal(store_transaction_count(transaction), 4);
	DONE(commit(&revision));
	assert_int_equal(revision - base, 1);
	expect_list("", "/a=1@1 /b=2@1 ");

	/* All comparisons hold: the changes happen in order. */
	store_transaction_require_revision(transaction, "/a", base + 1);
	store_transaction_require_existing(transaction, "/b");
	store_transaction_delete(transaction, "/b");
	store_transaction_put(transaction, "/a", "3", 0);
	DONE(commit(&revision));
	expect_list("", "/a=3@2 ");

	/* Comparisons alone change nothing. */
	store_transaction_require_existing(transaction, "/a");
	DONE(commit(&revision));
	assert_int_equal(revision - base, 2);
	store_transaction_free(transaction);
}

static void expect_conflict(const char *key, const char *words)
{
	store_transaction_put(transaction, "/a", "changed", 0);
	store_transaction_put(transaction, "/new", "changed", 0);
	assert_int_equal(commit(NULL), -EAGAIN);
	assert_string_equal(error.path, key);
	if (!strstr(error.text, words))
		fail_msg("\"%s\" does not say \"%s\"", error.text, words);
	expect_list("", "/a=1@1 /b=2@2 ");
	assert_int_equal(revision_now(), 2);
}

static void test_conflicts(void **state)
{
	char words[128];

	(void)state;
	put("/a", "1");
	put("/b", "2");
	transaction = store_transaction_new();
	store_transaction_require_revision(transaction, "/a", 0);
	expect_conflict("/a", "exists already");
	store_transaction_require_revision(transaction, "/a", base + 1);
	store_transaction_require_revision(transaction, "/b", base + 1);
	snprintf(words, sizeof(words), "changed by somebody else: it is at revision %d, not %d",
		 (int)base + 2, (int)base + 1);
	expect_conflict("/b", words);
	store_transaction_require_revision(transaction, "/c", 7);
	expect_conflict("/c", "does not exist");
	store_transaction_require_existing(transaction, "/c");
	expect_conflict("/c", "does not exist");
	/* Under a prefix, too: what was written after a revision is somebody else's. */
	store_transaction_require_unchanged(transaction, "/", base + 1);
	store_transaction_put(transaction, "/a", "changed", 0);
	assert_int_equal(commit(NULL), -EAGAIN);
	store_transaction_require_unchanged(transaction, "/a", base + 1);
	store_transaction_require_unchanged(transaction, "/none/", 0);
	DONE(commit(NULL));
	store_transaction_put(transaction, "bad key", "1", 0);
	store_transaction_put(transaction, "/a", "1", 0);
	assert_int_equal(commit(NULL), -EINVAL);
	expect_list("", "/a=1@1 /b=2@2 ");
	store_transaction_free(transaction);
}

static void test_many(void **state)
{
	uint64_t start = clock_monotonic_ms(NULL);
	char key[64];
	int count = 0;

	(void)state;
	transaction = store_transaction_new();
	for (int i = 0; i < 20000; i++) {
		snprintf(key, sizeof(key), "/weft/1/vpc/1/port/%05d", i);
		store_transaction_require_revision(transaction, key, 0);
		store_transaction_put(transaction, key, "{\"name\":\"p\",\"subnet\":7}", 0);
	}
	DONE(commit(NULL));
	print_message("# 20000 puts in one commit: %d ms\n",
		      (int)(clock_monotonic_ms(NULL) - start));
	DONE(store_list(store, "/weft/1/vpc/1/port/", count_items, &count, NULL, &error));
	assert_int_equal(count, 20000);
	assert_int_equal(revision_now(), 1);
	store_transaction_free(transaction);
}

/* Watching ----------------------------------------------------------------------------------- */

static struct buf seen;

static void see(void *context, const struct store_item *items, size_t count, uint64_t revision)
{
	(void)context;
	if (!items) {
		buf_printf(&seen, "lost@%d ", (int)(revision - base));
		return;
	}
	for (size_t i = 0; i < count; i++)
		write_item(&seen, &items[i]);
	buf_printf(&seen, "(%d) ", (int)(revision - base));
}

static int compare_words(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* What calls that came in any number of parts tell: of each key the last, in order of keys. */
static void put_together(const char *text, struct buf *whole)
{
	char *copy = strdup(text);
	char *words[32];
	size_t count = 0;

	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " ")) {
		size_t key_len = strcspn(word, "=");
		size_t i = 0;

		if (word[0] == '(')
			continue;
		while (i < count &&
		       (strcspn(words[i], "=") != key_len || strncmp(words[i], word, key_len) != 0))
			i++;
		assert_in_range(i, 0, 31);
		words[i] = word;
		if (i == count)
			count++;
	}
	qsort(words, count, sizeof(words[0]), compare_words);
	for (size_t i = 0; i < count; i++)
		buf_printf(whole, "%s ", words[i]);
	free(copy);
}

/* Turn the loop until what was seen is, put together, @wanted; nothing wanted is not waited for. */
static void wait_seen(struct loop *loop, const char *wanted)
{
	uint64_t deadline = clock_monotonic_ms(NULL) + 20000;
	struct buf expected = { 0 };
	struct buf found = { 0 };

	put_together(wanted, &expected);
	do {
		assert_int_equal(loop_run_once(loop, wanted[0] ? 10 : 0), 0);
		buf_reset(&found);
		put_together(buf_text(&seen), &found);
	} while (strcmp(buf_text(&found), buf_text(&expected)) != 0 &&
		 clock_monotonic_ms(NULL) < deadline);
	assert_string_equal(buf_text(&found), buf_text(&expected));
	buf_fini(&expected);
	buf_fini(&found);
	buf_fini(&seen);
}

static void expect_seen(const char *wanted)
{
	struct loop *loop;

	if (!is_remote) {
		DONE(store_dispatch(store, &error));
		assert_string_equal(buf_text(&seen), wanted);
		buf_fini(&seen);
		return;
	}
	DONE(store_dispatch(store, &error));
	DONE(loop_new(&loop, NULL, &error));
	DONE(store_attach(store, loop, &error));
	wait_seen(loop, wanted);
	store_detach(store);
	loop_free(loop);
}

static void test_watch(void **state)
{
	struct store_watch *watch;

	(void)state;
	put("/a/1", "x");
	put("/a/2", "y");
	put("/b", "z");
	DONE(store_watch(store, "/a/", base + 1, see, NULL, &watch, &error));
	/* What happened between the list and the watch is told; nothing without dispatch. */
	assert_string_equal(buf_text(&seen), "");
	expect_seen("/a/2=y@2 (3) ");
	expect_seen("");
	put("/b", "outside");
	expect_seen("");
	put("/a/1", "q");
	put("/a/1", "r");
	put("/a/3", "s");
	DONE(store_delete(store, "/a/2", NULL, &error));
	/* A key changed twice comes once, in order of keys, as it is now. */
	expect_seen("/a/1=r@6 /a/2=-@8 /a/3=s@7 (8) ");
	DONE(store_delete(store, "/a/3", NULL, &error));
	put("/a/3", "again");
	expect_seen("/a/3=again@10 (10) ");
	store_watch_rewind(watch, base + 7);
	expect_seen("/a/2=-@8 /a/3=again@10 (10) ");
	store_watch_cancel(watch);
	store_watch_cancel(NULL);
	put("/a/1", "unheard");
	expect_seen("");
}

/* A transaction is told as one, never in parts. */
static void test_watch_transaction(void **state)
{
	struct store_watch *watch;

	(void)state;
	DONE(store_watch(store, "/", base, see, NULL, &watch, &error));
	transaction = store_transaction_new();
	store_transaction_put(transaction, "/a", "1", 0);
	store_transaction_put(transaction, "/b", "1", 0);
	DONE(commit(NULL));
	store_transaction_require_revision(transaction, "/a", 0);
	store_transaction_put(transaction, "/c", "1", 0);
	assert_int_equal(commit(NULL), -EAGAIN);
	expect_seen("/a=1@1 /b=1@1 (1) ");
	store_transaction_free(transaction);
	store_watch_cancel(watch);
}

static struct store_watch *both[2];

/* Ends both watches, its own included, and writes. */
static void cancel_and_write(void *context, const struct store_item *items, size_t count,
			     uint64_t revision)
{
	(void)context;
	(void)items;
	(void)count;
	buf_printf(&seen, "called@%d ", (int)(revision - base));
	store_watch_cancel(both[0]);
	store_watch_cancel(both[1]);
	put("/a", "from the callback");
}

static void test_watch_callback(void **state)
{
	(void)state;
	DONE(store_watch(store, "/", base, cancel_and_write, NULL, &both[0], &error));
	DONE(store_watch(store, "/", base, cancel_and_write, NULL, &both[1], &error));
	put("/a", "1");
	expect_seen("called@1 ");
	expect_seen("");
	check_value("/a", "from the callback");
}

/* A local store needs no more than one round; what is not needed is not waited for. */
static void turn(struct loop *loop, const char *wanted)
{
	if (is_remote) {
		wait_seen(loop, wanted);
		return;
	}
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_string_equal(buf_text(&seen), wanted);
	buf_fini(&seen);
}

static void test_watch_loop(void **state)
{
	struct store_watch *watch;
	struct loop *loop;

	(void)state;
	DONE(loop_new(&loop, is_remote ? NULL : &now, &error));
	DONE(store_attach(store, loop, &error));
	assert_int_equal(store_attach(store, loop, &error), -EEXIST);
	put("/a", "1");
	/* A watch that is behind is told without another change. */
	DONE(store_watch(store, "/", base, see, NULL, &watch, &error));
	turn(loop, "/a=1@1 (1) ");
	put("/b", "2");
	put("/c", "3");
	turn(loop, "/b=2@2 /c=3@3 (3) ");
	put("/d", "4");
	store_detach(store);
	assert_int_equal(loop_run_once(loop, 0), 0);
	assert_string_equal(buf_text(&seen), "");
	expect_seen("/d=4@4 (4) ");
	loop_free(loop);
	/* Left for store_close() to cancel. */
}

/* Leases ------------------------------------------------------------------------------------- */

static void put_leased(const char *key, uint64_t lease)
{
	transaction = store_transaction_new();
	store_transaction_put(transaction, key, "1", lease);
	DONE(commit(NULL));
	store_transaction_free(transaction);
}

static void test_lease(void **state)
{
	struct store_watch *watch;
	uint64_t lease;
	uint64_t other;

	(void)state;
	DONE(store_lease_grant(store, 60000, &lease, &error));
	DONE(store_lease_grant(store, 300000, &other, &error));
	assert_int_not_equal(lease, other);
	assert_int_not_equal(lease, 0);
	assert_int_equal(store_lease_grant(store, 0, &lease, &error), -EINVAL);
	put_leased("/alive/1", lease);
	put_leased("/alive/2", lease);
	put_leased("/alive/3", other);
	put_leased("/alive/2", 0);
	DONE(store_watch(store, "/", store_revision(store), see, NULL, &watch, &error));
	clock_advance(&now, 59999 * CLOCK_NS_PER_MS);
	expect_seen("");
	DONE(store_lease_keepalive(store, lease, &error));
	clock_advance(&now, 59999 * CLOCK_NS_PER_MS);
	expect_seen("");
	clock_advance(&now, 1 * CLOCK_NS_PER_MS);
	/* Its time is over, also if nothing was deleted yet. */
	assert_int_equal(store_lease_keepalive(store, lease, &error), -ENOENT);
	expect_seen("/alive/1=-@5 (5) ");
	expect_list("", "/alive/2=1@4 /alive/3=1@3 ");
	assert_int_equal(store_lease_revoke(store, lease, &error), -ENOENT);
	DONE(store_lease_revoke(store, other, &error));
	expect_list("", "/alive/2=1@4 ");
	store_watch_cancel(watch);
	buf_fini(&seen);
}

static void test_lease_expired_put(void **state)
{
	uint64_t lease;
	uint64_t next;

	(void)state;
	DONE(store_lease_grant(store, 10, &lease, &error));
	put_leased("/alive/1", lease);
	clock_advance(&now, 10 * CLOCK_NS_PER_MS);
	transaction = store_transaction_new();
	store_transaction_put(transaction, "/alive/1", "late", lease);
	assert_int_equal(commit(NULL), -ENOENT);
	store_transaction_free(transaction);
	check_value("/alive/1", NULL);
	/* Numbers are not used twice. */
	DONE(store_lease_grant(store, 10, &next, &error));
	assert_true(next > lease);
}

static void test_lease_loop(void **state)
{
	struct loop *loop;
	uint64_t lease;

	(void)state;
	DONE(loop_new(&loop, &now, &error));
	DONE(store_attach(store, loop, &error));
	DONE(store_lease_grant(store, 60000, &lease, &error));
	put_leased("/alive", lease);
	clock_advance(&now, 54000 * CLOCK_NS_PER_MS);
	assert_int_equal(loop_run_once(loop, 0), 0);
	DONE(store_lease_keepalive(store, lease, &error));
	clock_advance(&now, 54000 * CLOCK_NS_PER_MS);
	assert_int_equal(loop_run_once(loop, 0), 0);
	check_value("/alive", "1");
	clock_advance(&now, 6000 * CLOCK_NS_PER_MS);
	assert_int_equal(loop_run_once(loop, 0), 0);
	check_value("/alive", NULL);
	store_detach(store);
	loop_free(loop);
}

/* Each case once per store. */
#define ON(which, test)                                                                            \
	{                                                                                          \
#test " (" #which ")", test, open_##which, close_store, NULL                       \
	}
#define EACH(test) ON(memory, test), ON(sqlite, test), ON(etcd, test)

int main(void)
{
	const struct CMUnitTest tests[] = {
		EACH(test_get_put),
		EACH(test_list),
		EACH(test_bad_keys),
		EACH(test_large_value),
		EACH(test_transaction),
		EACH(test_conflicts),
		EACH(test_many),
		EACH(test_watch),
		EACH(test_watch_transaction),
		EACH(test_watch_callback),
		EACH(test_watch_loop),
		EACH(test_lease),
		EACH(test_lease_expired_put),
		EACH(test_lease_loop),
	};

	return cmocka_run_group_tests_name("store", tests, set_up, tear_down);
}
