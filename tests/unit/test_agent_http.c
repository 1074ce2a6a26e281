/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/api/http.c over a real unix socket: requests in pieces, bodies that are too large, streams.
 *
 * Client and server are in one thread: after each write the loop runs until an answer is there.
 */
#include "tests/unit/agent_world.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "agent/api/http.h"
#include "agent/api/http_listen.h"
#include "base/buf.h"

#define DEADLINE_ROUNDS 2000 /* of at most 10 ms */

struct served {
	struct world *world;
	struct http *http;
	char directory[32];
	char path[64];
};

static int setup(void **state)
{
	struct served *served = calloc(1, sizeof(*served));
	struct http_options options = { .socket_path = served->path };
	struct error error = { 0 };

	served->world = world_new();
	strcpy(served->directory, "/tmp/weft-test-XXXXXX");
	assert_non_null(mkdtemp(served->directory));
	snprintf(served->path, sizeof(served->path), "%s/run/w.sock", served->directory);
	if (http_open(served->world->loop, &served->world->api, &options, &served->http, &error))
		fail_msg("%s", error.text);
	*state = served;
	return 0;
}

static int teardown(void **state)
{
	struct served *served = *state;
	char path[64];

	http_close(served->http);
	assert_int_equal(access(served->path, F_OK), -1);
	world_free(served->world);
	snprintf(path, sizeof(path), "%s/run", served->directory);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(rmdir(served->directory), 0);
	free(served);
	return 0;
}

