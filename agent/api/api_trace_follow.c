/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A traced packet followed to where it ends, and its reply back.
 *
 *	port -> this host -> [other host -> [...]] port -> [...] -> this host -> port
 *
 * What this host does is known at once. When the packet goes to another host, that host is asked
 * and the answer to the client waits for it, at most a few seconds; the loop goes on. That host may
 * be the VPC's router, which passes it on to a third, or back to here. Nothing is kept between two
 * visits of a host; so that the second belongs to a connection, what was there before is run again.
 *
 * Neighbours: api_trace.c (the packet), trace_leg.h, trace_remote.h, question.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/api/api_private.h"
#include "agent/api/question.h"
#include "agent/cluster/cluster.h"
#include "agent/devices/ports.h"
#include "agent/names.h"
#include "agent/observe/trace_leg.h"
#include "agent/observe/trace_remote.h"

#define ANSWER_SECONDS 3
#define VISITS_MAX 8

/**
 * struct visit - the packet, or its reply, at a host
 * @host: its name
 * @port_id: a port of this host has sent it; 0: it has come from another host
 * @frame: owned
 */
struct visit {
	char host[NAME_SIZE];
	uint32_t port_id;
	struct trace_frame frame;
};

/**
 * struct follow - a packet on its way
 * @document: the answer to the client so far
 * @back: the part of it about the reply, borrowed; NULL: there is none yet
 */
