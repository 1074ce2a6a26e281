/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft completion: what bash and zsh need to complete a command line.
 *
 * The table of commands is written out as two shell functions: one tells what kind of word may
 * stand behind an option, one what an argument of a command is. Names of objects are asked from the
 * daemon when they are needed, by `weft --quiet NOUN list`: of that one that --lab or --socket
 * names. What follows is the same for both shells but for how a reply is given.
 *
 * Neighbours: nouns.c (the table).
 */
#include <string.h>

#include "cli/nouns.h"

/* The kind of a word, as the scripts below understand it. */
static void print_kind(FILE *out, enum completion complete, const char *words)
{
	switch (complete) {
	case COMPLETE_NOTHING: fputs("nothing", out); break;
	case COMPLETE_FILE: fputs("file", out); break;
	case COMPLETE_VPC: fputs("list vpc", out); break;
	case COMPLETE_SUBNET: fputs("list subnet", out); break;
	case COMPLETE_PORT: fputs("list port", out); break;
	case COMPLETE_ROUTE_TABLE: fputs("list route-table", out); break;
	case COMPLETE_GROUP: fputs("list group", out); break;
	case COMPLETE_ACL: fputs("list acl", out); break;
	case COMPLETE_TUNNEL: fputs("list tunnel", out); break;
	case COMPLETE_HOST: fputs("list host", out); break;
	case COMPLETE_LAB: fputs("list lab", out); break;
	case COMPLETE_NOUN: fputs("nouns", out); break;
	case COMPLETE_WORDS:
		fputs("words ", out);
		for (; *words; words++)
			fputc(*words == '|' ? ' ' : *words, out);
		break;
	}
}

static void print_value_kinds(FILE *out, const char *command, const struct option *options)
{
	for (; options && options->name; options++) {
		if (options->type == OPTION_FLAG)
			continue;
		fprintf(out, "\t'%s --%s') kind='", command, options->name);
		print_kind(out, options->complete, options->value);
		fprintf(out, "' ;;\n");
	}
}

static const char *command_name(const struct noun *noun, const struct command *command,
				char text[128])
{
	snprintf(text, 128, "%s%s%s", noun->name, command->verb ? " " : "",
		 command->verb ? command->verb : "");
	return text;
}

/* Call @print for each command. */
static void each_command(FILE *out, void (*print)(FILE *out, const struct noun *noun,
						  const struct command *command))
{
	for (size_t i = 0; nouns[i]; i++)
		for (const struct command *c = nouns[i]->commands; c->summary; c++)
			print(out, nouns[i], c);
}

static void print_values(FILE *out, const struct noun *noun, const struct command *command)
{
	char name[128];

	print_value_kinds(out, command_name(noun, command, name), command->options);
}

static void print_argument(FILE *out, const struct noun *noun, const struct command *command)
{
	char name[128];

	if (command->argument_max == 0)
		return;
	fprintf(out, "\t'%s') kind='", command_name(noun, command, name));
	print_kind(out, command->complete, command->words);
	fprintf(out, "' ;;\n");
}

static void print_option_names(FILE *out, const struct noun *noun, const struct command *command)
{
	char name[128];

	if (!command->options || !command->options->name)
		return;
	fprintf(out, "\t'%s') options='", command_name(noun, command, name));
	for (const struct option *option = command->options; option->name; option++)
		fprintf(out, "%s--%s", option == command->options ? "" : " ", option->name);
	fprintf(out, "' ;;\n");
}

static void print_verbs(FILE *out)
{
	const struct command *command;

	for (size_t i = 0; nouns[i]; i++) {
		if (!nouns[i]->commands->verb)
			continue;
		fprintf(out, "\t%s) verbs='", nouns[i]->name);
		for (command = nouns[i]->commands; command->summary; command++)
			fprintf(out, "%s%s", command == nouns[i]->commands ? "" : " ",
				command->verb);
		fprintf(out, "' ;;\n");
	}
}

/* The tables as a function that sets noun-dependent variables of its caller. */
static void print_tables(FILE *out)
{
	fprintf(out, "_weft_tables() {\n\tnouns='");
	for (size_t i = 0; nouns[i]; i++)
		fprintf(out, "%s%s", i ? " " : "", nouns[i]->name);
	fprintf(out, "'\n\tverbs=''\n\tcase \"$1\" in\n");
	print_verbs(out);
	fprintf(out, "\tesac\n}\n\n_weft_options() {\n\toptions=''\n\tcase \"$1\" in\n");
	each_command(out, print_option_names);
	fprintf(out, "\tesac\n\toptions=\"$options");
	for (const struct option *option = global_options; option->name; option++)
		fprintf(out, " --%s", option->name);
	fprintf(out, "\"\n}\n\n_weft_value() {\n\tkind=''\n\tcase \"$1 $2\" in\n");
	each_command(out, print_values);
	fprintf(out, "\tesac\n\tcase \" $2\" in\n");
	print_value_kinds(out, "", global_options);
	fprintf(out, "\tesac\n}\n\n_weft_argument() {\n\tkind='nothing'\n\tcase \"$1\" in\n");
	each_command(out, print_argument);
	fprintf(out, "\tesac\n}\n\n");
}

