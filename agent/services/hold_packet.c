/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Held packets as bytes; see hold_packet.h.
 */
#include "agent/services/hold_packet.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <string.h>

#include "agent/services/punt_packet.h"
#include "base/big_endian.h"
#include "base/checksum.h"

#define ETHERNET_SIZE 14
#define ETHERTYPE_IPV4 0x0800
#define ETHERTYPE_IPV6 0x86dd
#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define ICMP_SIZE 8
#define QUOTE4_MAX (576 - IPV4_SIZE - ICMP_SIZE)
#define QUOTE6_MAX (1280 - IPV6_SIZE - ICMP_SIZE)
#define FRAGMENT_OFFSET 0x1fff
#define DISCARD_PORT 9 /* of a question, which never leaves as it is */

/* What is read of a packet. ip: its bytes from the IP header on, ip_size of them. */
struct reading {
	const uint8_t *ip;
	size_t ip_size;
	bool ipv4;
	bool later_fragment;
	uint8_t protocol;
	size_t header_size;
	struct ip_address source, destination;
};

/* Offsets are fixed here, and their bytes are known to be there. */
static uint16_t number16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t number32(const uint8_t *at)
{
	return (uint32_t)number16(at) << 16 | number16(at + 2);
}

static int read_packet(const uint8_t *frame, size_t size, struct reading *packet)
{
	const uint8_t *ip = frame + ETHERNET_SIZE;
	size_t there;

	if (size < ETHERNET_SIZE + IPV4_SIZE)
		return -EBADMSG;
	there = size - ETHERNET_SIZE;
	*packet = (struct reading){ .ip = ip };
	if (number16(frame + 12) == ETHERTYPE_IPV4 && ip[0] >> 4 == 4) {
		packet->ipv4 = true;
		packet->header_size = (ip[0] & 15u) * 4;
		packet->ip_size = number16(ip + 2);
		packet->later_fragment = number16(ip + 6) & FRAGMENT_OFFSET;
		packet->protocol = ip[9];
		packet->source = ip_address_from_ipv4(number32(ip + 12));
		packet->destination = ip_address_from_ipv4(number32(ip + 16));
	} else if (number16(frame + 12) == ETHERTYPE_IPV6 && there >= IPV6_SIZE &&
		   ip[0] >> 4 == 6) {
		packet->header_size = IPV6_SIZE;
		packet->ip_size = IPV6_SIZE + number16(ip + 4);
		packet->protocol = ip[6];
		memcpy(packet->source.byte, ip + 8, 16);
		memcpy(packet->destination.byte, ip + 24, 16);
		packet->later_fragment = packet->protocol == IPPROTO_FRAGMENT &&
					 there >= IPV6_SIZE + 8 &&
					 number16(ip + IPV6_SIZE + 2) & 0xfff8;
	} else {
		return -EBADMSG;
	}
	if (packet->header_size < (packet->ipv4 ? IPV4_SIZE : IPV6_SIZE) ||
	    packet->ip_size < packet->header_size || packet->ip_size > there)
		return -EBADMSG;
	return 0;
}

int hold_destination(const uint8_t *frame, size_t size, struct ip_address *destination)
{
	struct reading packet;
	int code = read_packet(frame, size, &packet);

	if (!code)
		*destination = packet.destination;
	return code;
}

size_t hold_question(const struct ip_address *destination, uint8_t *frame, size_t room)
{
	const struct punt_packet packet = {
		.source = *destination,
		.destination = *destination,
		.protocol = IPPROTO_UDP,
		.source_port = DISCARD_PORT,
		.destination_port = DISCARD_PORT,
		.payload = (const uint8_t *)"",
	};

	return punt_packet_write(&packet, frame, room);
}

/* An ICMP message that is about another packet. */
static bool is_error(const struct reading *packet)
{
	const uint8_t type = packet->ip_size > packet->header_size ? packet->ip[packet->header_size]
								   : 0;

	if (packet->ipv4)
		return packet->protocol == IPPROTO_ICMP &&
		       (type == 3 || type == 4 || type == 5 || type == 11 || type == 12);
	return packet->protocol == IPPROTO_ICMPV6 && type < 128;
}

/* One machine, and a real one. */
static bool is_answerable(const struct reading *packet)
{
	const uint8_t *source = packet->source.byte;
	const uint8_t first = packet->ipv4 ? source[12] : source[0];

	if (ip_address_is_unspecified(&packet->source))
		return false;
	return packet->ipv4 ? first && first != 127 && first < 224 : first != 0xff;
}

size_t hold_unreachable(const uint8_t *frame, size_t size, const struct ip_address *gateway,
			uint8_t *message)
{
	uint8_t payload[ICMP_SIZE + QUOTE6_MAX] = { 0 };
	struct punt_packet answer = { .payload = payload };
	struct reading packet;
	size_t quote, most;

	if (read_packet(frame, size, &packet) || packet.later_fragment || is_error(&packet) ||
	    !is_answerable(&packet) || (frame[6] & 1) || ip_address_is_ipv4(gateway) != packet.ipv4)
		return 0;
	most = packet.ipv4 ? QUOTE4_MAX : QUOTE6_MAX;
	quote = packet.ip_size < most ? packet.ip_size : most;
	payload[0] = packet.ipv4 ? 3 : 1;
	payload[1] = packet.ipv4 ? 1 : 3;
	memcpy(payload + ICMP_SIZE, packet.ip, quote);
	answer.payload_size = ICMP_SIZE + quote;
	if (packet.ipv4)
		put_be16(payload + 2, checksum(payload, answer.payload_size));
	memcpy(answer.destination_mac.byte, frame + 6, 6);
	memcpy(answer.source_mac.byte, frame, 6);
	answer.source = *gateway;
	answer.destination = packet.source;
	answer.protocol = packet.ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	return punt_packet_write(&answer, message, HOLD_MESSAGE_MAX);
}
