/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel datapath, on the machine that kernel_machine.h draws. Needs root.
 *
 * A window of datagrams goes round without end while programs and tables are replaced: each one that
 * does not come back is a failure.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/in.h>
#include <arpa/inet.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "base/clock.h"
#include "base/netns.h"
#include "datapath/provider.h"
#include "tests/unit/kernel_machine.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define TABLES_NOW "/run/weft-bpf/weft/test/" TEXT(WEFT_LAYOUT)
#define DEADLINE_MS 30000

/* ---- traffic that counts what is lost ---- */

#define WINDOW 16

struct traffic {
	pthread_t sender, echo;
	bool stop, stop_echo;
	uint64_t rounds;
	uint64_t lost;
};

static int udp_socket(const char *netns, const char *own, const char *peer)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_port = htons(7777) };
	const int home = netns_open_name(netns, NULL), saved = netns_enter(home, NULL);
	const int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	netns_leave(saved);
	close(home);
	inet_pton(AF_INET, own, &address.sin_addr);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)))
		return -1;
	inet_pton(AF_INET, peer, &address.sin_addr);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -1 : fd;
}

static bool readable(int fd, int milliseconds)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN };

	return poll(&wait, 1, milliseconds) == 1;
}

static void *send_windows(void *context)
{
	struct traffic *traffic = context;
	const int fd = udp_socket("a", "10.0.0.1", "10.0.0.2");
	uint64_t number = 0;
	char data[1000] = { 0 };

	while (!__atomic_load_n(&traffic->stop, __ATOMIC_RELAXED)) {
		int sent = 0, back = 0;

		for (; sent < WINDOW; sent++) {
			memcpy(data, &number, sizeof(number));
			number++;
			if (send(fd, data, sizeof(data), 0) < 0)
				break;
		}
		while (back < sent && readable(fd, DEADLINE_MS / 3) &&
		       recv(fd, data, sizeof(data), 0) > 0)
			back++;
		__atomic_add_fetch(&traffic->lost, (uint64_t)(WINDOW - back), __ATOMIC_RELAXED);
		__atomic_add_fetch(&traffic->rounds, 1, __ATOMIC_RELAXED);
	}
	close(fd);
	return NULL;
}

static void *send_back(void *context)
{
	struct traffic *traffic = context;
	const int fd = udp_socket("b", "10.0.0.2", "10.0.0.1");
	char data[2000];

	while (!__atomic_load_n(&traffic->stop_echo, __ATOMIC_RELAXED)) {
		ssize_t size = readable(fd, 100) ? recv(fd, data, sizeof(data), 0) : 0;

		if (size > 0 && send(fd, data, (size_t)size, 0) < 0)
			break;
	}
	close(fd);
	return NULL;
}

static uint64_t rounds(struct traffic *traffic)
{
	return __atomic_load_n(&traffic->rounds, __ATOMIC_RELAXED);
}

/* Waits until so many more windows have gone round. */
static void wait_rounds(struct traffic *traffic, uint64_t more)
{
	const uint64_t goal = rounds(traffic) + more;
	const uint64_t deadline = clock_monotonic_ms(NULL) + DEADLINE_MS;

	while (rounds(traffic) < goal) {
		if (clock_monotonic_ms(NULL) > deadline)
			fail_msg("traffic stands still");
		sched_yield();
	}
}

static void traffic_start(struct traffic *traffic)
{
	*traffic = (struct traffic){ 0 };
	run("ip netns exec a ping -q -c 1 -W 2 10.0.0.2 >/dev/null");
	assert_int_equal(pthread_create(&traffic->echo, NULL, send_back, traffic), 0);
	assert_int_equal(pthread_create(&traffic->sender, NULL, send_windows, traffic), 0);
	wait_rounds(traffic, 1);
	/* The first window may have been sent before the other side listened. */
	__atomic_store_n(&traffic->lost, 0, __ATOMIC_RELAXED);
	wait_rounds(traffic, 10);
}

static void traffic_stop(struct traffic *traffic)
{
	wait_rounds(traffic, 10);
	__atomic_store_n(&traffic->stop, true, __ATOMIC_RELAXED);
	pthread_join(traffic->sender, NULL);
	__atomic_store_n(&traffic->stop_echo, true, __ATOMIC_RELAXED);
	pthread_join(traffic->echo, NULL);
	assert_int_equal(traffic->lost, 0);
}

/* ---- tests ---- */

