/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What etcd refuses: too much at once, more than its quota, users and certificates it does not
 * know; and options that cannot be. What a cluster suffers is in test_store_etcd.c.
 */
#include "tests/unit/etcd_world.h"

/* Limits --------------------------------------------------------------------------------------- */

static int start_small(void **state)
{
	(void)state;
	cluster.small = true;
	return start_cluster(1, NULL);
}

static int put_keys(struct store *store, int count, size_t value_size)
{
	struct store_transaction *transaction = store_transaction_new();
	char *value = malloc(value_size + 1);
	char key[32];
	int result;

	memset(value, 'v', value_size);
	value[value_size] = '\0';
	for (int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "/k/%d", i);
		store_transaction_put(transaction, key, value, 0);
	}
	result = store_commit(store, transaction, NULL, &error);
	store_transaction_free(transaction);
	free(value);
	return result;
}

static void test_limits(void **state)
{
	struct store *store = open_ready((struct store_etcd_options){ 0 });
	uint64_t patience = clock_monotonic_ms(NULL) + ETCD_PATIENCE_MS;
	int count = 0;
	int result = 0;

	(void)state;
	DONE(put_keys(store, 127, 10));
	assert_int_equal(put_keys(store, 200, 10), -E2BIG);
	assert_non_null(strstr(error.text, "--max-txn-ops=65536"));
	assert_int_equal(put_keys(store, 3, 1000000), -E2BIG);
	assert_non_null(strstr(error.text, "--max-request-bytes=16777216"));
	DONE(store_list(store, "/k/", count_items, &count, NULL, &error));
	assert_int_equal(count, 127);
	/* A quota that is used up: reads go on, and the store is not thought to be away. */
	while (!result && clock_monotonic_ms(NULL) < patience)
		result = put_keys(store, 1, 1000000);
	assert_int_equal(result, -ENOSPC);
	assert_true(store_reachable(store, &error));
	assert_true(exists(store, "/k/0"));
	assert_int_equal(put_keys(store, 1, 10), -ENOSPC);
	store_close(store);
}

/* Users and certificates ----------------------------------------------------------------------- */

static void test_users(void **state)
{
	const char *url = cluster.members[0].url;
	struct store_etcd_options options = { .user = "weft",
					      .password = "se\"cret",
					      .deadline_ms = 5000 };
	struct store_watch *watch;
	struct hearing *hearing;
	struct store *store;

	(void)state;
	store_close(open_ready((struct store_etcd_options){ 0 }));
	/* "/k/" to "/k0" and "/weft/" to "/weft0" */
	post_ok(url, "/v3/auth/role/add", "{\"name\":\"weft\"}", NULL);
	post_ok(url, "/v3/auth/role/grant",
		"{\"name\":\"weft\",\"perm\":{\"permType\":\"READWRITE\",\"key\":\"L2sv\","
		"\"range_end\":\"L2sw\"}}",
		NULL);
	post_ok(url, "/v3/auth/role/grant",
		"{\"name\":\"weft\",\"perm\":{\"permType\":\"READWRITE\",\"key\":\"L3dlZnQv\","
		"\"range_end\":\"L3dlZnQw\"}}",
		NULL);
	post_ok(url, "/v3/auth/user/add", "{\"name\":\"weft\",\"password\":\"se\\\"cret\"}", NULL);
	post_ok(url, "/v3/auth/user/grant", "{\"user\":\"weft\",\"role\":\"weft\"}", NULL);
	post_ok(url, "/v3/auth/user/add", "{\"name\":\"root\",\"password\":\"r\"}", NULL);
	post_ok(url, "/v3/auth/user/grant", "{\"user\":\"root\",\"role\":\"root\"}", NULL);
	post_ok(url, "/v3/auth/enable", "{}", NULL);

	store = open_store((struct store_etcd_options){ 0 });
	assert_int_equal(put_number(store, 0), -EACCES);
	assert_true(store_reachable(store, &error));
	store_close(store);
	options.password = "wrong";
	store = open_store(options);
	assert_int_equal(put_number(store, 0), -EACCES);
	store_close(store);

	options.password = "se\"cret";
	store = open_store(options);
	DONE(put_number(store, 0));
	assert_int_equal(store_put(store, "/elsewhere", "1", NULL, &error), -EACCES);
	hearing = start_hearing(store, &watch);
	DONE(put_number(store, 1));
	TURN_UNTIL(hearing->count == 1);
	/* Tokens end with the member that gave them. */
	etcd_member_end(&cluster, 0, SIGKILL);
	etcd_member_start(&cluster, 0);
	assert_true(etcd_member_listens(&cluster, 0));
	TURN_UNTIL(!put_number(store, 2));
	TURN_UNTIL(hearing->count == 2);
	store_close(store);
	free(hearing);
}

