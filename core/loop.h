/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The probe that finds loops: what it looks like, for who sends it (agent/devices/loops.c) and who knows it (loop.c).
 *
 * It goes out of every port that leads to another switch, to a group address that bridges flood, and is never
 * sent into the segment itself. When it comes back into the segment it was sent from, there is a second way
 * round. The EtherType is the one that IEEE 802 has for protocols of an organisation's own (OUI extended);
 * the OUI is locally administered. Numbers are in network byte order.
 */
#ifndef WEFT_CORE_LOOP_H
#define WEFT_CORE_LOOP_H

#include <linux/types.h>

#define LOOP_ETHERTYPE 0x88b7
#define LOOP_OUI                                                                                   \
	{                                                                                          \
		0x06, 0x57, 0x46                                                                   \
	}
#define LOOP_PROTOCOL 1
#define LOOP_GROUP                                                                                 \
	{                                                                                          \
		0x07, 0x57, 0x46, 0x00, 0x00, 0x01                                                 \
	}

/* Behind the Ethernet header; zeros follow, up to the smallest frame. */
struct loop_probe {
	__u8 oui[3];
	__u8 protocol[2];
	__u8 version;     /* 1 */
	__be16 round;     /* counts */
	__be32 domain[2]; /* of the installation: ids are numbers of it */
	__be32 subnet_id; /* where it was sent from */
	__be32 port_id;   /* by which port */
};

#endif
