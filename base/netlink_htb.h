/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues that share what a device carries, by rtnetlink.
 *
 * A class has a rate that it is sure of and a ceiling that it gets when others leave room; who borrows
 * takes turns, each with its quantum. Ids are the kernel's: the upper half is that of the queue.
 * Neighbours: netlink.h (conventions, batches), agent/devices/shares.c (the caller).
 */
#ifndef WEFT_BASE_NETLINK_HTB_H
#define WEFT_BASE_NETLINK_HTB_H

#include "base/netlink.h"

/**
 * struct queue_stats - what became of the packets of a queue
 * @id: of the queue or class
 * @delayed: times that it had to wait for its rate or ceiling
 * @waiting: bytes in it now
 */
struct queue_stats {
	uint32_t id;
	uint64_t bytes, packets, dropped, delayed;
	uint32_t waiting;
};

/** struct qdisc_info - the queue at a device's root; @stats.id 0: the one that the kernel gave it */
struct qdisc_info {
	uint32_t ifindex;
	char kind[16];
	struct queue_stats stats;
};

typedef void qdisc_callback(void *context, const struct qdisc_info *root);

/**
 * struct htb_class - one of those who share
 * @parent: id of the queue or of the class above
 * @rate, @ceiling: bytes per second
 * @burst, @ceiling_burst: bytes that may leave at one time
 * @quantum: bytes of a turn when it borrows
 */
struct htb_class {
	uint32_t id, parent;
	uint64_t rate, ceiling;
	uint32_t burst, ceiling_burst, quantum;
};

typedef void htb_class_callback(void *context, const struct queue_stats *stats);

/** netlink_qdisc_roots - calls back with the queue at the root of each device. Return: 0 or negative errno. */
int netlink_qdisc_roots(struct netlink *netlink, qdisc_callback *callback, void *context,
			struct error *error);

/** netlink_qdisc_root - the queue at the root of a device. Return: 0 or negative errno. */
int netlink_qdisc_root(struct netlink *netlink, uint32_t ifindex, struct qdisc_info *root,
		       struct error *error);

/**
 * netlink_htb_add - put a queue with classes in the place of the root
 * @handle: of the queue, lower half 0
 * @usual_class: lower half of the id of the class of packets that say none
 *
 * Return: 0 or negative errno; -ENOENT where the kernel has none.
 */
int netlink_htb_add(struct netlink *netlink, uint32_t ifindex, uint32_t handle,
		    uint16_t usual_class, struct error *error);

/** netlink_htb_remove - the device's usual queue again; no error if there is no such queue */
int netlink_htb_remove(struct netlink *netlink, uint32_t ifindex, uint32_t handle,
		       struct error *error);

/** netlink_htb_class - make a class, or give it other numbers. Return: 0 or negative errno. */
int netlink_htb_class(struct netlink *netlink, uint32_t ifindex, const struct htb_class *class,
		      struct error *error);

/** netlink_htb_class_remove - with what waits in it; no error if there is none */
int netlink_htb_class_remove(struct netlink *netlink, uint32_t ifindex, uint32_t id,
			     struct error *error);

/** netlink_htb_queue - what waits in a class that has none below: @limit bytes at most */
int netlink_htb_queue(struct netlink *netlink, uint32_t ifindex, uint32_t id, uint32_t limit,
		      struct error *error);

/** netlink_htb_classes - calls back with each class. Return: 0 or negative errno. */
int netlink_htb_classes(struct netlink *netlink, uint32_t ifindex, htb_class_callback *callback,
			void *context, struct error *error);

#endif
