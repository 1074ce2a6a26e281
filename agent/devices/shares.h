/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices of this host whose capacity its ports share: NICs that have a rate.
 *
 * A device with a rate gets a queue in which each port has a class of its own, and the host itself one more. When
 * they want more than the device carries each gets its share; what one leaves the others have. The pipeline says
 * in each packet's priority which class it is of (target/bpf/edge.h, name_sender): that of the port's slot.
 *
 * A class is sure of its share as if all ports of the host sent at once; what is left is lent in turns as
 * long as the shares, counted in the largest frames there are. The first keeps the wait of a port short that
 * sends little, the second makes the shares right among those that do send. So that a new port need not
 * change the classes of all others, what is sure is counted with the sum of the shares rounded up to a
 * power of two (docs/adr/0021-shares.md).
 *
 * The queues stay when weftd ends, and are taken over by the next one without loss. A queue that somebody
 * else has put at the device is left alone, and told as a problem.
 *
 * Neighbours: cluster_paths.c (the caller), base/netlink_htb.h, device_rate.c (what one port gets).
 */
#ifndef WEFT_AGENT_SHARES_H
#define WEFT_AGENT_SHARES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/netlink_htb.h"
#include "datapath/datapath.h"
#include "model/object.h"

struct shares;

/** struct share - a port of this host: its slot (struct attachment), and its share */
struct share {
	uint32_t slot;
	uint32_t share;
};

/** shares_open - nothing is made yet. @devices: false: there is no device at all (tests) */
int shares_open(struct datapath *datapath, bool devices, struct shares **shares,
		struct error *error);

/** shares_close - the queues stay (NULL is ignored) */
void shares_close(struct shares *shares);

/**
 * shares_set - these devices are shared, by these ports, and no others
 * @members: ascending by slot
 *
 * Return: whether other devices are shared than before, as shares_has() tells it.
 */
bool shares_set(struct shares *shares, const struct host_rate *rates, size_t rate_count,
		const struct share *members, size_t member_count);

/** shares_stray - Return: whether any device of the list has no queue of ours; shares_set() looks at it again */
bool shares_stray(const struct shares *shares);

/** shares_has - Return: whether the device is shared now */
bool shares_has(const struct shares *shares, uint32_t ifindex);

/** shares_trouble - what is wrong with device @index of the list; NULL: nothing, or no such device */
const char *shares_trouble(const struct shares *shares, size_t index);

/* @slot: of the port; 0: the host itself, and who has no class. */
typedef void shares_stats_callback(void *context, const char *ifname, uint32_t slot,
				   const struct queue_stats *stats);

/** shares_stats - calls back with each class of each shared device */
void shares_stats(struct shares *shares, shares_stats_callback *callback, void *context);

#endif
