/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The pair that takes frames of several packets apart; see segmenter.h.
 */
#include "agent/devices/segmenter.h"

#include <errno.h>
#include <net/if.h>
#include <string.h>
#include <unistd.h>

#include "agent/devices/own_device.h"
#include "base/ethtool.h"
#include "base/log.h"
#include "base/netlink.h"

#define PAIR_MTU 65535 /* what is cut fits any */
#define ALIAS "weft segments"

static const struct mac_address near_mac = { { 0x06, 0x57, 0, 0, 0, 3 } };
static const struct mac_address far_mac = { { 0x06, 0x57, 0, 0, 0, 2 } };

struct names {
	char near_end[OWN_NAME_SIZE];
	char far_end[OWN_NAME_SIZE];
};

static void name_devices(struct names *names, const char *instance)
{
	own_name(names->near_end, "ws-", instance);
	own_name(names->far_end, "wr-", instance);
}

/* -ENODEV: it is not there; -EEXIST: what has the name is not Weft's. */
static int find(struct netlink *netlink, const char *name, struct link_info *link,
		struct error *error)
{
	int code = netlink_link_get_by_name(netlink, name, link, NULL);

	if (code && code != -ENODEV)
		return error_set(error, code, NULL, "cannot look up device %s: %s", name,
				 strerror(-code));
	if (!code && strcmp(link->kind, "veth") != 0)
		return error_set(error, EEXIST, NULL, "device %s is there and is not Weft's", name);
	return code;
}

static int turn_off(const char *name, struct error *error)
{
	int fd = ethtool_open(error), code;

	if (fd < 0)
		return fd;
	code = ethtool_set_segmentation(fd, name, false, error);
	if (!code)
		code = ethtool_set_checksum(fd, name, false, error);
	close(fd);
	return code;
}

static int make(struct netlink *netlink, struct datapath *datapath, const struct names *names,
		struct error *error)
{
	const struct veth_end near_end = { names->near_end, -1, near_mac, false };
	const struct veth_end far_end = { names->far_end, -1, far_mac, false };
	struct link_info link;
	uint32_t near_ifindex = 0, far_ifindex = 0;
	int code = find(netlink, names->near_end, &link, error);

	if (code == -ENODEV)
		code = netlink_link_add_veth(netlink, &near_end, &far_end, PAIR_MTU, error);
	if (!code)
		code = turn_off(names->near_end, error);
	if (!code)
		code = own_device_set_up(names->far_end, ALIAS, PAIR_MTU, 0, &far_ifindex, error);
	if (!code)
		code = own_device_set_up(names->near_end, ALIAS, PAIR_MTU, 0, &near_ifindex, error);
	/* Frames go that way as soon as all of it is there. */
	return code ? code : datapath_attach_segmenter(datapath, near_ifindex, far_ifindex, error);
}

static int unmake(struct netlink *netlink, struct datapath *datapath, const struct names *names,
		  struct error *error)
{
	struct link_info link = { 0 };
	int code = datapath_attach_segmenter(datapath, 0, 0, error);

	if (!code)
		code = find(netlink, names->near_end, &link, error);
	if (!code)
		code = netlink_link_delete(netlink, link.ifindex, error);
	return code == -ENODEV ? 0 : code;
}

int segmenter_set(struct datapath *datapath, const char *instance, bool wanted, struct error *error)
{
	struct netlink *netlink;
	struct names names;
	int code = netlink_open(&netlink, -1, error);

	if (code)
		return code;
	name_devices(&names, instance);
	code = wanted ? make(netlink, datapath, &names, error)
		      : unmake(netlink, datapath, &names, error);
	netlink_close(netlink);
	if (!code)
		log_debug("segments", "device=%s there=%d", names.near_end, wanted);
	return code;
}
