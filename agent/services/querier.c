/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The querier; see querier.h.
 *
 * Once a second it looks which subnets are due. Which subnets snoop is found anew when the intent has
 * moved. A subnet begins with a question that wants answers within a second, so that what listens already
 * is known soon, and asks again after a quarter of the interval, as routers do (RFC 3376, 8.6). A port
 * that comes later, or gets another device, is asked at once, twice: a machine that has moved here does
 * not say again by itself what it listens to.
 *
 * What was said to a daemon before this one may have aged since, and the pipeline goes on sending to whom it did
 * (core/multicast.c), until all have been asked and had time to answer.
 */
#include "agent/services/querier.h"

#include <netinet/in.h>
#include <string.h>

#include "agent/devices/ports.h"
#include "agent/names.h"
#include "agent/services/leaving.h"
#include "base/alloc.h"
#include "base/big_endian.h"
#include "base/checksum.h"
#include "base/map.h"
#include "model/plan.h"

#define SECOND_NS CLOCK_NS_PER_SECOND
#define RESPONSE_SECONDS 10 /* RFC 3376, 8.3 */
#define STARTUP_COUNT 2
#define ROBUSTNESS 2
#define LOOKS 10                    /* the rows follow the intent, a moment later */
#define ANSWERED_NS (3 * SECOND_NS) /* after the first question, which wants answers within one */
#define IGMP_QUERY 0x11
#define IGMP2_LEAVE 0x17
#define MLD_QUERY 130
#define MLD_DONE 132

/* A subnet that snoops. */
struct asked {
	uint32_t interval;
	uint64_t due_ns;
	uint32_t sent;
	bool seen; /* in the walk that is under way */
};

struct querier {
	struct loop *loop;
	struct punt *punt;
	struct reconcile *reconcile;
	struct datapath *datapath;
	struct loop_timer timer;
	struct leaving *leaving;
	uint64_t asked_ns; /* when the first question of all was sent; 0: that was long ago, or is to come */
	uint64_t version;   /* the intent's when `subnets` was made */
	unsigned int looks; /* still to come, for hosts that have left with that change */
	bool known;
	bool devices;       /* some have come or gone since the last second */
	struct map subnets; /* id -> struct asked, owned */
	struct map ports;   /* id -> place_of() where it was asked */
	uint64_t sent;
};

/* ---- the frame ---- */

/* Seconds in eight bits, above 127 with an exponent (RFC 3376, 4.1.7). */
static uint8_t interval_code(uint32_t seconds)
{
	uint32_t exponent = 0;

	if (seconds < 128)
		return (uint8_t)seconds;
	while (seconds >> (exponent + 3) > 31)
		exponent++;
	return (uint8_t)(0x80 | exponent << 4 | (seconds >> (exponent + 3) & 0xf));
}

/* IPv4 with the router alert option, to 224.0.0.1, the group, or (leave) 224.0.0.2. */
static size_t write_igmp(const struct querier_question *question, const struct ip_address *to,
			 uint8_t *packet)
{
	static const uint8_t header[24] = { 0x46, 0xc0, 0, 36, 0, 0, 0, 0, 1,    2, 0, 0,
					    0,    0,    0, 0,  0, 0, 0, 0, 0x94, 4, 0, 0 };
	uint8_t *query = packet + sizeof(header);
	const size_t size = question->leave ? 8 : 12;

	memcpy(packet, header, sizeof(header));
	packet[3] = (uint8_t)(sizeof(header) + size);
	if (question->source)
		memcpy(packet + 12, question->source->byte + 12, 4);
	memcpy(packet + 16, to->byte + 12, 4);
	put_be16(packet + 10, checksum(packet, sizeof(header)));
	memset(query, 0, size);
	query[0] = question->leave ? IGMP2_LEAVE : IGMP_QUERY;
	memcpy(query + 4, question->group.byte + 12, 4);
	if (!question->leave) {
		query[1] = (uint8_t)(question->response_seconds * 10);
		query[8] = ROBUSTNESS;
		query[9] = interval_code(question->interval);
	}
	put_be16(query + 2, checksum(query, size));
	return sizeof(header) + size;
}

