/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/cluster/certificate.c, tls_client.c, join_server.c, cluster_setup.c: a host is admitted with the right token,
 * and with nothing else.
 */
#include "tests/unit/unit.h"

#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/cluster/certificate.h"
#include "agent/cluster/cluster_config.h"
#include "agent/cluster/cluster_setup.h"
#include "agent/cluster/join_server.h"
#include "agent/cluster/tls_client.h"
#include "base/alloc.h"
#include "tests/unit/private_machine.h"

/* A first host on 127.0.0.1, and its loop in a thread, for the one who asks blocks. */
struct first_host {
	char state[64];
	char *token;
	struct loop *loop;
	struct join_server *server;
	pthread_t thread;
	volatile bool stop;
};

static char *write_host(const char *state, const char *name, const char *address)
{
	struct certificate_pair authority = { 0 };
	struct cluster_config config = { .host = xstrdup(name),
					 .store = xstrdup("etcds://127.0.0.1:2379"),
					 .etcd_cluster = xstrdup("h1=https://127.0.0.1:2380"),
					 .underlay_count = 1 };
	struct error error = { 0 };
	char *key, *request, *certificate, *token;

	assert_int_equal(ip_prefix_parse_or_address(address, &config.underlay[0]), 0);
	assert_int_equal(certificate_authority_new(&authority, &error), 0);
	assert_int_equal(certificate_request_new(name, &key, &request, &error), 0);
	assert_int_equal(certificate_issue(&authority, request, name, &config.underlay[0].address,
					   1, &certificate, &error),
			 0);
	assert_int_equal(
		cluster_config_write_file(state, "tls/ca.pem", authority.certificate, &error), 0);
	assert_int_equal(cluster_config_write_file(state, "tls/ca.key", authority.key, &error), 0);
	assert_int_equal(cluster_config_write_file(state, "tls/host.pem", certificate, &error), 0);
	assert_int_equal(cluster_config_write_file(state, "tls/host.key", key, &error), 0);
	assert_int_equal(cluster_config_write(state, &config, &error), 0);
	assert_int_equal(cluster_token(state, &token, &error), 0);
	certificate_pair_fini(&authority);
	cluster_config_fini(&config);
	free(key);
	free(request);
	free(certificate);
	return token;
}

static void *serve(void *context)
{
	struct first_host *host = context;

	while (!host->stop)
		loop_run_once(host->loop, 10);
	return NULL;
}

static int setup(void **state)
{
	struct first_host *host = calloc(1, sizeof(*host));
	struct cluster_config config;
	struct error error = { 0 };

	snprintf(host->state, sizeof(host->state), "/tmp/weft-join-XXXXXX");
	assert_non_null(mkdtemp(host->state));
	host->token = write_host(host->state, "h1", "127.0.0.1");
	assert_int_equal(loop_new(&host->loop, NULL, &error), 0);
	assert_int_equal(cluster_config_read(host->state, &config, &error), 0);
	if (join_server_open(host->loop, host->state, &config, &host->server, &error))
		fail_msg("%s", error.text);
	assert_non_null(host->server);
	cluster_config_fini(&config);
	pthread_create(&host->thread, NULL, serve, host);
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	struct first_host *host = *state;
	char *command = xasprintf("rm -rf %s", host->state);

	host->stop = true;
	pthread_join(host->thread, NULL);
	join_server_close(host->server);
	loop_free(host->loop);
	assert_int_equal(system(command), 0);
	free(command);
	free(host->token);
	free(host);
	return 0;
}

/* Asks as a host that joins does, with parts of the token that may be wrong. */
static int ask(const struct first_host *host, const char *secret, const char *hash,
	       const char *name, json_t **answer, struct error *error)
{
	const char *dash = strrchr(host->token, '-');
	char *own_secret = xstrndup(host->token + 5, (size_t)(dash - host->token - 5));
	char *key, *request, *authority = NULL;
	struct tls_question question = {
		.host = "127.0.0.1",
		.port = CLUSTER_PORT,
		.authority_hash = hash ? hash : dash + 1,
		.bearer = secret ? secret : own_secret,
		.path = "/v1/join",
	};
	json_t *body;
	int code;

	*answer = NULL;
	memset(error, 0, sizeof(*error));
	assert_int_equal(certificate_request_new(name, &key, &request, error), 0);
	body = json_pack("{s:s, s:[s], s:s}", "name", name, "addresses", "192.0.2.2", "request",
			 request);
	question.body = body;
	code = tls_ask(&question, &authority, answer, error);
	json_decref(body);
	free(authority);
	free(own_secret);
	free(key);
	free(request);
	return code;
}

