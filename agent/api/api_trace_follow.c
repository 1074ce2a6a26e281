/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A traced packet followed to where it ends, and its reply back.
 *
 *	port -> this host -> [other host -> port -> other host ->] this host -> port
 *
 * What this host does is known at once. When the packet goes to another host, that host is asked and the
 * answer to the client waits for it, at most a few seconds; the loop goes on. For the reply to belong
 * to a connection, this host's first leg is run again before it: nothing is kept between the two.
 *
 * Neighbours: api_trace.c (the packet), trace_leg.h, trace_remote.h, question.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/api_private.h"
#include "agent/api/question.h"
#include "agent/cluster/cluster.h"
#include "agent/names.h"
#include "agent/observe/trace_leg.h"
#include "agent/observe/trace_remote.h"

#define ANSWER_SECONDS 3

/**
 * struct follow - a packet on another host
 * @frame: as the port sent it
 * @document: the answer to the client so far
 * @next: name of the other host
 */
struct follow {
	struct api_later later;
	struct api *api;
	struct question *question;
	uint32_t port_id;
	uint8_t *frame;
	size_t frame_size;
	json_t *document;
	char next[NAME_SIZE];
};

/* Kept between calls: a result has room for the largest frame. One thread. */
static struct trace_result result;
static uint8_t reply_frame[TRACE_FRAME_MAX];

static void fail_trace(struct api_call *call, int code)
{
	struct error error = { 0 };

	if (code == -ENOENT)
		error_set(&error, ENOTSUP, "port", "the port is not in the datapath: %s",
			  "weft port show says what it waits for");
	else if (code == -ENOTSUP)
		error_set(&error, ENOTSUP, NULL, "this datapath cannot trace");
	else
		error_set(&error, code == -EMSGSIZE ? EMSGSIZE : EIO, NULL, "the trace failed: %s",
			  strerror(-code));
	api_fail(call, &error);
}

/* ---- the document ---- */

static json_t *stages_of(const json_t *document)
{
	return json_object_get(document, "stages");
}

/* The part about the way back begins with the next stage. */
static void begin_back(json_t *document, json_t *verdict)
{
	json_object_set_new(verdict, "first_stage",
			    json_integer((json_int_t)json_array_size(stages_of(document))));
	json_object_set_new(document, "back", verdict);
}

/* Where the packet is now is what a leg says of it, whatever was said before. */
static void take_verdict(json_t *about, json_t *verdict)
{
	json_object_update(about, verdict);
	json_decref(verdict);
}

/* All that is known is that the packet is on its way. */
static void say_lost(json_t *about, json_t *stages, const char *host, const char *why)
{
	char text[200];

	snprintf(text, sizeof(text), "sent to host %s, which %s", host, why);
	json_object_set_new(about, "verdict", json_string("sent"));
	json_object_set_new(about, "sentence", json_string(text));
	snprintf(text, sizeof(text), "host %s %s", host, why);
	json_array_append_new(stages,
			      trace_stage_json(host, names_stage(STAGE_TUNNEL), text, json_null()));
}

/* ---- this host ---- */

/* A reply from a port of this host; over a tunnel no further than to the other host's door. */
static void trace_reply(struct api *api, json_t *document)
{
	size_t size = trace_leg_reply(api->reconcile, &result, reply_frame);
	const struct object *next;
	json_t *back;

	if (!size ||
	    datapath_trace_port(api->datapath, result.out_port_id, reply_frame, size, &result))
		return;
	back = trace_leg_verdict(api->reconcile, &result);
	begin_back(document, back);
	trace_leg_stages(api->reconcile, &result, stages_of(document));
	next = trace_leg_next(api->reconcile, &result);
	if (next)
		say_lost(back, stages_of(document), next->name, "is not asked about a reply");
}

/* The reply comes out of the tunnel, or by the wire. */
static void trace_return(struct follow *follow, const struct trace_answer *answer, json_t *back)
{
	struct api *api = follow->api;

	if (datapath_trace_begin(api->datapath))
		return;
	if (!datapath_trace_port(api->datapath, follow->port_id, follow->frame, follow->frame_size,
				 &result) &&
	    !trace_arrive(api->datapath, answer->wire, answer->frame, answer->frame_size,
			  &result)) {
		trace_leg_stages(api->reconcile, &result, stages_of(follow->document));
		take_verdict(back, trace_leg_verdict(api->reconcile, &result));
	}
	datapath_trace_end();
}

