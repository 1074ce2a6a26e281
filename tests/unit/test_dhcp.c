/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * agent/services/dhcp4_message.c, dhcp4.c, dhcp6.c, ra.c, punt_packet.c: messages as they are on the wire, what is
 * answered, and what is refused.
 */
#include "tests/unit/unit.h"

#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "agent/services/dhcp4.h"
#include "agent/services/dhcp6.h"
#include "agent/services/punt_packet.h"
#include "agent/services/ra.h"

static const uint8_t mac[6] = { 2, 0, 0, 0, 1, 0x11 };

/* A subnet with everything in it; freed by the caller with free_subnet(). */
static struct subnet_object *new_subnet(void)
{
	struct subnet_object *subnet = calloc(1, sizeof(*subnet));

	assert_non_null(subnet);
	subnet->object.id = 7;
	assert_int_equal(ip_prefix_parse("10.0.1.0/24", &subnet->cidrs[0]), 0);
	assert_int_equal(ip_prefix_parse("fd00:b:0:1::/64", &subnet->cidrs[1]), 0);
	ip_address_parse("10.0.1.1", &subnet->gateways[0]);
	ip_address_parse("fd00:b:0:1::1", &subnet->gateways[1]);
	subnet->dhcp = calloc(1, sizeof(*subnet->dhcp));
	subnet->ra = calloc(1, sizeof(*subnet->ra));
	assert_non_null(subnet->dhcp);
	assert_non_null(subnet->ra);
	subnet->dhcp->lease = 3600;
	subnet->ra->interval = 600;
	subnet->ra->lifetime = 1800;
	return subnet;
}

static void free_subnet(struct subnet_object *subnet)
{
	free(subnet->dhcp);
	free(subnet->ra);
	free(subnet);
}

static void begin_request(struct dhcp4_writer *writer, enum dhcp4_type type)
{
	struct dhcp4_header header = {
		.operation = DHCP4_REQUEST_OPERATION,
		.hardware = DHCP4_HARDWARE_ETHERNET,
		.hardware_size = sizeof(mac),
		.transaction = 0x12345678,
	};

	memcpy(header.hardware_address, mac, sizeof(mac));
	dhcp4_begin(writer, &header, DHCP4_MESSAGE_MAX);
	dhcp4_put_u8(writer, DHCP4_OPTION_TYPE, (uint8_t)type);
}

static enum dhcp_result answer(const struct subnet_object *subnet, struct dhcp4_writer *request,
			       struct dhcp4_message *reply, uint32_t *to)
{
	const struct dhcp_names names = { 0 };
	struct dhcp4_lease lease = {
		.subnet = subnet, .names = &names, .name = "web1", .mtu = 1450
	};
	struct dhcp4_message message;
	struct dhcp4_writer writer = { 0 };
	enum dhcp_result result;

	ip_address_parse("10.0.1.11", &lease.address);
	memcpy(lease.mac.byte, mac, sizeof(mac));
	dhcp4_end(request);
	assert_int_equal(dhcp4_read(request->bytes, request->size, &message), 0);
	result = dhcp4_answer(&lease, &message, &writer, to);
	if (writer.size)
		assert_int_equal(dhcp4_read(writer.bytes, writer.size, reply), 0);
	return result;
}

static void written_options_are_read(void **state)
{
	struct dhcp4_writer writer;
	struct dhcp4_message message;
	const uint8_t *bytes;
	uint8_t large[600];
	uint32_t value;
	size_t size;

	(void)state;
	memset(large, 'x', sizeof(large));
	begin_request(&writer, DHCP4_REQUEST);
	assert_true(dhcp4_put_u32(&writer, DHCP4_OPTION_LEASE, 0xfffffffe));
	assert_true(dhcp4_put(&writer, DHCP4_OPTION_RAPID_COMMIT, NULL, 0));
	assert_true(dhcp4_put(&writer, DHCP4_OPTION_ROUTES, large, sizeof(large)));
	dhcp4_end(&writer);
	assert_int_equal(dhcp4_read(writer.bytes, writer.size, &message), 0);
	assert_int_equal(message.type, DHCP4_REQUEST);
	assert_int_equal(message.header.transaction, 0x12345678);
	assert_true(dhcp4_get_u32(&message, DHCP4_OPTION_LEASE, &value));
	assert_int_equal(value, 0xfffffffe);
	assert_true(dhcp4_has(&message, DHCP4_OPTION_RAPID_COMMIT));
	assert_false(dhcp4_has(&message, DHCP4_OPTION_DNS));
	bytes = dhcp4_get(&message, DHCP4_OPTION_ROUTES, &size); /* RFC 3396: three parts */
	assert_int_equal(size, sizeof(large));
	assert_memory_equal(bytes, large, sizeof(large));
}

