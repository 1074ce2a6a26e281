/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft multicast: who listens to which group, and which subnets ask.
 *
 * Neighbours: flows.c, which shows another table of the datapath.
 */
#include <inttypes.h>
#include <string.h>

#include "cli/nouns.h"
#include "cli/packet.h"
#include "cli/table.h"
#include "client/client.h"

static const struct option multicast_options[] = {
	NAME_OPTION("port", "VPC/PORT", "only of this port", COMPLETE_PORT),
	{ 0 },
};

/* "all", or "only 10.0.1.5, 10.0.1.6" */
static void append_sources(struct buf *text, const json_t *member)
{
	const char *filter = packet_text(member, "filter");
	json_t *source;
	size_t index;

	if (strcmp(filter, "include") != 0)
		buf_append_text(text, "all");
	else
		buf_append_text(text, "only");
	if (strcmp(filter, "exclude") == 0)
		buf_append_text(text, " but");
	json_array_foreach(json_object_get(member, "sources"), index, source) {
		buf_printf(text, "%s %s", index ? "," : "", json_string_value(source));
	}
}

/* Return: whether there was anything to print. */
static bool print_members(struct invocation *invocation, const json_t *members)
{
	static const char *const titles[] = {
		"SUBNET", "GROUP", "PORT", "SOURCES", "EXPIRES", NULL
	};
	struct buf text = { 0 };
	struct table table;
	json_t *member;
	size_t index;
	bool printed;

	table_init(&table, titles);
	json_array_foreach(members, index, member) {
		buf_reset(&text);
		append_sources(&text, member);
		table_cell(&table, packet_text(member, "subnet"));
		table_cell(&table, json_is_true(json_object_get(member, "router"))
					   ? "any (router)"
					   : packet_text(member, "group"));
		table_cell(&table, packet_text(member, "port"));
		table_cell(&table, buf_text(&text));
		table_cellf(&table, "%" PRId64 "s",
			    (int64_t)json_integer_value(json_object_get(member, "expires")));
	}
	printed = table_rows(&table) > 0;
	if (printed)
		table_print(&table, invocation->out, 0);
	table_fini(&table);
	buf_fini(&text);
	return printed;
}

static void print_queriers(struct invocation *invocation, const json_t *queriers, bool separate)
{
	static const char *const titles[] = { "SUBNET", "INTERVAL", "ASKED", "NEXT", NULL };
	static const char *const keys[] = { "interval", "sent", "next" };
	static const char *const units[] = { "s", "", "s" };
	struct table table;
	json_t *querier;
	size_t index;

	table_init(&table, titles);
	json_array_foreach(queriers, index, querier) {
		table_cell(&table, packet_text(querier, "subnet"));
		for (size_t i = 0; i < 3; i++)
			table_cellf(&table, "%" PRId64 "%s",
				    (int64_t)json_integer_value(json_object_get(querier, keys[i])),
				    units[i]);
	}
	if (table_rows(&table) && separate)
		fputc('\n', invocation->out);
	if (table_rows(&table))
		table_print(&table, invocation->out, 0);
	table_fini(&table);
}

static int run_multicast(struct invocation *invocation)
{
	const char *port = invocation_text(invocation, "port");
	struct error error = { 0 };
	int status = EXIT_DONE;
	json_t *document;
	bool printed;

	if (client_multicast(invocation_client(invocation), port, &document, &error) < 0)
		return report_question(invocation, &error);
	if (invocation->json) {
		status = report_json(invocation, document);
	} else {
		printed = print_members(invocation, json_object_get(document, "members"));
		if (!port)
			print_queriers(invocation, json_object_get(document, "queriers"), printed);
	}
	json_decref(document);
	return status;
}

static const struct command multicast_commands[] = {
	{
		.arguments = "",
		.summary = "who listens to which multicast group, and which subnets ask for it",
		.options = multicast_options,
		.text = "Members are what the ports of this host and other hosts have said by IGMP and MLD;\n"
			"one that says nothing more is forgotten when its time has expired. Below are the\n"
			"subnets whose ports this host asks.",
		.run = run_multicast,
	},
	{ 0 },
};

const struct noun multicast_noun = {
	.name = "multicast",
	.summary = "who listens to which multicast group",
	.commands = multicast_commands,
};
