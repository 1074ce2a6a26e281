/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One host's part of a trace; see trace_leg.h.
 */
#include "agent/observe/trace_leg.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "agent/names.h"
#include "agent/observe/probe.h"
#include "base/alloc.h"

#define RATE_TEXT_SIZE 200

/* Out of a NIC of the underlay, what is no packet for a tunnel goes to the host's own stack and nobody else. */
static bool is_dropped(const struct trace_result *result)
{
	return names_verdict_is_drop(result->verdict) || result->verdict == VERDICT_NOT_OURS;
}

json_t *trace_stage_json(const char *host, const char *stage, const char *result, json_t *object)
{
	return json_pack("{s:s, s:s, s:s, s:o}", "host", host, "stage", stage, "result", result,
			 "object", object);
}

/* What a rate is, behind the sentence that there is one. */
static void say_rate(const struct intent *intent, const struct trace_step *step,
		     char text[RATE_TEXT_SIZE])
{
	const struct object *object = intent_object(intent, step->object_id);
	const struct port_object *port = (const struct port_object *)object;
	const char *sentence = names_note_sentence(step->note);

	snprintf(text, RATE_TEXT_SIZE, "%s", sentence);
	if (!object || object->kind != OBJECT_PORT)
		return;
	if (step->note == NOTE_RATE_SENDS)
		snprintf(text, RATE_TEXT_SIZE, "%s %" PRIu64 " bit/s, of", sentence,
			 port->send_rate);
	else if (step->note == NOTE_RATE_QUEUE && port->receive_rate)
		snprintf(text, RATE_TEXT_SIZE,
			 "through a queue that gives it %" PRIu64 " bit/s; of", port->receive_rate);
}

void trace_leg_stages(struct reconcile *reconcile, const struct trace_result *result,
		      json_t *stages)
{
	const struct intent *intent = reconcile_intent(reconcile);
	const char *host = reconcile_host(reconcile);

	for (size_t i = 0; i < result->step_count; i++) {
		enum note note = result->steps[i].note;
		json_t *object = names_object(intent, result->steps[i].object_id);
		char text[RATE_TEXT_SIZE];

		say_rate(intent, &result->steps[i], text);

		json_array_append_new(stages,
				      trace_stage_json(host, names_stage(names_note_stage(note)),
						       text, object));
	}
	if (is_dropped(result))
		json_array_append_new(stages,
				      trace_stage_json(host, names_stage(result->stage),
						       names_verdict_sentence(result->verdict),
						       names_object(intent, result->object_id)));
}

const struct object *trace_leg_next(struct reconcile *reconcile, const struct trace_result *result)
{
	const struct intent *intent = reconcile_intent(reconcile);
	const struct host_object *own = intent_own_host(intent);
	const struct object *host;

	if (!result->next_host_id || (own && own->object.id == result->next_host_id))
		return NULL;
	host = intent_object(intent, result->next_host_id);
	return host && host->kind == OBJECT_HOST ? host : NULL;
}

json_t *trace_leg_verdict(struct reconcile *reconcile, const struct trace_result *result)
{
	const struct intent *intent = reconcile_intent(reconcile);
	const struct object *next = trace_leg_next(reconcile, result);
	bool dropped = is_dropped(result);
	json_t *to = json_null();

	if (!dropped && result->out_port_id)
		to = json_pack("{s:s, s:o}", "host", next ? next->name : reconcile_host(reconcile),
			       "port", names_port(intent, result->out_port_id));
	return json_pack("{s:s, s:s, s:s, s:o, s:o}", "verdict", dropped ? "dropped" : "delivered",
			 "reason", names_verdict(result->verdict), "sentence",
			 names_verdict_sentence(result->verdict), "object",
			 names_object(intent, result->object_id), "to", to);
}

/* Only the packet's addressee answers; a port that packets are routed through sends them on. */
static bool is_addressee(const struct intent *intent, const struct port_object *port,
			 const struct probe *reply)
{
	if (!port->address_count)
		return memcmp(&reply->source_mac, &port->mac, sizeof(port->mac)) == 0;
	return intent_address_owner(intent, port->object.vpc_id, &reply->source) == port->object.id;
}

size_t trace_leg_reply(struct reconcile *reconcile, const struct trace_result *result,
		       uint8_t *frame)
{
	const struct intent *intent = reconcile_intent(reconcile);
	const struct object *object = intent_object(intent, result->out_port_id);
	const struct port_object *port = (const struct port_object *)object;
	struct error error = { 0 };
	struct probe_tags tags;
	struct probe reply;
	size_t size = result->frame_size;

	if (result->verdict != VERDICT_DELIVERED || result->next_host_id || !object ||
	    object->kind != OBJECT_PORT)
		return 0;
	memcpy(frame, result->frame, size);
	probe_tags_take(&tags, frame, &size);
	/* In a VLAN of the workloads' own the addresses are theirs, too. */
	if (probe_reply(frame, size, &reply) ||
	    (!tags.count && !is_addressee(intent, port, &reply)) ||
	    probe_build(&reply, frame, TRACE_FRAME_MAX, &size, &error) ||
	    probe_tags_put(&tags, frame, TRACE_FRAME_MAX, &size))
		return 0;
	/* A tun device carries no Ethernet header; the pipeline puts one of zeros there. */
	if (port->attach.kind == ATTACH_TUN)
		memset(frame, 0, 12);
	return size;
}

json_t *trace_frame_json(const uint8_t *frame, size_t size)
{
	static const char digits[] = "0123456789abcdef";
	char *text = xmalloc(size * 2 + 1);
	json_t *document;

	for (size_t i = 0; i < size; i++) {
		text[2 * i] = digits[frame[i] >> 4];
		text[2 * i + 1] = digits[frame[i] & 15];
	}
	text[2 * size] = '\0';
	document = json_string(text);
	free(text);
	return document;
}
