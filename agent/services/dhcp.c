/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Serving DHCP; see dhcp.h. Finds out who asks and for what, has the answer made, and puts it in a frame
 * from the subnet's gateway.
 */
#include "agent/services/dhcp.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/names.h"
#include "agent/services/dhcp4.h"
#include "agent/services/dhcp6.h"
#include "agent/services/dhcp_outside.h"
#include "agent/services/proving.h"
#include "agent/services/punt_packet.h"
#include "agent/services/ra.h"
#include "base/alloc.h"
#include "base/cursor.h"
#include "base/log.h"

#define FRAME_MAX (PUNT_PACKET_HEADERS_MAX + DHCP4_MESSAGE_MAX)
#define BROADCAST 0xffffffffu
#define MESSAGE6_MAX 1232 /* what every IPv6 link takes */
#define TYPE_SOLICITATION 133
#define OPTION_SOURCE_MAC 1
#define RESOLVER_OFFSET 2

struct dhcp {
	struct loop *loop;
	struct punt *punt;
	struct reconcile *reconcile;
	struct ra_sender *ra_sender;
	struct dhcp_outside *outside;
	struct proving *proving;
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

/* The resolver's address in a range (V46). */
static void add_resolver(struct dhcp_names *names, const struct subnet_object *subnet, int family)
{
	if (subnet->cidrs[family].length &&
	    !ip_address_add(&subnet->cidrs[family].address, RESOLVER_OFFSET,
			    &names->dns[names->dns_count]) &&
	    !ip_address_equal(&names->dns[names->dns_count], &subnet->gateways[family]))
		names->dns_count++;
}

struct dhcp_names dhcp_names_of(const struct intent *intent, const struct subnet_object *subnet)
{
	const struct object *object = intent_object(intent, subnet->object.vpc_id);
	const struct vpc_object *vpc = (const struct vpc_object *)object;
	const struct subnet_dhcp *dhcp = subnet->dhcp;
	char domain[DNS_DOMAIN_SIZE];
	struct dhcp_names names = { 0 };

	if (dhcp) {
		names.dns_count = dhcp->dns_count;
		memcpy(names.dns, dhcp->dns, sizeof(names.dns));
		memcpy(names.domain, dhcp->domain, sizeof(names.domain));
		names.search_count = dhcp->search_count;
		names.search = dhcp->search;
	}
	if (!vpc || !vpc->dns.serve)
		return names;
	for (int family = 0; family < 2 && !(dhcp && dhcp->dns_count); family++)
		add_resolver(&names, subnet, family);
	if (!names.domain[0])
		snprintf(names.domain, sizeof(names.domain), "%s", vpc_domain(vpc, domain));
	return names;
}

struct dhcp_names ra_names_of(const struct intent *intent, const struct subnet_object *subnet)
{
	struct dhcp_names names = dhcp_names_of(intent, subnet);
	const struct subnet_ra *ra = subnet->ra;

