/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay agent's part of DHCPv6 (RFC 8415, section 19); the contracts are in dhcp_relay_message.h.
 *
 *	client's message  ->  RELAY-FORW(link-address, peer-address, Interface-ID, MAC, message)
 *	server's message  <-  RELAY-REPL(link-address, peer-address, Interface-ID, message)
 */
#include <string.h>

#include "agent/services/dhcp_relay_message.h"
#include "base/cursor.h"

#define TYPE_ADVERTISE 2
#define TYPE_REPLY 7
#define TYPE_RECONFIGURE 10
#define TYPE_RELAY_FORWARD 12
#define TYPE_RELAY_REPLY 13
#define HARDWARE_ETHERNET 1

enum option_code {
	OPTION_IA_NA = 3,
	OPTION_IA_TA = 4,
	OPTION_ADDRESS = 5,
	OPTION_MESSAGE = 9,
	OPTION_INTERFACE = 18,
	OPTION_IA_PD = 25,
	OPTION_PREFIX = 26,
	OPTION_MAC = 79, /* RFC 6939 */
};

/* The next option. Return: 1, 0 at the end, -1 behind what is malformed. */
static int next_option(struct cursor *cursor, uint16_t *code, struct cursor *body)
{
	uint16_t size;

	if (!cursor_remaining(cursor))
		return 0;
	return cursor_be16(cursor, code) || cursor_be16(cursor, &size) ||
			       cursor_sub(cursor, body, size)
		       ? -1
		       : 1;
}

/* ---- to the server ---- */

static bool is_question(uint8_t type)
{
	static const uint8_t types[] = { 1, 3, 4, 5, 6, 8, 9, 11 }; /* SOLICIT ... */

	return memchr(types, type, sizeof(types)) != NULL;
}

/* A type, a transaction, and options that are whole. */
static bool is_whole(const void *data, size_t size)
{
	struct cursor cursor, body;
	uint16_t code;
	int found;

	cursor_init(&cursor, data, size);
	if (cursor_skip(&cursor, 4))
		return false;
	while ((found = next_option(&cursor, &code, &body)) > 0)
		continue;
	return !found;
}

static void append_u16(struct buf *bytes, size_t value)
{
	buf_append_char(bytes, (char)(value >> 8));
	buf_append_char(bytes, (char)value);
}

static void append_option(struct buf *bytes, enum option_code code, const void *data, size_t size)
{
	append_u16(bytes, code);
	append_u16(bytes, size);
	buf_append(bytes, data, size);
}

enum dhcp_result relay6_forward(const struct relay_line *line, const struct ip_address *peer,
				const void *data, size_t size, struct buf *forward)
{
	const uint8_t *message = data;
	uint8_t hardware[2 + sizeof(line->mac.byte)] = { 0, HARDWARE_ETHERNET };

	if (!is_whole(data, size))
		return DHCP_RESULT_MALFORMED;
	if (message[0] == TYPE_RELAY_FORWARD || message[0] == TYPE_RELAY_REPLY)
		return DHCP_RESULT_FORGED;
	if (!is_question(message[0]))
		return DHCP_RESULT_UNEXPECTED;
	memcpy(hardware + 2, line->mac.byte, sizeof(line->mac.byte));
	buf_append_char(forward, TYPE_RELAY_FORWARD);
	buf_append_char(forward, 0); /* hops */
	buf_append(forward, line->link.byte, sizeof(line->link.byte));
	buf_append(forward, peer->byte, sizeof(peer->byte));
	append_option(forward, OPTION_INTERFACE, line->circuit, strlen(line->circuit));
	append_option(forward, OPTION_MAC, hardware, sizeof(hardware));
	append_option(forward, OPTION_MESSAGE, data, size);
	return DHCP_RESULT_RELAYED;
}

/* ---- from the server ---- */

/* What RELAY-REPL says. */
struct relay_reply {
	struct ip_address link, peer;
	char circuit[RELAY_CIRCUIT_SIZE];
	const uint8_t *message;
	size_t size;
};

