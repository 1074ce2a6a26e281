/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tunnels, what packet vectors cannot say: frames that stand for several packets, checksums that their
 * sender has left unfinished, and such that somebody has verified. Everything else is in the vectors.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "core/tunnel.h"
#include "target/native/native.h"

#define TUNNEL_ID 5
#define PORT_ID 7
#define INNER_PAYLOAD 1000

static uint16_t sum(uint32_t start, const uint8_t *data, size_t size)
{
	uint32_t total = start;

	for (size_t i = 0; i < size; i++)
		total += i & 1 ? data[i] : (uint32_t)data[i] << 8;
	while (total >> 16)
		total = (total & 0xffff) + (total >> 16);
	return (uint16_t)total;
}

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static struct address mapped(uint32_t ipv4)
{
	return (struct address){ { 0, 0, htonl(0xffff), htonl(ipv4) } };
}

static void add_tunnel(uint32_t kind, uint32_t flags)
{
	struct tunnel_key key = { TUNNEL_ID };
	struct tunnel row = { .local = mapped(0xc0000201),
			      .remote = mapped(0xc0000202),
			      .kind = kind,
			      .flags = flags,
			      .id = 77,
			      .mtu = 1400,
			      .port_id = PORT_ID,
			      .destination_port = htons(6081) };
	struct tunnel_sequence sequence = { 0 };

	native_reset();
	native_update(native_table(TABLE_tunnels), &key, &row, 0);
	native_update(native_table(TABLE_tunnel_sequences), &key, &sequence, 0);
}

/* An Ethernet frame with a TCP segment. finished: its checksum is; else it is of the pseudo header. */
static struct frame *tcp_frame(uint8_t flags, size_t payload, bool finished)
{
	uint8_t bytes[1500] = { 2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, 8, 0 };
	uint8_t *ip = bytes + 14, *tcp = bytes + 34;
	size_t length = 24 + payload;
	uint16_t pseudo;

	ip[0] = 0x45;
	put16(ip + 2, (uint16_t)(20 + length));
	ip[8] = 64;
	ip[9] = 6;
	memcpy(ip + 12, "\x0a\x00\x01\x0b\x0a\x00\x01\x0c", 8);
	put16(ip + 10, (uint16_t)~sum(0, ip, 20));
	put16(tcp, 1000);
	put16(tcp + 2, 80);
	tcp[12] = 0x60;
	tcp[13] = flags;
	memcpy(tcp + 20, "\x02\x04\x05\xb4", 4);
	for (size_t i = 0; i < payload; i++)
		tcp[24 + i] = (uint8_t)(i * 7);
	pseudo = sum(6 + (uint32_t)length, ip + 12, 8);
	put16(tcp + 16, finished ? (uint16_t)~sum(pseudo, tcp, length) : pseudo);
	return native_frame_new(bytes, (uint32_t)(34 + length));
}

/* What the pipeline knows of the frame when it is to be sent. */
static struct packet parsed(struct frame *f)
{
	struct packet p = { .out_ifindex = TUNNEL_ID, .out_kind = PORT_TUNNEL };

	assert_int_equal(parse(f, &p), VERDICT_NEXT);
	memcpy(p.ethernet_out, p.ethernet, 12);
	return p;
}

/* With the inner TCP checksum finished, is the one at offset right over all behind the outer IP header? */
static void assert_outer_sum(struct frame *f, size_t inner_tcp, uint32_t pseudo)
{
	uint8_t copy[2000], *tcp = copy + inner_tcp;
	size_t length = f->length - inner_tcp;
	uint16_t inner;

	memcpy(copy, f->data, f->length);
	inner = sum(6 + (uint32_t)length, copy + inner_tcp - 8, 8);
	put16(tcp + 16, 0);
	put16(tcp + 16, (uint16_t)~sum(inner, tcp, length));
	assert_int_equal(sum(pseudo, copy + 34, f->length - 34), 0xffff);
}

static uint32_t udp_pseudo(const struct frame *f)
{
	return 17 + (f->length - 34) + (uint32_t)sum(0, f->data + 26, 8);
}

