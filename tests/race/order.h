/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Several CPUs at the same tables, in every order of their steps.
 *
 * Each work runs on a thread of its own, but only one thread runs at a time; before each step
 * (native_between) another may be let go on. orders_run tries all orders in which a CPU is interrupted
 * at most so many times in sum, one after the other and always the same: a fault found is found each
 * time. (CHESS: Musuvathi et al., OSDI 2008: few interruptions show nearly all faults of this kind.)
 *
 * Neighbours: native.c (the cases), target/native/table.c (the steps).
 */
#ifndef WEFT_TESTS_RACE_ORDER_H
#define WEFT_TESTS_RACE_ORDER_H

#include <stdbool.h>
#include <stddef.h>

#define ORDER_CPUS 3

struct orders {
	void *context;
	void (*begin)(void *context);            /* before each order, alone */
	void (*work)(void *context, size_t cpu); /* on each CPU */
	/* After each order, alone. False: something is wrong, no further order is tried. */
	bool (*check)(void *context);
	size_t cpu_count; /* at most ORDER_CPUS */
	size_t interruptions;
};

/*
 * Runs the works in all orders. Return: how many there are, when each passed; 0 when one did not, and what
 * it was is then in text: the CPUs in the order they ran, with the count of steps.
 */
size_t orders_run(const struct orders *orders, char *text, size_t text_size);

#endif
