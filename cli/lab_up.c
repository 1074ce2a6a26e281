/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Bringing a lab up, and taking it down.
 *
 * Up: the plan is written to the registry first, then namespaces, daemons and the intent are made
 * in that order, and the ports are waited for. The work is done by a child; if that fails or is
 * interrupted, the parent takes down what the registry lists. Down is the reverse, goes on after a
 * failure, and may be repeated: what is not there is no failure.
 *
 * Neighbours: lab_file.c (the plan), lab_host.c, lab_wait.c, lab_processes.c.
 */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "base/netlink.h"
#include "base/netns.h"
#include "cli/apply.h"
#include "cli/lab.h"
#include "cli/object.h"
#include "cli/table.h"
#include "client/client.h"

#define WORKLOAD_DEVICE "eth0"
#define LOOPBACK_IFINDEX 1 /* the first device of every namespace */
#define LOCK_DEADLINE_MS 30000
#define LOCK_STEP_MS 20
#define APPLY_DEADLINE_MS 30000
#define APPLY_STEP_MS 100

/* What of the registry has a namespace of its own, in the order in which it is made. */
static const char *const machine_kinds[] = { "machines", "hosts", "nodes" };

/* Making ------------------------------------------------------------------------------------ */

/* What is being done now, on a terminal; NULL: nothing any more. */
static void show_step(struct invocation *invocation, const char *step)
{
	if (invocation->quiet || !isatty(fileno(invocation->err)))
		return;
	fprintf(invocation->err, "\r\033[K%s%s", step ? step : "", step ? " ..." : "");
	fflush(invocation->err);
}

static void show_plugged(void *context, size_t done, size_t count)
{
	char step[64];

	snprintf(step, sizeof(step), "%zu of %zu ports plugged in", done, count);
	show_step(context, done < count ? step : NULL);
}

static int make_namespace(const char *name, struct error *error)
{
	struct netlink *netlink;
	int netns = netns_create(name, error), code;

	if (netns < 0)
		return netns;
	code = netlink_open(&netlink, netns, error);
	if (code == 0) {
		code = netlink_link_set_up(netlink, LOOPBACK_IFINDEX, true, error);
		netlink_close(netlink);
	}
	close(netns);
	return code;
}

/*
 * Mark every namespace as this lab's before the first one is made: names that are somebody else's
 * are refused here, and after an interruption what is marked may be taken down.
 */
static int claim_namespaces(struct lab *lab, const char *kind, struct error *error)
{
	const char *key, *name;
	json_t *entry;
	int netns;

	json_object_foreach(json_object_get(lab->registry, kind), key, entry) {
		name = json_string_value(json_object_get(entry, "namespace"));
		if (!name)
			continue;
		netns = netns_open_name(name, NULL);
		if (netns >= 0) {
			close(netns);
			return error_set(error, EEXIST, NULL,
					 "there is a network namespace %s already, which is not "
					 "this lab's",
					 name);
		}
		json_object_set_new(entry, "claimed", json_true());
	}
	return 0;
}

static int make_namespaces(struct lab *lab, const char *kind, struct error *error)
{
	const char *key, *name;
	struct map made = { 0 };
	json_t *entry;
	int code = 0;

	json_object_foreach(json_object_get(lab->registry, kind), key, entry) {
		name = json_string_value(json_object_get(entry, "namespace"));
		if (!name || map_get_text(&made, name))
			continue;
		code = make_namespace(name, error);
		if (code < 0)
			break;
		map_put_text(&made, name, lab);
	}
	map_fini(&made, NULL);
	return code;
}

static int start_daemons(struct lab *lab, const char *kind, struct error *error)
{
	const char *host;
	json_t *entry;
	int code;

	json_object_foreach(json_object_get(lab->registry, kind), host, entry) {
		code = lab_host_start(lab, host, error);
		if (code < 0)
			return code;
	}
	return 0;
}

