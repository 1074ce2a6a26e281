/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model/text: the form of GET with all defaults, which can be put back and changes nothing; paths of GET;
 * words for rules. Canonical forms are in the golden files, refusals in test_model_check.
 */
#include "model/intent_private.h"
#include "tests/unit/model_cases.h"

static const char *const tree =
	"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16','fd00:b::/48'],"
	"'subnets':{'web':{'cidr':'10.0.1.0/24'},'six':{'cidr':['10.0.2.0/24','fd00:b:0:2::/64'],"
	"'mode':'l2'},'own':{'cidr':'10.0.3.0/24','route_table':'main','acl':'edge'}},"
	"'acls':{'edge':{'ingress':[{'number':5,'action':'deny','protocol':'udp','ports':'1-9',"
	"'from':'10.0.0.0/8'}]}},"
	"'security_groups':{'web':{'ingress':[{'protocol':'icmp','type':8,'code':0,"
	"'from':'group:default'},{'protocol':50,'from':'::/0'}]}},"
	"'route_tables':{'other':{'routes':[{'to':'0.0.0.0/0','via':['port:a','port:b']}]}},"
	"'ports':{'a':{'subnet':'web'},'b':{'subnet':'six','attach':{'netns':'b'},"
	"'addresses':['10.0.2.9','fd00:b:0:2::9','10.0.2.10']},"
	"'metal':{'subnet':'six','attach':{'host':true}}}}}}";

static void assert_json(const struct intent *intent, const char *path, const char *expected)
{
	char *copy = xstrdup(path);
	const char *names[8];
	size_t count = split_path(copy, names);
	struct error error = { 0 };
	json_t *json = intent_get(intent, names, count, &error), *wanted = json_of(expected);

	assert_non_null(json);
	if (!json_equal(json, wanted)) {
		char *text = json_dumps(json, JSON_COMPACT);

		fail_msg("%s is %s", path, text);
	}
	json_decref(json);
	json_decref(wanted);
	free(copy);
}

static struct intent *intent_with_tree(void)
{
	struct intent *intent = intent_new();

	request(intent, REQUEST_APPLY, NULL, tree, NULL);
	return intent;
}

static void test_defaults(void **state)
{
	struct intent *intent = intent_with_tree();
	char expected[500];

	(void)state;
	assert_json(
		intent, "vpcs/blue",
		"{'cidrs':['10.0.0.0/16','fd00:b::/48'],'mtu':'auto','effective_mtu':1500,"
		"'established':'keep',"
		"'flow_limit':262144,'timeouts':{'tcp_opening':30,'tcp_established':432000,"
		"'tcp_closing':120,'tcp_closed':3,'udp_unreplied':30,'udp_replied':180,'icmp':30,"
		"'other':600},'dns':{'serve':true,'domain':'blue.internal','forward':'off',"
		"'records':{}},'metadata':true,'flow_log':null,'route_multicast':false,"
		"'routing':'distributed',"
		"'main_route_table':'main'}");
	assert_json(
		intent, "vpcs/blue/subnets/web",
		"{'cidr':'10.0.1.0/24','gateway':'10.0.1.1','mode':'l3',"
		"'segment':{'type':'overlay','encapsulation':'vxlan','id':null,"
		"'effective_id':4096,'port':null,'dscp':0,'ttl':64,'udp_checksum':null,"
		"'underlay':null,'flooding':'head-end'},'route_table':null,'acl':null,'dhcp':false,'ra':'off',"
		"'flood_rate':1000,'station_limit':256,'station_ageing':300,"
		"'segment_flood_rate':0,'multicast':'flood','query_interval':125,'mirror':null,'flow_log':null,"
		"'route_multicast':true,'vlan_transparent':false}");
	assert_json(
		intent, "vpcs/blue/subnets/six",
		"{'cidr':['10.0.2.0/24','fd00:b:0:2::/64'],'gateway':null,'mode':'l2',"
		"'segment':{'type':'overlay','encapsulation':'vxlan','id':null,"
		"'effective_id':4097,'port':null,'dscp':0,'ttl':64,'udp_checksum':null,"
		"'underlay':null,'flooding':'head-end'},'route_table':null,'acl':null,'dhcp':false,'ra':'off',"
		"'flood_rate':1000,'station_limit':256,'station_ageing':300,"
		"'segment_flood_rate':0,'multicast':'flood','query_interval':125,'mirror':null,'flow_log':null,"
		"'route_multicast':true,'vlan_transparent':false}");
	snprintf(expected, sizeof(expected),
		 "{'subnet':'web','addresses':['10.0.1.4'],'mac':'02:57:00:00:00:%02x',"
		 "'security_groups':['default'],'allowed_addresses':[],"
		 "'source_destination_check':true,'mtu':null,'flow_limit':65536,"
		 "'send_rate':'0','receive_rate':'0','rate_burst':'0','send_burst':'0',"
		 "'receive_burst':'0','share':1,'mirror':null,"
		 "'flow_log':null,'dscp':'off',"
		 "'user_data':null,'attach':null,"
		 "'host':null,'moving_to':null,'activation':'first-frame'}",
		 find(intent, OBJECT_PORT, "a")->id);
	assert_json(intent, "vpcs/blue/ports/a", expected);
	assert_member(intent, "vpcs/blue/ports/b", "attach",
		      "{'netns':'b','ifname':'eth0','configure':true}");
	/* With the host's own stack it has nothing of the VPC's. */
	assert_member(intent, "vpcs/blue/ports/metal", "attach", "{'host':true}");
	assert_member(intent, "vpcs/blue/ports/metal", "addresses", "[]");
	assert_member(intent, "vpcs/blue/ports/metal", "mac", "null");
	assert_member(intent, "vpcs/blue/ports/metal", "security_groups", "[]");
	assert_json(intent, "vpcs/blue/route_tables",
		    "{'main':{'routes':[{'to':'10.0.0.0/16','via':'local','status':'active'},"
		    "{'to':'fd00:b::/48','via':'local','status':'active'}]},"
		    "'other':{'routes':[{'to':'10.0.0.0/16','via':'local','status':'active'},"
		    "{'to':'fd00:b::/48','via':'local','status':'active'},"
		    "{'to':'0.0.0.0/0','via':['port:a','port:b'],'status':'active'}]}}");
	intent_free(intent);
}

