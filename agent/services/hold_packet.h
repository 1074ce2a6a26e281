/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Held packets as bytes: whom one is for, and what its sender is told if nobody is there. Pure.
 *
 * Neighbours: hold.c, tests/fuzz/hold.c.
 */
#ifndef WEFT_AGENT_HOLD_PACKET_H
#define WEFT_AGENT_HOLD_PACKET_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/* A message about an unreachable machine: Ethernet, IPv6 and what fits into IPv6's least MTU. */
#define HOLD_MESSAGE_MAX (14 + 1280)

/**
 * hold_destination - whom a frame of IPv4 or IPv6 without a tag is for
 *
 * Return: 0, or -EBADMSG.
 */
int hold_destination(const uint8_t *frame, size_t size, struct ip_address *destination);

/**
 * hold_question - a frame that says no more than whom it is for (PUNT_ASK)
 *
 * Return: its size, 0 if @room is too small.
 */
size_t hold_question(const struct ip_address *destination, uint8_t *frame, size_t room);

/**
 * hold_unreachable - what the sender of a frame is told: its destination does not answer
 * @gateway: the router of the sender's subnet, of the frame's family, who says so
 * @message: room for HOLD_MESSAGE_MAX bytes
 *
 * ICMP type 3 code 1 with 548 bytes of the packet at most (RFC 1812, 4.3.2.3 and 5.2.7.1), ICMPv6 type 1 code 3
 * with as much as fits into 1,280 bytes (RFC 4443, 3.1). None about an ICMP error, a later fragment, or a packet
 * that one machine alone cannot have sent (RFC 1122, 3.2.2).
 *
 * Return: its size, 0: there is none.
 */
size_t hold_unreachable(const uint8_t *frame, size_t size, const struct ip_address *gateway,
			uint8_t *message);

#endif
