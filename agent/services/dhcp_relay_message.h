/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a relay does to DHCP messages (RFC 2131, 3046, 8415 section 19). Pure: bytes to bytes.
 *
 * Of a question the relay says where it comes from, and the server's answer brings that back: so nothing has
 * to be remembered in between, and an answer that names another port than its client's is refused. The
 * circuit is the port's name ("blue/web1"), which is what a server's reservations are written for. The
 * server speaks with this host (giaddr, link-address of RFC 8415 apart), which tenants' addresses need not
 * be reachable for; the subnet is said in link selection (RFC 3527), and that clients are to speak with the
 * gateway in the server identifier override (RFC 5107).
 *
 * Neighbours: dhcp_relay.c (sockets), dhcp4_message.h.
 */
#ifndef WEFT_AGENT_DHCP_RELAY_MESSAGE_H
#define WEFT_AGENT_DHCP_RELAY_MESSAGE_H

#include "agent/services/dhcp4_message.h"
#include "agent/services/dhcp_common.h"
#include "base/addr.h"
#include "base/buf.h"

#define RELAY_CIRCUIT_SIZE 136 /* of a port's name with its VPC's, and the NUL */
#define RELAY_HOPS_MAX 16      /* RFC 1542, 4.1.1 */

/**
 * struct relay_line - a port as servers know it; all borrowed
 * @circuit: its name
 * @agent: of this host towards the server: giaddr
 * @link: an address of its subnet: the gateway's, or that of the DHCP server there
 * @addresses: those that a lease may give it
 */
struct relay_line {
	const char *circuit;
	struct mac_address mac;
	struct ip_address agent;
	struct ip_address link;
	const struct ip_address *addresses;
	size_t address_count;
};

/**
 * relay4_forward - a client's message, for the server
 * @data: the payload of the datagram
 * @forward: the message for the server is appended
 *
 * Return: RELAYED, or why it is not.
 */
enum dhcp_result relay4_forward(const struct relay_line *line, const void *data, size_t size,
				struct buf *forward);

/** relay4_circuit - the port that a server's answer is for. Return: whether it says one. */
bool relay4_circuit(const void *data, size_t size, char circuit[RELAY_CIRCUIT_SIZE]);

/**
 * relay4_return - a server's answer, for the client
 * @back: set to the message without what the relay had added
 * @to: set to the address it goes to, host order
 *
 * Return: RETURNED, or why it is not passed on.
 */
enum dhcp_result relay4_return(const struct relay_line *line, const void *data, size_t size,
			       struct dhcp4_writer *back, uint32_t *to);

/**
 * relay6_forward, relay6_circuit, relay6_return - the same of DHCPv6
 * @peer: the client's address
 */
enum dhcp_result relay6_forward(const struct relay_line *line, const struct ip_address *peer,
				const void *data, size_t size, struct buf *forward);
bool relay6_circuit(const void *data, size_t size, char circuit[RELAY_CIRCUIT_SIZE]);
enum dhcp_result relay6_return(const struct relay_line *line, const void *data, size_t size,
			       struct buf *back, struct ip_address *peer);

#endif
