/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Tables in memory with the semantics of the kernel's maps: hash, LRU hash, longest-prefix trie, array.
 *
 * A table may be put over a live map of the kernel: look-ups that find nothing in memory read the map,
 * and what they read is kept in memory, so that a packet's writes change a copy and never the map. Rows
 * removed while live leave a mark, so that the map's row does not shine through.
 *
 * Every row is an allocation of its own, for pointers from a look-up stay valid while others come and
 * go, as in the kernel (RCU). Removed rows are freed with the next native_reset; but in a preallocated
 * table the memory of a removed row is that of the next new one, as in the kernel. An LPM table keeps
 * its rows in the same hash, and a look-up tries the prefix lengths that exist, longest first.
 *
 * Neighbours: target.h (the verbs), native.h (callers).
 */
#include "target/native/native.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/bpf.h>

struct table_row {
	struct table_row *next; /* in its bucket, or in the list of the removed */
	__u32 hash;
	int hidden; /* removed here, but the live map has it */
	unsigned char bytes[] __attribute__((aligned(8))); /* value, then key */
};

struct table_rows {
	struct table_row **buckets;
	size_t bucket_count; /* a power of two */
	size_t row_count;
	struct table_row *removed;
	__u32 prefixes[161]; /* LPM: rows of each prefix length */
};

#define KIND_HASH TABLE_HASH
#define KIND_HASH_PREALLOCATED TABLE_HASH_PREALLOCATED
#define KIND_LRU_HASH TABLE_LRU_HASH
#define KIND_LPM_TRIE TABLE_LPM_TRIE
#define KIND_ARRAY TABLE_ARRAY
#define KIND_PERCPU_ARRAY TABLE_PERCPU_ARRAY

#define TABLE_DEFINE(name_, kind_, key, value, room_)                                              \
	struct table table_##name_ = {                                                             \
		.name = #name_,                                                                    \
		.kind = KIND_##kind_,                                                              \
		.key_size = sizeof(key),                                                           \
		.value_size = sizeof(value),                                                       \
		.room = room_,                                                                     \
		.live = -1,                                                                        \
	};
WEFT_TABLES(TABLE_DEFINE)

#define TABLE_POINTER(name_, kind_, key, value, room_) &table_##name_,
static struct table *const tables[] = { WEFT_TABLES(TABLE_POINTER) };

struct table *native_table(enum table_id i)
{
	return tables[i];
}

void (*native_step)(void);

void native_between(void (*step)(void))
{
	native_step = step;
}

/* The rows of these tables are made and removed by packets. */
static void between_verbs(const struct table *table)
{
	if (table->kind == TABLE_HASH_PREALLOCATED)
		between_steps();
}

static void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		abort();
	return memory;
}

static __u32 hash_bytes(const unsigned char *bytes, size_t size)
{
	__u32 hash = 2166136261u;

	for (size_t i = 0; i < size; i++)
		hash = (hash ^ bytes[i]) * 16777619u;
	return hash ^ hash >> 15;
}

static size_t value_room(const struct table *table)
{
	return (table->value_size + 7) & ~(size_t)7;
}

static unsigned char *row_key(const struct table *table, struct table_row *row)
{
	return row->bytes + value_room(table);
}

static void grow(struct table_rows *rows)
{
	size_t count = rows->bucket_count ? rows->bucket_count * 2 : 64;
	struct table_row **buckets = allocate(count * sizeof(*buckets));

	for (size_t i = 0; i < rows->bucket_count; i++) {
		struct table_row *row = rows->buckets[i], *next;

		for (; row; row = next) {
			next = row->next;
			row->next = buckets[row->hash & (count - 1)];
			buckets[row->hash & (count - 1)] = row;
		}
	}
	free(rows->buckets);
	rows->buckets = buckets;
	rows->bucket_count = count;
}

static struct table_rows *rows_of(struct table *table)
{
	if (!table->rows) {
		table->rows = allocate(sizeof(*table->rows));
		grow(table->rows);
	}
	return table->rows;
}

