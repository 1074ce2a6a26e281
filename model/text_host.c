/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Hosts and tunnels: JSON to objects and back.
 *
 * The addresses of a host keep the bits behind their prefix: "192.0.2.1/24" says which address, and
 * what else is on that wire. A tunnel names its end and how it is carried; of its host's addresses
 * it takes the first of the family unless it names one.
 *
 * Neighbours: text_read.c and text_write.c (the callers), text_segment.c (encapsulations and outer
 * headers), check_host.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/encapsulation.h"
#include "model/text_private.h"

#define MTU_MIN 576
#define MTU_MAX 65535
#define KEEPALIVE_INTERVAL_MAX 3600
#define KEEPALIVE_RETRIES_MAX 255

/* ---- host: reading ---- */

static void read_underlay(struct reading *reading, struct host_object *host)
{
	const char *texts[HOST_ADDRESSES_MAX];
	bool present;
	size_t count = text_read_texts(reading, "underlay", JSON_OPTIONAL, true, texts,
				       HOST_ADDRESSES_MAX, &present);

	for (size_t i = 0; i < count; i++) {
		if (ip_prefix_parse_or_address(texts[i], &host->addresses[i])) {
			text_refuse(reading->draft, reading->reader, "underlay",
				    "underlay \"%.64s\" is neither an address nor ADDRESS/LENGTH",
				    texts[i]);
			return;
		}
		host->address_count++;
	}
}

static void read_encapsulations(struct reading *reading, struct host_object *host)
{
	const char *texts[HOST_ENCAPSULATIONS_MAX];
	bool present;
	size_t count = text_read_texts(reading, "encapsulations", JSON_OPTIONAL, false, texts,
				       HOST_ENCAPSULATIONS_MAX, &present);

	if (!present)
		return;
	host->encapsulation_count = 0;
	memset(host->encapsulations, 0, sizeof(host->encapsulations));
	for (size_t i = 0; i < count; i++) {
		uint8_t kind = encapsulation_from_name(texts[i]);

		if (!kind) {
			text_refuse(reading->draft, reading->reader, "encapsulations",
				    "encapsulations are vxlan, geneve, nvgre, gre, gretap, ipip, "
				    "sit, fou and gue, not \"%.64s\"",
				    texts[i]);
			return;
		}
		if (host_offers(host, kind)) {
			text_refuse(reading->draft, reading->reader, "encapsulations",
				    "%s stands twice", texts[i]);
			return;
		}
		host->encapsulations[host->encapsulation_count++] = kind;
	}
}

static int compare_peers(const void *a, const void *b)
{
	uint32_t x = ((const struct host_peer *)a)->host_id;
	uint32_t y = ((const struct host_peer *)b)->host_id;

	return (x > y) - (x < y);
}

static void read_peers(struct reading *reading, struct host_object *host)
{
	json_t *peers, *value;
	const char *name;

	if (!json_reader_names(reading->reader, "peers", JSON_OPTIONAL, &peers))
		return;
	if (json_object_size(peers) > HOST_PEERS_MAX) {
		json_reader_fail(reading->reader, "peers", EINVAL, "has more than %d hosts",
				 HOST_PEERS_MAX);
		return;
	}
	host->peers = xcalloc(json_object_size(peers) + 1, sizeof(*host->peers));
	json_object_foreach(peers, name, value) {
		struct host_peer *peer = &host->peers[host->peer_count];
		struct reading inner = *reading;
		struct json_reader child;
		const struct object *other = draft_find(reading->draft, 0, OBJECT_HOST, name);
		char hint[128];

		json_reader_member(reading->reader, "peers", name, value, &child);
		inner.reader = &child;
		text_read_encapsulation(&inner, "encapsulation", JSON_REQUIRED,
					&peer->encapsulation);
		reading->reader->code = json_reader_finish(&child);
		if (json_reader_failed(reading->reader))
			return;
		if (!other) {
			text_refuse(reading->draft, reading->reader, "peers", "no host \"%.64s\"%s",
				    name,
				    draft_suggest(reading->draft, 0, OBJECT_HOST, name, hint));
			return;
		}
		peer->host_id = other->id;
		host->peer_count++;
	}
	qsort(host->peers, host->peer_count, sizeof(*host->peers), compare_peers);
}

