/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Compiled rules against rules read one by one.
 *
 * The oracle is a loop over the rules in their order. The rows are looked up as the pipeline does
 * it, with a small longest-prefix match over all lengths; the lowest bit must be the same for
 * random lists of rules and random packets. Rules and packets are drawn from few values, so that
 * they meet.
 */
#include "tests/unit/unit.h"

#include "base/alloc.h"
#include "base/map.h"
#include "model/classifier.h"

#define GROUPS 6 /* ids 100 to 105 */
#define SETS 8

/* ---- random, the same in every run ---- */

static uint64_t random_state = 0x2545f4914f6cdd1d;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 20) % bound);
}

static struct ip_prefix prefix_of(const char *text)
{
	struct ip_prefix prefix;

	assert_int_equal(ip_prefix_parse_or_address(text, &prefix), 0);
	return ip_prefix_canonicalise(&prefix);
}

static const char *const address_texts[] = {
	"10.0.0.1", "10.0.0.2",    "10.0.1.200",   "10.64.0.9",        "192.0.2.77",
	"0.0.0.0",  "223.255.1.1", "fd00:b::1",    "fd00:b::2",        "fd00:b:1::7",
	"2001::",   "::1",         "ffff:ffff::1", "::fffe:ffff:ffff", "::1:0:0:0",
};

/* A prefix of one of the addresses, of any length of its family. */
static struct ip_prefix random_prefix(void)
{
	struct ip_prefix prefix = prefix_of(address_texts[random_below(ARRAY_SIZE(address_texts))]);
	uint32_t lowest = ip_prefix_is_ipv4(&prefix) ? 96 : 0;

	switch (random_below(4)) {
	case 0: prefix.length = (uint8_t)lowest; break;
	case 1: break;
	default: prefix.length = (uint8_t)(lowest + random_below(129 - lowest)); break;
	}
	return ip_prefix_canonicalise(&prefix);
}

static uint16_t random_port(void)
{
	static const uint16_t usual[] = { 0,    22,   79,    80,    81,    443,
					  1023, 1024, 32767, 32768, 65534, 65535 };

	if (random_below(2))
		return usual[random_below(ARRAY_SIZE(usual))];
	return (uint16_t)(random_below(4) ? random_below(256) * 256 + random_below(3)
					  : random_below(65536));
}

static void random_ranges(struct rule_object *rule)
{
	rule->range_count = random_below(4) ? random_below(4) : 0;
	for (size_t i = 0; i < rule->range_count; i++) {
		uint16_t a = random_port(), b = random_below(2) ? a : random_port();

		rule->ranges[i].first = a < b ? a : b;
		rule->ranges[i].last = a < b ? b : a;
	}
}

static void random_rule(struct rule_object *rule, uint32_t id)
{
	static const int protocols[] = { 6, 6, 6, 17, 17, 1, 58, 47, 255, 0 };

	memset(rule, 0, sizeof(*rule));
	rule->id = id;
	rule->deny = random_below(3) == 0;
	rule->protocol = PROTOCOL_ALL;
	if (random_below(6) == 0) {
		rule->icmp_both = true;
		rule->protocol = 1;
		random_ranges(rule);
	} else if (random_below(10)) {
		rule->protocol = protocols[random_below(ARRAY_SIZE(protocols))];
		if (rule->protocol == 6 || rule->protocol == 17 || rule->protocol == 1)
			random_ranges(rule);
	}
	rule->peer = random_below(4) ? PEER_PREFIX : PEER_GROUP;
	if (rule->peer == PEER_PREFIX)
		rule->prefix = random_prefix();
	else
		rule->group_id = 100 + random_below(GROUPS);
}

/* ---- the oracle ---- */

struct probe {
	struct ip_address address;
	const struct classifier_peer *peer;
	uint8_t protocol;
	uint16_t port;
};

static bool rule_matches(const struct rule_object *rule, const struct probe *probe)
{
	bool peer = false, range = !rule->range_count;

	if (rule->peer == PEER_PREFIX)
		peer = ip_prefix_contains(&rule->prefix, &probe->address);
	for (size_t i = 0; rule->peer == PEER_GROUP && i < probe->peer->group_count; i++)
		peer |= probe->peer->group_ids[i] == rule->group_id;
	for (size_t i = 0; i < rule->range_count; i++)
		range |= rule->ranges[i].first <= probe->port &&
			 probe->port <= rule->ranges[i].last;
	if (!peer || !range)
		return false;
	if (!rule->icmp_both)
		return rule->protocol == PROTOCOL_ALL || rule->protocol == probe->protocol;
	if (rule->peer == PEER_GROUP)
		return probe->protocol == 1 || probe->protocol == 58;
	return probe->protocol == (ip_prefix_is_ipv4(&rule->prefix) ? 1 : 58);
}

