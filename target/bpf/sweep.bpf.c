/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sweep: removes connections that are over and stations that aged, inside the kernel, so that not a
 * row is copied out for it. The daemon runs it every few seconds (datapath_sweep); without the daemon
 * rows stay, which costs room and nothing else, for a row that is over is no connection to flow.c.
 *
 * Neighbours: core/flow.h (what is alive, what a row was charged for).
 */
#include "core/flow.h"

struct sweep_context {
	__u32 now;
	__u64 removed;
	__u64 kept;
};

struct bpf_map;

static long sweep_flow(struct bpf_map *map, struct flow_key *key, struct flow *flow,
		       struct sweep_context *context)
{
	struct flow_key copy = *key;

	(void)map;
	if (flow_sweep(&copy, flow, context->now))
		context->removed += 1;
	else
		context->kept += 1;
	return 0;
}

static long sweep_station(struct bpf_map *map, struct station_key *key, struct station *station,
			  struct sweep_context *context)
{
	struct station_key copy = *key;
	struct subnet_key subnet_key = { .subnet_id = key->subnet_id };
	struct port_key port_key = { .port_id = station->port_id };
	struct subnet *subnet = table_lookup(subnets, &subnet_key);
	struct port *port = table_lookup(ports, &port_key);
	struct slot_key slot = {};
	struct port_stats *stats;

	(void)map;
	if ((station->flags & STATION_STATIC) ||
	    (subnet && port && !ticks_passed(context->now, station->seen, subnet->station_ageing)))
		return 0;
	if (table_remove(stations, &copy) || !port)
		return 0;
	slot.slot = port->port_slot;
	stats = table_lookup(port_stats, &slot);
	if (stats)
		atomic_add(&stats->stations, -1);
	return 0;
}

/*
 * That of another host stays for a while: when its last port has gone, the routers here are to hear of it
 * (agent/services/leaving.c). So it does when that host has no part in the VPC any more, and no row in ports.
 */
static __u32 group_slack(const struct group_key *key, const struct port_stats *stats)
{
	return key->port_id >= PEER_ID_FIRST && (!stats || stats->groups < GROUP_PEER_ROWS_MAX)
		       ? GROUP_PEER_TICKS
		       : 0;
}

/* A row that outlived its port's slot is counted nowhere. */
static void uncount(struct port_stats *stats)
{
	if (stats && (__s64)stats->groups > 0)
		atomic_add(&stats->groups, -1);
}

static long sweep_group(struct bpf_map *map, struct group_key *key, struct group *group,
			struct sweep_context *context)
{
	struct group_key copy = *key;
	struct port_key port_key = { .port_id = key->port_id };
	struct port *port = table_lookup(ports, &port_key);
	struct port_stats *stats = NULL;
	struct slot_key slot = {};

	(void)map;
	if (port) {
		slot.slot = port->port_slot;
		stats = table_lookup(port_stats, &slot);
	}
	if ((port || key->port_id >= PEER_ID_FIRST) &&
	    !ticks_passed(context->now, group->expires, group_slack(key, stats)))
		return 0;
	if (!table_remove(groups, &copy))
		uncount(stats);
	return 0;
}

/* Aged, or of a report that holds no more. */
static long sweep_source(struct bpf_map *map, struct group_source_key *key,
			 struct group_source *source, struct sweep_context *context)
{
	struct group_source_key copy = *key;
	struct port_key port_key = { .port_id = key->group.port_id };
	struct port *port = table_lookup(ports, &port_key);
	struct group *group = table_lookup(groups, &copy.group);
	struct slot_key slot = {};
	struct port_stats *stats;

	(void)map;
	if ((port && group && group->epoch == source->epoch &&
	     !ticks_passed(context->now, source->expires, 0)) ||
	    table_remove(group_sources, &copy) || !port)
		return 0;
	slot.slot = port->port_slot;
	stats = table_lookup(port_stats, &slot);
	uncount(stats);
	return 0;
}

static long sweep_segment(struct bpf_map *map, struct subnet_key *key, struct segment_state *row,
			  struct sweep_context *context)
{
	struct subnet_key copy = *key;

	(void)map;
	(void)row;
	(void)context;
	if (!table_lookup(subnets, &copy))
		table_remove(segment_states, &copy);
	return 0;
}

SEC("syscall")
int sweep(void *unused)
{
	/* Programs of this kind may not use the coarse clock; the exact one is a few ms ahead at most. */
	struct sweep_context context = { .now = (__u32)(bpf_ktime_get_ns() >> 20) };
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared = table_lookup(state, &zero);

	(void)unused;
	bpf_for_each_map_elem(&flows, sweep_flow, &context, 0);
	bpf_for_each_map_elem(&stations, sweep_station, &context, 0);
	/* Who has aged while weftd was away is asked before (core/multicast.c). */
	if (shared && !shared->unasked) {
		bpf_for_each_map_elem(&groups, sweep_group, &context, 0);
		bpf_for_each_map_elem(&group_sources, sweep_source, &context, 0);
	}
	bpf_for_each_map_elem(&segment_states, sweep_segment, &context, 0);
	if (shared) {
		shared->sweep_removed = context.removed;
		shared->sweep_kept = context.kept;
	}
	return 0;
}
