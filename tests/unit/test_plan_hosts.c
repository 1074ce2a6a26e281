/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The planner with several hosts: remote ports, peers, tunnels, who may send, floods, tunnel objects.
 *
 * The host that plans is h1. After every change the tables are compared with a plan of everything
 * (plan_world.h); the cases here look at what single rows say, and at what a change costs.
 */
#include <arpa/inet.h>

#include "model/encapsulation.h"
#include "tests/unit/plan_world.h"

#define HOSTS                                                                                      \
	"'hosts': {'h1': {'underlay': ['192.0.2.1/24', '2001:db8::1/64']}, "                       \
	"'h2': {'underlay': ['192.0.2.2/24', '2001:db8::2/64']}, "                                 \
	"'h3': {'underlay': ['192.0.2.3/24']}}, "

#define BLUE(subnet, ports)                                                                            \
	"'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'subnets': {'web': {'cidr': '10.0.1.0/24'" subnet \
	"}}, 'ports': {" ports "}}}"

#define ON_H1 "'a': {'subnet': 'web', 'host': 'h1'}"
#define ON_H2 "'b': {'subnet': 'web', 'host': 'h2', 'address': '10.0.1.20'}"

/* ---- looking at rows ---- */

static size_t rows_of(const struct world *world, enum table_id table, const struct row **list)
{
	size_t count = 0;

	MAP_FOR_EACH(&world->tables, it) {
		const struct row *row = it.value;

		if (row->table == table)
			list[count++] = row;
	}
	return count;
}

static size_t count_of(const struct world *world, enum table_id table)
{
	const struct row *list[4096];

	return rows_of(world, table, list);
}

static const void *value_of(const struct row *row)
{
	return row->bytes + row->key_size;
}

static const void *row_at(const struct world *world, enum table_id table, const void *key)
{
	const struct row *list[4096];
	size_t count = rows_of(world, table, list);

	for (size_t i = 0; i < count; i++)
		if (memcmp(list[i]->bytes, key, list[i]->key_size) == 0)
			return value_of(list[i]);
	return NULL;
}

static uint32_t id_of(const struct world *world, enum object_kind kind, const char *name)
{
	const struct object *object = intent_find(world->intent, "blue", kind, name);

	assert_non_null(object);
	return object->id;
}

static const struct port *port_at(const struct world *world, uint32_t id)
{
	return row_at(world, TABLE_ports, &(struct port_key){ id });
}

static const struct port *port_named(const struct world *world, const char *name)
{
	return port_at(world, id_of(world, OBJECT_PORT, name));
}

/* By which row a port of another host is reached. */
static const struct tunnel *tunnel_to(const struct world *world, const char *port)
{
	return row_at(world, TABLE_tunnels,
		      &(struct tunnel_key){ port_named(world, port)->tunnel_id });
}

static struct address address_of(const char *text)
{
	struct ip_address address;
	struct address row;

	assert_int_equal(ip_address_parse(text, &address), 0);
	memcpy(&row, &address, sizeof(row));
	return row;
}

static const struct tunnel_source *source_of(const struct world *world, uint8_t kind,
					     const char *remote, const char *local, uint32_t id,
					     uint16_t port, bool has_id)
{
	struct tunnel_source_key key = {
		.remote = address_of(remote),
		.local = address_of(local),
		.id = id,
		.port = htons(port),
		.kind = kind,
		.has_id = has_id,
	};

	return row_at(world, TABLE_tunnel_sources, &key);
}

static struct world *world_on_h1(void)
{
	struct world *world = world_new();

	intent_set_host(world->intent, "h1");
	return world;
}

static int h1_setup(void **state)
{
	*state = world_on_h1();
	return 0;
}

/* ---- a VPC over two hosts ---- */

