/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * icmp: the messages that the router of a VPC sends by itself.
 *
 * The gateway's echo reply (V10), "too big" (V12: ICMP type 3 code 4, ICMPv6 type 2) from the gateway's address to the
 * sender of a packet that the receiver's device cannot take, and "time exceeded" (11, 3) where a VPC has a router that
 * lowers the TTL. All are made in the frame that came in, which then goes back to where it came from (PACKET_REPLY). ICMP errors are
 * limited per port, as RFC 1812 (4.3.2.8) and RFC 4443 (2.4 f) ask, and never answer an ICMP error.
 *
 * Callers: route.c, deliver.c, central.c.
 */
#include "core/checksum.h"
#include "core/packet.h"
#include "core/police.h"

/* Of the packet that could not be delivered, so much is quoted: with IPv6's header, 8 bytes of the
 * transport header at the least, and a whole TCP header with it. */
#define QUOTE_SIZE 104

struct icmp_quote4 {
	__u8 ethernet[14];
	/* IPv4 */
	__u8 version_length, service;
	__be16 length, id, fragment;
	__u8 ttl, protocol;
	__be16 ip_checksum;
	__be16 source[2], destination[2];
	/* ICMP */
	__u8 type, code;
	__be16 checksum;
	__be16 unused, mtu;
};

struct icmp_quote6 {
	__u8 ethernet[14];
	/* IPv6 */
	__be16 version[2];
	__be16 payload_length;
	__u8 next, hop_limit;
	__u8 source[16], destination[16];
	/* ICMPv6 */
	__u8 type, code;
	__be16 checksum;
	__be16 mtu[2];
};

/* Swaps the MACs: the answer comes from whom the request was sent to. */
static __always_inline void ethernet_answer(struct packet *p, __u8 *ethernet)
{
	__builtin_memcpy(ethernet, p->ethernet + 6, 6);
	__builtin_memcpy(ethernet + 6, p->ethernet, 6);
}

/* Turns an echo request into its reply (RFC 792, RFC 4443 4.2). VERDICT_ANSWERED, or a drop. */
int icmp_echo_reply(struct frame *f, struct packet *p)
{
	int ipv4;
	__be16 *checksum;
	__u8 *header;

	if (!p)
		return VERDICT_INTERNAL;
	ipv4 = p->flags & PACKET_IPV4;
	header = frame_header(f, 0, 12);
	if (!header)
		return VERDICT_TRUNCATED;
	ethernet_answer(p, header);
	if (ipv4) {
		header = frame_header(f, p->l3_offset, 20);
		if (!header)
			return VERDICT_TRUNCATED;
		__builtin_memcpy(header + 12, &p->key.destination.word[3], 4);
		__builtin_memcpy(header + 16, &p->key.source.word[3], 4);
	} else {
		header = frame_header(f, p->l3_offset, 40);
		if (!header)
			return VERDICT_TRUNCATED;
		__builtin_memcpy(header + 8, &p->key.destination, 16);
		__builtin_memcpy(header + 24, &p->key.source, 16);
	}
	header = frame_header(f, p->l4_offset, 8);
	if (!header)
		return VERDICT_TRUNCATED;
	checksum = (__be16 *)(header + 2);
	header[0] = ipv4 ? 0 : 129;
	*checksum = checksum_replace(*checksum, be16(ipv4 ? 0x0800 : 0x8000),
				     be16(ipv4 ? 0x0000 : 0x8100));
	p->flags |= PACKET_REPLY;
	return VERDICT_ANSWERED;
}

/* The errors: "too big", or "time exceeded in transit". */
enum about { TOO_BIG, EXPIRED };

/* What is quoted of the packet. Of a short one the least that says whose it is, for not every frame can grow; an
 * unfinished checksum, which stays in the frame, is a part of that. */
static __always_inline __u32 quote_size(const struct packet *p, enum about about)
{
	if (about == TOO_BIG)
		return QUOTE_SIZE;
	return (p->flags & PACKET_IPV4 ? 28 : 48) + (p->key.protocol == PROTOCOL_TCP ? 12 : 0);
}

/*
 * quote: of QUOTE_SIZE bytes, zero, gets what is quoted; the frame has it behind room for header_size bytes of IP and
 * ICMP. It ends there, or where the kernel neither cuts nor grows the frame, which has come out of a tunnel, a little
 * later: what is left of a short packet, or zeros, follow as Ethernet's padding does. 0 or negative.
 */
static __always_inline int take_quote(struct frame *f, const struct packet *p, enum about about,
				      __u32 header_size, __u8 *quote)
{
	long failed;

	/* The least that is quoted is as long: an IP header and 8 bytes. */
	if (about == TOO_BIG)
		failed = frame_load(f, 14, quote, QUOTE_SIZE);
	else if (p->key.protocol == PROTOCOL_TCP)
		failed = frame_load(f, 14, quote, header_size + 12);
	else
		failed = frame_load(f, 14, quote, header_size);
	if (failed)
		return -1;
	if (!frame_resize(f, 14 + quote_size(p, about)) || frame_length(f) <= 14 + QUOTE_SIZE)
		return (int)frame_push(f, header_size);
	if (frame_renew(f, 14 + header_size + QUOTE_SIZE))
		return -1;
	return (int)frame_store(f, 14 + header_size, quote, QUOTE_SIZE);
}

