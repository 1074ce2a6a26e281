/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bringing programs and tables into the kernel without losing what is there.
 *
 * A table that is pinned with the shape it should have is used on as it is. One with another number of
 * rows, or one of another layout (the directory's name is WEFT_LAYOUT), is made anew and its rows are
 * copied. From layout to layout rows grow at their end only, so that the first bytes of a new row are the
 * old one and the rest is zero; live connections thus outlive an upgrade. Where the key changed there is
 * nothing to copy here and the daemon writes the rows again. Order:
 *
 *	load, copy, pin the new in the place of the old, replace the programs on all devices, copy
 *	once more what the old programs added meanwhile, remove other layouts
 *
 * A crash anywhere leaves pins that the next start takes up, and programs that forward.
 * Neighbours: kernel_attach.c, kernel_table.c, target/bpf/tables.bpf.c.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "datapath/kernel.h"
#include "weft.skel.h"

#define LOG_TAIL_LINES 40

const char *const kernel_program_names[PROGRAMS] = {
	[PROGRAM_PORT] = "from_port",
	[PROGRAM_UNDERLAY] = "from_underlay",
	[PROGRAM_UNDERLAY_RAW] = "from_underlay_raw",
	[PROGRAM_TUNNEL_DEVICE] = "from_tunnel_device",
	[PROGRAM_SERVICES] = "from_services",
	[PROGRAM_PUNT] = "from_punt",
	[PROGRAM_SEGMENTER] = "from_segmenter",
	[PROGRAM_UPLINK] = "from_uplink",
	[PROGRAM_MIRROR] = "from_mirror",
	[PROGRAM_SWEEP] = "sweep",
};

const char *const kernel_map_names[KERNEL_MAPS] = {
	[MAP_DROP_EVENTS] = "drop_events",
	[MAP_UNDERLAY_EVENTS] = "underlay_events",
	[MAP_CAPTURE_EVENTS] = "capture_events",
	[MAP_FLOW_ENDS] = "flow_ends",
	[MAP_TUNNEL_DEVICES] = "tunnel_devices",
	[MAP_TUNNEL_DEVICE_PORTS] = "tunnel_device_ports",
	[MAP_UNDERLAY_DEVICES] = "underlay_devices",
};

/* The verifier's last word, for the sentence about a program that was refused. */
static char verifier_reason[200];

/* ---- what libbpf says ---- */

static void log_tail(char *text)
{
	char *lines[LOG_TAIL_LINES], *rest = text, *line;
	size_t count = 0;

	while ((line = strsep(&rest, "\n"))) {
		if (!*line)
			continue;
		if (!strncmp(line, "processed ", 10) && count)
			snprintf(verifier_reason, sizeof(verifier_reason), "%s",
				 lines[(count - 1) % LOG_TAIL_LINES]);
		lines[count++ % LOG_TAIL_LINES] = line;
	}
	for (size_t i = count > LOG_TAIL_LINES ? count - LOG_TAIL_LINES : 0; i < count; i++)
		log_debug("libbpf", "line=\"%s\"", lines[i % LOG_TAIL_LINES]);
}

static int print_line(enum libbpf_print_level level, const char *format, va_list arguments)
	__attribute__((format(printf, 2, 0)));

static int print_line(enum libbpf_print_level level, const char *format, va_list arguments)
{
	char *text;

	/* Warnings too are for those who debug: the caller gets an errno and says what it means. */
	if (level != LIBBPF_WARN)
		return 0;
	text = xvasprintf(format, arguments);
	log_tail(text);
	free(text);
	return 0;
}

/* ---- pins ---- */

int kernel_remove_tree(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;
	int result = 0;

	if (!directory)
		return errno == ENOENT ? 0 : -errno;
	while (!result && (entry = readdir(directory))) {
		char *below;

		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		below = xasprintf("%s/%s", path, entry->d_name);
		if (entry->d_type == DT_DIR)
			result = kernel_remove_tree(below);
		else if (unlink(below) && errno != ENOENT)
			result = -errno;
		free(below);
	}
	closedir(directory);
	if (!result && rmdir(path) && errno != ENOENT)
		result = -errno;
	return result;
}

/* Pins a map under a name, in one step in the place of what had the name. */
static int pin_over(int map, const char *path)
{
	char *aside = xasprintf("%s-new", path);
	int result = unlink(aside) && errno != ENOENT ? -errno : 0;

	if (!result)
		result = bpf_obj_pin(map, aside);
	if (!result && rename(aside, path))
		result = -errno;
	free(aside);
	return result;
}

/* The name of the highest layout beside ours, or NULL; the caller's to free(). */
static char *other_layout(const char *root)
{
	unsigned long highest = 0;
	bool found = false;
	DIR *directory = opendir(root);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		char *end;
		unsigned long layout = strtoul(entry->d_name, &end, 10);

		if (*end || end == entry->d_name || layout == WEFT_LAYOUT)
			continue;
		if (!found || layout > highest)
			highest = layout;
		found = true;
	}
	if (directory)
		closedir(directory);
	return found ? xasprintf("%s/%lu", root, highest) : NULL;
}

