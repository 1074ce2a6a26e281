/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The HTTP server of the metadata; see metadata.h.
 *
 * libmicrohttpd in the daemon's loop, as in http.c. Only GET and HEAD are answered, and PUT for a token; a
 * body is thrown away as it comes. Each port and VPC may have some connections (places.h), so that none can take
 * them all, and one that stays silent is closed.
 */
#include "agent/services/metadata.h"

#include <ctype.h>
#include <errno.h>
#include <microhttpd.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <unistd.h>

#include "agent/api/http.h"
#include "agent/services/places.h"
#include "agent/services/services_private.h"
#include "base/alloc.h"
#include "base/log.h"

#define IDLE_SECONDS 10
#define MEMORY_PER_CONNECTION 8192
#define TTL_MAX 21600 /* seconds, of a token */
#define TOKEN_HEADER "X-aws-ec2-metadata-token"
#define TTL_HEADER "X-aws-ec2-metadata-token-ttl-seconds"

struct metadata_server {
	struct metadata *metadata;
	struct MHD_Daemon *daemon;
	int epoll_fd;
};

struct metadata {
	struct services *services;
	struct loop *loop;
	struct metadata_server servers[SERVICE_FAMILIES];
	size_t server_count;
	struct loop_prepare prepare;
	struct places places;
	uint8_t key[METADATA_KEY_SIZE];
};

/* What is said to a request. */
struct answer {
	unsigned int status;
	const char *content_type;
	const char *ttl;     /* of a token */
	const char *allowed; /* methods */
	struct buf body;
};

/* ---- connections ---- */

static enum MHD_Result accept_policy(void *context, const struct sockaddr *address, socklen_t size)
{
	struct metadata *metadata = context;
	const struct port_object *port = services_client(metadata->services, address);

	(void)size;
	if (port && places_has(&metadata->places, port->object.id, port->object.vpc_id))
		return MHD_YES;
	metadata->services->counts.metadata_connections_refused++;
	return MHD_NO;
}

static const struct port_object *client_of(const struct metadata *metadata,
					   struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return info ? services_client(metadata->services, info->client_addr) : NULL;
}

/* A connection is of the port that opened it, whoever has its alias later: its id is the socket's context. */
static void connection_notify(void *context, struct MHD_Connection *connection,
			      void **socket_context, enum MHD_ConnectionNotificationCode code)
{
	struct metadata *metadata = context;
	uint32_t port_id = (uint32_t)(uintptr_t)*socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		const struct port_object *port = client_of(metadata, connection);

		port_id = port ? port->object.id : 0;
		*socket_context = (void *)(uintptr_t)port_id;
		if (port)
			places_take(&metadata->places, port_id, port->object.vpc_id);
	} else if (port_id) {
		places_leave(&metadata->places, port_id);
		*socket_context = NULL;
	}
}

/* Who asks; NULL when that port is gone, or wants no metadata any more. */
static const struct port_object *asking_port(const struct metadata *metadata,
					     struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);
	const struct intent *intent = reconcile_intent(metadata->services->options.reconcile);
	const struct port_object *port = client_of(metadata, connection);
	const struct vpc_object *vpc;

	if (!port || !info || (uint32_t)(uintptr_t)info->socket_context != port->object.id)
		return NULL;
	vpc = (const struct vpc_object *)intent_object(intent, port->object.vpc_id);
	return vpc && vpc->metadata ? port : NULL;
}

/* ---- answers ---- */

static void refuse(struct answer *answer, unsigned int status, const char *sentence)
{
	answer->status = status;
	buf_reset(&answer->body);
	buf_printf(&answer->body, "%s\n", sentence);
}

static void refuse_method(struct answer *answer, const char *allowed, const char *sentence)
{
	refuse(answer, MHD_HTTP_METHOD_NOT_ALLOWED, sentence);
	answer->allowed = allowed;
}

static uint64_t now_seconds(const struct metadata *metadata)
{
	return clock_monotonic_ns(loop_clock(metadata->loop)) / CLOCK_NS_PER_SECOND;
}

static const char *header_of(struct MHD_Connection *connection, const char *name)
{
	return MHD_lookup_connection_value(connection, MHD_HEADER_KIND, name);
}

