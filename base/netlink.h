/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Links, addresses, routes and neighbours by rtnetlink.
 *
 * A struct netlink is one socket that acts in the namespace it was opened in, wherever the
 * thread goes later. Each changing call waits for the kernel's answer and turns its extended
 * acknowledgement into a sentence. Between netlink_batch_begin() and netlink_batch_commit() the
 * same calls only queue: the batch goes out in few messages with one pass over the answers,
 * which is what makes a thousand ports cheap. Events are in base/netlink_monitor.h.
 */
#ifndef WEFT_BASE_NETLINK_H
#define WEFT_BASE_NETLINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"

/* Names of devices, with the terminator (IFNAMSIZ). */
#define LINK_NAME_SIZE 16
/* Free text on a device for people; the kernel's limit is 255, what is behind is cut here. */
#define LINK_ALIAS_SIZE 128

struct netlink;

/**
 * struct link_info - a network device as the kernel describes it
 * @flags: IFF_UP, IFF_RUNNING, …
 * @peer_ifindex: IFLA_LINK: the other end of a veth, the lower device of a VLAN; 0 if none
 * @peer_netnsid: id of the namespace that @peer_ifindex counts in; -1 if it is this one
 * @netnsid: in events: id of the namespace the device is in; -1 if it is the socket's own
 * @master_ifindex: bridge or VRF above; 0 if none
 * @kind: "veth", "tun", "bridge", …; "" for hardware and loopback
 */
struct link_info {
	uint32_t ifindex;
	uint32_t flags;
	uint32_t mtu;
	uint32_t peer_ifindex;
	int32_t peer_netnsid;
	int32_t netnsid;
	uint32_t master_ifindex;
	uint32_t transmit_queue_length;
	uint16_t type;
	uint8_t operational_state;
	struct mac_address mac;
	char name[LINK_NAME_SIZE];
	char kind[LINK_NAME_SIZE];
	char qdisc[LINK_NAME_SIZE]; /* at the root */
	char alias[LINK_ALIAS_SIZE];
};

/* How a device gets its link-local IPv6 address. */
enum link_local_mode {
	LINK_LOCAL_KEEP = -1,
	LINK_LOCAL_EUI64 = 0, /* from the MAC */
	LINK_LOCAL_NONE = 1,  /* no address by itself: not a party on the link */
};

/**
 * struct link_change - what to change in one step; start with LINK_CHANGE_NOTHING
 * @alias: NULL to keep
 * @mac: NULL to keep
 * @mtu: 0 to keep
 * @group: for netlink_link_delete_group(); 0 to keep
 * @up, @down: at most one of them
 */
struct link_change {
	const char *alias;
	const struct mac_address *mac;
	uint32_t mtu;
	uint32_t group;
	enum link_local_mode link_local;
	bool up;
	bool down;
};

#define LINK_CHANGE_NOTHING                                                                        \
	{                                                                                          \
		.link_local = LINK_LOCAL_KEEP                                                      \
	}

/**
 * struct veth_end - one end of a veth pair
 * @name: at most 15 characters
 * @netns_fd: where it is made; -1 for the socket's namespace
 * @mac: all zero lets the kernel pick
 * @up: set up at once; the near end only: the kernel cannot open the far one before both exist
 */
struct veth_end {
	const char *name;
	int netns_fd;
	struct mac_address mac;
	bool up;
};

/**
 * struct netlink_record - an address or a route in the kernel's own words
 *
 * To be said to it again, with all that there are no words for here: lifetimes, labels, who made it, which
 * source it is for. @type: RTM_NEWADDR or RTM_NEWROUTE. Those of a list are good until its callback returns.
 */
struct netlink_record {
	uint16_t type;
	uint32_t size;
	const uint8_t *bytes;
};

/**
 * struct address_info - an address on a device
 * @address: the address with the length of its prefix (mapped space: IPv4 /24 is 120)
 * @no_dad: IPv6: usable at once, without duplicate address detection
 * @scope: RT_SCOPE_…, in lists only; adding derives it from the address
 * @record: in lists only
 */
struct address_info {
	uint32_t ifindex;
	struct ip_prefix address;
	bool no_dad;
	uint8_t scope;
	struct netlink_record record;
};

/**
 * struct route_info - a route
 * @destination: "0.0.0.0/0" and "::/0" are the defaults
 * @gateway: next hop, read if @has_gateway
 * @ifindex: way out
 * @metric: 0 for the kernel's default
 * @table: 0 for main
 * @onlink: the gateway is reachable although no address of the device says so
 * @record: in lists only
 */
