/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/checksum: known packets, odd sizes, long ones, both families.
 */
#include "base/checksum.h"

#include <netinet/in.h>

#include "tests/unit/unit.h"

static struct ip_address ip(const char *text)
{
	struct ip_address address;

	assert_int_equal(ip_address_parse(text, &address), 0);
	return address;
}

/* The example of RFC 1071, 3: its sum is ddf2. */
static void test_words(void **state)
{
	const uint8_t bytes[] = { 0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7 };

	(void)state;
	assert_int_equal(checksum_add(0, bytes, sizeof(bytes)), 0xddf2);
	assert_int_equal(checksum(bytes, sizeof(bytes)), 0x220d);
	assert_int_equal(checksum_add(checksum_add(0, bytes, 4), bytes + 4, 4), 0xddf2);
	assert_int_equal(checksum_add(0, bytes, 3), 0xf201);
	assert_int_equal(checksum(bytes, 0), 0xffff);
}

/* More carries than sixteen bits hold. */
static void test_long(void **state)
{
	static uint8_t bytes[1 << 20];

	(void)state;
	memset(bytes, 0xff, sizeof(bytes));
	assert_int_equal(checksum_add(0, bytes, sizeof(bytes)), 0xffff);
	bytes[sizeof(bytes) - 1] = 0;
	assert_int_equal(checksum_add(0, bytes, sizeof(bytes)), 0xff00);
}

/* Datagrams as a kernel sends them, their checksums in bytes 6 and 7. */
static void test_transport(void **state)
{
	const struct ip_address a4 = ip("192.0.2.1"), b4 = ip("192.0.2.2");
	const struct ip_address a6 = ip("2001:db8::1"), b6 = ip("2001:db8::2");
	uint8_t bytes[] = { 0x04, 0xd2, 0x00, 0x35, 0, 11, 0, 0, 'a', 'b', 'c' };

	(void)state;
	assert_int_equal(checksum_udp(&a4, &b4, bytes, sizeof(bytes)), 0xb26a);
	assert_int_equal(checksum_udp(&a6, &b6, bytes, sizeof(bytes)), 0xdaf9);
	bytes[6] = 0xda;
	bytes[7] = 0xf9;
	assert_int_equal(checksum_transport(&a6, &b6, IPPROTO_UDP, bytes, sizeof(bytes)), 0);
	/* Another source port, with which the checksum is 0: written as ffff. */
	memcpy(bytes, (uint8_t[]){ 0xdf, 0xcb }, 2);
	memset(bytes + 6, 0, 2);
	assert_int_equal(checksum_transport(&a6, &b6, IPPROTO_UDP, bytes, sizeof(bytes)), 0);
	assert_int_equal(checksum_udp(&a6, &b6, bytes, sizeof(bytes)), 0xffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_transport),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
