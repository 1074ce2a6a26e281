/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Underlay addresses, their devices and groups; see underlay.h.
 *
 * The kernel's messages are not read but only taken as a sign to look: hosts have few addresses, and a list
 * of them cannot be out of step.
 */
#include "agent/devices/underlay.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/devices/device_tunnel.h"
#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/netlink.h"

#define EVENTS_AT_ONCE 64
#define LOOK_DELAY_NS (50 * CLOCK_NS_PER_MS) /* what changes comes in bursts */

/* An address of the machine. */
struct place {
	struct ip_address address;
	uint32_t ifindex;
	uint32_t mtu;
};

struct membership {
	struct underlay_group group;
	uint32_t ifindex;
	int fd;
};

struct underlay {
	struct underlay_options options;
	struct netlink *netlink;
	int events;          /* socket */
	int datapath_events; /* the datapath's; -1: none */
	struct place *places;
	size_t place_count, place_room;
	struct ip_prefix *wanted;
	size_t wanted_count;
	struct map attached; /* ifindex -> anything */
	struct membership *memberships;
	size_t membership_count;
	struct loop_timer look;
};

/* ---- what is on the machine ---- */

static void take_address(void *context, const struct address_info *address)
{
	struct underlay *underlay = context;

	if (underlay->place_count == underlay->place_room) {
		underlay->place_room = underlay->place_room ? 2 * underlay->place_room : 16;
		underlay->places = xreallocarray(underlay->places, underlay->place_room,
						 sizeof(*underlay->places));
	}
	underlay->places[underlay->place_count++] =
		(struct place){ address->address.address, address->ifindex, 0 };
}

/* Of the devices that have addresses only: a host may have thousands of others. */
static void take_mtus(struct underlay *underlay)
{
	struct place *places = underlay->places;
	struct link_info link;

	for (size_t i = 0; i < underlay->place_count; i++) {
		/* Addresses of one device are listed one after the other. A device may go meanwhile. */
		if (i && places[i].ifindex == places[i - 1].ifindex)
			places[i].mtu = places[i - 1].mtu;
		else if (netlink_link_get(underlay->netlink, places[i].ifindex, &link, NULL) == 0)
			places[i].mtu = link.mtu;
	}
}

/* Return: whether anything is not as it was. */
static bool look(struct underlay *underlay)
{
	struct place *before = underlay->places;
	size_t count = underlay->place_count;
	struct error error = { 0 };
	bool same;

	underlay->places = NULL;
	underlay->place_count = underlay->place_room = 0;
	if (netlink_address_list(underlay->netlink, 0, take_address, underlay, &error)) {
		log_limited(LOG_LEVEL_WARNING, "the addresses of this host cannot be listed",
			    "text=\"%s\"", error.text);
		free(underlay->places);
		underlay->places = before;
		underlay->place_count = underlay->place_room = count;
		return false;
	}
	take_mtus(underlay);
	same = count == underlay->place_count &&
	       (!count || memcmp(before, underlay->places, count * sizeof(*before)) == 0);
	free(before);
	return !same;
}

static const struct place *find(const struct underlay *underlay, const struct ip_address *address)
{
	for (size_t i = 0; i < underlay->place_count; i++)
		if (ip_address_equal(&underlay->places[i].address, address))
			return &underlay->places[i];
	return NULL;
}

uint32_t underlay_ifindex(const struct underlay *underlay, const struct ip_address *address)
{
	const struct place *place = find(underlay, address);

	return place ? place->ifindex : 0;
}

uint32_t underlay_mtu(const struct underlay *underlay, const struct ip_address *address)
{
	const struct place *place = find(underlay, address);

	return place ? place->mtu : 0;
}

/* ---- the pipeline on the devices ---- */

