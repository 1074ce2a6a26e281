/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The command line, read by the tables.
 *
 * Options may stand anywhere, as --name VALUE, --name=VALUE or -n VALUE; "--" ends them. What is
 * wrong is said in one line that names the word, what was meant by it, and where to read on.
 *
 * Neighbours: nouns.c (the tables), report.c (the line).
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/suggest.h"
#include "cli/command.h"
#include "cli/lab.h"

const struct noun *noun_find(const char *name)
{
	for (size_t i = 0; nouns[i]; i++)
		if (strcmp(nouns[i]->name, name) == 0)
			return nouns[i];
	return NULL;
}

const struct command *command_find(const struct noun *noun, const char *verb)
{
	for (const struct command *command = noun->commands; command->summary; command++) {
		if (!verb && !command->verb)
			return command;
		if (verb && command->verb && strcmp(command->verb, verb) == 0)
			return command;
	}
	return NULL;
}

bool parse_number(const char *text, long long maximum, long long *number)
{
	char *end;

	if (text[0] < '0' || text[0] > '9')
		return false;
	errno = 0;
	*number = strtoll(text, &end, 10);
	return errno == 0 && *end == '\0' && *number <= maximum;
}

static const struct option *find_in(const struct option *options, const char *name, size_t length,
				    char letter)
{
	for (; options && options->name; options++) {
		if (letter ? options->letter == letter
			   : strlen(options->name) == length &&
				     strncmp(options->name, name, length) == 0)
			return options;
	}
	return NULL;
}

static const struct option *option_find(const struct invocation *invocation, const char *name,
					size_t length, char letter)
{
	const struct option *option = NULL;

	if (invocation->command)
		option = find_in(invocation->command->options, name, length, letter);
	return option ? option : find_in(global_options, name, length, letter);
}

static int refuse_option(struct invocation *invocation, const char *word)
{
	const struct option *option;
	struct suggestion suggestion;
	char nearest[128], name[64];

	if (word[1] != '-')
		return report_usage(invocation, "unknown option %s", word);
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	suggestion_init(&suggestion, name);
	if (invocation->command && invocation->command->options)
		for (option = invocation->command->options; option->name; option++)
			suggestion_offer(&suggestion, option->name);
	for (option = global_options; option->name; option++)
		suggestion_offer(&suggestion, option->name);
	if (!suggestion_nearest(&suggestion))
		return report_usage(invocation, "unknown option --%s", name);
	snprintf(nearest, sizeof(nearest), "--%s", suggestion_nearest(&suggestion));
	return report_usage(invocation, "unknown option --%s (did you mean %s?)", name, nearest);
}

static int check_value(struct invocation *invocation, const struct option *option, const char *text)
{
	json_t *string = json_string(text);
	long long number;

	json_decref(string);
	if (!string)
		return report_usage(invocation, "the value of --%s is not UTF-8", option->name);
	switch (option->type) {
	case OPTION_INTEGER:
		if (!*text && option->key)
			return 0; /* --mtu "": as if it had never been said */
		if (!parse_number(text, UINT32_MAX, &number))
			return report_usage(invocation, "--%s takes a whole number, not \"%s\"",
					    option->name, text);
		return 0;
	case OPTION_SWITCH:
		if (strcmp(text, "on") != 0 && strcmp(text, "off") != 0)
			return report_usage(invocation, "--%s takes on or off, not \"%s\"",
					    option->name, text);
		return 0;
	case OPTION_FLAG:
	case OPTION_TEXT:
	case OPTION_LIST: break;
	}
	return 0;
}

static int take_value(struct invocation *invocation, const struct option *option, const char *text)
{
	int code;

	if (text) {
		code = check_value(invocation, option, text);
		if (code)
			return code;
	}
	if (invocation->value_count == OPTION_VALUES_MAX)
		return report_usage(invocation, "more than %d options", OPTION_VALUES_MAX);
	invocation->values[invocation->value_count].option = option;
	invocation->values[invocation->value_count].text = text;
	invocation->value_count++;
	return 0;
}

