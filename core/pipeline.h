/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The entry of the pipeline: parse, then a hit in the flow table or the slow stages.
 *
 * Both targets call this: target/bpf/port.bpf.c for each packet that a device hands in, and
 * target/native for tests, fuzzing and `weft trace`. The hit is inline so that an established connection
 * pays for one call (parse), one look-up and one rewrite.
 *
 * Next: parse.c, flow.h, pipeline.c.
 */
#ifndef WEFT_CORE_PIPELINE_H
#define WEFT_CORE_PIPELINE_H

#include "core/flow.h"

int pipeline_end(struct frame *f, struct packet *p, int verdict);

/*
 * What becomes of a frame. p: zero but for port_id, port_slot, vpc_slot and flags, from the attachment.
 * Delivered: the frame is rewritten and p->out_ifindex and out_kind say where it goes. PACKET_REPLY in
 * p->flags: the frame has become an answer to where it came from.
 */
static inline int pipeline_run(struct frame *f, struct packet *p)
{
	int verdict;

	p->object_id = p->port_id;
	verdict = parse(f, p);
	if (!verdict && (p->flags & PACKET_FRAGMENT_LATER))
		verdict = fragment(f, p);
	if (!verdict) {
		note(f, NOTE_PARSED, 0);
		verdict = flow_hit(f, p);
	}
	if (!verdict)
		verdict = pipeline_miss(f, p);
	if (verdict != VERDICT_DELIVERED)
		return pipeline_end(f, p, verdict);
	if (p->flags & PACKET_FRAGMENT_FIRST)
		fragment_learn(f, p);
	return verdict;
}

#endif