static void test_remote_port(void **state)
{
	struct world *world = *state;
	const struct port *port, *peer;
	const struct tunnel *tunnel;
	const struct tunnel_source *source;
	struct address local = address_of("192.0.2.1"), remote = address_of("192.0.2.2");
	uint32_t h2, vpc, web;

	apply(world, "{" HOSTS BLUE("", ON_H1 "," ON_H2) "}");
	h2 = id_of(world, OBJECT_HOST, "h2");
	vpc = id_of(world, OBJECT_VPC, "blue");
	web = id_of(world, OBJECT_SUBNET, "web");
	port = port_named(world, "b");
	assert_int_equal(port->kind, PORT_TUNNEL);
	assert_int_equal(port->host_id, h2);
	assert_int_equal(port->ifindex, 0);
	assert_int_equal(port->port_slot, 5000 + 100 * vpc + h2);
	assert_int_equal(port->mtu, 1450);
	assert_int_equal(port_named(world, "a")->kind, PORT_VETH);
	assert_int_equal(port_named(world, "a")->host_id, id_of(world, OBJECT_HOST, "h1"));
	tunnel = tunnel_to(world, "b");
	assert_non_null(tunnel);
	assert_int_equal(tunnel->kind, TUNNEL_VXLAN);
	assert_memory_equal(&tunnel->local, &local, sizeof(local));
	assert_memory_equal(&tunnel->remote, &remote, sizeof(remote));
	assert_int_equal(tunnel->id, 4096);
	assert_int_equal(tunnel->mtu, 1450);
	assert_int_equal(ntohs(tunnel->destination_port), 4789);
	assert_int_equal(tunnel->ttl, 64);
	peer = port_at(world, tunnel->port_id);
	assert_true(tunnel->port_id >= PEER_ID_FIRST);
	assert_int_equal(peer->port_slot, port->port_slot);
	assert_int_equal(peer->flags, 0);
	assert_int_equal(peer->host_id, h2);
	source = source_of(world, TUNNEL_VXLAN, "192.0.2.2", "192.0.2.1", 4096, 4789, false);
	assert_non_null(source);
	assert_int_equal(source->subnet_id, web);
	assert_int_equal(source->host_id, h2);
	assert_int_equal(source->port_id, tunnel->port_id);
	assert_int_equal(source->tunnel_id, port->tunnel_id);
	/* Own addresses, those of h2, and nobody else's. */
	assert_int_equal(count_of(world, TABLE_vteps), 4);
	assert_int_equal(count_of(world, TABLE_tunnel_ports), 1);
}

/* A VPC that no port here is in has no rows; the first one brings all, the last takes all. */
static void test_part(void **state)
{
	struct world *world = *state;
	size_t nothing;

	apply(world, "{" HOSTS BLUE("", ON_H2) "}");
	assert_int_equal(count_of(world, TABLE_ports), 0);
	assert_int_equal(count_of(world, TABLE_endpoints), 0);
	assert_int_equal(count_of(world, TABLE_vpcs), 0);
	assert_int_equal(count_of(world, TABLE_tunnels), 0);
	nothing = map_count(&world->tables);
	assert_true(set_port(world, "a", "{'subnet': 'web', 'host': 'h1'}"));
	assert_int_equal(count_of(world, TABLE_ports), 3);
	assert_int_equal(count_of(world, TABLE_tunnels), 1);
	assert_int_equal(count_of(world, TABLE_tunnel_sources), 1);
	assert_true(set_port(world, "a", NULL));
	assert_int_equal(map_count(&world->tables), nothing);
	assert_true(set_port(world, "a", "{'subnet': 'web', 'host': 'h1'}"));
	assert_true(set_port(world, "b", NULL));
	assert_int_equal(count_of(world, TABLE_tunnels), 0);
	assert_int_equal(count_of(world, TABLE_tunnel_ports), 0);
	assert_int_equal(count_of(world, TABLE_vteps), 2);
}

