/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model/draft: what requests change and what stays, ids, addresses given out, references that keep an
 * object from being removed (V18, V19, V21, V24, V37), and that a failed request changes nothing.
 */
#include "model/intent_private.h"
#include "tests/unit/model_cases.h"

static const char *const two_subnets =
	"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],"
	"'subnets':{'web':{'cidr':'10.0.1.0/24'},'db':{'cidr':'10.0.2.0/24'}},"
	"'ports':{'web1':{'subnet':'web'},'db1':{'subnet':'db'}}}}}";

static struct intent *intent_with(const char *tree)
{
	struct intent *intent = intent_new();

	request(intent, REQUEST_APPLY, NULL, tree, NULL);
	return intent;
}

/* The lines of an apply: additions in order of dependency, removals reversed. */
static void test_apply(void **state)
{
	struct intent *intent = intent_new();

	(void)state;
	request(intent, REQUEST_APPLY, NULL, two_subnets,
		"+ vpc blue\n+ security group blue/default\n+ route table blue/main\n"
		"+ subnet blue/web\n+ subnet blue/db\n+ port blue/web1\n+ port blue/db1\n");
	request(intent, REQUEST_APPLY, NULL, two_subnets, "");
	request(intent, REQUEST_APPLY, NULL,
		"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'mtu':9000,'timeouts':{'icmp':5},"
		"'subnets':{'web':{'cidr':'10.0.1.0/24','route_table':'private'}},"
		"'route_tables':{'private':{'routes':[{'to':'11.0.0.0/8','via':'blackhole'}]}},"
		"'ports':{'web1':{'subnet':'web','security_groups':[]}}}}}",
		"~ vpc blue: mtu auto → 9000, timeouts {\"tcp_opening\":30,\"tcp_established\":432000,"
		"\"tcp_closing\":120,\"tcp_closed\":3,\"udp_unreplied\":30,\"udp_replied\":180,"
		"\"icmp\":30,\"other\":600} → {\"tcp_opening\":30,\"tcp_established\":432000,"
		"\"tcp_closing\":120,\"tcp_closed\":3,\"udp_unreplied\":30,\"udp_replied\":180,"
		"\"icmp\":5,\"other\":600}\n"
		"+ route table blue/private\n~ subnet blue/web: route_table main → private\n"
		"~ port blue/web1: security_groups default → none\n"
		"- port blue/db1\n- subnet blue/db\n");
	request(intent, REQUEST_APPLY, NULL, "{'vpcs':{}}",
		"- port blue/web1\n- subnet blue/web\n- route table blue/main\n"
		"- route table blue/private\n- security group blue/default\n- vpc blue\n");
	intent_free(intent);
}

/* Without prune the other VPCs stay. */
static void test_prune(void **state)
{
	struct intent *intent = intent_with(two_subnets);
	struct draft *draft = draft_new(intent);
	struct error error = { 0 };
	json_t *tree = json_of("{'vpcs':{'red':{'cidrs':['10.0.0.0/16']}}}");
	size_t count;

	(void)state;
	assert_int_equal(draft_apply_tree(draft, tree, false, &error), 0);
	assert_int_equal(draft_check(draft, &error), 0);
	draft_changes(draft, &count);
	assert_int_equal(count, 3);
	draft_commit(draft, 9);
	draft_free(draft);
	assert_non_null(intent_find(intent, "blue", OBJECT_PORT, "web1"));
	assert_int_equal(intent_find(intent, "red", OBJECT_VPC, "red")->revision, 9);
	json_decref(tree);
	intent_free(intent);
}

