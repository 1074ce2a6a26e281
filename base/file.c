/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whole files; the contracts are in file.h.
 *
 * A replacement is written beside the old file, synced, renamed over it, and the directory
 * synced: only then does a power cut find the new content under the name.
 */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"

#define READ_STEP 65536

static int fail(struct error *error, int code, const char *what, const char *path)
{
	return error_set(error, code, NULL, "cannot %s %s: %s", what, path, strerror(code));
}

/* One byte more than the limit is asked for, so that a file of exactly the limit passes. */
static int read_all(int fd, const char *path, size_t size_max, struct buf *content,
		    struct error *error)
{
	size_t total = 0;

	for (;;) {
		size_t step = size_max - total < READ_STEP ? size_max - total + 1 : READ_STEP;
		ssize_t got = read(fd, buf_reserve(content, step), step);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return fail(error, errno, "read", path);
		if (got == 0)
			return 0;
		total += (size_t)got;
		if (total > size_max)
			return error_set(error, EFBIG, NULL, "%s is larger than %zu bytes", path,
					 size_max);
		buf_commit(content, (size_t)got);
	}
}

int file_read(const char *path, size_t size_max, struct buf *content, struct error *error)
{
	bool standard_input = strcmp(path, "-") == 0;
	size_t size_before = content->size;
	int result;
	int fd;

	fd = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(error, errno, "open", path);
	result = read_all(fd, standard_input ? "standard input" : path, size_max, content, error);
	if (!standard_input)
		close(fd);
	if (result && content->data) {
		content->size = size_before;
		content->data[size_before] = '\0';
	}
	return result;
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t done = write(fd, data, size);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		data += done;
		size -= (size_t)done;
	}
	return 0;
}

/* The name of the directory that @path is in; owned by the caller. */
static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xstrndup(path, (size_t)(slash - path));
}

static int sync_directory(const char *path)
{
	char *directory = directory_of(path);
	int fd = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = 0;

	free(directory);
	if (fd < 0)
		return -errno;
	if (fsync(fd))
		result = -errno;
	close(fd);
	return result;
}

static int write_temporary(int fd, const void *data, size_t size, mode_t mode)
{
	int result = write_all(fd, data, size);

	if (!result && fchmod(fd, mode))
		result = -errno;
	if (!result && fsync(fd))
		result = -errno;
	return result;
}

int file_write_atomic(const char *path, const void *data, size_t size, mode_t mode,
		      struct error *error)
{
	char *temporary = xasprintf("%s.tmp.XXXXXX", path);
	int result;
	int fd;

	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0) {
		result = fail(error, errno, "write", temporary);
		goto free_name;
	}
	result = write_temporary(fd, data, size, mode);
	if (close(fd) && !result)
		result = -errno;
	if (!result && rename(temporary, path))
		result = -errno;
	if (result) {
		fail(error, -result, "write", path);
		unlink(temporary); /* what stays behind if this fails is only litter */
		goto free_name;
	}
	result = sync_directory(path);
	if (result)
		fail(error, -result, "sync the directory of", path);
free_name:
	free(temporary);
	return result;
}

int file_write_value(const char *path, const char *text, struct error *error)
{
	size_t length = strlen(text);
	int result = 0;
	ssize_t done;
	int fd;

	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(error, errno, "open", path);
	done = write(fd, text, length);
	if (done != (ssize_t)length)
		result = fail(error, done < 0 ? errno : EIO, "write to", path);
	close(fd);
	return result;
}

/* Make one directory. Return: 0 also if it is there. */
static int make_directory(const char *path, mode_t mode, struct error *error)
{
	struct stat status;

	if (mkdir(path, mode) == 0) {
		if (chmod(path, mode)) /* mkdir(2) applied the umask */
			return fail(error, errno, "set the mode of", path);
		return 0;
	}
	if (errno != EEXIST)
		return fail(error, errno, "make directory", path);
	if (stat(path, &status))
		return fail(error, errno, "look at", path);
	if (!S_ISDIR(status.st_mode))
		return error_set(error, ENOTDIR, NULL, "%s is not a directory", path);
	return 0;
}

int file_make_directories(const char *path, mode_t mode, struct error *error)
{
	char *part = xstrdup(path);
	int result = 0;

	for (char *slash = part; !result && (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		result = make_directory(part, mode, error);
		*slash = '/';
	}
	if (!result)
		result = make_directory(part, mode, error);
	free(part);
	return result;
}

static int lock_is_held(int fd, const char *path, struct error *error)
{
	char owner[32];
	ssize_t got = pread(fd, owner, sizeof(owner) - 1, 0);

	owner[got > 0 ? got : 0] = '\0';
	owner[strcspn(owner, "\n")] = '\0';
	return error_set(error, EWOULDBLOCK, NULL, "%s is locked by process %s", path,
			 owner[0] ? owner : "(unknown)");
}

int file_lock(const char *path, struct error *error)
{
	bool writable = true;
	char owner[32];
	int result;
	int fd;

	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && errno == EROFS) {
		/* A file that is there can be locked all the same; the old pid stays in it. */
		writable = false;
		fd = open(path, O_RDONLY | O_CLOEXEC);
	}
	if (fd < 0)
		return fail(error, errno, "open", path);
	if (flock(fd, LOCK_EX | LOCK_NB)) {
		result = errno == EWOULDBLOCK ? lock_is_held(fd, path, error)
					      : fail(error, errno, "lock", path);
		close(fd);
		return result;
	}
	/* The pid is for people; on a full disk the lock itself still holds. */
	snprintf(owner, sizeof(owner), "%ld\n", (long)getpid());
	if (writable && (ftruncate(fd, 0) || pwrite(fd, owner, strlen(owner), 0) < 0)) {
		result = errno;
		if (result != ENOSPC && result != EDQUOT) {
			close(fd);
			return fail(error, result, "write", path);
		}
	}
	return fd;
}

void file_unlock(int fd)
{
	if (fd >= 0)
		close(fd);
}
