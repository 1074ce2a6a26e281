/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the handlers of api_*.c share: the matched route, and the usual ways to answer.
 */
#ifndef WEFT_AGENT_API_PRIVATE_H
#define WEFT_AGENT_API_PRIVATE_H

#include "agent/api/api.h"
#include "model/draft.h"

#define API_SEGMENTS_MAX 4

/**
 * struct api_call - one request on its way through a handler
 * @kind: of the objects the route is about
 * @segments: of the path behind /v1, such as {"vpcs", "blue", "subnets", "web"}
 */
struct api_call {
	struct api *api;
	const struct api_request *request;
	struct api_response *response;
	enum object_kind kind;
	const char *segments[API_SEGMENTS_MAX];
	size_t segment_count;
};

typedef void api_handler(struct api_call *call);

/* Handlers, by the file they are in. */
api_handler api_collection_get, api_object_get, api_object_put, api_object_patch,
	api_object_delete;                                               /* api_objects.c */
api_handler api_apply, api_export;                                       /* api_apply.c */
api_handler api_trace;                                                   /* api_trace.c */
api_handler api_cluster_init, api_cluster_join, api_cluster_token;       /* api_cluster.c */
api_handler api_flows;                                                   /* api_flows.c */
api_handler api_capture;                                                 /* api_capture.c */
api_handler api_multicast;                                               /* api_multicast.c */
api_handler api_flow_logs, api_flow_logs_write;                          /* api_flow_logs.c */
api_handler api_status, api_counters;                                    /* api_status.c */
api_handler api_events, api_drops, api_metrics, api_openapi, api_health; /* api_plain.c */

/** api_json - answer with @document, whose reference is taken over */
void api_json(struct api_call *call, unsigned int status, json_t *document);

/** api_response_json - make @response @document, whose reference is taken over */
void api_response_json(struct api_response *response, unsigned int status, json_t *document);

/**
 * api_trace_follow - answer with what becomes of a frame (api_trace_follow.c)
 * @port_id: the port that sends it
 */
void api_trace_follow(struct api_call *call, uint32_t port_id, const uint8_t *frame, size_t size);

/** api_text - answer with @text, copied */
void api_text(struct api_call *call, const char *content_type, const char *text, size_t len);

/** api_fail - answer with what @error says; the status follows from its code */
void api_fail(struct api_call *call, const struct error *error);

/** api_refuse - answer 400 (bad_request) or 404 (not_found) with a sentence */
void api_refuse(struct api_call *call, unsigned int status, const char *path, const char *format,
		...) __attribute__((format(printf, 4, 5)));

/** api_query - Return: the value of a query parameter, NULL if absent */
const char *api_query(const struct api_call *call, const char *key);

/**
 * api_query_flag - a parameter that is 0 or 1, false if absent
 *
 * Return: false if it is anything else, and then the call is answered.
 */
bool api_query_flag(struct api_call *call, const char *key, bool *value);

/**
 * api_query_port - the port named by ?port=
 * @port_id: 0 if the parameter is absent
 *
 * Return: false if there is no such port, and then the call is answered.
 */
bool api_query_port(struct api_call *call, uint32_t *port_id);

/**
 * api_find - the object of a VPC, of @kind, that is called "blue/web1"
 * @kind: of the objects that are in VPCs: a port, a subnet, a security group
 * @key: what named it in the request
 *
 * Return: NULL if there is none, and then the call is answered: 404, and the nearest name.
 */
const struct object *api_find(struct api_call *call, enum object_kind kind, const char *key,
			      const char *name);

/** api_body - the body as a JSON object. Return: new reference, or NULL and the call is answered. */
json_t *api_body(struct api_call *call);

/** api_changes - the JSON array of what a draft changes. Return: new reference. */
json_t *api_changes(struct api_call *call, const struct draft *draft);

/** api_intent - the intent as it is now */
struct intent *api_intent(const struct api_call *call);

#endif
