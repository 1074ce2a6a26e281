/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From intent to table rows, and from two sets of rows to the steps between them.
 *
 * plan.c is pure: (intent, what the host has) gives rows. Rows are planned per `unit`, the smallest
 * part that changes together: a VPC, a subnet, a route table, an ACL, a port, or a group set (the
 * security groups of a port, compiled once for all ports that have the same). plan_dirty says which
 * units a change touches, so that the work of a change is in proportion to it. diff.c compares the
 * rows a unit had with those it should have. agent/reconcile.c is the only caller that writes.
 *
 * Neighbours: core/tables.h (rows), classifier.c (rules to rows), dirty.c (which units), object.h.
 */
#ifndef WEFT_MODEL_PLAN_H
#define WEFT_MODEL_PLAN_H

#include "core/tables.h"
#include "model/draft.h"
#include "model/object.h"

/* One row of a table: key bytes then value bytes, sizes as in core/tables.h. */
struct row {
	uint16_t table; /* enum table_id */
	uint16_t key_size;
	uint16_t value_size;
	uint16_t pad;
	unsigned char bytes[]; /* key_size + value_size */
};

/* A growing list of rows; owns them. */
struct rows {
	size_t count, room;
	struct row **list;
};

void rows_add(struct rows *rows, enum table_id table, const void *key, const void *value);
void rows_clear(struct rows *rows); /* frees rows and list */
size_t table_key_size(enum table_id table);
size_t table_value_size(enum table_id table);
const char *table_name(enum table_id table);

enum unit_kind {
	UNIT_VPC,
	UNIT_SUBNET,
	UNIT_ROUTE_TABLE,
	UNIT_ACL,
	UNIT_GROUP_SET,
	UNIT_PORT,
	UNIT_HOST,          /* another host: its addresses */
	UNIT_PEER,          /* a VPC as it is on another host; number of the peer */
	UNIT_TUNNEL,        /* a subnet between here and another host; number of the tunnel */
	UNIT_TUNNEL_OBJECT, /* a tunnel object, of this host or another */
	UNIT_UNDERLAY,      /* what all tunnels here share; id 0. Always planned last */
};

struct unit {
	enum unit_kind kind;
	uint32_t id; /* object id; for a group set its number from plan_group_set */
};

/* What the host knows of a port's device; filled by the agent. */
struct port_device {
	uint32_t slot;             /* of port_stats; given by the agent, kept over restarts */
	uint32_t ifindex;          /* 0: not plugged in */
	uint32_t kind;             /* enum port_kind, core/tables.h */
	uint32_t attachment_flags; /* enum attachment_flags, core/tables.h */
	uint32_t port_flags;       /* enum port_flags that the host knows of */
};

/* Where a port was a moment ago. */
struct port_move {
	uint32_t from_host_id;
	uint32_t until; /* as struct port.moved_until, core/tables.h */
};

/*
 * What the planner asks the agent; all pure look-ups. Which host this is, the intent knows
 * (intent_set_host()). As long as it has no host objects the last six are not called.
 */
struct plan_host {
	void *context;
	/* False: the port is not of this host (no rows of it but the endpoint's). */
	bool (*port_device)(void *context, uint32_t port_id, struct port_device *device);
	uint32_t (*vpc_slot)(void *context, uint32_t vpc_id);
	uint32_t (*vpc_generation)(void *context, uint32_t vpc_id);
	uint32_t flow_capacity;  /* connections the flow table holds */
	uint32_t flow_guarantee; /* per port */
	/* Slots of port_stats: of a peer (all ports of a VPC on another host), of a tunnel object. */
	uint32_t (*peer_slot)(void *context, uint32_t vpc_id, uint32_t host_id);
	uint32_t (*tunnel_slot)(void *context, uint32_t tunnel_id);
	/* What is known of the way to a host: its path MTU, 0: not known. May be NULL. */
	uint32_t (*path_mtu)(void *context, uint32_t host_id);
	/* Whether the keepalive of a tunnel object gets no answer. May be NULL. */
	bool (*tunnel_down)(void *context, uint32_t tunnel_id);
	/* False: the port has not moved lately. May be NULL. */
	bool (*port_move)(void *context, uint32_t port_id, struct port_move *move);
	/* Whether nothing is heard of a host, neither in the store nor on the underlay. May be NULL. */
	bool (*host_away)(void *context, uint32_t host_id);
	/* The device of the underlay with one of this host's addresses; 0: none. May be NULL. */
	uint32_t (*underlay_ifindex)(void *context, const struct ip_address *address);
	/* Whether a device shares what it carries among the ports. May be NULL. */
	bool (*device_shared)(void *context, uint32_t ifindex);
	/* The device of this name, ready to be an uplink; 0: none. May be NULL. */
	uint32_t (*uplink_ifindex)(void *context, const char *ifname);
	/* Its MAC. False: there is no such device. May be NULL. */
	bool (*uplink_mac)(void *context, const char *ifname, struct mac_address *mac);
	/* The device that leads to the host's own stack for a subnet (direct: l3s), and its MAC; 0: none
	 * yet. May be NULL. */
	uint32_t (*stack_ifindex)(void *context, uint32_t subnet_id, struct mac_address *mac);
	/* Whether the kernel marks as the host's whatever comes in by it, and nothing is. May be NULL. */
	bool (*uplink_alone)(void *context, const char *ifname);
};