/* IPv6 with the router alert option, from the gateway's link-local address to ff02::1, the group, or ff02::2. */
static size_t write_mld(const struct querier_question *question, const struct ip_address *to,
			uint8_t *packet)
{
	static const uint8_t header[8] = { 0x60, 0, 0, 0, 0, 36, 0, 1 };
	static const uint8_t options[8] = { 58, 0, 5, 2, 0, 0, 1, 0 };
	const struct ip_address source = ip_address_link_local_from_mac(question->mac);
	uint8_t *query = packet + 48;
	const size_t size = question->leave ? 24 : 28;

	memcpy(packet, header, sizeof(header));
	packet[5] = (uint8_t)(sizeof(options) + size);
	memcpy(packet + 8, source.byte, 16);
	memcpy(packet + 24, to->byte, 16);
	memcpy(packet + 40, options, sizeof(options));
	memset(query, 0, size);
	query[0] = question->leave ? MLD_DONE : MLD_QUERY;
	memcpy(query + 8, question->group.byte, 16);
	if (!question->leave) {
		put_be16(query + 4, question->response_seconds * 1000);
		query[24] = ROBUSTNESS;
		query[25] = interval_code(question->interval);
	}
	put_be16(query + 2, checksum_transport(&source, to, IPPROTO_ICMPV6, query, size));
	return 48 + size;
}

size_t querier_write(const struct querier_question *question, uint8_t frame[QUERIER_FRAME_SIZE])
{
	static const struct ip_address all4 = { { [10] = 0xff, 0xff, 224, 0, 0, 1 } };
	static const struct ip_address all6 = { { 0xff, 2, [15] = 1 } };
	static const struct ip_address routers4 = { { [10] = 0xff, 0xff, 224, 0, 0, 2 } };
	static const struct ip_address routers6 = { { 0xff, 2, [15] = 2 } };
	const bool general = ip_address_is_unspecified(&question->group);
	const struct ip_address *to = question->ipv4 ? &all4 : &all6;

	if (question->leave)
		to = question->ipv4 ? &routers4 : &routers6;
	else if (!general)
		to = &question->group;
	frame[0] = question->ipv4 ? 0x01 : 0x33;
	frame[1] = question->ipv4 ? 0x00 : 0x33;
	frame[2] = question->ipv4 ? 0x5e : to->byte[12];
	frame[3] = question->ipv4 ? to->byte[13] & 0x7f : to->byte[13];
	memcpy(frame + 4, to->byte + 14, 2);
	memcpy(frame + 6, question->mac->byte, 6);
	put_be16(frame + 12, question->ipv4 ? 0x0800 : 0x86dd);
	return 14 + (question->ipv4 ? write_igmp(question, to, frame + 14)
				    : write_mld(question, to, frame + 14));
}

/* ---- when ---- */

static void ask_port(struct querier *querier, const struct subnet_object *subnet, uint32_t port_id,
		     uint32_t response)
{
	const struct mac_address mac = subnet_gateway_mac(subnet);
	struct querier_question question = {
		.mac = &mac,
		.source = &subnet->gateways[0],
		.response_seconds = response,
		.interval = subnet->query_interval,
	};
	uint8_t frame[QUERIER_FRAME_SIZE];

	for (int family = 0; family < 2; family++) {
		size_t size;

		question.ipv4 = family == 0;
		size = querier_write(&question, frame);
		if (!punt_send(querier->punt, port_id, 0, frame, size))
			querier->sent++;
	}
}

/* So that other hosts know that whoever listens here is asked. They ask their own ports. */
static void tell_hosts(struct querier *querier, const struct subnet_object *subnet)
{
	const struct mac_address mac = subnet_gateway_mac(subnet);
	const struct querier_question question = {
		.mac = &mac,
		.response_seconds = RESPONSE_SECONDS,
		.interval = subnet->query_interval,
	};
	uint8_t frame[QUERIER_FRAME_SIZE];
	size_t size = querier_write(&question, frame);

	if (intent_has_hosts(reconcile_intent(querier->reconcile)))
		punt_send_hosts(querier->punt, subnet->object.id, frame, size);
}

