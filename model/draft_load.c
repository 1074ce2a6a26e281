/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Records of the store become objects: all of them at the start, later what others wrote.
 *
 * Nothing depends on the order of records: all names are declared before any content is read. At
 * the start every record must be readable, for a part of the intent would be planned as if the rest
 * had been removed. News are different: what cannot be read (a newer version wrote it) leaves its
 * object as it was, and everything else goes on.
 *
 * What came from the store was judged by its writer and is not judged again: it may contradict
 * what a draft of our own says, and that draft is judged anew then. Keys: draft_store.c.
 *
 * Neighbours: text_read.c (values), draft.c (entries), agent (who lists and watches).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

#define RECORD_SIZE_MAX (4 << 20)

/* A record of an object, on the way in. */
struct loaded {
	const struct record *record;
	uint64_t revision;
	uint32_t vpc_id, id;
	enum object_kind kind;
	bool outline; /* of the index */
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

/* "/weft/1/host/4"; what is below belongs to others (alive). */
static bool parse_host_key(const char *key, struct loaded *loaded)
{
	static const char prefix[] = STORE_PREFIX "host/";

	if (strncmp(key, prefix, strlen(prefix)) != 0)
		return false;
	key += strlen(prefix);
	loaded->kind = OBJECT_HOST;
	loaded->vpc_id = 0;
	loaded->id = parse_id(&key);
	return *key == '\0' && loaded->id != 0;
}

/* "/weft/1/vpc/3/ports/17", or index for vpc. Return: whether @key is an object's. */
static bool parse_key(const char *key, struct loaded *loaded)
{
	static const char prefix[] = STORE_PREFIX "vpc/", index[] = STORE_PREFIX "index/";
	const char *plural, *slash;
	char word[32];

	if (parse_host_key(key, loaded))
		return true;
	loaded->outline = strncmp(key, index, strlen(index)) == 0;
	if (!loaded->outline && strncmp(key, prefix, strlen(prefix)) != 0)
		return false;
	key += loaded->outline ? strlen(index) : strlen(prefix);
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

/* The number under @key in a record of one number. */
static int read_number(const struct record *record, const char *key, uint32_t *number,
		       struct error *error)
{
	struct json_reader reader;
	json_t *value = NULL;
	int64_t read = 0;
	int code = json_load_text(record->value, strlen(record->value), RECORD_SIZE_MAX, &value,
				  error);

	if (code)
		return code;
	json_reader_init(&reader, value, "", error);
	json_reader_integer(&reader, key, JSON_REQUIRED, 1, UINT32_MAX, &read);
	code = json_reader_finish(&reader);
	json_decref(value);
	*number = (uint32_t)read;
	return code;
}

static int load_next_id(struct draft *draft, const struct record *record, uint64_t revision,
			struct error *error)
{
	uint32_t next = 1;
	int code = read_number(record, "next", &next, error);

	if (code)
		return code;
	if (next > draft->next_id && !draft->intent->id_end)
		draft->next_id = next;
	draft->intent->next_id_revision = revision;
	return 0;
}

/* Which subnet has the id of a segment; told also of subnets whose records are not here. */
static int load_segment_id(struct intent *intent, const struct record *record, struct error *error)
{
	const char *text = record->key + strlen(SEGMENT_ID_PREFIX);
	uint32_t id = parse_id(&text), owner_id = 0;
	const struct object *owner;
	int code = 0;

	if (!id || *text)
		return 0;
	if (record->value) {
		code = read_number(record, "subnet", &owner_id, error);
		if (!code && !map_get_u32(&intent->hosts.segment_ids, id))
			map_put_u32(&intent->hosts.segment_ids, id, id_to_value(owner_id));
		return code;
	}
	owner_id = value_to_id(map_get_u32(&intent->hosts.segment_ids, id));
	owner = owner_id ? intent_object(intent, owner_id) : NULL;
	if (!owner || owner->kind != OBJECT_SUBNET ||
	    ((const struct subnet_object *)owner)->segment.id != id)
		map_remove_u32(&intent->hosts.segment_ids, id);
	return 0;
}

/* Records that are no object's. Return: whether it was one of them; *code says how it went. */
static bool load_number(struct draft *draft, const struct record *record, uint64_t revision,
			int *code, struct error *error)
{
	*code = 0;
	if (strcmp(record->key, NEXT_ID_KEY) == 0) {
		if (record->value)
			*code = load_next_id(draft, record, revision, error);
	} else if (strncmp(record->key, SEGMENT_ID_PREFIX, strlen(SEGMENT_ID_PREFIX)) == 0) {
		*code = load_segment_id(draft->intent, record, error);
	} else {
		return false;
	}
	if (*code)
		error_prefix(error, "record %s", record->key);
	return true;
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

static int read_record(struct draft *draft, const struct loaded *loaded, struct error *error)
{
	struct draft_entry *entry = draft_entry(draft, loaded->id);
	const struct object *vpc = draft_object(draft, loaded->vpc_id);
	struct json_reader reader;

	if (loaded->kind != OBJECT_HOST && (!vpc || vpc->kind != OBJECT_VPC))
		return error_set(error, EINVAL, NULL, "there is no record of its vpc");
	if (loaded->kind == OBJECT_VPC && !loaded->outline) {
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

/*
 * An id of this host's block that others tell of was given out here, by a commit of which it was not known
 * whether it was done. It is not given out again.
 */
static void raise_next_id(void *context, uint32_t id)
{
	struct draft *draft = context;
	uint32_t end = draft->intent->id_end;

	if (id >= draft->next_id && (!end || id < end))
		draft->next_id = id + 1;
}

/*
 * VPCs first, for the others look at them. A record that cannot be read ends it, unless there is
 * somebody to tell. Return: 0 or the first error.
 */
static int read_all(struct draft *draft, const struct loaded *list, size_t count,
		    void (*passed_over)(struct draft_entry *entry), struct error *error)
{
	int first = 0;

	for (int pass = 0; pass < 2; pass++) {
		for (size_t i = 0; i < count; i++) {
			struct error own = { 0 };
			int code;

			if ((list[i].kind == OBJECT_VPC) != (pass == 0) || !list[i].value)
				continue;
			code = read_record(draft, &list[i], &own);
			if (!code) {
				object_parts(draft_entry(draft, list[i].id)->after, raise_next_id,
					     draft);
				continue;
			}
			error_prefix(&own, "record %s", list[i].record->key);
			if (!first && error)
				*error = own;
			first = first ? first : code;
			if (!passed_over)
				return first;
			passed_over(draft_entry(draft, list[i].id));
		}
	}
	return first;
}

/*
 * A VPC is held or an outline: of the one the index says nothing that is not known, of the other
 * nothing else counts. Leaves what counts in @list. Return: how many.
 */
static size_t sort_out(struct intent *intent, struct loaded *list, size_t count)
{
	struct map held = { 0 }; /* by these records */
	size_t kept = 0;

	for (size_t i = 0; i < count; i++)
		if (list[i].kind == OBJECT_VPC && !list[i].outline && list[i].record->value)
			map_put_u32(&held, list[i].vpc_id, &held);
	for (size_t i = 0; i < count; i++) {
		uint32_t vpc_id = list[i].vpc_id;
		bool outline = intent_is_outline(intent, vpc_id);
		bool holds = map_get_u32(&held, vpc_id) ||
			     (!outline && intent_object(intent, vpc_id));

		if (list[i].kind != OBJECT_HOST && (list[i].outline ? holds : outline && !holds))
			continue;
		if (list[i].outline && list[i].kind == OBJECT_VPC && list[i].record->value)
			map_put_u32(&intent->outlines, vpc_id, intent);
		list[kept++] = list[i];
	}
	map_fini(&held, NULL);
	return kept;
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
	if (!code)
		code = read_all(draft, list, count, NULL, error);
	if (!code)
		take_over(intent, draft);
	return code;
}

static void free_loaded(struct loaded *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		json_decref(list[i].value);
	free(list);
}

int intent_load(struct intent *intent, const struct record *records, const uint64_t *revisions,
		size_t count, struct error *error)
{
	struct loaded *list = xcalloc(count + 1, sizeof(*list));
	struct draft *draft = draft_new(intent);
	size_t loaded = 0;
	int code = 0;

	for (size_t i = 0; i < count && !code; i++) {
		uint64_t revision = revisions ? revisions[i] : 0;

		list[loaded] = (struct loaded){ .record = &records[i], .revision = revision };
		/* The ipam keys say again what the ports say; other keys are others'. */
		if (!load_number(draft, &records[i], revision, &code, error) &&
		    parse_key(records[i].key, &list[loaded]))
			loaded++;
	}
	loaded = sort_out(intent, list, loaded);
	if (!code)
		code = load_all(intent, draft, list, loaded, error);
	free_loaded(list, loaded);
	draft_free(draft);
	return code;
}

/* ---- news ---- */

/* The object of a record that cannot be read stays as it was. */
static void keep_as_it_was(struct draft_entry *entry)
{
	object_free(entry->after);
	entry->after = entry->before ? object_copy(entry->before) : NULL;
}

/* Whether the intent knows as much already: a watch tells us our own writes as well. */
static bool is_old(const struct intent *intent, const struct loaded *loaded)
{
	const struct object *object = intent_object(intent, loaded->id);

	return object && loaded->revision && loaded->revision < object->revision;
}

static void forget_loaded(struct draft *draft, uint32_t id)
{
	const struct object *object = draft_object(draft, id);

	if (object)
		draft_forget(draft, object);
}

/* What is not among the records is gone: of one VPC, or of everything (0). */
static void forget_others(struct draft *draft, const struct loaded *list, size_t count,
			  uint32_t vpc_id)
{
	struct map known = { 0 };

	for (size_t i = 0; i < count; i++)
		if (list[i].record->value)
			map_put_u32(&known, list[i].id, draft);
	MAP_FOR_EACH(&draft->intent->objects, it) {
		const struct object *object = it.value;

		if (!map_get(&known, it.key, it.key_size) && (!vpc_id || object->vpc_id == vpc_id))
			forget_loaded(draft, *(const uint32_t *)it.key);
	}
	map_fini(&known, NULL);
}

/* Removals first: a name may be another object's now. */
static int declare_news(struct draft *draft, struct loaded *list, size_t count, struct error *error)
{
	int first = 0;

	for (size_t i = 0; i < count; i++)
		if (!list[i].record->value && !is_old(draft->intent, &list[i]))
			forget_loaded(draft, list[i].id);
	for (size_t i = 0; i < count; i++) {
		struct error own = { 0 };
		int code;

		if (!list[i].record->value || is_old(draft->intent, &list[i]))
			continue;
		code = declare_record(draft, &list[i], &own);
		raise_next_id(draft, list[i].id);
		if (!code)
			continue;
		json_decref(list[i].value);
		list[i].value = NULL;
		error_prefix(&own, "record %s", list[i].record->key);
		if (!first && error)
			*error = own;
		first = first ? first : code;
	}
	return first;
}

/* What was written again as it was has a new revision all the same. */
static void stamp(const struct draft *draft, const struct loaded *list, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct draft_entry *entry = draft_entry(draft, list[i].id);

		if (entry && entry->before && entry->after && list[i].value)
			((struct object *)entry->before)->revision = list[i].revision;
	}
}

void draft_publish_taken(struct draft *draft)
{
	draft->taken = true;
	draft->checked = true;
	draft_commit(draft, 0);
}

static void publish(struct draft *draft, const struct loaded *list, size_t count)
{
	check_spaces_begin(draft);
	draft_compare(draft);
	stamp(draft, list, count);
	draft_publish_taken(draft);
	for (size_t i = 0; i < count; i++)
		if (list[i].outline && list[i].kind == OBJECT_VPC && !list[i].record->value)
			map_remove_u32(&draft->intent->outlines, list[i].vpc_id);
}

static int take_records(struct intent *intent, const struct record *records,
			const uint64_t *revisions, size_t count, bool whole, uint32_t vpc_id,
			struct draft **taken, struct error *error)
{
	struct loaded *list = xcalloc(count + 1, sizeof(*list));
	struct draft *draft = draft_new(intent);
	struct error later = { 0 };
	size_t loaded = 0;
	int code = 0, number = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t revision = revisions ? revisions[i] : 0;

		list[loaded] = (struct loaded){ .record = &records[i], .revision = revision };
		if (load_number(draft, &records[i], revision, &number, code ? &later : error)) {
			code = code ? code : number;
			continue;
		}
		if (parse_key(records[i].key, &list[loaded]))
			loaded++;
	}
	loaded = sort_out(intent, list, loaded);
	if (whole)
		forget_others(draft, list, loaded, vpc_id);
	number = declare_news(draft, list, loaded, code ? &later : error);
	code = code ? code : number;
	number = read_all(draft, list, loaded, keep_as_it_was, code ? &later : error);
	code = code ? code : number;
	publish(draft, list, loaded);
	free_loaded(list, loaded);
	*taken = draft;
	return code;
}

struct draft *intent_yield_port(struct intent *intent, uint32_t port_id, const char *host,
				uint32_t claim)
{
	const struct object *object = intent_object(intent, port_id);
	struct port_object *port;
	struct draft *draft;

	if (!object || object->kind != OBJECT_PORT)
		return NULL;
	draft = draft_new(intent);
	port = (struct port_object *)draft_edit(draft, object);
	snprintf(port->host, sizeof(port->host), "%s", host);
	port->moving_to[0] = '\0';
	port->moves_on_command = false;
	port->claim = claim;
	check_spaces_begin(draft);
	draft_compare(draft);
	draft->taken = true;
	draft->checked = true;
	return draft;
}

int intent_take(struct intent *intent, const struct record *records, const uint64_t *revisions,
		size_t count, bool whole, struct draft **taken, struct error *error)
{
	return take_records(intent, records, revisions, count, whole, 0, taken, error);
}

int intent_take_vpc(struct intent *intent, uint32_t vpc_id, const struct record *records,
		    const uint64_t *revisions, size_t count, struct draft **taken,
		    struct error *error)
{
	return take_records(intent, records, revisions, count, true, vpc_id, taken, error);
}
