/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft vpc: isolated routing domains.
 *
 * Neighbours: object.c, which does the work.
 */
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "cli/nouns.h"
#include "cli/object.h"

static const struct option vpc_options[] = {
	LIST_OPTION("cidr", "PREFIX", "address range, IPv4 or IPv6; may be given again", "cidrs"),
	WORDS_OPTION("established", "keep|cut", "what a change of rules does to live connections",
		     "established"),
	TEXT_OPTION("mtu", "BYTES|auto", "largest IP packet of its ports; auto", NULL),
	INTEGER_OPTION("flow-limit", "COUNT", "connections of the whole VPC", "flow_limit"),
	SWITCH_OPTION("dns", "serve DNS to its ports; on", "dns.serve"),
	TEXT_OPTION("dns-domain", "DOMAIN", "of its ports' names; VPC.internal", "dns.domain"),
	LIST_OPTION("dns-forward", "ADDRESS|host|off", "who is asked for other names; off",
		    "dns.forward"),
	LIST_OPTION("dns-record", "NAME=VALUE",
		    "ADDRESS, cname:NAME or txt:TEXT; NAME= takes it away", NULL),
	SWITCH_OPTION("metadata", "tell its ports about themselves at 169.254.169.254; on",
		      "metadata"),
	FLOW_LOG_OPTIONS,
	SWITCH_OPTION("route-multicast", "between its subnets; off", "route_multicast"),
	TEXT_OPTION("routing", "distributed|host:NAME",
		    "who routes: each host, or one; distributed", "routing"),
	TEXT_OPTION("main-route-table", "NAME", "that of subnets which name none",
		    "main_route_table"),
	INTEGER_OPTION("timeout-tcp-opening", "SECONDS", "idle, of a handshake",
		       "timeouts.tcp_opening"),
	INTEGER_OPTION("timeout-tcp-established", "SECONDS", "idle, of a connection",
		       "timeouts.tcp_established"),
	INTEGER_OPTION("timeout-tcp-closing", "SECONDS", "after the first FIN",
		       "timeouts.tcp_closing"),
	INTEGER_OPTION("timeout-tcp-closed", "SECONDS", "after RST or both FINs",
		       "timeouts.tcp_closed"),
	INTEGER_OPTION("timeout-udp-unreplied", "SECONDS", "without an answer so far",
		       "timeouts.udp_unreplied"),
	INTEGER_OPTION("timeout-udp-replied", "SECONDS", "seen both ways", "timeouts.udp_replied"),
	INTEGER_OPTION("timeout-icmp", "SECONDS", "of a ping", "timeouts.icmp"),
	INTEGER_OPTION("timeout-other", "SECONDS", "of other protocols", "timeouts.other"),
	{ 0 },
};

/* NAME=VALUE, as often as a name has values. Return: 0, or an exit status after saying why. */
static int read_records(struct invocation *invocation, json_t *records)
{
	for (size_t i = 0; i < invocation->value_count; i++) {
		const char *text = invocation->values[i].text, *equals;
		json_t *values;
		char *name;

		if (strcmp(invocation->values[i].option->name, "dns-record") != 0)
			continue;
		equals = strchr(text, '=');
		if (!equals || equals == text)
			return report_usage(invocation, "--dns-record is NAME=VALUE, not \"%s\"",
					    text);
		name = xasprintf("%.*s", (int)(equals - text), text);
		values = json_object_get(records, name);
		if (!equals[1]) {
			json_object_set_new(records, name, json_null());
		} else {
			if (!json_is_array(values)) {
				values = json_array();
				json_object_set_new(records, name, values);
			}
			json_array_append_new(values, json_string(equals + 1));
		}
		free(name);
	}
	return 0;
}

/* Return: 0, or an exit status after saying why. */
static int add_records(struct invocation *invocation, json_t *body)
{
	json_t *records = json_object(), *dns = json_object_get(body, "dns");
	int status = read_records(invocation, records);

	if (status || json_object_size(records) == 0) {
		json_decref(records);
		return status;
	}
	if (!dns) {
		dns = json_object();
		json_object_set_new(body, "dns", dns);
	}
	json_object_set_new(dns, "records", records);
	return 0;
}

/* The MTU is a number or a word. */
static json_t *read_options(struct invocation *invocation)
{
	const char *mtu = invocation_text(invocation, "mtu");
	json_t *body = invocation_object(invocation);
	long long number;

	if (mtu && parse_number(mtu, 1 << 20, &number))
		json_object_set_new(body, "mtu", json_integer(number));
	else if (mtu)
		json_object_set_new(body, "mtu", json_string(mtu));
	return body;
}

static int add(struct invocation *invocation)
{
	json_t *body = read_options(invocation);
	int status = add_records(invocation, body);

	if (!status)
		return object_add_as(invocation, body);
	json_decref(body);
	return status;
}

static int set(struct invocation *invocation)
{
	json_t *body = read_options(invocation);
	int status = add_records(invocation, body);

	if (!status)
		return object_set_as(invocation, body);
	json_decref(body);
	return status;
}

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "CIDRS", "cidrs", NULL },
		{ "ESTABLISHED", "established", NULL },
		{ "MTU", "effective_mtu", NULL },
		{ "FLOW LIMIT", "flow_limit", NULL },
		{ 0 },
	};

	return object_list_columns(invocation, columns);
}

static const struct command vpc_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a VPC, with a route table main and a security group default",
		.options = vpc_options,
		.required = "cidr",
		.run = add,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all VPCs",
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "VPC",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_VPC,
		.summary = "all that is set of one VPC",
		.run = object_show,
	},
	{
		.verb = "set",
		.arguments = "VPC",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_VPC,
		.summary = "change a VPC",
		.text = "--cidr replaces the ranges it has.",
		.options = vpc_options,
		.run = set,
	},
	{
		.verb = "remove",
		.arguments = "VPC",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_VPC,
		.summary = "remove a VPC and everything in it",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun vpc_noun = {
	.name = "vpc",
	.summary = "isolated routing domains",
	.text = "A VPC is an address space of its own, which may overlap with that of any other.\n"
		"Nothing enters or leaves it.",
	.commands = vpc_commands,
	.kind = "vpcs",
	.word = "vpc",
};
