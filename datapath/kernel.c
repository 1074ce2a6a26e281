/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel datapath: open, close, destroy, shared counters, connections, drop events.
 *
 * The parts with a life of their own are in kernel_probe.c, kernel_load.c, kernel_attach.c and
 * kernel_table.c; kernel.h says who does what and where things are pinned.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/log.h"
#include "base/netlink.h"
#include "datapath/kernel.h"

/* The tables whose memory the daemon and the pipeline share. */
static const enum table_id shared_tables[] = { TABLE_port_stats, TABLE_vpc_stats, TABLE_vpc_moves,
					       TABLE_state };

static void kernel_close(struct datapath *datapath)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	ring_buffer__free(kernel->ring);
	ring_buffer__free(kernel->underlay_ring);
	ring_buffer__free(kernel->capture_ring);
	ring_buffer__free(kernel->flow_end_ring);
	for (int table = 0; table < TABLES; table++) {
		if (kernel->base.mapped[table])
			munmap(kernel->base.mapped[table], kernel->mapped_size[table]);
	}
	kernel_unload(kernel);
	netlink_close(kernel->netlink);
	if (kernel->lock >= 0) {
		flock(kernel->lock, LOCK_UN); /* a child may have the descriptor, too */
		close(kernel->lock);
	}
	free(kernel->unsettled);
	map_fini(&kernel->devices, NULL);
	free(kernel->tables);
	free(kernel->root);
	free(kernel);
}

static int kernel_table_fd(struct datapath *datapath, enum table_id table)
{
	return kernel_of(datapath)->table_fd[table];
}

static int kernel_sweep(struct datapath *datapath, struct error *error)
{
	LIBBPF_OPTS(bpf_test_run_opts, run);
	int result = bpf_prog_test_run_opts(kernel_of(datapath)->program_fd[PROGRAM_SWEEP], &run);

	if (!result && run.retval)
		result = (int)run.retval < 0 ? (int)run.retval : -EIO;
	if (result)
		return error_set(error, result, NULL, "cannot sweep the connections: %s",
				 strerror(-result));
	return 0;
}

static int kernel_announce(struct datapath *datapath, uint32_t ifindex, const void *frame,
			   size_t size)
{
	struct __sk_buff context = { .ifindex = ifindex };
	int fd = kernel_of(datapath)->program_fd[PROGRAM_PORT];
	LIBBPF_OPTS(bpf_test_run_opts, run, .data_in = frame, .data_size_in = (__u32)size,
		    .ctx_in = &context, .ctx_size_in = sizeof(context), .repeat = 1);

	return fd < 0 ? -ENOENT : bpf_prog_test_run_opts(fd, &run);
}

/* ---- drop events ---- */

static int kernel_events_fd(struct datapath *datapath)
{
	return ring_buffer__epoll_fd(kernel_of(datapath)->ring);
}

/* Called by libbpf for each event. Negative ends the round; the event that says so is consumed. */
static int take_event(void *context, void *data, size_t size)
{
	struct kernel_datapath *kernel = context;

	if (size >= sizeof(struct drop_event))
		kernel->event_fn(kernel->event_context, data);
	kernel->event_budget--;
	return kernel->event_budget > 0 ? 0 : -ECANCELED;
}

static int kernel_events_read(struct datapath *datapath, datapath_event_fn *fn, void *context,
			      int max)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	if (max <= 0)
		return 0;
	kernel->event_fn = fn;
	kernel->event_context = context;
	kernel->event_budget = max;
	ring_buffer__consume(kernel->ring);
	return max - kernel->event_budget;
}

static int kernel_underlay_events_fd(struct datapath *datapath)
{
	return ring_buffer__epoll_fd(kernel_of(datapath)->underlay_ring);
}

static int take_underlay_event(void *context, void *data, size_t size)
{
	struct kernel_datapath *kernel = context;

	if (size >= sizeof(struct underlay_event))
		kernel->underlay_event_fn(kernel->event_context, data);
	kernel->event_budget--;
	return kernel->event_budget > 0 ? 0 : -ECANCELED;
}

static int kernel_underlay_events_read(struct datapath *datapath, datapath_underlay_event_fn *fn,
				       void *context, int max)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	if (max <= 0)
		return 0;
	kernel->underlay_event_fn = fn;
	kernel->event_context = context;
	kernel->event_budget = max;
	ring_buffer__consume(kernel->underlay_ring);
	return max - kernel->event_budget;
}