static void what_does_not_fit_is_left_out(void **state)
{
	const struct dhcp4_header header = { .operation = DHCP4_REPLY_OPERATION };
	struct dhcp4_writer writer;
	uint8_t bytes[100] = { 0 };

	(void)state;
	dhcp4_begin(&writer, &header, 0);
	assert_int_equal(writer.room, DHCP4_MESSAGE_LEAST);
	dhcp4_set_file(&writer, "pxe/start.0");
	assert_false(dhcp4_put(&writer, DHCP4_OPTION_TEXT, bytes, 62));
	assert_true(dhcp4_put(&writer, DHCP4_OPTION_TEXT, bytes, 54));
	assert_false(dhcp4_put(&writer, DHCP4_OPTION_DOMAIN, bytes, 62));
	assert_int_equal(writer.left_out, 2);
	dhcp4_end(&writer);
	assert_int_equal(writer.size, DHCP4_MESSAGE_LEAST);
	assert_int_equal(writer.bytes[DHCP4_MESSAGE_LEAST - 4], DHCP4_OPTION_END);
}

/* What the field of options has no room for goes into `file` and `sname`, whole. */
static void overload_is_written(void **state)
{
	const struct dhcp4_header header = { .operation = DHCP4_REPLY_OPERATION };
	struct dhcp4_message message;
	struct dhcp4_writer writer;
	uint8_t bytes[126];
	size_t size;

	(void)state;
	memset(bytes, 'x', sizeof(bytes));
	dhcp4_begin(&writer, &header, 0);
	assert_true(dhcp4_put(&writer, DHCP4_OPTION_TEXT, bytes, 54));
	assert_false(dhcp4_put(&writer, DHCP4_OPTION_SEARCH, bytes, 126));
	assert_true(dhcp4_put(&writer, DHCP4_OPTION_DOMAIN, bytes, 120));
	assert_true(dhcp4_put(&writer, DHCP4_OPTION_ROUTES, bytes, 56));
	assert_true(dhcp4_put(&writer, DHCP4_OPTION_HOST_NAME, bytes, 3));
	assert_true(dhcp4_put(&writer, DHCP4_OPTION_RAPID_COMMIT, NULL, 0));
	assert_false(dhcp4_put_u16(&writer, DHCP4_OPTION_MTU, 1));
	assert_int_equal(writer.left_out, 2);
	dhcp4_end(&writer);
	assert_int_equal(writer.size, DHCP4_MESSAGE_LEAST);
	assert_int_equal(dhcp4_read(writer.bytes, writer.size, &message), 0);
	assert_true(dhcp4_has(&message, DHCP4_OPTION_RAPID_COMMIT));
	assert_memory_equal(dhcp4_get(&message, DHCP4_OPTION_DOMAIN, &size), bytes, 120);
	assert_int_equal(size, 120);
	assert_memory_equal(dhcp4_get(&message, DHCP4_OPTION_ROUTES, &size), bytes, 56);
	assert_int_equal(size, 56);
	assert_memory_equal(dhcp4_get(&message, DHCP4_OPTION_HOST_NAME, &size), bytes, 3);
	assert_false(dhcp4_has(&message, DHCP4_OPTION_SEARCH));
}