/* The device that a port is asked at; 0: none. */
static uint32_t device_of(const struct querier *querier, uint32_t port_id)
{
	struct port_device device = { 0 };

	ports_device(reconcile_ports(querier->reconcile), port_id, &device);
	return device.kind == PORT_TUN ? 0 : device.ifindex;
}

/* The device of a port that was asked there, @enough: as often as one that has come is. */
static void *place_of(uint32_t ifindex, bool enough)
{
	return (void *)((uintptr_t)ifindex << 1 | enough);
}

/* Whether a port is active here: one that is to come has its device before. */
static bool is_here(const struct querier *querier, uint32_t port_id)
{
	const struct intent *intent = reconcile_intent(querier->reconcile);
	const struct object *object = intent_object(intent, port_id);

	return object && object->kind == OBJECT_PORT &&
	       intent_is_local(intent, ((const struct port_object *)object)->host);
}

static void ask_all(struct querier *querier, const struct subnet_object *subnet, uint32_t response)
{
	const struct intent *intent = reconcile_intent(querier->reconcile);
	uint32_t *ids;
	size_t count = intent_ports_of_subnet(intent, subnet->object.id, &ids);

	for (size_t i = 0; i < count; i++) {
		uint32_t ifindex = device_of(querier, ids[i]);

		if (!ifindex)
			continue;
		ask_port(querier, subnet, ids[i], response);
		if (is_here(querier, ids[i]))
			map_put_u32(&querier->ports, ids[i], place_of(ifindex, true));
	}
	free(ids);
	tell_hosts(querier, subnet);
}

/* Asks ports that have come since their subnet was asked. @ports: gets all, as in querier->ports. */
static void ask_new(struct querier *querier, const struct subnet_object *subnet, struct map *ports)
{
	uint32_t *ids;
	size_t count = intent_ports_of_subnet(reconcile_intent(querier->reconcile),
					      subnet->object.id, &ids);

	for (size_t i = 0; i < count; i++) {
		uint32_t ifindex = is_here(querier, ids[i]) ? device_of(querier, ids[i]) : 0;
		const void *asked = map_get_u32(&querier->ports, ids[i]);
		bool enough = asked == place_of(ifindex, true);

		if (!ifindex)
			continue;
		if (!enough) {
			ask_port(querier, subnet, ids[i], 1);
			enough = asked == place_of(ifindex, false);
			querier->devices = querier->devices || !enough;
		}
		map_put_u32(ports, ids[i], place_of(ifindex, enough));
	}
	free(ids);
}

static void look_at_ports(struct querier *querier)
{
	struct map ports = { 0 };

	MAP_FOR_EACH(&querier->subnets, it) {
		const struct object *subnet = intent_object(reconcile_intent(querier->reconcile),
							    *(const uint32_t *)it.key);

		if (subnet)
			ask_new(querier, (const struct subnet_object *)subnet, &ports);
	}
	map_fini(&querier->ports, NULL);
	querier->ports = ports;
}

static bool is_asked(const struct intent *intent, const struct subnet_object *subnet)
{
	return (subnet->snoop && subnet->mode == SUBNET_MODE_L2) ||
	       intent_routes_multicast(intent, subnet);
}

static void look_at_intent(struct querier *querier)
{
	const struct object **list;
	size_t count = names_all(reconcile_intent(querier->reconcile), OBJECT_SUBNET, &list);

	for (size_t i = 0; i < count; i++) {
		const struct subnet_object *subnet = (const struct subnet_object *)list[i];
		struct asked *asked = map_get_u32(&querier->subnets, subnet->object.id);

		if (!is_asked(reconcile_intent(querier->reconcile), subnet))
			continue;
		if (!asked) {
			asked = xcalloc(1, sizeof(*asked));
			map_put_u32(&querier->subnets, subnet->object.id, asked);
		}
		asked->seen = true;
		if (asked->interval == subnet->query_interval)
			continue;
		asked->interval = subnet->query_interval;
		asked->due_ns = 0;
		asked->sent = 0;
	}
	free(list);
	MAP_FOR_EACH(&querier->subnets, it) {
		struct asked *asked = it.value;

		if (!asked->seen)
			free(map_remove_u32(&querier->subnets, *(const uint32_t *)it.key));
		else
			asked->seen = false;
	}
}

