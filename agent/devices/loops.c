/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Probes for loops; see loops.h.
 *
 * A round takes the segments that have ports to other switches in turn, GAP apart, and begins again each
 * second. What the datapath holds is looked up for a segment when its probes have had a gap's time.
 *
 * A segment that passes tags is probed in each VLAN that was heard there within TAG_TICKS, too; where there are more of
 * them than TAGS_OF_ROUND, in so many a round.
 */
#include "agent/devices/loops.h"

#include <arpa/inet.h>
#include <errno.h>
#include <inttypes.h>
#include <linux/if_packet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/cluster/cluster_config.h"
#include "base/alloc.h"
#include "base/log.h"
#include "core/loop.h"
#include "model/patches.h"

#define ROUND_NS CLOCK_NS_PER_SECOND
#define GAP_NS (20 * CLOCK_NS_PER_MS)
#define DOMAIN_FILE "loop-domain"
#define FRAME_SIZE 60 /* the smallest of Ethernet */
#define TAG_TICKS (60 * TICKS_PER_SECOND)
#define TAGS_OF_ROUND 1024

struct loops {
	struct loops_options options;
	struct loop_timer timer;
	int fd;
	uint32_t *subnets; /* of the running round */
	size_t subnet_count, position;
	struct segment_tag_key *tags; /* of the running round */
	size_t tag_count, tag_room;
	size_t tag_turn; /* where it begins among them, if there are too many */
	uint32_t round;
	bool again;      /* ports changed while it ran */
	struct map held; /* ids of ports that were told to be */
};

/* ---- the number of the installation ---- */

static int make_number(const char *state, uint64_t *number, struct error *error)
{
	char text[24];

	if (getrandom(number, sizeof(*number), 0) != sizeof(*number))
		return error_set(error, EIO, NULL, "there are no random numbers");
	snprintf(text, sizeof(text), "%016" PRIx64, *number);
	return cluster_config_write_file(state, DOMAIN_FILE, text, error);
}

int loops_domain(const char *state, const char *shared, uint64_t *domain, struct error *error)
{
	char *text = NULL, *end;
	int code;

	*domain = 14695981039346656037u; /* FNV-1a */
	for (const char *c = shared; c && *c; c++)
		*domain = (*domain ^ (unsigned char)*c) * 1099511628211u;
	if (shared)
		return 0;
	code = cluster_config_read_file(state, DOMAIN_FILE, &text, error);
	if (!code) {
		*domain = strtoull(text, &end, 16);
		if (end == text || *end)
			code = -ENOENT;
	}
	free(text);
	return code == -ENOENT ? make_number(state, domain, error) : code;
}

/* ---- what is held ---- */

static void tell(struct loops *loops, uint32_t port_id)
{
	const uint32_t now = (uint32_t)(clock_monotonic_ns(NULL) >> 20); /* as clock_tick() */
	uint32_t slot = slots_get(loops->options.slots, port_id);
	struct port_stats *stats = slot ? datapath_port_stats(loops->options.datapath, slot) : NULL;
	uint64_t until = stats ? __atomic_load_n(&stats->held_until, __ATOMIC_RELAXED) : 0;
	uint64_t with = stats ? __atomic_load_n(&stats->held_with, __ATOMIC_RELAXED) : 0;
	const uint32_t with_id = (uint32_t)with, vlan = (uint32_t)(with >> 32);
	bool held = until && (int32_t)(now - (uint32_t)until) <= 0;

	if (held == (map_get_u32(&loops->held, port_id) != NULL))
		return;
	if (held)
		map_put_u32(&loops->held, port_id, loops);
	else
		map_remove_u32(&loops->held, port_id);
	if (stats)
		log_warning(held ? "loop found" : "loop ended", "port=%u with=%u vlan=%u", port_id,
			    with_id, vlan);
	ports_set_held(loops->options.ports, port_id, held, with_id, vlan);
}

static void tell_subnet(struct loops *loops, uint32_t subnet_id)
{
	uint32_t *port_ids;
	size_t count = intent_ports_of_subnet(loops->options.intent, subnet_id, &port_ids);

	for (size_t i = 0; i < count; i++)
		tell(loops, port_ids[i]);
	free(port_ids);
}

/* Those whose segment is probed no more, too. */
static void tell_held(struct loops *loops)
{
	size_t count = 0;
	uint32_t *ids = xcalloc(map_count(&loops->held), sizeof(*ids));

	MAP_FOR_EACH(&loops->held, it)
		memcpy(&ids[count++], it.key, sizeof(*ids));
	for (size_t i = 0; i < count; i++)
		tell(loops, ids[i]);
	free(ids);
}

/* ---- probes ---- */

