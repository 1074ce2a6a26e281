/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces; the contracts are in netns.h, watching is in netns_watch.c.
 *
 * A named namespace is an empty file in /run/netns with the namespace mounted over it. For the
 * name to be seen, and to be taken away, from every mount namespace, that directory is a shared
 * mount of its own, as ip-netns(8) makes it.
 */
#include "base/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"

#define NAME_LENGTH_MAX 255
#define PATH_SIZE 320

static int check_name(const char *name, struct error *error)
{
	size_t length = strnlen(name, NAME_LENGTH_MAX + 1);

	if (!length || length > NAME_LENGTH_MAX || strchr(name, '/') || strcmp(name, ".") == 0 ||
	    strcmp(name, "..") == 0)
		return error_set(error, EINVAL, NULL,
				 "\"%.64s\" is no name for a network namespace", name);
	return 0;
}

static void name_path(const char *name, char path[PATH_SIZE])
{
	snprintf(path, PATH_SIZE, NETNS_DIRECTORY "/%.255s", name);
}

/* Return: 0 if @fd is a network namespace, -EAGAIN if a plain file, -EINVAL if another thing. */
static int check_kind(int fd)
{
	struct statfs status;

	if (fstatfs(fd, &status))
		return -errno;
	if (status.f_type != NSFS_MAGIC)
		return -EAGAIN;
	return ioctl(fd, NS_GET_NSTYPE) == CLONE_NEWNET ? 0 : -EINVAL;
}

int netns_open_name(const char *name, struct error *error)
{
	char path[PATH_SIZE];
	int result;
	int fd;

	result = check_name(name, error);
	if (result)
		return result;
	name_path(name, path);
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0 && errno == ENOENT)
		return error_set(error, ENOENT, NULL, "there is no network namespace \"%s\"", name);
	if (fd < 0)
		return error_set(error, errno, NULL, "cannot open network namespace \"%s\": %s",
				 name, strerror(errno));
	result = check_kind(fd);
	if (!result)
		return fd;
	close(fd);
	if (result == -EAGAIN)
		return error_set(error, EAGAIN, NULL, "%s has no network namespace mounted on it",
				 path);
	return error_set(error, result, NULL, "%s is not a network namespace", path);
}

int netns_open_path(const char *path, struct error *error)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	int result;

	if (fd < 0)
		return error_set(error, errno, NULL, "cannot open network namespace %s: %s", path,
				 strerror(errno));
	result = check_kind(fd);
	if (!result)
		return fd;
	close(fd);
	return error_set(error, EINVAL, NULL, "%s is not a network namespace", path);
}

int netns_open_pid(pid_t pid, struct error *error)
{
	char path[PATH_SIZE];
	int fd;

	if (pid <= 0)
		return error_set(error, EINVAL, NULL, "%ld is not a process id", (long)pid);
	snprintf(path, sizeof(path), "/proc/%ld/ns/net", (long)pid);
	fd = netns_open_path(path, error);
	if (fd == -ENOENT)
		return error_set(error, ENOENT, NULL, "there is no process %ld", (long)pid);
	return fd;
}

int netns_open_current(struct error *error)
{
	/* Not /proc/self: namespaces are a property of the thread. */
	return netns_open_path("/proc/thread-self/ns/net", error);
}

int netns_enter(int netns_fd, struct error *error)
{
	int saved = netns_open_current(error);
	int result;

	if (saved < 0 || netns_fd < 0)
		return saved;
	if (setns(netns_fd, CLONE_NEWNET)) {
		result = error_set(error, errno, NULL, "cannot enter a network namespace: %s",
				   strerror(errno));
		close(saved);
		return result;
	}
	return saved;
}

void netns_leave(int saved)
{
	if (setns(saved, CLONE_NEWNET)) {
		log_error("cannot return to my network namespace", "errno=%d", errno);
		abort();
	}
	close(saved);
}

int netns_identify(int netns_fd, struct netns_identity *identity, struct error *error)
{
	const char *current = "/proc/thread-self/ns/net";
	struct stat status;

	if (netns_fd < 0 ? stat(current, &status) : fstat(netns_fd, &status))
		return error_set(error, errno, NULL, "cannot identify a network namespace: %s",
				 strerror(errno));
	*identity = (struct netns_identity){ .device = status.st_dev, .inode = status.st_ino };
	return 0;
}

