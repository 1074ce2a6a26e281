/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing buffer; the contracts are in buf.h.
 *
 * Memory doubles as it grows, so that appending n bytes one by one costs O(n).
 */
#include "base/buf.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"

#define CAPACITY_MIN 63

void buf_init(struct buf *buf)
{
	*buf = (struct buf){ 0 };
}

void buf_fini(struct buf *buf)
{
	free(buf->data);
	buf_init(buf);
}

void buf_reset(struct buf *buf)
{
	buf->size = 0;
	if (buf->data)
		buf->data[0] = '\0';
}

char *buf_reserve(struct buf *buf, size_t size)
{
	size_t wanted;

	if (__builtin_add_overflow(buf->size, size, &wanted) || wanted > SIZE_MAX / 4)
		abort();
	if (!buf->data || wanted > buf->capacity) {
		size_t capacity = buf->capacity * 2 + 1;

		if (capacity < CAPACITY_MIN)
			capacity = CAPACITY_MIN;
		if (capacity < wanted)
			capacity = wanted;
		buf->data = xrealloc(buf->data, capacity + 1);
		buf->capacity = capacity;
		buf->data[buf->size] = '\0';
	}
	return buf->data + buf->size;
}

void buf_commit(struct buf *buf, size_t size)
{
	if (!size)
		return;
	buf->size += size;
	buf->data[buf->size] = '\0';
}

void buf_append(struct buf *buf, const void *data, size_t size)
{
	char *room = buf_reserve(buf, size);

	if (size)
		memcpy(room, data, size);
	buf_commit(buf, size);
}

void buf_append_text(struct buf *buf, const char *text)
{
	buf_append(buf, text, strlen(text));
}

void buf_append_char(struct buf *buf, char character)
{
	buf_append(buf, &character, 1);
}

void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
{
	char *room = buf_reserve(buf, 0);
	size_t left = buf->capacity - buf->size;
	va_list again;
	int length;

	va_copy(again, arguments);
	length = vsnprintf(room, left + 1, format, arguments);
	if (length < 0)
		abort(); /* a format that cannot be printed is a mistake in the program */
	if ((size_t)length > left) {
		room = buf_reserve(buf, (size_t)length);
		vsnprintf(room, (size_t)length + 1, format, again);
	}
	va_end(again);
	buf_commit(buf, (size_t)length);
}

void buf_printf(struct buf *buf, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	buf_vprintf(buf, format, arguments);
	va_end(arguments);
}

void buf_consume(struct buf *buf, size_t size)
{
	if (size >= buf->size) {
		buf_reset(buf);
		return;
	}
	memmove(buf->data, buf->data + size, buf->size - size + 1);
	buf->size -= size;
}

const char *buf_text(const struct buf *buf)
{
	return buf->data ? buf->data : "";
}

char *buf_steal(struct buf *buf, size_t *size)
{
	char *data;

	buf_reserve(buf, 0);
	data = buf->data;
	if (size)
		*size = buf->size;
	buf_init(buf);
	return data;
}
