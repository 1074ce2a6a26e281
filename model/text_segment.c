/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The segment of a subnet: JSON to struct and back.
 *
 * An id that Weft gave out is not the user's word: "id" is null then, and the number stands under
 * "effective_id", which is read in records only. What segments and tunnels have in common, the
 * kind of encapsulation and the fields of the outer header, is here as well.
 *
 * Neighbours: text_read.c and text_write.c (the callers), text_host.c, check_host.c (ranges of ids).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/suggest.h"
#include "model/encapsulation.h"
#include "model/text_private.h"

#define SEGMENT_ID_MAX 0xffffff
#define DSCP_MAX 63
#define VLAN_TAG_MAX 4094

/* ---- what tunnels share ---- */

void text_read_encapsulation(struct reading *reading, const char *key, enum json_presence presence,
			     uint8_t *kind)
{
	struct suggestion suggestion;
	char hint[128];
	const char *text;
	uint8_t found;

	if (!json_reader_text(reading->reader, key, presence, 64, &text))
		return;
	found = encapsulation_from_name(text);
	if (found) {
		*kind = found;
		return;
	}
	suggestion_init(&suggestion, text);
	for (int i = TUNNEL_NONE + 1; i < TUNNEL_KINDS; i++)
		suggestion_offer(&suggestion, encapsulation_name(i));
	text_refuse(reading->draft, reading->reader, key,
		    "%s is vxlan, geneve, nvgre, gre, gretap, ipip, sit, fou or gue, not "
		    "\"%.64s\"%s",
		    key, text, suggestion_format(&suggestion, hint));
}

static void read_dscp(struct reading *reading, uint8_t *dscp, bool *copy_dscp)
{
	json_t *value;

	if (!json_reader_value(reading->reader, "dscp", JSON_OPTIONAL, &value))
		return;
	*copy_dscp = json_is_string(value) && strcmp(json_string_value(value), "copy") == 0;
	if (*copy_dscp)
		return;
	if (json_is_integer(value) && json_integer_value(value) >= 0 &&
	    json_integer_value(value) <= DSCP_MAX)
		*dscp = (uint8_t)json_integer_value(value);
	else
		text_refuse(reading->draft, reading->reader, "dscp",
			    "dscp is a number from 0 to %d, or copy", DSCP_MAX);
}

void text_read_outer(struct reading *reading, uint8_t *ttl, uint8_t *dscp, bool *copy_dscp,
		     uint16_t *port)
{
	uint32_t number = *ttl, udp = *port;

	text_read_number(reading->reader, "ttl", 1, 255, &number);
	*ttl = (uint8_t)number;
	text_read_number(reading->reader, "port", 1, 65535, &udp);
	*port = (uint16_t)udp;
	read_dscp(reading, dscp, copy_dscp);
}

void text_write_outer(const struct writing *writing, uint8_t ttl, uint8_t dscp, bool copy_dscp,
		      uint16_t port)
{
	text_write_value(writing, "port", port == 0, port ? json_integer(port) : json_null());
	text_write_value(writing, "dscp", dscp == 0 && !copy_dscp,
			 copy_dscp ? json_string("copy") : json_integer(dscp));
	text_write_number(writing, "ttl", ttl, SEGMENT_TTL_DEFAULT);
}

/* ---- reading ---- */

static void read_underlay(struct reading *reading, struct segment *segment)
{
	const char *text;

	if (!json_reader_text(reading->reader, "underlay", JSON_OPTIONAL, 64, &text))
		return;
	if (strcmp(text, "ipv4") == 0) {
		segment->underlay = UNDERLAY_IPV4;
	} else if (strcmp(text, "ipv6") == 0) {
		segment->underlay = UNDERLAY_IPV6;
	} else if (ip_prefix_parse(text, &segment->underlay_prefix)) {
		text_refuse(reading->draft, reading->reader, "underlay",
			    "underlay is ipv4, ipv6 or the ADDRESS/LENGTH that the hosts' "
			    "addresses are in, not \"%.64s\"",
			    text);
	} else {
		segment->underlay = UNDERLAY_PREFIX;
		segment->underlay_prefix = ip_prefix_canonicalise(&segment->underlay_prefix);
	}
}

static void read_group(struct reading *reading, struct segment *segment)
{
	struct json_reader child;
	struct reading inner = *reading;
	const char *text;

	if (!json_reader_object(reading->reader, "flooding", JSON_REQUIRED, &child))
		return;
	inner.reader = &child;
	if (json_reader_text(&child, "group", JSON_REQUIRED, 64, &text) &&
	    text_parse_address(&inner, "group", text, &segment->group) &&
	    !ip_address_is_multicast(&segment->group))
		text_refuse(reading->draft, &child, "group", "group %s is no multicast address",
			    text);
	if (json_reader_text(&child, "vteps", JSON_OPTIONAL, 64, &text) &&
	    text_parse_range(&inner, "vteps", text, &segment->vteps) && !segment->vteps.length)
		text_refuse(reading->draft, &child, "vteps",
			    "vteps %s would take packets from everybody", text);
	reading->reader->code = json_reader_finish(&child);
}

