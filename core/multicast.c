/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * multicast: who of a segment gets the frames of a group.
 *
 * In a subnet that snoops those ports get them that listen to the group and to this source (membership.c has
 * heard them say so), and those that multicast routers are behind, which their queries and PIM hellos tell. Reports go to
 * these routers and to no workload, for one that hears another's report keeps its own back (RFC 4541).
 * weftd sends the queries (agent/services/querier.c); while it is not there nobody would be asked, so everything is
 * flooded as without snooping.
 *
 * Never filtered: what is not IP, groups of the link alone (224.0.0.0/24, ff02::/16), and members behind tunnels and
 * wires, whose hosts filter for themselves.
 *
 * Before: bridge.c, policy.c (the sender's rules). Next: membership.c for reports, and bridge_flood, which
 * asks multicast_wanted for each member.
 */
#include "core/multicast.h"
#include "core/police.h"

static __always_inline int is_mld(const struct packet *p)
{
	return !(p->flags & PACKET_IPV4) && p->key.protocol == PROTOCOL_ICMPV6 &&
	       ((p->icmp_type >= MLD_QUERY && p->icmp_type <= MLD_DONE) ||
		p->icmp_type == MLD2_REPORT);
}

/* Of the types that are read; others (DVMRP, traceroute) are the routers' own and pass like any packet. */
static __always_inline int is_igmp(struct frame *f, const struct packet *p)
{
	__u8 type = 0;

	if (!(p->flags & PACKET_IPV4) || p->key.protocol != PROTOCOL_IGMP)
		return 0;
	/* One too short to have a type is one that is read, and refused. */
	return frame_load(f, p->l4_offset, &type, 1) || type == IGMP_QUERY ||
	       type == IGMP1_REPORT || type == IGMP2_REPORT || type == IGMP2_LEAVE ||
	       type == IGMP3_REPORT;
}

/*
 * p: to be flooded, the sender's rules have agreed. Sets flood_mode: FLOOD_REPORT for what membership.c is to
 * read. VERDICT_NEXT.
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
	if (is_mld(p) || is_igmp(f, p)) {
		p->flood_mode = remote ? FLOOD_ALL : FLOOD_REPORT;
		return VERDICT_NEXT;
	}
	if ((p->flags & PACKET_IPV4) && p->key.protocol == PROTOCOL_PIM && !remote) {
		p->flood_mode = FLOOD_REPORT;
		return VERDICT_NEXT;
	}
	if (!multicast_is_of_link(&p->key.destination))
		p->flood_mode = FLOOD_LISTENERS;
	return VERDICT_NEXT;
}

static __always_inline struct group *live_row(const struct group_key *key, __u32 now)
{
	struct group *row = table_lookup(groups, key);

	return row && !ticks_passed(now, row->expires, 0) ? row : NULL;
}

/* Is the packet's source one that the listeners of a row want? */
static __always_inline int source_wanted(const struct packet *p, const struct group_key *group,
					 const struct group *row)
{
	struct group_source_key key = { .group = *group, .source = p->key.source };
	struct group_source *source = table_lookup(group_sources, &key);
	int any = !(row->flags & GROUP_SOURCES) ||
		  ((row->flags & GROUP_ANY_AGES) && !ticks_passed(p->now, row->any_until, 0));

	if (!source || source->epoch != row->epoch || ticks_passed(p->now, source->expires, 0))
		return any;
	return !(source->flags & GROUP_SOURCE_BLOCKED);
}

/* Is the frame for the member p->out_port_id, by flood_mode? */
int multicast_wanted(struct frame *f, struct packet *p)
{
	struct group_key key = {};
	struct group *row;

	(void)f;
	if (!p)
		return 0;
	key.subnet_id = p->subnet_id;
	key.port_id = p->out_port_id;
	if (live_row(&key, p->now))
		return 1; /* a router gets all */
	if (p->flood_mode == FLOOD_ROUTERS)
		return 0;
	key.address = p->key.destination;
	row = live_row(&key, p->now);
	return row && source_wanted(p, &key, row);
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
