/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compiling rules: sets of rules, the rows by peer address and by peer group.
 *
 * The row of a prefix holds the rules of the prefix and of all that contain it, so that the longest
 * match alone tells everything. Prefixes are walked in order with those that contain the present
 * one on a stack: the time is that of sorting, the number of rows that of distinct prefixes. One
 * border is special: in 128 bits ::/0 covers ::ffff:0:0/96, where IPv4 lives, but an IPv6 rule
 * never means IPv4. The row of that /96 therefore starts from nothing, and exists wherever a
 * shorter prefix covers it.
 *
 * Neighbours: classifier.h (the contract), services.c (rows by protocol and port).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/map.h"
#include "model/classifier_private.h"

/* The words of a set behind its first one, as rows of rule_words. */
struct words {
	uint32_t row_id;
	uint32_t run; /* of the compile that used it last */
};

struct classifier {
	uint32_t id;
	uint32_t run;
	struct buf content; /* the rules as bytes, to tell whether they changed */
	struct map words;   /* summary and words behind the first -> struct words */
};

struct classifier *classifier_new(void)
{
	return xcalloc(1, sizeof(struct classifier));
}

void classifier_free(struct classifier *classifier)
{
	if (!classifier)
		return;
	buf_fini(&classifier->content);
	map_fini(&classifier->words, free);
	free(classifier);
}

/* ---- the order ---- */

void rule_order_add(struct rule_order *order, const struct rule_list *rules)
{
	if (!rules->count)
		return;
	order->list = xreallocarray(order->list, order->count + rules->count,
				    sizeof(const struct rule_object *));
	for (size_t i = 0; i < rules->count; i++)
		order->list[order->count++] = &rules->rules[i];
}

/* A rule and its place, which settles what is otherwise equal. */
struct placed_rule {
	const struct rule_object *rule;
	size_t place;
};

static int placed_rule_compare(const void *a, const void *b)
{
	const struct placed_rule *x = a, *y = b;

	if (x->rule->peer != y->rule->peer)
		return x->rule->peer == PEER_GROUP ? -1 : 1;
	if (x->rule->peer == PEER_PREFIX) {
		const struct ip_prefix *p = &x->rule->prefix, *q = &y->rule->prefix;
		int order = memcmp(&p->address, &q->address, sizeof(p->address));

		if (p->length != q->length)
			return p->length > q->length ? -1 : 1;
		if (order)
			return order;
	}
	return x->place < y->place ? -1 : x->place > y->place;
}

void rule_order_specific_first(struct rule_order *order)
{
	struct placed_rule *placed = xcalloc(order->count, sizeof(*placed));

	for (size_t i = 0; i < order->count; i++)
		placed[i] = (struct placed_rule){ order->list[i], i };
	qsort(placed, order->count, sizeof(*placed), placed_rule_compare);
	for (size_t i = 0; i < order->count; i++)
		order->list[i] = placed[i].rule;
	free(placed);
}

void rule_order_fini(struct rule_order *order)
{
	free(order->list);
	memset(order, 0, sizeof(*order));
}

static int number_compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

size_t rule_order_groups(const struct rule_order *order, uint32_t **group_ids)
{
	uint32_t *ids = xcalloc(order->count, sizeof(*ids));
	size_t count = 0, distinct = 0;

	for (size_t i = 0; i < order->count; i++) {
		if (order->list[i]->peer == PEER_GROUP)
			ids[count++] = order->list[i]->group_id;
	}
	qsort(ids, count, sizeof(*ids), number_compare);
	for (size_t i = 0; i < count; i++) {
		if (!distinct || ids[distinct - 1] != ids[i])
			ids[distinct++] = ids[i];
	}
	*group_ids = ids;
	return distinct;
}

/* Everything of the rules that a row may show. An ACL rule's number only orders it. */
static void content_write(struct buf *content, const struct rule_order *order)
{
	for (size_t i = 0; i < order->count; i++) {
		const struct rule_object *rule = order->list[i];
		struct {
			uint32_t id, group_id, range_count;
			int32_t protocol;
			uint8_t icmp_both, peer, deny, prefix_length;
			struct ip_address address;
		} part = {
			.id = rule->id,
			.range_count = (uint32_t)rule->range_count,
			.protocol = rule->protocol,
			.icmp_both = rule->icmp_both,
			.peer = (uint8_t)rule->peer,
			.deny = rule->deny,
		};

		if (rule->peer == PEER_GROUP) {
			part.group_id = rule->group_id;
		} else {
			part.prefix_length = rule->prefix.length;
			part.address = rule->prefix.address;
		}
		buf_append(content, &part, sizeof(part));
		buf_append(content, rule->ranges, rule->range_count * sizeof(rule->ranges[0]));
	}
}

