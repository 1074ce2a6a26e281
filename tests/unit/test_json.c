/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * base/json: documents refused, every getter's refusals with path, unknown keys.
 */
#include "base/buf.h"
#include "base/json.h"
#include "tests/unit/unit.h"

static json_t *load(const char *text)
{
	struct error error = { 0 };
	json_t *document = NULL;

	if (json_load_text(text, strlen(text), 1 << 20, &document, &error))
		fail_msg("%s: %s", text, error.text);
	return document;
}

static void test_load(void **state)
{
	static const char *const bad[] = {
		"",
		"{",
		"{\"a\":1,\"a\":2}",
		"{\"a\":1} x",
		"{\"a\":\"\\u0000\"}",
		"\"text\"",
		"{'a':1}",
		"{\"a\":01}",
		"{\"a\":\"\xff\"}",
		"{\"a\":1e999}",
		"[1,]",
	};
	struct error error;
	json_t *document = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(json_load_text(bad[i], strlen(bad[i]), 100, &document, &error),
				 -EINVAL);
		assert_non_null(strstr(error.text, "line"));
	}
	assert_int_equal(json_load_text("[1, 2]", 6, 5, &document, &error), -EFBIG);
	assert_null(document);
	assert_int_equal(json_load_text("[1, 2]", 6, 6, &document, &error), 0);
	json_decref(document);
}

/* A key that is there twice is refused with its path. */
static void test_duplicates(void **state)
{
	static const struct {
		const char *text, *path;
	} cases[] = {
		{ "{\"a\":1,\"a\":2}", "a" },
		{ "{\"vpcs\": {\"x\\\"{\": [{}], \"blue\": {\"mtu\": 1, \"mtu\": 2}}}",
		  "vpcs.blue.mtu" },
		{ "{\"in\": [1, [], {\"b\": 1}, {\"to\": \"a:b,c\", \"to\": 1}]}", "in[3].to" },
	};
	struct error error;
	json_t *document;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(json_load_text(cases[i].text, strlen(cases[i].text), 1000,
						&document, &error),
				 -EINVAL);
		assert_string_equal(error.path, cases[i].path);
		assert_non_null(strstr(error.text, "duplicate"));
	}
}

static void test_depth(void **state)
{
	struct buf text = { 0 };
	json_t *document;
	struct error error;

	(void)state;
	for (int i = 0; i < 128; i++)
		buf_append_char(&text, '[');
	buf_append_text(&text, "\"[[[[[\\\"[[[\"");
	for (int i = 0; i < 128; i++)
		buf_append_char(&text, ']');
	document = load(buf_text(&text));
	json_decref(document);
	buf_reset(&text);
	for (int i = 0; i < 100000; i++)
		buf_append_char(&text, '[');
	assert_int_equal(json_load_text(text.data, text.size, 1 << 20, &document, &error), -EINVAL);
	assert_non_null(strstr(error.text, "deeper"));
	buf_fini(&text);
}

static void test_reader(void **state)
{
	json_t *document = load("{\"name\":\"web\",\"up\":true,\"mtu\":1500,\"list\":[1,2],"
				"\"in\":{\"a\":1},\"none\":null}");
	const char *name = NULL;
	struct json_reader reader;
	struct json_reader inner;
	struct error error = { 0 };
	int64_t number = 0;
	json_t *list = NULL;
	bool up = false;

	(void)state;
	json_reader_init(&reader, document, "", &error);
	assert_true(json_reader_text(&reader, "name", JSON_REQUIRED, 3, &name));
	assert_string_equal(name, "web");
	assert_true(json_reader_bool(&reader, "up", JSON_REQUIRED, &up));
	assert_true(up);
	assert_true(json_reader_integer(&reader, "mtu", JSON_REQUIRED, 68, 1500, &number));
	assert_int_equal(number, 1500);
	assert_true(json_reader_array(&reader, "list", JSON_OPTIONAL, 2, &list));
	assert_true(json_reader_object(&reader, "in", JSON_OPTIONAL, &inner));
	assert_true(json_reader_integer(&inner, "a", JSON_OPTIONAL, 0, 9, &number));
	assert_int_equal(json_reader_finish(&inner), 0);
	/* Absent and null are the same, and leave what was there. */
	assert_false(json_reader_integer(&reader, "none", JSON_OPTIONAL, 0, 9, &number));
	assert_false(json_reader_text(&reader, "absent", JSON_OPTIONAL, 9, &name));
	assert_string_equal(name, "web");
	assert_int_equal(json_reader_finish(&reader), 0);
	json_decref(document);
}

/* One key "k" read one way; the refusal must have this path and hold these words. */
enum way { TEXT, BOOL, INTEGER, ARRAY, OBJECT, NAMES };

static void expect_refusal(const char *text, enum way way, const char *words)
{
	json_t *document = load(text);
	struct json_reader reader;
	struct json_reader child;
	struct error error = { 0 };
	const char *name;
	int64_t number;
	json_t *value;
	bool truth;

	json_reader_init(&reader, document, "vpcs.blue", &error);
	switch (way) {
	case TEXT: assert_false(json_reader_text(&reader, "k", JSON_REQUIRED, 4, &name)); break;
	case BOOL: assert_false(json_reader_bool(&reader, "k", JSON_REQUIRED, &truth)); break;
	case INTEGER:
		assert_false(json_reader_integer(&reader, "k", JSON_REQUIRED, -5, 5, &number));
		break;
	case ARRAY: assert_false(json_reader_array(&reader, "k", JSON_REQUIRED, 2, &value)); break;
	case OBJECT: assert_false(json_reader_object(&reader, "k", JSON_REQUIRED, &child)); break;
	case NAMES: assert_false(json_reader_names(&reader, "k", JSON_REQUIRED, &value)); break;
	}
	assert_true(json_reader_failed(&reader));
	/* What follows does nothing, and the first refusal stays. */
	assert_false(json_reader_bool(&reader, "other", JSON_REQUIRED, &truth));
	assert_int_equal(json_reader_fail(&reader, NULL, EIO, "later"), -EINVAL);
	assert_int_equal(json_reader_finish(&reader), -EINVAL);
	assert_string_equal(error.path, "vpcs.blue.k");
	if (!strstr(error.text, words))
		fail_msg("%s: \"%s\" does not say \"%s\"", text, error.text, words);
	json_decref(document);
}

