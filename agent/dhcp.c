/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serving DHCP; see dhcp.h. Finds out who asks and for what, has the answer made, and puts it in a frame
 * from the subnet's gateway.
 */
#include "agent/dhcp.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/dhcp4.h"
#include "agent/names.h"
#include "agent/punt_packet.h"
#include "base/alloc.h"
#include "base/log.h"

#define FRAME_MAX (PUNT_PACKET_HEADERS_MAX + DHCP4_MESSAGE_MAX)
#define BROADCAST 0xffffffffu

struct dhcp {
	struct loop *loop;
	struct punt *punt;
	struct reconcile *reconcile;
	uint64_t counts[DHCP_PROTOCOLS][DHCP_RESULT_COUNT];
};

const char *dhcp_protocol_name(enum dhcp_protocol protocol)
{
	static const char *const names[DHCP_PROTOCOLS] = { "dhcpv4", "dhcpv6", "ra" };

	return names[protocol];
}

const char *dhcp_result_name(enum dhcp_result result)
{
#define DHCP_RESULT_TEXT(name, text) text,
	static const char *const names[DHCP_RESULT_COUNT] = { DHCP_RESULTS(DHCP_RESULT_TEXT) };
#undef DHCP_RESULT_TEXT

	return names[result];
}

void dhcp_append_name(struct buf *bytes, const char *domain)
{
	while (*domain) {
		size_t length = strcspn(domain, ".");

		buf_append_char(bytes, (char)length);
		buf_append(bytes, domain, length);
		domain += length + (domain[length] == '.');
	}
	buf_append_char(bytes, '\0');
}

/* ---- who asks ---- */

struct asker {
	const struct port_object *port;
	const struct subnet_object *subnet;
};

/* A port of this host and its subnet, as they are now. Return: false when they are just going. */
static bool find_asker(const struct dhcp *dhcp, const struct punt_frame *frame, struct asker *asker)
{
	const struct intent *intent = reconcile_intent(dhcp->reconcile);
	const struct object *port = intent_object(intent, frame->port_id), *subnet;

	if (!port || port->kind != OBJECT_PORT)
		return false;
	asker->port = (const struct port_object *)port;
	subnet = intent_object(intent, asker->port->subnet_id);
	if (!subnet || subnet->kind != OBJECT_SUBNET)
		return false;
	asker->subnet = (const struct subnet_object *)subnet;
	return true;
}

static struct ip_address first_address(const struct port_object *port, bool ipv4)
{
	const struct ip_address none = { { 0 } };

	for (size_t i = 0; i < port->address_count; i++)
		if (ip_address_is_ipv4(&port->addresses[i]) == ipv4)
			return port->addresses[i];
	return none;
}

/* ---- DHCPv4 ---- */

static void log_decline(const struct dhcp *dhcp, const struct asker *asker)
{
	char name[PATH_NAME_SIZE];

	names_path(reconcile_intent(dhcp->reconcile), &asker->port->object, name);
	log_limited(LOG_LEVEL_WARNING,
		    "a workload declines its address, somebody else answers for it", "port=%s",
		    name);
}

static void send_answer4(struct dhcp *dhcp, const struct punt_frame *frame,
			 const struct asker *asker, const struct dhcp4_writer *reply, uint32_t to)
{
	struct punt_packet packet = {
		.source_mac = plan_gateway_mac(asker->subnet->object.id),
		.destination_mac = asker->port->mac,
		.source = subnet_dhcp_server(asker->subnet),
		.destination = ip_address_from_ipv4(to),
		.protocol = IPPROTO_UDP,
		.source_port = DHCP4_SERVER_PORT,
		.destination_port = DHCP4_CLIENT_PORT,
		.payload = reply->bytes,
		.payload_size = reply->size,
	};
	uint8_t bytes[FRAME_MAX];
	size_t size;

	if (to == BROADCAST)
		memset(packet.destination_mac.byte, 0xff, sizeof(packet.destination_mac.byte));
	size = punt_packet_write(&packet, bytes, sizeof(bytes));
	punt_send(dhcp->punt, frame->port_id, frame->vlan, bytes, size);
}

static enum dhcp_result serve4(struct dhcp *dhcp, const struct punt_frame *frame)
{
	struct punt_packet packet;
	struct dhcp4_message message;
	struct dhcp4_writer reply;
	struct dhcp4_lease lease;
	struct asker asker;
	enum dhcp_result result;
	uint32_t to = 0;

	if (!find_asker(dhcp, frame, &asker) || !asker.subnet->dhcp)
		return DHCP_RESULT_NOT_SERVED;
	if (punt_packet_read(frame->data, frame->size, &packet) || packet.protocol != IPPROTO_UDP ||
	    packet.destination_port != DHCP4_SERVER_PORT ||
	    dhcp4_read(packet.payload, packet.payload_size, &message))
		return DHCP_RESULT_MALFORMED;
	lease = (struct dhcp4_lease){
		.subnet = asker.subnet,
		.name = asker.port->object.name,
		.address = first_address(asker.port, true),
		.mac = asker.port->mac,
		.mtu = intent_port_mtu(reconcile_intent(dhcp->reconcile), asker.port),
	};
	result = dhcp4_answer(&lease, &message, &reply, &to);
	if (result == DHCP_RESULT_OFFER || result == DHCP_RESULT_ACK || result == DHCP_RESULT_NAK)
		send_answer4(dhcp, frame, &asker, &reply, to);
	if (result == DHCP_RESULT_DECLINE)
		log_decline(dhcp, &asker);
	return result;
}

static void on_dhcp4(void *context, const struct punt_frame *frame)
{
	struct dhcp *dhcp = context;

	dhcp->counts[DHCP_PROTOCOL_4][serve4(dhcp, frame)]++;
}

/* ---- the whole ---- */

struct dhcp *dhcp_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile)
{
	struct dhcp *dhcp = xcalloc(1, sizeof(*dhcp));

	dhcp->loop = loop;
	dhcp->punt = punt;
	dhcp->reconcile = reconcile;
	punt_handle(punt, PUNT_DHCP4, on_dhcp4, dhcp);
	return dhcp;
}

void dhcp_free(struct dhcp *dhcp)
{
	if (!dhcp)
		return;
	punt_handle(dhcp->punt, PUNT_DHCP4, NULL, NULL);
	free(dhcp);
}

uint64_t dhcp_count(const struct dhcp *dhcp, enum dhcp_protocol protocol, enum dhcp_result result)
{
	return dhcp->counts[protocol][result];
}
