/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Random intents, one after the other: after each the tables must be those of a plan of everything.
 *
 * What is drawn is small and alike, so that objects meet: two subnets, three groups that name each
 * other, routes to ports that come and go, an ACL.
 */
#include "tests/unit/plan_world.h"

static uint64_t random_state = 0x853c49e6748fea9b;

static uint32_t random_below(uint32_t bound)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)((random_state >> 20) % bound);
}

static const char *comma(bool *first)
{
	const char *text = *first ? "" : ", ";

	*first = false;
	return text;
}

/* One of four services from one of five peers; the key says the direction. */
static void write_rule(struct buf *text, const char *key, bool groups)
{
	static const char *const services[] = { "'all'", "'tcp', 'ports': '80'",
						"'tcp', 'ports': '8000-8099,443'", "'icmp'" };
	static const char *const peers[] = { "0.0.0.0/0", "::/0", "10.0.0.0/8", "group:g0",
					     "group:g1" };
	const char *peer = peers[random_below(groups ? 5 : 3)];
	const char *service = services[random_below(4)];

	buf_printf(text, "'protocol': %s, '%s': '%s'", service, key, peer);
}

static void write_groups(struct buf *text)
{
	buf_append_text(text, "'security_groups': {");
	for (int i = 0; i < 3; i++) {
		bool first = true;

		buf_printf(text, "%s'g%d': {'ingress': [", i ? ", " : "", i);
		for (uint32_t n = random_below(3); n; n--) {
			buf_printf(text, "%s{", comma(&first));
			write_rule(text, "from", true);
			buf_append_text(text, "}");
		}
		buf_append_text(text, "]}");
	}
	buf_append_text(text, "}, 'acls': {'n': {'ingress': [");
	for (uint32_t i = 0, n = random_below(3); i < n; i++) {
		buf_printf(text, "%s{'number': %u, 'action': '%s', ", i ? ", " : "", i * 10 + 1,
			   random_below(2) ? "allow" : "deny");
		write_rule(text, "from", false);
		buf_append_text(text, "}");
	}
	buf_append_text(text, "]}}, ");
}

static void write_networks(struct buf *text)
{
	static const char *const routes[] = {
		"{'to': '10.9.0.0/16', 'via': 'blackhole'}",
		"{'to': '10.9.1.0/24', 'via': 'port:p0'}",
		"{'to': '::/0', 'via': 'port:p1'}",
		"{'to': '10.0.0.0/16', 'via': 'port:p2'}",
		"{'to': '0.0.0.0/0', 'via': ['port:p0', 'port:p1', 'port:p2']}",
	};
	bool first = true;

	buf_append_text(text, "'route_tables': {'main': {}, 'private': {'routes': [");
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		if (random_below(2))
			buf_printf(text, "%s%s", comma(&first), routes[i]);
	}
	buf_append_text(text, "]}}, 'subnets': {");
	for (int i = 0; i < 2; i++) {
		buf_printf(text, "%s's%d': {'cidr': '10.0.%d.0/24', 'mode': '%s'%s%s}",
			   i ? ", " : "", i, i, random_below(3) ? "l3" : "l2",
			   random_below(2) ? ", 'acl': 'n'" : "",
			   random_below(2) ? ", 'route_table': 'private'" : "");
	}
	buf_append_text(text, "}, ");
}

static void write_ports(struct buf *text)
{
	bool first = true;

	buf_append_text(text, "'ports': {");
	for (int i = 0; i < 6; i++) {
		uint32_t groups = random_below(8), subnet = random_below(8) ? (uint32_t)i % 2 : 1;
		bool first_group = true;

		if (i > 2 && !random_below(4))
			continue;
		buf_printf(text, "%s'p%d': {'subnet': 's%u', 'address': '10.0.%u.%d', ",
			   comma(&first), i, subnet, subnet, 10 + i);
		if (random_below(4) == 0)
			buf_append_text(text, "'source_destination_check': false, ");
		if (random_below(4) == 0)
			buf_append_text(text, "'allowed_addresses': ['172.16.0.0/12'], ");
		buf_append_text(text, "'security_groups': [");
		for (uint32_t group = 0; group < 3; group++) {
			if (groups >> group & 1)
				buf_printf(text, "%s'g%u'", comma(&first_group), group);
		}
		buf_printf(text, "%s]}", groups ? "" : "'default'");
	}
	buf_append_text(text, "}");
}

static void test_random_intents(void **state)
{
	struct world *world = *state;
	size_t accepted = 0, removed = 0;

	for (int i = 0; i < 150; i++) {
		struct buf text = { 0 };
		struct error error;

		if (random_below(20) == 0) {
			buf_append_text(&text, "{'vpcs': {}}");
		} else {
			buf_printf(&text,
				   "{'vpcs': {'blue': {'cidrs': ['10.0.0.0/16'%s], 'mtu': %u, ",
				   random_below(2) ? ", '10.1.0.0/16'" : "",
				   1400 + 100 * random_below(2));
			write_groups(&text);
			write_networks(&text);
			write_ports(&text);
			buf_append_text(&text, "}}}");
		}
		if (try_apply(world, buf_text(&text), &error)) {
			char name[8];

			accepted++;
			world_check(world);
			snprintf(name, sizeof(name), "p%u", random_below(6));
			removed += set_port(world, name, NULL);
		}
		buf_fini(&text);
	}
	assert_true(accepted > 100);
	assert_true(removed > 50);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_random_intents, world_setup, world_teardown),
	};

	return cmocka_run_group_tests_name("plan_random", tests, NULL, NULL);
}
