/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/reconcile_news.c: two hosts on one store. What one writes becomes intent and rows of the other, requests
 * that meet are done one after the other, and a store that is away changes nothing.
 */
#include "tests/unit/agent_world.h"

#include "agent/reconcile_private.h"

struct pair {
	struct world *h1, *h2;
};

static int setup(void **state)
{
	struct pair *pair = calloc(1, sizeof(*pair));

	pair->h1 = world_new();
	pair->h2 = world_join(pair->h1, "h2");
	*state = pair;
	return 0;
}

static int teardown(void **state)
{
	struct pair *pair = *state;

	world_free(pair->h2);
	world_free(pair->h1);
	free(pair);
	return 0;
}

/* Both hear what was written. */
static void news(struct pair *pair)
{
	struct error error = { 0 };

	assert_int_equal(store_dispatch(pair->h1->store, &error), 0);
}

static const struct object *find(struct world *world, enum object_kind kind, const char *name)
{
	return intent_find(reconcile_intent(world->reconcile), "blue", kind, name);
}

static bool has_port_row(struct world *world, const char *name)
{
	const struct object *port = find(world, OBJECT_PORT, name);
	struct port_key key = { port ? port->id : 0 };
	struct port row;

	return port && datapath_get(world->datapath, TABLE_ports, &key, &row) == 0;
}

#define VPC "{'cidrs': ['10.0.0.0/16'], 'subnets': {'web': {'cidr': '10.0.1.0/24'}}}"
#define PORT(host) "{'subnet': 'web', 'host': '" host "', 'attach': {'tap': 'tap0'}}"

static void what_one_writes_the_other_has(void **state)
{
	struct pair *pair = *state;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue/ports/a", PORT("h2"));
	assert_null(find(pair->h2, OBJECT_PORT, "a"));
	news(pair);
	assert_non_null(find(pair->h2, OBJECT_PORT, "a"));
	/* It is the other's port: its rows are there, and not here. */
	assert_true(has_port_row(pair->h2, "a"));
	assert_false(has_port_row(pair->h1, "a"));
	world_expect(pair->h2, 200, "DELETE", "/v1/vpcs/blue/ports/a", NULL);
	news(pair);
	assert_null(find(pair->h1, OBJECT_PORT, "a"));
	assert_int_equal(reconcile_revision(pair->h1->reconcile),
			 reconcile_revision(pair->h2->reconcile));
}

static void a_request_that_comes_late_is_done_again(void **state)
{
	struct pair *pair = *state;
	const struct port_object *a, *b;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	news(pair);
	/* Neither has heard of the other's port: both want the next id and the first free address. */
	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue/ports/a", PORT("h1"));
	world_expect(pair->h2, 201, "PUT", "/v1/vpcs/blue/ports/b", PORT("h2"));
	news(pair);
	a = (const struct port_object *)find(pair->h1, OBJECT_PORT, "a");
	b = (const struct port_object *)find(pair->h1, OBJECT_PORT, "b");
	assert_non_null(a);
	assert_non_null(b);
	assert_int_not_equal(a->object.id, b->object.id);
	assert_false(ip_address_equal(&a->addresses[0], &b->addresses[0]));
	assert_false(mac_address_equal(&a->mac, &b->mac));
}

static void put_port(struct world *world, const char *name, const char *host)
{
	char path[64], body[160];

	snprintf(path, sizeof(path), "/v1/vpcs/blue/ports/%s", name);
	snprintf(body, sizeof(body), "{'subnet': 'web', 'host': '%s', 'attach': {'tap': '%s'}}",
		 host, name);
	world_expect(world, 201, "PUT", path, body);
}

/* A minute and more, as the clock of the reconciler counts it. */
static void let_time_pass(struct pair *pair, uint32_t ticks)
{
	for (uint32_t i = 0; i < ticks; i++) {
		pair->h1->reconcile->ticks++;
		pair->h2->reconcile->ticks++;
		reconcile_vpcs_tick(pair->h1->reconcile);
		reconcile_vpcs_tick(pair->h2->reconcile);
		news(pair);
	}
}

