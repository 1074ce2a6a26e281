/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One sentence about what went wrong.
 *
 * Functions return 0 or a negative errno; those at an edge (user input, kernel, disk) also fill
 * a struct error with a sentence a person can act on and, for intent, the path of what was
 * wrong ("vpcs.blue.ports.web1.subnet"). Every function that takes a struct error accepts NULL.
 * The sentence has no full stop and no newline, so that it can be wrapped in another one.
 */
#ifndef WEFT_BASE_ERROR_H
#define WEFT_BASE_ERROR_H

#include <stdarg.h>
#include <stdbool.h>

/**
 * struct error - why something was refused or failed
 * @code: negative errno, 0 when nothing is set
 * @path: where in the input, or ""
 * @text: the sentence, or ""
 */
struct error {
	int code;
	char path[512];
	char text[400];
};

/**
 * error_set - record why something failed
 * @error: filled in; may be NULL
 * @code: an errno, either sign; 0 is recorded as -EINVAL
 * @path: where in the input; NULL for nowhere
 * @format: the sentence; too long texts are cut
 *
 * Arguments may point into *@error itself, so that a sentence can wrap the one before.
 *
 * Return: the negative errno, for `return error_set(...)`.
 */
int error_set(struct error *error, int code, const char *path, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/**
 * error_vset - as error_set(), from a va_list
 *
 * Return: the negative errno.
 */
int error_vset(struct error *error, int code, const char *path, const char *format,
	       va_list arguments) __attribute__((format(printf, 4, 0)));

/**
 * error_prefix - put what was being done in front of the sentence
 * @error: holds a sentence; may be NULL
 * @format: the words in front; ": " is put between
 *
 * Return: the code in @error, or 0 when @error is NULL or empty.
 */
int error_prefix(struct error *error, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define ERROR_NAME_SIZE 64

/**
 * error_name - a name that somebody wrote, for a sentence
 * @shown: filled in: the name, cut where it is longer than any may be, without control characters
 *
 * Return: @shown.
 */
const char *error_name(const char *name, char shown[ERROR_NAME_SIZE]);

/**
 * error_is_shortage - whether @code (negative errno) says that descriptors or memory ran out
 *
 * Nothing was learnt then of what was asked for: it is as it was, not gone.
 */
bool error_is_shortage(int code);

/**
 * error_clear - forget what was recorded
 * @error: may be NULL
 */
void error_clear(struct error *error);

#endif
