/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ports that are one end of a veth pair inside a namespace.
 *
 * The work on many ports goes in steps over all of them: look (is it there, and in the right
 * namespace?), make what is missing with one batch of messages, configure each far end inside its
 * namespace (device_netns.c), then settle the ends on the host with another batch (device.c), which is
 * when the far ends get their carrier. A pair is made with its far end in place, named and with its
 * MAC and MTU, for to move or to rename a device waits for grace periods of the kernel.
 */
#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "agent/devices/device_private.h"
#include "base/alloc.h"

#define DEFAULT_NAME "eth0"

/* Namespaces that Weft gives an id have those below the first of these, from above. */
#define NETNSID_END (1 << 30)
#define NETNSID_LOWEST (1 << 29)

static const char *far_name(const struct device_job *job)
{
	const char *name = job->request->attach->ifname;

	return *name ? name : DEFAULT_NAME;
}

static bool is_job(const struct device_job *job)
{
	return !job->done && device_is_veth(job->request->attach);
}

/* The end on the host, if there is one that is ours. */
static void look_for_device(struct devices *devices, struct device_job *job)
{
	char name[LINK_NAME_SIZE];
	struct error error = { 0 };
	uint32_t port_id;
	int result;

	device_host_name(devices, job->request->port_id, name);
	result = netlink_link_get_by_name(devices->netlink, name, &job->link, &error);
	job->there = !result;
	if (result && result != -ENODEV) {
		device_fail(job, &error);
	} else if (job->there && (strcmp(job->link.kind, "veth") != 0 ||
				  !device_is_ours(devices, &job->link, &port_id))) {
		/* Made a moment before a crash it has no alias yet: then it is down as well. */
		if (!strcmp(job->link.kind, "veth") && !*job->link.alias &&
		    !(job->link.flags & IFF_UP)) {
			job->made = true;
			return;
		}
		error_set(&error, EEXIST, NULL, "device %s is there already and is not Weft's",
			  name);
		device_fail(job, &error);
	}
}

static void take_away(struct devices *devices, struct device_job *job)
{
	struct error error = { 0 };
	int result = netlink_link_delete(devices->netlink, job->link.ifindex, &error);

	/* It may go by itself, with the namespace it was in. */
	if (result && result != -ENODEV)
		device_fail(job, &error);
	job->there = false;
}

/* The namespace the port belongs in. A device whose namespace has lost its name goes on as it is:
 * taking a name away is no reason to cut off who is still inside. To move the port is one. */
static void look_for_namespace(struct devices *devices, struct device_job *job)
{
	struct error error = { 0 };
	int fd = device_netns_open(job->request->attach, &error);

	if (fd >= 0)
		job->netns_fd = fd;
	else if (fd != -ENOENT && fd != -EAGAIN)
		device_fail(job, &error);
	else if (job->there && job->moved)
		take_away(devices, job);
	if (fd < 0 && !job->there)
		device_wait(job, error.text);
	if (job->record && (fd >= 0 || !error_is_shortage(fd)))
		job->record->unnamed = job->there && fd < 0;
}

/*
 * Whether the far end is in the namespace where it should be. Without an id a namespace is new, dying, or
 * this one itself, which has none for itself.
 */
static bool is_in_place(struct devices *devices, struct device_job *job)
{
	struct netns_identity here, there;
	struct error error = { 0 };
	int32_t netnsid = -1;

	if (netlink_netnsid(devices->netlink, job->netns_fd, &netnsid, &error) ||
	    netns_identify(-1, &here, &error) || netns_identify(job->netns_fd, &there, &error)) {
		device_fail(job, &error);
		return true;
	}
	if (netnsid < 0)
		return job->link.peer_netnsid < 0 && netns_identity_equal(&here, &there);
	return netnsid == job->link.peer_netnsid;
}

static void look(struct devices *devices, struct device_job *job, bool repair)
{
	look_for_device(devices, job);
	if (!job->done)
		look_for_namespace(devices, job);
	if (job->done || !job->there || job->netns_fd < 0 || is_in_place(devices, job) || job->done)
		return;
	device_changed(job, "its namespace is another one now");
	if (repair)
		take_away(devices, job);
}

/*
 * Gives the namespaces that pairs are made into an id, each lower than all before. Without one they
 * would get the next higher, and whenever the kernel speaks of a pair it looks for its namespace's id
 * from the lowest on: each port would be slower than the one before, by 0.1 ms after a thousand. A
 * namespace that has an id keeps it, and an id that another daemon gave in the meantime is left to
 * it: then the kernel picks one, which is right as well. This namespace itself must have none.
 */
