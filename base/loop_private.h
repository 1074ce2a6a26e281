/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What loop.c and loop_timer.c share; nobody else includes this.
 */
#ifndef WEFT_BASE_LOOP_PRIVATE_H
#define WEFT_BASE_LOOP_PRIVATE_H

#include "base/loop.h"

#define LOOP_SIGNAL_COUNT 65

struct loop_fd {
	loop_fd_callback *callback; /* NULL: this number is not in the loop */
	void *context;
	uint32_t generation;
};

struct loop_signal {
	loop_signal_callback *callback;
	void *context;
};

/**
 * struct loop - the loop
 * @timers: a heap by (deadline, order), the earliest first; owned by their users
 * @timer_order: number given to the next start, so that equal deadlines keep their order
 */
struct loop {
	const struct clock *clock;
	int epoll_fd;
	int signal_fd;
	bool stopped;
	uint32_t generation;
	struct loop_fd *fds;
	size_t fd_count;
	struct loop_timer **timers;
	size_t timer_count;
	size_t timer_capacity;
	uint64_t timer_order;
	struct list deferred;
	struct list prepares;
	struct loop_signal signals[LOOP_SIGNAL_COUNT];
};

/**
 * loop_timers_run - call the timers that are due at the time of the call
 */
void loop_timers_run(struct loop *loop);

/**
 * loop_timers_timeout_ms - milliseconds to the next timer, rounded up
 *
 * Return: -1 if there is none, or if the clock is manual and waiting would not move it.
 */
int loop_timers_timeout_ms(const struct loop *loop);

#endif
