/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Subnets on networks outside in the model: uplinks, tags, ways to share a NIC, the host that routes.
 */
#include "model/intent_private.h"
#include "tests/unit/model_cases.h"

#define WORLD                                                                                      \
	"{'hosts':{'h1':{'underlay':'192.0.2.1/24'},"                                              \
	"'h2':{'underlay':'192.0.2.2/24','uplinks':{'physnet1':'eth1'}}},"                         \
	"'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'}}}}}"

static struct intent *world(void)
{
	struct intent *intent = intent_new();

	intent_set_host(intent, "h1");
	request(intent, REQUEST_APPLY, NULL, WORLD, NULL);
	return intent;
}

/* Ways to share an uplink, and what cannot be attached so. */
static void test_direct(void **state)
{
#define FLAT(rest)                                                                                 \
	"{'cidr':'10.0.9.0/24','mode':'l2','segment':{'type':'flat','network':'physnet1'" rest
	static const struct refusal cases[] = {
		{ "vpcs/blue/subnets/floor", FLAT(",'direct':'vepaa'}}"),
		  "vpcs.blue.subnets.floor.segment.direct",
		  "subnet blue/floor: direct is bridge, private, vepa, passthru, l2, l3 or l3s, not \"vepaa\" "
		  "(did you mean \"vepa\"?)" },
		{ "vpcs/blue/subnets/floor",
		  "{'cidr':'10.0.9.0/24','segment':{'type':'local','direct':'vepa'}}",
		  "vpcs.blue.subnets.floor.segment.direct",
		  "subnet blue/floor: segment.direct: unknown key" },
		{ "vpcs/blue/subnets/floor",
		  "{'cidr':'10.0.9.0/24','segment':{'type':'flat','network':'physnet1',"
		  "'direct':'private'}}",
		  "vpcs.blue.subnets.floor.segment.direct",
		  "subnet blue/floor: direct is for mode: l2; in mode l3 ports see their router "
		  "alone" },
		{ "vpcs/blue/subnets/floor", FLAT(",'direct':'passthru'}}"),
		  "vpcs.blue.subnets.floor.subnet",
		  "subnet blue/floor: one port of a host has all of an uplink: in subnet floor that "
		  "is w2 already" },
		{ "vpcs/blue/ports/w", "{'subnet':'floor','host':'h2','attach':{'bridge':'br0'}}",
		  "vpcs.blue.ports.w.attach",
		  "port blue/w: port w leads to another switch, and the ports of subnet floor are "
		  "kept apart by their MACs: say direct: bridge or passthru" },
		{ "vpcs/blue/tunnels/t",
		  "{'type':'vxlan','host':'h2','remote':'198.51.100.7','id':9,'subnet':'floor'}",
		  "vpcs.blue.tunnels.t.subnet",
		  "tunnel blue/t: only a subnet with direct: bridge has members behind tunnels; floor "
		  "has another" },
		{ "vpcs/blue/subnets/shared",
		  "{'cidr':'10.0.10.0/24','mode':'l2','segment':{'type':'vlan','network':'physnet1',"
		  "'tag':7,'direct':'l2'}}",
		  "vpcs.blue.subnets.shared.segment.direct",
		  "subnet blue/shared: with a tag, what is for the NIC's MAC is the host's VLAN "
		  "device's: make that one the uplink, and say type: flat" },
		{ "vpcs/blue/subnets/floor", FLAT(",'direct':'l3'}}"),
		  "vpcs.blue.subnets.floor.mode",
		  "subnet blue/floor: direct: l3 and l3s have no broadcast and no stations: say mode: l3" },
		{ "vpcs/blue/subnets/floor", FLAT(",'direct':'l3','siblings':'vepa'}}"),
		  "vpcs.blue.subnets.floor.segment.siblings",
		  "subnet blue/floor: with direct: l3 and l3s siblings are bridge or private: what is routed "
		  "is not reflected" },
		{ "vpcs/blue/subnets/floor", FLAT(",'siblings':'private'}}"),
		  "vpcs.blue.subnets.floor.segment.siblings",
		  "subnet blue/floor: siblings goes with direct: l2, l3 and l3s; else direct says it" },
		{ "vpcs/blue/subnets/floor", FLAT(",'direct':'private'},'vlan_transparent':true}"),
		  "vpcs.blue.subnets.floor.vlan_transparent",
		  "subnet blue/floor: vlan_transparent goes with direct: bridge; passthru passes all tags "
		  "as it is, and the others none" },
		{ "vpcs/blue/subnets/more", "{'cidr':'10.0.10.0/24','vlan_transparent':true}",
		  "vpcs.blue.subnets.more.vlan_transparent",
		  "subnet blue/more: only a subnet with mode: l2 passes VLAN tags; more is l3" },
	};
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/floor", FLAT(",'direct':'private'}}"),
		NULL);