static void segments_have_no_udp_checksum(void **state)
{
	struct frame *f = tcp_frame(TCP_ACK, INNER_PAYLOAD, false);
	struct packet p;

	(void)state;
	add_tunnel(TUNNEL_GENEVE, TUNNEL_CHECKSUM);
	f->segment_size = 300;
	p = parsed(f);
	assert_int_equal(tunnel_push(f, &p), VERDICT_DELIVERED);
	assert_true(p.flags & PACKET_TO_UNDERLAY);
	assert_int_equal(get16(f->data + 16), f->length - 14); /* IPv4 length: of all of it */
	assert_int_equal(get16(f->data + 38), f->length - 34); /* UDP length */
	assert_int_equal(get16(f->data + 40), 0);
	native_frame_free(f);
}

static void segments_need_a_gre_without_numbers(void **state)
{
	static const uint32_t flags[] = { TUNNEL_CHECKSUM, TUNNEL_SEQUENCE };
	struct frame *f = tcp_frame(TCP_ACK, INNER_PAYLOAD, false);
	struct packet p;

	(void)state;
	f->segment_size = 300;
	for (size_t i = 0; i < 2; i++) {
		add_tunnel(TUNNEL_GRE, flags[i]);
		p = parsed(f);
		assert_int_equal(tunnel_push(f, &p), VERDICT_TUNNEL_SEGMENTS);
	}
	add_tunnel(TUNNEL_VXLAN, TUNNEL_CHECKSUM | TUNNEL_CHECKSUM6);
	p = parsed(f);
	assert_int_equal(tunnel_push(f, &p), VERDICT_TUNNEL_SEGMENTS);
	add_tunnel(TUNNEL_GRE, TUNNEL_KEY);
	p = parsed(f);
	assert_int_equal(tunnel_push(f, &p), VERDICT_DELIVERED);
	native_frame_free(f);
}

static void too_long_for_an_ip_header(void **state)
{
	struct frame *f = tcp_frame(TCP_ACK, INNER_PAYLOAD, false);
	struct packet p;

	(void)state;
	add_tunnel(TUNNEL_GENEVE, 0);
	f->segment_size = 300;
	p = parsed(f);
	f->length = 65536 + 14 - 40;
	assert_int_equal(tunnel_push(f, &p), VERDICT_TOO_BIG);
	native_frame_free(f);
}

static void checksum_counts_on_the_inner_one(void **state)
{
	(void)state;
	for (int finished = 0; finished < 2; finished++) {
		struct frame *f = tcp_frame(TCP_ACK, INNER_PAYLOAD + 1, finished);
		struct packet p;

		add_tunnel(TUNNEL_GENEVE, TUNNEL_CHECKSUM);
		f->checksum_unfinished = !finished;
		p = parsed(f);
		assert_int_equal(tunnel_push(f, &p), VERDICT_DELIVERED);
		assert_outer_sum(f, 14 + 50 + 20, udp_pseudo(f));
		native_frame_free(f);

		add_tunnel(TUNNEL_GRE, TUNNEL_CHECKSUM | TUNNEL_KEY);
		f = tcp_frame(TCP_ACK, INNER_PAYLOAD, finished);
		f->checksum_unfinished = !finished;
		p = parsed(f);
		assert_int_equal(tunnel_push(f, &p), VERDICT_DELIVERED);
		assert_outer_sum(f, 14 + 32 + 20, 0);
		native_frame_free(f);
	}
}

static void clamp_leaves_an_unfinished_checksum(void **state)
{
	(void)state;
	for (int finished = 0; finished < 2; finished++) {
		struct frame *f = tcp_frame(TCP_SYN, 0, finished);
		uint16_t before = get16(f->data + 50);
		uint8_t *tcp;
		struct packet p;

		add_tunnel(TUNNEL_GENEVE, 0);
		f->checksum_unfinished = !finished;
		p = parsed(f);
		assert_int_equal(tunnel_push(f, &p), VERDICT_DELIVERED);
		tcp = f->data + 14 + 50 + 20;
		assert_int_equal(get16(tcp + 22), 1400 - 40);
		if (finished)
			assert_int_equal(sum(6 + 24 + (uint32_t)sum(0, tcp - 8, 8), tcp, 24),
					 0xffff);
		else
			assert_int_equal(get16(tcp + 16), before);
		native_frame_free(f);
	}
}