struct saved {
	char *key, *value;
};

static int save_h9(void *context, const struct store_item *item)
{
	struct saved *saved = context;

	if (!strstr(item->value, "eth9"))
		return 0;
	saved->key = strdup(item->key);
	saved->value = strdup(item->value);
	return 0;
}

static void put_or_delete(struct store *store, const char *key, const char *value)
{
	struct store_transaction *transaction = store_transaction_new();
	struct error error = { 0 };

	if (value)
		store_transaction_put(transaction, key, value, 0);
	else
		store_transaction_delete(transaction, key);
	assert_int_equal(store_commit(store, transaction, NULL, &error), 0);
	store_transaction_free(transaction);
}

/* Watches are not heard in the order of what was written: the VPC comes before the host that it names. */
static void a_vpc_may_come_before_a_host_it_names(void **state)
{
	struct pair *pair = *state;
	struct saved saved = { 0 };
	struct error error = { 0 };

	world_expect(pair->h1, 201, "PUT", "/v1/hosts/h2",
		     "{'underlay': '192.0.2.2/24', 'uplinks': {'physnet1': 'eth2'}}");
	world_expect(pair->h1, 201, "PUT", "/v1/hosts/h9",
		     "{'underlay': '192.0.2.9/24', 'uplinks': {'physnet1': 'eth9'}}");
	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue",
		     "{'cidrs': ['10.0.0.0/16'], 'subnets': {'web': {'cidr': '10.0.1.0/24', "
		     "'segment': {'type': 'flat', 'network': 'physnet1', 'router': 'h9'}}}}");
	assert_int_equal(
		store_list(pair->h1->store, "/weft/1/host/", save_h9, &saved, NULL, &error), 0);
	assert_non_null(saved.key);
	put_port(pair->h1, "a", "h2");
	put_or_delete(pair->h1->store, saved.key, NULL);
	news(pair);
	assert_null(intent_find(reconcile_intent(pair->h2->reconcile), "", OBJECT_HOST, "h9"));
	assert_non_null(find(pair->h2, OBJECT_SUBNET, "web"));
	assert_true(has_port_row(pair->h2, "a"));
	put_or_delete(pair->h1->store, saved.key, saved.value);
	news(pair);
	assert_non_null(intent_find(reconcile_intent(pair->h2->reconcile), "", OBJECT_HOST, "h9"));
	free(saved.key);
	free(saved.value);
}

/* Met once, it looks elsewhere for a while, so that ten writers do not refuse each other for ever. */
static void who_met_another_keeps_apart(void **state)
{
	struct pair *pair = *state;
	const struct ip_address near = ip_address_from_ipv4(0x0a000114); /* 10.0.1.20 */
	bool apart = false;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	news(pair);
	put_port(pair->h2, "first", "h2");
	news(pair);
	/* Both hold the VPC now, and neither hears of the other's port before it writes. */
	put_port(pair->h1, "a", "h1");
	put_port(pair->h2, "b", "h2");
	assert_true(pair->h2->reconcile->rivals_until > pair->h2->reconcile->ticks);
	for (int i = 0; i < 8; i++) {
		const struct port_object *port;
		char name[16];

		snprintf(name, sizeof(name), "c%d", i);
		put_port(pair->h2, name, "h2");
		port = (const struct port_object *)find(pair->h2, OBJECT_PORT, name);
		apart |= memcmp(&port->addresses[0], &near, sizeof(near)) > 0;
	}
	assert_true(apart);
	let_time_pass(pair, 60);
	put_port(pair->h2, "late", "h2");
	assert_false(pair->h2->reconcile->rivals_until > pair->h2->reconcile->ticks);
}

