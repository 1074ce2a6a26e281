/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The relay agent's part of DHCPv4; the contracts are in dhcp_relay_message.h.
 *
 * A message is passed on as the client wrote it, byte for byte, but for hops and giaddr, and option 82 at its
 * end; and back the same way.
 */
#include <string.h>

#include "agent/services/dhcp_relay_message.h"
#include "base/cursor.h"

#define OPTIONS_OFFSET (DHCP4_FIXED_SIZE + 4)
#define HOPS_OFFSET 3
#define RELAY_OFFSET 24
#define BROADCAST 0xffffffffu

/* Of option 82. */
enum relay_suboption {
	RELAY_CIRCUIT = 1, /* RFC 3046 */
	RELAY_REMOTE = 2,
	RELAY_LINK = 5,    /* RFC 3527 */
	RELAY_SERVER = 11, /* RFC 5107 */
};

static void put_u32(uint8_t *at, uint32_t value)
{
	at[0] = (uint8_t)(value >> 24);
	at[1] = (uint8_t)(value >> 16);
	at[2] = (uint8_t)(value >> 8);
	at[3] = (uint8_t)value;
}

static size_t put_suboption(uint8_t *at, enum relay_suboption code, const void *bytes, size_t size)
{
	at[0] = (uint8_t)code;
	at[1] = (uint8_t)size;
	memcpy(at + 2, bytes, size);
	return 2 + size;
}

static size_t put_information(const struct relay_line *line, uint8_t information[255])
{
	uint8_t link[4];
	size_t size;

	put_u32(link, ip_address_to_ipv4(&line->link));
	size = put_suboption(information, RELAY_CIRCUIT, line->circuit, strlen(line->circuit));
	size += put_suboption(information + size, RELAY_REMOTE, line->mac.byte,
			      sizeof(line->mac.byte));
	size += put_suboption(information + size, RELAY_LINK, link, sizeof(link));
	return size + put_suboption(information + size, RELAY_SERVER, link, sizeof(link));
}

/* Bytes of the options in their own field, without relay information and what is behind the end mark. */
static size_t copy_options(const uint8_t *data, size_t size, uint8_t *options)
{
	size_t at = OPTIONS_OFFSET, copied = 0;

	while (at < size && data[at] != DHCP4_OPTION_END) {
		size_t length = data[at] == DHCP4_OPTION_PAD ? 1 : 2u + data[at + 1];

		if (data[at] != DHCP4_OPTION_RELAY && data[at] != DHCP4_OPTION_PAD) {
			memcpy(options + copied, data + at, length);
			copied += length;
		}
		at += length;
	}
	return copied;
}

static bool is_of_client(const struct dhcp4_message *message, const struct mac_address *mac)
{
	const struct dhcp4_header *header = &message->header;

	return header->hardware == DHCP4_HARDWARE_ETHERNET &&
	       header->hardware_size == sizeof(mac->byte) &&
	       memcmp(header->hardware_address, mac->byte, sizeof(mac->byte)) == 0;
}

static bool is_question(uint8_t type)
{
	return type == DHCP4_DISCOVER || type == DHCP4_REQUEST || type == DHCP4_DECLINE ||
	       type == DHCP4_RELEASE || type == DHCP4_INFORM;
}

enum dhcp_result relay4_forward(const struct relay_line *line, const void *data, size_t size,
				struct buf *forward)
{
	uint8_t bytes[DHCP4_MESSAGE_MAX + 2 + 255 + 1] = { 0 };
	struct dhcp4_message message;
	size_t end;

	if (dhcp4_read(data, size, &message))
		return DHCP_RESULT_MALFORMED;
	if (message.header.operation != DHCP4_REQUEST_OPERATION || !is_question(message.type))
		return DHCP_RESULT_UNEXPECTED;
	if (message.header.relay || dhcp4_has(&message, DHCP4_OPTION_RELAY))
		return DHCP_RESULT_FORGED;
	if (!is_of_client(&message, &line->mac))
		return DHCP_RESULT_OTHER_CLIENT;
	if (message.header.hops >= RELAY_HOPS_MAX)
		return DHCP_RESULT_TOO_FAR;
	memcpy(bytes, data, OPTIONS_OFFSET);
	bytes[HOPS_OFFSET]++;
	put_u32(bytes + RELAY_OFFSET, ip_address_to_ipv4(&line->agent));
	end = OPTIONS_OFFSET + copy_options(data, size, bytes + OPTIONS_OFFSET);
	bytes[end] = DHCP4_OPTION_RELAY;
	bytes[end + 1] = (uint8_t)put_information(line, bytes + end + 2);
	end += 2u + bytes[end + 1];
	bytes[end++] = DHCP4_OPTION_END;
	buf_append(forward, bytes, end < DHCP4_MESSAGE_LEAST ? DHCP4_MESSAGE_LEAST : end);
	return DHCP_RESULT_RELAYED;
}

