/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Answers to DHCPv6 messages (RFC 8415, section 18.3); the contract is in dhcp6.h.
 *
 *	SOLICIT              ADVERTISE, or with rapid commit at once REPLY
 *	REQUEST, RENEW,      REPLY with the port's address; other addresses the client names get a lifetime
 *	  REBIND             of 0
 *	CONFIRM              REPLY: whether its addresses are of this link
 *	RELEASE, DECLINE     REPLY; nothing else happens
 *	INFORMATION-REQUEST  REPLY without addresses
 *
 * The server's identifier is made of the gateway's MAC (DUID-LL), so that every host gives the same. One
 * identity association gets the address, further ones are told that there is none left. Prefixes and
 * temporary addresses are refused in the associations that ask for them.
 */
#include "agent/services/dhcp6.h"

#include <string.h>

#include "base/cursor.h"

enum message_type {
	SOLICIT = 1,
	ADVERTISE = 2,
	REQUEST = 3,
	CONFIRM = 4,
	RENEW = 5,
	REBIND = 6,
	REPLY = 7,
	RELEASE = 8,
	DECLINE = 9,
	INFORMATION = 11,
};

enum option_code {
	OPTION_CLIENT = 1,
	OPTION_SERVER = 2,
	OPTION_IA = 3, /* IA_NA */
	OPTION_IA_TEMPORARY = 4,
	OPTION_ADDRESS = 5,
	OPTION_WANTED = 6,
	OPTION_STATUS = 13,
	OPTION_RAPID_COMMIT = 14,
	OPTION_DNS = 23,
	OPTION_SEARCH = 24,
	OPTION_IA_PREFIX = 25,
	OPTION_REFRESH = 32,
	OPTION_NTP = 56, /* RFC 5908 */
};

enum status {
	STATUS_SUCCESS = 0,
	STATUS_NO_ADDRESSES = 2,
	STATUS_NO_BINDING = 3,
	STATUS_NOT_ON_LINK = 4,
	STATUS_USE_MULTICAST = 5,
	STATUS_NO_PREFIXES = 6,
};

#define DUID_SIZE_MAX 130
#define SERVER_DUID_SIZE 10
#define IA_MAX 8
#define IA_HEADER_SIZE 12
#define NTP_SERVER_ADDRESS 1
#define HOUR 3600

static const char no_further_address[] = "the port has no further address";

/* An identity association of the client, with what it holds. */
struct association {
	uint16_t code;
	uint32_t id;
	const uint8_t *options;
	size_t size;
};

struct request {
	uint8_t type;
	uint8_t transaction[3];
	const uint8_t *client, *server; /* NULL: not there */
	size_t client_size, server_size;
	size_t association_count;
	struct association associations[IA_MAX];
	bool rapid;
};

/* ---- reading ---- */

static int read_association(struct request *request, uint16_t code, struct cursor *body)
{
	struct association *association = &request->associations[request->association_count];
	uint32_t renew, rebind;

	if (request->association_count == IA_MAX)
		return 0;
	if (cursor_be32(body, &association->id))
		return -1;
	if (code != OPTION_IA_TEMPORARY &&
	    (cursor_be32(body, &renew) || cursor_be32(body, &rebind)))
		return -1;
	association->code = code;
	association->options = body->data;
	association->size = body->size;
	request->association_count++;
	return 0;
}

static int read_option(struct request *request, uint16_t code, struct cursor *body)
{
	switch (code) {
	case OPTION_CLIENT:
		request->client = body->data;
		request->client_size = body->size;
		return !body->size || body->size > DUID_SIZE_MAX ? -1 : 0;
	case OPTION_SERVER:
		request->server = body->data;
		request->server_size = body->size;
		return body->size ? 0 : -1;
	case OPTION_IA:
	case OPTION_IA_TEMPORARY:
	case OPTION_IA_PREFIX: return read_association(request, code, body);
	case OPTION_RAPID_COMMIT: request->rapid = true; return 0;
	default: return 0;
	}
}

