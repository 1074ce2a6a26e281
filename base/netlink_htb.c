/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues that share what a device carries: the kernel's hierarchical token bucket (tc-htb(8)), two levels
 * deep, with a first-in first-out queue for each class. Contracts: netlink_htb.h.
 */
#include "base/netlink_htb.h"

#include <errno.h>
#include <linux/gen_stats.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <string.h>

#include "base/netlink_private.h"

#define HTB_VERSION 3
#define RATE_TO_QUANTUM 10 /* for classes that say none */
/* The kernel computes with the rates themselves, without tables of ours. */
#define LINK_LAYER_ETHERNET 1
#define TICK_SHIFT 6 /* ns to the units of bucket sizes; PSCHED_SHIFT of the kernel */

static struct nlmsghdr *begin(struct netlink *netlink, uint16_t type, uint16_t flags,
			      uint32_t ifindex, uint32_t parent, uint32_t handle)
{
	struct nlmsghdr *message;
	struct tcmsg *body;

	message = netlink_request(netlink, type, flags, sizeof(*body), &body);
	body->tcm_family = AF_UNSPEC;
	body->tcm_ifindex = (int)ifindex;
	body->tcm_parent = parent;
	body->tcm_handle = handle;
	return message;
}

/* ---- the root ---- */

/* The smallest of what the kernel tells and what this knows: its structs grow. */
static void copy_stats(const struct nlattr *attribute, void *to, size_t size)
{
	size_t told = mnl_attr_get_payload_len(attribute);

	memcpy(to, mnl_attr_get_payload(attribute), told < size ? told : size);
}

static void parse_stats(const struct nlattr *nest, struct queue_stats *stats)
{
	struct gnet_stats_basic basic = { 0 };
	struct gnet_stats_queue queue = { 0 };
	const struct nlattr *attribute;

	mnl_attr_for_each_nested(attribute, nest) {
		if (mnl_attr_get_type(attribute) == TCA_STATS_BASIC)
			copy_stats(attribute, &basic, sizeof(basic));
		else if (mnl_attr_get_type(attribute) == TCA_STATS_QUEUE)
			copy_stats(attribute, &queue, sizeof(queue));
	}
	stats->bytes = basic.bytes;
	stats->packets = basic.packets;
	stats->dropped = queue.drops;
	stats->delayed = queue.overlimits;
	stats->waiting = queue.backlog;
}

struct roots {
	qdisc_callback *callback;
	void *context;
};

static void list_root(void *context, const struct nlmsghdr *message)
{
	const struct roots *roots = context;
	const struct tcmsg *body = mnl_nlmsg_get_payload(message);
	struct qdisc_info root = { 0 };
	const struct nlattr *attribute;

	if (message->nlmsg_len < mnl_nlmsg_size(sizeof(*body)) || body->tcm_parent != TC_H_ROOT)
		return;
	root.ifindex = (uint32_t)body->tcm_ifindex;
	root.stats.id = body->tcm_handle;
	mnl_attr_for_each(attribute, message, sizeof(*body)) {
		if (mnl_attr_get_type(attribute) == TCA_STATS2)
			parse_stats(attribute, &root.stats);
		else if (mnl_attr_get_type(attribute) == TCA_KIND &&
			 mnl_attr_validate(attribute, MNL_TYPE_NUL_STRING) == 0)
			strncpy(root.kind, mnl_attr_get_str(attribute), sizeof(root.kind) - 1);
	}
	roots->callback(roots->context, &root);
}

int netlink_qdisc_roots(struct netlink *netlink, qdisc_callback *callback, void *context,
			struct error *error)
{
	struct roots roots = { callback, context };
	struct nlmsghdr *message = begin(netlink, RTM_GETQDISC, NLM_F_DUMP, 0, 0, 0);

	return netlink_ask(netlink, message, list_root, &roots, error, "list the queues");
}

static void keep_root(void *context, const struct qdisc_info *root)
{
	struct qdisc_info *wanted = context;

	if (root->ifindex == wanted->ifindex)
		*wanted = *root;
}

int netlink_qdisc_root(struct netlink *netlink, uint32_t ifindex, struct qdisc_info *root,
		       struct error *error)
{
	/* The kernel does not tell of one device alone. */
	*root = (struct qdisc_info){ .ifindex = ifindex };
	return netlink_qdisc_roots(netlink, keep_root, root, error);
}

