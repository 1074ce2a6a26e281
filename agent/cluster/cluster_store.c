/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Addresses of stores, and moving in; see cluster_store.h.
 */
#include "agent/cluster/cluster_store.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "agent/reconcile_private.h"
#include "base/alloc.h"
#include "base/json.h"
#include "base/log.h"
#include "store/store_etcd.h"

#define ENDPOINTS_MAX 16
#define WAIT_MS 30000
#define WAIT_STEP_MS 100

int cluster_store_open(const struct cluster_config *config, struct store **store,
		       struct error *error)
{
	bool tls = strncmp(config->store, "etcds://", 8) == 0;
	char *list = xstrdup(strstr(config->store, "://") + 3), *rest = list, *word;
	const char *endpoints[ENDPOINTS_MAX];
	char *owned[ENDPOINTS_MAX];
	struct store_etcd_options options = {
		.endpoints = endpoints,
		.ca_file = tls ? config->store_ca : NULL,
		.cert_file = tls ? config->store_certificate : NULL,
		.key_file = tls ? config->store_key : NULL,
		.name = config->host,
	};
	int code = 0;

	while (!code && (word = strsep(&rest, ","))) {
		if (!*word || options.endpoint_count == ENDPOINTS_MAX) {
			code = error_set(error, EINVAL, NULL,
					 "the store %s is not 1 to %d times ADDRESS:PORT",
					 config->store, ENDPOINTS_MAX);
			break;
		}
		owned[options.endpoint_count] = xasprintf("http%s://%s", tls ? "s" : "", word);
		endpoints[options.endpoint_count] = owned[options.endpoint_count];
		options.endpoint_count++;
	}
	if (!code)
		code = store_open_etcd(&options, store, error);
	for (size_t i = 0; i < options.endpoint_count; i++)
		free(owned[i]);
	free(list);
	return code;
}

static int count_item(void *context, const struct store_item *item)
{
	size_t *count = context;

	(void)item;
	++*count;
	return 0;
}

int cluster_store_wait(struct store *store, struct error *error)
{
	int code = 0;

	for (int waited = 0; waited < WAIT_MS; waited += WAIT_STEP_MS) {
		size_t count = 0;

		error_clear(error);
		code = store_list(store, STORE_PREFIX "ids/", count_item, &count, NULL, error);
		if (code != -EHOSTUNREACH && code != -ETIMEDOUT)
			return code;
		poll(NULL, 0, WAIT_STEP_MS);
	}
	return code;
}

/* ---- moving in ---- */

struct move {
	struct store_transaction *transaction;
	const char *host;
	size_t count;
};

/* What names no host was of the only one there was. Return: text owned by the caller. */
static char *with_host(const char *key, const char *value, const char *host)
{
	json_t *document = NULL;
	const char *now;
	char *text = NULL;

	if ((strstr(key, "/ports/") || strstr(key, "/tunnels/")) &&
	    !json_load_text(value, strlen(value), STORE_VALUE_LENGTH_MAX, &document, NULL)) {
		now = json_string_value(json_object_get(document, "host"));
		if (!now || !*now) {
			json_object_set_new(document, "host", json_string(host));
			text = json_dumps(document, JSON_COMPACT);
		}
	}
	json_decref(document);
	return text ? text : xstrdup(value);
}

static int move_item(void *context, const struct store_item *item)
{
	struct move *move = context;
	char *value = with_host(item->key, item->value, move->host);

	store_transaction_require_revision(move->transaction, item->key, 0);
	store_transaction_put(move->transaction, item->key, value, 0);
	free(value);
	move->count++;
	return 0;
}

int cluster_store_import(struct store *from, struct store *to, const char *host,
			 struct error *error)
{
	struct move move = { .transaction = store_transaction_new(), .host = host };
	size_t there = 0;
	int code = store_list(from, STORE_PREFIX, move_item, &move, NULL, error);

	if (!code)
		code = store_list(to, STORE_PREFIX "ids/", count_item, &there, NULL, error);
	if (!code && move.count && there)
		code = error_set(error, EEXIST, NULL,
				 "the store has an intent already, and so has this host; `weft "
				 "export` it, remove its VPCs, and try again");
	/* The first host to start on it makes the index, with the parts that hosts have. */
	store_transaction_delete(move.transaction, STORE_PREFIX "index/layout");
	if (!code && move.count)
		code = store_commit(to, move.transaction, NULL, error);
	if (!code && move.count)
		log_notice("the intent of this host is in the cluster's store", "records=%zu",
			   move.count);
	store_transaction_free(move.transaction);
	return code;
}
