/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The help texts, made from the tables.
 *
 * Three pages: all nouns, one noun with its verbs, one command with its options. The same tables
 * make the list of commands in weft(1) (manual.c).
 */
#include <string.h>

#include "cli/command.h"
#include "cli/table.h"

const char *help_synopsis(const struct noun *noun, const struct command *command, char text[256])
{
	bool has_options = command->options && command->options->name;

	snprintf(text, 256, "weft %s%s%s%s%s%s", noun->name, command->verb ? " " : "",
		 command->verb ? command->verb : "", *command->arguments ? " " : "",
		 command->arguments, has_options ? " [--options]" : "");
	return text;
}

static void print_options(FILE *out, const char *title, const struct option *options,
			  const char *required)
{
	struct table table = { .column_count = 2 };

	if (!options || !options->name)
		return;
	fprintf(out, "\n%s:\n", title);
	for (; options->name; options++) {
		char letter[8] = "";

		if (options->letter)
			snprintf(letter, sizeof(letter), "-%c, ", options->letter);
		table_cellf(&table, "%s--%s%s%s", letter, options->name, options->value ? " " : "",
			    options->value ? options->value : "");
		table_cellf(&table, "%s%s", options->help,
			    required && strcmp(required, options->name) == 0 ? " (required)" : "");
	}
	table_print(&table, out, 2);
	table_fini(&table);
}

/* Text as paragraphs: it is written with its line ends in the table. */
static void print_text(FILE *out, const char *text)
{
	if (text)
		fprintf(out, "\n%s\n", text);
}

static void print_command(FILE *out, const struct noun *noun, const struct command *command)
{
	char synopsis[256];

	fprintf(out, "usage: %s\n\n%s\n", help_synopsis(noun, command, synopsis), command->summary);
	print_text(out, command->text);
	print_options(out, "options", command->options, command->required);
	print_options(out, "global options", global_options, NULL);
}

static void print_noun(FILE *out, const struct noun *noun)
{
	const struct command *command;
	struct table table = { .column_count = 2 };
	char synopsis[256];

	fprintf(out, "%s\n", noun->summary);
	print_text(out, noun->text);
	fprintf(out, "\ncommands:\n");
	for (command = noun->commands; command->summary; command++) {
		table_cell(&table, help_synopsis(noun, command, synopsis));
		table_cell(&table, command->summary);
	}
	table_print(&table, out, 2);
	table_fini(&table);
	fprintf(out, "\nweft %s VERB --help shows the options of one.\n", noun->name);
}

static void print_overview(FILE *out)
{
	struct table table = { .column_count = 2 };

	fprintf(out, "usage: weft NOUN VERB [NAME] [--options]\n\n"
		     "Virtual networks on hosts that share one underlay.\n\ncommands:\n");
	for (size_t i = 0; nouns[i]; i++) {
		table_cell(&table, nouns[i]->name);
		table_cell(&table, nouns[i]->summary);
	}
	table_print(&table, out, 2);
	table_fini(&table);
	print_options(out, "global options", global_options, NULL);
	fprintf(out, "\nweft help NOUN shows the verbs of one. Manuals: weft(1), weft.yaml(5), "
		     "weftd(8).\n"
		     "Exit status: 0 done, 1 refused or failed, 2 wrong usage, 3 no daemon at the "
		     "socket, 4 dropped (trace).\n");
}

void help_print(FILE *out, const struct noun *noun, const struct command *command)
{
	if (command)
		print_command(out, noun, command);
	else if (noun)
		print_noun(out, noun);
	else
		print_overview(out);
}