/* A port that moves keeps its id and changes its row; the tunnel's number is the subnet's and host's. */
static void test_move(void **state)
{
	struct world *world = *state;
	uint32_t number;

	apply(world, "{" HOSTS BLUE("", ON_H1 "," ON_H2) "}");
	number = port_named(world, "b")->tunnel_id;
	apply(world, "{" HOSTS BLUE("", ON_H1 ", 'b': {'subnet': 'web', 'host': 'h3', "
					      "'address': '10.0.1.20'}") "}");
	assert_int_not_equal(port_named(world, "b")->tunnel_id, number);
	assert_int_equal(world->vpc_count, 1);
	apply(world, "{" HOSTS BLUE("", ON_H1 "," ON_H2) "}");
	assert_int_equal(port_named(world, "b")->tunnel_id, number);
	apply(world, "{" HOSTS BLUE("", ON_H1 ", 'b': {'subnet': 'web', 'host': 'h1', "
					      "'address': '10.0.1.20'}") "}");
	assert_int_equal(port_named(world, "b")->kind, PORT_VETH);
	assert_int_equal(count_of(world, TABLE_tunnels), 0);
}

/* ---- which encapsulation ---- */

static void expect_carrier(struct world *world, const char *hosts, const char *subnet, uint8_t kind)
{
	struct buf text = { 0 };
	const struct tunnel *tunnel;

	buf_printf(&text,
		   "{'hosts': {%s}, 'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'subnets': "
		   "{'web': {'cidr': '10.0.1.0/24'%s}}, 'ports': {" ON_H1 "," ON_H2 "}}}}",
		   hosts, subnet);
	apply(world, buf_text(&text));
	tunnel = tunnel_to(world, "b");
	assert_int_equal(tunnel ? tunnel->kind : TUNNEL_NONE, kind);
	buf_fini(&text);
}

#define H1(more) "'h1': {'underlay': '192.0.2.1'" more "}, "
#define H2(more) "'h2': {'underlay': '192.0.2.2'" more "}"
#define CARRIED(more) ", 'segment': {'type': 'overlay', 'encapsulation': " more "}"

static void test_carriers(void **state)
{
	struct world *world = *state;

	expect_carrier(world, H1("") H2(""), "", TUNNEL_VXLAN);
	expect_carrier(world, H1("") H2(""), CARRIED("'fou'"), TUNNEL_FOU);
	assert_non_null(source_of(world, TUNNEL_FOU, "192.0.2.2", "192.0.2.1", 0, 5555, false));
	expect_carrier(world, H1("") H2(""), CARRIED("'gre', 'id': 77"), TUNNEL_GRE);
	assert_non_null(source_of(world, TUNNEL_GRE, "192.0.2.2", "192.0.2.1", 77, 0, true));
	/* What the hosts say of one another goes first, whichever of them says it. */
	expect_carrier(world, H1("") H2(", 'peers': {'h1': {'encapsulation': 'geneve'}}"), "",
		       TUNNEL_GENEVE);
	expect_carrier(world,
		       H1(", 'peers': {'h2': {'encapsulation': 'gre'}}")
			       H2(", 'peers': {'h1': {'encapsulation': 'geneve'}}"),
		       "", TUNNEL_GRE);
	/* An l2 subnet cannot travel in it, and goes on as it says itself. */
	expect_carrier(world, H1(", 'peers': {'h2': {'encapsulation': 'gre'}}") H2(""),
		       ", 'mode': 'l2'", TUNNEL_VXLAN);
	/* A kind that one of them has not: the first of the lower host's list. */
	expect_carrier(world,
		       H1(", 'encapsulations': ['gre', 'geneve', 'vxlan']")
			       H2(", 'encapsulations': ['geneve', 'gre']"),
		       "", TUNNEL_GRE);
	/* Ids below 4096 are none of NVGRE's. */
	expect_carrier(world,
		       H1(", 'encapsulations': ['nvgre', 'geneve']")
			       H2(", 'encapsulations': ['nvgre', 'geneve']"),
		       CARRIED("'vxlan', 'id': 1001"), TUNNEL_GENEVE);
	expect_carrier(world,
		       H1(", 'encapsulations': ['nvgre', 'geneve']")
			       H2(", 'encapsulations': ['nvgre', 'geneve']"),
		       CARRIED("'vxlan', 'id': 100001"), TUNNEL_NVGRE);
}