/* A part of the relay information. Return: its bytes; NULL if it is not there. */
static const uint8_t *find_suboption(const struct dhcp4_message *message,
				     enum relay_suboption wanted, size_t *size)
{
	const uint8_t *information = dhcp4_get(message, DHCP4_OPTION_RELAY, size), *bytes;
	struct cursor cursor;
	uint8_t code, length;

	if (!information)
		return NULL;
	cursor_init(&cursor, information, *size);
	while (!cursor_u8(&cursor, &code) && !cursor_u8(&cursor, &length) &&
	       !cursor_take(&cursor, &bytes, length)) {
		*size = length;
		if (code == wanted)
			return bytes;
	}
	return NULL;
}

static bool read_circuit(const struct dhcp4_message *message, char circuit[RELAY_CIRCUIT_SIZE])
{
	size_t size;
	const uint8_t *bytes = find_suboption(message, RELAY_CIRCUIT, &size);

	if (!bytes || size >= RELAY_CIRCUIT_SIZE)
		return false;
	memcpy(circuit, bytes, size);
	circuit[size] = '\0';
	return true;
}

bool relay4_circuit(const void *data, size_t size, char circuit[RELAY_CIRCUIT_SIZE])
{
	struct dhcp4_message message;

	return !dhcp4_read(data, size, &message) && read_circuit(&message, circuit);
}

/* Whether the answer is to a question that came by this line. */
static bool is_of_line(const struct relay_line *line, const struct dhcp4_message *message)
{
	char circuit[RELAY_CIRCUIT_SIZE];
	size_t size;
	const uint8_t *remote = find_suboption(message, RELAY_REMOTE, &size);

	return remote && size == sizeof(line->mac.byte) &&
	       memcmp(remote, line->mac.byte, size) == 0 && read_circuit(message, circuit) &&
	       strcmp(circuit, line->circuit) == 0 && is_of_client(message, &line->mac) &&
	       message->header.relay == ip_address_to_ipv4(&line->agent);
}

static bool is_own(const struct relay_line *line, uint32_t address)
{
	for (size_t i = 0; i < line->address_count; i++)
		if (ip_address_is_ipv4(&line->addresses[i]) &&
		    ip_address_to_ipv4(&line->addresses[i]) == address)
			return true;
	return false;
}

/* As dhcp4.c does it: to the address that the client has or gets, unless it cannot take that yet. */
static uint32_t destination(const struct dhcp4_message *message)
{
	const struct dhcp4_header *header = &message->header;

	if (message->type == DHCP4_NAK)
		return BROADCAST;
	if (header->client)
		return header->client;
	return header->flags & DHCP4_FLAG_BROADCAST || !header->your ? BROADCAST : header->your;
}

enum dhcp_result relay4_return(const struct relay_line *line, const void *data, size_t size,
			       struct dhcp4_writer *back, uint32_t *to)
{
	struct dhcp4_message message;
	uint32_t given;

	if (dhcp4_read(data, size, &message))
		return DHCP_RESULT_MALFORMED;
	if (message.header.operation != DHCP4_REPLY_OPERATION ||
	    (message.type != DHCP4_OFFER && message.type != DHCP4_ACK &&
	     message.type != DHCP4_NAK) ||
	    !is_of_line(line, &message))
		return DHCP_RESULT_STRAY_REPLY;
	given = message.header.your ? message.header.your : message.header.client;
	if (message.type != DHCP4_NAK && !is_own(line, given))
		return DHCP_RESULT_FOREIGN_LEASE;
	memset(back, 0, sizeof(*back));
	memcpy(back->bytes, data, OPTIONS_OFFSET);
	back->bytes[HOPS_OFFSET] = 0;
	put_u32(back->bytes + RELAY_OFFSET, ip_address_to_ipv4(&line->link));
	back->room = sizeof(back->bytes);
	back->size = OPTIONS_OFFSET + copy_options(data, size, back->bytes + OPTIONS_OFFSET);
	dhcp4_end(back);
	/* In file or sname, where overload may put it, relay information has no business. */
	if (dhcp4_read(back->bytes, back->size, &message) ||
	    dhcp4_has(&message, DHCP4_OPTION_RELAY))
		return DHCP_RESULT_MALFORMED;
	*to = destination(&message);
	return DHCP_RESULT_RETURNED;
}
