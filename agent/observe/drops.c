/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Recent drops; see drops.h.
 *
 * Events are kept as they came, with ids, and are given names when somebody reads them: a flood of
 * drops that nobody reads costs a copy each.
 */
#include "agent/observe/drops.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#include "agent/names.h"
#include "base/alloc.h"
#include "base/clock.h"

#define READ_MAX 256 /* per round of the loop, so that a flood does not starve the rest */
#define SAMPLE_SECONDS 5
#define SAMPLES 13 /* of the last minute and one from before it */
#define ETHERTYPE_ARP_BE 0x0806

struct drops {
	struct loop *loop;
	struct datapath *datapath;
	const struct intent *intent;
	struct events *events;
	const char *host;
	drops_listener *listener;
	void *listener_context;
	int fd;
	struct loop_timer timer;
	size_t count, next;
	struct drop_event ring[DROPS_KEPT];
	size_t sample_count, sample_next;
	uint64_t samples[SAMPLES][VERDICTS];
};

/* When it happened: events carry the monotonic clock, which is not that of people. */
static json_t *drop_time(const struct drop_event *event)
{
	struct timespec now;
	char text[CLOCK_RFC3339_SIZE];
	uint64_t monotonic, realtime = clock_realtime_ns(NULL);

	clock_gettime(CLOCK_MONOTONIC, &now);
	monotonic = (uint64_t)now.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)now.tv_nsec;
	if (event->tick_ns < monotonic)
		realtime -= monotonic - event->tick_ns;
	return json_string(clock_rfc3339_format(realtime, text));
}

static json_t *mac_json(const uint8_t *bytes)
{
	struct mac_address mac;
	char text[MAC_ADDRESS_TEXT_SIZE];

	memcpy(mac.byte, bytes, sizeof(mac.byte));
	return json_string(mac_address_format(&mac, text));
}

static json_t *tcp_flags_json(uint8_t flags)
{
	static const char *const names[] = {
		"fin", "syn", "rst", "psh", "ack", "urg", "ece", "cwr"
	};
	char text[40] = "";

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		size_t len = strlen(text);

		if (flags & 1 << i)
			snprintf(text + len, sizeof(text) - len, "%s%s", len ? "," : "", names[i]);
	}
	return json_string(text);
}

static void add_packet(json_t *document, const struct drop_event *event)
{
	static const struct address none;
	unsigned int ethertype = ntohs(event->ethertype);
	bool addresses = memcmp(&event->source, &none, sizeof(none)) != 0 ||
			 memcmp(&event->destination, &none, sizeof(none)) != 0;

	json_object_set_new(document, "ethertype", json_sprintf("0x%04x", ethertype));
	if (ethertype == ETHERTYPE_ARP_BE)
		json_object_set_new(document, "protocol", json_string("arp"));
	else if (addresses)
		json_object_set_new(document, "protocol", names_protocol(event->protocol));
	else
		json_object_set_new(document, "protocol", json_null());
	json_object_set_new(document, "source",
			    addresses ? names_address(&event->source) : json_null());
	json_object_set_new(document, "destination",
			    addresses ? names_address(&event->destination) : json_null());
	if (addresses && ethertype != ETHERTYPE_ARP_BE) {
		if (event->protocol == IPPROTO_TCP)
			json_object_set_new(document, "tcp_flags",
					    tcp_flags_json(event->tcp_flags));
		names_add_transport(document, event->protocol, event->source_port,
				    event->destination_port);
	}
	json_object_set_new(document, "source_mac", mac_json(event->ethernet + 6));
	json_object_set_new(document, "destination_mac", mac_json(event->ethernet));
}

static json_t *drop_json(const struct drops *drops, const struct drop_event *event)
{
	const struct intent *intent = drops->intent;
	json_t *document = json_pack(
		"{s:o, s:s, s:s, s:s, s:o, s:o, s:o, s:o, s:I, s:I}", "time", drop_time(event),
		"host", drops->host, "reason", names_verdict(event->verdict), "sentence",
		names_verdict_sentence(event->verdict), "object",
		names_object(intent, event->object_id), "port", names_port(intent, event->port_id),
		"out_port", names_port(intent, event->out_port_id), "vpc",
		names_port(intent, event->vpc_id), "length", (json_int_t)event->length,
		"suppressed", (json_int_t)event->suppressed);

	add_packet(document, event);
	return document;
}

