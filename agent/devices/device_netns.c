/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The far end of a port's veth, inside its namespace: name, MAC, MTU, addresses, default routes, and
 * whether it hands over frames that stand for several packets.
 *
 * What is there is compared with what is asked for, and only the difference is sent, so that a
 * device that is right is not touched. Addresses and routes that somebody else added stay; those that
 * Weft added and that are asked for no more go. IPv6: no duplicate address detection and no router
 * advertisements, for it is the control plane that gives addresses.
 *
 * The namespace is the workload's, which may be set against something: IPv6 turned off, the device made a
 * member of a bridge. The port is plugged in for all that, and says what it lacks: what goes by one family
 * is not to be cut for what the other misses.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "agent/devices/device_private.h"
#include "base/alloc.h"
#include "base/ethtool.h"
#include "base/log.h"

#define LOOPBACK_IFINDEX 1
#define CONNECTED_METRIC6 256 /* of the kernel's route to an address's subnet */

/* What is found inside the namespace. */
struct far_end {
	const struct device_job *job;
	struct netlink *netlink;
	int ethtool; /* -1: nothing is to be asked */
	bool segmentation;
	struct link_info link;
	bool loopback_up;
	bool default_route[2];                     /* of any device: IPv4, IPv6 */
	uint64_t present[PORT_ADDRESSES_MAX / 64]; /* bit i: the i-th address asked for is there */
};

int device_netns_open(const struct attach *attach, struct error *error)
{
	int fd;

	if (attach->kind == ATTACH_PID)
		return netns_open_pid((pid_t)attach->pid, error);
	if (!strchr(attach->netns, '/'))
		return netns_open_name(attach->netns, error);
	fd = netns_open_path(attach->netns, error);
	/* A path that leads nowhere, or to a file that nothing is mounted on yet, may still come. */
	if (fd == -ENOENT || fd == -ENOTDIR || fd == -EINVAL || fd == -ESRCH)
		return error_set(error, ENOENT, NULL, "there is no network namespace at %s",
				 attach->netns);
	return fd;
}

int device_netns_look(int netns_fd, uint32_t ifindex, struct link_info *link, struct error *error)
{
	struct netlink *netlink;
	int result = netlink_open(&netlink, netns_fd, error);

	if (result)
		return result;
	result = netlink_link_get(netlink, ifindex, link, error);
	netlink_close(netlink);
	return result;
}

static const char *wanted_name(const struct device_job *job)
{
	const char *name = job->request->attach->ifname;

	return *name ? name : "eth0";
}

/* ---- what is there ---- */

static void see_address(void *context, const struct address_info *address)
{
	struct far_end *far_end = context;
	const struct device_request *request = far_end->job->request;

	for (size_t i = 0; i < request->address_count && i < PORT_ADDRESSES_MAX; i++)
		if (ip_prefix_equal(&address->address, &request->addresses[i]))
			far_end->present[i / 64] |= UINT64_C(1) << (i % 64);
}

static void see_route(void *context, const struct route_info *route)
{
	struct far_end *far_end = context;

	if (ip_prefix_family_length(&route->destination) == 0)
		far_end->default_route[!ip_prefix_is_ipv4(&route->destination)] = true;
}

/* Everything that may be wrong. Return: 0 or negative errno. */
static int inspect(struct far_end *far_end, struct error *error)
{
	const struct device_job *job = far_end->job;
	struct link_info loopback;
	int result =
		netlink_link_get(far_end->netlink, job->link.peer_ifindex, &far_end->link, error);

	if (!result && (strcmp(far_end->link.kind, "veth") != 0 ||
			far_end->link.peer_ifindex != job->link.ifindex))
		result = error_set(error, ENODEV, NULL,
				   "device %s of the namespace is not the other end of %s",
				   far_end->link.name, job->link.name);
	if (!result && far_end->ethtool >= 0)
		result = ethtool_segmentation(far_end->ethtool, far_end->link.name,
					      &far_end->segmentation, error);
	if (result || !job->request->attach->configure)
		return result;
	if (!netlink_link_get(far_end->netlink, LOOPBACK_IFINDEX, &loopback, NULL))
		far_end->loopback_up = loopback.flags & IFF_UP;
	result = netlink_address_list(far_end->netlink, far_end->link.ifindex, see_address, far_end,
				      error);
	if (!result)
		result = netlink_route_list(far_end->netlink, see_route, far_end, error);
	return result;
}

