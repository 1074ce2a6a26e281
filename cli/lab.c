/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft lab: a whole cloud on one machine, to try things in.
 *
 * Neighbours: lab.h, which says what a lab consists of and who does what.
 */
#include "cli/lab.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/alloc.h"
#include "cli/nouns.h"
#include "cli/table.h"

int lab_report(struct invocation *invocation, const struct error *error)
{
	struct error told = *error;

	if (error->code == -EACCES || error->code == -EPERM)
		error_set(&told, error->code, NULL, "%s (labs are made by root)", error->text);
	return report_question(invocation, &told);
}

static int down(struct invocation *invocation)
{
	const char *name = invocation->arguments[0];
	struct error error = { 0 };
	struct lab lab;
	int code = lab_open(&lab, name, true, &error);

	if (code == -ENOENT) {
		report_line(invocation, "%s", error.text);
		return EXIT_DONE;
	}
	if (code < 0)
		return lab_report(invocation, &error);
	code = lab_take_down(&lab, &error);
	lab_close(&lab);
	if (code < 0)
		return lab_report(invocation, &error);
	report_line(invocation, "lab %s is down", name);
	return EXIT_DONE;
}

/* "h1 running, h2 stopped" */
static void append_hosts(const struct lab *lab, struct buf *text)
{
	static const char *const kinds[] = { "hosts", "stores" };
	const char *host, *between = "";
	json_t *entry;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		json_object_foreach(json_object_get(lab->registry, kinds[i]), host, entry) {
			buf_printf(text, "%s%s %s", between, host,
				   lab_host_running(lab, host) ? "running" : "stopped");
			between = ", ";
		}
	}
}

static void add_row(struct table *table, const struct lab *lab)
{
	struct buf text = { 0 };

	append_hosts(lab, &text);
	table_cell(table, lab->name);
	table_cell(table, json_string_value(json_object_get(lab->registry, "state")));
	table_cell(table, buf_text(&text));
	table_cellf(table, "%zu", json_object_size(json_object_get(lab->registry, "nodes")));
	table_cell(table, json_string_value(json_object_get(lab->registry, "file")));
	buf_fini(&text);
}

static int list(struct invocation *invocation)
{
	static const char *const titles[] = { "LAB", "STATE", "HOSTS", "NODES", "FILE", NULL };
	json_t *names = lab_names(), *name, *all = json_array();
	int status = EXIT_DONE;
	struct table table;
	struct lab lab;
	size_t index;

	table_init(&table, titles);
	json_array_foreach(names, index, name) {
		if (invocation->quiet && !invocation->json)
			fprintf(invocation->out, "%s\n", json_string_value(name));
		/* One that goes away meanwhile is not listed. */
		if (lab_open(&lab, json_string_value(name), false, NULL) < 0)
			continue;
		add_row(&table, &lab);
		json_array_append(all, lab.registry);
		lab_close(&lab);
	}
	if (invocation->json)
		status = report_json(invocation, all);
	else if (!invocation->quiet)
		table_print(&table, invocation->out, 0);
	table_fini(&table);
	json_decref(all);
	json_decref(names);
	return status;
}

enum action { ACTION_STOP, ACTION_START, ACTION_KILL, ACTION_RESTART };

static int act(struct lab *lab, const char *host, enum action action, struct error *error)
{
	int code;

	switch (action) {
	case ACTION_STOP: return lab_host_stop(lab, host, false, error);
	case ACTION_KILL: return lab_host_stop(lab, host, true, error);
	case ACTION_RESTART:
		code = lab_host_stop(lab, host, false, error);
		if (code < 0 && code != -ESRCH)
			return code;
		return lab_host_start(lab, host, error);
	case ACTION_START:
	default: return lab_host_start(lab, host, error);
	}
}

static int host_command(struct invocation *invocation, enum action action, const char *done)
{
	const char *name = invocation->arguments[0], *host = invocation->arguments[1];
	struct error error = { 0 };
	struct lab lab;
	int code = lab_open(&lab, name, true, &error);

	if (code < 0)
		return lab_report(invocation, &error);
	if (!lab_host(&lab, host) && !lab_store(&lab, host))
		code = error_set(&error, ENOENT, NULL, "lab %s has no host %s", name, host);
	else
		code = act(&lab, host, action, &error);
	lab_close(&lab);
	if (code < 0)
		return lab_report(invocation, &error);
	report_line(invocation, "host %s of lab %s %s", host, name, done);
	return EXIT_DONE;
}

static int stop(struct invocation *invocation)
{
	return host_command(invocation, ACTION_STOP, "stopped");
}

static int start(struct invocation *invocation)
{
	return host_command(invocation, ACTION_START, "started");
}

static int kill_host(struct invocation *invocation)
{
	return host_command(invocation, ACTION_KILL, "killed");
}

static int restart(struct invocation *invocation)
{
	return host_command(invocation, ACTION_RESTART, "restarted");
}

#define HOST_COMMAND(word, function, sentence)                                                     \
	{                                                                                          \
		.verb = word, .arguments = "LAB HOST", .argument_min = 2, .argument_max = 2,       \
		.complete = COMPLETE_LAB, .summary = sentence, .run = function,                    \
	}

static const struct command lab_commands[] = {
	{
		.verb = "up",
		.arguments = "FILE|-",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_FILE,
		.summary = "make what a lab file says, and wait until every port is plugged in",
		.text = "A lab file is a weft.yaml with a section `lab`. If something fails, nothing\n"
			"is left behind.",
		.run = lab_up,
	},
	{
		.verb = "down",
		.arguments = "LAB",
		.argument_min = 1,
		.argument_max = 1,
		.complete = COMPLETE_LAB,
		.summary = "end and remove everything of a lab; may be repeated",
		.run = down,
	},
	{
		.verb = "list",
		.arguments = "",
		.summary = "all labs of this machine",
		.run = list,
	},
	{
		.verb = "exec",
		.arguments = "LAB NODE -- COMMAND...",
		.argument_min = 2,
		.argument_max = 2,
		.complete = COMPLETE_LAB,
		.summary = "run a command on a workload (blue/web1) or a host (h1), a router",
		.text = "weft lab exec shop blue/web1 -- ping -c1 10.0.2.20\n"
			"weft lab exec shop h1 -- weft drops\n"
			"Without a command: a shell. The exit status is the command's.",
		.tail = true,
		.run = lab_exec,
	},
	HOST_COMMAND("stop", stop, "end the daemon of a host; its workloads go on (store1: etcd)"),
	HOST_COMMAND("start", start, "start the daemon of a host"),
	HOST_COMMAND("kill", kill_host, "end the daemon of a host by SIGKILL"),
	HOST_COMMAND("restart", restart, "stop and start the daemon of a host"),
	{ 0 },
};

const struct noun lab_noun = {
	.name = "lab",
	.summary = "a whole cloud on this machine, to try things in",
	.text = "A namespace for each host with a weftd of its own, a namespace for each workload.\n"
		"weft --lab NAME talks to a lab's daemon: weft --lab shop drops.",
	.commands = lab_commands,
};
