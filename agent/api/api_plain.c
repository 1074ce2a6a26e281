/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers that need no thought: drops, the stream of events, metrics, the description of this
 * interface, and whether the daemon is well.
 */
#include "agent/api/api_private.h"

#include <string.h>

#include "agent/api/openapi.h"
#include "agent/observe/metrics.h"

void api_drops(struct api_call *call)
{
	uint32_t port_id;

	if (api_query_port(call, &port_id))
		api_json(call, 200,
			 json_pack("{s:o}", "drops", drops_recent(call->api->drops, port_id)));
}

void api_events(struct api_call *call)
{
	const char *kind_text = api_query(call, "kind");
	struct event_filter filter = { .kinds = (1U << EVENT_KINDS) - 1 };
	enum event_kind kind;

	if (kind_text) {
		if (event_kind_parse(kind_text, &kind)) {
			api_refuse(call, 400, "kind", "the parameter kind is change, port or drop");
			return;
		}
		filter.kinds = 1U << kind;
	}
	if (!api_query_port(call, &filter.port_id))
		return;
	call->response->status = 200;
	call->response->content_type = "text/event-stream";
	call->response->stream = true;
	call->response->filter = filter;
}

void api_metrics(struct api_call *call)
{
	struct buf text = { 0 };

	metrics_write(call->api, &text);
	api_text(call, "text/plain; version=0.0.4; charset=utf-8", buf_text(&text), text.size);
	buf_fini(&text);
}

void api_openapi(struct api_call *call)
{
	api_text(call, "application/json", openapi_text, openapi_len());
}

void api_health(struct api_call *call)
{
	api_text(call, "text/plain; charset=utf-8", "ok\n", strlen("ok\n"));
}
