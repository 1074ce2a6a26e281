/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a new connection is charged to: its port, its VPC, and the part of the flow table that all share. And a row
 * that is taken back at once. What flow.c and way.c have in common; flow.h gives back what is taken here.
 */
#ifndef WEFT_CORE_CHARGE_H
#define WEFT_CORE_CHARGE_H

#include "core/flow.h"

/* Takes a place for a new connection of the packet's port. VERDICT_NEXT with the flags of the charged
 * row in *flags, or the drop that says whose limit it was. */
static __always_inline int flow_charge(struct packet *p, const struct vpc *vpc, __u8 *flags)
{
	struct slot_key port_slot = { .slot = p->port_slot };
	struct slot_key vpc_slot = { .slot = p->vpc_slot };
	struct slot_key zero = { .slot = 0 };
	struct port_stats *of_port = table_lookup(port_stats, &port_slot);
	struct vpc_stats *of_vpc = table_lookup(vpc_stats, &vpc_slot);
	struct datapath_state *shared = table_lookup(state, &zero);
	__u64 used;

	if (!of_port || !of_vpc || !shared)
		return VERDICT_INTERNAL;
	p->object_id = p->port_id;
	used = atomic_fetch_add64(&of_port->flows, 1);
	if ((__s64)used >= (__s64)p->flow_limit) {
		atomic_add(&of_port->flows, -1);
		return VERDICT_FLOW_LIMIT_PORT;
	}
	if ((__s64)atomic_fetch_add64(&of_vpc->flows, 1) >= (__s64)vpc->flow_limit) {
		atomic_add(&of_vpc->flows, -1);
		atomic_add(&of_port->flows, -1);
		p->object_id = p->vpc_id;
		return VERDICT_FLOW_LIMIT_VPC;
	}
	*flags = FLOW_CHARGED;
	if ((__s64)used < (__s64)p->flow_guarantee && (__s64)used < (__s64)shared->flow_guarantee)
		return VERDICT_NEXT;
	if ((__s64)atomic_fetch_add64(&shared->shared_flows, 1) >= (__s64)shared->shared_limit) {
		atomic_add(&shared->shared_flows, -1);
		atomic_add(&of_vpc->flows, -1);
		atomic_add(&of_port->flows, -1);
		return VERDICT_FLOW_TABLE_FULL;
	}
	*flags |= FLOW_CHARGED_SHARED;
	return VERDICT_NEXT;
}

/* Takes back a row just entered, whose other half found no room. */
static __always_inline void flow_take_back(const struct flow_key *key)
{
	struct flow *flow = table_lookup(flows, key);
	__u32 slot;

	if (flow && flow_claim(key, flow, &slot))
		flow_remove(key, flow, slot);
}

#endif