static void test_tables(void **state)
{
	struct datapath *datapath;

	(void)state;
	NEEDS_ROOT();
	datapath = open_hook(DATAPATH_HOOK_AUTO);
	all_table_cases(datapath);
	assert_true(datapath_table_fd(datapath, TABLE_flows) >= 0);
	assert_true(datapath_memory(datapath) > 1 << 20);
	datapath_close(datapath);
	destroy();
	destroy();
}

static void test_features(void **state)
{
	const struct datapath_feature *features;
	struct datapath *datapath;
	size_t count, needed = 0;

	(void)state;
	NEEDS_ROOT();
	datapath = open_hook(DATAPATH_HOOK_AUTO);
	features = datapath_features(datapath, &count);
	for (size_t i = 0; i < count; i++) {
		assert_true(strlen(features[i].meaning) > 10);
		needed += !strcmp(features[i].name, "redirect_peer") && features[i].present;
	}
	assert_int_equal(needed, 1);
	datapath_close(datapath);
	destroy();
}

/* Rows survive: the same maps, more room, another layout, and a crash between two pins. */
static void test_reopen(void **state)
{
	const struct datapath_options small = { .instance = "test", .flow_capacity = 500 };
	struct datapath_options large = { .instance = "test", .flow_capacity = 700 };
	struct port_key key = { .port_id = 5 };
	struct port port = { .vpc_id = 8 }, read;
	struct slot_key slot = { 2 };
	struct vpc vpc = { .vpc_id = 77 };
	struct flow_key claimed_key = { .port_id = 5000 };
	struct flow claimed = { .charged_slot = FLOW_CLAIMED };
	struct datapath *datapath, *second;
	struct error error;

	(void)state;
	NEEDS_ROOT();
	datapath = open_with(&small);
	put(datapath, TABLE_ports, &key, &port);
	put(datapath, TABLE_vpcs, &slot, &vpc);
	for (uint32_t i = 0; i < 900; i++) {
		struct flow_key flow_key = { .port_id = i + 1 };
		struct flow flow = { .packets = i };

		put(datapath, TABLE_flows, &flow_key, &flow);
	}
	datapath_port_stats(datapath, 4)->received_packets = 123;
	datapath_close(datapath);

	datapath = open_with(&small);
	assert_int_equal(row_count(datapath, TABLE_flows), 900);
	assert_int_equal(datapath_port_stats(datapath, 4)->received_packets, 123);
	/* A second daemon on the same instance would take the rows of the first for left-overs. */
	assert_int_equal(datapath_open_kernel(&small, &second, &error), -EWOULDBLOCK);
	assert_non_null(strstr(error.text, "another weftd"));
	/* A row as if a CPU had stopped for ever in the middle of changing it is not copied. */
	put(datapath, TABLE_flows, &claimed_key, &claimed);
	datapath_close(datapath);

	datapath = open_with(&large);
	assert_int_equal(row_count(datapath, TABLE_flows), 900);
	assert_int_equal(datapath_get(datapath, TABLE_ports, &key, &read), 0);
	assert_memory_equal(&read, &port, sizeof(port));
	datapath_close(datapath);

	/* As if pinned by an older layout; a half-made directory of ours is in the way. */
	assert_int_equal(rename(TABLES_NOW, "/run/weft-bpf/weft/test/1"), 0);
	assert_int_equal(mkdir(TABLES_NOW, 0700), 0);
	assert_int_equal(rename("/run/weft-bpf/weft/test/1/rules", TABLES_NOW "/ports-new"), 0);
	datapath = open_with(&large);
	assert_false(pinned("1"));
	assert_false(pinned("1/ports-new"));
	assert_int_equal(row_count(datapath, TABLE_flows), 900);
	assert_int_equal(row_count(datapath, TABLE_ports), 1);
	assert_int_equal(row_count(datapath, TABLE_vpcs), 1);
	assert_int_equal(datapath_port_stats(datapath, 4)->received_packets, 123);
	datapath_close(datapath);

	/* Too small for its rows: what fits is kept and nothing fails. */
	large.flow_capacity = 100;
	datapath = open_with(&large);
	assert_in_range(row_count(datapath, TABLE_flows), 150, 200);
	datapath_close(datapath);
	destroy();
}

