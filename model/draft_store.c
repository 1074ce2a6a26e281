/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A draft as records of the store, and an intent from records.
 *
 * Keys: /weft/1/vpc/<vpc id>/<kind plural>/<id> holds an object, its content by names as in GET,
 * with its id and the ids of its rules and routes; /weft/1/ids/next the first id that was never
 * given out; /weft/1/ipam/<subnet id>/<address> the port that has it, so that two hosts cannot
 * give out the same address. Loading does not depend on the order of records: all names are
 * declared before any content is read.
 *
 * Neighbours: text_write.c and text_read.c (values), agent (writes the records in one
 * transaction).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

#define PREFIX "/weft/1/"
#define RECORD_SIZE_MAX (4 << 20)

/* ---- writing ---- */

/* Takes @key and @value over. */
static void add_record(struct draft *draft, char *key, char *value)
{
	struct record *record;

	if (!draft->records || draft->record_count == draft->record_room) {
		draft->record_room = draft->record_room ? draft->record_room * 2 : 16;
		draft->records =
			xreallocarray(draft->records, draft->record_room, sizeof(*draft->records));
	}
	record = &draft->records[draft->record_count++];
	record->key = key;
	record->value = value;
}

static char *dump(json_t *json)
{
	char *text = json_dumps(json, JSON_COMPACT);

	if (!text)
		abort(); /* out of memory: the library has no other reason */
	json_decref(json);
	return text;
}

static void add_object(struct draft *draft, const struct change *change)
{
	const struct object *object = change->after ? change->after : change->before;
	char *key = xasprintf(PREFIX "vpc/%u/%s/%u", object->vpc_id,
			      object_kind_plural(object->kind), object->id);

	add_record(draft, key,
		   change->after ? dump(text_write(draft->intent, object, TEXT_RECORD)) : NULL);
}

static char *ipam_key(const struct port_object *port, size_t index)
{
	char address[IP_ADDRESS_TEXT_SIZE];

	return xasprintf(PREFIX "ipam/%u/%s", port->subnet_id,
			 ip_address_format(&port->addresses[index], address));
}

/* Addresses that moved from one port to another are written once, by the port that has them now. */
static void add_addresses(struct draft *draft)
{
	struct map taken = { 0 };

	for (size_t i = 0; i < draft->change_count; i++) {
		const struct port_object *port =
			(const struct port_object *)draft->changes[i].after;

		for (size_t j = 0;
		     draft->changes[i].kind == OBJECT_PORT && port && j < port->address_count;
		     j++) {
			char *key = ipam_key(port, j);

			map_put_text(&taken, key, id_to_value(port->object.id));
			free(key);
		}
	}
	for (size_t i = 0; i < draft->change_count; i++) {
		const struct port_object *port =
			(const struct port_object *)draft->changes[i].before;

		for (size_t j = 0;
		     draft->changes[i].kind == OBJECT_PORT && port && j < port->address_count;
		     j++) {
			char *key = ipam_key(port, j);
			uint32_t id = value_to_id(map_get_text(&taken, key));

			if (id == port->object.id) {
				map_remove_text(&taken, key);
				free(key);
			} else if (id) {
				free(key);
			} else {
				add_record(draft, key, NULL);
			}
		}
	}
	MAP_FOR_EACH(&taken, it)
		add_record(draft, xstrdup(it.key),
			   xasprintf("{\"port\":%u}", value_to_id(it.value)));
	map_fini(&taken, NULL);
}

const struct record *draft_records(struct draft *draft, size_t *count)
{
	if (draft->checked && !draft->records) {
		for (size_t i = 0; i < draft->change_count; i++)
			add_object(draft, &draft->changes[i]);
		add_addresses(draft);
		if (draft->next_id != draft->intent->next_id && draft->change_count)
			add_record(draft, xstrdup(PREFIX "ids/next"),
				   xasprintf("{\"next\":%u}", draft->next_id));
	}
	*count = draft->record_count;
	return draft->records;
}

/* ---- loading ---- */

/* A record of an object, on the way in. */
struct loaded {
	const struct record *record;
	uint64_t revision;
	uint32_t vpc_id, id;
	enum object_kind kind;
	json_t *value;
};

/* An id at *@text, which moves behind it. Return: the id, 0 if there is none. */
static uint32_t parse_id(const char **text)
{
	uint64_t id = 0;

	for (; **text >= '0' && **text <= '9' && id <= UINT32_MAX; (*text)++)
		id = id * 10 + (uint64_t)(**text - '0');
	return id <= UINT32_MAX ? (uint32_t)id : 0;
}

/* "/weft/1/vpc/3/ports/17". Return: whether @key is an object's. */
static bool parse_key(const char *key, struct loaded *loaded)
{
	static const char prefix[] = PREFIX "vpc/";
	const char *plural, *slash;
	char word[32];

	if (strncmp(key, prefix, strlen(prefix)) != 0)
		return false;
	key += strlen(prefix);
	loaded->vpc_id = parse_id(&key);
	if (*key != '/')
		return false;
	plural = key + 1;
	slash = strchr(plural, '/');
	if (!slash || (size_t)(slash - plural) >= sizeof(word))
		return false;
	snprintf(word, sizeof(word), "%.*s", (int)(slash - plural), plural);
	key = slash + 1;
	loaded->id = parse_id(&key);
	if (strcmp(word, "vpcs") == 0)
		loaded->kind = OBJECT_VPC;
	else if (!object_kind_from_plural(word, &loaded->kind))
		return false;
	return *key == '\0' && loaded->id != 0 && loaded->vpc_id != 0;
}

