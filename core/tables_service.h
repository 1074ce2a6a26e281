/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of the host's services, DNS and metadata; a part of tables.h, which includes it.
 *
 * Neighbours: service.c (who reads them), model/plan_services.c (who writes them).
 */
#ifndef WEFT_CORE_TABLES_SERVICE_H
#define WEFT_CORE_TABLES_SERVICE_H

enum service_kind {
	SERVICE_RESOLVER = 1 << 0, /* TCP and UDP port 53 */
	SERVICE_METADATA = 1 << 1, /* TCP port 80 */
	SERVICE_DHCP = 1 << 2,     /* only that somebody answers ARP: punt.c takes the questions */
};

struct service_key {
	__u32 vpc_id;
	struct address address; /* as workloads know it: 169.254.169.253, base+2, ... */
};

struct service {
	__u32 kinds; /* enum service_kind that are served there */
	__u32 pad;
};

/*
 * What the service sees as its client: an alias, which says by its number which port asks. Nobody but the
 * pipeline can make one, for no packet of a workload comes there with its own source.
 */
struct service_client_key {
	struct address alias;
	__be16 port;         /* of the workload */
	__be16 service_port; /* 53 or 80 */
	__u8 protocol;
	__u8 pad[3];
};

/* The same as the workload sees it, for the way back. Least recently used rows go. */
struct service_client {
	struct address address; /* of the workload */
	struct address service; /* that it asked */
	__u32 port_id;
	__u8 mac[6]; /* of the frame that asked */
	__u16 pad;
};

/*
 * Aliases: of IPv4 clients 128.0.0.0/2, 18 bits of the port's slot and 12 of a hash; of IPv6 clients
 * fd57:6566:7400::/64, slot and hash in 32 bits each. core/service.c makes them.
 */
#define SERVICE_ALIAS4 0x80000000u
#define SERVICE_ALIAS4_HASH_BITS 12
#define SERVICE_ALIAS6_0 0xfd576566u
#define SERVICE_ALIAS6_1 0x74000000u

#endif
