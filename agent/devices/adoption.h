/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices of the host that Weft uses without having made them, and how they were before.
 *
 * A port or an uplink may be a device that somebody else has made: a NIC, a veth, a macvlan, a VLAN device.
 * Before anything of it is changed, it is written down how it was; adoption_release() puts back exactly
 * that. The list is a file of the state directory, so that a daemon that was killed, or `weftd
 * --remove-datapath`, can do so as well. It speaks of one boot and one network namespace: another file
 * is forgotten, for its devices are gone.
 *
 *	changed		put back
 *	up		down again, if it was down
 *	promiscuous	off again, if nobody had it on
 *	addresses	only where they were to be taken: they and the routes of the device come back
 *
 * Name, MAC, MTU and alias are never changed. Neighbours: device_adopt.c (ports), uplink.c.
 */
#ifndef WEFT_AGENT_ADOPTION_H
#define WEFT_AGENT_ADOPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/netlink.h"

struct adoptions;

/**
 * struct adoption_wish - what a device is to be used for
 * @port_id: of the port; 0: an uplink
 * @promiscuous: frames to all MACs are to come in
 * @take_addresses: the host is to have none there
 */
struct adoption_wish {
	uint32_t port_id;
	bool promiscuous;
	bool take_addresses;
};

/**
 * adoptions_open - what an earlier run has written down
 * @path: the file; NULL: nothing outlives the process (tests)
 *
 * A file that cannot be understood is a failure: what is in it nobody else knows.
 *
 * Return: 0 or negative errno.
 */
int adoptions_open(const char *path, struct adoptions **adoptions, struct error *error);

/** adoptions_close - the devices stay as they are (NULL is ignored) */
void adoptions_close(struct adoptions *adoptions);

/**
 * adoption_refuse - whether a device is somebody's already
 * @link: as it is now
 * @wish: for whom it is wanted
 *
 * A member of a bridge, in use as another port or an uplink, the loopback; for a port also a bridge, and what is
 * below a macvlan.
 *
 * Return: 0, or -EBUSY or -EINVAL with a sentence.
 */
int adoption_refuse(struct adoptions *adoptions, struct netlink *netlink,
		    const struct link_info *link, const struct adoption_wish *wish,
		    struct error *error);

/**
 * adoption_take - make a device as it is needed, and remember how it was
 *
 * Does not set it up: that comes after the pipeline is attached. Idempotent; also changes what an earlier
 * wish left, such as addresses that are to stay now.
 *
 * Return: 0 or negative errno.
 */
int adoption_take(struct adoptions *adoptions, struct netlink *netlink,
		  const struct link_info *link, const struct adoption_wish *wish,
		  struct error *error);

/** adoption_differs - what is not as the wish says, behind "device eth1"; NULL: nothing */
const char *adoption_differs(const struct adoptions *adoptions, const struct link_info *link,
			     const struct adoption_wish *wish);

/** adoption_release - put back what was changed of a device; nothing if it is not adopted */
void adoption_release(struct adoptions *adoptions, struct netlink *netlink, uint32_t ifindex);

/** adoption_of_port - Return: the device that a port has, 0: none */
uint32_t adoption_of_port(const struct adoptions *adoptions, uint32_t port_id);

/** adoption_is_port - whether a device is in use as a port */
bool adoption_is_port(const struct adoptions *adoptions, uint32_t ifindex);

/** adoption_list - devices in use as ports or as uplinks. @ifindexes: the caller's to free() */
size_t adoption_list(const struct adoptions *adoptions, bool uplinks, uint32_t **ifindexes);

/** link_is_macvlan - whether a device is a macvlan or a macvtap */
bool link_is_macvlan(const struct link_info *link);

/** link_has_addresses - whether the host has addresses on a device, besides link-local ones */
bool link_has_addresses(struct netlink *netlink, uint32_t ifindex);

/** adoption_port - Return: the port that has a device, 0: none */
uint32_t adoption_port(const struct adoptions *adoptions, uint32_t ifindex);

#endif