static int oracle(const struct rule_order *order, const struct probe *probe)
{
	for (size_t i = 0; i < order->count; i++) {
		if (rule_matches(order->list[i], probe))
			return (int)i;
	}
	return -1;
}

/* ---- the rows ---- */

/* Rows by table and key, each key once; the values are copies, aligned. */
struct tables {
	struct map rows[TABLES];
};

static void tables_load(struct tables *tables, const struct rows *rows)
{
	memset(tables, 0, sizeof(*tables));
	for (size_t i = 0; i < rows->count; i++) {
		const struct row *row = rows->list[i];
		void *value = xmemdup(row->bytes + row->key_size, row->value_size);

		assert_null(map_put(&tables->rows[row->table], row->bytes, row->key_size, value));
	}
}

static void tables_free(struct tables *tables)
{
	for (size_t i = 0; i < TABLES; i++)
		map_fini(&tables->rows[i], free);
}

/* The value of the longest prefix of the key, whose first four bytes are its length. */
static const void *longest_match(const struct tables *tables, enum table_id table, const void *key)
{
	unsigned char shorter[64];
	size_t size = table_key_size(table);
	uint32_t length;

	memcpy(shorter, key, size);
	memcpy(&length, key, sizeof(length));
	for (;;) {
		const void *value;

		memcpy(shorter, &length, sizeof(length));
		value = map_get(&tables->rows[table], shorter, size);
		if (value || length == 0)
			return value;
		length--;
		shorter[4 + length / 8] &= (unsigned char)~(0x80 >> length % 8);
	}
}

static uint64_t set_word(const struct tables *tables, const struct rule_set *set, uint32_t word)
{
	struct rule_word_key key = { .word = word };
	const struct rule_word *row;

	if (!set || !(set->summary >> word & 1))
		return 0;
	if (!(set->summary & ((UINT64_C(1) << word) - 1)))
		return set->first;
	key.row_id = set->row_id;
	row = map_get(&tables->rows[TABLE_rule_words], &key, sizeof(key));
	assert_non_null(row);
	assert_true(row->bits != 0);
	return row->bits;
}

static int tables_classify(const struct tables *tables, uint32_t classifier_id,
			   const struct probe *probe)
{
	struct classifier_address_key address_key = { 32 + 128, classifier_id, { { 0 } } };
	struct classifier_group_key group_key = { classifier_id, probe->peer->group_set_id };
	struct classifier_service_key service_key = {
		.prefix_length = 56,
		.classifier_id = classifier_id,
		.protocol = probe->protocol,
		.port = { (uint8_t)(probe->port >> 8), (uint8_t)probe->port },
	};
	const struct rule_set *address, *group, *service;

	memcpy(&address_key.address, &probe->address, sizeof(probe->address));
	address = longest_match(tables, TABLE_classifier_addresses, &address_key);
	service = longest_match(tables, TABLE_classifier_services, &service_key);
	group = map_get(&tables->rows[TABLE_classifier_groups], &group_key, sizeof(group_key));
	for (uint32_t word = 0; word < CLASSIFIER_WORDS; word++) {
		uint64_t bits = (set_word(tables, address, word) | set_word(tables, group, word)) &
				set_word(tables, service, word);

		if (bits)
			return (int)word * 64 + __builtin_ctzll(bits);
	}
	return -1;
}

/* ---- sets of peers ---- */

static uint32_t peer_groups[SETS][2];
static struct classifier_peer peers[SETS];

static void peers_make(void)
{
	for (uint32_t i = 0; i < SETS; i++) {
		peer_groups[i][0] = 100 + i % GROUPS;
		peer_groups[i][1] = 104 + i % 2;
		peers[i].group_set_id = 500 + i;
		peers[i].group_ids = peer_groups[i];
		peers[i].group_count = i == 0 ? 0 : peer_groups[i][0] < peer_groups[i][1] ? 2 : 1;
	}
}

