/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Requests become entries of a draft: a whole tree, or one object put, patched or removed.
 *
 * All names of a VPC are declared before the content of any is read, and what is not in the tree
 * is removed before that, so that a reference finds exactly what the tree leaves. References
 * never leave a VPC, so that VPCs are read one after the other. The main route table and the
 * group "default" are there from the start; leaving them out of a tree resets them.
 *
 * Neighbours: text_read.c (the content), draft.c (entries), draft.h (contracts).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/suggest.h"
#include "model/intent_private.h"

/* How the collections of a VPC are taken. */
enum apply_mode {
	APPLY_EXACT,   /* what is not written is removed */
	APPLY_WRITTEN, /* a collection that is not written stays as it is */
};

/* In this order the tree is read and judged. */
static const enum object_kind reading_order[] = {
	OBJECT_ROUTE_TABLE, OBJECT_ACL,  OBJECT_SECURITY_GROUP,
	OBJECT_SUBNET,      OBJECT_PORT, OBJECT_TUNNEL,
};

static bool is_permanent(enum object_kind kind, const char *name)
{
	return (kind == OBJECT_ROUTE_TABLE && strcmp(name, "main") == 0) ||
	       (kind == OBJECT_SECURITY_GROUP && strcmp(name, "default") == 0);
}

static int refuse_name(enum object_kind kind, const char *vpc, const char *name, const char *path,
		       struct error *error)
{
	const char *slash = vpc ? "/" : "";
	char shown[ERROR_NAME_SIZE];
	size_t length = strlen(name);

	error_name(name, shown);
	if (length >= NAME_SIZE)
		return error_set(error, EINVAL, path,
				 "%s %s%s%s: the name has %zu characters, at most %d are allowed",
				 object_kind_word(kind), vpc ? vpc : "", slash, shown, length,
				 NAME_SIZE - 1);
	return error_set(error, EINVAL, path,
			 "%s %s%s%s: a name has only a-z, 0-9 and -, and begins with a letter or "
			 "a digit",
			 object_kind_word(kind), vpc ? vpc : "", slash, shown);
}

/*
 * A reader's refusal gets the object's title in front, and its key unless the sentence is our
 * own.
 */
static int explain(struct draft *draft, const struct object *object, const char *path, int code,
		   struct error *error)
{
	size_t length = strlen(path);
	char title[160];

	if (!code || !error)
		return code;
	if (!draft->own_sentence && strncmp(error->path, path, length) == 0 &&
	    error->path[length] == '.')
		error_prefix(error, "%s", error->path + length + 1);
	error_prefix(error, "%s", draft_title(draft, object, title));
	return code;
}

/* ---- VPCs ---- */

/* The group and the table every VPC has, with their defaults. */
static void declare_permanent(struct draft *draft, uint32_t vpc_id, enum object_kind kind,
			      const char *name)
{
	struct draft_entry *entry = draft_declare(draft, vpc_id, kind, name);

	if (kind == OBJECT_SECURITY_GROUP) {
		struct security_group_object *group = (struct security_group_object *)entry->after;

		group_default_ingress(group, &group->ingress);
		group_default_egress(&group->egress);
	}
}

static struct draft_entry *declare_vpc(struct draft *draft, const char *name)
{
	struct draft_entry *entry = draft_declare(draft, 0, OBJECT_VPC, name);
	struct vpc_object *vpc = (struct vpc_object *)entry->after;
	uint32_t id = vpc->object.id;

	if (!draft_find(draft, id, OBJECT_ROUTE_TABLE, "main"))
		declare_permanent(draft, id, OBJECT_ROUTE_TABLE, "main");
	if (!draft_find(draft, id, OBJECT_SECURITY_GROUP, "default"))
		declare_permanent(draft, id, OBJECT_SECURITY_GROUP, "default");
	vpc->main_table_id = draft_find(draft, id, OBJECT_ROUTE_TABLE, "main")->id;
	vpc->default_group_id = draft_find(draft, id, OBJECT_SECURITY_GROUP, "default")->id;
	return entry;
}

static void forget_vpc(struct draft *draft, const struct object *vpc)
{
	uint32_t vpc_id = vpc->id;

	for (enum object_kind kind = OBJECT_SUBNET; kind < OBJECT_HOST; kind++) {
		const struct object **list;
		size_t count = draft_members(draft, vpc_id, kind, &list);

		for (size_t i = 0; i < count; i++)
			draft_forget(draft, list[i]);
		free(list);
	}
	draft_forget(draft, draft_object(draft, vpc_id));
}