static void malformed_messages_are_refused(void **state)
{
	struct dhcp4_writer writer;
	struct dhcp4_message message;
	size_t end;

	(void)state;
	begin_request(&writer, DHCP4_DISCOVER);
	end = writer.size;
	assert_int_equal(dhcp4_read(writer.bytes, end, &message), 0); /* no end mark: forgiven */
	for (size_t size = 0; size < DHCP4_FIXED_SIZE + 4; size++)
		assert_int_equal(dhcp4_read(writer.bytes, size, &message), -EBADMSG);
	writer.bytes[end] = DHCP4_OPTION_DNS;
	assert_int_equal(dhcp4_read(writer.bytes, end + 1, &message), -EBADMSG);
	writer.bytes[end + 1] = 4;
	assert_int_equal(dhcp4_read(writer.bytes, end + 5, &message), -EBADMSG);
	assert_int_equal(dhcp4_read(writer.bytes, end + 6, &message), 0);
	writer.bytes[2] = 17;
	assert_int_equal(dhcp4_read(writer.bytes, end + 6, &message), -EBADMSG);
	writer.bytes[2] = 6;
	writer.bytes[DHCP4_FIXED_SIZE] ^= 1;
	assert_int_equal(dhcp4_read(writer.bytes, end + 6, &message), -EBADMSG);
	assert_int_equal(dhcp4_read(writer.bytes, DHCP4_MESSAGE_MAX + 1, &message), -EBADMSG);
}

/* Options in `file` and `sname` (option 52). */
static void overload_is_read(void **state)
{
	struct dhcp4_writer writer;
	struct dhcp4_message message;
	uint32_t value;

	(void)state;
	begin_request(&writer, DHCP4_DISCOVER);
	memcpy(writer.bytes + 108, "\x33\x04\0\0\0\x2a\xff", 7);
	memcpy(writer.bytes + 44, "\x36\x04\x0a\0\0\1\xff", 7);
	dhcp4_end(&writer);
	assert_int_equal(dhcp4_read(writer.bytes, writer.size, &message), 0);
	assert_false(dhcp4_has(&message, DHCP4_OPTION_LEASE));
	begin_request(&writer, DHCP4_DISCOVER);
	memcpy(writer.bytes + 108, "\x33\x04\0\0\0\x2a\xff", 7);
	memcpy(writer.bytes + 44, "\x36\x04\x0a\0\0\1\xff", 7);
	dhcp4_put_u8(&writer, DHCP4_OPTION_OVERLOAD, 3);
	dhcp4_end(&writer);
	assert_int_equal(dhcp4_read(writer.bytes, writer.size, &message), 0);
	assert_true(dhcp4_get_u32(&message, DHCP4_OPTION_LEASE, &value));
	assert_int_equal(value, 42);
	assert_true(dhcp4_get_u32(&message, DHCP4_OPTION_SERVER, &value));
	assert_int_equal(value, 0x0a000001);
}

static void each_message_has_its_answer(void **state)
{
	static const struct {
		enum dhcp4_type type;
		const char *requested, *server, *client;
		enum dhcp_result result;
		uint32_t to;
	} cases[] = {
		{ DHCP4_DISCOVER, NULL, NULL, NULL, DHCP_RESULT_OFFER, 0x0a00010b },
		{ DHCP4_DISCOVER, "10.0.1.99", NULL, NULL, DHCP_RESULT_OFFER, 0x0a00010b },
		{ DHCP4_REQUEST, "10.0.1.11", "10.0.1.1", NULL, DHCP_RESULT_ACK, 0x0a00010b },
		{ DHCP4_REQUEST, "10.0.1.99", "10.0.1.1", NULL, DHCP_RESULT_NAK, 0xffffffff },
		{ DHCP4_REQUEST, "10.0.1.11", "10.0.1.9", NULL, DHCP_RESULT_OTHER_SERVER, 0 },
		{ DHCP4_REQUEST, "10.0.1.11", NULL, NULL, DHCP_RESULT_ACK, 0x0a00010b },
		{ DHCP4_REQUEST, NULL, NULL, "10.0.1.11", DHCP_RESULT_ACK, 0x0a00010b },
		{ DHCP4_REQUEST, NULL, NULL, "10.0.1.12", DHCP_RESULT_NAK, 0xffffffff },
		{ DHCP4_REQUEST, NULL, NULL, NULL, DHCP_RESULT_NAK, 0xffffffff },
		{ DHCP4_INFORM, NULL, NULL, "10.0.1.11", DHCP_RESULT_ACK, 0x0a00010b },
		{ DHCP4_DECLINE, "10.0.1.11", "10.0.1.1", NULL, DHCP_RESULT_DECLINE, 0 },
		{ DHCP4_RELEASE, NULL, "10.0.1.1", "10.0.1.11", DHCP_RESULT_RELEASE, 0 },
		{ DHCP4_OFFER, NULL, NULL, NULL, DHCP_RESULT_UNEXPECTED, 0 },
	};
	struct subnet_object *subnet = new_subnet();

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct dhcp4_writer request;
		struct dhcp4_message reply = { 0 };
		struct ip_address address;
		uint32_t to = 0;

		begin_request(&request, cases[i].type);
		if (cases[i].requested && !ip_address_parse(cases[i].requested, &address))
			dhcp4_put_u32(&request, DHCP4_OPTION_REQUESTED_ADDRESS,
				      ip_address_to_ipv4(&address));
		if (cases[i].server && !ip_address_parse(cases[i].server, &address))
			dhcp4_put_u32(&request, DHCP4_OPTION_SERVER, ip_address_to_ipv4(&address));
		if (cases[i].client && !ip_address_parse(cases[i].client, &address))
			memcpy(request.bytes + 12, address.byte + 12, 4);
		assert_int_equal(answer(subnet, &request, &reply, &to), cases[i].result);
		assert_int_equal(to, cases[i].to);
		if (cases[i].result == DHCP_RESULT_ACK && cases[i].type == DHCP4_REQUEST)
			assert_int_equal(reply.header.your, 0x0a00010b);
		if (cases[i].result == DHCP_RESULT_NAK)
			assert_int_equal(reply.header.your, 0);
		if (reply.type)
			assert_int_equal(reply.header.transaction, 0x12345678);
	}
	free_subnet(subnet);
}

