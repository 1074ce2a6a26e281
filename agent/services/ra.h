/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Router advertisements (RFC 4861): what they say, and when they are sent unasked.
 *
 * ra_write() is pure. struct ra_sender sends them: at once to a port that solicits, to every port of a subnet
 * now and then, when what they say changes, and a last one, with a lifetime of 0, when they end.
 *
 * Neighbours: dhcp.c (the caller, and who writes frames), dhcp_common.h (names).
 */
#ifndef WEFT_AGENT_RA_H
#define WEFT_AGENT_RA_H

#include "agent/reconcile.h"
#include "agent/services/dhcp_common.h"
#include "base/buf.h"

#define RA_HOP_LIMIT 255

/**
 * ra_write - the ICMPv6 message, its checksum left zero
 * @subnet: its ra says the mode; NULL there: a last one, that ends the router
 * @mtu: of the VPC's ports, bytes
 */
void ra_write(const struct subnet_object *subnet, const struct dhcp_names *names, uint32_t mtu,
	      struct buf *message);

struct ra_sender;

/* Sends an advertisement of a subnet to one of its ports. */
typedef void ra_send_callback(void *context, const struct subnet_object *subnet,
			      const struct port_object *port);

/** ra_sender_new - send when it is time; release with ra_sender_free(). Never fails. */
struct ra_sender *ra_sender_new(struct loop *loop, struct reconcile *reconcile,
				ra_send_callback *send, void *context);
void ra_sender_free(struct ra_sender *sender); /* accepts NULL */

#endif