/* Both hosts find the same, each by itself. */
static void test_symmetric(void **state)
{
	struct world *world = *state;
	const struct host_object *h1, *h2;
	const struct subnet_object *web;
	struct carrier there, back;

	expect_carrier(world,
		       H1(", 'encapsulations': ['gre', 'geneve']")
			       H2(", 'encapsulations': ['geneve', 'gre']"),
		       "", TUNNEL_GRE);
	h1 = intent_host(world->intent, "h1");
	h2 = intent_host(world->intent, "h2");
	web = (const struct subnet_object *)intent_find(world->intent, "blue", OBJECT_SUBNET,
							"web");
	there = carrier_choose(web, h1, h2);
	back = carrier_choose(web, h2, h1);
	assert_int_equal(there.kind, back.kind);
	assert_true(ip_address_equal(&there.local, &back.remote));
	assert_true(ip_address_equal(&there.remote, &back.local));
}

static void test_underlay_ipv6(void **state)
{
	struct world *world = *state;
	const struct tunnel *tunnel;
	const struct tunnel_source *source;

	apply(world, "{" HOSTS BLUE(CARRIED("'geneve', 'underlay': 'ipv6', 'dscp': 'copy'"),
				    ON_H1 "," ON_H2) "}");
	tunnel = tunnel_to(world, "b");
	assert_int_equal(tunnel->mtu, 1430);
	assert_int_equal(tunnel->flags, TUNNEL_COPY_DSCP);
	source = source_of(world, TUNNEL_GENEVE, "2001:db8::2", "2001:db8::1", 4096, 6081, false);
	assert_int_equal(source->flags, 0);
	apply(world, "{" HOSTS BLUE(CARRIED("'geneve', 'underlay': 'ipv6', 'udp_checksum': true"),
				    ON_H1 "," ON_H2) "}");
	source = source_of(world, TUNNEL_GENEVE, "2001:db8::2", "2001:db8::1", 4096, 6081, false);
	assert_int_equal(source->flags, TUNNEL_SOURCE_CHECKSUM6 | TUNNEL_SOURCE_ONE_PACKET);
	assert_int_equal(port_named(world, "a")->mtu, 1430);
	apply(world, "{" HOSTS BLUE(CARRIED("'geneve', 'underlay': 'ipv6', 'udp_checksum': false"),
				    ON_H1 "," ON_H2) "}");
	source = source_of(world, TUNNEL_GENEVE, "2001:db8::2", "2001:db8::1", 4096, 6081, false);
	assert_int_equal(source->flags, 0);
	assert_int_equal(tunnel_to(world, "b")->flags, 0);
}

/* ---- what a change costs ---- */

static void add_to(struct buf *text, int first, int count, int hosts)
{
	for (int i = first; i < first + count; i++)
		buf_printf(text, "%s'p%d': {'subnet': 'web', 'host': 'h%d'}", i > first ? "," : "",
			   i, 1 + i % hosts);
}

