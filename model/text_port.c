/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * JSON to ports: addresses, MAC, security groups, and how the workload is attached.
 *
 * What a port does not name (addresses, a MAC) is marked here and given out by check_port.c.
 *
 * Neighbours: text_read.c (the caller, helpers), text_write.c (the way back).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/alloc.h"
#include "model/patches.h"
#include "model/text_private.h"

#define VLAN_TAG_MAX 4094
#define QUEUES_MAX 256 /* what the kernel's tap takes */

static void read_addresses(struct reading *reading, struct port_object *port)
{
	const char *texts[PORT_ADDRESSES_MAX], *one = NULL;
	struct ip_address list[PORT_ADDRESSES_MAX];
	const char *key = "addresses";
	bool present, single;
	size_t count = text_read_texts(reading, key, JSON_OPTIONAL, false, texts,
				       PORT_ADDRESSES_MAX, &present);

	single = json_reader_text(reading->reader, "address", JSON_OPTIONAL, 400, &one);
	if (single && present) {
		text_refuse(reading->draft, reading->reader, "address",
			    "a port has address or addresses, not both");
		return;
	}
	if (single) {
		key = "address";
		texts[0] = one;
		count = 1;
	}
	for (size_t i = 0; i < count; i++)
		if (!text_parse_address(reading, key, texts[i], &list[i]))
			return;
	port_set_addresses(port, list, count);
	reading->entry->automatic_addresses = count == 0;
}

static void read_mac(struct reading *reading, struct port_object *port)
{
	const char *text;

	reading->entry->automatic_mac = true;
	if (!json_reader_text(reading->reader, "mac", JSON_OPTIONAL, 400, &text))
		return;
	reading->entry->automatic_mac = false;
	if (mac_address_parse(text, &port->mac))
		text_refuse(reading->draft, reading->reader, "mac",
			    "mac \"%.64s\" is not six pairs of hexadecimal digits with colons",
			    text);
	else if (mac_address_is_zero(&port->mac))
		text_refuse(reading->draft, reading->reader, "mac", "mac %s is all zero", text);
	else if (mac_address_is_multicast(&port->mac))
		text_refuse(reading->draft, reading->reader, "mac",
			    "mac %s is a multicast address; a port needs one of its own", text);
	else if (port->mac.byte[0] == 0x06 && port->mac.byte[1] == 0x57)
		text_refuse(reading->draft, reading->reader, "mac",
			    "mac %s is reserved: 06:57 begins the MACs of gateways", text);
	else if (port->mac.byte[0] == 0x06 && port->mac.byte[1] == 0x59)
		text_refuse(reading->draft, reading->reader, "mac",
			    "mac %s is reserved: 06:59 begins the MACs of hosts on networks", text);
	else if (port->mac.byte[0] == 0x06 && port->mac.byte[1] == 0x58)
		text_refuse(reading->draft, reading->reader, "mac",
			    "mac %s is reserved: 06:58 begins the MACs of tunnels", text);
}

