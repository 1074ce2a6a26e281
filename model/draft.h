/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A draft: changes to the intent that are made, judged and then published all at once or not at
 * all.
 *
 * The agent opens a draft for each write request, fills it from JSON (a weft.yaml tree, or one
 * object), lets draft_check judge it, writes draft_records to the store in one transaction, and
 * commits. On any error it frees the draft and the intent is as it was. Work is in proportion to
 * the change.
 *
 * Neighbours: text_*.c (JSON to object and back), check.c (the judgement), agent/api/api.c (the
 * caller).
 */
#ifndef WEFT_MODEL_DRAFT_H
#define WEFT_MODEL_DRAFT_H

#include <jansson.h>

#include "base/error.h"
#include "model/object.h"

struct draft;

/*
 * One draft is published at a time: a draft that was opened before another one was committed is
 * refused by draft_check with -EAGAIN. A draft may stay alive past its commit, until what it
 * changed is planned.
 */
struct draft *draft_new(struct intent *intent);
void draft_free(struct draft *draft); /* accepts NULL; without commit nothing has happened */

/*
 * The tree of weft.yaml: {"hosts": {...}, "vpcs": {...}}. Each VPC in it is made exactly as
 * written, objects of it that are not in the tree are removed; VPCs that are not in the tree are
 * removed only with prune. Hosts are made as written, those that are not in the tree stay. The
 * key "lab" is accepted and left alone. Errors carry the path ("vpcs.blue.ports.web1.subnet").
 */
int draft_apply_tree(struct draft *draft, const json_t *tree, bool prune, struct error *error);

/*
 * One object at a path of names as in the URL, e.g. {"vpcs","blue","subnets","web"} or
 * {"hosts","h1"}; collections are refused. put replaces or makes, patch merges (RFC 7396), remove
 * removes (with everything in it for a VPC). In a VPC's body a collection that is left out stays as
 * it is. -ENOENT, -EEXIST (with create_only), -EBUSY (still referenced), -EINVAL with path and
 * sentence.
 */
int draft_put(struct draft *draft, const char *const *path, size_t path_count, const json_t *body,
	      bool create_only, struct error *error);
int draft_patch(struct draft *draft, const char *const *path, size_t path_count, const json_t *body,
		struct error *error);
int draft_remove(struct draft *draft, const char *const *path, size_t path_count,
		 struct error *error);

/* The whole judgement: V15-V22 and what architecture and interfaces ask; assigns addresses and MACs
 * to ports without. The first fault found, in the order of the tree. 0 or negative errno. */
int draft_check(struct draft *draft, struct error *error);

/*
 * Ids, where others give out ids as well: objects, rules and routes that are new get theirs from
 * @first to @end - 1, which nobody else has; the rest of what was given before is not used any
 * more. An intent that was given none has all ids for itself.
 */
void intent_give_ids(struct intent *intent, uint32_t first, uint32_t end);

/*
 * How many ids the draft takes, if those that were given are not enough: it is to be made again
 * then, with more. 0: they were enough.
 */
uint32_t draft_ids_short(const struct draft *draft);

/*
 * Addresses are given out from the lowest free one. Where several give them out and were in one
 * another's way, each may begin so many further on; 0: again from the lowest.
 */
void intent_keep_apart(struct intent *intent, uint32_t addresses);

enum change_action { CHANGE_ADD, CHANGE_MODIFY, CHANGE_REMOVE };

struct change {
	enum change_action action;
	enum object_kind kind;
	const struct object *before; /* NULL for CHANGE_ADD */
	const struct object *after;  /* NULL for CHANGE_REMOVE */
};

/*
 * What the draft changes, in dependency order (VPCs first; removals last, reversed). Borrowed
 * from the draft. Valid after draft_check; `before` stays valid until draft_free, also past the
 * commit.
 */
const struct change *draft_changes(const struct draft *draft, size_t *count);

/*
 * One line for people: "+ port blue/web1", "~ subnet blue/web: route_table main → private",
 * "- vpc red". The caller's to free(). Of the youngest draft of the intent, before or after the
 * commit.
 */
char *change_text(const struct intent *intent, const struct change *change);

