/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * membership: what IGMP (v1 to v3) and MLD (v1 and v2) messages say, remembered by port.
 *
 * Each report names groups that somebody behind the port listens to, from any source or from some; a row of
 * groups remembers it until it ages, and rows of group_sources the sources that it names. Where one stack is
 * behind the port its word is exact: leaving counts at once, and blocked sources are blocked. Where there may be
 * more, nothing that one says takes anything from another (RFC 4541, 2.1.2 (7)): rows are only made, and age.
 * Who leaves is told to weftd, which asks whether others still listen (agent/services/leaving.c); what another host's
 * weftd asks its ports about a group is heard here, and nobody answering is the end of that row (RFC 3376, 6.6.1).
 *
 * What is read must be a message that its protocol allows. Lengths: an IGMP query of 8 bytes or of 12 and more, an MLD
 * one of 24 or of 28 and more, with as many sources as it says; records within the message (RFC 3376, 7.1 and
 * 4.2; RFC 3810, 8.1 and 5.2). The checksum over all of it. TTL or hop limit 1: all senders use it, and what
 * was routed here is no neighbour's word. MLD: from a link-local address (reports also from none, for a
 * station that has no address yet), with the router alert option (RFC 3810, 6.2 and 7.4). IGMP may lack that
 * option, for version 1 does not know it (RFC 1112). What fails is dropped, and nobody believes it.
 *
 * Before: multicast.c, which finds such messages. Next: bridge_flood, to multicast routers and other hosts.
 */
#include "core/checksum.h"
#include "core/multicast.h"
#include "core/police.h"
#include "core/tunnel.h"

#define IGMP_SIZE 8
#define IGMP3_QUERY_SIZE 12
#define MLD_SIZE 24
#define MLD2_QUERY_SIZE 28
#define MODE_IS_INCLUDE 1
#define MODE_IS_EXCLUDE 2
#define CHANGE_TO_INCLUDE 3
#define CHANGE_TO_EXCLUDE 4
#define ALLOW_NEW_SOURCES 5
#define BLOCK_OLD_SOURCES 6
#define ITEMS_MAX 512 /* records, and the sources in them: more than a frame of 1,500 bytes holds */
#define GROUPS_MAX 256 /* behind one port, and sources */
#define ROUTER_ALERT 0x0502

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
};

struct record {
	__u8 type, words; /* of auxiliary data behind the sources */
	__be16 sources;
};

/* ---- rows ---- */

static __always_inline void key_set(struct group_key *key, const struct packet *p)
{
	key->subnet_id = p->subnet_id;
	key->port_id = p->membership.listener_id;
	key->address = p->membership.group;
}

static __always_inline struct port_stats *stats_of(const struct packet *p)
{
	struct slot_key slot = { .slot = p->port_slot };

	return table_lookup(port_stats, &slot);
}

static __always_inline __u32 ageing_of(const struct packet *p)
{
	struct subnet_key key = { .subnet_id = p->subnet_id };
	struct subnet *subnet = table_lookup(subnets, &key);

	return subnet ? subnet->group_ageing : 0;
}

/* So many rows are kept of one port, and of all ports of another host. */
static __always_inline __u64 limit_of(const struct packet *p)
{
	return p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_WIRE) ? REMOTE_GROUPS_MAX : GROUPS_MAX;
}

/* The row of the group, new where there is none. NULL: there is no room. */
static __always_inline struct group *group_row(struct packet *p)
{
	struct group_key key;
	struct group fresh = {};
	struct port_stats *stats;
	struct group *row;

	key_set(&key, p);
	row = table_lookup(groups, &key);
	if (row)
		return row;
	stats = stats_of(p);
	if (!stats || stats->groups >= limit_of(p))
		return NULL;
	/* Any source, unless the report says otherwise; an epoch that sources of an older row cannot have. */
	fresh.epoch = p->now;
	fresh.expires = p->now + ageing_of(p);
	fresh.since = p->now;
	if (!table_add(groups, &key, &fresh))
		atomic_add(&stats->groups, 1);
	return table_lookup(groups, &key);
}

/* More groups than are remembered of another host: it gets all for a while. The speaker's row says so. */
static __always_inline int everything(struct packet *p)
{
	struct group_key key = { .subnet_id = p->subnet_id, .port_id = p->membership.listener_id };
	struct group *row;

	key.address.word[3] = be32(GROUP_SPEAKER_WORD);
	row = table_lookup(groups, &key);
	if (row)
		row->since = p->now + ageing_of(p);
	return VERDICT_NEXT;
}

