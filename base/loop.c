/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The event loop; the contracts are in loop.h, the timers' heap is in loop_timer.c.
 *
 * Descriptors live in a table indexed by their number. epoll hands back the number and a
 * generation: a descriptor that was removed (and perhaps closed, and its number given to another
 * one) while events of the same batch wait has another generation by then, and the old event is
 * passed over.
 */
#include "base/loop.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/loop_private.h"

#define EVENTS_MAX 64

int loop_new(struct loop **loop, const struct clock *clock, struct error *error)
{
	struct loop *fresh;
	int epoll_fd;

	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (epoll_fd < 0)
		return error_set(error, errno, NULL, "cannot make an epoll descriptor: %s",
				 strerror(errno));
	fresh = xcalloc(1, sizeof(*fresh));
	fresh->clock = clock;
	fresh->epoll_fd = epoll_fd;
	fresh->signal_fd = -1;
	list_init(&fresh->deferred);
	list_init(&fresh->prepares);
	*loop = fresh;
	return 0;
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->timer_count)
		loop_timer_stop(loop->timers[0]);
	while (list_pop_front(&loop->deferred))
		;
	while (list_pop_front(&loop->prepares))
		;
	if (loop->signal_fd >= 0)
		close(loop->signal_fd);
	close(loop->epoll_fd);
	free(loop->timers);
	free(loop->fds);
	free(loop);
}

const struct clock *loop_clock(const struct loop *loop)
{
	return loop->clock;
}

/* Descriptors ------------------------------------------------------------------------------- */

static struct loop_fd *find_fd(struct loop *loop, int fd)
{
	if (fd < 0 || (size_t)fd >= loop->fd_count || !loop->fds[fd].callback)
		return NULL;
	return &loop->fds[fd];
}

static struct epoll_event make_event(int fd, uint32_t generation, uint32_t events)
{
	return (struct epoll_event){
		.events = events,
		.data.u64 = (uint64_t)generation << 32 | (uint32_t)fd,
	};
}

int loop_add_fd(struct loop *loop, int fd, uint32_t events, loop_fd_callback *callback,
		void *context)
{
	struct epoll_event event;

	if (fd < 0)
		return -EBADF;
	if (find_fd(loop, fd))
		return -EEXIST;
	event = make_event(fd, loop->generation + 1, events);
	if (epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return -errno;
	loop->generation++;
	if ((size_t)fd >= loop->fd_count) {
		size_t count = (size_t)fd + 16;

		loop->fds = xreallocarray(loop->fds, count, sizeof(*loop->fds));
		memset(loop->fds + loop->fd_count, 0,
		       (count - loop->fd_count) * sizeof(*loop->fds));
		loop->fd_count = count;
	}
	loop->fds[fd] = (struct loop_fd){
		.callback = callback,
		.context = context,
		.generation = loop->generation,
	};
	return 0;
}

int loop_modify_fd(struct loop *loop, int fd, uint32_t events)
{
	struct loop_fd *entry = find_fd(loop, fd);
	struct epoll_event event;

	if (!entry)
		return -ENOENT;
	event = make_event(fd, entry->generation, events);
	return epoll_ctl(loop->epoll_fd, EPOLL_CTL_MOD, fd, &event) ? -errno : 0;
}

void loop_remove_fd(struct loop *loop, int fd)
{
	struct loop_fd *entry = find_fd(loop, fd);

	if (!entry)
		return;
	/* Fails only for one that was closed before: the kernel has then forgotten it already. */
	epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
	*entry = (struct loop_fd){ 0 };
}

/* Deferred calls, prepare hooks -------------------------------------------------------------- */

void loop_deferred_init(struct loop_deferred *deferred, loop_callback *callback, void *context)
{
	list_init(&deferred->node);
	deferred->callback = callback;
	deferred->context = context;
}

void loop_defer(struct loop *loop, struct loop_deferred *deferred)
{
	if (list_is_empty(&deferred->node))
		list_push_back(&loop->deferred, &deferred->node);
}

void loop_deferred_cancel(struct loop_deferred *deferred)
{
	if (deferred->node.next)
		list_remove(&deferred->node);
}

/* What is deferred by these calls waits for the next round. */
static void run_deferred(struct loop *loop)
{
	struct list due;
	struct list *node;

	list_init(&due);
	list_splice_back(&due, &loop->deferred);
	while ((node = list_pop_front(&due))) {
		struct loop_deferred *deferred = container_of(node, struct loop_deferred, node);

		deferred->callback(deferred->context);
	}
}

void loop_prepare_add(struct loop *loop, struct loop_prepare *prepare,
		      loop_prepare_callback *callback, void *context)
{
	prepare->callback = callback;
	prepare->context = context;
	list_push_back(&loop->prepares, &prepare->node);
}

void loop_prepare_remove(struct loop_prepare *prepare)
{
	if (prepare->node.next)
		list_remove(&prepare->node);
}

/* The shorter of two limits, where -1 is none. */
static int shorter(int a, int b)
{
	if (a < 0 || b < 0)
		return a < 0 ? b : a;
	return a < b ? a : b;
}

/*
 * Hooks may add and remove hooks. They are moved to a list of their own and from there, one by
 * one, back before they are called: a hook is met once, and one that was removed not at all.
 */
static int run_prepares(struct loop *loop, int timeout_ms)
{
	struct list due;
	struct list *node;

	list_init(&due);
	list_splice_back(&due, &loop->prepares);
	while ((node = list_pop_front(&due))) {
		struct loop_prepare *prepare = container_of(node, struct loop_prepare, node);

		list_push_back(&loop->prepares, node);
		timeout_ms = shorter(timeout_ms, prepare->callback(prepare->context));
	}
	return timeout_ms;
}

/* Signals ------------------------------------------------------------------------------------ */

static void read_signals(void *context, int fd, uint32_t events)
{
	struct loop *loop = context;
	struct signalfd_siginfo info;

	(void)events;
	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		struct loop_signal *entry = &loop->signals[info.ssi_signo];

		if (entry->callback)
			entry->callback(entry->context, (int)info.ssi_signo);
	}
}

