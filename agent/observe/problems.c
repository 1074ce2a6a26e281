/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of present problems; see problems.h.
 */
#include "agent/observe/problems.h"

#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/log.h"

struct problem_key {
	uint32_t source;
	uint32_t object_id;
};

void problems_init(struct problems *problems, const struct clock *clock)
{
	map_init(&problems->map);
	problems->clock = clock;
}

void problems_fini(struct problems *problems)
{
	map_fini(&problems->map, free);
}

/* Of these the number is a place in a list of the host's, and says nothing of an object. */
static bool is_by_place(enum problem_source source)
{
	return source == PROBLEM_UPLINK || source == PROBLEM_SHARES;
}

void problems_raise(struct problems *problems, enum problem_source source, uint32_t object_id,
		    const char *text)
{
	const struct problem_key key = { source, object_id };
	struct problem *problem = map_get(&problems->map, &key, sizeof(key));

	if (problem && strcmp(problem->text, text) == 0)
		return;
	if (!problem) {
		problem = xcalloc(1, sizeof(*problem));
		problem->source = source;
		problem->object_id = is_by_place(source) ? 0 : object_id;
		problem->since_ns = clock_realtime_ns(problems->clock);
		map_put(&problems->map, &key, sizeof(key), problem);
	}
	snprintf(problem->text, sizeof(problem->text), "%s", text);
	log_limited(LOG_LEVEL_WARNING, "problem", "object=%u text=\"%s\"", object_id, text);
}

void problems_clear(struct problems *problems, enum problem_source source, uint32_t object_id)
{
	const struct problem_key key = { source, object_id };
	struct problem *problem = map_remove(&problems->map, &key, sizeof(key));

	if (!problem)
		return;
	log_limited(LOG_LEVEL_INFO, "problem solved", "object=%u text=\"%s\"", object_id,
		    problem->text);
	free(problem);
}

const struct problem *problems_get(const struct problems *problems, enum problem_source source,
				   uint32_t object_id)
{
	const struct problem_key key = { source, object_id };

	return map_get(&problems->map, &key, sizeof(key));
}

size_t problems_count(const struct problems *problems)
{
	return map_count(&problems->map);
}