static bool read_reply(const void *data, size_t size, struct relay_reply *reply)
{
	struct cursor cursor, body;
	uint8_t type, hops;
	uint16_t code;
	int found;

	memset(reply, 0, sizeof(*reply));
	cursor_init(&cursor, data, size);
	if (cursor_u8(&cursor, &type) || type != TYPE_RELAY_REPLY || cursor_u8(&cursor, &hops) ||
	    cursor_bytes(&cursor, reply->link.byte, sizeof(reply->link.byte)) ||
	    cursor_bytes(&cursor, reply->peer.byte, sizeof(reply->peer.byte)))
		return false;
	while ((found = next_option(&cursor, &code, &body)) > 0) {
		if (code == OPTION_INTERFACE) {
			if (body.size >= sizeof(reply->circuit))
				return false;
			memcpy(reply->circuit, body.data, body.size);
			reply->circuit[body.size] = '\0';
		} else if (code == OPTION_MESSAGE) {
			reply->message = body.data;
			reply->size = body.size;
		}
	}
	return !found && reply->message && reply->circuit[0];
}

bool relay6_circuit(const void *data, size_t size, char circuit[RELAY_CIRCUIT_SIZE])
{
	struct relay_reply reply;

	if (!read_reply(data, size, &reply))
		return false;
	memcpy(circuit, reply.circuit, sizeof(reply.circuit));
	return true;
}

static bool is_own(const struct relay_line *line, const struct ip_address *address)
{
	for (size_t i = 0; i < line->address_count; i++)
		if (ip_address_equal(&line->addresses[i], address))
			return true;
	return false;
}

/*
 * An address or prefix that a server gives: only the port's own addresses, and no prefix at all; one whose
 * lifetime is over is taken away, which may be said of any.
 */
static bool may_be_given(const struct relay_line *line, uint16_t code, struct cursor body)
{
	struct ip_address address;
	uint32_t preferred, valid;

	if (code == OPTION_PREFIX)
		return !cursor_be32(&body, &preferred) && !cursor_be32(&body, &valid) && !valid;
	if (code != OPTION_ADDRESS)
		return true;
	return !cursor_bytes(&body, address.byte, sizeof(address.byte)) &&
	       !cursor_be32(&body, &preferred) && !cursor_be32(&body, &valid) &&
	       (!valid || is_own(line, &address));
}

/* Bytes of an identity association in front of its options; 0: it is none. */
static size_t association_size(uint16_t code)
{
	if (code == OPTION_IA_NA || code == OPTION_IA_PD)
		return 12;
	return code == OPTION_IA_TA ? 4 : 0;
}

static bool gives_own(const struct relay_line *line, const uint8_t *message, size_t size)
{
	struct cursor cursor, body, inner;
	uint16_t code, inner_code;

	cursor_init(&cursor, message + 4, size - 4);
	while (next_option(&cursor, &code, &body) > 0) {
		int found;

		if (!association_size(code))
			continue;
		if (cursor_skip(&body, association_size(code)))
			return false;
		while ((found = next_option(&body, &inner_code, &inner)) > 0)
			if (!may_be_given(line, inner_code, inner))
				return false;
		if (found)
			return false;
	}
	return true;
}

enum dhcp_result relay6_return(const struct relay_line *line, const void *data, size_t size,
			       struct buf *back, struct ip_address *peer)
{
	struct relay_reply reply;

	if (!read_reply(data, size, &reply))
		return DHCP_RESULT_MALFORMED;
	if (!ip_address_equal(&reply.link, &line->link) ||
	    strcmp(reply.circuit, line->circuit) != 0 ||
	    (!ip_address_is_link_local(&reply.peer) && !is_own(line, &reply.peer)))
		return DHCP_RESULT_STRAY_REPLY;
	if (!is_whole(reply.message, reply.size))
		return DHCP_RESULT_MALFORMED;
	if (reply.message[0] != TYPE_ADVERTISE && reply.message[0] != TYPE_REPLY &&
	    reply.message[0] != TYPE_RECONFIGURE)
		return DHCP_RESULT_UNEXPECTED;
	if (!gives_own(line, reply.message, reply.size))
		return DHCP_RESULT_FOREIGN_LEASE;
	buf_append(back, reply.message, reply.size);
	*peer = reply.peer;
	return DHCP_RESULT_RETURNED;
}
