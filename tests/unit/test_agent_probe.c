/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/observe/probe.c: frames byte by byte, checked by the rules of their RFCs and not by the code under test.
 */
#include "tests/unit/unit.h"

#include <netinet/in.h>

#include "agent/observe/probe.h"

static uint8_t frame[70000];

static struct ip_address address(const char *text)
{
	struct ip_address value;

	assert_int_equal(ip_address_parse(text, &value), 0);
	return value;
}

static unsigned int get16(const uint8_t *at)
{
	return (unsigned int)at[0] << 8 | at[1];
}

/* What a receiver does: with the checksum in place all words add up to ffff. */
static unsigned int add(unsigned int sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (unsigned int)data[i] << 8;
	return sum;
}

static unsigned int folded(unsigned int sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void check_ipv4(size_t size, uint8_t protocol)
{
	const uint8_t *ip = frame + 14;
	size_t payload = size - 34;

	assert_int_equal(get16(frame + 12), 0x0800);
	assert_int_equal(ip[0], 0x45);
	assert_int_equal(get16(ip + 2), size - 14);
	assert_int_equal(ip[9], protocol);
	assert_int_equal(folded(add(0, ip, 20)), 0xffff);
	if (protocol == IPPROTO_ICMP)
		assert_int_equal(folded(add(0, ip + 20, payload)), 0xffff);
	else if (protocol == IPPROTO_TCP || protocol == IPPROTO_UDP)
		assert_int_equal(folded(add(add(protocol + (unsigned int)payload, ip + 12, 8),
					    ip + 20, payload)),
				 0xffff);
}

static void check_ipv6(size_t size, uint8_t protocol)
{
	const uint8_t *ip = frame + 14;
	size_t payload = size - 54;

	assert_int_equal(get16(frame + 12), 0x86dd);
	assert_int_equal(ip[0], 0x60);
	assert_int_equal(get16(ip + 4), payload);
	assert_int_equal(ip[6], protocol);
	assert_int_equal(
		folded(add(add(protocol + (unsigned int)payload, ip + 8, 32), ip + 40, payload)),
		0xffff);
}

static void packets_are_well_formed(void **state)
{
	static const uint8_t protocols[] = { IPPROTO_TCP, IPPROTO_UDP, IPPROTO_ICMP, 47 };
	static const size_t sizes[] = { 0, 77, 1500, 9001, 65535 };

	(void)state;
	for (size_t i = 0; i < sizeof(protocols); i++) {
		for (size_t j = 0; j < sizeof(sizes) / sizeof(sizes[0]); j++) {
			struct probe probe = {
				.source = address("10.0.1.11"),
				.destination = address("10.0.2.20"),
				.protocol = protocols[i],
				.source_port = 40000,
				.destination_port = 5432,
				.icmp_type = 8,
				.size = sizes[j],
			};
			size_t size;

			assert_int_equal(probe_build(&probe, frame, sizeof(frame), &size, NULL), 0);
			if (sizes[j])
				assert_int_equal(size, 14 + sizes[j]);
			check_ipv4(size, protocols[i]);
			if (protocols[i] == IPPROTO_ICMP)
				probe.protocol = IPPROTO_ICMPV6;
			if (protocols[i] == 47)
				continue;
			probe.source = address("fd00:b:0:1::11");
			probe.destination = address("fd00:b:0:2::20");
			assert_int_equal(probe_build(&probe, frame, sizeof(frame), &size, NULL), 0);
			check_ipv6(size, probe.protocol);
		}
	}
}

static void a_tcp_probe_is_a_syn_to_the_port(void **state)
{
	struct probe probe = {
		.source = address("10.0.1.11"),
		.destination = address("10.0.2.20"),
		.protocol = IPPROTO_TCP,
		.source_port = 40000,
		.destination_port = 5432,
		.source_mac = { { 2, 0, 0, 0, 0, 1 } },
		.destination_mac = { { 2, 0, 0, 0, 0, 2 } },
	};
	size_t size;

	(void)state;
	assert_int_equal(probe_build(&probe, frame, sizeof(frame), &size, NULL), 0);
	assert_int_equal(size, 54);
	assert_memory_equal(frame, "\2\0\0\0\0\2\2\0\0\0\0\1", 12);
	assert_int_equal(get16(frame + 34), 40000);
	assert_int_equal(get16(frame + 36), 5432);
	assert_int_equal(frame[34 + 12], 0x50);
	assert_int_equal(frame[34 + 13], 0x02);
}

static void what_cannot_be_is_refused(void **state)
{
	struct probe probe = { .source = address("10.0.1.11"),
			       .destination = address("fd00::1"),
			       .protocol = IPPROTO_TCP };
	size_t size;

	(void)state;
	assert_int_equal(probe_build(&probe, frame, sizeof(frame), &size, NULL), -EINVAL);
	probe.destination = address("10.0.2.20");
	probe.size = 39;
	assert_int_equal(probe_build(&probe, frame, sizeof(frame), &size, NULL), -EMSGSIZE);
	probe.size = 65536;
	assert_int_equal(probe_build(&probe, frame, sizeof(frame), &size, NULL), -EMSGSIZE);
	probe.size = 1500;
	assert_int_equal(probe_build(&probe, frame, 1513, &size, NULL), -EMSGSIZE);
	assert_int_equal(probe_build(&probe, frame, 1514, &size, NULL), 0);
}

static void neighbour_questions(void **state)
{
	const struct mac_address mac = { { 2, 0, 0, 0, 0, 1 } };
	struct ip_address source = address("10.0.1.11"), target = address("10.0.1.1");
	const uint8_t *message;

	(void)state;
	assert_int_equal(probe_build_arp(&mac, &source, &target, frame), 42);
	assert_memory_equal(frame, "\xff\xff\xff\xff\xff\xff\2\0\0\0\0\1\x08\x06\0\1\x08\0\6\4\0\1",
			    22);
	assert_memory_equal(frame + 28, "\x0a\0\1\x0b\0\0\0\0\0\0\x0a\0\1\1", 14);
	source = address("fd00::11");
	target = address("fd00::aabb:cc01");
	assert_int_equal(probe_build_nd(&mac, &source, &target, frame), 86);
	assert_memory_equal(frame, "\x33\x33\xff\xbb\xcc\x01", 6);
	check_ipv6(86, IPPROTO_ICMPV6);
	assert_int_equal(frame[21], 255);
	message = frame + 54;
	assert_int_equal(message[0], 135);
	assert_memory_equal(message + 8, target.byte, 16);
	assert_memory_equal(message + 24, "\1\1\2\0\0\0\0\1", 8);
}

static void hexadecimal_frames(void **state)
{
	size_t size;

	(void)state;
	assert_int_equal(probe_parse_hex("00 11:AAbb\n", frame, sizeof(frame), &size, NULL), 0);
	assert_int_equal(size, 4);
	assert_memory_equal(frame, "\x00\x11\xaa\xbb", 4);
	assert_int_equal(probe_parse_hex("001", frame, sizeof(frame), &size, NULL), -EINVAL);
	assert_int_equal(probe_parse_hex("0g", frame, sizeof(frame), &size, NULL), -EINVAL);
	assert_int_equal(probe_parse_hex("", frame, sizeof(frame), &size, NULL), -EINVAL);
	assert_int_equal(probe_parse_hex("0011", frame, 1, &size, NULL), -EMSGSIZE);
}

static void check_reply(struct probe *probe)
{
	uint8_t request[2000];
	struct probe reply;
	size_t size, request_size;

	assert_int_equal(probe_build(probe, request, sizeof(request), &request_size, NULL), 0);
	assert_int_equal(probe_reply(request, request_size, &reply), 0);
	assert_memory_equal(&reply.source, &probe->destination, 16);
	assert_memory_equal(&reply.destination, &probe->source, 16);
	assert_memory_equal(&reply.source_mac, &probe->destination_mac, 6);
	assert_memory_equal(&reply.destination_mac, &probe->source_mac, 6);
	assert_int_equal(reply.protocol, probe->protocol);
	assert_int_equal(probe_build(&reply, frame, sizeof(frame), &size, NULL), 0);
	if (ip_address_is_ipv4(&probe->source))
		check_ipv4(size, probe->protocol);
	else
		check_ipv6(size, probe->protocol);
	/* A ping comes back as large as it was. */
	if (probe->protocol == IPPROTO_ICMP || probe->protocol == IPPROTO_ICMPV6)
		assert_int_equal(size, request_size);
}

static void replies(void **state)
{
	struct probe probe = {
		.source_mac = { { 2, 0, 0, 0, 0, 1 } },
		.destination_mac = { { 2, 0, 0, 0, 0, 2 } },
		.source = address("10.0.1.11"),
		.destination = address("10.0.2.20"),
		.source_port = 40000,
		.destination_port = 443,
		.protocol = IPPROTO_TCP,
	};
	struct probe reply;

	(void)state;
	check_reply(&probe);
	assert_int_equal(get16(frame + 34), 443);
	assert_int_equal(get16(frame + 36), 40000);
	assert_int_equal(frame[47], 0x12); /* SYN, ACK */
	probe.protocol = IPPROTO_UDP;
	check_reply(&probe);
	assert_int_equal(get16(frame + 34), 443);
	probe.protocol = IPPROTO_ICMP;
	probe.icmp_type = 8;
	probe.size = 700;
	check_reply(&probe);
	assert_int_equal(frame[34], 0);
	assert_int_equal(get16(frame + 38), 40000); /* identifier */
	/* What is an answer itself is not answered, nor is what is not all there. */
	assert_int_equal(probe_reply(frame, 714, &reply), -EINVAL);
	probe.source = address("fd00::1");
	probe.destination = address("fd00::2");
	probe.protocol = IPPROTO_ICMPV6;
	probe.icmp_type = 128;
	check_reply(&probe);
	assert_int_equal(frame[54], 129);
	for (size_t size = 0; size < 62; size++)
		assert_int_equal(probe_reply(frame, size, &reply), -EINVAL);
}

static void what_gets_no_reply(void **state)
{
	struct probe probe = {
		.source = address("10.0.1.11"),
		.destination = address("10.0.2.20"),
		.protocol = IPPROTO_UDP,
	};
	struct probe reply;
	size_t size;

	(void)state;
	assert_int_equal(probe_build(&probe, frame, sizeof(frame), &size, NULL), 0);
	assert_int_equal(probe_reply(frame, size, &reply), 0);
	frame[21] = 1; /* a later fragment */
	assert_int_equal(probe_reply(frame, size, &reply), -EINVAL);
	frame[21] = 0;
	frame[20] = 0x20; /* the first of several */
	assert_int_equal(probe_reply(frame, size, &reply), -EINVAL);
	frame[20] = 0x40;
	frame[14] = 0x4f; /* options that are not there */
	assert_int_equal(probe_reply(frame, size, &reply), -EINVAL);
	frame[14] = 0x45;
	frame[23] = IPPROTO_SCTP;
	assert_int_equal(probe_reply(frame, size, &reply), -EINVAL);
	frame[12] = 8;
	frame[13] = 6; /* ARP */
	assert_int_equal(probe_reply(frame, size, &reply), -EINVAL);
	probe.protocol = IPPROTO_TCP;
	assert_int_equal(probe_build(&probe, frame, sizeof(frame), &size, NULL), 0);
	frame[47] = 0x10; /* ACK */
	assert_int_equal(probe_reply(frame, size, &reply), -EINVAL);
}

static void test_tags(void **state)
{
	static const uint8_t wanted[] = {
		0x88, 0xa8, 0x01, 0x2c, 0x81, 0x00, 0xa0, 0x05, 0x08, 0x06
	};
	struct probe_tags tags = { 0 }, found;
	const struct mac_address mac = { { 2, 0, 0, 0, 0, 1 } };
	const struct ip_address from = address("10.0.0.1"), to = address("10.0.0.2");
	struct error error = { 0 };
	size_t size = probe_build_arp(&mac, &from, &to, frame);

	(void)state;
	assert_int_equal(probe_tag_add(&tags, "802.1ad:300", &error), 0);
	assert_int_equal(probe_tag_add(&tags, "5/5", &error), 0);
	assert_int_equal(probe_tags_put(&tags, frame, size + 7, &size), -EMSGSIZE);
	assert_int_equal(probe_tags_put(&tags, frame, sizeof(frame), &size), 0);
	assert_int_equal(size, 50);
	assert_memory_equal(frame + 12, wanted, sizeof(wanted));
	probe_tags_take(&found, frame, &size);
	assert_int_equal(size, 42);
	assert_int_equal(found.count, 2);
	assert_memory_equal(found.tag, tags.tag, 2 * sizeof(tags.tag[0]));
	assert_int_equal(get16(frame + 12), 0x0806);
	assert_int_equal(probe_tag_add(&tags, "4094", &error), 0);
	for (const char **text = (const char *[]){ "", "4095", "x", "1/8", "1/", "-1", "1 ", NULL };
	     *text; text++) {
		assert_int_equal(probe_tag_add(&tags, *text, &error), -EINVAL);
		error = (struct error){ 0 };
	}
	assert_int_equal(probe_tag_add(&tags, "0", &error), 0);
	assert_int_equal(probe_tag_add(&tags, "1", &error), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),
		cmocka_unit_test(packets_are_well_formed),
		cmocka_unit_test(a_tcp_probe_is_a_syn_to_the_port),
		cmocka_unit_test(what_cannot_be_is_refused),
		cmocka_unit_test(neighbour_questions),
		cmocka_unit_test(hexadecimal_frames),
		cmocka_unit_test(replies),
		cmocka_unit_test(what_gets_no_reply),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
