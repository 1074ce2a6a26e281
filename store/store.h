/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Where intent lives: an ordered map from keys to JSON text, with revisions.
 *
 * Keys are paths ("/weft/1/vpc/<id>/port/<id>"). Every commit that changes something gets the
 * next revision, and each key remembers the revision that wrote it last (its mod revision).
 * A transaction is a list of comparisons and a list of changes: all changes happen if all
 * comparisons hold, and they are on disk when the call returns. Whoever keeps a copy in memory
 * lists, then watches from the revision the list came with.
 *
 * Implementations: store_sqlite.c (one host, the default), store_memory.c (tests), store_etcd.c
 * (a cluster; store_etcd.h says what is different there). One test suite runs against each. Calls
 * block for the time of a disk write or a request and are made from one thread.
 *
 * Errors, all with a sentence: -EAGAIN a comparison did not hold (error.path is the key);
 * -ENOENT no such key; -EROFS, -ENOSPC, -EIO the storage refused and nothing was changed;
 * -ENOLCK another process holds the database; -EUCLEAN it is damaged; -EINVAL a key or value no
 * store takes: keys start with '/', are printable ASCII without spaces; values are at most 1 MiB.
 */
#ifndef WEFT_STORE_STORE_H
#define WEFT_STORE_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/loop.h"

#define STORE_KEY_LENGTH_MAX 512
#define STORE_VALUE_LENGTH_MAX (1U << 20)

struct store;
struct store_watch;
struct store_transaction;

/**
 * struct store_item - one key as it is now
 * @key: the key
 * @value: JSON text; NULL in an event: the key is gone
 * @value_len: its length without terminator
 * @revision: that wrote it last (in an event of deletion: that deleted it)
 * @lease: that it dies with; 0 if none
 */
struct store_item {
	const char *key;
	const char *value;
	size_t value_len;
	uint64_t revision;
	uint64_t lease;
};

/* Called per item; the item ends with the call. Return: 0 to go on, else the list stops. */
typedef int store_item_callback(void *context, const struct store_item *item);

/*
 * What changed under a watch's prefix, up to and including @revision: after all @items are
 * taken over, the copy equals the store at @revision. A key changed several times since the last
 * call comes once, as it is now. @items NULL: the store has forgotten what changed; list again
 * and go on from that list's revision (store_watch_rewind()).
 */
typedef void store_watch_callback(void *context, const struct store_item *items, size_t count,
				  uint64_t revision);

/* Opening ------------------------------------------------------------------------------------ */

/**
 * store_open_sqlite - open or make a database
 * @path: the file; its directory must exist
 * @clock: for leases; NULL for the system's
 * @store: set on success; release with store_close()
 *
 * A database that can be read but not written (a full or read-only disk) opens; each commit then
 * tries again to write, and says why it cannot. Keeping a second process away is the caller's
 * part (file_lock()); a lock another one holds is waited for, 5 s at most here,
 * and 50 ms later on, because nothing else happens in the meantime.
 *
 * Return: 0; -EUCLEAN if it is damaged; -EPROTO if a newer Weft wrote it; -ENOLCK if it stayed
 * locked; or another negative errno.
 */
int store_open_sqlite(const char *path, const struct clock *clock, struct store **store,
		      struct error *error);

/**
 * store_open_memory - an empty store that ends with the process
 */
struct store *store_open_memory(const struct clock *clock);

/** store_close - end all watches and release @store (may be NULL) */
void store_close(struct store *store);

/**
 * store_reachable - whether calls can be expected to work; true for stores on this machine
 * @why: set to the reason if not; may be NULL
 */
bool store_reachable(const struct store *store, struct error *why);

/* Reading ------------------------------------------------------------------------------------ */

/**
 * store_get - read one key
 * @value: set to terminated text owned by the caller
 * @revision: set to the key's mod revision; may be NULL
 *
 * Return: 0, -ENOENT, or another negative errno.
 */
int store_get(struct store *store, const char *key, char **value, uint64_t *revision,
	      struct error *error);

/**
 * store_list - all keys that start with @prefix, in byte order
 * @revision: set to the store's revision the list is a snapshot of; may be NULL
 *
 * The callback must not change the store.
 *
 * Return: 0, what the callback returned if not 0, or negative errno.
 */
int store_list(struct store *store, const char *prefix, store_item_callback *callback,
	       void *context, uint64_t *revision, struct error *error);

/** store_revision - the revision of the last commit; 0 if there was none */
uint64_t store_revision(const struct store *store);

/* Writing ------------------------------------------------------------------------------------ */

/** store_transaction_new - an empty transaction; release with store_transaction_free() */
struct store_transaction *store_transaction_new(void);

/** store_transaction_free - release @transaction (may be NULL) */
void store_transaction_free(struct store_transaction *transaction);

/* Comparisons and changes; key and value are copied. Changes run in the order they were added. */

