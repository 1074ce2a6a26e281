/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTTP exchange over a unix socket.
 *
 * Written here because a library costs more than it saves: with libcurl and the thirty libraries it
 * brings, every run of weft took 5 ms longer. Requests are HTTP/1.0, one to a connection: the
 * answer then ends where its length says or where the connection does, and is never chunked. A
 * connection to a unix socket costs microseconds. The size of an answer is limited, so that a
 * broken peer cannot fill the memory.
 *
 * Neighbours: client.c, events.c, which know what requests and answers mean.
 */
#include "client/http.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"

#define HTTP_ANSWER_SIZE_MAX ((size_t)512 << 20)
#define HTTP_HEAD_SIZE_MAX ((size_t)64 << 10)
#define HTTP_PIECE_SIZE ((size_t)64 << 10)

struct http {
	char *socket_path;
};

/**
 * struct exchange - one request on its way
 * @fd: the connection
 * @deadline_ms: of the monotonic clock; 0 for none
 * @head: the answer's headers as far as they came
 * @length: bytes of the body; SIZE_MAX until the connection ends
 * @received: bytes of the body that came
 */
struct exchange {
	const char *socket_path;
	const struct http_request *request;
	struct http_answer *answer;
	struct error *error;
	int fd;
	uint64_t deadline_ms;
	struct buf head;
	bool head_complete;
	size_t length;
	size_t received;
};

struct http *http_open(const char *socket_path)
{
	struct http *http = xcalloc(1, sizeof(*http));

	http->socket_path = xstrdup(socket_path);
	return http;
}

void http_close(struct http *http)
{
	if (!http)
		return;
	free(http->socket_path);
	free(http);
}

void http_escape(struct buf *target, const char *text)
{
	static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789-._~";
	const char *c;

	for (c = text; *c; c++) {
		if (strchr(plain, *c))
			buf_append_char(target, *c);
		else
			buf_printf(target, "%%%02X", (unsigned int)(unsigned char)*c);
	}
}

/* Sending ------------------------------------------------------------------------------------- */

static int connect_socket(const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, code = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, ENAMETOOLONG, NULL,
				 "socket path %s: longer than %zu characters", path,
				 sizeof(address.sun_path) - 1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error, errno, NULL, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0)
		return fd;
	code = errno;
	close(fd);
	switch (code) {
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return error_set(error, ECONNREFUSED, NULL,
				 "no daemon at %s: start weftd, or name its socket by --socket",
				 path);
	case EACCES:
	case EPERM:
		return error_set(error, EACCES, NULL,
				 "%s: may not be opened by this user: run weft as root", path);
	default: return error_set(error, code, NULL, "%s: %s", path, strerror(code));
	}
}

/* Wait for @events. Return: those that came, or negative errno. */
static int wait_for(const struct exchange *exchange, short events)
{
	struct pollfd waiting = { .fd = exchange->fd, .events = events };
	uint64_t now;
	int timeout, count;

	do {
		timeout = -1;
		if (exchange->deadline_ms) {
			now = clock_monotonic_ms(NULL);
			timeout = now < exchange->deadline_ms ? (int)(exchange->deadline_ms - now)
							      : 0;
		}
		count = poll(&waiting, 1, timeout);
	} while (count < 0 && errno == EINTR);
	if (count < 0)
		return error_set(exchange->error, errno, NULL, "poll: %s", strerror(errno));
	if (count == 0)
		return error_set(exchange->error, ETIMEDOUT, NULL, "%s: no answer within %lu ms",
				 exchange->socket_path, exchange->request->timeout_ms);
	return waiting.revents;
}

static void write_head(struct buf *text, const struct http_request *request)
{
	const char *type = request->content_type ? request->content_type : "application/json";

	buf_printf(text, "%s %s HTTP/1.0\r\nHost: weft\r\n", request->method, request->target);
	if (request->condition)
		buf_printf(text, "%s\r\n", request->condition);
	if (request->body)
		buf_printf(text, "Content-Type: %s\r\nContent-Length: %zu\r\n", type,
			   strlen(request->body));
	buf_append_text(text, "\r\n");
}

/*
 * Send all of the request, or as much as the peer wants: one that answers, or closes, before it has
 * everything (a body that is too large) is heard at once.
 */
static int send_request(struct exchange *exchange)
{
	struct buf text = { 0 };
	size_t sent = 0;
	ssize_t size;
	int events = POLLOUT;

	write_head(&text, exchange->request);
	if (exchange->request->body)
		buf_append_text(&text, exchange->request->body);
	while (sent < text.size) {
		events = wait_for(exchange, POLLIN | POLLOUT);
		if (events < 0 || !(events & POLLOUT) || (events & POLLIN))
			break;
		size = send(exchange->fd, text.data + sent, text.size - sent,
			    MSG_NOSIGNAL | MSG_DONTWAIT);
		if (size < 0 && errno != EAGAIN && errno != EINTR)
			break; /* closed: what it said before is still to be read */
		sent += size > 0 ? (size_t)size : 0;
	}
	buf_fini(&text);
	return events < 0 ? events : 0;
}

/* Receiving ----------------------------------------------------------------------------------- */

static int refuse_answer(const struct exchange *exchange, const char *what)
{
	return error_set(exchange->error, EPROTO, NULL, "%s: %s", exchange->socket_path, what);
}

