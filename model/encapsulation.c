/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kinds of encapsulation as one table, and the choice between them.
 *
 * The choice must come out the same on both hosts, each by itself: nothing in it depends on which
 * of the two is asked. Neighbours: encapsulation.h (contracts).
 */
#include "model/encapsulation.h"

#include <string.h>

#include "base/alloc.h"

#define IPV4_HEADER 20
#define IPV6_HEADER 40
#define ETHERNET_HEADER 14
#define GRE_OPTION 4 /* key, checksum, sequence number: each */
#define ERSPAN_HEADER 8
#define ERSPAN3_MORE 4
#define NVGRE_ID_FIRST 0x1000
#define NVGRE_ID_LAST 0xfffffe
#define ID_24_LAST 0xffffff

static const struct {
	const char *name;
	uint16_t port;   /* UDP */
	uint16_t header; /* between the outer IP header and what is carried */
	bool ethernet, id;
} kinds[TUNNEL_KINDS] = {
	[TUNNEL_NONE] = { "none", 0, 0, false, false },
	[TUNNEL_VXLAN] = { "vxlan", 4789, 16, true, true },
	[TUNNEL_GENEVE] = { "geneve", 6081, 16, true, true },
	[TUNNEL_NVGRE] = { "nvgre", 0, 8, true, true },
	[TUNNEL_GRE] = { "gre", 0, 4, false, true },
	[TUNNEL_GRETAP] = { "gretap", 0, 4, true, true },
	[TUNNEL_IPIP] = { "ipip", 0, 0, false, false },
	[TUNNEL_SIT] = { "sit", 0, 0, false, false },
	[TUNNEL_FOU] = { "fou", 5555, 8, false, false },
	[TUNNEL_GUE] = { "gue", 6080, 12, false, false },
};

_Static_assert(HOST_ENCAPSULATIONS_MAX == TUNNEL_KINDS - 1, "a host may offer every kind");

/* ---- one kind ---- */

const char *encapsulation_name(uint8_t kind)
{
	return kind < TUNNEL_KINDS ? kinds[kind].name : "none";
}

const char *tunnel_type_name(const struct tunnel_object *tunnel)
{
	if (tunnel->erspan)
		return tunnel->erspan == 3 ? "erspan3" : "erspan";
	return encapsulation_name(tunnel->encapsulation);
}

uint8_t encapsulation_from_name(const char *name)
{
	for (int kind = TUNNEL_NONE + 1; kind < TUNNEL_KINDS; kind++)
		if (strcmp(name, kinds[kind].name) == 0)
			return (uint8_t)kind;
	return TUNNEL_NONE;
}

bool encapsulation_has_ethernet(uint8_t kind)
{
	return kinds[kind].ethernet;
}

bool encapsulation_has_id(uint8_t kind)
{
	return kinds[kind].id;
}

uint16_t encapsulation_port(uint8_t kind)
{
	return kinds[kind].port;
}

bool encapsulation_id_fits(uint8_t kind, uint32_t id)
{
	switch (kind) {
	case TUNNEL_VXLAN:
	case TUNNEL_GENEVE: return id <= ID_24_LAST;
	case TUNNEL_NVGRE: return id >= NVGRE_ID_FIRST && id <= NVGRE_ID_LAST;
	default: return true;
	}
}

uint32_t encapsulation_overhead(uint8_t kind, bool ipv6, uint32_t flags)
{
	uint32_t overhead = ipv6 ? IPV6_HEADER : IPV4_HEADER;

	overhead += kinds[kind].header;
	if (kinds[kind].ethernet)
		overhead += ETHERNET_HEADER;
	if (kind == TUNNEL_GRE || kind == TUNNEL_GRETAP) {
		overhead += flags & TUNNEL_KEY ? GRE_OPTION : 0;
		overhead += flags & TUNNEL_CHECKSUM ? GRE_OPTION : 0;
		overhead += flags & TUNNEL_SEQUENCE ? GRE_OPTION : 0;
		overhead += flags & TUNNEL_ERSPAN ? ERSPAN_HEADER : 0;
		overhead += flags & TUNNEL_ERSPAN3 ? ERSPAN3_MORE : 0;
	}
	return overhead;
}

/* ---- a segment ---- */

