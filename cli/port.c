/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft port: where workloads plug in.
 *
 * What a port is attached to is one of many, so that naming one takes the others away.
 *
 * Neighbours: object.c, which does the rest.
 */
#include <string.h>

#include "base/alloc.h"
#include "base/file.h"
#include "cli/nouns.h"
#include "cli/object.h"

static const struct option port_options[] = {
	TEXT_OPTION("subnet", "NAME", "a subnet of the VPC", "subnet"),
	TEXT_OPTION("netns", "NAME|PATH", "plug into this network namespace", "attach.netns"),
	INTEGER_OPTION("pid", "PID", "plug into the namespace of this process", "attach.pid"),
	TEXT_OPTION("tap", "NAME", "a tap of this name on the host, for a virtual machine",
		    "attach.tap"),
	TEXT_OPTION("tun", "NAME", "a tun of this name on the host: IP without Ethernet",
		    "attach.tun"),
	TEXT_OPTION("bridge", "NAME", "l2: a bridge of the kernel to be a member of",
		    "attach.bridge"),
	TEXT_OPTION("ovs-bridge", "NAME", "l2: a bridge of Open vSwitch to be a member of",
		    "attach.ovs_bridge"),
	TEXT_OPTION("device", "NAME", "a device of the host that is there already",
		    "attach.device"),
	SWITCH_OPTION("take-addresses", "with --device: put the host's addresses there aside",
		      "attach.take_addresses"),
	SWITCH_OPTION("link",
		      "l2: with --device or --parent: a switch is behind it, not a workload",
		      "attach.link"),
	TEXT_OPTION("patch", "[VPC/]PORT", "l2: join another port, which names this one",
		    "attach.patch"),
	TEXT_OPTION("parent", "PORT", "behind the device of this port, of any VPC",
		    "attach.parent"),
	INTEGER_OPTION("vlan", "TAG", "with --parent: its frames have this tag", "attach.vlan"),
	SWITCH_OPTION("native", "with --parent: frames without a tag are its, too",
		      "attach.native"),
	WORDS_OPTION("vlan-protocol", "802.1q|802.1ad", "with --parent: of the tag",
		     "attach.protocol"),
	SWITCH_OPTION("host-network", "the workload has the host's own network, without isolation",
		      "attach.host"),
	TEXT_OPTION("ifname", "NAME", "of the device inside the namespace; eth0", "attach.ifname"),
	SWITCH_OPTION("configure", "set addresses and routes inside the namespace",
		      "attach.configure"),
	INTEGER_OPTION("queues", "COUNT", "of a tap", "attach.queues"),
	LIST_OPTION("address", "ADDRESS", "its own; given one if left out", "addresses"),
	TEXT_OPTION("mac", "MAC", "given one if left out", "mac"),
	LIST_OPTION("group", "NAME", "security group of the VPC; default by default",
		    "security_groups"),
	LIST_OPTION("allow-address", "PREFIX", "may send from this too", "allowed_addresses"),
	SWITCH_OPTION("source-destination-check", "off lets it forward for others",
		      "source_destination_check"),
	INTEGER_OPTION("mtu", "BYTES", "the VPC's if left out", "mtu"),
	INTEGER_OPTION("flow-limit", "COUNT", "connections it may have begun", "flow_limit"),
	TEXT_OPTION("send-rate", "BITS", "it may send so much a second: 10M, 2.5G; 0: no limit",
		    "send_rate"),
	TEXT_OPTION("receive-rate", "BITS", "it gets so much a second", "receive_rate"),
	INTEGER_OPTION("share", "COUNT", "its part of what others want, too; 1", "share"),
	TEXT_OPTION("rate-burst", "BYTES", "beyond its rates at one time", "rate_burst"),
	TEXT_OPTION("send-burst", "BYTES", "the same of what it sends alone", "send_burst"),
	TEXT_OPTION("receive-burst", "BYTES", "the same of what it gets alone", "receive_burst"),
	MIRROR_OPTIONS("who gets copies of its packets; \"\": nobody",
		       "of what it sends, of what it gets; both"),
	FLOW_LOG_OPTIONS,
	TEXT_OPTION("dscp", "NUMBER|off", "what it sends is marked so", "dscp"),
	TEXT_OPTION("user-data", "FILE", "what its metadata hands to the workload; \"\": nothing",
		    NULL),
	TEXT_OPTION("host", "HOST", "where the workload is; this one if left out", "host"),
	{ 0 },
};

static const struct option port_list_options[] = {
	NAME_OPTION("vpc", "VPC", "only of this VPC", COMPLETE_VPC),
	{ 0 },
};

static const struct option port_move_options[] = {
	{ "to", 0, OPTION_TEXT, "HOST", "where the workload is going", "moving_to", COMPLETE_HOST },
	WORDS_OPTION("activation", "first-frame|command",
		     "what makes it active there; the first frame of its workload", "activation"),
	FLAG_OPTION("cancel", 0, "it stays where it is", NULL),
	{ 0 },
};

#define FILE_SIZE_MAX (1 << 20) /* what a request may carry is judged by the daemon */

static const char *const attachments[] = { "netns",      "pid",    "tap",   "tun",    "bridge",
					   "ovs_bridge", "device", "patch", "parent", "host" };

/* What is said of a child only. */
static const char *const of_parent[] = { "vlan", "protocol", "native" };

/* What a port loses with its device. */
static const char *const of_device[] = { "addresses", "mac", "security_groups" };

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
	return report_usage(invocation,
			    "a port is plugged in at one place: one of --netns, --pid, "
			    "--tap, --tun, --bridge, --ovs-bridge, --device, --patch, --parent "
			    "and --host-network");
}

