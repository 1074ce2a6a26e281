/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * policy: security groups of the ports (stateful) and ACLs of the subnets (stateless).
 *
 * Order (V45): the sender's groups, the ACL of its subnet on the way out, the ACL of the receiver's
 * subnet on the way in, the receiver's groups. ACLs are asked only between subnets (V42). A connection
 * that a port knows passes its groups in both directions (V38); when rules have changed since it was
 * admitted, a VPC with `established: cut` has it judged again, by the direction of its first packet.
 * One that is picked up in the middle is judged by the direction in which the rules allow it.
 * ACLs keep no state: every direction is judged for itself, and again after each change (V43).
 *
 * Between hosts, the sender's host asks the sender's groups and the ACL on the way out, the receiver's host
 * the ACL on the way in and the receiver's groups. A tunnel object without groups has no rules of its own.
 *
 * A classifier is a list of rules compiled to three tables (tables.h says how); the rule that decides is
 * the lowest bit in (address | groups) & service, found word by word where the summaries agree, so the
 * cost is flat in the number of rules. A peer counts as a member of its groups only when the packet
 * comes straight from it or goes straight to it, not through a middlebox (V41).
 *
 * What lets a new connection pass is remembered (judgements) and holds for the next one of the same kind,
 * until the generation moves, as what is known of live connections does. So a client that connects to
 * a server again and again is judged once. Refusals are not: they are nobody's hurry.
 *
 * Before: flow.c (flow_find). Next: flow.c (flow_write).
 */
#include "core/packet.h"

/* One question to a classifier. */
struct question {
	struct address peer;
	__u32 classifier_id;
	__u32 peer_group_set_id; /* 0: none counts */
	__u16 service;           /* destination port, or ICMP type and code; host order */
	__u8 protocol;
};

int policy_classify(const struct question *q, struct rule *found);

struct match {
	struct rule_set address, group, service;
	__u64 summary; /* words still to look at */
	__u32 bit;     /* answer; CLASSIFIER_RULES: none */
};

/* Word w of a rule set. */
static __always_inline __u64 rule_set_word(const struct rule_set *set, __u32 w)
{
	struct rule_word_key key = { .row_id = set->row_id, .word = w };
	struct rule_word *word;

	if (!(set->summary >> w & 1))
		return 0;
	if (!(set->summary & ((1ULL << w) - 1)))
		return set->first;
	word = table_lookup(rule_words, &key);
	return word ? word->bits : 0;
}

/* Looks at the lowest word left; 1 when the search is over. */
static long match_word(__u64 index, void *argument)
{
	struct match *match = argument;
	__u64 bits;
	__u32 w;

	(void)index;
	if (!match->summary)
		return 1;
	w = bit_lowest(match->summary);
	match->summary &= match->summary - 1;
	bits = (rule_set_word(&match->address, w) | rule_set_word(&match->group, w)) &
	       rule_set_word(&match->service, w);
	if (!bits)
		return 0;
	match->bit = w * 64 + bit_lowest(bits);
	return 1;
}

/*
 * The first rule of a classifier that matches, in *found; 0 when none does. A global function, so that
 * the verifier goes through it once and not for each caller.
 */
int policy_classify(const struct question *q, struct rule *found)
{
	struct classifier_address_key address_key = { .prefix_length = 32 + 128 };
	struct classifier_service_key service_key = { .prefix_length = 32 + 24 };
	struct classifier_group_key group_key = {};
	struct match match = { .bit = CLASSIFIER_RULES };
	struct rule_key rule_key = {};
	struct rule_set *set;
	struct rule *rule;

	if (!q || !found)
		return 0;
	address_key.classifier_id = q->classifier_id;
	address_key.address = q->peer;
	set = table_lookup(classifier_addresses, &address_key);
	if (set)
		match.address = *set;
	if (q->peer_group_set_id) {
		group_key.classifier_id = q->classifier_id;
		group_key.group_set_id = q->peer_group_set_id;
		set = table_lookup(classifier_groups, &group_key);
		if (set)
			match.group = *set;
	}
	service_key.classifier_id = q->classifier_id;
	service_key.protocol = q->protocol;
	service_key.port[0] = (__u8)(q->service >> 8);
	service_key.port[1] = (__u8)q->service;
	set = table_lookup(classifier_services, &service_key);
	if (!set)
		return 0;
	match.service = *set;
	match.summary = (match.address.summary | match.group.summary) & match.service.summary;
	loop_over(CLASSIFIER_WORDS, match_word, &match);
	if (match.bit >= CLASSIFIER_RULES)
		return 0;
	rule_key.classifier_id = q->classifier_id;
	rule_key.bit = match.bit;
	rule = table_lookup(rules, &rule_key);
	if (!rule)
		return 0;
	*found = *rule;
	return 1;
}

