/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of network namespaces that come and go; the contracts are in netns.h.
 *
 * inotify tells of the file in /run/netns, but the file comes first and the namespace is mounted
 * over it a moment later, which inotify does not tell. So a name that is there without a
 * namespace is kept as pending, and looked at again whenever the kernel says that the mount table
 * changed (/proc/self/mountinfo polls with POLLPRI). One epoll descriptor stands for both.
 *
 *	unknown --file made--> pending --mounted--> present (reported)
 *	pending --file gone--> unknown
 *	present --file gone--> unknown (reported)
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/map.h"
#include "base/netns.h"

/* Values of the map of names: only their addresses matter. */
static char pending_mark;
static char present_mark;

struct netns_watch {
	netns_watch_callback *callback;
	void *context;
	int epoll_fd;
	int inotify_fd;
	int mountinfo_fd;
	size_t pending_count;
	struct map names;
};

static void set_state(struct netns_watch *watch, const char *name, void *mark)
{
	void *before = mark ? map_put_text(&watch->names, name, mark)
			    : map_remove_text(&watch->names, name);

	if (before == &pending_mark)
		watch->pending_count--;
	if (mark == &pending_mark)
		watch->pending_count++;
}

/* Whether the namespace called @name can be opened now. */
static bool is_mounted(const char *name)
{
	int fd = netns_open_name(name, NULL);

	if (fd < 0)
		return false;
	close(fd);
	return true;
}

static void name_made(struct netns_watch *watch, const char *name, bool report)
{
	bool mounted;

	if (map_get_text(&watch->names, name) == &present_mark)
		return;
	mounted = is_mounted(name);
	set_state(watch, name, mounted ? &present_mark : &pending_mark);
	if (mounted && report)
		watch->callback(watch->context, name, true);
}

static void name_gone(struct netns_watch *watch, const char *name)
{
	bool was_present = map_get_text(&watch->names, name) == &present_mark;

	set_state(watch, name, NULL);
	if (was_present)
		watch->callback(watch->context, name, false);
}

/* The mount table changed: some pending name may have its namespace now. */
static void retry_pending(struct netns_watch *watch)
{
	if (!watch->pending_count)
		return;
	MAP_FOR_EACH(&watch->names, it) {
		if (it.value != &pending_mark || !is_mounted(it.key))
			continue;
		/* Replacing a value is allowed in a walk; the key is the map's own. */
		set_state(watch, it.key, &present_mark);
		watch->callback(watch->context, it.key, true);
	}
}

static int scan(struct netns_watch *watch, bool report, struct error *error)
{
	DIR *directory = opendir(NETNS_DIRECTORY);
	struct dirent *entry;

	if (!directory)
		return error_set(error, errno, NULL, "cannot list " NETNS_DIRECTORY ": %s",
				 strerror(errno));
	while ((entry = readdir(directory)))
		if (entry->d_name[0] != '.')
			name_made(watch, entry->d_name, report);
	closedir(directory);
	return 0;
}

/* inotify lost events: compare all names with what is there. */
static int rescan(struct netns_watch *watch, struct error *error)
{
	MAP_FOR_EACH(&watch->names, it) {
		char *name;

		if (is_mounted(it.key))
			continue;
		name = xstrdup(it.key); /* removal frees the key */
		name_gone(watch, name);
		free(name);
	}
	return scan(watch, true, error);
}

static int take_event(struct netns_watch *watch, const struct inotify_event *event,
		      struct error *error)
{
	if (event->mask & IN_Q_OVERFLOW)
		return rescan(watch, error);
	if (!event->len)
		return 0;
	if (event->mask & (IN_CREATE | IN_MOVED_TO))
		name_made(watch, event->name, true);
	else if (event->mask & (IN_DELETE | IN_MOVED_FROM))
		name_gone(watch, event->name);
	return 0;
}

static int read_names(struct netns_watch *watch, struct error *error)
{
	char buffer[4096] __attribute__((aligned(8)));
	int result = 0;

	for (;;) {
		ssize_t got = read(watch->inotify_fd, buffer, sizeof(buffer));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0 && errno == EAGAIN)
			return result;
		if (got <= 0)
			return error_set(error, got ? errno : EIO, NULL,
					 "cannot read what happened in " NETNS_DIRECTORY);
		for (ssize_t at = 0; at < got;) {
			struct inotify_event *event = (void *)(buffer + at);
			int failed = take_event(watch, event, error);

			if (failed)
				result = failed;
			at += (ssize_t)(sizeof(*event) + event->len);
		}
	}
}

static int add(struct netns_watch *watch, int fd, uint32_t events)
{
	struct epoll_event event = { .events = events, .data.fd = fd };

	return epoll_ctl(watch->epoll_fd, EPOLL_CTL_ADD, fd, &event);
}

static int open_all(struct netns_watch *watch, struct error *error)
{
	int result = file_make_directories(NETNS_DIRECTORY, 0755, error);

	if (result)
		return result;
	watch->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	watch->inotify_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	watch->mountinfo_fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (watch->epoll_fd < 0 || watch->inotify_fd < 0 || watch->mountinfo_fd < 0 ||
	    inotify_add_watch(watch->inotify_fd, NETNS_DIRECTORY,
			      IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO) < 0 ||
	    add(watch, watch->inotify_fd, EPOLLIN) || add(watch, watch->mountinfo_fd, EPOLLPRI))
		return error_set(error, errno, NULL, "cannot watch " NETNS_DIRECTORY ": %s",
				 strerror(errno));
	/* After the watch: what is made in between is seen twice, and reported once. */
	return scan(watch, false, error);
}

int netns_watch_open(struct netns_watch **watch, netns_watch_callback *callback, void *context,
		     struct error *error)
{
	struct netns_watch *fresh = xcalloc(1, sizeof(*fresh));
	int result;

	fresh->callback = callback;
	fresh->context = context;
	fresh->epoll_fd = -1;
	fresh->inotify_fd = -1;
	fresh->mountinfo_fd = -1;
	result = open_all(fresh, error);
	if (result) {
		netns_watch_close(fresh);
		return result;
	}
	*watch = fresh;
	return 0;
}

int netns_watch_fd(const struct netns_watch *watch)
{
	return watch->epoll_fd;
}

int netns_watch_read(struct netns_watch *watch, struct error *error)
{
	struct epoll_event events[2];
	int result;
	int count;

	/* Asking epoll is what rearms the mount table's event. */
	count = epoll_wait(watch->epoll_fd, events, 2, 0);
	if (count < 0 && errno != EINTR)
		return error_set(error, errno, NULL, "cannot watch " NETNS_DIRECTORY ": %s",
				 strerror(errno));
	result = read_names(watch, error);
	retry_pending(watch);
	return result;
}

void netns_watch_close(struct netns_watch *watch)
{
	if (!watch)
		return;
	if (watch->mountinfo_fd >= 0)
		close(watch->mountinfo_fd);
	if (watch->inotify_fd >= 0)
		close(watch->inotify_fd);
	if (watch->epoll_fd >= 0)
		close(watch->epoll_fd);
	map_fini(&watch->names, NULL);
	free(watch);
}
