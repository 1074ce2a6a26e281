/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that lead to a switch of somebody else's: a bridge of the kernel, or of Open vSwitch.
 *
 *	workload --- weft's pipeline --- w1a ===veth=== w1ab --- br0 --- whoever is there
 *
 * Both ends are Weft's own and on the host: the near one carries the pipeline, the far one ("b" behind the
 * name) is a member of the bridge, which is otherwise left as it is. Its MTU is the bridge's, if that is the
 * larger: a bridge takes the smallest of its members', and the host may have others on it.
 *
 * A patch is the same with another port of Weft's at the far end: both ends carry the pipeline, and either
 * port makes the pair (patches.h says whether it may).
 *
 * A bridge that is a process (Open vSwitch with datapath_type=netdev) reads frames as they are on the wire: for it
 * the kernel finishes checksums and cuts large frames before they leave the near end.
 *
 * Neighbours: device.c (the caller), ovsdb.h.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/devices/device_private.h"
#include "agent/devices/ovsdb.h"
#include "base/ethtool.h"
#include "base/log.h"

/* The bridge that a job's port joins, as it is now. */
struct place {
	uint32_t ifindex; /* of the bridge's own device; 0: it has none */
	uint32_t mtu;     /* that the far end gets */
	struct ovsdb_bridge ovs;
};

static bool is_ovs(const struct device_job *job)
{
	return job->request->attach->kind == ATTACH_OVS_BRIDGE;
}

static bool is_patch(const struct device_job *job)
{
	return job->request->attach->kind == ATTACH_PATCH;
}

/* Of a port in a bridge. */
static void bridge_end_name(const struct devices *devices, uint32_t port_id,
			    char name[LINK_NAME_SIZE])
{
	device_host_name(devices, port_id, name);
	memcpy(name + strlen(name), "b", 2);
}

static void far_name(const struct devices *devices, const struct device_job *job,
		     char name[LINK_NAME_SIZE])
{
	if (is_patch(job))
		device_host_name(devices, job->request->peer_id, name);
	else
		bridge_end_name(devices, job->request->port_id, name);
}

static void far_alias(const struct device_request *request, char alias[DEVICE_ALIAS_SIZE])
{
	snprintf(alias, DEVICE_ALIAS_SIZE, "weft %.70s in %s", request->port_name,
		 request->attach->ifname);
}

/* ---- looking ---- */

static void look_for_ovs(struct devices *devices, struct device_job *job, struct place *place)
{
	char name[LINK_NAME_SIZE];
	struct error error = { 0 };
	int code;

	far_name(devices, job, name);
	code = ovsdb_look(devices->ovsdb, job->request->attach->ifname, name, &place->ovs, &error);
	if (code == -ENODEV || code == -ENOTCONN)
		device_wait(job, error.text);
	else if (code)
		device_fail(job, &error);
}

static void look_for_bridge(struct devices *devices, struct device_job *job, struct place *place)
{
	const char *name = job->request->attach->ifname;
	struct error error = { 0 };
	struct link_info bridge;
	char sentence[80];
	int code = netlink_link_get_by_name(devices->netlink, name, &bridge, &error);

	if (!code) {
		place->ifindex = bridge.ifindex;
		if (bridge.mtu > place->mtu)
			place->mtu = bridge.mtu;
	}
	if (is_ovs(job)) {
		look_for_ovs(devices, job, place);
	} else if (code == -ENODEV) {
		snprintf(sentence, sizeof(sentence), "there is no bridge %s", name);
		device_wait(job, sentence);
	} else if (code) {
		device_fail(job, &error);
	} else if (strcmp(bridge.kind, "bridge") != 0) {
		error_set(&error, EINVAL, NULL, "device %s is no bridge", name);
		device_fail(job, &error);
	}
}

