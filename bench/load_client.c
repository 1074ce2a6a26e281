/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The clients of weft-load: one function per test, each prints one line of JSON.
 *
 * All samples of a test are kept and sorted at its end, so percentiles are exact. CPU time is
 * that of the whole machine, from /proc/stat: most of a virtual network's work is done in soft
 * interrupts, which no process is charged for. It is counted in ticks, so a test should last
 * some seconds, and on a machine that does nothing else. See load.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "bench/load.h"

#define SECOND 1000000000u
#define EVENT_COUNT 64
#define KNOCK_INTERVAL_NS 200000

/* Times of single transactions, in nanoseconds. */
struct samples {
	uint32_t *values;
	size_t count;
	size_t capacity;
};

static void samples_add(struct samples *samples, uint64_t nanoseconds)
{
	if (samples->count == samples->capacity) {
		samples->capacity = samples->capacity ? samples->capacity * 2 : 65536;
		samples->values =
			realloc(samples->values, samples->capacity * sizeof(*samples->values));
		if (!samples->values)
			load_die("memory");
	}
	samples->values[samples->count++] = nanoseconds > UINT32_MAX ? UINT32_MAX
								     : (uint32_t)nanoseconds;
}

static int compare_samples(const void *left, const void *right)
{
	uint32_t a = *(const uint32_t *)left, b = *(const uint32_t *)right;

	return (a > b) - (a < b);
}

/* @samples must be sorted and not empty. */
static double samples_percentile_us(const struct samples *samples, uint32_t percent)
{
	size_t index = (samples->count - 1) * percent / 100;

	return samples->values[index] / 1000.0;
}

/* Seconds all processors together were neither idle nor waiting nor stolen. */
static double cpu_seconds(void)
{
	enum { USER, NICE, SYSTEM, IDLE, WAIT, INTERRUPT, SOFT, FIELDS };
	FILE *file = fopen("/proc/stat", "re");
	unsigned long long fields[FIELDS] = { 0 };
	char line[512], *next = line + strlen("cpu ");
	int i;

	if (!file || !fgets(line, sizeof(line), file))
		load_die("/proc/stat");
	fclose(file);
	for (i = 0; i < FIELDS; i++)
		fields[i] = strtoull(next, &next, 10);
	return (double)(fields[USER] + fields[NICE] + fields[SYSTEM] + fields[INTERRUPT] +
			fields[SOFT]) /
	       (double)sysconf(_SC_CLK_TCK);
}

static void print_transactions(const char *test, const struct load_options *options,
			       struct samples *samples, uint64_t failed, double seconds, double cpu)
{
	double rate = (double)samples->count / seconds;

	if (!samples->count) {
		fprintf(stderr, "weft-load: %s: nothing came back\n", test);
		exit(1);
	}
	qsort(samples->values, samples->count, sizeof(*samples->values), compare_samples);
	printf("{\"test\":\"%s\",\"size\":%u,\"seconds\":%.3f,\"transactions\":%zu,"
	       "\"failed\":%llu,\"rate\":%.1f,\"p50_us\":%.2f,\"p99_us\":%.2f,"
	       "\"cpu_seconds\":%.2f,\"cpu_seconds_per_million\":%.2f}\n",
	       test, options->size, seconds, samples->count, (unsigned long long)failed, rate,
	       samples_percentile_us(samples, 50), samples_percentile_us(samples, 99), cpu,
	       cpu * 1e6 / (double)samples->count);
	free(samples->values);
}

static int connect_to(const struct load_options *options, uint16_t port_offset, int type)
{
	struct sockaddr_in6 address = options->to;
	int socket_fd = socket(AF_INET6, type | SOCK_CLOEXEC, 0), on = 1;

	if (socket_fd < 0)
		load_die("socket");
	address.sin6_port = htons((uint16_t)(options->port + port_offset));
	if ((type & SOCK_STREAM) == SOCK_STREAM)
		setsockopt(socket_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(socket_fd, (struct sockaddr *)&address, sizeof(address)) &&
	    errno != EINPROGRESS) {
		int cause = errno;

		close(socket_fd);
		errno = cause;
		return -1;
	}
	return socket_fd;
}

static uint64_t nanoseconds(double seconds)
{
	return (uint64_t)(seconds * SECOND);
}

