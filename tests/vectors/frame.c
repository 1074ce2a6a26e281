/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames from words, for the vectors. README.md has the grammar.
 *
 * Words are taken from left to right; each writes at the cursor or changes what will be written. Lengths
 * and checksums are filled in at the end, right unless a later `set` or `cut` spoils them on purpose.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <arpa/inet.h>

#include "core/loop.h"
#include "tests/vectors/vector.h"

struct builder {
	const struct world *world;
	const struct port_object *from;
	const struct subnet_object *subnet;
	char **words;
	size_t count, next;
	struct vector_frame *frame;
	bool have_destination_mac;
	struct ip_address source, destination;
	bool ipv4;
	size_t l3, l4; /* offsets of headers, 0: none */
	uint8_t protocol;
	bool is_igmp;
	size_t protocol_at; /* offset of the byte that names the next header */
};

static const char *word(struct builder *b)
{
	if (b->next >= b->count)
		vector_fail("a word is missing at the end of the frame");
	return b->words[b->next++];
}

static bool take(struct builder *b, const char *text)
{
	if (b->next >= b->count || strcmp(b->words[b->next], text))
		return false;
	b->next++;
	return true;
}

static unsigned number(struct builder *b)
{
	const char *text = word(b);
	char *end;
	unsigned long value = strtoul(text, &end, 0);

	if (*end || !*text)
		vector_fail("\"%s\" is not a number", text);
	return (unsigned)value;
}

static uint8_t *append(struct builder *b, size_t size)
{
	uint8_t *at = b->frame->data + b->frame->size;

	if (b->frame->size + size > VECTOR_FRAME_MAX)
		vector_fail("the frame is too long");
	memset(at, 0, size);
	b->frame->size += size;
	return at;
}

