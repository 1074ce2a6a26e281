/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft-bench-pipeline: nanoseconds that the attached program takes for a packet.
 *
 *	weft-bench-pipeline run OBJECT IFINDEX SOURCE DESTINATION MAC GATEWAY-MAC FIRST-PORT
 *	weft-bench-pipeline routes PINS IFINDEX DESTINATION COUNT
 *	weft-bench-pipeline straight OBJECT IFINDEX IFINDEX
 *
 * `run` takes the program that weftd has attached to a port's device, with the tables as weftd
 * filled them, and lets the kernel run it on a UDP packet as if it had come in there: many times as
 * a packet of a known connection, many times as the first packet of a new one, and many times as
 * one to a port that nobody has sent to lately, for which the rules are asked. Nothing is sent; the
 * verdict must be that of a delivered packet. OBJECT is the compiled pipeline.bpf.c.
 *
 * `routes` adds blackhole routes to the route table of the port's subnet, past the daemon (which
 * must be stopped, for it would repair this), because a route table of weft.yaml ends at 1,000. The
 * prefixes surround the destination, so that its look-up goes as deep as it can.
 *
 * `straight` joins two devices by a program that redirects and does nothing else, until it is
 * ended.
 *
 * bench/micro.py makes the ports and calls this.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/ether.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/pkt_cls.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bench/pipeline.h"
#include "core/tables.h"
#include "datapath/kernel_tcx.h"

#define HIT_COUNT 1000000
#define FIRST_COUNT 12000
#define KIND_COUNT 4000
#define DESTINATION_PORT 9000
#define WEFT_FILTER_HANDLE 0x77656674 /* as in datapath/kernel_attach.c */

static void die(const char *what, int error) __attribute__((noreturn));

static void die(const char *what, int error)
{
	fprintf(stderr, "weft-bench-pipeline: %s: %s\n", what,
		strerror(error < 0 ? -error : error));
	exit(1);
}

/* Descriptor of Weft's program at the ingress of a device: a tcx link's, else a tc filter's. */
static int attached_program(int ifindex)
{
	LIBBPF_OPTS(bpf_prog_query_opts, query);
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = WEFT_FILTER_HANDLE, .priority = 1);
	uint32_t ids[16];
	int descriptor;

	query.prog_ids = ids;
	query.prog_cnt = sizeof(ids) / sizeof(ids[0]);
	if (bpf_prog_query_opts(ifindex, TCX_INGRESS, &query) || !query.prog_cnt) {
		if (bpf_tc_query(&hook, &filter))
			die("no program is attached to the device", ENOENT);
		ids[0] = filter.prog_id;
	}
	descriptor = bpf_prog_get_fd_by_id(ids[0]);
	if (descriptor < 0)
		die("the attached program", errno);
	return descriptor;
}

static uint32_t parse_number(const char *text)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || value > UINT32_MAX)
		die(text, EINVAL);
	return (uint32_t)value;
}

static void set_mac(uint8_t *to, const char *text)
{
	struct ether_addr address;

	if (!ether_aton_r(text, &address))
		die(text, EINVAL);
	memcpy(to, address.ether_addr_octet, 6);
}

static uint32_t parse_ipv4(const char *text)
{
	uint32_t address;

	if (inet_pton(AF_INET, text, &address) != 1)
		die(text, EINVAL);
	return address;
}

/* A UDP packet without a checksum, which IPv4 allows: its ports are those of the run. */
static void build_frame(uint8_t *data, const char *source, const char *destination)
{
	static const uint8_t headers[] = {
		0x08, 0x00, /* EtherType; IPv4: */
		0x45, 0,    0, PIPELINE_FRAME_SIZE - 14, 0, 1, 0x40, 0, 64, 17, 0, 0,
	};
	uint32_t address, sum = 0;
	uint16_t word;
	int i;

	memset(data, 0, PIPELINE_FRAME_SIZE);
	memcpy(data + 12, headers, sizeof(headers));
	address = parse_ipv4(source);
	memcpy(data + 26, &address, 4);
	address = parse_ipv4(destination);
	memcpy(data + 30, &address, 4);
	for (i = 14; i < 34; i += 2) {
		memcpy(&word, data + i, 2);
		sum += word;
	}
	sum = (sum & 0xffff) + (sum >> 16);
	word = (uint16_t) ~(sum + (sum >> 16));
	memcpy(data + 24, &word, 2);
	data[39] = PIPELINE_FRAME_SIZE - 34;
}