/* Ids of objects, rules and routes stay as long as the name or the content does. */
static void test_ids(void **state)
{
	struct intent *intent = intent_with(two_subnets);
	uint32_t port = find(intent, OBJECT_PORT, "web1")->id, rules[3], routes[2];
	const struct security_group_object *group;
	const struct route_table_object *table;

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/security_groups/web",
		"{'ingress':[{'protocol':'tcp','ports':80,'from':'0.0.0.0/0'},"
		"{'protocol':'udp','from':'0.0.0.0/0'},{'protocol':'icmp','from':'0.0.0.0/0'}]}",
		NULL);
	group = (const struct security_group_object *)find(intent, OBJECT_SECURITY_GROUP, "web");
	for (int i = 0; i < 3; i++)
		rules[i] = group->ingress.rules[i].id;
	request(intent, REQUEST_PUT, "vpcs/blue/security_groups/web",
		"{'ingress':[{'protocol':'icmp','from':'0.0.0.0/0'},"
		"{'protocol':'udp','ports':53,'from':'0.0.0.0/0'},"
		"{'protocol':'tcp','ports':'80-80','from':'0.0.0.0/0'}]}",
		"~ security group blue/web: ingress +1 -1\n");
	group = (const struct security_group_object *)find(intent, OBJECT_SECURITY_GROUP, "web");
	assert_int_equal(group->ingress.rules[0].id, rules[2]);
	assert_int_equal(group->ingress.rules[2].id, rules[0]);
	assert_true(group->ingress.rules[1].id > rules[2]);

	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
		"{'routes':[{'to':'11.0.0.0/8','via':'blackhole'},{'to':'12.0.0.0/8','via':'port:web1'}]}",
		"~ route table blue/main: routes +2 -0\n");
	table = (const struct route_table_object *)find(intent, OBJECT_ROUTE_TABLE, "main");
	routes[0] = table->routes[0].id;
	routes[1] = table->routes[1].id;
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
		"{'routes':[{'to':'12.0.0.0/8','via':'blackhole'},{'to':'11.0.0.0/8','via':'blackhole'},"
		"{'to':'9.0.0.0/8','via':'blackhole'}]}",
		NULL);
	table = (const struct route_table_object *)find(intent, OBJECT_ROUTE_TABLE, "main");
	assert_int_equal(table->routes[1].id, routes[0]);
	assert_true(table->routes[2].id > routes[1]);
	/* The tables go back to what every VPC begins with; the port is the same one still. */
	request(intent, REQUEST_APPLY, NULL, two_subnets,
		"~ route table blue/main: routes +0 -3\n- security group blue/web\n");
	assert_int_equal(find(intent, OBJECT_PORT, "web1")->id, port);
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/web1", NULL, "- port blue/web1\n");
	request(intent, REQUEST_PUT, "vpcs/blue/ports/web1", "{'subnet':'web'}",
		"+ port blue/web1\n");
	assert_true(find(intent, OBJECT_PORT, "web1")->id > port);
	intent_free(intent);
}

static const char *address_of(const struct intent *intent, const char *port, size_t index,
			      char text[IP_ADDRESS_TEXT_SIZE])
{
	assert_true(index < find_port(intent, port)->address_count);
	return ip_address_format(&find_port(intent, port)->addresses[index], text);
}

/* The lowest free address of each family; what is given out stays. */
static void test_addresses(void **state)
{
	struct intent *intent = intent_with(
		"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16','fd00:b::/48'],"
		"'subnets':{'web':{'cidr':['10.0.1.0/28','fd00:b:0:1::/64'],'gateway':'10.0.1.6'}},"
		"'ports':{'a':{'subnet':'web'},'b':{'subnet':'web','address':'10.0.1.5'},"
		"'c':{'subnet':'web'}}}}}");
	char text[IP_ADDRESS_TEXT_SIZE], path[64];

	(void)state;
	assert_string_equal(address_of(intent, "a", 0, text), "10.0.1.4");
	assert_string_equal(address_of(intent, "a", 1, text), "fd00:b:0:1::4");
	assert_int_equal(find_port(intent, "b")->address_count, 1);
	assert_string_equal(address_of(intent, "c", 0, text), "10.0.1.7");
	/* A hole is filled before anything above it. */
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/a", NULL, NULL);
	/* Restated without address, a port keeps what it has although a lower one is free. */
	request(intent, REQUEST_PUT, "vpcs/blue/ports/c", "{'subnet':'web'}", "");
	request(intent, REQUEST_PUT, "vpcs/blue/ports/d", "{'subnet':'web'}", NULL);
	assert_string_equal(address_of(intent, "d", 0, text), "10.0.1.4");
	assert_string_equal(address_of(intent, "d", 1, text), "fd00:b:0:1::4");
	/* So it does in a tree, where others name addresses and some are new. */
	refuse(intent, REQUEST_APPLY, NULL,
	       "{'vpcs':{'blue':{'cidrs':['10.0.0.0/16','fd00:b::/48'],"
	       "'subnets':{'web':{'cidr':['10.0.1.0/28','fd00:b:0:1::/64'],'gateway':'10.0.1.6'}},"
	       "'ports':{'a':{'subnet':'web','address':'10.0.1.7'},'c':{'subnet':'web'}}}}}",
	       -EINVAL, "vpcs.blue.ports.a.address",
	       "port blue/a: address 10.0.1.7 is taken by port blue/c");
	refuse(intent, REQUEST_PUT, "vpcs/blue/ports/e", "{'subnet':'web','address':'10.0.1.7'}",
	       -EINVAL, "vpcs.blue.ports.e.address",
	       "port blue/e: address 10.0.1.7 is taken by port blue/c");
	/* 10.0.1.8 to .14 are left: seven. */
	for (int i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "vpcs/blue/ports/p%d", i);
		request(intent, REQUEST_PUT, path, "{'subnet':'web'}", NULL);
	}
	assert_string_equal(address_of(intent, "p6", 0, text), "10.0.1.14");
	refuse(intent, REQUEST_PUT, "vpcs/blue/ports/q", "{'subnet':'web'}", -ENOSPC,
	       "vpcs.blue.ports.q.subnet",
	       "port blue/q: subnet blue/web has no free IPv4 address left");
	request(intent, REQUEST_PUT, "vpcs/blue/ports/p3",
		"{'subnet':'web','address':'fd00:b:0:1::99'}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/q", "{'subnet':'web'}", NULL);
	assert_string_equal(address_of(intent, "q", 0, text), "10.0.1.11");
	intent_free(intent);
}

