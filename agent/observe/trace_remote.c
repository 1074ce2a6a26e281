/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Questions and answers about packets; see trace_remote.h.
 */
#include "agent/observe/trace_remote.h"

#include <errno.h>
#include <string.h>

#include "agent/names.h"
#include "agent/observe/probe.h"
#include "agent/observe/trace_leg.h"
#include "base/alloc.h"
#include "base/json.h"

#define HEX_LENGTH_MAX (2 * TRACE_FRAME_MAX)
#define TEXT_LENGTH_MAX 500
#define WORD_LENGTH_MAX 64

/* Kept between calls: a result has room for the largest frame. One thread. */
static struct trace_result result;
static uint8_t frame[TRACE_FRAME_MAX];

json_t *trace_question(const struct trace_result *left)
{
	json_t *question =
		json_pack("{s:o}", "frame", trace_frame_json(left->frame, left->frame_size));

	if (left->wire_subnet_id)
		json_object_set_new(question, "wire", json_integer(left->wire_subnet_id));
	return question;
}

int trace_arrive(struct datapath *datapath, uint32_t wire, const uint8_t *bytes, size_t size,
		 struct trace_result *arrived)
{
	return wire ? datapath_trace_wire(datapath, wire, bytes, size, arrived)
		    : datapath_trace_underlay(datapath, bytes, size, arrived);
}

/* ---- answering ---- */

static json_t *leg_json(struct reconcile *reconcile)
{
	json_t *leg = trace_leg_verdict(reconcile, &result), *stages = json_array();

	trace_leg_stages(reconcile, &result, stages);
	json_object_set_new(leg, "stages", stages);
	return leg;
}

static json_t *outer_json(struct reconcile *reconcile)
{
	return trace_leg_next(reconcile, &result)
		       ? trace_frame_json(result.frame, result.frame_size)
		       : json_null();
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
		size = trace_leg_reply(reconcile, &result, frame);
		if (!size ||
		    datapath_trace_port(datapath, result.out_port_id, frame, size, &result))
			return json_null();
		back = leg_json(reconcile);
	}
	json_object_set_new(back, "frame", outer_json(reconcile));
	if (result.wire_subnet_id)
		json_object_set_new(back, "wire", json_integer(result.wire_subnet_id));
	return back;
}

static uint32_t read_wire(struct json_reader *reader)
{
	int64_t wire = 0;

	json_reader_integer(reader, "wire", JSON_OPTIONAL, 1, UINT32_MAX, &wire);
	return (uint32_t)wire;
}

static int read_question(const json_t *question, size_t *size, uint32_t *wire)
{
	struct json_reader reader;
	struct error error = { 0 };
	const char *hex = "";

	json_reader_init(&reader, (json_t *)question, "", &error);
	json_reader_text(&reader, "frame", JSON_REQUIRED, HEX_LENGTH_MAX, &hex);
	*wire = read_wire(&reader);
	if (json_reader_finish(&reader))
		return error.code;
	return probe_parse_hex(hex, frame, sizeof(frame), size, &error);
}

json_t *trace_answer_make(struct datapath *datapath, struct reconcile *reconcile,
			  const json_t *question)
{
	json_t *there, *back;
	size_t size = 0;
	uint32_t wire;

	if (read_question(question, &size, &wire) || datapath_trace_begin(datapath))
		return NULL;
	if (trace_arrive(datapath, wire, frame, size, &result)) {
		datapath_trace_end();
		return NULL;
	}
	there = leg_json(reconcile);
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

static void read_frame(struct json_reader *reader, struct trace_answer *answer)
{
	struct error error = { 0 };
	const char *hex = NULL;
	size_t size;

	if (!json_reader_text(reader, "frame", JSON_OPTIONAL, HEX_LENGTH_MAX, &hex))
		return;
	if (probe_parse_hex(hex, frame, sizeof(frame), &size, &error)) {
		json_reader_fail(reader, "frame", EINVAL, "%s", error.text);
		return;
	}
	answer->frame = xmalloc(size);
	memcpy(answer->frame, frame, size);
	answer->frame_size = size;
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
		code = json_reader_finish(&there);
	}
	if (!code && json_reader_object(&reader, "back", JSON_OPTIONAL, &back)) {
		read_leg(&back, host, &answer->back);
		read_frame(&back, answer);
		answer->wire = read_wire(&back);
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
	free(answer->frame);
	*answer = (struct trace_answer){ 0 };
}