#undef FLAT
	request(intent, REQUEST_PUT, "vpcs/blue/ports/w", "{'subnet':'floor','host':'h2'}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/w2", "{'subnet':'floor','host':'h2'}", NULL);
	refuse_all(intent, cases, ARRAY_SIZE(cases));
	intent_free(intent);
}

/* A segment on a network outside: its hosts have an uplink there, and a tag is one subnet's. */
static void test_wires(void **state)
{
	static const struct refusal wires[] = {
		{ "vpcs/blue/ports/c", "{'subnet':'floor','host':'h1'}", "vpcs.blue.ports.c.subnet",
		  "port blue/c: host h1 has no uplink to network physnet1, which subnet blue/floor is "
		  "on" },
		{ "vpcs/blue/subnets/more",
		  "{'cidr':'10.0.10.0/24','mode':'l2',"
		  "'segment':{'type':'vlan','network':'physnet1','tag':7}}",
		  "vpcs.blue.subnets.more.segment.tag",
		  "subnet blue/more: tag 7 of network physnet1 is taken by subnet blue/floor" },
		{ "vpcs/blue/subnets/floor",
		  "{'cidr':'10.0.9.0/24','mode':'l2',"
		  "'segment':{'type':'vlan','network':'physnet2','tag':7}}",
		  "vpcs.blue.subnets.floor.segment.network",
		  "subnet blue/floor: host h2 has no uplink to network physnet2, which subnet "
		  "blue/floor is on" },
		{ "vpcs/blue/subnets/more",
		  "{'cidr':'10.0.10.0/24','mode':'l2',"
		  "'segment':{'type':'flat','network':'physnet1','router':'h1'}}",
		  "vpcs.blue.subnets.more.segment.router",
		  "subnet blue/more: host h1 has no uplink to network physnet1, which subnet "
		  "blue/more is on" },
	};
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/floor",
		"{'cidr':'10.0.9.0/24','mode':'l2',"
		"'segment':{'type':'vlan','network':'physnet1','tag':7}}",
		NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/w", "{'subnet':'floor','host':'h2'}", NULL);
	refuse_all(intent, wires, ARRAY_SIZE(wires));
	refuse(intent, REQUEST_PATCH, "hosts/h2", "{'uplinks':{'physnet1':null}}", -EINVAL,
	       "hosts.h2.uplinks",
	       "host h2: host h2 has no uplink to network physnet1, which subnet blue/floor is on");
	intent_free(intent);
}

/* Behind a device there is one network: two would have the same tags, and each other's frames. */
static void test_one_network_a_device(void **state)
{
	struct intent *intent = world();

	(void)state;
	refuse(intent, REQUEST_PATCH, "hosts/h2", "{'uplinks':{'physnet2':'eth1'}}", -EINVAL,
	       "hosts.h2.uplinks",
	       "host h2: device eth1 leads to network physnet1, and to physnet2 it needs another");
	refuse(intent, REQUEST_PUT, "hosts/h3",
	       "{'underlay':'192.0.2.3/24','uplinks':{'b':'eth2','a':'eth2'}}", -EINVAL,
	       "hosts.h3.uplinks",
	       "host h3: device eth2 leads to network a, and to b it needs another");
	request(intent, REQUEST_PATCH, "hosts/h2",
		"{'uplinks':{'physnet1':'eth2','physnet2':'eth1'}}", NULL);
	intent_free(intent);
}

/* A host that a subnet names as its router stays, with its uplink, until the subnet names another. */
static void test_router_stays(void **state)
{
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_PUT, "hosts/h3",
		"{'underlay':'192.0.2.3/24','uplinks':{'physnet1':'eth3'}}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/floor",
		"{'cidr':'10.0.9.0/24','segment':{'type':'flat','network':'physnet1',"
		"'router':'h3'}}",
		NULL);
	refuse(intent, REQUEST_PATCH, "hosts/h3", "{'uplinks':{'physnet1':null}}", -EINVAL,
	       "hosts.h3.uplinks",
	       "host h3: host h3 has no uplink to network physnet1, which subnet blue/floor is on");
	refuse(intent, REQUEST_REMOVE, "hosts/h3", NULL, -EBUSY, "hosts.h3",
	       "host h3: it is the router of subnet blue/floor, which must name another first");
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/floor", "{'segment':{'router':'h2'}}",
		NULL);
	request(intent, REQUEST_REMOVE, "hosts/h3", NULL, NULL);
	intent_free(intent);
}

#define ROUTED(rest) "{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'}}," rest

