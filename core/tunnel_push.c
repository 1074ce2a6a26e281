/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel_push: gives a packet the headers of its tunnel.
 *
 * The last step of a packet's walk: where it goes is decided, its Ethernet header is written. The frame
 * becomes an outer packet from its IP header on; the Ethernet header before it and the way out are the
 * caller's. The outer packet is never fragmented (IPv4: DF, id 0, which RFC 6864 allows then), carries the
 * inner ECN mark (RFC 6040, normal mode), a DSCP of its own or the inner one's, and as its UDP source port,
 * FlowID and flow label a number that is the same for all packets of an inner flow.
 *
 * Checksums: a tunnel may ask for one over everything. A frame that stands for several packets goes
 * without a UDP checksum then, for nobody behind can make one for each: over IPv4 every end has to take it, over
 * IPv6 those that say so. Such frames are not carried where the other end wants a sum over IPv6, nor by GRE whose
 * header says that there is one or whose packets are numbered (VERDICT_TUNNEL_SEGMENTS): the kernel takes
 * them apart behind this program, and puts the same header before each part. Ports of such segments have their
 * offloads off, and what comes in large all the same is taken apart before it is looked at (target/bpf/edge.h).
 *
 * Before: flow.h or pipeline.c, or bridge.c for each tunnel that a flooded frame goes to.
 */
#include "core/checksum.h"
#include "core/tags.h"
#include "core/tunnel.h"

#define SOURCE_PORT_FIRST 49152
#define ETHERTYPE_ERSPAN 0x88be  /* type II: draft-foschiano-erspan-03 */
#define ETHERTYPE_ERSPAN3 0x22eb /* type III */
#define ERSPAN_VERSION 0x10000000u
#define ERSPAN_TAGGED 0x1000u /* type II: the tag is in this header, and not in the frame */
#define ERSPAN_TRUNCATED 0x400u
#define ERSPAN3_ETHERNET 0x8000u
#define ERSPAN3_TO_PORT 0x8u
#define ERSPAN3_100_NS 0x2u /* granularity of the time */
#define SOURCE_PORT_MASK 0x3fff
#define HEADER_MAX (IPV6_SIZE + 20 + ETHERNET_SIZE + 4 * KEPT_TAGS_MAX)

/* What the headers are made of. */
struct plan {
	__u32 entropy;
	__u32 size;  /* of all of it, inner Ethernet included */
	__u32 inner; /* bytes of the frame behind its Ethernet header */
	__be16 type; /* inner */
	__u8 service;
	__u8 ipv6; /* outer */
	__u8 segments;
	__u8 pad[3];
};

static __always_inline __u32 mix(__u32 hash, __u32 word)
{
	hash = (hash ^ word) * 0x9e3779b1;
	return hash ^ hash >> 15;
}

/* The same for each packet of an inner flow, fragments included. */
static __always_inline __u32 entropy_of(const struct packet *p)
{
	const __u32 *mac = (const __u32 *)p->ethernet_out;
	__u32 hash = 0;

	if (!(flags_inside(p) & PACKET_IP))
		return mix(mix(mix(0, mac[0]), mac[1]), mac[2]);
	for (int i = 0; i < 4; i++)
		hash = mix(hash, p->key.source.word[i]);
	for (int i = 0; i < 4; i++)
		hash = mix(hash, p->key.destination.word[i]);
	hash = mix(hash, (__u32)p->key.source_port << 16 | p->key.destination_port);
	return mix(hash, p->key.protocol);
}

/* Kinds and flags that ask for a checksum over everything, or for numbers. */
static __always_inline int is_gre(const struct tunnel *tunnel)
{
	return tunnel->kind == TUNNEL_GRE || tunnel->kind == TUNNEL_GRETAP;
}

static __always_inline int is_summed(const struct tunnel *tunnel)
{
	return (tunnel->flags & TUNNEL_CHECKSUM) &&
	       (is_gre(tunnel) || tunnel_has_udp(tunnel->kind));
}

static __always_inline int is_numbered(const struct tunnel *tunnel)
{
	return (tunnel->flags & TUNNEL_SEQUENCE) && is_gre(tunnel);
}

