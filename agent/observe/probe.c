/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames for `weft trace`; see probe.h.
 *
 * Headers are laid down byte by byte at fixed offsets, so that no struct has to match the wire. The
 * checksum of TCP, UDP and ICMPv6 covers a pseudo header that is summed apart.
 */
#include "agent/observe/probe.h"

#include <errno.h>
#include <net/ethernet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/big_endian.h"
#include "base/checksum.h"
#include "base/hex.h"

#define ETHERNET_SIZE 14
#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define TCP_SIZE 20
#define UDP_OR_ICMP_SIZE 8
#define PACKET_SIZE_MAX 65535
#define TCP_SYN 0x02
#define TCP_ACK 0x10
#define ICMP_NS 135

static void put_ethernet(uint8_t *frame, const struct mac_address *destination,
			 const struct mac_address *source, uint32_t type)
{
	memcpy(frame, destination->byte, 6);
	memcpy(frame + 6, source->byte, 6);
	put_be16(frame + 12, type);
}

static void put_ipv4(uint8_t *ip, const struct probe *probe, size_t size)
{
	memset(ip, 0, IPV4_SIZE);
	ip[0] = 0x45;
	put_be16(ip + 2, (uint32_t)size);
	put_be16(ip + 6, 0x4000);
	ip[8] = 64;
	ip[9] = probe->protocol;
	memcpy(ip + 12, probe->source.byte + 12, 4);
	memcpy(ip + 16, probe->destination.byte + 12, 4);
	put_be16(ip + 10, checksum(ip, IPV4_SIZE));
}

static void put_ipv6(uint8_t *ip, const struct ip_address *source,
		     const struct ip_address *destination, uint8_t protocol, uint8_t hop_limit,
		     size_t payload)
{
	memset(ip, 0, IPV6_SIZE);
	ip[0] = 0x60;
	put_be16(ip + 4, (uint32_t)payload);
	ip[6] = protocol;
	ip[7] = hop_limit;
	memcpy(ip + 8, source->byte, 16);
	memcpy(ip + 24, destination->byte, 16);
}

static size_t transport_size(uint8_t protocol)
{
	switch (protocol) {
	case IPPROTO_TCP: return TCP_SIZE;
	case IPPROTO_UDP:
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6: return UDP_OR_ICMP_SIZE;
	default: return 0;
	}
}

/* @data is zero and @size bytes long, at least transport_size(). */
static void put_transport(uint8_t *data, size_t size, const struct probe *probe)
{
	const struct ip_address *source = &probe->source, *destination = &probe->destination;

	switch (probe->protocol) {
	case IPPROTO_TCP:
		put_be16(data, probe->source_port);
		put_be16(data + 2, probe->destination_port);
		data[7] = 1; /* sequence number */
		data[12] = TCP_SIZE / 4 << 4;
		data[13] = probe->answers ? TCP_SYN | TCP_ACK : TCP_SYN;
		data[11] = probe->answers ? 2 : 0; /* acknowledges the sequence number 1 */
		put_be16(data + 14, 64240);        /* window */
		put_be16(data + 16,
			 checksum_transport(source, destination, IPPROTO_TCP, data, size));
		break;
	case IPPROTO_UDP:
		put_be16(data, probe->source_port);
		put_be16(data + 2, probe->destination_port);
		put_be16(data + 4, (uint32_t)size);
		put_be16(data + 6, checksum_udp(source, destination, data, size));
		break;
	case IPPROTO_ICMP:
		data[0] = probe->icmp_type;
		data[1] = probe->icmp_code;
		put_be16(data + 4, probe->source_port); /* identifier */
		data[7] = 1;                            /* sequence number */
		put_be16(data + 2, checksum(data, size));
		break;
	case IPPROTO_ICMPV6:
		data[0] = probe->icmp_type;
		data[1] = probe->icmp_code;
		put_be16(data + 4, probe->source_port);
		data[7] = 1;
		put_be16(data + 2,
			 checksum_transport(source, destination, IPPROTO_ICMPV6, data, size));
		break;
	default: break;
	}
}

int probe_build(const struct probe *probe, uint8_t *frame, size_t room, size_t *size,
		struct error *error)
{
	bool ipv4 = ip_address_is_ipv4(&probe->source);
	size_t ip_size = ipv4 ? IPV4_SIZE : IPV6_SIZE;
	size_t smallest = ip_size + transport_size(probe->protocol);
	size_t packet = probe->size ? probe->size : smallest;
	size_t largest = ipv4 ? PACKET_SIZE_MAX : PACKET_SIZE_MAX + IPV6_SIZE;

