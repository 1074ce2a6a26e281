/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hanging the pipeline on devices, so that it stays when the daemon goes and is replaced in one step.
 *
 * Two ways, both atomic to replace. A filter of an ingress or clsact qdisc lives as long as its device;
 * making one takes 0.04 to 0.1 ms. A tcx link (Linux 6.6) lives as long as its pin and is cheaper for each
 * packet (0.1 us), but making or removing one waits for an RCU grace period, 9 to 13 ms where this was
 * measured, under the kernel's one lock for network configuration. So a device gets a filter, is
 * forwarding at once, and is moved to tcx when there is nothing else to do (kernel_settle()). Devices that others
 * have made, uplinks and those of links, get tcx at once: there are few, and no qdisc is left on them.
 *
 * The kernel keeps one list of all ingress and egress blocks of the machine and walks it for each new one. A
 * veth, which Weft makes in numbers and nobody else has a filter on, therefore gets an ingress qdisc,
 * one block; a device that may be somebody's gets clsact, two blocks, for egress filters of others.
 *
 * devices/<ifindex> in the bpffs is a symbolic link whose text is the program's name: it remembers
 * which devices are ours, over restarts and with either way. It is written before and removed after
 * the program is attached; a device that is remembered and has no program is forgotten at start. What
 * this daemon has attached it knows by itself as well: whoever deletes a pin, a qdisc or a filter opens
 * the host's own stack to a workload, so the devices are looked at in turn (kernel_repair()).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/netlink.h"
#include "base/netns.h"
#include "datapath/kernel.h"
#include "datapath/kernel_tcx.h"

#define FILTER_HANDLE 0x77656674 /* "weft": nobody else's */
#define FILTER_PRIORITY 1        /* before any other filter */
#define DEVICE_THERE (1u << 31)  /* in kernel_datapath.devices, beside program and kind */
#define REPAIR_DEVICES 64        /* looked at in one call */

static void device_path(const char *root, const char *directory, uint32_t ifindex,
			char path[PATH_MAX])
{
	snprintf(path, PATH_MAX, "%s/%s/%u", root, directory, ifindex);
}

/* ---- what is remembered ---- */

static int remember(const char *root, uint32_t ifindex, const char *program)
{
	char path[PATH_MAX], before[32];
	ssize_t length;

	device_path(root, "devices", ifindex, path);
	length = readlink(path, before, sizeof(before) - 1);
	if (length >= 0) {
		before[length] = '\0';
		if (!strcmp(before, program))
			return 0;
		unlink(path);
	}
	return symlink(program, path) ? -errno : 0;
}

static int forget(const char *root, uint32_t ifindex)
{
	char path[PATH_MAX];

	device_path(root, "devices", ifindex, path);
	return unlink(path) ? -errno : 0;
}

static bool remembered(const char *root, uint32_t ifindex, char program[32])
{
	char path[PATH_MAX];
	ssize_t length;

	device_path(root, "devices", ifindex, path);
	length = readlink(path, program, 31);
	if (length < 0)
		return false;
	program[length] = '\0';
	return true;
}

static size_t remembered_list(const char *root, uint32_t **ifindexes)
{
	size_t count = 0, room = 0;
	char path[PATH_MAX];
	struct dirent *entry;
	DIR *directory;

	*ifindexes = NULL;
	snprintf(path, sizeof(path), "%s/devices", root);
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		char *end;
		unsigned long ifindex = strtoul(entry->d_name, &end, 10);

		if (*end || !ifindex || ifindex > UINT32_MAX)
			continue;
		if (count == room) {
			room = room ? 2 * room : 64;
			*ifindexes = xreallocarray(*ifindexes, room, sizeof(**ifindexes));
		}
		(*ifindexes)[count++] = (uint32_t)ifindex;
	}
	if (directory)
		closedir(directory);
	return count;
}

/* ---- filters ---- */

static bool filter_exists(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	return !bpf_tc_query(&hook, &filter);
}

/* Return: 0, also if there is one of either kind already, or negative errno. */
static int qdisc_put(struct kernel_datapath *kernel, uint32_t ifindex, uint32_t kind)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	int result = 0;

	if (kind != PORT_VETH) {
		result = bpf_tc_hook_create(&hook);
	} else {
		if (!kernel->netlink)
			result = netlink_open(&kernel->netlink, -1, NULL);
		if (!result)
			result = netlink_ingress_add(kernel->netlink, ifindex, NULL);
	}
	return result == -EEXIST ? 0 : result;
}

