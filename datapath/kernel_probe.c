/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the process may and the kernel can, asked once at start.
 *
 * Every failure here is a sentence with what is missing and how to get it. Features that Weft can do
 * without are listed for `weft status` and never fail. A feature is probed by using it on something
 * small, not by the version number: distributions carry parts of newer kernels in older ones.
 */
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <linux/pkt_cls.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/netlink.h"
#include "datapath/kernel.h"
#include "datapath/kernel_tcx.h"

#define DEFAULT_BPFFS "/sys/fs/bpf"

int kernel_check_capabilities(struct error *error)
{
	static const struct {
		unsigned int number;
		const char *name;
		bool of_administrator; /* CAP_SYS_ADMIN includes it */
	} needed[] = {
		{ CAP_BPF, "CAP_BPF", true },
		{ CAP_PERFMON, "CAP_PERFMON", true },
		{ CAP_NET_ADMIN, "CAP_NET_ADMIN", false },
	};
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = { { 0 } };
	char missing[80] = "";
	uint64_t effective;

	if (syscall(SYS_capget, &header, data))
		return error_set(error, errno, NULL,
				 "cannot read the capabilities of the process: %s",
				 strerror(errno));
	effective = data[0].effective | (uint64_t)data[1].effective << 32;
	for (size_t i = 0; i < ARRAY_SIZE(needed); i++) {
		uint64_t enough = UINT64_C(1) << needed[i].number;

		if (needed[i].of_administrator)
			enough |= UINT64_C(1) << CAP_SYS_ADMIN;
		if (!(effective & enough))
			snprintf(missing + strlen(missing), sizeof(missing) - strlen(missing),
				 "%s%s", *missing ? ", " : "", needed[i].name);
	}
	if (!*missing)
		return 0;
	return error_set(
		error, EPERM, NULL,
		"the datapath needs %s: run as root, or give the service these capabilities",
		missing);
}

int kernel_bpffs(bool mount_it, const char **path, struct error *error)
{
	const char *chosen = getenv("WEFT_BPFFS");
	struct statfs filesystem;
	int result;

	*path = chosen && *chosen ? chosen : DEFAULT_BPFFS;
	if (!statfs(*path, &filesystem) && (uint32_t)filesystem.f_type == BPF_FS_MAGIC)
		return 0;
	if (!mount_it)
		return error_set(error, ENOENT, NULL, "no bpf file system is mounted at %s", *path);
	if (chosen) {
		result = file_make_directories(*path, 0755, error);
		if (result)
			return result;
	}
	if (mount("bpf", *path, "bpf", MS_NOSUID | MS_NODEV | MS_NOEXEC, "mode=0700")) {
		result = -errno;
		return error_set(error, result, NULL,
				 "no bpf file system is mounted at %s and mounting it failed: %s; "
				 "as root: mount -t bpf bpf %s",
				 *path, strerror(-result), *path);
	}
	log_notice("bpf file system mounted", "path=%s", *path);
	return 0;
}

bool kernel_has_tcx(void)
{
	uint32_t count = 0;
	/* Older kernels do not know the attach type; newer ones say what loopback has: nothing. */
	int result = bpf_prog_query(1, (enum bpf_attach_type)TCX_INGRESS, 0, NULL, NULL, &count);

	return result != -EINVAL;
}

static bool has_helper(enum bpf_prog_type type, enum bpf_func_id helper)
{
	return libbpf_probe_bpf_helper(type, helper, NULL) == 1;
}

static bool has_map(enum bpf_map_type type, uint32_t flags, uint32_t key_size)
{
	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = flags);
	int map = bpf_map_create(type, "weft_probe", key_size, sizeof(uint64_t), 1, &options);

	if (map < 0)
		return false;
	close(map);
	return true;
}

static uint64_t map_memory(int map)
{
	char path[40], line[128];
	uint64_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", map);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (fgets(line, sizeof(line), file)) {
		if (strncmp(line, "memlock:", 8) == 0)
			bytes = strtoull(line + 8, NULL, 10);
	}
	fclose(file);
	return bytes;
}

