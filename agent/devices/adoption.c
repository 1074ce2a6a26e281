/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What was changed of devices that others made: see adoption.h.
 *
 * The file is written before the device is changed, so that there is no moment in which a crash loses how it
 * was. A device is known by its ifindex, which the kernel gives to no other one of the namespace for as long
 * as the machine is up.
 */
#include "agent/devices/adoption.h"

#include <errno.h>
#include <jansson.h>
#include <net/if.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/file.h"
#include "base/hex.h"
#include "base/json.h"
#include "base/log.h"
#include "base/map.h"
#include "base/netns.h"

#define FILE_SIZE_MAX (32 << 20)
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

/* An address or a route in the kernel's own words. */
struct noted {
	uint16_t type;
	uint32_t size;
	uint8_t *bytes;
};

/* A device and how it was. */
struct adoption {
	uint32_t ifindex;
	uint32_t port_id; /* 0: an uplink */
	bool was_up, was_promiscuous;
	bool taken; /* the addresses and routes below are not on it */
	size_t noted_count;
	struct noted *noted; /* in the order in which they can be made again */
	/* In the words of weftd before there was the above; read and put back, no longer noted. */
	size_t address_count, route_count;
	struct ip_prefix *addresses;
	struct route_info *routes;
};

struct adoptions {
	char *path;
	char place[160]; /* boot and namespace */
	struct map list; /* ifindex -> struct adoption */
};

static void forget_noted(struct adoption *adoption)
{
	for (size_t i = 0; i < adoption->noted_count; i++)
		free(adoption->noted[i].bytes);
	adoption->noted_count = 0;
}

static void adoption_free(void *value)
{
	struct adoption *adoption = value;

	forget_noted(adoption);
	free(adoption->noted);
	free(adoption->addresses);
	free(adoption->routes);
	free(adoption);
}

bool link_is_macvlan(const struct link_info *link)
{
	return !strcmp(link->kind, "macvlan") || !strcmp(link->kind, "macvtap");
}

static void see_address(void *context, const struct address_info *address)
{
	bool *found = context;

	if (!ip_address_is_link_local(&address->address.address))
		*found = true;
}

bool link_has_addresses(struct netlink *netlink, uint32_t ifindex)
{
	bool found = false;

	return !netlink_address_list(netlink, ifindex, see_address, &found, NULL) && found;
}

/* ---- the file ---- */

static json_t *prefix_json(const struct ip_prefix *prefix)
{
	char text[IP_PREFIX_TEXT_SIZE];

	return json_string(ip_prefix_format(prefix, text));
}

static json_t *route_json(const struct route_info *route)
{
	json_t *json = json_pack("{s:o, s:I, s:I, s:b}", "to", prefix_json(&route->destination),
				 "metric", (json_int_t)route->metric, "table",
				 (json_int_t)route->table, "onlink", route->onlink);
	char text[IP_ADDRESS_TEXT_SIZE];

	if (route->has_gateway)
		json_object_set_new(json, "via",
				    json_string(ip_address_format(&route->gateway, text)));
	return json;
}

static json_t *noted_json(const struct noted *noted)
{
	char *text = xcalloc(noted->size + 1, 2);
	json_t *json;

	for (uint32_t i = 0; i < noted->size; i++)
		snprintf(text + 2 * i, 3, "%02x", noted->bytes[i]);
	json = json_pack("{s:i, s:s}", "type", noted->type, "bytes", text);
	free(text);
	return json;
}

static json_t *adoption_json(const struct adoption *adoption)
{
	json_t *addresses = json_array(), *routes = json_array(), *noted = json_array();

	for (size_t i = 0; i < adoption->address_count; i++)
		json_array_append_new(addresses, prefix_json(&adoption->addresses[i]));
	for (size_t i = 0; i < adoption->route_count; i++)
		json_array_append_new(routes, route_json(&adoption->routes[i]));
	for (size_t i = 0; i < adoption->noted_count; i++)
		json_array_append_new(noted, noted_json(&adoption->noted[i]));
	return json_pack("{s:I, s:I, s:b, s:b, s:b, s:o, s:o, s:o}", "ifindex",
			 (json_int_t)adoption->ifindex, "port", (json_int_t)adoption->port_id, "up",
			 adoption->was_up, "promiscuous", adoption->was_promiscuous, "taken",
			 adoption->taken, "addresses", addresses, "routes", routes, "noted", noted);
}

