/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft port: where workloads plug in.
 *
 * What a port is attached to is one of four, so that naming one takes the others away.
 *
 * Neighbours: object.c, which does the rest.
 */
#include <string.h>

#include "base/alloc.h"
#include "cli/nouns.h"
#include "cli/object.h"

#define PORT_OPTIONS(is_required)                                                                  \
	{ "subnet", 0, OPTION_TEXT, "NAME", "a subnet of the VPC", "subnet", COMPLETE_NOTHING,     \
	  is_required },                                                                           \
	{ "netns", 0, OPTION_TEXT, "NAME|PATH", "plug into this network namespace",                \
	  "attach.netns", COMPLETE_NOTHING, false },                                               \
	{ "pid", 0, OPTION_INTEGER, "PID", "plug into the namespace of this process",              \
	  "attach.pid", COMPLETE_NOTHING, false },                                                 \
	{ "tap", 0, OPTION_TEXT, "NAME", "a tap of this name on the host, for a virtual machine",  \
	  "attach.tap", COMPLETE_NOTHING, false },                                                 \
	{ "tun", 0, OPTION_TEXT, "NAME", "a tun of this name on the host: IP without Ethernet",    \
	  "attach.tun", COMPLETE_NOTHING, false },                                                 \
	{ "ifname", 0, OPTION_TEXT, "NAME", "of the device inside the namespace; eth0",            \
	  "attach.ifname", COMPLETE_NOTHING, false },                                              \
	{ "configure", 0, OPTION_SWITCH, "on|off", "set addresses and routes inside the namespace", \
	  "attach.configure", COMPLETE_WORDS, false },                                             \
	{ "queues", 0, OPTION_INTEGER, "COUNT", "of a tap", "attach.queues", COMPLETE_NOTHING,     \
	  false },                                                                                 \
	{ "address", 0, OPTION_LIST, "ADDRESS", "its own; given one if left out", "addresses",     \
	  COMPLETE_NOTHING, false },                                                               \
	{ "mac", 0, OPTION_TEXT, "MAC", "given one if left out", "mac", COMPLETE_NOTHING, false }, \
	{ "group", 0, OPTION_LIST, "NAME", "security group of the VPC; default by default",        \
	  "security_groups", COMPLETE_NOTHING, false },                                            \
	{ "allow-address", 0, OPTION_LIST, "PREFIX", "may send from this too",                     \
	  "allowed_addresses", COMPLETE_NOTHING, false },                                          \
	{ "source-destination-check", 0, OPTION_SWITCH, "on|off",                                  \
	  "off lets it forward for others", "source_destination_check", COMPLETE_WORDS, false },   \
	{ "mtu", 0, OPTION_INTEGER, "BYTES", "the VPC's if left out", "mtu", COMPLETE_NOTHING,     \
	  false },                                                                                 \
	{ "flow-limit", 0, OPTION_INTEGER, "COUNT", "connections it may have begun",               \
	  "flow_limit", COMPLETE_NOTHING, false },                                                 \
	{ "host", 0, OPTION_TEXT, "HOST", "where the workload is; this one if left out", "host",   \
	  COMPLETE_NOTHING, false },                                                               \
	{ 0 },

static const struct option port_add_options[] = { PORT_OPTIONS(true) };
static const struct option port_set_options[] = { PORT_OPTIONS(false) };

static const struct option port_list_options[] = {
	{ "vpc", 0, OPTION_TEXT, "VPC", "only of this VPC", NULL, COMPLETE_VPC, false },
	{ 0 },
};

static const char *const attachments[] = { "netns", "pid", "tap", "tun" };

/* How many ways to attach @body names; *@given is the last of them. */
static size_t count_attachments(const json_t *body, const char **given)
{
	const json_t *attach = json_object_get(body, "attach");
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_SIZE(attachments); i++) {
		if (json_object_get(attach, attachments[i])) {
			*given = attachments[i];
			count++;
		}
	}
	return count;
}

static int refuse_attachments(struct invocation *invocation, json_t *body)
{
	json_decref(body);
	return report_usage(invocation, "a port is plugged in at one place: one of --netns, --pid, "
					"--tap and --tun");
}

static int add(struct invocation *invocation)
{
	json_t *body = invocation_object(invocation);
	const char *given;

	if (count_attachments(body, &given) > 1)
		return refuse_attachments(invocation, body);
	return object_add_as(invocation, body);
}

static int set(struct invocation *invocation)
{
	json_t *changes = invocation_object(invocation);
	const char *given = NULL;

	if (count_attachments(changes, &given) > 1)
		return refuse_attachments(invocation, changes);
	for (size_t i = 0; given && i < ARRAY_SIZE(attachments); i++)
		if (strcmp(attachments[i], given) != 0)
			json_object_set_new(json_object_get(changes, "attach"), attachments[i],
					    json_null());
	return object_set_as(invocation, changes);
}

/* "netns web1 eth0", "tap tap0", … */
static void render_attach(const json_t *object, struct buf *text)
{
	const json_t *attach = json_object_get(object, "attach"), *value;
	const char *ifname = json_string_value(json_object_get(attach, "ifname"));

	for (size_t i = 0; i < ARRAY_SIZE(attachments); i++) {
		value = json_object_get(attach, attachments[i]);
		if (!value || json_is_null(value))
			continue;
		buf_printf(text, "%s ", attachments[i]);
		object_append_value(text, value);
		if (ifname && i < 2)
			buf_printf(text, " %s", ifname);
	}
}

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "SUBNET", "subnet", NULL },
		{ "ADDRESSES", "addresses", NULL },
		{ "MAC", "mac", NULL },
		{ "GROUPS", "security_groups", NULL },
		{ "STATE", "status.state", NULL },
		{ "ATTACHED TO", NULL, render_attach },
		{ 0 },
	};

	return object_list_columns(invocation, columns);
}

static const struct command port_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/PORT",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a port and plug it in",
		.text = "A port whose namespace does not exist yet waits for it.",
		.options = port_add_options,
		.run = add,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all ports",
		.options = port_list_options,
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "VPC/PORT",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_PORT,
		.summary = "all that is set of one port, and whether it is plugged in",
		.run = object_show,
	},
	{
		.verb = "set",
		.arguments = "VPC/PORT",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_PORT,
		.summary = "change a port",
		.text = "Lists (--address, --group, --allow-address) replace those it has.",
		.options = port_set_options,
		.run = set,
	},
	{
		.verb = "remove",
		.arguments = "VPC/PORT",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_PORT,
		.summary = "unplug and remove a port",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun port_noun = {
	.name = "port",
	.summary = "where workloads plug in",
	.commands = port_commands,
	.kind = "ports",
	.word = "port",
};
