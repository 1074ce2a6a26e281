/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weftd: sets up in an order in which each step may still fail with a sentence, then runs the loop.
 *
 *	options -> lock of the state directory -> etcd, if it is run here -> store -> datapath -> host in
 *	line with the intent -> socket bound -> capabilities dropped -> service manager told -> loop
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

#include "agent/api/http.h"
#include "agent/cluster/cache.h"
#include "agent/cluster/cluster.h"
#include "agent/cluster/cluster_store.h"
#include "agent/cluster/etcd.h"
#include "agent/cluster/join_server.h"
#include "agent/devices/adoption.h"
#include "agent/devices/device.h"
#include "agent/devices/loops.h"
#include "agent/devices/mirrors.h"
#include "agent/devices/moves.h"
#include "agent/devices/stack.h"
#include "agent/isolate.h"
#include "agent/notify.h"
#include "agent/observe/capture.h"
#include "agent/observe/flow_log.h"
#include "agent/options.h"
#include "agent/services/dhcp.h"
#include "agent/services/hold.h"
#include "agent/services/leaving.h"
#include "agent/services/querier.h"
#include "agent/services/services.h"
#include "base/alloc.h"
#include "base/file.h"
#include "store/store_etcd.h"

#define ADOPTIONS_NAME "adopted.json"
#define FLOW_GUARANTEE 32 /* times 16,384 ports is the default size of the flow table */
#define EXIT_USAGE 2
#define RESTART_DELAY_NS (100 * CLOCK_NS_PER_MS) /* until the answer is on its way */

