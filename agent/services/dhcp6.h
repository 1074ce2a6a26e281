/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DHCPv6 (RFC 8415): what is answered to a message of a port. Pure: bytes in, bytes out, no state; the
 * address is the port's.
 *
 * Neighbours: dhcp.c (which port, which frame), dhcp4.h (the same for IPv4).
 */
#ifndef WEFT_AGENT_DHCP6_H
#define WEFT_AGENT_DHCP6_H

#include "agent/services/dhcp_common.h"
#include "base/addr.h"
#include "base/buf.h"
#include "model/object.h"

#define DHCP6_SERVER_PORT 547
#define DHCP6_CLIENT_PORT 546

/**
 * struct dhcp6_lease - what the control plane knows; all borrowed
 * @subnet: of the port
 * @address: the port's first IPv6 address; zero: none is given (stateless)
 * @lease: seconds; DHCP_LEASE_FOREVER
 */
struct dhcp6_lease {
	const struct subnet_object *subnet;
	const struct dhcp_names *names;
	struct ip_address address;
	struct mac_address gateway_mac;
	uint32_t lease;
};

/**
 * dhcp6_answer - what to do with a message of a port
 * @message: the payload of the datagram
 * @unicast: it came to an address of the server alone; @message asks for more than that allows
 *   (RFC 8415, section 16): nobody was told that he may
 * @reply: the payload of the answer is appended, where there is one
 *
 * Return: what became of it; there is an answer with ADVERTISE, REPLY, RELEASE and DECLINE.
 */
enum dhcp_result dhcp6_answer(const struct dhcp6_lease *lease, const void *message, size_t size,
			      bool unicast, struct buf *reply);

#endif