/* Of a packet as it is: destination port, ICMP type and code, 0. */
static __always_inline __u16 service_of(struct packet *p)
{
	if (p->key.protocol == PROTOCOL_ICMP || p->key.protocol == PROTOCOL_ICMPV6)
		return (__u16)((__u16)p->icmp_type << 8 | p->icmp_code);
	return host16(p->key.destination_port);
}

enum direction { EGRESS, INGRESS };

/* Do the groups of a port allow it? side: whose groups; the rule, or who denies, is in *decided. */
static __noinline int groups_allow(struct question *q, __u32 group_set_id, enum direction side,
				   __u32 *decided)
{
	struct policy_key key = { .group_set_id = group_set_id };
	struct policy *row = table_lookup(policies, &key);
	struct rule rule = {};

	*decided = 0;
	if (!row)
		return 0;
	q->classifier_id = side == EGRESS ? row->egress : row->ingress;
	if (policy_classify(q, &rule) && rule.allow) {
		*decided = rule.rule_id;
		return 1;
	}
	*decided = row->object_id;
	return 0;
}

/* An ACL of a subnet; classifier 0 is no ACL. */
static __noinline int acl_allows(struct packet *p, struct question *q, __u32 subnet_id,
				 enum direction side, __u32 *decided)
{
	struct subnet_key key = { .subnet_id = subnet_id };
	struct subnet *subnet = table_lookup(subnets, &key);
	struct rule rule = {};

	*decided = 0;
	if (!subnet)
		return 0;
	q->classifier_id = side == EGRESS ? subnet->acl_egress : subnet->acl_ingress;
	if (!q->classifier_id)
		return 1;
	q->peer = side == EGRESS ? p->key.destination : p->key.source;
	q->peer_group_set_id = 0;
	q->service = service_of(p);
	q->protocol = p->key.protocol;
	if (!policy_classify(q, &rule)) {
		*decided = subnet->acl_id;
		return 0;
	}
	*decided = rule.rule_id;
	return (int)rule.allow;
}

/* Both ACLs between two subnets. VERDICT_NEXT with who admits it in *out and *in, where they are asked; or the
 * drop, with its object. */
static __always_inline int judge_acls(struct frame *f, struct packet *p, struct question *q,
				      __u32 *out, __u32 *in)
{
	__u32 decided;

	if (p->out_subnet_id == p->subnet_id)
		return VERDICT_NEXT;
	decided = 0;
	if (!(p->flags & PACKET_FROM_PEER) && p->subnet_id &&
	    !acl_allows(p, q, p->subnet_id, EGRESS, &decided)) {
		p->object_id = decided;
		return VERDICT_ACL_EGRESS;
	}
	*out = decided;
	if (decided)
		note(f, NOTE_POLICY_ACL_EGRESS, decided);
	if ((p->flags & PACKET_TO_PEER) || !p->out_subnet_id)
		return VERDICT_NEXT;
	if (!acl_allows(p, q, p->out_subnet_id, INGRESS, &decided)) {
		p->object_id = decided;
		return VERDICT_ACL_INGRESS;
	}
	*in = decided;
	if (decided)
		note(f, NOTE_POLICY_ACL_INGRESS, decided);
	return VERDICT_NEXT;
}

/*
 * The question that the groups of one side are asked, in the direction of the connection's first packet.
 * For a reply that is judged again, sender and receiver change places.
 */
static __always_inline void ask(struct packet *p, enum direction side, int forward,
				struct question *q)
{
	int peer_is_destination = forward == (side == EGRESS);

	q->peer = peer_is_destination ? p->key.destination : p->key.source;
	q->peer_group_set_id = 0;
	if (peer_is_destination && (p->flags & PACKET_DESTINATION_OWN))
		q->peer_group_set_id = p->out_group_set_id;
	if (!peer_is_destination && (p->flags & PACKET_SOURCE_OWN))
		q->peer_group_set_id = p->group_set_id;
	q->protocol = p->key.protocol;
	q->service = forward ? service_of(p) : host16(p->key.source_port);
}

/*
 * Are the groups of the connection's beginner (EGRESS) or of the other end (INGRESS) asked here? Each host
 * asks those of its own ports. forward: the packet goes the way of the first one.
 */
static __always_inline int groups_are_asked(const struct packet *p, enum direction side,
					    int forward)
{
	if (forward == (side == EGRESS))
		return !(p->flags & PACKET_FROM_PEER) && !(p->port_flags & PORT_UNFILTERED);
	return !(p->flags & PACKET_TO_PEER) && !(p->out_flags & PORT_UNFILTERED);
}