/* The first second with a device: all are asked, as if for the first time. Some later: they have answered. */
static void begin_to_ask(struct querier *querier, uint64_t now_ns)
{
	if (!datapath_is_unasked(querier->datapath))
		return;
	if (querier->asked_ns) {
		if (now_ns - querier->asked_ns < ANSWERED_NS)
			return;
		datapath_asked(querier->datapath);
		querier->asked_ns = 0;
		return;
	}
	querier->asked_ns = now_ns;
	MAP_FOR_EACH(&querier->subnets, it) {
		struct asked *asked = it.value;

		asked->due_ns = 0;
		asked->sent = 0;
	}
}

static void on_second(void *context)
{
	struct querier *querier = context;
	const uint64_t version = reconcile_version(querier->reconcile);
	const uint64_t now_ns = clock_monotonic_ns(loop_clock(querier->loop));
	const bool moved = !querier->known || version != querier->version;

	if (!punt_is_there(querier->punt)) {
		querier->asked_ns = 0;
		return;
	}
	if (moved) {
		look_at_intent(querier);
		querier->looks = LOOKS;
	}
	begin_to_ask(querier, now_ns);
	if (querier->looks) {
		querier->looks--;
		leaving_hosts(querier->leaving);
	}
	querier->known = true;
	querier->version = version;
	MAP_FOR_EACH(&querier->subnets, it) {
		struct asked *asked = it.value;
		const struct object *subnet = intent_object(reconcile_intent(querier->reconcile),
							    *(const uint32_t *)it.key);
		uint64_t wait = asked->interval * SECOND_NS;

		if (now_ns < asked->due_ns || !subnet)
			continue;
		ask_all(querier, (const struct subnet_object *)subnet,
			asked->sent ? RESPONSE_SECONDS : 1);
		if (++asked->sent < STARTUP_COUNT)
			wait /= 4;
		asked->due_ns = now_ns + wait;
	}
	if (moved || querier->devices) {
		querier->devices = false;
		look_at_ports(querier);
	}
}

static void on_devices(void *context, const uint32_t *port_ids, size_t count)
{
	struct querier *querier = context;

	querier->devices = true;
	leaving_unplugged(querier->leaving, port_ids, count);
}

struct querier *querier_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile,
			    struct datapath *datapath)
{
	struct querier *querier = xcalloc(1, sizeof(*querier));

	querier->loop = loop;
	querier->punt = punt;
	querier->reconcile = reconcile;
	querier->datapath = datapath;
	querier->leaving = leaving_new(loop, punt, reconcile, datapath);
	look_at_intent(querier);
	if (!map_count(&querier->subnets)) /* who comes from now on says so by himself */
		datapath_asked(datapath);
	reconcile_watch_devices(reconcile, on_devices, querier);
	loop_timer_init(&querier->timer, on_second, querier);
	loop_timer_start(loop, &querier->timer, SECOND_NS, SECOND_NS);
	return querier;
}

void querier_free(struct querier *querier)
{
	if (!querier)
		return;
	loop_timer_stop(&querier->timer);
	reconcile_watch_devices(querier->reconcile, NULL, NULL);
	leaving_free(querier->leaving);
	map_fini(&querier->subnets, free);
	map_fini(&querier->ports, NULL);
	free(querier);
}

void querier_each(const struct querier *querier,
		  void (*callback)(void *context, const struct querier_state *state), void *context)
{
	uint64_t now_ns;

	if (!querier)
		return;
	now_ns = clock_monotonic_ns(loop_clock(querier->loop));
	MAP_FOR_EACH(&querier->subnets, it) {
		const struct asked *asked = it.value;
		const struct querier_state state = {
			.subnet_id = *(const uint32_t *)it.key,
			.interval = asked->interval,
			.sent = asked->sent,
			.next = asked->due_ns > now_ns
					? (uint32_t)((asked->due_ns - now_ns) / SECOND_NS)
					: 0,
		};

		callback(context, &state);
	}
}

struct leaving *querier_leaving(const struct querier *querier)
{
	return querier ? querier->leaving : NULL;
}

uint64_t querier_sent(const struct querier *querier)
{
	return querier ? querier->sent : 0;
}
