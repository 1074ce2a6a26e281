/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Timers of the event loop: a binary heap of pointers to the owners' structs.
 *
 * A timer knows its place in the heap, so that stopping it is O(log n). A round runs the timers
 * that were due when it began: one that starts itself again with no delay waits for the next
 * round and starves nobody.
 */
#include <limits.h>

#include "base/alloc.h"
#include "base/loop_private.h"

static bool runs_before(const struct loop_timer *a, const struct loop_timer *b)
{
	if (a->deadline_ns != b->deadline_ns)
		return a->deadline_ns < b->deadline_ns;
	return a->order < b->order;
}

static void place(struct loop *loop, size_t position, struct loop_timer *timer)
{
	loop->timers[position] = timer;
	timer->position = position;
}

static void sift_up(struct loop *loop, size_t position, struct loop_timer *timer)
{
	while (position > 0) {
		size_t parent = (position - 1) / 2;

		if (!runs_before(timer, loop->timers[parent]))
			break;
		place(loop, position, loop->timers[parent]);
		position = parent;
	}
	place(loop, position, timer);
}

static void sift_down(struct loop *loop, size_t position, struct loop_timer *timer)
{
	for (;;) {
		size_t child = 2 * position + 1;

		if (child >= loop->timer_count)
			break;
		if (child + 1 < loop->timer_count &&
		    runs_before(loop->timers[child + 1], loop->timers[child]))
			child++;
		if (!runs_before(loop->timers[child], timer))
			break;
		place(loop, position, loop->timers[child]);
		position = child;
	}
	place(loop, position, timer);
}

static void insert(struct loop *loop, struct loop_timer *timer)
{
	if (loop->timer_count == loop->timer_capacity) {
		loop->timer_capacity = loop->timer_capacity * 2 + 8;
		loop->timers = xreallocarray(loop->timers, loop->timer_capacity,
					     sizeof(struct loop_timer *));
	}
	timer->loop = loop;
	timer->order = loop->timer_order++;
	sift_up(loop, loop->timer_count++, timer);
}

void loop_timer_init(struct loop_timer *timer, loop_callback *callback, void *context)
{
	*timer = (struct loop_timer){ .callback = callback, .context = context };
}

void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns,
		      uint64_t period_ns)
{
	uint64_t now = clock_monotonic_ns(loop->clock);

	loop_timer_stop(timer);
	timer->deadline_ns = delay_ns > UINT64_MAX - now ? UINT64_MAX : now + delay_ns;
	timer->period_ns = period_ns;
	insert(loop, timer);
}

void loop_timer_stop(struct loop_timer *timer)
{
	struct loop *loop = timer->loop;
	struct loop_timer *last;
	size_t position = timer->position;

	if (!loop)
		return;
	timer->loop = NULL;
	last = loop->timers[--loop->timer_count];
	if (last == timer)
		return;
	if (position > 0 && runs_before(last, loop->timers[(position - 1) / 2]))
		sift_up(loop, position, last);
	else
		sift_down(loop, position, last);
}

bool loop_timer_is_running(const struct loop_timer *timer)
{
	return timer->loop;
}

void loop_timers_run(struct loop *loop)
{
	uint64_t now = clock_monotonic_ns(loop->clock);
	uint64_t started = loop->timer_order; /* those with a later number wait */

	while (loop->timer_count) {
		struct loop_timer *timer = loop->timers[0];

		if (timer->deadline_ns > now || timer->order >= started)
			return;
		loop_timer_stop(timer);
		if (timer->period_ns) {
			uint64_t missed = (now - timer->deadline_ns) / timer->period_ns;

			timer->deadline_ns += (missed + 1) * timer->period_ns;
			insert(loop, timer);
		}
		timer->callback(timer->context);
	}
}

int loop_timers_timeout_ms(const struct loop *loop)
{
	uint64_t now = clock_monotonic_ns(loop->clock);
	uint64_t left;

	if (!loop->timer_count)
		return -1;
	if (loop->timers[0]->deadline_ns <= now)
		return 0;
	if (loop->clock)
		return -1;
	left = (loop->timers[0]->deadline_ns - now + CLOCK_NS_PER_MS - 1) / CLOCK_NS_PER_MS;
	return left > INT_MAX ? INT_MAX : (int)left;
}