/* Two hosts make a port of one name at once: whoever is later changes the one that is there. */
static void a_port_is_made_once(void **state)
{
	struct pair *pair = *state;
	const struct object **list;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	news(pair);
	put_port(pair->h2, "first", "h2");
	news(pair);
	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue/ports/twice",
		     "{'subnet': 'web', 'host': 'h1', 'address': '10.0.1.40'}");
	world_expect(pair->h2, 200, "PUT", "/v1/vpcs/blue/ports/twice",
		     "{'subnet': 'web', 'host': 'h1', 'address': '10.0.1.41'}");
	news(pair);
	for (int i = 0; i < 2; i++) {
		struct intent *intent = reconcile_intent((i ? pair->h2 : pair->h1)->reconcile);

		assert_int_equal(intent_list(intent, find(pair->h1, OBJECT_PORT, "twice")->vpc_id,
					     OBJECT_PORT, &list),
				 2);
		free(list);
	}
	assert_int_equal(find(pair->h1, OBJECT_PORT, "twice")->id,
			 find(pair->h2, OBJECT_PORT, "twice")->id);
}

/* A store written before: its addresses leave the trees that hosts watch, and are still taken. */
static void addresses_leave_the_trees(void **state)
{
	struct pair *pair = *state;
	struct store *store = pair->h1->store;
	char *text = NULL, old[64], new[64];
	struct error error = { 0 };
	const struct object *web;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	put_port(pair->h1, "a", "h1");
	web = find(pair->h1, OBJECT_SUBNET, "web");
	snprintf(old, sizeof(old), "/weft/1/vpc/%u/ipam/%u/10.0.1.4", web->vpc_id, web->id);
	snprintf(new, sizeof(new), "/weft/1/ipam/%u/%u/10.0.1.4", web->vpc_id, web->id);
	assert_int_equal(store_get(store, new, &text, NULL, &error), 0);
	assert_int_equal(store_put(store, old, text, NULL, &error), 0);
	assert_int_equal(store_delete(store, new, NULL, &error), 0);
	assert_int_equal(store_put(store, "/weft/1/index/layout", "{\"layout\":1}", NULL, &error),
			 0);
	free(text);
	world_stop(pair->h2);
	world_start(pair->h2);
	assert_int_equal(store_get(store, old, &text, NULL, &error), -ENOENT);
	assert_int_equal(store_get(store, new, &text, NULL, &error), 0);
	free(text);
	put_port(pair->h2, "b", "h2");
	assert_false(ip_address_equal(
		&((const struct port_object *)find(pair->h2, OBJECT_PORT, "a"))->addresses[0],
		&((const struct port_object *)find(pair->h2, OBJECT_PORT, "b"))->addresses[0]));
}

static uint32_t next_id(struct world *world)
{
	struct error error = { 0 };
	char *text = NULL;
	unsigned int next = 0;

	assert_int_equal(store_get(world->store, "/weft/1/ids/next", &text, NULL, &error), 0);
	assert_int_equal(sscanf(text, "{\"next\":%u}", &next), 1);
	free(text);
	return next;
}

/* The counter moves once for many changes, and two hosts never give out the same id. */
static void ids_are_taken_in_blocks(void **state)
{
	struct pair *pair = *state;
	struct map seen = { 0 };
	uint32_t first, second;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	news(pair);
	world_expect(pair->h2, 201, "PUT", "/v1/vpcs/blue/ports/first", PORT("h2"));
	first = next_id(pair->h1);
	news(pair);
	for (int i = 0; i < 100; i++) {
		struct world *world = i % 2 ? pair->h1 : pair->h2;
		const struct object *port;
		char path[64], body[128], name[16];

		snprintf(name, sizeof(name), "p%d", i);
		snprintf(path, sizeof(path), "/v1/vpcs/blue/ports/%s", name);
		snprintf(body, sizeof(body),
			 "{'subnet': 'web', 'host': 'h1', 'attach': {'tap': 'tap%d'}}", i + 1);
		world_expect(world, 201, "PUT", path, body);
		news(pair);
		port = find(pair->h1, OBJECT_PORT, name);
		assert_non_null(port);
		assert_int_not_equal(port->id, 0);
		assert_null(map_put_u32(&seen, port->id, pair));
		assert_true(port->id < next_id(pair->h1));
	}
	second = next_id(pair->h1);
	assert_int_equal(first, second);
	map_fini(&seen, NULL);
	/* What was not given out when a host ended is not given out by who starts next. */
	world_stop(pair->h2);
	world_start(pair->h2);
	world_expect(pair->h2, 201, "PUT", "/v1/vpcs/blue/ports/last",
		     "{'subnet': 'web', 'host': 'h2', 'attach': {'tap': 'last'}}");
	assert_true(find(pair->h2, OBJECT_PORT, "last")->id >= second);
}

