/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum (RFC 1071), for packets that the daemon makes or reads itself.
 *
 * Sums are of big-endian 16-bit words in host order; an odd last byte is the high half of a word. The
 * checksum of bytes that hold a right one is 0.
 */
#ifndef WEFT_BASE_CHECKSUM_H
#define WEFT_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/addr.h"

/**
 * checksum_add - add bytes to a sum
 * @sum: 0, or what an earlier call returned for an even number of bytes
 *
 * Return: the sum, at most 16 bits.
 */
uint32_t checksum_add(uint32_t sum, const void *bytes, size_t size);

/** checksum - of @size bytes, in host order; to be written big-endian */
uint16_t checksum(const void *bytes, size_t size);

/**
 * checksum_transport - of a transport header with its payload and its pseudo header
 * @source, @destination: of one family
 * @protocol: IPPROTO_...
 *
 * RFC 768, RFC 9293 3.1, RFC 8200 8.1. UDP has 0 stand for "none": see checksum_udp().
 *
 * Return: the checksum in host order.
 */
uint16_t checksum_transport(const struct ip_address *source, const struct ip_address *destination,
			    uint8_t protocol, const void *bytes, size_t size);

/** checksum_udp - as checksum_transport(), with 0xffff for 0 (RFC 768); to be written, not to verify */
uint16_t checksum_udp(const struct ip_address *source, const struct ip_address *destination,
		      const void *bytes, size_t size);

#endif
