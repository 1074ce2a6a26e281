/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gateways and ports on wires; see gateways.h.
 *
 * A change makes the wires of its VPC looked at in the next turns: who is the router follows from which hosts have
 * ports there and from what subnets and hosts say.
 */
#include "agent/devices/gateways.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/if_packet.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/devices/moves.h"
#include "agent/observe/probe.h"
#include "base/alloc.h"
#include "base/log.h"

#define ANNOUNCEMENTS 3
#define ANNOUNCE_NS (200 * CLOCK_NS_PER_MS)
#define FRAME_LEAST 60
#define TYPE_RARP 0x8035
#define TYPE_VLAN 0x8100
#define TYPE_SERVICE 0x88a8

/* A subnet, as it was when it was looked at last. */
struct seen_wire {
	uint32_t ifindex;       /* 0: its uplink is not there */
	struct mac_address mac; /* of the uplink, where the ports share it; or zero */
	uint16_t tag;
	bool service_tag;
	bool is_router;
	bool carried; /* its ports have been able to speak to somebody: what is new then is news */
	uint8_t gateway_left, ports_left; /* how often they are still to be announced */
};

struct gateways {
	struct loop *loop;
	struct reconcile *reconcile;
	struct uplinks *uplinks;
	int fd;
	struct map vpcs;  /* ids of those to look at */
	struct map wires; /* subnet id -> struct seen_wire */
	bool started;     /* what is found next is news */
	struct loop_timer timer;
};

/* ---- frames ---- */

static size_t put_word(uint8_t *frame, size_t at, uint16_t word)
{
	frame[at] = (uint8_t)(word >> 8);
	frame[at + 1] = (uint8_t)word;
	return at + 2;
}

/* Of a frame without a tag; with room for one behind it. Return: how long it is then. */
static size_t put_tag(uint8_t *frame, size_t size, uint16_t tag, bool service_tag)
{
	if (!tag)
		return size;
	memmove(frame + 16, frame + 12, size - 12);
	put_word(frame, put_word(frame, 12, service_tag ? TYPE_SERVICE : TYPE_VLAN), tag);
	return size + 4;
}

size_t gateways_build(const struct mac_address *mac, const struct segment *segment, uint8_t *frame)
{
	size_t at = 12;

	memset(frame, 0, GATEWAYS_FRAME_MAX);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac->byte, 6);
	at = put_word(frame, at, TYPE_RARP);
	at = put_word(frame, at, 1); /* Ethernet */
	at = put_word(frame, at, 0x0800);
	at = put_word(frame, at, 0x0604);
	at = put_word(frame, at, 3); /* a request */
	memcpy(frame + at, mac->byte, 6);
	memcpy(frame + at + 10, mac->byte, 6);
	return put_tag(frame, FRAME_LEAST, segment->tag, segment->service_tag);
}

/* ---- announcing ---- */

static void send_frame(const struct gateways *gateways, const struct seen_wire *wire,
		       const uint8_t *frame, size_t size)
{
	const struct sockaddr_ll way = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)wire->ifindex,
		.sll_halen = 6,
	};

	if (wire->ifindex && gateways->fd >= 0 &&
	    sendto(gateways->fd, frame, size, MSG_DONTWAIT, (const struct sockaddr *)&way,
		   sizeof(way)) < 0)
		log_debug("not announced", "ifindex=%u error=\"%s\"", wire->ifindex,
			  strerror(errno));
}

static void announce_gateway(const struct gateways *gateways, const struct seen_wire *wire,
			     const struct subnet_object *subnet)
{
	const struct mac_address mac = subnet_gateway_mac(subnet);
	uint8_t frame[GATEWAYS_FRAME_MAX];

	send_frame(gateways, wire, frame, gateways_build(&mac, &subnet->segment, frame));
}