/* A map as an older program has pinned it: with shorter rows. Its value is 0, 1, 2, … for every processor. */
static void pin_old(enum table_id table, enum bpf_map_type type, uint32_t key_size,
		    uint32_t value_size)
{
	LIBBPF_OPTS(bpf_map_create_opts, options,
		    .map_flags = type == BPF_MAP_TYPE_HASH ? BPF_F_NO_PREALLOC : 0);
	const int processors = type == BPF_MAP_TYPE_PERCPU_ARRAY ? libbpf_num_possible_cpus() : 1;
	const uint32_t size = (value_size + 7) / 8 * 8;
	char *path = xasprintf("%s/weft/test/1/%s", bpffs, datapath_tables[table].name);
	unsigned char *key = xcalloc(1, key_size), *value = xcalloc((size_t)processors, size);
	int map = bpf_map_create(type, "old", key_size, value_size, 8, &options);

	key[0] = 5;
	for (uint32_t i = 0; i < (uint32_t)processors * size; i++)
		value[i] = (unsigned char)(i % size);
	assert_true(map >= 0);
	assert_int_equal(bpf_map_update_elem(map, key, value, BPF_ANY), 0);
	assert_int_equal(bpf_obj_pin(map, path), 0);
	close(map);
	free(value);
	free(key);
	free(path);
}

static void expect_prefix(struct datapath *datapath, enum table_id table, size_t old_size)
{
	const size_t size = datapath_tables[table].value_size;
	unsigned char key[256] = { 5 }, *value = xcalloc(1, size);

	assert_int_equal(datapath_get(datapath, table, key, value), 0);
	for (size_t i = 0; i < size; i++)
		assert_int_equal(value[i], i < old_size ? i : 0);
	free(value);
}

/* Rows of another layout: what both have is kept, what is new is zero; in both directions. */
static void test_old_layout(void **state)
{
	struct verdict_counter counter;
	struct datapath *datapath;

	(void)state;
	NEEDS_ROOT();
	datapath_close(open_hook(DATAPATH_HOOK_AUTO));
	destroy();
	run("mkdir -p /run/weft-bpf/weft/test/1");
	pin_old(TABLE_ports, BPF_MAP_TYPE_HASH, sizeof(struct port_key), 52);
	pin_old(TABLE_subnets, BPF_MAP_TYPE_HASH, sizeof(struct subnet_key), 150);
	pin_old(TABLE_vpcs, BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), 12);
	pin_old(TABLE_verdicts, BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(uint32_t), 7);
	pin_old(TABLE_endpoints, BPF_MAP_TYPE_HASH, sizeof(struct endpoint_key) - 4,
		sizeof(struct endpoint));
	datapath = open_hook(DATAPATH_HOOK_AUTO);
	expect_prefix(datapath, TABLE_ports, 52);
	expect_prefix(datapath, TABLE_subnets, sizeof(struct subnet));
	expect_prefix(datapath, TABLE_vpcs, 12);
	assert_int_equal(datapath_verdict(datapath, 5, &counter), 0);
	assert_int_equal(counter.packets,
			 UINT64_C(0x06050403020100) * (uint64_t)libbpf_num_possible_cpus());
	assert_int_equal(counter.bytes, 0);
	assert_int_equal(row_count(datapath, TABLE_endpoints), 0);
	assert_false(pinned("1"));
	datapath_close(datapath);
	destroy();
}

static void devices_with(enum datapath_hook hook)
{
	struct datapath *datapath = open_hook(hook);
	const bool tcx = hook == DATAPATH_HOOK_TCX;
	struct error error = { 0 };
	uint32_t ifindex;
	char *link;

	run("ip link add index 4000 name wx type veth peer name px");
	ifindex = if_nametoindex("wx");
	link = xasprintf("links/%u", ifindex);
	assert_int_equal(datapath_attach(datapath, 99999, PORT_VETH, &error), -ENODEV);
	assert_non_null(strstr(error.text, "99999"));
	assert_int_equal(attached_count(datapath), 0);
	attach(datapath, "wa");
	attach(datapath, "wx");
	attach(datapath, "wx");
	assert_int_equal(attached_count(datapath), 2);
	assert_int_equal(pinned(link), tcx);

	/* The device goes; another gets its index. Neither counts as attached. */
	run("ip link del wx");
	assert_int_equal(attached_count(datapath), 1);
	run("ip link add index 4000 name wx type veth peer name px");
	assert_int_equal(if_nametoindex("wx"), ifindex);
	assert_int_equal(attached_count(datapath), 1);
	attach(datapath, "wx");
	assert_int_equal(attached_count(datapath), 2);
	run("ip link del wx && ip link add index 4000 name wx type veth peer name px");
	datapath_close(datapath);

	datapath = open_hook(hook);
	assert_int_equal(attached_count(datapath), 1);
	assert_false(pinned(link));
	assert_int_equal(datapath_detach(datapath, ifindex), -ENOENT);
	assert_int_equal(datapath_detach(datapath, if_nametoindex("wa")), 0);
	assert_int_equal(datapath_detach(datapath, if_nametoindex("wa")), -ENOENT);
	assert_int_equal(attached_count(datapath), 0);
	datapath_close(datapath);
	run("ip link del wx");
	free(link);
	destroy();
}

