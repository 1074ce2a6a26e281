/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel side of the vectors: the same programs and maps as weftd's, run by BPF_PROG_TEST_RUN.
 *
 * Nothing is pinned and nothing attached. The verifier takes seconds to walk the programs, so they are loaded
 * once, and for each world the maps are emptied. Frames come in as from lo; the attachment of lo is set to the
 * sending port before each run. The program leaves its verdict in the control block of the context.
 */
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>

#include <bpf/bpf.h>

#include "build/weft.skel.h"
#include "tests/vectors/vector.h"

#define TC_ACT_REDIRECT 7
#define TC_ACT_UNSPEC (-1)
#define LOOPBACK_IFINDEX 1

static struct weft *weft;
static int fds[TABLES];
static struct ring_buffer *ends; /* of connections with a log */
static struct flow_end last_end;

static void kernel_unload(void)
{
	ring_buffer__free(ends);
	ends = NULL;
	weft__destroy(weft);
	weft = NULL;
}

static int forget_event(void *context, void *data, size_t size)
{
	(void)context;
	(void)data;
	(void)size;
	return 0;
}

static void empty_ring(int fd)
{
	struct ring_buffer *ring = ring_buffer__new(fd, forget_event, NULL, NULL);

	if (!ring || ring_buffer__consume(ring) < 0)
		vector_fail("kernel: a ring is not emptied: %s", strerror(errno));
	ring_buffer__free(ring);
}

static void zero_rows(const struct bpf_map *map)
{
	size_t size = (bpf_map__value_size(map) + 7) / 8 * 8;
	int fd = bpf_map__fd(map), failed = 0;
	void *row;

	if (bpf_map__map_flags(map) & BPF_F_MMAPABLE) {
		size *= bpf_map__max_entries(map);
		row = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		if (row == MAP_FAILED)
			vector_fail("kernel: %s is not mapped", bpf_map__name(map));
		memset(row, 0, size);
		munmap(row, size);
		return;
	}
	row = calloc((size_t)libbpf_num_possible_cpus(), size);
	for (__u32 i = 0; i < bpf_map__max_entries(map); i++)
		failed |= bpf_map_update_elem(fd, &i, row, BPF_ANY);
	free(row);
	if (failed)
		vector_fail("kernel: %s is not emptied", bpf_map__name(map));
}

static void remove_rows(const struct bpf_map *map)
{
	unsigned char key[64], next[64];
	int fd = bpf_map__fd(map);
	bool more = !bpf_map_get_next_key(fd, NULL, next);

	while (more) {
		memcpy(key, next, sizeof(key));
		more = !bpf_map_get_next_key(fd, key, next);
		if (bpf_map_delete_elem(fd, key))
			vector_fail("kernel: %s is not emptied", bpf_map__name(map));
	}
}

static void empty_maps(void)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, weft->obj)
	{
		unsigned int type = bpf_map__type(map);

		if (bpf_map__is_internal(map)) /* constants alone */
			continue;
		if (type == BPF_MAP_TYPE_RINGBUF)
			empty_ring(bpf_map__fd(map));
		else if (type == BPF_MAP_TYPE_ARRAY || type == BPF_MAP_TYPE_PERCPU_ARRAY)
			zero_rows(map);
		else
			remove_rows(map);
	}
}

static int take_end(void *context, void *data, size_t size)
{
	(void)context;
	if (size < sizeof(last_end))
		vector_fail("kernel: an end of %zu bytes", size);
	memcpy(&last_end, data, sizeof(last_end));
	return 0;
}

static size_t kernel_ends(struct flow_end *last)
{
	int count = ring_buffer__consume(ends);

	if (count < 0)
		vector_fail("kernel: the ring of ends is not read: %s", strerror(-count));
	*last = last_end;
	return (size_t)count;
}

/* What a packet leaves in a table of its CPU (the ways, the ring of connections that ended) the next one finds. */
static void stay_on_cpu(void)
{
	cpu_set_t cpus;
	int cpu = sched_getcpu();

	CPU_ZERO(&cpus);
	CPU_SET((size_t)(cpu > 0 ? cpu : 0), &cpus);
	if (sched_setaffinity(0, sizeof(cpus), &cpus))
		vector_fail("kernel: the runner does not stay on a CPU: %s", strerror(errno));
}

static void load_once(void)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	stay_on_cpu();
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	weft = weft__open();
	if (!weft)
		vector_fail("kernel: the programs cannot be opened: %s", strerror(errno));
	bpf_map__set_max_entries(weft->maps.flows, 8192);
	weft->rodata->underlay_dry_run = 1; /* there are no routes in this place */
	if (weft__load(weft))
		vector_fail("kernel: the programs cannot be loaded: %s", strerror(errno));
	for (int i = 0; i < TABLES; i++)
		fds[i] = bpf_object__find_map_fd_by_name(weft->obj, table_name((enum table_id)i));
	ends = ring_buffer__new(bpf_map__fd(weft->maps.flow_ends), take_end, NULL, NULL);
	if (!ends)
		vector_fail("kernel: no ring of ends: %s", strerror(errno));
}

