/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What a lab file asks for: hosts, nodes and namespaces, and what the daemon is given.
 *
 * Pure planning; making labs needs privileges and is tested in tests/net.
 */
#include "tests/unit/unit.h"

#include "base/alloc.h"
#include "cli/lab.h"

static json_t *plan(const char *yaml, struct yaml_document *document, struct error *error)
{
	json_t *registry = NULL;
	size_t line;

	if (yaml_load(yaml, strlen(yaml), document, &line, error) < 0)
		fail_msg("line %zu: %s", line, error->text);
	if (lab_plan(document, "/tmp/my-lab.v2.yaml", &registry, error) < 0)
		assert_null(registry);
	return registry;
}

static const char *text_at(const json_t *value, const char *path)
{
	char *copy = xstrdup(path), *rest = copy, *step;

	/* Steps are divided by blanks: names of nodes hold slashes, names of files dots. */
	while ((step = strsep(&rest, " ")))
		value = json_object_get(value, step);
	free(copy);
	return json_string_value(value);
}

static void test_plan(void **state)
{
	static const char yaml[] = "vpcs:\n"
				   "  blue:\n"
				   "    cidrs: [10.0.0.0/16]\n"
				   "    ports:\n"
				   "      web1: {subnet: web}\n"
				   "      fw1: {subnet: web, attach: {netns: fw, ifname: eth1}}\n"
				   "      fw2: {subnet: db, attach: {netns: fw, ifname: eth2}}\n"
				   "      vm1: {subnet: web, attach: {tap: tap0}}\n"
				   "      own: {subnet: web, attach: {netns: /proc/1/ns/net}}\n"
				   "      dhcp: {subnet: web, attach: {configure: false}}\n"
				   "  blue-web1:\n"
				   "    ports: {x: {}, y: 7}\n"
				   "  blue-web:\n"
				   "    ports: {1-x: {}}\n";
	struct yaml_document document;
	struct error error = { 0 };
	const json_t *vpcs;
	json_t *registry = plan(yaml, &document, &error);

	(void)state;
	assert_non_null(registry);
	assert_string_equal(text_at(registry, "name"), "my-lab");
	assert_string_equal(text_at(registry, "state"), "starting");
	assert_string_equal(text_at(registry, "hosts h1 namespace"), "weft-my-lab-h1");
	assert_string_equal(text_at(registry, "hosts h1 instance"), "lab-my-lab-h1");
	assert_string_equal(text_at(registry, "nodes blue/web1 namespace"), "my-lab-blue-web1");
	assert_string_equal(text_at(registry, "nodes blue/web1 host"), "h1");
	assert_string_equal(text_at(registry, "nodes blue/fw1 namespace"), "my-lab-fw");
	assert_string_equal(text_at(registry, "nodes blue/fw2 namespace"), "my-lab-fw");
	assert_null(text_at(registry, "nodes blue/vm1 namespace"));
	assert_null(text_at(registry, "nodes blue/own namespace"));
	assert_string_equal(text_at(registry, "nodes blue/dhcp namespace"), "my-lab-blue-dhcp");
	/* Two nodes whose names would be written alike. */
	assert_string_equal(text_at(registry, "nodes blue-web1/x namespace"), "my-lab-blue-web1-x");
	assert_string_equal(text_at(registry, "nodes blue-web/1-x namespace"),
			    "my-lab-blue-web-1-x");
	vpcs = json_object_get(document.tree, "vpcs");
	assert_string_equal(text_at(vpcs, "blue ports web1 attach netns"), "my-lab-blue-web1");
	assert_string_equal(text_at(vpcs, "blue ports fw2 attach netns"), "my-lab-fw");
	assert_string_equal(text_at(vpcs, "blue ports fw2 attach ifname"), "eth2");
	assert_string_equal(text_at(vpcs, "blue ports vm1 attach tap"), "tap0");
	assert_null(text_at(vpcs, "blue ports vm1 attach netns"));
	json_decref(registry);
	yaml_unload(&document);
}

