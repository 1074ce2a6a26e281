/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * hold: packets that wait for the MAC of a machine on a wire.
 *
 * Linux keeps what it cannot send until its neighbour has answered. Nothing in the pipeline can keep a packet,
 * so weftd does: the frame goes to it by the punt device, with the wire in the header, and weftd asks, waits
 * and writes it back. Then it comes in anew by the device that it came by, and all that is asked of any
 * packet is asked of it again; a mark says that it has waited, for while those go that were held the ones
 * behind them still come here (NEIGHBOUR_WANTED), so that none overtakes while others wait.
 *
 * What a port may have held in a second is limited, and what all may. Beyond that, while weftd does not run,
 * and where a frame stands for several packets (which the header would keep the kernel from cutting up; no
 * connection begins with one), the packet is dropped as the address is asked for: wire.c goes on there.
 *
 * Before: wire_route. Neighbours: punt.c (the device), agent/services/hold.c (the other end).
 */
#include "core/packet.h"
#include "core/police.h"

#define HOLD_SIZE_MAX 9100 /* the punt device takes 9,216 bytes behind the Ethernet header */
#define TAG_PRIORITY 0xf000u

/* Through weftd and back by the device it came by: not what came from another host, nor what would not be the
 * same when it comes again. */
static __always_inline int may_be_held(struct frame *f, const struct packet *p,
				       const struct port *port)
{
	if (!(p->flags & PACKET_IP) || (p->flags & (PACKET_FROM_TUNNEL | PACKET_FROM_PEER)) ||
	    frame_segment_size(f) || p->frame_length > HOLD_SIZE_MAX)
		return 0;
	if (!port->ifindex || port->kind == PORT_TUNNEL || port->kind == PORT_UNPLUGGED)
		return 0;
	if (port->kind == PORT_WIRE && (port->flags & (PORT_SHARED_MAC | PORT_TAGS_KEPT)))
		return 0;
	return !p->vlan_count || (p->vlan_count == 1 && !port->tag);
}

/* Makes room for the header and fills it in. 0 or negative. */
static __always_inline int put_header(struct frame *f, const struct packet *p, __u8 reason,
				      __u32 wire_id)
{
	const struct punt_header header = {
		.version = PUNT_VERSION,
		.reason = reason,
		.vlan = p->vlan_count ? p->vlan : (__u16)(p->tag & TAG_PRIORITY),
		.port_id = p->port_id,
		.subnet_id = p->subnet_id,
		.wire_id = wire_id,
	};

	return (p->vlan_count && frame_vlan_pop(f)) || frame_push(f, sizeof(header)) ||
	       frame_store(f, ETHERNET_SIZE, &header, sizeof(header));
}

static __always_inline int take_header_off(struct frame *f, int ipv4)
{
	return frame_decapsulate(f, sizeof(struct punt_header),
				 ipv4 ? FRAME_INNER_IPV4 : FRAME_OUTER_IPV6 | FRAME_INNER_IPV6);
}

/*
 * p: guarded, for a machine on a wire whose MAC is not known. VERDICT_HELD: the frame has its header and goes
 * to out_ifindex. VERDICT_NEXT: it is not held, and is as before. VERDICT_INTERNAL: it is lost.
 */
int hold_packet(struct frame *f, struct packet *p, __u32 wire_id)
{
	struct slot_key slot, zero = { .slot = 0 };
	struct port_key key = {};
	struct datapath_state *shared;
	struct port_stats *stats;
	struct port *port;

	if (!p)
		return VERDICT_INTERNAL;
	key.port_id = p->port_id;
	slot.slot = p->port_slot;
	port = table_lookup(ports, &key);
	shared = table_lookup(state, &zero);
	stats = table_lookup(port_stats, &slot);
	if (!port || !shared || !stats || !may_be_held(f, p, port) ||
	    !frame_device_there(f, (__u32)shared->punt_ifindex) ||
	    !bucket_take(&stats->hold_tokens, (__u32)shared->hold_rate, p->now) ||
	    !bucket_take(&shared->hold_tokens, (__u32)shared->hold_total_rate, p->now))
		return VERDICT_NEXT;
	if (put_header(f, p, PUNT_HOLD, wire_id))
		return VERDICT_INTERNAL;
	p->object_id = wire_id;
	p->out_ifindex = (__u32)shared->punt_ifindex;
	note(f, NOTE_WIRE_HELD, wire_id);
	return VERDICT_HELD;
}

