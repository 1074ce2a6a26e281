/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft.yaml: what is read, what is refused on which line, and what is written.
 */
#include "tests/unit/unit.h"

#include "base/alloc.h"
#include "client/yaml.h"

static json_t *load(const char *text, struct yaml_document *document)
{
	struct error error = { 0 };
	size_t line;

	if (yaml_load(text, strlen(text), document, &line, &error) < 0)
		fail_msg("line %zu: %s", line, error.text);
	return document->tree;
}

static void expect_json(const char *yaml, const char *json)
{
	json_t *expected = json_loads(json, JSON_DECODE_ANY, NULL);
	struct yaml_document document;
	char *got;

	assert_non_null(expected);
	load(yaml, &document);
	if (!json_equal(document.tree, expected)) {
		got = json_dumps(document.tree, JSON_ENCODE_ANY);
		fail_msg("%s\nbecame %s\nnot    %s", yaml, got, json);
	}
	json_decref(expected);
	yaml_unload(&document);
}

static void expect_refusal(const char *yaml, size_t expected_line, const char *sentence)
{
	struct yaml_document document;
	struct error error = { 0 };
	size_t line;

	assert_int_not_equal(yaml_load(yaml, strlen(yaml), &document, &line, &error), 0);
	if (line != expected_line || !strstr(error.text, sentence))
		fail_msg("%s\nrefused on line %zu: %s\nnot on line %zu: %s", yaml, line, error.text,
			 expected_line, sentence);
	assert_null(document.tree);
}

static void test_scalars(void **state)
{
	(void)state;
	expect_json("a: text\nb: 'quoted'\nc: \"7\"\nd: 7", "{\"a\":\"text\",\"b\":\"quoted\","
							    "\"c\":\"7\",\"d\":7}");
	expect_json("[true, True, FALSE, yes, no, on, off]",
		    "[true, true, false, \"yes\", \"no\", \"on\", \"off\"]");
	expect_json("[~, null, Null, NULL, nulL, '']", "[null, null, null, null, \"nulL\", \"\"]");
	expect_json("a:", "{\"a\": null}");
	expect_json("[0, -1, +12, 0x1f, 0o17, 017, 9223372036854775807]",
		    "[0, -1, 12, 31, 15, 17, 9223372036854775807]");
	expect_json("[1.5, .5, 1., 1e3, -2.5E-1]", "[1.5, 0.5, 1.0, 1000.0, -0.25]");
	expect_json("[10.0.0.0/16, 10.0.1.11, 'fd00::/8', fd00:b::1, 02:00:00:00:00:01, 1-2, "
		    "0x, 1e, 0b1, 12:30, group:web, port:fw]",
		    "[\"10.0.0.0/16\", \"10.0.1.11\", \"fd00::/8\", \"fd00:b::1\", "
		    "\"02:00:00:00:00:01\", \"1-2\", \"0x\", \"1e\", \"0b1\", \"12:30\", "
		    "\"group:web\", \"port:fw\"]");
	expect_json("7: x\ntrue: y\nnull: z", "{\"7\":\"x\",\"true\":\"y\",\"null\":\"z\"}");
	expect_json("a: |\n  two\n  lines\nb: >-\n  one\n  line",
		    "{\"a\":\"two\\nlines\\n\",\"b\":\"one line\"}");
	expect_json("just text", "\"just text\"");
	expect_json("%YAML 1.2\n---\na: 1\n...\n", "{\"a\":1}");
	expect_json("# a comment\na: {b: [1, {c: d}]} # another",
		    "{\"a\":{\"b\":[1,{\"c\":\"d\"}]}}");
}

