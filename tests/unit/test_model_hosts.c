/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts, tunnels and segments in the model: what may be asked for, its text, its records, and what
 * other writers bring in.
 */
#include "model/intent_private.h"
#include "tests/unit/model_cases.h"

#define HOSTS                                                                                      \
	"'hosts':{'h1':{'underlay':['192.0.2.1/24','2001:db8::1/64']},"                            \
	"'h2':{'underlay':['192.0.2.2/24','2001:db8::2/64'],'mtu':9000,"                           \
	"'peers':{'h1':{'encapsulation':'geneve'}},'uplinks':{'physnet1':'eth1'},"                 \
	"'device_rates':{'eth1':'10G','eth0':2500000000}}}"
#define BLUE                                                                                       \
	"'vpcs':{'blue':{'cidrs':['10.0.0.0/16','fd00:b::/48'],'subnets':{"                        \
	"'web':{'cidr':'10.0.1.0/24'},'lan':{'cidr':'10.0.2.0/24','mode':'l2'}},"                  \
	"'route_tables':{'main':{'routes':[{'to':'10.9.0.0/16','via':'tunnel:site'}]}},"           \
	"'tunnels':{'site':{'type':'gre','host':'h1','remote':'198.51.100.7','id':10,"             \
	"'keepalive':{'interval':10,'address':'10.255.0.2'}}},"                                    \
	"'ports':{'a':{'subnet':'web','host':'h1'},'b':{'subnet':'web','host':'h2'}}}}"
#define WORLD "{" HOSTS "," BLUE "}"

static struct intent *world(void)
{
	struct intent *intent = intent_new();

	intent_set_host(intent, "h1");
	request(intent, REQUEST_APPLY, NULL, WORLD, NULL);
	return intent;
}

/* ---- text ---- */

static void test_text(void **state)
{
	struct intent *intent = world();
	struct intent *again = intent_new();
	json_t *export = intent_export(intent), *second;
	char *text = json_dumps(export, 0);

	(void)state;
	assert_member(intent, "hosts/h2", "encapsulations",
		      "['vxlan','geneve','nvgre','gre','gretap','ipip','sit','fou','gue']");
	assert_member(intent, "hosts/h2", "uplinks", "{'physnet1':'eth1'}");
	assert_member(intent, "hosts/h2", "device_rates", "{'eth0':'2500M','eth1':'10G'}");
	assert_member(intent, "hosts/h2", "peers", "{'h1':{'encapsulation':'geneve'}}");
	assert_member(intent, "vpcs/blue/subnets/web", "segment",
		      "{'type':'overlay','encapsulation':'vxlan','id':null,'effective_id':4096,"
		      "'port':null,'dscp':0,'ttl':64,'udp_checksum':null,'underlay':null,"
		      "'flooding':'head-end'}");
	assert_member(intent, "vpcs/blue/tunnels/site", "keepalive",
		      "{'interval':10,'retries':3,'address':'10.255.0.2'}");
	assert_member(intent, "vpcs/blue/tunnels/site", "security_groups", "null");
	assert_member(intent, "vpcs/blue", "mtu", "'auto'");
	assert_member(intent, "vpcs/blue", "effective_mtu", "1450");
	/* The export is everything: applying it changes nothing, and elsewhere makes the same. */
	request(intent, REQUEST_APPLY, NULL, text, "");
	request(again, REQUEST_APPLY, NULL, text, NULL);
	second = intent_export(again);
	assert_true(json_equal(export, second));
	json_decref(second);
	json_decref(export);
	free(text);
	intent_free(again);
	intent_free(intent);
}

/* GET, then PUT or PATCH of the same, is no change; an id that was given out stays given out. */
static void test_put_back(void **state)
{
	static const char *const paths[] = { "hosts/h1",
					     "hosts/h2",
					     "vpcs/blue",
					     "vpcs/blue/subnets/web",
					     "vpcs/blue/subnets/lan",
					     "vpcs/blue/tunnels/site" };
	struct intent *intent = world();

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		char *copy = xstrdup(paths[i]), *text;
		const char *names[8];
		size_t count = split_path(copy, names);
		json_t *json = intent_get(intent, names, count, NULL);

		assert_non_null(json);
		text = json_dumps(json, 0);
		request(intent, REQUEST_PUT, paths[i], text, "");
		request(intent, REQUEST_PATCH, paths[i], text, "");
		json_decref(json);
		free(text);
		free(copy);
	}
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web", "{'flood_rate':7}", NULL);
	assert_true(((const struct subnet_object *)find(intent, OBJECT_SUBNET, "web"))
			    ->segment.id_automatic);
	/* A segment of another type keeps nothing, and the way back gives a new id if need be. */
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web", "{'segment':{'type':'local'}}",
		NULL);
	assert_member(intent, "vpcs/blue/subnets/web", "segment", "{'type':'local'}");
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web",
		"{'segment':{'type':'overlay','encapsulation':'gue'}}", NULL);
	intent_free(intent);
}

