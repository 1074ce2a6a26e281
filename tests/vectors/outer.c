/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Outer packets from words, for the vectors. README.md has the grammar.
 *
 * The inner frame is built by frame.c; the outer headers are put in front of it here, with lengths and
 * checksums that are right unless a word says otherwise. A `*` for a source port, flow id or flow
 * label takes what the packet has that it is compared with, for those numbers are the pipeline's choice.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/vectors/vector.h"

struct outer {
	const struct world *world;
	char **words;
	size_t count, next;
	const struct outcome *seen; /* what is compared with, or NULL */
	uint8_t bytes[VECTOR_FRAME_MAX];
	size_t size;
	struct ip_address source, destination;
	bool ipv4;
	size_t protocol_at, udp_at, gre_at; /* 0: none */
	size_t end_of_ip;                   /* behind the IP header and its extensions */
	bool udp_sum, gre_sum;
	bool ethernet;   /* an Ethernet frame is inside */
	long udp_length; /* as said; -1: right */
	bool bad_ip_sum;
	size_t options;
};

static const char *word(struct outer *o)
{
	if (o->next >= o->count)
		vector_fail("a word is missing at the end of the outer packet");
	return o->words[o->next++];
}

static bool take(struct outer *o, const char *text)
{
	if (o->next >= o->count || strcmp(o->words[o->next], text))
		return false;
	o->next++;
	return true;
}

static unsigned number(struct outer *o)
{
	const char *text = word(o);
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (*end || !*text)
		vector_fail("\"%s\" is not a number", text);
	return (unsigned)value;
}

static uint8_t *append(struct outer *o, size_t size)
{
	uint8_t *at = o->bytes + o->size;

	if (o->size + size > VECTOR_FRAME_MAX)
		vector_fail("the outer packet is too long");
	memset(at, 0, size);
	o->size += size;
	return at;
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put24(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 16);
	put16(at + 1, value & 0xffff);
}

static void hex(struct outer *o)
{
	unsigned byte;

	for (const char *text = word(o); text[0] && text[1]; text += 2) {
		if (sscanf(text, "%2x", &byte) != 1)
			vector_fail("\"%s\" is not hexadecimal", text);
		*append(o, 1) = (uint8_t)byte;
	}
}

/* The bytes seen at the cursor, for a number that the pipeline chooses. */
static const uint8_t *seen_here(const struct outer *o, size_t size)
{
	static const uint8_t none[4];

	return o->seen && o->size + size <= o->seen->size ? o->seen->data + o->size : none;
}

/* ---- IP ---- */

static struct ip_address address(struct outer *o)
{
	const char *text = word(o);
	struct ip_address result;
	char name[64];
	const char *dot = strrchr(text, '.');
	int host;

	if (!ip_address_parse(text, &result))
		return result;
	/* HOST.4 or HOST.6 */
	snprintf(name, sizeof(name), "%.*s", dot ? (int)(dot - text) : 0, text);
	host = hosts_find(name);
	if (host < 0)
		vector_fail("\"%s\" is neither an address nor HOST.4 or HOST.6", text);
	return *hosts_address((size_t)host, dot[1] == '6');
}

