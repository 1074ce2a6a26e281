/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The front of every store: transactions, checks, reads and commits. The contracts are in
 * store.h; watches are in store_watch.c, leases in store_lease.c.
 */
#include "store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/store_private.h"

void store_close(struct store *store)
{
	if (!store)
		return;
	store_detach(store);
	while (!list_is_empty(&store->watches))
		store_watch_cancel((struct store_watch *)store->watches.next);
	map_fini(&store->leases, free);
	store->ops->close(store);
}

uint64_t store_revision(const struct store *store)
{
	return store->revision;
}

bool store_reachable(const struct store *store, struct error *why)
{
	return !store->ops->reachable || store->ops->reachable(store, why);
}

/* Checks ------------------------------------------------------------------------------------- */

/*
 * Keys are plain ASCII, so that byte order, prefixes and every store agree on what they are.
 * A prefix may be empty.
 */
static int check_key(const char *key, bool is_prefix, struct error *error)
{
	size_t length = strnlen(key, STORE_KEY_LENGTH_MAX + 1);

	if (length > STORE_KEY_LENGTH_MAX)
		return error_set(error, EINVAL, key, "a key is longer than %d characters",
				 STORE_KEY_LENGTH_MAX);
	if (key[0] != '/' && !(is_prefix && !key[0]))
		return error_set(error, EINVAL, key, "a key does not start with \"/\"");
	for (size_t i = 0; i < length; i++)
		if (key[i] < '!' || key[i] > '~')
			return error_set(error, EINVAL, NULL,
					 "a key holds a byte that is not printable ASCII");
	return 0;
}

static int check_change(const struct store *store, const struct store_change *change,
			struct error *error)
{
	int result = check_key(change->key, false, error);

	if (result)
		return result;
	if (change->value_len > STORE_VALUE_LENGTH_MAX)
		return error_set(error, EINVAL, change->key, "a value is larger than %u bytes",
				 STORE_VALUE_LENGTH_MAX);
	if (change->lease && !store_lease_exists(store, change->lease))
		return error_set(error, ENOENT, change->key, "lease %" PRIu64 " has expired",
				 change->lease);
	return 0;
}

static int check_transaction(const struct store *store, const struct store_transaction *transaction,
			     struct error *error)
{
	int result = 0;

	for (size_t i = 0; !result && i < transaction->compare_count; i++)
		result = check_key(transaction->compares[i].key, false, error);
	for (size_t i = 0; !result && i < transaction->change_count; i++)
		result = check_change(store, &transaction->changes[i], error);
	return result;
}

int store_compare_failed(const struct store_compare *compare, uint64_t found, struct error *error)
{
	if (compare->requirement == STORE_REQUIRE_EXISTING || (!found && compare->revision))
		return error_set(error, EAGAIN, compare->key, "%s does not exist", compare->key);
	if (!compare->revision)
		return error_set(error, EAGAIN, compare->key, "%s exists already", compare->key);
	return error_set(error, EAGAIN, compare->key,
			 "%s was changed by somebody else: it is at revision %" PRIu64
			 ", not %" PRIu64,
			 compare->key, found, compare->revision);
}

/* Reading ------------------------------------------------------------------------------------ */

struct get_result {
	char *value;
	uint64_t revision;
};

static int take_item(void *context, const struct store_item *item)
{
	struct get_result *result = context;

	result->value = xstrndup(item->value, item->value_len);
	result->revision = item->revision;
	return 0;
}

int store_get(struct store *store, const char *key, char **value, uint64_t *revision,
	      struct error *error)
{
	struct get_result found = { 0 };
	int result = check_key(key, false, error);

	if (!result)
		result = store->ops->get(store, key, take_item, &found, error);
	if (result == -ENOENT)
		return error_set(error, ENOENT, key, "%s does not exist", key);
	if (result)
		return result;
	*value = found.value;
	if (revision)
		*revision = found.revision;
	return 0;
}

int store_list(struct store *store, const char *prefix, store_item_callback *callback,
	       void *context, uint64_t *revision, struct error *error)
{
	uint64_t at;
	int result = check_key(prefix, true, error);

	if (!result)
		result = store->ops->list(store, prefix, callback, context, &at, error);
	if (!result && revision)
		*revision = at;
	return result;
}

