/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of the model share: JSON written with ' for ", and one-line requests on an intent.
 */
#ifndef WEFT_TESTS_UNIT_MODEL_CASES_H
#define WEFT_TESTS_UNIT_MODEL_CASES_H

#include "base/alloc.h"
#include "base/buf.h"
#include "base/json.h"
#include "model/draft.h"
#include "tests/unit/unit.h"

/* JSON with ' in place of ". A new reference; the test fails when it is not JSON. */
static inline json_t *json_of(const char *text)
{
	char *copy = xstrdup(text);
	struct error error = { 0 };
	json_t *json = NULL;

	for (char *c = copy; *c; c++)
		if (*c == '\'')
			*c = '"';
	if (json_load_text(copy, strlen(copy), 1 << 26, &json, &error))
		fail_msg("%s in %s", error.text, text);
	free(copy);
	return json;
}

/* "vpcs/blue/ports/web1" as an array of names in @copy. Return: how many. */
static inline size_t split_path(char *copy, const char *names[8])
{
	size_t count = 0;

	for (char *name = strtok(copy, "/"); name && count < 8; name = strtok(NULL, "/"))
		names[count++] = name;
	return count;
}

enum request { REQUEST_APPLY, REQUEST_PUT, REQUEST_CREATE, REQUEST_PATCH, REQUEST_REMOVE };

/* Opens a draft, makes the request, checks. @text: the changes, a line each; the caller's. */
static inline int try_request(struct intent *intent, enum request request, const char *path,
			      const char *body, bool commit, char **text, struct error *error)
{
	static uint64_t revision;
	struct draft *draft = draft_new(intent);
	json_t *json = body ? json_of(body) : NULL;
	char *copy = xstrdup(path ? path : "");
	const char *names[8];
	size_t count = split_path(copy, names), changes;
	struct buf lines = { 0 };
	int code = 0;

	error_clear(error);
	if (request == REQUEST_APPLY)
		code = draft_apply_tree(draft, json, true, error);
	else if (request == REQUEST_PATCH)
		code = draft_patch(draft, names, count, json, error);
	else if (request == REQUEST_REMOVE)
		code = draft_remove(draft, names, count, error);
	else
		code = draft_put(draft, names, count, json, request == REQUEST_CREATE, error);
	if (!code)
		code = draft_check(draft, error);
	if (!code) {
		const struct change *list = draft_changes(draft, &changes);

		for (size_t i = 0; i < changes; i++) {
			char *line = change_text(intent, &list[i]);

			buf_printf(&lines, "%s\n", line);
			free(line);
		}
	}
	if (!code && commit)
		draft_commit(draft, ++revision);
	if (text)
		*text = buf_steal(&lines, NULL);
	buf_fini(&lines);
	draft_free(draft);
	json_decref(json);
	free(copy);
	return code;
}

/* Makes the request, which must succeed, and compares the lines of its changes when @lines is not NULL. */
static inline void request(struct intent *intent, enum request request, const char *path,
			   const char *body, const char *lines)
{
	struct error error = { 0 };
	char *text = NULL;

	if (try_request(intent, request, path, body, true, &text, &error))
		fail_msg("%s: %s", error.path, error.text);
	if (lines)
		assert_string_equal(text, lines);
	free(text);
}

/* Makes the request, which must be refused with this code, path and sentence. */
static inline void refuse(struct intent *intent, enum request request, const char *path,
			  const char *body, int code, const char *error_path, const char *sentence)
{
	struct error error = { 0 };
	json_t *before = intent_export(intent), *after;

	assert_int_equal(try_request(intent, request, path, body, true, NULL, &error), code);
	assert_string_equal(error.text, sentence);
	assert_string_equal(error.path, error_path);
	assert_int_equal(error.code, code);
	after = intent_export(intent);
	assert_true(json_equal(before, after));
	json_decref(before);
	json_decref(after);
}

/* A body that PUT refuses. */
struct refusal {
	const char *path, *body, *error_path, *sentence;
};

static inline void refuse_all(struct intent *intent, const struct refusal *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		refuse(intent, REQUEST_PUT, list[i].path, list[i].body, -EINVAL, list[i].error_path,
		       list[i].sentence);
}

static inline const struct object *find(const struct intent *intent, enum object_kind kind,
					const char *name)
{
	const struct object *object = intent_find(intent, "blue", kind, name);

	assert_non_null(object);
	return object;
}

static inline const struct port_object *find_port(const struct intent *intent, const char *name)
{
	return (const struct port_object *)find(intent, OBJECT_PORT, name);
}

/* Compares one member of an object's GET form. */
static inline void assert_member(const struct intent *intent, const char *path, const char *key,
				 const char *expected)
{
	char *copy = xstrdup(path), *text;
	const char *names[8];
	size_t count = split_path(copy, names);
	struct error error = { 0 };
	json_t *json = intent_get(intent, names, count, &error);

	assert_non_null(json);
	text = json_dumps(json_object_get(json, key), JSON_COMPACT | JSON_ENCODE_ANY);
	for (char *c = text; c && *c; c++)
		if (*c == '"')
			*c = '\'';
	assert_string_equal(text ? text : "(absent)", expected);
	free(text);
	json_decref(json);
	free(copy);
}

#endif