/* One request: addresses swapped between ports, an address handed on, a port that moves. */
static void test_addresses_together(void **state)
{
	struct intent *intent = intent_with(
		"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'},"
		"'db':{'cidr':'10.0.2.0/24'}},"
		"'ports':{'a':{'subnet':'web','address':'10.0.1.10','mac':'02:00:00:00:00:0a'},"
		"'b':{'subnet':'web','address':'10.0.1.11','mac':'02:00:00:00:00:0b'}}}}}");
	char text[IP_ADDRESS_TEXT_SIZE];
	struct ip_address address;
	uint32_t vpc_id = find(intent, OBJECT_VPC, "blue")->id;

	(void)state;
	request(intent, REQUEST_APPLY, NULL,
		"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'},"
		"'db':{'cidr':'10.0.2.0/24'}},"
		"'ports':{'a':{'subnet':'web','address':'10.0.1.11','mac':'02:00:00:00:00:0b'},"
		"'b':{'subnet':'web','address':'10.0.1.10','mac':'02:00:00:00:00:0a'}}}}}",
		"~ port blue/a: addresses 10.0.1.10 → 10.0.1.11, mac 02:00:00:00:00:0a → "
		"02:00:00:00:00:0b\n"
		"~ port blue/b: addresses 10.0.1.11 → 10.0.1.10, mac 02:00:00:00:00:0b → "
		"02:00:00:00:00:0a\n");
	assert_int_equal(ip_address_parse("10.0.1.11", &address), 0);
	assert_int_equal(intent_address_owner(intent, vpc_id, &address),
			 find(intent, OBJECT_PORT, "a")->id);
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/a", "{'subnet':'db'}", NULL);
	assert_string_equal(address_of(intent, "a", 0, text), "10.0.2.4");
	assert_int_equal(intent_address_owner(intent, vpc_id, &address), 0);
	/* A subnet that is renumbered takes the ports along that name no address. */
	request(intent, REQUEST_APPLY, NULL,
		"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.3.0/24'},"
		"'db':{'cidr':'10.0.2.0/24'}},'ports':{'a':{'subnet':'db'},'b':{'subnet':'web'}}}}}",
		NULL);
	assert_string_equal(address_of(intent, "a", 0, text), "10.0.2.4");
	assert_string_equal(address_of(intent, "b", 0, text), "10.0.3.4");
	refuse(intent, REQUEST_PUT, "vpcs/blue/subnets/web", "{'cidr':'10.0.4.0/24'}", -EINVAL,
	       "vpcs.blue.ports.b.address",
	       "port blue/b: address 10.0.3.4 is not in subnet blue/web (10.0.4.0/24)");
	intent_free(intent);
}

