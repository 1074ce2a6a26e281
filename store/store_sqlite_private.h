/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What store_sqlite.c (reads and commits) and store_sqlite_open.c (opening, layout, checks)
 * share; nobody else includes this.
 */
#ifndef WEFT_STORE_STORE_SQLITE_PRIVATE_H
#define WEFT_STORE_STORE_SQLITE_PRIVATE_H

#include <sqlite3.h>

#include "store/store_private.h"

/*
 * How long another process may hold the database: while the store is opened, and later on, when the whole daemon
 * waits with it.
 */
#define SQLITE_STORE_OPEN_MS 5000
#define SQLITE_STORE_BUSY_MS 50

enum sqlite_statement {
	SQL_GET,
	SQL_LIST,
	SQL_CHANGES,
	SQL_PUT,
	SQL_DELETE,
	SQL_LOG,
	SQL_LOG_CUT,
	SQL_LOG_BOUNDARY,
	SQL_META_GET,
	SQL_META_SET,
	SQL_LEASE_ADD,
	SQL_LEASE_REMOVE,
	SQL_LEASE_KEYS,
	SQL_STATEMENTS,
};

/**
 * struct sqlite_store - an open database
 * @path: of the file
 * @read_only: it could not be opened for writing; each commit tries again
 * @log_count: rows in the table log
 * @statements: prepared, by enum sqlite_statement
 */
struct sqlite_store {
	struct store store;
	char *path;
	sqlite3 *database;
	bool read_only;
	uint64_t log_count;
	sqlite3_stmt *statements[SQL_STATEMENTS];
};

/**
 * sqlite_store_error - turn what SQLite says into an errno and a sentence
 * @database: may be NULL
 * @code: SQLite's result, extended or not
 *
 * Return: negative errno.
 */
int sqlite_store_error(const char *path, sqlite3 *database, int code, struct error *error);

/**
 * sqlite_store_holder - who has locked the database at @path for itself
 * @text: "process 123 (sqlite3)", or "another process" if that cannot be told
 */
void sqlite_store_holder(const char *path, char *text, size_t size);

/**
 * sqlite_store_connect - open the file, for writing if that is possible
 *
 * Return: 0, with database, read_only, log_count, statements and store.revision set.
 */
int sqlite_store_connect(struct sqlite_store *self, struct error *error);

/**
 * sqlite_store_connect_writable - after a commit to a read-only one: try to open it for writing
 *
 * Return: 0, or negative errno, and then the old connection is still there.
 */
int sqlite_store_connect_writable(struct sqlite_store *self, struct error *error);

/** sqlite_store_disconnect - close the file */
void sqlite_store_disconnect(struct sqlite_store *self);

#endif
