/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft trace: the native core on the live tables. The contract is in trace.h.
 *
 * The native target reads the kernel's maps through their descriptors and keeps what the packet writes
 * in memory, which is thrown away after the run; see target/native/table.c.
 */
#include "datapath/trace.h"

#include <errno.h>
#include <string.h>

#include "target/native/native.h"

#define NOTE_STAGE(name, stage, sentence) STAGE_##stage,
static const enum stage note_stage[NOTES] = { WEFT_NOTES(NOTE_STAGE) };

/* The stage that ended the packet's way, where the notes do not tell. */
static enum stage verdict_stage(enum verdict verdict)
{
	if (verdict <= VERDICT_CONSUMED)
		return verdict == VERDICT_DELIVERED ? STAGE_DELIVER : STAGE_NEIGHBOUR;
	if (verdict <= VERDICT_FRAGMENT_LOST && verdict != VERDICT_NOT_IP &&
	    verdict != VERDICT_TAGGED)
		return STAGE_PARSE;
	if (verdict <= VERDICT_BAD_SOURCE)
		return verdict == VERDICT_SPOOFED_ARP || verdict == VERDICT_SPOOFED_ND
			       ? STAGE_NEIGHBOUR
			       : STAGE_GUARD;
	if (verdict == VERDICT_UNKNOWN_NEIGHBOUR || verdict == VERDICT_ADDRESS_CLAIM ||
	    verdict == VERDICT_ROUTER_SOLICITATION)
		return STAGE_NEIGHBOUR;
	if (verdict <= VERDICT_EMPTY_SEGMENT)
		return STAGE_BRIDGE;
	if (verdict <= VERDICT_NOT_OWN_GATEWAY || verdict == VERDICT_ROUTE_LOOP)
		return STAGE_ROUTE;
	if (verdict <= VERDICT_TOO_BIG)
		return STAGE_DELIVER;
	if (verdict <= VERDICT_ACL_INGRESS || verdict == VERDICT_ICMP_UNRELATED)
		return STAGE_POLICY;
	return STAGE_FLOW;
}

static void fill(const struct frame *f, const struct native_result *run,
		 struct trace_result *result)
{
	result->verdict = run->verdict;
	result->object_id = run->object_id;
	result->out_port_id = run->out_port_id;
	for (__u32 i = 0; i < f->note_count && i < TRACE_STEPS_MAX; i++) {
		result->steps[i].note = f->notes[i].what;
		result->steps[i].object_id = f->notes[i].object_id;
		result->step_count = i + 1;
	}
	result->stage = verdict_stage(run->verdict);
	if (run->verdict == VERDICT_ANSWERED && result->step_count)
		result->stage = note_stage[result->steps[result->step_count - 1].note];
	if (run->verdict == VERDICT_FLOODED)
		result->stage = STAGE_BRIDGE;
	result->frame_size = f->length;
	memcpy(result->frame, f->data, f->length < TRACE_FRAME_MAX ? f->length : TRACE_FRAME_MAX);
}

int datapath_trace(struct datapath *datapath, uint32_t port_id, const uint8_t *frame, size_t size,
		   struct trace_result *result)
{
	struct port_key key = { .port_id = port_id };
	struct attachment attachment = {};
	struct native_result run = {};
	struct port port;
	struct frame *f;
	int fds[TABLES];
	int error;

	if (size > TRACE_FRAME_MAX || size > FRAME_ROOM)
		return -EMSGSIZE;
	for (int i = 0; i < TABLES; i++) {
		fds[i] = datapath_table_fd(datapath, (enum table_id)i);
		if (fds[i] < 0)
			return -ENOTSUP;
	}
	error = datapath_get(datapath, TABLE_ports, &key, &port);
	if (error)
		return error;
	attachment.port_id = port_id;
	attachment.port_slot = port.port_slot;
	attachment.vpc_slot = port.vpc_slot;
	if (port.kind == PORT_TUN)
		attachment.flags |= ATTACHMENT_NO_ETHERNET;
	memset(result, 0, sizeof(*result));
	f = native_frame_new(frame, (__u32)size);
	native_live(fds);
	native_run_attached(f, &attachment, &run);
	fill(f, &run, result);
	native_reset();
	native_frame_free(f);
	return 0;
}
