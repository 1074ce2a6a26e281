/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From intent to rows: single statements, with the rows they are about and the units they touch.
 *
 * Neighbours: plan_world.h (the world), test_plan_random.c (random intents).
 */
#include "tests/unit/plan_world.h"

/* ---- what the last change did ---- */

static bool is_dirty(const struct world *world, enum unit_kind kind, const char *name,
		     enum object_kind object_kind)
{
	const struct object *object = intent_find(world->intent, "blue", object_kind, name);

	assert_non_null(object);
	for (size_t i = 0; i < world->unit_count; i++) {
		if (world->dirty[i].kind == kind && world->dirty[i].id == object->id)
			return true;
	}
	return false;
}

static size_t dirty_sets(const struct world *world)
{
	size_t count = 0;

	for (size_t i = 0; i < world->unit_count; i++)
		count += world->dirty[i].kind == UNIT_GROUP_SET;
	return count;
}

/* ---- rows ---- */

static const void *find_row(const struct world *world, enum table_id table, const void *key)
{
	unsigned char bytes[128];
	struct row *row = (struct row *)(void *)bytes;
	const struct row *found;

	row->table = (uint16_t)table;
	row->key_size = (uint16_t)table_key_size(table);
	row->value_size = (uint16_t)table_value_size(table);
	row->pad = 0;
	memcpy(row->bytes, key, row->key_size);
	found = map_get(&world->tables, row, row_key_size(row));
	return found ? found->bytes + found->key_size : NULL;
}

static size_t count_rows(const struct world *world, enum table_id table)
{
	size_t count = 0;

	MAP_FOR_EACH(&world->tables, it)
		count += ((const struct row *)it.value)->table == table;
	return count;
}

static uint32_t id_of(const struct world *world, enum object_kind kind, const char *name)
{
	const struct object *object = intent_find(world->intent, "blue", kind, name);

	assert_non_null(object);
	return object->id;
}

static struct address address_of(const char *text)
{
	struct ip_address address;
	struct address row;

	assert_int_equal(ip_address_parse(text, &address), 0);
	memcpy(&row, &address, sizeof(row));
	return row;
}

static const struct route *find_route(const struct world *world, const char *table,
				      const char *text)
{
	struct route_key key = { .table_id = id_of(world, OBJECT_ROUTE_TABLE, table) };
	struct ip_prefix prefix;

	assert_int_equal(ip_prefix_parse(text, &prefix), 0);
	key.prefix_length = 32u + prefix.length;
	memcpy(&key.address, &prefix.address, sizeof(key.address));
	return find_row(world, TABLE_routes, &key);
}

static const struct endpoint *find_endpoint(const struct world *world, const char *address)
{
	struct endpoint_key key = { id_of(world, OBJECT_VPC, "blue"), address_of(address) };

	return find_row(world, TABLE_endpoints, &key);
}

static const struct port *find_port(const struct world *world, const char *name)
{
	struct port_key key = { id_of(world, OBJECT_PORT, name) };

	return find_row(world, TABLE_ports, &key);
}

static const struct subnet *find_subnet(const struct world *world, const char *name)
{
	struct subnet_key key = { id_of(world, OBJECT_SUBNET, name) };

	return find_row(world, TABLE_subnets, &key);
}

/* ---- statements ---- */

#define BLUE(body) "{'vpcs': {'blue': {'cidrs': ['10.0.0.0/16', 'fd00:b::/48'], " body "}}}"
#define WEB "'web': {'cidr': ['10.0.1.0/24', 'fd00:b:0:1::/64']}"
#define L2 "'lan': {'cidr': '10.0.2.0/24', 'mode': 'l2'}"

