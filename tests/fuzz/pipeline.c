/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the parser and the whole pipeline: frames of random bytes from ports of a real world.
 *
 * The input is a row of frames, each with a byte that names the port and two of length; ports 242
 * to 252 are uplinks, 255 is the underlay, and the frame an outer packet of another host, in a
 * world that knows every kind of tunnel. All of an input run through the same tables, so that
 * connections, fragments and learned addresses meet. Nothing may crash, read outside the frame, or
 * be delivered where it must not: outside the sender's VPC, to the sender, or from an address that
 * is not the sender's. Seeds: the frames of the vectors (run --seeds).
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/native/native.h"
#include "tests/vectors/vector.h"

#define PORTS_MAX 240
#define UPLINK 252 /* of the first of world_wires, and so on, downwards */
#define UNDERLAY 255
#define SERVICE 254 /* what a service of the host says */

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define WIRES 5 /* in worlds */

static struct world worlds[WIRES + WORLD_WIRES];
static struct rows tunnel_rows;
static struct {
	const struct port_object *port;
	const struct world *world;
	struct attachment attachment;
} senders[PORTS_MAX];
static size_t sender_count;

void vector_fail(const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	abort();
}

static void add_senders(const struct world *world)
{
	const struct object **vpcs, **ports;
	size_t vpc_count = intent_list(world->intent, 0, OBJECT_VPC, &vpcs);

	for (size_t v = 0; v < vpc_count; v++) {
		size_t count = intent_list(world->intent, vpcs[v]->id, OBJECT_PORT, &ports);

		for (size_t i = 0; i < count && sender_count < PORTS_MAX; i++) {
			senders[sender_count].port = (const struct port_object *)ports[i];
			senders[sender_count].world = world;
			world_attachment(world, senders[sender_count].port,
					 &senders[sender_count].attachment);
			sender_count++;
		}
		free(ports);
	}
	free(vpcs);
}

/* One line about hosts, and the rows of the world as it is then beside those before. */
static void say(struct world *world, const char *text)
{
	char line[200], *words[16], *next = NULL;
	size_t count = 0;

	snprintf(line, sizeof(line), "%s", text);
	for (char *word = strtok_r(line, " ", &next); word && count < 16;
	     word = strtok_r(NULL, " ", &next))
		words[count++] = word;
	if (!hosts_statement(world, words, count))
		abort();
	world_plan(world);
	for (size_t i = 0; i < world->rows.count; i++) {
		const struct row *row = world->rows.list[i];

		rows_add(&tunnel_rows, (enum table_id)row->table, row->bytes,
			 row->bytes + row->key_size);
	}
}

/* A world of three hosts, with a way to each in every kind and over both underlays. */
static void read_tunnels(struct world *world)
{
	static const char *const hosts[] = {
		"host h1 192.0.2.1 2001:db8::1",
		"host h2 192.0.2.2 2001:db8::2",
		"host h3 192.0.2.3 2001:db8::3",
		"place blue/web2 h2",
		"place blue/db2 h2",
		"place blue/fw2 h2",
		"place blue/web3 h3",
		"segment blue/db geneve id 1002",
	};
	static const char *const kinds[] = {
		"vxlan id 1001",
		"geneve id 1001",
		"nvgre id 0x1234",
		"gre key id 7",
		"gre sequence",
		"gretap key id 7",
		"gretap checksum",
		"ipip",
		"sit",
		"fou",
		"gue checksum",
	};
	char line[100];

	world_read(world, "tests/vectors/hosts.json");
	for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++)
		say(world, hosts[i]);
	for (size_t i = 0; i < 2 * sizeof(kinds) / sizeof(kinds[0]); i++) {
		snprintf(line, sizeof(line), "segment blue/web %s%s", kinds[i / 2],
			 i % 2 ? " ipv6" : "");
		say(world, line);
	}
	rows_clear(&world->rows);
	world->rows = tunnel_rows;
	hosts_clear();
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	world_read(&worlds[0], "tests/vectors/tenants.json");
	world_read(&worlds[1], "tests/vectors/switch.json");
	read_tunnels(&worlds[2]);
	add_senders(&worlds[0]);
	add_senders(&worlds[1]);
	add_senders(&worlds[2]);
	/* Snooping and probes for loops: both read what a workload sends. */
	world_read(&worlds[3], "tests/vectors/multicast.json");
	world_read(&worlds[4], "tests/vectors/links.json");
	add_senders(&worlds[3]);
	add_senders(&worlds[4]);
	for (size_t i = 0; i < WORLD_WIRES; i++) {
		world_read(&worlds[WIRES + i], world_wires[i]);
		add_senders(&worlds[WIRES + i]);
	}
	return 0;
}

static void write_rows(const struct world *world)
{
	struct slot_key zero = { 0 };
	struct datapath_state state = { .shared_limit = 64,
					.event_rate = 10,
					.icmp_rate = 10,
					.flow_guarantee = 8,
					.service_ifindex = SERVICE_IFINDEX,
					.service_rate = 100,
					.punt_ifindex = SERVICE_IFINDEX,
					.punt_rate = 100,
					.hold_rate = 100,
					.hold_total_rate = 1000 };

	native_reset();
	native_clock(1ULL << 40);
	native_update(native_table(TABLE_state), &zero, &state, 0);
	for (size_t i = 0; i < world->rows.count; i++) {
		const struct row *row = world->rows.list[i];

		native_update(native_table(row->table), row->bytes, row->bytes + row->key_size, 0);
	}
}

