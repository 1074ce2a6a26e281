/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model/draft_store and the round trips: random intents are applied one after the other; after each one
 * the export applies as no change, a fresh intent made of the export exports the same, and an intent
 * loaded from the records of all drafts is the same down to the ids.
 */
#include "model/intent_private.h"
#include "tests/unit/model_cases.h"

/* ---- random intents ---- */

static uint32_t random_state;

/* xorshift32: the same on every machine, from the seed alone. */
static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 17;
	random_state ^= random_state << 5;
	return random_state % limit;
}

static bool chance(uint32_t percent)
{
	return random_below(100) < percent;
}

struct shape {
	uint32_t subnets, ports, tables, groups, acls;
};

static void set_text(json_t *object, const char *key, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void set_text(json_t *object, const char *key, const char *format, ...)
{
	va_list arguments;
	char text[128];

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_object_set_new(object, key, json_string(text));
}

static json_t *random_rule(const struct shape *shape, bool ingress, uint32_t number)
{
	static const char *const names[] = { "all", "tcp", "udp", "icmp", "icmpv6" };
	const char *peer = ingress ? "from" : "to";
	uint32_t kind = random_below(6);
	json_t *rule = json_object();

	if (number) {
		json_object_set_new(rule, "number", json_integer(number));
		set_text(rule, "action", "%s", chance(50) ? "allow" : "deny");
	}
	if (kind == 5)
		json_object_set_new(rule, "protocol", json_integer(random_below(256)));
	else
		set_text(rule, "protocol", "%s", names[kind]);
	if ((kind == 1 || kind == 2) && chance(70))
		set_text(rule, "ports", "%u,%u-%u", random_below(65536), random_below(1000),
			 1000 + random_below(1000));
	if ((kind == 3 || kind == 4) && chance(50))
		json_object_set_new(rule, "type", json_integer(random_below(256)));
	if ((kind == 3 || kind == 4) && json_object_get(rule, "type") && chance(50))
		json_object_set_new(rule, "code", json_integer(random_below(256)));
	if (!number && shape->groups && chance(30))
		set_text(rule, peer, "group:g%u", random_below(shape->groups));
	else if (chance(40) || kind >= 4) /* 58 never has an IPv4 address */
		set_text(rule, peer, "fd00:%x::/%u", random_below(65536), 16 + random_below(113));
	else
		set_text(rule, peer, "%u.%u.0.0/%u", 1 + random_below(200), random_below(256),
			 1 + random_below(32));
	return rule;
}

static json_t *random_rules(const struct shape *shape, bool ingress, bool numbered)
{
	uint32_t count = random_below(6);
	json_t *rules = json_array();

	/* The number of an ACL's rule, or the place of a group's, makes each one different. */
	for (uint32_t i = 0; i < count; i++) {
		json_t *rule = random_rule(shape, ingress, numbered ? 10 * (count - i) : 0);
		bool twice = false;

		for (size_t j = 0; j < json_array_size(rules); j++)
			twice |= json_equal(json_array_get(rules, j), rule);
		if (twice)
			json_decref(rule);
		else
			json_array_append_new(rules, rule);
	}
	return rules;
}

static json_t *random_subnet(const struct shape *shape, uint32_t index)
{
	json_t *subnet = json_object();

	if (chance(60))
		set_text(subnet, "cidr", "10.0.%u.%u/24", index, random_below(256));
	else
		json_object_set_new(subnet, "cidr",
				    json_pack("[oo]", json_sprintf("10.0.%u.0/24", index),
					      json_sprintf("fd00:b:0:%x::/64", index)));
	if (chance(20))
		set_text(subnet, "mode", "%s", "l2");
	if (chance(20))
		set_text(subnet, "gateway", "10.0.%u.254", index);
	if (shape->tables && chance(50))
		set_text(subnet, "route_table", "t%u", random_below(shape->tables));
	if (shape->acls && chance(50))
		set_text(subnet, "acl", "a%u", random_below(shape->acls));
	if (chance(20))
		json_object_set_new(subnet, "segment", json_pack("{ss}", "type", "local"));
	if (chance(20))
		json_object_set_new(subnet, "flood_rate", json_integer(random_below(100)));
	return subnet;
}

static json_t *random_port(const struct shape *shape, const char *vpc, uint32_t index)
{
	uint32_t subnet = random_below(shape->subnets);
	json_t *port = json_object(), *groups = json_array();

	set_text(port, "subnet", "s%u", subnet);
	if (chance(40))
		set_text(port, "address", "10.0.%u.%u", subnet, 100 + index);
	if (chance(20))
		set_text(port, "mac", "02:aa:00:00:%02x:%02x", subnet, index);
	for (uint32_t i = 0; i < shape->groups; i++)
		if (chance(50))
			json_array_append_new(groups, json_sprintf("g%u", i));
	if (chance(50))
		json_object_set(port, "security_groups", groups);
	json_decref(groups);
	if (chance(20))
		json_object_set_new(port, "source_destination_check", json_false());
	if (chance(20))
		json_object_set_new(port, "allowed_addresses",
				    json_pack("[ss]", "192.0.2.7", "fd00:9::/32"));
	if (chance(20))
		json_object_set_new(port, "mtu", json_integer(1300 + random_below(200)));
	if (chance(30))
		json_object_set_new(port, "attach",
				    json_pack("{so,sb}", "netns", json_sprintf("%s-%u", vpc, index),
					      "configure", (int)random_below(2)));
	else if (chance(30))
		json_object_set_new(port, "attach",
				    json_pack("{so,si}", "tap", json_sprintf("%s.%u", vpc, index),
					      "queues", 1 + (int)random_below(4)));
	if (chance(10))
		set_text(port, "host", "h%u", random_below(3));
	return port;
}

static json_t *random_table(const struct shape *shape)
{
	json_t *routes = json_array();
	uint32_t count = random_below(5);

	for (uint32_t i = 0; i < count; i++) {
		json_t *route = json_object();

		set_text(route, "to", "%u.%u.0.0/%u", 11 + i, random_below(256),
			 8 + random_below(20));
		if (shape->ports > 1 && chance(40)) {
			uint32_t first = random_below(shape->ports - 1);

			json_object_set_new(route, "via",
					    json_pack("[oo]", json_sprintf("port:p%u", first + 1),
						      json_sprintf("port:p%u", first)));
		} else if (shape->ports && chance(50)) {
			set_text(route, "via", "port:p%u", random_below(shape->ports));
		} else {
			set_text(route, "via", "blackhole");
		}
		json_array_append_new(routes, route);
	}
	if (shape->ports && chance(20))
		json_array_append_new(routes,
				      json_pack("{ssss}", "to", "10.0.0.0/16", "via", "port:p0"));
	return json_pack("{so}", "routes", routes);
}

static json_t *random_vpc(const char *name)
{
	const struct shape shape = { 1 + random_below(5), random_below(12), random_below(3),
				     random_below(4), random_below(3) };
	json_t *vpc = json_pack("{s[ss]}", "cidrs", "10.0.0.0/16", "fd00:b::/48");
	static const char *const collections[] = { "ports", "subnets", "acls", "security_groups",
						   "route_tables" };
	json_t *members[5];
	char member[16];

	for (int i = 0; i < 5; i++) {
		members[i] = json_object();
		json_object_set_new(vpc, collections[i], members[i]);
	}
	for (uint32_t i = 0; i < shape.ports; i++) {
		snprintf(member, sizeof(member), "p%u", i);
		json_object_set_new(members[0], member, random_port(&shape, name, i));
	}
	for (uint32_t i = 0; i < shape.subnets; i++) {
		snprintf(member, sizeof(member), "s%u", i);
		json_object_set_new(members[1], member, random_subnet(&shape, i));
	}
	for (uint32_t i = 0; i < shape.acls; i++) {
		snprintf(member, sizeof(member), "a%u", i);
		json_object_set_new(members[2], member,
				    json_pack("{soso}", "ingress", random_rules(&shape, true, true),
					      "egress", random_rules(&shape, false, true)));
	}
	for (uint32_t i = 0; i < shape.groups; i++) {
		json_t *group = json_object();

		if (chance(70))
			json_object_set_new(group, "ingress", random_rules(&shape, true, false));
		if (chance(50))
			json_object_set_new(group, "egress", random_rules(&shape, false, false));
		snprintf(member, sizeof(member), "g%u", i);
		json_object_set_new(members[3], member, group);
	}
	for (uint32_t i = 0; i < shape.tables; i++) {
		snprintf(member, sizeof(member), "t%u", i);
		json_object_set_new(members[4], member, random_table(&shape));
	}
	if (chance(30))
		json_object_set_new(members[4], "main", random_table(&shape));
	if (chance(20))
		json_object_set_new(members[3], "default",
				    json_pack("{so}", "ingress",
					      random_rules(&shape, true, false)));
	if (shape.tables && chance(30))
		set_text(vpc, "main_route_table", "t0");
	if (chance(30))
		set_text(vpc, "established", "cut");
	if (chance(30))
		json_object_set_new(vpc, "timeouts", json_pack("{si}", "udp_replied", 99));
	return vpc;
}

static json_t *random_tree(void)
{
	json_t *vpcs = json_object();
	uint32_t count = random_below(4);
	char name[16];

	for (uint32_t i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "v%u", i);
		json_object_set_new(vpcs, name, random_vpc(name));
	}
	return json_pack("{so}", "vpcs", vpcs);
}

