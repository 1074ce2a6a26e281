/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft status: the daemon, the host, what there is and what is wrong.
 *
 * Neighbours: agent/api/api.c, which gathers it.
 */
#include <string.h>

#include "cli/nouns.h"
#include "cli/object.h"
#include "cli/table.h"

static json_int_t number(const json_t *status, const char *key)
{
	return json_integer_value(object_key(status, key));
}

static const char *text(const json_t *status, const char *key)
{
	const char *value = json_string_value(object_key(status, key));

	return value ? value : "-";
}

static void add_duration(struct table *table, json_int_t seconds)
{
	int days = (int)(seconds / 86400), hours = (int)(seconds / 3600 % 24);
	int minutes = (int)(seconds / 60 % 60);

	if (days)
		table_cellf(table, "%dd %dh", days, hours);
	else if (hours)
		table_cellf(table, "%dh %dm", hours, minutes);
	else if (minutes)
		table_cellf(table, "%dm %ds", minutes, (int)(seconds % 60));
	else
		table_cellf(table, "%ds", (int)seconds);
}

/* "1 vpc, 4 subnets, …" of a map from words to numbers; those that are zero are left out. */
static void add_counts(struct table *table, const json_t *counts)
{
	struct buf line = { 0 };
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)counts, key, value) {
		size_t length = strlen(key);

		if (json_integer_value(value) == 0)
			continue;
		if (json_integer_value(value) == 1 && length && key[length - 1] == 's')
			length--;
		buf_printf(&line, "%s%" JSON_INTEGER_FORMAT " ", line.size ? ", " : "",
			   json_integer_value(value));
		for (size_t i = 0; i < length; i++)
			buf_append_char(&line, key[i] == '_' ? ' ' : key[i]);
	}
	table_cell(table, line.size ? buf_text(&line) : "none");
	buf_fini(&line);
}

static void add_drops(struct table *table, const json_t *drops)
{
	struct buf line = { 0 };
	const char *reason;
	json_t *count;

	json_object_foreach((json_t *)drops, reason, count) {
		if (json_integer_value(count) > 0)
			buf_printf(&line, "%s%" JSON_INTEGER_FORMAT " %s", line.size ? ", " : "",
				   json_integer_value(count), reason);
	}
	table_cell(table, line.size ? buf_text(&line) : "none in the last minute");
	buf_fini(&line);
}

static void print_features(struct invocation *invocation, const json_t *features)
{
	struct table table = { .column_count = 3 };
	json_t *feature;
	size_t index;

	if (json_array_size(features) == 0)
		return;
	fprintf(invocation->out, "\nkernel features:\n");
	json_array_foreach(features, index, feature) {
		table_cell(&table,
			   json_is_true(json_object_get(feature, "present")) ? "yes" : "no");
		table_cell(&table, text(feature, "name"));
		table_cell(&table, text(feature, "meaning"));
	}
	table_print(&table, invocation->out, 2);
	table_fini(&table);
}

static void print_problems(struct invocation *invocation, const json_t *problems)
{
	json_t *problem;
	size_t index;

	if (json_array_size(problems) == 0)
		return;
	fprintf(invocation->out, "\nproblems:\n");
	json_array_foreach(problems, index, problem) {
		fprintf(invocation->out, "  ");
		if (json_is_string(json_object_get(problem, "object")))
			fprintf(invocation->out, "%s: ", text(problem, "object"));
		fprintf(invocation->out, "%s (since %s)\n", text(problem, "message"),
			text(problem, "since"));
	}
}

static void print_status(struct invocation *invocation, const json_t *status)
{
	struct table table = { .column_count = 2 };

	table_cell(&table, "daemon");
	table_cellf(&table, "weftd %s, instance %s, pid %" JSON_INTEGER_FORMAT ", %s",
		    text(status, "daemon.version"), text(status, "daemon.name"),
		    number(status, "daemon.pid"), text(status, "daemon.state"));
	table_cell(&table, "running for");
	add_duration(&table, number(status, "daemon.uptime"));
	table_cell(&table, "store");
	table_cellf(&table, "%s, revision %" JSON_INTEGER_FORMAT, text(status, "daemon.store"),
		    number(status, "daemon.revision"));
	table_cell(&table, "memory");
	table_cellf(&table, "%.1f MiB daemon, %.1f MiB tables",
		    (double)number(status, "daemon.resident") / 1048576,
		    (double)number(status, "datapath.memory") / 1048576);
	table_cell(&table, "host");
	table_cellf(&table, "%s, kernel %s", text(status, "host.name"),
		    text(status, "host.kernel"));
	table_cell(&table, "objects");
	add_counts(&table, object_key(status, "objects"));
	table_cell(&table, "ports");
	add_counts(&table, object_key(status, "ports"));
	table_cell(&table, "connections");
	table_cellf(&table, "%" JSON_INTEGER_FORMAT " of %" JSON_INTEGER_FORMAT,
		    number(status, "datapath.flows"), number(status, "datapath.flow_capacity"));
	table_cell(&table, "drops");
	add_drops(&table, object_key(status, "drops_last_minute"));
	table_print(&table, invocation->out, 0);
	table_fini(&table);
	print_features(invocation, object_key(status, "host.features"));
	print_problems(invocation, object_key(status, "problems"));
}

static int run_status(struct invocation *invocation)
{
	struct error error = { 0 };
	int result = EXIT_DONE;
	json_t *status;

	if (client_status(invocation_client(invocation), &status, &error) < 0)
		return report_failure(invocation, &error);
	if (invocation->json)
		result = report_json(invocation, status);
	else if (!invocation->quiet)
		print_status(invocation, status);
	json_decref(status);
	return result;
}

static const struct command status_commands[] = {
	{
		.arguments = "",
		.summary =
			"daemon, host, kernel features, objects, drops in the last minute, problems",
		.run = run_status,
	},
	{ 0 },
};

const struct noun status_noun = {
	.name = "status",
	.summary = "the daemon, the host, what there is and what is wrong",
	.commands = status_commands,
};
