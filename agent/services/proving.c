/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of a workload's choice; see proving.h.
 *
 * A question is judged when it comes, and written to the intent in the next round of the loop, for a change
 * of the intent may not happen within the handler of a frame.
 */
#include "agent/services/proving.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/names.h"
#include "agent/services/punt_packet.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/list.h"
#include "base/log.h"
#include "base/map.h"

#define SOLICITATION 135
#define ADVERTISEMENT 136
#define SOLICITATION_SIZE 24
#define ADVERTISEMENT_SIZE 32
#define FLAG_OVERRIDE 0x20
#define OPTION_TARGET_MAC 2
#define HOP_LIMIT 255
#define WAITING_MAX 256
#define AT_ONCE 8 /* new addresses of a port, and then one in so long: */
#define EACH_NS (60 * CLOCK_NS_PER_SECOND)

/* An address on its way into the intent. */
struct waiting {
	struct list node;
	uint32_t port_id;
	struct ip_address address;
};

/* How many new addresses a port may have taken, as a time that runs ahead of the clock. */
struct budget {
	uint64_t ahead_ns;
};

struct proving {
	struct loop *loop;
	struct punt *punt;
	struct reconcile *reconcile;
	proving_callback *callback;
	void *context;
	struct list waiting;
	size_t waiting_count;
	struct map budgets; /* port id -> struct budget, owned */
	struct loop_deferred act;
};

/* ---- the intent ---- */

size_t proving_add(const struct port_object *port, const struct subnet_object *subnet,
		   const struct ip_address *address, struct ip_address *list)
{
	size_t count = port->address_count, own = 0, oldest = 0;

	memcpy(list, port->addresses, count * sizeof(*list));
	for (size_t i = 0; i < count; i++) {
		if (ip_address_is_ipv4(&list[i]) ||
		    !ip_prefix_contains(&subnet->cidrs[1], &list[i]))
			continue;
		if (++own == 2)
			oldest = i;
	}
	if (own > RA_PROVEN_MAX || (own > 1 && count == PORT_ADDRESSES_MAX)) {
		memmove(&list[oldest], &list[oldest + 1], (count - oldest - 1) * sizeof(*list));
		count--;
	}
	if (count < PORT_ADDRESSES_MAX)
		list[count++] = *address;
	return count;
}

static const struct subnet_object *find(const struct proving *proving, uint32_t port_id,
					const struct port_object **port)
{
	const struct intent *intent = reconcile_intent(proving->reconcile);
	const struct object *object = intent_object(intent, port_id);

	if (!object || object->kind != OBJECT_PORT)
		return NULL;
	*port = (const struct port_object *)object;
	object = intent_object(intent, (*port)->subnet_id);
	return object && object->kind == OBJECT_SUBNET ? (const struct subnet_object *)object
						       : NULL;
}

struct filling {
	struct proving *proving;
	const struct waiting *waiting;
};

static int fill(void *context, struct draft *draft, struct error *error)
{
	const struct filling *filling = context;
	const struct intent *intent = reconcile_intent(filling->proving->reconcile);
	const struct port_object *port;
	const struct subnet_object *subnet =
		find(filling->proving, filling->waiting->port_id, &port);
	struct ip_address list[PORT_ADDRESSES_MAX];
	const struct object *vpc = subnet ? intent_object(intent, subnet->object.vpc_id) : NULL;
	json_t *body, *addresses;
	size_t count;
	int code;

	if (!vpc)
		return 0; /* the port has gone meanwhile */
	count = proving_add(port, subnet, &filling->waiting->address, list);
	addresses = json_array();
	for (size_t i = 0; i < count; i++) {
		char text[IP_ADDRESS_TEXT_SIZE];

		json_array_append_new(addresses, json_string(ip_address_format(&list[i], text)));
	}
	body = json_pack("{s:o}", "addresses", addresses);
	code = draft_patch(draft, (const char *[]){ "vpcs", vpc->name, "ports", port->object.name },
			   4, body, error);
	json_decref(body);
	return code;
}

static void write_one(struct proving *proving, const struct waiting *waiting)
{
	struct filling filling = { proving, waiting };
	struct draft *draft = NULL;
	struct error error = { 0 };
	uint64_t revision;
	int code = reconcile_change(proving->reconcile, fill, &filling, &draft, &revision, &error);

	draft_free(draft);
	if (code)
		log_limited(LOG_LEVEL_WARNING, "an address that a workload chose is not taken",
			    "text=\"%s\"", error.text);
	proving->callback(proving->context, code ? DHCP_RESULT_UNPROVEN : DHCP_RESULT_PROVEN);
}

static void act(void *context)
{
	struct proving *proving = context;
	struct waiting *waiting, *next;

	LIST_FOR_EACH_SAFE(waiting, next, &proving->waiting, node) {
		list_remove(&waiting->node);
		proving->waiting_count--;
		write_one(proving, waiting);
		free(waiting);
	}
}

/* ---- questions ---- */

