/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Arithmetic on addresses and prefixes; the contracts are in addr.h, text is in addr_text.c.
 *
 * An address is worked on as two 64-bit halves in host order. What tells the families apart is
 * the prefix ::ffff:0:0/96 that all IPv4 addresses share.
 */
#include "base/addr.h"

#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#define ADDRESS_BITS 128
#define IPV4_OFFSET 96

struct halves {
	uint64_t high;
	uint64_t low;
};

static const uint8_t ipv4_mapped[12] = { 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff };

static struct halves load(const struct ip_address *address)
{
	struct halves value = { 0, 0 };

	for (int i = 0; i < 8; i++) {
		value.high = value.high << 8 | address->byte[i];
		value.low = value.low << 8 | address->byte[i + 8];
	}
	return value;
}

static struct ip_address store(struct halves value)
{
	struct ip_address address;

	for (int i = 7; i >= 0; i--) {
		address.byte[i] = (uint8_t)value.high;
		address.byte[i + 8] = (uint8_t)value.low;
		value.high >>= 8;
		value.low >>= 8;
	}
	return address;
}

/* The @length high bits set. */
static struct halves mask(unsigned int length)
{
	struct halves value;

	value.high = length == 0 ? 0 : length >= 64 ? UINT64_MAX : UINT64_MAX << (64 - length);
	value.low = length <= 64 ? 0 : UINT64_MAX << (ADDRESS_BITS - length);
	return value;
}

int ip_address_compare(const struct ip_address *a, const struct ip_address *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte));
}

int ip_prefix_compare(const struct ip_prefix *a, const struct ip_prefix *b)
{
	int order = ip_address_compare(&a->address, &b->address);

	return order ? order : (int)a->length - (int)b->length;
}

bool ip_address_equal(const struct ip_address *a, const struct ip_address *b)
{
	return ip_address_compare(a, b) == 0;
}

bool ip_prefix_equal(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return ip_prefix_compare(a, b) == 0;
}

bool mac_address_equal(const struct mac_address *a, const struct mac_address *b)
{
	return memcmp(a->byte, b->byte, sizeof(a->byte)) == 0;
}

struct ip_address ip_address_from_ipv4(uint32_t host_order)
{
	return store((struct halves){ 0, UINT64_C(0xffff00000000) | host_order });
}

uint32_t ip_address_to_ipv4(const struct ip_address *address)
{
	return ip_address_is_ipv4(address) ? (uint32_t)load(address).low : 0;
}

socklen_t ip_address_to_socket(const struct ip_address *address, uint16_t port,
			       struct sockaddr_storage *storage)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)storage;

	memset(storage, 0, sizeof(*storage));
	if (ip_address_is_ipv4(address)) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		memcpy(&ipv4->sin_addr, address->byte + 12, 4);
		return sizeof(*ipv4);
	}
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(port);
	memcpy(&ipv6->sin6_addr, address->byte, 16);
	return sizeof(*ipv6);
}

bool ip_address_is_ipv4(const struct ip_address *address)
{
	return memcmp(address->byte, ipv4_mapped, sizeof(ipv4_mapped)) == 0;
}

bool ip_address_is_unspecified(const struct ip_address *address)
{
	struct halves value = load(address);

	if (ip_address_is_ipv4(address))
		return (uint32_t)value.low == 0;
	return !value.high && !value.low;
}

bool ip_address_is_loopback(const struct ip_address *address)
{
	struct halves value = load(address);

	if (ip_address_is_ipv4(address))
		return address->byte[12] == 127;
	return !value.high && value.low == 1;
}

bool ip_address_is_multicast(const struct ip_address *address)
{
	if (ip_address_is_ipv4(address))
		return (address->byte[12] & 0xf0) == 0xe0;
	return address->byte[0] == 0xff;
}

bool ip_address_is_link_local(const struct ip_address *address)
{
	if (ip_address_is_ipv4(address))
		return address->byte[12] == 169 && address->byte[13] == 254;
	return address->byte[0] == 0xfe && (address->byte[1] & 0xc0) == 0x80;
}

bool ip_address_is_broadcast(const struct ip_address *address)
{
	return ip_address_to_ipv4(address) == UINT32_MAX;
}

bool mac_address_is_multicast(const struct mac_address *mac)
{
	return mac->byte[0] & 1;
}

bool mac_address_is_zero(const struct mac_address *mac)
{
	static const struct mac_address zero;

	return mac_address_equal(mac, &zero);
}