static __always_inline __u32 gre_size(const struct tunnel *tunnel)
{
	return 4 + (tunnel->flags & TUNNEL_CHECKSUM ? 4 : 0) +
	       (tunnel->flags & TUNNEL_KEY ? 4 : 0) + (tunnel->flags & TUNNEL_SEQUENCE ? 4 : 0) +
	       (tunnel->flags & TUNNEL_ERSPAN ? 8 : 0) + (tunnel->flags & TUNNEL_ERSPAN3 ? 4 : 0);
}

/* Bytes between the outer IP header and what is carried; 0xffff: no such kind. */
static __always_inline __u32 kind_size(const struct tunnel *tunnel)
{
	switch (tunnel->kind) {
	case TUNNEL_VXLAN:
	case TUNNEL_GENEVE: return UDP_SIZE + 8 + ETHERNET_SIZE;
	case TUNNEL_NVGRE: return 8 + ETHERNET_SIZE;
	case TUNNEL_GRE: return gre_size(tunnel);
	case TUNNEL_GRETAP: return gre_size(tunnel) + ETHERNET_SIZE;
	case TUNNEL_IPIP:
	case TUNNEL_SIT: return 0;
	case TUNNEL_FOU: return UDP_SIZE;
	case TUNNEL_GUE: return UDP_SIZE + 4;
	default: return 0xffff;
	}
}

/* ---- may it go in ---- */

static __always_inline int carries(struct packet *p, const struct tunnel *tunnel,
				   const struct plan *plan)
{
	/* ERSPAN, of mirrors: a sensor copes with one number for the segments of one frame. */
	if (plan->segments && ((tunnel->flags & TUNNEL_CHECKSUM6) ||
			       (is_gre(tunnel) && !(tunnel->flags & TUNNEL_ERSPAN) &&
				(tunnel->flags & (TUNNEL_CHECKSUM | TUNNEL_SEQUENCE)))))
		return VERDICT_TUNNEL_SEGMENTS;
	/* BIG TCP: the outer headers cannot say how long they are. */
	if (p->ip_length > 0xffff)
		return VERDICT_TUNNEL_SEGMENTS;
	/* What is cut no longer sums to what its own checksum says. */
	if ((p->copy & COPY_CUT) && ((tunnel->flags & TUNNEL_CHECKSUM6) ||
				     (is_gre(tunnel) && (tunnel->flags & TUNNEL_CHECKSUM))))
		return VERDICT_TUNNEL_SEGMENTS;
	if (p->kept_count > KEPT_TAGS_MAX)
		return VERDICT_TOO_MANY_HEADERS;
	if (!tunnel_has_ethernet(tunnel->kind)) {
		if (!(p->flags & PACKET_IP))
			return VERDICT_TUNNEL_PAYLOAD;
		if (tunnel->kind == TUNNEL_SIT && (p->flags & PACKET_IPV4))
			return VERDICT_TUNNEL_PAYLOAD;
		if (!p->ttl)
			return VERDICT_BAD_HEADER;
	}
	if ((p->flags & PACKET_IP) && tunnel_shares_addresses(tunnel->kind) &&
	    (address_equal(&p->key.source, &p->outer_source) ||
	     address_equal(&p->key.source, &p->outer_destination) ||
	     address_equal(&p->key.destination, &p->outer_source) ||
	     address_equal(&p->key.destination, &p->outer_destination)))
		return VERDICT_INNER_LOOP;
	return VERDICT_NEXT;
}

/* The other end: the tunnel's, or where the station was learned of a segment that has many ends. */
static __always_inline void find_ends(struct packet *p, const struct tunnel *tunnel)
{
	struct port_key port_key = { .port_id = p->out_port_id };
	struct station_key key = {};
	struct station_end *end;
	struct port *port;

	p->outer_source = tunnel->local;
	p->outer_destination = tunnel->remote;
	if (!(tunnel->flags & TUNNEL_MULTICAST) || (p->ethernet_out[0] & 1))
		return;
	port = table_lookup(ports, &port_key);
	if (!port)
		return;
	key.subnet_id = port->subnet_id;
	mac_copy(key.mac, p->ethernet_out);
	end = table_lookup(station_ends, &key);
	if (end)
		p->outer_destination = end->address;
}

