/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * DHCPv4 messages as they are on the wire (RFC 2131, 2132, 3396), read and written. No sockets, no state.
 *
 * Addresses are numbers in host order. What is read comes from a workload and may be anything: a message
 * is either wholly well formed or refused.
 */
#ifndef WEFT_AGENT_DHCP4_MESSAGE_H
#define WEFT_AGENT_DHCP4_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define DHCP4_SERVER_PORT 67
#define DHCP4_CLIENT_PORT 68
#define DHCP4_FIXED_SIZE 236 /* in front of the magic cookie */
#define DHCP4_MESSAGE_MAX 1500
#define DHCP4_MESSAGE_LEAST 300   /* a shorter one is filled up, for old clients (RFC 951) */
#define DHCP4_IP_SIZE_DEFAULT 576 /* largest datagram that every client takes */
#define DHCP4_FLAG_BROADCAST 0x8000
#define DHCP4_HARDWARE_ETHERNET 1

enum dhcp4_operation { DHCP4_REQUEST_OPERATION = 1, DHCP4_REPLY_OPERATION = 2 };

enum dhcp4_type {
	DHCP4_DISCOVER = 1,
	DHCP4_OFFER = 2,
	DHCP4_REQUEST = 3,
	DHCP4_DECLINE = 4,
	DHCP4_ACK = 5,
	DHCP4_NAK = 6,
	DHCP4_RELEASE = 7,
	DHCP4_INFORM = 8,
};

enum dhcp4_option {
	DHCP4_OPTION_PAD = 0,
	DHCP4_OPTION_MASK = 1,
	DHCP4_OPTION_ROUTERS = 3,
	DHCP4_OPTION_DNS = 6,
	DHCP4_OPTION_HOST_NAME = 12,
	DHCP4_OPTION_DOMAIN = 15,
	DHCP4_OPTION_MTU = 26,
	DHCP4_OPTION_NTP = 42,
	DHCP4_OPTION_REQUESTED_ADDRESS = 50,
	DHCP4_OPTION_LEASE = 51,
	DHCP4_OPTION_OVERLOAD = 52,
	DHCP4_OPTION_TYPE = 53,
	DHCP4_OPTION_SERVER = 54,
	DHCP4_OPTION_WANTED = 55,
	DHCP4_OPTION_TEXT = 56,
	DHCP4_OPTION_SIZE = 57,
	DHCP4_OPTION_RENEW = 58,
	DHCP4_OPTION_REBIND = 59,
	DHCP4_OPTION_CLIENT = 61,
	DHCP4_OPTION_TFTP_SERVER = 66,
	DHCP4_OPTION_BOOT_FILE = 67,
	DHCP4_OPTION_RAPID_COMMIT = 80,
	DHCP4_OPTION_RELAY = 82,
	DHCP4_OPTION_SEARCH = 119,
	DHCP4_OPTION_ROUTES = 121,
	DHCP4_OPTION_END = 255,
};

/* What stands in front of the options. */
struct dhcp4_header {
	uint8_t operation, hardware, hardware_size, hops;
	uint32_t transaction;
	uint16_t seconds, flags;
	uint32_t client, your, next_server, relay; /* ciaddr, yiaddr, siaddr, giaddr */
	uint8_t hardware_address[16];
};

/**
 * struct dhcp4_message - a message that was read
 * @type: enum dhcp4_type; 0: BOOTP, without such an option
 * @option_offset, @option_size: of each option in @bytes, its parts joined (RFC 3396)
 * @option_present: a bit for each; one may be there and empty
 */
struct dhcp4_message {
	struct dhcp4_header header;
	uint8_t type;
	uint64_t option_present[4];
	uint16_t option_offset[256];
	uint16_t option_size[256];
	uint8_t bytes[DHCP4_MESSAGE_MAX];
};

/**
 * dhcp4_read - read a message
 * @data: the payload of the datagram; at most DHCP4_MESSAGE_MAX bytes are taken
 *
 * Return: 0, or -EBADMSG.
 */
int dhcp4_read(const void *data, size_t size, struct dhcp4_message *message);

/** dhcp4_has - whether the message has an option, be it empty */
bool dhcp4_has(const struct dhcp4_message *message, enum dhcp4_option option);

/** dhcp4_get - the bytes of an option; NULL and *@size 0 if it is not there */
const uint8_t *dhcp4_get(const struct dhcp4_message *message, enum dhcp4_option option,
			 size_t *size);

/** dhcp4_get_u32 - an option of exactly four bytes. Return: whether it is there and such a one. */
bool dhcp4_get_u32(const struct dhcp4_message *message, enum dhcp4_option option, uint32_t *value);

/** dhcp4_get_u16 - the same of two bytes */
bool dhcp4_get_u16(const struct dhcp4_message *message, enum dhcp4_option option, uint16_t *value);

#define DHCP4_SPARE_FIELDS 2 /* file and sname, for what the options have no room for */

/**
 * struct dhcp4_writer - a message being written
 * @size: bytes so far
 * @room: bytes that the receiver takes, at most DHCP4_MESSAGE_MAX
 * @spare: bytes of options in `file` and in `sname` (option 52)
 * @has_file: `file` names a file
 * @left_out: options that found no room
 */
struct dhcp4_writer {
	size_t size, room;
	size_t spare[DHCP4_SPARE_FIELDS];
	bool has_file;
	unsigned int left_out;
	uint8_t bytes[DHCP4_MESSAGE_MAX];
};

/** dhcp4_begin - header, empty sname and file, magic cookie. @room: for all of it */
void dhcp4_begin(struct dhcp4_writer *writer, const struct dhcp4_header *header, size_t room);

/** dhcp4_set_file - the field `file`, of at most 127 bytes; longer ones are left out */
void dhcp4_set_file(struct dhcp4_writer *writer, const char *file);

/**
 * dhcp4_put - add an option; one of more than 255 bytes in parts
 *
 * One that the field of options has no room for goes, whole, into `file` or `sname`.
 *
 * Return: false when there is no room for it, which leaves the message as it was and is counted.
 */
bool dhcp4_put(struct dhcp4_writer *writer, enum dhcp4_option option, const void *bytes,
	       size_t size);
bool dhcp4_put_u8(struct dhcp4_writer *writer, enum dhcp4_option option, uint8_t value);
bool dhcp4_put_u16(struct dhcp4_writer *writer, enum dhcp4_option option, uint16_t value);
bool dhcp4_put_u32(struct dhcp4_writer *writer, enum dhcp4_option option, uint32_t value);

/** dhcp4_end - where else options are, the end marks, and zeros up to DHCP4_MESSAGE_LEAST */
void dhcp4_end(struct dhcp4_writer *writer);

#endif
