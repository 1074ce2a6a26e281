/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft drops: packets that were dropped, and why. weft events: the stream behind --follow.
 *
 * The daemon keeps the last sampled drops; --follow shows those that happen from now on. Of a flood
 * only a sample makes an event; how many did not is said with the next one.
 *
 * Neighbours: trace.c (the same verdicts of a packet that is imagined), packet.c.
 */
#include <errno.h>
#include <string.h>

#include "cli/nouns.h"
#include "cli/packet.h"
#include "cli/table.h"
#include "client/client.h"

static const struct option drops_options[] = {
	FLAG_OPTION("follow", 'f', "instead of the last ones, those that happen from now on", NULL),
	NAME_OPTION("port", "VPC/PORT", "only of this port", COMPLETE_PORT),
	{ 0 },
};

static const struct option events_options[] = {
	WORDS_OPTION("kind", "change|port|drop|tunnel", "only of this kind", NULL),
	NAME_OPTION("port", "VPC/PORT", "only of this port", COMPLETE_PORT),
	{ 0 },
};

/* The cells of one drop, in the order of the table and of the lines of --follow. */
enum drop_cell {
	DROP_TIME,
	DROP_PORT,
	DROP_REASON,
	DROP_PACKET,
	DROP_OBJECT,
	DROP_SENTENCE,
	DROP_CELLS,
};

/* " (and 3 more)" if the drop stands for others that made no event. */
static void append_suppressed(struct buf *text, const json_t *drop)
{
	json_int_t count = json_integer_value(json_object_get(drop, "suppressed"));

	if (count > 0)
		buf_printf(text, " (and %" JSON_INTEGER_FORMAT " more)", count);
}

static void fill_cells(const json_t *drop, struct buf cells[DROP_CELLS])
{
	for (int i = 0; i < DROP_CELLS; i++)
		buf_reset(&cells[i]);
	packet_append_time(&cells[DROP_TIME], packet_text(drop, "time"));
	buf_append_text(&cells[DROP_PORT], packet_text(drop, "port"));
	buf_append_text(&cells[DROP_REASON], packet_text(drop, "reason"));
	packet_append(&cells[DROP_PACKET], drop);
	buf_append_text(&cells[DROP_OBJECT], packet_text(drop, "object"));
	buf_append_text(&cells[DROP_SENTENCE], packet_text(drop, "sentence"));
}

static void print_table(struct invocation *invocation, const json_t *drops)
{
	static const char *const titles[] = { "TIME",   "PORT",   "REASON",
					      "PACKET", "OBJECT", "REASON IN WORDS",
					      NULL };
	struct buf cells[DROP_CELLS] = { 0 };
	struct table table;
	json_t *drop;
	size_t index;

	table_init(&table, titles);
	json_array_foreach(drops, index, drop) {
		fill_cells(drop, cells);
		append_suppressed(&cells[DROP_SENTENCE], drop);
		for (int i = 0; i < DROP_CELLS; i++)
			table_cell(&table, buf_text(&cells[i]));
	}
	table_print(&table, invocation->out, 0);
	table_fini(&table);
	for (int i = 0; i < DROP_CELLS; i++)
		buf_fini(&cells[i]);
}

/* A drop as a line of its own; widths fit most, so that columns stay calm. */
static void print_line(struct invocation *invocation, const json_t *drop)
{
	static const int widths[DROP_CELLS] = { 12, 16, 20, 44, 0, 0 };
	struct buf cells[DROP_CELLS] = { 0 };

	fill_cells(drop, cells);
	for (int i = 0; i < DROP_OBJECT; i++)
		fprintf(invocation->out, "%-*s  ", widths[i],
			cells[i].size ? buf_text(&cells[i]) : "-");
	if (cells[DROP_OBJECT].size)
		buf_printf(&cells[DROP_SENTENCE], ": %s", buf_text(&cells[DROP_OBJECT]));
	append_suppressed(&cells[DROP_SENTENCE], drop);
	fprintf(invocation->out, "%s\n", buf_text(&cells[DROP_SENTENCE]));
	for (int i = 0; i < DROP_CELLS; i++)
		buf_fini(&cells[i]);
}

/* Lines of JSON: a stream has no end that one document could be closed at. */
static int print_json_line(struct invocation *invocation, const json_t *data)
{
	if (json_dumpf(data, invocation->out, JSON_COMPACT) < 0)
		return -EIO;
	fputc('\n', invocation->out);
	return 0;
}