/* Hosts that a file leaves out stay. */
static void test_apply_leaves_hosts(void **state)
{
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_APPLY, NULL, "{'hosts':{'h3':{'underlay':'192.0.2.3'}}," BLUE "}",
		"+ host h3\n");
	request(intent, REQUEST_APPLY, NULL, "{" BLUE "}", "");
	assert_non_null(intent_host(intent, "h2"));
	intent_free(intent);
}

/* ---- refusals ---- */

static const struct refusal refusals[] = {
	/* segments */
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','encapsulation':'vxlam'}}",
	  "vpcs.blue.subnets.new.segment.encapsulation",
	  "subnet blue/new: encapsulation is vxlan, geneve, nvgre, gre, gretap, ipip, sit, fou or "
	  "gue, not \"vxlam\" (did you mean \"vxlan\"?)" },
	{ "vpcs/blue/subnets/new", "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','vni':7}}",
	  "vpcs.blue.subnets.new.segment.vni", "subnet blue/new: segment.vni: unknown key" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','id':16777216}}",
	  "vpcs.blue.subnets.new.segment.id",
	  "subnet blue/new: segment.id: must be from 1 to 16777215, not 16777216" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','encapsulation':'nvgre','id':4095}}",
	  "vpcs.blue.subnets.new.segment.id",
	  "subnet blue/new: id 4095 is reserved: a VSID of NVGRE is from 4096 to 16777214" },
	{ "vpcs/blue/subnets/new", "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','id':4096}}",
	  "vpcs.blue.subnets.new.segment.id",
	  "subnet blue/new: id 4096 is taken by subnet blue/web" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','encapsulation':'sit'}}",
	  "vpcs.blue.subnets.new.segment.encapsulation",
	  "subnet blue/new: sit carries IPv6 only, and the subnet has an IPv4 range" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'fd00:b:0:3::/64','segment':{'type':'overlay','encapsulation':'sit',"
	  "'underlay':'ipv6'}}",
	  "vpcs.blue.subnets.new.segment.underlay",
	  "subnet blue/new: sit is IPv6 in IPv4: its underlay is ipv4" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','mode':'l2','segment':{'type':'overlay','encapsulation':'gre'}}",
	  "vpcs.blue.subnets.new.segment.encapsulation",
	  "subnet blue/new: an l2 subnet needs vxlan, geneve, nvgre or gretap; gre carries no "
	  "Ethernet" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','encapsulation':'gre','port':7}}",
	  "vpcs.blue.subnets.new.segment.port",
	  "subnet blue/new: gre is not carried by UDP and has no port" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','port':6081}}",
	  "vpcs.blue.subnets.new.segment.port", "subnet blue/new: port 6081 is that of geneve" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','port':6082}}",
	  "vpcs.blue.subnets.new.segment.port",
	  "subnet blue/new: port 6082 is used between the daemons of Weft" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','flooding':{'group':'239.1.1.1'}}}",
	  "vpcs.blue.subnets.new.segment.flooding",
	  "subnet blue/new: an l3 subnet floods nothing, so it needs no group" },
	{ "vpcs/blue/subnets/new",
	  "{'cidr':'10.0.3.0/24','mode':'l2','segment':{'type':'overlay','flooding':"
	  "{'group':'10.1.1.1'}}}",
	  "vpcs.blue.subnets.new.segment.flooding.group",
	  "subnet blue/new: group 10.1.1.1 is no multicast address" },
	{ "vpcs/blue/subnets/new", "{'cidr':'10.0.3.0/24','segment':{'type':'overlay','dscp':64}}",
	  "vpcs.blue.subnets.new.segment.dscp",
	  "subnet blue/new: dscp is a number from 0 to 63, or copy" },
	/* ports and the MTU */
	{ "vpcs/blue/ports/c", "{'subnet':'web','host':'h9'}", "vpcs.blue.ports.c.host",
	  "port blue/c: no host \"h9\" (did you mean \"h1\"?)" },
	{ "vpcs/blue/ports/c", "{'subnet':'web','host':'h1','moving_to':'h9'}",
	  "vpcs.blue.ports.c.moving_to", "port blue/c: no host \"h9\" (did you mean \"h1\"?)" },
	{ "vpcs/blue/ports/c", "{'subnet':'web','host':'h1','moving_to':'h1'}",
	  "vpcs.blue.ports.c.moving_to", "port blue/c: it is on host h1 already" },
	{ "vpcs/blue/ports/c", "{'subnet':'web','host':'h1','activation':'command'}",
	  "vpcs.blue.ports.c.activation", "port blue/c: activation goes with moving_to" },
	{ "vpcs/blue/ports/c", "{'subnet':'web','host':'h1','moving_to':'h2','activation':'x'}",
	  "vpcs.blue.ports.c.activation",
	  "port blue/c: activation \"x\" is neither first-frame nor command" },
	{ "vpcs/blue/ports/c", "{'subnet':'web','host':'h1','moving_to':'h2','attach':{'pid':7}}",
	  "vpcs.blue.ports.c.moving_to",
	  "port blue/c: it is attached to process 7 of host h1; a port that moves has netns, tap "
	  "or tun, which mean the same on both hosts" },
	{ "vpcs/blue/ports/c", "{'subnet':'web','host':'h1','mtu':1500}", "vpcs.blue.ports.c.mtu",
	  "port blue/c: mtu 1500 is more than the 1450 that the vpc has" },
	{ "vpcs/blue", "{'cidrs':['10.0.0.0/16','fd00:b::/48'],'mtu':1451}", "vpcs.blue.mtu",
	  "vpc blue: mtu 1451 does not fit: subnet lan carries 1450 in vxlan" },
	/* tunnels */
	{ "vpcs/blue/tunnels/t", "{'type':'ipip','remote':'192.0.2.2','host':'h1'}",
	  "vpcs.blue.tunnels.t.remote",
	  "tunnel blue/t: 192.0.2.2 is an address of host h2, which Weft reaches by itself" },
	{ "vpcs/blue/tunnels/t",
	  "{'type':'ipip','remote':'198.51.100.8','host':'h1','local':'192.0.2.2'}",
	  "vpcs.blue.tunnels.t.local", "tunnel blue/t: 192.0.2.2 is not an address of host h1" },
	{ "vpcs/blue/tunnels/t", "{'type':'gre','remote':'198.51.100.7','host':'h1','id':10}",
	  "vpcs.blue.tunnels.t.remote",
	  "tunnel blue/t: tunnel blue/site has the same ends; another key (id) or address tells "
	  "them apart" },
	{ "vpcs/blue/tunnels/t", "{'type':'ipip','remote':'198.51.100.8','host':'h1','id':7}",
	  "vpcs.blue.tunnels.t.id", "tunnel blue/t: ipip has no id" },
	{ "vpcs/blue/tunnels/t",
	  "{'type':'vxlan','remote':'198.51.100.8','host':'h1','subnet':'lan'}",
	  "vpcs.blue.tunnels.t.id", "tunnel blue/t: vxlan needs an id" },
	{ "vpcs/blue/tunnels/t", "{'type':'vxlan','id':7,'remote':'198.51.100.8','host':'h1'}",
	  "vpcs.blue.tunnels.t.subnet",
	  "tunnel blue/t: vxlan carries Ethernet: it is a member of an l2 subnet, which must be "
	  "named" },
	{ "vpcs/blue/tunnels/t",
	  "{'type':'vxlan','id':7,'remote':'198.51.100.8','host':'h1','subnet':'web'}",
	  "vpcs.blue.tunnels.t.subnet",
	  "tunnel blue/t: subnet web is l3; a tunnel is a member of an l2 subnet" },
	{ "vpcs/blue/tunnels/t",
	  "{'type':'gre','remote':'198.51.100.8','host':'h1','subnet':'lan'}",
	  "vpcs.blue.tunnels.t.subnet",
	  "tunnel blue/t: gre carries no Ethernet: it is the target of routes and a member of no "
	  "subnet" },
	{ "vpcs/blue/tunnels/t", "{'type':'sit','remote':'2001:db8::9','host':'h1'}",
	  "vpcs.blue.tunnels.t.remote",
	  "tunnel blue/t: sit is IPv6 in IPv4: its ends are IPv4 addresses" },
	{ "vpcs/blue/tunnels/t",
	  "{'type':'fou','remote':'198.51.100.8','host':'h1','sequence':true}",
	  "vpcs.blue.tunnels.t.sequence", "tunnel blue/t: fou has no sequence numbers" },
	{ "vpcs/blue/tunnels/t", "{'type':'fou','remote':'198.51.100.8','host':'h1','port':4789}",
	  "vpcs.blue.tunnels.t.port", "tunnel blue/t: port 4789 is that of vxlan" },
	{ "vpcs/blue/tunnels/t",
	  "{'type':'fou','remote':'198.51.100.8','host':'h1','keepalive':{'retries':2}}",
	  "vpcs.blue.tunnels.t.keepalive.interval",
	  "tunnel blue/t: keepalive.interval: is missing" },
	/* hosts */
	{ "hosts/h3", "{'underlay':'192.0.2.2'}", "hosts.h3.underlay",
	  "host h3: address 192.0.2.2 is taken by host h2" },
	{ "hosts/h3", "{'underlay':'198.51.100.300'}", "hosts.h3.underlay",
	  "host h3: underlay \"198.51.100.300\" is neither an address nor ADDRESS/LENGTH" },
	{ "hosts/h3", "{'underlay':['192.0.2.3','192.0.2.3/24']}", "hosts.h3.underlay",
	  "host h3: address 192.0.2.3 stands twice" },
	{ "hosts/h3", "{}", "hosts.h3.underlay",
	  "host h3: it and host h1 have no addresses of one family" },
	{ "hosts/h3", "{'underlay':'192.0.2.3','encapsulations':['gre','ipip']}",
	  "hosts.h3.encapsulations",
	  "host h3: it and host h1 need one of vxlan, geneve, nvgre and gretap that both have" },
	{ "hosts/h3", "{'underlay':'192.0.2.3','peers':{'h1':{'encapsulation':'ipip'}}}",
	  "hosts.h3.peers",
	  "host h3: h1: ipip has no id, so it carries one segment only; a subnet may ask for it" },
	{ "hosts/h3", "{'underlay':'192.0.2.3','peers':{'h7':{'encapsulation':'gre'}}}",
	  "hosts.h3.peers", "host h3: no host \"h7\" (did you mean \"h1\"?)" },
	{ "hosts/h3", "{'underlay':'192.0.2.3','mtu':1300}", "hosts.h3.mtu",
	  "host h3: mtu 1300 leaves subnet blue/lan 1250 bytes in vxlan, and it needs 1280" },
	{ "hosts/h3", "{'underlay':'192.0.2.3','wires':{}}", "hosts.h3.wires",
	  "host h3: wires: unknown key" },
};

