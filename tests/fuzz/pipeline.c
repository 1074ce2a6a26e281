/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the parser and the whole pipeline: frames of random bytes from ports of a real world.
 *
 * The input is a row of frames, each with a byte that names the port and two of length. All of an input
 * run through the same tables, so that connections, fragments and learned addresses meet. Nothing may
 * crash, read outside the frame, or be delivered where it must not: outside the sender's VPC, to the
 * sender, or from an address that is not the sender's. Seeds: the frames of the vectors (run --seeds).
 */
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "target/native/native.h"
#include "tests/vectors/vector.h"

#define PORTS_MAX 64

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct world worlds[2];
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

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	world_read(&worlds[0], "tests/vectors/tenants.json");
	world_read(&worlds[1], "tests/vectors/switch.json");
	add_senders(&worlds[0]);
	add_senders(&worlds[1]);
	return 0;
}

static void write_rows(const struct world *world)
{
	struct slot_key zero = { 0 };
	struct datapath_state state = {
		.shared_limit = 64, .event_rate = 10, .icmp_rate = 10, .flow_guarantee = 8
	};

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
	if (result->verdict != VERDICT_DELIVERED)
		return;
	to = intent_object(senders[sender].world->intent, result->out_port_id);
	if (!to || to->vpc_id != from->object.vpc_id || to->id == from->object.id)
		abort();
	for (__u32 i = 0; i < f->copy_count; i++)
		if (f->copies[i] == 1000 + from->object.id)
			abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	bool fresh = true;

	while (size > 3) {
		size_t sender = data[0] % sender_count;
		size_t length = (size_t)data[1] << 8 | data[2];
		struct native_result result = { 0 };
		struct frame *f;

		data += 3;
		size -= 3;
		if (length > size)
			length = size;
		if (fresh)
			write_rows(senders[sender].world);
		fresh = false;
		/* A sender of the other world sends to tables that do not know it. */
		f = native_frame_new(data, (__u32)length);
		f->segment_size = length & 1 ? 0 : 1000;
		native_run_attached(f, &senders[sender].attachment, &result);
		judge(sender, f, &result);
		native_frame_free(f);
		data += length;
		size -= length;
	}
	return 0;
}