static void print_nodes(struct invocation *invocation, const struct lab *lab)
{
	static const char *const titles[] = { "NODE", "ADDRESSES", "PLACE", NULL };
	const char *steps[] = { "vpcs", NULL, "ports", NULL }, *node, *slash;
	struct buf text = { 0 };
	struct table table;
	json_t *entry, *port;
	char *vpc;

	if (invocation->quiet || invocation->json)
		return;
	table_init(&table, titles);
	json_object_foreach(json_object_get(lab->registry, "hosts"), node, entry) {
		buf_reset(&text);
		object_append_value(&text, json_object_get(entry, "underlay"));
		table_cell(&table, node);
		table_cell(&table, text.size ? buf_text(&text) : NULL);
		table_cell(&table, json_string_value(json_object_get(entry, "namespace")));
	}
	json_object_foreach(json_object_get(lab->registry, "nodes"), node, entry) {
		slash = strchr(node, '/');
		vpc = xstrndup(node, (size_t)(slash - node));
		steps[1] = vpc;
		steps[3] = slash + 1;
		buf_reset(&text);
		if (client_get(invocation_client(invocation), steps, 4, &port, NULL, NULL) == 0) {
			object_append_value(&text, json_object_get(port, "addresses"));
			json_decref(port);
		}
		free(vpc);
		table_cell(&table, node);
		table_cell(&table, buf_text(&text));
		table_cell(&table, json_string_value(json_object_get(entry, "place")));
	}
	table_print(&table, invocation->out, 0);
	table_fini(&table);
	buf_fini(&text);
}

/* Everything but the intent. */
static int make_machines(struct invocation *invocation, struct lab *lab, struct error *error)
{
	int code = 0;

	for (size_t i = 0; i < ARRAY_SIZE(machine_kinds) && code == 0; i++)
		code = claim_namespaces(lab, machine_kinds[i], error);
	if (code == 0)
		code = lab_save(lab, error);
	show_step(invocation, "making namespaces");
	for (size_t i = 0; i < ARRAY_SIZE(machine_kinds) && code == 0; i++)
		code = make_namespaces(lab, machine_kinds[i], error);
	if (code == 0)
		code = lab_underlay_make(lab, error);
	if (code == 0 && json_object_size(json_object_get(lab->registry, "stores")) > 0) {
		show_step(invocation, "starting etcd");
		code = start_daemons(lab, "stores", error);
	}
	show_step(invocation, "starting weftd");
	return code == 0 ? start_daemons(lab, "hosts", error) : code;
}

/* Each host says of its own ports whether they are plugged in. */
static int wait_plugged(struct invocation *invocation, const struct lab *lab, const json_t *tree,
			struct error *error)
{
	bool alone = json_object_size(json_object_get(lab->registry, "hosts")) == 1;
	const char *host;
	json_t *entry;

	json_object_foreach(json_object_get(lab->registry, "hosts"), host, entry) {
		char *socket_path = lab_path(lab->name, host, "weftd.sock");
		int code = lab_wait_plugged(socket_path, tree, alone ? NULL : host, show_plugged,
					    invocation, error);

		free(socket_path);
		if (code < 0)
			return code;
	}
	return 0;
}

/* The addresses of a port with the lengths of its subnet's ranges. */
static json_t *addresses_of(struct invocation *invocation, const char *vpc, const json_t *port)
{
	const char *steps[] = { "vpcs", vpc, "subnets",
				json_string_value(json_object_get(port, "subnet")) };
	json_t *list = json_array(), *subnet = NULL, *ranges, *address, *cidr;
	size_t i, j;

	if (client_get(invocation_client(invocation), steps, 4, &subnet, NULL, NULL) < 0)
		return list;
	cidr = json_object_get(subnet, "cidr");
	ranges = json_is_array(cidr) ? json_incref(cidr) : json_pack("[O]", cidr);
	json_array_foreach(json_object_get(port, "addresses"), i, address) {
		const char *text = json_string_value(address);

		json_array_foreach(ranges, j, cidr) {
			const char *range = json_string_value(cidr);

			if (!strchr(text, ':') == !strchr(range, ':'))
				json_array_append_new(list, json_sprintf("%s%s", text,
									 strchr(range, '/')));
		}
	}
	json_decref(ranges);
	json_decref(subnet);
	return list;
}

/* A device for a tag of a workload's. @given: its addresses; NULL: those of the port, which is that tag's. */
static int make_tagged_device(struct invocation *invocation, const char *node, const json_t *entry,
			      uint16_t tag, json_t *given, struct error *error)
{
	const char *steps[] = { "vpcs", NULL, "ports", NULL }, *slash = strchr(node, '/');
	char *vpc = xstrndup(node, (size_t)(slash - node));
	json_t *port = NULL, *addresses;
	int code, netns;

	steps[1] = vpc;
	steps[3] = slash + 1;
	code = client_get(invocation_client(invocation), steps, 4, &port, NULL, error);
	if (code == 0) {
		addresses = given ? json_incref(given) : addresses_of(invocation, vpc, port);
		netns = netns_open_name(json_string_value(json_object_get(entry, "namespace")),
					error);
		code = netns < 0
			       ? netns
			       : lab_tagged_device(netns, WORKLOAD_DEVICE, tag,
						   json_string_value(json_object_get(port, "mac")),
						   addresses, error);
		if (netns >= 0)
			close(netns);
		json_decref(addresses);
		json_decref(port);
	}
	free(vpc);
	return code;
}

