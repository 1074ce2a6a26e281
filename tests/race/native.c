/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The flow table when several CPUs are at it: each case in every order of the CPUs' steps (order.h).
 *
 * A case sets up connections, then gives each CPU a packet or another work: the sweep, a connection that
 * falls out of the ring of those that ended, a port that goes. After each order: every packet
 * delivered went to the one right port with the right device and MACs; every settled row says what the
 * table of ports says; the counters of connections are those of the charged rows; and when time has
 * passed and the sweep ran, no row is left and every counter is 0.
 *
 * The tables are those of target/native, where the memory of a removed row is the next new row's, as in
 * the kernel. The same with the kernel's own maps, at random: kernel.c.
 */
#include "core/flow.h"
#include "target/native/native.h"
#include "tests/race/order.h"
#include "tests/unit/unit.h"
#include "tests/vectors/vector.h"

#define SECOND_NS 1000000000ULL
#define START_NS (1000 * SECOND_NS)
#define KEYS_MAX 64
#define SLOTS_MAX 64
#define VPC_SLOTS 64

/* One CPU's work: a frame in the words of the vectors and the port it is for; or a function. */
struct work {
	const char *port, *words, *to;
	bool may_drop; /* a drop is as good as a delivery */
	void (*call)(void);
};

struct race {
	const char *name;
	void (*set_up)(void);
	struct work works[ORDER_CPUS];
	size_t interruptions;
	bool (*check)(void); /* besides what is checked in every case */
};

/* A work, ready to run, and what became of it. */
struct prepared {
	const struct port_object *from, *to;
	struct attachment attachment;
	struct vector_frame frame;
	struct native_result result;
	uint8_t macs[12];
	bool entered; /* when it was through, the row of its new connection was there */
};

static struct world world;
static uint32_t slots[SLOTS_MAX]; /* of all ports */
static size_t slot_count;
static uint32_t flows_room;
static const struct race *race;
static struct prepared prepared[ORDER_CPUS];
static char why[400];

void vector_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

__attribute__((format(printf, 1, 2))) static bool no(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(why, sizeof(why), format, arguments);
	va_end(arguments);
	return false;
}

/* ---- the world ---- */

static const struct port_object *port_named(const char *name)
{
	const struct port_object *port = world_port(&world, name);

	if (!port)
		vector_fail("no port %s", name);
	return port;
}

/* What a case may have changed, as it was; the tables that packets write, empty. */
static void restore_world(void)
{
	static const enum table_id of_packets[] = { TABLE_flows, TABLE_ended_flows,
						    TABLE_ended_cursor, TABLE_port_stats,
						    TABLE_vpc_stats };
	struct slot_key zero = { 0 };
	/* The first connection of a port is its guarantee, the others are drawn from the shared part. */
	struct datapath_state state = {
		.shared_limit = 1024, .event_rate = 1000, .icmp_rate = 100, .flow_guarantee = 1
	};

	for (size_t i = 0; i < sizeof(of_packets) / sizeof(of_packets[0]); i++)
		native_empty(of_packets[i]);
	native_table(TABLE_flows)->room = flows_room;
	native_update(native_table(TABLE_state), &zero, &state, 0);
	for (size_t i = 0; i < world.rows.count; i++) {
		const struct row *row = world.rows.list[i];

		if (row->table == TABLE_ports || row->table == TABLE_vpcs)
			native_update(native_table(row->table), row->bytes,
				      row->bytes + row->key_size, 0);
	}
}

static int read_world(void **state)
{
	(void)state;
	world_read(&world, "tests/vectors/tenants.json");
	flows_room = native_table(TABLE_flows)->room;
	for (size_t i = 0; i < world.rows.count; i++) {
		const struct row *row = world.rows.list[i];

		native_update(native_table(row->table), row->bytes, row->bytes + row->key_size, 0);
		if (row->table == TABLE_ports && slot_count < SLOTS_MAX)
			slots[slot_count++] =
				((const struct port *)(row->bytes + row->key_size))->port_slot;
	}
	return 0;
}

static int free_world(void **state)
{
	(void)state;
	native_reset();
	world_free(&world);
	return 0;
}

static void *row_at(enum table_id table, uint32_t number)
{
	return native_lookup(native_table(table), &number);
}

static struct port *port_row(const char *name)
{
	return row_at(TABLE_ports, port_named(name)->object.id);
}

struct looked_for {
	uint32_t port_id, peer_port_id;
	bool found, opens; /* there is such a row; its state is NEW */
};