static struct table_row *find(struct table *table, const void *key)
{
	struct table_rows *rows = rows_of(table);
	__u32 hash = hash_bytes(key, table->key_size);
	struct table_row *row = rows->buckets[hash & (rows->bucket_count - 1)];

	while (row && (row->hash != hash || memcmp(row_key(table, row), key, table->key_size)))
		row = row->next;
	return row;
}

/* Memory for a new row: of a preallocated table that of the row removed last, if there is one. */
static struct table_row *row_new(struct table *table)
{
	struct table_rows *rows = rows_of(table);
	struct table_row *row = rows->removed;

	if (table->kind != TABLE_HASH_PREALLOCATED || !row)
		return allocate(sizeof(*row) + value_room(table) + table->key_size);
	rows->removed = row->next;
	row->hidden = 0;
	return row;
}

/* Puts a row into its bucket. */
static void link_row(struct table *table, struct table_row *row, const void *key)
{
	struct table_rows *rows = rows_of(table);
	struct table_row **bucket;

	if (rows->row_count >= rows->bucket_count)
		grow(rows);
	row->hash = hash_bytes(key, table->key_size);
	memcpy(row_key(table, row), key, table->key_size);
	bucket = &rows->buckets[row->hash & (rows->bucket_count - 1)];
	row->next = *bucket;
	*bucket = row;
	rows->row_count++;
	if (table->kind == TABLE_LPM_TRIE)
		rows->prefixes[*(const __u32 *)key]++;
}

static struct table_row *insert(struct table *table, const void *key)
{
	struct table_row *row = row_new(table);

	link_row(table, row, key);
	return row;
}

/* Bits after the prefix are no part of an LPM key. */
static void mask_key(const struct table *table, const void *key, __u32 length,
		     unsigned char *masked)
{
	size_t size = table->key_size - 4;
	unsigned char *bytes = masked + 4;

	memcpy(masked, key, table->key_size);
	memcpy(masked, &length, 4);
	for (size_t i = 0; i < size; i++) {
		if (i * 8 >= length)
			bytes[i] = 0;
		else if (i * 8 + 8 > length)
			bytes[i] &= (unsigned char)(0xff << (8 - (length - i * 8)));
	}
}

static struct table_row *find_prefix(struct table *table, const void *key)
{
	struct table_rows *rows = rows_of(table);
	__u32 longest = *(const __u32 *)key;
	unsigned char masked[64];

	for (int length = longest <= 160 ? (int)longest : 160; length >= 0; length--) {
		struct table_row *row;

		if (!rows->prefixes[length])
			continue;
		mask_key(table, key, (__u32)length, masked);
		row = find(table, masked);
		if (row)
			return row;
	}
	return NULL;
}

static long bpf_call(int command, union bpf_attr *attributes)
{
	return syscall(__NR_bpf, command, attributes, sizeof(*attributes));
}

/* A row of the live map, copied; per-CPU rows are left empty, the pipeline only adds to them. */
static struct table_row *find_live(struct table *table, const void *key)
{
	union bpf_attr attributes = {};
	unsigned char value[1024];
	struct table_row *row;

	if (table->kind != TABLE_PERCPU_ARRAY) {
		attributes.map_fd = (__u32)table->live;
		attributes.key = (__u64)(unsigned long)key;
		attributes.value = (__u64)(unsigned long)value;
		if (bpf_call(BPF_MAP_LOOKUP_ELEM, &attributes))
			return NULL;
	} else {
		memset(value, 0, sizeof(value));
	}
	if (table->kind == TABLE_LPM_TRIE) {
		/* The whole key stands for the prefix that matched: enough for one look-up. */
		row = allocate(sizeof(*row) + value_room(table) + table->key_size);
		row->next = rows_of(table)->removed;
		rows_of(table)->removed = row;
	} else {
		row = insert(table, key);
	}
	memcpy(row->bytes, value, table->value_size);
	return row;
}

