/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames from and for ports; the contracts are in punt_packet.h.
 *
 * The pipeline has parsed the same bytes before they come here. They are read again as if it had not, for a
 * mistake in one place should not become one in the other.
 */
#include "agent/services/punt_packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "base/cursor.h"

#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define ETHERNET_SIZE 14
#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define UDP_SIZE 8
#define FRAGMENT_BITS 0x3fff /* more, and the offset */
#define EXTENSIONS_MAX 8
#define TTL 64

/* ---- checksums (RFC 1071) ---- */

static uint32_t sum_bytes(uint32_t sum, const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i + 1 < size; i += 2)
		sum += (uint32_t)bytes[i] << 8 | bytes[i + 1];
	if (size & 1)
		sum += (uint32_t)bytes[size - 1] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static uint32_t sum_pseudo(const struct punt_packet *packet, size_t size)
{
	const size_t skip = ip_address_is_ipv4(&packet->source) ? 12 : 0;
	uint32_t sum = sum_bytes(0, packet->source.byte + skip, 16 - skip);

	sum = sum_bytes(sum, packet->destination.byte + skip, 16 - skip);
	return sum + (uint32_t)size + packet->protocol;
}

static uint16_t finish_sum(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return (uint16_t)~sum;
}

/* ---- reading ---- */

static int read_ipv4(struct cursor *cursor, struct punt_packet *packet)
{
	const uint8_t *start = cursor->data;
	const size_t there = cursor_remaining(cursor);
	uint8_t version, service, ttl;
	uint16_t length, id, fragment, checksum;
	uint32_t source, destination;
	size_t header_size;

	if (cursor_u8(cursor, &version) || cursor_u8(cursor, &service) ||
	    cursor_be16(cursor, &length) || cursor_be16(cursor, &id) ||
	    cursor_be16(cursor, &fragment) || cursor_u8(cursor, &ttl) ||
	    cursor_u8(cursor, &packet->protocol) || cursor_be16(cursor, &checksum) ||
	    cursor_be32(cursor, &source) || cursor_be32(cursor, &destination))
		return -EBADMSG;
	header_size = (version & 15u) * 4;
	if (version >> 4 != 4 || header_size < IPV4_SIZE || length < header_size ||
	    length > there || (fragment & FRAGMENT_BITS) ||
	    finish_sum(sum_bytes(0, start, header_size)))
		return -EBADMSG;
	packet->hop_limit = ttl;
	packet->source = ip_address_from_ipv4(source);
	packet->destination = ip_address_from_ipv4(destination);
	cursor_init(cursor, start + header_size, length - header_size);
	return 0;
}

static int read_ipv6(struct cursor *cursor, struct punt_packet *packet)
{
	uint32_t version;
	uint16_t length;
	struct cursor rest;

	if (cursor_be32(cursor, &version) || version >> 28 != 6 || cursor_be16(cursor, &length) ||
	    cursor_u8(cursor, &packet->protocol) || cursor_u8(cursor, &packet->hop_limit) ||
	    cursor_bytes(cursor, packet->source.byte, 16) ||
	    cursor_bytes(cursor, packet->destination.byte, 16) || cursor_sub(cursor, &rest, length))
		return -EBADMSG;
	*cursor = rest;
	for (int i = 0; packet->protocol == IPPROTO_HOPOPTS ||
			packet->protocol == IPPROTO_DSTOPTS || packet->protocol == IPPROTO_ROUTING;
	     i++) {
		uint8_t next, words;

		if (i == EXTENSIONS_MAX || cursor_u8(cursor, &next) || cursor_u8(cursor, &words) ||
		    cursor_skip(cursor, 6u + 8u * words))
			return -EBADMSG;
		packet->protocol = next;
	}
	return 0;
}

static int read_udp(struct cursor *cursor, struct punt_packet *packet)
{
	const uint8_t *start = cursor->data;
	uint16_t length, checksum;

	if (cursor_be16(cursor, &packet->source_port) ||
	    cursor_be16(cursor, &packet->destination_port) || cursor_be16(cursor, &length) ||
	    cursor_be16(cursor, &checksum) || length < UDP_SIZE ||
	    length - (size_t)UDP_SIZE > cursor_remaining(cursor))
		return -EBADMSG;
	/* None: allowed in IPv4 only (RFC 768, RFC 8200 8.1). */
	if (!checksum && !ip_address_is_ipv4(&packet->source))
		return -EBADMSG;
	if (checksum && finish_sum(sum_pseudo(packet, length) + sum_bytes(0, start, length)))
		return -EBADMSG;
	cursor_init(cursor, start + UDP_SIZE, (size_t)length - UDP_SIZE);
	return 0;
}

