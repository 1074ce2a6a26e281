/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the kernel datapath: what its files share. Nobody else includes it.
 *
 * kernel.c opens and closes, kernel_probe.c asks the kernel what it can, kernel_load.c brings program
 * and tables in and keeps old rows, kernel_attach.c hangs the program on devices, kernel_table.c
 * reads and writes rows. All that lasts lives in a bpffs:
 *
 *	weft/<instance>/<layout>/<table>	the maps
 *	weft/<instance>/devices/<ifindex>	which devices have the pipeline
 *	weft/<instance>/links/<ifindex>		their tcx links
 */
#ifndef WEFT_DATAPATH_KERNEL_H
#define WEFT_DATAPATH_KERNEL_H

#include <bpf/libbpf.h>

#include "base/map.h"
#include "datapath/provider.h"

enum kernel_program {
	PROGRAM_PORT,
	PROGRAM_UNDERLAY,
	PROGRAM_UNDERLAY_RAW, /* the same for devices without Ethernet */
	PROGRAM_TUNNEL_DEVICE,
	PROGRAM_SERVICES,
	PROGRAM_PUNT,
	PROGRAM_SEGMENTER,
	PROGRAM_UPLINK, /* the underlay's as well, where the device is in underlay_devices */
	PROGRAM_MIRROR,
	PROGRAM_SWEEP,
	PROGRAMS,
};
extern const char *const kernel_program_names[PROGRAMS];

/* Maps that are no tables: nobody plans their rows. */
enum kernel_map {
	MAP_DROP_EVENTS,
	MAP_UNDERLAY_EVENTS,
	MAP_CAPTURE_EVENTS,
	MAP_FLOW_ENDS,
	MAP_TUNNEL_DEVICES,
	MAP_TUNNEL_DEVICE_PORTS,
	MAP_UNDERLAY_DEVICES,
	KERNEL_MAPS,
};
extern const char *const kernel_map_names[KERNEL_MAPS];

#define KERNEL_FEATURES_MAX 24

struct kernel_datapath {
	struct datapath base;
	char *root;   /* .../weft/<instance> */
	char *tables; /* root/<layout> */
	int lock;     /* on root, as long as this is open; -1: none */
	struct weft *skeleton;
	int table_fd[TABLES];
	bool no_batch[TABLES]; /* the kernel has no batch operation for this kind of map */
	size_t mapped_size[TABLES];
	int map_fd[KERNEL_MAPS];
	int program_fd[PROGRAMS]; /* -1: not loaded, as long as nobody needs it */
	enum datapath_hook hook;  /* AUTO only where the kernel has tcx */
	uint32_t *unsettled;      /* devices that have a filter and are to be moved to tcx */
	size_t unsettled_count;
	size_t unsettled_room;
	struct map devices; /* ifindex -> what hangs there (kernel_attach.c) */
	size_t repair_position;
	struct netlink *netlink; /* kernel_attach.c; NULL until it is needed */
	struct ring_buffer *ring;
	struct ring_buffer *underlay_ring;
	struct ring_buffer *capture_ring;
	struct ring_buffer *flow_end_ring;
	datapath_event_fn *event_fn; /* of the datapath_events_read() that runs */
	datapath_underlay_event_fn *underlay_event_fn;
	datapath_capture_fn *capture_fn;
	datapath_flow_end_fn *flow_end_fn;
	void *event_context;
	int event_budget;
	size_t feature_count;
	struct datapath_feature features[KERNEL_FEATURES_MAX];
};

static inline struct kernel_datapath *kernel_of(struct datapath *datapath)
{
	return (struct kernel_datapath *)(void *)((char *)datapath -
						  offsetof(struct kernel_datapath, base));
}

/* ---- kernel_probe.c ---- */

/**
 * kernel_check_capabilities - whether this process may run a datapath
 *
 * Return: 0, or -EPERM and the names of what is missing.
 */
int kernel_check_capabilities(struct error *error);

/**
 * kernel_bpffs - path of the bpffs: WEFT_BPFFS or /sys/fs/bpf, mounted if it is not
 * @mount_it: whether to mount one where there is none
 *
 * Return: 0 with *@path set to a constant, or negative errno.
 */
int kernel_bpffs(bool mount_it, const char **path, struct error *error);

/**
 * kernel_probe - fill @kernel->features
 *
 * Return: 0, or -EOPNOTSUPP if something is missing that Weft cannot do without.
 */
int kernel_probe(struct kernel_datapath *kernel, struct error *error);

/** kernel_has_tcx - whether tcx links can be made (Linux 6.6) */
bool kernel_has_tcx(void);