static int filter_put(struct kernel_datapath *kernel, uint32_t ifindex, uint32_t kind,
		      int program_fd)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY,
		    .prog_fd = program_fd, .flags = BPF_TC_F_REPLACE);
	int result = bpf_tc_attach(&hook, &filter);

	if (!result)
		return 0;
	/* Most likely the device has no qdisc for it yet. */
	result = qdisc_put(kernel, ifindex, kind);
	return result ? result : bpf_tc_attach(&hook, &filter);
}

/* The qdisc itself stays: it does nothing, and somebody else's filters may be on it. */
static int filter_remove(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = BPF_TC_INGRESS);
	LIBBPF_OPTS(bpf_tc_opts, filter, .handle = FILTER_HANDLE, .priority = FILTER_PRIORITY);
	return bpf_tc_detach(&hook, &filter);
}

/* ---- tcx ---- */

/* Whether a program with this id is at the ingress of the device that has the index here and now. */
static bool program_is_at(uint32_t ifindex, uint32_t program_id)
{
	uint32_t ids[64], count = ARRAY_SIZE(ids);

	if (bpf_prog_query((int)ifindex, (enum bpf_attach_type)TCX_INGRESS, 0, NULL, ids, &count))
		return false;
	for (uint32_t i = 0; i < count && i < ARRAY_SIZE(ids); i++) {
		if (ids[i] == program_id)
			return true;
	}
	return false;
}

/* The pinned link, if it holds a program on the device; -ENOENT if its device is gone, was in
 * another namespace, or has given its index to a new one. */
static int link_open(const char *root, uint32_t ifindex)
{
	struct bpf_link_info info = { 0 };
	struct tcx_link_info tcx;
	uint32_t size = sizeof(info);
	char path[PATH_MAX];
	int link;

	device_path(root, "links", ifindex, path);
	link = bpf_obj_get(path);
	if (link < 0)
		return link;
	if (!bpf_obj_get_info_by_fd(link, &info, &size)) {
		memcpy(&tcx, &info.netns, sizeof(tcx));
		if (info.type == TCX_LINK_TYPE && tcx.ifindex == ifindex &&
		    tcx.attach_type == TCX_INGRESS && program_is_at(ifindex, info.prog_id))
			return link;
	}
	close(link);
	return -ENOENT;
}

static int link_put(const char *root, uint32_t ifindex, int program_fd)
{
	char path[PATH_MAX];
	int link = link_open(root, ifindex), result;

	if (link >= 0) {
		result = bpf_link_update(link, program_fd, NULL);
		close(link);
		return result;
	}
	/* Without a look at it: it may be the one that is at work. */
	if (error_is_shortage(link))
		return link;
	device_path(root, "links", ifindex, path);
	if (unlink(path) && errno != ENOENT)
		return -errno;
	link = bpf_link_create(program_fd, (int)ifindex, (enum bpf_attach_type)TCX_INGRESS, NULL);
	if (link < 0)
		return link;
	result = bpf_obj_pin(link, path);
	close(link);
	return result;
}

static int link_remove(const char *root, uint32_t ifindex)
{
	char path[PATH_MAX];
	int link, result = 0;

	device_path(root, "links", ifindex, path);
	if (access(path, F_OK))
		return -ENOENT;
	/* Detached by hand, for what unlink starts is finished later. */
	link = link_open(root, ifindex);
	if (link >= 0) {
		result = bpf_link_detach(link);
		close(link);
	}
	return unlink(path) ? -errno : result;
}

/* ---- both ---- */

static bool link_exists(const char *root, uint32_t ifindex)
{
	int link = link_open(root, ifindex);

	if (link >= 0)
		close(link);
	return link >= 0;
}

static bool is_attached(const char *root, uint32_t ifindex)
{
	return link_exists(root, ifindex) || filter_exists(ifindex);
}

/* To tcx, whatever it hangs on now. The new one first, so that there is no moment without a program. */
static int attach_link(struct kernel_datapath *kernel, uint32_t ifindex, int program_fd)
{
	int result = link_put(kernel->root, ifindex, program_fd);

	if (!result && filter_exists(ifindex))
		result = filter_remove(ifindex);
	return result;
}

