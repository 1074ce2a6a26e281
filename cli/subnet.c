/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft subnet: segments of a VPC.
 *
 * Neighbours: object.c, which does the work.
 */
#include <stdlib.h>

#include "base/alloc.h"
#include "cli/nouns.h"
#include "cli/object.h"

static const struct option subnet_options[] = {
	LIST_OPTION("cidr", "PREFIX", "address range, one for each of IPv4 and IPv6", "cidr"),
	LIST_OPTION("gateway", "ADDRESS", "of the subnet's router; the first of the range",
		    "gateway"),
	WORDS_OPTION("mode", "l3|l2", "routed (the default), or an Ethernet switch", "mode"),
	WORDS_OPTION("segment", "overlay|local|flat|vlan",
		     "carried between hosts (the default), or not, or a network outside",
		     "segment.type"),
	TEXT_OPTION("network", "NETWORK", "flat, vlan: which, by the hosts' uplinks",
		    "segment.network"),
	INTEGER_OPTION("tag", "NUMBER", "vlan: 1 to 4094", "segment.tag"),
	WORDS_OPTION("tag-protocol", "802.1q|802.1ad", "vlan: what kind of tag",
		     "segment.protocol"),
	WORDS_OPTION("direct", "bridge|private|vepa|passthru|l2|l3|l3s",
		     "flat, vlan: how its ports share an uplink; bridge", "segment.direct"),
	WORDS_OPTION("siblings", "bridge|private|vepa",
		     "direct l2, l3, l3s: what its ports are to one another; bridge",
		     "segment.siblings"),
	TEXT_OPTION("router", "HOST", "flat, vlan: whose gateway answers on the wire",
		    "segment.router"),
	WORDS_OPTION("encapsulation", "vxlan|geneve|nvgre|gre|gretap|ipip|sit|fou|gue",
		     "in what it is carried; vxlan", "segment.encapsulation"),
	INTEGER_OPTION("id", "NUMBER", "VNI, VSID or GRE key; given one if left out", "segment.id"),
	INTEGER_OPTION("port", "PORT", "UDP; the usual one", "segment.port"),
	TEXT_OPTION("underlay", "ipv4|ipv6|PREFIX", "which addresses of the hosts carry it",
		    "segment.underlay"),
	SWITCH_OPTION("udp-checksum", "of the outer header; on over IPv6 alone",
		      "segment.udp_checksum"),
	TEXT_OPTION("dscp", "NUMBER|copy", "of the outer header; 0", NULL),
	INTEGER_OPTION("ttl", "HOPS", "of the outer header; 64", "segment.ttl"),
	TEXT_OPTION("flood-group", "ADDRESS", "l2: floods go to this group of the underlay",
		    "segment.flooding.group"),
	TEXT_OPTION("vteps", "PREFIX", "ends that are not Weft and may send to the group",
		    "segment.flooding.vteps"),
	TEXT_OPTION("route-table", "NAME", "a route table of the VPC; main by default",
		    "route_table"),
	TEXT_OPTION("acl", "NAME", "an ACL of the VPC; none by default", "acl"),
	INTEGER_OPTION("flood-rate", "COUNT", "l2: flooded frames per second and port",
		       "flood_rate"),
	INTEGER_OPTION("station-limit", "COUNT", "l2: learned addresses per port", "station_limit"),
	INTEGER_OPTION("station-ageing", "SECONDS", "l2: until an address is forgotten",
		       "station_ageing"),
	INTEGER_OPTION("segment-flood-rate", "COUNT", "l2: the same of all its ports; no limit",
		       "segment_flood_rate"),
	WORDS_OPTION("multicast", "flood|snoop", "l2: to all ports, or to those that listen",
		     "multicast"),
	INTEGER_OPTION("query-interval", "SECONDS", "how often ports are asked; 125",
		       "query_interval"),
	SWITCH_OPTION("route-multicast", "from and to other subnets, if the VPC does; on",
		      "route_multicast"),
	SWITCH_OPTION("vlan-transparent", "l2: VLAN tags of the workloads' own pass; off",
		      "vlan_transparent"),
	FLAG_OPTION("dhcp", 0, "serve DHCPv4 in it", NULL),
	FLAG_OPTION("no-dhcp", 0, "no more", NULL),
	TEXT_OPTION("lease", "SECONDS|infinite", "of DHCP; 3600", NULL),
	LIST_OPTION("dns", "ADDRESS", "by DHCP; the VPC's resolver", "dhcp.dns"),
	LIST_OPTION("ntp", "ADDRESS", "by DHCP", "dhcp.ntp"),
	TEXT_OPTION("domain", "NAME", "by DHCP; the VPC's", "dhcp.domain"),
	LIST_OPTION("dhcp-relay", "ADDRESS", "an outside server answers", "dhcp.relay"),
	LIST_OPTION("search", "NAME", "by DHCP: domains to look a name up in", "dhcp.search"),
	WORDS_OPTION("ra", "slaac|stateless|managed|off",
		     "router advertisements, and how hosts get IPv6 addresses", "ra"),
	FLOW_LOG_OPTIONS,
	WORDS_OPTION("ra-identifiers", "mac|any",
		     "with --ra: addresses by SLAAC are of the MAC, or of the workload's choice",
		     NULL),
	MIRROR_OPTIONS("who gets copies of what its ports send and get; \"\": nobody",
		       "what they send, what they get; both"),
	{ 0 },
};