/* V17: two VPCs may have the same ranges, addresses and MACs; a device is the host's. */
static void test_two_tenants(void **state)
{
	struct intent *intent = intent_with(
		"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'}},"
		"'ports':{'a':{'subnet':'web','address':'10.0.1.10','mac':'02:00:00:00:00:0a',"
		"'attach':{'tap':'tap0'}}}},"
		"'red':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'}},"
		"'ports':{'a':{'subnet':'web','address':'10.0.1.10','mac':'02:00:00:00:00:0a'}}}}}");

	(void)state;
	refuse(intent, REQUEST_PATCH, "vpcs/red/ports/a", "{'attach':{'tap':'tap0'}}", -EINVAL,
	       "vpcs.red.ports.a.attach", "port red/a: device tap0 is taken by port blue/a");
	request(intent, REQUEST_PATCH, "vpcs/red/ports/a", "{'attach':{'tap':'tap0'},'host':'h2'}",
		NULL);
	intent_free(intent);
}

/* What is referred to stays, and the refusal says who refers to it (V18). */
static void test_busy(void **state)
{
	struct intent *intent = intent_with(
		"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],"
		"'subnets':{'web':{'cidr':'10.0.1.0/24','route_table':'private','acl':'edge'}},"
		"'route_tables':{'private':{}},'acls':{'edge':{}},"
		"'security_groups':{'web':{},'lb':{'ingress':[{'protocol':'all','from':'group:lb'},"
		"{'protocol':'all','from':'group:named'}]},'named':{}},"
		"'ports':{'a':{'subnet':'web','security_groups':['web']},"
		"'b':{'subnet':'web','security_groups':['web']}}}}}");
	static const struct {
		const char *path, *error_path, *sentence;
	} cases[] = {
		{ "vpcs/blue/subnets/web", "vpcs.blue.subnets.web",
		  "subnet blue/web: port blue/a and 1 other in it must be removed or moved first" },
		{ "vpcs/blue/route_tables/private", "vpcs.blue.route_tables.private",
		  "route table blue/private: subnet blue/web must use another table first" },
		{ "vpcs/blue/route_tables/main", "vpcs.blue.route_tables.main",
		  "route table blue/main: the table every vpc begins with cannot be removed" },
		{ "vpcs/blue/acls/edge", "vpcs.blue.acls.edge",
		  "acl blue/edge: subnet blue/web must do without it first" },
		{ "vpcs/blue/security_groups/web", "vpcs.blue.security_groups.web",
		  "security group blue/web: port blue/a and 1 other must leave the group first" },
		{ "vpcs/blue/security_groups/named", "vpcs.blue.security_groups.named",
		  "security group blue/named: security group blue/lb must drop its rules that name "
		  "the group first" },
		{ "vpcs/blue/security_groups/default", "vpcs.blue.security_groups.default",
		  "security group blue/default: the group every vpc has cannot be removed; its rules "
		  "can be changed" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refuse(intent, REQUEST_REMOVE, cases[i].path, NULL, -EBUSY, cases[i].error_path,
		       cases[i].sentence);
	/* A group that only names itself is nobody else's. */
	request(intent, REQUEST_REMOVE, "vpcs/blue/security_groups/lb", NULL, NULL);
	request(intent, REQUEST_PATCH, "vpcs/blue",
		"{'ports':{'a':null,'b':null},'subnets':{'web':null}}",
		"- port blue/a\n- port blue/b\n- subnet blue/web\n");
	request(intent, REQUEST_REMOVE, "vpcs/blue", NULL, NULL);
	intent_free(intent);
}

/* A VPC's patch may take things apart in any order, because the judgement comes last. */
static void test_busy_order(void **state)
{
	struct intent *intent = intent_with(two_subnets);
	struct draft *draft = draft_new(intent);
	struct error error = { 0 };
	const char *port[] = { "vpcs", "blue", "ports", "web1" };
	const char *subnet[] = { "vpcs", "blue", "subnets", "web" };

	(void)state;
	assert_int_equal(draft_remove(draft, subnet, 4, &error), -EBUSY);
	assert_int_equal(draft_remove(draft, port, 4, &error), 0);
	assert_int_equal(draft_remove(draft, subnet, 4, &error), 0);
	assert_int_equal(draft_check(draft, &error), 0);
	draft_free(draft);
	assert_non_null(intent_find(intent, "blue", OBJECT_SUBNET, "web"));
	intent_free(intent);
}

static void test_missing(void **state)
{
	struct intent *intent = intent_with(two_subnets);

	(void)state;
	refuse(intent, REQUEST_REMOVE, "vpcs/blu", NULL, -ENOENT, "vpcs.blu",
	       "no vpc \"blu\" (did you mean \"blue\"?)");
	refuse(intent, REQUEST_REMOVE, "vpcs/blue/ports/web2", NULL, -ENOENT,
	       "vpcs.blue.ports.web2", "no port \"web2\" in vpc blue (did you mean \"web1\"?)");
	refuse(intent, REQUEST_PATCH, "vpcs/blue/ports/nobody", "{}", -ENOENT,
	       "vpcs.blue.ports.nobody", "no port \"nobody\" in vpc blue");
	refuse(intent, REQUEST_PUT, "vpcs/red/ports/web1", "{}", -ENOENT, "vpcs.red.ports.web1",
	       "no vpc \"red\"");
	refuse(intent, REQUEST_PUT, "vpcs/blue/port/web1", "{}", -ENOENT, "",
	       "a vpc has no collection \"port\" (did you mean \"ports\"?)");
	refuse(intent, REQUEST_PUT, "vpcs/blue/ports", "{}", -EINVAL, "",
	       "a collection is changed object by object, or by apply");
	refuse(intent, REQUEST_CREATE, "vpcs/blue/ports/web1", "{'subnet':'web'}", -EEXIST,
	       "vpcs.blue.ports.web1", "port blue/web1 is there already");
	refuse(intent, REQUEST_PUT, "vpcs/blue/ports/Web_1", "{'subnet':'web'}", -EINVAL,
	       "vpcs.blue.ports.Web_1",
	       "port blue/Web_1: a name has only a-z, 0-9 and -, and begins with a letter or a digit");
	intent_free(intent);
}

/* RFC 7396, and keys that say the same thing. */
static void test_patch(void **state)
{
	struct intent *intent = intent_with(two_subnets);

	(void)state;
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/web1",
		"{'address':'10.0.1.77','attach':{'netns':'one','ifname':'net0'},'mtu':1400}",
		"~ port blue/web1: addresses 10.0.1.4 → 10.0.1.77, mtu none → 1400, attach none → "
		"{\"netns\":\"one\",\"ifname\":\"net0\",\"configure\":true}\n");
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/web1",
		"{'attach':{'ifname':'net1'},'mtu':null}", NULL);
	assert_member(intent, "vpcs/blue/ports/web1", "attach",
		      "{'netns':'one','ifname':'net1','configure':true}");
	assert_member(intent, "vpcs/blue/ports/web1", "mtu", "null");
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/web1", "{'attach':{'netns':'two'}}", NULL);
	assert_member(intent, "vpcs/blue/ports/web1", "attach",
		      "{'netns':'two','ifname':'net1','configure':true}");
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/web1", "{'attach':{'tap':'tap7'}}", NULL);
	assert_member(intent, "vpcs/blue/ports/web1", "attach", "{'tap':'tap7','queues':1}");
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/web1", "{'attach':null}", NULL);
	assert_member(intent, "vpcs/blue/ports/web1", "attach", "null");
	request(intent, REQUEST_PATCH, "vpcs/blue", "{'mtu':9000,'timeouts':{'icmp':7}}", NULL);
	assert_member(intent, "vpcs/blue", "mtu", "9000");
	assert_member(intent, "vpcs/blue/subnets/web", "cidr", "'10.0.1.0/24'");
	/* A gateway that nobody chose follows the range; one that was chosen is the user's to change. */
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/new", "{'cidr':'10.0.7.0/24'}", NULL);
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/new", "{'cidr':'10.0.8.0/24'}", NULL);
	assert_member(intent, "vpcs/blue/subnets/new", "gateway", "'10.0.8.1'");
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/new", "{'gateway':'10.0.8.9'}", NULL);
	refuse(intent, REQUEST_PATCH, "vpcs/blue/subnets/new", "{'cidr':'10.0.7.0/24'}", -EINVAL,
	       "vpcs.blue.subnets.new.gateway",
	       "subnet blue/new: gateway 10.0.8.9 is not in 10.0.7.0/24");
	request(intent, REQUEST_REMOVE, "vpcs/blue/subnets/new", NULL, NULL);
	/* A PUT of a VPC leaves collections alone that it does not write. */
	request(intent, REQUEST_PUT, "vpcs/blue", "{'cidrs':['10.0.0.0/16'],'ports':{}}", NULL);
	assert_member(intent, "vpcs/blue", "mtu", "'auto'");
	assert_null(intent_find(intent, "blue", OBJECT_PORT, "web1"));
	assert_non_null(intent_find(intent, "blue", OBJECT_SUBNET, "web"));
	refuse(intent, REQUEST_PATCH, "vpcs/blue/subnets/web", "[]", -EINVAL,
	       "vpcs.blue.subnets.web", "a patch must be an object, not an array");
	refuse(intent, REQUEST_PATCH, "vpcs/blue/subnets/web", "{'cidr':null}", -EINVAL,
	       "vpcs.blue.subnets.web.cidr", "subnet blue/web: cidr: is missing");
	intent_free(intent);
}

