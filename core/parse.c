/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * parse: reads a frame's headers once, into struct packet.
 *
 * Ethernet with up to two VLAN tags, ARP, IPv4 with options and fragments, IPv6 with extension headers,
 * TCP, UDP, ICMP and ICMPv6, and the packet inside an ICMP error. All lengths are judged here: later
 * stages may rely on the offsets. Nothing is looked up and nothing is changed.
 *
 * Sources: RFC 791, 8200, 9293, 768, 792, 4443, IEEE 802.1Q. Next: flow.h (a hit ends there), guard.c.
 */
#include "core/ip.h"
#include "core/packet.h"
#include "core/tags.h"

struct arp_packet {
	__be16 hardware, protocol;
	__u8 hardware_size, protocol_size;
	__be16 operation;
	__u8 sender_mac[6];
	__u8 sender[4];
	__u8 target_mac[6];
	__u8 target[4];
};

#define FRAGMENT_MORE be16(0x2000)
#define FRAGMENT_OFFSET be16(0x1fff)

enum icmp_class { ICMP_OTHER, ICMP_REQUEST, ICMP_REPLY, ICMP_ERROR };

/* What kind of message this is; for a reply, *request is the type of the request it answers. */
static __always_inline enum icmp_class icmp_classify(__u8 protocol, __u8 type, __u8 *request)
{
	if (protocol == PROTOCOL_ICMPV6) {
		if (type >= 1 && type <= 4)
			return ICMP_ERROR;
		*request = 128;
		return type == 128 ? ICMP_REQUEST : type == 129 ? ICMP_REPLY : ICMP_OTHER;
	}
	if (type == 3 || type == 4 || type == 11 || type == 12)
		return ICMP_ERROR;
	*request = type;
	if (type == 8 || type == 13 || type == 15 || type == 17)
		return ICMP_REQUEST;
	*request = type ? type - 1 : 8;
	if (type == 0 || type == 14 || type == 16 || type == 18)
		return ICMP_REPLY;
	return ICMP_OTHER;
}

/*
 * The two port fields of the key from the first eight bytes behind the IP headers. ICMP queries:
 * request (identifier, type and code), reply (type and code of the request, identifier), so that a
 * reply is the reverse of its request. Returns the ICMP class.
 */
static __always_inline enum icmp_class key_ports(struct flow_key *key, const __u8 *header)
{
	enum icmp_class class;
	__be16 identifier;
	__u8 request = 0;

	if (key->protocol == PROTOCOL_TCP || key->protocol == PROTOCOL_UDP) {
		key->source_port = *(const __be16 *)header;
		key->destination_port = *(const __be16 *)(header + 2);
		return ICMP_OTHER;
	}
	class = icmp_classify(key->protocol, header[0], &request);
	identifier = *(const __be16 *)(header + 4);
	if (class == ICMP_REPLY) {
		key->source_port = be16((__u16)request << 8);
		key->destination_port = identifier;
	} else {
		key->source_port = class == ICMP_REQUEST ? identifier : 0;
		key->destination_port = be16((__u16)header[0] << 8 | header[1]);
	}
	return class;
}

static __always_inline int protocol_has_ports(__u8 protocol)
{
	return protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP || protocol == PROTOCOL_ICMP ||
	       protocol == PROTOCOL_ICMPV6;
}

/*
 * Walks IPv6 extension headers from *offset on; next is the type of the first. Returns VERDICT_NEXT
 * with *offset at the upper layer, whose protocol is in *next. p: fragment flags are set; NULL for a
 * packet inside an ICMP error.
 */
static __always_inline int parse_extensions(struct frame *f, struct packet *p, __u32 *offset,
					    __u8 *next)
{
	for (int i = 0; i < EXTENSION_HEADERS_MAX; i++) {
		__u8 type = *next;
		__be16 position;
		__u8 *header;

		if (type != PROTOCOL_HOP_BY_HOP && type != PROTOCOL_ROUTING &&
		    type != PROTOCOL_FRAGMENT && type != PROTOCOL_DESTINATION_OPTIONS &&
		    type != PROTOCOL_AUTHENTICATION)
			return VERDICT_NEXT;
		header = frame_header(f, *offset, 8);
		if (!header)
			return VERDICT_TRUNCATED;
		*next = header[0];
		if (type == PROTOCOL_FRAGMENT) {
			position = *(__be16 *)(header + 2);
			if (p) {
				p->fragment_protocol = header[0];
				p->fragment_id = *(__be32 *)(header + 4);
				if (position & be16(0xfff8))
					p->flags |= PACKET_FRAGMENT_LATER;
				else if (position & be16(1))
					p->flags |= PACKET_FRAGMENT_FIRST;
			}
			*offset += 8;
			if (position & be16(0xfff8))
				return VERDICT_NEXT; /* what follows is not a header */
		} else if (type == PROTOCOL_AUTHENTICATION) {
			*offset += ((__u32)header[1] + 2) * 4;
		} else {
			*offset += ((__u32)header[1] + 1) * 8;
		}
	}
	return VERDICT_TOO_MANY_HEADERS;
}

