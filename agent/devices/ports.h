/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The ports of this host: whether each is plugged in, by which device, and if not, why.
 *
 * What is asked for comes from the intent; devices come and go on their own (a namespace is deleted, a
 * tap is taken away). ports.c brings the two together: it plugs what is asked for, tries again when
 * something appears, and calls back when the rows of a port must be written anew.
 *
 * Neighbours: device.h makes devices, reconcile.c writes rows, api_objects.c shows the status.
 */
#ifndef WEFT_AGENT_PORTS_H
#define WEFT_AGENT_PORTS_H

#include <jansson.h>

#include "agent/observe/events.h"
#include "agent/observe/problems.h"
#include "base/loop.h"
#include "datapath/datapath.h"
#include "model/plan.h"

struct adoptions;
struct ports;

/* Held: a patch that would close a circle, or a port that a loop goes through (loops.h). */
enum port_state {
	PORT_STATE_WAITING,
	PORT_STATE_PLUGGED,
	PORT_STATE_FAILED,
	PORT_STATE_HELD,
	PORT_STATES
};

struct ports_counts {
	size_t plugged, waiting, failed, held;
};

/* The devices of these ports are not what they were: plan their rows. */
typedef void ports_changed_callback(void *context, const uint32_t *port_ids, size_t count);

/* Segments were joined or parted: what is behind a port that leads to another may be elsewhere now. */
typedef void ports_patched_callback(void *context);

/**
 * struct ports_options - all borrowed
 * @host: name of this host
 * @instance: name of the daemon; devices it made carry a mark of it
 * @ovsdb: socket of Open vSwitch's database; NULL: the usual one
 * @adoptions: how devices of others were before they were ports; may be NULL in tests
 * @devices: false: no device is touched, every port waits (tests)
 */
struct ports_options {
	struct loop *loop;
	const struct clock *clock;
	struct datapath *datapath;
	struct intent *intent;
	struct events *events;
	struct problems *problems;
	const char *host;
	const char *instance;
	const char *ovsdb;
	struct adoptions *adoptions;
	bool devices;
	ports_changed_callback *changed;
	ports_patched_callback *patched;
	void *context;
};

/** ports_open - no port yet. Return: 0 or negative errno. */
int ports_open(const struct ports_options *options, struct ports **ports, struct error *error);

/** ports_close - forget; devices stay (NULL is ignored) */
void ports_close(struct ports *ports);

/** ports_is_local - whether the port is this host's */
bool ports_is_local(const struct ports *ports, const struct port_object *port);

/** ports_is_here - whether its device is: it is this host's, or about to move to it */
bool ports_is_here(const struct ports *ports, const struct port_object *port);

/**
 * ports_plug - make the devices of these ports what the intent says; call before rows are planned
 *
 * Ports that are not in the intent, or not of this host, are left for ports_unplug(). Does not call back.
 */
void ports_plug(struct ports *ports, const uint32_t *port_ids, size_t count);

/** ports_set_up - set up those of their devices that are not; call after rows were written */
void ports_set_up(struct ports *ports, const uint32_t *port_ids, size_t count);

/** ports_unplug - take the devices of these ports away; call after their rows have gone */
void ports_unplug(struct ports *ports, const uint32_t *port_ids, size_t count);

/** ports_prune - take away devices that an earlier run made and no port has now */
void ports_prune(struct ports *ports);

/** ports_say - what `weft port show` is to say of a port that is elsewhere, until it is here again */
void ports_say(struct ports *ports, uint32_t port_id, const char *text);

/** ports_device - what the planner asks; ifindex 0 while unplugged. The slot is left alone. */
void ports_device(const struct ports *ports, uint32_t port_id, struct port_device *device);

/** ports_status_json - the "status" of a port. Return: new reference. */
json_t *ports_status_json(const struct ports *ports, uint32_t port_id);

/**
 * ports_set_held - a loop goes through the port, or not any more; tells who listens
 * @with_id: the port at the other end of the loop
 * @vlan: that it was found in, in a subnet that passes tags; 0: without a tag
 */
void ports_set_held(struct ports *ports, uint32_t port_id, bool held, uint32_t with_id,
		    uint32_t vlan);

/** ports_count - how many are in which state */
void ports_count(const struct ports *ports, struct ports_counts *counts);

/** ports_check - compare with the kernel and repair; for the audit. Return: ports repaired. */
size_t ports_check(struct ports *ports);

#endif
