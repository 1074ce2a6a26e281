/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Network namespaces: open, enter, identify, make, watch.
 *
 * A namespace is passed around as a descriptor; -1 stands for the one the thread is in. Names
 * live in /run/netns as with ip-netns(8), and a name made here is seen by ip(8) and the other
 * way round. Two descriptors mean one namespace exactly if their identities are equal.
 */
#ifndef WEFT_BASE_NETNS_H
#define WEFT_BASE_NETNS_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

#define NETNS_DIRECTORY "/run/netns"

/* struct netns_identity - the nsfs device and inode; unique as long as the namespace lives */
struct netns_identity {
	dev_t device;
	ino_t inode;
};

/**
 * netns_open_name - open the namespace that ip-netns(8) calls @name
 *
 * Return: a descriptor owned by the caller (closed on exec), -ENOENT, -EAGAIN if the name is
 * there but not yet mounted, -EINVAL for a bad name, or another negative errno.
 */
int netns_open_name(const char *name, struct error *error);

/**
 * netns_open_path - open a namespace by a path such as /proc/7/ns/net
 *
 * Return: as netns_open_name(); -EINVAL if it is not a network namespace.
 */
int netns_open_path(const char *path, struct error *error);

/**
 * netns_open_pid - open the namespace a process is in
 *
 * Return: as netns_open_name(); -ENOENT if there is no such process.
 */
int netns_open_pid(pid_t pid, struct error *error);

/**
 * netns_open_current - open the namespace the calling thread is in
 *
 * Return: as netns_open_name().
 */
int netns_open_current(struct error *error);

/**
 * netns_enter - move the calling thread into a namespace
 * @netns_fd: where to; -1 stays where it is
 *
 * Return: what netns_leave() needs to come back, or negative errno.
 */
int netns_enter(int netns_fd, struct error *error);

/**
 * netns_leave - come back
 * @saved: what netns_enter() returned; it is closed
 *
 * Aborts if the way back is barred: to go on in the wrong namespace would be worse.
 */
void netns_leave(int saved);

/**
 * netns_identify - what makes the namespace itself
 * @netns_fd: -1 for the current one
 *
 * Return: 0 or negative errno.
 */
int netns_identify(int netns_fd, struct netns_identity *identity, struct error *error);

/** netns_identity_equal - whether both are the same namespace */
bool netns_identity_equal(const struct netns_identity *a, const struct netns_identity *b);

/**
 * netns_create - make a namespace with a name, loopback down, as `ip netns add`
 *
 * The calling thread stays where it is. /run/netns is made, and made a shared mount, if need be.
 *
 * Return: a descriptor owned by the caller, -EEXIST, or another negative errno.
 */
int netns_create(const char *name, struct error *error);

/**
 * netns_make - make a namespace without a name, loopback down; it ends with its last user
 *
 * The calling thread stays where it is.
 *
 * Return: a descriptor owned by the caller, or negative errno.
 */
int netns_make(struct error *error);

/**
 * netns_delete - take the name away; the namespace lives on while somebody is in it
 *
 * Return: 0, -ENOENT, or another negative errno.
 */
int netns_delete(const char *name, struct error *error);

/**
 * netns_write_sysctl - set a value below /proc/sys/net inside a namespace
 * @netns_fd: -1 for the current one
 * @key: with slashes, such as "ipv6/conf/eth0/accept_ra"
 * @value: text
 *
 * Return: 0, -ENOENT if there is no such key, or another negative errno.
 */
int netns_write_sysctl(int netns_fd, const char *key, const char *value, struct error *error);

/* Watching names ------------------------------------------------------------------------- */

struct netns_watch;

/* @appeared: true if netns_open_name(@name) works now; false if the name is gone. */
typedef void netns_watch_callback(void *context, const char *name, bool appeared);

/**
 * netns_watch_open - notice names that come and go
 * @watch: set on success; release with netns_watch_close()
 * @callback: called from netns_watch_read() only, never for names that were there before.
 *	A name that was taken away and made anew is reported as gone, then as appeared.
 *
 * Return: 0 or negative errno.
 */
int netns_watch_open(struct netns_watch **watch, netns_watch_callback *callback, void *context,
		     struct error *error);

/** netns_watch_fd - a descriptor that is readable when netns_watch_read() has work */
int netns_watch_fd(const struct netns_watch *watch);

/**
 * netns_watch_read - report what happened; does not block
 *
 * Return: 0 or negative errno.
 */
int netns_watch_read(struct netns_watch *watch, struct error *error);

/** netns_watch_close - release @watch (may be NULL) */
void netns_watch_close(struct netns_watch *watch);

#endif
