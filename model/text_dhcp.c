/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * "dhcp" and "ra" of a subnet: JSON to struct and back.
 *
 * Both may be a word (true, "slaac") or a map. Arbitrary DHCP options are given by number; those that have
 * a key of their own, or that Weft makes itself, are refused, so that there is one place to look.
 *
 * Neighbours: dhcp.h, text_read.c and text_write.c (the callers), check_dhcp.c (what needs the subnet).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/hex.h"
#include "model/text_private.h"

#define LEASE_MIN 60
#define RA_SECONDS_MAX 9000 /* RFC 4861, 6.2.1 */
#define RA_INTERVAL_MIN 4
#define RA_INTERVAL_MAX 1800
#define OPTION_LENGTH_MAX 255

/* ---- names and addresses ---- */

/* Labels of letters, digits, - and _, with dots between. */
static bool domain_is_valid(const char *text)
{
	size_t label = 0, length = strlen(text);

	if (length == 0 || length >= DOMAIN_SIZE)
		return false;
	for (const char *c = text; *c; c++) {
		bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
			     (*c >= '0' && *c <= '9') || *c == '_' || *c == '-';

		if (*c == '.' ? label == 0 : !plain)
			return false;
		label = *c == '.' ? 0 : label + 1;
		if (label > 63)
			return false;
	}
	return label > 0;
}

static bool read_domain_text(struct reading *reading, const char *key, const char *text,
			     char domain[DOMAIN_SIZE])
{
	if (!domain_is_valid(text))
		return text_refuse(reading->draft, reading->reader, key,
				   "%s \"%.64s\" is not a domain name", key, text);
	snprintf(domain, DOMAIN_SIZE, "%s", text);
	return true;
}

static size_t read_search(struct reading *reading, char search[DHCP_SEARCH_MAX][DOMAIN_SIZE],
			  bool *present)
{
	const char *texts[DHCP_SEARCH_MAX];
	size_t count = text_read_texts(reading, "search", JSON_OPTIONAL, true, texts,
				       DHCP_SEARCH_MAX, present);

	size_t size = 0;

	for (size_t i = 0; i < count; i++) {
		if (!read_domain_text(reading, "search", texts[i], search[i]))
			return 0;
		size += strlen(search[i]) + 2; /* as labels */
	}
	if (size > DHCP_SEARCH_SIZE) {
		text_refuse(reading->draft, reading->reader, "search",
			    "the names of search have at most %d bytes together, not %zu",
			    DHCP_SEARCH_SIZE, size);
		return 0;
	}
	return count;
}

static size_t read_addresses(struct reading *reading, const char *key, struct ip_address *list,
			     size_t count_max, bool *present)
{
	const char *texts[DHCP_SERVERS_MAX];
	size_t count =
		text_read_texts(reading, key, JSON_OPTIONAL, true, texts, count_max, present);

	for (size_t i = 0; i < count; i++)
		if (!text_parse_address(reading, key, texts[i], &list[i]))
			return 0;
	return count;
}

static size_t read_ipv4(struct reading *reading, const char *key, struct ip_address *list,
			size_t count_max, bool *present)
{
	size_t count = read_addresses(reading, key, list, count_max, present);

	for (size_t i = 0; i < count; i++)
		if (!ip_address_is_ipv4(&list[i])) {
			text_refuse(reading->draft, reading->reader, key,
				    "%s of DHCP are IPv4 addresses", key);
			return 0;
		}
	return count;
}

/* ---- options by number ---- */

/* Who else says it. */
static const struct {
	uint8_t code;
	const char *key; /* NULL: Weft itself */
} known_options[] = {
	{ 0, NULL },  { 1, NULL },       { 3, "routers" },      { 6, "dns" },
	{ 12, NULL }, { 15, "domain" },  { 26, NULL },          { 42, "ntp" },
	{ 50, NULL }, { 51, "lease" },   { 52, NULL },          { 53, NULL },
	{ 54, NULL }, { 55, NULL },      { 57, NULL },          { 58, NULL },
	{ 59, NULL }, { 61, NULL },      { 66, "tftp_server" }, { 67, "boot_file" },
	{ 82, NULL }, { 119, "search" }, { 121, "routes" },     { 255, NULL },
};

