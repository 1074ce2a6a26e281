/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fan-out of events to bounded queues; see events.h.
 *
 * A queue holds ready text of the event-stream format. Text leaves it in pieces of any size, so an
 * event is dropped only as a whole and before it is queued: what a subscriber reads is always well formed.
 */
#include "agent/observe/events.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/list.h"

struct events {
	struct list subscribers;
};

struct event_subscriber {
	struct list node;
	struct event_filter filter;
	struct buf queue;
	uint64_t lost;
	event_wake_callback *wake;
	void *context;
};

static const char *const event_kind_names[] = {
	[EVENT_CHANGE] = "change",
	[EVENT_PORT] = "port",
	[EVENT_DROP] = "drop",
	[EVENT_TUNNEL] = "tunnel",
};
_Static_assert(ARRAY_SIZE(event_kind_names) == EVENT_KINDS, "a name for each kind of event");

struct events *events_new(void)
{
	struct events *events = xcalloc(1, sizeof(*events));

	list_init(&events->subscribers);
	return events;
}

void events_free(struct events *events)
{
	free(events);
}

const char *event_kind_name(enum event_kind kind)
{
	return event_kind_names[kind];
}

int event_kind_parse(const char *text, enum event_kind *kind)
{
	for (unsigned int i = 0; i < EVENT_KINDS; i++) {
		if (strcmp(text, event_kind_names[i]) == 0) {
			*kind = (enum event_kind)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool filter_takes(const struct event_filter *filter, enum event_kind kind,
			 struct event_ports about)
{
	return (filter->kinds & 1U << kind) &&
	       (!filter->port_id || filter->port_id == about.port_id ||
		filter->port_id == about.other);
}

bool events_wanted(const struct events *events, enum event_kind kind, struct event_ports about)
{
	const struct event_subscriber *subscriber;

	LIST_FOR_EACH(subscriber, &events->subscribers, node)
		if (filter_takes(&subscriber->filter, kind, about))
			return true;
	return false;
}

static void subscriber_queue(struct event_subscriber *subscriber, const char *text, size_t len)
{
	bool was_empty = subscriber->queue.size == 0;

	if (subscriber->queue.size + len > EVENT_QUEUE_SIZE_MAX) {
		subscriber->lost++;
		return;
	}
	if (subscriber->lost) {
		buf_printf(&subscriber->queue, "event: lost\ndata: {\"count\": %" PRIu64 "}\n\n",
			   subscriber->lost);
		subscriber->lost = 0;
	}
	buf_append(&subscriber->queue, text, len);
	if (was_empty)
		subscriber->wake(subscriber->context);
}

void events_publish(struct events *events, enum event_kind kind, struct event_ports about,
		    const json_t *data)
{
	struct event_subscriber *subscriber;
	struct buf text = { 0 };
	char *line;

	if (!events_wanted(events, kind, about))
		return;
	line = json_dumps(data, JSON_COMPACT);
	buf_printf(&text, "event: %s\ndata: %s\n\n", event_kind_name(kind), line);
	free(line);
	LIST_FOR_EACH(subscriber, &events->subscribers, node)
		if (filter_takes(&subscriber->filter, kind, about))
			subscriber_queue(subscriber, text.data, text.size);
	buf_fini(&text);
}

void events_keepalive(struct events *events)
{
	static const char comment[] = ": still here\n\n";
	struct event_subscriber *subscriber;

	LIST_FOR_EACH(subscriber, &events->subscribers, node)
		if (subscriber->queue.size == 0)
			subscriber_queue(subscriber, comment, sizeof(comment) - 1);
}

struct event_subscriber *events_subscribe(struct events *events, const struct event_filter *filter,
					  event_wake_callback *wake, void *context)
{
	struct event_subscriber *subscriber = xcalloc(1, sizeof(*subscriber));

	subscriber->filter = *filter;
	subscriber->wake = wake;
	subscriber->context = context;
	list_push_back(&events->subscribers, &subscriber->node);
	return subscriber;
}

size_t event_subscriber_read(struct event_subscriber *subscriber, char *text, size_t size)
{
	size_t count = subscriber->queue.size < size ? subscriber->queue.size : size;

	if (count) {
		memcpy(text, subscriber->queue.data, count);
		buf_consume(&subscriber->queue, count);
	}
	return count;
}

void event_subscriber_free(struct event_subscriber *subscriber)
{
	if (!subscriber)
		return;
	list_remove(&subscriber->node);
	buf_fini(&subscriber->queue);
	free(subscriber);
}

size_t events_subscribers(const struct events *events)
{
	return list_count(&events->subscribers);
}
