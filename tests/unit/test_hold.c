/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Held packets as bytes: whom they are for, and what their senders are told (agent/services/hold_packet.c).
 */
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/services/hold_packet.h"
#include "agent/services/punt_packet.h"
#include "base/checksum.h"
#include "tests/unit/unit.h"

static const struct mac_address port_mac = { { 2, 0, 0, 0, 0, 1 } };
static const struct mac_address gateway_mac = { { 6, 0x57, 0, 0, 0, 1 } };

/* A datagram with so many bytes in it. Return: its size. */
static size_t datagram(const char *from, const char *to, size_t payload, uint8_t frame[2048])
{
	static const uint8_t bytes[1500];
	struct punt_packet packet = {
		.destination_mac = gateway_mac,
		.source_mac = port_mac,
		.protocol = IPPROTO_UDP,
		.source_port = 4000,
		.destination_port = 53,
		.payload = bytes,
		.payload_size = payload,
	};

	assert_int_equal(ip_address_parse(from, &packet.source), 0);
	assert_int_equal(ip_address_parse(to, &packet.destination), 0);
	return punt_packet_write(&packet, frame, 2048);
}

static void test_destination(void **state)
{
	static const char *const ends[][2] = { { "10.0.0.1", "10.0.0.2" },
					       { "fd00::1", "fd00::2" } };
	struct ip_address wanted, read;
	uint8_t frame[2048];

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		size_t size = datagram(ends[i][0], ends[i][1], 10, frame);

		ip_address_parse(ends[i][1], &wanted);
		assert_int_equal(hold_destination(frame, size, &read), 0);
		assert_memory_equal(read.byte, wanted.byte, 16);
		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(hold_destination(frame, cut, &read), -EBADMSG);
		frame[14] = 0x17;
		assert_int_equal(hold_destination(frame, size, &read), -EBADMSG);
	}
}

static void test_question(void **state)
{
	struct ip_address wanted, read;
	uint8_t frame[128];
	size_t size;

	(void)state;
	ip_address_parse("10.0.0.9", &wanted);
	size = hold_question(&wanted, frame, sizeof(frame));
	assert_int_equal(hold_destination(frame, size, &read), 0);
	assert_memory_equal(read.byte, wanted.byte, 16);
	assert_int_equal(hold_question(&wanted, frame, 20), 0);
}

/* The message is sound, comes from the gateway, and quotes so much. */
static void expect_message(const uint8_t *frame, size_t size, const char *gateway_text,
			   unsigned int type, unsigned int code, size_t quoted)
{
	uint8_t message[HOLD_MESSAGE_MAX];
	struct ip_address gateway;
	struct punt_packet read;
	size_t told;

	ip_address_parse(gateway_text, &gateway);
	told = hold_unreachable(frame, size, &gateway, message);
	assert_true(told > 0);
	assert_int_equal(punt_packet_read(message, told, &read), 0);
	assert_memory_equal(read.source.byte, gateway.byte, 16);
	assert_memory_equal(read.destination_mac.byte, port_mac.byte, 6);
	assert_memory_equal(read.source_mac.byte, gateway_mac.byte, 6);
	assert_int_equal(read.payload[0], type);
	assert_int_equal(read.payload[1], code);
	assert_int_equal(read.payload_size, 8 + quoted);
	assert_memory_equal(read.payload + 8, frame + 14, quoted);
	if (type == 3)
		assert_int_equal(checksum(read.payload, read.payload_size), 0);
}

static void test_told(void **state)
{
	uint8_t frame[2048];
	size_t size;

	(void)state;
	size = datagram("10.0.0.1", "10.0.1.2", 10, frame);
	expect_message(frame, size, "10.0.0.254", 3, 1, 38);
	size = datagram("10.0.0.1", "10.0.1.2", 1400, frame);
	expect_message(frame, size, "10.0.0.254", 3, 1, 548);
	size = datagram("fd00::1", "fd00::2", 1400, frame);
	expect_message(frame, size, "fd00::fe", 1, 3, 1232);
}

static void expect_silence(const uint8_t *frame, size_t size, const char *gateway_text)
{
	uint8_t message[HOLD_MESSAGE_MAX];
	struct ip_address gateway;

	ip_address_parse(gateway_text, &gateway);
	assert_int_equal(hold_unreachable(frame, size, &gateway, message), 0);
}

static void test_not_told(void **state)
{
	uint8_t frame[2048];
	size_t size;

	(void)state;
	size = datagram("0.0.0.0", "10.0.1.2", 10, frame);
	expect_silence(frame, size, "10.0.0.254");
	size = datagram("224.0.0.5", "10.0.1.2", 10, frame);
	expect_silence(frame, size, "10.0.0.254");
	size = datagram("ff02::1", "fd00::2", 10, frame);
	expect_silence(frame, size, "fd00::fe");
	size = datagram("10.0.0.1", "10.0.1.2", 10, frame);
	expect_silence(frame, size, "fd00::fe");
	frame[14 + 7] = 3; /* a later fragment */
	expect_silence(frame, size, "10.0.0.254");
	frame[14 + 7] = 0;
	frame[14 + 9] = IPPROTO_ICMP;
	frame[14 + 20] = 3; /* an error */
	expect_silence(frame, size, "10.0.0.254");
	frame[14 + 20] = 8; /* a ping */
	expect_message(frame, size, "10.0.0.254", 3, 1, 38);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_destination),
		cmocka_unit_test(test_question),
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_not_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