static void attach(struct underlay *underlay, uint32_t ifindex)
{
	struct error error = { 0 };

	if (map_get_u32(&underlay->attached, ifindex))
		return;
	if (datapath_attach_underlay(underlay->options.datapath, ifindex, &error)) {
		log_limited(LOG_LEVEL_WARNING, "the underlay's device cannot be used",
			    "ifindex=%u text=\"%s\"", ifindex, error.text);
		return;
	}
	map_put_u32(&underlay->attached, ifindex, underlay);
	log_info("underlay", "ifindex=%u", ifindex);
}

/* Also what an earlier run attached and nothing needs any more. */
static void detach_others(struct underlay *underlay, const struct map *needed)
{
	uint32_t *list;
	size_t count = datapath_attached_as(underlay->options.datapath, DATAPATH_UNDERLAY, &list);

	for (size_t i = 0; i < count; i++) {
		if (map_get_u32(needed, list[i]))
			continue;
		datapath_detach_underlay(underlay->options.datapath, list[i]);
		map_remove_u32(&underlay->attached, list[i]);
		log_info("no underlay any more", "ifindex=%u", list[i]);
	}
	free(list);
	/* A device that is gone took its programs along; its number may come again. */
	MAP_FOR_EACH(&underlay->attached, it) {
		uint32_t ifindex = *(const uint32_t *)it.key;

		if (!map_get_u32(needed, ifindex))
			map_remove_u32(&underlay->attached, ifindex);
	}
}

static void attach_all(struct underlay *underlay)
{
	struct map needed = { 0 };

	if (!underlay->options.devices)
		return;
	for (size_t i = 0; i < underlay->wanted_count; i++) {
		const struct place *place = find(underlay, &underlay->wanted[i].address);

		if (!place)
			continue;
		map_put_u32(&needed, place->ifindex, underlay);
		attach(underlay, place->ifindex);
	}
	/* None of the addresses is there: a cable is out or a DHCP lease late. Nothing is taken away. */
	if (map_count(&needed) || !underlay->wanted_count)
		detach_others(underlay, &needed);
	map_fini(&needed, NULL);
}

void underlay_set(struct underlay *underlay, const struct ip_prefix *addresses, size_t count)
{
	free(underlay->wanted);
	underlay->wanted = xmemdup(addresses, count * sizeof(*addresses));
	underlay->wanted_count = count;
	attach_all(underlay);
}

/* ---- the kernel's tunnel devices ---- */

struct wanted_devices {
	struct underlay *underlay;
	struct map ports; /* kind << 16 | port in host order -> anything */
};

static bool want_device(void *context, const void *key, const void *value)
{
	struct wanted_devices *wanted = context;
	const struct tunnel_port_key *port = key;
	const struct tunnel_port *row = value;

	if (row->kind == TUNNEL_VXLAN || row->kind == TUNNEL_GENEVE)
		map_put_u32(&wanted->ports, row->kind << 16 | ntohs(port->port), wanted);
	return true;
}

static void ensure_device(struct underlay *underlay, uint32_t kind, uint16_t port)
{
	struct error error = { 0 };

	/* Without it all works, slower: that is in the features that `weft status` shows. */
	if (device_tunnel_ensure(underlay->netlink, underlay->options.datapath, kind, port, NULL,
				 &error))
		log_limited(LOG_LEVEL_INFO, "no tunnel device of the kernel's",
			    "port=%u text=\"%s\"", port, error.text);
}

void underlay_tunnel_devices(struct underlay *underlay)
{
	struct wanted_devices wanted = { .underlay = underlay };
	uint16_t *ports = NULL;
	uint32_t *kinds = NULL;
	struct error error = { 0 };
	int count;

	if (!underlay->options.devices ||
	    datapath_walk(underlay->options.datapath, TABLE_tunnel_ports, want_device, &wanted))
		return;
	MAP_FOR_EACH(&wanted.ports, it) {
		uint32_t both = *(const uint32_t *)it.key;

		ensure_device(underlay, both >> 16, (uint16_t)both);
	}
	count = device_tunnel_list(underlay->netlink, &ports, &kinds, &error);
	for (int i = 0; i < count; i++)
		if (!map_get_u32(&wanted.ports, kinds[i] << 16 | ports[i]) &&
		    device_tunnel_remove(underlay->netlink, underlay->options.datapath, kinds[i],
					 ports[i], &error))
			log_limited(LOG_LEVEL_WARNING, "a tunnel device stays", "text=\"%s\"",
				    error.text);
	free(ports);
	free(kinds);
	map_fini(&wanted.ports, NULL);
}