void load_latency(const struct load_options *options)
{
	uint64_t start = load_now() + nanoseconds(options->warm_up);
	uint64_t end = start + nanoseconds(options->seconds), before, after, first = 0;
	int socket_fd = connect_to(options, LOAD_PORT_LATENCY, SOCK_STREAM);
	char *data = calloc(1, LOAD_MESSAGE_SIZE_MAX);
	struct samples samples = { 0 };
	double cpu = 0;

	if (socket_fd < 0)
		load_die("connect");
	if (!data)
		load_die("memory");
	for (after = load_now(); after < end;) {
		before = after;
		errno = -load_write_all(socket_fd, data, options->size);
		if (!errno)
			errno = -load_read_all(socket_fd, data, options->size);
		if (errno)
			load_die("request");
		after = load_now();
		if (first) {
			samples_add(&samples, after - before);
		} else if (after >= start) {
			cpu = cpu_seconds();
			first = after = load_now();
		}
	}
	cpu = cpu_seconds() - cpu;
	print_transactions("latency", options, &samples, 0, (double)(after - first) / SECOND, cpu);
	close(socket_fd);
	free(data);
}

/* One of the connections that are open at the same time. */
struct slot {
	int socket;
	int requested;
	uint32_t received;
	uint64_t opened_ns;
};

/* The short connections of one run. */
struct churn {
	const struct load_options *options;
	int epoll;
	uint32_t next_port;
	uint64_t failed;
	struct slot *slots;
	struct samples samples;
	char *data;
};

static void slot_open(struct churn *churn, struct slot *slot)
{
	struct epoll_event event = { .events = EPOLLOUT, .data.ptr = slot };
	uint16_t port =
		LOAD_PORT_CONNECT + (uint16_t)(churn->next_port++ % LOAD_PORT_CONNECT_COUNT);

	slot->requested = 0;
	slot->received = 0;
	slot->opened_ns = load_now();
	slot->socket = connect_to(churn->options, port, SOCK_STREAM | SOCK_NONBLOCK);
	if (slot->socket < 0)
		load_die("connect");
	if (epoll_ctl(churn->epoll, EPOLL_CTL_ADD, slot->socket, &event))
		load_die("epoll");
}

static void slot_close(struct churn *churn, struct slot *slot)
{
	struct linger reset = { .l_onoff = 1, .l_linger = 0 };

	if (churn->options->close_with_reset)
		setsockopt(slot->socket, SOL_SOCKET, SO_LINGER, &reset, sizeof(reset));
	close(slot->socket);
}

/* Return: 1 when the slot's connection is over and answered, 0 when it goes on, -1 on failure. */
static int slot_advance(struct churn *churn, struct slot *slot)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = slot };
	ssize_t got;

	if (!slot->requested) {
		if (load_write_all(slot->socket, churn->data, churn->options->size))
			return -1;
		slot->requested = 1;
		if (epoll_ctl(churn->epoll, EPOLL_CTL_MOD, slot->socket, &event))
			load_die("epoll");
		return 0;
	}
	got = recv(slot->socket, churn->data, LOAD_MESSAGE_SIZE_MAX, 0);
	if (got < 0 && (errno == EAGAIN || errno == EINTR))
		return 0;
	if (got <= 0)
		return -1;
	slot->received += (uint32_t)got;
	return slot->received >= churn->options->size;
}

static void churn_run(struct churn *churn, uint64_t end, int keep_samples)
{
	struct epoll_event events[EVENT_COUNT];
	uint64_t now = load_now();

	while (now < end) {
		int i, count = epoll_wait(churn->epoll, events, EVENT_COUNT, 100);

		if (count < 0 && errno != EINTR)
			load_die("epoll");
		for (i = 0; i < count; i++) {
			struct slot *slot = events[i].data.ptr;
			int result = slot_advance(churn, slot);

			if (!result)
				continue;
			slot_close(churn, slot);
			if (result < 0)
				churn->failed++;
			else if (keep_samples)
				samples_add(&churn->samples, load_now() - slot->opened_ns);
			slot_open(churn, slot);
		}
		now = load_now();
	}
}

void load_connect(const struct load_options *options)
{
	struct churn churn = { .options = options, .epoll = epoll_create1(EPOLL_CLOEXEC) };
	uint64_t first, last;
	uint32_t i;
	double cpu;

	churn.slots = calloc(options->connections, sizeof(*churn.slots));
	churn.data = calloc(1, LOAD_MESSAGE_SIZE_MAX);
	if (churn.epoll < 0 || !churn.slots || !churn.data)
		load_die("set up");
	for (i = 0; i < options->connections; i++)
		slot_open(&churn, &churn.slots[i]);
	churn_run(&churn, load_now() + nanoseconds(options->warm_up), 0);
	churn.failed = 0;
	cpu = cpu_seconds();
	first = load_now();
	churn_run(&churn, first + nanoseconds(options->seconds), 1);
	last = load_now();
	cpu = cpu_seconds() - cpu;
	for (i = 0; i < options->connections; i++)
		close(churn.slots[i].socket);
	print_transactions("connect", options, &churn.samples, churn.failed,
			   (double)(last - first) / SECOND, cpu);
	close(churn.epoll);
	free(churn.slots);
	free(churn.data);
}