static void classless_routes_are_as_in_rfc_3442(void **state)
{
	static const uint8_t wanted[] = { 17, 10, 9, 128, 10, 0, 1, 9, 0, 10, 0, 1, 1 };
	struct subnet_object *subnet = new_subnet();
	struct dhcp4_writer request;
	struct dhcp4_message reply;
	const uint8_t *bytes;
	uint32_t to;
	size_t size;

	(void)state;
	ip_prefix_parse("10.9.128.0/17", &subnet->dhcp->routes[0].to);
	ip_address_parse("10.0.1.9", &subnet->dhcp->routes[0].via);
	subnet->dhcp->route_count = 1;
	begin_request(&request, DHCP4_DISCOVER);
	assert_int_equal(answer(subnet, &request, &reply, &to), DHCP_RESULT_OFFER);
	bytes = dhcp4_get(&reply, DHCP4_OPTION_ROUTES, &size);
	assert_int_equal(size, sizeof(wanted));
	assert_memory_equal(bytes, wanted, sizeof(wanted));
	free_subnet(subnet);
}

static void a_small_client_gets_a_small_answer(void **state)
{
	struct subnet_object *subnet = new_subnet();
	struct dhcp4_writer request;
	struct dhcp4_message reply;
	uint32_t to;

	(void)state;
	for (int i = 0; i < 2; i++) {
		subnet->dhcp->options[subnet->dhcp->options_size] = (uint8_t)(224 + i);
		subnet->dhcp->options[subnet->dhcp->options_size + 1] = 250;
		subnet->dhcp->options_size += 252;
	}
	begin_request(&request, DHCP4_DISCOVER);
	answer(subnet, &request, &reply, &to);
	assert_true(dhcp4_has(&reply, DHCP4_OPTION_MASK));
	assert_false(dhcp4_has(&reply, (enum dhcp4_option)225));
	begin_request(&request, DHCP4_DISCOVER);
	dhcp4_put_u16(&request, DHCP4_OPTION_SIZE, 1500);
	answer(subnet, &request, &reply, &to);
	assert_true(dhcp4_has(&reply, (enum dhcp4_option)225));
	free_subnet(subnet);
}

/* ---- IPv6 ---- */

