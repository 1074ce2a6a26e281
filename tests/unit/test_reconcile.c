/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/reconcile.c, recover.c, upkeep.c, tables.c: intent becomes rows, again after a restart, after refusals and
 * after somebody else wrote to the tables.
 */
#include "tests/unit/agent_world.h"

static int setup(void **state)
{
	*state = world_new();
	return 0;
}

static int teardown(void **state)
{
	world_free(*state);
	return 0;
}

/* ---- what is in the tables ---- */

struct snapshot {
	struct rows rows;
	enum table_id table;
};

static bool take_row(void *context, const void *key, const void *value)
{
	struct snapshot *snapshot = context;
	static const struct vpc none;

	if (snapshot->table == TABLE_vpcs && memcmp(value, &none, sizeof(none)) == 0)
		return true;
	rows_add(&snapshot->rows, snapshot->table, key, value);
	return true;
}

static void snapshot_take(struct world *world, struct snapshot *snapshot)
{
	memset(snapshot, 0, sizeof(*snapshot));
	for (unsigned int table = 0; table < TABLES; table++) {
		if (!tables_is_planned((enum table_id)table))
			continue;
		snapshot->table = (enum table_id)table;
		assert_int_equal(
			datapath_walk(world->datapath, snapshot->table, take_row, snapshot), 0);
	}
}

static size_t count_rows(struct world *world, enum table_id table)
{
	struct snapshot snapshot;
	size_t count = 0;

	snapshot_take(world, &snapshot);
	for (size_t i = 0; i < snapshot.rows.count; i++)
		count += snapshot.rows.list[i]->table == table;
	rows_clear(&snapshot.rows);
	return count;
}

static size_t count_all(struct world *world)
{
	struct snapshot snapshot;
	size_t count;

	snapshot_take(world, &snapshot);
	count = snapshot.rows.count;
	rows_clear(&snapshot.rows);
	return count;
}

static uint32_t id_of(struct world *world, const char *vpc, enum object_kind kind, const char *name)
{
	const struct object *object =
		intent_find(reconcile_intent(world->reconcile), vpc, kind, name);

	assert_non_null(object);
	return object->id;
}

static struct vpc vpc_row(struct world *world, const char *name)
{
	struct slot_key key = { reconcile_vpc_slot(world->reconcile,
						   id_of(world, name, OBJECT_VPC, NULL)) };
	struct vpc row;

	assert_true(key.slot != 0);
	assert_int_equal(datapath_get(world->datapath, TABLE_vpcs, &key, &row), 0);
	return row;
}

static int port_row(struct world *world, uint32_t port_id, struct port *row)
{
	struct port_key key = { port_id };

	return datapath_get(world->datapath, TABLE_ports, &key, row);
}

static void apply(struct world *world, const char *tree)
{
	world_expect(world, 200, "POST", "/v1/apply", tree);
}

/* ---- tests ---- */

static void intent_becomes_rows_and_goes_without_a_trace(void **state)
{
	struct world *world = *state;
	struct port row;

	assert_int_equal(count_all(world), 0);
	apply(world, WORLD_TENANTS);
	assert_int_equal(count_rows(world, TABLE_ports), 3);
	assert_int_equal(count_rows(world, TABLE_subnets), 3);
	assert_int_equal(count_rows(world, TABLE_vpcs), 2);
	assert_int_equal(count_rows(world, TABLE_attachments), 0);
	assert_int_equal(reconcile_rows(world->reconcile, TABLE_ports), 3);
	assert_int_equal(port_row(world, id_of(world, "blue", OBJECT_PORT, "web1"), &row), 0);
	assert_int_equal(row.kind, PORT_UNPLUGGED);
	assert_int_equal(row.flow_guarantee, 32);
	assert_int_equal(row.port_slot,
			 reconcile_port_slot(world->reconcile,
					     id_of(world, "blue", OBJECT_PORT, "web1")));
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue", NULL);
	world_expect(world, 200, "DELETE", "/v1/vpcs/red", NULL);
	assert_int_equal(count_all(world), 0);
	for (unsigned int table = 0; table < TABLES; table++)
		assert_int_equal(reconcile_rows(world->reconcile, (enum table_id)table), 0);
}

