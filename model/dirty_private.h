/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What dirty.c (changes and units of one host) and dirty_tunnels.c (who has part in what) share.
 */
#ifndef WEFT_MODEL_DIRTY_PRIVATE_H
#define WEFT_MODEL_DIRTY_PRIVATE_H

#include "model/intent_private.h"
#include "model/planner.h"

struct dirty {
	struct planner *planner;
	const struct intent *intent;
	struct map seen; /* kind and id -> anything */
	struct map vpcs; /* id -> anything */
	size_t count, room;
	struct unit *units;
};

/* ---- dirty.c ---- */

void mark_kind(struct dirty *dirty, enum unit_kind kind, uint32_t id);
void mark_objects(struct dirty *dirty, enum unit_kind unit, uint32_t vpc_id, enum object_kind kind);
void mark_generation(struct dirty *dirty, uint32_t vpc_id);

/* Everything that a VPC has rows of, but for what is between hosts. */
void mark_vpc(struct dirty *dirty, uint32_t vpc_id);

/* ---- dirty_tunnels.c ---- */

/* A port or tunnel came to a host, left it, or is plugged in otherwise; both may be the same. */
void mark_part(struct dirty *dirty, uint32_t vpc_id, const char *host);
void mark_taps(struct dirty *dirty, uint32_t subnet_id);

/* The tunnels of a subnet that came, went or is carried otherwise. */
void mark_subnet_tunnels(struct dirty *dirty, uint32_t vpc_id, uint32_t subnet_id);

/* Another host routes the VPC now, or there is another way to it: all of its subnets say which. */
void mark_router(struct dirty *dirty, uint32_t vpc_id);

/* A VPC's MTU may have moved: its ports carry it. */
void mark_mtu(struct dirty *dirty, uint32_t vpc_id);

void dirty_host(struct dirty *dirty, const struct change *change);
void dirty_tunnel(struct dirty *dirty, const struct change *change);

void mark_peers(struct dirty *dirty, uint32_t vpc_id);

/* Everything between hosts, whatever there was before. */
void mark_everything_between(struct dirty *dirty);

#endif
