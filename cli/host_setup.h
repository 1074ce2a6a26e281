/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft host init, join, token: rows of the table in host.c.
 */
#ifndef WEFT_CLI_HOST_SETUP_H
#define WEFT_CLI_HOST_SETUP_H

#include "cli/command.h"

extern const struct option host_init_options[];
extern const struct option host_join_options[];

int host_init(struct invocation *invocation);
int host_join(struct invocation *invocation);
int host_token(struct invocation *invocation);

/* The three rows, for the noun's table of commands. */
#define HOST_SETUP_COMMANDS                                                                        \
	{                                                                                          \
		.verb = "init",                                                                    \
		.arguments = "",                                                                   \
		.summary = "make this host the first of a cluster; prints the token for others",   \
		.text = "The host's intent goes into the store of the cluster, and no packet is "  \
			"lost. --with-etcd\nruns a member of etcd on this host, --store names a "  \
			"store that runs already.\nThe token is good for a day; `weft host "       \
			"token` makes another.",                                                   \
		.options = host_init_options,                                                      \
		.run = host_init,                                                                  \
	},                                                                                         \
		{                                                                                  \
			.verb = "join",                                                            \
			.arguments = "ADDRESS",                                                    \
			.argument_min = 1,                                                         \
			.argument_max = 1,                                                         \
			.summary = "make this host one of a cluster",                              \
			.text = "ADDRESS is the underlay address of the host where `weft host "    \
				"init` was done. It is\nbelieved only if it shows a certificate "  \
				"of the authority that the token names.",                          \
			.options = host_join_options,                                              \
			.run = host_join,                                                          \
		},                                                                                 \
	{                                                                                          \
		.verb = "token", .arguments = "",                                                  \
		.summary = "a new token for hosts that join, in place of the old one",             \
		.run = host_token,                                                                 \
	}

#endif
