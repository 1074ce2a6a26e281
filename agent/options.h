/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line of weftd.
 */
#ifndef WEFT_AGENT_OPTIONS_H
#define WEFT_AGENT_OPTIONS_H

#include <limits.h>
#include <stdbool.h>

#include "agent/cluster/cluster_config.h"
#include "base/error.h"
#include "base/log.h"
#include "datapath/datapath.h"

/**
 * struct options - what was asked for; texts point into argv or into the struct
 * @host: NULL: what the state directory says, else default_host
 * @end_etcd: the etcd that is run here ends with the daemon
 * @stop_etcd: end it, and nothing else
 * @help, @version: print that and go
 */
struct options {
	const char *name;
	const char *host;
	const char *state;
	const char *socket;
	const char *flow_logs; /* directory */
	const char *listen;
	const char *certificate;
	const char *key;
	const char *token_file;
	const char *store; /* NULL: what the state directory says */
	const char *store_ca;
	const char *store_certificate;
	const char *store_key;
	struct ip_prefix underlay[CLUSTER_UNDERLAY_MAX];
	size_t underlay_count;
	enum log_level log_level;
	unsigned int flow_capacity;
	const char *ovsdb; /* NULL: the usual one */
	enum datapath_hook hook;
	bool end_etcd;
	bool stop_etcd;
	bool remove_datapath;
	bool simulate; /* tables in memory, no devices */
	bool help;
	bool version;
	char default_state[PATH_MAX];
	char default_socket[PATH_MAX];
	char default_flow_logs[PATH_MAX + 16];
	char default_host[65];
};

/**
 * options_read - read the command line and fill in what was not given
 *
 * Return: 0, or -EINVAL with a sentence.
 */
int options_read(struct options *options, int argc, char **argv, struct error *error);

/** options_print_help - the options, one a line, to standard output */
void options_print_help(void);

#endif
