/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The orders: a tree of decisions, walked depth first. Contract and theory: order.h.
 *
 * A decision is which CPU goes on. The trail holds those of the order that runs; the next order repeats
 * the trail up to the last decision that has an option left, takes that option, and from there on the
 * first one each time: the CPU that runs goes on running.
 */
#include "tests/race/order.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>

#include "target/native/native.h"

#define DECISIONS_MAX 4096
#define NOBODY ORDER_CPUS

struct decision {
	unsigned char chosen, options;
};

static const struct orders *running;
static struct decision trail[DECISIONS_MAX];
static size_t decided, repeated; /* decisions so far; of these from the order before */
static size_t interrupted;
static bool finished[ORDER_CPUS], stopping;
static sem_t go[ORDER_CPUS + 1]; /* the last one is the caller's */
static __thread size_t this_cpu = NOBODY;

static size_t decide(size_t options)
{
	struct decision *decision = &trail[decided];

	if (options < 2)
		return 0;
	if (decided == DECISIONS_MAX)
		abort();
	if (decided >= repeated)
		decision->chosen = 0;
	decision->options = (unsigned char)options;
	decided++;
	return decision->chosen;
}

/* The n-th CPU that has work left, besides one. */
static size_t other_cpu(size_t besides, size_t n)
{
	for (size_t cpu = 0; cpu < running->cpu_count; cpu++)
		if (cpu != besides && !finished[cpu] && !n--)
			return cpu;
	return NOBODY;
}

static size_t others(size_t besides)
{
	size_t count = 0;

	while (other_cpu(besides, count) != NOBODY)
		count++;
	return count;
}

static void hand_over(size_t cpu)
{
	sem_post(&go[cpu]);
	while (sem_wait(&go[this_cpu]))
		;
}

/* Before each step of the pipeline: go on, or let another CPU do so. */
static void step(void)
{
	size_t choice;

	if (this_cpu == NOBODY || interrupted == running->interruptions)
		return;
	choice = decide(1 + others(this_cpu));
	if (!choice)
		return;
	interrupted++;
	hand_over(other_cpu(this_cpu, choice - 1));
}

static void *cpu_main(void *argument)
{
	this_cpu = (size_t)argument;
	for (;;) {
		size_t next;

		while (sem_wait(&go[this_cpu]))
			;
		if (stopping)
			return NULL;
		running->work(running->context, this_cpu);
		finished[this_cpu] = true;
		next = other_cpu(NOBODY, decide(others(NOBODY)));
		sem_post(&go[next]);
	}
}

/* One order, from the first decision to the end of all works. */
static bool run_order(void)
{
	decided = interrupted = 0;
	for (size_t cpu = 0; cpu < running->cpu_count; cpu++)
		finished[cpu] = false;
	running->begin(running->context);
	native_between(step);
	sem_post(&go[decide(running->cpu_count)]);
	while (sem_wait(&go[NOBODY]))
		;
	native_between(NULL);
	return running->check(running->context);
}

/* To the next order; false after the last. */
static bool next_order(void)
{
	while (decided && trail[decided - 1].chosen + 1 == trail[decided - 1].options)
		decided--;
	if (!decided)
		return false;
	trail[decided - 1].chosen++;
	repeated = decided;
	return true;
}

static void write_trail(char *text, size_t text_size)
{
	size_t at = 0;

	for (size_t i = 0; i < decided && at < text_size; i++)
		if (trail[i].chosen || !i)
			at += (size_t)snprintf(text + at, text_size - at,
					       "%sdecision %zu: %u of %u", at ? ", " : "", i,
					       trail[i].chosen, trail[i].options);
}

size_t orders_run(const struct orders *orders, char *text, size_t text_size)
{
	pthread_t threads[ORDER_CPUS];
	size_t count = 0;
	bool good;

	running = orders;
	repeated = 0;
	stopping = false;
	for (size_t cpu = 0; cpu <= ORDER_CPUS; cpu++)
		sem_init(&go[cpu], 0, 0);
	for (size_t cpu = 0; cpu < orders->cpu_count; cpu++)
		if (pthread_create(&threads[cpu], NULL, cpu_main, (void *)cpu))
			abort();
	do {
		good = run_order();
		count++;
	} while (good && next_order());
	stopping = true;
	for (size_t cpu = 0; cpu < orders->cpu_count; cpu++) {
		sem_post(&go[cpu]);
		pthread_join(threads[cpu], NULL);
	}
	for (size_t cpu = 0; cpu <= ORDER_CPUS; cpu++)
		sem_destroy(&go[cpu]);
	if (!good)
		write_trail(text, text_size);
	return good ? count : 0;
}
