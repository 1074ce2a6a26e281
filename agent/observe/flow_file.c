/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Lines into a file; see flow_file.h.
 */
#include "agent/observe/flow_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define FILE_MODE 0640
#define QUEUE_SIZE (256U << 10)

void flow_file_init(struct flow_file *file, const char *path)
{
	*file = (struct flow_file){ .path = xstrdup(path), .fd = -1 };
}

void flow_file_fini(struct flow_file *file)
{
	flow_file_flush(file);
	flow_file_reopen(file);
	buf_fini(&file->queue);
	free(file->path);
}

void flow_file_reopen(struct flow_file *file)
{
	if (file->fd >= 0)
		close(file->fd);
	file->fd = -1;
}

/* The open file is not what has the name any more. */
static bool is_stale(const struct flow_file *file)
{
	struct stat open_one, named;

	return fstat(file->fd, &open_one) || stat(file->path, &named) ||
	       open_one.st_ino != named.st_ino || open_one.st_dev != named.st_dev;
}

static int open_file(struct flow_file *file)
{
	if (file->fd >= 0 && is_stale(file)) {
		flow_file_reopen(file);
		file->torn = false;
	}
	if (file->fd < 0)
		file->fd = open(file->path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
				FILE_MODE);
	return file->fd < 0 ? -errno : 0;
}

struct buf *flow_file_line(struct flow_file *file)
{
	return &file->queue;
}

void flow_file_added(struct flow_file *file)
{
	file->queued++;
	if (file->queue.size >= QUEUE_SIZE)
		flow_file_flush(file);
}

static uint64_t count_lines(const char *text, size_t size)
{
	const char *end = text + size;
	uint64_t lines = 0;

	while ((text = memchr(text, '\n', (size_t)(end - text)))) {
		lines++;
		text++;
	}
	return lines;
}

/* Return: 0 or negative errno; *done: bytes of the queue that are in the file. */
static int write_queue(struct flow_file *file, size_t *done)
{
	while (*done < file->queue.size) {
		ssize_t written =
			write(file->fd, file->queue.data + *done, file->queue.size - *done);

		if (written < 0 && errno == EINTR)
			continue;
		if (written < 0)
			return -errno;
		*done += (size_t)written;
	}
	return 0;
}

int flow_file_flush(struct flow_file *file)
{
	size_t done = 0;
	uint64_t lines;

	if (!file->queued)
		return 0;
	file->error = open_file(file);
	/* What is left of a line that was cut off gets its end, so that the next one is whole. */
	if (!file->error && file->torn && write(file->fd, "\n", 1) != 1)
		file->error = errno ? -errno : -EIO;
	else if (!file->error)
		file->torn = false;
	if (!file->error)
		file->error = write_queue(file, &done);
	lines = count_lines(file->queue.data, done);
	if (done)
		file->torn = file->queue.data[done - 1] != '\n';
	file->lines += lines;
	file->bytes += done;
	file->lost += file->queued - lines;
	file->queued = 0;
	buf_reset(&file->queue);
	return file->error;
}
