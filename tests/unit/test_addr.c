/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/addr: strict text, round trips, both families apart, arithmetic at the edges.
 */
#include "base/addr.h"
#include "base/alloc.h"
#include "tests/unit/unit.h"

static struct ip_address address_of(const char *text)
{
	struct ip_address address;

	assert_int_equal(ip_address_parse(text, &address), 0);
	return address;
}

static struct ip_prefix prefix_of(const char *text)
{
	struct ip_prefix prefix;

	assert_int_equal(ip_prefix_parse(text, &prefix), 0);
	return prefix;
}

static void expect_address(struct ip_address address, const char *text)
{
	char written[IP_ADDRESS_TEXT_SIZE];

	assert_string_equal(ip_address_format(&address, written), text);
}

static void test_address_text(void **state)
{
	/* What is written is what was read, except where the second column says otherwise. */
	static const char *const good[][2] = {
		{ "0.0.0.0", NULL },
		{ "10.0.1.255", NULL },
		{ "255.255.255.255", NULL },
		{ "::", NULL },
		{ "::1", NULL },
		{ "::1:2", NULL },
		{ "1::", NULL },
		{ "fe80::1:0:0:1", NULL },
		{ "2001:db8:0:1:1:1:1:1", NULL },
		{ "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
		{ "2001:0DB8::00A", "2001:db8::a" },
		{ "0:0:0:0:0:0:0:1", "::1" },
		{ "1:0:0:2:0:0:0:3", "1:0:0:2::3" },
		{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", NULL },
		{ "::1.2.3.4", "::102:304" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		expect_address(address_of(good[i][0]), good[i][1] ? good[i][1] : good[i][0]);
}

static void test_address_refused(void **state)
{
	static const char *const bad[] = {
		"",
		"1",
		"1.2.3",
		"1.2.3.4.5",
		"256.1.1.1",
		"01.2.3.4",
		"1.2.3.04",
		" 1.2.3.4",
		"1.2.3.4 ",
		"1.2.3.4/24",
		"1.2.3.4x",
		"0x1.2.3.4",
		":",
		":::",
		"1::2::3",
		"fe80::1%eth0",
		"::ffff:1.2.3.4",
		"12345::",
		"1:2:3:4:5:6:7",
		"g::",
		"::ffff:102:304",
		"1:2:3:4:5:6:7:8:9",
		"-1.2.3.4",
	};
	struct ip_address address = address_of("9.9.9.9");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (ip_address_parse(bad[i], &address) != -EINVAL)
			fail_msg("\"%s\" was taken for an address", bad[i]);
	}
	expect_address(address, "9.9.9.9");
}

static void test_prefix_text(void **state)
{
	static const char *const good[] = {
		"0.0.0.0/0", "10.0.0.0/8",  "10.0.1.7/24", "1.2.3.4/32",
		"::/0",      "fd00:b::/48", "::1/128",     "fe80::/10",
	};
	static const char *const bad[] = {
		"",
		"/",
		"/24",
		"1.2.3.4",
		"1.2.3.4/",
		"1.2.3.4/33",
		"1.2.3.4/024",
		"1.2.3.4/+8",
		"1.2.3.4/8 ",
		"1.2.3.4/8/8",
		"::/129",
		"::/-1",
		"1.2.3.4/00",
		"1.2.3/24",
		"::/4294967297",
		"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc/3",
	};
	char text[IP_PREFIX_TEXT_SIZE];
	struct ip_prefix prefix;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		prefix = prefix_of(good[i]);
		assert_string_equal(ip_prefix_format(&prefix, text), good[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		if (ip_prefix_parse(bad[i], &prefix) != -EINVAL)
			fail_msg("\"%s\" was taken for a prefix", bad[i]);
	}
	assert_int_equal(prefix_of("10.0.0.0/24").length, 120);
	assert_int_equal(prefix_of("0.0.0.0/0").length, 96);
	assert_int_equal(prefix_of("::/0").length, 0);
	assert_int_equal(ip_prefix_parse_or_address("10.1.1.1", &prefix), 0);
	assert_string_equal(ip_prefix_format(&prefix, text), "10.1.1.1/32");
	assert_int_equal(ip_prefix_parse_or_address("::1/64", &prefix), 0);
	assert_int_equal(ip_prefix_parse_or_address("1.1", &prefix), -EINVAL);
	/* The longest there is fits. */
	prefix = prefix_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128");
	assert_int_equal(strlen(ip_prefix_format(&prefix, text)), IP_PREFIX_TEXT_SIZE - 1);
	/* Mapped bits under an IPv6 length cannot be written as IPv4. */
	prefix = (struct ip_prefix){ .address = address_of("1.2.3.4"), .length = 64 };
	assert_string_equal(ip_prefix_format(&prefix, text), "::ffff:102:304/64");
}

static void test_mac(void **state)
{
	static const char *const bad[] = { "",
					   "aa:bb:cc:dd:ee",
					   "aa:bb:cc:dd:ee:f",
					   "aa:bb:cc:dd:ee:fg",
					   "aa-bb-cc-dd-ee-ff",
					   "aa:bb:cc:dd:ee:ff:00",
					   "aabbccddeeff",
					   "a:bb:cc:dd:ee:ff0" };
	char text[MAC_ADDRESS_TEXT_SIZE];
	struct mac_address mac;
	struct mac_address other;

	(void)state;
	assert_int_equal(mac_address_parse("02:AB:cd:00:ff:10", &mac), 0);
	assert_string_equal(mac_address_format(&mac, text), "02:ab:cd:00:ff:10");
	assert_false(mac_address_is_multicast(&mac));
	assert_false(mac_address_is_zero(&mac));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(mac_address_parse(bad[i], &other), -EINVAL);
	assert_int_equal(mac_address_parse("ff:ff:ff:ff:ff:ff", &other), 0);
	assert_true(mac_address_is_multicast(&other));
	assert_false(mac_address_equal(&mac, &other));
	assert_int_equal(mac_address_parse("00:00:00:00:00:00", &other), 0);
	assert_true(mac_address_is_zero(&other));
	expect_address(ip_address_link_local_from_mac(&mac), "fe80::ab:cdff:fe00:ff10");
}

static void test_contains(void **state)
{
	static const struct {
		const char *prefix;
		const char *address;
		bool contained;
	} cases[] = {
		{ "10.0.0.0/8", "10.255.0.1", true },
		{ "10.0.0.0/8", "11.0.0.0", false },
		{ "10.0.1.7/24", "10.0.1.99", true },
		{ "0.0.0.0/0", "255.1.2.3", true },
		{ "0.0.0.0/0", "::1", false },
		{ "::/0", "::1", true },
		{ "::/0", "10.0.0.1", false },
		{ "::/64", "10.0.0.1", false },
		{ "fd00::/64", "fd00::ffff", true },
		{ "fd00::/64", "fd00:0:0:1::", false },
		{ "fd00::/65", "fd00::8000:0:0:0", false },
		{ "1.2.3.4/32", "1.2.3.4", true },
		{ "1.2.3.4/32", "1.2.3.5", false },
		{ "fd00::1/128", "fd00::1", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_prefix prefix = prefix_of(cases[i].prefix);
		struct ip_address address = address_of(cases[i].address);

		if (ip_prefix_contains(&prefix, &address) != cases[i].contained)
			fail_msg("%s and %s", cases[i].prefix, cases[i].address);
	}
}

static void test_overlaps(void **state)
{
	static const struct {
		const char *a;
		const char *b;
		bool a_in_b;
		bool b_in_a;
	} cases[] = {
		{ "10.0.0.0/16", "10.0.1.0/24", false, true },
		{ "10.0.0.0/16", "10.0.0.0/16", true, true },
		{ "10.0.0.0/24", "10.0.1.0/24", false, false },
		{ "0.0.0.0/0", "::/0", false, false },
		{ "::/0", "fd00::/8", false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_prefix a = prefix_of(cases[i].a);
		struct ip_prefix b = prefix_of(cases[i].b);

		assert_int_equal(ip_prefix_contains_prefix(&b, &a), cases[i].a_in_b);
		assert_int_equal(ip_prefix_contains_prefix(&a, &b), cases[i].b_in_a);
		assert_int_equal(ip_prefix_overlaps(&a, &b), cases[i].a_in_b || cases[i].b_in_a);
		assert_int_equal(ip_prefix_overlaps(&b, &a), cases[i].a_in_b || cases[i].b_in_a);
	}
}

static void test_canonical(void **state)
{
	struct ip_prefix prefix = prefix_of("10.0.1.7/24");
	struct ip_prefix wanted = prefix_of("10.0.1.0/24");
	struct ip_prefix fixed = ip_prefix_canonicalise(&prefix);

	(void)state;
	assert_false(ip_prefix_is_canonical(&prefix));
	assert_true(ip_prefix_is_canonical(&wanted));
	assert_true(ip_prefix_equal(&fixed, &wanted));
	prefix = prefix_of("::1/0");
	assert_false(ip_prefix_is_canonical(&prefix));
	prefix = prefix_of("0.0.0.0/0");
	assert_true(ip_prefix_is_canonical(&prefix));
	prefix = prefix_of("fd00::1/127");
	assert_false(ip_prefix_is_canonical(&prefix));
	prefix = prefix_of("fd00::1/128");
	assert_true(ip_prefix_is_canonical(&prefix));
}

static void test_range(void **state)
{
	struct ip_prefix prefix = prefix_of("10.0.1.7/24");
	struct ip_address address;

	(void)state;
	expect_address(ip_prefix_first(&prefix), "10.0.1.0");
	expect_address(ip_prefix_last(&prefix), "10.0.1.255");
	assert_int_equal(ip_prefix_address_count(&prefix), 256);
	assert_int_equal(ip_prefix_nth(&prefix, 255, &address), 0);
	expect_address(address, "10.0.1.255");
	assert_int_equal(ip_prefix_nth(&prefix, 256, &address), -ERANGE);
	expect_address(address, "10.0.1.255");
	prefix = prefix_of("fd00::/64");
	assert_true(ip_prefix_address_count(&prefix) == UINT64_MAX);
	assert_int_equal(ip_prefix_nth(&prefix, UINT64_MAX, &address), 0);
	expect_address(address, "fd00::ffff:ffff:ffff:ffff");
	expect_address(ip_prefix_last(&prefix), "fd00::ffff:ffff:ffff:ffff");
	prefix = prefix_of("0.0.0.0/0");
	assert_true(ip_prefix_address_count(&prefix) == UINT64_C(1) << 32);
	expect_address(ip_prefix_last(&prefix), "255.255.255.255");
	prefix = prefix_of("::/0");
	expect_address(ip_prefix_last(&prefix), "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	address = address_of("::1");
	prefix = ip_prefix_of_address(&address);
	assert_int_equal(ip_prefix_address_count(&prefix), 1);
}

static void test_add(void **state)
{
	struct ip_address address = address_of("10.0.0.255");
	struct ip_address other;
	uint64_t offset;

	(void)state;
	assert_int_equal(ip_address_add(&address, 1, &other), 0);
	expect_address(other, "10.0.1.0");
	address = address_of("255.255.255.255");
	assert_int_equal(ip_address_add(&address, 1, &other), -ERANGE);
	address = address_of("fd00::ffff:ffff:ffff:ffff");
	assert_int_equal(ip_address_add(&address, 1, &other), 0);
	expect_address(other, "fd00:0:0:1::");
	address = address_of("ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff");
	assert_int_equal(ip_address_add(&address, 1, &other), -ERANGE);
	/* ::fffe:ffff:ffff is the last IPv6 address in front of the mapped ones. */
	address = address_of("::fffe:ffff:ffff");
	assert_int_equal(ip_address_add(&address, 1, &other), -ERANGE);

	address = address_of("10.0.0.1");
	other = address_of("10.0.1.0");
	assert_int_equal(ip_address_offset(&address, &other, &offset), 0);
	assert_int_equal(offset, 255);
	assert_int_equal(ip_address_offset(&other, &address, &offset), -ERANGE);
	other = address_of("fd00::");
	assert_int_equal(ip_address_offset(&address, &other, &offset), -ERANGE);
	address = address_of("fd00::ffff:ffff:ffff:ffff");
	other = address_of("fd00:0:0:1::");
	assert_int_equal(ip_address_offset(&address, &other, &offset), 0);
	assert_int_equal(offset, 1);
	assert_int_equal(ip_address_offset(&other, &address, &offset), -ERANGE);
}

static void test_kinds(void **state)
{
	static const struct {
		const char *text;
		bool unspecified, loopback, multicast, link_local, broadcast;
	} cases[] = {
		{ .text = "0.0.0.0", .unspecified = true },
		{ .text = "::", .unspecified = true },
		{ .text = "127.9.9.9", .loopback = true },
		{ .text = "::1", .loopback = true },
		{ .text = "224.0.0.1", .multicast = true },
		{ .text = "239.255.255.255", .multicast = true },
		{ .text = "ff02::1", .multicast = true },
		{ .text = "169.254.1.1", .link_local = true },
		{ .text = "fe80::1", .link_local = true },
		{ .text = "febf::1", .link_local = true },
		{ .text = "fec0::1" },
		{ .text = "255.255.255.255", .broadcast = true },
		{ .text = "240.0.0.1" },
		{ .text = "10.0.0.1" },
		{ .text = "2001:db8::1" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct ip_address address = address_of(cases[i].text);

		assert_int_equal(ip_address_is_unspecified(&address), cases[i].unspecified);
		assert_int_equal(ip_address_is_loopback(&address), cases[i].loopback);
		assert_int_equal(ip_address_is_multicast(&address), cases[i].multicast);
		assert_int_equal(ip_address_is_link_local(&address), cases[i].link_local);
		assert_int_equal(ip_address_is_broadcast(&address), cases[i].broadcast);
	}
}

static void test_ipv4(void **state)
{
	struct ip_address address = ip_address_from_ipv4(0x0a000102);
	struct ip_address other = address_of("fd00::1");
	struct ip_prefix prefix = prefix_of("10.0.0.0/8");

	(void)state;
	expect_address(address, "10.0.1.2");
	assert_int_equal(ip_address_to_ipv4(&address), 0x0a000102);
	assert_int_equal(ip_address_to_ipv4(&other), 0);
	assert_int_equal(ip_prefix_family_length(&prefix), 8);
	assert_true(ip_address_compare(&address, &other) < 0);
	prefix = prefix_of("fd00::/8");
	assert_int_equal(ip_prefix_family_length(&prefix), 8);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_address_text), cmocka_unit_test(test_address_refused),
		cmocka_unit_test(test_prefix_text),  cmocka_unit_test(test_mac),
		cmocka_unit_test(test_contains),     cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_canonical),    cmocka_unit_test(test_range),
		cmocka_unit_test(test_add),          cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_ipv4),
	};

	return cmocka_run_group_tests_name("addr", tests, NULL, NULL);
}
