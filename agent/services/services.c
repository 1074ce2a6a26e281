/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The namespace of the services and the way into it; see services.h.
 *
 *	port -> pipeline -> near end | far end, 192.0.2.53 and fd57:6566:7400::35 -> sockets
 *
 * Inside there is one neighbour, the near end, by a permanent entry, and all aliases are behind it; so
 * thousands of ports fill no neighbour table. Addresses and MACs are those that core/service.c writes.
 */
#include "agent/services/services_private.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/netns.h"

#define INSIDE "eth0"
#define ALIAS "weft services"
#define PORT_DNS 53
#define PORT_HTTP 80
#define BACKLOG 128
#define CHECK_NS (3 * CLOCK_NS_PER_SECOND)

static const struct mac_address near_mac = { { 0x06, 0x57, 0, 0, 0, 1 } };
static const struct mac_address far_mac = { { 0x06, 0x57, 0, 0, 0, 0 } };

/* What is inside, by family: the service's own address, the near end's, and whom it leads to. */
static const struct {
	const char *address;
	const char *gateway;
	const char *aliases;
} inside[SERVICE_FAMILIES] = {
	{ "192.0.2.53/30", "192.0.2.54", "128.0.0.0/2" },
	{ "fd57:6566:7400::35/126", "fd57:6566:7400::36", "fd57:6566:7400::/64" },
};

/* ---- who asks ---- */

const struct port_object *services_client(const struct services *services,
					  const struct sockaddr *address)
{
	uint32_t slot, words[4];

	if (address->sa_family == AF_INET) {
		slot = ntohl(((const struct sockaddr_in *)(const void *)address)->sin_addr.s_addr);
		if ((slot & 0xc0000000) != SERVICE_ALIAS4)
			return NULL;
		slot = (slot & ~0xc0000000) >> SERVICE_ALIAS4_HASH_BITS;
	} else if (address->sa_family == AF_INET6) {
		memcpy(words, &((const struct sockaddr_in6 *)(const void *)address)->sin6_addr,
		       sizeof(words));
		if (ntohl(words[0]) != SERVICE_ALIAS6_0 || ntohl(words[1]) != SERVICE_ALIAS6_1)
			return NULL;
		slot = ntohl(words[2]);
	} else {
		return NULL;
	}
	return reconcile_slot_port(services->options.reconcile, slot);
}

/* ---- sockets ---- */

static socklen_t own_address(int family, uint16_t port, struct sockaddr_storage *storage)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)storage;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)storage;
	struct ip_prefix prefix;

	memset(storage, 0, sizeof(*storage));
	(void)ip_prefix_parse(inside[family].address, &prefix);
	if (family == 0) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = htons(port);
		memcpy(&ipv4->sin_addr, prefix.address.byte + 12, 4);
		return sizeof(*ipv4);
	}
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = htons(port);
	memcpy(&ipv6->sin6_addr, prefix.address.byte, 16);
	return sizeof(*ipv6);
}

/* Return: a socket that is bound, and listens if it is a stream, or negative errno. */
static int open_socket(int family, int type, uint16_t port, struct error *error)
{
	struct sockaddr_storage address;
	socklen_t size = own_address(family, port, &address);
	int fd = socket(address.ss_family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), on = 1, code;

	if (fd < 0)
		return error_set(error, errno, NULL, "no socket for port %u: %s", port,
				 strerror(errno));
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(fd, (const struct sockaddr *)&address, size) ||
	    (type == SOCK_STREAM && listen(fd, BACKLOG))) {
		code = error_set(error, errno, NULL, "cannot serve on port %u: %s", port,
				 strerror(errno));
		close(fd);
		return code;
	}
	return fd;
}

/* Of one family, by a thread that is inside. Return: 0 or negative errno. */
static int open_sockets(struct services *services, int family, struct error *error)
{
	services->dns_udp[family] = open_socket(family, SOCK_DGRAM, PORT_DNS, error);
	if (services->dns_udp[family] < 0)
		return services->dns_udp[family];
	services->dns_tcp[family] = open_socket(family, SOCK_STREAM, PORT_DNS, error);
	if (services->dns_tcp[family] < 0)
		return services->dns_tcp[family];
	services->metadata_tcp[family] = open_socket(family, SOCK_STREAM, PORT_HTTP, error);
	return services->metadata_tcp[family] < 0 ? services->metadata_tcp[family] : 0;
}