/* Somebody behind the port listens, whoever sends; p->membership.group zero: a multicast router is there. */
static __always_inline int join(struct packet *p)
{
	struct group *row = group_row(p);

	if (!row && (p->flags & PACKET_FROM_TUNNEL))
		return everything(p);

	p->object_id = p->membership.listener_id;
	if (!row)
		return VERDICT_GROUP_LIMIT;
	row->expires = p->now + ageing_of(p);
	row->flags = 0;
	return VERDICT_NEXT;
}

/*
 * Somebody behind a port of this host wants less of the group than before: an event of a packet that is no drop, as often
 * as the port's events may be. Made in p->header, for the stack has no room.
 */
static __always_inline void tell_left(struct packet *p)
{
	struct drop_event *event = (struct drop_event *)p->header;
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared = table_lookup(state, &zero);
	struct port_stats *stats = stats_of(p);

	if (!shared || !stats || (p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_WIRE)) ||
	    !bucket_take(&stats->event_tokens, (__u32)shared->event_rate, p->now))
		return;
	__builtin_memset(event, 0, sizeof(*event));
	event->verdict = VERDICT_CONSUMED;
	event->object_id = p->subnet_id;
	event->port_id = p->membership.listener_id;
	event->vpc_id = p->vpc_id;
	event->destination = p->membership.group;
	event_send(event);
}

/* Nobody does any more, if the one who says so is all there is behind the port. */
static __always_inline void leave(struct packet *p)
{
	struct port_stats *stats = stats_of(p);
	struct group_key key;

	key_set(&key, p);
	if (!stats || !table_lookup(groups, &key))
		return;
	tell_left(p);
	if (!p->membership.alone)
		return;
	if (!table_remove(groups, &key))
		atomic_add(&stats->groups, -(__u64)1);
}

/* ---- records ---- */

static __always_inline int is_include(__u32 type)
{
	return type == MODE_IS_INCLUDE || type == CHANGE_TO_INCLUDE;
}

static __always_inline int is_exclude(__u32 type)
{
	return type == MODE_IS_EXCLUDE || type == CHANGE_TO_EXCLUDE;
}

static __always_inline int wants_less(__u32 type)
{
	return type == BLOCK_OLD_SOURCES || type == CHANGE_TO_INCLUDE;
}

/* A record begins: its type, group and count of sources are in p->membership. VERDICT_NEXT or the drop. */
static __always_inline int record_begin(struct packet *p)
{
	struct membership_walk *walk = &p->membership;
	const __u32 type = walk->type;
	struct group_key key;
	struct group *row;

	walk->ignored = 1;
	walk->overflow = 0;
	/* Unknown types are passed over (RFC 3376, 4.2.12). */
	if (type == 0 || type > BLOCK_OLD_SOURCES)
		return VERDICT_NEXT;
	if (!address_is_multicast(&walk->group))
		return VERDICT_BAD_MEMBERSHIP;
	if (multicast_is_of_link(&walk->group))
		return VERDICT_NEXT;
	if (is_include(type) && !walk->sources) {
		leave(p);
		return VERDICT_NEXT;
	}
	key_set(&key, p);
	row = table_lookup(groups, &key);
	if (row && wants_less(type))
		tell_left(p);
	if (type == BLOCK_OLD_SOURCES && (!row || !walk->alone))
		return VERDICT_NEXT;
	if (!row) {
		row = group_row(p);
		p->object_id = walk->listener_id;
		if (!row && (p->flags & PACKET_FROM_TUNNEL)) {
			everything(p);
			return VERDICT_NEXT;
		}
		if (!row)
			return VERDICT_GROUP_LIMIT;
		/* As if the other had been said before: it changes when all sources are known. */
		row->flags = is_exclude(type) ? 0 : GROUP_SOURCES;
	}
	walk->epoch = row->epoch;
	/* A change of what sources mean makes those of before void, at the record's end. */
	if (walk->alone && (type == CHANGE_TO_INCLUDE || type == CHANGE_TO_EXCLUDE ||
			    (is_include(type) && !(row->flags & GROUP_SOURCES)) ||
			    (is_exclude(type) && (row->flags & GROUP_SOURCES))))
		walk->epoch += 1;
	walk->ignored = is_exclude(type) && !walk->alone;
	return VERDICT_NEXT;
}

