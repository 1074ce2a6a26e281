/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Reading and writing DHCPv4 messages; the contracts are in dhcp4_message.h.
 *
 * Options may stand in three places (the field of their own, `file` and `sname`, RFC 2132 9.3), and one may
 * be cut into several of the same number (RFC 3396). They are gone through twice: once for the sizes,
 * once to put the parts of each together.
 */
#include "agent/services/dhcp4_message.h"

#include <errno.h>
#include <string.h>

#include "base/big_endian.h"
#include "base/cursor.h"

#define MAGIC_COOKIE 0x63825363u
#define OFFSET_SERVER_NAME 44
#define SERVER_NAME_SIZE 64
#define OFFSET_FILE 108
#define FILE_SIZE 128
#define OVERLOAD_FILE 1
#define OVERLOAD_SERVER_NAME 2
#define OVERLOAD_SIZE 3 /* of the option that says so */

/* ---- reading ---- */

/* What is done with each option of an area. */
typedef void visit_option(struct dhcp4_message *message, uint8_t option, const uint8_t *bytes,
			  size_t size);

/* Return: 0, or -EBADMSG when an option runs past the end. A missing end mark is forgiven. */
static int walk_area(struct dhcp4_message *message, const uint8_t *data, size_t size,
		     visit_option *visit)
{
	struct cursor cursor;

	cursor_init(&cursor, data, size);
	while (cursor_remaining(&cursor)) {
		const uint8_t *bytes;
		uint8_t option, length;

		if (cursor_u8(&cursor, &option))
			return -EBADMSG;
		if (option == DHCP4_OPTION_PAD)
			continue;
		if (option == DHCP4_OPTION_END)
			return 0;
		if (cursor_u8(&cursor, &length) || cursor_take(&cursor, &bytes, length))
			return -EBADMSG;
		visit(message, option, bytes, length);
	}
	return 0;
}

static void count_option(struct dhcp4_message *message, uint8_t option, const uint8_t *bytes,
			 size_t size)
{
	(void)bytes;
	message->option_present[option / 64] |= UINT64_C(1) << (option % 64);
	message->option_size[option] = (uint16_t)(message->option_size[option] + size);
}

/* option_size counts up again while the parts come in. */
static void copy_option(struct dhcp4_message *message, uint8_t option, const uint8_t *bytes,
			size_t size)
{
	memcpy(message->bytes + message->option_offset[option] + message->option_size[option],
	       bytes, size);
	message->option_size[option] = (uint16_t)(message->option_size[option] + size);
}

static void find_overload(struct dhcp4_message *message, uint8_t option, const uint8_t *bytes,
			  size_t size)
{
	if (option == DHCP4_OPTION_OVERLOAD && size == 1)
		message->type = bytes[0]; /* kept there for the moment */
}

static int walk_all(struct dhcp4_message *message, const uint8_t *data, size_t size,
		    uint8_t overload, visit_option *visit)
{
	const size_t options = DHCP4_FIXED_SIZE + 4;

	if (walk_area(message, data + options, size - options, visit))
		return -EBADMSG;
	if ((overload & OVERLOAD_FILE) && walk_area(message, data + OFFSET_FILE, FILE_SIZE, visit))
		return -EBADMSG;
	if ((overload & OVERLOAD_SERVER_NAME) &&
	    walk_area(message, data + OFFSET_SERVER_NAME, SERVER_NAME_SIZE, visit))
		return -EBADMSG;
	return 0;
}

static int read_header(struct cursor *cursor, struct dhcp4_header *header)
{
	if (cursor_u8(cursor, &header->operation) || cursor_u8(cursor, &header->hardware) ||
	    cursor_u8(cursor, &header->hardware_size) || cursor_u8(cursor, &header->hops) ||
	    cursor_be32(cursor, &header->transaction) || cursor_be16(cursor, &header->seconds) ||
	    cursor_be16(cursor, &header->flags) || cursor_be32(cursor, &header->client) ||
	    cursor_be32(cursor, &header->your) || cursor_be32(cursor, &header->next_server) ||
	    cursor_be32(cursor, &header->relay) ||
	    cursor_bytes(cursor, header->hardware_address, sizeof(header->hardware_address)) ||
	    header->hardware_size > sizeof(header->hardware_address))
		return -EBADMSG;
	return 0;
}