bool netns_identity_equal(const struct netns_identity *a, const struct netns_identity *b)
{
	return a->device == b->device && a->inode == b->inode;
}

/*
 * Make /run/netns a shared mount. MS_SHARED fails with EINVAL where the directory is not a mount
 * point; then it is mounted over itself first.
 */
static int share_directory(struct error *error)
{
	int result = file_make_directories(NETNS_DIRECTORY, 0755, error);

	if (result)
		return result;
	if (mount("", NETNS_DIRECTORY, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	if (errno == EINVAL &&
	    mount(NETNS_DIRECTORY, NETNS_DIRECTORY, "none", MS_BIND | MS_REC, NULL) == 0 &&
	    mount("", NETNS_DIRECTORY, "none", MS_SHARED | MS_REC, NULL) == 0)
		return 0;
	return error_set(error, errno, NULL, "cannot share the mount " NETNS_DIRECTORY ": %s",
			 strerror(errno));
}

int netns_make(struct error *error)
{
	int saved = netns_open_current(error);
	int fd;

	if (saved < 0)
		return saved;
	if (unshare(CLONE_NEWNET)) {
		fd = error_set(error, errno, NULL, "cannot make a network namespace: %s",
			       strerror(errno));
		close(saved);
		return fd;
	}
	fd = netns_open_current(error);
	netns_leave(saved);
	return fd;
}

/* Make a namespace and mount it at @path. Return: its descriptor, or negative errno. */
static int mount_new(const char *path, struct error *error)
{
	int fd = netns_make(error), result;
	char source[32];

	if (fd < 0)
		return fd;
	snprintf(source, sizeof(source), "/proc/thread-self/fd/%d", fd);
	if (mount(source, path, "none", MS_BIND, NULL) == 0)
		return fd;
	result = error_set(error, errno, NULL, "cannot mount a network namespace at %s: %s", path,
			   strerror(errno));
	close(fd);
	return result;
}

int netns_create(const char *name, struct error *error)
{
	char path[PATH_SIZE];
	int result;
	int fd;

	result = check_name(name, error);
	if (!result)
		result = share_directory(error);
	if (result)
		return result;
	name_path(name, path);
	fd = open(path, O_RDONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0);
	if (fd < 0 && errno == EEXIST)
		return error_set(error, EEXIST, NULL, "there is a network namespace \"%s\" already",
				 name);
	if (fd < 0)
		return error_set(error, errno, NULL, "cannot make %s: %s", path, strerror(errno));
	close(fd);
	fd = mount_new(path, error);
	if (fd < 0)
		unlink(path); /* an empty name helps nobody; the first failure is what counts */
	return fd;
}

int netns_delete(const char *name, struct error *error)
{
	char path[PATH_SIZE];
	int result;

	result = check_name(name, error);
	if (result)
		return result;
	name_path(name, path);
	/* EINVAL: nothing is mounted there; the name alone is left and goes below. */
	if (umount2(path, MNT_DETACH) && errno != EINVAL && errno != ENOENT)
		return error_set(error, errno, NULL, "cannot unmount %s: %s", path,
				 strerror(errno));
	if (unlink(path) == 0)
		return 0;
	if (errno == ENOENT)
		return error_set(error, ENOENT, NULL, "there is no network namespace \"%s\"", name);
	return error_set(error, errno, NULL, "cannot remove %s: %s", path, strerror(errno));
}

int netns_write_sysctl(int netns_fd, const char *key, const char *value, struct error *error)
{
	char path[PATH_SIZE];
	int result;
	int saved;

	if (strstr(key, "..") ||
	    snprintf(path, sizeof(path), "/proc/sys/net/%s", key) >= (int)sizeof(path))
		return error_set(error, EINVAL, NULL, "\"%.64s\" is no name of a sysctl", key);
	saved = netns_enter(netns_fd, error);
	if (saved < 0)
		return saved;
	result = file_write_value(path, value, error);
	netns_leave(saved);
	return result;
}
