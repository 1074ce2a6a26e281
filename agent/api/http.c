/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * libmicrohttpd in the daemon's loop; see http.h.
 *
 * A request's life: the first call of http_access() makes a struct http_request and decides whether the
 * peer may; further calls bring the body; the last one runs the API and queues the response. A
 * body that is too large is read to its end and thrown away, so that the client reads the refusal
 * instead of a broken connection. A stream (events) is suspended while its queue is empty, and a request
 * while its answer waits for another host.
 *
 * A connection is silent until the head of a request of somebody who may has come, and again when it was
 * answered. Silent connections are kept in the order in which they fell silent.
 *
 * The unix socket's path is looked at each second. When it leads to us no more (somebody has removed it),
 * another server listens at a new socket; the one before accepts nobody any more and lives until its
 * connections have ended.
 */
#include "agent/api/http.h"

#include <errno.h>
#include <microhttpd.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/api/http_listen.h"
#include "base/alloc.h"
#include "base/file.h"
#include "base/list.h"
#include "base/log.h"

#define CONNECTIONS_UNIX 512
#define CONNECTIONS_TCP 256
#define CONNECTIONS_PER_IP 32
#define IDLE_SECONDS 30
#define KEEPALIVE_SECONDS 15
#define LOOK_SECONDS 1
#define DISCARD_SIZE_MAX (64U << 20)
#define STREAMS_MAX 128
#define STREAM_PIECE_SIZE 32768
#define TOKEN_LENGTH_MIN 16
#define TOKEN_LENGTH_MAX 512
#define PEM_SIZE_MAX (256U << 10)

/* One socket that is listened on. */
struct http_server {
	struct list node;
	struct http *http;
	struct MHD_Daemon *daemon;
	int epoll_fd;
	bool tls;           /* over TCP: a token is needed */
	bool cut_off;       /* its socket is gone: it has the connections from before */
	struct list silent; /* struct http_connection, the longest first */
	size_t silent_count, silent_max;
};

struct http_connection {
	struct list node; /* of the silent ones; by itself if it is not silent */
	int fd;           /* libmicrohttpd's */
};

struct http {
	struct loop *loop;
	struct api *api;
	struct list servers;
	struct loop_prepare prepare;
	struct loop_deferred run;
	struct loop_timer keepalive;
	struct loop_timer look;
	struct list streams;
	size_t stream_count;
	struct list waiting; /* struct http_request with an answer that is to come */
	char *socket_path;
	struct http_place place; /* of the socket at that path */
	char *token;
	struct buf certificate, key;
};

/* What is known of a request between the calls of libmicrohttpd. */
struct http_request {
	struct buf body;
	size_t discarded;
	bool too_large;
	bool allowed;
	struct list node;
	struct http *http;
	struct MHD_Connection *connection; /* that waits */
	struct api_later *later;
	bool suspended;
};

/* One client of /v1/events, or of another source. */
struct http_stream {
	struct list node;
	struct http *http;
	struct MHD_Connection *connection;
	struct event_subscriber *subscriber; /* NULL where there is a source */
	struct api_stream *source;
	bool suspended;
	bool greeted;
};

/* ---- silent connections ---- */

static struct http_connection *connection_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

	return info ? info->socket_context : NULL;
}

static void connection_speaks(struct http_server *server, struct http_connection *connection)
{
	if (list_is_empty(&connection->node))
		return;
	list_remove(&connection->node);
	server->silent_count--;
}

static void connection_falls_silent(struct http_server *server, struct http_connection *connection)
{
	struct http_connection *longest;

	connection_speaks(server, connection);
	list_push_back(&server->silent, &connection->node);
	if (++server->silent_count <= server->silent_max)
		return;
	longest = container_of(server->silent.next, struct http_connection, node);
	connection_speaks(server, longest);
	/* libmicrohttpd sees the end of the connection and closes it. */
	shutdown(longest->fd, SHUT_RDWR);
}