static void expect_attached(struct datapath *datapath, enum datapath_role role, const char *name)
{
	uint32_t *ifindexes;

	assert_int_equal(datapath_attached_as(datapath, role, &ifindexes), 1);
	assert_int_equal(ifindexes[0], if_nametoindex(name));
	free(ifindexes);
}

/* Ports, the underlay and the kernel's tunnel devices are listed apart, also after a restart. */
static void roles_with(enum datapath_hook hook)
{
	struct datapath *datapath = open_hook(hook);
	struct error error = { 0 };
	char forwarding = '0';
	int fd;

	run("ip link add wx type veth peer name px && ip tuntap add wt mode tun");
	assert_int_equal(datapath_attach_underlay(datapath, 99999, &error), -ENODEV);
	assert_int_equal(datapath_attach_underlay(datapath, 0, &error), -EINVAL);
	assert_int_equal(datapath_attach_tunnel_device(datapath, 1, TUNNEL_NONE, 4789, &error),
			 -EINVAL);
	attach(datapath, "wa");
	for (int i = 0; i < 2; i++) {
		if (datapath_attach_underlay(datapath, if_nametoindex("wb"), &error) ||
		    datapath_attach_tunnel_device(datapath, if_nametoindex("wx"), TUNNEL_VXLAN,
						  4789, &error))
			fail_msg("%s", error.text);
	}
	fd = open("/proc/sys/net/ipv4/conf/lo/forwarding", O_RDONLY);
	assert_int_equal(read(fd, &forwarding, 1), 1);
	assert_int_equal(forwarding, '1');
	close(fd);
	for (int i = 0; i < 2; i++) {
		expect_attached(datapath, DATAPATH_PORT, "wa");
		expect_attached(datapath, DATAPATH_UNDERLAY, "wb");
		expect_attached(datapath, DATAPATH_TUNNEL_DEVICE, "wx");
		assert_int_equal(attached_count(datapath), 1);
		datapath_close(datapath);
		datapath = open_hook(hook);
	}
	assert_int_equal(datapath_detach_underlay(datapath, if_nametoindex("wb")), 0);
	assert_int_equal(datapath_detach_underlay(datapath, if_nametoindex("wb")), -ENOENT);
	assert_int_equal(datapath_detach_tunnel_device(datapath, if_nametoindex("wx")), 0);
	/* A device without Ethernet is given the program that knows that. */
	if (datapath_attach_underlay(datapath, if_nametoindex("wt"), &error))
		fail_msg("%s", error.text);
	expect_attached(datapath, DATAPATH_UNDERLAY, "wt");
	datapath_close(datapath);
	run("ip link del wx && ip link del wt");
	destroy();
}

static void test_roles(void **state)
{
	(void)state;
	NEEDS_ROOT();
	roles_with(DATAPATH_HOOK_CLSACT);
}

static void test_devices_clsact(void **state)
{
	(void)state;
	NEEDS_ROOT();
	devices_with(DATAPATH_HOOK_CLSACT);
}

/* One block for a veth, two for what may be somebody's; a qdisc that is there stays. */
static void test_qdiscs(void **state)
{
	struct datapath *datapath;

	(void)state;
	NEEDS_ROOT();
	datapath = open_hook(DATAPATH_HOOK_CLSACT);
	run("ip link add wx type veth peer name px && tc qdisc add dev px clsact");
	run("ip tuntap add dev tap0 mode tap");
	attach(datapath, "wx");
	attach(datapath, "px");
	assert_int_equal(datapath_attach(datapath, if_nametoindex("tap0"), PORT_TAP, NULL), 0);
	run("tc qdisc | sort | tr -d '\\n' | grep -q 'clsact.*px.*clsact.*tap0.*ingress.*wx'");
	datapath_close(datapath);
	run("ip link del wx && ip link del dev tap0");
	destroy();
}

