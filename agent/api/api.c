/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of routes, the way from a request to its handler, and the usual answers.
 *
 * A pattern is a path whose segments in braces stand for a name. The table is walked from the top; the
 * path is known as soon as one pattern fits, and then a method that no fitting row has is a 405.
 */
#include "agent/api/api_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "agent/names.h"
#include "base/json.h"

struct api_route {
	const char *method;
	const char *pattern;
	enum object_kind kind;
	api_handler *handler;
};

/* size-ok: a table of routes. */
#define OBJECT_ROUTES(kind, collection, item)                                                      \
	{ "GET", collection, kind, api_collection_get }, { "GET", item, kind, api_object_get },    \
		{ "PUT", item, kind, api_object_put }, { "PATCH", item, kind, api_object_patch },  \
	{                                                                                          \
		"DELETE", item, kind, api_object_delete                                            \
	}
#define IN_VPC(kind, word)                                                                         \
	OBJECT_ROUTES(kind, "/v1/vpcs/{vpc}/" word, "/v1/vpcs/{vpc}/" word "/{name}")

static const struct api_route routes[] = {
	OBJECT_ROUTES(OBJECT_VPC, "/v1/vpcs", "/v1/vpcs/{vpc}"),
	IN_VPC(OBJECT_SUBNET, "subnets"),
	IN_VPC(OBJECT_PORT, "ports"),
	IN_VPC(OBJECT_ROUTE_TABLE, "route_tables"),
	IN_VPC(OBJECT_SECURITY_GROUP, "security_groups"),
	IN_VPC(OBJECT_ACL, "acls"),
	IN_VPC(OBJECT_TUNNEL, "tunnels"),
	OBJECT_ROUTES(OBJECT_HOST, "/v1/hosts", "/v1/hosts/{name}"),
	{ "POST", "/v1/apply", OBJECT_KINDS, api_apply },
	{ "GET", "/v1/export", OBJECT_KINDS, api_export },
	{ "POST", "/v1/cluster/init", OBJECT_KINDS, api_cluster_init },
	{ "POST", "/v1/cluster/join", OBJECT_KINDS, api_cluster_join },
	{ "POST", "/v1/cluster/token", OBJECT_KINDS, api_cluster_token },
	{ "POST", "/v1/trace", OBJECT_KINDS, api_trace },
	{ "GET", "/v1/events", OBJECT_KINDS, api_events },
	{ "GET", "/v1/drops", OBJECT_KINDS, api_drops },
	{ "GET", "/v1/capture", OBJECT_KINDS, api_capture },
	{ "GET", "/v1/flows", OBJECT_KINDS, api_flows },
	{ "GET", "/v1/multicast", OBJECT_KINDS, api_multicast },
	{ "GET", "/v1/flow_logs", OBJECT_KINDS, api_flow_logs },
	{ "POST", "/v1/flow_logs/write", OBJECT_KINDS, api_flow_logs_write },
	{ "GET", "/v1/counters", OBJECT_KINDS, api_counters },
	{ "GET", "/v1/status", OBJECT_KINDS, api_status },
	{ "GET", "/metrics", OBJECT_KINDS, api_metrics },
	{ "GET", "/openapi.json", OBJECT_KINDS, api_openapi },
	{ "GET", "/healthz", OBJECT_KINDS, api_health },
};

bool api_route_at(size_t index, const char **method, const char **pattern)
{
	if (index >= ARRAY_SIZE(routes))
		return false;
	*method = routes[index].method;
	*pattern = routes[index].pattern;
	return true;
}

/* ---- answers ---- */

void api_response_json(struct api_response *response, unsigned int status, json_t *document)
{
	char *text = json_dumps(document, JSON_COMPACT);

	response->status = status;
	response->content_type = "application/json";
	buf_append_text(&response->body, text);
	buf_append_char(&response->body, '\n');
	free(text);
	json_decref(document);
}

void api_json(struct api_call *call, unsigned int status, json_t *document)
{
	api_response_json(call->response, status, document);
}

void api_text(struct api_call *call, const char *content_type, const char *text, size_t len)
{
	call->response->status = 200;
	call->response->content_type = content_type;
	buf_append(&call->response->body, text, len);
}

void api_response_error(struct api_response *response, unsigned int status, const char *code,
			const char *path, const char *message)
{
	json_t *document = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", code, "message",
				     message, "path", path ? path : "");
	char *text;

	/* A sentence that quotes input is not UTF-8 when the input was not. */
	if (!document)
		document = json_pack("{s:{s:s, s:s, s:s}}", "error", "code", code, "message",
				     "the input is not UTF-8", "path", "");
	text = json_dumps(document, JSON_COMPACT);
	response->status = status;
	response->content_type = "application/json";
	buf_reset(&response->body);
	buf_append_text(&response->body, text);
	buf_append_char(&response->body, '\n');
	free(text);
	json_decref(document);
}