static void a_router_advertisement_is_as_in_rfc_4861(void **state)
{
	struct subnet_object *subnet = new_subnet();
	struct dhcp_names names = { .dns_count = 1, .search_count = 1 };
	static const char search[1][DOMAIN_SIZE] = { "a.example" };
	struct buf message = { 0 };
	const uint8_t *bytes;

	(void)state;
	ip_address_parse("fd00:b:0:1::2", &names.dns[0]);
	names.search = search;
	subnet->ra->mode = RA_STATELESS;
	ra_write(subnet, &names, 1450, &message);
	bytes = (const uint8_t *)message.data;
	assert_int_equal(message.size, 16 + 8 + 8 + 32 + 24 + 24);
	assert_memory_equal(bytes, "\x86\0\0\0\x40\x40\x07\x08\0\0\0\0\0\0\0\0\1\1", 18);
	assert_memory_equal(bytes + 24, "\5\1\0\0\0\0\x05\xaa\3\4\x40\xc0", 12);
	assert_memory_equal(bytes + 48, subnet->cidrs[1].address.byte, 16);
	assert_memory_equal(bytes + 64, "\x19\3\0\0\0\0\x07\x08", 8);
	assert_memory_equal(bytes + 88, "\x1f\3\0\0\0\0\x07\x08\1a\7example\0\0\0\0\0", 24);
	buf_reset(&message);
	subnet->ra->mode = RA_MANAGED;
	ra_write(subnet, &names, 1450, &message);
	assert_int_equal((uint8_t)message.data[5], 0xc0);
	assert_int_equal((uint8_t)message.data[35], 0x80);
	buf_fini(&message);
	free_subnet(subnet);
}

static enum dhcp_result ask6(const struct subnet_object *subnet, const char *message, size_t size,
			     struct buf *reply)
{
	const struct dhcp_names names = { 0 };
	struct dhcp6_lease lease = { .subnet = subnet, .names = &names, .lease = 100 };

	lease.gateway_mac = gateway_mac_of_id(7);
	ip_address_parse("fd00:b:0:1::11", &lease.address);
	buf_reset(reply);
	return dhcp6_answer(&lease, message, size, false, reply);
}

#define CLIENT6 "\0\1\0\3abc"
#define SERVER6 "\0\2\0\x0a\0\3\0\1\x06\x57\0\0\0\x07"
#define IA6 "\0\3\0\x0c\0\0\0\x2a\0\0\0\0\0\0\0\0"
#define ASK6(text) ask6(subnet, text, sizeof(text) - 1, &reply)

static void each_message_of_dhcpv6_has_its_answer(void **state)
{
	struct subnet_object *subnet = new_subnet();
	struct buf reply = { 0 };

	(void)state;
	assert_int_equal(ASK6("\1xyz" CLIENT6 IA6), DHCP_RESULT_ADVERTISE);
	assert_memory_equal(reply.data,
			    "\2xyz" CLIENT6 SERVER6 "\0\3\0\x28\0\0\0\x2a\0\0\0\x32\0\0\0\x50",
			    4 + 7 + 14 + 16);
	assert_memory_equal(reply.data + 41, "\0\5\0\x18", 4);
	assert_memory_equal(reply.data + 61, "\0\0\0\x64\0\0\0\x64", 8);
	assert_int_equal(ASK6("\1xyz" IA6), DHCP_RESULT_UNEXPECTED);
	assert_int_equal(reply.size, 0);
	assert_int_equal(ASK6("\1xyz" CLIENT6 SERVER6 IA6), DHCP_RESULT_UNEXPECTED);
	assert_int_equal(ASK6("\3xyz" CLIENT6 SERVER6 IA6), DHCP_RESULT_REPLY);
	assert_int_equal(ASK6("\3xyz" CLIENT6 IA6), DHCP_RESULT_UNEXPECTED);
	assert_int_equal(ASK6("\3xyz" CLIENT6 "\0\2\0\1s" IA6), DHCP_RESULT_OTHER_SERVER);
	assert_int_equal(ASK6("\5xyz" CLIENT6 SERVER6 IA6), DHCP_RESULT_REPLY);
	assert_int_equal(ASK6("\6xyz" CLIENT6 IA6), DHCP_RESULT_REPLY);
	assert_int_equal(ASK6("\x08xyz" CLIENT6 SERVER6 IA6), DHCP_RESULT_RELEASE);
	assert_int_equal(ASK6("\x09xyz" CLIENT6 SERVER6 IA6), DHCP_RESULT_DECLINE);
	assert_int_equal(ASK6("\x0bxyz"), DHCP_RESULT_REPLY);
	assert_int_equal(ASK6("\4xyz" CLIENT6 IA6), DHCP_RESULT_UNEXPECTED); /* of no address */
	assert_int_equal(ASK6("\x0cxyz" CLIENT6), DHCP_RESULT_UNEXPECTED);
	assert_int_equal(ASK6("\1xyz" CLIENT6 "\0\3\0\x0b\0\0\0\x2a\0\0\0\0\0\0\0"),
			 DHCP_RESULT_MALFORMED);
	assert_int_equal(ASK6("\1xy"), DHCP_RESULT_MALFORMED);
	assert_int_equal(ASK6("\1xyz\0\1\0\4abc"), DHCP_RESULT_MALFORMED);
	buf_fini(&reply);
	free_subnet(subnet);
}