static void a_restart_writes_nothing_that_is_right(void **state)
{
	struct world *world = *state;
	struct port before, after;
	uint32_t generation;
	size_t rows;

	apply(world, WORLD_TENANTS);
	assert_int_equal(port_row(world, id_of(world, "red", OBJECT_PORT, "web1"), &before), 0);
	generation = vpc_row(world, "red").generation;
	rows = count_all(world);
	world_restart(world);
	assert_int_equal(count_all(world), rows);
	assert_int_equal(port_row(world, id_of(world, "red", OBJECT_PORT, "web1"), &after), 0);
	assert_memory_equal(&before, &after, sizeof(before));
	assert_true((int32_t)(vpc_row(world, "red").generation - generation) > 0);
	world_expect(world, 200, "GET", "/v1/export", NULL);
	assert_int_equal(json_object_size(json_object_get(world->answer, "vpcs")), 2);
	/* And a change after it finds everything it needs. */
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue", NULL);
	world_expect(world, 200, "DELETE", "/v1/vpcs/red", NULL);
	assert_int_equal(count_all(world), 0);
}

/* Who gets the copies and whose they are are names, of what may go: what is left is read again all the same. */
static void a_mirror_outlives_what_it_names(void **state)
{
	struct world *world = *state;
	char *tree;

	apply(world, WORLD_TENANTS);
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/ports/web1",
		     "{'security_groups': [], 'mirror': {'to': 'db1', 'peer': 'group:web'}}");
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/subnets/web", "{'mirror': {'to': 'db1'}}");
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue/ports/db1", NULL);
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue/security_groups/web", NULL);
	world_restart(world);
	world_expect(world, 200, "GET", "/v1/export", NULL);
	tree = json_dumps(world->answer, 0);
	world_expect(world, 200, "POST", "/v1/apply", tree);
	assert_int_equal(json_array_size(json_object_get(world->answer, "changes")), 0);
	free(tree);
	/* Named anew they have to be there. */
	world_expect(world, 400, "PATCH", "/v1/vpcs/blue/ports/web1", "{'mirror': {'to': 'db2'}}");
	world_expect(world, 400, "PATCH", "/v1/vpcs/blue/ports/web1",
		     "{'mirror': {'address': 'group:wob'}}");
}

/* A crash behind the commit point: the store has the change, the tables do not. */
static void a_crash_in_the_middle_is_finished_at_the_start(void **state)
{
	struct world *world = *state;
	struct port row;
	uint32_t port_id;

	apply(world, WORLD_TENANTS);
	port_id = id_of(world, "blue", OBJECT_PORT, "db1");
	world_put_table = TABLE_ports;
	world_put_code = -ENOMEM;
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/ports/db2",
		     "{'subnet': 'db', 'address': '10.0.2.21'}");
	world_put_code = 0;
	world_restart(world);
	assert_int_equal(port_row(world, port_id, &row), 0);
	assert_int_equal(port_row(world, id_of(world, "blue", OBJECT_PORT, "db2"), &row), 0);
	world_expect(world, 200, "GET", "/v1/vpcs/blue/ports/db2", NULL);
}

/* The other way round: the tables have rows that no intent asks for any more. */
static void rows_of_nobody_are_removed_at_the_start(void **state)
{
	struct world *world = *state;
	struct port_key port_key = { 4711 };
	struct port port = { .vpc_id = 4710, .port_slot = 77 };
	struct endpoint_key endpoint_key = { .vpc_id = 4710 };
	struct endpoint endpoint = { .port_id = 4711 };
	struct station_key learned_key = { .subnet_id = 3, .mac = { 2, 0, 0, 0, 0, 9 } };
	struct station learned = { .port_id = 5, .seen = 3 };

	apply(world, WORLD_TENANTS);
	datapath_put(world->datapath, TABLE_ports, &port_key, &port);
	datapath_put(world->datapath, TABLE_endpoints, &endpoint_key, &endpoint);
	datapath_put(world->datapath, TABLE_stations, &learned_key, &learned);
	world_restart(world);
	assert_int_equal(count_rows(world, TABLE_ports), 3);
	assert_int_equal(datapath_get(world->datapath, TABLE_endpoints, &endpoint_key, &endpoint),
			 -ENOENT);
	/* What the pipeline learned is not ours to remove. */
	assert_int_equal(datapath_get(world->datapath, TABLE_stations, &learned_key, &learned), 0);
}

