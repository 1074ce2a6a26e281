/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing the readers and the judgement of the model: any JSON as a tree, as a patch of a VPC, and as the
 * body of each kind of object, on an intent that is not empty. What is accepted is published, exported and
 * applied again, which must change nothing, and loads again from its records.
 *
 * Seeds: tests/golden/model.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/json.h"
#include "model/draft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const base_tree =
	"{\"vpcs\":{\"blue\":{\"cidrs\":[\"10.0.0.0/16\",\"fd00:b::/48\"],"
	"\"subnets\":{\"web\":{\"cidr\":[\"10.0.1.0/24\",\"fd00:b:0:1::/64\"]}},"
	"\"route_tables\":{\"main\":{\"routes\":[{\"to\":\"0.0.0.0/0\",\"via\":\"port:fw1\"}]}},"
	"\"acls\":{\"edge\":{}},\"security_groups\":{\"web\":{}},"
	"\"ports\":{\"fw1\":{\"subnet\":\"web\"},\"web1\":{\"subnet\":\"web\","
	"\"security_groups\":[\"web\"]}}}}}";

static struct intent *base_intent(void)
{
	struct intent *intent = intent_new();
	struct draft *draft = draft_new(intent);
	json_t *tree = NULL;

	if (json_load_text(base_tree, strlen(base_tree), 1 << 20, &tree, NULL) ||
	    draft_apply_tree(draft, tree, true, NULL) || draft_check(draft, NULL))
		abort();
	draft_commit(draft, 1);
	draft_free(draft);
	json_decref(tree);
	return intent;
}

static void load_again(const struct record *records, size_t count)
{
	struct intent *intent = intent_new();

	if (intent_load(intent, records, NULL, count, NULL))
		abort();
	intent_free(intent);
}

/* The export of what was accepted is accepted, and is no change. */
static void export_again(struct intent *intent)
{
	struct intent *fresh = intent_new();
	struct draft *draft = draft_new(intent), *other;
	json_t *export = intent_export(intent);
	const struct record *records;
	size_t count;

	if (draft_apply_tree(draft, export, true, NULL) || draft_check(draft, NULL))
		abort();
	draft_changes(draft, &count);
	if (count)
		abort();
	draft_free(draft);
	other = draft_new(fresh);
	/* On its own it may name ports that are gone; otherwise it is fine. */
	if (draft_apply_tree(other, export, true, NULL) == 0 && draft_check(other, NULL) == 0) {
		records = draft_records(other, &count);
		load_again(records, count);
	}
	draft_free(other);
	intent_free(fresh);
	json_decref(export);
}

/* Request 0 is the whole tree, 1 a patch of the VPC, the others put and patch one object each. */
static void try_request(const json_t *json, int request)
{
	static const char *const plurals[] = { "subnets", "ports", "route_tables",
					       "security_groups", "acls" };
	static const char *const names[] = { "web", "web1", "main", "web", "edge" };
	struct intent *intent = base_intent();
	struct draft *draft = draft_new(intent);
	const char *path[] = { "vpcs", "blue", NULL, NULL };
	struct error error = { 0 };
	int code;

	if (request >= 2) {
		path[2] = plurals[(request - 2) / 2];
		path[3] = names[(request - 2) / 2];
	}
	if (request == 0)
		code = draft_apply_tree(draft, json, true, &error);
	else if (request % 2)
		code = draft_patch(draft, path, request == 1 ? 2 : 4, json, &error);
	else
		code = draft_put(draft, path, 4, json, false, &error);
	if (!code)
		code = draft_check(draft, &error);
	if (code && (!error.text[0] || error.code != code))
		abort();
	if (!code) {
		const struct change *changes;
		size_t count;

		changes = draft_changes(draft, &count);
		for (size_t i = 0; i < count; i++)
			free(change_text(intent, &changes[i]));
		draft_records(draft, &count);
		draft_commit(draft, 2);
	}
	draft_free(draft);
	export_again(intent);
	intent_free(intent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	json_t *json = NULL;

	if (json_load_text((const char *)data, size, 1 << 16, &json, NULL))
		return 0;
	for (int request = 0; request < 12; request++)
		try_request(json, request);
	json_decref(json);
	return 0;
}