static const struct option subnet_list_options[] = {
	NAME_OPTION("vpc", "VPC", "only of this VPC", COMPLETE_VPC),
	{ 0 },
};

/* --dhcp alone is true; whoever says something of DHCP means that it is served. */
static void read_dhcp(struct invocation *invocation, json_t *body)
{
	const char *lease = invocation_text(invocation, "lease");
	json_t *dhcp = json_object_get(body, "dhcp");

	if (invocation_flag(invocation, "no-dhcp")) {
		json_object_set_new(body, "dhcp", json_false());
		return;
	}
	if (lease && !dhcp) {
		dhcp = json_object();
		json_object_set_new(body, "dhcp", dhcp);
	}
	if (lease) {
		char *end;
		long long seconds = strtoll(lease, &end, 10);

		json_object_set_new(dhcp, "lease",
				    *end || !*lease ? json_string(lease) : json_integer(seconds));
	}
	if (!dhcp && invocation_flag(invocation, "dhcp"))
		json_object_set_new(body, "dhcp", json_true());
}

/* Whether all that is said of a segment is about the network that it is on already. */
static bool speaks_of_wire(const json_t *segment)
{
	static const char *const keys[] = { "direct", "siblings", "router" };
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		count += json_object_get(segment, keys[i]) != NULL;
	return count == json_object_size(segment);
}

static void read_ra(struct invocation *invocation, json_t *body)
{
	const char *identifiers = invocation_text(invocation, "ra-identifiers");
	json_t *mode = json_object_get(body, "ra");

	if (identifiers)
		json_object_set_new(body, "ra",
				    json_pack("{s:O*, s:s}", "mode", mode, "identifiers",
					      identifiers));
}

/* Whoever says how a subnet is carried means that it is. */
static void name_type(json_t *segment)
{
	if (!json_object_get(segment, "type"))
		json_object_set_new(segment, "type",
				    json_string(json_object_get(segment, "tag")       ? "vlan"
						: json_object_get(segment, "network") ? "flat"
										      : "overlay"));
}

static json_t *read_options(struct invocation *invocation)
{
	json_t *body = invocation_object(invocation);

	read_dhcp(invocation, body);
	read_ra(invocation, body);
	object_set_dscp(invocation, body, "segment.dscp");
	return body;
}

static int add(struct invocation *invocation)
{
	json_t *body = read_options(invocation), *segment = json_object_get(body, "segment");

	if (segment)
		name_type(segment);
	return object_add_as(invocation, body);
}

static int set(struct invocation *invocation)
{
	json_t *body = read_options(invocation), *segment = json_object_get(body, "segment");

	if (segment && !speaks_of_wire(segment))
		name_type(segment);
	return object_set_as(invocation, body);
}

/* "vxlan 4096", "local", "vlan physnet1 100" */
static void render_segment(const json_t *object, struct buf *text)
{
	static const char *const wire[] = { "network", "tag" };
	const json_t *segment = json_object_get(object, "segment");
	const json_t *kind = json_object_get(segment, "encapsulation");

	if (!kind) {
		object_append_value(text, json_object_get(segment, "type"));
		for (size_t i = 0; i < ARRAY_SIZE(wire); i++) {
			if (!json_object_get(segment, wire[i]))
				continue;
			buf_append_text(text, " ");
			object_append_value(text, json_object_get(segment, wire[i]));
		}
		return;
	}
	object_append_value(text, kind);
	buf_append_text(text, " ");
	object_append_value(text, json_object_get(segment, "effective_id"));
}

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "CIDR", "cidr", NULL },
		{ "GATEWAY", "gateway", NULL },
		{ "MODE", "mode", NULL },
		{ "SEGMENT", NULL, render_segment },
		{ "ROUTE TABLE", "route_table", NULL },
		{ "ACL", "acl", NULL },
		{ 0 },
	};

	return object_list_columns(invocation, columns);
}

static const struct command subnet_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/SUBNET",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a subnet",
		.options = subnet_options,
		.required = "cidr",
		.run = add,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all subnets",
		.options = subnet_list_options,
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "VPC/SUBNET",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_SUBNET,
		.summary = "all that is set of one subnet",
		.run = object_show,
	},
	{
		.verb = "set",
		.arguments = "VPC/SUBNET",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_SUBNET,
		.summary = "change a subnet",
		.text = "--cidr replaces the ranges it has; a gateway that was never chosen follows.\n"
			"--acl \"\" takes the ACL away, --route-table \"\" goes back to main.",
		.options = subnet_options,
		.run = set,
	},
	{
		.verb = "remove",
		.arguments = "VPC/SUBNET",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_SUBNET,
		.summary = "remove a subnet without ports",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun subnet_noun = {
	.name = "subnet",
	.summary = "segments of a VPC",
	.commands = subnet_commands,
	.kind = "subnets",
	.word = "subnet",
};