static void slots_survive_a_restart_and_are_cleared_when_new(void **state)
{
	struct world *world = *state;
	uint32_t slot;
	struct port_stats *stats;

	apply(world, WORLD_TENANTS);
	slot = reconcile_port_slot(world->reconcile, id_of(world, "red", OBJECT_PORT, "web1"));
	stats = datapath_port_stats(world->datapath, slot);
	stats->received_packets = 12;
	world_restart(world);
	assert_int_equal(reconcile_port_slot(world->reconcile,
					     id_of(world, "red", OBJECT_PORT, "web1")),
			 slot);
	assert_int_equal(datapath_port_stats(world->datapath, slot)->received_packets, 12);
	/* Slots are in no hurry to be used again. */
	world_expect(world, 200, "DELETE", "/v1/vpcs/red/ports/web1", NULL);
	world_expect(world, 201, "PUT", "/v1/vpcs/red/ports/new", "{'subnet': 'web'}");
	assert_int_not_equal(reconcile_port_slot(world->reconcile,
						 id_of(world, "red", OBJECT_PORT, "new")),
			     slot);
}

static void a_full_table_is_named_and_tried_again(void **state)
{
	struct world *world = *state;
	struct port row;
	uint32_t id, generation;

	apply(world, WORLD_TENANTS);
	world_put_table = TABLE_ports;
	world_put_code = -E2BIG;
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/ports/web2", "{'subnet': 'web'}");
	id = id_of(world, "blue", OBJECT_PORT, "web2");
	assert_int_equal(port_row(world, id, &row), -ENOENT);
	world_expect(world, 200, "GET", "/v1/status", NULL);
	assert_string_equal(world_text(world, "problems.0.object"), "port blue/web2");
	assert_non_null(strstr(world_text(world, "problems.0.message"), "ports is full"));
	assert_int_equal(reconcile_rows(world->reconcile, TABLE_ports), 3);
	/* The others are not disturbed, and a refused change of a row leaves the old one. */
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/ports/web1", "{'mtu': 1400}");
	assert_int_equal(port_row(world, id_of(world, "blue", OBJECT_PORT, "web1"), &row), 0);
	assert_int_equal(row.mtu, 1500);
	generation = vpc_row(world, "blue").generation;
	clock_advance(&world->clock, CLOCK_NS_PER_SECOND + 1);
	loop_run_once(world->loop, 0);
	assert_int_equal(vpc_row(world, "blue").generation, generation);
	world_put_code = 0;
	clock_advance(&world->clock, CLOCK_NS_PER_SECOND + 1);
	loop_run_once(world->loop, 0);
	/* What the rules have said without these rows holds no longer. */
	assert_int_equal(vpc_row(world, "blue").generation, generation + 1);
	assert_int_equal(port_row(world, id, &row), 0);
	assert_int_equal(port_row(world, id_of(world, "blue", OBJECT_PORT, "web1"), &row), 0);
	assert_int_equal(row.mtu, 1400);
	world_expect(world, 200, "GET", "/v1/status", NULL);
	assert_int_equal(json_array_size(json_object_get(world->answer, "problems")), 0);
}

