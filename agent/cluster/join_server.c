/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libmicrohttpd with TLS for one request; see join_server.h.
 */
#include "agent/cluster/join_server.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/api/http_listen.h"
#include "agent/cluster/cluster_setup.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/log.h"

#define CONNECTIONS 16
#define CONNECTIONS_PER_IP 4
#define IDLE_SECONDS 10
#define BODY_SIZE_MAX (32U << 10)
#define FAILURES_PER_SECOND 5 /* wrong secrets that are looked at; the rest is refused unseen */

struct join_server {
	struct loop *loop;
	const char *state;
	char *chain, *key;
	struct MHD_Daemon *daemon;
	int epoll_fd;
	struct loop_prepare prepare;
	uint64_t failure_second;
	unsigned int failures;
};

static enum MHD_Result answer_json(struct MHD_Connection *connection, unsigned int status,
				   json_t *document)
{
	char *text = json_dumps(document, JSON_COMPACT);
	struct MHD_Response *response =
		MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE);
	enum MHD_Result result;

	json_decref(document);
	MHD_add_response_header(response, MHD_HTTP_HEADER_CONTENT_TYPE, "application/json");
	result = MHD_queue_response(connection, status, response);
	MHD_destroy_response(response);
	return result;
}

static enum MHD_Result refuse(struct MHD_Connection *connection, unsigned int status,
			      const char *sentence)
{
	return answer_json(connection, status,
			   json_pack("{s:{s:s}}", "error", "message", sentence));
}

static bool has_secret(struct join_server *server, struct MHD_Connection *connection)
{
	const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_AUTHORIZATION);
	uint64_t second = clock_monotonic_ns(NULL) / CLOCK_NS_PER_SECOND;

	if (second != server->failure_second) {
		server->failure_second = second;
		server->failures = 0;
	}
	if (server->failures >= FAILURES_PER_SECOND)
		return false;
	if (header && strncasecmp(header, "Bearer ", 7) == 0 &&
	    cluster_token_fits(server->state, header + 7))
		return true;
	server->failures++;
	return false;
}

static enum MHD_Result answer(struct join_server *server, struct MHD_Connection *connection,
			      const char *path, const char *method, const struct buf *body)
{
	struct error error = { 0 };
	json_t *document = NULL, *admitted = NULL;
	enum MHD_Result result;

	if (strcmp(path, "/v1/join") != 0 || strcmp(method, "POST") != 0)
		return refuse(connection, 404, "only POST /v1/join is answered here");
	if (!has_secret(server, connection)) {
		log_limited(LOG_LEVEL_WARNING, "a wrong token was shown");
		return refuse(connection, 401,
			      "the token is wrong or too old; `weft host token` on this host makes "
			      "a new one");
	}
	if (json_load_text(buf_text(body), body->size, BODY_SIZE_MAX, &document, &error) ||
	    cluster_admit(server->state, document, &admitted, &error))
		result = refuse(connection, 400, error.text);
	else
		result = answer_json(connection, 200, admitted);
	json_decref(document);
	return result;
}

static enum MHD_Result on_access(void *context, struct MHD_Connection *connection, const char *path,
				 const char *method, const char *version, const char *data,
				 size_t *data_size, void **request_context)
{
	struct buf *body = *request_context;

	(void)version;
	if (!body) {
		*request_context = xcalloc(1, sizeof(*body));
		return MHD_YES;
	}
	if (*data_size == 0)
		return answer(context, connection, path, method, body);
	if (body->size + *data_size > BODY_SIZE_MAX)
		return MHD_NO;
	buf_append(body, data, *data_size);
	*data_size = 0;
	return MHD_YES;
}

static void on_completed(void *context, struct MHD_Connection *connection, void **request_context,
			 enum MHD_RequestTerminationCode why)
{
	struct buf *body = *request_context;

	(void)context;
	(void)connection;
	(void)why;
	if (!body)
		return;
	buf_fini(body);
	free(body);
	*request_context = NULL;
}

/* ---- in the loop ---- */

static void ready(void *context, int fd, uint32_t events)
{
	struct join_server *server = context;

	(void)fd;
	(void)events;
	MHD_run(server->daemon);
}

static int prepare(void *context)
{
	struct join_server *server = context;
	MHD_UNSIGNED_LONG_LONG timeout;

	if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES)
		return -1;
	if (timeout == 0) {
		MHD_run(server->daemon);
		if (MHD_get_timeout(server->daemon, &timeout) != MHD_YES)
			return -1;
	}
	return timeout > IDLE_SECONDS * 1000 ? IDLE_SECONDS * 1000 : (int)timeout;
}

static int start(struct join_server *server, int fd, struct error *error)
{
	const union MHD_DaemonInfo *info;

	server->daemon = MHD_start_daemon(
		MHD_USE_EPOLL | MHD_USE_TLS, 0, NULL, NULL, on_access, server,
		MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS,
		MHD_OPTION_CONNECTION_LIMIT, CONNECTIONS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
		CONNECTIONS_PER_IP, MHD_OPTION_HTTPS_MEM_CERT, server->chain,
		MHD_OPTION_HTTPS_MEM_KEY, server->key, MHD_OPTION_NOTIFY_COMPLETED, on_completed,
		NULL, MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_END);
	if (!server->daemon) {
		close(fd);
		return error_set(error, EINVAL, NULL, "the TLS server for joining does not start");
	}
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->epoll_fd = info->epoll_fd;
	loop_prepare_add(server->loop, &server->prepare, prepare, server);
	return loop_add_fd(server->loop, server->epoll_fd, EPOLLIN, ready, server);
}

static int read_chain(struct join_server *server, struct error *error)
{
	char *own = NULL, *authority = NULL;
	int code = cluster_config_read_file(server->state, "tls/host.pem", &own, error);

	if (!code)
		code = cluster_config_read_file(server->state, "tls/ca.pem", &authority, error);
	if (!code)
		code = cluster_config_read_file(server->state, "tls/host.key", &server->key, error);
	if (!code)
		server->chain = xasprintf("%s%s", own, authority);
	free(own);
	free(authority);
	return code;
}

int join_server_open(struct loop *loop, const char *state, const struct cluster_config *config,
		     struct join_server **server, struct error *error)
{
	char *path = cluster_config_path(state, "tls/ca.key");
	bool signs = access(path, R_OK) == 0;
	char address[IP_ADDRESS_TEXT_SIZE], listen_at[IP_ADDRESS_TEXT_SIZE + 16];
	struct join_server *new;
	int code, fd;

	free(path);
	*server = NULL;
	if (!signs || !config->underlay_count)
		return 0;
	new = xcalloc(1, sizeof(*new));
	new->loop = loop;
	new->state = state;
	ip_address_format(&config->underlay[0].address, address);
	snprintf(listen_at, sizeof(listen_at),
		 ip_address_is_ipv4(&config->underlay[0].address) ? "%s:%d" : "[%s]:%d", address,
		 CLUSTER_PORT);
	code = read_chain(new, error);
	if (!code) {
		fd = http_listen_tcp(listen_at, error);
		code = fd < 0 ? fd : start(new, fd, error);
	}
	if (code) {
		join_server_close(new);
		return code;
	}
	*server = new;
	return 0;
}

void join_server_close(struct join_server *server)
{
	if (!server)
		return;
	if (server->daemon) {
		loop_prepare_remove(&server->prepare);
		loop_remove_fd(server->loop, server->epoll_fd);
		MHD_stop_daemon(server->daemon);
	}
	free(server->chain);
	if (server->key)
		explicit_bzero(server->key, strlen(server->key));
	free(server->key);
	free(server);
}
