/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses that workloads pick themselves (ra: {identifiers: any}): stable and private ones (RFC 7217) and
 * temporary ones (RFC 8981), whose last 64 bits nobody knows before.
 *
 * Before a workload uses an address it asks whether somebody else has it (RFC 4862, 5.4), and in an l3 subnet
 * nobody but Weft hears that. An address of the subnet's range that is nobody's becomes one of the port's, in
 * the intent as if it had been set there; so every host knows it, and rules, routes and the source check need
 * no second notion of an address. One that is another's is answered for, as its owner would.
 *
 * A port has so many of them, and may take a new one so often; beyond that the oldest goes, or the new one
 * is not taken.
 *
 * Neighbours: dhcp.c (the owner), punt.h, model/dhcp.h (RA_PROVEN_MAX).
 */
#ifndef WEFT_AGENT_PROVING_H
#define WEFT_AGENT_PROVING_H

#include "agent/reconcile.h"
#include "agent/services/dhcp_common.h"
#include "agent/services/punt.h"

struct proving;

/* Told what became of a question for duplicates. */
typedef void proving_callback(void *context, enum dhcp_result result);

/** proving_new - all borrowed; release with proving_free(), which accepts NULL */
struct proving *proving_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile,
			    proving_callback *callback, void *context);
void proving_free(struct proving *proving);

/**
 * proving_add - the addresses of a port with one more
 * @subnet: the port's
 * @list: filled with them; room for PORT_ADDRESSES_MAX
 *
 * Of those that are of the subnet's IPv6 range the first stays, and of the others the oldest goes when there
 * are RA_PROVEN_MAX already. Return: how many.
 */
size_t proving_add(const struct port_object *port, const struct subnet_object *subnet,
		   const struct ip_address *address, struct ip_address *list);

#endif
