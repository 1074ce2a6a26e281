/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A machine of its own for tests that make devices and namespaces: everything of it ends with the process.
 * Without root there is none, and what needs it is skipped.
 */
#ifndef WEFT_TESTS_UNIT_MACHINE_H
#define WEFT_TESTS_UNIT_MACHINE_H

#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/unit/unit.h"

static bool privileged;

#define NEEDS_ROOT()                                                                               \
	do {                                                                                       \
		if (!privileged)                                                                   \
			skip();                                                                    \
	} while (0)

__attribute__((format(printf, 1, 2))) static inline void run(const char *format, ...)
{
	char command[1024];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	if (system(command))
		fail_msg("%s", command);
}

/* Namespaces of network and mounts, and an empty /run. Return: whether there is such a machine. */
static inline bool own_machine(void)
{
	privileged = geteuid() == 0 && !unshare(CLONE_NEWNET | CLONE_NEWNS) &&
		     !mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		     !mount("none", "/run", "tmpfs", 0, NULL);
	return privileged;
}

#endif
