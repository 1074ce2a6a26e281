/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * POST /v1/trace: builds the frame that was asked for; api_trace_follow.c tells what becomes of it.
 *
 * The frame is sent as the workload's stack would send it: to the neighbour's own MAC when the
 * destination is in the port's subnet, to the gateway's otherwise. With a tag it is what a child of
 * the port sends, or what a workload tags by itself in a subnet that passes tags.
 */
#include "agent/api/api_private.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "agent/names.h"
#include "agent/observe/probe.h"
#include "base/alloc.h"
#include "base/json.h"
#include "datapath/trace.h"

/* What the body says; texts are borrowed from it. */
struct trace_request {
	const char *port, *to, *from, *arp, *nd, *hex, *mac;
	json_t *protocol, *vlan;
	int64_t source_port, destination_port, type, code, size;
};

/* Kept between calls: it has room for the largest frame. One thread. */
static uint8_t trace_frame[TRACE_FRAME_MAX];

static int read_request(json_t *body, struct trace_request *request, struct error *error)
{
	struct json_reader reader;
	unsigned int kinds;

	json_reader_init(&reader, body, "", error);
	json_reader_text(&reader, "port", JSON_REQUIRED, PATH_NAME_SIZE, &request->port);
	json_reader_text(&reader, "to", JSON_OPTIONAL, 64, &request->to);
	json_reader_text(&reader, "from", JSON_OPTIONAL, 64, &request->from);
	json_reader_text(&reader, "arp", JSON_OPTIONAL, 64, &request->arp);
	json_reader_text(&reader, "nd", JSON_OPTIONAL, 64, &request->nd);
	json_reader_text(&reader, "hex", JSON_OPTIONAL, 4 * TRACE_FRAME_MAX, &request->hex);
	json_reader_text(&reader, "mac", JSON_OPTIONAL, 64, &request->mac);
	json_reader_array(&reader, "vlan", JSON_OPTIONAL, PROBE_TAGS_MAX, &request->vlan);
	json_reader_value(&reader, "protocol", JSON_OPTIONAL, &request->protocol);
	json_reader_integer(&reader, "source_port", JSON_OPTIONAL, 0, 65535, &request->source_port);
	json_reader_integer(&reader, "destination_port", JSON_OPTIONAL, 0, 65535,
			    &request->destination_port);
	json_reader_integer(&reader, "type", JSON_OPTIONAL, 0, 255, &request->type);
	json_reader_integer(&reader, "code", JSON_OPTIONAL, 0, 255, &request->code);
	json_reader_integer(&reader, "size", JSON_OPTIONAL, 1, 65575, &request->size);
	kinds = !!request->to + !!request->arp + !!request->nd + !!request->hex;
	if (!json_reader_failed(&reader) && kinds != 1)
		json_reader_fail(&reader, NULL, EINVAL,
				 "say one of to, arp, nd or hex: what the packet is");
	if (!json_reader_failed(&reader) && request->hex && (request->vlan || request->mac))
		json_reader_fail(&reader, NULL, EINVAL,
				 "hex is the whole frame, with its MACs and its tags");
	return json_reader_finish(&reader);
}

static int read_protocol(const struct trace_request *request, bool ipv4, uint8_t *protocol,
			 struct error *error)
{
	const char *name = json_string_value(request->protocol);

	*protocol = ipv4 ? IPPROTO_ICMP : IPPROTO_ICMPV6;
	if (!request->protocol)
		return 0;
	if (json_is_integer(request->protocol)) {
		json_int_t number = json_integer_value(request->protocol);

		if (number < 0 || number > 255)
			return error_set(error, EINVAL, "protocol",
					 "a protocol number is from 0 to 255");
		*protocol = (uint8_t)number;
		return 0;
	}
	if (name && strcmp(name, "tcp") == 0)
		*protocol = IPPROTO_TCP;
	else if (name && strcmp(name, "udp") == 0)
		*protocol = IPPROTO_UDP;
	else if (!name || strcmp(name, "icmp") != 0)
		return error_set(error, EINVAL, "protocol",
				 "the protocol is tcp, udp, icmp or a number");
	return 0;
}