static void look_at_row(void *context, const void *key, const void *value)
{
	struct looked_for *wanted = context;
	const struct flow *flow = value;

	if (((const struct flow_key *)key)->port_id == wanted->port_id &&
	    flow->peer_port_id == wanted->peer_port_id && flow->seen == clock_tick()) {
		wanted->found = true;
		wanted->opens = flow->state == FLOW_NEW;
	}
}

/* The row of a connection between two ports that was seen just now. */
static struct looked_for look_for(const struct port_object *from, const struct port_object *to)
{
	struct looked_for wanted = { from->object.id, to->object.id, false, false };

	native_walk(native_table(TABLE_flows), look_at_row, &wanted);
	return wanted;
}

/* ---- packets ---- */

static void prepare(const struct work *work, struct prepared *to)
{
	char copy[400], *words[64];
	size_t count = 0;

	memset(to, 0, sizeof(*to));
	if (!work->words)
		return;
	snprintf(copy, sizeof(copy), "%s", work->words);
	for (char *word = strtok(copy, " "); word; word = strtok(NULL, " "))
		words[count++] = word;
	to->from = port_named(work->port);
	to->to = port_named(work->to);
	world_attachment(&world, to->from, &to->attachment);
	frame_build(&world, to->from, words, count, &to->frame);
}

static void run_prepared(struct prepared *p)
{
	struct frame *f = native_frame_new(p->frame.data, (__u32)p->frame.size);

	native_run_attached(f, &p->attachment, &p->result);
	memcpy(p->macs, f->data, sizeof(p->macs));
	native_frame_free(f);
	p->entered = p->result.verdict == VERDICT_DELIVERED && look_for(p->from, p->to).opens;
}

static bool check_delivered(const struct work *work, const struct prepared *p)
{
	const struct port *to = row_at(TABLE_ports, p->to->object.id);
	struct mac_address gateway = gateway_mac_of_id(p->to->subnet_id);
	const uint8_t *source = p->from->subnet_id == p->to->subnet_id ? p->from->mac.byte
								       : gateway.byte;

	if (p->result.verdict != VERDICT_DELIVERED)
		return work->may_drop && p->result.verdict != VERDICT_INTERNAL
			       ? true
			       : no("%s: verdict %u", work->words, p->result.verdict);
	if (p->result.out_port_id != p->to->object.id)
		return no("%s: went to port %u, not to %s", work->words, p->result.out_port_id,
			  work->to);
	if (to && p->result.out_ifindex != to->ifindex)
		return no("%s: went to device %u, not to %u", work->words, p->result.out_ifindex,
			  to->ifindex);
	if (memcmp(p->macs, p->to->mac.byte, 6) || memcmp(p->macs + 6, source, 6))
		return no("%s: wrong MACs", work->words);
	if (p->entered && row_at(TABLE_ports, p->from->object.id) &&
	    !look_for(p->from, p->to).found)
		return no("%s: the row of a live connection is gone", work->words);
	return true;
}

/* Outside the races, in set_up: must be delivered. */
static void send_now(const char *port, const char *words, const char *to)
{
	struct work work = { .port = port, .words = words, .to = to };
	struct prepared p;

	prepare(&work, &p);
	run_prepared(&p);
	if (!check_delivered(&work, &p))
		vector_fail("%s: %s", race->name, why);
}

/* ---- the flow table ---- */

struct keys {
	size_t count;
	struct flow_key list[KEYS_MAX];
};

static void collect_key(void *context, const void *key, const void *value)
{
	struct keys *keys = context;

	(void)value;
	if (keys->count == KEYS_MAX)
		vector_fail("more than %d rows", KEYS_MAX);
	keys->list[keys->count++] = *(const struct flow_key *)key;
}

static void collect_keys(struct keys *keys)
{
	keys->count = 0;
	native_walk(native_table(TABLE_flows), collect_key, keys);
}

/* As target/bpf/sweep.bpf.c: it goes from row to row, and others come and go meanwhile. */
static void sweep(void)
{
	struct keys keys;

	collect_keys(&keys);
	for (size_t i = 0; i < keys.count; i++) {
		struct flow *flow = table_lookup(flows, &keys.list[i]);

		if (flow)
			flow_sweep(&keys.list[i], flow, clock_tick());
	}
}

/* Another connection has ended, and the oldest in the ring falls out. */
static void end_another(void)
{
	struct flow_key another = { .port_id = 1, .protocol = PROTOCOL_TCP };

	flow_ended(&another, 2, 0);
}

