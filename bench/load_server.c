/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The server of every test of weft-load.
 *
 * Each kind of traffic has the cheapest loop that serves it, so that little besides the network
 * is measured: a blocking thread per connection for latency and control, one epoll loop for the
 * short connections, one recvmmsg loop for packets. Threads share only the sink's numbers. The
 * sink answers the first packet of a run: most real UDP is answered, and a firewall that tracks
 * connections goes through all its rules for each packet until it has seen an answer. The ports
 * are in load.h.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/load.h"

#define EVENT_COUNT 64

static struct load_sink sink;
static int answer_wanted = 1; /* the next packet is sent back; under sink_lock too */
static pthread_mutex_t sink_lock = PTHREAD_MUTEX_INITIALIZER;

struct acceptor {
	int listener;
	void *(*serve)(void *socket);
};

static int open_port(int type, uint16_t port)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int socket_fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), on = 1, off = 0;

	if (socket_fd < 0)
		load_die("socket");
	setsockopt(socket_fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(socket_fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(socket_fd, (struct sockaddr *)&address, sizeof(address)))
		load_die("bind");
	if ((type & SOCK_STREAM) == SOCK_STREAM && listen(socket_fd, 4096))
		load_die("listen");
	return socket_fd;
}

static void start_thread(void *(*run)(void *), void *argument)
{
	pthread_t thread;

	errno = pthread_create(&thread, NULL, run, argument);
	if (errno)
		load_die("thread");
	pthread_detach(thread);
}

/* Sends back whatever comes, at once: the size of a request is the client's business. */
static void *serve_echo(void *argument)
{
	int socket_fd = (int)(intptr_t)argument, on = 1;
	char *data = malloc(LOAD_MESSAGE_SIZE_MAX);
	ssize_t got;

	if (!data)
		load_die("memory");
	setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	while ((got = recv(socket_fd, data, LOAD_MESSAGE_SIZE_MAX, 0)) > 0)
		if (load_write_all(socket_fd, data, (uint32_t)got))
			break;
	close(socket_fd);
	free(data);
	return NULL;
}

static void *serve_control(void *argument)
{
	int socket_fd = (int)(intptr_t)argument;
	struct load_sink answer;
	char command;

	while (load_read_all(socket_fd, &command, 1) == 0) {
		pthread_mutex_lock(&sink_lock);
		if (command != LOAD_COMMAND_READ) {
			memset(&sink, 0, sizeof(sink));
			answer_wanted = command == LOAD_COMMAND_RESET;
		}
		answer = sink;
		pthread_mutex_unlock(&sink_lock);
		if (load_write_all(socket_fd, &answer, sizeof(answer)))
			break;
	}
	close(socket_fd);
	return NULL;
}

static void *accept_connections(void *argument)
{
	struct acceptor *acceptor = argument;

	for (;;) {
		int socket_fd = accept4(acceptor->listener, NULL, NULL, SOCK_CLOEXEC);

		if (socket_fd >= 0)
			start_thread(acceptor->serve, (void *)(intptr_t)socket_fd);
		else if (errno != EINTR && errno != ECONNABORTED)
			load_die("accept");
	}
	return NULL;
}

/* The counters move once per batch, so that the lock costs nothing per packet. */
static void *count_packets(void *argument)
{
	int socket_fd = (int)(intptr_t)argument;
	static char data[LOAD_BATCH][2048];
	struct iovec vectors[LOAD_BATCH];
	struct mmsghdr messages[LOAD_BATCH];
	struct sockaddr_in6 sender;
	int i, got, answer;
	uint64_t now;

	memset(messages, 0, sizeof(messages));
	for (i = 0; i < LOAD_BATCH; i++) {
		vectors[i] = (struct iovec){ data[i], sizeof(data[i]) };
		messages[i].msg_hdr.msg_iov = &vectors[i];
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	messages[0].msg_hdr.msg_name = &sender;
	for (;;) {
		messages[0].msg_hdr.msg_namelen = sizeof(sender);
		got = recvmmsg(socket_fd, messages, LOAD_BATCH, MSG_WAITFORONE, NULL);
		if (got < 0 && errno != EINTR)
			load_die("recvmmsg");
		if (got <= 0)
			continue;
		now = load_now();
		pthread_mutex_lock(&sink_lock);
		if (!sink.received)
			sink.first_ns = now;
		sink.last_ns = now;
		sink.received += (uint64_t)got;
		answer = answer_wanted;
		answer_wanted = 0;
		pthread_mutex_unlock(&sink_lock);
		if (answer && sendto(socket_fd, data[0], messages[0].msg_len, 0,
				     (struct sockaddr *)&sender, sizeof(sender)) < 0)
			load_die("answer");
	}
	return NULL;
}

static void watch(int epoll, int socket_fd, int is_listener)
{
	struct epoll_event event = { .events = EPOLLIN };

	event.data.u64 = (uint64_t)socket_fd | (uint64_t)is_listener << 32;
	if (epoll_ctl(epoll, EPOLL_CTL_ADD, socket_fd, &event))
		load_die("epoll");
}

static void accept_all(int epoll, int listener)
{
	int socket_fd;

	while ((socket_fd = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
		watch(epoll, socket_fd, 0);
}

/* Answers a request, or closes after the client did. */
static void answer_once(int socket_fd)
{
	static char data[LOAD_MESSAGE_SIZE_MAX];
	ssize_t got = recv(socket_fd, data, sizeof(data), 0);

	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (got <= 0 || load_write_all(socket_fd, data, (uint32_t)got))
		close(socket_fd);
}

static void serve_short_connections(uint16_t first_port) __attribute__((noreturn));

static void serve_short_connections(uint16_t first_port)
{
	struct epoll_event events[EVENT_COUNT];
	int epoll = epoll_create1(EPOLL_CLOEXEC), i, count;

	if (epoll < 0)
		load_die("epoll");
	for (i = 0; i < LOAD_PORT_CONNECT_COUNT; i++)
		watch(epoll, open_port(SOCK_STREAM | SOCK_NONBLOCK, (uint16_t)(first_port + i)), 1);
	printf("ready\n");
	fflush(stdout);
	for (;;) {
		count = epoll_wait(epoll, events, EVENT_COUNT, -1);
		if (count < 0 && errno != EINTR)
			load_die("epoll");
		for (i = 0; i < count; i++) {
			if (events[i].data.u64 >> 32)
				accept_all(epoll, (int)(events[i].data.u64 & 0xffffffff));
			else
				answer_once((int)(events[i].data.u64 & 0xffffffff));
		}
	}
}

void load_server_run(const struct load_options *options)
{
	static struct acceptor control = { .serve = serve_control };
	static struct acceptor latency = { .serve = serve_echo };
	int packets = open_port(SOCK_DGRAM, options->port), receive_size = 4 << 20;

	/* A short stall of the receiving thread must not count as loss of the network. */
	setsockopt(packets, SOL_SOCKET, SO_RCVBUFFORCE, &receive_size, sizeof(receive_size));
	control.listener = open_port(SOCK_STREAM, options->port);
	latency.listener = open_port(SOCK_STREAM, (uint16_t)(options->port + LOAD_PORT_LATENCY));
	start_thread(accept_connections, &control);
	start_thread(accept_connections, &latency);
	start_thread(count_packets, (void *)(intptr_t)packets);
	serve_short_connections((uint16_t)(options->port + LOAD_PORT_CONNECT));
}