static void test_cost(void **state)
{
	struct world *world = *state;
	struct buf text = { 0 };
	struct error error = { 0 };

	buf_append_text(&text, "{'hosts': {");
	for (int i = 1; i <= 200; i++)
		buf_printf(&text, "%s'h%d': {'underlay': '10.200.0.%d/16'}", i > 1 ? "," : "", i,
			   i);
	buf_append_text(&text, "}, 'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'subnets': {'web': "
			       "{'cidr': '10.0.0.0/17'}}, 'ports': {");
	add_to(&text, 0, 10000, 200);
	buf_append_text(&text, "}}}}");
	if (!try_apply(world, buf_text(&text), &error))
		fail_msg("%s: %s", error.path, error.text);
	buf_fini(&text);
	/* One more on a host that has part already. */
	assert_true(try_publish(world, draft_new(world->intent), 0, &error));
	{
		const char *path[] = { "vpcs", "blue", "ports", "one-more" };
		struct draft *draft = draft_new(world->intent);
		json_t *body = json_of("{'subnet': 'web', 'host': 'h77'}");
		int code = draft_put(draft, path, 4, body, true, &error);

		assert_true(try_publish(world, draft, code, &error));
		json_decref(body);
	}
	assert_int_equal(world->unit_count, 1);
	assert_int_equal(world->dirty[0].kind, UNIT_PORT);
	assert_int_equal(world->step_count, 3); /* ports, stations, endpoints */
	/* Host 201 is nobody's peer so far. */
	{
		const char *path[] = { "hosts", "h201" };
		struct draft *draft = draft_new(world->intent);
		json_t *body = json_of("{'underlay': '10.200.1.1/16'}");
		int code = draft_put(draft, path, 2, body, true, &error);

		assert_true(try_publish(world, draft, code, &error));
		json_decref(body);
	}
	assert_int_equal(world->unit_count, 1);
	assert_int_equal(world->step_count, 0);
}

/* ---- numbers over a restart ---- */

static void test_numbers_stay(void **state)
{
	struct world *world = *state, *again = world_on_h1();
	uint32_t tunnel, peer;

	/* Numbers that a fresh planner would give otherwise. */
	apply(world, "{" HOSTS BLUE("", ON_H1 ", 'c': {'subnet': 'web', 'host': 'h3'}") "}");
	apply(world, "{" HOSTS BLUE("", ON_H1 "," ON_H2) "}");
	tunnel = port_named(world, "b")->tunnel_id;
	peer = tunnel_to(world, "b")->port_id;
	assert_int_not_equal(tunnel, 1);
	assert_int_not_equal(peer, PEER_ID_FIRST);
	MAP_FOR_EACH(&world->tables, it) {
		const struct row *row = it.value;

		planner_reserve(again->planner, row->table, row->bytes, value_of(row));
	}
	apply(again, "{" HOSTS BLUE("", ON_H1 "," ON_H2) "}");
	assert_int_equal(port_named(again, "b")->tunnel_id, tunnel);
	assert_int_equal(tunnel_to(again, "b")->port_id, peer);
	world_free(again);
}

/* ---- MTU ---- */

static void test_path_mtu(void **state)
{
	struct world *world = *state;
	struct unit *units;
	size_t count;

	apply(world, "{" HOSTS BLUE("", ON_H1 "," ON_H2) "}");
	world->path_host_id = id_of(world, OBJECT_HOST, "h2");
	world->path_mtu = 1400;
	count = plan_path_units(world->planner, world->path_host_id, &units);
	assert_int_equal(count, 1);
	plan_units(world, units, count);
	assert_int_equal(world->step_count, 1);
	assert_int_equal(tunnel_to(world, "b")->mtu, 1350);
	assert_int_equal(port_named(world, "a")->mtu, 1450);
	free(units);
}

/* A host with less room makes the VPC's MTU smaller, on every port. */
static void test_mtu_of_hosts(void **state)
{
	struct world *world = *state;

	apply(world, "{" HOSTS BLUE("", ON_H1 "," ON_H2) "}");
	assert_int_equal(port_named(world, "a")->mtu, 1450);
	apply(world, "{'hosts': {'h3': {'underlay': '192.0.2.3', 'mtu': 1400}}, " BLUE(
			     "", ON_H1 "," ON_H2) "}");
	assert_int_equal(port_named(world, "a")->mtu, 1350);
	assert_int_equal(world->vpc_count, 1);
	/* The way to h2 is as wide as it was. */
	assert_int_equal(tunnel_to(world, "b")->mtu, 1450);
}

/* ---- floods ---- */

