/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a draft changes: the list of changed objects, and a line about each for people.
 *
 * An object that is as it was is no change, so that applying an export does nothing. Changes
 * stand in the order of dependency: what is referred to comes before what refers to it; removals
 * last, reversed.
 *
 * Neighbours: check.c (calls draft_compare when all is valid), draft_store.c and the planner (the
 * readers).
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

static const enum object_kind dependency_order[] = {
	OBJECT_HOST,        OBJECT_VPC,    OBJECT_SECURITY_GROUP, OBJECT_ACL,
	OBJECT_ROUTE_TABLE, OBJECT_SUBNET, OBJECT_TUNNEL,         OBJECT_PORT,
};

static void add_change(struct draft *draft, const struct draft_entry *entry)
{
	struct change *change = &draft->changes[draft->change_count++];

	change->before = entry->before;
	change->after = entry->after;
	if (!entry->before) {
		change->kind = entry->after->kind;
		change->action = CHANGE_ADD;
	} else {
		change->kind = entry->before->kind;
		change->action = entry->after ? CHANGE_MODIFY : CHANGE_REMOVE;
	}
}

void draft_compare(struct draft *draft)
{
	size_t count = draft->entries.count;

	draft->changes = xcalloc(count + 1, sizeof(*draft->changes));
	for (size_t i = 0; i < count; i++) {
		struct draft_entry *entry = draft->entries.list[i];

		if (entry->after)
			object_identify_parts(entry->after, entry->before, draft);
		entry->same = (!entry->before && !entry->after) ||
			      (entry->before && entry->after &&
			       object_equal(entry->before, entry->after));
	}
	for (size_t order = 0; order < ARRAY_SIZE(dependency_order); order++) {
		for (size_t i = 0; i < count; i++) {
			const struct draft_entry *entry = draft->entries.list[i];

			if (!entry->same && entry->after &&
			    entry->after->kind == dependency_order[order])
				add_change(draft, entry);
		}
	}
	for (size_t order = ARRAY_SIZE(dependency_order); order-- > 0;) {
		for (size_t i = 0; i < count; i++) {
			const struct draft_entry *entry = draft->entries.list[i];

			if (!entry->same && !entry->after &&
			    entry->before->kind == dependency_order[order])
				add_change(draft, entry);
		}
	}
}

const struct change *draft_changes(const struct draft *draft, size_t *count)
{
	*count = draft->change_count;
	return draft->changes;
}

/* ---- words ---- */

static void append_title(const struct intent *intent, const struct object *object, struct buf *text)
{
	const struct object *vpc = intent_named(intent, object->vpc_id);

	if (object->kind == OBJECT_VPC || object->kind == OBJECT_HOST)
		buf_printf(text, "%s %s", object_kind_word(object->kind), object->name);
	else
		buf_printf(text, "%s %s/%s", object_kind_word(object->kind), vpc ? vpc->name : "?",
			   object->name);
}

/* A value in a few words. */
static void append_value(const json_t *value, struct buf *text)
{
	size_t index;
	json_t *element;
	char *dump;

	if (!value || json_is_null(value)) {
		buf_append_text(text, "none");
	} else if (json_is_string(value)) {
		buf_append_text(text, json_string_value(value));
	} else if (json_is_array(value)) {
		if (json_array_size(value) == 0)
			buf_append_text(text, "none");
		json_array_foreach(value, index, element) {
			if (index)
				buf_append_char(text, ',');
			append_value(element, text);
		}
	} else {
		dump = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
		buf_append_text(text, dump ? dump : "?");
		free(dump);
	}
}

/* How many elements of @list are not in @other. */
static size_t count_missing(const json_t *list, const json_t *other)
{
	struct map known = { 0 };
	size_t index, missing = 0;
	json_t *element;

	json_array_foreach(other, index, element) {
		char *dump = json_dumps(element, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

		map_put_text(&known, dump, &known);
		free(dump);
	}
	json_array_foreach(list, index, element) {
		char *dump = json_dumps(element, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS);

		if (!map_get_text(&known, dump))
			missing++;
		free(dump);
	}
	map_fini(&known, NULL);
	return missing;
}

static void append_difference(const char *key, const json_t *before, const json_t *after,
			      struct buf *text)
{
	bool objects = json_is_object(json_array_get(before, 0)) ||
		       json_is_object(json_array_get(after, 0));

	buf_printf(text, "%s ", key);
	if (objects) {
		size_t added = count_missing(after, before), removed = count_missing(before, after);

		if (added || removed)
			buf_printf(text, "+%zu -%zu", added, removed);
		else
			buf_append_text(text, "in another order");
		return;
	}
	append_value(before, text);
	buf_append_text(text, " → ");
	append_value(after, text);
}

/* JSON in which implied references are written out. */
static json_t *comparable(const struct intent *intent, const struct object *object)
{
	json_t *json = text_write(intent, object, TEXT_FULL);

	if (object->kind == OBJECT_SUBNET) {
		const struct subnet_object *subnet = (const struct subnet_object *)object;
		const struct object *table = intent_named(intent, subnet->route_table_id);

		json_object_set_new(json, "route_table", json_string(table ? table->name : "?"));
	}
	if (object->kind == OBJECT_ROUTE_TABLE) {
		size_t index;
		json_t *route;

		/* Whether a target lives is not a change of the table. */
		json_array_foreach(json_object_get(json, "routes"), index, route) {
			json_object_del(route, "status");
		}
	}
	return json;
}

/* Changes that cannot be seen in the names. */
static void append_hidden_difference(const struct change *change, struct buf *text)
{
	if (change->kind == OBJECT_ROUTE_TABLE)
		buf_append_text(text, ": a port its routes name is back");
	else if (change->kind == OBJECT_SUBNET)
		buf_append_text(text,
				((const struct subnet_object *)change->after)->route_table_implicit
					? ": follows the main route table"
					: ": keeps its route table");
}

static void append_differences(const struct intent *intent, const struct change *change,
			       struct buf *text)
{
	json_t *before = comparable(intent, change->before);
	json_t *after = comparable(intent, change->after);
	const char *separator = ": ";
	const char *key;
	json_t *value;

	json_object_foreach(after, key, value) {
		const json_t *old = json_object_get(before, key);

		if (json_equal(old, value))
			continue;
		buf_append_text(text, separator);
		append_difference(key, old, value, text);
		separator = ", ";
	}
	if (strcmp(separator, ": ") == 0)
		append_hidden_difference(change, text);
	json_decref(before);
	json_decref(after);
}

char *change_text(const struct intent *intent, const struct change *change)
{
	struct buf text = { 0 };

	switch (change->action) {
	case CHANGE_ADD:
		buf_append_text(&text, "+ ");
		append_title(intent, change->after, &text);
		break;
	case CHANGE_REMOVE:
		buf_append_text(&text, "- ");
		append_title(intent, change->before, &text);
		break;
	case CHANGE_MODIFY:
		buf_append_text(&text, "~ ");
		append_title(intent, change->after, &text);
		append_differences(intent, change, &text);
		break;
	}
	return buf_steal(&text, NULL);
}