/* One host routes a VPC: what of it that host cannot, and that it stays. */
static void test_routing(void **state)
{
	static const struct refusal cases[] = {
		{ "vpcs/blue", ROUTED("'routing':'h2'}"), "vpcs.blue.routing",
		  "vpc blue: routing is distributed or host:NAME, not \"h2\"" },
		{ "vpcs/blue", ROUTED("'routing':'host:h9'}"), "vpcs.blue.routing",
		  "vpc blue: no host \"h9\" (did you mean \"h1\"?)" },
		{ "vpcs/blue", ROUTED("'routing':'host:h2','route_multicast':true}"),
		  "vpcs.blue.routing",
		  "vpc blue: multicast between subnets (route_multicast) is routed by each host, and "
		  "cannot be by host h2 alone" },
		{ "vpcs/blue/subnets/x",
		  "{'cidr':'10.0.7.0/24','segment':{'type':'overlay','encapsulation':'ipip'}}",
		  "vpcs.blue.subnets.x.segment",
		  "subnet blue/x: host h2 routes vpc blue, and subnet x has ipip, which does not carry "
		  "Ethernet: vxlan, geneve, nvgre or gretap" },
		{ "vpcs/blue/subnets/x",
		  "{'cidr':'10.0.7.0/24','segment':{'type':'overlay','encapsulation':'gretap'}}",
		  "vpcs.blue.subnets.x.segment",
		  "subnet blue/x: host h2 routes vpc blue, and subnets x (gretap) and web (vxlan) are "
		  "not carried alike" },
		{ "vpcs/blue/subnets/x",
		  "{'cidr':'10.0.7.0/24','segment':{'type':'flat','network':'physnet1','router':'h3'}}",
		  "vpcs.blue.subnets.x.segment",
		  "subnet blue/x: host h2 routes vpc blue, and not host h3 on the wire of subnet x" },
		{ "vpcs/blue/ports/a", "{'subnet':'here','host':'h1'}", "vpcs.blue.ports.a.host",
		  "port blue/a: host h2 routes vpc blue, and subnet here is no overlay: its port a has to "
		  "be on that host, not on h1" },
		{ "vpcs/blue/subnets/web", "{'cidr':'10.0.1.0/24','segment':{'type':'local'}}",
		  "vpcs.blue.subnets.web.segment",
		  "subnet blue/web: host h2 routes vpc blue, and subnet web is no overlay: its port w has "
		  "to be on that host, not on h1" },
		{ "vpcs/blue/tunnels/t",
		  "{'type':'gre','host':'h1','remote':'198.51.100.7','id':9}",
		  "vpcs.blue.tunnels.t.host",
		  "tunnel blue/t: host h2 routes vpc blue: tunnel t, which is in no subnet, has to be on "
		  "that host, not on h1" },
	};
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_PUT, "hosts/h3",
		"{'underlay':'192.0.2.3/24','uplinks':{'physnet1':'eth3'}}", NULL);
	request(intent, REQUEST_PATCH, "vpcs/blue", "{'routing':'host:h2'}", NULL);
	assert_member(intent, "vpcs/blue", "routing", "'host:h2'");
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/here",
		"{'cidr':'10.0.8.0/24','segment':{'type':'local'}}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/w", "{'subnet':'web','host':'h1'}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/h", "{'subnet':'here','host':'h2'}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/tunnels/there",
		"{'type':'gre','host':'h2','remote':'198.51.100.7','id':9}", NULL);
	refuse_all(intent, cases, ARRAY_SIZE(cases));
	refuse(intent, REQUEST_PATCH, "vpcs/blue/ports/h", "{'moving_to':'h1'}", -EINVAL,
	       "vpcs.blue.ports.h.host",
	       "port blue/h: host h2 routes vpc blue, and subnet here is no overlay: its port h has to "
	       "be on that host, not on h1");
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/h", NULL, NULL);
	request(intent, REQUEST_REMOVE, "vpcs/blue/tunnels/there", NULL, NULL);
	refuse(intent, REQUEST_REMOVE, "hosts/h2", NULL, -EBUSY, "hosts.h2",
	       "host h2: it routes vpc blue, which must have another routing first");
	intent_free(intent);
}