static int attach_filter(struct kernel_datapath *kernel, uint32_t ifindex, uint32_t kind,
			 int program_fd)
{
	int result = filter_put(kernel, ifindex, kind, program_fd);

	if (result)
		return result;
	result = link_remove(kernel->root, ifindex);
	return result == -ENOENT ? 0 : result;
}

static void unsettled_add(struct kernel_datapath *kernel, uint32_t ifindex)
{
	if (kernel->unsettled_count == kernel->unsettled_room) {
		kernel->unsettled_room = kernel->unsettled_room ? 2 * kernel->unsettled_room : 64;
		kernel->unsettled = xreallocarray(kernel->unsettled, kernel->unsettled_room,
						  sizeof(*kernel->unsettled));
	}
	kernel->unsettled[kernel->unsettled_count++] = ifindex;
}

/* kind: enum port_kind, PORT_UNPLUGGED for what is no port's device or has its qdisc. */
static int attach_program(struct kernel_datapath *kernel, uint32_t ifindex, uint32_t kind,
			  enum kernel_program program, struct error *error)
{
	int program_fd = kernel_program(kernel, program, error), result;
	int link = program_fd < 0 ? program_fd : link_open(kernel->root, ifindex);
	bool by_link;

	if (program_fd < 0)
		return program_fd;
	if (error_is_shortage(link))
		return error_set(error, link, NULL, "cannot look at what is on device %u: %s",
				 ifindex, strerror(-link));
	if (link >= 0)
		close(link);
	result = remember(kernel->root, ifindex, kernel_program_names[program]);
	if (result)
		return error_set(error, result, NULL, "cannot write %s/devices/%u: %s",
				 kernel->root, ifindex, strerror(-result));
	/* A link that is there is replaced without waiting. */
	by_link = kernel->hook == DATAPATH_HOOK_TCX ||
		  (kernel->hook == DATAPATH_HOOK_AUTO &&
		   (kind == PORT_LINK || program == PROGRAM_UPLINK || link >= 0));
	result = by_link ? attach_link(kernel, ifindex, program_fd)
			 : attach_filter(kernel, ifindex, kind, program_fd);
	if (!result) {
		map_put_u32(&kernel->devices, ifindex,
			    (void *)(uintptr_t)(DEVICE_THERE | kind << 8 | program));
		if (!by_link && kernel->hook == DATAPATH_HOOK_AUTO)
			unsettled_add(kernel, ifindex);
		return 0;
	}
	if (!error_is_shortage(result) && !is_attached(kernel->root, ifindex))
		forget(kernel->root, ifindex);
	return error_set(error, result, NULL, "cannot attach the pipeline to device %u by %s: %s",
			 ifindex, by_link ? "tcx" : "a filter", strerror(-result));
}

int kernel_attach(struct datapath *datapath, uint32_t ifindex, uint32_t kind, struct error *error)
{
	return attach_program(kernel_of(datapath), ifindex, kind, PROGRAM_PORT, error);
}

/* The MAC of a device; *ethernet: whether its frames begin with an Ethernet header, as loopback's do. */
static int read_device(uint32_t ifindex, bool *ethernet, struct underlay_device *device)
{
	struct ifreq request = { 0 };
	int fd, result = 0;

	if (!if_indextoname(ifindex, request.ifr_name))
		return -ENODEV;
	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, SIOCGIFHWADDR, &request))
		result = -errno;
	close(fd);
	*ethernet = request.ifr_hwaddr.sa_family == ARPHRD_ETHER ||
		    request.ifr_hwaddr.sa_family == ARPHRD_LOOPBACK;
	if (*ethernet)
		memcpy(device->mac, request.ifr_hwaddr.sa_data, sizeof(device->mac));
	return result;
}

/*
 * The kernel answers bpf_fib_lookup only for a device that may forward. The pipeline asks as loopback
 * (target/bpf/underlay.h); that nothing is to be forwarded that comes in there is as before, for what is
 * not this host's own does not come in by loopback.
 */
static int let_loopback_forward(struct error *error)
{
	static const char *const keys[] = { "ipv4/conf/lo/forwarding", "ipv6/conf/lo/forwarding" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char *path = xasprintf("/proc/sys/net/%s", keys[i]), now = '0';
		int fd = open(path, O_RDONLY | O_CLOEXEC), result = 0;
		struct error why = { 0 };

		free(path);
		if (fd < 0 && errno == ENOENT) /* no such family here */
			continue;
		if (fd < 0 || read(fd, &now, 1) != 1 || now != '1')
			result = netns_write_sysctl(-1, keys[i], "1", &why);
		if (fd >= 0)
			close(fd);
		if (result)
			return error_set(error, result, NULL,
					 "routes to other hosts cannot be looked up: %s (sysctl -w "
					 "net/%s=1 helps)",
					 why.text, keys[i]);
	}
	return 0;
}

