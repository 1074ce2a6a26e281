/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft counters: packets and bytes of ports, VPCs and verdicts.
 *
 * Verdicts that never came up are left out of the table; --json has them all.
 *
 * Neighbours: object.c (how a value is shown).
 */
#include "cli/nouns.h"
#include "cli/object.h"
#include "cli/table.h"

struct counter_column {
	const char *title;
	const char *key;
};

static const struct counter_column port_columns[] = {
	{ "RECEIVED", "received_packets" },
	{ "BYTES", "received_bytes" },
	{ "DROPPED", "dropped_packets" },
	{ "SENT", "sent_packets" },
	{ "BYTES", "sent_bytes" },
	{ "REFUSED", "refused_packets" },
	{ "FLOWS", "flows" },
	{ "STATIONS", "stations" },
	{ 0 },
};

static const struct counter_column vpc_columns[] = {
	{ "FLOWS", "flows" },
	{ "REFUSED FLOWS", "refused_flows" },
	{ 0 },
};

static const struct counter_column verdict_columns[] = {
	{ "PACKETS", "packets" },
	{ "BYTES", "bytes" },
	{ 0 },
};

static bool all_zero(const json_t *counters)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)counters, key, value) {
		if (json_integer_value(value) != 0)
			return false;
	}
	return true;
}

/* One part of the answer; @separate: with an empty line in front. Return: whether it was printed. */
static bool print_part(struct invocation *invocation, const json_t *part, const char *title,
		       const struct counter_column *columns, bool skip_zero, bool separate)
{
	const char *titles[TABLE_COLUMNS_MAX] = { title }, *name;
	struct buf text = { 0 };
	struct table table;
	json_t *counters;
	bool printed;
	size_t i;

	for (i = 0; columns[i].title; i++)
		titles[i + 1] = columns[i].title;
	table_init(&table, titles);
	json_object_foreach((json_t *)part, name, counters) {
		if (skip_zero && all_zero(counters))
			continue;
		table_cell(&table, name);
		for (i = 0; columns[i].title; i++) {
			buf_reset(&text);
			object_append_value(&text, json_object_get(counters, columns[i].key));
			table_cell(&table, buf_text(&text));
		}
	}
	printed = table_rows(&table) > 0;
	if (printed && separate)
		fputc('\n', invocation->out);
	if (printed)
		table_print(&table, invocation->out, 0);
	table_fini(&table);
	buf_fini(&text);
	return printed;
}

static int run_counters(struct invocation *invocation)
{
	const char *name = invocation->argument_count ? invocation->arguments[0] : NULL;
	struct error error = { 0 };
	int status = EXIT_DONE;
	bool printed;
	json_t *document;

	if (client_counters(invocation_client(invocation), name, &document, &error) < 0)
		return report_question(invocation, &error);
	if (invocation->json) {
		status = report_json(invocation, document);
	} else {
		printed = print_part(invocation, json_object_get(document, "vpcs"), "VPC",
				     vpc_columns, false, false);
		printed |= print_part(invocation, json_object_get(document, "ports"), "PORT",
				      port_columns, false, printed);
		print_part(invocation, json_object_get(document, "verdicts"), "VERDICT",
			   verdict_columns, !name, printed);
	}
	json_decref(document);
	return status;
}

static const struct command counters_commands[] = {
	{
		.arguments = "[NAME]",
		.argument_max = 1,
		.complete = COMPLETE_PORT,
		.summary =
			"of a port (blue/web1), a VPC (blue), a verdict (group_ingress), or of all",
		.text = "Received is what came from the workload, dropped is a part of it; sent went to\n"
			"the workload, refused was for it and dropped before.",
		.run = run_counters,
	},
	{ 0 },
};

const struct noun counters_noun = {
	.name = "counters",
	.summary = "packets and bytes of ports, VPCs and verdicts",
	.commands = counters_commands,
};
