/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What only a cluster can suffer: members that are killed or freeze, a quorum that is lost,
 * forgotten revisions, answers that get lost, leases that end. Quotas, users and certificates are
 * in test_store_etcd_access.c.
 *
 * Members are real ones on 127.0.0.1. Every wait ends with a condition, or fails at a deadline.
 */
#include "tests/unit/etcd_proxy.h"
#include "tests/unit/etcd_world.h"

/* Members that die --------------------------------------------------------------------------- */

/* struct writing - shared with a process that writes /k/0, /k/1 and so on, each if it is not there */
struct writing {
	int count;
	int unknown;
	int refused; /* although this writer was told that it had not been done: done twice */
	bool stop;
};

static void write_numbers(struct writing *writing)
{
	struct store *store = open_store((struct store_etcd_options){ .name = "writer" });
	bool may_be_done = false;

	while (!writing->stop) {
		struct store_transaction *transaction = store_transaction_new();
		char key[32];
		int result;

		snprintf(key, sizeof(key), "/k/%d", writing->count);
		store_transaction_require_revision(transaction, key, 0);
		store_transaction_put(transaction, key, "1", 0);
		result = store_commit(store, transaction, NULL, &error);
		store_transaction_free(transaction);
		if (result == -EAGAIN && !may_be_done)
			writing->refused++;
		if (!result || result == -EAGAIN) {
			may_be_done = false;
			writing->count++;
			poll(NULL, 0, 1); /* so that the numbers do not run out */
			continue;
		}
		if (result == -ETIMEDOUT) {
			may_be_done = true;
			writing->unknown++;
		}
		poll(NULL, 0, 5); /* calls fail at once now */
	}
	store_close(store);
}

/*
 * A process writes, this one watches, and the leader is killed twice, each time to be started
 * again: no number is missing, none is done twice, none comes twice or behind a later one.
 */
static void test_leader_killed(void **state)
{
	struct writing *writing = mmap(NULL, sizeof(*writing), PROT_READ | PROT_WRITE,
				       MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct store *store = open_ready((struct store_etcd_options){ 0 });
	struct store_watch *watch;
	struct hearing *hearing = start_hearing(store, &watch);
	pid_t pid;

	(void)state;
	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		write_numbers(writing);
		_exit(0);
	}
	TURN_UNTIL(hearing->count > 50);
	for (int i = 0; i < 2; i++) {
		int leader = await_leader();
		int count = hearing->count;

		etcd_member_end(&cluster, leader, SIGKILL);
		TURN_UNTIL(hearing->count > count + 100);
		etcd_member_start(&cluster, leader);
		assert_true(etcd_member_listens(&cluster, leader));
		count = hearing->count;
		TURN_UNTIL(hearing->count > count + 50);
	}
	writing->stop = true;
	waitpid(pid, NULL, 0);
	TURN_UNTIL(hearing->count >= writing->count);
	print_message("# %d writes, %d of which it was not known whether they were done\n",
		      writing->count, writing->unknown);
	check_hearing(hearing, writing->count);
	assert_int_equal(writing->refused, 0);
	store_close(store);
	free(hearing);
	munmap(writing, sizeof(*writing));
}

/* Return: whether @number is there; asked again, it is not written again. */
static bool put_number_once(struct store *store, int number)
{
	struct store_transaction *transaction = store_transaction_new();
	char key[32];
	int result;

	snprintf(key, sizeof(key), "/k/%d", number);
	store_transaction_require_revision(transaction, key, 0);
	store_transaction_put(transaction, key, "1", 0);
	result = store_commit(store, transaction, NULL, &error);
	store_transaction_free(transaction);
	return !result || result == -EAGAIN;
}

