/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The system's clocks, or one that a test moves; the contracts are in clock.h.
 */
#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static uint64_t system_ns(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now); /* cannot fail for the clocks asked for here */
	return (uint64_t)now.tv_sec * CLOCK_NS_PER_SECOND + (uint64_t)now.tv_nsec;
}

void clock_advance(struct clock *clock, uint64_t ns)
{
	clock->monotonic_ns += ns;
	clock->realtime_ns += ns;
}

uint64_t clock_monotonic_ns(const struct clock *clock)
{
	return clock ? clock->monotonic_ns : system_ns(CLOCK_MONOTONIC);
}

uint64_t clock_monotonic_ms(const struct clock *clock)
{
	return clock_monotonic_ns(clock) / CLOCK_NS_PER_MS;
}

uint64_t clock_realtime_ns(const struct clock *clock)
{
	return clock ? clock->realtime_ns : system_ns(CLOCK_REALTIME);
}

const char *clock_rfc3339_format(uint64_t realtime_ns, char text[CLOCK_RFC3339_SIZE])
{
	time_t seconds = (time_t)(realtime_ns / CLOCK_NS_PER_SECOND);
	unsigned int ms = (unsigned int)(realtime_ns % CLOCK_NS_PER_SECOND / CLOCK_NS_PER_MS);
	struct tm parts = { 0 };
	size_t used;

	gmtime_r(&seconds, &parts);
	used = strftime(text, CLOCK_RFC3339_SIZE, "%Y-%m-%dT%H:%M:%S", &parts);
	snprintf(text + used, CLOCK_RFC3339_SIZE - used, ".%03uZ", ms);
	return text;
}
