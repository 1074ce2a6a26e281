/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The device that takes frames of several packets apart, for VPCs whose tunnels number or sum each packet.
 *
 *	port, underlay -> program -> near end (takes one packet at a time) | far end -> program -> port, underlay
 *
 * A veth pair of the host, without addresses. Its near end has segmentation and checksum offload off, so that the
 * kernel cuts a large frame, and finishes its checksums, on the way in; at the far end a program hands each packet
 * back to where the frame came in (target/bpf/segments.bpf.c). Namespaces have their offloads off as well
 * (device_netns.c), so that theirs are cut where they are made; this is for virtual machines, for devices that
 * others have made, and for what the kernel has joined on its way from another host.
 *
 * The pair outlives weftd, as ports do. Neighbours: reconcile.c, which says when it is needed; base/ethtool.c.
 */
#ifndef WEFT_AGENT_DEVICES_SEGMENTER_H
#define WEFT_AGENT_DEVICES_SEGMENTER_H

#include <stdbool.h>

#include "base/error.h"
#include "datapath/datapath.h"

/**
 * segmenter_set - have the pair or not; what is so already is looked at again
 * @instance: of weftd; the devices' names are made of it
 * @wanted: whether any VPC of this host needs it
 *
 * Return: 0 or negative errno. Then frames of several packets are dropped by such tunnels (tunnel_segments).
 */
int segmenter_set(struct datapath *datapath, const char *instance, bool wanted,
		  struct error *error);

#endif