	if (ra && ra->dns_named) {
		names.dns_count = ra->dns_count;
		memcpy(names.dns, ra->dns, sizeof(names.dns));
	}
	if (ra && ra->search_named) {
		names.search_count = ra->search_count;
		names.search = ra->search;
	}
	return names;
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

/* The client takes no larger answer. Who has set the options learns that not all were told. */
static void note_left_out(struct dhcp *dhcp, const struct asker *asker,
			  const struct dhcp4_writer *reply)
{
	char name[PATH_NAME_SIZE];

	if (!reply->left_out)
		return;
	dhcp->counts[DHCP_PROTOCOL_4][DHCP_RESULT_LEFT_OUT]++;
	names_path(reconcile_intent(dhcp->reconcile), &asker->port->object, name);
	log_limited(LOG_LEVEL_WARNING, "options of DHCP left out, the client takes no more",
		    "port=%s left_out=%u size=%zu", name, reply->left_out, reply->size);
}

static void send_answer4(struct dhcp *dhcp, const struct punt_frame *frame,
			 const struct asker *asker, const struct dhcp4_writer *reply, uint32_t to)
{
	struct punt_packet packet = {
		.source_mac = subnet_gateway_mac(asker->subnet),
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
	struct dhcp_names names;
	struct asker asker;
	enum dhcp_result result;
	uint32_t to = 0;

	if (!find_asker(dhcp, frame, &asker) || !asker.subnet->dhcp)
		return DHCP_RESULT_NOT_SERVED;
	if (punt_packet_read(frame->data, frame->size, &packet) || packet.protocol != IPPROTO_UDP ||
	    packet.destination_port != DHCP4_SERVER_PORT)
		return DHCP_RESULT_MALFORMED;
	if (subnet_is_relayed(asker.subnet, true))
		return dhcp_outside_ask(dhcp->outside, asker.subnet, asker.port, &packet);
	if (dhcp4_read(packet.payload, packet.payload_size, &message))
		return DHCP_RESULT_MALFORMED;
	names = dhcp_names_of(reconcile_intent(dhcp->reconcile), asker.subnet);
	lease = (struct dhcp4_lease){
		.subnet = asker.subnet,
		.names = &names,
		.name = asker.port->object.name,
		.address = first_address(asker.port, true),
		.mac = asker.port->mac,
		.mtu = intent_port_mtu(reconcile_intent(dhcp->reconcile), asker.port),
	};
	result = dhcp4_answer(&lease, &message, &reply, &to);
	if (result == DHCP_RESULT_OFFER || result == DHCP_RESULT_ACK || result == DHCP_RESULT_NAK)
		send_answer4(dhcp, frame, &asker, &reply, to);
	if (result == DHCP_RESULT_OFFER || result == DHCP_RESULT_ACK)
		note_left_out(dhcp, &asker, &reply);
	if (result == DHCP_RESULT_DECLINE)
		log_decline(dhcp, &asker);
	return result;
}

static void on_dhcp4(void *context, const struct punt_frame *frame)
{
	struct dhcp *dhcp = context;

	dhcp->counts[DHCP_PROTOCOL_4][serve4(dhcp, frame)]++;
}

/* ---- IPv6 ---- */

/* From the gateway's link-local address. */
static void send6(struct dhcp *dhcp, uint32_t port_id, uint16_t vlan,
		  const struct subnet_object *subnet, struct punt_packet *packet)
{
	uint8_t bytes[PUNT_PACKET_HEADERS_MAX + MESSAGE6_MAX];
	size_t size;

	packet->source_mac = subnet_gateway_mac(subnet);
	packet->source = ip_address_link_local_from_mac(&packet->source_mac);
	size = punt_packet_write(packet, bytes, sizeof(bytes));
	if (size)
		punt_send(dhcp->punt, port_id, vlan, bytes, size);
}

/* A tun has no MACs: there the port is who sends. */
static bool is_port_mac(const struct punt_packet *packet, const struct port_object *port)
{
	return mac_address_is_zero(&packet->source_mac) ||
	       mac_address_equal(&packet->source_mac, &port->mac);
}

static enum dhcp_result serve6(struct dhcp *dhcp, const struct punt_frame *frame)
{
	const struct intent *intent = reconcile_intent(dhcp->reconcile);
	struct punt_packet packet, answer;
	struct dhcp6_lease lease;
	struct dhcp_names names;
	struct buf reply = { 0 };
	struct asker asker;
	enum dhcp_result result;

	if (!find_asker(dhcp, frame, &asker) || !asker.subnet->ra)
		return DHCP_RESULT_NOT_SERVED;
	if (punt_packet_read(frame->data, frame->size, &packet) || packet.protocol != IPPROTO_UDP ||
	    packet.destination_port != DHCP6_SERVER_PORT)
		return DHCP_RESULT_MALFORMED;
	if (!is_port_mac(&packet, asker.port))
		return DHCP_RESULT_OTHER_CLIENT;
	if (subnet_is_relayed(asker.subnet, false))
		return dhcp_outside_ask(dhcp->outside, asker.subnet, asker.port, &packet);
	names = dhcp_names_of(intent, asker.subnet);
	lease = (struct dhcp6_lease){
		.subnet = asker.subnet,
		.names = &names,
		.gateway_mac = subnet_gateway_mac(asker.subnet),
		.lease = asker.subnet->dhcp ? asker.subnet->dhcp->lease : DHCP_LEASE_DEFAULT,
	};
	if (asker.subnet->ra->mode == RA_MANAGED)
		lease.address = first_address(asker.port, false);
	result = dhcp6_answer(&lease, packet.payload, packet.payload_size,
			      !ip_address_is_multicast(&packet.destination), &reply);
	answer = (struct punt_packet){
		.destination_mac = packet.source_mac,
		.destination = packet.source,
		.protocol = IPPROTO_UDP,
		.source_port = DHCP6_SERVER_PORT,
		.destination_port = DHCP6_CLIENT_PORT,
		.payload = (const uint8_t *)reply.data,
		.payload_size = reply.size,
	};
	if (reply.size)
		send6(dhcp, frame->port_id, frame->vlan, asker.subnet, &answer);
	if (result == DHCP_RESULT_DECLINE)
		log_decline(dhcp, &asker);
	buf_fini(&reply);
	return result;
}

static void on_dhcp6(void *context, const struct punt_frame *frame)
{
	struct dhcp *dhcp = context;

	dhcp->counts[DHCP_PROTOCOL_6][serve6(dhcp, frame)]++;
}

/* To everybody on the link, which is the one port. */
static void advertise(struct dhcp *dhcp, const struct subnet_object *subnet,
		      const struct port_object *port, uint16_t vlan)
{
	static const struct mac_address all_mac = { { 0x33, 0x33, 0, 0, 0, 1 } };
	static const struct ip_address all_nodes = { { 0xff, 2, [15] = 1 } };
	const struct intent *intent = reconcile_intent(dhcp->reconcile);
	struct dhcp_names names = ra_names_of(intent, subnet);
	struct buf message = { 0 };
	struct punt_packet packet;

	ra_write(subnet, &names, intent_port_mtu(intent, port), &message);
	packet = (struct punt_packet){
		.destination_mac = all_mac,
		.destination = all_nodes,
		.protocol = IPPROTO_ICMPV6,
		.hop_limit = RA_HOP_LIMIT,
		.payload = (const uint8_t *)message.data,
		.payload_size = message.size,
	};
	send6(dhcp, port->object.id, vlan, subnet, &packet);
	buf_fini(&message);
	dhcp->counts[DHCP_PROTOCOL_RA][DHCP_RESULT_ROUTER]++;
}

static void on_advertise(void *context, const struct subnet_object *subnet,
			 const struct port_object *port)
{
	advertise(context, subnet, port, 0);
}

/* Section 6.1.1 of RFC 4861: hop limit, code, length, and options that are whole. */
static bool solicitation_is_valid(const struct punt_packet *packet)
{
	struct cursor cursor;

	if (packet->protocol != IPPROTO_ICMPV6 || packet->hop_limit != RA_HOP_LIMIT ||
	    packet->payload_size < 8 || packet->payload[0] != TYPE_SOLICITATION ||
	    packet->payload[1] != 0)
		return false;
	cursor_init(&cursor, packet->payload + 8, packet->payload_size - 8);
	while (cursor_remaining(&cursor)) {
		uint8_t option, words;

		if (cursor_u8(&cursor, &option) || cursor_u8(&cursor, &words) || !words ||
		    cursor_skip(&cursor, 8u * words - 2))
			return false;
		/* Without an address there is none that could be told. */
		if (option == OPTION_SOURCE_MAC && ip_address_is_unspecified(&packet->source))
			return false;
	}
	return true;
}

static void on_solicitation(void *context, const struct punt_frame *frame)
{
	struct dhcp *dhcp = context;
	struct punt_packet packet;
	struct asker asker;

	if (!find_asker(dhcp, frame, &asker) || !asker.subnet->ra)
		dhcp->counts[DHCP_PROTOCOL_RA][DHCP_RESULT_NOT_SERVED]++;
	else if (punt_packet_read(frame->data, frame->size, &packet) ||
		 !solicitation_is_valid(&packet))
		dhcp->counts[DHCP_PROTOCOL_RA][DHCP_RESULT_MALFORMED]++;
	else
		advertise(dhcp, asker.subnet, asker.port, frame->vlan);
}

/* ---- the whole ---- */

static void on_outside(void *context, bool ipv4, enum dhcp_result result)
{
	struct dhcp *dhcp = context;

	dhcp->counts[ipv4 ? DHCP_PROTOCOL_4 : DHCP_PROTOCOL_6][result]++;
}

static void on_address(void *context, enum dhcp_result result)
{
	struct dhcp *dhcp = context;

	dhcp->counts[DHCP_PROTOCOL_RA][result]++;
}

struct dhcp *dhcp_new(struct loop *loop, struct punt *punt, struct reconcile *reconcile)
{
	struct dhcp *dhcp = xcalloc(1, sizeof(*dhcp));

	dhcp->loop = loop;
	dhcp->punt = punt;
	dhcp->reconcile = reconcile;
	dhcp->ra_sender = ra_sender_new(loop, reconcile, on_advertise, dhcp);
	dhcp->outside = dhcp_outside_new(loop, punt, reconcile, on_outside, dhcp);
	dhcp->proving = proving_new(loop, punt, reconcile, on_address, dhcp);
	punt_handle(punt, PUNT_DHCP4, on_dhcp4, dhcp);
	punt_handle(punt, PUNT_DHCP6, on_dhcp6, dhcp);
	punt_handle(punt, PUNT_ROUTER_SOLICITATION, on_solicitation, dhcp);
	return dhcp;
}

void dhcp_free(struct dhcp *dhcp)
{
	if (!dhcp)
		return;
	punt_handle(dhcp->punt, PUNT_DHCP4, NULL, NULL);
	punt_handle(dhcp->punt, PUNT_DHCP6, NULL, NULL);
	punt_handle(dhcp->punt, PUNT_ROUTER_SOLICITATION, NULL, NULL);
	ra_sender_free(dhcp->ra_sender);
	dhcp_outside_free(dhcp->outside);
	proving_free(dhcp->proving);
	free(dhcp);
}

uint64_t dhcp_count(const struct dhcp *dhcp, enum dhcp_protocol protocol, enum dhcp_result result)
{
	return dhcp->counts[protocol][result];
}
