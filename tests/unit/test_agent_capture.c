/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/capture, agent/pcapng: blocks that add up, verdicts in words, bounds, and the end of a capture.
 */
#include "tests/unit/unit.h"

#include "agent/observe/capture.h"
#include "agent/observe/pcapng.h"
#include "base/alloc.h"
#include "tests/unit/agent_world.h"

static uint32_t u32_at(const struct buf *buf, size_t at)
{
	uint32_t value;

	assert_true(at + 4 <= buf->size);
	memcpy(&value, buf->data + at, sizeof(value));
	return value;
}

/* Walks over the blocks: lengths at both ends agree, and the last ends with the bytes. Return: how many of
 * the type there are. */
static size_t count_blocks(const struct buf *buf, uint32_t type)
{
	size_t found = 0;

	for (size_t at = 0; at < buf->size;) {
		uint32_t size = u32_at(buf, at + 4);

		assert_true(size >= 12 && size % 4 == 0 && at + size <= buf->size);
		assert_int_equal(u32_at(buf, at + size - 4), size);
		found += u32_at(buf, at) == type;
		at += size;
	}
	return found;
}

static void blocks_add_up(void **state)
{
	uint8_t data[61] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };
	struct pcapng_packet packet = {
		.time_ns = 1700000000123456789ULL,
		.data = data,
		.length = 1514,
		.comment = "delivered",
	};
	struct buf buf = { 0 };

	(void)state;
	pcapng_begin(&buf, "weft", "blue/web1", 96);
	for (uint32_t size = 0; size <= sizeof(data); size++) {
		packet.size = size;
		packet.tag = size % 2 ? 0x81000000 | 100 : 0;
		packet.lost = size % 3;
		packet.dropped = size % 5 == 0;
		pcapng_add(&buf, &packet);
	}
	pcapng_statistics(&buf, packet.time_ns, 5, 1);
	assert_int_equal(count_blocks(&buf, 0x0a0d0d0a), 1);
	assert_int_equal(count_blocks(&buf, 1), 1);
	assert_int_equal(count_blocks(&buf, 6), sizeof(data) + 1);
	assert_int_equal(count_blocks(&buf, 5), 1);
	buf_fini(&buf);
}

static void the_tag_is_put_back(void **state)
{
	const uint8_t data[14] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 8, 0 };
	const uint8_t tagged[18] = {
		1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 0x88, 0xa8, 0, 100, 8, 0
	};
	struct pcapng_packet packet = { .data = data, .size = 14, .length = 14, .tag = 0x88a80064 };
	struct buf buf = { 0 };

	(void)state;
	pcapng_add(&buf, &packet);
	assert_int_equal(u32_at(&buf, 20), 18);
	assert_memory_equal(buf.data + 28, tagged, sizeof(tagged));
	buf_fini(&buf);
}

struct reading {
	struct captures *captures;
	struct api_stream *stream;
	struct buf bytes;
	size_t woken;
};

static void woken(void *context)
{
	struct reading *reading = context;

	reading->woken++;
}

static uint32_t port_id(struct world *world)
{
	return intent_find(reconcile_intent(world->reconcile), "blue", OBJECT_PORT, "web1")->id;
}

static void open_capture(struct world *world, struct reading *reading, uint64_t count, bool dropped)
{
	struct capture_options options = {
		.port_id = port_id(world),
		.name = "blue/web1",
		.from = true,
		.to = true,
		.dropped = dropped,
		.count = count,
	};
	struct error error = { 0 };

	filter_init(&options.filter);
	assert_int_equal(capture_open(reading->captures, &options, &reading->stream, &error), 0);
	reading->stream->wake = woken;
	reading->stream->wake_context = reading;
}

static void read_all(struct reading *reading)
{
	char piece[1000];
	size_t size;

	buf_reset(&reading->bytes);
	while ((size = reading->stream->read(reading->stream, piece, sizeof(piece))))
		buf_append(&reading->bytes, piece, size);
}

static void send_event(struct reading *reading, int watch, uint32_t verdict, uint64_t lost)
{
	static const uint8_t data[60];
	struct capture_event event = {
		.watches = 1ULL << watch,
		.verdict = verdict,
		.direction = CAPTURE_FROM,
		.length = 1000,
		.size = sizeof(data),
		.lost = lost,
	};

	captures_take(reading->captures, &event, data);
}

static void packets_with_verdicts(void **state)
{
	struct world *world = *state;
	struct reading reading = { .captures = world->captures };

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	open_capture(world, &reading, 3, false);
	read_all(&reading);
	assert_int_equal(count_blocks(&reading.bytes, 0x0a0d0d0a), 1);
	send_event(&reading, 0, VERDICT_GROUP_INGRESS, 2);
	send_event(&reading, 1, VERDICT_DELIVERED, 0);
	assert_int_equal(reading.woken, 1);
	read_all(&reading);
	assert_int_equal(count_blocks(&reading.bytes, 6), 1);
	assert_non_null(
		memmem(reading.bytes.data, reading.bytes.size, "dropped (group_ingress)", 23));
	assert_false(reading.stream->ended(reading.stream));
	reading.stream->keepalive(reading.stream);
	read_all(&reading);
	assert_int_equal(count_blocks(&reading.bytes, 5), 1);
	send_event(&reading, 0, VERDICT_DELIVERED, 0);
	send_event(&reading, 0, VERDICT_ANSWERED, 0);
	send_event(&reading, 0, VERDICT_DELIVERED, 0);
	assert_true(reading.stream->ended(reading.stream));
	read_all(&reading);
	assert_int_equal(count_blocks(&reading.bytes, 6), 2);
	reading.stream->free(reading.stream);
	buf_fini(&reading.bytes);
}

