/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Who listens to which multicast group: the rows that the datapath has made of reports, put together.
 *
 * Neighbours: core/membership.c (who makes them), api_multicast.c and metrics.c (who show them).
 */
#ifndef WEFT_AGENT_LISTENERS_H
#define WEFT_AGENT_LISTENERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "datapath/datapath.h"

enum listener_filter {
	LISTENER_ALL,     /* whoever sends */
	LISTENER_INCLUDE, /* the sources named, and no other */
	LISTENER_EXCLUDE, /* all but the sources named */
};

/**
 * struct listener - somebody behind a port listens to a group
 * @port_id: a port, or a peer's or wire's number
 * @router: a multicast router is behind the port, which gets all groups; @group is zero
 * @sources: @source_count addresses, in order
 * @seconds: until it is forgotten, if it says nothing more
 */
struct listener {
	uint32_t subnet_id;
	uint32_t port_id;
	struct address group;
	bool router;
	enum listener_filter filter;
	struct address *sources;
	size_t source_count;
	uint32_t seconds;
};

/** struct listeners - by subnet, group, port */
struct listeners {
	struct listener *list;
	size_t count;
};

/**
 * listeners_read - what is in the tables now; what has aged is left out
 * @listeners: zero; release with listeners_fini()
 *
 * Return: 0 or negative errno, and then @listeners is empty.
 */
int listeners_read(struct datapath *datapath, struct listeners *listeners);
void listeners_fini(struct listeners *listeners);

#endif