/* ---- the other host ---- */

static void take_answer(struct follow *follow, const struct trace_answer *answer)
{
	json_t *stages = stages_of(follow->document), *back;

	json_array_extend(stages, answer->there.stages);
	json_object_update(follow->document, answer->there.verdict);
	if (!answer->back.verdict)
		return;
	back = json_copy(answer->back.verdict);
	begin_back(follow->document, back);
	json_array_extend(stages, answer->back.stages);
	if (answer->frame)
		trace_return(follow, answer, back);
}

static void follow_free(struct api_later *later)
{
	struct follow *follow = container_of(later, struct follow, later);

	question_drop(follow->question);
	json_decref(follow->document);
	free(follow->frame);
	api_response_fini(&follow->later.response);
	free(follow);
}

static void follow_finish(struct follow *follow)
{
	api_response_json(&follow->later.response, 200, json_incref(follow->document));
	follow->later.ready = true;
	follow->later.wake(follow->later.wake_context);
}

static void follow_answered(void *context, const json_t *document)
{
	struct follow *follow = context;
	struct trace_answer answer;
	struct error error = { 0 };
	char text[64];

	follow->question = NULL;
	snprintf(text, sizeof(text), "did not answer within %d s", ANSWER_SECONDS);
	if (!document) {
		say_lost(follow->document, stages_of(follow->document), follow->next, text);
	} else if (trace_answer_read(document, follow->next, &answer, &error)) {
		say_lost(follow->document, stages_of(follow->document), follow->next,
			 "gave an answer that is not understood");
	} else {
		take_answer(follow, &answer);
		trace_answer_fini(&answer);
	}
	follow_finish(follow);
}

/* The answer comes later, or it is known now that there will be none. */
static void follow_ask(struct api_call *call, const struct object *next, uint32_t port_id,
		       const uint8_t *frame, size_t size, json_t *document)
{
	struct questions *questions = call->api->cluster ? cluster_questions(call->api->cluster)
							 : NULL;
	struct follow *follow = xcalloc(1, sizeof(*follow));
	json_t *question = trace_question(&result);
	struct error error = { 0 };
	char text[160];
	int code = -ENOTSUP;

	follow->api = call->api;
	follow->port_id = port_id;
	follow->frame = xmalloc(size);
	memcpy(follow->frame, frame, size);
	follow->frame_size = size;
	follow->document = json_incref(document);
	follow->later.free = follow_free;
	snprintf(follow->next, sizeof(follow->next), "%s", next->name);
	if (questions)
		code = questions_ask(questions, next->id, question,
				     ANSWER_SECONDS * CLOCK_NS_PER_SECOND, follow_answered, follow,
				     &follow->question, &error);
	json_decref(question);
	if (!code) {
		call->response->later = &follow->later;
	} else {
		follow_free(&follow->later);
		snprintf(text, sizeof(text), "cannot be asked: %.120s",
			 error.code ? error.text : "this host has no store in common with it");
		say_lost(document, stages_of(document), next->name, text);
		api_json(call, 200, json_incref(document));
	}
}

void api_trace_follow(struct api_call *call, uint32_t port_id, const uint8_t *frame, size_t size)
{
	struct api *api = call->api;
	const struct object *next;
	json_t *document;
	int code = datapath_trace_begin(api->datapath);

	if (!code) {
		code = datapath_trace_port(api->datapath, port_id, frame, size, &result);
		if (code)
			datapath_trace_end();
	}
	if (code) {
		fail_trace(call, code);
		return;
	}
	document = trace_leg_verdict(api->reconcile, &result);
	json_object_set_new(document, "stages", json_array());
	trace_leg_stages(api->reconcile, &result, stages_of(document));
	json_object_set_new(document, "frame", trace_frame_json(result.frame, result.frame_size));
	next = trace_leg_next(api->reconcile, &result);
	if (!next)
		trace_reply(api, document);
	datapath_trace_end();
	if (next)
		follow_ask(call, next, port_id, frame, size, document);
	else
		api_json(call, 200, json_incref(document));
	json_decref(document);
}
