/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One of two hosts that carry one segment between them, without a daemon: the rows are written by hand.
 *
 *	underlay NETNS [option...]	write the rows, attach the programs, then do what stdin says:
 *		up [option...]	write other rows in the place of all
 *		counters	verdicts since up: "NAME count" lines
 *		news		what the underlay's routers said, a line each
 *		quit		go; at the end of stdin too. Traffic goes on.
 *
 * Each command is answered by its lines and one that says "ok".
 *
 * Host 1 has 192.0.2.1 and 2001:db8::1 on its device u0, and a workload 10.0.0.1, fd00::1 with MAC
 * 02:00:00:00:00:01 behind device w0; host 2 the same with 2. Options, as word=value: host=1|2
 * kind=vxlan|… family=4|6 port=veth|tap mtu=BYTES flags=NUMBER (enum tunnel_flags) source=NUMBER (enum
 * tunnel_source_flags) l2=0|1 group=ADDRESS name=DEVICE (of the workload,
 * instead of w0) device=0|1 (make the kernel's tunnel device).
 *
 * tests/net/test_underlay.py and the benchmarks of the bare path between hosts use it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/devices/device_tunnel.h"
#include "base/alloc.h"
#include "base/netlink.h"
#include "datapath/datapath.h"

#define VPC 9
#define SUBNET 20
#define SLOT_PEER 10
#define PEER PEER_ID_FIRST
#define TUNNEL 1
#define GROUP_TUNNEL 2
#define SEGMENT 5001

struct world {
	struct datapath *datapath;
	uint32_t host, other;
	uint32_t kind;
	uint32_t family;
	uint32_t port_kind;
	uint32_t mtu;
	uint32_t flags;
	uint32_t source_flags;
	uint32_t l2;
	uint32_t device;
	char name[16];
	char group[INET6_ADDRSTRLEN];
	uint64_t before[VERDICTS];
};

static const char *const kind_names[TUNNEL_KINDS] = {
	[TUNNEL_VXLAN] = "vxlan", [TUNNEL_GENEVE] = "geneve", [TUNNEL_NVGRE] = "nvgre",
	[TUNNEL_GRE] = "gre",     [TUNNEL_GRETAP] = "gretap", [TUNNEL_IPIP] = "ipip",
	[TUNNEL_SIT] = "sit",     [TUNNEL_FOU] = "fou",       [TUNNEL_GUE] = "gue",
};
static const uint16_t kind_ports[TUNNEL_KINDS] = {
	[TUNNEL_VXLAN] = 4789,
	[TUNNEL_GENEVE] = 6081,
	[TUNNEL_FOU] = 5555,
	[TUNNEL_GUE] = 6080,
};

#define VERDICT_NAME(name, class, stage, sentence) [VERDICT_##name] = #name,
static const char *const verdict_names[VERDICTS] = { WEFT_VERDICTS(VERDICT_NAME) };
#undef VERDICT_NAME

static void die(const char *what, const char *why)
{
	fprintf(stderr, "underlay: %s: %s\n", what, why);
	exit(1);
}

static void put(struct world *world, enum table_id table, const void *key, const void *value)
{
	int result = datapath_put(world->datapath, table, key, value);

	if (result)
		die("cannot write a row", strerror(-result));
}

static struct address address(const char *text)
{
	struct address parsed = { { 0 } };
	struct in_addr ipv4;

	if (inet_pton(AF_INET, text, &ipv4) == 1) {
		parsed.word[2] = htonl(0xffff);
		parsed.word[3] = ipv4.s_addr;
	} else if (inet_pton(AF_INET6, text, &parsed) != 1) {
		die("no address", text);
	}
	return parsed;
}

static struct address host_address(const char *prefix, uint32_t host)
{
	char text[64];

	snprintf(text, sizeof(text), "%s%u", prefix, host);
	return address(text);
}

static struct address underlay_address(const struct world *world, uint32_t host)
{
	return host_address(world->family == 4 ? "192.0.2." : "2001:db8::", host);
}

/* ---- rows ---- */

/* All may pass: classifier 1 has one rule, which allows everything. */
static void write_policy(struct world *world)
{
	const struct policy_key policy_key = { 1 };
	const struct policy policy = { .egress = 1, .ingress = 1, .object_id = 50 };
	const struct classifier_service_key service = { .prefix_length = 32, .classifier_id = 1 };
	const struct classifier_address_key any = { .prefix_length = 32, .classifier_id = 1 };
	const struct rule_set set = { .summary = 1, .first = 1 };
	const struct rule_key rule_key = { .classifier_id = 1, .bit = 0 };
	const struct rule rule = { .rule_id = 51, .allow = 1 };

	put(world, TABLE_policies, &policy_key, &policy);
	put(world, TABLE_classifier_services, &service, &set);
	put(world, TABLE_classifier_addresses, &any, &set);
	put(world, TABLE_rules, &rule_key, &rule);
}

static void write_subnet(struct world *world)
{
	const struct slot_key vpc_slot = { 1 };
	struct vpc vpc = { .vpc_id = VPC, .generation = 1, .flow_limit = 100000 };
	const struct subnet_key subnet_key = { SUBNET };
	struct subnet subnet = {
		.vpc_id = VPC,
		.flags = world->l2 ? SUBNET_L2 : 0,
		.route_table_id = 30,
		.network = { address("10.0.0.0"), address("fd00::") },
		.gateway = { address("10.0.0.254"), address("fd00::fe") },
		.prefix_length = { 120, 64 },
		.gateway_mac = { 0x02, 0, 0, 0, 0, 0xfe },
		.flood_count = world->l2 ? 2 : 0,
		.station_limit = 100,
		.station_ageing = 300 * TICKS_PER_SECOND,
		.remote_flood_count = world->l2 ? 1 : 0,
	};

	for (int i = 0; i < TIMEOUTS; i++)
		vpc.timeout[i] = 600 * TICKS_PER_SECOND;
	put(world, TABLE_vpcs, &vpc_slot, &vpc);
	put(world, TABLE_subnets, &subnet_key, &subnet);
	datapath_state(world->datapath)->shared_limit = 100000;
}

/* A workload of this host or of the other. */
static void write_port(struct world *world, uint32_t host)
{
	const bool here = host == world->host;
	const struct port_key port_key = { host };
	struct port port = {
		.vpc_id = VPC,
		.vpc_slot = 1,
		.port_slot = here ? host : SLOT_PEER,
		.subnet_id = SUBNET,
		.ifindex = here ? if_nametoindex(world->name) : 0,
		.kind = here ? world->port_kind : PORT_TUNNEL,
		.flags = PORT_CHECK_SOURCE | PORT_CHECK_MAC,
		.mtu = world->mtu,
		.group_set_id = 1,
		.flow_limit = 100000,
		.flow_guarantee = 100,
		.mac = { 0x02, 0, 0, 0, 0, (uint8_t)host },
		.host_id = host,
		.tunnel_id = here ? 0 : TUNNEL,
	};
	struct endpoint endpoint = { .port_id = host, .subnet_id = SUBNET, .group_set_id = 1 };
	struct station_key station_key = { .subnet_id = SUBNET };
	const struct station station = { .port_id = host, .flags = STATION_STATIC };
	struct endpoint_key endpoint_key = { VPC, host_address("10.0.0.", host) };

	memcpy(endpoint.mac, port.mac, 6);
	memcpy(station_key.mac, port.mac, 6);
	put(world, TABLE_ports, &port_key, &port);
	put(world, TABLE_stations, &station_key, &station);
	put(world, TABLE_endpoints, &endpoint_key, &endpoint);
	endpoint_key.address = host_address("fd00::", host);
	put(world, TABLE_endpoints, &endpoint_key, &endpoint);
	if (here) {
		const struct attachment_key attachment_key = { port.ifindex };
		const struct attachment attachment = { .port_id = host,
						       .port_slot = host,
						       .vpc_slot = 1 };

		put(world, TABLE_attachments, &attachment_key, &attachment);
	}
}

/* The other host as this VPC sees it. */
static void write_peer(struct world *world)
{
	const struct port_key port_key = { PEER };
	const struct port peer = {
		.vpc_id = VPC,
		.vpc_slot = 1,
		.port_slot = SLOT_PEER,
		.subnet_id = SUBNET,
		.kind = PORT_TUNNEL,
		.mtu = world->mtu,
		.group_set_id = 1,
		.flow_limit = 100000,
		.host_id = world->other,
		.tunnel_id = TUNNEL,
	};

	put(world, TABLE_ports, &port_key, &peer);
}

static bool has_udp(uint32_t kind)
{
	return kind_ports[kind] != 0;
}

static bool has_id(const struct world *world)
{
	return world->kind <= TUNNEL_NVGRE || (world->flags & TUNNEL_KEY);
}

static void write_tunnel(struct world *world, uint32_t id, struct address remote,
			 uint32_t more_flags)
{
	const struct tunnel_key key = { id };
	const struct tunnel_sequence sequence = { 0, 0 };
	struct tunnel tunnel = {
		.local = underlay_address(world, world->host),
		.remote = remote,
		.kind = world->kind,
		.flags = world->flags | more_flags,
		.id = has_id(world) ? SEGMENT : 0,
		.mtu = world->mtu,
		.port_id = PEER,
		.port_slot = SLOT_PEER,
		.destination_port = htons(kind_ports[world->kind]),
	};

	if (more_flags & TUNNEL_MULTICAST)
		tunnel.ifindex = if_nametoindex("u0");
	put(world, TABLE_tunnels, &key, &tunnel);
	if (world->flags & TUNNEL_SEQUENCE)
		put(world, TABLE_tunnel_sequences, &key, &sequence);
}

/* Who may send here; to: this host's address, or the group's. */
static void write_source(struct world *world, struct address to)
{
	const struct tunnel_source_key key = {
		.remote = underlay_address(world, world->other),
		.local = to,
		.id = has_id(world) ? SEGMENT : 0,
		.port = htons(kind_ports[world->kind]),
		.kind = (uint8_t)world->kind,
		.has_id = world->kind > TUNNEL_NVGRE && has_id(world),
	};
	const struct tunnel_source source = {
		.vpc_id = VPC,
		.vpc_slot = 1,
		.subnet_id = SUBNET,
		.host_id = world->other,
		.port_id = PEER,
		.port_slot = SLOT_PEER,
		.flags = world->source_flags | (world->l2 ? TUNNEL_SOURCE_L2 : 0),
		.tunnel_id = TUNNEL,
	};

	put(world, TABLE_tunnel_sources, &key, &source);
}

static void write_ends(struct world *world)
{
	const struct tunnel_port_key port_key = { .port = htons(kind_ports[world->kind]) };
	const struct tunnel_port port = { .kind = world->kind };
	struct vtep_key key = { underlay_address(world, world->host) };
	struct vtep vtep = { .host_id = world->host, .flags = VTEP_LOCAL };

	if (!has_udp(world->kind))
		vtep.kinds = 1U << world->kind;
	put(world, TABLE_vteps, &key, &vtep);
	if (*world->group) {
		key.address = address(world->group);
		put(world, TABLE_vteps, &key, &vtep);
	}
	key.address = underlay_address(world, world->other);
	vtep = (struct vtep){ .host_id = world->other };
	put(world, TABLE_vteps, &key, &vtep);
	if (has_udp(world->kind))
		put(world, TABLE_tunnel_ports, &port_key, &port);
}

static void write_floods(struct world *world)
{
	struct flood_key key = { .subnet_id = SUBNET };
	struct flood flood = { .port_id = world->host };

	put(world, TABLE_floods, &key, &flood);
	key.index = 1;
	flood.port_id = PEER;
	flood.tunnel_id = *world->group ? GROUP_TUNNEL : TUNNEL;
	put(world, TABLE_floods, &key, &flood);
}

static void attach(struct world *world)
{
	struct error error = { 0 };
	struct netlink *netlink;

	if (datapath_attach(world->datapath, if_nametoindex(world->name), world->port_kind,
			    &error) ||
	    datapath_attach_underlay(world->datapath, if_nametoindex("u0"), &error))
		die("cannot attach", error.text);
	if (netlink_open(&netlink, -1, &error))
		die("no netlink", error.text);
	if (world->device ? device_tunnel_ensure(netlink, world->datapath, world->kind,
						 kind_ports[world->kind], NULL, &error)
			  : device_tunnel_remove(netlink, world->datapath, TUNNEL_VXLAN,
						 kind_ports[TUNNEL_VXLAN], &error))
		die("the tunnel device", error.text);
	netlink_close(netlink);
}

struct removal {
	struct world *world;
	enum table_id table;
	size_t key_size;
	unsigned char keys[64][64];
	size_t count;
};

static bool note_key(void *context, const void *key, const void *value)
{
	struct removal *removal = context;

	(void)value;
	memcpy(removal->keys[removal->count++], key, removal->key_size);
	return removal->count < ARRAY_SIZE(removal->keys);
}

/* Everything of a table. */
static void clear(struct world *world, enum table_id table, size_t key_size)
{
	struct removal removal = { .world = world, .table = table, .key_size = key_size };

	do {
		removal.count = 0;
		datapath_walk(world->datapath, table, note_key, &removal);
		for (size_t i = 0; i < removal.count; i++)
			datapath_remove(world->datapath, table, removal.keys[i]);
	} while (removal.count);
}

static uint64_t counted(struct world *world, int verdict)
{
	struct verdict_counter counter = { 0 };

	datapath_verdict(world->datapath, (enum verdict)verdict, &counter);
	return counter.packets;
}

static void up(struct world *world)
{
	world->other = 3 - world->host;
	clear(world, TABLE_tunnels, sizeof(struct tunnel_key));
	clear(world, TABLE_tunnel_sources, sizeof(struct tunnel_source_key));
	clear(world, TABLE_tunnel_ports, sizeof(struct tunnel_port_key));
	clear(world, TABLE_vteps, sizeof(struct vtep_key));
	clear(world, TABLE_stations, sizeof(struct station_key));
	clear(world, TABLE_flows, sizeof(struct flow_key));
	for (int verdict = 0; verdict < VERDICTS; verdict++)
		world->before[verdict] = counted(world, verdict);
	write_policy(world);
	write_subnet(world);
	write_port(world, world->host);
	write_port(world, world->other);
	write_peer(world);
	write_tunnel(world, TUNNEL, underlay_address(world, world->other), 0);
	write_source(world, underlay_address(world, world->host));
	if (*world->group) {
		write_tunnel(world, GROUP_TUNNEL, address(world->group), TUNNEL_MULTICAST);
		write_source(world, address(world->group));
	}
	write_ends(world);
	if (world->l2)
		write_floods(world);
	attach(world);
}

/* ---- what happened ---- */

static void counters(struct world *world)
{
	for (int verdict = 0; verdict < VERDICTS; verdict++) {
		uint64_t count = counted(world, verdict) - world->before[verdict];

		if (count)
			printf("%s %llu\n", verdict_names[verdict], (unsigned long long)count);
	}
}

static void print_news(void *context, const struct underlay_event *event)
{
	char remote[INET6_ADDRSTRLEN], from[INET6_ADDRSTRLEN];

	(void)context;
	inet_ntop(AF_INET6, &event->remote, remote, sizeof(remote));
	inet_ntop(AF_INET6, &event->from, from, sizeof(from));
	printf("%u %u %s %s\n", event->kind, event->mtu, remote, from);
}

/* ---- command line ---- */

static uint32_t kind_of(const char *name)
{
	for (uint32_t kind = 1; kind < TUNNEL_KINDS; kind++)
		if (!strcmp(name, kind_names[kind]))
			return kind;
	die("no kind of tunnel", name);
	return 0;
}

static void read_option(struct world *world, const char *option)
{
	const char *value = strchr(option, '=');
	const struct {
		const char *name;
		uint32_t *number;
	} numbers[] = {
		{ "host", &world->host },     { "family", &world->family },
		{ "mtu", &world->mtu },       { "flags", &world->flags },
		{ "l2", &world->l2 },         { "source", &world->source_flags },
		{ "device", &world->device },
	};

	if (!value)
		die("no value", option);
	value++;
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++) {
		if (strlen(numbers[i].name) == (size_t)(value - option - 1) &&
		    !strncmp(option, numbers[i].name, strlen(numbers[i].name))) {
			*numbers[i].number = (uint32_t)strtoul(value, NULL, 0);
			return;
		}
	}
	if (!strncmp(option, "kind=", 5))
		world->kind = kind_of(value);
	else if (!strncmp(option, "port=", 5))
		world->port_kind = strcmp(value, "tap") ? PORT_VETH : PORT_TAP;
	else if (!strncmp(option, "name=", 5))
		snprintf(world->name, sizeof(world->name), "%s", value);
	else if (!strncmp(option, "group=", 6))
		snprintf(world->group, sizeof(world->group), "%s", value);
	else
		die("no option", option);
}

