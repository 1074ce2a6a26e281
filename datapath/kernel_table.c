/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows of the kernel's maps: single, in batches, all of them.
 *
 * A batch moves up to BATCH_ROWS rows with one system call. Kernels offer batches for all kinds of
 * maps used here, but old ones not for each: the first refusal is remembered and the table is worked
 * row by row from then on. Neighbours: kernel.h, kernel_load.c (copies rows of old maps by these).
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <string.h>

#include "base/alloc.h"
#include "datapath/kernel.h"

#define BATCH_ROWS 4096
#define BATCH_REFUSED 524 /* ENOTSUPP, which user space has no name for */

/* Whether the kernel has no batches for this kind of map, rather than that a row is wrong. */
static bool batch_is_missing(int result)
{
	return result == -BATCH_REFUSED || result == -EOPNOTSUPP;
}

static const char *nth(const void *array, size_t index, size_t size)
{
	return (const char *)array + index * size;
}

int kernel_put_many(struct datapath *datapath, enum table_id table, const void *keys,
		    const void *values, size_t count, size_t *done)
{
	struct kernel_datapath *kernel = kernel_of(datapath);
	const struct datapath_table *shape = &datapath_tables[table];
	int result = 0;

	while (!kernel->no_batch[table] && !result && count - *done > 1) {
		uint32_t rows = count - *done < BATCH_ROWS ? (uint32_t)(count - *done) : BATCH_ROWS;

		result = bpf_map_update_batch(kernel->table_fd[table],
					      nth(keys, *done, shape->key_size),
					      nth(values, *done, shape->value_size), &rows, NULL);
		/* Other errors may leave the count as it was. Row by row is then how to find the
		 * one that is wrong: to write some twice does no harm. */
		if (!result || result == -E2BIG)
			*done += rows;
		kernel->no_batch[table] = batch_is_missing(result);
	}
	for (; *done < count; (*done)++) {
		result = bpf_map_update_elem(kernel->table_fd[table],
					     nth(keys, *done, shape->key_size),
					     nth(values, *done, shape->value_size), BPF_ANY);
		if (result)
			return result;
	}
	return 0;
}

int kernel_remove(struct datapath *datapath, enum table_id table, const void *key)
{
	struct kernel_datapath *kernel = kernel_of(datapath);
	uint32_t slot;
	int result;
	void *zero;

	if (datapath_tables[table].kind != TABLE_ARRAY)
		return bpf_map_delete_elem(kernel->table_fd[table], key);
	memcpy(&slot, key, sizeof(slot));
	if (slot >= datapath->room[table])
		return -ENOENT;
	zero = xcalloc(1, datapath_tables[table].value_size);
	result = bpf_map_update_elem(kernel->table_fd[table], key, zero, BPF_ANY);
	free(zero);
	return result;
}

int kernel_remove_many(struct datapath *datapath, enum table_id table, const void *keys,
		       size_t count)
{
	struct kernel_datapath *kernel = kernel_of(datapath);
	const uint32_t key_size = datapath_tables[table].key_size;
	bool batches = !kernel->no_batch[table] && datapath_tables[table].kind != TABLE_ARRAY;
	size_t done = 0;
	int result;

	while (batches && count - done > 1) {
		uint32_t rows = count - done < BATCH_ROWS ? (uint32_t)(count - done) : BATCH_ROWS;

		result = bpf_map_delete_batch(kernel->table_fd[table], nth(keys, done, key_size),
					      &rows, NULL);
		/* It stops at a row that is not there: go on behind it. */
		if (!result || result == -ENOENT)
			done += rows + (result ? 1 : 0);
		else
			batches = false;
		kernel->no_batch[table] = batch_is_missing(result);
	}
	for (; done < count; done++) {
		result = kernel_remove(datapath, table, nth(keys, done, key_size));
		if (result && result != -ENOENT)
			return result;
	}
	return 0;
}

/* The kernel gives a value for each CPU, rounded up to 8 bytes; the sum is what the table says. */
static int sum_processors(const struct kernel_datapath *kernel, enum table_id table,
			  const void *key, void *value)
{
	const uint32_t words = datapath_tables[table].value_size / sizeof(uint64_t);
	const int processors = libbpf_num_possible_cpus();
	uint64_t *sum, *each;
	int result;

	if (processors < 0)
		return processors;
	sum = xcalloc(words, sizeof(*sum));
	each = xcalloc((size_t)processors * words, sizeof(*each));
	result = bpf_map_lookup_elem(kernel->table_fd[table], key, each);
	for (uint32_t i = 0; i < (uint32_t)processors * words; i++)
		sum[i % words] += each[i];
	if (!result)
		memcpy(value, sum, words * sizeof(*sum));
	free(each);
	free(sum);
	return result;
}

