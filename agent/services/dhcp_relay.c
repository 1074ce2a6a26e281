/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Sockets towards outside DHCP servers; see dhcp_relay.h.
 *
 * Which address of this host leads to a server the kernel says, each time anew: a socket that is connected
 * and sends nothing. Replies come from the server's own port; anything else is no reply.
 */
#include "agent/services/dhcp_relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/list.h"

#define PORT4 67
#define PORT6 547
#define SOCKETS_MAX 32
#define MESSAGES_AT_ONCE 64
#define MESSAGE_SIZE_MAX 9216
#define LOOK_NS (60 * CLOCK_NS_PER_SECOND)
#define UNUSED_NS (600 * CLOCK_NS_PER_SECOND)

struct relay_socket {
	struct list node;
	struct relay *relay;
	struct ip_address own;
	int fd;
	uint64_t used_ns;
};

struct relay {
	struct loop *loop;
	relay_callback *callback;
	void *context;
	struct list sockets;
	size_t count;
	struct loop_timer look;
	uint8_t message[MESSAGE_SIZE_MAX];
};

/* ---- addresses ---- */

union socket_address {
	struct sockaddr_storage storage;
	struct sockaddr any;
	struct sockaddr_in ipv4;
	struct sockaddr_in6 ipv6;
};

static uint16_t from_socket(const union socket_address *from, struct ip_address *address)
{
	if (from->any.sa_family == AF_INET) {
		*address = ip_address_from_ipv4(ntohl(from->ipv4.sin_addr.s_addr));
		return ntohs(from->ipv4.sin_port);
	}
	memcpy(address->byte, &from->ipv6.sin6_addr, 16);
	return ntohs(from->ipv6.sin6_port);
}

static uint16_t port_of(const struct ip_address *address)
{
	return ip_address_is_ipv4(address) ? PORT4 : PORT6;
}

/* ---- sockets ---- */

static void socket_close(struct relay_socket *made)
{
	loop_remove_fd(made->relay->loop, made->fd);
	close(made->fd);
	list_remove(&made->node);
	made->relay->count--;
	free(made);
}

static void socket_ready(void *context, int fd, uint32_t events)
{
	struct relay_socket *made = context;
	struct relay *relay = made->relay;

	(void)events;
	for (int i = 0; i < MESSAGES_AT_ONCE; i++) {
		union socket_address from = { 0 };
		socklen_t from_size = sizeof(from);
		struct ip_address server;
		ssize_t size = recvfrom(fd, relay->message, sizeof(relay->message), 0, &from.any,
					&from_size);

		if (size < 0)
			return; /* nothing left; or an error that an earlier datagram met */
		if (from_socket(&from, &server) == port_of(&server))
			relay->callback(relay->context, &made->own, &server, relay->message,
					(size_t)size);
	}
}

static int socket_open(struct relay *relay, const struct ip_address *own, struct error *error)
{
	union socket_address to;
	socklen_t size = ip_address_to_socket(own, port_of(own), &to.storage);
	char text[IP_ADDRESS_TEXT_SIZE];
	struct relay_socket *made;
	int fd, on = 1, code = 0;

	if (relay->count >= SOCKETS_MAX)
		return error_set(error, ENOSPC, NULL,
				 "DHCP servers are reached by more than %d addresses of this host",
				 SOCKETS_MAX);
	fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
	    bind(fd, &to.any, size))
		code = errno;
	made = xcalloc(1, sizeof(*made));
	*made = (struct relay_socket){
		.relay = relay,
		.own = *own,
		.fd = fd,
		.used_ns = clock_monotonic_ns(loop_clock(relay->loop)),
	};
	if (!code)
		code = -loop_add_fd(relay->loop, fd, EPOLLIN, socket_ready, made);
	if (code) {
		if (fd >= 0)
			close(fd);
		free(made);
		return error_set(error, code, NULL, "DHCP cannot be relayed from %s port %u: %s",
				 ip_address_format(own, text), port_of(own), strerror(code));
	}
	list_push_back(&relay->sockets, &made->node);
	relay->count++;
	return 0;
}

static struct relay_socket *socket_find(struct relay *relay, const struct ip_address *own)
{
	struct relay_socket *made;

	LIST_FOR_EACH(made, &relay->sockets, node)
		if (ip_address_equal(&made->own, own))
			return made;
	return NULL;
}

static void look(void *context)
{
	struct relay *relay = context;
	const uint64_t now_ns = clock_monotonic_ns(loop_clock(relay->loop));
	struct relay_socket *made, *next;

	LIST_FOR_EACH_SAFE(made, next, &relay->sockets, node)
		if (now_ns - made->used_ns > UNUSED_NS)
			socket_close(made);
}

struct relay *relay_new(struct loop *loop, relay_callback *callback, void *context)
{
	struct relay *relay = xcalloc(1, sizeof(*relay));

	relay->loop = loop;
	relay->callback = callback;
	relay->context = context;
	list_init(&relay->sockets);
	loop_timer_init(&relay->look, look, relay);
	loop_timer_start(loop, &relay->look, LOOK_NS, LOOK_NS);
	return relay;
}

void relay_free(struct relay *relay)
{
	struct relay_socket *made, *next;

	if (!relay)
		return;
	LIST_FOR_EACH_SAFE(made, next, &relay->sockets, node)
		socket_close(made);
	loop_timer_stop(&relay->look);
	free(relay);
}

/* ---- asking ---- */

int relay_own_address(struct relay *relay, const struct ip_address *server, struct ip_address *own,
		      struct error *error)
{
	union socket_address to, found = { 0 };
	socklen_t size = ip_address_to_socket(server, port_of(server), &to.storage),
		  found_size = sizeof(found);
	int fd = socket(to.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), code = 0;
	char text[IP_ADDRESS_TEXT_SIZE];

	if (fd < 0 || connect(fd, &to.any, size))
		code = errno;
	if (!code && getsockname(fd, &found.any, &found_size))
		code = errno;
	if (fd >= 0)
		close(fd);
	if (code)
		return error_set(error, code, NULL, "there is no way to the DHCP server %s: %s",
				 ip_address_format(server, text), strerror(code));
	from_socket(&found, own);
	if (ip_address_equal(own, server))
		return error_set(error, EADDRINUSE, NULL,
				 "the DHCP server %s is this host's own address, which the relay "
				 "needs; let it listen at another",
				 ip_address_format(server, text));
	return socket_find(relay, own) ? 0 : socket_open(relay, own, error);
}

int relay_send(struct relay *relay, const struct ip_address *own, const struct ip_address *server,
	       const void *data, size_t size, struct error *error)
{
	struct relay_socket *made = socket_find(relay, own);
	union socket_address to;
	socklen_t to_size = ip_address_to_socket(server, port_of(server), &to.storage);
	char text[IP_ADDRESS_TEXT_SIZE];

	if (!made)
		return error_set(error, ENOTCONN, NULL, "no socket towards the DHCP server %s",
				 ip_address_format(server, text));
	made->used_ns = clock_monotonic_ns(loop_clock(relay->loop));
	/* What an earlier datagram met (ICMP) is said once, by the next call. */
	if (sendto(made->fd, data, size, 0, &to.any, to_size) < 0 &&
	    sendto(made->fd, data, size, 0, &to.any, to_size) < 0)
		return error_set(error, errno, NULL, "the DHCP server %s cannot be asked: %s",
				 ip_address_format(server, text), strerror(errno));
	return 0;
}
