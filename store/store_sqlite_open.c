/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Opening a database: layout, version, damage, and disks that cannot be written.
 *
 * user_version counts layouts. A database of an older one is brought up step by step in one
 * transaction; one of a newer program is refused, since guessing could destroy it.
 *
 * The daemon must start, and forward, from a disk that is full or read-only. SQLite reads such a
 * database by itself as long as the files of its write-ahead log are there; after a clean end
 * they are not, and cannot be made. Then the file is opened as "immutable", which reads it alone:
 * right only if no log is left beside it, since commits may be in there.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "store/store_sqlite_private.h"

/* migrations[n] turns layout n into layout n + 1; they are never edited, only added to. */
static const char *const migrations[] = {
	"CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL, revision INTEGER NOT NULL,"
	" lease INTEGER NOT NULL) WITHOUT ROWID;"
	"CREATE INDEX kv_lease ON kv (lease) WHERE lease <> 0;"
	"CREATE TABLE log (revision INTEGER NOT NULL, key TEXT NOT NULL,"
	" PRIMARY KEY (revision, key)) WITHOUT ROWID;"
	"CREATE TABLE lease (id INTEGER PRIMARY KEY AUTOINCREMENT, ttl_ms INTEGER NOT NULL);"
	"CREATE TABLE meta (name TEXT PRIMARY KEY, number INTEGER NOT NULL) WITHOUT ROWID;"
	"INSERT INTO meta VALUES ('revision', 0), ('compacted', 0);",
};

/* CROSS JOIN keeps the order: a range of the log first, then each key by its primary key. */
static const char *const statement_texts[] = {
	[SQL_GET] = "SELECT key, value, revision, lease FROM kv WHERE key = ?1",
	[SQL_LIST] = "SELECT key, value, revision, lease FROM kv"
		     " WHERE key >= ?1 AND key < ?2 ORDER BY key",
	[SQL_CHANGES] = "SELECT log.key, kv.value, coalesce(kv.revision, max(log.revision)),"
			" coalesce(kv.lease, 0) FROM log LEFT JOIN kv ON kv.key = log.key"
			" WHERE log.revision > ?3 AND log.key >= ?1 AND log.key < ?2"
			" GROUP BY log.key ORDER BY log.key",
	[SQL_PUT] = "INSERT INTO kv VALUES (?1, ?2, ?3, ?4) ON CONFLICT (key) DO UPDATE SET"
		    " value = excluded.value, revision = excluded.revision,"
		    " lease = excluded.lease",
	[SQL_DELETE] = "DELETE FROM kv WHERE key = ?1",
	[SQL_LOG] = "INSERT OR IGNORE INTO log VALUES (?1, ?2)",
	[SQL_LOG_CUT] = "DELETE FROM log WHERE revision <= ?1",
	[SQL_LOG_BOUNDARY] = "SELECT revision FROM log ORDER BY revision LIMIT 1 OFFSET ?1",
	[SQL_META_GET] = "SELECT number FROM meta WHERE name = ?1",
	[SQL_META_SET] = "UPDATE meta SET number = ?2 WHERE name = ?1",
	[SQL_LEASE_ADD] = "INSERT INTO lease (ttl_ms) VALUES (?1)",
	[SQL_LEASE_REMOVE] = "DELETE FROM lease WHERE id = ?1",
	[SQL_LEASE_KEYS] = "SELECT key, value, revision, lease FROM kv"
			   " WHERE lease = ?1 AND lease <> 0",
};
_Static_assert(ARRAY_SIZE(statement_texts) == SQL_STATEMENTS, "statements vs their enum");

/* Errors ------------------------------------------------------------------------------------- */

/* The errno behind an error of input and output; EIO if SQLite does not know one. */
static int system_errno(sqlite3 *database)
{
	int number = database ? sqlite3_system_errno(database) : 0;

	return number ? number : EIO;
}

/*
 * Whether the file system of @path is read-only. SQLite then fails at a file it wants beside the
 * database, and the errno it keeps (ENOENT) says nothing about why.
 */
static bool is_read_only(const char *path)
{
	const char *slash = strrchr(path, '/');
	char *directory = slash ? xstrndup(path, (size_t)(slash - path) + 1) : xstrdup(".");
	struct statvfs status;
	bool found = statvfs(directory, &status) == 0 && (status.f_flag & ST_RDONLY);

	free(directory);
	return found;
}

static int io_error(const char *path, sqlite3 *database, struct error *error)
{
	int number = system_errno(database);

	if (is_read_only(path))
		number = EROFS;
	if (number == ENOSPC || number == EDQUOT)
		return error_set(error, ENOSPC, NULL,
				 "the disk that holds %s is full; nothing was changed", path);
	if (number == EROFS)
		return error_set(error, EROFS, NULL,
				 "%s is on a read-only file system; nothing was changed", path);
	return error_set(error, number, NULL, "cannot use the database %s: %s", path,
			 strerror(number));
}

