/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft trace: the native core on the live tables. The contract is in trace.h.
 *
 * The native target reads the kernel's maps through their descriptors and keeps what the packet writes
 * in memory, which is thrown away after the run; see target/native/table.c.
 */
#include "datapath/trace.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "target/native/native.h"

#define NOTE_STAGE(name, stage, sentence) STAGE_##stage,
static const enum stage note_stage[NOTES] = { WEFT_NOTES(NOTE_STAGE) };

#define VERDICT_STAGE(name, class, stage, sentence) STAGE_##stage,
static const enum stage verdict_stage[VERDICTS] = { WEFT_VERDICTS(VERDICT_STAGE) };

/* The host at the other end of a tunnel; 0: none that is known. */
static uint32_t tunnel_host(struct datapath *datapath, uint32_t tunnel_id)
{
	const struct tunnel_key key = { .tunnel_id = tunnel_id };
	struct tunnel tunnel;
	struct port_key port_key;
	struct port port;

	if (datapath_get(datapath, TABLE_tunnels, &key, &tunnel))
		return 0;
	port_key.port_id = tunnel.port_id;
	return datapath_get(datapath, TABLE_ports, &port_key, &port) ? 0 : port.host_id;
}

/* The outer Ethernet header is the edge's to write; here nobody does, and only its type is read. */
static void finish_outer(struct trace_result *result)
{
	bool ipv6 = result->frame[14] >> 4 == 6;

	memset(result->frame, 0, 12);
	result->frame[12] = ipv6 ? 0x86 : 0x08;
	result->frame[13] = ipv6 ? 0xdd : 0x00;
}