/* All its sources are known: what the record says of the group as a whole. */
static __always_inline void record_end(struct packet *p)
{
	struct membership_walk *walk = &p->membership;
	const __u32 type = walk->type;
	struct group_key key;
	struct group *row;

	key_set(&key, p);
	row = table_lookup(groups, &key);
	if (!row || type == 0 || type >= BLOCK_OLD_SOURCES)
		return;
	if (is_exclude(type) || walk->overflow) {
		row->flags = 0;
	} else if (is_include(type) && walk->alone) {
		row->flags = GROUP_SOURCES;
	} else if (is_include(type) && !(row->flags & GROUP_SOURCES)) {
		row->any_until = row->expires;
		row->flags = GROUP_SOURCES | GROUP_ANY_AGES;
	}
	if (walk->alone)
		row->epoch = walk->epoch;
	row->expires = p->now + ageing_of(p);
}

/* One source of the record, at the offset. 0 or negative. */
static __always_inline int read_source(struct frame *f, struct packet *p)
{
	struct membership_walk *walk = &p->membership;
	struct group_source row = { .epoch = walk->epoch };
	struct group_source_key key;
	struct port_stats *stats;

	key_set(&key.group, p);
	if (p->flags & PACKET_IPV4) {
		key.source.word[0] = key.source.word[1] = 0;
		key.source.word[2] = IPV4_MAPPED;
		if (frame_load(f, walk->offset, &key.source.word[3], 4))
			return -1;
	} else if (frame_load(f, walk->offset, &key.source, 16)) {
		return -1;
	}
	if (walk->ignored)
		return 0;
	stats = stats_of(p);
	if (!stats)
		return -1;
	if (walk->type == BLOCK_OLD_SOURCES || is_exclude(walk->type))
		row.flags = GROUP_SOURCE_BLOCKED;
	row.expires = p->now + ageing_of(p);
	if (!table_lookup(group_sources, &key)) {
		if (stats->groups >= limit_of(p)) {
			walk->overflow = 1;
			return 0;
		}
		atomic_add(&stats->groups, 1);
	}
	if (table_put(group_sources, &key, &row)) {
		atomic_add(&stats->groups, -(__u64)1);
		walk->overflow = 1;
	}
	return 0;
}

/* The head of a record, at the offset. VERDICT_NEXT or the drop. */
static __always_inline int read_record(struct frame *f, struct packet *p)
{
	struct membership_walk *walk = &p->membership;
	const __u32 size = p->flags & PACKET_IPV4 ? 4 : 16;
	struct record record;
	__u32 behind;

	if (walk->offset + sizeof(record) + size > walk->end ||
	    frame_load(f, walk->offset, &record, sizeof(record)))
		return VERDICT_BAD_MEMBERSHIP;
	walk->offset += sizeof(record);
	if (p->flags & PACKET_IPV4) {
		walk->group.word[0] = walk->group.word[1] = 0;
		walk->group.word[2] = IPV4_MAPPED;
		if (frame_load(f, walk->offset, &walk->group.word[3], 4))
			return VERDICT_BAD_MEMBERSHIP;
	} else if (frame_load(f, walk->offset, &walk->group, 16)) {
		return VERDICT_BAD_MEMBERSHIP;
	}
	walk->offset += size;
	walk->type = record.type;
	walk->sources = host16(record.sources);
	behind = walk->sources * size + record.words * 4u;
	if (walk->offset + behind > walk->end)
		return VERDICT_BAD_MEMBERSHIP;
	walk->auxiliary = record.words * 4u;
	walk->records -= 1;
	return record_begin(p);
}

struct records_context {
	struct frame *f;
	struct packet *p;
	int verdict;
};

/* The head of a record, or a source of it; 1: the last that can be read. */
static long read_item(__u64 index, void *argument)
{
	struct records_context *context = argument;
	struct packet *p = context->p;
	struct membership_walk *walk = &p->membership;

	(void)index;
	if (walk->sources) {
		if (read_source(context->f, p)) {
			context->verdict = VERDICT_BAD_MEMBERSHIP;
			return 1;
		}
		walk->offset += p->flags & PACKET_IPV4 ? 4 : 16;
		walk->sources -= 1;
	} else {
		if (!walk->records)
			return 1;
		context->verdict = read_record(context->f, p);
		if (context->verdict)
			return 1;
	}
	if (!walk->sources) {
		if (!walk->ignored || is_exclude(walk->type))
			record_end(p);
		walk->offset += walk->auxiliary;
	}
	return 0;
}