/* The pair, if it is there. One of another shape is what the port had before: it is not there then. */
static void look_for_pair(struct devices *devices, struct device_job *job, struct link_info *far)
{
	char name[LINK_NAME_SIZE];
	struct error error = { 0 };
	uint32_t port_id;
	int code;

	device_host_name(devices, job->request->port_id, name);
	code = netlink_link_get_by_name(devices->netlink, name, &job->link, &error);
	job->there = !code;
	if (code && code != -ENODEV)
		device_fail(job, &error);
	if (code)
		return;
	far_name(devices, job, name);
	code = netlink_link_get_by_name(devices->netlink, name, far, &error);
	if (strcmp(job->link.kind, "veth") != 0 ||
	    (!device_is_ours(devices, &job->link, &port_id) &&
	     (*job->link.alias || (job->link.flags & IFF_UP)))) {
		error_set(&error, EEXIST, NULL, "device %s is there already and is not Weft's",
			  job->link.name);
		device_fail(job, &error);
	} else if (code || job->link.peer_netnsid >= 0 || job->link.peer_ifindex != far->ifindex) {
		job->there = false;
		if (job->record)
			(void)netlink_link_delete(devices->netlink, job->link.ifindex, NULL);
	} else if (!*job->link.alias) {
		job->made = true; /* a moment before a crash */
	}
}

/* ---- making ---- */

static void make_pair(struct devices *devices, struct device_job *job, const struct place *place,
		      struct link_info *far)
{
	char near_name[LINK_NAME_SIZE], name[LINK_NAME_SIZE];
	const struct veth_end near_end = { .name = near_name, .netns_fd = -1 };
	const struct veth_end far_end = { .name = name, .netns_fd = -1 };
	struct error error = { 0 };

	device_host_name(devices, job->request->port_id, near_name);
	far_name(devices, job, name);
	if (netlink_link_add_veth(devices->netlink, &near_end, &far_end, place->mtu, &error) ||
	    netlink_link_get_by_name(devices->netlink, near_name, &job->link, &error) ||
	    netlink_link_get_by_name(devices->netlink, name, far, &error)) {
		device_fail(job, &error);
		return;
	}
	job->made = true;
	device_changed(job, "devices %s and %s were made", near_name, name);
}

/* Frames on their way to a process are whole: checksums done, none stands for several. */
static void finish_frames(struct device_job *job)
{
	struct error error = { 0 };
	bool on = false;
	int fd = ethtool_open(&error), code = fd < 0 ? fd : 0;

	if (!code)
		code = ethtool_checksum(fd, job->link.name, &on, &error);
	if (!code && on)
		code = ethtool_set_checksum(fd, job->link.name, false, &error);
	if (code)
		device_fail(job, &error);
	if (fd >= 0)
		close(fd);
}

/* ---- the far end ---- */

/* What is not as it should be; NULL: nothing. */
static const char *far_fault(const struct device_job *job, const struct place *place,
			     const struct link_info *far)
{
	char alias[DEVICE_ALIAS_SIZE];

	far_alias(job->request, alias);
	if (is_ovs(job) ? !place->ovs.member : far->master_ifindex != place->ifindex)
		return "it is not in the bridge";
	if (!(far->flags & IFF_UP))
		return "its end in the bridge is down";
	if (far->mtu != place->mtu)
		return "its end in the bridge has another MTU";
	if (strcmp(far->alias, alias) != 0)
		return "its end in the bridge has another alias";
	return NULL;
}

static int join_ovs(struct devices *devices, struct device_job *job, const struct place *place,
		    const struct link_info *far, struct error *error)
{
	const struct device_request *request = job->request;
	int code = 0;

	if (place->ovs.elsewhere)
		code = ovsdb_remove(devices->ovsdb, far->name, error);
	if (!code && !place->ovs.member)
		code = ovsdb_add(devices->ovsdb, request->attach->ifname, far->name,
				 request->port_name, error);
	if (!code && place->ovs.member && place->ovs.fault[0])
		code = error_set(error, EIO, NULL, "Open vSwitch cannot use %s: %s", far->name,
				 place->ovs.fault);
	return code;
}

