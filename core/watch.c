/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * watch: packets that somebody looks at, for a capture or a mirror.
 *
 * A port that is watched says so in its attachment and in its row, so that all others pay nothing. Its row
 * in port_watches is a bit mask of watches; each has a filter. What the port sends is taken as it came,
 * before anything is rewritten, and told with its verdict when that is known; what goes to the port is taken
 * as it arrives there, or, if it was dropped on the way, as it was when it was. A copy for a mirror leaves at
 * once, straight to its target or by way of mirror.c, and is never looked at itself: copies do not enter the
 * pipeline.
 *
 * Called from pipeline.h before and after the stages; bridge.c notes the members of a flood.
 */
#include "core/packet.h"

struct watch_context {
	struct frame *f;
	struct packet *p;
	__u32 direction; /* WATCH_FROM or WATCH_TO */
	__u32 kinds;     /* of WATCH_CAPTURE and WATCH_MIRROR, what is to be done */
};

static __always_inline int in_range(const struct watch *watch, __u16 number)
{
	for (__u32 i = 0; i < WATCH_RANGES; i++)
		if (i < watch->range_count && number >= watch->range[i].first &&
		    number <= watch->range[i].last)
			return 1;
	return 0;
}

/* Is it the address of a port that is in the group now? Whose groups an address has is in the row of its port,
 * so that a port which joins is taken from its next packet on. */
OUT_OF_LINE int group_has(const struct address *group, const struct address *address)
{
	struct endpoint_key key = { .vpc_id = (__u32)group->word[WATCH_NETWORK_VPC],
				    .address = *address };
	struct endpoint *endpoint = table_lookup(endpoints, &key);
	struct set_group_key member = {};

	if (!endpoint || !endpoint->port_id)
		return 0;
	member.group_set_id = endpoint->group_set_id;
	member.group_id = (__u32)group->word[WATCH_NETWORK_GROUP];
	return table_lookup(set_groups, &member) != NULL;
}

static __always_inline int end_matches(const struct watch *watch, __u32 end,
				       const struct address *address)
{
	if (!watch->prefix_length[end])
		return 1;
	if (watch->flags & WATCH_GROUP << end)
		return group_has(&watch->network[end], address);
	return address_in(address, &watch->network[end], watch->prefix_length[end]);
}

static __always_inline int ends_match(const struct watch *watch, const struct address *a,
				      const struct address *b)
{
	return end_matches(watch, 0, a) && end_matches(watch, 1, b);
}

/* A packet without ports, or without a type, is in no range of them. */
static __always_inline int ranges_match(const struct watch *watch, const struct packet *p)
{
	const __u8 protocol = p->key.protocol;

	if (watch->flags & WATCH_TYPES)
		return (protocol == PROTOCOL_ICMP || protocol == PROTOCOL_ICMPV6) &&
		       in_range(watch, (__u16)((__u16)p->icmp_type << 8 | p->icmp_code));
	return (protocol == PROTOCOL_TCP || protocol == PROTOCOL_UDP) &&
	       (in_range(watch, host16(p->key.source_port)) ||
		in_range(watch, host16(p->key.destination_port)));
}

/* The filter says yes. An IPv6 prefix of less than 96 bits is no IPv4 address, whatever the bits are. */
OUT_OF_LINE int watch_matches(const struct watch *watch, const struct packet *p)
{
	if (watch->ethertype && watch->ethertype != p->ethertype)
		return 0;
	if ((watch->flags & WATCH_PROTOCOL) &&
	    (!(p->flags & PACKET_IP) ||
	     (watch->protocol != p->key.protocol &&
	      (!watch->other_protocol || watch->other_protocol != p->key.protocol))))
		return 0;
	if (watch->range_count && !ranges_match(watch, p))
		return 0;
	if (!watch->prefix_length[0] && !watch->prefix_length[1])
		return 1;
	return ends_match(watch, &p->key.source, &p->key.destination) ||
	       ends_match(watch, &p->key.destination, &p->key.source);
}

/* Of what goes from port to port of a subnet that is looked at one is told, the sender's. */
static __always_inline int told_before(const struct watch *watch, const struct packet *p,
				       __u32 slot)
{
	struct port_key key = { .port_id = p->port_id };
	struct port_watch *sender;

	if (!(watch->flags & WATCH_ONCE) || !(watch->flags & WATCH_FROM) ||
	    (p->flags & PACKET_REPLY))
		return 0;
	sender = table_lookup(port_watches, &key);
	return sender && (sender->mask >> slot & 1);
}

/* One of the watches that are left. Counters and masks are in rows and in the packet, whose bytes the
 * verifier does not follow through the loop. */
