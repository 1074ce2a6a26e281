/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The mirror device; see mirrors.h.
 */
#include "agent/devices/mirrors.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>

#include "agent/devices/own_device.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/netlink.h"
#include "base/tap.h"

#define DEVICE_MTU 65521 /* as much as a tap takes: frames of several packets come whole */
#define RETRY_NS (10 * CLOCK_NS_PER_SECOND)

struct mirrors {
	struct datapath *datapath;
	char name[OWN_NAME_SIZE];
	bool devices, known; /* known: what an earlier run left was looked at */
	uint32_t ifindex;    /* attached; 0: none */
	uint64_t retry_ns;   /* not before */
};

struct mirrors *mirrors_open(struct datapath *datapath, const char *instance, bool devices)
{
	struct mirrors *mirrors = xcalloc(1, sizeof(*mirrors));

	mirrors->datapath = datapath;
	mirrors->devices = devices;
	own_name(mirrors->name, "wm-", instance);
	return mirrors;
}

void mirrors_close(struct mirrors *mirrors)
{
	free(mirrors);
}

/* The program is there before the pipeline is told of the device. */
static int make(struct mirrors *mirrors, struct error *error)
{
	const struct tap_options options = {
		.name = mirrors->name,
		.netns_fd = -1,
		.owner = (uid_t)-1,
	};
	uint32_t ifindex = 0;
	int code = tap_create(&options, error);

	if (!code)
		code = own_device_set_up(mirrors->name, "weft mirror", DEVICE_MTU, 0, &ifindex,
					 error);
	if (!code)
		code = datapath_attach_mirror(mirrors->datapath, ifindex, error);
	if (!code)
		mirrors->ifindex = ifindex;
	return code;
}

/* The device of a name, if there is one. Return: 0 or negative errno. */
static int delete_device(const char *name, struct error *error)
{
	struct netlink *netlink;
	struct link_info link;
	int code;

	if (!if_nametoindex(name))
		return 0;
	code = netlink_open(&netlink, -1, error);
	if (code)
		return code;
	code = netlink_link_get_by_name(netlink, name, &link, error);
	if (!code)
		code = netlink_link_delete(netlink, link.ifindex, error);
	netlink_close(netlink);
	return code;
}

static void unmake(struct mirrors *mirrors)
{
	struct error error = { 0 };

	datapath_attach_mirror(mirrors->datapath, 0, NULL);
	mirrors->ifindex = 0;
	if (delete_device(mirrors->name, &error))
		log_warning("the mirror device stays", "device=%s text=\"%s\"", mirrors->name,
			    error.text);
}

void mirrors_want(struct mirrors *mirrors, bool wanted)
{
	struct error error = { 0 };
	uint32_t ifindex;
	uint64_t now;

	if (!mirrors || !mirrors->devices)
		return;
	if (!wanted) {
		if (mirrors->ifindex || !mirrors->known)
			unmake(mirrors);
		mirrors->known = true;
		return;
	}
	mirrors->known = true;
	ifindex = if_nametoindex(mirrors->name);
	/* Nor when it could not be asked, for lack of descriptors. */
	if (mirrors->ifindex &&
	    (ifindex == mirrors->ifindex || (!ifindex && error_is_shortage(-errno))))
		return;
	now = clock_monotonic_ns(NULL);
	if (now < mirrors->retry_ns)
		return;
	if (mirrors->ifindex) {
		datapath_attach_mirror(mirrors->datapath, 0, NULL);
		mirrors->ifindex = 0;
	}
	if (!make(mirrors, &error)) {
		log_info("mirror device", "device=%s ifindex=%u", mirrors->name, mirrors->ifindex);
		return;
	}
	mirrors->retry_ns = now + RETRY_NS;
	log_limited(LOG_LEVEL_WARNING, "copies of mirrors into tunnels, and cut ones, are lost",
		    "device=%s text=\"%s\"", mirrors->name, error.text);
}

int mirrors_remove(const char *instance, struct error *error)
{
	char name[OWN_NAME_SIZE];

	own_name(name, "wm-", instance);
	return delete_device(name, error);
}