static void test_rows_of_a_port(void **state)
{
	struct world *world = *state;
	struct attachment_key attachment_key;
	const struct attachment *attachment;
	const struct endpoint *endpoint;
	struct station_key station_key;
	const struct station *station;
	const struct port *port;

	apply(world,
	      BLUE("'mtu': 1400, 'subnets': {" WEB "}, 'ports': {'a': {'subnet': 'web', "
		   "'addresses': ['10.0.1.11', 'fd00:b:0:1::11'], 'mac': '02:00:00:00:00:0a', "
		   "'flow_limit': 99}}"));
	port = find_port(world, "a");
	assert_non_null(port);
	assert_int_equal(port->vpc_id, id_of(world, OBJECT_VPC, "blue"));
	assert_int_equal(port->subnet_id, id_of(world, OBJECT_SUBNET, "web"));
	assert_int_equal(port->mtu, 1400);
	assert_int_equal(port->flow_limit, 99);
	assert_int_equal(port->flow_guarantee, 128);
	assert_int_equal(port->flags, PORT_CHECK_SOURCE | PORT_CHECK_MAC);
	assert_int_equal(port->kind, PORT_VETH);
	assert_int_equal(port->mac[5], 0x0a);
	attachment_key.ifindex = port->ifindex;
	attachment = find_row(world, TABLE_attachments, &attachment_key);
	assert_non_null(attachment);
	assert_int_equal(attachment->port_id, id_of(world, OBJECT_PORT, "a"));
	assert_int_equal(attachment->port_slot, port->port_slot);
	assert_int_equal(attachment->vpc_slot, port->vpc_slot);
	endpoint = find_endpoint(world, "fd00:b:0:1::11");
	assert_non_null(endpoint);
	assert_int_equal(endpoint->port_id, attachment->port_id);
	assert_int_equal(endpoint->group_set_id, port->group_set_id);
	assert_non_null(find_endpoint(world, "10.0.1.11"));
	station_key = (struct station_key){ port->subnet_id, { 2, 0, 0, 0, 0, 0x0a }, 0 };
	station = find_row(world, TABLE_stations, &station_key);
	assert_non_null(station);
	assert_int_equal(station->flags, STATION_STATIC);
	assert_int_equal(station->port_id, attachment->port_id);
}

static void test_gateway_is_an_endpoint_of_no_port(void **state)
{
	struct world *world = *state;
	struct mac_address mac;
	const struct endpoint *endpoint;

	apply(world, BLUE("'subnets': {" WEB "}"));
	mac = gateway_mac_of_id(id_of(world, OBJECT_SUBNET, "web"));
	assert_false(mac_address_is_multicast(&mac));
	assert_true(mac.byte[0] & 2);
	endpoint = find_endpoint(world, "10.0.1.1");
	assert_non_null(endpoint);
	assert_int_equal(endpoint->port_id, 0);
	assert_int_equal(endpoint->subnet_id, id_of(world, OBJECT_SUBNET, "web"));
	assert_memory_equal(endpoint->mac, mac.byte, 6);
	assert_memory_equal(find_subnet(world, "web")->gateway_mac, mac.byte, 6);
	assert_non_null(find_endpoint(world, "fd00:b:0:1::1"));
	assert_int_equal(find_subnet(world, "web")->prefix_length[0], 120);
	assert_int_equal(find_subnet(world, "web")->prefix_length[1], 64);
}

static void test_waiting_port_and_port_elsewhere(void **state)
{
	struct world *world = *state;
	const char *text = BLUE("'subnets': {" L2 "}, 'ports': {"
				"'a': {'subnet': 'lan', 'address': '10.0.2.11'}, "
				"'b': {'subnet': 'lan', 'address': '10.0.2.12'}, "
				"'c': {'subnet': 'lan', 'address': '10.0.2.13'}}");
	struct unit *units;
	size_t count;

	apply(world, text);
	assert_int_equal(find_subnet(world, "lan")->flood_count, 3);
	world->unplugged_id = id_of(world, OBJECT_PORT, "a");
	world->elsewhere_id = id_of(world, OBJECT_PORT, "b");
	count = plan_all(world->planner, world->intent, &units);
	plan_units(world, units, count);
	free(units);
	world_check(world);
	assert_int_equal(find_port(world, "a")->ifindex, 0);
	assert_int_equal(find_port(world, "a")->kind, PORT_UNPLUGGED);
	assert_null(find_port(world, "b"));
	assert_non_null(find_endpoint(world, "10.0.2.11"));
	assert_non_null(find_endpoint(world, "10.0.2.12"));
	assert_int_equal(count_rows(world, TABLE_attachments), 1);
	assert_int_equal(count_rows(world, TABLE_stations), 2);
	assert_int_equal(find_subnet(world, "lan")->flood_count, 2);
	assert_int_equal(count_rows(world, TABLE_floods), 2);
}