/* Names of one collection: those in the tree are declared, the others removed. */
static int declare_members(struct draft *draft, const struct object *vpc, enum object_kind kind,
			   const json_t *members, struct json_reader *reader)
{
	const struct object **list;
	size_t count = draft_members(draft, vpc->id, kind, &list);
	const char *name;
	json_t *value;

	for (size_t i = 0; i < count; i++) {
		if (json_object_get(members, list[i]->name))
			continue;
		if (is_permanent(kind, list[i]->name))
			declare_permanent(draft, vpc->id, kind, list[i]->name);
		else
			draft_forget(draft, list[i]);
	}
	free(list);
	json_object_foreach((json_t *)members, name, value) {
		if (!name_is_valid(name)) {
			char path[sizeof(reader->path)];

			snprintf(path, sizeof(path), "%.200s.%s.%.64s", reader->path,
				 object_kind_plural(kind), name);
			return refuse_name(kind, vpc->name, name, path, reader->error);
		}
		draft_declare(draft, vpc->id, kind, name);
	}
	return 0;
}

static int read_member(struct draft *draft, struct draft_entry *entry, struct json_reader *reader)
{
	int code;

	draft->own_sentence = false;
	code = text_read(draft, entry, reader, false);
	return explain(draft, entry->after, reader->path, code, reader->error);
}

static int read_members(struct draft *draft, const struct object *vpc, enum object_kind kind,
			json_t *members, struct json_reader *reader)
{
	json_t *nothing = json_object();
	const char *name;
	json_t *value;
	int code = 0;

	json_object_foreach(members, name, value) {
		const struct object *object = draft_find(draft, vpc->id, kind, name);
		struct json_reader child;

		/* "private:" with nothing behind it is an object with all defaults. */
		json_reader_member(reader, object_kind_plural(kind), name,
				   json_is_null(value) ? nothing : value, &child);
		code = read_member(draft, draft_entry(draft, object->id), &child);
		if (code)
			break;
	}
	json_decref(nothing);
	return code;
}

/* A VPC with its collections; @reader is at the VPC's object. */
static int apply_vpc(struct draft *draft, const char *name, struct json_reader *reader,
		     enum apply_mode mode)
{
	json_t *collections[OBJECT_KINDS] = { NULL };
	struct draft_entry *entry = declare_vpc(draft, name);
	const struct object *vpc = entry->after;
	json_t *nothing = json_object();
	int code = 0;

	draft->own_sentence = false;
	for (size_t i = 0; i < ARRAY_SIZE(reading_order); i++) {
		enum object_kind kind = reading_order[i];

		if (!json_reader_names(reader, object_kind_plural(kind), JSON_OPTIONAL,
				       &collections[kind]) &&
		    mode == APPLY_EXACT)
			collections[kind] = nothing;
	}
	if (json_reader_failed(reader))
		code = explain(draft, vpc, reader->path, json_reader_finish(reader), reader->error);
	for (size_t i = 0; !code && i < ARRAY_SIZE(reading_order); i++)
		if (collections[reading_order[i]])
			code = declare_members(draft, vpc, reading_order[i],
					       collections[reading_order[i]], reader);
	if (!code)
		code = read_member(draft, entry, reader);
	for (size_t i = 0; !code && i < ARRAY_SIZE(reading_order); i++)
		if (collections[reading_order[i]])
			code = read_members(draft, vpc, reading_order[i],
					    collections[reading_order[i]], reader);
	json_decref(nothing);
	return code;
}

static void prune_vpcs(struct draft *draft, const json_t *vpcs)
{
	const struct object **list;
	size_t count = draft_members(draft, 0, OBJECT_VPC, &list);

	for (size_t i = 0; i < count; i++)
		if (!json_object_get(vpcs, list[i]->name))
			forget_vpc(draft, list[i]);
	free(list);
}

