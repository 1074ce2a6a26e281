/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tags of opaque frames (tags.h) on their way into tunnels and out of them.
 *
 * The kernel has the outermost tag beside the frame and would take it for the outer packet's. So on the way in all are
 * taken off (the kernel takes the next one out of the frame with each), kept in the packet, and written into the headers
 * of the tunnel, behind the inner Ethernet addresses; and the reverse. In functions of their own, so that the verifier
 * goes through them once.
 *
 * Called by tunnel_push.c and tunnel_pop.c.
 */
#include "core/tags.h"

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