/* The same, when it is the VPC that changes: each member that cannot be is named. */
static void test_routing_of_what_is_there(void **state)
{
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/here",
		"{'cidr':'10.0.8.0/24','segment':{'type':'local'}}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/h", "{'subnet':'here','host':'h1'}", NULL);
	refuse(intent, REQUEST_PATCH, "vpcs/blue", "{'routing':'host:h2'}", -EINVAL,
	       "vpcs.blue.routing",
	       "vpc blue: host h2 routes vpc blue, and subnet here is no overlay: its port h has to be "
	       "on that host, not on h1");
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/h", NULL, NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/here",
		"{'cidr':'10.0.8.0/24','segment':{'type':'overlay','encapsulation':'gue'}}", NULL);
	refuse(intent, REQUEST_PATCH, "vpcs/blue", "{'routing':'host:h2'}", -EINVAL,
	       "vpcs.blue.routing",
	       "vpc blue: host h2 routes vpc blue, and subnet here has gue, which does not carry "
	       "Ethernet: vxlan, geneve, nvgre or gretap");
	request(intent, REQUEST_REMOVE, "vpcs/blue/subnets/here", NULL, NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/tunnels/t",
		"{'type':'gre','host':'h1','remote':'198.51.100.7','id':9}", NULL);
	refuse(intent, REQUEST_PATCH, "vpcs/blue", "{'routing':'host:h2'}", -EINVAL,
	       "vpcs.blue.routing",
	       "vpc blue: host h2 routes vpc blue: tunnel t, which is in no subnet, has to be on that "
	       "host, not on h1");
	request(intent, REQUEST_PATCH, "vpcs/blue", "{'routing':'host:h1'}", NULL);
	request(intent, REQUEST_PATCH, "vpcs/blue", "{'routing':'distributed'}", NULL);
	assert_member(intent, "vpcs/blue", "routing", "'distributed'");
	intent_free(intent);
}

/* Mirrors of one host to one collector: an id, a key, a session or the kind tells them apart. */
static void test_collector(void **state)
{
#define COLLECTOR(rest) "{'mirror':true,'host':'h1','remote':'198.51.100.7'," rest "}"
	static const char *const beside[] = {
		COLLECTOR("'type':'vxlan','id':7"),
		COLLECTOR("'type':'vxlan','id':8"),
		COLLECTOR("'type':'vxlan','id':7,'port':4790"),
		COLLECTOR("'type':'nvgre','id':4097"),
		COLLECTOR("'type':'gretap'"),
		COLLECTOR("'type':'gretap','id':0"),
		COLLECTOR("'type':'gretap','id':5"),
		COLLECTOR("'type':'erspan','id':5"),
		COLLECTOR("'type':'erspan','id':6"),
		COLLECTOR("'type':'erspan3','id':5"),
	};
	static const struct {
		const char *body, *sentence;
	} cases[] = {
		{ COLLECTOR("'type':'vxlan','id':8"),
		  "tunnel blue/other: tunnel blue/t1 has the same ends; "
		  "another id, port or address tells them apart" },
		{ COLLECTOR("'type':'nvgre','id':4097"),
		  "tunnel blue/other: tunnel blue/t3 has the same ends; "
		  "another id or address tells them apart" },
		{ COLLECTOR("'type':'gretap','id':5"),
		  "tunnel blue/other: tunnel blue/t6 has the same ends; "
		  "another key (id) or address tells them apart" },
		{ COLLECTOR("'type':'erspan','id':5"),
		  "tunnel blue/other: tunnel blue/t7 has the same ends; "
		  "another session (id) or address tells them apart" },
		{ COLLECTOR("'type':'erspan3','id':5,'hardware_id':3"),
		  "tunnel blue/other: tunnel blue/t9 has the same ends; "
		  "another session (id) or address tells them apart" },
	};
#undef COLLECTOR
	struct intent *intent = world();
	char path[40];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(beside); i++) {
		snprintf(path, sizeof(path), "vpcs/blue/tunnels/t%zu", i);
		request(intent, REQUEST_PUT, path, beside[i], NULL);
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		refuse(intent, REQUEST_PUT, "vpcs/blue/tunnels/other", cases[i].body, -EINVAL,
		       "vpcs.blue.tunnels.other.remote", cases[i].sentence);
	intent_free(intent);
}

/* It may go, and what is behind it waits; but it is not made what nothing can be behind. */
static void test_parent(void **state)
{
	static const char change[] = "{'attach':{'parent':'other','vlan':5}}";
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/ports/trunk", "{'subnet':'web'}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/child",
		"{'subnet':'web','attach':{'parent':'trunk','vlan':5}}", NULL);
	refuse(intent, REQUEST_PUT, "vpcs/blue/ports/trunk",
	       "{'subnet':'web','attach':{'tun':'t'}}", -EINVAL,
	       "vpcs.blue.ports.child.attach.parent",
	       "port blue/child: port blue/trunk is no device with Ethernet that carries tags");
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/trunk", NULL, NULL);
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/child", "{'mtu':1400}", NULL);
	refuse(intent, REQUEST_PATCH, "vpcs/blue/ports/child", change, -EINVAL,
	       "vpcs.blue.ports.child.attach.parent",
	       "port blue/child: no port \"blue/other\" that could be its parent");
	intent_free(intent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_direct),
		cmocka_unit_test(test_wires),
		cmocka_unit_test(test_one_network_a_device),
		cmocka_unit_test(test_router_stays),
		cmocka_unit_test(test_routing),
		cmocka_unit_test(test_routing_of_what_is_there),
		cmocka_unit_test(test_collector),
		cmocka_unit_test(test_parent),
	};

	return cmocka_run_group_tests_name("model_wires", tests, NULL, NULL);
}
