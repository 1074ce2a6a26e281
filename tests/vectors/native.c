/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The native side of the vectors: core/ compiled for this machine, under sanitizers.
 *
 * Rows that are walked are remembered here by their keys, for the native tables have no walk of their
 * own; only the flow table is ever walked.
 */
#include "target/native/native.h"

#include "tests/vectors/vector.h"

static struct flow_end last_end;
static size_t end_count;

static void native_load(void)
{
	struct slot_key zero = { 0 };

	native_reset();
	native_update(native_table(TABLE_state), &zero, &tables_state, 0);
}

static void native_put(enum table_id table, const void *key, const void *value)
{
	int error = native_update(native_table(table), key, value, 0);

	if (error)
		vector_fail("native: row of %s not taken: %d", native_table(table)->name, error);
}

static void native_take(enum table_id table, const void *key)
{
	native_remove(native_table(table), key);
}

static bool native_get(enum table_id table, const void *key, void *value)
{
	void *row = native_lookup(native_table(table), key);

	if (row)
		memcpy(value, row, native_table(table)->value_size);
	return row != NULL;
}

static void native_each(enum table_id table, void (*fn)(void *, const void *, const void *),
			void *context)
{
	native_walk(native_table(table), fn, context);
}

static void take_outcome(struct frame *f, const struct native_result *result,
			 struct outcome *outcome)
{
	outcome->verdict = result->verdict;
	outcome->object_id = result->object_id;
	outcome->out_port_id = result->out_port_id;
	outcome->replied = result->flags & PACKET_REPLY;
	outcome->outer = result->flags & PACKET_TO_UNDERLAY;
	outcome->size = f->length;
	outcome->class = result->class;
	outcome->tag = f->vlan ? frame_tag(f) : 0;
	if (f->length > sizeof(outcome->data))
		vector_fail("native: the frame has grown to %u bytes", f->length);
	memcpy(outcome->data, f->data, f->length);
	if (f->end_count)
		last_end = f->end;
	end_count += f->end_count;
	native_frame_free(f);
}

static bool native_send(const struct attachment *attachment, const struct vector_frame *frame,
			struct outcome *outcome)
{
	struct frame *f = native_frame_new(frame->data, (__u32)frame->size);
	struct native_result result = { 0 };

	f->segment_size = frame->segment_size;
	f->returned = frame->returned;
	native_run_attached(f, attachment, &result);
	take_outcome(f, &result, outcome);
	return true;
}

static bool native_receive(const struct vector_frame *frame, struct outcome *outcome)
{
	struct frame *f = native_frame_new(frame->data, (__u32)frame->size);
	struct native_result result = { 0 };

	native_run_underlay(f, &result);
	take_outcome(f, &result, outcome);
	return true;
}

static bool native_hear(const struct vector_frame *frame, struct outcome *outcome)
{
	struct frame *f = native_frame_new(frame->data, (__u32)frame->size);
	struct native_result result = { 0 };

	native_run_wire(f, 1, &result);
	take_outcome(f, &result, outcome);
	return true;
}

static bool native_answer(const struct vector_frame *frame, struct outcome *outcome)
{
	struct frame *f = native_frame_new(frame->data, (__u32)frame->size);
	struct native_result result = { 0 };

	native_run_service(f, &result);
	take_outcome(f, &result, outcome);
	return true;
}

static bool native_punted(const struct vector_frame *frame, struct outcome *outcome)
{
	struct frame *f = native_frame_new(frame->data, (__u32)frame->size);
	struct native_result result = { 0 };

	native_run_punt(f, &result);
	take_outcome(f, &result, outcome);
	return true;
}

static bool native_mirror(const struct vector_frame *frame, uint32_t mark, struct outcome *outcome)
{
	struct frame *f = native_frame_new(frame->data, (__u32)frame->size);
	struct native_result result = { 0 };

	f->segment_size = frame->segment_size;
	native_run_mirror(f, mark, &result);
	take_outcome(f, &result, outcome);
	return true;
}

static size_t native_ends(struct flow_end *last)
{
	size_t count = end_count;

	*last = last_end;
	end_count = 0;
	return count;
}

const struct side native_side = {
	.name = "native",
	.load = native_load,
	.put = native_put,
	.remove = native_take,
	.get = native_get,
	.walk = native_each,
	.run = native_send,
	.run_underlay = native_receive,
	.run_punt = native_punted,
	.run_mirror = native_mirror,
	.run_service = native_answer,
	.run_uplink = native_hear,
	.ends = native_ends,
	.unload = native_reset,
};