static size_t floods(const struct world *world, struct flood *list, const struct subnet **subnet)
{
	uint32_t id = id_of(world, OBJECT_SUBNET, "web");
	size_t count;

	*subnet = row_at(world, TABLE_subnets, &(struct subnet_key){ id });
	count = (*subnet)->flood_count;
	for (uint32_t i = 0; i < count; i++) {
		const struct flood *row = row_at(world, TABLE_floods, &(struct flood_key){ id, i });

		assert_non_null(row);
		list[i] = *row;
	}
	return count;
}

static void test_floods(void **state)
{
	struct world *world = *state;
	const struct subnet *subnet;
	struct flood list[8];

	apply(world, "{" HOSTS BLUE(", 'mode': 'l2'",
				    ON_H1 "," ON_H2 ", 'c': {'subnet': 'web', 'host': 'h2'}") "}");
	assert_int_equal(floods(world, list, &subnet), 2);
	assert_int_equal(subnet->remote_flood_count, 1);
	assert_int_equal(list[0].port_id, id_of(world, OBJECT_PORT, "a"));
	assert_int_equal(list[0].tunnel_id, 0);
	assert_int_equal(list[1].port_id, tunnel_to(world, "b")->port_id);
	assert_int_equal(list[1].tunnel_id, port_named(world, "b")->tunnel_id);
	assert_int_equal(
		source_of(world, TUNNEL_VXLAN, "192.0.2.2", "192.0.2.1", 4096, 4789, false)->flags,
		TUNNEL_SOURCE_L2);
}

static void test_group(void **state)
{
	struct world *world = *state;
	const struct subnet *subnet;
	const struct tunnel_source *source;
	const struct tunnel *tunnel;
	const struct vtep *vtep;
	struct address group = address_of("239.1.1.1");
	struct flood list[8];

	apply(world, "{" HOSTS BLUE(", 'mode': 'l2'" CARRIED("'vxlan', 'id': 10, 'flooding': "
							     "{'group': '239.1.1.1', 'vteps': "
							     "'203.0.113.0/24'}"),
				    ON_H1 "," ON_H2) "}");
	assert_int_equal(floods(world, list, &subnet), 2);
	assert_int_equal(subnet->remote_flood_count, 1);
	tunnel = row_at(world, TABLE_tunnels, &(struct tunnel_key){ list[1].tunnel_id });
	assert_int_equal(tunnel->flags, TUNNEL_MULTICAST);
	assert_int_equal(tunnel->ifindex, 3);
	assert_memory_equal(&tunnel->remote, &group, sizeof(group));
	assert_int_equal(port_at(world, list[1].port_id)->subnet_id,
			 id_of(world, OBJECT_SUBNET, "web"));
	vtep = row_at(world, TABLE_vteps, &(struct vtep_key){ group });
	assert_int_equal(vtep->flags, VTEP_LOCAL);
	/* h2 sends to the group and to here; others of the prefix as well, and are learned. */
	assert_non_null(source_of(world, TUNNEL_VXLAN, "192.0.2.2", "192.0.2.1", 10, 4789, false));
	assert_non_null(source_of(world, TUNNEL_VXLAN, "192.0.2.2", "239.1.1.1", 10, 4789, false));
	source = source_of(world, TUNNEL_VXLAN, "::", "239.1.1.1", 10, 4789, false);
	assert_int_equal(source->flags,
			 TUNNEL_SOURCE_LEARN | TUNNEL_SOURCE_L2 | TUNNEL_SOURCE_ONE_PACKET);
	assert_int_equal(source->allowed_length, 120);
	assert_int_equal(source->tunnel_id, list[1].tunnel_id);
	assert_int_equal(source->host_id, 0);
}

static void test_taps(void **state)
{
	struct world *world = *state;
	const struct tunnel_source *source;

	apply(world, "{" HOSTS BLUE("", ON_H1 "," ON_H2) "}");
	assert_true(set_port(world, "vm",
			     "{'subnet': 'web', 'host': 'h1', 'attach': {'tap': 'tap0'}}"));
	source = source_of(world, TUNNEL_VXLAN, "192.0.2.2", "192.0.2.1", 4096, 4789, false);
	assert_int_equal(source->flags, TUNNEL_SOURCE_TAPS);
	assert_true(set_port(world, "vm", NULL));
	source = source_of(world, TUNNEL_VXLAN, "192.0.2.2", "192.0.2.1", 4096, 4789, false);
	assert_int_equal(source->flags, 0);
}

