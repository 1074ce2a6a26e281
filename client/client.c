/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Calls to weftd: the typed calls, and the daemon's refusals as errors.
 *
 * Each call is a method, a target and perhaps a JSON body; exchange() does the rest alike for all
 * of them. Code names of the interface are turned into errnos by one table.
 *
 * Neighbours: http.c (bytes), events.c (the stream of events).
 */
#include "client/client.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "client/call.h"

struct client *client_open(const char *socket_path)
{
	struct client *client = xcalloc(1, sizeof(*client));

	client->socket_path = xstrdup(socket_path);
	client->http = http_open(socket_path);
	return client;
}

void client_close(struct client *client)
{
	if (!client)
		return;
	http_close(client->http);
	free(client->socket_path);
	free(client);
}

const char *client_socket_path(const struct client *client)
{
	return client->socket_path;
}

/* The errno that an error code of the interface stands for. */
static int code_to_errno(const char *code)
{
	static const struct {
		const char *name;
		int code;
	} codes[] = {
		{ "bad_request", EINVAL },
		{ "too_large", EFBIG },
		{ "unauthorized", EACCES },
		{ "forbidden", EPERM },
		{ "not_found", ENOENT },
		{ "method_not_allowed", ENOTSUP },
		{ "exists", EEXIST },
		{ "in_use", EBUSY },
		{ "busy", ENOLCK }, /* somebody holds the store */
		{ "precondition_failed", ESTALE },
		{ "conflict", ESTALE },
		{ "unavailable", EAGAIN },
		{ "read_only", EROFS },
		{ "storage_full", ENOSPC },
		{ "internal", EIO },
	};

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		if (strcmp(codes[i].name, code) == 0)
			return codes[i].code;
	return EIO;
}

int client_refusal(const struct http_answer *answer, struct error *error)
{
	json_t *document = json_loadb(buf_text(&answer->body), answer->body.size, 0, NULL);
	const char *code, *message, *path = "";
	int result;

	if (document && json_unpack(document, "{s:{s:s, s:s, s?s}}", "error", "code", &code,
				    "message", &message, "path", &path) == 0)
		result = error_set(error, code_to_errno(code), path, "%s", message);
	else
		result = error_set(error, EPROTO, NULL,
				   "the daemon answered with status %ld and no reason",
				   answer->status);
	json_decref(document);
	return result;
}

/* Send a request, refuse what is not 2xx, read the answer as JSON. */
static int exchange(struct client *client, struct http_request *request, const json_t *body,
		    json_t **result, char *tag, struct error *error)
{
	struct http_answer answer;
	json_t *document = NULL;
	json_error_t fault;
	char *text = NULL;
	int code;

	if (body)
		text = json_dumps(body, JSON_COMPACT);
	request->body = text;
	code = http_exchange(client->http, request, &answer, error);
	if (code == 0 && answer.status / 100 != 2)
		code = client_refusal(&answer, error);
	if (code == 0) {
		document = json_loadb(buf_text(&answer.body), answer.body.size, 0, &fault);
		if (!document)
			code = error_set(error, EPROTO, NULL, "the daemon's answer is not JSON: %s",
					 fault.text);
	}
	if (code == 0 && tag)
		snprintf(tag, CLIENT_TAG_SIZE, "%s", answer.tag);
	if (code == 0 && result)
		*result = json_incref(document);
	json_decref(document);
	buf_fini(&answer.body);
	free(text);
	return code;
}

void client_append_query(struct buf *target, const char *key, const char *value)
{
	if (!value)
		return;
	buf_append_char(target, strchr(buf_text(target), '?') ? '&' : '?');
	buf_append_text(target, key);
	buf_append_char(target, '=');
	http_escape(target, value);
}

static void append_names(struct buf *target, const char *const *names, size_t name_count)
{
	buf_append_text(target, "/v1");
	for (size_t i = 0; i < name_count; i++) {
		buf_append_char(target, '/');
		http_escape(target, names[i]);
	}
}

/* GET @base with up to two parameters. */
static int get(struct client *client, const char *base, const char *key, const char *value,
	       const char *second_key, const char *second_value, json_t **result,
	       struct error *error)
{
	struct http_request request = { .method = "GET" };
	struct buf target = { 0 };
	int code;

	buf_append_text(&target, base);
	client_append_query(&target, key, value);
	client_append_query(&target, second_key, second_value);
	request.target = buf_text(&target);
	code = exchange(client, &request, NULL, result, NULL, error);
	buf_fini(&target);
	return code;
}

