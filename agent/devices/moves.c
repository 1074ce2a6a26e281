/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that come to this host; see moves.h.
 *
 * An event is read in the middle of others, so what it asks for is done in the next round of the loop. A
 * change that fails, for the store is away, is tried again each second as long as the port is to come here.
 */
#include "agent/devices/moves.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "agent/devices/ports.h"
#include "agent/names.h"
#include "agent/observe/probe.h"
#include "base/alloc.h"
#include "base/big_endian.h"
#include "base/checksum.h"
#include "base/log.h"
#include "base/map.h"

#define RETRY_NS CLOCK_NS_PER_SECOND
#define ANNOUNCEMENTS 3
#define ANNOUNCE_NS (200 * CLOCK_NS_PER_MS)
#define ETHERNET_LEAST 60
#define NEIGHBOUR_ADVERTISEMENT 136
#define ETHERTYPE_IPV6 0x86dd
#define MLD_QUERY 130
#define MLD_DONE 132
#define ROUTER_SOLICITATION 133
#define MLD2_REPORT 143

struct moves {
	struct loop *loop;
	struct reconcile *reconcile;
	struct datapath *datapath;
	struct map announced; /* port id -> how often it is still to be announced */
	struct loop_timer announce;
	struct map arrived; /* port ids whose workload is here */
	struct loop_deferred act;
	struct loop_timer retry;
};

bool moves_is_arrival(const struct drop_event *event, const struct mac_address *mac)
{
	static const struct address none;
	unsigned int type = ntohs(event->destination_port) >> 8;

	if (memcmp(event->ethernet + 6, mac->byte, sizeof(mac->byte)) != 0)
		return false;
	if (ntohs(event->ethertype) != ETHERTYPE_IPV6)
		return true;
	if (memcmp(&event->source, &none, sizeof(none)) == 0)
		return false;
	return event->protocol != IPPROTO_ICMPV6 ||
	       !((type >= MLD_QUERY && type <= ROUTER_SOLICITATION) || type == MLD2_REPORT);
}

/* The port, if it is to come here by its first frame; NULL. */
static const struct port_object *coming(const struct moves *moves, uint32_t port_id)
{
	const struct intent *intent = reconcile_intent(moves->reconcile);
	const struct object *object = intent_object(intent, port_id);
	const struct port_object *port = (const struct port_object *)object;

	if (!object || object->kind != OBJECT_PORT || port->moves_on_command ||
	    !intent_comes_here(intent, port))
		return NULL;
	return port;
}

void moves_heard(void *context, const struct drop_event *event)
{
	struct moves *moves = context;
	const struct port_object *port;

	if (event->verdict != VERDICT_NOT_ACTIVE)
		return;
	port = coming(moves, event->port_id);
	if (!port || !moves_is_arrival(event, &port->mac) ||
	    map_put_u32(&moves->arrived, event->port_id, moves))
		return;
	loop_defer(moves->loop, &moves->act);
}

/* ---- activation ---- */

struct activation {
	const struct moves *moves;
	uint32_t port_id;
};

static int fill(void *context, struct draft *draft, struct error *error)
{
	const struct activation *activation = context;
	const struct intent *intent = reconcile_intent(activation->moves->reconcile);
	const struct port_object *port = coming(activation->moves, activation->port_id);
	const struct object *vpc = port ? intent_object(intent, port->object.vpc_id) : NULL;
	const char *path[4] = { "vpcs", vpc ? vpc->name : "", "ports",
				port ? port->object.name : "" };
	json_t *body;
	int code;

	if (!vpc)
		return 0; /* it came by a command, or does not come any more */
	body = json_pack("{s:s}", "host", port->moving_to);
	code = draft_patch(draft, path, ARRAY_SIZE(path), body, error);
	json_decref(body);
	return code;
}

/* Return: whether it is to be tried again. */
static bool activate(struct moves *moves, uint32_t port_id)
{
	struct activation activation = { moves, port_id };
	const struct port_object *port = coming(moves, port_id);
	struct draft *draft = NULL;
	struct error error = { 0 };
	char name[PATH_NAME_SIZE];
	uint64_t revision;
	int code;

	if (!port)
		return false;
	names_path(reconcile_intent(moves->reconcile), &port->object, name);
	code = reconcile_change(moves->reconcile, fill, &activation, &draft, &revision, &error);
	draft_free(draft);
	if (code) {
		log_limited(LOG_LEVEL_WARNING, "a port that has come cannot be made active",
			    "port=%s text=\"%s\"", name, error.text);
		return true;
	}
	log_notice("a port has come, its first frame was seen", "port=%s", name);
	return false;
}

static void act(void *context)
{
	struct moves *moves = context;
	size_t count = 0;
	uint32_t *ids = xcalloc(map_count(&moves->arrived), sizeof(*ids));
	bool again = false;

	MAP_FOR_EACH(&moves->arrived, it)
		memcpy(&ids[count++], it.key, sizeof(*ids));
	for (size_t i = 0; i < count; i++) {
		if (activate(moves, ids[i]))
			again = true;
		else
			map_remove_u32(&moves->arrived, ids[i]);
	}
	free(ids);
	if (again)
		loop_timer_start(moves->loop, &moves->retry, RETRY_NS, 0);
}

/* ---- announcing ---- */