/* A port may take AT_ONCE addresses, and one in EACH_NS in the long run. */
static bool may_take(struct proving *proving, uint32_t port_id)
{
	const uint64_t now_ns = clock_monotonic_ns(loop_clock(proving->loop));
	struct budget *budget = map_get_u32(&proving->budgets, port_id);

	if (!budget) {
		budget = xcalloc(1, sizeof(*budget));
		map_put_u32(&proving->budgets, port_id, budget);
	}
	if (budget->ahead_ns < now_ns)
		budget->ahead_ns = now_ns;
	if (budget->ahead_ns - now_ns > (AT_ONCE - 1) * EACH_NS)
		return false;
	budget->ahead_ns += EACH_NS;
	return true;
}

/* The owner of an address says so, to all on the link: that is the one port (RFC 4862, 5.4.3). */
static void defend(struct proving *proving, const struct punt_frame *frame,
		   const struct subnet_object *subnet, const struct ip_address *address)
{
	static const struct mac_address all_mac = { { 0x33, 0x33, 0, 0, 0, 1 } };
	static const struct ip_address all_nodes = { { 0xff, 2, [15] = 1 } };
	const struct mac_address mac = subnet_gateway_mac(subnet);
	uint8_t message[ADVERTISEMENT_SIZE] = { ADVERTISEMENT, [4] = FLAG_OVERRIDE };
	uint8_t bytes[PUNT_PACKET_HEADERS_MAX + ADVERTISEMENT_SIZE];
	const struct punt_packet packet = {
		.source_mac = mac,
		.destination_mac = all_mac,
		.source = *address,
		.destination = all_nodes,
		.protocol = IPPROTO_ICMPV6,
		.hop_limit = HOP_LIMIT,
		.payload = message,
		.payload_size = sizeof(message),
	};

	memcpy(message + 8, address->byte, sizeof(address->byte));
	message[24] = OPTION_TARGET_MAC;
	message[25] = 1;
	memcpy(message + 26, mac.byte, sizeof(mac.byte));
	punt_send(proving->punt, frame->port_id, frame->vlan, bytes,
		  punt_packet_write(&packet, bytes, sizeof(bytes)));
}

static void take(struct proving *proving, uint32_t port_id, const struct ip_address *address)
{
	struct waiting *waiting;

	LIST_FOR_EACH(waiting, &proving->waiting, node)
		if (waiting->port_id == port_id && ip_address_equal(&waiting->address, address))
			return;
	if (proving->waiting_count >= WAITING_MAX || !may_take(proving, port_id)) {
		proving->callback(proving->context, DHCP_RESULT_TOO_MANY);
		return;
	}
	waiting = xcalloc(1, sizeof(*waiting));
	waiting->port_id = port_id;
	waiting->address = *address;
	list_push_back(&proving->waiting, &waiting->node);
	proving->waiting_count++;
	loop_defer(proving->loop, &proving->act);
}

/* RFC 4861, 7.1.1, and 4862, 5.4.3. */
static bool is_valid(const struct punt_packet *packet)
{
	return packet->protocol == IPPROTO_ICMPV6 && packet->hop_limit == HOP_LIMIT &&
	       packet->payload_size >= SOLICITATION_SIZE && packet->payload[0] == SOLICITATION &&
	       packet->payload[1] == 0 && ip_address_is_unspecified(&packet->source);
}

static void on_question(void *context, const struct punt_frame *frame)
{
	struct proving *proving = context;
	const struct intent *intent = reconcile_intent(proving->reconcile);
	const struct port_object *port;
	const struct subnet_object *subnet = find(proving, frame->port_id, &port);
	struct ip_address address, mac_address;
	struct punt_packet packet;
	uint32_t owner;

	if (!subnet || !subnet->ra || !subnet->ra->any_identifier)
		return;
	if (punt_packet_read(frame->data, frame->size, &packet) || !is_valid(&packet)) {
		proving->callback(proving->context, DHCP_RESULT_MALFORMED);
		return;
	}
	memcpy(address.byte, packet.payload + 8, sizeof(address.byte));
	owner = intent_address_owner(intent, subnet->object.vpc_id, &address);
	if (!ip_prefix_contains(&subnet->cidrs[1], &address) || owner == frame->port_id ||
	    (subnet_slaac_address(subnet, &port->mac, &mac_address) &&
	     ip_address_equal(&address, &mac_address)))
		return; /* link-local, of another range, or its own: there is nothing to be said */
	if (owner || ip_address_equal(&address, &subnet->gateways[1])) {
		defend(proving, frame, subnet, &address);
		proving->callback(proving->context, DHCP_RESULT_DUPLICATE);
		return;
	}
	take(proving, frame->port_id, &address);
}

/* ---- the whole ---- */

struct proving *proving_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile,
			    proving_callback *callback, void *context)
{
	struct proving *proving = xcalloc(1, sizeof(*proving));

	proving->loop = loop;
	proving->punt = punt;
	proving->reconcile = reconcile;
	proving->callback = callback;
	proving->context = context;
	list_init(&proving->waiting);
	loop_deferred_init(&proving->act, act, proving);
	punt_handle(punt, PUNT_ADDRESS, on_question, proving);
	return proving;
}

void proving_free(struct proving *proving)
{
	struct waiting *waiting, *next;

	if (!proving)
		return;
	punt_handle(proving->punt, PUNT_ADDRESS, NULL, NULL);
	loop_deferred_cancel(&proving->act);
	LIST_FOR_EACH_SAFE(waiting, next, &proving->waiting, node) {
		list_remove(&waiting->node);
		free(waiting);
	}
	map_fini(&proving->budgets, free);
	free(proving);
}
