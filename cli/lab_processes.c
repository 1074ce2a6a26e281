/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The processes that live in a lab's namespaces.
 *
 * A namespace lives as long as somebody is in it: a server that was left running by `lab exec`
 * would keep the lab's devices. Whoever is inside a namespace that the lab made is a part of the
 * lab and ends with it: asked first (SIGTERM), then made to (SIGKILL).
 *
 * Neighbours: lab_up.c.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/map.h"
#include "base/netns.h"
#include "cli/lab.h"

#define ASKED_MS 2000
#define FORCED_MS 5000

/* The identities of the lab's namespaces, as keys. */
static void collect_namespaces(const struct lab *lab, struct map *namespaces)
{
	static const char *const kinds[] = { "machines", "hosts", "nodes" };
	struct netns_identity identity;
	const char *name, *key;
	json_t *entry;
	int netns;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		json_object_foreach(json_object_get(lab->registry, kinds[i]), key, entry) {
			name = json_string_value(json_object_get(entry, "namespace"));
			if (!name || !json_is_true(json_object_get(entry, "claimed")))
				continue;
			netns = netns_open_name(name, NULL);
			if (netns < 0)
				continue; /* it was not made, or is gone */
			memset(&identity, 0, sizeof(identity));
			if (netns_identify(netns, &identity, NULL) == 0)
				map_put(namespaces, &identity, sizeof(identity), namespaces);
			close(netns);
		}
	}
}

/* Descriptors of all processes inside; returns how many. */
static size_t open_processes(const struct map *namespaces, int **processes)
{
	struct netns_identity identity;
	struct dirent *entry;
	struct stat status;
	size_t count = 0;
	char path[300];
	long long pid;
	DIR *directory = opendir("/proc");
	int fd;

	*processes = NULL;
	while (directory && (entry = readdir(directory))) {
		if (!parse_number(entry->d_name, INT32_MAX, &pid) || pid == getpid())
			continue;
		snprintf(path, sizeof(path), "/proc/%s/ns/net", entry->d_name);
		if (stat(path, &status) < 0)
			continue; /* ended meanwhile, or a kernel thread */
		memset(&identity, 0, sizeof(identity));
		identity.device = status.st_dev;
		identity.inode = status.st_ino;
		if (!map_get(namespaces, &identity, sizeof(identity)))
			continue;
		fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
		if (fd < 0)
			continue;
		*processes = xreallocarray(*processes, count + 1, sizeof(**processes));
		(*processes)[count++] = fd;
	}
	if (directory)
		closedir(directory);
	return count;
}

/* Send @number to all and wait until they are gone. Return: how many are left. */
static size_t end_all(const struct map *namespaces, int number, int wait_ms)
{
	int *processes;
	size_t count = open_processes(namespaces, &processes), left = 0;
	struct pollfd waiting = { .events = POLLIN };

	for (size_t i = 0; i < count; i++)
		syscall(SYS_pidfd_send_signal, processes[i], number, NULL, 0);
	for (size_t i = 0; i < count; i++) {
		waiting.fd = processes[i];
		/* The time is for all together: who was slow leaves none to the next. */
		if (poll(&waiting, 1, left ? 0 : wait_ms) <= 0)
			left++;
		close(processes[i]);
	}
	free(processes);
	return left;
}

int lab_end_processes(const struct lab *lab, struct error *error)
{
	struct map namespaces = { 0 };
	size_t left = 0;

	collect_namespaces(lab, &namespaces);
	if (map_count(&namespaces) > 0 && end_all(&namespaces, SIGTERM, ASKED_MS) > 0)
		left = end_all(&namespaces, SIGKILL, FORCED_MS);
	map_fini(&namespaces, NULL);
	if (left > 0)
		return error_set(error, ETIMEDOUT, NULL,
				 "lab %s: %zu processes in its namespaces do not end", lab->name,
				 left);
	return 0;
}
