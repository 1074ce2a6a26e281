/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's tunnel devices: one for each UDP port that VXLAN or GENEVE come in by.
 *
 * The pipeline does the tunnels itself. The device is there for what only the kernel can do: its socket
 * turns on the joining of packets as they arrive (GRO), and it takes the outer headers off joined
 * packets that go to a tap, which would be cut up again otherwise. It is named "wt" and the port, has
 * no address, and is nobody's way to anywhere. Where the kernel has no such device all works, slower.
 */
#ifndef WEFT_AGENT_DEVICE_TUNNEL_H
#define WEFT_AGENT_DEVICE_TUNNEL_H

#include <stdint.h>

#include "base/error.h"
#include "base/netlink.h"

struct datapath;

/**
 * device_tunnel_ensure - the device of a port is there, up, and has the pipeline
 * @netlink: of the host's namespace
 * @datapath: NULL to attach nothing
 * @kind: TUNNEL_VXLAN or TUNNEL_GENEVE
 * @port: UDP port, host order
 * @ifindex: set on success; may be NULL
 *
 * Safe to repeat. Attaches before it sets up.
 *
 * Return: 0; -EOPNOTSUPP if the kernel knows no device of the kind; -EADDRINUSE if somebody else has the
 * port; or another negative errno.
 */
int device_tunnel_ensure(struct netlink *netlink, struct datapath *datapath, uint32_t kind,
			 uint16_t port, uint32_t *ifindex, struct error *error);

/** device_tunnel_remove - remove the device of a port; 0 if there is none */
int device_tunnel_remove(struct netlink *netlink, struct datapath *datapath, uint32_t kind,
			 uint16_t port, struct error *error);

/**
 * device_tunnel_list - the ports that have a device of ours
 * @ports: the caller's to free(); host order
 * @kinds: of each, likewise
 *
 * Return: how many, or negative errno.
 */
int device_tunnel_list(struct netlink *netlink, uint16_t **ports, uint32_t **kinds,
		       struct error *error);

#endif