/* Perhaps it was the leader that has gone, or a machine in use takes its time to choose another. */
static void put_number_at_last(struct store *store, int number)
{
	uint64_t patience = clock_monotonic_ms(NULL) + ETCD_PATIENCE_MS;

	while (!put_number_once(store, number)) {
		if (clock_monotonic_ms(NULL) > patience)
			fail_msg("%s", error.text);
		assert_int_equal(loop_run_once(loop, 50), 0);
	}
}

/* A member that neither answers nor dies: the stream on it is found to be dead. */
static void test_member_frozen(void **state)
{
	struct store *writer = open_ready((struct store_etcd_options){ .deadline_ms = 2000 });
	struct store *store = open_store((struct store_etcd_options){ .quiet_ms = 300 });
	struct store_watch *watch;
	struct hearing *hearing = start_hearing(store, &watch);
	int count = 0;

	(void)state;
	DONE(put_number(writer, count++));
	TURN_UNTIL(hearing->count == count);
	for (int i = 0; i < cluster.count; i++) {
		kill(cluster.members[i].pid, SIGSTOP);
		put_number_at_last(writer, count);
		count++;
		TURN_UNTIL(hearing->count == count);
		kill(cluster.members[i].pid, SIGCONT);
	}
	check_hearing(hearing, count);
	store_close(writer);
	store_close(store);
	free(hearing);
}

/* Of one member alone, which has taken a write. */
static struct store *open_at(const char *url, uint64_t deadline_ms)
{
	const char *endpoints[] = { url };

	return open_ready((struct store_etcd_options){
		.endpoints = endpoints, .endpoint_count = 1, .deadline_ms = deadline_ms });
}

static uint64_t took_ms(uint64_t start)
{
	return clock_monotonic_ms(NULL) - start;
}

static void test_quorum_lost(void **state)
{
	struct store_etcd_options options = { .deadline_ms = 1500 };
	struct store *store = open_ready(options);
	struct store_watch *watch;
	struct hearing *hearing = start_hearing(store, &watch);
	struct store *late;
	uint64_t start;
	int count = 0;
	int result;

	(void)state;
	DONE(put_number(store, 0));
	TURN_UNTIL(hearing->count == 1);
	assert_true(store_reachable(store, &error));
	/* The last member has it as well: who is asked for the newest waits until it has. */
	late = open_at(cluster.members[2].url, 0);
	store_close(late);
	etcd_member_end(&cluster, 0, SIGKILL);
	etcd_member_end(&cluster, 1, SIGKILL);

	/* Refused within the deadline, then at once, and the reason can be asked for. */
	start = clock_monotonic_ms(NULL);
	result = put_number(store, 1);
	assert_true(result == -ETIMEDOUT || result == -EHOSTUNREACH);
	assert_in_range(took_ms(start), 0, 1500 + 10000); /* a machine in use */
	assert_false(store_reachable(store, &error));
	assert_string_not_equal(error.text, "");
	start = clock_monotonic_ms(NULL);
	for (int i = 0; i < 10; i++)
		assert_int_equal(put_number(store, 1), -EHOSTUNREACH);
	assert_in_range(took_ms(start), 0, 5000); /* not ten times the deadline */
	if (!strstr(error.text, "etcd cannot be reached: "))
		fail_msg("%s", error.text);

	/* A daemon that starts now gets a store, and reads what the last member has. */
	options.stale_reads = true;
	late = open_store(options);
	DONE(store_list(late, "/k/", count_items, &count, NULL, &error));
	assert_in_range(count, 1, 1);
	store_close(late);

	etcd_member_start(&cluster, 0);
	etcd_member_start(&cluster, 1);
	TURN_UNTIL(store_reachable(store, &error));
	put_number_at_last(store, 2);
	TURN_UNTIL(hearing->revisions[2]);
	assert_int_equal(hearing->twice + hearing->disordered + hearing->lost, 0);
	/* If the first one was done in the end, then before the next. */
	if (hearing->revisions[1])
		assert_true(hearing->revisions[1] < hearing->revisions[2]);
	store_close(store);
	free(hearing);
}

