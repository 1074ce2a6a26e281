/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Messages to a collector; see ipfix_session.h.
 */
#include "agent/observe/ipfix_session.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/observe/ipfix.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"

#define UDP_SIZE_MIN 512
#define UDP_SIZE_MAX 1400
#define TCP_SIZE 8192
#define TCP_QUEUE_MAX (8U << 20)
#define RETRY_NS (5 * CLOCK_NS_PER_SECOND)
#define TEMPLATES_NS (60 * CLOCK_NS_PER_SECOND)
#define NAMES_NS (600 * CLOCK_NS_PER_SECOND)

/* A port whose number is in records. */
struct named {
	uint64_t told_ns; /* 0: never */
	char text[];      /* "blue/web1" */
};

/**
 * struct domain - one observation domain
 * @sequence: data records sent
 * @connection: of the session that it has begun in; in another one it begins anew
 * @templates_ns: when they were sent; 0: not in this connection
 * @refusals: of the session, that the templates have been sent after
 */
struct domain {
	uint32_t id;
	uint32_t sequence;
	uint32_t connection;
	uint64_t templates_ns;
	uint64_t refusals;
	char vpc[64];
	struct ipfix_message message;
	struct map names; /* port id -> struct named, owned */
	uint64_t messages, records, lost;
};

struct ipfix_session {
	struct loop *loop;
	struct flow_log_collector collector;
	int fd;
	bool connected;
	uint32_t connection;
	size_t size_max;
	struct map domains; /* id -> struct domain, owned */
	uint64_t refusals;  /* UDP: how often the collector's host has said that nobody listens */
	struct buf queue;   /* TCP: what the socket has not taken */
	uint64_t queued;    /* records in it */
	struct loop_timer retry;
	struct ipfix_counts counts;
};

/* ---- the socket ---- */

static void connect_now(void *context);

static void let_go(struct ipfix_session *session, int error)
{
	if (session->fd >= 0) {
		loop_remove_fd(session->loop, session->fd);
		close(session->fd);
	}
	session->fd = -1;
	session->connected = false;
	session->counts.error = error;
	session->counts.lost += session->queued;
	session->queued = 0;
	buf_reset(&session->queue);
	session->connection++;
	loop_timer_start(session->loop, &session->retry, RETRY_NS, 0);
}

static void write_queue(struct ipfix_session *session)
{
	while (session->connected && session->queue.size) {
		ssize_t sent = send(session->fd, session->queue.data, session->queue.size,
				    MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
			break;
		if (sent < 0 && errno == EINTR)
			continue;
		if (sent < 0) {
			let_go(session, -errno);
			return;
		}
		buf_consume(&session->queue, (size_t)sent);
	}
	if (!session->queue.size)
		session->queued = 0;
	loop_modify_fd(session->loop, session->fd,
		       session->queue.size ? EPOLLIN | EPOLLOUT : EPOLLIN);
}

/* TCP: it is connected, or takes bytes again, or the other side says something, which only can be goodbye. */
static void on_socket(void *context, int fd, uint32_t events)
{
	struct ipfix_session *session = context;
	char bytes[256];
	int error = 0;
	socklen_t size = sizeof(error);
	ssize_t got;

	if (!session->connected) {
		getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size);
		if (error || (events & (EPOLLERR | EPOLLHUP))) {
			let_go(session, error ? -error : -ECONNRESET);
			return;
		}
		session->connected = true;
		session->counts.error = 0;
	}
	if (events & (EPOLLIN | EPOLLERR | EPOLLHUP)) {
		got = recv(fd, bytes, sizeof(bytes), MSG_DONTWAIT);
		if (!got || (got < 0 && errno != EAGAIN && errno != EINTR)) {
			let_go(session, got ? -errno : -ECONNRESET);
			return;
		}
	}
	write_queue(session);
}

/* Bytes of a message that go through whole, as far as the kernel knows the way. */
static size_t udp_size(int fd, bool ipv4)
{
	int mtu = 0;
	socklen_t size = sizeof(mtu);
	int headers = ipv4 ? 28 : 48;

	if (getsockopt(fd, ipv4 ? IPPROTO_IP : IPPROTO_IPV6, ipv4 ? IP_MTU : IPV6_MTU, &mtu,
		       &size) ||
	    mtu - headers < UDP_SIZE_MIN)
		return UDP_SIZE_MIN;
	return mtu - headers > UDP_SIZE_MAX ? UDP_SIZE_MAX : (size_t)(mtu - headers);
}

