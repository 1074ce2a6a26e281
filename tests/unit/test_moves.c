/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/moves: which dropped frame says that a workload has come, and what announces an address.
 */
#include <arpa/inet.h>
#include <string.h>

#include "agent/devices/gateways.h"
#include "agent/devices/moves.h"
#include "tests/unit/unit.h"

static const struct mac_address mac = { { 2, 0, 0, 0, 1, 0x21 } };

static struct drop_event frame_of(uint16_t ethertype)
{
	struct drop_event event = { .verdict = VERDICT_NOT_ACTIVE, .ethertype = htons(ethertype) };

	memcpy(event.ethernet + 6, mac.byte, sizeof(mac.byte));
	return event;
}

static struct drop_event icmpv6_of(const char *source, uint8_t type)
{
	struct drop_event event = frame_of(0x86dd);
	struct ip_address address;

	assert_int_equal(ip_address_parse(source, &address), 0);
	memcpy(&event.source, address.byte, sizeof(event.source));
	event.protocol = 58;
	event.destination_port = htons((uint16_t)(type << 8));
	return event;
}

static void test_arrival(void **state)
{
	struct drop_event rarp = frame_of(0x8035), arp = frame_of(0x0806), ip = frame_of(0x0800);
	struct drop_event na = icmpv6_of("fd00:b::21", 136), echo = icmpv6_of("fd00:b::21", 128);
	struct mac_address other = mac;

	(void)state;
	assert_true(moves_is_arrival(&rarp, &mac));
	assert_true(moves_is_arrival(&arp, &mac));
	assert_true(moves_is_arrival(&ip, &mac));
	assert_true(moves_is_arrival(&na, &mac));
	assert_true(moves_is_arrival(&echo, &mac));
	other.byte[5]++;
	assert_false(moves_is_arrival(&rarp, &other));
}

/* What every kernel sends as soon as a device is up. */
static void test_no_arrival(void **state)
{
	struct drop_event solicitation = icmpv6_of("fe80::1", 133);
	struct drop_event report = icmpv6_of("fe80::1", 143), old = icmpv6_of("fe80::1", 131);
	struct drop_event detection = icmpv6_of("::", 135);

	(void)state;
	assert_false(moves_is_arrival(&solicitation, &mac));
	assert_false(moves_is_arrival(&report, &mac));
	assert_false(moves_is_arrival(&old, &mac));
	assert_false(moves_is_arrival(&detection, &mac));
}

static void test_advertisement(void **state)
{
	static const uint8_t wanted[MOVES_ADVERTISEMENT_SIZE] = {
		0x33, 0x33, 0,    0, 0,  1,    2,   0,    0,    0,   1,    0x21, 0x86, 0xdd, 0x60,
		0,    0,    0,    0, 32, 58,   255, 0xfd, 0,    0,   0x0b, 0,    0,    0,    0,
		0,    0,    0,    0, 0,  0,    0,   0x21, 0xff, 2,   0,    0,    0,    0,    0,
		0,    0,    0,    0, 0,  0,    0,   0,    1,    136, 0,    0,    0,    0x20, 0,
		0,    0,    0xfd, 0, 0,  0x0b, 0,   0,    0,    0,   0,    0,    0,    0,    0,
		0,    0,    0x21, 2, 1,  2,    0,   0,    0,    1,   0x21,
	};
	uint8_t frame[MOVES_ADVERTISEMENT_SIZE], checked[MOVES_ADVERTISEMENT_SIZE];
	struct ip_address address;
	uint32_t sum = 32 + 58;

	(void)state;
	assert_int_equal(ip_address_parse("fd00:b::21", &address), 0);
	moves_build_advertisement(&mac, &address, frame);
	for (size_t i = 22; i < sizeof(frame); i += 2)
		sum += (uint32_t)frame[i] << 8 | frame[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	assert_int_equal(sum, 0xffff);
	memcpy(checked, frame, sizeof(frame));
	checked[56] = checked[57] = 0;
	assert_memory_equal(checked, wanted, sizeof(wanted));
}

/* A gateway's MAC has come to this host: what switches and machines on the wire hear. */
static void test_gateway(void **state)
{
	static const struct mac_address router = { { 6, 0x57, 0, 0, 0, 9 } };
	const struct segment vlan = { .type = SEGMENT_VLAN, .tag = 100 };
	const struct segment flat = { .type = SEGMENT_FLAT };
	const uint8_t tag[] = { 0x81, 0, 0, 100 };
	const uint8_t rarp[] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 6, 0x57, 0, 0, 0,
				 9,    0x80, 0x35, 0,    1,    8,    0, 6,    4, 0, 3,
				 6,    0x57, 0,    0,    0,    9,    0, 0,    0, 0, 6,
				 0x57, 0,    0,    0,    9,    0,    0, 0,    0 };
	uint8_t frame[GATEWAYS_FRAME_MAX];

	(void)state;
	assert_int_equal(gateways_build(&router, &flat, frame), 60);
	assert_memory_equal(frame, rarp, sizeof(rarp));
	assert_int_equal(gateways_build(&router, &vlan, frame), 64);
	assert_memory_equal(frame + 12, tag, sizeof(tag));
	assert_memory_equal(frame + 16, rarp + 12, sizeof(rarp) - 12);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_arrival),
		cmocka_unit_test(test_no_arrival),
		cmocka_unit_test(test_advertisement),
		cmocka_unit_test(test_gateway),
	};

	return cmocka_run_group_tests_name("moves", tests, NULL, NULL);
}
