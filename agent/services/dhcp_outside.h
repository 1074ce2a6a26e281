/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Subnets whose addresses an outside DHCP server gives: questions of ports go there, its answers come back.
 *
 * Whose an address is stays the control plane's decision: ports may send from their own addresses only, so a
 * lease of another one would be of no use. An answer that gives one is not passed on, counted
 * (foreign_lease), and a problem that names port and address, until the server and the intent agree.
 *
 * Neighbours: dhcp.c (the owner), dhcp_relay.h (sockets), dhcp_relay_message.h (messages).
 */
#ifndef WEFT_AGENT_DHCP_OUTSIDE_H
#define WEFT_AGENT_DHCP_OUTSIDE_H

#include "agent/reconcile.h"
#include "agent/services/dhcp_common.h"
#include "agent/services/punt.h"
#include "agent/services/punt_packet.h"

struct dhcp_outside;

/* Told what became of each answer of a server. */
typedef void dhcp_outside_callback(void *context, bool ipv4, enum dhcp_result result);

/** dhcp_outside_new - all borrowed; release with dhcp_outside_free(), which accepts NULL */
struct dhcp_outside *dhcp_outside_new(struct loop *loop, struct punt *punt,
				      struct reconcile *reconcile, dhcp_outside_callback *callback,
				      void *context);
void dhcp_outside_free(struct dhcp_outside *outside);

/**
 * dhcp_outside_ask - pass a port's message on to the servers of its subnet
 * @packet: DHCPv4 or DHCPv6, by its family
 *
 * Return: RELAYED, or why it is not.
 */
enum dhcp_result dhcp_outside_ask(struct dhcp_outside *outside, const struct subnet_object *subnet,
				  const struct port_object *port, const struct punt_packet *packet);

#endif