static int read_request(const void *message, size_t size, struct request *request)
{
	struct cursor cursor, body;

	memset(request, 0, sizeof(*request));
	cursor_init(&cursor, message, size);
	if (cursor_u8(&cursor, &request->type) ||
	    cursor_bytes(&cursor, request->transaction, sizeof(request->transaction)))
		return -1;
	while (cursor_remaining(&cursor)) {
		uint16_t code, length;

		if (cursor_be16(&cursor, &code) || cursor_be16(&cursor, &length) ||
		    cursor_sub(&cursor, &body, length) || read_option(request, code, &body))
			return -1;
	}
	return 0;
}

/* The next address in an association. Return: false at the end, or behind what is malformed. */
static bool next_address(struct cursor *cursor, struct ip_address *address)
{
	while (cursor_remaining(cursor)) {
		struct cursor body;
		uint16_t code, length;

		if (cursor_be16(cursor, &code) || cursor_be16(cursor, &length) ||
		    cursor_sub(cursor, &body, length))
			return false;
		if (code == OPTION_ADDRESS &&
		    !cursor_bytes(&body, address->byte, sizeof(address->byte)))
			return true;
	}
	return false;
}

/* ---- writing ---- */

static void append_u16(struct buf *reply, size_t value)
{
	buf_append_char(reply, (char)(value >> 8));
	buf_append_char(reply, (char)value);
}

static void append_u32(struct buf *reply, uint32_t value)
{
	append_u16(reply, value >> 16);
	append_u16(reply, value & 0xffff);
}

static void append_option(struct buf *reply, uint16_t code, const void *bytes, size_t size)
{
	append_u16(reply, code);
	append_u16(reply, size);
	buf_append(reply, bytes, size);
}

static void server_duid(const struct dhcp6_lease *lease, uint8_t duid[SERVER_DUID_SIZE])
{
	static const uint8_t head[4] = { 0, 3, 0, 1 }; /* DUID-LL, Ethernet */

	memcpy(duid, head, sizeof(head));
	memcpy(duid + sizeof(head), lease->gateway_mac.byte, sizeof(lease->gateway_mac.byte));
}

static void append_status(struct buf *reply, enum status status, const char *text)
{
	append_u16(reply, OPTION_STATUS);
	append_u16(reply, 2 + strlen(text));
	append_u16(reply, status);
	buf_append_text(reply, text);
}

static void append_address(struct buf *reply, const struct ip_address *address, uint32_t lifetime)
{
	append_u16(reply, OPTION_ADDRESS);
	append_u16(reply, 24);
	buf_append(reply, address->byte, sizeof(address->byte));
	append_u32(reply, lifetime);
	append_u32(reply, lifetime);
}

static bool has_address(const struct dhcp6_lease *lease)
{
	return !ip_address_is_unspecified(&lease->address);
}

/* What the client has and the port has not ends now. */
static void append_others(const struct dhcp6_lease *lease, const struct association *association,
			  bool given, struct buf *reply)
{
	struct cursor cursor;
	struct ip_address address;

	cursor_init(&cursor, association->options, association->size);
	while (next_address(&cursor, &address))
		if (!given || !ip_address_equal(&address, &lease->address))
			append_address(reply, &address, 0);
}

/* Nothing but why there is nothing. */
static void append_refused(const struct association *association, enum status status,
			   const char *text, struct buf *reply)
{
	struct buf inner = { 0 };

	append_u32(&inner, association->id);
	if (association->code != OPTION_IA_TEMPORARY) {
		append_u32(&inner, 0);
		append_u32(&inner, 0);
	}
	append_status(&inner, status, text);
	append_option(reply, association->code, inner.data, inner.size);
	buf_fini(&inner);
}

static void append_no_binding(const struct association *association, struct buf *reply)
{
	append_refused(association, STATUS_NO_BINDING, "there is no such lease", reply);
}

/* Whether the client asks for an address of another link (section 18.3.2). */
static bool is_elsewhere(const struct dhcp6_lease *lease, const struct association *association)
{
	struct cursor cursor;
	struct ip_address address;

	cursor_init(&cursor, association->options, association->size);
	while (next_address(&cursor, &address))
		if (!ip_prefix_contains(&lease->subnet->cidrs[1], &address))
			return true;
	return false;
}