/* The connection that ended last is the next to fall out of the ring. */
static void fill_ring(void)
{
	((struct ended_cursor *)row_at(TABLE_ended_cursor, 0))->next = ENDED_FLOWS;
}

static bool check_row(const struct flow_key *key, const struct flow *flow)
{
	const struct port *from = row_at(TABLE_ports, key->port_id);
	struct endpoint_key where = { .address = key->destination };
	struct flow_key reverse;
	const struct flow *peer;
	const struct endpoint *endpoint;
	const struct port *to;

	flow_key_reverse(key, flow->peer_port_id, &reverse);
	peer = table_lookup(flows, &reverse);
	if (flow->charged_slot == FLOW_CLAIMED)
		return no("a row is claimed and nobody is at work");
	if (key->protocol == PROTOCOL_TCP && peer && peer->peer_port_id == key->port_id &&
	    peer->state != flow->state)
		return no("state %u in one row and %u in the other", flow->state, peer->state);
	if (!from || flow->flags & FLOW_UNRESOLVED ||
	    flow->generation != ((struct vpc *)row_at(TABLE_vpcs, from->vpc_slot))->generation)
		return true;
	where.vpc_id = from->vpc_id;
	endpoint = table_lookup(endpoints, &where);
	if (!endpoint || endpoint->port_id != flow->peer_port_id)
		return no("a row leads to port %u", flow->peer_port_id);
	to = row_at(TABLE_ports, flow->peer_port_id);
	if (to && (flow->out_ifindex != to->ifindex || flow->out_kind != to->kind ||
		   flow->mtu != to->mtu || flow->out_slot != to->port_slot ||
		   memcmp(flow->ethernet_out, to->mac, 6)))
		return no("a row is not as the table of ports says");
	return true;
}

/* The counters are those of the charged rows. */
static bool check_counters(const struct keys *keys)
{
	uint64_t of_port[1024] = { 0 }, of_vpc[64] = { 0 }, shared = 0;
	const struct datapath_state *state = row_at(TABLE_state, 0);

	for (size_t i = 0; i < keys->count; i++) {
		const struct flow *flow = table_lookup(flows, &keys->list[i]);

		if (!check_row(&keys->list[i], flow))
			return false;
		if (!(flow->flags & FLOW_CHARGED))
			continue;
		of_port[flow->charged_slot % 1024]++;
		of_vpc[flow->vpc_slot % 64]++;
		shared += flow->flags & FLOW_CHARGED_SHARED ? 1 : 0;
	}
	for (size_t i = 0; i < slot_count + VPC_SLOTS; i++) {
		uint32_t slot = i < slot_count ? slots[i] : (uint32_t)(i - slot_count);
		const struct port_stats *stats = row_at(TABLE_port_stats, slot);
		const struct vpc_stats *vpc = row_at(TABLE_vpc_stats, slot % 64);

		if (stats->flows != of_port[slot])
			return no("port slot %u counts %lld connections, its rows %llu", slot,
				  (long long)stats->flows, (unsigned long long)of_port[slot]);
		if (vpc->flows != of_vpc[slot % 64])
			return no("VPC slot %u counts %lld connections, its rows %llu", slot % 64,
				  (long long)vpc->flows, (unsigned long long)of_vpc[slot % 64]);
	}
	return state->shared_flows == shared
		       ? true
		       : no("%lld connections are drawn from the shared part, "
			    "the rows say %llu",
			    (long long)state->shared_flows, (unsigned long long)shared);
}

/* ---- the orders ---- */

static void begin(void *context)
{
	(void)context;
	restore_world();
	native_clock(START_NS);
	if (race->set_up)
		race->set_up();
}

static void work(void *context, size_t cpu)
{
	(void)context;
	if (race->works[cpu].call)
		race->works[cpu].call();
	else
		run_prepared(&prepared[cpu]);
}

static bool check(void *context)
{
	struct keys keys;

	(void)context;
	for (size_t cpu = 0; cpu < ORDER_CPUS; cpu++)
		if (race->works[cpu].words && !check_delivered(&race->works[cpu], &prepared[cpu]))
			return false;
	collect_keys(&keys);
	if (!check_counters(&keys) || (race->check && !race->check()))
		return false;
	native_clock(START_NS + 1000000 * SECOND_NS);
	sweep();
	collect_keys(&keys);
	if (keys.count)
		return no("%zu rows are left after the sweep", keys.count);
	return check_counters(&keys);
}

