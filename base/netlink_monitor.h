/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to network devices, told by the kernel.
 *
 * A monitor is a descriptor for the loop and a function that parses what is waiting there.
 * The kernel drops events when nobody reads; that is reported as an event of its own, after
 * which the listener lists all links again (netlink_link_list()).
 */
#ifndef WEFT_BASE_NETLINK_MONITOR_H
#define WEFT_BASE_NETLINK_MONITOR_H

#include <stdbool.h>

#include "base/error.h"
#include "base/netlink.h"

enum link_event_kind {
	LINK_EVENT_CHANGED,      /* made, or any property changed: link holds what it is now */
	LINK_EVENT_DELETED,      /* gone, or moved to another namespace: link holds what it was */
	LINK_EVENT_NETNSID_GONE, /* the namespace link.netnsid ended; no other field is set */
	LINK_EVENT_LOST,         /* events were dropped: list again; nothing else is set */
};

struct link_event {
	enum link_event_kind kind;
	struct link_info link;
};

struct netlink_monitor;

typedef void link_event_callback(void *context, const struct link_event *event);

/**
 * netlink_monitor_open - listen for changes of links
 * @monitor: set on success; release with netlink_monitor_close()
 * @netns_fd: the namespace, not kept; -1 for the thread's own
 * @all_namespaces: also devices in namespaces that have an id in this one, such as those where
 *	the other ends of its veth pairs are (link.netnsid says which); needs CAP_NET_BROADCAST
 * @callback: called from netlink_monitor_read() only
 *
 * Return: 0 or negative errno.
 */
int netlink_monitor_open(struct netlink_monitor **monitor, int netns_fd, bool all_namespaces,
			 link_event_callback *callback, void *context, struct error *error);

/**
 * netlink_monitor_set_all_namespaces - listen to other namespaces from now on, or no more
 *
 * Each event of another namespace costs the kernel two walks over all ids of namespaces, for each
 * listener: with a thousand of them that is most of the time that making a device takes.
 *
 * Return: 0 or negative errno.
 */
int netlink_monitor_set_all_namespaces(struct netlink_monitor *monitor, bool all_namespaces);

/** netlink_monitor_fd - a descriptor that is readable when there are events */
int netlink_monitor_fd(const struct netlink_monitor *monitor);

/**
 * netlink_monitor_read - report what is waiting; does not block
 *
 * The callback must not close the monitor.
 *
 * Return: 0 or negative errno.
 */
int netlink_monitor_read(struct netlink_monitor *monitor, struct error *error);

/** netlink_monitor_close - release @monitor (may be NULL) */
void netlink_monitor_close(struct netlink_monitor *monitor);

#endif