static __always_inline int tell4(struct frame *f, struct packet *p, enum about about,
				 const struct address *source)
{
	struct icmp_quote4 message = {
		.ethernet = { [12] = 0x08, [13] = 0x00 },
		.version_length = 0x45,
		.length = be16((__u16)(28 + quote_size(p, about))),
		.ttl = 64,
		.protocol = PROTOCOL_ICMP,
		.type = about == TOO_BIG ? 3 : 11,
		.code = about == TOO_BIG ? 4 : 0,
		.mtu = be16((__u16)(about == TOO_BIG ? p->out_mtu : 0)),
	};
	__u8 quote[QUOTE_SIZE] = {};
	__u32 sum;

	ethernet_answer(p, message.ethernet);
	__builtin_memcpy(message.source, &source->word[3], 4);
	__builtin_memcpy(message.destination, &p->key.source.word[3], 4);
	message.ip_checksum = (__be16)~checksum_fold(checksum_add(0, &message.version_length, 20));
	if (take_quote(f, p, about, 28, quote))
		return -1;
	sum = checksum_add(checksum_add(0, &message.type, 8), quote, sizeof(quote));
	message.checksum = (__be16)~checksum_fold(sum);
	return frame_store(f, 0, &message, sizeof(message));
}

static __always_inline int tell6(struct frame *f, struct packet *p, enum about about,
				 const struct address *source)
{
	struct icmp_quote6 message = {
		.ethernet = { [12] = 0x86, [13] = 0xdd },
		.version = { be16(0x6000), 0 },
		.payload_length = be16((__u16)(8 + quote_size(p, about))),
		.next = PROTOCOL_ICMPV6,
		.hop_limit = 64,
		.type = about == TOO_BIG ? 2 : 3,
		.mtu = { 0, be16((__u16)(about == TOO_BIG ? p->out_mtu : 0)) },
	};
	__u8 quote[QUOTE_SIZE] = {};
	__u32 sum;

	ethernet_answer(p, message.ethernet);
	__builtin_memcpy(message.source, source, 16);
	__builtin_memcpy(message.destination, &p->key.source, 16);
	if (take_quote(f, p, about, 48, quote))
		return -1;
	sum = checksum_pseudo6(source, &p->key.source, 8 + quote_size(p, about), PROTOCOL_ICMPV6);
	sum = checksum_add(checksum_add(sum, &message.type, 8), quote, sizeof(quote));
	message.checksum = (__be16)~checksum_fold(sum);
	return frame_store(f, 0, &message, sizeof(message));
}

/* The error about the packet, in its place. 0: PACKET_REPLY is set, or the sender is not to be told; or negative: it is
 * not told, for the frame cannot become the message. */
static __always_inline int tell(struct frame *f, struct packet *p, enum about about)
{
	struct slot_key slot = { .slot = p->port_slot }, zero = { .slot = 0 };
	struct subnet_key key = { .subnet_id = p->subnet_id ? p->subnet_id : p->out_subnet_id };
	const int ipv4 = p->flags & PACKET_IPV4;
	struct datapath_state *shared = table_lookup(state, &zero);
	struct port_stats *stats = table_lookup(port_stats, &slot);
	struct subnet *subnet = table_lookup(subnets, &key);
	const struct address *source;

	if (!shared || !stats || !subnet || (p->flags & PACKET_ICMP_ERROR) || p->vlan_count ||
	    p->frame_length < ETHERNET_SIZE + quote_size(p, about) ||
	    (p->out_kind != PORT_TUNNEL &&
	     address_is_unspecified(&subnet->gateway[ipv4 ? 0 : 1])) ||
	    !bucket_take(&stats->icmp_tokens, (__u32)shared->icmp_rate, p->now))
		return 0;
	source = &subnet->gateway[ipv4 ? 0 : 1];
	if (address_is_unspecified(source))
		source = &p->key.destination;
	if (ipv4 ? tell4(f, p, about, source) : tell6(f, p, about, source))
		return -1;
	p->flags |= PACKET_REPLY;
	note(f, about == TOO_BIG ? NOTE_ICMP_TOO_BIG : NOTE_ICMP_EXPIRED,
	     about == TOO_BIG ? p->out_port_id : p->subnet_id);
	return 0;
}

/*
 * Tells the sender that its packet is larger than p->out_mtu. The packet itself is dropped by the caller;
 * PACKET_REPLY is set where the frame has become the message. It is from the subnet's gateway; where a
 * switch has none and the way is a tunnel, from the destination, as Linux does for its bridges.
 */
int icmp_too_big(struct frame *f, struct packet *p)
{
	if (!p || tell(f, p, TOO_BIG))
		return VERDICT_INTERNAL;
	return VERDICT_TOO_BIG;
}

/* The same of a packet whose TTL has ended at the router of the VPC. Not about multicast, nor about a later fragment
 * (RFC 1122, 3.2.2). */
int icmp_expired(struct frame *f, struct packet *p)
{
	if (!p)
		return VERDICT_INTERNAL;
	if (!(p->flags & PACKET_FRAGMENT_LATER) && tell(f, p, EXPIRED))
		return VERDICT_INTERNAL;
	return VERDICT_TTL_EXPIRED;
}