/* The tags of an opaque frame are to be written behind the inner Ethernet header, which gets room for them. */
static __always_inline int make_room_for_tags(struct frame *f, struct packet *p, struct plan *plan)
{
	int type = tags_off(f, p);

	plan->type = (__be16)type;
	plan->size += 4 * (p->kept_count & 3);
	return type < 0 ? -1 : 0;
}

/* The frame without a VLAN tag and, where IP alone is carried, without what the underlay has filled it up
 * with: offsets and lengths are those of an untagged frame then. */
static __always_inline int make_plain(struct frame *f, struct packet *p,
				      const struct tunnel *tunnel, struct plan *plan)
{
	if (p->kept_tag)
		return make_room_for_tags(f, p, plan);
	if (p->vlan_count) {
		if (frame_vlan_pop(f))
			return -1;
		p->l4_offset -= p->l3_offset - ETHERNET_SIZE;
		p->l3_offset = ETHERNET_SIZE;
		p->vlan_count = 0;
	}
	/* What the kernel does not cut, out of another tunnel, goes as it is: its own header says where it ends. */
	if (!tunnel_has_ethernet(tunnel->kind) && !frame_segment_size(f) &&
	    frame_length(f) > ETHERNET_SIZE + p->ip_length)
		(void)frame_resize(f, ETHERNET_SIZE + p->ip_length);
	return 0;
}

/* ---- the bytes: each puts its header at `at` and returns the place behind it ---- */

static __always_inline __u8 protocol_of(const struct packet *p, const struct tunnel *tunnel)
{
	if (tunnel_has_udp(tunnel->kind))
		return PROTOCOL_UDP;
	if (tunnel->kind == TUNNEL_IPIP || tunnel->kind == TUNNEL_SIT)
		return p->flags & PACKET_IPV4 ? PROTOCOL_IPV4 : PROTOCOL_IPV6;
	return PROTOCOL_GRE;
}

static __always_inline __u8 *put16(__u8 *at, __be16 value)
{
	*(__be16 *)at = value;
	return at + 2;
}

static __always_inline __u8 *put32(__u8 *at, __be32 value)
{
	*(__be32 *)at = value;
	return at + 4;
}

/* What is sent on has a life that ends: half of what is left of it (deliver.c). */
static __always_inline __u8 outer_ttl(const struct packet *p, const struct tunnel *tunnel)
{
	if (p->flags & PACKET_SENDING_ON)
		return p->outer_ttl / 2;
	return tunnel->ttl ? tunnel->ttl : 64;
}

static __always_inline __u8 *write_ipv4(struct packet *p, const struct tunnel *tunnel,
					const struct plan *plan)
{
	__u8 *at = p->header;

	at[0] = 0x45;
	at[1] = plan->service;
	put16(at + 2, be16((__u16)(plan->size + plan->inner)));
	put32(at + 4, be32(0x4000)); /* id 0, DF */
	at[8] = outer_ttl(p, tunnel);
	at[9] = protocol_of(p, tunnel);
	put16(at + 10, 0);
	put32(at + 12, p->outer_source.word[3]);
	put32(at + 16, p->outer_destination.word[3]);
	put16(at + 10, (__be16)~checksum_fold(checksum_add(0, at, IPV4_SIZE)));
	return at + IPV4_SIZE;
}

static __always_inline __u8 *write_ipv6(struct packet *p, const struct tunnel *tunnel,
					const struct plan *plan)
{
	__u32 label = tunnel->flags & TUNNEL_NO_ENTROPY ? 0 : plan->entropy & 0xfffff;
	__u8 *at = p->header;

	put32(at, be32(0x60000000 | (__u32)plan->service << 20 | label));
	put16(at + 4, be16((__u16)(plan->size - IPV6_SIZE + plan->inner)));
	at[6] = protocol_of(p, tunnel);
	at[7] = outer_ttl(p, tunnel);
	__builtin_memcpy(at + 8, &p->outer_source, 16);
	__builtin_memcpy(at + 24, &p->outer_destination, 16);
	return at + IPV6_SIZE;
}

