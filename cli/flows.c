/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft flows: connections in the flow table.
 *
 * One line for both directions of a connection.
 *
 * Neighbours: packet.c.
 */
#include <inttypes.h>

#include "cli/nouns.h"
#include "cli/packet.h"
#include "cli/table.h"
#include "client/client.h"

static const struct option flows_options[] = {
	NAME_OPTION("port", "VPC/PORT", "only of this port", COMPLETE_PORT),
	INTEGER_OPTION("limit", "COUNT", "at most so many; 10000 by default", NULL),
	{ 0 },
};

static json_int_t number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static void print_flows(struct invocation *invocation, const json_t *flows)
{
	static const char *const titles[] = { "PORT",  "PEER", "CONNECTION", "STATE", "PACKETS",
					      "BYTES", "IDLE", "TIMEOUT",    NULL };
	struct buf text = { 0 };
	struct table table;
	json_t *flow;
	size_t index;

	table_init(&table, titles);
	json_array_foreach(flows, index, flow) {
		buf_reset(&text);
		packet_append(&text, flow);
		table_cell(&table, packet_text(flow, "port"));
		table_cell(&table, packet_text(flow, "peer"));
		table_cell(&table, buf_text(&text));
		table_cell(&table, packet_text(flow, "state"));
		table_cellf(&table, "%" PRId64 "/%" PRId64, (int64_t)number(flow, "packets"),
			    (int64_t)number(flow, "reply_packets"));
		table_cellf(&table, "%" PRId64 "/%" PRId64, (int64_t)number(flow, "bytes"),
			    (int64_t)number(flow, "reply_bytes"));
		table_cellf(&table, "%" PRId64 "s", (int64_t)number(flow, "idle"));
		table_cellf(&table, "%" PRId64 "s", (int64_t)number(flow, "timeout"));
	}
	table_print(&table, invocation->out, 0);
	table_fini(&table);
	buf_fini(&text);
}

static int run_flows(struct invocation *invocation)
{
	const char *port = invocation_text(invocation, "port");
	struct error error = { 0 };
	int status = EXIT_DONE;
	json_t *document;

	if (client_flows(invocation_client(invocation), port,
			 (unsigned long)invocation_integer(invocation, "limit", 0), &document,
			 &error) < 0)
		return report_question(invocation, &error);
	if (invocation->json)
		status = report_json(invocation, document);
	else
		print_flows(invocation, json_object_get(document, "flows"));
	if (!invocation->json && json_is_true(json_object_get(document, "truncated")))
		report_refused(invocation, "there are more; --limit shows them");
	json_decref(document);
	return status;
}

static const struct command flows_commands[] = {
	{
		.arguments = "",
		.summary = "connections in the flow table, with state and counters there/back",
		.options = flows_options,
		.run = run_flows,
	},
	{ 0 },
};

const struct noun flows_noun = {
	.name = "flows",
	.summary = "connections in the flow table",
	.commands = flows_commands,
};