static int compare_uplinks(const void *a, const void *b)
{
	return strcmp(((const struct host_uplink *)a)->network,
		      ((const struct host_uplink *)b)->network);
}

/* DEVICE, or {device: DEVICE, take_addresses: true}. Return: the device's name, NULL: it is refused already. */
static const char *read_uplink(struct reading *reading, const char *network, json_t *value,
			       struct host_uplink *uplink)
{
	const char *ifname = json_string_value(value);
	struct json_reader child;

	if (!json_is_object(value))
		return ifname ? ifname : "";
	json_reader_member(reading->reader, "uplinks", network, value, &child);
	json_reader_text(&child, "device", JSON_REQUIRED, 400, &ifname);
	json_reader_bool(&child, "take_addresses", JSON_OPTIONAL, &uplink->take_addresses);
	reading->reader->code = json_reader_finish(&child);
	return json_reader_failed(reading->reader) ? NULL : ifname;
}

static json_t *uplink_json(const struct host_uplink *uplink)
{
	return uplink->take_addresses
		       ? json_pack("{s:s, s:b}", "device", uplink->ifname, "take_addresses", true)
		       : json_string(uplink->ifname);
}

static void read_uplinks(struct reading *reading, struct host_object *host)
{
	json_t *uplinks, *value;
	const char *name;

	if (!json_reader_names(reading->reader, "uplinks", JSON_OPTIONAL, &uplinks))
		return;
	if (json_object_size(uplinks) > HOST_UPLINKS_MAX) {
		json_reader_fail(reading->reader, "uplinks", EINVAL, "has more than %d networks",
				 HOST_UPLINKS_MAX);
		return;
	}
	host->uplinks = xcalloc(json_object_size(uplinks) + 1, sizeof(*host->uplinks));
	json_object_foreach(uplinks, name, value) {
		struct host_uplink *uplink = &host->uplinks[host->uplink_count];
		const char *ifname = read_uplink(reading, name, value, uplink);

		if (!ifname)
			return;
		if (!name_is_valid(name) || !ifname[0] ||
		    strlen(ifname) >= sizeof(uplink->ifname)) {
			text_refuse(reading->draft, reading->reader, "uplinks",
				    "uplinks are the name of a network and that of a device, such "
				    "as physnet1: eth1; \"%.64s\" is not",
				    name);
			return;
		}
		snprintf(uplink->network, sizeof(uplink->network), "%s", name);
		snprintf(uplink->ifname, sizeof(uplink->ifname), "%s", ifname);
		host->uplink_count++;
	}
	qsort(host->uplinks, host->uplink_count, sizeof(*host->uplinks), compare_uplinks);
}

void text_read_given_mac(struct reading *reading, const char *key, struct mac_address *mac)
{
	const char *text;

	if (reading->record && json_reader_text(reading->reader, key, JSON_OPTIONAL, 17, &text) &&
	    mac_address_parse(text, mac))
		text_refuse(reading->draft, reading->reader, key, "\"%.64s\" is no MAC", text);
}

void text_read_host(struct reading *reading)
{
	struct host_object *host = (struct host_object *)reading->entry->after;

	read_underlay(reading, host);
	text_read_given_mac(reading, "router_mac", &host->router_mac);
	text_read_number(reading->reader, "mtu", MTU_MIN, MTU_MAX, &host->mtu);
	read_encapsulations(reading, host);
	read_peers(reading, host);
	read_uplinks(reading, host);
	text_read_device_rates(reading, host);
}

/* ---- host: writing ---- */

static json_t *encapsulations_json(const struct host_object *host, bool *usual)
{
	json_t *list = json_array();

	*usual = host->encapsulation_count == HOST_ENCAPSULATIONS_MAX;
	for (size_t i = 0; i < host->encapsulation_count; i++) {
		json_array_append_new(list,
				      json_string(encapsulation_name(host->encapsulations[i])));
		if (host->encapsulations[i] != TUNNEL_NONE + 1 + i)
			*usual = false;
	}
	return list;
}

void text_write_given_mac(const struct writing *writing, const char *key,
			  const struct mac_address *mac)
{
	char text[MAC_ADDRESS_TEXT_SIZE];

	if (writing->form == TEXT_RECORD && !mac_address_is_zero(mac))
		json_object_set_new(writing->json, key, json_string(mac_address_format(mac, text)));
}

