/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Growing buffer of bytes or text.
 *
 * A zero byte always stands behind the last one, so that a buffer of text is a C string
 * (buf_text()). A struct buf that is all zero is a valid empty buffer.
 */
#ifndef WEFT_BASE_BUF_H
#define WEFT_BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

/**
 * struct buf - the buffer; read the first two, leave the third
 * @data: the bytes, NULL while nothing was ever written
 * @size: how many
 * @capacity: how many fit, the terminator left out
 */
struct buf {
	char *data;
	size_t size;
	size_t capacity;
};

/**
 * buf_init - make @buf empty, without memory
 */
void buf_init(struct buf *buf);

/**
 * buf_fini - release the memory; @buf is empty and usable afterwards
 */
void buf_fini(struct buf *buf);

/**
 * buf_reset - make @buf empty but keep its memory
 */
void buf_reset(struct buf *buf);

/**
 * buf_append - add @size bytes
 */
void buf_append(struct buf *buf, const void *data, size_t size);

/**
 * buf_append_text - add a text
 */
void buf_append_text(struct buf *buf, const char *text);

/**
 * buf_append_char - add one character
 */
void buf_append_char(struct buf *buf, char character);

/**
 * buf_printf - add formatted text
 */
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));

/**
 * buf_vprintf - as buf_printf(), from a va_list
 */
void buf_vprintf(struct buf *buf, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

/**
 * buf_reserve - room for @size more bytes
 *
 * Return: where they go; they count once buf_commit() is called. Valid until the next call.
 */
char *buf_reserve(struct buf *buf, size_t size);

/**
 * buf_commit - @size bytes were written at what buf_reserve() returned
 */
void buf_commit(struct buf *buf, size_t size);

/**
 * buf_consume - drop @size bytes (at most all) at the front
 */
void buf_consume(struct buf *buf, size_t size);

/**
 * buf_text - the content as a C string
 *
 * Return: the buffer's own text, "" when empty; valid until the next change.
 */
const char *buf_text(const struct buf *buf);

/**
 * buf_steal - take the content away
 * @buf: empty afterwards
 * @size: set to the number of bytes; may be NULL
 *
 * Return: terminated memory owned by the caller, never NULL.
 */
char *buf_steal(struct buf *buf, size_t *size);

#endif
