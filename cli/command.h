/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The shape of a command, and what a running one has in its hands.
 *
 * A noun is a file of this folder and a table of its verbs; a verb has a table of its options.
 * nouns.c lists the nouns. From these tables come the reading of the command line (parse.c),
 * every --help text (help.c), the list of commands in weft(1) (manual.c) and the completion
 * of both shells (completion.c): a command that is not in a table does not exist, and one that is
 * cannot be without help.
 */
#ifndef WEFT_CLI_COMMAND_H
#define WEFT_CLI_COMMAND_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/error.h"

struct client;
struct invocation;

enum exit_status {
	EXIT_DONE = 0,
	EXIT_REFUSED = 1, /* refused, not found or failed */
	EXIT_USAGE = 2,
	EXIT_NO_DAEMON = 3,
	EXIT_DROPPED = 4, /* trace */
};

/* What the shell offers for a value: the names of objects, files, or the words given. */
enum completion {
	COMPLETE_NOTHING,
	COMPLETE_FILE,
	COMPLETE_VPC,
	COMPLETE_SUBNET,
	COMPLETE_PORT,
	COMPLETE_ROUTE_TABLE,
	COMPLETE_GROUP,
	COMPLETE_ACL,
	COMPLETE_TUNNEL,
	COMPLETE_HOST,
	COMPLETE_LAB,
	COMPLETE_NOUN,
	COMPLETE_WORDS, /* the words of the `value` of the option, or of `words` of the command */
};

enum option_type {
	OPTION_FLAG, /* no value */
	OPTION_TEXT,
	OPTION_INTEGER, /* a whole number, not negative */
	OPTION_SWITCH,  /* on or off */
	OPTION_LIST,    /* texts between commas; may be given again */
};

/**
 * struct option - one option of a command
 * @name: without the dashes; NULL ends a table
 * @letter: its one-letter form, or 0
 * @value: what stands for the value in help texts, "on|off"; NULL for a flag
 * @help: half a sentence
 * @key: where the value goes in the JSON of the object, dots between levels ("attach.tap"); NULL
 *	if the command itself reads it
 */
struct option {
	const char *name;
	char letter;
	enum option_type type;
	const char *value;
	const char *help;
	const char *key;
	enum completion complete;
};

/* Rows of a table of options; @key as in struct option. */
#define TEXT_OPTION(name, value, help, key)                                                        \
	{                                                                                          \
		name, 0, OPTION_TEXT, value, help, key, COMPLETE_NOTHING                           \
	}
#define LIST_OPTION(name, value, help, key)                                                        \
	{                                                                                          \
		name, 0, OPTION_LIST, value, help, key, COMPLETE_NOTHING                           \
	}
#define INTEGER_OPTION(name, value, help, key)                                                     \
	{                                                                                          \
		name, 0, OPTION_INTEGER, value, help, key, COMPLETE_NOTHING                        \
	}
#define SWITCH_OPTION(name, help, key)                                                             \
	{                                                                                          \
		name, 0, OPTION_SWITCH, "on|off", help, key, COMPLETE_WORDS                        \
	}
#define WORDS_OPTION(name, words, help, key)                                                       \
	{                                                                                          \
		name, 0, OPTION_TEXT, words, help, key, COMPLETE_WORDS                             \
	}
#define NAME_OPTION(name, value, help, complete)                                                   \
	{                                                                                          \
		name, 0, OPTION_TEXT, value, help, NULL, complete                                  \
	}
#define FLAG_OPTION(name, letter, help, key)                                                       \
	{                                                                                          \
		name, letter, OPTION_FLAG, NULL, help, key, COMPLETE_NOTHING                       \
	}

/**
 * struct command - one verb of a noun
 * @verb: NULL if the noun is the whole command
 * @arguments: their synopsis, such as "VPC/PORT"; "" for none
 * @argument_min: how many there must be
 * @argument_max: how many there may be
 * @complete: what completes the first argument
 * @words: for COMPLETE_WORDS, between blanks
 * @summary: half a sentence
 * @text: paragraphs for the command's own help; NULL for none
 * @options: ends with a NULL name; NULL for none
 * @required: the option without which the command is wrong; NULL for none
 * @tail: everything behind the arguments (a command to run) is passed on unread
 * @run: Return: an exit status; it has printed what went wrong
 */
struct command {
	const char *verb;
	const char *arguments;
	size_t argument_min, argument_max;
	enum completion complete;
	const char *words;
	const char *summary;
	const char *text;
	const struct option *options;
	const char *required;
	bool tail;
	int (*run)(struct invocation *invocation);
};