/*
 * The planner's memory: numbers of group sets (by their sorted group ids), ids of compiled
 * classifiers and of rule rows. A group set or ACL whose rules change is compiled under new
 * classifier ids, so that one write (policies, subnets) switches from the old rules to the new.
 */
struct planner;
struct planner *planner_new(void);
void planner_free(struct planner *planner);
/* Whether a port of this host has, or has had, a mirror. */
bool planner_has_mirrors(const struct planner *planner);

/* After a restart: do not use again any id that the live tables hold. Policies, subnets, rules,
 * rule_words, endpoints, ports, tunnels and tunnel_sources are given row by row before the first
 * plan_all; rows of other tables do no harm. Group sets keep the number their endpoints have in
 * the tables, where the intent says which set that is; peers and tunnels keep theirs, for rows of
 * live connections hold them. */
void planner_reserve(struct planner *planner, enum table_id table, const void *key,
		     const void *value);

/*
 * A peer: the part of a VPC that is on another host. The agent gives each a slot of counters before
 * its unit is planned, and takes it back after a plan in which the peer is gone.
 */
struct peer {
	uint32_t id; /* PEER_ID_FIRST and up, core/tables.h */
	uint32_t vpc_id;
	uint32_t host_id;
	uint32_t subnet_id; /* host_id 0: the segment or wire whose ends it stands for */
};

/* What a number of UNIT_PEER stands for. Return: false when that peer has ended. */
bool planner_peer(const struct planner *planner, uint32_t peer_id, struct peer *peer);

/* The units whose rows a new path MTU to a host changes. The array is the caller's to free(). */
size_t plan_path_units(const struct planner *planner, uint32_t host_id, struct unit **units);

/* The units whose rows another ifindex of an uplink changes: the wires, and who is behind them. The array is
 * the caller's to free(). */
size_t plan_wire_units(const struct planner *planner, const struct intent *intent,
		       struct unit **units);

/* The units whose rows ask plan_host.device_shared. The array is the caller's to free(). */
size_t plan_shared_units(const struct planner *planner, const struct intent *intent,
			 struct unit **units);

/* The number of the set with these groups (ascending, count 0 allowed); made on first use. */
uint32_t planner_group_set(struct planner *planner, const uint32_t *group_ids, size_t count);

/* The units a list of changes touches, in planning order, without duplicates; and the VPCs (ids)
 * whose generation must move because live connections may be decided otherwise now. Arrays are
 * the caller's to free(). Called after draft_commit with the draft still alive (before/after
 * valid). */
void plan_dirty(struct planner *planner, const struct intent *intent, const struct change *changes,
		size_t change_count, struct unit **units, size_t *unit_count, uint32_t **vpc_ids,
		size_t *vpc_count);

/* All units of the intent (start, audit). The array is the caller's to free(). */
size_t plan_all(struct planner *planner, const struct intent *intent, struct unit **units);

/* The rows of one unit; none when its object is gone. Appends to rows. Only after plan_dirty or
 * plan_all told the planner of the unit, or again for a port whose device changed. */
void plan_unit(struct planner *planner, const struct intent *intent, const struct plan_host *host,
	       const struct unit *unit, struct rows *rows);

enum step_action { STEP_PUT, STEP_REMOVE };

struct step {
	enum step_action action;
	const struct row *row; /* borrowed from before (remove) or after (put) */
};

/*
 * The ordered steps from the rows some units had to the rows they should have. Order: rows that
 * rules need before rows that make anything reachable; what takes reachability away first, then
 * what only it used (architecture.md, section 4); rows of vpcs that change come last, for they
 * carry the generation. STEP_REMOVE of a row of vpcs, which is an array, means: write zeros. Equal
 * rows give no step. The steps of one change must come from one call. The array is the caller's to
 * free().
 */
size_t diff_rows(const struct rows *before, const struct rows *after, struct step **steps);

#endif
