/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Commits to etcd, each done once or not at all, also when the answer is lost.
 *
 * A commit is one etcd transaction. Beside the caller's part it compares and writes one small key
 * of this store's own, the marker: "still as my last commit left it; now it holds this commit's
 * token". When no answer comes, a second transaction with the same comparison writes the marker
 * alone, the fence. Either the fence is written: then the commit was not done, and it never will
 * be, even if it still wanders about, because its comparison cannot hold any more. Or the fence
 * finds the marker changed: if it holds the commit's token, the commit was done, at the marker's
 * mod revision. The same comparison keeps a request that libcurl or a member sends twice from
 * being done twice.
 *
 * Which comparison of a refused transaction failed is read afterwards, at the revision at which it
 * was refused; asking for it in the transaction would double its size.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/alloc.h"
#include "store/store_etcd_private.h"

/* Comparisons looked up in one request: less than etcd's default limit of 128. */
#define LOOKUPS 100

/* How often a commit begins anew because the marker was not as it was thought to be. */
#define MARKER_TRIES 4
#define COMMIT_STEP_NS (CLOCK_NS_PER_MS / 4) /* for each change and comparison */

#define TOKEN_SIZE 33

static void make_token(char token[TOKEN_SIZE])
{
	uint64_t random[2];

	if (getrandom(random, sizeof(random), 0) != sizeof(random))
		abort(); /* cannot fail for so few bytes */
	snprintf(token, TOKEN_SIZE, "%016llx%016llx", (unsigned long long)random[0],
		 (unsigned long long)random[1]);
}

/* Requests ----------------------------------------------------------------------------------- */

static void append_separator(struct buf *body)
{
	if (body->data[body->size - 1] != '[')
		buf_append_char(body, ',');
}

static void append_marker_compare(const struct etcd_store *self, struct buf *body)
{
	append_separator(body);
	buf_append_text(body, "{\"target\":\"MOD\",\"result\":\"EQUAL\"");
	etcd_append_number(body, "mod_revision", self->marker_revision);
	etcd_append_bytes(body, "key", self->marker, strlen(self->marker));
	buf_append_char(body, '}');
}

static void append_marker_put(const struct etcd_store *self, struct buf *body, const char *token)
{
	append_separator(body);
	buf_append_text(body, "{\"request_put\":{");
	etcd_append_bytes(body, "key", self->marker, strlen(self->marker));
	etcd_append_bytes(body, "value", token, strlen(token));
	buf_append_text(body, "}}");
}

static void append_marker_read(const struct etcd_store *self, struct buf *body)
{
	buf_append_text(body, "],\"failure\":[{\"request_range\":{");
	etcd_append_bytes(body, "key", self->marker, strlen(self->marker));
	buf_append_text(body, "}}]}");
}

static void append_compare(const struct etcd_store *self, struct buf *body,
			   const struct store_compare *compare)
{
	append_separator(body);
	if (compare->requirement == STORE_REQUIRE_EXISTING) {
		buf_append_text(body, "{\"target\":\"CREATE\",\"result\":\"GREATER\"");
		etcd_append_number(body, "create_revision", 0);
	} else if (compare->requirement == STORE_REQUIRE_UNCHANGED) {
		buf_append_text(body, "{\"target\":\"MOD\",\"result\":\"LESS\"");
		etcd_append_number(body, "mod_revision", compare->revision + 1);
		etcd_append_range(self, body, compare->key, NULL);
		buf_append_char(body, '}');
		return;
	} else {
		buf_append_text(body, "{\"target\":\"MOD\",\"result\":\"EQUAL\"");
		etcd_append_number(body, "mod_revision", compare->revision);
	}
	etcd_append_key(self, body, "key", compare->key);
	buf_append_char(body, '}');
}

static void append_change(const struct etcd_store *self, struct buf *body,
			  const struct store_change *change)
{
	append_separator(body);
	buf_append_text(body, change->value ? "{\"request_put\":{" : "{\"request_delete_range\":{");
	etcd_append_key(self, body, "key", change->key);
	if (change->value)
		etcd_append_bytes(body, "value", change->value, change->value_len);
	if (change->lease)
		etcd_append_number(body, "lease", change->lease);
	buf_append_text(body, "}}");
}

/* etcd takes each key once in a transaction: of several changes the last one is what is left. */
static void append_changes(const struct etcd_store *self, struct buf *body,
			   const struct store_transaction *transaction)
{
	struct map last = { 0 };

	for (size_t i = 0; i < transaction->change_count; i++)
		map_put_text(&last, transaction->changes[i].key, &transaction->changes[i]);
	for (size_t i = 0; i < transaction->change_count; i++)
		if (map_get_text(&last, transaction->changes[i].key) == &transaction->changes[i])
			append_change(self, body, &transaction->changes[i]);
	map_fini(&last, NULL);
}