int netlink_htb_add(struct netlink *netlink, uint32_t ifindex, uint32_t handle,
		    uint16_t usual_class, struct error *error)
{
	const struct tc_htb_glob options = {
		.version = HTB_VERSION,
		.rate2quantum = RATE_TO_QUANTUM,
		.defcls = usual_class,
	};
	struct nlmsghdr *message = begin(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
					 ifindex, TC_H_ROOT, handle);
	struct nlattr *nest;

	mnl_attr_put_strz(message, TCA_KIND, "htb");
	nest = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put(message, TCA_HTB_INIT, sizeof(options), &options);
	mnl_attr_nest_end(message, nest);
	return netlink_finish(netlink, message, error, "share what device %u carries", ifindex);
}

int netlink_htb_remove(struct netlink *netlink, uint32_t ifindex, uint32_t handle,
		       struct error *error)
{
	struct nlmsghdr *message = begin(netlink, RTM_DELQDISC, 0, ifindex, TC_H_ROOT, handle);
	int result = netlink_finish(netlink, message, error, "share what device %u carries no more",
				    ifindex);

	return result == -ENOENT || result == -EINVAL ? 0 : result;
}

/* ---- classes ---- */

/* The time that so many bytes take at a rate, as the kernel wants it. */
static uint32_t ticks_of(uint64_t bytes, uint64_t rate)
{
	uint64_t ticks = bytes * 1000000000ULL / rate >> TICK_SHIFT;

	return ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
}

static void put_rate(struct tc_ratespec *spec, uint64_t rate)
{
	spec->linklayer = LINK_LAYER_ETHERNET;
	spec->rate = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX;
}

int netlink_htb_class(struct netlink *netlink, uint32_t ifindex, const struct htb_class *class,
		      struct error *error)
{
	struct tc_htb_opt options = {
		.buffer = ticks_of(class->burst, class->rate),
		.cbuffer = ticks_of(class->ceiling_burst, class->ceiling),
		.quantum = class->quantum,
	};
	struct nlmsghdr *message =
		begin(netlink, RTM_NEWTCLASS, NLM_F_CREATE, ifindex, class->parent, class->id);
	struct nlattr *nest;

	put_rate(&options.rate, class->rate);
	put_rate(&options.ceil, class->ceiling);
	mnl_attr_put_strz(message, TCA_KIND, "htb");
	nest = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put(message, TCA_HTB_PARMS, sizeof(options), &options);
	if (class->rate >= UINT32_MAX)
		mnl_attr_put_u64(message, TCA_HTB_RATE64, class->rate);
	if (class->ceiling >= UINT32_MAX)
		mnl_attr_put_u64(message, TCA_HTB_CEIL64, class->ceiling);
	mnl_attr_nest_end(message, nest);
	return netlink_finish(netlink, message, error, "give a share of device %u", ifindex);
}

int netlink_htb_class_remove(struct netlink *netlink, uint32_t ifindex, uint32_t id,
			     struct error *error)
{
	struct nlmsghdr *message = begin(netlink, RTM_DELTCLASS, 0, ifindex, 0, id);
	int result =
		netlink_finish(netlink, message, error, "take back a share of device %u", ifindex);

	return result == -ENOENT ? 0 : result;
}

int netlink_htb_queue(struct netlink *netlink, uint32_t ifindex, uint32_t id, uint32_t limit,
		      struct error *error)
{
	const struct tc_fifo_qopt options = { .limit = limit };
	struct nlmsghdr *message =
		begin(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE, ifindex, id, 0);

	mnl_attr_put_strz(message, TCA_KIND, "bfifo");
	mnl_attr_put(message, TCA_OPTIONS, sizeof(options), &options);
	return netlink_finish(netlink, message, error, "limit a queue of device %u", ifindex);
}

struct listing {
	htb_class_callback *callback;
	void *context;
};

static void list_class(void *context, const struct nlmsghdr *message)
{
	const struct listing *listing = context;
	const struct tcmsg *body = mnl_nlmsg_get_payload(message);
	const struct nlattr *attribute;
	struct queue_stats stats = { 0 };

	if (message->nlmsg_type != RTM_NEWTCLASS ||
	    message->nlmsg_len < mnl_nlmsg_size(sizeof(*body)))
		return;
	stats.id = body->tcm_handle;
	mnl_attr_for_each(attribute, message, sizeof(*body)) {
		if (mnl_attr_get_type(attribute) == TCA_STATS2)
			parse_stats(attribute, &stats);
	}
	listing->callback(listing->context, &stats);
}

int netlink_htb_classes(struct netlink *netlink, uint32_t ifindex, htb_class_callback *callback,
			void *context, struct error *error)
{
	struct listing listing = { callback, context };
	struct nlmsghdr *message = begin(netlink, RTM_GETTCLASS, NLM_F_DUMP, ifindex, 0, 0);

	return netlink_ask(netlink, message, list_class, &listing, error,
			   "list the shares of device %u", ifindex);
}
