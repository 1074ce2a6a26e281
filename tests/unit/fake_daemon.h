/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A daemon that says what a test wants: HTTP on a unix socket, served by a thread.
 *
 * The test lists answers by the beginning of the request line; each request that came is kept as text
 * ("PUT /v1/vpcs/blue {"cidrs":…}"), headers that matter in front of the body.
 */
#ifndef WEFT_TESTS_UNIT_FAKE_DAEMON_H
#define WEFT_TESTS_UNIT_FAKE_DAEMON_H

#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "tests/unit/unit.h"

/**
 * struct fake_answer - what to say to a request
 * @request: beginning of "METHOD target"; or, behind a star, anything inside; NULL ends the list
 * @status: 200 …; 0: @body is sent as it is, and the connection closed
 * @body: of the answer
 * @tag: ETag header, or NULL
 * @stream: text/event-stream, and the connection is closed behind it
 */
struct fake_answer {
	const char *request;
	int status;
	const char *body;
	const char *tag;
	bool stream;
};

struct fake_daemon {
	char directory[64];
	char path[96];
	int listener;
	pthread_t thread;
	const struct fake_answer *answers;
	struct buf requests; /* a line each; read it after fake_daemon_stop() */
};

/* Read until the headers and the body they announce are there. Return: false at the end. */
static bool fake_receive(int fd, struct buf *request)
{
	char data[4096], *headers_end, *length;
	size_t wanted = 0;
	ssize_t size;

	buf_reset(request);
	for (;;) {
		headers_end = strstr(buf_text(request), "\r\n\r\n");
		if (headers_end) {
			length = strcasestr(buf_text(request), "content-length:");
			wanted = length ? strtoul(length + 15, NULL, 10) : 0;
			wanted += (size_t)(headers_end - buf_text(request)) + 4;
			if (request->size >= wanted)
				return true;
		}
		size = read(fd, data, sizeof(data));
		if (size <= 0)
			return false;
		buf_append(request, data, (size_t)size);
	}
}

static void fake_note_header(struct fake_daemon *daemon, const char *request, const char *name)
{
	const char *header = strcasestr(request, name);

	if (header)
		buf_printf(&daemon->requests, " [%.*s]", (int)strcspn(header, "\r"), header);
}

static void fake_note(struct fake_daemon *daemon, const char *request)
{
	const char *body = strstr(request, "\r\n\r\n") + 4;

	buf_printf(&daemon->requests, "%.*s", (int)(strcspn(request, "\r") - strlen(" HTTP/1.1")),
		   request);
	fake_note_header(daemon, request, "if-match:");
	fake_note_header(daemon, request, "if-none-match:");
	if (*body)
		buf_printf(&daemon->requests, " %s", body);
	buf_append_char(&daemon->requests, '\n');
}

static bool fake_matches(const char *request, const char *pattern)
{
	if (*pattern == '*')
		return strstr(request, pattern + 1) != NULL;
	return strncmp(request, pattern, strlen(pattern)) == 0;
}

static void fake_reply(struct fake_daemon *daemon, int fd, const char *request)
{
	static const struct fake_answer unknown = {
		"",
		404,
		"{\"error\":{\"code\":\"not_found\",\"message\":\"no such thing\",\"path\":\"\"}}",
		NULL,
		false,
	};
	const struct fake_answer *answer = daemon->answers;
	struct buf text = { 0 };

	while (answer->request && !fake_matches(request, answer->request))
		answer++;
	if (!answer->request)
		answer = &unknown;
	if (!answer->status) {
		/* The client may have seen enough and gone. */
		if (send(fd, answer->body, strlen(answer->body), MSG_NOSIGNAL) >= 0)
			shutdown(fd, SHUT_RDWR);
		return;
	}
	buf_printf(&text, "HTTP/1.1 %d X\r\nContent-Type: %s\r\n", answer->status,
		   answer->stream ? "text/event-stream" : "application/json");
	if (answer->tag)
		buf_printf(&text, "ETag: %s\r\n", answer->tag);
	if (answer->stream)
		buf_append_text(&text, "Connection: close\r\n");
	else
		buf_printf(&text, "Content-Length: %zu\r\n", strlen(answer->body));
	buf_printf(&text, "\r\n%s", answer->body);
	assert_int_equal(send(fd, text.data, text.size, MSG_NOSIGNAL), text.size);
	buf_fini(&text);
	if (answer->stream)
		shutdown(fd, SHUT_RDWR);
}

static void *fake_serve(void *context)
{
	struct fake_daemon *daemon = context;
	struct buf request = { 0 };
	int fd;

	while ((fd = accept(daemon->listener, NULL, NULL)) >= 0) {
		while (fake_receive(fd, &request)) {
			fake_note(daemon, buf_text(&request));
			fake_reply(daemon, fd, buf_text(&request));
		}
		close(fd);
	}
	buf_fini(&request);
	return NULL;
}

static inline void fake_daemon_listen(struct fake_daemon *daemon)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	memset(daemon, 0, sizeof(*daemon));
	strcpy(daemon->directory, "/tmp/weft-test-XXXXXX");
	assert_non_null(mkdtemp(daemon->directory));
	snprintf(daemon->path, sizeof(daemon->path), "%s/weftd.sock", daemon->directory);
	strcpy(address.sun_path, daemon->path);
	daemon->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_true(daemon->listener >= 0);
	assert_int_equal(bind(daemon->listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(daemon->listener, 8), 0);
}

static inline void fake_daemon_close(struct fake_daemon *daemon)
{
	close(daemon->listener);
	unlink(daemon->path);
	rmdir(daemon->directory);
}

static inline void fake_daemon_start(struct fake_daemon *daemon, const struct fake_answer *answers)
{
	fake_daemon_listen(daemon);
	daemon->answers = answers;
	assert_int_equal(pthread_create(&daemon->thread, NULL, fake_serve, daemon), 0);
}

/* Return: the requests that came, to be freed. All clients must be closed. */
static inline char *fake_daemon_stop(struct fake_daemon *daemon)
{
	/* Ends accept(2) in the thread. */
	shutdown(daemon->listener, SHUT_RDWR);
	pthread_join(daemon->thread, NULL);
	fake_daemon_close(daemon);
	return buf_steal(&daemon->requests, NULL);
}

#endif