static void sink_ask(int control, char command, struct load_sink *sink)
{
	errno = -load_write_all(control, &command, 1);
	if (!errno)
		errno = -load_read_all(control, sink, sizeof(*sink));
	if (errno)
		load_die("control connection");
}

/* Packets may still be on their way: the count is final when it has stopped growing. */
static void sink_settle(int control, struct load_sink *sink)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	uint64_t before;

	do {
		before = sink->received;
		nanosleep(&pause, NULL);
		sink_ask(control, LOAD_COMMAND_READ, sink);
	} while (sink->received != before);
}

static uint64_t send_until(int socket_fd, uint32_t size, uint64_t end)
{
	static char data[LOAD_MESSAGE_SIZE_MAX];
	struct iovec vector = { data, size };
	struct mmsghdr messages[LOAD_BATCH];
	uint64_t sent = 0;
	int i;

	memset(messages, 0, sizeof(messages));
	for (i = 0; i < LOAD_BATCH; i++) {
		messages[i].msg_hdr.msg_iov = &vector;
		messages[i].msg_hdr.msg_iovlen = 1;
	}
	while (load_now() < end) {
		int count = sendmmsg(socket_fd, messages, LOAD_BATCH, 0);

		if (count > 0)
			sent += (uint64_t)count;
		else if (count < 0 && errno != EINTR && errno != ENOBUFS)
			load_die("sendmmsg");
	}
	return sent;
}

void load_packets(const struct load_options *options)
{
	int control = connect_to(options, 0, SOCK_STREAM);
	int socket_fd = connect_to(options, 0, SOCK_DGRAM);
	struct load_sink sink = { 0 };
	double cpu, seconds;
	uint64_t sent;

	if (control < 0 || socket_fd < 0)
		load_die("connect");
	send_until(socket_fd, options->size, load_now() + nanoseconds(options->warm_up));
	sink_ask(control, LOAD_COMMAND_READ, &sink);
	sink_settle(control, &sink);
	sink_ask(control, options->one_way ? LOAD_COMMAND_RESET_QUIET : LOAD_COMMAND_RESET, &sink);
	cpu = cpu_seconds();
	sent = send_until(socket_fd, options->size, load_now() + nanoseconds(options->seconds));
	cpu = cpu_seconds() - cpu;
	sink_settle(control, &sink);
	if (sink.received < 2 || sink.last_ns <= sink.first_ns) {
		fprintf(stderr, "weft-load: packets: nothing arrived\n");
		exit(1);
	}
	seconds = (double)(sink.last_ns - sink.first_ns) / SECOND;
	printf("{\"test\":\"packets\",\"size\":%u,\"seconds\":%.3f,\"sent\":%llu,"
	       "\"received\":%llu,\"loss\":%.4f,\"rate\":%.1f,"
	       "\"cpu_seconds\":%.2f,\"cpu_seconds_per_million\":%.2f}\n",
	       options->size, seconds, (unsigned long long)sent, (unsigned long long)sink.received,
	       sent ? 1 - (double)sink.received / (double)sent : 0, (double)sink.received / seconds,
	       cpu, cpu * 1e6 / (double)sink.received);
	close(control);
	close(socket_fd);
}

void load_knock(const struct load_options *options)
{
	const struct timespec pause = { .tv_nsec = KNOCK_INTERVAL_NS };
	uint64_t end = load_now() + nanoseconds(options->seconds);
	int socket_fd = connect_to(options, 0, SOCK_DGRAM);
	char data[LOAD_MESSAGE_SIZE_MAX] = { 0 };

	if (socket_fd < 0)
		load_die("connect");
	/* Errors are the answer of a path that is still closed: the next knock asks again. */
	while (load_now() < end) {
		if (send(socket_fd, data, options->size, 0) < 0 && errno == EBADF)
			load_die("send");
		nanosleep(&pause, NULL);
	}
	close(socket_fd);
}

void load_arrive(const struct load_options *options)
{
	struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = htons(options->port),
	};
	struct timeval wait = { .tv_sec = (time_t)options->seconds };
	int socket_fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), off = 0;
	char data[64];

	wait.tv_usec = (suseconds_t)((options->seconds - (double)wait.tv_sec) * 1e6);
	if (socket_fd < 0)
		load_die("socket");
	setsockopt(socket_fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off));
	setsockopt(socket_fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
	if (bind(socket_fd, (struct sockaddr *)&address, sizeof(address)))
		load_die("bind");
	printf("ready\n");
	fflush(stdout);
	if (recv(socket_fd, data, sizeof(data), 0) < 0)
		load_die("nothing arrived");
	printf("{\"test\":\"arrive\",\"monotonic_ns\":%llu}\n", (unsigned long long)load_now());
	close(socket_fd);
}