static bool is_uplink(const struct kernel_datapath *kernel, uint32_t ifindex)
{
	char program[32];

	return remembered(kernel->root, ifindex, program) &&
	       !strcmp(program, kernel_program_names[PROGRAM_UPLINK]);
}

static bool is_underlay(const struct kernel_datapath *kernel, uint32_t ifindex)
{
	struct underlay_device device;

	return !bpf_map_lookup_elem(kernel->map_fd[MAP_UNDERLAY_DEVICES], &ifindex, &device);
}

int kernel_attach_uplink(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	struct underlay_device device = { 0 };
	bool ethernet = false;
	int result = read_device(ifindex, &ethernet, &device);

	if (result || !ethernet)
		return error_set(error, result ? result : EOPNOTSUPP, NULL,
				 "device %u is no Ethernet device", ifindex);
	return attach_program(kernel_of(datapath), ifindex, PORT_UNPLUGGED, PROGRAM_UPLINK, error);
}

int kernel_attach_underlay(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	struct kernel_datapath *kernel = kernel_of(datapath);
	struct underlay_device device = { 0 };
	bool ethernet = true;
	int result = read_device(ifindex, &ethernet, &device);

	if (!result)
		result = bpf_map_update_elem(kernel->map_fd[MAP_UNDERLAY_DEVICES], &ifindex,
					     &device, BPF_ANY);
	if (result)
		return error_set(error, result, NULL, "cannot look at device %u: %s", ifindex,
				 strerror(-result));
	result = let_loopback_forward(error);
	if (!result)
		result = attach_program(kernel, ifindex, PORT_UNPLUGGED,
					is_uplink(kernel, ifindex) ? PROGRAM_UPLINK
					: ethernet                 ? PROGRAM_UNDERLAY
								   : PROGRAM_UNDERLAY_RAW,
					error);
	if (result)
		bpf_map_delete_elem(kernel->map_fd[MAP_UNDERLAY_DEVICES], &ifindex);
	return result;
}

/* Forgets what is known of a device that is no port's. */
static void forget_device(struct kernel_datapath *kernel, uint32_t ifindex)
{
	struct tunnel_device device;

	bpf_map_delete_elem(kernel->map_fd[MAP_UNDERLAY_DEVICES], &ifindex);
	if (!bpf_map_lookup_elem(kernel->map_fd[MAP_TUNNEL_DEVICES], &ifindex, &device)) {
		const struct tunnel_port_key key = { .port = device.port };

		bpf_map_delete_elem(kernel->map_fd[MAP_TUNNEL_DEVICE_PORTS], &key);
		bpf_map_delete_elem(kernel->map_fd[MAP_TUNNEL_DEVICES], &ifindex);
	}
}

int kernel_attach_tunnel_device(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
				uint16_t port, struct error *error)
{
	const struct tunnel_device device = { .port = htons(port), .kind = kind };
	const struct tunnel_port_key key = { .port = htons(port) };
	struct kernel_datapath *kernel = kernel_of(datapath);
	int result =
		bpf_map_update_elem(kernel->map_fd[MAP_TUNNEL_DEVICES], &ifindex, &device, BPF_ANY);

	/* Packets are sent that way when its program is there. */
	if (result)
		error_set(error, result, NULL, "cannot note tunnel device %u: %s", ifindex,
			  strerror(-result));
	else
		result = attach_program(kernel, ifindex, PORT_UNPLUGGED, PROGRAM_TUNNEL_DEVICE,
					error);
	if (!result) {
		result = bpf_map_update_elem(kernel->map_fd[MAP_TUNNEL_DEVICE_PORTS], &key,
					     &ifindex, BPF_ANY);
		if (result)
			error_set(error, result, NULL, "cannot note tunnel device %u: %s", ifindex,
				  strerror(-result));
	}
	if (result)
		forget_device(kernel, ifindex);
	return result;
}

int kernel_attach_services(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	return attach_program(kernel_of(datapath), ifindex, PORT_VETH, PROGRAM_SERVICES, error);
}