/* It is listed, and nobody in its subnet. */
static void test_host_network(void **state)
{
	struct world *world = *state;

	apply(world, BLUE("'subnets': {" L2 "}, 'ports': {"
			  "'a': {'subnet': 'lan', 'address': '10.0.2.11'}, "
			  "'metal': {'subnet': 'lan', 'attach': {'host': true}}}"));
	assert_int_equal(find_subnet(world, "lan")->flood_count, 1);
	assert_null(find_port(world, "metal"));
	assert_int_equal(count_rows(world, TABLE_ports), 1);
	assert_int_equal(count_rows(world, TABLE_stations), 1);
	/* It becomes somebody, and nobody again. */
	apply(world, BLUE("'subnets': {" L2 "}, 'ports': {"
			  "'a': {'subnet': 'lan', 'address': '10.0.2.11'}, "
			  "'metal': {'subnet': 'lan', 'address': '10.0.2.12'}}"));
	assert_int_equal(find_subnet(world, "lan")->flood_count, 2);
	assert_non_null(find_endpoint(world, "10.0.2.12"));
	apply(world, BLUE("'subnets': {" L2 "}, 'ports': {"
			  "'a': {'subnet': 'lan', 'address': '10.0.2.11'}, "
			  "'metal': {'subnet': 'lan', 'attach': {'host': true}}}"));
	assert_int_equal(find_subnet(world, "lan")->flood_count, 1);
	assert_null(find_endpoint(world, "10.0.2.12"));
	assert_null(find_port(world, "metal"));
}

static void test_l2_checks_what_is_routed(void **state)
{
	struct world *world = *state;

	apply(world, BLUE("'subnets': {" WEB ", " L2 "}, 'ports': {"
			  "'a': {'subnet': 'web', 'source_destination_check': false}, "
			  "'b': {'subnet': 'web', 'allowed_addresses': ['10.9.0.0/16', '::/0']}, "
			  "'c': {'subnet': 'lan'}}"));
	assert_int_equal(find_port(world, "a")->flags, 0);
	assert_int_equal(find_port(world, "b")->flags,
			 PORT_CHECK_SOURCE | PORT_CHECK_MAC | PORT_EXTRA_ADDRESSES);
	/* Inside a switch nothing is checked; the guard reads this for what leaves by the gateway. */
	assert_int_equal(find_port(world, "c")->flags, PORT_CHECK_SOURCE);
	/* ::/0 and what keeps it from meaning IPv4. */
	assert_int_equal(count_rows(world, TABLE_allowed_sources), 3);
}

#define ROUTES(list, ports)                                                                        \
	BLUE("'subnets': {" WEB "}, 'route_tables': {'main': {'routes': [" list                    \
	     "]}}, 'ports': {" ports "}")
#define FW(name) "'" name "': {'subnet': 'web', 'source_destination_check': false}"

static void test_v19_local_routes(void **state)
{
	struct world *world = *state;
	uint32_t main_id;

	apply(world, ROUTES("{'to': '::/0', 'via': 'blackhole'}", ""));
	main_id = id_of(world, OBJECT_ROUTE_TABLE, "main");
	assert_int_equal(find_route(world, "main", "10.0.0.0/16")->kind, ROUTE_LOCAL);
	assert_int_equal(find_route(world, "main", "10.0.0.0/16")->route_id, main_id);
	assert_int_equal(find_route(world, "main", "fd00:b::/48")->kind, ROUTE_LOCAL);
	assert_int_equal(find_route(world, "main", "169.254.168.0/22")->kind, ROUTE_RESERVED);
	assert_int_equal(find_route(world, "main", "fd00:ec2::/32")->kind, ROUTE_RESERVED);
	assert_int_equal(find_route(world, "main", "::/0")->kind, ROUTE_BLACKHOLE);
	/* ::/0 says nothing about 0.0.0.0/0. */
	assert_int_equal(find_route(world, "main", "0.0.0.0/0")->kind, 0);
	apply(world, ROUTES("{'to': '::/0', 'via': 'blackhole'}, "
			    "{'to': '0.0.0.0/0', 'via': 'port:fw'}, "
			    "{'to': '10.0.0.0/16', 'via': 'port:fw'}",
			    FW("fw")));
	assert_int_equal(find_route(world, "main", "0.0.0.0/0")->kind, ROUTE_PORT);
	assert_int_equal(find_route(world, "main", "10.0.0.0/16")->kind, ROUTE_PORT);
	assert_int_equal(find_route(world, "main", "10.0.0.0/16")->target,
			 id_of(world, OBJECT_PORT, "fw"));
	assert_int_equal(find_route(world, "main", "fd00:b::/48")->kind, ROUTE_LOCAL);
}

