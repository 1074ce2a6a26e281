/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /v1/status: the daemon, its host and what does not work. GET /v1/counters: numbers by object.
 */
#include "agent/api/api_private.h"

#include <string.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "agent/devices/ports.h"
#include "agent/names.h"
#include "agent/observe/metrics.h"
#include "base/alloc.h"

static json_t *daemon_json(struct api_call *call)
{
	const struct api *api = call->api;
	uint64_t uptime = clock_monotonic_ns(api->clock) - api->started_ns;
	bool well = problems_count(reconcile_problems(api->reconcile)) == 0;

	return json_pack("{s:s, s:i, s:s, s:I, s:s, s:I, s:s, s:I}", "name", api->instance, "pid",
			 (int)getpid(), "version", WEFT_VERSION, "uptime",
			 (json_int_t)(uptime / CLOCK_NS_PER_SECOND), "store", api->store_name,
			 "revision", (json_int_t)reconcile_revision(api->reconcile), "state",
			 well ? "ready" : "degraded", "resident", (json_int_t)metrics_resident());
}

static json_t *host_json(struct api_call *call)
{
	json_t *features = json_array();
	struct utsname name = { 0 };
	size_t count;
	const struct datapath_feature *list = datapath_features(call->api->datapath, &count);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(features,
				      json_pack("{s:s, s:b, s:s}", "name", list[i].name, "present",
						list[i].present, "meaning", list[i].meaning));
	uname(&name);
	return json_pack("{s:s, s:s, s:o}", "name", reconcile_host(call->api->reconcile), "kernel",
			 name.release, "features", features);
}

static json_t *objects_json(struct api_call *call)
{
	json_t *document = json_object();

	for (unsigned int kind = 0; kind < OBJECT_KINDS; kind++) {
		const struct object **list;
		size_t count = names_all(api_intent(call), (enum object_kind)kind, &list);

		free(list);
		json_object_set_new(document, object_kind_plural((enum object_kind)kind),
				    json_integer((json_int_t)count));
	}
	return document;
}

static json_t *ports_json(struct api_call *call)
{
	struct ports_counts counts;

	ports_count(reconcile_ports(call->api->reconcile), &counts);
	return json_pack("{s:I, s:I, s:I, s:I}", "plugged", (json_int_t)counts.plugged, "waiting",
			 (json_int_t)counts.waiting, "failed", (json_int_t)counts.failed, "held",
			 (json_int_t)counts.held);
}

/* Connections as their VPCs are charged for them: what `weft counters` shows, added up. */
static json_int_t live_flows(struct api_call *call)
{
	const struct object **vpcs;
	size_t count = names_all(api_intent(call), OBJECT_VPC, &vpcs);
	json_int_t sum = 0;

	for (size_t i = 0; i < count; i++) {
		uint32_t slot = reconcile_vpc_slot(call->api->reconcile, vpcs[i]->id);
		struct vpc_stats *stats = slot ? datapath_vpc_stats(call->api->datapath, slot)
					       : NULL;

		if (stats)
			sum += (json_int_t)__atomic_load_n(&stats->flows, __ATOMIC_RELAXED);
	}
	free(vpcs);
	return sum;
}

static json_t *datapath_json(struct api_call *call)
{
	const struct reconcile_counts *counts = reconcile_counts(call->api->reconcile);
	json_t *rows = json_object();

	for (unsigned int table = 0; table < TABLES; table++) {
		enum table_id id = (enum table_id)table;

		if (tables_is_planned(id))
			json_object_set_new(
				rows, table_name(id),
				json_integer((json_int_t)reconcile_rows(call->api->reconcile, id)));
	}
	return json_pack("{s:o, s:I, s:I, s:I, s:I}", "rows", rows, "memory",
			 (json_int_t)datapath_memory(call->api->datapath), "flows",
			 live_flows(call), "flow_capacity",
			 (json_int_t)reconcile_flow_capacity(call->api->reconcile), "audit_repairs",
			 (json_int_t)counts->audit_repairs);
}