/* ---- groups ---- */

static int join_socket(const struct underlay_group *group, uint32_t ifindex)
{
	bool ipv4 = ip_address_is_ipv4(&group->group);
	int fd = socket(ipv4 ? AF_INET : AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0), code;

	if (fd < 0)
		return -errno;
	if (ipv4) {
		struct ip_mreqn request = { .imr_ifindex = (int)ifindex };

		memcpy(&request.imr_multiaddr, group->group.byte + 12, 4);
		code = setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &request, sizeof(request));
	} else {
		struct ipv6_mreq request = { .ipv6mr_interface = ifindex };

		memcpy(&request.ipv6mr_multiaddr, group->group.byte, 16);
		code = setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &request, sizeof(request));
	}
	if (code) {
		code = -errno;
		close(fd);
		return code;
	}
	return fd;
}

static bool same_group(const struct underlay_group *a, const struct underlay_group *b)
{
	return ip_address_equal(&a->group, &b->group) && ip_address_equal(&a->local, &b->local);
}

/* The membership that is there already, taken out of the old list; -1 if there is none. */
static int keep_membership(struct underlay *underlay, const struct underlay_group *group,
			   uint32_t ifindex)
{
	for (size_t i = 0; i < underlay->membership_count; i++) {
		struct membership *old = &underlay->memberships[i];
		int fd = old->fd;

		if (fd < 0 || old->ifindex != ifindex || !same_group(&old->group, group))
			continue;
		old->fd = -1;
		return fd;
	}
	return -1;
}

/* A socket each: the kernel lets one socket be in few groups only. */
void underlay_join(struct underlay *underlay, const struct underlay_group *groups, size_t count)
{
	struct membership *fresh = xcalloc(count + 1, sizeof(*fresh));
	char text[IP_ADDRESS_TEXT_SIZE];

	for (size_t i = 0; i < count; i++) {
		uint32_t ifindex = underlay_ifindex(underlay, &groups[i].local);
		int fd = keep_membership(underlay, &groups[i], ifindex);

		if (fd < 0 && ifindex && underlay->options.devices) {
			fd = join_socket(&groups[i], ifindex);
			if (fd < 0)
				log_limited(LOG_LEVEL_WARNING, "a group cannot be joined",
					    "group=%s text=\"%s\"",
					    ip_address_format(&groups[i].group, text),
					    strerror(-fd));
		}
		fresh[i] = (struct membership){ groups[i], ifindex, fd };
	}
	for (size_t i = 0; i < underlay->membership_count; i++)
		if (underlay->memberships[i].fd >= 0)
			close(underlay->memberships[i].fd);
	free(underlay->memberships);
	underlay->memberships = fresh;
	underlay->membership_count = count;
}

/* ---- what happens by itself ---- */

static void look_again(void *context)
{
	struct underlay *underlay = context;

	if (!look(underlay))
		return;
	/* A device may have been made anew under a number that was attached. */
	map_fini(&underlay->attached, NULL);
	attach_all(underlay);
	underlay->options.changed(underlay->options.context);
}

/* Ports' devices come and go by the thousand, without an address: those are nobody's underlay. */
static bool concerns(const struct underlay *underlay, const struct nlmsghdr *message)
{
	const struct ifinfomsg *link = NLMSG_DATA(message);

	if (message->nlmsg_type != RTM_NEWLINK && message->nlmsg_type != RTM_DELLINK)
		return true;
	for (size_t i = 0; i < underlay->place_count; i++)
		if (underlay->places[i].ifindex == (uint32_t)link->ifi_index)
			return true;
	return false;
}

