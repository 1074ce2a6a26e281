/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table in the kernel when both CPUs are at it: the programs and maps of weftd, a few
 * seconds.
 *
 * Two threads, each on a CPU, go from round to round together. In a round both send a packet of the
 * same connection at once (BPF_PROG_TEST_RUN), often the same packet: at random they open, answer,
 * close, reset and open again. Timeouts are a few ticks, the table and the limits are small, and
 * now and then one of them sweeps instead, or the generation of the rules moves, so that rows are
 * made, removed, refused and written anew under the hands of the other CPU. Whatever happens, each
 * packet that is delivered goes to the one port its destination names, out of that port's device
 * with its MACs; when all is quiet the counters of connections are those of the charged rows; and
 * when the sweep has removed the last row every counter is 0.
 *
 * What cannot be left to chance is tried in every order on the native tables: native.c. Needs root.
 */
#include <net/if.h>
#include <pthread.h>
#include <sched.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "build/weft.skel.h"
#include "core/verdict.h"
#include "tests/unit/unit.h"
#include "tests/vectors/vector.h"

#define RUN_SECONDS 4
#define DEADLINE_SECONDS 60
#define FLOW_ROOM 96 /* rows: fewer than the connections below have */
#define SHARED_ROOM 30
#define TIMEOUT_TICKS 4
#define CONNECTIONS 12 /* source ports of each pair of ports */
#define SENDERS 2
#define ROUNDS_PER_SWEEP 32
#define SHOTS_DURING_SWEEP 6
#define PATIENCE 10000           /* turns of waiting for the other CPU */
#define FLOW_CLAIMED 0xffffffffu /* core/flow.h */

/* A pair of ports and what they say to each other; %u is the source port of the one that begins. */
struct pair {
	const char *a, *b;
	const char *there[6], *back[4];
};

static const struct pair pairs[] = {
	{ "blue/open1",
	  "blue/open2",
	  { "ip 10.0.1.19 > 10.0.1.20 tcp %u > 80 S", "ip 10.0.1.19 > 10.0.1.20 tcp %u > 80 A",
	    "ip 10.0.1.19 > 10.0.1.20 tcp %u > 80 FA", "ip 10.0.1.19 > 10.0.1.20 tcp %u > 80 R",
	    "ip 10.0.1.19 > 10.0.1.20 udp %u > 53" },
	  { "ip 10.0.1.20 > 10.0.1.19 tcp 80 > %u SA", "ip 10.0.1.20 > 10.0.1.19 tcp 80 > %u FA",
	    "ip 10.0.1.20 > 10.0.1.19 tcp 80 > %u S", "ip 10.0.1.20 > 10.0.1.19 udp 53 > %u" } },
	{ "blue/open1",
	  "blue/fw1",
	  { "ip 10.0.1.19 > 10.0.2.30 tcp %u > 80 S", "ip 10.0.1.19 > 10.0.2.30 tcp %u > 80 A",
	    "ip 10.0.1.19 > 10.0.2.30 tcp %u > 80 R", "ip 10.0.1.19 > 10.0.2.30 udp %u > 53" },
	  { "ip 10.0.2.30 > 10.0.1.19 tcp 80 > %u SA", "ip 10.0.2.30 > 10.0.1.19 tcp 80 > %u R",
	    "ip 10.0.2.30 > 10.0.1.19 udp 53 > %u" } },
	{ "blue/open1",
	  "blue/strict",
	  { "ip 10.0.1.19 > 10.0.2.32 tcp %u > 80 S", "ip 10.0.1.19 > 10.0.2.32 tcp %u > 80 A",
	    "ip 10.0.1.19 > 10.0.2.32 tcp %u > 80 R", "ip 10.0.1.19 > 10.0.2.32 udp %u > 53" },
	  { "ip 10.0.2.32 > 10.0.1.19 tcp 80 > %u SA", "ip 10.0.2.32 > 10.0.1.19 tcp 80 > %u R",
	    "ip 10.0.2.32 > 10.0.1.19 udp 53 > %u" } },
};

/* A frame, where it comes in, and the one right way out. */
struct shot {
	struct vector_frame frame;
	uint32_t ifindex, out_port_id, out_ifindex;
	uint8_t macs[12];
};

