/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a VPC's resolver knows by itself: the names of its ports, and whose an address is.
 *
 * PORT.DOMAIN and PORT.SUBNET.DOMAIN have the port's addresses, the reverse names of these lead
 * back to PORT.DOMAIN; and the VPC's own records. The domain is the VPC's `dns: {domain: …}`,
 * NAME.internal where nothing was said. Nothing is kept: each question is looked up in the intent
 * as it is now, in the VPC of the port that asks, so no tenant can see another's names.
 *
 * Neighbours: dns_server.c (who is asked), base/dns.h (messages).
 */
#ifndef WEFT_AGENT_DNS_ZONE_H
#define WEFT_AGENT_DNS_ZONE_H

#include "base/dns.h"
#include "model/object.h"

#define DNS_TTL 10 /* seconds; what changes here is soon known everywhere */

/**
 * dns_zone_answer - answer from what the VPC has
 * @reply: begun; gets the records
 * @flags, @rcode: set for dns_reply_end()
 *
 * Return: false if the name is neither in the domain nor the reverse of an address of the VPC:
 * others may know it. Nothing is written then.
 */
bool dns_zone_answer(const struct intent *intent, const struct vpc_object *vpc,
		     const struct dns_query *query, struct dns_reply *reply, uint16_t *flags,
		     enum dns_rcode *rcode);

#endif
