/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Devices that a daemon has for itself, one of each kind for each instance on a machine: their names, and taps
 * that nothing of the host's own ever leaves by.
 *
 * Neighbours: mirrors.c, segmenter.c, agent/services/punt.c (who use them).
 */
#ifndef WEFT_AGENT_OWN_DEVICE_H
#define WEFT_AGENT_OWN_DEVICE_H

#include <stdint.h>

#include "base/error.h"

#define OWN_NAME_SIZE 16

/**
 * own_name - "wp-default"; of a long name a number made of it
 * @prefix: "wp-", three characters that say what the device is
 */
void own_name(char name[OWN_NAME_SIZE], const char *prefix, const char *instance);

/**
 * own_device_set_up - give a tap its alias and sizes, no address, not even a link-local one, and bring it up
 * @mtu: bytes
 * @queue_length: packets; 0: the kernel's
 * @ifindex: set on success, else 0
 *
 * Return: 0 or negative errno.
 */
int own_device_set_up(const char *name, const char *alias, uint32_t mtu, uint32_t queue_length,
		      uint32_t *ifindex, struct error *error);

#endif
