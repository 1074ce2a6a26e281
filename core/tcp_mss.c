/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcp_mss: lowers the segment size that a SYN announces to what a tunnel can carry (RFC 9293, 3.7.1).
 *
 * A workload whose own MTU is too large then never sends what does not fit, even where the messages that
 * say so are lost. The checksum follows; one that is unfinished covers the option when it is finished.
 *
 * Caller: tunnel_push.c.
 */
#include "core/tunnel.h"

#define TCP_OPTION_END 0
#define TCP_OPTION_NONE 1
#define TCP_OPTION_MSS 2
#define TCP_OPTION_BYTES_MAX 40

struct mss_context {
	struct frame *f;
	__u32 offset; /* of the option */
	__u32 end;
	__u32 checksum_offset;
	__u32 limit;
};

/* One option; 1 at the end. */
static long mss_option(__u64 index, void *argument)
{
	struct mss_context *context = argument;
	__be16 from, to;
	__u8 *option;

	(void)index;
	if (context->offset + 4 > context->end)
		return 1;
	option = frame_header(context->f, context->offset, 4);
	if (!option || option[0] == TCP_OPTION_END)
		return 1;
	if (option[0] == TCP_OPTION_NONE) {
		context->offset += 1;
		return 0;
	}
	if (option[1] < 2)
		return 1;
	if (option[0] != TCP_OPTION_MSS) {
		context->offset += option[1];
		return 0;
	}
	__builtin_memcpy(&from, option + 2, 2);
	if (option[1] != 4 || host16(from) <= context->limit)
		return 1;
	to = be16((__u16)context->limit);
	if (frame_store(context->f, context->offset + 2, &to, 2))
		return 1;
	/* On an odd byte the value lies across two words of the sum. */
	if ((context->offset ^ context->checksum_offset) & 1) {
		from = (__be16)(from << 8 | from >> 8);
		to = (__be16)(to << 8 | to >> 8);
	}
	frame_checksum_follow(context->f, context->checksum_offset, from, to);
	return 1;
}

/* p: a SYN whose TCP header is at l4_offset. mtu: of the way, bytes of IP. Always VERDICT_NEXT but for what
 * cannot be read. */
int tcp_mss_clamp(struct frame *f, struct packet *p, __u32 mtu)
{
	struct mss_context context = { .f = f };
	__u32 headers;
	__u8 *header;

	if (!p)
		return VERDICT_INTERNAL;
	headers = (p->flags & PACKET_IPV4 ? IPV4_SIZE : IPV6_SIZE) + 20;
	header = frame_header(f, p->l4_offset, 20);
	if (!header)
		return VERDICT_TRUNCATED;
	if (mtu <= headers)
		return VERDICT_NEXT;
	context.limit = mtu - headers;
	context.checksum_offset = p->l4_offset + 16u;
	context.offset = p->l4_offset + 20u;
	context.end = p->l4_offset + (header[12] >> 4) * 4u;
	loop_over(TCP_OPTION_BYTES_MAX, mss_option, &context);
	return VERDICT_NEXT;
}