static void only_drops(void **state)
{
	struct world *world = *state;
	struct reading reading = { .captures = world->captures };

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	open_capture(world, &reading, 0, true);
	send_event(&reading, 0, VERDICT_DELIVERED, 0);
	send_event(&reading, 0, VERDICT_NO_ROUTE, 0);
	read_all(&reading);
	assert_int_equal(count_blocks(&reading.bytes, 6), 1);
	reading.stream->free(reading.stream);
	buf_fini(&reading.bytes);
}

static void the_queue_is_bounded(void **state)
{
	struct world *world = *state;
	struct reading reading = { .captures = world->captures };

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	open_capture(world, &reading, 0, false);
	for (size_t i = 0; i < CAPTURE_QUEUE_SIZE_MAX / 60; i++)
		send_event(&reading, 0, VERDICT_DELIVERED, 0);
	read_all(&reading);
	assert_in_range(reading.bytes.size, CAPTURE_QUEUE_SIZE_MAX, CAPTURE_QUEUE_SIZE_MAX + 4096);
	count_blocks(&reading.bytes, 6);
	reading.stream->free(reading.stream);
	buf_fini(&reading.bytes);
}

static uint64_t mask_of(struct world *world, uint32_t id)
{
	const struct port_key key = { .port_id = id };
	struct port_watch row = { 0 };

	return datapath_get(world->datapath, TABLE_port_watches, &key, &row) ? 0 : row.mask;
}

static void marks_come_and_go(void **state)
{
	struct world *world = *state;
	struct reading one = { .captures = world->captures }, two = one;
	struct port_key key;
	struct port port;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	key.port_id = port_id(world);
	open_capture(world, &one, 0, false);
	open_capture(world, &two, 0, false);
	assert_int_equal(mask_of(world, key.port_id), 3);
	assert_int_equal(datapath_get(world->datapath, TABLE_ports, &key, &port), 0);
	assert_true(port.flags & PORT_WATCHED);
	one.stream->free(one.stream);
	assert_int_equal(mask_of(world, key.port_id), 2);
	two.stream->free(two.stream);
	assert_int_equal(mask_of(world, key.port_id), 0);
	assert_int_equal(datapath_get(world->datapath, TABLE_ports, &key, &port), 0);
	assert_false(port.flags & PORT_WATCHED);
}

static void no_more_than_there_is_room_for(void **state)
{
	struct world *world = *state;
	struct reading readings[WATCHES];

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	for (size_t i = 0; i < WATCHES; i++) {
		readings[i] = (struct reading){ .captures = world->captures };
		open_capture(world, &readings[i], 0, false);
	}
	world_expect(world, 409, "GET", "/v1/capture?port=blue/web1", NULL);
	for (size_t i = 0; i < WATCHES; i++)
		readings[i].stream->free(readings[i].stream);
	world_expect(world, 200, "GET", "/v1/capture?port=blue/web1&protocol=tcp&ports=80", NULL);
	world_expect(world, 200, "GET", "/v1/capture?subnet=blue/web&protocol=icmp&type=8", NULL);
}

static void questions_that_are_refused(void **state)
{
	struct world *world = *state;

	world_expect(world, 200, "POST", "/v1/apply", WORLD_TENANTS);
	world_expect(world, 400, "GET", "/v1/capture", NULL);
	world_expect(world, 404, "GET", "/v1/capture?port=blue/none", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&protocol=x", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&protocol=icmp&ports=1", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&protocol=icmp&code=1", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&protocol=tcp&type=1", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&subnet=blue/web", NULL);
	world_expect(world, 404, "GET", "/v1/capture?subnet=blue/none", NULL);
	world_expect(world, 404, "GET", "/v1/capture?subnet=web", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&direction=up", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&count=0", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&sample=-1", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&size=99999", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&dropped=2", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&address=10.0.0.999", NULL);
	world_expect(world, 400, "GET", "/v1/capture?port=blue/web1&address=group:", NULL);
	world_expect(world, 404, "GET", "/v1/capture?port=blue/web1&peer=group:none", NULL);
	world_expect(world, 404, "GET", "/v1/capture?subnet=blue/web&address=group:none", NULL);
}

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocks_add_up),
		cmocka_unit_test(the_tag_is_put_back),
		WITH_WORLD(packets_with_verdicts),
		WITH_WORLD(only_drops),
		WITH_WORLD(the_queue_is_bounded),
		WITH_WORLD(marks_come_and_go),
		WITH_WORLD(no_more_than_there_is_room_for),
		WITH_WORLD(questions_that_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