	if (ip_address_is_ipv4(&probe->destination) != ipv4)
		return error_set(error, EINVAL, NULL,
				 "source and destination are of different address families");
	if (packet < smallest)
		return error_set(error, EMSGSIZE, NULL, "the headers alone are %zu bytes",
				 smallest);
	if (packet > largest || packet + ETHERNET_SIZE > room)
		return error_set(error, EMSGSIZE, NULL, "no IP packet is %zu bytes long", packet);
	memset(frame, 0, ETHERNET_SIZE + packet);
	put_ethernet(frame, &probe->destination_mac, &probe->source_mac,
		     ipv4 ? ETHERTYPE_IP : ETHERTYPE_IPV6);
	if (ipv4)
		put_ipv4(frame + ETHERNET_SIZE, probe, packet);
	else
		put_ipv6(frame + ETHERNET_SIZE, &probe->source, &probe->destination,
			 probe->protocol, 64, packet - IPV6_SIZE);
	put_transport(frame + ETHERNET_SIZE + ip_size, packet - ip_size, probe);
	*size = ETHERNET_SIZE + packet;
	return 0;
}

size_t probe_build_arp(const struct mac_address *mac, const struct ip_address *source,
		       const struct ip_address *target, uint8_t *frame)
{
	const struct mac_address broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };
	uint8_t *arp = frame + ETHERNET_SIZE;

	memset(frame, 0, ETHERNET_SIZE + 28);
	put_ethernet(frame, &broadcast, mac, ETHERTYPE_ARP);
	put_be16(arp, 1);
	put_be16(arp + 2, ETHERTYPE_IP);
	arp[4] = 6;
	arp[5] = 4;
	put_be16(arp + 6, 1); /* request */
	memcpy(arp + 8, mac->byte, 6);
	memcpy(arp + 14, source->byte + 12, 4);
	memcpy(arp + 24, target->byte + 12, 4);
	return ETHERNET_SIZE + 28;
}

