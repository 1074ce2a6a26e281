/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The list of commands in weft(1): the tables as mdoc(7).
 *
 * The build puts what is printed here in the place of @COMMANDS@ in docs/man/weft.1, so that the
 * manual has every command and option there is, and no other.
 *
 * Neighbours: help.c, the same for --help.
 */
#include <string.h>

#include "cli/manual.h"

/* A text whose lines must not begin with a control character, nor hold a backslash. */
static void print_text(FILE *out, const char *text)
{
	bool begin = true;

	for (; *text; text++) {
		if (begin && (*text == '.' || *text == '\''))
			fputs("\\&", out);
		if (*text == '\\')
			fputs("\\e", out);
		else
			fputc(*text, out);
		begin = *text == '\n';
	}
	fputc('\n', out);
}

static void print_options(FILE *out, const struct option *options, const char *required)
{
	bool is_required;

	if (!options || !options->name)
		return;
	fprintf(out, ".Bl -tag -width Ds -compact\n");
	for (; options->name; options++) {
		fprintf(out, ".It ");
		if (options->letter)
			fprintf(out, "Fl %c , ", options->letter);
		fprintf(out, "Fl \\-%s", options->name);
		if (options->value)
			fprintf(out, " Ar %s", options->value);
		fputc('\n', out);
		is_required = required && strcmp(required, options->name) == 0;
		fprintf(out, "%s%s\n", options->help, is_required ? "; required" : "");
	}
	fprintf(out, ".El\n");
}

static void print_command(FILE *out, const struct noun *noun, const struct command *command)
{
	fprintf(out, ".It Nm weft Cm %s", noun->name);
	if (command->verb)
		fprintf(out, " Cm %s", command->verb);
	if (*command->arguments)
		fprintf(out, " Ar %s", command->arguments);
	fputc('\n', out);
	print_text(out, command->summary);
	if (command->text) {
		fprintf(out, ".Bd -literal -compact\n");
		print_text(out, command->text);
		fprintf(out, ".Ed\n");
	}
	print_options(out, command->options, command->required);
}

void manual_print(FILE *out)
{
	const struct command *command;

	for (size_t i = 0; nouns[i]; i++) {
		fprintf(out, ".Ss weft %s\n", nouns[i]->name);
		print_text(out, nouns[i]->summary);
		if (nouns[i]->text) {
			fprintf(out, ".Pp\n");
			print_text(out, nouns[i]->text);
		}
		fprintf(out, ".Bl -tag -width Ds\n");
		for (command = nouns[i]->commands; command->summary; command++)
			print_command(out, nouns[i], command);
		fprintf(out, ".El\n");
	}
	fprintf(out, ".Ss Global options\n");
	print_options(out, global_options, NULL);
}
