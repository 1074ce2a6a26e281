/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /v1/multicast: who listens to which group, as the datapath has heard, and what the querier does.
 *
 * Neighbours: agent/observe/listeners.c (reads the rows), agent/services/querier.c.
 */
#include "agent/api/api_private.h"

#include <errno.h>
#include <string.h>

#include "agent/names.h"
#include "agent/observe/listeners.h"
#include "agent/services/querier.h"

static json_t *sources_json(const struct listener *listener)
{
	json_t *list = json_array();

	for (size_t i = 0; i < listener->source_count; i++)
		json_array_append_new(list, names_address(&listener->sources[i]));
	return list;
}

static json_t *listener_json(struct api_call *call, const struct listener *listener)
{
	static const char *const filters[] = {
		[LISTENER_ALL] = "all",
		[LISTENER_INCLUDE] = "include",
		[LISTENER_EXCLUDE] = "exclude",
	};
	const struct intent *intent = api_intent(call);

	return json_pack("{s:o, s:o, s:o, s:b, s:s, s:o, s:I}", "subnet",
			 names_port(intent, listener->subnet_id), "group",
			 listener->router ? json_null() : names_address(&listener->group), "port",
			 names_port(intent, listener->port_id), "router", listener->router,
			 "filter", filters[listener->filter], "sources", sources_json(listener),
			 "expires", (json_int_t)listener->seconds);
}

static void add_querier(void *context, const struct querier_state *state)
{
	struct api_call *call = ((void **)context)[0];
	json_t *list = ((void **)context)[1];

	json_array_append_new(list,
			      json_pack("{s:o, s:I, s:I, s:I}", "subnet",
					names_port(api_intent(call), state->subnet_id), "interval",
					(json_int_t)state->interval, "sent",
					(json_int_t)state->sent, "next", (json_int_t)state->next));
}

void api_multicast(struct api_call *call)
{
	json_t *members = json_array(), *queriers = json_array();
	void *context[] = { call, queriers };
	struct listeners listeners = { 0 };
	struct error error = { 0 };
	uint32_t port_id;
	int code;

	if (!api_query_port(call, &port_id))
		goto refused;
	code = listeners_read(call->api->datapath, &listeners);
	if (code) {
		error_set(&error, EIO, NULL, "the table of listeners cannot be read: %s",
			  strerror(-code));
		api_fail(call, &error);
		goto refused;
	}
	for (size_t i = 0; i < listeners.count; i++)
		if (!port_id || listeners.list[i].port_id == port_id)
			json_array_append_new(members, listener_json(call, &listeners.list[i]));
	listeners_fini(&listeners);
	querier_each(call->api->querier, add_querier, context);
	api_json(call, 200, json_pack("{s:o, s:o}", "members", members, "queriers", queriers));
	return;
refused:
	json_decref(members);
	json_decref(queriers);
}