/**
 * struct noun - one kind of thing
 * @commands: ends with a NULL summary
 * @kind: of an object: its collection in the tree, "security_groups"
 * @word: of an object: how sentences call it, "security group"
 */
struct noun {
	const char *name;
	const char *summary;
	const char *text;
	const struct command *commands;
	const char *kind;
	const char *word;
};

/* All nouns in the order of the help text; ends with NULL. nouns.c */
extern const struct noun *const nouns[];

/* Options that every command takes. nouns.c */
extern const struct option global_options[];

#define OPTION_VALUES_MAX 256

struct option_value {
	const struct option *option;
	const char *text; /* NULL for a flag */
};

/**
 * struct invocation - one run of a command
 * @out: where results go
 * @err: where errors and progress go
 * @program: path by which weft was called, or NULL
 * @noun: NULL while none is known
 * @arguments: borrowed from the command line
 * @values: options given, in order
 * @socket: of the daemon; owned
 */
struct invocation {
	FILE *out, *err;
	const char *program;
	const struct noun *noun;
	const struct command *command;
	size_t argument_count;
	const char **arguments;
	size_t value_count;
	struct option_value values[OPTION_VALUES_MAX];
	bool json, quiet, help, version;
	char *socket;
	struct client *client;
};

/**
 * cli_run - do what a command line says
 * @arguments: the command line with the program's name in front; NULL ends it
 *
 * Return: an exit status.
 */
int cli_run(int argument_count, char **arguments, FILE *out, FILE *err);

/* parse.c ----------------------------------------------------------------------------------- */

/**
 * invocation_parse - read the command line into @invocation
 *
 * Return: 0, or EXIT_USAGE after one line on invocation->err.
 */
int invocation_parse(struct invocation *invocation, int argument_count, char **arguments);

/** invocation_text - value of an option, the last one if it was given again; NULL if not given */
const char *invocation_text(const struct invocation *invocation, const char *option);

/** invocation_flag - whether an option was given */
bool invocation_flag(const struct invocation *invocation, const char *option);

/** invocation_integer - value of a number option, or @otherwise; parse has checked it */
long long invocation_integer(const struct invocation *invocation, const char *option,
			     long long otherwise);

/** invocation_list - all texts of a list option as an array; new reference, NULL if not given */
json_t *invocation_list(const struct invocation *invocation, const char *option);

/** invocation_object - the JSON that all options with a key make; new reference */
json_t *invocation_object(const struct invocation *invocation);

/** parse_number - a whole number, nothing behind it, 0 to @maximum; Return: whether it is one */
bool parse_number(const char *text, long long maximum, long long *number);

/* report.c ---------------------------------------------------------------------------------- */

/** invocation_client - the daemon's client, made on first use; owned by the invocation */
struct client *invocation_client(struct invocation *invocation);

/** report_usage - `weft: SENTENCE (weft port add --help says more)`; Return: EXIT_USAGE */
int report_usage(struct invocation *invocation, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** report_refused - `weft: SENTENCE`, with control characters escaped; Return: EXIT_REFUSED */
int report_refused(struct invocation *invocation, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/** report_failure - `weft: SENTENCE`; Return: the exit status that @error's code asks for */
int report_failure(struct invocation *invocation, const struct error *error);

/** report_refusal - the same with what it is about in front: `weft: port blue/web1: …` */
int report_refusal(struct invocation *invocation, const char *about, const struct error *error);

/** report_question - the sentence alone: what was wrong is a word of the command line itself */
int report_question(struct invocation *invocation, const struct error *error);

/**
 * report_sentence - the sentence without the name of the object that the path names already
 *
 * Return: borrowed from @error.
 */
const char *report_sentence(const struct error *error);

/** report_json - print a document as the whole output; Return: EXIT_DONE or, if that fails, 1 */
int report_json(struct invocation *invocation, const json_t *document);

/** report_line - print a line for a person: not with --quiet, not with --json */
void report_line(struct invocation *invocation, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* help.c, completion.c, manual.c -------------------------------------------------------------- */

/** help_print - help for weft, a noun or a command: what of @noun and @command is not NULL */
void help_print(FILE *out, const struct noun *noun, const struct command *command);

/** help_synopsis - `weft port add VPC/PORT [--options]` into @text */
const char *help_synopsis(const struct noun *noun, const struct command *command, char text[256]);

/** noun_find - by name; NULL if there is none */
const struct noun *noun_find(const char *name);

/** command_find - by verb; @verb NULL finds the command of a noun without verbs */
const struct command *command_find(const struct noun *noun, const char *verb);

#endif
