/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Intrusive doubly linked list.
 *
 * The list and its nodes are the same struct: a list is a node that points to itself. The node
 * sits inside the object, so that membership allocates nothing and an object leaves a list
 * without knowing which one. Everything is O(1) but list_count().
 */
#ifndef WEFT_BASE_LIST_H
#define WEFT_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

#include "base/alloc.h"

struct list {
	struct list *next;
	struct list *previous;
};

/* A list that is empty, for static objects: struct list all = LIST_EMPTY(all); */
#define LIST_EMPTY(name)                                                                           \
	{                                                                                          \
		&(name), &(name)                                                                   \
	}

/**
 * list_init - make @list an empty list, or a node that is in none
 */
static inline void list_init(struct list *list)
{
	list->next = list;
	list->previous = list;
}

/**
 * list_is_empty - whether @list has no node; for a node: whether it is in no list
 */
static inline bool list_is_empty(const struct list *list)
{
	return list->next == list;
}

/**
 * list_insert_before - put @node, which is in no list, in front of @position
 */
static inline void list_insert_before(struct list *position, struct list *node)
{
	node->next = position;
	node->previous = position->previous;
	position->previous->next = node;
	position->previous = node;
}

/**
 * list_push_back - put @node, which is in no list, at the end of @list
 */
static inline void list_push_back(struct list *list, struct list *node)
{
	list_insert_before(list, node);
}

/**
 * list_push_front - put @node, which is in no list, at the head of @list
 */
static inline void list_push_front(struct list *list, struct list *node)
{
	list_insert_before(list->next, node);
}

/**
 * list_remove - take @node out of its list; harmless if it is in none (after list_init())
 */
static inline void list_remove(struct list *node)
{
	node->previous->next = node->next;
	node->next->previous = node->previous;
	list_init(node);
}

/**
 * list_pop_front - take the first node off
 *
 * Return: the node, or NULL if @list is empty.
 */
static inline struct list *list_pop_front(struct list *list)
{
	struct list *node = list->next;

	if (node == list)
		return NULL;
	list_remove(node);
	return node;
}

/**
 * list_splice_back - move all nodes of @from to the end of @list; @from is empty afterwards
 */
void list_splice_back(struct list *list, struct list *from);

/**
 * list_count - number of nodes, counted one by one
 */
size_t list_count(const struct list *list);

/* for each: `item` is a pointer to the object, `member` its struct list. */
#define LIST_FOR_EACH(item, list, member)                                                          \
	for ((item) = container_of((list)->next, __typeof__(*(item)), member);                     \
	     &(item)->member != (list);                                                            \
	     (item) = container_of((item)->member.next, __typeof__(*(item)), member))

/* The same where the body may remove (and free) `item`; `following` is a second pointer. */
#define LIST_FOR_EACH_SAFE(item, following, list, member)                                          \
	for ((item) = container_of((list)->next, __typeof__(*(item)), member),                     \
	    (following) = container_of((item)->member.next, __typeof__(*(item)), member);          \
	     &(item)->member != (list); (item) = (following),                                      \
	    (following) = container_of((item)->member.next, __typeof__(*(item)), member))

#endif
