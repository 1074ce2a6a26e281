/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft route-table: the route tables of a VPC. weft route: the routes in them.
 *
 * A route is an element of its table's list; to change one, the table is read, edited and written
 * back, unless somebody else wrote it in between.
 *
 * Neighbours: object.c.
 */
#include <string.h>

#include "base/addr.h"
#include "cli/nouns.h"
#include "cli/object.h"
#include "cli/table.h"

static const struct option list_options[] = {
	NAME_OPTION("vpc", "VPC", "only of this VPC", COMPLETE_VPC),
	{ 0 },
};

static const struct option route_add_options[] = {
	LIST_OPTION("via", "port:NAME|tunnel:NAME|blackhole",
		    "where to; several ports share the connections between them", NULL),
	{ 0 },
};

static void render_count(const json_t *object, struct buf *text)
{
	buf_printf(text, "%zu", json_array_size(json_object_get(object, "routes")));
}

static int list_tables(struct invocation *invocation)
{
	static const struct column columns[] = {
		{ "ROUTES", NULL, render_count },
		{ 0 },
	};

	return object_list_columns(invocation, columns);
}

/* Whether both texts are the same prefix, however they are written. */
static bool same_prefix(const char *a, const char *b)
{
	struct ip_prefix first, second;

	if (ip_prefix_parse_or_address(a, &first) < 0 || ip_prefix_parse_or_address(b, &second) < 0)
		return strcmp(a, b) == 0;
	return ip_prefix_equal(&first, &second);
}

static bool is_local(const json_t *route)
{
	const char *via = json_string_value(json_object_get(route, "via"));

	return via && strcmp(via, "local") == 0;
}

/*
 * The routes of @table but the one to @to, and but the local routes, which the daemon shows although
 * nobody wrote them; *found is the one to @to, borrowed, NULL if there is none.
 */
static json_t *without_route(const json_t *table, const char *to, const json_t **found)
{
	json_t *routes = json_array(), *route;
	const char *prefix;
	size_t index;

	*found = NULL;
	json_array_foreach(json_object_get(table, "routes"), index, route) {
		prefix = json_string_value(json_object_get(route, "to"));
		if (prefix && same_prefix(prefix, to))
			*found = route;
		else if (!is_local(route))
			json_array_append(routes, route);
	}
	return routes;
}

static int edit_add(struct invocation *invocation, const json_t *table, json_t *changes,
		    void *context)
{
	const char *to = invocation->arguments[1];
	const json_t *found;
	json_t *routes = without_route(table, to, &found);

	/* A local route is retargeted by a route to the same range (V19). */
	if (found && !is_local(found)) {
		json_decref(routes);
		report_refused(invocation,
			       "route table %s: there is a route to %s already; remove it first",
			       invocation->arguments[0], to);
		return EXIT_REFUSED;
	}
	json_array_append_new(routes, json_pack("{s:s, s:O}", "to", to, "via", (json_t *)context));
	json_object_set_new(changes, "routes", routes);
	return 0;
}

static int edit_remove(struct invocation *invocation, const json_t *table, json_t *changes,
		       void *context)
{
	const char *to = invocation->arguments[1];
	const json_t *found;
	json_t *routes = without_route(table, to, &found);

	(void)context;
	if (!found) {
		json_decref(routes);
		report_refused(invocation, "route table %s: no route to %s",
			       invocation->arguments[0], to);
		return EXIT_REFUSED;
	}
	/* The model would put it back at once; say so rather than "removed". */
	if (is_local(found)) {
		json_decref(routes);
		report_refused(
			invocation,
			"route table %s: %s is a range of the VPC; its local route cannot be removed",
			invocation->arguments[0], to);
		return EXIT_REFUSED;
	}
	json_object_set_new(changes, "routes", routes);
	return 0;
}

static int route_add(struct invocation *invocation)
{
	const char *third = invocation->argument_count > 2 ? invocation->arguments[2] : NULL;
	json_t *via = invocation_list(invocation, "via");
	struct object_name name;
	int status;

	if (third && !via)
		via = json_pack("[s]", third);
	else if (third || !via) {
		json_decref(via);
		return report_usage(invocation,
				    "--via is missing: --via port:NAME, tunnel:NAME or blackhole");
	}
	if (json_array_size(via) == 1) {
		json_t *only = json_incref(json_array_get(via, 0));

		json_decref(via);
		via = only;
	}
	status = object_name_parse(invocation, &route_table_noun, invocation->arguments[0], &name);
	if (status == 0) {
		status = object_edit(invocation, &name, edit_add, via);
		if (status == EXIT_DONE)
			report_line(invocation, "route %s of %s added", invocation->arguments[1],
				    name.about);
		object_name_fini(&name);
	}
	json_decref(via);
	return status;
}

