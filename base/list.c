/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The parts of the intrusive list that are too long for the header; see list.h.
 */
#include "base/list.h"

void list_splice_back(struct list *list, struct list *from)
{
	if (list_is_empty(from))
		return;
	from->next->previous = list->previous;
	from->previous->next = list;
	list->previous->next = from->next;
	list->previous = from->previous;
	list_init(from);
}

size_t list_count(const struct list *list)
{
	size_t count = 0;

	for (const struct list *node = list->next; node != list; node = node->next)
		count++;
	return count;
}
