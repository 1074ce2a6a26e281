/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop: one thread, epoll, timers in a heap, deferred calls, signals.
 *
 * Every callback may add or remove anything, itself included; what was removed is not called
 * again, not even for an event that had already been fetched. Timers, deferred calls and prepare
 * hooks live inside their owner's struct and allocate nothing. One round is: deferred calls,
 * due timers, prepare hooks, wait, callbacks of descriptors.
 */
#ifndef WEFT_BASE_LOOP_H
#define WEFT_BASE_LOOP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"

struct loop;

/* @events: EPOLLIN and so on, as epoll_wait(2) gave them. */
typedef void loop_fd_callback(void *context, int fd, uint32_t events);
typedef void loop_callback(void *context);
typedef void loop_signal_callback(void *context, int signal_number);
/* Return: milliseconds the coming wait may last at most, -1 for no limit. */
typedef int loop_prepare_callback(void *context);

/* Private in all but the place where it is kept; zero it or call its init function. */
struct loop_timer {
	struct loop *loop;
	uint64_t deadline_ns;
	uint64_t period_ns;
	uint64_t order;
	size_t position;
	loop_callback *callback;
	void *context;
};

struct loop_deferred {
	struct list node;
	loop_callback *callback;
	void *context;
};

struct loop_prepare {
	struct list node;
	loop_prepare_callback *callback;
	void *context;
};

/**
 * loop_new - a loop with nothing in it
 * @loop: set on success; release with loop_free()
 * @clock: what timers go by; NULL for the system's. With a manual clock a wait lasts until an
 *	event or the caller's limit: the clock does not move by waiting.
 * @error: a sentence on failure
 *
 * Return: 0 or negative errno.
 */
int loop_new(struct loop **loop, const struct clock *clock, struct error *error);

/**
 * loop_free - release @loop (may be NULL); descriptors added stay open and are the caller's
 */
void loop_free(struct loop *loop);

/** loop_clock - the clock given to loop_new() */
const struct clock *loop_clock(const struct loop *loop);

/**
 * loop_add_fd - call @callback when @fd has one of @events (EPOLLIN, EPOLLOUT, EPOLLET …)
 *
 * Remove it before closing it.
 *
 * Return: 0, -EEXIST if it is in the loop already, or another negative errno.
 */
int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_callback *callback,
		void *context);

/** loop_modify_fd - wait for @events from now on. Return: 0 or -ENOENT. */
int loop_modify_fd(struct loop *loop, int fd, uint32_t events);

/** loop_remove_fd - forget @fd; harmless if it is not in the loop */
void loop_remove_fd(struct loop *loop, int fd);

/** loop_timer_init - say what @timer calls; it is not running */
void loop_timer_init(struct loop_timer *timer, loop_callback *callback, void *context);

/**
 * loop_timer_start - run @timer, from anew if it runs already
 * @delay_ns: nanoseconds until the first call
 * @period_ns: nanoseconds between calls after that; 0 for one call. Calls missed are left out.
 */
void loop_timer_start(struct loop *loop, struct loop_timer *timer, uint64_t delay_ns,
		      uint64_t period_ns);

/** loop_timer_stop - no call any more; harmless if not running */
void loop_timer_stop(struct loop_timer *timer);

/** loop_timer_is_running - whether a call is to come */
bool loop_timer_is_running(const struct loop_timer *timer);

/** loop_deferred_init - say what @deferred calls */
void loop_deferred_init(struct loop_deferred *deferred, loop_callback *callback, void *context);

/** loop_defer - call once in the next round; once even if asked several times */
void loop_defer(struct loop *loop, struct loop_deferred *deferred);

/** loop_deferred_cancel - no call; harmless if none was due */
void loop_deferred_cancel(struct loop_deferred *deferred);

/** loop_prepare_add - call @callback before each wait */
void loop_prepare_add(struct loop *loop, struct loop_prepare *prepare,
		      loop_prepare_callback *callback, void *context);

/** loop_prepare_remove - no call any more */
void loop_prepare_remove(struct loop_prepare *prepare);

/**
 * loop_add_signal - block @signal_number in this thread and call @callback when it comes
 *
 * Call before threads are made. The signal stays blocked after loop_free().
 *
 * Return: 0 or negative errno.
 */
int loop_add_signal(struct loop *loop, int signal_number, loop_signal_callback *callback,
		    void *context);

/** loop_run - rounds until loop_stop(). Return: 0 or negative errno. */
int loop_run(struct loop *loop);

/**
 * loop_run_once - one round
 * @timeout_ms: longest wait, -1 for none, 0 not to wait
 *
 * Return: 0 or negative errno.
 */
int loop_run_once(struct loop *loop, int timeout_ms);

/** loop_stop - make loop_run() return after this round */
void loop_stop(struct loop *loop);

#endif