static void read_flooding(struct reading *reading, struct segment *segment)
{
	json_t *value;

	if (!json_reader_value(reading->reader, "flooding", JSON_OPTIONAL, &value))
		return;
	if (json_is_object(value))
		read_group(reading, segment);
	else if (!json_is_string(value) || strcmp(json_string_value(value), "head-end") != 0)
		text_refuse(reading->draft, reading->reader, "flooding",
			    "flooding is head-end or {group: ADDRESS}");
}

static void read_id(struct reading *reading, struct segment *segment)
{
	int64_t id;

	segment->id_automatic = true;
	if (json_reader_integer(reading->reader, "id", JSON_OPTIONAL, 1, SEGMENT_ID_MAX, &id)) {
		segment->id = (uint32_t)id;
		segment->id_automatic = false;
	}
	/* GET says it; in a record it is what was given out. */
	if (json_reader_integer(reading->reader, "effective_id", JSON_OPTIONAL, 0, SEGMENT_ID_MAX,
				&id) &&
	    reading->record)
		segment->id = (uint32_t)id;
}

static void read_overlay(struct reading *reading, struct segment *segment)
{
	bool checksum;

	text_read_encapsulation(reading, "encapsulation", JSON_OPTIONAL, &segment->encapsulation);
	read_id(reading, segment);
	text_read_outer(reading, &segment->ttl, &segment->dscp, &segment->copy_dscp,
			&segment->port);
	if (json_reader_bool(reading->reader, "udp_checksum", JSON_OPTIONAL, &checksum))
		segment->udp_checksum = checksum ? CHECKSUM_ON : CHECKSUM_OFF;
	read_underlay(reading, segment);
	read_flooding(reading, segment);
}

/* ---- a network outside ---- */

static const char *const direct_names[DIRECT_MODES] = {
	[DIRECT_BRIDGE] = "bridge",     [DIRECT_PRIVATE] = "private", [DIRECT_VEPA] = "vepa",
	[DIRECT_PASSTHRU] = "passthru", [DIRECT_L2] = "l2",           [DIRECT_L3] = "l3",
	[DIRECT_L3S] = "l3s",
};

static void read_mode(struct reading *reading, const char *key, size_t count, const char *names,
		      enum direct_mode *mode)
{
	struct suggestion suggestion;
	const char *text;
	char hint[128];

	if (!json_reader_text(reading->reader, key, JSON_OPTIONAL, 64, &text))
		return;
	suggestion_init(&suggestion, text);
	for (size_t i = 0; i < count; i++) {
		suggestion_offer(&suggestion, direct_names[i]);
		if (strcmp(text, direct_names[i]) != 0)
			continue;
		*mode = (enum direct_mode)i;
		return;
	}
	text_refuse(reading->draft, reading->reader, key, "%s is %s, not \"%.64s\"%s", key, names,
		    text, suggestion_format(&suggestion, hint));
}

static void read_direct(struct reading *reading, struct segment *segment)
{
	read_mode(reading, "direct", DIRECT_MODES, "bridge, private, vepa, passthru, l2, l3 or l3s",
		  &segment->direct);
	read_mode(reading, "siblings", DIRECT_PASSTHRU, "bridge, private or vepa",
		  &segment->siblings);
}

static void read_wire(struct reading *reading, struct segment *segment)
{
	uint32_t tag = 0;
	const char *text;

	if (json_reader_text(reading->reader, "network", JSON_REQUIRED, NAME_SIZE, &text)) {
		if (name_is_valid(text))
			snprintf(segment->network, sizeof(segment->network), "%s", text);
		else
			text_refuse(reading->draft, reading->reader, "network",
				    "\"%.64s\" is not the name of a network", text);
	}
	/* Kept as it is: a record may be read before that of the host. Intent is checked (check_wire.c). */
	if (json_reader_text(reading->reader, "router", JSON_OPTIONAL, NAME_SIZE, &text)) {
		if (name_is_valid(text))
			snprintf(segment->router, sizeof(segment->router), "%s", text);
		else
			text_refuse(reading->draft, reading->reader, "router",
				    "\"%.64s\" is not the name of a host", text);
	}
	read_direct(reading, segment);
	if (segment->type != SEGMENT_VLAN)
		return;
	text_read_number(reading->reader, "tag", 1, VLAN_TAG_MAX, &tag);
	if (!tag)
		json_reader_missing(reading->reader, "tag", "1 to 4094");
	segment->tag = (uint16_t)tag;
	if (!json_reader_text(reading->reader, "protocol", JSON_OPTIONAL, 16, &text))
		return;
	segment->service_tag = strcmp(text, "802.1ad") == 0;
	if (!segment->service_tag && strcmp(text, "802.1q") != 0)
		text_refuse(reading->draft, reading->reader, "protocol",
			    "protocol is 802.1q or 802.1ad, not \"%.16s\"", text);
}