int kernel_get(struct datapath *datapath, enum table_id table, const void *key, void *value)
{
	struct kernel_datapath *kernel = kernel_of(datapath);

	if (datapath_tables[table].kind == TABLE_PERCPU_ARRAY)
		return sum_processors(kernel, table, key, value);
	return bpf_map_lookup_elem(kernel->table_fd[table], key, value);
}

int kernel_verdict(struct datapath *datapath, enum verdict verdict, struct verdict_counter *counter)
{
	uint32_t key = verdict;

	_Static_assert(sizeof(*counter) % sizeof(uint64_t) == 0, "a counter is made of words");
	return sum_processors(kernel_of(datapath), TABLE_verdicts, &key, counter);
}

static bool is_zero(const char *bytes, size_t size)
{
	return bytes[0] == 0 && !memcmp(bytes, bytes + 1, size - 1);
}

/* Arrays: slot by slot, for there are few and most are empty. */
static int walk_array(struct datapath *datapath, enum table_id table, datapath_row_fn *fn,
		      void *context)
{
	const uint32_t value_size = datapath_tables[table].value_size;
	char *value = xmalloc(value_size);
	int result = 0;

	for (uint32_t slot = 0; slot < datapath->room[table] && !result; slot++) {
		result = kernel_get(datapath, table, &slot, value);
		if (!result && !is_zero(value, value_size) && !fn(context, &slot, value))
			break;
	}
	free(value);
	return result;
}

/* Key by key. A key that is removed under way sends the kernel back to the first one, so the number
 * of steps is bounded by what the table can hold. */
static int walk_keys(int map, const struct datapath_table *shape, uint64_t steps_max,
		     datapath_row_fn *fn, void *context)
{
	char *key = xmalloc(shape->key_size), *next = xmalloc(shape->key_size);
	char *value = xmalloc(shape->value_size);
	int result = bpf_map_get_next_key(map, NULL, next);

	for (uint64_t step = 0; !result && step < steps_max; step++) {
		char *swap = key;

		key = next;
		next = swap;
		result = bpf_map_lookup_elem(map, key, value);
		if (!result && !fn(context, key, value))
			break;
		if (!result || result == -ENOENT)
			result = bpf_map_get_next_key(map, key, next);
	}
	free(value);
	free(next);
	free(key);
	return result == -ENOENT ? 0 : result;
}

/* Batch by batch. Return: 0, 1 if the kernel has no batches here and nothing was walked, or errno. */
static int walk_batches(int map, const struct datapath_table *shape, datapath_row_fn *fn,
			void *context)
{
	uint32_t room = BATCH_ROWS, rows;
	/* The cursor is a bucket's number or, for a trie, a key. */
	size_t cursor_size = shape->key_size > sizeof(uint64_t) ? shape->key_size
								: sizeof(uint64_t);
	char *keys = xmalloc((size_t)room * shape->key_size);
	char *values = xmalloc((size_t)room * shape->value_size);
	char *cursor = xcalloc(1, cursor_size), *next = xcalloc(1, cursor_size);
	bool begun = false, more = true;
	int result = 0;

	while (more) {
		rows = room;
		result = bpf_map_lookup_batch(map, begun ? cursor : NULL, next, keys, values, &rows,
					      NULL);
		if (result == -ENOSPC) { /* one bucket holds more than a batch */
			room *= 2;
			keys = xreallocarray(keys, room, shape->key_size);
			values = xreallocarray(values, room, shape->value_size);
			continue;
		}
		if (result && result != -ENOENT) {
			if (!begun && batch_is_missing(result))
				result = 1;
			break;
		}
		more = !result;
		result = 0;
		begun = true;
		memcpy(cursor, next, cursor_size);
		for (uint32_t i = 0; i < rows; i++) {
			if (!fn(context, nth(keys, i, shape->key_size),
				nth(values, i, shape->value_size))) {
				more = false;
				break;
			}
		}
	}
	free(next);
	free(cursor);
	free(values);
	free(keys);
	return result;
}

static int walk_map(int map, const struct datapath_table *shape, uint32_t room, datapath_row_fn *fn,
		    void *context)
{
	int result = walk_batches(map, shape, fn, context);

	/* A trie's batches give up when a row they stand on is removed; keys cope. */
	if (result == 1 || result == -EINTR)
		return walk_keys(map, shape, 2 * (uint64_t)room, fn, context);
	return result;
}

int kernel_walk(struct datapath *datapath, enum table_id table, datapath_row_fn *fn, void *context)
{
	const struct datapath_table *shape = &datapath_tables[table];

	if (shape->kind == TABLE_ARRAY || shape->kind == TABLE_PERCPU_ARRAY)
		return walk_array(datapath, table, fn, context);
	return walk_map(kernel_of(datapath)->table_fd[table], shape, datapath->room[table], fn,
			context);
}