/* The wrapper with what it runs on. */
struct bench {
	int wrapper;
	int frames;
	int measured;
	int ifindex;
	uint8_t data[PIPELINE_FRAME_SIZE];
	struct pipeline_frame frame;
};

/* The ports are as they are in bench->frame; they have gone on when it returns. */
static uint32_t time_program(struct bench *bench, int program, int repeat)
{
	struct __sk_buff context = { .ifindex = (uint32_t)bench->ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, options);
	uint32_t zero = 0;
	int error;

	if (bpf_map_update_elem(bench->frames, &zero, &bench->frame, BPF_ANY))
		die("frame", errno);
	if (bpf_map_update_elem(bench->measured, &zero, &program, BPF_ANY))
		die("tail call of the program", errno);
	options.data_in = bench->data;
	options.data_size_in = sizeof(bench->data);
	options.ctx_in = &context;
	options.ctx_size_in = sizeof(context);
	options.repeat = repeat;
	error = bpf_prog_test_run_opts(bench->wrapper, &options);
	if (error)
		die("test run", error);
	if (options.retval != TC_ACT_REDIRECT) {
		fprintf(stderr, "weft-bench-pipeline: the packet was not delivered (%u)\n",
			options.retval);
		exit(1);
	}
	return options.duration;
}

/* What a program takes for each kind of packet, in nanoseconds. */
struct times {
	uint32_t hit;
	uint32_t first;
	uint32_t kind;
};

static struct times time_kinds(struct bench *bench, int program, uint32_t first_port)
{
	struct pipeline_frame *frame = &bench->frame;
	struct times times;

	frame->source_port = first_port;
	frame->destination_port = DESTINATION_PORT;
	frame->source_step = 1;
	frame->destination_step = 0;
	times.first = time_program(bench, program, FIRST_COUNT);
	frame->source_port = first_port;
	frame->source_step = 0;
	times.hit = time_program(bench, program, HIT_COUNT);
	frame->destination_port = DESTINATION_PORT + 1;
	frame->destination_step = 1;
	times.kind = time_program(bench, program, KIND_COUNT);
	return times;
}

static void run(char **arguments)
{
	struct bpf_object *object = bpf_object__open_file(arguments[0], NULL);
	uint32_t first_port = parse_number(arguments[6]);
	struct bench bench = { .ifindex = (int)parse_number(arguments[1]) };
	int program = attached_program(bench.ifindex), at_once, error;
	struct times floor, times;

	if (!object)
		die(arguments[0], errno);
	error = bpf_object__load(object);
	if (error)
		die(arguments[0], error);
	bench.wrapper = bpf_program__fd(bpf_object__find_program_by_name(object, "again"));
	at_once = bpf_program__fd(bpf_object__find_program_by_name(object, "at_once"));
	bench.frames = bpf_object__find_map_fd_by_name(object, "frames");
	bench.measured = bpf_object__find_map_fd_by_name(object, "measured");
	build_frame(bench.data, arguments[2], arguments[3]);
	set_mac(bench.frame.ethernet + 6, arguments[4]);
	set_mac(bench.frame.ethernet, arguments[5]);

	floor = time_kinds(&bench, at_once, first_port);
	times = time_kinds(&bench, program, first_port);
	printf("{\"floor_hit_ns\":%u,\"floor_first_ns\":%u,\"floor_kind_ns\":%u,"
	       "\"hit_ns\":%u,\"first_ns\":%u,\"kind_ns\":%u}\n",
	       floor.hit, floor.first, floor.kind, times.hit, times.first, times.kind);
	bpf_object__close(object);
	close(program);
}