struct error_status {
	int code;
	unsigned int status;
	const char *name;
};

static const struct error_status error_statuses[] = {
	{ EINVAL, 400, "bad_request" },
	{ ERANGE, 400, "bad_request" },
	{ EMSGSIZE, 400, "bad_request" },
	{ EFBIG, 400, "too_large" },
	{ EPERM, 403, "forbidden" },
	{ EACCES, 403, "forbidden" },
	{ EADDRNOTAVAIL, 400, "bad_request" },
	{ E2BIG, 400, "too_large" },
	{ ENOENT, 404, "not_found" },
	{ EEXIST, 409, "exists" },
	{ EBUSY, 409, "in_use" },
	{ EDQUOT, 409, "limit" },
	{ EAGAIN, 409, "conflict" },
	{ ESTALE, 412, "precondition_failed" },
	{ EROFS, 503, "read_only" },
	{ ENOLCK, 503, "busy" },
	{ EIO, 503, "unavailable" },
	{ EHOSTUNREACH, 503, "unavailable" },
	{ ENETUNREACH, 503, "unavailable" },
	{ ECONNREFUSED, 503, "unavailable" },
	{ ECONNABORTED, 503, "unavailable" },
	{ ETIMEDOUT, 503, "unavailable" },
	{ EPROTO, 503, "unavailable" },
	{ EUCLEAN, 503, "unavailable" },
	{ ENOTSUP, 503, "unavailable" },
	{ ENOSPC, 507, "storage_full" },
};

void api_fail(struct api_call *call, const struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_statuses); i++) {
		const struct error_status *row = &error_statuses[i];

		if (row->code == -error->code) {
			api_response_error(call->response, row->status, row->name, error->path,
					   error->text);
			return;
		}
	}
	api_response_error(call->response, 500, "internal", error->path, error->text);
}

void api_refuse(struct api_call *call, unsigned int status, const char *path, const char *format,
		...)
{
	struct error error = { 0 };
	va_list arguments;

	va_start(arguments, format);
	error_vset(&error, status == 404 ? ENOENT : EINVAL, path, format, arguments);
	va_end(arguments);
	api_fail(call, &error);
}

/* ---- what handlers ask for ---- */

struct intent *api_intent(const struct api_call *call)
{
	return reconcile_intent(call->api->reconcile);
}

const char *api_query(const struct api_call *call, const char *key)
{
	for (size_t i = 0; i < call->request->query_count; i++)
		if (strcmp(call->request->query[i].key, key) == 0)
			return call->request->query[i].value;
	return NULL;
}

bool api_query_flag(struct api_call *call, const char *key, bool *value)
{
	const char *text = api_query(call, key);

	*value = text && strcmp(text, "1") == 0;
	if (!text || *value || strcmp(text, "0") == 0)
		return true;
	api_refuse(call, 400, key, "the parameter %s is 0 or 1", key);
	return false;
}

const struct object *api_find(struct api_call *call, enum object_kind kind, const char *key,
			      const char *name)
{
	const struct object *found = names_find(api_intent(call), kind, name);
	const char *slash = strchr(name, '/');
	const char *path[4] = { "vpcs", NULL, object_kind_plural(kind), NULL };
	struct error error = { 0 };
	char *vpc;

	if (found)
		return found;
	if (slash) {
		vpc = xstrndup(name, (size_t)(slash - name));
		if (!reconcile_need_vpc(call->api->reconcile, vpc, &error))
			found = names_find(api_intent(call), kind, name);
		free(vpc);
		if (found)
			return found;
		error_clear(&error);
	}
	if (!slash) {
		api_refuse(call, 404, key, "\"%s\" is no name of a %s: VPC/NAME, such as blue/web1",
			   name, object_kind_word(kind));
		return NULL;
	}
	vpc = xstrndup(name, (size_t)(slash - name));
	path[1] = vpc;
	path[3] = slash + 1;
	json_decref(intent_get(api_intent(call), path, 4, &error));
	snprintf(error.path, sizeof(error.path), "%s", key);
	api_fail(call, &error);
	free(vpc);
	return NULL;
}

bool api_query_port(struct api_call *call, uint32_t *port_id)
{
	const char *name = api_query(call, "port");
	const struct object *port;

	*port_id = 0;
	if (!name)
		return true;
	port = api_find(call, OBJECT_PORT, "port", name);
	if (port)
		*port_id = port->id;
	return port != NULL;
}

