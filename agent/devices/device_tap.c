/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that are taps (Ethernet, for virtual machines) and tuns (IP, for programs).
 *
 * The device is persistent, so that QEMU or any other program may come and go. One that is there
 * already under the name is adopted: used, set up, and left behind when the port is removed; only
 * the alias tells that Weft made a device. Whether frames carry a vnet header, and which offloads
 * are on, is decided by the program that opens the device, each time it does.
 */
#include <errno.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/devices/device_private.h"
#include "base/tap.h"

/* Finds the device by its name. A device of another kind is a failure. */
static void look_up(struct devices *devices, struct device_job *job)
{
	const struct attach *attach = job->request->attach;
	const bool tun = attach->kind == ATTACH_TUN;
	struct error error = { 0 };
	int result = netlink_link_get_by_name(devices->netlink, attach->ifname, &job->link, &error);
	uint32_t port_id;

	job->there = !result;
	if (result && result != -ENODEV) {
		device_fail(job, &error);
		return;
	}
	if (!job->there)
		return;
	if (strcmp(job->link.kind, "tun") != 0 || (job->link.type == ARPHRD_NONE) != tun) {
		error_set(&error, EEXIST, NULL, "device %s is there already and is no %s",
			  attach->ifname, tun ? "tun" : "tap");
		device_fail(job, &error);
	} else if (!strncmp(job->link.alias, "weft", 4) &&
		   !device_is_ours(devices, &job->link, &port_id)) {
		error_set(&error, EEXIST, NULL, "device %s is of another daemon: %s",
			  attach->ifname, job->link.alias);
		device_fail(job, &error);
	}
}

/* As long as nobody has made it persistent, it goes with the descriptor. Return: 0 or negative errno. */
static int name_and_keep(struct devices *devices, struct device_job *job, int fd,
			 struct error *error)
{
	const struct device_request *request = job->request;
	struct link_change change = LINK_CHANGE_NOTHING;
	char alias[DEVICE_ALIAS_SIZE];
	int code;

	device_alias(devices, request->port_id, request->port_name, alias);
	change.alias = alias;
	code = netlink_link_get_by_name(devices->netlink, request->attach->ifname, &job->link,
					error);
	if (!code)
		code = netlink_link_change(devices->netlink, job->link.ifindex, &change, error);
	if (code)
		return code;
	snprintf(job->link.alias, sizeof(job->link.alias), "%s", alias);
	return tap_set_persistent(fd, true, error);
}

/*
 * The alias comes first, then the device is made persistent: at no moment is there one that would stay, and that
 * a daemon after this one would not know for Weft's.
 */
static void make(struct devices *devices, struct device_job *job)
{
	const struct attach *attach = job->request->attach;
	const struct tap_options options = {
		.name = attach->ifname,
		.netns_fd = -1,
		.tun = attach->kind == ATTACH_TUN,
		.multi_queue = attach->queues > 1,
		.vnet_header = attach->kind == ATTACH_TAP,
		.exclusive = true,
		.owner = (uid_t)-1,
	};
	struct error error = { 0 };
	int fd = tap_open(&options, &error), code = fd;

	if (fd >= 0) {
		code = name_and_keep(devices, job, fd, &error);
		close(fd);
	}
	if (code) {
		device_fail(job, &error);
		return;
	}
	job->made = true;
	device_changed(job, "device %s was made", attach->ifname);
}

void device_tap_plug(struct devices *devices, struct device_job *job)
{
	look_up(devices, job);
	if (!job->done && !job->there)
		make(devices, job);
	if (!job->done)
		device_settle(devices, job, 1);
}

void device_tap_check(struct devices *devices, struct device_job *job)
{
	look_up(devices, job);
	if (job->done)
		return;
	if (job->there)
		device_settle_check(devices, job);
	else
		device_changed(job, "there is no device %s", job->request->attach->ifname);
}