/* The choice of a new leader is waited for: nobody is told that nothing can be changed. */
static void test_leader_replaced(void **state)
{
	struct store *store =
		open_ready((struct store_etcd_options){ .deadline_ms = ETCD_PATIENCE_MS });
	int leader = await_leader();

	(void)state;
	etcd_member_end(&cluster, leader, SIGKILL);
	DONE(put_number(store, 0));
	etcd_member_start(&cluster, leader);
	store_close(store);
}

/* Return: whether a change was done that began when the outage was noticed, and was over. */
static bool outlasts_outage(struct store *store, int number)
{
	bool done;

	kill(cluster.members[0].pid, SIGSTOP);
	kill(cluster.members[1].pid, SIGSTOP);
	TURN_UNTIL(!store_reachable(store, NULL));
	kill(cluster.members[0].pid, SIGCONT);
	kill(cluster.members[1].pid, SIGCONT);
	done = !put_number(store, number);
	TURN_UNTIL(store_reachable(store, NULL));
	return done;
}

/*
 * The first change of an outage that has just begun waits, although others have noticed it. It does so
 * for three seconds, which a machine in use may take to find a leader: once in ten times is enough.
 */
static void test_outage_begins(void **state)
{
	struct store *store =
		open_ready((struct store_etcd_options){ .deadline_ms = 2000, .quiet_ms = 300 });
	struct store_watch *watch;
	struct hearing *hearing = start_hearing(store, &watch);
	bool done = false;

	(void)state;
	for (int i = 0; i < 10 && !done; i++)
		done = outlasts_outage(store, i);
	assert_true(done);
	store_close(store);
	free(hearing);
}

/* A store is there before its cluster is. */
static void test_unreachable_at_start(void **state)
{
	struct store_watch *watch;
	struct hearing *hearing;
	struct store *store;

	(void)state;
	/* One that ends before it has ever answered may never find its way back into its cluster of one. */
	store_close(open_ready((struct store_etcd_options){ .deadline_ms = 1000 }));
	etcd_member_end(&cluster, 0, SIGTERM);
	store = open_store((struct store_etcd_options){ .deadline_ms = 1000 });
	assert_false(store_reachable(store, &error));
	assert_int_equal(put_number(store, 0), -EHOSTUNREACH);
	hearing = start_hearing(store, &watch);
	assert_int_equal(loop_run_once(loop, 0), 0);
	etcd_member_start(&cluster, 0);
	TURN_UNTIL(store_reachable(store, &error));
	put_number_at_last(store, 0);
	TURN_UNTIL(hearing->count == 1);
	store_close(store);
	free(hearing);
}

/* Answers that get lost ------------------------------------------------------------------------ */

/*
 * Between the store and etcd stands a proxy that cuts the connection: before etcd gets the
 * request, or when it has answered. In both cases the commit is done, and once.
 */
static bool commits_with_fault(struct store *store, struct etcd_proxy *proxy,
			       enum etcd_proxy_fault fault, int number)
{
	struct store_transaction *transaction = store_transaction_new();
	uint64_t revision = 0;
	uint64_t found = 1;
	char key[32];
	char *value;
	int result;

	snprintf(key, sizeof(key), "/k/%d", number);
	store_transaction_require_revision(transaction, key, 0);
	store_transaction_put(transaction, key, "1", 0);
	proxy->faults = 1;
	proxy->fault = fault;
	result = store_commit(store, transaction, &revision, &error);
	store_transaction_free(transaction);
	if (result == -ETIMEDOUT)
		return false;
	DONE(result);
	assert_int_equal(proxy->faults, 0);
	DONE(store_get(store, key, &value, &found, &error));
	assert_int_equal(revision, found);
	free(value);
	return true;
}

