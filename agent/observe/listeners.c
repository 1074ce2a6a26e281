/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Listeners; see listeners.h.
 */
#include "agent/observe/listeners.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"

/* A source as its row says, which holds while the group's row has the same epoch. */
struct source {
	struct group_source_key key;
	struct group_source row;
};

struct reading {
	struct datapath *datapath;
	struct listeners *listeners;
	struct source *sources; /* in the order of their keys */
	size_t source_count;
	uint32_t now; /* ticks, as the datapath counts */
};

static bool has_aged(const struct reading *reading, uint32_t tick)
{
	return (int32_t)(reading->now - tick) > 0;
}

static bool read_source(void *context, const void *key, const void *value)
{
	struct reading *reading = context;
	struct source source;

	memcpy(&source.key, key, sizeof(source.key));
	memcpy(&source.row, value, sizeof(source.row));
	if (has_aged(reading, source.row.expires))
		return true;
	reading->sources = xreallocarray(reading->sources, reading->source_count + 1,
					 sizeof(*reading->sources));
	reading->sources[reading->source_count++] = source;
	return true;
}

static int compare_sources(const void *a, const void *b)
{
	return memcmp(a, b, sizeof(struct group_source_key));
}

/* The first source of a group: keys begin with the group's. */
static size_t first_source(const struct reading *reading, const struct group_key *key)
{
	size_t low = 0, high = reading->source_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (memcmp(&reading->sources[middle].key.group, key, sizeof(*key)) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void add_sources(const struct reading *reading, const struct group_key *key,
			const struct group *row, struct listener *listener)
{
	const bool any = !(row->flags & GROUP_SOURCES) ||
			 ((row->flags & GROUP_ANY_AGES) && !has_aged(reading, row->any_until));

	for (size_t i = first_source(reading, key);
	     i < reading->source_count &&
	     memcmp(&reading->sources[i].key.group, key, sizeof(*key)) == 0;
	     i++) {
		const struct source *source = &reading->sources[i];
		const bool blocked = source->row.flags & GROUP_SOURCE_BLOCKED;

		if (source->row.epoch != row->epoch || blocked != any)
			continue;
		listener->sources = xreallocarray(listener->sources, listener->source_count + 1,
						  sizeof(*listener->sources));
		listener->sources[listener->source_count++] = source->key.source;
	}
	if (!any)
		listener->filter = LISTENER_INCLUDE;
	else if (listener->source_count)
		listener->filter = LISTENER_EXCLUDE;
}

static bool read_group(void *context, const void *key_bytes, const void *value)
{
	static const struct address none;
	/* Another host's daemon has asked: nobody listens by that (core/tables_multicast.h). */
	const struct address speaker = { .word[3] = htonl(GROUP_SPEAKER_WORD) };
	struct reading *reading = context;
	struct listener *listener;
	struct group_key key;
	struct group row;

	memcpy(&key, key_bytes, sizeof(key));
	memcpy(&row, value, sizeof(row));
	if (has_aged(reading, row.expires) || memcmp(&key.address, &speaker, sizeof(speaker)) == 0)
		return true;
	reading->listeners->list = xreallocarray(reading->listeners->list,
						 reading->listeners->count + 1,
						 sizeof(*reading->listeners->list));
	listener = &reading->listeners->list[reading->listeners->count++];
	*listener = (struct listener){
		.subnet_id = key.subnet_id,
		.port_id = key.port_id,
		.group = key.address,
		.router = memcmp(&key.address, &none, sizeof(none)) == 0,
		.seconds = (row.expires - reading->now) / TICKS_PER_SECOND,
	};
	add_sources(reading, &key, &row, listener);
	return true;
}

static int compare_listeners(const void *a, const void *b)
{
	const struct listener *one = a, *other = b;

	if (one->subnet_id != other->subnet_id)
		return one->subnet_id < other->subnet_id ? -1 : 1;
	if (memcmp(&one->group, &other->group, sizeof(one->group)) != 0)
		return memcmp(&one->group, &other->group, sizeof(one->group));
	return one->port_id < other->port_id ? -1 : one->port_id > other->port_id;
}

int listeners_read(struct datapath *datapath, struct listeners *listeners)
{
	struct reading reading = {
		.datapath = datapath,
		.listeners = listeners,
		.now = (uint32_t)(clock_monotonic_ns(NULL) >> 20),
	};
	int code = datapath_walk(datapath, TABLE_group_sources, read_source, &reading);

	if (reading.source_count)
		qsort(reading.sources, reading.source_count, sizeof(*reading.sources),
		      compare_sources);
	if (!code)
		code = datapath_walk(datapath, TABLE_groups, read_group, &reading);
	free(reading.sources);
	if (code) {
		listeners_fini(listeners);
		return code;
	}
	if (listeners->count)
		qsort(listeners->list, listeners->count, sizeof(*listeners->list),
		      compare_listeners);
	return 0;
}

void listeners_fini(struct listeners *listeners)
{
	for (size_t i = 0; i < listeners->count; i++)
		free(listeners->list[i].sources);
	free(listeners->list);
	*listeners = (struct listeners){ 0 };
}
