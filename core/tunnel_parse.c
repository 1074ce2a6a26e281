/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel_parse: an outer packet from the underlay. Is it Weft's, is its header sound, and may this end
 * send this segment to this host?
 *
 * The questions are asked in the order that is cheap for what is good: the port or protocol, the header,
 * then one look-up of (source, destination, port, kind, id). Only what fails there is asked whether it
 * was for this host's tunnel end at all: the host has other traffic, which its own stack gets untouched
 * (VERDICT_NOT_OURS). Nothing is changed here.
 *
 * Later fragments of UDP cannot be told from the host's own and go to its stack, where they wait in vain
 * for the first one, which is dropped here.
 *
 * Next: tunnel_pop.c.
 */
#include "core/checksum.h"
#include "core/ip.h"
#include "core/tunnel.h"

#define OUTER_EXTENSIONS_MAX 4
#define IPV4_OPTION_WORDS_MAX 10
#define GENEVE_OPTIONS_MAX 63

/* Where the reading stands. */
struct cursor {
	__u32 offset;
	__u32 end;     /* of the outer packet, as its IP header says */
	__u32 problem; /* verdict, should the packet be Weft's */
	__u8 protocol;
	__u8 later; /* a fragment without a transport header */
};

/* ---- outer IP ---- */

static __always_inline int outer_ipv4(struct frame *f, struct packet *p, struct cursor *c)
{
	struct ipv4_header *ip = frame_header(f, ETHERNET_SIZE, sizeof(*ip));
	__u32 sum, header_size;
	__be32 *word;

	if (!ip || (ip->version_length >> 4) != 4)
		return VERDICT_NOT_OURS;
	header_size = (ip->version_length & 15) * 4;
	p->outer_length = host16(ip->length);
	p->outer_service = ip->service;
	p->outer_ttl = ip->ttl;
	p->outer_source.word[0] = p->outer_source.word[1] = 0;
	p->outer_destination.word[0] = p->outer_destination.word[1] = 0;
	p->outer_source.word[2] = p->outer_destination.word[2] = IPV4_MAPPED;
	p->outer_source.word[3] = ip->source;
	p->outer_destination.word[3] = ip->destination;
	c->protocol = ip->protocol;
	c->later = (ip->fragment & be16(0x1fff)) != 0;
	if (header_size < sizeof(*ip) || p->outer_length < header_size)
		return VERDICT_NOT_OURS;
	sum = checksum_add(0, ip, sizeof(*ip));
	if (ip->fragment & be16(0x3fff))
		c->problem = VERDICT_OUTER_FRAGMENT;
	for (__u32 i = 0; i < IPV4_OPTION_WORDS_MAX; i++) {
		if (sizeof(*ip) + i * 4 >= header_size)
			break;
		word = frame_header(f, ETHERNET_SIZE + sizeof(*ip) + i * 4, 4);
		if (!word)
			return VERDICT_NOT_OURS;
		sum += (*word & 0xffff) + (*word >> 16);
	}
	if (checksum_fold(sum) != 0xffff)
		c->problem = VERDICT_OUTER_CHECKSUM;
	c->offset = ETHERNET_SIZE + header_size;
	return VERDICT_NEXT;
}

static __always_inline int outer_ipv6(struct frame *f, struct packet *p, struct cursor *c)
{
	struct ipv6_header *ip = frame_header(f, ETHERNET_SIZE, sizeof(*ip));
	__u8 *header;

	if (!ip || (ip->version_class_label & be32(0xf0000000)) != be32(0x60000000))
		return VERDICT_NOT_OURS;
	p->outer_length = sizeof(*ip) + host16(ip->payload_length);
	p->outer_service = (__u8)(host32(ip->version_class_label) >> 20);
	p->outer_ttl = ip->hop_limit;
	p->outer_source = ip->source;
	p->outer_destination = ip->destination;
	c->protocol = ip->next;
	c->offset = ETHERNET_SIZE + sizeof(*ip);
	for (int i = 0; i < OUTER_EXTENSIONS_MAX; i++) {
		__u8 type = c->protocol;

		if (type != PROTOCOL_HOP_BY_HOP && type != PROTOCOL_ROUTING &&
		    type != PROTOCOL_FRAGMENT && type != PROTOCOL_DESTINATION_OPTIONS)
			break;
		header = frame_header(f, c->offset, 8);
		if (!header)
			return VERDICT_NOT_OURS;
		c->protocol = header[0];
		c->offset += 8;
		if (type == PROTOCOL_FRAGMENT) {
			c->problem = VERDICT_OUTER_FRAGMENT;
			c->later = (*(__be16 *)(header + 2) & be16(0xfff8)) != 0;
			break;
		}
		c->offset += (__u32)header[1] * 8;
	}
	return VERDICT_NEXT;
}

