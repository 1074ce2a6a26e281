/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The devices of this host that carry its underlay addresses.
 *
 * The pipeline is attached to each of them, so that packets of tunnels are taken off there; everything else
 * goes to the host's own stack as before. Addresses and devices come and go while the daemon runs: the
 * kernel tells, and all is looked at anew. What is not there is tried again when something changes, and
 * an address that is not on the machine any more takes nothing away that packets may still need but the
 * attachment to a device that carries none.
 *
 * Neighbours: cluster.c (which addresses), datapath.h (the programs), device_tunnel.h (the kernel's).
 */
#ifndef WEFT_AGENT_UNDERLAY_H
#define WEFT_AGENT_UNDERLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/loop.h"
#include "datapath/datapath.h"

struct underlay;

/* Addresses or devices are not what they were. */
typedef void underlay_changed_callback(void *context);

/* A packet of a tunnel to @remote was too big for the way there. */
typedef void underlay_too_big_callback(void *context, const struct ip_address *remote);

/**
 * struct underlay_options - borrowed
 * @devices: false: nothing is attached and no address exists (tests)
 */
struct underlay_options {
	struct loop *loop;
	struct datapath *datapath;
	bool devices;
	underlay_changed_callback *changed;
	underlay_too_big_callback *too_big;
	void *context;
};

/** underlay_open - know the machine's addresses; nothing is attached yet. Return: 0 or negative errno. */
int underlay_open(const struct underlay_options *options, struct underlay **underlay,
		  struct error *error);

/** underlay_close - the programs stay attached (NULL is ignored) */
void underlay_close(struct underlay *underlay);

/** underlay_set - these are the host's underlay addresses: attach to their devices, and to no others */
void underlay_set(struct underlay *underlay, const struct ip_prefix *addresses, size_t count);

/** underlay_ifindex - Return: the device that carries @address, 0 if none does */
uint32_t underlay_ifindex(const struct underlay *underlay, const struct ip_address *address);

/** underlay_mtu - Return: the MTU of the device that carries @address, bytes; 0 if none does */
uint32_t underlay_mtu(const struct underlay *underlay, const struct ip_address *address);

/** underlay_tunnel_devices - the kernel's tunnel devices are those of the planned rows of tunnel_ports */
void underlay_tunnel_devices(struct underlay *underlay);

/**
 * struct underlay_group - a multicast group of the underlay, and the address whose device is used
 */
struct underlay_group {
	struct ip_address group;
	struct ip_address local;
};

/** underlay_join - be a member of these groups and of no others */
void underlay_join(struct underlay *underlay, const struct underlay_group *groups, size_t count);

#endif
