/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A TCP proxy in a process of its own that loses what a test wants it to lose: on the next
 * connection or message a transaction goes by, it cuts the connection before or after etcd got
 * it. One thread, poll(2), whatever arrives is passed on as it is.
 */
#ifndef WEFT_TESTS_UNIT_ETCD_PROXY_H
#define WEFT_TESTS_UNIT_ETCD_PROXY_H

#include <sys/mman.h>

#include "tests/unit/etcd_members.h"

#define PROXY_PAIRS_MAX 32

enum etcd_proxy_fault {
	PROXY_CUT_REQUEST,    /* etcd never gets it */
	PROXY_CUT_ANSWER,     /* etcd has done it, then the connection is cut */
	PROXY_SWALLOW_ANSWER, /* etcd has done it, and nothing comes back */
};

/* @faults: how many transactions are treated so, counted down; shared with the process */
struct etcd_proxy {
	pid_t pid;
	char url[64];
	volatile enum etcd_proxy_fault fault;
	volatile int faults;
	volatile bool wants_whole_request;
};

struct proxy_pair {
	int client;
	int server;
	bool loses_answer;
	bool swallows;
};

static inline void proxy_end(struct proxy_pair *pair)
{
	close(pair->client);
	close(pair->server);
	pair->client = -1;
}

static inline void proxy_write(int fd, const char *data, ssize_t size)
{
	while (size > 0) {
		ssize_t written = write(fd, data, (size_t)size);

		if (written <= 0)
			return;
		data += written;
		size -= written;
	}
}

static inline void proxy_request(struct etcd_proxy *proxy, struct proxy_pair *pair)
{
	static char data[1 << 16];
	ssize_t size = read(pair->client, data, sizeof(data) - 1);

	if (size <= 0) {
		proxy_end(pair);
		return;
	}
	data[size] = '\0';
	if (strncmp(data, "POST /v3/kv/txn ", 16) == 0 && proxy->faults > 0) {
		proxy->faults = proxy->faults - 1;
		if (proxy->fault == PROXY_CUT_REQUEST) {
			proxy_end(pair);
			return;
		}
		pair->loses_answer = true;
	}
	/* A body that is longer than any that comes whole. */
	if (proxy->wants_whole_request && strstr(data, "Content-Length: 1125899906842624"))
		pair->swallows = true;
	if (!pair->swallows)
		proxy_write(pair->server, data, size);
}

static inline void proxy_answer(const struct etcd_proxy *proxy, struct proxy_pair *pair)
{
	static char data[1 << 16];
	ssize_t size = read(pair->server, data, sizeof(data));

	if (size <= 0 || (pair->loses_answer && proxy->fault == PROXY_CUT_ANSWER))
		proxy_end(pair);
	else if (!pair->loses_answer)
		proxy_write(pair->client, data, size);
}

static inline int proxy_connect(int port)
{
	struct sockaddr_in address = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_port = htons((uint16_t)port);
	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0 ? fd : -1;
}

static inline void proxy_run(struct etcd_proxy *proxy, int listener, int port)
{
	struct proxy_pair pairs[PROXY_PAIRS_MAX];

	for (int i = 0; i < PROXY_PAIRS_MAX; i++)
		pairs[i].client = -1;
	for (;;) {
		struct pollfd fds[1 + 2 * PROXY_PAIRS_MAX];

		fds[0] = (struct pollfd){ .fd = listener, .events = POLLIN };
		for (int i = 0; i < PROXY_PAIRS_MAX; i++) {
			int server = pairs[i].client < 0 ? -1 : pairs[i].server;

			fds[1 + 2 * i] = (struct pollfd){ .fd = pairs[i].client, .events = POLLIN };
			fds[2 + 2 * i] = (struct pollfd){ .fd = server, .events = POLLIN };
		}
		poll(fds, 1 + 2 * PROXY_PAIRS_MAX, -1);
		for (int i = 0; i < PROXY_PAIRS_MAX; i++) {
			if (pairs[i].client >= 0 && fds[1 + 2 * i].revents)
				proxy_request(proxy, &pairs[i]);
			if (pairs[i].client >= 0 && fds[2 + 2 * i].revents)
				proxy_answer(proxy, &pairs[i]);
		}
		for (int i = 0; fds[0].revents && i < PROXY_PAIRS_MAX; i++) {
			if (pairs[i].client >= 0)
				continue;
			pairs[i] = (struct proxy_pair){ .client = accept(listener, NULL, NULL),
							.server = proxy_connect(port) };
			break;
		}
	}
}

static inline struct etcd_proxy *etcd_proxy_start(int port)
{
	struct etcd_proxy *proxy = mmap(NULL, sizeof(*proxy), PROT_READ | PROT_WRITE,
					MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct sockaddr_in address = { .sin_family = AF_INET };
	socklen_t size = sizeof(address);
	pid_t pid;
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(listener, 16), 0);
	assert_int_equal(getsockname(listener, (struct sockaddr *)&address, &size), 0);
	snprintf(proxy->url, sizeof(proxy->url), "http://127.0.0.1:%d", ntohs(address.sin_port));
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		signal(SIGPIPE, SIG_IGN);
		proxy_run(proxy, listener, port);
	}
	proxy->pid = pid;
	close(listener);
	return proxy;
}

static inline void etcd_proxy_stop(struct etcd_proxy *proxy)
{
	kill(proxy->pid, SIGKILL);
	waitpid(proxy->pid, NULL, 0);
	munmap(proxy, sizeof(*proxy));
}

#endif
