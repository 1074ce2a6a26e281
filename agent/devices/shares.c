/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues with a class for each port; see shares.h.
 *
 * What a device has is remembered by class, so that a change writes what it changes. After a restart the
 * classes that are there are listed, and each is written once over what it is.
 */
#include "agent/devices/shares.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"
#include "base/map.h"
#include "base/netlink.h"

#define ALL_CLASS 0xffffU  /* above all others */
#define HOST_CLASS 0xfffeU /* of what no port sends */
#define HOST_SHARE 1
#define FRAME_MAX 68000 /* a frame that stands for several packets, in its tunnel */
#define RATE_MIN 1000   /* bytes a second that the kernel can count with */
#define QUEUE_MIN (256U << 10)
#define QUEUE_MAX (8U << 20)

/* @sum: of the shares, rounded up; what is written for @rate and it. @members: slot -> share, of classes that are
 * there; 0: not known which. */
struct shared_device {
	char ifname[LINK_NAME_SIZE];
	uint32_t ifindex; /* 0: it is not shared */
	uint64_t rate;    /* bytes per second */
	uint64_t sum;
	struct map members;
	char trouble[200];
};

struct shares {
	struct datapath *datapath;
	struct netlink *netlink;
	size_t count;
	struct shared_device *list;
	bool cleaned; /* what an earlier run left was looked for */
};

static void *share_of(uint32_t share)
{
	/* The map takes no NULL. */
	return (void *)((uintptr_t)share + 1);
}

/* ---- classes ---- */

/* 5 ms: timers come late by some hundred microseconds, on a busy machine by more. */
static uint32_t burst_of(uint64_t rate)
{
	uint64_t bytes = rate / 200;

	return bytes < FRAME_MAX        ? FRAME_MAX
	       : bytes > UINT32_MAX / 8 ? UINT32_MAX / 8
					: (uint32_t)bytes;
}

static uint32_t queue_of(uint64_t rate)
{
	uint64_t bytes = rate / 100;

	return bytes < QUEUE_MIN ? QUEUE_MIN : bytes > QUEUE_MAX ? QUEUE_MAX : (uint32_t)bytes;
}

static int write_all(struct shares *shares, const struct shared_device *device, struct error *error)
{
	const struct htb_class class = {
		.id = SHARE_CLASSES | ALL_CLASS,
		.parent = SHARE_CLASSES,
		.rate = device->rate,
		.ceiling = device->rate,
		.burst = burst_of(device->rate),
		.ceiling_burst = burst_of(device->rate),
	};

	return netlink_htb_class(shares->netlink, device->ifindex, &class, error);
}

static int write_class(struct shares *shares, const struct shared_device *device, uint32_t id,
		       uint32_t share, struct error *error)
{
	uint64_t sure = device->rate * share / device->sum;
	const struct htb_class class = {
		.id = SHARE_CLASSES | id,
		.parent = SHARE_CLASSES | ALL_CLASS,
		.rate = sure < RATE_MIN ? RATE_MIN : sure,
		.ceiling = device->rate,
		.burst = burst_of(sure),
		.ceiling_burst = burst_of(device->rate),
		.quantum = FRAME_MAX * share,
	};

	return netlink_htb_class(shares->netlink, device->ifindex, &class, error);
}

/* A class and, if it is new, its queue: the kernel's own counts frames, whatever their size. */
static int write_member(struct shares *shares, struct shared_device *device, uint32_t id,
			uint32_t share, bool fresh, struct error *error)
{
	int code = write_class(shares, device, id, share, error);

	if (!code && fresh)
		code = netlink_htb_queue(shares->netlink, device->ifindex, SHARE_CLASSES | id,
					 queue_of(device->rate), error);
	return code;
}

static const struct share *find_member(const struct share *members, size_t count, uint32_t slot)
{
	size_t low = 0, high = count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (members[middle].slot < slot)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && members[low].slot == slot ? &members[low] : NULL;
}

static void remove_others(struct shares *shares, struct shared_device *device,
			  const struct share *members, size_t count)
{
	MAP_FOR_EACH(&device->members, it) {
		uint32_t slot = *(const uint32_t *)it.key;

		if (slot == HOST_CLASS || find_member(members, count, slot))
			continue;
		netlink_htb_class_remove(shares->netlink, device->ifindex, SHARE_CLASSES | slot,
					 NULL);
		map_remove_u32(&device->members, slot);
	}
}

/* Sum of the shares, rounded up to a power of two. */
static uint64_t sum_of(const struct share *members, size_t count)
{
	uint64_t sum = HOST_SHARE, power = 1;

	for (size_t i = 0; i < count; i++)
		sum += members[i].share;
	while (power < sum)
		power *= 2;
	return power;
}

