/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The querier: asks the ports of subnets that snoop, or that multicast is routed to, which groups they listen to.
 *
 * Every host asks its own ports, from the gateway of the subnet, IGMP v3 and MLD v2 (which speakers of
 * older versions understand); the answers are the datapath's (core/multicast.c).
 *
 * Neighbours: punt.h (how a frame gets to a port), leaving.h (when somebody leaves a group).
 */
#ifndef WEFT_AGENT_QUERIER_H
#define WEFT_AGENT_QUERIER_H

#include <stddef.h>
#include <stdint.h>

#include "agent/reconcile.h"
#include "agent/services/punt.h"

#define QUERIER_FRAME_SIZE 90 /* the larger of both */

/**
 * struct querier_question - a query, or what a listener says that leaves
 * @ipv4: IGMP; else MLD
 * @leave: to the routers: nobody here listens to the group any more (IGMP v2, MLD v1)
 * @mac: of the gateway
 * @source: the gateway's address, IPv4; NULL or all zero: none, then nobody takes us for a router
 * @group: that is asked for, of the same family; all zero: every group
 * @response_seconds: how long listeners may take
 * @interval: seconds between general queries
 */
struct querier_question {
	bool ipv4;
	bool leave;
	const struct mac_address *mac;
	const struct ip_address *source;
	struct ip_address group;
	uint32_t response_seconds;
	uint32_t interval;
};

/** querier_write - the frame of a query. Return: its size. */
size_t querier_write(const struct querier_question *question, uint8_t frame[QUERIER_FRAME_SIZE]);

struct leaving;
struct querier;

/** querier_new - ask when it is time; release with querier_free() */
struct querier *querier_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile,
			    struct datapath *datapath);
void querier_free(struct querier *querier); /* accepts NULL */

/** querier_leaving - who asks again when somebody has left (leaving.h); the querier's own; NULL for NULL */
struct leaving *querier_leaving(const struct querier *querier);

/**
 * struct querier_state - of one subnet
 * @interval: seconds between questions
 * @sent: rounds since the start, or since the interval was changed
 * @next: seconds until the next
 */
struct querier_state {
	uint32_t subnet_id, interval, sent, next;
};

/** querier_each - call @callback for each subnet whose ports are asked; NULL for @querier: none */
void querier_each(const struct querier *querier,
		  void (*callback)(void *context, const struct querier_state *state),
		  void *context);

/** querier_sent - questions sent since the start, one for each port and family */
uint64_t querier_sent(const struct querier *querier);

#endif
