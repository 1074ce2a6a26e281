/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A draft as records of the store, and what must be so there for them to be written.
 *
 * Keys: /weft/1/vpc/<vpc id>/<kind plural>/<id> holds an object, /weft/1/host/<id> a host, its
 * content by names as in GET, with its id and the ids of its rules and routes; /weft/1/ids/next
 * the first id that was never given out (a host among others takes ids in blocks, which moves it
 * on, and gives out those: intent_give_ids()). Others hold what two hosts must not give out both:
 * /weft/1/ipam/<vpc id>/<subnet id>/<address> the port that has it (nobody watches those: the port says it too), /weft/1/ids/vni/<id> the subnet whose
 * segment has the id, /weft/1/names/vpc/<name> the VPC, /weft/1/name/<vpc id>/<kind plural>:<name>
 * what has a name in it, /weft/1/device/<host>/<hash> the port that is at a device.
 *
 * Whoever writes says what it read: an object as it was, what it refers to as it was judged by, and
 * that nobody has what it gives out. A second writer fails then, takes the first one's news, and
 * tries again.
 *
 * Neighbours: draft_load.c (the way back), text_write.c (values), agent (one transaction).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/intent_private.h"

/* ---- records ---- */

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

char *object_key(const struct object *object)
{
	if (object->kind == OBJECT_HOST)
		return xasprintf(STORE_PREFIX "host/%u", object->id);
	return xasprintf(STORE_PREFIX "vpc/%u/%s/%u", object->vpc_id,
			 object_kind_plural(object->kind), object->id);
}

static void add_object(struct draft *draft, const struct change *change)
{
	const struct object *object = change->after ? change->after : change->before;
	char *value = change->after ? dump(text_write(draft->intent, object, TEXT_RECORD)) : NULL;

	if (outline_kind(object->kind))
		add_record(draft, outline_key(object), value ? outline_value(value) : NULL);
	add_record(draft, object_key(object), value);
}

/* ---- what is given out once ---- */

/*
 * The device of a port by a hash of 64 bits (FNV-1a), since names of namespaces may be no keys. A
 * host that does not hold the VPC of the port that has the device learns by this key that it is
 * taken.
 */
static char *device_key(const struct port_object *port)
{
	const char *host = port->host[0] ? port->host : "-";
	char text[ATTACHMENT_KEY_SIZE];
	uint64_t hash = 0xcbf29ce484222325;

	if (!attachment_key(text, port, host))
		return NULL;
	for (const char *byte = text; *byte; byte++)
		hash = (hash ^ (unsigned char)*byte) * 0x100000001b3;
	return xasprintf(STORE_PREFIX "device/%s/%016" PRIx64, host, hash);
}

/*
 * The key under which a VPC's name, a segment's id or place on a wire, or a device is taken; NULL:
 * none.
 */
static char *unique_key(const struct object *object)
{
	const struct segment *segment;

	if (object && object->kind == OBJECT_PORT)
		return device_key((const struct port_object *)object);
	if (object && object->kind == OBJECT_VPC)
		return xasprintf(STORE_PREFIX "names/vpc/%s", object->name);
	if (!object || object->kind != OBJECT_SUBNET)
		return NULL;
	segment = &((const struct subnet_object *)object)->segment;
	if (segment_is_wire(segment)) {
		char *wire = wire_key(segment), *key = xasprintf(WIRE_PREFIX "%s", wire);

		free(wire);
		return key;
	}
	if (segment->type != SEGMENT_OVERLAY || !segment->id)
		return NULL;
	return xasprintf(SEGMENT_ID_PREFIX "%u", segment->id);
}

/*
 * The key under which a name in a VPC is taken, as long as there is the object; NULL: it is in
 * none.
 */
static char *taken_name(const struct object *object)
{
	if (object->kind == OBJECT_VPC || object->kind == OBJECT_HOST)
		return NULL;
	return xasprintf(NAME_PREFIX "%u/%s:%s", object->vpc_id, object_kind_plural(object->kind),
			 object->name);
}

/* Names do not change, and a name that is given again within a draft keeps its id. */
static void add_names(struct draft *draft)
{
	for (size_t i = 0; i < draft->change_count; i++) {
		const struct change *change = &draft->changes[i];
		char *key = NULL;

		if (!change->before || !change->after)
			key = taken_name(change->after ? change->after : change->before);
		if (key)
			add_record(draft, key,
				   change->after ? xasprintf("{\"id\":%u}", change->after->id)
						 : NULL);
	}
}

/* Keys that went from one object to another are written once, by the one that has them now. */
static void add_unique(struct draft *draft)
{
	struct map taken = { 0 };

	for (size_t i = 0; i < draft->change_count; i++) {
		const struct object *after = draft->changes[i].after;
		char *key = unique_key(after), *had = unique_key(draft->changes[i].before);

		if (key) {
			map_put_text(&taken, key, draft);
			if (!had || strcmp(key, had) != 0)
				add_record(draft, xstrdup(key),
					   after->kind == OBJECT_PORT
						   ? xasprintf("{\"port\":%u,\"vpc_id\":%u}",
							       after->id, after->vpc_id)
						   : xasprintf("{\"%s\":%u}",
							       object_kind_word(after->kind),
							       after->id));
		}
		free(key);
		free(had);
	}
	for (size_t i = 0; i < draft->change_count; i++) {
		char *had = unique_key(draft->changes[i].before);

		if (had && !map_get_text(&taken, had))
			add_record(draft, xstrdup(had), NULL);
		free(had);
	}
	map_fini(&taken, NULL);
}

