/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "did you mean": the nearest known word to one that is unknown.
 *
 * Words are offered one by one, from wherever they are kept. Near means: at most a third of
 * the longer word has to be edited (insert, delete, replace, swap of neighbours).
 */
#ifndef WEFT_BASE_SUGGEST_H
#define WEFT_BASE_SUGGEST_H

#include <stddef.h>

struct suggestion {
	const char *text;
	const char *nearest;
	size_t distance;
};

/** suggestion_init - look for words near @text, which must outlive @suggestion */
void suggestion_init(struct suggestion *suggestion, const char *text);

/** suggestion_offer - @candidate is a known word; it must outlive @suggestion */
void suggestion_offer(struct suggestion *suggestion, const char *candidate);

/**
 * suggestion_nearest - the nearest of the words offered; the first one of several
 *
 * Return: that candidate, or NULL if none is near.
 */
const char *suggestion_nearest(const struct suggestion *suggestion);

/**
 * suggestion_format - ` (did you mean "web"?)`, or "" if no word is near
 * @text: filled in
 *
 * Return: @text, to be appended to a sentence with %s.
 */
const char *suggestion_format(const struct suggestion *suggestion, char text[128]);

/**
 * suggest_distance - edits that turn @a into @b (optimal string alignment)
 *
 * Texts longer than 63 bytes are at distance SIZE_MAX from everything but themselves.
 */
size_t suggest_distance(const char *a, const char *b);

#endif
