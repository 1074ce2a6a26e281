/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft host: the machines that run weftd, and how one becomes a part of a cluster.
 *
 * Neighbours: host_setup.c (init, join, token), agent/cluster.h (where the states come from).
 */
#include <string.h>

#include "base/buf.h"
#include "cli/host_setup.h"
#include "cli/nouns.h"
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
	json_array_foreach(value, i, entry)
		buf_printf(&text, "%s%s", text.size ? ", " : "", json_string_value(entry));
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
