/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names for ids, verdicts and stages; see names.h. The lists of core/verdict.h become arrays here, once
 * for the whole agent.
 */
#include "agent/names.h"

#include <ctype.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"

enum verdict_class { PASS, DROP };

#define NAME_ENTRY(name, class, stage, sentence) { #name, class, sentence },
static const struct verdict_text {
	const char *name;
	enum verdict_class class;
	const char *sentence;
} verdict_texts[] = { WEFT_VERDICTS(NAME_ENTRY) };
#undef NAME_ENTRY

#define STAGE_ENTRY(name, text) text,
static const char *const stage_names[] = { WEFT_STAGES(STAGE_ENTRY) };
#undef STAGE_ENTRY

#define NOTE_ENTRY(name, stage, sentence) { STAGE_##stage, sentence },
static const struct note_text {
	enum stage stage;
	const char *sentence;
} note_texts[] = { WEFT_NOTES(NOTE_ENTRY) };
#undef NOTE_ENTRY

const char *names_path(const struct intent *intent, const struct object *object,
		       char text[PATH_NAME_SIZE])
{
	const struct object *vpc;

	if (object->kind == OBJECT_VPC || object->kind == OBJECT_HOST) {
		snprintf(text, PATH_NAME_SIZE, "%s", object->name);
		return text;
	}
	vpc = intent_object(intent, object->vpc_id);
	snprintf(text, PATH_NAME_SIZE, "%s/%s", vpc ? vpc->name : "?", object->name);
	return text;
}

static const struct planner *peers; /* of the one reconciler of this process */

void names_know_peers(const struct planner *planner)
{
	peers = planner;
}

/* Not an object: another host as a VPC sees it, or something that is gone. */
static json_t *names_unknown(const struct intent *intent, const char *what, uint32_t id)
{
	const struct object *host, *vpc, *subnet;
	char path[PATH_NAME_SIZE];
	struct peer peer;

	if (id < PEER_ID_FIRST || !peers || !planner_peer(peers, id, &peer))
		return json_sprintf("%s %u (removed)", what, id);
	host = intent_object(intent, peer.host_id);
	vpc = intent_object(intent, peer.vpc_id);
	subnet = peer.subnet_id ? intent_object(intent, peer.subnet_id) : NULL;
	if (subnet && subnet->kind == OBJECT_SUBNET &&
	    segment_is_wire(&((const struct subnet_object *)subnet)->segment))
		return json_sprintf("network %s (subnet %s)",
				    ((const struct subnet_object *)subnet)->segment.network,
				    names_path(intent, subnet, path));
	if (!host)
		return json_sprintf("foreign ends of vpc %s", vpc ? vpc->name : "?");
	return json_sprintf("host %s (vpc %s)", host->name, vpc ? vpc->name : "?");
}

json_t *names_object(const struct intent *intent, uint32_t id)
{
	char text[400];

	if (!id)
		return json_null();
	if (intent_describe(intent, id, text, sizeof(text)))
		return json_string(text);
	return names_unknown(intent, "object", id);
}

json_t *names_port(const struct intent *intent, uint32_t id)
{
	const struct object *object = id ? intent_object(intent, id) : NULL;
	char text[PATH_NAME_SIZE];

	if (!id)
		return json_null();
	return object ? json_string(names_path(intent, object, text))
		      : names_unknown(intent, "port", id);
}

static const struct object *change_object(const struct change *change)
{
	return change->after ? change->after : change->before;
}

static json_t *names_change(const struct intent *intent, const struct map *vpcs,
			    const struct change *change)
{
	static const char *const actions[] = {
		[CHANGE_ADD] = "add",
		[CHANGE_MODIFY] = "modify",
		[CHANGE_REMOVE] = "remove",
	};
	const struct object *object = change_object(change);
	const struct object *vpc = map_get_u32(vpcs, object->vpc_id);
	char name[PATH_NAME_SIZE], kind[32], *text = change_text(intent, change);
	json_t *document;

	if (vpc && object->kind != OBJECT_VPC)
		snprintf(name, sizeof(name), "%s/%s", vpc->name, object->name);
	else
		names_path(intent, object, name);
	snprintf(kind, sizeof(kind), "%s", object_kind_word(object->kind));
	for (char *character = kind; *character; character++)
		if (*character == ' ')
			*character = '_';
	names_lower(kind, kind, sizeof(kind));
	document = json_pack("{s:s, s:s, s:s, s:s}", "action", actions[change->action], "kind",
			     kind, "name", name, "text", text);
	free(text);
	return document;
}

