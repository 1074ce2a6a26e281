/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft-load: the command line of the bench's load tool, and the few helpers both sides share.
 *
 *	weft-load server  [--port BASE]
 *	weft-load latency --to ADDRESS [--size N]
 *	weft-load connect --to ADDRESS [--size N] [--connections C] [--close fin|reset]
 *	weft-load packets --to ADDRESS [--size N] [--one-way]
 *	weft-load arrive | knock --to ADDRESS
 *
 * All take --port, --seconds and --warm-up. The tests are tables of a name and a function, so
 * that a new one is one line here. See load.h for the ports, bench/run for the caller.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <sys/socket.h>

#include "bench/load.h"

static const struct {
	const char *name;
	void (*run)(const struct load_options *options);
	int needs_address;
	uint32_t size; /* the default of --size */
} modes[] = {
	{ "server", load_server_run, 0, 0 }, { "latency", load_latency, 1, 1 },
	{ "connect", load_connect, 1, 1 },   { "packets", load_packets, 1, 64 },
	{ "arrive", load_arrive, 0, 64 },    { "knock", load_knock, 1, 64 },
};

uint64_t load_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void load_die(const char *what)
{
	fprintf(stderr, "weft-load: %s: %s\n", what, strerror(errno));
	exit(1);
}

int load_write_all(int socket, const void *data, uint32_t size)
{
	const char *from = data;

	while (size) {
		ssize_t written = send(socket, from, size, MSG_NOSIGNAL);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		from += written;
		size -= (uint32_t)written;
	}
	return 0;
}

int load_read_all(int socket, void *data, uint32_t size)
{
	char *to = data;

	while (size) {
		ssize_t got = recv(socket, to, size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			return -ECONNRESET;
		to += got;
		size -= (uint32_t)got;
	}
	return 0;
}

static void usage(void)
{
	fprintf(stderr,
		"usage: weft-load server|latency|connect|packets|arrive|knock [--to ADDRESS]\n"
		"	[--port BASE] [--size BYTES] [--seconds S] [--warm-up S]\n"
		"	[--connections COUNT] [--close fin|reset] [--one-way]\n");
	exit(2);
}

static double parse_number(const char *text, double least, double most)
{
	char *end;
	double value = strtod(text, &end);

	if (end == text || *end || !(value >= least && value <= most)) {
		fprintf(stderr, "weft-load: \"%s\" is not a number from %g to %g\n", text, least,
			most);
		exit(2);
	}
	return value;
}

/* IPv4 goes through IPv6 sockets as a mapped address: one path for both families. */
static void parse_address(const char *text, struct sockaddr_in6 *address)
{
	char mapped[INET6_ADDRSTRLEN + 8];

	snprintf(mapped, sizeof(mapped), strchr(text, ':') ? "%s" : "::ffff:%s", text);
	address->sin6_family = AF_INET6;
	if (inet_pton(AF_INET6, mapped, &address->sin6_addr) != 1) {
		fprintf(stderr, "weft-load: \"%s\" is not an address\n", text);
		exit(2);
	}
}

static void parse_options(int argc, char **argv, struct load_options *options)
{
	static const struct option names[] = {
		{ "to", required_argument, NULL, 't' },
		{ "port", required_argument, NULL, 'p' },
		{ "size", required_argument, NULL, 's' },
		{ "seconds", required_argument, NULL, 'd' },
		{ "warm-up", required_argument, NULL, 'w' },
		{ "connections", required_argument, NULL, 'c' },
		{ "close", required_argument, NULL, 'x' },
		{ "one-way", no_argument, NULL, 'o' },
		{ NULL, 0, NULL, 0 },
	};
	int letter;

	while ((letter = getopt_long(argc, argv, "", names, NULL)) != -1) {
		switch (letter) {
		case 't': parse_address(optarg, &options->to); break;
		case 'p':
			options->port = (uint16_t)parse_number(
				optarg, 1, 65535 - LOAD_PORT_CONNECT - LOAD_PORT_CONNECT_COUNT);
			break;
		case 's':
			options->size = (uint32_t)parse_number(optarg, 1, LOAD_MESSAGE_SIZE_MAX);
			break;
		case 'd': options->seconds = parse_number(optarg, 0.01, 3600); break;
		case 'w': options->warm_up = parse_number(optarg, 0, 3600); break;
		case 'c': options->connections = (uint32_t)parse_number(optarg, 1, 10000); break;
		case 'x':
			options->close_with_reset = strcmp(optarg, "reset") == 0;
			if (!options->close_with_reset && strcmp(optarg, "fin") != 0)
				usage();
			break;
		case 'o': options->one_way = 1; break;
		default: usage();
		}
	}
	if (optind != argc)
		usage();
}

int main(int argc, char **argv)
{
	struct load_options options = {
		.port = LOAD_PORT_BASE,
		.seconds = 2,
		.warm_up = 0.2,
		.connections = 32,
	};
	uint32_t i;

	for (i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		if (argc > 1 && strcmp(argv[1], modes[i].name) == 0)
			break;
	if (i == sizeof(modes) / sizeof(modes[0]))
		usage();
	options.size = modes[i].size;
	parse_options(argc - 1, argv + 1, &options);
	options.to.sin6_port = htons(options.port);
	if (modes[i].needs_address && options.to.sin6_family != AF_INET6)
		usage();
	modes[i].run(&options);
	return 0;
}