static void run_race(const struct race *which)
{
	struct orders orders = {
		.begin = begin,
		.work = work,
		.check = check,
		.interruptions = which->interruptions,
	};
	char trail[600] = "";
	size_t count;

	race = which;
	for (size_t cpu = 0; cpu < ORDER_CPUS; cpu++) {
		if (race->works[cpu].words || race->works[cpu].call)
			orders.cpu_count = cpu + 1;
		prepare(&race->works[cpu], &prepared[cpu]);
	}
	count = orders_run(&orders, trail, sizeof(trail));
	if (!count)
		fail_msg("%s: %s (%s)", race->name, why, trail);
	print_message("# %s: %zu orders\n", race->name, count);
	assert_true(count > 100);
}

/* ---- the cases ---- */

#define UDP_OUT "ip 10.0.1.19 > 10.0.1.20 udp 123 > 123"
#define UDP_BACK "ip 10.0.1.20 > 10.0.1.19 udp 123 > 123"
#define TCP_OUT "ip 10.0.1.19 > 10.0.1.20 tcp 40000 > 80 "
#define TCP_BACK "ip 10.0.1.20 > 10.0.1.19 tcp 80 > 40000 "
#define ROUTED_OUT "ip 10.0.1.19 > 10.0.2.30 tcp 40000 > 80 "
#define ROUTED_BACK "ip 10.0.2.30 > 10.0.1.19 tcp 80 > 40000 "
#define ROUTED_OTHER "ip 10.0.1.19 > 10.0.2.32 tcp 40000 > 80 "
#define OUT(text) .port = "blue/open1", .words = text, .to = "blue/open2"
#define BACK(text) .port = "blue/open2", .words = text, .to = "blue/open1"
#define BESIDE(text) .port = "blue/open1", .words = text, .to = "blue/tap-1"
#define FAR(text) .port = "blue/open1", .words = text, .to = "blue/fw1"
#define FAR_BACK(text) .port = "blue/fw1", .words = text, .to = "blue/open1"
#define FAR_OTHER(text) .port = "blue/open1", .words = text, .to = "blue/strict"

static void one_connection(void)
{
	send_now("blue/open1", "ip 10.0.1.19 > 10.0.1.20 udp 5 > 5", "blue/open2");
}

static void expired_pair(void)
{
	one_connection();
	send_now("blue/open1", UDP_OUT, "blue/open2");
	native_clock(START_NS + 100000 * SECOND_NS);
}

/* The other side began it then: open1's row is the one that nothing was charged for. */
static void expired_other_way(void)
{
	one_connection();
	send_now("blue/open2", UDP_BACK, "blue/open1");
	native_clock(START_NS + 100000 * SECOND_NS);
}

static void unanswered(void)
{
	send_now("blue/open1", UDP_OUT, "blue/open2");
}

static void established(void)
{
	send_now("blue/open1", TCP_OUT "S", "blue/open2");
	send_now("blue/open2", TCP_BACK "SA", "blue/open1");
	send_now("blue/open1", TCP_OUT "A", "blue/open2");
}

static void closed(void)
{
	established();
	send_now("blue/open1", TCP_OUT "R", "blue/open2");
	fill_ring();
}

static void both_finished(void)
{
	established();
	send_now("blue/open1", TCP_OUT "FA", "blue/open2");
	send_now("blue/open2", TCP_BACK "FA", "blue/open1");
	fill_ring();
}

static void acknowledged(void)
{
	both_finished();
	send_now("blue/open1", TCP_OUT "A", "blue/open2");
	fill_ring();
}

static void routed(void)
{
	send_now("blue/open1", ROUTED_OUT "S", "blue/fw1");
	send_now("blue/fw1", ROUTED_BACK "SA", "blue/open1");
	send_now("blue/open1", ROUTED_OUT "A", "blue/fw1");
}

static void routed_closed(void)
{
	routed();
	send_now("blue/fw1", ROUTED_BACK "R", "blue/open1");
	fill_ring();
}

/* Long ago. */
static void closed_long_ago(void)
{
	closed();
	native_clock(START_NS + 100000 * SECOND_NS);
}

static void open_and_answer(void)
{
	send_now("blue/open1", TCP_OUT "S", "blue/open2");
	send_now("blue/open2", TCP_BACK "SA", "blue/open1");
}

