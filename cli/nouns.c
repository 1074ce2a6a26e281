/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * All of weft: the nouns in the order of the help text, and the options of every command.
 *
 * Neighbours: the file of each noun; parse.c, help.c, completion.c and manual.c read these tables.
 */
#include "cli/nouns.h"

const struct noun *const nouns[] = {
	&status_noun,
	&apply_noun,
	&export_noun,
	&vpc_noun,
	&subnet_noun,
	&port_noun,
	&route_table_noun,
	&route_noun,
	&group_noun,
	&rule_noun,
	&acl_noun,
	&trace_noun,
	&drops_noun,
	&flows_noun,
	&counters_noun,
	&events_noun,
	&lab_noun,
	&completion_noun,
	&help_noun,
	&version_noun,
	NULL,
};

const struct option global_options[] = {
	{ "socket", 0, OPTION_TEXT, "PATH",
	  "of the daemon; WEFT_SOCKET, or /run/weft/default.sock", NULL, COMPLETE_FILE, false },
	{ "lab", 0, OPTION_TEXT, "NAME", "the daemon of this lab", NULL, COMPLETE_LAB, false },
	{ "json", 'j', OPTION_FLAG, NULL, "print one JSON document", NULL, COMPLETE_NOTHING, false },
	{ "quiet", 'q', OPTION_FLAG, NULL, "print nothing but errors; lists: only names", NULL,
	  COMPLETE_NOTHING, false },
	{ "help", 'h', OPTION_FLAG, NULL, "print help for the command", NULL, COMPLETE_NOTHING,
	  false },
	{ "version", 0, OPTION_FLAG, NULL, "print the version", NULL, COMPLETE_NOTHING, false },
	{ 0 },
};
