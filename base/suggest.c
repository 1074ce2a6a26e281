/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The nearest known word; the contracts are in suggest.h.
 *
 * The distance is the optimal string alignment: insert, delete, replace, and swap of two
 * neighbours count one each. Three rows of the table are kept, sized by the longest text.
 */
#include "base/suggest.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define LENGTH_MAX 63

static size_t smaller(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t larger(size_t a, size_t b)
{
	return a > b ? a : b;
}

size_t suggest_distance(const char *a, const char *b)
{
	size_t a_len = strnlen(a, LENGTH_MAX + 1);
	size_t b_len = strnlen(b, LENGTH_MAX + 1);
	size_t rows[3][LENGTH_MAX + 1];

	if (a_len > LENGTH_MAX || b_len > LENGTH_MAX)
		return strcmp(a, b) == 0 ? 0 : SIZE_MAX;
	for (size_t j = 0; j <= b_len; j++)
		rows[0][j] = j;
	for (size_t i = 1; i <= a_len; i++) {
		const size_t *before = rows[(i + 1) % 3]; /* row i - 2 */
		const size_t *above = rows[(i - 1) % 3];
		size_t *row = rows[i % 3];

		row[0] = i;
		for (size_t j = 1; j <= b_len; j++) {
			size_t replace = above[j - 1] + (a[i - 1] != b[j - 1]);

			row[j] = smaller(replace, smaller(above[j], row[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				row[j] = smaller(row[j], before[j - 2] + 1);
		}
	}
	return rows[a_len % 3][b_len];
}

void suggestion_init(struct suggestion *suggestion, const char *text)
{
	*suggestion = (struct suggestion){ .text = text, .distance = SIZE_MAX };
}

void suggestion_offer(struct suggestion *suggestion, const char *candidate)
{
	size_t distance = suggest_distance(suggestion->text, candidate);
	size_t longer = larger(strlen(suggestion->text), strlen(candidate));

	/* Short words may differ in one letter, longer ones in a third. */
	if (distance > larger(1, longer / 3) || distance >= longer)
		return;
	if (distance < suggestion->distance) {
		suggestion->distance = distance;
		suggestion->nearest = candidate;
	}
}

const char *suggestion_nearest(const struct suggestion *suggestion)
{
	return suggestion->nearest;
}

const char *suggestion_format(const struct suggestion *suggestion, char text[128])
{
	text[0] = '\0';
	if (suggestion->nearest)
		snprintf(text, 128, " (did you mean \"%.63s\"?)", suggestion->nearest);
	return text;
}
