/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Slots: see slots.h for what they are and why they rest.
 *
 * Free slots form a ring in the order they were given back, so the oldest is looked at first and
 * a look at one entry tells whether any is rested. Slots that were never used come before those.
 */
#include "agent/slots.h"

#include "base/alloc.h"

/* Numbers are kept in the map as pointers; slot 0 does not exist, so none of them is NULL. */
static void *slot_to_value(uint32_t slot)
{
	return (void *)(uintptr_t)slot;
}

void slots_init(struct slots *slots, uint32_t room)
{
	*slots = (struct slots){ .room = room, .next = 1 };
	slots->free = xcalloc(room, sizeof(*slots->free));
	slots->owner = xcalloc(room, sizeof(*slots->owner));
	map_init(&slots->by_object);
}

void slots_fini(struct slots *slots)
{
	map_fini(&slots->by_object, NULL);
	free(slots->owner);
	free(slots->free);
	slots->owner = NULL;
	slots->free = NULL;
}

uint32_t slots_get(const struct slots *slots, uint32_t object_id)
{
	return (uint32_t)(uintptr_t)map_get_u32(&slots->by_object, object_id);
}

static void slots_bind(struct slots *slots, uint32_t slot, uint32_t object_id)
{
	slots->owner[slot] = object_id;
	map_put_u32(&slots->by_object, object_id, slot_to_value(slot));
}

uint32_t slots_take(struct slots *slots, uint32_t object_id, bool *fresh)
{
	uint32_t slot = slots_get(slots, object_id);
	const struct slots_free *oldest = &slots->free[slots->free_head];

	if (fresh)
		*fresh = slot == 0;
	if (slot)
		return slot;
	if (slots->next < slots->room) {
		slot = slots->next++;
	} else if (slots->free_count && oldest->sweeps != slots->sweeps) {
		slot = oldest->slot;
		slots->free_head = (slots->free_head + 1) % slots->room;
		slots->free_count--;
	} else {
		return 0;
	}
	slots_bind(slots, slot, object_id);
	return slot;
}

bool slots_adopt(struct slots *slots, uint32_t slot, uint32_t object_id)
{
	if (slot == 0 || slot >= slots->room || !object_id || slots->owner[slot] ||
	    slots_get(slots, object_id))
		return false;
	slots_bind(slots, slot, object_id);
	if (slot >= slots->next)
		slots->next = slot + 1;
	return true;
}

static void slots_push_free(struct slots *slots, uint32_t slot)
{
	uint32_t tail = (slots->free_head + slots->free_count) % slots->room;

	slots->free[tail] = (struct slots_free){ .slot = slot, .sweeps = slots->sweeps };
	slots->free_count++;
}

void slots_adopted(struct slots *slots)
{
	for (uint32_t slot = 1; slot < slots->next; slot++)
		if (!slots->owner[slot])
			slots_push_free(slots, slot);
}

void slots_give(struct slots *slots, uint32_t object_id)
{
	uint32_t slot = slots_get(slots, object_id);

	if (!slot)
		return;
	map_remove_u32(&slots->by_object, object_id);
	slots->owner[slot] = 0;
	slots_push_free(slots, slot);
}

void slots_swept(struct slots *slots)
{
	slots->sweeps++;
}

uint32_t slots_owner(const struct slots *slots, uint32_t slot)
{
	return slot < slots->room ? slots->owner[slot] : 0;
}

uint32_t slots_used(const struct slots *slots)
{
	return (uint32_t)map_count(&slots->by_object);
}