static void a_host_with_the_token_gets_a_certificate(void **state)
{
	struct first_host *host = *state;
	struct error error;
	json_t *answer;

	if (ask(host, NULL, NULL, "h2", &answer, &error))
		fail_msg("%s", error.text);
	assert_string_equal(json_string_value(json_object_get(answer, "store")),
			    "etcds://127.0.0.1:2379");
	assert_non_null(strstr(json_string_value(json_object_get(answer, "certificate")),
			       "BEGIN CERTIFICATE"));
	json_decref(answer);
}

static void a_wrong_secret_is_refused(void **state)
{
	struct first_host *host = *state;
	struct error error;
	json_t *answer;

	assert_int_equal(ask(host, "0123456789", NULL, "h2", &answer, &error), -EACCES);
	assert_non_null(strstr(error.text, "token"));
}

static void another_cluster_is_not_told_the_secret(void **state)
{
	static const char other[] =
		"0000000000000000000000000000000000000000000000000000000000000000";
	struct first_host *host = *state;
	struct error error;
	json_t *answer;

	assert_int_equal(ask(host, NULL, other, "h2", &answer, &error), -EACCES);
	assert_non_null(strstr(error.text, "nothing was sent"));
}

static void a_token_ends_when_a_new_one_is_made(void **state)
{
	struct first_host *host = *state;
	struct error error = { 0 };
	char *fresh;
	json_t *answer;

	assert_int_equal(cluster_token(host->state, &fresh, &error), 0);
	assert_int_equal(ask(host, NULL, NULL, "h2", &answer, &error), -EACCES);
	free(host->token);
	host->token = fresh;
	assert_int_equal(ask(host, NULL, NULL, "h2", &answer, &error), 0);
	json_decref(answer);
}

static void the_name_of_the_first_host_is_taken(void **state)
{
	struct first_host *host = *state;
	struct error error;
	json_t *answer;

	assert_int_equal(ask(host, NULL, NULL, "h1", &answer, &error), -EINVAL);
	assert_non_null(strstr(error.text, "--name"));
}

static void secrets_are_for_their_owner_only(void **state)
{
	static const char *const names[] = { "tls/ca.key", "tls/host.key", "tls/join.token" };
	struct first_host *host = *state;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char *path = cluster_config_path(host->state, names[i]);
		struct stat status;

		assert_int_equal(stat(path, &status), 0);
		assert_int_equal(status.st_mode & 0777, 0600);
		free(path);
	}
}

static void the_configuration_reads_as_it_was_written(void **state)
{
	struct first_host *host = *state;
	struct cluster_config config;
	struct error error = { 0 };

	assert_int_equal(cluster_config_read(host->state, &config, &error), 0);
	assert_string_equal(config.host, "h1");
	assert_string_equal(config.etcd_cluster, "h1=https://127.0.0.1:2380");
	assert_false(config.etcd_existing);
	assert_int_equal(config.underlay_count, 1);
	cluster_config_fini(&config);
	assert_int_equal(
		cluster_config_write_file(host->state, "cluster.json", "{\"x\": 1}", &error), 0);
	assert_int_equal(cluster_config_read(host->state, &config, &error), -EINVAL);
	assert_int_equal(cluster_config_read("/tmp/weft-there-is-none", &config, &error), 0);
	assert_null(config.store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_host_with_the_token_gets_a_certificate, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_wrong_secret_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(another_cluster_is_not_told_the_secret, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_token_ends_when_a_new_one_is_made, setup,
						teardown),
		cmocka_unit_test_setup_teardown(the_name_of_the_first_host_is_taken, setup,
						teardown),
		cmocka_unit_test_setup_teardown(secrets_are_for_their_owner_only, setup, teardown),
		cmocka_unit_test_setup_teardown(the_configuration_reads_as_it_was_written, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