static void random_probe(struct probe *probe, const struct rule_order *order)
{
	static const uint8_t protocols[] = { 6, 17, 1, 58, 47, 255, 0, 132 };

	probe->address = prefix_of(address_texts[random_below(ARRAY_SIZE(address_texts))]).address;
	probe->address.byte[15] ^= (uint8_t)(random_below(2) ? 0 : random_below(256));
	probe->address.byte[3] ^=
		(uint8_t)(ip_address_is_ipv4(&probe->address) || random_below(2) ? 0 : 1);
	probe->peer = &peers[random_below(SETS)];
	probe->protocol = protocols[random_below(ARRAY_SIZE(protocols))];
	probe->port = random_port();
	if (order->count && random_below(2)) {
		const struct rule_object *rule = order->list[random_below((uint32_t)order->count)];

		if (rule->protocol >= 0)
			probe->protocol = (uint8_t)rule->protocol;
		if (rule->range_count)
			probe->port = (uint16_t)(rule->ranges[0].last + random_below(3) - 1);
		if (rule->peer == PEER_PREFIX && random_below(2))
			probe->address = ip_prefix_last(&rule->prefix);
	}
}

static void check_list(size_t count, size_t probes)
{
	struct rule_list list = { count, xcalloc(count, sizeof(*list.rules)) };
	struct classifier_ids ids = { 7, 900 };
	struct classifier *classifier = classifier_new();
	struct rule_order order = { 0 };
	struct rows rows = { 0 };
	struct tables tables;
	uint32_t id;

	for (size_t i = 0; i < count; i++)
		random_rule(&list.rules[i], (uint32_t)(10000 + i));
	rule_order_add(&order, &list);
	classifier_compile(classifier, &order, peers, SETS, &ids, &rows);
	id = classifier_settle(classifier, &order, &ids);
	tables_load(&tables, &rows);
	for (size_t i = 0; i < probes; i++) {
		struct probe probe;
		struct rule_key key = { .classifier_id = id };
		int expected;

		random_probe(&probe, &order);
		expected = oracle(&order, &probe);
		assert_int_equal(tables_classify(&tables, id, &probe), expected);
		if (expected >= 0) {
			const struct rule *rule;

			key.bit = (uint32_t)expected;
			rule = map_get(&tables.rows[TABLE_rules], &key, sizeof(key));
			assert_non_null(rule);
			assert_int_equal(rule->rule_id, list.rules[expected].id);
			assert_int_equal(rule->allow, !list.rules[expected].deny);
		}
	}
	tables_free(&tables);
	rows_clear(&rows);
	rule_order_fini(&order);
	classifier_free(classifier);
	free(list.rules);
}

static void test_random_lists(void **state)
{
	(void)state;
	peers_make();
	for (size_t i = 0; i < 300; i++)
		check_list(1 + random_below(12), 60);
	for (size_t i = 0; i < 60; i++)
		check_list(1 + random_below(300), 150);
	check_list(0, 20);
	check_list(1500, 400);
	check_list(CLASSIFIER_RULES, 200);
}

/* ---- single statements ---- */

struct fixture {
	struct rule_object rules[2100];
	struct rule_list list;
	struct rule_order order;
	struct classifier *classifier;
	struct classifier_ids ids;
	struct rows rows;
};

static int setup(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	fixture->list.rules = fixture->rules;
	fixture->classifier = classifier_new();
	fixture->ids = (struct classifier_ids){ 1, 1 };
	*state = fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	rows_clear(&fixture->rows);
	rule_order_fini(&fixture->order);
	classifier_free(fixture->classifier);
	free(fixture);
	return 0;
}

static struct rule_object *add_rule(struct fixture *fixture, int protocol, uint32_t first,
				    uint32_t last, const char *peer)
{
	struct rule_object *rule = &fixture->rules[fixture->list.count++];

	rule->id = (uint32_t)(1000 + fixture->list.count);
	rule->protocol = protocol;
	if (last) {
		rule->range_count = 1;
		rule->ranges[0] = (struct port_range){ (uint16_t)first, (uint16_t)last };
	}
	if (peer) {
		rule->prefix = prefix_of(peer);
	} else {
		rule->peer = PEER_GROUP;
		rule->group_id = 100;
	}
	return rule;
}

static void compile_all(struct fixture *fixture)
{
	rows_clear(&fixture->rows);
	rule_order_fini(&fixture->order);
	rule_order_add(&fixture->order, &fixture->list);
	classifier_compile(fixture->classifier, &fixture->order, peers, SETS, &fixture->ids,
			   &fixture->rows);
}

