/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Fuzzing what ports ask the daemon: frames, held packets, DHCPv4 and DHCPv6 messages. What is well
 * formed is answered as the daemon would; an answer must be well formed in its turn, and no larger
 * than the client takes.
 *
 * The first byte says what the rest is. Of DHCPv4 there are two: raw, and options behind a good
 * head.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <netinet/in.h>

#include "agent/services/dhcp4.h"
#include "agent/services/dhcp6.h"
#include "agent/services/dhcp_relay_message.h"
#include "agent/services/hold_packet.h"
#include "agent/services/punt_packet.h"
#include "base/alloc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MTU 1400

static const uint8_t port_mac[6] = { 2, 0, 0, 0, 0, 1 };

static struct subnet_object *make_subnet(void)
{
	struct subnet_object *subnet = xcalloc(1, sizeof(*subnet));

	ip_prefix_parse("10.0.1.0/24", &subnet->cidrs[0]);
	ip_prefix_parse("fd00::/64", &subnet->cidrs[1]);
	ip_address_parse("10.0.1.1", &subnet->gateways[0]);
	subnet->dhcp = xcalloc(1, sizeof(*subnet->dhcp));
	subnet->dhcp->lease = 3600;
	ip_prefix_parse("10.9.0.0/17", &subnet->dhcp->routes[0].to);
	ip_address_parse("10.0.1.9", &subnet->dhcp->routes[0].via);
	subnet->dhcp->route_count = 1;
	strcpy(subnet->dhcp->boot_file, "pxe/start.0");
	subnet->dhcp->options[0] = 43;
	subnet->dhcp->options[1] = 200;
	subnet->dhcp->options_size = 202;
	return subnet;
}

static void try_frame(const uint8_t *data, size_t size)
{
	struct punt_packet packet, again;
	uint8_t *frame = malloc(size + PUNT_PACKET_HEADERS_MAX);
	size_t written;

	if (!punt_packet_read(data, size, &packet)) {
		written = punt_packet_write(&packet, frame, size + PUNT_PACKET_HEADERS_MAX);
		if (!written || punt_packet_read(frame, written, &again) ||
		    again.payload_size != packet.payload_size || again.protocol != packet.protocol)
			abort();
	}
	free(frame);
}

/* A packet that is held for a machine on a wire: what its sender is told must be sound. */
static void try_held(const uint8_t *data, size_t size)
{
	static const char *const gateways[] = { "10.0.1.1", "fd00::1" };
	uint8_t message[HOLD_MESSAGE_MAX];
	struct ip_address address;
	struct punt_packet told;

	for (size_t i = 0; i < 2; i++) {
		struct ip_address gateway;
		size_t written;

		ip_address_parse(gateways[i], &gateway);
		written = hold_unreachable(data, size, &gateway, message);
		if (written && (hold_destination(data, size, &address) ||
				punt_packet_read(message, written, &told)))
			abort();
	}
}

static void try_dhcp4(const struct subnet_object *subnet, const struct dhcp_names *names,
		      const uint8_t *data, size_t size)
{
	struct dhcp4_lease lease = { .subnet = subnet, .names = names, .name = "p", .mtu = MTU };
	static struct dhcp4_message message, reread;
	static struct dhcp4_writer reply;
	enum dhcp_result result;
	uint32_t to = 0;

	ip_address_parse("10.0.1.11", &lease.address);
	memcpy(lease.mac.byte, port_mac, sizeof(port_mac));
	if (dhcp4_read(data, size, &message))
		return;
	result = dhcp4_answer(&lease, &message, &reply, &to);
	if (result != DHCP_RESULT_OFFER && result != DHCP_RESULT_ACK && result != DHCP_RESULT_NAK)
		return;
	if (!to || reply.size > MTU - 28 || dhcp4_read(reply.bytes, reply.size, &reread) ||
	    reread.header.transaction != message.header.transaction ||
	    (reread.type != DHCP4_OFFER && reread.type != DHCP4_ACK && reread.type != DHCP4_NAK))
		abort();
}

