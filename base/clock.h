/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Time as a parameter.
 *
 * Code that waits or expires takes a struct clock; NULL is the system's clock. A test makes a
 * manual one and moves it by hand, so that a timeout is tested by adding to a number.
 */
#ifndef WEFT_BASE_CLOCK_H
#define WEFT_BASE_CLOCK_H

#include <stdint.h>

#define CLOCK_NS_PER_SECOND UINT64_C(1000000000)
#define CLOCK_NS_PER_MS UINT64_C(1000000)
#define CLOCK_RFC3339_SIZE 32

/**
 * struct clock - a clock that stands still until it is moved
 * @monotonic_ns: nanoseconds since some start
 * @realtime_ns: nanoseconds since 1970-01-01 UTC
 */
struct clock {
	uint64_t monotonic_ns;
	uint64_t realtime_ns;
};

/**
 * clock_advance - move a manual clock, both of its times, by @ns nanoseconds
 */
void clock_advance(struct clock *clock, uint64_t ns);

/**
 * clock_monotonic_ns - nanoseconds that only grow
 * @clock: NULL for the system's
 */
uint64_t clock_monotonic_ns(const struct clock *clock);

/**
 * clock_monotonic_ms - the same in milliseconds
 */
uint64_t clock_monotonic_ms(const struct clock *clock);

/**
 * clock_realtime_ns - nanoseconds since 1970-01-01 UTC
 * @clock: NULL for the system's
 */
uint64_t clock_realtime_ns(const struct clock *clock);

/**
 * clock_rfc3339_format - "2026-11-21T03:04:05.678Z"
 * @realtime_ns: nanoseconds since 1970-01-01 UTC
 * @text: filled in
 *
 * Return: @text.
 */
const char *clock_rfc3339_format(uint64_t realtime_ns, char text[CLOCK_RFC3339_SIZE]);

#endif