/* ---- whose is it ---- */

#define KINDS_GRE (1u << TUNNEL_GRE | 1u << TUNNEL_GRETAP | 1u << TUNNEL_NVGRE)
#define KINDS_PROTOCOL_41 (1u << TUNNEL_IPIP | 1u << TUNNEL_SIT)

/* Is it for a tunnel end of this host, which has one of these kinds? kinds 0: whichever. */
static __always_inline int is_local_end(const struct packet *p, __u32 kinds)
{
	struct vtep_key key = { .address = p->outer_destination };
	struct vtep *vtep = table_lookup(vteps, &key);

	return vtep && (vtep->flags & VTEP_LOCAL) && (!kinds || (vtep->kinds & kinds));
}

/* The kinds that a packet of this form may be, of those that no UDP port tells. */
static __always_inline __u32 kinds_of(const struct packet *p)
{
	switch (p->outer_kind) {
	case TUNNEL_NVGRE:
	case TUNNEL_GRETAP: return 1u << TUNNEL_NVGRE | 1u << TUNNEL_GRETAP;
	case TUNNEL_GRE: return 1u << TUNNEL_GRE;
	case TUNNEL_SIT: return KINDS_PROTOCOL_41;
	case TUNNEL_IPIP: return 1u << TUNNEL_IPIP;
	default: return 0;
	}
}

/* ---- the headers of each kind, from c->offset on ---- */

static __always_inline int header_vxlan(struct frame *f, struct packet *p, struct cursor *c)
{
	__u8 *header = frame_header(f, c->offset, 8);

	if (!header || c->offset + 8 > c->end)
		return VERDICT_OUTER_TRUNCATED;
	if (!(header[0] & VXLAN_ID_VALID))
		return VERDICT_TUNNEL_FLAGS;
	if ((header[0] & ~VXLAN_ID_VALID) | header[1] | header[2] | header[3] | header[7])
		p->outer_marks |= OUTER_RESERVED;
	p->segment = (__u32)header[4] << 16 | (__u32)header[5] << 8 | header[6];
	c->offset += 8;
	return VERDICT_NEXT;
}

struct geneve_options {
	struct frame *f;
	__u32 offset;
	__u32 end;
	__u32 verdict;
	__u32 reserved;
};

/* One option; 1 at the end. None is known here: a critical one is refused, others are passed over. */
static long geneve_option(__u64 index, void *argument)
{
	struct geneve_options *context = argument;
	__u8 *option;

	(void)index;
	if (context->offset >= context->end)
		return 1;
	option = frame_header(context->f, context->offset, 4);
	if (!option) {
		context->verdict = VERDICT_OUTER_TRUNCATED;
		return 1;
	}
	if (option[2] & 0x80) {
		context->verdict = VERDICT_TUNNEL_OPTION;
		return 1;
	}
	context->reserved |= option[3] & 0xe0;
	context->offset += 4 + (option[3] & 0x1f) * 4u;
	return 0;
}

