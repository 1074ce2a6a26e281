/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * multicast: who in an l2 subnet listens to which group, and that nobody else gets its frames.
 *
 * Membership reports (IGMP v1 to v3, MLD v1 and v2) are read as they pass: each names groups that somebody
 * behind the port listens to, and a row of groups remembers it until it ages. Reports go to the ports that
 * multicast routers are behind, which their queries and PIM hellos tell, and to no workload, for one that
 * hears another's report keeps its own back (RFC 4541). weftd sends the queries (agent/services/querier.c); while it is not
 * there nobody would be asked, so everything is flooded as without snooping.
 *
 * Never filtered: what is not IP, groups of the link alone (224.0.0.0/24, ff02::/16), and members behind tunnels and
 * wires, whose hosts filter for themselves. A leave counts at once where one stack is behind the port; where there are more,
 * the rest may listen on and the row ages.
 *
 * Before: bridge.c, policy.c (the sender's rules). Next: bridge_flood, which asks multicast_wanted for each member.
 */
#include "core/checksum.h"
#include "core/packet.h"
#include "core/police.h"

#define PROTOCOL_IGMP 2
#define PROTOCOL_PIM 103
#define IGMP_QUERY 0x11
#define IGMP1_REPORT 0x12
#define IGMP2_REPORT 0x16
#define IGMP2_LEAVE 0x17
#define IGMP3_REPORT 0x22
#define MLD_QUERY 130
#define MLD_REPORT 131
#define MLD_DONE 132
#define MLD2_REPORT 143
#define MODE_IS_INCLUDE 1
#define CHANGE_TO_INCLUDE 3
#define BLOCK_OLD_SOURCES 6
#define RECORDS_MAX 64
#define GROUPS_MAX 256 /* behind one port */

struct igmp {
	__u8 type, code;
	__be16 checksum;
	__be32 group; /* v3: reserved, then how many records */
};

struct mld {
	__u8 type, code;
	__be16 checksum;
	__be16 delay;
	__be16 count; /* v2: of records; v1: reserved */
	struct address group;
};

struct record {
	__u8 type, words; /* of auxiliary data behind the sources */
	__be16 sources;
};

/* Groups of one link: 224.0.0.0/24, ff01::/16 and ff02::/16. */
static __always_inline int is_of_link(const struct address *group)
{
	if (address_is_ipv4(group))
		return (group->word[3] & be32(0xffffff00)) == be32(0xe0000000);
	return (group->word[0] & be32(0xff0f0000)) == be32(0xff020000) ||
	       (group->word[0] & be32(0xff0f0000)) == be32(0xff010000);
}

static __always_inline void key_set(struct group_key *key, const struct packet *p, __u32 port_id)
{
	key->subnet_id = p->subnet_id;
	key->port_id = port_id;
}

/* Somebody behind the port listens to the group in p->group; zero: a multicast router is behind it. */
static __always_inline int join(struct packet *p)
{
	struct subnet_key subnet_key = { .subnet_id = p->subnet_id };
	struct subnet *subnet = table_lookup(subnets, &subnet_key);
	struct slot_key slot = { .slot = p->port_slot };
	struct port_stats *stats = table_lookup(port_stats, &slot);
	struct group_key key = { .address = p->group };
	struct group row = {};
	struct group *known;

	if (!subnet || !stats)
		return VERDICT_INTERNAL;
	key_set(&key, p, p->port_id);
	row.expires = p->now + subnet->group_ageing;
	known = table_lookup(groups, &key);
	if (known) {
		known->expires = row.expires;
		return VERDICT_NEXT;
	}
	p->object_id = p->port_id;
	if (stats->groups >= GROUPS_MAX)
		return VERDICT_GROUP_LIMIT;
	if (!table_add(groups, &key, &row))
		atomic_add(&stats->groups, 1);
	return VERDICT_NEXT;
}

/* Nobody does any more, if the one who says so is all there is behind the port. */
static __always_inline void leave(struct packet *p)
{
	struct slot_key slot = { .slot = p->port_slot };
	struct port_stats *stats = table_lookup(port_stats, &slot);
	struct group_key key = { .address = p->group };

	if (!stats || stats->stations || p->in_kind == PORT_LINK)
		return;
	key_set(&key, p, p->port_id);
	if (!table_remove(groups, &key))
		atomic_add(&stats->groups, -(__u64)1);
}

/* One record of a v3 or v2 report: a filter that lets something through is a membership. */
static __always_inline int judge_record(struct packet *p, __u32 type, __u32 sources)
{
	if (type == 0 || type > BLOCK_OLD_SOURCES)
		return VERDICT_NEXT; /* unknown types are passed over (RFC 3376, 4.2.12) */
	if (!address_is_multicast(&p->group))
		return VERDICT_BAD_MEMBERSHIP;
	if (is_of_link(&p->group) || type == BLOCK_OLD_SOURCES)
		return VERDICT_NEXT;
	if ((type == MODE_IS_INCLUDE || type == CHANGE_TO_INCLUDE) && !sources) {
		leave(p);
		return VERDICT_NEXT;
	}
	return join(p);
}

struct record_context {
	struct frame *f;
	struct packet *p;
	__u32 offset, end; /* of what is left, in the frame */
	int verdict;
};

/* The record at the offset; 1: the last that can be read. */
static long read_record(__u64 index, void *argument)
{
	struct record_context *context = argument;
	struct packet *p = context->p;
	const __u32 ipv4 = p->flags & PACKET_IPV4;
	const __u32 address_size = ipv4 ? 4 : 16;
	__u32 size = sizeof(struct record) + address_size;
	struct record record;

	(void)index;
	context->verdict = VERDICT_BAD_MEMBERSHIP;
	if (context->offset + size > context->end ||
	    frame_load(context->f, context->offset, &record, sizeof(record)))
		return 1;
	if (ipv4) {
		p->group.word[0] = p->group.word[1] = 0;
		p->group.word[2] = IPV4_MAPPED;
		if (frame_load(context->f, context->offset + sizeof(record), &p->group.word[3], 4))
			return 1;
	} else if (frame_load(context->f, context->offset + sizeof(record), &p->group, 16)) {
		return 1;
	}
	size += host16(record.sources) * address_size + record.words * 4u;
	if (context->offset + size > context->end)
		return 1;
	context->offset += size;
	context->verdict = judge_record(p, record.type, host16(record.sources));
	return context->verdict != VERDICT_NEXT;
}

/* The records of a report, from offset on. A stage of its own, for the verifier's sake. */
int multicast_records(struct frame *f, struct packet *p, __u32 count)
{
	struct record_context context = { .f = f, .p = p };

	if (!p)
		return VERDICT_INTERNAL;
	context.offset = p->l4_offset + 8u;
	context.end = p->l3_offset + p->ip_length;
	if (count > RECORDS_MAX)
		count = RECORDS_MAX;
	loop_over(count, read_record, &context);
	return context.verdict;
}

/* A query or hello: reports and all groups go to the router from now on. */
static __always_inline int note_router(struct packet *p)
{
	if (address_is_unspecified(&p->key.source))
		return VERDICT_NEXT;
	p->group.word[0] = p->group.word[1] = p->group.word[2] = p->group.word[3] = 0;
	return join(p);
}

static __always_inline int igmp(struct frame *f, struct packet *p)
{
	struct igmp *message = frame_header(f, p->l4_offset, sizeof(*message));
	__u32 type, count;

	if (!message || p->l4_offset + sizeof(*message) > p->l3_offset + p->ip_length)
		return VERDICT_BAD_MEMBERSHIP;
	type = message->type;
	count = host32(message->group) & 0xffff;
	p->group.word[0] = p->group.word[1] = 0;
	p->group.word[2] = IPV4_MAPPED;
	p->group.word[3] = message->group;
	if (type != IGMP_QUERY && type != IGMP3_REPORT &&
	    checksum_fold(checksum_add(0, message, sizeof(*message))) != 0xffff)
		return VERDICT_BAD_MEMBERSHIP;
	if (type == IGMP_QUERY)
		return note_router(p);
	p->flood_mode = FLOOD_ROUTERS;
	if (type == IGMP3_REPORT)
		return count ? multicast_records(f, p, count) : VERDICT_NEXT;
	if (type == IGMP1_REPORT || type == IGMP2_REPORT)
		return judge_record(p, MODE_IS_INCLUDE, 1);
	if (type == IGMP2_LEAVE)
		return judge_record(p, CHANGE_TO_INCLUDE, 0);
	p->flood_mode = FLOOD_ALL;
	return VERDICT_NEXT;
}

static __always_inline int mld(struct frame *f, struct packet *p)
{
	const __u32 type = p->icmp_type;
	const __u32 size = type == MLD2_REPORT ? 8 : sizeof(struct mld);
	struct mld *message = frame_header(f, p->l4_offset, 8);
	__u32 count;

	if (!message || p->l4_offset + size > p->l3_offset + p->ip_length || p->ttl != 1)
		return VERDICT_BAD_MEMBERSHIP;
	if (type == MLD_QUERY)
		return note_router(p);
	p->flood_mode = FLOOD_ROUTERS;
	count = host16(message->count);
	if (type == MLD2_REPORT)
		return count ? multicast_records(f, p, count) : VERDICT_NEXT;
	if (frame_load(f, p->l4_offset + 8u, &p->group, 16))
		return VERDICT_BAD_MEMBERSHIP;
	return type == MLD_REPORT ? judge_record(p, MODE_IS_INCLUDE, 1)
				  : judge_record(p, CHANGE_TO_INCLUDE, 0);
}

static __always_inline int is_mld(const struct packet *p)
{
	return !(p->flags & PACKET_IPV4) && p->key.protocol == PROTOCOL_ICMPV6 &&
	       ((p->icmp_type >= MLD_QUERY && p->icmp_type <= MLD_DONE) ||
		p->icmp_type == MLD2_REPORT);
}

/*
 * p: to be flooded, the sender's rules have agreed. Sets flood_mode, and remembers what a report of a port of
 * this host says. VERDICT_NEXT, or the drop of a message that is none.
 */
int multicast(struct frame *f, struct packet *p)
{
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared;
	int remote;

	if (!p)
		return VERDICT_INTERNAL;
	shared = table_lookup(state, &zero);
	if (!(p->flags & PACKET_IP) || (p->flags & PACKET_FRAGMENT_LATER) ||
	    !address_is_multicast(&p->key.destination) || !shared ||
	    !frame_device_there(f, (__u32)shared->punt_ifindex))
		return VERDICT_NEXT;
	remote = p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_WIRE);
	p->object_id = p->port_id;
	if ((p->flags & PACKET_IPV4) && p->key.protocol == PROTOCOL_IGMP)
		return remote ? VERDICT_NEXT : igmp(f, p);
	if (is_mld(p))
		return remote ? VERDICT_NEXT : mld(f, p);
	if ((p->flags & PACKET_IPV4) && p->key.protocol == PROTOCOL_PIM && !remote)
		return note_router(p);
	if (!is_of_link(&p->key.destination))
		p->flood_mode = FLOOD_LISTENERS;
	return VERDICT_NEXT;
}