static void test_refusals(void **state)
{
	struct intent *intent = world();

	(void)state;
	refuse_all(intent, refusals, ARRAY_SIZE(refusals));
	intent_free(intent);
}

/* A kind without an id has room for one segment between two addresses. */
static void test_without_id(void **state)
{
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/i1",
		"{'cidr':'10.0.11.0/24','segment':{'type':'overlay','encapsulation':'ipip'}}",
		NULL);
	refuse(intent, REQUEST_PUT, "vpcs/blue/subnets/i2",
	       "{'cidr':'10.0.12.0/24','segment':{'type':'overlay','encapsulation':'ipip'}}",
	       -EINVAL, "vpcs.blue.subnets.i2.segment.encapsulation",
	       "subnet blue/i2: a second segment on ipip, which has no id: subnet blue/i1 has it; "
	       "say an underlay with another address, or a kind with an id");
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/g1",
		"{'cidr':'10.0.13.0/24','segment':{'type':'overlay','encapsulation':'gue'}}", NULL);
	refuse(intent, REQUEST_PUT, "vpcs/blue/subnets/g2",
	       "{'cidr':'10.0.14.0/24','segment':{'type':'overlay','encapsulation':'gue'}}",
	       -EINVAL, "vpcs.blue.subnets.g2.segment.encapsulation",
	       "subnet blue/g2: a second segment on gue, which has no id: subnet blue/g1 has it; "
	       "say an underlay with another address or another port, or a kind with an id");
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/g2",
		"{'cidr':'10.0.14.0/24','segment':{'type':'overlay','encapsulation':'gue',"
		"'port':6090}}",
		NULL);
	/* Each of two prefixes takes an address of its own. */
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/i1",
		"{'segment':{'underlay':'192.0.2.0/24'}}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/i2",
		"{'cidr':'10.0.12.0/24','segment':{'type':'overlay','encapsulation':'ipip',"
		"'underlay':'2001:db8::/64'}}",
		NULL);
	intent_free(intent);
}