/* ---- the store ---- */

/* Records as a store would hold them. */
struct fake_store {
	struct map values;
	uint64_t revision;
};

/* The bound that the check judges by is one; 600 bytes are for what is no list. */
static void check_bound(struct intent *intent, const char *value)
{
	struct error error = { 0 };
	const struct draft_entry *entry;
	json_t *json = NULL;
	uint32_t id;

	assert_int_equal(json_load_text(value, strlen(value), 1 << 22, &json, &error), 0);
	id = (uint32_t)json_integer_value(json_object_get(json, "id"));
	json_decref(json);
	entry = id ? draft_entry(intent->draft, id) : NULL;
	if (entry && entry->after)
		assert_true(strlen(value) <= object_text_bound(entry->after) + 600);
}

static void store_write(struct fake_store *store, struct intent *intent,
			const struct record *records, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		char *old;

		for (size_t j = 0; j < i; j++)
			assert_string_not_equal(records[i].key, records[j].key);
		if (records[i].value)
			check_bound(intent, records[i].value);
		if (records[i].value)
			old = map_put_text(&store->values, records[i].key,
					   xstrdup(records[i].value));
		else
			old = map_remove_text(&store->values, records[i].key);
		if (!records[i].value)
			assert_non_null(old);
		free(old);
	}
	store->revision++;
}