/* A request that is larger than a block gets one that is large enough. */
static void a_large_request_takes_a_large_block(void **state)
{
	struct pair *pair = *state;
	json_t *ports = json_object(), *body;
	char *text;

	for (int i = 0; i < 3000; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		json_object_set_new(ports, name,
				    json_pack("{s:s, s:s}", "subnet", "web", "host", "h2"));
	}
	body = json_pack("{s:[s], s:{s:{s:s}}, s:o}", "cidrs", "10.0.0.0/8", "subnets", "web",
			 "cidr", "10.1.0.0/16", "ports", ports);
	text = json_dumps(body, 0);
	json_decref(body);
	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", text);
	free(text);
	news(pair);
	assert_non_null(find(pair->h2, OBJECT_PORT, "p2999"));
	assert_true(next_id(pair->h1) > 3000);
}

static void a_name_is_given_once(void **state)
{
	struct pair *pair = *state;
	struct api_request request = {
		.method = "PUT",
		.path = "/v1/vpcs/blue",
		.if_none_match = "*",
		.body = "{\"cidrs\": [\"10.0.0.0/16\"]}",
	};

	request.body_size = strlen(request.body);
	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	/* The second host has not heard of it, and finds it there when it writes. */
	world_send(pair->h2, &request);
	assert_int_equal(pair->h2->status, 412);
	assert_non_null(find(pair->h2, OBJECT_SUBNET, "web"));
}

static void what_the_other_removed_cannot_be_built_on(void **state)
{
	struct pair *pair = *state;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	news(pair);
	world_expect(pair->h1, 200, "DELETE", "/v1/vpcs/blue/subnets/web", NULL);
	world_expect(pair->h2, 400, "PUT", "/v1/vpcs/blue/ports/a", PORT("h2"));
	assert_non_null(strstr(world_text(pair->h2, "error.message"), "web"));
	assert_null(find(pair->h2, OBJECT_PORT, "a"));
}

static void a_restart_finds_what_the_other_wrote(void **state)
{
	struct pair *pair = *state;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue/ports/a", PORT("h2"));
	world_restart(pair->h2);
	assert_true(has_port_row(pair->h2, "a"));
	/* And goes on to hear. */
	world_expect(pair->h1, 200, "DELETE", "/v1/vpcs/blue/ports/a", NULL);
	news(pair);
	assert_null(find(pair->h2, OBJECT_PORT, "a"));
}

static void a_store_that_refuses_changes_nothing(void **state)
{
	struct pair *pair = *state;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	news(pair);
	world_store_code = -EHOSTUNREACH;
	world_expect(pair->h2, 503, "PUT", "/v1/vpcs/blue/ports/a", PORT("h2"));
	world_store_code = 0;
	assert_null(find(pair->h2, OBJECT_PORT, "a"));
	world_expect(pair->h2, 201, "PUT", "/v1/vpcs/blue/ports/a", PORT("h2"));
	news(pair);
	assert_non_null(find(pair->h1, OBJECT_PORT, "a"));
}

static uint64_t events(struct world *world)
{
	return reconcile_counts(world->reconcile)->store_events;
}

static bool has_key(struct world *world, const char *key)
{
	struct error error = { 0 };
	char *text = NULL;
	int code = store_get(world->store, key, &text, NULL, &error);

	free(text);
	return code == 0;
}

