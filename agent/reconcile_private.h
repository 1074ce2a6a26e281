/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The reconciler's inside, shared by reconcile.c (a change), recover.c (the start) and upkeep.c (what runs by
 * the clock).
 */
#ifndef WEFT_AGENT_RECONCILE_PRIVATE_H
#define WEFT_AGENT_RECONCILE_PRIVATE_H

#include "agent/devices/loops.h"
#include "agent/devices/mirrors.h"
#include "agent/devices/ports.h"
#include "agent/reconcile.h"
#include "agent/slots.h"
#include "agent/tables.h"

#define STORE_PREFIX "/weft/1/"

/*
 * With a store that others write to as well:
 * @listed: the intent is what a list and the watch say; otherwise it is to be listed again
 * @blind: there is no intent at all, neither in the store nor in the copy: the datapath is left alone
 * @unreachable: the last look at the store said so
 * @awaited: a key of which the watch has not told yet
 * @awaited_watch: or one that has to get to @awaited_revision first
 * @rivals_until: tick up to which others were met that give out addresses of the same subnets
 */
struct reconcile;

#define GLOBAL_WATCHES 8
#define WATCH_PREFIX_SIZE 128

/**
 * struct prefix_watch - a part of the store that this host follows
 * @vpc_id: the tree of this VPC; 0: what all hosts follow
 * @revision: up to which it is in the intent
 * @used: tick at which somebody asked for the VPC last
 */
struct prefix_watch {
	struct reconcile *reconcile;
	char prefix[WATCH_PREFIX_SIZE];
	uint32_t vpc_id;
	uint32_t used;
	uint64_t revision;
	struct store_watch *watch;
};

/* Records of the store on their way into the intent. */
struct news {
	struct record *records;
	uint64_t *revisions;
	size_t count, room;
};