/* Everything that is open, in the order of opening. */
struct daemon {
	struct options options;
	struct cluster_config config;
	const char *host;
	int lock;
	struct loop *loop;
	struct loop_timer restart;
	bool again; /* start anew when the loop ends */
	struct etcd *etcd;
	char *own_member; /* URL of it */
	struct store *store;
	struct cache *cache;
	struct adoptions *adoptions;
	struct cluster *cluster;
	struct join_server *join_server;
	struct datapath *datapath;
	struct events *events;
	struct reconcile *reconcile;
	struct drops *drops;
	struct services *services;
	struct punt *punt;
	struct dhcp *dhcp;
	struct querier *querier;
	struct hold *hold;
	struct captures *captures;
	struct flow_logs *flow_logs;
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

/* Files were rotated. */
static void on_hangup(void *context, int signal_number)
{
	struct daemon *daemon = context;

	(void)signal_number;
	flow_logs_reopen(daemon->flow_logs);
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
	if (!code)
		code = loop_add_signal(daemon->loop, SIGHUP, on_hangup, daemon);
	signal(SIGPIPE, SIG_IGN);
	return code;
}

/* What the command line says goes before what `weft host init` and `join` left. */
static int read_config(struct daemon *daemon, struct error *error)
{
	const struct options *options = &daemon->options;
	struct cluster_config *config = &daemon->config;
	int code = cluster_config_read(options->state, config, error);

	if (code)
		return code;
	if (options->store) {
		bool shared = strcmp(options->store, "sqlite") != 0;

		cluster_config_fini(config);
		config->store = shared ? xstrdup(options->store) : NULL;
		config->store_ca = xstrdup(options->store_ca);
		config->store_certificate = xstrdup(options->store_certificate);
		config->store_key = xstrdup(options->store_key);
	}
	if (options->host || !config->host) {
		free(config->host);
		config->host = xstrdup(options->host ? options->host : options->default_host);
	}
	if (options->underlay_count) {
		memcpy(config->underlay, options->underlay, sizeof(config->underlay));
		config->underlay_count = options->underlay_count;
	}
	daemon->host = config->host;
	return 0;
}

static int open_own_store(struct daemon *daemon, struct error *error)
{
	char *path = xasprintf("%s/store.db", daemon->options.state);
	int code = store_open_sqlite(path, NULL, &daemon->store, error);

	if (code)
		error_prefix(error, "store %s", path);
	free(path);
	return code;
}

static int open_store(struct daemon *daemon, struct error *error)
{
	struct cluster_config *config = &daemon->config;
	int code = 0;

	if (!config->store) {
		code = open_own_store(daemon, error);
	} else {
		if (config->etcd_cluster)
			code = etcd_open(daemon->loop, daemon->options.state, config, &daemon->etcd,
					 error);
		if (!code && daemon->etcd)
			daemon->own_member =
				etcd_url(&config->underlay[0].address, ETCD_CLIENT_PORT);
		if (!code)
			code = cluster_store_open(config, &daemon->store, error);
		if (!code)
			code = cache_open(daemon->options.state, &daemon->cache, error);
	}
	return code ? code : store_attach(daemon->store, daemon->loop, error);
}

static int open_datapath(struct daemon *daemon, struct error *error)
{
	const struct datapath_options options = {
		.instance = daemon->options.name,
		.flow_capacity = daemon->options.flow_capacity,
		.hook = daemon->options.hook,
	};

	if (daemon->options.simulate) {
		daemon->datapath = datapath_open_dummy(&options);
		return 0;
	}
	return datapath_open_kernel(&options, &daemon->datapath, error);
}

/* Another member of the store: known from now on, and at the next start. */
static void on_member(void *context, const char *address)
{
	struct daemon *daemon = context;
	struct error error = { 0 };
	char *endpoint;

	if (!cluster_config_add_member(&daemon->config, address))
		return;
	daemon->api.store_name = daemon->config.store;
	endpoint = xasprintf("https://%s", address);
	if (store_etcd_add_endpoint(daemon->store, endpoint, &error) ||
	    (!daemon->options.store &&
	     cluster_config_write(daemon->options.state, &daemon->config, &error)))
		log_warning("a member of the store cannot be used", "text=\"%s\"", error.text);
	free(endpoint);
}

static int open_cluster(struct daemon *daemon, struct error *error)
{
	const struct cluster_options options = {
		.loop = daemon->loop,
		.store = daemon->store,
		.datapath = daemon->datapath,
		.host = daemon->host,
		.underlay = daemon->config.underlay,
		.underlay_count = daemon->config.underlay_count,
		.own_member = daemon->own_member ? daemon->own_member + strlen("https://") : NULL,
		.member = on_member,
		.member_context = daemon,
		.shared = daemon->config.store != NULL,
		.devices = !daemon->options.simulate,
		.instance = daemon->options.name,
		.adoptions = daemon->adoptions,
	};
	int code = cluster_open(&options, &daemon->cluster, error);

	return code ? code
		    : join_server_open(daemon->loop, daemon->options.state, &daemon->config,
				       &daemon->join_server, error);
}

/* What all hosts of the installation have alike: the authority of its store, or how it is reached. */
static int number_installation(const struct daemon *daemon, uint64_t *domain, struct error *error)
{
	const struct cluster_config *config = &daemon->config;
	struct buf text = { 0 };
	int code = 0;

	if (config->store_ca)
		code = file_read(config->store_ca, 1 << 20, &text, error);
	else if (config->store)
		buf_append_text(&text, config->store);
	if (!code)
		code = loops_domain(daemon->options.state, config->store ? buf_text(&text) : NULL,
				    domain, error);
	buf_fini(&text);
	return code;
}

/* What the pipeline tells of single packets. */
static void packet_event(void *context, const struct drop_event *event)
{
	struct daemon *daemon = context;

	moves_heard(cluster_moves(daemon->cluster), event);
	if (daemon->querier)
		leaving_heard(querier_leaving(daemon->querier), event);
}

static int open_reconcile(struct daemon *daemon, struct error *error)
{
	struct reconcile_options options = {
		.loop = daemon->loop,
		.store = daemon->store,
		.datapath = daemon->datapath,
		.shared = daemon->config.store != NULL,
		.cache = daemon->cache,
		.host = daemon->host,
		.instance = daemon->options.name,
		.ovsdb = daemon->options.ovsdb,
		.adoptions = daemon->adoptions,
		.devices = !daemon->options.simulate,
		.flow_capacity = daemon->options.flow_capacity,
		.flow_guarantee = FLOW_GUARANTEE,
	};
	int code;

	code = number_installation(daemon, &options.loop_domain, error);
	if (code)
		return code;
	daemon->events = events_new();
	options.events = daemon->events;
	options.cluster = cluster_callbacks(daemon->cluster);
	code = reconcile_open(&options, &daemon->reconcile, error);
	if (code)
		return code;
	daemon->drops = drops_new(daemon->loop, daemon->datapath,
				  reconcile_intent(daemon->reconcile), daemon->events,
				  daemon->host);
	daemon->captures = captures_new(daemon->loop, daemon->datapath, daemon->reconcile);
	cluster_start(daemon->cluster, daemon->reconcile);
	drops_listen(daemon->drops, packet_event, daemon);
	return 0;
}

static void open_flow_logs(struct daemon *daemon)
{
	const struct flow_logs_options options = {
		.loop = daemon->loop,
		.datapath = daemon->datapath,
		.reconcile = daemon->reconcile,
		.directory = daemon->options.flow_logs,
	};

	daemon->flow_logs = flow_logs_new(&options);
}

static void open_services(struct daemon *daemon)
{
	const struct services_options options = {
		.loop = daemon->loop,
		.datapath = daemon->datapath,
		.reconcile = daemon->reconcile,
		.instance = daemon->options.name,
	};

	daemon->services = services_open(&options);
}

/* Before the first DHCP client can ask; needs the intent. */
static int open_punt(struct daemon *daemon, struct error *error)
{
	int code = punt_open(daemon->loop, daemon->datapath, daemon->options.name, &daemon->punt,
			     error);

	if (!code)
		daemon->dhcp = dhcp_new(daemon->loop, daemon->punt, daemon->reconcile);
	if (!code)
		daemon->querier = querier_new(daemon->loop, daemon->punt, daemon->reconcile,
					      daemon->datapath);
	if (!code)
		daemon->hold =
			hold_new(daemon->loop, daemon->punt, daemon->datapath, daemon->reconcile);
	return code;
}

static void restart_now(void *context)
{
	struct daemon *daemon = context;

	daemon->again = true;
	loop_stop(daemon->loop);
}

static void restart_soon(void *context)
{
	struct daemon *daemon = context;

	loop_timer_init(&daemon->restart, restart_now, daemon);
	loop_timer_start(daemon->loop, &daemon->restart, RESTART_DELAY_NS, 0);
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
		.punt = daemon->punt,
		.dhcp = daemon->dhcp,
		.querier = daemon->querier,
		.hold = daemon->hold,
		.services = daemon->services,
		.captures = daemon->captures,
		.flow_logs = daemon->flow_logs,
		.cluster = daemon->cluster,
		.loop = daemon->loop,
		.store = daemon->store,
		.state = daemon->options.state,
		.restart = restart_soon,
		.restart_context = daemon,
		.instance = daemon->options.name,
		.store_name = daemon->config.store ? daemon->config.store : "sqlite",
		.started_ns = clock_monotonic_ns(NULL),
	};
	return http_open(daemon->loop, &daemon->api, &options, &daemon->http, error);
}

