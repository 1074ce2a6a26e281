/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The planner's memory, shared by plan.c (rows) and dirty.c (which units a change touches).
 *
 * A group set is the list of security groups of a port. Ports that have the same groups share a
 * set, so that the rules are compiled once for all of them. The planner counts the ports of each
 * set: a set without ports has no rows, and its number is not used again once its rows were planned
 * away.
 *
 * Neighbours: plan.h (the contract with the agent), classifier.h (what a set is compiled to).
 */
#ifndef WEFT_MODEL_PLANNER_H
#define WEFT_MODEL_PLANNER_H

#include "base/map.h"
#include "model/classifier.h"
#include "model/plan.h"

struct group_set {
	uint32_t id;
	uint32_t port_count;
	struct classifier *egress, *ingress;
	size_t group_count;
	uint32_t group_ids[]; /* ascending */
};

/* The live sets that have one group. */
struct group_set_list {
	size_t count, room;
	struct group_set **list;
};

struct acl_state {
	struct classifier *egress, *ingress;
};

struct planner {
	struct map sets;          /* count and group ids -> struct group_set, which it owns */
	struct map sets_by_id;    /* number -> struct group_set */
	struct map sets_of_group; /* group id -> struct group_set_list */
	struct map set_of_port;   /* port id -> struct group_set */
	struct map acls;          /* ACL id -> struct acl_state */
	struct map found;         /* port id -> number its set had before a restart */
	uint32_t next_set;
	struct classifier_ids ids;
};

/**
 * planner_set_of_groups - the set with these groups
 * @group_ids: ascending, without duplicates
 * @count: at most PORT_GROUPS_MAX; of more those behind are left out (check.c refuses them)
 *
 * Return: the set, made if need be, without ports then.
 */
struct group_set *planner_set_of_groups(struct planner *planner, const uint32_t *group_ids,
					size_t count);

/**
 * planner_set_by_id - the set with a number
 *
 * Return: the set or NULL.
 */
struct group_set *planner_set_by_id(const struct planner *planner, uint32_t id);

/**
 * planner_sets_of_group - the sets with a group that have ports
 *
 * Return: the list, empty if there are none; never NULL. Valid until the next call that moves a
 * port.
 */
const struct group_set_list *planner_sets_of_group(const struct planner *planner,
						   uint32_t group_id);

/**
 * planner_port_move - say which set a port is in
 * @port_id: the port
 * @set: NULL when the port is gone
 * @emptied: set to the set that lost its last port, otherwise NULL
 *
 * Return: true if @set had no port before.
 */
bool planner_port_move(struct planner *planner, uint32_t port_id, struct group_set *set,
		       struct group_set **emptied);

/**
 * planner_set_forget - release a set without ports; its number is not used again
 */
void planner_set_forget(struct planner *planner, struct group_set *set);

/**
 * planner_recount - count the ports of all sets anew
 * @planner: takes over the set numbers found in the tables after a restart, where ports tell them
 * apart
 * @intent: whose ports are counted
 */
void planner_recount(struct planner *planner, const struct intent *intent);

/**
 * planner_acl - the classifiers of an ACL
 *
 * Return: made on first use.
 */
struct acl_state *planner_acl(struct planner *planner, uint32_t acl_id);

/**
 * planner_acl_forget - release the classifiers of an ACL that is gone
 */
void planner_acl_forget(struct planner *planner, uint32_t acl_id);

#endif