void moves_build_advertisement(const struct mac_address *mac, const struct ip_address *address,
			       uint8_t *frame)
{
	static const struct ip_address all_nodes = { { 0xff, 2, [15] = 1 } };
	uint8_t *ip = frame + 14, *message = ip + 40;

	memset(frame, 0, MOVES_ADVERTISEMENT_SIZE);
	memcpy(frame, (const uint8_t[]){ 0x33, 0x33, 0, 0, 0, 1 }, 6);
	memcpy(frame + 6, mac->byte, 6);
	frame[12] = 0x86;
	frame[13] = 0xdd;
	ip[0] = 0x60;
	ip[5] = 32;
	ip[6] = IPPROTO_ICMPV6;
	ip[7] = 255;
	memcpy(ip + 8, address->byte, 16);
	memcpy(ip + 24, all_nodes.byte, 16);
	message[0] = NEIGHBOUR_ADVERTISEMENT;
	message[4] = 0x20; /* override */
	memcpy(message + 8, address->byte, 16);
	message[24] = 2; /* target link-layer address */
	message[25] = 1;
	memcpy(message + 26, mac->byte, 6);
	put_be16(message + 2, checksum_transport(address, &all_nodes, IPPROTO_ICMPV6, message, 32));
}

/* The port, if it is this host's and in an l2 subnet. */
static const struct port_object *announced(const struct moves *moves, uint32_t port_id)
{
	const struct intent *intent = reconcile_intent(moves->reconcile);
	const struct object *object = intent_object(intent, port_id);
	const struct port_object *port = (const struct port_object *)object;
	const struct subnet_object *subnet;

	if (!object || object->kind != OBJECT_PORT || !intent_is_local(intent, port->host))
		return NULL;
	subnet = (const struct subnet_object *)intent_object(intent, port->subnet_id);
	return subnet && subnet->mode == SUBNET_MODE_L2 ? port : NULL;
}

static void announce_port(struct moves *moves, const struct port_object *port, uint32_t ifindex)
{
	for (size_t i = 0; i < port->address_count; i++) {
		const struct ip_address *address = &port->addresses[i];
		uint8_t frame[MOVES_ADVERTISEMENT_SIZE] = { 0 };
		size_t size = ETHERNET_LEAST;
		int code;

		if (ip_address_is_ipv4(address)) {
			probe_build_arp(&port->mac, address, address, frame);
		} else {
			moves_build_advertisement(&port->mac, address, frame);
			size = sizeof(frame);
		}
		code = datapath_announce(moves->datapath, ifindex, frame, size);
		if (code)
			log_limited(LOG_LEVEL_INFO, "a port is not announced",
				    "port=%u text=\"%s\"", port->object.id, strerror(-code));
	}
}

/* Each a few times, for nobody says that it was heard. */
static void announce_all(void *context)
{
	struct moves *moves = context;

	MAP_FOR_EACH(&moves->announced, it) {
		uint32_t port_id = *(const uint32_t *)it.key;
		uintptr_t left = (uintptr_t)it.value - 1;
		const struct port_object *port = announced(moves, port_id);
		struct port_device device = { 0 };

		if (port)
			ports_device(reconcile_ports(moves->reconcile), port_id, &device);
		if (device.ifindex)
			announce_port(moves, port, device.ifindex);
		if (left && port)
			map_put_u32(&moves->announced, port_id, (void *)left);
		else
			map_remove_u32(&moves->announced, port_id);
	}
	if (map_count(&moves->announced))
		loop_timer_start(moves->loop, &moves->announce, ANNOUNCE_NS, 0);
}

/* Whether it has an IPv4 address that it had not; for one of IPv6 its workload has asked around itself. */
static bool has_new_address(const struct port_object *before, const struct port_object *after)
{
	for (size_t i = 0; i < after->address_count; i++) {
		const struct ip_address *address = &after->addresses[i];
		bool found = !ip_address_is_ipv4(address);

		for (size_t j = 0; j < before->address_count; j++)
			found |= ip_address_equal(address, &before->addresses[j]);
		if (!found)
			return true;
	}
	return false;
}

/* Whether what others know of the port by what it has said is no longer so. */
static bool is_news(const struct port_object *before, const struct port_object *after)
{
	return strcmp(before->host, after->host) != 0 ||
	       !mac_address_equal(&before->mac, &after->mac) || has_new_address(before, after);
}

void moves_changed(struct moves *moves, const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct port_object *before = (const struct port_object *)changes[i].before;
		const struct port_object *after = (const struct port_object *)changes[i].after;

		if (changes[i].kind == OBJECT_PORT && before && after && is_news(before, after) &&
		    announced(moves, after->object.id))
			map_put_u32(&moves->announced, after->object.id,
				    (void *)(uintptr_t)ANNOUNCEMENTS);
	}
	if (map_count(&moves->announced))
		loop_timer_start(moves->loop, &moves->announce, CLOCK_NS_PER_MS, 0);
}

/* ---- open and close ---- */

struct moves *moves_new(struct loop *loop, struct reconcile *reconcile, struct datapath *datapath)
{
	struct moves *moves = xcalloc(1, sizeof(*moves));

	moves->loop = loop;
	moves->reconcile = reconcile;
	moves->datapath = datapath;
	loop_timer_init(&moves->announce, announce_all, moves);
	loop_deferred_init(&moves->act, act, moves);
	loop_timer_init(&moves->retry, act, moves);
	return moves;
}

void moves_free(struct moves *moves)
{
	if (!moves)
		return;
	loop_deferred_cancel(&moves->act);
	loop_timer_stop(&moves->retry);
	loop_timer_stop(&moves->announce);
	map_fini(&moves->announced, NULL);
	map_fini(&moves->arrived, NULL);
	free(moves);
}
