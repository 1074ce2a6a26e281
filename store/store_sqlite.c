/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The store in an SQLite database; the contracts are in store.h and store_private.h, opening and
 * the layout of the tables are in store_sqlite_open.c.
 *
 * Every commit is one immediate transaction with synchronous=FULL on a write-ahead log: when it
 * returns, it survives a power cut; when it fails, nothing of it is there. A full disk fails it
 * only if there is still no room when the write-ahead log has been emptied. The table log says
 * which key was changed by which revision, without values: a watch wants the key as it is now.
 * It is bounded: each commit cuts about as many old rows as it adds.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "store/store_sqlite_private.h"

/* Rows of the log kept for late watches; up to the second number while a watch needs them. */
#define LOG_KEEP 65536
#define LOG_KEEP_MAX (4 * LOG_KEEP)

static struct sqlite_store *sqlite(struct store *store)
{
	return container_of(store, struct sqlite_store, store);
}

static int failed(struct sqlite_store *self, int code, struct error *error)
{
	return sqlite_store_error(self->path, self->database, code, error);
}

/* Statements --------------------------------------------------------------------------------- */

/* Statements are reset after use, so that none holds a lock or an old snapshot. */
static void finish(sqlite3_stmt *statement)
{
	sqlite3_reset(statement); /* repeats the error that sqlite3_step() gave already */
	sqlite3_clear_bindings(statement);
}

static void bind_text(sqlite3_stmt *statement, int place, const char *text)
{
	/* Cannot fail: the place exists, and the text outlives the step. */
	sqlite3_bind_text(statement, place, text, -1, SQLITE_STATIC);
}

static void bind_number(sqlite3_stmt *statement, int place, uint64_t number)
{
	sqlite3_bind_int64(statement, place, (sqlite3_int64)number);
}

/* Run a statement that gives no rows. Return: SQLite's code, SQLITE_OK when done. */
static int run(sqlite3_stmt *statement)
{
	int code = sqlite3_step(statement);

	finish(statement);
	return code == SQLITE_DONE ? SQLITE_OK : code;
}