/* ---- tunnel objects ---- */

#define SITE(host)                                                                                 \
	"'site': {'type': 'gre', 'id': 9, 'remote': '203.0.113.7', 'host': '" host                 \
	"', 'sequence': true}"
#define BLUE_TO_SITE(host)                                                                          \
	"'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'subnets': {'web': {'cidr': '10.0.1.0/24'}}, " \
	"'route_tables': {'main': {'routes': [{'to': '10.9.0.0/16', 'via': 'tunnel:site'}]}}, "     \
	"'tunnels': {" SITE(host) "}, 'ports': {" ON_H1 "}}}"

static const struct route *route_to_site(const struct world *world)
{
	struct route_key key = { .prefix_length = 32 + 112,
				 .table_id = id_of(world, OBJECT_ROUTE_TABLE, "main"),
				 .address = address_of("10.9.0.0") };

	return row_at(world, TABLE_routes, &key);
}

static void test_tunnel_here(void **state)
{
	struct world *world = *state;
	const struct tunnel_source *source;
	const struct tunnel *tunnel;
	const struct port *port;
	const struct vtep *vtep;
	uint32_t id;

	apply(world, "{" HOSTS BLUE_TO_SITE("h1") "}");
	id = id_of(world, OBJECT_TUNNEL, "site");
	port = port_at(world, id);
	assert_int_equal(port->kind, PORT_TUNNEL);
	assert_int_equal(port->host_id, id_of(world, OBJECT_HOST, "h1"));
	assert_int_equal(port->port_slot, 4000 + id);
	assert_int_equal(port->flags, PORT_UNFILTERED);
	assert_int_equal(port->subnet_id, 0);
	assert_int_equal(route_to_site(world)->kind, ROUTE_PORT);
	assert_int_equal(route_to_site(world)->target, id);
	tunnel = row_at(world, TABLE_tunnels, &(struct tunnel_key){ port->tunnel_id });
	assert_int_equal(tunnel->flags, TUNNEL_OBJECT | TUNNEL_KEY | TUNNEL_SEQUENCE);
	assert_int_equal(tunnel->mtu, 1500 - 20 - 4 - 4 - 4);
	assert_int_equal(tunnel->id, 9);
	source = source_of(world, TUNNEL_GRE, "203.0.113.7", "192.0.2.1", 9, 0, true);
	assert_int_equal(source->flags,
			 TUNNEL_SOURCE_OBJECT | TUNNEL_SOURCE_SEQUENCE | TUNNEL_SOURCE_ONE_PACKET);
	assert_int_equal(source->port_id, id);
	assert_int_equal(source->subnet_id, 0);
	vtep = row_at(world, TABLE_vteps, &(struct vtep_key){ address_of("203.0.113.7") });
	assert_non_null(vtep);
	vtep = row_at(world, TABLE_vteps, &(struct vtep_key){ address_of("192.0.2.1") });
	assert_int_equal(vtep->kinds, 1u << TUNNEL_GRE);
}

/* A tunnel of h2 is reached like a port of h2, by its MAC in a subnet that carries Ethernet. */
static void test_tunnel_elsewhere(void **state)
{
	struct world *world = *state;
	const struct tunnel *tunnel;
	const struct port *port;

	apply(world, "{" HOSTS BLUE_TO_SITE("h2") "}");
	port = port_at(world, id_of(world, OBJECT_TUNNEL, "site"));
	assert_int_equal(port->host_id, id_of(world, OBJECT_HOST, "h2"));
	tunnel = row_at(world, TABLE_tunnels, &(struct tunnel_key){ port->tunnel_id });
	assert_int_equal(tunnel->kind, TUNNEL_VXLAN);
	assert_int_equal(tunnel->id, 4096);
	assert_null(source_of(world, TUNNEL_GRE, "203.0.113.7", "192.0.2.1", 9, 0, true));
	assert_int_equal(route_to_site(world)->kind, ROUTE_PORT);
}