uint32_t segment_flags(const struct segment *segment, uint8_t kind, bool ipv6)
{
	uint32_t flags = segment->copy_dscp ? TUNNEL_COPY_DSCP : 0;

	if (kind == TUNNEL_GRE || kind == TUNNEL_GRETAP)
		flags |= TUNNEL_KEY;
	/* Hosts of Weft do without (RFC 6936); what else is in a group's segment expects it. */
	if (kinds[kind].port &&
	    (segment->udp_checksum == CHECKSUM_ON ||
	     (segment->udp_checksum == CHECKSUM_USUAL && ipv6 && segment->vteps.length)))
		flags |= TUNNEL_CHECKSUM | (ipv6 ? TUNNEL_CHECKSUM6 : 0);
	return flags;
}

bool tunnel_has_checksum(const struct tunnel_object *tunnel)
{
	if (tunnel->checksum == CHECKSUM_USUAL)
		return kinds[tunnel->encapsulation].port && !ip_address_is_ipv4(&tunnel->remote);
	return tunnel->checksum == CHECKSUM_ON;
}

uint16_t segment_port(const struct segment *segment, uint8_t kind)
{
	return segment->port && segment->encapsulation == kind ? segment->port : kinds[kind].port;
}

bool subnet_may_travel(const struct subnet_object *subnet, uint8_t kind)
{
	const struct segment *segment = &subnet->segment;

	if (kind == TUNNEL_NONE || !encapsulation_id_fits(kind, segment->id))
		return false;
	if (subnet->mode == SUBNET_MODE_L2 && !kinds[kind].ethernet)
		return false;
	/* SIT has no IPv4 inside, and no IPv6 outside. */
	return kind != TUNNEL_SIT ||
	       (!subnet->cidrs[0].length && segment->underlay != UNDERLAY_IPV6);
}

bool host_offers(const struct host_object *host, uint8_t kind)
{
	for (size_t i = 0; i < host->encapsulation_count; i++)
		if (host->encapsulations[i] == kind)
			return true;
	return false;
}

const struct ip_address *host_address(const struct host_object *host, const struct segment *segment,
				      int family)
{
	if ((segment->underlay == UNDERLAY_IPV4 && family) ||
	    (segment->underlay == UNDERLAY_IPV6 && !family))
		return NULL;
	for (size_t i = 0; i < host->address_count; i++) {
		const struct ip_address *address = &host->addresses[i].address;

		if (ip_address_is_ipv4(address) != !family)
			continue;
		if (segment->underlay != UNDERLAY_PREFIX ||
		    ip_prefix_contains(&segment->underlay_prefix, address))
			return address;
	}
	return NULL;
}

/* ---- the choice ---- */

static uint8_t peer_choice(const struct host_object *host, const struct host_object *other)
{
	for (size_t i = 0; i < host->peer_count; i++)
		if (host->peers[i].host_id == other->object.id)
			return host->peers[i].encapsulation;
	return TUNNEL_NONE;
}

static uint8_t choose_kind(const struct subnet_object *subnet, const struct host_object *low,
			   const struct host_object *high, bool ipv6)
{
	uint8_t kind = peer_choice(low, high);

	if (!kind)
		kind = peer_choice(high, low);
	if (kind && kinds[kind].id && subnet_may_travel(subnet, kind))
		return kind;
	kind = subnet->segment.encapsulation;
	/* SIT is IPv6 in IPv4. */
	if (host_offers(low, kind) && host_offers(high, kind) && subnet_may_travel(subnet, kind) &&
	    !(ipv6 && kind == TUNNEL_SIT))
		return kind;
	for (size_t i = 0; i < low->encapsulation_count; i++) {
		kind = low->encapsulations[i];
		if (kinds[kind].id && host_offers(high, kind) && subnet_may_travel(subnet, kind))
			return kind;
	}
	return TUNNEL_NONE;
}

struct carrier carrier_choose(const struct subnet_object *subnet, const struct host_object *from,
			      const struct host_object *to)
{
	const struct segment *segment = &subnet->segment;
	struct carrier carrier = { .kind = TUNNEL_NONE };
	bool from_low = from->object.id < to->object.id;

	if (segment->type != SEGMENT_OVERLAY)
		return carrier;
	for (int family = 0; family < 2; family++) {
		const struct ip_address *local = host_address(from, segment, family);
		const struct ip_address *remote = host_address(to, segment, family);

		if (!local || !remote)
			continue;
		carrier.local = *local;
		carrier.remote = *remote;
		carrier.ipv6 = family != 0;
		carrier.kind = choose_kind(subnet, from_low ? from : to, from_low ? to : from,
					   carrier.ipv6);
		break;
	}
	return carrier;
}
