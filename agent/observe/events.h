/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens, told to whoever listens: the server-sent events of GET /v1/events.
 *
 * A publisher hands in one event; it is put into words once and copied to the queue of each subscriber
 * whose filter takes it. A queue is bounded: a subscriber that reads too slowly loses events, never
 * holds up the daemon, and is told how many it lost as soon as there is room again.
 *
 * Neighbours: reconcile.c, drops.c publish; api_stream.c subscribes; http.c carries the text.
 */
#ifndef WEFT_AGENT_EVENTS_H
#define WEFT_AGENT_EVENTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define EVENT_QUEUE_SIZE_MAX (256U << 10)

enum event_kind { EVENT_CHANGE, EVENT_PORT, EVENT_DROP, EVENT_TUNNEL, EVENT_KINDS };

/**
 * struct event_filter - what a subscriber wants
 * @kinds: bits 1 << enum event_kind
 * @port_id: only events about this port; 0 for all
 */
struct event_filter {
	unsigned int kinds;
	uint32_t port_id;
};

struct events;
struct event_subscriber;

/* Called when a queue that was empty is not any more. Must not publish or unsubscribe. */
typedef void event_wake_callback(void *context);

/** events_new - nobody listens yet; release with events_free() */
struct events *events_new(void);

/** events_free - release @events (may be NULL); all subscribers must have left */
void events_free(struct events *events);

/** event_kind_name - "change", "port", "drop", "tunnel" */
const char *event_kind_name(enum event_kind kind);

/** event_kind_parse - Return: 0, or -EINVAL for an unknown word */
int event_kind_parse(const char *text, enum event_kind *kind);

/**
 * struct event_ports - the ports an event is about; 0 for none
 * @other: a second one, such as the port a dropped packet was for
 */
struct event_ports {
	uint32_t port_id;
	uint32_t other;
};

/** events_wanted - whether anybody would get such an event; spares making it */
bool events_wanted(const struct events *events, enum event_kind kind, struct event_ports about);

/**
 * events_publish - tell all subscribers whose filter takes it
 * @data: borrowed
 */
void events_publish(struct events *events, enum event_kind kind, struct event_ports about,
		    const json_t *data);

/** events_keepalive - a comment line to all whose queue is empty, so that dead ones are noticed */
void events_keepalive(struct events *events);

/**
 * events_subscribe - join; end with event_subscriber_free()
 * @wake: called with @context when there is something to read
 */
struct event_subscriber *events_subscribe(struct events *events, const struct event_filter *filter,
					  event_wake_callback *wake, void *context);

/**
 * event_subscriber_read - take up to @size bytes of event-stream text out of the queue
 *
 * Return: bytes written to @text, 0 when the queue is empty.
 */
size_t event_subscriber_read(struct event_subscriber *subscriber, char *text, size_t size);

/** event_subscriber_free - leave (NULL is ignored) */
void event_subscriber_free(struct event_subscriber *subscriber);

/** events_subscribers - Return: how many listen */
size_t events_subscribers(const struct events *events);

#endif