int dhcp4_read(const void *data, size_t size, struct dhcp4_message *message)
{
	struct cursor cursor;
	uint32_t cookie;
	uint16_t offset = 0;
	uint8_t overload;
	size_t type_size;
	const uint8_t *type;

	memset(message, 0, sizeof(*message));
	if (size > DHCP4_MESSAGE_MAX)
		return -EBADMSG;
	cursor_init(&cursor, data, size);
	if (read_header(&cursor, &message->header) ||
	    cursor_skip(&cursor, SERVER_NAME_SIZE + FILE_SIZE) || cursor_be32(&cursor, &cookie) ||
	    cookie != MAGIC_COOKIE)
		return -EBADMSG;
	if (walk_all(message, data, size, 0, find_overload))
		return -EBADMSG;
	overload = message->type;
	message->type = 0;
	if (walk_all(message, data, size, overload, count_option))
		return -EBADMSG;
	for (unsigned int option = 0; option < 256; option++) {
		message->option_offset[option] = offset;
		offset = (uint16_t)(offset + message->option_size[option]);
		message->option_size[option] = 0;
	}
	if (walk_all(message, data, size, overload, copy_option))
		return -EBADMSG;
	type = dhcp4_get(message, DHCP4_OPTION_TYPE, &type_size);
	if (type && type_size != 1)
		return -EBADMSG;
	message->type = type ? type[0] : 0;
	return 0;
}

bool dhcp4_has(const struct dhcp4_message *message, enum dhcp4_option option)
{
	const unsigned int number = option;

	return message->option_present[number / 64] >> (number % 64) & 1;
}

const uint8_t *dhcp4_get(const struct dhcp4_message *message, enum dhcp4_option option,
			 size_t *size)
{
	*size = 0;
	if (!dhcp4_has(message, option))
		return NULL;
	*size = message->option_size[option];
	return message->bytes + message->option_offset[option];
}

bool dhcp4_get_u32(const struct dhcp4_message *message, enum dhcp4_option option, uint32_t *value)
{
	struct cursor cursor;
	size_t size;
	const uint8_t *bytes = dhcp4_get(message, option, &size);

	cursor_init(&cursor, bytes, size);
	return bytes && size == 4 && !cursor_be32(&cursor, value);
}

bool dhcp4_get_u16(const struct dhcp4_message *message, enum dhcp4_option option, uint16_t *value)
{
	struct cursor cursor;
	size_t size;
	const uint8_t *bytes = dhcp4_get(message, option, &size);

	cursor_init(&cursor, bytes, size);
	return bytes && size == 2 && !cursor_be16(&cursor, value);
}

/* ---- writing ---- */

void dhcp4_begin(struct dhcp4_writer *writer, const struct dhcp4_header *header, size_t room)
{
	uint8_t *at = writer->bytes;

	memset(writer, 0, sizeof(*writer));
	writer->room = room < DHCP4_MESSAGE_LEAST
			       ? DHCP4_MESSAGE_LEAST
			       : (room > DHCP4_MESSAGE_MAX ? DHCP4_MESSAGE_MAX : room);
	at[0] = header->operation;
	at[1] = header->hardware;
	at[2] = header->hardware_size;
	at[3] = header->hops;
	put_be32(at + 4, header->transaction);
	put_be16(at + 8, header->seconds);
	put_be16(at + 10, header->flags);
	put_be32(at + 12, header->client);
	put_be32(at + 16, header->your);
	put_be32(at + 20, header->next_server);
	put_be32(at + 24, header->relay);
	memcpy(at + 28, header->hardware_address, sizeof(header->hardware_address));
	put_be32(at + DHCP4_FIXED_SIZE, MAGIC_COOKIE);
	writer->size = DHCP4_FIXED_SIZE + 4;
}

