/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways through the host's own stack, for segments with `direct: l3s`.
 *
 *	port --- pipeline --- near end ===veth=== far end --- the host's stack, its rules and routes --- NIC
 *
 * Such a segment has a pair of devices on the host instead of the NIC: what leaves a port for somebody outside is
 * handed to the host by it, as from a neighbour, and what the host routes to a port comes back by it. The far end
 * (its name begins as those of ports' devices, and ends with "h") has a route for each port here, through a
 * neighbour that is always known; both ends have MACs that core/deliver.c knows. The host must forward; that is not
 * turned on here, for it is a decision about the host (stacks_trouble() says so).
 *
 * The pairs stay when the daemon ends. Neighbours: uplink.h (the owner), model/plan_wire.c (who asks).
 */
#ifndef WEFT_AGENT_STACK_H
#define WEFT_AGENT_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/netlink.h"

struct datapath;
struct stacks;

/**
 * struct stack_wish - a segment of this host that goes through its stack
 * @uplink: the device that its network is reached by
 * @addresses: of the ports that are here; owned by the wish
 */
struct stack_wish {
	uint32_t subnet_id;
	char uplink[LINK_NAME_SIZE];
	struct ip_address *addresses;
	size_t address_count;
};

/** stacks_new - @instance: of the daemon, for the names of devices. Borrows @datapath, @netlink. */
struct stacks *stacks_new(const char *instance, struct datapath *datapath, struct netlink *netlink);

/** stacks_free - the devices stay (NULL is ignored) */
void stacks_free(struct stacks *stacks);

/**
 * stacks_set - these are the segments, and no others; takes over @wishes and what they own
 *
 * Return: whether a device came or went.
 */
bool stacks_set(struct stacks *stacks, struct stack_wish *wishes, size_t count);

/** stacks_ifindex - the near end of a segment's pair, 0: there is none. @mac: what ports send by */
uint32_t stacks_ifindex(const struct stacks *stacks, uint32_t subnet_id, struct mac_address *mac);

/** stacks_has - whether a device is a near end */
bool stacks_has(const struct stacks *stacks, uint32_t ifindex);

/** stacks_trouble - what keeps segments by an uplink from working; NULL: nothing */
const char *stacks_trouble(const struct stacks *stacks, const char *uplink);

/** stacks_remove - delete all pairs of an instance. Return: 0 or negative errno. */
int stacks_remove(const char *instance, struct netlink *netlink, struct error *error);

#endif
