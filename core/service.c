/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * service: questions to the host's own DNS and metadata (V46), and the answers.
 *
 * Both are served by the daemon with sockets of the kernel, in a namespace of their own that hangs on one
 * device (agent/services/services.c). A packet of a port to an address of a service gets another source there, its
 * alias: a number that says which port asks, so that tenants with the same addresses are told apart and
 * nobody can ask in another's name. The row in service_clients knows the way back. Neither rules nor
 * routes are asked (V44, V22), no connection is entered; a port may ask so many times a second.
 *
 * Before: guard.c, which has judged the source. Next: neighbour.c.
 */
#include "core/checksum.h"
#include "core/packet.h"
#include "core/police.h"

#define PORT_DNS be16(53)
#define PORT_HTTP be16(80)
#define ALIAS4_SLOT_BITS 18
/* The services' own addresses, beside the aliases; agent/services/services.c gives them to the far end. */
#define ADDRESS4 0xc0000235u /* 192.0.2.53 */
#define ADDRESS6_3 0x35u     /* fd57:6566:7400::35 */

/* Which service the packet is for by its port; 0: none. */
static __always_inline __u32 kind_of(const struct packet *p)
{
	if (p->key.destination_port == PORT_DNS &&
	    (p->key.protocol == PROTOCOL_UDP || p->key.protocol == PROTOCOL_TCP))
		return SERVICE_RESOLVER;
	if (p->key.destination_port == PORT_HTTP && p->key.protocol == PROTOCOL_TCP)
		return SERVICE_METADATA;
	return 0;
}

/* Tells apart what one port may ask with the same port number: its addresses, and those it asks. */
static __always_inline __u32 hash_of(const struct packet *p)
{
	__u32 hash = 0;

	for (__u32 i = 0; i < 4; i++)
		hash = (hash ^ p->key.source.word[i]) * 0x9e3779b1u + p->key.destination.word[i];
	hash = (hash ^ hash >> 15) * 0x85ebca6bu;
	return hash ^ hash >> 13;
}

/* The alias of who asks, and the service's address beside it. */
static __always_inline void find_alias(const struct packet *p, struct address *alias,
				       struct address *service)
{
	__u32 hash = hash_of(p);

	if (p->flags & PACKET_IPV4) {
		__u32 slot = p->port_slot & ((1u << ALIAS4_SLOT_BITS) - 1);

		hash &= (1u << SERVICE_ALIAS4_HASH_BITS) - 1;
		alias->word[0] = alias->word[1] = service->word[0] = service->word[1] = 0;
		alias->word[2] = service->word[2] = IPV4_MAPPED;
		alias->word[3] = be32(SERVICE_ALIAS4 | slot << SERVICE_ALIAS4_HASH_BITS | hash);
		service->word[3] = be32(ADDRESS4);
		return;
	}
	alias->word[0] = service->word[0] = be32(SERVICE_ALIAS6_0);
	alias->word[1] = service->word[1] = be32(SERVICE_ALIAS6_1);
	alias->word[2] = be32(p->port_slot);
	alias->word[3] = be32(hash);
	service->word[2] = 0;
	service->word[3] = be32(ADDRESS6_3);
}

/* Gives the packet other addresses; the checksums over them follow. 0 or negative. */
static __always_inline int readdress(struct frame *f, struct packet *p,
				     const struct address *source,
				     const struct address *destination)
{
	__u32 before = checksum_add(0, &p->key.source, 16), after = checksum_add(0, source, 16);
	int udp = p->key.protocol == PROTOCOL_UDP;
	__u32 difference;
	__u8 *header;

	before = checksum_fold(checksum_add(before, &p->key.destination, 16));
	after = checksum_fold(checksum_add(after, destination, 16));
	difference = checksum_fold(after + (__u16)~before);
	if (p->flags & PACKET_IPV4) {
		__be16 *checksum;

		header = frame_header(f, p->l3_offset, 20);
		if (!header)
			return -1;
		checksum = (__be16 *)(header + 10);
		*checksum = (__be16)~checksum_fold((__u32)(__u16) ~*checksum + difference);
		__builtin_memcpy(header + 12, &source->word[3], 4);
		__builtin_memcpy(header + 16, &destination->word[3], 4);
	} else {
		header = frame_header(f, p->l3_offset, 40);
		if (!header)
			return -1;
		__builtin_memcpy(header + 8, source, 16);
		__builtin_memcpy(header + 24, destination, 16);
	}
	return frame_checksum_readdressed(f, p->l4_offset + (udp ? 6 : 16), difference, udp);
}

/* Is it an address of a service of this kind, and nobody else's in the VPC? */
static __always_inline int is_served(const struct packet *p, __u32 kind)
{
	struct service_key key = { .vpc_id = p->vpc_id, .address = p->key.destination };
	struct endpoint_key owner = { .vpc_id = p->vpc_id, .address = p->key.destination };
	struct service *service = table_lookup(services, &key);

	if (!service || !(service->kinds & kind))
		return 0;
	return !table_lookup(endpoints, &owner);
}