static void http_connection_notify(void *context, struct MHD_Connection *mhd, void **socket_context,
				   enum MHD_ConnectionNotificationCode code)
{
	struct http_server *server = context;
	struct http_connection *connection = *socket_context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		connection = xcalloc(1, sizeof(*connection));
		list_init(&connection->node);
		connection->fd =
			MHD_get_connection_info(mhd, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
		*socket_context = connection;
		connection_falls_silent(server, connection);
	} else if (connection) {
		connection_speaks(server, connection);
		free(connection);
		*socket_context = NULL;
	}
}

/* ---- who may ---- */

/* Takes as long whatever is wrong, so that a token cannot be guessed letter by letter. */
static bool token_equal(const char *a, const char *b)
{
	size_t a_len = strlen(a), b_len = strlen(b);
	unsigned char differs = a_len != b_len;

	for (size_t i = 0; i < b_len; i++)
		differs |= (unsigned char)(a[i < a_len ? i : 0] ^ b[i]);
	return !differs;
}

static bool peer_has_token(const struct http *http, struct MHD_Connection *connection)
{
	const char *header = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							 MHD_HTTP_HEADER_AUTHORIZATION);

	return header && strncasecmp(header, "Bearer ", 7) == 0 &&
	       token_equal(header + 7, http->token);
}

static bool peer_has_uid(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (!info || getsockopt(info->connect_fd, SOL_SOCKET, SO_PEERCRED, &peer, &size))
		return false;
	return peer.uid == 0 || peer.uid == geteuid();
}

/* ---- streams ---- */

static void stream_wake(void *context)
{
	struct http_stream *stream = context;

	if (!stream->suspended)
		return;
	stream->suspended = false;
	MHD_resume_connection(stream->connection);
	loop_defer(stream->http->loop, &stream->http->run);
}

/* What was read; nothing: the connection rests until there is more. */
static ssize_t stream_wait(struct http_stream *stream, size_t count)
{
	if (!count) {
		stream->suspended = true;
		MHD_suspend_connection(stream->connection);
	}
	return (ssize_t)count;
}

static ssize_t stream_read(void *context, uint64_t position, char *text, size_t size)
{
	static const char greeting[] = ": weft events\n\n";
	struct http_stream *stream = context;
	size_t count;

	(void)position;
	if (stream->source) {
		count = stream->source->read(stream->source, text, size);
		if (!count && stream->source->ended(stream->source))
			return MHD_CONTENT_READER_END_OF_STREAM;
		return stream_wait(stream, count);
	}
	if (!stream->greeted && size >= sizeof(greeting)) {
		stream->greeted = true;
		memcpy(text, greeting, sizeof(greeting) - 1);
		return sizeof(greeting) - 1;
	}
	count = event_subscriber_read(stream->subscriber, text, size);
	return stream_wait(stream, count);
}

static void stream_free(void *context)
{
	struct http_stream *stream = context;

	event_subscriber_free(stream->subscriber);
	if (stream->source)
		stream->source->free(stream->source);
	list_remove(&stream->node);
	stream->http->stream_count--;
	free(stream);
}

static struct MHD_Response *stream_new(struct http *http, struct MHD_Connection *connection,
				       struct api_response *response)
{
	struct http_stream *stream = xcalloc(1, sizeof(*stream));

	stream->http = http;
	stream->connection = connection;
	stream->source = response->source;
	response->source = NULL;
	if (stream->source) {
		stream->source->wake = stream_wake;
		stream->source->wake_context = stream;
	} else {
		stream->subscriber =
			events_subscribe(http->api->events, &response->filter, stream_wake, stream);
	}
	list_push_back(&http->streams, &stream->node);
	http->stream_count++;
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_PIECE_SIZE, stream_read,
						 stream, stream_free);
}

static void http_keepalive(void *context)
{
	struct http *http = context;
	struct http_stream *stream;

	events_keepalive(http->api->events);
	LIST_FOR_EACH(stream, &http->streams, node)
		if (stream->source)
			stream->source->keepalive(stream->source);
}

/* ---- a request ---- */

static enum MHD_Result take_query(void *context, enum MHD_ValueKind kind, const char *key,
				  const char *value)
{
	struct api_request *request = context;

	(void)kind;
	if (request->query_count < API_QUERY_MAX)
		request->query[request->query_count++] =
			(struct api_query){ key, value ? value : "" };
	return MHD_YES;
}

