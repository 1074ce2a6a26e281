/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects one by one: GET, PUT, PATCH, DELETE below /v1/vpcs and /v1/hosts.
 *
 * What GET adds to an object (its id, a port's status) may stand in what is sent back and is left
 * alone there, so that reading, changing and writing works without removing anything.
 */
#include "agent/api_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/names.h"
#include "agent/ports.h"

static void add_port_status(struct api_call *call, const struct object *vpc, const char *name,
			    json_t *document)
{
	const struct object *port = intent_find(api_intent(call), vpc->name, OBJECT_PORT, name);

	if (port && json_is_object(document))
		json_object_set_new(document, "status",
				    ports_status_json(reconcile_ports(call->api->reconcile),
						      port->id));
}

static void add_ports_status(struct api_call *call, const struct object *vpc, json_t *documents)
{
	const char *name;
	json_t *document;

	json_object_foreach(documents, name, document) {
		add_port_status(call, vpc, name, document);
	}
}

static const struct object *call_vpc(struct api_call *call)
{
	return intent_find(api_intent(call), call->segments[1], OBJECT_VPC, NULL);
}

static const struct object *call_object(struct api_call *call)
{
	if (call->kind == OBJECT_HOST)
		return intent_find(api_intent(call), "", OBJECT_HOST,
				   call->segment_count == 2 ? call->segments[1] : "");
	return intent_find(api_intent(call), call->segments[1], call->kind,
			   call->segment_count == 4 ? call->segments[3] : NULL);
}

/* What a GET shows: the model's JSON, and the state of ports wherever ports are in it. */
static json_t *call_document(struct api_call *call, struct error *error)
{
	json_t *document = intent_get(api_intent(call), call->segments, call->segment_count, error);
	const struct object *vpc;
	const char *name;
	json_t *entry;

	if (!document || call->kind == OBJECT_HOST)
		return document;
	if (call->segment_count == 1) {
		json_object_foreach(document, name, entry) {
			vpc = intent_find(api_intent(call), name, OBJECT_VPC, NULL);
			if (vpc)
				add_ports_status(call, vpc, json_object_get(entry, "ports"));
		}
		return document;
	}
	vpc = call_vpc(call);
	if (call->kind == OBJECT_VPC)
		add_ports_status(call, vpc, json_object_get(document, "ports"));
	else if (call->kind == OBJECT_PORT && call->segment_count == 3)
		add_ports_status(call, vpc, document);
	else if (call->kind == OBJECT_PORT)
		add_port_status(call, vpc, call->segments[3], document);
	return document;
}

static void set_etag(struct api_call *call, const struct object *object)
{
	snprintf(call->response->etag, sizeof(call->response->etag), "\"%" PRIu64 "\"",
		 object->revision);
}

/* 404 unless the object, or with parent_only the VPC it is in, exists; the model has the sentence. */
static bool call_exists(struct api_call *call, bool parent_only)
{
	bool exists = parent_only ? call->segment_count == 1 || call->kind == OBJECT_VPC ||
					    call->kind == OBJECT_HOST || call_vpc(call)
				  : call_object(call) != NULL;
	struct error error = { 0 };

	if (exists)
		return true;
	json_decref(intent_get(api_intent(call), call->segments, call->segment_count, &error));
	api_fail(call, &error);
	return false;
}

void api_collection_get(struct api_call *call)
{
	struct error error = { 0 };
	json_t *document;

	if (!call_exists(call, true))
		return;
	document = call_document(call, &error);
	if (document)
		api_json(call, 200, document);
	else
		api_fail(call, &error);
}

static void api_object_answer(struct api_call *call, unsigned int status)
{
	struct error error = { 0 };
	json_t *document = call_document(call, &error);

	if (!document) {
		api_fail(call, &error);
		return;
	}
	set_etag(call, call_object(call));
	api_json(call, status, document);
}

void api_object_get(struct api_call *call)
{
	if (call_exists(call, false))
		api_object_answer(call, 200);
}

/* Whether the object is as the client believes (If-Match); answers 412 if not. */
static bool call_precondition(struct api_call *call)
{
	const char *wanted = call->request->if_match;
	const struct object *object = call_object(call);
	char etag[32];

	if (!wanted || (object && strcmp(wanted, "*") == 0))
		return true;
	if (object) {
		snprintf(etag, sizeof(etag), "\"%" PRIu64 "\"", object->revision);
		if (strcmp(wanted, etag) == 0)
			return true;
	}
	api_response_error(call->response, 412, "precondition_failed", NULL,
			   object ? "the object was changed since it was read"
				  : "there is no such object");
	return false;
}

/* Parts of an object that only the daemon says. */
static void drop_read_only(json_t *document)
{
	const char *name;
	json_t *port;

	json_object_del(document, "id");
	json_object_del(document, "revision");
	json_object_del(document, "status");
	json_object_foreach(json_object_get(document, "ports"), name, port) {
		json_object_del(port, "status");
	}
}

/* Judge, store, do. Return: whether it was done; the call is answered if not. */
static bool call_commit(struct api_call *call, struct draft *draft, uint64_t *revision)
{
	struct error error = { 0 };

	if (draft_check(draft, &error) ||
	    reconcile_commit(call->api->reconcile, draft, revision, &error)) {
		api_fail(call, &error);
		return false;
	}
	return true;
}

static void api_object_write(struct api_call *call, bool patch)
{
	bool create_only = call->request->if_none_match != NULL;
	bool existed = call_object(call) != NULL;
	struct draft *draft;
	struct error error = { 0 };
	uint64_t revision;
	json_t *body;
	int code;

	if (create_only && strcmp(call->request->if_none_match, "*") != 0) {
		api_refuse(call, 400, "If-None-Match", "If-None-Match knows only *");
		return;
	}
	if (create_only && existed) {
		api_response_error(call->response, 412, "precondition_failed", NULL,
				   "there is such an object already");
		return;
	}
	if (!call_precondition(call))
		return;
	body = api_body(call);
	if (!body)
		return;
	drop_read_only(body);
	draft = draft_new(api_intent(call));
	code = patch ? draft_patch(draft, call->segments, call->segment_count, body, &error)
		     : draft_put(draft, call->segments, call->segment_count, body, create_only,
				 &error);
	json_decref(body);
	if (code) {
		/* The object was found; what was not is something that the body refers to. */
		if (error.code == -ENOENT)
			error.code = -EINVAL;
		api_fail(call, &error);
	} else if (call_commit(call, draft, &revision)) {
		api_object_answer(call, existed ? 200 : 201);
	}
	draft_free(draft);
}

void api_object_put(struct api_call *call)
{
	if (call_exists(call, true))
		api_object_write(call, false);
}

void api_object_patch(struct api_call *call)
{
	if (call_exists(call, false))
		api_object_write(call, true);
}

void api_object_delete(struct api_call *call)
{
	struct draft *draft;
	struct error error = { 0 };
	uint64_t revision;

	if (!call_exists(call, false) || !call_precondition(call))
		return;
	draft = draft_new(api_intent(call));
	if (draft_remove(draft, call->segments, call->segment_count, &error))
		api_fail(call, &error);
	else if (call_commit(call, draft, &revision))
		api_json(call, 200,
			 json_pack("{s:o, s:I}", "changes", api_changes(call, draft), "revision",
				   (json_int_t)revision));
	draft_free(draft);
}
