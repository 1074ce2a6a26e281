/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tunnel_inner: may a tunnel carry this packet, and which port sent it?
 *
 * VLAN tags (none, but in a segment that passes them: tags.h), ends of the tunnel inside it (a loop), sources that RFC 4213 forbids, congestion marks
 * (RFC 6040, the table of 4.2). Then the sender: connections are known by the port they come from
 * (flow.h), so a packet of another host is given the port it would have had there. In an l3 subnet that
 * is the owner of the source address; in an l2 subnet the owner of the source MAC. What is nobody's (a
 * learned station, what a middlebox forwards) is of the peer, but replies through a middlebox are of the
 * port that their connection leads to; and where one host routes all of a VPC, what it has routed is of that host's
 * peer (central.c). Whether that port is on the host that sent the packet (V8) is
 * asked when the connection is made (arrive.c); a known connection is held to the peer it was made by.
 *
 * Before: tunnel_pop.c, parse.c. Calls fragment.c. Next: flow.h, arrive.c.
 */
#include "core/checksum.h"
#include "core/tags.h"
#include "core/tunnel.h"

/* ---- checksum ---- */

/*
 * The outer sum was wrong. With an inner TCP or UDP checksum that its sender has left unfinished, the
 * outer sum is of the packet as it is to be: what the inner checksum covers then sums to the complement
 * of its pseudo header.
 */
static __always_inline int checksum_by_inner(struct frame *f, struct packet *p)
{
	__u32 field_offset = p->key.protocol == PROTOCOL_TCP ? 16 : 6;
	__u32 length = p->l3_offset + p->ip_length - p->l4_offset;
	__u32 pseudo, sum;
	__be16 *field;

	if (!(flags_inside(p) & PACKET_IP) ||
	    (flags_inside(p) & (PACKET_FRAGMENT_FIRST | PACKET_FRAGMENT_LATER)) ||
	    (p->key.protocol != PROTOCOL_TCP && p->key.protocol != PROTOCOL_UDP))
		return 0;
	if (flags_inside(p) & PACKET_IPV4) {
		pseudo = checksum_add(0, &p->key.source.word[3], 4);
		pseudo = checksum_add(pseudo, &p->key.destination.word[3], 4);
		pseudo += be16((__u16)length) + be16(p->key.protocol);
	} else {
		pseudo = checksum_pseudo6(&p->key.source, &p->key.destination, length,
					  p->key.protocol);
	}
	pseudo = checksum_fold(pseudo);
	field = frame_header(f, p->l4_offset + field_offset, 2);
	if (!field || *field != (__be16)pseudo)
		return 0;
	sum = tunnel_sum(f, p, p->l4_offset, length);
	if (sum > 0xffff)
		return 0;
	sum = p->outer_sum + (__u16)~sum + (__u16)~pseudo;
	return checksum_fold(sum) == 0xffff;
}

/* ---- what may be inside ---- */

/* The inner mark as RFC 6040 combines it with the outer one, or -1: to be dropped. */
static __always_inline int ecn_combine(__u32 inner, __u32 outer)
{
	if (inner == ECN_NOT_ECT)
		return outer == ECN_CE ? -1 : ECN_NOT_ECT;
	if (inner == ECN_CE || outer == ECN_CE)
		return ECN_CE;
	return inner == ECN_ECT0 && outer == ECN_ECT1 ? ECN_ECT1 : (int)inner;
}

static __always_inline int ecn(struct frame *f, struct packet *p)
{
	int mark = ecn_combine(p->service & ECN_MASK, p->outer_service & ECN_MASK);
	__be16 *word, old;
	__u8 *header;

	if (mark < 0)
		return VERDICT_INNER_ECN;
	if (mark == (p->service & ECN_MASK))
		return VERDICT_NEXT;
	header = frame_header(f, p->l3_offset, IPV4_SIZE);
	if (!header)
		return VERDICT_INTERNAL;
	word = (__be16 *)header;
	old = *word;
	p->service = (__u8)((p->service & ~ECN_MASK) | mark);
	if (p->flags & PACKET_IPV4) {
		header[1] = p->service;
		word = (__be16 *)(header + 10);
		*word = checksum_replace(*word, old, *(__be16 *)header);
		return VERDICT_NEXT;
	}
	old = (old & be16(0xf00f)) | be16((__u16)((__u16)p->service << 4));
	return frame_store_summed(f, p->l3_offset, &old, 2) ? VERDICT_INTERNAL : VERDICT_NEXT;
}

/* Sources that no IP-in-IP tunnel may carry (RFC 4213, 3.6; RFC 1122, 3.2.1.3). */
static __always_inline int source_is_bad(const struct packet *p)
{
	const struct address *source = &p->key.source;

	if (address_is_multicast(source) || address_is_loopback(source))
		return 1;
	if (address_is_ipv4(source))
		return source->word[3] == 0xffffffff;
	/* ::/96, but not ::, which asks for an address */
	return !source->word[0] && !source->word[1] && !source->word[2] && source->word[3];
}

static __always_inline int inner_rules(struct frame *f, struct packet *p)
{
	if (p->vlan_count)
		return VERDICT_INNER_TAGGED;
	if (!(p->flags & PACKET_IP))
		return VERDICT_NEXT;
	if (p->flags & PACKET_NO_ETHERNET) {
		if (!p->ttl)
			return VERDICT_BAD_HEADER;
		if (source_is_bad(p))
			return VERDICT_INNER_SOURCE;
	}
	if (tunnel_shares_addresses(p->outer_kind) &&
	    (address_equal(&p->key.source, &p->outer_source) ||
	     address_equal(&p->key.source, &p->outer_destination) ||
	     address_equal(&p->key.destination, &p->outer_source) ||
	     address_equal(&p->key.destination, &p->outer_destination)))
		return VERDICT_INNER_LOOP;
	return ecn(f, p);
}