static __always_inline int header_geneve(struct frame *f, struct packet *p, struct cursor *c)
{
	__u8 *header = frame_header(f, c->offset, 8);
	struct geneve_options options = { .f = f };
	__be16 type;

	if (!header || c->offset + 8 > c->end)
		return VERDICT_OUTER_TRUNCATED;
	if (header[0] >> 6)
		return VERDICT_TUNNEL_VERSION;
	if (header[1] & GENEVE_CONTROL)
		return VERDICT_TUNNEL_CONTROL;
	if ((header[1] & 0x3f) | header[7])
		p->outer_marks |= OUTER_RESERVED;
	type = *(__be16 *)(header + 2);
	p->segment = (__u32)header[4] << 16 | (__u32)header[5] << 8 | header[6];
	c->offset += 8;
	options.offset = c->offset;
	options.end = c->offset + (header[0] & 0x3f) * 4u;
	if (options.end > c->end)
		return VERDICT_OUTER_TRUNCATED;
	if (options.offset != options.end) {
		c->offset = options.end;
		loop_over(GENEVE_OPTIONS_MAX, geneve_option, &options);
		if (options.verdict)
			return (int)options.verdict;
		if (options.offset != c->offset)
			return VERDICT_TUNNEL_LENGTH;
		if (options.reserved)
			p->outer_marks |= OUTER_RESERVED;
	}
	if (type != be16(ETHERTYPE_TEB) && type != be16(ETHERTYPE_IPV4) &&
	    type != be16(ETHERTYPE_IPV6))
		return VERDICT_TUNNEL_PAYLOAD;
	p->inner_ethertype = type == be16(ETHERTYPE_TEB) ? 0 : type;
	return VERDICT_NEXT;
}

/* IP straight behind the header: its first nibble says which. */
static __always_inline int payload_by_nibble(struct frame *f, struct packet *p, struct cursor *c)
{
	__u8 *payload = frame_header(f, c->offset, 1);

	if (!payload || c->offset >= c->end)
		return VERDICT_OUTER_TRUNCATED;
	if ((*payload >> 4) == 4)
		p->inner_ethertype = be16(ETHERTYPE_IPV4);
	else if ((*payload >> 4) == 6)
		p->inner_ethertype = be16(ETHERTYPE_IPV6);
	else
		return VERDICT_TUNNEL_PAYLOAD;
	return VERDICT_NEXT;
}

static __always_inline int header_gue(struct frame *f, struct packet *p, struct cursor *c)
{
	__u8 *header = frame_header(f, c->offset, 4);

	if (!header || c->offset + 4 > c->end)
		return VERDICT_OUTER_TRUNCATED;
	if (header[0] & 0x80)
		return VERDICT_TUNNEL_VERSION;
	if (header[0] & 0x40)
		return payload_by_nibble(f, p, c); /* variant 1: no header */
	if (header[0] & GUE_CONTROL)
		return VERDICT_TUNNEL_CONTROL;
	/* Each flag stands for fields of its own length, and none is known. */
	if (header[2] | header[3])
		return VERDICT_TUNNEL_FLAGS;
	if (header[1] == PROTOCOL_IPV4)
		p->inner_ethertype = be16(ETHERTYPE_IPV4);
	else if (header[1] == PROTOCOL_IPV6)
		p->inner_ethertype = be16(ETHERTYPE_IPV6);
	else
		return VERDICT_TUNNEL_PAYLOAD;
	c->offset += 4 + (header[0] & 0x1f) * 4u;
	return c->offset > c->end ? VERDICT_TUNNEL_LENGTH : VERDICT_NEXT;
}

