/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What DHCPv4, DHCPv6 and router advertisements have in common: what becomes of a message, and names in
 * the form of DNS.
 */
#ifndef WEFT_AGENT_DHCP_COMMON_H
#define WEFT_AGENT_DHCP_COMMON_H

#include "base/buf.h"
#include "model/object.h"

/* What became of a message; the names are those of the metric. */
#define DHCP_RESULTS(X)                                                                            \
	X(OFFER, "offer")                                                                          \
	X(ACK, "ack")                                                                              \
	X(NAK, "nak")                                                                              \
	X(DECLINE, "decline")             /* the client says that another has the address */       \
	X(RELEASE, "release")             /* nothing to do: the address stays the port's */        \
	X(ADVERTISE, "advertise")         /* DHCPv6 */                                             \
	X(REPLY, "reply")                 /* DHCPv6 */                                             \
	X(ROUTER, "router")               /* a router advertisement */                             \
	X(MALFORMED, "malformed")         /* not a message */                                      \
	X(UNEXPECTED, "unexpected")       /* not a message of a client */                          \
	X(OTHER_CLIENT, "other_client")   /* for another MAC than the port's, or behind a relay */ \
	X(OTHER_SERVER, "other_server")   /* the client has chosen somebody else */                \
	X(NO_ADDRESS, "no_address")       /* the port has none of this family */                   \
	X(NOT_SERVED, "not_served")       /* the port or its subnet is just going */               \
	X(RELAYED, "relayed")             /* passed on to an outside server */                     \
	X(RETURNED, "returned")           /* an outside server's answer, passed to the port */     \
	X(FORGED, "forged")               /* a workload that plays the relay (RFC 3046, 2.1) */    \
	X(TOO_FAR, "too_far")             /* over more relays than a message may go */             \
	X(NO_SERVER, "no_server")         /* no way to the outside server */                       \
	X(STRAY_REPLY, "stray_reply")     /* of no server that was asked, or for no port */        \
	X(FOREIGN_LEASE, "foreign_lease") /* the server gives what is not the port's */            \
	X(PROVEN, "proven")               /* an address of a workload's choice is the port's */    \
	X(UNPROVEN, "unproven")           /* one that it may not have */                           \
	X(DUPLICATE, "duplicate")         /* one that is another's */                              \
	X(TOO_MANY, "too_many")           /* more of them than a port may take in a while */       \
	X(LEFT_OUT, "left_out")           /* an answer had no room for all its options */

#define DHCP_RESULT_ENUM(name, text) DHCP_RESULT_##name,
enum dhcp_result { DHCP_RESULTS(DHCP_RESULT_ENUM) DHCP_RESULT_COUNT };
#undef DHCP_RESULT_ENUM

/**
 * struct dhcp_names - what a subnet says of names, with what follows from its VPC
 * @dns: of both families
 * @domain: "": none
 * @search: borrowed
 */
struct dhcp_names {
	size_t dns_count;
	struct ip_address dns[DHCP_SERVERS_MAX];
	char domain[DOMAIN_SIZE];
	size_t search_count;
	const char (*search)[DOMAIN_SIZE];
};

/**
 * dhcp_names_of - by DHCP and DHCPv6; and by router advertisements, which may have names of their own
 *
 * Where nothing was said: the resolver and the domain of the VPC, if it has a resolver.
 */
struct dhcp_names dhcp_names_of(const struct intent *intent, const struct subnet_object *subnet);
struct dhcp_names ra_names_of(const struct intent *intent, const struct subnet_object *subnet);

/** dhcp_append_name - a domain name as labels, with the zero at the end (RFC 1035, 3.1) */
void dhcp_append_name(struct buf *bytes, const char *domain);

#endif
