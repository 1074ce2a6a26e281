/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Changed objects laid over an intent, and their commit.
 *
 * A draft holds an entry for each object that was touched: what it was (borrowed from the intent)
 * and what it is to be. Every look-up of the draft sees its entries first. Names get their id
 * when they are declared, before any content is read, so that objects of one request may refer to
 * one another in any order. An object that is removed and declared again within one draft keeps
 * its id.
 *
 * Neighbours: draft_write.c (requests become entries), check.c (the judgement), draft_store.c
 * (records), draft_change.c (what differs).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/suggest.h"
#include "model/intent_private.h"

struct draft *draft_new(struct intent *intent)
{
	struct draft *draft = xcalloc(1, sizeof(*draft));

	draft->intent = intent;
	draft->generation = intent->generation;
	draft->next_id = intent->next_id;
	intent->draft = draft;
	return draft;
}

static void free_entry_list(void *value)
{
	struct entry_list *list = value;

	free(list->list);
	free(list);
}

static void free_entry(const struct draft *draft, struct draft_entry *entry)
{
	/* After the commit the intent owns `after`, and `before` is what it gave away for it. */
	if (draft->committed && !entry->same)
		object_free((struct object *)entry->before);
	else
		object_free(entry->after);
	free(entry);
}

void draft_clear_results(struct draft *draft)
{
	for (size_t i = 0; i < draft->record_count; i++) {
		free(draft->records[i].key);
		free(draft->records[i].value);
	}
	free(draft->records);
	draft->records = NULL;
	draft->record_count = draft->record_room = 0;
	for (size_t i = 0; i < draft->comparison_count; i++)
		free(draft->comparisons[i].key);
	free(draft->comparisons);
	draft->comparisons = NULL;
	draft->comparison_count = draft->comparison_room = 0;
	free(draft->changes);
	draft->changes = NULL;
	draft->change_count = 0;
	draft->checked = false;
}

void draft_free(struct draft *draft)
{
	if (!draft)
		return;
	if (draft->intent->draft == draft)
		draft->intent->draft = NULL;
	draft_clear_results(draft);
	check_reset(draft);
	for (size_t i = 0; i < draft->entries.count; i++)
		free_entry(draft, draft->entries.list[i]);
	free(draft->entries.list);
	map_fini(&draft->by_id, NULL);
	map_fini(&draft->by_name, NULL);
	map_fini(&draft->members, free_entry_list);
	free(draft);
}

/* ---- look-ups ---- */

struct draft_entry *draft_entry(const struct draft *draft, uint32_t id)
{
	return map_get_u32(&draft->by_id, id);
}

const struct object *draft_object(const struct draft *draft, uint32_t id)
{
	const struct draft_entry *entry = draft_entry(draft, id);

	return entry ? entry->after : intent_object(draft->intent, id);
}

const struct vpc_object *draft_vpc(const struct draft *draft, uint32_t vpc_id)
{
	return (const struct vpc_object *)draft_object(draft, vpc_id);
}

const struct object *draft_find(const struct draft *draft, uint32_t vpc_id, enum object_kind kind,
				const char *name)
{
	unsigned char key[NAME_KEY_SIZE];
	const struct draft_entry *entry;
	size_t size;

	if (strnlen(name, NAME_SIZE) == NAME_SIZE)
		return NULL;
	size = name_key(key, vpc_id, kind, name);
	entry = map_get(&draft->by_name, key, size);
	return entry ? entry->after : map_get(&draft->intent->names, key, size);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp((*(const struct object *const *)a)->name,
		      (*(const struct object *const *)b)->name);
}

