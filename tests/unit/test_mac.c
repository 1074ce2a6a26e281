/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * model/mac: two installations give out different MACs, one never the same twice, and what was given out stays.
 */
#include "model/intent_private.h"
#include "tests/unit/model_cases.h"

#define ONE 0x1122334455667788u
#define OTHER 0x1122334455667789u /* as near as two numbers may be */
#define IDS 20000
#define TREE                                                                                       \
	"{'hosts':{'h1':{'underlay':'192.0.2.1/24'}},'vpcs':{'blue':{'cidrs':['10.0.0.0/16'],"     \
	"'subnets':{'web':{'cidr':'10.0.1.0/24'}},'ports':{'a':{'subnet':'web'},"                  \
	"'b':{'subnet':'web'}}}}}"

static struct intent *make(uint64_t number)
{
	struct intent *intent = intent_new();

	intent_number_installation(intent, number);
	request(intent, REQUEST_APPLY, NULL, TREE, NULL);
	return intent;
}

/* MACs of the port, the gateway and the host. */
static void macs_of(const struct intent *intent, struct mac_address macs[3])
{
	macs[0] = find_port(intent, "a")->mac;
	macs[1] = subnet_gateway_mac(
		(const struct subnet_object *)find(intent, OBJECT_SUBNET, "web"));
	macs[2] = host_router_mac(intent_host(intent, "h1"));
}

static void test_differ(void **state)
{
	struct intent *one = make(ONE), *other = make(OTHER), *plain = make(0);
	struct mac_address a[3], b[3], c[3];

	(void)state;
	macs_of(one, a);
	macs_of(other, b);
	macs_of(plain, c);
	for (int i = 0; i < 3; i++) {
		assert_false(mac_address_equal(&a[i], &b[i]));
		assert_false(mac_address_equal(&a[i], &c[i]));
		assert_int_equal(a[i].byte[0], i ? 0x06 : 0x02);
	}
	assert_int_equal(a[1].byte[1], 0x57);
	assert_int_equal(a[2].byte[1], 0x59);
	assert_int_equal(c[0].byte[1], 0x57);
	intent_free(one);
	intent_free(other);
	intent_free(plain);
}

/* Numbers 0 to IDS - 1 with two attempts each; no MAC comes twice, and hardly one of them at the other's. */
static void test_permutation(void **state)
{
	struct map seen = { 0 };
	uint32_t alike = 0;

	(void)state;
	for (uint32_t attempt = 0; attempt < 2; attempt++)
		for (uint32_t id = 0; id < IDS; id++) {
			struct mac_address mac = port_mac_of_id(ONE, id, attempt);

			assert_null(map_put(&seen, mac.byte, sizeof(mac.byte), state));
		}
	for (uint32_t id = 0; id < IDS; id++) {
		struct mac_address mac = port_mac_of_id(OTHER, id, 0);

		alike += map_get(&seen, mac.byte, sizeof(mac.byte)) != NULL;
	}
	assert_in_range(alike, 0, 2); /* 0.0007 are to be expected */
	map_fini(&seen, NULL);
}

/* The number is another one later, or there was none before: what is there stays as it is. */
static void test_stay(void **state)
{
	struct intent *intent = make(ONE), *old = make(0);
	struct mac_address before[3], after[3];

	(void)state;
	macs_of(intent, before);
	intent_number_installation(intent, OTHER);
	request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web", "{'flood_rate':77}", NULL);
	request(intent, REQUEST_PATCH, "hosts/h1", "{'mtu':1600}", NULL);
	request(intent, REQUEST_PATCH, "vpcs/blue/ports/a", "{'mtu':1400}", NULL);
	request(intent, REQUEST_APPLY, NULL, TREE, NULL);
	macs_of(intent, after);
	assert_memory_equal(before, after, sizeof(before));

	macs_of(old, before);
	intent_number_installation(old, ONE);
	request(old, REQUEST_PATCH, "vpcs/blue/subnets/web", "{'flood_rate':77}", NULL);
	request(old, REQUEST_APPLY, NULL, TREE, NULL);
	macs_of(old, after);
	assert_memory_equal(before, after, sizeof(before));
	intent_free(intent);
	intent_free(old);
}

/* Through the store and back; and an export does not speak of what was given out. */
static void test_records(void **state)
{
	struct intent *intent = intent_new(), *loaded = intent_new();
	struct draft *draft = draft_new(intent);
	struct mac_address before[3], after[3];
	json_t *tree = json_of(TREE), *export;
	const struct record *records;
	struct error error = { 0 };
	uint64_t revisions[64] = { 0 };
	size_t count;
	char *text;

	(void)state;
	intent_number_installation(intent, ONE);
	assert_int_equal(draft_apply_tree(draft, tree, true, &error), 0);
	assert_int_equal(draft_check(draft, &error), 0);
	records = draft_records(draft, &count);
	assert_in_range(count, 1, 64);
	if (intent_load(loaded, records, revisions, count, &error))
		fail_msg("%s", error.text);
	draft_commit(draft, 1);
	macs_of(intent, before);
	macs_of(loaded, after);
	assert_memory_equal(before, after, sizeof(before));
	export = intent_export(intent);
	text = json_dumps(export, 0);
	assert_null(strstr(text, "mac"));
	free(text);
	json_decref(export);
	json_decref(tree);
	draft_free(draft);
	intent_free(intent);
	intent_free(loaded);
}

/* Only records say which MAC was given out. */
static void test_not_said(void **state)
{
	struct intent *intent = make(ONE);
	struct error error = { 0 };

	(void)state;
	assert_int_equal(try_request(intent, REQUEST_PATCH, "vpcs/blue/subnets/web",
				     "{'gateway_mac':'06:57:00:00:00:01'}", true, NULL, &error),
			 -EINVAL);
	intent_free(intent);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_differ),   cmocka_unit_test(test_permutation),
		cmocka_unit_test(test_stay),     cmocka_unit_test(test_records),
		cmocka_unit_test(test_not_said),
	};

	return cmocka_run_group_tests_name("mac", tests, NULL, NULL);
}