int kernel_attach_punt(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	return attach_program(kernel_of(datapath), ifindex, PORT_UNPLUGGED, PROGRAM_PUNT, error);
}

int kernel_attach_mirror(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	return attach_program(kernel_of(datapath), ifindex, PORT_UNPLUGGED, PROGRAM_MIRROR, error);
}

int kernel_attach_segmenter(struct datapath *datapath, uint32_t ifindex, struct error *error)
{
	return attach_program(kernel_of(datapath), ifindex, PORT_VETH, PROGRAM_SEGMENTER, error);
}

static int detach_device(const char *root, uint32_t ifindex)
{
	int result = link_remove(root, ifindex);

	if (result == -ENOENT)
		result = 0;
	if (filter_exists(ifindex)) {
		int removed = filter_remove(ifindex);

		result = result ? result : removed;
	}
	forget(root, ifindex);
	return result;
}

int kernel_detach(struct datapath *datapath, enum datapath_role role, uint32_t ifindex)
{
	struct kernel_datapath *kernel = kernel_of(datapath);
	char program[32];

	if (!remembered(kernel->root, ifindex, program)) {
		map_remove_u32(&kernel->devices, ifindex);
		return -ENOENT;
	}
	/* A device may be an underlay's and an uplink; the other role stays. */
	if (is_uplink(kernel, ifindex) && role == DATAPATH_UNDERLAY)
		return bpf_map_delete_elem(kernel->map_fd[MAP_UNDERLAY_DEVICES], &ifindex);
	if (is_uplink(kernel, ifindex) && role == DATAPATH_UPLINK && is_underlay(kernel, ifindex))
		return attach_program(kernel, ifindex, PORT_UNPLUGGED, PROGRAM_UNDERLAY, NULL);
	forget_device(kernel, ifindex);
	map_remove_u32(&kernel->devices, ifindex);
	return detach_device(kernel->root, ifindex);
}

/* The program of a name; PROGRAMS if this version has none such. */
static enum kernel_program program_of(const char *name)
{
	int program = 0;

	if (!strcmp(name, "from_tun")) /* of an earlier version: one program has taken its place */
		return PROGRAM_PORT;
	while (program < PROGRAMS && strcmp(name, kernel_program_names[program]))
		program++;
	return (enum kernel_program)program;
}

static bool has_role(const struct kernel_datapath *kernel, uint32_t ifindex, const char *name,
		     enum datapath_role role)
{
	enum kernel_program program = program_of(name);

	if (program == PROGRAM_UPLINK)
		return role == DATAPATH_UPLINK ||
		       (role == DATAPATH_UNDERLAY && is_underlay(kernel, ifindex));
	if (program == PROGRAM_UNDERLAY || program == PROGRAM_UNDERLAY_RAW)
		return role == DATAPATH_UNDERLAY;
	if (program == PROGRAM_SERVICES)
		return role == DATAPATH_SERVICES;
	if (program == PROGRAM_PUNT)
		return role == DATAPATH_PUNT;
	if (program == PROGRAM_SEGMENTER)
		return role == DATAPATH_SEGMENTER;
	if (program == PROGRAM_MIRROR)
		return role == DATAPATH_MIRROR;
	return role == (program == PROGRAM_TUNNEL_DEVICE ? DATAPATH_TUNNEL_DEVICE : DATAPATH_PORT);
}

/* Each change asks this of every device, so of those that this daemon has attached it is not read from the disk. */
static bool is_of_role(const struct kernel_datapath *kernel, uint32_t ifindex,
		       enum datapath_role role)
{
	uint32_t what = (uint32_t)(uintptr_t)map_get_u32(&kernel->devices, ifindex);
	char read[32];

	if (what)
		return has_role(kernel, ifindex, kernel_program_names[what & 0xff], role);
	return remembered(kernel->root, ifindex, read) && has_role(kernel, ifindex, read, role);
}

size_t kernel_attached(struct datapath *datapath, enum datapath_role role, uint32_t **ifindexes)
{
	struct kernel_datapath *kernel = kernel_of(datapath);
	size_t count = remembered_list(kernel->root, ifindexes), kept = 0;

	for (size_t i = 0; i < count; i++) {
		const uint32_t ifindex = (*ifindexes)[i];

		if (is_of_role(kernel, ifindex, role) && is_attached(kernel->root, ifindex))
			(*ifindexes)[kept++] = ifindex;
	}
	return kept;
}

