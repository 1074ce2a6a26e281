/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft lab exec: run a program on a node.
 *
 * On a workload: in its network namespace, with a /sys that shows its devices. On a host, or a
 * workload that has a host's network: in the host's namespace, with WEFT_SOCKET set to its daemon
 * and weft's own folder in PATH; /sys stays as it is there, since the pinned tables are below it.
 * The program takes this process's place, so that its exit status and signals are its own.
 *
 * Neighbours: lab_registry.c.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/netns.h"
#include "base/suggest.h"
#include "cli/lab.h"

/* By its whole name, or by what stands behind the slash if only one node has it. */
static const json_t *find_node(const struct lab *lab, const char *text, struct error *error)
{
	const json_t *found = lab_node(lab, text);
	struct suggestion suggestion;
	const char *node, *slash;
	size_t count = 0;
	json_t *entry;
	char near[128];

	if (found)
		return found;
	suggestion_init(&suggestion, text);
	json_object_foreach(json_object_get(lab->registry, "hosts"), node, entry) {
		suggestion_offer(&suggestion, node);
	}
	json_object_foreach(json_object_get(lab->registry, "nodes"), node, entry) {
		suggestion_offer(&suggestion, node);
		slash = strchr(node, '/');
		if (slash && strcmp(slash + 1, text) == 0) {
			found = entry;
			count++;
		}
	}
	if (count == 1)
		return found;
	error_set(error, ENOENT, NULL,
		  count ? "lab %s: %s is the name of several nodes; say VPC/PORT%s"
			: "lab %s has no node %s%s",
		  lab->name, text, count ? "" : suggestion_format(&suggestion, near));
	return NULL;
}

/* A /sys of the namespace, seen by this process and its children only. */
static int mount_sys(struct error *error)
{
	if (unshare(CLONE_NEWNS) < 0 || mount("", "/", "none", MS_SLAVE | MS_REC, NULL) < 0)
		return error_set(error, errno, NULL, "a mount namespace: %s", strerror(errno));
	/* Where /sys was never mounted there is nothing to take away. */
	if (umount2("/sys", MNT_DETACH) < 0 && errno != EINVAL)
		return error_set(error, errno, NULL, "/sys: %s", strerror(errno));
	if (mount("weft", "/sys", "sysfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
		return error_set(error, errno, NULL, "/sys: %s", strerror(errno));
	return 0;
}

static void set_host_environment(const char *lab, const char *host)
{
	char *socket_path = lab_path(lab, host, "weftd.sock"), *program = lab_program("weft"),
	     *path;
	const char *old = getenv("PATH");
	char *slash = strrchr(program, '/');

	setenv("WEFT_SOCKET", socket_path, 1);
	if (slash) {
		*slash = '\0';
		path = xasprintf("%s:%s", program, old ? old : "/usr/sbin:/usr/bin:/sbin:/bin");
		setenv("PATH", path, 1);
		free(path);
	}
	free(program);
	free(socket_path);
}

/* Into the node. Return: 0, or negative errno. */
static int enter_node(const char *name, const char *node, struct error *error)
{
	const json_t *entry;
	const char *namespace;
	struct lab lab;
	bool is_host;
	int code = lab_open(&lab, name, false, error), netns;

	if (code < 0)
		return code;
	entry = lab_host(&lab, node);
	is_host = entry != NULL;
	if (!entry)
		entry = lab_machine(&lab, node);
	if (!entry)
		entry = find_node(&lab, node, error);
	if (json_is_true(json_object_get(entry, "host_network"))) {
		node = json_string_value(json_object_get(entry, "host"));
		entry = lab_host(&lab, node);
		is_host = true;
	}
	namespace = json_string_value(json_object_get(entry, "namespace"));
	if (!entry)
		code = -ENOENT;
	else if (!namespace)
		code = error_set(
			error, EINVAL, NULL,
			"node %s is not a namespace of the lab: its port is a tap, a tun or "
			"elsewhere",
			node);
	if (code == 0) {
		netns = netns_open_name(namespace, error);
		code = netns < 0 ? netns : netns_enter(netns, error);
	}
	if (code >= 0 && is_host)
		set_host_environment(name, node);
	else if (code >= 0)
		code = mount_sys(error);
	lab_close(&lab);
	return code < 0 ? code : 0;
}

int lab_exec(struct invocation *invocation)
{
	static const char *const shell[] = { "sh", NULL };
	const char *const *command = invocation->arguments + 2;
	struct error error = { 0 };
	int reason;

	if (enter_node(invocation->arguments[0], invocation->arguments[1], &error) < 0)
		return lab_report(invocation, &error);
	if (!command[0])
		command = shell;
	fflush(invocation->out);
	signal(SIGPIPE, SIG_DFL);
	execvp(command[0], (char *const *)command);
	reason = errno;
	report_refused(invocation, "%s: %s", command[0], strerror(reason));
	/* As a shell has it: not found, or found and not to be run. */
	return reason == ENOENT ? 127 : 126;
}
