/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Leases; the contracts are in store.h.
 *
 * The implementation keeps which leases exist and which keys hang on them; how long each has
 * left is kept here, by the store's clock. A store that was closed starts every lease anew: time
 * in which nobody could keep it alive must not end it.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "store/store_private.h"

/* When deleting the keys of an expired lease fails, it is tried again after this time. */
#define RETRY_NS CLOCK_NS_PER_SECOND

struct store_lease {
	uint64_t ttl_ns;
	uint64_t deadline_ns;
};

static struct store_lease *find(const struct store *store, uint64_t lease)
{
	return map_get(&store->leases, &lease, sizeof(lease));
}

bool store_lease_exists(const struct store *store, uint64_t lease)
{
	return find(store, lease);
}

static void renew(struct store *store, struct store_lease *entry)
{
	entry->deadline_ns = clock_monotonic_ns(store->clock) + entry->ttl_ns;
}

void store_lease_restore(struct store *store, uint64_t lease, uint64_t ttl_ms)
{
	struct store_lease *entry = xcalloc(1, sizeof(*entry));

	if (ttl_ms > UINT64_MAX / 4 / CLOCK_NS_PER_MS)
		ttl_ms = UINT64_MAX / 4 / CLOCK_NS_PER_MS; /* some centuries */
	entry->ttl_ns = ttl_ms * CLOCK_NS_PER_MS;
	renew(store, entry);
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

int store_lease_keepalive(struct store *store, uint64_t lease, struct error *error)
{
	struct store_lease *entry = find(store, lease);

	/* Late is late, also if nobody has come to delete the keys yet. */
	if (!entry || entry->deadline_ns <= clock_monotonic_ns(store->clock))
		return error_set(error, ENOENT, NULL, "lease %" PRIu64 " has expired", lease);
	renew(store, entry);
	store_leases_arm(store);
	return 0;
}

int store_lease_revoke(struct store *store, uint64_t lease, struct error *error)
{
	uint64_t revision;
	int result;

	if (!find(store, lease))
		return error_set(error, ENOENT, NULL, "lease %" PRIu64 " has expired", lease);
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

		if (entry->deadline_ns > now)
			continue;
		failed = store_lease_revoke(store, lease, result ? NULL : error);
		if (failed && !result)
			result = failed;
	}
	return result;
}

void store_leases_arm(struct store *store)
{
	uint64_t now = clock_monotonic_ns(store->clock);
	uint64_t next = UINT64_MAX;

	loop_timer_stop(&store->expiry);
	if (!store->loop || !map_count(&store->leases))
		return;
	MAP_FOR_EACH(&store->leases, it) {
		const struct store_lease *entry = it.value;

		if (entry->deadline_ns < next)
			next = entry->deadline_ns;
	}
	/* A deadline that has passed is one whose keys could not be deleted. */
	loop_timer_start(store->loop, &store->expiry, next > now ? next - now : RETRY_NS, 0);
}
