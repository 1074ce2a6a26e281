/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Queues that hold a device to a rate: the kernel's token bucket filter (tc-tbf(8)). Contracts: netlink.h.
 */
#include <errno.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "base/netlink_private.h"

#define HANDLE TC_H_MAKE(1 << 16, 0)
#define LINK_LAYER_ETHERNET                                                                        \
	1 /* the kernel computes with the rate itself, without a table of ours */

int netlink_rate_set(struct netlink *netlink, uint32_t ifindex, uint64_t rate, uint32_t burst,
		     uint32_t limit, struct error *error)
{
	struct tc_tbf_qopt options = {
		.rate = { .linklayer = LINK_LAYER_ETHERNET,
			  .rate = rate < UINT32_MAX ? (uint32_t)rate : UINT32_MAX },
		.limit = limit,
	};
	struct nlmsghdr *message;
	struct nlattr *nest;
	struct tcmsg *body;

	message = netlink_request(netlink, RTM_NEWQDISC, NLM_F_CREATE | NLM_F_REPLACE,
				  sizeof(*body), &body);
	body->tcm_family = AF_UNSPEC;
	body->tcm_ifindex = (int)ifindex;
	body->tcm_parent = TC_H_ROOT;
	body->tcm_handle = HANDLE;
	mnl_attr_put_strz(message, TCA_KIND, "tbf");
	nest = mnl_attr_nest_start(message, TCA_OPTIONS);
	mnl_attr_put(message, TCA_TBF_PARMS, sizeof(options), &options);
	mnl_attr_put_u32(message, TCA_TBF_BURST, burst);
	if (rate >= UINT32_MAX)
		mnl_attr_put_u64(message, TCA_TBF_RATE64, rate);
	mnl_attr_nest_end(message, nest);
	return netlink_finish(netlink, message, error, "hold device %u to a rate", ifindex);
}

int netlink_rate_clear(struct netlink *netlink, uint32_t ifindex, struct error *error)
{
	struct nlmsghdr *message;
	struct tcmsg *body;
	int result;

	message = netlink_request(netlink, RTM_DELQDISC, 0, sizeof(*body), &body);
	body->tcm_family = AF_UNSPEC;
	body->tcm_ifindex = (int)ifindex;
	body->tcm_parent = TC_H_ROOT;
	body->tcm_handle = HANDLE;
	result = netlink_finish(netlink, message, error, "free device %u of its rate", ifindex);
	return result == -ENOENT || result == -EINVAL ? 0 : result;
}