/* Since 6.4 the memory of a map is what it uses; before, what it might use one day. */
static bool has_memory_accounting(void)
{
	const uint32_t rows = 1 << 16;

	LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = BPF_F_NO_PREALLOC);
	int map = bpf_map_create(BPF_MAP_TYPE_HASH, "weft_probe", 8, 64, rows, &options);
	bool present;

	if (map < 0)
		return false;
	present = map_memory(map) < rows * UINT64_C(64);
	close(map);
	return present;
}

/* Whether the kernel makes or takes room in an IPv4 packet in IPv4, with the flags that say for what. */
static bool can_adjust_room(int32_t size, uint64_t flags)
{
	const struct bpf_insn program[] = {
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_2, 0, 0, size },
		{ BPF_ALU64 | BPF_MOV | BPF_K, BPF_REG_3, 0, 0, BPF_ADJ_ROOM_MAC },
		/* BPF_LD and BPF_IMM are of different fields, both 0. */
		/* NOLINTNEXTLINE(misc-redundant-expression) */
		{ BPF_LD | BPF_DW | BPF_IMM, BPF_REG_4, 0, 0, (int32_t)flags },
		{ 0, 0, 0, 0, (int32_t)(flags >> 32) },
		{ BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_skb_adjust_room },
		{ BPF_JMP | BPF_EXIT, 0, 0, 0, 0 },
	};
	unsigned char packet[14 + 20 + 20 + 32] = { 0 };
	int result, fd = bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "weft_probe", "GPL", program,
				       ARRAY_SIZE(program), NULL);

	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = packet, .data_size_in = sizeof(packet));
	if (fd < 0)
		return false;
	packet[12] = 0x08; /* IPv4 in IPv4 */
	packet[14] = packet[34] = 0x45;
	packet[14 + 3] = 20 + 20 + 32;
	packet[14 + 9] = 4;
	packet[34 + 3] = 20 + 32;
	result = bpf_prog_test_run_opts(fd, &run);
	close(fd);
	return !result && run.retval == 0;
}

static bool has_decapsulation(void)
{
	return can_adjust_room(-20, UINT64_C(1) << 7); /* BPF_F_ADJ_ROOM_DECAP_L3_IPV4, Linux 6.3 */
}

static bool has_encapsulation(void)
{
	return can_adjust_room(50, BPF_F_ADJ_ROOM_FIXED_GSO | BPF_F_ADJ_ROOM_ENCAP_L3_IPV4 |
					   BPF_F_ADJ_ROOM_ENCAP_L4_UDP |
					   BPF_F_ADJ_ROOM_ENCAP_L2(14) |
					   BPF_F_ADJ_ROOM_ENCAP_L2_ETH);
}

/* ---- tunnels ---- */

/* The kernel's own tunnel devices that GRO and taps profit from. */
static const struct {
	const char *kind;
	const char *feature;
	const char *meaning;
} tunnel_devices[] = {
	{ "vxlan", "vxlan_device",
	  "VXLAN packets are joined as they arrive, and stay so on their way to a tap; without it "
	  "(module vxlan) throughput from other hosts is less than half" },
	{ "geneve", "geneve_device",
	  "GENEVE packets are joined as they arrive, and stay so on their way to a tap; without it "
	  "(module geneve) throughput from other hosts is less than half" },
};

/* Tries each kind in a namespace that ends with the thread, so that nobody sees them come and go. */
static void *probe_tunnel_devices(void *context)
{
	bool *present = context;
	struct netlink *netlink;

	if (unshare(CLONE_NEWNET) || netlink_open(&netlink, -1, NULL))
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(tunnel_devices); i++)
		present[i] = !netlink_link_add_tunnel(netlink, tunnel_devices[i].kind,
						      tunnel_devices[i].kind, 4789, NULL);
	netlink_close(netlink);
	return NULL;
}

static void feature(struct kernel_datapath *kernel, const char *name, bool present,
		    const char *meaning)
{
	struct datapath_feature *next = &kernel->features[kernel->feature_count++];

	next->name = name;
	next->present = present;
	next->meaning = meaning;
}

