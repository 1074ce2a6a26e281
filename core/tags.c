/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Opaque frames (tags.h): what is known of them, and their tags on the way into tunnels and out of them.
 *
 * The kernel has the outermost tag beside the frame and would take it for the outer packet's. So on the way in all are
 * taken off (the kernel takes the next one out of the frame with each), kept in the packet, and written into the headers
 * of the tunnel, behind the inner Ethernet addresses; and the reverse. In functions of their own, so that the verifier
 * goes through them once.
 *
 * Called by parse.c, tunnel_push.c and tunnel_pop.c.
 */
#include "core/tags.h"

#include "core/ip.h"

/* The addresses of the packet inside, and where its payload is. 0, or negative: none that can be read. */
static __always_inline int read_ip(struct frame *f, struct packet *p, __u32 offset)
{
	if (p->ethertype == be16(ETHERTYPE_IPV4)) {
		struct ipv4_header *ip = frame_header(f, offset, sizeof(*ip));

		if (!ip || ip->version_length != 0x45 || (ip->fragment & be16(0x3fff)))
			return -1;
		p->ip_length = host16(ip->length);
		p->key.protocol = ip->protocol;
		p->key.source.word[2] = p->key.destination.word[2] = IPV4_MAPPED;
		p->key.source.word[3] = ip->source;
		p->key.destination.word[3] = ip->destination;
		p->kept_flags = PACKET_IP | PACKET_IPV4;
		p->l4_offset = (__u16)(offset + sizeof(*ip));
	} else if (p->ethertype == be16(ETHERTYPE_IPV6)) {
		struct ipv6_header *ip = frame_header(f, offset, sizeof(*ip));

		if (!ip || (ip->version_class_label & be32(0xf0000000)) != be32(0x60000000))
			return -1;
		p->ip_length = sizeof(*ip) + host16(ip->payload_length);
		p->key.protocol = ip->next;
		p->key.source = ip->source;
		p->key.destination = ip->destination;
		p->kept_flags = PACKET_IP;
		p->l4_offset = (__u16)(offset + sizeof(*ip));
	} else {
		return -1;
	}
	return offset + p->ip_length <= p->frame_length ? 0 : -1;
}

/* TCP or UDP in it: the size of its header, 0: neither. The ports go into the key. */
static __always_inline __u32 read_transport(struct frame *f, struct packet *p)
{
	const int tcp = p->key.protocol == PROTOCOL_TCP;
	const __u32 left = p->l3_offset + p->ip_length - p->l4_offset;
	__u8 *header;

	if ((!tcp && p->key.protocol != PROTOCOL_UDP) || left < (tcp ? 20 : 8))
		return 0;
	header = frame_header(f, p->l4_offset, 20);
	if (!tcp)
		header = frame_header(f, p->l4_offset, 8);
	if (!header)
		return 0;
	p->key.source_port = *(__be16 *)header;
	p->key.destination_port = *(__be16 *)(header + 2);
	return tcp ? (header[12] >> 4) * 4u : 8;
}

/* Are the tags of its segment's frames nobody's business? */
static __always_inline int tags_pass(const struct packet *p)
{
	struct port_key key = { .port_id = p->port_id };
	struct port *port;

	if (p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_WIRE))
		return subnet_passes_tags(p->source_subnet_id);
	port = table_lookup(ports, &key);
	return port && subnet_passes_tags(port->subnet_id);
}

/*
 * 1: the tags of the frame are the workloads' affair, and it is opaque from here on; 0: they are not. p: its tags are
 * read, l3_offset and ethertype are of what is behind them. What is known of a TCP or UDP packet there serves its
 * tunnel alone, for lengths and checksums; of anything else nothing is known.
 */