/* ---- packets that were watched ---- */

static int take_capture(void *context, void *data, size_t size)
{
	struct kernel_datapath *kernel = context;
	const struct capture_event *event = data;

	if (size >= sizeof(*event) && event->size <= size - sizeof(*event))
		kernel->capture_fn(kernel->event_context, event,
				   (const uint8_t *)data + sizeof(*event));
	kernel->event_budget--;
	return kernel->event_budget > 0 ? 0 : -ECANCELED;
}

static int kernel_captures_fd(struct datapath *datapath)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	if (!kernel->capture_ring)
		kernel->capture_ring = ring_buffer__new(kernel->map_fd[MAP_CAPTURE_EVENTS],
							take_capture, kernel, NULL);
	return kernel->capture_ring ? ring_buffer__epoll_fd(kernel->capture_ring) : -1;
}

static int kernel_captures_read(struct datapath *datapath, datapath_capture_fn *fn, void *context,
				int max)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	if (max <= 0)
		return 0;
	kernel->capture_fn = fn;
	kernel->event_context = context;
	kernel->event_budget = max;
	if (kernel->capture_ring)
		ring_buffer__consume(kernel->capture_ring);
	return max - kernel->event_budget;
}

/* ---- opening ---- */

static const struct datapath_operations kernel_operations = {
	.close = kernel_close,
	.put_many = kernel_put_many,
	.remove = kernel_remove,
	.remove_many = kernel_remove_many,
	.get = kernel_get,
	.walk = kernel_walk,
	.table_fd = kernel_table_fd,
	.attach = kernel_attach,
	.attach_underlay = kernel_attach_underlay,
	.attach_uplink = kernel_attach_uplink,
	.attach_tunnel_device = kernel_attach_tunnel_device,
	.attach_services = kernel_attach_services,
	.attach_punt = kernel_attach_punt,
	.attach_segmenter = kernel_attach_segmenter,
	.attach_mirror = kernel_attach_mirror,
	.detach = kernel_detach,
	.settle = kernel_settle,
	.repair = kernel_repair,
	.attached = kernel_attached,
	.verdict = kernel_verdict,
	.sweep = kernel_sweep,
	.announce = kernel_announce,
	.events_fd = kernel_events_fd,
	.events_read = kernel_events_read,
	.underlay_events_fd = kernel_underlay_events_fd,
	.underlay_events_read = kernel_underlay_events_read,
	.captures_fd = kernel_captures_fd,
	.captures_read = kernel_captures_read,
	.flow_ends_fd = kernel_flow_ends_fd,
	.flow_ends_read = kernel_flow_ends_read,
	.pieces_begin = kernel_pieces_begin,
	.pieces_next = kernel_pieces_next,
	.pieces_end = kernel_pieces_end,
	.take_rows = kernel_take_rows,
	.features = kernel_features,
	.memory = kernel_memory,
};

static int map_shared(struct kernel_datapath *kernel, struct error *error)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);

	for (size_t i = 0; i < ARRAY_SIZE(shared_tables); i++) {
		const enum table_id table = shared_tables[i];
		size_t size = (size_t)kernel->base.room[table] * datapath_tables[table].value_size;
		void *memory;

		size = (size + page - 1) / page * page;
		memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED,
			      kernel->table_fd[table], 0);
		if (memory == MAP_FAILED)
			return error_set(error, errno, NULL, "cannot map table %s: %s",
					 datapath_tables[table].name, strerror(errno));
		kernel->base.mapped[table] = memory;
		kernel->mapped_size[table] = size;
	}
	return 0;
}

static int check_instance(const char *instance, struct error *error)
{
	/* A bpffs takes no dots in names. */
	if (!*instance || strpbrk(instance, "./") || strlen(instance) > 63)
		return error_set(error, EINVAL, NULL,
				 "\"%s\" cannot be the name of a datapath: 1 to 63 characters, no "
				 "dot and no slash",
				 instance);
	return 0;
}