/* Hosts in the tree are made as they are written; the others stay. */
static int apply_hosts(struct draft *draft, json_t *hosts, struct json_reader *reader)
{
	json_t *nothing = json_object();
	const char *name;
	json_t *value;
	int code = 0;

	json_object_foreach(hosts, name, value) {
		char path[96];

		snprintf(path, sizeof(path), "hosts.%.64s", name);
		if (!name_is_valid(name)) {
			json_decref(nothing);
			return refuse_name(OBJECT_HOST, NULL, name, path, reader->error);
		}
		draft_declare(draft, 0, OBJECT_HOST, name);
	}
	json_object_foreach(hosts, name, value) {
		const struct object *host = draft_find(draft, 0, OBJECT_HOST, name);
		struct json_reader child;

		json_reader_member(reader, "hosts", name, json_is_null(value) ? nothing : value,
				   &child);
		code = read_member(draft, draft_entry(draft, host->id), &child);
		if (code)
			break;
	}
	json_decref(nothing);
	return code;
}

int draft_apply_tree(struct draft *draft, const json_t *tree, bool prune, struct error *error)
{
	struct json_reader reader;
	json_t *vpcs = NULL, *hosts = NULL, *ignored, *value, *nothing;
	const char *name;
	int code;

	json_reader_init(&reader, (json_t *)tree, "", error);
	json_reader_names(&reader, "vpcs", JSON_OPTIONAL, &vpcs);
	json_reader_value(&reader, "lab", JSON_OPTIONAL, &ignored);
	json_reader_names(&reader, "hosts", JSON_OPTIONAL, &hosts);
	code = json_reader_finish(&reader);
	if (code) {
		if (error && error->path[0])
			error_prefix(error, "%s", error->path);
		return code;
	}
	nothing = json_object();
	if (prune)
		prune_vpcs(draft, vpcs ? vpcs : nothing);
	code = apply_hosts(draft, hosts, &reader);
	if (code) {
		json_decref(nothing);
		return code;
	}
	json_object_foreach(vpcs, name, value) {
		struct json_reader child;

		if (!name_is_valid(name)) {
			char path[96];

			snprintf(path, sizeof(path), "vpcs.%.64s", name);
			code = refuse_name(OBJECT_VPC, NULL, name, path, error);
			break;
		}
		json_reader_member(&reader, "vpcs", name, json_is_null(value) ? nothing : value,
				   &child);
		code = apply_vpc(draft, name, &child, APPLY_EXACT);
		if (code)
			break;
	}
	json_decref(nothing);
	return code;
}

/* ---- one object ---- */

/* What a path of names means. */
struct place {
	enum object_kind kind;
	const char *vpc_name, *name;
	const struct object *vpc;    /* NULL: not there */
	const struct object *object; /* NULL: not there */
	char path[256];
};

static int resolve_kind(const char *word, enum object_kind *kind, struct error *error)
{
	struct suggestion suggestion;
	char hint[128];

	if (object_kind_from_plural(word, kind))
		return 0;
	suggestion_init(&suggestion, word);
	for (enum object_kind k = OBJECT_SUBNET; k < OBJECT_HOST; k++)
		suggestion_offer(&suggestion, object_kind_plural(k));
	return error_set(error, ENOENT, NULL, "a vpc has no collection \"%.60s\"%s", word,
			 suggestion_format(&suggestion, hint));
}

static int resolve_host(const struct draft *draft, const char *name, struct place *place)
{
	place->kind = OBJECT_HOST;
	place->name = name;
	place->object = draft_find(draft, 0, OBJECT_HOST, name);
	snprintf(place->path, sizeof(place->path), "hosts.%.64s", name);
	return 0;
}

static int resolve_place(const struct draft *draft, const char *const *path, size_t path_count,
			 struct place *place, struct error *error)
{
	char hint[128];
	int code;

	*place = (struct place){ .kind = OBJECT_VPC };
	if (path_count == 2 && strcmp(path[0], "hosts") == 0)
		return resolve_host(draft, path[1], place);
	if (path_count == 0 || (strcmp(path[0], "vpcs") != 0 && strcmp(path[0], "hosts") != 0))
		return error_set(error, ENOENT, NULL,
				 "a path of intent begins with \"vpcs\" or \"hosts\"");
	if (path_count == 1 || path_count == 3)
		return error_set(error, EINVAL, NULL,
				 "a collection is changed object by object, or by apply");
	if (path_count != 2 && path_count != 4)
		return error_set(error, ENOENT, NULL, "no object has a path of %zu names",
				 path_count);
	place->vpc_name = path[1];
	place->name = path[path_count - 1];
	if (path_count == 4) {
		code = resolve_kind(path[2], &place->kind, error);
		if (code)
			return code;
		snprintf(place->path, sizeof(place->path), "vpcs.%.64s.%s.%.64s", path[1], path[2],
			 path[3]);
	} else {
		snprintf(place->path, sizeof(place->path), "vpcs.%.64s", path[1]);
	}
	place->vpc = draft_find(draft, 0, OBJECT_VPC, path[1]);
	if (path_count == 2) {
		place->object = place->vpc;
	} else if (!place->vpc) {
		return error_set(error, ENOENT, place->path, "no vpc \"%.64s\"%s", path[1],
				 draft_suggest(draft, 0, OBJECT_VPC, path[1], hint));
	} else {
		place->object = draft_find(draft, place->vpc->id, place->kind, path[3]);
	}
	return 0;
}