/* The frame as it is on the wire, with its tag in it. */
static void finish_tagged(const struct frame *f, struct trace_result *result)
{
	__u16 type = f->vlan_type ? f->vlan_type : 0x8100;
	const uint8_t tag[4] = { (uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(f->vlan >> 8),
				 (uint8_t)f->vlan };

	if (!f->vlan || result->frame_size < 14 || result->frame_size > TRACE_FRAME_MAX - 4)
		return;
	memmove(result->frame + 16, result->frame + 12, result->frame_size - 12);
	memcpy(result->frame + 12, tag, sizeof(tag));
	result->frame_size += sizeof(tag);
}

/* By a wire: of which subnet, and to the host of the port it is for, if that is a port. */
static void left_by_wire(struct datapath *datapath, struct trace_result *result)
{
	struct port_key key = { .port_id = result->out_port_id };
	struct port port;

	if (datapath_get(datapath, TABLE_ports, &key, &port) || port.kind != PORT_WIRE)
		return;
	result->wire_subnet_id = port.subnet_id;
	result->next_host_id = port.host_id;
}

/* Delivered to a port of this host, with tags that are the workloads' own. A child's tag is no part of what it gets. */
static bool keeps_tags(struct datapath *datapath, const struct trace_result *result)
{
	struct port_key key = { .port_id = result->out_port_id };
	struct port port;

	return result->verdict == VERDICT_DELIVERED &&
	       !datapath_get(datapath, TABLE_ports, &key, &port) && port.kind != PORT_CHILD;
}

/* As the kernel does before a program sees it: the outermost tag is beside the frame. */
static void take_tag_aside(struct frame *f)
{
	const __u16 type = (__u16)(f->length < 18 ? 0 : f->data[12] << 8 | f->data[13]);

	if (type != ETHERTYPE_VLAN && type != ETHERTYPE_QINQ)
		return;
	f->vlan_type = type;
	f->vlan = (__u16)(f->data[14] << 8 | f->data[15]);
	memmove(f->data + 12, f->data + 16, f->length - 16);
	f->length -= 4;
}

/* What the device of a port says of it: whether tags there are of its children. */
static __u32 attached_flags(struct datapath *datapath, __u32 port_id, const struct port *port)
{
	struct attachment_key key = { .ifindex = port->ifindex };
	struct attachment row = {};

	if (!port->ifindex ||
	    datapath_get(datapath,
			 key.ifindex < ATTACHMENTS_NEAR ? TABLE_attachments : TABLE_attachments_far,
			 &key, &row) ||
	    row.port_id != port_id)
		return 0;
	return row.flags & ATTACHMENT_TRUNK;
}

/* A port of another host that is behind a wire: the wire. */
static __u32 noted_object(struct datapath *datapath, const struct frame_note *noted)
{
	struct port_key key = { .port_id = noted->object_id };
	struct port port;

	if ((noted->what != NOTE_WIRE_TO && noted->what != NOTE_WIRE_STACK) ||
	    datapath_get(datapath, TABLE_ports, &key, &port) || port.kind != PORT_WIRE ||
	    !port.tunnel_id)
		return noted->object_id;
	return port.tunnel_id;
}

static void fill(struct datapath *datapath, const struct frame *f, const struct native_result *run,
		 struct trace_result *result)
{
	memset(result, 0, offsetof(struct trace_result, frame));
	result->verdict = run->verdict;
	result->object_id = run->object_id;
	result->out_port_id = run->out_port_id;
	result->answers = run->flags & PACKET_REPLY;
	for (__u32 i = 0; i < f->note_count && i < TRACE_STEPS_MAX; i++) {
		result->steps[i].note = f->notes[i].what;
		result->steps[i].object_id = noted_object(datapath, &f->notes[i]);
		result->step_count = i + 1;
	}
	result->stage = verdict_stage[run->verdict];
	if (run->verdict == VERDICT_ANSWERED && result->step_count)
		result->stage = note_stage[result->steps[result->step_count - 1].note];
	result->frame_size = f->length < TRACE_FRAME_MAX ? f->length : TRACE_FRAME_MAX;
	memcpy(result->frame, f->data, result->frame_size);
	if ((run->flags & PACKET_TO_UNDERLAY) && result->frame_size > 14) {
		finish_outer(result);
		result->next_host_id = tunnel_host(datapath, run->out_ifindex);
		return;
	}
	if (run->verdict == VERDICT_DELIVERED)
		left_by_wire(datapath, result);
	if (result->wire_subnet_id || keeps_tags(datapath, result))
		finish_tagged(f, result);
}

int datapath_trace_begin(struct datapath *datapath)
{
	int fds[TABLES];

	for (int i = 0; i < TABLES; i++) {
		fds[i] = datapath_table_fd(datapath, (enum table_id)i);
		if (fds[i] < 0)
			return -ENOTSUP;
	}
	native_live(fds);
	return 0;
}

void datapath_trace_end(void)
{
	native_reset();
}

int datapath_trace_port(struct datapath *datapath, uint32_t port_id, const uint8_t *frame,
			size_t size, struct trace_result *result)
{
	struct port_key key = { .port_id = port_id };
	struct attachment attachment = {};
	struct native_result run = {};
	struct port_rate rate;
	struct port port;
	struct frame *f;
	int error;

	if (size > TRACE_FRAME_MAX || size > FRAME_ROOM)
		return -EMSGSIZE;
	error = datapath_get(datapath, TABLE_ports, &key, &port);
	if (error)
		return error;
	attachment.port_id = port_id;
	attachment.port_slot = port.port_slot;
	attachment.vpc_slot = port.vpc_slot;
	if (port.kind == PORT_TUN)
		attachment.flags |= ATTACHMENT_NO_ETHERNET;
	if (!datapath_get(datapath, TABLE_port_rates, &key, &rate))
		attachment.flags |= ATTACHMENT_RATED;
	attachment.flags |= attached_flags(datapath, port_id, &port);
	f = native_frame_new(frame, (__u32)size);
	take_tag_aside(f);
	native_run_attached(f, &attachment, &run);
	fill(datapath, f, &run, result);
	native_frame_free(f);
	return 0;
}

int datapath_trace_underlay(struct datapath *datapath, const uint8_t *frame, size_t size,
			    struct trace_result *result)
{
	struct native_result run = {};
	struct frame *f;

	if (size < 14 || size > TRACE_FRAME_MAX || size > FRAME_ROOM)
		return -EMSGSIZE;
	f = native_frame_new(frame, (__u32)size);
	native_run_underlay(f, &run);
	fill(datapath, f, &run, result);
	native_frame_free(f);
	return 0;
}

struct wire_search {
	uint32_t subnet_id;
	uint32_t ifindex; /* of the device; 0: none found */
};

static bool see_wire(void *context, const void *key, const void *value)
{
	struct wire_search *search = context;
	const struct wire_key *wire_key = key;
	const struct wire *wire = value;

	if ((wire->flags & WIRE_NETWORK) && wire->subnet_id == search->subnet_id)
		search->ifindex = wire_key->ifindex;
	return !search->ifindex;
}

int datapath_trace_wire(struct datapath *datapath, uint32_t subnet_id, const uint8_t *frame,
			size_t size, struct trace_result *result)
{
	struct wire_search search = { .subnet_id = subnet_id };
	struct native_result run = {};
	struct frame *f;
	int error;

	if (size < 14 || size > TRACE_FRAME_MAX || size > FRAME_ROOM)
		return -EMSGSIZE;
	error = datapath_walk(datapath, TABLE_wires, see_wire, &search);
	if (error)
		return error;
	if (!search.ifindex)
		return -ENOENT;
	f = native_frame_new(frame, (__u32)size);
	native_run_wire(f, search.ifindex, &run);
	fill(datapath, f, &run, result);
	native_frame_free(f);
	return 0;
}

ssize_t datapath_encapsulate(struct datapath *datapath, uint32_t tunnel_id, const uint8_t *frame,
			     size_t size, uint8_t *outer, size_t room)
{
	struct port_key key = { .port_id = tunnel_id };
	struct native_result run = {};
	struct port port;
	struct frame *f;
	ssize_t result;
	int error;

	error = datapath_get(datapath, TABLE_ports, &key, &port);
	if (!error)
		error = datapath_trace_begin(datapath);
	if (error)
		return error;
	f = native_frame_new(frame, (__u32)size);
	native_run_tunnel(f, port.tunnel_id, &run);
	datapath_trace_end();
	result = (ssize_t)f->length;
	if (!(run.flags & PACKET_TO_UNDERLAY))
		result = -ENOENT;
	else if (f->length > room)
		result = -EMSGSIZE;
	else
		memcpy(outer, f->data, f->length);
	native_frame_free(f);
	return result;
}