/* A host without an address of the kind that carries a subnet has no part in its VPC. */
static void test_reach(void **state)
{
	struct intent *intent = world();

	(void)state;
	request(intent, REQUEST_PUT, "hosts/h3", "{'underlay':'192.0.2.3/24'}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/six",
		"{'cidr':'10.0.3.0/24','segment':{'type':'overlay','underlay':'ipv6'}}", NULL);
	refuse(intent, REQUEST_PUT, "vpcs/blue/ports/c", "{'subnet':'web','host':'h3'}", -EINVAL,
	       "vpcs.blue.ports.c.host",
	       "port blue/c: host h3 has no address of IPv6, by which subnet blue/six is carried");
	refuse(intent, REQUEST_PUT, "hosts/h2", "{'underlay':'192.0.2.2/24'}", -EINVAL,
	       "hosts.h2.underlay",
	       "host h2: host h2 has no address of IPv6, by which subnet blue/six is carried");
	refuse(intent, REQUEST_PUT, "vpcs/blue/subnets/other",
	       "{'cidr':'10.0.4.0/24','segment':{'type':'overlay','underlay':'198.51.100.0/24'}}",
	       -EINVAL, "vpcs.blue.subnets.other.segment.underlay",
	       "subnet blue/other: host h1 has no address of 198.51.100.0/24, by which subnet "
	       "blue/other is carried");
	intent_free(intent);
}