static int write_classes(struct shares *shares, struct shared_device *device, bool all,
			 const struct share *members, size_t count, struct error *error)
{
	const struct share host = { HOST_CLASS, HOST_SHARE };
	int code;

	netlink_batch_begin(shares->netlink);
	code = all ? write_all(shares, device, error) : 0;
	for (size_t i = 0; i <= count && !code; i++) {
		const struct share *member = i ? &members[i - 1] : &host;
		const void *known = map_get_u32(&device->members, member->slot);

		if (!all && known == share_of(member->share))
			continue;
		code = write_member(shares, device, member->slot, member->share, !known, error);
		map_put_u32(&device->members, member->slot, share_of(member->share));
	}
	remove_others(shares, device, members, count);
	if (code) {
		netlink_batch_commit(shares->netlink, NULL, NULL, NULL);
		return code;
	}
	return netlink_batch_commit(shares->netlink, NULL, NULL, error);
}

/* ---- devices ---- */

static void take_class(void *context, const struct queue_stats *stats)
{
	struct shared_device *device = context;
	uint32_t id = stats->id & 0xffff;

	if ((stats->id & 0xffff0000) == SHARE_CLASSES && id != ALL_CLASS)
		map_put_u32(&device->members, id, share_of(0));
}

static int refuse(struct shared_device *device, int code, const char *text)
{
	snprintf(device->trouble, sizeof(device->trouble), "%.190s", text);
	return code;
}

/* Puts the queue at the device, or takes over the one that is there. Return: 0 or negative errno. */
static int take_device(struct shares *shares, struct shared_device *device, uint32_t ifindex)
{
	struct error error = { 0 };
	struct qdisc_info root;
	int code = netlink_qdisc_root(shares->netlink, ifindex, &root, &error);
	bool ours = !code && root.stats.id == SHARE_CLASSES && strcmp(root.kind, "htb") == 0;
	char text[200];

	if (!code && root.stats.id && !ours) {
		snprintf(
			text, sizeof(text),
			"it has a queue of somebody else's, %s %x:, which is left alone; without it "
			"(tc qdisc del dev %s root) ports get their shares",
			root.kind, root.stats.id >> 16, device->ifname);
		return refuse(device, -EBUSY, text);
	}
	if (ours && device->ifindex == ifindex)
		return 0;
	map_fini(&device->members, NULL);
	map_init(&device->members);
	device->sum = 0;
	if (!code && ours)
		code = netlink_htb_classes(shares->netlink, ifindex, take_class, device, &error);
	else if (!code)
		code = netlink_htb_add(shares->netlink, ifindex, SHARE_CLASSES, HOST_CLASS, &error);
	if (code)
		return refuse(device, code, error.text);
	device->ifindex = ifindex;
	return 0;
}

static void lose_device(struct shares *shares, struct shared_device *device)
{
	if (device->ifindex)
		netlink_htb_remove(shares->netlink, device->ifindex, SHARE_CLASSES, NULL);
	device->ifindex = 0;
}

static void share_device(struct shares *shares, struct shared_device *device, uint64_t rate,
			 const struct share *members, size_t count)
{
	struct error error = { 0 };
	struct link_info link;
	uint64_t sum = sum_of(members, count);
	bool all, fresh = !device->ifindex;

	device->trouble[0] = 0;
	if (netlink_link_get_by_name(shares->netlink, device->ifname, &link, NULL) < 0) {
		device->ifindex = 0;
		refuse(device, -ENODEV, "there is no such device");
		return;
	}
	/* Asking for a queue lists those of all devices. */
	if ((device->ifindex != link.ifindex || strcmp(link.qdisc, "htb") != 0) &&
	    take_device(shares, device, link.ifindex)) {
		device->ifindex = 0;
		return;
	}
	all = device->rate != rate || device->sum != sum;
	device->rate = rate;
	device->sum = sum;
	if (write_classes(shares, device, all, members, count, &error)) {
		refuse(device, error.code, error.text);
		lose_device(shares, device);
		return;
	}
	if (fresh)
		log_info("shares", "device=%s rate=%llu ports=%zu", device->ifname,
			 (unsigned long long)rate * 8, count);
}

/* ---- what an earlier run left ---- */

static struct shared_device *find_device(const struct shares *shares, const char *ifname)
{
	for (size_t i = 0; i < shares->count; i++)
		if (strcmp(shares->list[i].ifname, ifname) == 0)
			return &shares->list[i];
	return NULL;
}