/* Linux before 6.6 has no tcx. */
static void skip_without_tcx(void)
{
	const struct datapath_options options = { .instance = "test", .hook = DATAPATH_HOOK_TCX };
	struct datapath *datapath;
	struct error error = { 0 };
	int result = datapath_open_kernel(&options, &datapath, &error);

	if (result == -EOPNOTSUPP)
		skip();
	assert_int_equal(result, 0);
	datapath_close(datapath);
}

static void test_devices_tcx(void **state)
{
	(void)state;
	NEEDS_ROOT();
	skip_without_tcx();
	devices_with(DATAPATH_HOOK_TCX);
}

/* Stop and start, replacing the program and growing a table under load lose no packet. */
static void replace_with(enum datapath_hook before, enum datapath_hook after)
{
	struct datapath_options options = { .instance = "test", .hook = before };
	struct datapath *datapath = open_with(&options);
	struct port_counts counts;
	struct traffic traffic;

	write_rows(datapath);
	attach(datapath, "wa");
	attach(datapath, "wb");
	traffic_start(&traffic);
	attach(datapath, "wa");
	wait_rounds(&traffic, 20);
	datapath_close(datapath);
	wait_rounds(&traffic, 20);
	options.hook = after;
	for (int i = 0; i < 2; i++) { /* each has the verifier walk all programs: some seconds */
		datapath = open_with(&options);
		wait_rounds(&traffic, 20);
		datapath_close(datapath);
		options.flow_capacity = 10000;
	}
	datapath = open_with(&options);
	assert_int_equal(attached_count(datapath), 2);
	traffic_stop(&traffic);
	assert_int_equal(datapath_port_counts(datapath, 1, &counts), 0);
	assert_in_range(counts.received_packets, 100, 1 << 30);
	datapath_close(datapath);
	destroy();
}

static void test_replace_clsact(void **state)
{
	(void)state;
	NEEDS_ROOT();
	replace_with(DATAPATH_HOOK_CLSACT, DATAPATH_HOOK_CLSACT);
}

static void test_replace_tcx(void **state)
{
	(void)state;
	NEEDS_ROOT();
	if (!privileged || access("/sys/kernel/btf/vmlinux", F_OK))
		skip();
	skip_without_tcx();
	replace_with(DATAPATH_HOOK_TCX, DATAPATH_HOOK_TCX);
	replace_with(DATAPATH_HOOK_CLSACT, DATAPATH_HOOK_TCX);
	replace_with(DATAPATH_HOOK_TCX, DATAPATH_HOOK_CLSACT);
}

/* A device begins with a filter and moves to tcx without losing a packet; once there it stays. */
static void test_settle(void **state)
{
	struct datapath_options options = { .instance = "test", .hook = DATAPATH_HOOK_AUTO };
	struct datapath *datapath;
	struct traffic traffic;
	char *link;

	(void)state;
	NEEDS_ROOT();
	if (!privileged || access("/sys/kernel/btf/vmlinux", F_OK))
		skip();
	skip_without_tcx();
	datapath = open_with(&options);
	link = xasprintf("links/%u", if_nametoindex("wa"));
	write_rows(datapath);
	attach(datapath, "wa");
	attach(datapath, "wb");
	assert_false(pinned(link));
	traffic_start(&traffic);
	wait_rounds(&traffic, 20);
	assert_int_equal(datapath_settle(datapath), 1);
	assert_int_equal(datapath_settle(datapath), 1);
	assert_int_equal(datapath_settle(datapath), 0);
	assert_true(pinned(link));
	assert_int_equal(attached_count(datapath), 2);
	wait_rounds(&traffic, 20);
	datapath_close(datapath);

	datapath = open_with(&options);
	assert_true(pinned(link));
	assert_int_equal(datapath_settle(datapath), 0);
	wait_rounds(&traffic, 20);
	attach(datapath, "wa");
	assert_true(pinned(link));
	traffic_stop(&traffic);
	assert_int_equal(datapath_detach(datapath, if_nametoindex("wa")), 0);
	assert_false(pinned(link));
	assert_int_equal(attached_count(datapath), 1);
	datapath_close(datapath);
	free(link);
	destroy();
}

