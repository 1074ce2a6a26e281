/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A VLAN tag for a plain machine of a lab, without the kernel's VLAN devices, which not every kernel has.
 *
 * Two programs of a few instructions at the machine's device: one puts the tag on what leaves, one takes it
 * off what comes in and drops what has another or none. To the machine its wire has no tags, as behind
 * an access port of a switch; on the wire there are. The device holds them, so they end with it.
 *
 * Neighbours: lab_underlay.c, which has made the device.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/bpf.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "cli/lab.h"

#define TAG_TYPE 0x0081 /* 0x8100 as the kernel wants it, on a machine of either order below */
#define TAG_ID 0xfff
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
#define END                                                                                        \
	{                                                                                          \
		.code = BPF_JMP | BPF_EXIT                                                         \
	}

static int load(const struct bpf_insn *instructions, size_t count)
{
	return bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "lab_tag", "GPL", instructions, count, NULL);
}

static int load_push(int tag)
{
	const struct bpf_insn instructions[] = {
		SET(BPF_REG_2, __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? TAG_TYPE : 0x8100),
		SET(BPF_REG_3, tag),
		CALL(BPF_FUNC_skb_vlan_push),
		SET(BPF_REG_0, TC_PASS),
		END,
	};

	return load(instructions, ARRAY_SIZE(instructions));
}

static int load_pop(int tag)
{
	const struct bpf_insn instructions[] = {
		COPY(BPF_REG_6, BPF_REG_1),
		LOAD(BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, vlan_present)),
		SKIP_UNLESS(BPF_REG_2, 1, 7),
		LOAD(BPF_REG_2, BPF_REG_1, offsetof(struct __sk_buff, vlan_tci)),
		AND(BPF_REG_2, TAG_ID),
		SKIP_UNLESS(BPF_REG_2, tag, 4),
		COPY(BPF_REG_1, BPF_REG_6),
		CALL(BPF_FUNC_skb_vlan_pop),
		SET(BPF_REG_0, TC_PASS),
		END,
		SET(BPF_REG_0, TC_DROP),
		END,
	};

	return load(instructions, ARRAY_SIZE(instructions));
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
	LIBBPF_OPTS(bpf_tc_hook, both, .ifindex = (int)ifindex,
		    .attach_point = BPF_TC_INGRESS | BPF_TC_EGRESS);
	int saved = netns_enter(netns, error), code;

	if (saved < 0)
		return saved;
	code = bpf_tc_hook_create(&both);
	if (!code || code == -EEXIST)
		code = attach(ifindex, BPF_TC_EGRESS, load_push(tag));
	if (!code)
		code = attach(ifindex, BPF_TC_INGRESS, load_pop(tag));
	netns_leave(saved);
	return code ? error_set(error, code, NULL, "VLAN tag %u on device %u: %s", tag, ifindex,
				strerror(-code))
		    : 0;
}
