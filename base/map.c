/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hash map: a dense array of entries and a table of positions; see map.h for the contracts.
 *
 *	entries:  [ e0 ][ e1 ][dead][ e3 ] …        in order of arrival, 24 bytes each
 *	slots:    - 3 - X 0 - - 1                   power of two, linear probing
 *
 * A slot holds an entry's position, SLOT_EMPTY or SLOT_DELETED. Removal marks the entry dead
 * (value NULL) and its slot deleted and moves nothing, so a walk over the entries is safe under
 * removal. Growth, and the squeezing out of dead entries, happen only in map_put().
 */
#include "base/map.h"

#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "base/alloc.h"

#define SLOT_EMPTY UINT32_MAX
#define SLOT_DELETED (UINT32_MAX - 1)
#define COUNT_MAX (UINT32_MAX / 4)
#define ENTRIES_MIN 6
#define INLINE_KEY_SIZE 8

/*
 * struct map_entry - @terminator is always zero and lies right behind the bytes of the key, so
 * that a text of eight characters can be read from there as one; @value NULL: dead
 */
struct map_entry {
	union {
		uint8_t bytes[INLINE_KEY_SIZE];
		void *pointer;
	} key;
	uint8_t terminator;
	uint16_t key_size;
	uint32_t hash;
	void *value;
};
_Static_assert(offsetof(struct map_entry, terminator) == INLINE_KEY_SIZE, "text of 8 characters");

/* Two independent random numbers, so that nobody outside can choose keys that collide. */
static uint64_t hash_seed[2];

static void seed_hash(void)
{
	if (hash_seed[1])
		return;
	if (getrandom(hash_seed, sizeof(hash_seed), GRND_NONBLOCK) != sizeof(hash_seed)) {
		/* Early at boot: addresses of the process are the entropy there is. */
		hash_seed[0] = (uint64_t)(uintptr_t)&hash_seed ^ (uint64_t)getpid();
		hash_seed[1] = (uint64_t)(uintptr_t)__builtin_frame_address(0);
	}
	hash_seed[1] |= 1;
}

