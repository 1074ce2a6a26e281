/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Events of network devices; the contracts are in netlink_monitor.h.
 *
 * libmnl's receive function has no room for the control message that names the namespace an
 * event comes from, so this file calls recvmsg(2) itself.
 */
#include "base/netlink_monitor.h"

#include <errno.h>
#include <linux/net_namespace.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/alloc.h"
#include "base/netlink_private.h"

#define QUEUE_SIZE (4 << 20)
#define RECEIVE_SIZE 65536
#define GROUP_BIT(group) (1U << ((group)-1))

struct netlink_monitor {
	struct mnl_socket *socket;
	link_event_callback *callback;
	void *context;
	char received[RECEIVE_SIZE] __attribute__((aligned(8)));
};

int netlink_monitor_open(struct netlink_monitor **monitor, int netns_fd, bool all_namespaces,
			 link_event_callback *callback, void *context, struct error *error)
{
	struct netlink_monitor *fresh;
	struct mnl_socket *socket;
	int group = RTNLGRP_NSID;
	int one = 1;
	int result;

	result = netlink_open_socket(&socket, netns_fd, GROUP_BIT(RTNLGRP_LINK), QUEUE_SIZE, error);
	if (result)
		return result;
	if (mnl_socket_setsockopt(socket, NETLINK_ADD_MEMBERSHIP, &group, sizeof(group)) ||
	    (all_namespaces &&
	     mnl_socket_setsockopt(socket, NETLINK_LISTEN_ALL_NSID, &one, sizeof(one)))) {
		result = error_set(error, errno, NULL, "cannot listen for events of devices: %s",
				   strerror(errno));
		mnl_socket_close(socket);
		return result;
	}
	fresh = xcalloc(1, sizeof(*fresh));
	fresh->socket = socket;
	fresh->callback = callback;
	fresh->context = context;
	*monitor = fresh;
	return 0;
}

int netlink_monitor_set_all_namespaces(struct netlink_monitor *monitor, bool all_namespaces)
{
	int value = all_namespaces;

	return mnl_socket_setsockopt(monitor->socket, NETLINK_LISTEN_ALL_NSID, &value,
				     sizeof(value))
		       ? -errno
		       : 0;
}

int netlink_monitor_fd(const struct netlink_monitor *monitor)
{
	return mnl_socket_get_fd(monitor->socket);
}

/* The namespace the message comes from; -1 for the socket's own. */
static int32_t origin(struct msghdr *header)
{
	struct cmsghdr *control;
	int32_t id = -1;

	for (control = CMSG_FIRSTHDR(header); control; control = CMSG_NXTHDR(header, control))
		if (control->cmsg_level == SOL_NETLINK &&
		    control->cmsg_type == NETLINK_LISTEN_ALL_NSID)
			memcpy(&id, CMSG_DATA(control), sizeof(id));
	return id;
}

static void report_namespace_gone(struct netlink_monitor *monitor, const struct nlmsghdr *message)
{
	struct link_event event = { .kind = LINK_EVENT_NETNSID_GONE };
	const struct nlattr *attribute;

	mnl_attr_for_each(attribute, message, sizeof(struct rtgenmsg)) {
		if (mnl_attr_get_type(attribute) != NETNSA_NSID ||
		    mnl_attr_get_payload_len(attribute) < sizeof(int32_t))
			continue;
		event.link.netnsid = (int32_t)mnl_attr_get_u32(attribute);
		monitor->callback(monitor->context, &event);
	}
}

static void report(struct netlink_monitor *monitor, const struct nlmsghdr *message, int32_t netnsid)
{
	struct link_event event = { .kind = LINK_EVENT_CHANGED };

	if (message->nlmsg_type == RTM_DELNSID && netnsid < 0) {
		report_namespace_gone(monitor, message);
		return;
	}
	if (!netlink_parse_link(message, &event.link))
		return;
	if (message->nlmsg_type == RTM_DELLINK)
		event.kind = LINK_EVENT_DELETED;
	event.link.netnsid = netnsid;
	monitor->callback(monitor->context, &event);
}

int netlink_monitor_read(struct netlink_monitor *monitor, struct error *error)
{
	const struct link_event lost = { .kind = LINK_EVENT_LOST };

	for (;;) {
		struct iovec part = { monitor->received, sizeof(monitor->received) };
		char control[CMSG_SPACE(sizeof(int32_t)) + 64] __attribute__((aligned(8)));
		struct msghdr header = {
			.msg_iov = &part,
			.msg_iovlen = 1,
			.msg_control = control,
			.msg_controllen = sizeof(control),
		};
		ssize_t size = recvmsg(netlink_monitor_fd(monitor), &header, MSG_DONTWAIT);
		const struct nlmsghdr *message = (const void *)monitor->received;
		int left = (int)size;

		if (size < 0 && errno == EAGAIN)
			return 0;
		if (size < 0 && errno == EINTR)
			continue;
		if (size < 0 && errno == ENOBUFS) {
			monitor->callback(monitor->context, &lost);
			continue;
		}
		if (size < 0)
			return error_set(error, errno, NULL, "cannot read events of devices: %s",
					 strerror(errno));
		if (header.msg_flags & MSG_TRUNC)
			monitor->callback(monitor->context, &lost);
		for (; mnl_nlmsg_ok(message, left); message = mnl_nlmsg_next(message, &left))
			report(monitor, message, origin(&header));
	}
}

void netlink_monitor_close(struct netlink_monitor *monitor)
{
	if (!monitor)
		return;
	mnl_socket_close(monitor->socket);
	free(monitor);
}