/* A packet that tunnel_push has made comes in at the other end. */
static int receive(struct frame *f)
{
	struct vtep_key end = { mapped(0xc0000202) };
	struct vtep vtep = { .flags = VTEP_LOCAL, .kinds = 1u << TUNNEL_GRE };
	struct tunnel_port_key port_key = { .port = htons(6081) };
	struct tunnel_port port = { .kind = TUNNEL_GENEVE };
	struct tunnel_source_key key = { .remote = mapped(0xc0000201),
					 .local = mapped(0xc0000202),
					 .id = 77,
					 .port = htons(6081),
					 .kind = TUNNEL_GENEVE };
	struct tunnel_source row = { .port_id = PORT_ID };
	struct packet p = { 0 };
	int verdict;

	native_update(native_table(TABLE_vteps), &end, &vtep, 0);
	native_update(native_table(TABLE_tunnel_ports), &port_key, &port, 0);
	native_update(native_table(TABLE_tunnel_sources), &key, &row, 0);
	key.kind = TUNNEL_GRE;
	key.port = 0;
	key.has_id = 1;
	native_update(native_table(TABLE_tunnel_sources), &key, &row, 0);
	put16(f->data + 12, 0x0800);
	verdict = tunnel_parse(f, &p);
	if (!verdict)
		verdict = tunnel_pop(f, &p);
	if (!verdict)
		verdict = parse(f, &p);
	return verdict ? verdict : tunnel_inner(f, &p);
}

static struct frame *sent(uint32_t kind, uint32_t flags, bool finished)
{
	struct frame *f = tcp_frame(TCP_ACK, INNER_PAYLOAD + 1, finished);
	struct packet p;

	add_tunnel(kind, flags);
	f->checksum_unfinished = !finished;
	p = parsed(f);
	assert_int_equal(tunnel_push(f, &p), VERDICT_DELIVERED);
	return f;
}

static void unfinished_inside_is_accepted(void **state)
{
	static const uint32_t kinds[] = { TUNNEL_GENEVE, TUNNEL_GRE };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		uint32_t flags = TUNNEL_CHECKSUM | (kinds[i] == TUNNEL_GRE ? TUNNEL_KEY : 0);
		struct frame *f = sent(kinds[i], flags, true);

		assert_int_equal(receive(f), VERDICT_NEXT);
		native_frame_free(f);
		f = sent(kinds[i], flags, false);
		assert_int_equal(receive(f), VERDICT_NEXT);
		native_frame_free(f);
		/* A byte of what only the outer checksum covers yet. */
		f = sent(kinds[i], flags, false);
		f->data[53] ^= 1;
		assert_int_equal(receive(f), VERDICT_OUTER_CHECKSUM);
		native_frame_free(f);
	}
}

static void unfinished_outside_is_accepted(void **state)
{
	struct frame *f = sent(TUNNEL_GENEVE, TUNNEL_CHECKSUM, true);

	(void)state;
	put16(f->data + 40, sum(udp_pseudo(f), f->data, 0));
	assert_int_equal(receive(f), VERDICT_NEXT);
	native_frame_free(f);
}

static void verified_is_not_summed(void **state)
{
	struct frame *f = sent(TUNNEL_GENEVE, TUNNEL_CHECKSUM, true);

	(void)state;
	f->data[40] ^= 0x10;
	f->checksum_verified = 1;
	assert_int_equal(receive(f), VERDICT_NEXT);
	native_frame_free(f);
	f = sent(TUNNEL_GENEVE, TUNNEL_CHECKSUM, true);
	f->data[40] ^= 0x10;
	f->segment_size = 500;
	assert_int_equal(receive(f), VERDICT_NEXT);
	native_frame_free(f);
}

static void entropy_is_of_the_flow(void **state)
{
	uint16_t ports[2];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct frame *f = tcp_frame(TCP_ACK, i ? 700 : 10, true);
		struct packet p;

		add_tunnel(TUNNEL_GENEVE, 0);
		p = parsed(f);
		assert_int_equal(tunnel_push(f, &p), VERDICT_DELIVERED);
		ports[i] = get16(f->data + 34);
		native_frame_free(f);
	}
	assert_int_equal(ports[0], ports[1]);
	assert_true(ports[0] >= 49152);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(segments_have_no_udp_checksum),
		cmocka_unit_test(segments_need_a_gre_without_numbers),
		cmocka_unit_test(too_long_for_an_ip_header),
		cmocka_unit_test(checksum_counts_on_the_inner_one),
		cmocka_unit_test(clamp_leaves_an_unfinished_checksum),
		cmocka_unit_test(unfinished_inside_is_accepted),
		cmocka_unit_test(unfinished_outside_is_accepted),
		cmocka_unit_test(verified_is_not_summed),
		cmocka_unit_test(entropy_is_of_the_flow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
