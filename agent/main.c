/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weftd: sets up in an order in which each step may still fail with a sentence, then runs the loop.
 *
 *	options -> lock of the state directory -> store -> datapath -> host in line with the intent
 *	-> socket bound -> capabilities dropped -> service manager told -> loop
 *
 * Ending, however it comes about, leaves the datapath as it is: it forwards without us, and the next start
 * takes it over.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "agent/device.h"
#include "agent/http.h"
#include "agent/isolate.h"
#include "agent/notify.h"
#include "agent/options.h"
#include "base/alloc.h"
#include "base/file.h"

#define FLOW_GUARANTEE 32 /* times 16,384 ports is the default size of the flow table */
#define EXIT_USAGE 2

/* Everything that is open, in the order of opening. */
struct daemon {
	struct options options;
	int lock;
	struct loop *loop;
	struct store *store;
	struct datapath *datapath;
	struct events *events;
	struct reconcile *reconcile;
	struct drops *drops;
	struct api api;
	struct http *http;
};

static void on_signal(void *context, int signal_number)
{
	struct daemon *daemon = context;

	log_notice("stopping", "signal=%d", signal_number);
	notify_manager("STOPPING=1");
	loop_stop(daemon->loop);
}

static int open_state(struct daemon *daemon, struct error *error)
{
	struct options *options = &daemon->options;
	char *path;
	int code = file_make_directories(options->state, 0700, error);

	if (code)
		return code;
	path = xasprintf("%s/lock", options->state);
	daemon->lock = file_lock(path, error);
	free(path);
	if (daemon->lock < 0) {
		if (daemon->lock == -EWOULDBLOCK)
			error_prefix(error, "another weftd runs on the state directory %s",
				     options->state);
		return daemon->lock;
	}
	return 0;
}

static int open_loop(struct daemon *daemon, struct error *error)
{
	int code = loop_new(&daemon->loop, NULL, error);

	if (!code)
		code = loop_add_signal(daemon->loop, SIGTERM, on_signal, daemon);
	if (!code)
		code = loop_add_signal(daemon->loop, SIGINT, on_signal, daemon);
	signal(SIGPIPE, SIG_IGN);
	return code;
}

static int open_store(struct daemon *daemon, struct error *error)
{
	char *path = xasprintf("%s/store.db", daemon->options.state);
	int code = store_open_sqlite(path, NULL, &daemon->store, error);

	if (code)
		error_prefix(error, "store %s", path);
	free(path);
	return code;
}

static int open_datapath(struct daemon *daemon, struct error *error)
{
	const struct datapath_options options = {
		.instance = daemon->options.name,
		.flow_capacity = daemon->options.flow_capacity,
		.hook = daemon->options.hook,
	};

	return datapath_open_kernel(&options, &daemon->datapath, error);
}

static int open_reconcile(struct daemon *daemon, struct error *error)
{
	struct reconcile_options options = {
		.loop = daemon->loop,
		.store = daemon->store,
		.datapath = daemon->datapath,
		.host = daemon->options.host,
		.instance = daemon->options.name,
		.devices = true,
		.flow_capacity = daemon->options.flow_capacity,
		.flow_guarantee = FLOW_GUARANTEE,
	};
	int code;

	daemon->events = events_new();
	options.events = daemon->events;
	code = reconcile_open(&options, &daemon->reconcile, error);
	if (code)
		return code;
	daemon->drops = drops_new(daemon->loop, daemon->datapath,
				  reconcile_intent(daemon->reconcile), daemon->events,
				  daemon->options.host);
	return 0;
}

static int open_http(struct daemon *daemon, struct error *error)
{
	const struct http_options options = {
		.socket_path = daemon->options.socket,
		.listen = daemon->options.listen,
		.certificate_path = daemon->options.certificate,
		.key_path = daemon->options.key,
		.token_path = daemon->options.token_file,
	};

	daemon->api = (struct api){
		.reconcile = daemon->reconcile,
		.datapath = daemon->datapath,
		.events = daemon->events,
		.drops = daemon->drops,
		.instance = daemon->options.name,
		.store_name = daemon->options.store,
		.started_ns = clock_monotonic_ns(NULL),
	};
	return http_open(daemon->loop, &daemon->api, &options, &daemon->http, error);
}

static int daemon_open(struct daemon *daemon, struct error *error)
{
	int code = isolate_check(error);

	if (!code)
		code = open_state(daemon, error);
	if (!code)
		code = open_loop(daemon, error);
	if (!code)
		code = open_store(daemon, error);
	if (!code)
		code = open_datapath(daemon, error);
	if (!code)
		code = open_reconcile(daemon, error);
	if (!code)
		code = open_http(daemon, error);
	/* Last, because the socket's directory may be somebody's else; no request was read so far. */
	if (!code)
		code = isolate_drop(error);
	return code;
}

static void daemon_close(struct daemon *daemon)
{
	http_close(daemon->http);
	drops_free(daemon->drops);
	reconcile_close(daemon->reconcile);
	events_free(daemon->events);
	datapath_close(daemon->datapath);
	store_close(daemon->store);
	loop_free(daemon->loop);
	file_unlock(daemon->lock);
}

/* A device without its pipeline would hand a tenant's packets to the host's own stack. */
static int remove_devices(struct daemon *daemon, struct error *error)
{
	const struct device_options options = {
		.loop = daemon->loop,
		.instance = daemon->options.name,
	};
	struct devices *devices;
	uint32_t *port_ids = NULL;
	int count, code = devices_open(&options, &devices, error);

	if (code)
		return code;
	count = devices_list(devices, &port_ids, error);
	code = count < 0 ? count : devices_unplug(devices, port_ids, (size_t)count, error);
	free(port_ids);
	devices_close(devices);
	return code;
}

/* Devices, then programs and tables; only while no daemon uses them. */
static int remove_datapath(struct daemon *daemon, struct error *error)
{
	int code = isolate_check(error);

	if (!code)
		code = open_state(daemon, error);
	if (!code)
		code = open_loop(daemon, error);
	if (!code)
		code = remove_devices(daemon, error);
	if (!code)
		code = datapath_destroy(daemon->options.name, error);
	loop_free(daemon->loop);
	file_unlock(daemon->lock);
	return code;
}

/* Without standard files their numbers would go to a table or the store, and the log into it. */
static void fill_standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

static int fail(const struct error *error, int status)
{
	fprintf(stderr, "weftd: %s\n", error->text);
	return status;
}

int main(int argc, char **argv)
{
	struct daemon daemon = { .lock = -1 };
	struct error error = { 0 };
	int code;

	fill_standard_files();
	code = options_read(&daemon.options, argc, argv, &error);
	if (code)
		return fail(&error, EXIT_USAGE);
	log_open(daemon.options.log_level);
	if (daemon.options.help) {
		options_print_help();
		return 0;
	}
	if (daemon.options.version) {
		printf("weftd %s\n", WEFT_VERSION);
		return 0;
	}
	if (daemon.options.remove_datapath)
		return remove_datapath(&daemon, &error) ? fail(&error, 1) : 0;
	code = daemon_open(&daemon, &error);
	if (!code) {
		log_notice("ready", "instance=%s version=%s pid=%d socket=%s", daemon.options.name,
			   WEFT_VERSION, (int)getpid(), daemon.options.socket);
		notify_manager("READY=1");
		code = loop_run(daemon.loop);
		if (code)
			error_set(&error, code, NULL, "the event loop failed: %s", strerror(-code));
	}
	daemon_close(&daemon);
	if (code)
		return fail(&error, 1);
	log_notice("stopped", "instance=%s", daemon.options.name);
	return 0;
}