static void test_answer_lost(void **state)
{
	static const enum etcd_proxy_fault faults[] = { PROXY_CUT_REQUEST, PROXY_CUT_ANSWER,
							PROXY_SWALLOW_ANSWER };
	struct etcd_proxy *proxy = etcd_proxy_start(cluster.members[0].client_port);
	uint64_t deadline_ms = 1000;
	struct store *store = open_at(proxy->url, deadline_ms);
	int number = 0;

	(void)state;
	for (int i = 0; i < (int)ARRAY_SIZE(faults) * 3; i++) {
		/* Who may take longer can ask once more on a machine in use, too. */
		while (!commits_with_fault(store, proxy, faults[i / 3], number++)) {
			proxy->faults = 0;
			store_close(store);
			deadline_ms *= 4;
			assert_in_range(deadline_ms, 0, 4 * 4 * 4 * 1000);
			store = open_at(proxy->url, deadline_ms);
		}
	}
	/* Whether it is done cannot be learnt in time; the next commit settles it. */
	proxy->fault = PROXY_SWALLOW_ANSWER;
	proxy->faults = 1000;
	assert_int_equal(put_number(store, number), -ETIMEDOUT);
	if (!strstr(error.text, "whether it was done is not known"))
		fail_msg("%s", error.text);
	proxy->faults = 0;
	DONE(store_attach(store, loop, &error));
	TURN_UNTIL(store_reachable(store, &error));
	put_number_at_last(store, number + 1);
	store_close(store);
	etcd_proxy_stop(proxy);
}

/* Forgotten revisions -------------------------------------------------------------------------- */

static void test_compaction(void **state)
{
	struct store *writer = open_ready((struct store_etcd_options){ 0 });
	struct store *store = open_store((struct store_etcd_options){ 0 });
	struct store_watch *watch;
	struct hearing *hearing = start_hearing(store, &watch);
	uint64_t revision;
	char body[64];

	(void)state;
	DONE(put_number(writer, 0));
	TURN_UNTIL(hearing->count == 1);
	/* The stream ends with the member; what happens before it is there again is forgotten. */
	etcd_member_end(&cluster, 0, SIGKILL);
	etcd_member_start(&cluster, 0);
	assert_true(etcd_member_listens(&cluster, 0));
	store_close(writer);
	writer = open_ready((struct store_etcd_options){ 0 });
	DONE(put_number(writer, 1));
	DONE(put_number(writer, 2));
	snprintf(body, sizeof(body), "{\"revision\":\"%llu\"}",
		 (unsigned long long)store_revision(writer));
	post_ok(cluster.members[0].url, "/v3/kv/compaction", body, NULL);
	TURN_UNTIL(hearing->lost == 1);
	/* As the contract says: list, and go on from there. */
	TURN_UNTIL(store_reachable(store, &error));
	DONE(store_list(store, "/k/", count_items, &(int){ 0 }, &revision, &error));
	store_watch_rewind(watch, revision);
	DONE(put_number(writer, 3));
	TURN_UNTIL(hearing->revisions[3]);
	assert_int_equal(hearing->revisions[1] + hearing->revisions[2], 0);
	assert_int_equal(hearing->twice + hearing->disordered, 0);
	assert_int_equal(hearing->lost, 1);
	/* And back again, to a revision that is forgotten. */
	store_watch_rewind(watch, 1);
	TURN_UNTIL(hearing->lost == 2);
	store_close(writer);
	store_close(store);
	free(hearing);
}

/* A list of several pages is a snapshot; its markers are not part of it. */
struct listing {
	struct store *writer;
	int count;
	char last[64];
};

static int write_while_listing(void *context, const struct store_item *item)
{
	struct listing *listing = context;

	assert_true(strcmp(listing->last, item->key) < 0);
	snprintf(listing->last, sizeof(listing->last), "%s", item->key);
	if (!listing->count++)
		DONE(store_delete(listing->writer, "/k/2499", NULL, &error));
	return 0;
}