static enum MHD_Result http_respond(struct http *http, struct MHD_Connection *connection,
				    struct api_response *response)
{
	struct MHD_Response *answer;
	enum MHD_Result result;
	size_t size;
	char *body;

	if (response->stream && http->stream_count >= STREAMS_MAX) {
		response->stream = false;
		api_response_error(response, 503, "unavailable", NULL,
				   "too many clients listen already");
	}
	if (response->stream) {
		answer = stream_new(http, connection, response);
	} else {
		body = buf_steal(&response->body, &size);
		answer = MHD_create_response_from_buffer(size, body, MHD_RESPMEM_MUST_FREE);
	}
	if (!answer)
		return MHD_NO;
	if (response->content_type)
		MHD_add_response_header(answer, MHD_HTTP_HEADER_CONTENT_TYPE,
					response->content_type);
	if (response->etag[0])
		MHD_add_response_header(answer, MHD_HTTP_HEADER_ETAG, response->etag);
	if (response->allow[0])
		MHD_add_response_header(answer, MHD_HTTP_HEADER_ALLOW, response->allow);
	MHD_add_response_header(answer, MHD_HTTP_HEADER_CACHE_CONTROL, "no-store");
	result = MHD_queue_response(connection, response->status, answer);
	MHD_destroy_response(answer);
	return result;
}

/* ---- answers that come later ---- */

static void later_wake(void *context)
{
	struct http_request *state = context;

	if (!state->suspended)
		return;
	state->suspended = false;
	MHD_resume_connection(state->connection);
	loop_defer(state->http->loop, &state->http->run);
}

static enum MHD_Result later_begin(struct http *http, struct MHD_Connection *connection,
				   struct http_request *state, struct api_later *later)
{
	state->http = http;
	state->connection = connection;
	state->later = later;
	later->wake = later_wake;
	later->wake_context = state;
	list_push_back(&http->waiting, &state->node);
	state->suspended = true;
	MHD_suspend_connection(connection);
	return MHD_YES;
}

/* Called again for a request that was suspended: its answer has come, or the daemon ends. */
static enum MHD_Result later_answer(const struct http_request *state)
{
	if (!state->later->ready)
		return MHD_NO;
	return http_respond(state->http, state->connection, &state->later->response);
}

static void later_end(struct http_request *state)
{
	if (!state->later)
		return;
	list_remove(&state->node);
	state->later->free(state->later);
	state->later = NULL;
}

static enum MHD_Result http_answer(const struct http_server *server,
				   struct MHD_Connection *connection, const char *method,
				   const char *path, struct http_request *state)
{
	struct http *http = server->http;
	struct api_response response = { 0 };
	struct api_request request = {
		.method = strcmp(method, "HEAD") == 0 ? "GET" : method,
		.path = path,
		.body = state->body.data,
		.body_size = state->body.size,
		.if_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							MHD_HTTP_HEADER_IF_MATCH),
		.if_none_match = MHD_lookup_connection_value(connection, MHD_HEADER_KIND,
							     MHD_HTTP_HEADER_IF_NONE_MATCH),
	};
	enum MHD_Result result;

	MHD_get_connection_values(connection, MHD_GET_ARGUMENT_KIND, take_query, &request);
	if (!state->allowed && server->tls)
		api_response_error(&response, 401, "unauthorized", NULL,
				   "a bearer token is needed");
	else if (!state->allowed)
		api_response_error(&response, 403, "forbidden", NULL,
				   "only root and the daemon's own user may");
	else if (state->too_large)
		api_response_error(&response, 400, "too_large", NULL,
				   "the body is larger than 8 MiB");
	else
		api_handle(http->api, &request, &response);
	if (response.later)
		return later_begin(http, connection, state, response.later);
	result = http_respond(http, connection, &response);
	api_response_fini(&response);
	return result;
}

