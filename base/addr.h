/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and prefixes: values, text, arithmetic.
 *
 * There is one address type. IPv4 is held as ::ffff:a.b.c.d, so a prefix of IPv4 has a length of
 * 96 to 128 here ("10.0.0.0/24" is 120) and "0.0.0.0/0" is ::ffff:0:0/96. "::/0" has length 0;
 * the comparisons below keep the families apart: an IPv6 prefix never contains an IPv4 address,
 * although the bits would match. Text is read strictly: no leading zeros in decimal, nothing
 * behind the end, no "::ffff:1.2.3.4" spelling, no zone. Bytes are in network order.
 */
#ifndef WEFT_BASE_ADDR_H
#define WEFT_BASE_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#define IP_ADDRESS_TEXT_SIZE 40
#define IP_PREFIX_TEXT_SIZE 44
#define MAC_ADDRESS_TEXT_SIZE 18

struct ip_address {
	uint8_t byte[16];
};

struct ip_prefix {
	struct ip_address address;
	uint8_t length;
};

struct mac_address {
	uint8_t byte[6];
};

/* Read text. Return: 0 or -EINVAL, and then the result is unchanged. */
int ip_address_parse(const char *text, struct ip_address *address);
int mac_address_parse(const char *text, struct mac_address *mac); /* aa:bb:cc:dd:ee:ff */
/* ADDRESS/LENGTH in the family's own count; bits behind the length are kept as written. */
int ip_prefix_parse(const char *text, struct ip_prefix *prefix);
/* The same, and a bare address is the prefix of that one address. */
int ip_prefix_parse_or_address(const char *text, struct ip_prefix *prefix);

/* Write text (RFC 5952, lower case) into @text. Return: @text. */
const char *ip_address_format(const struct ip_address *address, char text[IP_ADDRESS_TEXT_SIZE]);
const char *ip_prefix_format(const struct ip_prefix *prefix, char text[IP_PREFIX_TEXT_SIZE]);
const char *mac_address_format(const struct mac_address *mac, char text[MAC_ADDRESS_TEXT_SIZE]);

/* Order as numbers, network order. Return: <0, 0, >0. A prefix sorts before longer ones. */
int ip_address_compare(const struct ip_address *a, const struct ip_address *b);
int ip_prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b);
bool ip_address_equal(const struct ip_address *a, const struct ip_address *b);
bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b);
bool mac_address_equal(const struct mac_address *a, const struct mac_address *b);

/* IPv4 to and from a number in host order; the latter is 0 for IPv6. */
struct ip_address ip_address_from_ipv4(uint32_t host_order);
uint32_t ip_address_to_ipv4(const struct ip_address *address);

/* Fill in a socket's address, sockaddr_in or sockaddr_in6 by the family. @port: host order. Return: its size. */
socklen_t ip_address_to_socket(const struct ip_address *address, uint16_t port,
			       struct sockaddr_storage *storage);

/* What an address is, by its own family's rules. */
bool ip_address_is_ipv4(const struct ip_address *address);
bool ip_address_is_unspecified(const struct ip_address *address);
bool ip_address_is_loopback(const struct ip_address *address);
bool ip_address_is_multicast(const struct ip_address *address);
bool ip_address_is_link_local(const struct ip_address *address);
bool ip_address_is_broadcast(const struct ip_address *address); /* 255.255.255.255 */
bool mac_address_is_multicast(const struct mac_address *mac);   /* broadcast as well */
bool mac_address_is_zero(const struct mac_address *mac);

/**
 * ip_address_add - the address @offset further on
 *
 * Return: 0, or -ERANGE if that leaves the family's space; *@sum is then unchanged.
 */
int ip_address_add(const struct ip_address *address, uint64_t offset, struct ip_address *sum);

/**
 * ip_address_offset - how far @address lies behind @base
 *
 * Return: 0, or -ERANGE if it lies before, in another family or 2^64 or more behind.
 */
int ip_address_offset(const struct ip_address *base, const struct ip_address *address,
		      uint64_t *offset);

/* Whether no bit behind the length is set; and the prefix with those bits cleared. */
bool ip_prefix_is_canonical(const struct ip_prefix *prefix);
struct ip_prefix ip_prefix_canonicalise(const struct ip_prefix *prefix);

/* Whether the prefix is of IPv4; and its length as the family counts it (0-32 or 0-128). */
bool ip_prefix_is_ipv4(const struct ip_prefix *prefix);
uint8_t ip_prefix_family_length(const struct ip_prefix *prefix);

/* Bits behind the length of @prefix do not matter here. Families never mix. */
bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address);
bool ip_prefix_contains_prefix(const struct ip_prefix *outer, const struct ip_prefix *inner);
bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b);
struct ip_address ip_prefix_first(const struct ip_prefix *prefix);
struct ip_address ip_prefix_last(const struct ip_prefix *prefix);
/* Number of addresses, UINT64_MAX where there are more. */
uint64_t ip_prefix_address_count(const struct ip_prefix *prefix);
/* The @nth address, counted from 0. Return: 0 or -ERANGE. */
int ip_prefix_nth(const struct ip_prefix *prefix, uint64_t nth, struct ip_address *address);
/* The prefix of one address (length 128). */
struct ip_prefix ip_prefix_of_address(const struct ip_address *address);

/* The link-local address fe80::/64 with the modified EUI-64 of @mac (RFC 4291). */
struct ip_address ip_address_link_local_from_mac(const struct mac_address *mac);

#endif