/* By a port; in a VLAN, if there is a tag. */
static void probe_port(struct loops *loops, const struct port_object *port, uint32_t ifindex,
		       const struct segment_tag_key *tag)
{
	struct {
		uint16_t ethertype;
		struct loop_probe probe;
		uint8_t pad[FRAME_SIZE - 14 - sizeof(struct loop_probe)];
	} __attribute__((packed)) rest = {
		.ethertype = htons(LOOP_ETHERTYPE),
		.probe = {
			.oui = LOOP_OUI,
			.protocol = { 0, LOOP_PROTOCOL },
			.version = 1,
			.round = htons((uint16_t)loops->round),
			.domain = { htonl((uint32_t)(loops->options.domain >> 32)),
				    htonl((uint32_t)loops->options.domain) },
			.subnet_id = htonl(port->subnet_id),
			.port_id = htonl(port->object.id),
		},
	};
	const struct sockaddr_ll way = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)ifindex,
		.sll_halen = 6,
	};

	const uint8_t group[6] = LOOP_GROUP;
	uint16_t words[2];
	uint8_t frame[FRAME_SIZE + sizeof(words)];
	size_t size = 12;

	memcpy(frame, group, 6);
	memcpy(frame + 6, port->mac.byte, 6);
	if (tag) {
		words[0] = htons(tag->type);
		words[1] = htons(tag->tag);
		memcpy(frame + size, words, sizeof(words));
		size += sizeof(words);
	}
	memcpy(frame + size, &rest, sizeof(rest));
	size += sizeof(rest);
	/* A device that has gone down or away meanwhile is device.c's affair. */
	if (sendto(loops->fd, frame, size, MSG_DONTWAIT, (const struct sockaddr *)&way,
		   sizeof(way)) < 0)
		log_debug("probe not sent", "port=%u error=\"%s\"", port->object.id,
			  strerror(errno));
}

/* What came last in a round is first in the next one. */
static void probe_tags(struct loops *loops, const struct port_object *port, uint32_t ifindex)
{
	const size_t count = loops->tag_count < TAGS_OF_ROUND ? loops->tag_count : TAGS_OF_ROUND;

	for (size_t i = 0; i < count; i++) {
		const struct segment_tag_key *tag =
			&loops->tags[(loops->tag_turn + i) % loops->tag_count];

		if (tag->subnet_id == port->subnet_id)
			probe_port(loops, port, ifindex, tag);
	}
}

static bool passes_tags(const struct loops *loops, uint32_t subnet_id)
{
	const struct subnet_object *subnet =
		(const struct subnet_object *)intent_object(loops->options.intent, subnet_id);

	return subnet && subnet->vlan_transparent;
}