uint32_t classifier_settle(struct classifier *classifier, const struct rule_order *order,
			   struct classifier_ids *ids)
{
	struct buf content;

	buf_init(&content);
	content_write(&content, order);
	if (!classifier->id || content.size != classifier->content.size ||
	    (content.size && memcmp(content.data, classifier->content.data, content.size) != 0)) {
		classifier->id = ids->next_classifier++;
		buf_fini(&classifier->content);
		classifier->content = content;
	} else {
		buf_fini(&content);
	}
	return classifier->id;
}

/* ---- sets ---- */

/* The words of a set behind its first one: made into rows on first use in this run. */
static uint32_t compile_words(struct compile *compile, const struct rule_bits *bits,
			      uint64_t behind)
{
	uint64_t key[CLASSIFIER_WORDS + 1];
	struct words *words;
	size_t count = 0;

	key[count++] = behind;
	for (uint64_t left = behind; left; left &= left - 1)
		key[count++] = bits->word[__builtin_ctzll(left)];
	words = map_get(&compile->classifier->words, key, count * sizeof(key[0]));
	if (!words) {
		words = xcalloc(1, sizeof(*words));
		words->row_id = compile->ids->next_words++;
		map_put(&compile->classifier->words, key, count * sizeof(key[0]), words);
	}
	if (words->run == compile->classifier->run)
		return words->row_id;
	words->run = compile->classifier->run;
	for (uint64_t left = behind; left; left &= left - 1) {
		struct rule_word_key word_key = {
			.row_id = words->row_id,
			.word = (uint32_t)__builtin_ctzll(left),
		};
		struct rule_word word = { .bits = bits->word[word_key.word] };

		rows_add(compile->rows, TABLE_rule_words, &word_key, &word);
	}
	return words->row_id;
}

struct rule_set compile_rule_set(struct compile *compile, const struct rule_bits *bits)
{
	struct rule_set set = { .summary = bits->summary };
	uint64_t behind = bits->summary & (bits->summary - 1);

	if (bits->summary)
		set.first = bits->word[__builtin_ctzll(bits->summary)];
	if (behind)
		set.row_id = compile_words(compile, bits, behind);
	return set;
}

/* ---- by address ---- */

#define NO_BIT UINT32_MAX
#define IPV4_LENGTH 96 /* of the prefix that all IPv4 addresses share */

struct address_rule {
	struct ip_prefix prefix;
	uint32_t bit; /* NO_BIT: the row is needed, no rule has this very prefix */
};

/* A prefix with all rules that hold in it. */
struct address_level {
	struct ip_prefix prefix;
	struct rule_bits bits;
};

static int address_rule_compare(const void *a, const void *b)
{
	const struct address_rule *x = a, *y = b;
	int order = memcmp(&x->prefix.address, &y->prefix.address, sizeof(x->prefix.address));

	if (order)
		return order;
	return (int)x->prefix.length - (int)y->prefix.length;
}

/* Whether the bits of outer begin those of inner, whatever their families. */
static bool prefix_covers(const struct ip_prefix *outer, const struct ip_prefix *inner)
{
	size_t bytes = outer->length / 8, bits = outer->length % 8;
	const uint8_t *a = outer->address.byte, *b = inner->address.byte;

	if (outer->length > inner->length || memcmp(a, b, bytes) != 0)
		return false;
	return !bits || !((a[bytes] ^ b[bytes]) >> (8 - bits));
}

/* The rules with an address, sorted; and the /96 of IPv4 when a shorter prefix covers it. */
static size_t address_rules_collect(const struct compile *compile, struct address_rule *list)
{
	struct ip_address any = ip_address_from_ipv4(0);
	struct ip_prefix ipv4 = { .address = any, .length = IPV4_LENGTH };
	bool border = false;
	size_t count = 0;

	for (uint32_t bit = 0; bit < compile->count; bit++) {
		const struct rule_object *rule = compile->rules[bit];

		if (rule->peer != PEER_PREFIX)
			continue;
		list[count].prefix = ip_prefix_canonicalise(&rule->prefix);
		list[count].bit = bit;
		if (list[count].prefix.length < IPV4_LENGTH &&
		    prefix_covers(&list[count].prefix, &ipv4))
			border = true;
		count++;
	}
	if (border) {
		list[count].prefix = ipv4;
		list[count++].bit = NO_BIT;
	}
	qsort(list, count, sizeof(*list), address_rule_compare);
	return count;
}