/* Workloads that tag their frames themselves have a device for each tag. */
static int make_tagged(struct invocation *invocation, const struct lab *lab, struct error *error)
{
	const char *node, *tag;
	json_t *entry, *addresses;
	int code = 0;

	json_object_foreach(json_object_get(lab->registry, "nodes"), node, entry) {
		const json_t *vlan = json_object_get(entry, "vlan");

		if (code == 0 && json_object_get(entry, "parent") && vlan &&
		    json_is_string(json_object_get(entry, "namespace")))
			code = make_tagged_device(invocation, node, entry,
						  (uint16_t)json_integer_value(vlan), NULL, error);
		json_object_foreach(json_object_get(entry, "tags"), tag, addresses) {
			if (code == 0)
				code = make_tagged_device(invocation, node, entry,
							  (uint16_t)strtoul(tag, NULL, 10),
							  addresses, error);
		}
	}
	return code;
}

/* Stores that were just started may not answer yet; what was done all the same is not done twice. */
static int apply_tree(struct invocation *invocation, const json_t *tree, struct error *error)
{
	uint64_t deadline = clock_monotonic_ms(NULL) + APPLY_DEADLINE_MS;
	int code;

	do {
		code = client_apply(invocation_client(invocation), tree, false, false, NULL, error);
	} while (code == -EAGAIN && clock_monotonic_ms(NULL) < deadline &&
		 poll(NULL, 0, APPLY_STEP_MS) <= 0);
	return code;
}

/* All steps, in the child. Return: an exit status; what went wrong is printed. */
static int make_lab(struct invocation *invocation, struct lab *lab, const char *file,
		    const struct yaml_document *document)
{
	struct error error = { 0 };
	int code = make_machines(invocation, lab, &error);

	if (code < 0) {
		show_step(invocation, NULL);
		return lab_report(invocation, &error);
	}
	show_step(invocation, "applying");
	code = apply_tree(invocation, document->tree, &error);
	show_step(invocation, NULL);
	if (code < 0)
		return apply_report(invocation, file, document, &error);
	code = wait_plugged(invocation, lab, document->tree, &error);
	if (code == 0)
		code = make_tagged(invocation, lab, &error);
	show_step(invocation, NULL);
	if (code == 0) {
		json_object_set_new(lab->registry, "state", json_string("up"));
		code = lab_save(lab, &error);
	}
	if (code < 0)
		return lab_report(invocation, &error);
	print_nodes(invocation, lab);
	return invocation->json ? report_json(invocation, lab->registry) : EXIT_DONE;
}

static volatile sig_atomic_t worker;

static void pass_on(int number)
{
	if (worker > 0)
		kill((pid_t)worker, number);
}

/* Run make_lab() in a child, so that an interrupted one can be cleaned up after. */
static int supervise(struct invocation *invocation, struct lab *lab, const char *file,
		     const struct yaml_document *document)
{
	static const int passed[] = { SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = pass_on }, saved[ARRAY_SIZE(passed)];
	int status = 0, result = EXIT_REFUSED;
	pid_t pid;

	fflush(invocation->out);
	pid = fork();
	if (pid == 0) {
		result = make_lab(invocation, lab, file, document);
		fflush(invocation->out);
		fflush(invocation->err);
		_exit(result);
	}
	if (pid < 0) {
		report_refused(invocation, "fork: %s", strerror(errno));
		return EXIT_REFUSED;
	}
	worker = pid;
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		sigaction(passed[i], &action, &saved[i]);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	worker = 0;
	for (size_t i = 0; i < ARRAY_SIZE(passed); i++)
		sigaction(passed[i], &saved[i], NULL);
	if (WIFEXITED(status))
		result = WEXITSTATUS(status);
	else
		report_refused(invocation, "lab %s: interrupted (%s)", lab->name,
			       strsignal(WTERMSIG(status)));
	return result;
}

