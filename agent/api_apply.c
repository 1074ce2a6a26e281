/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The whole tree at once: POST /v1/apply makes it so or changes nothing, GET /v1/export gives it back.
 */
#include "agent/api_private.h"

#include <errno.h>

static json_t *applied_document(struct api_call *call, const struct draft *draft, uint64_t revision,
				bool dry_run)
{
	return json_pack("{s:o, s:I, s:b}", "changes", api_changes(call, draft), "revision",
			 (json_int_t)revision, "dry_run", dry_run);
}

void api_apply(struct api_call *call)
{
	struct draft *draft;
	struct error error = { 0 };
	bool dry_run, prune;
	uint64_t revision = reconcile_revision(call->api->reconcile);
	json_t *tree;
	int code;

	if (!api_query_flag(call, "dry_run", &dry_run) || !api_query_flag(call, "prune", &prune))
		return;
	tree = api_body(call);
	if (!tree)
		return;
	draft = draft_new(api_intent(call));
	code = draft_apply_tree(draft, tree, prune, &error);
	json_decref(tree);
	if (!code)
		code = draft_check(draft, &error);
	/* The resource is /v1/apply, which is there: what is not is something that the tree refers to. */
	if (code && error.code == -ENOENT)
		error.code = -EINVAL;
	if (!code && !dry_run)
		code = reconcile_commit(call->api->reconcile, draft, &revision, &error);
	if (code)
		api_fail(call, &error);
	else
		api_json(call, 200, applied_document(call, draft, revision, dry_run));
	draft_free(draft);
}

void api_export(struct api_call *call)
{
	api_json(call, 200, intent_export(api_intent(call)));
}