static void put16(uint8_t *at, unsigned value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static unsigned get16(const uint8_t *at)
{
	return (unsigned)at[0] << 8 | at[1];
}

static struct ip_address address(struct builder *b)
{
	const char *text = word(b);
	struct ip_address result;

	if (ip_address_parse(text, &result))
		vector_fail("\"%s\" is not an address", text);
	return result;
}

static void addresses(struct builder *b, struct ip_address *source, struct ip_address *destination)
{
	*source = address(b);
	if (!take(b, ">"))
		vector_fail("\">\" expected between two addresses");
	*destination = address(b);
}

static struct mac_address mac_of(struct builder *b, const char *text)
{
	struct mac_address mac = { { 0 } };
	const struct port_object *port;
	uint32_t id = b->subnet->object.id;

	if (!strcmp(text, "broadcast")) {
		memset(mac.byte, 0xff, 6);
	} else if (!strcmp(text, "multicast")) {
		mac = (struct mac_address){ { 0x01, 0, 0x5e, 0, 0, 0x05 } };
	} else if (!strcmp(text, "gateway")) {
		mac = gateway_mac_of_id(id);
	} else if (!strncmp(text, "port:", 5)) {
		port = world_port(b->world, text + 5);
		if (!port)
			vector_fail("no port %s", text + 5);
		mac = port->mac;
	} else if (mac_address_parse(text, &mac)) {
		vector_fail("\"%s\" is not a MAC", text);
	}
	return mac;
}

/* The MAC a host would send to: the neighbour's in its subnet, else the gateway's. */
static void destination_mac(struct builder *b)
{
	struct mac_address mac;
	uint32_t owner;
	const struct port_object *port;

	if (b->have_destination_mac)
		return;
	mac = mac_of(b, "gateway");
	owner = intent_address_owner(b->world->intent, b->from->object.vpc_id, &b->destination);
	port = owner ? (const struct port_object *)intent_object(b->world->intent, owner) : NULL;
	if (port && port->subnet_id == b->from->subnet_id)
		mac = port->mac;
	memcpy(b->frame->data, mac.byte, 6);
}

static unsigned checksum(unsigned sum, const uint8_t *data, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum += i & 1 ? data[i] : (unsigned)data[i] << 8;
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

/* ---- layer 3 ---- */

static void ip_header(struct builder *b, const struct ip_address *source,
		      const struct ip_address *destination)
{
	bool ipv4 = ip_address_is_ipv4(source);
	uint8_t *ip = append(b, ipv4 ? 20 : 40);

	if (ipv4) {
		ip[0] = 0x45;
		ip[5] = 1;
		ip[8] = 64;
		memcpy(ip + 12, source->byte + 12, 4);
		memcpy(ip + 16, destination->byte + 12, 4);
	} else {
		ip[0] = 0x60;
		ip[7] = 64;
		memcpy(ip + 8, source->byte, 16);
		memcpy(ip + 24, destination->byte, 16);
	}
}

static void ip_words(struct builder *b)
{
	uint8_t *ip;

	addresses(b, &b->source, &b->destination);
	b->ipv4 = ip_address_is_ipv4(&b->source);
	put16(b->frame->data + b->frame->size - 2, b->ipv4 ? 0x0800 : 0x86dd);
	b->l3 = b->frame->size;
	ip_header(b, &b->source, &b->destination);
	b->protocol_at = b->l3 + (b->ipv4 ? 9 : 6);
	destination_mac(b);
	ip = b->frame->data + b->l3;
	for (;;) {
		if (take(b, "ttl"))
			ip[b->ipv4 ? 8 : 7] = (uint8_t)number(b);
		else if (take(b, "tos")) {
			unsigned tos = number(b);

			if (b->ipv4)
				ip[1] = (uint8_t)tos;
			else
				put16(ip, 0x6000 | tos << 4);
		} else if (take(b, "df"))
			ip[6] |= 0x40;
		else if (take(b, "id"))
			put16(ip + 4, number(b));
		else if (take(b, "more"))
			ip[6] |= 0x20;
		else if (take(b, "offset"))
			put16(ip + 6, (get16(ip + 6) & 0xe000) | number(b) / 8);
		else if (take(b, "options")) {
			unsigned words = number(b);

			append(b, words * 4);
			ip[0] = (uint8_t)(0x45 + words);
			memset(ip + 20, 1, words * 4); /* no operation */
		} else
			return;
	}
}

/* An IPv6 extension header: ext hop|alert|routing|destination|fragment OFFSET MORE ID. */
static void extension_words(struct builder *b)
{
	const char *kind = word(b);
	size_t at = b->frame->size;
	uint8_t *header = append(b, 8);
	uint8_t type = 0;

	if (!strcmp(kind, "hop") || !strcmp(kind, "alert"))
		type = 0;
	else if (!strcmp(kind, "routing"))
		type = 43;
	else if (!strcmp(kind, "destination"))
		type = 60;
	else if (!strcmp(kind, "fragment"))
		type = 44;
	else
		vector_fail("no extension header \"%s\"", kind);
	b->frame->data[b->protocol_at] = type;
	b->protocol_at = at;
	if (type == 44) {
		unsigned offset = number(b), more = number(b);

		put16(header + 2, (offset & 0xfff8) | (more & 1));
		put16(header + 6, number(b));
	} else if (!strcmp(kind, "alert")) {
		header[2] = 5; /* router alert: MLD */
		header[3] = 2;
		header[6] = 1;
	} else if (type != 43) {
		header[2] = 1; /* PadN */
		header[3] = 4;
	}
}

/* ---- layer 4 ---- */

static void ports(struct builder *b, uint8_t *header)
{
	put16(header, number(b));
	if (!take(b, ">"))
		vector_fail("\">\" expected between two ports");
	put16(header + 2, number(b));
}

static void transport(struct builder *b, uint8_t protocol)
{
	b->frame->data[b->protocol_at] = protocol;
	b->protocol = protocol;
	b->l4 = b->frame->size;
}

static uint8_t tcp_flags(const char *text)
{
	static const char letters[] = "FSRPAU";
	uint8_t flags = 0;

	for (; *text; text++) {
		const char *at = strchr(letters, *text);

		if (!at && *text != '-')
			vector_fail("\"%c\" is no TCP flag", *text);
		if (at)
			flags |= (uint8_t)(1 << (at - letters));
	}
	return flags;
}

static void icmp_words(struct builder *b)
{
	const char *kind;
	uint8_t *header;
	uint8_t type = 0, code = 0;
	unsigned id = 0;

	transport(b, b->ipv4 ? 1 : 58);
	header = append(b, 8);
	kind = word(b);
	if (!strcmp(kind, "echo") || !strcmp(kind, "reply")) {
		type = kind[0] == 'e' ? (b->ipv4 ? 8 : 128) : (b->ipv4 ? 0 : 129);
		id = number(b);
	} else if (!strcmp(kind, "unreachable")) {
		type = b->ipv4 ? 3 : 1;
		code = (uint8_t)number(b);
	} else if (!strcmp(kind, "type")) {
		type = (uint8_t)number(b);
		code = (uint8_t)number(b);
	} else {
		vector_fail("no ICMP message \"%s\"", kind);
	}
	header[0] = type;
	header[1] = code;
	put16(header + 4, id);
	put16(header + 6, 1);
}

/* about A > B tcp|udp|icmp ...: the packet that an ICMP error quotes. */
static void about_words(struct builder *b)
{
	struct ip_address source, destination;
	size_t start = b->frame->size;
	uint8_t *ip, *header;

	addresses(b, &source, &destination);
	ip_header(b, &source, &destination);
	ip = b->frame->data + start;
	header = append(b, 8);
	if (take(b, "tcp"))
		ip[b->ipv4 ? 9 : 6] = 6;
	else if (take(b, "udp"))
		ip[b->ipv4 ? 9 : 6] = 17;
	else if (take(b, "echo"))
		ip[b->ipv4 ? 9 : 6] = b->ipv4 ? 1 : 58;
	else
		vector_fail("about: tcp, udp or echo expected");
	if (ip[b->ipv4 ? 9 : 6] == 6 || ip[b->ipv4 ? 9 : 6] == 17) {
		ports(b, header);
	} else {
		header[0] = b->ipv4 ? 8 : 128;
		put16(header + 4, number(b));
	}
	if (b->ipv4)
		put16(ip + 2, 28);
	else
		put16(ip + 4, 8);
}

/* ---- ARP and neighbour discovery ---- */

static void arp_words(struct builder *b)
{
	const char *operation = word(b);
	uint8_t *arp;
	bool request = !strcmp(operation, "request");

	addresses(b, &b->source, &b->destination);
	put16(b->frame->data + b->frame->size - 2, 0x0806);
	arp = append(b, 28);
	put16(arp, 1);
	put16(arp + 2, 0x0800);
	arp[4] = 6;
	arp[5] = 4;
	put16(arp + 6, request ? 1 : 2);
	memcpy(arp + 8, b->frame->data + 6, 6);
	if (take(b, "sender"))
		memcpy(arp + 8, mac_of(b, word(b)).byte, 6);
	memcpy(arp + 14, b->source.byte + 12, 4);
	memcpy(arp + 24, b->destination.byte + 12, 4);
	if (!b->have_destination_mac)
		memset(b->frame->data, 0xff, 6);
	if (!request)
		memcpy(arp + 18, b->frame->data, 6);
}

/* ns|na|rs|ra SOURCE > TARGET: the destination follows from the kind. */
static void nd_words(struct builder *b, uint8_t type)
{
	struct ip_address target;
	uint8_t *header;

	addresses(b, &b->source, &target);
	b->ipv4 = false;
	put16(b->frame->data + b->frame->size - 2, 0x86dd);
	b->l3 = b->frame->size;
	memset(&b->destination, 0, sizeof(b->destination));
	b->destination.byte[0] = 0xff;
	b->destination.byte[1] = 2;
	b->destination.byte[15] = type == 133 ? 2 : 1;
	if (type == 135) {
		b->destination.byte[11] = 1;
		b->destination.byte[12] = 0xff;
		memcpy(b->destination.byte + 13, target.byte + 13, 3);
	}
	ip_header(b, &b->source, &b->destination);
	b->frame->data[b->l3 + 7] = 255;
	b->protocol_at = b->l3 + 6;
	transport(b, 58);
	header = append(b, type == 133 ? 8 : 24);
	header[0] = type;
	if (type != 133)
		memcpy(header + 8, target.byte, 16);
	if (!take(b, "bare")) {
		uint8_t *option = append(b, 8);

		option[0] = type == 136 ? 2 : 1;
		option[1] = 1;
		memcpy(option + 2, b->frame->data + 6, 6);
	}
	if (!b->have_destination_mac) {
		b->frame->data[0] = b->frame->data[1] = 0x33;
		memcpy(b->frame->data + 2, b->destination.byte + 12, 4);
	}
}

/* ---- the whole ---- */

static void finish_transport(struct builder *b)
{
	uint8_t *l4 = b->frame->data + b->l4;
	size_t size = b->frame->size - b->l4;
	size_t at = b->protocol == 6 ? 16 : b->protocol == 17 ? 6 : 2;
	unsigned sum = 0;

	if (b->protocol == 17)
		put16(l4 + 4, (unsigned)size);
	if (b->protocol != 1 && b->protocol != 2) {
		size_t skip = b->ipv4 ? 12 : 0;

		sum = checksum(sum, b->source.byte + skip, 16 - skip);
		sum = checksum(sum, b->destination.byte + skip, 16 - skip);
		sum = checksum(sum, (uint8_t[]){ 0, b->protocol }, 2);
		sum = checksum(sum, (uint8_t[]){ (uint8_t)(size >> 8), (uint8_t)size }, 2);
	}
	if (b->is_igmp)
		put16(l4 + at, 0);
	put16(l4 + at, ~checksum(sum, l4, size) & 0xffff);
}

static void finish(struct builder *b)
{
	uint8_t *ip = b->frame->data + b->l3;

	if (!b->l3)
		return;
	if (b->l4 && (b->protocol == 6 || b->protocol == 17 || b->protocol == 1 ||
		      b->protocol == 58 || b->is_igmp))
		finish_transport(b);
	if (b->ipv4) {
		put16(ip + 2, (unsigned)(b->frame->size - b->l3));
		put16(ip + 10, 0);
		put16(ip + 10, ~checksum(0, ip, (ip[0] & 15) * 4u) & 0xffff);
	} else {
		put16(ip + 4, (unsigned)(b->frame->size - b->l3 - 40));
	}
}

static void hex_words(struct builder *b)
{
	const char *text = word(b);
	unsigned byte;

	for (; text[0] && text[1]; text += 2) {
		if (sscanf(text, "%2x", &byte) != 1)
			vector_fail("\"%s\" is not hexadecimal", text);
		*append(b, 1) = (uint8_t)byte;
	}
}

static void ethernet_words(struct builder *b)
{
	uint8_t *ethernet = append(b, 14);

	memcpy(ethernet + 6, b->from->mac.byte, 6);
	for (;;) {
		if (take(b, "to")) {
			memcpy(b->frame->data, mac_of(b, word(b)).byte, 6);
			b->have_destination_mac = true;
		} else if (take(b, "as")) {
			memcpy(b->frame->data + 6, mac_of(b, word(b)).byte, 6);
		} else if (take(b, "tag")) {
			put16(b->frame->data + b->frame->size - 2, 0x8100);
			put16(append(b, 4), number(b));
		} else if (take(b, "service-tag")) {
			put16(b->frame->data + b->frame->size - 2, 0x88a8);
			put16(append(b, 4), number(b));
		} else {
			return;
		}
	}
}

static void layer4_words(struct builder *b, const char *text)
{
	uint8_t *header;

	if (!strcmp(text, "tcp")) {
		transport(b, 6);
		header = append(b, 20);
		ports(b, header);
		header[12] = 0x50;
		header[13] = tcp_flags(word(b));
		if (take(b, "tcp-options")) {
			hex_words(b);
			b->frame->data[b->l4 + 12] = (uint8_t)((b->frame->size - b->l4) / 4 << 4);
		}
	} else if (!strcmp(text, "udp")) {
		transport(b, 17);
		ports(b, append(b, 8));
	} else if (!strcmp(text, "icmp")) {
		icmp_words(b);
	} else if (!strcmp(text, "about")) {
		about_words(b);
	} else if (!strcmp(text, "igmp")) {
		transport(b, 2);
		b->is_igmp = true;
		hex_words(b);
	} else if (!strcmp(text, "mld")) {
		transport(b, 58);
		header = append(b, 8);
		header[0] = (uint8_t)number(b);
		put16(header + 6, number(b));
	} else if (!strcmp(text, "protocol")) {
		transport(b, (uint8_t)number(b));
	} else if (!strcmp(text, "raw")) {
		/* A later fragment: bytes without a transport header. */
		b->frame->data[b->protocol_at] = (uint8_t)number(b);
	} else {
		vector_fail("no word \"%s\" in a frame", text);
	}
}

/* "probe PORT ROUND DOMAIN": what the daemon sends by a port to find loops. */
static void probe_words(struct builder *b)
{
	const struct port_object *port = world_port(b->world, word(b));
	struct loop_probe probe = {
		.oui = LOOP_OUI,
		.protocol = { 0, LOOP_PROTOCOL },
		.version = 1,
		.round = htons((uint16_t)number(b)),
		.domain = { 0, htonl(number(b)) },
	};

	if (!port)
		vector_fail("a probe of no port");
	probe.subnet_id = htonl(port->subnet_id);
	probe.port_id = htonl(port->object.id);
	put16(b->frame->data + b->frame->size - 2, LOOP_ETHERTYPE);
	memcpy(append(b, 46), &probe, sizeof(probe));
}

void frame_build(const struct world *world, const struct port_object *from, char **words,
		 size_t count, struct vector_frame *frame)
{
	struct builder b = { .world = world, .from = from, .words = words, .count = count };
	bool finished = false;

	memset(frame, 0, sizeof(*frame));
	b.frame = frame;
	b.subnet = (const struct subnet_object *)intent_object(world->intent, from->subnet_id);
	ethernet_words(&b);
	while (b.next < b.count) {
		const char *text = word(&b);
		bool spoils = !strcmp(text, "cut") || !strcmp(text, "set");

		if (spoils && !finished) {
			finish(&b);
			finished = true;
		}
		if (!strcmp(text, "cut"))
			frame->size = number(&b);
		else if (!strcmp(text, "set")) {
			unsigned at = number(&b);

			frame->data[at % VECTOR_FRAME_MAX] = (uint8_t)number(&b);
		} else if (!strcmp(text, "ip"))
			ip_words(&b);
		else if (!strcmp(text, "arp"))
			arp_words(&b);
		else if (!strcmp(text, "rs"))
			nd_words(&b, 133);
		else if (!strcmp(text, "ra"))
			nd_words(&b, 134);
		else if (!strcmp(text, "ns"))
			nd_words(&b, 135);
		else if (!strcmp(text, "na"))
			nd_words(&b, 136);
		else if (!strcmp(text, "ext"))
			extension_words(&b);
		else if (!strcmp(text, "payload"))
			append(&b, number(&b));
		else if (!strcmp(text, "segments"))
			frame->segment_size = number(&b);
		else if (!strcmp(text, "returned"))
			frame->returned = true;
		else if (!strcmp(text, "hex"))
			hex_words(&b);
		else if (!strcmp(text, "probe"))
			probe_words(&b);
		else if (!strcmp(text, "ethertype"))
			put16(frame->data + frame->size - 2, number(&b));
		else
			layer4_words(&b, text);
	}
	if (!finished)
		finish(&b);
}
