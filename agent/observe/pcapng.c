/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Blocks of pcapng; see pcapng.h.
 *
 * A block is its type, its length, a body padded to four bytes, and its length again. Options are
 * code, length and padded value; code 0 ends them.
 */
#include "agent/observe/pcapng.h"

#include <string.h>

#define BLOCK_SECTION 0x0a0d0d0au
#define BLOCK_INTERFACE 1
#define BLOCK_STATISTICS 5
#define BLOCK_PACKET 6
#define BYTE_ORDER_MAGIC 0x1a2b3c4du

#define LINK_ETHERNET 1

#define OPTION_COMMENT 1
#define OPTION_SECTION_APPLICATION 4
#define OPTION_INTERFACE_NAME 2
#define OPTION_INTERFACE_RESOLUTION 9
#define OPTION_PACKET_FLAGS 2
#define OPTION_PACKET_DROPS 4
#define OPTION_PACKET_VERDICT 7
#define OPTION_STATISTICS_RECEIVED 4
#define OPTION_STATISTICS_LOST 5

#define FLAG_INBOUND 1u
#define FLAG_OUTBOUND 2u
#define VERDICT_TYPE_TC 1
#define TC_ACT_OK 0
#define TC_ACT_SHOT 2

static void put_u16(struct buf *buf, uint16_t value)
{
	buf_append(buf, &value, sizeof(value));
}

static void put_u32(struct buf *buf, uint32_t value)
{
	buf_append(buf, &value, sizeof(value));
}

static void pad(struct buf *buf, size_t size)
{
	static const char zero[4];

	buf_append(buf, zero, (4 - size % 4) % 4);
}

static void put_option(struct buf *buf, uint16_t code, const void *value, size_t size)
{
	put_u16(buf, code);
	put_u16(buf, (uint16_t)size);
	buf_append(buf, value, size);
	pad(buf, size);
}

static void put_text(struct buf *buf, uint16_t code, const char *text)
{
	size_t len = strlen(text);

	put_option(buf, code, text, len > 0xfff0 ? 0xfff0 : len);
}

static void end_options(struct buf *buf)
{
	put_u32(buf, 0);
}

/* Type and room for the length. Return: where the block begins. */
static size_t begin_block(struct buf *buf, uint32_t type)
{
	size_t begin = buf->size;

	put_u32(buf, type);
	put_u32(buf, 0);
	return begin;
}

static void end_block(struct buf *buf, size_t begin)
{
	uint32_t size = (uint32_t)(buf->size - begin + 4);

	memcpy(buf->data + begin + 4, &size, sizeof(size));
	put_u32(buf, size);
}

void pcapng_begin(struct buf *buf, const char *application, const char *interface,
		  uint32_t size_max)
{
	const uint8_t nanoseconds = 9;
	size_t begin = begin_block(buf, BLOCK_SECTION);

	put_u32(buf, BYTE_ORDER_MAGIC);
	put_u16(buf, 1); /* version 1.0 */
	put_u16(buf, 0);
	put_u32(buf, UINT32_MAX); /* length of the section: not known */
	put_u32(buf, UINT32_MAX);
	put_text(buf, OPTION_SECTION_APPLICATION, application);
	end_options(buf);
	end_block(buf, begin);
	begin = begin_block(buf, BLOCK_INTERFACE);
	put_u16(buf, LINK_ETHERNET);
	put_u16(buf, 0);
	put_u32(buf, size_max);
	put_text(buf, OPTION_INTERFACE_NAME, interface);
	put_option(buf, OPTION_INTERFACE_RESOLUTION, &nanoseconds, 1);
	end_options(buf);
	end_block(buf, begin);
}

/* The bytes of the packet, with its tag where it has one. */
static void put_data(struct buf *buf, const struct pcapng_packet *packet, uint32_t tag_size)
{
	const uint8_t tag[4] = { (uint8_t)(packet->tag >> 24), (uint8_t)(packet->tag >> 16),
				 (uint8_t)(packet->tag >> 8), (uint8_t)packet->tag };

	buf_append(buf, packet->data, tag_size ? 12 : packet->size);
	if (tag_size) {
		buf_append(buf, tag, sizeof(tag));
		buf_append(buf, packet->data + 12, packet->size - 12);
	}
	pad(buf, packet->size + tag_size);
}

void pcapng_add(struct buf *buf, const struct pcapng_packet *packet)
{
	const uint32_t flags = packet->outbound ? FLAG_OUTBOUND : FLAG_INBOUND;
	const uint32_t tag_size = packet->tag && packet->size >= 12 ? 4 : 0;
	const uint64_t action = packet->dropped ? TC_ACT_SHOT : TC_ACT_OK;
	uint8_t verdict[9] = { VERDICT_TYPE_TC };
	size_t begin = begin_block(buf, BLOCK_PACKET);

	put_u32(buf, 0); /* the one interface */
	put_u32(buf, (uint32_t)(packet->time_ns >> 32));
	put_u32(buf, (uint32_t)packet->time_ns);
	put_u32(buf, packet->size + tag_size);
	put_u32(buf, packet->length + tag_size);
	put_data(buf, packet, tag_size);
	put_option(buf, OPTION_PACKET_FLAGS, &flags, sizeof(flags));
	if (packet->lost)
		put_option(buf, OPTION_PACKET_DROPS, &packet->lost, sizeof(packet->lost));
	memcpy(verdict + 1, &action, sizeof(action));
	put_option(buf, OPTION_PACKET_VERDICT, verdict, sizeof(verdict));
	if (packet->comment)
		put_text(buf, OPTION_COMMENT, packet->comment);
	end_options(buf);
	end_block(buf, begin);
}

void pcapng_statistics(struct buf *buf, uint64_t time_ns, uint64_t matched, uint64_t lost)
{
	size_t begin = begin_block(buf, BLOCK_STATISTICS);

	put_u32(buf, 0);
	put_u32(buf, (uint32_t)(time_ns >> 32));
	put_u32(buf, (uint32_t)time_ns);
	put_option(buf, OPTION_STATISTICS_RECEIVED, &matched, sizeof(matched));
	put_option(buf, OPTION_STATISTICS_LOST, &lost, sizeof(lost));
	end_options(buf);
	end_block(buf, begin);
}
