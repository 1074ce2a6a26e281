/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Inside of the devices of ports: what device*.c share. Nobody else includes it.
 *
 * A struct device_record is what is known of one port; it lives from the first devices_plug() to
 * devices_unplug(). A struct device_job is one request while it is worked on. Requests are worked on
 * DEVICE_CHUNK at a time, for each holds a descriptor of its namespace.
 */
#ifndef WEFT_AGENT_DEVICE_PRIVATE_H
#define WEFT_AGENT_DEVICE_PRIVATE_H

#include <limits.h>
#include <stdint.h>

#include "agent/devices/adoption.h"
#include "agent/devices/device.h"
#include "base/list.h"
#include "base/map.h"
#include "base/netlink.h"
#include "base/netlink_monitor.h"
#include "base/netns.h"

#define DEVICE_CHUNK 64

/* What was last put inside the namespace, so that it can be taken away when it is asked for no more. */
struct device_inside {
	size_t address_count;
	struct ip_prefix *addresses;
	struct ip_address gateways[2];
	size_t gateway_count;
	bool no_segmentation; /* it was turned off */
};

/**
 * struct device_record - what is known of a port's device
 * @ifindex: on the host; 0 if there is none
 * @far_ifindex, @netnsid: of the end inside the namespace; 0 if there is none
 * @round: of struct devices when it was last looked at from all sides
 * @kind, @attachment_flags: as last reported
 * @by_netns: in the list of its namespace's name, or of its bridge's or device's
 * @polled: its namespace has no name that could be watched
 * @unnamed: the namespace lost its name and lives on
 * @down: plugged, but for devices_set_up()
 */
struct device_record {
	uint32_t port_id;
	char *port_name;
	enum device_state state;
	struct attach attach;
	struct mac_address mac;
	uint32_t mtu;
	uint32_t ifindex;
	uint32_t far_ifindex;
	uint32_t kind, attachment_flags;
	int32_t netnsid;
	uint32_t round;
	struct device_inside inside;
	struct list by_netns;
	bool polled;
	bool unnamed;
	bool down;
};

struct devices {
	struct loop *loop;
	char *instance;
	char *ovsdb; /* socket of Open vSwitch's database */
	device_attach_fn *attach;
	device_event_fn *event;
	void *context;
	struct adoptions *adoptions, *own_adoptions; /* the own ones are released at the end */
	struct netlink *netlink;
	int32_t next_netnsid;  /* for a namespace without an id; 0: not known yet */
	struct map records;    /* port id -> struct device_record */
	struct map by_ifindex; /* host ifindex -> record */
	struct map by_far;     /* netnsid, far ifindex -> record */
	struct map by_netns;   /* name -> struct list of records */
	struct map by_bridge;  /* name -> struct list of records, by their by_netns */

	/* device_watch.c */
	struct netlink_monitor *monitor;
	struct netns_watch *names;
	struct loop_timer poll;
	struct loop_deferred deliver;
	struct device_notice *notices;
	size_t notice_count, notice_room;
	bool deaf;         /* for far ends */
	bool no_broadcast; /* cannot listen to other namespaces */
	bool draining;     /* what the monitor says now may be our own doing */
	uint32_t round;    /* counts calls of devices_plug(), chunk by chunk */
};

/**
 * struct device_job - a request that is worked on
 * @netns_fd: -1 if the namespace is not there
 * @link: the end on the host, if @there
 * @made: made in this call
 * @done: the result is final
 */
struct device_job {
	const struct device_request *request;
	struct device_result *result;
	struct device_record *record;
	int netns_fd;
	struct link_info link;
	bool there;
	bool made;
	bool moved; /* the port was attached somewhere else before */
	bool done;
	int code; /* negative errno of a failure */
};

/* Requests to rtnetlink that belong to jobs: owners[i] is whose the i-th is. */
struct device_batch {
	struct netlink *netlink;
	struct device_job **owners;
	size_t count, room;
};

#define DEVICE_ALIAS_SIZE LINK_ALIAS_SIZE

/* ---- device.c ---- */

