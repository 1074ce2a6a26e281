/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From a checked draft to a host that does what it says: the only writer of the datapath.
 *
 *	draft -> store transaction -> intent -> dirty units -> devices -> rows -> generation
 *
 * The store transaction is the commit point. Before it nothing has happened; after it everything is done
 * again from the store by whoever starts next, should this process die. Work is in proportion to the
 * change. At the start the rows and slots that the datapath still has are taken over, the whole
 * plan is compared with them, and only what differs is written: traffic goes on throughout.
 *
 * Rules take effect before the generation of a VPC moves, so no connection is judged by old rules and
 * marked as judged by new ones.
 *
 * Neighbours: model/ (plan, diff), tables.c (rows), ports.c (devices), slots.c; api.c calls in.
 */
#ifndef WEFT_AGENT_RECONCILE_H
#define WEFT_AGENT_RECONCILE_H

#include "agent/observe/events.h"
#include "agent/observe/problems.h"
#include "agent/tables.h"
#include "base/list.h"
#include "base/loop.h"
#include "datapath/datapath.h"
#include "model/draft.h"
#include "model/plan.h"
#include "store/store.h"

struct adoptions;
struct reconcile;
struct ports;
struct cache;

/**
 * struct reconcile_cluster - what the reconciler tells and asks about other hosts (cluster.c)
 * @record: each record of a store that others write to; @key NULL: a list begins, @value NULL: it is
 *	gone. Return: true if it is no intent
 * @connected: the store was listed
 * @changed: the intent was changed, by whomever, and the host follows it
 * @path_mtu, @underlay_ifindex, @uplink_ifindex, @uplink_mac, @stack_ifindex, @uplink_alone,
 *	@device_shared, @tunnel_down, @host_away: as in struct plan_host
 */
struct reconcile_cluster {
	void *context;
	bool (*record)(void *context, const char *key, const char *value);
	void (*connected)(void *context);
	void (*changed)(void *context, const struct change *changes, size_t count);
	uint32_t (*path_mtu)(void *context, uint32_t host_id);
	uint32_t (*underlay_ifindex)(void *context, const struct ip_address *address);
	uint32_t (*uplink_ifindex)(void *context, const char *ifname);
	bool (*device_shared)(void *context, uint32_t ifindex);
	bool (*uplink_mac)(void *context, const char *ifname, struct mac_address *mac);
	uint32_t (*stack_ifindex)(void *context, uint32_t subnet_id, struct mac_address *mac);
	bool (*uplink_alone)(void *context, const char *ifname);
	bool (*tunnel_down)(void *context, uint32_t tunnel_id);
	bool (*host_away)(void *context, uint32_t host_id);
};

/**
 * struct reconcile_options - all borrowed for the life of the reconciler
 * @clock: NULL for the system's
 * @host: name of this host
 * @instance: name of the daemon
 * @loop_domain: number of the installation (loops.h)
 * @ovsdb: socket of Open vSwitch's database; NULL: the usual one
 * @adoptions: how devices of others were before they were ports; may be NULL in tests
 * @shared: others write to the store as well
 * @cache: copy of the records for a start without the store; NULL: none
 * @cluster: NULL: there is nobody else
 * @devices: false in tests without privileges: every port waits
 * @flow_capacity: connections the flow table holds
 * @flow_guarantee: connections each port may have whatever the others do
 */
struct reconcile_options {
	struct loop *loop;
	const struct clock *clock;
	struct store *store;
	struct datapath *datapath;
	struct events *events;
	const char *host;
	const char *instance;
	const char *ovsdb;
	struct adoptions *adoptions;
	uint64_t loop_domain;
	bool shared;
	struct cache *cache;
	const struct reconcile_cluster *cluster;
	bool devices;
	uint32_t flow_capacity;
	uint32_t flow_guarantee;
};

/* Upper bounds of the buckets of reconcile_counts.apply, in milliseconds; a last one has no bound. */
#define APPLY_BUCKETS 10
extern const uint32_t apply_bucket_ms[APPLY_BUCKETS];

/**
 * struct reconcile_counts - what it did since it was opened
 * @store_events: records that the store told of, and @store_event_bytes of their keys and values
 * @apply: commits by time taken; not cumulated
 * @apply_ns: sum of the time taken
 */
struct reconcile_counts {
	uint64_t commits;
	uint64_t rows;
	uint64_t audits;
	uint64_t audit_repairs;
	uint64_t store_errors;
	uint64_t store_events;
	uint64_t store_event_bytes;
	uint64_t sweeps;
	uint64_t sweep_errors;
	uint64_t apply[APPLY_BUCKETS + 1];
	uint64_t apply_ns;
};

/**
 * reconcile_open - load the intent, take over the datapath, make it what the intent says
 * @reconcile: set on success; release with reconcile_close()
 *
 * Return: 0, or negative errno when the store cannot be read or what it holds is not valid.
 */
int reconcile_open(const struct reconcile_options *options, struct reconcile **reconcile,
		   struct error *error);

/** reconcile_close - stop; the datapath goes on forwarding. NULL is ignored. */
void reconcile_close(struct reconcile *reconcile);

/** reconcile_intent - the intent; change it by drafts only */
struct intent *reconcile_intent(struct reconcile *reconcile);

/* Fills a draft with what a request asks for. Return: 0, or negative errno with a sentence. */
typedef int reconcile_fill_callback(void *context, struct draft *draft, struct error *error);

/**
 * reconcile_change - make a request so: draft, judgement, store, host
 * @fill: called with a new draft; and again, with another one, when another host wrote in between
 * @draft: set on success to the draft that was committed; the caller's (draft_free())
 * @revision: set to the store's revision
 *
 * Return: 0; what @fill or the judgement says; or what reconcile_commit() returns. Nothing has
 * changed then.
 */
