/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A file that lines are appended to, under the hands of who rotates it.
 *
 * It is opened for appending, so that a copy-and-truncate loses nothing but what is written between the two;
 * and before each write its name is looked at: a file that was renamed or removed is opened anew. Lines that
 * cannot be written, for the disk is full, are counted and gone: nothing waits for a disk.
 *
 * Neighbours: flow_log.c.
 */
#ifndef WEFT_AGENT_FLOW_FILE_H
#define WEFT_AGENT_FLOW_FILE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"

/**
 * struct flow_file - one file; read the counters, leave the rest
 * @lines, @bytes: written
 * @lost: lines that could not be written
 * @error: of the last write or opening, negative errno; 0: it went well
 */
struct flow_file {
	char *path;
	int fd;
	bool torn; /* a line was cut off in the middle */
	struct buf queue;
	uint64_t queued, lines, bytes, lost;
	int error;
};

/** flow_file_init - nothing is opened before there is a line; release with flow_file_fini() */
void flow_file_init(struct flow_file *file, const char *path);
void flow_file_fini(struct flow_file *file);

/** flow_file_line - where a line is to be appended; call flow_file_added() after it */
struct buf *flow_file_line(struct flow_file *file);
void flow_file_added(struct flow_file *file);

/** flow_file_flush - write what waits. Return: 0 or negative errno. */
int flow_file_flush(struct flow_file *file);

/** flow_file_reopen - let go of the file; the next line opens what has its name then */
void flow_file_reopen(struct flow_file *file);

#endif