void *native_lookup(struct table *table, const void *key)
{
	struct table_row *row;

	between_verbs(table);
	if (table->kind == TABLE_ARRAY || table->kind == TABLE_PERCPU_ARRAY) {
		if (*(const __u32 *)key >= table->room)
			return NULL;
	}
	row = table->kind == TABLE_LPM_TRIE ? find_prefix(table, key) : find(table, key);
	if (!row && table->live >= 0)
		row = find_live(table, key);
	if (!row && (table->kind == TABLE_ARRAY || table->kind == TABLE_PERCPU_ARRAY))
		row = insert(table, key);
	return row && !row->hidden ? row->bytes : NULL;
}

/* Takes a row out of its bucket; its memory lives until native_reset. */
static void take_out(struct table *table, struct table_row *row)
{
	struct table_rows *rows = rows_of(table);
	struct table_row **place = &rows->buckets[row->hash & (rows->bucket_count - 1)];

	while (*place != row)
		place = &(*place)->next;
	*place = row->next;
	row->next = rows->removed;
	rows->removed = row;
	rows->row_count--;
	if (table->kind == TABLE_LPM_TRIE)
		rows->prefixes[*(const __u32 *)row_key(table, row)]--;
}

int native_update(struct table *table, const void *key, const void *row_bytes, int flags)
{
	unsigned char masked[64];
	struct table_row *row, *fresh;

	between_verbs(table);
	if (table->kind == TABLE_ARRAY || table->kind == TABLE_PERCPU_ARRAY) {
		void *value = native_lookup(table, key);

		if (!value)
			return -E2BIG;
		memcpy(value, row_bytes, table->value_size);
		return 0;
	}
	if (table->kind == TABLE_LPM_TRIE) {
		if (*(const __u32 *)key > (table->key_size - 4) * 8)
			return -EINVAL;
		mask_key(table, key, *(const __u32 *)key, masked);
		key = masked;
	}
	row = find(table, key);
	if (!row && table->live >= 0 && table->kind != TABLE_LPM_TRIE)
		row = find_live(table, key);
	if (row && !row->hidden && (flags & 1))
		return -EEXIST;
	if (!row && rows_of(table)->row_count >= table->room) {
		if (table->kind != TABLE_LRU_HASH)
			return -E2BIG;
		for (size_t i = 0; i < table->rows->bucket_count; i++) {
			if (table->rows->buckets[i]) {
				take_out(table, table->rows->buckets[i]);
				break;
			}
		}
	}
	/* A new row, not new bytes in the old one: who holds the old one goes on reading it. */
	fresh = row_new(table);
	memcpy(fresh->bytes, row_bytes, table->value_size);
	if (row)
		take_out(table, row);
	link_row(table, fresh, key);
	return 0;
}

int native_remove(struct table *table, const void *key)
{
	struct table_row *row;
	int there;

	between_verbs(table);
	row = find(table, key);
	if (!row && table->live >= 0 && table->kind != TABLE_LPM_TRIE)
		row = find_live(table, key);
	there = row && !row->hidden;
	if (!there)
		return -ENOENT;
	take_out(table, row);
	if (table->live >= 0)
		insert(table, key)->hidden = 1;
	return 0;
}

void native_walk(struct table *table, void (*fn)(void *context, const void *key, const void *row),
		 void *context)
{
	struct table_rows *rows = rows_of(table);

	for (size_t i = 0; i < rows->bucket_count; i++)
		for (struct table_row *row = rows->buckets[i]; row; row = row->next)
			if (!row->hidden)
				fn(context, row_key(table, row), row->bytes);
}

void native_empty(enum table_id i)
{
	struct table *table = tables[i];
	struct table_rows *rows = table->rows;
	struct table_row *row, *next;

	if (!rows)
		return;
	for (size_t b = 0; b < rows->bucket_count; b++)
		for (row = rows->buckets[b]; row; row = next) {
			next = row->next;
			free(row);
		}
	for (row = rows->removed; row; row = next) {
		next = row->next;
		free(row);
	}
	free(rows->buckets);
	free(rows);
	table->rows = NULL;
}

void native_reset(void)
{
	for (size_t i = 0; i < TABLES; i++) {
		native_empty((enum table_id)i);
		tables[i]->live = -1;
	}
}

void native_live(const int *fds)
{
	native_reset();
	for (size_t i = 0; i < TABLES; i++)
		tables[i]->live = fds[i];
}