static void test_collision(void **state)
{
	static const char yaml[] = "lab: {name: l}\n"
				   "vpcs: {a: {ports: {b-c: {}}}, a-b: {ports: {c: {}}}}\n";
	struct yaml_document document;
	struct error error = { 0 };
	json_t *registry = plan(yaml, &document, &error);

	(void)state;
	assert_string_equal(text_at(registry, "nodes a/b-c namespace"), "l-a-b-c");
	assert_string_equal(text_at(registry, "nodes a-b/c namespace"), "l-a-b-c-2");
	json_decref(registry);
	yaml_unload(&document);
}

static void test_hosts(void **state)
{
	static const char yaml[] = "lab: {name: shop, nodes: {}}\n"
				   "hosts: {west: {underlay: 192.0.2.1/24}}\n"
				   "vpcs: {blue: {ports: {web1: {host: west}}}}\n";
	struct yaml_document document;
	struct error error = { 0 };
	json_t *registry = plan(yaml, &document, &error);

	(void)state;
	assert_string_equal(text_at(registry, "name"), "shop");
	assert_string_equal(text_at(registry, "hosts west namespace"), "weft-shop-west");
	assert_string_equal(text_at(registry, "nodes blue/web1 host"), "west");
	assert_null(json_object_get(document.tree, "lab"));
	assert_null(json_object_get(document.tree, "hosts"));
	json_decref(registry);
	yaml_unload(&document);
}

/* Two networks with a router: where each host is follows from the router's addresses. */
static void test_underlay(void **state)
{
	static const char yaml[] =
		"lab:\n"
		"  name: wide\n"
		"  store: {members: 3}\n"
		"  underlay:\n"
		"    networks: {left: {}, right: {mtu: 9000}}\n"
		"    routers: {r1: {left: 192.0.2.254/24, right: [198.51.100.254/24]}}\n"
		"  nodes: {other: {network: left, address: 192.0.2.9/24}}\n"
		"hosts:\n"
		"  h1: {underlay: 192.0.2.1/24}\n"
		"  h2: {underlay: [198.51.100.1/24, '2001:db8::1/64'], mtu: 9000}\n"
		"  h3: {underlay: 203.0.113.1/24, network: left}\n"
		"vpcs: {blue: {ports: {a: {host: h1}, b: {host: h2}}}}\n";
	struct yaml_document document;
	struct error error = { 0 };
	json_t *registry = plan(yaml, &document, &error), *host;

	(void)state;
	assert_string_equal(text_at(registry, "hosts h1 network"), "left");
	assert_string_equal(text_at(registry, "hosts h2 network"), "right");
	assert_string_equal(text_at(registry, "hosts h3 network"), "left");
	assert_string_equal(text_at(registry, "nodes blue/b host"), "h2");
	assert_string_equal(text_at(registry, "machines underlay namespace"), "weft-wide-underlay");
	assert_string_equal(text_at(registry, "machines r1 namespace"), "weft-wide-r1");
	assert_string_equal(text_at(registry, "machines other namespace"), "weft-wide-other");
	assert_string_equal(text_at(registry, "machines other network"), "left");
	assert_string_equal(text_at(registry, "stores store1 address"), "100.64.0.1");
	assert_string_equal(text_at(registry, "stores store3 address"), "100.64.0.3");
	/* The daemons learn of the hosts; what is the lab's own is taken out. */
	host = json_object_get(json_object_get(document.tree, "hosts"), "h3");
	assert_string_equal(text_at(host, "underlay"), "203.0.113.1/24");
	assert_null(json_object_get(host, "network"));
	json_decref(registry);
	yaml_unload(&document);
}

