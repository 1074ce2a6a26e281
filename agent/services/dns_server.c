/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DNS over UDP and TCP for the ports of this host.
 *
 * A message is read (base/dns.c), the port that sent it is known by its alias (services.c), and the
 * answer comes from its VPC's names (dns_zone.c), or from others (dns_forward.c). What is malformed
 * is answered with FORMERR, as far as it can be answered, and counted. Connections over TCP (RFC
 * 7766) are bounded: altogether, for each VPC and port (places.h), and in the time they may be idle.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/services/dns_forward.h"
#include "agent/services/dns_zone.h"
#include "agent/services/places.h"
#include "agent/services/services_private.h"
#include "base/alloc.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/log.h"

#define RESOLV_CONF "/etc/resolv.conf"
#define MESSAGES_AT_ONCE 64
#define IDLE_NS (10 * CLOCK_NS_PER_SECOND)
#define UDP_ANSWER_MAX 1232 /* fits into IPv6's least MTU */
#define UDP_HEADERS 48
#define LENGTH_SIZE 2    /* in front of each message over TCP */
#define OUTPUT_MAX 65536 /* of answers that wait for a slow client; then nothing is read */

/* One client over TCP. */
struct dns_connection {
	struct list node;
	struct dns_server *server;
	int fd;
	uint32_t port_id;
	struct sockaddr_storage address;
	struct buf input, output;
	struct loop_timer idle;
};

struct dns_server {
	struct services *services;
	struct loop *loop;
	struct list connections;
	struct places places;
	struct dns_forwards *forwards;
	uint8_t message[DNS_MESSAGE_SIZE_MAX + 1];
	uint8_t answer[DNS_MESSAGE_SIZE_MAX + 1];
};

/* ---- one message ---- */

static void count_answer(struct services_counts *counts, enum dns_rcode rcode)
{
	size_t last = ARRAY_SIZE(counts->dns_answers) - 1;

	counts->dns_answers[(size_t)rcode < last ? (size_t)rcode : last]++;
}

static const struct vpc_object *vpc_of(const struct dns_server *server,
				       const struct port_object *port)
{
	const struct intent *intent = reconcile_intent(server->services->options.reconcile);

	return (const struct vpc_object *)intent_object(intent, port->object.vpc_id);
}

/*
 * What the port is told of what it asks well formed. @later: set when others are asked; the answer
 * comes by forwarded(). @kept: set to the size when it is in server->answer as a whole, for others
 * have said it before.
 */
static enum dns_rcode decide(struct dns_server *server, const struct port_object *port,
			     const struct dns_client *client, const struct dns_query *query,
			     const uint8_t *message, struct dns_reply *reply, uint16_t *flags,
			     bool *later, size_t *kept)
{
	const struct intent *intent = reconcile_intent(server->services->options.reconcile);
	const struct vpc_object *vpc = vpc_of(server, port);
	enum dns_rcode rcode;
	int code;

	if (!vpc || !vpc->dns.serve || query->class != DNS_CLASS_IN ||
	    query->type == DNS_TYPE_AXFR || query->type == DNS_TYPE_IXFR)
		return DNS_REFUSED;
	if (dns_zone_answer(intent, vpc, query, reply, flags, &rcode)) {
		if (vpc->dns.forward != DNS_FORWARD_OFF)
			*flags |= DNS_FLAG_RECURSION_AVAILABLE;
		return rcode;
	}
	if (vpc->dns.forward == DNS_FORWARD_OFF || !(query->flags & DNS_FLAG_RECURSION_DESIRED))
		return DNS_REFUSED;
	*kept = dns_forwards_recall(server->forwards, vpc, client, query, message, server->answer);
	if (*kept)
		return (enum dns_rcode)(server->answer[3] & DNS_FLAG_RCODE);
	code = dns_forwards_ask(server->forwards, vpc, client, query, message);
	*later = !code;
	*flags = DNS_FLAG_RECURSION_AVAILABLE;
	return DNS_SERVFAIL;
}

/* Bytes of an answer over UDP: what the client takes, and no more than its MTU lets through. */
static size_t udp_limit(const struct dns_server *server, const struct port_object *port,
			const struct dns_query *query)
{
	const struct intent *intent = reconcile_intent(server->services->options.reconcile);
	size_t limit = query->payload_size < UDP_ANSWER_MAX ? query->payload_size : UDP_ANSWER_MAX;
	uint32_t mtu = intent_port_mtu(intent, port);

	return mtu < limit + UDP_HEADERS ? DNS_UDP_SIZE : limit;
}

/*
 * Answers one message. client: its limit is set here. Return: bytes in server->answer; 0: there is
 * nothing to be said, or not yet.
 */