static int refuse_missing(const struct draft *draft, const struct place *place, struct error *error)
{
	char hint[128];

	if (place->kind == OBJECT_HOST)
		return error_set(error, ENOENT, place->path, "no host \"%.64s\"%s", place->name,
				 draft_suggest(draft, 0, OBJECT_HOST, place->name, hint));
	if (place->kind == OBJECT_VPC || !place->vpc)
		return error_set(error, ENOENT, place->path, "no vpc \"%.64s\"%s", place->vpc_name,
				 draft_suggest(draft, 0, OBJECT_VPC, place->vpc_name, hint));
	return error_set(error, ENOENT, place->path, "no %s \"%.64s\" in vpc %s%s",
			 object_kind_word(place->kind), place->name, place->vpc->name,
			 draft_suggest(draft, place->vpc->id, place->kind, place->name, hint));
}

static int put(struct draft *draft, const struct place *place, const json_t *body,
	       struct error *error)
{
	struct json_reader reader;

	if (!name_is_valid(place->name))
		return refuse_name(place->kind, place->vpc ? place->vpc_name : NULL, place->name,
				   place->path, error);
	json_reader_init(&reader, (json_t *)body, place->path, error);
	if (place->kind == OBJECT_VPC)
		return apply_vpc(draft, place->name, &reader, APPLY_WRITTEN);
	return read_member(draft,
			   draft_declare(draft, place->vpc ? place->vpc->id : 0, place->kind,
					 place->name),
			   &reader);
}

int draft_put(struct draft *draft, const char *const *path, size_t path_count, const json_t *body,
	      bool create_only, struct error *error)
{
	struct place place;
	char title[160];
	int code = resolve_place(draft, path, path_count, &place, error);

	if (code)
		return code;
	if (create_only && place.object)
		return error_set(error, EEXIST, place.path, "%s is there already",
				 draft_title(draft, place.object, title));
	return put(draft, &place, body, error);
}

/* RFC 7396 on @target, which is changed. */
static void merge(json_t *target, const json_t *patch)
{
	const char *key;
	json_t *value, *old;

	json_object_foreach((json_t *)patch, key, value) {
		if (json_is_null(value)) {
			json_object_del(target, key);
			continue;
		}
		old = json_object_get(target, key);
		if (json_is_object(value)) {
			json_t *merged = json_is_object(old) ? json_incref(old) : json_object();

			merge(merged, value);
			json_object_set_new(target, key, merged);
		} else {
			json_object_set(target, key, value);
		}
	}
}

/* A gateway that nobody chose follows the range and the mode. */
static void make_room_for_range(struct draft *draft, const struct object *subnet, json_t *base,
				const json_t *patch)
{
	json_t *chosen;

	if (!json_object_get(patch, "cidr") && !json_object_get(patch, "mode"))
		return;
	chosen = text_write(draft->intent, subnet, TEXT_EXPORT);
	if (!json_object_get(chosen, "gateway"))
		json_object_del(base, "gateway");
	json_decref(chosen);
}

/*
 * What of a port does not survive beside what the patch says: the other spelling of its
 * addresses, addresses of the subnet it leaves, and an attachment of another kind.
 */
static void make_room(json_t *base, const json_t *patch)
{
	static const char *const kinds[] = { "netns",      "pid",   "tap",    "tun",   "bridge",
					     "ovs_bridge", "patch", "device", "parent" };
	const json_t *subnet = json_object_get(patch, "subnet");
	const json_t *attach = json_object_get(patch, "attach");
	bool moved = subnet && !json_equal(subnet, json_object_get(base, "subnet"));

	if (moved || json_object_get(patch, "address") || json_object_get(patch, "addresses")) {
		json_object_del(base, "address");
		json_object_del(base, "addresses");
	}
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (json_object_get(attach, kinds[i]) &&
		    !json_object_get(json_object_get(base, "attach"), kinds[i]))
			json_object_del(base, "attach");
}