static __always_inline __u8 *write_udp(__u8 *at, const struct tunnel *tunnel,
				       const struct plan *plan)
{
	__u32 ip = plan->ipv6 ? IPV6_SIZE : IPV4_SIZE;
	__u16 source = SOURCE_PORT_FIRST + (plan->entropy & SOURCE_PORT_MASK);

	put16(at, tunnel->flags & TUNNEL_NO_ENTROPY ? tunnel->source_port : be16(source));
	put16(at + 2, tunnel->destination_port);
	put16(at + 4, be16((__u16)(plan->size - ip + plan->inner)));
	put16(at + 6, 0);
	return at + UDP_SIZE;
}

/* What a sensor is told of the copy: session, tag, whether it was cut; type II which port it is of, as the index;
 * type III when it was seen, and in which direction. */
static __always_inline __u8 *write_erspan(const struct packet *p, __u8 *at,
					  const struct tunnel *tunnel)
{
	__u32 word = (p->copy_tag & 0xfff) << 16 | (p->copy_tag & 0xe000) | (tunnel->id & 0x3ff);

	word |= p->copy & COPY_CUT ? ERSPAN_TRUNCATED : 0;
	if (!(tunnel->flags & TUNNEL_ERSPAN3)) {
		word |= ERSPAN_VERSION | (p->copy_tag ? ERSPAN_TAGGED : 0);
		return put32(put32(at, be32(word)), be32(p->port_id & 0xfffff));
	}
	at = put32(at, be32(2 * ERSPAN_VERSION | word));
	at = put32(at, be32((__u32)(clock_exact_ns() / 100)));
	return put32(at, be32(ERSPAN3_ETHERNET | (tunnel->hardware_id & 0x3f) << 4 |
			      (p->copy & COPY_TO ? ERSPAN3_TO_PORT : 0) | ERSPAN3_100_NS));
}

static __always_inline __u8 *write_gre(struct packet *p, __u8 *at, const struct tunnel *tunnel,
				       const struct plan *plan)
{
	__u16 flags = 0;
	__be16 type = tunnel->kind == TUNNEL_GRETAP ? be16(ETHERTYPE_TEB) : plan->type;

	if (tunnel->flags & TUNNEL_ERSPAN)
		type = tunnel->flags & TUNNEL_ERSPAN3 ? be16(ETHERTYPE_ERSPAN3)
						      : be16(ETHERTYPE_ERSPAN);
	if (tunnel->flags & TUNNEL_CHECKSUM)
		flags |= GRE_CHECKSUM;
	if (tunnel->flags & TUNNEL_KEY)
		flags |= GRE_KEY;
	if (tunnel->flags & TUNNEL_SEQUENCE)
		flags |= GRE_SEQUENCE;
	at = put16(put16(at, be16(flags)), type);
	if (tunnel->flags & TUNNEL_CHECKSUM)
		at = put32(at, 0);
	if (tunnel->flags & TUNNEL_KEY)
		at = put32(at, be32(tunnel->id));
	if (tunnel->flags & TUNNEL_SEQUENCE)
		at = put32(at, be32(p->sequence));
	return tunnel->flags & TUNNEL_ERSPAN ? write_erspan(p, at, tunnel) : at;
}

/* The header of the kind, and the inner Ethernet header behind it where there is one. */
static __always_inline void write_kind(struct packet *p, __u8 *at, const struct tunnel *tunnel,
				       const struct plan *plan)
{
	__u32 flow_id = tunnel->flags & TUNNEL_NO_ENTROPY ? 0 : plan->entropy & 0xff;

	if (tunnel_has_udp(tunnel->kind))
		at = write_udp(at, tunnel, plan);
	switch (tunnel->kind) {
	case TUNNEL_VXLAN:
		at = put32(put32(at, be32((__u32)VXLAN_ID_VALID << 24)), be32(tunnel->id << 8));
		break;
	case TUNNEL_GENEVE:
		at = put32(put32(at, be32(ETHERTYPE_TEB)), be32(tunnel->id << 8));
		break;
	case TUNNEL_NVGRE:
		at = put32(at, be32((__u32)GRE_KEY << 16 | ETHERTYPE_TEB));
		at = put32(at, be32(tunnel->id << 8 | flow_id));
		break;
	case TUNNEL_GRE:
	case TUNNEL_GRETAP: at = write_gre(p, at, tunnel, plan); break;
	case TUNNEL_GUE:
		at = put32(at,
			   be32((p->flags & PACKET_IPV4 ? PROTOCOL_IPV4 : PROTOCOL_IPV6) << 16));
		break;
	default: break;
	}
	if (!tunnel_has_ethernet(tunnel->kind))
		return;
	__builtin_memcpy(at, p->ethernet_out, 12);
	put16(at + 12 + 4 * (p->kept_count & 3), plan->type);
}

