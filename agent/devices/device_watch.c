/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What happens to devices and namespaces without us.
 *
 * The kernel tells of devices here and, for the far ends of veths, in every namespace that has an
 * id here; /run/netns tells of names. A namespace known by a path or a process is asked for once a
 * second while a port waits for it. What is told may be out of date, or our own doing: before
 * anything is reported the device is looked at as it is now. Reports are kept and delivered in the
 * loop's next round, so that the receiver may call this module.
 */
#include <errno.h>
#include <net/if.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "agent/devices/device_private.h"
#include "base/alloc.h"
#include "base/log.h"

struct device_notice {
	uint32_t port_id;
	enum device_event_kind kind;
	char sentence[200];
};

struct far_key {
	int32_t netnsid;
	uint32_t ifindex;
};

/* ---- reports ---- */

static void notice(struct devices *devices, const struct device_record *record,
		   enum device_event_kind kind, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

static void notice(struct devices *devices, const struct device_record *record,
		   enum device_event_kind kind, const char *format, ...)
{
	struct device_notice *fresh;
	va_list arguments;

	if (!devices->event)
		return;
	/* Of what happens to one port in a row the last is enough. */
	if (devices->notice_count &&
	    devices->notices[devices->notice_count - 1].port_id == record->port_id)
		devices->notice_count--;
	if (devices->notice_count == devices->notice_room) {
		devices->notice_room = devices->notice_room ? 2 * devices->notice_room : 16;
		devices->notices = xreallocarray(devices->notices, devices->notice_room,
						 sizeof(*devices->notices));
	}
	fresh = &devices->notices[devices->notice_count++];
	fresh->port_id = record->port_id;
	fresh->kind = kind;
	va_start(arguments, format);
	vsnprintf(fresh->sentence, sizeof(fresh->sentence), format, arguments);
	va_end(arguments);
	loop_defer(devices->loop, &devices->deliver);
}

static void deliver(void *context)
{
	struct devices *devices = context;
	struct device_notice *notices = devices->notices;
	size_t count = devices->notice_count;

	devices->notices = NULL;
	devices->notice_count = devices->notice_room = 0;
	for (size_t i = 0; i < count; i++) {
		struct device_record *record = map_get_u32(&devices->records, notices[i].port_id);

		if (!record)
			continue;
		log_debug("port is looked at", "port=%s what=\"%s\"", record->port_name,
			  notices[i].sentence);
		devices->event(devices->context, notices[i].port_id, notices[i].kind,
			       notices[i].sentence);
	}
	free(notices);
}

/* ---- devices ---- */

/* What is not as it was left, of either end; NULL when all is. */
static const char *difference(const struct link_info *link, const struct device_record *record,
			      bool far_end)
{
	const bool adopted = record->attach.kind == ATTACH_DEVICE;

	if (!(link->flags & IFF_UP))
		return "was set down";
	if (adopted ? link->mtu < record->mtu : link->mtu != record->mtu)
		return "has another MTU";
	if (adopted && link->master_ifindex)
		return "became a member of another device";
	if (adopted && strcmp(link->name, record->attach.ifname) != 0)
		return "has another name";
	if (far_end && !mac_address_equal(&link->mac, &record->mac))
		return "has another MAC";
	if (far_end && *record->attach.ifname && strcmp(link->name, record->attach.ifname) != 0)
		return "has another name";
	return NULL;
}

/* What is told while a round of plugging ends is of that round, but for what is never done to a device of others. */
static bool is_own_doing(const struct devices *devices, const struct device_record *record,
			 const struct link_info *told)
{
	return devices->draining && record->round == devices->round &&
	       (record->attach.kind != ATTACH_DEVICE || !strcmp(told->name, record->attach.ifname));
}

static void near_changed(struct devices *devices, const struct link_info *told)
{
	struct device_record *record = map_get_u32(&devices->by_ifindex, told->ifindex);
	struct link_info link;
	const char *what;

	if (!record || is_own_doing(devices, record, told) || !difference(told, record, false))
		return;
	if (netlink_link_get(devices->netlink, told->ifindex, &link, NULL))
		return; /* that it is gone will be told, too */
	what = difference(&link, record, false);
	if (what)
		notice(devices, record, DEVICE_CHANGED, "device %s %s", link.name, what);
}

static void far_changed(struct devices *devices, const struct link_info *told)
{
	const struct far_key key = { told->netnsid, told->ifindex };
	struct device_record *record = map_get(&devices->by_far, &key, sizeof(key));
	struct link_info link;
	const char *what;
	int netns_fd;

	if (!record || (devices->draining && record->round == devices->round) ||
	    record->attach.kind == ATTACH_DEVICE || !difference(told, record, true))
		return;
	netns_fd = device_netns_open(&record->attach, NULL);
	if (netns_fd < 0)
		return; /* without a way in nothing can be repaired */
	what = device_netns_look(netns_fd, told->ifindex, &link, NULL)
		       ? NULL
		       : difference(&link, record, true);
	close(netns_fd);
	if (what)
		notice(devices, record, DEVICE_CHANGED, "%s inside the namespace %s", link.name,
		       what);
}

/* A bridge that ports are in, or a device of others that is a port, or that one waits for. */
static void bridge_changed(struct devices *devices, const struct link_info *told, bool there)
{
	struct list *ports = map_get_text(&devices->by_bridge, told->name);
	struct device_record *record;

	if (!ports || told->netnsid >= 0)
		return;
	LIST_FOR_EACH(record, ports, by_netns)
		if (there != (record->state == DEVICE_PLUGGED) &&
		    !(devices->draining && record->round == devices->round))
			notice(devices, record, there ? DEVICE_CHANGED : DEVICE_GONE,
			       "device %s is %s", told->name, there ? "there" : "gone");
}

static void device_deleted(struct devices *devices, const struct link_info *told)
{
	const struct far_key key = { told->netnsid, told->ifindex };
	struct device_record *record;

	if (told->netnsid < 0) {
		record = map_get_u32(&devices->by_ifindex, told->ifindex);
		if (!record)
			return;
		notice(devices, record, DEVICE_GONE, "device %s is gone", told->name);
		device_watch_remove(devices, record);
		record->ifindex = record->far_ifindex = 0;
		record->state = DEVICE_WAITING;
		return;
	}
	/* Deleted with its pair, which is told as well, or moved to yet another namespace. */
	record = map_get(&devices->by_far, &key, sizeof(key));
	if (record)
		notice(devices, record, DEVICE_CHANGED, "%s left the namespace", told->name);
}

static void link_event(void *context, const struct link_event *event)
{
	struct devices *devices = context;

	switch (event->kind) {
	case LINK_EVENT_CHANGED:
		bridge_changed(devices, &event->link, true);
		if (event->link.netnsid < 0)
			near_changed(devices, &event->link);
		else
			far_changed(devices, &event->link);
		break;
	case LINK_EVENT_DELETED:
		bridge_changed(devices, &event->link, false);
		device_deleted(devices, &event->link);
		break;
	case LINK_EVENT_LOST:
		MAP_FOR_EACH(&devices->records, port) {
			notice(devices, port.value, DEVICE_CHANGED,
			       "events of the kernel were lost");
		}
		break;
	case LINK_EVENT_NETNSID_GONE:
	default: break;
	}
}

static void monitor_ready(void *context, int fd, uint32_t events)
{
	struct devices *devices = context;
	struct error error = { 0 };

	(void)fd;
	(void)events;
	if (netlink_monitor_read(devices->monitor, &error))
		log_limited(LOG_LEVEL_WARNING, "devices not watched", "error=\"%s\"", error.text);
}

void device_watch_far_ends(struct devices *devices, bool listen)
{
	int result;

	if (devices->no_broadcast || devices->deaf == !listen)
		return;
	result = netlink_monitor_set_all_namespaces(devices->monitor, listen);
	if (result)
		log_limited(LOG_LEVEL_WARNING, "namespaces not watched", "error=\"%s\"",
			    strerror(-result));
	else
		devices->deaf = !listen;
}

void device_watch_drain(struct devices *devices)
{
	devices->draining = true;
	monitor_ready(devices, -1, 0);
	devices->draining = false;
}

/* ---- namespaces ---- */

/* Whether the name leads to the namespace where the port's device is. */
static bool leads_to_device(struct devices *devices, const struct device_record *record)
{
	int netns_fd = device_netns_open(&record->attach, NULL);
	int32_t netnsid = -1;
	bool same;

	if (netns_fd < 0)
		return false;
	same = !netlink_netnsid(devices->netlink, netns_fd, &netnsid, NULL) &&
	       netnsid == record->netnsid;
	close(netns_fd);
	return same;
}

/* What is told may be older than the port's last plugging. */
static void name_event(void *context, const char *name, bool appeared)
{
	struct devices *devices = context;
	struct list *ports = map_get_text(&devices->by_netns, name);
	struct device_record *record;

	if (!ports)
		return;
	LIST_FOR_EACH(record, ports, by_netns) {
		if (record->state == DEVICE_PLUGGED && leads_to_device(devices, record))
			continue;
		if (appeared)
			notice(devices, record, DEVICE_NAMESPACE_APPEARED, "namespace %s is there",
			       name);
		else if (record->state == DEVICE_PLUGGED)
			notice(devices, record, DEVICE_NAMESPACE_GONE, "namespace %s is gone",
			       name);
	}
}

static void names_ready(void *context, int fd, uint32_t events)
{
	struct devices *devices = context;
	struct error error = { 0 };

	(void)fd;
	(void)events;
	if (netns_watch_read(devices->names, &error))
		log_limited(LOG_LEVEL_WARNING, "namespaces not watched", "error=\"%s\"",
			    error.text);
}

/* Whether what a port waits for is there now. */
static bool is_there(struct devices *devices, const struct device_record *record)
{
	int fd;

	if (device_is_bridge(&record->attach))
		return device_link_can(devices, record);
	fd = device_netns_open(&record->attach, NULL);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Asks for the namespaces and bridges that nothing tells of. */
static void poll_waiting(void *context)
{
	struct devices *devices = context;
	bool any = false;

	MAP_FOR_EACH(&devices->records, port) {
		struct device_record *record = port.value;

		if (!record->polled || record->state == DEVICE_PLUGGED)
			continue;
		any = true;
		if (is_there(devices, record))
			notice(devices, record, DEVICE_NAMESPACE_APPEARED, "its %s is there",
			       device_is_bridge(&record->attach) ? "bridge" : "namespace");
	}
	if (!any)
		loop_timer_stop(&devices->poll);
}

/* ---- records ---- */

/* Whether it is a device of the host that it waits for, not a namespace. */
static bool is_by_device(const struct device_record *record)
{
	return device_is_bridge(&record->attach) || record->attach.kind == ATTACH_DEVICE;
}

/* By what name the record is found when something of that name comes or goes. */
static const char *name_of(const struct device_record *record)
{
	return is_by_device(record) ? record->attach.ifname : record->attach.netns;
}

static struct map *names_of(struct devices *devices, const struct device_record *record)
{
	return is_by_device(record) ? &devices->by_bridge : &devices->by_netns;
}

static void join_name(struct devices *devices, struct device_record *record)
{
	struct map *names = names_of(devices, record);
	struct list *ports = map_get_text(names, name_of(record));

	if (!ports) {
		ports = xmalloc(sizeof(*ports));
		list_init(ports);
		map_put_text(names, name_of(record), ports);
	}
	list_push_back(ports, &record->by_netns);
}

void device_watch_add(struct devices *devices, struct device_record *record)
{
	const struct far_key key = { record->netnsid, record->far_ifindex };
	const bool named = is_by_device(record) || (record->attach.kind == ATTACH_NETNS &&
						    !strchr(record->attach.netns, '/'));

	if (record->ifindex)
		map_put_u32(&devices->by_ifindex, record->ifindex, record);
	if (record->far_ifindex)
		map_put(&devices->by_far, &key, sizeof(key), record);
	record->polled = record->attach.kind == ATTACH_OVS_BRIDGE ||
			 (!named && device_is_veth(&record->attach));
	if (named)
		join_name(devices, record);
	if (record->polled && record->state != DEVICE_PLUGGED &&
	    !loop_timer_is_running(&devices->poll))
		loop_timer_start(devices->loop, &devices->poll, CLOCK_NS_PER_SECOND,
				 CLOCK_NS_PER_SECOND);
}

void device_watch_remove(struct devices *devices, struct device_record *record)
{
	const struct far_key key = { record->netnsid, record->far_ifindex };
	struct map *names = names_of(devices, record);
	struct list *ports = map_get_text(names, name_of(record));

	if (record->ifindex && map_get_u32(&devices->by_ifindex, record->ifindex) == record)
		map_remove_u32(&devices->by_ifindex, record->ifindex);
	if (record->far_ifindex && map_get(&devices->by_far, &key, sizeof(key)) == record)
		map_remove(&devices->by_far, &key, sizeof(key));
	if (list_is_empty(&record->by_netns))
		return;
	list_remove(&record->by_netns);
	if (ports && list_is_empty(ports))
		free(map_remove_text(names, name_of(record)));
}

/* ---- open and close ---- */

int device_watch_open(struct devices *devices, struct error *error)
{
	int result;

	loop_timer_init(&devices->poll, poll_waiting, devices);
	loop_deferred_init(&devices->deliver, deliver, devices);
	result = netlink_monitor_open(&devices->monitor, -1, true, link_event, devices, error);
	if (result == -EPERM) {
		devices->no_broadcast = true;
		log_warning("namespaces not watched",
			    "lacks=CAP_NET_BROADCAST effect=\"what is changed inside namespaces is "
			    "found by the audit only\"");
		result = netlink_monitor_open(&devices->monitor, -1, false, link_event, devices,
					      error);
	}
	if (!result)
		result = netns_watch_open(&devices->names, name_event, devices, error);
	if (!result && (loop_add_fd(devices->loop, netlink_monitor_fd(devices->monitor), EPOLLIN,
				    monitor_ready, devices) ||
			loop_add_fd(devices->loop, netns_watch_fd(devices->names), EPOLLIN,
				    names_ready, devices)))
		result = error_set(error, ENOMEM, NULL, "cannot watch devices in the loop");
	return result;
}

void device_watch_close(struct devices *devices)
{
	/* Before device_watch_open() there is nothing to take out of the loop. */
	if (devices->deliver.callback) {
		loop_deferred_cancel(&devices->deliver);
		loop_timer_stop(&devices->poll);
	}
	if (devices->monitor)
		loop_remove_fd(devices->loop, netlink_monitor_fd(devices->monitor));
	if (devices->names)
		loop_remove_fd(devices->loop, netns_watch_fd(devices->names));
	netlink_monitor_close(devices->monitor);
	netns_watch_close(devices->names);
	map_fini(&devices->by_ifindex, NULL);
	map_fini(&devices->by_far, NULL);
	map_fini(&devices->by_netns, free);
	map_fini(&devices->by_bridge, free);
	free(devices->notices);
}