static void write_commit(const struct etcd_store *self, struct buf *body,
			 const struct store_transaction *transaction, const char *token)
{
	buf_reset(body);
	buf_append_text(body, "{\"compare\":[");
	for (size_t i = 0; i < transaction->compare_count; i++)
		append_compare(self, body, &transaction->compares[i]);
	if (transaction->change_count)
		append_marker_compare(self, body);
	buf_append_text(body, "],\"success\":[");
	append_changes(self, body, transaction);
	if (transaction->change_count)
		append_marker_put(self, body, token);
	append_marker_read(self, body);
}

static void write_fence(const struct etcd_store *self, struct buf *body, const char *fence)
{
	buf_reset(body);
	buf_append_text(body, "{\"compare\":[");
	append_marker_compare(self, body);
	buf_append_text(body, "],\"success\":[");
	append_marker_put(self, body, fence);
	append_marker_read(self, body);
}

/* What the marker says ----------------------------------------------------------------------- */

/* Take the marker from a range's answer. Return: whether it holds @token. */
static bool learn_marker(struct etcd_store *self, const json_t *range, const char *token)
{
	const json_t *kv = json_array_get(json_object_get(range, "kvs"), 0);
	size_t size;
	char *value = etcd_bytes(kv, "value", &size);
	bool same = kv && value && strcmp(value, token) == 0;

	self->marker_revision = etcd_number(kv, "mod_revision");
	self->marker_known = true;
	free(value);
	return same;
}

static const json_t *marker_of_refused(const json_t *reply)
{
	const json_t *response = json_array_get(json_object_get(reply, "responses"), 0);

	return json_object_get(response, "response_range");
}

static int read_marker(struct etcd_store *self, uint64_t deadline, struct error *error)
{
	struct buf body = { 0 };
	json_t *reply = NULL;
	int result;

	buf_append_char(&body, '{');
	etcd_append_bytes(&body, "key", self->marker, strlen(self->marker));
	buf_append_char(&body, '}');
	result = etcd_request(self, "/v3/kv/range", &body, deadline, NULL, &reply, error);
	if (!result)
		learn_marker(self, reply, "");
	json_decref(reply);
	buf_fini(&body);
	return result;
}

/* Answers ------------------------------------------------------------------------------------ */

enum fate { FATE_DONE, FATE_NOT_DONE, FATE_UNKNOWN };

/* Learn what became of the commit with @token, and keep it from happening later. */
static enum fate fence_off(struct etcd_store *self, const char *token, uint64_t deadline,
			   struct error *error)
{
	enum fate fate = FATE_UNKNOWN;
	struct buf body = { 0 };
	json_t *reply = NULL;
	char fence[TOKEN_SIZE];
	uint64_t before = self->marker_revision;

	make_token(fence);
	write_fence(self, &body, fence);
	/* Written twice it does no harm: the second time finds its own token. */
	if (etcd_request(self, "/v3/kv/txn", &body, deadline, NULL, &reply, error)) {
		self->marker_known = false;
	} else if (json_is_true(json_object_get(reply, "succeeded"))) {
		self->marker_revision = etcd_revision(reply);
		fate = FATE_NOT_DONE;
	} else if (learn_marker(self, marker_of_refused(reply), token)) {
		fate = FATE_DONE;
	} else if (learn_marker(self, marker_of_refused(reply), fence) ||
		   self->marker_revision < before) {
		/* Fenced before; or an older state was restored, in which nothing of it is. */
		fate = FATE_NOT_DONE;
	}
	json_decref(reply);
	buf_fini(&body);
	return fate;
}

static void append_lookup(const struct etcd_store *self, struct buf *body, const char *key,
			  uint64_t revision)
{
	append_separator(body);
	buf_append_text(body, "{\"request_range\":{\"keys_only\":true");
	etcd_append_number(body, "revision", revision);
	etcd_append_key(self, body, "key", key);
	buf_append_text(body, "}}");
}

static bool holds(const struct store_compare *compare, uint64_t found)
{
	/* Of a prefix no single key says: it is the one that failed when no other did. */
	if (compare->requirement == STORE_REQUIRE_UNCHANGED)
		return true;
	return compare->requirement == STORE_REQUIRE_EXISTING ? found : found == compare->revision;
}

