/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /v1/flows: connections as the flow table has them, both directions in one entry.
 *
 * The table holds a pair of rows for each connection. The walk stops at rows of the original
 * direction and looks up the other one by its key.
 */
#include "agent/api/api_private.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/names.h"
#include "base/clock.h"

#define FLOWS_DEFAULT 10000
#define FLOWS_MAX 1000000

struct flow_walk {
	struct api_call *call;
	uint32_t port_id;
	uint32_t now;
	size_t limit;
	bool truncated;
	json_t *list;
};

static const char *const flow_state_names[] = {
	[FLOW_NEW] = "new",         [FLOW_REPLIED] = "replied", [FLOW_ESTABLISHED] = "established",
	[FLOW_CLOSING] = "closing", [FLOW_CLOSED] = "closed",
};
_Static_assert(sizeof(flow_state_names) / sizeof(flow_state_names[0]) == FLOW_STATES,
	       "a name for each state of a connection");

static uint32_t tick_now(void)
{
	return (uint32_t)(clock_monotonic_ns(NULL) >> 20);
}

static json_int_t ticks_to_seconds(uint32_t ticks)
{
	return (int32_t)ticks < 0 ? 0 : ticks / TICKS_PER_SECOND;
}

static bool find_reply(struct api_call *call, const struct flow_key *key,
		       const struct flow *original, struct flow *reply)
{
	const struct flow_key other = {
		.port_id = original->peer_port_id,
		.source = key->destination,
		.destination = key->source,
		.source_port = key->destination_port,
		.destination_port = key->source_port,
		.protocol = key->protocol,
	};

	return original->peer_port_id &&
	       datapath_get(call->api->datapath, TABLE_flows, &other, reply) == 0;
}

static json_t *flow_json(struct flow_walk *walk, const struct flow_key *key,
			 const struct flow *flow)
{
	const struct intent *intent = api_intent(walk->call);
	const struct object *port = intent_object(intent, key->port_id);
	struct flow reply = { 0 };
	uint32_t seen = flow->seen;
	json_t *document;

	if (find_reply(walk->call, key, flow, &reply) && (int32_t)(reply.seen - seen) > 0)
		seen = reply.seen;
	document = json_pack(
		"{s:o, s:o, s:o, s:o, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:o, s:o}",
		"port", names_port(intent, key->port_id), "peer",
		names_port(intent, flow->peer_port_id), "vpc",
		names_port(intent, port ? port->vpc_id : 0), "protocol",
		names_protocol(key->protocol), "source", names_address(&key->source), "destination",
		names_address(&key->destination), "state",
		flow->state < FLOW_STATES ? flow_state_names[flow->state] : "unknown", "packets",
		(json_int_t)flow->packets, "bytes", (json_int_t)flow->bytes, "reply_packets",
		(json_int_t)reply.packets, "reply_bytes", (json_int_t)reply.bytes, "age",
		ticks_to_seconds(walk->now - flow->born), "idle",
		ticks_to_seconds(walk->now - seen), "timeout", ticks_to_seconds(flow->timeout),
		"egress_rule", names_object(intent, flow->egress_rule_id), "ingress_rule",
		names_object(intent, flow->ingress_rule_id));
	names_add_transport(document, key->protocol, key->source_port, key->destination_port);
	if (key->protocol == IPPROTO_ICMP || key->protocol == IPPROTO_ICMPV6)
		json_object_set_new(document, "identifier", json_integer(ntohs(key->source_port)));
	return document;
}

static bool flows_row(void *context, const void *key, const void *value)
{
	struct flow_walk *walk = context;
	const struct flow_key *flow_key = key;
	const struct flow *flow = value;

	if (!(flow->flags & FLOW_ORIGINAL))
		return true;
	if (walk->port_id && flow_key->port_id != walk->port_id &&
	    flow->peer_port_id != walk->port_id)
		return true;
	if (json_array_size(walk->list) == walk->limit) {
		walk->truncated = true;
		return false;
	}
	json_array_append_new(walk->list, flow_json(walk, flow_key, flow));
	return true;
}

static bool query_limit(struct api_call *call, size_t *limit)
{
	const char *text = api_query(call, "limit");
	char *end;
	unsigned long value;

	*limit = FLOWS_DEFAULT;
	if (!text)
		return true;
	errno = 0;
	value = strtoul(text, &end, 10);
	if (errno || *text < '0' || *text > '9' || *end || value < 1 || value > FLOWS_MAX) {
		api_refuse(call, 400, "limit", "the parameter limit is a number from 1 to %d",
			   FLOWS_MAX);
		return false;
	}
	*limit = value;
	return true;
}

void api_flows(struct api_call *call)
{
	struct flow_walk walk = { .call = call, .now = tick_now() };
	struct error error = { 0 };
	int code;

	if (!query_limit(call, &walk.limit) || !api_query_port(call, &walk.port_id))
		return;
	walk.list = json_array();
	code = datapath_walk(call->api->datapath, TABLE_flows, flows_row, &walk);
	if (code) {
		json_decref(walk.list);
		error_set(&error, EIO, NULL, "the flow table cannot be read: %s", strerror(-code));
		api_fail(call, &error);
		return;
	}
	api_json(call, 200,
		 json_pack("{s:o, s:b}", "flows", walk.list, "truncated", walk.truncated));
}
