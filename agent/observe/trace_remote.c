/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions and answers about packets; see trace_remote.h.
 */
#include "agent/observe/trace_remote.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "agent/names.h"
#include "agent/observe/probe.h"
#include "agent/observe/trace_leg.h"
#include "base/alloc.h"
#include "base/json.h"

#define HEX_LENGTH_MAX (2 * TRACE_FRAME_MAX)
#define TEXT_LENGTH_MAX 500
#define WORD_LENGTH_MAX 64
#define BEFORE_MAX 8

/* Kept between calls: a result has room for the largest frame. One thread. */
static struct trace_result result;
static uint8_t frame[TRACE_FRAME_MAX], bytes[TRACE_FRAME_MAX];

static json_t *frame_json(const struct trace_frame *left)
{
	json_t *document = json_pack("{s:o}", "frame", trace_frame_json(left->bytes, left->size));

	if (left->wire)
		json_object_set_new(document, "wire", json_integer(left->wire));
	return document;
}

json_t *trace_question(const struct trace_frame *left, const struct trace_frame *const *before,
		       size_t count)
{
	json_t *question = frame_json(left), *list = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, frame_json(before[i]));
	json_object_set_new(question, "before", list);
	return question;
}

int trace_arrive(struct datapath *datapath, const struct trace_frame *arriving,
		 struct trace_result *arrived)
{
	return arriving->wire ? datapath_trace_wire(datapath, arriving->wire, arriving->bytes,
						    arriving->size, arrived)
			      : datapath_trace_underlay(datapath, arriving->bytes, arriving->size,
							arrived);
}

/* ---- answering ---- */

static json_t *leg_json(struct reconcile *reconcile)
{
	json_t *leg = trace_leg_verdict(reconcile, &result), *stages = json_array();

	trace_leg_stages(reconcile, &result, stages);
	json_object_set_new(leg, "stages", stages);
	return leg;
}

/* Where the packet of a leg has gone on to another host. */
static void say_next(struct reconcile *reconcile, json_t *leg)
{
	const struct object *next = trace_leg_next(reconcile, &result);
	const struct trace_frame left = { result.frame, result.frame_size, result.wire_subnet_id };
	json_t *frame_document;

	if (!next)
		return;
	frame_document = frame_json(&left);
	json_object_update(leg, frame_document);
	json_object_set_new(leg, "next", json_string(next->name));
	json_decref(frame_document);
}

/* The reply of the port, or what the pipeline itself sent back. */
static json_t *back_json(struct datapath *datapath, struct reconcile *reconcile)
{
	json_t *back;
	size_t size;

	if (result.answers && trace_leg_next(reconcile, &result)) {
		back = trace_leg_verdict(reconcile, &result);
		json_object_set_new(back, "stages", json_array());
	} else {
		size = trace_leg_reply(reconcile, &result, bytes);
		if (!size ||
		    datapath_trace_port(datapath, result.out_port_id, bytes, size, &result))
			return json_null();
		back = leg_json(reconcile);
	}
	say_next(reconcile, back);
	return back;
}

static uint32_t read_wire(struct json_reader *reader)
{
	int64_t wire = 0;

	json_reader_integer(reader, "wire", JSON_OPTIONAL, 1, UINT32_MAX, &wire);
	return (uint32_t)wire;
}

/* @arriving: its bytes are room for TRACE_FRAME_MAX. Return: 0 or negative. */
static int read_arriving(struct json_reader *reader, struct trace_frame *arriving)
{
	struct error error = { 0 };
	const char *hex = "";

	json_reader_text(reader, "frame", JSON_REQUIRED, HEX_LENGTH_MAX, &hex);
	arriving->wire = read_wire(reader);
	if (json_reader_failed(reader))
		return -EINVAL;
	return probe_parse_hex(hex, arriving->bytes, TRACE_FRAME_MAX, &arriving->size, &error);
}

/* What came here before makes the connections that the packet belongs to. Return: 0 or negative. */
static int run_before(struct datapath *datapath, const json_t *before)
{
	struct trace_frame arriving = { .bytes = bytes };
	const json_t *element;
	size_t index;

	json_array_foreach(before, index, element) {
		struct json_reader reader;
		struct error error = { 0 };

		json_reader_init(&reader, (json_t *)element, "", &error);
		if (read_arriving(&reader, &arriving) || json_reader_finish(&reader) ||
		    trace_arrive(datapath, &arriving, &result))
			return -EINVAL;
	}
	return 0;
}

static int read_question(const json_t *question, struct trace_frame *arriving, json_t **before)
{
	struct json_reader reader;
	struct error error = { 0 };

	*before = NULL;
	json_reader_init(&reader, (json_t *)question, "", &error);
	json_reader_array(&reader, "before", JSON_OPTIONAL, BEFORE_MAX, before);
	if (read_arriving(&reader, arriving))
		return -EINVAL;
	return json_reader_finish(&reader);
}

json_t *trace_answer_make(struct datapath *datapath, struct reconcile *reconcile,
			  const json_t *question)
{
	struct trace_frame arriving = { .bytes = frame };
	json_t *there, *back, *before;

	if (read_question(question, &arriving, &before) || datapath_trace_begin(datapath))
		return NULL;
	if (run_before(datapath, before) || trace_arrive(datapath, &arriving, &result)) {
		datapath_trace_end();
		return NULL;
	}
	there = leg_json(reconcile);
	if (!result.answers)
		say_next(reconcile, there);
	back = back_json(datapath, reconcile);
	datapath_trace_end();
	return json_pack("{s:o, s:o}", "there", there, "back", back);
}