/* What is in the table although its change was refused is still known, and goes with its port. */
static void a_refused_change_is_not_forgotten(void **state)
{
	struct world *world = *state;
	struct port row;
	uint32_t id;

	apply(world, WORLD_TENANTS);
	id = id_of(world, "blue", OBJECT_PORT, "web1");
	world_put_table = TABLE_ports;
	world_put_code = -E2BIG;
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/ports/web1", "{'mtu': 1400}");
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue/ports/web1", NULL);
	assert_int_equal(port_row(world, id, &row), -ENOENT);
	world_expect(world, 200, "GET", "/v1/status", NULL);
	assert_int_equal(json_array_size(json_object_get(world->answer, "problems")), 0);
}

struct highest {
	uint32_t classifier_id;
};

static bool take_highest(void *context, const void *key, const void *value)
{
	struct highest *highest = context;
	const struct policy *policy = value;

	(void)key;
	if (policy->ingress > highest->classifier_id)
		highest->classifier_id = policy->ingress;
	if (policy->egress > highest->classifier_id)
		highest->classifier_id = policy->egress;
	return true;
}

/* Rules are compiled anew at the start, beside those that are live: under ids these do not have. */
static void ids_in_the_tables_are_not_used_again(void **state)
{
	struct world *world = *state;
	struct highest before = { 0 }, after = { 0 };

	apply(world, WORLD_TENANTS);
	datapath_walk(world->datapath, TABLE_policies, take_highest, &before);
	assert_true(before.classifier_id > 0);
	world_restart(world);
	datapath_walk(world->datapath, TABLE_policies, take_highest, &after);
	assert_true(after.classifier_id > before.classifier_id);
}

static void the_audit_repairs_what_somebody_changed(void **state)
{
	struct world *world = *state;
	struct port_key key, foreign_key = { 99999 };
	struct port row, foreign = { .vpc_id = 1 };
	size_t repaired = 0;

	apply(world, WORLD_TENANTS);
	for (int i = 0; i < TABLES; i++)
		repaired += reconcile_audit(world->reconcile);
	assert_int_equal(repaired, 0);
	key.port_id = id_of(world, "blue", OBJECT_PORT, "web1");
	assert_int_equal(port_row(world, key.port_id, &row), 0);
	row.group_set_id = 0;
	datapath_put(world->datapath, TABLE_ports, &key, &row);
	key.port_id = id_of(world, "blue", OBJECT_PORT, "db1");
	datapath_remove(world->datapath, TABLE_ports, &key);
	datapath_put(world->datapath, TABLE_ports, &foreign_key, &foreign);
	for (int i = 0; i < TABLES; i++)
		repaired += reconcile_audit(world->reconcile);
	assert_int_equal(repaired, 3);
	assert_int_equal(reconcile_counts(world->reconcile)->audit_repairs, 3);
	assert_int_equal(count_rows(world, TABLE_ports), 3);
	assert_int_equal(port_row(world, id_of(world, "blue", OBJECT_PORT, "web1"), &row), 0);
	assert_int_not_equal(row.group_set_id, 0);
}

static void rules_move_the_generation_of_their_vpc_only(void **state)
{
	struct world *world = *state;
	uint32_t blue, red;

	apply(world, WORLD_TENANTS);
	blue = vpc_row(world, "blue").generation;
	red = vpc_row(world, "red").generation;
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/security_groups/web",
		     "{'ingress': [{'protocol': 'tcp', 'ports': '443', 'from': '0.0.0.0/0'}]}");
	assert_int_equal(vpc_row(world, "blue").generation, blue + 1);
	assert_int_equal(vpc_row(world, "red").generation, red);
}

/* Adding one more port writes that port's rows, however many there are. */
static void one_more_port_writes_only_its_rows(void **state)
{
	struct world *world = *state;
	json_t *ports = json_object(), *tree;
	size_t few, many;
	char *text;

	apply(world, WORLD_TENANTS);
	world_put_rows = 0;
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/ports/one", "{'subnet': 'web'}");
	few = world_put_rows;
	for (int i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		json_object_set_new(ports, name, json_pack("{s:s}", "subnet", "web"));
	}
	tree = json_pack("{s:o}", "ports", ports);
	text = json_dumps(tree, 0);
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue", text);
	world_put_rows = 0;
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/ports/more", "{'subnet': 'web'}");
	many = world_put_rows;
	assert_true(few > 0);
	assert_int_equal(many, few);
	free(text);
	json_decref(tree);
}