static size_t rows_of(const struct fixture *fixture, enum table_id table)
{
	size_t count = 0;

	for (size_t i = 0; i < fixture->rows.count; i++)
		count += fixture->rows.list[i]->table == table;
	return count;
}

static int classify(struct fixture *fixture, const char *address, uint8_t protocol, uint16_t port)
{
	struct probe probe = { prefix_of(address).address, &peers[0], protocol, port };
	struct tables tables;
	int bit;

	tables_load(&tables, &fixture->rows);
	bit = tables_classify(
		&tables, classifier_settle(fixture->classifier, &fixture->order, &fixture->ids),
		&probe);
	tables_free(&tables);
	return bit;
}

static bool rows_equal(const struct rows *a, const struct rows *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		size_t size = sizeof(struct row) + a->list[i]->key_size + a->list[i]->value_size;

		if (memcmp(a->list[i], b->list[i], size) != 0)
			return false;
	}
	return true;
}

static void test_same_rules_same_rows(void **state)
{
	struct fixture *fixture = *state;
	struct rows first;

	for (uint32_t i = 0; i < 200; i++)
		add_rule(fixture, 6, 1 + i % 7, 1 + i, i % 3 ? "10.0.0.0/8" : NULL);
	compile_all(fixture);
	first = fixture->rows;
	memset(&fixture->rows, 0, sizeof(fixture->rows));
	compile_all(fixture);
	assert_true(rows_equal(&first, &fixture->rows));
	assert_int_equal(fixture->ids.next_classifier, 2);
	rows_clear(&first);
}

static void test_changed_rules_change_the_id(void **state)
{
	struct fixture *fixture = *state;
	struct rule_object *rule = add_rule(fixture, 6, 80, 80, "10.0.0.0/8");

	compile_all(fixture);
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 1);
	rule->ranges[0].last = 81;
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 2);
	rule->id++;
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 3);
	rule->deny = true;
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 4);
	rule->prefix = prefix_of("10.0.0.0/9");
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 5);
	rule->number = 9; /* the order is the same */
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 5);
	fixture->order.count = 0;
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 6);
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 6);
}

static void test_no_rules_no_rows(void **state)
{
	struct fixture *fixture = *state;

	compile_all(fixture);
	assert_int_equal(fixture->rows.count, 0);
	assert_int_equal(classifier_settle(fixture->classifier, &fixture->order, &fixture->ids), 1);
}

/* V19 of routes holds for rules alike: a family says nothing about the other. */
static void test_families_apart(void **state)
{
	struct fixture *fixture = *state;

	add_rule(fixture, PROTOCOL_ALL, 0, 0, "::/0");
	compile_all(fixture);
	assert_int_equal(rows_of(fixture, TABLE_classifier_addresses), 2);
	assert_int_equal(classify(fixture, "10.0.0.1", 6, 80), -1);
	assert_int_equal(classify(fixture, "fd00::1", 6, 80), 0);
	add_rule(fixture, PROTOCOL_ALL, 0, 0, "10.0.0.0/8");
	compile_all(fixture);
	assert_int_equal(classify(fixture, "10.0.0.1", 6, 80), 1);
	assert_int_equal(classify(fixture, "11.0.0.1", 6, 80), -1);
	assert_int_equal(classify(fixture, "::1:0:0:1", 6, 80), 0);
	add_rule(fixture, PROTOCOL_ALL, 0, 0, "0.0.0.0/0");
	compile_all(fixture);
	assert_int_equal(rows_of(fixture, TABLE_classifier_addresses), 3);
	assert_int_equal(classify(fixture, "11.0.0.1", 6, 80), 2);
	assert_int_equal(classify(fixture, "fd00::1", 6, 80), 0);
}

static void test_icmp_follows_the_family(void **state)
{
	struct fixture *fixture = *state;

	add_rule(fixture, 1, 0, 0, "10.0.0.0/8")->icmp_both = true;
	add_rule(fixture, 1, 0, 0, "fd00::/16")->icmp_both = true;
	compile_all(fixture);
	assert_int_equal(classify(fixture, "10.0.0.1", 1, 8 << 8), 0);
	assert_int_equal(classify(fixture, "10.0.0.1", 58, 128 << 8), -1);
	assert_int_equal(classify(fixture, "fd00::1", 58, 128 << 8), 1);
	assert_int_equal(classify(fixture, "fd00::1", 1, 8 << 8), -1);
}

