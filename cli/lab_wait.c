/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Waiting until all ports of a lab are plugged in.
 *
 * The stream of port events is opened first and the ports are asked for only once it is accepted,
 * so that no change falls between the two. What is still missing at the deadline is named.
 *
 * Neighbours: lab_up.c; client/events.c.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"
#include "base/clock.h"
#include "base/map.h"
#include "cli/lab.h"
#include "client/client.h"

#define DEADLINE_MS 60000
#define ATTEMPT_INTERVAL_MS 20
#define DEADLINE_PER_PORT_MS 20
#define ALL_PLUGGED 1 /* what the callbacks return to end the stream */

struct wait {
	const json_t *tree;
	const char *host;      /* whose ports; NULL: all */
	struct client *asking; /* the other client is busy with the stream */
	struct map missing;    /* port to the reason why it waits, owned */
	size_t count;
	void (*progress)(void *context, size_t done, size_t count);
	void *context;
	struct error *error;
};

static int check_done(struct wait *wait)
{
	size_t left = map_count(&wait->missing);

	if (wait->progress)
		wait->progress(wait->context, wait->count - left, wait->count);
	return left == 0 ? ALL_PLUGGED : 0;
}

static void note_status(struct wait *wait, const char *port, const json_t *status)
{
	const char *state = json_string_value(json_object_get(status, "state"));
	const char *reason = json_string_value(json_object_get(status, "reason"));
	bool is_plugged = state && strcmp(state, "plugged") == 0;

	if (is_plugged)
		free(map_remove_text(&wait->missing, port));
	else
		free(map_put_text(&wait->missing, port,
				  xstrdup(reason ? reason : "not plugged in")));
}

/* Other hosts say of their own ports whether they are plugged in. */
static bool is_asked(const struct wait *wait, const json_t *port)
{
	const char *host = json_string_value(json_object_get(port, "host"));

	return !wait->host || (host && strcmp(host, wait->host) == 0);
}

/*
 * Ask until there is an answer: a host whose store is silent at the moment does not know what is meant.
 * @comes: what is not there yet is waited for, too. Return: 0, or negative errno.
 */
static int ask(struct wait *wait, const char *const *steps, size_t count, bool comes,
	       json_t **found)
{
	uint64_t deadline = clock_monotonic_ms(NULL) + DEADLINE_MS;
	int code;

	for (;;) {
		*found = NULL;
		code = client_get(wait->asking, steps, count, found, NULL, wait->error);
		if (code != -EAGAIN && (code != -ENOENT || !comes))
			return code;
		if (clock_monotonic_ms(NULL) > deadline)
			return code;
		poll(NULL, 0, ATTEMPT_INTERVAL_MS);
	}
}

/* Ask for all ports of the tree's VPCs. */
static int ask_all(void *context)
{
	struct wait *wait = context;
	const char *steps[] = { "vpcs", NULL, "ports" }, *vpc, *name;
	json_t *value, *ports, *port;
	char *whole;
	int code;

	json_object_foreach(json_object_get(wait->tree, "vpcs"), vpc, value) {
		steps[1] = vpc;
		code = ask(wait, steps, 3, false, &ports);
		if (code < 0)
			return code;
		json_object_foreach(ports, name, port) {
			if (!is_asked(wait, port))
				continue;
			whole = xasprintf("%s/%s", vpc, name);
			note_status(wait, whole, json_object_get(port, "status"));
			free(whole);
			wait->count++;
		}
		json_decref(ports);
	}
	return check_done(wait);
}

static int take_event(void *context, const char *event, const json_t *data)
{
	struct wait *wait = context;
	const char *port = json_string_value(json_object_get(data, "port"));

	if (strcmp(event, "lost") == 0) {
		wait->count = 0;
		return ask_all(wait);
	}
	if (strcmp(event, "port") == 0 && port &&
	    (!wait->host || map_get_text(&wait->missing, port)))
		note_status(wait, port, json_object_get(data, "status"));
	return check_done(wait);
}

static int refuse(const struct wait *wait, struct error *error)
{
	MAP_FOR_EACH(&wait->missing, entry)
		return error_set(error, ETIMEDOUT, NULL,
				 "%zu of %zu ports are not plugged in; port %s: %s",
				 map_count(&wait->missing), wait->count, (const char *)entry.key,
				 (const char *)entry.value);
	return error_set(error, ETIMEDOUT, NULL, "the ports are not plugged in");
}

static size_t count_ports(const json_t *tree)
{
	size_t count = 0;
	const char *vpc;
	json_t *value;

	json_object_foreach(json_object_get(tree, "vpcs"), vpc, value) {
		count += json_object_size(json_object_get(value, "ports"));
	}
	return count;
}

/* All of a change reaches a host at once: when one VPC of the file is there, so is the rest. */
static int wait_for_intent(struct wait *wait)
{
	const char *steps[] = { "vpcs", NULL }, *vpc;
	json_t *value, *found;
	int code = 0;

	json_object_foreach(json_object_get(wait->tree, "vpcs"), vpc, value) {
		steps[1] = vpc;
		code = ask(wait, steps, 2, true, &found);
		json_decref(found);
		if (code < 0)
			return code;
	}
	return 0;
}

int lab_wait_plugged(const char *socket_path, const json_t *tree, const char *host,
		     void (*progress)(void *context, size_t done, size_t count), void *context,
		     struct error *error)
{
	struct wait wait = {
		.tree = tree,
		.host = host,
		.progress = progress,
		.context = context,
		.error = error,
	};
	struct client *streaming = client_open(socket_path);
	unsigned long deadline = DEADLINE_MS + DEADLINE_PER_PORT_MS * count_ports(tree);
	int code;

	wait.asking = client_open(socket_path);
	code = host ? wait_for_intent(&wait) : 0;
	if (code == 0)
		code = client_events(streaming, "port", NULL, ask_all, take_event, &wait, deadline,
				     error);
	if (code == -ETIMEDOUT)
		code = refuse(&wait, error);
	map_fini(&wait.missing, free);
	client_close(wait.asking);
	client_close(streaming);
	return code == ALL_PLUGGED ? 0 : code;
}