struct sender {
	pthread_t thread;
	int cpu;
	uint64_t sent, delivered;
	uint64_t round; /* that it has come to */
	char why[300];
};

static bool privileged;
static struct world world;
static struct weft *weft;
static int fds[TABLES];
static struct shot *shots;
static size_t shot_count;
static size_t connections[64]; /* where the shots of each begin; one more than there are */
static size_t connection_count;
static struct sender senders[SENDERS];
static bool stop;

void vector_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

/* ---- the world ---- */

static void put(enum table_id table, const void *key, const void *value)
{
	if (bpf_map_update_elem(fds[table], key, value, BPF_ANY))
		vector_fail("row of %s not taken: %s", table_name(table), strerror(errno));
}

static void get(enum table_id table, uint32_t number, void *value)
{
	if (bpf_map_lookup_elem(fds[table], &number, value))
		vector_fail("no row %u in %s", number, table_name(table));
}

/* Devices to come in by, one for each port that sends; nothing is attached to them. */
static const char *const senders_of[][2] = { { "blue/open1", "r0" },
					     { "blue/open2", "r1" },
					     { "blue/fw1", "r2" },
					     { "blue/strict", "r3" } };

static uint32_t device_of(const char *name)
{
	for (size_t i = 0; i < sizeof(senders_of) / sizeof(senders_of[0]); i++)
		if (!strcmp(senders_of[i][0], name))
			return if_nametoindex(senders_of[i][1]);
	vector_fail("%s sends nothing", name);
}

static void write_world(void)
{
	uint32_t zero = 0;
	struct datapath_state state = { .shared_limit = SHARED_ROOM, .flow_guarantee = 4 };

	put(TABLE_state, &zero, &state);
	for (size_t i = 0; i < world.rows.count; i++) {
		const struct row *row = world.rows.list[i];
		unsigned char value[1024];

		memcpy(value, row->bytes + row->key_size, table_value_size(row->table));
		for (size_t t = 0; row->table == TABLE_vpcs && t < TIMEOUTS; t++)
			((struct vpc *)(void *)value)->timeout[t] = TIMEOUT_TICKS;
		put(row->table, row->bytes, value);
	}
	for (size_t i = 0; i < sizeof(senders_of) / sizeof(senders_of[0]); i++) {
		struct attachment_key key = { device_of(senders_of[i][0]) };
		struct attachment attachment;

		world_attachment(&world, world_port(&world, senders_of[i][0]), &attachment);
		put(TABLE_attachments, &key, &attachment);
	}
}