int kernel_attach_replace_all(struct kernel_datapath *kernel, struct error *error)
{
	uint32_t *ifindexes;
	size_t count = remembered_list(kernel->root, &ifindexes), replaced = 0;
	int first = 0;

	for (size_t i = 0; i < count; i++) {
		struct error why = { 0 };
		char program[32];
		int result;

		if (!is_attached(kernel->root, ifindexes[i]) ||
		    !remembered(kernel->root, ifindexes[i], program) ||
		    program_of(program) == PROGRAMS) {
			detach_device(kernel->root, ifindexes[i]);
			continue;
		}
		result = attach_program(kernel, ifindexes[i], PORT_UNPLUGGED, program_of(program),
					&why);
		replaced += !result;
		/* It has gone meanwhile, as devices of a daemon do that has just been killed. */
		if (result == -ENODEV) {
			detach_device(kernel->root, ifindexes[i]);
		} else if (result && !first) {
			first = result;
			error_set(error, result, NULL, "%s", why.text);
		}
	}
	if (count)
		log_info("programs replaced", "devices=%zu gone=%zu", replaced, count - replaced);
	free(ifindexes);
	return first;
}

int kernel_settle(struct datapath *datapath)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	while (kernel->unsettled_count) {
		uint32_t ifindex = kernel->unsettled[--kernel->unsettled_count];
		char name[32];
		enum kernel_program program;
		int program_fd, result;

		if (!remembered(kernel->root, ifindex, name) || !filter_exists(ifindex))
			continue; /* gone since */
		program = program_of(name);
		if (program == PROGRAMS)
			continue;
		program_fd = kernel_program(kernel, program, NULL);
		result = program_fd < 0 ? program_fd : attach_link(kernel, ifindex, program_fd);
		if (result)
			log_warning("device stays with a filter", "ifindex=%u error=\"%s\"",
				    ifindex, strerror(-result));
		return 1;
	}
	return 0;
}

int kernel_detach_all(const char *root)
{
	uint32_t *ifindexes;
	size_t count = remembered_list(root, &ifindexes);
	int first = 0;

	for (size_t i = 0; i < count; i++) {
		int result = detach_device(root, ifindexes[i]);

		first = first ? first : result;
	}
	free(ifindexes);
	return first;
}

/* Its program is put on a device that has none any more. what: as attach_program has noted. Return: 1 if so. */
static size_t put_back(struct kernel_datapath *kernel, uint32_t ifindex, uint32_t what)
{
	const enum kernel_program program = (enum kernel_program)(what & 0xff);
	const char *const program_name = kernel_program_names[program];
	struct error error = { 0 };
	char name[IF_NAMESIZE];

	if (is_attached(kernel->root, ifindex)) {
		remember(kernel->root, ifindex, program_name);
		return 0;
	}
	/* Whose device is gone is told by the kernel, and is about to let go of it. */
	if (!if_indextoname(ifindex, name))
		return 0;
	if (attach_program(kernel, ifindex, (what & ~DEVICE_THERE) >> 8, program, &error)) {
		log_limited(LOG_LEVEL_ERROR, "pipeline not put back", "device=%s error=\"%s\"",
			    name, error.text);
		return 0;
	}
	log_warning("pipeline put back", "device=%s program=%s reason=\"it had been taken off\"",
		    name, program_name);
	return 1;
}

size_t kernel_repair(struct datapath *datapath)
{
	struct kernel_datapath *kernel = kernel_of(datapath);
	uint32_t ifindexes[REPAIR_DEVICES], what[REPAIR_DEVICES];
	size_t position = 0, count = 0, repaired = 0;

	if (!kernel->repair_position)
		repaired = kernel_pin_again(kernel);
	MAP_FOR_EACH(&kernel->devices, it) {
		if (position++ < kernel->repair_position || count == REPAIR_DEVICES)
			continue;
		memcpy(&ifindexes[count], it.key, sizeof(*ifindexes));
		what[count++] = (uint32_t)(uintptr_t)it.value;
	}
	kernel->repair_position += count;
	if (kernel->repair_position >= map_count(&kernel->devices))
		kernel->repair_position = 0;
	for (size_t i = 0; i < count; i++)
		repaired += put_back(kernel, ifindexes[i], what[i]);
	return repaired;
}