/** store_transaction_require_revision - @key must have this mod revision; 0: must not exist */
void store_transaction_require_revision(struct store_transaction *transaction, const char *key,
					uint64_t revision);

/** store_transaction_require_existing - @key must exist */
void store_transaction_require_existing(struct store_transaction *transaction, const char *key);

/** store_transaction_require_unchanged - no key that starts with @prefix was written after @revision */
void store_transaction_require_unchanged(struct store_transaction *transaction, const char *prefix,
					 uint64_t revision);

/** store_transaction_put - write @key; @lease 0 for none */
void store_transaction_put(struct store_transaction *transaction, const char *key,
			   const char *value, uint64_t lease);

/** store_transaction_delete - delete @key; nothing happens if it is not there */
void store_transaction_delete(struct store_transaction *transaction, const char *key);

/** store_transaction_count - how many changes it holds */
size_t store_transaction_count(const struct store_transaction *transaction);

/**
 * store_commit - run a transaction: all of it or nothing
 * @transaction: unchanged; may be run again
 * @revision: set to the new revision, or to the present one if nothing changed; may be NULL
 *
 * Return: 0; -EAGAIN with error.path the first key whose comparison failed; -ENOENT if a lease
 * has expired; or another negative errno, and then nothing changed.
 */
int store_commit(struct store *store, const struct store_transaction *transaction,
		 uint64_t *revision, struct error *error);

/** store_put - one put without comparison */
int store_put(struct store *store, const char *key, const char *value, uint64_t *revision,
	      struct error *error);

/** store_delete - one delete; 0 also if the key was not there */
int store_delete(struct store *store, const char *key, uint64_t *revision, struct error *error);

/* Watching ----------------------------------------------------------------------------------- */

/**
 * store_watch - be told of changes after a revision
 * @prefix: of the keys of interest
 * @after: the revision the caller's copy is at; changes of later ones are reported
 * @watch: set on success; end it with store_watch_cancel()
 *
 * The callback runs from store_dispatch() only, never from within this call or a commit.
 *
 * Return: 0, or -ESTALE if the store has forgotten changes after @after: list again.
 */
int store_watch(struct store *store, const char *prefix, uint64_t after,
		store_watch_callback *callback, void *context, struct store_watch **watch,
		struct error *error);

/** store_watch_rewind - the caller's copy is now at @revision */
void store_watch_rewind(struct store_watch *watch, uint64_t revision);

/** store_watch_cancel - no call any more (NULL is ignored); allowed in the callback */
void store_watch_cancel(struct store_watch *watch);

/**
 * store_attach - let a loop run store_dispatch() whenever there is something to do
 * @loop: must outlive the store or store_detach()
 *
 * Return: 0 or negative errno.
 */
int store_attach(struct store *store, struct loop *loop, struct error *error);

/** store_loop - the loop that has taken @store; NULL if none */
struct loop *store_loop(const struct store *store);

/** store_detach - the loop lets go of @store; harmless if it had not taken it */
void store_detach(struct store *store);

/**
 * store_dispatch - expire leases that are due, then call the watches that have news
 *
 * Return: 0 or negative errno; what failed is tried again in the next call.
 */
int store_dispatch(struct store *store, struct error *error);

/* Leases ------------------------------------------------------------------------------------- */

/**
 * store_lease_grant - a lease: keys put with it are deleted unless it is kept alive
 * @ttl_ms: milliseconds it lives without store_lease_keepalive(); at least 1
 * @lease: set to its number, never 0
 *
 * Opening a store gives every lease its full time again. Return: 0 or negative errno.
 */
int store_lease_grant(struct store *store, uint64_t ttl_ms, uint64_t *lease, struct error *error);

/** store_lease_keepalive - the full time again. Return: 0, or -ENOENT if it has expired. */
int store_lease_keepalive(struct store *store, uint64_t lease, struct error *error);

/* The lease is over, and its keys are deleted. Called from store_dispatch(), at most once. */
typedef void store_lease_lost_callback(void *context, uint64_t lease);

/**
 * store_lease_keep - keep @lease alive from now on, without a call that blocks
 * @lost: called if it ended nevertheless; may be NULL
 *
 * Renewed by store_dispatch() (so by the loop), after each third of its time. It ends with
 * store_lease_revoke(). After store_close() it lives on for the rest of its time.
 *
 * Return: 0, or -ENOENT if it has expired.
 */
int store_lease_keep(struct store *store, uint64_t lease, store_lease_lost_callback *lost,
		     void *context, struct error *error);

/**
 * store_lease_left_ms - for how long @lease lives at least, as far as this store knows
 *
 * 0 for one that was kept alive in vain so far: the cluster may have ended it, or will.
 */
uint64_t store_lease_left_ms(const struct store *store, uint64_t lease);

/** store_lease_revoke - end it now and delete its keys. Return: 0, -ENOENT, negative errno. */
int store_lease_revoke(struct store *store, uint64_t lease, struct error *error);

#endif