static void connect_now(void *context)
{
	struct ipfix_session *session = context;
	const struct flow_log_collector *collector = &session->collector;
	struct sockaddr_storage to;
	socklen_t size = ip_address_to_socket(&collector->address, collector->port, &to);
	const int kind = collector->tcp ? SOCK_STREAM : SOCK_DGRAM;

	session->fd = socket(to.ss_family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (session->fd < 0) {
		let_go(session, -errno);
		return;
	}
	if (collector->tcp)
		loop_add_fd(session->loop, session->fd, EPOLLIN | EPOLLOUT, on_socket, session);
	if (connect(session->fd, (struct sockaddr *)&to, size) && errno != EINPROGRESS) {
		let_go(session, -errno);
		return;
	}
	if (collector->tcp) {
		session->size_max = TCP_SIZE;
		return;
	}
	session->connected = true;
	session->counts.error = 0;
	session->size_max = udp_size(session->fd, ip_address_is_ipv4(&collector->address));
}

/* ---- messages ---- */

/* Return: whether the socket or the queue has taken it. */
static bool deliver(struct ipfix_session *session, const struct ipfix_message *message)
{
	ssize_t sent;

	if (!session->connected)
		return false;
	if (session->collector.tcp) {
		if (session->queue.size + message->bytes.size > TCP_QUEUE_MAX)
			return false;
		buf_append(&session->queue, message->bytes.data, message->bytes.size);
		write_queue(session);
		if (session->connected && session->queue.size)
			session->queued += message->records;
		return session->connected;
	}
	sent = send(session->fd, message->bytes.data, message->bytes.size, MSG_NOSIGNAL);
	/* The first send after a refusal only says so. */
	if (sent < 0 && errno == ECONNREFUSED) {
		session->counts.error = -ECONNREFUSED;
		sent = send(session->fd, message->bytes.data, message->bytes.size, MSG_NOSIGNAL);
	} else if (sent >= 0) {
		session->counts.error = 0;
	}
	if (sent < 0)
		session->counts.error = -errno;
	return sent >= 0;
}

/* To the collector it is another exporter from here on. */
static void start_over(const struct ipfix_session *session, struct domain *domain)
{
	domain->connection = session->connection;
	domain->templates_ns = 0;
	domain->sequence = 0;
	MAP_FOR_EACH(&domain->names, it)
		((struct named *)it.value)->told_ns = 0;
}

/* Alone, ahead of a message that has none. Return: whether they are on their way. */
static bool send_templates(struct ipfix_session *session, struct domain *domain)
{
	struct ipfix_message templates = { 0 };
	bool delivered;

	ipfix_begin(&templates, session->size_max);
	ipfix_add_templates(&templates);
	ipfix_finish(&templates, (uint32_t)(clock_realtime_ns(NULL) / CLOCK_NS_PER_SECOND),
		     domain->sequence, domain->id);
	delivered = deliver(session, &templates);
	if (delivered) {
		domain->templates_ns = clock_monotonic_ns(NULL);
		domain->messages++;
		session->counts.messages++;
		session->counts.bytes += templates.bytes.size;
	}
	buf_fini(&templates.bytes);
	return delivered;
}

/*
 * By UDP a socket keeps the address that the host had when it was made. When that is gone, or there was no way, the message
 * is tried once more by another one. Return: whether it is on its way.
 */
static bool deliver_anew(struct ipfix_session *session, struct domain *domain)
{
	const int error = -session->counts.error;

	if (session->collector.tcp || !session->connected ||
	    (error != EINVAL && error != EADDRNOTAVAIL && error != ENETUNREACH &&
	     error != EHOSTUNREACH && error != ENETDOWN))
		return false;
	let_go(session, -error);
	loop_timer_stop(&session->retry);
	connect_now(session);
	start_over(session, domain);
	if (!session->connected || !send_templates(session, domain))
		return false;
	ipfix_finish(&domain->message, (uint32_t)(clock_realtime_ns(NULL) / CLOCK_NS_PER_SECOND), 0,
		     domain->id);
	return deliver(session, &domain->message);
}

/* UDP: what was sent before has come to a closed port. The kernel says so once. */
static bool was_refused(const struct ipfix_session *session)
{
	int error = 0;
	socklen_t size = sizeof(error);

	return !session->collector.tcp && session->connected &&
	       !getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &size) &&
	       error == ECONNREFUSED;
}

/* A collector that did not listen has neither templates nor names. Names go with the records to come. */
static void tell_again(struct ipfix_session *session, struct domain *domain)
{
	if (domain->refusals == session->refusals)
		return;
	domain->refusals = session->refusals;
	MAP_FOR_EACH(&domain->names, it)
		((struct named *)it.value)->told_ns = 0;
	send_templates(session, domain);
}

static bool is_empty(const struct ipfix_message *message)
{
	return message->bytes.size <= IPFIX_HEADER_SIZE;
}

static void begin(struct ipfix_session *session, struct domain *domain)
{
	const uint64_t now = clock_monotonic_ns(NULL);

	ipfix_begin(&domain->message, session->size_max);
	if (domain->templates_ns &&
	    (session->collector.tcp || now - domain->templates_ns < TEMPLATES_NS))
		return;
	ipfix_add_templates(&domain->message);
	domain->templates_ns = now;
}