static bool is_present(const struct far_end *far_end, size_t i)
{
	return far_end->present[i / 64] >> (i % 64) & 1;
}

static bool has_gateway(const struct far_end *far_end, const struct ip_address *gateway)
{
	return far_end->default_route[!ip_address_is_ipv4(gateway)];
}

/* Whether an address that is not there was never put there: then it is new, not missing. */
static bool is_new(const struct device_record *record, const struct ip_prefix *address)
{
	if (!record || !record->inside.address_count)
		return false;
	for (size_t i = 0; i < record->inside.address_count; i++)
		if (ip_prefix_equal(&record->inside.addresses[i], address))
			return false;
	return true;
}

/* Says what is not as it should be; nothing for an end that was made just now. */
static void describe(struct device_job *job, const struct far_end *far_end)
{
	const struct device_request *request = job->request;
	char mac[MAC_ADDRESS_TEXT_SIZE], prefix[IP_PREFIX_TEXT_SIZE], gateway[IP_ADDRESS_TEXT_SIZE];

	if (job->made)
		return;
	if (strcmp(far_end->link.name, wanted_name(job)) != 0)
		device_changed(job, "%s was named %s inside the namespace", wanted_name(job),
			       far_end->link.name);
	if (!mac_address_equal(&far_end->link.mac, &request->mac))
		device_changed(job, "%s had MAC %s inside the namespace", wanted_name(job),
			       mac_address_format(&far_end->link.mac, mac));
	if (far_end->link.mtu != request->mtu)
		device_changed(job, "%s had MTU %u inside the namespace", wanted_name(job),
			       far_end->link.mtu);
	if (!(far_end->link.flags & IFF_UP))
		device_changed(job, "%s was down inside the namespace", wanted_name(job));
	if (request->no_segmentation && far_end->segmentation)
		device_changed(job, "segmentation offload of %s was on", wanted_name(job));
	if (!request->attach->configure)
		return;
	for (size_t i = 0; i < request->address_count; i++)
		if (!is_present(far_end, i))
			device_changed(job, "address %s was %s",
				       ip_prefix_format(&request->addresses[i], prefix),
				       is_new(job->record, &request->addresses[i]) ? "added"
										   : "missing");
	for (size_t i = 0; i < request->gateway_count; i++)
		if (!has_gateway(far_end, &request->gateways[i]))
			device_changed(job, "the default route via %s was missing",
				       ip_address_format(&request->gateways[i], gateway));
}

/* ---- making it so ---- */