/* V18: subnets without a table of their own follow the main table. */
static void test_main_table(void **state)
{
	struct intent *intent = intent_with(two_subnets);
	const struct subnet_object *subnet;

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/other", "{}", NULL);
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/db", "{'route_table':'main'}",
		"~ subnet blue/db: keeps its route table\n");
	request(intent, REQUEST_PATCH, "vpcs/blue", "{'main_route_table':'other'}",
		"~ vpc blue: main_route_table main → other\n"
		"~ subnet blue/web: route_table main → other\n");
	subnet = (const struct subnet_object *)find(intent, OBJECT_SUBNET, "web");
	assert_int_equal(subnet->route_table_id, find(intent, OBJECT_ROUTE_TABLE, "other")->id);
	subnet = (const struct subnet_object *)find(intent, OBJECT_SUBNET, "db");
	assert_int_equal(subnet->route_table_id, find(intent, OBJECT_ROUTE_TABLE, "main")->id);
	refuse(intent, REQUEST_REMOVE, "vpcs/blue/route_tables/other", NULL, -EBUSY,
	       "vpcs.blue.route_tables.other",
	       "route table blue/other: the main table of the vpc cannot be removed");
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/app", "{'cidr':'10.0.5.0/24'}", NULL);
	subnet = (const struct subnet_object *)find(intent, OBJECT_SUBNET, "app");
	assert_int_equal(subnet->route_table_id, find(intent, OBJECT_ROUTE_TABLE, "other")->id);
	intent_free(intent);
}