void text_write_host(const struct writing *writing, const struct host_object *host)
{
	json_t *underlay = json_array(), *peers = json_object(), *uplinks = json_object();
	json_t *encapsulations;
	bool usual;

	for (size_t i = 0; i < host->address_count; i++)
		json_array_append_new(underlay, text_prefix(&host->addresses[i]));
	if (writing->form == TEXT_EXPORT)
		underlay = text_one_or_list(underlay);
	text_write_given_mac(writing, "router_mac", &host->router_mac);
	text_write_value(writing, "underlay", host->address_count == 0, underlay);
	text_write_number(writing, "mtu", host->mtu, HOST_MTU_DEFAULT);
	encapsulations = encapsulations_json(host, &usual);
	text_write_value(writing, "encapsulations", usual, encapsulations);
	for (size_t i = 0; i < host->peer_count; i++) {
		const struct object *other = intent_named(writing->intent, host->peers[i].host_id);
		const char *kind = encapsulation_name(host->peers[i].encapsulation);

		json_object_set_new(peers, other ? other->name : "?",
				    json_pack("{ss}", "encapsulation", kind));
	}
	text_write_value(writing, "peers", host->peer_count == 0, peers);
	for (size_t i = 0; i < host->uplink_count; i++)
		json_object_set_new(uplinks, host->uplinks[i].network,
				    uplink_json(&host->uplinks[i]));
	text_write_value(writing, "uplinks", host->uplink_count == 0, uplinks);
	text_write_device_rates(writing, host);
}

/* ---- tunnel: reading ---- */

static void read_keepalive(struct reading *reading, struct tunnel_object *tunnel)
{
	struct json_reader child;
	struct reading inner = *reading;
	const char *text;

	if (!json_reader_object(reading->reader, "keepalive", JSON_OPTIONAL, &child))
		return;
	inner.reader = &child;
	tunnel->keepalive_interval = 0;
	text_read_number(&child, "interval", 1, KEEPALIVE_INTERVAL_MAX,
			 &tunnel->keepalive_interval);
	if (!tunnel->keepalive_interval)
		json_reader_missing(&child, "interval", NULL);
	text_read_number(&child, "retries", 1, KEEPALIVE_RETRIES_MAX, &tunnel->keepalive_retries);
	if (json_reader_text(&child, "address", JSON_OPTIONAL, 64, &text))
		text_parse_address(&inner, "address", text, &tunnel->keepalive_address);
	reading->reader->code = json_reader_finish(&child);
}

static void read_ends(struct reading *reading, struct tunnel_object *tunnel)
{
	const char *text;

	text_read_host_name(reading, "host", tunnel->host);
	if (json_reader_text(reading->reader, "remote", JSON_REQUIRED, 64, &text))
		text_parse_address(reading, "remote", text, &tunnel->remote);
	if (json_reader_text(reading->reader, "local", JSON_OPTIONAL, 64, &text))
		text_parse_address(reading, "local", text, &tunnel->local);
	if (json_reader_text(reading->reader, "subnet", JSON_OPTIONAL, 400, &text))
		tunnel->subnet_id = text_resolve(reading->draft, reading->reader, "subnet",
						 tunnel->object.vpc_id, OBJECT_SUBNET, text);
}

/* The kind; and two words for one that gets copies of mirrors. */
static void read_type(struct reading *reading, struct tunnel_object *tunnel)
{
	const json_t *type = json_object_get(reading->reader->object, "type");
	const char *said = json_is_string(type) ? json_string_value(type) : "";
	const char *text;
	uint32_t engine;

	tunnel->erspan = strcmp(said, "erspan") == 0 ? 2 : strcmp(said, "erspan3") == 0 ? 3 : 0;
	tunnel->mirror = tunnel->erspan != 0;
	if (tunnel->erspan) {
		json_reader_text(reading->reader, "type", JSON_REQUIRED, 64, &text);
		tunnel->encapsulation = TUNNEL_GRETAP;
	} else {
		text_read_encapsulation(reading, "type", JSON_REQUIRED, &tunnel->encapsulation);
	}
	json_reader_bool(reading->reader, "mirror", JSON_OPTIONAL, &tunnel->mirror);
	engine = tunnel->hardware_id;
	text_read_number(reading->reader, "hardware_id", 0, 63, &engine);
	tunnel->hardware_id = (uint8_t)engine;
}

