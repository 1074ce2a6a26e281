/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Uplinks: see uplink.h.
 *
 * What the kernel tells is only a sign to look again: there are few uplinks, and each is asked for by its
 * name then.
 */
#include "agent/devices/uplink.h"

#include <errno.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>

#include "agent/devices/adoption.h"
#include "agent/devices/stack.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/netlink.h"
#include "base/netlink_monitor.h"

struct uplink {
	char ifname[16];
	bool take_addresses;
	uint32_t ifindex; /* 0: there is no such device */
	struct mac_address mac;
	bool down; /* somebody has set it down since it was adopted */
	char trouble[200];
};

struct uplinks {
	struct uplinks_options options;
	struct netlink *netlink;
	struct netlink_monitor *monitor; /* while there are uplinks */
	struct stacks *stacks;
	size_t count;
	struct uplink *list;
};

/* ---- a device ---- */

static uint32_t find(struct uplinks *uplinks, const char *ifname, struct mac_address *mac,
		     bool *down)
{
	struct link_info link;

	*mac = (struct mac_address){ { 0 } };
	*down = false;
	if (!uplinks->netlink ||
	    netlink_link_get_by_name(uplinks->netlink, ifname, &link, NULL) < 0)
		return 0;
	*mac = link.mac;
	*down = !(link.flags & IFF_UP);
	return link.ifindex;
}

static void adopt(struct uplinks *uplinks, struct uplink *uplink)
{
	const struct adoption_wish wish = { .promiscuous = true,
					    .take_addresses = uplink->take_addresses };
	struct adoptions *adoptions = uplinks->options.adoptions;
	struct error error = { 0 };
	struct link_info link;
	int code = netlink_link_get(uplinks->netlink, uplink->ifindex, &link, &error);

	if (!code)
		code = adoption_refuse(adoptions, uplinks->netlink, &link, &wish, &error);
	if (!code)
		code = adoption_take(adoptions, uplinks->netlink, &link, &wish, &error);
	if (!code)
		code = datapath_attach_uplink(uplinks->options.datapath, uplink->ifindex, &error);
	if (!code)
		code = netlink_link_set_up(uplinks->netlink, uplink->ifindex, true, &error);
	snprintf(uplink->trouble, sizeof(uplink->trouble), "%.190s", code ? error.text : "");
	if (code)
		log_limited(LOG_LEVEL_WARNING, "an uplink cannot be used", "device=%s text=\"%s\"",
			    uplink->ifname, error.text);
	else
		log_info("uplink", "device=%s ifindex=%u", uplink->ifname, uplink->ifindex);
}

static bool is_wanted(const struct uplinks *uplinks, uint32_t ifindex)
{
	for (size_t i = 0; i < uplinks->count; i++)
		if (uplinks->list[i].ifindex == ifindex)
			return true;
	return uplinks->stacks && stacks_has(uplinks->stacks, ifindex);
}

/* Also what an earlier run adopted and nothing needs any more. */
static void release_others(struct uplinks *uplinks)
{
	uint32_t *list;
	size_t count = datapath_attached_as(uplinks->options.datapath, DATAPATH_UPLINK, &list);

	for (size_t i = 0; i < count; i++) {
		if (is_wanted(uplinks, list[i]) ||
		    adoption_is_port(uplinks->options.adoptions, list[i]))
			continue;
		datapath_detach_uplink(uplinks->options.datapath, list[i]);
		log_info("no uplink any more", "ifindex=%u", list[i]);
	}
	free(list);
	count = adoption_list(uplinks->options.adoptions, true, &list);
	for (size_t i = 0; i < count; i++)
		if (!is_wanted(uplinks, list[i]))
			adoption_release(uplinks->options.adoptions, uplinks->netlink, list[i]);
	free(list);
}

/* Return: whether a device is another than before, has another MAC, was set down or up, or is gone. */
static bool look(struct uplinks *uplinks)
{
	bool changed = false;

	for (size_t i = 0; i < uplinks->count; i++) {
		struct uplink *uplink = &uplinks->list[i];
		struct mac_address mac;
		bool down;
		uint32_t ifindex = find(uplinks, uplink->ifname, &mac, &down);

		changed |= !mac_address_equal(&mac, &uplink->mac);
		uplink->mac = mac;
		/* Whoever does that means it: it is told, and left as it is. */
		down = down && ifindex == uplink->ifindex;
		changed |= down != uplink->down;
		uplink->down = down;
		/* What could not be used may be free by now. */
		if (ifindex == uplink->ifindex && (!ifindex || !uplink->trouble[0]))
			continue;
		uplink->ifindex = ifindex;
		changed = true;
		if (ifindex)
			adopt(uplinks, uplink);
		else
			snprintf(uplink->trouble, sizeof(uplink->trouble), "there is no device %s",
				 uplink->ifname);
	}
	return changed;
}

/* ---- what the kernel tells ---- */

static void link_event(void *context, const struct link_event *event)
{
	struct uplinks *uplinks = context;

	for (size_t i = 0; i < uplinks->count; i++) {
		const struct uplink *uplink = &uplinks->list[i];

		if (event->kind != LINK_EVENT_LOST && event->link.ifindex != uplink->ifindex &&
		    strcmp(event->link.name, uplink->ifname) != 0)
			continue;
		if (look(uplinks)) {
			release_others(uplinks);
			uplinks->options.changed(uplinks->options.context);
		}
		return;
	}
}

