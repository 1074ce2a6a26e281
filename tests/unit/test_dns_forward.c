/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/services/dns_forward.c: what many questions that nobody answers do to those of others.
 */
#include "tests/unit/unit.h"

#include "agent/services/dns_forward.h"

#define IN_ALL 512
#define OF_PORT 64
#define PORTS (IN_ALL / OF_PORT)

static const uint8_t question[] = "\0\7\1\0\0\1\0\0\0\0\0\0\3www\7example\0\0\1\0\1";

struct world {
	struct loop *loop;
	struct dns_forwards *forwards;
	struct dns_query query;
	size_t answered[2]; /* of each VPC: its ports are 100 and more, or 200 and more */
	bool refused;       /* the last was SERVFAIL */
};

static void answered(void *context, const struct dns_client *client, const uint8_t *answer,
		     size_t size)
{
	struct world *world = context;

	assert_true(size >= DNS_HEADER_SIZE);
	world->answered[client->port_id >= 200]++;
	world->refused = (answer[3] & DNS_FLAG_RCODE) == DNS_SERVFAIL;
}

/* Of one whom no socket sends to: it is tried thrice, a millisecond each. */
static int ask(struct world *world, uint32_t vpc_id, uint32_t port_id)
{
	struct vpc_object vpc = { .object.id = vpc_id };
	const struct dns_client client = { .port_id = port_id, .limit = DNS_UDP_SIZE };

	vpc.dns.forward = DNS_FORWARD_TO;
	vpc.dns.forwarder_count = 1;
	ip_address_parse("255.255.255.255", &vpc.dns.forwarders[0]);
	return dns_forwards_ask(world->forwards, &vpc, &client, &world->query, question);
}

static void one_vpc_leaves_room_for_another(void **state)
{
	struct world world = { 0 };
	struct error error = { 0 };

	(void)state;
	assert_int_equal(loop_new(&world.loop, NULL, &error), 0);
	world.forwards = dns_forwards_new(world.loop, "/dev/null", answered, &world);
	assert_int_equal(dns_query_read(question, sizeof(question) - 1, &world.query), 0);
	for (uint32_t i = 0; i < IN_ALL; i++)
		assert_int_equal(ask(&world, 1, 100 + i / OF_PORT), 0);
	assert_int_equal(ask(&world, 1, 100), -EBUSY);
	assert_int_equal(ask(&world, 1, 100 + PORTS), -EBUSY);
	/* Whoever has less open than the one with the most takes a place of his. */
	for (uint32_t i = 0; i < IN_ALL / 2; i++)
		assert_int_equal(ask(&world, 2, 200 + i / OF_PORT), 0);
	assert_int_equal(ask(&world, 2, 200 + PORTS), -EBUSY);
	assert_int_equal(ask(&world, 1, 100 + PORTS), -EBUSY);
	assert_int_equal(world.answered[0] + world.answered[1], 0);
	/* Who had to give way is told so, and each is answered once. */
	while (world.answered[0] < IN_ALL / 2)
		loop_run_once(world.loop, 10);
	assert_true(world.refused);
	while (world.answered[0] < IN_ALL || world.answered[1] < IN_ALL / 2)
		loop_run_once(world.loop, 10);
	assert_int_equal(world.answered[0], IN_ALL);
	assert_int_equal(world.answered[1], IN_ALL / 2);
	assert_int_equal(ask(&world, 1, 100), 0);
	dns_forwards_free(world.forwards);
	loop_free(world.loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_vpc_leaves_room_for_another),
	};

	return cmocka_run_group_tests_name("dns_forward", tests, NULL, NULL);
}