static void address_row_add(struct compile *compile, const struct address_level *level)
{
	struct classifier_address_key key = {
		.prefix_length = 32u + level->prefix.length,
		.classifier_id = compile->classifier_id,
	};
	struct rule_set set = compile_rule_set(compile, &level->bits);

	memcpy(&key.address, &level->prefix.address, sizeof(key.address));
	rows_add(compile->rows, TABLE_classifier_addresses, &key, &set);
}

static void compile_addresses(struct compile *compile)
{
	struct address_rule *list = xcalloc(compile->count + 1, sizeof(*list));
	struct address_level *stack = xcalloc(129, sizeof(*stack)); /* lengths 0 to 128 */
	size_t count = address_rules_collect(compile, list);
	size_t depth = 0;

	for (size_t i = 0; i < count;) {
		const struct ip_prefix *prefix = &list[i].prefix;
		struct address_level *level;
		bool border = prefix->length == IPV4_LENGTH && ip_prefix_is_ipv4(prefix);

		while (depth && !prefix_covers(&stack[depth - 1].prefix, prefix))
			depth--;
		level = &stack[depth];
		if (depth && !border)
			level->bits = stack[depth - 1].bits;
		else
			memset(&level->bits, 0, sizeof(level->bits));
		level->prefix = *prefix;
		depth++;
		for (; i < count &&
		       !address_rule_compare(&list[i],
					     &(struct address_rule){ .prefix = level->prefix });
		     i++) {
			if (list[i].bit != NO_BIT)
				rule_bits_add(&level->bits, list[i].bit);
		}
		address_row_add(compile, level);
	}
	free(stack);
	free(list);
}

/* ---- by group ---- */

/* Rows for the peers that are in a group some rule names. */
static void compile_groups(struct compile *compile, const struct classifier_peer *peers,
			   size_t peer_count)
{
	struct rule_order order = { .count = compile->count, .list = compile->rules };
	uint32_t *named;
	size_t named_count = rule_order_groups(&order, &named);
	struct rule_bits *named_bits = xcalloc(named_count, sizeof(*named_bits));

	for (uint32_t bit = 0; bit < compile->count; bit++) {
		const uint32_t *found;

		if (compile->rules[bit]->peer != PEER_GROUP)
			continue;
		found = bsearch(&compile->rules[bit]->group_id, named, named_count, sizeof(*named),
				number_compare);
		rule_bits_add(&named_bits[found - named], bit);
	}
	for (size_t i = 0; i < peer_count; i++) {
		struct classifier_group_key key = {
			.classifier_id = compile->classifier_id,
			.group_set_id = peers[i].group_set_id,
		};
		struct rule_bits bits = { 0 };
		struct rule_set set;

		for (size_t j = 0; j < peers[i].group_count; j++) {
			const uint32_t *found = bsearch(&peers[i].group_ids[j], named, named_count,
							sizeof(*named), number_compare);

			if (found)
				rule_bits_merge(&bits, &named_bits[found - named]);
		}
		if (!bits.summary)
			continue;
		set = compile_rule_set(compile, &bits);
		rows_add(compile->rows, TABLE_classifier_groups, &key, &set);
	}
	free(named_bits);
	free(named);
}

/* ---- the whole ---- */

static void compile_rules(struct compile *compile)
{
	for (uint32_t bit = 0; bit < compile->count; bit++) {
		struct rule_key key = { .classifier_id = compile->classifier_id, .bit = bit };
		struct rule rule = {
			.rule_id = compile->rules[bit]->id,
			.allow = !compile->rules[bit]->deny,
		};

		rows_add(compile->rows, TABLE_rules, &key, &rule);
	}
}

void classifier_compile(struct classifier *classifier, const struct rule_order *order,
			const struct classifier_peer *peers, size_t peer_count,
			struct classifier_ids *ids, struct rows *rows)
{
	struct compile compile = {
		.classifier = classifier,
		.ids = ids,
		.rows = rows,
		.classifier_id = classifier_settle(classifier, order, ids),
		.count = order->count < CLASSIFIER_RULES ? (uint32_t)order->count
							 : CLASSIFIER_RULES,
		.rules = order->list,
	};

	classifier->run++;
	compile_rules(&compile);
	compile_addresses(&compile);
	compile_groups(&compile, peers, peer_count);
	compile_services(&compile);
	MAP_FOR_EACH(&classifier->words, it) {
		struct words *words = it.value;

		if (words->run != classifier->run) {
			map_remove(&classifier->words, it.key, it.key_size);
			free(words);
		}
	}
}
