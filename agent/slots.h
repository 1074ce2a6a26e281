/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Small numbers for objects, used again only when nothing in the datapath refers to them any more.
 *
 * Counters of a port or VPC live in arrays that the pipeline indexes by slot. When an object goes, rows of
 * its connections may still hold its slot until the next sweep has removed them: a slot that was given
 * back rests until a sweep that began after that has ended. Slot 0 is never given, so that a row
 * that was never filled in points to no object.
 *
 * Neighbours: reconcile.c gives and takes, recover.c finds after a restart which are in use.
 */
#ifndef WEFT_AGENT_SLOTS_H
#define WEFT_AGENT_SLOTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/map.h"

struct slots {
	uint32_t room;   /* slots are 1 .. room - 1 */
	uint32_t next;   /* the lowest that was never used */
	uint32_t sweeps; /* sweeps that have ended */
	uint32_t free_count;
	struct slots_free {
		uint32_t slot;
		uint32_t sweeps; /* slots.sweeps when it was given back */
	} * free;                /* a ring of `room` entries, oldest first */
	uint32_t free_head;
	uint32_t *owner;      /* slot -> object id; 0: none */
	struct map by_object; /* object id -> slot, as a pointer-sized number */
};

/** slots_init - slots 1 to @room - 1, all free; release with slots_fini() */
void slots_init(struct slots *slots, uint32_t room);

/** slots_fini - release the memory */
void slots_fini(struct slots *slots);

/** slots_get - Return: the slot of @object_id, 0 if it has none */
uint32_t slots_get(const struct slots *slots, uint32_t object_id);

/**
 * slots_take - the slot of @object_id; a new one if it has none
 * @fresh: set to whether it is new (its counters must be cleared); may be NULL
 *
 * Return: the slot, or 0 when none is free: run a sweep and try again.
 */
uint32_t slots_take(struct slots *slots, uint32_t object_id, bool *fresh);

/**
 * slots_adopt - @object_id has @slot, as the live tables say; before the first slots_take()
 *
 * Return: false if the slot is another object's, out of range, or the object has one already.
 */
bool slots_adopt(struct slots *slots, uint32_t slot, uint32_t object_id);

/** slots_adopted - no more slots_adopt(): what lies between the adopted ones is free */
void slots_adopted(struct slots *slots);

/** slots_give - @object_id is gone; its slot rests. Harmless if it has none. */
void slots_give(struct slots *slots, uint32_t object_id);

/** slots_swept - a sweep has ended */
void slots_swept(struct slots *slots);

/** slots_owner - Return: the object that has @slot, 0 if none */
uint32_t slots_owner(const struct slots *slots, uint32_t slot);

/** slots_used - Return: how many objects have a slot */
uint32_t slots_used(const struct slots *slots);

#endif