static void try_options4(const struct subnet_object *subnet, const struct dhcp_names *names,
			 const uint8_t *data, size_t size)
{
	static const uint8_t cookie[4] = { 0x63, 0x82, 0x53, 0x63 };
	uint8_t *message = calloc(1, DHCP4_FIXED_SIZE + 4 + size);

	message[0] = DHCP4_REQUEST_OPERATION;
	message[1] = DHCP4_HARDWARE_ETHERNET;
	message[2] = sizeof(port_mac);
	memcpy(message + 28, port_mac, sizeof(port_mac));
	memcpy(message + DHCP4_FIXED_SIZE, cookie, sizeof(cookie));
	memcpy(message + DHCP4_FIXED_SIZE + 4, data, size);
	try_dhcp4(subnet, names, message, DHCP4_FIXED_SIZE + 4 + size);
	free(message);
}

static void try_dhcp6(const struct subnet_object *subnet, const struct dhcp_names *names,
		      const uint8_t *data, size_t size)
{
	struct dhcp6_lease lease = { .subnet = subnet, .names = names, .lease = 3600 };
	struct buf reply = { 0 };
	enum dhcp_result result;

	ip_address_parse("fd00::11", &lease.address);
	result = dhcp6_answer(&lease, data, size, size & 1, &reply);
	if ((result == DHCP_RESULT_ADVERTISE || result == DHCP_RESULT_REPLY) && reply.size < 4)
		abort();
	if (reply.size && memcmp(reply.data + 1, data + 1, 3) != 0)
		abort();
	buf_fini(&reply);
}

/*
 * What a relay passes on must be readable, name the circuit, and be given back when a server says
 * so; what a server says must not reach the client with another address than the port's.
 */
static void try_relay(const uint8_t *data, size_t size)
{
	struct ip_address own[2], peer;
	struct relay_line line = { .circuit = "blue/web1", .addresses = own, .address_count = 2 };
	struct buf forward = { 0 };
	struct dhcp4_message message;
	struct dhcp4_writer back;
	char circuit[RELAY_CIRCUIT_SIZE];
	uint32_t to;

	ip_address_parse("10.0.1.11", &own[0]);
	ip_address_parse("fd00::11", &own[1]);
	ip_address_parse("192.0.2.1", &line.agent);
	ip_address_parse("10.0.1.1", &line.link);
	memcpy(line.mac.byte, port_mac, sizeof(port_mac));
	if (relay4_forward(&line, data, size, &forward) == DHCP_RESULT_RELAYED &&
	    (!relay4_circuit(forward.data, forward.size, circuit) ||
	     strcmp(circuit, line.circuit) != 0))
		abort();
	if (relay4_return(&line, data, size, &back, &to) == DHCP_RESULT_RETURNED &&
	    (dhcp4_read(back.bytes, back.size, &message) ||
	     dhcp4_has(&message, DHCP4_OPTION_RELAY) ||
	     (message.type != DHCP4_NAK && message.header.your &&
	      message.header.your != ip_address_to_ipv4(&own[0]))))
		abort();
	buf_reset(&forward);
	line.link = own[1];
	relay6_forward(&line, &own[1], data, size, &forward);
	buf_reset(&forward);
	if (relay6_circuit(data, size, circuit))
		relay6_return(&line, data, size, &forward, &peer);
	buf_fini(&forward);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct subnet_object *subnet;
	static struct dhcp_names names;

	if (!subnet) {
		subnet = make_subnet();
		ip_address_parse("10.0.1.2", &names.dns[0]);
		ip_address_parse("fd00::2", &names.dns[1]);
		names.dns_count = 2;
		strcpy(names.domain, "blue.example");
	}
	if (!size)
		return 0;
	switch (data[0] & 7) {
	case 0:
		try_frame(data + 1, size - 1);
		try_held(data + 1, size - 1);
		break;
	case 1: try_dhcp4(subnet, &names, data + 1, size - 1); break;
	case 2: try_options4(subnet, &names, data + 1, size - 1); break;
	case 3:
	case 4: try_relay(data + 1, size - 1); break;
	default: try_dhcp6(subnet, &names, data + 1, size - 1); break;
	}
	return 0;
}