/* Transactions ------------------------------------------------------------------------------- */

struct store_transaction *store_transaction_new(void)
{
	return xcalloc(1, sizeof(struct store_transaction));
}

void store_transaction_free(struct store_transaction *transaction)
{
	if (!transaction)
		return;
	for (size_t i = 0; i < transaction->compare_count; i++)
		free(transaction->compares[i].key);
	for (size_t i = 0; i < transaction->change_count; i++) {
		free(transaction->changes[i].key);
		free(transaction->changes[i].value);
	}
	free(transaction->compares);
	free(transaction->changes);
	free(transaction);
}

static void add_compare(struct store_transaction *transaction, struct store_compare compare)
{
	if (transaction->compare_count == transaction->compare_capacity) {
		transaction->compare_capacity = transaction->compare_capacity * 2 + 8;
		transaction->compares = xreallocarray(transaction->compares,
						      transaction->compare_capacity,
						      sizeof(*transaction->compares));
	}
	transaction->compares[transaction->compare_count++] = compare;
}

static void add_change(struct store_transaction *transaction, struct store_change change)
{
	if (transaction->change_count == transaction->change_capacity) {
		transaction->change_capacity = transaction->change_capacity * 2 + 8;
		transaction->changes = xreallocarray(transaction->changes,
						     transaction->change_capacity,
						     sizeof(*transaction->changes));
	}
	transaction->changes[transaction->change_count++] = change;
}

void store_transaction_require_revision(struct store_transaction *transaction, const char *key,
					uint64_t revision)
{
	add_compare(transaction, (struct store_compare){ .key = xstrdup(key),
							 .requirement = STORE_REQUIRE_REVISION,
							 .revision = revision });
}

void store_transaction_require_existing(struct store_transaction *transaction, const char *key)
{
	add_compare(transaction, (struct store_compare){ .key = xstrdup(key),
							 .requirement = STORE_REQUIRE_EXISTING });
}

void store_transaction_require_unchanged(struct store_transaction *transaction, const char *prefix,
					 uint64_t revision)
{
	add_compare(transaction, (struct store_compare){ .key = xstrdup(prefix),
							 .requirement = STORE_REQUIRE_UNCHANGED,
							 .revision = revision });
}

int store_find_newer(void *context, const struct store_item *item)
{
	struct store_newest *newest = context;

	if (item->revision <= newest->after)
		return 0;
	newest->found = item->revision;
	return 1;
}

void store_transaction_put(struct store_transaction *transaction, const char *key,
			   const char *value, uint64_t lease)
{
	size_t length = strlen(value);

	add_change(transaction, (struct store_change){ .key = xstrdup(key),
						       .value = xmemdup(value, length + 1),
						       .value_len = length,
						       .lease = lease });
}

void store_transaction_delete(struct store_transaction *transaction, const char *key)
{
	add_change(transaction, (struct store_change){ .key = xstrdup(key) });
}

size_t store_transaction_count(const struct store_transaction *transaction)
{
	return transaction->change_count;
}

int store_commit(struct store *store, const struct store_transaction *transaction,
		 uint64_t *revision, struct error *error)
{
	uint64_t at;
	int result;

	/* Leases first: a key must not be written under one whose time is over. */
	result = store_leases_expire(store, error);
	if (!result)
		result = check_transaction(store, transaction, error);
	if (!result)
		result = store->ops->commit(store, transaction, &at, error);
	if (result)
		return result;
	store_moved_on(store, at);
	if (revision)
		*revision = at;
	return 0;
}

int store_put(struct store *store, const char *key, const char *value, uint64_t *revision,
	      struct error *error)
{
	struct store_transaction *transaction = store_transaction_new();
	int result;

	store_transaction_put(transaction, key, value, 0);
	result = store_commit(store, transaction, revision, error);
	store_transaction_free(transaction);
	return result;
}

int store_delete(struct store *store, const char *key, uint64_t *revision, struct error *error)
{
	struct store_transaction *transaction = store_transaction_new();
	int result;

	store_transaction_delete(transaction, key);
	result = store_commit(store, transaction, revision, error);
	store_transaction_free(transaction);
	return result;
}