/* GET then PUT of every object is no change. */
static void test_put_back(void **state)
{
	struct intent *intent = intent_with_tree();

	(void)state;
	for (enum object_kind kind = OBJECT_VPC; kind < OBJECT_KINDS; kind++) {
		uint32_t vpc_id = find(intent, OBJECT_VPC, "blue")->id;
		const struct object **list;
		size_t count = intent_list(intent, vpc_id, kind, &list);

		assert_true(count > 0 || kind >= OBJECT_TUNNEL);
		for (size_t i = 0; i < count; i++) {
			json_t *json = object_to_json(intent, list[i]);
			char *text = json_dumps(json, 0), path[256] = "vpcs/blue";

			if (kind != OBJECT_VPC)
				snprintf(path, sizeof(path), "vpcs/blue/%s/%s",
					 object_kind_plural(kind), list[i]->name);
			request(intent, REQUEST_PUT, path, text, "");
			request(intent, REQUEST_PATCH, path, text, "");
			request(intent, REQUEST_PATCH, path, "{}", "");
			free(text);
			json_decref(json);
		}
		free(list);
	}
	intent_free(intent);
}

static void test_paths(void **state)
{
	struct intent *intent = intent_with_tree();
	static const struct {
		const char *path, *sentence;
	} cases[] = {
		{ "vpc", "a path of intent begins with \"vpcs\" or \"hosts\"" },
		{ "vpcs/blu", "no vpc \"blu\" (did you mean \"blue\"?)" },
		{ "vpcs/blue/port", "a vpc has no collection \"port\"" },
		{ "vpcs/blue/ports/c", "no port \"c\" in vpc blue" },
		{ "vpcs/blue/subnets/wbe",
		  "no subnet \"wbe\" in vpc blue (did you mean \"web\"?)" },
		{ "vpcs/blue/ports/a/x", "a path of intent begins with \"vpcs\" or \"hosts\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char *copy = xstrdup(cases[i].path);
		struct error error = { 0 };
		const char *names[8];

		assert_null(intent_get(intent, names, split_path(copy, names), &error));
		assert_string_equal(error.text, cases[i].sentence);
		assert_int_equal(error.code, -ENOENT);
		free(copy);
	}
	assert_json(
		intent, "vpcs/blue/acls",
		"{'edge':{'ingress':[{'number':5,'action':'deny','protocol':'udp','ports':'1-9',"
		"'from':'10.0.0.0/8'}],'egress':[]}}");
	intent_free(intent);
}

/* What people call the thing with an id. */
static void test_describe(void **state)
{
	struct intent *intent = intent_with_tree();
	const struct security_group_object *group =
		(const struct security_group_object *)find(intent, OBJECT_SECURITY_GROUP, "web");
	const struct acl_object *acl = (const struct acl_object *)find(intent, OBJECT_ACL, "edge");
	const struct route_table_object *table =
		(const struct route_table_object *)find(intent, OBJECT_ROUTE_TABLE, "other");
	const struct {
		uint32_t id;
		const char *text;
	} cases[] = {
		{ group->object.vpc_id, "vpc blue" },
		{ group->object.id, "security group blue/web" },
		{ table->object.id, "route table blue/other" },
		{ find(intent, OBJECT_PORT, "a")->id, "port blue/a" },
		{ group->ingress.rules[0].id,
		  "rule 1 of security group blue/web ingress (icmp type 8 code 0 from group:default)" },
		{ group->ingress.rules[1].id,
		  "rule 2 of security group blue/web ingress (protocol 50 from ::/0)" },
		{ group->egress.rules[1].id,
		  "rule 2 of security group blue/web egress (all to ::/0)" },
		{ acl->ingress.rules[0].id,
		  "rule 5 of acl blue/edge ingress (deny udp 1-9 from 10.0.0.0/8)" },
		{ table->routes[0].id, "route 0.0.0.0/0 of route table blue/other" },
	};
	char text[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_true(intent_describe(intent, cases[i].id, text, sizeof(text)));
		assert_string_equal(text, cases[i].text);
	}
	assert_true(intent_describe(intent, acl->ingress.rules[0].id, text, 10));
	assert_string_equal(text, "rule 5 of");
	assert_false(intent_describe(intent, 0, text, sizeof(text)));
	assert_false(intent_describe(intent, intent->next_id, text, sizeof(text)));
	intent_free(intent);
}

/* Every single thing that can be said makes a difference, once. */
static void test_each_key(void **state)
{
	struct intent *intent = intent_with_tree();
	static const struct {
		const char *path, *patch;
	} cases[] = {
		{ "vpcs/blue", "{'cidrs':['10.0.0.0/16','fd00:b::/48','11.0.0.0/16']}" },
		{ "vpcs/blue", "{'mtu':1400}" },
		{ "vpcs/blue", "{'established':'cut'}" },
		{ "vpcs/blue", "{'flow_limit':5}" },
		{ "vpcs/blue", "{'timeouts':{'other':5}}" },
		{ "vpcs/blue/subnets/web", "{'cidr':'10.0.1.0/25'}" },
		{ "vpcs/blue/subnets/web", "{'gateway':'10.0.1.126'}" },
		{ "vpcs/blue/subnets/web", "{'mode':'l2'}" },
		{ "vpcs/blue/subnets/web", "{'segment':{'type':'local'}}" },
		{ "vpcs/blue/subnets/web", "{'route_table':'main'}" },
		{ "vpcs/blue/subnets/web", "{'route_table':'other'}" },
		{ "vpcs/blue/subnets/web", "{'acl':'edge'}" },
		{ "vpcs/blue/subnets/web", "{'flood_rate':0}" },
		{ "vpcs/blue/subnets/web", "{'station_limit':1}" },
		{ "vpcs/blue/subnets/web", "{'station_ageing':1}" },
		{ "vpcs/blue/subnets/web", "{'segment_flood_rate':5}" },
		{ "vpcs/blue/subnets/web", "{'multicast':'snoop'}" },
		{ "vpcs/blue/subnets/web", "{'query_interval':5}" },
		{ "vpcs/blue/subnets/web", "{'route_multicast':false}" },
		{ "vpcs/blue/subnets/six", "{'vlan_transparent':true}" },
		{ "vpcs/blue", "{'route_multicast':true}" },
		{ "vpcs/blue/ports/a", "{'subnet':'six'}" },
		{ "vpcs/blue/ports/a", "{'address':'10.0.2.77'}" },
		{ "vpcs/blue/ports/a", "{'mac':'02:00:00:00:00:01'}" },
		{ "vpcs/blue/ports/a", "{'security_groups':['web']}" },
		{ "vpcs/blue/ports/a", "{'allowed_addresses':['192.0.2.1']}" },
		{ "vpcs/blue/ports/a", "{'allowed_addresses':['192.0.2.2']}" },
		{ "vpcs/blue/ports/a", "{'source_destination_check':false}" },
		{ "vpcs/blue/ports/a", "{'mtu':1300}" },
		{ "vpcs/blue/ports/a", "{'flow_limit':7}" },
		{ "vpcs/blue/ports/a", "{'send_rate':'2.5G'}" },
		{ "vpcs/blue/ports/a", "{'receive_rate':'10M'}" },
		{ "vpcs/blue/ports/a", "{'rate_burst':'64k'}" },
		{ "vpcs/blue/ports/a", "{'send_burst':'128k'}" },
		{ "vpcs/blue/ports/a", "{'receive_burst':'256k'}" },
		{ "vpcs/blue/ports/a", "{'share':3}" },
		{ "vpcs/blue/ports/a", "{'dscp':46}" },
		{ "vpcs/blue/ports/a", "{'attach':{'netns':'x'}}" },
		{ "vpcs/blue/ports/a", "{'attach':{'ifname':'x'}}" },
		{ "vpcs/blue/ports/a", "{'attach':{'configure':false}}" },
		{ "vpcs/blue/ports/a", "{'attach':{'netns':'/x'}}" },
		{ "vpcs/blue/ports/a", "{'attach':{'pid':7}}" },
		{ "vpcs/blue/ports/a", "{'attach':{'pid':8}}" },
		{ "vpcs/blue/ports/a", "{'attach':{'tap':'x'}}" },
		{ "vpcs/blue/ports/a", "{'attach':{'queues':2}}" },
		{ "vpcs/blue/ports/a", "{'attach':{'tun':'x'}}" },
		{ "vpcs/blue/ports/a", "{'host':'h1'}" },
		{ "vpcs/blue/acls/edge", "{'ingress':[{'number':6,'action':'deny','protocol':'udp',"
					 "'ports':'1-9','from':'10.0.0.0/8'}]}" },
		{ "vpcs/blue/acls/edge",
		  "{'ingress':[{'number':6,'action':'allow','protocol':'udp',"
		  "'ports':'1-9','from':'10.0.0.0/8'}]}" },
		{ "vpcs/blue/acls/edge",
		  "{'ingress':[{'number':6,'action':'allow','protocol':'tcp',"
		  "'ports':'1-9','from':'10.0.0.0/8'}]}" },
		{ "vpcs/blue/acls/edge",
		  "{'ingress':[{'number':6,'action':'allow','protocol':'tcp',"
		  "'ports':'1-8','from':'10.0.0.0/8'}]}" },
		{ "vpcs/blue/acls/edge",
		  "{'ingress':[{'number':6,'action':'allow','protocol':'tcp',"
		  "'ports':'1-8','from':'10.0.0.0/9'}]}" },
		{ "vpcs/blue/security_groups/web", "{'ingress':[{'protocol':1,'from':'::/0'}]}" },
		{ "vpcs/blue/security_groups/web",
		  "{'ingress':[{'protocol':'icmp','from':'::/0'}]}" },
		{ "vpcs/blue/security_groups/web",
		  "{'ingress':[{'protocol':'icmp','from':'group:web'}]}" },
		{ "vpcs/blue/security_groups/web",
		  "{'ingress':[{'protocol':'icmp','from':'group:default'}]}" },
		{ "vpcs/blue/security_groups/web", "{'egress':[]}" },
		{ "vpcs/blue/route_tables/main", "{'routes':[{'to':'::/0','via':'blackhole'}]}" },
		{ "vpcs/blue/route_tables/main", "{'routes':[{'to':'::/1','via':'blackhole'}]}" },
		{ "vpcs/blue/route_tables/main", "{'routes':[{'to':'::/1','via':'port:a'}]}" },
		{ "vpcs/blue/route_tables/main", "{'routes':[{'to':'::/1','via':'port:b'}]}" },
		{ "vpcs/blue/route_tables/main",
		  "{'routes':[{'to':'::/1','via':['port:b','port:a']}]}" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct error error = { 0 };
		char *text;

		if (try_request(intent, REQUEST_PATCH, cases[i].path, cases[i].patch, true, &text,
				&error))
			fail_msg("%s: %s", cases[i].patch, error.text);
		if (text[0] != '~' || strchr(text, '\n') != text + strlen(text) - 1)
			fail_msg("%s changes \"%s\"", cases[i].patch, text);
		free(text);
		request(intent, REQUEST_PATCH, cases[i].path, cases[i].patch, "");
	}
	intent_free(intent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults), cmocka_unit_test(test_put_back),
		cmocka_unit_test(test_paths),    cmocka_unit_test(test_describe),
		cmocka_unit_test(test_each_key),
	};

	return cmocka_run_group_tests_name("model_text", tests, NULL, NULL);
}
