/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leases; the contracts are in store.h.
 *
 * The implementation keeps which leases exist and which keys hang on them; how long each has
 * left is kept here, by the store's clock. A store that was closed starts every lease anew: time
 * in which nobody could keep it alive must not end it.
 *
 * A store over the network is asked to renew, and its word counts. A lease that is kept alive is
 * never ended from here: after a partition it may still be there.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "store/store_private.h"

/* When deleting the keys of an expired lease fails, it is tried again after this time. */
#define RETRY_NS CLOCK_NS_PER_SECOND

/*
 * @kept: by store_lease_keep(), next at @renew_ns unless @renewing; @gone: the store said so
 */
struct store_lease {
	uint64_t ttl_ns;
	uint64_t deadline_ns;
	bool kept;
	bool renewing;
	bool gone;
	uint64_t renew_ns;
	store_lease_lost_callback *lost;
	void *context;
};

static struct store_lease *find(const struct store *store, uint64_t lease)
{
	return map_get(&store->leases, &lease, sizeof(lease));
}

bool store_lease_exists(const struct store *store, uint64_t lease)
{
	const struct store_lease *entry = find(store, lease);

	return entry && !entry->gone;
}

/* Counted from before the store was asked, so that the time is not over there before it is here. */
static void renew(struct store_lease *entry, uint64_t asked_ns)
{
	entry->deadline_ns = asked_ns + entry->ttl_ns;
	entry->renew_ns = asked_ns + entry->ttl_ns / 3;
}

static bool is_over(const struct store *store, const struct store_lease *entry)
{
	if (entry->gone)
		return true;
	return !entry->kept && entry->deadline_ns <= clock_monotonic_ns(store->clock);
}

void store_lease_restore(struct store *store, uint64_t lease, uint64_t ttl_ms)
{
	struct store_lease *entry = xcalloc(1, sizeof(*entry));

	if (ttl_ms > UINT64_MAX / 4 / CLOCK_NS_PER_MS)
		ttl_ms = UINT64_MAX / 4 / CLOCK_NS_PER_MS; /* some centuries */
	entry->ttl_ns = ttl_ms * CLOCK_NS_PER_MS;
	renew(entry, clock_monotonic_ns(store->clock));
	free(map_put(&store->leases, &lease, sizeof(lease), entry));
}

int store_lease_grant(struct store *store, uint64_t ttl_ms, uint64_t *lease, struct error *error)
{
	int result;

	if (!ttl_ms || ttl_ms > INT64_MAX)
		return error_set(error, EINVAL, NULL, "a lease of %" PRIu64 " ms cannot be",
				 ttl_ms);
	result = store->ops->lease_add(store, ttl_ms, lease, error);
	if (result)
		return result;
	store_lease_restore(store, *lease, ttl_ms);
	store_leases_arm(store);
	return 0;
}

static int has_expired(uint64_t lease, struct error *error)
{
	return error_set(error, ENOENT, NULL, "lease %" PRIu64 " has expired", lease);
}

int store_lease_keepalive(struct store *store, uint64_t lease, struct error *error)
{
	uint64_t now = clock_monotonic_ns(store->clock);
	struct store_lease *entry = find(store, lease);
	int result = 0;

	/* Late is late, also if nobody has come to delete the keys yet. */
	if (!entry || is_over(store, entry))
		return has_expired(lease, error);
	if (store->ops->lease_renew)
		result = store->ops->lease_renew(store, lease, error);
	if (result == -ENOENT) {
		entry->gone = true;
		store_ask_for_dispatch(store);
		return has_expired(lease, error);
	}
	if (!result)
		renew(entry, now);
	store_leases_arm(store);
	return result;
}

int store_lease_keep(struct store *store, uint64_t lease, store_lease_lost_callback *lost,
		     void *context, struct error *error)
{
	struct store_lease *entry = find(store, lease);

	if (!entry || is_over(store, entry))
		return has_expired(lease, error);
	entry->kept = true;
	entry->lost = lost;
	entry->context = context;
	store_leases_arm(store);
	return 0;
}

uint64_t store_lease_left_ms(const struct store *store, uint64_t lease)
{
	uint64_t now = clock_monotonic_ns(store->clock);
	const struct store_lease *entry = find(store, lease);

	if (!entry || entry->gone || entry->deadline_ns <= now)
		return 0;
	return (entry->deadline_ns - now) / CLOCK_NS_PER_MS;
}