static int busy(const char *path, struct error *error)
{
	char holder[64];

	sqlite_store_holder(path, holder, sizeof(holder));
	return error_set(error, ENOLCK, NULL,
			 "%s holds the database %s; nothing was changed, try again when it is done",
			 holder, path);
}

int sqlite_store_error(const char *path, sqlite3 *database, int code, struct error *error)
{
	const char *text = database ? sqlite3_errmsg(database) : sqlite3_errstr(code);

	switch (code & 0xff) {
	case SQLITE_NOMEM: abort();
	case SQLITE_BUSY:
	case SQLITE_LOCKED: return busy(path, error);
	case SQLITE_FULL:
		return error_set(error, ENOSPC, NULL,
				 "the disk that holds %s is full; nothing was changed", path);
	case SQLITE_READONLY:
		return error_set(error, EROFS, NULL,
				 "the database %s cannot be written; nothing was changed", path);
	case SQLITE_IOERR:
	case SQLITE_CANTOPEN: return io_error(path, database, error);
	case SQLITE_NOTADB:
		return error_set(error, EUCLEAN, NULL, "%s is not a database: move it away", path);
	case SQLITE_CORRUPT:
		return error_set(error, EUCLEAN, NULL,
				 "the database %s is damaged (%s): put a copy of it back, or move "
				 "it away and apply the intent again",
				 path, text);
	default: return error_set(error, EIO, NULL, "the database %s failed: %s", path, text);
	}
}

static int failed(struct sqlite_store *self, int code, struct error *error)
{
	return sqlite_store_error(self->path, self->database, code, error);
}

/* Layout ------------------------------------------------------------------------------------- */

static int query_number(struct sqlite_store *self, const char *sql, uint64_t *number)
{
	sqlite3_stmt *statement;
	int code = sqlite3_prepare_v2(self->database, sql, -1, &statement, NULL);

	if (code)
		return code;
	code = sqlite3_step(statement);
	if (code == SQLITE_ROW) {
		*number = (uint64_t)sqlite3_column_int64(statement, 0);
		code = SQLITE_OK;
	}
	sqlite3_finalize(statement);
	return code == SQLITE_DONE ? SQLITE_CORRUPT : code;
}

/* Whether the first @version layouts and those up to the present one were made. */
static int migrate(struct sqlite_store *self, uint64_t version, struct error *error)
{
	struct buf sql = { 0 };
	int code;

	buf_append_text(&sql, "BEGIN IMMEDIATE;");
	for (uint64_t i = version; i < ARRAY_SIZE(migrations); i++)
		buf_append_text(&sql, migrations[i]);
	buf_printf(&sql, "PRAGMA user_version = %zu; COMMIT;", ARRAY_SIZE(migrations));
	code = sqlite3_exec(self->database, buf_text(&sql), NULL, NULL, NULL);
	buf_fini(&sql);
	return code ? failed(self, code, error) : 0;
}

static int check_damage(struct sqlite_store *self, struct error *error)
{
	sqlite3_stmt *statement;
	const char *verdict;
	int result = 0;
	int code;

	code = sqlite3_prepare_v2(self->database, "PRAGMA quick_check(1)", -1, &statement, NULL);
	if (code)
		return failed(self, code, error);
	code = sqlite3_step(statement);
	verdict = code == SQLITE_ROW ? (const char *)sqlite3_column_text(statement, 0) : NULL;
	if (!verdict)
		result = failed(self, code == SQLITE_DONE ? SQLITE_CORRUPT : code, error);
	else if (strcmp(verdict, "ok") != 0)
		result = error_set(error, EUCLEAN, NULL,
				   "the database %s is damaged (%.100s): put a copy of it back, or "
				   "move it away and apply the intent again",
				   self->path, verdict);
	sqlite3_finalize(statement);
	return result;
}

static int check_layout(struct sqlite_store *self, struct error *error)
{
	uint64_t version = 0;
	int result;
	int code;

	code = query_number(self, "PRAGMA user_version", &version);
	if (code)
		return failed(self, code, error);
	if (version > ARRAY_SIZE(migrations))
		return error_set(error, EPROTO, NULL,
				 "the database %s was written by a newer Weft (layout %u, this one "
				 "knows %zu): start that version",
				 self->path, (unsigned int)version, ARRAY_SIZE(migrations));
	result = check_damage(self, error);
	if (result || version == ARRAY_SIZE(migrations))
		return result;
	if (self->read_only)
		return error_set(error, EROFS, NULL,
				 "the database %s must be %s, and cannot be written", self->path,
				 version ? "brought to the present layout" : "made");
	return migrate(self, version, error);
}

/* Connecting --------------------------------------------------------------------------------- */

void sqlite_store_disconnect(struct sqlite_store *self)
{
	for (size_t i = 0; i < ARRAY_SIZE(self->statements); i++) {
		sqlite3_finalize(self->statements[i]);
		self->statements[i] = NULL;
	}
	/* Fails only if statements are left: there are none. */
	sqlite3_close(self->database);
	self->database = NULL;
}

