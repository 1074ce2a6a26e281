/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The table of weftd's options; --help and the parser are made from it.
 */
#include "agent/options.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "model/object.h"

#define FLOW_CAPACITY_DEFAULT 131072
#define FLOW_CAPACITY_MIN 1024
#define FLOW_CAPACITY_MAX (64U << 20)

enum option_id {
	OPTION_NAME = 1000,
	OPTION_HOST,
	OPTION_STATE,
	OPTION_SOCKET,
	OPTION_LISTEN,
	OPTION_CERTIFICATE,
	OPTION_KEY,
	OPTION_TOKEN_FILE,
	OPTION_STORE,
	OPTION_STORE_CA,
	OPTION_STORE_CERTIFICATE,
	OPTION_STORE_KEY,
	OPTION_UNDERLAY,
	OPTION_END_ETCD,
	OPTION_STOP_ETCD,
	OPTION_FLOWS,
	OPTION_FLOW_LOGS,
	OPTION_HOOK,
	OPTION_OVSDB,
	OPTION_LOG_LEVEL,
	OPTION_REMOVE_DATAPATH,
	OPTION_SIMULATE,
	OPTION_VERSION,
	OPTION_HELP,
};

static const struct option_row {
	enum option_id id;
	const char *name;
	const char *argument; /* NULL: none */
	const char *help;
} rows[] = {
	{ OPTION_NAME, "name", "INSTANCE", "name of this daemon (default: default)" },
	{ OPTION_HOST, "host", "NAME", "name of this host in the intent (default: its hostname)" },
	{ OPTION_STATE, "state", "DIR", "where the store is (default: /var/lib/weft/INSTANCE)" },
	{ OPTION_SOCKET, "socket", "PATH", "unix socket (default: /run/weft/INSTANCE.sock)" },
	{ OPTION_LISTEN, "listen", "ADDR:PORT", "serve TLS there as well" },
	{ OPTION_CERTIFICATE, "tls-certificate", "FILE", "PEM certificate, for --listen" },
	{ OPTION_KEY, "tls-key", "FILE", "PEM key, for --listen" },
	{ OPTION_TOKEN_FILE, "token-file", "FILE", "bearer token clients must send, for --listen" },
	{ OPTION_STORE, "store", "STORE",
	  "sqlite, in the state directory, or etcd://A:2379,B:2379, etcds:// for TLS (default: what "
	  "`weft host init` or `join` chose, else sqlite)" },
	{ OPTION_STORE_CA, "store-ca", "FILE", "PEM of the authority of etcds://" },
	{ OPTION_STORE_CERTIFICATE, "store-cert", "FILE", "PEM certificate shown to etcds://" },
	{ OPTION_STORE_KEY, "store-key", "FILE", "PEM key of it" },
	{ OPTION_UNDERLAY, "underlay", "ADDR[,ADDR]",
	  "underlay addresses of this host, for its first start in a cluster" },
	{ OPTION_END_ETCD, "end-etcd", NULL,
	  "end the etcd that is run here when weftd is stopped" },
	{ OPTION_STOP_ETCD, "stop-etcd", NULL, "end the etcd that is run here, and nothing else" },
	{ OPTION_HOOK, "hook", "auto|clsact|tcx",
	  "how programs hang on devices (default: auto, tcx once a device has settled, from Linux "
	  "6.6)" },
	{ OPTION_OVSDB, "ovsdb", "PATH",
	  "socket of Open vSwitch's database (default: /run/openvswitch/db.sock)" },
	{ OPTION_FLOWS, "flows", "N", "connections the flow table holds (default: 131072)" },
	{ OPTION_FLOW_LOGS, "flow-logs", "DIR",
	  "where flow logs are written, VPC.jsonl (default: flow-logs in the state directory)" },
	{ OPTION_LOG_LEVEL, "log-level", "LEVEL", "error, warning, notice, info or debug" },
	{ OPTION_REMOVE_DATAPATH, "remove-datapath", NULL,
	  "take the instance's devices, programs and tables away and end" },
	{ OPTION_SIMULATE, "simulate", NULL,
	  "keep the tables in memory and make no devices: forwards nothing, needs no privileges" },
	{ OPTION_VERSION, "version", NULL, "print the version and end" },
	{ OPTION_HELP, "help", NULL, "print this and end" },
};