/* One record of the store: value NULL means delete. Key as in architecture.md, section 5. */
struct record {
	char *key;
	char *value; /* JSON with the ids, or NULL */
};

/* The records to write, the id counter and the ipam keys included. Owned by the draft. */
const struct record *draft_records(struct draft *draft, size_t *count);

/*
 * What must be so in the store for the records to be written, when there are other writers: a key's
 * mod revision as this intent knows it, 0: there is no such key. They say that nothing this draft
 * wrote, refers to or gave out (ids, addresses, names, VNIs) is another's meanwhile. Owned by the
 * draft.
 */
struct comparison {
	char *key;
	uint64_t revision;
};

const struct comparison *draft_comparisons(struct draft *draft, size_t *count);

/* Publish: the intent now holds the draft's objects, stamped with the store's revision. */
void draft_commit(struct draft *draft, uint64_t revision);

/* Fill an empty intent from the store's records (keys and values; order does not matter). */
int intent_load(struct intent *intent, const struct record *records, const uint64_t *revisions,
		size_t count, struct error *error);

/*
 * News from the store: records that others wrote (value NULL: deleted), with their revisions, enter
 * the intent. With @whole they are all there are, and objects that are not among them go. What the
 * intent knows already changes nothing. @taken is a committed draft: its draft_changes() are what
 * plan_dirty() wants; the caller frees it. A record that cannot be read is left out, its object
 * stays as it was; the others are taken all the same. Return: 0, or the error of the first such
 * record. Drafts that were open are out of date then (draft_check() says -EAGAIN).
 */
int intent_take(struct intent *intent, const struct record *records, const uint64_t *revisions,
		size_t count, bool whole, struct draft **taken, struct error *error);

/*
 * A port is on another host by a newer claim, of which not the store but that host has told. A
 * draft of its own to be committed (with revision 0: the object keeps its own); NULL when there is
 * no such port.
 */
struct draft *intent_yield_port(struct intent *intent, uint32_t port_id, const char *host,
				uint32_t claim);

/*
 * Outlines (model/outline.c): of a VPC that is not held the intent has the VPC, its subnets and its
 * tunnels, without what they refer to. Records below /weft/1/index/ make and change outlines, and
 * count for nothing where a VPC is held; records of the tree of a VPC count only where it is held,
 * or if that of the VPC itself is among them. So an intent is given either of each VPC.
 */
bool intent_is_outline(const struct intent *intent, uint32_t vpc_id);

/* intent_take() with @whole for one VPC: objects of it that are not among the records go. */
int intent_take_vpc(struct intent *intent, uint32_t vpc_id, const struct record *records,
		    const uint64_t *revisions, size_t count, struct draft **taken,
		    struct error *error);

/* All of a VPC, or its outline, leaves the intent; @taken as of intent_take(). */
void intent_drop(struct intent *intent, uint32_t vpc_id, struct draft **taken);

/* The records of the outline of a VPC that is held, to be taken after intent_drop(); the caller's,
 * with their texts. Return: how many. */
size_t intent_outline(const struct intent *intent, uint32_t vpc_id, struct record **records,
		      uint64_t **revisions);

/*
 * The record of the index for a record of a VPC's tree, for stores written before there was one.
 * Return: false if it has none; else both texts are the caller's.
 */
bool intent_outline_record(const char *key, const char *value, char **outline, char **text);

/*
 * JSON of an object or a collection at a path; all defaults written out. New reference, or NULL
 * with error. {} is the whole tree, {"vpcs"} all VPCs, {"vpcs","blue"} one VPC, both without what
 * is in them; {"vpcs","blue","ports"} a collection by name. The form of an object can be put back
 * and then changes nothing: null means "as if it were left out" (a subnet's route_table: follows
 * the main table), the addresses of a port are always a list, a route's "status" (active or
 * blackhole, V24) and the VPC's local routes are read and left alone.
 */
json_t *intent_get(const struct intent *intent, const char *const *path, size_t path_count,
		   struct error *error);

/* The whole tree; applying it again changes nothing. New reference. */
json_t *intent_export(const struct intent *intent);

/* One object as JSON, the form of GET. New reference. */
json_t *object_to_json(const struct intent *intent, const struct object *object);

#endif