static void remove_other_layouts(const char *root)
{
	char *path;

	while ((path = other_layout(root))) {
		int result = kernel_remove_tree(path);

		if (result)
			log_warning("old tables not removed", "path=%s error=\"%s\"", path,
				    strerror(-result));
		free(path);
		if (result)
			return;
	}
}

/* ---- tables of before ---- */

/* The map at path/name with what it is; negative errno if there is none. */
static int map_open(const char *path, const char *name, struct bpf_map_info *info)
{
	uint32_t size = sizeof(*info);
	char *file = xasprintf("%s/%s", path, name);
	int fd = bpf_obj_get(file), result;

	free(file);
	if (fd < 0)
		return fd;
	memset(info, 0, sizeof(*info));
	result = bpf_obj_get_info_by_fd(fd, info, &size);
	if (!result)
		return fd;
	close(fd);
	return result;
}

/* Whether rows of the one can be copied into the other: fit_row() in kernel_table.c. */
static bool same_key(const struct bpf_map_info *info, const struct bpf_map *map)
{
	return info->type == bpf_map__type(map) && info->key_size == bpf_map__key_size(map);
}

static bool same_map(const struct bpf_map_info *info, const struct bpf_map *map)
{
	return same_key(info, map) && info->value_size == bpf_map__value_size(map) &&
	       info->max_entries == bpf_map__max_entries(map) &&
	       info->map_flags == bpf_map__map_flags(map);
}

/*
 * Uses the pinned map if it fits. Otherwise *old is the descriptor of one whose rows are to be
 * copied, or -1.
 */
static int take_over(struct kernel_datapath *kernel, struct bpf_map *map, const char *other,
		     int *old)
{
	const char *name = bpf_map__name(map);
	struct bpf_map_info info;
	int fd = map_open(kernel->tables, name, &info), result;

	*old = -1;
	if (fd < 0 && other)
		fd = map_open(other, name, &info);
	else if (fd >= 0 && same_map(&info, map)) {
		result = bpf_map__reuse_fd(map, fd);
		close(fd);
		return result;
	}
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (same_key(&info, map)) {
		*old = fd;
		log_info("table is copied", "table=%s rows=%u before=%u size=%u size_before=%u",
			 name, bpf_map__max_entries(map), info.max_entries,
			 bpf_map__value_size(map), info.value_size);
		return 0;
	}
	close(fd);
	log_notice("table is written anew", "table=%s reason=\"its layout changed\"", name);
	return 0;
}

/* Uses the pinned map if it fits, also that of another layout; else a new one takes its place. */
static int take_over_map(struct kernel_datapath *kernel, const char *name, const char *other)
{
	struct bpf_map *map = bpf_object__find_map_by_name(kernel->skeleton->obj, name);
	struct bpf_map_info info;
	int fd, result = 0;

	if (!map)
		return -ENOENT;
	fd = map_open(kernel->tables, name, &info);
	if (fd < 0 && other)
		fd = map_open(other, name, &info);
	if (fd < 0)
		return fd == -ENOENT ? 0 : fd;
	if (same_map(&info, map))
		result = bpf_map__reuse_fd(map, fd);
	close(fd);
	return result;
}

static int copy_tables(struct kernel_datapath *kernel, const int old[TABLES], bool only_new,
		       struct error *error)
{
	for (int table = 0; table < TABLES; table++) {
		const char *name = datapath_tables[table].name;
		int result;

		if (old[table] < 0)
			continue;
		result = kernel_copy_rows(kernel, old[table], (enum table_id)table, only_new);
		if (result == -E2BIG)
			log_warning("table is too small for its rows", "table=%s rows=%u", name,
				    kernel->base.room[table]);
		else if (result)
			return error_set(error, result, NULL, "cannot copy table %s: %s", name,
					 strerror(-result));
	}
	return 0;
}

/* ---- loading ---- */

