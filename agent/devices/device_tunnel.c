/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The kernel's tunnel devices; what they are for is in device_tunnel.h.
 *
 * Neighbours: base/netlink_link.c (makes the device), datapath/kernel_attach.c (its program), the host's
 * part of the agent, which calls this.
 */
#include "agent/devices/device_tunnel.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "datapath/datapath.h"

/* "wt4789", "wg6081": no other device of ours has names like these. */
static const struct {
	uint32_t kind;
	const char *link_kind;
	const char *prefix;
} device_kinds[] = {
	{ TUNNEL_VXLAN, "vxlan", "wt" },
	{ TUNNEL_GENEVE, "geneve", "wg" },
};

static int device_name(uint32_t kind, uint16_t port, const char **link_kind,
		       char name[LINK_NAME_SIZE], struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(device_kinds); i++) {
		if (device_kinds[i].kind != kind)
			continue;
		*link_kind = device_kinds[i].link_kind;
		snprintf(name, LINK_NAME_SIZE, "%s%u", device_kinds[i].prefix, port);
		return 0;
	}
	return error_set(error, EOPNOTSUPP, NULL,
			 "the kernel's devices for tunnels of this kind are not used");
}

static int set_up(struct netlink *netlink, const struct link_info *link, struct error *error)
{
	struct link_change change = LINK_CHANGE_NOTHING;
	int result;

	if (link->flags & IFF_UP)
		return 0;
	change.link_local = LINK_LOCAL_NONE;
	netlink_link_change(netlink, link->ifindex, &change,
			    NULL); /* a host without IPv6 refuses */
	/* The socket is opened here: somebody else may have the port. */
	result = netlink_link_set_up(netlink, link->ifindex, true, error);
	if (result == -EEXIST)
		result = -EADDRINUSE;
	return result;
}

/* The device of this kind and port. Return: -ENODEV, and @name, when there is none. */
static int find(struct netlink *netlink, uint32_t kind, uint16_t port, const char **link_kind,
		char name[LINK_NAME_SIZE], struct link_info *link, struct error *error)
{
	int result = device_name(kind, port, link_kind, name, error);

	return result ? result : netlink_link_get_by_name(netlink, name, link, error);
}

int device_tunnel_ensure(struct netlink *netlink, struct datapath *datapath, uint32_t kind,
			 uint16_t port, uint32_t *ifindex, struct error *error)
{
	char name[LINK_NAME_SIZE] = "";
	const char *link_kind = "";
	struct link_info link = { 0 };
	int result = find(netlink, kind, port, &link_kind, name, &link, error);

	if (result == -ENODEV) {
		result = netlink_link_add_tunnel(netlink, link_kind, name, port, error);
		if (result == -EEXIST) /* a device of another name in the same mode */
			result = -EADDRINUSE;
		if (!result)
			result = netlink_link_get_by_name(netlink, name, &link, error);
	} else if (result) {
		return result;
	} else if (strcmp(link.kind, link_kind) != 0) {
		return error_set(error, EEXIST, NULL,
				 "the device %s is there and is no %s device: rename it", name,
				 link_kind);
	}
	if (!result && datapath)
		result = datapath_attach_tunnel_device(datapath, link.ifindex, kind, port, error);
	if (!result)
		result = set_up(netlink, &link, error);
	if (!result && ifindex)
		*ifindex = link.ifindex;
	return result;
}

int device_tunnel_remove(struct netlink *netlink, struct datapath *datapath, uint32_t kind,
			 uint16_t port, struct error *error)
{
	char name[LINK_NAME_SIZE] = "";
	const char *link_kind = "";
	struct link_info link = { 0 };
	int result = find(netlink, kind, port, &link_kind, name, &link, error);

	if (result == -ENODEV || (!result && strcmp(link.kind, link_kind) != 0))
		return 0;
	if (result)
		return result;
	if (datapath)
		datapath_detach_tunnel_device(datapath, link.ifindex);
	return netlink_link_delete(netlink, link.ifindex, error);
}

struct listing {
	int count;
	uint16_t *ports;
	uint32_t *kinds;
};

static void list_device(void *context, const struct link_info *link)
{
	struct listing *listing = context;

	for (size_t i = 0; i < ARRAY_SIZE(device_kinds); i++) {
		const size_t length = strlen(device_kinds[i].prefix);
		unsigned long port;
		char *end;

		if (strcmp(link->kind, device_kinds[i].link_kind) != 0 ||
		    strncmp(link->name, device_kinds[i].prefix, length) != 0)
			continue;
		port = strtoul(link->name + length, &end, 10);
		if (*end || !port || port > UINT16_MAX)
			continue;
		listing->ports = xreallocarray(listing->ports, (size_t)listing->count + 1,
					       sizeof(*listing->ports));
		listing->kinds = xreallocarray(listing->kinds, (size_t)listing->count + 1,
					       sizeof(*listing->kinds));
		listing->ports[listing->count] = (uint16_t)port;
		listing->kinds[listing->count++] = device_kinds[i].kind;
	}
}

int device_tunnel_list(struct netlink *netlink, uint16_t **ports, uint32_t **kinds,
		       struct error *error)
{
	struct listing listing = { 0 };
	int result = netlink_link_list(netlink, list_device, &listing, error);

	if (result) {
		free(listing.ports);
		free(listing.kinds);
		return result;
	}
	*ports = listing.ports;
	*kinds = listing.kinds;
	return listing.count;
}