static void send_message(struct ipfix_session *session, struct domain *domain)
{
	struct ipfix_message *message = &domain->message;
	bool refused;

	if (is_empty(message))
		return;
	refused = was_refused(session);
	session->refusals += refused;
	tell_again(session, domain);
	ipfix_finish(message, (uint32_t)(clock_realtime_ns(NULL) / CLOCK_NS_PER_SECOND),
		     domain->sequence, domain->id);
	/* A record that is lost on the way is in the sequence, one that never left is not. */
	if (deliver(session, message) || deliver_anew(session, domain)) {
		domain->sequence += message->records;
		domain->messages++;
		domain->records += message->records;
		session->counts.messages++;
		session->counts.records += message->records;
		session->counts.bytes += message->bytes.size;
	} else {
		domain->templates_ns = 0;
		domain->lost += message->records;
		session->counts.lost += message->records;
	}
	/* Whether this one has arrived the next one will hear. */
	if (refused && !session->counts.error)
		session->counts.error = -ECONNREFUSED;
	begin(session, domain);
}

/* A new connection begins with the templates, and counts anew. What waits goes by it. */
static void renew(struct ipfix_session *session, struct domain *domain)
{
	if (domain->connection == session->connection)
		return;
	start_over(session, domain);
	if (domain->message.records && session->connected && send_templates(session, domain))
		return;
	domain->lost += domain->message.records;
	session->counts.lost += domain->message.records;
	begin(session, domain);
}

static struct domain *domain_of(struct ipfix_session *session, uint32_t id, const char *vpc)
{
	struct domain *domain = map_get_u32(&session->domains, id);

	if (domain)
		return domain;
	domain = xcalloc(1, sizeof(*domain));
	domain->id = id;
	domain->connection = session->connection;
	domain->refusals = session->refusals;
	strncpy(domain->vpc, vpc, sizeof(domain->vpc) - 1);
	map_put_u32(&session->domains, id, domain);
	begin(session, domain);
	return domain;
}

static void remember(struct domain *domain, uint32_t port_id, const char *vpc, const char *name)
{
	struct named *named;
	size_t size;

	if (!port_id || !name || map_get_u32(&domain->names, port_id))
		return;
	size = strlen(vpc) + strlen(name) + 2;
	named = xcalloc(1, sizeof(*named) + size);
	snprintf(named->text, size, "%s%s%s", vpc, *vpc ? "/" : "", name);
	map_put_u32(&domain->names, port_id, named);
}

void ipfix_session_add(struct ipfix_session *session, uint32_t id, const struct flow_record *record)
{
	struct domain *domain = domain_of(session, id, record->vpc);

	renew(session, domain);
	remember(domain, record->port_id, record->vpc, record->port);
	remember(domain, record->peer_id, "", record->peer);
	if (!ipfix_add_flow(&domain->message, record)) {
		send_message(session, domain);
		ipfix_add_flow(&domain->message, record);
	}
}

static void add_names(struct ipfix_session *session, struct domain *domain)
{
	const uint64_t now = clock_monotonic_ns(NULL);

	MAP_FOR_EACH(&domain->names, it) {
		const uint32_t port_id = *(const uint32_t *)it.key;
		struct named *named = it.value;

		if (named->told_ns && now - named->told_ns < NAMES_NS)
			continue;
		named->told_ns = now;
		if (!ipfix_add_interface(&domain->message, port_id, named->text, domain->vpc)) {
			send_message(session, domain);
			ipfix_add_interface(&domain->message, port_id, named->text, domain->vpc);
		}
	}
}

void ipfix_session_flush(struct ipfix_session *session)
{
	MAP_FOR_EACH(&session->domains, it) {
		struct domain *domain = it.value;
		const struct ipfix_statistics statistics = {
			.domain = domain->id,
			.name = domain->vpc,
			.messages = domain->messages,
			.records = domain->records,
			.lost = domain->lost,
		};

		renew(session, domain);
		add_names(session, domain);
		if (!ipfix_add_statistics(&domain->message, &statistics)) {
			send_message(session, domain);
			ipfix_add_statistics(&domain->message, &statistics);
		}
		send_message(session, domain);
	}
}

void ipfix_session_count(const struct ipfix_session *session, struct ipfix_counts *counts)
{
	*counts = session->counts;
	counts->connected = session->connected;
}

/* ---- begin and end ---- */

struct ipfix_session *ipfix_session_new(struct loop *loop,
					const struct flow_log_collector *collector)
{
	struct ipfix_session *session = xcalloc(1, sizeof(*session));

	session->loop = loop;
	session->collector = *collector;
	session->fd = -1;
	session->size_max = UDP_SIZE_MIN;
	loop_timer_init(&session->retry, connect_now, session);
	connect_now(session);
	return session;
}

static void domain_free(void *value)
{
	struct domain *domain = value;

	buf_fini(&domain->message.bytes);
	map_fini(&domain->names, free);
	free(domain);
}

void ipfix_session_free(struct ipfix_session *session)
{
	if (!session)
		return;
	loop_timer_stop(&session->retry);
	if (session->fd >= 0) {
		loop_remove_fd(session->loop, session->fd);
		close(session->fd);
	}
	map_fini(&session->domains, domain_free);
	buf_fini(&session->queue);
	free(session);
}