static void append_association(const struct dhcp6_lease *lease, const struct request *request,
			       const struct association *association, bool given, struct buf *reply)
{
	const bool forever = lease->lease == DHCP_LEASE_FOREVER;
	struct buf inner = { 0 };

	append_u32(&inner, association->id);
	append_u32(&inner, forever ? DHCP_LEASE_FOREVER : lease->lease / 2);
	append_u32(&inner,
		   forever ? DHCP_LEASE_FOREVER : (uint32_t)((uint64_t)lease->lease * 4 / 5));
	if (given)
		append_address(&inner, &lease->address, lease->lease);
	else
		append_status(&inner, STATUS_NO_ADDRESSES, no_further_address);
	if (request->type == RENEW || request->type == REBIND)
		append_others(lease, association, given, &inner);
	append_option(reply, OPTION_IA, inner.data, inner.size);
	buf_fini(&inner);
}

static void append_ntp(const struct dhcp6_lease *lease, struct buf *reply)
{
	const struct subnet_dhcp *dhcp = lease->subnet->dhcp;

	for (size_t i = 0; dhcp && i < dhcp->ntp_count; i++) {
		if (ip_address_is_ipv4(&dhcp->ntp[i]))
			continue;
		append_u16(reply, OPTION_NTP);
		append_u16(reply, 20);
		append_option(reply, NTP_SERVER_ADDRESS, dhcp->ntp[i].byte, 16);
	}
}

static void append_names(const struct dhcp6_lease *lease, const struct request *request,
			 struct buf *reply)
{
	const struct dhcp_names *names = lease->names;
	struct buf inner = { 0 };

	for (size_t i = 0; i < names->dns_count; i++)
		if (!ip_address_is_ipv4(&names->dns[i]))
			buf_append(&inner, names->dns[i].byte, sizeof(names->dns[i].byte));
	if (inner.size)
		append_option(reply, OPTION_DNS, inner.data, inner.size);
	buf_reset(&inner);
	for (size_t i = 0; i < names->search_count; i++)
		dhcp_append_name(&inner, names->search[i]);
	if (inner.size)
		append_option(reply, OPTION_SEARCH, inner.data, inner.size);
	buf_fini(&inner);
	append_ntp(lease, reply);
	if (request->type == INFORMATION) {
		append_u16(reply, OPTION_REFRESH);
		append_u16(reply, 4);
		append_u32(reply, lease->lease > HOUR ? lease->lease : HOUR);
	}
}

static void begin(const struct dhcp6_lease *lease, const struct request *request,
		  enum message_type type, struct buf *reply)
{
	uint8_t duid[SERVER_DUID_SIZE];

	server_duid(lease, duid);
	buf_append_char(reply, (char)type);
	buf_append(reply, request->transaction, sizeof(request->transaction));
	if (request->client)
		append_option(reply, OPTION_CLIENT, request->client, request->client_size);
	append_option(reply, OPTION_SERVER, duid, sizeof(duid));
}

static void append_associations(const struct dhcp6_lease *lease, const struct request *request,
				struct buf *reply)
{
	const bool again = request->type == RENEW || request->type == REBIND;
	bool left = has_address(lease);

	for (size_t i = 0; i < request->association_count; i++) {
		const struct association *association = &request->associations[i];

		if (association->code != OPTION_IA && again) {
			append_no_binding(association, reply);
		} else if (association->code == OPTION_IA_PREFIX) {
			append_refused(association, STATUS_NO_PREFIXES, "no prefix is delegated",
				       reply);
		} else if (association->code == OPTION_IA_TEMPORARY) {
			append_refused(association, STATUS_NO_ADDRESSES, no_further_address, reply);
		} else if (request->type == REQUEST && is_elsewhere(lease, association)) {
			append_refused(association, STATUS_NOT_ON_LINK,
				       "the address is not of this subnet", reply);
		} else {
			append_association(lease, request, association, left, reply);
			left = false;
		}
	}
}

/* ---- each message ---- */

static bool asks_address(const struct request *request)
{
	for (size_t i = 0; i < request->association_count; i++)
		if (request->associations[i].code == OPTION_IA)
			return true;
	return false;
}

static enum dhcp_result answer_solicit(const struct dhcp6_lease *lease,
				       const struct request *request, struct buf *reply)
{
	const bool commit = request->rapid && has_address(lease) && asks_address(request);

	begin(lease, request, commit ? REPLY : ADVERTISE, reply);
	if (commit)
		append_option(reply, OPTION_RAPID_COMMIT, "", 0);
	append_associations(lease, request, reply);
	if (!has_address(lease))
		append_status(reply, STATUS_NO_ADDRESSES, "the port has no IPv6 address to give");
	append_names(lease, request, reply);
	return commit ? DHCP_RESULT_REPLY : DHCP_RESULT_ADVERTISE;
}