/* A device that this instance is attached to has no rate any more. */
static void clean_kind(struct shares *shares, enum datapath_role role)
{
	uint32_t *list;
	size_t count = datapath_attached_as(shares->datapath, role, &list);

	for (size_t i = 0; i < count; i++) {
		struct qdisc_info root;
		struct link_info link;

		if (netlink_link_get(shares->netlink, list[i], &link, NULL) ||
		    strcmp(link.qdisc, "htb") != 0 || find_device(shares, link.name) ||
		    netlink_qdisc_root(shares->netlink, list[i], &root, NULL) ||
		    root.stats.id != SHARE_CLASSES)
			continue;
		netlink_htb_remove(shares->netlink, list[i], SHARE_CLASSES, NULL);
	}
	free(list);
}

static void clean(struct shares *shares)
{
	if (shares->cleaned)
		return;
	shares->cleaned = true;
	clean_kind(shares, DATAPATH_UPLINK);
	clean_kind(shares, DATAPATH_UNDERLAY);
}

/* ---- for others ---- */

/* The list as it is asked for, with what is known of those that stay. */
static void take_list(struct shares *shares, const struct host_rate *rates, size_t count)
{
	struct shared_device *list = xcalloc(count + 1, sizeof(*list));
	size_t before_count = shares->count;
	struct shared_device *before = shares->list;

	for (size_t i = 0; i < count; i++) {
		struct shared_device *known = find_device(shares, rates[i].ifname);

		if (known) {
			list[i] = *known;
			known->ifindex = 0;
			map_init(&known->members);
		} else {
			map_init(&list[i].members);
			snprintf(list[i].ifname, sizeof(list[i].ifname), "%s", rates[i].ifname);
		}
	}
	for (size_t i = 0; i < before_count; i++) {
		lose_device(shares, &before[i]);
		map_fini(&before[i].members, NULL);
	}
	free(before);
	shares->list = list;
	shares->count = count;
}

/* A number that is another one when other devices are shared. */
static uint64_t fingerprint(const struct shares *shares)
{
	uint64_t print = 0;

	for (size_t i = 0; i < shares->count; i++)
		print += (uint64_t)shares->list[i].ifindex << 32 |
			 (uint64_t)shares->list[i].ifindex * shares->list[i].ifindex;
	return print;
}

bool shares_set(struct shares *shares, const struct host_rate *rates, size_t rate_count,
		const struct share *members, size_t member_count)
{
	uint64_t before = fingerprint(shares);

	if (!shares->netlink)
		return false;
	take_list(shares, rates, rate_count);
	clean(shares);
	for (size_t i = 0; i < shares->count; i++)
		share_device(shares, &shares->list[i], rates[i].rate / 8, members, member_count);
	return fingerprint(shares) != before;
}

bool shares_stray(const struct shares *shares)
{
	struct link_info link;

	for (size_t i = 0; shares->netlink && i < shares->count; i++)
		if (!shares->list[i].ifindex ||
		    netlink_link_get(shares->netlink, shares->list[i].ifindex, &link, NULL) ||
		    strcmp(link.qdisc, "htb") != 0)
			return true;
	return false;
}

bool shares_has(const struct shares *shares, uint32_t ifindex)
{
	for (size_t i = 0; ifindex && i < shares->count; i++)
		if (shares->list[i].ifindex == ifindex)
			return true;
	return false;
}

const char *shares_trouble(const struct shares *shares, size_t index)
{
	return index < shares->count && shares->list[index].trouble[0] ? shares->list[index].trouble
								       : NULL;
}

struct stats_context {
	shares_stats_callback *callback;
	void *context;
	const char *ifname;
};

static void pass_stats(void *context, const struct queue_stats *stats)
{
	const struct stats_context *pass = context;
	uint32_t id = stats->id & 0xffff;

	if ((stats->id & 0xffff0000) != SHARE_CLASSES || id == ALL_CLASS)
		return;
	pass->callback(pass->context, pass->ifname, id == HOST_CLASS ? 0 : id, stats);
}

void shares_stats(struct shares *shares, shares_stats_callback *callback, void *context)
{
	for (size_t i = 0; i < shares->count; i++) {
		struct stats_context pass = { callback, context, shares->list[i].ifname };

		if (shares->list[i].ifindex)
			netlink_htb_classes(shares->netlink, shares->list[i].ifindex, pass_stats,
					    &pass, NULL);
	}
}

int shares_open(struct datapath *datapath, bool devices, struct shares **shares,
		struct error *error)
{
	struct shares *new = xcalloc(1, sizeof(*new));
	int code = devices ? netlink_open(&new->netlink, -1, error) : 0;

	new->datapath = datapath;
	if (code) {
		free(new);
		return code;
	}
	*shares = new;
	return 0;
}

void shares_close(struct shares *shares)
{
	if (!shares)
		return;
	for (size_t i = 0; i < shares->count; i++)
		map_fini(&shares->list[i].members, NULL);
	netlink_close(shares->netlink);
	free(shares->list);
	free(shares);
}
