/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/services/metadata_tree.c: paths in the tree, tokens; agent/services/dns_forward.c: whom the host asks.
 */
#include <unistd.h>

#include "agent/services/dns_forward.h"
#include "agent/services/metadata.h"
#include "tests/unit/model_cases.h"

static const char tree[] =
	"{'vpcs':{'blue':{'cidrs':['10.0.0.0/16','fd00:b::/48'],"
	"'subnets':{'web':{'cidr':['10.0.1.0/24','fd00:b:0:1::/64']}},"
	"'ports':{'web1':{'subnet':'web','addresses':['10.0.1.11','10.0.1.12','fd00:b:0:1::11'],"
	"'mac':'02:00:00:00:01:11'}}}}}";

static void assert_path(const json_t *json, const char *path, const char *expected)
{
	struct buf text = { 0 };

	if (!expected) {
		assert_false(metadata_look_up(json, path, &text));
	} else {
		assert_true(metadata_look_up(json, path, &text));
		assert_string_equal(buf_text(&text), expected);
	}
	buf_fini(&text);
}

static void test_paths(void **state)
{
	struct intent *intent = intent_new();
	const struct port_object *port;
	json_t *json;

	(void)state;
	request(intent, REQUEST_APPLY, NULL, tree, NULL);
	port = (const struct port_object *)intent_find(intent, "blue", OBJECT_PORT, "web1");
	json = metadata_tree(intent, port);
	assert_path(json, "",
		    "hostname\ninstance-id\nipv6\nlocal-hostname\nlocal-ipv4\nmac\nnetwork/\n"
		    "security-groups");
	assert_path(json, "hostname", "web1.blue.internal");
	assert_path(json, "local-ipv4", "10.0.1.11");
	assert_path(json, "ipv6", "fd00:b:0:1::11");
	assert_path(json, "network", "interfaces/");
	assert_path(json, "network/interfaces/macs/", "02:00:00:00:01:11/");
	assert_path(json, "network/interfaces/macs/02:00:00:00:01:11/local-ipv4s",
		    "10.0.1.11\n10.0.1.12");
	assert_path(json, "network/interfaces/macs/02:00:00:00:01:11/vpc-ipv4-cidr-blocks",
		    "10.0.0.0/16");
	assert_path(json, "nothing", NULL);
	assert_path(json, "hostname/more", NULL);
	assert_path(json, "/hostname", NULL);
	assert_path(json, "network//interfaces", NULL);
	assert_path(json, "..", NULL);
	json_decref(json);
	json = metadata_port(intent, port);
	assert_string_equal(json_string_value(json_object_get(json, "name")), "web1");
	assert_int_equal(json_array_size(json_object_get(json, "addresses")), 3);
	json_decref(json);
	intent_free(intent);
}

static void test_tokens(void **state)
{
	const uint8_t key[METADATA_KEY_SIZE] = { 1, 2, 3 }, other[METADATA_KEY_SIZE] = { 1, 2, 4 };
	char token[METADATA_TOKEN_SIZE];

	(void)state;
	metadata_token(key, 7, 1000, token);
	assert_int_equal(strlen(token), METADATA_TOKEN_SIZE - 1);
	assert_true(metadata_token_holds(key, 7, 999, token));
	assert_true(metadata_token_holds(key, 7, 1000, token));
	assert_false(metadata_token_holds(key, 7, 1001, token));
	assert_false(metadata_token_holds(key, 8, 999, token));
	assert_false(metadata_token_holds(other, 7, 999, token));
	assert_false(metadata_token_holds(key, 7, 999, ""));
	token[15] = token[15] == 'f' ? '0' : 'f'; /* a later end */
	assert_false(metadata_token_holds(key, 7, 999, token));
}

static void test_resolvers(void **state)
{
	static const char text[] =
		"# nameserver 192.0.2.1\nsearch example.com\nnameserver 192.0.2.2\n"
		"nameserver\t2001:db8::53 # comment\nnameserver\nnameserver nobody\n"
		"nameservers 192.0.2.3\n  nameserver 192.0.2.4\nnameserver 192.0.2.5";
	struct ip_address addresses[8];
	char formatted[IP_ADDRESS_TEXT_SIZE], path[] = "/tmp/resolv.conf.XXXXXX";
	int fd = mkstemp(path);

	(void)state;
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	assert_int_equal(dns_resolvers_read(path, addresses, 8), 3);
	assert_string_equal(ip_address_format(&addresses[0], formatted), "192.0.2.2");
	assert_string_equal(ip_address_format(&addresses[1], formatted), "2001:db8::53");
	assert_string_equal(ip_address_format(&addresses[2], formatted), "192.0.2.5");
	assert_int_equal(dns_resolvers_read(path, addresses, 1), 1);
	unlink(path);
	assert_int_equal(dns_resolvers_read(path, addresses, 8), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_paths),
		cmocka_unit_test(test_tokens),
		cmocka_unit_test(test_resolvers),
	};

	return cmocka_run_group_tests_name("metadata", tests, NULL, NULL);
}
