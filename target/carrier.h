/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a frame is carried in, as the verbs frame_encapsulate and frame_decapsulate of both targets are
 * told it: the kernel must know, to cut frames of several packets and finish checksums in the right place.
 */
#ifndef WEFT_TARGET_CARRIER_H
#define WEFT_TARGET_CARRIER_H

enum frame_carrier {
	FRAME_OUTER_IPV6 = 1 << 0, /* the outer packet is IPv6, else IPv4 */
	FRAME_UDP = 1 << 1,        /* behind the outer IP header */
	FRAME_GRE = 1 << 2,
	FRAME_ETHERNET = 1 << 3,   /* the room ends with the header of an Ethernet frame */
	FRAME_INNER_IPV4 = 1 << 4, /* what follows the room */
	FRAME_INNER_IPV6 = 1 << 5, /* neither: not IP */
	FRAME_AGAIN = 1 << 6,      /* the frame has just left a tunnel with the same headers */
	FRAME_TAG = 1 << 7,        /* with FRAME_ETHERNET, times 1 to 3: so many VLAN tags there */
};

#define FRAME_TAG_COUNT(how) ((how) / FRAME_TAG & 3)

#endif
