/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * VLAN tags for the machines of a lab, without the kernel's VLAN devices, which not every kernel has.
 *
 * Two programs of a few instructions at a plain machine's device: one puts the tag on what leaves, one takes
 * it off what comes in and drops what has another or none. To the machine its wire has no tags, as behind
 * an access port of a switch; on the wire there are.
 *
 * A workload that tags for itself has a device for each tag, as it would by `ip link add link eth0 name
 * eth0.100 type vlan id 100`: here it is one end of a veth pair, and programs of the same kind lead from
 * the other end to eth0 and back. The devices hold the programs, so they end with them.
 *
 * Neighbours: lab_underlay.c and lab_up.c, which have made what the tags are put on.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/addr.h"
#include "base/alloc.h"
#include "base/netlink.h"
#include "base/netns.h"
#include "cli/lab.h"

#define TAG_TYPE 0x0081 /* 0x8100 as the kernel wants it, on a machine of either order below */
#define TAG_ID 0xfff
#define TC_NEXT (-1)
#define TC_PASS 0
#define TC_DROP 2

/* Instructions of BPF, by what they do. */
#define SET(to, value)                                                                             \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = to, .imm = value                   \
	}
#define COPY(to, from)                                                                             \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = to, .src_reg = from                \
	}
#define AND(to, value)                                                                             \
	{                                                                                          \
		.code = BPF_ALU64 | BPF_AND | BPF_K, .dst_reg = to, .imm = value                   \
	}
#define LOAD(to, from, offset)                                                                     \
	{                                                                                          \
		.code = BPF_LDX | BPF_MEM | BPF_W, .dst_reg = to, .src_reg = from, .off = offset   \
	}
#define CALL(function)                                                                             \
	{                                                                                          \
		.code = BPF_JMP | BPF_CALL, .imm = function                                        \
	}
#define SKIP_UNLESS(of, value, count)                                                              \
	{                                                                                          \
		.code = BPF_JMP | BPF_JNE | BPF_K, .dst_reg = of, .imm = value, .off = count       \
	}
#define SKIP_IF(of, value, count)                                                                  \
	{                                                                                          \
		.code = BPF_JMP | BPF_JEQ | BPF_K, .dst_reg = of, .imm = value, .off = count       \
	}
#define END                                                                                        \
	{                                                                                          \
		.code = BPF_JMP | BPF_EXIT                                                         \
	}

static int load(const struct bpf_insn *instructions, size_t count)
{
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "lab_tag", "GPL", instructions, count, NULL);
}

/* Puts the tag on; @to: and sends it there, 0: it goes on its way. */
static int load_push(int tag, uint32_t to)
{
	const struct bpf_insn instructions[] = {
		SET(BPF_REG_2, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? TAG_TYPE : 0x8100),
		SET(BPF_REG_3, tag),
		CALL(BPF_FUNC_skb_vlan_push),
		SET(BPF_REG_0, TC_PASS),
		SET(BPF_REG_1, (int)to),
		SKIP_IF(BPF_REG_1, 0, 2),
		SET(BPF_REG_2, 0),
		CALL(BPF_FUNC_redirect),
		END,
	};

	return load(instructions, ARRAY_SIZE(instructions));
}

/* Takes the tag off, and sends it to a device. What has another tag or none is dropped; with @to it is for
 * the next program, or the machine itself. */
static int load_pop(int tag, uint32_t to)
{
	const struct bpf_insn instructions[] = {
		COPY(BPF_REG_6, BPF_REG_1),
		LOAD(BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, vlan_present)),
		SKIP_UNLESS(BPF_REG_2, 1, 11),
		LOAD(BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, vlan_tci)),
		AND(BPF_REG_2, TAG_ID),
		SKIP_UNLESS(BPF_REG_2, tag, 8),
		COPY(BPF_REG_1, BPF_REG_6),
		CALL(BPF_FUNC_skb_vlan_pop),
		SET(BPF_REG_0, TC_PASS),
		SET(BPF_REG_1, (int)to),
		SKIP_IF(BPF_REG_1, 0, 2),
		SET(BPF_REG_2, 0),
		CALL(BPF_FUNC_redirect),
		END,
		SET(BPF_REG_0, to ? TC_NEXT : TC_DROP),
		END,
	};

	return load(instructions, ARRAY_SIZE(instructions));
}