static void test_v24_port_gone_is_a_blackhole(void **state)
{
	struct world *world = *state;
	const struct nexthops *hops;
	const struct route *route;
	struct nexthop_key key;

	apply(world,
	      ROUTES("{'to': '10.9.0.0/16', 'via': ['port:x', 'port:y']}", FW("x") ", " FW("y")));
	route = find_route(world, "main", "10.9.0.0/16");
	assert_int_equal(route->kind, ROUTE_GROUP);
	assert_int_equal(route->target, route->route_id);
	key.group_id = route->target;
	hops = find_row(world, TABLE_nexthop_groups, &key);
	assert_int_equal(hops->count, 2);
	assert_true(set_port(world, "x", NULL));
	assert_int_equal(find_route(world, "main", "10.9.0.0/16")->kind, ROUTE_PORT);
	assert_int_equal(count_rows(world, TABLE_nexthop_groups), 0);
	assert_true(is_dirty(world, UNIT_ROUTE_TABLE, "main", OBJECT_ROUTE_TABLE));
	assert_int_equal(world->vpc_count, 1);
	assert_true(set_port(world, "y", NULL));
	assert_int_equal(find_route(world, "main", "10.9.0.0/16")->kind, ROUTE_BLACKHOLE);
	assert_int_not_equal(find_route(world, "main", "10.9.0.0/16")->route_id, 0);
	/* A port that comes back heals the route, and that moves the generation. */
	assert_true(set_port(world, "y", "{'subnet': 'web', 'source_destination_check': false}"));
	route = find_route(world, "main", "10.9.0.0/16");
	assert_int_equal(route->kind, ROUTE_PORT);
	assert_int_equal(route->target, id_of(world, OBJECT_PORT, "y"));
	assert_int_equal(world->vpc_count, 1);
}

#define PORTS(list)                                                                                \
	BLUE("'subnets': {" WEB ", " L2 "}, 'security_groups': {" GROUPS "}, 'ports': {" list "}")
#define GROUPS                                                                                     \
	"'g': {'ingress': [{'protocol': 'tcp', 'ports': '80', 'from': 'group:h'}]}, 'h': {}, 'k': {}"
#define IN(name, subnet, groups)                                                                   \
	"'" name "': {'subnet': '" subnet "', 'security_groups': [" groups "]}"

static void test_one_more_port_touches_itself(void **state)
{
	struct world *world = *state;

	apply(world, PORTS(IN("a", "web", "'g'")));
	apply(world, PORTS(IN("a", "web", "'g'") ", " IN("b", "web", "'g'")));
	assert_int_equal(world->unit_count, 1);
	assert_true(is_dirty(world, UNIT_PORT, "b", OBJECT_PORT));
	assert_int_equal(world->vpc_count, 0);
	/* In an l2 subnet the flood list as well. */
	apply(world,
	      PORTS(IN("a", "web", "'g'") ", " IN("b", "web", "'g'") ", " IN("c", "lan", "'g'")));
	assert_int_equal(world->unit_count, 2);
	assert_true(is_dirty(world, UNIT_SUBNET, "lan", OBJECT_SUBNET));
	assert_int_equal(world->vpc_count, 0);
}

static void test_port_leaves_a_flood_list(void **state)
{
	struct world *world = *state;

	apply(world, PORTS(IN("a", "lan", "'g'") ", " IN("b", "lan", "'g'")));
	assert_int_equal(find_subnet(world, "lan")->flood_count, 2);
	apply(world, PORTS(IN("a", "web", "'g'") ", " IN("b", "lan", "'g'")));
	assert_int_equal(find_subnet(world, "lan")->flood_count, 1);
	assert_int_equal(world->vpc_count, 1);
	assert_true(set_port(world, "b", NULL));
	assert_int_equal(find_subnet(world, "lan")->flood_count, 0);
}