/* What the kernel said of programs it did not take. result: negative errno, returned. */
static int refused(int result, struct error *error)
{
	return error_set(error, result, NULL, "the kernel refused the packet pipeline: %s%s%s",
			 strerror(-result), *verifier_reason ? ": " : "", verifier_reason);
}

/* Which programs a load is to bring in. */
static void choose_programs(struct weft *skeleton, const bool wanted[PROGRAMS])
{
	for (int i = 0; i < PROGRAMS; i++)
		bpf_program__set_autoload(bpf_object__find_program_by_name(skeleton->obj,
									   kernel_program_names[i]),
					  wanted[i]);
}

static int keep_program(struct kernel_datapath *kernel, const struct weft *skeleton,
			enum kernel_program program)
{
	const struct bpf_program *found =
		bpf_object__find_program_by_name(skeleton->obj, kernel_program_names[program]);
	int copy = fcntl(bpf_program__fd(found), F_DUPFD_CLOEXEC, 0);

	if (copy < 0)
		return -errno;
	kernel->program_fd[program] = copy;
	return 0;
}

/* The maps of a second load are those of the first; what the compiler made maps of (.rodata) is its own. */
static int share_maps(const struct weft *from, struct weft *to)
{
	struct bpf_map *map;
	int result = 0;

	bpf_object__for_each_map(map, to->obj)
	{
		if (!result && !bpf_map__is_internal(map))
			result = bpf_map__reuse_fd(map, bpf_object__find_map_fd_by_name(
								from->obj, bpf_map__name(map)));
	}
	return result;
}

int kernel_program(struct kernel_datapath *kernel, enum kernel_program program, struct error *error)
{
	bool wanted[PROGRAMS] = { false };
	struct weft *skeleton;
	int result;

	if (kernel->program_fd[program] >= 0)
		return kernel->program_fd[program];
	skeleton = weft__open();
	if (!skeleton)
		return error_set(error, errno, NULL, "cannot read the packet pipeline: %s",
				 strerror(errno));
	wanted[program] = true;
	choose_programs(skeleton, wanted);
	*verifier_reason = '\0';
	result = share_maps(kernel->skeleton, skeleton);
	if (!result)
		result = weft__load(skeleton);
	if (!result)
		result = keep_program(kernel, skeleton, program);
	weft__destroy(skeleton);
	return result ? refused(result, error) : kernel->program_fd[program];
}

static int open_skeleton(struct kernel_datapath *kernel, const struct datapath_options *options,
			 struct error *error)
{
	const uint32_t capacity = options->flow_capacity ? options->flow_capacity
							 : DATAPATH_FLOW_CAPACITY;
	static const bool always[PROGRAMS] = { [PROGRAM_PORT] = true, [PROGRAM_SWEEP] = true };
	struct bpf_map *flows;
	int result = capacity <= UINT32_MAX / 2 ? 0 : -E2BIG;

	kernel->skeleton = weft__open();
	if (!kernel->skeleton)
		return error_set(error, errno, NULL, "cannot read the packet pipeline: %s",
				 strerror(errno));
	choose_programs(kernel->skeleton, always);
	flows = bpf_object__find_map_by_name(kernel->skeleton->obj,
					     datapath_tables[TABLE_flows].name);
	if (!result)
		result = flows ? bpf_map__set_max_entries(flows, 2 * capacity) : -ENOENT;
	if (result)
		return error_set(error, result, NULL, "cannot make room for %u connections: %s",
				 capacity, strerror(-result));
	return 0;
}

static int take_over_all(struct kernel_datapath *kernel, int old[TABLES], struct error *error)
{
	char *other = other_layout(kernel->root);
	struct bpf_map *map = NULL;
	int result = 0;

	for (int table = 0; table < TABLES && !result; table++) {
		map = bpf_object__find_map_by_name(kernel->skeleton->obj,
						   datapath_tables[table].name);
		result = map ? take_over(kernel, map, other, &old[table]) : -ENOENT;
		if (result)
			error_set(error, result, NULL, "cannot take over table %s: %s",
				  datapath_tables[table].name, strerror(-result));
	}
	for (int map_id = 0; map_id < KERNEL_MAPS && !result; map_id++) {
		result = take_over_map(kernel, kernel_map_names[map_id], other);
		if (result)
			error_set(error, result, NULL, "cannot take over the map %s: %s",
				  kernel_map_names[map_id], strerror(-result));
	}
	free(other);
	return result;
}

