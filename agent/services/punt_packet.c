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

#include "base/big_endian.h"
#include "base/checksum.h"
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

/* Of the whole transport part, as the packet's addresses and protocol make it. */
static uint16_t transport_checksum(const struct punt_packet *packet, const void *bytes, size_t size)
{
	return checksum_transport(&packet->source, &packet->destination, packet->protocol, bytes,
				  size);
}

/* ---- reading ---- */

static int read_ipv4(struct cursor *cursor, struct punt_packet *packet)
{
	const uint8_t *start = cursor->data;
	const size_t there = cursor_remaining(cursor);
	uint8_t version, service, ttl;
	uint16_t length, id, fragment, sum;
	uint32_t source, destination;
	size_t header_size;

	if (cursor_u8(cursor, &version) || cursor_u8(cursor, &service) ||
	    cursor_be16(cursor, &length) || cursor_be16(cursor, &id) ||
	    cursor_be16(cursor, &fragment) || cursor_u8(cursor, &ttl) ||
	    cursor_u8(cursor, &packet->protocol) || cursor_be16(cursor, &sum) ||
	    cursor_be32(cursor, &source) || cursor_be32(cursor, &destination))
		return -EBADMSG;
	header_size = (version & 15u) * 4;
	if (version >> 4 != 4 || header_size < IPV4_SIZE || length < header_size ||
	    length > there || (fragment & FRAGMENT_BITS) || checksum(start, header_size))
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
	uint16_t length, sum;

	if (cursor_be16(cursor, &packet->source_port) ||
	    cursor_be16(cursor, &packet->destination_port) || cursor_be16(cursor, &length) ||
	    cursor_be16(cursor, &sum) || length < UDP_SIZE ||
	    length - (size_t)UDP_SIZE > cursor_remaining(cursor))
		return -EBADMSG;
	/* None: allowed in IPv4 only (RFC 768, RFC 8200 8.1). */
	if (!sum && !ip_address_is_ipv4(&packet->source))
		return -EBADMSG;
	if (sum && transport_checksum(packet, start, length))
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
	     transport_checksum(packet, cursor.data, cursor.size)))
		code = -EBADMSG;
	packet->payload = cursor.data;
	packet->payload_size = cursor.size;
	return code;
}

/* ---- writing ---- */

static size_t write_ip(const struct punt_packet *packet, uint8_t *ip, size_t size)
{
	const uint8_t hop_limit = packet->hop_limit ? packet->hop_limit : TTL;

	if (!ip_address_is_ipv4(&packet->source)) {
		memset(ip, 0, IPV6_SIZE);
		ip[0] = 0x60;
		put_be16(ip + 4, size);
		ip[6] = packet->protocol;
		ip[7] = hop_limit;
		memcpy(ip + 8, packet->source.byte, 16);
		memcpy(ip + 24, packet->destination.byte, 16);
		return IPV6_SIZE;
	}
	memset(ip, 0, IPV4_SIZE);
	ip[0] = 0x45;
	put_be16(ip + 2, IPV4_SIZE + size);
	ip[8] = hop_limit;
	ip[9] = packet->protocol;
	memcpy(ip + 12, packet->source.byte + 12, 4);
	memcpy(ip + 16, packet->destination.byte + 12, 4);
	put_be16(ip + 10, checksum(ip, IPV4_SIZE));
	return IPV4_SIZE;
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
	put_be16(bytes + 12, ipv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
	write_ip(packet, bytes + ETHERNET_SIZE, size);
	memcpy(transport + (udp ? UDP_SIZE : 0), packet->payload, packet->payload_size);
	if (udp) {
		put_be16(transport, packet->source_port);
		put_be16(transport + 2, packet->destination_port);
		put_be16(transport + 4, size);
		put_be16(transport + 6, 0);
		put_be16(transport + 6,
			 checksum_udp(&packet->source, &packet->destination, transport, size));
	} else if (packet->protocol == IPPROTO_ICMPV6 && size >= 4) {
		put_be16(transport + 2, 0);
		put_be16(transport + 2, transport_checksum(packet, transport, size));
	}
	return ETHERNET_SIZE + ip_size + size;
}
