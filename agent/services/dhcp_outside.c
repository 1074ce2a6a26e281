/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Subnets with an outside DHCP server; see dhcp_outside.h.
 *
 * Nothing is remembered of a question: the answer says by its circuit which port it is for, and is believed
 * when it comes from a server of that port's subnet.
 */
#include "agent/services/dhcp_outside.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/names.h"
#include "agent/services/dhcp6.h"
#include "agent/services/dhcp_relay.h"
#include "agent/services/dhcp_relay_message.h"
#include "base/alloc.h"
#include "base/map.h"

#define LOOK_NS (5 * CLOCK_NS_PER_SECOND)
#define BROADCAST 0xffffffffu
#define FRAME_MAX (PUNT_PACKET_HEADERS_MAX + 9000)

struct dhcp_outside {
	struct punt *punt;
	struct reconcile *reconcile;
	struct relay *relay;
	dhcp_outside_callback *callback;
	void *context;
	struct map wrong; /* ids of subnets and ports with a problem */
	struct loop_timer look;
};

/* why: NULL where nothing is wrong */
static void say(struct dhcp_outside *outside, uint32_t object_id, const char *why)
{
	if (!why && !map_get_u32(&outside->wrong, object_id))
		return;
	reconcile_dhcp(outside->reconcile, object_id, why);
	if (why)
		map_put_u32(&outside->wrong, object_id, outside);
	else
		map_remove_u32(&outside->wrong, object_id);
}

/* Whether questions of a port or a subnet still go outside. */
static bool is_relayed(const struct dhcp_outside *outside, uint32_t object_id)
{
	const struct intent *intent = reconcile_intent(outside->reconcile);
	const struct object *object = intent_object(intent, object_id);

	if (object && object->kind == OBJECT_PORT)
		object = intent_object(intent, ((const struct port_object *)object)->subnet_id);
	return object && object->kind == OBJECT_SUBNET &&
	       ((const struct subnet_object *)object)->dhcp &&
	       ((const struct subnet_object *)object)->dhcp->relay_count;
}

/* What is wrong with an object is over when that has another way to its address, or is gone. */
static void look(void *context)
{
	struct dhcp_outside *outside = context;
	bool again = true;

	while (again) {
		again = false;
		MAP_FOR_EACH(&outside->wrong, it) {
			const uint32_t id = *(const uint32_t *)it.key;

			if (is_relayed(outside, id))
				continue;
			say(outside, id, NULL);
			again = true;
			break; /* the map has changed */
		}
	}
}

static struct relay_line line_of(const struct subnet_object *subnet, const struct port_object *port,
				 const struct ip_address *own, const char *circuit)
{
	return (struct relay_line){
		.circuit = circuit,
		.mac = port->mac,
		.agent = *own,
		.link = ip_address_is_ipv4(own) ? subnet_dhcp_server(subnet) : subnet->gateways[1],
		.addresses = port->addresses,
		.address_count = port->address_count,
	};
}

/* ---- to the servers ---- */

static enum dhcp_result ask_server(struct dhcp_outside *outside, const struct subnet_object *subnet,
				   const struct port_object *port, const struct punt_packet *packet,
				   const struct ip_address *server)
{
	char circuit[PATH_NAME_SIZE];
	struct buf forward = { 0 };
	struct error error = { 0 };
	struct relay_line line;
	struct ip_address own;
	enum dhcp_result result = DHCP_RESULT_NO_SERVER;

	names_path(reconcile_intent(outside->reconcile), &port->object, circuit);
	if (!relay_own_address(outside->relay, server, &own, &error)) {
		line = line_of(subnet, port, &own, circuit);
		result = ip_address_is_ipv4(server)
				 ? relay4_forward(&line, packet->payload, packet->payload_size,
						  &forward)
				 : relay6_forward(&line, &packet->source, packet->payload,
						  packet->payload_size, &forward);
	}
	if (result == DHCP_RESULT_RELAYED &&
	    relay_send(outside->relay, &own, server, forward.data, forward.size, &error))
		result = DHCP_RESULT_NO_SERVER;
	say(outside, subnet->object.id, result == DHCP_RESULT_NO_SERVER ? error.text : NULL);
	buf_fini(&forward);
	return result;
}

enum dhcp_result dhcp_outside_ask(struct dhcp_outside *outside, const struct subnet_object *subnet,
				  const struct port_object *port, const struct punt_packet *packet)
{
	const bool ipv4 = ip_address_is_ipv4(&packet->destination);
	enum dhcp_result result = DHCP_RESULT_NOT_SERVED;

	for (size_t i = 0; i < subnet->dhcp->relay_count; i++) {
		const struct ip_address *server = &subnet->dhcp->relays[i];
		enum dhcp_result one;

		if (ip_address_is_ipv4(server) != ipv4)
			continue;
		one = ask_server(outside, subnet, port, packet, server);
		if (result != DHCP_RESULT_RELAYED) /* one that was reached is enough */
			result = one;
	}
	return result;
}

/* ---- from the servers ---- */

static void send_frame(struct dhcp_outside *outside, const struct port_object *port,
		       const struct punt_packet *packet)
{
	uint8_t bytes[FRAME_MAX];
	size_t size = punt_packet_write(packet, bytes, sizeof(bytes));

	if (size)
		punt_send(outside->punt, port->object.id, 0, bytes, size);
}