/* The file's content becomes the value. Return: 0, or an exit status after saying why. */
static int read_user_data(struct invocation *invocation, json_t *body)
{
	const char *path = invocation_text(invocation, "user-data");
	struct error error = { 0 };
	struct buf text = { 0 };
	json_t *value = json_null();

	if (!path)
		return 0;
	if (*path && file_read(path, FILE_SIZE_MAX, &text, &error))
		return report_failure(invocation, &error);
	if (*path)
		value = json_stringn(buf_text(&text), text.size);
	buf_fini(&text);
	if (!value)
		return report_refused(invocation, "%s: user data is text in UTF-8", path);
	json_object_set_new(body, "user_data", value);
	return 0;
}

static int add(struct invocation *invocation)
{
	json_t *body = invocation_object(invocation);
	const char *given;
	int status;

	if (count_attachments(body, &given) > 1)
		return refuse_attachments(invocation, body);
	status = read_user_data(invocation, body);
	if (status) {
		json_decref(body);
		return status;
	}
	return object_add_as(invocation, body);
}

static int set(struct invocation *invocation)
{
	json_t *changes = invocation_object(invocation);
	const char *given = NULL;
	int status;

	if (count_attachments(changes, &given) > 1)
		return refuse_attachments(invocation, changes);
	status = read_user_data(invocation, changes);
	if (status) {
		json_decref(changes);
		return status;
	}
	for (size_t i = 0; given && i < ARRAY_SIZE(attachments); i++)
		if (strcmp(attachments[i], given) != 0)
			json_object_set_new(json_object_get(changes, "attach"), attachments[i],
					    json_null());
	for (size_t i = 0; given && strcmp(given, "parent") && i < ARRAY_SIZE(of_parent); i++)
		json_object_set_new(json_object_get(changes, "attach"), of_parent[i], json_null());
	for (size_t i = 0; given && !strcmp(given, "host") && i < ARRAY_SIZE(of_device); i++)
		if (!json_object_get(changes, of_device[i]))
			json_object_set_new(changes, of_device[i], json_null());
	return object_set_as(invocation, changes);
}

static int move(struct invocation *invocation)
{
	json_t *changes = invocation_object(invocation);
	bool cancel = invocation_flag(invocation, "cancel");

	if (cancel == (json_object_get(changes, "moving_to") != NULL)) {
		json_decref(changes);
		return report_usage(invocation, "either --to HOST or --cancel");
	}
	if (cancel)
		json_object_set_new(changes, "moving_to", json_null());
	if (cancel || !json_object_get(changes, "activation"))
		json_object_set_new(changes, "activation", json_string("first-frame"));
	return object_set_as(invocation, changes);
}

static int edit_activate(struct invocation *invocation, const json_t *object, json_t *changes,
			 void *context)
{
	const json_t *to = json_object_get(object, "moving_to");

	(void)context;
	if (!json_is_string(to))
		return report_refused(
			invocation, "port %s is not about to move: `weft port move` says where to",
			invocation->arguments[0]);
	json_object_set(changes, "host", (json_t *)to);
	json_object_set_new(changes, "moving_to", json_null());
	return 0;
}

static int activate(struct invocation *invocation)
{
	struct object_name name;
	int status =
		object_name_parse(invocation, invocation->noun, invocation->arguments[0], &name);

	if (status)
		return status;
	status = object_edit(invocation, &name, edit_activate, NULL);
	if (status == EXIT_DONE)
		report_line(invocation, "%s is active where it was to move", name.about);
	object_name_fini(&name);
	return status;
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
		if (json_is_boolean(value)) {
			buf_append_text(text, attachments[i]);
			continue;
		}
		buf_printf(text, "%s ", attachments[i]);
		object_append_value(text, value);
		if (ifname && i < 2)
			buf_printf(text, " %s", ifname);
	}
}

/* "plugged"; "on h2" for one that another host looks after. */
static void render_state(const json_t *object, struct buf *text)
{
	const json_t *status = json_object_get(object, "status");
	const char *state = json_string_value(json_object_get(status, "state"));
	const char *host = json_string_value(json_object_get(status, "host"));

	if (state && host && strcmp(state, "elsewhere") == 0)
		buf_printf(text, "on %s", host);
	else if (state && strcmp(state, "ready") == 0)
		buf_printf(text, "ready, on %s", host ? host : "?");
	else if (state)
		buf_append_text(text, state);
}

static int list(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "SUBNET", "subnet", NULL },           { "HOST", "host", NULL },
		{ "ADDRESSES", "addresses", NULL },     { "MAC", "mac", NULL },
		{ "GROUPS", "security_groups", NULL },  { "STATE", NULL, render_state },
		{ "ATTACHED TO", NULL, render_attach }, { 0 },
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
		.options = port_options,
		.required = "subnet",
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
		.options = port_options,
		.run = set,
	},
	{
		.verb = "move",
		.arguments = "VPC/PORT",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_PORT,
		.summary = "make a port ready on another host, to which its workload is going",
		.text = "The port stays active where it is until the first frame comes from its device "
			"on the other\nhost, or until `weft port activate`. Then the old host sends "
			"on for a minute what still comes\nfor it.",
		.options = port_move_options,
		.run = move,
	},
	{
		.verb = "activate",
		.arguments = "VPC/PORT",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_PORT,
		.summary = "make a port that is moving active where it is going, now",
		.run = activate,
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
