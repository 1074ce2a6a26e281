/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What is handed to a service of the host, and how it answers; for run.c.
 */
#include <string.h>

#include "tests/vectors/vector.h"

static void swap_bytes(uint8_t *a, uint8_t *b, size_t size)
{
	for (size_t i = 0; i < size; i++) {
		uint8_t byte = a[i];

		a[i] = b[i];
		b[i] = byte;
	}
}

/* What was handed to a service comes back, from whom it was for to whom it was from. */
bool services_turn_round(const struct outcome *o, struct vector_frame *frame)
{
	bool ipv4 = o->data[12] == 0x08;
	size_t l3 = 14, address = ipv4 ? 4 : 16;
	uint8_t *ip = frame->data + l3;

	if (o->verdict != VERDICT_SERVED)
		return false;
	memcpy(frame->data, o->data, o->size);
	frame->size = o->size;
	swap_bytes(frame->data, frame->data + 6, 6);
	swap_bytes(ip + (ipv4 ? 12 : 8), ip + (ipv4 ? 12 : 8) + address, address);
	ip += ipv4 ? (ip[0] & 15) * 4 : 40;
	swap_bytes(ip, ip + 2, 2);
	return true;
}

/* The checksums of what a service gets are right. */
bool services_sum_is_right(const struct outcome *o)
{
	bool ipv4 = o->data[12] == 0x08;
	const uint8_t *ip = o->data + 14, *l4 = ip + (ipv4 ? (ip[0] & 15) * 4 : 40);
	size_t size = (size_t)(o->data + o->size - l4);
	uint8_t pseudo[4] = { 0, ip[ipv4 ? 9 : 6], (uint8_t)(size >> 8), (uint8_t)size };
	uint32_t sum = vector_checksum(0, ip + (ipv4 ? 12 : 8), ipv4 ? 8 : 32);

	if (ipv4 && vector_checksum(0, ip, (size_t)(l4 - ip)) != 0xffff)
		return false;
	if (pseudo[1] != 6 && pseudo[1] != 17)
		return true; /* behind extension headers */
	sum = vector_checksum(vector_checksum(sum, pseudo, 4), l4, size);
	return sum == 0xffff || (pseudo[1] == 17 && !l4[6] && !l4[7]);
}
