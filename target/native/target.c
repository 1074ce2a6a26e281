/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Frames on a buffer, the clock, and the entry of the native pipeline. Contracts: native.h, target.h.
 */
#include "target/native/native.h"

#include <stdlib.h>
#include <time.h>

#include "core/checksum.h"
#include "core/pipeline.h"

static __u64 fixed_ns;
static __thread struct frame *running;

void native_clock(__u64 ns)
{
	fixed_ns = ns;
}

__u64 clock_ns(void)
{
	struct timespec now;

	if (fixed_ns)
		return fixed_ns;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (__u64)now.tv_sec * 1000000000ULL + (__u64)now.tv_nsec;
}

__u64 clock_exact_ns(void)
{
	struct timespec now;

	if (fixed_ns)
		return fixed_ns;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (__u64)now.tv_sec * 1000000000ULL + (__u64)now.tv_nsec;
}

struct frame *native_frame_new(const void *bytes, __u32 length)
{
	struct frame *f = calloc(1, sizeof(*f));
	__u8 *memory = malloc(FRAME_ROOM + 2);

	if (!f || !memory || length > FRAME_ROOM)
		abort();
	f->data = memory + 2;
	f->length = length;
	if (length)
		memcpy(f->data, bytes, length);
	/* cppcheck-suppress memleak ; native_frame_free() takes the 2 off again */
	return f;
}

void native_frame_free(struct frame *f)
{
	if (!f)
		return;
	free(f->data - 2);
	free(f);
}

/* As bpf_skb_change_tail, and to those as well that it refuses: new bytes are zero; a frame that stood for several
 * packets is one now. */
int frame_renew(struct frame *f, __u32 length)
{
	if (length < 14 || length > FRAME_ROOM)
		return -EINVAL;
	if (length > f->length)
		memset(f->data + f->length, 0, length - f->length);
	f->length = length;
	f->segment_size = 0;
	return 0;
}

int frame_resize(struct frame *f, __u32 length)
{
	return f->tunnelled ? -EOPNOTSUPP : frame_renew(f, length);
}

/* As bpf_skb_adjust_room(BPF_ADJ_ROOM_MAC). */
int frame_push(struct frame *f, __u32 size)
{
	if (f->length < 14 || f->length + size > FRAME_ROOM)
		return -ENOMEM;
	memmove(f->data + 14 + size, f->data + 14, f->length - 14);
	memset(f->data + 14, 0, size);
	f->length += size;
	return 0;
}

static __u32 tag_inside(const struct frame *f)
{
	const __u8 *at = f->data + 12;
	__u32 type = f->length < 18 ? 0 : (__u32)at[0] << 8 | at[1];

	return type == 0x8100 || type == 0x88a8 ? type << 16 | (__u32)at[2] << 8 | at[3] : 0;
}

/* Of a tag in the frame one beside it. Return: 0 if there is none. */
static int take_out(struct frame *f)
{
	__u32 tag = tag_inside(f);

	if (!tag)
		return 0;
	memmove(f->data + 12, f->data + 16, f->length - 16);
	f->length -= 4;
	f->vlan = 0x10000 | (tag & 0xffff);
	f->vlan_type = (__u16)(tag >> 16);
	return 1;
}

int frame_vlan_pop(struct frame *f)
{
	if (!f->vlan && !take_out(f))
		return -EINVAL;
	f->vlan = 0;
	/* The kernel keeps the next one beside the frame, then. */
	take_out(f);
	return 0;
}

__u32 frame_tag(struct frame *f)
{
	if (f->vlan)
		return (__u32)(f->vlan_type ? f->vlan_type : 0x8100) << 16 | (f->vlan & 0xffff);
	return tag_inside(f);
}

