/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to DHCPv4 messages (RFC 2131, section 4.3); the contract is in dhcp4.h.
 *
 *	DISCOVER            OFFER, or with rapid commit (RFC 4039) at once ACK
 *	REQUEST, selecting  ACK if it chose us
 *	REQUEST, otherwise  ACK if the address is the port's, else NAK
 *	INFORM              ACK without an address
 *	DECLINE, RELEASE    nothing; whose the address is the control plane decides
 *
 * Options go out in the order of what they are good for, as far as they fit what the client takes. One
 * that the client did not ask for is sent all the same, but for those that would change how it routes
 * (RFC 3442) or that only a network boot knows.
 */
#include "agent/services/dhcp4.h"

#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"

#define BROADCAST 0xffffffffu
#define IP_UDP_SIZE 28
#define IPV4_LENGTH 96

struct answer {
	const struct dhcp4_lease *lease;
	const struct dhcp4_message *message;
	struct dhcp4_writer *reply;
};

/* Whether the client names the option in its list; without a list it wants all. */
static bool is_wanted(const struct answer *answer, enum dhcp4_option option)
{
	size_t size;
	const uint8_t *list = dhcp4_get(answer->message, DHCP4_OPTION_WANTED, &size);

	return !list || memchr(list, (int)option, size);
}

static size_t ipv4_bytes(const struct ip_address *list, size_t count, uint8_t *bytes)
{
	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		if (!ip_address_is_ipv4(&list[i]))
			continue;
		memcpy(bytes + size, list[i].byte + 12, 4);
		size += 4;
	}
	return size;
}

static void put_addresses(const struct answer *answer, enum dhcp4_option option,
			  const struct ip_address *list, size_t count)
{
	uint8_t bytes[4 * DHCP_SERVERS_MAX];
	size_t size = ipv4_bytes(list, count, bytes);

	if (size)
		dhcp4_put(answer->reply, option, bytes, size);
}

static void put_text(const struct answer *answer, enum dhcp4_option option, const char *text)
{
	if (*text)
		dhcp4_put(answer->reply, option, text, strlen(text));
}

/* The routers that the client gets; 0: none. */
static size_t routers_of(const struct subnet_object *subnet, const struct ip_address **list)
{
	*list = subnet->dhcp->routers;
	if (subnet->dhcp->routers_named)
		return subnet->dhcp->router_count;
	*list = &subnet->gateways[0];
	return ip_address_is_ipv4(&subnet->gateways[0]) ? 1 : 0;
}

/* Length, as many bytes of the destination as it says, router (RFC 3442). */
static void append_route(struct buf *bytes, const struct ip_prefix *to,
			 const struct ip_address *via)
{
	uint8_t length = (uint8_t)(to->length - IPV4_LENGTH);

	buf_append_char(bytes, (char)length);
	buf_append(bytes, to->address.byte + 12, (length + 7u) / 8);
	buf_append(bytes, via->byte + 12, 4);
}

/* A client that takes these ignores the option of routers: the default route is among them. */
static void put_routes(const struct answer *answer)
{
	const struct subnet_object *subnet = answer->lease->subnet;
	const struct ip_prefix everywhere = { ip_address_from_ipv4(0), IPV4_LENGTH };
	const struct ip_address *routers;
	struct buf bytes = { 0 };

	if (!subnet->dhcp->route_count || !is_wanted(answer, DHCP4_OPTION_ROUTES))
		return;
	for (size_t i = 0; i < subnet->dhcp->route_count; i++)
		append_route(&bytes, &subnet->dhcp->routes[i].to, &subnet->dhcp->routes[i].via);
	if (routers_of(subnet, &routers))
		append_route(&bytes, &everywhere, &routers[0]);
	dhcp4_put(answer->reply, DHCP4_OPTION_ROUTES, bytes.data, bytes.size);
	buf_fini(&bytes);
}

/* Names as in DNS, each with its zero at the end (RFC 3397); none is shortened. */
static void put_search(const struct answer *answer)
{
	const struct dhcp_names *names = answer->lease->names;
	struct buf bytes = { 0 };

	if (!names->search_count || !is_wanted(answer, DHCP4_OPTION_SEARCH))
		return;
	for (size_t i = 0; i < names->search_count; i++)
		dhcp_append_name(&bytes, names->search[i]);
	dhcp4_put(answer->reply, DHCP4_OPTION_SEARCH, bytes.data, bytes.size);
	buf_fini(&bytes);
}