static void test_refusals(void **state)
{
	(void)state;
	expect_refusal("a: 1\nb: 2\na: 3\n", 3, "\"a\" is there twice (first on line 1)");
	expect_refusal("a:\n  b: 2\n  b: 3\n", 3, "\"a.b\" is there twice (first on line 2)");
	expect_refusal("a:\n\tb: 2\n", 2, "indent by spaces, not by tabs");
	expect_refusal("vpcs:\n  blue: {ports: {x: 1,\n    x: 2}}\n", 3, "first on line 2");
	expect_refusal("a: &anchor 1\n", 1, "anchors (&anchor)");
	expect_refusal("x: 1\na: *alias\n", 2, "aliases (*alias)");
	expect_refusal("a: !!str 7\n", 1, "tags");
	expect_refusal("a: !mine {}\n", 1, "tags");
	expect_refusal("a: 1\n---\nb: 2\n", 2, "second document");
	expect_refusal("", 0, "nothing in it");
	expect_refusal("# only a comment\n", 0, "nothing in it");
	expect_refusal("? [a]\n: 1\n", 1, "key must be a text");
	expect_refusal("a: 99999999999999999999\n", 1, "too large");
	expect_refusal("a: .inf\n", 1, "not a number");
	expect_refusal("a: \"x\\0y\"\n", 1, "NUL");
	expect_refusal("a: [1, 2\nb: 3\n", 2, "");
	expect_refusal("a:\n\tb: 1\n", 2, "");
	expect_refusal("a: b: c\n", 1, "");
	expect_refusal("a: \"\xff\"\n", 1, "");
}

static void test_limits(void **state)
{
	struct buf text = { 0 };
	struct yaml_document document;
	struct error error = { 0 };
	size_t line;

	(void)state;
	for (int i = 0; i < YAML_DEPTH_MAX; i++)
		buf_append_char(&text, '[');
	for (int i = 0; i < YAML_DEPTH_MAX; i++)
		buf_append_char(&text, ']');
	load(buf_text(&text), &document);
	yaml_unload(&document);
	buf_reset(&text);
	for (int i = 0; i < 100000; i++)
		buf_append_char(&text, '[');
	expect_refusal(buf_text(&text), 1, "nested deeper");
	buf_reset(&text);
	memset(buf_reserve(&text, YAML_SIZE_MAX + 1), ' ', YAML_SIZE_MAX + 1);
	buf_commit(&text, YAML_SIZE_MAX + 1);
	assert_int_equal(yaml_load(text.data, text.size, &document, &line, &error), -EFBIG);
	buf_reset(&text);
	for (int i = 0; i < 2000; i++)
		buf_append_char(&text, 'k');
	buf_append_text(&text, ": 1\n");
	assert_int_not_equal(yaml_load(text.data, text.size, &document, &line, &error), 0);
	buf_fini(&text);
}

static void test_lines(void **state)
{
	static const char text[] = "vpcs:\n"
				   "  blue:\n"
				   "    cidrs: [10.0.0.0/16]\n"
				   "    ports:\n"
				   "      web1: {subnet: web,\n"
				   "             address: 10.0.1.11}\n"
				   "    route_tables:\n"
				   "      main:\n"
				   "        routes:\n"
				   "          - {to: 10.9.0.0/16, via: blackhole}\n"
				   "          - to: 10.8.0.0/16\n"
				   "            via: port:fw\n";
	struct yaml_document document;

	(void)state;
	load(text, &document);
	assert_int_equal(yaml_line(&document, "vpcs"), 1);
	assert_int_equal(yaml_line(&document, "vpcs.blue"), 2);
	assert_int_equal(yaml_line(&document, "vpcs.blue.ports.web1"), 5);
	assert_int_equal(yaml_line(&document, "vpcs.blue.ports.web1.subnet"), 5);
	assert_int_equal(yaml_line(&document, "vpcs.blue.ports.web1.address"), 6);
	assert_int_equal(yaml_line(&document, "vpcs.blue.ports.web1.mac"), 5);
	assert_int_equal(yaml_line(&document, "vpcs.blue.route_tables.main.routes[0]"), 10);
	assert_int_equal(yaml_line(&document, "vpcs.blue.route_tables.main.routes[1].via"), 12);
	assert_int_equal(yaml_line(&document, "vpcs.blue.route_tables.main.routes.1.to"), 11);
	assert_int_equal(yaml_line(&document, "vpcs.blue.route_tables.main.routes[7]"), 9);
	assert_int_equal(yaml_line(&document, "nothing.of.that"), 0);
	assert_int_equal(yaml_line(&document, ""), 0);
	assert_int_equal(yaml_line(&document, "..[["), 0);
	yaml_unload(&document);
}