static void close_socket(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void close_sockets(struct services *services, int family)
{
	close_socket(&services->dns_udp[family]);
	close_socket(&services->dns_tcp[family]);
	close_socket(&services->metadata_tcp[family]);
}

/* ---- namespace and device ---- */

/* Addresses, neighbour and route of one family. Return: 0 or negative errno. */
static int configure_family(struct netlink *netlink, uint32_t ifindex, int family,
			    struct error *error)
{
	struct address_info address = { .ifindex = ifindex, .no_dad = true };
	struct route_info route = { .ifindex = ifindex, .has_gateway = true };
	int code;

	(void)ip_prefix_parse(inside[family].address, &address.address);
	(void)ip_address_parse(inside[family].gateway, &route.gateway);
	(void)ip_prefix_parse(inside[family].aliases, &route.destination);
	code = netlink_address_add(netlink, &address, error);
	if (!code)
		code = netlink_neighbour_replace(netlink, ifindex, &route.gateway, &near_mac,
						 error);
	return code ? code : netlink_route_add(netlink, &route, error);
}

/* The far end and the sockets. IPv6 is not in every kernel. Return: 0 or negative errno. */
static int furnish(struct services *services, int netns_fd, struct error *error)
{
	struct netlink *netlink;
	struct link_info link;
	struct error why = { 0 };
	int code = netlink_open(&netlink, netns_fd, error), saved, ipv6;

	if (code)
		return code;
	code = netlink_link_get_by_name(netlink, INSIDE, &link, error);
	if (!code)
		code = netlink_link_set_up(netlink, link.ifindex, true, error);
	if (!code)
		code = configure_family(netlink, link.ifindex, 0, error);
	ipv6 = code ? code : configure_family(netlink, link.ifindex, 1, &why);
	netlink_close(netlink);
	if (code)
		return code;
	/* Ports below 1024 are nobody's privilege in there: the daemon has no such capability to keep. */
	code = netns_write_sysctl(netns_fd, "ipv4/ip_unprivileged_port_start", "0", error);
	if (code)
		return code;
	saved = netns_enter(netns_fd, error);
	if (saved < 0)
		return saved;
	code = open_sockets(services, 0, error);
	if (!code && !ipv6)
		ipv6 = open_sockets(services, 1, &why);
	netns_leave(saved);
	if (ipv6) {
		log_notice("DNS and metadata are served over IPv4 alone", "text=\"%s\"", why.text);
		close_sockets(services, 1);
	}
	return code;
}

static void name_device(struct services *services)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	if (strcmp(services->options.instance, "default") == 0) {
		snprintf(services->device, sizeof(services->device), "weft-services");
		return;
	}
	for (const char *c = services->options.instance; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	snprintf(services->device, sizeof(services->device), "w%04xservices", hash & 0xffff);
}

/* What a daemon before this one has left, for its namespace ends a moment after it. */
static int remove_old(struct services *services, struct netlink *netlink, struct error *error)
{
	struct link_info link;
	int code = netlink_link_get_by_name(netlink, services->device, &link, NULL);

	if (code == -ENODEV)
		return 0;
	if (!code && strcmp(link.kind, "veth") != 0)
		return error_set(error, EEXIST, NULL, "device %s is there and is not Weft's",
				 services->device);
	datapath_detach_services(services->options.datapath, link.ifindex);
	code = netlink_link_delete(netlink, link.ifindex, error);
	return code == -ENODEV ? 0 : code;
}

static int make_device(struct services *services, struct netlink *netlink, int netns_fd,
		       struct error *error)
{
	const struct veth_end near_end = { services->device, -1, near_mac, false };
	const struct veth_end far_end = { INSIDE, netns_fd, far_mac, false };
	struct link_change change = LINK_CHANGE_NOTHING;
	struct link_info link;
	int code = netlink_link_add_veth(netlink, &near_end, &far_end, 0, error);

	if (!code)
		code = netlink_link_get_by_name(netlink, services->device, &link, error);
	if (code)
		return code;
	services->ifindex = link.ifindex;
	change.link_local = LINK_LOCAL_NONE;
	change.alias = ALIAS;
	netlink_link_change(netlink, link.ifindex, &change, NULL); /* without IPv6: refused */
	return netlink_link_set_up(netlink, link.ifindex, true, error);
}

static int make_all(struct services *services, struct error *error)
{
	struct datapath *datapath = services->options.datapath;
	struct netlink *netlink;
	int netns_fd, code = netlink_open(&netlink, -1, error);

	if (code)
		return code;
	code = remove_old(services, netlink, error);
	netns_fd = code ? code : netns_make(error);
	if (netns_fd >= 0) {
		code = make_device(services, netlink, netns_fd, error);
		if (!code)
			code = furnish(services, netns_fd, error);
		close(netns_fd);
		if (!code)
			code = datapath_attach_services(datapath, services->ifindex, error);
	} else {
		code = netns_fd;
	}
	netlink_close(netlink);
	return code;
}

static void remove_device(struct services *services)
{
	struct netlink *netlink;

	if (!services->ifindex)
		return;
	datapath_detach_services(services->options.datapath, services->ifindex);
	if (netlink_open(&netlink, -1, NULL))
		return; /* it goes with its namespace */
	netlink_link_delete(netlink, services->ifindex, NULL);
	netlink_close(netlink);
}

/* ---- open and close ---- */

static void stop(struct services *services)
{
	dns_server_close(services->dns);
	metadata_close(services->metadata);
	services->dns = NULL;
	services->metadata = NULL;
	remove_device(services);
	services->ifindex = 0;
	for (int family = 0; family < SERVICE_FAMILIES; family++)
		close_sockets(services, family);
}

static void start(struct services *services)
{
	struct error error = { 0 };
	int code = make_all(services, &error);

	if (!code)
		code = dns_server_open(services, &services->dns, &error);
	if (!code)
		code = metadata_open(services, &services->metadata, &error);
	if (code) {
		error_prefix(&error, "DNS and metadata are not served");
		stop(services);
	}
	reconcile_services(services->options.reconcile, code ? error.text : NULL);
}

/* The device may be taken away by somebody; what could not be made may be possible now. */
static void check(void *context)
{
	struct services *services = context;
	struct netlink *netlink;
	struct link_info link;
	int code = netlink_open(&netlink, -1, NULL);

	if (code)
		return;
	code = services->ifindex ? netlink_link_get(netlink, services->ifindex, &link, NULL)
				 : -ENODEV;
	netlink_close(netlink);
	if (code != -ENODEV)
		return;
	if (services->ifindex)
		log_warning("the device of DNS and metadata is gone, it is made again", "device=%s",
			    services->device);
	stop(services);
	start(services);
}

struct services *services_open(const struct services_options *options)
{
	struct services *services = xcalloc(1, sizeof(*services));

	services->options = *options;
	for (int family = 0; family < SERVICE_FAMILIES; family++) {
		services->dns_udp[family] = services->dns_tcp[family] = -1;
		services->metadata_tcp[family] = -1;
	}
	name_device(services);
	start(services);
	loop_timer_init(&services->check, check, services);
	loop_timer_start(options->loop, &services->check, CHECK_NS, CHECK_NS);
	return services;
}

void services_close(struct services *services)
{
	if (!services)
		return;
	loop_timer_stop(&services->check);
	stop(services);
	free(services);
}

bool services_up(const struct services *services)
{
	return services && services->metadata;
}

const struct services_counts *services_counts(const struct services *services)
{
	return services ? &services->counts : NULL;
}

const struct dns_forwards_counts *services_forwards(const struct services *services)
{
	return services && services->dns ? dns_server_forwards(services->dns) : NULL;
}

const struct dns_cache_counts *services_dns_cache(const struct services *services)
{
	return services && services->dns ? dns_server_cache(services->dns) : NULL;
}