int client_get(struct client *client, const char *const *names, size_t name_count, json_t **object,
	       char tag[CLIENT_TAG_SIZE], struct error *error)
{
	struct http_request request = { .method = "GET" };
	struct buf target = { 0 };
	int code;

	append_names(&target, names, name_count);
	request.target = buf_text(&target);
	code = exchange(client, &request, NULL, object, tag, error);
	buf_fini(&target);
	return code;
}

int client_put(struct client *client, const char *const *names, size_t name_count,
	       enum client_put_mode mode, const json_t *object, json_t **stored,
	       struct error *error)
{
	struct http_request request = { .method = "PUT" };
	struct buf target = { 0 };
	int code;

	append_names(&target, names, name_count);
	request.target = buf_text(&target);
	if (mode == CLIENT_PUT_CREATE)
		request.condition = "If-None-Match: *";
	code = exchange(client, &request, object, stored, NULL, error);
	buf_fini(&target);
	return code;
}

int client_patch(struct client *client, const char *const *names, size_t name_count,
		 const json_t *changes, const char *tag, json_t **stored, struct error *error)
{
	struct http_request request = {
		.method = "PATCH",
		.content_type = "application/merge-patch+json",
	};
	struct buf target = { 0 };
	char *condition = NULL;
	int code;

	append_names(&target, names, name_count);
	request.target = buf_text(&target);
	if (tag && *tag)
		condition = xasprintf("If-Match: %s", tag);
	request.condition = condition;
	code = exchange(client, &request, changes, stored, NULL, error);
	free(condition);
	buf_fini(&target);
	return code;
}

int client_remove(struct client *client, const char *const *names, size_t name_count,
		  json_t **applied, struct error *error)
{
	struct http_request request = { .method = "DELETE" };
	struct buf target = { 0 };
	int code;

	append_names(&target, names, name_count);
	request.target = buf_text(&target);
	code = exchange(client, &request, NULL, applied, NULL, error);
	buf_fini(&target);
	return code;
}

int client_apply(struct client *client, const json_t *tree, bool dry_run, bool prune,
		 json_t **applied, struct error *error)
{
	struct http_request request = { .method = "POST" };
	struct buf target = { 0 };
	int code;

	buf_append_text(&target, "/v1/apply");
	client_append_query(&target, "dry_run", dry_run ? "1" : NULL);
	client_append_query(&target, "prune", prune ? "1" : NULL);
	request.target = buf_text(&target);
	code = exchange(client, &request, tree, applied, NULL, error);
	buf_fini(&target);
	return code;
}

int client_trace(struct client *client, const json_t *packet, json_t **trace, struct error *error)
{
	struct http_request request = { .method = "POST", .target = "/v1/trace" };

	return exchange(client, &request, packet, trace, NULL, error);
}

int client_cluster(struct client *client, const char *verb, const json_t *wish, json_t **answer,
		   struct error *error)
{
	struct http_request request = { .method = "POST" };
	struct buf target = { 0 };
	int code;

	buf_printf(&target, "/v1/cluster/%s", verb);
	request.target = buf_text(&target);
	code = exchange(client, &request, wish, answer, NULL, error);
	buf_fini(&target);
	return code;
}

int client_export(struct client *client, json_t **tree, struct error *error)
{
	return get(client, "/v1/export", NULL, NULL, NULL, NULL, tree, error);
}

int client_status(struct client *client, json_t **status, struct error *error)
{
	return get(client, "/v1/status", NULL, NULL, NULL, NULL, status, error);
}

int client_drops(struct client *client, const char *port, json_t **drops, struct error *error)
{
	return get(client, "/v1/drops", "port", port, NULL, NULL, drops, error);
}

int client_flow_logs(struct client *client, bool write, json_t **answer, struct error *error)
{
	struct http_request request = { .method = "POST", .target = "/v1/flow_logs/write" };

	if (!write)
		return get(client, "/v1/flow_logs", NULL, NULL, NULL, NULL, answer, error);
	return exchange(client, &request, NULL, answer, NULL, error);
}

int client_flows(struct client *client, const char *port, unsigned long limit, json_t **flows,
		 struct error *error)
{
	char *text = limit ? xasprintf("%lu", limit) : NULL;
	int code = get(client, "/v1/flows", "port", port, "limit", text, flows, error);

	free(text);
	return code;
}

int client_multicast(struct client *client, const char *port, json_t **multicast,
		     struct error *error)
{
	return get(client, "/v1/multicast", "port", port, NULL, NULL, multicast, error);
}

int client_counters(struct client *client, const char *name, json_t **counters, struct error *error)
{
	return get(client, "/v1/counters", "name", name, NULL, NULL, counters, error);
}