static long watch_one(__u64 index, void *argument)
{
	struct watch_context *context = argument;
	struct packet *p = context->p;
	struct slot_key slot = {};
	struct watch *watch;
	__u32 size;
	__u64 nth;

	(void)index;
	if (!p->watches_left)
		return 1;
	slot.slot = bit_lowest(p->watches_left);
	p->watches_left &= p->watches_left - 1;
	watch = table_lookup(watches, &slot);
	if (!watch || !(watch->flags & context->direction) || !(watch->flags & context->kinds) ||
	    !watch_matches(watch, p))
		return 0;
	if (context->direction == WATCH_TO && told_before(watch, p, slot.slot))
		return 0;
	nth = atomic_fetch_add64(&watch->matched, 1);
	if (watch->sample > 1 && nth % watch->sample)
		return 0;
	atomic_add(&watch->taken, 1);
	if (!(watch->flags & WATCH_CAPTURE))
		return 0;
	size = watch->size && watch->size < CAPTURE_SIZE_MAX ? watch->size : CAPTURE_SIZE_MAX;
	if (size > p->watch_size)
		p->watch_size = size;
	p->watches |= 1ULL << slot.slot;
	return 0;
}

/* Goes through the watches of a mask; those that capture are in p->watches afterwards. */
static __always_inline void look(struct frame *f, struct packet *p, __u64 mask, __u32 direction,
				 __u32 kinds)
{
	struct watch_context context = { .f = f, .p = p, .direction = direction, .kinds = kinds };

	p->watches = 0;
	p->watch_size = 0;
	p->watches_left = mask;
	loop_over(WATCHES, watch_one, &context);
}

/* The tag that it has is what tells the port apart for which it is, and no part of the frame. */
static __always_inline int tag_is_ours(struct frame *f, const struct packet *p)
{
	if (!(p->flags & PACKET_REPLY) && (OUT_KIND(p->out_kind) < PORT_WIRE || p->vlan_count))
		return 0;
	if (p->kept_tag && frame_tag(f) == p->kept_tag)
		return 0;
	return (!(p->flags & PACKET_REPLY) || p->tag) && frame_tag(f) != 0;
}

/* The frame as it is now into this CPU's record. */
OUT_OF_LINE void record_fill(struct frame *f, const struct packet *p, __u32 number)
{
	struct slot_key slot = { .slot = number };
	struct capture_record *record = table_lookup(capture_records, &slot);
	__u32 size = frame_length(f);

	if (!record)
		return;
	if (size > p->watch_size)
		size = p->watch_size;
	record->event.time_ns = clock_exact_ns();
	record->event.watches = p->watches;
	record->event.length = frame_length(f);
	record->event.vlan = frame_vlan(f) && !(number && tag_is_ours(f, p)) ? frame_tag(f) : 0;
	record->event.size = frame_load_some(f, 0, record->data, size, CAPTURE_SIZE_MAX) ? 0 : size;
}

/* Tells what is in the record, and what has become of the packet. */
OUT_OF_LINE void record_tell(const struct packet *p, __u32 number, __u32 port_id, int verdict)
{
	struct slot_key slot = { .slot = number };
	struct capture_record *record = table_lookup(capture_records, &slot);

	if (!record)
		return;
	record->event.verdict = (__u32)verdict;
	record->event.object_id = p->object_id;
	record->event.port_id = port_id;
	record->event.direction = number ? CAPTURE_TO : CAPTURE_FROM;
	record->event.other_id = number ? p->port_id : p->out_port_id;
	if (capture_send(record, sizeof(record->event) + record->event.size))
		record->event.lost += 1;
	else
		record->event.lost = 0;
}

/* Of what goes from port to port of a mirrored subnet there is one copy, the sender's. */
static __always_inline int copied_before(const struct packet *p, const struct port_mirror *row)
{
	struct port_key key = { .port_id = p->port_id };
	struct port_mirror *sender;

	if (!(row->watch.flags & WATCH_ONCE))
		return 0;
	sender = table_lookup(port_mirrors, &key);
	return sender && sender != row && (sender->watch.flags & WATCH_FROM) &&
	       sender->watch.target_id == row->watch.target_id;
}

/* By way of the mirror device, which sees to the rest (mirror.c). 0 or negative. */
static __always_inline int copy_aside(struct frame *f, __u32 mark)
{
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared = table_lookup(state, &zero);

	if (!shared || !shared->mirror_ifindex)
		return -1;
	return frame_copy_marked(f, (__u32)shared->mirror_ifindex, mark);
}

