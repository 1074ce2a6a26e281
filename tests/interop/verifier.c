/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether the running kernel takes the programs: each of them alone is loaded and run once.
 *
 * A refusal is shown with the end of what the verifier said; a program that is taken, with the number
 * of instructions the verifier walked. What the programs decide is for tests/vectors to say: here the
 * tables are empty, so the ports' programs know no port, the underlay's no tunnel, and the sweep finds two
 * rows that are nobody's.
 *
 * kernel61.sh runs this in Linux 6.1, the oldest kernel supported. Prints TAP; needs root.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <bpf/bpf.h>

#include "build/weft.skel.h"
#include "core/tables.h"
#include "core/verdict.h"

#define LOG_SIZE (64 << 20) /* not paged in before it is written */
#define LOG_TAIL_LINES 40
#define LOG_STATISTICS 4 /* BPF_LOG_STATS: the refusal and the last line, not every instruction */
#define LOG_WALK 1
#define TC_ACT_SHOT 2
#define TC_ACT_UNSPEC (-1)
#define ROWS 16

static char log_text[LOG_SIZE];
static int test_number, failures;

static void say(bool good, const char *program, const char *what)
{
	printf("%s %d - %s %s\n", good ? "ok" : "not ok", ++test_number, program, what);
	failures += !good;
}

static int quiet(enum libbpf_print_level level, const char *format, va_list arguments)
{
	(void)level;
	(void)format;
	(void)arguments;
	return 0;
}

/* The object with one program loaded, or NULL and errno. */
static struct weft *load(const char *name, __u32 log_level)
{
	struct weft *weft = weft__open();
	struct bpf_program *program;
	int error;

	if (!weft)
		return NULL;
	*log_text = '\0';
	bpf_map__set_max_entries(weft->maps.flows, ROWS);
	bpf_object__for_each_program(program, weft->obj)
		bpf_program__set_autoload(program, !strcmp(bpf_program__name(program), name));
	program = bpf_object__find_program_by_name(weft->obj, name);
	bpf_program__set_log_level(program, log_level);
	bpf_program__set_log_buf(program, log_text, sizeof(log_text));
	error = weft__load(weft);
	if (!error)
		return weft;
	weft__destroy(weft);
	errno = -error;
	return NULL;
}

/* The lines of the log from the one that begins with a word, or the last LOG_TAIL_LINES. */
static void show_log(const char *word)
{
	char *begin = word ? strstr(log_text, word) : NULL, *end = log_text + strlen(log_text);

	for (int lines = 0; !begin && end > log_text; end--)
		if (end[-1] == '\n' && ++lines > LOG_TAIL_LINES)
			begin = end;
	begin = begin ? begin : log_text;
	for (char *line = strtok(begin, "\n"); line; line = strtok(NULL, "\n"))
		printf("# %s\n", line);
}

/* What becomes of a UDP datagram from nowhere. */
static bool run_once(struct weft *weft, const char *name, int action, __u32 verdict)
{
	struct bpf_program *program = bpf_object__find_program_by_name(weft->obj, name);
	unsigned char frame[64] = { 0x45, [9] = 17, [12] = 0x08, 0, 0x45, [23] = 17 }, out[256];
	struct __sk_buff context = { .ifindex = 1 };
	LIBBPF_OPTS(bpf_test_run_opts, options, .data_in = frame, .data_size_in = sizeof(frame),
		    .data_out = out, .data_size_out = sizeof(out), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .ctx_out = &context,
		    .ctx_size_out = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(bpf_program__fd(program), &options)) {
		printf("# the run failed: %s\n", strerror(errno));
		return false;
	}
	printf("# %s: action %d, verdict %u\n", name, (int)options.retval, context.cb[0]);
	return (int)options.retval == action && context.cb[0] == verdict;
}

static bool is_empty(struct bpf_map *map)
{
	unsigned char key[256];

	return bpf_map_get_next_key(bpf_map__fd(map), NULL, key) && errno == ENOENT;
}

static bool run_sweep(struct weft *weft)
{
	LIBBPF_OPTS(bpf_test_run_opts, options);
	struct flow_key flow_key = { .port_id = 7 };
	struct flow flow = { 0 };
	struct station_key station_key = { .subnet_id = 7 };
	struct station station = { .port_id = 7 };
	struct datapath_state state = { 0 };
	__u32 zero = 0;

	if (bpf_map_update_elem(bpf_map__fd(weft->maps.flows), &flow_key, &flow, BPF_ANY) ||
	    bpf_map_update_elem(bpf_map__fd(weft->maps.stations), &station_key, &station,
				BPF_ANY) ||
	    bpf_prog_test_run_opts(bpf_program__fd(weft->progs.sweep), &options) ||
	    bpf_map_lookup_elem(bpf_map__fd(weft->maps.state), &zero, &state)) {
		printf("# the run failed: %s\n", strerror(errno));
		return false;
	}
	printf("# sweep: returned %u, removed %llu connections\n", options.retval,
	       state.sweep_removed);
	return !options.retval && state.sweep_removed == 1 && is_empty(weft->maps.flows) &&
	       is_empty(weft->maps.stations);
}

static void check(const char *name)
{
	struct weft *weft = load(name, LOG_STATISTICS);

	say(weft != NULL, name, "is taken by the verifier");
	if (!weft) {
		printf("# %s\n", strerror(errno));
		weft = load(name, LOG_WALK);
		show_log(NULL);
		weft__destroy(weft);
		return;
	}
	show_log("processed ");
	if (!strcmp(name, "sweep"))
		say(run_sweep(weft), name, "removes rows that are nobody's");
	else if (!strcmp(name, "from_underlay") || !strcmp(name, "from_underlay_raw"))
		say(run_once(weft, name, TC_ACT_UNSPEC, 0), name,
		    "leaves what is no tunnel's alone");
	else if (!strcmp(name, "from_uplink") || !strcmp(name, "from_services") ||
		 !strcmp(name, "from_punt") || !strcmp(name, "from_mirror"))
		return weft__destroy(weft); /* the vectors run it */
	else if (!strcmp(name, "from_segmenter"))
		say(run_once(weft, name, TC_ACT_SHOT, 0), name, "drops what bears no mark");
	else if (!strcmp(name, "from_tunnel_device"))
		say(run_once(weft, name, TC_ACT_SHOT, 0), name, "drops what comes from no tunnel");
	else
		say(run_once(weft, name, TC_ACT_SHOT, VERDICT_UNKNOWN_PORT), name,
		    "drops what comes from no port");
	weft__destroy(weft);
}

int main(void)
{
	static const char *const programs[] = { "from_port",          "from_underlay",
						"from_underlay_raw",  "from_uplink",
						"from_tunnel_device", "from_services",
						"from_punt",          "from_mirror",
						"from_segmenter",     "sweep" };
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	libbpf_set_print(quiet);
	for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		check(programs[i]);
	printf("1..%d\n", test_number);
	return failures ? 1 : 0;
}
