/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The registry of labs: a directory each, with lab.json in it.
 *
 * The directory itself is the lock: making it claims the name, flock(2) on it keeps two commands
 * from changing one lab, and when it is gone so is the lock. Nothing has to be cleaned up after a
 * crash.
 *
 * Neighbours: lab.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/suggest.h"
#include "cli/lab.h"

#define LAB_JSON_SIZE_MAX ((size_t)64 << 20)

char *lab_path(const char *name, const char *host, const char *file)
{
	if (!host && !file)
		return xasprintf("%s/%s", LAB_DIRECTORY, name);
	if (!host)
		return xasprintf("%s/%s/%s", LAB_DIRECTORY, name, file);
	if (!file)
		return xasprintf("%s/%s/%s", LAB_DIRECTORY, name, host);
	return xasprintf("%s/%s/%s/%s", LAB_DIRECTORY, name, host, file);
}

json_t *lab_host(const struct lab *lab, const char *host)
{
	return json_object_get(json_object_get(lab->registry, "hosts"), host);
}

json_t *lab_store(const struct lab *lab, const char *name)
{
	return json_object_get(json_object_get(lab->registry, "stores"), name);
}

json_t *lab_machine(const struct lab *lab, const char *name)
{
	return json_object_get(json_object_get(lab->registry, "machines"), name);
}

json_t *lab_node(const struct lab *lab, const char *node)
{
	return json_object_get(json_object_get(lab->registry, "nodes"), node);
}

/* A name that can be part of a path; anything else is no lab's. */
static int check_name(const char *name, struct error *error)
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

	if (!*name || *name == '-' || strlen(name) >= LAB_NAME_SIZE ||
	    name[strspn(name, letters)] != '\0')
		return error_set(error, EINVAL, NULL,
				 "\"%.64s\" is not the name of a lab: up to %d of a-z, 0-9 and -",
				 name, LAB_NAME_SIZE - 1);
	return 0;
}

/* Lock the directory; -ENOENT if it was removed meanwhile. */
static int lock_directory(struct lab *lab, const char *path, struct error *error)
{
	struct stat opened, named;

	lab->lock = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (lab->lock < 0)
		return error_set(error, errno, NULL, "%s: %s", path, strerror(errno));
	if (flock(lab->lock, LOCK_EX | LOCK_NB) < 0) {
		close(lab->lock);
		lab->lock = -1;
		return error_set(error, EBUSY, NULL, "lab %s: another weft is at work on it",
				 lab->name);
	}
	if (fstat(lab->lock, &opened) < 0 || stat(path, &named) < 0 ||
	    opened.st_ino != named.st_ino) {
		close(lab->lock);
		lab->lock = -1;
		return error_set(error, ENOENT, NULL, "there is no lab %s", lab->name);
	}
	return 0;
}

int lab_create(struct lab *lab, const char *name, struct error *error)
{
	char *path;
	int code;

	memset(lab, 0, sizeof(*lab));
	lab->lock = -1;
	code = check_name(name, error);
	if (code < 0)
		return code;
	snprintf(lab->name, sizeof(lab->name), "%s", name);
	code = file_make_directories(LAB_DIRECTORY, 0755, error);
	if (code < 0)
		return code;
	path = lab_path(name, NULL, NULL);
	if (mkdir(path, 0755) < 0) {
		code = errno;
		error_set(error, code, NULL, "%s: %s", path, strerror(code));
		free(path);
		return -code;
	}
	code = lock_directory(lab, path, error);
	free(path);
	return code;
}

static int refuse_name(const char *name, struct error *error)
{
	json_t *names = lab_names(), *known;
	struct suggestion suggestion;
	char text[128];
	size_t index;

	suggestion_init(&suggestion, name);
	json_array_foreach(names, index, known) {
		suggestion_offer(&suggestion, json_string_value(known));
	}
	error_set(error, ENOENT, NULL, "there is no lab %s%s", name,
		  suggestion_format(&suggestion, text));
	json_decref(names);
	return -ENOENT;
}

int lab_open(struct lab *lab, const char *name, bool change, struct error *error)
{
	struct buf text = { 0 };
	char *path;
	int code;

	memset(lab, 0, sizeof(*lab));
	lab->lock = -1;
	code = check_name(name, error);
	if (code < 0)
		return code;
	snprintf(lab->name, sizeof(lab->name), "%s", name);
	path = lab_path(name, NULL, NULL);
	if (access(path, F_OK) < 0)
		code = refuse_name(name, error);
	if (code == 0 && change)
		code = lock_directory(lab, path, error);
	free(path);
	if (code < 0)
		return code;
	path = lab_path(name, NULL, "lab.json");
	/* Without lab.json nothing was made yet: an empty registry is the truth. */
	if (access(path, F_OK) == 0) {
		code = file_read(path, LAB_JSON_SIZE_MAX, &text, error);
		if (code == 0)
			lab->registry = json_loadb(buf_text(&text), text.size, 0, NULL);
		if (code == 0 && !lab->registry)
			code = error_set(error, EINVAL, NULL, "%s is damaged", path);
	} else {
		lab->registry = json_pack("{s:s}", "state", "starting");
	}
	buf_fini(&text);
	free(path);
	if (code < 0)
		lab_close(lab);
	return code;
}

int lab_save(const struct lab *lab, struct error *error)
{
	char *path = lab_path(lab->name, NULL, "lab.json");
	char *text = json_dumps(lab->registry, JSON_INDENT(2));
	int code = file_write_atomic(path, text, strlen(text), 0644, error);

	free(text);
	free(path);
	return code;
}

void lab_close(struct lab *lab)
{
	json_decref(lab->registry);
	lab->registry = NULL;
	if (lab->lock >= 0)
		close(lab->lock);
	lab->lock = -1;
}

static int remove_entry(const char *path, const struct stat *status, int kind, struct FTW *place)
{
	(void)status;
	(void)kind;
	(void)place;
	return remove(path);
}

int lab_delete_files(const struct lab *lab, struct error *error)
{
	char *path = lab_path(lab->name, NULL, NULL);
	int code = 0;

	if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) < 0 && errno != ENOENT)
		code = error_set(error, errno, NULL, "%s: %s", path, strerror(errno));
	free(path);
	return code;
}

json_t *lab_names(void)
{
	struct dirent **entries;
	json_t *names = json_array();
	int count = scandir(LAB_DIRECTORY, &entries, NULL, alphasort);

	for (int i = 0; i < count; i++) {
		if (entries[i]->d_name[0] != '.')
			json_array_append_new(names, json_string(entries[i]->d_name));
		free(entries[i]);
	}
	if (count >= 0)
		free(entries);
	return names;
}

char *lab_socket(const char *text)
{
	const char *slash = strchr(text, '/');
	char *name = xstrndup(text, slash ? (size_t)(slash - text) : strlen(text)), *path;
	const char *host = slash ? slash + 1 : "h1";
	struct lab lab;

	/* Of a lab that is not there the path is as good as any: nobody listens at it. */
	if (lab_open(&lab, name, false, NULL) == 0) {
		json_t *hosts = json_object_get(lab.registry, "hosts");

		if (!slash && json_object_size(hosts) > 0)
			host = json_object_iter_key(json_object_iter(hosts));
		path = lab_path(name, host, "weftd.sock");
		lab_close(&lab);
	} else {
		path = lab_path(name, host, "weftd.sock");
	}
	free(name);
	return path;
}