/* V24: a route whose port is gone stays, is a blackhole, and lives again with a port of that name. */
static void test_dead_route(void **state)
{
	struct intent *intent = intent_with(two_subnets);
	const struct route_table_object *table;
	uint32_t old_port = find(intent, OBJECT_PORT, "web1")->id;
	json_t *export;
	char *text;

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
		"{'routes':[{'to':'0.0.0.0/0','via':['port:web1','port:db1']},"
		"{'to':'10.0.2.0/24','via':'port:web1'}]}",
		NULL);
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/web1", NULL, "- port blue/web1\n");
	assert_member(intent, "vpcs/blue/route_tables/main", "routes",
		      "[{'to':'10.0.0.0/16','via':'local','status':'active'},"
		      "{'to':'0.0.0.0/0','via':['port:web1','port:db1'],'status':'active'},"
		      "{'to':'10.0.2.0/24','via':'port:web1','status':'blackhole'}]");
	table = (const struct route_table_object *)find(intent, OBJECT_ROUTE_TABLE, "main");
	assert_int_equal(table->routes[1].port_ids[0], old_port);
	assert_null(intent_object(intent, old_port));
	/* The export still says so, and applying it is no change. */
	export = intent_export(intent);
	text = json_dumps(export, 0);
	request(intent, REQUEST_APPLY, NULL, text, "");
	/* A name that was never there is refused all the same. */
	refuse(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
	       "{'routes':[{'to':'0.0.0.0/0','via':'port:web7'}]}", -EINVAL,
	       "vpcs.blue.route_tables.main.routes[0].via",
	       "route table blue/main: no port \"web7\" in vpc blue");
	request(intent, REQUEST_PUT, "vpcs/blue/ports/web1", "{'subnet':'web'}",
		"~ route table blue/main: a port its routes name is back\n+ port blue/web1\n");
	table = (const struct route_table_object *)find(intent, OBJECT_ROUTE_TABLE, "main");
	assert_int_equal(table->routes[1].port_ids[0], find(intent, OBJECT_PORT, "web1")->id);
	/* Removing a port and naming it in one breath is a mistake. */
	refuse(intent, REQUEST_APPLY, NULL,
	       "{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'},"
	       "'db':{'cidr':'10.0.2.0/24'}},'ports':{'db1':{'subnet':'db'}},'route_tables':{'main':"
	       "{'routes':[{'to':'0.0.0.0/0','via':'port:web1'}]}}}}}",
	       -EINVAL, "vpcs.blue.route_tables.main.routes[0].via",
	       "route table blue/main: no port \"web1\" in vpc blue");
	free(text);
	json_decref(export);
	intent_free(intent);
}

