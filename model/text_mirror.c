/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mirror of a port or subnet: who gets copies of its packets, and of which. JSON to object, back, and to a row.
 *
 * The words of the filter are kept as they were written. The target and groups are kept by name: they have to
 * be there when they are named, but may go and come again, and as long as the target is away there are no
 * copies.
 */
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/filter.h"
#include "model/text_private.h"

#define SAMPLE_MAX 1000000
#define TRUNCATE_MIN 64 /* the headers of a packet */
#define TRUNCATE_MAX 65535

static void read_word(struct reading *reading, struct json_reader *child, const char *key,
		      char *kept, size_t size, struct filter *filter,
		      const char *(*read)(struct filter *filter, const char *text))
{
	const char *wrong;
	json_t *value;

	if (!json_reader_value(child, key, JSON_OPTIONAL, &value))
		return;
	if (json_is_integer(value))
		snprintf(kept, size, "%lld", (long long)json_integer_value(value));
	else if (json_is_string(value) && json_string_length(value) < size)
		snprintf(kept, size, "%s", json_string_value(value));
	else
		text_refuse(reading->draft, child, key, "%s is a text of at most %zu characters",
			    key, size - 1);
	wrong = *kept ? read(filter, kept) : NULL;
	if (wrong)
		text_refuse(reading->draft, child, key, "%s, not \"%.64s\"", wrong, kept);
}

const struct port_mirror_to *object_mirror(const struct object *object)
{
	return object->kind == OBJECT_PORT ? ((const struct port_object *)object)->mirror
					   : ((const struct subnet_object *)object)->mirror;
}

/* What the mirror was until now; NULL: there was none. */
static const struct port_mirror_to *mirror_before(const struct reading *reading)
{
	return reading->entry->before ? object_mirror(reading->entry->before) : NULL;
}

/* What has been named before, and what a record names, may have gone since. */
static void resolve(struct reading *reading, struct json_reader *child, const char *key,
		    enum object_kind kind, const char *name, bool was_named)
{
	if (!reading->record && !was_named)
		text_resolve(reading->draft, child, key, reading->entry->after->vpc_id, kind, name);
}

static void read_end(struct reading *reading, struct json_reader *child, const char *key,
		     char *kept, struct filter *filter)
{
	const struct port_mirror_to *before = mirror_before(reading);
	const uint8_t end = filter->end_count;
	const char *group = filter->groups[end];

	read_word(reading, child, key, kept, FILTER_END_SIZE, filter, filter_end);
	if (filter->end_count > end && *group)
		resolve(reading, child, key, OBJECT_SECURITY_GROUP, group,
			before && filter_names_group(&before->filter, group));
}

static void read_icmp(struct json_reader *child, const char *key, int *number)
{
	int64_t value;

	if (json_reader_integer(child, key, JSON_OPTIONAL, 0, 255, &value))
		*number = (int)value;
}

static void read_target(struct reading *reading, struct json_reader *child,
			struct port_mirror_to *mirror)
{
	const struct port_mirror_to *before = mirror_before(reading);
	const struct object *own = reading->entry->after;
	const char *text;

	if (!json_reader_text(child, "to", JSON_REQUIRED, NAME_SIZE + 6, &text))
		return;
	mirror->tunnel = strncmp(text, "tunnel:", 7) == 0;
	snprintf(mirror->to, sizeof(mirror->to), "%s", text + (mirror->tunnel ? 7 : 0));
	if (!mirror->tunnel && own->kind == OBJECT_PORT && strcmp(mirror->to, own->name) == 0)
		text_refuse(reading->draft, child, "to", "a port is no mirror of itself");
	else
		resolve(reading, child, "to", mirror->tunnel ? OBJECT_TUNNEL : OBJECT_PORT,
			mirror->to,
			before && before->tunnel == mirror->tunnel &&
				strcmp(before->to, mirror->to) == 0);
}

static void read_direction(struct reading *reading, struct json_reader *child,
			   struct port_mirror_to *mirror)
{
	const char *text;