/* Both halves of the 128-bit product: every bit of @a and @b reaches the result. */
static uint64_t mix(uint64_t a, uint64_t b)
{
	__extension__ unsigned __int128 product = (unsigned __int128)a * b;

	return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t hash_bytes(const void *key, size_t size)
{
	const uint8_t *bytes = key;
	uint64_t state = hash_seed[0] ^ size;
	uint64_t word;

	for (; size >= sizeof(word); size -= sizeof(word), bytes += sizeof(word)) {
		memcpy(&word, bytes, sizeof(word));
		state = mix(state ^ word, hash_seed[1]);
	}
	word = 0;
	if (size)
		memcpy(&word, bytes, size);
	state = mix(state ^ word, hash_seed[1] ^ UINT64_C(0x9e3779b97f4a7c15));
	return (uint32_t)(state ^ (state >> 32));
}

static const void *entry_key(const struct map_entry *entry)
{
	return entry->key_size <= INLINE_KEY_SIZE ? entry->key.bytes : entry->key.pointer;
}

static void entry_free_key(struct map_entry *entry)
{
	if (entry->key_size > INLINE_KEY_SIZE)
		free(entry->key.pointer);
}

void map_init(struct map *map)
{
	*map = (struct map){ 0 };
}

void map_fini(struct map *map, void (*value_free)(void *value))
{
	for (uint32_t i = 0; i < map->entry_count; i++) {
		struct map_entry *entry = &map->entries[i];

		if (!entry->value)
			continue;
		entry_free_key(entry);
		if (value_free)
			value_free(entry->value);
	}
	free(map->entries);
	free(map->slots);
	map_init(map);
}

size_t map_count(const struct map *map)
{
	return map->live_count;
}

/* Return: the slot that holds the key, or NULL. */
static uint32_t *find_slot(const struct map *map, const void *key, size_t key_size, uint32_t hash)
{
	uint32_t mask = map->slot_count - 1;

	if (!map->slot_count)
		return NULL;
	for (uint32_t i = hash & mask;; i = (i + 1) & mask) {
		const struct map_entry *entry;

		if (map->slots[i] == SLOT_EMPTY)
			return NULL;
		if (map->slots[i] == SLOT_DELETED)
			continue;
		entry = &map->entries[map->slots[i]];
		if (entry->hash == hash && entry->key_size == key_size &&
		    memcmp(entry_key(entry), key, key_size) == 0)
			return &map->slots[i];
	}
}

static void insert_slot(struct map *map, uint32_t hash, uint32_t position)
{
	uint32_t mask = map->slot_count - 1;
	uint32_t i = hash & mask;

	while (map->slots[i] != SLOT_EMPTY && map->slots[i] != SLOT_DELETED)
		i = (i + 1) & mask;
	map->slots[i] = position;
}

/* Squeeze out dead entries, make room for one more and build the slots anew. */
static void rebuild(struct map *map)
{
	uint32_t capacity = map->live_count + map->live_count / 2;
	uint32_t live = 0;

	if (map->live_count >= COUNT_MAX)
		abort();
	if (capacity < ENTRIES_MIN)
		capacity = ENTRIES_MIN;
	for (uint32_t i = 0; i < map->entry_count; i++)
		if (map->entries[i].value)
			map->entries[live++] = map->entries[i];
	map->entries = xreallocarray(map->entries, capacity, sizeof(*map->entries));
	map->entry_count = live;
	map->entry_capacity = capacity;

	/* At most two of three slots are ever taken, deleted ones included. */
	map->slot_count = 8;
	while (map->slot_count / 3 * 2 < capacity)
		map->slot_count *= 2;
	free(map->slots);
	map->slots = xreallocarray(NULL, map->slot_count, sizeof(*map->slots));
	memset(map->slots, 0xff, map->slot_count * sizeof(*map->slots));
	for (uint32_t i = 0; i < live; i++)
		insert_slot(map, map->entries[i].hash, i);
}

void *map_get(const struct map *map, const void *key, size_t key_size)
{
	uint32_t *slot;

	if (!map->live_count)
		return NULL;
	slot = find_slot(map, key, key_size, hash_bytes(key, key_size));
	return slot ? map->entries[*slot].value : NULL;
}

void *map_put(struct map *map, const void *key, size_t key_size, void *value)
{
	struct map_entry *entry;
	uint32_t *slot;
	uint32_t hash;

	if (!value || key_size > UINT16_MAX)
		abort(); /* a breach of the contract, not an input */
	seed_hash();
	hash = hash_bytes(key, key_size);
	slot = find_slot(map, key, key_size, hash);
	if (slot) {
		void *replaced = map->entries[*slot].value;

		map->entries[*slot].value = value;
		return replaced;
	}
	if (map->entry_count == map->entry_capacity)
		rebuild(map);
	entry = &map->entries[map->entry_count];
	*entry = (struct map_entry){ .key_size = (uint16_t)key_size, .hash = hash, .value = value };
	if (key_size > INLINE_KEY_SIZE) {
		/* One more byte: text keys come back terminated. */
		entry->key.pointer = xmalloc(key_size + 1);
		memcpy(entry->key.pointer, key, key_size);
		((char *)entry->key.pointer)[key_size] = '\0';
	} else if (key_size) {
		memcpy(entry->key.bytes, key, key_size);
	}
	insert_slot(map, hash, map->entry_count++);
	map->live_count++;
	return NULL;
}

void *map_remove(struct map *map, const void *key, size_t key_size)
{
	struct map_entry *entry;
	uint32_t *slot;
	void *value;

	if (!map->live_count)
		return NULL;
	slot = find_slot(map, key, key_size, hash_bytes(key, key_size));
	if (!slot)
		return NULL;
	entry = &map->entries[*slot];
	value = entry->value;
	*slot = SLOT_DELETED;
	entry_free_key(entry);
	entry->key_size = 0;
	entry->value = NULL;
	map->live_count--;
	return value;
}

bool map_next(const struct map *map, struct map_iterator *iterator)
{
	while (iterator->position < map->entry_count) {
		const struct map_entry *entry = &map->entries[iterator->position++];

		if (!entry->value)
			continue;
		iterator->key = entry_key(entry);
		iterator->key_size = entry->key_size;
		iterator->value = entry->value;
		return true;
	}
	return false;
}

void *map_get_text(const struct map *map, const char *key)
{
	return map_get(map, key, strlen(key));
}

void *map_put_text(struct map *map, const char *key, void *value)
{
	return map_put(map, key, strlen(key), value);
}

void *map_remove_text(struct map *map, const char *key)
{
	return map_remove(map, key, strlen(key));
}

void *map_get_u32(const struct map *map, uint32_t key)
{
	return map_get(map, &key, sizeof(key));
}

void *map_put_u32(struct map *map, uint32_t key, void *value)
{
	return map_put(map, &key, sizeof(key), value);
}

void *map_remove_u32(struct map *map, uint32_t key)
{
	return map_remove(map, &key, sizeof(key));
}
