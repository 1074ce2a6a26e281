/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One host's part of a trace, as JSON: the stages with their names, the verdict, and who would answer.
 *
 * A packet's way is made of legs: the host of the sender, the host of the receiver, and the same for
 * the reply. Each leg is told by the host it is on, for only that host has the tables and the names.
 *
 * Neighbours: datapath/trace.h runs the packet; api_trace_follow.c and trace_remote.c put legs together.
 */
#ifndef WEFT_AGENT_TRACE_LEG_H
#define WEFT_AGENT_TRACE_LEG_H

#include <jansson.h>

#include "agent/reconcile.h"
#include "datapath/trace.h"

/** trace_leg_stages - append to @stages what this host did */
void trace_leg_stages(struct reconcile *reconcile, const struct trace_result *result,
		      json_t *stages);

/** trace_stage_json - one stage; @object's reference is taken over. Return: new reference. */
json_t *trace_stage_json(const char *host, const char *stage, const char *result, json_t *object);

/**
 * trace_leg_verdict - {"verdict", "reason", "sentence", "object", "to"} after this host
 *
 * Return: new reference.
 */
json_t *trace_leg_verdict(struct reconcile *reconcile, const struct trace_result *result);

/** trace_leg_next - the other host that a packet went to; NULL: it stayed, or was dropped */
const struct object *trace_leg_next(struct reconcile *reconcile, const struct trace_result *result);

/**
 * trace_leg_reply - what the port that got the packet would send back
 * @frame: TRACE_FRAME_MAX bytes
 *
 * Return: bytes of the frame; 0 if there is no such port here, or it would not answer.
 */
size_t trace_leg_reply(struct reconcile *reconcile, const struct trace_result *result,
		       uint8_t *frame);

/** trace_frame_json - bytes in hexadecimal. Return: new reference. */
json_t *trace_frame_json(const uint8_t *frame, size_t size);

#endif