/* ---- who sent it ---- */

/* The port that has this MAC for its own in the segment; 0: none. */
static __always_inline __u32 owner_of_mac(const struct packet *p)
{
	struct station_key key = { .subnet_id = p->source_subnet_id };
	struct station *station;

	mac_copy(key.mac, p->ethernet + 6);
	station = table_lookup(stations, &key);
	return station && (station->flags & STATION_STATIC) ? station->port_id : 0;
}

static __always_inline __u32 owner_of_address(const struct packet *p, const struct address *address)
{
	struct endpoint_key key = { .vpc_id = p->vpc_id, .address = *address };
	struct endpoint *endpoint = table_lookup(endpoints, &key);

	return endpoint ? endpoint->port_id : 0;
}

static __always_inline int is_on_source_host(const struct packet *p, __u32 port_id)
{
	struct port_key key = { .port_id = port_id };
	struct port *port = table_lookup(ports, &key);

	return port && port_is_at(port, p->source_host_id);
}

/*
 * A source that is nobody's: the port of that host which the receiver's connection leads to. An ICMP
 * error is about a packet of the receiver's.
 */
static __always_inline __u32 owner_by_connection(const struct packet *p)
{
	__u32 receiver = owner_of_address(p, &p->key.destination);
	struct flow_key key;
	struct flow *flow;

	if (!receiver)
		return 0;
	if (p->flags & PACKET_ICMP_ERROR) {
		key = p->inner;
		key.port_id = receiver;
	} else {
		flow_key_reverse(&p->key, receiver, &key);
	}
	flow = table_lookup(flows, &key);
	return flow && is_on_source_host(p, flow->peer_port_id) ? flow->peer_port_id : 0;
}

/* The segment is an l2 one: MACs say who sends, and addresses do of what its gateway has routed. */
static __always_inline __u32 sender_l2(const struct packet *p)
{
	__u32 port_id = owner_of_mac(p);
	struct subnet_key key = { .subnet_id = p->source_subnet_id };
	struct subnet *subnet;

	if (port_id)
		return port_id;
	subnet = table_lookup(subnets, &key);
	if (subnet && (p->flags & PACKET_IP) && mac_equal(p->ethernet + 6, subnet->gateway_mac))
		return owner_of_address(p, &p->key.source);
	return 0;
}

OUT_OF_LINE __u32 sender_unknown(const struct packet *p)
{
	__u32 port_id = p->flags & PACKET_NO_ETHERNET ? 0 : owner_of_mac(p);

	if (port_id && is_on_source_host(p, port_id))
		return port_id;
	return owner_by_connection(p);
}

/*
 * From the host that routes all of the VPC: has it been routed there? It comes from the gateway then, and not from a
 * port of that host that is in the segment itself. What gateways say by themselves is about a connection.
 */
OUT_OF_LINE int was_routed(const struct packet *p)
{
	struct subnet_key key = { .subnet_id = p->source_subnet_id };
	struct subnet *subnet = table_lookup(subnets, &key);
	struct endpoint_key endpoint_key = { .vpc_id = p->vpc_id, .address = p->key.source };
	struct endpoint *endpoint;

	if (!subnet || !(p->flags & PACKET_IP) || (p->flags & PACKET_NO_ETHERNET) ||
	    !mac_equal(p->ethernet + 6, subnet->gateway_mac))
		return 0;
	endpoint = table_lookup(endpoints, &endpoint_key);
	if (!endpoint)
		return 1;
	return endpoint->port_id && !(endpoint->subnet_id == p->source_subnet_id &&
				      is_on_source_host(p, endpoint->port_id));
}

static __always_inline __u32 sender(const struct packet *p)
{
	__u32 port_id;

	if ((p->source_flags & TUNNEL_SOURCE_ROUTER) && was_routed(p))
		return 0;
	if (!(p->flags & PACKET_NO_ETHERNET) && (p->source_flags & TUNNEL_SOURCE_L2))
		return sender_l2(p);
	if (!(p->flags & PACKET_IP))
		return 0;
	port_id = owner_of_address(p, &p->key.source);
	return port_id ? port_id : sender_unknown(p);
}

/* Many ends behind one port: is the station known to be at this one? bridge.c learns it otherwise. */
static __always_inline int end_has_moved(const struct packet *p)
{
	struct station_key key = { .subnet_id = p->source_subnet_id };
	struct station_end *end;

	mac_copy(key.mac, p->ethernet + 6);
	end = table_lookup(station_ends, &key);
	return !end || !address_equal(&end->address, &p->outer_source);
}

/* p: out of its tunnel and parsed. VERDICT_NEXT with the sender in port_id, and a later fragment has what its
 * first one had; or the drop. */
int tunnel_inner(struct frame *f, struct packet *p)
{
	__u32 port_id;
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	p->object_id = p->source_port_id;
	if ((p->outer_marks & OUTER_UNVERIFIED) && !checksum_by_inner(f, p))
		return VERDICT_OUTER_CHECKSUM;
	verdict = inner_rules(f, p);
	if (verdict)
		return verdict;
	if ((p->source_flags & TUNNEL_SOURCE_LEARN) && end_has_moved(p))
		p->flags |= PACKET_END_MOVED;
	if (p->flags & PACKET_FRAGMENT_LATER)
		verdict = fragment(f, p);
	if (verdict || !(p->flags & PACKET_FROM_PEER))
		return verdict;
	port_id = sender(p);
	if (port_id) {
		p->port_id = port_id;
		p->key.port_id = port_id;
	}
	return VERDICT_NEXT;
}
