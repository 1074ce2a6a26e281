/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The router of a subnet: whether there is one, and what its addresses are.
 *
 * An l3 subnet has one; an l2 subnet is a switch, and has one for the families that it names a gateway of.
 *
 * The address that every router of an IPv6 subnet has besides its own and that of its MAC: fe80:ec2::1 (V16).
 *
 * It is the same in all subnets, so that an image can have it as its default route. It is not of fe80::/64, the
 * prefix of addresses made of MACs, and no port may have it. Neighbours: neighbour.c answers for it, route.c is
 * what answers ping at it.
 */
#ifndef WEFT_CORE_ROUTER_H
#define WEFT_CORE_ROUTER_H

#include "core/packet.h"

static __always_inline int is_router_alias(const struct subnet *subnet, const struct address *a)
{
	return a->word[0] == be32(0xfe800ec2) && a->word[3] == be32(1) && !a->word[1] &&
	       !a->word[2] && !address_is_unspecified(&subnet->gateway[1]);
}

static __always_inline int has_router(const struct subnet *subnet, int ipv4)
{
	return !(subnet->flags & SUBNET_L2) ||
	       !address_is_unspecified(&subnet->gateway[ipv4 ? 0 : 1]);
}

#endif