/* The packet inside an ICMP error, as far as its ports: p->inner. What cannot be read is no error of a
 * connection; the flag stays off and the rules judge the message by itself. */
static __always_inline void parse_inner(struct frame *f, struct packet *p, __u32 offset)
{
	__u8 *header;

	p->inner.port_id = 0;
	if (p->flags & PACKET_IPV4) {
		struct ipv4_header *ip = frame_header(f, offset, sizeof(*ip));

		if (!ip || (ip->version_length >> 4) != 4 || (ip->version_length & 15) < 5 ||
		    (ip->fragment & FRAGMENT_OFFSET))
			return;
		p->inner.protocol = ip->protocol;
		p->inner.source.word[2] = p->inner.destination.word[2] = IPV4_MAPPED;
		p->inner.source.word[3] = ip->source;
		p->inner.destination.word[3] = ip->destination;
		offset += (ip->version_length & 15) * 4;
	} else {
		struct ipv6_header *ip = frame_header(f, offset, sizeof(*ip));
		__u8 next;

		if (!ip || (ip->version_class_label & be32(0xf0000000)) != be32(0x60000000) ||
		    address_is_ipv4(&ip->source) || address_is_ipv4(&ip->destination))
			return;
		p->inner.source = ip->source;
		p->inner.destination = ip->destination;
		next = ip->next;
		offset += sizeof(*ip);
		if (parse_extensions(f, NULL, &offset, &next) != VERDICT_NEXT)
			return;
		p->inner.protocol = next;
	}
	if (protocol_has_ports(p->inner.protocol)) {
		header = frame_header(f, offset, 8);
		if (!header || key_ports(&p->inner, header) == ICMP_ERROR)
			return;
	}
	p->flags |= PACKET_ICMP_ERROR;
}

static __always_inline int parse_tcp(struct frame *f, struct packet *p, __u32 offset)
{
	__u8 *header = frame_header(f, offset, 20);
	__u32 size;

	if (!header)
		return VERDICT_TRUNCATED;
	size = (header[12] >> 4) * 4;
	if (size < 20 || offset + size > p->l3_offset + p->ip_length)
		return VERDICT_BAD_HEADER;
	p->tcp_flags = header[13] & 0x3f;
	key_ports(&p->key, header);
	if (frame_segment_size(f))
		p->packet_length = offset - p->l3_offset + size + frame_segment_size(f);
	if (p->ip_length > 0xffff && offset - p->l3_offset == 48)
		p->packet_length -= 8; /* the jumbo option (RFC 2675), which goes when it is cut */
	return VERDICT_NEXT;
}

/* The transport header at offset: ports, flags, what an ICMP error speaks of. */
static __always_inline int parse_transport(struct frame *f, struct packet *p, __u32 offset)
{
	enum icmp_class class;
	__u8 *header;

	p->l4_offset = offset;
	if (p->flags & PACKET_FRAGMENT_LATER)
		return VERDICT_NEXT;
	if (p->key.protocol == PROTOCOL_TCP)
		return parse_tcp(f, p, offset);
	if (p->key.protocol != PROTOCOL_UDP && frame_segment_size(f))
		p->packet_length = 0; /* tunnels and SCTP: whoever cut the segments knew the MTU */
	if (!protocol_has_ports(p->key.protocol))
		return VERDICT_NEXT;
	header = frame_header(f, offset, 8);
	if (!header || offset + 8 > p->l3_offset + p->ip_length)
		return VERDICT_TRUNCATED;
	if (p->key.protocol == PROTOCOL_UDP) {
		if (host16(*(__be16 *)(header + 4)) < 8 && *(__be16 *)(header + 4))
			return VERDICT_BAD_HEADER;
		key_ports(&p->key, header);
		if (frame_segment_size(f))
			p->packet_length = offset - p->l3_offset + 8 + frame_segment_size(f);
		return VERDICT_NEXT;
	}
	p->icmp_type = header[0];
	p->icmp_code = header[1];
	class = key_ports(&p->key, header);
	if (class == ICMP_REQUEST)
		p->flags |= PACKET_ICMP_REQUEST;
	else if (class == ICMP_ERROR)
		parse_inner(f, p, offset + 8);
	return VERDICT_NEXT;
}

/*
 * Bytes of an IP packet. field: what its header says, less than all by `besides`. In a frame of segments zero stands for
 * more than it can say: BIG TCP, which Linux cuts by the frame's length.
 */
static __always_inline __u32 ip_length(struct frame *f, const struct packet *p, __u32 offset,
				       __u32 field, __u32 besides)
{
	return field || !frame_segment_size(f) ? field + besides : p->frame_length - offset;
}