int device_netns_mount_proc(void)
{
	int context = fsopen("proc", FSOPEN_CLOEXEC), mount = -1;

	if (context >= 0 && !fsconfig(context, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mount = fsmount(context, FSMOUNT_CLOEXEC,
				MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC);
	if (context >= 0)
		close(context);
	return mount;
}

/* Return: 0 or negative errno. */
static int write_sysctl(int proc_fd, const char *key, const char *value)
{
	char *path;
	int fd, result = 0;

	if (proc_fd < 0)
		return netns_write_sysctl(-1, key, value, NULL);
	path = xasprintf("sys/net/%s", key);
	fd = openat(proc_fd, path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		result = -errno;
	if (fd >= 0)
		close(fd);
	free(path);
	return result;
}

/* Before the device has a carrier. That a kernel has no IPv6 is no reason to fail. */
static void write_sysctls(int proc_fd, const char *name)
{
	static const char *const keys[] = { "accept_ra", "accept_dad" };

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		char *key = xasprintf("ipv6/conf/%s/%s", name, keys[i]);
		int result = write_sysctl(proc_fd, key, "0");

		if (result && result != -ENOENT)
			log_limited(LOG_LEVEL_WARNING, "sysctl not set", "key=%s error=\"%s\"", key,
				    strerror(-result));
		free(key);
	}
}

/*
 * Offloads are looked at where they are to be off, and where they were turned off here; other ports may
 * have them as they like. Return: 0 or negative errno.
 */
static int look_at_offloads(struct far_end *far_end, struct error *error)
{
	const struct device_job *job = far_end->job;

	if (!job->request->no_segmentation && !(job->record && job->record->inside.no_segmentation))
		return 0;
	far_end->ethtool = ethtool_open(error);
	return far_end->ethtool < 0 ? far_end->ethtool : 0;
}

/* By the name that it has now. */
static int set_offloads(struct far_end *far_end, struct error *error)
{
	const struct device_job *job = far_end->job;
	bool on = !job->request->no_segmentation;

	if (far_end->ethtool < 0 || far_end->segmentation == on)
		return 0;
	return ethtool_set_segmentation(far_end->ethtool, wanted_name(job), on, error);
}

/* A socket inside the namespace; on the way in, what only a thread that is there can do. */
static int enter(struct far_end *far_end, int proc_fd, struct error *error)
{
	const struct device_job *job = far_end->job;
	int saved = netns_enter(job->netns_fd, error), result;

	if (saved < 0)
		return saved;
	if (job->made && job->request->attach->configure)
		write_sysctls(proc_fd, wanted_name(job));
	result = netlink_open(&far_end->netlink, -1, error);
	if (!result)
		result = look_at_offloads(far_end, error);
	netns_leave(saved);
	return result;
}

/* What came of a batch. */
struct outcome {
	size_t link_requests; /* the first ones, about the device itself */
	struct error first;
};

/* The first failure; that an address or a route is there already is none. */
static void keep_failure(void *context, size_t index, const struct error *error)
{
	struct outcome *outcome = context;

	if (outcome->first.code || (error->code == -EEXIST && index >= outcome->link_requests))
		return;
	outcome->first = *error;
}

/* Return: how many requests that are. */
static size_t queue_link(struct far_end *far_end)
{
	const struct device_request *request = far_end->job->request;
	struct link_change change = LINK_CHANGE_NOTHING;
	const uint32_t ifindex = far_end->link.ifindex;
	bool up = far_end->link.flags & IFF_UP;
	size_t count = 0;

	if (strcmp(far_end->link.name, wanted_name(far_end->job)) != 0) {
		/* Renaming needs it down on kernels before 6.2, and loses its routes. */
		netlink_link_set_up(far_end->netlink, ifindex, false, NULL);
		netlink_link_set_name(far_end->netlink, ifindex, wanted_name(far_end->job), NULL);
		memset(far_end->default_route, 0, sizeof(far_end->default_route));
		memset(far_end->present, 0, sizeof(far_end->present));
		up = false;
		count = 2;
	}
	if (!mac_address_equal(&far_end->link.mac, &request->mac))
		change.mac = &request->mac;
	if (far_end->link.mtu != request->mtu)
		change.mtu = request->mtu;
	change.up = !up;
	if (!change.mac && !change.mtu && !change.up)
		return count;
	netlink_link_change(far_end->netlink, ifindex, &change, NULL);
	return count + 1;
}

/* The kernel's own routes to the subnets of addresses that are there already: whoever flushes the routes of the
 * device takes these too, and without them no gateway is within reach. */
static void queue_subnets(struct far_end *far_end, bool ipv4)
{
	const struct device_request *request = far_end->job->request;

	for (size_t i = 0; i < request->address_count; i++) {
		const struct route_info route = {
			.destination = request->addresses[i],
			.ifindex = far_end->link.ifindex,
			.metric = ipv4 ? 0 : CONNECTED_METRIC6,
		};

		if (is_present(far_end, i) && route.destination.length < 128 &&
		    ip_prefix_is_ipv4(&route.destination) == ipv4)
			netlink_route_add(far_end->netlink, &route, NULL);
	}
}

static void queue_addresses(struct far_end *far_end)
{
	const struct device_request *request = far_end->job->request;

	if (!far_end->loopback_up)
		netlink_link_set_up(far_end->netlink, LOOPBACK_IFINDEX, true, NULL);
	for (size_t i = 0; i < request->address_count; i++) {
		const struct address_info address = {
			.ifindex = far_end->link.ifindex,
			.address = request->addresses[i],
			.no_dad = true,
		};

		if (!is_present(far_end, i))
			netlink_address_add(far_end->netlink, &address, NULL);
	}
	for (size_t i = 0; i < request->gateway_count; i++) {
		struct route_info route = {
			.gateway = request->gateways[i],
			.has_gateway = true,
			.ifindex = far_end->link.ifindex,
		};

		if (ip_address_is_ipv4(&route.gateway)) {
			route.destination.address = ip_address_from_ipv4(0);
			route.destination.length = 96;
		}
		if (has_gateway(far_end, &request->gateways[i]))
			continue;
		queue_subnets(far_end, ip_address_is_ipv4(&route.gateway));
		netlink_route_add(far_end->netlink, &route, NULL);
	}
}

static bool is_wanted_address(const struct device_request *request, const struct ip_prefix *address)
{
	for (size_t i = 0; i < request->address_count; i++)
		if (ip_prefix_equal(address, &request->addresses[i]))
			return true;
	return false;
}

static bool is_wanted_gateway(const struct device_request *request,
			      const struct ip_address *gateway)
{
	for (size_t i = 0; i < request->gateway_count; i++)
		if (ip_address_equal(gateway, &request->gateways[i]))
			return true;
	return false;
}

/* Takes away, at once and before anything is added, what was put there for an earlier request. That it
 * is gone already is what was wanted, so errors do not count. */
static void remove_old(struct device_job *job, struct far_end *far_end)
{
	const struct device_inside *inside = &job->record->inside;

	for (size_t i = 0; i < inside->gateway_count; i++) {
		struct route_info route = {
			.gateway = inside->gateways[i],
			.has_gateway = true,
			.ifindex = far_end->link.ifindex,
		};
		bool ipv4 = ip_address_is_ipv4(&route.gateway);

		if (is_wanted_gateway(job->request, &inside->gateways[i]))
			continue;
		if (ipv4) {
			route.destination.address = ip_address_from_ipv4(0);
			route.destination.length = 96;
		}
		if (!netlink_route_delete(far_end->netlink, &route, NULL))
			far_end->default_route[!ipv4] = false;
	}
	for (size_t i = 0; i < inside->address_count; i++) {
		const struct address_info address = {
			.ifindex = far_end->link.ifindex,
			.address = inside->addresses[i],
		};
		char text[IP_PREFIX_TEXT_SIZE];

		if (is_wanted_address(job->request, &inside->addresses[i]) ||
		    netlink_address_delete(far_end->netlink, &address, NULL))
			continue;
		device_changed(job, "address %s was removed",
			       ip_prefix_format(&inside->addresses[i], text));
	}
}

static void remember(struct device_job *job)
{
	struct device_inside *inside = &job->record->inside;
	const struct device_request *request = job->request;

	free(inside->addresses);
	*inside = (struct device_inside){ .no_segmentation = request->no_segmentation };
	if (!request->attach->configure)
		return;
	inside->addresses = xcalloc(request->address_count, sizeof(*request->addresses));
	for (size_t i = 0; i < request->address_count; i++)
		inside->addresses[inside->address_count++] = request->addresses[i];
	for (size_t i = 0; i < request->gateway_count && i < ARRAY_SIZE(inside->gateways); i++)
		inside->gateways[inside->gateway_count++] = request->gateways[i];
}

static int configure(struct device_job *job, struct far_end *far_end, struct error *error)
{
	struct outcome outcome = { 0 };
	int result = 0;

	if (job->made) {
		/* As it was made; nothing of it need be read. */
		far_end->link.ifindex = job->link.peer_ifindex;
		far_end->link.mac = job->request->mac;
		far_end->link.mtu = job->request->mtu;
		far_end->segmentation = true;
		snprintf(far_end->link.name, sizeof(far_end->link.name), "%s", wanted_name(job));
	} else {
		result = inspect(far_end, error);
		if (result)
			return result;
		describe(job, far_end);
		remove_old(job, far_end);
	}
	netlink_batch_begin(far_end->netlink);
	outcome.link_requests = queue_link(far_end);
	if (job->request->attach->configure)
		queue_addresses(far_end);
	(void)netlink_batch_commit(far_end->netlink, keep_failure, &outcome, NULL);
	if (outcome.first.code)
		device_lacks(job, "inside the namespace: %s", outcome.first.text);
	result = set_offloads(far_end, error);
	remember(job);
	return result;
}

static void far_end_close(struct far_end *far_end)
{
	netlink_close(far_end->netlink);
	if (far_end->ethtool >= 0)
		close(far_end->ethtool);
}

void device_netns_configure(struct device_job *job, int proc_fd)
{
	struct far_end far_end = { .job = job, .ethtool = -1 };
	struct error error = { 0 };

	if (enter(&far_end, proc_fd, &error) || configure(job, &far_end, &error))
		device_fail(job, &error);
	far_end_close(&far_end);
}

bool device_netns_check(struct device_job *job)
{
	struct far_end far_end = { .job = job, .ethtool = -1 };
	struct error error = { 0 };
	int result = enter(&far_end, -1, &error);

	if (!result)
		result = inspect(&far_end, &error);
	if (!result)
		describe(job, &far_end);
	if (error_is_shortage(result))
		device_fail(job, &error);
	far_end_close(&far_end);
	return !result || job->done;
}