struct route_info {
	struct ip_prefix destination;
	struct ip_address gateway;
	bool has_gateway;
	bool onlink;
	uint32_t ifindex;
	uint32_t metric;
	uint32_t table;
	struct netlink_record record;
};

/* Called once per object of a list; what is pointed to ends with the call. */
typedef void link_callback(void *context, const struct link_info *link);
typedef void address_callback(void *context, const struct address_info *address);
typedef void route_callback(void *context, const struct route_info *route);

/**
 * netlink_open - a socket in a network namespace
 * @netlink: set on success; release with netlink_close()
 * @netns_fd: the namespace, not kept; -1 for the thread's own
 *
 * Return: 0 or negative errno.
 */
int netlink_open(struct netlink **netlink, int netns_fd, struct error *error);

/** netlink_close - release @netlink (may be NULL); a batch not committed is forgotten */
void netlink_close(struct netlink *netlink);

/* Batches ----------------------------------------------------------------------------------- */

/**
 * netlink_batch_begin - from now on, changing calls queue and return 0
 *
 * A call with an argument that cannot be sent (a name too long) still fails at once and is not
 * queued.
 */
void netlink_batch_begin(struct netlink *netlink);

/** netlink_batch_count - requests queued so far: the index the next one gets */
size_t netlink_batch_count(const struct netlink *netlink);

/* @index: which request failed, counted from 0. */
typedef void netlink_batch_callback(void *context, size_t index, const struct error *error);

/**
 * netlink_batch_commit - send what was queued and read all answers
 * @failed: called for each request that failed, in order; may be NULL
 * @error: the first failure
 *
 * One failing request does not stop those behind it: the kernel runs all, in order.
 *
 * Return: 0, or the negative errno of the first failure.
 */
int netlink_batch_commit(struct netlink *netlink, netlink_batch_callback *failed, void *context,
			 struct error *error);

/* Links: all return 0 or a negative errno (-ENODEV if there is no such device) ---------------- */

/** netlink_link_add_veth - make a pair of @mtu bytes (0: the kernel's default) */
int netlink_link_add_veth(struct netlink *netlink, const struct veth_end *near_end,
			  const struct veth_end *far_end, uint32_t mtu, struct error *error);

/** netlink_link_add - make a device of a kind that needs no options: bridge, dummy, ifb */
int netlink_link_add(struct netlink *netlink, const char *kind, const char *name,
		     struct error *error);

/**
 * netlink_link_add_tunnel - make a tunnel device that takes its headers from who uses it
 * @kind: "vxlan" or "geneve"
 * @port: UDP port, host order
 *
 * "External" or collect-metadata mode: it takes every id on the port, from everybody. Checksums of zero
 * are accepted over IPv6 too, nothing is learned.
 */
int netlink_link_add_tunnel(struct netlink *netlink, const char *kind, const char *name,
			    uint16_t port, struct error *error);

int netlink_link_delete(struct netlink *netlink, uint32_t ifindex, struct error *error);
int netlink_link_set_up(struct netlink *netlink, uint32_t ifindex, bool up, struct error *error);
/* Promiscuous: frames to all MACs are taken; as long as the device lives, or somebody turns it off. */
int netlink_link_set_promiscuous(struct netlink *netlink, uint32_t ifindex, bool on,
				 struct error *error);
int netlink_link_set_mac(struct netlink *netlink, uint32_t ifindex, const struct mac_address *mac,
			 struct error *error);
int netlink_link_set_mtu(struct netlink *netlink, uint32_t ifindex, uint32_t mtu,
			 struct error *error);
int netlink_link_set_name(struct netlink *netlink, uint32_t ifindex, const char *name,
			  struct error *error);
int netlink_link_set_netns(struct netlink *netlink, uint32_t ifindex, int netns_fd,
			   struct error *error);
int netlink_link_set_master(struct netlink *netlink, uint32_t ifindex, uint32_t master_ifindex,
			    struct error *error);
/** netlink_link_set_reflecting - the bridge that it is a port of sends out by it what came in by it */
int netlink_link_set_reflecting(struct netlink *netlink, uint32_t ifindex, struct error *error);
int netlink_link_set_queue_length(struct netlink *netlink, uint32_t ifindex, uint32_t packets,
				  struct error *error);

