/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Objects one by one: GET, PUT, PATCH, DELETE below /v1/vpcs and /v1/hosts.
 *
 * What GET adds to an object (its id, a port's status) may stand in what is sent back and is left
 * alone there, so that reading, changing and writing works without removing anything.
 */
#include "agent/api/api_private.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "agent/cluster/cluster.h"
#include "agent/devices/ports.h"
#include "agent/names.h"
#include "agent/observe/measured.h"

/* Who routes what the port sends, where that is not the port's own host. */
static void add_routing(struct api_call *call, const struct object *vpc,
			const struct port_object *port, json_t *status)
{
	const char *router = ((const struct vpc_object *)vpc)->router;
	const struct subnet_object *subnet =
		(const struct subnet_object *)intent_object(api_intent(call), port->subnet_id);

	if (router[0])
		json_object_set_new(status, "routing", json_sprintf("host:%s", router));
	if (subnet && segment_is_wire(&subnet->segment) && subnet->segment.router[0])
		json_object_set_new(status, "wire_router", json_string(subnet->segment.router));
}

static void add_port_status(struct api_call *call, const struct object *vpc, const char *name,
			    json_t *document)
{
	const struct object *port = intent_find(api_intent(call), vpc->name, OBJECT_PORT, name);
	json_t *status;

	if (!port || !json_is_object(document))
		return;
	status = ports_status_json(reconcile_ports(call->api->reconcile), port->id);
	add_routing(call, vpc, (const struct port_object *)port, status);
	json_object_set_new(document, "status", status);
}

static void add_ports_status(struct api_call *call, const struct object *vpc, json_t *documents)
{
	const char *name;
	json_t *document;

	json_object_foreach(documents, name, document) {
		add_port_status(call, vpc, name, document);
	}
}

/* Of one port alone, for the kernel is asked: what limits it, and what became of its copies. */
static void add_port_measured(struct api_call *call, const struct object *vpc, const char *name,
			      json_t *document)
{
	const struct object *port = intent_find(api_intent(call), vpc->name, OBJECT_PORT, name);
	json_t *status = json_object_get(document, "status"), *rates, *mirror;

	if (!port || !json_is_object(status))
		return;
	rates = measured_rates(call->api, (const struct port_object *)port);
	if (rates)
		json_object_set_new(status, "rates", rates);
	mirror = measured_mirror(call->api, (const struct port_object *)port);
	if (mirror)
		json_object_set_new(status, "mirror", mirror);
}

static void add_tunnel_status(struct api_call *call, const struct object *vpc, const char *name,
			      json_t *document)
{
	const struct object *tunnel = intent_find(api_intent(call), vpc->name, OBJECT_TUNNEL, name);

	if (tunnel && call->api->cluster && json_is_object(document))
		json_object_set_new(document, "status",
				    cluster_tunnel_json(call->api->cluster, tunnel->id));
}

static void add_tunnels_status(struct api_call *call, const struct object *vpc, json_t *documents)
{
	const char *name;
	json_t *document;

	json_object_foreach(documents, name, document) {
		add_tunnel_status(call, vpc, name, document);
	}
}

static void add_one_port(struct api_call *call, const struct object *vpc, const char *name,
			 json_t *document)
{
	add_port_status(call, vpc, name, document);
	add_port_measured(call, vpc, name, document);
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

static void add_host_status(struct api_call *call, const char *name, json_t *document)
{
	const struct object *host = intent_find(api_intent(call), "", OBJECT_HOST, name);

	if (host && call->api->cluster && json_is_object(document))
		json_object_set_new(document, "status",
				    cluster_host_json(call->api->cluster, host->id));
}

static json_t *host_document(struct api_call *call, json_t *document)
{
	const char *name;
	json_t *entry;

	if (call->segment_count == 2)
		add_host_status(call, call->segments[1], document);
	else
		json_object_foreach(document, name, entry) {
			add_host_status(call, name, entry);
		}
	return document;
}

/* What a GET shows: the model's JSON, and the state of ports and hosts wherever they are in it. */
static json_t *call_document(struct api_call *call, struct error *error)
{
	json_t *document = intent_get(api_intent(call), call->segments, call->segment_count, error);
	const struct object *vpc;
	const char *name;
	json_t *entry;

	if (!document)
		return NULL;
	if (call->kind == OBJECT_HOST)
		return host_document(call, document);
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
		add_one_port(call, vpc, call->segments[3], document);
	else if (call->kind == OBJECT_TUNNEL && call->segment_count == 3)
		add_tunnels_status(call, vpc, document);
	else if (call->kind == OBJECT_TUNNEL)
		add_tunnel_status(call, vpc, call->segments[3], document);
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

/* Whether the object is as the client believes (If-Match, If-None-Match). Return: 0 or -ESTALE. */
static int call_precondition(struct api_call *call, struct error *error)
{
	const char *wanted = call->request->if_match;
	const struct object *object = call_object(call);
	char etag[32];

	if (call->request->if_none_match && object)
		return error_set(error, ESTALE, NULL, "there is such an object already");
	if (!wanted || (object && strcmp(wanted, "*") == 0))
		return 0;
	if (!object)
		return error_set(error, ESTALE, NULL, "there is no such object");
	snprintf(etag, sizeof(etag), "\"%" PRIu64 "\"", object->revision);
	if (strcmp(wanted, etag) == 0)
		return 0;
	return error_set(error, ESTALE, NULL, "the object was changed since it was read");
}

/* Parts of an object that only the daemon says. */
static void drop_read_only(json_t *document)
{
	const char *name;
	json_t *port;

	json_object_del(document, "revision");
	json_object_del(document, "status");
	json_object_foreach(json_object_get(document, "ports"), name, port) {
		json_object_del(port, "status");
	}
}

/* A write on its way: done again from here when another host wrote in between. */
struct object_write {
	struct api_call *call;
	json_t *body;
	bool patch;
	bool existed;
};

static int object_write_fill(void *context, struct draft *draft, struct error *error)
{
	struct object_write *write = context;
	struct api_call *call = write->call;
	int code = call_precondition(call, error);

	if (code)
		return code;
	write->existed = call_object(call) != NULL;
	if (write->patch)
		code = draft_patch(draft, call->segments, call->segment_count, write->body, error);
	else
		code = draft_put(draft, call->segments, call->segment_count, write->body,
				 call->request->if_none_match != NULL, error);
	/* The object was found; what was not is something that the body refers to. */
	if (code == -ENOENT)
		error->code = code = -EINVAL;
	return code;
}

static void api_object_write(struct api_call *call, bool patch)
{
	struct object_write write = { .call = call, .patch = patch };
	struct draft *draft = NULL;
	struct error error = { 0 };
	uint64_t revision;

	if (call->request->if_none_match && strcmp(call->request->if_none_match, "*") != 0) {
		api_refuse(call, 400, "If-None-Match", "If-None-Match knows only *");
		return;
	}
	if (call_precondition(call, &error)) {
		api_fail(call, &error);
		return;
	}
	write.body = api_body(call);
	if (!write.body)
		return;
	drop_read_only(write.body);
	if (reconcile_change(call->api->reconcile, object_write_fill, &write, &draft, &revision,
			     &error))
		api_fail(call, &error);
	else
		api_object_answer(call, write.existed ? 200 : 201);
	json_decref(write.body);
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

static int object_delete_fill(void *context, struct draft *draft, struct error *error)
{
	struct api_call *call = context;
	int code = call_precondition(call, error);

	return code ? code : draft_remove(draft, call->segments, call->segment_count, error);
}

void api_object_delete(struct api_call *call)
{
	struct draft *draft = NULL;
	struct error error = { 0 };
	uint64_t revision;

	if (!call_exists(call, false))
		return;
	if (reconcile_change(call->api->reconcile, object_delete_fill, call, &draft, &revision,
			     &error))
		api_fail(call, &error);
	else
		api_json(call, 200,
			 json_pack("{s:o, s:I}", "changes", api_changes(call, draft), "revision",
				   (json_int_t)revision));
	draft_free(draft);
}