	mirror->sends = mirror->receives = true;
	if (!json_reader_text(child, "direction", JSON_OPTIONAL, 16, &text))
		return;
	mirror->sends = strcmp(text, "to") != 0;
	mirror->receives = strcmp(text, "from") != 0;
	if (mirror->sends && mirror->receives && strcmp(text, "both") != 0)
		text_refuse(reading->draft, child, "direction",
			    "direction is from (what the port sends), to, or both");
}

void text_read_mirror(struct reading *reading, struct port_mirror_to **kept)
{
	struct port_mirror_to *mirror;
	struct json_reader child;
	const char *wrong, *key;

	if (!json_reader_object(reading->reader, "mirror", JSON_OPTIONAL, &child))
		return;
	mirror = xcalloc(1, sizeof(*mirror));
	filter_init(&mirror->filter);
	free(*kept);
	*kept = mirror;
	read_target(reading, &child, mirror);
	read_direction(reading, &child, mirror);
	text_read_number(&child, "sample", 1, SAMPLE_MAX, &mirror->sample);
	text_read_number(&child, "truncate", TRUNCATE_MIN, TRUNCATE_MAX, &mirror->truncate);
	read_word(reading, &child, "protocol", mirror->protocol, sizeof(mirror->protocol),
		  &mirror->filter, filter_protocol);
	read_word(reading, &child, "ports", mirror->ports, sizeof(mirror->ports), &mirror->filter,
		  filter_ports);
	read_end(reading, &child, "address", mirror->address, &mirror->filter);
	read_end(reading, &child, "peer", mirror->peer, &mirror->filter);
	read_icmp(&child, "type", &mirror->filter.type);
	read_icmp(&child, "code", &mirror->filter.code);
	wrong = filter_check(&mirror->filter, &key);
	if (wrong)
		text_refuse(reading->draft, &child, key, "%s", wrong);
	reading->reader->code = json_reader_finish(&child);
}

json_t *text_mirror(const struct port_mirror_to *mirror)
{
	const struct {
		const char *key, *text;
	} words[] = {
		{ "protocol", mirror ? mirror->protocol : "" },
		{ "ports", mirror ? mirror->ports : "" },
		{ "address", mirror ? mirror->address : "" },
		{ "peer", mirror ? mirror->peer : "" },
	};
	json_t *json;

	if (!mirror)
		return json_null();
	json = json_object();
	json_object_set_new(json, "to",
			    json_sprintf("%s%s", mirror->tunnel ? "tunnel:" : "", mirror->to));
	if (!mirror->sends || !mirror->receives)
		json_object_set_new(json, "direction", json_string(mirror->sends ? "from" : "to"));
	if (mirror->sample > 1)
		json_object_set_new(json, "sample", json_integer(mirror->sample));
	if (mirror->truncate)
		json_object_set_new(json, "truncate", json_integer(mirror->truncate));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (*words[i].text)
			json_object_set_new(json, words[i].key, json_string(words[i].text));
	if (mirror->filter.type >= 0)
		json_object_set_new(json, "type", json_integer(mirror->filter.type));
	if (mirror->filter.code >= 0)
		json_object_set_new(json, "code", json_integer(mirror->filter.code));
	return json;
}

bool port_mirror_equal(const struct port_mirror_to *a, const struct port_mirror_to *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a->to, b->to) == 0 && a->tunnel == b->tunnel && a->sends == b->sends &&
	       a->receives == b->receives && a->sample == b->sample && a->truncate == b->truncate &&
	       strcmp(a->protocol, b->protocol) == 0 && strcmp(a->ports, b->ports) == 0 &&
	       strcmp(a->address, b->address) == 0 && strcmp(a->peer, b->peer) == 0 &&
	       a->filter.type == b->filter.type && a->filter.code == b->filter.code;
}

struct port_mirror_to *port_mirror_copy(const struct port_mirror_to *mirror)
{
	struct port_mirror_to *copy = mirror ? xmalloc(sizeof(*copy)) : NULL;

	if (copy)
		*copy = *mirror;
	return copy;
}