/* PUT /latest/api/token (IMDSv2). Who stands behind a proxy gets none. */
static void answer_token(const struct metadata *metadata, struct MHD_Connection *connection,
			 const struct port_object *port, struct answer *answer)
{
	const char *ttl = header_of(connection, TTL_HEADER);
	char token[METADATA_TOKEN_SIZE], *end;
	unsigned long seconds;

	if (header_of(connection, "X-Forwarded-For")) {
		refuse(answer, MHD_HTTP_FORBIDDEN, "no token for a proxy");
		return;
	}
	seconds = ttl && isdigit((unsigned char)*ttl) ? strtoul(ttl, &end, 10) : 0;
	if (!seconds || *end || seconds > TTL_MAX) {
		refuse(answer, MHD_HTTP_BAD_REQUEST, TTL_HEADER ": 1 to 21600 seconds");
		return;
	}
	metadata_token(metadata->key, port->object.id, now_seconds(metadata) + seconds, token);
	buf_append_text(&answer->body, token);
	answer->ttl = ttl;
}

static void answer_tree(const struct metadata *metadata, const struct port_object *port,
			const char *path, struct answer *answer)
{
	const struct intent *intent = reconcile_intent(metadata->services->options.reconcile);
	json_t *tree = metadata_tree(intent, port);

	if (!metadata_look_up(tree, path, &answer->body))
		refuse(answer, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
	json_decref(tree);
}

static void answer_json(const struct metadata *metadata, const struct port_object *port,
			struct answer *answer)
{
	const struct intent *intent = reconcile_intent(metadata->services->options.reconcile);
	json_t *json = metadata_port(intent, port);
	char *text = json_dumps(json, JSON_INDENT(2));

	buf_printf(&answer->body, "%s\n", text);
	answer->content_type = "application/json";
	free(text);
	json_decref(json);
}

/* "/latest/…", or with the date of a version of EC2's; what is behind it, NULL if it is neither. */
static const char *behind_version(const char *path)
{
	static const char shape[] = "0000-00-00";
	size_t length;

	if (*path != '/')
		return NULL;
	path++;
	length = strcspn(path, "/");
	if (length != strlen("latest") || strncmp(path, "latest", length) != 0) {
		if (length != strlen(shape))
			return NULL;
		for (size_t i = 0; i < length; i++)
			if (shape[i] == '0' ? !isdigit((unsigned char)path[i]) : path[i] != '-')
				return NULL;
	}
	path += length;
	return *path ? path + 1 : path;
}

static void answer_path(const struct metadata *metadata, const struct port_object *port,
			const char *path, struct answer *answer)
{
	const char *rest = behind_version(path);

	if (strcmp(path, "/weft/v1/port") == 0)
		answer_json(metadata, port, answer);
	else if (strcmp(path, "/") == 0)
		buf_append_text(&answer->body, "2009-04-04\n2021-03-23\nlatest\nweft");
	else if (rest && !*rest)
		buf_append_text(&answer->body,
				port->user_data ? "meta-data\nuser-data" : "meta-data");
	else if (rest && strcmp(rest, "user-data") == 0 && port->user_data)
		buf_append_text(&answer->body, port->user_data);
	else if (rest && strcmp(rest, "meta-data") == 0)
		answer_tree(metadata, port, "", answer);
	else if (rest && strncmp(rest, "meta-data/", 10) == 0)
		answer_tree(metadata, port, rest + 10, answer);
	else
		refuse(answer, MHD_HTTP_NOT_FOUND, "there is nothing at this path");
}

/* The path of a target, which may be a whole URL (RFC 9112, 3.2.2). */
static const char *path_of(const char *target)
{
	static const char scheme[] = "http://";

	if (strncasecmp(target, scheme, strlen(scheme)) != 0)
		return target;
	target += strlen(scheme);
	target += strcspn(target, "/");
	return *target ? target : "/";
}

static void answer_request(const struct metadata *metadata, struct MHD_Connection *connection,
			   const char *method, const char *path, struct answer *answer)
{
	const struct port_object *port = asking_port(metadata, connection);
	const char *token = header_of(connection, TOKEN_HEADER), *rest = behind_version(path);
	bool is_token = rest && strcmp(rest, "api/token") == 0;

	if (!port)
		refuse(answer, MHD_HTTP_NOT_FOUND, "this port has no metadata");
	else if (is_token && strcmp(method, MHD_HTTP_METHOD_PUT) == 0)
		answer_token(metadata, connection, port, answer);
	else if (is_token)
		refuse_method(answer, "PUT", "a token is asked for with PUT");
	else if (strcmp(method, MHD_HTTP_METHOD_GET) != 0 &&
		 strcmp(method, MHD_HTTP_METHOD_HEAD) != 0)
		refuse_method(answer, "GET, HEAD", "metadata is read with GET");
	else if (token && !metadata_token_holds(metadata->key, port->object.id,
						now_seconds(metadata), token))
		refuse(answer, MHD_HTTP_UNAUTHORIZED, "the token does not hold");
	else
		answer_path(metadata, port, path, answer);
}

static enum MHD_Result respond(struct metadata *metadata, struct MHD_Connection *connection,
			       struct answer *answer)
{
	size_t size;
	char *body = buf_steal(&answer->body, &size);
	struct MHD_Response *response =
		MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	if (!response) {
		free(body);
		return MHD_NO;
	}
	metadata->services->counts.metadata_requests++;
	if (answer->status >= 400)
		metadata->services->counts.metadata_refused++;
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, answer->content_type);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	if (answer->ttl)
		MHD_add_response_header(response, TTL_HEADER, answer->ttl);
	if (answer->allowed)
		MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, answer->allowed);
	result = MHD_queue_response(connection, answer->status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection,
				  const char *target, const char *method, const char *version,
				  const char *data, size_t *data_size, void **request_context)
{
	static char seen; /* any address: the head of the request has come */
	struct metadata *metadata = context;
	struct answer answer = { .status = MHD_HTTP_OK, .content_type = "text/plain" };

	(void)version;
	(void)data;
	if (!*request_context) {
		*request_context = &seen;
		return MHD_YES;
	}
	if (*data_size) {
		*data_size = 0;
		return MHD_YES;
	}
	answer_request(metadata, connection, method, path_of(target), &answer);
	return respond(metadata, connection, &answer);
}

