/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The way to outside DHCP servers: sockets in the host's own network, at the ports of relay agents (67 and
 * 547), each bound to the address of this host that leads to a server.
 *
 *	port -> punt -> dhcp.c -> relay_send()  ->  server
 *	port <- punt <- dhcp.c <- callback      <-
 *
 * Sockets are opened when they are first needed and closed when nobody has needed them for a while.
 *
 * Neighbours: dhcp.c (the owner), dhcp_relay_message.h (what is said).
 */
#ifndef WEFT_AGENT_DHCP_RELAY_H
#define WEFT_AGENT_DHCP_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"
#include "base/error.h"
#include "base/loop.h"

struct relay;

/**
 * relay_callback - a datagram came from outside
 * @own: the address of this host that it came to; @server: who sent it
 */
typedef void relay_callback(void *context, const struct ip_address *own,
			    const struct ip_address *server, const uint8_t *data, size_t size);

/** relay_new - nothing is open yet; release with relay_free() */
struct relay *relay_new(struct loop *loop, relay_callback *callback, void *context);
void relay_free(struct relay *relay); /* accepts NULL */

/**
 * relay_own_address - this host's address towards a server; its socket is open from now on
 * @own: set on success
 *
 * Return: 0, or negative errno with a sentence.
 */
int relay_own_address(struct relay *relay, const struct ip_address *server, struct ip_address *own,
		      struct error *error);

/**
 * relay_send - a message to a server, from the address that relay_own_address() said
 *
 * Return: 0, or negative errno with a sentence.
 */
int relay_send(struct relay *relay, const struct ip_address *own, const struct ip_address *server,
	       const void *data, size_t size, struct error *error);

#endif
