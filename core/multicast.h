/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the files about multicast share: the messages' numbers, and which groups never leave their link.
 *
 * Neighbours: multicast.c, membership.c.
 */
#ifndef WEFT_CORE_MULTICAST_H
#define WEFT_CORE_MULTICAST_H

#include "core/packet.h"

#define PROTOCOL_IGMP 2
#define PROTOCOL_PIM 103
#define IGMP_QUERY 0x11
#define IGMP1_REPORT 0x12
#define IGMP2_REPORT 0x16
#define IGMP2_LEAVE 0x17
#define IGMP3_REPORT 0x22
#define MLD_QUERY 130
#define MLD_REPORT 131
#define MLD_DONE 132
#define MLD2_REPORT 143

/* Groups of one link: 224.0.0.0/24, ff01::/16 and ff02::/16. */
static __always_inline int multicast_is_of_link(const struct address *group)
{
	if (address_is_ipv4(group))
		return (group->word[3] & be32(0xffffff00)) == be32(0xe0000000);
	return (group->word[0] & be32(0xff0f0000)) == be32(0xff020000) ||
	       (group->word[0] & be32(0xff0f0000)) == be32(0xff010000);
}

#endif