static int read_address(const char *text, const char *path, struct ip_address *address,
			struct error *error)
{
	if (ip_address_parse(text, address))
		return error_set(error, EINVAL, path, "\"%s\" is not an IP address", text);
	return 0;
}

/*
 * The port's first address of a family. If it has no IPv6 address, the link-local one made from its
 * MAC, where that will do (@near): it leads nowhere off the link.
 */
static int own_address(const struct port_object *port, bool ipv4, bool near,
		       struct ip_address *address, struct error *error)
{
	for (size_t i = 0; i < port->address_count; i++) {
		if (ip_address_is_ipv4(&port->addresses[i]) == ipv4) {
			*address = port->addresses[i];
			return 0;
		}
	}
	if (ipv4 || !near)
		return error_set(error, EINVAL, "from",
				 "the port has no %s address; say which one to send from",
				 ipv4 ? "IPv4" : "IPv6");
	*address = ip_address_link_local_from_mac(&port->mac);
	return 0;
}

static struct mac_address gateway_mac(struct api_call *call, uint32_t subnet_id)
{
	const struct subnet_key key = { subnet_id };
	struct subnet row = { 0 };
	struct mac_address mac = { 0 };

	if (datapath_get(call->api->datapath, TABLE_subnets, &key, &row) == 0)
		memcpy(mac.byte, row.gateway_mac, sizeof(mac.byte));
	return mac;
}

/*
 * Where a stack would send it: a neighbour of the subnet by its own MAC, everything else by the
 * gateway.
 */
static struct mac_address next_mac(struct api_call *call, const struct port_object *port,
				   const struct ip_address *destination)
{
	const struct intent *intent = api_intent(call);
	uint32_t owner = intent_address_owner(intent, port->object.vpc_id, destination);
	const struct port_object *neighbour = (const void *)intent_object(intent, owner);

	if (neighbour && neighbour->subnet_id == port->subnet_id)
		return neighbour->mac;
	return gateway_mac(call, port->subnet_id);
}

/*
 * Whether a stack asks by ARP or neighbour discovery who has an address, and gets an answer that Weft does
 * not make: in an l2 subnet, of an address that is neither a port's nor one of the subnet's own.
 */
static bool is_station(struct api_call *call, const struct port_object *port,
		       const struct ip_address *destination)
{
	const struct intent *intent = api_intent(call);
	const struct subnet_object *subnet = (const void *)intent_object(intent, port->subnet_id);
	const struct ip_prefix *cidr;
	struct ip_address last;
	uint64_t offset;

	if (!subnet || subnet->mode != SUBNET_MODE_L2)
		return false;
	cidr = &subnet->cidrs[ip_address_is_ipv4(destination) ? 0 : 1];
	if (!cidr->length || !ip_prefix_contains(cidr, destination) ||
	    intent_address_owner(intent, port->object.vpc_id, destination))
		return false;
	last = ip_prefix_last(cidr);
	if (ip_address_equal(destination, &last) ||
	    ip_address_equal(destination, &subnet->gateways[0]) ||
	    ip_address_equal(destination, &subnet->gateways[1]))
		return false;
	return ip_address_offset(&cidr->address, destination, &offset) || offset >= SUBNET_RESERVED;
}

/* The same behind a tag that is the workload's own affair: who has the address there nobody has told Weft. Where tags do
 * not pass it does not matter. */
static int tagged_mac(struct api_call *call, const struct port_object *port,
		      const struct ip_address *destination, const char *text,
		      struct mac_address *mac, struct error *error)
{
	const struct intent *intent = api_intent(call);
	const struct subnet_object *subnet = (const void *)intent_object(intent, port->subnet_id);
	uint32_t owner = intent_address_owner(intent, port->object.vpc_id, destination);
	const struct port_object *neighbour = (const void *)intent_object(intent, owner);

