/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that are a device of the host which somebody else has made: a NIC, a veth, a macvlan, a VLAN device.
 *
 *	host's stack ---+
 *	                eth1 === whoever is behind it: a workload, or a switch (attach.link)
 *	pipeline -------+
 *
 * What comes in by the device is the port's, what is for the port goes out by it. The host goes on using the
 * device (ATTACHMENT_SHARED) as it uses an uplink: frames to the device's own MAC are the host's alone, those
 * to all go to both, VLAN tags of no child port are the host's. Three are the port's alone: a device whose
 * addresses were taken; a veth without addresses, which has a workload at its other end that has no business
 * with the host; and a macvlan, whose frames the kernel marks as the host's whatever MAC they are for.
 *
 * The device is known by its name: renamed it is put back as it was, and whoever gets the name is next. Its
 * MTU is not changed; where it is too small, the port says so. Neighbours: adoption.h, device.c.
 */
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdio.h>
#include <string.h>

#include "agent/devices/device_private.h"

static struct adoption_wish wish_of(const struct device_job *job)
{
	return (struct adoption_wish){
		.port_id = job->request->port_id,
		/* A veth takes whatever comes. */
		.promiscuous = strcmp(job->link.kind, "veth") != 0,
		.take_addresses = job->request->attach->take_addresses,
	};
}

static bool has_addresses(struct devices *devices, const struct device_job *job)
{
	return link_has_addresses(devices->netlink, job->link.ifindex);
}

/* Whether the host goes on using the device. */
static bool is_shared(struct devices *devices, const struct device_job *job)
{
	if (job->request->attach->take_addresses || link_is_macvlan(&job->link))
		return false;
	return strcmp(job->link.kind, "veth") != 0 || has_addresses(devices, job);
}

static void look(struct devices *devices, struct device_job *job)
{
	const struct device_request *request = job->request;
	const struct adoption_wish wish = wish_of(job);
	const char *name = request->attach->ifname;
	struct error error = { 0 };
	char sentence[80];
	int code = netlink_link_get_by_name(devices->netlink, name, &job->link, &error);

	if (code == -ENODEV) {
		snprintf(sentence, sizeof(sentence), "there is no device %s", name);
		device_wait(job, sentence);
		return;
	}
	if (!code)
		code = adoption_refuse(devices->adoptions, devices->netlink, &job->link, &wish,
				       &error);
	if (!code && job->link.type != ARPHRD_ETHER)
		code = error_set(&error, EINVAL, NULL, "device %s is no Ethernet device", name);
	if (!code && link_is_macvlan(&job->link) && !request->attach->take_addresses &&
	    has_addresses(devices, job))
		code = error_set(&error, EBUSY, NULL,
				 "%s %s has addresses, and cannot be shared with the host: say "
				 "take_addresses",
				 job->link.kind, name);
	if (!code && request->receive_rate && is_shared(devices, job))
		code = error_set(&error, EINVAL, NULL,
				 "receive_rate would hold what the host itself sends by %s: say "
				 "take_addresses, or share the device by device_rates of the host",
				 name);
	if (!code && job->link.mtu < request->mtu)
		code = error_set(
			&error, EMSGSIZE, NULL,
			"device %s takes %u bytes and the port's mtu is %u; say mtu: %u at "
			"the port, or raise that of the device",
			name, job->link.mtu, request->mtu, job->link.mtu);
	if (code)
		device_fail(job, &error);
}

/* What the port's row says of the device. */
static void describe(struct devices *devices, struct device_job *job)
{
	struct device_result *result = job->result;
	const bool shared = is_shared(devices, job);

	result->attachment_flags |= shared ? ATTACHMENT_SHARED : 0;
	if (job->request->attach->link)
		result->kind = PORT_LINK;
	else if (!shared && !strcmp(job->link.kind, "veth") && job->link.peer_netnsid >= 0)
		result->kind = PORT_VETH;
	else
		result->kind = PORT_TAP;
}

static int use(struct devices *devices, struct device_job *job, struct error *error)
{
	const struct adoption_wish wish = wish_of(job);
	const uint32_t ifindex = job->link.ifindex;
	const char *differs = adoption_differs(devices->adoptions, &job->link, &wish);
	int code = adoption_take(devices->adoptions, devices->netlink, &job->link, &wish, error);

	/* Known before it is attached, and before the host is given its share. */
	describe(devices, job);
	if (!code && devices->attach)
		code = devices->attach(
			devices->context, ifindex,
			job->result->attachment_flags & ATTACHMENT_SHARED ? PORT_WIRE : PORT_LINK,
			error);
	if (!code && !(job->link.flags & IFF_UP))
		code = netlink_link_set_up(devices->netlink, ifindex, true, error);
	if (!code && differs)
		device_changed(job, "device %s %s", job->link.name, differs);
	return code;
}

void device_adopt_plug(struct devices *devices, struct device_job *job)
{
	uint32_t before = adoption_of_port(devices->adoptions, job->request->port_id);
	struct error error = { 0 };

	look(devices, job);
	/* Renamed, or somebody's else by now. */
	if (before && (job->done || before != job->link.ifindex))
		adoption_release(devices->adoptions, devices->netlink, before);
	if (job->done)
		return;
	if (use(devices, job, &error)) {
		device_fail(job, &error);
		adoption_release(devices->adoptions, devices->netlink, job->link.ifindex);
		return;
	}
	device_rate(devices, job);
}

void device_adopt_check(struct devices *devices, struct device_job *job)
{
	const char *differs;
	struct adoption_wish wish;

	look(devices, job);
	if (job->done)
		return;
	wish = wish_of(job);
	describe(devices, job);
	differs = adoption_differs(devices->adoptions, &job->link, &wish);
	if (differs)
		device_changed(job, "device %s %s", job->link.name, differs);
	else if (!(job->link.flags & IFF_UP))
		device_changed(job, "device %s is down", job->link.name);
	else if (job->record && job->record->ifindex &&
		 (job->record->kind != job->result->kind ||
		  job->record->attachment_flags != job->result->attachment_flags))
		device_changed(job, "device %s is shared with the host otherwise", job->link.name);
}

void device_adopt_leave(struct devices *devices, uint32_t port_id)
{
	uint32_t ifindex = adoption_of_port(devices->adoptions, port_id);
	struct link_info link;

	if (!ifindex)
		return;
	if (!netlink_link_get(devices->netlink, ifindex, &link, NULL) && !strcmp(link.qdisc, "tbf"))
		netlink_rate_clear(devices->netlink, ifindex, NULL);
	adoption_release(devices->adoptions, devices->netlink, ifindex);
}
