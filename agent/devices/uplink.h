/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices of this host that lead to networks outside: its uplinks.
 *
 * An uplink is a device that is there already, by its name; Weft adopts it. Its addresses, and
 * frames that are of no segment, stay the host's. While it is an uplink the pipeline is attached,
 * the device is up and takes frames to all MACs, for ports have MACs of their own. One that
 * somebody sets down stays so, and is told of. Devices come and go; one that comes is adopted then.
 * Closing leaves everything as it is: the datapath goes on without its daemon. What is an uplink no
 * more is put back as it was (adoption.h); `weftd --remove-datapath` does that with all of them.
 *
 * Neighbours: cluster.c (which devices), model/plan_wire.c (what asks for them), underlay.h.
 */
#ifndef WEFT_AGENT_UPLINK_H
#define WEFT_AGENT_UPLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/loop.h"
#include "datapath/datapath.h"
#include "model/object.h"

struct adoptions;
struct stack_wish;
struct uplinks;

/* A device has come, gone, or come anew. */
typedef void uplinks_changed_callback(void *context);

/**
 * struct uplinks_options - borrowed
 * @adoptions: how the devices were before
 * @instance: of the daemon
 * @devices: false: there is no device at all (tests)
 */
struct uplinks_options {
	struct loop *loop;
	struct datapath *datapath;
	struct adoptions *adoptions;
	const char *instance;
	bool devices;
	uplinks_changed_callback *changed;
	void *context;
};

/** uplinks_open - nothing is adopted yet. Return: 0 or negative errno. */
int uplinks_open(const struct uplinks_options *options, struct uplinks **uplinks,
		 struct error *error);

/** uplinks_close - devices stay as they are (NULL is ignored) */
void uplinks_close(struct uplinks *uplinks);

/** uplinks_set - these are the uplinks, and no others */
void uplinks_set(struct uplinks *uplinks, const struct host_uplink *list, size_t count);

/** uplinks_set_stacks - the segments that go through the host's stack; as stacks_set() (stack.h) */
bool uplinks_set_stacks(struct uplinks *uplinks, struct stack_wish *wishes, size_t count);

/** uplinks_stack - as stacks_ifindex() */
uint32_t uplinks_stack(const struct uplinks *uplinks, uint32_t subnet_id, struct mac_address *mac);

/** uplinks_ifindex - Return: the device of this name, 0 if there is none */
uint32_t uplinks_ifindex(struct uplinks *uplinks, const char *ifname);

/** uplinks_mac - the MAC of that device. Return: false if there is none */
bool uplinks_mac(struct uplinks *uplinks, const char *ifname, struct mac_address *mac);

/**
 * uplinks_alone - whether nothing that comes in by it is the host's, though the kernel says so of
 * all
 *
 * A macvlan or macvtap without addresses: in mode passthru it is handed every frame of the device
 * below it.
 */
bool uplinks_alone(struct uplinks *uplinks, const char *ifname);

/** uplinks_trouble - what is wrong with uplink @index of the list; NULL: nothing, or no such uplink */
const char *uplinks_trouble(const struct uplinks *uplinks, size_t index);

#endif