struct reconcile {
	struct reconcile_options options;
	struct intent *intent;
	uint64_t revision;
	struct prefix_watch globals[GLOBAL_WATCHES]; /* the last one: parts of this host */
	struct map vpcs;  /* id of a VPC that is held: struct prefix_watch, owned */
	struct map parts; /* id of a VPC this host has part in: revision of the record, owned */
	bool say_parts;   /* records of parts are written whatever seems to be there */
	bool listed;
	bool blind;
	bool unreachable;
	const char *awaited;
	const struct prefix_watch *awaited_watch;
	uint64_t awaited_revision;
	uint32_t rivals_until;
	struct planner *planner;
	struct plan_host plan_host;
	struct tables *tables;
	struct ports *ports;
	struct loops *loops; /* NULL: without devices */
	struct mirrors *mirrors;
	struct problems problems;
	struct list listeners; /* struct reconcile_listener */
	reconcile_unplugged_callback *unplugged;
	void *unplugged_context;
	struct slots port_slots;
	struct slots vpc_slots;
	struct map peers;       /* VPC and host id -> number of the peer */
	struct map vpc_limits;  /* VPC id -> what the devices of its ports were made with */
	size_t one_packet_vpcs; /* of these, those without offloads */
	struct map moved; /* port id -> struct port_move of what has moved lately, from anywhere */
	struct map watched;              /* port id -> its mask of watches, owned */
	uint64_t watches;                /* mask of those in use */
	uint32_t watch_subnets[WATCHES]; /* whose ports a watch looks at; 0: as it was told */
	uint32_t *generations;           /* by VPC slot; goes on when the slot is used again */
	struct loop_timer tick;
	struct loop_timer settle; /* runs while devices are moved to the cheaper hook */
	uint64_t version;         /* moves with every change of the intent, from wherever */
	uint64_t quiet_commits;   /* counts.commits at the last tick */
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

/** reconcile_update_units - plan and write; peers get their slots before, and lose them after */
size_t reconcile_update_units(struct reconcile *reconcile, const struct unit *units, size_t count);

/**
 * reconcile_port_moved - a port is on another host than before
 * @from_host_id: the one that it was on; it has the rows of its connections, and sends on what comes late
 * @until: tick until which that is so (struct port, core/tables.h); 0: from now on for MOVED_TICKS
 */
void reconcile_port_moved(struct reconcile *reconcile, uint32_t port_id, uint32_t from_host_id,
			  uint32_t until);

/** reconcile_watch_start - no port is watched: nobody of before a restart looks any more */
void reconcile_watch_start(struct reconcile *reconcile);

/** reconcile_watch_follow - ports may have come to a subnet that is watched, or left it */
void reconcile_watch_follow(struct reconcile *reconcile, const struct change *changes,
			    size_t count);

/** reconcile_port_stays - and that is long ago, or the port is gone */
void reconcile_port_stays(struct reconcile *reconcile, uint32_t port_id);

/** reconcile_end_moves - rows of ports that moved long enough ago say so no more */
void reconcile_end_moves(struct reconcile *reconcile);

/** reconcile_end_peers - slots of peers that the planner has no more */
void reconcile_end_peers(struct reconcile *reconcile);

/** reconcile_path_changed - what is known of the way to a host is not what it was; @mtu: nor what fits there */
void reconcile_path_changed(struct reconcile *reconcile, uint32_t host_id, bool mtu);

/** reconcile_router_changed - a host that routes VPCs for others has gone away or come back */
void reconcile_router_changed(struct reconcile *reconcile, uint32_t host_id);

/**
 * reconcile_yield - a port is another host's, by its newer claim, whatever this host's copy of the intent says
 *
 * The store will say the same. Until then, also over a restart, the intent says so here.
 */
void reconcile_yield(struct reconcile *reconcile, uint32_t port_id, const char *host,
		     uint32_t claim);

/** reconcile_tunnel_changed - a tunnel object is down now, or is not any more: routes that lead to it */
void reconcile_tunnel_changed(struct reconcile *reconcile, uint32_t tunnel_id);

/** reconcile_underlay_changed - addresses or devices of the underlay are not what they were */
void reconcile_underlay_changed(struct reconcile *reconcile);

/** reconcile_shares_changed - other devices share what they carry among the ports */
void reconcile_shares_changed(struct reconcile *reconcile);

/** reconcile_wires_changed - uplinks have other devices, or none */
void reconcile_wires_changed(struct reconcile *reconcile);

/** reconcile_vpc_limits - what devices of a VPC's ports keep to: MTU, and offloads; never 0 */
uint32_t reconcile_vpc_limits(const struct reconcile *reconcile, uint32_t vpc_id);

/** reconcile_keep_limits - remember them as those that devices have; 0: of a VPC that is gone. Return: the former */
uint32_t reconcile_keep_limits(struct reconcile *reconcile, uint32_t vpc_id, uint32_t limits);

/** reconcile_share_flows - tell the datapath how much of the flow table is for all ports */
void reconcile_share_flows(struct reconcile *reconcile);

/** reconcile_recover - the start: intent from the store, rows and slots from the datapath, then all in line */
int reconcile_recover(struct reconcile *reconcile, struct error *error);

/* What follows from changes of the intent: slots, devices, rows; and telling who listens. */
void reconcile_apply(struct reconcile *reconcile, const struct change *changes, size_t count);
void reconcile_publish(struct reconcile *reconcile, const struct change *changes, size_t count);

/* ---- reconcile_news.c: other writers; without any, nothing of it does anything ---- */

/** reconcile_require - the transaction holds only if nobody wrote what the draft builds on */
void reconcile_require(const struct reconcile *reconcile, struct store_transaction *transaction,
		       struct draft *draft);

/** reconcile_keep - put records into the copy in the state directory */
void reconcile_keep(struct reconcile *reconcile, const struct record *records, size_t count);

/** reconcile_pass_on - whether the record is not intent's; it was given to whom it concerns */
bool reconcile_pass_on(struct reconcile *reconcile, const char *key, const char *value,
		       uint64_t revision);

/** reconcile_connect - list and watch if that is to be done. Return: 0 or negative errno. */
int reconcile_connect(struct reconcile *reconcile);

/** reconcile_look_at_store - each second: is it there, and if it came back, what is new */
void reconcile_look_at_store(struct reconcile *reconcile);

/** reconcile_on_watch - a store_watch_callback; the context is a struct prefix_watch */
void reconcile_on_watch(void *context, const struct store_item *items, size_t count,
			uint64_t revision);

/** reconcile_news_item - a store_item_callback that adds to a struct news */
int reconcile_news_item(void *context, const struct store_item *item);
void reconcile_news_fini(struct news *news);

/* ---- reconcile_vpcs.c: what is held; nothing of it does anything without other writers ---- */

void reconcile_watches_init(struct reconcile *reconcile);
void reconcile_watches_fini(struct reconcile *reconcile);

/** reconcile_watch_all - watch, each from the revision it was listed at. Return: 0 or negative errno. */
int reconcile_watch_all(struct reconcile *reconcile, struct error *error);

/**
 * reconcile_list_all - everything that this host follows
 * @start: nothing is held yet; else VPCs that this host got part in are left to reconcile_settle_vpcs()
 * @revision: set to the newest of those the lists are at
 */
int reconcile_list_all(struct reconcile *reconcile, bool start, store_item_callback *callback,
		       void *context, uint64_t *revision, struct error *error);

/** reconcile_note_part - Return: whether the record is one of this host's parts; it was taken then */
bool reconcile_note_part(struct reconcile *reconcile, const char *key, const char *value,
			 uint64_t revision);
bool reconcile_is_part_key(const char *key);

/** reconcile_add_parts - what a change says of parts becomes part of its transaction */
void reconcile_add_parts(const struct reconcile *reconcile, struct store_transaction *transaction,
			 const struct change *changes, size_t count);

/** reconcile_load_vpc - hold a VPC from now on, or read it anew. Return: 0 or negative errno. */
int reconcile_load_vpc(struct reconcile *reconcile, uint32_t vpc_id, struct error *error);

/**
 * reconcile_await_owner - when @key says who has an address or a name: await that the tree of its VPC does as well
 *
 * It was written in the same transaction. Sets awaited_watch, unless it is known or free again.
 * Return: whether @key is one of those.
 */
bool reconcile_await_owner(struct reconcile *reconcile, const char *key);

/** reconcile_load_owner - Return: whether @key says which port has a device; its VPC is held then */
bool reconcile_load_owner(struct reconcile *reconcile, const char *key);

/** reconcile_settle_vpcs - hold what is to be held, and let go of what is not */
void reconcile_settle_vpcs(struct reconcile *reconcile);
void reconcile_vpcs_tick(struct reconcile *reconcile);

/** reconcile_vpcs_written - VPCs that were made here are held */
void reconcile_vpcs_written(struct reconcile *reconcile, const struct change *changes, size_t count,
			    uint64_t revision);

/* ---- reconcile_ids.c ---- */

/**
 * reconcile_take_ids - ids that nobody else has, for a host among others
 * @count: at least so many
 *
 * Return: 0 or negative errno with a sentence.
 */
int reconcile_take_ids(struct reconcile *reconcile, uint32_t count, struct error *error);

/** reconcile_upkeep_start - run what runs by the clock */
void reconcile_upkeep_start(struct reconcile *reconcile);

#endif