static void events_ready(void *context, int fd, uint32_t events)
{
	struct uplinks *uplinks = context;
	struct error error = { 0 };

	(void)fd;
	(void)events;
	if (netlink_monitor_read(uplinks->monitor, &error))
		log_limited(LOG_LEVEL_WARNING, "news of uplinks cannot be read", "text=\"%s\"",
			    error.text);
}

static void listen_to_kernel(struct uplinks *uplinks)
{
	struct error error = { 0 };
	int code;

	if (uplinks->monitor)
		return;
	code = netlink_monitor_open(&uplinks->monitor, -1, false, link_event, uplinks, &error);
	if (!code)
		code = loop_add_fd(uplinks->options.loop, netlink_monitor_fd(uplinks->monitor),
				   EPOLLIN, events_ready, uplinks);
	if (code)
		log_limited(LOG_LEVEL_WARNING, "uplinks that come or go are not noticed",
			    "text=\"%s\"", error.text);
}

static void stop_listening(struct uplinks *uplinks)
{
	if (!uplinks->monitor)
		return;
	loop_remove_fd(uplinks->options.loop, netlink_monitor_fd(uplinks->monitor));
	netlink_monitor_close(uplinks->monitor);
	uplinks->monitor = NULL;
}

/* ---- for others ---- */

/* What is as it was is not adopted anew: somebody may have set it down meanwhile. */
static void set_uplink(struct uplink *uplink, const struct host_uplink *from,
		       const struct uplink *before, size_t before_count)
{
	for (size_t i = 0; i < before_count; i++) {
		if (strcmp(before[i].ifname, from->ifname) == 0 &&
		    before[i].take_addresses == from->take_addresses) {
			*uplink = before[i];
			return;
		}
	}
	snprintf(uplink->ifname, sizeof(uplink->ifname), "%s", from->ifname);
	uplink->take_addresses = from->take_addresses;
}

void uplinks_set(struct uplinks *uplinks, const struct host_uplink *list, size_t count)
{
	struct uplink *before = uplinks->list;
	size_t before_count = uplinks->count;
	bool same = count == before_count;

	if (!uplinks->options.devices)
		return;
	for (size_t i = 0; same && i < count; i++)
		same = strcmp(list[i].ifname, before[i].ifname) == 0 &&
		       list[i].take_addresses == before[i].take_addresses;
	if (same && count)
		return;
	uplinks->list = xcalloc(count + 1, sizeof(*uplinks->list));
	uplinks->count = count;
	for (size_t i = 0; i < count; i++)
		set_uplink(&uplinks->list[i], &list[i], before, before_count);
	free(before);
	if (count)
		listen_to_kernel(uplinks);
	else
		stop_listening(uplinks);
	look(uplinks);
	for (size_t i = 0; i < count; i++)
		if (!uplinks->list[i].ifindex)
			snprintf(uplinks->list[i].trouble, sizeof(uplinks->list[i].trouble),
				 "there is no device %s", uplinks->list[i].ifname);
	release_others(uplinks);
}

uint32_t uplinks_ifindex(struct uplinks *uplinks, const char *ifname)
{
	struct mac_address mac;
	bool down;

	for (size_t i = 0; i < uplinks->count; i++)
		if (strcmp(uplinks->list[i].ifname, ifname) == 0)
			return uplinks->list[i].ifindex;
	/* Asked for before it is adopted: rows first, then the programs that read them. */
	return find(uplinks, ifname, &mac, &down);
}

bool uplinks_mac(struct uplinks *uplinks, const char *ifname, struct mac_address *mac)
{
	bool down;

	return find(uplinks, ifname, mac, &down) != 0;
}

bool uplinks_alone(struct uplinks *uplinks, const char *ifname)
{
	struct link_info link;

	return uplinks->netlink &&
	       !netlink_link_get_by_name(uplinks->netlink, ifname, &link, NULL) &&
	       link_is_macvlan(&link) && !link_has_addresses(uplinks->netlink, link.ifindex);
}

bool uplinks_set_stacks(struct uplinks *uplinks, struct stack_wish *wishes, size_t count)
{
	if (uplinks->stacks)
		return stacks_set(uplinks->stacks, wishes, count);
	for (size_t i = 0; i < count; i++)
		free(wishes[i].addresses);
	free(wishes);
	return false;
}

uint32_t uplinks_stack(const struct uplinks *uplinks, uint32_t subnet_id, struct mac_address *mac)
{
	return uplinks->stacks ? stacks_ifindex(uplinks->stacks, subnet_id, mac) : 0;
}

const char *uplinks_trouble(const struct uplinks *uplinks, size_t index)
{
	if (index >= uplinks->count)
		return NULL;
	if (uplinks->list[index].trouble[0])
		return uplinks->list[index].trouble;
	if (uplinks->list[index].down)
		return "the device was set down";
	return uplinks->stacks ? stacks_trouble(uplinks->stacks, uplinks->list[index].ifname)
			       : NULL;
}

int uplinks_open(const struct uplinks_options *options, struct uplinks **uplinks,
		 struct error *error)
{
	struct uplinks *new = xcalloc(1, sizeof(*new));
	int code = 0;

	new->options = *options;
	if (options->devices)
		code = netlink_open(&new->netlink, -1, error);
	if (code) {
		free(new);
		return code;
	}
	if (options->devices && options->instance)
		new->stacks = stacks_new(options->instance, options->datapath, new->netlink);
	*uplinks = new;
	return 0;
}

void uplinks_close(struct uplinks *uplinks)
{
	if (!uplinks)
		return;
	stop_listening(uplinks);
	stacks_free(uplinks->stacks);
	netlink_close(uplinks->netlink);
	free(uplinks->list);
	free(uplinks);
}