static void test_refusals(void **state)
{
	static const struct {
		const char *yaml, *path, *sentence;
		size_t line;
	} cases[] = {
		{ "[]", "", "must be a map", 0 },
		{ "lab: 7", "lab", "must be a map", 1 },
		{ "vpcs: {}\nlab: {name: 7}", "lab.name", "must be a text", 2 },
		{ "lab: {name: Shop}", "lab.name", "\"Shop\" is not a name", 1 },
		{ "lab: {name: a/b}", "lab.name", "is not a name", 1 },
		{ "lab: {name: -x}", "lab.name", "is not a name", 1 },
		{ "lab: {name: a23456789012345678901234567890123}", "lab.name", "up to 32", 1 },
		{ "lab:\n  nam: x", "lab.nam", "(did you mean \"name\"?)", 2 },
		{ "lab:\n  nodes: {p: {}}", "lab.nodes.p", "there is no network", 2 },
		{ "lab:\n  nodes: {p: {network: underlay}}", "lab.nodes.p", "needs an address", 2 },
		{ "lab:\n  nodes: {p: {network: underlay, vlan: 4095}}", "lab.nodes.p",
		  "vlan must be a number from 1 to 4094", 2 },
		{ "lab:\n  nodes: {p: {network: underlay, gateway: x}}", "lab.nodes.p",
		  "gateway must be an address", 2 },
		{ "lab:\n  tags: {b/p: {7: 10.0.0.1/24}}", "lab.tags.b/p", "no port of this name",
		  2 },
		{ "lab:\n  tags: {b/p: {4095: 10.0.0.1/24}}\nvpcs: {b: {ports: {p: {}}}}",
		  "lab.tags.b/p", "\"4095\" is no tag", 2 },
		{ "lab:\n  tags: {b/p: {7: x}}\nvpcs: {b: {ports: {p: {}}}}", "lab.tags.b/p",
		  "\"x\" is not an address", 2 },
		{ "lab: {networks: {control: {}}}", "lab.networks",
		  "the name of a network of the underlay", 1 },
		{ "lab: {networks: {p: {}}}\nhosts: {h1: {uplinks: {q: eth1}}}", "hosts.h1.uplinks",
		  "no network \"q\" under lab.networks", 2 },
		{ "hosts: []", "hosts", "must be a map", 1 },
		{ "hosts: {a: {}, b: {}}", "hosts.a.underlay", "says where each is", 1 },
		{ "hosts: {a: {underlay: 192.0.2.1}, b: {}}", "hosts.a.underlay",
		  "\"192.0.2.1\" is not an address with the length", 1 },
		{ "hosts: {a: {underlay: []}, b: {}}", "hosts.a.underlay", "needs an address", 1 },
		{ "hosts: {underlay: {}, b: {}}", "hosts", "is the name of a router", 1 },
		{ "lab: {underlay: 7}", "lab.underlay", "must be a map", 1 },
		{ "lab: {underlay: {net: {}}}", "lab.underlay", "unknown key \"net\"", 1 },
		{ "lab: {underlay: {networks: {a: {mtu: 7}}}}", "lab.underlay.networks.a",
		  "576 to 65535", 1 },
		{ "lab: {underlay: {networks: {a: {}, b: {}}, routers: {r: {c: 1.2.3.4/8}}}}",
		  "lab.underlay.routers.r", "no network \"c\"", 1 },
		{ "lab: {underlay: {networks: {a: {}, b: {}}}}\n"
		  "hosts: {h1: {underlay: 192.0.2.1/24}, h2: {underlay: 192.0.2.2/24}}",
		  "hosts.h1.underlay", "say network: NAME", 2 },
		{ "lab: {store: {members: 2}}\n"
		  "hosts: {h1: {underlay: 192.0.2.1/24}, h2: {underlay: 192.0.2.2/24}}",
		  "lab.store.members", "1, 3 or 5", 1 },
		{ "hosts: {h1: {underlay: 192.0.2.1/24}, h2: {underlay: 192.0.2.2/24}}\n"
		  "vpcs: {b: {ports: {p: {}}}}",
		  "vpcs.b.ports.p.host", "says which it is on", 2 },
		{ "hosts: {A: {}}", "hosts", "is not a name for a host", 1 },
		{ "vpcs:\n  b:\n    ports:\n      p: {host: h2}", "vpcs.b.ports.p.host",
		  "no host \"h2\"", 4 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct yaml_document document;
		struct error error = { 0 };

		if (plan(cases[i].yaml, &document, &error))
			fail_msg("%s was accepted", cases[i].yaml);
		if (strcmp(error.path, cases[i].path) || !strstr(error.text, cases[i].sentence))
			fail_msg("%s\nrefused: %s: %s", cases[i].yaml, error.path, error.text);
		assert_int_equal(yaml_line(&document, error.path), cases[i].line);
		yaml_unload(&document);
	}
}

static void expect_attach(const char *port, const char *expected)
{
	json_t *registry = json_loads("{\"name\":\"shop\",\"nodes\":{\"b/p\":{\"namespace\":"
				      "\"shop-b-p\"},\"b/q\":{\"namespace\":\"shop-fw\"},"
				      "\"b/t\":{\"namespace\":null}}}",
				      0, NULL);
	char *text = xasprintf("{\"vpcs\":{\"b\":{\"ports\":%s}}}", port), *got;
	json_t *tree = json_loads(text, 0, NULL);

	assert_non_null(tree);
	lab_attach(tree, registry);
	got = json_dumps(json_object_get(json_object_get(json_object_get(tree, "vpcs"), "b"),
					 "ports"),
			 JSON_COMPACT);
	assert_string_equal(got, expected);
	free(got);
	free(text);
	json_decref(tree);
	json_decref(registry);
}

/* The file of a lab applied again, and what the lab exports: both end in the lab's names. */
static void test_attach(void **state)
{
	(void)state;
	expect_attach("{\"p\":{}}", "{\"p\":{\"attach\":{\"netns\":\"shop-b-p\"}}}");
	expect_attach("{\"p\":{\"attach\":{\"configure\":false}}}",
		      "{\"p\":{\"attach\":{\"configure\":false,\"netns\":\"shop-b-p\"}}}");
	expect_attach("{\"q\":{\"attach\":{\"netns\":\"fw\"}}}",
		      "{\"q\":{\"attach\":{\"netns\":\"shop-fw\"}}}");
	expect_attach("{\"q\":{\"attach\":{\"netns\":\"shop-fw\"}}}",
		      "{\"q\":{\"attach\":{\"netns\":\"shop-fw\"}}}");
	expect_attach("{\"p\":{\"attach\":{\"netns\":\"mine\"}}}",
		      "{\"p\":{\"attach\":{\"netns\":\"mine\"}}}");
	expect_attach("{\"p\":{\"attach\":{\"tap\":\"t\"}}}",
		      "{\"p\":{\"attach\":{\"tap\":\"t\"}}}");
	expect_attach("{\"t\":{},\"new\":{},\"odd\":7}", "{\"t\":{},\"new\":{},\"odd\":7}");
}

static void test_names(void **state)
{
	static const char *const bad[] = {
		"", "..", "a/b", "../x", "Shop", "-x", "a23456789012345678901234567890123"
	};
	char *path;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct error error = { 0 };
		struct lab lab;

		assert_int_equal(lab_open(&lab, bad[i], false, &error), -EINVAL);
		assert_int_equal(lab_create(&lab, bad[i], &error), -EINVAL);
	}
	path = lab_path("shop", "h1", "weftd.sock");
	assert_string_equal(path, "/run/weft/lab/shop/h1/weftd.sock");
	free(path);
	path = lab_socket("no-such-lab/west");
	assert_string_equal(path, "/run/weft/lab/no-such-lab/west/weftd.sock");
	free(path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plan),     cmocka_unit_test(test_collision),
		cmocka_unit_test(test_hosts),    cmocka_unit_test(test_underlay),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_attach),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests_name("lab", tests, NULL, NULL);
}