/* ---- in the loop ---- */

static void server_ready(void *context, int fd, uint32_t events)
{
	struct metadata_server *server = context;

	(void)fd;
	(void)events;
	MHD_run(server->daemon);
}

/* Before each wait: run what is due, and say how long libmicrohttpd can wait for its timeouts. */
static int prepare(void *context)
{
	struct metadata *metadata = context;
	int wait = -1;

	for (size_t i = 0; i < metadata->server_count; i++)
		wait = http_wait(metadata->servers[i].daemon, wait);
	return wait;
}

/* ---- open and close ---- */

static int serve(struct metadata *metadata, int *fd, struct error *error)
{
	struct metadata_server *server = &metadata->servers[metadata->server_count];
	const union MHD_DaemonInfo *info;
	int code;

	server->metadata = metadata;
	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL, 0, accept_policy, metadata, on_request, metadata,
		MHD_OPTION_LISTEN_SOCKET, *fd, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
		MHD_OPTION_CONNECTION_LIMIT, PLACES, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
		(size_t)MEMORY_PER_CONNECTION, MHD_OPTION_NOTIFY_CONNECTION, connection_notify,
		metadata, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!server->daemon)
		return error_set(error, EINVAL, NULL, "the metadata server does not start");
	*fd = -1; /* libmicrohttpd's to close */
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->epoll_fd = info->epoll_fd;
	metadata->server_count++;
	code = loop_add_fd(metadata->loop, server->epoll_fd, EPOLLIN, server_ready, server);
	return code ? error_set(error, code, NULL, "metadata cannot be served: %s", strerror(-code))
		    : 0;
}

int metadata_open(struct services *services, struct metadata **metadata, struct error *error)
{
	struct metadata *new = xcalloc(1, sizeof(*new));
	int code = 0;

	new->services = services;
	new->loop = services->options.loop;
	loop_prepare_add(new->loop, &new->prepare, prepare, new);
	*metadata = new;
	if (getrandom(new->key, sizeof(new->key), 0) != (ssize_t)sizeof(new->key))
		return error_set(error, errno, NULL, "no random numbers: %s", strerror(errno));
	for (int family = 0; family < SERVICE_FAMILIES && !code; family++)
		if (services->metadata_tcp[family] >= 0)
			code = serve(new, &services->metadata_tcp[family], error);
	return code;
}

void metadata_close(struct metadata *metadata)
{
	if (!metadata)
		return;
	loop_prepare_remove(&metadata->prepare);
	for (size_t i = 0; i < metadata->server_count; i++) {
		loop_remove_fd(metadata->loop, metadata->servers[i].epoll_fd);
		MHD_stop_daemon(metadata->servers[i].daemon);
	}
	places_fini(&metadata->places);
	free(metadata);
}