static void test_single_ports_in_a_wide_range(void **state)
{
	struct fixture *fixture = *state;

	add_rule(fixture, 6, 1024, 65535, "10.0.0.0/8");
	for (uint32_t i = 0; i < 1000; i++)
		add_rule(fixture, 6, 2000 + 31 * i, 2000 + 31 * i, "192.0.2.0/24");
	compile_all(fixture);
	assert_true(rows_of(fixture, TABLE_classifier_services) < 1020);
	assert_int_equal(classify(fixture, "192.0.2.1", 6, 2031), 2);
	assert_int_equal(classify(fixture, "192.0.2.1", 6, 2032), -1);
	assert_int_equal(classify(fixture, "10.0.0.1", 6, 2031), 0);
	assert_int_equal(classify(fixture, "10.0.0.1", 6, 1023), -1);
	assert_int_equal(classify(fixture, "10.0.0.1", 6, 65535), 0);
}

static void test_every_port_by_range(void **state)
{
	struct fixture *fixture = *state;

	add_rule(fixture, 6, 0, 65535, "10.0.0.0/8");
	compile_all(fixture);
	assert_int_equal(classify(fixture, "10.0.0.1", 6, 0), 0);
	assert_int_equal(classify(fixture, "10.0.0.1", 6, 65535), 0);
	assert_int_equal(classify(fixture, "10.0.0.1", 17, 1), -1);
}

static void test_equal_sets_share_words(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t i = 0; i < 128; i++)
		add_rule(fixture, 6, 80, 80, "10.0.0.0/8");
	for (uint32_t i = 0; i < 128; i++)
		fixture->rules[i].ranges[0].last = (uint16_t)(80 + i % 2);
	compile_all(fixture);
	/* Address: all bits. Port 80: the same. Port 81: every second. Two words, the first kept
	 * inline. */
	assert_int_equal(rows_of(fixture, TABLE_rule_words), 2);
}

static void test_a_new_peer_adds_only_its_rows(void **state)
{
	struct fixture *fixture = *state;
	struct rows rows = { 0 };
	size_t found = 0;

	for (uint32_t i = 0; i < 200; i++)
		add_rule(fixture, 6, 1 + i, 1 + i, i % 2 ? "10.0.0.0/8" : NULL);
	compile_all(fixture);
	classifier_compile(fixture->classifier, &fixture->order, peers, 1, &fixture->ids, &rows);
	for (size_t i = 0; i < rows.count; i++) {
		for (size_t j = 0; j < fixture->rows.count; j++) {
			size_t size = sizeof(struct row) + rows.list[i]->key_size +
				      rows.list[i]->value_size;

			if (rows.list[i]->table == fixture->rows.list[j]->table &&
			    !memcmp(rows.list[i], fixture->rows.list[j], size)) {
				found++;
				break;
			}
		}
	}
	assert_int_equal(found, rows.count);
	assert_true(rows.count < fixture->rows.count);
	rows_clear(&rows);
}

static void test_rows_of_two_thousand_rules(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t i = 0; i < 2000; i++) {
		char peer[32];

		snprintf(peer, sizeof(peer), "10.%u.%u.0/24", i / 250, i % 250);
		add_rule(fixture, 6, 1 + 17 * i, 1 + 17 * i, peer);
	}
	compile_all(fixture);
	assert_int_equal(rows_of(fixture, TABLE_rules), 2000);
	assert_int_equal(rows_of(fixture, TABLE_classifier_addresses), 2000);
	assert_int_equal(rows_of(fixture, TABLE_classifier_services), 2000);
	assert_int_equal(rows_of(fixture, TABLE_rule_words), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_lists),
		cmocka_unit_test_setup_teardown(test_same_rules_same_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_changed_rules_change_the_id, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_rules_no_rows, setup, teardown),
		cmocka_unit_test_setup_teardown(test_families_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(test_icmp_follows_the_family, setup, teardown),
		cmocka_unit_test_setup_teardown(test_single_ports_in_a_wide_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_port_by_range, setup, teardown),
		cmocka_unit_test_setup_teardown(test_equal_sets_share_words, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_new_peer_adds_only_its_rows, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_rows_of_two_thousand_rules, setup, teardown),
	};

	return cmocka_run_group_tests_name("classifier", tests, NULL, NULL);
}