/* Run a statement that gives one number, or no row (then 0). */
static int run_number(sqlite3_stmt *statement, uint64_t *number)
{
	int code = sqlite3_step(statement);

	*number = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(statement, 0) : 0;
	finish(statement);
	return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

static int meta_get(struct sqlite_store *self, const char *name, uint64_t *number)
{
	sqlite3_stmt *statement = self->statements[SQL_META_GET];

	bind_text(statement, 1, name);
	return run_number(statement, number);
}

static int meta_set(struct sqlite_store *self, const char *name, uint64_t number)
{
	sqlite3_stmt *statement = self->statements[SQL_META_SET];

	bind_text(statement, 1, name);
	bind_number(statement, 2, number);
	return run(statement);
}

/* Reading ------------------------------------------------------------------------------------ */

/* Columns: key, value, revision, lease. */
static int call(sqlite3_stmt *statement, store_item_callback *callback, void *context)
{
	struct store_item item = {
		.key = (const char *)sqlite3_column_text(statement, 0),
		.value = (const char *)sqlite3_column_text(statement, 1),
		.value_len = (size_t)sqlite3_column_bytes(statement, 1),
		.revision = (uint64_t)sqlite3_column_int64(statement, 2),
		.lease = (uint64_t)sqlite3_column_int64(statement, 3),
	};

	return callback(context, &item);
}

static int sqlite_get(struct store *store, const char *key, store_item_callback *callback,
		      void *context, struct error *error)
{
	struct sqlite_store *self = sqlite(store);
	sqlite3_stmt *statement = self->statements[SQL_GET];
	int result;
	int code;

	bind_text(statement, 1, key);
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		result = call(statement, callback, context);
	else if (code == SQLITE_DONE)
		result = -ENOENT;
	else
		result = failed(self, code, error);
	finish(statement);
	return result;
}

/* Bind the half-open range of keys that start with @prefix. */
static void bind_prefix(sqlite3_stmt *statement, const char *prefix,
			char end[STORE_KEY_LENGTH_MAX + 1])
{
	size_t length = strlen(prefix);

	/* No key holds a byte over '~', so the last byte can always be counted up. */
	memcpy(end, prefix, length + 1);
	if (length)
		end[length - 1]++;
	else
		memcpy(end, "\x7f", 2);
	bind_text(statement, 1, prefix);
	bind_text(statement, 2, end);
}

static int call_all(struct sqlite_store *self, sqlite3_stmt *statement,
		    store_item_callback *callback, void *context, struct error *error)
{
	int result = 0;
	int code = SQLITE_ROW;

	while (!result && (code = sqlite3_step(statement)) == SQLITE_ROW)
		result = call(statement, callback, context);
	if (!result && code != SQLITE_DONE)
		result = failed(self, code, error);
	finish(statement);
	return result;
}

/*
 * Several statements that must see the same state run between these two. A read-only or full
 * disk does not keep a deferred transaction from reading.
 */
static int begin_read(struct sqlite_store *self, struct error *error)
{
	int code = sqlite3_exec(self->database, "BEGIN", NULL, NULL, NULL);

	return code ? failed(self, code, error) : 0;
}

static void end_read(struct sqlite_store *self)
{
	/* Ends a transaction that wrote nothing: there is nothing to fail. */
	sqlite3_exec(self->database, "COMMIT", NULL, NULL, NULL);
}

static int sqlite_list(struct store *store, const char *prefix, store_item_callback *callback,
		       void *context, uint64_t *revision, struct error *error)
{
	struct sqlite_store *self = sqlite(store);
	sqlite3_stmt *statement = self->statements[SQL_LIST];
	char end[STORE_KEY_LENGTH_MAX + 1];
	int result;
	int code;

	result = begin_read(self, error);
	if (result)
		return result;
	code = meta_get(self, "revision", revision);
	if (code) {
		result = failed(self, code, error);
	} else {
		bind_prefix(statement, prefix, end);
		result = call_all(self, statement, callback, context, error);
	}
	end_read(self);
	return result;
}

static int read_changes(struct sqlite_store *self, const char *prefix, uint64_t after,
			store_item_callback *callback, void *context, uint64_t *revision,
			struct error *error)
{
	sqlite3_stmt *statement = self->statements[SQL_CHANGES];
	char end[STORE_KEY_LENGTH_MAX + 1];
	uint64_t compacted;
	int code;

	code = meta_get(self, "revision", revision);
	if (!code)
		code = meta_get(self, "compacted", &compacted);
	if (code)
		return failed(self, code, error);
	if (after < compacted)
		return error_set(error, ESTALE, NULL,
				 "changes after revision %" PRIu64 " are forgotten (up to %" PRIu64
				 "): list again",
				 after, compacted);
	bind_prefix(statement, prefix, end);
	bind_number(statement, 3, after);
	return call_all(self, statement, callback, context, error);
}

static int sqlite_changes(struct store *store, const char *prefix, uint64_t after,
			  store_item_callback *callback, void *context, uint64_t *revision,
			  struct error *error)
{
	struct sqlite_store *self = sqlite(store);
	int result = begin_read(self, error);

	if (result)
		return result;
	result = read_changes(self, prefix, after, callback, context, revision, error);
	end_read(self);
	return result;
}

/* Writing ------------------------------------------------------------------------------------ */

/* Deleted or moved by somebody, the file takes what is written to it along: the next start would not find it. */
static int check_place(struct sqlite_store *self, struct error *error)
{
	int moved = 0;

	if (sqlite3_file_control(self->database, "main", SQLITE_FCNTL_HAS_MOVED, &moved) || !moved)
		return 0;
	return error_set(error, EROFS, NULL,
			 "the database %s is not there any more: put it back, or save the intent "
			 "(weft export) and start weftd anew; nothing was changed",
			 self->path);
}

static int begin_write(struct sqlite_store *self, struct error *error)
{
	int result = check_place(self, error);
	int code;

	if (result)
		return result;
	if (self->read_only) {
		result = sqlite_store_connect_writable(self, error);
		if (result)
			return result;
	}
	code = sqlite3_exec(self->database, "BEGIN IMMEDIATE", NULL, NULL, NULL);
	return code ? failed(self, code, error) : 0;
}

/*
 * Bring what is in the write-ahead log into the database, and cut the log to nothing: it may hold
 * many versions of the same few pages. Not while somebody else reads, nor where the database has
 * to grow and cannot; then all is as before. Return: whether there may be more room now.
 */
static bool empty_log(struct sqlite_store *self)
{
	int code;

	if (self->read_only)
		return false;
	sqlite3_busy_timeout(self->database, 0);
	code = sqlite3_wal_checkpoint_v2(self->database, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL,
					 NULL);
	sqlite3_busy_timeout(self->database, SQLITE_STORE_BUSY_MS);
	return code == SQLITE_OK;
}

/* End the transaction: keep it if @result is 0, otherwise undo it. */
static int end_write(struct sqlite_store *self, int result, struct error *error)
{
	int code;

	if (!result) {
		code = sqlite3_exec(self->database, "COMMIT", NULL, NULL, NULL);
		if (!code)
			return 0;
		result = failed(self, code, error);
	}
	/* Some failures have rolled back already; a second time does no harm. */
	if (!sqlite3_get_autocommit(self->database))
		sqlite3_exec(self->database, "ROLLBACK", NULL, NULL, NULL);
	return result;
}

static int check_unchanged(struct sqlite_store *self, const struct store_compare *compare,
			   struct error *error)
{
	struct store_newest newest = { .after = compare->revision };
	sqlite3_stmt *statement = self->statements[SQL_LIST];
	char end[STORE_KEY_LENGTH_MAX + 1];
	int result;

	bind_prefix(statement, compare->key, end);
	result = call_all(self, statement, store_find_newer, &newest, error);
	if (newest.found)
		return store_compare_failed(compare, newest.found, error);
	return result;
}

static int check(struct sqlite_store *self, const struct store_compare *compare,
		 struct error *error)
{
	sqlite3_stmt *statement = self->statements[SQL_GET];
	uint64_t found = 0;
	bool exists;
	int code;

	if (compare->requirement == STORE_REQUIRE_UNCHANGED)
		return check_unchanged(self, compare, error);
	bind_text(statement, 1, compare->key);
	code = sqlite3_step(statement);
	exists = code == SQLITE_ROW;
	if (exists)
		found = (uint64_t)sqlite3_column_int64(statement, 2);
	finish(statement);
	if (!exists && code != SQLITE_DONE)
		return failed(self, code, error);
	if (compare->requirement == STORE_REQUIRE_EXISTING ? exists : found == compare->revision)
		return 0;
	return store_compare_failed(compare, found, error);
}

static int log_change(struct sqlite_store *self, const char *key, uint64_t revision)
{
	sqlite3_stmt *statement = self->statements[SQL_LOG];
	int code;

	bind_number(statement, 1, revision);
	bind_text(statement, 2, key);
	code = run(statement);
	if (!code)
		self->log_count += (uint64_t)sqlite3_changes(self->database);
	return code;
}

/* Sets @changed if there is something to log. Return: SQLite's code. */
static int write_change(struct sqlite_store *self, const struct store_change *change,
			uint64_t revision, bool *changed)
{
	sqlite3_stmt *statement = self->statements[change->value ? SQL_PUT : SQL_DELETE];
	int code;

	bind_text(statement, 1, change->key);
	if (change->value) {
		sqlite3_bind_text(statement, 2, change->value, (int)change->value_len,
				  SQLITE_STATIC);
		bind_number(statement, 3, revision);
		bind_number(statement, 4, change->lease);
	}
	code = run(statement);
	if (code || !sqlite3_changes(self->database))
		return code;
	*changed = true;
	return log_change(self, change->key, revision);
}

/*
 * Cut the oldest revisions, whole ones, from a log that has grown too long, but none that a
 * watch still has to hear of unless the log is far too long.
 */
static int cut_log(struct sqlite_store *self)
{
	sqlite3_stmt *statement = self->statements[SQL_LOG_BOUNDARY];
	uint64_t keep_after = store_oldest_watch(&self->store);
	uint64_t boundary;
	int code;

	if (self->log_count <= LOG_KEEP)
		return SQLITE_OK;
	bind_number(statement, 1, self->log_count - LOG_KEEP - 1);
	code = run_number(statement, &boundary);
	if (code)
		return code;
	if (boundary > keep_after && self->log_count < LOG_KEEP_MAX)
		boundary = keep_after;
	bind_number(self->statements[SQL_LOG_CUT], 1, boundary);
	code = run(self->statements[SQL_LOG_CUT]);
	if (code || !sqlite3_changes(self->database))
		return code;
	self->log_count -= (uint64_t)sqlite3_changes(self->database);
	return meta_set(self, "compacted", boundary);
}

/* The changes of one commit; the comparisons hold. Sets @revision. Return: SQLite's code. */
static int write_changes(struct sqlite_store *self, const struct store_change *changes,
			 size_t count, uint64_t *revision)
{
	bool changed = false;
	uint64_t next;
	int code;

	code = meta_get(self, "revision", revision);
	next = *revision + 1;
	for (size_t i = 0; !code && i < count; i++)
		code = write_change(self, &changes[i], next, &changed);
	if (code || !changed)
		return code;
	code = meta_set(self, "revision", next);
	if (!code)
		code = cut_log(self);
	*revision = next;
	return code;
}

/* What one transaction does; may be called again after it has failed and was undone. */
typedef int write_function(struct sqlite_store *self, void *context, struct error *error);

static int write_once(struct sqlite_store *self, write_function *function, void *context,
		      struct error *error)
{
	uint64_t log_count = self->log_count;
	int result = begin_write(self, error);

	if (result)
		return result;
	result = end_write(self, function(self, context, error), error);
	if (result)
		self->log_count = log_count;
	return result;
}

/* A transaction of its own, tried again where the disk was full and the log could be emptied. */
static int write_all(struct sqlite_store *self, write_function *function, void *context,
		     struct error *error)
{
	int result = write_once(self, function, context, error);

	if (result == -ENOSPC && empty_log(self))
		result = write_once(self, function, context, error);
	return result;
}

struct commit {
	const struct store_transaction *transaction;
	uint64_t revision; /* that it has made */
};

static int commit(struct sqlite_store *self, void *context, struct error *error)
{
	const struct store_transaction *transaction = ((struct commit *)context)->transaction;
	int result = 0;
	int code;

	for (size_t i = 0; !result && i < transaction->compare_count; i++)
		result = check(self, &transaction->compares[i], error);
	if (result)
		return result;
	code = write_changes(self, transaction->changes, transaction->change_count,
			     &((struct commit *)context)->revision);
	return code ? failed(self, code, error) : 0;
}

static int sqlite_commit(struct store *store, const struct store_transaction *transaction,
			 uint64_t *revision, struct error *error)
{
	struct commit context = { .transaction = transaction };
	int result = write_all(sqlite(store), commit, &context, error);

	if (!result)
		*revision = context.revision;
	return result;
}

/* Leases ------------------------------------------------------------------------------------- */

struct lease {
	uint64_t id; /* added, or to be removed */
	uint64_t ttl_ms;
	uint64_t revision; /* that removing it has made */
};

static int add_lease(struct sqlite_store *self, void *context, struct error *error)
{
	sqlite3_stmt *statement = self->statements[SQL_LEASE_ADD];
	struct lease *lease = context;
	int code;

	bind_number(statement, 1, lease->ttl_ms);
	code = run(statement);
	lease->id = (uint64_t)sqlite3_last_insert_rowid(self->database);
	return code ? failed(self, code, error) : 0;
}

static int sqlite_lease_add(struct store *store, uint64_t ttl_ms, uint64_t *lease,
			    struct error *error)
{
	struct lease context = { .ttl_ms = ttl_ms };
	int result = write_all(sqlite(store), add_lease, &context, error);

	*lease = context.id;
	return result;
}

static int collect_key(void *context, const struct store_item *item)
{
	store_transaction_delete(context, item->key);
	return 0;
}

static int remove_lease(struct sqlite_store *self, void *context, struct error *error)
{
	struct store_transaction *deletions = store_transaction_new();
	struct lease *lease = context;
	int result;
	int code;

	bind_number(self->statements[SQL_LEASE_KEYS], 1, lease->id);
	result = call_all(self, self->statements[SQL_LEASE_KEYS], collect_key, deletions, error);
	if (!result) {
		code = write_changes(self, deletions->changes, deletions->change_count,
				     &lease->revision);
		bind_number(self->statements[SQL_LEASE_REMOVE], 1, lease->id);
		if (!code)
			code = run(self->statements[SQL_LEASE_REMOVE]);
		if (code)
			result = failed(self, code, error);
	}
	store_transaction_free(deletions);
	return result;
}

static int sqlite_lease_remove(struct store *store, uint64_t lease, uint64_t *revision,
			       struct error *error)
{
	struct lease context = { .id = lease };
	int result = write_all(sqlite(store), remove_lease, &context, error);

	if (!result)
		*revision = context.revision;
	return result;
}

/* Opening and closing ------------------------------------------------------------------------ */

static void sqlite_close(struct store *store)
{
	struct sqlite_store *self = sqlite(store);

	sqlite_store_disconnect(self);
	free(self->path);
	free(self);
}

static const struct store_ops sqlite_ops = {
	.get = sqlite_get,
	.list = sqlite_list,
	.changes = sqlite_changes,
	.commit = sqlite_commit,
	.lease_add = sqlite_lease_add,
	.lease_remove = sqlite_lease_remove,
	.close = sqlite_close,
};

int store_open_sqlite(const char *path, const struct clock *clock, struct store **store,
		      struct error *error)
{
	struct sqlite_store *self = xcalloc(1, sizeof(*self));
	int result;

	store_init(&self->store, &sqlite_ops, clock);
	self->path = xstrdup(path);
	result = sqlite_store_connect(self, error);
	if (result) {
		store_close(&self->store);
		return result;
	}
	*store = &self->store;
	return 0;
}
