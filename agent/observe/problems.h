/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What does not work at the moment, in sentences: the list `weft status` ends with.
 *
 * A problem is raised under a source and the id of the object it concerns, and cleared under the same two.
 * Raising it again with the same sentence changes nothing, so that retries do not fill the log.
 */
#ifndef WEFT_AGENT_PROBLEMS_H
#define WEFT_AGENT_PROBLEMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/map.h"

enum problem_source {
	PROBLEM_TABLES,   /* rows that could not be written */
	PROBLEM_DEVICE,   /* a port's device */
	PROBLEM_STORE,    /* intent cannot be written */
	PROBLEM_DATAPATH, /* sweep, events */
	PROBLEM_PATH,     /* the underlay to a host */
	PROBLEM_CLUSTER,  /* this host's place among others */
	PROBLEM_UPLINK,   /* a device that leads to a network; by its place in the list */
	PROBLEM_LOOP,     /* frames go round through a port */
	PROBLEM_SERVICES, /* DNS and metadata */
	PROBLEM_SHARES,   /* a device that is to be shared by shares; by its place in the list */
	PROBLEM_FLOW_LOG, /* that of a VPC cannot be written */
	PROBLEM_DHCP,     /* an outside server, or what it gives to a port */
	PROBLEM_ROUTER,   /* the host that routes a VPC */
	PROBLEM_SOCKET,   /* the API's unix socket */
};

struct problem {
	enum problem_source source;
	uint32_t object_id; /* 0: none */
	uint64_t since_ns;  /* real time */
	char text[400];
};

struct problems {
	struct map map;
	const struct clock *clock;
};

/** problems_init - none yet; @clock NULL for the system's; release with problems_fini() */
void problems_init(struct problems *problems, const struct clock *clock);
void problems_fini(struct problems *problems);

/** problems_raise - @text is wrong with @object_id; logged when it is new */
void problems_raise(struct problems *problems, enum problem_source source, uint32_t object_id,
		    const char *text);

/** problems_clear - it works again; harmless if nothing was raised */
void problems_clear(struct problems *problems, enum problem_source source, uint32_t object_id);

/** problems_get - Return: what is wrong, NULL if nothing is */
const struct problem *problems_get(const struct problems *problems, enum problem_source source,
				   uint32_t object_id);

/** problems_count - how many there are */
size_t problems_count(const struct problems *problems);

#endif
