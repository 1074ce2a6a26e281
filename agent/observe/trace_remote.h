/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What one host asks another about a packet, and what that one says.
 *
 *	question  FRAME and "before": [FRAME, ...], what that host has had of this trace already
 *	answer    {"there": LEG, "back": LEG of the reply, or null}
 *	LEG       {"verdict", "reason", "sentence", "object", "to", "stages"}; and where the packet goes on to another
 *	          host its FRAME and "next", the name of that host
 *	FRAME     {"frame": the outer packet; or with "wire", a subnet's id, the frame on its wire}
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
 * struct trace_frame - a packet between two hosts
 * @bytes: as it left the one, of @size bytes; NULL: none; owned by who has the struct
 * @wire: the subnet on whose wire it did; 0: by a tunnel
 */
struct trace_frame {
	uint8_t *bytes;
	size_t size;
	uint32_t wire;
};

/**
 * struct trace_told - what another host said of one leg
 * @verdict: {"verdict", "reason", "sentence", "object", "to"}; NULL: no such leg; owned
 * @stages: array; owned
 * @frame: the packet as it left that host
 * @next: the name of the host it left for
 */
struct trace_told {
	json_t *verdict;
	json_t *stages;
	struct trace_frame frame;
	char next[NAME_SIZE];
};

/** struct trace_answer - all that it said; release with trace_answer_fini() */
struct trace_answer {
	struct trace_told there, back;
};

/**
 * trace_question - the question about a packet that has left for another host
 * @before: the others of the same trace that went there, @count of them
 *
 * Return: new reference.
 */
json_t *trace_question(const struct trace_frame *left, const struct trace_frame *const *before,
		       size_t count);

/** trace_arrive - run a packet as it comes from another host. Return: 0 or less */
int trace_arrive(struct datapath *datapath, const struct trace_frame *arriving,
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