static int dial(const struct served *served)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", served->path);
	assert_int_equal(connect(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	return fd;
}

/* Let the server run until @wanted is in what came from @fd, or the other side has closed. */
static const char *receive(struct served *served, int fd, struct buf *text, const char *wanted)
{
	for (int round = 0; round < DEADLINE_ROUNDS; round++) {
		char piece[4096];
		ssize_t count;

		loop_run_once(served->world->loop, 10);
		while ((count = read(fd, piece, sizeof(piece))) > 0)
			buf_append(text, piece, (size_t)count);
		if ((wanted && strstr(buf_text(text), wanted)) || count == 0)
			return buf_text(text);
	}
	fail_msg("\"%s\" did not come; what came: %s", wanted ? wanted : "the end", buf_text(text));
	return NULL;
}

static void send_all(struct served *served, int fd, const char *data, size_t size)
{
	for (int round = 0; size && round < 10 * DEADLINE_ROUNDS; round++) {
		ssize_t count = write(fd, data, size);

		if (count > 0) {
			data += count;
			size -= (size_t)count;
		}
		loop_run_once(served->world->loop, 0);
	}
	assert_int_equal(size, 0);
}

static void send_text(struct served *served, int fd, const char *text)
{
	send_all(served, fd, text, strlen(text));
}

static void the_socket_is_for_its_owner(void **state)
{
	struct served *served = *state;
	struct stat info;
	struct error error = { 0 };
	char path[64];
	int fd;

	assert_int_equal(stat(served->path, &info), 0);
	assert_int_equal(info.st_mode & 0777, 0660);
	/* Somebody answers there: a second one does not take it away. */
	assert_int_equal(http_listen_unix(served->path, &error), -EADDRINUSE);
	assert_int_equal(access(served->path, F_OK), 0);
	/* Nor is a file that is no socket. */
	snprintf(path, sizeof(path), "%s/file", served->directory);
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(http_listen_unix(path, &error), -EEXIST);
	assert_non_null(strstr(error.text, "is no socket"));
	assert_int_equal(unlink(path), 0);
}

static void a_request_may_come_byte_by_byte(void **state)
{
	static const char request[] = "PUT /v1/vpcs/bl%75e?x=1 HTTP/1.1\r\nHost: w\r\n"
				      "Content-Length: 27\r\n\r\n{\"cidrs\":[\"10.0.0.0/16\"]}  ";
	struct served *served = *state;
	struct buf text = { 0 };
	int fd = dial(served);

	for (size_t i = 0; i < sizeof(request) - 1; i++)
		send_all(served, fd, request + i, 1);
	receive(served, fd, &text, "\"main_route_table\"");
	assert_non_null(strstr(buf_text(&text), "201 Created"));
	assert_non_null(strcasestr(buf_text(&text), "ETag: \"1\""));
	assert_non_null(
		intent_find(reconcile_intent(served->world->reconcile), "blue", OBJECT_VPC, NULL));
	/* The connection goes on. */
	buf_reset(&text);
	send_text(served, fd, "GET /v1/nothing HTTP/1.1\r\nHost: w\r\n\r\n");
	receive(served, fd, &text, "not_found");
	close(fd);
	buf_fini(&text);
}

static void a_nul_does_not_end_a_name(void **state)
{
	struct served *served = *state;
	struct buf text = { 0 };
	int fd = dial(served);

	send_text(served, fd,
		  "PUT /v1/vpcs/a%00b HTTP/1.1\r\nHost: w\r\nContent-Length: 25\r\n\r\n"
		  "{\"cidrs\":[\"10.0.0.0/16\"]}\n");
	receive(served, fd, &text, "\"error\"");
	assert_non_null(strstr(buf_text(&text), "400 Bad Request"));
	close(fd);
	buf_fini(&text);
}

static void a_body_that_is_too_large_is_refused_in_words(void **state)
{
	struct served *served = *state;
	size_t size = API_BODY_SIZE_MAX + 1;
	char *body = malloc(size), head[128];
	struct buf text = { 0 };
	int fd = dial(served);

	memset(body, ' ', size);
	snprintf(head, sizeof(head),
		 "POST /v1/apply HTTP/1.1\r\nHost: w\r\nContent-Length: %zu\r\n\r\n", size);
	send_text(served, fd, head);
	send_all(served, fd, body, size);
	receive(served, fd, &text, "too_large");
	assert_non_null(strstr(buf_text(&text), "400 Bad Request"));
	close(fd);
	buf_fini(&text);
	free(body);
}

/* Whether the other side has closed, after letting it run a while. */
static bool is_closed(struct served *served, int fd)
{
	char byte;
	ssize_t count;

	loop_run_once(served->world->loop, 0);
	count = read(fd, &byte, 1);
	return count == 0 || (count < 0 && errno == ECONNRESET);
}

/* Connections that say nothing, or half a head, make room for others at once. */
static void silent_connections_hold_up_nobody(void **state)
{
	static const char request[] = "GET /healthz HTTP/1.1\r\nHost: w\r\n\r\n";
	struct served *served = *state;
	struct buf text = { 0 };
	int fds[600], fd, closed = 0, kept;

	/* One that has asked and one whose request is under way are not among those that go first. */
	kept = dial(served);
	send_text(served, kept, "GET /v1/events HTTP/1.1\r\nHost: w\r\n\r\n");
	receive(served, kept, &text, ": weft events");
	buf_reset(&text);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dial(served);
		send_text(served, fds[i], i % 2 ? "" : "GET /healthz HTTP/1.1\r\nHost:");
		loop_run_once(served->world->loop, 0);
	}
	fd = dial(served);
	send_text(served, fd, request);
	receive(served, fd, &text, "200 OK");
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		closed += is_closed(served, fds[i]);
	/* 256 silent ones are left, the youngest: the last of them may yet speak. */
	assert_int_equal(closed, (int)ARRAY_SIZE(fds) + 1 - 256);
	assert_false(is_closed(served, fds[ARRAY_SIZE(fds) - 1]));
	buf_reset(&text);
	send_text(served, fds[ARRAY_SIZE(fds) - 1], request);
	receive(served, fds[ARRAY_SIZE(fds) - 1], &text, "200 OK");
	assert_false(is_closed(served, kept));
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	close(fd);
	close(kept);
	buf_fini(&text);
}

static void a_stream_brings_events_and_ends_with_its_client(void **state)
{
	struct served *served = *state;
	struct buf text = { 0 };
	int fd = dial(served);

	send_text(served, fd, "GET /v1/events?kind=change HTTP/1.1\r\nHost: w\r\n\r\n");
	receive(served, fd, &text, ": weft events");
	assert_int_equal(events_subscribers(served->world->events), 1);
	world_expect(served->world, 201, "PUT", "/v1/vpcs/blue", "{'cidrs': ['10.0.0.0/16']}");
	receive(served, fd, &text, "+ vpc blue");
	close(fd);
	for (int round = 0; round < DEADLINE_ROUNDS; round++) {
		events_keepalive(served->world->events);
		loop_run_once(served->world->loop, 10);
		if (!events_subscribers(served->world->events))
			break;
	}
	assert_int_equal(events_subscribers(served->world->events), 0);
	buf_fini(&text);
}

