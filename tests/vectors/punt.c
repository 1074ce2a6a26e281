/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What weftd writes to the punt device, in place of weftd: answers to ports, and packets that it has held.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "tests/vectors/vector.h"

const struct vector_frame *punt_frame(char **words, size_t count)
{
	const struct port_object *port = count > 1 ? world_port(&tables_world, words[1]) : NULL;
	struct punt_header header = { .version = (uint8_t)strtoul(words[0], NULL, 10) };
	static struct vector_frame frame;

	if (count < 3)
		vector_fail("from-weftd: version, port and frame expected");
	header.port_id = port ? port->object.id : (uint32_t)strtoul(words[1], NULL, 10);
	if (!port)
		port = world_port(&tables_world, "blue/web1");
	frame_build(&tables_world, port, words + 2, count - 2, &frame);
	memmove(frame.data + 14 + sizeof(header), frame.data + 14, frame.size - 14);
	memcpy(frame.data + 14, &header, sizeof(header));
	frame.size += sizeof(header);
	return &frame;
}

const struct vector_frame *punt_given_back(const char *reason, const struct outcome *last)
{
	static const struct {
		const char *name;
		enum punt_reason reason;
	} reasons[] = {
		{ "hold", PUNT_HOLD },       { "ask", PUNT_ASK },
		{ "give-up", PUNT_GIVE_UP }, { "no-room", PUNT_NO_ROOM },
		{ "refresh", PUNT_REFRESH },
	};
	static struct vector_frame frame;
	size_t i = 0;

	while (i < ARRAY_SIZE(reasons) && strcmp(reasons[i].name, reason) != 0)
		i++;
	if (i == ARRAY_SIZE(reasons) || last->verdict != VERDICT_HELD)
		vector_fail("back: nothing was held, or no reason \"%s\"", reason);
	memcpy(frame.data, last->data, last->size);
	frame.size = last->size;
	frame.data[14 + offsetof(struct punt_header, reason)] = (uint8_t)reasons[i].reason;
	return &frame;
}

void punt_wanted(const char *text, const struct outcome *last)
{
	const struct wire_neighbour row = { .flags = NEIGHBOUR_WANTED,
					    .seen = (uint32_t)(clock_monotonic_ns(NULL) >> 20) };
	struct wire_neighbour_key key = { .port_id = last->object_id };
	struct ip_address address;

	if (ip_address_parse(text, &address) || last->verdict != VERDICT_HELD)
		vector_fail("wanted: no address \"%s\", or nothing was held", text);
	memcpy(&key.address, address.byte, sizeof(key.address));
	for (size_t s = 0; s < side_count; s++)
		sides[s]->put(TABLE_wire_neighbours, &key, &row);
}