int punt_packet_read(const void *frame, size_t size, struct punt_packet *packet)
{
	struct cursor cursor;
	uint16_t ethertype;
	int code = -EBADMSG;

	memset(packet, 0, sizeof(*packet));
	cursor_init(&cursor, frame, size);
	if (cursor_bytes(&cursor, packet->destination_mac.byte, 6) ||
	    cursor_bytes(&cursor, packet->source_mac.byte, 6) || cursor_be16(&cursor, &ethertype))
		return -EBADMSG;
	if (ethertype == ETHERTYPE_IPV4)
		code = read_ipv4(&cursor, packet);
	else if (ethertype == ETHERTYPE_IPV6)
		code = read_ipv6(&cursor, packet);
	if (!code && packet->protocol == IPPROTO_UDP)
		code = read_udp(&cursor, packet);
	if (!code && packet->protocol == IPPROTO_ICMPV6 &&
	    (cursor.size < 4 || ip_address_is_ipv4(&packet->source) ||
	     finish_sum(sum_pseudo(packet, cursor.size) + sum_bytes(0, cursor.data, cursor.size))))
		code = -EBADMSG;
	packet->payload = cursor.data;
	packet->payload_size = cursor.size;
	return code;
}

/* ---- writing ---- */

static void put_u16(uint8_t *at, size_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static size_t write_ip(const struct punt_packet *packet, uint8_t *ip, size_t size)
{
	const uint8_t hop_limit = packet->hop_limit ? packet->hop_limit : TTL;

	if (!ip_address_is_ipv4(&packet->source)) {
		memset(ip, 0, IPV6_SIZE);
		ip[0] = 0x60;
		put_u16(ip + 4, size);
		ip[6] = packet->protocol;
		ip[7] = hop_limit;
		memcpy(ip + 8, packet->source.byte, 16);
		memcpy(ip + 24, packet->destination.byte, 16);
		return IPV6_SIZE;
	}
	memset(ip, 0, IPV4_SIZE);
	ip[0] = 0x45;
	put_u16(ip + 2, IPV4_SIZE + size);
	ip[8] = hop_limit;
	ip[9] = packet->protocol;
	memcpy(ip + 12, packet->source.byte + 12, 4);
	memcpy(ip + 16, packet->destination.byte + 12, 4);
	put_u16(ip + 10, finish_sum(sum_bytes(0, ip, IPV4_SIZE)));
	return IPV4_SIZE;
}

static void write_checksum(const struct punt_packet *packet, uint8_t *transport, size_t offset,
			   size_t size)
{
	uint16_t checksum;

	put_u16(transport + offset, 0);
	checksum = finish_sum(sum_pseudo(packet, size) + sum_bytes(0, transport, size));
	/* Of UDP 0 would mean that there is none. */
	put_u16(transport + offset,
		!checksum && packet->protocol == IPPROTO_UDP ? 0xffff : checksum);
}

size_t punt_packet_write(const struct punt_packet *packet, void *frame, size_t room)
{
	const bool udp = packet->protocol == IPPROTO_UDP;
	const bool ipv4 = ip_address_is_ipv4(&packet->source);
	const size_t size = packet->payload_size + (udp ? UDP_SIZE : 0);
	const size_t ip_size = ipv4 ? IPV4_SIZE : IPV6_SIZE;
	uint8_t *bytes = frame, *transport = bytes + ETHERNET_SIZE + ip_size;

	if (ETHERNET_SIZE + ip_size + size > room || size > 65535 - ip_size)
		return 0;
	memcpy(bytes, packet->destination_mac.byte, 6);
	memcpy(bytes + 6, packet->source_mac.byte, 6);
	put_u16(bytes + 12, ipv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
	write_ip(packet, bytes + ETHERNET_SIZE, size);
	memcpy(transport + (udp ? UDP_SIZE : 0), packet->payload, packet->payload_size);
	if (udp) {
		put_u16(transport, packet->source_port);
		put_u16(transport + 2, packet->destination_port);
		put_u16(transport + 4, size);
		write_checksum(packet, transport, 6, size);
	} else if (packet->protocol == IPPROTO_ICMPV6 && size >= 4) {
		write_checksum(packet, transport, 2, size);
	}
	return ETHERNET_SIZE + ip_size + size;
}
