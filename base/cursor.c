/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bounded reads; the contracts are in cursor.h. All of them go through cursor_take().
 */
#include "base/cursor.h"

#include <errno.h>
#include <string.h>

void cursor_init(struct cursor *cursor, const void *data, size_t size)
{
	cursor->data = data;
	cursor->size = size;
}

size_t cursor_remaining(const struct cursor *cursor)
{
	return cursor->size;
}

int cursor_take(struct cursor *cursor, const uint8_t **bytes, size_t size)
{
	if (size > cursor->size)
		return -EBADMSG;
	*bytes = cursor->data;
	if (size)
		cursor->data += size;
	cursor->size -= size;
	return 0;
}

static int take_number(struct cursor *cursor, size_t size, uint64_t *value)
{
	const uint8_t *bytes;
	uint64_t number = 0;

	if (cursor_take(cursor, &bytes, size))
		return -EBADMSG;
	for (size_t i = 0; i < size; i++)
		number = number << 8 | bytes[i];
	*value = number;
	return 0;
}

int cursor_u8(struct cursor *cursor, uint8_t *value)
{
	uint64_t number;

	if (take_number(cursor, sizeof(*value), &number))
		return -EBADMSG;
	*value = (uint8_t)number;
	return 0;
}

int cursor_be16(struct cursor *cursor, uint16_t *value)
{
	uint64_t number;

	if (take_number(cursor, sizeof(*value), &number))
		return -EBADMSG;
	*value = (uint16_t)number;
	return 0;
}

int cursor_be32(struct cursor *cursor, uint32_t *value)
{
	uint64_t number;

	if (take_number(cursor, sizeof(*value), &number))
		return -EBADMSG;
	*value = (uint32_t)number;
	return 0;
}

int cursor_be64(struct cursor *cursor, uint64_t *value)
{
	return take_number(cursor, sizeof(*value), value);
}

int cursor_bytes(struct cursor *cursor, void *bytes, size_t size)
{
	const uint8_t *source;

	if (cursor_take(cursor, &source, size))
		return -EBADMSG;
	if (size)
		memcpy(bytes, source, size);
	return 0;
}

int cursor_skip(struct cursor *cursor, size_t size)
{
	const uint8_t *bytes;

	return cursor_take(cursor, &bytes, size);
}

int cursor_sub(struct cursor *cursor, struct cursor *part, size_t size)
{
	const uint8_t *bytes;

	if (cursor_take(cursor, &bytes, size))
		return -EBADMSG;
	cursor_init(part, bytes, size);
	return 0;
}
