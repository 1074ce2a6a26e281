/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel_sum: the Internet checksum over a stretch of a frame, for the outer UDP and GRE checksums.
 *
 * Only where a sender has asked for one: the sum reads every byte. Callers: tunnel_pop.c, tunnel_inner.c
 * and tunnel_push.c.
 */
#include "core/checksum.h"
#include "core/tunnel.h"

#define CHUNKS_MAX (65536 / PACKET_HEADER_SIZE + 1)

struct sum_context {
	struct frame *f;
	struct packet *p;
	__u64 sum;
	__u32 offset;
	__u32 left;
	__u32 failed;
};

static long sum_chunk(__u64 index, void *argument)
{
	struct sum_context *context = argument;
	struct packet *p = context->p;
	const __u32 *word = (const __u32 *)p->header;
	__u32 size = context->left;
	__u64 sum = 0;

	(void)index;
	if (!size)
		return 1;
	if (size >= PACKET_HEADER_SIZE) {
		size = PACKET_HEADER_SIZE;
		context->failed |=
			frame_load(context->f, context->offset, p->header, PACKET_HEADER_SIZE) != 0;
	} else {
		__builtin_memset(p->header, 0, PACKET_HEADER_SIZE);
		context->failed |= frame_load_some(context->f, context->offset, p->header, size,
						   PACKET_HEADER_SIZE) != 0;
	}
	for (__u32 i = 0; i < PACKET_HEADER_SIZE / 4; i++) {
		sum += word[i];
		compiler_barrier(); /* else all words are loaded before they are added: no room for them */
	}
	context->sum += sum;
	context->offset += size;
	context->left -= size;
	return 0;
}

/* The folded sum of size bytes at offset, as if offset were even; 0x10000 when they cannot be read.
 * p->header is used for it. */
__u32 tunnel_sum(struct frame *f, struct packet *p, __u32 offset, __u32 size)
{
	struct sum_context context = { .f = f, .p = p, .offset = offset, .left = size };

	if (!p)
		return 0x10000;
	loop_over(CHUNKS_MAX, sum_chunk, &context);
	if (context.failed || context.left)
		return 0x10000;
	context.sum = (context.sum & 0xffffffff) + (context.sum >> 32);
	context.sum = (context.sum & 0xffffffff) + (context.sum >> 32);
	return checksum_fold((__u32)context.sum);
}