/* "hex:0104", a text, or a list of IPv4 addresses. Return: bytes, 0 when it is none of these. */
static size_t option_bytes(const json_t *value, uint8_t bytes[OPTION_LENGTH_MAX])
{
	const char *text = json_string_value(value);
	size_t size = 0;

	if (json_is_array(value)) {
		size_t index;
		json_t *element;

		json_array_foreach((json_t *)(uintptr_t)value, index, element) {
			struct ip_address address;

			if (!json_is_string(element) ||
			    ip_address_parse(json_string_value(element), &address) ||
			    !ip_address_is_ipv4(&address) || size + 4 > OPTION_LENGTH_MAX)
				return 0;
			memcpy(bytes + size, address.byte + 12, 4);
			size += 4;
		}
		return size;
	}
	if (!text)
		return 0;
	if (strncmp(text, "hex:", 4) != 0) {
		size = strlen(text);
		if (size > OPTION_LENGTH_MAX)
			return 0;
		memcpy(bytes, text, size);
		return size;
	}
	for (text += 4; *text; text += 2) {
		int byte = hex_byte(text);

		if (byte < 0 || size == OPTION_LENGTH_MAX)
			return 0;
		bytes[size++] = (uint8_t)byte;
	}
	return size;
}

static bool read_option(struct reading *reading, const char *name, const json_t *value,
			uint8_t values[256][OPTION_LENGTH_MAX], uint8_t sizes[256])
{
	char *end;
	unsigned long code = strtoul(name, &end, 10);

	if (*end || end == name || *name == '0' || *name == '-' || *name == '+' || code > 254)
		return text_refuse(reading->draft, reading->reader, "options",
				   "\"%.32s\" is not the number of a DHCP option, 1 to 254", name);
	for (size_t i = 0; i < ARRAY_SIZE(known_options); i++) {
		if (known_options[i].code != code)
			continue;
		if (known_options[i].key)
			return text_refuse(reading->draft, reading->reader, "options",
					   "DHCP option %lu is said by the key %s", code,
					   known_options[i].key);
		return text_refuse(reading->draft, reading->reader, "options",
				   "DHCP option %lu is made by Weft itself", code);
	}
	sizes[code] = (uint8_t)option_bytes(value, values[code]);
	if (!sizes[code])
		return text_refuse(reading->draft, reading->reader, "options",
				   "DHCP option %lu is a text, \"hex:\" and pairs of digits, or a "
				   "list of IPv4 addresses; 1 to %d bytes",
				   code, OPTION_LENGTH_MAX);
	return true;
}

static void read_options(struct reading *reading, struct subnet_dhcp *dhcp)
{
	uint8_t(*values)[OPTION_LENGTH_MAX] = xcalloc(256, sizeof(*values));
	uint8_t sizes[256] = { 0 };
	json_t *names, *value;
	const char *name;
	bool good = json_reader_names(reading->reader, "options", JSON_OPTIONAL, &names);

	if (good)
		json_object_foreach(names, name, value)
			good = good && read_option(reading, name, value, values, sizes);
	for (unsigned int code = 1; good && code < 255; code++) {
		if (!sizes[code])
			continue;
		if (dhcp->options_size + 2u + sizes[code] > DHCP_OPTIONS_SIZE) {
			(void)text_refuse(reading->draft, reading->reader, "options",
					  "the options are more than %d bytes together",
					  DHCP_OPTIONS_SIZE);
			break;
		}
		dhcp->options[dhcp->options_size++] = (uint8_t)code;
		dhcp->options[dhcp->options_size++] = sizes[code];
		memcpy(dhcp->options + dhcp->options_size, values[code], sizes[code]);
		dhcp->options_size += sizes[code];
	}
	free(values);
}

/* ---- dhcp ---- */