/* The rules have moved since. */
static void routed_closed_moved(void)
{
	routed_closed();
	((struct vpc *)row_at(TABLE_vpcs, port_row("blue/open1")->vpc_slot))->generation++;
}

/* The receiver has been plugged in anew: another device, another MTU. */
static void replugged(void)
{
	struct port *port = port_row("blue/open2");

	established();
	port->ifindex += 5000;
	port->kind = PORT_TAP;
	port->mtu = 1400;
	((struct vpc *)row_at(TABLE_vpcs, port->vpc_slot))->generation++;
}

/* Another connection of the same kind: the next goes by what it has found (core/way.c). */
static void begun_before(void)
{
	send_now("blue/open1", "ip 10.0.1.19 > 10.0.1.20 tcp 39999 > 80 S", "blue/open2");
}

static void begun_before_and_room_for_one_row(void)
{
	begun_before();
	native_table(TABLE_flows)->room = 3;
}

static void room_for_one_row(void)
{
	one_connection();
	native_table(TABLE_flows)->room = 3;
}

static void remove_sender(void)
{
	struct port_key key = { port_named("blue/open1")->object.id };

	native_remove(native_table(TABLE_ports), &key);
	sweep();
}

static bool both_closed(void)
{
	struct keys keys;

	collect_keys(&keys);
	for (size_t i = 0; i < keys.count; i++)
		if (((struct flow *)table_lookup(flows, &keys.list[i]))->state != FLOW_CLOSED)
			return no("the connection is not closed");
	return keys.count == 2 ? true : no("%zu rows", keys.count);
}

/* The closed connection has gone, the one that has begun is there. */
static bool only_the_new(void)
{
	struct keys keys;

	collect_keys(&keys);
	for (size_t i = 0; i < keys.count; i++)
		if (((struct flow *)table_lookup(flows, &keys.list[i]))->state != FLOW_NEW)
			return no("the closed connection is there");
	return keys.count == 2 ? true : no("%zu rows", keys.count);
}

/* Nothing has come to those of the connection before. */
static bool two_rows(void)
{
	struct keys keys;

	collect_keys(&keys);
	return keys.count == 2 ? true : no("%zu rows", keys.count);
}

/* Each end was heard, so the connection lives as long as one with a reply; at the latest after one more
 * packet of each. */
static bool both_replied(void)
{
	struct keys keys;
	size_t count = 0;

	send_now("blue/open1", UDP_OUT, "blue/open2");
	send_now("blue/open2", UDP_BACK, "blue/open1");
	collect_keys(&keys);
	for (size_t i = 0; i < keys.count; i++) {
		const struct flow *flow = table_lookup(flows, &keys.list[i]);
		const struct vpc *vpc = row_at(TABLE_vpcs, flow->vpc_slot);

		if (keys.list[i].source_port != be16(123))
			continue;
		count++;
		if (flow->state != FLOW_REPLIED ||
		    flow->timeout != vpc->timeout[TIMEOUT_UDP_REPLIED])
			return no("a row in state %u lives for %u", flow->state, flow->timeout);
	}
	return count == 2 ? true : no("%zu rows", count);
}

