/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash map from bytes to a pointer.
 *
 * Entries lie in one dense array in the order they came; a table of 32-bit positions with open
 * addressing finds them. That costs about 30 bytes an entry beside the key, and walking all
 * entries is a walk over an array. Keys up to 8 bytes (u32, u64) are stored in the entry.
 * Keys (at most 65,535 bytes) are copied by the map; values are never NULL and stay the
 * caller's. The hash is seeded at random once per process. Order of iteration is not promised.
 * A struct map that is all zero is a valid empty map. One thread.
 */
#ifndef WEFT_BASE_MAP_H
#define WEFT_BASE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct map_entry;

struct map {
	struct map_entry *entries;
	uint32_t *slots;
	uint32_t entry_count;
	uint32_t entry_capacity;
	uint32_t slot_count;
	uint32_t live_count;
};

/**
 * struct map_iterator - a place in a walk; start with all zero
 * @key: the entry's key, the map's own copy, aligned for 8 bytes; text keys are terminated
 * @key_size: its size in bytes (for text: without the terminator)
 * @value: the entry's value
 * @position: private
 */
struct map_iterator {
	const void *key;
	size_t key_size;
	void *value;
	uint32_t position;
};

/**
 * map_init - make @map empty
 */
void map_init(struct map *map);

/**
 * map_fini - release the keys and the tables; @map is empty and usable afterwards
 * @map: the map
 * @value_free: called with every value; NULL to leave them alone
 */
void map_fini(struct map *map, void (*value_free)(void *value));

/**
 * map_count - number of entries
 */
size_t map_count(const struct map *map);

/**
 * map_get - value of a key
 *
 * Return: the value, or NULL if there is none.
 */
void *map_get(const struct map *map, const void *key, size_t key_size);

/**
 * map_put - set the value of a key
 * @map: the map
 * @key: copied
 * @key_size: bytes
 * @value: not NULL; stays the caller's
 *
 * Return: the value that was replaced, or NULL if the key is new.
 */
void *map_put(struct map *map, const void *key, size_t key_size, void *value);

/**
 * map_remove - forget a key
 *
 * Return: the value that was there, or NULL.
 */
void *map_remove(struct map *map, const void *key, size_t key_size);

/**
 * map_next - step to the next entry
 * @map: the map
 * @iterator: all zero at the start
 *
 * Between two steps any entry may be removed or replaced; a new key may not be put.
 *
 * Return: false after the last entry.
 */
bool map_next(const struct map *map, struct map_iterator *iterator);

/* The same with a text as the key (without its terminator). */
void *map_get_text(const struct map *map, const char *key);
void *map_put_text(struct map *map, const char *key, void *value);
void *map_remove_text(struct map *map, const char *key);

/* The same with a number as the key. */
void *map_get_u32(const struct map *map, uint32_t key);
void *map_put_u32(struct map *map, uint32_t key, void *value);
void *map_remove_u32(struct map *map, uint32_t key);

/* MAP_FOR_EACH(&map, it) { use it.key, it.value } */
#define MAP_FOR_EACH(map, name) for (struct map_iterator name = { 0 }; map_next(map, &name);)

#endif