static __always_inline int header_udp(struct frame *f, struct packet *p, struct cursor *c)
{
	__u8 *header = frame_header(f, c->offset, UDP_SIZE);
	struct tunnel_port_key key = {};
	struct tunnel_port *port;
	__u32 length;

	if (!header || c->later)
		return VERDICT_NOT_OURS;
	p->outer_port = *(__be16 *)(header + 2);
	length = host16(*(__be16 *)(header + 4));
	if (*(__be16 *)(header + 6))
		p->outer_marks |= OUTER_SUMMED;
	else if (!address_is_ipv4(&p->outer_destination))
		p->outer_marks |= OUTER_NO_CHECKSUM;
	key.port = p->outer_port;
	port = table_lookup(tunnel_ports, &key);
	if (!port)
		return VERDICT_NOT_OURS;
	p->outer_kind = (__u8)port->kind;
	if (c->problem)
		return (int)c->problem;
	if (length < UDP_SIZE || c->offset + length > c->end)
		return VERDICT_OUTER_TRUNCATED;
	if (c->offset + length != c->end)
		return VERDICT_TUNNEL_LENGTH;
	p->outer_checksum_offset = (__u16)c->offset;
	c->offset += UDP_SIZE;
	switch (port->kind) {
	case TUNNEL_VXLAN: return header_vxlan(f, p, c);
	case TUNNEL_GENEVE: return header_geneve(f, p, c);
	case TUNNEL_FOU: return payload_by_nibble(f, p, c);
	case TUNNEL_GUE: return header_gue(f, p, c);
	default: return VERDICT_NOT_OURS;
	}
}

static __always_inline int header_gre(struct frame *f, struct packet *p, struct cursor *c)
{
	__u8 *header = frame_header(f, c->offset, 4);
	__u16 flags;
	__be16 type;
	__be32 *word;

	p->outer_kind = TUNNEL_GRE;
	if (!is_local_end(p, KINDS_GRE))
		return VERDICT_NOT_OURS;
	if (c->problem)
		return (int)c->problem;
	if (!header || c->offset + 4 > c->end)
		return VERDICT_OUTER_TRUNCATED;
	flags = host16(*(__be16 *)header);
	type = *(__be16 *)(header + 2);
	if (flags & GRE_VERSION)
		return VERDICT_TUNNEL_VERSION;
	if (flags & GRE_UNKNOWN)
		return VERDICT_TUNNEL_FLAGS;
	if (flags & GRE_RESERVED)
		p->outer_marks |= OUTER_RESERVED;
	p->outer_checksum_offset = (__u16)c->offset;
	c->offset += 4;
	if (flags & GRE_CHECKSUM) {
		p->outer_marks |= OUTER_SUMMED;
		c->offset += 4;
	}
	if (flags & GRE_KEY) {
		word = frame_header(f, c->offset, 4);
		c->offset += 4;
		if (!word || c->offset > c->end)
			return VERDICT_TUNNEL_LENGTH;
		p->segment = host32(*word);
		p->outer_has_id = 1;
	}
	if (flags & GRE_SEQUENCE) {
		word = frame_header(f, c->offset, 4);
		c->offset += 4;
		if (!word || c->offset > c->end)
			return VERDICT_TUNNEL_LENGTH;
		p->sequence = host32(*word);
		p->outer_marks |= OUTER_SEQUENCED;
	}
	if (c->offset > c->end)
		return VERDICT_TUNNEL_LENGTH;
	if (type == be16(ETHERTYPE_TEB)) {
		p->outer_kind = TUNNEL_GRETAP;
		if ((flags & (GRE_CHECKSUM | GRE_KEY | GRE_SEQUENCE)) == GRE_KEY)
			p->outer_marks |= OUTER_NVGRE_FORM;
		return VERDICT_NEXT;
	}
	if (type != be16(ETHERTYPE_IPV4) && type != be16(ETHERTYPE_IPV6))
		return VERDICT_TUNNEL_PAYLOAD;
	p->inner_ethertype = type;
	return VERDICT_NEXT;
}

/* IP in IP: there is no header between, so the version is all that can be checked. */
static __always_inline int header_none(struct frame *f, struct packet *p, struct cursor *c)
{
	int ipv4 = c->protocol == PROTOCOL_IPV4;
	__u8 *payload = frame_header(f, c->offset, 1);

	p->outer_kind = !ipv4 && address_is_ipv4(&p->outer_source) ? TUNNEL_SIT : TUNNEL_IPIP;
	p->inner_ethertype = be16(ipv4 ? ETHERTYPE_IPV4 : ETHERTYPE_IPV6);
	if (!is_local_end(p, kinds_of(p)))
		return VERDICT_NOT_OURS;
	if (c->problem)
		return (int)c->problem;
	if (!payload || c->offset >= c->end)
		return VERDICT_OUTER_TRUNCATED;
	return (*payload >> 4) == (ipv4 ? 4 : 6) ? VERDICT_NEXT : VERDICT_TUNNEL_VERSION;
}