/* V19: the local route cannot be removed, only retargeted. V21: what a subnet's range may do. */
static void test_local_route(void **state)
{
	struct intent *intent = intent_with(two_subnets);

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
		"{'routes':[{'to':'10.0.0.0/16','via':'local'}]}", "");
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
		"{'routes':[{'to':'10.0.0.0/16','via':'port:web1'}]}",
		"~ route table blue/main: routes +1 -1\n");
	assert_member(intent, "vpcs/blue/route_tables/main", "routes",
		      "[{'to':'10.0.0.0/16','via':'port:web1','status':'active'}]");
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main", "{}", NULL);
	assert_member(intent, "vpcs/blue/route_tables/main", "routes",
		      "[{'to':'10.0.0.0/16','via':'local','status':'active'}]");
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
		"{'routes':[{'to':'10.0.2.0/24','via':'port:web1'}]}", NULL);
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/db1", NULL, NULL);
	refuse(intent, REQUEST_REMOVE, "vpcs/blue/subnets/db", NULL, -EINVAL,
	       "vpcs.blue.route_tables.main.routes[0]",
	       "route table blue/main: route 10.0.2.0/24: inside the vpc a route more specific than "
	       "the local one is the range of a whole subnet");
	/* V19, V21: neither the range of the VPC nor a subnet's can be made a blackhole. */
	refuse(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
	       "{'routes':[{'to':'10.0.0.0/16','via':'blackhole'}]}", -EINVAL,
	       "vpcs.blue.route_tables.main.routes[0]",
	       "route table blue/main: route 10.0.0.0/16: the local route of the vpc may be led to "
	       "a port, it cannot be made a blackhole");
	refuse(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
	       "{'routes':[{'to':'10.0.2.0/24','via':'blackhole'}]}", -EINVAL,
	       "vpcs.blue.route_tables.main.routes[0]",
	       "route table blue/main: route 10.0.2.0/24: inside the vpc a route more specific than "
	       "the local one leads to a port");
	/* A range added to the VPC makes a blackhole to it, or in it, one of these. */
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
		"{'routes':[{'to':'10.1.0.0/16','via':'blackhole'}]}", NULL);
	refuse(intent, REQUEST_PATCH, "vpcs/blue", "{'cidrs':['10.0.0.0/16','10.1.0.0/16']}",
	       -EINVAL, "vpcs.blue.route_tables.main.routes[0]",
	       "route table blue/main: route 10.1.0.0/16: the local route of the vpc may be led to "
	       "a port, it cannot be made a blackhole");
	request(intent, REQUEST_PUT, "vpcs/blue/route_tables/main",
		"{'routes':[{'to':'10.1.2.0/24','via':'blackhole'}]}", NULL);
	refuse(intent, REQUEST_PATCH, "vpcs/blue", "{'cidrs':['10.0.0.0/16','10.1.0.0/16']}",
	       -EINVAL, "vpcs.blue.route_tables.main.routes[0]",
	       "route table blue/main: route 10.1.2.0/24: inside the vpc a route more specific than "
	       "the local one leads to a port");
	refuse(intent, REQUEST_PATCH, "vpcs/blue", "{'cidrs':['10.0.0.0/24']}", -EINVAL,
	       "vpcs.blue.subnets.db.cidr",
	       "subnet blue/db: 10.0.2.0/24 is in none of the ranges of vpc blue");
	intent_free(intent);
}

/* V37: what a new group and the group default let in and out. */
static void test_default_rules(void **state)
{
	struct intent *intent = intent_with(two_subnets);

	(void)state;
	assert_member(intent, "vpcs/blue/security_groups/default", "ingress",
		      "[{'protocol':'all','from':'group:default'}]");
	request(intent, REQUEST_PUT, "vpcs/blue/security_groups/new", "{}", NULL);
	assert_member(intent, "vpcs/blue/security_groups/new", "ingress", "[]");
	assert_member(intent, "vpcs/blue/security_groups/new", "egress",
		      "[{'protocol':'all','to':'0.0.0.0/0'},{'protocol':'all','to':'::/0'}]");
	request(intent, REQUEST_PUT, "vpcs/blue/security_groups/new", "{'egress':[]}", NULL);
	assert_member(intent, "vpcs/blue/security_groups/new", "egress", "[]");
	request(intent, REQUEST_PUT, "vpcs/blue/security_groups/default", "{'ingress':[]}", NULL);
	assert_member(intent, "vpcs/blue/security_groups/default", "ingress", "[]");
	request(intent, REQUEST_PUT, "vpcs/blue/security_groups/default", "{}", NULL);
	assert_member(intent, "vpcs/blue/security_groups/default", "ingress",
		      "[{'protocol':'all','from':'group:default'}]");
	intent_free(intent);
}