/* weftd gets a copy, and asks: the machine is used and was not heard of for long. Return: 0. */
int hold_refresh(struct frame *f, struct packet *p, __u32 wire_id)
{
	struct slot_key zero = { .slot = 0 };
	struct datapath_state *shared;

	if (!p)
		return 0;
	shared = table_lookup(state, &zero);
	if (!shared || !(p->flags & PACKET_IP) || p->vlan_count || frame_segment_size(f) ||
	    p->frame_length > HOLD_SIZE_MAX ||
	    !frame_device_there(f, (__u32)shared->punt_ifindex) ||
	    put_header(f, p, PUNT_REFRESH, wire_id))
		return 0;
	frame_copy_to(f, (__u32)shared->punt_ifindex);
	take_header_off(f, p->flags & PACKET_IPV4);
	return 0;
}

/* On by the way it came, with the tag that it had there. */
static __always_inline int go_on(struct frame *f, struct packet *p, const struct port *port,
				 __u16 vlan)
{
	const __u32 type = port->flags & PORT_TAG_8021AD ? ETHERTYPE_QINQ : ETHERTYPE_VLAN;
	__u32 tag = 0;

	if (port->tag)
		tag = type << 16 | (vlan & TAG_PRIORITY) | port->tag;
	else if (vlan)
		tag = (__u32)ETHERTYPE_VLAN << 16 | vlan;
	if (tag && frame_tag_push(f, tag))
		return VERDICT_INTERNAL;
	p->out_ifindex = port->ifindex;
	frame_set_returned(f);
	return VERDICT_HELD;
}

/* What weftd has held was not answered, or is too much: it is dropped in the name of who has sent it. */
static __always_inline int give_up(struct frame *f, struct packet *p, const struct port *port,
				   __u8 reason)
{
	int verdict = parse(f, p);

	if (verdict)
		return verdict;
	p->port_slot = port->port_slot;
	p->vpc_slot = port->vpc_slot;
	p->vpc_id = port->vpc_id;
	p->subnet_id = port->subnet_id;
	p->port_flags = port->flags;
	p->object_id = p->out_port_id;
	return reason == PUNT_GIVE_UP ? VERDICT_NO_ANSWER : VERDICT_RESOLVING;
}

/*
 * A packet that weftd has held, or one that says whom it asks for. p: zero (PACKET_CLEARED), ethertype is that
 * of the frame. VERDICT_HELD: the frame is as it came, and out_ifindex is where it comes in anew.
 */
int hold_return(struct frame *f, struct packet *p)
{
	struct punt_header *read, header;
	struct port_key key = {};
	struct port *port;
	int verdict;

	if (!p)
		return VERDICT_INTERNAL;
	read = frame_header(f, ETHERNET_SIZE, sizeof(*read));
	if (!read)
		return VERDICT_BAD_HEADER;
	header = *read;
	p->object_id = p->port_id = p->key.port_id = key.port_id = header.port_id;
	p->out_port_id = header.wire_id;
	p->now = clock_tick();
	if (take_header_off(f, p->ethertype == be16(ETHERTYPE_IPV4)))
		return VERDICT_INTERNAL;
	if (header.reason == PUNT_ASK) {
		verdict = parse(f, p);
		return verdict ? verdict : wire_ask(f, p);
	}
	port = table_lookup(ports, &key);
	if (!port)
		return VERDICT_UNKNOWN_PORT;
	if (header.reason == PUNT_HOLD)
		return port->ifindex ? go_on(f, p, port, header.vlan) : VERDICT_PORT_DOWN;
	if (header.reason != PUNT_GIVE_UP && header.reason != PUNT_NO_ROOM)
		return VERDICT_BAD_HEADER;
	return give_up(f, p, port, header.reason);
}