/* ---- reading ---- */

/* Text or null. Return: new reference. */
static json_t *read_name(struct json_reader *reader, const char *key)
{
	const char *text = NULL;

	json_reader_text(reader, key, JSON_OPTIONAL, TEXT_LENGTH_MAX, &text);
	return text ? json_string(text) : json_null();
}

static json_t *read_stage(struct json_reader *reader, const char *host)
{
	const char *said = "", *stage = "", *text = "";
	json_t *object;

	json_reader_text(reader, "host", JSON_REQUIRED, WORD_LENGTH_MAX, &said);
	json_reader_text(reader, "stage", JSON_REQUIRED, WORD_LENGTH_MAX, &stage);
	json_reader_text(reader, "result", JSON_REQUIRED, TEXT_LENGTH_MAX, &text);
	object = read_name(reader, "object");
	json_reader_finish(reader);
	return trace_stage_json(host, stage, text, object);
}

static json_t *read_to(struct json_reader *reader)
{
	const char *host = "", *port = "";
	struct json_reader to;

	if (!json_reader_object(reader, "to", JSON_OPTIONAL, &to))
		return json_null();
	json_reader_text(&to, "host", JSON_REQUIRED, WORD_LENGTH_MAX, &host);
	json_reader_text(&to, "port", JSON_REQUIRED, PATH_NAME_SIZE, &port);
	if (json_reader_finish(&to))
		json_reader_fail(reader, "to", EINVAL, "not where a packet goes");
	return json_pack("{s:s, s:s}", "host", host, "port", port);
}

static void read_leg(struct json_reader *reader, const char *host, struct trace_told *told)
{
	const char *verdict = "", *reason = "", *sentence = "";
	json_t *stages = NULL, *stage, *object;
	size_t index;

	json_reader_text(reader, "verdict", JSON_REQUIRED, WORD_LENGTH_MAX, &verdict);
	json_reader_text(reader, "reason", JSON_REQUIRED, WORD_LENGTH_MAX, &reason);
	json_reader_text(reader, "sentence", JSON_REQUIRED, TEXT_LENGTH_MAX, &sentence);
	if (strcmp(verdict, "delivered") != 0 && strcmp(verdict, "dropped") != 0)
		json_reader_fail(reader, "verdict", EINVAL, "neither delivered nor dropped");
	object = read_name(reader, "object");
	told->verdict = json_pack("{s:s, s:s, s:s, s:o, s:o}", "verdict", verdict, "reason", reason,
				  "sentence", sentence, "object", object, "to", read_to(reader));
	told->stages = json_array();
	json_reader_array(reader, "stages", JSON_REQUIRED, TRACE_STAGES_MAX, &stages);
	json_array_foreach(stages, index, stage) {
		struct json_reader element;

		json_reader_element(reader, "stages", index, stage, &element);
		json_array_append_new(told->stages, read_stage(&element, host));
		if (json_reader_failed(&element))
			json_reader_fail(reader, "stages", EINVAL, "not a list of stages");
	}
}

static void read_next(struct json_reader *reader, struct trace_told *told)
{
	struct error error = { 0 };
	const char *hex = NULL, *next;
	size_t size;

	if (json_reader_text(reader, "next", JSON_OPTIONAL, NAME_SIZE - 1, &next))
		snprintf(told->next, sizeof(told->next), "%s", next);
	told->frame.wire = read_wire(reader);
	if (!json_reader_text(reader, "frame", JSON_OPTIONAL, HEX_LENGTH_MAX, &hex))
		return;
	if (!told->next[0] || probe_parse_hex(hex, frame, sizeof(frame), &size, &error)) {
		json_reader_fail(reader, "frame", EINVAL, "%s",
				 error.code ? error.text : "goes to no host");
		return;
	}
	told->frame.bytes = xmalloc(size);
	memcpy(told->frame.bytes, frame, size);
	told->frame.size = size;
}

int trace_answer_read(const json_t *document, const char *host, struct trace_answer *answer,
		      struct error *error)
{
	struct json_reader reader, there, back;
	int code = 0;

	*answer = (struct trace_answer){ 0 };
	json_reader_init(&reader, (json_t *)document, "", error);
	if (json_reader_object(&reader, "there", JSON_REQUIRED, &there)) {
		read_leg(&there, host, &answer->there);
		read_next(&there, &answer->there);
		code = json_reader_finish(&there);
	}
	if (!code && json_reader_object(&reader, "back", JSON_OPTIONAL, &back)) {
		read_leg(&back, host, &answer->back);
		read_next(&back, &answer->back);
		code = json_reader_finish(&back);
	}
	if (!code)
		code = json_reader_finish(&reader);
	if (code)
		trace_answer_fini(answer);
	return code;
}

void trace_answer_fini(struct trace_answer *answer)
{
	json_decref(answer->there.verdict);
	json_decref(answer->there.stages);
	json_decref(answer->back.verdict);
	json_decref(answer->back.stages);
	free(answer->there.frame.bytes);
	free(answer->back.frame.bytes);
	*answer = (struct trace_answer){ 0 };
}
