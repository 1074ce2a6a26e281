/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole tree at once: POST /v1/apply makes it so or changes nothing, GET /v1/export gives it back.
 */
#include "agent/api/api_private.h"

#include <errno.h>

static json_t *applied_document(struct api_call *call, const struct draft *draft, uint64_t revision,
				bool dry_run)
{
	return json_pack("{s:o, s:I, s:b}", "changes", api_changes(call, draft), "revision",
			 (json_int_t)revision, "dry_run", dry_run);
}

/* A tree on its way: applied again when another host wrote in between. */
struct apply {
	json_t *tree;
	bool prune;
};

static int apply_fill(void *context, struct draft *draft, struct error *error)
{
	const struct apply *apply = context;

	return draft_apply_tree(draft, apply->tree, apply->prune, error);
}

/* The VPCs that the tree is laid over; all of them if others are to go. */
static int hold(struct api_call *call, const struct apply *apply, struct error *error)
{
	json_t *vpcs = json_object_get(apply->tree, "vpcs"), *value;
	const char *name;
	int code = apply->prune ? reconcile_need_all(call->api->reconcile, error) : 0;

	json_object_foreach(vpcs, name, value) {
		if (!code)
			code = reconcile_need_vpc(call->api->reconcile, name, error);
	}
	return code;
}

void api_apply(struct api_call *call)
{
	struct apply apply = { 0 };
	struct draft *draft = NULL;
	struct error error = { 0 };
	bool dry_run;
	uint64_t revision = reconcile_revision(call->api->reconcile);
	int code;

	if (!api_query_flag(call, "dry_run", &dry_run) ||
	    !api_query_flag(call, "prune", &apply.prune))
		return;
	apply.tree = api_body(call);
	if (!apply.tree)
		return;
	code = hold(call, &apply, &error);
	if (code) {
		json_decref(apply.tree);
		api_fail(call, &error);
		return;
	}
	if (dry_run) {
		draft = draft_new(api_intent(call));
		code = apply_fill(&apply, draft, &error);
		if (!code)
			code = draft_check(draft, &error);
	} else {
		code = reconcile_change(call->api->reconcile, apply_fill, &apply, &draft, &revision,
					&error);
	}
	json_decref(apply.tree);
	/* The resource is /v1/apply, which is there: what is not is something that the tree refers to. */
	if (code == -ENOENT)
		error.code = -EINVAL;
	if (code)
		api_fail(call, &error);
	else
		api_json(call, 200, applied_document(call, draft, revision, dry_run));
	draft_free(draft);
}

void api_export(struct api_call *call)
{
	struct error error = { 0 };

	if (reconcile_need_all(call->api->reconcile, &error))
		api_fail(call, &error);
	else
		api_json(call, 200, intent_export(api_intent(call)));
}
