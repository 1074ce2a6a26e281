/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who has locked the database, for the sentence that says why a change has to wait.
 *
 * From /proc/locks, because asking for a lock (F_GETLK) needs another descriptor of the file, and to close that one
 * would give up SQLite's own locks. A writer has its lock in the index beside the database ("-shm"), somebody
 * who wants it for himself alone in the database.
 */
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/alloc.h"
#include "store/store_sqlite_private.h"

/* "08:01:1234": major and minor number of the device, hexadecimal, and the inode. */
static bool is_file(const char *text, const struct stat *file)
{
	char *end;
	unsigned long device_major = strtoul(text, &end, 16), device_minor;

	if (*end != ':')
		return false;
	device_minor = strtoul(end + 1, &end, 16);
	return *end == ':' && strtoull(end + 1, NULL, 10) == file->st_ino &&
	       device_major == major(file->st_dev) && device_minor == minor(file->st_dev);
}

/*
 * "1: POSIX  ADVISORY  WRITE 4711 08:01:1234 120 120"; who waits for a lock has an arrow before its kind.
 * Return: the process, if it is not ours; 0: no lock for writing, or on another file.
 */
static long line_holder(char *line, const struct stat *files, size_t count)
{
	static const char *const wanted[] = { NULL, "POSIX", NULL, "WRITE" };
	char *rest = NULL, *word = strtok_r(line, " ", &rest);
	long process;

	for (size_t i = 0; i < ARRAY_SIZE(wanted); i++, word = strtok_r(NULL, " ", &rest))
		if (!word || (wanted[i] && strcmp(word, wanted[i]) != 0))
			return 0;
	process = word ? strtol(word, NULL, 10) : 0;
	word = strtok_r(NULL, " ", &rest);
	if (!word || process <= 0 || process == getpid())
		return 0;
	for (size_t i = 0; i < count; i++)
		if (is_file(word, &files[i]))
			return process;
	return 0;
}

static long find_holder(const struct stat *files, size_t count)
{
	FILE *locks = fopen("/proc/locks", "re");
	char line[256];
	long process = 0;

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
	long process;

	count += stat(path, &files[count]) == 0;
	count += stat(index, &files[count]) == 0;
	free(index);
	process = find_holder(files, count);
	if (!process) {
		snprintf(text, size, "another process");
		return;
	}
	snprintf(comm, sizeof(comm), "/proc/%ld/comm", process);
	file = fopen(comm, "re");
	if (file && fgets(name, sizeof(name), file))
		name[strcspn(name, "\n")] = '\0';
	if (file)
		fclose(file);
	snprintf(text, size, "process %ld%s%s%s", process, *name ? " (" : "", name,
		 *name ? ")" : "");
}