const struct datapath_feature *kernel_features(struct datapath *datapath, size_t *count);
uint64_t kernel_memory(struct datapath *datapath);

/* ---- kernel_load.c ---- */

/**
 * kernel_load - load programs and tables; take over pinned tables, copy those that do not fit
 *
 * On success all tables are pinned and those of other layouts are gone. Programs that are attached
 * already are replaced on the way (kernel_attach_replace_all()).
 *
 * Return: 0 or negative errno.
 */
int kernel_load(struct kernel_datapath *kernel, const struct datapath_options *options,
		struct error *error);

/**
 * kernel_program - a program to hang on a device
 *
 * from_port and sweep are there from the start. The verifier looks at others, half a second each, when they
 * are needed for the first time: a host without others has no use for what comes out of tunnels.
 *
 * Return: its descriptor, which stays @kernel's, or negative errno.
 */
int kernel_program(struct kernel_datapath *kernel, enum kernel_program program,
		   struct error *error);

/**
 * kernel_pin_again - pin what somebody has unpinned
 *
 * Return: 1 if there was something, and all is pinned again; else 0.
 */
size_t kernel_pin_again(struct kernel_datapath *kernel);

/** kernel_unload - give up programs and maps; what is pinned stays */
void kernel_unload(struct kernel_datapath *kernel);

/** kernel_remove_tree - remove a directory of pins with all that is below; 0 if it is not there */
int kernel_remove_tree(const char *path);

/* ---- kernel_attach.c ---- */

int kernel_attach(struct datapath *datapath, uint32_t ifindex, uint32_t kind, struct error *error);
int kernel_attach_underlay(struct datapath *datapath, uint32_t ifindex, struct error *error);
int kernel_attach_uplink(struct datapath *datapath, uint32_t ifindex, struct error *error);
int kernel_attach_tunnel_device(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
				uint16_t port, struct error *error);
int kernel_attach_services(struct datapath *datapath, uint32_t ifindex, struct error *error);
int kernel_attach_punt(struct datapath *datapath, uint32_t ifindex, struct error *error);
int kernel_attach_segmenter(struct datapath *datapath, uint32_t ifindex, struct error *error);
int kernel_attach_mirror(struct datapath *datapath, uint32_t ifindex, struct error *error);
int kernel_detach(struct datapath *datapath, enum datapath_role role, uint32_t ifindex);
size_t kernel_attached(struct datapath *datapath, enum datapath_role role, uint32_t **ifindexes);

/**
 * kernel_attach_replace_all - put the loaded programs in the place of those that are attached
 *
 * Forgets devices that are gone, or whose index belongs to another device by now.
 *
 * Return: 0, or the first negative errno.
 */
int kernel_attach_replace_all(struct kernel_datapath *kernel, struct error *error);

int kernel_settle(struct datapath *datapath);
size_t kernel_repair(struct datapath *datapath);

/**
 * kernel_detach_all - take the programs off every device that @root remembers
 *
 * Return: 0, or the first negative errno.
 */
int kernel_detach_all(const char *root);

/* ---- kernel_flows.c ---- */

struct datapath_pieces *kernel_pieces_begin(struct datapath *datapath, enum table_id table);
int kernel_pieces_next(struct datapath_pieces *pieces, datapath_row_fn *fn, void *context);
void kernel_pieces_end(struct datapath_pieces *pieces);
int kernel_take_rows(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		     void *context);
int kernel_flow_ends_fd(struct datapath *datapath);
int kernel_flow_ends_read(struct datapath *datapath, datapath_flow_end_fn *fn, void *context,
			  int max);

/* ---- kernel_table.c ---- */

int kernel_put_many(struct datapath *datapath, enum table_id table, const void *keys,
		    const void *values, size_t count, size_t *done);
int kernel_remove(struct datapath *datapath, enum table_id table, const void *key);
int kernel_remove_many(struct datapath *datapath, enum table_id table, const void *keys,
		       size_t count);
int kernel_get(struct datapath *datapath, enum table_id table, const void *key, void *value);
int kernel_walk(struct datapath *datapath, enum table_id table, datapath_row_fn *fn, void *context);
int kernel_verdict(struct datapath *datapath, enum verdict verdict,
		   struct verdict_counter *counter);

/**
 * kernel_copy_rows - copy all rows of one map into a table
 * @from: descriptor of a map of the table's kind and key; any number of rows of any size. A row gives the
 *	first bytes of the new one, the rest is zero.
 * @table: the table copied into
 * @only_new: leave rows alone that @table has already
 *
 * Return: 0, -E2BIG if @table has no room for all, or another negative errno.
 */
int kernel_copy_rows(struct kernel_datapath *kernel, int from, enum table_id table, bool only_new);

#endif
