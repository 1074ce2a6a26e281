/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Numbers into bytes that go on a wire, where they need not be aligned. Reading is base/cursor.h's.
 */
#ifndef WEFT_BASE_BIG_ENDIAN_H
#define WEFT_BASE_BIG_ENDIAN_H

#include <stdint.h>

/** put_be16 - the low 16 bits of @value to the two bytes at @at, big-endian */
static inline void put_be16(uint8_t *at, uint64_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

/** put_be32 - the low 32 bits of @value to the four bytes at @at, big-endian */
static inline void put_be32(uint8_t *at, uint64_t value)
{
	put_be16(at, value >> 16);
	put_be16(at + 2, value);
}

#endif