/* Of two daemons on one instance, each would take the rows of the other for left-overs. */
static int kernel_lock(struct kernel_datapath *kernel, struct error *error)
{
	int result = file_make_directories(kernel->root, 0700, error);

	if (result)
		return result;
	kernel->lock = open(kernel->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (kernel->lock < 0)
		return error_set(error, errno, NULL, "cannot open %s: %s", kernel->root,
				 strerror(errno));
	if (!flock(kernel->lock, LOCK_EX | LOCK_NB))
		return 0;
	if (errno == EWOULDBLOCK)
		return error_set(error, EWOULDBLOCK, NULL,
				 "another weftd uses the datapath %s; stop it, or give this one a "
				 "--name of its own",
				 kernel->root);
	return error_set(error, errno, NULL, "cannot lock %s: %s", kernel->root, strerror(errno));
}

static int choose_hook(struct kernel_datapath *kernel, enum datapath_hook hook, struct error *error)
{
	const bool tcx = kernel_has_tcx();

	kernel->hook = hook == DATAPATH_HOOK_AUTO && !tcx ? DATAPATH_HOOK_CLSACT : hook;
	if (hook == DATAPATH_HOOK_TCX && !tcx)
		return error_set(error, EOPNOTSUPP, NULL,
				 "the kernel has no tcx: Linux 6.6 has it, use clsact");
	return 0;
}

int datapath_open_kernel(const struct datapath_options *options, struct datapath **datapath,
			 struct error *error)
{
	struct kernel_datapath *kernel;
	struct datapath_state *state;
	const char *bpffs;
	int result = check_instance(options->instance, error);

	if (!result)
		result = kernel_check_capabilities(error);
	if (!result)
		result = kernel_bpffs(true, &bpffs, error);
	if (result)
		return result;
	kernel = xcalloc(1, sizeof(*kernel));
	kernel->base.operations = &kernel_operations;
	kernel->lock = -1;
	for (int program = 0; program < PROGRAMS; program++)
		kernel->program_fd[program] = -1;
	kernel->root = xasprintf("%s/weft/%s", bpffs, options->instance);
	kernel->tables = xasprintf("%s/%d", kernel->root, WEFT_LAYOUT);
	result = choose_hook(kernel, options->hook, error);
	if (!result)
		result = kernel_probe(kernel, error);
	if (!result)
		result = kernel_lock(kernel, error);
	if (!result)
		result = kernel_load(kernel, options, error);
	if (!result)
		result = map_shared(kernel, error);
	if (!result) {
		kernel->ring =
			ring_buffer__new(kernel->map_fd[MAP_DROP_EVENTS], take_event, kernel, NULL);
		kernel->underlay_ring = ring_buffer__new(kernel->map_fd[MAP_UNDERLAY_EVENTS],
							 take_underlay_event, kernel, NULL);
		if (!kernel->ring || !kernel->underlay_ring)
			result = error_set(error, errno, NULL, "cannot read events: %s",
					   strerror(errno));
	}
	if (result) {
		kernel_close(&kernel->base);
		return result;
	}
	state = datapath_state(&kernel->base);
	__atomic_store_n(&state->event_rate,
			 options->event_rate ? options->event_rate : DATAPATH_EVENT_RATE,
			 __ATOMIC_RELAXED);
	__atomic_store_n(&state->icmp_rate, DATAPATH_ICMP_RATE, __ATOMIC_RELAXED);
	__atomic_store_n(&state->service_rate, DATAPATH_SERVICE_RATE, __ATOMIC_RELAXED);
	__atomic_store_n(&state->punt_rate, DATAPATH_PUNT_RATE, __ATOMIC_RELAXED);
	__atomic_store_n(&state->hold_rate, DATAPATH_HOLD_RATE, __ATOMIC_RELAXED);
	__atomic_store_n(&state->hold_total_rate, DATAPATH_HOLD_TOTAL_RATE, __ATOMIC_RELAXED);
	*datapath = &kernel->base;
	return 0;
}

int datapath_destroy(const char *instance, struct error *error)
{
	const char *bpffs;
	char *root, *above;
	int result = check_instance(instance, error), detached;

	if (!result)
		result = kernel_check_capabilities(error);
	if (result)
		return result;
	/* Without a bpffs nothing can be pinned. */
	if (kernel_bpffs(false, &bpffs, NULL))
		return 0;
	root = xasprintf("%s/weft/%s", bpffs, instance);
	above = xasprintf("%s/weft", bpffs);
	detached = kernel_detach_all(root);
	result = kernel_remove_tree(root);
	if (result || detached)
		result = error_set(error, result ? result : detached, NULL,
				   "cannot remove all of %s: %s", root,
				   strerror(result ? -result : -detached));
	else
		rmdir(above); /* fails while other instances are there, as it should */
	free(above);
	free(root);
	return result;
}