int ip_address_add(const struct ip_address *address, uint64_t offset, struct ip_address *sum)
{
	struct halves value = load(address);
	struct ip_address result;

	value.low += offset;
	if (value.low < offset && ++value.high == 0)
		return -ERANGE;
	result = store(value);
	if (ip_address_is_ipv4(address) != ip_address_is_ipv4(&result))
		return -ERANGE;
	*sum = result;
	return 0;
}

int ip_address_offset(const struct ip_address *base, const struct ip_address *address,
		      uint64_t *offset)
{
	struct halves from = load(base);
	struct halves to = load(address);

	if (ip_address_is_ipv4(base) != ip_address_is_ipv4(address))
		return -ERANGE;
	to.high -= from.high + (to.low < from.low);
	if (to.high)
		return -ERANGE;
	*offset = to.low - from.low;
	return 0;
}

struct ip_prefix ip_prefix_canonicalise(const struct ip_prefix *prefix)
{
	struct ip_prefix result = { .address = ip_prefix_first(prefix), .length = prefix->length };

	return result;
}

bool ip_prefix_is_canonical(const struct ip_prefix *prefix)
{
	struct ip_address first = ip_prefix_first(prefix);

	return ip_address_equal(&first, &prefix->address);
}

bool ip_prefix_is_ipv4(const struct ip_prefix *prefix)
{
	return prefix->length >= IPV4_OFFSET && ip_address_is_ipv4(&prefix->address);
}

uint8_t ip_prefix_family_length(const struct ip_prefix *prefix)
{
	return ip_prefix_is_ipv4(prefix) ? (uint8_t)(prefix->length - IPV4_OFFSET) : prefix->length;
}

/* Whether the first @length bits are the same. */
static bool same_bits(const struct ip_address *a, const struct ip_address *b, unsigned int length)
{
	struct halves x = load(a);
	struct halves y = load(b);
	struct halves m = mask(length);

	return !((x.high ^ y.high) & m.high) && !((x.low ^ y.low) & m.low);
}

bool ip_prefix_contains(const struct ip_prefix *prefix, const struct ip_address *address)
{
	return ip_prefix_is_ipv4(prefix) == ip_address_is_ipv4(address) &&
	       same_bits(&prefix->address, address, prefix->length);
}

bool ip_prefix_contains_prefix(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	return ip_prefix_is_ipv4(outer) == ip_prefix_is_ipv4(inner) &&
	       outer->length <= inner->length &&
	       same_bits(&outer->address, &inner->address, outer->length);
}

bool ip_prefix_overlaps(const struct ip_prefix *a, const struct ip_prefix *b)
{
	return ip_prefix_contains_prefix(a, b) || ip_prefix_contains_prefix(b, a);
}

struct ip_address ip_prefix_first(const struct ip_prefix *prefix)
{
	struct halves value = load(&prefix->address);
	struct halves m = mask(prefix->length);

	return store((struct halves){ value.high & m.high, value.low & m.low });
}

struct ip_address ip_prefix_last(const struct ip_prefix *prefix)
{
	struct halves value = load(&prefix->address);
	struct halves m = mask(prefix->length);

	return store((struct halves){ value.high | ~m.high, value.low | ~m.low });
}

uint64_t ip_prefix_address_count(const struct ip_prefix *prefix)
{
	unsigned int host_bits = ADDRESS_BITS - prefix->length;

	return host_bits >= 64 ? UINT64_MAX : UINT64_C(1) << host_bits;
}

int ip_prefix_nth(const struct ip_prefix *prefix, uint64_t nth, struct ip_address *address)
{
	struct ip_address first = ip_prefix_first(prefix);
	struct ip_address result;

	if (ip_address_add(&first, nth, &result) || !ip_prefix_contains(prefix, &result))
		return -ERANGE;
	*address = result;
	return 0;
}

struct ip_prefix ip_prefix_of_address(const struct ip_address *address)
{
	return (struct ip_prefix){ .address = *address, .length = ADDRESS_BITS };
}

struct ip_address ip_address_link_local_from_mac(const struct mac_address *mac)
{
	struct ip_address address = { .byte = { 0xfe, 0x80 } };

	address.byte[8] = mac->byte[0] ^ 0x02; /* the universal/local bit, inverted */
	address.byte[9] = mac->byte[1];
	address.byte[10] = mac->byte[2];
	address.byte[11] = 0xff;
	address.byte[12] = 0xfe;
	address.byte[13] = mac->byte[3];
	address.byte[14] = mac->byte[4];
	address.byte[15] = mac->byte[5];
	return address;
}