static void write_wire(const struct writing *writing, const struct segment *segment)
{
	json_object_set_new(writing->json, "network", json_string(segment->network));
	if (segment->type == SEGMENT_VLAN) {
		json_object_set_new(writing->json, "tag", json_integer(segment->tag));
		text_write_value(writing, "protocol", !segment->service_tag,
				 json_string(segment->service_tag ? "802.1ad" : "802.1q"));
	}
	text_write_value(writing, "direct", segment->direct == DIRECT_BRIDGE,
			 json_string(direct_names[segment->direct]));
	text_write_value(writing, "siblings", segment->siblings == DIRECT_BRIDGE,
			 json_string(direct_names[segment->siblings]));
	text_write_value(writing, "router", segment->router[0] == '\0',
			 segment->router[0] ? json_string(segment->router) : json_null());
}

void text_read_segment(struct reading *reading, struct segment *segment)
{
	struct json_reader child;
	struct reading inner = *reading;
	const char *type;

	if (!json_reader_object(reading->reader, "segment", JSON_OPTIONAL, &child))
		return;
	inner.reader = &child;
	if (json_reader_text(&child, "type", JSON_REQUIRED, 64, &type)) {
		if (strcmp(type, "local") == 0)
			segment->type = SEGMENT_LOCAL;
		else if (strcmp(type, "flat") == 0)
			segment->type = SEGMENT_FLAT;
		else if (strcmp(type, "vlan") == 0)
			segment->type = SEGMENT_VLAN;
		else if (strcmp(type, "overlay") != 0)
			text_refuse(
				reading->draft, &child, "type",
				"a segment's type is overlay, local, flat or vlan, not \"%.64s\"",
				type);
	}
	if (segment->type == SEGMENT_OVERLAY)
		read_overlay(&inner, segment);
	else if (segment_is_wire(segment))
		read_wire(&inner, segment);
	reading->reader->code = json_reader_finish(&child);
}

/* ---- writing ---- */

static json_t *underlay_json(const struct segment *segment)
{
	switch (segment->underlay) {
	case UNDERLAY_IPV4: return json_string("ipv4");
	case UNDERLAY_IPV6: return json_string("ipv6");
	case UNDERLAY_PREFIX: return text_prefix(&segment->underlay_prefix);
	case UNDERLAY_ANY: break;
	}
	return json_null();
}

static json_t *flooding_json(const struct segment *segment)
{
	json_t *flooding;

	if (!ip_address_is_multicast(&segment->group))
		return json_string("head-end");
	flooding = json_pack("{so}", "group", text_address(&segment->group));
	if (segment->vteps.length)
		json_object_set_new(flooding, "vteps", text_prefix(&segment->vteps));
	return flooding;
}

static json_t *checksum_json(const struct segment *segment)
{
	return segment->udp_checksum == CHECKSUM_USUAL
		       ? json_null()
		       : json_boolean(segment->udp_checksum == CHECKSUM_ON);
}

void text_write_segment(const struct writing *writing, const struct segment *segment)
{
	struct writing inner = { writing->intent, writing->form, json_object() };
	static const char *const types[] = {
		[SEGMENT_OVERLAY] = "overlay",
		[SEGMENT_LOCAL] = "local",
		[SEGMENT_FLAT] = "flat",
		[SEGMENT_VLAN] = "vlan",
	};

	json_object_set_new(inner.json, "type", json_string(types[segment->type]));
	if (segment_is_wire(segment))
		write_wire(&inner, segment);
	if (segment->type != SEGMENT_OVERLAY) {
		text_write_value(writing, "segment", false, inner.json);
		return;
	}
	text_write_value(&inner, "encapsulation", segment->encapsulation == TUNNEL_VXLAN,
			 json_string(encapsulation_name(segment->encapsulation)));
	text_write_value(&inner, "id", segment->id_automatic,
			 segment->id_automatic ? json_null() : json_integer(segment->id));
	text_write_value(&inner, "effective_id", true, json_integer(segment->id));
	text_write_outer(&inner, segment->ttl, segment->dscp, segment->copy_dscp, segment->port);
	text_write_value(&inner, "udp_checksum", segment->udp_checksum == CHECKSUM_USUAL,
			 checksum_json(segment));
	text_write_value(&inner, "underlay", segment->underlay == UNDERLAY_ANY,
			 underlay_json(segment));
	text_write_value(&inner, "flooding", !ip_address_is_multicast(&segment->group),
			 flooding_json(segment));
	text_write_value(writing, "segment", json_object_size(inner.json) == 1, inner.json);
}