/* What hangs on devices and what is pinned is taken away by somebody else: all of it comes back. */
static void test_repair(void **state)
{
	struct datapath_options options = { .instance = "test", .hook = DATAPATH_HOOK_AUTO };
	struct datapath *datapath;
	struct traffic traffic;
	char *device;

	(void)state;
	NEEDS_ROOT();
	datapath = open_with(&options);
	device = xasprintf("devices/%u", if_nametoindex("wa"));
	write_rows(datapath);
	attach(datapath, "wa");
	attach(datapath, "wb");
	assert_int_equal(datapath_repair(datapath), 0);
	run("tc qdisc del dev wa ingress && tc qdisc del dev wb ingress");
	assert_int_equal(attached_count(datapath), 0);
	assert_int_equal(datapath_repair(datapath), 2);
	assert_int_equal(datapath_repair(datapath), 0);
	assert_int_equal(attached_count(datapath), 2);
	while (datapath_settle(datapath))
		;
	run("rm -r /run/weft-bpf/weft/test/*");
	assert_false(pinned(device));
	assert_true(datapath_repair(datapath) >= 1);
	assert_int_equal(datapath_repair(datapath), 0);
	assert_true(pinned(device));
	assert_int_equal(attached_count(datapath), 2);
	traffic_start(&traffic);
	wait_rounds(&traffic, 20);
	traffic_stop(&traffic);
	assert_int_equal(datapath_detach(datapath, if_nametoindex("wa")), 0);
	assert_int_equal(datapath_repair(datapath), 0);
	assert_int_equal(attached_count(datapath), 1);
	datapath_close(datapath);
	free(device);
	/* The tables that are pinned again are the same ones. */
	datapath = open_with(&options);
	assert_int_equal(attached_count(datapath), 1);
	datapath_close(datapath);
	destroy();
}

