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

/* A peer that has or had a number; it has rows only while it lives. */
struct planner_peer {
	struct peer peer;
	uint32_t subnet_id; /* of host 0, ends that are not Weft: their segment; else 0 */
	bool lives;
};

/* What a tunnel takes of the host: shared by all tunnels that take the same. */
struct tunnel_use {
	uint8_t kind;             /* TUNNEL_NONE: nothing */
	uint16_t port;            /* UDP, host order; 0: none */
	struct ip_address local;  /* end of kinds without UDP */
	struct ip_address group;  /* joined; or zero */
	struct ip_address remote; /* end that is no Weft host; or zero */
};

/* A tunnel that has or had a number: a subnet to a host, a segment's group, or a tunnel object. */
struct planner_tunnel {
	uint32_t number;
	uint32_t subject_id; /* subnet or tunnel object */
	uint32_t host_id;    /* 0: the group, or the object's end */
	struct tunnel_use use;
};

/* Something taken, and by how many tunnels. */
struct taken_end {
	struct ip_address address;
	uint32_t count;
	uint32_t kinds[TUNNEL_KINDS]; /* of these, by kind */
};

struct taken_port {
	uint16_t port;
	uint8_t kind;
	uint32_t count;
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

	struct map here;          /* VPC id -> anything: VPCs that have rows here */
	struct map mtus;          /* VPC id -> its MTU when its ports were last planned */
	struct map taps;          /* subnet id -> anything: has taps of this host */
	struct map peers;         /* VPC or (host 0) subnet, host -> struct planner_peer, owned */
	struct map peers_by_id;   /* number -> the same */
	struct map peers_of_host; /* host id -> how many peers live there */
	struct map tunnels;       /* subject, host -> struct planner_tunnel, owned */
	struct map tunnels_by_id; /* number -> the same */
	struct map taken_ports;   /* UDP port -> struct taken_port, owned */
	struct map taken_locals;  /* address -> struct taken_end, owned */
	struct map taken_groups;  /* the same */
	struct map taken_remotes; /* the same */
	uint32_t next_peer;       /* PEER_ID_FIRST and up */
	uint32_t next_tunnel;
	bool mirrors; /* there is or was a port with a mirror */
	bool apart;   /* there were host objects at the last plan */
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

/** planner_set_of_tunnel - Return: NULL when rules say nothing of the tunnel */
struct group_set *planner_set_of_tunnel(struct planner *planner,
					const struct tunnel_object *tunnel);

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

/* ---- planner_tunnels.c ---- */

/** planner_is_here - whether a VPC has rows on this host, by the intent as it is now */
bool planner_is_here(const struct intent *intent, uint32_t vpc_id);

/**
 * planner_take_peer - the peer of a VPC on a host, with a number if it had none
 * @subnet_id: with @host_id 0, ends of a segment that are not Weft: the subnet; else 0
 */
struct planner_peer *planner_take_peer(struct planner *planner, uint32_t vpc_id, uint32_t subnet_id,
				       uint32_t host_id);

/** planner_find_peer - the same if it has a number, NULL if not */
struct planner_peer *planner_find_peer(const struct planner *planner, uint32_t vpc_id,
				       uint32_t subnet_id, uint32_t host_id);

struct planner_peer *planner_peer_by_id(const struct planner *planner, uint32_t peer_id);

/** planner_take_tunnel - the tunnel of a subject to a host, with a number if it had none */
struct planner_tunnel *planner_take_tunnel(struct planner *planner, uint32_t subject_id,
					   uint32_t host_id);

struct planner_tunnel *planner_tunnel_by_number(const struct planner *planner, uint32_t number);

/** planner_use - what a tunnel takes now, in place of what it took; NULL: nothing */
void planner_use(struct planner *planner, struct planner_tunnel *tunnel,
		 const struct tunnel_use *use);

/** planner_forget_tunnel - its subject is gone for good; the number is not used again */
void planner_forget_tunnel(struct planner *planner, struct planner_tunnel *tunnel);

/** planner_forget_peer - the same, of a peer whose VPC, subnet or host is gone */
void planner_forget_peer(struct planner *planner, struct planner_peer *peer);

/** planner_reserve_tunnels - planner_reserve() of the tables of tunnels */
void planner_reserve_tunnels(struct planner *planner, enum table_id table, const void *key,
			     const void *value);

/** planner_tunnels_fini - release what this part holds */
void planner_tunnels_fini(struct planner *planner);

#endif