	if (!subnet || !subnet->vlan_transparent) {
		*mac = next_mac(call, port, destination);
		return 0;
	}
	if (!neighbour || neighbour->subnet_id != port->subnet_id)
		return error_set(error, EINVAL, "mac",
				 "who has %s in that VLAN is the workloads' affair: say with mac "
				 "which MAC the frame is for",
				 text);
	*mac = neighbour->mac;
	return 0;
}

static int refuse_station(struct api_call *call, const struct port_object *port, const char *text,
			  const char *question, struct error *error)
{
	const struct intent *intent = api_intent(call);

	return error_set(
		error, EINVAL, "mac",
		"no port of subnet %s/%s has %s: who has it the workload asks there. Say with "
		"mac whom the packet is for, or trace the question (%s)",
		intent_object(intent, port->object.vpc_id)->name,
		intent_object(intent, port->subnet_id)->name, text, question);
}

static int destination_mac(struct api_call *call, const struct port_object *port,
			   const struct trace_request *request, bool own_tags,
			   const struct ip_address *destination, struct mac_address *mac,
			   struct error *error)
{
	if (request->mac)
		return mac_address_parse(request->mac, mac)
			       ? error_set(error, EINVAL, "mac", "\"%s\" is not a MAC",
					   request->mac)
			       : 0;
	if (own_tags)
		return tagged_mac(call, port, destination, request->to, mac, error);
	if (is_station(call, port, destination))
		return refuse_station(call, port, request->to,
				      ip_address_is_ipv4(destination) ? "arp" : "nd", error);
	*mac = next_mac(call, port, destination);
	return 0;
}

static int build_packet(struct api_call *call, const struct port_object *port,
			const struct trace_request *request, bool own_tags, size_t *size,
			struct error *error)
{
	struct probe probe = { .source_mac = port->mac, .size = (size_t)request->size };
	bool ipv4, near;
	int code;

	if (read_address(request->to, "to", &probe.destination, error))
		return error->code;
	ipv4 = ip_address_is_ipv4(&probe.destination);
	near = ip_address_is_link_local(&probe.destination) ||
	       ip_address_is_multicast(&probe.destination);
	code = request->from ? read_address(request->from, "from", &probe.source, error)
			     : own_address(port, ipv4, near, &probe.source, error);
	if (!code)
		code = read_protocol(request, ipv4, &probe.protocol, error);
	if (code)
		return code;
	if (probe.protocol == IPPROTO_ICMP && !ipv4)
		probe.protocol = IPPROTO_ICMPV6;
	code = destination_mac(call, port, request, own_tags, &probe.destination,
			       &probe.destination_mac, error);
	if (code)
		return code;
	probe.source_port = (uint16_t)request->source_port;
	probe.destination_port = (uint16_t)request->destination_port;
	probe.icmp_type = (uint8_t)request->type;
	probe.icmp_code = (uint8_t)request->code;
	if (request->type < 0)
		probe.icmp_type = probe.protocol == IPPROTO_ICMPV6 ? 128 : 8;
	return probe_build(&probe, trace_frame, sizeof(trace_frame), size, error);
}

static int build_neighbour(const struct port_object *port, const struct trace_request *request,
			   size_t *size, struct error *error)
{
	bool ipv4 = request->arp != NULL;
	struct ip_address target, source;
	const char *text = ipv4 ? request->arp : request->nd;

	if (read_address(text, ipv4 ? "arp" : "nd", &target, error))
		return error->code;
	if (ip_address_is_ipv4(&target) != ipv4)
		return error_set(
			error, EINVAL, ipv4 ? "arp" : "nd",
			ipv4 ? "ARP asks for IPv4 addresses; use nd for IPv6"
			     : "neighbour discovery asks for IPv6 addresses; use arp for IPv4");
	if (request->from) {
		if (read_address(request->from, "from", &source, error))
			return error->code;
		if (ip_address_is_ipv4(&source) != ipv4)
			return error_set(error, EINVAL, "from", "not of the target's family");
	} else if (own_address(port, ipv4, true, &source, error)) {
		return error->code;
	}
	*size = ipv4 ? probe_build_arp(&port->mac, &source, &target, trace_frame)
		     : probe_build_nd(&port->mac, &source, &target, trace_frame);
	return 0;
}