static void something_changed(void *context, int fd, uint32_t events)
{
	struct underlay *underlay = context;
	union {
		struct nlmsghdr header;
		char bytes[8192];
	} messages;
	bool look_is_due = false;
	ssize_t size;

	(void)events;
	while ((size = recv(fd, &messages, sizeof(messages), MSG_DONTWAIT)) > 0 ||
	       (size < 0 && errno == ENOBUFS)) {
		int left = size > 0 ? (int)size : 0;

		look_is_due |= size < 0; /* what was lost may have been of concern */
		for (struct nlmsghdr *message = &messages.header;
		     left > 0 && NLMSG_OK(message, (unsigned int)left);
		     message = NLMSG_NEXT(message, left))
			look_is_due |= concerns(underlay, message);
	}
	if (look_is_due && !loop_timer_is_running(&underlay->look))
		loop_timer_start(underlay->options.loop, &underlay->look, LOOK_DELAY_NS, 0);
}

static void take_event(void *context, const struct underlay_event *event)
{
	struct underlay *underlay = context;
	struct ip_address remote;

	memcpy(remote.byte, &event->remote, sizeof(remote.byte));
	underlay->options.too_big(underlay->options.context, &remote);
}

static void events_ready(void *context, int fd, uint32_t events)
{
	struct underlay *underlay = context;

	(void)fd;
	(void)events;
	datapath_underlay_events_read(underlay->options.datapath, take_event, underlay,
				      EVENTS_AT_ONCE);
}

static int listen_to_datapath(struct underlay *underlay, struct error *error)
{
	int fd = datapath_underlay_events_fd(underlay->options.datapath), code;

	if (fd < 0)
		return 0;
	code = loop_add_fd(underlay->options.loop, fd, EPOLLIN, events_ready, underlay);
	if (code)
		return error_set(error, code, NULL, "news of the underlay cannot be heard: %s",
				 strerror(-code));
	underlay->datapath_events = fd;
	return 0;
}

static int listen_to_kernel(struct underlay *underlay, struct error *error)
{
	struct sockaddr_nl address = {
		.nl_family = AF_NETLINK,
		.nl_groups = RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR,
	};

	underlay->events =
		socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (underlay->events < 0 ||
	    bind(underlay->events, (const struct sockaddr *)&address, sizeof(address)) ||
	    loop_add_fd(underlay->options.loop, underlay->events, EPOLLIN, something_changed,
			underlay))
		return error_set(error, errno, NULL, "changes of addresses cannot be heard: %s",
				 strerror(errno));
	return 0;
}

int underlay_open(const struct underlay_options *options, struct underlay **underlay,
		  struct error *error)
{
	struct underlay *new = xcalloc(1, sizeof(*new));
	int code = 0;

	new->options = *options;
	new->events = new->datapath_events = -1;
	loop_timer_init(&new->look, look_again, new);
	if (options->devices) {
		code = netlink_open(&new->netlink, -1, error);
		if (!code)
			code = listen_to_kernel(new, error);
		if (!code)
			code = listen_to_datapath(new, error);
	}
	if (code) {
		underlay_close(new);
		return code;
	}
	if (options->devices)
		look(new);
	*underlay = new;
	return 0;
}

void underlay_close(struct underlay *underlay)
{
	if (!underlay)
		return;
	loop_timer_stop(&underlay->look);
	if (underlay->datapath_events >= 0)
		loop_remove_fd(underlay->options.loop, underlay->datapath_events);
	if (underlay->events >= 0) {
		loop_remove_fd(underlay->options.loop, underlay->events);
		close(underlay->events);
	}
	for (size_t i = 0; i < underlay->membership_count; i++)
		if (underlay->memberships[i].fd >= 0)
			close(underlay->memberships[i].fd);
	netlink_close(underlay->netlink);
	map_fini(&underlay->attached, NULL);
	free(underlay->memberships);
	free(underlay->wanted);
	free(underlay->places);
	free(underlay);
}
