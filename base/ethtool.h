/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Offloads of a device: whether it is handed frames that stand for several packets (TSO and its kin).
 *
 * By the ioctls of ethtool, for the netlink family of the same name came later and wants a lookup of its
 * id in each namespace. Features are found by their names, whose numbers differ between kernels. Software
 * segmentation right before the device ("tx-generic-segmentation") is left on: it is what makes
 * the stack's large frames small when the device takes none.
 *
 * Neighbours: agent/devices/device_netns.c, the caller; netns.h, for the namespace.
 */
#ifndef WEFT_BASE_ETHTOOL_H
#define WEFT_BASE_ETHTOOL_H

#include <stdbool.h>

#include "base/error.h"

/**
 * ethtool_open - a socket to ask through, of the namespace that the thread is in
 *
 * Return: a descriptor, the caller's to close(), or negative errno.
 */
int ethtool_open(struct error *error);

/**
 * ethtool_segmentation - whether any kind of frame that stands for several packets is taken
 * @fd: of ethtool_open()
 * @name: of the device
 * @on: set on success
 *
 * Return: 0 or negative errno.
 */
int ethtool_segmentation(int fd, const char *name, bool *on, struct error *error);

/**
 * ethtool_set_segmentation - take all kinds that the device can, or none
 *
 * Return: 0 or negative errno.
 */
int ethtool_set_segmentation(int fd, const char *name, bool on, struct error *error);

/**
 * ethtool_checksum - whether the device is handed frames whose checksums are not finished
 *
 * Return: 0 or negative errno.
 */
int ethtool_checksum(int fd, const char *name, bool *on, struct error *error);

/**
 * ethtool_set_checksum - whether it shall be; off, no frame that stands for several packets is taken either
 *
 * Return: 0 or negative errno.
 */
int ethtool_set_checksum(int fd, const char *name, bool on, struct error *error);

#endif
