/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for `weft trace`: what a workload would send, byte for byte, with right checksums.
 *
 * The caller (api_trace.c) knows the addresses and which MAC to send to; this file knows headers.
 * IPv4 has DF set and TTL 64, TCP is a SYN, ICMP an echo request unless a type is given, what is
 * behind the headers is zero.
 */
#ifndef WEFT_AGENT_PROBE_H
#define WEFT_AGENT_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

/**
 * struct probe - one IP packet
 * @source, @destination: of one family
 * @protocol: IP protocol number
 * @source_port, @destination_port: host order; TCP and UDP
 * @icmp_type, @icmp_code: ICMP and ICMPv6
 * @answers: TCP: a SYN with ACK, as a server answers
 * @size: of the IP packet in bytes, headers included; 0 for the smallest
 */
struct probe {
	struct mac_address source_mac;
	struct mac_address destination_mac;
	struct ip_address source;
	struct ip_address destination;
	uint8_t protocol;
	uint16_t source_port;
	uint16_t destination_port;
	uint8_t icmp_type;
	uint8_t icmp_code;
	bool answers;
	size_t size;
};

/**
 * probe_build - the Ethernet frame of a packet
 * @frame: filled in
 * @room: bytes of @frame
 * @size: set to the bytes used
 *
 * Return: 0; -EMSGSIZE if the packet is too large for @room or for IP, or probe.size is smaller than its
 * headers; -EINVAL if the families differ.
 */
int probe_build(const struct probe *probe, uint8_t *frame, size_t room, size_t *size,
		struct error *error);

/**
 * probe_build_arp - "who has @target?"; both addresses IPv4; @frame has room for 42 bytes
 *
 * Return: bytes of the frame.
 */
size_t probe_build_arp(const struct mac_address *mac, const struct ip_address *source,
		       const struct ip_address *target, uint8_t *frame);

/**
 * probe_build_nd - a neighbour solicitation for @target; both IPv6; @frame has room for 86 bytes
 *
 * Return: bytes of the frame.
 */
size_t probe_build_nd(const struct mac_address *mac, const struct ip_address *source,
		      const struct ip_address *target, uint8_t *frame);

/**
 * probe_reply - what the receiver of a packet would answer: an echo reply, SYN and ACK, a datagram
 * @request: frame as it was delivered, @request_size bytes of it
 *
 * @reply: filled in, for probe_build()
 *
 * Return: 0; or -EINVAL if nobody answers such a packet, or not by what it says alone: no IP, a
 * fragment, IPv6 with extension headers, TCP but the first SYN.
 */
int probe_reply(const uint8_t *request, size_t request_size, struct probe *reply);

#define PROBE_TAGS_MAX 4

/**
 * struct probe_tags - VLAN tags of a frame, the outermost first
 * @tag: type << 16 | control information
 */
struct probe_tags {
	size_t count;
	uint32_t tag[PROBE_TAGS_MAX];
};

/**
 * probe_tag_add - one more tag inside of those that are there
 * @text: "300", with a priority "300/5", of 802.1ad "802.1ad:300"
 *
 * Return: 0 or -EINVAL.
 */
int probe_tag_add(struct probe_tags *tags, const char *text, struct error *error);

/** probe_tags_put - into a frame without tags; @size grows. Return: 0, or -EMSGSIZE if @room is too small */
int probe_tags_put(const struct probe_tags *tags, uint8_t *frame, size_t room, size_t *size);

/** probe_tags_take - out of a frame; @size shrinks. More than PROBE_TAGS_MAX stay in it. */
void probe_tags_take(struct probe_tags *tags, uint8_t *frame, size_t *size);

/**
 * probe_parse_hex - a frame written in hexadecimal; blanks and colons between bytes are skipped
 *
 * Return: 0, -EINVAL, or -EMSGSIZE if it does not fit into @room.
 */
int probe_parse_hex(const char *text, uint8_t *frame, size_t room, size_t *size,
		    struct error *error);

#endif
