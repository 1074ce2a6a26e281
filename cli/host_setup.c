/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * weft host init, join, token.
 *
 * The daemon does the work and starts anew with what came of it; here its answer is shown and waited for.
 * A token may be given in a file, or on standard input, so that it is in nobody's list of processes.
 *
 * Neighbours: host.c (the noun), agent/api/api_cluster.c (the other side).
 */
#include "cli/host_setup.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "base/alloc.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/file.h"
#include "client/client.h"

#define TOKEN_LENGTH_MAX 128
#define READY_MS 30000
#define READY_STEP_MS 50

const struct option host_init_options[] = {
	TEXT_OPTION("name", "NAME", "of this host (default: its hostname)", "name"),
	LIST_OPTION("underlay", "ADDRESS", "of this host, towards the others; may be given again",
		    "underlay"),
	FLAG_OPTION("with-etcd", 0, "run a member of etcd on this host, with TLS", "with_etcd"),
	TEXT_OPTION("store", "STORE", "etcd that runs already: etcd://A:2379,B:2379 or etcds://…",
		    "store"),
	TEXT_OPTION("store-ca", "FILE", "PEM of the authority of etcds://", "store_ca"),
	TEXT_OPTION("store-cert", "FILE", "PEM certificate to show it", "store_cert"),
	TEXT_OPTION("store-key", "FILE", "PEM key of the certificate", "store_key"),
	{ 0 },
};

const struct option host_join_options[] = {
	TEXT_OPTION("token", "TOKEN", "that `weft host init` printed", "token"),
	NAME_OPTION("token-file", "FILE", "file that holds the token; - is standard input",
		    COMPLETE_FILE),
	TEXT_OPTION("name", "NAME", "of this host (default: its hostname)", "name"),
	LIST_OPTION("underlay", "ADDRESS", "of this host, towards the others; may be given again",
		    "underlay"),
	FLAG_OPTION("with-etcd", 0, "run a member of etcd on this host as well", "with_etcd"),
	TEXT_OPTION("store-ca", "FILE", "PEM of the authority of a store that is not Weft's",
		    "store_ca"),
	TEXT_OPTION("store-cert", "FILE", "PEM certificate to show it", "store_cert"),
	TEXT_OPTION("store-key", "FILE", "PEM key of the certificate", "store_key"),
	{ 0 },
};

/* Whether the daemon has started anew with a store of a cluster, and reached it. */
static bool is_ready(struct client *client)
{
	struct error error = { 0 };
	json_t *status = NULL;
	const char *store, *state;
	bool ready = false;

	if (client_status(client, &status, &error) == 0) {
		json_t *daemon = json_object_get(status, "daemon");

		store = json_string_value(json_object_get(daemon, "store"));
		state = json_string_value(json_object_get(daemon, "state"));
		ready = store && state && strncmp(store, "etcd", 4) == 0 &&
			strcmp(state, "ready") == 0;
	}
	json_decref(status);
	return ready;
}

static int wait_ready(struct invocation *invocation)
{
	uint64_t deadline = clock_monotonic_ms(NULL) + READY_MS;
	struct error error = { 0 };

	while (!is_ready(invocation_client(invocation))) {
		if (clock_monotonic_ms(NULL) > deadline) {
			error_set(
				&error, ETIMEDOUT, NULL,
				"done, but the store does not answer yet; `weft status` says why");
			return report_question(invocation, &error);
		}
		poll(NULL, 0, READY_STEP_MS);
	}
	return EXIT_DONE;
}

/* Sends the wish; what came of it is printed by @show. */
static int ask(struct invocation *invocation, const char *verb, const json_t *wish, json_t **answer)
{
	struct error error = { 0 };

	if (client_cluster(invocation_client(invocation), verb, wish, answer, &error))
		return error.code == -ECONNREFUSED ? report_failure(invocation, &error)
						   : report_question(invocation, &error);
	return EXIT_DONE;
}

static const char *text_of(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text ? text : "";
}

int host_init(struct invocation *invocation)
{
	json_t *wish = invocation_object(invocation), *answer = NULL;
	int status = ask(invocation, "init", wish, &answer);

	if (status == EXIT_DONE)
		status = wait_ready(invocation);
	if (answer && invocation->json)
		report_json(invocation, answer);
	else if (answer && invocation->quiet)
		fprintf(invocation->out, "%s\n", text_of(answer, "token"));
	else if (answer)
		fprintf(invocation->out,
			"This is host %s of a new cluster. On each other host, within a day:\n"
			"  weft host join ADDRESS-OF-THIS-HOST --token %s\n",
			text_of(answer, "host"), text_of(answer, "token"));
	json_decref(answer);
	json_decref(wish);
	return status;
}

static int read_token(struct invocation *invocation, json_t *wish)
{
	const char *path = invocation_text(invocation, "token-file");
	struct buf text = { 0 };
	struct error error = { 0 };
	int status = EXIT_DONE;

	if (!path == !json_object_get(wish, "token"))
		return report_usage(invocation, "--token or --token-file is needed");
	if (!path)
		return EXIT_DONE;
	if (file_read(path, TOKEN_LENGTH_MAX, &text, &error)) {
		status = report_question(invocation, &error);
	} else {
		while (text.size && strchr(" \t\r\n", text.data[text.size - 1]))
			text.data[--text.size] = '\0';
		json_object_set_new(wish, "token", json_string(buf_text(&text)));
	}
	buf_fini(&text);
	return status;
}

int host_join(struct invocation *invocation)
{
	json_t *wish = invocation_object(invocation), *answer = NULL;
	int status = read_token(invocation, wish);

	json_object_set_new(wish, "address", json_string(invocation->arguments[0]));
	if (status == EXIT_DONE)
		status = ask(invocation, "join", wish, &answer);
	if (status == EXIT_DONE)
		status = wait_ready(invocation);
	if (answer && invocation->json)
		report_json(invocation, answer);
	else if (answer)
		report_line(invocation, "This is host %s of the cluster now.",
			    text_of(answer, "host"));
	json_decref(answer);
	json_decref(wish);
	return status;
}

int host_token(struct invocation *invocation)
{
	json_t *wish = json_object(), *answer = NULL;
	int status = ask(invocation, "token", wish, &answer);

	if (answer && invocation->json)
		report_json(invocation, answer);
	else if (answer)
		fprintf(invocation->out, "%s\n", text_of(answer, "token"));
	json_decref(answer);
	json_decref(wish);
	return status;
}