static struct intent *store_load(const struct fake_store *store)
{
	struct record *records = xcalloc(map_count(&store->values) + 1, sizeof(*records));
	uint64_t *revisions = xcalloc(map_count(&store->values) + 1, sizeof(*revisions));
	struct intent *intent = intent_new();
	struct error error = { 0 };
	size_t count = 0;

	MAP_FOR_EACH(&store->values, it) {
		records[count].key = (char *)it.key;
		records[count].value = it.value;
		revisions[count++] = 7;
	}
	/* Any order will do. */
	for (size_t i = count; i > 1; i--) {
		size_t other = random_below((uint32_t)i);
		struct record record = records[i - 1];

		records[i - 1] = records[other];
		records[other] = record;
	}
	if (intent_load(intent, records, revisions, count, &error))
		fail_msg("%s", error.text);
	free(records);
	free(revisions);
	return intent;
}

static void assert_same_ids(const struct intent *a, const struct intent *b)
{
	assert_int_equal(a->next_id, b->next_id);
	for (uint32_t id = 1; id < a->next_id; id++) {
		char x[400] = "", y[400] = "";

		assert_int_equal(intent_describe(a, id, x, sizeof(x)),
				 intent_describe(b, id, y, sizeof(y)));
		assert_string_equal(x, y);
	}
}

