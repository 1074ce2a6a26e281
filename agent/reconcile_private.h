/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reconciler's inside, shared by reconcile.c (a change), recover.c (the start) and upkeep.c (what runs by
 * the clock).
 */
#ifndef WEFT_AGENT_RECONCILE_PRIVATE_H
#define WEFT_AGENT_RECONCILE_PRIVATE_H

#include "agent/ports.h"
#include "agent/reconcile.h"
#include "agent/slots.h"
#include "agent/tables.h"

struct reconcile {
	struct reconcile_options options;
	struct intent *intent;
	uint64_t revision;
	struct planner *planner;
	struct plan_host plan_host;
	struct tables *tables;
	struct ports *ports;
	struct problems problems;
	struct slots port_slots;
	struct slots vpc_slots;
	uint32_t *generations; /* by VPC slot; goes on when the slot is used again */
	struct loop_timer tick;
	uint32_t ticks;
	uint64_t trimmed_commits; /* counts.commits when freed memory was last given back */
	struct reconcile_counts counts;
};

/** reconcile_host_init - fill in the look-ups the planner makes */
void reconcile_host_init(struct reconcile *reconcile);

/** reconcile_open_ports - open ports.c on this reconciler */
int reconcile_open_ports(struct reconcile *reconcile, struct error *error);

/* Give an object its slot, with cleared counters when it is new. */
void reconcile_take_vpc_slot(struct reconcile *reconcile, uint32_t vpc_id);
void reconcile_take_port_slot(struct reconcile *reconcile, uint32_t port_id);

/** reconcile_share_flows - tell the datapath how much of the flow table is for all ports */
void reconcile_share_flows(struct reconcile *reconcile);

/** reconcile_recover - the start: intent from the store, rows and slots from the datapath, then all in line */
int reconcile_recover(struct reconcile *reconcile, struct error *error);

/** reconcile_upkeep_start - run what runs by the clock */
void reconcile_upkeep_start(struct reconcile *reconcile);

#endif