/* One option; *@next is its value's place if it needs the following word. */
static int take_option(struct invocation *invocation, char **words, int *next)
{
	const char *word = words[*next], *text = NULL;
	const struct option *option;

	if (word[1] == '-') {
		option = option_find(invocation, word + 2, strcspn(word + 2, "="), 0);
		text = strchr(word, '=');
		text = text ? text + 1 : NULL;
	} else {
		option = option_find(invocation, NULL, 0, word[1]);
		text = word[2] ? word + 2 : NULL;
	}
	if (!option)
		return refuse_option(invocation, word);
	if (option->type == OPTION_FLAG) {
		if (text)
			return report_usage(invocation, "--%s takes no value", option->name);
		return take_value(invocation, option, NULL);
	}
	if (!text) {
		text = words[*next + 1];
		if (!text)
			return report_usage(invocation, "--%s needs a value: --%s %s", option->name,
					    option->name, option->value);
		(*next)++;
	}
	return take_value(invocation, option, text);
}

/* The global options have meanings of their own; find them among those given. */
static void take_globals(struct invocation *invocation)
{
	const char *socket = NULL, *environment = getenv("WEFT_SOCKET"),
		   *lab = invocation_text(invocation, "lab");

	invocation->json = invocation_flag(invocation, "json");
	invocation->quiet = invocation_flag(invocation, "quiet");
	invocation->help = invocation_flag(invocation, "help");
	invocation->version = invocation_flag(invocation, "version");
	socket = invocation_text(invocation, "socket");
	if (socket)
		invocation->socket = xstrdup(socket);
	else if (lab)
		invocation->socket = lab_socket(lab);
	else if (environment && *environment)
		invocation->socket = xstrdup(environment);
	else
		invocation->socket = xstrdup("/run/weft/default.sock");
}

static int choose_noun(struct invocation *invocation, const char *word)
{
	struct suggestion suggestion;
	char text[128];

	invocation->noun = noun_find(word);
	if (invocation->noun) {
		invocation->command = command_find(invocation->noun, NULL);
		return 0;
	}
	suggestion_init(&suggestion, word);
	for (size_t i = 0; nouns[i]; i++)
		suggestion_offer(&suggestion, nouns[i]->name);
	return report_usage(invocation, "unknown command \"%s\"%s", word,
			    suggestion_format(&suggestion, text));
}

static int choose_verb(struct invocation *invocation, const char *word)
{
	const struct command *command;
	struct suggestion suggestion;
	char text[128];

	invocation->command = command_find(invocation->noun, word);
	if (invocation->command)
		return 0;
	suggestion_init(&suggestion, word);
	for (command = invocation->noun->commands; command->summary; command++)
		suggestion_offer(&suggestion, command->verb);
	return report_usage(invocation, "unknown verb \"%s\" for %s%s", word,
			    invocation->noun->name, suggestion_format(&suggestion, text));
}

static int take_word(struct invocation *invocation, const char *word)
{
	const struct command *command = invocation->command;
	char synopsis[256];

	if (!invocation->noun)
		return choose_noun(invocation, word);
	if (!command)
		return choose_verb(invocation, word);
	if (invocation->argument_count == command->argument_max && !command->tail)
		return report_usage(invocation, "\"%s\" is one word too many: %s", word,
				    help_synopsis(invocation->noun, command, synopsis));
	invocation->arguments[invocation->argument_count++] = word;
	return 0;
}

/* Arguments that are missing, options that are required. */
static int check_complete(struct invocation *invocation)
{
	const struct command *command = invocation->command;
	char synopsis[256];

	if (invocation->help || invocation->version)
		return 0;
	if (!invocation->noun)
		return report_usage(invocation, "what shall be done? weft NOUN VERB [NAME]");
	if (!command)
		return report_usage(invocation, "what shall be done with a %s?",
				    invocation->noun->name);
	if (invocation->argument_count < command->argument_min)
		return report_usage(invocation, "%s is missing: %s",
				    invocation->argument_count ? "something" : command->arguments,
				    help_synopsis(invocation->noun, command, synopsis));
	if (command->required && !invocation_flag(invocation, command->required)) {
		const char *name = command->required;

		return report_usage(invocation, "--%s %s is missing", name,
				    find_in(command->options, name, strlen(name), 0)->value);
	}
	return 0;
}

