/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store of a cluster: etcd v3, through its JSON gateway.
 *
 * What store.h promises holds, with these differences. Revisions are etcd's own: they also move on
 * by what others write, and a commit that changes nothing may still take one. Calls go over the
 * network: each ends within the deadline, with
 *
 *	-EHOSTUNREACH	no member answers, or those that do have no quorum; nothing was changed
 *	-ETIMEDOUT	a commit was sent and it could not be learnt whether it was done: the next
 *			commit settles that, so that it does not happen behind its back
 *	-E2BIG		the transaction is larger than etcd takes (the sentence names the flags)
 *	-ENOSPC		etcd's quota is used up: it can be read, not written
 *	-EACCES		etcd wants a user, or refuses this one
 *	-ESTALE		a list took so long that etcd forgot the revision it reads: list again
 *	-ECONNABORTED	nothing was changed: what the marker of this store says was changed by
 *			another process that uses the same name
 *
 * While no member answers, calls fail at once with the reason; the loop tries again by itself
 * (a store in no loop: the next call after a second does). store_reachable() tells. Watches end
 * neither by that nor by a member's death: they go on at another member after the last revision
 * heard. What etcd has forgotten by then comes as a lost watch (items NULL), never as -ESTALE from
 * store_watch(). Callbacks come as the events do; one commit is never split.
 */
#ifndef WEFT_STORE_STORE_ETCD_H
#define WEFT_STORE_STORE_ETCD_H

#include "store/store.h"

#define STORE_ETCD_DEADLINE_MS 3000
#define STORE_ETCD_QUIET_MS 10000

/**
 * struct store_etcd_options - how to reach a cluster; texts are copied
 * @endpoints: "http://address:port" or "https://…", one for each member known
 * @endpoint_count: at least 1
 * @ca_file: certificates that members are checked against, a path; NULL for the system's
 * @cert_file: this client's certificate, a path; NULL for none
 * @key_file: the key of it
 * @user: etcd's user; NULL for none
 * @password: of the user
 * @prefix: put in front of each key, printable ASCII; NULL for none
 * @name: of this client, unique in the cluster: names the one small key ("/weft/tx/NAME", never
 *	listed or told) by which it learns what became of a commit; NULL: a random one, which is
 *	deleted at the end
 * @deadline_ms: milliseconds a call may take; 0 for STORE_ETCD_DEADLINE_MS
 * @quiet_ms: a stream of events that is silent for so long is asked for a sign of life, and given
 *	up when it is silent for as long again; 0 for STORE_ETCD_QUIET_MS
 * @stale_reads: get and list may be answered by any member from what it has, which may be late,
 *	and go on without a quorum
 * @one_watch_per_stream: for a proxy between that passes no stream on while it is being sent;
 *	each watch then takes a connection. Noticed also without being told.
 * @clock: for leases; NULL for the system's
 */
struct store_etcd_options {
	const char *const *endpoints;
	size_t endpoint_count;
	const char *ca_file;
	const char *cert_file;
	const char *key_file;
	const char *user;
	const char *password;
	const char *prefix;
	const char *name;
	uint64_t deadline_ms;
	uint64_t quiet_ms;
	bool stale_reads;
	bool one_watch_per_stream;
	const struct clock *clock;
};

/**
 * store_open_etcd - a store in an etcd cluster
 * @store: set on success; release with store_close()
 *
 * A cluster that cannot be reached opens too, so that a daemon can start with what it has:
 * store_reachable() says so.
 *
 * Return: 0; -EINVAL for options that cannot be; or what reading a file of TLS gave.
 */
int store_open_etcd(const struct store_etcd_options *options, struct store **store,
		    struct error *error);

/**
 * store_etcd_add_endpoint - one more member that is known; one that is known already changes nothing
 *
 * Return: 0, -EINVAL for what is no endpoint, or -E2BIG.
 */
int store_etcd_add_endpoint(struct store *store, const char *endpoint, struct error *error);

#endif
