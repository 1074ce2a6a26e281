/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * ARP as it stands in a frame (RFC 826), for Ethernet and IPv4: answered by neighbour.c, asked by wire.c.
 */
#ifndef WEFT_CORE_ARP_H
#define WEFT_CORE_ARP_H

#include "core/packet.h"

#define ARP_REQUEST 1
#define ARP_REPLY 2

struct arp_frame {
	__u8 destination[6];
	__u8 source[6];
	__be16 ethertype;
	__be16 hardware, protocol;
	__u8 hardware_size, protocol_size;
	__be16 operation;
	__u8 sender_mac[6];
	__be16 sender[2];
	__u8 target_mac[6];
	__be16 target[2];
};

/* The part that every message has in common; @code: ARP_REQUEST or ARP_REPLY */
#define ARP_FRAME(code)                                                                            \
	{                                                                                          \
		.ethertype = be16(ETHERTYPE_ARP), .hardware = be16(1),                             \
		.protocol = be16(ETHERTYPE_IPV4), .hardware_size = 6, .protocol_size = 4,          \
		.operation = be16(code),                                                           \
	}

#endif
