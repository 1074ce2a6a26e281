/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What classifier.c and services.c share: sets of rules while they are computed, and one compile.
 */
#ifndef WEFT_MODEL_CLASSIFIER_PRIVATE_H
#define WEFT_MODEL_CLASSIFIER_PRIVATE_H

#include "model/classifier.h"

/* A set of rules in full. Bit w of summary is set when word w is not zero, as in struct
 * rule_set. */
struct rule_bits {
	uint64_t summary;
	uint64_t word[CLASSIFIER_WORDS];
};

static inline void rule_bits_add(struct rule_bits *bits, uint32_t bit)
{
	bits->word[bit / 64] |= UINT64_C(1) << (bit % 64);
	bits->summary |= UINT64_C(1) << (bit / 64);
}

static inline void rule_bits_remove(struct rule_bits *bits, uint32_t bit)
{
	bits->word[bit / 64] &= ~(UINT64_C(1) << (bit % 64));
	if (!bits->word[bit / 64])
		bits->summary &= ~(UINT64_C(1) << (bit / 64));
}

/* Adds all rules of other. */
static inline void rule_bits_merge(struct rule_bits *bits, const struct rule_bits *other)
{
	for (uint64_t left = other->summary; left; left &= left - 1) {
		int word = __builtin_ctzll(left);

		bits->word[word] |= other->word[word];
	}
	bits->summary |= other->summary;
}

static inline bool rule_bits_equal(const struct rule_bits *a, const struct rule_bits *b)
{
	if (a->summary != b->summary)
		return false;
	for (uint64_t left = a->summary; left; left &= left - 1) {
		int word = __builtin_ctzll(left);

		if (a->word[word] != b->word[word])
			return false;
	}
	return true;
}

/* One run of classifier_compile(). */
struct compile {
	struct classifier *classifier;
	struct classifier_ids *ids;
	struct rows *rows;
	uint32_t classifier_id;
	uint32_t count; /* rules, at most CLASSIFIER_RULES */
	const struct rule_object **rules;
};

/**
 * compile_rule_set - a set as a table value
 * @compile: gets the rows of rule_words that the value refers to, once for each distinct set
 * @bits: the set
 *
 * Return: the value; two sets are equal exactly when their values are, byte by byte.
 */
struct rule_set compile_rule_set(struct compile *compile, const struct rule_bits *bits);

/**
 * compile_services - the rows by protocol and port
 * @compile: gets rows of classifier_services
 */
void compile_services(struct compile *compile);

#endif