/* What the tunnel carries begins at c->offset: is there enough of it to be taken out? */
static __always_inline int payload(struct frame *f, struct packet *p, struct cursor *c)
{
	__be16 type = p->inner_ethertype;
	__u8 *header;
	__u32 least;

	if (!type) {
		header = frame_header(f, c->offset, ETHERNET_SIZE);
		c->offset += ETHERNET_SIZE;
		if (!header || c->offset > c->end)
			return VERDICT_OUTER_TRUNCATED;
		type = *(__be16 *)(header + 12);
	}
	least = type == be16(ETHERTYPE_IPV4)   ? IPV4_SIZE
		: type == be16(ETHERTYPE_IPV6) ? IPV6_SIZE
					       : 0;
	if (c->offset + least > c->end)
		return VERDICT_OUTER_TRUNCATED;
	p->outer_size = c->offset - ETHERNET_SIZE;
	return VERDICT_NEXT;
}

/* The outer IP header, then the header of the kind. */
static __always_inline int outer_packet(struct frame *f, struct packet *p, struct cursor *c)
{
	int verdict;

	verdict = p->outer_ethertype == be16(ETHERTYPE_IPV4) ? outer_ipv4(f, p, c)
							     : outer_ipv6(f, p, c);
	if (verdict)
		return verdict;
	c->offset = verifier_forget(p, c->offset);
	c->end = ETHERNET_SIZE + p->outer_length;
	if (c->end > p->frame_length || c->offset > c->end)
		c->problem = VERDICT_OUTER_TRUNCATED;
	switch (c->protocol) {
	case PROTOCOL_UDP: verdict = header_udp(f, p, c); break;
	case PROTOCOL_GRE: verdict = header_gre(f, p, c); break;
	case PROTOCOL_IPV4:
	case PROTOCOL_IPV6: verdict = header_none(f, p, c); break;
	default: return VERDICT_NOT_OURS;
	}
	return verdict ? verdict : payload(f, p, c);
}

/*
 * Reads an outer packet. p: zero (PACKET_CLEARED). VERDICT_NEXT with the outer fields, the sender's peer or
 * tunnel object and PACKET_FROM_TUNNEL; VERDICT_NOT_OURS; or the drop.
 */
int tunnel_parse(struct frame *f, struct packet *p)
{
	struct cursor c = {};
	__u8 *header;
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	p->frame_length = frame_length(f);
	header = frame_header(f, 0, ETHERNET_SIZE);
	if (!header || frame_vlan(f))
		return VERDICT_NOT_OURS;
	p->outer_ethertype = *(__be16 *)(header + 12);
	if (p->outer_ethertype != be16(ETHERTYPE_IPV4) &&
	    p->outer_ethertype != be16(ETHERTYPE_IPV6))
		return VERDICT_NOT_OURS;
	p->segment = 0;
	p->outer_port = 0;
	p->outer_kind = TUNNEL_NONE;
	p->outer_has_id = 0;
	p->outer_marks = 0;
	p->inner_ethertype = 0;
	p->outer_checksum_offset = 0;
	verdict = outer_packet(f, p, &c);
	if (verdict == VERDICT_NOT_OURS)
		return verdict;
	/* A UDP port is Weft's at the host's tunnel ends alone. */
	if (verdict)
		return tunnel_has_udp(p->outer_kind) && !is_local_end(p, 0) ? VERDICT_NOT_OURS
									    : verdict;
	return tunnel_find(f, p);
}

/* ---- who sends ---- */

static __always_inline struct tunnel_source *source_of(const struct packet *p, __u32 kind,
						       __u32 segment, __u8 has_id, int learn)
{
	struct tunnel_source_key key = {
		.local = p->outer_destination,
		.id = segment,
		.port = p->outer_port,
		.kind = (__u8)kind,
		.has_id = has_id,
	};

	if (!learn)
		key.remote = p->outer_source;
	return table_lookup(tunnel_sources, &key);
}