static void test_new_set_reaches_rules_that_name_its_groups(void **state)
{
	struct world *world = *state;

	apply(world, PORTS(IN("a", "web", "'g'")));
	assert_int_equal(count_rows(world, TABLE_classifier_groups), 0);
	apply(world, PORTS(IN("a", "web", "'g'") ", " IN("b", "web", "'h', 'k'")));
	assert_int_equal(dirty_sets(world), 2);
	assert_int_equal(world->vpc_count, 0);
	assert_int_equal(count_rows(world, TABLE_classifier_groups), 1);
	/* A second port of the set changes nothing for others. */
	apply(world, PORTS(IN("a", "web", "'g'") ", " IN("b", "web", "'h', 'k'") ", " IN(
			     "c", "web", "'h', 'k'")));
	assert_int_equal(dirty_sets(world), 0);
	apply(world, PORTS(IN("a", "web", "'g'") ", " IN("b", "web", "'h', 'k'")));
	assert_int_equal(dirty_sets(world), 0);
	assert_int_equal(world->vpc_count, 1);
	apply(world, PORTS(IN("a", "web", "'g'")));
	assert_int_equal(dirty_sets(world), 2);
	assert_int_equal(count_rows(world, TABLE_classifier_groups), 0);
	assert_int_equal(count_rows(world, TABLE_policies), 1);
}

static void test_rule_change_switches_the_classifier(void **state)
{
	struct world *world = *state;
	struct policy_key key;
	struct policy before;
	const struct policy *after;

	apply(world, PORTS(IN("a", "web", "'g'") ", " IN("b", "web", "'h'")));
	key.group_set_id = find_port(world, "a")->group_set_id;
	before = *(const struct policy *)find_row(world, TABLE_policies, &key);
	assert_int_equal(before.object_id, id_of(world, OBJECT_SECURITY_GROUP, "g"));
	apply(world,
	      BLUE("'subnets': {" WEB ", " L2 "}, 'security_groups': {"
		   "'g': {'ingress': [{'protocol': 'tcp', 'ports': '81', 'from': 'group:h'}]}, "
		   "'h': {}, 'k': {}}, 'ports': {" IN("a", "web", "'g'") ", " IN("b", "web",
										 "'h'") "}"));
	assert_int_equal(world->unit_count, 2); /* the set of g, and the VPC for its generation */
	assert_int_equal(world->vpc_count, 1);
	after = find_row(world, TABLE_policies, &key);
	assert_int_not_equal(after->ingress, before.ingress);
	assert_int_equal(after->egress, before.egress);
}

#define ACL(rules)                                                                                  \
	BLUE("'subnets': {'web': {'cidr': '10.0.1.0/24', 'acl': 'edge'}}, 'acls': {'edge': {" rules \
	     "}}")

static void test_acl_without_rules_denies(void **state)
{
	struct world *world = *state;
	struct subnet before;

	apply(world, ACL(""));
	before = *find_subnet(world, "web");
	assert_int_equal(before.acl_id, id_of(world, OBJECT_ACL, "edge"));
	assert_int_not_equal(before.acl_ingress, 0);
	assert_int_not_equal(before.acl_egress, 0);
	assert_int_not_equal(before.acl_ingress, before.acl_egress);
	apply(world, ACL("'ingress': [{'number': 5, 'action': 'deny', 'protocol': 'all', "
			 "'from': '0.0.0.0/0'}]"));
	assert_int_not_equal(find_subnet(world, "web")->acl_ingress, before.acl_ingress);
	assert_int_equal(find_subnet(world, "web")->acl_egress, before.acl_egress);
	assert_int_equal(world->vpc_count, 1);
	assert_int_equal(count_rows(world, TABLE_rules), 1);
	apply(world, BLUE("'subnets': {'web': {'cidr': '10.0.1.0/24'}}"));
	assert_int_equal(find_subnet(world, "web")->acl_id, 0);
	assert_int_equal(find_subnet(world, "web")->acl_ingress, 0);
	assert_int_equal(count_rows(world, TABLE_rules), 0);
}