static int save(const struct adoptions *adoptions, struct error *error)
{
	json_t *devices = json_array(), *document;
	char *text;
	int code;

	if (!adoptions->path) {
		json_decref(devices);
		return 0;
	}
	MAP_FOR_EACH(&adoptions->list, it)
		json_array_append_new(devices, adoption_json(it.value));
	document = json_pack("{s:s, s:o}", "place", adoptions->place, "devices", devices);
	text = json_dumps(document, JSON_INDENT(1));
	code = file_write_atomic(adoptions->path, text, strlen(text), 0600, error);
	free(text);
	json_decref(document);
	return code;
}

static void read_addresses(struct json_reader *reader, struct adoption *adoption)
{
	json_t *list;
	const json_t *value;
	size_t i;

	if (!json_reader_array(reader, "addresses", JSON_REQUIRED, 4096, &list))
		return;
	adoption->addresses = xcalloc(json_array_size(list) + 1, sizeof(*adoption->addresses));
	json_array_foreach(list, i, value) {
		const char *text = json_string_value(value);

		if (text && !ip_prefix_parse(text, &adoption->addresses[i]))
			adoption->address_count++;
		else
			json_reader_fail(reader, "addresses", EINVAL, "is no list of prefixes");
	}
}

static void read_route(struct json_reader *reader, struct route_info *route, uint32_t ifindex)
{
	const char *text;
	int64_t number;

	*route = (struct route_info){ .ifindex = ifindex };
	if (json_reader_text(reader, "to", JSON_REQUIRED, 100, &text) &&
	    ip_prefix_parse(text, &route->destination))
		json_reader_fail(reader, "to", EINVAL, "is no prefix");
	if (json_reader_integer(reader, "metric", JSON_REQUIRED, 0, UINT32_MAX, &number))
		route->metric = (uint32_t)number;
	if (json_reader_integer(reader, "table", JSON_REQUIRED, 0, UINT32_MAX, &number))
		route->table = (uint32_t)number;
	json_reader_bool(reader, "onlink", JSON_REQUIRED, &route->onlink);
	if (!json_reader_text(reader, "via", JSON_OPTIONAL, 100, &text))
		return;
	route->has_gateway = true;
	if (ip_address_parse(text, &route->gateway))
		json_reader_fail(reader, "via", EINVAL, "is no address");
}

static void read_routes(struct json_reader *reader, struct adoption *adoption)
{
	json_t *list, *value;
	size_t i;

	if (!json_reader_array(reader, "routes", JSON_REQUIRED, 1 << 16, &list))
		return;
	adoption->routes = xcalloc(json_array_size(list) + 1, sizeof(*adoption->routes));
	json_array_foreach(list, i, value) {
		struct json_reader child;

		json_reader_element(reader, "routes", i, value, &child);
		read_route(&child, &adoption->routes[adoption->route_count++], adoption->ifindex);
		reader->code = json_reader_finish(&child);
		if (json_reader_failed(reader))
			return;
	}
}

/* Room for one more. */
static struct noted *noted_add(struct adoption *adoption, uint16_t type, uint32_t size)
{
	struct noted *noted;

	adoption->noted =
		xreallocarray(adoption->noted, adoption->noted_count + 1, sizeof(*adoption->noted));
	noted = &adoption->noted[adoption->noted_count++];
	*noted = (struct noted){ .type = type, .size = size, .bytes = xcalloc(size + 1, 1) };
	return noted;
}

static void read_noted(struct json_reader *reader, struct adoption *adoption)
{
	struct noted *noted;
	const char *text;
	int64_t type;

	if (!json_reader_integer(reader, "type", JSON_REQUIRED, 0, UINT16_MAX, &type) ||
	    !json_reader_text(reader, "bytes", JSON_REQUIRED, 4096, &text))
		return;
	noted = noted_add(adoption, (uint16_t)type, (uint32_t)(strlen(text) / 2));
	for (uint32_t i = 0; i < noted->size; i++) {
		int byte = hex_byte(text + 2 * i);

		if (byte < 0)
			json_reader_fail(reader, "bytes", EINVAL, "are not in hexadecimal");
		noted->bytes[i] = (uint8_t)byte;
	}
}

static void read_all_noted(struct json_reader *reader, struct adoption *adoption)
{
	json_t *list, *value;
	size_t i;

	if (!json_reader_array(reader, "noted", JSON_OPTIONAL, 1 << 17, &list))
		return;
	json_array_foreach(list, i, value) {
		struct json_reader child;

		json_reader_element(reader, "noted", i, value, &child);
		read_noted(&child, adoption);
		reader->code = json_reader_finish(&child);
		if (json_reader_failed(reader))
			return;
	}
}