static void read_routes(struct reading *reading, struct subnet_dhcp *dhcp)
{
	json_t *routes, *value;
	size_t index;

	if (!json_reader_array(reading->reader, "routes", JSON_OPTIONAL, DHCP_ROUTES_MAX, &routes))
		return;
	json_array_foreach(routes, index, value) {
		struct dhcp_route *route = &dhcp->routes[index];
		struct json_reader child;
		struct reading inner = *reading;
		const char *text;

		json_reader_element(reading->reader, "routes", index, value, &child);
		inner.reader = &child;
		if (json_reader_text(&child, "to", JSON_REQUIRED, 64, &text) &&
		    text_parse_range(&inner, "to", text, &route->to) &&
		    !ip_prefix_is_ipv4(&route->to))
			text_refuse(reading->draft, &child, "to",
				    "a route given by DHCP is an IPv4 range, not %s", text);
		if (json_reader_text(&child, "via", JSON_REQUIRED, 64, &text) &&
		    text_parse_address(&inner, "via", text, &route->via) &&
		    !ip_address_is_ipv4(&route->via))
			text_refuse(reading->draft, &child, "via",
				    "a route given by DHCP leads to an IPv4 address, not %s", text);
		reading->reader->code = json_reader_finish(&child);
		if (reading->reader->code)
			return;
	}
	dhcp->route_count = index;
}

static void read_short_text(struct reading *reading, const char *key, char text[DHCP_FILE_SIZE])
{
	const char *value;

	if (json_reader_text(reading->reader, key, JSON_OPTIONAL, DHCP_FILE_SIZE - 1, &value))
		snprintf(text, DHCP_FILE_SIZE, "%s", value);
}

/* A number of seconds, or "infinite". */
static void read_lease(struct reading *reading, struct subnet_dhcp *dhcp)
{
	json_t *value;

	if (!json_reader_value(reading->reader, "lease", JSON_OPTIONAL, &value))
		return;
	if (json_is_string(value) && strcmp(json_string_value(value), "infinite") == 0)
		dhcp->lease = DHCP_LEASE_FOREVER;
	else if (json_is_integer(value) && json_integer_value(value) >= LEASE_MIN &&
		 json_integer_value(value) < DHCP_LEASE_FOREVER)
		dhcp->lease = (uint32_t)json_integer_value(value);
	else
		text_refuse(reading->draft, reading->reader, "lease",
			    "lease is a number of seconds, at least %d, or infinite", LEASE_MIN);
}

static void read_dhcp_map(struct reading *reading, struct subnet_dhcp *dhcp)
{
	bool present;
	const char *text;

	read_lease(reading, dhcp);
	dhcp->router_count = read_ipv4(reading, "routers", dhcp->routers, DHCP_SERVERS_MAX,
				       &dhcp->routers_named);
	dhcp->dns_count = read_addresses(reading, "dns", dhcp->dns, DHCP_SERVERS_MAX, &present);
	dhcp->ntp_count = read_addresses(reading, "ntp", dhcp->ntp, DHCP_SERVERS_MAX, &present);
	if (json_reader_text(reading->reader, "domain", JSON_OPTIONAL, 400, &text))
		read_domain_text(reading, "domain", text, dhcp->domain);
	dhcp->search_count = read_search(reading, dhcp->search, &present);
	read_routes(reading, dhcp);
	read_ipv4(reading, "next_server", &dhcp->next_server, 1, &present);
	read_short_text(reading, "tftp_server", dhcp->tftp_server);
	read_short_text(reading, "boot_file", dhcp->boot_file);
	read_options(reading, dhcp);
	dhcp->relay_count =
		read_addresses(reading, "relay", dhcp->relays, DHCP_RELAYS_MAX, &present);
}

void text_read_dhcp(struct reading *reading, struct subnet_object *subnet)
{
	struct json_reader child;
	struct reading inner = *reading;
	json_t *dhcp;

	if (!json_reader_value(reading->reader, "dhcp", JSON_OPTIONAL, &dhcp) ||
	    json_is_false(dhcp))
		return;
	if (!json_is_true(dhcp) && !json_is_object(dhcp)) {
		json_reader_fail(reading->reader, "dhcp", EINVAL,
				 "must be true, false or a map of options, not %s",
				 json_type_name(dhcp));
		return;
	}
	subnet->dhcp = xcalloc(1, sizeof(*subnet->dhcp));
	subnet->dhcp->lease = DHCP_LEASE_DEFAULT;
	if (json_is_true(dhcp) ||
	    !json_reader_object(reading->reader, "dhcp", JSON_OPTIONAL, &child))
		return;
	inner.reader = &child;
	read_dhcp_map(&inner, subnet->dhcp);
	reading->reader->code = json_reader_finish(&child);
}