static void test_ids(void **state)
{
	struct intent *intent = world();
	const struct subnet_object *subnet;

	(void)state;
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/n",
		"{'cidr':'10.0.3.0/24','segment':{'type':'overlay','id':1001}}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/o", "{'cidr':'10.0.4.0/24'}", NULL);
	subnet = (const struct subnet_object *)find(intent, OBJECT_SUBNET, "o");
	assert_int_equal(subnet->segment.id, 4098);
	/* What was given out stays, whatever else is written. */
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/o",
		"{'cidr':'10.0.4.0/24','segment':{'type':'overlay','encapsulation':'geneve'}}",
		NULL);
	subnet = (const struct subnet_object *)find(intent, OBJECT_SUBNET, "o");
	assert_int_equal(subnet->segment.id, 4098);
	request(intent, REQUEST_REMOVE, "vpcs/blue/subnets/o", NULL, NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/subnets/p",
		"{'cidr':'10.0.4.0/24','segment':{'type':'overlay','id':4098}}", NULL);
	intent_free(intent);
}

/* With the first host, everything that named none is on the own one. */
static void test_first_host(void **state)
{
	struct intent *intent = intent_new();

	(void)state;
	intent_set_host(intent, "h1");
	request(intent, REQUEST_APPLY, NULL,
		"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],'subnets':{'web':{'cidr':'10.0.1.0/24'}},"
		"'ports':{'a':{'subnet':'web'},'b':{'subnet':'web','mtu':9000}}}}}",
		NULL);
	assert_string_equal(find_port(intent, "a")->host, "");
	assert_int_equal(intent_port_mtu(intent, find_port(intent, "a")), 1500);
	assert_int_equal(intent_port_mtu(intent, find_port(intent, "b")), 9000);
	refuse(intent, REQUEST_PUT, "hosts/h1", "{'underlay':'192.0.2.1'}", -EINVAL,
	       "vpcs.blue.ports.b.mtu",
	       "port blue/b: mtu 9000 is more than the 1450 that the vpc has");
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/b", "{'mtu':1400}", NULL);
	refuse(intent, REQUEST_PUT, "hosts/h2", "{'underlay':'192.0.2.2'}", -EINVAL, "hosts.h2",
	       "host h2: the ports that are here belong to this host, h1: add that one first");
	request(intent, REQUEST_PUT, "hosts/h1", "{'underlay':'192.0.2.1'}",
		"+ host h1\n~ port blue/a: host none → h1\n~ port blue/b: host none → h1\n");
	assert_string_equal(find_port(intent, "a")->host, "h1");
	assert_int_equal(intent_port_mtu(intent, find_port(intent, "a")), 1450);
	assert_int_equal(intent_port_mtu(intent, find_port(intent, "b")), 1400);
	/* Where tags of the workloads' own pass, one has room in the tunnel. */
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web",
		"{'mode':'l2','vlan_transparent':true}", NULL);
	assert_int_equal(intent_port_mtu(intent, find_port(intent, "a")), 1446);
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web",
		"{'mode':'l3','vlan_transparent':false}", NULL);
	assert_int_equal(intent_port_mtu(intent, find_port(intent, "a")), 1450);
	/* A port that names no host is on the own one, and stays where it is. */
	request(intent, REQUEST_PUT, "hosts/h2", "{'underlay':'192.0.2.2'}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/c", "{'subnet':'web'}", NULL);
	assert_string_equal(find_port(intent, "c")->host, "h1");
	request(intent, REQUEST_PUT, "vpcs/blue/ports/c", "{'subnet':'web','host':'h2'}", NULL);
	request(intent, REQUEST_PUT, "vpcs/blue/ports/c", "{'subnet':'web'}", "");
	intent_free(intent);
}

