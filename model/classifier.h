/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * A list of rules, compiled into the rows that find the first rule that matches.
 *
 * One classifier is one direction of a set of security groups, or of an ACL. Its rules are numbered
 * by bits in the order given; core/tables.h says how the pipeline looks a packet up. Compiling is
 * pure, but a classifier remembers three things between compiles: its rules, so that the same rules
 * keep the same id and the same rows; its id, which changes with the rules, so that old and new
 * rows live side by side until one write switches over; and the ids of its rule words.
 *
 * Neighbours: services.c (the part by protocol and port), planner.c (who keeps classifiers).
 */
#ifndef WEFT_MODEL_CLASSIFIER_H
#define WEFT_MODEL_CLASSIFIER_H

#include "model/object.h"
#include "model/plan.h"

struct classifier;

/* Where new ids come from: the next one that was never given out. Never 0. */
struct classifier_ids {
	uint32_t next_classifier;
	uint32_t next_words; /* row_id of rule_words */
};

/* Rules in the order that decides, borrowed; the rule of bit n is list[n]. */
struct rule_order {
	size_t count;
	const struct rule_object **list;
};

/* A group set that a packet's peer may have. */
struct classifier_peer {
	uint32_t group_set_id;
	size_t group_count;
	const uint32_t *group_ids; /* ascending */
};

/**
 * classifier_new - a classifier without rules and without an id
 *
 * Return: owned by the caller, released with classifier_free().
 */
struct classifier *classifier_new(void);

/**
 * classifier_free - release a classifier; accepts NULL
 */
void classifier_free(struct classifier *classifier);

/**
 * rule_order_add - put the rules of a list behind those that are there
 * @order: grows; its list is released with rule_order_fini(). All zero is a valid empty order
 * @rules: borrowed
 */
void rule_order_add(struct rule_order *order, const struct rule_list *rules);

/**
 * rule_order_specific_first - sort rules that only allow, the longest prefix first
 * @order: rules whose order decides nothing but which of them is named
 *
 * The most specific rule is named then. And rows get fewer: the rows of many small prefixes inside
 * a large one differ in the word of their own rules, which comes first and is kept in the row
 * itself, and share the words of the large one's.
 */
void rule_order_specific_first(struct rule_order *order);

/**
 * rule_order_fini - release the list, not the rules
 */
void rule_order_fini(struct rule_order *order);

/**
 * rule_order_groups - the groups that rules name as peers
 * @order: the rules
 * @group_ids: set to an array that the caller frees; ascending, without duplicates
 *
 * Return: how many.
 */
size_t rule_order_groups(const struct rule_order *order, uint32_t **group_ids);

/**
 * classifier_settle - the id under which these rules are compiled
 * @classifier: keeps the id as long as the rules stay the same, in every respect that rows show
 * @order: the rules; of more than CLASSIFIER_RULES those behind are left out (check.c refuses them)
 * @ids: gives a new id when the rules are new
 *
 * Return: the id, never 0.
 */
uint32_t classifier_settle(struct classifier *classifier, const struct rule_order *order,
			   struct classifier_ids *ids);

/**
 * classifier_compile - the rows of these rules
 * @classifier: is settled first
 * @order: the rules
 * @peers: group sets that contain a group the rules name; others do no harm
 * @peer_count: how many
 * @ids: gives new ids
 * @rows: gets rows of classifier_addresses, classifier_groups, classifier_services, rules,
 * rule_words
 *
 * The same rules and peers give the same rows, ids included; for the same rules and other peers
 * only rows of classifier_groups and rule_words differ.
 */
void classifier_compile(struct classifier *classifier, const struct rule_order *order,
			const struct classifier_peer *peers, size_t peer_count,
			struct classifier_ids *ids, struct rows *rows);

#endif
