/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compiling rules: the rows by protocol and port.
 *
 * For each protocol that a rule names, the begins and ends of all port ranges cut the port space
 * into intervals in which the same rules hold. What the table wants is prefixes of ports, of which
 * the longest match counts. The fewest prefixes that say the same as the intervals are found in two
 * passes over the binary tree of the port space (Draves, King, Venkatachary, Zill, "Constructing
 * optimal IP routing tables", INFOCOM 1999): upwards, each node learns which sets would suit the
 * most of what is below it; downwards, a node gets a row only if what it inherits is not among
 * these. So a wide range with a thousand single ports inside costs about a thousand rows, not ten
 * thousand.
 *
 * ICMP types and codes take the place of ports. Neighbours: classifier.c (everything else).
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/map.h"
#include "model/classifier_private.h"

#define PROTOCOLS 256
#define PORT_BITS 16
#define PORTS (1u << PORT_BITS)
#define ICMP 1
#define ICMPV6 58

/* The ports from first up to the next interval; label is an index of sets. */
struct interval {
	uint32_t first;
	uint32_t label;
};

/* Where a range begins or, one behind its last port, ends. */
struct edge {
	uint32_t port;
	uint32_t bit;
	bool begins;
};

/* A node of the tree. Its labels, ascending, are a piece of the pool. */
struct node {
	uint32_t labels;
	uint32_t label_count;
	uint32_t child[2]; /* 0: a leaf */
};

/* One protocol. */
struct services {
	struct compile *compile;
	uint8_t protocol;
	size_t set_count, interval_count, node_count, pool_count;
	size_t node_room, pool_room;
	struct rule_set *sets; /* distinct; by label. Label 0 is that of any port */
	struct map set_labels; /* struct rule_set -> label + 1 */
	struct interval *intervals;
	struct node *nodes;
	uint32_t *pool;
};

/* The protocols a rule is about, in `protocols`; 0 when it is about all. */
static size_t rule_protocols(const struct rule_object *rule, uint8_t protocols[2])
{
	if (rule->icmp_both) {
		size_t count = 0;
		bool group = rule->peer == PEER_GROUP;

		if (group || ip_prefix_is_ipv4(&rule->prefix))
			protocols[count++] = ICMP;
		if (group || !ip_prefix_is_ipv4(&rule->prefix))
			protocols[count++] = ICMPV6;
		return count;
	}
	if (rule->protocol == PROTOCOL_ALL)
		return 0;
	protocols[0] = (uint8_t)rule->protocol;
	return 1;
}

static bool rule_has_protocol(const struct rule_object *rule, uint8_t protocol)
{
	uint8_t protocols[2];
	size_t count = rule_protocols(rule, protocols);

	for (size_t i = 0; i < count; i++) {
		if (protocols[i] == protocol)
			return true;
	}
	return false;
}

static void service_row_add(struct compile *compile, uint32_t length, uint8_t protocol,
			    uint32_t port, const struct rule_set *set)
{
	struct classifier_service_key key = {
		.prefix_length = 32 + length,
		.classifier_id = compile->classifier_id,
		.protocol = protocol,
		.port = { (uint8_t)(port >> 8), (uint8_t)port },
	};

	rows_add(compile->rows, TABLE_classifier_services, &key, set);
}

/* ---- intervals ---- */

static uint32_t set_label(struct services *services, const struct rule_bits *bits)
{
	struct rule_set set = compile_rule_set(services->compile, bits);
	void *found = map_get(&services->set_labels, &set, sizeof(set));

	if (found)
		return (uint32_t)(uintptr_t)found - 1;
	services->sets = xreallocarray(services->sets, services->set_count + 1, sizeof(set));
	services->sets[services->set_count] = set;
	map_put(&services->set_labels, &set, sizeof(set),
		(void *)(uintptr_t)(services->set_count + 1));
	return (uint32_t)services->set_count++;
}

static int edge_compare(const void *a, const void *b)
{
	const struct edge *x = a, *y = b;

	return x->port < y->port ? -1 : x->port > y->port;
}

/* The edges of all ranges of the protocol, ascending. The array is the caller's to free(). */
static size_t edges_collect(const struct services *services, struct edge **edges)
{
	const struct compile *compile = services->compile;
	struct edge *list = NULL;
	size_t count = 0;

	for (uint32_t bit = 0; bit < compile->count; bit++) {
		const struct rule_object *rule = compile->rules[bit];

		if (!rule->range_count || !rule_has_protocol(rule, services->protocol))
			continue;
		list = xreallocarray(list, count + 2 * rule->range_count, sizeof(*list));
		for (size_t i = 0; i < rule->range_count; i++) {
			const struct port_range *range = &rule->ranges[i];

			if (range->first > range->last)
				continue;
			list[count++] = (struct edge){ range->first, bit, true };
			list[count++] = (struct edge){ range->last + 1u, bit, false };
		}
	}
	if (count)
		qsort(list, count, sizeof(*list), edge_compare);
	*edges = list;
	return count;
}

/* The intervals of the protocol, from port 0 on; `any` holds in all of them. */
static void intervals_make(struct services *services, const struct rule_bits *any)
{
	uint16_t *open =
		xcalloc(CLASSIFIER_RULES, sizeof(*open)); /* ranges of one rule may overlap */
	struct rule_bits bits = *any;
	struct edge *edges;
	size_t count = edges_collect(services, &edges);

	services->intervals = xcalloc(count + 1, sizeof(*services->intervals));
	services->intervals[0].label = set_label(services, any);
	services->interval_count = 1;
	for (size_t i = 0; i < count;) {
		struct interval *last = &services->intervals[services->interval_count - 1];
		uint32_t port = edges[i].port, label;

		for (; i < count && edges[i].port == port; i++) {
			uint16_t *ranges = &open[edges[i].bit];

			*ranges = (uint16_t)(*ranges + (edges[i].begins ? 1 : -1));
			if (*ranges)
				rule_bits_add(&bits, edges[i].bit);
			else
				rule_bits_remove(&bits, edges[i].bit);
		}
		if (port == PORTS)
			break;
		label = set_label(services, &bits);
		if (last->first == port)
			last->label = label;
		else if (last->label != label)
			services->intervals[services->interval_count++] =
				(struct interval){ port, label };
	}
	free(edges);
	free(open);
}

/* ---- prefixes ---- */

static uint32_t *pool_room(struct services *services, size_t count)
{
	if (services->pool_count + count > services->pool_room) {
		services->pool_room = 2 * (services->pool_count + count);
		services->pool =
			xreallocarray(services->pool, services->pool_room, sizeof(*services->pool));
	}
	return services->pool + services->pool_count;
}

/* What suits both children; if nothing does, what suits either. Both lists ascend. */
static void node_join(struct services *services, struct node *node)
{
	const struct node *left = &services->nodes[node->child[0]];
	const struct node *right = &services->nodes[node->child[1]];
	uint32_t *result = pool_room(services, (size_t)left->label_count + right->label_count);
	const uint32_t *a = services->pool + left->labels;
	const uint32_t *b = services->pool + right->labels;
	const uint32_t *a_end = a + left->label_count, *b_end = b + right->label_count;
	uint32_t both = 0, either = 0;

	for (const uint32_t *x = a, *y = b; x < a_end && y < b_end;) {
		if (*x == *y)
			result[both++] = *x;
		if (*x <= *y)
			x++;
		else
			y++;
	}
	while (!both && (a < a_end || b < b_end)) {
		uint32_t label = b == b_end || (a < a_end && *a <= *b) ? *a : *b;

		result[either++] = label;
		a += a < a_end && *a == label;
		b += b < b_end && *b == label;
	}
	node->labels = (uint32_t)services->pool_count;
	node->label_count = both ? both : either;
	services->pool_count += node->label_count;
}

static uint32_t node_new(struct services *services)
{
	if (services->node_count == services->node_room) {
		services->node_room = services->node_room ? services->node_room * 2 : 64;
		services->nodes = xreallocarray(services->nodes, services->node_room,
						sizeof(*services->nodes));
	}
	memset(&services->nodes[services->node_count], 0, sizeof(*services->nodes));
	return (uint32_t)services->node_count++;
}

/* Upwards: the tree of the 2^(16-length) ports from first, which is in interval `at`. */
static uint32_t tree_make(struct services *services, uint32_t first, uint32_t length, size_t at)
{
	uint32_t size = PORTS >> length;
	uint32_t index = node_new(services);
	struct node node = { 0 };

	if (at + 1 == services->interval_count ||
	    services->intervals[at + 1].first >= first + size) {
		node.labels = (uint32_t)services->pool_count;
		node.label_count = 1;
		*pool_room(services, 1) = services->intervals[at].label;
		services->pool_count++;
	} else {
		uint32_t middle = first + size / 2;

		node.child[0] = tree_make(services, first, length + 1, at);
		while (at + 1 < services->interval_count &&
		       services->intervals[at + 1].first <= middle)
			at++;
		node.child[1] = tree_make(services, middle, length + 1, at);
		node_join(services, &node);
	}
	services->nodes[index] = node;
	return index;
}

static bool node_has(const struct services *services, const struct node *node, uint32_t label)
{
	for (uint32_t i = 0; i < node->label_count; i++) {
		if (services->pool[node->labels + i] == label)
			return true;
	}
	return false;
}

/* Downwards: a row where what is inherited does not suit. */
static void tree_rows(struct services *services, uint32_t index, uint32_t first, uint32_t length,
		      uint32_t inherited)
{
	const struct node *node = &services->nodes[index];

	if (!node_has(services, node, inherited)) {
		inherited = services->pool[node->labels];
		service_row_add(services->compile, 8 + length, services->protocol, first,
				&services->sets[inherited]);
	}
	if (!node->child[0])
		return;
	tree_rows(services, node->child[0], first, length + 1, inherited);
	tree_rows(services, node->child[1], first + ((PORTS / 2) >> length), length + 1, inherited);
}

/* ---- the whole ---- */

static void compile_protocol(struct compile *compile, uint8_t protocol, const struct rule_bits *all)
{
	struct services services = { .compile = compile, .protocol = protocol };
	struct rule_bits any = *all;
	uint32_t root;

	for (uint32_t bit = 0; bit < compile->count; bit++) {
		const struct rule_object *rule = compile->rules[bit];

		if (!rule->range_count && rule_has_protocol(rule, protocol))
			rule_bits_add(&any, bit);
	}
	intervals_make(&services, &any);
	if (!rule_bits_equal(&any, all))
		service_row_add(compile, 8, protocol, 0, &services.sets[0]);
	root = tree_make(&services, 0, 0, 0);
	/* The root is the row above, made by hand: packets without a port must find exactly it. */
	if (services.nodes[root].child[0]) {
		tree_rows(&services, services.nodes[root].child[0], 0, 1, 0);
		tree_rows(&services, services.nodes[root].child[1], PORTS / 2, 1, 0);
	} else if (!node_has(&services, &services.nodes[root], 0)) {
		uint32_t label = services.pool[services.nodes[root].labels];

		service_row_add(compile, 9, protocol, 0, &services.sets[label]);
		service_row_add(compile, 9, protocol, PORTS / 2, &services.sets[label]);
	}
	free(services.sets);
	map_fini(&services.set_labels, NULL);
	free(services.intervals);
	free(services.nodes);
	free(services.pool);
}

void compile_services(struct compile *compile)
{
	bool used[PROTOCOLS] = { false };
	struct rule_bits all = { 0 };

	for (uint32_t bit = 0; bit < compile->count; bit++) {
		uint8_t protocols[2];
		size_t count = rule_protocols(compile->rules[bit], protocols);

		for (size_t i = 0; i < count; i++)
			used[protocols[i]] = true;
		if (!count)
			rule_bits_add(&all, bit);
	}
	if (all.summary) {
		struct rule_set set = compile_rule_set(compile, &all);

		service_row_add(compile, 0, 0, 0, &set);
	}
	for (unsigned int protocol = 0; protocol < PROTOCOLS; protocol++) {
		if (used[protocol])
			compile_protocol(compile, (uint8_t)protocol, &all);
	}
}