int tags_keep(struct frame *f, struct packet *p)
{
	__u32 beside, size, header = 0;

	if (!p || !tags_pass(p))
		return 0;
	beside = frame_vlan(f) ? 4 : 0;
	size = frame_segment_size(f);
	if (!read_ip(f, p, p->l3_offset))
		header = read_transport(f, p);
	if (!header) {
		p->kept_flags = 0;
		p->packet_length = size ? 0 : p->frame_length - ETHERNET_SIZE + beside;
	} else {
		p->packet_length = p->l3_offset - ETHERNET_SIZE + beside;
		p->packet_length += size ? p->l4_offset - p->l3_offset + header + size
					 : p->ip_length;
	}
	p->kept_tag = frame_tag(f);
	p->kept_count = p->vlan_count + (is_tag_type(p->ethertype) ? 1 : 0);
	p->vlan_count = 0;
	p->ethertype = be16((__u16)(p->kept_tag >> 16));
	note(f, NOTE_TAGS_KEPT, 0);
	return 1;
}

/* Takes the tags off. p->tags has them, offsets are those of an untagged frame then. Return: the type of what they were
 * around, in network byte order; or negative. */
int tags_off(struct frame *f, struct packet *p)
{
	__be16 type;

	if (!p)
		return -1;
	for (__u32 i = 0; i < KEPT_TAGS_MAX; i++) {
		if (i >= p->kept_count)
			break;
		p->tags[i] = frame_tag(f);
		if (!p->tags[i] || frame_tag_pop(f))
			return -1;
	}
	p->l4_offset -= p->l3_offset - ETHERNET_SIZE;
	p->l3_offset = ETHERNET_SIZE;
	return frame_load(f, 12, &type, 2) ? -1 : type;
}

/* Puts them on again, on an untagged frame. 0 or negative. */
int tags_on(struct frame *f, struct packet *p)
{
	if (!p)
		return -1;
	for (__u32 i = KEPT_TAGS_MAX; i > 0; i--)
		if (i <= p->kept_count && frame_tag_push(f, p->tags[i - 1]))
			return -1;
	return 0;
}

static __always_inline void write_tag(__u8 *at, __u32 tag)
{
	*(__be16 *)at = be16((__u16)(tag >> 16));
	*(__be16 *)(at + 2) = be16((__u16)tag);
}

/* Writes them into p->header, in front of the type that ends there at `end`. Return: 0. */
int tags_write(struct frame *f, struct packet *p, __u32 end)
{
	const __u32 at = end - 2 - 4 * KEPT_TAGS_MAX;

	(void)f;
	if (!p || at > PACKET_HEADER_SIZE - 4 * KEPT_TAGS_MAX)
		return 0;
	if (p->kept_count > 1)
		write_tag(p->header + at, p->tags[0]);
	write_tag(p->header + at + 4, p->kept_count > 1 ? p->tags[1] : p->tags[0]);
	return 0;
}

/*
 * Reads those of a frame that is still in its tunnel. p: outer_size and outer_length are known, p->header begins with the
 * inner Ethernet header; its type becomes that of what follows the tags. VERDICT_NEXT, or the drop.
 */
int tags_read(struct frame *f, struct packet *p)
{
	__be16 type, tag[2];

	if (!p)
		return VERDICT_INTERNAL;
	type = *(__be16 *)(p->header + 12);
	for (__u32 i = 0; i < KEPT_TAGS_MAX; i++) {
		if (!is_tag_type(type))
			break;
		if (p->outer_size + 4 * (i + 1) > p->outer_length ||
		    frame_load(f, ETHERNET_SIZE + p->outer_size + 4 * i, tag, 4))
			return VERDICT_OUTER_TRUNCATED;
		/* A mark of priority alone is no VLAN, and no segment carries it. */
		if (!i && !(host16(tag[0]) & TAG_ID))
			break;
		p->tags[i] = (__u32)host16(type) << 16 | host16(tag[0]);
		type = tag[1];
		p->kept_count = i + 1;
	}
	*(__be16 *)(p->header + 12) = type;
	return VERDICT_NEXT;
}
