/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the parts of weft-load share.
 *
 * weft-load is the server of all tests (load_server.c) and the client of each (load_client.c);
 * load.c reads the command line. A server takes a run of ports from a base: the base itself is the
 * control port (TCP) and the packet sink (UDP), the next is for latency, the rest are for short
 * connections: many, so that closed ones, which hold their port pair for a minute (TIME_WAIT), do
 * not use up the client's ports. The client closes with FIN, as real ones do.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stdint.h>
#include <netinet/in.h>

#define LOAD_PORT_BASE 7000
#define LOAD_PORT_LATENCY 1 /* added to the base */
#define LOAD_PORT_CONNECT 2 /* added to the base: first of LOAD_PORT_CONNECT_COUNT */
#define LOAD_PORT_CONNECT_COUNT 16
#define LOAD_MESSAGE_SIZE_MAX 65536
#define LOAD_BATCH 64 /* packets per sendmmsg or recvmmsg */

/**
 * struct load_options - what the command line says
 * @to: address of the server, IPv4 as a mapped address; the port is the base
 * @port: base port, host byte order
 * @size: bytes of a request, of its answer and of a packet's payload
 * @seconds: how long to measure
 * @warm_up: how long to run before measuring
 * @connections: short connections kept open at the same time
 * @close_with_reset: close short connections with RST, which leaves no TIME_WAIT behind
 * @one_way: packets are never answered, so that a firewall does not see them as established
 */
struct load_options {
	struct sockaddr_in6 to;
	uint16_t port;
	uint32_t size;
	double seconds;
	double warm_up;
	uint32_t connections;
	int close_with_reset;
	int one_way;
};

/**
 * struct load_sink - what the packet sink has seen since the last reset
 * @received: packets
 * @first_ns: CLOCK_MONOTONIC when the first arrived
 * @last_ns: the same of the last
 *
 * Crosses the control connection as it lies in memory: both ends run on one machine.
 */
struct load_sink {
	uint64_t received;
	uint64_t first_ns;
	uint64_t last_ns;
};

/* One byte each; every command is answered with struct load_sink. */
enum load_command {
	LOAD_COMMAND_RESET = 'r',       /* zero the sink; the next packet is sent back */
	LOAD_COMMAND_RESET_QUIET = 'q', /* zero the sink; nothing is sent back */
	LOAD_COMMAND_READ = 'c',
};

/** load_now - CLOCK_MONOTONIC. Return: nanoseconds. */
uint64_t load_now(void);

/** load_die - print "weft-load: WHAT: errno's text" and exit 1. @what: the step that failed. */
void load_die(const char *what) __attribute__((noreturn));

/**
 * load_write_all - write @size bytes at @data to a blocking @socket
 *
 * Return: 0, or a negative errno.
 */
int load_write_all(int socket, const void *data, uint32_t size);

/**
 * load_read_all - read exactly @size bytes from a blocking @socket to @data
 *
 * Return: 0, or a negative errno; -ECONNRESET when the other side closed.
 */
int load_read_all(int socket, void *data, uint32_t size);

/**
 * load_server_run - serve every test until the process is killed
 * @options: the base port is used
 *
 * Prints "ready" on stdout when all ports listen. Return: never; dies on failure.
 */
void load_server_run(const struct load_options *options) __attribute__((noreturn));

/*
 * The clients. Each takes the server, the size and the times from @options, prints one line of JSON
 * and dies on failure, or when nothing came back.
 */

/** load_latency - one request at a time on one connection. */
void load_latency(const struct load_options *options);
/** load_connect - connect, request, answer, close; @options->connections at the same time. */
void load_connect(const struct load_options *options);
/** load_packets - small UDP packets as fast as one thread can; counts what arrives. */
void load_packets(const struct load_options *options);
/** load_knock - one small UDP packet every 200 us, to find out when a path opens. */
void load_knock(const struct load_options *options);

/**
 * load_arrive - wait for the first UDP packet at the base port, say when it arrived
 * @options: the base port, and how long to wait at most
 *
 * Prints "ready", then the JSON line with CLOCK_MONOTONIC in nanoseconds; dies on timeout.
 */
void load_arrive(const struct load_options *options);

#endif