int reconcile_change(struct reconcile *reconcile, reconcile_fill_callback *fill, void *context,
		     struct draft **draft, uint64_t *revision, struct error *error);

/**
 * reconcile_commit - make a draft so: in the store, then on this host
 * @draft: judged by draft_check(); stays the caller's
 * @revision: set to the store's revision
 *
 * What cannot be done on the host right now (a namespace that is not there, a full table) is in the
 * port's status and the problems and is tried again; it does not fail the commit.
 *
 * Return: 0; -EDQUOT when the host has no room for so many ports; or the store's error. Nothing has
 * changed then.
 */
int reconcile_commit(struct reconcile *reconcile, struct draft *draft, uint64_t *revision,
		     struct error *error);

/*
 * Before something is read or changed of a VPC that this host has nothing to do with, it is read from
 * the store; no draft may be open. By name (what is not there is no error), all there are, or those in
 * which another host has part. Return: 0 or negative errno with a sentence.
 */
int reconcile_need_vpc(struct reconcile *reconcile, const char *name, struct error *error);
int reconcile_need_all(struct reconcile *reconcile, struct error *error);
int reconcile_need_parts_of(struct reconcile *reconcile, const char *host, struct error *error);

/** reconcile_revision - the store's revision that the intent is at */
uint64_t reconcile_revision(const struct reconcile *reconcile);

/**
 * reconcile_version - a number that is another one whenever the intent that is held here has changed
 *
 * The revision is not: a VPC that is read, or let go, is an older change.
 */
uint64_t reconcile_version(const struct reconcile *reconcile);

/** reconcile_counts - what it did so far */
const struct reconcile_counts *reconcile_counts(const struct reconcile *reconcile);

/** reconcile_problems - what does not work at the moment */
const struct problems *reconcile_problems(const struct reconcile *reconcile);

/** reconcile_ports - the devices of this host's ports */
struct ports *reconcile_ports(struct reconcile *reconcile);

/** reconcile_host - name of this host */
const char *reconcile_host(const struct reconcile *reconcile);

/** reconcile_rows - Return: rows of @table that it has written */
size_t reconcile_rows(const struct reconcile *reconcile, enum table_id table);

/** reconcile_flow_capacity - connections the flow table holds */
uint32_t reconcile_flow_capacity(const struct reconcile *reconcile);

/* Slots of counters. Return: 0 if the object has none. */
uint32_t reconcile_port_slot(const struct reconcile *reconcile, uint32_t port_id);
uint32_t reconcile_vpc_slot(const struct reconcile *reconcile, uint32_t vpc_id);

/** reconcile_dhcp - what is wrong with an outside DHCP server, or its lease of a port; NULL: nothing */
void reconcile_dhcp(struct reconcile *reconcile, uint32_t object_id, const char *why);

/** reconcile_services - DNS and metadata are not served, and why; NULL: they are */
void reconcile_services(struct reconcile *reconcile, const char *why);

/** reconcile_socket - the API's unix socket is gone and cannot be made again, and why; NULL: it is there */
void reconcile_socket(struct reconcile *reconcile, const char *why);

/** reconcile_slot_port - Return: the port of this host that has a slot; NULL if none */
const struct port_object *reconcile_slot_port(const struct reconcile *reconcile, uint32_t slot);

/* ---- reconcile_watch.c: ports that are looked at (core/watch.c) ---- */

/**
 * reconcile_watch - look at the packets of ports
 * @row: what is looked for; its counters start at 0
 * @port_ids: ports of this host
 * @subnet_id: in their place each port that this subnet has here, now and later; 0: none
 *
 * Return: the watch, 0 to WATCHES - 1, until reconcile_unwatch(); -EDQUOT when all are in use.
 */
int reconcile_watch(struct reconcile *reconcile, const struct watch *row, const uint32_t *port_ids,
		    size_t count, uint32_t subnet_id, struct error *error);

/** reconcile_watch_counts - Return: false when there is no such watch */
bool reconcile_watch_counts(const struct reconcile *reconcile, int watch, uint64_t *matched,
			    uint64_t *taken);

/** reconcile_unwatch - look no more */
void reconcile_unwatch(struct reconcile *reconcile, int watch);

/* Hears of each change once the host follows it, whoever wrote it. */
typedef void reconcile_changed_callback(void *context, const struct change *changes, size_t count);

/**
 * struct reconcile_listener - who hears of changes; its owner's
 * @changed: called with @context
 * @node: private
 */
struct reconcile_listener {
	reconcile_changed_callback *changed;
	void *context;
	struct list node;
};

/**
 * reconcile_listen - @listener hears of each change from now on, until reconcile_unlisten()
 * @listener: @changed and @context are set
 */
void reconcile_listen(struct reconcile *reconcile, struct reconcile_listener *listener);

/** reconcile_unlisten - @listener hears no more; it may be called from its own callback */
void reconcile_unlisten(struct reconcile_listener *listener);

/* Ports have got or lost their devices, or may have. */
typedef void reconcile_unplugged_callback(void *context, const uint32_t *port_ids, size_t count);

/** reconcile_watch_devices - one listener for that; NULL: nobody any more */
void reconcile_watch_devices(struct reconcile *reconcile, reconcile_unplugged_callback *callback,
			     void *context);

/** reconcile_flow_log - the flow log of a VPC cannot be written, and why; NULL: it can */
void reconcile_flow_log(struct reconcile *reconcile, uint32_t vpc_id, const char *why);

/** reconcile_audit - one slice of the audit now. Return: rows repaired. */
size_t reconcile_audit(struct reconcile *reconcile);

/** reconcile_sweep - one sweep now. Return: 0 or negative errno. */
int reconcile_sweep(struct reconcile *reconcile);

#endif