static int route_remove(struct invocation *invocation)
{
	struct object_name name;
	int status;

	status = object_name_parse(invocation, &route_table_noun, invocation->arguments[0], &name);
	if (status)
		return status;
	status = object_edit(invocation, &name, edit_remove, NULL);
	if (status == EXIT_DONE)
		report_line(invocation, "route %s of %s removed", invocation->arguments[1],
			    name.about);
	object_name_fini(&name);
	return status;
}

static void print_routes(struct invocation *invocation, const json_t *rows)
{
	static const char *const titles[] = { "ROUTE TABLE", "TO", "VIA", "STATUS", NULL };
	struct buf text = { 0 };
	struct table table;
	json_t *row;
	size_t index;

	table_init(&table, titles);
	json_array_foreach(rows, index, row) {
		table_cell(&table, json_string_value(json_object_get(row, "route_table")));
		table_cell(&table, json_string_value(json_object_get(row, "to")));
		buf_reset(&text);
		object_append_value(&text, json_object_get(row, "via"));
		table_cell(&table, buf_text(&text));
		table_cell(&table, json_string_value(json_object_get(row, "status")));
	}
	table_print(&table, invocation->out, 0);
	table_fini(&table);
	buf_fini(&text);
}

static int route_list(struct invocation *invocation)
{
	const char *name = invocation->argument_count ? invocation->arguments[0] : NULL;
	json_t *tables, *table, *route, *rows, *row;
	int status = EXIT_DONE;
	size_t index, inner;

	tables = object_collect(invocation, &route_table_noun, name, &status);
	if (!tables)
		return status;
	rows = json_array();
	json_array_foreach(tables, index, table) {
		json_array_foreach(json_object_get(table, "routes"), inner, route) {
			row = json_pack("{s:O}", "route_table", json_object_get(table, "name"));
			json_object_update(row, route);
			json_array_append_new(rows, row);
		}
	}
	if (invocation->json)
		status = report_json(invocation, rows);
	else
		print_routes(invocation, rows);
	json_decref(rows);
	json_decref(tables);
	return status;
}

static const struct command route_table_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/TABLE",
		.argument_min = 1,
		.argument_max = 1,
		.summary = "make a route table without routes",
		.run = object_add,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all route tables",
		.options = list_options,
		.run = list_tables,
	},
	{
		.verb = "show",
		.arguments = "VPC/TABLE",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_ROUTE_TABLE,
		.summary = "one route table with its routes",
		.run = object_show,
	},
	{
		.verb = "remove",
		.arguments = "VPC/TABLE",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_ROUTE_TABLE,
		.summary = "remove a route table that no subnet uses",
		.run = object_remove,
	},
	{ 0 },
};

const struct noun route_table_noun = {
	.name = "route-table",
	.summary = "sets of routes that subnets use",
	.text = "A subnet uses exactly one. The table main of a VPC is that of all subnets which\n"
		"name none. The way between the subnets of a VPC is in every table, unwritten.",
	.commands = route_table_commands,
	.kind = "route_tables",
	.word = "route table",
};

static const struct command route_commands[] = {
	{
		.verb = "add",
		.arguments = "VPC/TABLE PREFIX",
		.argument_min = 2,
		.argument_max = 3,
		.complete = COMPLETE_ROUTE_TABLE,
		.summary = "add a route to a route table",
		.text = "weft route add blue/private 10.9.0.0/16 --via port:fw1 --via port:fw2\n"
			"weft route add blue/private 10.8.0.0/16 --via blackhole\n"
			"A route to a range of the VPC itself leads its local route to a port.",
		.options = route_add_options,
		.run = route_add,
	},
	{
		.verb = "list",
		.arguments = "[VPC/TABLE]",
		.argument_max = 1,
		.complete = COMPLETE_ROUTE_TABLE,
		.summary = "routes of one route table, or of all",
		.options = list_options,
		.run = route_list,
	},
	{
		.verb = "remove",
		.arguments = "VPC/TABLE PREFIX",
		.argument_min = 2,
		.argument_max = 2,
		.complete = COMPLETE_ROUTE_TABLE,
		.summary = "take a route out of a route table",
		.run = route_remove,
	},
	{ 0 },
};

const struct noun route_noun = {
	.name = "route",
	.summary = "routes of a route table",
	.commands = route_commands,
};
