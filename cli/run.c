/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * One run of weft: from a command line to an exit status. weft help, weft version.
 *
 * Neighbours: main.c, parse.c, nouns.c.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/manual.h"
#include "cli/nouns.h"
#include "client/client.h"

int cli_run(int argument_count, char **arguments, FILE *out, FILE *err)
{
	struct invocation invocation = { .out = out, .err = err, .program = arguments[0] };
	int status;

	status = invocation_parse(&invocation, argument_count, arguments);
	if (status == 0 && invocation.version && !invocation.noun)
		status = version_noun.commands->run(&invocation);
	else if (status == 0 && invocation.help)
		help_print(out, invocation.noun, invocation.command);
	else if (status == 0)
		status = invocation.command->run(&invocation);
	/* A full disk or a closed pipe is a failure, unless there is a worse one. */
	if (fflush(out) == EOF && errno != EPIPE && status == EXIT_DONE) {
		fprintf(err, "weft: output: %s\n", strerror(errno));
		status = EXIT_REFUSED;
	}
	client_close(invocation.client);
	free(invocation.socket);
	free(invocation.arguments);
	return status;
}

static int run_version(struct invocation *invocation)
{
	json_t *document;
	int status;

	if (!invocation->json) {
		fprintf(invocation->out, "weft %s\n", WEFT_VERSION);
		return EXIT_DONE;
	}
	document = json_pack("{s:s}", "version", WEFT_VERSION);
	status = report_json(invocation, document);
	json_decref(document);
	return status;
}

static int run_help(struct invocation *invocation)
{
	const char *name = invocation->argument_count > 0 ? invocation->arguments[0] : NULL;
	const char *verb = invocation->argument_count > 1 ? invocation->arguments[1] : NULL;
	const struct command *command;
	const struct noun *noun;
	struct suggestion suggestion;
	char text[128];

	if (invocation_flag(invocation, "mdoc")) {
		manual_print(invocation->out);
		return EXIT_DONE;
	}
	if (!name) {
		help_print(invocation->out, NULL, NULL);
		return EXIT_DONE;
	}
	noun = noun_find(name);
	suggestion_init(&suggestion, noun && verb ? verb : name);
	if (!noun) {
		for (size_t i = 0; nouns[i]; i++)
			suggestion_offer(&suggestion, nouns[i]->name);
		return report_usage(invocation, "unknown command \"%s\"%s", name,
				    suggestion_format(&suggestion, text));
	}
	command = command_find(noun, verb);
	if (verb && !command) {
		for (command = noun->commands; command->summary; command++)
			if (command->verb)
				suggestion_offer(&suggestion, command->verb);
		return report_usage(invocation, "unknown verb \"%s\" for %s%s", verb, name,
				    suggestion_format(&suggestion, text));
	}
	help_print(invocation->out, noun, command);
	return EXIT_DONE;
}

static const struct command version_commands[] = {
	{ .arguments = "", .summary = "print the version", .run = run_version },
	{ 0 },
};

const struct noun version_noun = {
	.name = "version",
	.summary = "print the version",
	.commands = version_commands,
};

static const struct option help_options[] = {
	FLAG_OPTION("mdoc", 0, "print all commands as mdoc(7), for weft(1)", NULL),
	{ 0 },
};

static const struct command help_commands[] = {
	{
		.arguments = "[NOUN [VERB]]",
		.argument_max = 2,
		.complete = COMPLETE_NOUN,
		.summary = "help for all, for a noun, or for one of its verbs",
		.options = help_options,
		.run = run_help,
	},
	{ 0 },
};

const struct noun help_noun = {
	.name = "help",
	.summary = "help for a noun and its verbs",
	.commands = help_commands,
};