static __always_inline int parse_ipv4(struct frame *f, struct packet *p, __u32 offset)
{
	struct ipv4_header *ip = frame_header(f, offset, sizeof(*ip));
	__u32 header_size;

	if (!ip)
		return VERDICT_TRUNCATED;
	header_size = (ip->version_length & 15) * 4;
	p->ip_length = ip_length(f, p, offset, host16(ip->length), 0);
	if ((ip->version_length >> 4) != 4 || header_size < sizeof(*ip) ||
	    p->ip_length < header_size)
		return VERDICT_BAD_HEADER;
	if (offset + p->ip_length > p->frame_length)
		return VERDICT_TRUNCATED;
	p->packet_length = p->ip_length;
	p->flags |= PACKET_IP | PACKET_IPV4;
	p->service = ip->service;
	p->ttl = ip->ttl;
	p->key.protocol = ip->protocol;
	p->key.source.word[2] = p->key.destination.word[2] = IPV4_MAPPED;
	p->key.source.word[3] = ip->source;
	p->key.destination.word[3] = ip->destination;
	if (ip->fragment & (FRAGMENT_MORE | FRAGMENT_OFFSET)) {
		p->fragment_id = ip->id;
		p->fragment_protocol = ip->protocol;
		p->flags |= ip->fragment & FRAGMENT_OFFSET ? PACKET_FRAGMENT_LATER
							   : PACKET_FRAGMENT_FIRST;
	}
	return parse_transport(f, p, offset + header_size);
}

static __always_inline int parse_ipv6(struct frame *f, struct packet *p, __u32 offset)
{
	struct ipv6_header *ip = frame_header(f, offset, sizeof(*ip));
	__u8 next;
	int verdict;

	if (!ip)
		return VERDICT_TRUNCATED;
	if ((ip->version_class_label & be32(0xf0000000)) != be32(0x60000000))
		return VERDICT_BAD_HEADER;
	/* Mapped addresses stand for IPv4 ones in the tables and have no place on the wire (RFC 4038, 4.2). */
	if (address_is_ipv4(&ip->source) || address_is_ipv4(&ip->destination))
		return VERDICT_BAD_HEADER;
	p->ip_length = ip_length(f, p, offset, host16(ip->payload_length), sizeof(*ip));
	if (offset + p->ip_length > p->frame_length)
		return VERDICT_TRUNCATED;
	p->packet_length = p->ip_length;
	p->flags |= PACKET_IP;
	p->service = (__u8)(host32(ip->version_class_label) >> 20);
	p->ttl = ip->hop_limit;
	p->key.source = ip->source;
	p->key.destination = ip->destination;
	next = ip->next;
	offset += sizeof(*ip);
	verdict = parse_extensions(f, p, &offset, &next);
	if (verdict)
		return verdict;
	p->key.protocol = next;
	return parse_transport(f, p, offset);
}

/* ARP: the sender's and the target's address go where an IP packet's addresses are. */
static __always_inline int parse_arp(struct frame *f, struct packet *p, __u32 offset)
{
	struct arp_packet *arp = frame_header(f, offset, sizeof(*arp));

	if (!arp)
		return VERDICT_TRUNCATED;
	if (arp->hardware != be16(1) || arp->protocol != be16(ETHERTYPE_IPV4) ||
	    arp->hardware_size != 6 || arp->protocol_size != 4)
		return VERDICT_BAD_HEADER;
	p->key.source.word[2] = p->key.destination.word[2] = IPV4_MAPPED;
	__builtin_memcpy(&p->key.source.word[3], arp->sender, 4);
	__builtin_memcpy(&p->key.destination.word[3], arp->target, 4);
	return VERDICT_NEXT;
}

/*
 * Reads the headers of a frame. p: port_id and slots are set, the rest is zero. Returns VERDICT_NEXT,
 * or the verdict of a frame that no one may get. A frame that is neither IP nor ARP is no error here.
 */
int parse(struct frame *f, struct packet *p)
{
	__u32 offset = ETHERNET_SIZE;
	__u32 tag;
	__u8 *header;

	if (!p)
		return VERDICT_INTERNAL;
	p->frame_length = frame_length(f);
	p->key.port_id = p->port_id;
	header = frame_header(f, 0, ETHERNET_SIZE);
	if (!header)
		return VERDICT_TRUNCATED;
	__builtin_memcpy(p->ethernet, header, 12);
	p->ethertype = *(__be16 *)(header + 12);
	tag = frame_vlan(f);
	if (tag) {
		p->vlan = tag;
		p->vlan_count = 1;
	}
	for (int i = 0; i < 2; i++) {
		if (!is_tag_type(p->ethertype))
			break;
		header = frame_header(f, offset, 4);
		if (!header)
			return VERDICT_TRUNCATED;
		if (!p->vlan_count)
			p->vlan = host16(*(__be16 *)header);
		p->vlan_count++;
		p->ethertype = *(__be16 *)(header + 2);
		offset += 4;
	}
	p->l3_offset = offset;
	if (p->vlan_count && (p->vlan & TAG_ID) && tags_keep(f, p))
		return VERDICT_NEXT;
	if (is_tag_type(p->ethertype) || p->vlan_count > 2)
		return VERDICT_TOO_MANY_HEADERS;
	if (p->ethertype == be16(ETHERTYPE_IPV4))
		return parse_ipv4(f, p, offset);
	if (p->ethertype == be16(ETHERTYPE_IPV6))
		return parse_ipv6(f, p, offset);
	if (p->ethertype == be16(ETHERTYPE_ARP))
		return parse_arp(f, p, offset);
	return VERDICT_NEXT;
}