static enum MHD_Result http_access(void *context, struct MHD_Connection *connection,
				   const char *path, const char *method, const char *version,
				   const char *data, size_t *data_size, void **request_context)
{
	struct http_server *server = context;
	struct http_request *state = *request_context;

	(void)version;
	if (!state) {
		state = xcalloc(1, sizeof(*state));
		state->allowed = server->tls ? peer_has_token(server->http, connection)
					     : peer_has_uid(connection);
		*request_context = state;
		if (state->allowed)
			connection_speaks(server, connection_of(connection));
		return MHD_YES;
	}
	if (state->later)
		return later_answer(state);
	if (*data_size == 0)
		return http_answer(server, connection, method, path, state);
	if (!state->allowed || state->body.size + *data_size > API_BODY_SIZE_MAX)
		state->too_large = true;
	if (state->too_large) {
		state->discarded += *data_size;
		buf_fini(&state->body);
		if (state->discarded > DISCARD_SIZE_MAX)
			return MHD_NO;
	} else {
		buf_append(&state->body, data, *data_size);
	}
	*data_size = 0;
	return MHD_YES;
}

static void http_completed(void *context, struct MHD_Connection *connection, void **request_context,
			   enum MHD_RequestTerminationCode why)
{
	struct http_request *state = *request_context;

	(void)why;
	if (!state)
		return;
	if (state->allowed)
		connection_falls_silent(context, connection_of(connection));
	later_end(state);
	buf_fini(&state->body);
	free(state);
	*request_context = NULL;
}

/* ---- in the loop ---- */

int http_wait(struct MHD_Daemon *daemon, int wait)
{
	MHD_UNSIGNED_LONG_LONG timeout;

	if (MHD_get_timeout(daemon, &timeout) != MHD_YES)
		return wait;
	if (timeout == 0) {
		MHD_run(daemon);
		if (MHD_get_timeout(daemon, &timeout) != MHD_YES)
			return wait;
	}
	if (timeout > IDLE_SECONDS * 1000)
		timeout = IDLE_SECONDS * 1000;
	return wait < 0 || (int)timeout < wait ? (int)timeout : wait;
}

static void http_run(void *context)
{
	struct http *http = context;
	struct http_server *server;

	LIST_FOR_EACH(server, &http->servers, node)
		MHD_run(server->daemon);
}

static void http_ready(void *context, int fd, uint32_t events)
{
	struct http_server *server = context;

	(void)fd;
	(void)events;
	MHD_run(server->daemon);
}

/* Before each wait: run what is due, and say how long libmicrohttpd can wait for its timeouts. */
static int http_prepare(void *context)
{
	struct http *http = context;
	struct http_server *server;
	int wait = -1;

	LIST_FOR_EACH(server, &http->servers, node)
		wait = http_wait(server->daemon, wait);
	return wait;
}

static void __attribute__((format(printf, 2, 0)))
http_log(void *context, const char *format, va_list arguments)
{
	char text[300];

	(void)context;
	vsnprintf(text, sizeof(text), format, arguments);
	text[strcspn(text, "\n")] = '\0';
	log_limited(LOG_LEVEL_DEBUG, "http", "text=\"%s\"", text);
}

static int hex_value(char digit)
{
	if (digit >= '0' && digit <= '9')
		return digit - '0';
	if ((digit >= 'a' && digit <= 'f') || (digit >= 'A' && digit <= 'F'))
		return (digit | 0x20) - 'a' + 10;
	return -1;
}

/* Undo %XX in place. A NUL would end the text early and make another name of it: it stays as it was
 * written, and no name has a percent sign. */
static size_t http_unescape(void *context, struct MHD_Connection *connection, char *text)
{
	char *to = text;

	(void)context;
	(void)connection;
	for (const char *from = text; *from; from++) {
		int high = *from == '%' ? hex_value(from[1]) : -1;
		int low = high >= 0 ? hex_value(from[2]) : -1;

		if (low >= 0 && high + low > 0) {
			*to++ = (char)(high << 4 | low);
			from += 2;
		} else {
			*to++ = *from;
		}
	}
	*to = '\0';
	return (size_t)(to - text);
}

/* ---- open and close ---- */