static void read_adoption(struct adoptions *adoptions, struct json_reader *reader)
{
	struct adoption *adoption = xcalloc(1, sizeof(*adoption));
	int64_t number;

	if (json_reader_integer(reader, "ifindex", JSON_REQUIRED, 1, UINT32_MAX, &number))
		adoption->ifindex = (uint32_t)number;
	if (json_reader_integer(reader, "port", JSON_REQUIRED, 0, UINT32_MAX, &number))
		adoption->port_id = (uint32_t)number;
	json_reader_bool(reader, "up", JSON_REQUIRED, &adoption->was_up);
	json_reader_bool(reader, "promiscuous", JSON_REQUIRED, &adoption->was_promiscuous);
	json_reader_bool(reader, "taken", JSON_REQUIRED, &adoption->taken);
	read_addresses(reader, adoption);
	read_routes(reader, adoption);
	read_all_noted(reader, adoption);
	if (json_reader_failed(reader) || map_get_u32(&adoptions->list, adoption->ifindex)) {
		adoption_free(adoption);
		return;
	}
	map_put_u32(&adoptions->list, adoption->ifindex, adoption);
}

static int read_document(struct adoptions *adoptions, json_t *document, struct error *error)
{
	struct json_reader reader, child;
	json_t *devices, *value;
	const char *place;
	size_t i;

	json_reader_init(&reader, document, "", error);
	/* Of another boot or namespace nothing is left that could be put back. */
	if (json_reader_text(&reader, "place", JSON_REQUIRED, 200, &place) &&
	    strcmp(place, adoptions->place) != 0)
		return 0;
	if (!json_reader_array(&reader, "devices", JSON_REQUIRED, 1 << 16, &devices))
		return json_reader_finish(&reader);
	json_array_foreach(devices, i, value) {
		json_reader_element(&reader, "devices", i, value, &child);
		read_adoption(adoptions, &child);
		reader.code = json_reader_finish(&child);
		if (json_reader_failed(&reader))
			break;
	}
	return json_reader_finish(&reader);
}

static int load(struct adoptions *adoptions, struct error *error)
{
	struct error why = { 0 };
	struct buf text = { 0 };
	json_t *document;
	int code;

	if (!adoptions->path || access(adoptions->path, F_OK))
		return 0;
	code = file_read(adoptions->path, FILE_SIZE_MAX, &text, error);
	if (code)
		return code;
	code = json_load_text(buf_text(&text), text.size, FILE_SIZE_MAX, &document, &why);
	if (!code) {
		code = read_document(adoptions, document, &why);
		json_decref(document);
	}
	buf_fini(&text);
	return code ? error_set(
			      error, code, NULL,
			      "%s says how devices of the host were and cannot be read (%s); remove "
			      "it to go on, and put them right by hand",
			      adoptions->path, why.text)
		    : 0;
}

static int name_place(struct adoptions *adoptions, struct error *error)
{
	struct netns_identity here;
	struct buf boot = { 0 };
	int code = netns_identify(-1, &here, error);

	if (!code)
		code = file_read(BOOT_ID, 100, &boot, error);
	if (!code)
		snprintf(adoptions->place, sizeof(adoptions->place), "%.36s %llu:%llu",
			 buf_text(&boot), (unsigned long long)here.device,
			 (unsigned long long)here.inode);
	buf_fini(&boot);
	return code;
}

int adoptions_open(const char *path, struct adoptions **adoptions, struct error *error)
{
	struct adoptions *fresh = xcalloc(1, sizeof(*fresh));
	int code;

	fresh->path = path ? xstrdup(path) : NULL;
	code = path ? name_place(fresh, error) : 0;
	if (!code)
		code = load(fresh, error);
	if (code) {
		adoptions_close(fresh);
		return code;
	}
	*adoptions = fresh;
	return 0;
}

void adoptions_close(struct adoptions *adoptions)
{
	if (!adoptions)
		return;
	map_fini(&adoptions->list, adoption_free);
	free(adoptions->path);
	free(adoptions);
}

/* ---- whose it is ---- */

struct upper {
	uint32_t ifindex;
	char name[LINK_NAME_SIZE], kind[LINK_NAME_SIZE];
};

/* What takes the frames of a device away from everybody else. */
static void see_upper(void *context, const struct link_info *link)
{
	struct upper *upper = context;

	if (link->peer_ifindex != upper->ifindex || link->peer_netnsid >= 0 ||
	    (!link_is_macvlan(link) && strcmp(link->kind, "ipvlan") != 0 &&
	     strcmp(link->kind, "ipvtap") != 0))
		return;
	memcpy(upper->name, link->name, sizeof(upper->name));
	memcpy(upper->kind, link->kind, sizeof(upper->kind));
}