/* A name for SQLite that may carry a parameter; owned by the caller. */
static char *make_uri(const char *path, const char *parameter)
{
	struct buf uri = { 0 };

	buf_append_text(&uri, "file:");
	for (; *path; path++) {
		if (strchr("%?#", *path))
			buf_printf(&uri, "%%%02x", (unsigned char)*path);
		else
			buf_append_char(&uri, *path);
	}
	buf_append_text(&uri, parameter);
	return buf_steal(&uri, NULL);
}

/* Open, and read once: that is when SQLite finds out what it lacks. */
static int try_open(struct sqlite_store *self, int flags, const char *parameter, int wait_ms,
		    struct error *error)
{
	char *uri = make_uri(self->path, parameter);
	uint64_t version;
	int result;
	int code;

	code = sqlite3_open_v2(uri, &self->database, flags | SQLITE_OPEN_URI, NULL);
	free(uri);
	if (!code) {
		sqlite3_extended_result_codes(self->database, 1);
		sqlite3_busy_timeout(self->database, wait_ms);
		self->read_only = sqlite3_db_readonly(self->database, "main") == 1;
		code = query_number(self, "PRAGMA user_version", &version);
	}
	if (!code && !self->read_only)
		code = sqlite3_exec(self->database,
				    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
				    "PRAGMA journal_size_limit = 16777216;",
				    NULL, NULL, NULL);
	if (!code)
		return 0;
	result = failed(self, code, error);
	sqlite_store_disconnect(self);
	return result;
}

/* Whether there is a write-ahead log with something in it. */
static bool has_log(const char *path)
{
	char *log_path = xasprintf("%s-wal", path);
	struct stat status;
	bool found = stat(log_path, &status) == 0 && status.st_size > 0;

	free(log_path);
	return found;
}

static int prepare_statements(struct sqlite_store *self, struct error *error)
{
	for (size_t i = 0; i < ARRAY_SIZE(statement_texts); i++) {
		int code = sqlite3_prepare_v3(self->database, statement_texts[i], -1,
					      SQLITE_PREPARE_PERSISTENT, &self->statements[i],
					      NULL);

		if (code)
			return failed(self, code, error);
	}
	return 0;
}

static int read_leases(struct sqlite_store *self, struct error *error)
{
	sqlite3_stmt *statement;
	int code;

	code = sqlite3_prepare_v2(self->database, "SELECT id, ttl_ms FROM lease", -1, &statement,
				  NULL);
	if (code)
		return failed(self, code, error);
	while ((code = sqlite3_step(statement)) == SQLITE_ROW) {
		uint64_t lease = (uint64_t)sqlite3_column_int64(statement, 0);

		if (!store_lease_exists(&self->store, lease))
			store_lease_restore(&self->store, lease,
					    (uint64_t)sqlite3_column_int64(statement, 1));
	}
	sqlite3_finalize(statement);
	return code == SQLITE_DONE ? 0 : failed(self, code, error);
}

/* What is the same for every connection, once the file is open. */
static int set_up(struct sqlite_store *self, struct error *error)
{
	int result = check_layout(self, error);
	int code;

	if (!result)
		result = prepare_statements(self, error);
	if (result)
		return result;
	code = query_number(self, "SELECT number FROM meta WHERE name = 'revision'",
			    &self->store.revision);
	if (!code)
		code = query_number(self, "SELECT count(*) FROM log", &self->log_count);
	if (code)
		return failed(self, code, error);
	return read_leases(self, error);
}

int sqlite_store_connect(struct sqlite_store *self, struct error *error)
{
	struct error unheard;
	struct stat status;
	int result;

	result = try_open(self, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "",
			  SQLITE_STORE_OPEN_MS, error);
	if (result && result != -EUCLEAN && result != -ENOLCK && stat(self->path, &status) == 0 &&
	    status.st_size > 0 && !has_log(self->path)) {
		/* The first failure is the one worth telling. */
		if (try_open(self, SQLITE_OPEN_READONLY, "?immutable=1", SQLITE_STORE_OPEN_MS,
			     &unheard) == 0)
			result = 0;
	}
	if (!result)
		result = set_up(self, error);
	if (!result)
		sqlite3_busy_timeout(self->database, SQLITE_STORE_BUSY_MS);
	return result;
}

int sqlite_store_connect_writable(struct sqlite_store *self, struct error *error)
{
	struct sqlite_store fresh = { .path = self->path };
	int result;

	store_init(&fresh.store, self->store.ops, self->store.clock);
	result = try_open(&fresh, SQLITE_OPEN_READWRITE, "", SQLITE_STORE_BUSY_MS, error);
	if (!result && fresh.read_only)
		result = error_set(error, EROFS, NULL,
				   "the database %s cannot be written; nothing was changed",
				   self->path);
	if (!result)
		result = set_up(&fresh, error);
	map_fini(&fresh.store.leases, free);
	if (result) {
		sqlite_store_disconnect(&fresh);
		return result;
	}
	sqlite_store_disconnect(self);
	self->database = fresh.database;
	self->read_only = false;
	self->log_count = fresh.log_count;
	memcpy(self->statements, fresh.statements, sizeof(self->statements));
	return 0;
}