static void who_has_no_part_in_a_vpc_hears_nothing_of_it(void **state)
{
	struct pair *pair = *state;
	uint64_t before;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	put_port(pair->h1, "first", "h1");
	news(pair);
	/* It knows that there is the VPC, and its segments, and no more. */
	assert_non_null(intent_find(reconcile_intent(pair->h2->reconcile), "blue", OBJECT_VPC, ""));
	assert_non_null(find(pair->h2, OBJECT_SUBNET, "web"));
	assert_null(find(pair->h2, OBJECT_PORT, "first"));
	assert_null(find(pair->h2, OBJECT_ROUTE_TABLE, "main"));
	before = events(pair->h2);
	for (int i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "p%d", i);
		put_port(pair->h1, name, "h1");
		news(pair);
	}
	assert_int_equal(events(pair->h2), before);
}

static void who_is_asked_for_a_vpc_reads_it(void **state)
{
	struct pair *pair = *state;
	uint64_t revision, version;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	put_port(pair->h1, "first", "h1");
	news(pair);
	revision = reconcile_revision(pair->h2->reconcile);
	version = reconcile_version(pair->h2->reconcile);
	world_expect(pair->h2, 200, "GET", "/v1/vpcs/blue/ports/first", NULL);
	/* What is read is no change of the store, and one of what this host holds. */
	assert_int_equal(reconcile_revision(pair->h2->reconcile), revision);
	assert_int_not_equal(reconcile_version(pair->h2->reconcile), version);
	/* And hears from then on. */
	put_port(pair->h1, "second", "h1");
	news(pair);
	assert_non_null(find(pair->h2, OBJECT_PORT, "second"));
	/* It may write as well: the address it gives is free. */
	put_port(pair->h2, "third", "h1");
	news(pair);
	assert_non_null(find(pair->h1, OBJECT_PORT, "third"));
	/* Nobody asks for a minute: the outline is enough. */
	let_time_pass(pair, 70);
	assert_null(find(pair->h2, OBJECT_PORT, "second"));
	assert_non_null(find(pair->h2, OBJECT_SUBNET, "web"));
	assert_non_null(find(pair->h1, OBJECT_PORT, "second"));
	world_expect(pair->h2, 200, "GET", "/v1/vpcs/blue/ports/second", NULL);
	world_expect(pair->h2, 200, "GET", "/v1/export", NULL);
	assert_non_null(json_object_get(
		json_object_get(json_object_get(json_object_get(pair->h2->answer, "vpcs"), "blue"),
				"ports"),
		"third"));
}

static void the_first_port_brings_the_vpc_and_the_last_takes_it(void **state)
{
	struct pair *pair = *state;
	uint64_t before;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	put_port(pair->h1, "here", "h1");
	news(pair);
	assert_null(find(pair->h2, OBJECT_PORT, "here"));
	put_port(pair->h1, "there", "h2");
	news(pair);
	assert_true(has_port_row(pair->h2, "there"));
	assert_non_null(find(pair->h2, OBJECT_PORT, "here"));
	world_expect(pair->h1, 200, "DELETE", "/v1/vpcs/blue/ports/there", NULL);
	news(pair);
	let_time_pass(pair, 70);
	assert_null(find(pair->h2, OBJECT_PORT, "here"));
	before = events(pair->h2);
	put_port(pair->h1, "more", "h1");
	news(pair);
	assert_int_equal(events(pair->h2), before);
	/* And back. */
	put_port(pair->h1, "again", "h2");
	news(pair);
	assert_true(has_port_row(pair->h2, "again"));
	/* A VPC that goes takes the part with it. */
	world_expect(pair->h1, 200, "DELETE", "/v1/vpcs/blue", NULL);
	news(pair);
	let_time_pass(pair, 10);
	assert_null(intent_find(reconcile_intent(pair->h2->reconcile), "blue", OBJECT_VPC, ""));
	assert_int_equal(map_count(&pair->h2->reconcile->parts), 0);
	assert_int_equal(map_count(&pair->h2->reconcile->vpcs), 0);
}

