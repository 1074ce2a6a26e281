/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The datapath as the agent sees it: tables to write, devices to attach, events and counters to read.
 *
 * kernel.c implements it with eBPF (load, pin, replace, attach by tcx or clsact), dummy.c in memory, so
 * that the agent's tests run without privileges. The agent's reconcile.c is the only writer.
 *
 * A datapath is pinned under /sys/fs/bpf/weft/<instance>/: closing it stops nothing. Opening it again
 * finds the tables with their rows, puts the new program in the place of the old one atomically, and
 * copies tables whose layout or room changed. Another bpffs than /sys/fs/bpf is used where the
 * environment variable WEFT_BPFFS names one (a lab's daemons have mounts of their own).
 */
#ifndef WEFT_DATAPATH_DATAPATH_H
#define WEFT_DATAPATH_DATAPATH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "core/tables.h"
#include "core/verdict.h"

/* How programs hang on devices. Both survive the daemon and are replaced atomically. */
enum datapath_hook {
	DATAPATH_HOOK_AUTO, /* clsact at once, tcx by datapath_settle() where the kernel has it */
	DATAPATH_HOOK_CLSACT,
	DATAPATH_HOOK_TCX, /* needs Linux 6.6 */
};

struct datapath_options {
	const char *instance;   /* name under /sys/fs/bpf/weft/ */
	uint32_t flow_capacity; /* connections; the table has two rows for each. 0: 131,072 */
	uint32_t event_rate;    /* drop events per second and port. 0: 100 */
	enum datapath_hook hook;
};

/* A probed feature of the kernel: name, whether it is there, what its absence means. */
struct datapath_feature {
	const char *name;
	bool present;
	const char *meaning;
};

struct datapath;

typedef void datapath_event_fn(void *context, const struct drop_event *event);
typedef void datapath_underlay_event_fn(void *context, const struct underlay_event *event);
/* data: event->size bytes of the packet; both borrowed. */
typedef void datapath_capture_fn(void *context, const struct capture_event *event,
				 const uint8_t *data);
typedef bool datapath_row_fn(void *context, const void *key, const void *value); /* false: stop */

/* Opens or makes the kernel datapath. Needs CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON and a bpffs (mounted
 * at /sys/fs/bpf when CAP_SYS_ADMIN allows). Error: one sentence with what is missing. */
int datapath_open_kernel(const struct datapath_options *options, struct datapath **datapath,
			 struct error *error);
/* In memory; rows are kept and can be read back, nothing forwards. Never fails. */
struct datapath *datapath_open_dummy(const struct datapath_options *options);
/* Lets go of the handles; pinned state stays and forwards. Accepts NULL. */
void datapath_close(struct datapath *datapath);
/* Detaches all programs and removes every pin: for `weftd --remove-datapath` and the lab. */
int datapath_destroy(const char *instance, struct error *error);

/*
 * ---- tables; 0 or negative errno (-ENOENT, -E2BIG when full, -ENOMEM) ----
 * Every row of an array is always there: removing one makes it zero, a walk leaves out rows that are
 * zero. An LPM table's get finds the longest prefix that contains the key. Tables with a counter per
 * CPU are read as sums and cannot be written (-ENOTSUP).
 */
int datapath_put(struct datapath *datapath, enum table_id table, const void *key,
		 const void *value);
int datapath_remove(struct datapath *datapath, enum table_id table, const void *key);
int datapath_get(struct datapath *datapath, enum table_id table, const void *key, void *value);
/* Many rows of one table in as few system calls as the kernel offers; keys and values are packed arrays.
 * done, where not NULL, gets the number of rows written before an error. */
int datapath_put_many(struct datapath *datapath, enum table_id table, const void *keys,
		      const void *values, size_t count, size_t *done);
/* Rows that are not there are no error. */
int datapath_remove_many(struct datapath *datapath, enum table_id table, const void *keys,
			 size_t count);
/* Every row, in no order; rows that change meanwhile may be seen twice or not at all. */
int datapath_walk(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		  void *context);
/* File descriptor of a table's map, for the native core's live mode (weft trace); -1 for the dummy. */
int datapath_table_fd(struct datapath *datapath, enum table_id table);

/* ---- devices, in the namespace of the caller ---- */
/* Attaches the pipeline to the ingress of a device for a port. Idempotent: attaching again replaces
 * atomically. kind: enum port_kind. */
int datapath_attach(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
		    struct error *error);
int datapath_detach(struct datapath *datapath, uint32_t ifindex);
/* Moves one device from the hook that is made quickly to the one that is cheap for packets; for when there
 * is nothing else to do, for it waits for an RCU grace period, about 13 ms. No packet is lost. 1: call
 * again, 0: nothing is left to move. */
int datapath_settle(struct datapath *datapath);
/* Looks at some of the devices, and in later calls at the others: puts back what somebody else has taken off
 * them, and pins what somebody has unpinned. Return: how much of this there was. */
size_t datapath_repair(struct datapath *datapath);

/* What a device is to the datapath. */
enum datapath_role {
	DATAPATH_PORT,
	DATAPATH_UNDERLAY,      /* tunnels come in here; what is not a tunnel's is left alone */
	DATAPATH_TUNNEL_DEVICE, /* a tunnel device of the kernel's, in external mode */
	DATAPATH_SERVICES,      /* the end of the host's DNS and metadata */
	DATAPATH_PUNT,          /* the device by which weftd talks to its ports */
	DATAPATH_MIRROR,        /* the device that copies of mirrors take */
	DATAPATH_SEGMENTER,     /* what was taken apart comes in here */
	DATAPATH_UPLINK, /* segments are on its wire; it may be an underlay's device as well */
	DATAPATH_ROLES,
};

/* The device that the underlay's packets come in by: a NIC, a VLAN, a bond or bridge that holds the
 * underlay address, or a device without Ethernet such as WireGuard. Idempotent like datapath_attach(). */
int datapath_attach_underlay(struct datapath *datapath, uint32_t ifindex, struct error *error);
/* The device whose wire has segments on it (rows of wires). The rest of what it receives is the host's.
 * Idempotent; what it is to the underlay is as before. */
int datapath_attach_uplink(struct datapath *datapath, uint32_t ifindex, struct error *error);
/* The kernel's tunnel device (agent/devices/device_tunnel.h) of a UDP port in host order. kind: enum tunnel_kind. */
int datapath_attach_tunnel_device(struct datapath *datapath, uint32_t ifindex, uint32_t kind,
				  uint16_t port, struct error *error);
/* The device of the host's services (agent/services/services.h): they are asked from now on, and what they answer
 * comes in there. Idempotent. datapath_detach_services(): nobody is asked any more. */
int datapath_attach_services(struct datapath *datapath, uint32_t ifindex, struct error *error);
int datapath_detach_services(struct datapath *datapath, uint32_t ifindex);
/* The punt device (agent/services/punt.h): what weftd writes there goes to ports. It is told to the pipeline as soon
 * as its program is there; ifindex 0 tells it that there is none. Until datapath_asked() nobody is believed to listen
 * to nothing. */
int datapath_attach_punt(struct datapath *datapath, uint32_t ifindex, struct error *error);
/* Whether ports are still to be asked what they listen to; they have been, and had time to answer. */
bool datapath_is_unasked(struct datapath *datapath);
void datapath_asked(struct datapath *datapath);
/* The mirror device (agent/devices/mirrors.h), likewise; ifindex 0: there is none, and what it had is detached
 * by the caller, if it is still there. */
int datapath_attach_mirror(struct datapath *datapath, uint32_t ifindex, struct error *error);
/* The device that frames of several packets are sent by to be taken apart, and its other end, where the parts
 * come in. ifindex 0: there is none (any more). */
int datapath_attach_segmenter(struct datapath *datapath, uint32_t ifindex, uint32_t far_ifindex,
			      struct error *error);
int datapath_detach_uplink(struct datapath *datapath, uint32_t ifindex);
/* All give -ENOENT where nothing is attached. */
int datapath_detach_underlay(struct datapath *datapath, uint32_t ifindex);
int datapath_detach_tunnel_device(struct datapath *datapath, uint32_t ifindex);
/* The ifindexes that have the pipeline attached in a role (for the audit). The arrays are the caller's to
 * free(). */
size_t datapath_attached(struct datapath *datapath, uint32_t **ifindexes); /* ports */
size_t datapath_attached_as(struct datapath *datapath, enum datapath_role role,
			    uint32_t **ifindexes);

/* ---- counters: live memory shared with the pipeline, read and written atomically ---- */
struct port_stats *datapath_port_stats(struct datapath *datapath, uint32_t slot);
/*
 * datapath_port_counts - what a port has received and sent, all CPUs together
 *
 * datapath_port_stats() has a part of it only. Return: 0 with *counts set, or negative errno.
 */
int datapath_port_counts(struct datapath *datapath, uint32_t slot, struct port_counts *counts);
/* All counters of a port at zero: the slot is another port's now. */
void datapath_port_clear(struct datapath *datapath, uint32_t slot);
struct vpc_stats *datapath_vpc_stats(struct datapath *datapath, uint32_t slot);
struct vpc_moves *datapath_vpc_moves(struct datapath *datapath, uint32_t slot);
struct datapath_state *datapath_state(struct datapath *datapath);
/* Sum over CPUs. */
int datapath_verdict(struct datapath *datapath, enum verdict verdict,
		     struct verdict_counter *counter);

/* ---- connections ---- */
/* Removes connections that are over, stations that aged, and rows of ports that are gone; corrects the
 * counts. Runs inside the kernel. */
int datapath_sweep(struct datapath *datapath, struct error *error);

/* ---- frames in the name of a port ---- */
/*
 * Runs a frame through the pipeline as if the port's device had handed it in. Only copies leave: what is
 * flooded in an l2 subnet goes to its members here and elsewhere, what is for one port alone does not.
 * 0 or negative errno; -ENOTSUP for the dummy.
 */
int datapath_announce(struct datapath *datapath, uint32_t ifindex, const void *frame, size_t size);

/* ---- drop events ---- */
/* Readable when events wait; -1 for the dummy. */
int datapath_events_fd(struct datapath *datapath);
/* Reads at most max waiting events. Returns how many. */
int datapath_events_read(struct datapath *datapath, datapath_event_fn *fn, void *context, int max);

/* ---- news of the underlay: what routers on the way say of our tunnels' packets ---- */
/* As above; a ring of its own, for few and rare events that drops must not push out. */
int datapath_underlay_events_fd(struct datapath *datapath);
int datapath_underlay_events_read(struct datapath *datapath, datapath_underlay_event_fn *fn,
				  void *context, int max);

/* ---- packets that watches have taken (core/watch.c) ---- */
/* As above; a ring of its own, which is mapped when its descriptor is asked for. */
int datapath_captures_fd(struct datapath *datapath);
int datapath_captures_read(struct datapath *datapath, datapath_capture_fn *fn, void *context,
			   int max);

/* ---- what flow logs read ---- */
/* As above: rows of flows with FLOW_LOGGED that went. The ring wakes who reads only when much is waiting. */
typedef void datapath_flow_end_fn(void *context, const struct flow_end *end);
int datapath_flow_ends_fd(struct datapath *datapath);
int datapath_flow_ends_read(struct datapath *datapath, datapath_flow_end_fn *fn, void *context,
			    int max);
/* A walk in pieces of about a thousand rows, between which other things are done; a row that is there all
 * the time is seen. next: 1: there is more, 0: that was all, or negative errno. Ends with end (NULL is
 * ignored), at any time. */
struct datapath_pieces;
struct datapath_pieces *datapath_pieces_begin(struct datapath *datapath, enum table_id table);
int datapath_pieces_next(struct datapath_pieces *pieces, datapath_row_fn *fn, void *context);
void datapath_pieces_end(struct datapath_pieces *pieces);
/* Every row of a hash table, which is empty afterwards; what fn returns is of no account. */
int datapath_take_rows(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		       void *context);

const struct datapath_feature *datapath_features(struct datapath *datapath, size_t *count);
/* Bytes of kernel memory behind all tables (memlock of fdinfo). */
uint64_t datapath_memory(struct datapath *datapath);

#endif