/* The daemon is killed: traffic goes on, and the next one finds all of it. */
static void test_killed(void **state)
{
	struct datapath *datapath;
	struct traffic traffic;
	int ready[2], status;
	pid_t child;
	char byte;

	(void)state;
	NEEDS_ROOT();
	assert_int_equal(pipe(ready), 0);
	child = fork();
	if (!child) {
		datapath = open_hook(DATAPATH_HOOK_AUTO);
		write_rows(datapath);
		attach(datapath, "wa");
		attach(datapath, "wb");
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	assert_true(readable(ready[0], DEADLINE_MS));
	assert_int_equal(read(ready[0], &byte, 1), 1);
	traffic_start(&traffic);
	kill(child, SIGKILL);
	assert_int_equal(waitpid(child, &status, 0), child);
	wait_rounds(&traffic, 50);
	datapath = open_hook(DATAPATH_HOOK_AUTO);
	assert_int_equal(attached_count(datapath), 2);
	assert_int_equal(row_count(datapath, TABLE_ports), 2);
	traffic_stop(&traffic);
	datapath_close(datapath);
	destroy();
	close(ready[0]);
	close(ready[1]);
}

struct seen {
	int count;
	struct drop_event last;
};

static void keep_event(void *context, const struct drop_event *event)
{
	struct seen *seen = context;

	seen->count++;
	seen->last = *event;
}

/* Dropped packets are counted and told; a reader takes as many events as it wants. */
static void test_events(void **state)
{
	struct verdict_counter before, after;
	struct datapath *datapath;
	struct seen seen = { 0 };
	uint64_t deadline;
	bool empty;

	(void)state;
	NEEDS_ROOT();
	datapath = open_hook(DATAPATH_HOOK_AUTO);
	write_rows(datapath);
	attach(datapath, "wa");
	deadline = clock_monotonic_ms(NULL) + DEADLINE_MS;
	assert_int_equal(datapath_verdict(datapath, VERDICT_SPOOFED_ADDRESS, &before), 0);
	/* Not an address of port 1, sent to a neighbour that needs no ARP. */
	run("ip -n a addr add 10.0.0.77/24 dev eth0 && "
	    "ip -n a neigh replace 10.0.0.2 lladdr 02:00:00:00:00:0b dev eth0 && "
	    "! ip netns exec a ping -q -c 3 -i 0.01 -W 1 -I 10.0.0.77 10.0.0.2 >/dev/null && "
	    "ip -n a addr del 10.0.0.77/24 dev eth0 && ip -n a neigh del 10.0.0.2 dev eth0");
	do
		assert_int_equal(datapath_verdict(datapath, VERDICT_SPOOFED_ADDRESS, &after), 0);
	while (after.packets - before.packets < 3 && clock_monotonic_ms(NULL) < deadline);
	assert_int_equal(after.packets - before.packets, 3);
	assert_true(readable(datapath_events_fd(datapath), DEADLINE_MS));
	assert_int_equal(datapath_events_read(datapath, keep_event, &seen, 0), 0);
	/* Others may be there too, of the namespace's own multicast. */
	while (seen.last.verdict != VERDICT_SPOOFED_ADDRESS)
		assert_int_equal(datapath_events_read(datapath, keep_event, &seen, 1), 1);
	assert_int_equal(seen.last.port_id, 1);
	assert_int_equal(seen.last.object_id, 1);
	assert_int_equal(seen.last.protocol, IPPROTO_ICMP);
	seen.count = 0;
	assert_true(datapath_events_read(datapath, keep_event, &seen, 100) >= 2);
	/* Once all are read there is nothing to wait for, unless the namespace has said more. */
	do
		empty = datapath_events_read(datapath, keep_event, &seen, 100) == 0 &&
			!readable(datapath_events_fd(datapath), 0);
	while (!empty && clock_monotonic_ms(NULL) < deadline);
	assert_true(empty);
	datapath_close(datapath);
	destroy();
}

/* A connection that timed out goes, a live one stays; so does none whose port is gone. */
static void test_sweep(void **state)
{
	const uint32_t now = (uint32_t)(clock_monotonic_ns(NULL) >> 20);
	struct flow_key key = { .port_id = 1, .protocol = 17 };
	struct flow flow = { .seen = now, .timeout = 60 * TICKS_PER_SECOND, .vpc_slot = 1 };
	struct datapath *datapath;

	(void)state;
	NEEDS_ROOT();
	datapath = open_hook(DATAPATH_HOOK_AUTO);
	write_rows(datapath);
	put(datapath, TABLE_flows, &key, &flow);
	key.protocol = 6;
	flow.seen = now - 61 * TICKS_PER_SECOND;
	put(datapath, TABLE_flows, &key, &flow);
	key.port_id = 3;
	flow.seen = now;
	put(datapath, TABLE_flows, &key, &flow);
	assert_int_equal(datapath_sweep(datapath, NULL), 0);
	assert_int_equal(datapath_state(datapath)->sweep_removed, 2);
	assert_int_equal(datapath_state(datapath)->sweep_kept, 1);
	sweep_groups(datapath, now);
	datapath_close(datapath);
	destroy();
}

/* Without its capabilities the process is told which. */
static void test_refusals(void **state)
{
	struct datapath_options options = { .instance = "a/b" };
	struct datapath *datapath;
	struct error error = { 0 };
	int status;
	pid_t child;

	(void)state;
	assert_int_equal(datapath_open_kernel(&options, &datapath, &error), -EINVAL);
	options.instance = "..";
	assert_int_equal(datapath_open_kernel(&options, &datapath, &error), -EINVAL);
	options.instance = "test";
	child = fork();
	if (!child) {
		struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
		struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
		int result;

		none[0].effective = none[0].permitted = 1u << CAP_NET_ADMIN;
		if (!geteuid() && syscall(SYS_capset, &header, none))
			_exit(2);
		result = datapath_open_kernel(&options, &datapath, &error);
		_exit(result == -EPERM && strstr(error.text, "CAP_BPF, CAP_PERFMON") ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 0);
	NEEDS_ROOT();
	setenv("WEFT_BPFFS", "/proc/nowhere", 1);
	assert_true(datapath_open_kernel(&options, &datapath, &error) < 0);
	assert_true(strlen(error.text) > 10);
	setenv("WEFT_BPFFS", bpffs, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tables),         cmocka_unit_test(test_features),
		cmocka_unit_test(test_reopen),         cmocka_unit_test(test_old_layout),
		cmocka_unit_test(test_devices_clsact), cmocka_unit_test(test_qdiscs),
		cmocka_unit_test(test_devices_tcx),    cmocka_unit_test(test_replace_clsact),
		cmocka_unit_test(test_replace_tcx),    cmocka_unit_test(test_settle),
		cmocka_unit_test(test_repair),         cmocka_unit_test(test_killed),
		cmocka_unit_test(test_roles),          cmocka_unit_test(test_events),
		cmocka_unit_test(test_sweep),          cmocka_unit_test(test_refusals),
	};

	return cmocka_run_group_tests_name("kernel", tests, make_machine, NULL);
}