static void test_busy(void **state)
{
	struct intent *intent = world();

	(void)state;
	refuse(intent, REQUEST_REMOVE, "hosts/h1", NULL, -EBUSY, "hosts.h1",
	       "host h1: host h2 must drop it from its peers first");
	refuse(intent, REQUEST_REMOVE, "hosts/h2", NULL, -EBUSY, "hosts.h2",
	       "host h2: port blue/b is on it and must be moved or removed first");
	refuse(intent, REQUEST_REMOVE, "hosts/h3", NULL, -ENOENT, "hosts.h3",
	       "no host \"h3\" (did you mean \"h1\"?)");
	/* An address that a tunnel begins at cannot go. */
	request(intent, REQUEST_PATCH, "vpcs/blue/tunnels/site", "{'local':'192.0.2.1'}", NULL);
	refuse(intent, REQUEST_PATCH, "hosts/h1", "{'underlay':'192.0.2.11'}", -EINVAL,
	       "vpcs.blue.tunnels.site.local",
	       "tunnel blue/site: 192.0.2.1 is not an address of host h1");
	request(intent, REQUEST_REMOVE, "vpcs/blue/ports/b", NULL, NULL);
	request(intent, REQUEST_REMOVE, "hosts/h2", NULL, "- host h2\n");
	/* A route outlives its tunnel (V24). */
	request(intent, REQUEST_REMOVE, "vpcs/blue/tunnels/site", NULL, "- tunnel blue/site\n");
	intent_free(intent);
}

/* ---- several writers ---- */

/* A store of text, for two intents. */
struct records {
	struct map values, revisions;
	uint64_t revision;
};

static void records_fini(struct records *records)
{
	map_fini(&records->values, free);
	map_fini(&records->revisions, NULL);
}

/* What a transaction does. Return: whether all comparisons held. */
static bool commit(struct records *records, struct intent *intent, struct draft *draft)
{
	size_t count, compared;
	const struct record *list = draft_records(draft, &count);
	const struct comparison *comparisons = draft_comparisons(draft, &compared);

	(void)intent;
	for (size_t i = 0; i < compared; i++)
		if ((uintptr_t)map_get_text(&records->revisions, comparisons[i].key) !=
		    comparisons[i].revision)
			return false;
	records->revision++;
	for (size_t i = 0; i < count; i++) {
		if (list[i].value) {
			free(map_put_text(&records->values, list[i].key, xstrdup(list[i].value)));
			map_put_text(&records->revisions, list[i].key,
				     (void *)(uintptr_t)records->revision);
		} else {
			free(map_remove_text(&records->values, list[i].key));
			map_remove_text(&records->revisions, list[i].key);
		}
	}
	draft_commit(draft, records->revision);
	return true;
}

static bool try_write(struct records *records, struct intent *intent, const char *path,
		      const char *body)
{
	struct draft *draft = draft_new(intent);
	json_t *json = body ? json_of(body) : NULL;
	char *copy = xstrdup(path);
	const char *names[8];
	size_t count = split_path(copy, names);
	struct error error = { 0 };
	int code;
	bool done;

	if (!count)
		code = draft_apply_tree(draft, json, false, &error);
	else
		code = body ? draft_put(draft, names, count, json, false, &error)
			    : draft_remove(draft, names, count, &error);
	if (!code)
		code = draft_check(draft, &error);
	if (code)
		fail_msg("%s: %s", error.path, error.text);
	done = commit(records, intent, draft);
	draft_free(draft);
	json_decref(json);
	free(copy);
	return done;
}

