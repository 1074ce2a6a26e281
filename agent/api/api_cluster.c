/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POST /v1/cluster/init, join and token: what `weft host init`, `join` and `token` send.
 *
 * Both of the first change only files of the state directory; the answer goes out and then the daemon
 * starts anew with them.
 */
#include "agent/api/api_private.h"

#include <errno.h>
#include <string.h>

#include "agent/cluster/cluster_setup.h"
#include "agent/names.h"
#include "base/alloc.h"

static bool read_wish(struct api_call *call, json_t *body, struct cluster_wish *wish)
{
	struct error error = { 0 };

	if (!call->api->state)
		error_set(&error, ENOTSUP, NULL, "this daemon has no state directory");
	else if (!cluster_wish_read(body, wish, &error)) {
		if (!wish->name)
			wish->name = reconcile_host(call->api->reconcile);
		return true;
	}
	api_fail(call, &error);
	return false;
}

static bool has_intent(struct api_call *call)
{
	const struct object **vpcs;
	size_t count = names_all(api_intent(call), OBJECT_VPC, &vpcs);

	free(vpcs);
	return count != 0;
}

void api_cluster_init(struct api_call *call)
{
	json_t *body = api_body(call);
	struct cluster_wish wish;
	struct error error = { 0 };
	char *token = NULL;

	if (!body)
		return;
	if (read_wish(call, body, &wish)) {
		if (cluster_init(call->api->loop, call->api->state, call->api->store, &wish, &token,
				 &error)) {
			api_fail(call, &error);
		} else {
			api_json(call, 200,
				 json_pack("{s:s, s:s}", "host", wish.name, "token", token));
			call->api->restart(call->api->restart_context);
		}
	}
	free(token);
	json_decref(body);
}

void api_cluster_join(struct api_call *call)
{
	json_t *body = api_body(call);
	struct cluster_wish wish;
	struct error error = { 0 };

	if (!body)
		return;
	if (has_intent(call)) {
		error_set(&error, EBUSY, NULL,
			  "this host has VPCs of its own, which a cluster would not know; `weft "
			  "export` and remove them first");
		api_fail(call, &error);
	} else if (read_wish(call, body, &wish)) {
		if (cluster_join(call->api->state, &wish, &error)) {
			api_fail(call, &error);
		} else {
			api_json(call, 200, json_pack("{s:s}", "host", wish.name));
			call->api->restart(call->api->restart_context);
		}
	}
	json_decref(body);
}

void api_cluster_token(struct api_call *call)
{
	struct error error = { 0 };
	char *token = NULL;

	if (!call->api->state)
		error_set(&error, ENOTSUP, NULL, "this daemon has no state directory");
	else if (!cluster_token(call->api->state, &token, &error))
		api_json(call, 200, json_pack("{s:s}", "token", token));
	if (error.code)
		api_fail(call, &error);
	free(token);
}
