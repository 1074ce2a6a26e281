/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What all kinds of objects have in common: add, set, show, list, remove.
 *
 * A noun that is an object has a table of columns for its list and little else of its own. Names
 * are as users write them, "blue" and "blue/web1"; struct object_name holds them in the form of
 * calls.
 *
 * Neighbours: vpc.c subnet.c port.c table.c group.c acl.c tunnel.c host.c; client/client.h.
 */
#ifndef WEFT_CLI_OBJECT_H
#define WEFT_CLI_OBJECT_H

#include "base/buf.h"
#include "cli/command.h"
#include "client/client.h"

/* Of a VPC, subnet or port. */
#define FLOW_LOG_OPTIONS                                                                           \
	TEXT_OPTION("flow-log", "RECORDS", "all, accept, reject, none or inherit",                 \
		    "flow_log.records"),                                                           \
		INTEGER_OPTION("flow-log-interval", "60|600", "seconds of a record; 60",           \
			       "flow_log.interval"),                                               \
		LIST_OPTION("flow-log-to", "PLACE",                                                \
			    "file, or a collector: udp:ADDRESS, tcp:ADDRESS; file",                \
			    "flow_log.to"),                                                        \
		INTEGER_OPTION("flow-log-domain", "NUMBER",                                        \
			       "observation domain in IPFIX; the VPC's id", "flow_log.domain")

/* Of a subnet or port; what is told of whose copies they are. */
#define MIRROR_OPTIONS(copies, direction)                                                          \
	TEXT_OPTION("mirror-to", "PORT|tunnel:NAME", copies, "mirror.to"),                         \
		WORDS_OPTION("mirror-direction", "from|to|both", direction, "mirror.direction"),   \
		TEXT_OPTION("mirror-protocol", "PROTOCOL", "of this alone", "mirror.protocol"),    \
		TEXT_OPTION("mirror-ports", "PORTS", "of these alone, at either end",              \
			    "mirror.ports"),                                                       \
		INTEGER_OPTION("mirror-type", "TYPE", "of this type of ICMP alone",                \
			       "mirror.type"),                                                     \
		INTEGER_OPTION("mirror-code", "CODE", "and of this code", "mirror.code"),          \
		TEXT_OPTION("mirror-address", "PREFIX", "of this end alone, or group:NAME",        \
			    "mirror.address"),                                                     \
		TEXT_OPTION("mirror-peer", "PREFIX",                                               \
			    "and of this one at the other end, or group:NAME", "mirror.peer"),     \
		INTEGER_OPTION("mirror-sample", "COUNT", "one packet in so many; each",            \
			       "mirror.sample"),                                                   \
		INTEGER_OPTION("mirror-truncate", "BYTES", "no more of a frame; all of it",        \
			       "mirror.truncate")

/**
 * struct column - one column of a list
 * @title: in capitals
 * @key: what is shown: a text, a number, a switch or a list of texts, dots between levels
 * @render: shows something else than a key's value: appends to @text; NULL to use @key
 */
struct column {
	const char *title;
	const char *key;
	void (*render)(const json_t *object, struct buf *text);
};

/**
 * struct object_name - where an object is
 * @steps: "vpcs", "blue", "ports", "web1"; borrowed from @text and the noun
 * @about: "port blue/web1", for sentences
 */
struct object_name {
	const char *steps[4];
	size_t step_count;
	char *text;
	char *about;
};

/**
 * object_name_parse - split @text, which must be NAME for a VPC and VPC/NAME for anything else
 * @name: filled in on success; release it with object_name_fini()
 *
 * Return: 0, or EXIT_USAGE and the line is printed.
 */
int object_name_parse(struct invocation *invocation, const struct noun *noun, const char *text,
		      struct object_name *name);

/** object_name_fini - release what object_name_parse() filled in */
void object_name_fini(struct object_name *name);

/* Each is a whole command of invocation->noun. Return: an exit status. */
int object_add(struct invocation *invocation);
int object_set(struct invocation *invocation);
int object_show(struct invocation *invocation);
int object_remove(struct invocation *invocation);

/** object_add_as - object_add() with a body made by the caller, which is taken over */
int object_add_as(struct invocation *invocation, json_t *body);

/** object_set_as - object_set() with changes made by the caller, which are taken over */
int object_set_as(struct invocation *invocation, json_t *changes);

/**
 * object_set_dscp - put the value of --dscp, a number or "copy", into @body
 * @key: dots between levels, as in struct option
 */
void object_set_dscp(const struct invocation *invocation, json_t *body, const char *key);

/** object_list_columns - list the objects of the noun; @columns end with a NULL title */
int object_list_columns(struct invocation *invocation, const struct column *columns);

/**
 * object_edit - change a part of an object that others may be changing too
 * @edit: given the object and an empty map for the changes; returns 0, or an exit status after
 *	having printed why not
 *
 * The object is read, edited and written only if nobody wrote it in between; otherwise all
 * over again, a few times.
 *
 * Return: an exit status; a failure has been printed.
 */
int object_edit(struct invocation *invocation, const struct object_name *name,
		int (*edit)(struct invocation *invocation, const json_t *object, json_t *changes,
			    void *context),
		void *context);

/**
 * object_collect - objects of a kind as an array, each with its whole name under "name"
 * @text: name of the only one wanted; NULL: all, or those of --vpc
 * @status: set after a failure, which has been printed
 *
 * Return: a new reference, NULL after a failure.
 */
json_t *object_collect(struct invocation *invocation, const struct noun *noun, const char *text,
		       int *status);

/** object_key - a member by a key with dots; borrowed, NULL if it is not there */
const json_t *object_key(const json_t *object, const char *key);

/** object_append_value - append a text, number, switch or list of texts, as in a table */
void object_append_value(struct buf *text, const json_t *value);

#endif