static void join(struct devices *devices, struct device_job *job, const struct place *place,
		 const struct link_info *far)
{
	const char *fault = far_fault(job, place, far);
	struct link_change change = LINK_CHANGE_NOTHING;
	char alias[DEVICE_ALIAS_SIZE];
	struct error error = { 0 };
	int code = 0;

	if (fault && !job->made)
		device_changed(job, "%s", fault);
	far_alias(job->request, alias);
	change.alias = alias;
	change.mtu = place->mtu;
	change.link_local = LINK_LOCAL_NONE;
	if (fault)
		code = netlink_link_change(devices->netlink, far->ifindex, &change, &error);
	if (!code && is_ovs(job))
		code = join_ovs(devices, job, place, far, &error);
	else if (!code && far->master_ifindex != place->ifindex)
		code = netlink_link_set_master(devices->netlink, far->ifindex, place->ifindex,
					       &error);
	if (!code && !(far->flags & IFF_UP))
		code = netlink_link_set_up(devices->netlink, far->ifindex, true, &error);
	if (code)
		device_fail(job, &error);
}

/* A patch that joins nothing now has no devices. */
static void leave_patch(struct devices *devices, struct device_job *job)
{
	char name[LINK_NAME_SIZE];
	uint32_t port_id;

	device_host_name(devices, job->request->port_id, name);
	if (!netlink_link_get_by_name(devices->netlink, name, &job->link, NULL) &&
	    device_is_ours(devices, &job->link, &port_id))
		(void)netlink_link_delete(devices->netlink, job->link.ifindex, NULL);
	device_wait(job, job->request->wait);
}

/* Where the port leads to: is it there? */
static void look_for_place(struct devices *devices, struct device_job *job, struct place *place)
{
	*place = (struct place){ .mtu = job->request->mtu };
	if (!is_patch(job))
		look_for_bridge(devices, job, place);
	else if (!job->request->peer_id && job->record)
		leave_patch(devices, job);
	else if (!job->request->peer_id)
		device_wait(job, job->request->wait);
}

/* ---- contracts in device_private.h ---- */

bool device_is_bridge(const struct attach *attach)
{
	return attach->kind == ATTACH_BRIDGE || attach->kind == ATTACH_OVS_BRIDGE;
}

void device_link_plug(struct devices *devices, struct device_job *job)
{
	struct link_info far = { 0 };
	struct place place;

	look_for_place(devices, job, &place);
	if (!job->done)
		look_for_pair(devices, job, &far);
	if (!job->done && !job->there)
		make_pair(devices, job, &place, &far);
	if (!job->done && place.ovs.user_space)
		finish_frames(job);
	if (!job->done)
		device_settle(devices, job, 1);
	if (!job->done && !is_patch(job))
		join(devices, job, &place, &far);
}

void device_link_check(struct devices *devices, struct device_job *job)
{
	struct link_info far = { 0 };
	struct place place;
	const char *fault;

	look_for_place(devices, job, &place);
	if (!job->done)
		look_for_pair(devices, job, &far);
	if (job->done)
		return;
	if (!job->there) {
		device_changed(job, "there is no device for it");
		return;
	}
	device_settle_check(devices, job);
	fault = is_patch(job) ? NULL : far_fault(job, &place, &far);
	if (fault)
		device_changed(job, "%s", fault);
}

void device_link_leave(struct devices *devices, uint32_t port_id, const struct attach *attach)
{
	char name[LINK_NAME_SIZE];
	struct error error = { 0 };
	int code;

	if (attach->kind != ATTACH_OVS_BRIDGE)
		return;
	bridge_end_name(devices, port_id, name);
	code = ovsdb_remove(devices->ovsdb, name, &error);
	if (code && code != -ENOTCONN)
		log_warning("device not taken off its bridge", "device=%s text=\"%s\"", name,
			    error.text);
}

bool device_link_can(struct devices *devices, const struct device_record *record)
{
	struct ovsdb_bridge found;
	char name[LINK_NAME_SIZE];

	bridge_end_name(devices, record->port_id, name);
	return !ovsdb_look(devices->ovsdb, record->attach.ifname, name, &found, NULL);
}