#define IA6_TEMPORARY "\0\4\0\4\0\0\0\x2b"
#define IA6_PREFIX "\0\x19\0\x0c\0\0\0\x2c\0\0\0\0\0\0\0\0"

/* Whether the bytes are in the answer. */
static bool says(const struct buf *reply, const char *bytes, size_t size)
{
	return memmem(reply->data, reply->size, bytes, size);
}

#define SAYS(text) says(&reply, text, sizeof(text) - 1)

static void what_a_port_has_not_dhcpv6_refuses_by_name(void **state)
{
	static const char held[] =
		"\6xyz\0\1\0\3abc\0\3\0\x28\0\0\0\x2a\0\0\0\0\0\0\0\0"
		"\0\5\0\x18\xfd\0\0\x0b\0\0\0\1\0\0\0\0\0\0\0\x77\0\0\0\1\0\0\0\1";
	struct subnet_object *subnet = new_subnet();
	struct buf reply = { 0 };
	char message[sizeof(held) - 1 + sizeof(SERVER6) - 1];

	(void)state;
	/* No prefix is delegated, and no address is temporary (RFC 8415, 18.3.9 and 18.3.2). */
	assert_int_equal(ASK6("\1xyz" CLIENT6 IA6 IA6_TEMPORARY IA6_PREFIX), DHCP_RESULT_ADVERTISE);
	assert_true(SAYS("\0\3\0\x28\0\0\0\x2a"));
	assert_true(SAYS("\0\x19\0\x28\0\0\0\x2c\0\0\0\0\0\0\0\0\0\x0d\0\x18\0\6"));
	assert_true(SAYS("\0\4\0\x29\0\0\0\x2b\0\x0d\0\x21\0\2"));
	assert_int_equal(ASK6("\3xyz" CLIENT6 SERVER6 IA6_PREFIX), DHCP_RESULT_REPLY);
	assert_true(SAYS("\0\x19\0\x28\0\0\0\x2c\0\0\0\0\0\0\0\0\0\x0d\0\x18\0\6"));
	/* Nor was one ever (18.3.4, 18.3.5, 18.3.7). */
	assert_int_equal(ASK6("\5xyz" CLIENT6 SERVER6 IA6_PREFIX), DHCP_RESULT_REPLY);
	assert_true(SAYS("\0\0\0\x2c\0\0\0\0\0\0\0\0\0\x0d\0\x18\0\3"));
	assert_int_equal(ASK6("\6xyz" CLIENT6 IA6_PREFIX), DHCP_RESULT_REPLY);
	assert_true(SAYS("\0\0\0\x2c\0\0\0\0\0\0\0\0\0\x0d\0\x18\0\3"));
	assert_int_equal(ASK6("\x08xyz" CLIENT6 SERVER6 IA6_PREFIX), DHCP_RESULT_RELEASE);
	assert_true(SAYS("\0\0\0\x2c\0\0\0\0\0\0\0\0\0\x0d\0\x18\0\3"));
	assert_int_equal(ASK6("\x08xyz" CLIENT6 SERVER6 IA6), DHCP_RESULT_RELEASE);
	assert_false(SAYS("\0\0\0\x2a"));
	/* Without an address that it could have there is nothing to commit. */
	assert_int_equal(ASK6("\1xyz" CLIENT6 "\0\x0e\0\0" IA6_PREFIX), DHCP_RESULT_ADVERTISE);
	assert_int_equal(ASK6("\1xyz" CLIENT6 "\0\x0e\0\0" IA6), DHCP_RESULT_REPLY);
	assert_int_equal(ASK6("\x0bxyz" CLIENT6 IA6_PREFIX), DHCP_RESULT_UNEXPECTED);
	assert_int_equal(ASK6("\1xyz" CLIENT6 "\0\4\0\3abc"), DHCP_RESULT_MALFORMED);
	assert_int_equal(ASK6("\1xyz" CLIENT6 "\0\x19\0\4abcd"), DHCP_RESULT_MALFORMED);
	/* An address of another link is none to ask for (18.3.2); one of this link gives way. */
	assert_int_equal(ask6(subnet, held, sizeof(held) - 1, &reply), DHCP_RESULT_REPLY);
	memcpy(message, held, 11);
	memcpy(message + 11, SERVER6, sizeof(SERVER6) - 1);
	memcpy(message + 11 + sizeof(SERVER6) - 1, held + 11, sizeof(held) - 1 - 11);
	message[0] = 3;
	assert_int_equal(ask6(subnet, message, sizeof(message), &reply), DHCP_RESULT_REPLY);
	assert_true(SAYS("\0\0\0\x11\0\0\0\x64\0\0\0\x64"));
	message[11 + sizeof(SERVER6) - 1 + 20 + 7] = 2;
	assert_int_equal(ask6(subnet, message, sizeof(message), &reply), DHCP_RESULT_REPLY);
	assert_true(SAYS("\0\0\0\x2a\0\0\0\0\0\0\0\0\0\x0d"));
	assert_false(SAYS("\0\5\0\x18"));
	buf_fini(&reply);
	free_subnet(subnet);
}