json_t *names_changes(const struct intent *intent, const struct change *changes, size_t count)
{
	json_t *list = json_array();
	struct map vpcs = { 0 };

	for (size_t i = 0; i < count; i++) {
		const struct object *object = change_object(&changes[i]);

		if (object->kind == OBJECT_VPC)
			map_put_u32(&vpcs, object->id, (void *)(uintptr_t)object);
	}
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, names_change(intent, &vpcs, &changes[i]));
	map_fini(&vpcs, NULL);
	return list;
}

size_t names_all(const struct intent *intent, enum object_kind kind, const struct object ***list)
{
	const struct object **vpcs, **members;
	size_t vpc_count = intent_list(intent, 0, OBJECT_VPC, &vpcs), count = 0;

	if (kind == OBJECT_VPC) {
		*list = vpcs;
		return vpc_count;
	}
	if (kind == OBJECT_HOST) {
		free(vpcs);
		return intent_list(intent, 0, OBJECT_HOST, list);
	}
	*list = NULL;
	for (size_t i = 0; i < vpc_count; i++) {
		size_t member_count = intent_list(intent, vpcs[i]->id, kind, &members);

		*list = xreallocarray(*list, count + member_count + 1,
				      sizeof(const struct object *));
		if (member_count)
			memcpy(*list + count, members,
			       member_count * sizeof(const struct object *));
		count += member_count;
		free(members);
	}
	free(vpcs);
	return count;
}

const struct object *names_find(const struct intent *intent, enum object_kind kind,
				const char *path)
{
	const char *slash = strchr(path, '/');
	char vpc[NAME_SIZE];

	if (!slash || (size_t)(slash - path) >= sizeof(vpc))
		return NULL;
	memcpy(vpc, path, (size_t)(slash - path));
	vpc[slash - path] = '\0';
	return intent_find(intent, vpc, kind, slash + 1);
}

json_t *names_address(const struct address *address)
{
	char text[IP_ADDRESS_TEXT_SIZE];
	struct ip_address value;

	_Static_assert(sizeof(value) == sizeof(*address), "an address is 16 bytes everywhere");
	memcpy(&value, address, sizeof(value));
	return json_string(ip_address_format(&value, text));
}

json_t *names_protocol(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP: return json_string("tcp");
	case IPPROTO_UDP: return json_string("udp");
	case IPPROTO_ICMP: return json_string("icmp");
	case IPPROTO_ICMPV6: return json_string("icmpv6");
	default: return json_sprintf("%u", protocol);
	}
}

void names_add_transport(json_t *document, uint8_t protocol, uint16_t source_port,
			 uint16_t destination_port)
{
	unsigned int source = ntohs(source_port), destination = ntohs(destination_port);

	switch (protocol) {
	case IPPROTO_TCP:
	case IPPROTO_UDP:
	case IPPROTO_SCTP:
		json_object_set_new(document, "source_port", json_integer(source));
		json_object_set_new(document, "destination_port", json_integer(destination));
		break;
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		json_object_set_new(document, "type", json_integer(destination >> 8));
		json_object_set_new(document, "code", json_integer(destination & 0xff));
		break;
	default: break;
	}
}

const char *names_lower(const char *name, char *text, size_t size)
{
	size_t i;

	for (i = 0; name[i] && i + 1 < size; i++)
		text[i] = (char)tolower((unsigned char)name[i]);
	text[i] = '\0';
	return text;
}

const char *names_verdict(enum verdict verdict)
{
	static char names[ARRAY_SIZE(verdict_texts)][24];

	if ((size_t)verdict >= ARRAY_SIZE(verdict_texts))
		return "unknown";
	if (!names[verdict][0])
		names_lower(verdict_texts[verdict].name, names[verdict], sizeof(names[verdict]));
	return names[verdict];
}

const char *names_verdict_sentence(enum verdict verdict)
{
	if ((size_t)verdict >= ARRAY_SIZE(verdict_texts))
		return "a verdict this version does not know";
	return verdict_texts[verdict].sentence;
}

bool names_verdict_is_drop(enum verdict verdict)
{
	return (size_t)verdict >= ARRAY_SIZE(verdict_texts) || verdict_texts[verdict].class == DROP;
}

const char *names_stage(enum stage stage)
{
	return (size_t)stage < ARRAY_SIZE(stage_names) ? stage_names[stage] : "unknown";
}

enum stage names_note_stage(enum note note)
{
	return (size_t)note < ARRAY_SIZE(note_texts) ? note_texts[note].stage : STAGE_PARSE;
}

const char *names_note_sentence(enum note note)
{
	return (size_t)note < ARRAY_SIZE(note_texts) ? note_texts[note].sentence : "unknown";
}
