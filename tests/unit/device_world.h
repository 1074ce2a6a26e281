/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What tests of devices stand on: a machine of their own, and agent/devices/device.h with a pipeline that
 * counts. Included by test_device.c and test_device_adopt.c.
 */
#ifndef WEFT_TESTS_UNIT_DEVICE_WORLD_H
#define WEFT_TESTS_UNIT_DEVICE_WORLD_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <net/if.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/devices/device.h"
#include "base/alloc.h"
#include "base/clock.h"
#include "base/netlink.h"
#include "base/netns.h"
#include "tests/unit/machine.h"

#define DEADLINE_MS 30000

struct fixture {
	struct loop *loop;
	struct devices *devices;
	struct attach attach;
	struct ip_prefix addresses[2];
	struct ip_address gateways[2];
	struct device_request request;
	struct device_result result;
	int attached;
	bool attached_while_up;
	int attach_code;       /* 0, or what the next attachments fail with */
	const char *meanwhile; /* what somebody else does while the port is being plugged in */
	int events;
	uint32_t event_port;
	enum device_event_kind event_kind;
	char event_sentence[200];
};

/* What a command prints contains a text? */
static bool prints(const char *command, const char *text)
{
	char output[8192];
	FILE *pipe = popen(command, "r");
	size_t size = fread(output, 1, sizeof(output) - 1, pipe);

	output[size] = '\0';
	pclose(pipe);
	return strstr(output, text) != NULL;
}

static int make_machine(void **state)
{
	(void)state;
	if (own_machine())
		run("mkdir /run/netns");
	return 0;
}

static int attach_pipeline(void *context, uint32_t ifindex, uint32_t kind, struct error *error)
{
	struct fixture *fixture = context;
	char name[IF_NAMESIZE], command[64];

	(void)kind;
	if (fixture->attach_code)
		return error_set(error, -fixture->attach_code, NULL, "the test attaches nothing");
	assert_non_null(if_indextoname(ifindex, name));
	snprintf(command, sizeof(command), "ip link show up dev %s", name);
	fixture->attached++;
	fixture->attached_while_up = prints(command, name);
	if (fixture->meanwhile)
		run("%s", fixture->meanwhile);
	return 0;
}

static void on_event(void *context, uint32_t port_id, enum device_event_kind kind,
		     const char *sentence)
{
	struct fixture *fixture = context;

	fixture->events++;
	fixture->event_port = port_id;
	fixture->event_kind = kind;
	snprintf(fixture->event_sentence, sizeof(fixture->event_sentence), "%s", sentence);
}

static void open_devices(struct fixture *fixture)
{
	const struct device_options options = {
		.loop = fixture->loop,
		.instance = "default",
		.attach = attach_pipeline,
		.event = on_event,
		.context = fixture,
	};
	struct error error = { 0 };

	if (devices_open(&options, &fixture->devices, &error))
		fail_msg("%s", error.text);
}

static int set_up(void **state)
{
	struct fixture *fixture = xcalloc(1, sizeof(*fixture));

	*state = fixture;
	if (!privileged)
		return 0;
	assert_int_equal(loop_new(&fixture->loop, NULL, NULL), 0);
	open_devices(fixture);
	fixture->attach = (struct attach){
		.kind = ATTACH_NETNS, .netns = "web1", .ifname = "eth0", .configure = true
	};
	ip_prefix_parse("10.0.1.11/24", &fixture->addresses[0]);
	ip_prefix_parse("fd00:b:1::11/64", &fixture->addresses[1]);
	ip_address_parse("10.0.1.1", &fixture->gateways[0]);
	ip_address_parse("fd00:b:1::1", &fixture->gateways[1]);
	fixture->request = (struct device_request){
		.port_id = 26,
		.port_name = "blue/web1",
		.attach = &fixture->attach,
		.mac = { { 0x02, 0, 0, 0, 0, 0x1a } },
		.mtu = 1450,
		.address_count = 2,
		.addresses = fixture->addresses,
		.gateway_count = 2,
		.gateways = fixture->gateways,
	};
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	if (privileged) {
		devices_close(fixture->devices);
		loop_free(fixture->loop);
		run("ip -all netns delete; umount /run/here/net 2>/dev/null; "
		    "for d in $(ip -br link | sed 's/[@ ].*//'); do "
		    "ip link del $d 2>/dev/null; done; true");
	}
	free(fixture);
	return 0;
}

/* Runs the loop until that many events came. */
static void wait_events(struct fixture *fixture, int events)
{
	const uint64_t deadline = clock_monotonic_ms(NULL) + DEADLINE_MS;

	while (fixture->events < events) {
		if (clock_monotonic_ms(NULL) > deadline)
			fail_msg("%d events, %d expected; the last: %s", fixture->events, events,
				 fixture->event_sentence);
		assert_int_equal(loop_run_once(fixture->loop, 100), 0);
	}
}

/* What waits in the loop now is all that there is. */
static inline void expect_quiet(struct fixture *fixture)
{
	const int events = fixture->events;

	for (int i = 0; i < 5; i++)
		assert_int_equal(loop_run_once(fixture->loop, 0), 0);
	if (fixture->events != events)
		fail_msg("unexpected: %s", fixture->event_sentence);
}

static void plug(struct fixture *fixture, enum device_state state)
{
	uint32_t failed;

	devices_plug(fixture->devices, &fixture->request, 1, &fixture->result);
	assert_int_equal(
		devices_set_up(fixture->devices, &fixture->request.port_id, 1, &failed, NULL), 0);
	if (fixture->result.state != state)
		fail_msg("%s: %s", device_state_name(fixture->result.state),
			 fixture->result.sentence);
}

static void expect_right(struct fixture *fixture)
{
	struct device_result result;

	if (!devices_check(fixture->devices, &fixture->request, &result))
		fail_msg("%s", result.sentence);
	assert_int_equal(result.state, DEVICE_PLUGGED);
	assert_int_equal(result.ifindex, fixture->result.ifindex);
}

static inline void expect_wrong(struct fixture *fixture, const char *what)
{
	struct device_result result;

	assert_false(devices_check(fixture->devices, &fixture->request, &result));
	assert_int_equal(result.state, DEVICE_FAILED);
	if (!strstr(result.sentence, what))
		fail_msg("%s", result.sentence);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

#endif