static void ports_of_other_hosts_have_only_endpoints(void **state)
{
	struct world *world = *state;
	struct port row;
	uint32_t id;
	size_t endpoints;

	apply(world, WORLD_TENANTS);
	endpoints = count_rows(world, TABLE_endpoints);
	world_expect(world, 201, "PUT", "/v1/vpcs/blue/ports/far",
		     "{'subnet': 'web', 'host': 'h2'}");
	id = id_of(world, "blue", OBJECT_PORT, "far");
	assert_int_equal(port_row(world, id, &row), -ENOENT);
	assert_int_equal(count_rows(world, TABLE_endpoints), endpoints + 1);
	assert_int_equal(reconcile_port_slot(world->reconcile, id), 0);
	/* It moves here, and away again. */
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/ports/far", "{'host': 'h1'}");
	assert_int_equal(port_row(world, id, &row), 0);
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/ports/far", "{'host': 'h2'}");
	assert_int_equal(port_row(world, id, &row), -ENOENT);
	assert_int_equal(reconcile_port_slot(world->reconcile, id), 0);
}

static void flows_beyond_the_guarantees_are_shared(void **state)
{
	struct world *world = *state;

	assert_int_equal(datapath_state(world->datapath)->shared_limit, 100000);
	apply(world, WORLD_TENANTS);
	assert_int_equal(datapath_state(world->datapath)->shared_limit, 100000 - 3 * 32);
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue", NULL);
	assert_int_equal(datapath_state(world->datapath)->shared_limit, 100000 - 32);
}

static void a_commit_is_told_to_listeners(void **state)
{
	struct world *world = *state;
	const struct event_filter filter = { .kinds = 1U << EVENT_CHANGE };
	struct event_subscriber *subscriber;
	static char text[65536];
	size_t size;

	subscriber = events_subscribe(world->events, &filter, (event_wake_callback *)free, NULL);
	world_expect(world, 201, "PUT", "/v1/vpcs/blue", "{'cidrs': ['10.0.0.0/16']}");
	size = event_subscriber_read(subscriber, text, sizeof(text) - 1);
	text[size] = '\0';
	assert_int_equal(strncmp(text, "event: change\ndata: {", 21), 0);
	assert_non_null(strstr(text, "\"text\":\"+ vpc blue\""));
	assert_non_null(strstr(text, "\"revision\":1"));
	event_subscriber_free(subscriber);
}

struct hearer {
	struct reconcile_listener listener;
	size_t heard;
	bool once; /* it listens no more after that */
};

static void hear(void *context, const struct change *changes, size_t count)
{
	struct hearer *hearer = context;

	(void)changes;
	(void)count;
	hearer->heard++;
	if (hearer->once)
		reconcile_unlisten(&hearer->listener);
}

static void every_listener_hears_until_it_leaves(void **state)
{
	struct world *world = *state;
	struct hearer hearers[4] = { { .once = false }, { .once = true } };

	for (size_t i = 0; i < ARRAY_SIZE(hearers); i++) {
		hearers[i].listener.changed = hear;
		hearers[i].listener.context = &hearers[i];
		reconcile_listen(world->reconcile, &hearers[i].listener);
	}
	world_expect(world, 201, "PUT", "/v1/vpcs/blue", "{'cidrs': ['10.0.0.0/16']}");
	for (size_t i = 0; i < ARRAY_SIZE(hearers); i++)
		assert_int_equal(hearers[i].heard, 1);
	reconcile_unlisten(&hearers[3].listener);
	world_expect(world, 201, "PUT", "/v1/vpcs/red", "{'cidrs': ['10.0.0.0/16']}");
	assert_int_equal(hearers[0].heard, 2);
	assert_int_equal(hearers[1].heard, 1);
	assert_int_equal(hearers[2].heard, 2);
	assert_int_equal(hearers[3].heard, 1);
	reconcile_unlisten(&hearers[0].listener);
	reconcile_unlisten(&hearers[2].listener);
}