static __always_inline int is_row(const struct group_key *key, __u32 now)
{
	struct group *row = table_lookup(groups, key);

	return row && !ticks_passed(now, row->expires, 0);
}

/* Is the frame for the member p->out_port_id, by flood_mode? */
int multicast_wanted(struct frame *f, struct packet *p)
{
	struct group_key key = {};

	(void)f;
	if (!p)
		return 0;
	key_set(&key, p, p->out_port_id);
	if (is_row(&key, p->now))
		return 1; /* a router gets all */
	if (p->flood_mode == FLOOD_ROUTERS)
		return 0;
	key.address = p->key.destination;
	return is_row(&key, p->now);
}

/* Have the subnet's ports together flooded as much as they may? VERDICT_NEXT or the drop. */
int multicast_segment_limit(struct frame *f, struct packet *p)
{
	struct subnet_key key;
	struct segment_state fresh = {};
	struct segment_state *row;
	struct subnet *subnet;

	(void)f;
	if (!p)
		return VERDICT_INTERNAL;
	key.subnet_id = p->subnet_id;
	subnet = table_lookup(subnets, &key);
	if (!subnet || !subnet->segment_flood_rate)
		return VERDICT_NEXT;
	row = table_lookup(segment_states, &key);
	if (!row) {
		table_add(segment_states, &key, &fresh);
		return VERDICT_NEXT;
	}
	p->object_id = p->subnet_id;
	return bucket_take(&row->flood_tokens, subnet->segment_flood_rate, p->now)
		       ? VERDICT_NEXT
		       : VERDICT_SEGMENT_FLOOD_LIMIT;
}
