/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The maps: one for each table of core/tables.h, the rings of events, and what only the edges need.
 *
 * Defined once here; everybody else sees them as extern through target.h. The loader
 * (datapath/kernel_load.c) changes the room of some before they are made, and pins them.
 */
#include "target.h"

#include "target/bpf/edge.h"

#define TABLE_DEFINE(table, kind, key_type, value_type, room)                                      \
	struct table_##table table SEC(".maps");
WEFT_TABLES(TABLE_DEFINE)

struct drop_ring drop_events SEC(".maps");
struct capture_ring capture_events SEC(".maps");
struct flow_end_ring flow_ends SEC(".maps");
struct underlay_ring underlay_events SEC(".maps");
struct underlay_news_map underlay_news SEC(".maps");
struct scratch_map scratch SEC(".maps");
struct next_hop_map next_hops SEC(".maps");
struct tunnel_device_map tunnel_devices SEC(".maps");
struct tunnel_device_port_map tunnel_device_ports SEC(".maps");
struct underlay_device_map underlay_devices SEC(".maps");
