/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * GET /v1/flow_logs: where this host's flow logs go. POST /v1/flow_logs/write: end the interval now.
 */
#include "agent/api/api_private.h"

#include "agent/observe/flow_log.h"

static bool there(struct api_call *call)
{
	if (!call->api->flow_logs)
		api_refuse(call, 404, NULL, "this daemon keeps no flow logs");
	return call->api->flow_logs != NULL;
}

void api_flow_logs(struct api_call *call)
{
	if (there(call))
		api_json(call, 200, flow_logs_json(call->api->flow_logs));
}

void api_flow_logs_write(struct api_call *call)
{
	if (there(call))
		api_json(call, 200,
			 json_pack("{s:I}", "records",
				   (json_int_t)flow_logs_write(call->api->flow_logs)));
}