static void probe_needed(struct kernel_datapath *kernel)
{
	const enum bpf_prog_type tc = BPF_PROG_TYPE_SCHED_CLS;

	feature(kernel, "redirect_peer", has_helper(tc, BPF_FUNC_redirect_peer),
		"delivery into a namespace without a second pass through the host (Linux 5.10)");
	feature(kernel, "bpf_loop", has_helper(tc, BPF_FUNC_loop),
		"loops of the pipeline, such as flooding a segment (Linux 5.17)");
	feature(kernel, "for_each_map_elem",
		has_helper(BPF_PROG_TYPE_SYSCALL, BPF_FUNC_for_each_map_elem),
		"sweeping connections inside the kernel (Linux 5.13)");
	feature(kernel, "syscall_program",
		libbpf_probe_bpf_prog_type(BPF_PROG_TYPE_SYSCALL, NULL) == 1,
		"running the sweep from the daemon (Linux 5.14)");
	feature(kernel, "ringbuf", libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1,
		"drop events (Linux 5.8)");
	feature(kernel, "mmapable_array",
		has_map(BPF_MAP_TYPE_ARRAY, BPF_F_MMAPABLE, sizeof(uint32_t)),
		"counters that the daemon reads without a system call (Linux 5.5)");
	feature(kernel, "lpm_trie",
		has_map(BPF_MAP_TYPE_LPM_TRIE, BPF_F_NO_PREALLOC, sizeof(uint64_t)),
		"route and rule lookup by prefix (Linux 4.11)");
}

int kernel_probe(struct kernel_datapath *kernel, struct error *error)
{
	bool devices[ARRAY_SIZE(tunnel_devices)] = { false };
	struct utsname system = { 0 };
	pthread_t thread;
	size_t needed;

	probe_needed(kernel);
	needed = kernel->feature_count;
	feature(kernel, "tcx", kernel_has_tcx(),
		"programs can hang on devices by links (Linux 6.6); clsact filters do the same");
	feature(kernel, "memory_accounting", has_memory_accounting(),
		"table memory is what is in use, otherwise what may be used at most (Linux 6.4)");
	feature(kernel, "decap_l3", has_decapsulation(),
		"tunnels that change the address family are unpacked by the quicker of two ways "
		"(Linux 6.3)");
	feature(kernel, "encapsulation", has_encapsulation(),
		"tunnels to other hosts; without it only ports of this host reach each other "
		"(Linux 5.13)");
	feature(kernel, "redirect_neigh",
		has_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_redirect_neigh) &&
			has_helper(BPF_PROG_TYPE_SCHED_CLS, BPF_FUNC_fib_lookup),
		"tunnels find their way by the host's routes and neighbours (Linux 5.10)");
	if (!pthread_create(&thread, NULL, probe_tunnel_devices, devices))
		pthread_join(thread, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(tunnel_devices); i++)
		feature(kernel, tunnel_devices[i].feature, devices[i], tunnel_devices[i].meaning);
	uname(&system);
	for (size_t i = 0; i < needed; i++) {
		if (kernel->features[i].present)
			continue;
		return error_set(error, EOPNOTSUPP, NULL,
				 "the kernel (%s) lacks %s: %s; Weft needs Linux 6.1 or later",
				 system.release, kernel->features[i].name,
				 kernel->features[i].meaning);
	}
	return 0;
}

const struct datapath_feature *kernel_features(struct datapath *datapath, size_t *count)
{
	*count = kernel_of(datapath)->feature_count;
	return kernel_of(datapath)->features;
}

uint64_t kernel_memory(struct datapath *datapath)
{
	const struct kernel_datapath *kernel = kernel_of(datapath);
	uint64_t total = 0;

	for (int map = 0; map < KERNEL_MAPS; map++)
		total += map_memory(kernel->map_fd[map]);
	for (int table = 0; table < TABLES; table++)
		total += map_memory(kernel->table_fd[table]);
	return total;
}