static void assert_same_export(const struct intent *a, const struct intent *b)
{
	json_t *x = intent_export(a), *y = intent_export(b);

	assert_true(json_equal(x, y));
	json_decref(x);
	json_decref(y);
}

/* Applies @tree; returns how many changes. */
static size_t apply(struct intent *intent, const json_t *tree, struct fake_store *store)
{
	struct draft *draft = draft_new(intent);
	struct error error = { 0 };
	const struct record *records;
	size_t changes, count;

	if (draft_apply_tree(draft, tree, true, &error) || draft_check(draft, &error)) {
		char *text = json_dumps(tree, JSON_INDENT(1));

		fail_msg("%s\n%s", error.text, text);
	}
	draft_changes(draft, &changes);
	records = draft_records(draft, &count);
	if (store)
		store_write(store, intent, records, count);
	if (changes == 0)
		assert_int_equal(count, 0);
	draft_commit(draft, 1);
	draft_free(draft);
	return changes;
}

static void test_random(void **state)
{
	struct fake_store store = { .revision = 0 };
	struct intent *intent = intent_new();

	(void)state;
	random_state = 20261121;
	for (int round = 0; round < 150; round++) {
		json_t *tree = random_tree(), *export;
		struct intent *fresh = intent_new(), *loaded;

		apply(intent, tree, &store);
		assert_int_equal(apply(intent, tree, &store), 0);
		export = intent_export(intent);
		assert_int_equal(apply(intent, export, &store), 0);
		apply(fresh, export, NULL);
		assert_same_export(intent, fresh);
		loaded = store_load(&store);
		assert_same_export(intent, loaded);
		assert_same_ids(intent, loaded);
		assert_int_equal(apply(loaded, tree, NULL), 0);
		json_decref(export);
		json_decref(tree);
		intent_free(fresh);
		intent_free(loaded);
	}
	intent_free(intent);
	map_fini(&store.values, free);
}

/* What the keys are, and that an address that changes hands is one record. */
static void test_records(void **state)
{
	struct intent *intent = intent_new();
	struct fake_store store = { .revision = 0 };
	json_t *tree = json_of("{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],"
			       "'subnets':{'web':{'cidr':'10.0.1.0/24'}},"
			       "'ports':{'a':{'subnet':'web','address':'10.0.1.9'}}}}}");
	json_t *other = json_of("{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],"
				"'subnets':{'web':{'cidr':'10.0.1.0/24'}},"
				"'ports':{'b':{'subnet':'web','address':'10.0.1.9'}}}}}");
	json_t *nothing = json_of("{}");

	(void)state;
	apply(intent, tree, &store);
	assert_string_equal(map_get_text(&store.values, "/weft/1/ipam/1/4/10.0.1.9"),
			    "{\"port\":5}");
	assert_non_null(map_get_text(&store.values, "/weft/1/vpc/1/vpcs/1"));
	assert_non_null(map_get_text(&store.values, "/weft/1/vpc/1/ports/5"));
	assert_string_equal(map_get_text(&store.values, "/weft/1/ids/next"), "{\"next\":9}");
	apply(intent, other, &store);
	assert_string_equal(map_get_text(&store.values, "/weft/1/ipam/1/4/10.0.1.9"),
			    "{\"port\":9}");
	assert_null(map_get_text(&store.values, "/weft/1/vpc/1/ports/5"));
	apply(intent, nothing, &store);
	/* Nothing is left but the counter: ids are never used twice. */
	assert_int_equal(map_count(&store.values), 1);
	assert_string_equal(map_get_text(&store.values, "/weft/1/ids/next"), "{\"next\":10}");
	json_decref(tree);
	json_decref(other);
	json_decref(nothing);
	intent_free(intent);
	map_fini(&store.values, free);
}

