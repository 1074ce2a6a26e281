/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The Internet checksum; see checksum.h.
 */
#include "base/checksum.h"

#include <netinet/in.h>

uint32_t checksum_add(uint32_t sum, const void *bytes, size_t size)
{
	const uint8_t *at = bytes;
	uint64_t wide = sum;

	for (size_t i = 0; i + 1 < size; i += 2)
		wide += (uint32_t)at[i] << 8 | at[i + 1];
	if (size & 1)
		wide += (uint32_t)at[size - 1] << 8;
	while (wide >> 16)
		wide = (wide & 0xffff) + (wide >> 16);
	return (uint32_t)wide;
}

uint16_t checksum(const void *bytes, size_t size)
{
	return (uint16_t)~checksum_add(0, bytes, size);
}

uint16_t checksum_transport(const struct ip_address *source, const struct ip_address *destination,
			    uint8_t protocol, const void *bytes, size_t size)
{
	/* IPv4's upper twelve bytes are ten zeros and ffff: nothing in a ones' complement sum. */
	uint32_t sum = checksum_add(0, source->byte, sizeof(source->byte));

	sum = checksum_add(sum, destination->byte, sizeof(destination->byte));
	sum += (uint32_t)(size >> 16 & 0xffff) + (uint32_t)(size & 0xffff) + protocol;
	return (uint16_t)~checksum_add(sum, bytes, size);
}

uint16_t checksum_udp(const struct ip_address *source, const struct ip_address *destination,
		      const void *bytes, size_t size)
{
	uint16_t value = checksum_transport(source, destination, IPPROTO_UDP, bytes, size);

	return value ? value : 0xffff;
}