static size_t answer(struct dns_server *server, const struct port_object *port,
		     struct dns_client *client, const uint8_t *message, size_t size)
{
	struct services_counts *counts = &server->services->counts;
	struct dns_query query;
	struct dns_reply reply;
	uint16_t flags = 0;
	bool later = false;
	size_t kept = 0;
	int code = dns_query_read(message, size, &query);
	enum dns_rcode rcode = (enum dns_rcode)code;

	if (code < 0 || code == DNS_FORMERR)
		counts->dns_malformed++;
	if (code < 0)
		return 0;
	client->port_id = port->object.id;
	client->limit = client->connection ? DNS_MESSAGE_SIZE_MAX : udp_limit(server, port, &query);
	dns_reply_begin(&reply, &query, message, server->answer, client->limit);
	if (!code) {
		counts->dns_queries++;
		rcode = decide(server, port, client, &query, message, &reply, &flags, &later,
			       &kept);
	}
	if (later)
		return 0;
	count_answer(counts, rcode);
	return kept ? kept : dns_reply_end(&reply, &query, flags, rcode);
}

/* ---- UDP ---- */

static void udp_send(const struct dns_client *client, const uint8_t *message, size_t size)
{
	/* A full socket loses it, as a network would; the client asks again. */
	if (sendto(client->udp_fd, message, size, 0, (const struct sockaddr *)&client->address,
		   client->address_size) < 0)
		log_limited(LOG_LEVEL_DEBUG, "a DNS answer was not sent", "error=\"%s\"",
			    strerror(errno));
}

static void udp_ready(void *context, int fd, uint32_t events)
{
	struct dns_server *server = context;

	(void)events;
	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		struct dns_client client = { .udp_fd = fd };
		const struct port_object *port;
		size_t answer_size;
		ssize_t size;

		client.address_size = sizeof(client.address);
		size = recvfrom(fd, server->message, sizeof(server->message), 0,
				(struct sockaddr *)&client.address, &client.address_size);
		if (size < 0)
			return;
		port = services_client(server->services, (const struct sockaddr *)&client.address);
		if (!port)
			continue;
		answer_size = answer(server, port, &client, server->message, (size_t)size);
		if (answer_size)
			udp_send(&client, server->answer, answer_size);
	}
}

/* ---- TCP ---- */

static void connection_close(struct dns_connection *connection)
{
	dns_forwards_drop(connection->server->forwards, connection);
	loop_timer_stop(&connection->idle);
	loop_remove_fd(connection->server->loop, connection->fd);
	close(connection->fd);
	list_remove(&connection->node);
	places_leave(&connection->server->places, connection->port_id);
	buf_fini(&connection->input);
	buf_fini(&connection->output);
	free(connection);
}

static void connection_idle(void *context)
{
	connection_close(context);
}

static void put_message(struct dns_connection *connection, const uint8_t *message, size_t size)
{
	const uint8_t length[LENGTH_SIZE] = { (uint8_t)(size >> 8), (uint8_t)size };

	buf_append(&connection->output, length, LENGTH_SIZE);
	buf_append(&connection->output, message, size);
}

/* Bytes of the message at the front of the input, with its length; 0: not there, or not yet. */
static size_t next_message(const struct dns_connection *connection)
{
	const uint8_t *input = (const uint8_t *)connection->input.data;
	size_t size;

	if (connection->input.size < LENGTH_SIZE || connection->output.size > OUTPUT_MAX)
		return 0;
	size = LENGTH_SIZE + ((size_t)input[0] << 8 | input[1]);
	return connection->input.size < size ? 0 : size;
}

/* The message at the front of the input is answered. Return: whether there was one. */
static bool take_message(struct dns_connection *connection, const struct port_object *port)
{
	struct dns_server *server = connection->server;
	const uint8_t *input = (const uint8_t *)connection->input.data;
	struct dns_client client = { .connection = connection };
	size_t size = next_message(connection), answer_size;

	if (!size)
		return false;
	answer_size = answer(server, port, &client, input + LENGTH_SIZE, size - LENGTH_SIZE);
	buf_consume(&connection->input, size);
	if (answer_size)
		put_message(connection, server->answer, answer_size);
	return true;
}

/* Return: false when the connection has ended. */
static bool connection_write(struct dns_connection *connection)
{
	while (connection->output.size) {
		ssize_t size = send(connection->fd, connection->output.data,
				    connection->output.size, MSG_NOSIGNAL);

		if (size < 0 && errno != EAGAIN)
			return false;
		if (size < 0)
			break;
		buf_consume(&connection->output, (size_t)size);
	}
	loop_modify_fd(connection->server->loop, connection->fd,
		       (connection->output.size > OUTPUT_MAX ? 0u : EPOLLIN) |
			       (connection->output.size ? EPOLLOUT : 0u));
	return true;
}

/* Reads what is there. Return: false when the connection has ended. */
static bool connection_read(struct dns_connection *connection)
{
	ssize_t size = recv(connection->fd, connection->server->message,
			    sizeof(connection->server->message), 0);

	if (size < 0)
		return errno == EAGAIN;
	if (size == 0)
		return false;
	buf_append(&connection->input, connection->server->message, (size_t)size);
	return true;
}

