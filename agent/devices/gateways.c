/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Gateways on wires; see gateways.h.
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

#include "base/alloc.h"
#include "base/log.h"

#define ANNOUNCEMENTS 3
#define ANNOUNCE_NS (200 * CLOCK_NS_PER_MS)
#define FRAME_LEAST 60
#define TYPE_RARP 0x8035
#define TYPE_VLAN 0x8100
#define TYPE_SERVICE 0x88a8

struct gateways {
	struct loop *loop;
	struct reconcile *reconcile;
	struct uplinks *uplinks;
	int fd;
	struct map vpcs; /* ids of those to look at */
	struct map here; /* subnet id -> 1 + how often it is still to be announced */
	uintptr_t times; /* for what is found next */
	struct loop_timer timer;
};

/* ---- the frame ---- */

static size_t put_word(uint8_t *frame, size_t at, uint16_t word)
{
	frame[at] = (uint8_t)(word >> 8);
	frame[at + 1] = (uint8_t)word;
	return at + 2;
}

size_t gateways_build(const struct mac_address *mac, const struct segment *segment, uint8_t *frame)
{
	size_t at = 12, tag = segment->tag ? 4 : 0;

	memset(frame, 0, GATEWAYS_FRAME_MAX);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, mac->byte, 6);
	if (tag) {
		at = put_word(frame, at, segment->service_tag ? TYPE_SERVICE : TYPE_VLAN);
		at = put_word(frame, at, segment->tag);
	}
	at = put_word(frame, at, TYPE_RARP);
	at = put_word(frame, at, 1); /* Ethernet */
	at = put_word(frame, at, 0x0800);
	at = put_word(frame, at, 0x0604);
	at = put_word(frame, at, 3); /* a request */
	memcpy(frame + at, mac->byte, 6);
	memcpy(frame + at + 10, mac->byte, 6);
	return FRAME_LEAST + tag;
}

/* ---- announcing ---- */

static bool is_ours(const struct intent *intent, const struct subnet_object *subnet)
{
	const struct host_object *own = intent_own_host(intent);
	static const struct ip_address none;

	return own && segment_is_wire(&subnet->segment) && !segment_is_stacked(&subnet->segment) &&
	       (!ip_address_equal(&subnet->gateways[0], &none) ||
		!ip_address_equal(&subnet->gateways[1], &none)) &&
	       intent_wire_router(intent, subnet) == own;
}

static void announce(const struct gateways *gateways, const struct subnet_object *subnet)
{
	const struct host_object *own = intent_own_host(reconcile_intent(gateways->reconcile));
	const char *ifname = own ? host_uplink(own, subnet->segment.network) : NULL;
	const uint32_t ifindex = ifname ? uplinks_ifindex(gateways->uplinks, ifname) : 0;
	const struct mac_address mac = subnet_gateway_mac(subnet);
	const struct sockaddr_ll way = {
		.sll_family = AF_PACKET,
		.sll_ifindex = (int)ifindex,
		.sll_halen = 6,
	};
	uint8_t frame[GATEWAYS_FRAME_MAX];
	size_t size = gateways_build(&mac, &subnet->segment, frame);

	if (ifindex && gateways->fd >= 0 &&
	    sendto(gateways->fd, frame, size, MSG_DONTWAIT, (const struct sockaddr *)&way,
		   sizeof(way)) < 0)
		log_debug("a gateway is not announced", "subnet=%u error=\"%s\"", subnet->object.id,
			  strerror(errno));
}

static void look_at_subnet(struct gateways *gateways, const struct subnet_object *subnet)
{
	const struct intent *intent = reconcile_intent(gateways->reconcile);

	if (!is_ours(intent, subnet))
		map_remove_u32(&gateways->here, subnet->object.id);
	else if (!map_get_u32(&gateways->here, subnet->object.id))
		map_put_u32(&gateways->here, subnet->object.id, (void *)(gateways->times + 1));
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
	gateways->times = ANNOUNCEMENTS;
	MAP_FOR_EACH(&gateways->here, it) {
		const uint32_t subnet_id = *(const uint32_t *)it.key;
		const struct object *subnet = intent_object(intent, subnet_id);
		const uintptr_t left = (uintptr_t)it.value;

		if (!subnet || subnet->kind != OBJECT_SUBNET) {
			map_remove_u32(&gateways->here, subnet_id);
		} else if (left > 1) {
			announce(gateways, (const struct subnet_object *)subnet);
			map_put_u32(&gateways->here, subnet_id, (void *)(left - 1));
			again |= left > 2;
		}
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

/* ---- open and close ---- */

struct gateways *gateways_new(struct loop *loop, struct reconcile *reconcile,
			      struct uplinks *uplinks)
{
	struct gateways *gateways = xcalloc(1, sizeof(*gateways));

	gateways->loop = loop;
	gateways->reconcile = reconcile;
	gateways->uplinks = uplinks;
	gateways->times = 1;
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
	map_fini(&gateways->here, NULL);
	if (gateways->fd >= 0)
		close(gateways->fd);
	free(gateways);
}