static int load_skeleton(struct kernel_datapath *kernel, struct error *error)
{
	struct bpf_object *object = kernel->skeleton->obj;
	int result;

	*verifier_reason = '\0';
	result = weft__load(kernel->skeleton);
	if (result)
		return refused(result, error);
	for (int table = 0; table < TABLES; table++) {
		struct bpf_map *map =
			bpf_object__find_map_by_name(object, datapath_tables[table].name);

		kernel->table_fd[table] = bpf_map__fd(map);
		kernel->base.room[table] = bpf_map__max_entries(map);
	}
	for (int map = 0; map < KERNEL_MAPS; map++)
		kernel->map_fd[map] =
			bpf_object__find_map_fd_by_name(object, kernel_map_names[map]);
	result = keep_program(kernel, kernel->skeleton, PROGRAM_PORT);
	if (!result)
		result = keep_program(kernel, kernel->skeleton, PROGRAM_SWEEP);
	return result ? refused(result, error) : 0;
}

static int pin_all(struct kernel_datapath *kernel, struct error *error)
{
	struct bpf_map_info info;

	for (int i = 0; i < TABLES + KERNEL_MAPS; i++) {
		const char *name = i < TABLES ? datapath_tables[i].name
					      : kernel_map_names[i - TABLES];
		int map = i < TABLES ? kernel->table_fd[i] : kernel->map_fd[i - TABLES];
		int result, pinned;
		struct bpf_map_info mine = { 0 };
		uint32_t size = sizeof(mine);
		char *path;

		result = bpf_obj_get_info_by_fd(map, &mine, &size);
		pinned = map_open(kernel->tables, name, &info);
		if (pinned >= 0)
			close(pinned);
		if (!result && pinned >= 0 && info.id == mine.id)
			continue;
		path = xasprintf("%s/%s", kernel->tables, name);
		if (!result)
			result = pin_over(map, path);
		if (result)
			error_set(error, result, NULL, "cannot pin %s: %s", path,
				  strerror(-result));
		free(path);
		if (result)
			return result;
	}
	return 0;
}

static int make_directories(struct kernel_datapath *kernel, struct error *error)
{
	static const char *const directories[] = { "devices", "links" };
	int result = file_make_directories(kernel->tables, 0700, error);

	for (size_t i = 0; i < ARRAY_SIZE(directories) && !result; i++) {
		char *path = xasprintf("%s/%s", kernel->root, directories[i]);

		result = file_make_directories(path, 0700, error);
		free(path);
	}
	return result;
}

int kernel_load(struct kernel_datapath *kernel, const struct datapath_options *options,
		struct error *error)
{
	int old[TABLES], result;

	for (int table = 0; table < TABLES; table++)
		old[table] = -1;
	/* libbpf raises RLIMIT_MEMLOCK itself on kernels that count table memory there. */
	libbpf_set_print(print_line);
	result = make_directories(kernel, error);
	if (!result)
		result = open_skeleton(kernel, options, error);
	if (!result)
		result = take_over_all(kernel, old, error);
	if (!result)
		result = load_skeleton(kernel, error);
	if (!result)
		result = copy_tables(kernel, old, false, error);
	if (!result)
		result = pin_all(kernel, error);
	if (!result)
		result = kernel_attach_replace_all(kernel, error);
	if (!result)
		result = copy_tables(kernel, old, true, error);
	if (!result)
		remove_other_layouts(kernel->root);
	for (int table = 0; table < TABLES; table++) {
		if (old[table] >= 0)
			close(old[table]);
	}
	return result;
}

static bool all_pinned(const struct kernel_datapath *kernel)
{
	bool all = true;

	for (int i = 0; i < TABLES + KERNEL_MAPS && all; i++) {
		char *path = xasprintf("%s/%s", kernel->tables,
				       i < TABLES ? datapath_tables[i].name
						  : kernel_map_names[i - TABLES]);

		all = !access(path, F_OK);
		free(path);
	}
	return all;
}

size_t kernel_pin_again(struct kernel_datapath *kernel)
{
	struct error error = { 0 };
	int result;

	if (all_pinned(kernel))
		return 0;
	result = make_directories(kernel, &error);
	if (!result)
		result = pin_all(kernel, &error);
	if (result)
		log_limited(LOG_LEVEL_ERROR, "tables not pinned again",
			    "error=\"%s\" effect=\"a restart cuts connections\"", error.text);
	else
		log_warning("tables pinned again", "path=%s reason=\"they had been unpinned\"",
			    kernel->tables);
	return !result;
}

void kernel_unload(struct kernel_datapath *kernel)
{
	for (int program = 0; program < PROGRAMS; program++) {
		if (kernel->program_fd[program] >= 0)
			close(kernel->program_fd[program]);
	}
	weft__destroy(kernel->skeleton);
}
