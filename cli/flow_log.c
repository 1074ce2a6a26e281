/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft flow-log: where flow logs go, and writing them at once.
 *
 * Which ports have a log is said with `weft vpc set --flow-log` and its like for subnets and ports.
 *
 * Neighbours: agent/api/api_flow_logs.c.
 */
#include <inttypes.h>

#include "cli/nouns.h"
#include "cli/table.h"
#include "client/client.h"

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_places(struct invocation *invocation, const json_t *document)
{
	static const char *const titles[] = { "TO", "RECORDS", "BYTES", "LOST", "STATE", NULL };
	static const char *const kinds[] = { "files", "collectors" };
	struct table table;
	json_t *place;
	size_t index;

	table_init(&table, titles);
	for (size_t kind = 0; kind < 2; kind++) {
		json_array_foreach(json_object_get(document, kinds[kind]), index, place) {
			const char *error = json_string_value(json_object_get(place, "error"));

			table_cell(&table,
				   json_string_value(json_object_get(place, kind ? "to" : "path")));
			table_cellf(&table, "%" PRId64, (int64_t)number(place, "records"));
			table_cellf(&table, "%" PRId64, (int64_t)number(place, "bytes"));
			table_cellf(&table, "%" PRId64, (int64_t)number(place, "lost"));
			table_cell(&table, error ? error : "ok");
		}
	}
	table_print(&table, invocation->out, 0);
	table_fini(&table);
	fprintf(invocation->out,
		"%zu ports, %" PRId64 " connections followed, %" PRId64 " lost in the datapath\n",
		json_array_size(json_object_get(document, "ports")),
		(int64_t)number(document, "followed"), (int64_t)number(document, "lost"));
}

static int ask(struct invocation *invocation, bool write)
{
	struct error error = { 0 };
	int status = EXIT_DONE;
	json_t *document;

	if (client_flow_logs(invocation_client(invocation), write, &document, &error) < 0)
		return report_question(invocation, &error);
	if (invocation->json)
		status = report_json(invocation, document);
	else if (write)
		fprintf(invocation->out, "%" PRId64 " records\n",
			(int64_t)number(document, "records"));
	else
		print_places(invocation, document);
	json_decref(document);
	return status;
}

static int list(struct invocation *invocation)
{
	return ask(invocation, false);
}

static int write_now(struct invocation *invocation)
{
	return ask(invocation, true);
}

static const struct command flow_log_commands[] = {
	{
		.verb = "list",
		.arguments = "",
		.summary = "where the flow logs of this host go, and how much was recorded",
		.run = list,
	},
	{
		.verb = "write",
		.arguments = "",
		.summary = "end the running interval now, and record it",
		.run = write_now,
	},
	{ 0 },
};

const struct noun flow_log_noun = {
	.name = "flow-log",
	.summary = "records of connections, by port and interval",
	.text = "A log is asked for with `weft vpc set VPC --flow-log all`, or of a subnet or port alone.",
	.commands = flow_log_commands,
};