void text_read_tunnel(struct reading *reading)
{
	struct tunnel_object *tunnel = (struct tunnel_object *)reading->entry->after;
	bool checksum;
	int64_t id;

	read_type(reading, tunnel);
	read_ends(reading, tunnel);
	if (json_reader_integer(reading->reader, "id", JSON_OPTIONAL, 0, UINT32_MAX, &id)) {
		tunnel->id = (uint32_t)id;
		tunnel->has_id = true;
	}
	text_read_outer(reading, &tunnel->ttl, &tunnel->dscp, &tunnel->copy_dscp, &tunnel->port);
	if (json_reader_bool(reading->reader, "checksum", JSON_OPTIONAL, &checksum))
		tunnel->checksum = checksum ? CHECKSUM_ON : CHECKSUM_OFF;
	json_reader_bool(reading->reader, "sequence", JSON_OPTIONAL, &tunnel->sequence);
	text_read_number(reading->reader, "mtu", MTU_MIN, MTU_MAX, &tunnel->mtu);
	tunnel->group_count = text_read_groups(reading, tunnel->group_ids, &tunnel->filtered);
	read_keepalive(reading, tunnel);
}

/* ---- tunnel: writing ---- */

static bool is_zero(const struct ip_address *address)
{
	static const struct ip_address zero;

	return ip_address_equal(address, &zero);
}

static json_t *address_or_null(const struct ip_address *address)
{
	return is_zero(address) ? json_null() : text_address(address);
}

static json_t *keepalive_json(const struct writing *writing, const struct tunnel_object *tunnel)
{
	struct writing inner = { writing->intent, writing->form, NULL };

	if (!tunnel->keepalive_interval)
		return json_null();
	inner.json = json_pack("{si}", "interval", (int)tunnel->keepalive_interval);
	text_write_number(&inner, "retries", tunnel->keepalive_retries, KEEPALIVE_RETRIES_DEFAULT);
	text_write_value(&inner, "address", is_zero(&tunnel->keepalive_address),
			 address_or_null(&tunnel->keepalive_address));
	return inner.json;
}

void text_write_tunnel(const struct writing *writing, const struct tunnel_object *tunnel)
{
	json_t *groups = json_null();

	text_write_value(writing, "type", false, json_string(tunnel_type_name(tunnel)));
	text_write_value(writing, "host", tunnel->host[0] == '\0',
			 tunnel->host[0] ? json_string(tunnel->host) : json_null());
	text_write_value(writing, "remote", false, text_address(&tunnel->remote));
	text_write_value(writing, "local", is_zero(&tunnel->local),
			 address_or_null(&tunnel->local));
	text_write_value(writing, "subnet", tunnel->subnet_id == 0,
			 tunnel->subnet_id ? text_name(writing, tunnel->subnet_id) : json_null());
	text_write_value(writing, "id", !tunnel->has_id,
			 tunnel->has_id ? json_integer(tunnel->id) : json_null());
	text_write_outer(writing, tunnel->ttl, tunnel->dscp, tunnel->copy_dscp, tunnel->port);
	text_write_value(writing, "checksum", tunnel->checksum == CHECKSUM_USUAL,
			 tunnel->checksum == CHECKSUM_USUAL
				 ? json_null()
				 : json_boolean(tunnel->checksum == CHECKSUM_ON));
	text_write_value(writing, "sequence", !tunnel->sequence, json_boolean(tunnel->sequence));
	text_write_value(writing, "mirror", tunnel->mirror == (tunnel->erspan != 0),
			 json_boolean(tunnel->mirror));
	text_write_value(writing, "hardware_id", !tunnel->hardware_id,
			 json_integer(tunnel->hardware_id));
	text_write_value(writing, "mtu", tunnel->mtu == 0,
			 tunnel->mtu ? json_integer(tunnel->mtu) : json_null());
	if (tunnel->filtered) {
		groups = json_array();
		for (size_t i = 0; i < tunnel->group_count; i++)
			json_array_append_new(groups, text_name(writing, tunnel->group_ids[i]));
	}
	text_write_value(writing, "security_groups", !tunnel->filtered, groups);
	text_write_value(writing, "keepalive", tunnel->keepalive_interval == 0,
			 keepalive_json(writing, tunnel));
}