static void test_pages(void **state)
{
	struct store *store = open_ready((struct store_etcd_options){ .name = "reader" });
	struct listing listing = { .writer = open_store((struct store_etcd_options){ 0 }) };
	struct store_transaction *transaction = store_transaction_new();
	uint64_t revision;
	char key[32];
	int count = 0;

	(void)state;
	for (int i = 0; i < 2500; i++) {
		snprintf(key, sizeof(key), "/k/%04d", i);
		store_transaction_put(transaction, key, "1", 0);
	}
	DONE(store_commit(store, transaction, &revision, &error));
	store_transaction_free(transaction);
	DONE(store_list(store, "/k/", write_while_listing, &listing, &revision, &error));
	assert_int_equal(listing.count, 2500);
	assert_true(revision < store_revision(listing.writer));
	/* "/ready" and 2499 numbers, but not the two markers. */
	DONE(store_list(store, "", count_items, &count, NULL, &error));
	assert_int_equal(count, 2500);
	store_close(listing.writer);
	store_close(store);
}

/* Watches -------------------------------------------------------------------------------------- */

#define WATCHES 150

static void count_call(void *context, const struct store_item *items, size_t count,
		       uint64_t revision)
{
	(void)items;
	(void)revision;
	*(size_t *)context += count;
}

/* More in one commit than a stream gives in one piece, with everything that JSON has brackets for. */
#define LARGE 3000
#define LARGE_VALUE "{\"a\":[\"]}\\\\\\\"\",{\"events\":[%d]}],\"filling\":\"%0300d\"}"

struct large {
	size_t count;
	bool wrong;
};

static void take_large(void *context, const struct store_item *items, size_t count,
		       uint64_t revision)
{
	struct large *large = context;
	char value[512];

	(void)revision;
	for (size_t i = 0; i < count; i++) {
		int number = atoi(items[i].key + strlen("/large/"));

		snprintf(value, sizeof(value), LARGE_VALUE, number, number);
		large->wrong |= strcmp(items[i].value, value) != 0;
	}
	large->count += count;
}

static void test_large_news(void **state)
{
	struct store *store = open_ready((struct store_etcd_options){ 0 });
	struct store_transaction *transaction = store_transaction_new();
	struct large large = { 0 };
	struct store_watch *watch;
	char key[32], value[512];

	(void)state;
	DONE(store_attach(store, loop, &error));
	DONE(store_watch(store, "/large/", store_revision(store), take_large, &large, &watch,
			 &error));
	for (int i = 0; i < LARGE; i++) {
		snprintf(key, sizeof(key), "/large/%d", i);
		snprintf(value, sizeof(value), LARGE_VALUE, i, i);
		store_transaction_put(transaction, key, value, 0);
	}
	/* Twice: what the first left over must not be taken for a part of the second. */
	for (size_t i = 1; i <= 2; i++) {
		DONE(store_commit(store, transaction, NULL, &error));
		TURN_UNTIL(large.count >= i * LARGE);
	}
	assert_int_equal(large.count, 2 * LARGE);
	assert_false(large.wrong);
	store_transaction_free(transaction);
	store_close(store);
}

static size_t sum(const size_t *heard)
{
	size_t all = 0;

	for (int i = 0; i < WATCHES; i++)
		all += heard[i];
	return all;
}

/* Connections to the member as the kernel counts them. */
static int count_connections(void)
{
	FILE *file = fopen("/proc/self/net/tcp", "re");
	char line[256];
	int count = 0;

	assert_non_null(file);
	while (fgets(line, sizeof(line), file)) {
		unsigned int port;
		unsigned int connection;

		/* local address, remote address, state 1: established */
		if (sscanf(line, " %*d: %*x:%*x %*x:%x %x", &port, &connection) == 2 &&
		    (int)port == cluster.members[0].client_port && connection == 1)
			count++;
	}
	fclose(file);
	return count;
}