static bool device_name_is_valid(const char *name)
{
	size_t length = strlen(name);

	if (length == 0 || length > 15 || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
		return false;
	for (size_t i = 0; i < length; i++)
		if (name[i] <= ' ' || name[i] > '~' || strchr("/:%", name[i]))
			return false;
	return true;
}

static void read_device_name(struct reading *reading, struct json_reader *child, const char *key,
			     const char *text, struct attach *attach)
{
	if (device_name_is_valid(text))
		snprintf(attach->ifname, sizeof(attach->ifname), "%s", text);
	else
		text_refuse(reading->draft, child, key,
			    "%s \"%.64s\" is not a device name: 1 to 15 characters without spaces, "
			    "\"/\", \":\" or \"%%\"",
			    key, text);
}

static bool netns_is_valid(const char *text)
{
	for (const char *c = text; *c; c++)
		if (*c <= ' ' || *c == 0x7f)
			return false;
	/* A name is one step below /run/netns; anything with a slash is an absolute path. */
	if (strchr(text, '/'))
		return text[0] == '/';
	return text[0] && strcmp(text, ".") != 0 && strcmp(text, "..") != 0;
}

/* Kinds that are no more than the name of a device of the host. */
static const struct device_kind {
	const char *key;
	enum attach_kind kind;
} device_kinds[] = {
	{ "tap", ATTACH_TAP },       { "tun", ATTACH_TUN },
	{ "bridge", ATTACH_BRIDGE }, { "ovs_bridge", ATTACH_OVS_BRIDGE },
	{ "device", ATTACH_DEVICE },
};

const char *text_attach_device(const struct attach *attach)
{
	for (size_t i = 0; i < ARRAY_SIZE(device_kinds); i++)
		if (device_kinds[i].kind == attach->kind)
			return device_kinds[i].key;
	return NULL;
}

/* "port" or "vpc/port"; whether they are there is nothing to ask yet, for each names the other. */
static void read_peer(struct reading *reading, struct json_reader *child, const char *text,
		      struct attach *attach)
{
	char vpc[NAME_SIZE], port[NAME_SIZE];

	if (patch_split(text, "own", vpc, port) && name_is_valid(vpc) && name_is_valid(port))
		snprintf(attach->peer, sizeof(attach->peer), "%s", text);
	else
		text_refuse(reading->draft, child, "patch",
			    "patch \"%.64s\" is neither the name of a port nor VPC/PORT", text);
}

/* Another port, of this VPC or VPC/PORT, and the tag that tells the two apart. */
static int read_parent(struct reading *reading, struct json_reader *child, struct attach *attach)
{
	const struct object *vpc = draft_object(reading->draft, reading->entry->after->vpc_id);
	const char *text;
	uint32_t tag = 0;

	if (!json_reader_text(child, "parent", JSON_OPTIONAL, 400, &text))
		return 0;
	attach->kind = ATTACH_CHILD;
	if (strlen(text) < NAME_SIZE && !strchr(text, '/'))
		snprintf(attach->parent, sizeof(attach->parent), "%s/%s", vpc->name, text);
	else if (strlen(text) < sizeof(attach->parent))
		snprintf(attach->parent, sizeof(attach->parent), "%s", text);
	else
		text_refuse(reading->draft, child, "parent", "\"%.64s\" is no port", text);
	text_read_number(child, "vlan", 1, VLAN_TAG_MAX, &tag);
	if (!tag)
		json_reader_missing(child, "vlan", "1 to 4094");
	attach->vlan = (uint16_t)tag;
	return 1;
}

/* Which of the kinds. Return: how many were said. */
static int read_attach_kind(struct reading *reading, struct json_reader *child,
			    struct attach *attach)
{
	const char *netns, *device, *peer;
	bool own_stack = false;
	int64_t pid;
	int said = 0;

	if (json_reader_text(child, "netns", JSON_OPTIONAL, sizeof(attach->netns) - 1, &netns)) {
		said++;
		attach->kind = ATTACH_NETNS;
		snprintf(attach->netns, sizeof(attach->netns), "%s", netns);
		snprintf(attach->ifname, sizeof(attach->ifname), "eth0");
		if (!netns_is_valid(netns))
			text_refuse(reading->draft, child, "netns",
				    "netns \"%.64s\" is neither a name nor an absolute path",
				    netns);
	}
	if (json_reader_integer(child, "pid", JSON_OPTIONAL, 1, 1 << 22, &pid)) {
		said++;
		attach->kind = ATTACH_PID;
		attach->pid = (uint32_t)pid;
		snprintf(attach->ifname, sizeof(attach->ifname), "eth0");
	}
	if (json_reader_text(child, "patch", JSON_OPTIONAL, sizeof(attach->peer) - 1, &peer)) {
		said++;
		attach->kind = ATTACH_PATCH;
		read_peer(reading, child, peer, attach);
	}
	said += read_parent(reading, child, attach);
	if (json_reader_bool(child, "host", JSON_OPTIONAL, &own_stack) && own_stack) {
		said++;
		attach->kind = ATTACH_HOST;
	}
	for (size_t i = 0; i < ARRAY_SIZE(device_kinds); i++) {
		if (!json_reader_text(child, device_kinds[i].key, JSON_OPTIONAL, 400, &device))
			continue;
		said++;
		attach->kind = device_kinds[i].kind;
		read_device_name(reading, child, device_kinds[i].key, device, attach);
	}
	return said;
}

/* A word that goes with some kinds only; off is as good as not said. */
static void read_flag(struct reading *reading, struct json_reader *child, const char *key,
		      bool fits, const char *with, bool *flag)
{
	if (json_reader_bool(child, key, JSON_OPTIONAL, flag) && *flag && !fits)
		text_refuse(reading->draft, child, key, "%s goes with %s", key, with);
}

static void read_flags(struct reading *reading, struct json_reader *child, struct attach *attach)
{
	const bool device = attach->kind == ATTACH_DEVICE, behind = attach->kind == ATTACH_CHILD;
	const char *protocol;
	int64_t vlan;

	read_flag(reading, child, "link", device || behind, "device or parent", &attach->link);
	read_flag(reading, child, "take_addresses", device, "device", &attach->take_addresses);
	read_flag(reading, child, "native", behind, "parent", &attach->native);
	if (!behind && json_reader_integer(child, "vlan", JSON_OPTIONAL, 1, VLAN_TAG_MAX, &vlan))
		text_refuse(reading->draft, child, "vlan",
			    "vlan goes with parent: the port whose frames have the tag");
	if (!json_reader_text(child, "protocol", JSON_OPTIONAL, 16, &protocol))
		return;
	attach->service_tag = strcmp(protocol, "802.1ad") == 0;
	if (!behind)
		text_refuse(reading->draft, child, "protocol", "protocol goes with parent");
	else if (!attach->service_tag && strcmp(protocol, "802.1q") != 0)
		text_refuse(reading->draft, child, "protocol",
			    "protocol is 802.1q or 802.1ad, not \"%s\"", protocol);
}

static void read_attach(struct reading *reading, struct attach *attach)
{
	struct json_reader child;
	const char *ifname;
	bool configure;
	int said;

	if (!json_reader_object(reading->reader, "attach", JSON_OPTIONAL, &child))
		return;
	said = read_attach_kind(reading, &child, attach);
	read_flags(reading, &child, attach);
	if (json_reader_text(&child, "ifname", JSON_OPTIONAL, 400, &ifname)) {
		if (text_attach_device(attach) || !attach_is_member(attach))
			text_refuse(reading->draft, &child, "ifname",
				    "ifname goes with netns or pid; a device of the host is named "
				    "by its key");
		else
			read_device_name(reading, &child, "ifname", ifname, attach);
	}
	if (json_reader_bool(&child, "configure", JSON_OPTIONAL, &configure)) {
		if (!configure && (text_attach_device(attach) || !attach_is_member(attach)))
			text_refuse(reading->draft, &child, "configure",
				    "configure goes with netns or pid");
		attach->configure = configure;
	}
	text_read_number(&child, "queues", 1, QUEUES_MAX, &attach->queues);
	if (attach->queues > 1 && attach->kind != ATTACH_TAP)
		text_refuse(reading->draft, &child, "queues", "queues goes with tap");
	/* A key that is misspelt is named first. */
	if (json_reader_finish(&child) == 0 && said != 1)
		text_refuse(reading->draft, &child, NULL,
			    "attach names exactly one of netns, pid, tap, tun, bridge, "
			    "ovs_bridge, device, patch, parent and host");
	reading->reader->code = json_reader_finish(&child);
}

static int compare_ids(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

size_t text_read_groups(struct reading *reading, uint32_t *ids, bool *present)
{
	uint32_t vpc_id = reading->entry->after->vpc_id;
	const char *names[PORT_GROUPS_MAX];
	size_t count = text_read_texts(reading, "security_groups", JSON_OPTIONAL, false, names,
				       PORT_GROUPS_MAX, present);

	for (size_t i = 0; i < count; i++) {
		uint32_t id = text_resolve(reading->draft, reading->reader, "security_groups",
					   vpc_id, OBJECT_SECURITY_GROUP, names[i]);

		for (size_t j = 0; id && j < i; j++)
			if (ids[j] == id)
				text_refuse(reading->draft, reading->reader, "security_groups",
					    "security group %s stands twice", names[i]);
		ids[i] = id;
	}
	qsort(ids, count, sizeof(ids[0]), compare_ids);
	return count;
}

static void read_groups(struct reading *reading, struct port_object *port)
{
	uint32_t ids[PORT_GROUPS_MAX] = { 0 };
	bool present;
	size_t count = text_read_groups(reading, ids, &present);

	if (!present && !attach_is_member(&port->attach)) {
		count = 0;
	} else if (!present) {
		ids[0] = draft_vpc(reading->draft, port->object.vpc_id)->default_group_id;
		count = 1;
	}
	port_set_groups(port, ids, count);
}

static void read_allowed(struct reading *reading, struct port_object *port)
{
	const char *texts[PORT_ALLOWED_MAX];
	struct ip_prefix list[PORT_ALLOWED_MAX];
	bool present;
	size_t count = text_read_texts(reading, "allowed_addresses", JSON_OPTIONAL, false, texts,
				       PORT_ALLOWED_MAX, &present);

	for (size_t i = 0; i < count; i++) {
		if (ip_prefix_parse_or_address(texts[i], &list[i])) {
			text_refuse(reading->draft, reading->reader, "allowed_addresses",
				    "allowed_addresses \"%.64s\" is neither an address nor "
				    "ADDRESS/LENGTH",
				    texts[i]);
			return;
		}
		list[i] = ip_prefix_canonicalise(&list[i]);
	}
	port_set_allowed(port, list, count);
}

void text_read_host_name(struct reading *reading, const char *key, char *host)
{
	const char *text;

	if (!json_reader_text(reading->reader, key, JSON_OPTIONAL, 400, &text))
		return;
	if (name_is_valid(text))
		snprintf(host, NAME_SIZE, "%s", text);
	else
		text_refuse(reading->draft, reading->reader, key,
			    "%s \"%.64s\" is not a host's name", key, text);
}

static void read_move(struct reading *reading, struct port_object *port)
{
	const char *text;

	text_read_host_name(reading, "moving_to", port->moving_to);
	if (!json_reader_text(reading->reader, "activation", JSON_OPTIONAL, 400, &text))
		return;
	port->moves_on_command = strcmp(text, "command") == 0;
	if (!port->moves_on_command && strcmp(text, "first-frame") != 0)
		text_refuse(reading->draft, reading->reader, "activation",
			    "activation \"%.64s\" is neither first-frame nor command", text);
}

void text_read_port(struct reading *reading)
{
	struct port_object *port = (struct port_object *)reading->entry->after;
	uint32_t vpc_id = port->object.vpc_id;
	const char *text, *data;

	if (json_reader_text(reading->reader, "subnet", JSON_REQUIRED, 400, &text))
		port->subnet_id = text_resolve(reading->draft, reading->reader, "subnet", vpc_id,
					       OBJECT_SUBNET, text);
	read_addresses(reading, port);
	read_mac(reading, port);
	read_attach(reading, &port->attach);
	read_groups(reading, port);
	read_allowed(reading, port);
	json_reader_bool(reading->reader, "source_destination_check", JSON_OPTIONAL,
			 &port->source_destination_check);
	text_read_number(reading->reader, "mtu", 576, 65535, &port->mtu);
	text_read_number(reading->reader, "flow_limit", 1, 1 << 24, &port->flow_limit);
	text_read_rates(reading, port);
	text_read_mirror(reading, &port->mirror);
	text_read_flow_log(reading, &port->flow_log);
	text_read_host_name(reading, "host", port->host);
	read_move(reading, port);
	if (reading->record)
		text_read_number(reading->reader, "claim", 1, UINT32_MAX, &port->claim);
	if (json_reader_text(reading->reader, "user_data", JSON_OPTIONAL, USER_DATA_MAX, &data)) {
		free(port->user_data);
		port->user_data = *data ? xstrdup(data) : NULL;
	}
}