static void ip_words(struct outer *o)
{
	uint8_t *ip;

	o->source = address(o);
	if (!take(o, ">"))
		vector_fail("\">\" expected between two addresses");
	o->destination = address(o);
	o->ipv4 = ip_address_is_ipv4(&o->source);
	memcpy(append(o, 14), "\x02\x00\x00\x00\xaa\x01\x02\x00\x00\x00\xaa\x02", 12);
	put16(o->bytes + 12, o->ipv4 ? 0x0800 : 0x86dd);
	ip = append(o, o->ipv4 ? 20 : 40);
	if (o->ipv4) {
		ip[0] = 0x45;
		ip[6] = 0x40;
		ip[8] = 64;
		memcpy(ip + 12, o->source.byte + 12, 4);
		memcpy(ip + 16, o->destination.byte + 12, 4);
	} else {
		ip[0] = 0x60;
		ip[7] = 64;
		memcpy(ip + 8, o->source.byte, 16);
		memcpy(ip + 24, o->destination.byte, 16);
	}
	o->protocol_at = (size_t)(ip - o->bytes) + (o->ipv4 ? 9 : 6);
	for (;;) {
		if (take(o, "tos")) {
			unsigned tos = number(o);

			if (o->ipv4)
				ip[1] = (uint8_t)tos;
			else
				put16(ip, 0x6000 | tos << 4 | (ip[1] & 15));
		} else if (take(o, "ttl")) {
			ip[o->ipv4 ? 8 : 7] = (uint8_t)number(o);
		} else if (take(o, "label")) {
			if (take(o, "*") && o->seen) {
				ip[1] = (uint8_t)((ip[1] & 0xf0) | (o->seen->data[15] & 15));
				memcpy(ip + 2, o->seen->data + 16, 2);
				ip[3] |= !(ip[1] & 15) && !ip[2] && !ip[3];
			}
		} else if (take(o, "id")) {
			put16(ip + 4, number(o));
		} else if (take(o, "more")) {
			ip[6] = 0x20;
		} else if (take(o, "offset")) {
			put16(ip + 6, number(o) / 8);
		} else if (take(o, "options")) {
			o->options = number(o);
			memset(append(o, o->options * 4), 1, o->options * 4);
			ip[0] = (uint8_t)(0x45 + o->options);
		} else if (take(o, "bad-sum")) {
			o->bad_ip_sum = true;
		} else {
			break;
		}
	}
	o->end_of_ip = o->size;
}

/* ext hop|routing|destination|fragment OFFSET MORE */
static void extension_words(struct outer *o)
{
	const char *kind = word(o);
	size_t at = o->size;
	uint8_t *header = append(o, 8);
	uint8_t type = !strcmp(kind, "hop")        ? 0
		       : !strcmp(kind, "routing")  ? 43
		       : !strcmp(kind, "fragment") ? 44
						   : 60;

	if (type == 44) {
		unsigned offset = number(o);

		put16(header + 2, (offset & 0xfff8) | (number(o) & 1));
	} else if (type != 43) {
		header[2] = 1;
		header[3] = 4;
	}
	o->bytes[o->protocol_at] = type;
	o->protocol_at = at;
	o->end_of_ip = o->size;
}

/* ---- the headers of the kinds ---- */

static void udp_words(struct outer *o)
{
	uint8_t *header;
	unsigned source;

	o->bytes[o->protocol_at] = 17;
	o->udp_at = o->size;
	if (take(o, "*")) {
		const uint8_t *seen = seen_here(o, 2);

		source = (unsigned)seen[0] << 8 | seen[1];
		if (o->seen && source < 49152)
			source = 0; /* not in the range: differs */
	} else {
		source = number(o);
	}
	if (!take(o, ">"))
		vector_fail("\">\" expected between two ports");
	header = append(o, 8);
	put16(header, source);
	put16(header + 2, number(o));
	for (;;) {
		if (take(o, "sum"))
			o->udp_sum = true;
		else if (take(o, "field"))
			put16(header + 6, number(o));
		else if (take(o, "length"))
			o->udp_length = number(o);
		else
			return;
	}
}

static void vxlan_words(struct outer *o)
{
	uint8_t *header = append(o, 8);

	header[0] = 8;
	put24(header + 4, number(o));
	if (take(o, "flags"))
		header[0] = (uint8_t)number(o);
	if (take(o, "reserved")) {
		put24(header + 1, number(o));
		header[7] = header[3];
	}
	o->ethernet = true;
}