size_t draft_members(const struct draft *draft, uint32_t vpc_id, enum object_kind kind,
		     const struct object ***list)
{
	const struct map *set = intent_members(draft->intent, vpc_id, kind);
	uint64_t key = member_key(vpc_id, kind);
	const struct entry_list *touched = map_get(&draft->members, &key, sizeof(key));
	size_t count = 0;

	*list = xcalloc((set ? map_count(set) : 0) + (touched ? touched->count : 0) + 1,
			sizeof(void *));
	if (set) {
		MAP_FOR_EACH(set, it) {
			if (map_get(&draft->by_id, it.key, it.key_size))
				continue;
			(*list)[count++] = map_get(&draft->intent->objects, it.key, it.key_size);
		}
	}
	for (size_t i = 0; touched && i < touched->count; i++)
		if (touched->list[i]->after)
			(*list)[count++] = touched->list[i]->after;
	qsort(*list, count, sizeof(void *), compare_names);
	return count;
}

const char *draft_suggest(const struct draft *draft, uint32_t vpc_id, enum object_kind kind,
			  const char *name, char text[128])
{
	const struct object **list;
	size_t count = draft_members(draft, vpc_id, kind, &list);
	struct suggestion suggestion;

	suggestion_init(&suggestion, name);
	for (size_t i = 0; i < count; i++)
		suggestion_offer(&suggestion, list[i]->name);
	suggestion_format(&suggestion, text);
	free(list);
	return text;
}

/* ---- sentences ---- */

const char *draft_title(const struct draft *draft, const struct object *object, char text[160])
{
	const struct object *vpc = draft_object(draft, object->vpc_id);

	if (!vpc)
		vpc = intent_object(draft->intent, object->vpc_id);
	if (object->kind == OBJECT_VPC || object->kind == OBJECT_HOST)
		snprintf(text, 160, "%s %s", object_kind_word(object->kind), object->name);
	else
		snprintf(text, 160, "%s %s/%s", object_kind_word(object->kind),
			 vpc ? vpc->name : "?", object->name);
	return text;
}

int draft_refuse(const struct draft *draft, const struct object *object, const char *key, int code,
		 struct error *error, const char *format, ...)
{
	char path[256], sentence[sizeof(error->text)], title[160];
	const struct object *vpc = draft_object(draft, object->vpc_id);
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	va_end(arguments);
	if (object->kind == OBJECT_VPC || object->kind == OBJECT_HOST)
		snprintf(path, sizeof(path), "%s.%s%s%s", object_kind_plural(object->kind),
			 object->name, key ? "." : "", key ? key : "");
	else
		snprintf(path, sizeof(path), "vpcs.%s.%s.%s%s%s", vpc ? vpc->name : "?",
			 object_kind_plural(object->kind), object->name, key ? "." : "",
			 key ? key : "");
	return error_set(error, code, path, "%s: %s", draft_title(draft, object, title), sentence);
}

/* ---- entries ---- */

static void entry_list_add(struct entry_list *list, struct draft_entry *entry)
{
	if (list->count == list->room) {
		list->room = list->room ? list->room * 2 : 8;
		list->list = xreallocarray(list->list, list->room, sizeof(void *));
	}
	list->list[list->count++] = entry;
}

/* The entry of an object, made when there is none; `like` says what it is. */
static struct draft_entry *touch(struct draft *draft, const struct object *like)
{
	struct draft_entry *entry = draft_entry(draft, like->id);
	uint64_t member = member_key(like->vpc_id, like->kind);
	unsigned char key[NAME_KEY_SIZE];
	struct entry_list *list;

	draft_clear_results(draft);
	if (entry)
		return entry;
	entry = xcalloc(1, sizeof(*entry));
	entry->before = intent_object(draft->intent, like->id);
	entry_list_add(&draft->entries, entry);
	map_put_u32(&draft->by_id, like->id, entry);
	map_put(&draft->by_name, key, name_key(key, like->vpc_id, like->kind, like->name), entry);
	list = map_get(&draft->members, &member, sizeof(member));
	if (!list) {
		list = xcalloc(1, sizeof(*list));
		map_put(&draft->members, &member, sizeof(member), list);
	}
	entry_list_add(list, entry);
	return entry;
}