/* ---- checksum ---- */

/*
 * The sum of everything behind the outer IP header. Where an inner TCP or UDP checksum is right, what it
 * covers sums to the complement of its pseudo header; one that the sender has left unfinished will be
 * right when the frame leaves (RFC 1071's sum does not care who adds first). So the payload of such
 * packets is not read.
 */
static __always_inline __u32 sum_all(struct frame *f, struct packet *p, const struct plan *plan,
				     __u32 offset)
{
	__u32 end = ETHERNET_SIZE + plan->size + plan->inner;
	__u32 l4 = p->l4_offset + plan->size;
	__u32 length = p->l3_offset + p->ip_length - p->l4_offset;
	__u32 padding, pseudo, sum;
	__be16 *field;

	if (!(flags_inside(p) & PACKET_IP) ||
	    (flags_inside(p) & (PACKET_FRAGMENT_FIRST | PACKET_FRAGMENT_LATER)) ||
	    (p->key.protocol != PROTOCOL_TCP && p->key.protocol != PROTOCOL_UDP))
		return tunnel_sum(f, p, offset, end - offset);
	field = frame_header(f, l4 + (p->key.protocol == PROTOCOL_TCP ? 16 : 6), 2);
	if (!field || !*field)
		return tunnel_sum(f, p, offset, end - offset);
	if (flags_inside(p) & PACKET_IPV4) {
		pseudo = checksum_add(0, &p->key.source.word[3], 4);
		pseudo = checksum_add(pseudo, &p->key.destination.word[3], 4);
		pseudo += be16((__u16)length) + be16(p->key.protocol);
	} else {
		pseudo = checksum_pseudo6(&p->key.source, &p->key.destination, length,
					  p->key.protocol);
	}
	sum = tunnel_sum(f, p, offset, l4 - offset);
	padding = end - (l4 + length);
	if (padding) {
		padding = tunnel_sum(f, p, l4 + length, padding);
		/* Behind an odd number of bytes the halves of each word change places. */
		sum += length & 1 ? checksum_fold(padding << 8) : padding;
	}
	return checksum_fold(sum + (__u16)~checksum_fold(pseudo));
}

static __always_inline int write_checksum(struct frame *f, struct packet *p,
					  const struct tunnel *tunnel, const struct plan *plan)
{
	__u32 ip = plan->ipv6 ? IPV6_SIZE : IPV4_SIZE;
	__u32 offset = ETHERNET_SIZE + ip;
	int udp = tunnel_has_udp(tunnel->kind);
	__u32 sum = sum_all(f, p, plan, offset);
	__be16 checksum;

	if (sum > 0xffff)
		return -1;
	if (udp && plan->ipv6)
		sum += checksum_pseudo6(&p->outer_source, &p->outer_destination,
					plan->size - ip + plan->inner, PROTOCOL_UDP);
	if (udp && !plan->ipv6) {
		sum = checksum_add(sum, &p->outer_source.word[3], 4);
		sum = checksum_add(sum, &p->outer_destination.word[3], 4);
		sum += be16((__u16)(plan->size - ip + plan->inner)) + be16(PROTOCOL_UDP);
	}
	checksum = (__be16)~checksum_fold(sum);
	if (udp && !checksum)
		checksum = 0xffff;
	return (int)frame_store(f, offset + (udp ? 6 : 4), &checksum, 2);
}