static enum dhcp_result answer_confirm(const struct dhcp6_lease *lease,
				       const struct request *request, struct buf *reply)
{
	struct ip_address address;
	size_t count = 0;
	bool good = true;

	for (size_t i = 0; i < request->association_count; i++) {
		struct cursor cursor;

		cursor_init(&cursor, request->associations[i].options,
			    request->associations[i].size);
		while (next_address(&cursor, &address)) {
			good = good && ip_address_equal(&address, &lease->address);
			count++;
		}
	}
	if (!count) /* section 18.3.3 */
		return DHCP_RESULT_UNEXPECTED;
	begin(lease, request, REPLY, reply);
	append_status(reply, good ? STATUS_SUCCESS : STATUS_NOT_ON_LINK,
		      good ? "" : "the address is not this port's");
	return DHCP_RESULT_REPLY;
}

static enum dhcp_result answer_end(const struct dhcp6_lease *lease, const struct request *request,
				   enum dhcp_result result, struct buf *reply)
{
	begin(lease, request, REPLY, reply);
	append_status(reply, STATUS_SUCCESS, "");
	for (size_t i = 0; i < request->association_count; i++)
		if (request->associations[i].code != OPTION_IA)
			append_no_binding(&request->associations[i], reply);
	return result;
}

static enum dhcp_result answer_other(const struct dhcp6_lease *lease, const struct request *request,
				     struct buf *reply)
{
	begin(lease, request, REPLY, reply);
	if (request->type != INFORMATION)
		append_associations(lease, request, reply);
	append_names(lease, request, reply);
	return DHCP_RESULT_REPLY;
}

/* Section 16: which messages name a server, which a client. Return: false to discard it. */
static bool is_addressed(const struct dhcp6_lease *lease, const struct request *request,
			 enum dhcp_result *result)
{
	uint8_t duid[SERVER_DUID_SIZE];
	bool named = request->type == REQUEST || request->type == RENEW ||
		     request->type == RELEASE || request->type == DECLINE;

	*result = DHCP_RESULT_UNEXPECTED;
	if (request->type == INFORMATION ? request->association_count != 0 : !request->client)
		return false;
	if (named != (request->server != NULL) &&
	    (request->type != INFORMATION || !request->server))
		return request->type == INFORMATION;
	if (!request->server)
		return true;
	server_duid(lease, duid);
	*result = DHCP_RESULT_OTHER_SERVER;
	return request->server_size == sizeof(duid) &&
	       memcmp(request->server, duid, sizeof(duid)) == 0;
}

/* To the server's own address, which nobody was told to use (section 18.3). */
static enum dhcp_result answer_unicast(const struct dhcp6_lease *lease,
				       const struct request *request, struct buf *reply)
{
	if (request->type != REQUEST && request->type != RENEW && request->type != RELEASE &&
	    request->type != DECLINE)
		return DHCP_RESULT_UNEXPECTED;
	begin(lease, request, REPLY, reply);
	append_status(reply, STATUS_USE_MULTICAST, "ask all servers");
	return DHCP_RESULT_REPLY;
}

enum dhcp_result dhcp6_answer(const struct dhcp6_lease *lease, const void *message, size_t size,
			      bool unicast, struct buf *reply)
{
	struct request request;
	enum dhcp_result result;

	if (read_request(message, size, &request))
		return DHCP_RESULT_MALFORMED;
	if (!is_addressed(lease, &request, &result))
		return result;
	if (unicast)
		return answer_unicast(lease, &request, reply);
	switch (request.type) {
	case SOLICIT: return answer_solicit(lease, &request, reply);
	case REQUEST:
	case RENEW:
	case REBIND:
	case INFORMATION: return answer_other(lease, &request, reply);
	case CONFIRM: return answer_confirm(lease, &request, reply);
	case RELEASE: return answer_end(lease, &request, DHCP_RESULT_RELEASE, reply);
	case DECLINE: return answer_end(lease, &request, DHCP_RESULT_DECLINE, reply);
	default: return DHCP_RESULT_UNEXPECTED;
	}
}
