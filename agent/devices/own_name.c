/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Names of the daemon's own devices; see own_name.h.
 */
#include "agent/devices/own_name.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

void own_name(char name[OWN_NAME_SIZE], const char *prefix, const char *instance)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	if (strlen(prefix) + strlen(instance) < OWN_NAME_SIZE) {
		snprintf(name, OWN_NAME_SIZE, "%.3s%.12s", prefix, instance);
		return;
	}
	for (const char *c = instance; *c; c++)
		hash = (hash ^ (uint8_t)*c) * 16777619u;
	snprintf(name, OWN_NAME_SIZE, "%.3s%08x", prefix, hash);
}