/* A process of the child's, forked a moment before it was interrupted, has the lock until it becomes the daemon. */
static int open_again(struct lab *lab, const char *name, struct error *error)
{
	int code = lab_open(lab, name, true, error);

	for (int waited = 0; code == -EBUSY && waited < LOCK_DEADLINE_MS; waited += LOCK_STEP_MS) {
		poll(NULL, 0, LOCK_STEP_MS);
		code = lab_open(lab, name, true, error);
	}
	return code;
}

/* After a failure: what the child wrote into the registry is taken down. */
static void clean_up(struct invocation *invocation, struct lab *lab)
{
	char name[LAB_NAME_SIZE];
	struct error error = { 0 };

	snprintf(name, sizeof(name), "%s", lab->name);
	lab_close(lab);
	if (open_again(lab, name, &error) < 0 || lab_take_down(lab, &error) < 0)
		report_refused(invocation, "lab %s: cleaning up: %s", name, error.text);
}

int lab_up(struct invocation *invocation)
{
	const char *file = invocation->arguments[0];
	char whole[PATH_MAX];
	struct yaml_document document;
	struct error error = { 0 };
	json_t *registry = NULL;
	struct lab lab;
	int status;

	status = apply_read_file(invocation, file, &document);
	if (status)
		return status;
	if (lab_plan(&document, realpath(file, whole) ? whole : file, &registry, &error) < 0) {
		status = apply_report(invocation, file, &document, &error);
		yaml_unload(&document);
		return status;
	}
	if (lab_create(&lab, json_string_value(json_object_get(registry, "name")), &error) < 0) {
		if (error.code == -EEXIST)
			error_set(&error, EEXIST, NULL,
				  "lab %s is there already: weft lab down %s takes it away",
				  lab.name, lab.name);
		status = lab_report(invocation, &error);
		json_decref(registry);
		yaml_unload(&document);
		return status;
	}
	lab.registry = registry;
	free(invocation->socket);
	invocation->socket =
		lab_path(lab.name,
			 json_object_iter_key(json_object_iter(json_object_get(registry, "hosts"))),
			 "weftd.sock");
	status = supervise(invocation, &lab, file, &document);
	if (status)
		clean_up(invocation, &lab);
	lab_close(&lab);
	yaml_unload(&document);
	return status;
}

/* Taking down --------------------------------------------------------------------------------- */

/* Keep the first failure; the rest is done all the same. */
static void keep_first(struct error *first, const struct error *next, int code)
{
	if (code < 0 && first && !first->code)
		*first = *next;
}

static void delete_namespaces(const struct lab *lab, const char *kind, struct error *first)
{
	struct error error = { 0 };
	const char *key, *name;
	json_t *entry;
	int code;

	json_object_foreach(json_object_get(lab->registry, kind), key, entry) {
		name = json_string_value(json_object_get(entry, "namespace"));
		if (!name || !json_is_true(json_object_get(entry, "claimed")))
			continue;
		code = netns_delete(name, &error);
		if (code != -ENOENT)
			keep_first(first, &error, code);
	}
}

static void stop_daemons(struct lab *lab, const char *kind, struct error *first)
{
	struct error error = { 0 };
	const char *name;
	json_t *entry;
	int code;

	json_object_foreach(json_object_get(lab->registry, kind), name, entry) {
		code = lab_host_stop(lab, name, false, &error);
		if (code == -ETIMEDOUT)
			code = lab_host_stop(lab, name, true, &error);
		if (code != -ESRCH)
			keep_first(first, &error, code);
	}
}

int lab_take_down(struct lab *lab, struct error *error)
{
	json_t *hosts = json_object_get(lab->registry, "hosts"), *entry;
	struct error first = { 0 }, next = { 0 };
	const char *host;
	int code;

	stop_daemons(lab, "hosts", &first);
	stop_daemons(lab, "stores", &first);
	code = lab_end_processes(lab, &next);
	keep_first(&first, &next, code);
	json_object_foreach(hosts, host, entry) {
		code = lab_host_remove_datapath(lab, host, &next);
		keep_first(&first, &next, code);
	}
	for (size_t i = ARRAY_SIZE(machine_kinds); i-- > 0;)
		delete_namespaces(lab, machine_kinds[i], &first);
	/* While something is left the registry is needed to try again. */
	if (!first.code) {
		code = lab_delete_files(lab, &next);
		keep_first(&first, &next, code);
	}
	if (first.code && error)
		*error = first;
	return first.code;
}