/* How devices of others were, before they were used here. */
static int open_adoptions(struct daemon *daemon, struct error *error)
{
	char *path = xasprintf("%s/" ADOPTIONS_NAME, daemon->options.state);
	int code =
		adoptions_open(daemon->options.simulate ? NULL : path, &daemon->adoptions, error);

	free(path);
	return code;
}

static int daemon_open(struct daemon *daemon, struct error *error)
{
	int code = daemon->options.simulate ? 0 : isolate_check(error);

	if (!code)
		code = open_state(daemon, error);
	if (!code)
		code = read_config(daemon, error);
	if (!code)
		code = open_loop(daemon, error);
	if (!code)
		code = open_store(daemon, error);
	if (!code)
		code = open_datapath(daemon, error);
	if (!code)
		code = open_adoptions(daemon, error);
	if (!code)
		code = open_cluster(daemon, error);
	if (!code)
		code = open_reconcile(daemon, error);
	if (!code)
		open_flow_logs(daemon);
	if (!code && !daemon->options.simulate) {
		open_services(daemon);
		code = open_punt(daemon, error);
	}
	if (!code)
		code = open_http(daemon, error);
	/* Last, because the socket's directory may be somebody's else; no request was read so far. */
	if (!code && !daemon->options.simulate)
		code = isolate_drop(error);
	return code;
}

