/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The MACs that are given out: of ports, of the gateways of subnets, of hosts on networks outside.
 *
 *	02:xx:xx:xx:xx:xx	a port
 *	06:57:xx:xx:xx:xx	the gateway of a subnet, alike on all hosts
 *	06:58:xx:xx:xx:xx	a tunnel that routes, between the hosts of one installation alone: the plain id (plan_tunnel.c)
 *	06:59:xx:xx:xx:xx	the gateways of a host on a wire, where another host is the router
 *
 * What is behind the prefix is the object's id and the number of the installation, mixed one to
 * one: within an installation no two are alike, and those of two installations on one wire are as
 * good as random to each other. A MAC is kept with its object, so that it stays whatever becomes of
 * the number. Objects of before there was one have the plain id there, and keep it.
 *
 * Neighbours: check_port.c (gives them to ports), check.c (to subnets and hosts), plan.c (rows).
 */
#include "model/intent_private.h"

#define PORT_PREFIX 0x02
#define PORT_PLAIN 0x57 /* and the attempt, in front of the plain id */
#define ATTEMPTS_SEEN 4 /* of which a MAC is known to be the port's own */
#define ROUNDS 4

/*
 * A permutation of numbers of 2 * @half_bits bits, another one for each key: a Feistel network,
 * whose round function need not be more than a good mixer, for nothing is secret here.
 */
static uint64_t permute(uint64_t number, unsigned int half_bits, uint64_t key)
{
	const uint64_t mask = (UINT64_C(1) << half_bits) - 1;
	uint64_t left = number >> half_bits & mask, right = number & mask;

	for (uint64_t round = 1; round <= ROUNDS; round++) {
		uint64_t mixed = (right ^ key ^ round * 0x9e3779b97f4a7c15u) * 0xbf58476d1ce4e5b9u;
		uint64_t next;

		mixed = (mixed ^ mixed >> 29) * 0x94d049bb133111ebu;
		next = left ^ ((mixed ^ mixed >> 32) & mask);
		left = right;
		right = next;
	}
	return left << half_bits | right;
}

static struct mac_address of_five(uint8_t first, uint64_t rest)
{
	return (struct mac_address){ { first, (uint8_t)(rest >> 32), (uint8_t)(rest >> 24),
				       (uint8_t)(rest >> 16), (uint8_t)(rest >> 8),
				       (uint8_t)rest } };
}

struct mac_address port_mac_of_id(uint64_t installation, uint32_t port_id, uint32_t attempt)
{
	if (!installation)
		return of_five(PORT_PREFIX,
			       (uint64_t)(uint8_t)(PORT_PLAIN + attempt) << 32 | port_id);
	return of_five(PORT_PREFIX,
		       permute((uint64_t)(uint8_t)attempt << 32 | port_id, 20, installation));
}

bool port_mac_is_own(const struct intent *intent, const struct port_object *port)
{
	struct mac_address plain = port_mac_of_id(0, port->object.id, 0), own;

	if (mac_address_equal(&port->mac, &plain))
		return true;
	for (uint32_t attempt = 0; intent->installation && attempt < ATTEMPTS_SEEN; attempt++) {
		own = port_mac_of_id(intent->installation, port->object.id, attempt);
		if (mac_address_equal(&port->mac, &own))
			return true;
	}
	return false;
}

/* ---- gateways ---- */

#define GATEWAY 0x57
#define ROUTER 0x59

static struct mac_address of_gateway(uint8_t which, uint32_t rest)
{
	return of_five(0x06, (uint64_t)which << 32 | rest);
}

static struct mac_address give(const struct intent *intent, uint8_t which, uint32_t id)
{
	if (!intent->installation)
		return (struct mac_address){ { 0 } };
	return of_gateway(which, (uint32_t)permute(id, 16, intent->installation));
}

void give_gateway_mac(const struct intent *intent, struct subnet_object *subnet)
{
	subnet->gateway_mac = give(intent, GATEWAY, subnet->object.id);
}

void give_router_mac(const struct intent *intent, struct host_object *host)
{
	host->router_mac = give(intent, ROUTER, host->object.id);
}

struct mac_address gateway_mac_of_id(uint32_t subnet_id)
{
	return of_gateway(GATEWAY, subnet_id);
}

struct mac_address subnet_gateway_mac(const struct subnet_object *subnet)
{
	return mac_address_is_zero(&subnet->gateway_mac) ? gateway_mac_of_id(subnet->object.id)
							 : subnet->gateway_mac;
}

struct mac_address host_router_mac(const struct host_object *host)
{
	return mac_address_is_zero(&host->router_mac) ? of_gateway(ROUTER, host->object.id)
						      : host->router_mac;
}

void intent_number_installation(struct intent *intent, uint64_t number)
{
	intent->installation = number;
}