/* Records that are not as they were written are refused with their key. */
static void test_damaged(void **state)
{
	static const struct {
		const char *key, *value, *sentence;
	} cases[] = {
		{ "/weft/1/ids/next", "{}", "record /weft/1/ids/next: is missing" },
		{ "/weft/1/ids/next", "12",
		  "record /weft/1/ids/next: not valid JSON: line 1 column 2: "
		  "'[' or '{' expected near '12'" },
		{ "/weft/1/vpc/1/vpcs/1", "{}",
		  "record /weft/1/vpc/1/vpcs/1: the record has no valid name" },
		{ "/weft/1/vpc/1/vpcs/1", "{\"id\":1,\"name\":\"blue\"}",
		  "record /weft/1/vpc/1/vpcs/1: there is no record of its main table or default "
		  "group" },
		{ "/weft/1/vpc/1/ports/2", "{\"id\":2,\"name\":\"a\",\"subnet\":\"web\"}",
		  "record /weft/1/vpc/1/ports/2: there is no record of its vpc" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct record record = { (char *)cases[i].key, (char *)cases[i].value };
		struct intent *intent = intent_new();
		struct error error = { 0 };

		assert_int_equal(intent_load(intent, &record, NULL, 1, &error), -EINVAL);
		assert_string_equal(error.text, cases[i].sentence);
		intent_free(intent);
	}
}

/* A route keeps the id of a port that is gone, over a restart as well (V24). */
static void test_dead_route(void **state)
{
	struct intent *intent = intent_new(), *loaded;
	struct fake_store store = { .revision = 0 };
	json_t *tree =
		json_of("{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],"
			"'subnets':{'web':{'cidr':'10.0.1.0/24'}},'ports':{'a':{'subnet':'web'}},"
			"'route_tables':{'main':{'routes':[{'to':'11.0.0.0/8',"
			"'via':'port:a'}]}}}}}");
	const char *path[] = { "vpcs", "blue", "ports", "a" };
	const struct record *records;
	struct error error = { 0 };
	struct draft *draft;
	json_t *export;
	size_t count;

	(void)state;
	apply(intent, tree, &store);
	draft = draft_new(intent);
	assert_int_equal(draft_remove(draft, path, 4, &error), 0);
	assert_int_equal(draft_check(draft, &error), 0);
	records = draft_records(draft, &count);
	store_write(&store, intent, records, count);
	draft_commit(draft, 2);
	draft_free(draft);
	loaded = store_load(&store);
	assert_same_export(intent, loaded);
	assert_same_ids(intent, loaded);
	intent_free(loaded);
	/* Without the counter, which is damage, at least no id is given out twice. */
	free(map_remove_text(&store.values, "/weft/1/ids/next"));
	loaded = store_load(&store);
	assert_same_ids(intent, loaded);
	export = intent_export(loaded);
	assert_int_equal(apply(loaded, export, NULL), 0);
	assert_int_equal(apply(loaded, tree, NULL), 2);
	assert_member(loaded, "vpcs/blue/route_tables/main", "routes",
		      "[{'to':'10.0.0.0/16','via':'local','status':'active'},"
		      "{'to':'11.0.0.0/8','via':'port:a','status':'active'}]");
	json_decref(export);
	json_decref(tree);
	intent_free(intent);
	intent_free(loaded);
	map_fini(&store.values, free);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_damaged),
		cmocka_unit_test(test_dead_route),
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests_name("model_store", tests, NULL, NULL);
}