/* One header line, which is terminated. */
static int read_header(struct exchange *exchange, const char *line)
{
	const char *colon = strchr(line, ':'), *value;
	size_t name_length;
	char *end;

	if (!colon)
		return refuse_answer(exchange, "the answer has a header without a colon");
	name_length = (size_t)(colon - line);
	value = colon + 1 + strspn(colon + 1, " \t");
	if (name_length == 4 && strncasecmp(line, "etag", 4) == 0 &&
	    strlen(value) < sizeof(exchange->answer->tag))
		snprintf(exchange->answer->tag, sizeof(exchange->answer->tag), "%s", value);
	if (name_length == 17 && strncasecmp(line, "transfer-encoding", 17) == 0)
		return refuse_answer(exchange, "the answer is encoded, which HTTP/1.0 has not");
	if (name_length == 14 && strncasecmp(line, "content-length", 14) == 0) {
		errno = 0;
		exchange->length = strtoul(value, &end, 10);
		if (*value < '0' || *value > '9' || *end || errno ||
		    exchange->length > HTTP_ANSWER_SIZE_MAX)
			return refuse_answer(exchange, "the answer's length is not one");
	}
	return 0;
}

/* "HTTP/1.1 200 OK" and the headers, all there in exchange->head. */
static int read_head(struct exchange *exchange)
{
	char *rest = exchange->head.data, *line = strsep(&rest, "\n");
	int code = 0;

	/* "HTTP/1.1 200 OK": the status stands behind nine characters. */
	if (strncmp(line, "HTTP/1.", 7) == 0 && strlen(line) > 11)
		exchange->answer->status = strtol(line + 9, NULL, 10);
	if (exchange->answer->status < 100 || exchange->answer->status > 999)
		return refuse_answer(exchange, "the answer is not HTTP");
	while (code == 0 && rest && *rest) {
		line = strsep(&rest, "\n");
		line[strcspn(line, "\r")] = '\0';
		if (*line)
			code = read_header(exchange, line);
	}
	exchange->head_complete = true;
	if (code == 0 && exchange->answer->status == 200 && exchange->request->accepted)
		exchange->answer->ended = exchange->request->accepted(exchange->request->context);
	return code;
}

static int take_body(struct exchange *exchange, const char *data, size_t size)
{
	const struct http_request *request = exchange->request;

	/* What is behind the announced length is not of this answer. */
	if (size > exchange->length - exchange->received)
		size = exchange->length - exchange->received;
	exchange->received += size;
	if (request->piece && exchange->answer->status == 200) {
		exchange->answer->ended = request->piece(request->context, data, size);
		return 0;
	}
	if (exchange->received > HTTP_ANSWER_SIZE_MAX)
		return error_set(exchange->error, EFBIG, NULL,
				 "%s: the answer is larger than %zu MiB", exchange->socket_path,
				 HTTP_ANSWER_SIZE_MAX >> 20);
	buf_append(&exchange->answer->body, data, size);
	return 0;
}

/* What came: headers until the empty line, the body from there on. */
static int take(struct exchange *exchange, const char *data, size_t size)
{
	const char *end;
	size_t before, head_size;
	int code;

	if (exchange->head_complete)
		return take_body(exchange, data, size);
	before = exchange->head.size;
	buf_append(&exchange->head, data, size);
	end = memmem(exchange->head.data, exchange->head.size, "\r\n\r\n", 4);
	if (!end)
		return exchange->head.size > HTTP_HEAD_SIZE_MAX
			       ? refuse_answer(exchange, "the answer's headers are too large")
			       : 0;
	head_size = (size_t)(end - exchange->head.data) + 4;
	exchange->head.data[head_size - 2] = '\0';
	code = read_head(exchange);
	size -= head_size - before;
	if (code < 0 || exchange->answer->ended || size == 0)
		return code;
	return take_body(exchange, data + (head_size - before), size);
}

static bool is_complete(const struct exchange *exchange)
{
	return exchange->head_complete && exchange->received >= exchange->length;
}

static int receive_answer(struct exchange *exchange)
{
	char *piece = xmalloc(HTTP_PIECE_SIZE);
	ssize_t size;
	int code = 0;

	while (code == 0 && !exchange->answer->ended && !is_complete(exchange)) {
		code = wait_for(exchange, POLLIN);
		if (code < 0)
			break;
		code = 0;
		size = recv(exchange->fd, piece, HTTP_PIECE_SIZE, MSG_DONTWAIT);
		if (size < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (size > 0) {
			code = take(exchange, piece, (size_t)size);
			continue;
		}
		/* The end is an end only where no length was announced. */
		if (size < 0 || !exchange->head_complete || exchange->length != SIZE_MAX)
			code = error_set(exchange->error, ECONNRESET, NULL,
					 "the daemon at %s closed the connection",
					 exchange->socket_path);
		break;
	}
	free(piece);
	return code;
}

int http_exchange(struct http *http, const struct http_request *request, struct http_answer *answer,
		  struct error *error)
{
	struct exchange exchange = {
		.socket_path = http->socket_path,
		.request = request,
		.answer = answer,
		.error = error,
		.length = SIZE_MAX,
	};
	int code;

	memset(answer, 0, sizeof(*answer));
	if (request->timeout_ms)
		exchange.deadline_ms = clock_monotonic_ms(NULL) + request->timeout_ms;
	exchange.fd = connect_socket(http->socket_path, error);
	if (exchange.fd < 0)
		return exchange.fd;
	code = send_request(&exchange);
	if (code == 0)
		code = receive_answer(&exchange);
	buf_fini(&exchange.head);
	close(exchange.fd);
	return code;
}