static void number_namespaces(struct devices *devices, const struct device_job *jobs, size_t count)
{
	struct netns_identity here, there;
	int32_t lowest;

	if (netns_identify(-1, &here, NULL))
		return;
	if (!devices->next_netnsid) {
		if (netlink_netnsid_lowest(devices->netlink, NETNSID_LOWEST, &lowest, NULL))
			return;
		devices->next_netnsid = lowest < 0 ? NETNSID_END : lowest;
	}
	netlink_batch_begin(devices->netlink);
	for (size_t i = 0; i < count; i++)
		if (is_job(&jobs[i]) && !jobs[i].there &&
		    !netns_identify(jobs[i].netns_fd, &there, NULL) &&
		    !netns_identity_equal(&here, &there) && devices->next_netnsid > NETNSID_LOWEST)
			(void)netlink_netnsid_set(devices->netlink, jobs[i].netns_fd,
						  --devices->next_netnsid, NULL);
	(void)netlink_batch_commit(devices->netlink, NULL, NULL, NULL);
}

static void make_pairs(struct devices *devices, struct device_job *jobs, size_t count)
{
	struct device_batch batch;

	number_namespaces(devices, jobs, count);
	device_batch_begin(&batch, devices->netlink);
	for (size_t i = 0; i < count; i++) {
		struct device_job *job = &jobs[i];
		char name[LINK_NAME_SIZE];
		struct error error = { 0 };
		struct veth_end near_end = { .name = name, .netns_fd = -1 };
		struct veth_end far_end = { .name = far_name(job) };

		if (!is_job(job) || job->there)
			continue;
		device_host_name(devices, job->request->port_id, name);
		far_end.netns_fd = job->netns_fd;
		far_end.mac = job->request->mac;
		job->made = true;
		device_batch_own(&batch, job);
		device_batch_queued(&batch,
				    netlink_link_add_veth(devices->netlink, &near_end, &far_end,
							  job->request->mtu, &error),
				    &error);
	}
	device_batch_commit(&batch);
}

static void look_at_made(struct devices *devices, struct device_job *job)
{
	char name[LINK_NAME_SIZE];
	struct error error = { 0 };

	if (job->done && job->code == -EEXIST) {
		/* The kernel says only that something exists; on the host nothing did. */
		snprintf(job->result->sentence, sizeof(job->result->sentence),
			 "the namespace has a device %s already", far_name(job));
		return;
	}
	if (job->done)
		return;
	device_host_name(devices, job->request->port_id, name);
	if (netlink_link_get_by_name(devices->netlink, name, &job->link, &error))
		device_fail(job, &error);
	else
		device_changed(job, "device %s was made", name);
}

static void configure(struct device_job *jobs, size_t count)
{
	size_t made = 0;
	int proc_fd;

	for (size_t i = 0; i < count; i++)
		made += jobs[i].made && !jobs[i].done;
	/* For one or two the mount costs more than it saves. */
	proc_fd = made > 2 ? device_netns_mount_proc() : -1;
	for (size_t i = 0; i < count; i++)
		if (is_job(&jobs[i]) && jobs[i].netns_fd >= 0)
			device_netns_configure(&jobs[i], proc_fd);
	if (proc_fd >= 0)
		close(proc_fd);
}

/* The veths among the jobs, packed, for the steps that take all of them. Return: how many. */
static size_t pack(struct device_job *jobs, size_t count, struct device_job *packed, size_t *places)
{
	size_t packed_count = 0;

	for (size_t i = 0; i < count; i++) {
		if (!is_job(&jobs[i]))
			continue;
		places[packed_count] = i;
		packed[packed_count++] = jobs[i];
	}
	return packed_count;
}

void device_veth_plug(struct devices *devices, struct device_job *jobs, size_t count)
{
	struct device_job *veths = xcalloc(count, sizeof(*veths));
	size_t *places = xcalloc(count, sizeof(*places));
	size_t veth_count = pack(jobs, count, veths, places);

	for (size_t i = 0; i < veth_count; i++)
		look(devices, &veths[i], true);
	make_pairs(devices, veths, veth_count);
	for (size_t i = 0; i < veth_count; i++)
		if (veths[i].made && !veths[i].there)
			look_at_made(devices, &veths[i]);
	configure(veths, veth_count);
	device_settle(devices, veths, veth_count);
	for (size_t i = 0; i < veth_count; i++)
		jobs[places[i]] = veths[i];
	free(places);
	free(veths);
}

void device_veth_check(struct devices *devices, struct device_job *job)
{
	look(devices, job, false);
	if (job->done || job->result->changed)
		return;
	if (!job->there) {
		device_changed(job, "there is no device for it");
		return;
	}
	device_settle_check(devices, job);
	if (job->netns_fd >= 0 && !device_netns_check(job))
		device_changed(job, "its end inside the namespace is gone");
}