void dhcp4_set_file(struct dhcp4_writer *writer, const char *file)
{
	size_t length = strlen(file);

	if (length < FILE_SIZE)
		memcpy(writer->bytes + OFFSET_FILE, file, length);
	writer->has_file = writer->has_file || length;
}

static const struct {
	size_t offset, size;
	uint8_t overload;
} spare_fields[DHCP4_SPARE_FIELDS] = {
	{ OFFSET_FILE, FILE_SIZE, OVERLOAD_FILE },
	{ OFFSET_SERVER_NAME, SERVER_NAME_SIZE, OVERLOAD_SERVER_NAME },
};

/* Into the first field that has room beside its end mark. */
static bool put_spare(struct dhcp4_writer *writer, enum dhcp4_option option, const void *bytes,
		      size_t size)
{
	for (size_t i = 0; i < DHCP4_SPARE_FIELDS; i++) {
		uint8_t *at = writer->bytes + spare_fields[i].offset + writer->spare[i];

		if ((spare_fields[i].overload == OVERLOAD_FILE && writer->has_file) ||
		    writer->spare[i] + 2 + size + 1 > spare_fields[i].size)
			continue;
		at[0] = (uint8_t)option;
		at[1] = (uint8_t)size;
		if (size)
			memcpy(at + 2, bytes, size);
		writer->spare[i] += 2 + size;
		return true;
	}
	writer->left_out++;
	return false;
}

bool dhcp4_put(struct dhcp4_writer *writer, enum dhcp4_option option, const void *bytes,
	       size_t size)
{
	const uint8_t *from = bytes;
	const size_t parts = size > 255 ? (size + 254) / 255 : 1;

	/* Kept free are the end mark and the option that says where the others are. */
	if (writer->size + 2 * parts + size + OVERLOAD_SIZE + 1 > writer->room)
		return put_spare(writer, option, bytes, size);
	for (size_t part = 0; part < parts; part++) {
		size_t length = size > 255 ? 255 : size;

		writer->bytes[writer->size++] = (uint8_t)option;
		writer->bytes[writer->size++] = (uint8_t)length;
		if (!length)
			break;
		memcpy(writer->bytes + writer->size, from, length);
		writer->size += length;
		from += length;
		size -= length;
	}
	return true;
}

bool dhcp4_put_u8(struct dhcp4_writer *writer, enum dhcp4_option option, uint8_t value)
{
	return dhcp4_put(writer, option, &value, 1);
}

bool dhcp4_put_u16(struct dhcp4_writer *writer, enum dhcp4_option option, uint16_t value)
{
	uint8_t bytes[2];

	put_be16(bytes, value);
	return dhcp4_put(writer, option, bytes, sizeof(bytes));
}

bool dhcp4_put_u32(struct dhcp4_writer *writer, enum dhcp4_option option, uint32_t value)
{
	uint8_t bytes[4];

	put_be32(bytes, value);
	return dhcp4_put(writer, option, bytes, sizeof(bytes));
}

void dhcp4_end(struct dhcp4_writer *writer)
{
	uint8_t overload = 0;

	for (size_t i = 0; i < DHCP4_SPARE_FIELDS; i++) {
		if (!writer->spare[i])
			continue;
		writer->bytes[spare_fields[i].offset + writer->spare[i]] = DHCP4_OPTION_END;
		overload |= spare_fields[i].overload;
	}
	if (overload) {
		writer->bytes[writer->size++] = DHCP4_OPTION_OVERLOAD;
		writer->bytes[writer->size++] = 1;
		writer->bytes[writer->size++] = overload;
	}
	writer->bytes[writer->size++] = DHCP4_OPTION_END;
	if (writer->size < DHCP4_MESSAGE_LEAST)
		writer->size = DHCP4_MESSAGE_LEAST;
}