static void geneve_words(struct outer *o)
{
	size_t at = o->size;
	uint8_t *header = append(o, 8);
	unsigned words = 0;

	put16(header + 2, 0x6558);
	put24(header + 4, number(o));
	o->ethernet = true;
	for (;;) {
		if (take(o, "version"))
			header[0] |= (uint8_t)(number(o) << 6);
		else if (take(o, "control"))
			header[1] |= 0x80;
		else if (take(o, "critical"))
			header[1] |= 0x40;
		else if (take(o, "reserved"))
			header[1] |= (uint8_t)(number(o) & 0x3f);
		else if (take(o, "type")) {
			unsigned type = number(o);

			put16(header + 2, type);
			o->ethernet = type == 0x6558;
		} else if (take(o, "words"))
			words = number(o);
		else if (take(o, "option"))
			hex(o);
		else
			break;
	}
	if (!words)
		words = (unsigned)(o->size - at - 8) / 4;
	o->bytes[at] |= (uint8_t)words;
}

static void gre_words(struct outer *o)
{
	size_t at = o->size;
	uint8_t *header = append(o, 4);
	unsigned flags = 0;

	o->bytes[o->protocol_at] = 47;
	o->gre_at = at;
	put16(header + 2, 0x6558);
	o->ethernet = true;
	for (;;) {
		if (take(o, "checksum")) {
			flags |= 0x8000;
			append(o, 4);
			o->gre_sum = true;
		} else if (take(o, "key")) {
			unsigned key;

			flags |= 0x2000;
			key = number(o);
			put16(append(o, 2), key >> 16);
			put16(append(o, 2), key & 0xffff);
		} else if (take(o, "nvgre")) {
			uint8_t *key;

			flags |= 0x2000;
			key = append(o, 4);
			put24(key, number(o));
			if (take(o, "*")) {
				o->size -= 1;
				key[3] = seen_here(o, 1)[0];
				key[3] |= !key[3]; /* none is no number */
				o->size += 1;
			}
		} else if (take(o, "sequence")) {
			unsigned sequence = number(o);

			flags |= 0x1000;
			put16(append(o, 2), sequence >> 16);
			put16(append(o, 2), sequence & 0xffff);
		} else if (take(o, "flags")) {
			flags |= number(o);
		} else if (take(o, "type")) {
			unsigned type = number(o);

			put16(header + 2, type);
			o->ethernet = type == 0x6558;
		} else {
			break;
		}
	}
	put16(o->bytes + at, flags);
}

/* erspan ID [tag TAG] [cut]: type II; the index is the pipeline's, not zero. erspan3 ID ENGINE [tag TAG] [cut] [to]:
 * type III; the time is the pipeline's. */
static void erspan_words(struct outer *o, bool third)
{
	uint8_t *header = append(o, 8);
	unsigned word = number(o), engine = third ? number(o) : 0, tag;

	for (;;) {
		if (take(o, "tag")) {
			tag = number(o);
			word |= (tag & 0xfff) << 16 | (tag & 0xe000) | (third ? 0 : 0x1000);
		} else if (take(o, "cut")) {
			word |= 0x400;
		} else if (third && take(o, "to")) {
			engine |= 0x100;
		} else {
			break;
		}
	}
	word |= third ? 2u << 28 : 1u << 28;
	put16(header, word >> 16);
	put16(header + 2, word & 0xffff);
	o->size -= 4;
	memcpy(header + 4, seen_here(o, 4), 4);
	header[7] |= !header[4] && !header[5] && !header[6] && !header[7]; /* none is no number */
	o->size += 4;
	if (third)
		put16(append(o, 4) + 2,
		      0x8000 | (engine & 0x3f) << 4 | (engine & 0x100 ? 8 : 0) | 2);
	o->ethernet = true;
}

static void gue_words(struct outer *o)
{
	uint8_t *header = append(o, 4);
	unsigned words = 0;

	header[1] = 4;
	for (;;) {
		if (take(o, "variant"))
			header[0] |= (uint8_t)(number(o) << 6);
		else if (take(o, "control"))
			header[0] |= 0x20;
		else if (take(o, "words")) {
			words = number(o);
			append(o, words * 4);
		} else if (take(o, "claims"))
			words = number(o);
		else if (take(o, "protocol"))
			header[1] = (uint8_t)number(o);
		else if (take(o, "flags"))
			put16(header + 2, number(o));
		else
			break;
	}
	header[0] |= (uint8_t)words;
}

