/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071) and its incremental update (RFC 1624), in the order of the wire.
 *
 * Used by neighbour.c and icmp.c for the packets that the pipeline makes by itself.
 */
#ifndef WEFT_CORE_CHECKSUM_H
#define WEFT_CORE_CHECKSUM_H

#include "target.h"

static inline __u16 checksum_fold(__u32 sum)
{
	sum = (sum & 0xffff) + (sum >> 16);
	sum = (sum & 0xffff) + (sum >> 16);
	return (__u16)sum;
}

/* Adds size bytes (even, a constant) at data, 2-byte aligned, to a running sum. */
static __always_inline __u32 checksum_add(__u32 sum, const void *data, __u32 size)
{
	const __u16 *word = data;

	for (__u32 i = 0; i < size / 2; i++)
		sum += word[i];
	return sum;
}

/* Replaces one 16-bit field from `from` to `to` under a checksum. */
static inline __be16 checksum_replace(__be16 checksum, __be16 from, __be16 to)
{
	return (__be16)~checksum_fold((__u32)(__u16)~checksum + (__u16)~from + to);
}

/* The pseudo header of ICMPv6 (RFC 8200, 8.1): addresses, length, protocol. */
static inline __u32 checksum_pseudo6(const struct address *source,
				     const struct address *destination, __u32 length, __u8 protocol)
{
	__u32 sum = checksum_add(0, source, sizeof(*source));

	sum = checksum_add(sum, destination, sizeof(*destination));
	return sum + be16((__u16)length) + be16(protocol);
}

#endif