static void put_arbitrary(const struct answer *answer)
{
	const struct subnet_dhcp *dhcp = answer->lease->subnet->dhcp;

	for (size_t at = 0; at < dhcp->options_size; at += 2u + dhcp->options[at + 1])
		dhcp4_put(answer->reply, (enum dhcp4_option)dhcp->options[at],
			  dhcp->options + at + 2, dhcp->options[at + 1]);
}

static void put_options(const struct answer *answer)
{
	const struct subnet_object *subnet = answer->lease->subnet;
	const struct subnet_dhcp *dhcp = subnet->dhcp;
	const unsigned int length = subnet->cidrs[0].length - (unsigned int)IPV4_LENGTH;
	const struct ip_address *routers;
	size_t router_count = routers_of(subnet, &routers);

	dhcp4_put_u32(answer->reply, DHCP4_OPTION_MASK, length ? BROADCAST << (32 - length) : 0);
	put_routes(answer);
	put_addresses(answer, DHCP4_OPTION_ROUTERS, routers, router_count);
	put_addresses(answer, DHCP4_OPTION_DNS, answer->lease->names->dns,
		      answer->lease->names->dns_count);
	dhcp4_put_u16(answer->reply, DHCP4_OPTION_MTU, (uint16_t)answer->lease->mtu);
	put_text(answer, DHCP4_OPTION_HOST_NAME, answer->lease->name);
	put_text(answer, DHCP4_OPTION_DOMAIN, answer->lease->names->domain);
	put_addresses(answer, DHCP4_OPTION_NTP, dhcp->ntp, dhcp->ntp_count);
	if (is_wanted(answer, DHCP4_OPTION_TFTP_SERVER))
		put_text(answer, DHCP4_OPTION_TFTP_SERVER, dhcp->tftp_server);
	if (is_wanted(answer, DHCP4_OPTION_BOOT_FILE))
		put_text(answer, DHCP4_OPTION_BOOT_FILE, dhcp->boot_file);
	put_arbitrary(answer);
	put_search(answer);
}

/* Bytes of payload that the client takes, and its device. */
static size_t room_of(const struct answer *answer)
{
	uint16_t most = 0;
	size_t size = DHCP4_IP_SIZE_DEFAULT;

	if (dhcp4_get_u16(answer->message, DHCP4_OPTION_SIZE, &most) && most > size)
		size = most;
	if (size > answer->lease->mtu)
		size = answer->lease->mtu;
	return size - IP_UDP_SIZE;
}

static void begin(const struct answer *answer, enum dhcp4_type type, uint32_t address,
		  uint32_t server)
{
	const struct dhcp4_header *request = &answer->message->header;
	const struct subnet_dhcp *dhcp = answer->lease->subnet->dhcp;
	struct dhcp4_header header = {
		.operation = DHCP4_REPLY_OPERATION,
		.hardware = request->hardware,
		.hardware_size = request->hardware_size,
		.transaction = request->transaction,
		.flags = request->flags,
		.your = address,
	};
	size_t size;
	const uint8_t *client = dhcp4_get(answer->message, DHCP4_OPTION_CLIENT, &size);

	memcpy(header.hardware_address, request->hardware_address, sizeof(header.hardware_address));
	if (type != DHCP4_NAK)
		header.next_server = ip_address_to_ipv4(&dhcp->next_server);
	if (type == DHCP4_ACK)
		header.client = request->client;
	dhcp4_begin(answer->reply, &header, room_of(answer));
	if (type != DHCP4_NAK)
		dhcp4_set_file(answer->reply, dhcp->boot_file);
	dhcp4_put_u8(answer->reply, DHCP4_OPTION_TYPE, (uint8_t)type);
	dhcp4_put_u32(answer->reply, DHCP4_OPTION_SERVER, server);
	if (client) /* RFC 6842 */
		dhcp4_put(answer->reply, DHCP4_OPTION_CLIENT, client, size);
}

/* T1 and T2 are left to the client where the lease is for ever. */
static void put_times(const struct answer *answer)
{
	const uint32_t lease = answer->lease->subnet->dhcp->lease;

	dhcp4_put_u32(answer->reply, DHCP4_OPTION_LEASE, lease);
	if (lease == DHCP_LEASE_FOREVER)
		return;
	dhcp4_put_u32(answer->reply, DHCP4_OPTION_RENEW, lease / 2);
	dhcp4_put_u32(answer->reply, DHCP4_OPTION_REBIND, (uint32_t)((uint64_t)lease * 7 / 8));
}