static void daemon_close(struct daemon *daemon)
{
	http_close(daemon->http);
	join_server_close(daemon->join_server);
	services_close(daemon->services);
	dhcp_free(daemon->dhcp);
	querier_free(daemon->querier);
	hold_free(daemon->hold);
	punt_close(daemon->punt);
	captures_free(daemon->captures);
	flow_logs_free(daemon->flow_logs);
	drops_free(daemon->drops);
	reconcile_close(daemon->reconcile);
	cluster_close(daemon->cluster);
	adoptions_close(daemon->adoptions);
	events_free(daemon->events);
	datapath_close(daemon->datapath);
	cache_close(daemon->cache);
	store_close(daemon->store);
	etcd_close(daemon->etcd, daemon->options.end_etcd && !daemon->again);
	free(daemon->own_member);
	loop_timer_stop(&daemon->restart);
	loop_free(daemon->loop);
	cluster_config_fini(&daemon->config);
	file_unlock(daemon->lock);
}

/* A device without its pipeline would hand a tenant's packets to the host's own stack. */
static int remove_devices(struct daemon *daemon, struct error *error)
{
	const struct device_options options = {
		.loop = daemon->loop,
		.instance = daemon->options.name,
		.ovsdb = daemon->options.ovsdb,
		.adoptions = daemon->adoptions,
	};
	struct devices *devices;
	uint32_t *port_ids = NULL;
	int count, code = devices_open(&options, &devices, error);

	if (code)
		return code;
	count = devices_list(devices, &port_ids, error);
	code = count < 0 ? count : devices_unplug(devices, port_ids, (size_t)count, error);
	if (!code)
		code = mirrors_remove(daemon->options.name, error);
	free(port_ids);
	devices_close(devices);
	return code;
}

/* Those that are uplinks; what is a port's was put back before. */
static int release_uplinks(struct daemon *daemon, struct error *error)
{
	struct netlink *netlink;
	uint32_t *uplinks;
	size_t count = adoption_list(daemon->adoptions, true, &uplinks);
	int code = netlink_open(&netlink, -1, error);

	for (size_t i = 0; i < count && !code; i++)
		adoption_release(daemon->adoptions, netlink, uplinks[i]);
	if (!code) {
		code = stacks_remove(daemon->options.name, netlink, error);
		netlink_close(netlink);
	}
	free(uplinks);
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
		code = open_adoptions(daemon, error);
	if (!code)
		code = remove_devices(daemon, error);
	if (!code)
		code = datapath_destroy(daemon->options.name, error);
	if (!code)
		code = release_uplinks(daemon, error);
	adoptions_close(daemon->adoptions);
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

static int stop_etcd(struct daemon *daemon, struct error *error)
{
	int code = open_state(daemon, error);

	if (!code)
		code = etcd_stop(daemon->options.state, error);
	file_unlock(daemon->lock);
	return code;
}

/* From open to close, once. Return: 0 or negative errno. */
static int run(struct daemon *daemon, struct error *error)
{
	const struct options options = daemon->options;
	bool again = daemon->again;
	int code;

	*daemon = (struct daemon){ .options = options, .lock = -1 };
	code = daemon_open(daemon, error);
	if (!code) {
		log_notice("ready", "instance=%s version=%s pid=%d socket=%s store=%s",
			   daemon->options.name, WEFT_VERSION, (int)getpid(),
			   daemon->options.socket, daemon->api.store_name);
		if (!again)
			notify_manager("READY=1");
		code = loop_run(daemon->loop);
		if (code)
			error_set(error, code, NULL, "the event loop failed: %s", strerror(-code));
	}
	daemon_close(daemon);
	return code;
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
	if (daemon.options.stop_etcd)
		return stop_etcd(&daemon, &error) ? fail(&error, 1) : 0;
	do
		code = run(&daemon, &error);
	while (!code && daemon.again);
	if (code)
		return fail(&error, 1);
	log_notice("stopped", "instance=%s", daemon.options.name);
	return 0;
}