/* One more port beside 3,000 others touches that port alone, and its address is found at once. */
static void test_work(void **state)
{
	struct intent *intent = intent_with("{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],"
					    "'subnets':{'web':{'cidr':'10.0.0.0/20'}}}}}");
	const char *path[] = { "vpcs", "blue", "ports", "new" };
	const struct address_space *space;
	struct error error = { 0 };
	struct buf body = { 0 };
	struct draft *draft;
	json_t *port = json_of("{'subnet':'web','attach':{'netns':'new'}}");
	size_t count;

	(void)state;
	buf_append_text(&body, "{'ports':{");
	for (int i = 0; i < 3000; i++)
		buf_printf(&body, "%s'p%d':{'subnet':'web'}", i ? "," : "", i);
	buf_append_text(&body, "}}");
	request(intent, REQUEST_PATCH, "vpcs/blue", buf_text(&body), NULL);
	space = map_get_u32(&intent->spaces, find(intent, OBJECT_SUBNET, "web")->id);
	assert_int_equal(space->lowest[0], 3004);
	draft = draft_new(intent);
	assert_int_equal(draft_put(draft, path, 4, port, true, &error), 0);
	assert_int_equal(draft_check(draft, &error), 0);
	assert_int_equal(draft->entries.count, 1);
	assert_int_equal(map_count(&draft->addresses), 1);
	draft_records(draft, &count);
	assert_int_equal(count, 5); /* the port, its address, its device, its name, the counter */
	draft_commit(draft, 2);
	draft_free(draft);
	space = map_get_u32(&intent->spaces, find(intent, OBJECT_SUBNET, "web")->id);
	assert_int_equal(space->lowest[0], 3005);
	json_decref(port);
	buf_fini(&body);
	intent_free(intent);
}

/* A draft that was overtaken is refused, and several requests in one draft count as one. */
static void test_generation(void **state)
{
	struct intent *intent = intent_with(two_subnets);
	struct draft *draft = draft_new(intent);
	const char *path[] = { "vpcs", "blue", "subnets", "app" };
	json_t *body = json_of("{'cidr':'10.0.3.0/24'}");
	struct error error = { 0 };
	uint32_t id;
	size_t count;

	(void)state;
	assert_int_equal(draft_put(draft, path, 4, body, true, &error), 0);
	assert_int_equal(draft_check(draft, &error), 0);
	draft_changes(draft, &count);
	assert_int_equal(count, 1);
	/* Removed again before anything was published: no change is left. */
	assert_int_equal(draft_remove(draft, path, 4, &error), 0);
	assert_int_equal(draft_check(draft, &error), 0);
	draft_changes(draft, &count);
	assert_int_equal(count, 0);
	assert_int_equal(draft_put(draft, path, 4, body, true, &error), 0);
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/web1", NULL, NULL);
	assert_int_equal(draft_check(draft, &error), -EAGAIN);
	draft_free(draft);
	/* Removed and made again in one draft, an object is the same one. */
	draft = draft_new(intent);
	path[3] = "web";
	id = find(intent, OBJECT_SUBNET, "web")->id;
	assert_int_equal(draft_remove(draft, path, 4, &error), 0);
	assert_int_equal(draft_put(draft, path, 4, body, true, &error), 0);
	assert_int_equal(draft_check(draft, &error), 0);
	draft_commit(draft, 5);
	assert_int_equal(find(intent, OBJECT_SUBNET, "web")->id, id);
	draft_free(draft);
	json_decref(body);
	intent_free(intent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_apply),
		cmocka_unit_test(test_prune),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_addresses_together),
		cmocka_unit_test(test_two_tenants),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_busy_order),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_patch),
		cmocka_unit_test(test_main_table),
		cmocka_unit_test(test_dead_route),
		cmocka_unit_test(test_local_route),
		cmocka_unit_test(test_default_rules),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_work),
	};

	return cmocka_run_group_tests_name("model_draft", tests, NULL, NULL);
}
