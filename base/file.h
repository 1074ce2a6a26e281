/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole files: read with a limit, replaced at once or not at all, locked.
 *
 * Every function returns 0 (or a descriptor) or a negative errno, with a sentence in @error.
 */
#ifndef WEFT_BASE_FILE_H
#define WEFT_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buf.h"
#include "base/error.h"

/**
 * file_read - append the content of a file to a buffer
 * @path: the file; "-" is standard input
 * @size_max: most bytes accepted
 * @content: unchanged on failure
 *
 * Return: 0, -EFBIG if there are more than @size_max bytes, or another negative errno.
 */
int file_read(const char *path, size_t size_max, struct buf *content, struct error *error);

/**
 * file_write_atomic - replace a file; after a crash it has the old or the new content
 * @path: the file; a name beside it with ".tmp" and a random end is used on the way
 * @mode: permissions of the new file, umask not applied
 *
 * Return: 0 or negative errno; on failure the old file is untouched.
 */
int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode,
		      struct error *error);

/**
 * file_write_value - write @text into an existing file at once (/proc and /sys)
 *
 * Return: 0 or negative errno.
 */
int file_write_value(const char *path, const char *text, struct error *error);

/**
 * file_make_directories - make a directory and those above it that are missing
 * @mode: permissions of the directories made, umask not applied
 *
 * Return: 0, also if it is there; -ENOTDIR if something else is in the way; or negative errno.
 */
int file_make_directories(const char *path, mode_t mode, struct error *error);

/**
 * file_lock - hold a lock file until file_unlock() or the end of the process
 * @path: made if missing; holds the process id of the owner as text
 *
 * The lock dies with the process, however it ends, and is not inherited over exec.
 *
 * Return: a descriptor, or -EWOULDBLOCK if another holds it (its pid is in the sentence).
 */
int file_lock(const char *path, struct error *error);

/**
 * file_unlock - release what file_lock() returned; a negative @fd is ignored
 *
 * The file stays: taking it away would let two owners lock two files of one name.
 */
void file_unlock(int fd);

#endif
