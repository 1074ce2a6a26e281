/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel_pop: takes the outer headers off a packet whose sender is known.
 *
 * Checksum and sequence are judged before. The frame has an Ethernet header afterwards: the one that was
 * inside, or, where the tunnel carries IP alone, one of zero MACs (PACKET_NO_ETHERNET), as a tun's
 * packets get.
 *
 * A checksum that the NIC has not verified is summed here. Where the sender is on this machine, two kinds
 * of wrong sums are right: the field may hold the sum of the pseudo header alone, to be finished by a NIC
 * that never comes; and the sum may count on the inner packet's checksum being finished (RFC 8926 has
 * no word on it; it is how Linux sums). The second is left to tunnel_inner.c, which knows the inner packet.
 *
 * Before: tunnel_parse.c. Next: parse.c, then tunnel_inner.c.
 */
#include "core/checksum.h"
#include "core/tags.h"
#include "core/tunnel.h"

/* A sender that begins anew has lost its count: a number this far behind is its first, not a late one. */
#define SEQUENCE_WINDOW 4096

#define ETHERNET_PAYLOAD_MIN 46

/* The pseudo header of the outer UDP packet, not folded. */
static __always_inline __u32 pseudo_sum(const struct packet *p, __u32 length)
{
	__u32 sum;

	if (address_is_ipv4(&p->outer_source)) {
		sum = checksum_add(0, &p->outer_source.word[3], 4);
		sum = checksum_add(sum, &p->outer_destination.word[3], 4);
		return sum + be16((__u16)length) + be16(PROTOCOL_UDP);
	}
	return checksum_pseudo6(&p->outer_source, &p->outer_destination, length, PROTOCOL_UDP);
}

static __always_inline int check_sum(struct frame *f, struct packet *p)
{
	int udp = tunnel_has_udp(p->outer_kind);
	__u32 offset = p->outer_checksum_offset;
	__u32 size = ETHERNET_SIZE + p->outer_length - offset;
	__u32 pseudo = 0, sum;
	__be16 *field;

	if (udp ? frame_checksum_verified(f) : frame_segment_size(f) != 0)
		return VERDICT_NEXT;
	if (udp) {
		pseudo = checksum_fold(pseudo_sum(p, size));
		field = frame_header(f, offset + 6, 2);
		if (!field || *field == (__be16)pseudo)
			return VERDICT_NEXT;
	}
	sum = tunnel_sum(f, p, offset, size);
	if (sum > 0xffff)
		return VERDICT_OUTER_TRUNCATED;
	p->outer_sum = checksum_fold(sum + pseudo);
	if (p->outer_sum != 0xffff)
		p->outer_marks |= OUTER_UNVERIFIED;
	return VERDICT_NEXT;
}

/* RFC 2890, 2.2: what comes late is dropped. */
static __always_inline int check_sequence(struct packet *p)
{
	struct tunnel_key key = { .tunnel_id = p->source_tunnel_id };
	struct tunnel_sequence *row = table_lookup(tunnel_sequences, &key);
	__u32 behind;

	if (!row)
		return VERDICT_NO_TUNNEL;
	behind = row->expected - p->sequence;
	if (behind && behind < SEQUENCE_WINDOW)
		return VERDICT_TUNNEL_SEQUENCE;
	row->expected = p->sequence + 1;
	return VERDICT_NEXT;
}

/*
 * The frame as long as the outer packet says: the underlay may have filled it up. An inner frame that is
 * not IP gets the length that Ethernet demands, below which the kernel does not decapsulate.
 */
static __always_inline int fit_length(struct frame *f, struct packet *p, __be16 type)
{
	__u32 length = ETHERNET_SIZE + p->outer_length;
	__u32 least = ETHERNET_SIZE + p->outer_size + 4 * p->kept_count + ETHERNET_PAYLOAD_MIN;

	if (type != be16(ETHERTYPE_IPV4) && type != be16(ETHERTYPE_IPV6) && length < least)
		length = least;
	if (length == p->frame_length || frame_segment_size(f))
		return 0;
	/* A frame that never was on a wire may refuse to grow, and is taken out of its tunnel as it is. */
	if (frame_resize(f, length) && length < p->frame_length)
		return -1;
	return 0;
}

/* p: tunnel_parse has agreed. VERDICT_NEXT: the frame is what the tunnel carried. Or the drop. */
int tunnel_pop(struct frame *f, struct packet *p)
{
	int verdict = VERDICT_NEXT;
	__be16 type;
	__u32 how;

	if (!p)
		return VERDICT_INTERNAL;
	if (p->outer_marks & OUTER_SUMMED)
		verdict = check_sum(f, p);
	if (!verdict && (p->source_flags & TUNNEL_SOURCE_SEQUENCE))
		verdict = check_sequence(p);
	if (verdict)
		return verdict;
	type = p->inner_ethertype;
	if (type) {
		__builtin_memset(p->header, 0, 12);
		*(__be16 *)(p->header + 12) = type;
		p->flags |= PACKET_NO_ETHERNET;
	} else {
		if (frame_load(f, p->outer_size, p->header, ETHERNET_SIZE))
			return VERDICT_INTERNAL;
		type = *(__be16 *)(p->header + 12);
		if (is_tag_type(type) && subnet_passes_tags(p->source_subnet_id)) {
			verdict = tags_read(f, p);
			if (verdict)
				return verdict;
			type = *(__be16 *)(p->header + 12);
		}
	}
	how = type == be16(ETHERTYPE_IPV4)   ? FRAME_INNER_IPV4
	      : type == be16(ETHERTYPE_IPV6) ? FRAME_INNER_IPV6
					     : 0;
	if (p->outer_ethertype == be16(ETHERTYPE_IPV6))
		how |= FRAME_OUTER_IPV6;
	if (tunnel_has_udp(p->outer_kind))
		how |= FRAME_UDP;
	if (fit_length(f, p, type) ||
	    frame_decapsulate(f, p->outer_size + 4 * p->kept_count, how) ||
	    frame_store(f, 0, p->header, ETHERNET_SIZE) || (p->kept_count && tags_on(f, p)))
		return VERDICT_INTERNAL;
	note(f, NOTE_TUNNEL_FROM, p->source_port_id);
	return VERDICT_NEXT;
}