static void closing_ends_streams_that_are_open(void **state)
{
	struct served *served = *state;
	struct buf text = { 0 };
	int fd = dial(served);

	send_text(served, fd, "GET /v1/events HTTP/1.1\r\nHost: w\r\n\r\n");
	receive(served, fd, &text, ": weft events");
	buf_fini(&text);
	/* The teardown closes the server while the stream waits. */
	close(fd);
}

/* The server's next look at its socket. */
static void look(struct served *served)
{
	served->world->clock.monotonic_ns += CLOCK_NS_PER_SECOND;
	loop_run_once(served->world->loop, 0);
}

static void ask(struct served *served, int fd)
{
	struct buf text = { 0 };

	send_text(served, fd, "GET /v1/nothing HTTP/1.1\r\nHost: w\r\n\r\n");
	receive(served, fd, &text, "not_found");
	assert_non_null(strstr(buf_text(&text), "not_found"));
	buf_fini(&text);
}

/* The lowest number that is free: servers of before are gone when it is what it was. */
static int free_number(void)
{
	int fd = dup(STDOUT_FILENO);

	assert_true(fd >= 0);
	close(fd);
	return fd;
}

static void a_socket_that_was_removed_is_made_again(void **state)
{
	struct served *served = *state;
	const struct problems *problems = reconcile_problems(served->world->reconcile);
	int before = free_number(), old = dial(served), fd;
	char directory[64];

	ask(served, old);
	look(served);
	for (int times = 0; times < 3; times++) {
		assert_int_equal(unlink(served->path), 0);
		look(served);
		fd = dial(served);
		ask(served, fd);
		ask(served, old);
		close(fd);
	}
	/* With its directory, and something else in its place. */
	snprintf(directory, sizeof(directory), "%s/run", served->directory);
	assert_int_equal(unlink(served->path), 0);
	assert_int_equal(rmdir(directory), 0);
	fd = open(directory, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	close(fd);
	look(served);
	assert_non_null(problems_get(problems, PROBLEM_SOCKET, 0));
	ask(served, old);
	assert_int_equal(unlink(directory), 0);
	look(served);
	assert_null(problems_get(problems, PROBLEM_SOCKET, 0));
	fd = dial(served);
	ask(served, fd);
	ask(served, old);
	close(fd);
	close(old);
	for (int round = 0; round < DEADLINE_ROUNDS && free_number() > before; round++) {
		look(served);
		loop_run_once(served->world->loop, 10);
	}
	assert_int_equal(free_number(), before);
}

static void addresses_to_listen_at(void **state)
{
	static const char *const wrong[] = {
		"",         "127.0.0.1",    ":80",         "127.0.0.1:",
		"host:80",  "127.0.0.1:0",  "[::1]:70000", "[::1]",
		"1.2.3:80", "127.0.0.1:80x"
	};
	struct sockaddr_storage address;
	unsigned int size;

	(void)state;
	assert_int_equal(http_parse_listen("127.0.0.1:8443", &address, &size, NULL), 0);
	assert_int_equal(address.ss_family, AF_INET);
	assert_int_equal(http_parse_listen("[::1]:8443", &address, &size, NULL), 0);
	assert_int_equal(address.ss_family, AF_INET6);
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		if (http_parse_listen(wrong[i], &address, &size, NULL) != -EINVAL)
			fail_msg("\"%s\" was taken", wrong[i]);
}

int main(void)
{
#define SERVED(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		SERVED(the_socket_is_for_its_owner),
		SERVED(a_request_may_come_byte_by_byte),
		SERVED(a_nul_does_not_end_a_name),
		SERVED(a_body_that_is_too_large_is_refused_in_words),
		SERVED(silent_connections_hold_up_nobody),
		SERVED(a_stream_brings_events_and_ends_with_its_client),
		SERVED(closing_ends_streams_that_are_open),
		SERVED(a_socket_that_was_removed_is_made_again),
		cmocka_unit_test(addresses_to_listen_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