/* ---- frames ---- */

static void a_frame_is_read_as_it_was_written(void **state)
{
	static const char *const ends[][2] = { { "10.0.1.1", "255.255.255.255" },
					       { "fe80::1", "ff02::1" } };
	static const uint8_t payload[5] = "weft";

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct punt_packet packet = {
			.protocol = i < 2 ? IPPROTO_UDP : IPPROTO_ICMPV6,
			.hop_limit = 255,
			.source_port = 67,
			.destination_port = 68,
			.payload = payload,
			.payload_size = sizeof(payload),
		};
		struct punt_packet again;
		uint8_t frame[200];
		size_t size;

		if (i == 2) /* ICMPv6 in IPv4 is none */
			continue;
		ip_address_parse(ends[i & 1][0], &packet.source);
		ip_address_parse(ends[i & 1][1], &packet.destination);
		memcpy(packet.source_mac.byte, mac, sizeof(mac));
		assert_int_equal(punt_packet_write(&packet, frame, 40), 0);
		size = punt_packet_write(&packet, frame, sizeof(frame));
		assert_true(size > 0);
		assert_int_equal(punt_packet_read(frame, size, &again), 0);
		assert_int_equal(again.payload_size, sizeof(payload));
		assert_int_equal(again.hop_limit, 255);
		assert_true(ip_address_equal(&again.destination, &packet.destination));
		if (packet.protocol == IPPROTO_UDP)
			assert_int_equal(again.destination_port, 68);
		for (size_t at = 14; at < size; at++) {
			frame[at] ^= 0x10;
			/* Every byte is under a checksum but what IPv6 has in front of its addresses. */
			if (i == 0 || at >= 22 + 14)
				assert_int_equal(punt_packet_read(frame, size, &again), -EBADMSG);
			else
				punt_packet_read(frame, size, &again);
			frame[at] ^= 0x10;
		}
		for (size_t cut = 0; cut < size; cut++)
			assert_int_equal(punt_packet_read(frame, cut, &again), -EBADMSG);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(written_options_are_read),
		cmocka_unit_test(what_does_not_fit_is_left_out),
		cmocka_unit_test(malformed_messages_are_refused),
		cmocka_unit_test(overload_is_read),
		cmocka_unit_test(overload_is_written),
		cmocka_unit_test(each_message_has_its_answer),
		cmocka_unit_test(classless_routes_are_as_in_rfc_3442),
		cmocka_unit_test(a_small_client_gets_a_small_answer),
		cmocka_unit_test(a_router_advertisement_is_as_in_rfc_4861),
		cmocka_unit_test(each_message_of_dhcpv6_has_its_answer),
		cmocka_unit_test(what_a_port_has_not_dhcpv6_refuses_by_name),
		cmocka_unit_test(a_frame_is_read_as_it_was_written),
	};

	return cmocka_run_group_tests_name("dhcp", tests, NULL, NULL);
}
