/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is known of each way to carry packets between hosts: its name, what it can carry, what it
 * costs; and which one two hosts use for a subnet.
 *
 * Neighbours: core/tables.h (enum tunnel_kind), mtu.c, check_segment.c, plan_tunnel.c.
 */
#ifndef WEFT_MODEL_ENCAPSULATION_H
#define WEFT_MODEL_ENCAPSULATION_H

#include "core/tables.h"
#include "model/object.h"

/** encapsulation_name - "vxlan"; the word of weft.yaml */
const char *encapsulation_name(uint8_t kind);

/** tunnel_type_name - the same of a tunnel object, which may be "erspan" or "erspan3" as well */
const char *tunnel_type_name(const struct tunnel_object *tunnel);

/** encapsulation_from_name - Return: the kind, TUNNEL_NONE when there is none of that name */
uint8_t encapsulation_from_name(const char *name);

/** encapsulation_has_ethernet - whether whole frames travel in it; the others carry IP */
bool encapsulation_has_ethernet(uint8_t kind);

/** encapsulation_has_id - whether its header has room for an id, so that segments may share it */
bool encapsulation_has_id(uint8_t kind);

/** encapsulation_port - Return: its usual UDP port, host order; 0: it is not carried by UDP */
uint16_t encapsulation_port(uint8_t kind);

/** encapsulation_id_fits - whether the kind may carry this id: VSIDs of NVGRE begin at 4096 */
bool encapsulation_id_fits(uint8_t kind, uint32_t id);

/**
 * encapsulation_overhead - bytes of a packet of the underlay that are not the tenant's IP packet
 * @ipv6: of the underlay
 * @flags: enum tunnel_flags; key, checksum and sequence number count for GRE
 */
uint32_t encapsulation_overhead(uint8_t kind, bool ipv6, uint32_t flags);

/** segment_flags - enum tunnel_flags of a segment that travels in @kind */
uint32_t segment_flags(const struct segment *segment, uint8_t kind, bool ipv6);

/** tunnel_has_checksum - whether packets of a tunnel object carry one, of GRE or UDP */
bool tunnel_has_checksum(const struct tunnel_object *tunnel);

/** segment_port - UDP port, host order, of a segment that travels in @kind; 0: none */
uint16_t segment_port(const struct segment *segment, uint8_t kind);

/** subnet_may_travel - whether a subnet with all its packets can be carried in @kind */
bool subnet_may_travel(const struct subnet_object *subnet, uint8_t kind);

/** host_offers - whether a host is ready to use @kind */
bool host_offers(const struct host_object *host, uint8_t kind);

/**
 * host_address - the address of a host that carries a segment
 * @family: 0 IPv4, 1 IPv6
 *
 * Return: the first one that the segment's `underlay` allows; NULL when there is none.
 */
const struct ip_address *host_address(const struct host_object *host, const struct segment *segment,
				      int family);

/** struct carrier - how a subnet travels between two hosts */
struct carrier {
	uint8_t kind; /* TUNNEL_NONE: not at all */
	bool ipv6;    /* the underlay */
	struct ip_address local, remote;
};

/**
 * carrier_choose - how a subnet travels from @from to @to
 *
 * The same for both directions: what the hosts say of one another goes before what the subnet says
 * (where both entries are there, that of the host with the lower id), and that before the list of
 * the host with the lower id. A kind that cannot carry the subnet is passed over, and in the first
 * and the last case one without an id as well, for it has room for one segment only.
 */
struct carrier carrier_choose(const struct subnet_object *subnet, const struct host_object *from,
			      const struct host_object *to);

#endif