/* ---- ra ---- */

static const char *const ra_names[] = {
	[RA_SLAAC] = "slaac",
	[RA_STATELESS] = "stateless",
	[RA_MANAGED] = "managed",
};

static void read_ra_mode(struct reading *reading, const char *key, const char *text,
			 struct subnet_ra *ra)
{
	for (size_t i = 0; i < ARRAY_SIZE(ra_names); i++)
		if (strcmp(text, ra_names[i]) == 0) {
			ra->mode = (enum ra_mode)i;
			return;
		}
	text_refuse(reading->draft, reading->reader, key,
		    "router advertisements are slaac, stateless, managed or off, not \"%.64s\"",
		    text);
}

static void read_ra_map(struct reading *reading, struct subnet_ra *ra)
{
	const char *text;

	if (json_reader_text(reading->reader, "mode", JSON_REQUIRED, 64, &text))
		read_ra_mode(reading, "mode", text, ra);
	if (json_reader_text(reading->reader, "identifiers", JSON_OPTIONAL, 64, &text)) {
		ra->any_identifier = strcmp(text, "any") == 0;
		if (!ra->any_identifier && strcmp(text, "mac") != 0)
			text_refuse(reading->draft, reading->reader, "identifiers",
				    "identifiers are mac or any, not \"%.64s\"", text);
	}
	text_read_number(reading->reader, "lifetime", 0, RA_SECONDS_MAX, &ra->lifetime);
	text_read_number(reading->reader, "interval", RA_INTERVAL_MIN, RA_INTERVAL_MAX,
			 &ra->interval);
	ra->dns_count = read_addresses(reading, "dns", ra->dns, DHCP_SERVERS_MAX, &ra->dns_named);
	for (size_t i = 0; i < ra->dns_count; i++)
		if (ip_address_is_ipv4(&ra->dns[i]))
			text_refuse(reading->draft, reading->reader, "dns",
				    "dns of router advertisements are IPv6 addresses");
	ra->search_count = read_search(reading, ra->search, &ra->search_named);
	if (ra->lifetime && ra->lifetime < ra->interval)
		text_refuse(reading->draft, reading->reader, "lifetime",
			    "lifetime is 0 or at least the interval of %u seconds, or hosts lose "
			    "their router in between",
			    ra->interval);
}

void text_read_ra(struct reading *reading, struct subnet_object *subnet)
{
	struct json_reader child;
	struct reading inner = *reading;
	json_t *ra;

	if (!json_reader_value(reading->reader, "ra", JSON_OPTIONAL, &ra) || json_is_false(ra) ||
	    (json_is_string(ra) && strcmp(json_string_value(ra), "off") == 0))
		return;
	if (!json_is_string(ra) && !json_is_object(ra)) {
		json_reader_fail(reading->reader, "ra", EINVAL,
				 "must be slaac, stateless, managed, off or a map, not %s",
				 json_type_name(ra));
		return;
	}
	subnet->ra = xcalloc(1, sizeof(*subnet->ra));
	subnet->ra->lifetime = RA_LIFETIME_DEFAULT;
	subnet->ra->interval = RA_INTERVAL_DEFAULT;
	if (json_is_string(ra)) {
		read_ra_mode(reading, "ra", json_string_value(ra), subnet->ra);
		return;
	}
	if (!json_reader_object(reading->reader, "ra", JSON_OPTIONAL, &child))
		return;
	inner.reader = &child;
	read_ra_map(&inner, subnet->ra);
	reading->reader->code = json_reader_finish(&child);
}

/* ---- writing ---- */

static void write_addresses(json_t *json, const char *key, const struct ip_address *list,
			    size_t count, bool named)
{
	json_t *array;

	if (!count && !named)
		return;
	array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, text_address(&list[i]));
	json_object_set_new(json, key, array);
}

static void write_search(json_t *json, const char (*search)[DOMAIN_SIZE], size_t count, bool named)
{
	json_t *array;

	if (!count && !named)
		return;
	array = json_array();
	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_string(search[i]));
	json_object_set_new(json, "search", array);
}