/* p->membership: records to be read from the offset on. A stage of its own, for the verifier's sake. */
int membership_records(struct frame *f, struct packet *p)
{
	struct records_context context = { .f = f, .p = p };

	if (!p)
		return VERDICT_INTERNAL;
	p->membership.sources = 0;
	loop_over(ITEMS_MAX, read_item, &context);
	return context.verdict;
}

/* Versions that know no sources: somebody listens to the group in p->membership, or has ceased to. */
static __always_inline int simple_report(struct packet *p, int listens)
{
	struct group *row;

	if (!address_is_multicast(&p->membership.group))
		return VERDICT_BAD_MEMBERSHIP;
	if (multicast_is_of_link(&p->membership.group))
		return VERDICT_NEXT;
	if (!listens) {
		leave(p);
		return VERDICT_NEXT;
	}
	row = group_row(p);
	if (row && p->membership.alone)
		row->epoch += 1;
	return join(p);
}

/* The daemon of another host asks its ports. */
static __always_inline int note_speaker(struct packet *p)
{
	struct membership_walk *walk = &p->membership;
	struct group *row;

	walk->group.word[0] = walk->group.word[1] = walk->group.word[2] = 0;
	walk->group.word[3] = be32(GROUP_SPEAKER_WORD);
	row = group_row(p);
	if (!row)
		return VERDICT_CONSUMED;
	if (ticks_passed(p->now, row->expires, 0))
		row->since = p->now;
	row->expires = p->now + ageing_of(p);
	return VERDICT_CONSUMED;
}

/* It asks them about one group, for somebody has left it: if none of them answers, none listens. */
static __always_inline int note_asked(struct packet *p)
{
	struct group_key key;
	struct group *row;

	key_set(&key, p);
	row = table_lookup(groups, &key);
	if (!row)
		return VERDICT_CONSUMED;
	if (!ticks_passed(p->now + GROUP_LEFT_TICKS, row->expires, 0))
		row->expires = p->now + GROUP_LEFT_TICKS;
	if (!ticks_passed(p->now + GROUP_LEFT_TICKS, row->any_until, 0))
		row->any_until = p->now + GROUP_LEFT_TICKS;
	return VERDICT_CONSUMED;
}

/* A query, of a group or of all, or a hello: reports and all groups go to the router from now on. */
static __always_inline int note_router(struct packet *p, int of_group)
{
	struct membership_walk *walk = &p->membership;

	p->flood_mode = FLOOD_ALL;
	if ((p->flags & (PACKET_FROM_PEER | PACKET_FROM_TUNNEL)) ==
		    (PACKET_FROM_PEER | PACKET_FROM_TUNNEL) &&
	    p->port_id == p->source_port_id)
		return of_group ? note_asked(p) : note_speaker(p);
	if (address_is_unspecified(&p->key.source) ||
	    (p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_WIRE)))
		return VERDICT_NEXT;
	if (!(p->subnet_flags & SUBNET_L2))
		return VERDICT_MULTICAST; /* the routers of an l3 subnet are Weft's */
	walk->group.word[0] = walk->group.word[1] = walk->group.word[2] = walk->group.word[3] = 0;
	return join(p);
}

/* ---- messages ---- */

static __always_inline int igmp(struct frame *f, struct packet *p, __u32 size)
{
	struct membership_walk *walk = &p->membership;
	struct igmp message;
	__be16 sources = 0;

	if (size < IGMP_SIZE || frame_load(f, p->l4_offset, &message, sizeof(message)))
		return VERDICT_BAD_MEMBERSHIP;
	walk->group.word[0] = walk->group.word[1] = 0;
	walk->group.word[2] = IPV4_MAPPED;
	walk->group.word[3] = message.group;
	if (message.type == IGMP_QUERY) {
		if (size != IGMP_SIZE &&
		    (size < IGMP3_QUERY_SIZE || frame_load(f, p->l4_offset + 10u, &sources, 2) ||
		     size < IGMP3_QUERY_SIZE + host16(sources) * 4u))
			return VERDICT_BAD_MEMBERSHIP;
		return note_router(p, message.group != 0);
	}
	walk->records = host32(message.group) & 0xffff;
	if (message.type != IGMP3_REPORT)
		return simple_report(p, message.type != IGMP2_LEAVE);
	return walk->records ? membership_records(f, p) : VERDICT_NEXT;
}