/* ---- numbers of tunnels ---- */

/* A host with one tunnel that has numbers, but for the end it leads to. */
#define WORLD_TUNNEL_OF(type, remote, more)                                                        \
	"{'hosts': {'h1': {'underlay': '192.0.2.1'}}, 'vpcs': {'blue': {'cidrs': ["                \
	"'10.0.0.0/16'], 'tunnels': {'site': {'type': '" type                                      \
	"', 'host': 'h1', 'remote': '" remote "', 'id': 9" more "}}}}}"
#define WORLD_TUNNEL(remote, more) WORLD_TUNNEL_OF("gre", remote, more)

static struct tunnel_key tunnel_of(struct world *world)
{
	struct port row;

	assert_int_equal(port_row(world, id_of(world, "blue", OBJECT_TUNNEL, "site"), &row), 0);
	return (struct tunnel_key){ row.tunnel_id };
}

static int numbers_of(struct world *world, const struct tunnel_key *key,
		      struct tunnel_sequence *numbers)
{
	return datapath_get(world->datapath, TABLE_tunnel_sequences, key, numbers);
}

static void expect_numbers(struct world *world, const struct tunnel_key *key, uint32_t next)
{
	struct tunnel_sequence numbers;

	assert_int_equal(numbers_of(world, key, &numbers), 0);
	assert_int_equal(numbers.next, next);
	assert_int_equal(numbers.expected, next * 2);
}

/* As the pipeline does with each packet. */
static void count_to(struct world *world, const struct tunnel_key *key, uint32_t next)
{
	const struct tunnel_sequence numbers = { next, next * 2 };

	assert_int_equal(datapath_put(world->datapath, TABLE_tunnel_sequences, key, &numbers), 0);
}

static bool count_row(void *context, const void *key, const void *value)
{
	(void)key;
	(void)value;
	++*(size_t *)context;
	return true;
}

static size_t count_numbers(struct world *world)
{
	size_t count = 0;

	assert_int_equal(datapath_walk(world->datapath, TABLE_tunnel_sequences, count_row, &count),
			 0);
	return count;
}

static void numbers_come_and_go_with_their_tunnel(void **state)
{
	struct world *world = *state;
	struct tunnel_key key;

	apply(world, WORLD_TUNNEL("203.0.113.7", ""));
	assert_int_equal(count_numbers(world), 0);
	apply(world, WORLD_TUNNEL("203.0.113.7", ", 'sequence': true"));
	key = tunnel_of(world);
	expect_numbers(world, &key, 0);
	count_to(world, &key, 70);
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/tunnels/site", "{'sequence': false}");
	assert_int_equal(count_numbers(world), 0);
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/tunnels/site", "{'sequence': true}");
	expect_numbers(world, &key, 0);
	world_expect(world, 200, "DELETE", "/v1/vpcs/blue/tunnels/site", NULL);
	assert_int_equal(count_numbers(world), 0);
}

static void numbers_go_on_while_the_end_is_the_same(void **state)
{
	struct world *world = *state;
	struct tunnel_key key;

	apply(world, WORLD_TUNNEL("203.0.113.7", ", 'sequence': true"));
	key = tunnel_of(world);
	count_to(world, &key, 70);
	world_restart(world);
	expect_numbers(world, &key, 70);
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/tunnels/site", "{'ttl': 9}");
	expect_numbers(world, &key, 70);
	/* Another end counts by itself. */
	world_expect(world, 200, "PATCH", "/v1/vpcs/blue/tunnels/site",
		     "{'remote': '203.0.113.8'}");
	expect_numbers(world, &key, 0);
}

/* Nothing comes in by it, so one row less tells whose it is. */
static void numbers_of_a_mirrors_tunnel_go_on_over_a_restart(void **state)
{
	struct world *world = *state;
	struct tunnel_key key, again;

	apply(world, WORLD_TUNNEL_OF("erspan", "203.0.113.7", ", 'mirror': true"));
	key = tunnel_of(world);
	count_to(world, &key, 70);
	world_restart(world);
	again = tunnel_of(world);
	assert_int_equal(again.tunnel_id, key.tunnel_id);
	expect_numbers(world, &key, 70);
}