static int read_log_level(struct options *options, const char *text, struct error *error)
{
	if (log_level_parse(text, &options->log_level))
		return error_set(error, EINVAL, NULL,
				 "--log-level is error, warning, notice, info or debug, not \"%s\"",
				 text);
	return 0;
}

static int read_flows(struct options *options, const char *text, struct error *error)
{
	char *end;
	unsigned long value;

	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || value < FLOW_CAPACITY_MIN ||
	    value > FLOW_CAPACITY_MAX)
		return error_set(error, EINVAL, NULL, "--flows is a number from %u to %u",
				 FLOW_CAPACITY_MIN, FLOW_CAPACITY_MAX);
	options->flow_capacity = (unsigned int)value;
	return 0;
}

static int read_hook(struct options *options, const char *text, struct error *error)
{
	static const char *const names[] = {
		[DATAPATH_HOOK_AUTO] = "auto",
		[DATAPATH_HOOK_CLSACT] = "clsact",
		[DATAPATH_HOOK_TCX] = "tcx",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (!strcmp(text, names[i])) {
			options->hook = (enum datapath_hook)i;
			return 0;
		}
	}
	return error_set(error, EINVAL, NULL, "--hook is auto, clsact or tcx, not \"%s\"", text);
}

static int read_underlay(struct options *options, const char *text, struct error *error)
{
	char *list = xstrdup(text), *rest = list, *word;
	int code = 0;

	while (!code && (word = strsep(&rest, ","))) {
		if (options->underlay_count == CLUSTER_UNDERLAY_MAX)
			code = error_set(error, EINVAL, NULL, "--underlay: at most %d addresses",
					 CLUSTER_UNDERLAY_MAX);
		else if (ip_prefix_parse_or_address(word,
						    &options->underlay[options->underlay_count]))
			code = error_set(error, EINVAL, NULL, "--underlay: \"%s\" is no address",
					 word);
		else
			options->underlay_count++;
	}
	free(list);
	return code;
}

static int take(struct options *options, enum option_id id, const char *text, struct error *error)
{
	switch (id) {
	case OPTION_NAME: options->name = text; break;
	case OPTION_HOST: options->host = text; break;
	case OPTION_STATE: options->state = text; break;
	case OPTION_SOCKET: options->socket = text; break;
	case OPTION_LISTEN: options->listen = text; break;
	case OPTION_CERTIFICATE: options->certificate = text; break;
	case OPTION_KEY: options->key = text; break;
	case OPTION_TOKEN_FILE: options->token_file = text; break;
	case OPTION_STORE: options->store = text; break;
	case OPTION_STORE_CA: options->store_ca = text; break;
	case OPTION_STORE_CERTIFICATE: options->store_certificate = text; break;
	case OPTION_STORE_KEY: options->store_key = text; break;
	case OPTION_UNDERLAY: return read_underlay(options, text, error);
	case OPTION_END_ETCD: options->end_etcd = true; break;
	case OPTION_STOP_ETCD: options->stop_etcd = true; break;
	case OPTION_HOOK: return read_hook(options, text, error);
	case OPTION_OVSDB: options->ovsdb = text; break;
	case OPTION_FLOW_LOGS: options->flow_logs = text; break;
	case OPTION_FLOWS: return read_flows(options, text, error);
	case OPTION_LOG_LEVEL: return read_log_level(options, text, error);
	case OPTION_REMOVE_DATAPATH: options->remove_datapath = true; break;
	case OPTION_SIMULATE: options->simulate = true; break;
	case OPTION_VERSION: options->version = true; break;
	case OPTION_HELP: options->help = true; break;
	}
	return 0;
}

