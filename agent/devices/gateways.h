/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gateways on wires: the host that becomes a subnet's router for machines outside says so there. And the ports:
 * when they are on another NIC or VLAN from now on, or share the NIC's MAC, or no longer.
 *
 * The gateway's MAC moves with that. Switches would go on sending what is for it to the host that had it, until
 * they forget, which takes minutes. So it is announced a few times, by a RARP frame as QEMU sends one when a
 * machine has moved: from that MAC, to everybody, and without an address. An ARP message would look like a
 * second claim to whoever sees the same address in another tenant's VLAN. Ports are announced by ARP
 * and neighbour advertisements, as they would do it themselves.
 *
 * Neighbours: moves.h (the same for ports that come to another host), model/intent_hosts.c (who is the router), cluster.c (the owner).
 */
#ifndef WEFT_AGENT_GATEWAYS_H
#define WEFT_AGENT_GATEWAYS_H

#include "agent/devices/uplink.h"
#include "agent/reconcile.h"

struct gateways;

/** gateways_new - all are borrowed; those that this host has already are announced once */
struct gateways *gateways_new(struct loop *loop, struct reconcile *reconcile,
			      struct uplinks *uplinks);

/** gateways_free - NULL is ignored */
void gateways_free(struct gateways *gateways);

/** gateways_changed - of these changes some may make this host a router, or no longer */
void gateways_changed(struct gateways *gateways, const struct change *changes, size_t count);

/** gateways_uplinks_changed - a device of an uplink has come, gone, or got another MAC */
void gateways_uplinks_changed(struct gateways *gateways);

/**
 * gateways_build - the announcement of a gateway's MAC
 * @frame: room for GATEWAYS_FRAME_MAX bytes
 *
 * Return: how long it is, with its tag.
 */
#define GATEWAYS_FRAME_MAX 64
size_t gateways_build(const struct mac_address *mac, const struct segment *segment, uint8_t *frame);

#endif