/* Everything of the store enters an intent. Returns how many changes that was. */
static size_t take(const struct records *records, struct intent *intent)
{
	size_t count = map_count(&records->values), i = 0, changes;
	struct record *list = xcalloc(count + 1, sizeof(*list));
	uint64_t *revisions = xcalloc(count + 1, sizeof(*revisions));
	struct error error = { 0 };
	struct draft *taken;

	MAP_FOR_EACH(&records->values, it) {
		list[i].key = xstrdup(it.key);
		list[i].value = it.value;
		revisions[i] = (uintptr_t)map_get_text(&records->revisions, list[i].key);
		i++;
	}
	if (intent_take(intent, list, revisions, count, true, &taken, &error))
		fail_msg("%s", error.text);
	draft_changes(taken, &changes);
	draft_free(taken);
	for (i = 0; i < count; i++)
		free(list[i].key);
	free(revisions);
	free(list);
	return changes;
}

static void assert_same(const struct intent *a, const struct intent *b)
{
	json_t *first = intent_export(a), *second = intent_export(b);

	assert_true(json_equal(first, second));
	assert_int_equal(a->next_id, b->next_id);
	json_decref(first);
	json_decref(second);
}

static void test_two_writers(void **state)
{
	struct records records = { 0 };
	struct intent *one = intent_new(), *two = intent_new();

	(void)state;
	assert_true(try_write(&records, one, "", WORLD));
	assert_true(take(&records, two) > 5);
	assert_same(one, two);
	assert_int_equal(take(&records, two), 0);
	/* Both give out the same id and address: one is first. */
	assert_true(try_write(&records, one, "vpcs/blue/ports/c", "{'subnet':'web','host':'h1'}"));
	assert_false(try_write(&records, two, "vpcs/blue/ports/d", "{'subnet':'web','host':'h2'}"));
	assert_int_equal(take(&records, two), 1);
	assert_true(try_write(&records, two, "vpcs/blue/ports/d", "{'subnet':'web','host':'h2'}"));
	assert_false(ip_address_equal(&find_port(two, "c")->addresses[0],
				      &find_port(two, "d")->addresses[0]));
	assert_int_equal(take(&records, one), 1);
	assert_same(one, two);
	/* A port that was moved meanwhile is not written over. */
	assert_true(try_write(&records, one, "vpcs/blue/ports/c", "{'subnet':'web','host':'h2'}"));
	assert_false(try_write(&records, two, "vpcs/blue/ports/c",
			       "{'subnet':'web','host':'h1','mtu':1400}"));
	assert_int_equal(take(&records, two), 1);
	assert_string_equal(find_port(two, "c")->host, "h2");
	/* What it is judged by is as it was judged: the subnet another one changes. */
	assert_true(try_write(&records, one, "vpcs/blue/subnets/lan",
			      "{'cidr':'10.0.2.0/25','mode':'l2'}"));
	assert_false(try_write(&records, two, "vpcs/blue/ports/e",
			       "{'subnet':'lan','host':'h1','address':'10.0.2.200'}"));
	assert_int_equal(take(&records, two), 1);
	/* Ids of segments. */
	assert_true(try_write(&records, one, "vpcs/blue/subnets/x", "{'cidr':'10.0.20.0/24'}"));
	assert_false(try_write(&records, two, "vpcs/blue/subnets/y", "{'cidr':'10.0.21.0/24'}"));
	take(&records, two);
	assert_true(try_write(&records, two, "vpcs/blue/subnets/y", "{'cidr':'10.0.21.0/24'}"));
	take(&records, one);
	/* What is removed goes everywhere. */
	assert_true(try_write(&records, one, "vpcs/blue/ports/c", NULL));
	assert_int_equal(take(&records, two), 1);
	assert_null(intent_find(two, "blue", OBJECT_PORT, "c"));
	assert_true(try_write(&records, two, "vpcs/blue", NULL));
	take(&records, one);
	assert_same(one, two);
	intent_free(one);
	intent_free(two);
	records_fini(&records);
}