/* What no packet may do, whatever its bytes. */
static void judge(size_t sender, const struct frame *f, const struct native_result *result)
{
	const struct port_object *from = senders[sender].port;
	const struct object *to;

	if (f->length > FRAME_ROOM || result->verdict >= VERDICTS)
		abort();
	if (result->verdict == VERDICT_SERVED && result->out_ifindex != SERVICE_IFINDEX)
		abort();
	if (result->verdict != VERDICT_DELIVERED || result->out_port_id >= PEER_ID_FIRST)
		return;
	to = intent_object(senders[sender].world->intent, result->out_port_id);
	if (!to || to->vpc_id != from->object.vpc_id || to->id == from->object.id)
		abort();
	for (__u32 i = 0; i < f->copy_count; i++)
		if (f->copies[i] == 1000 + from->object.id)
			abort();
}

/* So that bytes get past the first question. */
static void fix_checksum(struct frame *f)
{
	uint8_t *ip = f->data + 14;
	uint32_t sum = 0, size;

	if (f->length < 34 || f->data[12] != 8 || f->data[13])
		return;
	size = (ip[0] & 15u) * 4;
	if (f->length < 14 + size)
		return;
	ip[10] = ip[11] = 0;
	for (uint32_t i = 0; i < size; i++)
		sum += i & 1 ? ip[i] : (uint32_t)ip[i] << 8;
	sum = (sum & 0xffff) + (sum >> 16);
	sum = ~((sum & 0xffff) + (sum >> 16));
	ip[10] = (uint8_t)(sum >> 8);
	ip[11] = (uint8_t)sum;
}

/*
 * An outer packet: what is delivered goes to a port that is plugged in here, and never on to a
 * host.
 */
static void run_underlay(struct frame *f)
{
	struct native_result result = { 0 };
	uint8_t before[64];
	size_t same = f->length < sizeof(before) ? f->length : sizeof(before);

	fix_checksum(f);
	memcpy(before, f->data, same);
	native_run_underlay(f, &result);
	if (f->length > FRAME_ROOM || result.verdict >= VERDICTS)
		abort();
	if (result.verdict == VERDICT_NOT_OURS && memcmp(before, f->data, same))
		abort();
	if (result.verdict == VERDICT_DELIVERED &&
	    ((result.flags & PACKET_TO_UNDERLAY) || result.out_ifindex < 1000))
		abort();
	if (f->underlay_count)
		abort();
}

/* What a service of the host says goes to a port that has asked, or nowhere. */
static void run_service(struct frame *f)
{
	struct native_result result = { 0 };

	fix_checksum(f);
	native_run_service(f, &result);
	if (f->length > FRAME_ROOM || result.verdict >= VERDICTS)
		abort();
	if (result.verdict == VERDICT_DELIVERED && result.out_ifindex < 1000)
		abort();
}

/* What a NIC hands in: one that is of no segment is as it was, and nothing goes back to its own wire but by
 * the router, from another subnet. */
static void run_uplink(struct frame *f)
{
	struct native_result result = { 0 };
	uint8_t before[64];
	size_t same = f->length < sizeof(before) ? f->length : sizeof(before);

	memcpy(before, f->data, same);
	native_run_wire(f, 1, &result);
	if (f->length > FRAME_ROOM || result.verdict >= VERDICTS)
		abort();
	if (result.verdict == VERDICT_NOT_OURS && memcmp(before, f->data, same))
		abort();
	if (result.verdict == VERDICT_FLOODED)
		for (__u32 i = 0; i < f->copy_count; i++)
			if (f->copies[i] == 1)
				abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool fresh = true;

	while (size > 3) {
		bool underlay = data[0] == UNDERLAY, service = data[0] == SERVICE;
		size_t wire = UPLINK - (size_t)data[0];
		bool uplink = wire < WORLD_WIRES;
		size_t sender = data[0] % sender_count;
		size_t length = (size_t)data[1] << 8 | data[2];
		struct native_result result = { 0 };
		struct frame *f;

		data += 3;
		size -= 3;
		if (length > size)
			length = size;
		if (fresh)
			write_rows(underlay ? &worlds[2]
				   : uplink ? &worlds[WIRES + wire]
					    : senders[sender].world);
		fresh = false;
		/* A sender of the other world sends to tables that do not know it. */
		f = native_frame_new(data, (__u32)length);
		f->segment_size = length & 1 ? 0 : 1000;
		if (underlay) {
			run_underlay(f);
		} else if (uplink) {
			run_uplink(f);
		} else if (service) {
			run_service(f);
		} else {
			native_run_attached(f, &senders[sender].attachment, &result);
			judge(sender, f, &result);
		}
		native_frame_free(f);
		data += length;
		size -= length;
	}
	return 0;
}