size_t probe_build_nd(const struct mac_address *mac, const struct ip_address *source,
		      const struct ip_address *target, uint8_t *frame)
{
	/* To the solicited-node group of the target (RFC 4291, section 2.7.1). */
	struct ip_address group = { { 0xff, 0x02, [11] = 0x01, [12] = 0xff } };
	struct mac_address group_mac = { { 0x33, 0x33, 0xff } };
	uint8_t *ip = frame + ETHERNET_SIZE, *message = ip + IPV6_SIZE;
	const size_t message_size = 32; /* with the source link-layer address option */

	memcpy(group.byte + 13, target->byte + 13, 3);
	memcpy(group_mac.byte + 3, target->byte + 13, 3);
	memset(frame, 0, ETHERNET_SIZE + IPV6_SIZE + message_size);
	put_ethernet(frame, &group_mac, mac, ETHERTYPE_IPV6);
	put_ipv6(ip, source, &group, IPPROTO_ICMPV6, 255, message_size);
	message[0] = ICMP_NS;
	memcpy(message + 8, target->byte, 16);
	message[24] = 1; /* option: source link-layer address, in units of 8 bytes */
	message[25] = 1;
	memcpy(message + 26, mac->byte, 6);
	put_be16(message + 2,
		 checksum_transport(source, &group, IPPROTO_ICMPV6, message, message_size));
	return ETHERNET_SIZE + IPV6_SIZE + message_size;
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

/* The IP header of a whole packet: addresses the other way round. Return: its bytes, 0 if it is none. */
static size_t reply_ip(const uint8_t *ip, size_t room, bool ipv4, struct probe *reply)
{
	static const struct ip_address mapped = { { [10] = 0xff, [11] = 0xff } };

	if (room < (size_t)(ipv4 ? IPV4_SIZE : IPV6_SIZE))
		return 0;
	if (!ipv4) {
		memcpy(reply->source.byte, ip + 24, 16);
		memcpy(reply->destination.byte, ip + 8, 16);
		reply->protocol = ip[6];
		reply->size = IPV6_SIZE + (size_t)get16(ip + 4);
		return IPV6_SIZE;
	}
	reply->source = reply->destination = mapped;
	memcpy(reply->source.byte + 12, ip + 16, 4);
	memcpy(reply->destination.byte + 12, ip + 12, 4);
	reply->protocol = ip[9];
	reply->size = get16(ip + 2);
	/* An offset or more to come: not all of it is here. */
	return get16(ip + 6) & 0x3fff ? 0 : (size_t)(ip[0] & 15) * 4;
}

static int reply_transport(const uint8_t *data, size_t room, struct probe *reply)
{
	if (transport_size(reply->protocol) == 0 || room < transport_size(reply->protocol))
		return -EINVAL;
	switch (reply->protocol) {
	case IPPROTO_ICMP:
	case IPPROTO_ICMPV6:
		if (data[0] != (reply->protocol == IPPROTO_ICMP ? 8 : 128) || data[1])
			return -EINVAL;
		reply->icmp_type = reply->protocol == IPPROTO_ICMP ? 0 : 129;
		reply->source_port = get16(data + 4);
		return 0;
	case IPPROTO_TCP:
		if ((data[13] & 0x3f) != TCP_SYN)
			return -EINVAL;
		reply->answers = true;
		break;
	default: break;
	}
	reply->size = 0;
	reply->source_port = get16(data + 2);
	reply->destination_port = get16(data);
	return 0;
}

int probe_reply(const uint8_t *request, size_t request_size, struct probe *reply)
{
	const uint8_t *ip = request + ETHERNET_SIZE;
	size_t size;
	bool ipv4;

	*reply = (struct probe){ 0 };
	if (request_size < ETHERNET_SIZE + IPV4_SIZE)
		return -EINVAL;
	ipv4 = get16(request + 12) == ETHERTYPE_IP;
	if (!ipv4 && get16(request + 12) != ETHERTYPE_IPV6)
		return -EINVAL;
	memcpy(reply->source_mac.byte, request, 6);
	memcpy(reply->destination_mac.byte, request + 6, 6);
	size = reply_ip(ip, request_size - ETHERNET_SIZE, ipv4, reply);
	if (size < IPV4_SIZE || size > request_size - ETHERNET_SIZE)
		return -EINVAL;
	return reply_transport(ip + size, request_size - ETHERNET_SIZE - size, reply);
}

/* A number up to @most, and behind it @end or the end of the text. Return: where it ends, or NULL. */
static const char *read_number(const char *text, long most, char end, long *value)
{
	char *rest;

	if (*text < '0' || *text > '9')
		return NULL;
	*value = strtol(text, &rest, 10);
	return *value > most || (*rest && *rest != end) ? NULL : rest;
}

int probe_tag_add(struct probe_tags *tags, const char *text, struct error *error)
{
	static const char provider[] = "802.1ad:";
	uint32_t type = ETHERTYPE_VLAN;
	long id = 0, priority = 0;
	const char *at = text;

	if (tags->count == PROBE_TAGS_MAX)
		return error_set(error, EINVAL, "vlan", "a frame here has %d tags at most",
				 PROBE_TAGS_MAX);
	if (strncmp(at, provider, strlen(provider)) == 0) {
		at += strlen(provider);
		type = 0x88a8;
	}
	at = read_number(at, 4094, '/', &id);
	if (at && *at)
		at = read_number(at + 1, 7, '\0', &priority);
	if (!at)
		return error_set(error, EINVAL, "vlan",
				 "\"%s\" is no tag: 300, 300/5 with a priority, or 802.1ad:300",
				 text);
	tags->tag[tags->count++] = type << 16 | (uint32_t)priority << 13 | (uint32_t)id;
	return 0;
}

int probe_tags_put(const struct probe_tags *tags, uint8_t *frame, size_t room, size_t *size)
{
	const size_t more = 4 * tags->count;

	if (*size < ETHERNET_SIZE || *size + more > room)
		return -EMSGSIZE;
	memmove(frame + 12 + more, frame + 12, *size - 12);
	for (size_t i = 0; i < tags->count; i++) {
		put_be16(frame + 12 + 4 * i, tags->tag[i] >> 16);
		put_be16(frame + 14 + 4 * i, tags->tag[i] & 0xffff);
	}
	*size += more;
	return 0;
}

void probe_tags_take(struct probe_tags *tags, uint8_t *frame, size_t *size)
{
	*tags = (struct probe_tags){ 0 };
	while (tags->count < PROBE_TAGS_MAX && *size >= ETHERNET_SIZE + 4) {
		const uint32_t type = get16(frame + 12);

		if (type != ETHERTYPE_VLAN && type != 0x88a8)
			return;
		tags->tag[tags->count++] = type << 16 | get16(frame + 14);
		memmove(frame + 12, frame + 16, *size - 16);
		*size -= 4;
	}
}

int probe_parse_hex(const char *text, uint8_t *frame, size_t room, size_t *size,
		    struct error *error)
{
	size_t count = 0;

	while (*text) {
		int byte;

		if (*text == ' ' || *text == ':' || *text == '\n' || *text == '\t') {
			text++;
			continue;
		}
		byte = hex_byte(text);
		if (byte < 0)
			return error_set(error, EINVAL, NULL,
					 "byte %zu of the frame is not two hexadecimal digits",
					 count + 1);
		if (count == room)
			return error_set(error, EMSGSIZE, NULL, "no frame is longer than %zu bytes",
					 room);
		frame[count++] = (uint8_t)byte;
		text += 2;
	}
	if (count == 0)
		return error_set(error, EINVAL, NULL, "the frame is empty");
	*size = count;
	return 0;
}