static void watch_many(struct store_etcd_options options, int connections_max)
{
	struct store *store = open_ready(options);
	struct store_transaction *transaction = store_transaction_new();
	struct store_watch *watches[WATCHES];
	size_t heard[WATCHES] = { 0 };
	int before = count_connections();
	char prefix[32];
	char key[40];

	DONE(store_attach(store, loop, &error));
	for (int i = 0; i < WATCHES; i++) {
		snprintf(prefix, sizeof(prefix), "/vpc/%d/", i);
		snprintf(key, sizeof(key), "%sport", prefix);
		store_transaction_put(transaction, key, "1", 0);
		DONE(store_watch(store, prefix, store_revision(store), count_call, &heard[i],
				 &watches[i], &error));
		/* Some are asked for one by one, and some are ended before they are there. */
		if (i % 10 == 0)
			assert_int_equal(loop_run_once(loop, 1), 0);
		if (i % 15 == 14) {
			store_watch_cancel(watches[i]);
			watches[i] = NULL;
		}
	}
	DONE(store_commit(store, transaction, NULL, &error));
	TURN_UNTIL(sum(heard) == WATCHES - WATCHES / 15);
	assert_in_range(count_connections() - before, 1, connections_max);
	for (int i = 0; i < WATCHES; i += 2)
		store_watch_cancel(watches[i]);
	DONE(store_commit(store, transaction, NULL, &error));
	TURN_UNTIL(sum(heard) == WATCHES - WATCHES / 15 + WATCHES / 2 - WATCHES / 30);
	store_transaction_free(transaction);
	store_close(store);
}

static void test_many_watches(void **state)
{
	(void)state;
	watch_many((struct store_etcd_options){ 0 }, 1);
}

static void test_one_watch_per_stream(void **state)
{
	(void)state;
	watch_many((struct store_etcd_options){ .one_watch_per_stream = true }, WATCHES);
}

/* A proxy that wants the whole request first: it is noticed, and done without. */
static void test_proxy_that_waits(void **state)
{
	struct etcd_proxy *proxy = etcd_proxy_start(cluster.members[0].client_port);
	const char *endpoints[] = { proxy->url };
	struct store *store = open_ready((struct store_etcd_options){
		.endpoints = endpoints, .endpoint_count = 1, .quiet_ms = 1000 });
	struct store_watch *watch;
	struct hearing *hearing;

	(void)state;
	proxy->wants_whole_request = true;
	hearing = start_hearing(store, &watch);
	DONE(put_number(store, 0));
	TURN_UNTIL(hearing->count == 1);
	store_close(store);
	free(hearing);
	etcd_proxy_stop(proxy);
}

/* Leases --------------------------------------------------------------------------------------- */

static void count_lost(void *context, uint64_t lease)
{
	(void)lease;
	++*(int *)context;
}

static uint64_t put_leased(struct store *store, uint64_t ttl_ms, const char *key)
{
	struct store_transaction *transaction = store_transaction_new();
	uint64_t lease;

	DONE(store_lease_grant(store, ttl_ms, &lease, &error));
	store_transaction_put(transaction, key, "1", lease);
	DONE(store_commit(store, transaction, NULL, &error));
	store_transaction_free(transaction);
	return lease;
}

/*
 * A lease that is kept for more than twice its time; or, where a machine in use has stood still for
 * longer, one with more time, up to sixteen seconds.
 */
static uint64_t kept_lease(struct store *store, struct store *other, int *lost)
{
	for (uint64_t ttl_ms = 1000; ttl_ms <= 16000; ttl_ms *= 4) {
		uint64_t lease = put_leased(store, ttl_ms, "/alive");
		uint64_t start = clock_monotonic_ms(NULL);

		*lost = 0;
		DONE(store_lease_keep(store, lease, count_lost, lost, &error));
		while (!*lost && took_ms(start) <= ttl_ms * 5 / 2)
			assert_int_equal(loop_run_once(loop, 10), 0);
		if (!*lost && exists(other, "/alive") && store_lease_left_ms(store, lease))
			return lease;
		TURN_UNTIL(*lost);
	}
	fail_msg("no lease is kept");
	return 0;
}