static void announce_port(const struct gateways *gateways, const struct seen_wire *wire,
			  const struct port_object *port)
{
	static const struct mac_address none;
	const struct mac_address *mac = mac_address_equal(&wire->mac, &none) ? &port->mac
									     : &wire->mac;

	for (size_t i = 0; i < port->address_count; i++) {
		const struct ip_address *address = &port->addresses[i];
		uint8_t frame[MOVES_ADVERTISEMENT_SIZE + 4] = { 0 };
		size_t size = MOVES_ADVERTISEMENT_SIZE;

		if (ip_address_is_ipv4(address)) {
			probe_build_arp(mac, address, address, frame);
			size = FRAME_LEAST;
		} else {
			moves_build_advertisement(mac, address, frame);
		}
		send_frame(gateways, wire, frame,
			   put_tag(frame, size, wire->tag, wire->service_tag));
	}
}

static void announce_ports(const struct gateways *gateways, const struct seen_wire *wire,
			   const struct subnet_object *subnet)
{
	const struct intent *intent = reconcile_intent(gateways->reconcile);
	const struct object **ports;
	size_t count = intent_list(intent, subnet->object.vpc_id, OBJECT_PORT, &ports);

	for (size_t i = 0; i < count; i++) {
		const struct port_object *port = (const struct port_object *)ports[i];

		if (port->subnet_id == subnet->object.id && intent_is_local(intent, port->host) &&
		    attach_is_member(&port->attach))
			announce_port(gateways, wire, port);
	}
	free(ports);
}

/* ---- looking ---- */

static bool has_gateway(const struct subnet_object *subnet)
{
	static const struct ip_address none;

	return !ip_address_equal(&subnet->gateways[0], &none) ||
	       !ip_address_equal(&subnet->gateways[1], &none);
}

/* Return: whether it is a wire of this host's that others hear of from here. */
static bool see_wire(const struct gateways *gateways, const struct subnet_object *subnet,
		     struct seen_wire *wire)
{
	const struct intent *intent = reconcile_intent(gateways->reconcile);
	const struct host_object *own = intent_own_host(intent);
	const struct segment *segment = &subnet->segment;
	const char *ifname = own && segment_is_wire(segment) && !segment_is_host_routed(segment)
				     ? host_uplink(own, segment->network)
				     : NULL;

	*wire = (struct seen_wire){ .carried = !segment_is_wire(segment) };
	if (!ifname)
		return false;
	wire->tag = segment->tag;
	wire->service_tag = segment->service_tag;
	wire->ifindex = uplinks_ifindex(gateways->uplinks, ifname);
	if (segment_shares_mac(segment))
		uplinks_mac(gateways->uplinks, ifname, &wire->mac);
	wire->carried = wire->ifindex != 0;
	wire->is_router = has_gateway(subnet) && intent_wire_router(intent, subnet) == own;
	return true;
}

static void look_at_subnet(struct gateways *gateways, const struct subnet_object *subnet)
{
	struct seen_wire *wire = map_get_u32(&gateways->wires, subnet->object.id), now;
	const bool is_wire = see_wire(gateways, subnet, &now);
	bool moved;

	if (!wire) {
		wire = xcalloc(1, sizeof(*wire));
		map_put_u32(&gateways->wires, subnet->object.id, wire);
	}
	moved = is_wire &&
		(wire->ifindex != now.ifindex || wire->tag != now.tag ||
		 wire->service_tag != now.service_tag || !mac_address_equal(&wire->mac, &now.mac));
	now.gateway_left = wire->gateway_left;
	now.ports_left = wire->ports_left;
	if (now.is_router && (moved || !wire->is_router))
		now.gateway_left = gateways->started ? ANNOUNCEMENTS : 1;
	if (moved && wire->carried && gateways->started)
		now.ports_left = ANNOUNCEMENTS;
	now.carried |= wire->carried;
	*wire = now;
}

static void look_at_vpc(struct gateways *gateways, uint32_t vpc_id)
{
	const struct object **subnets;
	size_t count =
		intent_list(reconcile_intent(gateways->reconcile), vpc_id, OBJECT_SUBNET, &subnets);

	for (size_t i = 0; i < count; i++)
		look_at_subnet(gateways, (const struct subnet_object *)subnets[i]);
	free(subnets);
}