/* Find the comparison that did not hold at @revision. Return: -EAGAIN, or why it is not known. */
static int find_conflict(struct etcd_store *self, const struct store_transaction *transaction,
			 uint64_t revision, uint64_t deadline, struct error *error)
{
	const struct store_compare *compares = transaction->compares;
	struct buf body = { 0 };
	int result = 0;

	for (size_t i = 0; !result && i < transaction->compare_count; i += LOOKUPS) {
		size_t end = i + LOOKUPS < transaction->compare_count ? i + LOOKUPS
								      : transaction->compare_count;
		json_t *reply = NULL;

		buf_reset(&body);
		buf_append_text(&body, "{\"success\":[");
		for (size_t j = i; j < end; j++)
			append_lookup(self, &body, compares[j].key, revision);
		buf_append_text(&body, "]}");
		result = etcd_request(self, "/v3/kv/txn", &body, deadline, NULL, &reply, error);
		for (size_t j = i; !result && j < end; j++) {
			const json_t *responses = json_object_get(reply, "responses");
			const json_t *range =
				json_object_get(json_array_get(responses, j - i), "response_range");
			const json_t *kv = json_array_get(json_object_get(range, "kvs"), 0);
			uint64_t found = etcd_number(kv, "mod_revision");

			if (!holds(&compares[j], found))
				result = store_compare_failed(&compares[j], found, error);
		}
		json_decref(reply);
	}
	buf_fini(&body);
	/* It was refused for a comparison, whichever. */
	if (result != -EAGAIN)
		result = error_set(error, EAGAIN,
				   transaction->compare_count ? compares[0].key : NULL,
				   "something was changed by somebody else meanwhile");
	return result;
}

/* One try. Return: 0; -EINTR to begin anew with what is known of the marker now; or why not. */
static int try_commit(struct etcd_store *self, const struct store_transaction *transaction,
		      struct buf *body, uint64_t deadline, uint64_t *revision, struct error *error)
{
	char token[TOKEN_SIZE];
	uint64_t known = self->store.revision;
	bool unknown = false;
	json_t *reply = NULL;
	int result = 0;

	if (transaction->change_count && !self->marker_known)
		result = read_marker(self, deadline, error);
	if (result)
		return result;
	make_token(token);
	write_commit(self, body, transaction, token);
	result = etcd_request(self, "/v3/kv/txn", body, deadline,
			      transaction->change_count ? &unknown : NULL, &reply, error);
	if (unknown) {
		struct error why = { 0 };
		enum fate fate = fence_off(self, token, deadline, &why);

		*revision = self->marker_revision;
		if (fate == FATE_UNKNOWN)
			result = error_set(error, ETIMEDOUT, NULL,
					   "whether it was done is not known: %s", error->text);
		else
			result = fate == FATE_DONE ? 0 : -EINTR;
	} else if (!result && json_is_true(json_object_get(reply, "succeeded"))) {
		*revision = etcd_revision(reply);
		if (transaction->change_count)
			self->marker_revision = *revision;
		etcd_note_revision(self, *revision, known);
	} else if (!result) {
		uint64_t before = self->marker_revision;

		if (!transaction->change_count ||
		    (!learn_marker(self, marker_of_refused(reply), token) &&
		     self->marker_revision == before))
			result = find_conflict(self, transaction, etcd_revision(reply), deadline,
					       error);
		else if (learn_marker(self, marker_of_refused(reply), token))
			*revision = self->marker_revision; /* sent twice, done the first time */
		else
			result = -EINTR;
	}
	json_decref(reply);
	return result;
}

int etcd_commit(struct store *store, const struct store_transaction *transaction,
		uint64_t *revision, struct error *error)
{
	struct etcd_store *self = etcd_from(store);
	uint64_t deadline;
	struct error why = { 0 };
	struct buf body = { 0 };
	int result = -EINTR;

	etcd_await_leader(self);
	/* A large change takes etcd long: each member writes all of it to its disk. */
	deadline = etcd_deadline(self) +
		   (transaction->compare_count + transaction->change_count) * COMMIT_STEP_NS;
	for (int i = 0; result == -EINTR && i < MARKER_TRIES; i++)
		result = try_commit(self, transaction, &body, deadline, revision, &why);
	buf_fini(&body);
	if (result == -EINTR)
		return error_set(error, EHOSTUNREACH, NULL,
				 "etcd did not do it within the time, and nothing was changed%s%s",
				 why.code ? ": " : "", why.text);
	if (result && error)
		*error = why;
	return result;
}

void etcd_marker_delete(struct etcd_store *self)
{
	struct buf body = { 0 };
	json_t *reply = NULL;

	if (!self->marker_temporary || !self->reachable)
		return;
	if (self->marker_known && !self->marker_revision)
		return;
	buf_append_char(&body, '{');
	etcd_append_bytes(&body, "key", self->marker, strlen(self->marker));
	buf_append_char(&body, '}');
	/* A key of a hundred bytes that stays behind does no harm. */
	etcd_request(self, "/v3/kv/deleterange", &body, etcd_deadline(self), NULL, &reply, NULL);
	json_decref(reply);
	buf_fini(&body);
}