static enum dhcp_result give(const struct answer *answer, enum dhcp4_type type, uint32_t server)
{
	begin(answer, type, ip_address_to_ipv4(&answer->lease->address), server);
	put_times(answer);
	if (answer->message->type == DHCP4_DISCOVER && type == DHCP4_ACK)
		dhcp4_put(answer->reply, DHCP4_OPTION_RAPID_COMMIT, NULL, 0);
	put_options(answer);
	dhcp4_end(answer->reply);
	return type == DHCP4_OFFER ? DHCP_RESULT_OFFER : DHCP_RESULT_ACK;
}

static enum dhcp_result refuse(const struct answer *answer, uint32_t server)
{
	static const char text[] = "the address is not this port's";

	begin(answer, DHCP4_NAK, 0, server);
	dhcp4_put(answer->reply, DHCP4_OPTION_TEXT, text, sizeof(text) - 1);
	dhcp4_end(answer->reply);
	return DHCP_RESULT_NAK;
}

static enum dhcp_result answer_request(const struct answer *answer, uint32_t server)
{
	const struct dhcp4_message *message = answer->message;
	const uint32_t own = ip_address_to_ipv4(&answer->lease->address);
	uint32_t chosen, wanted = message->header.client;

	if (dhcp4_get_u32(message, DHCP4_OPTION_SERVER, &chosen) && chosen != server)
		return DHCP_RESULT_OTHER_SERVER;
	dhcp4_get_u32(message, DHCP4_OPTION_REQUESTED_ADDRESS, &wanted);
	return wanted == own ? give(answer, DHCP4_ACK, server) : refuse(answer, server);
}

static enum dhcp_result answer_inform(const struct answer *answer, uint32_t server)
{
	begin(answer, DHCP4_ACK, 0, server);
	put_options(answer);
	dhcp4_end(answer->reply);
	return DHCP_RESULT_ACK;
}

/* Section 4.1: to an address that the client has, else to the one it gets, unless it cannot take that. */
static uint32_t destination(const struct answer *answer, enum dhcp_result result)
{
	const struct dhcp4_header *header = &answer->message->header;

	if (result == DHCP_RESULT_NAK)
		return BROADCAST;
	if (header->client)
		return header->client;
	if (header->flags & DHCP4_FLAG_BROADCAST)
		return BROADCAST;
	return ip_address_to_ipv4(&answer->lease->address);
}

static bool is_of_port(const struct dhcp4_message *message, const struct mac_address *mac)
{
	const struct dhcp4_header *header = &message->header;

	return header->hardware == DHCP4_HARDWARE_ETHERNET &&
	       header->hardware_size == sizeof(mac->byte) &&
	       memcmp(header->hardware_address, mac->byte, sizeof(mac->byte)) == 0 &&
	       !header->relay;
}

enum dhcp_result dhcp4_answer(const struct dhcp4_lease *lease, const struct dhcp4_message *message,
			      struct dhcp4_writer *reply, uint32_t *to)
{
	const struct answer answer = { lease, message, reply };
	const struct ip_address address = subnet_dhcp_server(lease->subnet);
	const uint32_t server = ip_address_to_ipv4(&address);
	enum dhcp_result result;

	if (message->header.operation != DHCP4_REQUEST_OPERATION)
		return DHCP_RESULT_UNEXPECTED;
	if (!is_of_port(message, &lease->mac))
		return DHCP_RESULT_OTHER_CLIENT;
	if (!ip_address_is_ipv4(&lease->address))
		return DHCP_RESULT_NO_ADDRESS;
	switch (message->type) {
	case DHCP4_DISCOVER:
		result = give(&answer,
			      dhcp4_has(message, DHCP4_OPTION_RAPID_COMMIT) ? DHCP4_ACK
									    : DHCP4_OFFER,
			      server);
		break;
	case DHCP4_REQUEST: result = answer_request(&answer, server); break;
	case DHCP4_INFORM: result = answer_inform(&answer, server); break;
	case DHCP4_DECLINE: return DHCP_RESULT_DECLINE;
	case DHCP4_RELEASE: return DHCP_RESULT_RELEASE;
	default: return DHCP_RESULT_UNEXPECTED;
	}
	if (result != DHCP_RESULT_OTHER_SERVER)
		*to = destination(&answer, result);
	return result;
}