/* That both hooks are there already is no fault, and nothing that libbpf should print. */
static int make_hooks(uint32_t ifindex)
{
	LIBBPF_OPTS(bpf_tc_hook, both, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	int code = bpf_tc_hook_create(&both);

	libbpf_set_print(print);
	return code == -EEXIST ? 0 : code;
}

static int attach(uint32_t ifindex, enum bpf_tc_attach_point where, int program)
{
	LIBBPF_OPTS(bpf_tc_hook, hook, .ifindex = (int)ifindex, .attach_point = where);
	LIBBPF_OPTS(bpf_tc_opts, filter, .prog_fd = program);
	int code = program < 0 ? program : bpf_tc_attach(&hook, &filter);

	if (program >= 0)
		close(program);
	return code;
}

int lab_tag(int netns, uint32_t ifindex, uint16_t tag, struct error *error)
{
	int saved = netns_enter(netns, error), code;

	if (saved < 0)
		return saved;
	code = make_hooks(ifindex);
	if (!code)
		code = attach(ifindex, BPF_TC_EGRESS, load_push(tag, 0));
	if (!code)
		code = attach(ifindex, BPF_TC_INGRESS, load_pop(tag, 0));
	netns_leave(saved);
	return code ? error_set(error, code, NULL, "VLAN tag %u on device %u: %s", tag, ifindex,
				strerror(-code))
		    : 0;
}

/* ---- a device for a tag ---- */

/* The programs between the far end of the pair and the device that has the tags. */
static int join(int netns, uint32_t parent, uint32_t far, uint16_t tag, struct error *error)
{
	const uint32_t devices[] = { parent, far };
	int saved = netns_enter(netns, error), code = 0;

	if (saved < 0)
		return saved;
	for (size_t i = 0; i < ARRAY_SIZE(devices) && !code; i++)
		code = make_hooks(devices[i]);
	if (!code)
		code = attach(far, BPF_TC_INGRESS, load_push(tag, parent));
	if (!code)
		code = attach(parent, BPF_TC_INGRESS, load_pop(tag, far));
	netns_leave(saved);
	return code ? error_set(error, code, NULL, "VLAN tag %u on device %u: %s", tag, parent,
				strerror(-code))
		    : 0;
}

static int add_addresses(struct netlink *inside, uint32_t ifindex, const json_t *addresses,
			 struct error *error)
{
	json_t *text;
	size_t index;
	int code = 0;

	json_array_foreach(addresses, index, text) {
		struct address_info address = { .ifindex = ifindex, .no_dad = true };

		if (code == 0 && ip_prefix_parse(json_string_value(text), &address.address) == 0)
			code = netlink_address_add(inside, &address, error);
	}
	return code;
}

static int make_device(struct netlink *inside, int netns, const struct link_info *parent,
		       uint16_t tag, const char *mac, const json_t *addresses, struct error *error)
{
	char near_name[LINK_NAME_SIZE + 8], far_name[LINK_NAME_SIZE];
	struct veth_end near_end = { .name = near_name, .netns_fd = -1 };
	struct veth_end far_end = { .name = far_name, .netns_fd = -1 };
	struct link_info near_link = { 0 }, far_link = { 0 };
	int code;

	snprintf(near_name, sizeof(near_name), "%s.%u", parent->name, tag);
	snprintf(far_name, sizeof(far_name), "tag%u", tag);
	mac_address_parse(mac, &near_end.mac);
	code = netlink_link_add_veth(inside, &near_end, &far_end, parent->mtu, error);
	if (code == 0)
		code = netlink_link_get_by_name(inside, near_name, &near_link, error);
	if (code == 0)
		code = netlink_link_get_by_name(inside, far_name, &far_link, error);
	if (code == 0)
		code = join(netns, parent->ifindex, far_link.ifindex, tag, error);
	if (code == 0)
		code = netlink_link_set_up(inside, far_link.ifindex, true, error);
	if (code == 0)
		code = netlink_link_set_up(inside, near_link.ifindex, true, error);
	return code < 0 ? code : add_addresses(inside, near_link.ifindex, addresses, error);
}

int lab_tagged_device(int netns, const char *parent, uint16_t tag, const char *mac,
		      const json_t *addresses, struct error *error)
{
	struct netlink *inside;
	struct link_info link;
	int code = netlink_open(&inside, netns, error);

	if (code < 0)
		return code;
	code = netlink_link_get_by_name(inside, parent, &link, error);
	if (code == 0 && !tag)
		code = add_addresses(inside, link.ifindex, addresses, error);
	else if (code == 0)
		code = make_device(inside, netns, &link, tag, mac, addresses, error);
	netlink_close(inside);
	return code;
}
