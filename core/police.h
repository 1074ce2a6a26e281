/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Token buckets: at most `rate` things a second, in bursts of at most as many.
 *
 * A bucket is one 64-bit counter in port_stats: the tick of the last fill above, the tokens below. Two
 * CPUs that take at once may take the same token; a limit need not be exact to bound a cost.
 * Used for flooding (bridge.c), drop events (pipeline.c) and ICMP errors (icmp.c).
 */
#ifndef WEFT_CORE_POLICE_H
#define WEFT_CORE_POLICE_H

#include "target.h"

/* 1: a token was there and is taken. rate 0: never. now: clock_tick(). */
static inline int bucket_take(__u64 *bucket, __u32 rate, __u32 now)
{
	__u64 value = *bucket;
	__u32 passed = now - (__u32)(value >> 32);
	__u64 tokens = (__u32)value;
	__u64 fresh;

	/* Another CPU's clock may be a tick ahead of this one's. */
	if ((__s32)passed < 0)
		passed = 0;
	if (passed > TICKS_PER_SECOND || !value) {
		tokens = rate;
		passed = 0;
		value = (__u64)now << 32;
	}
	fresh = (__u64)passed * rate / TICKS_PER_SECOND;
	if (fresh) {
		tokens += fresh;
		value = (__u64)now << 32;
	}
	if (tokens > rate)
		tokens = rate;
	if (!tokens)
		return 0;
	*bucket = (value & 0xffffffff00000000ULL) | (tokens - 1);
	return 1;
}

#endif