/* A reader that went away (a closed pipe) ends the stream. */
static int flush(struct invocation *invocation)
{
	return fflush(invocation->out) == 0 ? 0 : -EPIPE;
}

static int follow_drop(void *context, const char *event, const json_t *data)
{
	struct invocation *invocation = context;

	if (strcmp(event, "lost") == 0)
		report_refused(invocation, "%" JSON_INTEGER_FORMAT " events were lost",
			       json_integer_value(json_object_get(data, "count")));
	if (strcmp(event, "drop") != 0)
		return 0;
	if (!invocation->json)
		print_line(invocation, data);
	else if (print_json_line(invocation, data) < 0)
		return -EIO;
	return flush(invocation);
}

static int finish_stream(struct invocation *invocation, int code, const struct error *error)
{
	return code == -EPIPE ? EXIT_DONE : report_question(invocation, error);
}

static int follow(struct invocation *invocation)
{
	struct error error = { 0 };
	int code = client_events(invocation_client(invocation), "drop",
				 invocation_text(invocation, "port"), NULL, follow_drop, invocation,
				 0, &error);

	return finish_stream(invocation, code, &error);
}

static int run_drops(struct invocation *invocation)
{
	struct error error = { 0 };
	int status = EXIT_DONE;
	json_t *document;

	if (invocation_flag(invocation, "follow"))
		return follow(invocation);
	if (client_drops(invocation_client(invocation), invocation_text(invocation, "port"),
			 &document, &error) < 0)
		return report_question(invocation, &error);
	if (invocation->json)
		status = report_json(invocation, json_object_get(document, "drops"));
	else
		print_table(invocation, json_object_get(document, "drops"));
	json_decref(document);
	return status;
}

/* "port    blue/web1 waiting: there is no network namespace web1" */
static void print_port(struct invocation *invocation, const json_t *data)
{
	const json_t *status = json_object_get(data, "status");
	const char *reason = packet_text(status, "reason");

	fprintf(invocation->out, "port    %s %s%s%s\n", packet_text(data, "port"),
		packet_text(status, "state"), *reason ? ": " : "", reason);
}

static int follow_event(void *context, const char *event, const json_t *data)
{
	struct invocation *invocation = context;
	const char *text = packet_text(data, "text");
	json_t *document;

	if (invocation->json) {
		document = json_pack("{s:s, s:O}", "event", event, "data", (json_t *)data);
		if (print_json_line(invocation, document) < 0) {
			json_decref(document);
			return -EIO;
		}
		json_decref(document);
	} else if (strcmp(event, "drop") == 0) {
		fprintf(invocation->out, "drop    ");
		print_line(invocation, data);
	} else if (strcmp(event, "port") == 0) {
		print_port(invocation, data);
	} else if (strcmp(event, "tunnel") == 0) {
		fprintf(invocation->out, "tunnel  %s %s\n", packet_text(data, "tunnel"),
			packet_text(json_object_get(data, "status"), "state"));
	} else if (*text) {
		fprintf(invocation->out, "%-7s %s\n", event, text);
	} else {
		char *line = json_dumps(data, 0);

		fprintf(invocation->out, "%-7s %s\n", event, line);
		free(line);
	}
	return flush(invocation);
}

static int run_events(struct invocation *invocation)
{
	struct error error = { 0 };
	int code = client_events(invocation_client(invocation), invocation_text(invocation, "kind"),
				 invocation_text(invocation, "port"), NULL, follow_event,
				 invocation, 0, &error);

	return finish_stream(invocation, code, &error);
}

static const struct command drops_commands[] = {
	{
		.arguments = "",
		.summary = "packets that were dropped: when, where, which, why, and what decided",
		.text = "Of a flood of drops only a sample is shown. With --follow --json each is a line.",
		.options = drops_options,
		.run = run_drops,
	},
	{ 0 },
};

const struct noun drops_noun = {
	.name = "drops",
	.summary = "packets that were dropped, and why",
	.commands = drops_commands,
};

static const struct command events_commands[] = {
	{
		.arguments = "",
		.summary = "what happens from now on: changes, ports, drops; a line each",
		.options = events_options,
		.run = run_events,
	},
	{ 0 },
};

const struct noun events_noun = {
	.name = "events",
	.summary = "what happens from now on: changes, ports, drops",
	.commands = events_commands,
};