/* As bpf_skb_vlan_push: the tag is beside the frame, and what was there goes into it. */
int frame_tag_push(struct frame *f, __u32 tag)
{
	if (f->vlan) {
		__u32 inner = htonl(frame_tag(f));

		if (f->length < 14 || f->length + 4 > FRAME_ROOM)
			return -ENOMEM;
		memmove(f->data + 16, f->data + 12, f->length - 12);
		memcpy(f->data + 12, &inner, 4);
		f->length += 4;
	}
	f->vlan = 0x10000 | (tag & 0xffff);
	f->vlan_type = (__u16)(tag >> 16);
	return 0;
}

/* As bpf_skb_vlan_push: a tag that is there moves into the frame. */
int frame_vlan_push(struct frame *f, __u16 control)
{
	const __u16 inner = (__u16)f->vlan;

	if (f->vlan) {
		if (f->length < 14 || f->length + 4 > FRAME_ROOM)
			return -ENOMEM;
		memmove(f->data + 16, f->data + 12, f->length - 12);
		f->data[12] = 0x81;
		f->data[13] = 0;
		f->data[14] = (__u8)(inner >> 8);
		f->data[15] = (__u8)inner;
		f->length += 4;
	}
	f->vlan = 0x10000 | control;
	return 0;
}

int frame_checksum_follow(struct frame *f, __u32 offset, __be16 from, __be16 to)
{
	__be16 *checksum = frame_header(f, offset, 2);

	if (!checksum)
		return -EFAULT;
	if (!f->checksum_unfinished)
		*checksum = checksum_replace(*checksum, from, to);
	return 0;
}

int frame_checksum_readdressed(struct frame *f, __u32 offset, __u32 difference, int udp)
{
	__be16 *checksum = frame_header(f, offset, 2);

	if (!checksum)
		return -EFAULT;
	if (udp && !*checksum)
		return 0;
	if (f->checksum_unfinished) {
		*checksum = (__be16)checksum_fold((__u32)*checksum + difference);
		return 0;
	}
	*checksum = (__be16)~checksum_fold((__u32)(__u16) ~*checksum + difference);
	if (udp && !*checksum)
		*checksum = 0xffff;
	return 0;
}

int frame_encapsulate(struct frame *f, __u32 size, __u32 how)
{
	(void)how;
	return frame_push(f, size);
}

/* As bpf_skb_adjust_room with a negative length. */
int frame_decapsulate(struct frame *f, __u32 size, __u32 how)
{
	(void)how;
	if (f->length < 14 || size >= f->length - 14)
		return -EINVAL;
	memmove(f->data + 14, f->data + 14 + size, f->length - 14 - size);
	f->length -= size;
	return 0;
}

int frame_copy_underlay(struct frame *f, struct packet *p)
{
	if (f->underlay_count >= FRAME_COPIES_MAX)
		return -ENOSPC;
	f->underlay[f->underlay_count++] = p->out_ifindex;
	return 0;
}

int frame_copy_marked(struct frame *f, __u32 ifindex, __u32 mark)
{
	(void)mark;
	return frame_copy_to(f, ifindex);
}

int frame_copy_to(struct frame *f, __u32 ifindex)
{
	if (f->copy_count >= FRAME_COPIES_MAX)
		return -ENOSPC;
	f->copies[f->copy_count++] = ifindex;
	return 0;
}

void note(struct frame *f, enum note what, __u32 object_id)
{
	if (f->note_count >= FRAME_NOTES_MAX)
		return;
	f->notes[f->note_count].what = what;
	f->notes[f->note_count].object_id = object_id;
	f->note_count++;
}

int event_send(const struct drop_event *event)
{
	if (running) {
		running->event = *event;
		running->event_count++;
	}
	return 0;
}

int capture_send(const struct capture_record *record, __u32 size)
{
	(void)size;
	if (running) {
		running->capture = record->event;
		running->capture_count++;
	}
	return 0;
}

struct flow_end *flow_end_take(void)
{
	static struct flow_end end;

	return &end;
}

void flow_end_tell(struct flow_end *end)
{
	if (!running)
		return;
	running->end = *end;
	running->end_count++;
}

