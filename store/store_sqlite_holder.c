/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has locked the database, for the sentence that says why a change has to wait.
 *
 * From /proc/locks, because asking for a lock (F_GETLK) needs another descriptor of the file, and to close that one
 * would give up SQLite's own locks. A writer has its lock in the index beside the database ("-shm"), somebody
 * who wants it for himself alone in the database.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/store_sqlite_private.h"

/* Return: the process with a lock for writing in this line that is not ours; 0: none, or on another file. */
static int line_holder(const char *line, const struct stat *files, size_t count)
{
	unsigned int device_major, device_minor;
	unsigned long long inode;
	int process;

	if (sscanf(line, "%*d: POSIX %*s WRITE %d %x:%x:%llu ", &process, &device_major,
		   &device_minor, &inode) != 4 ||
	    process <= 0 || process == getpid())
		return 0;
	for (size_t i = 0; i < count; i++)
		if (files[i].st_ino == inode && major(files[i].st_dev) == device_major &&
		    minor(files[i].st_dev) == device_minor)
			return process;
	return 0;
}

static int find_holder(const struct stat *files, size_t count)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	int process = 0;

	while (locks && !process && fgets(line, sizeof(line), locks))
		process = line_holder(line, files, count);
	if (locks)
		fclose(locks);
	return process;
}

void sqlite_store_holder(const char *path, char *text, size_t size)
{
	char *index = xasprintf("%s-shm", path), name[32] = "", comm[48];
	struct stat files[2];
	size_t count = 0;
	FILE *file;
	int process;

	count += stat(path, &files[count]) == 0;
	count += stat(index, &files[count]) == 0;
	free(index);
	process = find_holder(files, count);
	if (!process) {
		snprintf(text, size, "another process");
		return;
	}
	snprintf(comm, sizeof(comm), "/proc/%d/comm", process);
	file = fopen(comm, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	snprintf(text, size, "process %d%s%s%s", process, *name ? " (" : "", name,
		 *name ? ")" : "");
}
