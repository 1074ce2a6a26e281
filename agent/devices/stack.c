/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Ways through the host's own stack: see stack.h.
 *
 * What is on a far end is read from the kernel each time and compared, so that a daemon that starts anew, or
 * somebody who has deleted a route, needs no memory here.
 */
#include "agent/devices/stack.h"

#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/netns.h"
#include "datapath/datapath.h"

#define ALIAS "weft: through the host's stack"
#define ROUTE_METRIC 1

/* Whom the host takes for the way to all ports, by family. */
static const char *const neighbours[2] = { "169.254.87.1", "fe80::57" };

struct stack {
	struct stack_wish wish;
	uint32_t near_ifindex, far_ifindex; /* 0: not there */
	char trouble[200];
};

struct stacks {
	char *instance;
	struct datapath *datapath;
	struct netlink *netlink;
	struct stack *list;
	size_t count;
};

/* ---- names and MACs ---- */

static void prefix_of(const char *instance, char prefix[LINK_NAME_SIZE])
{
	uint32_t hash = 2166136261u; /* FNV-1a, as ports' devices have it */

	for (const char *c = instance; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	if (strcmp(instance, "default") == 0)
		snprintf(prefix, LINK_NAME_SIZE, "ws");
	else
		snprintf(prefix, LINK_NAME_SIZE, "w%04xs", hash & 0xffff);
}

static void name_of(const char *instance, uint32_t subnet_id, bool far, char name[LINK_NAME_SIZE])
{
	char prefix[LINK_NAME_SIZE];

	prefix_of(instance, prefix);
	snprintf(name, LINK_NAME_SIZE, "%.6s%.8x%s", prefix, subnet_id & 0xffffff, far ? "h" : "");
}

/* The pair's MACs differ in one bit, by which core/deliver.c finds the far one. */
static struct mac_address mac_of(uint32_t subnet_id, bool far)
{
	return (struct mac_address){ { 0x06, far ? 0x5b : 0x5a, (uint8_t)(subnet_id >> 24),
				       (uint8_t)(subnet_id >> 16), (uint8_t)(subnet_id >> 8),
				       (uint8_t)subnet_id } };
}

/* ---- making ---- */

static void write_key(const char *name, const char *family, const char *key, const char *value)
{
	char path[80];
	struct error error = { 0 };

	snprintf(path, sizeof(path), "%s/conf/%s/%s", family, name, key);
	if (netns_write_sysctl(-1, path, value, &error) && error.code != -ENOENT)
		log_limited(LOG_LEVEL_WARNING, "a setting of a device was refused", "text=\"%s\"",
			    error.text);
}

static int configure_far(struct netlink *netlink, uint32_t ifindex, const struct mac_address *mac,
			 struct error *error)
{
	struct link_change change = LINK_CHANGE_NOTHING;
	int code;

	change.link_local = LINK_LOCAL_NONE;
	change.alias = ALIAS;
	code = netlink_link_change(netlink, ifindex, &change, error);
	if (!code)
		code = netlink_link_set_up(netlink, ifindex, true, error);
	for (int family = 0; family < 2 && !code; family++) {
		struct ip_address address;

		(void)ip_address_parse(neighbours[family], &address);
		code = netlink_neighbour_replace(netlink, ifindex, &address, mac, error);
		if (family) /* not in every kernel */
			code = 0;
	}
	return code;
}

static int make(struct stacks *stacks, struct stack *stack, uint32_t mtu, struct error *error)
{
	const uint32_t id = stack->wish.subnet_id;
	char near_name[LINK_NAME_SIZE], far_name[LINK_NAME_SIZE];
	const struct veth_end near_end = { near_name, -1, mac_of(id, false), false };
	const struct veth_end far_end = { far_name, -1, mac_of(id, true), false };
	struct link_change change = LINK_CHANGE_NOTHING;
	struct link_info near, far;
	int code;

	name_of(stacks->instance, id, false, near_name);
	name_of(stacks->instance, id, true, far_name);
	code = netlink_link_get_by_name(stacks->netlink, near_name, &near, NULL);
	if (code == -ENODEV)
		code = netlink_link_add_veth(stacks->netlink, &near_end, &far_end, mtu, error);
	if (!code)
		code = netlink_link_get_by_name(stacks->netlink, near_name, &near, error);
	if (!code)
		code = netlink_link_get_by_name(stacks->netlink, far_name, &far, error);
	if (code)
		return code;
	change.link_local = LINK_LOCAL_NONE;
	change.alias = ALIAS;
	code = netlink_link_change(stacks->netlink, near.ifindex, &change, error);
	write_key(near_name, "ipv6", "disable_ipv6", "1");
	write_key(far_name, "ipv6", "accept_ra", "0");
	write_key(far_name, "ipv6", "forwarding", "1");
	write_key(far_name, "ipv4", "forwarding", "1");
	if (!code)
		code = datapath_attach_uplink(stacks->datapath, near.ifindex, error);
	if (!code)
		code = netlink_link_set_up(stacks->netlink, near.ifindex, true, error);
	if (!code)
		code = configure_far(stacks->netlink, far.ifindex, &near_end.mac, error);
	if (code)
		return code;
	stack->near_ifindex = near.ifindex;
	stack->far_ifindex = far.ifindex;
	return 0;
}

/* ---- routes ---- */

struct listing {
	uint32_t ifindex;
	struct route_info *routes;
	size_t count;
};

static void see_route(void *context, const struct route_info *route)
{
	struct listing *listing = context;

	if (route->ifindex != listing->ifindex || !route->has_gateway)
		return;
	listing->routes =
		xreallocarray(listing->routes, listing->count + 1, sizeof(*listing->routes));
	listing->routes[listing->count++] = *route;
}

static bool has_route(const struct listing *listing, const struct ip_address *address)
{
	for (size_t i = 0; i < listing->count; i++)
		if (ip_address_equal(&listing->routes[i].destination.address, address))
			return true;
	return false;
}

static bool is_wanted(const struct stack_wish *wish, const struct ip_address *address)
{
	for (size_t i = 0; i < wish->address_count; i++)
		if (ip_address_equal(&wish->addresses[i], address))
			return true;
	return false;
}

/* The host's routes to the ports here. */
static int route(struct stacks *stacks, const struct stack *stack, struct error *error)
{
	struct listing listing = { .ifindex = stack->far_ifindex };
	int code = netlink_route_list(stacks->netlink, see_route, &listing, error);

	for (size_t i = 0; i < listing.count && !code; i++)
		if (!is_wanted(&stack->wish, &listing.routes[i].destination.address))
			(void)netlink_route_delete(stacks->netlink, &listing.routes[i], NULL);
	for (size_t i = 0; i < stack->wish.address_count && !code; i++) {
		struct route_info way = {
			.destination = { stack->wish.addresses[i], 128 },
			.has_gateway = true,
			.onlink = true,
			.ifindex = stack->far_ifindex,
			.metric = ROUTE_METRIC,
		};

		if (has_route(&listing, &stack->wish.addresses[i]))
			continue;
		(void)ip_address_parse(neighbours[!ip_address_is_ipv4(&way.destination.address)],
				       &way.gateway);
		code = netlink_route_add(stacks->netlink, &way, error);
		if (code == -EEXIST)
			code = 0;
	}
	free(listing.routes);
	return code;
}

/* ---- for others ---- */

static bool is_on(const char *family, const char *ifname)
{
	char path[100], value = '1';
	int fd;

	snprintf(path, sizeof(path), "/proc/sys/net/%s/conf/%s/forwarding", family, ifname);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true; /* the uplink's own trouble */
	if (read(fd, &value, 1) != 1)
		value = '1';
	close(fd);
	return value != '0';
}

static bool has_family(const struct stack_wish *wish, bool ipv4)
{
	for (size_t i = 0; i < wish->address_count; i++)
		if (ip_address_is_ipv4(&wish->addresses[i]) == ipv4)
			return true;
	return false;
}

/* What keeps the host from forwarding for the ports here; NULL: nothing. Of IPv6 the setting of all devices counts. */
static const char *missing_setting(const struct stack_wish *wish)
{
	if (has_family(wish, true) && !is_on("ipv4", wish->uplink))
		return "net.ipv4.ip_forward=1";
	if (has_family(wish, false) && !is_on("ipv6", "all"))
		return "net.ipv6.conf.all.forwarding=1";
	return NULL;
}

static void use(struct stacks *stacks, struct stack *stack)
{
	const char *setting = missing_setting(&stack->wish);
	struct error error = { 0 };
	struct link_info uplink;
	uint32_t mtu = 1500;
	int code;

	stack->trouble[0] = '\0';
	if (!netlink_link_get_by_name(stacks->netlink, stack->wish.uplink, &uplink, NULL))
		mtu = uplink.mtu;
	code = stack->near_ifindex ? 0 : make(stacks, stack, mtu, &error);
	if (!code)
		code = route(stacks, stack, &error);
	if (code)
		snprintf(stack->trouble, sizeof(stack->trouble), "%.190s", error.text);
	else if (setting)
		snprintf(stack->trouble, sizeof(stack->trouble),
			 "direct: l3s goes through the host's stack, and the host does not forward "
			 "what comes in by %s: sysctl -w %s",
			 stack->wish.uplink, setting);
}

static void leave(struct stacks *stacks, const struct stack *stack)
{
	if (!stack->near_ifindex)
		return;
	datapath_detach_uplink(stacks->datapath, stack->near_ifindex);
	(void)netlink_link_delete(stacks->netlink, stack->near_ifindex, NULL);
}

static struct stack *find(const struct stacks *stacks, uint32_t subnet_id)
{
	for (size_t i = 0; i < stacks->count; i++)
		if (stacks->list[i].wish.subnet_id == subnet_id)
			return &stacks->list[i];
	return NULL;
}

bool stacks_set(struct stacks *stacks, struct stack_wish *wishes, size_t count)
{
	struct stack *list = xcalloc(count + 1, sizeof(*list));
	bool changed = false;
	struct link_info link;

	for (size_t i = 0; i < count; i++) {
		struct stack *before = find(stacks, wishes[i].subnet_id);
		uint32_t had;

		had = before ? before->near_ifindex : 0;
		list[i].wish = wishes[i];
		if (before &&
		    !netlink_link_get(stacks->netlink, before->near_ifindex, &link, NULL)) {
			list[i].near_ifindex = before->near_ifindex;
			list[i].far_ifindex = before->far_ifindex;
		}
		if (before)
			before->near_ifindex = 0; /* it is taken over */
		use(stacks, &list[i]);
		changed |= list[i].near_ifindex != had;
	}
	for (size_t i = 0; i < stacks->count; i++) {
		changed |= stacks->list[i].near_ifindex != 0;
		leave(stacks, &stacks->list[i]);
		free(stacks->list[i].wish.addresses);
	}
	free(stacks->list);
	free(wishes);
	stacks->list = list;
	stacks->count = count;
	return changed;
}

uint32_t stacks_ifindex(const struct stacks *stacks, uint32_t subnet_id, struct mac_address *mac)
{
	const struct stack *stack = find(stacks, subnet_id);
	char name[LINK_NAME_SIZE];
	struct link_info link;

	*mac = mac_of(subnet_id, false);
	if (stack)
		return stack->near_ifindex;
	/* Of a daemon before this one: rows first, then the programs that read them. */
	name_of(stacks->instance, subnet_id, false, name);
	return netlink_link_get_by_name(stacks->netlink, name, &link, NULL) ? 0 : link.ifindex;
}

bool stacks_has(const struct stacks *stacks, uint32_t ifindex)
{
	for (size_t i = 0; i < stacks->count; i++)
		if (stacks->list[i].near_ifindex == ifindex)
			return true;
	return false;
}

const char *stacks_trouble(const struct stacks *stacks, const char *uplink)
{
	for (size_t i = 0; i < stacks->count; i++)
		if (stacks->list[i].trouble[0] && !strcmp(stacks->list[i].wish.uplink, uplink))
			return stacks->list[i].trouble;
	return NULL;
}

struct stacks *stacks_new(const char *instance, struct datapath *datapath, struct netlink *netlink)
{
	struct stacks *new = xcalloc(1, sizeof(*new));

	new->instance = xstrdup(instance);
	new->datapath = datapath;
	new->netlink = netlink;
	return new;
}

void stacks_free(struct stacks *stacks)
{
	if (!stacks)
		return;
	for (size_t i = 0; i < stacks->count; i++)
		free(stacks->list[i].wish.addresses);
	free(stacks->list);
	free(stacks->instance);
	free(stacks);
}

/* ---- without a daemon ---- */

struct removal {
	char prefix[LINK_NAME_SIZE];
	uint32_t *ifindexes;
	size_t count;
};

static void see_pair(void *context, const struct link_info *link)
{
	struct removal *removal = context;
	size_t length = strlen(link->name);

	if (strcmp(link->alias, ALIAS) != 0 || !length || link->name[length - 1] != 'h' ||
	    strncmp(link->name, removal->prefix, strlen(removal->prefix)) != 0)
		return;
	removal->ifindexes =
		xreallocarray(removal->ifindexes, removal->count + 1, sizeof(*removal->ifindexes));
	removal->ifindexes[removal->count++] = link->ifindex;
}

int stacks_remove(const char *instance, struct netlink *netlink, struct error *error)
{
	struct removal removal = { 0 };
	int code;

	prefix_of(instance, removal.prefix);
	code = netlink_link_list(netlink, see_pair, &removal, error);
	for (size_t i = 0; i < removal.count && !code; i++)
		code = netlink_link_delete(netlink, removal.ifindexes[i], error);
	free(removal.ifindexes);
	return code;
}