/* ---- the whole ---- */

static __always_inline void plan_headers(struct frame *f, struct packet *p,
					 const struct tunnel *tunnel, struct plan *plan)
{
	plan->ipv6 = !address_is_ipv4(&p->outer_destination);
	plan->size = (plan->ipv6 ? IPV6_SIZE : IPV4_SIZE) + kind_size(tunnel);
	plan->segments = frame_segment_size(f) != 0;
	plan->entropy = entropy_of(p);
	plan->type = p->ethertype;
	plan->service = (__u8)(tunnel->flags & TUNNEL_COPY_DSCP && (p->flags & PACKET_IP)
				       ? p->service & ~ECN_MASK
				       : tunnel->dscp << 2);
	if (p->flags & PACKET_IP)
		plan->service |= p->service & ECN_MASK;
}

static __always_inline __u32 carrier_of(const struct packet *p, const struct tunnel *tunnel,
					int ipv6, __u32 size)
{
	__u32 how = ipv6 ? FRAME_OUTER_IPV6 : 0;

	if (p->flags & PACKET_IP)
		how |= p->flags & PACKET_IPV4 ? FRAME_INNER_IPV4 : FRAME_INNER_IPV6;
	if (tunnel_has_udp(tunnel->kind))
		how |= FRAME_UDP;
	else if (tunnel->kind != TUNNEL_IPIP && tunnel->kind != TUNNEL_SIT)
		how |= FRAME_GRE;
	if (tunnel_has_ethernet(tunnel->kind))
		how |= FRAME_ETHERNET;
	how |= (p->kept_count & 3) * FRAME_TAG;
	/* As it has come, but for a checksum: what the kernel knows of the headers is still so. */
	if ((p->flags & PACKET_FROM_TUNNEL) && p->outer_size == size &&
	    p->outer_kind == tunnel->kind && !(p->outer_marks & OUTER_SUMMED))
		how |= FRAME_AGAIN;
	return how;
}

static __always_inline int take_number(struct packet *p)
{
	struct tunnel_key key = { .tunnel_id = p->out_ifindex };
	struct tunnel_sequence *row = table_lookup(tunnel_sequences, &key);

	if (!row)
		return -1;
	p->sequence = atomic_fetch_add32(&row->next, 1);
	return 0;
}

/*
 * Into tunnel p->out_ifindex. p: ethernet_out is the inner Ethernet header, what parse has read is of the
 * frame. VERDICT_DELIVERED with PACKET_TO_UNDERLAY, outer_source and outer_destination; or the drop.
 */
int tunnel_push(struct frame *f, struct packet *p)
{
	struct tunnel_key key = {};
	struct plan plan = {};
	struct tunnel *tunnel;
	__u32 how;
	__u8 *at;
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	key.tunnel_id = p->out_ifindex;
	tunnel = table_lookup(tunnels, &key);
	p->object_id = p->out_port_id;
	if (!tunnel)
		return VERDICT_NO_TUNNEL;
	find_ends(p, tunnel);
	plan_headers(f, p, tunnel, &plan);
	plan.size = verifier_forget(p, plan.size);
	verdict = carries(p, tunnel, &plan);
	if (verdict)
		return verdict;
	if (make_plain(f, p, tunnel, &plan))
		return VERDICT_INTERNAL;
	if (plan.size > HEADER_MAX)
		return VERDICT_NO_TUNNEL;
	if (!p->kept_tag && p->key.protocol == PROTOCOL_TCP && (p->tcp_flags & TCP_SYN) &&
	    !(p->flags & PACKET_FRAGMENT_LATER))
		tcp_mss_clamp(f, p, tunnel->mtu);
	plan.inner = frame_length(f) - ETHERNET_SIZE;
	if (plan.size + plan.inner > 0xffff)
		return VERDICT_TOO_BIG;
	if (is_numbered(tunnel) && take_number(p))
		return VERDICT_NO_TUNNEL;
	how = verifier_forget(p, carrier_of(p, tunnel, plan.ipv6, plan.size));
	if (frame_encapsulate(f, plan.size, how))
		return VERDICT_INTERNAL;
	at = plan.ipv6 ? write_ipv6(p, tunnel, &plan) : write_ipv4(p, tunnel, &plan);
	write_kind(p, at, tunnel, &plan);
	if (p->kept_tag)
		tags_write(f, p, plan.size);
	if (frame_store_some(f, ETHERNET_SIZE, p->header, plan.size, HEADER_MAX))
		return VERDICT_INTERNAL;
	if (is_summed(tunnel) && !plan.segments && !(p->copy & COPY_CUT) &&
	    write_checksum(f, p, tunnel, &plan))
		return VERDICT_INTERNAL;
	if (tunnel->flags & TUNNEL_SHAPED)
		p->out_kind |= OUT_SHAPED;
	p->outer_size = plan.size;
	p->flags |= PACKET_TO_UNDERLAY;
	note(f, NOTE_TUNNEL_TO, p->out_port_id);
	return VERDICT_DELIVERED;
}