/* Return: whether there is more to be said. */
static bool announce(const struct gateways *gateways, struct seen_wire *wire,
		     const struct subnet_object *subnet)
{
	if (wire->gateway_left) {
		wire->gateway_left--;
		if (wire->is_router)
			announce_gateway(gateways, wire, subnet);
	}
	if (wire->ports_left) {
		wire->ports_left--;
		announce_ports(gateways, wire, subnet);
	}
	return wire->gateway_left || wire->ports_left;
}

/* Each a few times, for nobody says that it was heard. */
static void turn(void *context)
{
	struct gateways *gateways = context;
	const struct intent *intent = reconcile_intent(gateways->reconcile);
	bool again = false;

	MAP_FOR_EACH(&gateways->vpcs, it)
		look_at_vpc(gateways, *(const uint32_t *)it.key);
	map_fini(&gateways->vpcs, NULL);
	map_init(&gateways->vpcs);
	gateways->started = true;
	MAP_FOR_EACH(&gateways->wires, it) {
		const uint32_t subnet_id = *(const uint32_t *)it.key;
		const struct object *subnet = intent_object(intent, subnet_id);

		if (!subnet || subnet->kind != OBJECT_SUBNET)
			free(map_remove_u32(&gateways->wires, subnet_id));
		else
			again |= announce(gateways, it.value, (const struct subnet_object *)subnet);
	}
	if (again)
		loop_timer_start(gateways->loop, &gateways->timer, ANNOUNCE_NS, 0);
}

static void look_at_all(struct gateways *gateways)
{
	const struct object **vpcs;
	size_t count = intent_list(reconcile_intent(gateways->reconcile), 0, OBJECT_VPC, &vpcs);

	for (size_t i = 0; i < count; i++)
		map_put_u32(&gateways->vpcs, vpcs[i]->id, gateways);
	free(vpcs);
}

void gateways_changed(struct gateways *gateways, const struct change *changes, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		const struct object *object = changes[i].after ? changes[i].after
							       : changes[i].before;

		if (changes[i].kind == OBJECT_HOST)
			look_at_all(gateways);
		else if (changes[i].kind == OBJECT_VPC)
			map_put_u32(&gateways->vpcs, object->id, gateways);
		else if (changes[i].kind == OBJECT_SUBNET || changes[i].kind == OBJECT_PORT)
			map_put_u32(&gateways->vpcs, object->vpc_id, gateways);
	}
	if (map_count(&gateways->vpcs))
		loop_timer_start(gateways->loop, &gateways->timer, CLOCK_NS_PER_MS, 0);
}

void gateways_uplinks_changed(struct gateways *gateways)
{
	look_at_all(gateways);
	loop_timer_start(gateways->loop, &gateways->timer, CLOCK_NS_PER_MS, 0);
}

/* ---- open and close ---- */

struct gateways *gateways_new(struct loop *loop, struct reconcile *reconcile,
			      struct uplinks *uplinks)
{
	struct gateways *gateways = xcalloc(1, sizeof(*gateways));

	gateways->loop = loop;
	gateways->reconcile = reconcile;
	gateways->uplinks = uplinks;
	gateways->fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (gateways->fd < 0)
		log_info("gateways are not announced on wires", "error=\"%s\"", strerror(errno));
	loop_timer_init(&gateways->timer, turn, gateways);
	look_at_all(gateways);
	loop_timer_start(loop, &gateways->timer, ANNOUNCE_NS, 0);
	return gateways;
}

void gateways_free(struct gateways *gateways)
{
	if (!gateways)
		return;
	loop_timer_stop(&gateways->timer);
	map_fini(&gateways->vpcs, NULL);
	map_fini(&gateways->wires, free);
	if (gateways->fd >= 0)
		close(gateways->fd);
	free(gateways);
}
