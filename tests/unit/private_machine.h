/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine of its own for tests that touch devices, namespaces and mounts: the process moves
 * to new network and mount namespaces with an empty /run, and nothing of it is left behind when
 * it ends. Without root it takes a user namespace, where the system allows that.
 */
#ifndef WEFT_TESTS_UNIT_PRIVATE_MACHINE_H
#define WEFT_TESTS_UNIT_PRIVATE_MACHINE_H

#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static const char *private_machine_lacks = "not tried";

static inline bool write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);

	if (fd >= 0)
		close(fd);
	return done;
}

static inline bool become_root_of_a_user_namespace(void)
{
	char uid_map[64];
	char gid_map[64];

	snprintf(uid_map, sizeof(uid_map), "0 %u 1", (unsigned int)getuid());
	snprintf(gid_map, sizeof(gid_map), "0 %u 1", (unsigned int)getgid());
	return unshare(CLONE_NEWUSER) == 0 && write_file("/proc/self/setgroups", "deny") &&
	       write_file("/proc/self/uid_map", uid_map) &&
	       write_file("/proc/self/gid_map", gid_map);
}

/* A group setup: says in private_machine_lacks why there is none, and never fails. */
static inline int private_machine_enter(void **state)
{
	(void)state;
	private_machine_lacks = NULL;
	if (geteuid() != 0 && !become_root_of_a_user_namespace())
		private_machine_lacks = "needs root or user namespaces";
	else if (unshare(CLONE_NEWNET | CLONE_NEWNS))
		private_machine_lacks = "cannot make network and mount namespaces";
	else if (mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
		 mount("none", "/run", "tmpfs", 0, NULL))
		private_machine_lacks = "cannot mount in a mount namespace of its own";
	return 0;
}

/* First line of each test. */
#define REQUIRE_PRIVATE_MACHINE()                                                                  \
	do {                                                                                       \
		if (private_machine_lacks) {                                                       \
			print_message("# skipped: %s\n", private_machine_lacks);                   \
			skip();                                                                    \
		}                                                                                  \
	} while (0)

#endif