static int open_table(const char *pins, const char *name)
{
	char path[4096];
	int descriptor;

	snprintf(path, sizeof(path), "%s/%s", pins, name);
	descriptor = bpf_obj_get(path);
	if (descriptor < 0)
		die(path, errno);
	return descriptor;
}

static void look_up(const char *pins, const char *name, const void *key, void *value)
{
	int table = open_table(pins, name);

	if (bpf_map_lookup_elem(table, key, value))
		die(name, errno);
	close(table);
}

/*
 * Prefix number index: first the 16 neighbours of the destination that differ in one bit of the
 * last 16, then the /24s from 10.1.0.0 up.
 */
static uint32_t surrounding_prefix(uint32_t destination, uint32_t index, uint32_t *length)
{
	if (index < 16) {
		*length = 32;
		return destination ^ htonl(1u << index);
	}
	*length = 24;
	return htonl(0x0a010000 + ((index - 16) << 8));
}

static void routes(char **arguments)
{
	struct attachment_key device = { .ifindex = parse_number(arguments[1]) };
	uint32_t destination = parse_ipv4(arguments[2]), count = parse_number(arguments[3]);
	struct route route = { .kind = ROUTE_BLACKHOLE };
	struct attachment attachment;
	struct route_key key = { 0 };
	struct subnet_key subnet_key;
	struct port_key port_key;
	struct subnet subnet;
	struct port port;
	uint32_t i, length;
	int table;

	look_up(arguments[0], "attachments", &device, &attachment);
	port_key.port_id = attachment.port_id;
	look_up(arguments[0], "ports", &port_key, &port);
	subnet_key.subnet_id = port.subnet_id;
	look_up(arguments[0], "subnets", &subnet_key, &subnet);
	table = open_table(arguments[0], "routes");
	key.table_id = subnet.route_table_id;
	key.address.word[2] = htonl(0x0000ffff);
	for (i = 0; i < count; i++) {
		key.address.word[3] = surrounding_prefix(destination, i, &length);
		key.prefix_length = 32 + 96 + length;
		if (bpf_map_update_elem(table, &key, &route, BPF_ANY))
			die("route", errno);
	}
	close(table);
	printf("{\"routes\":%u}\n", count);
}

/* The program has to know the devices before it is loaded. */
static void straight_between(struct bpf_object *object, const uint32_t ends[2])
{
	const size_t size = 2 * sizeof(*ends);
	struct bpf_map *map;

	bpf_object__for_each_map(map, object)
	{
		if (strstr(bpf_map__name(map), ".rodata") && bpf_map__value_size(map) == size &&
		    !bpf_map__set_initial_value(map, ends, size))
			return;
	}
	die("the constants of the program", ENOENT);
}

static void straight(char **arguments)
{
	struct bpf_object *object = bpf_object__open_file(arguments[0], NULL);
	uint32_t ends[2] = { parse_number(arguments[1]), parse_number(arguments[2]) };
	int program, error, i;

	if (!object)
		die(arguments[0], errno);
	straight_between(object, ends);
	error = bpf_object__load(object);
	if (error)
		die(arguments[0], error);
	program = bpf_program__fd(bpf_object__find_program_by_name(object, "straight"));
	for (i = 0; i < 2; i++) {
		if (bpf_link_create(program, (int)ends[i], (enum bpf_attach_type)TCX_INGRESS,
				    NULL) < 0)
			die("tcx", errno);
	}
	puts("ready");
	fflush(stdout);
	pause();
	bpf_object__close(object);
}

int main(int argc, char **argv)
{
	if (argc == 9 && strcmp(argv[1], "run") == 0)
		run(argv + 2);
	else if (argc == 6 && strcmp(argv[1], "routes") == 0)
		routes(argv + 2);
	else if (argc == 5 && strcmp(argv[1], "straight") == 0)
		straight(argv + 2);
	else
		die("usage: run OBJECT IFINDEX SOURCE DESTINATION MAC MAC PORT | "
		    "routes PINS IFINDEX DESTINATION COUNT | straight OBJECT IFINDEX IFINDEX",
		    EINVAL);
	return 0;
}