/* It is kept; then its owner stands still, and it ends. */
static void test_lease_kept(void **state)
{
	struct store *other = open_ready((struct store_etcd_options){ 0 });
	struct store *store = open_store((struct store_etcd_options){ 0 });
	uint64_t patience;
	uint64_t lease;
	int lost = 0;

	(void)state;
	DONE(store_attach(store, loop, &error));
	lease = kept_lease(store, other, &lost);
	/* The loop stands still from here. */
	patience = clock_monotonic_ms(NULL) + ETCD_PATIENCE_MS;
	while (exists(other, "/alive") && clock_monotonic_ms(NULL) < patience)
		poll(NULL, 0, 20);
	assert_false(exists(other, "/alive"));
	assert_int_equal(store_lease_left_ms(store, lease), 0);
	TURN_UNTIL(lost == 1);
	assert_int_equal(store_lease_keepalive(store, lease, &error), -ENOENT);
	/* A lease that somebody else ended is found to be gone by whoever uses it. */
	lease = put_leased(store, 60000, "/alive");
	DONE(store_lease_keep(store, lease, count_lost, &lost, &error));
	{
		char body[64];

		snprintf(body, sizeof(body), "{\"ID\":\"%llu\"}", (unsigned long long)lease);
		post_ok(cluster.members[0].url, "/v3/lease/revoke", body, NULL);
	}
	assert_int_equal(store_lease_keepalive(store, lease, &error), -ENOENT);
	TURN_UNTIL(lost == 2);
	store_close(store);
	store_close(other);
}

/* A lease outlives the member that its owner talks to. */
static bool outlives_leader(struct store *store, uint64_t ttl_ms)
{
	uint64_t lease = put_leased(store, ttl_ms, "/alive");
	int leader = await_leader();
	static int lost;
	uint64_t start;
	bool outlived;
	int result;

	lost = 0;
	DONE(store_lease_keep(store, lease, count_lost, &lost, &error));
	etcd_member_end(&cluster, leader, SIGKILL);
	start = clock_monotonic_ms(NULL);
	TURN_UNTIL(took_ms(start) > ttl_ms + 1000 && store_reachable(store, &error));
	outlived = exists(store, "/alive") && !lost;
	result = store_lease_revoke(store, lease, &error);
	assert_true(!result || result == -ENOENT);
	etcd_member_start(&cluster, leader);
	return outlived;
}

/* With more time for it where a machine in use takes long to choose a leader. */
static void test_lease_leader_killed(void **state)
{
	struct store *store = open_ready((struct store_etcd_options){ 0 });

	(void)state;
	DONE(store_attach(store, loop, &error));
	assert_true(outlives_leader(store, 3000) || outlives_leader(store, 12000));
	store_close(store);
}

#define ON(start, test) cmocka_unit_test_setup_teardown(test, start, stop_cluster)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ON(start_three, test_leader_killed),
		ON(start_three, test_member_frozen),
		ON(start_three, test_quorum_lost),
		ON(start_three, test_leader_replaced),
		ON(start_three, test_outage_begins),
		ON(start_one, test_unreachable_at_start),
		ON(start_one, test_answer_lost),
		ON(start_one, test_compaction),
		ON(start_one, test_pages),
		ON(start_one, test_large_news),
		ON(start_one, test_many_watches),
		ON(start_one, test_one_watch_per_stream),
		ON(start_one, test_proxy_that_waits),
		ON(start_one, test_lease_kept),
		ON(start_three, test_lease_leader_killed),
	};

	return cmocka_run_group_tests_name("store_etcd", tests, NULL, NULL);
}