static int read_tags(json_t *vlan, struct probe_tags *tags, struct error *error)
{
	char number[24];
	json_t *entry;
	size_t i;
	int code = 0;

	json_array_foreach(vlan, i, entry) {
		snprintf(number, sizeof(number), "%" JSON_INTEGER_FORMAT,
			 json_integer_value(entry));
		if (json_is_integer(entry))
			code = probe_tag_add(tags, number, error);
		else if (json_is_string(entry))
			code = probe_tag_add(tags, json_string_value(entry), error);
		else
			code = error_set(error, EINVAL, "vlan", "a tag is a number or a text");
		if (code)
			return code;
	}
	return code;
}

/* Whether frames with these tags, or without one, are the child's. */
static bool is_of_child(const struct port_object *child, const struct probe_tags *tags)
{
	if (!tags->count)
		return child->attach.native;
	return child->attach.vlan == (tags->tag[0] & 0xfff) &&
	       child->attach.service_tag == (tags->tag[0] >> 16 == 0x88a8);
}

/*
 * Who sends with this outermost tag, or without one, by the device of the port: a child of it, or
 * the port itself.
 */
static const struct port_object *sender_of(const struct intent *intent,
					   const struct port_object *port,
					   const struct probe_tags *tags)
{
	const struct port_object *sender = port;
	uint32_t *ids;
	size_t count = intent_children(intent, port, &ids);

	for (size_t i = 0; i < count; i++) {
		const struct port_object *child = (const void *)intent_object(intent, ids[i]);

		if (child && is_of_child(child, tags))
			sender = child;
	}
	free(ids);
	return sender;
}

/* The frame as it leaves the workload. The tag that leads to a child of the port is that child's; others are the
 * workload's own. */
static int build_frame(struct api_call *call, const struct port_object *port,
		       const struct trace_request *request, size_t *size, struct error *error)
{
	struct probe_tags tags = { 0 };
	const struct port_object *sender;
	int code;

	if (request->hex)
		return probe_parse_hex(request->hex, trace_frame, sizeof(trace_frame), size, error);
	code = read_tags(request->vlan, &tags, error);
	if (code)
		return code;
	sender = sender_of(api_intent(call), port, &tags);
	if (request->to)
		code = build_packet(call, sender, request, tags.count > (size_t)(sender != port),
				    size, error);
	else
		code = build_neighbour(sender, request, size, error);
	/* A tun device carries no Ethernet header; the pipeline puts one of zeros there. */
	if (!code && port->attach.kind == ATTACH_TUN) {
		if (tags.count)
			return error_set(error, EINVAL, "vlan", "what leaves a tun has no tags");
		memset(trace_frame, 0, 12);
	}
	if (!code && probe_tags_put(&tags, trace_frame, sizeof(trace_frame), size))
		code = error_set(error, EMSGSIZE, "size", "the frame is too long");
	return code;
}

void api_trace(struct api_call *call)
{
	struct trace_request request = { .type = -1 };
	const struct port_object *port;
	struct error error = { 0 };
	json_t *body = api_body(call);
	size_t size = 0;
	int code;

	if (!body)
		return;
	code = read_request(body, &request, &error);
	if (code) {
		api_fail(call, &error);
		json_decref(body);
		return;
	}
	port = (const void *)api_find(call, OBJECT_PORT, "port", request.port);
	if (!port) {
		json_decref(body);
		return;
	}
	if (port->attach.kind == ATTACH_HOST)
		code = error_set(&error, EINVAL, "port",
				 "port %s has the host's own stack (attach.host): nothing of it "
				 "passes the pipeline",
				 request.port);
	else
		code = build_frame(call, port, &request, &size, &error);
	if (code)
		api_fail(call, &error);
	else
		api_trace_follow(call, port->object.id, trace_frame, size);
	json_decref(body);
}