static json_t *problems_json(struct api_call *call)
{
	const struct problems *problems = reconcile_problems(call->api->reconcile);
	json_t *list = json_array();

	MAP_FOR_EACH(&problems->map, it) {
		const struct problem *problem = it.value;
		char since[CLOCK_RFC3339_SIZE];

		json_array_append_new(list,
				      json_pack("{s:o, s:s, s:s}", "object",
						names_object(api_intent(call), problem->object_id),
						"message", problem->text, "since",
						clock_rfc3339_format(problem->since_ns, since)));
	}
	return list;
}

void api_status(struct api_call *call)
{
	api_json(call, 200,
		 json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "daemon", daemon_json(call),
			   "host", host_json(call), "objects", objects_json(call), "ports",
			   ports_json(call), "datapath", datapath_json(call), "drops_last_minute",
			   drops_last_minute(call->api->drops), "problems", problems_json(call)));
}

/* ---- counters ---- */

static json_int_t counter(const __u64 *value)
{
	return (json_int_t)__atomic_load_n(value, __ATOMIC_RELAXED);
}

static json_t *port_counters(struct api_call *call, uint32_t port_id)
{
	uint32_t slot = reconcile_port_slot(call->api->reconcile, port_id);
	struct port_stats *stats = slot ? datapath_port_stats(call->api->datapath, slot) : NULL;
	struct port_counts counts;

	if (!stats || datapath_port_counts(call->api->datapath, slot, &counts))
		return NULL;
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "received_packets",
			 (json_int_t)counts.received_packets, "received_bytes",
			 (json_int_t)counts.received_bytes, "dropped_packets",
			 counter(&stats->dropped_packets), "sent_packets",
			 (json_int_t)counts.sent_packets, "sent_bytes",
			 (json_int_t)counts.sent_bytes, "refused_packets",
			 counter(&stats->refused_packets), "flows", counter(&stats->flows),
			 "stations", counter(&stats->stations));
}

static json_t *vpc_counters(struct api_call *call, uint32_t vpc_id)
{
	uint32_t slot = reconcile_vpc_slot(call->api->reconcile, vpc_id);
	struct vpc_stats *stats = slot ? datapath_vpc_stats(call->api->datapath, slot) : NULL;

	if (!stats)
		return NULL;
	return json_pack("{s:I, s:I}", "flows", counter(&stats->flows), "refused_flows",
			 counter(&stats->refused_flows));
}

/* Those of one kind, or the one called name. Return: whether any was put in. */
static bool add_objects(struct api_call *call, json_t *document, enum object_kind kind,
			const char *name)
{
	const struct object **list;
	size_t count = names_all(api_intent(call), kind, &list), found = 0;
	json_t *group = json_object();
	char path[PATH_NAME_SIZE];

	for (size_t i = 0; i < count; i++) {
		json_t *entry;

		names_path(api_intent(call), list[i], path);
		if (name && strcmp(name, path) != 0)
			continue;
		found++;
		entry = kind == OBJECT_PORT ? port_counters(call, list[i]->id)
					    : vpc_counters(call, list[i]->id);
		if (entry)
			json_object_set_new(group, path, entry);
	}
	free(list);
	json_object_set_new(document, kind == OBJECT_PORT ? "ports" : "vpcs", group);
	return found != 0;
}

static bool add_verdicts(struct api_call *call, json_t *document, const char *name)
{
	json_t *group = json_object();
	bool found = false;

	for (unsigned int i = VERDICT_NEXT + 1; i < VERDICTS; i++) {
		enum verdict verdict = (enum verdict)i;
		struct verdict_counter sum = { 0 };

		if (name && strcmp(name, names_verdict(verdict)) != 0)
			continue;
		found = true;
		datapath_verdict(call->api->datapath, verdict, &sum);
		json_object_set_new(group, names_verdict(verdict),
				    json_pack("{s:I, s:I}", "packets", (json_int_t)sum.packets,
					      "bytes", (json_int_t)sum.bytes));
	}
	json_object_set_new(document, "verdicts", group);
	return found;
}

void api_counters(struct api_call *call)
{
	const char *name = api_query(call, "name");
	json_t *document = json_object();
	bool found = add_verdicts(call, document, name);

	found |= add_objects(call, document, OBJECT_PORT, name);
	found |= add_objects(call, document, OBJECT_VPC, name);
	if (name && !found) {
		json_decref(document);
		api_refuse(call, 404, "name", "no port, vpc or verdict is called \"%s\"", name);
		return;
	}
	api_json(call, 200, document);
}