/*
 * Answers what has come and sends what there is, until the one or the other has to wait for the
 * client. Return: false when the connection has ended.
 */
static bool connection_serve(struct dns_connection *connection)
{
	struct dns_server *server = connection->server;
	const struct port_object *port =
		services_client(server->services, (const struct sockaddr *)&connection->address);

	/* Its slot is another port's by now. */
	if (!port || port->object.id != connection->port_id)
		return false;
	do {
		while (take_message(connection, port))
			loop_timer_start(server->loop, &connection->idle, IDLE_NS, 0);
		if (!connection_write(connection))
			return false;
	} while (next_message(connection));
	return true;
}

static void connection_ready(void *context, int fd, uint32_t events)
{
	struct dns_connection *connection = context;
	bool alive = true;

	(void)fd;
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP))
		alive = connection_read(connection);
	if (!connection_serve(connection) || !alive)
		connection_close(connection);
}

static void tcp_accept(struct dns_server *server, int fd, const struct sockaddr_storage *from)
{
	const struct port_object *port =
		services_client(server->services, (const struct sockaddr *)from);
	struct dns_connection *connection;

	if (!port || !places_has(&server->places, port->object.id, port->object.vpc_id)) {
		server->services->counts.dns_connections_refused++;
		close(fd);
		return;
	}
	connection = xcalloc(1, sizeof(*connection));
	connection->server = server;
	connection->fd = fd;
	connection->port_id = port->object.id;
	connection->address = *from;
	list_push_back(&server->connections, &connection->node);
	places_take(&server->places, port->object.id, port->object.vpc_id);
	loop_timer_init(&connection->idle, connection_idle, connection);
	loop_timer_start(server->loop, &connection->idle, IDLE_NS, 0);
	if (loop_add_fd(server->loop, fd, EPOLLIN, connection_ready, connection))
		connection_close(connection);
}

static void tcp_ready(void *context, int fd, uint32_t events)
{
	(void)events;
	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		int client =
			accept4(fd, (struct sockaddr *)&from, &size, SOCK_NONBLOCK | SOCK_CLOEXEC);

		if (client < 0)
			return;
		tcp_accept(context, client, &from);
	}
}

/* ---- what others answered ---- */

static void forwarded(void *context, const struct dns_client *client, const uint8_t *message,
		      size_t size)
{
	struct dns_server *server = context;
	struct dns_connection *connection = client->connection;
	const struct port_object *port;

	count_answer(&server->services->counts,
		     (enum dns_rcode)(size > 3 ? message[3] & DNS_FLAG_RCODE : DNS_SERVFAIL));
	if (connection) {
		put_message(connection, message, size);
		loop_timer_start(server->loop, &connection->idle, IDLE_NS, 0);
		if (!connection_serve(connection))
			connection_close(connection);
		return;
	}
	/* The alias may be another port's by now. */
	port = services_client(server->services, (const struct sockaddr *)&client->address);
	if (port && port->object.id == client->port_id)
		udp_send(client, message, size);
}

/* ---- open and close ---- */

int dns_server_open(struct services *services, struct dns_server **server, struct error *error)
{
	struct dns_server *new = xcalloc(1, sizeof(*new));
	int code = 0;

	new->services = services;
	new->loop = services->options.loop;
	list_init(&new->connections);
	new->forwards = dns_forwards_new(new->loop, RESOLV_CONF, forwarded, new);
	for (int family = 0; family < SERVICE_FAMILIES && !code; family++) {
		if (services->dns_udp[family] < 0)
			continue;
		code = loop_add_fd(new->loop, services->dns_udp[family], EPOLLIN, udp_ready, new);
		if (!code)
			code = loop_add_fd(new->loop, services->dns_tcp[family], EPOLLIN, tcp_ready,
					   new);
	}
	*server = new;
	return code ? error_set(error, code, NULL, "DNS cannot be served: %s", strerror(-code)) : 0;
}

void dns_server_close(struct dns_server *server)
{
	struct dns_connection *connection, *next;

	if (!server)
		return;
	LIST_FOR_EACH_SAFE(connection, next, &server->connections, node)
		connection_close(connection);
	places_fini(&server->places);
	dns_forwards_free(server->forwards);
	for (int family = 0; family < SERVICE_FAMILIES; family++) {
		if (server->services->dns_udp[family] < 0)
			continue;
		loop_remove_fd(server->loop, server->services->dns_udp[family]);
		loop_remove_fd(server->loop, server->services->dns_tcp[family]);
	}
	free(server);
}

const struct dns_forwards_counts *dns_server_forwards(const struct dns_server *server)
{
	return dns_forwards_counts(server->forwards);
}

const struct dns_cache_counts *dns_server_cache(const struct dns_server *server)
{
	return dns_forwards_cache_counts(server->forwards);
}