struct follow {
	struct api_later later;
	struct api *api;
	struct question *question;
	struct visit visits[VISITS_MAX];
	size_t visit_count;
	json_t *document, *back;
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

/* The way of a packet is shown whether the port can send one now or not. */
static void say_whether_here(const struct follow *follow, uint32_t port_id)
{
	struct reconcile *reconcile = follow->api->reconcile;
	json_t *status = ports_status_json(reconcile_ports(reconcile), port_id);
	const char *state = json_string_value(json_object_get(status, "state"));
	const char *reason = json_string_value(json_object_get(status, "reason"));
	const char *host = json_string_value(json_object_get(status, "host"));
	char port[400], note[800] = "";

	if (!intent_describe(reconcile_intent(reconcile), port_id, port, sizeof(port)))
		port[0] = '\0';
	if (strcmp(state, "elsewhere") == 0 && *host)
		snprintf(note, sizeof(note),
			 "%s is on host %s, nothing of it begins here: trace it there", port, host);
	else if (strcmp(state, "elsewhere") == 0)
		snprintf(note, sizeof(note), "%s is on no host, nothing leaves it", port);
	else if (strcmp(state, "waiting") == 0 || strcmp(state, "failed") == 0)
		snprintf(note, sizeof(note), "%s is not plugged in, nothing leaves it now: %s",
			 port, reason ? reason : state);
	if (*note)
		json_object_set_new(follow->document, "note", json_string(note));
	json_decref(status);
}

static json_t *stages_of(const json_t *document)
{
	return json_object_get(document, "stages");
}

/* What is being followed now. */
static json_t *about_of(struct follow *follow)
{
	return follow->back ? follow->back : follow->document;
}

/* The part about the way back begins with the next stage. */
static void begin_back(struct follow *follow)
{
	follow->back = json_pack("{s:I}", "first_stage",
				 (json_int_t)json_array_size(stages_of(follow->document)));
	json_object_set_new(follow->document, "back", follow->back);
}

/* Where the packet is now is what a leg says of it, whatever was said before. */
static void take_verdict(struct follow *follow, json_t *verdict)
{
	json_object_update(about_of(follow), verdict);
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

/* ---- visits ---- */

/* @bytes are copied. False: it has been at too many hosts. */
static bool add_visit(struct follow *follow, const char *host, uint32_t port_id,
		      const uint8_t *bytes, size_t size, uint32_t wire)
{
	struct visit *visit = &follow->visits[follow->visit_count];

	if (follow->visit_count == VISITS_MAX)
		return false;
	follow->visit_count++;
	snprintf(visit->host, sizeof(visit->host), "%s", host);
	visit->port_id = port_id;
	visit->frame = (struct trace_frame){ xmalloc(size), size, wire };
	memcpy(visit->frame.bytes, bytes, size);
	return true;
}

static bool is_here(const struct follow *follow, const struct visit *visit)
{
	return strcmp(visit->host, reconcile_host(follow->api->reconcile)) == 0;
}

static void follow_free(struct api_later *later)
{
	struct follow *follow = container_of(later, struct follow, later);

	question_drop(follow->question);
	json_decref(follow->document);
	for (size_t i = 0; i < follow->visit_count; i++)
		free(follow->visits[i].frame.bytes);
	api_response_fini(&follow->later.response);
	free(follow);
}

/* ---- this host ---- */

/* All visits of this host, the last one last; its result is what counts. Return: 0 or negative. */
static int run_visits(struct follow *follow)
{
	struct datapath *datapath = follow->api->datapath;
	int code = 0;

	for (size_t i = 0; i < follow->visit_count && !code; i++) {
		const struct visit *visit = &follow->visits[i];

		if (!is_here(follow, visit))
			continue;
		code = visit->port_id
			       ? datapath_trace_port(datapath, visit->port_id, visit->frame.bytes,
						     visit->frame.size, &result)
			       : trace_arrive(datapath, &visit->frame, &result);
	}
	return code;
}

static void take_result(struct follow *follow)
{
	struct reconcile *reconcile = follow->api->reconcile;

	take_verdict(follow, trace_leg_verdict(reconcile, &result));
	trace_leg_stages(reconcile, &result, stages_of(follow->document));
}

/* The reply of the port that the packet has come to. False: there is none. */
static bool run_reply(struct follow *follow)
{
	struct api *api = follow->api;
	size_t size = trace_leg_reply(api->reconcile, &result, reply_frame);
	const uint32_t port_id = result.out_port_id;

	if (!size ||
	    !add_visit(follow, reconcile_host(api->reconcile), port_id, reply_frame, size, 0) ||
	    datapath_trace_port(api->datapath, port_id, reply_frame, size, &result))
		return false;
	begin_back(follow);
	take_result(follow);
	return true;
}

/*
 * The last visit was of this host: what becomes of the packet here, and of its reply. Return: 0
 * with the host that it has left for in *next and `result`, or NULL; or negative.
 */
static int run_here(struct follow *follow, const struct object **next)
{
	struct api *api = follow->api;
	int code = datapath_trace_begin(api->datapath);

	*next = NULL;
	if (code)
		return code;
	code = run_visits(follow);
	if (!code) {
		take_result(follow);
		if (!json_object_get(follow->document, "frame"))
			json_object_set_new(follow->document, "frame",
					    trace_frame_json(result.frame, result.frame_size));
		*next = trace_leg_next(api->reconcile, &result);
		if (!*next && !follow->back && run_reply(follow))
			*next = trace_leg_next(api->reconcile, &result);
	}
	datapath_trace_end();
	return code;
}

/* ---- the other hosts ---- */

static void follow_answered(void *context, const json_t *document);

static uint32_t host_id_of(const struct follow *follow, const char *name)
{
	const struct host_object *host =
		intent_host(reconcile_intent(follow->api->reconcile), name);

	return host ? host->object.id : 0;
}

/* Asks the host of the last visit. Return: whether an answer is to come. */
static bool ask(struct follow *follow)
{
	struct questions *questions = follow->api->cluster ? cluster_questions(follow->api->cluster)
							   : NULL;
	const struct visit *last = &follow->visits[follow->visit_count - 1];
	const struct trace_frame *before[VISITS_MAX];
	uint32_t host_id = host_id_of(follow, last->host);
	struct error error = { 0 };
	size_t count = 0;
	char text[160];
	int code = -ENOTSUP;
	json_t *question;

	for (const struct visit *visit = follow->visits; visit < last; visit++)
		if (strcmp(visit->host, last->host) == 0)
			before[count++] = &visit->frame;
	question = trace_question(&last->frame, before, count);
	if (questions && host_id)
		code = questions_ask(questions, host_id, question,
				     ANSWER_SECONDS * CLOCK_NS_PER_SECOND, follow_answered, follow,
				     &follow->question, &error);
	json_decref(question);
	if (!code)
		return true;
	snprintf(text, sizeof(text), "cannot be asked: %.120s",
		 error.code ? error.text : "this host has no store in common with it");
	say_lost(about_of(follow), stages_of(follow->document), last->host, text);
	return false;
}

/* The packet is on its way to a host. Return: whether an answer is to come. */
static bool go_on(struct follow *follow, const char *host, const uint8_t *bytes, size_t size,
		  uint32_t wire)
{
	const struct object *next;

	if (!add_visit(follow, host, 0, bytes, size, wire)) {
		say_lost(about_of(follow), stages_of(follow->document), host,
			 "is one of too many to follow it to");
		return false;
	}
	if (!is_here(follow, &follow->visits[follow->visit_count - 1]))
		return ask(follow);
	if (run_here(follow, &next) || !next)
		return false;
	/* It comes here once in each direction, and leaves for others after that. */
	return add_visit(follow, next->name, 0, result.frame, result.frame_size,
			 result.wire_subnet_id) &&
	       ask(follow);
}

/* Return: whether another answer is to come. */
static bool take_answer(struct follow *follow, struct trace_answer *answer)
{
	struct trace_told *told = &answer->there;

	json_array_extend(stages_of(follow->document), told->stages);
	json_object_update(about_of(follow), told->verdict);
	if (!told->frame.bytes && !follow->back && answer->back.verdict) {
		told = &answer->back;
		begin_back(follow);
		json_object_update(follow->back, told->verdict);
		json_array_extend(stages_of(follow->document), told->stages);
	}
	return told->frame.bytes &&
	       go_on(follow, told->next, told->frame.bytes, told->frame.size, told->frame.wire);
}

static void follow_answered(void *context, const json_t *document)
{
	struct follow *follow = context;
	const char *host = follow->visits[follow->visit_count - 1].host;
	struct trace_answer answer;
	struct error error = { 0 };
	bool more = false;
	char text[64];

	follow->question = NULL;
	snprintf(text, sizeof(text), "did not answer within %d s", ANSWER_SECONDS);
	if (!document) {
		say_lost(about_of(follow), stages_of(follow->document), host, text);
	} else if (trace_answer_read(document, host, &answer, &error)) {
		say_lost(about_of(follow), stages_of(follow->document), host,
			 "gave an answer that is not understood");
	} else {
		more = take_answer(follow, &answer);
		trace_answer_fini(&answer);
	}
	if (more)
		return;
	api_response_json(&follow->later.response, 200, json_incref(follow->document));
	follow->later.ready = true;
	follow->later.wake(follow->later.wake_context);
}

void api_trace_follow(struct api_call *call, uint32_t port_id, const uint8_t *frame, size_t size)
{
	struct follow *follow = xcalloc(1, sizeof(*follow));
	const struct object *next;
	int code;

	follow->api = call->api;
	follow->later.free = follow_free;
	follow->document = json_pack("{s:[]}", "stages");
	say_whether_here(follow, port_id);
	add_visit(follow, reconcile_host(call->api->reconcile), port_id, frame, size, 0);
	code = run_here(follow, &next);
	if (code) {
		fail_trace(call, code);
	} else if (next &&
		   add_visit(follow, next->name, 0, result.frame, result.frame_size,
			     result.wire_subnet_id) &&
		   ask(follow)) {
		call->response->later = &follow->later;
		return;
	} else {
		api_json(call, 200, json_incref(follow->document));
	}
	follow_free(&follow->later);
}