int loop_add_signal(struct loop *loop, int signal_number, loop_signal_callback *callback,
		    void *context)
{
	sigset_t wanted;
	sigset_t all;
	int fd;

	if (signal_number < 1 || (size_t)signal_number >= ARRAY_SIZE(loop->signals))
		return -EINVAL;
	sigemptyset(&all);
	for (size_t i = 1; i < ARRAY_SIZE(loop->signals); i++)
		if (loop->signals[i].callback)
			sigaddset(&all, (int)i);
	sigaddset(&all, signal_number);
	sigemptyset(&wanted);
	sigaddset(&wanted, signal_number);
	if (pthread_sigmask(SIG_BLOCK, &wanted, NULL))
		return -EINVAL;
	fd = signalfd(loop->signal_fd, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	loop->signals[signal_number] =
		(struct loop_signal){ .callback = callback, .context = context };
	if (loop->signal_fd >= 0)
		return 0;
	loop->signal_fd = fd;
	return loop_add_fd(loop, fd, EPOLLIN, read_signals, loop);
}

/* Running ------------------------------------------------------------------------------------ */

int loop_run_once(struct loop *loop, int timeout_ms)
{
	struct epoll_event events[EVENTS_MAX];
	int count;

	run_deferred(loop);
	loop_timers_run(loop);
	timeout_ms = run_prepares(loop, timeout_ms);
	/* After the hooks: these too may start timers or defer calls. */
	timeout_ms = shorter(timeout_ms, loop_timers_timeout_ms(loop));
	if (!list_is_empty(&loop->deferred) || loop->stopped)
		timeout_ms = 0;
	count = epoll_wait(loop->epoll_fd, events, EVENTS_MAX, timeout_ms);
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < count; i++) {
		int fd = (int)(uint32_t)events[i].data.u64;
		uint32_t generation = (uint32_t)(events[i].data.u64 >> 32);
		struct loop_fd *entry = find_fd(loop, fd);

		if (entry && entry->generation == generation)
			entry->callback(entry->context, fd, events[i].events);
	}
	return 0;
}

int loop_run(struct loop *loop)
{
	int result = 0;

	while (!result && !loop->stopped)
		result = loop_run_once(loop, -1);
	loop->stopped = false;
	return result;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}
