/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tunnels: the headers between hosts, and the rules that both directions share.
 *
 * Theory of operation. What arrives goes through four steps: tunnel_parse.c reads the outer packet and
 * asks whether this end may send this segment here, tunnel_pop.c takes the outer headers off, parse.c
 * reads what was inside, and tunnel_inner.c asks whether a tunnel may carry it (ECN, loops, tags) and
 * which port sent it. Then the packet is any other: flow.h, or arrive.c and the stages. What leaves gets
 * its headers from tunnel_push.c when everything else is decided. A packet is never fragmented on its
 * way out and never put together on its way in.
 *
 * Sources: RFC 7348 (VXLAN), 8926 (GENEVE), 7637 (NVGRE), 2784 and 2890 (GRE), 2003 and 2473 (IP in IP),
 * 4213 (SIT), 6040 (ECN), 2983 (DSCP), 6864 (IPv4 id), 6936 (UDP checksum of zero);
 * draft-ietf-intarea-gue-09 (GUE).
 */
#ifndef WEFT_CORE_TUNNEL_H
#define WEFT_CORE_TUNNEL_H

#include "core/packet.h"

#define PROTOCOL_IPV4 4
#define PROTOCOL_IPV6 41
#define PROTOCOL_GRE 47
#define ETHERTYPE_TEB 0x6558 /* an Ethernet frame */

#define IPV4_SIZE 20
#define IPV6_SIZE 40
#define UDP_SIZE 8

#define VXLAN_ID_VALID 0x08
#define GENEVE_CONTROL 0x80 /* O: not data */
#define GUE_CONTROL 0x20
#define GRE_CHECKSUM 0x8000
#define GRE_KEY 0x2000
#define GRE_SEQUENCE 0x1000
#define GRE_UNKNOWN 0x4c00  /* bits 1, 4 and 5: nobody can tell how long the header is */
#define GRE_RESERVED 0x03f8 /* bits 6 to 12: ignored */
#define GRE_VERSION 0x0007

#define ECN_MASK 3
#define ECN_NOT_ECT 0
#define ECN_ECT1 1
#define ECN_ECT0 2
#define ECN_CE 3

/* What is noticed of an outer packet before it is known whose it is. */
enum outer_marks {
	OUTER_RESERVED = 1 << 0,    /* reserved bits are set */
	OUTER_SEQUENCED = 1 << 1,   /* GRE with a sequence number */
	OUTER_SUMMED = 1 << 2,      /* a checksum over all of it */
	OUTER_NO_CHECKSUM = 1 << 3, /* UDP over IPv6 without one */
	OUTER_UNVERIFIED = 1 << 5,  /* the checksum is wrong, unless the inner one is unfinished */
	OUTER_NVGRE_FORM = 1 << 4, /* GRE that may be NVGRE: Ethernet with a key and nothing else */
};

/* Kinds that carry Ethernet frames; the others carry IP packets. */
static inline int tunnel_has_ethernet(__u32 kind)
{
	return kind == TUNNEL_VXLAN || kind == TUNNEL_GENEVE || kind == TUNNEL_NVGRE ||
	       kind == TUNNEL_GRETAP;
}

static inline int tunnel_has_udp(__u32 kind)
{
	return kind == TUNNEL_VXLAN || kind == TUNNEL_GENEVE || kind == TUNNEL_FOU ||
	       kind == TUNNEL_GUE;
}

/* Kinds whose inner addresses are not those of a tenant apart: an inner address that is an end of the
 * tunnel itself is a loop (RFC 2003 3.2, 7637 4.1). With a VNI the address spaces have nothing in common. */
static inline int tunnel_shares_addresses(__u32 kind)
{
	return kind != TUNNEL_VXLAN && kind != TUNNEL_GENEVE;
}

/*
 * The number as it is, through memory that the verifier does not follow. It looks at what comes after once for each
 * value that it knows the number to have; sizes of headers have dozens. What p->header holds is lost.
 */
static inline __u32 verifier_forget(struct packet *p, __u32 number)
{
	volatile __u32 *memory = (volatile __u32 *)p->header;

	*memory = number;
	return *memory;
}

int tcp_mss_clamp(struct frame *f, struct packet *p, __u32 mtu);
__u32 tunnel_sum(struct frame *f, struct packet *p, __u32 offset, __u32 size);

#endif