int adoption_refuse(struct adoptions *adoptions, struct netlink *netlink,
		    const struct link_info *link, const struct adoption_wish *wish,
		    struct error *error)
{
	const struct adoption *adoption = map_get_u32(&adoptions->list, link->ifindex);
	struct upper upper = { .ifindex = link->ifindex };
	struct link_info master;

	if (link->flags & IFF_LOOPBACK)
		return error_set(error, EINVAL, NULL, "device %s is the loopback", link->name);
	if (!strcmp(link->kind, "bridge") && wish->port_id)
		return error_set(error, EINVAL, NULL,
				 "device %s is a bridge: say bridge: %s, and the port is a member",
				 link->name, link->name);
	if (link->master_ifindex)
		return error_set(error, EBUSY, NULL, "device %s is a member of %s", link->name,
				 netlink_link_get(netlink, link->master_ifindex, &master, NULL)
					 ? "another device"
					 : master.name);
	if (strncmp(link->alias, "weft", 4) == 0)
		return error_set(error, EBUSY, NULL, "device %s is Weft's own: %s", link->name,
				 link->alias);
	if (adoption && adoption->port_id != wish->port_id)
		return error_set(error, EBUSY, NULL, "device %s is in use as %s", link->name,
				 adoption->port_id ? "a port" : "an uplink");
	/* An uplink may carry VLANs alone, and leave the rest to those. */
	if (wish->port_id)
		netlink_link_list(netlink, see_upper, &upper, NULL);
	if (upper.name[0])
		return error_set(
			error, EBUSY, NULL,
			"device %s has %s %s on top of it, which would get nothing any more",
			link->name, upper.kind, upper.name);
	return 0;
}

/* ---- addresses ---- */

struct collecting {
	struct adoption *adoption;
	bool has_gateway; /* which routes */
};

static void collect(struct adoption *adoption, const struct netlink_record *record)
{
	memcpy(noted_add(adoption, record->type, record->size)->bytes, record->bytes, record->size);
}

static void collect_address(void *context, const struct address_info *address)
{
	struct collecting *collecting = context;

	/* The kernel makes these by itself, and speaks for nobody with them. */
	if (!ip_address_is_link_local(&address->address.address))
		collect(collecting->adoption, &address->record);
}

static void collect_route(void *context, const struct route_info *route)
{
	struct collecting *collecting = context;

	if (route->ifindex == collecting->adoption->ifindex &&
	    route->has_gateway == collecting->has_gateway &&
	    !ip_address_is_link_local(&route->destination.address))
		collect(collecting->adoption, &route->record);
}

static struct netlink_record record_of(const struct noted *noted)
{
	return (struct netlink_record){ noted->type, noted->size, noted->bytes };
}

static int take_addresses(struct adoptions *adoptions, struct netlink *netlink,
			  struct adoption *adoption, struct error *error)
{
	struct collecting collecting = { .adoption = adoption };
	int code;

	forget_noted(adoption);
	code = netlink_address_list(netlink, adoption->ifindex, collect_address, &collecting,
				    error);
	/* Those without a gateway come first, for by them the gateways of the others are reached. */
	for (int i = 0; i < 2 && !code; i++) {
		collecting.has_gateway = i;
		code = netlink_route_list(netlink, collect_route, &collecting, error);
	}
	adoption->taken = true;
	if (!code)
		code = save(adoptions, error);
	/* From the last to the first: routes that lead by way of an address go with it. */
	for (size_t i = adoption->noted_count; i > 0 && !code; i--) {
		const struct netlink_record record = record_of(&adoption->noted[i - 1]);

		netlink_record_delete(netlink, &record, NULL);
	}
	return code;
}

static void give_back(const struct adoption *adoption, int code, const struct error *error)
{
	/* A device that is down has no routes, and gets those of its addresses with them. */
	if (code && code != -EEXIST && code != -ENETDOWN)
		log_warning("not put back", "ifindex=%u text=\"%s\"", adoption->ifindex,
			    error->text);
}

static void return_routes(struct netlink *netlink, const struct adoption *adoption,
			  bool has_gateway)
{
	for (size_t i = 0; i < adoption->route_count; i++) {
		const struct route_info *route = &adoption->routes[i];
		struct error error = { 0 };

		if (route->has_gateway == has_gateway)
			give_back(adoption, netlink_route_add(netlink, route, &error), &error);
	}
}