static char *ipam_key(const struct port_object *port, size_t index)
{
	char address[IP_ADDRESS_TEXT_SIZE];

	return xasprintf(ADDRESS_PREFIX "%u/%u/%s", port->object.vpc_id, port->subnet_id,
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
		add_unique(draft);
		add_names(draft);
		if (draft->next_id != draft->intent->next_id && draft->change_count &&
		    !draft->intent->id_end)
			add_record(draft, xstrdup(NEXT_ID_KEY),
				   xasprintf("{\"next\":%u}", draft->next_id));
	}
	*count = draft->record_count;
	return draft->records;
}

/* ---- comparisons ---- */

struct comparing {
	struct draft *draft;
	struct map keys; /* those that are in the list */
};

/* Takes @key over. */
static void compare(struct comparing *comparing, char *key, uint64_t revision)
{
	struct draft *draft = comparing->draft;

	if (map_put_text(&comparing->keys, key, draft)) {
		free(key);
		return;
	}
	if (draft->comparison_count == draft->comparison_room) {
		draft->comparison_room = draft->comparison_room ? draft->comparison_room * 2 : 16;
		draft->comparisons = xreallocarray(draft->comparisons, draft->comparison_room,
						   sizeof(*draft->comparisons));
	}
	draft->comparisons[draft->comparison_count++] = (struct comparison){ key, revision };
}

/* An object of the intent that what is written was judged by. Its own change is compared anyway. */
static void compare_object(struct comparing *comparing, uint32_t id)
{
	const struct draft_entry *entry = draft_entry(comparing->draft, id);
	const struct object *object = entry ? entry->before
					    : intent_object(comparing->draft->intent, id);

	if (object)
		compare(comparing, object_key(object), object->revision);
}

/* A route may name a port that is gone, so the ports of routes need no comparison. */
static void compare_reference(void *context, enum reference reference, uint32_t target_id)
{
	if (reference != REFERENCE_TABLE_PORT)
		compare_object(context, target_id);
}

static void compare_host(struct comparing *comparing, const char *name)
{
	const struct object *host = draft_find(comparing->draft, 0, OBJECT_HOST, name);

	if (name[0] && host)
		compare_object(comparing, host->id);
}

static void compare_change(struct comparing *comparing, const struct change *change)
{
	const struct object *either = change->after ? change->after : change->before;

	compare(comparing, object_key(either), change->before ? change->before->revision : 0);
	if (!change->after)
		return;
	if (either->vpc_id && either->vpc_id != either->id)
		compare_object(comparing, either->vpc_id);
	object_references(either, compare_reference, comparing);
	if (either->kind == OBJECT_PORT) {
		compare_host(comparing, ((const struct port_object *)either)->host);
		compare_host(comparing, ((const struct port_object *)either)->moving_to);
	} else if (either->kind == OBJECT_TUNNEL) {
		compare_host(comparing, ((const struct tunnel_object *)either)->host);
	}
}

/*
 * Keys of what is given out must not be there, unless an object of this draft had them before: its
 * own comparison guards them then.
 */
static void compare_given(struct comparing *comparing)
{
	struct draft *draft = comparing->draft;
	struct map had = { 0 };
	size_t count;
	const struct record *records = draft_records(draft, &count);

	for (size_t i = 0; i < draft->change_count; i++) {
		const struct object *before = draft->changes[i].before;
		const struct port_object *port = (const struct port_object *)before;
		char *key = unique_key(before);

		if (key)
			map_put_text(&had, key, draft);
		free(key);
		for (size_t j = 0; before && before->kind == OBJECT_PORT && j < port->address_count;
		     j++) {
			key = ipam_key(port, j);
			map_put_text(&had, key, draft);
			free(key);
		}
	}
	for (size_t i = 0; i < count; i++) {
		const char *key = records[i].key;
		bool given =
			strncmp(key, ADDRESS_PREFIX, strlen(ADDRESS_PREFIX)) == 0 ||
			strncmp(key, NAME_PREFIX, strlen(NAME_PREFIX)) == 0 ||
			strncmp(key, STORE_PREFIX "device/", strlen(STORE_PREFIX "device/")) == 0 ||
			strncmp(key, STORE_PREFIX "names/", strlen(STORE_PREFIX "names/")) == 0 ||
			strncmp(key, SEGMENT_ID_PREFIX, strlen(SEGMENT_ID_PREFIX)) == 0;

		if (given && records[i].value && !map_get_text(&had, key))
			compare(comparing, xstrdup(key), 0);
		if (strcmp(key, NEXT_ID_KEY) == 0)
			compare(comparing, xstrdup(key), draft->intent->next_id_revision);
	}
	map_fini(&had, NULL);
}

const struct comparison *draft_comparisons(struct draft *draft, size_t *count)
{
	struct comparing comparing = { .draft = draft };

	if (draft->checked && !draft->comparisons) {
		for (size_t i = 0; i < draft->change_count; i++)
			compare_change(&comparing, &draft->changes[i]);
		compare_given(&comparing);
	}
	map_fini(&comparing.keys, NULL);
	*count = draft->comparison_count;
	return draft->comparisons;
}