/* A path inside the body of one object becomes one of the tree. */
static void api_place(const struct api_call *call, struct error *error)
{
	struct buf path = { 0 };

	if (call->kind == OBJECT_KINDS || !error->path[0])
		return;
	for (size_t i = 0; i < call->segment_count; i++)
		buf_printf(&path, "%s.", call->segments[i]);
	buf_append_text(&path, error->path);
	snprintf(error->path, sizeof(error->path), "%s", buf_text(&path));
	buf_fini(&path);
}

json_t *api_body(struct api_call *call)
{
	const struct api_request *request = call->request;
	struct error error = { 0 };
	json_t *document;

	if (request->body_size == 0) {
		api_refuse(call, 400, NULL, "the request needs a body: a JSON object");
		return NULL;
	}
	if (json_load_text(request->body, request->body_size, API_BODY_SIZE_MAX, &document,
			   &error)) {
		api_place(call, &error);
		api_fail(call, &error);
		return NULL;
	}
	if (!json_is_object(document)) {
		api_refuse(call, 400, NULL, "the body must be an object, not %s",
			   json_type_name(document));
		json_decref(document);
		return NULL;
	}
	return document;
}

json_t *api_changes(struct api_call *call, const struct draft *draft)
{
	size_t count;
	const struct change *changes = draft_changes(draft, &count);

	return names_changes(api_intent(call), changes, count);
}

/* ---- dispatch ---- */

/* Whether the segments fit the pattern. Both are cut at slashes; a brace stands for any one segment. */
static bool pattern_fits(const char *pattern, const char *const *segments, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		size_t len;

		if (*pattern++ != '/')
			return false;
		len = strcspn(pattern, "/");
		if (*pattern != '{' &&
		    (strlen(segments[i]) != len || memcmp(pattern, segments[i], len) != 0))
			return false;
		pattern += len;
	}
	return *pattern == '\0';
}

static size_t split_path(char *path, const char **segments, size_t room)
{
	size_t count = 0;

	if (*path != '/')
		return 0;
	while (*path == '/') {
		*path++ = '\0';
		if (count == room)
			return 0;
		segments[count++] = path;
		path += strcspn(path, "/");
	}
	return count;
}

/* What is asked for must be here: VPCs that other hosts have are read from the store. */
static bool api_hold(struct api_call *call, const char *const *segments, size_t count)
{
	struct reconcile *reconcile = call->api->reconcile;
	struct error error = { 0 };
	int code = 0;

	if (count >= 3 && strcmp(segments[1], "vpcs") == 0)
		code = reconcile_need_vpc(reconcile, segments[2], &error);
	else if (count == 3 && strcmp(segments[1], "hosts") == 0 &&
		 strcmp(call->request->method, "GET") != 0)
		code = reconcile_need_parts_of(reconcile, segments[2], &error);
	if (code)
		api_fail(call, &error);
	return !code;
}

static void api_run(struct api_call *call, const struct api_route *route,
		    const char *const *segments, size_t count)
{
	/* The model's path begins behind "v1". */
	for (size_t i = 1; i < count; i++)
		call->segments[i - 1] = segments[i];
	call->segment_count = count - 1;
	call->kind = route->kind;
	if (api_hold(call, segments, count))
		route->handler(call);
}

void api_handle(struct api *api, const struct api_request *request, struct api_response *response)
{
	struct api_call call = { .api = api, .request = request, .response = response };
	const char *segments[API_SEGMENTS_MAX + 1];
	char *path = xstrdup(request->path);
	size_t count = split_path(path, segments, ARRAY_SIZE(segments));
	bool known = false;

	*response = (struct api_response){ 0 };
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		const struct api_route *route = &routes[i];
		size_t len = strlen(response->allow);

		if (!count || !pattern_fits(route->pattern, segments, count))
			continue;
		if (strcmp(route->method, request->method) == 0) {
			response->allow[0] = '\0';
			api_run(&call, route, segments, count);
			free(path);
			return;
		}
		known = true;
		snprintf(response->allow + len, sizeof(response->allow) - len, "%s%s",
			 len ? ", " : "", route->method);
	}
	if (known)
		api_response_error(response, 405, "method_not_allowed", NULL,
				   "the resource is there, but not for this method");
	else
		api_response_error(response, 404, "not_found", NULL,
				   "no such resource; /openapi.json lists what there is");
	free(path);
}

void api_response_fini(struct api_response *response)
{
	buf_fini(&response->body);
	if (response->source)
		response->source->free(response->source);
	response->source = NULL;
}