static void test_vpc_row(void **state)
{
	struct world *world = *state;
	struct slot_key key;
	const struct vpc *vpc;
	uint32_t generation;

	apply(world, BLUE("'timeouts': {'tcp_established': 1000, 'other': 4000000}"));
	key.slot = id_of(world, OBJECT_VPC, "blue");
	vpc = find_row(world, TABLE_vpcs, &key);
	assert_int_equal(vpc->vpc_id, key.slot);
	assert_int_equal(vpc->flags, 0);
	assert_int_equal(vpc->timeout[TIMEOUT_TCP_ESTABLISHED], 1000 * TICKS_PER_SECOND);
	assert_int_equal(vpc->timeout[TIMEOUT_OTHER], INT32_MAX);
	generation = vpc->generation;
	apply(world, BLUE("'established': 'cut'"));
	vpc = find_row(world, TABLE_vpcs, &key);
	assert_int_equal(vpc->flags, VPC_CUT);
	assert_int_equal(vpc->generation, generation + 1);
	apply(world, "{'vpcs': {}}");
	assert_int_equal(map_count(&world->tables), 0);
	assert_int_equal(world->vpc_count, 0);
}

/* ---- many ports ---- */

static void test_thousand_ports_compile_once(void **state)
{
	struct world *world = *state;
	struct buf text = { 0 };

	buf_append_text(&text, "{'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'subnets': "
			       "{'web': {'cidr': '10.0.0.0/20'}}, 'security_groups': "
			       "{'g': {}, 'h': {}, 'k': {}}, 'ports': {");
	for (int i = 0; i < 1000; i++)
		buf_printf(&text, "%s'p%d': {'subnet': 'web', 'security_groups': ['g', 'h', 'k']}",
			   i ? ", " : "", i);
	buf_append_text(&text, "}}}}");
	apply(world, buf_text(&text));
	assert_int_equal(dirty_sets(world), 1);
	assert_int_equal(count_rows(world, TABLE_policies), 1);
	assert_int_equal(count_rows(world, TABLE_ports), 1000);
	assert_int_equal(count_rows(world, TABLE_rules),
			 6); /* everything out, twice, of three groups */
	buf_fini(&text);
}

/* ---- restart ---- */

static void test_restart_takes_numbers_over(void **state)
{
	struct world *world = *state;
	const char *text =
		PORTS(IN("a", "web", "'g'") ", " IN("b", "web", "'h'") ", " IN("c", "web", "'g'"));
	uint32_t set, other_set, classifier;
	struct policy_key key;
	struct unit *units;
	size_t count;

	/* Numbers that a fresh planner would not give. */
	apply(world, PORTS(IN("x", "web", "'k'")));
	apply(world, text);
	set = find_port(world, "a")->group_set_id;
	other_set = find_port(world, "b")->group_set_id;
	key.group_set_id = set;
	classifier = ((const struct policy *)find_row(world, TABLE_policies, &key))->ingress;
	planner_free(world->planner);
	world->planner = planner_new();
	MAP_FOR_EACH(&world->tables, it) {
		const struct row *row = it.value;
		void *value = xmemdup(row->bytes + row->key_size, row->value_size);

		planner_reserve(world->planner, row->table, row->bytes, value);
		free(value);
	}
	count = plan_all(world->planner, world->intent, &units);
	plan_units(world, units, count);
	free(units);
	assert_int_equal(find_port(world, "a")->group_set_id, set);
	assert_int_equal(find_port(world, "c")->group_set_id, set);
	assert_int_equal(find_port(world, "b")->group_set_id, other_set);
	assert_true(((const struct policy *)find_row(world, TABLE_policies, &key))->ingress >
		    classifier);
	apply(world, PORTS(IN("a", "web", "'g'") ", " IN("b", "web", "'h', 'k'")));
	assert_true(find_port(world, "b")->group_set_id > other_set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_rows_of_a_port, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_gateway_is_an_endpoint_of_no_port, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_waiting_port_and_port_elsewhere, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_host_network, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_l2_checks_what_is_routed, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_v19_local_routes, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_v24_port_gone_is_a_blackhole, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_one_more_port_touches_itself, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_port_leaves_a_flood_list, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_new_set_reaches_rules_that_name_its_groups,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_rule_change_switches_the_classifier,
						world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_acl_without_rules_denies, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_vpc_row, world_setup, world_teardown),
		cmocka_unit_test_setup_teardown(test_thousand_ports_compile_once, world_setup,
						world_teardown),
		cmocka_unit_test_setup_teardown(test_restart_takes_numbers_over, world_setup,
						world_teardown),
	};

	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