static void add_shot(const char *from_name, const char *to_name, const char *format,
		     unsigned port_number)
{
	const struct port_object *from = world_port(&world, from_name);
	const struct port_object *to = world_port(&world, to_name);
	struct mac_address gateway = gateway_mac_of_id(to->subnet_id);
	struct shot *shot = &shots[shot_count++];
	char text[240], before[200], *words[40], *number;
	size_t count = 0;
	struct port row;

	snprintf(before, sizeof(before), "%s", format);
	number = strstr(before, "%u");
	*number = '\0';
	snprintf(text, sizeof(text), "%s%u%s", before, port_number, number + 2);
	for (char *word = strtok(text, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	frame_build(&world, from, words, count, &shot->frame);
	get(TABLE_ports, to->object.id, &row);
	shot->ifindex = device_of(from_name);
	shot->out_port_id = to->object.id;
	shot->out_ifindex = row.ifindex;
	memcpy(shot->macs, to->mac.byte, 6);
	memcpy(shot->macs + 6, from->subnet_id == to->subnet_id ? from->mac.byte : gateway.byte, 6);
}

static void make_shots(void)
{
	size_t pair_count = sizeof(pairs) / sizeof(pairs[0]);

	shots = calloc(pair_count * 10 * CONNECTIONS, sizeof(*shots));
	assert_non_null(shots);
	for (size_t i = 0; i < pair_count; i++)
		for (unsigned c = 0; c < CONNECTIONS; c++) {
			connections[connection_count++] = shot_count;
			for (size_t k = 0; k < 6 && pairs[i].there[k]; k++)
				add_shot(pairs[i].a, pairs[i].b, pairs[i].there[k], 40000 + c);
			for (size_t k = 0; k < 4 && pairs[i].back[k]; k++)
				add_shot(pairs[i].b, pairs[i].a, pairs[i].back[k], 40000 + c);
		}
	connections[connection_count] = shot_count;
}

static int make_world(void **state)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	(void)state;
	privileged = geteuid() == 0 && !unshare(CLONE_NEWNET);
	if (!privileged)
		return 0;
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	if (system("ip link add r0 type veth peer name r1 && ip link add r2 type veth peer name r3"))
		return -1;
	world_read(&world, "tests/vectors/tenants.json");
	weft = weft__open();
	assert_non_null(weft);
	bpf_map__set_max_entries(weft->maps.flows, FLOW_ROOM);
	/* The sweep walks this one, too: a small one, so that it is mostly at the connections. */
	bpf_map__set_max_entries(weft->maps.stations, 256);
	assert_int_equal(weft__load(weft), 0);
	for (int i = 0; i < TABLES; i++)
		fds[i] = bpf_object__find_map_fd_by_name(weft->obj, table_name((enum table_id)i));
	write_world();
	make_shots();
	return 0;
}

static int free_world(void **state)
{
	(void)state;
	weft__destroy(weft);
	world_free(&world);
	free(shots);
	return 0;
}

/* ---- sending ---- */

static void fire(struct sender *sender, const struct shot *shot)
{
	struct __sk_buff context = { .ifindex = shot->ifindex };
	uint8_t out[VECTOR_FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = shot->frame.data,
		    .data_size_in = (__u32)shot->frame.size, .data_out = out,
		    .data_size_out = sizeof(out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(weft->progs.from_port), &options)) {
		snprintf(sender->why, sizeof(sender->why), "the run failed: %s", strerror(errno));
		return;
	}
	sender->sent++;
	if (context.cb[0] == VERDICT_INTERNAL)
		snprintf(sender->why, sizeof(sender->why), "verdict internal");
	if (context.cb[0] != VERDICT_DELIVERED)
		return;
	sender->delivered++;
	if (context.cb[2] != shot->out_port_id || context.cb[3] != shot->out_ifindex)
		snprintf(sender->why, sizeof(sender->why),
			 "went to port %u, device %u, not to port %u, device %u", context.cb[2],
			 context.cb[3], shot->out_port_id, shot->out_ifindex);
	else if (memcmp(out, shot->macs, sizeof(shot->macs)))
		snprintf(sender->why, sizeof(sender->why), "wrong MACs, for port %u",
			 shot->out_port_id);
}

static void sweep(void)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);

	if (bpf_prog_test_run_opts(bpf_program__fd(weft->progs.sweep), &options))
		vector_fail("the sweep failed: %s", strerror(errno));
}

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Another generation of the rules, as the daemon writes it. */
static void move_rules(void)
{
	uint32_t vpc_slot = world_port(&world, "blue/open1")->object.vpc_id % 64;
	struct vpc vpc;

	get(TABLE_vpcs, vpc_slot, &vpc);
	vpc.generation++;
	put(TABLE_vpcs, &vpc_slot, &vpc);
}

/* Waits a little for the other CPU to come to the round; it may be at other work of the machine. */
static void meet(struct sender *sender, uint64_t round)
{
	const struct sender *other = &senders[!sender->cpu];

	__atomic_store_n(&sender->round, round, __ATOMIC_SEQ_CST);
	for (unsigned i = 0; i < PATIENCE; i++)
		if (__atomic_load_n(&other->round, __ATOMIC_SEQ_CST) >= round)
			break;
}

/* The next round, or the one that the other CPU has come to. */
static uint64_t next_round(const struct sender *sender)
{
	uint64_t other = __atomic_load_n(&senders[!sender->cpu].round, __ATOMIC_SEQ_CST);

	return other > sender->round ? other : sender->round + 1;
}

static const struct shot *shot_of(size_t connection, unsigned number)
{
	size_t first = connections[connection];

	return &shots[first + number % (connections[connection + 1] - first)];
}

