/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random intents over several hosts: after each the tables must be those of a plan of everything.
 *
 * Hosts come, change and go, ports and tunnels move between them, subnets change how they are carried;
 * this host has part in a VPC or not. What dirty_tunnels.c forgets shows as a row that differs.
 */
#include "tests/unit/plan_world.h"

static uint64_t random_state = 0x9e3779b97f4a7c15;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 20) % bound);
}

static const char *one_of(const char *const *words, size_t count)
{
	return words[random_below((uint32_t)count)];
}

static void write_hosts(struct buf *text)
{
	static const char *const offers[] = {
		"",
		", 'encapsulations': ['geneve', 'vxlan', 'gre']",
		", 'encapsulations': ['vxlan', 'gretap', 'nvgre', 'ipip']",
		", 'mtu': 9000",
	};
	static const char *const peers[] = {
		"",
		"",
		", 'peers': {'h1': {'encapsulation': 'vxlan'}}",
	};

	buf_append_text(text, "'hosts': {");
	for (int i = 1; i <= 4; i++)
		buf_printf(text, "%s'h%d': {'underlay': ['192.0.2.%d/24', '2001:db8::%d/64']%s%s}",
			   i > 1 ? ", " : "", i, i, i, one_of(offers, ARRAY_SIZE(offers)),
			   i > 1 ? one_of(peers, ARRAY_SIZE(peers)) : "");
	buf_append_text(text, "}, ");
}

static void write_subnets(struct buf *text, int vpc)
{
	static const char *const l3[] = {
		"",
		", 'segment': {'type': 'local'}",
		", 'segment': {'type': 'overlay', 'encapsulation': 'geneve', 'underlay': 'ipv6'}",
		", 'segment': {'type': 'overlay', 'encapsulation': 'gre', 'dscp': 'copy'}",
	};
	static const char *const l2[] = {
		"",
		", 'segment': {'type': 'overlay', 'encapsulation': 'gretap'}",
		", 'segment': {'type': 'overlay', 'flooding': {'group': '239.1.1.1'}}",
		", 'segment': {'type': 'overlay', 'flooding': {'group': '239.1.1.1', 'vteps': "
		"'203.0.113.0/24'}}",
	};

	buf_printf(text, "'subnets': {'s0': {'cidr': '10.%d.0.0/24'%s}", vpc,
		   one_of(l3, ARRAY_SIZE(l3)));
	buf_printf(text, ", 's1': {'cidr': '10.%d.1.0/24', 'mode': 'l2'%s}", vpc,
		   one_of(l2, ARRAY_SIZE(l2)));
	if (random_below(2))
		buf_printf(text, ", 's2': {'cidr': '10.%d.2.0/24'%s}", vpc,
			   one_of(l3, ARRAY_SIZE(l3)));
	buf_append_text(text, "}, ");
}

static void write_ports(struct buf *text, uint32_t first)
{
	const char *separator = "";

	buf_append_text(text, "'ports': {");
	for (int i = 0; i < 5; i++) {
		if (random_below(3) == 0)
			continue;
		buf_printf(text, "%s'p%d': {'subnet': 's%u', 'host': 'h%u'", separator, i,
			   random_below(2), first + random_below(5 - first));
		if (random_below(4) == 0)
			buf_printf(text, ", 'attach': {'tap': 'tap%d'}", i);
		buf_append_text(text, "}");
		separator = ", ";
	}
	buf_append_text(text, "}");
}

static void write_tunnels(struct buf *text, uint32_t first)
{
	static const char *const groups[] = { "", ", 'security_groups': ['default']" };

	buf_append_text(text, ", 'tunnels': {");
	buf_printf(text, "'t0': {'type': 'gre', 'remote': '203.0.113.%u', 'host': 'h%u'%s}",
		   1 + random_below(2), first + random_below(5 - first),
		   one_of(groups, ARRAY_SIZE(groups)));
	if (random_below(2))
		buf_printf(text,
			   ", 't1': {'type': 'vxlan', 'id': 7, 'remote': '203.0.113.1', "
			   "'subnet': 's1', 'host': 'h%u'}",
			   first + random_below(5 - first));
	buf_append_text(text, "}, 'route_tables': {'main': {'routes': [{'to': '10.99.0.0/16', "
			      "'via': 'tunnel:t0'}]}}");
}

static void write_vpc(struct buf *text, const char *name, int number)
{
	/* Now and then the first, which is this one, has no part in it. */
	uint32_t first = random_below(3) ? 1 : 2;

	buf_printf(text, "'%s': {'cidrs': ['10.%d.0.0/16'], %s", name, number,
		   random_below(4) ? "" : "'flow_limit': 1000, ");
	write_subnets(text, number);
	write_ports(text, first);
	if (random_below(2))
		write_tunnels(text, first);
	buf_append_text(text, "}");
}

static void remove_host(struct world *world, size_t *removed)
{
	const char *path[] = { "hosts", "h4" };
	struct draft *draft = draft_new(world->intent);
	struct error error = { 0 };
	int code = draft_remove(draft, path, 2, &error);

	if (try_publish(world, draft, code, &error)) {
		(*removed)++;
		world_check(world);
	}
}

static void test_random_hosts(void **state)
{
	struct world *world = *state;
	size_t accepted = 0, removed = 0, with_tunnels = 0;

	intent_set_host(world->intent, "h1");
	for (int i = 0; i < 400; i++) {
		struct buf text = { 0 };
		struct error error = { 0 };

		buf_append_text(&text, "{");
		if (i == 0 || random_below(2))
			write_hosts(&text);
		buf_append_text(&text, "'vpcs': {");
		if (random_below(10)) {
			write_vpc(&text, "blue", 0);
			if (random_below(2)) {
				buf_append_text(&text, ", ");
				write_vpc(&text, "red", 1);
			}
		}
		buf_append_text(&text, "}}");
		if (try_apply(world, buf_text(&text), &error)) {
			accepted++;
			world_check(world);
		}
		MAP_FOR_EACH(&world->tables, it)
			with_tunnels += ((const struct row *)it.value)->table == TABLE_tunnels;
		if (random_below(3) == 0)
			remove_host(world, &removed);
		buf_fini(&text);
	}
	assert_true(accepted > 150);
	assert_true(removed > 3);
	assert_true(with_tunnels > 500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_hosts, world_setup, world_teardown),
	};

	return cmocka_run_group_tests_name("plan_hosts_random", tests, NULL, NULL);
}