static void enter(const char *name)
{
	char *path = xasprintf("/run/netns/%s", name);
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path, strerror(errno));
	close(fd);
	free(path);
}

/* What is not said is as in the first form of these. */
static void read_options(struct world *world, char **words)
{
	world->host = world->host ? world->host : 1;
	world->kind = TUNNEL_VXLAN;
	world->family = 4;
	world->port_kind = PORT_VETH;
	world->mtu = 1450;
	world->flags = world->source_flags = world->l2 = world->device = 0;
	*world->group = '\0';
	snprintf(world->name, sizeof(world->name), "w0");
	for (; *words; words++)
		read_option(world, *words);
}

static void obey(struct world *world, char *line)
{
	char *words[32] = { NULL };
	size_t count = 0;

	for (char *word = strtok(line, " \n"); word && count < 31; word = strtok(NULL, " \n"))
		words[count++] = word;
	if (!count) {
		return;
	} else if (!strcmp(words[0], "up")) {
		read_options(world, words + 1);
		up(world);
	} else if (!strcmp(words[0], "counters")) {
		counters(world);
	} else if (!strcmp(words[0], "news")) {
		datapath_underlay_events_read(world->datapath, print_news, NULL, 1000);
	} else if (!strcmp(words[0], "quit")) {
		exit(0);
	} else {
		die("no command", words[0]);
	}
	printf("ok\n");
	fflush(stdout);
}

int main(int count, char **words)
{
	static struct world world;
	struct datapath_options options = { .instance = count > 1 ? words[1] : "" };
	struct error error = { 0 };
	char line[1024];

	if (count < 2)
		die("usage", "underlay NETNS [option=value...]");
	enter(words[1]);
	if (datapath_open_kernel(&options, &world.datapath, &error))
		die("cannot open the datapath", error.text);
	read_options(&world, words + 2);
	up(&world);
	printf("ok\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		obey(&world, line);
	datapath_close(world.datapath);
	return 0;
}