void store_lease_renewed(struct store *store, uint64_t lease, uint64_t asked_ns, int result)
{
	struct store_lease *entry = find(store, lease);
	uint64_t retry_ns = RETRY_NS;

	if (!entry)
		return;
	entry->renewing = false;
	if (!result) {
		renew(entry, asked_ns);
	} else if (result == -ENOENT) {
		entry->gone = true;
		store_ask_for_dispatch(store);
	} else {
		if (retry_ns > entry->ttl_ns / 6)
			retry_ns = entry->ttl_ns / 6;
		entry->renew_ns = clock_monotonic_ns(store->clock) + retry_ns;
	}
	store_leases_arm(store);
}

void store_leases_renew_soon(struct store *store)
{
	uint64_t now = clock_monotonic_ns(store->clock);

	MAP_FOR_EACH(&store->leases, it) {
		struct store_lease *entry = it.value;

		/* Those whose last renewal came through have more than two thirds left. */
		if (entry->deadline_ns < now + entry->ttl_ns * 2 / 3)
			entry->renew_ns = now;
	}
	store_leases_arm(store);
}

/* A lease that is gone leaves the table before its owner is told, who may do what he likes. */
static bool tell_one_lost(struct store *store)
{
	MAP_FOR_EACH(&store->leases, it) {
		struct store_lease *entry = it.value;
		uint64_t lease = *(const uint64_t *)it.key;

		if (!entry->gone)
			continue;
		map_remove(&store->leases, &lease, sizeof(lease));
		if (entry->lost)
			entry->lost(entry->context, lease);
		free(entry);
		return true;
	}
	return false;
}

void store_leases_keep(struct store *store)
{
	uint64_t now;

	if (!map_count(&store->leases))
		return;
	now = clock_monotonic_ns(store->clock);
	while (tell_one_lost(store))
		;
	MAP_FOR_EACH(&store->leases, it) {
		struct store_lease *entry = it.value;

		if (!entry->kept || entry->renewing || entry->renew_ns > now)
			continue;
		if (!store->ops->lease_renew_start) {
			renew(entry, now);
			continue;
		}
		entry->renewing = true;
		store->ops->lease_renew_start(store, *(const uint64_t *)it.key);
	}
}

int store_lease_revoke(struct store *store, uint64_t lease, struct error *error)
{
	uint64_t revision;
	int result;

	if (!find(store, lease))
		return has_expired(lease, error);
	result = store->ops->lease_remove(store, lease, &revision, error);
	if (result)
		return result;
	free(map_remove(&store->leases, &lease, sizeof(lease)));
	store_moved_on(store, revision);
	return 0;
}

int store_leases_expire(struct store *store, struct error *error)
{
	uint64_t now;
	int result = 0;

	if (!map_count(&store->leases))
		return 0;
	now = clock_monotonic_ns(store->clock);
	MAP_FOR_EACH(&store->leases, it) {
		const struct store_lease *entry = it.value;
		uint64_t lease = *(const uint64_t *)it.key;
		int failed;

		if (entry->kept || entry->gone || entry->deadline_ns > now)
			continue;
		failed = store_lease_revoke(store, lease, result ? NULL : error);
		if (failed && !result)
			result = failed;
	}
	return result;
}

/* When something is to be done for @entry; at least a moment after @now. */
static uint64_t due_at(const struct store_lease *entry, uint64_t now)
{
	if (entry->renewing || entry->gone)
		return UINT64_MAX;
	if (entry->kept)
		return entry->renew_ns > now ? entry->renew_ns : now + 1;
	/* A deadline that has passed is one whose keys could not be deleted. */
	return entry->deadline_ns > now ? entry->deadline_ns : now + RETRY_NS;
}

void store_leases_arm(struct store *store)
{
	uint64_t now = clock_monotonic_ns(store->clock);
	uint64_t next = UINT64_MAX;

	loop_timer_stop(&store->expiry);
	if (!store->loop || !map_count(&store->leases))
		return;
	MAP_FOR_EACH(&store->leases, it) {
		uint64_t due = due_at(it.value, now);

		if (due < next)
			next = due;
	}
	if (next != UINT64_MAX)
		loop_timer_start(store->loop, &store->expiry, next - now, 0);
}