/**
 * netlink_link_change - several properties by one request
 *
 * The kernel sets a device up before it reads @link_local: where it matters that no address is ever
 * there, make two calls.
 */
int netlink_link_change(struct netlink *netlink, uint32_t ifindex, const struct link_change *change,
			struct error *error);

/**
 * netlink_link_delete_group - delete all devices of a group at once
 * @group: not 0, which is where all devices begin
 *
 * One deletion waits for grace periods of the kernel, tens of milliseconds; a group waits once.
 *
 * Return: 0; -ENODEV if there is none; or another negative errno.
 */
int netlink_link_delete_group(struct netlink *netlink, uint32_t group, struct error *error);

/* Look up one device; @link is filled on success. Not in a batch. */
int netlink_link_get(struct netlink *netlink, uint32_t ifindex, struct link_info *link,
		     struct error *error);
int netlink_link_get_by_name(struct netlink *netlink, const char *name, struct link_info *link,
			     struct error *error);
/* All devices of the namespace. Not in a batch. */
int netlink_link_list(struct netlink *netlink, link_callback *callback, void *context,
		      struct error *error);

/* Addresses, routes, neighbours: -EEXIST if it is there (not with replace), -ESRCH or
 * -EADDRNOTAVAIL if what is to be deleted is not ----------------------------------------- */

int netlink_address_add(struct netlink *netlink, const struct address_info *address,
			struct error *error);
int netlink_address_delete(struct netlink *netlink, const struct address_info *address,
			   struct error *error);
/* @ifindex: 0 for those of all devices. Not in a batch. */
int netlink_address_list(struct netlink *netlink, uint32_t ifindex, address_callback *callback,
			 void *context, struct error *error);

int netlink_route_add(struct netlink *netlink, const struct route_info *route, struct error *error);
int netlink_route_delete(struct netlink *netlink, const struct route_info *route,
			 struct error *error);
/* Unicast routes of both families, all tables but local. Not in a batch. */
int netlink_route_list(struct netlink *netlink, route_callback *callback, void *context,
		       struct error *error);

/** netlink_record_add - make an address or route as a list has told of it; IPv6 addresses are usable at once */
int netlink_record_add(struct netlink *netlink, const struct netlink_record *record,
		       struct error *error);
int netlink_record_delete(struct netlink *netlink, const struct netlink_record *record,
			  struct error *error);

/** netlink_neighbour_replace - a permanent entry: @address is at @mac */
int netlink_neighbour_replace(struct netlink *netlink, uint32_t ifindex,
			      const struct ip_address *address, const struct mac_address *mac,
			      struct error *error);
int netlink_neighbour_delete(struct netlink *netlink, uint32_t ifindex,
			     const struct ip_address *address, struct error *error);

/**
 * netlink_netnsid - id by which this socket's namespace knows another one
 * @netns_fd: the other namespace
 * @netnsid: set on success; -1 if it has none yet
 *
 * Return: 0 or negative errno.
 */
int netlink_netnsid(struct netlink *netlink, int netns_fd, int32_t *netnsid, struct error *error);

/** netlink_netnsid_set - give another namespace an id; -EEXIST if it has one, or the id is taken */
int netlink_netnsid_set(struct netlink *netlink, int netns_fd, int32_t netnsid,
			struct error *error);

/**
 * netlink_netnsid_lowest - the lowest id from @from on that a namespace has
 * @lowest: set on success; -1 if there is none. Not in a batch.
 *
 * Return: 0 or negative errno.
 */
int netlink_netnsid_lowest(struct netlink *netlink, int32_t from, int32_t *lowest,
			   struct error *error);

/**
 * netlink_rate_set - hold what a device sends to a rate, by a token bucket (netlink_qdisc.c)
 * @rate: bytes per second
 * @burst: bytes of the bucket
 * @limit: bytes that wait; the rest is dropped
 *
 * Takes the place of the root qdisc. Return: 0 or negative errno; -ENOENT where the kernel has none.
 */
int netlink_rate_set(struct netlink *netlink, uint32_t ifindex, uint64_t rate, uint32_t burst,
		     uint32_t limit, struct error *error);

/** netlink_rate_clear - the device's usual root qdisc again; no error if it has no other */
int netlink_rate_clear(struct netlink *netlink, uint32_t ifindex, struct error *error);

/** netlink_ingress_add - a qdisc for filters of what a device receives; -EEXIST if it has one */
int netlink_ingress_add(struct netlink *netlink, uint32_t ifindex, struct error *error);

#endif