static char certificates[64];

static void run(const char *format, ...)
{
	char command[600];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command) != 0)
		fail_msg("%s", command);
}

static void make_certificate(const char *name, const char *extension)
{
	run("cd %s && openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	    "-keyout %s.key -out %s.csr -subj /O=weft 2>/dev/null && "
	    "echo '%s' >%s.ext && "
	    "openssl x509 -req -in %s.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 "
	    "-extfile %s.ext -out %s.pem 2>/dev/null",
	    certificates, name, name, extension, name, name, name, name);
}

static int start_tls(void **state)
{
	(void)state;
	snprintf(certificates, sizeof(certificates), "/tmp/weft-test-tls-XXXXXX");
	assert_non_null(mkdtemp(certificates));
	run("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	    "-keyout ca.key -out ca.pem -days 2 -subj /CN=test 2>/dev/null",
	    certificates);
	run("cd %s && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes "
	    "-keyout other.key -out other.pem -days 2 -subj /CN=other 2>/dev/null",
	    certificates);
	/* The gateway is a client of the member itself, with the member's certificate. */
	make_certificate("server", "subjectAltName=IP:127.0.0.1\n"
				   "extendedKeyUsage=serverAuth,clientAuth");
	make_certificate("client", "extendedKeyUsage=clientAuth");
	return start_cluster(1, certificates);
}

static int stop_tls(void **state)
{
	return stop_cluster(state) + nftw(certificates, etcd_remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static void test_tls(void **state)
{
	char files[4][96];
	static const char *const names[] = { "ca.pem", "client.pem", "client.key", "other.pem" };
	struct store_etcd_options options = { .deadline_ms = 3000 };
	struct store_watch *watch;
	struct hearing *hearing;
	struct store *store;

	(void)state;
	for (int i = 0; i < 4; i++)
		snprintf(files[i], sizeof(files[i]), "%s/%s", certificates, names[i]);
	options.ca_file = files[0];
	options.cert_file = files[1];
	options.key_file = files[2];
	store = open_ready(options);
	hearing = start_hearing(store, &watch);
	DONE(put_number(store, 0));
	TURN_UNTIL(hearing->count == 1);
	store_close(store);
	free(hearing);

	/* Not the one it is expected to be; not one that etcd knows; files that are not there. */
	options.ca_file = files[3];
	store = open_store(options);
	assert_false(store_reachable(store, &error));
	print_message("# %s\n", error.text);
	assert_non_null(strstr(error.text, "certificate"));
	store_close(store);
	options.ca_file = files[0];
	options.cert_file = NULL;
	assert_int_equal(store_open_etcd(&options, &store, &error), -EINVAL);
	options.key_file = NULL;
	store = open_store(options);
	assert_false(store_reachable(store, &error));
	store_close(store);
	options.ca_file = "/nowhere/ca.pem";
	options.endpoints = (const char *[]){ cluster.members[0].url };
	options.endpoint_count = 1;
	assert_int_equal(store_open_etcd(&options, &store, &error), -ENOENT);
}

static void test_bad_options(void **state)
{
	static const char *const bad[] = { "", "127.0.0.1:2379", "ftp://127.0.0.1",
					   "http://127.0.0.1:2379/v3", "http://a b" };
	struct store *store;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		const char *endpoints[] = { bad[i] };
		struct store_etcd_options options = { .endpoints = endpoints, .endpoint_count = 1 };

		if (store_open_etcd(&options, &store, &error) != -EINVAL)
			fail_msg("\"%s\" is taken", bad[i]);
	}
	assert_int_equal(store_open_etcd(&(struct store_etcd_options){ 0 }, &store, &error),
			 -EINVAL);
}

#define ON(start, test) cmocka_unit_test_setup_teardown(test, start, stop_cluster)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bad_options),
		ON(start_small, test_limits),
		ON(start_one, test_users),
		cmocka_unit_test_setup_teardown(test_tls, start_tls, stop_tls),
	};

	return cmocka_run_group_tests_name("store_etcd_access", tests, NULL, NULL);
}