static bool is_name(const char *text)
{
	size_t len = strlen(text);

	return len > 0 && len < NAME_SIZE && text[0] != '-' &&
	       strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789-") == len;
}

static int check_store(const struct options *options, struct error *error)
{
	bool tls = strncmp(options->store, "etcds://", 8) == 0;

	if (strcmp(options->store, "sqlite") != 0 && !tls &&
	    strncmp(options->store, "etcd://", 7) != 0)
		return error_set(
			error, EINVAL, NULL,
			"--store is sqlite, etcd://ADDRESS:PORT,… or etcds://…, not \"%s\"",
			options->store);
	if (tls ? !(options->store_ca && options->store_certificate && options->store_key)
		: options->store_ca || options->store_certificate || options->store_key)
		return error_set(error, EINVAL, NULL,
				 "--store etcds:// needs --store-ca, --store-cert and --store-key, "
				 "which are for nothing else");
	return 0;
}

static int check(const struct options *options, struct error *error)
{
	if (!is_name(options->name))
		return error_set(error, EINVAL, NULL,
				 "--name is a-z, 0-9 and -, at most 63 characters, not \"%s\"",
				 options->name);
	if (options->store) {
		int code = check_store(options, error);

		if (code)
			return code;
	}
	if (options->listen && !(options->certificate && options->key && options->token_file))
		return error_set(error, EINVAL, NULL,
				 "--listen serves TLS only and asks for a token: it needs "
				 "--tls-certificate, --tls-key and --token-file");
	if (!options->listen && (options->certificate || options->key || options->token_file))
		return error_set(error, EINVAL, NULL,
				 "--tls-certificate, --tls-key and --token-file are for --listen");
	return 0;
}

static void fill_in(struct options *options)
{
	if (gethostname(options->default_host, sizeof(options->default_host) - 1) ||
	    !options->default_host[0])
		snprintf(options->default_host, sizeof(options->default_host), "localhost");
	if (!options->state) {
		snprintf(options->default_state, sizeof(options->default_state), "/var/lib/weft/%s",
			 options->name);
		options->state = options->default_state;
	}
	if (!options->flow_logs) {
		snprintf(options->default_flow_logs, sizeof(options->default_flow_logs),
			 "%.*s/flow-logs", (int)sizeof(options->default_state), options->state);
		options->flow_logs = options->default_flow_logs;
	}
	if (!options->socket) {
		snprintf(options->default_socket, sizeof(options->default_socket),
			 "/run/weft/%s.sock", options->name);
		options->socket = options->default_socket;
	}
}

int options_read(struct options *options, int argc, char **argv, struct error *error)
{
	struct option table[ARRAY_SIZE(rows) + 1] = { 0 };
	int id;

	*options = (struct options){
		.name = "default",
		.log_level = LOG_LEVEL_INFO,
		.flow_capacity = FLOW_CAPACITY_DEFAULT,
	};
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		table[i] = (struct option){
			.name = rows[i].name,
			.has_arg = rows[i].argument ? required_argument : no_argument,
			.val = (int)rows[i].id,
		};
	optind = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":", table, NULL)) != -1) {
		int code;

		if (id == ':')
			return error_set(error, EINVAL, NULL, "%s needs a value", argv[optind - 1]);
		if (id == '?')
			return error_set(error, EINVAL, NULL, "unknown option %s; see --help",
					 argv[optind - 1]);
		code = take(options, (enum option_id)id, optarg, error);
		if (code)
			return code;
	}
	if (optind < argc)
		return error_set(error, EINVAL, NULL, "\"%s\" is not an option; see --help",
				 argv[optind]);
	fill_in(options);
	return check(options, error);
}

void options_print_help(void)
{
	printf("Usage: weftd [OPTION]...\n"
	       "The daemon of Weft: keeps the intent and makes this host do what it says.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char left[64];

		snprintf(left, sizeof(left), "--%s%s%s", rows[i].name, rows[i].argument ? " " : "",
			 rows[i].argument ? rows[i].argument : "");
		printf("  %-26s %s\n", left, rows[i].help);
	}
}
