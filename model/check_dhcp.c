/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Whether a subnet can say what it is to say by DHCP and router advertisements; and what of the two is
 * common to all who look at them.
 *
 * Neighbours: dhcp.h, check_vpc.c (the caller), text_dhcp.c (what is refused of one key alone).
 */
#include <errno.h>
#include <string.h>

#include "model/intent_private.h"

static bool same_addresses(const struct ip_address *a, size_t a_count, const struct ip_address *b,
			   size_t b_count)
{
	return a_count == b_count && memcmp(a, b, a_count * sizeof(*a)) == 0;
}

static bool same_search(const char (*a)[DOMAIN_SIZE], size_t a_count, const char (*b)[DOMAIN_SIZE],
			size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

bool subnet_dhcp_equal(const struct subnet_dhcp *a, const struct subnet_dhcp *b)
{
	if (!a || !b)
		return a == b;
	if (a->lease != b->lease || a->routers_named != b->routers_named ||
	    !same_addresses(a->routers, a->router_count, b->routers, b->router_count) ||
	    !same_addresses(a->dns, a->dns_count, b->dns, b->dns_count) ||
	    !same_addresses(a->ntp, a->ntp_count, b->ntp, b->ntp_count) ||
	    !ip_address_equal(&a->next_server, &b->next_server) ||
	    strcmp(a->domain, b->domain) != 0 || strcmp(a->tftp_server, b->tftp_server) != 0 ||
	    strcmp(a->boot_file, b->boot_file) != 0 ||
	    !same_search(a->search, a->search_count, b->search, b->search_count) ||
	    a->options_size != b->options_size || a->route_count != b->route_count ||
	    !same_addresses(a->relays, a->relay_count, b->relays, b->relay_count))
		return false;
	for (size_t i = 0; i < a->route_count; i++)
		if (!ip_prefix_equal(&a->routes[i].to, &b->routes[i].to) ||
		    !ip_address_equal(&a->routes[i].via, &b->routes[i].via))
			return false;
	return memcmp(a->options, b->options, a->options_size) == 0;
}

bool subnet_ra_equal(const struct subnet_ra *a, const struct subnet_ra *b)
{
	if (!a || !b)
		return a == b;
	return a->mode == b->mode && a->any_identifier == b->any_identifier &&
	       a->lifetime == b->lifetime && a->interval == b->interval &&
	       a->dns_named == b->dns_named && a->search_named == b->search_named &&
	       same_addresses(a->dns, a->dns_count, b->dns, b->dns_count) &&
	       same_search(a->search, a->search_count, b->search, b->search_count);
}

struct ip_address subnet_dhcp_server(const struct subnet_object *subnet)
{
	struct ip_address address = subnet->gateways[0];

	if (!ip_address_is_ipv4(&address))
		ip_address_add(&subnet->cidrs[0].address, 2, &address);
	return address;
}

bool subnet_is_relayed(const struct subnet_object *subnet, bool ipv4)
{
	for (size_t i = 0; subnet->dhcp && i < subnet->dhcp->relay_count; i++)
		if (ip_address_is_ipv4(&subnet->dhcp->relays[i]) == ipv4)
			return true;
	return false;
}

bool subnet_relays_to(const struct subnet_object *subnet, const struct ip_address *server)
{
	for (size_t i = 0; subnet->dhcp && i < subnet->dhcp->relay_count; i++)
		if (ip_address_equal(&subnet->dhcp->relays[i], server))
			return true;
	return false;
}

bool subnet_slaac_address(const struct subnet_object *subnet, const struct mac_address *mac,
			  struct ip_address *address)
{
	if (!subnet->ra || subnet->ra->mode == RA_MANAGED || !subnet->cidrs[1].length)
		return false;
	*address = ip_address_link_local_from_mac(mac);
	memcpy(address->byte, subnet->cidrs[1].address.byte, 8);
	return true;
}

static int check_dhcp_routes(struct draft *draft, const struct subnet_object *subnet,
			     struct error *error)
{
	char via[IP_ADDRESS_TEXT_SIZE], range[IP_PREFIX_TEXT_SIZE];

	for (size_t i = 0; i < subnet->dhcp->route_count; i++) {
		const struct ip_address *to = &subnet->dhcp->routes[i].via;

		if (!ip_prefix_contains(&subnet->cidrs[0], to))
			return draft_refuse(draft, &subnet->object, "dhcp.routes", EINVAL, error,
					    "a route given by DHCP leads to a neighbour, and %s is "
					    "not in %s",
					    ip_address_format(to, via),
					    ip_prefix_format(&subnet->cidrs[0], range));
	}
	return 0;
}

/* A key that goes with an IPv4 address alone. Return: NULL if there is none. */
static const char *said_of_ipv4(const struct subnet_dhcp *dhcp)
{
	if (dhcp->routers_named)
		return "routers";
	if (dhcp->route_count)
		return "routes";
	if (ip_address_is_ipv4(&dhcp->next_server))
		return "next_server";
	if (dhcp->tftp_server[0])
		return "tftp_server";
	if (dhcp->boot_file[0])
		return "boot_file";
	return dhcp->options_size ? "options" : NULL;
}

/* What the server says, and not this subnet. Return: the key, NULL if there is none of it. */
static const char *said_by_server(const struct subnet_dhcp *dhcp)
{
	return dhcp->lease != DHCP_LEASE_DEFAULT ? "lease" : said_of_ipv4(dhcp);
}

static bool can_be_server(const struct ip_address *address)
{
	return !ip_address_is_multicast(address) && !ip_address_is_unspecified(address) &&
	       !ip_address_is_link_local(address) &&
	       !(ip_address_is_ipv4(address) && ip_address_to_ipv4(address) == UINT32_MAX);
}

static int check_relay(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	const struct subnet_dhcp *dhcp = subnet->dhcp;
	char address[IP_ADDRESS_TEXT_SIZE];
	const char *key = subnet_is_relayed(subnet, true) ? said_by_server(dhcp) : NULL;

	for (size_t i = 0; i < dhcp->relay_count; i++)
		if (!can_be_server(&dhcp->relays[i]))
			return draft_refuse(draft, &subnet->object, "dhcp.relay", EINVAL, error,
					    "%s is not the address of a DHCP server",
					    ip_address_format(&dhcp->relays[i], address));
	if (key)
		return draft_refuse(draft, &subnet->object, "dhcp", EINVAL, error,
				    "with dhcp.relay the server there says what goes with an "
				    "address; leave out dhcp.%s",
				    key);
	if (subnet_is_relayed(subnet, false) && (!subnet->ra || subnet->ra->mode == RA_SLAAC))
		return draft_refuse(draft, &subnet->object, "dhcp.relay", EINVAL, error,
				    "DHCPv6 is relayed where ra is managed or stateless, or nobody "
				    "asks");
	if (subnet_is_relayed(subnet, true) && !subnet->cidrs[0].length)
		return draft_refuse(draft, &subnet->object, "dhcp.relay", EINVAL, error,
				    "DHCPv4 is relayed for IPv4 addresses, and the subnet has no "
				    "IPv4 range");
	return 0;
}

/* A subnet without IPv4: what it says is for DHCPv6. */
static int check_dhcp6(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	const char *key = said_of_ipv4(subnet->dhcp);

	if (!subnet->ra || subnet->ra->mode == RA_SLAAC)
		return draft_refuse(draft, &subnet->object, "dhcp", EINVAL, error,
				    "dhcp gives IPv4 addresses, and the subnet has no IPv4 range; "
				    "for IPv6 there is ra: managed");
	if (key)
		return draft_refuse(draft, &subnet->object, "dhcp", EINVAL, error,
				    "dhcp.%s is of IPv4, and the subnet has no IPv4 range", key);
	return 0;
}

int check_dhcp(struct draft *draft, const struct subnet_object *subnet, struct error *error)
{
	static const struct ip_address none;
	const struct subnet_ra *ra = subnet->ra;
	int code;

	if (subnet->dhcp && !subnet->cidrs[0].length && !subnet->dhcp->relay_count) {
		code = check_dhcp6(draft, subnet, error);
		if (code)
			return code;
	}
	if (ra && !subnet->cidrs[1].length)
		return draft_refuse(draft, &subnet->object, "ra", EINVAL, error,
				    "ra gives IPv6 addresses, and the subnet has no IPv6 range");
	if (ra && ip_address_equal(&subnet->gateways[1], &none))
		return draft_refuse(draft, &subnet->object, "ra", EINVAL, error,
				    "router advertisements are sent by the gateway, and the subnet "
				    "has none for IPv6; name one");
	if (ra && ra->any_identifier && ra->mode == RA_MANAGED)
		return draft_refuse(draft, &subnet->object, "ra.identifiers", EINVAL, error,
				    "with ra: managed hosts make no addresses themselves");
	if (!subnet->dhcp)
		return 0;
	code = check_relay(draft, subnet, error);
	return code ? code : check_dhcp_routes(draft, subnet, error);
}
