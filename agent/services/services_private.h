/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What services.c, dns_server.c and metadata.c share. Nobody else includes it.
 */
#ifndef WEFT_AGENT_SERVICES_PRIVATE_H
#define WEFT_AGENT_SERVICES_PRIVATE_H

#include "agent/services/services.h"
#include "base/netlink.h"

struct dns_server;
struct metadata;

#define SERVICE_FAMILIES 2 /* IPv4 and IPv6; without IPv6 in the kernel its sockets are -1 */

struct services {
	struct services_options options;
	struct services_counts counts;
	char device[LINK_NAME_SIZE];
	uint32_t ifindex; /* of the end on the host */
	int dns_udp[SERVICE_FAMILIES];
	int dns_tcp[SERVICE_FAMILIES];
	int metadata_tcp[SERVICE_FAMILIES]; /* -1 once the server has it */
	struct dns_server *dns;
	struct metadata *metadata;
	struct loop_timer check;
};

/**
 * dns_server_open - serve on the sockets of @services
 *
 * Return: 0 or negative errno.
 */
int dns_server_open(struct services *services, struct dns_server **server, struct error *error);

/** dns_server_close - end all connections; the sockets stay open (NULL is ignored) */
void dns_server_close(struct dns_server *server);

/** dns_server_forwards - what was asked of others */
const struct dns_forwards_counts *dns_server_forwards(const struct dns_server *server);

/** dns_server_cache - of what is kept of their answers */
const struct dns_cache_counts *dns_server_cache(const struct dns_server *server);

/** metadata_open - serve on the sockets of @services; *@metadata is set in any case */
int metadata_open(struct services *services, struct metadata **metadata, struct error *error);

/** metadata_close - end all connections (NULL is ignored) */
void metadata_close(struct metadata *metadata);

#endif
