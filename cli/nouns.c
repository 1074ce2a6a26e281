/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of weft: the nouns in the order of the help text, and the options of every command.
 *
 * Neighbours: the file of each noun; parse.c, help.c, completion.c and manual.c read these tables.
 */
#include "cli/nouns.h"

const struct noun *const nouns[] = {
	&status_noun,   &apply_noun,     &export_noun,     &host_noun,        &vpc_noun,
	&subnet_noun,   &port_noun,      &tunnel_noun,     &route_table_noun, &route_noun,
	&group_noun,    &rule_noun,      &acl_noun,        &trace_noun,       &drops_noun,
	&flows_noun,    &multicast_noun, &counters_noun,   &events_noun,      &capture_noun,
	&flow_log_noun, &lab_noun,       &completion_noun, &help_noun,        &version_noun,
	NULL,
};

const struct option global_options[] = {
	NAME_OPTION("socket", "PATH", "of the daemon; WEFT_SOCKET, or /run/weft/default.sock",
		    COMPLETE_FILE),
	NAME_OPTION("lab", "NAME", "the daemon of this lab", COMPLETE_LAB),
	FLAG_OPTION("json", 'j', "print one JSON document", NULL),
	FLAG_OPTION("quiet", 'q', "print nothing but errors; lists: only names", NULL),
	FLAG_OPTION("help", 'h', "print help for the command", NULL),
	FLAG_OPTION("version", 0, "print the version", NULL),
	{ 0 },
};
