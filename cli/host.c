/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft host: the machines that run weftd, and how one becomes a part of a cluster.
 *
 * Neighbours: host_setup.c (init, join, token), object.c (show, set, remove), agent/cluster/cluster.h (where
 * the states come from).
 */
#include <string.h>

#include "base/buf.h"
#include "cli/host_setup.h"
#include "cli/nouns.h"
#include "cli/object.h"
#include "cli/table.h"
#include "client/client.h"

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* "a, b" of a list, or the text itself. */
static void add_texts(struct table *table, const json_t *value)
{
	struct buf text = { 0 };
	const json_t *entry;
	size_t i;

	if (json_is_string(value))
		buf_append_text(&text, json_string_value(value));
	json_array_foreach(value, i, entry) {
		buf_printf(&text, "%s%s", text.size ? ", " : "", json_string_value(entry));
	}
	table_cell(table, buf_text(&text));
	buf_fini(&text);
}

static void add_host(struct table *table, const char *name, const json_t *host)
{
	const json_t *status = json_object_get(host, "status");
	long long path = json_integer_value(json_object_get(status, "path_mtu"));

	table_cell(table, name);
	table_cell(table, text_of(status, "state"));
	table_cell(table, text_of(status, "since"));
	add_texts(table, json_object_get(host, "underlay"));
	table_cellf(table, "%lld", json_integer_value(json_object_get(host, "mtu")));
	if (path)
		table_cellf(table, "%lld", path);
	else
		table_cell(table, NULL);
	table_cell(table, text_of(status, "path"));
	add_texts(table, json_object_get(host, "encapsulations"));
}

static int list(struct invocation *invocation)
{
	static const char *const names[] = { "hosts" };
	static const char *const titles[] = { "NAME", "STATE",    "SINCE", "UNDERLAY",
					      "MTU",  "PATH MTU", "PATH",  "ENCAPSULATIONS",
					      NULL };
	struct error error = { 0 };
	struct table table;
	json_t *hosts, *host;
	const char *name;
	int status = EXIT_DONE;

	if (client_get(invocation_client(invocation), names, 1, &hosts, NULL, &error))
		return report_failure(invocation, &error);
	table_init(&table, titles);
	json_object_foreach(hosts, name, host) {
		if (invocation->quiet)
			fprintf(invocation->out, "%s\n", name);
		add_host(&table, name, host);
	}
	if (invocation->json)
		status = report_json(invocation, hosts);
	else if (!invocation->quiet)
		table_print(&table, invocation->out, 0);
	table_fini(&table);
	json_decref(hosts);
	return status;
}

static const struct option host_options[] = {
	LIST_OPTION("underlay", "ADDRESS", "its addresses, the liked first: 192.0.2.1/24",
		    "underlay"),
	INTEGER_OPTION("mtu", "BYTES", "of the underlay; 1500", "mtu"),
	LIST_OPTION("encapsulation", "KIND", "those it uses, the liked first; all",
		    "encapsulations"),
	LIST_OPTION("peer", "HOST=KIND", "what carries packets to that host", NULL),
	LIST_OPTION("uplink", "NETWORK=DEVICE",
		    "where a network is plugged in; DEVICE:take-addresses puts the host's aside",
		    NULL),
	LIST_OPTION("device-rate", "DEVICE=BITS", "what a device carries a second, for shares",
		    NULL),
	{ 0 },
};

/* What stands behind the "=" of a pair. */
static json_t *pair_value(const char *key, const char *text)
{
	const char *colon = strchr(text, ':');

	if (!*text)
		return json_null();
	if (strcmp(key, "peers") == 0)
		return json_pack("{s:s}", "encapsulation", text);
	if (strcmp(key, "uplinks") == 0 && colon && strcmp(colon, ":take-addresses") == 0)
		return json_pack("{s:s%, s:b}", "device", text, (size_t)(colon - text),
				 "take_addresses", 1);
	return json_string(text);
}

/* "h2=gre" of a list option becomes a member of @body under @key. Return: 0, or EXIT_USAGE. */
static int add_pairs(struct invocation *invocation, const char *option, const char *key,
		     const char *form, json_t *body)
{
	json_t *list = invocation_list(invocation, option), *pairs, *entry;
	size_t index;

	if (!list)
		return 0;
	pairs = json_object();
	json_array_foreach(list, index, entry) {
		const char *text = json_string_value(entry);
		const char *equals = strchr(text, '=');
		char name[64];

		if (!equals || equals == text || (size_t)(equals - text) >= sizeof(name)) {
			int status =
				report_usage(invocation, "--%s %s: it is %s", option, text, form);

			json_decref(pairs);
			json_decref(list);
			return status;
		}
		snprintf(name, sizeof(name), "%.*s", (int)(equals - text), text);
		json_object_set_new(pairs, name, pair_value(key, equals + 1));
	}
	json_decref(list);
	json_object_set_new(body, key, pairs);
	return 0;
}

/* What the options say; NULL after a line about what is wrong with them. */
static json_t *read_options(struct invocation *invocation)
{
	json_t *body = invocation_object(invocation);

	if (add_pairs(invocation, "peer", "peers", "HOST=KIND", body) ||
	    add_pairs(invocation, "uplink", "uplinks", "NETWORK=DEVICE", body) ||
	    add_pairs(invocation, "device-rate", "device_rates", "DEVICE=BITS", body)) {
		json_decref(body);
		return NULL;
	}
	return body;
}

static int add(struct invocation *invocation)
{
	json_t *body = read_options(invocation);

	return body ? object_add_as(invocation, body) : EXIT_USAGE;
}

static int set(struct invocation *invocation)
{
	json_t *changes = read_options(invocation);

	return changes ? object_set_as(invocation, changes) : EXIT_USAGE;
}

static const struct command host_commands[] = {
	{
		.verb = "list",
		.arguments = "",
		.summary = "all hosts: who lives, and what the way to each carries",
		.text = "STATE: here; alive; late, not heard of for up to a minute; gone. The ports "
			"of a host that\nis gone stay, for its datapath goes on without its daemon.\n"
			"PATH MTU: the largest packet that came through the underlay when it was tried "
			"last.",
		.run = list,
	},
	{
		.verb = "show",
		.arguments = "HOST",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_HOST,
		.summary = "all that is set of one host",
		.run = object_show,
	},
	{
		.verb = "add",
		.arguments = "HOST",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a host known; init and join do it by themselves",
		.options = host_options,
		.required = "underlay",
		.run = add,
	},
	{
		.verb = "set",
		.arguments = "HOST",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_HOST,
		.summary = "change a host",
		.text = "weft host set h1 --peer h2=gre    between h1 and h2 packets travel in GRE\n"
			"weft host set h1 --peer h2=       no more",
		.options = host_options,
		.run = set,
	},
	{
		.verb = "remove",
		.arguments = "HOST",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_HOST,
		.summary = "forget a host on which no port and no tunnel is",
		.run = object_remove,
	},
	HOST_SETUP_COMMANDS,
	{ 0 },
};

const struct noun host_noun = {
	.name = "host",
	.summary = "the machines of a cluster",
	.text = "A host runs weftd and has addresses on the underlay, which carries the packets of\n"
		"its ports to other hosts. A host alone needs no object.",
	.commands = host_commands,
	.kind = "hosts",
	.word = "host",
};