/* --lab: of a lab that is not there no daemon can be started. */
static int check_lab(struct invocation *invocation)
{
	const char *text = invocation_text(invocation, "lab");
	struct error error = { 0 };
	struct lab lab;
	char *name;
	int code;

	if (!text || invocation->help || invocation->version)
		return 0;
	name = xstrndup(text, strcspn(text, "/"));
	code = lab_open(&lab, name, false, &error);
	free(name);
	if (code < 0)
		return lab_report(invocation, &error);
	lab_close(&lab);
	return 0;
}

int invocation_parse(struct invocation *invocation, int argument_count, char **arguments)
{
	bool options = true, tail;
	int code = 0, i;

	invocation->arguments = xcalloc((size_t)argument_count + 1, sizeof(*invocation->arguments));
	for (i = 1; i < argument_count && code == 0; i++) {
		/* `lab exec NAME NODE COMMAND -x`: -x is the command's own. */
		tail = invocation->command && invocation->command->tail &&
		       invocation->argument_count >= invocation->command->argument_max;
		if (options && strcmp(arguments[i], "--") == 0 &&
		    (!tail || invocation->argument_count == invocation->command->argument_max))
			options = false;
		else if (options && !tail && arguments[i][0] == '-' && arguments[i][1])
			code = take_option(invocation, arguments, &i);
		else
			code = take_word(invocation, arguments[i]);
	}
	take_globals(invocation);
	if (!code)
		code = check_complete(invocation);
	return code ? code : check_lab(invocation);
}

const char *invocation_text(const struct invocation *invocation, const char *option)
{
	const char *text = NULL;

	for (size_t i = 0; i < invocation->value_count; i++)
		if (strcmp(invocation->values[i].option->name, option) == 0)
			text = invocation->values[i].text;
	return text;
}

bool invocation_flag(const struct invocation *invocation, const char *option)
{
	for (size_t i = 0; i < invocation->value_count; i++)
		if (strcmp(invocation->values[i].option->name, option) == 0)
			return true;
	return false;
}

long long invocation_integer(const struct invocation *invocation, const char *option,
			     long long otherwise)
{
	const char *text = invocation_text(invocation, option);
	long long number;

	return text && parse_number(text, UINT32_MAX, &number) ? number : otherwise;
}

/* Add what stands between the commas of @text to @list. */
static void split_into(json_t *list, const char *text)
{
	char *copy = xstrdup(text), *rest = copy, *word;

	while ((word = strsep(&rest, ",")))
		if (*word)
			json_array_append_new(list, json_string(word));
	free(copy);
}

json_t *invocation_list(const struct invocation *invocation, const char *option)
{
	json_t *list = NULL;

	for (size_t i = 0; i < invocation->value_count; i++) {
		if (strcmp(invocation->values[i].option->name, option) != 0)
			continue;
		if (!list)
			list = json_array();
		split_into(list, invocation->values[i].text);
	}
	return list;
}

/* Set @value (taken over) at a key with dots, making the maps above it. */
static void set_at(json_t *object, const char *key, json_t *value)
{
	const char *dot = strchr(key, '.');
	json_t *inner;
	char *step;

	if (!dot) {
		json_object_set_new(object, key, value);
		return;
	}
	step = xstrndup(key, (size_t)(dot - key));
	inner = json_object_get(object, step);
	if (!inner) {
		inner = json_object();
		json_object_set_new(object, step, inner);
	}
	set_at(inner, dot + 1, value);
	free(step);
}

json_t *invocation_object(const struct invocation *invocation)
{
	json_t *object = json_object(), *value;
	const struct option *option;
	const char *text;

	for (size_t i = 0; i < invocation->value_count; i++) {
		option = invocation->values[i].option;
		text = invocation->values[i].text;
		if (!option->key)
			continue;
		if (option->type == OPTION_LIST)
			value = invocation_list(invocation, option->name);
		else if (option->type == OPTION_SWITCH)
			value = json_boolean(strcmp(text, "on") == 0);
		else if (option->type == OPTION_FLAG)
			value = json_true();
		else if (!*text) /* --acl "" is as if it had never been said */
			value = json_null();
		else if (option->type == OPTION_INTEGER)
			value = json_integer(strtoll(text, NULL, 10));
		else
			value = json_string(text);
		set_at(object, option->key, value);
	}
	return object;
}