static void write_text(json_t *json, const char *key, const char *text)
{
	if (*text)
		json_object_set_new(json, key, json_string(text));
}

/* As text where it is plain and reads back as such. */
static json_t *option_json(const uint8_t *bytes, size_t size)
{
	bool plain = size < 4 || memcmp(bytes, "hex:", 4) != 0;
	struct buf text = { 0 };
	json_t *json;

	for (size_t i = 0; i < size; i++)
		plain = plain && bytes[i] >= ' ' && bytes[i] <= '~';
	if (!plain)
		buf_append_text(&text, "hex:");
	for (size_t i = 0; i < size; i++)
		buf_printf(&text, plain ? "%c" : "%02x", bytes[i]);
	json = json_string(buf_text(&text));
	buf_fini(&text);
	return json;
}

static void write_options(json_t *json, const struct subnet_dhcp *dhcp)
{
	json_t *options = json_object();
	char name[8];

	for (size_t at = 0; at < dhcp->options_size; at += 2u + dhcp->options[at + 1]) {
		snprintf(name, sizeof(name), "%u", dhcp->options[at]);
		json_object_set_new(options, name,
				    option_json(dhcp->options + at + 2, dhcp->options[at + 1]));
	}
	if (json_object_size(options))
		json_object_set(json, "options", options);
	json_decref(options);
}

static json_t *dhcp_json(const struct subnet_dhcp *dhcp)
{
	json_t *json = json_object();

	if (dhcp->lease == DHCP_LEASE_FOREVER)
		json_object_set_new(json, "lease", json_string("infinite"));
	else if (dhcp->lease != DHCP_LEASE_DEFAULT)
		json_object_set_new(json, "lease", json_integer(dhcp->lease));
	write_addresses(json, "routers", dhcp->routers, dhcp->router_count, dhcp->routers_named);
	write_addresses(json, "dns", dhcp->dns, dhcp->dns_count, false);
	write_addresses(json, "ntp", dhcp->ntp, dhcp->ntp_count, false);
	write_text(json, "domain", dhcp->domain);
	write_search(json, dhcp->search, dhcp->search_count, false);
	if (dhcp->route_count) {
		json_t *routes = json_array();

		for (size_t i = 0; i < dhcp->route_count; i++)
			json_array_append_new(routes,
					      json_pack("{s:o,s:o}", "to",
							text_prefix(&dhcp->routes[i].to), "via",
							text_address(&dhcp->routes[i].via)));
		json_object_set_new(json, "routes", routes);
	}
	if (ip_address_is_ipv4(&dhcp->next_server))
		json_object_set_new(json, "next_server", text_address(&dhcp->next_server));
	write_text(json, "tftp_server", dhcp->tftp_server);
	write_text(json, "boot_file", dhcp->boot_file);
	write_options(json, dhcp);
	write_addresses(json, "relay", dhcp->relays, dhcp->relay_count, false);
	if (json_object_size(json))
		return json;
	json_decref(json);
	return json_true();
}

static json_t *ra_json(const struct subnet_ra *ra)
{
	json_t *json = json_object();

	json_object_set_new(json, "mode", json_string(ra_names[ra->mode]));
	if (ra->any_identifier)
		json_object_set_new(json, "identifiers", json_string("any"));
	if (ra->lifetime != RA_LIFETIME_DEFAULT)
		json_object_set_new(json, "lifetime", json_integer(ra->lifetime));
	if (ra->interval != RA_INTERVAL_DEFAULT)
		json_object_set_new(json, "interval", json_integer(ra->interval));
	write_addresses(json, "dns", ra->dns, ra->dns_count, ra->dns_named);
	write_search(json, ra->search, ra->search_count, ra->search_named);
	if (json_object_size(json) > 1)
		return json;
	json_decref(json);
	return json_string(ra_names[ra->mode]);
}

void text_write_dhcp(const struct writing *writing, const struct subnet_object *subnet)
{
	text_write_value(writing, "dhcp", !subnet->dhcp,
			 subnet->dhcp ? dhcp_json(subnet->dhcp) : json_false());
	text_write_value(writing, "ra", !subnet->ra,
			 subnet->ra ? ra_json(subnet->ra) : json_string("off"));
}
