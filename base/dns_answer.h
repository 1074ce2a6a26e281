/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * How long an answer of others may be kept, and what it is when it has been kept for a while.
 *
 * Records are walked without following compression, so that no message can make the reader go round in circles. What
 * is not well formed to its last byte is not kept. Neighbours: dns.h (questions), agent/services/dns_cache.c.
 */
#ifndef WEFT_BASE_DNS_ANSWER_H
#define WEFT_BASE_DNS_ANSWER_H

#include <stddef.h>
#include <stdint.h>

#define DNS_KEPT_MAX 3600         /* seconds, whatever an answer says */
#define DNS_KEPT_NEGATIVE_MAX 900 /* and one that says that there is nothing */

/**
 * dns_answer_lifetime - how many seconds an answer holds
 * @type: that was asked for
 *
 * The least TTL of its records. That there is nothing (NXDOMAIN, or no record of the type) holds as long as the SOA
 * record in its authority section says (RFC 2308, 5); without one it does not. Errors, truncated answers and answers
 * to ANY do not hold at all.
 *
 * Return: seconds; 0: it is not to be kept.
 */
uint32_t dns_answer_lifetime(const void *data, size_t size, uint16_t type);

/**
 * dns_answer_limit - let no record of an answer hold longer than what is left of it as a whole
 * @data: that dns_answer_lifetime() gave at least @seconds for
 */
void dns_answer_limit(void *data, size_t size, uint32_t seconds);

#endif
