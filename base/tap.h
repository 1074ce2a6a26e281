/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tap and tun devices: Ethernet or IP packets from and to a process.
 *
 * A persistent device outlives the process that made it; a virtual machine or any other program
 * opens its queues later. Frames carry no packet information (IFF_NO_PI); with a vnet header
 * they carry struct virtio_net_hdr in front, which is what makes offloads possible.
 */
#ifndef WEFT_BASE_TAP_H
#define WEFT_BASE_TAP_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"

/**
 * struct tap_options - how the device is to be
 * @name: at most 15 characters
 * @netns_fd: where it is; -1 for the thread's own namespace
 * @tun: IP packets without Ethernet
 * @multi_queue: several descriptors may be open at once; fixed when the device is made
 * @vnet_header: frames carry struct virtio_net_hdr (10 bytes)
 * @exclusive: the device is made; -EBUSY if it is there already
 * @owner: user that may open it without privilege; (uid_t)-1 for none
 */
struct tap_options {
	const char *name;
	int netns_fd;
	bool tun;
	bool multi_queue;
	bool vnet_header;
	bool exclusive;
	uid_t owner;
};

/**
 * tap_open - attach a queue to the device; make the device if it is not there
 *
 * Return: a non-blocking descriptor owned by the caller, -EBUSY if all queues are taken,
 * -EINVAL if the device is there but of another kind, or another negative errno.
 */
int tap_open(const struct tap_options *options, struct error *error);

/**
 * tap_create - make a persistent device; it may be there already if it is of this kind
 *
 * Its offloads are switched on by whoever opens it. A device whose queue another program holds
 * is left as it is.
 *
 * Return: 0 or negative errno.
 */
int tap_create(const struct tap_options *options, struct error *error);

/**
 * tap_set_persistent - whether the device outlives its last descriptor
 * @fd: from tap_open()
 *
 * Return: 0 or negative errno.
 */
int tap_set_persistent(int fd, bool persistent, struct error *error);

/**
 * tap_set_offload - what the reader of @fd can take unsegmented
 * @fd: from tap_open() with a vnet header
 * @offload: TUN_F_CSUM, TUN_F_TSO4, TUN_F_TSO6, …; 0 for nothing
 *
 * Return: 0 or negative errno.
 */
int tap_set_offload(int fd, unsigned int offload, struct error *error);

#endif
