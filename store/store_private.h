/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Between the front of the store (store.c, store_watch.c, store_lease.c) and what keeps the data
 * (store_sqlite.c, store_memory.c, store_etcd.c). Nobody else includes this.
 *
 * The front checks keys, holds watches and the clocks of leases; an implementation keeps keys
 * and values, the revision of each, which keys changed lately, and which leases exist.
 */
#ifndef WEFT_STORE_STORE_PRIVATE_H
#define WEFT_STORE_STORE_PRIVATE_H

#include "base/list.h"
#include "base/map.h"
#include "store/store.h"

enum store_requirement {
	STORE_REQUIRE_REVISION,
	STORE_REQUIRE_EXISTING,
	STORE_REQUIRE_UNCHANGED, /* the key is a prefix */
};

struct store_compare {
	char *key;
	enum store_requirement requirement;
	uint64_t revision;
};

/* @value NULL: delete. */
struct store_change {
	char *key;
	char *value;
	size_t value_len;
	uint64_t lease;
};

struct store_transaction {
	struct store_compare *compares;
	size_t compare_count;
	size_t compare_capacity;
	struct store_change *changes;
	size_t change_count;
	size_t change_capacity;
};

/**
 * struct store_ops - what an implementation does; keys are checked, arguments never NULL
 * @get: call @callback with the item, once; -ENOENT without error text if there is none
 * @list: as store_list(); sets @revision
 * @changes: call @callback for each key under @prefix changed after revision @after, as it is
 *	now; sets @revision; -ESTALE if that is no longer known
 * @commit: as store_commit(); sets @revision in any case of success
 * @lease_add: keep a lease; sets @lease to a number never used before
 * @lease_remove: forget a lease and delete its keys in one commit; sets @revision
 * @close: release the implementation's struct, of which struct store is a member
 *
 * The rest is NULL but for a store over the network:
 * @reachable: as store_reachable()
 * @loop_changed: store->loop was set or taken away
 * @pump: called by dispatch: take in what has come
 * @watch_add: a watch begins after watch->after; may set watch->state
 * @watch_remove: it ends
 * @watch_rewind: it goes on after watch->after
 * @watch_take: as @changes, but what came for this watch since the last time
 * @lease_renew: its full time again; -ENOENT if it is over
 * @lease_renew_start: the same without waiting; store_lease_renewed() is called later
 */
struct store_ops {
	int (*get)(struct store *store, const char *key, store_item_callback *callback,
		   void *context, struct error *error);
	int (*list)(struct store *store, const char *prefix, store_item_callback *callback,
		    void *context, uint64_t *revision, struct error *error);
	int (*changes)(struct store *store, const char *prefix, uint64_t after,
		       store_item_callback *callback, void *context, uint64_t *revision,
		       struct error *error);
	int (*commit)(struct store *store, const struct store_transaction *transaction,
		      uint64_t *revision, struct error *error);
	int (*lease_add)(struct store *store, uint64_t ttl_ms, uint64_t *lease,
			 struct error *error);
	int (*lease_remove)(struct store *store, uint64_t lease, uint64_t *revision,
			    struct error *error);
	void (*close)(struct store *store);
	bool (*reachable)(const struct store *store, struct error *why);
	void (*loop_changed)(struct store *store);
	void (*pump)(struct store *store);
	void (*watch_add)(struct store *store, struct store_watch *watch);
	void (*watch_remove)(struct store *store, struct store_watch *watch);
	void (*watch_rewind)(struct store *store, struct store_watch *watch);
	int (*watch_take)(struct store *store, struct store_watch *watch,
			  store_item_callback *callback, void *context, uint64_t *revision);
	int (*lease_renew)(struct store *store, uint64_t lease, struct error *error);
	void (*lease_renew_start)(struct store *store, uint64_t lease);
};

/**
 * struct store_watch - one watch
 * @after: the revision its owner is at
 * @state: the implementation's
 */
struct store_watch {
	struct list node; /* first: store_close() casts */
	struct store *store;
	char *prefix;
	uint64_t after;
	store_watch_callback *callback;
	void *context;
	void *state;
};

/**
 * struct store - the front's part of every store
 * @revision: of the last commit
 * @leases: number to struct store_lease
 * @loop: that dispatches, or NULL
 * @news: dispatch in the next round of the loop
 * @expiry: dispatch when the next lease runs out
 */
struct store {
	const struct store_ops *ops;
	const struct clock *clock;
	uint64_t revision;
	struct list watches;
	struct map leases;
	struct loop *loop;
	struct loop_deferred news;
	struct loop_timer expiry;
};

/* For implementations: set up the front's part; and a lease that was found when opening. */
void store_init(struct store *store, const struct store_ops *ops, const struct clock *clock);
void store_lease_restore(struct store *store, uint64_t lease, uint64_t ttl_ms);

/* The oldest revision a watch still has to be told the changes after; UINT64_MAX if none. */
uint64_t store_oldest_watch(const struct store *store);

/* The store is at @revision now; and: there is something to dispatch. */
void store_moved_on(struct store *store, uint64_t revision);
void store_ask_for_dispatch(struct store *store);

/*
 * How a renewal ended that was asked for at @asked_ns (of the store's clock): @result 0; -ENOENT,
 * the lease is over; or something else, and it is tried again soon.
 */
void store_lease_renewed(struct store *store, uint64_t lease, uint64_t asked_ns, int result);

/* Those that wait for another try are tried now. */
void store_leases_renew_soon(struct store *store);

/*
 * Inside the front: end leases whose time is over; renew those kept alive and say which were
 * lost; and set the timer for the next one.
 */
int store_leases_expire(struct store *store, struct error *error);
void store_leases_keep(struct store *store);
void store_leases_arm(struct store *store);
bool store_lease_exists(const struct store *store, uint64_t lease);

/* -EAGAIN with the sentence that fits the comparison that failed; @found 0: no such key. */
int store_compare_failed(const struct store_compare *compare, uint64_t found, struct error *error);

/* For a walk over a prefix that must be unchanged: ends at the first key written after @after. */
struct store_newest {
	uint64_t after;
	uint64_t found; /* 0: none */
};

int store_find_newer(void *context, const struct store_item *item);

#endif
