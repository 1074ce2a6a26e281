/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The DHCPv4 server's mind: what is answered to a message of a port, given what the control plane knows of
 * the port. No state is kept: a lease is the port's address for as long as the port has it.
 *
 * Neighbours: dhcp4_message.h (the wire), dhcp.c (which port, which frame).
 */
#ifndef WEFT_AGENT_DHCP4_H
#define WEFT_AGENT_DHCP4_H

#include "agent/services/dhcp4_message.h"
#include "agent/services/dhcp_common.h"
#include "base/addr.h"
#include "model/object.h"

/**
 * struct dhcp4_lease - what the control plane knows; all borrowed
 * @subnet: of the port; its dhcp is not NULL
 * @names: of its subnet
 * @name: of the port, given as its host name
 * @address: the port's first IPv4 address
 * @mac: the port's
 * @mtu: of the port, bytes
 */
struct dhcp4_lease {
	const struct subnet_object *subnet;
	const struct dhcp_names *names;
	const char *name;
	struct ip_address address;
	struct mac_address mac;
	uint32_t mtu;
};

/**
 * dhcp4_answer - what to do with a message of a port
 * @reply: filled in with the payload of the answer, where there is one
 * @to: set to the address that the answer goes to, host order: 255.255.255.255, or the client's
 *
 * Return: what became of it; @reply is set with OFFER, ACK and NAK only.
 */
enum dhcp_result dhcp4_answer(const struct dhcp4_lease *lease, const struct dhcp4_message *message,
			      struct dhcp4_writer *reply, uint32_t *to);

#endif
