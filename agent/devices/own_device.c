/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The daemon's own devices; see own_device.h.
 */
#include "agent/devices/own_device.h"

#include <stdio.h>
#include <string.h>

#include "base/netlink.h"

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

int own_device_set_up(const char *name, const char *alias, uint32_t mtu, uint32_t queue_length,
		      uint32_t *ifindex, struct error *error)
{
	struct link_change change = LINK_CHANGE_NOTHING;
	struct netlink *netlink;
	struct link_info link;
	int code = netlink_open(&netlink, -1, error);

	*ifindex = 0;
	if (code)
		return code;
	code = netlink_link_get_by_name(netlink, name, &link, error);
	if (!code) {
		change.link_local = LINK_LOCAL_NONE;
		/* A host without IPv6 refuses. */
		netlink_link_change(netlink, link.ifindex, &change, NULL);
		change = (struct link_change)LINK_CHANGE_NOTHING;
		change.alias = alias;
		change.mtu = mtu;
		code = netlink_link_change(netlink, link.ifindex, &change, error);
	}
	if (!code && queue_length)
		code = netlink_link_set_queue_length(netlink, link.ifindex, queue_length, error);
	if (!code)
		code = netlink_link_set_up(netlink, link.ifindex, true, error);
	if (!code)
		*ifindex = link.ifindex;
	netlink_close(netlink);
	return code;
}