/* Records what became of a job: the first failure or wait is final. */
void device_fail(struct device_job *job, const struct error *error);
void device_wait(struct device_job *job, const char *sentence);
/* Adds to the sentence that something was repaired or, in a check, would be. */
void device_changed(struct device_job *job, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
/* Instead: it is plugged in, but this could not be set. */
void device_lacks(struct device_job *job, const char *format, ...)
	__attribute__((format(printf, 2, 3)));
void device_alias(const struct devices *devices, uint32_t port_id, const char *port_name,
		  char alias[DEVICE_ALIAS_SIZE]);
/* Whether this instance made the device; its port's id goes to *port_id. */
bool device_is_ours(const struct devices *devices, const struct link_info *link, uint32_t *port_id);
/* The name of a port's veth on the host. */
void device_host_name(const struct devices *devices, uint32_t port_id, char name[LINK_NAME_SIZE]);
/* begin, then own(job) before and queued() after each call, commit: who fails is told so. */
void device_batch_begin(struct device_batch *batch, struct netlink *netlink);
void device_batch_own(struct device_batch *batch, struct device_job *job);
void device_batch_queued(struct device_batch *batch, int result, const struct error *error);
void device_batch_commit(struct device_batch *batch);

/* Attaches the pipeline, then sets MTU and alias of a job's end on the host; it is set up by devices_set_up(). */
void device_settle(struct devices *devices, struct device_job *jobs, size_t count);
/* Queues that hold a port to its rates, at its end on the host and inside (device_rate.c). */
void device_rate(struct devices *devices, struct device_job *job);

/* Whether what holds it at its end on the host is there; what is inside belongs to whoever is root there. */
void device_rate_check(struct device_job *job);

/* Says by device_changed() what device_settle() would change. */
void device_settle_check(struct devices *devices, struct device_job *job);

/* ---- device_veth.c, device_tap.c ---- */

void device_veth_plug(struct devices *devices, struct device_job *jobs, size_t count);
void device_veth_check(struct devices *devices, struct device_job *job);
void device_tap_plug(struct devices *devices, struct device_job *job);
void device_tap_check(struct devices *devices, struct device_job *job);
/* ATTACH_TAP and ATTACH_TUN, whose device is the port itself. */
bool device_is_tap(const struct attach *attach);

/* ATTACH_NETNS and ATTACH_PID, whose device is a veth with its other end there. */
bool device_is_veth(const struct attach *attach);

/* ---- device_link.c ---- */

/* ATTACH_BRIDGE and ATTACH_OVS_BRIDGE, whose device is a veth with its other end in the bridge. */
bool device_is_bridge(const struct attach *attach);
void device_link_plug(struct devices *devices, struct device_job *job);
void device_link_check(struct devices *devices, struct device_job *job);
/* Takes the far end out of what a bridge remembers of it; before the pair is deleted. */
void device_link_leave(struct devices *devices, uint32_t port_id, const struct attach *attach);
/* Whether Open vSwitch runs and has the bridge that a port waits for. */
bool device_link_can(struct devices *devices, const struct device_record *record);

/* ---- device_adopt.c ---- */

/* ATTACH_DEVICE, whose device somebody else has made. */
void device_adopt_plug(struct devices *devices, struct device_job *job);
void device_adopt_check(struct devices *devices, struct device_job *job);
/* Puts back what was changed of the device that a port has. */
void device_adopt_leave(struct devices *devices, uint32_t port_id);

/* ---- device_netns.c ---- */

/* Descriptor of the namespace of an attach; -ENOENT if it is not there (yet), or negative errno. */
int device_netns_open(const struct attach *attach, struct error *error);
/* The far end of a veth, by its index in there. */
int device_netns_look(int netns_fd, uint32_t ifindex, struct link_info *link, struct error *error);
/*
 * A proc file system of its own, to write sysctls by; -1 where that is not allowed, which is fine. In the
 * common one the kernel looks for "eth0" of one namespace among those of all that were ever looked up, so
 * that each port would be slower than the one before. Close it after a chunk of ports.
 */
int device_netns_mount_proc(void);
/* Makes the far end of a job's veth what it should be, inside the namespace. */
void device_netns_configure(struct device_job *job, int proc_fd);
/* Says by device_changed() what differs there. Return: false if the far end cannot be found; a failed job was not
 * looked at. */
bool device_netns_check(struct device_job *job);

/* ---- device_watch.c ---- */

int device_watch_open(struct devices *devices, struct error *error);
void device_watch_close(struct devices *devices);
/* Takes over what changed in a record: where its events come from. */
void device_watch_add(struct devices *devices, struct device_record *record);
void device_watch_remove(struct devices *devices, struct device_record *record);
/*
 * Listens for events of far ends, or not while many ports are plugged in, for that makes each slower than
 * the one before (netlink_monitor.h). What is missed then the audit finds.
 */
void device_watch_far_ends(struct devices *devices, bool listen);
/* Reads the events of what this module has just done, so that they are not taken for others'. */
void device_watch_drain(struct devices *devices);

#endif
