/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/cluster/path_probe.c: two probers on loopback addresses of a namespace of their own, whose MTU is what the
 * underlay eats.
 */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "agent/cluster/path_probe.h"
#include "base/netlink.h"
#include "tests/unit/private_machine.h"

#define PORT 26082
#define DEADLINE_MS 30000

struct pair {
	struct loop *loop;
	struct path_probes *a, *b;
	unsigned int changes;
};

static void on_change(void *context, uint32_t host_id)
{
	struct pair *pair = context;

	assert_int_equal(host_id, 2);
	pair->changes++;
}

static void never(void *context, uint32_t host_id)
{
	(void)context;
	(void)host_id;
	fail_msg("nothing is probed from there");
}

static struct ip_address address(const char *text)
{
	struct ip_address parsed;

	assert_int_equal(ip_address_parse(text, &parsed), 0);
	return parsed;
}

static void set_mtu(uint32_t mtu)
{
	struct netlink *netlink;
	struct error error = { 0 };

	assert_int_equal(netlink_open(&netlink, -1, &error), 0);
	/* Set up again: IPv6 left the device when its MTU was small. */
	assert_int_equal(netlink_link_set_up(netlink, 1, false, &error), 0);
	assert_int_equal(netlink_link_set_mtu(netlink, 1, mtu, &error), 0);
	assert_int_equal(netlink_link_set_up(netlink, 1, true, &error), 0);
	netlink_close(netlink);
}

/* @other_key: the second side has another key than the first. */
static void begin(struct pair *pair, bool other_key, const char *local, const char *remote)
{
	uint8_t key[PATH_PROBE_KEY_SIZE] = { 1, 2, 3 };
	struct ip_address here = address(local), there = address(remote);
	struct error error = { 0 };

	memset(pair, 0, sizeof(*pair));
	assert_int_equal(loop_new(&pair->loop, NULL, &error), 0);
	pair->a = path_probes_new(pair->loop, PORT, key, on_change, pair);
	key[0] += other_key;
	pair->b = path_probes_new(pair->loop, PORT, key, never, pair);
	path_probes_listen(pair->a, &here, 1);
	path_probes_listen(pair->b, &there, 1);
}

static void end(struct pair *pair)
{
	path_probes_free(pair->a);
	path_probes_free(pair->b);
	loop_free(pair->loop);
}

static void probe(struct pair *pair, const char *local, const char *remote, uint32_t mtu)
{
	const struct path_target target = { 2, mtu, address(local), address(remote) };

	path_probes_set(pair->a, &target, 1);
}

/* Until so many changes were reported. */
static struct path_state wait_for(struct pair *pair, unsigned int changes)
{
	uint64_t deadline = clock_monotonic_ms(NULL) + DEADLINE_MS;
	struct path_state state = { 0 };

	while (pair->changes < changes && clock_monotonic_ms(NULL) < deadline)
		loop_run_once(pair->loop, 10);
	assert_int_equal(pair->changes, changes);
	assert_true(path_probes_get(pair->a, 2, &state));
	return state;
}

static void the_full_size_comes_through(void **state)
{
	struct path_state path;
	struct pair pair;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	set_mtu(1500);
	begin(&pair, false, "127.0.0.1", "127.0.0.2");
	probe(&pair, "127.0.0.1", "127.0.0.2", 1500);
	path = wait_for(&pair, 1);
	assert_int_equal(path.mtu, 1500);
	assert_int_equal(path.full, 1500);
	assert_true(path.answers);
	assert_false(path_probes_get(pair.a, 3, &path));
	end(&pair);
}

static void a_narrow_path_is_measured_to_the_byte(void **state)
{
	static const uint32_t mtus[] = { 1280, 1400, 1499, 577 };

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	for (size_t i = 0; i < sizeof(mtus) / sizeof(mtus[0]); i++) {
		struct path_state path;
		struct pair pair;

		set_mtu(mtus[i]);
		begin(&pair, false, "127.0.0.1", "127.0.0.2");
		probe(&pair, "127.0.0.1", "127.0.0.2", 1500);
		path = wait_for(&pair, 1);
		assert_int_equal(path.mtu, mtus[i]);
		assert_int_equal(path.full, 1500);
		assert_true(path.answers);
		end(&pair);
	}
}

static void a_path_that_changes_is_noticed_when_hurried(void **state)
{
	struct ip_address remote = address("127.0.0.2");
	struct path_state path;
	struct pair pair;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	set_mtu(1500);
	begin(&pair, false, "127.0.0.1", "127.0.0.2");
	probe(&pair, "127.0.0.1", "127.0.0.2", 1500);
	wait_for(&pair, 1);
	set_mtu(1311);
	path_probes_hurry(pair.a, &remote);
	path = wait_for(&pair, 2);
	assert_int_equal(path.mtu, 1311);
	set_mtu(1500);
	path_probes_hurry(pair.a, &remote);
	path = wait_for(&pair, 3);
	assert_int_equal(path.mtu, 1500);
	end(&pair);
}

static void ipv6_works_alike(void **state)
{
	struct path_state path;
	struct pair pair;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	set_mtu(1444);
	/* Loopback has one address only: the prober answers itself. */
	begin(&pair, false, "::1", "127.0.0.2");
	probe(&pair, "::1", "::1", 1500);
	path = wait_for(&pair, 1);
	assert_int_equal(path.mtu, 1444);
	end(&pair);
}

static void another_key_is_no_answer(void **state)
{
	struct path_state path;
	struct pair pair;

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	set_mtu(1500);
	begin(&pair, true, "127.0.0.1", "127.0.0.2");
	probe(&pair, "127.0.0.1", "127.0.0.2", 1500);
	path = wait_for(&pair, 1);
	assert_int_equal(path.mtu, 0);
	assert_false(path.answers);
	end(&pair);
}

static void what_is_not_ours_is_not_answered(void **state)
{
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(PORT) };
	char noise[100] = "WfP1 but nothing else", reply[100];
	struct pair pair;
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	(void)state;
	REQUIRE_PRIVATE_MACHINE();
	set_mtu(1500);
	begin(&pair, false, "127.0.0.1", "127.0.0.2");
	inet_pton(AF_INET, "127.0.0.2", &to.sin_addr);
	for (size_t size = 0; size <= sizeof(noise); size += 10)
		assert_int_equal(sendto(fd, noise, size, 0, (struct sockaddr *)&to, sizeof(to)),
				 size);
	/* A probe behind them is answered, and nothing else was. */
	probe(&pair, "127.0.0.1", "127.0.0.2", 1500);
	wait_for(&pair, 1);
	assert_int_equal(recv(fd, reply, sizeof(reply), 0), -1);
	close(fd);
	end(&pair);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_full_size_comes_through),
		cmocka_unit_test(a_narrow_path_is_measured_to_the_byte),
		cmocka_unit_test(a_path_that_changes_is_noticed_when_hurried),
		cmocka_unit_test(ipv6_works_alike),
		cmocka_unit_test(another_key_is_no_answer),
		cmocka_unit_test(what_is_not_ours_is_not_answered),
	};

	return cmocka_run_group_tests(tests, private_machine_enter, NULL);
}