static int load_next_id(struct intent *intent, const struct record *record, struct error *error)
{
	struct json_reader reader;
	json_t *value = NULL;
	int64_t next = 1;
	int code = json_load_text(record->value, strlen(record->value), RECORD_SIZE_MAX, &value,
				  error);

	if (code)
		return code;
	json_reader_init(&reader, value, "", error);
	json_reader_integer(&reader, "next", JSON_REQUIRED, 1, UINT32_MAX, &next);
	code = json_reader_finish(&reader);
	json_decref(value);
	if (next > intent->next_id)
		intent->next_id = (uint32_t)next;
	return code;
}

/* Names are declared in a first pass over all records. */
static int declare_record(struct draft *draft, struct loaded *loaded, struct error *error)
{
	const char *name, *text = loaded->record->value;
	struct draft_entry *entry;
	int code = json_load_text(text, strlen(text), RECORD_SIZE_MAX, &loaded->value, error);

	if (code)
		return code;
	name = json_string_value(json_object_get(loaded->value, "name"));
	if (!name || !name_is_valid(name))
		return error_set(error, EINVAL, NULL, "the record has no valid name");
	if (draft_entry(draft, loaded->id))
		return error_set(error, EINVAL, NULL, "two records have the id %u", loaded->id);
	entry = draft_declare_id(draft, loaded->vpc_id, loaded->kind, name, loaded->id);
	entry->after->revision = loaded->revision;
	return 0;
}

static int read_record(struct draft *draft, struct loaded *loaded, struct error *error)
{
	struct draft_entry *entry = draft_entry(draft, loaded->id);
	const struct object *vpc = draft_object(draft, loaded->vpc_id);
	struct json_reader reader;

	if (!vpc || vpc->kind != OBJECT_VPC)
		return error_set(error, EINVAL, NULL, "there is no record of its vpc");
	if (loaded->kind == OBJECT_VPC) {
		struct vpc_object *own = (struct vpc_object *)entry->after;
		const struct object *table = draft_find(draft, vpc->id, OBJECT_ROUTE_TABLE, "main");
		const struct object *group =
			draft_find(draft, vpc->id, OBJECT_SECURITY_GROUP, "default");

		if (!table || !group)
			return error_set(error, EINVAL, NULL,
					 "there is no record of its main table or default group");
		own->main_table_id = table->id;
		own->default_group_id = group->id;
	}
	json_reader_init(&reader, loaded->value, "", error);
	return text_read(draft, entry, &reader, true);
}

/* The intent takes over what the draft holds, each object with its own revision. */
static void take_over(struct intent *intent, struct draft *draft)
{
	for (size_t i = 0; i < draft->entries.count; i++) {
		struct draft_entry *entry = draft->entries.list[i];

		intent_insert(intent, entry->after);
		entry->after = NULL;
	}
	if (draft->next_id > intent->next_id)
		intent->next_id = draft->next_id;
	intent->generation++;
}

static void raise_next_id(void *context, uint32_t id)
{
	struct draft *draft = context;

	if (id >= draft->next_id)
		draft->next_id = id + 1;
}

static int load_all(struct intent *intent, struct draft *draft, struct loaded *list, size_t count,
		    struct error *error)
{
	int code = 0;

	for (size_t i = 0; i < count && !code; i++) {
		code = declare_record(draft, &list[i], error);
		if (code)
			error_prefix(error, "record %s", list[i].record->key);
		raise_next_id(draft, list[i].id);
	}
	/* VPCs first: the others look at them. */
	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < count && !code; i++) {
			if ((list[i].kind == OBJECT_VPC) != (pass == 0))
				continue;
			code = read_record(draft, &list[i], error);
			if (code)
				error_prefix(error, "record %s", list[i].record->key);
			else
				object_parts(draft_entry(draft, list[i].id)->after, raise_next_id,
					     draft);
		}
	}
	if (!code)
		take_over(intent, draft);
	return code;
}

int intent_load(struct intent *intent, const struct record *records, const uint64_t *revisions,
		size_t count, struct error *error)
{
	struct loaded *list = xcalloc(count + 1, sizeof(*list));
	struct draft *draft = draft_new(intent);
	size_t loaded = 0;
	int code = 0;

	for (size_t i = 0; i < count && !code; i++) {
		struct loaded *next = &list[loaded];

		*next = (struct loaded){ .record = &records[i],
					 .revision = revisions ? revisions[i] : 0 };
		if (strcmp(records[i].key, PREFIX "ids/next") == 0) {
			code = load_next_id(intent, &records[i], error);
			if (code)
				error_prefix(error, "record %s", records[i].key);
		} else if (parse_key(records[i].key, next)) {
			loaded++;
		}
		/* The ipam keys say again what the ports say; other keys are others'. */
	}
	if (!code)
		code = load_all(intent, draft, list, loaded, error);
	for (size_t i = 0; i < loaded; i++)
		json_decref(list[i].value);
	free(list);
	draft_free(draft);
	return code;
}
