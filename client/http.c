/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One HTTP exchange over a unix socket.
 *
 * libcurl does the protocol. Two things are kept from it: whether anybody listens at the socket
 * is told after a failure by connect(2), since its own message does not tell a missing socket from
 * one that may not be opened; and the wait is ours to end, by the return value of a callback.
 * The size of an answer is limited, so that a broken peer cannot fill the memory.
 */
#include "client/http.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/alloc.h"

#define HTTP_ANSWER_SIZE_MAX ((size_t)512 << 20)

struct http {
	CURL *curl;
	char *socket_path;
};

/* One exchange on its way: what the callbacks of libcurl are given. */
struct exchange {
	struct http *http;
	const struct http_request *request;
	struct http_answer *answer;
	bool accepted;
	bool too_large;
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
	if (http->curl)
		curl_easy_cleanup(http->curl);
	free(http->socket_path);
	free(http);
}

void http_escape(struct buf *target, const char *text)
{
	static const char plain[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
	const char *c;

	for (c = text; *c; c++) {
		if (strchr(plain, *c))
			buf_append_char(target, *c);
		else
			buf_printf(target, "%%%02X", (unsigned int)(unsigned char)*c);
	}
}

/* Why nobody could be reached at the socket: always a negative errno. */
static int explain_socket(const char *path, struct error *error)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd, result = 0;

	if (strlen(path) >= sizeof(address.sun_path))
		return error_set(error, ENAMETOOLONG, NULL,
				 "socket path %s: longer than %zu characters", path,
				 sizeof(address.sun_path) - 1);
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return error_set(error, errno, NULL, "socket: %s", strerror(errno));
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		result = errno;
	close(fd);
	switch (result) {
	case 0: /* it came up between the two attempts */
	case ENOENT:
	case ENOTDIR:
	case ECONNREFUSED:
		return error_set(error, ECONNREFUSED, NULL,
				 "no daemon at %s: start weftd, or name its socket by --socket",
				 path);
	case EACCES:
	case EPERM:
		return error_set(error, EACCES, NULL, "%s: may not be opened by this user", path);
	default: return error_set(error, result, NULL, "%s: %s", path, strerror(result));
	}
}

/* Tell the caller, once, that a stream was accepted. Return: 0, or what ends the exchange. */
static int accept_answer(struct exchange *exchange)
{
	long status = 0;

	if (exchange->accepted)
		return 0;
	curl_easy_getinfo(exchange->http->curl, CURLINFO_RESPONSE_CODE, &status);
	if (status != 200)
		return 0;
	exchange->accepted = true;
	return exchange->request->accepted ? exchange->request->accepted(exchange->request->context)
					   : 0;
}

static size_t receive_header(char *line, size_t size, size_t count, void *context)
{
	static const char name[] = "ETag:";
	struct exchange *exchange = context;
	size_t length = size * count, start = sizeof(name) - 1;

	/* The empty line: the headers of a stream are complete long before its first event. */
	if (length <= 2) {
		exchange->answer->ended = accept_answer(exchange);
		return exchange->answer->ended ? 0 : length;
	}
	if (length <= start || strncasecmp(line, name, start) != 0)
		return length;
	while (start < length && line[start] == ' ')
		start++;
	while (length > start && (line[length - 1] == '\r' || line[length - 1] == '\n'))
		length--;
	if (length - start < sizeof(exchange->answer->tag)) {
		memcpy(exchange->answer->tag, line + start, length - start);
		exchange->answer->tag[length - start] = '\0';
	}
	return size * count;
}

static size_t receive_body(char *data, size_t size, size_t count, void *context)
{
	struct exchange *exchange = context;
	struct http_answer *answer = exchange->answer;
	size_t length = size * count;

	if (exchange->request->piece && exchange->accepted) {
		answer->ended = exchange->request->piece(exchange->request->context, data, length);
		return answer->ended ? CURL_WRITEFUNC_ERROR : length;
	}
	if (answer->body.size + length > HTTP_ANSWER_SIZE_MAX) {
		exchange->too_large = true;
		return CURL_WRITEFUNC_ERROR;
	}
	buf_append(&answer->body, data, length);
	return length;
}

static void set_options(struct exchange *exchange, const char *url, struct curl_slist *headers)
{
	const struct http_request *request = exchange->request;
	CURL *curl = exchange->http->curl;

	curl_easy_reset(curl);
	curl_easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, exchange->http->socket_path);
	curl_easy_setopt(curl, CURLOPT_PROXY, "");
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(curl, CURLOPT_CUSTOMREQUEST, request->method);
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)request->timeout_ms);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, receive_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, exchange);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, receive_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, exchange);
	if (request->body) {
		curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)strlen(request->body));
		curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request->body);
	}
}

static int explain(CURLcode code, const struct exchange *exchange, struct error *error)
{
	const char *path = exchange->http->socket_path;

	if (exchange->too_large)
		return error_set(error, EFBIG, NULL, "%s: the answer is larger than %zu MiB", path,
				 HTTP_ANSWER_SIZE_MAX >> 20);
	switch ((int)code) {
	case CURLE_OPERATION_TIMEDOUT:
		return error_set(error, ETIMEDOUT, NULL, "%s: no answer within %lu ms", path,
				 exchange->request->timeout_ms);
	case CURLE_COULDNT_CONNECT: return explain_socket(path, error);
	case CURLE_OUT_OF_MEMORY: return error_set(error, ENOMEM, NULL, "%s: out of memory", path);
	case CURLE_GOT_NOTHING:
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
		return error_set(error, ECONNRESET, NULL, "the daemon at %s closed the connection",
				 path);
	default: return error_set(error, EPROTO, NULL, "%s: %s", path, curl_easy_strerror(code));
	}
}

int http_exchange(struct http *http, const struct http_request *request, struct http_answer *answer,
		  struct error *error)
{
	struct exchange exchange = { .http = http, .request = request, .answer = answer };
	struct curl_slist *headers;
	char *line, *url;
	CURLcode code;
	int result = 0;

	memset(answer, 0, sizeof(*answer));
	if (strlen(http->socket_path) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
		return explain_socket(http->socket_path, error);
	if (!http->curl)
		http->curl = curl_easy_init();
	if (!http->curl)
		return error_set(error, ENOMEM, NULL, "libcurl could not be set up");
	/* "Expect:" is switched off: a local peer needs no permission to be sent a body. */
	headers = curl_slist_append(NULL, "Expect:");
	line = xasprintf("Content-Type: %s",
			 request->content_type ? request->content_type : "application/json");
	if (request->body)
		headers = curl_slist_append(headers, line);
	if (request->condition)
		headers = curl_slist_append(headers, request->condition);
	url = xasprintf("http://weft%s", request->target);
	set_options(&exchange, url, headers);
	code = curl_easy_perform(http->curl);
	curl_easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &answer->status);
	if (code != CURLE_OK && !answer->ended)
		result = explain(code, &exchange, error);
	curl_slist_free_all(headers);
	free(line);
	free(url);
	return result;
}