static void probe_subnet(struct loops *loops, uint32_t subnet_id)
{
	const bool tags = passes_tags(loops, subnet_id);
	uint32_t *port_ids;
	size_t count = intent_links(loops->options.intent, &port_ids);

	for (size_t i = 0; i < count; i++) {
		const struct port_object *port = (const struct port_object *)intent_object(
			loops->options.intent, port_ids[i]);
		struct port_device device;

		if (!port || port->subnet_id != subnet_id)
			continue;
		ports_device(loops->options.ports, port_ids[i], &device);
		if (!device.ifindex)
			continue;
		probe_port(loops, port, device.ifindex, NULL);
		if (tags)
			probe_tags(loops, port, device.ifindex);
	}
	free(port_ids);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static bool note_tag(void *context, const void *key, const void *value)
{
	const uint32_t now = (uint32_t)(clock_monotonic_ns(NULL) >> 20);
	const struct segment_tag *row = value;
	struct loops *loops = context;

	if ((int32_t)(now - row->seen) > TAG_TICKS)
		return true;
	if (loops->tag_count == loops->tag_room) {
		loops->tag_room = loops->tag_room ? 2 * loops->tag_room : 64;
		loops->tags = xreallocarray(loops->tags, loops->tag_room, sizeof(*loops->tags));
	}
	loops->tags[loops->tag_count++] = *(const struct segment_tag_key *)key;
	return true;
}

/* The VLANs that were heard lately. */
static void note_tags(struct loops *loops)
{
	loops->tag_turn += loops->tag_count > TAGS_OF_ROUND ? TAGS_OF_ROUND : 0;
	loops->tag_count = 0;
	datapath_walk(loops->options.datapath, TABLE_segment_tags, note_tag, loops);
}

/* The segments that have ports to other switches, each once. */
static void begin_round(struct loops *loops)
{
	size_t count = intent_links(loops->options.intent, &loops->subnets);

	loops->position = loops->subnet_count = 0;
	loops->again = false;
	loops->round++;
	if (count)
		note_tags(loops);
	for (size_t i = 0; i < count; i++) {
		const struct port_object *port = (const struct port_object *)intent_object(
			loops->options.intent, loops->subnets[i]);

		loops->subnets[i] = port ? port->subnet_id : 0;
	}
	qsort(loops->subnets, count, sizeof(*loops->subnets), compare_ids);
	for (size_t i = 0; i < count; i++)
		if (!i || loops->subnets[i] != loops->subnets[i - 1])
			loops->subnets[loops->subnet_count++] = loops->subnets[i];
}

static void end_round(struct loops *loops)
{
	free(loops->subnets);
	loops->subnets = NULL;
	loops->subnet_count = loops->position = 0;
}

static void turn(void *context)
{
	struct loops *loops = context;
	uint64_t wait = GAP_NS;

	if (!loops->subnets) {
		tell_held(loops);
		begin_round(loops);
	}
	if (loops->position && loops->position <= loops->subnet_count)
		tell_subnet(loops, loops->subnets[loops->position - 1]);
	if (loops->position < loops->subnet_count) {
		probe_subnet(loops, loops->subnets[loops->position++]);
	} else {
		wait = loops->subnet_count * GAP_NS;
		wait = wait < ROUND_NS - GAP_NS && !loops->again ? ROUND_NS - wait : GAP_NS;
		end_round(loops);
	}
	loop_timer_start(loops->options.loop, &loops->timer, wait, 0);
}

void loops_soon(struct loops *loops)
{
	uint32_t *ids;
	size_t count;

	if (!loops)
		return;
	loops->again = true;
	count = intent_links(loops->options.intent, &ids);
	free(ids);
	if (count && !loops->subnets)
		loop_timer_start(loops->options.loop, &loops->timer, 1, 0);
}

/* ---- stations that may be elsewhere ---- */

struct forgetting {
	const struct loops *loops;
	struct station_key *keys;
	size_t count, room;
};

static bool forget_station(void *context, const void *key, const void *value)
{
	struct forgetting *forgetting = context;
	const struct loops_options *options = &forgetting->loops->options;
	const struct station *station = value;
	const struct port_object *port =
		(const struct port_object *)intent_object(options->intent, station->port_id);
	struct port_stats *stats;

	if ((station->flags & STATION_STATIC) || !port || port->object.kind != OBJECT_PORT ||
	    !attach_is_link(&port->attach))
		return true;
	if (forgetting->count == forgetting->room) {
		forgetting->room = forgetting->room ? 2 * forgetting->room : 64;
		forgetting->keys = xreallocarray(forgetting->keys, forgetting->room,
						 sizeof(*forgetting->keys));
	}
	forgetting->keys[forgetting->count++] = *(const struct station_key *)key;
	stats = datapath_port_stats(options->datapath, slots_get(options->slots, station->port_id));
	if (stats)
		__atomic_fetch_sub(&stats->stations, 1, __ATOMIC_RELAXED);
	return true;
}

void loops_forget_stations(struct loops *loops)
{
	struct forgetting forgetting = { .loops = loops };
	const struct loops_options *options;
	uint32_t *ids;
	size_t count;

	if (!loops)
		return;
	options = &loops->options;
	datapath_walk(options->datapath, TABLE_stations, forget_station, &forgetting);
	datapath_remove_many(options->datapath, TABLE_stations, forgetting.keys, forgetting.count);
	free(forgetting.keys);
	/* And connections find their way anew. */
	count = intent_links(options->intent, &ids);
	for (size_t i = 0; i < count; i++) {
		const struct object *port = intent_object(options->intent, ids[i]);
		struct vpc_moves *row =
			port ? datapath_vpc_moves(options->datapath,
						  slots_get(options->vpc_slots, port->vpc_id))
			     : NULL;

		if (row)
			__atomic_fetch_add(&row->moves, 1, __ATOMIC_RELAXED);
	}
	free(ids);
}

/* ---- open and close ---- */

int loops_open(const struct loops_options *options, struct loops **loops, struct error *error)
{
	struct datapath_state *state = datapath_state(options->datapath);
	struct loops *fresh;
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return error_set(error, errno, NULL, "no socket to send probes for loops by: %s",
				 strerror(errno));
	if (state)
		__atomic_store_n(&state->loop_domain, options->domain, __ATOMIC_RELAXED);
	fresh = xcalloc(1, sizeof(*fresh));
	fresh->options = *options;
	fresh->fd = fd;
	loop_timer_init(&fresh->timer, turn, fresh);
	loop_timer_start(options->loop, &fresh->timer, GAP_NS, 0);
	*loops = fresh;
	return 0;
}

void loops_close(struct loops *loops)
{
	if (!loops)
		return;
	loop_timer_stop(&loops->timer);
	end_round(loops);
	map_fini(&loops->held, NULL);
	free(loops->tags);
	close(loops->fd);
	free(loops);
}