static enum dhcp_result return4(struct dhcp_outside *outside, const struct relay_line *line,
				const struct subnet_object *subnet, const struct port_object *port,
				const uint8_t *data, size_t size)
{
	struct dhcp4_writer back;
	struct punt_packet packet;
	uint32_t to;
	enum dhcp_result result = relay4_return(line, data, size, &back, &to);

	if (result != DHCP_RESULT_RETURNED)
		return result;
	packet = (struct punt_packet){
		.source_mac = subnet_gateway_mac(subnet),
		.destination_mac = port->mac,
		.source = line->link,
		.destination = ip_address_from_ipv4(to),
		.protocol = IPPROTO_UDP,
		.source_port = DHCP4_SERVER_PORT,
		.destination_port = DHCP4_CLIENT_PORT,
		.payload = back.bytes,
		.payload_size = back.size,
	};
	if (to == BROADCAST)
		memset(packet.destination_mac.byte, 0xff, sizeof(packet.destination_mac.byte));
	send_frame(outside, port, &packet);
	return result;
}

static enum dhcp_result return6(struct dhcp_outside *outside, const struct relay_line *line,
				const struct subnet_object *subnet, const struct port_object *port,
				const uint8_t *data, size_t size)
{
	struct buf back = { 0 };
	struct punt_packet packet = {
		.source_mac = subnet_gateway_mac(subnet),
		.destination_mac = port->mac,
		.protocol = IPPROTO_UDP,
		.source_port = DHCP6_SERVER_PORT,
		.destination_port = DHCP6_CLIENT_PORT,
	};
	enum dhcp_result result = relay6_return(line, data, size, &back, &packet.destination);

	if (result == DHCP_RESULT_RETURNED) {
		packet.source = ip_address_link_local_from_mac(&packet.source_mac);
		packet.payload = (const uint8_t *)back.data;
		packet.payload_size = back.size;
		send_frame(outside, port, &packet);
	}
	buf_fini(&back);
	return result;
}

/* Says what the server and the intent do not agree on, until they do. */
static void judge(struct dhcp_outside *outside, const struct port_object *port, const char *circuit,
		  const struct ip_address *server, enum dhcp_result result)
{
	char address[IP_ADDRESS_TEXT_SIZE], text[400];

	if (result == DHCP_RESULT_RETURNED)
		say(outside, port->object.id, NULL);
	if (result != DHCP_RESULT_FOREIGN_LEASE)
		return;
	snprintf(text, sizeof(text),
		 "the DHCP server %s gives %s an address that is not the port's; give the port "
		 "that address or the server the port's, for %s in option 82",
		 ip_address_format(server, address), circuit, circuit);
	say(outside, port->object.id, text);
}

static enum dhcp_result take_answer(struct dhcp_outside *outside, const struct ip_address *own,
				    const struct ip_address *server, const uint8_t *data,
				    size_t size)
{
	const bool ipv4 = ip_address_is_ipv4(server);
	const struct intent *intent = reconcile_intent(outside->reconcile);
	const struct port_object *port;
	const struct subnet_object *subnet;
	char circuit[RELAY_CIRCUIT_SIZE];
	struct relay_line line;
	enum dhcp_result result;

	if (!(ipv4 ? relay4_circuit(data, size, circuit) : relay6_circuit(data, size, circuit)))
		return DHCP_RESULT_STRAY_REPLY;
	port = (const struct port_object *)names_find(intent, OBJECT_PORT, circuit);
	subnet = port ? (const struct subnet_object *)intent_object(intent, port->subnet_id) : NULL;
	if (!subnet || !subnet_relays_to(subnet, server))
		return DHCP_RESULT_STRAY_REPLY;
	line = line_of(subnet, port, own, circuit);
	result = ipv4 ? return4(outside, &line, subnet, port, data, size)
		      : return6(outside, &line, subnet, port, data, size);
	judge(outside, port, circuit, server, result);
	return result;
}

static void on_answer(void *context, const struct ip_address *own, const struct ip_address *server,
		      const uint8_t *data, size_t size)
{
	struct dhcp_outside *outside = context;

	outside->callback(outside->context, ip_address_is_ipv4(server),
			  take_answer(outside, own, server, data, size));
}

/* ---- the whole ---- */

struct dhcp_outside *dhcp_outside_new(struct loop *loop, struct punt *punt,
				      struct reconcile *reconcile, dhcp_outside_callback *callback,
				      void *context)
{
	struct dhcp_outside *outside = xcalloc(1, sizeof(*outside));

	outside->punt = punt;
	outside->reconcile = reconcile;
	outside->callback = callback;
	outside->context = context;
	outside->relay = relay_new(loop, on_answer, outside);
	loop_timer_init(&outside->look, look, outside);
	loop_timer_start(loop, &outside->look, LOOK_NS, LOOK_NS);
	return outside;
}

void dhcp_outside_free(struct dhcp_outside *outside)
{
	if (!outside)
		return;
	relay_free(outside->relay);
	loop_timer_stop(&outside->look);
	map_fini(&outside->wrong, NULL);
	free(outside);
}