/* The device is up, for the kernel takes no route otherwise. */
static void return_addresses(struct netlink *netlink, struct adoption *adoption)
{
	for (size_t i = 0; i < adoption->address_count; i++) {
		const struct address_info address = { .ifindex = adoption->ifindex,
						      .address = adoption->addresses[i],
						      .no_dad = true };
		struct error error = { 0 };

		give_back(adoption, netlink_address_add(netlink, &address, &error), &error);
	}
	/* First those without a gateway, by which the gateways of the others are reached. */
	return_routes(netlink, adoption, false);
	return_routes(netlink, adoption, true);
	for (size_t i = 0; i < adoption->noted_count; i++) {
		const struct netlink_record record = record_of(&adoption->noted[i]);
		struct error error = { 0 };

		give_back(adoption, netlink_record_add(netlink, &record, &error), &error);
	}
	forget_noted(adoption);
	adoption->taken = false;
	adoption->address_count = adoption->route_count = 0;
}

/* ---- taking and putting back ---- */

static struct adoption *note(struct adoptions *adoptions, const struct link_info *link,
			     const struct adoption_wish *wish)
{
	struct adoption *adoption = xcalloc(1, sizeof(*adoption));

	*adoption = (struct adoption){
		.ifindex = link->ifindex,
		.port_id = wish->port_id,
		.was_up = link->flags & IFF_UP,
		.was_promiscuous = link->flags & IFF_PROMISC,
	};
	map_put_u32(&adoptions->list, link->ifindex, adoption);
	return adoption;
}

int adoption_take(struct adoptions *adoptions, struct netlink *netlink,
		  const struct link_info *link, const struct adoption_wish *wish,
		  struct error *error)
{
	struct adoption *adoption = map_get_u32(&adoptions->list, link->ifindex);
	int code = 0;

	if (!adoption) {
		adoption = note(adoptions, link, wish);
		code = save(adoptions, error);
	}
	if (!code && wish->take_addresses && !adoption->taken)
		code = take_addresses(adoptions, netlink, adoption, error);
	if (!code && !wish->take_addresses && adoption->taken) {
		return_addresses(netlink, adoption);
		code = save(adoptions, error);
	}
	if (!code && wish->promiscuous && !(link->flags & IFF_PROMISC))
		code = netlink_link_set_promiscuous(netlink, link->ifindex, true, error);
	return code;
}

const char *adoption_differs(const struct adoptions *adoptions, const struct link_info *link,
			     const struct adoption_wish *wish)
{
	const struct adoption *adoption = map_get_u32(&adoptions->list, link->ifindex);

	if (!adoption)
		return "is used from now on";
	if (adoption->taken != wish->take_addresses)
		return wish->take_addresses ? "has its addresses" : "lacks its addresses";
	return wish->promiscuous && !(link->flags & IFF_PROMISC) ? "takes frames to its MAC only"
								 : NULL;
}

void adoption_release(struct adoptions *adoptions, struct netlink *netlink, uint32_t ifindex)
{
	struct adoption *adoption = map_remove_u32(&adoptions->list, ifindex);
	struct error error = { 0 };
	struct link_info link;

	if (!adoption)
		return;
	if (!netlink_link_get(netlink, ifindex, &link, NULL)) {
		if (adoption->taken)
			return_addresses(netlink, adoption);
		if (!adoption->was_promiscuous)
			netlink_link_set_promiscuous(netlink, ifindex, false, NULL);
		if (!adoption->was_up)
			netlink_link_set_up(netlink, ifindex, false, NULL);
	}
	if (save(adoptions, &error))
		log_warning("not written down", "text=\"%s\"", error.text);
	adoption_free(adoption);
}

/* ---- looking in ---- */

uint32_t adoption_of_port(const struct adoptions *adoptions, uint32_t port_id)
{
	MAP_FOR_EACH(&adoptions->list, it) {
		const struct adoption *adoption = it.value;

		if (port_id && adoption->port_id == port_id)
			return adoption->ifindex;
	}
	return 0;
}

uint32_t adoption_port(const struct adoptions *adoptions, uint32_t ifindex)
{
	const struct adoption *adoption = map_get_u32(&adoptions->list, ifindex);

	return adoption ? adoption->port_id : 0;
}

bool adoption_is_port(const struct adoptions *adoptions, uint32_t ifindex)
{
	return adoption_port(adoptions, ifindex) != 0;
}

size_t adoption_list(const struct adoptions *adoptions, bool uplinks, uint32_t **ifindexes)
{
	size_t count = 0;

	*ifindexes = xcalloc(map_count(&adoptions->list) + 1, sizeof(**ifindexes));
	MAP_FOR_EACH(&adoptions->list, it) {
		const struct adoption *adoption = it.value;

		if ((adoption->port_id == 0) == uplinks)
			(*ifindexes)[count++] = adoption->ifindex;
	}
	return count;
}