/* Where the cursor is: both shells run the same words through this. */
static const char walk[] =
	"# Sets noun, verb and count from the words before the cursor, and which\n"
	"# daemon they speak of.\n"
	"_weft_walk() {\n"
	"\tlocal word last='' skip=''\n"
	"\tnoun='' verb='' count=0 daemon=()\n"
	"\tfor word in \"$@\"; do\n"
	"\t\tif [ -n \"$skip\" ]; then\n"
	"\t\t\tcase \"$last\" in\n"
	"\t\t\t--lab|--socket) daemon=(\"$last\" \"$word\") ;;\n"
	"\t\t\tesac\n"
	"\t\t\tskip=''\n"
	"\t\t\tcontinue\n"
	"\t\tfi\n"
	"\t\tcase \"$word\" in\n"
	"\t\t--*)\n"
	"\t\t\t_weft_value \"$noun${verb:+ $verb}\" \"$word\"\n"
	"\t\t\tskip=$kind last=$word\n"
	"\t\t\t;;\n"
	"\t\t-*) ;;\n"
	"\t\t*)\n"
	"\t\t\t_weft_tables \"$noun\"\n"
	"\t\t\tif [ -z \"$noun\" ]; then\n"
	"\t\t\t\tnoun=$word\n"
	"\t\t\telif [ -n \"$verbs\" ] && [ -z \"$verb\" ]; then\n"
	"\t\t\t\tverb=$word\n"
	"\t\t\telse\n"
	"\t\t\t\tcount=$((count + 1))\n"
	"\t\t\tfi\n"
	"\t\t\t;;\n"
	"\t\tesac\n"
	"\tdone\n"
	"}\n\n"
	"# Sets kind for the word at the cursor ($1), which stands behind $2.\n"
	"_weft_kind() {\n"
	"\tlocal command=\"$noun${verb:+ $verb}\"\n"
	"\t_weft_tables \"$noun\"\n"
	"\t_weft_options \"$command\"\n"
	"\tkind=''\n"
	"\tcase \"$2\" in --*) _weft_value \"$command\" \"$2\" ;; esac\n"
	"\t[ -n \"$kind\" ] && return\n"
	"\tcase \"$1\" in -*) kind=\"words $options\"; return ;; esac\n"
	"\tif [ -z \"$noun\" ]; then\n"
	"\t\tkind=\"words $nouns\"\n"
	"\telif [ -n \"$verbs\" ] && [ -z \"$verb\" ]; then\n"
	"\t\tkind=\"words $verbs\"\n"
	"\telif [ \"$count\" -eq 0 ]; then\n"
	"\t\t_weft_argument \"$command\"\n"
	"\t\t[ \"$kind\" = nouns ] && kind=\"words $nouns\"\n"
	"\tfi\n"
	"}\n\n";

static const char bash_end[] =
	"_weft() {\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} noun verb count kind nouns verbs options daemon\n"
	"\tCOMPREPLY=()\n"
	"\t_weft_walk \"${COMP_WORDS[@]:1:COMP_CWORD-1}\"\n"
	"\t_weft_kind \"$cur\" \"${COMP_WORDS[COMP_CWORD-1]}\"\n"
	"\tcase \"$kind\" in\n"
	"\tfile) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\") ;;\n"
	"\t'list '*) mapfile -t COMPREPLY < <(compgen -W \\\n"
	"\t\t\"$(command weft \"${daemon[@]}\" --quiet \"${kind#list }\" list 2>/dev/null)\" \\\n"
	"\t\t-- \"$cur\") ;;\n"
	"\t'words '*) mapfile -t COMPREPLY < <(compgen -W \"${kind#words }\" -- \"$cur\") ;;\n"
	"\tesac\n"
	"}\n"
	"complete -F _weft weft\n";

static const char zsh_end[] =
	"_weft() {\n"
	"\tlocal noun verb count kind nouns verbs options daemon\n"
	"\t_weft_walk \"${(@)words[2,CURRENT-1]}\"\n"
	"\t_weft_kind \"$words[CURRENT]\" \"$words[CURRENT-1]\"\n"
	"\tcase \"$kind\" in\n"
	"\tfile) _files ;;\n"
	"\t'list '*) compadd -- ${(f)\"$(command weft $daemon --quiet ${kind#list } list \\\n"
	"\t\t2>/dev/null)\"} ;;\n"
	"\t'words '*) compadd -- ${=kind#words } ;;\n"
	"\tesac\n"
	"}\n"
	"compdef _weft weft\n";

static int run_completion(struct invocation *invocation)
{
	const char *shell = invocation->arguments[0];
	bool is_zsh = strcmp(shell, "zsh") == 0;

	if (!is_zsh && strcmp(shell, "bash") != 0)
		return report_usage(invocation, "\"%s\" is not a shell known here: bash or zsh",
				    shell);
	if (is_zsh)
		fprintf(invocation->out, "#compdef weft\n");
	fprintf(invocation->out, "# Made by `weft completion %s`.\n\n", shell);
	print_tables(invocation->out);
	fputs(walk, invocation->out);
	fputs(is_zsh ? zsh_end : bash_end, invocation->out);
	return EXIT_DONE;
}

static const struct command completion_commands[] = {
	{
		.arguments = "bash|zsh",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_WORDS,
		.words = "bash zsh",
		.summary = "print what a shell needs to complete weft's command lines",
		.text = "bash: source <(weft completion bash)\n"
			"zsh:  source <(weft completion zsh), after compinit",
		.run = run_completion,
	},
	{ 0 },
};

const struct noun completion_noun = {
	.name = "completion",
	.summary = "completion of command lines for bash and zsh",
	.commands = completion_commands,
};