static void http_end(struct http_server *server)
{
	loop_remove_fd(server->http->loop, server->epoll_fd);
	MHD_stop_daemon(server->daemon);
	list_remove(&server->node);
	free(server);
}

static int http_serve(struct http *http, int fd, bool tls, struct error *error)
{
	struct http_server *server = xcalloc(1, sizeof(*server));
	struct MHD_OptionItem options[8] = {
		{ MHD_OPTION_LISTEN_SOCKET, fd, NULL },
		{ MHD_OPTION_CONNECTION_TIMEOUT, IDLE_SECONDS, NULL },
		{ MHD_OPTION_CONNECTION_LIMIT, tls ? CONNECTIONS_TCP : CONNECTIONS_UNIX, NULL },
	};
	unsigned int flags = MHD_USE_EPOLL | MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ERROR_LOG;
	size_t count = 3;
	int code;
	const union MHD_DaemonInfo *info;

	server->http = http;
	server->tls = tls;
	list_init(&server->silent);
	server->silent_max = (tls ? CONNECTIONS_TCP : CONNECTIONS_UNIX) / 2;
	if (tls) {
		flags |= MHD_USE_TLS;
		options[count++] = (struct MHD_OptionItem){ MHD_OPTION_PER_IP_CONNECTION_LIMIT,
							    CONNECTIONS_PER_IP, NULL };
		options[count++] = (struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_CERT, 0,
							    http->certificate.data };
		options[count++] =
			(struct MHD_OptionItem){ MHD_OPTION_HTTPS_MEM_KEY, 0, http->key.data };
	}
	options[count] = (struct MHD_OptionItem){ MHD_OPTION_END, 0, NULL };
	server->daemon = MHD_start_daemon(flags, 0, NULL, NULL, http_access, server,
					  MHD_OPTION_EXTERNAL_LOGGER, http_log, NULL,
					  MHD_OPTION_NOTIFY_COMPLETED, http_completed, server,
					  MHD_OPTION_NOTIFY_CONNECTION, http_connection_notify,
					  server, MHD_OPTION_UNESCAPE_CALLBACK, http_unescape, NULL,
					  MHD_OPTION_SIGPIPE_HANDLED_BY_APP, 1, MHD_OPTION_ARRAY,
					  options, MHD_OPTION_END);
	if (!server->daemon) {
		free(server);
		close(fd);
		return error_set(
			error, EINVAL, NULL,
			tls ? "the TLS server does not start: is the certificate of the key?"
			    : "the HTTP server does not start");
	}
	info = MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_EPOLL_FD);
	server->epoll_fd = info->epoll_fd;
	list_push_back(&http->servers, &server->node);
	code = loop_add_fd(http->loop, server->epoll_fd, EPOLLIN, http_ready, server);
	if (!code)
		return 0;
	http_end(server);
	return error_set(error, code, NULL, "the HTTP server cannot be waited for: %s",
			 strerror(-code));
}

static int http_open_unix(struct http *http, struct error *error)
{
	int fd = http_listen_unix(http->socket_path, error);
	int code = fd < 0 ? fd : http_serve(http, fd, false, error);

	if (!code)
		http_place_look(http->socket_path, &http->place);
	return code;
}

/* Nobody comes to the socket any more. Who is connected, or was about to be, stays. */
static void http_cut_off(struct http_server *server)
{
	int fd;

	MHD_run(server->daemon);
	fd = MHD_quiesce_daemon(server->daemon);
	if (fd >= 0)
		close(fd);
	server->cut_off = true;
}

static void http_listen_anew(struct http *http)
{
	struct list *before = http->servers.previous;
	struct http_server *server;
	struct error error = { 0 };

	if (http_open_unix(http, &error)) {
		error_prefix(&error, "the socket of the API is gone, no command gets here");
		reconcile_socket(http->api->reconcile, error.text);
		return;
	}
	reconcile_socket(http->api->reconcile, NULL);
	log_warning("the socket of the API was gone, made again", "path=%s", http->socket_path);
	LIST_FOR_EACH(server, &http->servers, node) {
		if (!server->tls && !server->cut_off)
			http_cut_off(server);
		if (&server->node == before)
			break;
	}
}