/* The other host gave its part up behind the back of who adds a port to it. */
static void a_part_that_was_given_up_is_written_again(void **state)
{
	struct pair *pair = *state;
	const struct object *vpc;
	char key[64];

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	put_port(pair->h1, "one", "h2");
	news(pair);
	vpc = intent_find(reconcile_intent(pair->h1->reconcile), "blue", OBJECT_VPC, "");
	snprintf(key, sizeof(key), "/weft/1/part/h2/%u", vpc->id);
	assert_true(has_key(pair->h1, key));
	/* The first host has not heard of it, and believes that the part is there. */
	world_expect(pair->h2, 200, "DELETE", "/v1/vpcs/blue/ports/one", NULL);
	{
		struct error error = { 0 };

		assert_int_equal(store_delete(pair->h2->store, key, NULL, &error), 0);
	}
	put_port(pair->h1, "two", "h2");
	assert_true(has_key(pair->h1, key));
	news(pair);
	assert_true(has_port_row(pair->h2, "two"));
}

/* The second host holds nothing of the VPC whose port has the device. */
static void a_device_is_taken_in_whatever_vpc(void **state)
{
	struct pair *pair = *state;

	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	put_port(pair->h1, "tap7", "h1");
	news(pair);
	world_expect(pair->h2, 201, "PUT", "/v1/vpcs/red", VPC);
	assert_null(find(pair->h2, OBJECT_PORT, "tap7"));
	world_expect(pair->h2, 400, "PUT", "/v1/vpcs/red/ports/mine",
		     "{'subnet': 'web', 'host': 'h1', 'attach': {'tap': 'tap7'}}");
	assert_non_null(
		strstr(world_text(pair->h2, "error.message"), "tap7 is taken by port blue/tap7"));
	world_expect(pair->h1, 200, "DELETE", "/v1/vpcs/blue/ports/tap7", NULL);
	news(pair);
	world_expect(pair->h2, 201, "PUT", "/v1/vpcs/red/ports/mine",
		     "{'subnet': 'web', 'host': 'h1', 'attach': {'tap': 'tap7'}}");
}

static void a_host_with_ports_is_not_removed(void **state)
{
	struct pair *pair = *state;

	world_expect(pair->h1, 201, "PUT", "/v1/hosts/h1", "{'underlay': '192.0.2.1/24'}");
	news(pair);
	world_expect(pair->h1, 201, "PUT", "/v1/hosts/h2",
		     "{'underlay': '192.0.2.2/24', 'uplinks': {'physnet1': 'eth2'}}");
	news(pair);
	world_expect(pair->h1, 201, "PUT", "/v1/vpcs/blue", VPC);
	put_port(pair->h1, "one", "h1");
	news(pair);
	/* The second host does not have the VPC, and looks before it says yes. */
	assert_null(find(pair->h2, OBJECT_PORT, "one"));
	world_expect(pair->h2, 409, "DELETE", "/v1/hosts/h1", NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_one_writes_the_other_has, setup, teardown),
		cmocka_unit_test_setup_teardown(a_request_that_comes_late_is_done_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_vpc_may_come_before_a_host_it_names, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_met_another_keeps_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(a_port_is_made_once, setup, teardown),
		cmocka_unit_test_setup_teardown(addresses_leave_the_trees, setup, teardown),
		cmocka_unit_test_setup_teardown(ids_are_taken_in_blocks, setup, teardown),
		cmocka_unit_test_setup_teardown(a_large_request_takes_a_large_block, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_name_is_given_once, setup, teardown),
		cmocka_unit_test_setup_teardown(what_the_other_removed_cannot_be_built_on, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_restart_finds_what_the_other_wrote, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_has_no_part_in_a_vpc_hears_nothing_of_it, setup,
						teardown),
		cmocka_unit_test_setup_teardown(who_is_asked_for_a_vpc_reads_it, setup, teardown),
		cmocka_unit_test_setup_teardown(the_first_port_brings_the_vpc_and_the_last_takes_it,
						setup, teardown),
		cmocka_unit_test_setup_teardown(a_part_that_was_given_up_is_written_again, setup,
						teardown),
		cmocka_unit_test_setup_teardown(a_device_is_taken_in_whatever_vpc, setup, teardown),
		cmocka_unit_test_setup_teardown(a_host_with_ports_is_not_removed, setup, teardown),
		cmocka_unit_test_setup_teardown(a_store_that_refuses_changes_nothing, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
