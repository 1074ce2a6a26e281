/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Memory that is there, or the process ends.
 *
 * Outside the packet pipeline an allocation that fails is not an error anybody can handle:
 * the functions below print one line and abort, so that no caller carries an untested branch.
 * The pipeline (core/) never allocates and does not include this file. What is returned is
 * released with free(3). Sizes are bytes; a size of zero gives a valid pointer.
 */
#ifndef WEFT_BASE_ALLOC_H
#define WEFT_BASE_ALLOC_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#ifndef ARRAY_SIZE
#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#endif

/* The structure of @type whose @member is at @pointer. */
#ifndef container_of
#define container_of(pointer, type, member)                                                        \
	((type *)(void *)((char *)(pointer)-offsetof(type, member)))
#endif

/**
 * xmalloc - allocate @size bytes, not initialised
 *
 * Return: memory owned by the caller, never NULL.
 */
void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));

/**
 * xcalloc - allocate @count objects of @size bytes, all zero; aborts on overflow
 *
 * Return: memory owned by the caller, never NULL.
 */
void *xcalloc(size_t count, size_t size) __attribute__((malloc, returns_nonnull));

/**
 * xrealloc - resize @memory (which may be NULL) to @size bytes
 *
 * Return: memory owned by the caller, never NULL; @memory is gone.
 */
void *xrealloc(void *memory, size_t size) __attribute__((returns_nonnull));

/**
 * xreallocarray - resize @memory (which may be NULL) to @count objects of @size bytes
 *
 * Return: memory owned by the caller, never NULL; aborts if the product overflows.
 */
void *xreallocarray(void *memory, size_t count, size_t size) __attribute__((returns_nonnull));

/**
 * xstrdup - copy of @text
 *
 * Return: text owned by the caller; NULL only if @text is NULL.
 */
char *xstrdup(const char *text);

/**
 * xstrndup - copy of at most @length characters of @text
 *
 * Return: text owned by the caller, always terminated.
 */
char *xstrndup(const char *text, size_t length) __attribute__((returns_nonnull));

/**
 * xmemdup - copy of the @size bytes at @memory
 *
 * Return: memory owned by the caller.
 */
void *xmemdup(const void *memory, size_t size) __attribute__((returns_nonnull));

/**
 * xasprintf - format into new memory
 *
 * Return: text owned by the caller.
 */
char *xasprintf(const char *format, ...) __attribute__((format(printf, 1, 2), returns_nonnull));

/**
 * xvasprintf - as xasprintf(), from a va_list
 *
 * Return: text owned by the caller.
 */
char *xvasprintf(const char *format, va_list arguments)
	__attribute__((format(printf, 1, 0), returns_nonnull));

#endif
