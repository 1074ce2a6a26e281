/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The TTL of a packet that is routed visibly.
 *
 * Inside a VPC it stays as it is (V9), so two stages need this alone: multicast between subnets, whose copies must come
 * to an end (multicast_route.c), and the one host that routes all of a VPC (central.c).
 */
#ifndef WEFT_CORE_TTL_H
#define WEFT_CORE_TTL_H

#include "core/checksum.h"
#include "core/packet.h"

/* TTL or hop limit, in the frame. 0 or negative. */
OUT_OF_LINE int ttl_set(struct frame *f, struct packet *p, __u8 ttl)
{
	__be16 *word, old;
	__u8 *header;

	header = frame_header(f, p->l3_offset, 20);
	if (!header)
		return -1;
	if (!(p->flags & PACKET_IPV4)) {
		word = (__be16 *)(header + 6);
		old = *word;
		old = (__be16)((old & be16(0xff00)) | be16(ttl));
		p->ttl = ttl;
		return frame_store_summed(f, p->l3_offset + 6u, &old, 2) ? -1 : 0;
	}
	word = (__be16 *)(header + 8);
	old = *word;
	header[8] = ttl;
	p->ttl = ttl;
	*(__be16 *)(header + 10) =
		checksum_replace(*(__be16 *)(header + 10), old, *(__be16 *)(header + 8));
	return 0;
}

#endif
