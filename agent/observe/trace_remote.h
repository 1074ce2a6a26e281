/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one host asks another about a packet, and what that one says.
 *
 *	question  {"frame": the outer packet; or with "wire", a subnet's id, the frame on its wire}
 *	answer    {"there": LEG, "back": LEG with "frame" and "wire", the same of the reply, or null}
 *	LEG       {"verdict", "reason", "sentence", "object", "to", "stages"}
 *
 * The host of the receiver runs the packet and the reply one after the other, for only then the reply
 * belongs to a connection. Nothing that comes from another host is believed to be well formed.
 *
 * Neighbours: question.h carries them, trace_leg.h makes legs, api_trace_follow.c asks.
 */
#ifndef WEFT_AGENT_TRACE_REMOTE_H
#define WEFT_AGENT_TRACE_REMOTE_H

#include <jansson.h>

#include "agent/reconcile.h"
#include "datapath/trace.h"

#define TRACE_STAGES_MAX (TRACE_STEPS_MAX + 1)

/**
 * struct trace_told - what another host said of one leg
 * @verdict: {"verdict", "reason", "sentence", "object", "to"}; NULL: no such leg; owned
 * @stages: array; owned
 */
struct trace_told {
	json_t *verdict;
	json_t *stages;
};

/**
 * struct trace_answer - all that it said; release with trace_answer_fini()
 * @frame: the reply as it left that host for this one, of @frame_size bytes; NULL: none; owned
 * @wire: the subnet on whose wire it did; 0: by a tunnel
 */
struct trace_answer {
	struct trace_told there, back;
	uint8_t *frame;
	size_t frame_size;
	uint32_t wire;
};

/** trace_question - the question about a packet that has left for another host. Return: new reference. */
json_t *trace_question(const struct trace_result *left);

/** trace_arrive - run a packet as it comes from another host; wire: a subnet's id, or 0. Return: 0 or less */
int trace_arrive(struct datapath *datapath, uint32_t wire, const uint8_t *bytes, size_t size,
		 struct trace_result *arrived);

/**
 * trace_answer_make - run another host's packet here
 *
 * Return: the answer, new reference; NULL if the question is not well formed or cannot be answered.
 */
json_t *trace_answer_make(struct datapath *datapath, struct reconcile *reconcile,
			  const json_t *question);

/**
 * trace_answer_read - check what another host said
 * @host: its name; that of all stages
 * @answer: set on success
 *
 * Return: 0 or -EINVAL.
 */
int trace_answer_read(const json_t *document, const char *host, struct trace_answer *answer,
		      struct error *error);

/** trace_answer_fini - release what is in @answer */
void trace_answer_fini(struct trace_answer *answer);

#endif
