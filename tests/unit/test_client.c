/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The client against a daemon made of canned answers: what is sent, and what becomes of refusals.
 */
#include "tests/unit/fake_daemon.h"

#include "client/client.h"

static const char *const web1[] = { "vpcs", "blue", "ports", "web1" };

static void test_no_daemon(void **state)
{
	struct client *client = client_open("/tmp/weft-there-is-no-such-socket");
	struct error error = { 0 };
	char path[200];

	(void)state;
	assert_int_equal(client_status(client, NULL, &error), -ECONNREFUSED);
	assert_non_null(strstr(error.text, "no daemon at /tmp/weft-there-is-no-such-socket"));
	assert_int_equal(client_status(client, NULL, NULL), -ECONNREFUSED);
	client_close(client);
	client_close(NULL);
	memset(path, 'x', sizeof(path));
	path[0] = '/';
	path[sizeof(path) - 1] = '\0';
	client = client_open(path);
	assert_int_equal(client_status(client, NULL, &error), -ENAMETOOLONG);
	client_close(client);
}

static void test_requests(void **state)
{
	static const struct fake_answer answers[] = {
		{ "GET /v1/vpcs/blue/ports/web1", 200, "{\"subnet\":\"web\"}", "\"17\"", false },
		{ "GET ", 200, "{}", NULL, false },
		{ "PUT ", 201, "{\"id\":7}", NULL, false },
		{ "PATCH ", 200, "{\"id\":7}", NULL, false },
		{ "DELETE ", 200, "{\"changes\":[]}", NULL, false },
		{ "POST ", 200, "{\"changes\":[]}", NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	static const char expected[] =
		"GET /v1/vpcs/blue/ports/web1\n"
		"PUT /v1/vpcs/blue/ports/web1 [If-None-Match: *] {\"subnet\":\"web\"}\n"
		"PUT /v1/vpcs/blue/ports/web1 {\"subnet\":\"web\"}\n"
		"PATCH /v1/vpcs/blue/ports/web1 [If-Match: \"17\"] {\"subnet\":\"web\"}\n"
		"DELETE /v1/vpcs/blue/ports/web1\n"
		"GET /v1/vpcs/a%2Fb%20%3F%C3%A9\n"
		"POST /v1/apply {\"subnet\":\"web\"}\n"
		"POST /v1/apply?dry_run=1&prune=1 {\"subnet\":\"web\"}\n"
		"GET /v1/drops?port=blue%2Fweb1\n"
		"GET /v1/flows?port=blue%2Fweb1&limit=5\n"
		"GET /v1/flows?limit=5\n"
		"GET /v1/counters\n";
	static const char *const odd[] = { "vpcs", "a/b ?\xc3\xa9" };
	struct fake_daemon daemon;
	struct client *client;
	struct error error = { 0 };
	json_t *object, *stored;
	char tag[CLIENT_TAG_SIZE], *requests;

	(void)state;
	fake_daemon_start(&daemon, answers);
	client = client_open(daemon.path);
	assert_string_equal(client_socket_path(client), daemon.path);
	assert_int_equal(client_get(client, web1, 4, &object, tag, &error), 0);
	assert_string_equal(json_string_value(json_object_get(object, "subnet")), "web");
	assert_string_equal(tag, "\"17\"");
	assert_int_equal(client_put(client, web1, 4, CLIENT_PUT_CREATE, object, &stored, &error),
			 0);
	assert_int_equal(json_integer_value(json_object_get(stored, "id")), 7);
	json_decref(stored);
	assert_int_equal(client_put(client, web1, 4, CLIENT_PUT_REPLACE, object, NULL, &error), 0);
	assert_int_equal(client_patch(client, web1, 4, object, tag, NULL, &error), 0);
	assert_int_equal(client_remove(client, web1, 4, NULL, &error), 0);
	assert_int_equal(client_get(client, odd, 2, NULL, NULL, &error), 0);
	assert_int_equal(client_apply(client, object, false, false, NULL, &error), 0);
	assert_int_equal(client_apply(client, object, true, true, NULL, &error), 0);
	assert_int_equal(client_drops(client, "blue/web1", NULL, &error), 0);
	assert_int_equal(client_flows(client, "blue/web1", 5, NULL, &error), 0);
	assert_int_equal(client_flows(client, NULL, 5, NULL, &error), 0);
	assert_int_equal(client_counters(client, NULL, NULL, &error), 0);
	json_decref(object);
	client_close(client);
	requests = fake_daemon_stop(&daemon);
	assert_string_equal(requests, expected);
	free(requests);
}

#define REFUSAL(code)                                                                              \
	"{\"error\":{\"code\":\"" code                                                             \
	"\",\"message\":\"no subnet\",\"path\":\"vpcs.blue.ports.web1.subnet\"}}"

static void test_refusals(void **state)
{
	static const struct fake_answer answers[] = {
		{ "GET /v1/vpcs/a", 404, REFUSAL("not_found"), NULL, false },
		{ "GET /v1/vpcs/b", 412, REFUSAL("precondition_failed"), NULL, false },
		{ "GET /v1/vpcs/c", 507, REFUSAL("storage_full"), NULL, false },
		{ "GET /v1/vpcs/d", 400, REFUSAL("a_code_of_tomorrow"), NULL, false },
		{ "GET /v1/vpcs/e", 500, "<html>", NULL, false },
		{ "GET /v1/vpcs/f", 200, "not json", NULL, false },
		{ "GET /v1/vpcs/g", 400, "{\"error\":{\"code\":7}}", NULL, false },
		{ NULL, 0, NULL, NULL, false },
	};
	static const int codes[] = { -ENOENT, -ESTALE, -ENOSPC, -EIO, -EPROTO, -EPROTO, -EPROTO };
	struct fake_daemon daemon;
	struct client *client;

	(void)state;
	fake_daemon_start(&daemon, answers);
	client = client_open(daemon.path);
	for (size_t i = 0; i < ARRAY_SIZE(codes); i++) {
		char name[2] = { (char)('a' + i), '\0' };
		const char *steps[] = { "vpcs", name };
		struct error error = { 0 };

		assert_int_equal(client_get(client, steps, 2, NULL, NULL, &error), codes[i]);
		assert_int_equal(error.code, codes[i]);
		if (i < 4) {
			assert_string_equal(error.text, "no subnet");
			assert_string_equal(error.path, "vpcs.blue.ports.web1.subnet");
		}
	}
	client_close(client);
	free(fake_daemon_stop(&daemon));
}

static void test_broken_answers(void **state)
{
	static const struct {
		const char *answer;
		int code;
		const char *sentence;
	} cases[] = {
		{ "HTTP/1.0 200 OK\r\n\r\n{}", 0, "" },
		{ "HTTP/1.1 200 OK\r\ncontent-length:  2\r\n\r\n{}more", 0, "" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n{}", -ECONNRESET, "closed" },
		{ "HTTP/1.1 200 OK\r\nContent-Len", -ECONNRESET, "closed" },
		{ "", -ECONNRESET, "closed" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\n{}", -EPROTO, "length" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", -EPROTO,
		  "length" },
		{ "HTTP/1.1 200 OK\r\nContent-Length: 1x\r\n\r\n", -EPROTO, "length" },
		{ "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n", -EPROTO,
		  "encoded" },
		{ "HTTP/1.1 200 OK\r\nnonsense\r\n\r\n{}", -EPROTO, "colon" },
		{ "HTTP/2 200\r\n\r\n{}", -EPROTO, "not HTTP" },
		{ "SSH-2.0-OpenSSH\r\n\r\n", -EPROTO, "not HTTP" },
		{ "HTTP/1.1 x\r\n\r\n{}", -EPROTO, "not HTTP" },
	};
	struct fake_answer answers[2] = { { .request = "GET " } };
	struct fake_daemon daemon;
	struct client *client;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = { 0 };

		answers[0].body = cases[i].answer;
		fake_daemon_start(&daemon, answers);
		client = client_open(daemon.path);
		if (client_status(client, NULL, &error) != cases[i].code ||
		    !strstr(error.text, cases[i].sentence))
			fail_msg("%s\ngave %d: %s", cases[i].answer, error.code, error.text);
		client_close(client);
		free(fake_daemon_stop(&daemon));
	}
}

/* Headers without an end are not collected for ever. */
static void test_large_head(void **state)
{
	struct buf text = { 0 };
	struct fake_answer answers[2] = { { .request = "GET " } };
	struct fake_daemon daemon;
	struct client *client;

	(void)state;
	buf_append_text(&text, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 10000; i++)
		buf_append_text(&text, "X-Filler: 0123456789\r\n");
	answers[0].body = buf_text(&text);
	fake_daemon_start(&daemon, answers);
	client = client_open(daemon.path);
	assert_int_equal(client_status(client, NULL, NULL), -EPROTO);
	client_close(client);
	free(fake_daemon_stop(&daemon));
	buf_fini(&text);
}

/* Nobody answers: the backlog takes the connection, and the deadline ends the wait. */
static void test_deadline(void **state)
{
	struct fake_daemon daemon;
	struct error error = { 0 };
	struct client *client;

	(void)state;
	fake_daemon_listen(&daemon);
	client = client_open(daemon.path);
	assert_int_equal(client_events(client, NULL, NULL, NULL, NULL, NULL, 50, &error),
			 -ETIMEDOUT);
	assert_non_null(strstr(error.text, "50 ms"));
	client_close(client);
	fake_daemon_close(&daemon);
}

static int count_ready(void *context)
{
	(*(int *)context) += 100;
	return 0;
}

static int count_events(void *context, const char *event, const json_t *data)
{
	int *count = context;

	(*count)++;
	if (strcmp(event, "drop") == 0)
		assert_int_equal(json_integer_value(json_object_get(data, "n")), 1);
	else
		assert_string_equal(event, "port");
	return strcmp(event, "port") == 0 ? 42 : 0;
}

static void test_events(void **state)
{
	static const struct fake_answer answers[] = {
		{ "GET /v1/events?kind=drop", 200,
		  ": hello\n\nevent: drop\ndata: {\"n\":\ndata: 1}\n\nid: 7\nretry: 3\n\n"
		  "event:drop\r\ndata:{\"n\":1}\r\n\r\nevent: drop\ndata: {\"n\": 1}\n",
		  NULL, true },
		{ "GET /v1/events?port=", 200, "event: port\ndata: {}\n\nevent: port\ndata: {}\n\n",
		  NULL, true },
		{ "GET /v1/events?kind=bad", 400, REFUSAL("bad_request"), NULL, false },
		{ "GET /v1/events", 200, "event: port\ndata: {nonsense\n\n", NULL, true },
		{ NULL, 0, NULL, NULL, false },
	};
	struct fake_daemon daemon;
	struct client *client;
	struct error error = { 0 };
	int count = 0;

	(void)state;
	fake_daemon_start(&daemon, answers);
	client = client_open(daemon.path);
	/* The third event is not complete when the stream ends. */
	assert_int_equal(client_events(client, "drop", NULL, count_ready, count_events, &count, 0,
				       &error),
			 -ECONNRESET);
	assert_int_equal(count, 102);
	count = 0;
	assert_int_equal(client_events(client, NULL, "blue/web1", NULL, count_events, &count, 0,
				       &error),
			 42);
	assert_int_equal(count, 1);
	assert_int_equal(client_events(client, "bad", NULL, NULL, count_events, &count, 0, &error),
			 -EINVAL);
	assert_int_equal(client_events(client, NULL, NULL, NULL, count_events, &count, 0, &error),
			 -EPROTO);
	assert_int_equal(count, 1);
	client_close(client);
	free(fake_daemon_stop(&daemon));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_daemon),  cmocka_unit_test(test_requests),
		cmocka_unit_test(test_refusals),   cmocka_unit_test(test_broken_answers),
		cmocka_unit_test(test_large_head), cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_events),
	};

	return cmocka_run_group_tests_name("client", tests, NULL, NULL);
}