uint32_t draft_new_id(struct draft *draft)
{
	uint32_t end = draft->intent->id_end;

	/* The ids behind the block are others', and their objects may be here. */
	if (end && draft->next_id == end)
		draft->next_id = BEYOND_ID;
	return draft->next_id++;
}

uint32_t draft_ids_short(const struct draft *draft)
{
	const struct intent *intent = draft->intent;

	if (!intent->id_end || draft->next_id < BEYOND_ID)
		return 0;
	return draft->next_id - BEYOND_ID + intent->id_end - intent->next_id;
}

void intent_keep_apart(struct intent *intent, uint32_t addresses)
{
	intent->apart = addresses;
}

void intent_give_ids(struct intent *intent, uint32_t first, uint32_t end)
{
	intent->next_id = first;
	intent->id_end = end;
	intent->generation++;
}

struct draft_entry *draft_declare_id(struct draft *draft, uint32_t vpc_id, enum object_kind kind,
				     const char *name, uint32_t id)
{
	struct object *object = object_new(kind);
	struct draft_entry *entry;

	object->id = id;
	object->vpc_id = kind == OBJECT_VPC ? id : vpc_id;
	snprintf(object->name, sizeof(object->name), "%s", name);
	entry = touch(draft, object);
	object_free(entry->after);
	entry->after = object;
	entry->automatic_addresses = entry->automatic_mac = false;
	return entry;
}

struct draft_entry *draft_declare(struct draft *draft, uint32_t vpc_id, enum object_kind kind,
				  const char *name)
{
	unsigned char key[NAME_KEY_SIZE];
	size_t size = name_key(key, vpc_id, kind, name);
	const struct draft_entry *entry = map_get(&draft->by_name, key, size);
	const struct object *old;
	uint32_t id;

	/* An entry knows the id even when its object was removed within the draft. */
	if (entry)
		old = entry->after ? entry->after : entry->before;
	else
		old = map_get(&draft->intent->names, key, size);
	id = old ? old->id : draft_new_id(draft);
	return draft_declare_id(draft, vpc_id, kind, name, id);
}

struct object *draft_edit(struct draft *draft, const struct object *object)
{
	struct draft_entry *entry = touch(draft, object);

	if (!entry->after)
		entry->after = object_copy(object);
	return entry->after;
}

void draft_forget(struct draft *draft, const struct object *object)
{
	struct draft_entry *entry = touch(draft, object);

	object_free(entry->after);
	entry->after = NULL;
}

/* ---- commit ---- */

void draft_commit(struct draft *draft, uint64_t revision)
{
	struct intent *intent = draft->intent;

	if (!draft->checked || draft->committed || draft->generation != intent->generation)
		abort(); /* the caller publishes what was judged, once, before any other draft */
	for (size_t i = 0; i < draft->change_count; i++)
		if (draft->changes[i].before)
			intent_withdraw(intent, draft->changes[i].before);
	for (size_t i = 0; i < draft->change_count; i++) {
		const struct object *before = draft->changes[i].before;
		struct object *after = (struct object *)draft->changes[i].after;

		if (before && !after && before->kind == OBJECT_SUBNET)
			free(map_remove_u32(&intent->spaces, before->id));
		if (!after)
			continue;
		if (!draft->taken)
			after->revision = revision;
		intent_insert(intent, after);
	}
	MAP_FOR_EACH(&draft->spaces, it) {
		if (intent_object(intent, *(const uint32_t *)it.key))
			free(map_put(&intent->spaces, it.key, it.key_size,
				     xmemdup(it.value, sizeof(struct address_space))));
	}
	/* The counter's record was written with the others. */
	if (!draft->taken && draft->next_id != intent->next_id && draft->change_count)
		intent->next_id_revision = revision;
	if (draft->next_id > BEYOND_ID && intent->id_end)
		abort(); /* the caller asked draft_ids_short() */
	intent->next_id = draft->next_id;
	intent->generation++;
	draft->committed = true;
}