/* Both CPUs draw the same numbers: those of the round. */
static void play(struct sender *sender, uint64_t round)
{
	unsigned seed = (unsigned)round;
	size_t connection = (unsigned)rand_r(&seed) % connection_count;
	unsigned first = (unsigned)rand_r(&seed), second = (unsigned)rand_r(&seed);
	unsigned same = (unsigned)rand_r(&seed) & 1;
	bool begins = sender->cpu == (int)(first & 1);

	if (round % ROUNDS_PER_SWEEP == 0 && begins) {
		if (second & 2)
			move_rules();
		sweep();
	} else if (round % ROUNDS_PER_SWEEP == 0) {
		for (unsigned i = 0; i < SHOTS_DURING_SWEEP; i++)
			fire(sender, shot_of(connection, first + i));
	} else {
		fire(sender, shot_of(connection, begins || same ? first : second));
	}
}

static void *send_all(void *argument)
{
	struct sender *sender = argument;
	uint64_t end = now_ms() + RUN_SECONDS * 1000;
	uint64_t round = 0;
	cpu_set_t cpus;

	CPU_ZERO(&cpus);
	CPU_SET((size_t)sender->cpu, &cpus);
	/* Where there is one CPU only, both threads share it, and little can be seen. */
	(void)!sched_setaffinity(0, sizeof(cpus), &cpus);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		round = next_round(sender);
		meet(sender, round);
		play(sender, round);
		if (sender->why[0] || now_ms() > end)
			__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* ---- what must hold in the end ---- */

/* Counters against rows. Return: how many rows there are. */
static size_t check_counters(void)
{
	uint64_t of_port[1024] = { 0 }, of_vpc[64] = { 0 }, shared = 0;
	struct flow_key key, next, *previous = NULL;
	struct datapath_state state;
	struct port_stats port;
	struct vpc_stats vpc;
	struct flow flow;
	size_t count = 0;

	while (!bpf_map_get_next_key(fds[TABLE_flows], previous, &next)) {
		key = next;
		previous = &key;
		if (bpf_map_lookup_elem(fds[TABLE_flows], &key, &flow))
			continue;
		count++;
		assert_int_not_equal(flow.charged_slot, FLOW_CLAIMED);
		if (!(flow.flags & FLOW_CHARGED))
			continue;
		of_port[flow.charged_slot % 1024]++;
		of_vpc[flow.vpc_slot % 64]++;
		shared += flow.flags & FLOW_CHARGED_SHARED ? 1 : 0;
	}
	get(TABLE_state, 0, &state);
	for (uint32_t slot = 0; slot < 1024; slot++) {
		get(TABLE_port_stats, slot, &port);
		get(TABLE_vpc_stats, slot % 64, &vpc);
		if (port.flows != of_port[slot] || vpc.flows != of_vpc[slot % 64] ||
		    state.shared_flows != shared)
			fail_msg("of %zu rows: port slot %u counts %lld of %llu, VPC %lld of %llu, "
				 "shared %lld of %llu",
				 count, slot, (long long)port.flows,
				 (unsigned long long)of_port[slot], (long long)vpc.flows,
				 (unsigned long long)of_vpc[slot % 64],
				 (long long)state.shared_flows, (unsigned long long)shared);
	}
	return count;
}

static void test_two_cpus(void **state)
{
	uint64_t deadline;

	(void)state;
	if (!privileged)
		skip();
	for (int i = 0; i < SENDERS; i++) {
		senders[i].cpu = i;
		assert_int_equal(pthread_create(&senders[i].thread, NULL, send_all, &senders[i]),
				 0);
	}
	for (int i = 0; i < SENDERS; i++)
		pthread_join(senders[i].thread, NULL);
	for (int i = 0; i < SENDERS; i++) {
		print_message("# CPU %d: %llu packets, %llu delivered\n", senders[i].cpu,
			      (unsigned long long)senders[i].sent,
			      (unsigned long long)senders[i].delivered);
		if (senders[i].why[0])
			fail_msg("CPU %d: %s", senders[i].cpu, senders[i].why);
	}
	assert_true(senders[0].delivered + senders[1].delivered > 0);
	check_counters();
	deadline = now_ms() + DEADLINE_SECONDS * 1000;
	do
		sweep();
	while (check_counters() && now_ms() < deadline);
	assert_int_equal(check_counters(), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_cpus),
	};

	return cmocka_run_group_tests(tests, make_world, free_world);
}