/* Takes the headers off again that tunnel_push has just put on: a flooded frame goes on to the next member.
 * 0 or negative. */
int tunnel_unpush(struct frame *f, struct packet *p)
{
	__u32 how = 0;
	__be16 type;

	if (!p)
		return -1;
	type = p->ethertype;
	if (flags_inside(p) & PACKET_IP)
		how = flags_inside(p) & PACKET_IPV4 ? FRAME_INNER_IPV4 : FRAME_INNER_IPV6;
	if (!address_is_ipv4(&p->outer_destination))
		how |= FRAME_OUTER_IPV6;
	if (p->kept_tag && frame_load(f, ETHERNET_SIZE + p->outer_size - 2, &type, 2))
		return -1;
	__builtin_memcpy(p->header, p->ethernet_out, 12);
	*(__be16 *)(p->header + 12) = type;
	p->flags &= ~(__u32)PACKET_TO_UNDERLAY;
	if (frame_decapsulate(f, p->outer_size, how) || frame_store(f, 0, p->header, ETHERNET_SIZE))
		return -1;
	return p->kept_tag ? tags_on(f, p) : 0;
}

/* Where an answer goes: to the port that sent the packet, by its own segment; the peer's where the sender
 * is nobody's port. */
static __always_inline void answer_to(struct packet *p)
{
	struct port_key key = { .port_id = p->port_id };
	struct subnet_key subnet_key = {};
	struct port *port = table_lookup(ports, &key);
	struct subnet *subnet;

	p->out_ifindex = p->source_tunnel_id;
	if (!port || !port->tunnel_id || p->port_id == p->source_port_id)
		return;
	p->out_ifindex = port->tunnel_id;
	mac_copy(p->ethernet_out, port->mac);
	subnet_key.subnet_id = port->subnet_id;
	subnet = table_lookup(subnets, &subnet_key);
	if (subnet)
		mac_copy(p->ethernet_out + 6, subnet->gateway_mac);
}

/*
 * The frame has become an answer to what came through a tunnel (PACKET_REPLY) and goes back into it. 0, or
 * negative; then PACKET_REPLY is off and the frame is of no use.
 */
int tunnel_reply(struct frame *f, struct packet *p)
{
	__u32 object_id, out_port_id;
	__u8 protocol;
	int verdict;

	if (!p)
		return -1;
	object_id = p->object_id;
	out_port_id = p->out_port_id;
	protocol = p->key.protocol;
	if (frame_load(f, 0, p->ethernet_out, 12))
		return -1;
	answer_to(p);
	p->out_port_id = p->port_id;
	p->out_kind = PORT_TUNNEL;
	p->ip_length = frame_length(f) - ETHERNET_SIZE;
	p->key.protocol = p->flags & PACKET_IPV4 ? PROTOCOL_ICMP : PROTOCOL_ICMPV6;
	p->service = 0;
	p->ttl = 64;
	verdict = tunnel_push(f, p);
	p->object_id = object_id;
	p->out_port_id = out_port_id;
	p->key.protocol = protocol;
	if (verdict == VERDICT_DELIVERED)
		return 0;
	p->flags &= ~(__u32)PACKET_REPLY;
	return -1;
}