static __always_inline int mld(struct frame *f, struct packet *p, __u32 size)
{
	struct membership_walk *walk = &p->membership;
	const __u32 type = p->icmp_type;
	struct mld message;
	__be16 sources = 0;

	if (frame_load(f, p->l4_offset, &message, sizeof(message)))
		return VERDICT_BAD_MEMBERSHIP;
	walk->records = host16(message.count);
	if (type == MLD2_REPORT)
		return walk->records ? membership_records(f, p) : VERDICT_NEXT;
	if (size < MLD_SIZE || frame_load(f, p->l4_offset + 8u, &walk->group, 16))
		return VERDICT_BAD_MEMBERSHIP;
	if (type == MLD_QUERY) {
		if (size != MLD_SIZE &&
		    (size < MLD2_QUERY_SIZE || frame_load(f, p->l4_offset + 26u, &sources, 2) ||
		     size < MLD2_QUERY_SIZE + host16(sources) * 16u))
			return VERDICT_BAD_MEMBERSHIP;
		return note_router(p, !address_is_unspecified(&walk->group));
	}
	return simple_report(p, type == MLD_REPORT);
}

/* From a neighbour who may say so, with the router alert option: first in its header, or behind two bytes of padding. */
static __always_inline int is_mld_sender(struct frame *f, const struct packet *p)
{
	__be16 options[4];
	__u8 next;

	if (!address_is_link_local(&p->key.source) &&
	    (p->icmp_type == MLD_QUERY || !address_is_unspecified(&p->key.source)))
		return 0;
	if (frame_load(f, p->l3_offset + 6u, &next, 1) || next != PROTOCOL_HOP_BY_HOP ||
	    frame_load(f, p->l3_offset + IPV6_SIZE, options, sizeof(options)))
		return 0;
	return (options[1] == be16(ROUTER_ALERT) && !options[2]) ||
	       (options[2] == be16(ROUTER_ALERT) && !options[3]);
}

static __always_inline int is_sum_right(struct frame *f, struct packet *p, __u32 size)
{
	__u32 sum = tunnel_sum(f, p, p->l4_offset, size);

	if (sum > 0xffff)
		return 0;
	if (!(p->flags & PACKET_IPV4))
		sum += checksum_fold(checksum_pseudo6(&p->key.source, &p->key.destination, size,
						      PROTOCOL_ICMPV6));
	return checksum_fold(sum) == 0xffff;
}

/*
 * p: FLOOD_REPORT, from a port of this host, or from elsewhere: then the listener is who it came by. Sets flood_mode to who gets the message, and remembers what it
 * says. VERDICT_NEXT, or the drop of a message that is none.
 */
int membership(struct frame *f, struct packet *p)
{
	struct membership_walk *walk;
	struct port_stats *stats;
	__u32 size, remote;

	if (!p)
		return VERDICT_INTERNAL;
	walk = &p->membership;
	p->object_id = p->port_id;
	p->flood_mode = FLOOD_ROUTERS;
	remote = p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_WIRE);
	walk->listener_id = remote ? p->source_port_id : p->port_id;
	stats = stats_of(p);
	walk->alone = !remote && stats && !stats->stations && OUT_KIND(p->in_kind) != PORT_LINK;
	walk->offset = p->l4_offset + IGMP_SIZE;
	walk->end = p->l3_offset + p->ip_length;
	if (p->key.protocol == PROTOCOL_PIM)
		return note_router(p, 0);
	if ((p->flags & PACKET_FRAGMENT_FIRST) || p->ttl != 1 || walk->end < walk->offset)
		return VERDICT_BAD_MEMBERSHIP;
	size = walk->end - p->l4_offset;
	if (!(p->flags & PACKET_IPV4) && !is_mld_sender(f, p))
		return VERDICT_BAD_MEMBERSHIP;
	if (!is_sum_right(f, p, size))
		return VERDICT_MEMBERSHIP_CHECKSUM;
	return p->flags & PACKET_IPV4 ? igmp(f, p, size) : mld(f, p, size);
}