/* Would the groups of both ends, as far as they are asked here, let the connection begin that way? */
static __noinline int groups_agree(struct packet *p, struct question *q, int forward)
{
	__u32 decided;

	ask(p, EGRESS, forward, q);
	if (groups_are_asked(p, EGRESS, forward) &&
	    !groups_allow(q, forward ? p->group_set_id : p->out_group_set_id, EGRESS, &decided))
		return 0;
	ask(p, INGRESS, forward, q);
	return !groups_are_asked(p, INGRESS, forward) ||
	       groups_allow(q, forward ? p->out_group_set_id : p->group_set_id, INGRESS, &decided);
}

/*
 * Which end began a connection that is picked up in the middle? The one that the rules allow to; when they
 * allow both, the one with the higher port number. Clears PACKET_ORIGINAL of a reply.
 */
static __always_inline void find_beginner(struct packet *p, struct question *q)
{
	int likely = host16(p->key.source_port) >= host16(p->key.destination_port);

	if (groups_agree(p, q, likely) ? !likely : likely && groups_agree(p, q, 0))
		p->flags &= ~(__u32)PACKET_ORIGINAL;
}

/* ---- what was said lately ---- */

#define JUDGEMENT_FLAGS                                                                            \
	(PACKET_IPV4 | PACKET_SOURCE_OWN | PACKET_DESTINATION_OWN | PACKET_FROM_PEER |             \
	 PACKET_TO_PEER)

static __always_inline __u32 judgement_flags(const struct packet *p)
{
	return (p->flags & JUDGEMENT_FLAGS) | (p->port_flags & PORT_UNFILTERED) |
	       (p->out_flags & PORT_UNFILTERED) << 1;
}

/* The place of such packets; whoever else is there, too, is judged more often. */
static __always_inline struct judgement *judgement_place(const struct packet *p, __u16 service)
{
	__u32 mixed = p->port_id * 31 ^ p->out_port_id ^ p->key.source.word[3] ^
		      host32(p->key.destination.word[3]) ^ (__u32)service << 16 ^ p->key.protocol;
	struct slot_key slot = { .slot = (mixed * 0x9e3779b1u) >> (32 - JUDGEMENTS_BITS) };

	return table_lookup(judgements, &slot);
}

static __always_inline int judgement_holds(const struct judgement *j, const struct packet *p,
					   __u16 service)
{
	return j->port_id == p->port_id && j->out_port_id == p->out_port_id &&
	       j->generation == p->generation && j->vpc_slot == p->vpc_slot &&
	       j->service == service && j->protocol == p->key.protocol &&
	       address_equal(&j->source, &p->key.source) &&
	       address_equal(&j->destination, &p->key.destination) &&
	       j->flags == judgement_flags(p) && j->subnet_id == p->subnet_id &&
	       j->out_subnet_id == p->out_subnet_id && j->group_set_id == p->group_set_id &&
	       j->out_group_set_id == p->out_group_set_id;
}

/* The judgement once more, with all that is told of it. */
static __always_inline void judgement_repeat(struct frame *f, struct packet *p,
					     const struct judgement *j)
{
	p->egress_rule_id = j->egress_rule_id;
	p->ingress_rule_id = j->ingress_rule_id;
	if (j->egress_rule_id)
		note(f, NOTE_POLICY_EGRESS, j->egress_rule_id);
	if (j->acl_egress_id)
		note(f, NOTE_POLICY_ACL_EGRESS, j->acl_egress_id);
	if (j->acl_ingress_id)
		note(f, NOTE_POLICY_ACL_INGRESS, j->acl_ingress_id);
	if (j->ingress_rule_id)
		note(f, NOTE_POLICY_INGRESS, j->ingress_rule_id);
}

static __always_inline void judgement_keep(struct judgement *j, const struct packet *p,
					   __u16 service)
{
	j->port_id = p->port_id;
	j->out_port_id = p->out_port_id;
	j->vpc_slot = p->vpc_slot;
	j->generation = p->generation;
	j->source = p->key.source;
	j->destination = p->key.destination;
	j->flags = judgement_flags(p);
	j->subnet_id = p->subnet_id;
	j->out_subnet_id = p->out_subnet_id;
	j->group_set_id = p->group_set_id;
	j->out_group_set_id = p->out_group_set_id;
	j->service = service;
	j->protocol = p->key.protocol;
	j->egress_rule_id = p->egress_rule_id;
	j->ingress_rule_id = p->ingress_rule_id;
}