/* A segment of another type keeps nothing of what it was. */
static void make_room_in_segment(json_t *base, const json_t *patch)
{
	const json_t *type = json_object_get(json_object_get(patch, "segment"), "type");

	if (type && !json_equal(type, json_object_get(json_object_get(base, "segment"), "type")))
		json_object_del(base, "segment");
}

static int patch_object(struct draft *draft, const struct place *place, const json_t *patch,
			struct error *error)
{
	json_t *base = text_write(draft->intent, place->object, TEXT_FULL);
	int code;

	if (!json_is_object(patch)) {
		json_decref(base);
		return error_set(error, EINVAL, place->path, "a patch must be an object, not %s",
				 json_type_name(patch));
	}
	if (place->kind == OBJECT_PORT)
		make_room(base, patch);
	if (place->kind == OBJECT_SUBNET) {
		make_room_for_range(draft, place->object, base, patch);
		make_room_in_segment(base, patch);
	}
	merge(base, patch);
	code = put(draft, place, base, error);
	json_decref(base);
	return code;
}

/*
 * One member of a collection in a VPC's patch, in two passes over all: removals, then the others.
 */
static int patch_member(struct draft *draft, const struct object *vpc, enum object_kind kind,
			const char *name, const json_t *value, bool removals, struct error *error)
{
	const char *path[] = { "vpcs", vpc->name, object_kind_plural(kind), name };
	const struct object *object = draft_find(draft, vpc->id, kind, name);
	struct place place;
	int code;

	if (json_is_null(value) != removals)
		return 0;
	if (!removals)
		return object ? draft_patch(draft, path, 4, value, error)
			      : draft_put(draft, path, 4, value, true, error);
	code = resolve_place(draft, path, 4, &place, error);
	if (code)
		return code;
	if (!object)
		return refuse_missing(draft, &place, error);
	/* Whether it is still referred to is judged when the whole patch is read. */
	draft_forget(draft, object);
	return 0;
}

static int patch_collections(struct draft *draft, const struct place *place, const json_t *patch,
			     bool removals, struct error *error)
{
	const struct object *vpc = draft_find(draft, 0, OBJECT_VPC, place->name);

	for (size_t i = 0; i < ARRAY_SIZE(reading_order); i++) {
		const char *plural = object_kind_plural(reading_order[i]);
		json_t *value, *members = json_object_get(patch, plural);
		const char *name;

		if (members && !json_is_null(members) && !json_is_object(members))
			return error_set(error, EINVAL, place->path, "%s must be an object, not %s",
					 plural, json_type_name(members));
		json_object_foreach(members, name, value) {
			int code = patch_member(draft, vpc, reading_order[i], name, value, removals,
						error);

			if (code)
				return code;
		}
	}
	return 0;
}

int draft_patch(struct draft *draft, const char *const *path, size_t path_count, const json_t *body,
		struct error *error)
{
	struct place place;
	json_t *own;
	int code = resolve_place(draft, path, path_count, &place, error);

	if (code)
		return code;
	if (!place.object)
		return refuse_missing(draft, &place, error);
	if (place.kind != OBJECT_VPC || !json_is_object(body))
		return patch_object(draft, &place, body, error);
	own = json_copy((json_t *)body);
	for (size_t i = 0; i < ARRAY_SIZE(reading_order); i++)
		json_object_del(own, object_kind_plural(reading_order[i]));
	code = patch_object(draft, &place, own, error);
	json_decref(own);
	if (!code)
		code = patch_collections(draft, &place, body, true, error);
	return code ? code : patch_collections(draft, &place, body, false, error);
}

int draft_remove(struct draft *draft, const char *const *path, size_t path_count,
		 struct error *error)
{
	struct place place;
	int code = resolve_place(draft, path, path_count, &place, error);

	if (code)
		return code;
	if (!place.object)
		return refuse_missing(draft, &place, error);
	if (place.kind == OBJECT_VPC) {
		forget_vpc(draft, place.object);
		return 0;
	}
	code = check_unreferenced(draft, place.object, error);
	if (!code)
		draft_forget(draft, place.object);
	return code;
}
