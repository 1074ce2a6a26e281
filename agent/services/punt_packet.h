/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames that the daemon reads from ports and makes for them: Ethernet, IPv4 or IPv6, and UDP, ICMPv6 or
 * another protocol of IP. Pure: bytes to struct and back, checksums included.
 */
#ifndef WEFT_AGENT_PUNT_PACKET_H
#define WEFT_AGENT_PUNT_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* Of the frame, in front of the payload, at most. */
#define PUNT_PACKET_HEADERS_MAX 62

/**
 * struct punt_packet - one packet
 * @protocol: behind extension headers
 * @hop_limit: or TTL; 0 when writing means 64
 * @source_port, @destination_port: UDP only, host order
 * @payload: of UDP what is behind its header, otherwise all behind the IP headers; borrowed
 */
struct punt_packet {
	struct mac_address destination_mac, source_mac;
	struct ip_address source, destination;
	uint8_t protocol;
	uint8_t hop_limit;
	uint16_t source_port, destination_port;
	const uint8_t *payload;
	size_t payload_size;
};

/**
 * punt_packet_read - read a frame without a VLAN tag
 *
 * Lengths and the checksums of IPv4, UDP, and ICMPv6 are verified; padding behind the packet is left out.
 *
 * Return: 0, or -EBADMSG. @packet->payload points into @frame.
 */
int punt_packet_read(const void *frame, size_t size, struct punt_packet *packet);

/**
 * punt_packet_write - make a frame; the family is that of the source
 *
 * ICMPv6: the checksum in the payload (bytes 2 and 3) is filled in.
 *
 * Return: its size, 0 if @room is too small.
 */
size_t punt_packet_write(const struct punt_packet *packet, void *frame, size_t room);

#endif
