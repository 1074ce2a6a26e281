/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of flow logs: connections that end, and packets that are refused; a part of tables.h, which
 * includes it.
 *
 * Live connections are read where they are, in flows: their counters only grow, and the daemon takes the
 * differences (agent/observe/flow_log.c). What goes from there between two readings is told in a ring.
 *
 * Neighbours: flow.h (who tells), flow_log.c (who counts what is refused).
 */
#ifndef WEFT_CORE_TABLES_FLOW_LOG_H
#define WEFT_CORE_TABLES_FLOW_LOG_H

/* One row of flows with FLOW_LOGGED, as it was when it went; the ring carries it. */
struct flow_end {
	struct flow_key key;
	__u32 peer_port_id;
	__u64 packets;
	__u64 bytes;
	__u32 seen;
	__u32 born;
	__u32 egress_rule_id;
	__u32 ingress_rule_id;
	__u8 tcp_flags;
	__u8 flags; /* enum flow_flags */
	__u8 pad[6];
};

/* What was refused to whom, by whom. A row for each until the daemon takes it. */
struct flow_reject_key {
	struct flow_key flow;
	__u32 out_port_id; /* 0: that was not known yet */
	__u32 verdict;
	__u32 object_id;
};

struct flow_reject {
	__u64 packets;
	__u64 bytes;
	__u32 first; /* ticks */
	__u32 last;
	__u32 tcp_flags;
	__u32 pad;
};

/* A port makes so many rows of flow_rejects a second: one that scans leaves room for others. */
#define FLOW_REJECT_RATE 200

/* Array by port slot. */
struct flow_log_port {
	__u64 lost; /* ends and packets that there was no room to tell */
	__u64 reject_tokens;
};

_Static_assert(sizeof(struct flow_end) == 88, "struct flow_end is part of the layout");
_Static_assert(sizeof(struct flow_reject_key) == 56,
	       "struct flow_reject_key is part of the layout");

#endif
