/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of judgements and ways: what the rules, and all stages, have said lately; a part of tables.h, which
 * includes it.
 *
 * Only the pipeline reads and writes them. They are never removed: one of an older generation says nothing,
 * and its place is the next one's.
 *
 * Neighbours: policy.c and way.c (who ask), docs/adr/0024-judgements.md and 0028-ways.md (why).
 */
#ifndef WEFT_CORE_TABLES_JUDGEMENT_H
#define WEFT_CORE_TABLES_JUDGEMENT_H

/*
 * What the rules have said lately, per CPU: connections between the same two ports are asked for once, until
 * the VPC's generation moves. All that policy.c reads of a packet is here, so that a row stands for it.
 */
#define JUDGEMENTS_BITS 10
#define JUDGEMENTS (1 << JUDGEMENTS_BITS)

struct judgement {
	__u32 port_id; /* 0: none */
	__u32 out_port_id;
	__u32 vpc_slot;
	__u32 generation;
	struct address source;
	struct address destination;
	__u32 flags; /* JUDGEMENT_FLAGS of the packet, PORT_UNFILTERED of both ports */
	__u32 subnet_id;
	__u32 out_subnet_id;
	__u32 group_set_id;
	__u32 out_group_set_id;
	__u16 service; /* destination port, or ICMP type and code; host order */
	__u8 protocol;
	__u8 pad;
	/* Who let it pass; 0: was not asked. */
	__u32 egress_rule_id;
	__u32 ingress_rule_id;
	__u32 acl_egress_id;
	__u32 acl_ingress_id;
};

/*
 * The last connection of each kind that went the whole way through the slow stages, per CPU: the pair of rows as
 * it was entered. The next one of its kind is another pair like it, with the sender's port exchanged (way.c).
 */
#define WAYS_BITS 8
#define WAYS (1 << WAYS_BITS)

struct way {
	struct flow_key key; /* port_id 0: none */
	struct flow_key reverse;
	struct flow row; /* as entered; of the first packet, all that flow_settled asks */
	struct flow reply;
	__u32 flags;                      /* WAY_FLAGS of the first packet */
	__u32 until;                      /* tick */
	__u32 flow_limit, flow_guarantee; /* of the port that begins it */
	__u32 source_subnet_id;           /* PACKET_FROM_WIRE: the segment it came by; else 0 */
};

#endif