void drops_take(struct drops *drops, const struct drop_event *event)
{
	const struct event_ports about = { event->port_id, event->out_port_id };
	json_t *document;

	drops->ring[drops->next] = *event;
	drops->next = (drops->next + 1) % DROPS_KEPT;
	if (drops->count < DROPS_KEPT)
		drops->count++;
	if (!events_wanted(drops->events, EVENT_DROP, about))
		return;
	document = drop_json(drops, event);
	events_publish(drops->events, EVENT_DROP, about, document);
	json_decref(document);
}

void drops_listen(struct drops *drops, drops_listener *listener, void *context)
{
	drops->listener = listener;
	drops->listener_context = context;
}

static void drops_event(void *context, const struct drop_event *event)
{
	struct drops *drops = context;

	if (names_verdict_is_drop((enum verdict)event->verdict))
		drops_take(drops, event);
	if (drops->listener)
		drops->listener(drops->listener_context, event);
}

static void drops_readable(void *context, int fd, uint32_t events)
{
	struct drops *drops = context;

	(void)fd;
	(void)events;
	datapath_events_read(drops->datapath, drops_event, drops, READ_MAX);
}

void drops_sample(struct drops *drops)
{
	uint64_t *sample = drops->samples[drops->sample_next];

	for (unsigned int verdict = 0; verdict < VERDICTS; verdict++) {
		struct verdict_counter counter = { 0 };

		datapath_verdict(drops->datapath, (enum verdict)verdict, &counter);
		sample[verdict] = counter.packets;
	}
	drops->sample_next = (drops->sample_next + 1) % SAMPLES;
	if (drops->sample_count < SAMPLES)
		drops->sample_count++;
}

static void drops_tick(void *context)
{
	drops_sample(context);
}

json_t *drops_recent(const struct drops *drops, uint32_t port_id)
{
	json_t *list = json_array();
	size_t first = (drops->next + DROPS_KEPT - drops->count) % DROPS_KEPT;

	for (size_t i = 0; i < drops->count; i++) {
		const struct drop_event *event = &drops->ring[(first + i) % DROPS_KEPT];

		if (!port_id || event->port_id == port_id || event->out_port_id == port_id)
			json_array_append_new(list, drop_json(drops, event));
	}
	return list;
}

json_t *drops_last_minute(const struct drops *drops)
{
	size_t oldest = (drops->sample_next + SAMPLES - drops->sample_count) % SAMPLES;
	json_t *document = json_object();

	for (unsigned int verdict = 0; verdict < VERDICTS; verdict++) {
		struct verdict_counter counter = { 0 };
		uint64_t before = drops->sample_count ? drops->samples[oldest][verdict] : 0;

		if (!names_verdict_is_drop((enum verdict)verdict))
			continue;
		if (datapath_verdict(drops->datapath, (enum verdict)verdict, &counter) ||
		    counter.packets <= before)
			continue;
		json_object_set_new(document, names_verdict((enum verdict)verdict),
				    json_integer((json_int_t)(counter.packets - before)));
	}
	return document;
}

struct drops *drops_new(struct loop *loop, struct datapath *datapath, const struct intent *intent,
			struct events *events, const char *host)
{
	struct drops *drops = xcalloc(1, sizeof(*drops));

	drops->loop = loop;
	drops->datapath = datapath;
	drops->intent = intent;
	drops->events = events;
	drops->host = host;
	drops->fd = datapath_events_fd(datapath);
	if (drops->fd >= 0)
		loop_add_fd(loop, drops->fd, EPOLLIN, drops_readable, drops);
	drops_sample(drops);
	loop_timer_init(&drops->timer, drops_tick, drops);
	loop_timer_start(loop, &drops->timer, SAMPLE_SECONDS * CLOCK_NS_PER_SECOND,
			 SAMPLE_SECONDS * CLOCK_NS_PER_SECOND);
	return drops;
}

void drops_free(struct drops *drops)
{
	if (!drops)
		return;
	loop_timer_stop(&drops->timer);
	if (drops->fd >= 0)
		loop_remove_fd(drops->loop, drops->fd);
	free(drops);
}
