/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft apply: make the intent as a file says. weft export: write such a file.
 *
 * The file is read here, judged by the daemon, and applied by it as a whole or not at all. What the
 * daemon refuses names a path of the tree; the place in the file is found from it.
 *
 * Neighbours: client/yaml.c; lab.c, which applies its files the same way.
 */
#include "cli/apply.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "cli/lab.h"
#include "cli/nouns.h"
#include "client/client.h"

#define EXPORT_BLOCK_LEVELS 4 /* vpcs, their names, kinds of objects, their names */

static const struct option apply_options[] = {
	FLAG_OPTION("dry-run", 'n', "say what would be changed, change nothing", NULL),
	FLAG_OPTION("prune", 0, "remove the VPCs that the file does not name", NULL),
	{ 0 },
};

static const char *display_name(const char *path)
{
	return strcmp(path, "-") == 0 ? "standard input" : path;
}

int apply_read_file(struct invocation *invocation, const char *path, struct yaml_document *document)
{
	struct error error = { 0 };
	struct buf text = { 0 };
	size_t line = 0;
	int code;

	code = file_read(path, YAML_SIZE_MAX, &text, &error);
	if (code < 0) {
		report_refused(invocation, "%s", error.text);
		buf_fini(&text);
		return EXIT_REFUSED;
	}
	code = yaml_load(buf_text(&text), text.size, document, &line, &error);
	if (code < 0 && line)
		report_refused(invocation, "%s:%zu: %s", display_name(path), line, error.text);
	else if (code < 0)
		report_refused(invocation, "%s: %s", display_name(path), error.text);
	if (code == 0 && !json_is_object(document->tree)) {
		report_refused(invocation,
			       "%s: the file is a tree of names that begins with "
			       "\"vpcs:\", not %s",
			       display_name(path),
			       json_is_array(document->tree) ? "a list" : "one value");
		yaml_unload(document);
		code = -EINVAL;
	}
	buf_fini(&text);
	return code < 0 ? EXIT_REFUSED : EXIT_DONE;
}

/* The path ends with the key that some sentences begin with: "vpcs.blue.mtu: mtu: must be ...". */
static const char *without_key(const char *sentence, const char *path)
{
	const char *colon = strstr(sentence, ": ");
	size_t length = colon ? (size_t)(colon - sentence) : 0, whole = strlen(path);

	if (!length || length > whole || memcmp(path + whole - length, sentence, length) != 0)
		return sentence;
	return length == whole || path[whole - length - 1] == '.' ? colon + 2 : sentence;
}

int apply_report(struct invocation *invocation, const char *path,
		 const struct yaml_document *document, const struct error *error)
{
	const char *sentence = without_key(report_sentence(error), error->path);
	size_t line = yaml_line(document, error->path);
	struct error bare = *error;

	if (error->code == -ECONNREFUSED || !*error->path) {
		*bare.path = '\0';
		return report_failure(invocation, &bare);
	}
	if (line)
		report_refused(invocation, "%s:%zu: %s: %s", display_name(path), line, error->path,
			       sentence);
	else
		report_refused(invocation, "%s: %s: %s", display_name(path), error->path, sentence);
	return EXIT_REFUSED;
}

static void print_changes(struct invocation *invocation, const json_t *applied, bool dry_run)
{
	const json_t *changes = json_object_get(applied, "changes");
	size_t added = 0, modified = 0, removed = 0, index;
	const char *text, *action;
	json_t *change;

	json_array_foreach(changes, index, change) {
		action = json_string_value(json_object_get(change, "action"));
		text = json_string_value(json_object_get(change, "text"));
		if (text)
			report_line(invocation, "%s", text);
		added += action && strcmp(action, "add") == 0;
		modified += action && strcmp(action, "modify") == 0;
		removed += action && strcmp(action, "remove") == 0;
	}
	if (added + modified + removed == 0)
		report_line(invocation, "nothing to change");
	else
		report_line(invocation, "%s%zu added, %zu changed, %zu removed",
			    dry_run ? "would be: " : "", added, modified, removed);
}

/* How much there is to do, on a terminal, while the daemon does it. */
static void show_progress(struct invocation *invocation, const json_t *tree, bool begin)
{
	const json_t *vpcs = json_object_get(tree, "vpcs");
	size_t ports = 0;
	const char *name;
	json_t *vpc;

	if (invocation->quiet || !isatty(fileno(invocation->err)))
		return;
	if (!begin) {
		fprintf(invocation->err, "\r\033[K");
		return;
	}
	json_object_foreach((json_t *)vpcs, name, vpc) {
		ports += json_object_size(json_object_get(vpc, "ports"));
	}
	fprintf(invocation->err, "applying %zu VPC%s with %zu port%s ...", json_object_size(vpcs),
		json_object_size(vpcs) == 1 ? "" : "s", ports, ports == 1 ? "" : "s");
	fflush(invocation->err);
}

static int run_apply(struct invocation *invocation)
{
	bool dry_run = invocation_flag(invocation, "dry-run");
	const char *path = invocation->arguments[0];
	struct yaml_document document;
	struct error error = { 0 };
	json_t *applied = NULL;
	int status, code;

	status = apply_read_file(invocation, path, &document);
	if (status)
		return status;
	/* A lab's file may be applied to the lab again, though it does not say what the lab made. */
	lab_attach_by_socket(document.tree, invocation->socket);
	show_progress(invocation, document.tree, true);
	code = client_apply(invocation_client(invocation), document.tree, dry_run,
			    invocation_flag(invocation, "prune"), &applied, &error);
	show_progress(invocation, document.tree, false);
	if (code < 0)
		status = apply_report(invocation, path, &document, &error);
	else if (invocation->json)
		status = report_json(invocation, applied);
	else
		print_changes(invocation, applied, dry_run);
	json_decref(applied);
	yaml_unload(&document);
	return status;
}

static int run_export(struct invocation *invocation)
{
	struct error error = { 0 };
	struct buf text = { 0 };
	json_t *tree = NULL;
	int status = EXIT_DONE;

	if (client_export(invocation_client(invocation), &tree, &error) < 0)
		return report_failure(invocation, &error);
	if (invocation->json) {
		status = report_json(invocation, tree);
	} else {
		yaml_emit(&text, tree, EXPORT_BLOCK_LEVELS);
		fputs(buf_text(&text), invocation->out);
	}
	buf_fini(&text);
	json_decref(tree);
	return status;
}

static const struct command apply_commands[] = {
	{
		.arguments = "FILE|-",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_FILE,
		.summary = "make the intent as a file says",
		.text = "Each VPC in the file becomes exactly what the file says of it: what is not there\n"
			"is removed. VPCs that the file does not name stay as they are, unless --prune.\n"
			"All of it is done, or nothing is. The lines printed are the plan: + is added,\n"
			"~ is changed, - is removed.",
		.options = apply_options,
		.run = run_apply,
	},
	{ 0 },
};

const struct noun apply_noun = {
	.name = "apply",
	.summary = "make the intent as a file says",
	.commands = apply_commands,
};

static const struct command export_commands[] = {
	{
		.arguments = "",
		.summary = "print the whole intent as weft.yaml",
		.text = "weft export | weft apply - changes nothing.",
		.run = run_export,
	},
	{ 0 },
};

const struct noun export_noun = {
	.name = "export",
	.summary = "print the whole intent as weft.yaml",
	.commands = export_commands,
};