/* Notes who asked. 0 or negative. */
static __always_inline int remember(const struct packet *p, const struct address *alias)
{
	struct service_client_key key = {
		.alias = *alias,
		.port = p->key.source_port,
		.service_port = p->key.destination_port,
		.protocol = p->key.protocol,
	};
	struct service_client client = {
		.address = p->key.source,
		.service = p->key.destination,
		.port_id = p->port_id,
	};

	mac_copy(client.mac, p->ethernet + 6);
	return (int)table_put(service_clients, &key, &client);
}

/* p: guarded. VERDICT_SERVED with out_ifindex set and the frame rewritten; VERDICT_NEXT for what is not a
 * question to a service. The object is the port. */
int service(struct frame *f, struct packet *p)
{
	/* A unicast MAC that is the far end's, for what comes there without redirect_peer. */
	__u8 ethernet[12] = { 0x06, 0x57, 0, 0, 0, 0, 0x06, 0x57, 0, 0, 0, 1 };
	struct slot_key slot, zero = { .slot = 0 };
	struct address alias, address;
	struct datapath_state *shared;
	struct port_stats *stats;
	__u32 kind;

	if (!p)
		return VERDICT_INTERNAL;
	if ((p->flags & (PACKET_IP | PACKET_FROM_TUNNEL)) != PACKET_IP)
		return VERDICT_NEXT;
	kind = kind_of(p);
	if (!kind || !is_served(p, kind))
		return VERDICT_NEXT;
	if (!(p->flags & PACKET_NO_ETHERNET) && !mac_equal(p->ethernet, p->gateway_mac))
		return VERDICT_NEXT;
	p->object_id = p->port_id;
	if (p->flags & (PACKET_FRAGMENT_FIRST | PACKET_FRAGMENT_LATER))
		return VERDICT_SERVICE_FRAGMENT;
	slot.slot = p->port_slot;
	shared = table_lookup(state, &zero);
	stats = table_lookup(port_stats, &slot);
	/* A daemon that was killed took the device with it, and the row does not say so. */
	if (!shared || !stats || !frame_device_there(f, (__u32)shared->service_ifindex))
		return VERDICT_SERVICE_DOWN;
	if (!bucket_take(&stats->service_tokens, (__u32)shared->service_rate, p->now)) {
		atomic_add(&stats->service_excess, 1);
		return VERDICT_SERVICE_LIMIT;
	}
	find_alias(p, &alias, &address);
	if (remember(p, &alias) || readdress(f, p, &alias, &address) ||
	    frame_store(f, 0, ethernet, 12))
		return VERDICT_INTERNAL;
	p->out_ifindex = (__u32)shared->service_ifindex;
	p->out_kind = PORT_VETH;
	note(f, kind == SERVICE_RESOLVER ? NOTE_SERVICE_RESOLVER : NOTE_SERVICE_METADATA, 0);
	return VERDICT_SERVED;
}

/* The port that waits for this answer, and its device. */
static __always_inline int find_client(struct packet *p, const struct service_client *client)
{
	struct port_key key = { .port_id = client->port_id };
	struct port *port = table_lookup(ports, &key);
	struct subnet_key subnet_key;
	struct subnet *subnet;

	p->object_id = client->port_id;
	if (!port || !port->ifindex)
		return VERDICT_PORT_DOWN;
	subnet_key.subnet_id = port->subnet_id;
	subnet = table_lookup(subnets, &subnet_key);
	if (!subnet)
		return VERDICT_UNKNOWN_SUBNET;
	if (p->packet_length > port->mtu)
		return VERDICT_TOO_BIG;
	p->vpc_id = port->vpc_id;
	p->out_port_id = client->port_id;
	p->out_slot = port->port_slot;
	p->out_ifindex = port->ifindex;
	p->out_kind = port_out_kind(port);
	p->out_tag = port_out_tag(port);
	mac_copy(p->ethernet_out, client->mac);
	mac_copy(p->ethernet_out + 6, subnet->gateway_mac);
	return VERDICT_NEXT;
}

/* p: parsed, of a service. VERDICT_DELIVERED with p->out_* set and the frame rewritten, or a drop. */
int service_answer(struct frame *f, struct packet *p)
{
	struct service_client_key key = {};
	struct service_client *client;
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	if (!(p->flags & PACKET_IP) ||
	    (p->key.protocol != PROTOCOL_TCP && p->key.protocol != PROTOCOL_UDP))
		return VERDICT_CONSUMED; /* the stack there looks for neighbours and groups */
	if (p->flags & (PACKET_FRAGMENT_FIRST | PACKET_FRAGMENT_LATER))
		return VERDICT_SERVICE_FRAGMENT;
	key.alias = p->key.destination;
	key.port = p->key.destination_port;
	key.service_port = p->key.source_port;
	key.protocol = p->key.protocol;
	client = table_lookup(service_clients, &key);
	if (!client)
		return VERDICT_SERVICE_STRAY;
	verdict = find_client(p, client);
	if (verdict)
		return verdict;
	if (readdress(f, p, &client->service, &client->address) ||
	    frame_store(f, 0, p->ethernet_out, 12))
		return VERDICT_INTERNAL;
	note(f, NOTE_SERVICE_ANSWER, p->out_port_id);
	return VERDICT_DELIVERED;
}