static void test_tunnel_member(void **state)
{
	struct world *world = *state;
	const struct subnet *subnet;
	struct flood list[8];
	uint32_t id;

	apply(world,
	      "{" HOSTS "'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'subnets': {'web': {'cidr': "
	      "'10.0.1.0/24', 'mode': 'l2'}}, 'tunnels': {'lan': {'type': 'vxlan', 'id': 7, "
	      "'remote': '203.0.113.7', 'subnet': 'web', 'host': 'h1'}}, 'ports': {" ON_H1 "," ON_H2
	      "}}}}");
	id = id_of(world, OBJECT_TUNNEL, "lan");
	assert_int_equal(floods(world, list, &subnet), 3);
	assert_int_equal(subnet->remote_flood_count, 2);
	assert_int_equal(list[1].port_id, id);
	assert_int_equal(list[1].tunnel_id, port_at(world, id)->tunnel_id);
	assert_int_equal(port_at(world, id)->subnet_id, id_of(world, OBJECT_SUBNET, "web"));
	assert_int_equal(
		source_of(world, TUNNEL_VXLAN, "203.0.113.7", "192.0.2.1", 7, 4789, false)->flags,
		TUNNEL_SOURCE_OBJECT | TUNNEL_SOURCE_L2);
}

#define UPLINKED(host, number, uplinks)                                                            \
	"'" host "': {'underlay': '192.0.2." number "/24', 'uplinks': {" uplinks "}}"
#define ON_WIRE                                                                                    \
	"'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'], 'subnets': {'web': {'cidr': '10.0.1.0/24', "  \
	"'segment': {'type': 'flat', 'network': 'physnet1'}}}, 'ports': {" ON_H1 "}}}"

static uint32_t wire_flags(const struct world *world)
{
	const struct wire *wire = row_at(world, TABLE_wires, &(struct wire_key){ .ifindex = 4 });

	assert_non_null(wire);
	return wire->flags;
}

/* Frames of a wire are asked for their sender only where another host may be: one that has an uplink there. */
static void test_lone_wire(void **state)
{
	struct world *world = *state;

	apply(world, "{'hosts': {" UPLINKED("h1", "1", "'physnet1': 'eth1'") "}, " ON_WIRE "}");
	assert_int_equal(wire_flags(world), WIRE_NETWORK | WIRE_LONE);
	apply(world, "{'hosts': {" UPLINKED("h1", "1", "'physnet1': 'eth1'") ", " UPLINKED(
			     "h2", "2", "'physnet2': 'eth1'") "}, " ON_WIRE "}");
	assert_int_equal(wire_flags(world), WIRE_NETWORK | WIRE_LONE);
	apply(world, "{'hosts': {" UPLINKED("h1", "1", "'physnet1': 'eth1'") ", " UPLINKED(
			     "h2", "2", "'physnet1': 'eth2'") "}, " ON_WIRE "}");
	assert_int_equal(wire_flags(world), WIRE_NETWORK);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, h1_setup, world_teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_remote_port),   TEST(test_part),         TEST(test_move),
		TEST(test_carriers),      TEST(test_symmetric),    TEST(test_underlay_ipv6),
		TEST(test_cost),          TEST(test_numbers_stay), TEST(test_path_mtu),
		TEST(test_mtu_of_hosts),  TEST(test_floods),       TEST(test_group),
		TEST(test_taps),          TEST(test_tunnel_here),  TEST(test_tunnel_elsewhere),
		TEST(test_tunnel_member), TEST(test_lone_wire),
	};
#undef TEST

	return cmocka_run_group_tests_name("plan_hosts", tests, NULL, NULL);
}
