/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded reads from bytes that somebody else sent.
 *
 * Every read can fail and then changes nothing; reads are chained with ||:
 *
 *	if (cursor_u8(&c, &code) || cursor_u8(&c, &size) || cursor_skip(&c, size))
 *		return -EBADMSG;
 *
 * Numbers on the wire are big-endian and come out in host order. Nothing is owned.
 */
#ifndef WEFT_BASE_CURSOR_H
#define WEFT_BASE_CURSOR_H

#include <stddef.h>
#include <stdint.h>

struct cursor {
	const uint8_t *data;
	size_t size;
};

/**
 * cursor_init - read from the @size bytes at @data, which must outlive the cursor
 */
void cursor_init(struct cursor *cursor, const void *data, size_t size);

/**
 * cursor_remaining - bytes not read yet
 */
size_t cursor_remaining(const struct cursor *cursor);

/**
 * cursor_u8 - read one byte
 *
 * Return: 0, or -EBADMSG if too few bytes are left. So do all that follow.
 */
int cursor_u8(struct cursor *cursor, uint8_t *value);

/** cursor_be16 - read two bytes, big-endian */
int cursor_be16(struct cursor *cursor, uint16_t *value);

/** cursor_be32 - read four bytes, big-endian */
int cursor_be32(struct cursor *cursor, uint32_t *value);

/** cursor_be64 - read eight bytes, big-endian */
int cursor_be64(struct cursor *cursor, uint64_t *value);

/** cursor_bytes - copy @size bytes to @bytes */
int cursor_bytes(struct cursor *cursor, void *bytes, size_t size);

/** cursor_take - point *@bytes at the next @size bytes and step over them */
int cursor_take(struct cursor *cursor, const uint8_t **bytes, size_t size);

/** cursor_skip - step over @size bytes */
int cursor_skip(struct cursor *cursor, size_t size);

/** cursor_sub - let @part read the next @size bytes only, and step over them */
int cursor_sub(struct cursor *cursor, struct cursor *part, size_t size);

#endif
