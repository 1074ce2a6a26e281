/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * multicast: who of a segment gets the frames of a group.
 *
 * In a subnet that snoops those ports get them that listen to the group and to this source (membership.c has
 * heard them say so), and those that multicast routers are behind, which their queries and PIM hellos tell. Reports go to
 * these routers and to no workload, for one that hears another's report keeps its own back (RFC 4541).
 * weftd sends the queries (agent/services/querier.c); while it is not there nobody would be asked, so everything is
 * flooded as without snooping, and when it has come until those that listen have had time to say so again. What they say
 * is read all the time.
 *
 * Other hosts get what their ports listen to: reports are carried to them as they are, and each host keeps the
 * others' words as if they were ports (docs/adr/0022-multicast.md). Never filtered: what is not IP, groups of the link
 * alone (224.0.0.0/24, ff02::/16), and members of whom it is not known: wires, ends that are not Weft,
 * hosts whose daemon is not heard of.
 *
 * Where the VPC routes multicast, an l3 subnet carries it, too, to listeners alone, and multicast_route.c sends it to
 * those of other subnets. There nothing is flooded for want of a daemon: who was known to listen, still is.
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

/* By this host? What came from another is routed already, and what is on a wire is routed by one host. */
static __always_inline int is_routed_here(const struct packet *p)
{
	if (!(p->subnet_flags & SUBNET_MULTICAST) || p->ttl <= 1 || (p->flags & PACKET_FROM_PEER))
		return 0;
	return !(p->flags & PACKET_FROM_WIRE) || (p->subnet_flags & SUBNET_WIRE_GATEWAY);
}

/*
 * p: to be flooded, the sender's rules have agreed. Sets flood_mode: FLOOD_REPORT for what membership.c is to
 * read; and flood_route. VERDICT_NEXT, or the drop.
 */
int multicast(struct frame *f, struct packet *p)
{
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared;
	int switched;

	if (!p)
		return VERDICT_INTERNAL;
	switched = p->subnet_flags & SUBNET_L2;
	shared = table_lookup(state, &zero);
	p->unattended = !shared || shared->unasked ||
			!frame_device_there(f, (__u32)shared->punt_ifindex);
	if (!(p->flags & PACKET_IP) || !address_is_multicast(&p->key.destination))
		return VERDICT_NEXT;
	if (!(p->flags & PACKET_FRAGMENT_LATER) &&
	    (is_mld(p) || is_igmp(f, p) ||
	     ((p->flags & PACKET_IPV4) && p->key.protocol == PROTOCOL_PIM))) {
		p->flood_mode = FLOOD_REPORT;
		return VERDICT_NEXT;
	}
	if (multicast_is_of_link(&p->key.destination)) {
		p->object_id = p->subnet_id;
		return switched ? VERDICT_NEXT : VERDICT_MULTICAST;
	}
	if (!switched || (!p->unattended && (p->subnet_flags & SUBNET_SNOOP)))
		p->flood_mode = FLOOD_LISTENERS;
	p->flood_route = is_routed_here(p);
	return VERDICT_NEXT;
}

static __always_inline int has_aged(const struct packet *p, __u32 tick)
{
	return !p->unattended && ticks_passed(p->now, tick, 0);
}

static __always_inline struct group *live_row(const struct packet *p, const struct group_key *key)
{
	struct group *row = table_lookup(groups, key);

	return row && !has_aged(p, row->expires) ? row : NULL;
}

/* Is the packet's source one that the listeners of a row want? */
static __always_inline int source_wanted(const struct packet *p, const struct group_key *group,
					 const struct group *row)
{
	struct group_source_key key = { .group = *group, .source = p->key.source };
	struct group_source *source = table_lookup(group_sources, &key);
	int any = !(row->flags & GROUP_SOURCES) ||
		  ((row->flags & GROUP_ANY_AGES) && !has_aged(p, row->any_until));

	if (!source || source->epoch != row->epoch || has_aged(p, source->expires))
		return any;
	return !(source->flags & GROUP_SOURCE_BLOCKED);
}

/*
 * Is it known of a member behind a tunnel what it wants? Of another host whose daemon asks its ports and has
 * done so long enough ago. Not of one without, whose members must have all, nor of ends that are not Weft.
 */
static __always_inline int speaks(const struct packet *p, struct group_key *key)
{
	struct group *row;

	key->address.word[3] = be32(GROUP_SPEAKER_WORD);
	row = live_row(p, key);
	key->address.word[3] = 0;
	return row && ticks_passed(p->now, row->since, GROUP_SPEAKER_TICKS);
}

/* Is the frame for the member p->out_port_id, of out_kind, by flood_mode? */
int multicast_wanted(struct frame *f, struct packet *p)
{
	struct group_key key = {};
	struct group *row;

	(void)f;
	if (!p)
		return 0;
	key.subnet_id = p->subnet_id;
	key.port_id = p->out_port_id;
	if (p->flood_mode == FLOOD_HOSTS)
		return p->out_kind == PORT_TUNNEL && p->out_port_id >= PEER_ID_FIRST;
	if (p->out_kind == PORT_WIRE && !(p->flags & PACKET_ROUTED))
		return 1;
	if (p->out_kind == PORT_TUNNEL && (p->flood_mode == FLOOD_ROUTERS || !speaks(p, &key)))
		return 1;
	if (live_row(p, &key))
		return 1; /* a router gets all */
	if (p->flood_mode == FLOOD_ROUTERS)
		return 0;
	key.address = p->key.destination;
	row = live_row(p, &key);
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