static const struct race races[] = {
	{ "the same new connection on two CPUs",
	  one_connection,
	  { { OUT(UDP_OUT) }, { OUT(UDP_OUT) } },
	  3,
	  NULL },
	{ "both ends begin at once",
	  one_connection,
	  { { OUT(UDP_OUT) }, { BACK(UDP_BACK) } },
	  3,
	  both_replied },
	{ "an expired connection begins again on two CPUs, and the sweep comes",
	  expired_pair,
	  { { OUT(UDP_OUT) }, { OUT(UDP_OUT) }, { .call = sweep } },
	  2,
	  NULL },
	{ "an expired connection begins again the other way on two CPUs",
	  expired_other_way,
	  { { OUT(UDP_OUT) }, { OUT(UDP_OUT) } },
	  3,
	  NULL },
	{ "an expired connection begins again from both ends, and the sweep comes",
	  expired_other_way,
	  { { OUT(UDP_OUT) }, { BACK(UDP_BACK) }, { .call = sweep } },
	  2,
	  both_replied },
	{ "the first reply on two CPUs",
	  unanswered,
	  { { BACK(UDP_BACK) }, { BACK(UDP_BACK) } },
	  3,
	  NULL },
	{ "packets of a receiver that is plugged in anew",
	  replugged,
	  { { OUT(TCP_OUT "PA payload 1") }, { OUT(TCP_OUT "PA payload 2") } },
	  3,
	  NULL },
	{ "both ends send a FIN at once",
	  established,
	  { { OUT(TCP_OUT "FA") }, { BACK(TCP_BACK "FA") } },
	  3,
	  both_closed },
	{ "a closed connection waits for its last acknowledgement, whoever ends meanwhile",
	  both_finished,
	  { { OUT(TCP_OUT "A") }, { BACK(TCP_BACK "A") }, { .call = end_another } },
	  2,
	  both_closed },
	{ "an acknowledged connection goes with the next that ends, while another begins",
	  acknowledged,
	  { { .call = end_another }, { OUT("ip 10.0.1.19 > 10.0.1.20 tcp 40001 > 80 S") } },
	  2,
	  only_the_new },
	{ "a closed connection opens and is answered while a second SYN comes",
	  closed,
	  { { .call = open_and_answer }, { OUT(TCP_OUT "S") } },
	  2,
	  NULL },
	{ "a late segment of a closed connection of two neighbours whose row becomes another's",
	  closed,
	  { { OUT(TCP_OUT "A"), .may_drop = true },
	    { .call = end_another },
	    { BESIDE("ip 10.0.1.19 > 10.0.1.21 tcp 40000 > 80 S") } },
	  2,
	  NULL },
	{ "a late RST of a closed connection of two neighbours whose row becomes another's",
	  closed,
	  { { OUT(TCP_OUT "R"), .may_drop = true },
	    { .call = end_another },
	    { OUT("ip 10.0.1.19 > 10.0.1.20 tcp 40001 > 80 S") } },
	  2,
	  NULL },
	{ "a late RST of a closed connection whose row becomes another's",
	  routed_closed,
	  { { FAR(ROUTED_OUT "R"), .may_drop = true },
	    { .call = end_another },
	    { FAR_OTHER(ROUTED_OTHER "S") } },
	  2,
	  NULL },
	{ "a closed connection opens while it falls out of the ring",
	  closed,
	  { { OUT(TCP_OUT "S") }, { .call = end_another } },
	  3,
	  NULL },
	{ "a closed connection opens while it falls out of the ring and is swept",
	  closed_long_ago,
	  { { OUT(TCP_OUT "S") }, { .call = end_another }, { .call = sweep } },
	  2,
	  NULL },
	{ "a late segment of a closed connection whose row becomes another's",
	  routed_closed,
	  { { FAR(ROUTED_OUT "A"), .may_drop = true },
	    { .call = end_another },
	    { FAR_OTHER(ROUTED_OTHER "S") } },
	  2,
	  NULL },
	{ "the same after the rules have moved",
	  routed_closed_moved,
	  { { FAR(ROUTED_OUT "A"), .may_drop = true },
	    { .call = end_another },
	    { FAR_OTHER(ROUTED_OTHER "S") } },
	  2,
	  NULL },
	{ "a connection begins like the one before, and the long way on another CPU",
	  begun_before,
	  { { OUT(TCP_OUT "S") }, { OUT(TCP_OUT "SU") } },
	  3,
	  NULL },
	{ "a connection begins like the one before, while its port goes",
	  begun_before,
	  { { OUT(TCP_OUT "S"), .may_drop = true }, { .call = remove_sender } },
	  3,
	  NULL },
	{ "no room for the second row of a connection like the one before, while the port goes",
	  begun_before_and_room_for_one_row,
	  { { OUT(TCP_OUT "S"), .may_drop = true }, { .call = remove_sender } },
	  3,
	  NULL },
	{ "no room for the second row of a connection like the one before: the first is taken back",
	  begun_before_and_room_for_one_row,
	  { { OUT(TCP_OUT "S"), .may_drop = true }, { .call = sweep } },
	  3,
	  two_rows },
	{ "no room for the second row while the port goes",
	  room_for_one_row,
	  { { OUT(UDP_OUT), .may_drop = true }, { .call = remove_sender } },
	  3,
	  NULL },
};

static void test_race(void **state)
{
	run_race(*state);
}

int main(void)
{
	struct CMUnitTest tests[sizeof(races) / sizeof(races[0])] = { 0 };
	size_t count = sizeof(races) / sizeof(races[0]);

	for (size_t i = 0; i < count; i++)
		tests[i] = (struct CMUnitTest){
			.name = races[i].name,
			.test_func = test_race,
			.initial_state = (void *)(uintptr_t)&races[i],
		};
	return _cmocka_run_group_tests("races", tests, count, read_world, free_world);
}
