/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the tests of store_etcd share: a cluster, a loop, a watch that takes down what it heard,
 * and requests that the store has no call for.
 */
#ifndef WEFT_TESTS_UNIT_ETCD_WORLD_H
#define WEFT_TESTS_UNIT_ETCD_WORLD_H

#include <curl/curl.h>
#include <jansson.h>

#include "store/store_etcd.h"
#include "tests/unit/etcd_members.h"

static struct etcd_members cluster;
static struct loop *loop;
static struct error error;

#define DONE(call)                                                                                 \
	do {                                                                                       \
		if (call)                                                                          \
			fail_msg("%s", error.text);                                                \
	} while (0)

/* Turn the loop until @condition holds. */
#define TURN_UNTIL(condition)                                                                      \
	do {                                                                                       \
		uint64_t turn_until = clock_monotonic_ms(NULL) + ETCD_PATIENCE_MS;                 \
		while (!(condition)) {                                                             \
			if (clock_monotonic_ms(NULL) > turn_until)                                 \
				fail_msg("it does not happen: %s", #condition);                    \
			assert_int_equal(loop_run_once(loop, 10), 0);                              \
		}                                                                                  \
	} while (0)

static inline struct store *open_store(struct store_etcd_options options)
{
	const char *endpoints[ETCD_MEMBERS_MAX];
	struct store *store;

	if (!options.endpoints) {
		for (int i = 0; i < cluster.count; i++)
			endpoints[i] = cluster.members[i].url;
		options.endpoints = endpoints;
		options.endpoint_count = (size_t)cluster.count;
	}
	DONE(store_open_etcd(&options, &store, &error));
	return store;
}

/* For a cluster that may still be electing its leader. */
static inline struct store *open_ready(struct store_etcd_options options)
{
	uint64_t patience = clock_monotonic_ms(NULL) + ETCD_PATIENCE_MS;
	struct store *store = open_store(options);

	while (store_put(store, "/ready", "1", NULL, &error)) {
		if (clock_monotonic_ms(NULL) > patience)
			fail_msg("%s", error.text);
		poll(NULL, 0, 20);
	}
	return store;
}

static inline int start_cluster(int count, const char *tls)
{
	return etcd_members_start(&cluster, count, tls) || loop_new(&loop, NULL, &error);
}

static inline int start_one(void **state)
{
	(void)state;
	return start_cluster(1, NULL);
}

static inline int start_three(void **state)
{
	(void)state;
	return start_cluster(3, NULL);
}

static inline int stop_cluster(void **state)
{
	(void)state;
	loop_free(loop);
	loop = NULL;
	return etcd_members_stop(&cluster);
}

/* What the store has no call for ------------------------------------------------------------- */

static inline size_t take(char *data, size_t size, size_t count, void *context)
{
	buf_append(context, data, size * count);
	return size * count;
}

/* Return: the reply, the caller's; NULL if there is none. */
static inline json_t *post(const char *url, const char *path, const char *body, const char *token)
{
	CURL *easy = curl_easy_init();
	struct curl_slist *headers = NULL;
	struct buf reply = { 0 };
	struct buf text = { 0 };
	json_t *document = NULL;

	buf_printf(&text, "Authorization: %s", token ? token : "");
	headers = curl_slist_append(headers, buf_text(&text));
	buf_reset(&text);
	buf_printf(&text, "%s%s", url, path);
	curl_easy_setopt(easy, CURLOPT_URL, buf_text(&text));
	curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(easy, CURLOPT_POSTFIELDS, body);
	curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, 2000L);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, &reply);
	if (!curl_easy_perform(easy))
		document = json_loads(buf_text(&reply), 0, NULL);
	curl_easy_cleanup(easy);
	curl_slist_free_all(headers);
	buf_fini(&reply);
	buf_fini(&text);
	return document;
}

static inline void post_ok(const char *url, const char *path, const char *body, const char *token)
{
	json_t *reply = post(url, path, body, token);

	if (!reply || json_object_get(reply, "error"))
		fail_msg("%s: %s", path,
			 reply ? json_string_value(json_object_get(reply, "error")) : "nothing");
	json_decref(reply);
}

/* Return: the index of the leader among the members that live; -1 while there is none. */
static inline int find_leader(void)
{
	int leader = -1;

	for (int i = 0; i < cluster.count && leader < 0; i++) {
		json_t *reply;
		const char *self;
		const char *of;

		if (!cluster.members[i].pid)
			continue;
		reply = post(cluster.members[i].url, "/v3/maintenance/status", "{}", NULL);
		self = json_string_value(
			json_object_get(json_object_get(reply, "header"), "member_id"));
		of = json_string_value(json_object_get(reply, "leader"));
		if (self && of && strcmp(self, of) == 0)
			leader = i;
		json_decref(reply);
	}
	return leader;
}

static inline int await_leader(void)
{
	uint64_t patience = clock_monotonic_ms(NULL) + ETCD_PATIENCE_MS;
	int leader;

	while ((leader = find_leader()) < 0) {
		if (clock_monotonic_ms(NULL) > patience)
			fail_msg("no leader is elected");
		poll(NULL, 0, 20);
	}
	return leader;
}

/* What a watch heard ------------------------------------------------------------------------- */

#define KEYS_MAX 20000

/**
 * struct hearing - of a watch of "/k/", whose keys end in numbers, each written once
 * @count: keys heard; @twice: of those, more than once
 * @disordered: calls that told of a revision not behind the last call's
 * @lost: calls that said to list again
 */
struct hearing {
	uint64_t revisions[KEYS_MAX];
	int count;
	int twice;
	int deleted;
	int disordered;
	int lost;
	uint64_t revision;
};

static inline void hear(void *context, const struct store_item *items, size_t count,
			uint64_t revision)
{
	struct hearing *hearing = context;

	if (!items)
		hearing->lost++;
	for (size_t i = 0; i < count; i++) {
		long number = strtol(items[i].key + strlen("/k/"), NULL, 10);

		assert_in_range(number, 0, KEYS_MAX - 1);
		if (items[i].revision <= hearing->revision || items[i].revision > revision)
			hearing->disordered++;
		if (!items[i].value)
			hearing->deleted++;
		else if (hearing->revisions[number])
			hearing->twice++;
		else
			hearing->count++;
		hearing->revisions[number] = items[i].revision;
	}
	hearing->revision = revision;
}

static inline struct hearing *start_hearing(struct store *store, struct store_watch **watch)
{
	struct hearing *hearing = calloc(1, sizeof(*hearing));

	DONE(store_attach(store, loop, &error));
	DONE(store_watch(store, "/k/", store_revision(store), hear, hearing, watch, &error));
	return hearing;
}

static inline void check_hearing(const struct hearing *hearing, int count)
{
	assert_int_equal(hearing->count, count);
	assert_int_equal(hearing->twice, 0);
	assert_int_equal(hearing->disordered, 0);
	assert_int_equal(hearing->lost, 0);
	for (int i = 0; i < count; i++)
		assert_int_not_equal(hearing->revisions[i], 0);
}

static inline int put_number(struct store *store, int number)
{
	char key[32];

	snprintf(key, sizeof(key), "/k/%d", number);
	return store_put(store, key, "1", NULL, &error);
}

static inline int count_items(void *context, const struct store_item *item)
{
	(void)item;
	++*(int *)context;
	return 0;
}

static inline bool exists(struct store *store, const char *key)
{
	char *value;
	int result = store_get(store, key, &value, NULL, &error);

	if (result && result != -ENOENT)
		fail_msg("%s", error.text);
	if (!result)
		free(value);
	return !result;
}

#endif
