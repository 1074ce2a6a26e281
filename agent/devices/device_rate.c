/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues that hold a port to its rates; see device_private.h.
 *
 * What the workload gets waits in a token bucket at the port's device on the host. What it sends waits in one
 * at its own end inside the namespace, where its own stack sees the queue and slows down without loss;
 * whoever is root there may take that away, and meets the policer of core/rate.c then. A tap has no end of
 * ours inside: there the policer alone is at work.
 */
#include <errno.h>
#include <string.h>

#include "agent/devices/device_private.h"
#include "base/log.h"

/* One end. Return: 0 or negative errno. */
static int hold(struct netlink *netlink, const struct link_info *link, uint64_t rate,
		uint32_t burst, struct error *error)
{
	if (!rate)
		return strcmp(link->qdisc, "tbf")
			       ? 0
			       : netlink_rate_clear(netlink, link->ifindex, error);
	return netlink_rate_set(netlink, link->ifindex, rate / 8, port_rate_burst(rate, burst),
				port_rate_queue(rate, burst), error);
}

static void hold_inside(struct device_job *job, struct error *error)
{
	const struct device_request *request = job->request;
	struct netlink *netlink = NULL;
	struct link_info link;

	if (job->netns_fd < 0 || !job->link.peer_ifindex ||
	    device_netns_look(job->netns_fd, job->link.peer_ifindex, &link, error))
		return;
	if (!request->send_rate && strcmp(link.qdisc, "tbf") != 0)
		return;
	if (netlink_open(&netlink, job->netns_fd, error) ||
	    hold(netlink, &link, request->send_rate, request->send_burst, error))
		/* The policer is there whatever the kernel lacks. */
		log_limited(LOG_LEVEL_WARNING, "no queue inside", "port=%s error=\"%s\"",
			    request->port_name, error->text);
	netlink_close(netlink);
}

void device_rate_check(struct device_job *job)
{
	if (job->request->receive_rate && job->link.ifindex && strcmp(job->link.qdisc, "tbf") != 0)
		device_changed(job, "its queue for receive_rate is gone");
}

void device_rate(struct devices *devices, struct device_job *job)
{
	const struct device_request *request = job->request;
	struct error error = { 0 };

	if (job->done)
		return;
	if (hold(devices->netlink, &job->link, request->receive_rate, request->receive_burst,
		 &error)) {
		device_fail(job, &error);
		return;
	}
	/* Of a device that is new and has no rate there is nothing to be taken away. */
	if (device_is_veth(request->attach) && (request->send_rate || !job->made))
		hold_inside(job, &error);
}