/* What is written is read back as the same, and nothing is quoted without need. */
static void expect_emitted(const char *json, int levels, const char *expected)
{
	json_t *value = json_loads(json, JSON_DECODE_ANY, NULL);
	struct yaml_document document;
	struct buf text = { 0 };

	assert_non_null(value);
	yaml_emit(&text, value, levels);
	if (expected)
		assert_string_equal(buf_text(&text), expected);
	load(buf_text(&text), &document);
	if (!json_equal(document.tree, value))
		fail_msg("not read back as it was:\n%s", buf_text(&text));
	yaml_unload(&document);
	buf_fini(&text);
	json_decref(value);
}

static void test_emit_scalars(void **state)
{
	(void)state;
	expect_emitted("[\"web\", \"10.0.0.0/16\", \"fd00:b::1\", \"group:web\", \"0:1\"]", 0,
		       "[web, 10.0.0.0/16, fd00:b::1, group:web, 0:1]\n");
	expect_emitted("[\"7\", \"1.5\", \"true\", \"Null\", \"yes\", \"\", \"-\", \"80,443\"]", 0,
		       "[\"7\", \"1.5\", \"true\", \"Null\", \"yes\", \"\", \"-\", \"80,443\"]\n");
	expect_emitted("[7, 1.5, true, false, null, [], {}]", 0,
		       "[7, 1.5, true, false, null, [], {}]\n");
	expect_emitted(
		"[\"::/0\", \"fd00::\", \"02:00:00:00:00:01\", \"1e3\", \"0x1f\", \"12:30\"]", 0,
		"[\"::/0\", \"fd00::\", 02:00:00:00:00:01, \"1e3\", \"0x1f\", \"12:30\"]\n");
	expect_emitted(
		"[\"a b\", \"#x\", \"x: y\", \"\\\"\\\\\\n\\t\\u0001\\u00e9\", \"*a\", \"&a\"]", 0,
		NULL);
	expect_emitted("{\"true\": 1, \"7\": 2, \"a b\": 3}", 0, NULL);
	expect_emitted("\"text\"", 0, "text\n");
	expect_emitted("{}", 3, "{}\n");
}

static void test_emit_tree(void **state)
{
	static const char tree[] =
		"{\"vpcs\":{\"blue\":{\"cidrs\":[\"10.0.0.0/16\"],\"subnets\":{\"web\":{\"cidr\":"
		"\"10.0.1.0/24\"}},\"route_tables\":{\"main\":{\"routes\":[]},\"private\":"
		"{\"routes\":[{\"to\":\"10.9.0.0/16\",\"via\":\"blackhole\"}]}},\"ports\":{\"web1\":"
		"{\"subnet\":\"web\",\"attach\":{\"netns\":\"web1\",\"ifname\":\"eth0\"}}}},"
		"\"red\":{}}}";
	static const char expected[] =
		"vpcs:\n"
		"  blue:\n"
		"    cidrs: [10.0.0.0/16]\n"
		"    subnets:\n"
		"      web: {cidr: 10.0.1.0/24}\n"
		"    route_tables:\n"
		"      main: {routes: []}\n"
		"      private:\n"
		"        routes:\n"
		"          - {to: 10.9.0.0/16, via: blackhole}\n"
		"    ports:\n"
		"      web1: {subnet: web, attach: {netns: web1, ifname: eth0}}\n"
		"  red: {}\n";

	(void)state;
	expect_emitted(tree, 4, expected);
	/* Too long for a line: a line for each key, at any depth, and in lists. */
	expect_emitted(
		"{\"a\":{\"b\":[{\"first-key-that-is-long\":\"a value that is rather long as "
		"well\",\"second-key-that-is-long\":\"another value that is long\"}, [1,[2]], "
		"{\"x\":{\"y\":{\"z\":{}}}}]}}",
		1, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_scalars),      cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_limits),       cmocka_unit_test(test_lines),
		cmocka_unit_test(test_emit_scalars), cmocka_unit_test(test_emit_tree),
	};

	return cmocka_run_group_tests_name("yaml", tests, NULL, NULL);
}
