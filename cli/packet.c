/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Packets and times as people read them.
 *
 * Neighbours: drops.c, flows.c.
 */
#include "cli/packet.h"

#include <stdbool.h>
#include <string.h>
#include <time.h>

const char *packet_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* ADDRESS, ADDRESS:PORT or [ADDRESS]:PORT */
static void append_end(struct buf *text, const json_t *packet, const char *address_key,
		       const char *port_key)
{
	const char *address = packet_text(packet, address_key);
	const json_t *port = json_object_get(packet, port_key);
	bool is_ipv6 = strchr(address, ':') != NULL;

	if (!json_is_integer(port)) {
		buf_append_text(text, *address ? address : "?");
		return;
	}
	buf_printf(text, is_ipv6 ? "[%s]:%" JSON_INTEGER_FORMAT : "%s:%" JSON_INTEGER_FORMAT,
		   address, json_integer_value(port));
}

void packet_append(struct buf *text, const json_t *packet)
{
	const char *protocol = packet_text(packet, "protocol");
	const json_t *type = json_object_get(packet, "type");
	const json_t *code = json_object_get(packet, "code");
	const json_t *identifier = json_object_get(packet, "identifier");

	if (!*packet_text(packet, "source") && !*packet_text(packet, "destination")) {
		buf_printf(text, "%s %s > %s",
			   *protocol ? protocol : packet_text(packet, "ethertype"),
			   packet_text(packet, "source_mac"),
			   packet_text(packet, "destination_mac"));
		return;
	}
	buf_printf(text, "%s ", *protocol ? protocol : "ip");
	if (json_is_integer(type))
		buf_printf(text, "%" JSON_INTEGER_FORMAT "/%" JSON_INTEGER_FORMAT " ",
			   json_integer_value(type), json_integer_value(code));
	append_end(text, packet, "source", "source_port");
	buf_append_text(text, " > ");
	append_end(text, packet, "destination", "destination_port");
	if (json_is_integer(identifier))
		buf_printf(text, " id %" JSON_INTEGER_FORMAT, json_integer_value(identifier));
}

void packet_append_time(struct buf *text, const char *time_text)
{
	struct tm fields = { 0 }, local;
	const char *rest = strptime(time_text, "%Y-%m-%dT%H:%M:%S", &fields);
	char clock[16];
	time_t seconds;

	if (!rest) {
		buf_append_text(text, time_text);
		return;
	}
	seconds = timegm(&fields);
	localtime_r(&seconds, &local);
	strftime(clock, sizeof(clock), "%H:%M:%S", &local);
	buf_append_text(text, clock);
	if (*rest == '.')
		buf_append(text, rest, strspn(rest, ".0123456789"));
}