/* The row of the form that the packet has, or may have: NVGRE looks like GRE with a key, and IPv6 in IPv4
 * is a form of SIT and of IP in IP. */
static __always_inline struct tunnel_source *source_find(struct packet *p, int learn)
{
	struct tunnel_source *source;

	if (p->outer_marks & OUTER_NVGRE_FORM) {
		source = source_of(p, TUNNEL_NVGRE, p->segment >> 8, 0, learn);
		if (source) {
			p->outer_kind = TUNNEL_NVGRE;
			p->segment >>= 8;
			p->outer_has_id = 0;
			return source;
		}
	}
	source = source_of(p, p->outer_kind, p->segment, p->outer_has_id, learn);
	if (!source && p->outer_kind == TUNNEL_SIT) {
		source = source_of(p, TUNNEL_IPIP, 0, 0, learn);
		if (source)
			p->outer_kind = TUNNEL_IPIP;
	}
	return source;
}

/* No row names this end: one for many ends may, or it is said what is not known. *found: the row. */
static __always_inline int source_unknown(struct packet *p, struct tunnel_source **found)
{
	struct vtep_key key = { .address = p->outer_source };
	struct tunnel_source *source;
	struct vtep *vtep;

	if (!is_local_end(p, kinds_of(p)))
		return VERDICT_NOT_OURS;
	vtep = table_lookup(vteps, &key);
	source = source_find(p, 1);
	if (source && (source->flags & TUNNEL_SOURCE_LEARN) &&
	    address_in(&p->outer_source, &source->allowed, source->allowed_length) &&
	    !(vtep && (vtep->flags & VTEP_LOCAL))) {
		*found = source;
		return VERDICT_NEXT;
	}
	if (!vtep || (vtep->flags & VTEP_LOCAL))
		return VERDICT_UNKNOWN_VTEP;
	return VERDICT_UNKNOWN_SEGMENT;
}

/*
 * May this end send this segment here? p: the outer fields are set. VERDICT_NEXT with the peer or tunnel
 * object as the sender, VERDICT_NOT_OURS, or the drop.
 */
int tunnel_find(struct frame *f, struct packet *p)
{
	struct tunnel_source *source;
	int verdict;

	/* Reading of the frame keeps clang from leaving the argument out, which the verifier wants. */
	if (!p || !frame_length(f))
		return VERDICT_INTERNAL;
	source = source_find(p, 0);
	if (!source) {
		verdict = source_unknown(p, &source);
		if (verdict)
			return verdict;
	}
	if (!source)
		return VERDICT_UNKNOWN_SEGMENT;
	p->flags |= PACKET_FROM_TUNNEL;
	if (!(source->flags & TUNNEL_SOURCE_OBJECT))
		p->flags |= PACKET_FROM_PEER;
	p->port_id = source->port_id;
	p->port_slot = source->port_slot;
	p->vpc_slot = source->vpc_slot;
	p->vpc_id = source->vpc_id;
	p->source_flags = source->flags;
	p->source_host_id = source->host_id;
	p->source_port_id = source->port_id;
	p->source_tunnel_id = source->tunnel_id;
	p->source_subnet_id = source->subnet_id;
	p->object_id = source->port_id;
	if ((source->flags & TUNNEL_SOURCE_STRICT) && (p->outer_marks & OUTER_RESERVED))
		return VERDICT_TUNNEL_FLAGS;
	if ((source->flags & TUNNEL_SOURCE_SEQUENCE) && !(p->outer_marks & OUTER_SEQUENCED))
		return VERDICT_TUNNEL_FLAGS;
	if ((source->flags & TUNNEL_SOURCE_CHECKSUM6) && (p->outer_marks & OUTER_NO_CHECKSUM))
		return VERDICT_OUTER_CHECKSUM;
	return VERDICT_NEXT;
}