static bool http_is_idle(const struct http_server *server)
{
	return !MHD_get_daemon_info(server->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)
			->num_connections;
}

/* Each second: does the path lead to us? And have those before us nothing left to do? */
static void http_look(void *context)
{
	struct http *http = context;
	struct http_server *server, *next;
	struct http_place place;

	if (!http_place_look(http->socket_path, &place) || !http_place_equal(&place, &http->place))
		http_listen_anew(http);
	LIST_FOR_EACH_SAFE(server, next, &http->servers, node)
		if (server->cut_off && http_is_idle(server))
			http_end(server);
}

static int http_read_token(struct http *http, const char *path, struct error *error)
{
	struct buf text = { 0 };
	int code = file_read(path, TOKEN_LENGTH_MAX, &text, error);

	if (code)
		return code;
	while (text.size && strchr(" \t\r\n", text.data[text.size - 1]))
		text.data[--text.size] = '\0';
	if (text.size < TOKEN_LENGTH_MIN) {
		buf_fini(&text);
		return error_set(error, EINVAL, NULL,
				 "the token in %s is shorter than %d characters", path,
				 TOKEN_LENGTH_MIN);
	}
	http->token = buf_steal(&text, NULL);
	return 0;
}

static int http_open_tcp(struct http *http, const struct http_options *options, struct error *error)
{
	int fd, code;

	code = file_read(options->certificate_path, PEM_SIZE_MAX, &http->certificate, error);
	if (!code)
		code = file_read(options->key_path, PEM_SIZE_MAX, &http->key, error);
	if (!code)
		code = http_read_token(http, options->token_path, error);
	if (code)
		return code;
	fd = http_listen_tcp(options->listen, error);
	return fd < 0 ? fd : http_serve(http, fd, true, error);
}

int http_open(struct loop *loop, struct api *api, const struct http_options *options,
	      struct http **http, struct error *error)
{
	struct http *new = xcalloc(1, sizeof(*new));
	int code;

	new->loop = loop;
	new->api = api;
	list_init(&new->servers);
	list_init(&new->streams);
	list_init(&new->waiting);
	loop_deferred_init(&new->run, http_run, new);
	loop_timer_init(&new->keepalive, http_keepalive, new);
	loop_timer_init(&new->look, http_look, new);
	loop_prepare_add(loop, &new->prepare, http_prepare, new);
	new->socket_path = xstrdup(options->socket_path);
	code = http_open_unix(new, error);
	if (!code && options->listen)
		code = http_open_tcp(new, options, error);
	if (code) {
		http_close(new);
		return code;
	}
	loop_timer_start(loop, &new->keepalive, KEEPALIVE_SECONDS * CLOCK_NS_PER_SECOND,
			 KEEPALIVE_SECONDS * CLOCK_NS_PER_SECOND);
	loop_timer_start(loop, &new->look, LOOK_SECONDS * CLOCK_NS_PER_SECOND,
			 LOOK_SECONDS * CLOCK_NS_PER_SECOND);
	*http = new;
	return 0;
}

void http_close(struct http *http)
{
	struct http_stream *stream;
	struct http_request *request;
	struct http_server *server, *next;
	struct http_place place;

	if (!http)
		return;
	loop_timer_stop(&http->keepalive);
	loop_timer_stop(&http->look);
	loop_deferred_cancel(&http->run);
	loop_prepare_remove(&http->prepare);
	LIST_FOR_EACH(stream, &http->streams, node)
		stream_wake(stream);
	LIST_FOR_EACH(request, &http->waiting, node)
		later_wake(request);
	loop_deferred_cancel(&http->run);
	LIST_FOR_EACH_SAFE(server, next, &http->servers, node)
		http_end(server);
	/* What is another's by now stays. */
	if (http_place_look(http->socket_path, &place) && http_place_equal(&place, &http->place))
		unlink(http->socket_path);
	free(http->socket_path);
	free(http->token);
	buf_fini(&http->certificate);
	buf_fini(&http->key);
	free(http);
}