static void numbers_that_are_missing_or_left_over_are_put_right(void **state)
{
	struct world *world = *state;
	const struct tunnel_key nobody = { 4711 };
	struct tunnel_key key;

	apply(world, WORLD_TUNNEL("203.0.113.7", ", 'sequence': true"));
	key = tunnel_of(world);
	/* A daemon that knew nothing of numbers wrote the tunnel. */
	assert_int_equal(datapath_remove(world->datapath, TABLE_tunnel_sequences, &key), 0);
	count_to(world, &nobody, 5);
	world_restart(world);
	expect_numbers(world, &key, 0);
	assert_int_equal(count_numbers(world), 1);
	/* And the audit finds what somebody else did, and leaves live numbers alone. */
	assert_int_equal(datapath_remove(world->datapath, TABLE_tunnel_sequences, &key), 0);
	for (unsigned int table = 0; table < TABLES; table++)
		reconcile_audit(world->reconcile);
	expect_numbers(world, &key, 0);
	count_to(world, &key, 70);
	for (unsigned int table = 0; table < TABLES; table++)
		assert_int_equal(reconcile_audit(world->reconcile), 0);
	expect_numbers(world, &key, 70);
}

/* The tunnel that is refused leaves nothing that the next one with its number would go on with. */
static void a_refused_tunnel_is_tried_again_with_its_numbers(void **state)
{
	struct world *world = *state;
	struct tunnel_key key;

	world_put_table = TABLE_tunnels;
	world_put_code = -E2BIG;
	apply(world, WORLD_TUNNEL("203.0.113.7", ", 'sequence': true"));
	world_put_code = 0;
	assert_int_equal(count_rows(world, TABLE_tunnels), 0);
	key = tunnel_of(world);
	count_to(world, &key, 70);
	apply(world, WORLD_TUNNEL("203.0.113.7", ", 'sequence': true, 'ttl': 9"));
	assert_int_equal(count_rows(world, TABLE_tunnels), 1);
	expect_numbers(world, &key, 0);
}

int main(void)
{
#define WITH_WORLD(test) cmocka_unit_test_setup_teardown(test, setup, teardown)
	const struct CMUnitTest tests[] = {
		WITH_WORLD(intent_becomes_rows_and_goes_without_a_trace),
		WITH_WORLD(a_restart_writes_nothing_that_is_right),
		WITH_WORLD(a_mirror_outlives_what_it_names),
		WITH_WORLD(a_crash_in_the_middle_is_finished_at_the_start),
		WITH_WORLD(rows_of_nobody_are_removed_at_the_start),
		WITH_WORLD(slots_survive_a_restart_and_are_cleared_when_new),
		WITH_WORLD(a_full_table_is_named_and_tried_again),
		WITH_WORLD(a_refused_change_is_not_forgotten),
		WITH_WORLD(ids_in_the_tables_are_not_used_again),
		WITH_WORLD(the_audit_repairs_what_somebody_changed),
		WITH_WORLD(rules_move_the_generation_of_their_vpc_only),
		WITH_WORLD(one_more_port_writes_only_its_rows),
		WITH_WORLD(ports_of_other_hosts_have_only_endpoints),
		WITH_WORLD(flows_beyond_the_guarantees_are_shared),
		WITH_WORLD(a_commit_is_told_to_listeners),
		WITH_WORLD(every_listener_hears_until_it_leaves),
		WITH_WORLD(numbers_come_and_go_with_their_tunnel),
		WITH_WORLD(numbers_go_on_while_the_end_is_the_same),
		WITH_WORLD(numbers_of_a_mirrors_tunnel_go_on_over_a_restart),
		WITH_WORLD(numbers_that_are_missing_or_left_over_are_put_right),
		WITH_WORLD(a_refused_tunnel_is_tried_again_with_its_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