/* News in pieces: old ones change nothing, what cannot be read leaves the rest alone. */
static void test_news(void **state)
{
	struct records records = { 0 };
	struct intent *one = intent_new(), *two = intent_new();
	const struct object *port;
	struct error error = { 0 };
	struct draft *taken;
	size_t count;
	char key[64], bad_key[64], *value;

	(void)state;
	assert_true(try_write(&records, one, "", WORLD));
	take(&records, two);
	port = find(one, OBJECT_PORT, "a");
	snprintf(key, sizeof(key), "/weft/1/vpc/%u/ports/%u", port->vpc_id, port->id);
	snprintf(bad_key, sizeof(bad_key), "/weft/1/vpc/%u/ports/%u", port->vpc_id,
		 find(one, OBJECT_PORT, "b")->id);
	value = xstrdup(map_get_text(&records.values, key));
	{
		struct record news[] = { { key, value },
					 { bad_key, (char *)"{'id':1,'name':'b','new':1}" } };
		const uint64_t old[] = { 1, 0 }, later[] = { 7, 7 };

		find(two, OBJECT_PORT, "a");
		((struct object *)find(two, OBJECT_PORT, "a"))->revision = 5;
		assert_int_equal(intent_take(two, news, old, 1, false, &taken, &error), 0);
		draft_changes(taken, &count);
		assert_int_equal(count, 0);
		draft_free(taken);
		assert_int_equal(find(two, OBJECT_PORT, "a")->revision, 5);
		/* Written again as it was: no change, but the revision is the new one. */
		assert_int_equal(intent_take(two, news, later, 2, false, &taken, &error), -EINVAL);
		draft_changes(taken, &count);
		assert_int_equal(count, 0);
		draft_free(taken);
		assert_int_equal(find(two, OBJECT_PORT, "a")->revision, 7);
		assert_non_null(strstr(error.text, bad_key));
		assert_non_null(intent_find(two, "blue", OBJECT_PORT, "b"));
		news[0].value = NULL;
		assert_int_equal(intent_take(two, news, later, 1, false, &taken, &error), 0);
		assert_int_equal(draft_changes(taken, &count)->action, CHANGE_REMOVE);
		draft_free(taken);
	}
	assert_null(intent_find(two, "blue", OBJECT_PORT, "a"));
	free(value);
	intent_free(one);
	intent_free(two);
	records_fini(&records);
}

/* A commit that was done although the answer was lost: what it gave out comes back as news. */
static void test_lost_answer(void **state)
{
	struct records records = { 0 };
	struct intent *writer = intent_new(), *same = intent_new();

	(void)state;
	assert_true(try_write(&records, writer, "", WORLD));
	take(&records, same);
	intent_give_ids(writer, 1000, 1004);
	intent_give_ids(same, 1000, 1004);
	assert_true(
		try_write(&records, writer, "vpcs/blue/ports/c", "{'subnet':'web','host':'h1'}"));
	assert_int_equal(find_port(writer, "c")->object.id, 1000);
	/* @same is the writer as it is then: it does not know that it has given out 1000. */
	assert_int_equal(take(&records, same), 1);
	assert_true(try_write(&records, same, "vpcs/blue/ports/d", "{'subnet':'web','host':'h1'}"));
	assert_int_equal(find_port(same, "c")->object.id, 1000);
	assert_int_equal(find_port(same, "d")->object.id, 1001);
	/* Ids of others' blocks say nothing. */
	intent_give_ids(writer, 2000, 2004);
	take(&records, writer);
	intent_give_ids(same, 500, 504);
	take(&records, same);
	assert_int_equal(same->next_id, 500);
	assert_int_equal(writer->next_id, 2000);
	intent_free(writer);
	intent_free(same);
	records_fini(&records);
}

/* The keys that two hosts must not have both. */
static void test_keys(void **state)
{
	struct records records = { 0 };
	struct intent *one = intent_new();

	(void)state;
	assert_true(try_write(&records, one, "", WORLD));
	assert_non_null(map_get_text(&records.values, "/weft/1/names/vpc/blue"));
	assert_non_null(map_get_text(&records.values, "/weft/1/ids/vni/4096"));
	assert_non_null(map_get_text(&records.values, "/weft/1/ids/vni/4097"));
	assert_true(try_write(&records, one, "vpcs/blue/subnets/lan", NULL));
	assert_null(map_get_text(&records.values, "/weft/1/ids/vni/4097"));
	assert_true(try_write(&records, one, "vpcs/blue", NULL));
	assert_null(map_get_text(&records.values, "/weft/1/names/vpc/blue"));
	/* The hosts and the counter are all that is left. */
	assert_int_equal(map_count(&records.values), 3);
	intent_free(one);
	records_fini(&records);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),
		cmocka_unit_test(test_put_back),
		cmocka_unit_test(test_apply_leaves_hosts),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_without_id),
		cmocka_unit_test(test_ids),
		cmocka_unit_test(test_reach),
		cmocka_unit_test(test_first_host),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_two_writers),
		cmocka_unit_test(test_news),
		cmocka_unit_test(test_lost_answer),
		cmocka_unit_test(test_keys),
	};

	return cmocka_run_group_tests_name("model_hosts", tests, NULL, NULL);
}