/* Straight to the device of the port that gets it: it is not to be changed. 0 or negative. */
static __always_inline int copy_straight(struct frame *f, const struct port *target,
					 struct mirror_count *count)
{
	struct slot_key slot = { .slot = target->port_slot };
	const __u32 length = frame_length(f);
	struct port_stats *stats;

	if (!target->ifindex || frame_copy_to(f, target->ifindex))
		return -1;
	atomic_add(&count->sent_packets, 1);
	atomic_add(&count->sent_bytes, length);
	stats = table_lookup(port_stats, &slot);
	if (stats) {
		atomic_add(&stats->sent_packets, 1);
		atomic_add(&stats->sent_bytes, length);
	}
	return 0;
}

/* A copy for the mirror of a port. One that is itself a target gets no copies of copies: they go to its
 * device and not through the pipeline. */
OUT_OF_LINE void mirror(struct frame *f, struct packet *p, __u32 port_id, __u32 direction)
{
	struct port_key key = { .port_id = port_id };
	struct port_mirror *row = table_lookup(port_mirrors, &key);
	struct slot_key slot = {};
	struct mirror_count *count;
	struct port *target;
	__u32 mark = MIRROR_MARK;

	if (!row || !(row->watch.flags & direction) || !watch_matches(&row->watch, p))
		return;
	if (direction == WATCH_TO && copied_before(p, row))
		return;
	slot.slot = row->watch.port_slot & MIRROR_MARK_SLOT;
	key.port_id = row->watch.target_id;
	target = table_lookup(ports, &key);
	count = table_lookup(mirror_counts, &slot);
	if (!target || !count)
		return;
	if (row->watch.sample > 1 &&
	    atomic_fetch_add64(&count->matched, 1) % row->watch.sample != 0)
		return;
	if (count->port_id != port_id)
		count->port_id = port_id;
	atomic_add(&count->copies, 1);
	mark |= slot.slot;
	if (direction == WATCH_TO)
		mark |= MIRROR_MARK_TO | (tag_is_ours(f, p) ? MIRROR_MARK_TAG : 0);
	if ((mark & MIRROR_MARK_TAG) || row->watch.size || target->kind == PORT_TUNNEL ||
	    target->kind >= PORT_WIRE) {
		if (copy_aside(f, mark))
			mirror_lost(p);
	} else if (copy_straight(f, target, count)) {
		mirror_lost(p);
	}
}

/* The frame as its port has sent it. p: parsed, as far as that went. Return: 0. */
int watch_from(struct frame *f, struct packet *p)
{
	struct port_key key = {};
	struct port_watch *row;

	if (!p)
		return 0;
	key.port_id = p->port_id;
	mirror(f, p, p->port_id, WATCH_FROM);
	row = table_lookup(port_watches, &key);
	if (!row)
		return 0;
	look(f, p, row->mask, WATCH_FROM, WATCH_CAPTURE | WATCH_MIRROR);
	if (p->watches)
		record_fill(f, p, 0);
	return 0;
}

/* Whose watches look at what has become of the frame; 0: nobody's. */
static __always_inline __u32 watched_port(struct packet *p, __u64 *mask)
{
	struct port_key key = {};
	struct port_watch *row;

	*mask = p->watches_to;
	if (p->watch_port_id)
		return p->watch_port_id;
	if (p->flags & PACKET_REPLY)
		key.port_id = p->flags & PACKET_WATCHED ? p->port_id : 0;
	else if (p->out_kind & OUT_WATCHED)
		key.port_id = p->out_port_id;
	if (!key.port_id)
		return 0;
	row = table_lookup(port_watches, &key);
	*mask = row ? row->mask : 0;
	return key.port_id;
}

/* The end of a packet: the frame is as it leaves, or as it was dropped. Return: 0. */
int watch_end(struct frame *f, struct packet *p, int verdict)
{
	__u32 port_id;
	__u64 mask = 0;

	if (!p)
		return 0;
	if (p->watches)
		record_tell(p, 0, p->port_id, verdict);
	port_id = watched_port(p, &mask);
	if (port_id && (!verdict_is_drop(verdict) || (p->flags & PACKET_REPLY)))
		mirror(f, p, port_id, WATCH_TO);
	if (!port_id || !mask)
		return 0;
	look(f, p, mask, WATCH_TO,
	     verdict_is_drop(verdict) && !(p->flags & PACKET_REPLY) ? WATCH_CAPTURE
								    : WATCH_CAPTURE | WATCH_MIRROR);
	if (!p->watches)
		return 0;
	record_fill(f, p, 1);
	record_tell(p, 1, port_id, verdict);
	return 0;
}