static void test_refusals(void **state)
{
	(void)state;
	expect_refusal("{}", TEXT, "is missing");
	expect_refusal("{\"k\":null}", TEXT, "is missing");
	expect_refusal("{\"k\":1}", TEXT, "must be a string, not a whole number");
	expect_refusal("{\"k\":\"12345\"}", TEXT, "longer than 4");
	expect_refusal("{\"k\":\"yes\"}", BOOL, "must be true or false, not a string");
	expect_refusal("{\"k\":1.5}", INTEGER, "not a number with a fraction");
	expect_refusal("{\"k\":6}", INTEGER, "from -5 to 5, not 6");
	expect_refusal("{\"k\":-6}", INTEGER, "not -6");
	expect_refusal("{\"k\":{}}", ARRAY, "not an object");
	expect_refusal("{\"k\":[1,2,3]}", ARRAY, "more than 2");
	expect_refusal("{\"k\":[]}", OBJECT, "not an array");
	expect_refusal("{\"k\":true}", NAMES, "not true or false");
}

static void test_unknown(void **state)
{
	json_t *document = load("{\"subent\":\"web\"}");
	struct json_reader reader;
	struct error error = { 0 };
	const char *text;

	(void)state;
	json_reader_init(&reader, document, "vpcs.blue.ports.web1", &error);
	json_reader_text(&reader, "address", JSON_OPTIONAL, 9, &text);
	json_reader_text(&reader, "subnet", JSON_OPTIONAL, 9, &text);
	assert_int_equal(json_reader_finish(&reader), -EINVAL);
	assert_string_equal(error.path, "vpcs.blue.ports.web1.subent");
	assert_string_equal(error.text, "unknown key (did you mean \"subnet\"?)");

	/* A key that has to be there is not called missing when what stands there is nearly it. */
	json_reader_init(&reader, document, "vpcs.blue.ports.web1", &error);
	json_reader_text(&reader, "subnet", JSON_REQUIRED, 9, &text);
	assert_int_equal(json_reader_finish(&reader), -EINVAL);
	assert_string_equal(error.path, "vpcs.blue.ports.web1.subent");
	assert_string_equal(error.text, "unknown key (did you mean \"subnet\"?)");
	json_reader_init(&reader, document, "vpcs.blue.ports.web1", &error);
	json_reader_text(&reader, "colour", JSON_REQUIRED, 9, &text);
	assert_string_equal(error.path, "vpcs.blue.ports.web1.colour");
	assert_string_equal(error.text, "is missing");

	/* But not when it is a key that is asked for later. */
	json_reader_init(&reader, document, "vpcs.blue.ports.web1", &error);
	json_reader_text(&reader, "subnets", JSON_REQUIRED, 9, &text);
	json_reader_text(&reader, "subent", JSON_OPTIONAL, 9, &text);
	assert_int_equal(json_reader_finish(&reader), -EINVAL);
	assert_string_equal(error.path, "vpcs.blue.ports.web1.subnets");
	assert_string_equal(error.text, "is missing");
	json_decref(document);
}

static void test_paths(void **state)
{
	json_t *document = load("{\"a\":[1],\"vpcs\":{\"blue\":[]}}");
	struct json_reader reader;
	struct json_reader child;
	struct error error = { 0 };

	(void)state;
	json_reader_init(&reader, document, "", &error);
	json_reader_element(&reader, "a", 0, json_array_get(json_object_get(document, "a"), 0),
			    &child);
	assert_int_equal(json_reader_finish(&child), -EINVAL);
	assert_string_equal(error.path, "a[0]");
	json_reader_member(&reader, "vpcs", "blue",
			   json_object_get(json_object_get(document, "vpcs"), "blue"), &child);
	assert_string_equal(error.path, "vpcs.blue");
	assert_string_equal(error.text, "must be an object, not an array");
	json_reader_init(&child, NULL, "x", &error);
	assert_string_equal(error.text, "must be an object, not nothing");
	json_decref(document);
}

static void test_long_paths(void **state)
{
	json_t *document = load("{\"a\":1}");
	struct json_reader reader;
	struct json_reader child;
	struct error error = { 0 };
	char name[1000];

	(void)state;
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	json_reader_init(&reader, document, name, &error);
	json_reader_member(&reader, name, name, document, &child);
	json_reader_element(&child, name, 123456, document, &reader);
	assert_int_equal(json_reader_fail(&reader, name, EINVAL, "%s", name), -EINVAL);
	assert_int_equal(strlen(error.path), sizeof(error.path) - 1);
	json_decref(document);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_load),     cmocka_unit_test(test_duplicates),
		cmocka_unit_test(test_depth),    cmocka_unit_test(test_reader),
		cmocka_unit_test(test_refusals), cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_paths),    cmocka_unit_test(test_long_paths),
	};

	return cmocka_run_group_tests_name("json", tests, NULL, NULL);
}