/* All that is to be asked about a packet; who admits it by ACLs is in *acl_out and *acl_in. */
static __always_inline int judge(struct frame *f, struct packet *p, __u32 *acl_out, __u32 *acl_in)
{
	struct slot_key slot = { .slot = p->vpc_slot };
	struct question q = {};
	struct vpc *vpc;
	int again, forward, verdict;
	__u32 decided;

	vpc = table_lookup(vpcs, &slot);
	if (!vpc)
		return VERDICT_INTERNAL;
	again = (p->flags & PACKET_RULES_MOVED) && (vpc->flags & VPC_CUT);
	if (p->flags & PACKET_PICKED_UP)
		find_beginner(p, &q);
	forward = !(again || (p->flags & PACKET_PICKED_UP)) || (p->flags & PACKET_ORIGINAL);
	if (!(p->flags & PACKET_FLOW_KNOWN) || again) {
		ask(p, EGRESS, forward, &q);
		decided = 0;
		if (groups_are_asked(p, EGRESS, forward) &&
		    !groups_allow(&q, forward ? p->group_set_id : p->out_group_set_id, EGRESS,
				  &decided)) {
			p->object_id = decided;
			return VERDICT_GROUP_EGRESS;
		}
		p->egress_rule_id = decided;
		if (decided)
			note(f, NOTE_POLICY_EGRESS, decided);
	} else {
		note(f, p->flags & PACKET_RULES_MOVED ? NOTE_POLICY_KEPT : NOTE_POLICY_REPLY, 0);
	}
	verdict = judge_acls(f, p, &q, acl_out, acl_in);
	if (verdict)
		return verdict;
	if (!(p->flags & PACKET_PEER_KNOWN) || again) {
		ask(p, INGRESS, forward, &q);
		decided = 0;
		if (groups_are_asked(p, INGRESS, forward) &&
		    !groups_allow(&q, forward ? p->out_group_set_id : p->group_set_id, INGRESS,
				  &decided)) {
			p->object_id = decided;
			return p->flags & PACKET_ICMP_ERROR ? VERDICT_ICMP_UNRELATED
							    : VERDICT_GROUP_INGRESS;
		}
		p->ingress_rule_id = decided;
		if (decided)
			note(f, NOTE_POLICY_INGRESS, decided);
	}
	return VERDICT_NEXT;
}

/*
 * p: out_* and what flow_find found. VERDICT_NEXT with the ids of the admitting rules, or the drop with
 * the rule, group or ACL that decided. What is not IP has no rules.
 */
int policy(struct frame *f, struct packet *p)
{
	const __u32 marks = PACKET_FLOW_KNOWN | PACKET_PEER_KNOWN | PACKET_PICKED_UP |
			    PACKET_ICMP_ERROR;
	__u32 acl_out = 0, acl_in = 0;
	struct judgement *lately;
	int verdict, particular;
	__u16 service;

	if (!p)
		return VERDICT_INTERNAL;
	if (!(p->flags & PACKET_IP))
		return VERDICT_NEXT;
	service = service_of(p);
	lately = judgement_place(p, service);
	if (!lately)
		return VERDICT_INTERNAL;
	particular = (p->flags & marks) != 0;
	if (!particular && judgement_holds(lately, p, service)) {
		judgement_repeat(f, p, lately);
		return VERDICT_NEXT;
	}
	verdict = judge(f, p, &acl_out, &acl_in);
	if (verdict || particular)
		return verdict;
	judgement_keep(lately, p, service);
	lately->acl_egress_id = acl_out;
	lately->acl_ingress_id = acl_in;
	return VERDICT_NEXT;
}

/* A flooded packet goes from subnet_id into out_subnet_id: what do their ACLs say? VERDICT_NEXT or the drop. */
int policy_between(struct frame *f, struct packet *p)
{
	struct question q = {};
	__u32 out, in;

	if (!p)
		return VERDICT_INTERNAL;
	p->flags &= ~(__u32)PACKET_TO_PEER;
	return judge_acls(f, p, &q, &out, &in);
}

/*
 * Rules for a flooded frame, which belongs to no connection. With out_port_id 0 the sender's, else those
 * of that member, whose group set is in p. VERDICT_NEXT or the drop.
 */
int policy_flood(struct frame *f, struct packet *p)
{
	struct question q = {};
	__u32 decided;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	if (!(p->flags & PACKET_IP))
		return VERDICT_NEXT;
	if (!groups_are_asked(p, p->out_port_id ? INGRESS : EGRESS, 1))
		return VERDICT_NEXT;
	if (!p->out_port_id) {
		ask(p, EGRESS, 1, &q);
		if (groups_allow(&q, p->group_set_id, EGRESS, &decided))
			return VERDICT_NEXT;
		p->object_id = decided;
		return VERDICT_GROUP_EGRESS;
	}
	ask(p, INGRESS, 1, &q);
	return groups_allow(&q, p->out_group_set_id, INGRESS, &decided) ? VERDICT_NEXT
									: VERDICT_GROUP_INGRESS;
}