/* inner PORT WORDS: the frame, without its Ethernet header where the tunnel carries none. */
static void inner_words(struct outer *o)
{
	static struct vector_frame frame;
	const struct port_object *port = world_port(o->world, word(o));
	size_t skip = o->ethernet ? 0 : 14;

	if (!port)
		vector_fail("inner: no such port");
	frame_build(o->world, port, o->words + o->next, o->count - o->next, &frame);
	o->next = o->count;
	if (frame.size > skip)
		memcpy(append(o, frame.size - skip), frame.data + skip, frame.size - skip);
}

/* ---- the whole ---- */

static unsigned checksum(unsigned sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (unsigned)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static void finish(struct outer *o)
{
	uint8_t *ip = o->bytes + 14;
	size_t size = o->size - o->udp_at;

	if (o->udp_at) {
		put16(o->bytes + o->udp_at + 4,
		      o->udp_length >= 0 ? (unsigned)o->udp_length : (unsigned)size);
		if (o->udp_sum) {
			size_t skip = o->ipv4 ? 12 : 0;
			unsigned sum = checksum(0, o->source.byte + skip, 16 - skip);

			sum = checksum(sum, o->destination.byte + skip, 16 - skip);
			sum = checksum(sum + 17 + (unsigned)size, o->bytes + o->udp_at, size);
			sum = ~sum & 0xffff;
			put16(o->bytes + o->udp_at + 6, sum ? sum : 0xffff);
		}
	}
	if (o->gre_sum)
		put16(o->bytes + o->gre_at + 4,
		      ~checksum(0, o->bytes + o->gre_at, o->size - o->gre_at) & 0xffff);
	if (o->ipv4) {
		put16(ip + 2, (unsigned)(o->size - 14));
		put16(ip + 10,
		      (~checksum(0, ip, (ip[0] & 15) * 4u) & 0xffff) ^ (o->bad_ip_sum ? 1 : 0));
	} else {
		put16(ip + 4, (unsigned)(o->size - 14 - 40));
	}
}

void outer_build(const struct world *world, char **words, size_t count, const struct outcome *seen,
		 struct vector_frame *frame)
{
	static struct outer o;
	size_t spoil_at[8], spoil_count = 0, cut = SIZE_MAX, grow = 0;
	uint8_t spoil_to[8];

	memset(&o, 0, sizeof(o));
	o.world = world;
	o.words = words;
	o.count = count;
	o.seen = seen;
	o.udp_length = -1;
	ip_words(&o);
	while (o.next < o.count) {
		if (take(&o, "ext"))
			extension_words(&o);
		else if (take(&o, "udp"))
			udp_words(&o);
		else if (take(&o, "vxlan"))
			vxlan_words(&o);
		else if (take(&o, "geneve"))
			geneve_words(&o);
		else if (take(&o, "gre"))
			gre_words(&o);
		else if (take(&o, "erspan"))
			erspan_words(&o, false);
		else if (take(&o, "erspan3"))
			erspan_words(&o, true);
		else if (take(&o, "gue"))
			gue_words(&o);
		else if (take(&o, "protocol"))
			o.bytes[o.protocol_at] = (uint8_t)number(&o);
		else if (take(&o, "hex"))
			hex(&o);
		else if (take(&o, "inner"))
			inner_words(&o);
		else if (take(&o, "spoil") && spoil_count < 8) {
			spoil_at[spoil_count] = number(&o);
			spoil_to[spoil_count++] = (uint8_t)number(&o);
		} else if (take(&o, "end"))
			cut = number(&o); /* bytes of the outer packet behind the outer IP header */
		else if (take(&o, "padding"))
			grow = number(&o);
		else
			vector_fail("no word \"%s\" in an outer packet", word(&o));
	}
	if (cut != SIZE_MAX)
		o.size = o.end_of_ip + cut;
	finish(&o);
	append(&o, grow);
	for (size_t i = 0; i < spoil_count; i++)
		o.bytes[spoil_at[i] % VECTOR_FRAME_MAX] = spoil_to[i];
	memcpy(frame->data, o.bytes, o.size);
	frame->size = o.size;
}
