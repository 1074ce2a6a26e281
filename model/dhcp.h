/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a subnet tells its workloads by DHCP and by router advertisements.
 *
 * The addresses themselves are the ports' own: a lease is what the control plane gave. What is here are
 * the options that go with it. Both structs are flat, zero where nothing was said, and owned by their
 * subnet_object; a subnet that does not serve has none.
 *
 * Neighbours: text_dhcp.c (JSON), check_dhcp.c (judgement), agent/services/dhcp*.c and agent/services/ra.c (who serve).
 */
#ifndef WEFT_MODEL_DHCP_H
#define WEFT_MODEL_DHCP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

#define DHCP_SERVERS_MAX 8
#define DHCP_RELAYS_MAX 4
#define DHCP_SEARCH_MAX 6
#define DHCP_SEARCH_SIZE 512 /* of all: they fit into a message of DHCPv6 and an advertisement */
#define DHCP_ROUTES_MAX 32
#define DHCP_OPTIONS_SIZE 512
#define DHCP_LEASE_DEFAULT 3600
#define DHCP_LEASE_FOREVER UINT32_MAX
#define DOMAIN_SIZE 254 /* 253 characters and the NUL */
#define DHCP_FILE_SIZE 128

struct dhcp_route {
	struct ip_prefix to;
	struct ip_address via;
};

struct subnet_dhcp {
	uint32_t lease;     /* seconds */
	bool routers_named; /* otherwise the gateway is the only one */
	size_t router_count;
	struct ip_address routers[DHCP_SERVERS_MAX];
	size_t dns_count;
	struct ip_address dns[DHCP_SERVERS_MAX]; /* of both families */
	size_t ntp_count;
	struct ip_address ntp[DHCP_SERVERS_MAX]; /* of both families */
	char domain[DOMAIN_SIZE];
	size_t search_count;
	char search[DHCP_SEARCH_MAX][DOMAIN_SIZE];
	size_t route_count;
	struct dhcp_route routes[DHCP_ROUTES_MAX];
	struct ip_address next_server; /* zero: none */
	char tftp_server[DHCP_FILE_SIZE];
	char boot_file[DHCP_FILE_SIZE];
	/* Arbitrary ones, ascending by number: number, size, bytes of each. */
	size_t options_size;
	uint8_t options[DHCP_OPTIONS_SIZE];
	/* Outside servers of both families; of a family that has one Weft answers nothing itself. */
	size_t relay_count;
	struct ip_address relays[DHCP_RELAYS_MAX];
};

/* How hosts get IPv6 addresses; what the flags of router advertisements say. */
enum ra_mode {
	RA_SLAAC,     /* A: they make one of their MAC, and it is the port's */
	RA_STATELESS, /* A and O: and ask DHCPv6 for the rest */
	RA_MANAGED,   /* M and O: DHCPv6 gives the port's address */
};

#define RA_LIFETIME_DEFAULT 1800 /* seconds */
#define RA_INTERVAL_DEFAULT 600

struct subnet_ra {
	enum ra_mode mode;
	bool any_identifier; /* hosts pick the rest of the address (RFC 7217, 8981) and prove it */
	uint32_t lifetime;   /* of the default route, seconds; 0: no default router */
	uint32_t interval;   /* seconds between unsolicited ones, at most */
	bool dns_named;      /* otherwise the IPv6 ones of DHCP */
	size_t dns_count;
	struct ip_address dns[DHCP_SERVERS_MAX];
	bool search_named; /* otherwise that of DHCP */
	size_t search_count;
	char search[DHCP_SEARCH_MAX][DOMAIN_SIZE];
};

bool subnet_dhcp_equal(const struct subnet_dhcp *a, const struct subnet_dhcp *b); /* NULL allowed */
bool subnet_ra_equal(const struct subnet_ra *a, const struct subnet_ra *b);       /* likewise */

#define RA_PROVEN_MAX 12 /* addresses that a port has by its own choice, besides its first */

struct subnet_object;

/**
 * subnet_slaac_address - the address that a port's workload makes by SLAAC, which is the port's besides those
 *	it was given
 *
 * Return: false where its subnet has no SLAAC.
 */
bool subnet_slaac_address(const struct subnet_object *subnet, const struct mac_address *mac,
			  struct ip_address *address);

/**
 * subnet_dhcp_server - the address that the DHCP server of a subnet has: its gateway's, or without one the
 *	third of the range, which is nobody's (V16)
 */
struct ip_address subnet_dhcp_server(const struct subnet_object *subnet);

/** subnet_is_relayed - whether questions of this family go to an outside server */
bool subnet_is_relayed(const struct subnet_object *subnet, bool ipv4);

/** subnet_relays_to - whether the subnet's questions go to this server */
bool subnet_relays_to(const struct subnet_object *subnet, const struct ip_address *server);

#endif