#define CLAIM_TRIES 1000

/*
 * Rows on their way from one map to another. Rows of other layouts may be shorter or longer, for they
 * grow and shrink at their end only: what the old row does not have is zero.
 */
struct copy {
	struct kernel_datapath *kernel;
	enum table_id table;
	uint64_t flags;
	int from;          /* the map copied from */
	uint32_t old_size; /* of a row in it */
	char *row;         /* room for one of the new size */
	struct flow flow;
	int result;
};

static const void *fit_row(const struct copy *copy, const void *value)
{
	const uint32_t size = datapath_tables[copy->table].value_size;

	memset(copy->row, 0, size);
	memcpy(copy->row, value, copy->old_size < size ? copy->old_size : size);
	return copy->row;
}

/*
 * A row that a CPU is changing is read again: copied as it is, it would belong to that CPU for ever. NULL:
 * it went meanwhile.
 */
static const void *unclaimed(struct copy *copy, const void *key, const void *value)
{
	const struct flow *flow = value;

	if (copy->table != TABLE_flows || copy->old_size != sizeof(*flow))
		return value;
	for (int tries = 0; flow->charged_slot == FLOW_CLAIMED; tries++) {
		if (tries == CLAIM_TRIES || bpf_map_lookup_elem(copy->from, key, &copy->flow))
			return NULL;
		flow = &copy->flow;
	}
	return flow;
}

static bool copy_row(void *context, const void *key, const void *value)
{
	struct copy *copy = context;
	const void *row = unclaimed(copy, key, value);
	int result = row ? bpf_map_update_elem(copy->kernel->table_fd[copy->table], key,
					       fit_row(copy, row), copy->flags)
			 : 0;

	if (result && result != -EEXIST)
		copy->result = result;
	return !copy->result;
}

static int copy_array(const struct copy *copy, int from)
{
	char *value = xmalloc(copy->old_size);
	int result = 0;

	for (uint32_t slot = 0; slot < copy->kernel->base.room[copy->table] && !result; slot++) {
		result = bpf_map_lookup_elem(from, &slot, value);
		if (!result && !is_zero(value, copy->old_size))
			result = bpf_map_update_elem(copy->kernel->table_fd[copy->table], &slot,
						     fit_row(copy, value), BPF_ANY);
	}
	free(value);
	return result == -ENOENT ? 0 : result; /* the old array was shorter */
}

/* The values of every processor at once; the kernel rounds each up to 8 bytes. */
static int copy_processors(const struct copy *copy, int from)
{
	const size_t old_size = (copy->old_size + 7) / 8 * 8;
	const size_t size = (datapath_tables[copy->table].value_size + 7) / 8 * 8;
	const int processors = libbpf_num_possible_cpus();
	char *old, *new;
	int result = 0;

	if (processors < 0)
		return processors;
	old = xcalloc((size_t)processors, old_size);
	new = xcalloc((size_t)processors, size);
	for (uint32_t slot = 0; slot < copy->kernel->base.room[copy->table] && !result; slot++) {
		result = bpf_map_lookup_elem(from, &slot, old);
		if (result || is_zero(old, (size_t)processors * old_size))
			continue;
		for (int i = 0; i < processors; i++)
			memcpy(new + (size_t)i *size, fit_row(copy, old + (size_t)i * old_size),
			       datapath_tables[copy->table].value_size);
		result = bpf_map_update_elem(copy->kernel->table_fd[copy->table], &slot, new,
					     BPF_ANY);
	}
	free(new);
	free(old);
	return result == -ENOENT ? 0 : result;
}

int kernel_copy_rows(struct kernel_datapath *kernel, int from, enum table_id table, bool only_new)
{
	struct datapath_table shape = datapath_tables[table];
	struct copy copy = {
		.kernel = kernel,
		.table = table,
		.from = from,
		.flags = only_new ? BPF_NOEXIST : BPF_ANY,
	};
	struct bpf_map_info info = { 0 };
	uint32_t size = sizeof(info);
	int result = bpf_obj_get_info_by_fd(from, &info, &size);

	if (result)
		return result;
	copy.old_size = info.value_size;
	copy.row = xmalloc(shape.value_size);
	shape.value_size = info.value_size;
	if (shape.kind == TABLE_ARRAY)
		result = only_new ? 0 : copy_array(&copy, from);
	else if (shape.kind == TABLE_PERCPU_ARRAY)
		result = only_new ? 0 : copy_processors(&copy, from);
	else
		result = walk_map(from, &shape, info.max_entries, copy_row, &copy);
	free(copy.row);
	return result ? result : copy.result;
}