static void kernel_load(void)
{
	__u32 zero = 0;

	if (weft)
		empty_maps();
	else
		load_once();
	if (bpf_map_update_elem(fds[TABLE_state], &zero, &tables_state, BPF_ANY))
		vector_fail("kernel: no state row: %s", strerror(errno));
}

static void kernel_put(enum table_id table, const void *key, const void *value)
{
	if (bpf_map_update_elem(fds[table], key, value, BPF_ANY))
		vector_fail("kernel: row of %s not taken: %s", table_name(table), strerror(errno));
}

static void kernel_remove(enum table_id table, const void *key)
{
	bpf_map_delete_elem(fds[table], key);
}

static bool kernel_get(enum table_id table, const void *key, void *value)
{
	return !bpf_map_lookup_elem(fds[table], key, value);
}

static void kernel_walk(enum table_id table, void (*fn)(void *, const void *, const void *),
			void *context)
{
	unsigned char key[64], next[64], value[1024];
	void *previous = NULL;

	while (!bpf_map_get_next_key(fds[table], previous, next)) {
		memcpy(key, next, table_key_size(table));
		previous = key;
		if (!bpf_map_lookup_elem(fds[table], key, value))
			fn(context, key, value);
	}
}

static bool run_marked(struct bpf_program *program, const struct vector_frame *frame, uint32_t mark,
		       struct outcome *outcome)
{
	struct __sk_buff context = {
		.ifindex = LOOPBACK_IFINDEX,
		.mark = frame->returned ? PUNT_RETURNED_MARK : mark,
		.gso_size = frame->segment_size,
		.gso_segs = frame->segment_size ? 2 : 0,
	};
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame->data,
		    .data_size_in = (__u32)frame->size, .data_out = outcome->data,
		    .data_size_out = sizeof(outcome->data), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &options)) {
		/* BPF_PROG_TEST_RUN takes no frame that is shorter than its IP header. */
		if (errno == EINVAL && frame->size < 14 + 40)
			return false;
		vector_fail("kernel: the run failed: %s", strerror(errno));
	}
	outcome->verdict = context.cb[0];
	outcome->object_id = context.cb[1];
	outcome->out_port_id = context.cb[2];
	outcome->replied =
		options.retval == TC_ACT_REDIRECT && outcome->verdict != VERDICT_DELIVERED &&
		outcome->verdict != VERDICT_SENT_ON && outcome->verdict != VERDICT_SERVED &&
		outcome->verdict != VERDICT_PUNTED && outcome->verdict != VERDICT_HELD;
	outcome->size = options.data_size_out;
	outcome->tag = context.cb[4];
	outcome->class = context.priority;
	/* Left to the host without a look into it; what is for all on the wire is the host's besides. */
	if ((int)options.retval == TC_ACT_UNSPEC && !outcome->verdict)
		outcome->verdict = VERDICT_NOT_OURS;
	return true;
}

static bool run_program(struct bpf_program *program, const struct vector_frame *frame,
			struct outcome *outcome)
{
	return run_marked(program, frame, 0, outcome);
}

static bool kernel_run(const struct attachment *attachment, const struct vector_frame *frame,
		       struct outcome *outcome)
{
	struct attachment_key lo = { .ifindex = LOOPBACK_IFINDEX };

	kernel_put(TABLE_attachments, &lo, attachment);
	return run_program(weft->progs.from_port, frame, outcome);
}

static bool kernel_receive(const struct vector_frame *frame, struct outcome *outcome)
{
	return run_program(weft->progs.from_underlay, frame, outcome);
}

static bool kernel_hear(const struct vector_frame *frame, struct outcome *outcome)
{
	return run_program(weft->progs.from_uplink, frame, outcome);
}

static bool kernel_answer(const struct vector_frame *frame, struct outcome *outcome)
{
	return run_program(weft->progs.from_services, frame, outcome);
}

static bool kernel_punt(const struct vector_frame *frame, struct outcome *outcome)
{
	return run_program(weft->progs.from_punt, frame, outcome);
}

static bool kernel_mirror(const struct vector_frame *frame, uint32_t mark, struct outcome *outcome)
{
	return run_marked(weft->progs.from_mirror, frame, mark, outcome);
}

const struct side kernel_side = {
	.name = "kernel",
	.load = kernel_load,
	.put = kernel_put,
	.remove = kernel_remove,
	.get = kernel_get,
	.walk = kernel_walk,
	.run = kernel_run,
	.run_underlay = kernel_receive,
	.run_punt = kernel_punt,
	.run_mirror = kernel_mirror,
	.run_service = kernel_answer,
	.run_uplink = kernel_hear,
	.ends = kernel_ends,
	.unload = kernel_unload,
};