static void begin(struct frame *f)
{
	f->end_count = f->capture_count = f->copy_count = f->note_count = f->event_count =
		f->underlay_count = 0;
	running = f;
}

static void finish(const struct packet *p, struct native_result *result)
{
	running = NULL;
	result->object_id = p->object_id;
	result->out_port_id = p->out_port_id;
	result->out_ifindex = p->out_ifindex;
	result->flags = p->flags;
	result->class = p->out_kind & OUT_SHAPED ? SHARE_CLASS(p->port_slot) : 0;
}

/* As from_port does of a port that has children. */
static void take_child(struct frame *f, struct packet *p)
{
	struct port_key key = { .port_id = p->port_id };
	struct port *port = table_lookup(ports, &key);

	if (port)
		wire_take(f, p, port->ifindex);
}

void native_run_attached(struct frame *f, const struct attachment *attachment,
			 struct native_result *result)
{
	struct packet p = {
		.port_id = attachment->port_id,
		.port_slot = attachment->port_slot,
		.vpc_slot = attachment->vpc_slot,
	};

	if (attachment->flags & ATTACHMENT_NO_ETHERNET)
		p.flags |= PACKET_NO_ETHERNET;
	if (attachment->flags & ATTACHMENT_WATCHED)
		p.flags |= PACKET_WATCHED;
	if (attachment->flags & ATTACHMENT_RATED)
		p.flags |= PACKET_RATED;
	begin(f);
	if (attachment->flags & ATTACHMENT_TRUNK)
		take_child(f, &p);
	result->verdict = (enum verdict)pipeline_run(f, &p);
	finish(&p, result);
}

void native_run_underlay(struct frame *f, struct native_result *result)
{
	struct packet p = {};

	begin(f);
	result->verdict = (enum verdict)pipeline_from_underlay(f, &p);
	finish(&p, result);
}

void native_run_wire(struct frame *f, __u32 ifindex, struct native_result *result)
{
	struct packet p = {};

	begin(f);
	result->verdict = (enum verdict)pipeline_from_wire(f, &p, ifindex);
	finish(&p, result);
}

void native_run_service(struct frame *f, struct native_result *result)
{
	struct packet p = {};

	begin(f);
	result->verdict = (enum verdict)pipeline_from_service(f, &p);
	finish(&p, result);
}

void native_run_punt(struct frame *f, struct native_result *result)
{
	struct packet p = {};

	begin(f);
	if (f->length >= 14)
		memcpy(&p.ethertype, f->data + 12, 2);
	result->verdict = (enum verdict)punt_return(f, &p);
	if (verdict_is_drop((int)result->verdict))
		pipeline_end(f, &p, (int)result->verdict);
	finish(&p, result);
}

void native_run_mirror(struct frame *f, __u32 mark, struct native_result *result)
{
	struct packet p = {};

	begin(f);
	result->verdict = (enum verdict)mirror_send(f, &p, mark);
	if (result->verdict == VERDICT_DELIVERED)
		mirror_sent(&p);
	else
		mirror_lost(&p);
	finish(&p, result);
}

void native_run_tunnel(struct frame *f, __u32 tunnel_id, struct native_result *result)
{
	struct packet p = {};
	int verdict;

	begin(f);
	verdict = parse(f, &p);
	if (!verdict && frame_load(f, 0, p.ethernet_out, 12))
		verdict = VERDICT_INTERNAL;
	p.out_ifindex = tunnel_id;
	p.out_kind = PORT_TUNNEL;
	result->verdict = (enum verdict)(verdict ? verdict : tunnel_push(f, &p));
	finish(&p, result);
}

void native_run(struct frame *f, __u32 ifindex, struct native_result *result)
{
	struct attachment_key key = { .ifindex = ifindex };
	struct attachment *attachment = table_lookup(attachments, &key);

	memset(result, 0, sizeof(*result));
	result->verdict = VERDICT_UNKNOWN_PORT;
	if (attachment && attachment->port_id)
		native_run_attached(f, attachment, result);
}
