/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses and prefixes as text; the contracts are in addr.h.
 *
 * Reading leans on inet_pton(3), which already refuses leading zeros and trailing characters,
 * and closes what it leaves open: mapped IPv4 spelled as IPv6. Writing IPv6 is our own: glibc
 * writes "::0.1.0.2" where RFC 5952 wants "::1:2".
 */
#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/hex.h"

#define IPV4_OFFSET 96

int ip_address_parse(const char *text, struct ip_address *address)
{
	struct ip_address result = { .byte = { [10] = 0xff, [11] = 0xff } };

	if (inet_pton(AF_INET, text, &result.byte[12]) == 1) {
		*address = result;
		return 0;
	}
	if (inet_pton(AF_INET6, text, result.byte) != 1 || ip_address_is_ipv4(&result))
		return -EINVAL;
	*address = result;
	return 0;
}

int mac_address_parse(const char *text, struct mac_address *mac)
{
	struct mac_address result;

	if (strnlen(text, MAC_ADDRESS_TEXT_SIZE) != MAC_ADDRESS_TEXT_SIZE - 1)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(result.byte); i++) {
		int byte = hex_byte(&text[3 * i]);

		if (byte < 0)
			return -EINVAL;
		if (i + 1 < sizeof(result.byte) && text[3 * i + 2] != ':')
			return -EINVAL;
		result.byte[i] = (uint8_t)byte;
	}
	*mac = result;
	return 0;
}

/* A number from 0 to @maximum, no sign, no leading zeros, nothing behind it. */
static int parse_length(const char *text, unsigned int maximum, unsigned int *length)
{
	unsigned int value = 0;

	if (!*text || (text[0] == '0' && text[1]))
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		value = value * 10 + (unsigned int)(*text - '0');
		if (value > maximum)
			return -EINVAL;
	}
	*length = value;
	return 0;
}

int ip_prefix_parse(const char *text, struct ip_prefix *prefix)
{
	const char *slash = strchr(text, '/');
	char part[IP_ADDRESS_TEXT_SIZE + 8];
	struct ip_address address;
	unsigned int offset;
	unsigned int length;

	if (!slash || (size_t)(slash - text) >= sizeof(part))
		return -EINVAL;
	memcpy(part, text, (size_t)(slash - text));
	part[slash - text] = '\0';
	if (ip_address_parse(part, &address))
		return -EINVAL;
	offset = ip_address_is_ipv4(&address) ? IPV4_OFFSET : 0;
	if (parse_length(slash + 1, 128 - offset, &length))
		return -EINVAL;
	*prefix = (struct ip_prefix){ .address = address, .length = (uint8_t)(offset + length) };
	return 0;
}

int ip_prefix_parse_or_address(const char *text, struct ip_prefix *prefix)
{
	struct ip_address address;

	if (strchr(text, '/'))
		return ip_prefix_parse(text, prefix);
	if (ip_address_parse(text, &address))
		return -EINVAL;
	*prefix = ip_prefix_of_address(&address);
	return 0;
}

/* The longest run of zero groups, the first of equals; runs of one are not compressed. */
static void find_zeros(const unsigned int group[8], int *start, int *count)
{
	*start = -1;
	*count = 1;
	for (int i = 0; i < 8; i++) {
		int end = i;

		while (end < 8 && !group[end])
			end++;
		if (end - i > *count) {
			*start = i;
			*count = end - i;
		}
		if (end > i)
			i = end;
	}
}

const char *ip_address_format(const struct ip_address *address, char text[IP_ADDRESS_TEXT_SIZE])
{
	const uint8_t *byte = address->byte;
	unsigned int group[8];
	size_t used = 0;
	int start;
	int count;

	if (ip_address_is_ipv4(address)) {
		snprintf(text, IP_ADDRESS_TEXT_SIZE, "%u.%u.%u.%u", byte[12], byte[13], byte[14],
			 byte[15]);
		return text;
	}
	for (int i = 0; i < 8; i++)
		group[i] = (unsigned int)byte[2 * i] << 8 | byte[2 * i + 1];
	find_zeros(group, &start, &count);
	for (int i = 0; i < 8; i++) {
		if (i == start) {
			text[used++] = ':';
			i += count - 1;
			if (i == 7)
				text[used++] = ':';
			continue;
		}
		used += (size_t)snprintf(text + used, IP_ADDRESS_TEXT_SIZE - used, "%s%x",
					 i ? ":" : "", group[i] & 0xffff);
	}
	text[used] = '\0';
	return text;
}

const char *ip_prefix_format(const struct ip_prefix *prefix, char text[IP_PREFIX_TEXT_SIZE])
{
	struct ip_address address = prefix->address;
	size_t used;

	/* A mapped address under a shorter prefix is not IPv4 and has no spelling but its bits. */
	ip_address_format(&address, text);
	if (!ip_prefix_is_ipv4(prefix) && ip_address_is_ipv4(&address))
		snprintf(text, IP_PREFIX_TEXT_SIZE, "::ffff:%x:%x",
			 (unsigned int)address.byte[12] << 8 | address.byte[13],
			 (unsigned int)address.byte[14] << 8 | address.byte[15]);
	used = strlen(text);
	snprintf(text + used, IP_PREFIX_TEXT_SIZE - used, "/%u", ip_prefix_family_length(prefix));
	return text;
}

const char *mac_address_format(const struct mac_address *mac, char text[MAC_ADDRESS_TEXT_SIZE])
{
	snprintf(text, MAC_ADDRESS_TEXT_SIZE, "%02x:%02x:%02x:%02x:%02x:%02x", mac->byte[0],
		 mac->byte[1], mac->byte[2], mac->byte[3], mac->byte[4], mac->byte[5]);
	return text;
}
